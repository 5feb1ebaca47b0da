//! Conventions that the recordings do not show: one small record each, and what it means.

use serde_json::{Value, json};
use wherefore::model::{
    By, Call, CheckResult, Containment, Direction, Effect, Evidence, GrantScope, Known, Missing, Moment, Node, Outcome,
    Phase, Proof, Provenance, Pseudo, Status, Tie, What,
};

use crate::support::otlp::{any, attributes, log, read, span};

fn span_of(fields: Value) -> Evidence {
    read(span("some.library", "a span", fields, json!({})))
}

fn facts(evidence: &Evidence, provenance: Provenance) -> impl Iterator<Item = &What> {
    evidence.facts.iter().filter(move |fact| fact.provenance == provenance).map(|fact| &fact.what)
}

fn call(evidence: &Evidence) -> &Call {
    let call = evidence.facts.iter().find_map(|fact| match &fact.what {
        What::Call(call) => Some(&**call),
        _ => None,
    });
    call.expect("a call")
}

#[test]
fn the_header_is_the_record_s_own() {
    let (signal, body) = span(
        "lib",
        "a",
        json!({}),
        json!({
            "parentSpanId": "aaaaaaaaaaaaaaaa", "flags": 0x300, "traceState": "ot=th:8",
            "links": [{ "traceId": "0f0e0d0c0b0a09080706050403020100", "spanId": "bbbbbbbbbbbbbbbb" }],
        }),
    );
    let read = read((signal, body));
    assert_eq!(
        (&*read.service.namespace, &*read.service.name, read.service_version.as_deref()),
        ("shop", "desk", Some("1"))
    );
    assert_eq!((&*read.instrumentation, read.dialect, read.node), ("lib", "unread", Node::Other));
    assert!(read.remote_parent && read.sampled && read.facts.is_empty());
    assert_eq!(read.links.len(), 1);
}

#[test]
fn a_log_without_a_time_has_the_time_it_was_observed() {
    let read = read(log(json!({}), json!({ "timeUnixNano": "0", "observedTimeUnixNano": "77", "spanId": "" })));
    assert_eq!((read.start.0, read.end.0, read.trace, read.span), (77, 77, None, None));
}

#[test]
fn the_worked_example_of_the_namespace_is_read() {
    let tool = span_of(json!({
        "gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "refund_order", "gen_ai.tool.call.id": "call_81",
        "wherefore.intent.id": "ticket-4711", "wherefore.plan.step": "plan-7/3",
        "wherefore.target": "https://api.shop.example/orders/991", "wherefore.effect": "update",
        "wherefore.state.versions": ["v12", "v13"], "wherefore.policy.refs": ["spend-limits@2026-08-01"],
        "wherefore.actor.chain": ["user:u-42", "agent:planner@1.4", "agent:buyer@2.0"],
        "wherefore.prompt.digest": "sha256:9f2c", "wherefore.context.ids": ["kb:doc-19#3"],
    }));
    assert_eq!((tool.dialect, tool.node), ("otel-genai", Node::Tool));
    let said: Vec<&What> = facts(&tool, Provenance::Explicit).collect();
    assert!(said.contains(&&What::IntentId("ticket-4711".into())));
    assert!(said.contains(&&What::Policy("spend-limits@2026-08-01".into())));
    assert!(said.contains(&&What::PromptVersion("sha256:9f2c".into())));
    assert!(said.contains(&&What::Agent { name: "buyer".into(), version: Some("2.0".into()) }));
    assert!(said.contains(&&What::Context { ids: vec!["kb:doc-19#3".into()], withheld: false }));
    let mut want = Call::new(Moment::Ran { status: Status::Fine, proof: Proof::Ran });
    want.id = Some("call_81".into());
    want.tool = Some("refund_order".into());
    want.target = Some("https://api.shop.example/orders/991".into());
    want.effect = Some(Effect::Update);
    want.plan_step = Some("plan-7/3".into());
    want.state_versions = Some(("v12".into(), "v13".into()));
    assert!(said.contains(&&What::Call(Box::new(want))));

    let decided = read(log(
        json!({
            "gen_ai.tool.call.id": "call_81", "wherefore.decision.outcome": "allow", "wherefore.decision.by": "human",
            "wherefore.decision.principal": "user:9b1f", "wherefore.decision.scope": "once", "gen_ai.conversation.id": "c-1",
        }),
        json!({ "eventName": "wherefore.decision" }),
    ));
    assert_eq!(decided.dialect, "wherefore");
    assert!(decided.facts.iter().any(|fact| fact.what == What::Conversation("c-1".into())));
    let Some(What::Decision(decision)) = facts(&decided, Provenance::Explicit).next() else { panic!("a decision") };
    assert_eq!((decision.outcome, decision.by, decision.scope), (Outcome::Allow, By::Human, GrantScope::Once));
    assert_eq!((decision.at.0, decision.call_id.as_deref(), decision.enforced), (1500, Some("call_81"), true));

    let checked = read(log(
        json!({
            "gen_ai.evaluation.name": "order_total_matches", "gen_ai.evaluation.score.label": "fail",
            "gen_ai.evaluation.score.value": 0.25, "gen_ai.response.id": "resp_1", "wherefore.check.phase": "post_action",
        }),
        json!({ "eventName": "gen_ai.evaluation.result" }),
    ));
    let Some(What::Check(check)) = facts(&checked, Provenance::Explicit).next() else { panic!("a check") };
    assert_eq!(
        (check.result, check.phase, check.score.as_deref()),
        (CheckResult::Fail, Phase::PostAction, Some("0.25"))
    );
    assert_eq!((&*check.name, check.response_id.as_deref()), ("order_total_matches", Some("resp_1")));
    assert!(!checked.facts.iter().any(|fact| matches!(fact.what, What::Response(_))), "only referred to");

    let contained = read(log(
        json!({ "wherefore.containment": "rollback" }),
        json!({ "body": { "stringValue": "wherefore.containment" } }),
    ));
    assert_eq!(
        facts(&contained, Provenance::Explicit).collect::<Vec<_>>(),
        [&What::Containment(Containment::Rollback)]
    );
}

