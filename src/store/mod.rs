//! The store: what outlives the process besides the journal. One writer; readers on connections of their own.
//!
//! ```text
//! state.db        the engine's state as of `applied`, and the list of partitions        never unlinked
//! partitions/     00000001-20261120T060000000Z.db        rows of published actions and turns, one slice of commit time
//!                 00000001-20261120T060000000Z.content   long texts that rows refer to
//! lock            held by the process that writes
//! ```
//!
//! [`Store::commit`] writes partition rows first, then state.db in one transaction with `applied`, the journal
//! position all of it belongs to. That transaction is the only commit point: what a crash left in partitions beyond it
//! is taken away when the store is opened, and the journal's replay writes it again, byte for byte. A closed partition
//! never changes; [`Store::retire`] unlinks whole partitions.
//!
//! Rows are protobuf messages of `proto/wherefore/v1/lineage.proto`; files of another format are refused.

mod aliases;
mod content;
mod convert;
mod error;
mod filter;
mod load;
mod lookup;
mod partition;
mod query;
mod retention;
mod shelf;
mod spread;
mod sql;
mod state;
#[cfg(test)]
mod tests;
mod walk;

use std::collections::BTreeSet;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::{Arc, RwLock};

use rusqlite::{Connection, TransactionBehavior};

use crate::engine::parts::{Cell, Incident, LedgerKey, Pin, Place};
use crate::engine::{BoardKey, Changes, Checkpoint, Due, Output, Rows, Want};
use crate::model::{Digest, Nanos, Span, TurnId};

use error::{Doing, On};
use filter::Filter;
use shelf::{Part, Shelf, Shown};
use spread::Spread;

pub use convert::Malformed;
pub use error::StoreError;
pub use lookup::Reader;
pub use query::{ActionFilter, FindingFilter, Page};
pub use retention::{Purged, Retention, Retired};
pub use walk::Cursor;

/// How the store divides what it keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Options {
    /// A partition holds at most this much commit time. Files of an hour keep their indexes in the page cache.
    pub slice: Span,
    /// A partition that has reached this many bytes is closed at the next commit.
    pub partition_bytes: u64,
    /// Horizon H: twice this much of the ledger goes back to the engine when the checkpoint does not say how much.
    pub horizon: Span,
}

impl Default for Options {
    fn default() -> Self {
        Self { slice: Span::hours(1), partition_bytes: 256 << 20, horizon: Span::hours(48) }
    }
}

/// What one step published.
#[derive(Debug, PartialEq)]
pub struct Published {
    /// The journal position of its frame.
    pub position: u64,
    /// What came out.
    pub output: Output,
}

/// Partitions that one commit can change: it may close one and begin the next.
const TOUCHED: usize = 2;

/// One commit: everything between two journal positions.
struct Commit<'a> {
    applied: u64,
    changes: &'a Changes,
    published: &'a [Published],
    configurations: &'a [(Digest, Vec<u8>)],
}

/// The store as it was found.
#[derive(Debug)]
pub struct Opened {
    /// The writer.
    pub store: Store,
    /// The last commit's position and the small state at it. `None` when nothing was ever committed.
    pub checkpoint: Option<(u64, Checkpoint)>,
    /// Every deadline.
    pub dues: Vec<(Due, Nanos)>,
    /// Slices of the ledger that are not final.
    pub ledger: Vec<(LedgerKey, Cell)>,
    /// Incidents that are open or were contained in the last seven days.
    pub incidents: Vec<Incident>,
    /// Notes that actions left on boards.
    pub notes: Vec<(BoardKey, Place, Pin)>,
    /// Configurations that the checkpoint names, in its order: digest and text. One that was never handed to
    /// [`Store::commit`] is not among them.
    pub configurations: Vec<(Digest, Vec<u8>)>,
    /// Names of partitions whose files are gone. They are no longer in the list.
    pub lost: Vec<String>,
}

