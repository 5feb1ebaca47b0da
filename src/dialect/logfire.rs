//! `OpenAI` Agents through Logfire: spans named by templates (`Function: {name}`), values in plain attributes.
//!
//! ```text
//! OpenAI Agents trace: {name}     group_id: the conversation, when the application gave one
//!   Task, Agent run, Turn           name, agent_name
//!     Responses API with {model}      raw_input, response: items of the Responses API
//!     Function: {name}                name, input, output; no call id
//!     Guardrail {name} {triggered=}   triggered
//!     Handoff: {from} → {to}          from_agent, to_agent
//! ```
//!
//! A `Function` span is also made for a call that waits for an approval: its output is `null`. The rest of the SDK's
//! habits are those of [`openai_agents`]. Source: `logfire/_internal/integrations/openai_agents.py` and recordings of
//! 5.2 with SDK 0.24.

use serde_json::Value;

use crate::model::{Call, Direction, Known, Node, Proof, Pseudo, What};

use super::draft::{an_id, word};
use super::message::{messages, text_of, to_json};
use super::{Content, Dialect, Draft, Rules, Source, genai, openai_agents};

/// What a value is where there is none: attributes are JSON.
const NULL: &str = "null";

/// Beginnings of span names, and what such a span says.
type Reader = for<'a> fn(&'a Source<'a>, &mut Draft<'a>);
const SPANS: &[(&str, Reader)] = &[
    ("OpenAI Agents trace", trace),
    ("Agent run", run),
    ("Turn ", turn),
    ("Responses API", model),
    ("Chat completion", model),
    ("Function", function),
    ("Guardrail ", guardrail),
    ("Handoff", handoff),
];

/// Spans of Logfire's scope for the SDK.
pub struct Logfire;

impl Dialect for Logfire {
    fn name(&self) -> &'static str {
        "logfire-openai-agents"
    }

    fn reads(&self, source: &Source<'_>) -> bool {
        source.span().is_some() && source.scope() == "logfire.openai_agents"
    }

    fn read<'a>(&self, source: &'a Source<'a>, draft: &mut Draft<'a>) {
        let Some(span) = source.span() else { return };
        if let Some((_, read)) = SPANS.iter().find(|(start, _)| span.name.starts_with(start)) {
            read(source, draft);
        }
    }

    fn rules(&self, _: &Source<'_>) -> Option<Rules> {
        Some(Rules { proof: Proof::NeedsResult, content: Content::Here })
    }
}

fn trace<'a>(source: &'a Source<'a>, draft: &mut Draft<'a>) {
    if let Some(id) = source.text("group_id") {
        draft.conversation(id);
    }
}

fn run<'a>(source: &'a Source<'a>, draft: &mut Draft<'a>) {
    draft.node = Node::Agent;
    if let Some(name) = source.text("name") {
        draft.agent(name, None);
    }
}

fn turn<'a>(source: &'a Source<'a>, draft: &mut Draft<'a>) {
    if let Some(name) = source.text("agent_name") {
        draft.agent(name, None);
    }
}

/// A model call: its items, and the instructions it was given.
fn model<'a>(source: &'a Source<'a>, draft: &mut Draft<'a>) {
    if let Some(id) = source.text("response_id").and_then(an_id) {
        draft.say(What::Response(id));
    }
    let parsed = |key| serde_json::from_str::<Value>(source.text(key)?).ok();
    if let Some(input) = parsed("raw_input").or_else(|| parsed("input")) {
        draft.message_json(Direction::Input, to_json(&messages(&input)));
    }
    let response = parsed("response").unwrap_or(Value::Null);
    if let Some(instructions) = response.get("instructions").and_then(Value::as_str) {
        let text = draft.text(instructions);
        draft.say(What::Prompt(text));
    }
    if let Some(output) = response.get("output").cloned().or_else(|| parsed("output")) {
        draft.message_json(Direction::Output, to_json(&messages(&output)));
    }
    openai_agents::handoffs(draft);
    // The handoff's own span knows the other agent by its name, the model only by its tool's.
    draft.calls().for_each(|call| call.pseudo = Some(Pseudo::Delegation { to: None }));
}