#[test]
fn words_outside_the_namespace_s_vocabulary_are_unknown_or_nothing() {
    let decided = |outcome: &str, by: &str| {
        read(log(
            json!({ "event.name": "wherefore.decision", "wherefore.decision.outcome": outcome, "wherefore.decision.by": by }),
            json!({}),
        ))
    };
    let odd = decided("deny", "committee");
    let Some(What::Decision(decision)) = facts(&odd, Provenance::Explicit).next() else { panic!("a decision") };
    assert_eq!((decision.by, &*decision.raw), (By::Unknown, "deny by committee"));
    assert!(decided("perhaps", "human").facts.is_empty());
    let long = span_of(
        json!({ "wherefore.target": "x".repeat(513), "wherefore.containment": "explode", "wherefore.effect": "vanish",
        "gen_ai.operation.name": "execute_tool", "wherefore.policy.refs": vec!["p"; 80] }),
    );
    let said: Vec<&What> = facts(&long, Provenance::Explicit).collect();
    assert_eq!(said, vec![&What::Policy("p".into()); 64]);
}

#[test]
fn flattened_prompts_become_messages() {
    let read = span_of(json!({
        "llm.request.type": "chat",
        "gen_ai.prompt.10.role": "user", "gen_ai.prompt.10.content": "refund it",
        "gen_ai.prompt.2.role": "system", "gen_ai.prompt.2.content": "be kind",
        "gen_ai.completion.0.role": "assistant", "gen_ai.completion.0.finish_reason": "tool_calls",
        "gen_ai.completion.0.tool_calls.0.id": "call_1", "gen_ai.completion.0.tool_calls.0.name": "refund",
        "gen_ai.completion.0.tool_calls.0.arguments": "{\"order\":7}",
        "gen_ai.completion.99999999999.role": "beyond", "gen_ai.completion.x.role": "no index",
    }));
    assert_eq!(read.dialect, "otel-genai-flat");
    let messages: Vec<(Direction, Value)> = read
        .facts
        .iter()
        .filter_map(|fact| match &fact.what {
            What::Messages(messages) => {
                Some((messages.direction, serde_json::from_slice(&messages.json).expect("json")))
            }
            _ => None,
        })
        .collect();
    let text = |text: &str| json!([{ "type": "text", "content": text }]);
    let input = json!([{ "role": "system", "parts": text("be kind") }, { "role": "user", "parts": text("refund it") }]);
    let call = json!({ "type": "tool_call", "id": "call_1", "name": "refund", "arguments": "{\"order\":7}" });
    let output = json!([{ "role": "assistant", "parts": [call] }]);
    assert_eq!(messages, [(Direction::Input, input), (Direction::Output, output)]);
}

