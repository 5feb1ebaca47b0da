//! OpenInference: spans with `openinference.span.kind`.
//!
//! ```text
//! generic    kind → node; session, agent, model, tokens; flattened messages; a tool's input and output;
//!            retrieved documents; evaluations; the intent in a root's input
//! habit      what one instrumentation does in its own way, by scope
//! ```
//!
//! The convention has no word for an approval, a refusal, a verdict or a call id on a tool span; what the habits read
//! stands in their own files. Content is captured unless it is switched off, and then most values are `__REDACTED__`.
//!
//! Source: `spec/semantic_conventions.md` of `Arize-ai/openinference` (semconv 0.1.32), its Python instrumentations,
//! and recordings of them.

mod document;
mod feedback;
mod guardrails_ai;
mod intent;
mod langgraph;
mod llama_index;
mod messages;
mod openai_agents;
mod smolagents;
mod tool;

use crate::model::{Known, Missing, Node, Proof, What};
use crate::values;

use super::draft::word;
use super::{Content, Dialect, Draft, Rules, Source};

const KIND: &str = "openinference.span.kind";
const INPUT: &str = "input.value";
const OUTPUT: &str = "output.value";

/// The kind of work of a span kind. The rest (`CHAIN`, `EMBEDDING`, `RERANKER`, `PROMPT`) has no role of its own.
const KINDS: &[(&str, Node)] = &[
    ("AGENT", Node::Agent),
    ("LLM", Node::Model),
    ("TOOL", Node::Tool),
    ("RETRIEVER", Node::Retrieval),
    ("GUARDRAIL", Node::Check),
    ("EVALUATOR", Node::Check),
];

const MODEL: &[&str] = &["llm.response.model_name", "llm.model_name", "llm.request.model_name"];
const PROVIDER: &[&str] = &["llm.provider", "llm.system"];
const TOKENS_IN: &[&str] = &["llm.token_count.prompt"];
const TOKENS_OUT: &[&str] = &["llm.token_count.completion"];

/// What only the span of a model call itself has, not those of the functions around it.
const OF_MODEL_CALLS: &[&str] = &[
    "llm.input_messages.",
    "llm.output_messages.",
    "llm.prompts.",
    "llm.choices.",
    "llm.token_count.",
    "llm.finish_reason",
];

/// An instrumentation with habits of its own.
struct Habit {
    /// Its scope.
    scope: &'static str,
    /// What an ended tool span proves.
    proof: fn(&Source<'_>) -> Proof,
    /// Refines what the generic reading said.
    read: for<'a> fn(&'a Source<'a>, &mut Draft<'a>),
}

static HABITS: &[Habit] = &[
    Habit { scope: "openinference.instrumentation.langchain", proof: ran, read: langgraph::read },
    Habit { scope: "openinference.instrumentation.llama_index", proof: llama_index::proof, read: llama_index::read },
    Habit { scope: "openinference.instrumentation.openai_agents", proof: needs_result, read: openai_agents::read },
    Habit { scope: "openinference.instrumentation.smolagents", proof: ran, read: smolagents::read },
    Habit { scope: "guardrails-ai", proof: ran, read: guardrails_ai::read },
];

fn ran(_: &Source<'_>) -> Proof {
    Proof::Ran
}

fn needs_result(_: &Source<'_>) -> Proof {
    Proof::NeedsResult
}

fn habit(source: &Source<'_>) -> Option<&'static Habit> {
    HABITS.iter().find(|habit| habit.scope == source.scope())
}

/// Spans with a span kind.
pub struct OpenInference;

impl Dialect for OpenInference {
    fn name(&self) -> &'static str {
        "openinference"
    }

    fn reads(&self, source: &Source<'_>) -> bool {
        source.span().is_some() && source.text(KIND).is_some()
    }

    fn read<'a>(&self, source: &'a Source<'a>, draft: &mut Draft<'a>) {
        if draft.node == Node::Other {
            draft.node = node(source);
        }
        context(source, draft);
        match draft.node {
            Node::Model => {
                model(source, draft);
                messages::read(source, draft);
            }
            Node::Tool => draft.own = Some(tool::call(source, draft)),
            Node::Retrieval => document::read(source, draft),
            _ => {}
        }
        feedback::read(source, draft);
        if let Some(habit) = habit(source) {
            (habit.read)(source, draft);
        }
    }

    fn rules(&self, source: &Source<'_>) -> Option<Rules> {
        let proof = habit(source).map_or(Proof::Ran, |habit| (habit.proof)(source));
        Some(Rules { proof, content: Content::Here })
    }
}

fn node(source: &Source<'_>) -> Node {
    let kind = source.text(KIND).unwrap_or_default();
    let node = KINDS.iter().find(|(name, _)| name.eq_ignore_ascii_case(kind)).map_or(Node::Other, |(_, node)| *node);
    let wraps = node == Node::Model && !OF_MODEL_CALLS.iter().any(|prefix| source.has_prefix(prefix));
    if wraps { Node::Other } else { node }
}

/// What the span belongs to, and whether its content was hidden.
fn context(source: &Source<'_>, draft: &mut Draft<'_>) {
    if let Some(id) = source.text("session.id") {
        draft.conversation(id);
    }
    if let Some(name) = source.text("agent.name") {
        draft.agent(name, None);
    }
    if let Some(version) = source.text("llm.prompt_template.version") {
        let version = source.text("prompt.id").map_or_else(|| version.to_owned(), |id| format!("{id}@{version}"));
        draft.say(What::PromptVersion(word(&version)));
    }
    if [INPUT, OUTPUT].iter().any(|key| is_hidden(source, key)) {
        draft.withheld();
    }
    intent::read(source, draft);
}

fn is_hidden(source: &Source<'_>, key: &str) -> bool {
    source.text(key).is_some_and(|text| values::known(text) == Known::Missing(Missing::Withheld))
}

/// The model that answered. An agent's span repeats the tokens of what it called.
fn model(source: &Source<'_>, draft: &mut Draft<'_>) {
    let Some(model) = source.first_text(MODEL).filter(|_| !draft.has(|what| matches!(what, What::Model { .. }))) else {
        return;
    };
    draft.say(What::Model {
        provider: word(source.first_text(PROVIDER).unwrap_or_default()),
        model: word(model),
        tokens: (source.first_count(TOKENS_IN).unwrap_or(0), source.first_count(TOKENS_OUT).unwrap_or(0)),
    });
}
