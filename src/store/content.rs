//! The content file of a partition: bodies, one zstd frame each, one after the other. Nothing in it is ever changed;
//! after a crash it is cut to the length that state.db names. The partition's table says where a body begins.

use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use super::error::{On, StoreError};

/// Bodies are written once and read seldom; the default level is three times cheaper than the next useful one.
const LEVEL: i32 = 3;

/// Where a body lies in its file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    /// Where its frame begins.
    pub offset: u64,
    /// Length of its frame.
    pub len: u64,
    /// Length of the body.
    pub whole: u64,
}

/// A content file that is written to.
pub(super) struct Content {
    file: File,
    path: PathBuf,
    len: u64,
    compressor: zstd::bulk::Compressor<'static>,
}

impl Content {
    /// Opens or makes the file, and cuts what lies beyond `len`.
    pub fn open(path: &Path, len: u64) -> Result<Self, StoreError> {
        let file = OpenOptions::new().create(true).truncate(false).write(true).open(path).on("open", path)?;
        let there = file.metadata().on("look at", path)?.len();
        if there < len {
            let short = std::io::Error::new(std::io::ErrorKind::UnexpectedEof, "it is shorter than it was");
            return Err(short).on("open", path);
        }
        if there > len {
            file.set_len(len).and_then(|()| file.sync_data()).on("cut", path)?;
        }
        let mut compressor = zstd::bulk::Compressor::new(LEVEL).on("compress for", path)?;
        compressor.include_checksum(true).on("compress for", path)?;
        Ok(Self { file, path: path.to_owned(), len, compressor })
    }

    /// Its length.
    pub fn len(&self) -> u64 {
        self.len
    }

    /// Adds a body. Durable after [`Content::sync`].
    pub fn append(&mut self, body: &[u8]) -> Result<Place, StoreError> {
        let frame = self.compressor.compress(body).on("compress for", &self.path)?;
        let place = Place { offset: self.len, len: frame.len() as u64, whole: body.len() as u64 };
        self.file.seek(SeekFrom::Start(self.len)).on("write to", &self.path)?;
        self.file.write_all(&frame).on("write to", &self.path)?;
        self.len += place.len;
        Ok(place)
    }

    /// Makes what was added durable.
    pub fn sync(&mut self) -> Result<(), StoreError> {
        self.file.sync_data().on("sync", &self.path)
    }
}

/// Reads one body.
pub(super) fn read(path: &Path, place: Place) -> Result<Vec<u8>, StoreError> {
    let mut file = File::open(path).on("open", path)?;
    file.seek(SeekFrom::Start(place.offset)).on("read from", path)?;
    let mut frame = Vec::new();
    file.take(place.len).read_to_end(&mut frame).on("read from", path)?;
    let whole = usize::try_from(place.whole).unwrap_or(usize::MAX);
    zstd::bulk::decompress(&frame, whole).on("read a body from", path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bodies_come_back_and_what_was_never_committed_is_cut() {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("content");
        let mut content = Content::open(&path, 0).expect("new");
        let first = content.append(b"the first body").expect("appended");
        let kept = content.len();
        content.append(b"lost in a crash").expect("appended");
        content.sync().expect("synced");

        let mut content = Content::open(&path, kept).expect("cut");
        let second = content.append(&[b'x'; 100_000]).expect("appended");
        assert_eq!(second.offset, kept);
        assert_eq!(read(&path, first).expect("readable"), b"the first body");
        assert_eq!(read(&path, second).expect("readable"), [b'x'; 100_000]);
    }

    #[test]
    fn a_file_that_lost_bytes_and_a_damaged_body_are_errors() {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("content");
        let mut content = Content::open(&path, 0).expect("new");
        let place = content.append(b"a body that matters").expect("appended");
        assert!(Content::open(&path, place.len + 1).is_err());
        let mut bytes = std::fs::read(&path).expect("readable");
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        std::fs::write(&path, bytes).expect("writable");
        assert!(read(&path, place).is_err());
    }
}
