//! Sets, not sequences: what a recording comes to does not depend on how its records arrive.
//!
//! Every recording is split into single records, which are then shuffled, doubled, spread over the horizon with ticks
//! between, cut by restarts, killed, evicted, and interleaved with another recording. What every alias resolves to, the
//! ledger, the findings that stand by what was told of them last, and the incidents must equal the undisturbed run; and
//! what was told last must be what the last rows say. `support::told` says what the last state is. A seed that fails is
//! printed and replays: `WHEREFORE_SEED=… cargo test sets`.
//! What this does not prove: live counters, which follow processing order by design.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use wherefore::engine::parts::{Incident, Pin, Place};
use wherefore::engine::{
    Account, BoardKey, Changes, Configuration, Due, Engine, Input, Output, TurnAccount, TurnRow, Want,
};
use wherefore::lineage::{ActionState, Handle, TurnState, assemble};
use wherefore::model::{Action, ActionId, Class, Evidence, IncidentId, Nanos, Role, Severity, Span, Tenant, TraceId};
use wherefore::model::{Turn, TurnId};
use wherefore::pipeline::evidence_of;
use wherefore::sli::{Cell, LedgerKey};

use super::lineage::random_turn;
use crate::support::differ::differences;
use crate::support::fold::said;
use crate::support::load::Story;
use crate::support::random::{Random, seed};
use crate::support::recordings::{Recording, read_recordings, recordings};
use crate::support::told::{Told, in_rows, incident};

fn evidence(recording: &Recording) -> Vec<Evidence> {
    let read = |(signal, body)| evidence_of(&Tenant::default(), Role::Unspecified, signal, &body);
    recording.requests().into_iter().flat_map(read).collect()
}

/// What a run came to, without what may differ: ids, revisions, tombstones.
#[derive(Debug, Default, PartialEq)]
pub struct Result {
    by_alias: BTreeMap<String, String>,
    turns: BTreeMap<TurnId, String>,
    ledger: BTreeMap<LedgerKey, (u64, u64, u64)>,
    /// Severity and class of each finding that stands, by a name of its call and its rule, as told.
    findings: BTreeMap<(String, String), (Severity, Class)>,
    incidents: BTreeMap<IncidentId, String>,
}

/// Rows in memory: what the store does, without a disk.
#[derive(Default)]
struct Rows {
    turns: BTreeMap<TurnId, (Arc<TurnState>, TurnAccount)>,
    actions: BTreeMap<Handle, (Arc<ActionState>, Account)>,
    wants: BTreeMap<Want, BTreeSet<TurnId>>,
    dues: BTreeMap<Due, Nanos>,
    ledger: BTreeMap<LedgerKey, Cell>,
    incidents: BTreeMap<IncidentId, Incident>,
    notes: BTreeMap<(BoardKey, Place), Pin>,
    changes: Changes,
}

impl Rows {
    fn commit(&mut self, changes: Changes) {
        for (state, account) in &changes.turns {
            self.turns.insert(state.id, (state.clone(), account.clone()));
        }
        for (state, account) in &changes.actions {
            self.actions.insert(state.handle, (state.clone(), account.clone()));
        }
        for handle in &changes.gone {
            self.actions.remove(handle);
        }
        for (want, turn) in &changes.wants {
            self.wants.entry(want.clone()).or_default().insert(*turn);
        }
        for (due, at) in &changes.dues {
            match at {
                Some(at) => drop(self.dues.insert(*due, *at)),
                None => drop(self.dues.remove(due)),
            }
        }
        self.ledger.extend(changes.ledger.iter().cloned());
        for (id, incident) in &changes.incidents {
            match incident {
                Some(incident) => drop(self.incidents.insert(*id, incident.clone())),
                None => drop(self.incidents.remove(id)),
            }
        }
        for (key, place, pin) in &changes.notes {
            let at = (key.clone(), *place);
            match pin {
                Some(pin) => drop(self.notes.insert(at, pin.clone())),
                None => drop(self.notes.remove(&at)),
            }
        }
        self.changes = changes;
    }

