//! Haystack's own tracing (2.x, 3.0): spans of whatever scope the application chose, told by their names.
//!
//! ```text
//! haystack.pipeline.run           a workflow
//!   haystack.component.run        haystack.component.{name,type,input,output}; the type tells what it is
//!     haystack.agent.run          haystack.agent.{input,output}
//!       haystack.agent.step
//!         ….step.llm              ….step.llm.{input,output} = {"messages"}, {"replies"}
//!         ….step.tool             haystack.tool.name, ….step.tool.{input,output} = arguments, result; no call id
//! ```
//!
//! * Contents are off unless the application switches them on. All are JSON of Haystack's own messages.
//! * Before 3.0 one span stands for all the tools of a step (`ToolInvoker`, or a step's span without a tool's name):
//!   its output answers the calls that the model asked for, with their ids.
//! * A call that a person rejected is answered with a sentence that `values::spoken` knows, and has no span.
//!
//! Source: `haystack/tracing` and `haystack/components/agents` of `deepset-ai/haystack` (54590da6 and before), and the
//! tests of its spans.

use serde_json::Value;

use crate::model::{Call, Direction, Node, Proof, What};

use super::draft::word;
use super::message::{Message, Part, messages, to_json};
use super::{Content, Dialect, Draft, Rules, Source, documents, genai};

const AGENT: &str = "haystack.agent.run";
const PIPELINE: &str = "haystack.pipeline.run";
const COMPONENT: &str = "haystack.component.run";
const LLM: &str = "haystack.agent.step.llm";
const TOOL: &str = "haystack.agent.step.tool";
const TOOL_NAME: &str = "haystack.tool.name";

const INPUT: &[&str] = &["haystack.component.input", "haystack.agent.step.llm.input"];
const OUTPUT: &[&str] = &["haystack.component.output", "haystack.agent.step.llm.output"];
/// What tools answered, where one span stands for all of them.
const ANSWERS: &[&str] =
    &["haystack.component.output", "haystack.agent.step.tool.output", "haystack.agent.step.tool_output"];

/// Ends of component types with a role of their own.
const COMPONENTS: &[(&str, Node)] = &[("Generator", Node::Model), ("Retriever", Node::Retrieval)];

/// Spans of Haystack's tracer.
pub struct Haystack;

impl Dialect for Haystack {
    fn name(&self) -> &'static str {
        "haystack"
    }

    fn reads(&self, source: &Source<'_>) -> bool {
        source.span().is_some_and(|span| span.name.starts_with("haystack.")) || source.has_prefix("haystack.")
    }

    fn read<'a>(&self, source: &'a Source<'a>, draft: &mut Draft<'a>) {
        if draft.node == Node::Other {
            draft.node = node(source);
        }
        if source.text("haystack.component.type") == Some("Agent") {
            draft.agent(source.text("haystack.component.name").unwrap_or_default(), None);
        }
        match draft.node {
            Node::Model => model_call(source, draft),
            Node::Retrieval => draft.say(documents::context(source.first_text(OUTPUT))),
            Node::Tool => draft.own = Some(tool_call(source, draft)),
            Node::Other => answers(source, draft),
            _ => {}
        }
    }

    fn rules(&self, _: &Source<'_>) -> Option<Rules> {
        Some(Rules { proof: Proof::Ran, content: Content::Here })
    }
}

fn node(source: &Source<'_>) -> Node {
    match source.span().map(|span| span.name) {
        Some(AGENT | PIPELINE) => Node::Agent,
        Some(LLM) => Node::Model,
        Some(TOOL) if source.text(TOOL_NAME).is_some() => Node::Tool,
        Some(COMPONENT) => {
            let kind = source.text("haystack.component.type").unwrap_or_default();
            COMPONENTS.iter().find(|(end, _)| kind.ends_with(end)).map_or(Node::Other, |(_, node)| *node)
        }
        _ => Node::Other,
    }
}

fn parsed(source: &Source<'_>, keys: &[&str]) -> Value {
    source.first_text(keys).and_then(|json| serde_json::from_str(json).ok()).unwrap_or_default()
}

/// What a generator was given and what it replied: messages, or texts of those without a chat.
fn model_call(source: &Source<'_>, draft: &mut Draft<'_>) {
    let (input, output) = (parsed(source, INPUT), parsed(source, OUTPUT));
    let prompt = input.get("prompt").and_then(Value::as_str);
    let asked = match (input.get("messages"), prompt) {
        (Some(listed), _) => messages(listed),
        (None, Some(prompt)) => vec![said("user", prompt)],
        (None, None) => Vec::new(),
    };
    draft.message_json(Direction::Input, to_json(&asked));
    let replies = output.get("replies").cloned().unwrap_or_default();
    let replied = match replies.as_array().map(Vec::as_slice) {
        Some([Value::String(text), ..]) => vec![said("assistant", text)],
        _ => messages(&replies),
    };
    draft.message_json(Direction::Output, to_json(&replied));
    let meta = replies.pointer("/0/meta").or_else(|| replies.pointer("/0/_meta")).or_else(|| output.pointer("/meta/0"));
    let tokens = |key: &str| meta.and_then(|meta| meta.pointer(key)?.as_u64()).unwrap_or(0);
    if let Some(model) = meta.and_then(|meta| meta.get("model")?.as_str()) {
        let tokens = (tokens("/usage/prompt_tokens"), tokens("/usage/completion_tokens"));
        draft.say(What::Model { provider: word(""), model: word(model), tokens });
    }
}

fn said(role: &str, text: &str) -> Message {
    Message { role: role.to_owned(), parts: vec![Part::Text(text.to_owned())] }
}

fn tool_call(source: &Source<'_>, draft: &mut Draft<'_>) -> Call {
    let mut call = draft.own.take().unwrap_or_else(|| Call::new(genai::moment(source)));
    call.tool = source.text(TOOL_NAME).map(word).or(call.tool);
    call.arguments = draft.attribute("haystack.agent.step.tool.input");
    call.result = draft.attribute("haystack.agent.step.tool.output");
    call
}

/// The answers of several tools: read like those in a model's input.
fn answers(source: &Source<'_>, draft: &mut Draft<'_>) {
    let output = parsed(source, ANSWERS);
    let listed = output.get("tool_messages").unwrap_or(&output);
    let answered = messages(listed);
    if answered.iter().any(|message| message.parts.iter().any(|part| matches!(part, Part::Answer { .. }))) {
        draft.message_json(Direction::Input, to_json(&answered));
    }
}