/// What there is, cheaply told.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Stats {
    /// Position of the last commit.
    pub applied: u64,
    /// Rows of actions, every revision counted.
    pub actions: u64,
    /// Rows of turns, every revision counted.
    pub turns: u64,
    /// Bytes of partitions and state.db, without write-ahead logs.
    pub bytes: u64,
    /// Partitions.
    pub partitions: u64,
    /// When the oldest partition begins.
    pub oldest: Option<Nanos>,
}

/// The writer. There is one.
pub struct Store {
    dir: PathBuf,
    options: Options,
    /// For the engine's rows. Goes before `state`, so that the last connection to close can write and puts the log
    /// back into the file.
    reader: Reader,
    state: Connection,
    /// Held while the process lives; the system lets it go.
    _lock: File,
    applied: u64,
    parts: Vec<Part>,
    /// The open partition. After a failed commit there is none, and the next commit begins where state.db stands.
    current: Option<partition::Writer>,
    shown: Shown,
    names: shelf::Shared,
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Store").field("dir", &self.dir).field("applied", &self.applied).finish_non_exhaustive()
    }
}

impl Store {
    /// Opens the store in a folder, or makes it. Takes away what the last process wrote and did not commit.
    pub fn open(dir: &Path) -> Result<Opened, StoreError> {
        Self::open_with(dir, Options::default())
    }

    /// The same, divided otherwise.
    pub fn open_with(dir: &Path, options: Options) -> Result<Opened, StoreError> {
        let partitions = partitions(dir);
        std::fs::create_dir_all(&partitions).on("make the folder", &partitions)?;
        let lock = lock(dir)?;
        let state = sql::open_to_write(&dir.join("state.db"), state::SCHEMA)?;
        state::add_missing(&state).doing("add to the tables of state.db")?;
        sync_folder(dir)?;
        let checkpoint = state::checkpoint(&state)?;
        let now = checkpoint.as_ref().map_or(Nanos(0), |(_, small)| small.now);
        let named = checkpoint.as_ref().map(|(_, small)| &small.configurations[..]).unwrap_or_default();
        let dues = state::dues(&state)?;
        let ledger = match checkpoint.as_ref().map_or(Nanos(0), |(_, small)| small.ledger_from) {
            Nanos(0) => state::ledger(&state, now - Span(options.horizon.0.saturating_mul(2)))?,
            from => state::ledger(&state, from)?,
        };
        let incidents = state::incidents(&state, now - state::INCIDENTS)?;
        let notes = state::notes(&state)?;
        let configurations = state::configurations(&state, named)?;
        let names = Arc::new(RwLock::new(names(&state).doing("read the names of turns")?));
        let shown = Shown::default();
        let reader = Reader::live(dir, shown.clone(), names.clone())?;
        let mut store = Self {
            dir: dir.to_owned(),
            options,
            state,
            _lock: lock,
            applied: checkpoint.as_ref().map_or(0, |(applied, _)| *applied),
            parts: Vec::new(),
            current: None,
            shown,
            names,
            reader,
        };
        let lost = store.recover()?;
        Ok(Opened { store, checkpoint, dues, ledger, incidents, notes, configurations, lost })
    }

    /// Writes everything between the last commit and `applied`, the position of the last frame that is in it: what
    /// the engine's checkpoint says changed, what steps published, in order of their positions, and configurations
    /// that became known, as digest and the text they can be read from again. Durable when it returns.
    ///
    /// # Errors
    /// Nothing of it is committed. If the error is retryable, it may be tried again, with more or without.
    pub fn commit(
        &mut self,
        applied: u64,
        changes: &Changes,
        published: &[Published],
        configurations: &[(Digest, Vec<u8>)],
    ) -> Result<(), StoreError> {
        debug_assert!(published.is_sorted_by_key(|it| it.position));
        debug_assert!(published.last().is_none_or(|it| it.position <= applied));
        let written = self.write(&Commit { applied, changes, published, configurations });
        if written.is_err() {
            self.current = None;
        }
        written
    }

