//! Recordings of real stacks against what really happened.
//!
//! `truth.jsonl` beside the fixtures says what a perfect reader could know of each recording. It was written from the
//! scripts that drove the stacks, not from this program's output: what became of each call, who decided, which agent
//! acted, who handed work to whom, and how many conversations there were. What the telemetry hides stands in
//! [`HIDDEN`], with the reason, and must stay exactly that. `docs/recordings.md` shows what is seen of each recording.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use serde_json::Value;
use wherefore::engine::Configuration;
use wherefore::model::{self, Action, Decision, Role, State, Tenant, Turn};
use wherefore::pipeline::{Offline, Outcome};

use crate::support::recordings::{Recording, read_recordings, truths};

/// What happened and cannot be known from the recording: recording, tool and outcome; who decided; what is shown
/// instead; why.
const HIDDEN: &[(&str, &str, &str, &str)] = &[
    ("codex-cli/02-cancel exec_command refused", "human", "none", "a cancelled approval leaves no record of its call"),
    (
        "google-adk/02-denied-nocontent issue_refund refused",
        "human",
        "failed",
        "only the withheld answer says that it is no failure",
    ),
    (
        "google-adk/03-approved issue_refund executed",
        "human",
        "executed",
        "the ask stands only in a result that this span lacks",
    ),
    ("langfuse-sdk/02-denied issue_refund refused", "human", "refused unknown", "the application's own loop refuses"),
    (
        "ms-agent-framework/02-denied-nocontent issue_refund refused",
        "human",
        "none",
        "without content the call is nowhere",
    ),
    (
        "ms-agent-framework/03-approved issue_refund executed",
        "human",
        "executed",
        "a pending approval leaves no record",
    ),
    (
        "ms-agent-framework/04-guardrail issue_refund refused",
        "policy",
        "refused unknown",
        "only the application's words name a policy",
    ),
    (
        "openai-agents-openinference/02-denied issue_refund refused",
        "human",
        "expired",
        "the resumed run is not exported",
    ),
    (
        "openai-agents-openinference/03-approved issue_refund executed",
        "human",
        "expired",
        "the resumed run is not exported",
    ),
    (
        "openai-agents-traceloop/02-denied-nocontent issue_refund refused",
        "human",
        "unknown_result",
        "a refusal looks like a run",
    ),
    (
        "otel-openai-v2/02-denied issue_refund refused",
        "human",
        "executed",
        "the application's own loop refuses, in a tool's span",
    ),
    (
        "pydantic-ai/02-denied-nocontent issue_refund refused",
        "human",
        "refused unknown",
        "without content nobody was asked",
    ),
    (
        "strands-agents/04-guardrail issue_refund refused",
        "hook",
        "refused unknown",
        "only the application's words name a policy",
    ),
    ("traceloop-sdk/02-denied issue_refund refused", "human", "refused unknown", "the application's own loop refuses"),
];

/// Recordings in which the agent's own span, the only one that names it, never came.
const NAMELESS: &[&str] = &["openai-agents-openinference/12-crash-no-root"];

/// Recordings with a call of an agent that is no action, or one that cannot be told from others.
const UNSEEN: &[&str] = &["codex-cli/02-cancel", "codex-cli/06-subagent", "ms-agent-framework/02-denied-nocontent"];

const COLUMNS: [&str; 6] = ["actions", "executed", "refused", "pending", "failed", "lineages"];

fn replay(recording: &Recording) -> Outcome {
    let mut offline = Offline::new(Configuration::default());
    for (signal, body) in recording.requests() {
        offline.request(&Tenant::default(), Role::Unspecified, signal, &body).expect("a recording is OTLP");
    }
    offline.finish().0
}

