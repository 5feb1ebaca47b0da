//! What the fold has and the store does not have yet, and the checkpoints that write it.
//!
//! A checkpoint is taken every 64 MiB of journal or 30 s, and when the fold has caught up after a start: a process that
//! never lives long enough for the first would fold more at every start. It bounds what a restart folds again and is
//! the only moment at which the store changes; no output depends on when it is taken.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use crate::config::Checkpoint;
use crate::engine::{Configuration, Engine, Output, Want};
use crate::journal::{Frame, Journal};
use crate::model::{Action, ActionId, Digest, Nanos, Span};
use crate::store::{Options, Published, Retention, Store, StoreError};
use crate::telemetry::causes;

use super::budget::Budget;
use super::configuration::Written;
use super::fold::{FoldError, Settings, Status};

/// A store that refused is tried again after this long.
pub(super) const STORE_RETRY: Duration = Duration::from_secs(5);
/// What a frame costs in memory beside its body, and a row of an action, roughly.
const FRAME_OVERHEAD: u64 = 256;
const ROW: u64 = 4 << 10;
/// How often old rows are deleted and old partitions unlinked.
const TIDY_AFTER: Duration = Duration::from_secs(600);
/// Rows of actions are kept for a year, if the disk has room.
const KEPT: Span = Span::days(365);
/// Slices of the ledger are kept for the longest window of an objective and a week.
const LEDGER_KEPT: Span = Span::days(35);

/// A store as it was found, and the engine as of its last checkpoint.
pub(super) struct Opened {
    /// The store.
    pub store: Store,
    /// The engine.
    pub engine: Engine,
    /// Texts of the configurations that the checkpoint names.
    pub configurations: BTreeMap<Digest, Vec<u8>>,
    /// The last frame in the checkpoint; 0 without one.
    pub applied: u64,
}

impl Opened {
    /// Opens the store in a folder.
    pub fn in_folder(dir: &Path, budget: Budget) -> Result<Self, StoreError> {
        let options = Options { partition_bytes: budget.file(), ..Options::default() };
        let opened = Store::open_with(dir, options)?;
        for name in &opened.lost {
            tracing::warn!(name, "a partition's files are gone; its rows are not listed any more");
        }
        let mut kept = BTreeMap::new();
        let mut configurations = Vec::new();
        for (digest, body) in &opened.configurations {
            match Written::meaning_of(body) {
                Ok(meaning) => {
                    configurations.push((*digest, meaning));
                    kept.insert(*digest, body.clone());
                }
                Err(error) => tracing::error!(error, "cannot read an earlier configuration; its actions lose it"),
            }
        }
        let (applied, checkpoint) = opened.checkpoint.unwrap_or_default();
        let engine = match applied {
            0 => Engine::new(Configuration::default()),
            _ => {
                let (incidents, notes) = (opened.incidents, opened.notes);
                Engine::restore(checkpoint, configurations, opened.dues, opened.ledger, incidents, notes)
            }
        };
        Ok(Self { store: opened.store, engine, configurations: kept, applied })
    }
}

/// Bytes of SQLite's write-ahead logs in a folder. One that cannot be listed is not the reason to stop.
fn logs(folder: &Path) -> u64 {
    let files = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let logs = files.filter(|file| file.file_name().as_encoded_bytes().ends_with(b"-wal"));
    logs.filter_map(|log| Some(log.metadata().ok()?.len())).sum()
}

/// The writer of the store, and what waits for it.
pub(super) struct Keeper {
    dir: PathBuf,
    store: Store,
    settings: Settings,
    budget: Budget,
    journal: Arc<Journal>,
    status: Arc<Status>,
    /// What steps published since the last checkpoint.
    published: Vec<Published>,
    /// Its actions, the latest revision of each.
    pending: BTreeMap<ActionId, Action>,
    /// Texts of the configurations that actions may be judged by.
    written: BTreeMap<Digest, Vec<u8>>,
    /// Bytes of bodies folded since the last checkpoint.
    bytes: u64,
    /// Bytes that what was folded since then takes in memory, roughly.
    weight: u64,
    /// A frame was folded since.
    dirty: bool,
    checkpointed: Instant,
    refused: Option<Instant>,
    tidied: Option<Instant>,
}

impl Keeper {
    /// A keeper that has what the store has.
    pub fn new(
        dir: &Path,
        store: Store,
        configurations: BTreeMap<Digest, Vec<u8>>,
        settings: Settings,
        journal: Arc<Journal>,
        status: Arc<Status>,
    ) -> Self {
        let budget = Budget(settings.disk);
        let keeper = Self {
            dir: dir.to_owned(),
            store,
            settings: Settings { checkpoint: budget.checkpoint(settings.checkpoint), ..settings },
            budget,
            journal,
            status,
            published: Vec::new(),
            pending: BTreeMap::new(),
            written: configurations,
            bytes: 0,
            weight: 0,
            dirty: false,
            checkpointed: Instant::now(),
            refused: None,
            tidied: None,
        };
        keeper.leave_room();
        keeper
    }

    /// Tells the journal how much the store leaves to it.
    fn leave_room(&self) {
        let store = self.store.stats().bytes + logs(&self.dir) + logs(&self.dir.join("partitions"));
        self.journal.set_room(self.budget.0.saturating_sub(store));
    }

