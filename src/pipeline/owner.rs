//! The fold's thread: frames in, rows and numbers out, questions answered between two steps.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::Receiver;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::engine::{Configuration, Engine, FindingEvent, Input, Want};
use crate::journal::{AppendError, Entry, Follower, Frame, Journal, Kind, Receipt};
use crate::model::{Evidence, Nanos, Signal};

use super::configuration::Written;
use super::fold::{FoldError, OPEN_LOOKED_AT, Question, Status, View};
use super::keeper::{Keeper, STORE_RETRY};
use super::read::evidence_of;

/// A new snapshot for `/metrics` at most this often.
const SNAPSHOT_AFTER: Duration = Duration::from_millis(200);
/// However many series there are, making them takes at most this part of the time.
const SNAPSHOT_PART: u32 = 20;
/// How long the fold waits for a frame before it looks at questions and deadlines.
const PATIENCE: Duration = Duration::from_millis(10);
/// While anything is open a tick is written at least this often.
const TICK_AT_LEAST: Duration = Duration::from_secs(60);
/// Synced frames that wait in memory; what does not fit is read from the files.
const FEED_BYTES: usize = 64 << 20;

/// Everything the thread owns.
pub(super) struct Owner {
    journal: Arc<Journal>,
    follower: Follower,
    engine: Engine,
    keeper: Keeper,
    status: Arc<Status>,
    questions: Receiver<Question>,
    stop: Arc<AtomicBool>,
    progress: Progress,
    /// Time that the last question took and that frames have not had since.
    owed: Duration,
    ticks: Ticks,
    snapshots: Snapshots,
}

/// How far the fold is.
struct Progress {
    /// Where replay ends: the last frame at start.
    target: u64,
    /// The last frame that was folded.
    folded: u64,
    /// Frames folded since the start.
    again: u64,
}

/// When tick frames were asked for.
struct Ticks {
    asked: Instant,
    refused: Option<Instant>,
}

/// When the series were made.
struct Snapshots {
    /// Something was folded since.
    stale: bool,
    made: Instant,
    /// How long to wait between two.
    after: Duration,
}

