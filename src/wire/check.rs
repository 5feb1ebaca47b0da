//! The door: one pass over a request that judges the framing and each record alone.

use bytes::Bytes;

use crate::model::Signal;

use super::metrics::count_metrics;
use super::read::{MAX_DEPTH, Reader, deeper};
use super::reframe::{Edit, reframe};
use super::rejected::{Malformed, Reason, Rejected};
use super::tags::{
    any_value, by_resource, by_scope, entity_ref, event, key_value, link, list, log, request, resource, scope, span,
    status,
};

/// What of a request may go on.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Validated {
    /// The request without the rejected records: the very bytes that came when there is nothing to leave out.
    /// Empty for metrics, which are counted and not kept.
    pub body: Bytes,
    /// Records in `body`; data points for metrics.
    pub accepted: u32,
    /// The records that were left out.
    pub rejected: Rejected,
}

/// Judges an `Export*ServiceRequest`: its framing, and each record alone.
///
/// A record is rejected when prost rejects its bytes, when a span's trace id, span id or parent span id has a wrong
/// length, when its trace id or span id is all zero, or when it ends before it starts (both times known). A log
/// record may have no ids, or ids of all zero; ids of a wrong length reject it too. Where prost would merge an
/// embedded message that was sent in pieces, the pieces are joined in `body`, so that no reader behind this one
/// needs to know.
///
/// # Errors
///
/// [`Malformed`] when the request cannot be read outside its records; then nothing of it is kept.
pub fn validate(signal: Signal, body: &Bytes) -> Result<Validated, Malformed> {
    validate_after(signal, body, &[])
}

/// Judges a request from which the records `dropped` (ascending) are missing already; sentences name records by
/// their index with those counted.
pub(super) fn validate_after(signal: Signal, body: &Bytes, dropped: &[u32]) -> Result<Validated, Malformed> {
    let judge = match signal {
        Signal::Traces => check_span,
        Signal::Logs => check_log,
        Signal::Metrics => {
            return Ok(Validated { accepted: count_metrics(body)?, ..Validated::default() });
        }
    };
    let mut walk =
        Walk { noun: noun(signal), judge, dropped, next: 0, rejected: Rejected::default(), edits: Vec::new() };
    let whole = walk.request(body)?;
    let body = match (whole, walk.edits.as_slice()) {
        (Pieces::Whole, []) => body.clone(),
        (_, edits) => reframe(signal, body, edits).into(),
    };
    Ok(Validated { body, accepted: walk.next - walk.rejected.count, rejected: walk.rejected })
}

/// What a record is called in a sentence.
pub(super) fn noun(signal: Signal) -> &'static str {
    match signal {
        Signal::Traces => "span",
        Signal::Logs => "log record",
        Signal::Metrics => "data point",
    }
}

/// Whether each embedded message stands in one piece, as every known sender writes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pieces {
    Whole,
    Split,
}

impl Pieces {
    fn and(self, other: Self) -> Self {
        if self == Self::Whole { other } else { Self::Split }
    }
}

/// Counts the occurrences of a field that holds a single message.
#[derive(Default)]
struct Single(bool);

impl Single {
    /// One more occurrence, whose own pieces are given.
    fn again(&mut self, pieces: Pieces) -> Pieces {
        if std::mem::replace(&mut self.0, true) { Pieces::Split } else { pieces }
    }
}

type Check = Result<Pieces, Reason>;

struct Walk<'d> {
    noun: &'static str,
    judge: fn(&[u8]) -> Check,
    dropped: &'d [u32],
    next: u32,
    rejected: Rejected,
    edits: Vec<(u32, Edit)>,
}