/// The columns of the truth table, as this program sees them.
fn columns(outcome: &Outcome) -> BTreeMap<&'static str, u64> {
    let mut counts = BTreeMap::from(COLUMNS.map(|column| (column, 0)));
    for action in outcome.actions.values() {
        let column = match action.state.as_str() {
            "executed" | "unknown_result" => "executed",
            "failed" => "failed",
            "refused" => "refused",
            _ => "pending",
        };
        *counts.entry("actions").or_default() += 1;
        *counts.entry(column).or_default() += 1;
    }
    counts.insert("lineages", lineages(outcome));
    counts
}

/// Conversations that hold a model turn, an action, or an agent. An action that stands in two turns makes them one,
/// and so does an edge between them.
fn lineages(outcome: &Outcome) -> u64 {
    let name = |turn: &Turn| match &turn.conversation {
        Some(conversation) => conversation.value.0.to_string(),
        None => turn.id.to_string(),
    };
    let mut names: BTreeMap<_, String> = outcome.turns.values().map(|turn| (turn.id, name(turn))).collect();
    let across = outcome.actions.values().map(|action| action.turns.clone());
    let edges = outcome.turns.values().map(|turn| {
        let with = turn.edges.iter().map(|edge| edge.with);
        with.chain([turn.id]).collect::<Vec<_>>()
    });
    for turns in across.chain(edges) {
        let found: BTreeSet<String> = turns.iter().filter_map(|turn| names.get(turn).cloned()).collect();
        let Some(first) = found.first().cloned() else { continue };
        for name in names.values_mut().filter(|name| found.contains(*name)) {
            name.clone_from(&first);
        }
    }
    working(outcome).filter_map(|turn| names.get(&turn.id)).collect::<BTreeSet<_>>().len() as u64
}

/// Turns that hold a model turn, an action, or an agent, which a guardrail may have stopped before its model was asked.
fn working(outcome: &Outcome) -> impl Iterator<Item = &Turn> {
    let acts = |turn: &Turn| outcome.actions.values().any(|action| action.turn == turn.id);
    let works = move |turn: &&Turn| !turn.models.is_empty() || turn.agent.is_some() || acts(turn);
    outcome.turns.values().filter(works)
}

/// What the truth table accepts: the derivable outcome, or one that the telemetry supports equally well.
fn wanted(truth: &Value, column: &str, got: &BTreeMap<&'static str, u64>) -> Option<u64> {
    let derivable = &truth["derivable"];
    if column == "lineages" {
        let others = derivable["lineages_also_accept"].as_array().cloned().unwrap_or_default();
        let accepted = others.iter().filter_map(Value::as_u64).find(|accepted| *accepted == got["lineages"]);
        return accepted.or(derivable["lineages"].as_u64());
    }
    let others = derivable["also_accept"].as_array().cloned().unwrap_or_default();
    let whole = |row: &&Value| COLUMNS[..5].iter().all(|column| row[*column].as_u64() == Some(got[column]));
    others.iter().find(whole).unwrap_or(derivable)[column].as_u64()
}

#[test]
fn every_real_tool_call_is_exactly_one_action() {
    let truths = truths();
    let mut differences = Vec::new();
    let recordings = read_recordings();
    for recording in &recordings {
        let name = recording.name();
        let truth = truths.get(&name).unwrap_or_else(|| panic!("{name} has a line of truth"));
        let got = columns(&replay(recording));
        for column in COLUMNS {
            if wanted(truth, column, &got).is_some_and(|want| want != got[column]) {
                differences.push((name.clone(), column, got[column]));
            }
        }
    }
    assert_eq!(recordings.len(), truths.len());
    assert!(differences.is_empty(), "{differences:#?}");
}

