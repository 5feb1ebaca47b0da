//! The fold: a thread that owns the engine, and the way to ask it.
//!
//! ```text
//! Follower ─► evidence ─► load rows ─► Engine.step ─► what waits ─► checkpoint (store.commit)      owner.rs, keeper.rs
//!                                          │
//!                                          └─► snapshot (swap) ─► /metrics
//! questions from the API are answered between two steps
//! ```

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{SyncSender, TrySendError, sync_channel};
use std::thread::JoinHandle;

use arc_swap::ArcSwap;
use tokio::sync::Semaphore;

use crate::catalogue::Sample;
use crate::config::Checkpoint;
use crate::engine::Engine;
use crate::journal::{AppendError, Entry, Journal, JournalError};
use crate::model::{Action, ActionId};
use crate::store::{Reader, StoreError};

use super::budget::Budget;
use super::configuration::Written;
use super::keeper::{Keeper, Opened};
use super::owner::{Owner, append};

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
    /// The last frame in a checkpoint.
    pub applied: AtomicU64,
    /// Everything that was in the journal at start has been folded: counters are where they were.
    pub caught_up: AtomicBool,
    /// Partitions unlinked since the start, for age or for room.
    pub retired: AtomicU64,
    /// The store refuses, and as much waits for it as may wait: no frame is folded until it takes a checkpoint.
    pub held: AtomicBool,
    /// The fold stopped on an error; the process should end.
    pub failed: AtomicBool,
    /// Series of the engine as of the last snapshot.
    pub samples: ArcSwap<Vec<Sample>>,
}

