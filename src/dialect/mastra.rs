//! Mastra: a refinement of OTel GenAI, `mastra.span.type` on every span.
//!
//! ```text
//! invoke_agent desk       agent_run          mastra.agent_run.{input,output}
//!   chat gpt-…            model_generation   gen_ai.{input,output}.messages, usage of all its steps
//!     model_step …        model_step         no tokens of its own
//!     execute_tool t      tool_call          arguments and result; the call id only since 1.4
//!   processor_run p       processor_run      its guardrails; an error is no verdict
//! ```
//!
//! * A run that waits has ended: its output is `{"status": "suspended", "reason", "toolName", "toolCallId"}`. What was
//!   answered is the input of the run that goes on, in the same trace: `{"approved", "toolName", "toolCallId"}`. No
//!   attribute tells such a run from one whose request is this text, so that the answer is only inferred.
//! * What a workflow is given and what it makes is its own data, whatever it looks like.
//! * A run that a processor stopped has ended well: `{"tripwire": {"reason", "processorId"}}`.
//! * The call of a client's tool is made known, not carried out. Exporters before 1.0 have names of their own.
//!
//! Source: `observability/otel-exporter/src/gen-ai-semantics.ts` and `span-converter.ts` of `mastra-ai/mastra`
//! (28da7259 and before), its tests of suspended runs, and notes on runs of `@mastra/otel-exporter` 1.4.0.

use serde_json::Value;

use crate::model::{By, Call, Known, Moment, Node, Outcome, Phase, Proof, Provenance, Status, Text, What};

use super::draft::{a_decision, about, an_id, word};
use super::genai_events::a_call;
use super::guardrail::{self, Verdict};
use super::message;
use super::{Content, Dialect, Draft, Rules, Source};

const TYPE: &str = "mastra.span.type";
const INPUT: &str = "mastra.agent_run.input";
const OUTPUT: &str = "mastra.agent_run.output";
const WORKFLOW_INPUT: &str = "mastra.workflow_run.input";
const ARGUMENTS: &[&str] = &["gen_ai.tool.input", "mastra.client_tool_call.input"];
const RESULT: &[&str] = &["gen_ai.tool.output", "mastra.client_tool_call.output"];

/// Spans of Mastra's exporters.
pub struct Mastra;

impl Dialect for Mastra {
    fn name(&self) -> &'static str {
        "mastra"
    }

    fn reads(&self, source: &Source<'_>) -> bool {
        source.scope().starts_with("@mastra/") || source.text(TYPE).is_some()
    }

    fn read<'a>(&self, source: &'a Source<'a>, draft: &mut Draft<'a>) {
        if source.text(TYPE) == Some("processor_run") {
            draft.node = Node::Check;
        }
        if let Some(own) = draft.own.take() {
            draft.own = Some(tool_call(own, source, draft));
        }
        if draft.node == Node::Agent {
            began(source, draft);
            ended(source, draft);
        }
    }

    fn rules(&self, source: &Source<'_>) -> Option<Rules> {
        let proof = if source.text(TYPE) == Some("client_tool_call") { Proof::NeedsResult } else { Proof::Ran };
        Some(Rules { proof, content: Content::Here })
    }
}

fn tool_call(mut own: Call, source: &Source<'_>, draft: &mut Draft<'_>) -> Call {
    let named = || source.span()?.name.split_once(' ').map(|(_, name)| word(name));
    own.tool = own.tool.or_else(named);
    complete(&mut own.arguments, ARGUMENTS, source, draft);
    complete(&mut own.result, RESULT, source, draft);
    let failed = source.get("gen_ai.tool.success").and_then(|value| value.as_bool()) == Some(false);
    if let (true, Moment::Ran { status: status @ Status::Fine, .. }) = (failed, &mut own.moment) {
        *status = Status::Error(word("not successful"));
    }
    own
}

fn complete(known: &mut Known<Text>, keys: &[&str], source: &Source<'_>, draft: &mut Draft<'_>) {
    if let (false, Some(text)) = (known.is_present(), source.first_text(keys)) {
        *known = draft.text(text);
    }
}

