//! LangSmith: runs of LangChain and of decorated functions, exported as OTLP.
//!
//! ```text
//! langsmith.span.kind      the run's type: llm · tool · retriever · chain · prompt · embedding · parser
//! langsmith.trace.name     the run's name: on a tool run the tool
//! langsmith.metadata.*     thread_id, session_id or conversation_id is the conversation; lc_agent_name the agent
//! gen_ai.prompt            the run's inputs, one JSON            gen_ai.completion   its outputs, one JSON
//! ```
//!
//! * `langsmith.trace.session_id` is the project and no conversation.
//! * A prompt template is called `chat` like a model call, a retriever `embeddings`: the run's type says what it is.
//! * A tool run's inputs are `{"input": "{'order_id': 'A-1001'}"}`, a Python literal; its output is a tool message
//!   with call id and status. The call id stands only there.
//! * Messages are LangChain's: `{"type": "ai", "tool_calls": […]}`, or `{"lc": 1, "id": […, "AIMessage"], "kwargs":
//!   …}`.
//! * An interrupt is reported as an error; it waits, it did not fail.
//! * Content is captured unless it is hidden (`LANGSMITH_HIDE_INPUTS`): then inputs are `{}`.
//!
//! Source: `python/langsmith/_internal/otel/_otel_exporter.py` of `langchain-ai/langsmith-sdk`. No recording of ours.

use serde_json::{Map, Value};

use crate::model::{Call, Direction, Known, Missing, Moment, Node, Proof, Status, What};

use super::draft::{an_id, word};
use super::message::{Message, Part, message, text_of, to_json};
use super::source::event_text;
use super::{Content, Dialect, Draft, Rules, Source, python};

const KIND: &str = "langsmith.span.kind";
const NAMES: &[&str] = &["gen_ai.tool.name", "langsmith.trace.name"];
const INPUTS: &str = "gen_ai.prompt";
const OUTPUTS: &str = "gen_ai.completion";
const CONVERSATION: &[&str] =
    &["langsmith.metadata.thread_id", "langsmith.metadata.session_id", "langsmith.metadata.conversation_id"];

/// Types of runs with a role of their own.
const KINDS: &[(&str, Node)] = &[("llm", Node::Model), ("tool", Node::Tool), ("retriever", Node::Retrieval)];

/// Beginnings of errors that are interrupts.
const PENDING: &[&str] = &["GraphInterrupt(", "NodeInterrupt("];

/// LangChain's types of messages and its classes, and the roles that they are.
const ROLES: &[(&str, &str)] = &[
    ("human", "user"),
    ("ai", "assistant"),
    ("tool", "tool"),
    ("system", "system"),
    ("HumanMessage", "user"),
    ("AIMessage", "assistant"),
    ("AIMessageChunk", "assistant"),
    ("ToolMessage", "tool"),
    ("SystemMessage", "system"),
];

/// Runs of LangSmith.
pub struct LangSmith;

/// Others' spans with `langsmith.*` attributes: a layer that only says whose they are.
pub struct LangSmithNames;

impl Dialect for LangSmith {
    fn name(&self) -> &'static str {
        "langsmith"
    }

    fn reads(&self, source: &Source<'_>) -> bool {
        run_kind(source).is_some()
    }

    fn read<'a>(&self, source: &'a Source<'a>, draft: &mut Draft<'a>) {
        names(source, draft);
        let Some(kind) = run_kind(source) else { return };
        let (inputs, outputs) = (parsed(source, INPUTS), parsed(source, OUTPUTS));
        // What the inputs and outputs of a run are is told by its type.
        draft.facts.retain(|fact| !is_guessed(&fact.what, kind));
        draft.node = KINDS.iter().find(|(name, _)| *name == kind).map_or(Node::Other, |(_, node)| *node);
        match draft.node {
            Node::Tool => tool(&inputs, &outputs, source, draft),
            Node::Model => model(&inputs, &outputs, draft),
            Node::Retrieval => retrieved(&outputs, draft),
            _ if source.span().is_some_and(|span| span.parent_span_id.is_none()) => intent(&inputs, draft),
            _ => {}
        }
    }

    fn rules(&self, _: &Source<'_>) -> Option<Rules> {
        Some(Rules { proof: Proof::Ran, content: Content::Here })
    }
}