/// Appends a frame of our own and waits for it.
pub(super) fn append(journal: &Journal, entry: Entry) -> Result<(), AppendError> {
    journal.try_append(entry).and_then(Receipt::wait).map(drop)
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

impl Owner {
    /// The owner of an engine that stands where the store's last checkpoint ended.
    pub fn new(
        journal: Arc<Journal>,
        engine: Engine,
        keeper: Keeper,
        status: Arc<Status>,
        questions: Receiver<Question>,
        stop: Arc<AtomicBool>,
    ) -> Self {
        let (applied, now) = (status.applied.load(Ordering::Acquire), Instant::now());
        Self {
            follower: journal.subscribe(applied, FEED_BYTES),
            progress: Progress { target: journal.synced(), folded: applied, again: 0 },
            owed: Duration::ZERO,
            ticks: Ticks { asked: now, refused: None },
            snapshots: Snapshots { stale: true, made: now, after: SNAPSHOT_AFTER },
            journal,
            engine,
            keeper,
            status,
            questions,
            stop,
        }
    }

    /// Starts the thread.
    pub fn start(mut self) -> JoinHandle<Result<(), FoldError>> {
        let thread = std::thread::Builder::new().name("fold".into()).spawn(move || {
            let _fails = Fails(self.status.clone());
            let ended = self.run();
            if let Err(error) = &ended {
                let cause = std::error::Error::source(error).map(ToString::to_string).unwrap_or_default();
                tracing::error!(%error, cause, "the fold stopped");
                self.status.failed.store(true, Ordering::Release);
            }
            ended
        });
        thread.expect("a thread can be started")
    }

    fn run(&mut self) -> Result<(), FoldError> {
        // Whoever asked once may ask again at once, and should not wait for a frame that does not come.
        let mut asked = false;
        loop {
            let stopping = self.stop.load(Ordering::Acquire);
            let frame = self.follower.next(if stopping || asked { Duration::ZERO } else { PATIENCE })?;
            let idle = frame.is_none();
            match frame {
                Some(frame) => self.frame(&frame)?,
                None => self.owed = Duration::ZERO,
            }
            asked = self.question();
            self.catch_up()?;
            if idle {
                self.tick();
            }
            if self.keeper.is_due() {
                self.checkpoint()?;
            }
            if self.snapshots.stale && self.snapshots.made.elapsed() >= self.snapshots.after {
                self.snapshot();
            }
            if stopping && idle || self.follower.is_closed() {
                self.checkpoint()?;
                self.snapshot();
                return if stopping { Ok(()) } else { Err(FoldError::Poisoned) };
            }
        }
    }

    /// Answers one question, if frames have had as much time as the last one took: whoever asks without end gets half
    /// of the time at most. Says whether there was one.
    fn question(&mut self) -> bool {
        if !self.owed.is_zero() {
            return false;
        }
        let Ok(question) = self.questions.try_recv() else { return false };
        let started = Instant::now();
        self.answer(question);
        self.owed = started.elapsed();
        true
    }

    fn answer(&mut self, question: Question) {
        if question.open {
            let wants = self.engine.open_elsewhere(OPEN_LOOKED_AT);
            if let Err(error) = self.keeper.load(&mut self.engine, &wants) {
                tracing::warn!(%error, "cannot load open actions; an answer goes without them");
            }
        }
        (question.ask)(&View { engine: &self.engine, pending: self.keeper.pending() });
    }

    /// Folds one frame.
    fn frame(&mut self, frame: &Frame) -> Result<(), FoldError> {
        let started = Instant::now();
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
        output.findings.iter().for_each(tell);
        self.keeper.take(frame, output);
        self.progress.folded = frame.sequence;
        self.progress.again += 1;
        self.snapshots.stale = true;
        self.status.folded.store(frame.sequence, Ordering::Release);
        self.status.folded_now.store(frame.now.0, Ordering::Release);
        self.owed = self.owed.saturating_sub(started.elapsed());
        Ok(())
    }

    fn configuration(&mut self, frame: &Frame) -> Option<Configuration> {
        let written = Written::from_bytes(&frame.body)?;
        match written.meaning() {
            Ok(configuration) => {
                self.keeper.remember(configuration.digest(), &frame.body);
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

    /// Brings back the turns that a step may touch. A loaded row may want another; two rounds reach all of them.
    fn load(&mut self, now: Nanos, evidence: &[Evidence]) -> Result<(), FoldError> {
        let mut asked: BTreeSet<Want> = BTreeSet::new();
        for _ in 0..3 {
            let wants: BTreeSet<Want> =
                self.engine.wants(now, evidence).into_iter().filter(|want| !asked.contains(want)).collect();
            if wants.is_empty() || !self.keeper.load(&mut self.engine, &wants)? {
                return Ok(());
            }
            asked.extend(wants);
        }
        Ok(())
    }

    fn catch_up(&mut self) -> Result<(), FoldError> {
        let Progress { target, folded, again } = self.progress;
        if folded < target || self.status.caught_up.load(Ordering::Acquire) {
            return Ok(());
        }
        self.snapshot();
        self.status.caught_up.store(true, Ordering::Release);
        tracing::info!(sequence = folded, frames = again, "caught up with the journal");
        self.checkpoint()
    }

    /// Asks for a tick frame when a deadline has passed, and at least once a minute while anything is open.
    fn tick(&mut self) {
        let refused = self.ticks.refused.is_some_and(|at| at.elapsed() < STORE_RETRY);
        if refused || self.progress.folded < self.journal.synced() {
            return;
        }
        let Some(due) = self.engine.next_due() else { return };
        let passed = self.journal.clock() >= due && self.ticks.asked.elapsed() >= PATIENCE;
        if passed || self.ticks.asked.elapsed() >= TICK_AT_LEAST {
            self.ticks.asked = Instant::now();
            if let Err(error) = append(&self.journal, Entry::tick()) {
                tracing::warn!(%error, "no deadline can pass until a tick is written; it is tried again");
                self.ticks.refused = Some(Instant::now());
            }
        }
    }

    fn checkpoint(&mut self) -> Result<(), FoldError> {
        let now_or_never = self.stop.load(Ordering::Acquire);
        self.keeper.checkpoint(&mut self.engine, self.progress.folded, now_or_never)
    }

    fn snapshot(&mut self) {
        let started = Instant::now();
        self.status.samples.store(Arc::new(self.engine.samples()));
        self.snapshots = Snapshots {
            stale: false,
            made: Instant::now(),
            after: SNAPSHOT_AFTER.max(started.elapsed() * SNAPSHOT_PART),
        };
    }
}

fn tell(event: &FindingEvent) {
    let finding = &event.finding;
    tracing::info!(
        rule = %finding.rule, severity = %finding.severity, state = %finding.state, action = %event.action,
        agent = %event.agent, "finding"
    );
}
