//! LangChain and LangGraph.
//!
//! * A graph's tool node is a `CHAIN` span around the `TOOL` span: only its input holds the call with its id,
//!   `[{"name", "args", "id", "type": "tool_call"}]`. The tool's own input is the bare text when the tool has one
//!   parameter, and its output a message: `{"type": "tool", "data": {"content", "tool_call_id", "status"}}`.
//! * `GraphInterrupt` is an exception on a span with status OK: the node waits for a person. The resumed root, in
//!   another trace, holds what was decided. The node's output then repeats the model's message; a rejected call is
//!   answered in it.
//! * Steps of middleware are named after it, `PIIMiddleware[email].before_model`, and are `AGENT` spans when the name
//!   holds that word. One that jumps to the end or raises has blocked the run.
//! * Agent and thread stand in `metadata`. An agent's run is named after the agent, and is a `CHAIN` when its name
//!   does not hold the word.
//!
//! Source: `python/instrumentation/openinference-instrumentation-langchain` and recordings of 0.1.80.

use memchr::memmem;
use serde_json::{Map, Value};

use crate::model::{Call, Check, CheckResult, Decision, Known, Missing, Moment, Node, Status, What};
use crate::values;

use super::super::draft::{an_id, word};
use super::super::genai_events::a_call;
use super::super::traceloop::{by_human, requests};
use super::feedback::empty;
use super::tool::{exception, is_pending, moment};
use super::{Draft, INPUT, OUTPUT, Source};

const CONVERSATION: &[&str] = &["session_id", "conversation_id", "thread_id"];

/// The middleware that asks a person.
const ASKS: &str = "HumanInTheLoopMiddleware";

/// Ends of the names of middleware steps.
const STEPS: &[&str] = &[".before_agent", ".before_model", ".after_model", ".after_agent"];

/// Refines a span of LangChain.
pub fn read<'a>(source: &'a Source<'a>, draft: &mut Draft<'a>) {
    let metadata = object(source.text("metadata"));
    belongs(&metadata, source, draft);
    let step = step(source);
    match draft.own.take() {
        Some(own) => draft.own = Some(tool_call(own, source, draft)),
        None if step.is_some() => draft.node = Node::Other,
        None if draft.node == Node::Other => draft.own = tool_node(source, draft),
        None => {}
    }
    if draft.own.is_some() {
        return draft.node = Node::Tool;
    }
    if let Some(name) = step {
        blocked(name, source, draft);
    }
    asked(source, draft);
    if step == Some(ASKS) {
        answered(source, draft);
    }
    decided(source, draft);
}

/// Thread and agent, and whether the span is the agent's run.
fn belongs(metadata: &Map<String, Value>, source: &Source<'_>, draft: &mut Draft<'_>) {
    let text = |key: &str| metadata.get(key).and_then(Value::as_str);
    if let Some(id) = CONVERSATION.iter().find_map(|key| text(key)) {
        draft.conversation(id);
    }
    let Some(agent) = text("lc_agent_name") else { return };
    draft.agent(agent, None);
    if draft.node == Node::Other && source.span().is_some_and(|span| span.name == agent) {
        draft.node = Node::Agent;
    }
}

fn object(json: Option<&str>) -> Map<String, Value> {
    match json.and_then(|json| serde_json::from_str(json).ok()) {
        Some(Value::Object(fields)) => fields,
        _ => Map::new(),
    }
}

/// The middleware whose step a span is.
fn step<'a>(source: &Source<'a>) -> Option<&'a str> {
    let name = source.span()?.name;
    STEPS.iter().find_map(|step| name.strip_suffix(step))
}

