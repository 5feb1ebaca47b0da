//! Memory is a cache, and a checkpoint is no event: engine and store, driven together through a life that a seed draws.
//! After any frame rows may be written, all of them may leave memory, or the process may end and start again with what
//! the store has. Rows, counters and ledger have to be those of an engine that kept everything.
//!
//! `WHEREFORE_SEED=… cargo test simulation` repeats a life. What this does not prove: that bytes survive on the disk,
//! and that frames do; the journal has tests of its own.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use wherefore::catalogue::Metric;
use wherefore::engine::{Configuration, Engine, Input, Output, Want};
use wherefore::envelope;
use wherefore::export::{Format, exposition};
use wherefore::model::{Action, ActionId, Constants, Evidence, Nanos, Span};
use wherefore::store::{Published, Store};

use crate::support::differ::same;
use crate::support::load::{ENVELOPE, Story};
use crate::support::random::{Random, seed};

/// Short, so that deadlines pass between the records of one story.
const CONSTANTS: Constants = Constants {
    grace: Span::millis(200),
    idle: Span::seconds(1),
    ask: Span::seconds(3),
    live_lateness: Span::minutes(10),
    horizon: Span::hours(48),
    patches: Span::days(7),
    epoch: Span::hours(24),
    check_within: Span::seconds(1),
    contain_within: Span::seconds(2),
};

const STORIES: u64 = 50;
const LIVES: u64 = 20;
const BEGIN: Nanos = Nanos(1_795_000_000_000_000_000);

fn configuration() -> Configuration {
    let rules = envelope::parse(&[("production.yaml", ENVELOPE)]).expect("an envelope");
    Configuration { rules: rules.into(), constants: CONSTANTS, ..Configuration::default() }
}

/// A frame of the journal: when, and what.
#[derive(Clone)]
struct Frame {
    now: Nanos,
    what: What,
}

#[derive(Clone)]
enum What {
    Received(Vec<Evidence>),
    Tick,
    Restart,
}

impl Frame {
    fn evidence(&self) -> &[Evidence] {
        match &self.what {
            What::Received(evidence) => evidence,
            What::Tick | What::Restart => &[],
        }
    }

    fn input(&self) -> Input<'_> {
        match &self.what {
            What::Received(evidence) => Input::Evidence(evidence),
            What::Tick => Input::Tick,
            What::Restart => Input::Restart,
        }
    }
}

/// Stories of several agents, interleaved, some of them out of order, some records twice.
fn frames(random: &mut Random) -> Vec<Frame> {
    let mut waiting: Vec<Vec<Vec<Evidence>>> = Vec::new();
    for number in 0..STORIES {
        let story = Story::begins(number, BEGIN + Span::millis(100 * number));
        let mut requests: Vec<Vec<Evidence>> = story.requests().iter().map(|request| request.evidence()).collect();
        if random.below(3) == 0 {
            random.shuffle(&mut requests);
        }
        requests.reverse();
        waiting.push(requests);
    }
    let mut now = BEGIN + Span::millis(100 * STORIES);
    let mut frames = Vec::new();
    while !waiting.is_empty() {
        now = now + Span::millis(random.below(600));
        // The stories that began first are told first, about.
        let index = random.below(6.min(waiting.len() as u64)) as usize;
        let mut frame = |what| frames.push(Frame { now, what });
        match waiting[index].pop() {
            Some(evidence) => {
                if random.below(8) == 0 {
                    frame(What::Received(evidence.clone()));
                }
                frame(What::Received(evidence));
            }
            None => drop(waiting.remove(index)),
        }
        match random.below(12) {
            0..3 => frame(What::Tick),
            3 => frame(What::Restart),
            _ => {}
        }
    }
    frames
}

/// What a life came to.
#[derive(Debug, PartialEq)]
struct Outcome {
    rows: BTreeMap<String, String>,
    series: BTreeMap<String, String>,
    ledger: BTreeMap<String, String>,
}

fn outcome(engine: &Engine, actions: &BTreeMap<ActionId, Action>) -> Outcome {
    let rows =
        actions.values().map(|action| (action.id.to_string(), serde_json::to_string_pretty(action).expect("a record")));
    let mut samples = engine.samples();
    samples.retain(|sample| sample.metric != Metric::ClockSkew);
    let text = exposition(&samples, Format::OpenMetrics);
    let series = text.lines().filter_map(|line| line.rsplit_once(' '));
    let ledger = engine.ledger().cells().map(|(key, cell)| (format!("{key:?}"), format!("{cell:?}")));
    Outcome {
        rows: rows.collect(),
        series: series.map(|(name, value)| (name.to_owned(), value.to_owned())).collect(),
        ledger: ledger.collect(),
    }
}

/// Everything in memory, always.
fn undisturbed(frames: &[Frame]) -> Outcome {
    let mut engine = Engine::new(configuration());
    let mut actions = BTreeMap::new();
    let mut step = |engine: &mut Engine, now: Nanos, input: Input<'_>| {
        let output = engine.step(now, input);
        actions.extend(output.actions.into_iter().map(|action| (action.id, action)));
    };
    for frame in frames {
        step(&mut engine, frame.now, frame.input());
    }
    while let Some(due) = engine.next_due() {
        step(&mut engine, due, Input::Tick);
    }
    outcome(&engine, &actions)
}