impl Walk<'_> {
    fn request(&mut self, body: &[u8]) -> Result<Pieces, Malformed> {
        let mut pieces = Pieces::Whole;
        let mut reader = Reader::new(body);
        while let Some(key) = reader.key().map_err(in_message("Export*ServiceRequest"))? {
            match key {
                request::RESOURCE => {
                    let message = reader.bytes().map_err(in_message("Export*ServiceRequest"))?;
                    pieces = pieces.and(self.by_resource(message)?);
                }
                _ => {
                    reader.other(key, request::KNOWN, MAX_DEPTH).map_err(in_message("Export*ServiceRequest"))?;
                }
            }
        }
        Ok(pieces)
    }

    fn by_resource(&mut self, message: &[u8]) -> Result<Pieces, Malformed> {
        let framing = in_message("Resource*");
        let depth = MAX_DEPTH - 1;
        let mut pieces = Pieces::Whole;
        let mut single = Single::default();
        let mut reader = Reader::new(message);
        while let Some(key) = reader.key().map_err(&framing)? {
            match key {
                by_resource::RESOURCE => {
                    let resource = reader.bytes().map_err(&framing)?;
                    let checked = check_resource(resource, depth - 1).map_err(in_message("Resource"))?;
                    pieces = pieces.and(single.again(checked));
                }
                by_resource::SCOPE => {
                    let message = reader.bytes().map_err(&framing)?;
                    pieces = pieces.and(self.by_scope(message)?);
                }
                by_resource::SCHEMA_URL => reader.bytes().and_then(check_text).map_err(&framing)?,
                _ => reader.other(key, by_resource::KNOWN, depth).map_err(&framing)?,
            }
        }
        Ok(pieces)
    }

    fn by_scope(&mut self, message: &[u8]) -> Result<Pieces, Malformed> {
        let framing = in_message("Scope*");
        let depth = MAX_DEPTH - 2;
        let mut pieces = Pieces::Whole;
        let mut single = Single::default();
        let mut reader = Reader::new(message);
        while let Some(key) = reader.key().map_err(&framing)? {
            match key {
                by_scope::RECORD => self.record(reader.bytes().map_err(&framing)?),
                by_scope::SCOPE => {
                    let scope = reader.bytes().map_err(&framing)?;
                    let checked = check_scope(scope, depth - 1).map_err(in_message("InstrumentationScope"))?;
                    pieces = pieces.and(single.again(checked));
                }
                by_scope::SCHEMA_URL => reader.bytes().and_then(check_text).map_err(&framing)?,
                _ => reader.other(key, by_scope::KNOWN, depth).map_err(&framing)?,
            }
        }
        Ok(pieces)
    }

    fn record(&mut self, message: &[u8]) {
        match (self.judge)(message) {
            Ok(Pieces::Whole) => {}
            Ok(Pieces::Split) => self.edits.push((self.next, Edit::Join)),
            Err(reason) => {
                let sentence = || format!("{} {}: {reason}", self.noun, index_as_sent(self.next, self.dropped));
                self.rejected.add(reason, sentence);
                self.edits.push((self.next, Edit::Drop));
            }
        }
        self.next += 1;
    }
}

fn index_as_sent(index: u32, dropped: &[u32]) -> u32 {
    dropped.iter().fold(index, |index, dropped| index + u32::from(*dropped <= index))
}

/// Names the message in which the framing broke.
pub(super) fn in_message(message: &'static str) -> impl Fn(Reason) -> Malformed {
    move |reason| Malformed { message, reason }
}

/// Longest text that is looked at for being ASCII before anything else: there a loop over words beats the set-up of
/// the vector code, and nearly every key and value is both short and ASCII.
const SHORT: usize = 128;

#[inline]
pub(super) fn check_text(bytes: &[u8]) -> Result<(), Reason> {
    if bytes.len() <= SHORT && bytes.is_ascii() || simdutf8::basic::from_utf8(bytes).is_ok() {
        Ok(())
    } else {
        Err(Reason::Utf8)
    }
}

