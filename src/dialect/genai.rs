//! OTel GenAI, current form: `gen_ai.*` attributes on spans, on `gen_ai.client.inference.operation.details` events
//! (log records and span events), and `gen_ai.evaluation.result` events.
//!
//! Source: `open-telemetry/semantic-conventions-genai` (1.42-dev) and `docs/gen-ai/` of semantic conventions 1.37–1.41;
//! names that the older generations still send stand behind the current ones in the lists below.

use serde_json::Value;

use crate::model::{Call, Direction, Known, Moment, Node, Proof, Pseudo, Status, What};
use crate::wire::{AnyValue, Attributes, Keys};

use super::draft::{an_id, word};
use super::source::event_text;
use super::{Content, Dialect, Draft, Rules, Source, evaluation, message, operation};

/// The event that carries the attributes of an inference span.
const DETAILS: &str = "gen_ai.client.inference.operation.details";

const PROVIDER: &[&str] = &["gen_ai.provider.name", "gen_ai.system"];
const MODEL: &[&str] = &["gen_ai.response.model", "gen_ai.request.model"];
const TOKENS_IN: &[&str] = &["gen_ai.usage.input_tokens", "gen_ai.usage.prompt_tokens"];
const TOKENS_OUT: &[&str] = &["gen_ai.usage.output_tokens", "gen_ai.usage.completion_tokens"];
const CALL_ID: &[&str] = &["gen_ai.tool.call.id", "gen_ai.tool.call_id"];
const AGENT_TO: &[&str] = &["gen_ai.handoff.to_agent"];

/// Errors that are pending approvals: the tool waits, it did not fail. Compared with the end of `error.type`.
const PENDING: &[&str] = &["GraphInterrupt", "NodeInterrupt", "ToolInterruptError", "ApprovalRequired"];

/// Scopes that also make tool spans, with status OK, for calls that wait for an approval.
const GHOSTS: &[&str] = &["opentelemetry.instrumentation.openai_agents"];

/// Any record with `gen_ai.*` attributes, and the two events.
pub struct GenAi;

impl Dialect for GenAi {
    fn name(&self) -> &'static str {
        "otel-genai"
    }

    fn reads(&self, source: &Source<'_>) -> bool {
        match source.span() {
            Some(_) => source.has_prefix("gen_ai."),
            None => source.event() == DETAILS || evaluation::is_result(source.event()),
        }
    }

    fn read<'a>(&self, source: &'a Source<'a>, draft: &mut Draft<'a>) {
        if source.text("gen_ai.operation.name") == Some("create_agent") {
            return; // a setup span, in a trace of its own: it belongs to no turn
        }
        if source.span().is_some() {
            draft.node = node(source);
        }
        context(source, draft);
        model(source, draft);
        evaluation::read(source, draft);
        // On a tool span, messages only repeat the call that it is.
        if draft.node != Node::Tool {
            content(source.received.record.attributes(), draft);
            for event in source.span_events().filter(|event| event.name == DETAILS) {
                content(event.attributes(), draft);
            }
        }
        if source.event() == DETAILS && !draft.has(|what| matches!(what, What::Messages(_))) {
            draft.withheld();
        }
        match draft.node {
            Node::Tool => draft.own = Some(tool_call(source, draft)),
            Node::Retrieval => retrieval(source, draft),
            Node::Plan => plan(source, draft),
            _ => handoff(source, draft),
        }
    }

    fn rules(&self, source: &Source<'_>) -> Option<Rules> {
        Some(Rules { proof: proof(source), content: Content::Here })
    }
}

/// What an ended tool span proves where no more specific dialect says it.
pub fn proof(source: &Source<'_>) -> Proof {
    if GHOSTS.contains(&source.scope()) { Proof::NeedsResult } else { Proof::Ran }
}

/// The kind of work; without an operation name, by what only such a span has.
fn node(source: &Source<'_>) -> Node {
    match source.text("gen_ai.operation.name") {
        Some(name) => operation::node(name),
        None if source.text("gen_ai.tool.name").is_some() => Node::Tool,
        None if source.first_count(TOKENS_OUT).is_some() => Node::Model,
        None => Node::Other,
    }
}

/// What the record belongs to.
pub fn context(source: &Source<'_>, draft: &mut Draft<'_>) {
    if let Some(id) = source.text("gen_ai.conversation.id") {
        draft.conversation(id);
    }
    if let Some(name) = source.text("gen_ai.agent.name") {
        draft.agent(name, source.text("gen_ai.agent.version"));
    }
    if let Some(name) = source.text("gen_ai.prompt.name") {
        let version = source.text("gen_ai.prompt.version").map_or_else(|| name.to_owned(), |v| format!("{name}@{v}"));
        draft.say(What::PromptVersion(word(&version)));
    }
    if let Some(previous) = source.text("gen_ai.request.previous_response.id") {
        draft.continues(previous);
    }
    // An evaluation only refers to a response.
    let response = source.text("gen_ai.response.id").filter(|_| !evaluation::is_result(source.event()));
    if let Some(id) = response.and_then(an_id) {
        draft.say(What::Response(id));
    }
}