/// The actions of a recording's calls: by id; those without one by tool and place, where as many are left of both.
fn actions_of<'a, 't>(outcome: &'a Outcome, truth: &'t Value) -> Vec<(&'t Value, Option<&'a Action>)> {
    let calls: Vec<&Value> = truth["truth"]["calls"].as_array().into_iter().flatten().collect();
    let named = |call: &Value, action: &Action| {
        action.call_id.is_some() && action.call_id.as_deref() == call["call_id"].as_str()
    };
    let with_id = |call: &Value| {
        let mut found = outcome.actions.values().filter(|action| named(call, action));
        found.next().filter(|_| found.next().is_none())
    };
    let mut left: Vec<&Action> = outcome.actions.values().collect();
    left.retain(|action| !calls.iter().any(|call| named(call, action)));
    left.sort_by_key(|action| action.end);
    let by_place = |place: usize| {
        let alike = |call: &&&Value| call["tool"] == calls[place]["tool"] && with_id(call).is_none();
        let found: Vec<&Action> = left.iter().copied().filter(|it| calls[place]["tool"] == *it.tool_label()).collect();
        let before = calls[..place].iter().filter(alike).count();
        found.get(before).copied().filter(|_| found.len() == calls.iter().filter(alike).count())
    };
    calls.iter().enumerate().map(|(place, call)| (*call, with_id(call).or_else(|| by_place(place)))).collect()
}

/// Who decided, in the words of the truth table: a guardrail is a policy.
fn decided_by(action: &Action) -> Option<&'static str> {
    let allows = |it: &&Decision| it.enforced && matches!(it.outcome, model::Outcome::Allow | model::Outcome::Modify);
    match &action.state {
        State::Refused(by) => Some(by.as_str()),
        _ => action.decisions.iter().rfind(allows).map(|decision| decision.by.as_str()),
    }
}

/// What is shown instead: the state, and who decided.
fn shown(action: Option<&Action>) -> String {
    let Some(action) = action else { return "none".to_owned() };
    let by = decided_by(action).map(|by| format!(" {by}")).unwrap_or_default();
    format!("{}{by}", action.state.as_str())
}

#[test]
fn who_decided_is_known_wherever_the_telemetry_says_so() {
    let truths = truths();
    let mut hidden = BTreeSet::new();
    let mut seen = 0;
    for recording in &read_recordings() {
        let truth = &truths[&recording.name()];
        let outcome = replay(recording);
        for (call, action) in actions_of(&outcome, truth) {
            let (refused, approved) = (call["refused_by"].as_str(), call["approved_by"].as_str());
            let Some(by) = refused.or(approved) else { continue };
            let want = if by == "guardrail" { "policy" } else { by };
            let same = |action: &&Action| matches!(action.state, State::Refused(_)) == refused.is_some();
            if action.filter(same).and_then(decided_by) == Some(want) {
                seen += 1;
            } else {
                let what = if refused.is_some() { "refused" } else { "executed" };
                let tool = call["tool"].as_str().unwrap_or_default();
                hidden.insert((format!("{} {tool} {what}", recording.name()), want, shown(action)));
            }
        }
    }
    let known = HIDDEN.iter().map(|(call, by, shown, _)| ((*call).to_owned(), *by, (*shown).to_owned()));
    let known: BTreeSet<_> = known.collect();
    assert_eq!(hidden, known, "left: found, right: known");
    assert_eq!(seen, 66);
}

#[test]
fn actions_are_those_of_the_agent_that_acted() {
    let truths = truths();
    let (mut seen, mut wrong, mut unseen) = (0, Vec::new(), Vec::new());
    for recording in &read_recordings() {
        let nameless = NAMELESS.contains(&&*recording.name());
        let truth = &truths[&recording.name()];
        let outcome = replay(recording);
        for (call, action) in actions_of(&outcome, truth) {
            let Some(want) = call["agent"].as_str() else { continue };
            let Some(action) = action else {
                unseen.push(recording.name());
                continue;
            };
            let agent = action.agent.value().map(|(agent, _)| &**agent);
            if agent != Some(want).filter(|_| !nameless) {
                wrong.push((recording.name(), call["tool"].clone(), agent.map(str::to_owned)));
            }
            seen += 1;
        }
    }
    assert!(wrong.is_empty(), "recording, tool, agent that is shown: {wrong:#?}");
    assert_eq!(unseen, UNSEEN);
    assert_eq!(seen, 568);
}

