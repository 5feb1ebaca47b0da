//! A2A: spans of clients and servers of the Agent2Agent protocol. A layer: the call of a peer may be a span of its
//! own or attributes on the tool span of whatever framework made it.
//!
//! | attribute | becomes |
//! |---|---|
//! | `a2a.method.name` of a message, on a client | a delegation to the peer: by its name and by its context |
//! | `a2a.subagent.name`, `a2a.context_id` on a tool span | that tool is a delegation, likewise |
//! | `a2a.task.id`, `a2a.message.reference_task_ids` | ties to other turns that work on the task |
//! | `a2a.task.state` | what the peer decided: to ask, to refuse, to stop; or that it failed |
//!
//! * On a client `gen_ai.agent.*` and `gen_ai.conversation.id` are the peer's: its card, its context. On a server
//!   they are its own.
//! * The context of a task is the peer's conversation, so that a delegation to it leads there also from another
//!   trace.
//! * A message is said by both sides. Content never is.
//!
//! Source: `docs/gen-ai/a2a.md` of the A2A proposal for OTel GenAI and its reference scenarios; kagent's helper for
//! tool spans. The Python SDK's own spans (scope `a2a-python-sdk`) have no attributes. No recording of ours.

use std::sync::Arc;

use crate::model::{By, Call, Decision, Moment, Node, Outcome, Proof, Pseudo, Status, Tie, What};

use super::draft::{a_decision, an_id, word};
use super::{Dialect, Draft, Source, genai};

const SDK: &str = "a2a-python-sdk";
const METHOD: &[&str] = &["a2a.method.name", "a2a.method"];
const CONTEXT: &[&str] = &["gen_ai.conversation.id", "a2a.context_id", "a2a.context.id"];
const PEER: &[&str] = &["a2a.subagent.name", "gen_ai.agent.name"];
const STATE: &str = "a2a.task.state";

/// More tasks than a message refers to; the rest of a longer list is ignored.
const MAX_TASKS: usize = 8;

/// Methods that give a peer something to do, in the protocol's names of today and before.
const SENDS: &[&str] = &["SendMessage", "SendStreamingMessage", "message/send", "message/stream"];

/// States that are decisions of the peer.
const STATES: &[(&str, Outcome)] = &[
    ("INPUT_REQUIRED", Outcome::Ask),
    ("AUTH_REQUIRED", Outcome::Ask),
    ("REJECTED", Outcome::Deny),
    ("CANCELED", Outcome::Abort),
];

/// OTLP's number of a client span.
const CLIENT: i32 = 3;

/// Spans with `a2a.*` attributes.
pub struct A2a;

impl Dialect for A2a {
    fn name(&self) -> &'static str {
        "a2a"
    }

    fn reads(&self, source: &Source<'_>) -> bool {
        source.span().is_some() && (source.has_prefix("a2a.") || source.scope() == SDK)
    }

    fn read<'a>(&self, source: &'a Source<'a>, draft: &mut Draft<'a>) {
        let Some(span) = source.span() else { return };
        let peer = || source.first_text(PEER).map(word);
        if let Some(own) = &mut draft.own {
            if let Some(to) = source.text("a2a.subagent.name") {
                own.pseudo = Some(Pseudo::Delegation { to: Some(word(to)) });
                to_context(source, draft);
            }
        } else if span.kind == CLIENT && source.first_text(METHOD).is_some() {
            draft.facts.retain(|fact| !is_of_peer(&fact.what, source));
            draft.node = Node::Other;
            if source.first_text(METHOD).is_some_and(|method| SENDS.contains(&method)) {
                delegate(peer(), source, draft);
                to_context(source, draft);
            }
        }
        tasks(source, draft);
        decided(source, draft);
    }

    fn is_layer(&self) -> bool {
        true
    }
}

/// On a client the convention's agent and conversation are the peer's. What other dialects said of them stays.
fn is_of_peer(what: &What, source: &Source<'_>) -> bool {
    match what {
        What::Agent { name, .. } => source.text("gen_ai.agent.name") == Some(name),
        What::Conversation(id) => source.text("gen_ai.conversation.id") == Some(id),
        _ => false,
    }
}

fn to_context(source: &Source<'_>, draft: &mut Draft<'_>) {
    if let Some(context) = source.first_text(CONTEXT).and_then(an_id) {
        draft.say(What::Gives(Tie::Conversation(context)));
    }
}

/// The tasks that a span is about. A task outlives its trace.
fn tasks(source: &Source<'_>, draft: &mut Draft<'_>) {
    let listed = source.get("a2a.message.reference_task_ids").and_then(|ids| source.json(ids));
    let listed: Vec<String> = listed.and_then(|json| serde_json::from_slice(&json).ok()).unwrap_or_default();
    let all = source.text("a2a.task.id").into_iter().chain(listed.iter().map(String::as_str));
    for id in all.filter_map(an_id).take(MAX_TASKS) {
        draft.say(What::Takes(Tie::Task(id)));
    }
}

fn delegate(to: Option<Arc<str>>, source: &Source<'_>, draft: &mut Draft<'_>) {
    let status = match state(source) {
        Some(state) if state == "FAILED" => Status::Error(word("task failed")),
        _ => genai::status(source),
    };
    let mut call = Call::new(Moment::Ran { status, proof: Proof::Ran });
    call.tool = source.first_text(METHOD).map(word);
    call.pseudo = Some(Pseudo::Delegation { to });
    draft.call(call);
}

/// `TASK_STATE_INPUT_REQUIRED`, `input-required`: the same word.
fn state(source: &Source<'_>) -> Option<String> {
    let said = source.text(STATE)?.replace('-', "_").to_ascii_uppercase();
    Some(said.strip_prefix("TASK_STATE_").map_or(said.clone(), str::to_owned))
}

/// What the peer decided about what it was given.
fn decided(source: &Source<'_>, draft: &mut Draft<'_>) {
    let Some(state) = state(source) else { return };
    let Some((_, outcome)) = STATES.iter().find(|(word, _)| *word == state) else { return };
    let raw = source.text(STATE).unwrap_or_default();
    let made = a_decision(source, *outcome, By::System, raw);
    let at = source.span().map_or(made.at, |span| span.end);
    draft.say(What::Decision(Box::new(Decision { at, ..made })));
}
