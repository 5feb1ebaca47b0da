//! Why bytes were refused: a whole request, or one record of it.

use std::fmt;

/// Why a record was rejected, or a request could not be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reason {
    /// The bytes end inside a field, or a key or number is not a protobuf one.
    Unreadable,
    /// A known field has another wire type than the protocol gives it.
    WireType,
    /// A text field is not UTF-8.
    Utf8,
    /// More than 100 messages inside each other: prost's limit.
    TooDeep,
    /// A span's trace id is not 16 bytes or all zero, or a log record's is neither empty nor 16 bytes.
    TraceId,
    /// A span's own id is not 8 bytes or all zero, or a log record's is neither empty nor 8 bytes.
    SpanId,
    /// A parent span id is neither empty nor 8 bytes.
    ParentSpanId,
    /// A span ends before it starts. A time of zero is unknown and is never wrong.
    Times,
    /// OTLP/JSON: a value is not of the type of its field.
    JsonValue,
}

impl Reason {
    /// The label value.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unreadable => "unreadable",
            Self::WireType => "wire_type",
            Self::Utf8 => "utf8",
            Self::TooDeep => "too_deep",
            Self::TraceId => "trace_id",
            Self::SpanId => "span_id",
            Self::ParentSpanId => "parent_span_id",
            Self::Times => "times",
            Self::JsonValue => "json_value",
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unreadable => "the bytes end inside a field or are not protobuf",
            Self::WireType => "a field has the wrong wire type",
            Self::Utf8 => "a text is not UTF-8",
            Self::TooDeep => "messages are nested deeper than 100",
            Self::TraceId => "the trace id is not 16 bytes or is all zero",
            Self::SpanId => "the span id is not 8 bytes or is all zero",
            Self::ParentSpanId => "the parent span id is not 8 bytes",
            Self::Times => "the span ends before it starts",
            Self::JsonValue => "a value is not of the type of its field",
        })
    }
}

/// A request whose framing cannot be read: nothing of it is kept. The sender must not try again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("cannot read the OTLP request: in `{message}`, {reason}")]
pub struct Malformed {
    /// The message that could not be read, by its protobuf name.
    pub message: &'static str,
    /// What is wrong with it.
    pub reason: Reason,
}

/// The records of a request that were left out.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Rejected {
    /// How many.
    pub count: u32,
    /// How many per reason, in the order of [`Reason`].
    pub reasons: Vec<(Reason, u32)>,
    /// A sentence about each of the first three, for the reply. Names the record by its index in the request,
    /// from 0, and holds nothing of its content.
    pub first: Vec<String>,
}

impl Rejected {
    /// Sentences kept in [`Rejected::first`].
    const FIRST: usize = 3;

    /// Counts one more record. The sentence is made only if it is kept.
    pub(super) fn add(&mut self, reason: Reason, sentence: impl FnOnce() -> String) {
        self.count += 1;
        self.tally(reason, 1);
        if self.first.len() < Self::FIRST {
            self.first.push(sentence());
        }
    }

    fn tally(&mut self, reason: Reason, count: u32) {
        match self.reasons.binary_search_by_key(&reason, |(reason, _)| *reason) {
            Ok(at) => self.reasons[at].1 += count,
            Err(at) => self.reasons.insert(at, (reason, count)),
        }
    }

    /// Adds what a later stage rejected.
    pub(super) fn absorb(&mut self, later: Self) {
        self.count += later.count;
        for (reason, count) in later.reasons {
            self.tally(reason, count);
        }
        self.first.extend(later.first);
        self.first.truncate(Self::FIRST);
    }
}

impl fmt::Display for Rejected {
    /// The error message of a partial success: empty when nothing was rejected.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.first.join("; "))?;
        match self.count as usize - self.first.len().min(self.count as usize) {
            0 => Ok(()),
            more => write!(f, "; and {more} more"),
        }
    }
}