#[test]
fn work_is_handed_from_the_agent_that_handed_it_to_the_one_that_took_it() {
    let truths = truths();
    let mut seen = 0;
    for recording in &read_recordings() {
        let truth = &truths[&recording.name()];
        let name = |name: &Option<Arc<str>>| name.as_deref().unwrap_or_default().to_owned();
        let outcome = replay(recording);
        let found = outcome.turns.values().flat_map(|turn| &turn.delegations);
        let found: BTreeSet<_> = found.map(|it| (name(&it.from), name(&it.to))).collect();
        let word = |it: &Value| it.as_str().unwrap_or_default().to_owned();
        let want = truth["truth"]["delegations"].as_array().into_iter().flatten();
        let want: BTreeSet<_> = want.map(|it| (word(&it["from"]), word(&it["to"]))).collect();
        seen += want.len();
        assert_eq!(found, want, "{}", recording.name());
    }
    assert_eq!(seen, 22);
}

// ── the table ────────────────────────────────────────────────────────────────────────────────────────────────────

const HEAD: &str = "\
# What is seen of the recordings

One line a recording of a real stack in `tests/fixtures/captures`. A test holds it: the counts are compared with what
really happened, and this page with what is seen. *Decisions* are who refused or allowed; *joined* is how many traces
more there are than lineages; *fields* are those observed and those observable, of eight an action.

| recording | actions | executed | refused | pending | failed | decisions | handed over | lineages | joined | fields |
|---|---|---|---|---|---|---|---|---|---|---|
";

fn line(recording: &Recording) -> String {
    let outcome = replay(recording);
    let got = columns(&outcome);
    let mut decisions: BTreeMap<String, usize> = BTreeMap::new();
    for action in outcome.actions.values() {
        let refused = matches!(action.state, State::Refused(_));
        if let Some(by) = decided_by(action) {
            *decisions.entry(format!("{} {by}", if refused { "deny" } else { "allow" })).or_default() += 1;
        }
    }
    let decisions: Vec<_> = decisions.iter().map(|(what, count)| format!("{count} {what}")).collect();
    let handed = outcome.turns.values().flat_map(|turn| &turn.delegations);
    let handed: Vec<_> = handed.map(|it| it.to.as_deref().unwrap_or("?").to_owned()).collect();
    let traces = working(&outcome).filter(|turn| turn.trace.is_some()).count() as u64;
    let sum = |pick: fn(&Action) -> (usize, usize)| {
        outcome.actions.values().map(pick).fold((0, 0), |a, b| (a.0 + b.0, a.1 + b.1))
    };
    let (observed, observable) = (sum(Action::observed), sum(Action::observable));
    format!(
        "| {} | {} | {} | {} | {} | {} | {} | {} | {} | {} | {}/{} of {} |\n",
        recording.name(),
        got["actions"],
        got["executed"],
        got["refused"],
        got["pending"],
        got["failed"],
        decisions.join(", "),
        handed.join(", "),
        got["lineages"],
        traces.saturating_sub(got["lineages"]),
        observed.0,
        observable.1,
        observed.1,
    )
}

#[test]
fn the_page_of_recordings_is_true() {
    let lines: String = read_recordings().iter().map(line).collect();
    let page = format!("{HEAD}{lines}");
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/recordings.md");
    if std::env::var_os("WRITE_PAGES").is_some() {
        std::fs::write(&path, &page).expect("the page is written");
    }
    let written = std::fs::read_to_string(&path).expect("the page is there");
    for (found, want) in page.lines().zip(written.lines()) {
        assert_eq!(found, want, "WRITE_PAGES=1 writes it again");
    }
    assert_eq!(page, written);
}
