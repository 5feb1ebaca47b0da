//! `OpenAI` Agents through `OpenLLMetry`: a refinement of OTel GenAI and of its sister for LangChain.
//!
//! * A tool span with arguments, without result and with status OK is also made for a call that waits for an approval.
//!   The resumed run is another trace; what it was told about the call stands in its model's input.
//! * Tool spans have no call id. In a model's input, calls are named by the id of their *item* (`fc_…`) and answers by
//!   that of the call (`call_…`).
//! * A tool guardrail's message stands in the place of the tool's result.
//! * A guardrail has no span; one that ended an agent's run is the status message of the agent's span.
//! * A handoff's span does not name the other agent; the model's call does (`transfer_to_refund_agent`, no arguments).
//! * An agent behind a tool has its span beside the tool's and not below it; the tool is named after the agent.
//!
//! Source: `packages/opentelemetry-instrumentation-openai-agents` of `OpenLLMetry`, `src/agents/tool.py` of the SDK,
//! and recordings of 0.62 with SDK 0.24.

use std::collections::{BTreeSet, VecDeque};

use bytes::Bytes;
use memchr::memmem;
use serde_json::Value;

use crate::model::{By, Call, Direction, Known, Messages, Moment, Node, Phase, Proof, Pseudo, Status};

use super::adk::parts_of;
use super::draft::word;
use super::genai_events::a_call;
use super::message::{Part, messages};
use super::{Content, Dialect, Draft, Rules, Source, guardrail, python};

/// How a tool guardrail says that it kept the tool, which it names first, from running.
const BLOCKED: &[&str] = &["blocked by policy", "denied by policy", "rejected by policy", "blocked by guardrail"];

/// What a guardrail's status message begins with, as the `repr` of a dictionary.
const TRIPPED: &str = "{'message': 'Guardrail tripwire triggered'";

/// What the SDK names a tool that hands over.
const TRANSFER: &str = "transfer_to_";

/// Beginning of the ids of items that are calls, in JSON.
const ITEM: &[u8] = b"\"fc_";

/// Spans of the instrumentation's scope.
pub struct OpenAiAgents;

impl Dialect for OpenAiAgents {
    fn name(&self) -> &'static str {
        "openai-agents"
    }

    fn reads(&self, source: &Source<'_>) -> bool {
        source.span().is_some() && source.scope() == "opentelemetry.instrumentation.openai_agents"
    }

    fn read<'a>(&self, source: &'a Source<'a>, draft: &mut Draft<'a>) {
        draft.all_messages().for_each(name_calls);
        match draft.node {
            Node::Tool => ran(draft),
            Node::Model => handoffs(draft),
            Node::Agent => agent(source, draft),
            Node::Check => checked(source, draft),
            _ => {}
        }
    }

    fn rules(&self, _: &Source<'_>) -> Option<Rules> {
        Some(Rules { proof: Proof::NeedsResult, content: Content::Here })
    }
}

/// A tool span of the SDK: a call that ran, that a guardrail kept from running, or that waits.
pub fn ran(draft: &mut Draft<'_>) {
    let Some(own) = &mut draft.own else { return };
    if !matches!(own.moment, Moment::Ran { status: Status::Fine, .. }) {
        return;
    }
    let result = own.result.value().and_then(|result| result.whole()).unwrap_or_default();
    if own.tool.as_deref().is_some_and(|tool| is_blocked(tool, result)) {
        own.moment = Moment::Refused { by: By::Policy };
    } else if own.arguments.is_present() && own.result == Known::ABSENT {
        let asked = Call { moment: Moment::Asked, ..own.clone() };
        draft.call(asked);
    }
}

/// Whether a result only says that its own tool was kept from running.
fn is_blocked(tool: &str, result: &str) -> bool {
    result.strip_prefix(tool).is_some_and(|rest| BLOCKED.iter().any(|phrase| rest.trim_start().starts_with(phrase)))
}

