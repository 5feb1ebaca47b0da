//! CrewAI: a refinement of OpenInference, and of OpenLLMetry.
//!
//! ```text
//! Crew_….kickoff                    CHAIN   crew_agents, crew_tasks = [{"description", "agent_role", …}]
//!   Refund Agent._execute_core      AGENT   graph.node.id = the agent's role; newer: `Refund Agent.<task>.execute`
//!     get_order.run                 TOOL    tool.name, no call id; newer: tool.agent_role
//!     Delegate work to coworker.run TOOL    {"task", "context", "coworker"}
//! ```
//!
//! * A tool is called in one of several ways, and its arguments stand in the input accordingly: as they are, below
//!   `input`, below `calling.arguments`, or in the text that the model wrote.
//! * What is asked for stands in the tasks when a crew starts without inputs.
//! * What a hook blocks and what no tool is are spans without an error whose output is a fixed sentence.
//! * A guardrail of a task that failed too often is the error of the agent's run. Until then nothing shows it.
//! * `crewai.telemetry` is what CrewAI tells its makers. It is nobody's run: nothing is read from it.
//!
//! Source: `python/instrumentation/openinference-instrumentation-crewai` of `Arize-ai/openinference` (23d0985a,
//! 19c10318), `crewai/task.py`, and notes on runs of 1.1.21.

use serde_json::Value;

use crate::model::{By, Call, Known, Moment, Node, Phase, Status, What};

use super::draft::word;
use super::guardrail::{self, Verdict};
use super::{Content, Dialect, Draft, Rules, Source};

const SCOPES: &[&str] = &["openinference.instrumentation.crewai", "opentelemetry.instrumentation.crewai"];
const MAKERS: &str = "crewai.telemetry";
const EVENTS: &str = "openinference.instrumentation.crewai._event_listener";

/// Who acts.
const AGENT: &[&str] = &["tool.agent_role", "crewai.agent.role", "graph.node.id"];

/// How the output of a call that a hook blocked begins, and that of one for which there is no tool.
const BLOCKED: &str = "Tool execution blocked by hook. Tool: ";
const NO_TOOL: &str = "Tool not found";

/// The error of a task whose guardrail did not let any answer pass.
const FAILED: &str = "failed guardrail validation after";

/// Spans of CrewAI's instrumentations, and of CrewAI's own.
pub struct CrewAi;

impl Dialect for CrewAi {
    fn name(&self) -> &'static str {
        "crewai"
    }

    fn reads(&self, source: &Source<'_>) -> bool {
        source.scope() == MAKERS || SCOPES.iter().any(|scope| source.scope().starts_with(scope))
    }

    fn read<'a>(&self, source: &'a Source<'a>, draft: &mut Draft<'a>) {
        if source.scope() == MAKERS {
            return forget(draft);
        }
        if let Some(role) = source.first_text(AGENT) {
            draft.agent(role.trim(), None);
        }
        if let Some(own) = draft.own.take() {
            draft.own = Some(tool_call(own, source, draft));
        }
        tasks(source, draft);
        guarded(source, draft);
    }

    fn rules(&self, source: &Source<'_>) -> Option<Rules> {
        (source.scope() == MAKERS).then_some(Rules { content: Content::Optional, ..Rules::DEFAULT })
    }
}

fn forget(draft: &mut Draft<'_>) {
    draft.node = Node::Other;
    draft.own = None;
    draft.facts.clear();
    draft.bodies.clear();
}

fn tool_call(mut own: Call, source: &Source<'_>, draft: &mut Draft<'_>) -> Call {
    let input: Option<Value> = source.text("input.value").and_then(|json| serde_json::from_str(json).ok());
    if let Some(arguments) = input.as_ref().and_then(arguments) {
        draft.replace(&mut own.arguments, &arguments);
    }
    if source.scope() == EVENTS {
        let output = source.text("output.value").unwrap_or_default();
        if output.starts_with(BLOCKED) {
            own.moment = Moment::Refused { by: By::Hook };
        } else if let (true, Moment::Ran { status, .. }) = (output.starts_with(NO_TOOL), &mut own.moment) {
            *status = Status::Error(word(NO_TOOL));
        }
    }
    own
}

/// The arguments inside an input that is not only them.
fn arguments(input: &Value) -> Option<String> {
    let inner = ["/calling/arguments", "/input"].iter().find_map(|at| input.pointer(at).filter(|it| it.is_object()));
    if let Some(arguments) = inner {
        return Some(arguments.to_string());
    }
    let (_, written) = input.get("tool_string")?.as_str()?.split_once("Action Input:")?;
    let written: Value = serde_json::Deserializer::from_str(written).into_iter().next()?.ok()?;
    written.is_object().then(|| written.to_string())
}

/// What a crew without inputs is asked for.
fn tasks(source: &Source<'_>, draft: &mut Draft<'_>) {
    let root = source.span().is_some_and(|span| span.parent_span_id.is_none());
    if !root || draft.has(|what| matches!(what, What::Intent(_))) {
        return;
    }
    let tasks: Option<Vec<Value>> = source.text("crew_tasks").and_then(|json| serde_json::from_str(json).ok());
    let tasks = tasks.unwrap_or_default();
    let described: Vec<&str> = tasks.iter().filter_map(|task| task.get("description")?.as_str()).collect();
    if !described.is_empty() {
        let text = draft.text(&described.join("\n"));
        draft.say(What::Intent(text));
    }
}

/// The agent's run says it, or where that ends before the guardrail looks, the crew's.
fn guarded(source: &Source<'_>, draft: &mut Draft<'_>) {
    let Some(span) = source.span().filter(|span| span.status.message.contains(FAILED)) else { return };
    if draft.node != Node::Agent && source.scope() != EVENTS {
        return;
    }
    let verdict =
        Verdict { name: "task guardrail", stopped: true, phase: Phase::Unknown, by: By::Policy, label: "failed" };
    guardrail::say(&verdict, source, draft);
    let why = span.status.message.split_once("Last error: ").map(|(_, why)| why);
    let why = why.map_or(Known::ABSENT, |why| draft.text(why));
    if let Some(check) = draft.checks().last() {
        check.explanation = why;
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn arguments_are_found_in_every_way_of_calling() {
        let calling = json!({"tool_string": "…", "calling": {"tool_name": "t", "arguments": {"id": 1}}});
        let written = json!({"tool_string": "Action: t\nAction Input: {\"id\": 1}\nObservation"});
        for (input, want) in [
            (calling, Some(r#"{"id":1}"#)),
            (json!({"input": {"id": 1}, "config": null}), Some(r#"{"id":1}"#)),
            (written, Some(r#"{"id":1}"#)),
            (json!({"id": 1}), None),
            (json!({"input": "a text"}), None),
            (json!({"tool_string": "no action"}), None),
        ] {
            assert_eq!(arguments(&input).as_deref(), want, "{input}");
        }
    }
}