    /// Published rows that the store does not have yet, latest revision of each.
    pub fn pending(&self) -> &BTreeMap<ActionId, Action> {
        &self.pending
    }

    /// Brings turns back into the engine's memory. Says whether there were any.
    pub fn load(&self, engine: &mut Engine, wants: &BTreeSet<Want>) -> Result<bool, StoreError> {
        let rows = self.store.load_without(wants, |turn| engine.holds(turn))?;
        if rows.is_empty() {
            return Ok(false);
        }
        engine.load(rows);
        Ok(true)
    }

    /// Takes what came of a frame.
    pub fn take(&mut self, frame: &Frame, output: Output) {
        self.bytes += frame.body.len() as u64;
        self.weight += frame.body.len() as u64 + FRAME_OVERHEAD + ROW * output.actions.len() as u64;
        self.dirty = true;
        if output == Output::default() {
            return;
        }
        for action in &output.actions {
            self.pending.insert(action.id, action.clone());
        }
        self.published.push(Published { position: frame.sequence, output });
    }

    /// Keeps the text of a configuration for the next checkpoint.
    pub fn remember(&mut self, digest: Digest, text: &[u8]) {
        self.written.insert(digest, text.to_vec());
    }

    /// Whether it is time for a checkpoint, and there is something to write.
    pub fn is_due(&self) -> bool {
        let Checkpoint { bytes, every } = self.settings.checkpoint;
        let due = match self.refused {
            Some(at) => at.elapsed() >= STORE_RETRY,
            None => self.bytes >= bytes || self.checkpointed.elapsed() >= every,
        };
        self.dirty && due
    }

    /// Whether as much waits for a store that refuses as may wait: then the rest waits in the journal.
    pub fn is_full(&self) -> bool {
        self.refused.is_some() && self.weight >= self.settings.checkpoint.bytes.min(self.settings.memory as u64)
    }

    /// Writes everything that changed, in one commit. A store that refuses is asked again later: nothing is lost,
    /// because what is not applied stays in the journal.
    pub fn checkpoint(&mut self, engine: &mut Engine, folded: u64) -> Result<(), FoldError> {
        if !self.dirty {
            return Ok(());
        }
        let changes = engine.checkpoint();
        let configurations: Vec<(Digest, Vec<u8>)> = changes
            .small
            .configurations
            .iter()
            .filter_map(|digest| Some((*digest, self.written.get(digest)?.clone())))
            .collect();
        match self.store.commit(folded, &changes, &self.published, &configurations) {
            Ok(()) => {
                self.committed(folded);
                let left = engine.evict(self.settings.memory);
                tracing::debug!(applied = folded, left, "checkpoint");
                let tidied = self.tidy(engine).and_then(|()| self.retire(engine.now()));
                self.leave_room();
                match tidied {
                    Err(error) if error.is_retryable() => {
                        tracing::warn!(error = causes(&error), "the store could not be tidied; it is tried again");
                        Ok(())
                    }
                    tidied => Ok(tidied?),
                }
            }
            Err(error) if error.is_retryable() => {
                engine.changed_again(&changes);
                self.refuse(&error);
                Ok(())
            }
            Err(error) => Err(error.into()),
        }
    }

    /// One line for the first of a row of refusals.
    fn refuse(&mut self, error: &StoreError) {
        let error = causes(error);
        match self.refused.replace(Instant::now()) {
            None => {
                tracing::warn!(error, "the store refused a checkpoint; the journal keeps it, and it is tried again")
            }
            Some(_) => tracing::debug!(error, "the store refused a checkpoint again"),
        }
        self.status.held.store(self.is_full(), Ordering::Release);
    }

    fn committed(&mut self, folded: u64) {
        if self.refused.take().is_some() {
            tracing::info!("the store takes checkpoints again");
        }
        self.status.held.store(false, Ordering::Release);
        self.published.clear();
        self.pending.clear();
        (self.bytes, self.weight) = (0, 0);
        self.dirty = false;
        self.checkpointed = Instant::now();
        self.status.applied.store(folded, Ordering::Release);
    }

    /// Deletes what nobody may still revise.
    fn tidy(&mut self, engine: &mut Engine) -> Result<(), StoreError> {
        if self.tidied.is_some_and(|at| at.elapsed() < TIDY_AFTER) {
            return Ok(());
        }
        self.tidied = Some(Instant::now());
        let now = engine.now();
        let patches = engine.configuration().1.constants.patches;
        engine.forget(now - patches + Span::hours(1));
        // Rows say on the engine's clock when they were touched last.
        let before = engine.clock() - patches;
        while self.store.purge(before)?.more {}
        self.store.forget_ledger(now - LEDGER_KEPT)?;
        Ok(())
    }

    /// Unlinks partitions that are old, and those that the disk has no room for.
    fn retire(&mut self, now: Nanos) -> Result<(), StoreError> {
        let room = self.budget.store(self.journal.stats().disk_bytes);
        let retired = self.store.retire(&Retention { max_age: KEPT, max_bytes: room }, now)?;
        self.status.retired.fetch_add(retired.len() as u64, Ordering::Relaxed);
        for partition in retired {
            tracing::info!(name = partition.name, bytes = partition.bytes, "a partition was unlinked");
        }
        Ok(())
    }
}
