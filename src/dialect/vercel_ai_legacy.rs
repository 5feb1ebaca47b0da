//! Vercel AI SDK 4–6, and the legacy integration of 7: `ai.*` attributes on spans of scope `ai`.
//!
//! ```text
//! ai.generateText                 agent   ai.prompt = {system, prompt | messages}
//!   ai.generateText.doGenerate    model   ai.prompt.messages, ai.response.{text,toolCalls,id,model}, ai.usage.*
//!   ai.toolCall                   tool    ai.toolCall.{name,id,args,result}
//! ```
//!
//! * A waiting or refused tool has no span. The answer stands in the prompt of the next run: its last message holds
//!   `tool-approval-response` parts, and the model is given `execution-denied` in the place of a result. Whether a
//!   person answered is not said.
//! * The agent's name is the caller's function id. The conversation is metadata under a key that the caller chose.
//! * The usage of the outer span is the sum of the model calls below it, so it is not counted.
//!
//! Source: `content/docs/03-ai-sdk-core/60-telemetry.mdx` of `vercel/ai`, and recordings of 6.0.326.

use serde_json::Value;

use crate::model::{By, Call, Direction, Moment, Node, Outcome, Proof, What};

use super::draft::{a_decision, about, an_id, word};
use super::genai_events::a_call;
use super::message::{Message, Part, messages, parts, to_json};
use super::{Content, Dialect, Draft, Rules, Source, genai};

/// Operations with a role of their own; every other one (embeddings, reranking) has none.
const OPERATIONS: &[(&str, Node)] = &[
    ("ai.generateText", Node::Agent),
    ("ai.generateText.doGenerate", Node::Model),
    ("ai.streamText", Node::Agent),
    ("ai.streamText.doStream", Node::Model),
    ("ai.generateObject", Node::Agent),
    ("ai.generateObject.doGenerate", Node::Model),
    ("ai.streamObject", Node::Agent),
    ("ai.streamObject.doStream", Node::Model),
    ("ai.toolCall", Node::Tool),
];

/// Metadata that callers name the conversation by.
const CONVERSATION: &[&str] = &[
    "ai.telemetry.metadata.sessionId",
    "ai.telemetry.metadata.session_id",
    "ai.telemetry.metadata.session.id",
    "ai.telemetry.metadata.conversationId",
    "ai.telemetry.metadata.conversation_id",
    "ai.telemetry.metadata.threadId",
    "ai.telemetry.metadata.thread_id",
    "ai.telemetry.metadata.chatId",
];

const MODEL: &[&str] = &["ai.response.model", "ai.model.id"];
const TOKENS_IN: &[&str] = &["ai.usage.inputTokens", "ai.usage.promptTokens"];
const TOKENS_OUT: &[&str] = &["ai.usage.outputTokens", "ai.usage.completionTokens"];
const TEXT: &[&str] = &["ai.response.text", "ai.response.object"];

/// Spans with an `ai.operationId`.
pub struct VercelAiLegacy;

impl Dialect for VercelAiLegacy {
    fn name(&self) -> &'static str {
        "vercel-ai"
    }

    fn reads(&self, source: &Source<'_>) -> bool {
        source.span().is_some() && source.text("ai.operationId").is_some()
    }

    fn read<'a>(&self, source: &'a Source<'a>, draft: &mut Draft<'a>) {
        if let Some(id) = source.first_text(CONVERSATION) {
            draft.conversation(id);
        }
        if let Some(name) = source.text("ai.telemetry.functionId") {
            draft.agent(name, None);
        }
        let operation = source.text("ai.operationId").unwrap_or_default();
        draft.node = OPERATIONS.iter().find(|(name, _)| *name == operation).map_or(Node::Other, |(_, node)| *node);
        match draft.node {
            Node::Agent => prompt(source, draft),
            Node::Model => model_call(source, draft),
            Node::Tool => draft.own = Some(tool_call(source, draft)),
            _ => {}
        }
    }

    /// A tool span is made when the tool runs.
    fn rules(&self, _: &Source<'_>) -> Option<Rules> {
        Some(Rules { proof: Proof::Ran, content: Content::Here })
    }
}

fn tool_call(source: &Source<'_>, draft: &mut Draft<'_>) -> Call {
    let mut call = Call::new(genai::moment(source));
    call.id = source.text("ai.toolCall.id").and_then(an_id);
    call.tool = source.text("ai.toolCall.name").map(word);
    call.arguments = draft.attribute("ai.toolCall.args");
    call.result = draft.attribute("ai.toolCall.result");
    call
}

