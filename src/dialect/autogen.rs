//! AutoGen (0.5–0.7): its own spans, its event log, and a refinement of OpenInference.
//!
//! ```text
//! autogen-core                          invoke_agent desk, execute_tool t: name and call id, never content
//! autogen SingleThreadedAgentRuntime    autogen process …: messages between agents, nothing about the work
//! autogen_core.events (logs)            {"type": "LLMCall" | "ToolCall" | …} as a JSON text
//! openinference.…autogen_agentchat      desk.on_messages_stream  AGENT   graph.node.id = the agent
//!                                       ….create                 LLM     output.value = {"content", "usage"}
//!                                       t                        TOOL    around the framework's own span of the call
//! ```
//!
//! * A handoff is a tool, `transfer_to_x`, told by its description: it never has arguments on the span.
//! * The framework's model calls have no span. Its log says what they used and what tools were called with. A tool call
//!   of the log that stands in a span is that span's: the log has no call id.
//! * The outer span of a failed call is OK; its result says `is_error`.
//!
//! Source: `autogen_core/_telemetry/_genai.py`, `_tracing_config.py`, `logging.py` of `microsoft/autogen` (26809c94),
//! `python/instrumentation/openinference-instrumentation-autogen-agentchat` of `Arize-ai/openinference` (006ceee4), and
//! notes on runs of 0.7.5 and 0.1.22.

use serde_json::Value;

use crate::model::{Call, Direction, Moment, Node, Proof, Pseudo, Status, What};

use super::draft::{an_id, word};
use super::genai_events::a_call;
use super::message::{Message, Part, message, messages, to_json};
use super::{Content, Dialect, Draft, Rules, Source};

const CORE: &str = "autogen-core";
const EVENTS: &str = "autogen_core.events";
const AGENT_CHAT: &str = "openinference.instrumentation.autogen";

/// How a handoff's tool describes itself.
const HANDOFF: &str = "Handoff to ";

/// How deep a recorded call is looked for.
const MAX_DEPTH: u32 = 6;

/// Records of AutoGen's own scopes and of its instrumentation.
pub struct AutoGen;

impl Dialect for AutoGen {
    fn name(&self) -> &'static str {
        "autogen"
    }

    fn reads(&self, source: &Source<'_>) -> bool {
        let scope = source.scope();
        scope == CORE || scope == EVENTS || scope.starts_with("autogen ") || scope.starts_with(AGENT_CHAT)
    }

    fn read<'a>(&self, source: &'a Source<'a>, draft: &mut Draft<'a>) {
        match source.scope() {
            CORE => handoff(source, draft),
            EVENTS => event(source, draft),
            scope if scope.starts_with(AGENT_CHAT) => instrumented(source, draft),
            _ => {}
        }
    }

    /// The framework's own spans have no content whatever is switched on.
    fn rules(&self, source: &Source<'_>) -> Option<Rules> {
        let own = !source.scope().starts_with(AGENT_CHAT);
        own.then_some(Rules { proof: Proof::Ran, content: Content::Elsewhere })
    }
}

fn handoff(source: &Source<'_>, draft: &mut Draft<'_>) {
    let Some(own) = draft.own.as_mut() else { return };
    let described = source.text("gen_ai.tool.description").and_then(|text| text.strip_prefix(HANDOFF));
    if let (true, Some(to)) = (own.tool.as_deref().is_some_and(|tool| tool.starts_with("transfer_to_")), described) {
        let to = to.trim_end_matches('.').split(['.', '\n']).next().unwrap_or_default().trim();
        own.pseudo = Some(Pseudo::Delegation { to: an_id(to) });
    }
}

/// An entry of the event log.
fn event(source: &Source<'_>, draft: &mut Draft<'_>) {
    let Some(entry) = source.log().and_then(|log| serde_json::from_str::<Value>(log.body().as_str()?).ok()) else {
        return;
    };
    let text = |key: &str| entry.get(key).and_then(Value::as_str).map(str::to_owned);
    let alone = source.log().is_some_and(|log| log.span_id.is_none());
    match text("type").as_deref() {
        Some("ToolCall") if alone => {
            let arguments = entry.get("arguments").map(Value::to_string);
            let ran = Moment::Ran { status: Status::Fine, proof: Proof::Ran };
            let mut call = a_call(ran, &text("call_id"), &text("tool_name"), &arguments, draft);
            if let Some(result) = text("result") {
                call.result = draft.text(&result);
            }
            draft.own = Some(call);
        }
        Some("LLMCall") => model_call(&entry, draft),
        _ => {}
    }
}

