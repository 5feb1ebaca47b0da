//! What can go wrong: with an append, with the files, with a record.

use std::io;
use std::path::{Path, PathBuf};

/// Why an entry was not appended. Nothing was acknowledged and nothing of it will be read as synced.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AppendError {
    /// The queue is full: the disk is slower than the senders.
    #[error("the journal's queue is full")]
    Full,
    /// The filesystem is full, or has only its emergency reserve left.
    #[error("no space left for the journal")]
    NoSpace,
    /// A write or sync failed, so what is on the disk is unknown until the journal is opened again.
    #[error("the journal stopped after a failed write; restart to recover")]
    Poisoned,
    /// The journal was closed.
    #[error("the journal is closed")]
    Closed,
    /// The entry can never be appended.
    #[error("the entry has `{0}` bytes, more than a frame or the queue can hold")]
    TooLarge(usize),
}

impl AppendError {
    /// Whether the sender may try the same entry again.
    pub fn is_retryable(self) -> bool {
        !matches!(self, Self::TooLarge(_))
    }
}

/// Why a journal cannot be opened, read or maintained.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// The operating system refused.
    #[error("cannot {attempt} `{path}`")]
    Io {
        /// What was being done.
        attempt: &'static str,
        /// To which file or directory.
        path: PathBuf,
        /// The refusal.
        source: io::Error,
    },
    /// Another process writes here.
    #[error("journal `{0}` is in use by another process")]
    Locked(PathBuf),
    /// A record is damaged.
    #[error(transparent)]
    Broken(#[from] Broken),
}

impl JournalError {
    /// Adapts an I/O error: `file.sync_all().map_err(JournalError::io("sync", path))`.
    pub(super) fn io(attempt: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Io { attempt, path: path.to_path_buf(), source }
    }

    /// Whether the filesystem is full.
    pub(super) fn is_no_space(&self) -> bool {
        matches!(self, Self::Io { source, .. } if is_no_space(source))
    }
}

/// Whether the filesystem, or the quota on it, is used up.
pub(super) fn is_no_space(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}

/// The first record that is damaged.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("record `{sequence}` of `{segment}` is broken: {fault}")]
pub struct Broken {
    /// The sequence that the record has, or should have.
    pub sequence: u64,
    /// The file it stands in.
    pub segment: PathBuf,
    /// What is wrong.
    pub fault: Fault,
}

/// What is wrong with a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// The file ends before the frame does.
    #[error("the file ends inside it")]
    Unfinished,
    /// No frame begins where one should.
    #[error("its prefix does not match its checksum")]
    Prefix,
    /// Some byte of the frame changed.
    #[error("it does not match its checksum")]
    Checksum,
    /// The checksum is right and the header makes no sense to this version.
    #[error("its header is unreadable")]
    Header,
    /// Another frame stands here.
    #[error("it has sequence `{0}`")]
    Sequence(u64),
    /// The journal's clock goes back.
    #[error("its time is before that of the record before it")]
    Time,
    /// The stored body cannot be restored.
    #[error("its body cannot be decompressed")]
    Body,
    /// The body is not the one that was sealed.
    #[error("its body does not match its commitment")]
    Commitment,
    /// The header is not the one that was sealed, or a record before it was exchanged.
    #[error("its chain head does not follow from the record before it")]
    Head,
    /// The header of the segment that should begin with this record is damaged.
    #[error("the header of its segment is damaged")]
    SegmentHeader,
    /// A segment of another version of this program.
    #[error("its segment has format version `{0}`, which this program does not know")]
    Version(u32),
    /// No segment holds this record.
    #[error("it is missing")]
    Missing,
}