/// An engine with a store, and what was published since the last commit.
struct Life<'a> {
    dir: &'a Path,
    store: Option<Store>,
    engine: Engine,
    published: Vec<Published>,
    actions: BTreeMap<ActionId, Action>,
    /// Every frame so far, deadlines' ticks among them; positions begin at 1.
    journal: Vec<Frame>,
}

impl<'a> Life<'a> {
    fn begin(dir: &'a Path) -> Self {
        let store = Store::open(dir).expect("a new store").store;
        let engine = Engine::new(configuration());
        Self { dir, store: Some(store), engine, published: Vec::new(), actions: BTreeMap::new(), journal: Vec::new() }
    }

    fn store(&mut self) -> &mut Store {
        self.store.as_mut().expect("a store")
    }

    fn receive(&mut self, frame: Frame) {
        self.journal.push(frame.clone());
        self.fold(self.journal.len() as u64, &frame);
    }

    fn fold(&mut self, position: u64, frame: &Frame) {
        let mut asked = BTreeSet::new();
        loop {
            let wants: BTreeSet<_> =
                self.engine.wants(frame.now, frame.evidence()).difference(&asked).cloned().collect();
            if wants.is_empty() {
                break;
            }
            self.bring(&wants);
            asked.extend(wants);
        }
        let output = self.engine.step(frame.now, frame.input());
        self.actions.extend(output.actions.iter().map(|action| (action.id, action.clone())));
        if output != Output::default() {
            self.published.push(Published { position, output });
        }
    }

    fn bring(&mut self, wants: &BTreeSet<Want>) {
        let store = self.store.as_ref().expect("a store");
        let rows = store.load_without(wants, |turn| self.engine.holds(turn));
        self.engine.load(rows.expect("the store can be read"));
    }

    fn checkpoint(&mut self) {
        let changes = self.engine.checkpoint();
        let (applied, published) = (self.journal.len() as u64, std::mem::take(&mut self.published));
        self.store().commit(applied, &changes, &published, &[]).expect("a commit");
    }

    /// The disk refuses a checkpoint: what changed is kept for the next.
    fn refused(&mut self) {
        let changes = self.engine.checkpoint();
        self.engine.changed_again(&changes);
    }

    /// Somebody asks about open actions.
    fn asked(&mut self) {
        let wants = self.engine.open_elsewhere(100);
        self.bring(&wants);
    }

    fn evict(&mut self, budget: usize) {
        self.checkpoint();
        self.engine.evict(budget);
    }

    /// The process ends without a word, and another folds what no checkpoint has.
    fn crash(&mut self) {
        self.store = None;
        self.published.clear();
        let opened = Store::open(self.dir).expect("the store can be opened");
        let (applied, small) = opened.checkpoint.unwrap_or_default();
        self.engine = match applied {
            0 => Engine::new(configuration()),
            _ => {
                let known = vec![(configuration().digest(), configuration())];
                Engine::restore(small, known, opened.dues, opened.ledger, opened.incidents, opened.notes)
            }
        };
        self.store = Some(opened.store);
        let tail: Vec<Frame> = self.journal[applied as usize..].to_vec();
        for (index, frame) in tail.iter().enumerate() {
            self.fold(applied + 1 + index as u64, frame);
        }
    }

    fn disturb(&mut self, random: &mut Random) {
        match random.below(14) {
            0 | 1 => self.checkpoint(),
            2 | 3 => self.evict(0),
            4 => self.evict(random.below(40_000) as usize),
            5 => self.crash(),
            6 => self.refused(),
            7 => self.asked(),
            _ => {}
        }
    }
}

fn disturbed(frames: &[Frame], random: &mut Random, dir: &Path) -> Outcome {
    let mut life = Life::begin(dir);
    for frame in frames {
        life.receive(frame.clone());
        life.disturb(random);
    }
    while let Some(due) = life.engine.next_due() {
        life.receive(Frame { now: due, what: What::Tick });
        life.disturb(random);
    }
    outcome(&life.engine, &life.actions)
}

#[test]
fn what_a_life_comes_to_does_not_depend_on_checkpoints_evictions_and_crashes() {
    let seed = seed();
    println!("seed {seed}");
    let lives = std::env::var("WHEREFORE_LIVES").ok().and_then(|lives| lives.parse().ok()).unwrap_or(LIVES);
    for seed in seed..seed + lives {
        let frames = frames(&mut Random(seed));
        let want = undisturbed(&frames);
        let dir = tempfile::tempdir().expect("a temporary directory");
        let found = disturbed(&frames, &mut Random(!seed), dir.path());
        same(&want.rows, &found.rows, &format!("seed {seed}: rows"));
        same(&want.series, &found.series, &format!("seed {seed}: series"));
        same(&want.ledger, &found.ledger, &format!("seed {seed}: ledger"));
    }
}
