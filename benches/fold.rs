//! The engine: what a span costs until everything about it is settled, whether that stays so in a turn of ten thousand
//! actions, and in a conversation that repeats itself in every model call.

use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use wherefore::engine::{Configuration, Engine, Input};
use wherefore::envelope;
use wherefore::model::{Evidence, Nanos, Role, Signal, Span as Time, Tenant};
use wherefore::pipeline::evidence_of;

use crate::cpu::{self, Cost, measure_runs, per};
use crate::payload::{self, Content, SPANS, Shape, Turn};
use crate::table::{Rows, number, share};
use crate::view::prost;

const START: Nanos = Nanos(1_767_225_600_000_000_000);
/// Requests of one run: ten thousand spans, a thousand turns.
const REQUESTS: usize = 100;
const RUNS: usize = 5;

/// The evidence of one frame, and the journal's clock at it.
type Frame = (Nanos, Vec<Evidence>);

pub fn run() {
    let mut rows = Rows::new(
        "engine: CPU seconds per million spans to the last deadline, in brackets as a share of prost decode + drop",
        &["step", "rich", "lean"],
    );
    let sets = Content::BOTH.map(|content| payload::requests(content, REQUESTS, START));
    let prost = sets.each_ref().map(|set| prost(set));
    let frames = sets.each_ref().map(|set| set.iter().map(frame).collect::<Vec<_>>());
    for (step, configuration) in [("no envelope", Configuration::default()), ("an envelope", guarded())] {
        let costs = frames.each_ref().map(|frames| whole(&configuration, frames));
        let cell = |at: usize| share(costs[at].micros, prost[at].micros);
        rows.row([step.to_owned(), cell(0), cell(1)]);
    }
    rows.print();
}

/// The cost per piece of evidence in long turns beside short ones: at most twice as much is wanted. Calls without an id
/// are compared with each other, up to 256 of them, so turns just below that are the ones to watch.
pub fn growth() {
    const SIZES: [usize; 3] = [10, 250, 10_000];
    let mut rows = Rows::new(
        "long turns: CPU microseconds per piece of evidence, ten thousand actions in turns of …, in brackets as a \
         multiple of the first",
        &["calls", "10 actions", "250 actions", "10,000 actions"],
    );
    for (name, call_ids, retrievals) in
        [("with call ids", true, false), ("without", false, false), ("with call ids, a retrieval each", true, true)]
    {
        let shape = Shape { call_ids, history: false, result: 100, pace: Time::seconds(1) };
        let costs = SIZES.map(|actions| {
            let frames = long_turns(10_000 / actions, actions, shape, retrievals);
            let pieces = frames.iter().map(|(_, evidence)| evidence.len()).sum();
            let fresh = || Engine::new(Configuration::default());
            measure_runs(pieces, 1, fresh, |engine| fold(engine, &frames)).micros
        });
        rows.row([name.to_owned()].into_iter().chain(costs.map(|cost| share(cost, costs[0]))));
    }
    rows.print();
}

/// Turns one after another, ten spans in a frame.
fn long_turns(turns: usize, actions: usize, shape: Shape, retrievals: bool) -> Vec<Frame> {
    let mut spans = Vec::new();
    for number in 0..turns {
        let start = START + Time(shape.pace.0 * 3 * (number * actions) as u64);
        let mut turn = Turn::new(Content::Rich, number as u64, start, shape);
        for _ in 0..actions {
            spans.extend(retrievals.then(|| turn.retrieval()));
            spans.extend(turn.step());
        }
        spans.push(turn.root());
    }
    spans.chunks(10).map(|spans| frame(&payload::encode(spans.to_vec()))).collect()
}

/// A turn of two thousand model calls, each of which repeats all that was said.
pub fn conversation() {
    const CALLS: usize = 2_000;
    const WINDOW: usize = 200;
    let mut rows = Rows::new(
        "one conversation, two thousand model calls: CPU microseconds per call with its tool call",
        &["calls", "KiB of messages", "dialect", "engine", "both, per KiB"],
    );
    let shape = Shape { result: 200, pace: Time::seconds(1), ..Shape::default() };
    let mut turn = Turn::new(Content::Rich, 0, START, shape);
    let mut engine = Engine::new(Configuration::default());
    for window in 0..CALLS / WINDOW {
        let (mut dialect, mut folded, mut bytes) = (Duration::ZERO, Duration::ZERO, 0);
        for _ in 0..WINDOW {
            let body = payload::encode(turn.step().into());
            bytes += body.len();
            let (spent, (now, evidence)) = cpu::of(|| frame(&body));
            dialect += spent;
            folded += cpu::of(|| black_box(engine.step(now, Input::Evidence(&evidence)))).0;
        }
        let kib = bytes as f64 / WINDOW as f64 / 1024.0;
        let [dialect, folded] = [dialect, folded].map(|spent| per(spent, WINDOW).micros);
        rows.row([
            format!("{}–{}", window * WINDOW + 1, (window + 1) * WINDOW),
            number(kib),
            number(dialect),
            number(folded),
            number((dialect + folded) / kib),
        ]);
    }
    rows.print();
}

/// What the fold of these frames costs, to the last deadline.
fn whole(configuration: &Configuration, frames: &[Frame]) -> Cost {
    let fresh = || Engine::new(configuration.clone());
    measure_runs(frames.len() * SPANS, RUNS, fresh, |engine| fold(engine, frames))
}

/// Folds frames and lets every deadline pass.
pub fn fold(mut engine: Engine, frames: &[Frame]) {
    for (now, evidence) in frames {
        black_box(engine.step(*now, Input::Evidence(evidence)));
    }
    while let Some(due) = engine.next_due() {
        black_box(engine.step(due, Input::Tick));
    }
}

/// What a request says, a second after it ended.
pub fn frame(body: &Bytes) -> Frame {
    let evidence = evidence_of(&Tenant::default(), Role::default(), Signal::Traces, body);
    let end = evidence.iter().map(|evidence| evidence.end).max().unwrap_or(START);
    (end + Time::seconds(1), evidence)
}

/// An envelope that every tool call has to be held against.
fn guarded() -> Configuration {
    let text = "envelope: orders\nagent: \"*\"\neffects: { \"update_*\": update, \"delete_*\": delete }\nforbid:\n  \
        - id: no-deletes\n    tool: [\"delete_*\", \"drop_*\"]\n    mode: enforce\n    severity: page\n";
    let rules = envelope::parse(&[("orders.yaml", text)]).expect("our own envelope");
    Configuration { rules: Arc::new(rules), ..Configuration::default() }
}