    /// The turns that are wanted, those that keep their components, and those that share a call id with them.
    fn load(&self, wants: &BTreeSet<Want>) -> Vec<TurnRow> {
        let mut turns: BTreeSet<TurnId> =
            wants.iter().filter_map(|want| self.wants.get(want)).flatten().copied().collect();
        loop {
            let before = turns.len();
            for turn in turns.clone() {
                let Some((state, _)) = self.turns.get(&turn) else { continue };
                let members = state.members.iter().filter_map(|handle| self.actions.get(handle));
                for (action, _) in members {
                    turns.insert(action.home);
                    turns.extend(action.read_with());
                    for key in &action.keys {
                        if let wherefore::model::Key::Call(_, id) = key {
                            let want = Want::Call(action.tenant.clone(), id.clone());
                            turns.extend(self.wants.get(&want).into_iter().flatten());
                        }
                    }
                }
            }
            if turns.len() == before {
                break;
            }
        }
        let row = |turn: &TurnId| {
            let (state, account) = self.turns.get(turn)?.clone();
            let actions = self.actions.values().filter(|(action, _)| action.home == *turn).cloned().collect();
            Some(TurnRow { state, account, actions })
        };
        turns.iter().filter_map(row).collect()
    }

    fn restore(&self) -> Engine {
        Engine::restore(
            self.changes.small.clone(),
            vec![(configuration().digest(), configuration())],
            self.dues.iter().map(|(due, at)| (*due, *at)),
            self.ledger.iter().map(|(key, cell)| (key.clone(), *cell)),
            self.incidents.values().cloned(),
            self.notes.iter().map(|((key, place), pin)| (key.clone(), *place, pin.clone())),
        )
    }
}

/// What a step was given, to be given again.
#[derive(Clone)]
enum Frame {
    Evidence(Box<Evidence>),
    Tick,
    Restart,
}

/// One run: what it was fed, and what came out.
struct Run {
    engine: Engine,
    rows: Rows,
    /// What was stepped since the last checkpoint: the end of the journal.
    tail: Vec<(Nanos, Frame)>,
    now: Nanos,
    actions: BTreeMap<ActionId, Action>,
    turns: BTreeMap<TurnId, Turn>,
    told: Told,
}

/// One rule of each kind, about what the recordings do.
const ENVELOPE: &str = r#"
envelope: refunds
forbid: [{ id: no-refunds, tool: issue_refund, because: try it }]
allow: [{ id: anything-but-mail, tool: ["search_*", "get_*", "issue_*", "exec_*", "send_to_*"] }]
parameters: [{ id: small-orders, tool: get_order, check: { order_id: { max_length: 4 } } }]
output: [{ id: an-order, tool: get_order, schema: { type: object } }]
approval: [{ id: refunds-need-a-human, tool: issue_refund }]
two_phase: [{ id: planned, tool: issue_refund }]
limit: [{ id: few-searches, tool: "search_*", at_most: 1, per: 1h }, { id: few-orders, tool: get_order, at_most: 1, per: turn }]
breaker: [{ id: enough, consecutive: 2 }]
grant: [{ id: reading, tool: ["search_*", "get_*"] }]
invariant: [{ id: seen-again, tool: issue_refund, read: { tool: get_order }, holds: "later.output != null", within: 1h }]
profile: [intent, tool, parameters, output]
"#;

/// Rules that say something about the recordings.
fn configuration() -> Configuration {
    let rules = wherefore::envelope::parse(&[("refunds.yaml", ENVELOPE)]).expect("an envelope");
    Configuration { rules: rules.into(), ..Configuration::default() }
}

impl Run {
    fn new() -> Self {
        Self::of(Engine::new(configuration()))
    }

    fn of(engine: Engine) -> Self {
        Self {
            engine,
            tail: Vec::new(),
            rows: Rows::default(),
            now: Nanos(0),
            actions: BTreeMap::new(),
            turns: BTreeMap::new(),
            told: Told::default(),
        }
    }

