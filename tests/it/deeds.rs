//! What recordings of real stacks tell about tools and about the modes that their calls ran under.
//!
//! The tools of the recordings are `search_policy` and `get_order`, which only read, `issue_refund`, which writes, and
//! `send_email`, which sends. No producer says so in an attribute, and none of the servers gave hints: what is known of
//! the effect is inferred from the name, and convicts nobody.

use std::collections::{BTreeMap, BTreeSet};

use wherefore::engine::Configuration;
use wherefore::model::{Effect, Provenance, Role, Tenant};
use wherefore::pipeline::{Offline, Outcome};

use crate::support::recordings::{Recording, read_recordings};

fn replay(recording: &Recording) -> Outcome {
    let mut offline = Offline::new(Configuration::default());
    for (signal, body) in recording.requests() {
        offline.request(&Tenant::default(), Role::Unspecified, signal, &body).expect("a recording is OTLP");
    }
    offline.finish().0
}

/// What the shop's tools do.
const DEEDS: &[(&str, Effect, bool)] = &[
    ("search_policy", Effect::Read, false),
    ("get_order", Effect::Read, false),
    ("issue_refund", Effect::Update, false),
    ("send_email", Effect::Send, true),
];

/// Stacks whose recordings define every tool that is called, at their default settings.
const DEFINED: &[&str] = &[
    "genkit",
    "google-adk",
    "google-adk-schema1",
    "langgraph-traceloop",
    "llama-index-openinference",
    "pydantic-ai",
    "smolagents-openinference",
];

/// Stacks whose applications define a tool alike in every recording that defines it.
const ALIKE: &[&str] = &["genkit", "ms-agent-framework", "traceloop-sdk", "vercel-ai-sdk", "vercel-ai-sdk-7"];

#[test]
fn tools_do_what_their_names_suggest_where_nobody_says_it() {
    let mut seen = BTreeSet::new();
    for recording in read_recordings() {
        for action in replay(&recording).actions.values() {
            let Some((tool, effect, out)) = DEEDS.iter().find(|row| row.0 == action.tool_label()) else { continue };
            let egress = out.then_some((true, Provenance::Inferred));
            assert_eq!(action.effect.value(), Some(&(*effect, Provenance::Inferred)), "{} {tool}", recording.name());
            assert_eq!(action.egress.value().copied(), egress, "{} {tool}", recording.name());
            seen.insert(*tool);
        }
    }
    assert_eq!(seen.len(), DEEDS.len());
}

#[test]
fn calls_know_the_definition_of_their_tool() {
    let mut versions: BTreeMap<(String, String), BTreeSet<String>> = BTreeMap::new();
    for recording in read_recordings() {
        for action in replay(&recording).actions.values() {
            let name = format!("{} {}", recording.name(), action.tool_label());
            assert!(action.tool_version.is_some() || !DEFINED.contains(&&*recording.stack), "{name}");
            if let (Some(version), true) = (&action.tool_version, ALIKE.contains(&&*recording.stack)) {
                let tool = (recording.stack.clone(), action.tool_label().to_owned());
                versions.entry(tool).or_default().insert(version.to_string());
            }
        }
    }
    for (tool, versions) in &versions {
        assert_eq!(versions.len(), 1, "{tool:?}");
    }
    let stacks: BTreeSet<&str> = versions.keys().map(|(stack, _)| &**stack).collect();
    assert_eq!(stacks, ALIKE.iter().copied().collect());
}

#[test]
fn coding_agents_tell_the_mode_that_their_calls_ran_under() {
    for recording in read_recordings() {
        let outcome = replay(&recording);
        let modes = outcome.turns.values().flat_map(|turn| &turn.modes);
        let modes: BTreeSet<_> = modes.map(|mode| (&*mode.mode, mode.bypass)).collect();
        let asks = ["02-cancel", "02-denied", "03-approved"].contains(&&*recording.scenario);
        let want = match (&*recording.stack, asks) {
            ("codex-cli", true) => BTreeSet::from([("on-request, read-only", Some(false))]),
            ("codex-cli", false) => BTreeSet::from([("never, danger-full-access", Some(true))]),
            ("gemini-cli", _) => BTreeSet::from([("yolo", Some(true))]),
            _ => BTreeSet::new(),
        };
        assert_eq!(modes, want, "{}", recording.name());
        for action in outcome.actions.values().filter(|_| recording.stack == "gemini-cli") {
            let turns = action.turns.iter().filter_map(|turn| outcome.turns.get(turn));
            let modes: Vec<_> = turns.filter_map(|turn| turn.mode_at(action.end)).map(|mode| mode.bypass).collect();
            assert!(modes.contains(&Some(true)), "{} {}", recording.name(), action.tool_label());
        }
    }
}