fn check_span(message: &[u8]) -> Check {
    let (mut trace_id, mut span_id, mut parent): (&[u8], &[u8], &[u8]) = (&[], &[], &[]);
    let (mut start, mut end) = (0, 0);
    let mut pieces = Pieces::Whole;
    let mut status_seen = Single::default();
    let inside = MAX_DEPTH - 1;
    let mut reader = Reader::new(message);
    while let Some(key) = reader.key()? {
        match key {
            span::ATTRIBUTE => pieces = pieces.and(check_key_value(reader.bytes()?, inside)?),
            span::TRACE_ID => trace_id = reader.bytes()?,
            span::SPAN_ID => span_id = reader.bytes()?,
            span::PARENT_SPAN_ID => parent = reader.bytes()?,
            span::START => start = reader.fixed64()?,
            span::END => end = reader.fixed64()?,
            span::TRACE_STATE | span::NAME => check_text(reader.bytes()?)?,
            span::EVENT => pieces = pieces.and(check_event(reader.bytes()?, inside)?),
            span::LINK => pieces = pieces.and(check_link(reader.bytes()?, inside)?),
            span::STATUS => {
                check_status(reader.bytes()?, inside)?;
                pieces = status_seen.again(pieces);
            }
            span::KIND | span::DROPPED_ATTRIBUTES | span::DROPPED_EVENTS | span::DROPPED_LINKS => {
                reader.varint()?;
            }
            span::FLAGS => {
                reader.fixed32()?;
            }
            _ => reader.other(key, span::KNOWN, MAX_DEPTH)?,
        }
    }
    if !is_id(trace_id, 16) {
        Err(Reason::TraceId)
    } else if !is_id(span_id, 8) {
        Err(Reason::SpanId)
    } else if !matches!(parent.len(), 0 | 8) {
        Err(Reason::ParentSpanId)
    } else if start != 0 && end != 0 && end < start {
        Err(Reason::Times)
    } else {
        Ok(pieces)
    }
}

fn is_id(bytes: &[u8], len: usize) -> bool {
    bytes.len() == len && bytes.iter().any(|byte| *byte != 0)
}

fn check_log(message: &[u8]) -> Check {
    let (mut trace_id, mut span_id): (&[u8], &[u8]) = (&[], &[]);
    let mut pieces = Pieces::Whole;
    let mut body_seen = Single::default();
    let inside = MAX_DEPTH - 1;
    let mut reader = Reader::new(message);
    while let Some(key) = reader.key()? {
        match key {
            log::ATTRIBUTE => pieces = pieces.and(check_key_value(reader.bytes()?, inside)?),
            log::BODY => {
                pieces = pieces.and(check_any_value(reader.bytes()?, inside)?);
                pieces = body_seen.again(pieces);
            }
            log::TRACE_ID => trace_id = reader.bytes()?,
            log::SPAN_ID => span_id = reader.bytes()?,
            log::SEVERITY_TEXT | log::EVENT_NAME => check_text(reader.bytes()?)?,
            log::TIME | log::OBSERVED_TIME => {
                reader.fixed64()?;
            }
            log::SEVERITY_NUMBER | log::DROPPED_ATTRIBUTES => {
                reader.varint()?;
            }
            log::FLAGS => {
                reader.fixed32()?;
            }
            _ => reader.other(key, log::KNOWN, MAX_DEPTH)?,
        }
    }
    if !matches!(trace_id.len(), 0 | 16) {
        Err(Reason::TraceId)
    } else if !matches!(span_id.len(), 0 | 8) {
        Err(Reason::SpanId)
    } else {
        Ok(pieces)
    }
}

fn check_event(message: &[u8], depth: u32) -> Check {
    let mut pieces = Pieces::Whole;
    let mut reader = Reader::new(message);
    while let Some(key) = reader.key()? {
        match key {
            event::ATTRIBUTE => pieces = pieces.and(check_key_value(reader.bytes()?, deeper(depth)?)?),
            event::NAME => check_text(reader.bytes()?)?,
            event::TIME => {
                reader.fixed64()?;
            }
            event::DROPPED_ATTRIBUTES => {
                reader.varint()?;
            }
            _ => reader.other(key, event::KNOWN, depth)?,
        }
    }
    Ok(pieces)
}

fn check_link(message: &[u8], depth: u32) -> Check {
    let mut pieces = Pieces::Whole;
    let mut reader = Reader::new(message);
    while let Some(key) = reader.key()? {
        match key {
            link::ATTRIBUTE => pieces = pieces.and(check_key_value(reader.bytes()?, deeper(depth)?)?),
            link::TRACE_STATE => check_text(reader.bytes()?)?,
            link::TRACE_ID | link::SPAN_ID => {
                reader.bytes()?;
            }
            link::DROPPED_ATTRIBUTES => {
                reader.varint()?;
            }
            link::FLAGS => {
                reader.fixed32()?;
            }
            _ => reader.other(key, link::KNOWN, depth)?,
        }
    }
    Ok(pieces)
}