/// The call of a `TOOL` span: id, result and status out of the message that it returns.
fn tool_call(mut own: Call, source: &Source<'_>, draft: &mut Draft<'_>) -> Call {
    if own.arguments.value().is_some_and(|text| !text.head.starts_with('{')) {
        // The value without its name: it would differ from the arguments that the model wrote.
        own.arguments = Known::Missing(Missing::Lost);
    }
    let output: Option<Value> = source.text(OUTPUT).and_then(|json| serde_json::from_str(json).ok());
    if let Some(message) = output.as_ref().and_then(of_tool) {
        answer(message, &mut own, draft);
    }
    own
}

/// The call of a graph's tool node.
fn tool_node(source: &Source<'_>, draft: &mut Draft<'_>) -> Option<Call> {
    let input = source.text(INPUT).filter(|json| contains(json, "\"tool_call\""))?;
    let input: Value = serde_json::from_str(input).ok()?;
    let sent = match input.as_array().map(Vec::as_slice) {
        Some([one]) => one,
        Some(_) => return None,
        None => input.get("tool_call")?,
    };
    let text = |key: &str| sent.get(key).and_then(Value::as_str).map(str::to_owned);
    text("type").filter(|kind| kind == "tool_call")?;
    let arguments = sent.get("args").map(Value::to_string);
    let mut own = a_call(moment(source), &text("id"), &text("name"), &arguments, draft);
    let output: Value = source.text(OUTPUT).and_then(|json| serde_json::from_str(json).ok()).unwrap_or(Value::Null);
    let id = own.id.clone();
    let is_own = |message: &&Map<String, Value>| message.get("tool_call_id").and_then(Value::as_str) == id.as_deref();
    if let Some(message) = messages(&output).into_iter().filter_map(of_tool).find(is_own) {
        answer(message, &mut own, draft);
    }
    Some(own)
}

/// Result, id and status of a tool message. A sentence of the middleware in the result's place is no result.
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

/// The messages of a state: `{"messages": […]}`, a command's update, or a list of either.
fn messages(state: &Value) -> Vec<&Value> {
    let of = |state| ["/messages", "/update/messages"].iter().find_map(|at| Value::pointer(state, at)?.as_array());
    match state.as_array() {
        Some(states) => states.iter().filter_map(of).flatten().collect(),
        None => of(state).into_iter().flatten().collect(),
    }
}

/// The fields of a message: `{"type", "data": {…}}`, or LangChain's own `{"lc", "kwargs": {…}}`.
fn fields(message: &Value) -> Option<&Map<String, Value>> {
    ["data", "kwargs"].iter().find_map(|key| message.get(key)?.as_object())
}

fn of_tool(message: &Value) -> Option<&Map<String, Value>> {
    fields(message).filter(|fields| fields.get("type").and_then(Value::as_str) == Some("tool"))
}

/// A step of middleware that ended the run.
fn blocked(name: &str, source: &Source<'_>, draft: &mut Draft<'_>) {
    let raised = source.span().is_some_and(|span| span.status.is_error());
    let jumped = source.text(OUTPUT).filter(|json| contains(json, "\"jump_to\"")).is_some_and(|json| {
        serde_json::from_str::<Value>(json)
            .is_ok_and(|output| output.get("jump_to").and_then(Value::as_str) == Some("end"))
    });
    if !raised && !jumped {
        return;
    }
    let why = exception(source, "exception.message").filter(|_| raised);
    let explanation = why.map_or(Known::ABSENT, |why| draft.text(why));
    let label = if raised { "raised" } else { "jumped to the end" };
    let check = Check { name: word(name), result: CheckResult::Fail, label: word(label), explanation, ..empty(source) };
    draft.node = Node::Check;
    draft.say(What::Check(Box::new(check)));
}

