//! Attributes and values: read in place, on demand, without allocating.
//!
//! Of equal keys the last counts, as in JSON: OTLP forbids them, and nothing else is told.

use std::io::Write;

use super::base64;
use super::read::{MAX_DEPTH, Reader, Repeated, text};
use super::tags::{any_value, key_value, list};

/// The attributes of a resource, scope, span, event, link or log record.
#[derive(Debug, Clone, Copy)]
pub struct Attributes<'a> {
    region: &'a [u8],
    key: u32,
}

impl<'a> Attributes<'a> {
    /// The fields of `region` that have `key`.
    pub(super) fn new(region: &'a [u8], key: u32) -> Self {
        Self { region, key }
    }

    /// Each attribute, in the order of the sender.
    pub fn iter(&self) -> impl Iterator<Item = KeyValue<'a>> + use<'a> {
        Repeated::new(self.region, self.key).map(KeyValue::new)
    }

    /// The value of `key`; `None` when there is no such attribute.
    pub fn get(&self, key: &str) -> Option<AnyValue<'a>> {
        let found = self.iter().filter(|attribute| attribute.key == key.as_bytes()).last()?;
        Some(found.value())
    }

    /// The values of several keys in one pass, in the order of `keys`.
    pub fn pick<const N: usize>(&self, keys: &Keys<N>) -> [Option<AnyValue<'a>>; N] {
        let mut found: [Option<&'a [u8]>; N] = [None; N];
        for attribute in self.iter() {
            if let Some(at) = keys.position(attribute.key) {
                found[at] = Some(attribute.value);
            }
        }
        found.map(|value| value.map(AnyValue::new))
    }

    /// The text of `key`; `None` when it is absent or not a text.
    pub fn text(&self, key: &str) -> Option<&'a str> {
        self.get(key)?.as_str()
    }
}

/// Keys to look for together, sorted by length once, so that an attribute is compared with few of them.
#[derive(Debug, Clone)]
pub struct Keys<const N: usize> {
    keys: [&'static str; N],
    /// For each length the set of keys that have it; the last entry is for all that are longer.
    by_len: [u64; 64],
}

impl<const N: usize> Keys<N> {
    /// At most 64 different keys; more do not compile when this makes a `const` or `static`, as it should.
    pub const fn new(keys: [&'static str; N]) -> Self {
        assert!(N <= 64, "a set of keys is a word");
        let mut by_len = [0; 64];
        let mut at = 0;
        while at < N {
            by_len[bucket(keys[at].len())] |= 1 << at;
            at += 1;
        }
        Self { keys, by_len }
    }

    /// Where `key` stands among the keys.
    #[inline]
    pub fn position(&self, key: &[u8]) -> Option<usize> {
        let mut candidates = self.by_len[bucket(key.len())];
        while candidates != 0 {
            let at = candidates.trailing_zeros() as usize;
            if self.keys[at].as_bytes() == key {
                return Some(at);
            }
            candidates &= candidates - 1;
        }
        None
    }
}

const fn bucket(len: usize) -> usize {
    if len < 63 { len } else { 63 }
}

/// One attribute.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeyValue<'a> {
    key: &'a [u8],
    value: &'a [u8],
}

impl<'a> KeyValue<'a> {
    #[inline]
    fn new(message: &'a [u8]) -> Self {
        let mut read = Self { key: &[], value: &[] };
        let mut reader = Reader::new(message);
        while let Ok(Some(key)) = reader.key() {
            let done = match key {
                key_value::KEY => reader.bytes().map(|bytes| read.key = bytes),
                key_value::VALUE => reader.bytes().map(|bytes| read.value = bytes),
                _ => reader.skip(key, MAX_DEPTH),
            };
            if done.is_err() {
                break;
            }
        }
        read
    }

    /// The key.
    pub fn key(&self) -> &'a str {
        text(self.key)
    }

    /// The key as bytes: cheaper to compare, because it is not looked at again whether they are text.
    pub fn key_bytes(&self) -> &'a [u8] {
        self.key
    }

    /// The value, read when asked for.
    pub fn value(&self) -> AnyValue<'a> {
        AnyValue::new(self.value)
    }
}

