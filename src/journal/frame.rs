//! The bytes of a frame in a segment.
//!
//! ```text
//!      0  marker      8 bytes, the segment's own
//!      8  header_len  u32
//!     12  body_len    u32, as stored
//!     16  crc32c of the 16 bytes before, u32
//!     20  header      header_len bytes, a FrameHeader message
//!      …  body        body_len bytes
//!      …  crc32c of everything before, u32
//! ```
//!
//! The marker is random per segment, so that neither a body that quotes a frame nor the remains of a deleted file
//! are ever taken for a frame. The prefix has a checksum of its own, so that a damaged length is not believed.

use std::io::IoSlice;

use bytes::{Bytes, BytesMut};
use prost::Message;

use crate::model::Hash;
use crate::proto::records::{Compression, FrameFacts, FrameHeader};

use super::chain::{SALT_LEN, body_hash, commitment};
use super::entry::Frame;
use super::error::Fault;

/// Opens every frame of one segment.
pub(super) type Marker = [u8; 8];

/// Bytes before the header.
pub(super) const PREFIX_LEN: usize = 20;
/// Bytes after the body.
const TRAILER_LEN: usize = 4;
/// A header holds some names and hashes; anything longer is not one.
pub(super) const MAX_HEADER_LEN: usize = 1 << 20;
/// The largest body of a frame. Requests are bounded far below.
pub const MAX_BODY_LEN: usize = 256 << 20;
/// Bodies are recompressed in the background, where the cheapest level already gives most of what there is to gain.
const ZSTD_LEVEL: i32 = 3;

/// A frame ready to be written: what comes before the body, the body, what comes after it.
#[derive(Debug)]
pub(super) struct Encoded {
    lead: Vec<u8>,
    body: Bytes,
    trailer: [u8; TRAILER_LEN],
}

impl Encoded {
    /// Lays out a frame whose body has this checksum already.
    pub fn new(marker: &Marker, header: &FrameHeader, body: Bytes, body_crc: u32) -> Self {
        let header_len = header.encoded_len();
        let mut lead = Vec::with_capacity(PREFIX_LEN + header_len);
        lead.extend_from_slice(marker);
        // Both lengths are bounded when an entry is queued.
        lead.extend_from_slice(&(header_len as u32).to_le_bytes());
        lead.extend_from_slice(&(body.len() as u32).to_le_bytes());
        lead.extend_from_slice(&crc32c::crc32c(&lead).to_le_bytes());
        lead.extend_from_slice(&header.encode_to_vec());
        let crc = crc32c::crc32c_combine(crc32c::crc32c(&lead), body_crc, body.len());
        Self { lead, body, trailer: crc.to_le_bytes() }
    }

    /// Bytes in the file.
    pub fn len(&self) -> u64 {
        (self.lead.len() + self.body.len() + TRAILER_LEN) as u64
    }

    /// The bytes, in order.
    pub fn slices(&self) -> [IoSlice<'_>; 3] {
        [IoSlice::new(&self.lead), IoSlice::new(&self.body), IoSlice::new(&self.trailer)]
    }
}

/// The first bytes of a frame, believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Prefix {
    header_len: usize,
    body_len: usize,
}

impl Prefix {
    /// Reads a prefix; `Fault::Prefix` when no frame of this segment begins here.
    pub fn decode(marker: &Marker, bytes: &[u8; PREFIX_LEN]) -> Result<Self, Fault> {
        let (sealed, crc) = bytes.split_at(16);
        if sealed[..8] != marker[..] || crc32c::crc32c(sealed) != u32_at(crc, 0) {
            return Err(Fault::Prefix);
        }
        let (header_len, body_len) = (u32_at(sealed, 8) as usize, u32_at(sealed, 12) as usize);
        if header_len > MAX_HEADER_LEN || body_len > MAX_BODY_LEN {
            return Err(Fault::Prefix);
        }
        Ok(Self { header_len, body_len })
    }

    /// Bytes after the prefix.
    pub fn rest_len(self) -> usize {
        self.header_len + self.body_len + TRAILER_LEN
    }

    /// Bytes of the whole frame.
    pub fn frame_len(self) -> u64 {
        (PREFIX_LEN + self.rest_len()) as u64
    }
}

