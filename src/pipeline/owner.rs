//! The fold's thread: frames in, rows and numbers out, questions answered between two steps.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::Receiver;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::engine::{Configuration, Engine, FindingEvent, Input, Want};
use crate::journal::{AppendError, Entry, Follower, Frame, Journal, Kind, Receipt};
use crate::model::{Evidence, Finding, Nanos, Severity, Signal};
use crate::telemetry::causes;

use super::configuration::Written;
use super::fold::{FoldError, OPEN_LOOKED_AT, Question, Status, View};
use super::keeper::{Keeper, STORE_RETRY};
use super::read::evidence_of;

/// A new snapshot for `/metrics` at most this often.
const SNAPSHOT_AFTER: Duration = Duration::from_millis(200);
/// However many series there are, making them takes at most this part of the time.
const SNAPSHOT_PART: u32 = 20;
/// How often rows are looked for that others want. One more than lineage looks up from turn to turn, and two for the
/// turn itself.
const ROUNDS: usize = 12;
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
    /// The journal's last frame is folded, and there will be no other.
    ended: bool,
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
            ended: false,
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
                tracing::error!(error = causes(error), "the fold stopped");
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
            let frame = self.next(if stopping || asked { Duration::ZERO } else { PATIENCE })?;
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
            if self.follower.is_closed() && !self.ended {
                self.ended = true;
                self.last_checkpoint();
            }
            if self.keeper.is_due() && !self.ended {
                self.checkpoint()?;
            }
            if self.snapshots.stale && self.snapshots.made.elapsed() >= self.snapshots.after {
                self.snapshot();
            }
            if stopping && self.ended {
                self.last_checkpoint();
                return Err(FoldError::Poisoned);
            }
            if stopping && idle {
                return self.checkpoint();
            }
        }
    }

    /// The next frame. None when none came in time, when the store must take what was folded first, and after the end
    /// of the journal.
    fn next(&mut self, patience: Duration) -> Result<Option<Arc<Frame>>, FoldError> {
        if self.ended || self.keeper.is_full() {
            self.status.held.store(self.keeper.is_full(), Ordering::Release);
            std::thread::sleep(patience);
            return Ok(None);
        }
        Ok(self.follower.next(patience)?)
    }

    /// The journal takes no frame any more, after a failed write. What was folded is written, if the same disk takes
    /// it, and questions are answered until somebody restarts the process.
    fn last_checkpoint(&mut self) {
        self.snapshot();
        if let Err(error) = self.checkpoint() {
            tracing::error!(error = causes(&error), "cannot write a last checkpoint; the journal keeps what it lacks");
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
                let error = causes(&error);
                tracing::warn!(error, "cannot load open actions; an answer goes without them");
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
        self.owed = self.owed.saturating_sub(started.elapsed());
        Ok(())
    }

    fn configuration(&mut self, frame: &Frame) -> Option<Configuration> {
        match Written::meaning_of(&frame.body) {
            Ok(configuration) => {
                self.keeper.remember(configuration.digest(), &frame.body);
                Some(configuration)
            }
            Err(error) => {
                let sequence = frame.sequence;
                tracing::error!(sequence, error, "cannot read a configuration frame; the one before stays in force");
                None
            }
        }
    }

    /// Brings back the turns that a step may touch. A loaded row may want another: those above it, one above another.
    /// What else it wants comes along with it.
    fn load(&mut self, now: Nanos, evidence: &[Evidence]) -> Result<(), FoldError> {
        let mut asked: BTreeSet<Want> = BTreeSet::new();
        for _ in 0..ROUNDS {
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
        if refused || self.ended || self.progress.folded < self.journal.synced() {
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
        self.keeper.checkpoint(&mut self.engine, self.progress.folded)
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

/// What pages stands in the log; the rest is a series and a list. Senders choose the names of their agents, so these
/// are quoted.
fn tell(event: &FindingEvent) {
    let FindingEvent { finding, action, agent, .. } = event;
    let Finding { rule, severity, state, .. } = finding;
    match severity {
        Severity::Page => tracing::info!(?rule, %severity, %state, %action, ?agent, "finding"),
        _ => tracing::debug!(?rule, %severity, %state, %action, ?agent, "finding"),
    }
}

#[cfg(test)]
mod tests {
    use std::io::{self, Write};
    use std::sync::Mutex;

    use tracing_subscriber::EnvFilter;

    use super::*;
    use crate::model::{ActionId, Class, FindingId, FindingState, Tenant, TurnId};

    /// What was logged.
    #[derive(Clone, Default)]
    struct Log(Arc<Mutex<Vec<u8>>>);

    impl Write for Log {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn logged(severity: Severity, agent: &str) -> String {
        let log = Log::default();
        let writer = log.clone();
        let subscriber = tracing_subscriber::fmt()
            .with_writer(move || writer.clone())
            .with_env_filter(EnvFilter::new("info"))
            .with_ansi(false)
            .finish();
        let finding = Finding {
            id: FindingId::default(),
            rule: "envelope.e.loud".into(),
            severity,
            class: Class::Security,
            state: FindingState::Open,
            tags: Vec::new(),
            envelope: None,
            message: "no".into(),
            evidence: Vec::new(),
            at: Nanos(1),
        };
        let (tenant, action, turn) = (Tenant::default(), ActionId::default(), TurnId::default());
        let event = FindingEvent { finding, tenant, action, agent: agent.into(), turn };
        tracing::subscriber::with_default(subscriber, || tell(&event));
        let text = log.0.lock().unwrap().clone();
        String::from_utf8(text).unwrap()
    }

    #[test]
    fn a_name_cannot_break_out_of_its_line() {
        let text = logged(Severity::Page, "ops\n2026-11-20 ERROR all is lost \u{1b}[31m");
        assert_eq!(text.lines().count(), 1, "{text}");
        assert!(text.contains("ops\\n2026") && !text.contains('\u{1b}'), "{text}");
    }

    #[test]
    fn what_pages_is_logged_and_the_rest_is_counted() {
        assert!(logged(Severity::Page, "ops").contains("envelope.e.loud"));
        for quiet in Severity::ALL.iter().filter(|severity| **severity != Severity::Page) {
            assert_eq!(logged(*quiet, "ops"), "");
        }
    }
}
