//! Reads protobuf fields from a slice, by the rules of prost 0.14: what it accepts is accepted, what it rejects is
//! rejected. The reader only shrinks its slice, so nothing can run past it.

use super::rejected::Reason;

/// Messages inside each other that prost reads: its `RECURSION_LIMIT`.
pub const MAX_DEPTH: u32 = 100;

/// A cursor over the fields of one message.
#[derive(Debug, Clone, Copy)]
pub struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    /// At the first field of `message`.
    #[inline]
    pub fn new(message: &'a [u8]) -> Self {
        Self { rest: message }
    }

    /// Bytes not read yet.
    #[inline]
    pub fn left(&self) -> usize {
        self.rest.len()
    }

    /// The key of the next field, tag and wire type in one number as in [`super::tags`]; `None` at the end.
    #[inline]
    pub fn key(&mut self) -> Result<Option<u32>, Reason> {
        if self.rest.is_empty() {
            return Ok(None);
        }
        let key = u32::try_from(self.varint()?).map_err(|_| Reason::Unreadable)?;
        if key < 8 || key & 7 > 5 {
            return Err(Reason::Unreadable);
        }
        Ok(Some(key))
    }

    /// A number of at most ten bytes; the tenth may only be 0 or 1.
    #[inline]
    pub fn varint(&mut self) -> Result<u64, Reason> {
        match self.rest {
            [byte, rest @ ..] if *byte < 0x80 => {
                self.rest = rest;
                Ok(u64::from(*byte))
            }
            [first, second, rest @ ..] if *second < 0x80 => {
                self.rest = rest;
                Ok(u64::from(*first & 0x7f) | u64::from(*second) << 7)
            }
            _ => self.long_varint(),
        }
    }

    fn long_varint(&mut self) -> Result<u64, Reason> {
        let mut value = 0;
        for (at, byte) in self.rest.iter().take(10).enumerate() {
            value |= u64::from(byte & 0x7f) << (7 * at);
            if *byte < 0x80 {
                if at == 9 && *byte > 1 {
                    return Err(Reason::Unreadable);
                }
                self.rest = &self.rest[at + 1..];
                return Ok(value);
            }
        }
        Err(Reason::Unreadable)
    }

    /// The payload of a length-delimited field.
    #[inline]
    pub fn bytes(&mut self) -> Result<&'a [u8], Reason> {
        let len = usize::try_from(self.varint()?).map_err(|_| Reason::Unreadable)?;
        let (bytes, rest) = self.rest.split_at_checked(len).ok_or(Reason::Unreadable)?;
        self.rest = rest;
        Ok(bytes)
    }

    /// Eight bytes, little-endian.
    #[inline]
    pub fn fixed64(&mut self) -> Result<u64, Reason> {
        let (bytes, rest) = self.rest.split_first_chunk().ok_or(Reason::Unreadable)?;
        self.rest = rest;
        Ok(u64::from_le_bytes(*bytes))
    }

    /// Four bytes, little-endian.
    #[inline]
    pub fn fixed32(&mut self) -> Result<u32, Reason> {
        let (bytes, rest) = self.rest.split_first_chunk().ok_or(Reason::Unreadable)?;
        self.rest = rest;
        Ok(u32::from_le_bytes(*bytes))
    }

    /// Passes over a field that is not one of the message's own, or refuses a known tag with a wrong wire type.
    /// `depth` is what is left of [`MAX_DEPTH`] for the fields of this message.
    pub fn other(&mut self, key: u32, known: u32, depth: u32) -> Result<(), Reason> {
        let tag = key >> 3;
        if tag < 32 && known >> tag & 1 == 1 {
            return Err(Reason::WireType);
        }
        self.skip(key, depth)
    }

    /// Passes over the value of a field. Like prost, refuses at the depth limit even a number.
    pub fn skip(&mut self, key: u32, depth: u32) -> Result<(), Reason> {
        let inside = deeper(depth)?;
        match key & 7 {
            0 => self.varint().map(drop),
            1 => self.fixed64().map(drop),
            2 => self.bytes().map(drop),
            3 => self.skip_group(key, inside),
            5 => self.fixed32().map(drop),
            _ => Err(Reason::Unreadable),
        }
    }

    fn skip_group(&mut self, start: u32, depth: u32) -> Result<(), Reason> {
        let end = start + 1;
        loop {
            match self.key()? {
                Some(key) if key == end => return Ok(()),
                Some(key) => self.skip(key, depth)?,
                None => return Err(Reason::Unreadable),
            }
        }
    }
}

/// What is left of the depth inside an embedded message.
#[inline]
pub fn deeper(depth: u32) -> Result<u32, Reason> {
    depth.checked_sub(1).ok_or(Reason::TooDeep)
}

/// The payloads of one repeated field of a message, in order. Ends at the first byte that is not protobuf.
#[derive(Debug, Clone, Copy)]
pub struct Repeated<'a> {
    reader: Reader<'a>,
    key: u32,
}

impl<'a> Repeated<'a> {
    /// The fields of `message` that have `key`.
    pub fn new(message: &'a [u8], key: u32) -> Self {
        Self { reader: Reader::new(message), key }
    }
}

impl<'a> Iterator for Repeated<'a> {
    type Item = &'a [u8];

    #[inline]
    fn next(&mut self) -> Option<&'a [u8]> {
        loop {
            match self.reader.key().ok()?? {
                key if key == self.key => return self.reader.bytes().ok(),
                key => self.reader.skip(key, MAX_DEPTH).ok()?,
            }
        }
    }
}

/// Where the fields of one repeated field stand in a message, so that reading them later passes over less.
#[derive(Debug, Clone, Copy, Default)]
pub struct Region {
    start: usize,
    end: usize,
}

impl Region {
    /// Widens the region to hold the bytes from `start` to `end`.
    #[inline]
    pub fn widen(&mut self, start: usize, end: usize) {
        if self.end == 0 {
            self.start = start;
        }
        self.end = end;
    }

    /// The region of `message`.
    #[inline]
    pub fn of(self, message: &[u8]) -> &[u8] {
        message.get(self.start..self.end).unwrap_or_default()
    }
}

/// A text whose bytes were validated; of others, nothing.
#[inline]
pub fn text(bytes: &[u8]) -> &str {
    // The vector code pays only from a length on; most names and ids are shorter.
    if bytes.len() < 64 {
        std::str::from_utf8(bytes).unwrap_or_default()
    } else {
        simdutf8::basic::from_utf8(bytes).unwrap_or_default()
    }
}