/// A frame as it stands in the file. Its checksum is right.
#[derive(Debug, Clone)]
pub(super) struct Raw {
    /// How it is stored and sealed.
    pub header: FrameHeader,
    /// What it says.
    pub facts: FrameFacts,
    /// The body as stored.
    pub stored: Bytes,
    /// Bytes of the whole frame.
    pub len: u64,
}

impl Raw {
    /// Reads the frame with this prefix; `rest` is everything after it.
    pub fn decode(bytes: &[u8; PREFIX_LEN], prefix: Prefix, rest: BytesMut) -> Result<Self, Fault> {
        let mut rest = rest.freeze();
        let trailer = rest.split_off(rest.len() - TRAILER_LEN);
        if crc32c::crc32c_append(crc32c::crc32c(bytes), &rest) != u32_at(&trailer, 0) {
            return Err(Fault::Checksum);
        }
        let stored = rest.split_off(prefix.header_len);
        let header = FrameHeader::decode(rest).map_err(|_| Fault::Header)?;
        let facts = FrameFacts::decode(header.facts.as_ref()).map_err(|_| Fault::Header)?;
        Ok(Self { header, facts, stored, len: prefix.frame_len() })
    }

    /// What the chain knows of the body.
    pub fn commitment(&self) -> Result<Hash, Fault> {
        Hash::from_slice(&self.header.commitment).ok_or(Fault::Header)
    }

    /// The frame for a reader.
    pub fn frame(&self) -> Result<Frame, Fault> {
        Frame::from_facts(&self.facts, self.body()?, self.header.forgotten).ok_or(Fault::Header)
    }

    /// The body as it was appended; empty when forgotten.
    pub fn body(&self) -> Result<Bytes, Fault> {
        if self.header.forgotten {
            return if self.stored.is_empty() { Ok(Bytes::new()) } else { Err(Fault::Body) };
        }
        let body_len = self.facts.body_len as usize;
        let body = match Compression::try_from(self.header.compression) {
            Ok(Compression::None) => self.stored.clone(),
            Ok(Compression::Zstd) if body_len <= MAX_BODY_LEN => decompress(&self.stored, body_len)?,
            _ => return Err(Fault::Header),
        };
        if body.len() == body_len { Ok(body) } else { Err(Fault::Body) }
    }

    /// Checks the body against its commitment. A forgotten body is what its header says it is.
    pub fn check_body(&self) -> Result<(), Fault> {
        let body = self.body()?;
        if self.header.forgotten {
            return Ok(());
        }
        if self.header.salt.len() == SALT_LEN
            && commitment(&self.header.salt, &body_hash(&body)) == self.commitment()?
        {
            return Ok(());
        }
        Err(Fault::Commitment)
    }

    /// The same frame with its body compressed, if that makes it smaller.
    pub fn compressed(&self) -> Self {
        let mut raw = self.clone();
        if raw.header.compression != i32::from(Compression::None) {
            return raw;
        }
        if let Ok(smaller) = zstd::bulk::compress(&self.stored, ZSTD_LEVEL)
            && smaller.len() < self.stored.len()
        {
            raw.stored = smaller.into();
            raw.header.compression = Compression::Zstd.into();
        }
        raw
    }

    /// The same frame without its body.
    pub fn forgotten(&self) -> Self {
        let mut raw = self.clone();
        raw.stored = Bytes::new();
        raw.header.salt = Bytes::new();
        raw.header.compression = Compression::None.into();
        raw.header.forgotten = true;
        raw
    }

    /// The bytes for a file.
    pub fn encode(&self, marker: &Marker) -> Encoded {
        Encoded::new(marker, &self.header, self.stored.clone(), crc32c::crc32c(&self.stored))
    }
}

fn decompress(stored: &[u8], body_len: usize) -> Result<Bytes, Fault> {
    zstd::bulk::decompress(stored, body_len).map(Bytes::from).map_err(|_| Fault::Body)
}

/// The number at an offset that the caller knows to be inside.
pub(super) fn u32_at(bytes: &[u8], at: usize) -> u32 {
    let mut number = [0; 4];
    number.copy_from_slice(&bytes[at..at + 4]);
    u32::from_le_bytes(number)
}

/// The number at an offset that the caller knows to be inside.
pub(super) fn u64_at(bytes: &[u8], at: usize) -> u64 {
    let mut number = [0; 8];
    number.copy_from_slice(&bytes[at..at + 8]);
    u64::from_le_bytes(number)
}