    fn step(&mut self, at: Nanos, input: Input<'_>) {
        self.now = self.now.max(at);
        let frame = match &input {
            Input::Evidence(evidence) => Frame::Evidence(Box::new(evidence[0].clone())),
            Input::Restart => Frame::Restart,
            _ => Frame::Tick,
        };
        self.tail.push((self.now, frame));
        self.take(input);
    }

    fn take(&mut self, input: Input<'_>) {
        let evidence: &[Evidence] = match &input {
            Input::Evidence(evidence) => evidence,
            _ => &[],
        };
        // A row that comes may want another, see `pipeline`.
        let mut asked = BTreeSet::new();
        loop {
            let wants = self.engine.wants(self.now, evidence);
            if wants.is_subset(&asked) {
                break;
            }
            self.engine.load(self.rows.load(&wants));
            asked.extend(wants);
        }
        let Output { actions, turns, findings, .. } = self.engine.step(self.now, input);
        self.told.take(findings);
        self.actions.extend(actions.into_iter().map(|action| (action.id, action)));
        self.turns.extend(turns.into_iter().map(|turn| (turn.id, turn)));
    }

    fn checkpoint(&mut self) {
        self.rows.commit(self.engine.checkpoint());
        self.tail.clear();
    }

    /// The process ends after a checkpoint and starts again.
    fn restart(&mut self) {
        self.checkpoint();
        self.engine = self.rows.restore();
        self.step(self.now + Span::seconds(5), Input::Restart);
    }

    /// The process is killed: it starts at the last checkpoint and folds the end of the journal again. What it
    /// publishes again must be what it published before.
    fn crash(&mut self) {
        if self.rows.changes.small.now == Nanos(0) {
            return;
        }
        let (before, told) = (self.actions.clone(), self.told.clone());
        let now = self.now;
        self.engine = self.rows.restore();
        for (at, frame) in self.tail.clone() {
            self.now = at;
            match &frame {
                Frame::Evidence(evidence) => self.take(Input::Evidence(std::slice::from_ref(evidence))),
                Frame::Tick => self.take(Input::Tick),
                Frame::Restart => self.take(Input::Restart),
            }
        }
        self.now = now;
        for (id, action) in &before {
            assert_eq!(self.actions.get(id), Some(action), "a replay publishes something else");
        }
        assert_eq!(self.told, told, "a replay tells something else");
        self.step(self.now + Span::seconds(5), Input::Restart);
    }

    /// Everything that can leave memory leaves it.
    fn evict(&mut self) {
        self.checkpoint();
        self.engine.evict(0);
    }

    fn finish(mut self) -> Result {
        while let Some(due) = self.engine.next_due() {
            self.step(due, Input::Tick);
        }
        let survivors: Vec<&Action> = self.actions.values().filter(|action| !action.marks.merged).collect();
        let told = self.told.standing();
        let differ = differences(&in_rows(survivors.iter().copied()), &told);
        assert!(differ.is_empty(), "what was told last is not what the last rows say: {:#?}", differ.first());
        let (mut by_alias, mut findings) = (BTreeMap::new(), BTreeMap::new());
        for action in survivors {
            let said = said(action);
            for key in &action.keys {
                let twice = by_alias.insert(format!("{} {key}", action.tenant), said.clone());
                assert_eq!(twice, None, "{key} resolves to two actions");
                let found = action.findings.iter().map(|finding| told[&finding.id.to_string()].clone());
                findings.extend(found.map(|(rule, severity, class)| ((key.to_string(), rule), (severity, class))));
            }
        }
        let turns = self.turns.iter().map(|(id, turn)| {
            let turn = Turn { revision: 0, ..turn.clone() };
            (*id, serde_json::to_string(&turn).expect("a record"))
        });
        let ledger = self.engine.ledger().cells();
        Result {
            by_alias,
            turns: turns.collect(),
            ledger: ledger.map(|(key, cell)| (key.clone(), (cell.good, cell.bad, cell.unknown))).collect(),
            findings,
            incidents: self.engine.incidents().map(|it| (it.id, incident(it))).collect(),
        }
    }
}