fn check_status(message: &[u8], depth: u32) -> Result<(), Reason> {
    let mut reader = Reader::new(message);
    while let Some(key) = reader.key()? {
        match key {
            status::MESSAGE => check_text(reader.bytes()?)?,
            status::CODE => {
                reader.varint()?;
            }
            _ => reader.other(key, status::KNOWN, depth)?,
        }
    }
    Ok(())
}

pub(super) fn check_resource(message: &[u8], depth: u32) -> Check {
    let mut pieces = Pieces::Whole;
    let mut reader = Reader::new(message);
    while let Some(key) = reader.key()? {
        match key {
            resource::ATTRIBUTE => pieces = pieces.and(check_key_value(reader.bytes()?, deeper(depth)?)?),
            resource::DROPPED_ATTRIBUTES => {
                reader.varint()?;
            }
            resource::ENTITY_REF => check_entity_ref(reader.bytes()?, deeper(depth)?)?,
            _ => reader.other(key, resource::KNOWN, depth)?,
        }
    }
    Ok(pieces)
}

fn check_entity_ref(message: &[u8], depth: u32) -> Result<(), Reason> {
    let mut reader = Reader::new(message);
    while let Some(key) = reader.key()? {
        match key {
            entity_ref::SCHEMA_URL | entity_ref::TYPE | entity_ref::ID_KEY | entity_ref::DESCRIPTION_KEY => {
                check_text(reader.bytes()?)?;
            }
            _ => reader.other(key, entity_ref::KNOWN, depth)?,
        }
    }
    Ok(())
}

pub(super) fn check_scope(message: &[u8], depth: u32) -> Check {
    let mut pieces = Pieces::Whole;
    let mut reader = Reader::new(message);
    while let Some(key) = reader.key()? {
        match key {
            scope::NAME | scope::VERSION => check_text(reader.bytes()?)?,
            scope::ATTRIBUTE => pieces = pieces.and(check_key_value(reader.bytes()?, deeper(depth)?)?),
            scope::DROPPED_ATTRIBUTES => {
                reader.varint()?;
            }
            _ => reader.other(key, scope::KNOWN, depth)?,
        }
    }
    Ok(pieces)
}

#[inline]
pub(super) fn check_key_value(message: &[u8], depth: u32) -> Check {
    let mut pieces = Pieces::Whole;
    let mut value_seen = Single::default();
    let mut reader = Reader::new(message);
    while let Some(key) = reader.key()? {
        match key {
            key_value::KEY => check_text(reader.bytes()?)?,
            key_value::VALUE => {
                let checked = check_any_value(reader.bytes()?, deeper(depth)?)?;
                pieces = pieces.and(value_seen.again(checked));
            }
            key_value::KEY_STRINDEX => {
                reader.varint()?;
            }
            _ => reader.other(key, key_value::KNOWN, depth)?,
        }
    }
    Ok(pieces)
}

/// A list that stands twice in a row is one list in two pieces; any other alternative in between starts anew.
/// Told apart only by "two lists", which is rare enough to be joined for nothing.
#[inline]
fn check_any_value(message: &[u8], depth: u32) -> Check {
    let mut pieces = Pieces::Whole;
    let mut list_seen = Single::default();
    let mut reader = Reader::new(message);
    while let Some(key) = reader.key()? {
        match key {
            any_value::STRING => check_text(reader.bytes()?)?,
            any_value::BOOL | any_value::INT | any_value::STRINDEX => {
                reader.varint()?;
            }
            any_value::DOUBLE => {
                reader.fixed64()?;
            }
            any_value::BYTES => {
                reader.bytes()?;
            }
            any_value::ARRAY => {
                let checked = check_list(reader.bytes()?, deeper(depth)?, check_any_value)?;
                pieces = pieces.and(list_seen.again(checked));
            }
            any_value::MAP => {
                let checked = check_list(reader.bytes()?, deeper(depth)?, check_key_value)?;
                pieces = pieces.and(list_seen.again(checked));
            }
            _ => reader.other(key, any_value::KNOWN, depth)?,
        }
    }
    Ok(pieces)
}

