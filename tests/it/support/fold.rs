//! The fold without a process: one engine in memory over a journal's frames, with the clock that they were stamped
//! with.
//! Nothing is ever written, loaded or restarted, so it is what a disturbed process has to come to.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use wherefore::engine::{Configuration, Engine, Input, Output};
use wherefore::journal::{Frame, Kind, Reader};
use wherefore::model::{Action, ActionId, Evidence, EvidenceId, Nanos, Signal, Span};
use wherefore::pipeline::{Written, evidence_of};

/// One engine that never stopped.
pub struct Undisturbed {
    pub engine: Engine,
    /// The last row of every action; tombstones are left out.
    pub actions: BTreeMap<ActionId, Action>,
    /// Every record that was folded.
    pub records: BTreeSet<EvidenceId>,
    pub frames: u64,
}

impl Undisturbed {
    fn new() -> Self {
        Self {
            engine: Engine::new(Configuration::default()),
            actions: BTreeMap::new(),
            records: BTreeSet::new(),
            frames: 0,
        }
    }

    fn step(&mut self, now: Nanos, input: Input<'_>) {
        let Output { actions, .. } = self.engine.step(now, input);
        for action in actions {
            if action.marks.merged {
                self.actions.remove(&action.id);
            } else {
                self.actions.insert(action.id, action);
            }
        }
    }

    fn frame(&mut self, now: Nanos, frame: &Frame) {
        self.frames += 1;
        let evidence = evidence(frame);
        self.records.extend(evidence.iter().map(|record| record.id));
        match frame.kind {
            Kind::Traces | Kind::Logs => self.step(now, Input::Evidence(&evidence)),
            Kind::Config => self.step(now, Input::Configure(configuration(frame))),
            Kind::Restart => self.step(now, Input::Restart),
            Kind::Tick => self.step(now, Input::Tick),
        }
    }

    /// What every name of an action resolves to, without what may differ between two runs.
    pub fn by_alias(&self) -> BTreeMap<String, String> {
        let named = |action: &Action| {
            let said = said(action);
            action.keys.iter().map(|key| (key.to_string(), said.clone())).collect::<Vec<_>>()
        };
        self.actions.values().flat_map(named).collect()
    }

    /// The ledger: good, bad, unknown per slice, tenant, SLI and agent.
    pub fn ledger(&self) -> BTreeMap<String, [u64; 3]> {
        let cells = self.engine.ledger().cells();
        cells.map(|(key, cell)| (format!("{key:?}"), [cell.good, cell.bad, cell.unknown])).collect()
    }
}

/// Every frame of a journal, restarts and repetitions among them, followed while it grows.
pub struct Follower {
    reader: Reader,
    pub run: Undisturbed,
}

impl Follower {
    pub fn open(journal: &Path) -> Self {
        Self { reader: Reader::open(journal, 0).expect("the journal can be read"), run: Undisturbed::new() }
    }

    /// Folds what has been written since.
    pub fn follow(&mut self) {
        for frame in self.reader.by_ref() {
            let frame = frame.expect("a whole frame");
            self.run.frame(frame.now, &frame);
        }
    }
}

/// What the same records come to when each request is sent once, to a process that is never down: every deadline
/// passes, nothing is repeated, and the time during which the journal was not written does not exist.
pub fn sent_once(journal: &Path) -> Undisturbed {
    let mut run = Undisturbed::new();
    let mut seen = BTreeSet::new();
    let (mut last, mut down) = (Nanos(0), Span(0));
    for frame in Reader::open(journal, 0).expect("the journal can be read") {
        let frame = frame.expect("a whole frame");
        if frame.kind == Kind::Restart {
            down = Span(down.0 + frame.now.since(last).0);
        }
        last = frame.now;
        let repeated = frame.kind.is_received() && !seen.insert(frame.body.clone());
        if repeated || matches!(frame.kind, Kind::Restart | Kind::Tick) {
            continue;
        }
        let now = frame.now - down;
        run.pass(Some(now));
        run.frame(now, &frame);
    }
    run.pass(None);
    run
}

impl Undisturbed {
    /// Lets the deadlines up to a time pass, one by one; without a time, all of them.
    fn pass(&mut self, until: Option<Nanos>) {
        while let Some(due) = self.engine.next_due().filter(|due| until.is_none_or(|until| *due <= until)) {
            self.step(due, Input::Tick);
        }
    }
}

/// A record without id, revision, and the ids of others.
pub fn said(action: &Action) -> String {
    let mut action = action.clone();
    action.id = ActionId::default();
    action.revision = 0;
    action.retry_of = action.retry_of.map(|_| ActionId::default());
    for finding in &mut action.findings {
        finding.id = Default::default();
    }
    serde_json::to_string_pretty(&action).expect("a record")
}

fn evidence(frame: &Frame) -> Vec<Evidence> {
    let signal = match frame.kind {
        Kind::Traces => Signal::Traces,
        Kind::Logs => Signal::Logs,
        Kind::Config | Kind::Restart | Kind::Tick => return Vec::new(),
    };
    evidence_of(&frame.tenant, frame.role, signal, &frame.body)
}

fn configuration(frame: &Frame) -> Configuration {
    let written = Written::from_bytes(&frame.body).expect("a configuration of this version");
    written.meaning().unwrap_or_else(|mistakes| panic!("{}", mistakes[0]))
}