fn model_call(entry: &Value, draft: &mut Draft<'_>) {
    let tokens = |key: &str| entry.get(key).and_then(Value::as_u64).unwrap_or(0);
    let model = entry.pointer("/response/model").and_then(Value::as_str);
    if let Some(model) = model {
        let tokens = (tokens("prompt_tokens"), tokens("completion_tokens"));
        draft.say(What::Model { provider: word(""), model: word(model), tokens });
    }
    if let Some(id) = entry.pointer("/response/id").and_then(Value::as_str).and_then(an_id) {
        draft.say(What::Response(id));
    }
    let said = entry.get("messages").map(messages).unwrap_or_default();
    draft.message_json(Direction::Input, to_json(&said));
    let choices = entry.pointer("/response/choices").and_then(Value::as_array);
    let answers: Vec<Message> = choices.into_iter().flatten().map(message).collect();
    draft.message_json(Direction::Output, to_json(&answers));
}

/// A span of the instrumentation.
fn instrumented(source: &Source<'_>, draft: &mut Draft<'_>) {
    if let (Node::Agent, Some(name)) = (draft.node, source.text("graph.node.id")) {
        draft.agent(name, None);
    }
    if let Some(own) = draft.own.take() {
        draft.own = Some(tool_call(own, source, draft));
    }
    let answered = |what: &What| matches!(what, What::Messages(said) if said.direction == Direction::Output);
    if draft.node == Node::Model && !draft.has(answered) {
        let output: Value =
            source.text("output.value").and_then(|json| serde_json::from_str(json).ok()).unwrap_or_default();
        let parts = created(output.get("content").unwrap_or(&output));
        if !parts.is_empty() {
            draft.message_json(Direction::Output, to_json(&[Message { role: "assistant".to_owned(), parts }]));
        }
    }
}

/// What a model client returned: a text, or the calls that the model asks for.
fn created(content: &Value) -> Vec<Part> {
    let text = |call: &Value, key: &str| call.get(key).and_then(Value::as_str).map(str::to_owned);
    let call = |call: &Value| Part::Call {
        id: text(call, "id"),
        name: text(call, "name"),
        arguments: text(call, "arguments"),
    };
    match content {
        Value::String(text) => vec![Part::Text(text.clone())],
        Value::Array(calls) => calls.iter().filter(|it| it.get("arguments").is_some()).map(call).collect(),
        _ => Vec::new(),
    }
}

/// The call of a tool's outer span: its id and arguments in what it was given, its outcome in what came back.
fn tool_call(mut own: Call, source: &Source<'_>, draft: &mut Draft<'_>) -> Call {
    let json = |key: &str| source.text(key).and_then(|json| serde_json::from_str::<Value>(json).ok());
    let text = |fields: &Value, key: &str| fields.get(key).and_then(Value::as_str).map(str::to_owned);
    let (input, output) = (json("input.value").unwrap_or_default(), json("output.value").unwrap_or_default());
    if let Some(given) = with(&input, &["id", "name", "arguments"], MAX_DEPTH) {
        own.id = own.id.take().or_else(|| an_id(&text(given, "id")?));
        own.tool = text(given, "name").as_deref().map(word).or(own.tool);
        if let Some(arguments) = text(given, "arguments") {
            draft.replace(&mut own.arguments, &arguments);
        }
    }
    if let Some(result) = with(&output, &["content", "is_error"], MAX_DEPTH) {
        own.id = own.id.take().or_else(|| an_id(&text(result, "call_id")?));
        if let Some(content) = text(result, "content") {
            draft.replace(&mut own.result, &content);
        }
        if let (Moment::Ran { status: status @ Status::Fine, .. }, Some(true)) =
            (&mut own.moment, result.get("is_error").and_then(Value::as_bool))
        {
            *status = Status::Error(word("is_error"));
        }
    }
    own
}

/// The first object that has all these keys.
fn with<'v>(value: &'v Value, keys: &[&str], depth: u32) -> Option<&'v Value> {
    let inside = depth.checked_sub(1)?;
    match value {
        Value::Object(fields) if keys.iter().all(|key| fields.contains_key(*key)) => Some(value),
        Value::Object(fields) => fields.values().find_map(|value| with(value, keys, inside)),
        Value::Array(items) => items.iter().find_map(|value| with(value, keys, inside)),
        _ => None,
    }
}