/// A question to the engine's owner.
pub(super) struct Question {
    /// It is about open actions, so those that left memory have to come back first.
    pub open: bool,
    /// Answers whoever asked.
    pub ask: Box<dyn FnOnce(&View<'_>) + Send>,
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
    pub readers: Arc<Semaphore>,
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

impl Fold {
    /// Opens the store in `dir`, takes up the fold where its checkpoint ended, and starts the thread. Configuration
    /// and restart frames are appended first, so that they are folded like everything else.
    ///
    /// # Errors
    /// When the store cannot be opened, or the journal does not take the first frames.
    pub fn start(journal: Arc<Journal>, dir: &Path, written: &Written, settings: Settings) -> Result<Self, FoldError> {
        let Opened { store, engine, configurations, applied } = Opened::in_folder(dir, Budget(settings.disk))?;
        if applied > journal.synced() {
            return Err(FoldError::JournalBehind { applied, last: journal.synced() });
        }
        if journal.synced() > 0 {
            append(&journal, Entry::restart())?;
        }
        append(&journal, Entry::config(written.to_bytes().into()))?;
        let reader = Arc::new(store.reader()?);
        let status = Arc::new(Status::new(applied));
        let (questions, asked) = sync_channel(QUESTIONS);
        let stop = Arc::new(AtomicBool::new(false));
        let keeper = Keeper::new(dir, store, configurations, settings, journal.clone(), status.clone());
        let thread = Owner::new(journal, engine, keeper, status.clone(), asked, stop.clone()).start();
        Ok(Self { status, reader, readers: Arc::new(Semaphore::new(READERS)), questions, stop, thread: Some(thread) })
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

impl Status {
    fn new(applied: u64) -> Self {
        Self {
            folded: AtomicU64::new(applied),
            applied: AtomicU64::new(applied),
            caught_up: AtomicBool::new(false),
            retired: AtomicU64::new(0),
            held: AtomicBool::new(false),
            failed: AtomicBool::new(false),
            samples: ArcSwap::default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicU32;
    use std::time::{Duration, Instant};

    use bytes::Bytes;

    use super::*;
    use crate::journal::Options;
    use crate::model::{Constants, Role, Tenant};

    /// A checkpoint after every frame of more than a kilobyte.
    const SETTINGS: Settings = Settings {
        memory: 16 << 10,
        disk: 1 << 30,
        checkpoint: Checkpoint { every: Duration::from_secs(3600), bytes: 1 << 10 },
    };
    const MANY: usize = 100;

    fn start(dir: &Path) -> (Arc<Journal>, Fold) {
        let options = Options { reserve_bytes: 0, ..Options::default() };
        let journal = Arc::new(Journal::open(&dir.join("journal"), options).unwrap().0);
        let written = Written {
            constants: Constants::default(),
            envelopes: Vec::new(),
            learning: false,
            slos: Vec::new(),
            objectives: Vec::new(),
        };
        let fold = Fold::start(journal.clone(), &dir.join("store"), &written, SETTINGS).unwrap();
        (journal, fold)
    }

    fn received(bytes: usize) -> Entry {
        Entry::traces(Tenant::default(), Role::default(), 0, Bytes::from(vec![0; bytes]))
    }

    /// Waits for what will happen, or fails.
    fn until(what: &str, mut happened: impl FnMut() -> bool) {
        let give_up = Instant::now() + Duration::from_secs(60);
        while !happened() {
            assert!(Instant::now() < give_up, "{what}");
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    /// A question that asks itself again before it is answered: the queue of questions is never empty.
    fn again(questions: SyncSender<Question>, asked: Arc<AtomicU32>) -> Question {
        let ask = Box::new(move |_: &View<'_>| {
            if asked.fetch_add(1, Ordering::AcqRel) < 1_000_000 {
                let _ = questions.try_send(again(questions.clone(), asked.clone()));
            }
        });
        Question { open: true, ask }
    }

    #[test]
    fn questions_without_end_do_not_keep_a_frame_from_being_folded() {
        let dir = tempfile::tempdir().unwrap();
        let (journal, fold) = start(dir.path());
        let asked = Arc::new(AtomicU32::new(0));
        fold.questions.try_send(again(fold.questions.clone(), asked.clone())).unwrap();
        until("the first questions are answered", || asked.load(Ordering::Acquire) > 10);
        append(&journal, received(0)).unwrap();
        until("the frame is folded", || fold.status.folded.load(Ordering::Acquire) == journal.synced());
        let answered = asked.load(Ordering::Acquire);
        until("questions are answered all the same", || asked.load(Ordering::Acquire) > answered);
        assert!(answered < 1_000_000, "while there were questions");
        fold.stop().unwrap();
    }

    /// Another process holds the store: what was folded waits in memory up to a bound, the rest in the journal.
    #[test]
    fn a_store_that_refuses_holds_the_fold_and_not_the_memory() {
        let dir = tempfile::tempdir().unwrap();
        let (journal, fold) = start(dir.path());
        let folded = || fold.status.folded.load(Ordering::Acquire);
        until("the start is folded", || folded() == journal.synced());
        let other = rusqlite::Connection::open(dir.path().join("store/state.db")).unwrap();
        other.execute_batch("BEGIN IMMEDIATE").unwrap();
        let before = folded();
        for _ in 0..MANY {
            append(&journal, received(1 << 10)).unwrap();
        }
        until("the fold is held", || fold.status.held.load(Ordering::Acquire));
        let waiting = folded() - before;
        assert!(waiting < SETTINGS.memory as u64 >> 10, "{waiting} frames of a kilobyte wait in memory");
        assert_eq!(journal.synced() - before, MANY as u64, "and the journal takes what comes");
        other.execute_batch("ROLLBACK").unwrap();
        until("everything is folded", || folded() == journal.synced());
        assert!(!fold.status.held.load(Ordering::Acquire));
        fold.stop().unwrap();
    }

    #[test]
    fn a_configuration_of_another_version_is_passed_over() {
        let dir = tempfile::tempdir().unwrap();
        let (journal, fold) = start(dir.path());
        append(&journal, Entry::config(Bytes::from_static(b"{\"a later version\": 1}"))).unwrap();
        until("it is folded", || fold.status.folded.load(Ordering::Acquire) == journal.synced());
        fold.stop().unwrap();
    }
}
