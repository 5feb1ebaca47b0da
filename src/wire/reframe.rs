//! The rare second pass: a request is written again without its rejected records, and with embedded messages that
//! came in pieces joined.
//!
//! Joining is what the protocol says about a single message field that occurs twice: the pieces merge, which for
//! protobuf is the same as writing their bytes one after the other.

use crate::model::Signal;

use super::read::{MAX_DEPTH, Reader};
use super::rejected::Reason;
use super::tags::{
    any_value, by_resource, by_scope, event, key_value, link, list, log, request, resource, scope, span,
};
use super::write;

/// What happens to one record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Edit {
    /// It is left out.
    Drop,
    /// Its pieces are joined.
    Join,
}

/// Where messages stand inside a message, by field key.
struct Shape {
    /// Fields of which only one is meant.
    single: &'static [(u32, &'static Shape)],
    /// Repeated fields.
    repeated: &'static [(u32, &'static Shape)],
}

static ANY_VALUE: Shape = Shape { single: &[(any_value::ARRAY, &ARRAY), (any_value::MAP, &MAP)], repeated: &[] };
static ARRAY: Shape = Shape { single: &[], repeated: &[(list::VALUE, &ANY_VALUE)] };
static MAP: Shape = Shape { single: &[], repeated: &[(list::VALUE, &KEY_VALUE)] };
static KEY_VALUE: Shape = Shape { single: &[(key_value::VALUE, &ANY_VALUE)], repeated: &[] };
static RESOURCE: Shape = Shape { single: &[], repeated: &[(resource::ATTRIBUTE, &KEY_VALUE)] };
static SCOPE: Shape = Shape { single: &[], repeated: &[(scope::ATTRIBUTE, &KEY_VALUE)] };
static STATUS: Shape = Shape { single: &[], repeated: &[] };
static EVENT: Shape = Shape { single: &[], repeated: &[(event::ATTRIBUTE, &KEY_VALUE)] };
static LINK: Shape = Shape { single: &[], repeated: &[(link::ATTRIBUTE, &KEY_VALUE)] };
static SPAN: Shape = Shape {
    single: &[(span::STATUS, &STATUS)],
    repeated: &[(span::ATTRIBUTE, &KEY_VALUE), (span::EVENT, &EVENT), (span::LINK, &LINK)],
};
static LOG: Shape = Shape { single: &[(log::BODY, &ANY_VALUE)], repeated: &[(log::ATTRIBUTE, &KEY_VALUE)] };

/// Writes `body` again with `edits`, which name records by index, ascending. `body` was walked without an error, so
/// it reads to its end.
pub fn reframe(signal: Signal, body: &[u8], edits: &[(u32, Edit)]) -> Vec<u8> {
    let record = if signal == Signal::Logs { &LOG } else { &SPAN };
    let mut pass = Pass { record, next: 0, edits };
    let mut out = Vec::with_capacity(body.len());
    for field in fields(body) {
        match field.key {
            request::RESOURCE => write::bytes(field.key, &pass.by_resource(field.payload), &mut out),
            _ => out.extend_from_slice(field.whole),
        }
    }
    out
}

struct Pass<'e> {
    record: &'static Shape,
    next: u32,
    edits: &'e [(u32, Edit)],
}

impl Pass<'_> {
    fn by_resource(&mut self, message: &[u8]) -> Vec<u8> {
        let mut out = Vec::with_capacity(message.len());
        let mut seen = Seen::default();
        for field in fields(message) {
            match field.key {
                key @ by_resource::RESOURCE if seen.first(key) => {
                    write::bytes(key, &single(message, key, &RESOURCE), &mut out);
                }
                by_resource::RESOURCE => {}
                by_resource::SCOPE => write::bytes(field.key, &self.by_scope(field.payload), &mut out),
                _ => out.extend_from_slice(field.whole),
            }
        }
        out
    }

    fn by_scope(&mut self, message: &[u8]) -> Vec<u8> {
        let mut out = Vec::with_capacity(message.len());
        let mut seen = Seen::default();
        for field in fields(message) {
            match field.key {
                key @ by_scope::SCOPE if seen.first(key) => {
                    write::bytes(key, &single(message, key, &SCOPE), &mut out);
                }
                by_scope::SCOPE => {}
                by_scope::RECORD => self.record(field, &mut out),
                _ => out.extend_from_slice(field.whole),
            }
        }
        out
    }

    fn record(&mut self, field: Field<'_>, out: &mut Vec<u8>) {
        let edit = match self.edits {
            [(index, edit), rest @ ..] if *index == self.next => {
                self.edits = rest;
                Some(*edit)
            }
            _ => None,
        };
        self.next += 1;
        match edit {
            None => out.extend_from_slice(field.whole),
            Some(Edit::Join) => write::bytes(field.key, &joined(field.payload, self.record), out),
            Some(Edit::Drop) => {}
        }
    }
}

