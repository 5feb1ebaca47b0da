//! Walks the JSON by the tables of [`super::schema`] and writes protobuf as it goes.

use std::ops::Range;

use crate::model::Signal;
use crate::wire::check::noun;
use crate::wire::read::{MAX_DEPTH, deeper};
use crate::wire::rejected::{Reason, Rejected};
use crate::wire::write;

use super::reader::{Reader, Token};
use super::schema::{self, Field, Kind, Message, Presence};
use super::{Fault, FaultKind, JsonError, Transcoded, scalar};

/// A request, whole.
pub fn request(signal: Signal, json: &[u8]) -> Result<Transcoded, Fault> {
    let mut pass = Pass {
        json,
        reader: Reader::new(json),
        out: Vec::with_capacity(json.len()),
        noun: noun(signal),
        next: 0,
        rejected: Rejected::default(),
        dropped: Vec::new(),
    };
    pass.message("request", schema::request(signal), MAX_DEPTH)?;
    pass.reader.end()?;
    Ok(Transcoded { body: pass.out, rejected: pass.rejected, dropped: pass.dropped })
}

struct Pass<'j> {
    json: &'j [u8],
    reader: Reader<'j>,
    out: Vec<u8>,
    noun: &'static str,
    /// Index of the next record.
    next: u32,
    rejected: Rejected,
    dropped: Vec<u32>,
}

impl Pass<'_> {
    /// Appends the object at the cursor as a message, without key and length. `depth` is what is left of the
    /// validator's limit.
    fn message(&mut self, field: &'static str, message: &'static Message, depth: u32) -> Result<(), Fault> {
        if self.reader.peek()? != Token::Object {
            return Err(self.fault(field, Reason::JsonValue, "an object"));
        }
        self.reader.open();
        let mut slots = Slots::new(self.out.len());
        let mut first = true;
        while let Some(key) = self.reader.key(std::mem::take(&mut first))? {
            let Some(slot) = message.fields.iter().position(|field| field.name.as_bytes() == &*key) else {
                self.reader.skip()?;
                continue;
            };
            let start = self.out.len();
            let given = self.field(&message.fields[slot], depth)?;
            slots.fill(message, slot, start..self.out.len(), given);
        }
        slots.arrange(&mut self.out);
        Ok(())
    }

    /// Appends a field; says whether there was a value other than `null`.
    fn field(&mut self, field: &'static Field, depth: u32) -> Result<bool, Fault> {
        match (self.reader.peek()?, field.presence) {
            (Token::Null, _) => {
                self.reader.null()?;
                return Ok(false);
            }
            (Token::Array, Presence::Repeated) => self.list(field, depth)?,
            (_, Presence::Repeated) => return Err(self.fault(field.name, Reason::JsonValue, "a list")),
            _ => self.single(field, depth)?,
        }
        Ok(true)
    }

    fn single(&mut self, field: &'static Field, depth: u32) -> Result<(), Fault> {
        let field_start = self.out.len();
        let start = self.key(field);
        if let Kind::Message(message) = field.kind {
            let depth = deeper(depth).map_err(|reason| self.fault(field.name, reason, "fewer levels"))?;
            self.message(field.name, message, depth)?;
        } else if scalar::write(&mut self.reader, field.name, field.kind, &mut self.out)?
            && field.presence == Presence::Plain
        {
            self.out.truncate(field_start);
            return Ok(());
        }
        if field.kind.wire_type() == 2 {
            insert_length(&mut self.out, start);
        }
        Ok(())
    }

    fn list(&mut self, field: &'static Field, depth: u32) -> Result<(), Fault> {
        self.reader.open();
        let start = self.out.len();
        let mut first = true;
        while self.reader.element(std::mem::take(&mut first))? {
            match field.kind {
                Kind::Message(message) if message.record => self.record(field)?,
                Kind::Message(_) if self.reader.peek()? == Token::Null => {
                    self.reader.null()?;
                    let start = self.key(field);
                    insert_length(&mut self.out, start);
                }
                Kind::Message(_) => self.single(field, depth)?,
                kind if kind.wire_type() == 2 => {
                    let start = self.key(field);
                    scalar::write(&mut self.reader, field.name, kind, &mut self.out)?;
                    insert_length(&mut self.out, start);
                }
                kind => drop(scalar::write(&mut self.reader, field.name, kind, &mut self.out)?),
            }
        }
        // Numbers in a list are packed: one key and one length for all of them.
        if field.kind.wire_type() != 2 && self.out.len() > start {
            insert_length(&mut self.out, start);
            insert_varint(&mut self.out, start, u64::from(field.tag << 3 | 2));
        }
        Ok(())
    }

    /// Appends a record. If a value in it does not fit, it is left out and reading goes on behind it.
    fn record(&mut self, field: &'static Field) -> Result<(), Fault> {
        let (out_start, json_start) = (self.out.len(), self.reader.offset());
        let index = self.next;
        self.next += 1;
        // Like the validator, which judges a record alone, the depth starts anew in it.
        let Err(fault) = self.single(field, MAX_DEPTH + 1) else {
            return Ok(());
        };
        let FaultKind::Value { reason, .. } = fault.kind else {
            return Err(fault);
        };
        self.out.truncate(out_start);
        self.reader.rewind(json_start);
        self.reader.skip()?;
        self.rejected.add(reason, || {
            let JsonError { line, column, message, .. } = fault.in_text(self.json);
            format!("{} {index}: {message} at line {line}, column {column}", self.noun)
        });
        self.dropped.push(index);
        Ok(())
    }

    /// Appends the key of a field; returns where its payload starts.
    fn key(&mut self, field: &Field) -> usize {
        write::varint(u64::from(field.tag << 3 | field.kind.wire_type()), &mut self.out);
        self.out.len()
    }

    fn fault(&self, field: &'static str, reason: Reason, expected: &'static str) -> Fault {
        Fault { offset: self.reader.offset(), kind: FaultKind::Value { reason, field, expected } }
    }
}