/// What a run was given: a request, or the answer to what it waited for.
fn began(source: &Source<'_>, draft: &mut Draft<'_>) {
    let Some(input) = source.first_text(&[INPUT, WORKFLOW_INPUT]) else { return };
    let json: Value = serde_json::from_str(input).unwrap_or_default();
    if source.text(INPUT).is_some() && answered(&json, source, draft) {
        return;
    }
    // Sub-agents are asked by another agent.
    let root = source.span().is_some_and(|span| span.parent_span_id.is_none());
    if let (true, Some(said)) = (root, asked(input, &json)) {
        let said = draft.text(&said);
        draft.say(What::Intent(said));
    }
}

/// Whether a run's input is the answer to what it waited for.
fn answered(input: &Value, source: &Source<'_>, draft: &mut Draft<'_>) -> bool {
    let Some(approved) = input.get("approved").and_then(Value::as_bool).filter(|_| names_a_call(input)) else {
        return false;
    };
    let outcome = if approved { Outcome::Allow } else { Outcome::Deny };
    let decision = a_decision(source, outcome, By::Human, &format!("approved={approved}"));
    let call = named(input, Moment::Carried, draft);
    draft.fact(Provenance::Inferred, What::Decision(Box::new(about(&call, decision))));
    true
}

fn names_a_call(fields: &Value) -> bool {
    fields.get("toolCallId").and_then(Value::as_str).and_then(an_id).is_some()
}

/// The user's last text.
fn asked(input: &str, json: &Value) -> Option<String> {
    match json {
        Value::Null => Some(input.to_owned()),
        Value::String(text) => Some(text.clone()),
        _ => {
            let listed = message::messages(json.get("messages").unwrap_or(json));
            let texts = listed.iter().rev().filter(|it| it.role == "user").map(message::Message::text);
            texts.into_iter().find(|text| !text.is_empty())
        }
    }
}

/// How a run ended, where it did not end with an answer.
fn ended(source: &Source<'_>, draft: &mut Draft<'_>) {
    let output = source.text(OUTPUT).filter(|output| output.starts_with('{'));
    let output: Value = output.and_then(|json| serde_json::from_str(json).ok()).unwrap_or_default();
    if let Some(tripwire) = output.get("tripwire").filter(|tripwire| tripwire.is_object()) {
        return tripped(tripwire, source, draft);
    }
    let text = |key: &str| output.get(key).and_then(Value::as_str).unwrap_or_default();
    match text("status") {
        "suspended" if names_a_call(&output) => {
            let call = named(&output, Moment::Asked, draft);
            draft.call(call);
        }
        "aborted" => {
            let mut decision = a_decision(source, Outcome::Abort, By::Unknown, &format!("aborted/{}", text("reason")));
            decision.at = source.span().map_or(decision.at, |span| span.end);
            draft.say(What::Decision(Box::new(decision)));
        }
        _ => {}
    }
}

fn tripped(tripwire: &Value, source: &Source<'_>, draft: &mut Draft<'_>) {
    let text = |key: &str| tripwire.get(key).and_then(Value::as_str);
    let name = text("processorId").unwrap_or("processor");
    let verdict = Verdict { name, stopped: true, phase: Phase::PreAction, by: By::Policy, label: "tripwire" };
    guardrail::say(&verdict, source, draft);
    let why = text("reason").map_or(Known::ABSENT, |why| draft.text(why));
    if let Some(check) = draft.checks().last() {
        check.explanation = why;
    }
}

/// The call that `{toolName, toolCallId, args}` names.
fn named(fields: &Value, moment: Moment, draft: &mut Draft<'_>) -> Call {
    let text = |key: &str| fields.get(key).and_then(Value::as_str).map(str::to_owned);
    let arguments = fields.get("args").filter(|args| args.is_object()).map(Value::to_string);
    a_call(moment, &text("toolCallId"), &text("toolName"), &arguments, draft)
}