/// The message with every single message field in one piece, which stands where the first piece stood: a message that
/// was whole stays what it was.
fn joined(message: &[u8], shape: &Shape) -> Vec<u8> {
    if std::ptr::eq(shape, &ANY_VALUE) {
        return joined_value(message);
    }
    let mut out = Vec::with_capacity(message.len());
    let mut seen = Seen::default();
    for field in fields(message) {
        if let Some(inner) = find(shape.single, field.key) {
            if seen.first(field.key) {
                write::bytes(field.key, &single(message, field.key, inner), &mut out);
            }
        } else if let Some(inner) = find(shape.repeated, field.key) {
            write::bytes(field.key, &joined(field.payload, inner), &mut out);
        } else {
            out.extend_from_slice(field.whole);
        }
    }
    out
}

fn find(shapes: &[(u32, &'static Shape)], key: u32) -> Option<&'static Shape> {
    shapes.iter().find(|(known, _)| *known == key).map(|(_, shape)| *shape)
}

/// The one message that the fields of `message` with `key` make together.
fn single(message: &[u8], key: u32, shape: &Shape) -> Vec<u8> {
    let pieces: Vec<&[u8]> = fields(message).filter(|field| field.key == key).map(|field| field.payload).collect();
    joined(&pieces.concat(), shape)
}

/// Which of a message's single fields were met.
#[derive(Default)]
struct Seen(u32);

impl Seen {
    fn first(&mut self, key: u32) -> bool {
        let bit = 1 << (key >> 3);
        let first = self.0 & bit == 0;
        self.0 |= bit;
        first
    }
}

/// An `AnyValue` reduced to the alternative that counts: the last, and with it the lists of the same kind that stand
/// before it with no other alternative between. Fields of no alternative are kept.
fn joined_value(message: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(message.len());
    let mut value: Option<(u32, Vec<u8>)> = None;
    for field in fields(message) {
        match (field.key, &mut value) {
            (any_value::ARRAY | any_value::MAP, Some((key, pieces))) if *key == field.key => {
                pieces.extend_from_slice(field.payload);
            }
            (any_value::ARRAY | any_value::MAP, value) => *value = Some((field.key, field.payload.to_vec())),
            (key, value) if any_value::KNOWN >> (key >> 3).min(31) & 1 == 1 => {
                *value = Some((key, field.whole.to_vec()));
            }
            _ => out.extend_from_slice(field.whole),
        }
    }
    match value {
        Some((key @ any_value::ARRAY, pieces)) => write::bytes(key, &joined(&pieces, &ARRAY), &mut out),
        Some((key @ any_value::MAP, pieces)) => write::bytes(key, &joined(&pieces, &MAP), &mut out),
        Some((_, whole)) => out.extend_from_slice(&whole),
        None => {}
    }
    out
}

/// One field: its key, the payload when it is length-delimited, and all its bytes.
#[derive(Debug, Clone, Copy)]
struct Field<'a> {
    key: u32,
    payload: &'a [u8],
    whole: &'a [u8],
}

fn fields(message: &[u8]) -> impl Iterator<Item = Field<'_>> {
    let mut reader = Reader::new(message);
    std::iter::from_fn(move || {
        let start = message.len() - reader.left();
        let key = reader.key().ok()??;
        let payload = payload(&mut reader, key).ok()?;
        let whole = message.get(start..message.len() - reader.left())?;
        Some(Field { key, payload, whole })
    })
}

fn payload<'a>(reader: &mut Reader<'a>, key: u32) -> Result<&'a [u8], Reason> {
    if key & 7 == 2 {
        return reader.bytes();
    }
    reader.skip(key, MAX_DEPTH)?;
    Ok(&[])
}
