//! NeMo Guardrails: rails around a model, each with a verdict.
//!
//! ```text
//! guardrails.request
//!   guardrails.rail     rail.type, rail.name, rail.stop, rail.decisions
//!     guardrails.action   a step of the rail; no action of an agent
//!       <task> <model>      a model call, its operation named after the task
//! ```
//!
//! `rail.stop` is the verdict of rails that check something; a rail that generates or talks has none. The user's text
//! is not exported by default. Source: `nemoguardrails/tracing` and recordings of 0.24.

use crate::model::{By, Node, Phase, What};

use super::source::event_text;
use super::{Content, Dialect, Draft, Rules, Source, genai, guardrail};

/// Types of rails that check, and when they look. An output rail looks at an answer, not at what an action did.
const CHECKING: &[(&str, Phase)] = &[
    ("input", Phase::PreAction),
    ("retrieval", Phase::PreAction),
    ("tool_input", Phase::Unknown),
    ("tool_output", Phase::Unknown),
    ("output", Phase::Unknown),
];

/// Beginnings of the names of rails in which a model judges.
const BY_MODEL: &[&str] = &["self check", "llama guard", "content safety", "topic safety"];

/// Spans of the scope, and rails in any: the application may choose another.
pub struct NemoGuardrails;

impl Dialect for NemoGuardrails {
    fn name(&self) -> &'static str {
        "nemo-guardrails"
    }

    fn reads(&self, source: &Source<'_>) -> bool {
        source.span().is_some_and(|span| source.scope() == "nemo_guardrails" || span.name.starts_with("guardrails."))
    }

    fn read<'a>(&self, source: &'a Source<'a>, draft: &mut Draft<'a>) {
        match source.span().map(|span| span.name) {
            Some("guardrails.request") => request(source, draft),
            Some("guardrails.rail") => rail(source, draft),
            Some("guardrails.action") => {}
            _ if source.text("gen_ai.request.model").is_some() && draft.node == Node::Other => {
                draft.node = Node::Model;
                genai::model(source, draft);
            }
            _ => {}
        }
    }

    fn rules(&self, source: &Source<'_>) -> Option<Rules> {
        Some(Rules { proof: genai::proof(source), content: Content::Optional })
    }
}

/// What the user wrote, as an event or as an opt-in attribute.
fn request(source: &Source<'_>, draft: &mut Draft<'_>) {
    let mut events = source.span_events().filter(|event| event.name == "guardrails.user_message");
    let written = events.find_map(|event| event_text(event.attributes(), "content"));
    if let Some(text) = written.or_else(|| source.text("guardrails.request.input")) {
        let text = draft.text(text);
        draft.say(What::Intent(text));
    } else if source.span_events().any(|event| event.name == "guardrails.user_message") {
        draft.withheld();
    }
}

fn rail(source: &Source<'_>, draft: &mut Draft<'_>) {
    draft.node = Node::Check;
    let kind = source.text("rail.type").unwrap_or_default();
    let Some((_, phase)) = CHECKING.iter().find(|(word, _)| *word == kind) else { return };
    let Some(stopped) = source.get("rail.stop").and_then(|stop| stop.as_bool()) else { return };
    let name = source.text("rail.name").unwrap_or("rail");
    let by = if BY_MODEL.iter().any(|start| name.starts_with(start)) { By::Model } else { By::Policy };
    let label = if stopped { "stop" } else { "go on" };
    guardrail::say(&guardrail::Verdict { name, stopped, phase: *phase, by, label }, source, draft);
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::dialect::testing::{facts, span};
    use crate::model::{CheckResult, Outcome};

    fn verdict(fields: Value) -> Option<(CheckResult, Outcome, By)> {
        let said = facts(span("nemo_guardrails", "guardrails.rail", fields));
        let check = said.iter().find_map(|what| match what {
            What::Check(check) => Some(check.result),
            _ => None,
        });
        let decision = said.iter().find_map(|what| match what {
            What::Decision(decision) => Some((decision.outcome, decision.by)),
            _ => None,
        });
        Some((check?, decision?.0, decision?.1))
    }

    #[test]
    fn a_rail_that_checks_has_a_verdict() {
        let rail = |kind: &str, name: &str, stop: bool| {
            verdict(json!({"rail.type": kind, "rail.name": name, "rail.stop": stop}))
        };
        let denied = |by| Some((CheckResult::Fail, Outcome::Deny, by));
        assert_eq!(rail("input", "check scope", true), denied(By::Policy));
        assert_eq!(rail("output", "self check output", true), denied(By::Model));
        assert_eq!(rail("input", "check scope", false), Some((CheckResult::Pass, Outcome::Allow, By::Policy)));
        assert_eq!(rail("generation", "generate user intent", false), None);
        assert_eq!(verdict(json!({"rail.type": "input"})), None);
    }

    #[test]
    fn a_model_call_is_one_whatever_its_task_is_called() {
        let fields = json!({"gen_ai.operation.name": "general", "gen_ai.request.model": "gpt-4o-mini",
            "gen_ai.usage.input_tokens": 28, "gen_ai.usage.output_tokens": 18});
        let evidence = span("nemo_guardrails", "general gpt-4o-mini", fields);
        assert_eq!(evidence.node, Node::Model);
        assert!(facts(evidence).iter().any(|what| matches!(what, What::Model { tokens: (28, 18), .. })));
    }
}