/// The calls that an interrupted node waits for: named in the interrupt, their ids in the node's input.
fn asked(source: &Source<'_>, draft: &mut Draft<'_>) {
    if !exception(source, "exception.type").is_some_and(is_pending) {
        return;
    }
    let requests = requests(exception(source, "exception.message").unwrap_or_default());
    let input: Value = source.text(INPUT).and_then(|json| serde_json::from_str(json).ok()).unwrap_or(Value::Null);
    let proposed = messages(&input)
        .into_iter()
        .rev()
        .find_map(|message| fields(message)?.get("tool_calls")?.as_array().filter(|calls| !calls.is_empty()));
    for request in requests {
        let same = |call: &&Value| call.get("name") == request.get("name") && call.get("args") == request.get("args");
        let id = proposed.and_then(|calls| calls.iter().find(same)?.get("id")?.as_str());
        let name = request.get("name").and_then(Value::as_str);
        let arguments = request.get("args").map(Value::to_string);
        let call = a_call(Moment::Asked, &id.map(str::to_owned), &name.map(str::to_owned), &arguments, draft);
        draft.call(call);
    }
}

/// What a person said about the calls of the message that the resumed middleware puts out. A rejected call is
/// answered there. Of several calls it cannot be told which were asked about, so only a single one is approved.
fn answered(source: &Source<'_>, draft: &mut Draft<'_>) {
    let output: Value = source.text(OUTPUT).and_then(|json| serde_json::from_str(json).ok()).unwrap_or(Value::Null);
    let messages = messages(&output);
    let mut rejected = false;
    for message in messages.iter().filter_map(|message| of_tool(message)) {
        let text = |key: &str| message.get(key).and_then(Value::as_str).map(str::to_owned);
        let content = text("content").unwrap_or_default();
        if let Some(moment @ Moment::Refused { .. }) = values::spoken(&content) {
            let mut call = a_call(moment, &text("tool_call_id"), &text("name"), &None, draft);
            call.result = draft.text(&content);
            about("reject", &call, source, draft);
            draft.call(call);
            rejected = true;
        }
    }
    let calls = messages.iter().find_map(|message| fields(message)?.get("tool_calls")?.as_array());
    if let (Some([only]), false) = (calls.map(Vec::as_slice), rejected) {
        let text = |key: &str| only.get(key).and_then(Value::as_str).map(str::to_owned);
        about("approve", &a_call(Moment::Asked, &text("id"), &text("name"), &None, draft), source, draft);
    }
}

/// A person's decision about a call.
fn about(raw: &str, call: &Call, source: &Source<'_>, draft: &mut Draft<'_>) {
    if let (Some(decision), Some(id)) = (by_human(raw, source), &call.id) {
        let decision = Decision { call_id: Some(id.clone()), tool: call.tool.clone(), ..decision };
        draft.say(What::Decision(Box::new(decision)));
    }
}

/// What a person decided, in the input of the resumed run. It names no calls.
fn decided(source: &Source<'_>, draft: &mut Draft<'_>) {
    let Some(json) = source.text(INPUT).filter(|json| contains(json, "\"decisions\"")) else { return };
    let input = object(Some(json));
    let decisions = input.get("resume").and_then(|resume| resume.get("decisions")?.as_array());
    for raw in decisions.into_iter().flatten().filter_map(|decision| decision.get("type")?.as_str()) {
        if let Some(decision) = by_human(raw, source) {
            draft.say(What::Decision(Box::new(decision)));
        }
    }
}

fn contains(text: &str, part: &str) -> bool {
    memmem::find(text.as_bytes(), part.as_bytes()).is_some()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn messages_are_found_in_every_kind_of_state() {
        let tool = json!({"type": "tool", "data": {"type": "tool", "content": "ok", "tool_call_id": "call_1"}});
        for state in [
            json!({"messages": [tool]}),
            json!([{"graph": null, "update": {"messages": [tool]}, "goto": []}]),
            json!({"update": {"messages": [tool]}}),
        ] {
            let found = messages(&state);
            assert_eq!(found.len(), 1, "{state}");
            assert_eq!(of_tool(found[0]).and_then(|fields| fields["tool_call_id"].as_str()), Some("call_1"));
        }
        assert_eq!(of_tool(&json!({"type": "ai", "data": {"type": "ai", "content": "ok"}})), None);
        assert!(messages(&json!("messages")).is_empty());
    }
}