/// The model's calls that hand over, which are known only with their arguments.
pub fn handoffs(draft: &mut Draft<'_>) {
    let written = |messages: &&mut Messages| messages.direction == Direction::Output;
    let names_one = |json: &Bytes| memmem::find(json, TRANSFER.as_bytes()).is_some();
    let Some(json) = draft.all_messages().find(written).map(|said| said.json.clone()).filter(names_one) else { return };
    let said = messages(&serde_json::from_slice(&json).unwrap_or(Value::Null));
    for part in said.iter().flat_map(|message| &message.parts) {
        let Part::Call { id, name, arguments } = part else { continue };
        let call = a_call(Moment::Proposed, id, name, arguments, draft);
        if call.pseudo.is_some() {
            draft.call(call);
        }
    }
}

/// An agent's run: it may be the work of a tool named after it, and a guardrail may have ended it.
fn agent(source: &Source<'_>, draft: &mut Draft<'_>) {
    if let Some(name) = source.text("gen_ai.agent.name") {
        let mut behind = Call::new(Moment::Proposed);
        behind.tool = Some(word(&tool_of(name)));
        behind.pseudo = Some(Pseudo::Behind { agent: word(name) });
        draft.call(behind);
    }
    let Some(message) = source.span().map(|span| span.status.message).filter(|it| it.starts_with(TRIPPED)) else {
        return;
    };
    let details = python::literal(message).unwrap_or(Value::Null);
    let name = details.pointer("/data/guardrail").and_then(Value::as_str).unwrap_or("guardrail");
    tripwire(name, true, source, draft);
}

/// The name that the SDK gives to the tool that an agent becomes.
fn tool_of(agent: &str) -> String {
    let kept = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '_' };
    agent.chars().map(kept).collect()
}

/// A guardrail's own span, which the frozen package of OTel contrib makes under the same scope.
fn checked(source: &Source<'_>, draft: &mut Draft<'_>) {
    let triggered = source.get("gen_ai.guardrail.triggered").and_then(|triggered| triggered.as_bool());
    if let (Some(name), Some(triggered)) = (source.text("gen_ai.guardrail.name"), triggered) {
        tripwire(name, triggered, source, draft);
    }
}

/// A guardrail of the SDK. Its verdict does not say whether it looked at the input or the output.
pub fn tripwire(name: &str, triggered: bool, source: &Source<'_>, draft: &mut Draft<'_>) {
    let label = if triggered { "triggered" } else { "not triggered" };
    let verdict = guardrail::Verdict { name, stopped: triggered, phase: Phase::Unknown, by: By::Policy, label };
    guardrail::say(&verdict, source, draft);
}

/// Gives the calls in a model's input the ids of their answers, which come in the order of the calls. A call that has
/// no answer yet keeps no id. What is not a readable array stays byte for byte.
fn name_calls(messages: &mut Messages) {
    if messages.direction == Direction::Output || memmem::find(&messages.json, ITEM).is_none() {
        return;
    }
    let Ok(mut said) = serde_json::from_slice::<Value>(&messages.json) else { return };
    let mut names = call_ids(&mut said).into_iter();
    for part in parts_of(&mut said).filter(|part| kind(part.get("type")) == "tool_call") {
        match names.next().flatten() {
            Some(id) => part.insert("id".to_owned(), Value::String(id)),
            None => part.remove("id"),
        };
    }
    messages.json = said.to_string().into();
}

fn kind(value: Option<&Value>) -> &str {
    value.and_then(Value::as_str).unwrap_or_default()
}

