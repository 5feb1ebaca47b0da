//! OpenLLMetry (Traceloop) of LangChain and LangGraph: a refinement of OTel GenAI.
//!
//! * The conversation is an association property: LangGraph's `thread_id`, or `session_id`.
//! * A tool span wraps arguments (`{"input_str": "{'order_id': 'A-1001'}", …}`, a Python literal) and result
//!   (`{"output": {"kwargs": {"content": …, "tool_call_id": …}}}`); the call id stands only there.
//! * A `GraphInterrupt` is an error span of the node that waits, not a failed tool: its calls are asked for. The
//!   resumed root holds what the person decided; a rejected call is answered in the node's output.
//!
//! Source: `packages/opentelemetry-instrumentation-langchain` of OpenLLMetry and recordings of 0.62.

use std::sync::Arc;

use memchr::memmem;
use serde_json::{Map, Value};

use crate::model::{By, Call, Decision, GrantScope, Moment, Node, Outcome, Status, What};
use crate::values;

use super::draft::{an_id, word};
use super::genai_events::a_call;
use super::source::event_text;
use super::{Content, Dialect, Draft, Rules, Source, genai, python};

const CONVERSATION: &[&str] =
    &["traceloop.association.properties.thread_id", "traceloop.association.properties.session_id"];
const AGENT: &str = "traceloop.association.properties.lc_agent_name";
const INPUT: &str = "traceloop.entity.input";
const OUTPUT: &str = "traceloop.entity.output";

/// What a person may answer to LangChain's human-in-the-loop middleware.
const ANSWERS: &[(&str, Outcome)] = &[
    ("approve", Outcome::Allow),
    ("edit", Outcome::Modify),
    ("reject", Outcome::Deny),
    ("respond", Outcome::Deny),
    ("ignore", Outcome::Deny),
];

/// Spans of the LangChain instrumentation, and any with `traceloop.*` attributes.
pub struct Traceloop;

impl Dialect for Traceloop {
    fn name(&self) -> &'static str {
        "traceloop"
    }

    fn reads(&self, source: &Source<'_>) -> bool {
        source.span().is_some()
            && (source.scope() == "opentelemetry.instrumentation.langchain" || source.has_prefix("traceloop."))
    }

    fn read<'a>(&self, source: &'a Source<'a>, draft: &mut Draft<'a>) {
        if let Some(id) = source.first_text(CONVERSATION) {
            draft.conversation(id);
        }
        if let Some(name) = source.text(AGENT) {
            draft.agent(name, None);
        }
        match draft.own.take() {
            Some(own) => draft.own = Some(tool_call(own, source, draft)),
            None => {
                asked(source, draft);
                refused(source, draft);
                decided(source, draft);
            }
        }
    }

    fn rules(&self, source: &Source<'_>) -> Option<Rules> {
        Some(Rules { proof: genai::proof(source), content: Content::Here })
    }
}

/// The call of a tool span, unwrapped.
fn tool_call(mut own: Call, source: &Source<'_>, draft: &mut Draft<'_>) -> Call {
    let wrapped = object(source, "gen_ai.tool.call.arguments");
    if let Some(arguments) = wrapped.as_ref().and_then(arguments) {
        draft.replace(&mut own.arguments, &arguments);
    }
    let wrapped = object(source, "gen_ai.tool.call.result");
    if let Some(message) = wrapped.as_ref().and_then(|fields| fields.get("output")?.get("kwargs")?.as_object()) {
        answer(message, &mut own, draft);
    }
    own
}

fn object(source: &Source<'_>, key: &str) -> Option<Map<String, Value>> {
    let Value::Object(fields) = serde_json::from_str(source.text(key)?).ok()? else { return None };
    Some(fields)
}

/// The arguments: structured, or a Python literal, or the tool's one text.
fn arguments(fields: &Map<String, Value>) -> Option<String> {
    if let Some(inputs) = fields.get("inputs").filter(|inputs| inputs.is_object()) {
        return Some(inputs.to_string());
    }
    let input = fields.get("input_str")?.as_str()?;
    let value = python::literal(input).filter(|value| value.is_object() || value.is_array());
    Some(value.map_or_else(|| input.to_owned(), |value| value.to_string()))
}

/// The tool message in a result: its content, its call id, its status.
fn answer(message: &Map<String, Value>, own: &mut Call, draft: &mut Draft<'_>) {
    let text = |key: &str| message.get(key).and_then(Value::as_str);
    own.id = own.id.take().or_else(|| an_id(text("tool_call_id")?));
    match message.get("content") {
        Some(Value::String(content)) => draft.replace(&mut own.result, content),
        Some(other) if !other.is_null() => draft.replace(&mut own.result, &other.to_string()),
        _ => {}
    }
    if let (Moment::Ran { status: status @ Status::Fine, .. }, Some("error")) = (&mut own.moment, text("status")) {
        *status = Status::Error(word("error"));
    }
}