    /// The rows of the turns that are wanted, as of the last commit ([`Reader::load`]).
    pub fn load(&self, wants: &BTreeSet<Want>) -> Result<Rows, StoreError> {
        self.reader.load(wants)
    }

    /// The same without turns that are there already ([`Reader::load_without`]).
    pub fn load_without(&self, wants: &BTreeSet<Want>, there: impl Fn(TurnId) -> bool) -> Result<Rows, StoreError> {
        self.reader.load_without(wants, there)
    }

    /// Position of the last commit.
    pub fn applied(&self) -> u64 {
        self.applied
    }

    /// A reader with a connection of its own. It sees every commit.
    pub fn reader(&self) -> Result<Reader, StoreError> {
        Reader::live(&self.dir, self.shown.clone(), self.names.clone())
    }

    /// What there is.
    pub fn stats(&self) -> Stats {
        let sum = |of: fn(&Part) -> u64| self.parts.iter().map(of).sum::<u64>();
        let state = std::fs::metadata(self.dir.join("state.db")).map_or(0, |file| file.len());
        Stats {
            applied: self.applied,
            actions: sum(|part| part.actions),
            turns: sum(|part| part.turns),
            bytes: sum(|part| part.bytes) + state,
            partitions: self.parts.len() as u64,
            oldest: self.parts.first().map(|part| part.begins),
        }
    }

    fn write(&mut self, commit: &Commit<'_>) -> Result<(), StoreError> {
        if self.current.is_none() {
            self.recover()?;
        }
        let now = commit.changes.small.now;
        let mut parts = self.parts.clone();
        if commit.published.iter().any(|it| !is_empty(&it.output)) {
            self.close_old(&mut parts, now)?;
            self.write_rows(&mut parts, commit)?;
        }
        let names = commit.changes.wants.iter().filter_map(|(want, _)| aliases::of_want(want));
        shelf::put(&self.names, names);

        let transaction =
            self.state.transaction_with_behavior(TransactionBehavior::Immediate).doing("begin to commit")?;
        let write = || -> rusqlite::Result<()> {
            state::write(&transaction, commit.applied, commit.changes)?;
            state::keep_configurations(&transaction, commit.configurations)?;
            parts.iter().rev().take(TOUCHED).try_for_each(|part| state::write_part(&transaction, part))
        };
        write().doing("write to state.db")?;
        #[cfg(test)]
        tests::fail_point()?;
        transaction.commit().doing("commit to state.db")?;

        self.applied = commit.applied;
        self.parts = parts;
        self.show();
        Ok(())
    }

    /// Closes the current partition when its time or its room is over, and begins another.
    fn close_old(&mut self, parts: &mut Vec<Part>, now: Nanos) -> Result<(), StoreError> {
        let Options { slice, partition_bytes, .. } = self.options;
        if let Some(last) = parts.last_mut() {
            let over = now.slice(slice) != last.begins.slice(slice) || last.bytes >= partition_bytes;
            if !over && !last.sealed {
                return Ok(());
            }
            if let Some(current) = self.current.as_mut().filter(|_| !last.sealed) {
                let filter = match current.seal() {
                    Ok(filter) => filter,
                    // A reader holds it, or the disk is full: it stays open until the next commit.
                    Err(error) if error.is_retryable() => return Ok(()),
                    Err(error) => return Err(error),
                };
                last.filter = Some(Arc::new(RwLock::new(filter)));
                last.bytes = current.bytes()?;
                last.sealed = true;
            }
        }
        let number = parts.last().map_or(1, |last| last.number + 1);
        let part = Part {
            number,
            name: partition::name(number, now),
            begins: now,
            ends: now,
            sealed: false,
            content: 0,
            bytes: 0,
            actions: 0,
            turns: 0,
            spread: Some(Spread::default()),
            filter: Some(Arc::default()),
        };
        let dir = partitions(&self.dir);
        self.current = Some(partition::Writer::open(&dir, &part.name, self.applied, 0)?);
        sync_folder(&dir)?;
        parts.push(part);
        Ok(())
    }

