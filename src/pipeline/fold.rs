//! The fold's thread: frames in, rows and numbers out.
//!
//! ```text
//! Follower ─► evidence ─► load rows ─► Engine.step ─► pending rows ─► checkpoint (store.commit)
//!                                          │
//!                                          └─► snapshot (swap) ─► /metrics
//! questions from the API are answered between two steps
//! ```
//!
//! A checkpoint is taken every 64 MiB of journal or 30 s, and when the fold has caught up after a start: a process that
//! never lives long enough for the first would fold more at every start. It bounds what a restart folds again and is
//! the only moment at which the store changes; no output depends on when it is taken.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use tokio::sync::Semaphore;

use crate::catalogue::Sample;
use crate::config::Checkpoint;
use crate::engine::{Configuration, Engine, Input, Output, Want};
use crate::journal::{AppendError, Entry, Follower, Frame, Journal, JournalError, Kind};
use crate::model::{Action, ActionId, Digest, Evidence, Nanos, Signal, Span};
use crate::store::{Published, Reader, Retention, Store, StoreError};

use super::configuration::Written;
use super::read::evidence_of;

/// A new snapshot for `/metrics` at most this often.
const SNAPSHOT_AFTER: Duration = Duration::from_millis(200);
/// How long the fold waits for a frame before it looks at questions and deadlines.
const PATIENCE: Duration = Duration::from_millis(10);
/// While anything is open a tick is written at least this often.
const TICK_AT_LEAST: Duration = Duration::from_secs(60);
/// A full disk is tried again after this long.
const STORE_RETRY: Duration = Duration::from_secs(5);
/// How often old rows are deleted and old partitions unlinked.
const TIDY_AFTER: Duration = Duration::from_secs(600);
/// Rows of actions are kept for a year, if the disk has room.
const KEPT: Span = Span::days(365);
/// Slices of the ledger are kept for the longest window of an objective and a week.
const LEDGER_KEPT: Span = Span::days(35);
/// How many open actions are brought back into memory for one question.
pub const OPEN_LOOKED_AT: usize = 2_000;
/// How many questions may read the store at once: they share the machine with ingest.
const READERS: usize = 4;
/// How many questions may wait.
const QUESTIONS: usize = 256;

/// What others may know of the fold at any time.
#[derive(Debug)]
pub struct Status {
    /// The last frame that was folded.
    pub folded: AtomicU64,
    /// The journal's clock at that frame, Unix nanoseconds.
    pub folded_now: AtomicU64,
    /// The last frame in a checkpoint.
    pub applied: AtomicU64,
    /// Everything that was in the journal at start has been folded: counters are where they were.
    pub caught_up: AtomicBool,
    /// Partitions unlinked since the start, for age or for room.
    pub retired: AtomicU64,
    /// The fold stopped on an error; the process should end.
    pub failed: AtomicBool,
    /// Series of the engine as of the last snapshot.
    pub samples: ArcSwap<Vec<Sample>>,
}

/// A question to the engine's owner.
struct Question {
    /// It is about open actions, so those that left memory have to come back first.
    open: bool,
    ask: Box<dyn FnOnce(&View<'_>) + Send>,
}

/// What a question may look at: the engine, and rows that no checkpoint has written yet.
pub struct View<'a> {
    /// The engine as of the last step.
    pub engine: &'a Engine,
    /// Published rows that the store does not have yet, latest revision of each.
    pub pending: &'a BTreeMap<ActionId, Action>,
}

/// The fold's thread and the way to ask it.
#[derive(Debug)]
pub struct Fold {
    /// Where it stands.
    pub status: Arc<Status>,
    /// What the store has.
    pub reader: Arc<Reader>,
    /// How many may read the store at once.
    pub readers: Semaphore,
    questions: SyncSender<Question>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<Result<(), FoldError>>>,
}

