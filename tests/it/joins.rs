//! Joins across traces: what belongs together in a recording is joined, and nothing of two recordings is, however they
//! are mixed.

use std::collections::{BTreeMap, BTreeSet};

use wherefore::engine::{Configuration, Engine, Input};
use wherefore::lineage::{Judged, assemble, turn_of};
use wherefore::model::{
    Action, ActionId, Evidence, EvidenceId, JoinMethod, Moment, Nanos, Node, Outcome, Role, Says, Tenant, Turn, TurnId,
};
use wherefore::pipeline::evidence_of;

use crate::support::random::{Random, seed};
use crate::support::recordings::{Recording, read_recordings};

/// Beginnings of the ids that the scripted model and the scripts gave: the same in many recordings.
const SCRIPTED: &[&str] = &["call_", "resp_", "chatcmpl-", "msg_", "fc_", "gem-", "conv-", "toolu_", "rs_"];

/// Gives every scripted id of a recording an ending of its own.
fn with_own_ids(line: &[u8], number: usize) -> Vec<u8> {
    let mut out = Vec::with_capacity(line.len());
    let mut rest = line;
    while let Some(first) = rest.first() {
        let word = rest.iter().take_while(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-')).count();
        if word == 0 {
            out.push(*first);
            rest = &rest[1..];
            continue;
        }
        let (word, after) = rest.split_at(word);
        out.extend(word);
        let scripted = SCRIPTED.iter().filter_map(|start| word.strip_prefix(start.as_bytes()));
        if scripted.into_iter().any(|rest| rest.iter().any(u8::is_ascii_digit)) {
            out.extend(format!("x{number}").bytes());
        }
        rest = after;
    }
    out
}

/// Records of all recordings, and whose each record and each turn is.
struct Mixed {
    evidence: Vec<Evidence>,
    names: Vec<String>,
    of: BTreeMap<EvidenceId, usize>,
    turns: BTreeMap<TurnId, BTreeSet<usize>>,
}

impl Mixed {
    fn new(own_ids: bool) -> Self {
        let recordings = read_recordings();
        let mut mixed = Self { evidence: Vec::new(), names: Vec::new(), of: BTreeMap::new(), turns: BTreeMap::new() };
        for (number, recording) in recordings.iter().enumerate() {
            mixed.names.push(recording.name());
            for evidence in records(recording, own_ids.then_some(number)) {
                assert_eq!(mixed.of.insert(evidence.id, number).filter(|known| *known != number), None);
                mixed.turns.entry(turn_of(&evidence)).or_default().insert(number);
                mixed.evidence.push(evidence);
            }
        }
        Random(seed()).shuffle(&mut mixed.evidence);
        mixed
    }

    /// The recordings whose records an action holds.
    fn holds(&self, action: &Action) -> BTreeSet<usize> {
        action.pieces.iter().filter_map(|piece| self.of.get(&piece.evidence)).copied().collect()
    }

    fn names_of(&self, numbers: &BTreeSet<usize>) -> Vec<&str> {
        numbers.iter().map(|number| &*self.names[*number]).collect()
    }
}

fn records(recording: &Recording, own: Option<usize>) -> Vec<Evidence> {
    let requests = recording.requests_as(|line| match own {
        Some(number) => with_own_ids(line, number),
        None => line.to_vec(),
    });
    let read = |(signal, body)| evidence_of(&Tenant::default(), Role::Unspecified, signal, &body);
    requests.into_iter().flat_map(read).collect()
}

/// What became of a recording's actions, and in how many turns each stands.
fn comes_to(judged: &Judged, mine: impl Fn(&Action) -> bool) -> Vec<String> {
    let mut said: Vec<String> = judged
        .actions
        .iter()
        .filter(|action| mine(action))
        .map(|action| format!("{} {:?} {}", action.tool_label(), action.state, action.turns.len()))
        .collect();
    said.sort();
    said
}

/// The edges of turns by what they tie.
fn edges(judged: &Judged) -> BTreeSet<(JoinMethod, TurnId, TurnId)> {
    let of = |turn: &Turn| turn.edges.iter().map(|edge| (edge.method, turn.id, edge.with)).collect::<Vec<_>>();
    judged.turns.iter().flat_map(of).collect()
}

/// With ids of their own nothing of two recordings meets, although services, prompts and answers are the same; and each
/// comes to what it comes to alone. Only what text alone ties may stay apart: of two that fit, nobody knows which.
#[test]
fn recordings_with_ids_of_their_own_never_meet() {
    println!("seed {}", seed());
    let mixed = Mixed::new(true);
    let judged = assemble(&mixed.evidence);
    for action in &judged.actions {
        assert_eq!(
            mixed.holds(action).len(),
            1,
            "{} of {:?}",
            action.tool_label(),
            mixed.names_of(&mixed.holds(action))
        );
    }
    let mut conversations: BTreeMap<_, BTreeSet<usize>> = BTreeMap::new();
    for turn in judged.turns.iter() {
        let whose = &mixed.turns[&turn.id];
        assert_eq!(whose.len(), 1, "{:?}", mixed.names_of(whose));
        if let Some(conversation) = &turn.conversation {
            conversations.entry(conversation.value.0).or_default().extend(whose);
        }
    }
    assert!(conversations.values().all(|whose| whose.len() == 1), "{conversations:?}");
    let here = edges(&judged);
    for (method, later, earlier) in &here {
        let (later, earlier) = (&mixed.turns[later], &mixed.turns[earlier]);
        assert_eq!(later, earlier, "{method}: {:?} {:?}", mixed.names_of(later), mixed.names_of(earlier));
    }
    let mut alone = BTreeSet::new();
    for (number, recording) in read_recordings().iter().enumerate() {
        let judged_alone = assemble(&records(recording, Some(number)));
        let mine = comes_to(&judged, |action| mixed.holds(action).contains(&number));
        assert_eq!(comes_to(&judged_alone, |_| true), mine, "{}", recording.name());
        alone.extend(edges(&judged_alone));
    }
    assert!(here.is_subset(&alone), "{:?}", here.difference(&alone));
    assert!(alone.difference(&here).all(|(method, ..)| *method == JoinMethod::Answer));
    let methods: BTreeSet<_> = here.iter().map(|(method, ..)| method.as_str()).collect();
    assert_eq!(methods, BTreeSet::from(["delegation", "history_call", "history_text", "response_id"]));
}

/// What meets when the scripted ids of all recordings collide. The recordings call themselves one service, so this is
/// what two runs of one agent may do to each other: an open call is claimed by a later turn whose input carries a call
/// of the same id, tool and parameters.
const MEET: &[[&str; 2]] = &[["openai-agents-openinference/02-denied", "vercel-ai-sdk/01-benign"]];

#[test]
fn ids_that_collide_join_only_what_an_approval_would() {
    let mixed = Mixed::new(false);
    let judged = assemble(&mixed.evidence);
    let met = judged.actions.iter().filter(|action| mixed.holds(action).len() > 1);
    let met: BTreeSet<Vec<&str>> = met
        .map(|action| {
            assert!(action.joins.iter().any(|join| join.method == JoinMethod::ApprovalPair), "{action:#?}");
            mixed.names_of(&mixed.holds(action))
        })
        .collect();
    assert_eq!(met, MEET.iter().map(|pair| pair.to_vec()).collect());
    for (method, later, earlier) in edges(&judged) {
        let (later, earlier) = (&mixed.turns[&later], &mixed.turns[&earlier]);
        assert_eq!(later, earlier, "{method}: {:?} {:?}", mixed.names_of(later), mixed.names_of(earlier));
    }
}

/// What a person was asked about, in stacks whose telemetry says so: still open where the answer never came.
const ASKED: &[(&str, &str)] = &[
    ("genkit/02-denied", "refused"),
    ("genkit/03-approved", "executed"),
    ("google-adk/02-denied-semconv", "refused"),
    ("google-adk-schema1/02-denied", "refused"),
    ("google-adk-schema1/03-approved", "executed"),
    ("langgraph-openinference/02-denied", "refused"),
    ("langgraph-openinference/03-approved", "executed"),
    ("langgraph-traceloop/02-denied", "refused"),
    ("langgraph-traceloop/03-approved", "executed"),
    ("llama-index-openinference/02-denied", "refused"),
    ("llama-index-openinference/03-approved", "executed"),
    ("openai-agents-logfire/02-denied", "refused"),
    ("openai-agents-logfire/03-approved", "executed"),
    ("openai-agents-openinference/02-denied", "expired"),
    ("openai-agents-openinference/03-approved", "expired"),
    ("openai-agents-traceloop/02-denied", "refused"),
    ("openai-agents-traceloop/03-approved", "executed"),
    ("pydantic-ai/02-denied", "refused"),
    ("pydantic-ai/03-approved", "executed"),
    ("strands-agents/02-denied", "refused"),
    ("strands-agents/02-denied-semconv", "refused"),
    ("strands-agents/03-approved", "executed"),
    ("vercel-ai-sdk/02-denied", "refused"),
    ("vercel-ai-sdk/03-approved", "executed"),
    ("vercel-ai-sdk-7/02-denied", "refused"),
    ("vercel-ai-sdk-7/03-approved", "executed"),
];

/// A call that somebody was asked about is one action, before the answer and after it, in however many traces: none is
/// failed, and none is two.
#[test]
fn an_approval_is_one_action_that_was_asked_and_then_refused_or_executed() {
    let mut asked = BTreeSet::new();
    let approvals = |it: &&Recording| it.scenario.starts_with("02-") || it.scenario.starts_with("03-");
    for recording in read_recordings().iter().filter(approvals) {
        let judged = assemble(&records(recording, None));
        let refunds: Vec<&Action> =
            judged.actions.iter().filter(|action| action.tool_label() == "issue_refund").collect();
        assert!(refunds.len() <= 1, "{}: {refunds:#?}", recording.name());
        for action in refunds.into_iter().filter(|action| was_asked(action)) {
            asked.insert((recording.name(), action.state.as_str()));
        }
    }
    assert_eq!(asked, ASKED.iter().map(|(name, state)| ((*name).to_owned(), *state)).collect());
}

fn was_asked(action: &Action) -> bool {
    let told = |says: &Says| match says {
        Says::Call(call) => call.moment == Moment::Asked,
        Says::Decision(decision) => decision.outcome == Outcome::Ask,
        Says::Check(_) => false,
    };
    action.pieces.iter().any(|piece| told(&piece.says))
}

/// A process died inside a tool: its actions settle without a root, marked, and are read again when the root comes
/// after all.
#[test]
fn a_run_that_crashed_settles_without_its_root_and_is_repaired_when_it_comes() {
    let crashed = |it: &&Recording| it.scenario.starts_with("12-");
    let mut seen = 0;
    for recording in read_recordings().iter().filter(crashed) {
        let evidence = records(recording, None);
        let mut run = Run { engine: Engine::new(Configuration::default()), rows: BTreeMap::new() };
        let last = evidence.iter().map(|record| record.end).max().expect("a recording");
        run.step(last, Input::Evidence(&evidence));
        run.settle();
        assert!(!run.rows.is_empty());
        for action in run.rows.values() {
            assert!(action.marks.root_lost, "{}: {}", recording.name(), action.tool_label());
        }
        let roots = roots_of(&evidence);
        run.step(run.engine.now(), Input::Evidence(&roots));
        run.settle();
        for action in run.rows.values() {
            assert!(!action.marks.root_lost, "{}: {}", recording.name(), action.tool_label());
            assert_eq!(action.revision, 2);
        }
        seen += 1;
    }
    assert!(seen >= 2, "{seen} recordings of a crash");
}

/// The spans that others name as their parent and that never came, as roots of their traces.
fn roots_of(evidence: &[Evidence]) -> Vec<Evidence> {
    let there: BTreeSet<_> = evidence.iter().map(|record| (record.trace, record.span)).collect();
    let orphans = evidence.iter().filter(|it| it.parent.is_some() && !there.contains(&(it.trace, it.parent)));
    let roots: BTreeMap<_, Evidence> = orphans
        .map(|orphan| {
            let mut root = orphan.clone();
            root.id.0[0] ^= 0xff;
            (root.span, root.parent, root.node, root.facts) = (orphan.parent, None, Node::Agent, Vec::new());
            ((root.trace, root.span), root)
        })
        .collect();
    roots.into_values().collect()
}

/// An engine, and the last row of each action.
struct Run {
    engine: Engine,
    rows: BTreeMap<ActionId, Action>,
}

impl Run {
    fn step(&mut self, now: Nanos, input: Input<'_>) {
        let rows = self.engine.step(now, input).actions;
        self.rows.extend(rows.into_iter().map(|action| (action.id, action)));
    }

    /// Until nothing is due.
    fn settle(&mut self) {
        while let Some(due) = self.engine.next_due() {
            self.step(due, Input::Tick);
        }
    }
}
