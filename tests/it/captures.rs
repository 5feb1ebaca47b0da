//! Recordings of real stacks against what really happened.
//!
//! `truth.jsonl` beside the fixtures says what a perfect reader could know of each recording; it was written from
//! the scripts that drove the stacks, not from this program's output.

use std::collections::BTreeMap;

use bytes::Bytes;
use wherefore::engine::Configuration;
use wherefore::model::{Role, Signal, Tenant};
use wherefore::pipeline::{Offline, Outcome};

fn replay(stack: &str, scenario: &str) -> Outcome {
    let base = format!("/work/shared/data/captures/{stack}/{scenario}");
    let mut offline = Offline::new(Configuration::default());
    for (signal, name) in [(Signal::Traces, "traces"), (Signal::Logs, "logs")] {
        let Ok(text) = std::fs::read_to_string(format!("{base}.{name}.jsonl")) else { continue };
        for line in text.lines() {
            let body = wherefore::wire::json::to_protobuf(signal, line.as_bytes()).unwrap().body;
            offline.request(&Tenant::default(), Role::Unspecified, signal, &Bytes::from(body)).unwrap();
        }
    }
    offline.finish().0
}

#[test]
fn score() {
    let truth = std::fs::read_to_string("/work/shared/data/captures/truth.jsonl").unwrap();
    let mut out = String::new();
    for line in truth.lines() {
        let row: serde_json::Value = serde_json::from_str(line).unwrap();
        let (stack, scenario) = (row["stack"].as_str().unwrap(), row["scenario"].as_str().unwrap());
        if let Ok(only) = std::env::var("ONLY") {
            if !format!("{stack}/{scenario}").contains(&only) {
                continue;
            }
        }
        let outcome = replay(stack, scenario);
        let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
        for action in outcome.actions.values() {
            let class = match action.state.as_str() {
                "executed" | "unknown_result" => "executed",
                "failed" => "failed",
                "refused" => "refused",
                _ => "pending",
            };
            *counts.entry(class).or_default() += 1;
            if std::env::var("SHOW").is_ok() {
                println!("{stack}/{scenario} {} {} {:?} {:?} keys {:?}", action.tool_label(), action.state.as_str(), action.call_id, action.turn, action.keys.iter().map(ToString::to_string).collect::<Vec<_>>());
                for p in &action.pieces { println!("      {:?}", match &p.says { wherefore::model::Says::Call(c) => format!("{:?} {:?} {:?} args {} res {}", c.moment, c.tool, c.id, c.arguments.value().map(|t| t.head.to_string()).unwrap_or(format!("{:?}", c.arguments.missing())), c.result.value().map(|t| t.head.to_string()).unwrap_or_default()), o => format!("{o:?}") }); }
            }
        }
        let mut lineages = std::collections::BTreeSet::new();
        for turn in outcome.turns.values() {
            let works = !turn.models.is_empty() || outcome.actions.values().any(|action| action.turn == turn.id);
            if works {
                lineages.insert(match &turn.conversation {
                    Some(it) => it.value.0.to_string(),
                    None => turn.id.to_string(),
                });
            }
        }
        let get = |name: &str| counts.get(name).copied().unwrap_or(0);
        out += &format!("{}\n", serde_json::json!({
            "stack": stack, "scenario": scenario, "actions": outcome.actions.len(), "executed": get("executed"),
            "refused": get("refused"), "pending": get("pending"), "failed": get("failed"), "lineages": lineages.len(),
        }));
    }
    std::fs::write("/tmp/x/results.jsonl", out).unwrap();
}