/// The calls that an interrupted node waits for: named in the interrupt, their ids in the node's input.
fn asked(source: &Source<'_>, draft: &mut Draft<'_>) {
    if source.text("error.type") != Some("GraphInterrupt") {
        return;
    }
    let exception = source.span_events().find_map(|event| event_text(event.attributes(), "exception.message"));
    let message = exception.or_else(|| Some(source.span()?.status.message)).unwrap_or_default();
    let proposed = proposed(source);
    for request in requests(message) {
        let (name, args) = (request.get("name").and_then(Value::as_str), request.get("args"));
        let same = |call: &&Value| call.get("name").and_then(Value::as_str) == name && call.get("args") == args;
        let id = proposed.iter().find(same).and_then(|call| call.get("id")?.as_str());
        let arguments = args.map(Value::to_string);
        let call = a_call(Moment::Asked, &id.map(str::to_owned), &name.map(str::to_owned), &arguments, draft);
        draft.call(call);
    }
}

/// The action requests of an interrupt: `(Interrupt(value={'action_requests': […], 'review_configs': …}, id=…),)`.
pub fn requests(message: &str) -> Vec<Value> {
    let list = message.split_once("'action_requests': ").and_then(|(_, rest)| rest.split_once(", 'review_configs'"));
    match list.and_then(|(list, _)| python::literal(list)) {
        Some(Value::Array(requests)) => requests,
        _ => Vec::new(),
    }
}

/// The calls of the last message of a node's input that has any.
fn proposed(source: &Source<'_>) -> Vec<Value> {
    let input: Value = source.text(INPUT).and_then(|json| serde_json::from_str(json).ok()).unwrap_or(Value::Null);
    let messages = input.pointer("/inputs/messages").and_then(Value::as_array);
    let calls =
        |message: &Value| message.pointer("/kwargs/tool_calls")?.as_array().filter(|calls| !calls.is_empty()).cloned();
    messages.into_iter().flatten().rev().find_map(calls).unwrap_or_default()
}

/// Calls that a person rejected: tool messages that the middleware itself wrote.
fn refused(source: &Source<'_>, draft: &mut Draft<'_>) {
    let Some(json) = source.text(OUTPUT).filter(|json| contains(json, "rejected the tool call")) else { return };
    let output: Value = serde_json::from_str(json).unwrap_or(Value::Null);
    let messages = output.pointer("/outputs/messages").and_then(Value::as_array);
    for message in messages.into_iter().flatten().filter_map(|message| message.get("kwargs")?.as_object()) {
        let text = |key: &str| message.get(key).and_then(Value::as_str).map(str::to_owned);
        let content = text("content").unwrap_or_default();
        if text("type").as_deref() != Some("tool") {
            continue;
        }
        if let Some(moment @ Moment::Refused { .. }) = values::spoken(&content) {
            let mut call = a_call(moment, &text("tool_call_id"), &text("name"), &None, draft);
            call.result = draft.text(&content);
            draft.call(call);
        }
    }
}

/// What a person decided, in the input of the resumed root. It names no calls: the order is that of the requests.
fn decided(source: &Source<'_>, draft: &mut Draft<'_>) {
    if draft.node != Node::Agent {
        return;
    }
    let Some(json) = source.text(INPUT).filter(|json| contains(json, "\"decisions\"")) else { return };
    let input: Value = serde_json::from_str(json).unwrap_or(Value::Null);
    let decisions = input.pointer("/inputs/resume/decisions").and_then(Value::as_array);
    for raw in decisions.into_iter().flatten().filter_map(|decision| decision.get("type")?.as_str()) {
        if let Some(decision) = by_human(raw, source) {
            draft.say(What::Decision(Box::new(decision)));
        }
    }
}

/// What a person answered, in the middleware's word; `None` for another word.
pub fn by_human(raw: &str, source: &Source<'_>) -> Option<Decision> {
    let (_, outcome) = ANSWERS.iter().find(|(word, _)| *word == raw)?;
    Some(Decision {
        at: source.span().map(|span| span.start).unwrap_or_default(),
        outcome: *outcome,
        by: By::Human,
        principal: None,
        scope: GrantScope::Once,
        enforced: true,
        standing: false,
        waited: None,
        raw: Arc::from(raw),
        policies: Vec::new(),
        call_id: None,
        plan: None,
        tool: None,
        parameters: None,
        witness: None,
    })
}

fn contains(text: &str, part: &str) -> bool {
    memmem::find(text.as_bytes(), part.as_bytes()).is_some()
}
