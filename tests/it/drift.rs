//! A framework's update that loses a field: a real recording told many times over, then again by a new version of its
//! instrumentation. What is told of it names scope, version and field; without a loss nothing is told; and restarts
//! change neither what is told nor what is learnt, through a real store.
//!
//! What this does not prove: that other agents under a new version make no false alarm. Here all are the same.

use std::collections::BTreeMap;

use serde_json::Value as Json;
use wherefore::engine::{Configuration, Engine, FindingEvent, Input, Profile};
use wherefore::model::{Class, Evidence, Field, FindingState, Nanos, Role, Severity, Signal, Sli, Span, Tenant, Value};
use wherefore::pipeline::evidence_of;
use wherefore::store::{Opened, Published, Store};
use wherefore::wire::json;

use crate::support::recordings::recordings;

/// How often each version speaks: more than it takes to be believed.
const TIMES: u64 = 36;
const EVERY: Span = Span::minutes(30);

// ── what is told ─────────────────────────────────────────────────────────────────────────────────────────────────

/// How a recording is told: by which version, with what replaced in its text.
#[derive(Clone, Copy)]
struct Telling {
    recording: &'static str,
    version: &'static str,
    replaced: &'static [(&'static str, &'static str)],
}

const OLD: Telling = Telling { recording: "pydantic-ai/01-benign", version: "2.68.0", replaced: &[] };
const SAME: Telling = Telling { version: "2.69.0", ..OLD };
/// Arguments of calls, on spans and in messages, under a name that no convention has.
const RENAMED: Telling =
    Telling { replaced: &[("tool.call.arguments", "tool.call.inputs"), (r#"\"arguments\""#, r#"\"inputs\""#)], ..SAME };
/// The same agent with content capture off.
const MUTE: Telling = Telling { recording: "pydantic-ai/01-benign-nocontent", ..SAME };

/// One telling of a recording, as evidence: with ids of its own, `number` half hours after it was recorded.
fn told(telling: Telling, number: u64) -> Vec<Evidence> {
    let recordings = recordings();
    let recording = recordings.iter().find(|it| it.name() == telling.recording).expect("the recording is there");
    let mut names = BTreeMap::new();
    let mut evidence = Vec::new();
    for (signal, line) in recording.lines() {
        let mut request: Json = serde_json::from_str(&line).expect("OTLP/JSON");
        rewrite(&mut request, "", telling.version, number, &mut names);
        // In attributes and in messages alike.
        let text = request.to_string().replace("\"call_", &format!("\"call_{number}_"));
        let text = telling.replaced.iter().fold(text, |text, (old, new)| text.replace(old, new));
        evidence.extend(read(signal, &text));
    }
    evidence
}

fn read(signal: Signal, text: &str) -> Vec<Evidence> {
    let request = json::to_protobuf(signal, text.as_bytes()).expect("OTLP/JSON");
    evidence_of(&Tenant::default(), Role::Unspecified, signal, &request.body.into())
}

/// Gives traces and spans new ids, moves times, and names the version of the agent's scope.
fn rewrite(node: &mut Json, key: &str, version: &str, number: u64, names: &mut BTreeMap<String, String>) {
    match node {
        Json::Object(fields) => {
            if fields.get("name").is_some_and(|name| name == "pydantic-ai") && fields.contains_key("version") {
                fields.insert("version".to_owned(), version.into());
            }
            fields.iter_mut().for_each(|(key, node)| rewrite(node, key, version, number, names));
        }
        Json::Array(nodes) => nodes.iter_mut().for_each(|node| rewrite(node, key, version, number, names)),
        Json::String(text) if key.ends_with("UnixNano") => {
            let at: u64 = text.parse().expect("nanoseconds");
            *text = (at + EVERY.0 * number).to_string();
        }
        Json::String(id) if ["traceId", "spanId", "parentSpanId"].contains(&key) && !id.is_empty() => {
            let new = || blake3::hash(format!("{number} {id}").as_bytes()).to_hex()[..id.len()].to_owned();
            let new = names.entry(id.clone()).or_insert_with(new).clone();
            *id = new;
        }
        _ => {}
    }
}

// ── a fold with a store ──────────────────────────────────────────────────────────────────────────────────────────

struct Life {
    dir: tempfile::TempDir,
    store: Option<Store>,
    engine: Engine,
    position: u64,
    now: Nanos,
    published: Vec<Published>,
    findings: Vec<FindingEvent>,
    /// The last value and reason that each action's lineage was judged with, in the order of their ends.
    lineages: BTreeMap<(Nanos, String), (Value, String)>,
}

fn learning() -> Configuration {
    Configuration { learning: true, ..Configuration::default() }
}

impl Life {
    fn begins() -> Self {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let store = Store::open(dir.path()).expect("a new store").store;
        Self {
            dir,
            store: Some(store),
            engine: Engine::new(learning()),
            position: 0,
            now: Nanos(0),
            published: Vec::new(),
            findings: Vec::new(),
            lineages: BTreeMap::new(),
        }
    }

    /// Folds a request when it has ended, and lets the deadlines up to then pass.
    fn hears(&mut self, evidence: &[Evidence]) {
        let end = evidence.iter().map(|record| record.end).max().unwrap_or_default();
        self.waits(end);
        self.step(end, Input::Evidence(evidence));
    }

    fn waits(&mut self, until: Nanos) {
        while let Some(due) = self.engine.next_due().filter(|due| *due <= until) {
            self.step(due, Input::Tick);
        }
    }

    fn step(&mut self, at: Nanos, input: Input<'_>) {
        self.now = self.now.max(at);
        let evidence: &[Evidence] = match &input {
            Input::Evidence(evidence) => evidence,
            _ => &[],
        };
        let wants = self.engine.wants(self.now, evidence);
        let store = self.store.as_mut().expect("it is open");
        self.engine.load(store.load(&wants).expect("the store can be read"));
        let output = self.engine.step(self.now, input);
        self.findings.extend(output.findings.iter().cloned());
        for action in &output.actions {
            if let Some(verdict) = action.verdict(Sli::LineageComplete) {
                let at = (action.end, action.keys[0].to_string());
                self.lineages.insert(at, (verdict.value, verdict.reason.to_string()));
            }
        }
        self.position += 1;
        self.published.push(Published { position: self.position, output });
    }

    /// The process ends after a checkpoint, and another goes on from the disk.
    fn restarts(&mut self) {
        let mut store = self.store.take().expect("it is open");
        let (changes, published) = (self.engine.checkpoint(), std::mem::take(&mut self.published));
        store.commit(self.position, &changes, &published, &[]).expect("committed");
        drop(store);
        let Opened { store, checkpoint, dues, ledger, incidents, notes, .. } =
            Store::open(self.dir.path()).expect("the store opens again");
        let (position, small) = checkpoint.expect("it was committed");
        assert_eq!(position, self.position);
        let configurations = vec![(learning().digest(), learning())];
        self.engine = Engine::restore(small, configurations, dues, ledger, incidents, notes);
        self.store = Some(store);
    }

    fn profiles(&self) -> Vec<Profile> {
        self.engine.profiles().all().cloned().collect()
    }

    fn open(&self) -> Vec<&FindingEvent> {
        self.findings.iter().filter(|event| event.finding.state == FindingState::Open).collect()
    }
}

/// The old version, then another; with a restart after every so many tellings, if any.
fn lived(then: Telling, restarts: Option<u64>) -> Life {
    let mut life = Life::begins();
    for number in 0..2 * TIMES {
        let telling = if number < TIMES { OLD } else { then };
        let evidence = told(telling, number);
        evidence.chunks(7).for_each(|records| life.hears(records));
        if restarts.is_some_and(|every| number % every == 0) {
            life.restarts();
        }
    }
    life.waits(Nanos(u64::MAX));
    life
}

// ── what has to come of it ───────────────────────────────────────────────────────────────────────────────────────

#[test]
fn arguments_under_another_name_are_told_with_scope_version_and_field() {
    let life = lived(RENAMED, None);
    let [event] = life.open()[..] else { panic!("{:#?}", life.open()) };
    let finding = &event.finding;
    assert_eq!(&*finding.rule, "telemetry_regression.parameters");
    assert_eq!((finding.severity, finding.class), (Severity::Ticket, Class::Reliability));
    for part in ["`pydantic-ai` 2.69.0 fills parameters in 0 of ", "(0.0 %), 2.68.0 did in ", "(100.0 %)"] {
        assert!(finding.message.contains(part), "{}", finding.message);
    }
    assert!(!finding.evidence.is_empty());
    assert_eq!(life.findings.len(), 1, "told once, and not taken back");

    // What the new version has shown is what it owes, so nothing it lacks is bad by itself.
    let known = life.engine.instrumentations(None).profiles;
    let asks = |version: &str| {
        let shown = known.iter().find(|it| (&*it.profile.scope, &*it.profile.version) == ("pydantic-ai", version));
        shown.expect("it has a profile").asks.clone()
    };
    assert!(asks("2.68.0").contains(&Field::Parameters) && asks("2.68.0").contains(&Field::Output));
    assert!(!asks("2.69.0").contains(&Field::Parameters) && asks("2.69.0").contains(&Field::Output));
    assert!(!asks("2.68.0").contains(&Field::Policy), "no convention carries it");
}

#[test]
fn a_new_version_that_fills_the_same_is_not_told_and_its_lineages_become_good() {
    let life = lived(SAME, None);
    assert_eq!(life.findings, []);
    let first = life.lineages.values().next().expect("an action");
    assert_eq!((first.0, &*first.1), (Value::Unknown, "not_learnt"));
    let last = life.lineages.values().last().expect("an action");
    assert_eq!((last.0, &*last.1), (Value::Good, "complete"));
}

#[test]
fn a_content_switch_turned_off_is_told_as_what_it_is() {
    let life = lived(MUTE, None);
    let open = life.open();
    let of = |field: &str| open.iter().find(|event| *event.finding.rule == *format!("telemetry_regression.{field}"));
    for field in ["parameters", "output", "intent"] {
        let message = &of(field).unwrap_or_else(|| panic!("{field}: {open:#?}")).finding.message;
        assert!(message.ends_with("it is withheld: content capture was switched off there"), "{message}");
    }
    assert!(of("tool").is_none());
}

#[test]
fn restarts_change_nothing_of_it() {
    let want = lived(RENAMED, None);
    for every in [1, 5, 37] {
        let got = lived(RENAMED, Some(every));
        assert_eq!(got.findings, want.findings, "a restart after every {every}");
        assert_eq!(got.profiles(), want.profiles(), "a restart after every {every}");
        assert_eq!(got.lineages, want.lineages, "a restart after every {every}");
    }
}