impl Dialect for LangSmithNames {
    fn name(&self) -> &'static str {
        "langsmith"
    }

    fn reads(&self, source: &Source<'_>) -> bool {
        source.span().is_some() && source.has_prefix("langsmith.") && run_kind(source).is_none()
    }

    fn read<'a>(&self, source: &'a Source<'a>, draft: &mut Draft<'a>) {
        names(source, draft);
    }

    fn is_layer(&self) -> bool {
        true
    }
}

fn names(source: &Source<'_>, draft: &mut Draft<'_>) {
    if let Some(id) = source.first_text(CONVERSATION) {
        draft.conversation(id);
    }
    if let Some(name) = source.text("langsmith.metadata.lc_agent_name") {
        draft.agent(name, None);
    }
}

/// The type of a run in the exporter's form. Others only borrow an attribute to be shown well.
fn run_kind<'a>(source: &Source<'a>) -> Option<&'a str> {
    let exported = || source.scope() == "langsmith" || [INPUTS, OUTPUTS].iter().any(|key| source.get(key).is_some());
    source.text(KIND).filter(|_| source.span().is_some() && exported())
}

/// What the general dialects made of inputs, outputs and the operation's name.
fn is_guessed(what: &What, kind: &str) -> bool {
    match what {
        What::Model { .. } => kind != "llm",
        What::Messages(_) | What::Intent(_) | What::Prompt(_) | What::Context { .. } => true,
        _ => false,
    }
}

fn parsed(source: &Source<'_>, key: &str) -> Value {
    source.text(key).and_then(|json| serde_json::from_str(json).ok()).unwrap_or(Value::Null)
}

fn tool(inputs: &Value, outputs: &Value, source: &Source<'_>, draft: &mut Draft<'_>) {
    let status = status(source);
    let pending = matches!(&status, Status::Error(error) if PENDING.iter().any(|start| error.starts_with(start)));
    let moment = if pending { Moment::Asked } else { Moment::Ran { status, proof: Proof::Ran } };
    let mut call = Call::new(moment);
    call.tool = source.first_text(NAMES).or_else(|| Some(source.span()?.name)).map(word);
    call.arguments = match arguments(inputs) {
        Some(arguments) => draft.text(&arguments),
        None => lacking(INPUTS, source, draft),
    };
    let output = outputs.get("output").unwrap_or(outputs);
    let fields = fields_of(output);
    let text = |key: &str| fields?.get(key)?.as_str();
    call.id = text("tool_call_id").and_then(an_id);
    if let (Moment::Ran { status: status @ Status::Fine, .. }, Some("error")) = (&mut call.moment, text("status")) {
        *status = Status::Error(word("error"));
    }
    call.result = match fields.and_then(|fields| fields.get("content")).unwrap_or(output) {
        Value::Null => lacking(OUTPUTS, source, draft),
        Value::Object(fields) if fields.is_empty() => Known::Missing(Missing::Withheld),
        Value::String(text) => draft.text(text),
        other => draft.text(&other.to_string()),
    };
    draft.own = Some(call);
}

/// A value that is no JSON: what there is of it, or why there is none.
fn lacking(key: &str, source: &Source<'_>, draft: &mut Draft<'_>) -> Known<crate::model::Text> {
    if source.text(key) == Some("{}") { Known::Missing(Missing::Withheld) } else { draft.attribute(key) }
}

/// The status, with the text of the error: its type is always `Exception`.
fn status(source: &Source<'_>) -> Status {
    let Some(span) = source.span().filter(|span| span.status.is_error()) else { return Status::Fine };
    let said = source.span_events().find_map(|event| event_text(event.attributes(), "exception.message"));
    let message = Some(span.status.message).filter(|message| !message.is_empty());
    Status::Error(word(said.or(message).unwrap_or("error")))
}

/// A tool run's arguments: structured, or a Python literal, or the tool's one text.
fn arguments(inputs: &Value) -> Option<String> {
    let fields = inputs.as_object().filter(|fields| !fields.is_empty())?;
    let Some(input) = fields.get("input").filter(|_| fields.len() == 1) else { return Some(inputs.to_string()) };
    let Some(text) = input.as_str() else { return Some(input.to_string()) };
    let value = python::literal(text).filter(|value| value.is_object() || value.is_array());
    Some(value.map_or_else(|| text.to_owned(), |value| value.to_string()))
}

