//! A value, or why it is missing. Absence never looks like success.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Why a value is missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Missing {
    /// Everything that could carry it has arrived, and nothing does.
    Absent,
    /// The producer has the value and does not send it: content capture is off, or it was redacted.
    Withheld,
    /// It was sent or should have been, and did not survive: truncated, sampled out, never arrived.
    Lost,
    /// It may still arrive.
    Pending,
}

impl Missing {
    /// The word used in records, labels and text.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Absent => "absent",
            Self::Withheld => "withheld",
            Self::Lost => "lost",
            Self::Pending => "pending",
        }
    }
}

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A value, or why it is missing.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Known<T> {
    /// The value.
    Value(T),
    /// Why there is none.
    Missing(Missing),
}

impl<T> Known<T> {
    /// Nothing carries it.
    pub const ABSENT: Self = Self::Missing(Missing::Absent);

    /// Every label value.
    pub const WORDS: [&str; 5] = ["present", "absent", "withheld", "lost", "pending"];

    /// The label value: `present`, or why it is missing.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Value(_) => "present",
            Self::Missing(why) => why.as_str(),
        }
    }

    /// The value, if there is one.
    pub fn value(&self) -> Option<&T> {
        match self {
            Self::Value(value) => Some(value),
            Self::Missing(_) => None,
        }
    }

    /// Why there is none.
    pub fn missing(&self) -> Option<Missing> {
        match self {
            Self::Value(_) => None,
            Self::Missing(why) => Some(*why),
        }
    }

    /// Whether there is a value.
    pub fn is_present(&self) -> bool {
        matches!(self, Self::Value(_))
    }

    /// From an option whose `None` means absent.
    pub fn or_absent(value: Option<T>) -> Self {
        value.map_or(Self::ABSENT, Self::Value)
    }

    /// A reference inside.
    pub fn as_ref(&self) -> Known<&T> {
        match self {
            Self::Value(value) => Known::Value(value),
            Self::Missing(why) => Known::Missing(*why),
        }
    }

    /// Changes the value.
    pub fn map<U>(self, change: impl FnOnce(T) -> U) -> Known<U> {
        match self {
            Self::Value(value) => Known::Value(change(value)),
            Self::Missing(why) => Known::Missing(why),
        }
    }
}

/// Text of a producer: its digest, its length, and as much of it as a row keeps.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Text {
    /// Of the canonical JSON if the text is JSON (RFC 8785, strings that hold JSON unwrapped), else of the bytes.
    pub digest: super::Digest,
    /// Length of the whole text in bytes.
    pub len: u64,
    /// The text up to [`Text::HEAD`] bytes, cut at a character. The whole text when `len` says so; else the body
    /// is in the content file under `digest`.
    pub head: std::sync::Arc<str>,
}

impl Text {
    /// How many bytes of a text a row keeps.
    pub const HEAD: usize = 4096;

    /// Whether `head` is all of it.
    pub fn is_whole(&self) -> bool {
        self.head.len() as u64 == self.len
    }

    /// The whole text, when the row has it.
    pub fn whole(&self) -> Option<&str> {
        self.is_whole().then_some(&*self.head)
    }
}

/// The whole of a text that is longer than its head. Kept once per digest in a partition's content file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Body {
    /// The digest of the [`Text`] that refers to it.
    pub digest: super::Digest,
    /// UTF-8.
    pub bytes: bytes::Bytes,
}
