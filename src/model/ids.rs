//! Identifiers, one type per kind, so that mixing two is a compile error.
//!
//! A public id is a hash, written as lower-case hex. Ids that come from telemetry keep the sender's bytes.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// Who the records belong to. Joins never cross tenants.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Tenant(Arc<str>);

impl Tenant {
    /// The tenant of a listener without tokens.
    pub const DEFAULT: &'static str = "default";

    /// A tenant by its name.
    pub fn new(name: &str) -> Self {
        Self(name.into())
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Default for Tenant {
    fn default() -> Self {
        Self::new(Self::DEFAULT)
    }
}

impl fmt::Display for Tenant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

macro_rules! hex_id {
    ($(#[$doc:meta])* $name:ident, $bytes:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
        pub struct $name(pub [u8; $bytes]);

        impl $name {
            /// Reads exactly the right number of bytes.
            pub fn from_slice(bytes: &[u8]) -> Option<Self> {
                bytes.try_into().ok().map(Self)
            }

            /// Reads hex digits of either case, exactly the right number.
            pub fn from_hex(text: &str) -> Option<Self> {
                let mut bytes = [0; $bytes];
                const_hex::decode_to_slice(text, &mut bytes).ok()?;
                Some(Self(bytes))
            }

            /// All zero: what OTLP calls an invalid id.
            pub fn is_zero(&self) -> bool {
                self.0 == [0; $bytes]
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&const_hex::encode(self.0))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({self})", stringify!($name))
            }
        }

        impl Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = String::deserialize(deserializer)?;
                Self::from_hex(&text).ok_or_else(|| serde::de::Error::custom("not the hex form of this id"))
            }
        }
    };
}

hex_id!(
    /// An OTLP trace id.
    TraceId,
    16
);
hex_id!(
    /// An OTLP span id.
    SpanId,
    8
);
hex_id!(
    /// Hash of (tenant, resource, scope, record bytes): byte-equal records are one piece of evidence.
    EvidenceId,
    16
);
hex_id!(
    /// Public id of an action: hash of (tenant, smallest key of its evidence when it was first published), then fixed.
    ActionId,
    16
);
hex_id!(
    /// Hash of (tenant, trace id) or of (tenant, scope, the dialect's turn id).
    TurnId,
    16
);
hex_id!(
    /// Hash of (tenant, agent scope, conversation id as sent, epoch).
    ConversationId,
    16
);
hex_id!(
    /// Hash of (action, rule): stable over revisions.
    FindingId,
    16
);
hex_id!(
    /// Hash of (tenant, root lineage): the findings of one lineage are one incident.
    IncidentId,
    16
);

/// An algorithm, the key it was used with, and the hash. Digests under different keys are incomparable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Digest {
    /// The hash function.
    pub algorithm: Algorithm,
    /// 0: unkeyed. Other keys come with redaction: [`Digest::PARTLY_DIGESTED`], [`Digest::PARTLY_WITHHELD`].
    pub key: u32,
    /// The hash.
    pub bytes: Hash,
}

hex_id!(
    /// The bytes of a digest.
    Hash,
    32
);

/// Hash functions of digests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Algorithm {
    /// BLAKE3, 256 bits.
    Blake3,
}

/// `blake3:<hex>`; with a key other than 0, `blake3:<key>:<hex>`.
impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.key {
            0 => write!(f, "blake3:{}", self.bytes),
            key => write!(f, "blake3:{key}:{}", self.bytes),
        }
    }
}

impl Digest {
    /// The key of a JSON value that holds digests in the place of values.
    pub const PARTLY_DIGESTED: u32 = u32::MAX - 1;
    /// The key of a JSON value that holds marks in the place of values.
    pub const PARTLY_WITHHELD: u32 = u32::MAX;

    /// What [`fmt::Display`] writes.
    pub fn from_text(text: &str) -> Option<Self> {
        let rest = text.strip_prefix("blake3:")?;
        let (key, hex) = match rest.split_once(':') {
            Some((key, hex)) => (key.parse().ok()?, hex),
            None => (0, rest),
        };
        Some(Self { algorithm: Algorithm::Blake3, key, bytes: Hash::from_hex(hex)? })
    }

    /// Whether two values are the same: `None` when the keys differ, because such digests say nothing about each other.
    /// Values with replaced parts are the same when they look the same; else another part may have been replaced.
    pub fn agrees_with(&self, other: &Self) -> Option<bool> {
        let same = self.bytes == other.bytes;
        let is_comparable = self.algorithm == other.algorithm && self.key == other.key;
        let is_partial = matches!(self.key, Self::PARTLY_DIGESTED | Self::PARTLY_WITHHELD);
        (is_comparable && (same || !is_partial)).then_some(same)
    }
}
