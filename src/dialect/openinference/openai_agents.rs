//! `OpenAI` Agents.
//!
//! * A `TOOL` span with input, without output and with status OK is also made for a call that waits for an approval:
//!   only an answer shows that it ran. The resumed run is not exported.
//! * A tool guardrail's message stands in the place of the tool's output.
//! * A tripped guardrail is the status message of the turn or agent that it ended: `Guardrail tripwire triggered:
//!   {'guardrail': 'scope_guardrail'}`. The guardrail's own span has no verdict.
//! * Handoffs are `TOOL` spans without `tool.name`: `handoff to Refund Agent`.
//! * Input and output are the Responses API's items. No session is exported, but every model call of a dialogue repeats
//!   its items, with their ids: the first one is the same in all of them.
//!
//! Source: `python/instrumentation/openinference-instrumentation-openai-agents` and recordings of 2.6.0.

use std::borrow::Cow;

use serde::Deserialize;

use crate::model::{
    By, Call, Check, CheckResult, Decision, GrantScope, Moment, Node, Outcome, Provenance, Status, What,
};

use super::super::draft::{an_id, word};
use super::super::python;
use super::feedback::empty;
use super::{Draft, INPUT, OUTPUT, Source};

const TRIPPED: &str = "Guardrail tripwire triggered: ";

/// How a guardrail's message says that it kept the tool it names from running.
const BLOCKED: &[&str] = &["blocked by policy", "denied by policy", "rejected by policy", "blocked by guardrail"];

/// Refines a span of `OpenAI` Agents.
pub fn read<'a>(source: &'a Source<'a>, draft: &mut Draft<'a>) {
    match draft.node {
        Node::Tool => tool(source, draft),
        Node::Model => dialogue(source, draft),
        _ => tripwire(source, draft),
    }
}

fn tool(source: &Source<'_>, draft: &mut Draft<'_>) {
    let Some(own) = &mut draft.own else { return };
    let fine = matches!(own.moment, Moment::Ran { status: Status::Fine, .. });
    let result = own.result.value().and_then(|result| result.whole()).unwrap_or_default();
    if fine && own.tool.as_deref().is_some_and(|tool| is_blocked(tool, result)) {
        own.moment = Moment::Refused { by: By::Policy };
    } else if fine && source.get(INPUT).is_some() && source.get(OUTPUT).is_none() {
        let asked = Call { moment: Moment::Asked, ..own.clone() };
        draft.call(asked);
    }
}

/// Whether a result only says that its own tool was kept from running.
fn is_blocked(tool: &str, result: &str) -> bool {
    result.strip_prefix(tool).is_some_and(|rest| BLOCKED.iter().any(|phrase| rest.trim_start().starts_with(phrase)))
}

/// A guardrail that ended the turn or the agent's run.
fn tripwire(source: &Source<'_>, draft: &mut Draft<'_>) {
    let Some(span) = source.span() else { return };
    let Some(rest) = span.status.message.strip_prefix(TRIPPED) else { return };
    let details = python::literal(rest);
    let name = details.as_ref().and_then(|details| details.get("guardrail")?.as_str()).unwrap_or("guardrail");
    let check =
        Check { name: word(name), result: CheckResult::Fail, label: word("tripwire triggered"), ..empty(source) };
    draft.say(What::Check(Box::new(check)));
    draft.say(What::Decision(Box::new(Decision {
        at: span.end,
        outcome: Outcome::Deny,
        by: By::Policy,
        principal: None,
        scope: GrantScope::Once,
        enforced: true,
        standing: false,
        waited: None,
        raw: word(span.status.message),
        policies: Vec::new(),
        call_id: None,
        plan: None,
        tool: None,
        parameters: None,
        witness: None,
    })));
}

/// A response, as far as it says where it belongs.
#[derive(Deserialize)]
struct Response<'a> {
    #[serde(borrow, default)]
    id: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    previous_response_id: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    conversation: Option<Item<'a>>,
    #[serde(borrow, default)]
    output: Vec<Item<'a>>,
}

#[derive(Deserialize)]
struct Item<'a> {
    #[serde(borrow, default)]
    id: Option<Cow<'a, str>>,
}

/// Response id and conversation of a model call.
fn dialogue(source: &Source<'_>, draft: &mut Draft<'_>) {
    let Some(response) = source.text(OUTPUT).and_then(|json| serde_json::from_str::<Response<'_>>(json).ok()) else {
        return;
    };
    if let Some(id) = response.id.as_deref().and_then(an_id) {
        draft.say(What::Response(id));
    }
    if let Some(id) = response.conversation.as_ref().and_then(|conversation| conversation.id.as_deref()) {
        return draft.conversation(id);
    }
    // With a previous response, the input holds only what is new.
    if response.previous_response_id.is_some() || draft.has(|what| matches!(what, What::Conversation(_))) {
        return;
    }
    let Some(input) = source.text(INPUT).and_then(|json| serde_json::from_str::<Vec<Item<'_>>>(json).ok()) else {
        return;
    };
    let first = input.iter().chain(&response.output).find_map(|item| an_id(item.id.as_deref()?));
    if let Some(id) = first {
        draft.fact(Provenance::Computed, What::Conversation(id));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_message_about_the_tool_itself_is_a_refusal() {
        for (tool, result, want) in [
            ("issue_refund", "issue_refund blocked by policy: amount limit is 20 EUR.", true),
            ("issue_refund", "get_order blocked by policy", false),
            ("issue_refund", "the refund was blocked by policy", false),
            ("issue_refund", r#"{"status": "issued"}"#, false),
        ] {
            assert_eq!(is_blocked(tool, result), want, "{result}");
        }
    }

    #[test]
    fn a_response_is_read_without_its_content() {
        let json = r#"{"id":"resp_1","output":[{"id":"msg_1","content":[{"text":"hi \u00fc"}]}],"conversation":null}"#;
        let response: Response<'_> = serde_json::from_str(json).expect("a response");
        assert_eq!(response.id.as_deref(), Some("resp_1"));
        assert_eq!(response.output[0].id.as_deref(), Some("msg_1"));
        assert!(response.conversation.is_none() && response.previous_response_id.is_none());
    }
}
