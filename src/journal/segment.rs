//! One file of the journal.
//!
//! ```text
//!      0  "wherefor"      8 bytes
//!      8  version         u32
//!     12  flags           u32: 1 = bodies were compressed after sealing
//!     16  first           u64, sequence of the first frame, also the file's name
//!     24  created         u64, the journal's clock, Unix nanoseconds
//!     32  last_now        u64, time of the last frame before this segment, 0 if none
//!     40  head            32 bytes, the chain's head before the first frame
//!     72  marker          8 bytes, random
//!     80  reserved        44 zero bytes
//!    124  crc32c of the 124 bytes before, u32
//!    128  frames
//! ```
//!
//! A segment appears under its name only with a whole, synced header: it is written aside and renamed.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use bytes::BytesMut;

use crate::model::{Hash, Nanos};

use super::JournalError;
use super::chain::Chain;
use super::error::{Broken, Fault};
use super::frame::{Marker, PREFIX_LEN, Prefix, Raw, u32_at, u64_at};

/// Bytes of a segment's header.
pub(super) const HEADER_LEN: usize = 128;

const MAGIC: &[u8; 8] = b"wherefor";
const VERSION: u32 = 1;
const COMPRESSED: u32 = 1;
const CRC_AT: usize = HEADER_LEN - 4;
const LOCK_NAME: &str = "lock";
const EXTENSION: &str = "wfj";
/// Of a file that is not yet a segment. Removed when the journal is opened.
const UNFINISHED: &str = "new";

/// What a segment says about itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Header {
    /// The end of the chain before the first frame.
    pub before: Chain,
    /// When the file was made.
    pub created: Nanos,
    /// Opens every frame.
    pub marker: Marker,
    /// Bodies were compressed after sealing.
    pub compressed: bool,
}

impl Header {
    /// Sequence of the first frame.
    pub fn first(&self) -> u64 {
        self.before.sequence + 1
    }

    fn encode(&self) -> [u8; HEADER_LEN] {
        let mut bytes = [0; HEADER_LEN];
        let flags = if self.compressed { COMPRESSED } else { 0 };
        bytes[0..8].copy_from_slice(MAGIC);
        bytes[8..12].copy_from_slice(&VERSION.to_le_bytes());
        bytes[12..16].copy_from_slice(&flags.to_le_bytes());
        bytes[16..24].copy_from_slice(&self.first().to_le_bytes());
        bytes[24..32].copy_from_slice(&self.created.0.to_le_bytes());
        bytes[32..40].copy_from_slice(&self.before.now.0.to_le_bytes());
        bytes[40..72].copy_from_slice(&self.before.head.0);
        bytes[72..80].copy_from_slice(&self.marker);
        let crc = crc32c::crc32c(&bytes[..CRC_AT]);
        bytes[CRC_AT..].copy_from_slice(&crc.to_le_bytes());
        bytes
    }

    fn decode(bytes: &[u8; HEADER_LEN]) -> Result<Self, Fault> {
        let first = u64_at(bytes, 16);
        if bytes[..8] != MAGIC[..] || crc32c::crc32c(&bytes[..CRC_AT]) != u32_at(bytes, CRC_AT) || first == 0 {
            return Err(Fault::SegmentHeader);
        }
        if u32_at(bytes, 8) != VERSION {
            return Err(Fault::Version(u32_at(bytes, 8)));
        }
        let mut head = Hash::default();
        head.0.copy_from_slice(&bytes[40..72]);
        let mut marker = Marker::default();
        marker.copy_from_slice(&bytes[72..80]);
        Ok(Self {
            before: Chain { sequence: first - 1, now: Nanos(u64_at(bytes, 32)), head },
            created: Nanos(u64_at(bytes, 24)),
            marker,
            compressed: u32_at(bytes, 12) & COMPRESSED != 0,
        })
    }
}

/// An open segment.
#[derive(Debug)]
pub(super) struct Segment {
    /// Open for reading, and for writing where it was created or opened to be written.
    pub file: File,
    /// Its name.
    pub path: PathBuf,
    /// What it says about itself.
    pub header: Header,
}

/// Why a frame could not be read.
#[derive(Debug)]
pub(super) enum Unread {
    Io(io::Error),
    Fault(Fault),
}

impl Segment {
    /// Opens a segment by its first sequence and checks its header.
    pub fn open(dir: &Path, first: u64) -> Result<Self, JournalError> {
        Self::open_with(dir, first, OpenOptions::new().read(true))
    }

    /// The same, to be written as well.
    pub fn open_to_write(dir: &Path, first: u64) -> Result<Self, JournalError> {
        Self::open_with(dir, first, OpenOptions::new().read(true).write(true))
    }