/// The value of an attribute, or the body of a log record.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum AnyValue<'a> {
    /// No value: what a sender makes of null. Also an index into a string table, which only profiles have.
    Empty,
    /// A text.
    Str(&'a str),
    /// A truth value.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// A floating-point number.
    Double(f64),
    /// Bytes.
    Bytes(&'a [u8]),
    /// A list of values.
    Array(ArrayView<'a>),
    /// A list of keys with values.
    Map(MapView<'a>),
}

impl<'a> AnyValue<'a> {
    /// Reads the `AnyValue` message. The last of its alternatives counts.
    pub(crate) fn new(message: &'a [u8]) -> Self {
        let mut value = Self::Empty;
        let mut reader = Reader::new(message);
        while let Ok(Some(key)) = reader.key() {
            let next = match key {
                any_value::STRING => reader.bytes().map(|bytes| Self::Str(text(bytes))),
                any_value::BOOL => reader.varint().map(|number| Self::Bool(number != 0)),
                any_value::INT => reader.varint().map(|number| Self::Int(number as i64)),
                any_value::DOUBLE => reader.fixed64().map(|bits| Self::Double(f64::from_bits(bits))),
                any_value::ARRAY => reader.bytes().map(|message| Self::Array(ArrayView { message })),
                any_value::MAP => reader.bytes().map(|message| Self::Map(MapView { message })),
                any_value::BYTES => reader.bytes().map(Self::Bytes),
                any_value::STRINDEX => reader.varint().map(|_| Self::Empty),
                _ => reader.skip(key, MAX_DEPTH).map(|()| value),
            };
            match next {
                Ok(next) => value = next,
                Err(_) => break,
            }
        }
        value
    }

    /// The text; `None` for other kinds.
    pub fn as_str(&self) -> Option<&'a str> {
        match self {
            Self::Str(text) => Some(text),
            _ => None,
        }
    }

    /// The whole number; `None` for other kinds.
    pub fn as_int(&self) -> Option<i64> {
        match self {
            Self::Int(number) => Some(*number),
            _ => None,
        }
    }

    /// The truth value; `None` for other kinds.
    pub fn as_bool(&self) -> Option<bool> {
        match self {
            Self::Bool(truth) => Some(*truth),
            _ => None,
        }
    }

    /// The number, whole or not; `None` for other kinds.
    pub fn as_f64(&self) -> Option<f64> {
        match self {
            Self::Int(number) => Some(*number as f64),
            Self::Double(number) => Some(*number),
            _ => None,
        }
    }

    /// Appends the value as JSON text: maps become objects, numbers stay numbers, `Empty` is `null`, bytes are
    /// base64, and what JSON has no number for is `"NaN"`, `"Infinity"` or `"-Infinity"`. Keys that occur twice are
    /// written twice. Below a nesting that no validated value has, `null` is written.
    pub fn write_json(&self, out: &mut Vec<u8>) {
        self.write_json_within(out, MAX_DEPTH);
    }

    fn write_json_within(&self, out: &mut Vec<u8>, depth: u32) {
        let Some(inside) = depth.checked_sub(1) else {
            out.extend_from_slice(b"null");
            return;
        };
        match self {
            Self::Empty => out.extend_from_slice(b"null"),
            Self::Str(text) => write_json_text(text, out),
            Self::Bool(true) => out.extend_from_slice(b"true"),
            Self::Bool(false) => out.extend_from_slice(b"false"),
            Self::Int(number) => write_display(number, out),
            Self::Double(number) => write_json_double(*number, out),
            Self::Bytes(bytes) => {
                out.push(b'"');
                base64::encode(bytes, out);
                out.push(b'"');
            }
            Self::Array(array) => {
                out.push(b'[');
                for (at, value) in array.iter().enumerate() {
                    if at > 0 {
                        out.push(b',');
                    }
                    value.write_json_within(out, inside);
                }
                out.push(b']');
            }
            Self::Map(map) => {
                out.push(b'{');
                for (at, entry) in map.iter().enumerate() {
                    if at > 0 {
                        out.push(b',');
                    }
                    write_json_text(entry.key(), out);
                    out.push(b':');
                    entry.value().write_json_within(out, inside);
                }
                out.push(b'}');
            }
        }
    }
}

fn write_json_text(text: &str, out: &mut Vec<u8>) {
    serde_json::to_writer(out, text).expect("a text is always JSON, and a vector takes any bytes");
}

fn write_json_double(number: f64, out: &mut Vec<u8>) {
    match number {
        _ if number.is_nan() => out.extend_from_slice(b"\"NaN\""),
        f64::INFINITY => out.extend_from_slice(b"\"Infinity\""),
        f64::NEG_INFINITY => out.extend_from_slice(b"\"-Infinity\""),
        _ => serde_json::to_writer(out, &number).expect("a finite number is always JSON, and a vector takes any bytes"),
    }
}

fn write_display(number: impl std::fmt::Display, out: &mut Vec<u8>) {
    write!(out, "{number}").expect("a vector takes any bytes");
}

/// A list of values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ArrayView<'a> {
    message: &'a [u8],
}

impl<'a> ArrayView<'a> {
    /// Each value, in order.
    pub fn iter(&self) -> impl Iterator<Item = AnyValue<'a>> + use<'a> {
        Repeated::new(self.message, list::VALUE).map(AnyValue::new)
    }
}

/// A list of keys with values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MapView<'a> {
    message: &'a [u8],
}

impl<'a> MapView<'a> {
    /// Each entry, in the order of the sender.
    pub fn iter(&self) -> impl Iterator<Item = KeyValue<'a>> + use<'a> {
        self.entries().iter()
    }

    /// The value of `key`; `None` when there is no such entry.
    pub fn get(&self, key: &str) -> Option<AnyValue<'a>> {
        self.entries().get(key)
    }

    /// The entries, to pick several of them in one pass.
    pub fn entries(&self) -> Attributes<'a> {
        Attributes::new(self.message, list::VALUE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_found_at_any_length() {
        const LONG: &str = "a.key.that.is.longer.than.sixty.three.bytes.and.therefore.in.the.last.bucket";
        static KEYS: Keys<5> = Keys::new(["b", "a", "gen_ai.tool.name", LONG, ""]);
        for (at, key) in ["b", "a", "gen_ai.tool.name", LONG, ""].into_iter().enumerate() {
            assert_eq!(KEYS.position(key.as_bytes()), Some(at), "`{key}`");
        }
        for key in ["c", "ab", "gen_ai.tool.nama", &LONG[1..]] {
            assert_eq!(KEYS.position(key.as_bytes()), None, "`{key}`");
        }
    }

    #[test]
    fn of_equal_keys_the_last_is_got_and_picked() {
        // Two attributes `k`: 1, then 2.
        let message = [0x0a, 7, 0x0a, 1, b'k', 0x12, 2, 0x18, 1, 0x0a, 7, 0x0a, 1, b'k', 0x12, 2, 0x18, 2];
        let attributes = Attributes::new(&message, list::VALUE);
        static KEYS: Keys<2> = Keys::new(["other", "k"]);
        assert_eq!(attributes.iter().count(), 2);
        assert_eq!(attributes.get("k"), Some(AnyValue::Int(2)));
        assert_eq!(attributes.pick(&KEYS), [None, Some(AnyValue::Int(2))]);
    }
}