pub fn undisturbed(evidence: &[Evidence]) -> Result {
    run_of(Engine::new(configuration()), evidence)
}

fn run_of(engine: Engine, evidence: &[Evidence]) -> Result {
    let mut run = Run::of(engine);
    for record in evidence {
        run.step(record.end, Input::Evidence(std::slice::from_ref(record)));
    }
    run.finish()
}

/// Shuffled, spread over the horizon, doubled, with ticks, restarts and evictions between.
pub fn disturbed(evidence: &[Evidence], random: &mut Random) -> Result {
    let last = evidence.iter().map(|record| record.end).max().unwrap_or_default();
    let spread = Span::minutes(47 * 60 + 50);
    let mut arrivals: Vec<(u64, &Evidence)> = Vec::new();
    for record in evidence {
        // Half of the runs are quick, so that order is tried without lateness too.
        let wait = if random.below(2) == 0 { Span::seconds(5) } else { spread };
        arrivals.push((random.below(wait.0), record));
        if random.below(10) == 0 {
            arrivals.push((random.below(spread.0), record));
        }
    }
    random.shuffle(&mut arrivals);
    arrivals.sort_by_key(|(wait, _)| *wait);
    let mut run = Run::new();
    for (wait, record) in arrivals {
        let at = last + Span(wait);
        match random.below(12) {
            0 => run.step(Nanos(run.now.0.max(last.0) / 2 + at.0 / 2), Input::Tick),
            1 => run.restart(),
            2 => run.evict(),
            3 => run.checkpoint(),
            4 => run.crash(),
            _ => {}
        }
        run.step(at, Input::Evidence(std::slice::from_ref(record)));
    }
    run.finish()
}

pub fn compare(name: &str, seed: u64, want: &Result, got: &Result) {
    let keys: BTreeSet<_> = want.by_alias.keys().chain(got.by_alias.keys()).collect();
    for key in keys {
        let (want, got) = (want.by_alias.get(key), got.by_alias.get(key));
        if want != got {
            let none = String::from("(no action)");
            let (want, got) = (want.unwrap_or(&none), got.unwrap_or(&none));
            let differ = want.lines().zip(got.lines()).find(|(want, got)| want != got);
            panic!("{name}, seed {seed}: `{key}` differs\nfirst difference: {differ:#?}\nwant {want}\ngot {got}");
        }
    }
    assert_eq!(want.turns, got.turns, "{name}, seed {seed}: turns differ");
    assert_eq!(want.ledger, got.ledger, "{name}, seed {seed}: the ledger differs");
    assert_eq!(want.findings, got.findings, "{name}, seed {seed}: findings as told differ");
    let of = |result: &Result| -> BTreeMap<String, String> {
        result.incidents.iter().map(|(id, incident)| (id.to_string(), incident.clone())).collect()
    };
    let differ = differences(&of(want), &of(got));
    assert!(differ.is_empty(), "{name}, seed {seed}: incidents differ: {:#?}", differ.first());
}

#[test]
fn what_a_recording_comes_to_does_not_depend_on_arrival() {
    let seed = seed();
    println!("seed {seed}");
    for (index, recording) in recordings().iter().enumerate() {
        let evidence = evidence(recording);
        let want = undisturbed(&evidence);
        for round in 0..3 {
            let seed = seed + 1000 * index as u64 + round;
            let got = disturbed(&evidence, &mut Random(seed));
            compare(&recording.name(), seed, &want, &got);
        }
    }
}

#[test]
fn two_recordings_interleaved_come_to_the_same_in_any_order() {
    let seed = seed();
    println!("seed {seed}");
    let all = recordings();
    for index in 0..all.len() {
        let other = &all[(index * 37 + 11) % all.len()];
        let mut both = evidence(&all[index]);
        both.extend(evidence(other));
        let name = format!("{} with {}", all[index].name(), other.name());
        let want = undisturbed(&both);
        let seed = seed + index as u64;
        compare(&name, seed, &want, &disturbed(&both, &mut Random(seed)));
    }
}