/// The model that answered. Only on the span of the model call itself and on its details event, which stands in the
/// same span and counts with it: agent spans repeat the sum of their children.
pub fn model(source: &Source<'_>, draft: &mut Draft<'_>) {
    let tells = draft.node == Node::Model || source.event() == DETAILS;
    let Some(model) = source.first_text(MODEL).filter(|_| tells) else { return };
    draft.say(What::Model {
        provider: word(source.first_text(PROVIDER).unwrap_or_default()),
        model: word(model),
        tokens: (source.first_count(TOKENS_IN).unwrap_or(0), source.first_count(TOKENS_OUT).unwrap_or(0)),
    });
}

static CONTENT: Keys<3> = Keys::new(["gen_ai.input.messages", "gen_ai.output.messages", "gen_ai.system_instructions"]);

/// Messages and system instructions, as attributes of a record or of a details event.
fn content<'a>(attributes: Attributes<'a>, draft: &mut Draft<'a>) {
    let [input, output, instructions] = attributes.pick(&CONTENT);
    if let Some(input) = input {
        draft.messages(Direction::Input, input);
    }
    if let Some(output) = output {
        draft.messages(Direction::Output, output);
    }
    if let Some(instructions) = instructions {
        prompt(instructions, draft);
    }
}

/// System instructions: an array of parts, as structure or JSON, or plain text.
pub fn prompt(instructions: AnyValue<'_>, draft: &mut Draft<'_>) {
    let said = match instructions {
        AnyValue::Empty => return,
        AnyValue::Str("") => return,
        AnyValue::Str(text) => draft.text(text).map(|_| message::text_of(text)),
        other => {
            let mut json = Vec::new();
            other.write_json(&mut json);
            Known::Value(message::text_of(&String::from_utf8_lossy(&json)))
        }
    };
    let text = match said {
        Known::Value(text) => draft.text(&text),
        Known::Missing(why) => Known::Missing(why),
    };
    draft.say(What::Prompt(text));
}

/// The tool call that a tool span is.
fn tool_call(source: &Source<'_>, draft: &mut Draft<'_>) -> Call {
    let mut call = Call::new(moment(source));
    call.id = source.first_text(CALL_ID).and_then(an_id);
    call.tool = source.text("gen_ai.tool.name").map(word);
    call.arguments = draft.attribute("gen_ai.tool.call.arguments");
    call.result = draft.attribute("gen_ai.tool.call.result");
    call.target = source.text("mcp.resource.uri").map(word);
    call
}

/// The moment of an ended tool span. [`Draft::finish`] sets the proof.
pub fn moment(source: &Source<'_>) -> Moment {
    let status = status(source);
    match &status {
        Status::Error(kind) if PENDING.iter().any(|word| kind.ends_with(word)) => Moment::Asked,
        _ => Moment::Ran { status, proof: Proof::Ran },
    }
}

/// What a span's status says: an error by `error.type` even where the status is unset (MCP's `tool_error`).
pub fn status(source: &Source<'_>) -> Status {
    let kind = source.text("error.type");
    let Some(span) = source.span() else { return Status::Fine };
    if kind.is_none() && !span.status.is_error() {
        return Status::Fine;
    }
    let message = Some(span.status.message).filter(|message| !message.is_empty());
    let exception = || source.span_events().find_map(|event| event_text(event.attributes(), "exception.type"));
    Status::Error(word(kind.or(message).or_else(exception).unwrap_or("error")))
}

/// A handoff span: an edge to another agent.
fn handoff(source: &Source<'_>, draft: &mut Draft<'_>) {
    if !matches!(source.text("gen_ai.operation.name"), Some("handoff" | "agent_handoff")) {
        return;
    }
    let mut call = Call::new(moment(source));
    call.tool = source.span().map(|span| word(span.name));
    call.pseudo = Some(Pseudo::Delegation { to: source.first_text(AGENT_TO).map(word) });
    draft.call(call);
}

/// The ids of what a retrieval brought: of its documents or memory records. Ids are opt-in content themselves.
fn retrieval(source: &Source<'_>, draft: &mut Draft<'_>) {
    let found = source.get("gen_ai.retrieval.documents").or_else(|| source.get("gen_ai.memory.records"));
    let json = found.and_then(|found| source.json(found));
    let ids = json.as_ref().and_then(|json| document_ids(json));
    let record = source.text("gen_ai.memory.record.id").map(|id| vec![word(id)]);
    let ids = ids.or(record);
    draft.say(What::Context { withheld: ids.is_none(), ids: ids.unwrap_or_default() });
}

/// The ids in an array of `{id, …}`; ids may be numbers.
fn document_ids(json: &[u8]) -> Option<Vec<std::sync::Arc<str>>> {
    let Value::Array(documents) = serde_json::from_slice(json).ok()? else { return None };
    let id = |document: &Value| match document.get("id")? {
        Value::String(id) => an_id(id),
        Value::Number(id) => Some(word(&id.to_string())),
        _ => None,
    };
    Some(documents.iter().filter_map(id).collect())
}

/// The plan, where the plan span itself carries what the model wrote.
fn plan(source: &Source<'_>, draft: &mut Draft<'_>) {
    let output = source.get("gen_ai.output.messages").and_then(|output| source.json(output));
    let text = output.map(|json| message::text_of(&String::from_utf8_lossy(&json))).filter(|text| !text.is_empty());
    let text = text.map_or(Known::ABSENT, |text| draft.text(&text));
    draft.say(What::Plan { id: None, text });
}