fn model(inputs: &Value, outputs: &Value, draft: &mut Draft<'_>) {
    let asked = messages(inputs.get("messages").unwrap_or(inputs));
    if !asked.is_empty() {
        draft.message_json(Direction::Input, to_json(&asked));
    }
    let answered = answers(outputs);
    if !answered.is_empty() {
        draft.message_json(Direction::Output, to_json(&answered));
    }
}

/// What a model answered: LangChain's generations, OpenAI's choices, or a message.
fn answers(outputs: &Value) -> Vec<Message> {
    let all = |key: &str| outputs.get(key).and_then(Value::as_array);
    if let Some(generations) = all("generations") {
        let flat = generations.iter().flat_map(|one| one.as_array().map_or(std::slice::from_ref(one), Vec::as_slice));
        return flat.filter_map(|generation| generation.get("message")).filter_map(a_message).collect();
    }
    if let Some(choices) = all("choices") {
        return choices.iter().filter_map(|choice| choice.get("message")).filter_map(a_message).collect();
    }
    a_message(outputs.get("output").unwrap_or(outputs)).into_iter().collect()
}

/// Messages in one list, or in a list for each prompt.
fn messages(value: &Value) -> Vec<Message> {
    let items = value.as_array().map(Vec::as_slice).unwrap_or_default();
    let flat = items.iter().flat_map(|one| one.as_array().map_or(std::slice::from_ref(one), Vec::as_slice));
    flat.filter_map(a_message).collect()
}

/// A message of LangChain, or of a model's own interface.
fn a_message(value: &Value) -> Option<Message> {
    let fields = fields_of(value)?;
    let text = |key: &str| fields.get(key).and_then(Value::as_str);
    let class = value.pointer("/id").and_then(|id| id.as_array()?.last()?.as_str());
    let known = |name: &str| ROLES.iter().find(|(known, _)| *known == name).map(|(_, role)| *role);
    let role = text("role").or_else(|| text("type").and_then(known)).or_else(|| class.and_then(known))?;
    if role == "tool" {
        let part = Part::Answer {
            id: text("tool_call_id").map(str::to_owned),
            name: text("name").map(str::to_owned),
            result: fields.get("content").map(|content| content.as_str().map_or_else(|| content.to_string(), text_of)),
            error: text("status") == Some("error"),
        };
        return Some(Message { role: role.to_owned(), parts: vec![part] });
    }
    // LangChain names the type of a message, not of a content.
    let mut bare = Map::new();
    for key in ["content", "tool_calls"] {
        bare.extend(fields.get(key).map(|value| (key.to_owned(), value.clone())));
    }
    Some(Message { role: role.to_owned(), parts: message(&Value::Object(bare)).parts })
}

/// The fields of a message: its own, or those that its constructor was given.
fn fields_of(value: &Value) -> Option<&Map<String, Value>> {
    let fields = value.as_object()?;
    let inner = ["kwargs", "data"].iter().find_map(|key| fields.get(*key)?.as_object());
    Some(inner.unwrap_or(fields))
}

/// The ids of what a retriever brought.
fn retrieved(outputs: &Value, draft: &mut Draft<'_>) {
    let documents = outputs.get("documents").unwrap_or(outputs).as_array();
    let id = |document: &Value| {
        let fields = fields_of(document)?;
        let own = fields.get("id").and_then(Value::as_str);
        own.or_else(|| fields.get("metadata")?.get("id")?.as_str()).and_then(an_id)
    };
    let ids = documents.into_iter().flatten().filter_map(id).collect();
    draft.say(What::Context { ids, withheld: documents.is_none() });
}

/// What the user asked for: the last user message of the outermost run, or its one input.
fn intent(inputs: &Value, draft: &mut Draft<'_>) {
    let said = messages(inputs.get("messages").unwrap_or(&Value::Null));
    let last = said.iter().rev().find(|message| message.role == "user").map(Message::text);
    let one = || ["input", "question", "query"].iter().find_map(|key| inputs.get(*key)?.as_str().map(str::to_owned));
    if let Some(text) = last.or_else(one).filter(|text| !text.is_empty()) {
        let text = draft.text(&text);
        draft.say(What::Intent(text));
    }
}
