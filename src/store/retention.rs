//! What leaves: whole partitions by age and size, and rows of state.db that nothing can revise any more.

use std::ffi::OsStr;
use std::path::Path;

use crate::model::{Nanos, Span};

use super::error::{Doing, On, StoreError};
use super::shelf::Part;
use super::{Store, names, partition, partitions, state};

/// What is kept of closed partitions. The open one always stays.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retention {
    /// Partitions whose last commit is older go.
    pub max_age: Span,
    /// While partitions and state.db together have more bytes, the oldest partition goes.
    pub max_bytes: u64,
}

/// A partition that was unlinked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Retired {
    /// Its name.
    pub name: String,
    /// Commit time of its first row.
    pub from: Nanos,
    /// Commit time of its last row.
    pub until: Nanos,
    /// Bytes that are free now.
    pub bytes: u64,
}

/// What [`Store::purge`] did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Purged {
    /// Turns deleted.
    pub turns: usize,
    /// There are more: call it again.
    pub more: bool,
}

/// Turns per call of [`Store::purge`]: a commit never waits longer than for one of them.
const PURGED_AT_ONCE: usize = 2_000;

impl Store {
    /// Unlinks closed partitions, the oldest first, until the retention is kept. A body is in the partition it was
    /// published in, and goes with it.
    pub fn retire(&mut self, retention: &Retention, now: Nanos) -> Result<Vec<Retired>, StoreError> {
        let mut retired = Vec::new();
        while let Some(oldest) = self.parts.first().filter(|part| part.sealed) {
            if now.since(oldest.ends) <= retention.max_age && self.stats().bytes <= retention.max_bytes {
                break;
            }
            state::forget_part(&self.state, oldest.number).doing("drop a partition from the list")?;
            let part = self.parts.remove(0);
            self.show();
            // After a crash here the files are strangers, and the next start removes them.
            remove(&partitions(&self.dir), &part.name)?;
            retired.push(Retired { name: part.name, from: part.begins, until: part.ends, bytes: part.bytes });
        }
        Ok(retired)
    }

    /// Deletes turns from state.db that are closed and settled and were not touched since `before`, at most 2,000.
    /// What was published of them stays in its partitions; evidence that still comes for them begins them anew.
    pub fn purge(&mut self, before: Nanos) -> Result<Purged, StoreError> {
        let transaction = self.state.transaction().doing("begin to purge")?;
        let turns = state::purge(&transaction, before, PURGED_AT_ONCE).doing("purge state.db")?;
        transaction.commit().doing("commit a purge")?;
        let more = turns == PURGED_AT_ONCE;
        if turns > 0 {
            let free = self.state.prepare("PRAGMA incremental_vacuum").and_then(|mut pragma| {
                let mut pages = pragma.query([])?;
                while pages.next()?.is_some() {}
                Ok(())
            });
            free.doing("give pages back")?;
        }
        if turns > 0 && !more {
            let fresh = names(&self.state).doing("read the names of turns")?;
            *self.names.write().unwrap_or_else(std::sync::PoisonError::into_inner) = fresh;
        }
        Ok(Purged { turns, more })
    }

    /// Deletes slices of the ledger that begin before a time: the longest window of an objective is over.
    pub fn forget_ledger(&mut self, before: Nanos) -> Result<usize, StoreError> {
        state::forget_ledger(&self.state, before).doing("forget slices of the ledger")
    }
}

/// Removes a partition's files.
fn remove(dir: &Path, name: &str) -> Result<(), StoreError> {
    let (rows, content) = partition::files(dir, name);
    let beside = ["-wal", "-shm", "-journal"].map(|ending| dir.join(format!("{name}.db{ending}")));
    for path in [rows, content].iter().chain(&beside) {
        match std::fs::remove_file(path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error).on("remove", path),
            _ => {}
        }
    }
    Ok(())
}

/// Removes partitions that are not in the list: begun and never committed, or retired and not yet removed. Files
/// that are not named like a partition are left alone.
pub(super) fn remove_strangers(dir: &Path, parts: &[Part]) -> Result<(), StoreError> {
    for entry in std::fs::read_dir(dir).on("list", dir)? {
        let path = entry.on("list", dir)?.path();
        let ours = path.extension().is_some_and(|ending| ending == "db" || ending == "content");
        let Some(name) = path.file_stem().and_then(OsStr::to_str).filter(|_| ours) else {
            continue;
        };
        let named_so = name.len() > 9 && name.as_bytes()[8] == b'-' && name[..8].bytes().all(|b| b.is_ascii_digit());
        if named_so && !parts.iter().any(|part| part.name == name) {
            remove(dir, name)?;
        }
    }
    Ok(())
}
