//! LlamaIndex's own OpenTelemetry integration: thin.
//!
//! A span per method, named `Class.method-<uuid>`, without attributes. What happened are events of LlamaIndex's own
//! kinds on it, and of their fields only those that are texts, numbers or lists of such. So the arguments and results
//! of tools, the messages of models and the nodes of retrievers are lost, and what is left is that it happened.
//! With its GenAI switch on, the spans are those of `opentelemetry.util.genai`, which are read as such.
//!
//! Source: `llama-index-observability-otel` of `run-llama/llama_index` (611cb46c, 23d88394).

use crate::model::{Call, Known, Missing, Node, Proof, What};
use crate::wire::EventView;

use super::draft::{an_id, word};
use super::source::event_text;
use super::{Content, Dialect, Draft, Rules, Source, genai};

/// Events that hold what the user asked for, and where.
const ASKED: &[(&str, &str)] =
    &[("AgentChatWithStepStartEvent", "user_msg"), ("AgentRunStepStartEvent", "input"), ("QueryStartEvent", "query")];

/// Events of one tool call; the older kind has only the arguments, as JSON.
const CALLED: &[&str] = &["AgentToolCallStartEvent", "AgentToolCallEndEvent", "AgentToolCallEvent"];

/// The one that comes only after the tool ran.
const ENDED: &str = "AgentToolCallEndEvent";

/// Spans of LlamaIndex's own tracer.
pub struct LlamaIndex;

impl Dialect for LlamaIndex {
    fn name(&self) -> &'static str {
        "llama-index"
    }

    fn reads(&self, source: &Source<'_>) -> bool {
        source.scope() == "llamaindex.opentelemetry.tracer"
    }

    fn read<'a>(&self, source: &'a Source<'a>, draft: &mut Draft<'a>) {
        for event in source.span_events() {
            if CALLED.contains(&event.name) {
                called(&event, source, draft);
            } else if event.name == "RetrievalEndEvent" && draft.node == Node::Other {
                draft.node = Node::Retrieval;
                draft.say(What::Context { ids: Vec::new(), withheld: true });
            }
            asked(&event, source, draft);
        }
    }

    /// A step that calls a tool does not prove that the tool ran, and its result is never there; the event of the
    /// call's end proves it.
    fn rules(&self, source: &Source<'_>) -> Option<Rules> {
        let ended = source.span_events().any(|event| event.name == ENDED);
        let proof = if ended { Proof::Ran } else { Proof::NeedsResult };
        Some(Rules { proof, content: Content::Optional })
    }
}

/// The call that a step is about.
fn called(event: &EventView<'_>, source: &Source<'_>, draft: &mut Draft<'_>) {
    let text = |key: &str| event_text(event.attributes(), key);
    let arguments = text("arguments").map(|json| draft.text(json));
    let mut call = draft.own.take().unwrap_or_else(|| Call::new(genai::moment(source)));
    call.id = call.id.or_else(|| text("tool_id").and_then(an_id));
    call.tool = call.tool.or_else(|| text("tool_name").map(word));
    call.arguments = match (call.arguments, arguments) {
        (Known::Value(known), _) => Known::Value(known),
        (_, Some(arguments)) => arguments,
        (_, None) => Known::Missing(Missing::Lost),
    };
    call.result = Known::Missing(Missing::Lost);
    draft.node = Node::Tool;
    draft.own = Some(call);
}

fn asked(event: &EventView<'_>, source: &Source<'_>, draft: &mut Draft<'_>) {
    let root = source.span().is_some_and(|span| span.parent_span_id.is_none());
    let Some((_, field)) = ASKED.iter().find(|(name, _)| *name == event.name && root) else { return };
    if let (Some(said), false) =
        (event_text(event.attributes(), field), draft.has(|what| matches!(what, What::Intent(_))))
    {
        let text = draft.text(said);
        draft.say(What::Intent(text));
    }
}