/// Why the fold cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum FoldError {
    /// The journal cannot be read.
    #[error("cannot read the journal")]
    Journal(#[from] JournalError),
    /// The store knows frames that the journal does not have: somebody removed or replaced it.
    #[error(
        "the store has applied frame {applied}, and the journal ends at {last}; restore the journal, or remove both"
    )]
    JournalBehind {
        /// The last frame in the store's checkpoint.
        applied: u64,
        /// The last frame in the journal.
        last: u64,
    },
    /// The journal stopped after a failed write.
    #[error("the journal stopped after a failed write; restart to recover")]
    Poisoned,
    /// The journal does not take the first frames.
    #[error("cannot append the configuration to the journal")]
    Append(#[from] AppendError),
    /// The store cannot be read or written.
    #[error("cannot use the store")]
    Store(#[from] StoreError),
}

/// How much the fold holds in memory and on disk, and how much it folds again after a crash.
#[derive(Debug, Clone, Copy)]
pub struct Settings {
    /// Bytes for open turns and actions.
    pub memory: usize,
    /// Bytes of disk for journal and store together.
    pub disk: u64,
    /// When a checkpoint is due.
    pub checkpoint: Checkpoint,
}

/// Everything the thread owns.
struct Owner {
    journal: Arc<Journal>,
    follower: Follower,
    engine: Engine,
    store: Store,
    status: Arc<Status>,
    questions: Receiver<Question>,
    stop: Arc<AtomicBool>,
    settings: Settings,
    tidied: Option<Instant>,
    /// Where replay ends: the last frame at start.
    target: u64,
    published: Vec<Published>,
    pending: BTreeMap<ActionId, Action>,
    written: BTreeMap<Digest, Vec<u8>>,
    folded: u64,
    /// Frames folded since the start.
    again: u64,
    bytes: u64,
    /// Something is not in a checkpoint.
    dirty: bool,
    /// Something is not in the snapshot.
    stale: bool,
    checkpointed: Instant,
    snapshotted: Instant,
    ticked: Instant,
    store_refused: Option<Instant>,
    tick_refused: Option<Instant>,
    snapshot_after: Duration,
}

impl Fold {
    /// Opens the store in `dir`, takes up the fold where its checkpoint ended, and starts the thread. Configuration
    /// and restart frames are appended first, so that they are folded like everything else.
    ///
    /// # Errors
    /// When the store cannot be opened, or the journal does not take the first frames.
    pub fn start(journal: Arc<Journal>, dir: &Path, written: &Written, settings: Settings) -> Result<Self, FoldError> {
        let opened = Store::open(dir)?;
        for name in &opened.lost {
            tracing::warn!(name, "a partition's files are gone; its rows are not listed any more");
        }
        let reader = Arc::new(opened.store.reader()?);
        let mut kept = BTreeMap::new();
        let mut configurations = Vec::new();
        for (digest, body) in &opened.configurations {
            if let Some(Ok(meaning)) = Written::from_bytes(body).map(|written| written.meaning()) {
                configurations.push((*digest, meaning));
                kept.insert(*digest, body.clone());
            }
        }
        let (applied, checkpoint) = opened.checkpoint.unwrap_or_default();
        if applied > journal.synced() {
            return Err(FoldError::JournalBehind { applied, last: journal.synced() });
        }
        let engine = if applied == 0 {
            Engine::new(Configuration::default())
        } else {
            Engine::restore(checkpoint, configurations, opened.dues, opened.ledger, opened.incidents)
        };
        if journal.synced() > 0 {
            append(&journal, Entry::restart())?;
        }
        append(&journal, Entry::config(written.to_bytes().into()))?;
        let target = journal.synced();
        let status = Arc::new(Status {
            folded: AtomicU64::new(applied),
            folded_now: AtomicU64::new(engine.now().0),
            applied: AtomicU64::new(applied),
            caught_up: AtomicBool::new(false),
            retired: AtomicU64::new(0),
            failed: AtomicBool::new(false),
            samples: ArcSwap::default(),
        });
        let (questions, asked) = sync_channel(QUESTIONS);
        let stop = Arc::new(AtomicBool::new(false));
        let mut owner = Owner {
            follower: journal.subscribe(applied, 64 << 20),
            journal,
            engine,
            store: opened.store,
            status: status.clone(),
            questions: asked,
            stop: stop.clone(),
            settings,
            tidied: None,
            target,
            published: Vec::new(),
            pending: BTreeMap::new(),
            written: kept,
            folded: applied,
            again: 0,
            bytes: 0,
            dirty: false,
            stale: true,
            checkpointed: Instant::now(),
            snapshotted: Instant::now(),
            ticked: Instant::now(),
            store_refused: None,
            tick_refused: None,
            snapshot_after: SNAPSHOT_AFTER,
        };
        let thread = std::thread::Builder::new().name("fold".into()).spawn(move || {
            let _fails = Fails(owner.status.clone());
            let ended = owner.run();
            if let Err(error) = &ended {
                let cause = std::error::Error::source(error).map(ToString::to_string).unwrap_or_default();
                tracing::error!(%error, cause, "the fold stopped");
                owner.status.failed.store(true, Ordering::Release);
            }
            ended
        });
        let thread = thread.expect("a thread can be started");
        Ok(Self { status, reader, readers: Semaphore::new(READERS), questions, stop, thread: Some(thread) })
    }

    /// Asks the engine's owner and waits. `None` when too many ask, or the fold has stopped.
    pub async fn ask<T: Send + 'static>(&self, question: impl FnOnce(&View<'_>) -> T + Send + 'static) -> Option<T> {
        self.put(false, question).await
    }

    /// The same about open actions: brings back those that are not in memory, two thousand at most.
    pub async fn ask_open<T: Send + 'static>(
        &self,
        question: impl FnOnce(&View<'_>) -> T + Send + 'static,
    ) -> Option<T> {
        self.put(true, question).await
    }

    async fn put<T: Send + 'static>(
        &self,
        open: bool,
        question: impl FnOnce(&View<'_>) -> T + Send + 'static,
    ) -> Option<T> {
        let (reply, answer) = tokio::sync::oneshot::channel();
        let ask = Box::new(move |view: &View<'_>| drop(reply.send(question(view))));
        match self.questions.try_send(Question { open, ask }) {
            Ok(()) => answer.await.ok(),
            Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => None,
        }
    }

    /// Folds what is in the journal, takes a last checkpoint, and ends the thread.
    ///
    /// # Errors
    /// What stopped the fold.
    pub fn stop(mut self) -> Result<(), FoldError> {
        self.stop.store(true, Ordering::Release);
        match self.thread.take().map(JoinHandle::join) {
            Some(Ok(ended)) => ended,
            Some(Err(panic)) => std::panic::resume_unwind(panic),
            None => Ok(()),
        }
    }
}

