//! The engine alone: records in, rows and numbers out. Each test tells one small life, in seconds after
//! [`sample::at`]'s zero. What this does not prove: anything about order or restarts; `tests/it/sets.rs` and
//! `tests/it/simulation.rs` do.

mod at_once;
mod flat;
mod late;
mod learnt;
mod merged;

use std::collections::BTreeMap;

use super::*;
use crate::model::sample::{self, at};
use crate::model::*;

/// A record: the sender's own word, by `shop/agent`, in trace `trace`.
fn record(trace: u8, span: u32, parent: Option<u32>, node: Node, (start, end): (u64, u64)) -> Evidence {
    let id = |span: u32| {
        let mut id = [1; 8];
        id[..4].copy_from_slice(&span.to_be_bytes());
        SpanId(id)
    };
    Evidence {
        id: EvidenceId([0; 16]),
        tenant: Tenant::default(),
        role: Role::Unspecified,
        service: sample::service("agent"),
        service_version: None,
        instrumentation: "tests".into(),
        dialect: "tests",
        node,
        trace: Some(TraceId([trace; 16])),
        span: Some(id(span)),
        parent: parent.map(id),
        remote_parent: false,
        links: Vec::new(),
        start: at(start),
        end: at(end),
        sampled: false,
        facts: Vec::new(),
        bodies: Vec::new(),
    }
}

trait Says: Sized {
    fn says(self, what: What) -> Self;
}

impl Says for Evidence {
    fn says(mut self, what: What) -> Self {
        self.facts.push(Fact { provenance: Provenance::Dialect, what });
        self
    }
}

/// A call of `delete_row` with parameters `{}`.
fn call(moment: Moment, id: Option<&str>) -> What {
    let arguments = Known::Value(sample::text("{}"));
    What::Call(Box::new(Call {
        id: id.map(Into::into),
        tool: Some("delete_row".into()),
        arguments,
        ..Call::new(moment)
    }))
}

fn ran() -> Moment {
    Moment::Ran { status: Status::Fine, proof: Proof::Ran }
}

/// The agent's own span: the root of a trace.
fn root(trace: u8, end: u64) -> Evidence {
    record(trace, 1, None, Node::Agent, (0, end))
}

/// A tool's span, which ran from one second before `end`.
fn tool(trace: u8, span: u32, end: u64) -> Evidence {
    record(trace, span, Some(1), Node::Tool, (end - 1, end)).says(call(ran(), Some("c1")))
}

/// An evaluator's record that the call `c1` went well, at a second.
fn evaluation(trace: u8, second: u64) -> Evidence {
    let check = Check { at: at(second), call_id: Some("c1".into()), ..sample::check("row_gone", CheckResult::Pass) };
    let said = record(trace, 80, Some(1), Node::Check, (second, second)).says(What::Check(Box::new(check)));
    Evidence { role: Role::Evaluator, service: sample::service("probe"), ..said }
}

/// One envelope that forbids `delete_row`.
fn forbidding() -> Configuration {
    let envelope = "envelope: tables\nforbid:\n  - id: no-deletes\n    tool: delete_row\n";
    let rules = crate::envelope::parse(&[("tables.yaml", envelope)]).expect("an envelope");
    Configuration { rules: rules.into(), ..Configuration::default() }
}

/// An engine and what it published: the last row of every action, and every event.
struct Life {
    engine: Engine,
    rows: BTreeMap<ActionId, Action>,
    events: Vec<FindingEvent>,
}

impl Life {
    fn of(configuration: Configuration) -> Self {
        Self { engine: Engine::new(configuration), rows: BTreeMap::new(), events: Vec::new() }
    }

    /// A frame that arrives at a second. Everything that was due before has happened by then.
    fn arrives(&mut self, second: u64, evidence: impl IntoIterator<Item = Evidence>) {
        self.passes(second);
        let evidence: Vec<Evidence> = evidence.into_iter().map(identified).collect();
        self.step(at(second), Input::Evidence(&evidence));
    }

    /// Time passes up to a second, with a tick at every deadline.
    fn passes(&mut self, second: u64) {
        while let Some(due) = self.engine.next_due().filter(|due| *due <= at(second)) {
            self.step(due, Input::Tick);
        }
    }

    fn step(&mut self, now: Nanos, input: Input<'_>) {
        let output = self.engine.step(now, input);
        denials_agree(&self.engine);
        self.rows.extend(output.actions.into_iter().map(|action| (action.id, action)));
        self.events.extend(output.findings);
    }

    /// The rows that are no tombstones.
    fn live(&self) -> Vec<&Action> {
        self.rows.values().filter(|action| !action.marks.merged).collect()
    }

    /// A live counter over all its series.
    fn counted(&self, metric: Metric) -> u64 {
        self.engine.counters().series().filter(|(it, ..)| *it == metric).map(|(.., series)| series.value).sum()
    }

    /// What the ledger holds: seconds of each slice, and how many actions it has of all SLIs.
    fn ledger(&self) -> BTreeMap<u64, u64> {
        let mut slices = BTreeMap::new();
        for (key, cell) in self.engine.ledger().cells() {
            *slices.entry(key.slice.since(at(0)).0 / 1_000_000_000).or_default() += cell.total();
        }
        slices
    }
}

/// The index of denied attempts holds each action once, under its living id, and the action knows where.
fn denials_agree(engine: &Engine) {
    let known: BTreeSet<String> = engine
        .turns
        .iter()
        .flat_map(|(turn, books)| {
            let attempts =
                books.denied.iter().flat_map(|((tool, about), slot)| slot.iter().map(move |it| (tool, about, it)));
            attempts.map(move |(tool, about, (start, id))| format!("{id} {turn:?} {tool} {about} {start}"))
        })
        .collect();
    let said = engine.accounts.values().filter_map(|account| {
        let Denial { turn, tool, about, start } = account.denial.as_ref()?;
        Some(format!("{} {turn:?} {tool} {about} {start}", account.id?))
    });
    assert_eq!(known, said.collect());
}

/// As on the wire: what a record says names it.
fn identified(evidence: Evidence) -> Evidence {
    let digest = values::digest_bytes(format!("{evidence:?}").as_bytes());
    let mut id = [0; 16];
    id.copy_from_slice(&digest.bytes.0[..16]);
    Evidence { id: EvidenceId(id), ..evidence }
}