    fn open_with(dir: &Path, first: u64, options: &OpenOptions) -> Result<Self, JournalError> {
        let path = path(dir, first);
        let broken = |fault| Broken { sequence: first, segment: path.clone(), fault };
        let file = match options.open(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(broken(Fault::Missing).into());
            }
            opened => opened.map_err(JournalError::io("open", &path))?,
        };
        let mut bytes = [0; HEADER_LEN];
        match file.read_exact_at(&mut bytes, 0) {
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                return Err(broken(Fault::SegmentHeader).into());
            }
            read => read.map_err(JournalError::io("read", &path))?,
        }
        let header = Header::decode(&bytes).map_err(broken)?;
        if header.first() != first {
            return Err(broken(Fault::Sequence(header.first())).into());
        }
        Ok(Self { file, path, header })
    }

    /// Bytes of the file.
    pub fn len(&self) -> Result<u64, JournalError> {
        Ok(self.file.metadata().map_err(JournalError::io("read", &self.path))?.len())
    }

    /// Reads the frame at an offset; `None` when the file ends exactly there.
    pub fn read(&self, offset: u64) -> Result<Option<Raw>, Unread> {
        let Some((bytes, prefix)) = self.read_prefix(offset)? else {
            return Ok(None);
        };
        let mut rest = BytesMut::zeroed(prefix.rest_len());
        if fill(&self.file, &mut rest, offset + PREFIX_LEN as u64)? < rest.len() {
            return Err(Unread::Fault(Fault::Unfinished));
        }
        Raw::decode(&bytes, prefix, rest).map(Some).map_err(Unread::Fault)
    }

    /// The offset after the frame at an offset, by its prefix alone; `None` when the file ends exactly there.
    pub fn skip(&self, offset: u64) -> Result<Option<u64>, Unread> {
        Ok(self.read_prefix(offset)?.map(|(_, prefix)| offset + prefix.frame_len()))
    }

    fn read_prefix(&self, offset: u64) -> Result<Option<([u8; PREFIX_LEN], Prefix)>, Unread> {
        let mut bytes = [0; PREFIX_LEN];
        match fill(&self.file, &mut bytes, offset)? {
            0 => Ok(None),
            PREFIX_LEN => {
                let prefix = Prefix::decode(&self.header.marker, &bytes).map_err(Unread::Fault)?;
                Ok(Some((bytes, prefix)))
            }
            _ => Err(Unread::Fault(Fault::Unfinished)),
        }
    }

    /// Names a damaged record of this file.
    pub fn broken(&self, sequence: u64, fault: Fault) -> JournalError {
        Broken { sequence, segment: self.path.clone(), fault }.into()
    }

    /// Names the record that could not be read.
    pub fn unread(&self, sequence: u64, unread: Unread) -> JournalError {
        match unread {
            Unread::Io(source) => JournalError::io("read", &self.path)(source),
            Unread::Fault(fault) => self.broken(sequence, fault),
        }
    }
}

/// Reads until the buffer is full or the file ends; says how many bytes it got.
fn fill(file: &File, buffer: &mut [u8], offset: u64) -> Result<usize, Unread> {
    let mut filled = 0;
    while filled < buffer.len() {
        match file.read_at(&mut buffer[filled..], offset + filled as u64) {
            Ok(0) => break,
            Ok(read) => filled += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(Unread::Io(error)),
        }
    }
    Ok(filled)
}

/// Where the segment with this first sequence is.
pub(super) fn path(dir: &Path, first: u64) -> PathBuf {
    dir.join(format!("{first:020}.{EXTENSION}"))
}

/// The first sequences of the segments in a directory, in order. Other files are none of our business.
pub(super) fn list(dir: &Path) -> Result<Vec<u64>, JournalError> {
    let mut firsts = Vec::new();
    for entry in fs::read_dir(dir).map_err(JournalError::io("list", dir))? {
        let path = entry.map_err(JournalError::io("list", dir))?.path();
        if path.extension().is_some_and(|extension| extension == EXTENSION) {
            firsts.extend(path.file_stem().and_then(|stem| stem.to_str()?.parse::<u64>().ok()));
        }
    }
    firsts.sort_unstable();
    Ok(firsts)
}

/// Makes the directory and keeps every other process out of it while the file is open.
pub(super) fn lock(dir: &Path) -> Result<File, JournalError> {
    fs::create_dir_all(dir).map_err(JournalError::io("create", dir))?;
    let path = dir.join(LOCK_NAME);
    let file = OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .open(&path)
        .map_err(JournalError::io("open", &path))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(JournalError::Locked(dir.to_path_buf())),
        Err(TryLockError::Error(source)) => Err(JournalError::io("lock", &path)(source)),
    }
}

/// Removes what a crash left half made.
pub(super) fn remove_unfinished(dir: &Path) -> Result<(), JournalError> {
    for entry in fs::read_dir(dir).map_err(JournalError::io("list", dir))? {
        let path = entry.map_err(JournalError::io("list", dir))?.path();
        if path.extension().is_some_and(|extension| extension == UNFINISHED) {
            fs::remove_file(&path).map_err(JournalError::io("remove", &path))?;
        }
    }
    Ok(())
}

/// Writes the header of a new segment aside, to be filled and given its name.
pub(super) fn create_aside(dir: &Path, header: Header) -> Result<Segment, JournalError> {
    let path = path(dir, header.first()).with_extension(UNFINISHED);
    let file = OpenOptions::new()
        .create(true)
        .truncate(true)
        .read(true)
        .write(true)
        .open(&path)
        .map_err(JournalError::io("create", &path))?;
    file.write_all_at(&header.encode(), 0).map_err(JournalError::io("write", &path))?;
    Ok(Segment { file, path, header })
}

/// Syncs a segment and gives it its name, in place of a file that has it. When this fails, the name is as before.
/// The name is durable after [`sync_dir`].
pub(super) fn give_name(dir: &Path, aside: Segment) -> Result<Segment, JournalError> {
    let path = path(dir, aside.header.first());
    aside.file.sync_all().map_err(JournalError::io("sync", &aside.path))?;
    fs::rename(&aside.path, &path).map_err(JournalError::io("rename", &aside.path))?;
    Ok(Segment { path, ..aside })
}

/// Makes names durable.
pub(super) fn sync_dir(dir: &Path) -> Result<(), JournalError> {
    File::open(dir).and_then(|dir| dir.sync_all()).map_err(JournalError::io("sync", dir))
}