/// Says that the fold failed when its thread panics: a collector that no longer judges must not look healthy.
struct Fails(Arc<Status>);

impl Drop for Fails {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.failed.store(true, Ordering::Release);
        }
    }
}

/// Appends a frame of our own and waits for it.
fn append(journal: &Journal, entry: Entry) -> Result<(), AppendError> {
    journal.try_append(entry).and_then(crate::journal::Receipt::wait).map(drop)
}

impl Owner {
    fn run(&mut self) -> Result<(), FoldError> {
        loop {
            let stopping = self.stop.load(Ordering::Acquire);
            let frame = self.follower.next(if stopping { Duration::ZERO } else { PATIENCE })?;
            let idle = frame.is_none();
            if let Some(frame) = frame {
                self.frame(&frame)?;
            }
            while let Ok(question) = self.questions.try_recv() {
                self.answer(question);
            }
            self.catch_up()?;
            if idle {
                self.tick();
            }
            if self.dirty && self.checkpoint_due() {
                self.checkpoint()?;
            }
            if self.stale && self.snapshotted.elapsed() >= self.snapshot_after {
                self.snapshot();
            }
            if stopping && idle || self.follower.is_closed() {
                self.checkpoint()?;
                self.snapshot();
                return if stopping { Ok(()) } else { Err(FoldError::Poisoned) };
            }
        }
    }