/// Writes the length of what stands behind `start` before it.
fn insert_length(out: &mut Vec<u8>, start: usize) {
    insert_varint(out, start, (out.len() - start) as u64);
}

fn insert_varint(out: &mut Vec<u8>, at: usize, value: u64) {
    let mut varint = Vec::with_capacity(10);
    write::varint(value, &mut varint);
    out.splice(at..at, varint);
}

/// Where each field of a message was written. Keys come in any order, and of equal ones the last counts; protobuf
/// is written in the order of the table.
struct Slots {
    start: usize,
    filled: [Range<usize>; 16],
}

impl Slots {
    fn new(start: usize) -> Self {
        Self { start, filled: std::array::from_fn(|_| start..start) }
    }

    /// `bytes` are the field; none of them when it is unset or has its default. `given`: it was not `null`.
    fn fill(&mut self, message: &Message, slot: usize, bytes: Range<usize>, given: bool) {
        if given && message.fields[slot].presence == Presence::Alternative {
            for (field, filled) in message.fields.iter().zip(&mut self.filled) {
                if field.presence == Presence::Alternative {
                    *filled = self.start..self.start;
                }
            }
        }
        self.filled[slot] = bytes;
    }

    /// Puts the fields into the order of the slots, without what was superseded. Mostly they are in order already.
    fn arrange(&self, out: &mut Vec<u8>) {
        let filled = || self.filled.iter().filter(|range| !range.is_empty());
        let mut end = self.start;
        if filled().all(|range| range.start == std::mem::replace(&mut end, range.end)) && end == out.len() {
            return;
        }
        let arranged = filled().map(|range| &out[range.clone()]).collect::<Vec<_>>().concat();
        out.truncate(self.start);
        out.extend_from_slice(&arranged);
    }
}
