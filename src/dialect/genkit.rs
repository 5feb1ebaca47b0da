//! Genkit (1.x; JavaScript, Go and Python): `genkit:*` attributes, the kind of work in `genkit:metadata:subtype`.
//!
//! ```text
//! refundDesk               flow    the root is the agent's run
//!   generate               util    one round of the loop; the next round is nested in it
//!     openai/gpt-4o-mini   model   genkit:input = {messages, tools}, genkit:output = {message, usage, raw}
//!     issue_refund         tool    genkit:input = arguments, genkit:output = result; no call id
//! ```
//!
//! * A tool that waits for an answer ends as an ERROR (`ToolInterruptError`, `genkit:metadata:interrupt`). It neither
//!   ran nor failed. Its span has no call id, so the call is asked for by the `generate` span above it, whose answer
//!   holds the request with its `ref` and `metadata.interrupt`.
//! * The answer is the application's metadata of the restarted call: `resume.restart[]` in the input of `generate`, and
//!   `genkit:metadata:resumed` on the second span of the tool. Whether a person gave it is not said. With
//!   `{"approved": false}` the second span ends without error, and its output is the refusal.
//! * The `generate` spans around it repeat the answer of the last round; the one whose request has the messages it was
//!   given made it.
//!
//! Source: the span attributes of Genkit's telemetry documentation, and recordings of 1.42.

use memchr::memmem;
use serde_json::Value;

use crate::model::{By, Call, Direction, Moment, Node, Outcome, Proof, What};

use super::draft::{a_decision, about, an_id, word};
use super::genai_events::a_call;
use super::message::{Part, message, messages, parts, to_json};
use super::{Content, Dialect, Draft, Rules, Source, definitions, documents, genai};

const INPUT: &str = "genkit:input";
const OUTPUT: &str = "genkit:output";
const INTERRUPT: &str = "genkit:metadata:interrupt";
const RESUMED: &str = "genkit:metadata:resumed";

/// Kinds of actions with a role of their own. A flow is any function of the application: only the outermost is taken
/// for the agent's run, because an agent below a tool would make the tool a delegation.
const SUBTYPES: &[(&str, Node)] = &[
    ("agent", Node::Agent),
    ("model", Node::Model),
    ("background-model", Node::Model),
    ("tool", Node::Tool),
    ("tool.v2", Node::Tool),
    ("retriever", Node::Retrieval),
    ("evaluator", Node::Check),
];

/// What applications call the answer to an interrupt: their own word, and that of Genkit's approval middleware.
const ANSWERS: &[&str] = &["approved", "toolApproved"];

/// Where the raw answer of a provider names the model and the response.
const RAW_MODEL: &[&str] = &["/raw/model", "/raw/modelVersion"];
const RAW_ID: &[&str] = &["/raw/id", "/raw/responseId"];

/// Spans with `genkit:*` attributes.
pub struct Genkit;

impl Dialect for Genkit {
    fn name(&self) -> &'static str {
        "genkit"
    }

    fn reads(&self, source: &Source<'_>) -> bool {
        source.span().is_some() && source.has_prefix("genkit:")
    }

    fn read<'a>(&self, source: &'a Source<'a>, draft: &mut Draft<'a>) {
        if let Some(id) = source.text("genkit:sessionId") {
            draft.conversation(id);
        }
        draft.node = node(source);
        match draft.node {
            Node::Agent => draft.agent(source.text("genkit:name").unwrap_or_default(), None),
            Node::Model => model_call(source, draft),
            Node::Tool => draft.own = tool_call(source, draft),
            Node::Retrieval => draft.say(documents::context(source.text(OUTPUT))),
            _ => {
                asked(source, draft);
                answered(source, draft);
            }
        }
    }

    fn rules(&self, _: &Source<'_>) -> Option<Rules> {
        Some(Rules { proof: Proof::Ran, content: Content::Here })
    }
}

fn node(source: &Source<'_>) -> Node {
    let outermost = source.span().is_some_and(|span| span.parent_span_id.is_none());
    match source.text("genkit:metadata:subtype") {
        Some("flow") if outermost => Node::Agent,
        Some(subtype) => SUBTYPES.iter().find(|(name, _)| *name == subtype).map_or(Node::Other, |(_, node)| *node),
        None => Node::Other,
    }
}