    fn answer(&mut self, question: Question) {
        if question.open {
            let wants = self.engine.open_elsewhere(OPEN_LOOKED_AT);
            match self.store.load_without(&wants, |turn| self.engine.holds(turn)) {
                Ok(rows) => self.engine.load(rows),
                Err(error) => tracing::warn!(%error, "cannot load open actions; an answer goes without them"),
            }
        }
        (question.ask)(&View { engine: &self.engine, pending: &self.pending });
    }

    /// Folds one frame.
    fn frame(&mut self, frame: &Frame) -> Result<(), FoldError> {
        let evidence = match frame.kind {
            Kind::Traces => evidence_of(&frame.tenant, frame.role, Signal::Traces, &frame.body),
            Kind::Logs => evidence_of(&frame.tenant, frame.role, Signal::Logs, &frame.body),
            _ => Vec::new(),
        };
        self.load(frame.now, &evidence)?;
        let input = match frame.kind {
            Kind::Traces | Kind::Logs => Input::Evidence(&evidence),
            Kind::Restart => Input::Restart,
            Kind::Config => match self.configuration(frame) {
                Some(configuration) => Input::Configure(configuration),
                None => Input::Tick,
            },
            Kind::Tick => Input::Tick,
        };
        let output = self.engine.step(frame.now, input);
        self.take(frame.sequence, output);
        self.folded = frame.sequence;
        self.again += 1;
        self.bytes += frame.body.len() as u64;
        self.dirty = true;
        self.stale = true;
        self.status.folded.store(frame.sequence, Ordering::Release);
        self.status.folded_now.store(frame.now.0, Ordering::Release);
        Ok(())
    }

    fn configuration(&mut self, frame: &Frame) -> Option<Configuration> {
        let written = Written::from_bytes(&frame.body)?;
        match written.meaning() {
            Ok(configuration) => {
                self.written.insert(configuration.digest(), frame.body.to_vec());
                Some(configuration)
            }
            Err(mistakes) => {
                let first = mistakes.first().map(ToString::to_string).unwrap_or_default();
                tracing::error!(
                    sequence = frame.sequence,
                    first,
                    "a configuration frame does not parse; it is passed over"
                );
                None
            }
        }
    }

    /// Brings back the turns that a step may touch. A loaded row may want another; what that one
    /// wants comes along with it, so the third round finds nothing.
    fn load(&mut self, now: Nanos, evidence: &[Evidence]) -> Result<(), FoldError> {
        let mut asked: BTreeSet<Want> = BTreeSet::new();
        for _ in 0..3 {
            let wants: BTreeSet<Want> =
                self.engine.wants(now, evidence).into_iter().filter(|want| !asked.contains(want)).collect();
            if wants.is_empty() {
                return Ok(());
            }
            let rows = self.store.load_without(&wants, |turn| self.engine.holds(turn))?;
            asked.extend(wants);
            if rows.is_empty() {
                return Ok(());
            }
            self.engine.load(rows);
        }
        Ok(())
    }

    fn take(&mut self, sequence: u64, output: Output) {
        if output == Output::default() {
            return;
        }
        for event in &output.findings {
            let finding = &event.finding;
            tracing::info!(
                rule = %finding.rule, severity = %finding.severity, state = %finding.state, action = %event.action,
                agent = %event.agent, "finding"
            );
        }
        for action in &output.actions {
            self.pending.insert(action.id, action.clone());
        }
        self.published.push(Published { position: sequence, output });
    }

    fn catch_up(&mut self) -> Result<(), FoldError> {
        if self.folded < self.target || self.status.caught_up.load(Ordering::Acquire) {
            return Ok(());
        }
        self.snapshot();
        self.status.caught_up.store(true, Ordering::Release);
        tracing::info!(sequence = self.folded, frames = self.again, "caught up with the journal");
        self.checkpoint()
    }

    fn checkpoint_due(&self) -> bool {
        let Checkpoint { bytes, every } = self.settings.checkpoint;
        self.bytes >= bytes || self.checkpointed.elapsed() >= every
    }

