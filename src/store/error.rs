//! What can go wrong, told by what was attempted. Paths are the user's, so they stand in backticks.

use std::io;
use std::path::{Path, PathBuf};

use super::Malformed;

/// Why the store could not do what it was asked to do.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Another process has the store open for writing.
    #[error("cannot open the store in `{}`: another process writes to it", .dir.display())]
    Locked {
        /// The store's folder.
        dir: PathBuf,
    },
    /// The file is something else.
    #[error("cannot open `{}`: this is not a file of wherefore's store", .path.display())]
    Foreign {
        /// The file.
        path: PathBuf,
    },
    /// The file was written by a version that this one does not know.
    #[error("cannot open `{}`: it has format {found}, and this version reads format {known}", .path.display())]
    Version {
        /// The file.
        path: PathBuf,
        /// What it says.
        found: i64,
        /// What this version reads.
        known: i64,
    },
    /// A file or folder could not be used.
    #[error("cannot {doing} `{}`", .path.display())]
    File {
        /// What was attempted.
        doing: &'static str,
        /// On which file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// SQLite refused.
    #[error("cannot {doing}")]
    Database {
        /// What was attempted.
        doing: &'static str,
        /// Why not.
        source: rusqlite::Error,
    },
    /// A row is not what it should be.
    #[error("cannot read a row of `{table}`")]
    Malformed {
        /// Where it stands.
        table: &'static str,
        /// What is wrong with it.
        source: Malformed,
    },
}

impl StoreError {
    /// Whether the same may work later without anybody changing the store: the disk is full, a lock is taken, or the
    /// process has as many files open as it may. SQLite calls the last one a file that it cannot open.
    pub fn is_retryable(&self) -> bool {
        use rusqlite::ErrorCode::{CannotOpen, DatabaseBusy, DatabaseLocked, DiskFull};
        match self {
            Self::File { source, .. } => {
                matches!(source.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
                    || too_many_files(source)
            }
            Self::Database { source, .. } => source
                .sqlite_error_code()
                .is_some_and(|code| matches!(code, CannotOpen | DatabaseBusy | DatabaseLocked | DiskFull)),
            _ => false,
        }
    }
}

/// Of this process, or of the machine.
fn too_many_files(error: &io::Error) -> bool {
    let [process, machine] = [rustix::io::Errno::MFILE, rustix::io::Errno::NFILE].map(|it| it.raw_os_error());
    error.raw_os_error().is_some_and(|code| code == process || code == machine)
}

/// Says what was attempted.
pub(super) trait Doing<T> {
    fn doing(self, what: &'static str) -> Result<T, StoreError>;
}

impl<T> Doing<T> for rusqlite::Result<T> {
    fn doing(self, what: &'static str) -> Result<T, StoreError> {
        self.map_err(|source| StoreError::Database { doing: what, source })
    }
}

/// Says what was attempted, and on which file.
pub(super) trait On<T> {
    fn on(self, doing: &'static str, path: &Path) -> Result<T, StoreError>;
}

impl<T> On<T> for io::Result<T> {
    fn on(self, doing: &'static str, path: &Path) -> Result<T, StoreError> {
        self.map_err(|source| StoreError::File { doing, path: path.to_owned(), source })
    }
}

/// Says in which table the row stands.
pub(super) trait In<T> {
    fn of_table(self, table: &'static str) -> Result<T, StoreError>;
}

impl<T> In<T> for Result<T, Malformed> {
    fn of_table(self, table: &'static str) -> Result<T, StoreError> {
        self.map_err(|source| StoreError::Malformed { table, source })
    }
}