    fn write_rows(&mut self, parts: &mut [Part], commit: &Commit<'_>) -> Result<(), StoreError> {
        let (Some(current), Some(part)) = (self.current.as_mut(), parts.last_mut()) else {
            return Ok(());
        };
        let added = current.write(commit.published)?;
        if let Some(filter) = &part.filter {
            shelf::put(filter, added.hashes);
        }
        if let Some(spread) = &mut part.spread {
            added.times.iter().for_each(|at| spread.add(*at));
        }
        part.ends = part.ends.max(commit.changes.small.now);
        part.content = current.content_len();
        part.bytes = current.bytes()?;
        part.actions += added.actions;
        part.turns += added.turns;
        Ok(())
    }

    /// Goes back to what state.db says: opens the current partition without its future, removes files that are not in
    /// the list, and drops partitions from the list whose files are gone. Says which those are.
    fn recover(&mut self) -> Result<Vec<String>, StoreError> {
        let dir = partitions(&self.dir);
        let mut lost = Vec::new();
        let mut parts = Vec::new();
        self.current = None;
        for mut part in state::parts(&self.state).doing("read the list of partitions")? {
            if !partition::files(&dir, &part.name).0.exists() {
                state::forget_part(&self.state, part.number).doing("drop a lost partition")?;
                lost.push(part.name);
                continue;
            }
            let known = self.parts.iter().find(|it| it.number == part.number && it.sealed && part.sealed);
            if let Some(known) = known {
                (part.filter, part.spread) = (known.filter.clone(), known.spread.clone());
            } else {
                let (filter, spread) = if part.sealed {
                    partition::summary_of_sealed(&dir, &part.name, part.spread)?
                } else {
                    let writer = partition::Writer::open(&dir, &part.name, self.applied, part.content)?;
                    let summary = writer.summary(part.spread)?;
                    self.current = Some(writer);
                    summary
                };
                (part.filter, part.spread) = (Some(Arc::new(RwLock::new(filter))), Some(spread));
            }
            parts.push(part);
        }
        retention::remove_strangers(&dir, &parts)?;
        self.parts = parts;
        self.show();
        Ok(lost)
    }

    fn show(&self) {
        self.shown.set(Shelf { applied: self.applied, parts: self.parts.clone() });
    }
}

/// The folder of partitions.
fn partitions(dir: &Path) -> PathBuf {
    dir.join("partitions")
}

/// Makes new names in a folder durable.
fn sync_folder(dir: &Path) -> Result<(), StoreError> {
    File::open(dir).and_then(|dir| dir.sync_all()).on("sync the folder", dir)
}

fn is_empty(output: &Output) -> bool {
    *output == Output::default()
}

/// One process writes. The lock goes with the process, however it ends.
fn lock(dir: &Path) -> Result<File, StoreError> {
    let path = dir.join("lock");
    let file = File::options().create(true).truncate(false).write(true).open(&path).on("open", &path)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(std::fs::TryLockError::WouldBlock) => Err(StoreError::Locked { dir: dir.to_owned() }),
        Err(std::fs::TryLockError::Error(error)) => Err(error).on("lock", &path),
    }
}

/// Every name under which state.db finds a turn.
fn names(state: &Connection) -> rusqlite::Result<Filter> {
    let mut names = Filter::default();
    let mut turns = state.prepare("SELECT id FROM turns")?;
    let mut turns = turns.query([])?;
    while let Some(row) = turns.next()? {
        names.insert(aliases::hash_of("turn", &[row.get_ref(0)?.as_blob()?]));
    }
    let mut wants = state.prepare("SELECT DISTINCT hash FROM wants")?;
    let mut wants = wants.query([])?;
    while let Some(row) = wants.next()? {
        names.insert(row.get(0)?);
    }
    Ok(names)
}
