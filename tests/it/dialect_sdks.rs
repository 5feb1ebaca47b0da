//! SDK dialects by single records: excerpts of recordings of ai 6.0.326, genkit 1.42.0 and langfuse 5.0.4, shortened.

use serde_json::{Value, json};
use wherefore::model::{
    By, Call, CheckResult, Decision, Direction, Evidence, Known, Missing, Moment, Node, Outcome, Status, What,
};

use crate::support::otlp::{read, span};

fn of(scope: &str, name: &str, fields: Value) -> Evidence {
    read(span(scope, name, fields, json!({})))
}

fn calls(evidence: &Evidence) -> Vec<&Call> {
    let facts = evidence.facts.iter();
    facts.filter_map(|fact| if let What::Call(call) = &fact.what { Some(&**call) } else { None }).collect()
}

fn decisions(evidence: &Evidence) -> Vec<&Decision> {
    let facts = evidence.facts.iter();
    facts.filter_map(|fact| if let What::Decision(made) = &fact.what { Some(&**made) } else { None }).collect()
}

fn messages(evidence: &Evidence, wanted: Direction) -> Value {
    let found = evidence.facts.iter().find_map(|fact| match &fact.what {
        What::Messages(messages) if messages.direction == wanted => Some(&messages.json),
        _ => None,
    });
    found.map_or(Value::Null, |json| serde_json::from_slice(json).expect("messages are JSON"))
}

fn head(known: &Known<wherefore::model::Text>) -> &str {
    known.value().map_or("", |text| &*text.head)
}

#[test]
fn an_approval_stands_in_the_next_prompt_of_vercel() {
    let request = json!({"type": "tool-approval-request", "approvalId": "aitxt-1", "toolCallId": "call_00340"});
    let prompt = |after: Vec<Value>| {
        let call = json!({"type": "tool-call", "toolCallId": "call_00340", "toolName": "issue_refund",
            "input": {"order_id": "A-1001", "amount": 42.5}});
        let answer = json!({"type": "tool-approval-response", "approvalId": "aitxt-1", "approved": false,
            "reason": "Denied by the shift manager."});
        let mut all = vec![
            json!({"role": "user", "content": "Please refund it."}),
            json!({"role": "assistant", "content": [call, request]}),
            json!({"role": "tool", "content": [answer]}),
        ];
        all.extend(after);
        json!({"system": "You are a refund desk assistant.", "messages": all}).to_string()
    };
    let run = |prompt: String| {
        let fields = json!({"ai.operationId": "ai.generateText", "ai.telemetry.functionId": "refund-desk",
            "ai.telemetry.metadata.sessionId": "conv-8f2a", "ai.prompt": prompt});
        of("ai", "ai.generateText", fields)
    };
    let resumed = run(prompt(Vec::new()));
    assert_eq!((resumed.node, resumed.dialect), (Node::Agent, "vercel-ai"));
    assert!(resumed.facts.iter().any(|fact| fact.what == What::Conversation("conv-8f2a".into())));
    let [asked] = calls(&resumed)[..] else { panic!("one call") };
    assert_eq!((&asked.moment, asked.id.as_deref()), (&Moment::Asked, Some("call_00340")));
    let [decision] = decisions(&resumed)[..] else { panic!("one decision") };
    assert_eq!((decision.outcome, decision.by), (Outcome::Deny, By::Unknown));
    assert_eq!((decision.call_id.as_deref(), decision.tool.as_deref()), (Some("call_00340"), Some("issue_refund")));
    assert_eq!(decision.parameters, asked.arguments.value().map(|text| text.digest));
    assert_eq!(messages(&resumed, Direction::Input).as_array().map(Vec::len), Some(4));

    let later = run(prompt(vec![json!({"role": "user", "content": "And another one."})]));
    assert!(calls(&later).is_empty() && decisions(&later).is_empty(), "an answered approval is history");
}

#[test]
fn a_model_call_of_vercel_has_model_tokens_and_proposals() {
    let fields = json!({
        "ai.operationId": "ai.streamText.doStream", "ai.model.provider": "openai.chat", "ai.model.id": "gpt-4o-mini",
        "ai.prompt.messages": r#"[{"role":"system","content":"You are a refund desk assistant."},{"role":"user","content":[{"type":"text","text":"Please refund it."}]}]"#,
        "ai.response.toolCalls": r#"[{"toolCallId":"call_00330","toolName":"get_order","input":"{\"order_id\": \"A-1001\"}"}]"#,
        "ai.response.id": "chatcmpl-000033", "ai.response.model": "gpt-4o-mini-2024-07-18",
        "ai.usage.inputTokens": 93, "ai.usage.outputTokens": 15,
    });
    let read = of("ai", "ai.streamText.doStream", fields);
    let model =
        What::Model { provider: "openai.chat".into(), model: "gpt-4o-mini-2024-07-18".into(), tokens: (93, 15) };
    assert!(read.facts.iter().any(|fact| fact.what == model));
    assert_eq!(messages(&read, Direction::Output)[0]["parts"][0]["id"], "call_00330");
    assert_eq!(messages(&read, Direction::Input)[1]["parts"][0]["content"], "Please refund it.");
}