/// A text of the record as JSON; null when it is none.
fn json(source: &Source<'_>, key: &str) -> Value {
    source.text(key).and_then(|json| serde_json::from_str(json).ok()).unwrap_or_default()
}

fn at<'v>(value: &'v Value, paths: &[&str]) -> Option<&'v str> {
    paths.iter().find_map(|path| value.pointer(path)?.as_str())
}

/// `openai/gpt-4o-mini`: the provider's plugin, and the model.
fn model_call(source: &Source<'_>, draft: &mut Draft<'_>) {
    let (input, output) = (json(source, INPUT), json(source, OUTPUT));
    let name = source.text("genkit:name").unwrap_or_default();
    let (provider, asked_for) = name.split_once('/').unwrap_or(("", name));
    let tokens = |key: &str| output.pointer(key).and_then(Value::as_u64).unwrap_or(0);
    draft.say(What::Model {
        provider: word(provider),
        model: word(at(&output, RAW_MODEL).unwrap_or(asked_for)),
        tokens: (tokens("/usage/inputTokens"), tokens("/usage/outputTokens")),
    });
    if let Some(id) = at(&output, RAW_ID).and_then(an_id) {
        draft.say(What::Response(id));
    }
    definitions::of_value(&input["tools"], draft);
    draft.message_json(Direction::Input, to_json(&messages(&input["messages"])));
    if output["message"].is_object() {
        draft.message_json(Direction::Output, to_json(&[message(&output["message"])]));
    }
}

/// The call that a tool span is; none while it waits.
fn tool_call(source: &Source<'_>, draft: &mut Draft<'_>) -> Option<Call> {
    let moment = genai::moment(source);
    if moment == Moment::Asked || source.get(INTERRUPT).is_some() {
        return None;
    }
    let refused = answer(&json(source, RESUMED)) == Some(false);
    let mut call = Call::new(if refused { Moment::Refused { by: By::Unknown } } else { moment });
    call.tool = source.text("genkit:name").map(word);
    call.arguments = draft.attribute(INPUT);
    call.result = draft.attribute(OUTPUT);
    Some(call)
}

/// The calls that wait after this round.
fn asked(source: &Source<'_>, draft: &mut Draft<'_>) {
    if !contains(source, OUTPUT, "\"interrupt\"") {
        return;
    }
    let (input, output) = (json(source, INPUT), json(source, OUTPUT));
    let length = |messages: Option<&Value>| messages.and_then(Value::as_array).map(Vec::len);
    let request = length(output.pointer("/request/messages"));
    if request.is_some() && request != length(input.get("messages")) {
        return;
    }
    let content = output.pointer("/message/content").and_then(Value::as_array);
    for part in content.into_iter().flatten().filter(|part| part.pointer("/metadata/interrupt").is_some()) {
        if let Some(call) = request_in(part, Moment::Asked, draft) {
            draft.call(call);
        }
    }
}

/// What was answered before this round began.
fn answered(source: &Source<'_>, draft: &mut Draft<'_>) {
    if !contains(source, INPUT, "\"resumed\"") {
        return;
    }
    let input = json(source, INPUT);
    for restart in input.pointer("/resume/restart").and_then(Value::as_array).into_iter().flatten() {
        let approved = restart.pointer("/metadata/resumed").and_then(answer);
        if let (Some(approved), Some(call)) = (approved, request_in(restart, Moment::Carried, draft)) {
            let outcome = if approved { Outcome::Allow } else { Outcome::Deny };
            let decision = a_decision(source, outcome, By::Unknown, &format!("approved={approved}"));
            draft.say(What::Decision(Box::new(about(&call, decision))));
        }
    }
}

/// What the metadata of a restarted call says.
fn answer(resumed: &Value) -> Option<bool> {
    ANSWERS.iter().find_map(|key| resumed.get(*key)?.as_bool())
}

/// The call in `{toolRequest: {ref, name, input}}`.
fn request_in(part: &Value, moment: Moment, draft: &mut Draft<'_>) -> Option<Call> {
    match parts(part).pop()? {
        Part::Call { id, name, arguments } => Some(a_call(moment, &id, &name, &arguments, draft)),
        _ => None,
    }
}

fn contains(source: &Source<'_>, key: &str, part: &str) -> bool {
    source.text(key).is_some_and(|text| memmem::find(text.as_bytes(), part.as_bytes()).is_some())
}