fn function<'a>(source: &'a Source<'a>, draft: &mut Draft<'a>) {
    draft.node = Node::Tool;
    let mut call = Call::new(genai::moment(source));
    call.tool = source.text("name").map(word);
    call.arguments = present("input", source, draft);
    call.result = present("output", source, draft);
    // A result of an MCP tool is one of its content blocks.
    if source.text("mcp_data").is_some_and(|data| data != NULL)
        && let Some(block) = source.text("output")
    {
        draft.replace(&mut call.result, &text_of(block));
    }
    draft.own = Some(call);
    openai_agents::ran(draft);
}

fn present(key: &str, source: &Source<'_>, draft: &mut Draft<'_>) -> Known<crate::model::Text> {
    if source.text(key) == Some(NULL) { Known::ABSENT } else { draft.attribute(key) }
}

fn guardrail<'a>(source: &'a Source<'a>, draft: &mut Draft<'a>) {
    draft.node = Node::Check;
    let triggered = source.get("triggered").and_then(|triggered| triggered.as_bool());
    if let (Some(name), Some(triggered)) = (source.text("name"), triggered) {
        openai_agents::tripwire(name, triggered, source, draft);
    }
}

fn handoff<'a>(source: &'a Source<'a>, draft: &mut Draft<'a>) {
    if let Some(from) = source.text("from_agent") {
        draft.agent(from, None);
    }
    let mut call = Call::new(genai::moment(source));
    call.tool = Some(word("handoff"));
    call.pseudo = Some(Pseudo::Delegation { to: source.text("to_agent").filter(|to| *to != NULL).map(word) });
    draft.call(call);
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::dialect::testing::{call, calls, facts, span};
    use crate::model::{CheckResult, Moment, Status};

    const SCOPE: &str = "logfire.openai_agents";

    fn tool(output: &str, mcp: &str) -> Vec<Call> {
        let fields = json!({"name": "issue_refund", "input": r#"{"order_id": "A-1001"}"#, "output": output,
            "mcp_data": mcp, "gen_ai.system": "openai"});
        calls(&facts(span(SCOPE, "Function: {name}", fields)))
    }

    #[test]
    fn a_function_without_output_waits() {
        let moments = |calls: Vec<Call>| calls.into_iter().map(|call| call.moment).collect::<Vec<_>>();
        let ended = Moment::Ran { status: Status::Fine, proof: Proof::NeedsResult };
        assert_eq!(moments(tool(NULL, NULL)), [ended.clone(), Moment::Asked]);
        assert_eq!(moments(tool(r#"{"status": "issued"}"#, NULL)), [ended]);
        let [ran] = &tool(r#"{"type":"text","text":"done"}"#, r#"{"server":"orders"}"#)[..] else { panic!("one call") };
        assert_eq!(ran.result.value().map(|text| &*text.head), Some("done"));
    }

    #[test]
    fn items_become_messages() {
        let response = json!({"output": [{"type": "function_call", "id": "fc_01620", "call_id": "call_01620",
            "name": "transfer_to_refund_agent", "arguments": "{}"}], "instructions": "Be kind."});
        let fields = json!({"gen_ai.operation.name": "chat", "response": response.to_string(),
            "raw_input": r#"[{"content":"Please refund it.","role":"user"}]"#, "response_id": "resp_1"});
        let said = facts(span(SCOPE, "Responses API with {gen_ai.request.model!r}", fields));
        let arrays = said.iter().filter(|what| matches!(what, What::Messages(_))).count();
        assert_eq!(arrays, 2);
        assert_eq!(call(&said).pseudo, Some(Pseudo::Delegation { to: None }));
        assert!(said.iter().any(|what| matches!(what, What::Prompt(Known::Value(_)))));
    }

    #[test]
    fn a_tripped_guardrail_has_a_verdict() {
        let fields = json!({"name": "scope_guardrail", "triggered": true});
        let said = facts(span(SCOPE, "Guardrail {name!r} {triggered=}", fields));
        let failed = |what: &What| matches!(what, What::Check(check) if check.result == CheckResult::Fail);
        assert!(said.iter().any(failed), "{said:?}");
    }

    #[test]
    fn a_group_is_a_conversation_when_there_is_one() {
        let of = |group: &str| facts(span(SCOPE, "OpenAI Agents trace: {name}", json!({ "group_id": group })));
        assert_eq!(of("conv-8f2a"), [What::Conversation("conv-8f2a".into())]);
        assert_eq!(of(NULL), []);
    }
}