#[test]
fn a_whole_prompt_is_messages_or_the_user_s_text() {
    let text = span_of(json!({ "gen_ai.operation.name": "chat", "gen_ai.prompt": "refund it" }));
    let said = text.facts.iter().find_map(|fact| match &fact.what {
        What::Intent(Known::Value(text)) => text.whole(),
        _ => None,
    });
    assert_eq!(said, Some("refund it"));
    let listed = span_of(json!({ "gen_ai.prompt": "{\"messages\":[{\"role\":\"user\",\"content\":\"refund it\"}]}" }));
    assert!(
        listed
            .facts
            .iter()
            .any(|fact| matches!(&fact.what, What::Messages(messages) if messages.direction == Direction::Input))
    );
    let tool = span_of(
        json!({ "gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "t", "gen_ai.prompt": "{\"a\":1}", "gen_ai.completion": "done" }),
    );
    assert_eq!(call(&tool).arguments.value().and_then(|text| text.whole()), Some("{\"a\":1}"));
    assert_eq!(call(&tool).result.value().and_then(|text| text.whole()), Some("done"));
}

#[test]
fn mcp_spans_share_session_and_request() {
    let called = span_of(json!({
        "mcp.method.name": "tools/call", "gen_ai.tool.name": "get_order", "mcp.session.id": "s-1", "jsonrpc.request.id": 3,
        "error.type": "tool_error",
    }));
    assert_eq!((called.dialect, called.node), ("otel-mcp", Node::Tool));
    let mcp = call(&called);
    assert_eq!(mcp.mcp, Some(("s-1".into(), "3".into())));
    assert_eq!(mcp.moment, Moment::Ran { status: Status::Error("tool_error".into()), proof: Proof::Ran });
    assert_eq!(mcp.arguments, Known::ABSENT);
    let read_in = span_of(json!({ "mcp.method.name": "resources/read", "mcp.resource.uri": "file:///a.md" }));
    assert_eq!(read_in.node, Node::Retrieval);
    assert_eq!(
        facts(&read_in, Provenance::Dialect).next(),
        Some(&What::Context { ids: vec!["file:///a.md".into()], withheld: false })
    );
    let listed = span_of(json!({ "mcp.method.name": "tools/list" }));
    assert_eq!((listed.node, listed.facts.len()), (Node::Other, 0));
}

#[test]
fn ids_that_are_none_are_dropped() {
    for id in ["", "<not specified>", "none"] {
        let read = span_of(json!({ "gen_ai.operation.name": "invoke_agent", "gen_ai.conversation.id": id }));
        assert!(read.facts.is_empty(), "{id}: {:?}", read.facts);
    }
    for id in ["resp_68a0", "chatcmpl-1"] {
        let read = span_of(json!({ "gen_ai.operation.name": "invoke_agent", "gen_ai.conversation.id": id }));
        let continues = What::Takes(Tie::Response(id.into()));
        assert_eq!(read.facts.iter().map(|fact| &fact.what).collect::<Vec<_>>(), [&continues]);
    }
    let same = span_of(
        json!({ "gen_ai.operation.name": "chat", "gen_ai.conversation.id": "x-1", "gen_ai.response.id": "x-1" }),
    );
    assert!(!same.facts.iter().any(|fact| matches!(fact.what, What::Conversation(_))));
    let tool = span_of(
        json!({ "gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "t", "gen_ai.tool.call.id": "<not specified>" }),
    );
    assert_eq!(call(&tool).id, None);
}

#[test]
fn a_setup_span_says_nothing() {
    let read = span_of(
        json!({ "gen_ai.operation.name": "create_agent", "gen_ai.agent.name": "a", "gen_ai.system_instructions": "be kind" }),
    );
    assert_eq!((read.node, read.facts.len()), (Node::Other, 0));
}

#[test]
fn what_the_sender_cut_or_dropped_is_lost() {
    let cut = span_of(json!({
        "gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "t",
        "gen_ai.tool.call.arguments": "{\"a\": \"bbb...[TRUNCATED: original length 9000]", "gen_ai.tool.call.result": "<REDACTED>",
    }));
    assert_eq!(call(&cut).arguments, Known::Missing(Missing::Lost));
    assert_eq!(call(&cut).result, Known::Missing(Missing::Withheld));
    let dropped = read(span(
        "l",
        "s",
        json!({ "gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "t" }),
        json!({ "droppedAttributesCount": 2 }),
    ));
    assert_eq!(call(&dropped).arguments, Known::Missing(Missing::Lost));
}

#[test]
fn span_events_before_the_last_user_message_are_history() {
    let event =
        |name: &str, fields: Value| json!({ "timeUnixNano": "1", "name": name, "attributes": attributes(&fields) });
    let used = |id: &str| json!({ "content": json!([{ "toolUse": { "toolUseId": id, "name": "t", "input": {} } }]).to_string() });
    let result = |id: &str| json!({ "content": json!([{ "toolResult": { "toolUseId": id, "status": "success", "content": [{ "text": "ok" }] } }]).to_string() });
    let events = json!({ "events": [
        event("gen_ai.user.message", json!({ "content": "[{\"text\":\"first\"}]" })),
        event("gen_ai.assistant.message", used("a")), event("gen_ai.tool.message", result("a")),
        event("gen_ai.user.message", json!({ "content": "[{\"text\":\"second\"}]" })),
        event("gen_ai.assistant.message", used("b")), event("gen_ai.tool.message", result("b")),
        event("gen_ai.choice", json!({ "message": used("c")["content"], "finish_reason": "tool_use" })),
    ] });
    let read = read(span("x", "chat", json!({ "gen_ai.operation.name": "chat" }), events));
    let moments: Vec<(Option<&str>, &Moment)> = read
        .facts
        .iter()
        .filter_map(|fact| match &fact.what {
            What::Call(call) => Some((call.id.as_deref(), &call.moment)),
            _ => None,
        })
        .collect();
    assert_eq!(
        moments,
        [
            (Some("a"), &Moment::History),
            (Some("a"), &Moment::Answered { error: false, history: true }),
            (Some("b"), &Moment::Carried),
            (Some("b"), &Moment::Answered { error: false, history: false }),
            (Some("c"), &Moment::Proposed),
        ]
    );
    let intents: Vec<_> = read
        .facts
        .iter()
        .filter_map(|fact| match &fact.what {
            What::Intent(Known::Value(text)) => text.whole(),
            _ => None,
        })
        .collect();
    assert_eq!(intents, ["second"]);
}

#[test]
fn structured_messages_are_written_as_json() {
    let messages = json!([{ "role": "user", "parts": [{ "type": "text", "content": "hi" }] }]);
    let body = json!({ "eventName": "gen_ai.client.inference.operation.details", "attributes": [{ "key": "gen_ai.input.messages", "value": any(&messages) }] });
    let read = read(log(json!({}), body));
    let Some(What::Messages(said)) =
        read.facts.iter().map(|fact| &fact.what).find(|what| matches!(what, What::Messages(_)))
    else {
        panic!("messages")
    };
    assert_eq!(serde_json::from_slice::<Value>(&said.json).expect("json"), messages);
}

#[test]
fn a_handoff_span_is_a_delegation() {
    let read = span_of(json!({ "gen_ai.operation.name": "handoff", "gen_ai.handoff.to_agent": "refunds" }));
    assert_eq!(call(&read).pseudo, Some(Pseudo::Delegation { to: Some("refunds".into()) }));
}

#[test]
fn a_call_whose_arguments_do_not_fit_never_reached_the_tool() {
    let fields = json!({
        "gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "refund_order", "gen_ai.tool.call.id": "call_1",
        "pydantic_ai.tool.failure_stage": "validation",
    });
    let failed = json!({ "status": { "code": 2, "message": "1 validation error" } });
    let read = read(span("pydantic-ai", "execute_tool refund_order", fields, failed));
    assert_eq!(call(&read).moment, Moment::Refused { by: By::Unknown });
}
