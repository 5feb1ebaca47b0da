//! Recordings of real stacks against what really happened.
//!
//! `truth.jsonl` beside the fixtures says what a perfect reader could know of each recording. It was written from the
//! scripts that drove the stacks, not from this program's output. Executed and failed calls must be exact in every
//! recording of a stack that is read. What else differs stands in [`DIFFERENCES`], with the reason, and must stay
//! exactly that.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use wherefore::engine::Configuration;
use wherefore::model::{Action, Role, Tenant};
use wherefore::pipeline::{Offline, Outcome};

use crate::support::recordings::{Recording, read_recordings, truths};

/// What is known to differ: recording, column, what we say, and why.
const DIFFERENCES: &[(&str, &str, u64, &str)] = &[];

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

/// Conversations that hold a model turn, an action, or an agent. An action that stands in two turns makes them one, and so does
/// an edge between them.
fn lineages(outcome: &Outcome) -> u64 {
    let name = |turn: &wherefore::model::Turn| match &turn.conversation {
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
    let acts = |turn: &&wherefore::model::Turn| outcome.actions.values().any(|action: &Action| action.turn == turn.id);
    // A guardrail may have stopped an agent before its model was asked.
    let asked = |turn: &&wherefore::model::Turn| turn.agent.is_some();
    let works = outcome.turns.values().filter(|turn| !turn.models.is_empty() || acts(turn) || asked(turn));
    works.filter_map(|turn| names.get(&turn.id)).collect::<BTreeSet<_>>().len() as u64
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
    let mut seen = 0;
    for recording in &read_recordings() {
        let name = recording.name();
        let truth = truths.get(&name).unwrap_or_else(|| panic!("{name} has a line of truth"));
        let got = columns(&replay(recording));
        seen += 1;
        for column in COLUMNS {
            let Some(want) = wanted(truth, column, &got) else { continue };
            if got[column] != want {
                differences.push((name.clone(), column, got[column], want));
            }
        }
    }
    assert!(seen > 100, "{seen} recordings are there");
    let known: BTreeSet<_> =
        DIFFERENCES.iter().map(|(name, column, got, _)| ((*name).to_owned(), *column, *got)).collect();
    let found: BTreeSet<_> = differences.iter().map(|(name, column, got, _)| (name.clone(), *column, *got)).collect();
    assert_eq!(found, known, "left: found, right: known; all differences: {differences:#?}");
}

#[test]
fn no_execution_or_failure_is_among_the_known_differences() {
    for (name, column, _, reason) in DIFFERENCES {
        assert!(!["actions", "executed", "failed"].contains(column), "{name}: {column} has to be exact");
        assert!(!reason.is_empty());
    }
}