/// What recordings have little of: refusals, approvals in a later turn, opinions about a response, late roots.
#[test]
fn what_stories_come_to_does_not_depend_on_arrival() {
    let seed = seed();
    println!("seed {seed}");
    let at = Nanos(1_795_000_000_000_000_000);
    let requests = (0..30).flat_map(|number| Story::begins(number, at + Span::seconds(number)).requests());
    let evidence: Vec<Evidence> = requests.flat_map(|request| request.evidence()).collect();
    let want = undisturbed(&evidence);
    for seed in seed..seed + 40 {
        compare("stories", seed, &want, &disturbed(&evidence, &mut Random(seed)));
    }
}

/// What recordings have little of too: calls without ids, spans below spans, spans that are sent twice.
#[test]
fn what_turns_without_ids_come_to_does_not_depend_on_arrival() {
    let seed = seed();
    println!("seed {seed}");
    for seed in seed..seed + 60 {
        let mut random = Random(seed);
        let turns = (1..4).flat_map(|trace| {
            let in_trace = move |mut record: Evidence| {
                record.trace = record.trace.map(|_| TraceId([trace; 16]));
                record.id.0[0] = trace;
                record
            };
            random_turn(&mut random).into_iter().map(in_trace)
        });
        let evidence: Vec<Evidence> = turns.collect();
        compare("turns", seed, &undisturbed(&evidence), &disturbed(&evidence, &mut Random(seed)));
    }
}

#[test]
fn the_pieces_say_what_the_whole_set_says_after_every_step() {
    for recording in recordings().iter().step_by(3) {
        let mut evidence = evidence(recording);
        Random(seed()).shuffle(&mut evidence);
        let mut book = wherefore::lineage::Book::default();
        let reading = wherefore::lineage::Reading { closed: true, expired: true };
        for count in 1..=evidence.len() {
            book.fold(&evidence[count - 1]);
            if count % 5 == 0 || count == evidence.len() {
                let (pieces, whole) = (book.judged(reading), assemble(&evidence[..count]));
                let said = |judged: &wherefore::lineage::Judged| {
                    let actions = judged.actions.iter().map(|action| (action.keys[0].to_string(), said(action)));
                    let turns =
                        judged.turns.iter().map(|turn| (turn.id, serde_json::to_string(turn).expect("a record")));
                    Result { by_alias: actions.collect(), turns: turns.collect(), ..Result::default() }
                };
                compare(&format!("{} at {count}", recording.name()), seed(), &said(&whole), &said(&pieces));
            }
        }
    }
}

/// The test must be able to fail: a fold in which arrival decides what a turn's actions share is caught.
#[test]
fn a_fold_that_reads_arrival_order_is_caught() {
    let caught = recordings().iter().step_by(5).any(|recording| {
        let evidence = evidence(recording);
        let mut shuffled = evidence.clone();
        Random(seed()).shuffle(&mut shuffled);
        let leaking = |order: &[Evidence]| run_of(Engine::reading_arrival(configuration()), order);
        let (one, other) = (leaking(&evidence), leaking(&shuffled));
        one.turns != other.turns || one.by_alias != other.by_alias
    });
    assert!(caught, "a fold that reads arrival order goes unseen");
}

/// Two tenants send the same bytes: each has its own actions, and neither sees the other's.
#[test]
fn tenants_that_send_the_same_bytes_do_not_meet() {
    let recording = &read_recordings()[0];
    let of = |tenant: &str| -> Vec<Evidence> {
        let read = |(signal, body)| evidence_of(&Tenant::new(tenant), Role::Unspecified, signal, &body);
        recording.requests().into_iter().flat_map(read).collect()
    };
    let alone = assemble(&of("one")).actions.len();
    let both: Vec<Evidence> = of("one").into_iter().zip(of("two")).flat_map(|(one, two)| [one, two]).collect();
    let actions = assemble(&both).actions;
    assert_eq!(actions.len(), 2 * alone);
    for action in actions {
        assert!(action.pieces.iter().all(|piece| action.turns.contains(&piece.turn)));
    }
}
