//! Protobuf in, protobuf out: only the messages on the way to a replaced value are written again.
//!
//! Each function answers `None` when nothing in its message changes, so that unchanged messages cost a scan and no
//! copy.

use crate::model::Signal;
use crate::values;
use crate::wire::AnyValue;
use crate::wire::read::{MAX_DEPTH, Reader};
use crate::wire::tags::{
    any_value, by_resource, by_scope, event, key_value, link, list, log, request, resource, scope, span,
};
use crate::wire::write;

use super::{Class, Policy};

/// The key of a log record's body.
const BODY: &str = "body";

/// What the fields of a message are. Other fields are copied.
enum Field {
    /// A message with fields of its own.
    Message(&'static [(u32, Field)]),
    /// An attribute.
    Attribute,
    /// The body of a log record.
    Body,
}

static SPAN: &[(u32, Field)] = &[
    (span::ATTRIBUTE, Field::Attribute),
    (span::EVENT, Field::Message(&[(event::ATTRIBUTE, Field::Attribute)])),
    (span::LINK, Field::Message(&[(link::ATTRIBUTE, Field::Attribute)])),
];
static LOG: &[(u32, Field)] = &[(log::BODY, Field::Body), (log::ATTRIBUTE, Field::Attribute)];
static RESOURCE: Field = Field::Message(&[(resource::ATTRIBUTE, Field::Attribute)]);
static SCOPE: Field = Field::Message(&[(scope::ATTRIBUTE, Field::Attribute)]);

/// The request with its values replaced; `None` when none is.
pub fn request(policy: &Policy, signal: Signal, body: &[u8]) -> Option<Vec<u8>> {
    let fields = if signal == Signal::Logs { LOG } else { SPAN };
    message(body, |key, by_resource| {
        let of_resource = |key, inner: &[u8]| match key {
            by_resource::RESOURCE => field(policy, &RESOURCE, inner),
            by_resource::SCOPE => message(inner, |key, inner| match key {
                by_scope::SCOPE => field(policy, &SCOPE, inner),
                by_scope::RECORD => known(policy, fields, inner),
                _ => None,
            }),
            _ => None,
        };
        if key == request::RESOURCE { message(by_resource, of_resource) } else { None }
    })
}

fn field(policy: &Policy, field: &'static Field, payload: &[u8]) -> Option<Vec<u8>> {
    match field {
        Field::Message(fields) => known(policy, fields, payload),
        Field::Attribute => attribute(policy, "", payload, MAX_DEPTH),
        Field::Body => value(policy, BODY, payload, MAX_DEPTH),
    }
}

fn known(policy: &Policy, fields: &'static [(u32, Field)], payload: &[u8]) -> Option<Vec<u8>> {
    message(payload, |key, inner| {
        let (_, known) = fields.iter().find(|(known, _)| *known == key)?;
        field(policy, known, inner)
    })
}

/// A message with those of its length-delimited fields replaced for which `change` has another payload.
fn message(message: &[u8], mut change: impl FnMut(u32, &[u8]) -> Option<Vec<u8>>) -> Option<Vec<u8>> {
    let mut out: Option<Vec<u8>> = None;
    let mut reader = Reader::new(message);
    loop {
        let start = message.len() - reader.left();
        let (key, payload) = match next(&mut reader) {
            Ok(Some(field)) => field,
            Ok(None) => return out,
            Err(()) => return Some(out.unwrap_or_else(|| message[..start].to_vec())),
        };
        let whole = &message[start..message.len() - reader.left()];
        match (payload.and_then(|payload| change(key, payload)), &mut out) {
            (Some(changed), out) => {
                let out = out.get_or_insert_with(|| message[..start].to_vec());
                write::bytes(key, &changed, out);
            }
            (None, Some(out)) => out.extend_from_slice(whole),
            (None, None) => {}
        }
    }
}

/// A field: its key, and its payload when it is length-delimited.
type Next<'a> = (u32, Option<&'a [u8]>);

/// The next field; `None` at the end.
fn next<'a>(reader: &mut Reader<'a>) -> Result<Option<Next<'a>>, ()> {
    let Some(key) = reader.key().map_err(drop)? else { return Ok(None) };
    if key & 7 == 2 {
        return Ok(Some((key, Some(reader.bytes().map_err(drop)?))));
    }
    reader.skip(key, MAX_DEPTH).map_err(drop)?;
    Ok(Some((key, None)))
}

/// A `KeyValue`. `path` leads to the map that it stands in, with a dot at its end; empty outside of maps.
fn attribute(policy: &Policy, path: &str, payload: &[u8], depth: u32) -> Option<Vec<u8>> {
    let name = name_of(payload);
    let path = format!("{path}{name}");
    message(payload, |key, inner| if key == key_value::VALUE { value(policy, &path, inner, depth) } else { None })
}

/// The key of a `KeyValue`; of several the last.
fn name_of(payload: &[u8]) -> &str {
    let mut reader = Reader::new(payload);
    let mut name: &[u8] = &[];
    while let Ok(Some((key, inner))) = next(&mut reader) {
        if key == key_value::KEY {
            name = inner.unwrap_or_default();
        }
    }
    std::str::from_utf8(name).unwrap_or_default()
}

/// An `AnyValue` at a path: replaced, or its entries looked at.
fn value(policy: &Policy, path: &str, payload: &[u8], depth: u32) -> Option<Vec<u8>> {
    let inside = depth.checked_sub(1)?;
    match policy.class(path) {
        Class::Keep => message(payload, |key, inner| match key {
            any_value::ARRAY => entries(inner, |entry| value(policy, path, entry, inside)),
            any_value::MAP => entries(inner, |entry| attribute(policy, &format!("{path}."), entry, inside)),
            _ => None,
        }),
        Class::Digest => replaced(payload, digest),
        Class::Drop => replaced(payload, |_| values::DROPPED.to_owned()),
    }
}

fn entries(payload: &[u8], mut change: impl FnMut(&[u8]) -> Option<Vec<u8>>) -> Option<Vec<u8>> {
    message(payload, |key, inner| if key == list::VALUE { change(inner) } else { None })
}

/// A value becomes a text, with every alternative that its bytes hold. A value without bytes says nothing that could
/// be kept back.
fn replaced(payload: &[u8], text: impl FnOnce(AnyValue<'_>) -> String) -> Option<Vec<u8>> {
    if payload.is_empty() {
        return None;
    }
    let mut out = Vec::new();
    write::bytes(any_value::STRING, text(AnyValue::new(payload)).as_bytes(), &mut out);
    (out != payload).then_some(out)
}

fn digest(value: AnyValue<'_>) -> String {
    match value {
        AnyValue::Str(text) => values::digest_json(text).to_string(),
        other => {
            let mut json = Vec::new();
            other.write_json(&mut json);
            values::digest_json(&String::from_utf8_lossy(&json)).to_string()
        }
    }
}