/// The prompt of a run, and what was answered to approvals before it.
fn prompt(source: &Source<'_>, draft: &mut Draft<'_>) {
    let prompt: Value = source.text("ai.prompt").and_then(|json| serde_json::from_str(json).ok()).unwrap_or_default();
    let said = |role: &str, value: &Value| Message { role: role.to_owned(), parts: parts(value) };
    let mut all: Vec<Message> = prompt.get("system").map(|system| said("system", system)).into_iter().collect();
    match (prompt.get("messages"), prompt.get("prompt")) {
        (Some(listed), _) | (None, Some(listed @ Value::Array(_))) => {
            all.extend(messages(listed));
            approvals(listed, source, draft);
        }
        (None, Some(text)) => all.push(said("user", text)),
        (None, None) => {}
    }
    draft.message_json(Direction::Input, to_json(&all));
}

/// The model that answered, what it was given and what it said.
fn model_call<'a>(source: &'a Source<'a>, draft: &mut Draft<'a>) {
    if !draft.has(|what| matches!(what, What::Model { .. }))
        && let Some(model) = source.first_text(MODEL)
    {
        draft.say(What::Model {
            provider: word(source.text("ai.model.provider").unwrap_or_default()),
            model: word(model),
            tokens: (source.first_count(TOKENS_IN).unwrap_or(0), source.first_count(TOKENS_OUT).unwrap_or(0)),
        });
    }
    if !draft.has(|what| matches!(what, What::Response(_)))
        && let Some(id) = source.text("ai.response.id").and_then(an_id)
    {
        draft.say(What::Response(id));
    }
    if let Some(given) = source.get("ai.prompt.messages") {
        match given.as_str().and_then(|json| serde_json::from_str::<Value>(json).ok()) {
            Some(given) => draft.message_json(Direction::Input, to_json(&messages(&given))),
            None => draft.messages(Direction::Input, given), // redacted, or cut: the reader takes what is left
        }
    }
    let mut answer = Message { role: "assistant".to_owned(), parts: Vec::new() };
    answer.parts.extend(source.first_text(TEXT).map(|text| Part::Text(text.to_owned())));
    answer.parts.extend(proposals(source.text("ai.response.toolCalls").unwrap_or_default()));
    if !answer.parts.is_empty() {
        draft.message_json(Direction::Output, to_json(&[answer]));
    }
}

/// The calls of a response: `[{toolCallId, toolName, input}]`, the input as text or as an object.
fn proposals(json: &str) -> Vec<Part> {
    let calls: Vec<Value> = serde_json::from_str(json).unwrap_or_default();
    let text = |call: &Value, key: &str| call.get(key).and_then(Value::as_str).map(str::to_owned);
    let arguments = |call: &Value| match call.get("input").or_else(|| call.get("args"))? {
        Value::String(text) => Some(text.clone()),
        other => Some(other.to_string()),
    };
    let part = |call: &Value| Part::Call {
        id: text(call, "toolCallId"),
        name: text(call, "toolName"),
        arguments: arguments(call),
    };
    calls.iter().map(part).collect()
}

/// What was answered to the approvals that the run before this one asked for. Only the last message counts, as for the
/// SDK itself: earlier answers are history.
fn approvals(listed: &Value, source: &Source<'_>, draft: &mut Draft<'_>) {
    let all = || listed.as_array().into_iter().flatten();
    for answer in all().next_back().into_iter().flat_map(typed("tool-approval-response")) {
        let (Some(approval), Some(approved)) =
            (answer.get("approvalId"), answer.get("approved").and_then(Value::as_bool))
        else {
            continue;
        };
        let request = all().flat_map(typed("tool-approval-request")).find(|it| it.get("approvalId") == Some(approval));
        let Some(id) = request.and_then(|request| request.get("toolCallId")) else { continue };
        let call = all().flat_map(typed("tool-call")).find(|call| call.get("toolCallId") == Some(id));
        let part = proposals(&Value::Array(call.into_iter().cloned().collect()).to_string()).pop();
        if let Some(Part::Call { id, name, arguments }) = part {
            let asked = a_call(Moment::Asked, &id, &name, &arguments, draft);
            let outcome = if approved { Outcome::Allow } else { Outcome::Deny };
            let raw = format!("approved={approved}");
            draft.say(What::Decision(Box::new(about(&asked, a_decision(source, outcome, By::Unknown, &raw)))));
            draft.call(asked);
        }
    }
}

/// The parts of a message that have a type.
fn typed(kind: &str) -> impl Fn(&Value) -> Vec<&Value> {
    move |message| {
        let parts = message.get("content").and_then(Value::as_array).into_iter().flatten();
        parts.filter(|part| part.get("type").and_then(Value::as_str) == Some(kind)).collect()
    }
}