/// The call id of every call, in order.
fn call_ids(said: &mut Value) -> Vec<Option<String>> {
    let parts: Vec<(bool, String)> = parts_of(said)
        .filter_map(|part| match kind(part.get("type")) {
            "tool_call" => Some((true, kind(part.get("id")).to_owned())),
            "tool_call_response" => Some((false, kind(part.get("id")).to_owned())),
            _ => None,
        })
        .collect();
    let answered: BTreeSet<&String> = parts.iter().filter(|(call, _)| !call).map(|(_, id)| id).collect();
    let (mut ids, mut open): (Vec<Option<String>>, VecDeque<usize>) = (Vec::new(), VecDeque::new());
    for (call, id) in &parts {
        if *call {
            let known = answered.contains(id).then(|| id.clone());
            if known.is_none() {
                open.push_back(ids.len());
            }
            ids.push(known);
        } else if !ids.iter().flatten().any(|known| known == id)
            && let Some(oldest) = open.pop_front()
        {
            ids[oldest] = Some(id.clone());
        }
    }
    ids
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::dialect::testing::{call, calls, facts, span, span_with};
    use crate::model::{CheckResult, What};

    const SCOPE: &str = "opentelemetry.instrumentation.openai_agents";

    fn tool(result: Option<&str>) -> Vec<Moment> {
        let mut fields = json!({"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "issue_refund",
            "gen_ai.tool.call.arguments": r#"{"order_id": "A-1001", "amount": 42.5}"#});
        if let Some(result) = result {
            fields["gen_ai.tool.call.result"] = json!(result);
        }
        calls(&facts(span(SCOPE, "issue_refund.tool", fields))).into_iter().map(|call| call.moment).collect()
    }

    #[test]
    fn a_tool_span_is_a_run_a_refusal_or_a_question() {
        let ended = Moment::Ran { status: Status::Fine, proof: Proof::NeedsResult };
        for result in [r#"{"status": "issued"}"#, "the page says: issue_refund blocked by policy"] {
            assert_eq!(tool(Some(result)), std::slice::from_ref(&ended), "{result}");
        }
        assert_eq!(tool(None), [ended, Moment::Asked]);
        let blocked = "issue_refund blocked by policy: amount limit is 20 EUR.";
        assert_eq!(tool(Some(blocked)), [Moment::Refused { by: By::Policy }]);
    }

    #[test]
    fn without_content_a_tool_span_asks_for_nothing() {
        let fields = json!({"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "issue_refund"});
        assert_eq!(calls(&facts(span(SCOPE, "issue_refund.tool", fields))).len(), 1);
    }

    fn named(parts: &Value) -> Vec<Value> {
        let json = json!([{ "role": "assistant", "parts": parts }]).to_string();
        let mut messages = Messages { direction: Direction::Input, json: json.into() };
        name_calls(&mut messages);
        let mut said: Value = serde_json::from_slice(&messages.json).expect("json");
        parts_of(&mut said).map(|part| part.get("id").cloned().unwrap_or_default()).collect()
    }

    #[test]
    fn calls_in_an_input_get_the_ids_of_their_answers() {
        let call = |id: &str| json!({"type": "tool_call", "id": id, "name": "t", "arguments": {}});
        let answer = |id: &str| json!({"type": "tool_call_response", "id": id, "response": "ok"});
        for (parts, want) in [
            (json!([call("fc_1"), answer("call_a")]), json!(["call_a", "call_a"])),
            (
                json!([call("fc_1"), call("fc_2"), answer("call_a"), answer("call_b"), call("fc_3")]),
                json!(["call_a", "call_b", "call_a", "call_b", null]),
            ),
            (
                json!([call("call_a"), call("fc_2"), answer("call_a"), answer("call_b")]),
                json!(["call_a", "call_b", "call_a", "call_b"]),
            ),
            (json!([answer("call_a"), call("fc_1")]), json!(["call_a", null])),
        ] {
            assert_eq!(json!(named(&parts)), want, "{parts}");
        }
    }

    #[test]
    fn a_handoff_is_named_by_the_model() {
        let output = json!([{"role": "assistant", "parts": [{"type": "tool_call", "name": "transfer_to_refund_agent",
            "id": "call_01080", "arguments": {}}]}]);
        let fields = json!({"gen_ai.operation.name": "chat", "gen_ai.output.messages": output.to_string()});
        let to = Some("refund_agent".into());
        assert_eq!(call(&facts(span(SCOPE, "openai.response", fields))).pseudo, Some(Pseudo::Delegation { to }));
    }

    #[test]
    fn an_agent_tells_of_its_tool_and_of_the_guardrail_that_ended_it() {
        let status = json!({"status": {"code": 2, "message":
            "{'message': 'Guardrail tripwire triggered', 'data': {'guardrail': 'pii_guardrail'}}"}});
        let fields = json!({"gen_ai.operation.name": "invoke_agent", "gen_ai.agent.name": "Refund Specialist"});
        let said = facts(span_with(SCOPE, "Refund Specialist.agent", fields, status));
        assert_eq!(call(&said).tool.as_deref(), Some("refund_specialist"));
        let found = said.iter().any(|what| match what {
            What::Check(check) => &*check.name == "pii_guardrail" && check.result == CheckResult::Fail,
            _ => false,
        });
        assert!(found, "{said:?}");
    }
}