#[test]
fn vercel_without_content_is_withheld_and_embeddings_are_no_model_calls() {
    let tool =
        json!({"ai.operationId": "ai.toolCall", "ai.toolCall.name": "get_order", "ai.toolCall.id": "call_00730"});
    let read = of("ai", "ai.toolCall", tool);
    assert_eq!(calls(&read)[0].arguments, Known::Missing(Missing::Withheld));
    assert!(read.facts.iter().any(|fact| fact.what == What::Withheld));
    let embedding = json!({"ai.operationId": "ai.embed.doEmbed", "ai.model.id": "text-embedding-3-small"});
    let read = of("ai", "ai.embed.doEmbed", embedding);
    assert!(read.node == Node::Other && read.facts.is_empty(), "{read:?}");
}

fn genkit(kind: &str, fields: Value) -> Evidence {
    let mut all = json!({"genkit:type": "action", "genkit:metadata:subtype": kind});
    all.as_object_mut().expect("an object").extend(fields.as_object().expect("an object").clone());
    of("genkit-tracer", "a span", all)
}

#[test]
fn an_interrupted_tool_of_genkit_neither_ran_nor_failed() {
    let waiting = json!({"genkit:type": "action", "genkit:metadata:subtype": "tool", "genkit:name": "issue_refund",
        "genkit:metadata:interrupt": r#"{"message":"approve?"}"#, "genkit:input": r#"{"order_id":"A-1001","amount":42.5}"#,
        "genkit:state": "error"});
    let exception = json!({"status": {"code": 2}, "events": [{"name": "exception", "timeUnixNano": "1900",
        "attributes": [{"key": "exception.type", "value": {"stringValue": "ToolInterruptError"}}]}]});
    let waiting = read(span("genkit-tracer", "issue_refund", waiting, exception));
    assert!(waiting.node == Node::Tool && calls(&waiting).is_empty());

    let output = r#"{"message":{"role":"model","content":[{"toolRequest":{"name":"issue_refund","ref":"call_01340","input":{"order_id":"A-1001","amount":42.5}},"metadata":{"interrupt":{"message":"approve?"}}}]},"finishReason":"interrupted","request":{"messages":[{"role":"user","content":[]}]}}"#;
    let round = |input: &str| {
        let fields = json!({"genkit:type": "util", "genkit:input": input, "genkit:output": output});
        of("genkit-tracer", "generate", fields)
    };
    let last = round(r#"{"messages":[{"role":"user","content":[]}]}"#);
    let [asked] = calls(&last)[..] else { panic!("one call") };
    assert_eq!((&asked.moment, asked.id.as_deref()), (&Moment::Asked, Some("call_01340")));
    assert_eq!(asked.tool.as_deref(), Some("issue_refund"));
    assert!(calls(&round(r#"{"messages":[]}"#)).is_empty(), "an outer round repeats the answer of the last");
}

#[test]
fn the_answer_to_an_interrupt_of_genkit_is_the_application_s_metadata() {
    for (approved, outcome) in [(false, Outcome::Deny), (true, Outcome::Allow)] {
        let resumed = json!({"genkit:name": "issue_refund", "genkit:metadata:resumed": json!({"approved": approved}).to_string(),
            "genkit:input": r#"{"order_id":"A-1001","amount":42.5}"#, "genkit:output": r#"{"done":1}"#});
        let tool = genkit("tool", resumed);
        let [call] = calls(&tool)[..] else { panic!("one call") };
        let refused = matches!(call.moment, Moment::Refused { by: By::Unknown });
        assert_eq!((refused, matches!(call.moment, Moment::Ran { status: Status::Fine, .. })), (!approved, approved));

        let input = json!({"messages": [], "resume": {"respond": [], "restart": [{
            "toolRequest": {"name": "issue_refund", "ref": "call_01340", "input": {"order_id": "A-1001", "amount": 42.5}},
            "metadata": {"interrupt": {"message": "approve?"}, "resumed": {"approved": approved}},
        }]}});
        let round = of("genkit-tracer", "generate", json!({"genkit:type": "util", "genkit:input": input.to_string()}));
        let [decision] = decisions(&round)[..] else { panic!("one decision") };
        assert_eq!((decision.outcome, decision.call_id.as_deref()), (outcome, Some("call_01340")));
        assert_eq!(decision.parameters, call.arguments.value().map(|text| text.digest));
    }
}

#[test]
fn a_model_call_of_genkit_has_model_tokens_and_messages() {
    let read = genkit(
        "model",
        json!({
            "genkit:name": "openai/gpt-4o-mini",
            "genkit:input": r#"{"messages":[{"role":"user","content":[{"text":"Please refund it."}]},{"role":"tool","content":[{"toolResponse":{"name":"get_order","ref":"call_01330","output":{"status":"delivered"}}}]}]}"#,
            "genkit:output": r#"{"message":{"role":"model","content":[{"toolRequest":{"name":"issue_refund","ref":"call_01340","input":{"order_id":"A-1001"}}}]},"usage":{"inputTokens":94,"outputTokens":15},"raw":{"id":"chatcmpl-000134","model":"gpt-4o-mini-2024-07-18"}}"#,
        }),
    );
    let model = What::Model { provider: "openai".into(), model: "gpt-4o-mini-2024-07-18".into(), tokens: (94, 15) };
    assert!(read.facts.iter().any(|fact| fact.what == model));
    assert!(read.facts.iter().any(|fact| fact.what == What::Response("chatcmpl-000134".into())));
    assert_eq!(messages(&read, Direction::Input)[1]["parts"][0]["id"], "call_01330");
    assert_eq!(messages(&read, Direction::Output)[0]["parts"][0]["name"], "issue_refund");
}

#[test]
fn genkit_s_redacted_values_are_withheld_and_inner_flows_are_no_agents() {
    let read = genkit("tool", json!({"genkit:name": "t", "genkit:input": "<redacted>", "genkit:output": "<redacted>"}));
    assert_eq!(calls(&read)[0].result, Known::Missing(Missing::Withheld));
    assert!(read.facts.iter().any(|fact| fact.what == What::Withheld));
    assert_eq!(genkit("flow", json!({"genkit:name": "refundDesk"})).node, Node::Agent);
    let inner = json!({"genkit:metadata:subtype": "flow", "genkit:name": "lookUp"});
    let inner =
        crate::support::otlp::read(span("genkit-tracer", "f", inner, json!({"parentSpanId": "aaaaaaaaaaaaaaaa"})));
    assert_eq!(inner.node, Node::Other);
}

#[test]
fn observations_of_langfuse_are_calls_generations_and_verdicts() {
    let tool = of(
        "langfuse-sdk",
        "call_tool",
        json!({
            "session.id": "conv-8f2a", "langfuse.observation.type": "tool", "langfuse.observation.level": "ERROR",
            "langfuse.observation.status_message": "order-db: connection timeout after 3000 ms",
            "langfuse.observation.input": r#"{"args": ["get_order", {"order_id": "A-1001"}], "kwargs": {}}"#,
        }),
    );
    let [call] = calls(&tool)[..] else { panic!("one call") };
    assert_eq!((call.tool.as_deref(), head(&call.arguments)), (Some("get_order"), r#"{"order_id":"A-1001"}"#));
    assert!(matches!(&call.moment, Moment::Ran { status: Status::Error(why), .. } if why.starts_with("order-db")));
    assert!(tool.facts.iter().any(|fact| fact.what == What::Conversation("conv-8f2a".into())));

    let generation = of(
        "langfuse-sdk",
        "plan-and-act",
        json!({
            "langfuse.observation.type": "generation", "langfuse.observation.model.name": "gpt-4o-mini-2024-07-18",
            "langfuse.observation.input": r#"{"tools": [], "messages": [{"role": "user", "content": "Please refund it."}, {"role": "assistant", "tool_calls": [{"id": "call_03710", "function": {"arguments": "{}", "name": "issue_refund"}, "type": "function"}]}, {"role": "tool", "tool_call_id": "call_03710", "content": "Denied by the shift manager: not approved."}]}"#,
            "langfuse.observation.output": r#"{"role": "assistant", "content": "I could not complete the refund."}"#,
            "langfuse.observation.usage_details": r#"{"completion_tokens": 23, "prompt_tokens": 174, "total_tokens": 197}"#,
        }),
    );
    let model = What::Model { provider: "".into(), model: "gpt-4o-mini-2024-07-18".into(), tokens: (174, 23) };
    assert!(generation.facts.iter().any(|fact| fact.what == model));
    assert_eq!(messages(&generation, Direction::Input)[2]["parts"][0]["id"], "call_03710");

    let guardrail = of(
        "langfuse-sdk",
        "guardrail",
        json!({
            "langfuse.observation.type": "guardrail", "langfuse.observation.output": r#"{"blocked": true, "policy": "scope"}"#,
        }),
    );
    let check = guardrail.facts.iter().find_map(|fact| match &fact.what {
        What::Check(check) => Some((check.result, &*check.label)),
        _ => None,
    });
    assert_eq!(check, Some((CheckResult::Fail, "blocked=true")));
    assert_eq!(decisions(&guardrail)[0].outcome, Outcome::Deny);
}

#[test]
fn langfuse_names_no_record_of_another_dialect() {
    let fields = json!({"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "t", "langfuse.trace.tags": ["prod"],
        "session.id": "conv-8f2a"});
    let read = of("some.library", "a span", fields);
    assert_eq!((read.dialect, read.node), ("otel-genai", Node::Tool));
    assert!(read.facts.iter().any(|fact| fact.what == What::Conversation("conv-8f2a".into())));
}