/// `ArrayValue` or `KeyValueList`, by the check of its items.
fn check_list(message: &[u8], depth: u32, check: fn(&[u8], u32) -> Check) -> Check {
    let mut pieces = Pieces::Whole;
    let mut reader = Reader::new(message);
    while let Some(key) = reader.key()? {
        match key {
            list::VALUE => pieces = pieces.and(check(reader.bytes()?, deeper(depth)?)?),
            _ => reader.other(key, list::KNOWN, depth)?,
        }
    }
    Ok(pieces)
}

#[cfg(test)]
mod tests {
    use super::*;

    use prost::Message;

    use crate::proto::opentelemetry::proto::collector::trace::v1::ExportTraceServiceRequest;
    use crate::proto::opentelemetry::proto::trace::v1::{ResourceSpans, ScopeSpans, Span};
    use crate::wire::{Record, records};

    fn span(change: impl FnOnce(&mut Span)) -> Span {
        let mut span = Span { trace_id: vec![1; 16], span_id: vec![2; 8], name: "work".into(), ..Span::default() };
        change(&mut span);
        span
    }

    fn request(spans: Vec<Span>) -> Bytes {
        let scope_spans = vec![ScopeSpans { spans, ..ScopeSpans::default() }];
        let resource_spans = vec![ResourceSpans { scope_spans, ..ResourceSpans::default() }];
        ExportTraceServiceRequest { resource_spans }.encode_to_vec().into()
    }

    #[test]
    fn nothing_is_copied_when_nothing_is_rejected() {
        let body = request(vec![span(|_| {}), span(|span| span.start_time_unix_nano = 7)]);
        let validated = validate(Signal::Traces, &body).expect("well-formed");
        assert_eq!((validated.accepted, validated.rejected.count), (2, 0));
        assert_eq!(validated.body.as_ptr(), body.as_ptr());
    }

    #[test]
    fn a_bad_span_costs_only_itself() {
        for (reason, bad) in [
            (Reason::TraceId, span(|span| span.trace_id.clear())),
            (Reason::TraceId, span(|span| span.trace_id = vec![0; 16])),
            (Reason::TraceId, span(|span| span.trace_id = vec![1; 15])),
            (Reason::SpanId, span(|span| span.span_id = vec![0; 8])),
            (Reason::SpanId, span(|span| span.span_id = vec![1; 9])),
            (Reason::ParentSpanId, span(|span| span.parent_span_id = vec![1; 7])),
            (Reason::Times, span(|span| (span.start_time_unix_nano, span.end_time_unix_nano) = (2, 1))),
        ] {
            let body = request(vec![span(|_| {}), bad, span(|span| span.name = "kept".into())]);
            let validated = validate(Signal::Traces, &body).expect("well-formed");
            assert_eq!(validated.accepted, 2);
            assert_eq!(validated.rejected.reasons, [(reason, 1)]);
            assert_eq!(validated.rejected.to_string(), format!("span 1: {reason}"));
            let names: Vec<_> = records(Signal::Traces, &validated.body)
                .map(|received| match received.record {
                    Record::Span(span) => span.name,
                    Record::Log(_) => panic!("a log record among spans"),
                })
                .collect();
            assert_eq!(names, ["work", "kept"]);
        }
    }

    #[test]
    fn an_unknown_time_is_not_an_impossible_one() {
        for (start, end) in [(0, 1), (1, 0), (0, 0), (5, 5)] {
            let body = request(vec![span(|span| {
                (span.start_time_unix_nano, span.end_time_unix_nano) = (start, end);
            })]);
            assert_eq!(validate(Signal::Traces, &body).expect("well-formed").accepted, 1, "{start} to {end}");
        }
    }

    #[test]
    fn the_reply_names_the_first_three_and_counts_the_rest() {
        let body = request(vec![span(|span| span.trace_id.clear()); 5]);
        let rejected = validate(Signal::Traces, &body).expect("well-formed").rejected;
        assert_eq!((rejected.count, rejected.first.len()), (5, 3));
        assert!(rejected.to_string().ends_with("; and 2 more"), "{rejected}");
    }
}