    /// Asks for a tick frame when a deadline has passed, and at least once a minute while anything is open.
    fn tick(&mut self) {
        let refused = self.tick_refused.is_some_and(|at| at.elapsed() < STORE_RETRY);
        if refused || self.folded < self.journal.synced() {
            return;
        }
        let Some(due) = self.engine.next_due() else { return };
        let passed = self.journal.clock() >= due && self.ticked.elapsed() >= PATIENCE;
        if passed || self.ticked.elapsed() >= TICK_AT_LEAST {
            self.ticked = Instant::now();
            if let Err(error) = append(&self.journal, Entry::tick()) {
                tracing::warn!(%error, "no deadline can pass until a tick is written; it is tried again");
                self.tick_refused = Some(Instant::now());
            }
        }
    }

    /// Writes everything that changed, in one commit. A full disk is tried again: nothing is lost, because what is
    /// not applied stays in the journal.
    fn checkpoint(&mut self) -> Result<(), FoldError> {
        if !self.dirty && self.published.is_empty()
            || self.store_refused.is_some_and(|at| at.elapsed() < STORE_RETRY && !self.stop.load(Ordering::Acquire))
        {
            return Ok(());
        }
        let changes = self.engine.checkpoint();
        let configurations: Vec<(Digest, Vec<u8>)> = changes
            .small
            .configurations
            .iter()
            .filter_map(|digest| Some((*digest, self.written.get(digest)?.clone())))
            .collect();
        match self.store.commit(self.folded, &changes, &self.published, &configurations) {
            Ok(()) => {
                self.store_refused = None;
                self.published.clear();
                self.pending.clear();
                self.bytes = 0;
                self.dirty = false;
                self.checkpointed = Instant::now();
                self.status.applied.store(self.folded, Ordering::Release);
                let left = self.engine.evict(self.settings.memory);
                tracing::debug!(applied = self.folded, left, "checkpoint");
                self.tidy()
            }
            Err(error) if error.is_retryable() => {
                tracing::warn!(%error, "the store refused a checkpoint; the journal keeps it");
                self.engine.changed_again(&changes);
                self.store_refused = Some(Instant::now());
                self.checkpointed = Instant::now();
                Ok(())
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Deletes what nobody may still revise, and unlinks what the disk has no room for.
    fn tidy(&mut self) -> Result<(), FoldError> {
        if self.tidied.is_some_and(|at| at.elapsed() < TIDY_AFTER) {
            return Ok(());
        }
        self.tidied = Some(Instant::now());
        let now = self.engine.now();
        let patches = self.engine.configuration().1.constants.patches;
        self.engine.forget(now - patches + Span::hours(1));
        // Rows say on the engine's clock when they were touched last.
        let before = self.engine.clock() - patches;
        // A backlog in the journal must not push the audit trail out: it never counts for more than its half.
        let room = self.settings.disk.saturating_sub(self.journal.stats().disk_bytes.min(self.settings.disk / 2));
        let kept = Retention { max_age: KEPT, max_bytes: room };
        let tidied = (|| {
            while self.store.purge(before)?.more {}
            self.store.forget_ledger(now - LEDGER_KEPT)?;
            self.store.retire(&kept, now)
        })();
        match tidied {
            Ok(retired) => {
                self.status.retired.fetch_add(retired.len() as u64, Ordering::Relaxed);
                for partition in retired {
                    tracing::info!(name = partition.name, bytes = partition.bytes, "a partition was unlinked");
                }
                Ok(())
            }
            Err(error) if error.is_retryable() => {
                tracing::warn!(%error, "the store could not be tidied; it is tried again");
                Ok(())
            }
            Err(error) => Err(error.into()),
        }
    }

    fn snapshot(&mut self) {
        let started = Instant::now();
        self.status.samples.store(Arc::new(self.engine.samples()));
        // However many series there are, making them takes at most a twentieth of the time.
        self.snapshot_after = SNAPSHOT_AFTER.max(started.elapsed() * 20);
        self.snapshotted = Instant::now();
        self.stale = false;
    }
}
