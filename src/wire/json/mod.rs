//! OTLP/JSON to OTLP protobuf, so that there is one form behind the door.
//!
//! OTLP/JSON is the JSON mapping of proto3 with three differences: ids are hex and not base64, enums are numbers
//! only, and keys are in lowerCamelCase only
//! (<https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding>). What the mapping allows, senders use, and
//! all of it is read: `null` for unset, numbers as text, integral floats, `"NaN"` and `"Infinity"`, base64 in four
//! alphabets, unknown keys, unknown enum numbers. Of a key that occurs twice the last counts.
//!
//! One bad record costs only itself here too. A value that does not fit its field rejects the span, log record or
//! data point it is in; outside of records, and where the text is not JSON, the whole request is refused. A lone
//! surrogate escape, which JavaScript writes when it cuts a text in the middle of a character, becomes U+FFFD.
//!
//! The bytes are those that prost would write for the same message: fields in the order of their tags, defaults
//! left out.

mod reader;
mod scalar;
mod schema;
mod transcode;

use crate::model::Signal;

use super::check::{Validated, validate_after};
use super::rejected::{Reason, Rejected};

/// A request that became protobuf.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Transcoded {
    /// An `Export*ServiceRequest`, not yet judged: its records may have bad ids or times.
    pub body: Vec<u8>,
    /// The records that are not in `body`, because a value does not fit its field.
    pub rejected: Rejected,
    /// Their indexes in the request, ascending.
    dropped: Vec<u32>,
}

/// Reads OTLP/JSON and judges it: [`to_protobuf`], then [`super::validate`]. Records are named by their index in
/// the request as it was sent.
///
/// # Errors
///
/// [`JsonError`] when nothing of the request can be kept.
pub fn receive(signal: Signal, json: &[u8]) -> Result<Validated, JsonError> {
    let Transcoded { body, mut rejected, dropped } = to_protobuf(signal, json)?;
    let mut validated = validate_after(signal, &body.into(), &dropped).map_err(|malformed| JsonError {
        offset: 0,
        line: 1,
        column: 1,
        message: malformed.to_string(),
    })?;
    rejected.absorb(validated.rejected);
    validated.rejected = rejected;
    Ok(validated)
}

/// Writes an OTLP/JSON `Export*ServiceRequest` as protobuf.
///
/// # Errors
///
/// [`JsonError`] when the text is not JSON, not an object, or has a value outside of its records that does not fit
/// its field.
pub fn to_protobuf(signal: Signal, json: &[u8]) -> Result<Transcoded, JsonError> {
    transcode::request(signal, json).map_err(|fault| fault.in_text(json))
}

/// A request that is not OTLP/JSON: nothing of it is kept. The sender must not try again.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("cannot read the OTLP/JSON request at line {line}, column {column}: {message}")]
pub struct JsonError {
    /// Bytes before the place.
    pub offset: usize,
    /// From 1.
    pub line: usize,
    /// In bytes, from 1.
    pub column: usize,
    /// What was expected there. Holds nothing of the text.
    pub message: String,
}

/// What is wrong at a place of the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Fault {
    offset: usize,
    kind: FaultKind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum FaultKind {
    /// It is not JSON. Nothing after it can be read.
    Syntax { expected: &'static str },
    /// It is JSON, but does not fit the field.
    Value { reason: Reason, field: &'static str, expected: &'static str },
}

impl Fault {
    fn in_text(self, json: &[u8]) -> JsonError {
        let before = &json[..self.offset.min(json.len())];
        let line_start = before.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        JsonError {
            offset: before.len(),
            line: 1 + before.iter().filter(|byte| **byte == b'\n').count(),
            column: 1 + before.len() - line_start,
            message: match self.kind {
                FaultKind::Syntax { expected } => format!("expected {expected}"),
                FaultKind::Value { field, expected, .. } => format!("`{field}`: expected {expected}"),
            },
        }
    }
}
