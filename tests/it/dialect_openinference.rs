//! Habits of instrumentations that speak OpenInference: small excerpts of their recordings, and what they mean.

use serde_json::{Value, json};
use wherefore::model::{
    By, Call, CheckResult, Direction, Evidence, Moment, Node, Outcome, Proof, Provenance, Pseudo, Status, What,
};

use crate::support::otlp::{attributes, read, span};

const LANGCHAIN: &str = "openinference.instrumentation.langchain";
const LLAMA_INDEX: &str = "openinference.instrumentation.llama_index";
const OPENAI_AGENTS: &str = "openinference.instrumentation.openai_agents";
const SMOLAGENTS: &str = "openinference.instrumentation.smolagents";

/// A span below another one.
fn child(scope: &str, name: &str, kind: &str, fields: Value, more: Value) -> Evidence {
    let mut fields = fields;
    fields["openinference.span.kind"] = kind.into();
    let mut place = json!({ "parentSpanId": "aaaaaaaaaaaaaaaa" });
    place.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
    read(span(scope, name, fields, place))
}

fn exception(kind: &str, message: &str) -> Value {
    let fields = json!({ "exception.type": kind, "exception.message": message });
    json!([{ "name": "exception", "timeUnixNano": "1500", "attributes": attributes(&fields) }])
}

fn calls(evidence: &Evidence) -> Vec<&Call> {
    evidence
        .facts
        .iter()
        .filter_map(|fact| match &fact.what {
            What::Call(call) => Some(&**call),
            _ => None,
        })
        .collect()
}

fn says(evidence: &Evidence, is: impl Fn(&What) -> bool) -> bool {
    evidence.facts.iter().any(|fact| is(&fact.what))
}

/// Tool, id, arguments and result of the only call.
fn told(evidence: &Evidence) -> (&str, Option<&str>, Option<&str>, Option<&str>) {
    let [call] = calls(evidence)[..] else { panic!("one call: {evidence:?}") };
    let text = |known: &wherefore::model::Known<wherefore::model::Text>| {
        known.value().map(|text| Box::leak(text.head.to_string().into_boxed_str()) as &str)
    };
    (call.tool.as_deref().unwrap_or_default(), call.id.as_deref(), text(&call.arguments), text(&call.result))
}

fn ran(status: Status, proof: Proof) -> Moment {
    Moment::Ran { status, proof }
}

const ORDER: &str = r#"{"order_id":"A-1001"}"#;

#[test]
fn a_graph_s_tool_node_names_the_call_that_its_tool_does_not() {
    let input = r#"[{"name": "get_order", "args": {"order_id": "A-1001"}, "id": "call_02000", "type": "tool_call"}]"#;
    let output = r#"{"messages": [{"type": "tool", "data": {"content": "Tool error: timeout", "type": "tool", "tool_call_id": "call_02000", "status": "error"}}]}"#;
    let node = child(LANGCHAIN, "tools", "CHAIN", json!({ "input.value": input, "output.value": output }), json!({}));
    assert_eq!((node.dialect, node.node), ("openinference", Node::Tool));
    assert_eq!(told(&node), ("get_order", Some("call_02000"), Some(ORDER), Some("Tool error: timeout")));
    assert_eq!(calls(&node)[0].moment, ran(Status::Error("error".into()), Proof::Ran));

    let fields = json!({ "tool.name": "get_order", "input.value": "A-1001" });
    let failed = json!({ "status": { "code": 2, "message": "RuntimeError('timeout')Traceback" }, "events": exception("RuntimeError", "timeout") });
    let tool = child(LANGCHAIN, "get_order", "TOOL", fields, failed);
    assert_eq!(told(&tool), ("get_order", None, None, None));
    assert_eq!(calls(&tool)[0].moment, ran(Status::Error("RuntimeError".into()), Proof::Ran));
    assert!(!says(&tool, |what| *what == What::Withheld));
}

#[test]
fn an_interrupted_graph_asks_for_the_call_of_its_last_message() {
    let input = r#"{"messages": [{"type": "human", "data": {"content": "refund it"}}, {"type": "ai", "data": {"tool_calls": [{"name": "issue_refund", "args": {"order_id": "A-1001", "amount": 42.5}, "id": "call_01910", "type": "tool_call"}]}}]}"#;
    let message = "(Interrupt(value={'action_requests': [{'name': 'issue_refund', 'args': {'order_id': 'A-1001', 'amount': 42.5}, 'description': \"Tool\"}], 'review_configs': []}, id='0b'),)";
    let step = child(
        LANGCHAIN,
        "HumanInTheLoopMiddleware.after_model",
        "CHAIN",
        json!({ "input.value": input }),
        json!({ "events": exception("langgraph.errors.GraphInterrupt", message), "status": { "code": 1 } }),
    );
    assert_eq!(told(&step), ("issue_refund", Some("call_01910"), Some(r#"{"amount":42.5,"order_id":"A-1001"}"#), None));
    assert_eq!(calls(&step)[0].moment, Moment::Asked);
}

#[test]
fn a_resumed_graph_says_what_the_person_decided() {
    let rejected = r#"{"messages": [{"type": "ai", "data": {"tool_calls": [{"name": "issue_refund", "args": {}, "id": "call_1"}]}}, {"type": "tool", "data": {"type": "tool", "content": "User rejected the tool call for `issue_refund` with reason: no", "name": "issue_refund", "tool_call_id": "call_1", "status": "error"}}]}"#;
    let approved = r#"{"messages": [{"type": "ai", "data": {"tool_calls": [{"name": "issue_refund", "args": {}, "id": "call_1"}]}}]}"#;
    for (output, outcome, refused) in [(rejected, Outcome::Deny, true), (approved, Outcome::Allow, false)] {
        let name = "HumanInTheLoopMiddleware.after_model";
        let step = child(LANGCHAIN, name, "CHAIN", json!({ "output.value": output }), json!({}));
        let is = |what: &What| matches!(what, What::Decision(made) if made.outcome == outcome && made.by == By::Human && made.call_id.as_deref() == Some("call_1"));
        assert!(says(&step, is), "{outcome:?}");
        assert_eq!(calls(&step).iter().any(|call| call.moment == Moment::Refused { by: By::Human }), refused);
    }
}

#[test]
fn a_step_of_middleware_that_ends_the_run_is_a_failed_check() {
    let jump = json!({ "output.value": r#"{"messages": [], "jump_to": "end"}"# });
    let raised = json!({ "status": { "code": 2 }, "events": exception("PIIDetectionError", "Detected 1 email") });
    for (name, kind, fields, more, fails) in [
        ("scope_guardrail.before_agent", "AGENT", jump, json!({}), true),
        ("PIIMiddleware[email].before_model", "CHAIN", json!({}), raised, true),
        ("scope_guardrail.before_agent", "AGENT", json!({ "output.value": "null" }), json!({}), false),
    ] {
        let step = child(LANGCHAIN, name, kind, fields, more);
        let stem = name.rsplit_once('.').expect("a step").0;
        let failed = (CheckResult::Fail, stem);
        let is = |what: &What| matches!(what, What::Check(check) if (check.result, &*check.name) == failed);
        assert_eq!(says(&step, is), fails, "{name}");
        assert_eq!(step.node, if fails { Node::Check } else { Node::Other });
    }
}

#[test]
fn an_agent_s_run_is_named_after_the_agent() {
    let metadata = r#"{"lc_agent_name": "refund_desk", "thread_id": "conv-8f2a", "langgraph_node": "tools"}"#;
    for (name, node) in [("refund_desk", Node::Agent), ("model", Node::Other)] {
        let run = child(LANGCHAIN, name, "CHAIN", json!({ "metadata": metadata }), json!({}));
        assert_eq!(run.node, node);
        assert!(says(&run, |what| matches!(what, What::Agent { name, .. } if &**name == "refund_desk")));
        assert!(says(&run, |what| matches!(what, What::Conversation(id) if &**id == "conv-8f2a")));
    }
}

#[test]
fn a_workflow_s_step_names_the_call_and_proves_nothing() {
    let input = r#"{"ctx": "<workflows.context.context.Context object at 0x7f>", "ev": "ToolCall(tool_name='get_order', tool_kwargs={'order_id': 'A-1001'}, tool_id='call_00360')"}"#;
    for (output, moment) in [
        (json!("ToolCallResult(tool_name='get_order', tool_kwargs={'order_id"), ran(Status::Fine, Proof::NeedsResult)),
        (json!(null), Moment::Asked),
    ] {
        let fields = json!({ "input.value": input, "output.value": output });
        let step = child(LLAMA_INDEX, "AgentWorkflow.call_tool", "CHAIN", fields, json!({}));
        let (tool, id, arguments, _) = told(&step);
        assert_eq!((tool, id, arguments, step.node), ("get_order", Some("call_00360"), Some(ORDER), Node::Tool));
        assert_eq!(calls(&step)[0].moment, moment);
    }
    let input = r#"{"ev": "ToolCallResult(tool_name='get_order', tool_kwargs={}, tool_id='call_00360', tool_output=ToolOutput(blocks=[], is_error=True), return_direct=False)"}"#;
    let next =
        child(LLAMA_INDEX, "AgentWorkflow.aggregate_tool_results", "CHAIN", json!({ "input.value": input }), json!({}));
    assert_eq!(told(&next).1, Some("call_00360"));
    assert_eq!(calls(&next)[0].moment, Moment::Answered { error: true, history: false });
}

#[test]
fn a_tool_that_waits_for_an_event_asks_and_tells_what_was_answered() {
    let input = r#"{"kwargs": {"order_id": "A-1001", "ctx": "<workflows.context.context.Context object at 0x7f>"}}"#;
    let waits = json!({
        "status": { "code": 2, "message": "WaitingForEvent: Waiting" },
        "events": exception("workflows.runtime.types.results.WaitingForEvent", "Waiting"),
    });
    let fields = json!({ "tool.name": "issue_refund", "input.value": input });
    let asked = child(LLAMA_INDEX, "FunctionTool.acall", "TOOL", fields, waits);
    assert_eq!((calls(&asked)[0].moment.clone(), told(&asked).2), (Moment::Asked, Some(ORDER)));

    let output = r#"{"blocks":[{"text":"Denied by the shift manager: not approved."}],"tool_name":"issue_refund","raw_input":{},"raw_output":"","is_error":false}"#;
    let without = r#"{"kwargs": {"order_id": "A-1001"}}"#;
    for (input, moment) in [(input, Moment::Refused { by: By::Human }), (without, ran(Status::Fine, Proof::Ran))] {
        let fields = json!({ "tool.name": "issue_refund", "input.value": input, "output.value": output });
        let tool = child(LLAMA_INDEX, "FunctionTool.acall", "TOOL", fields, json!({}));
        assert_eq!(calls(&tool)[0].moment, moment, "{input}");
        assert_eq!(told(&tool).3, Some("Denied by the shift manager: not approved."));
    }
}

#[test]
fn only_the_span_with_messages_is_the_model_call() {
    let around = json!({ "llm.model_name": "gpt-4o-mini", "input.value": r#"{"messages": ["ChatMessage(…)"]}"# });
    let around = child(LLAMA_INDEX, "OpenAILike.astream_chat", "LLM", around, json!({}));
    assert_eq!((around.node, says(&around, |what| matches!(what, What::Model { .. }))), (Node::Other, false));
    let inner = json!({
        "llm.model_name": "gpt-4o-mini", "llm.provider": "openai", "llm.token_count.prompt": 35,
        "llm.token_count.completion": 38, "llm.input_messages.0.message.role": "user",
        "llm.input_messages.0.message.content": "refund it",
    });
    let inner = child(LLAMA_INDEX, "OpenAILike.achat", "LLM", inner, json!({}));
    let model = |what: &What| matches!(what, What::Model { provider, tokens: (35, 38), .. } if &**provider == "openai");
    assert!(inner.node == Node::Model && says(&inner, model));
}

#[test]
fn a_tool_span_with_input_and_no_output_is_asked_for() {
    let fields = json!({ "tool.name": "issue_refund", "input.value": ORDER });
    let ghost = child(OPENAI_AGENTS, "issue_refund", "TOOL", fields, json!({ "status": { "code": 1 } }));
    let moments: Vec<_> = calls(&ghost).into_iter().map(|call| call.moment.clone()).collect();
    assert_eq!(moments, [ran(Status::Fine, Proof::NeedsResult), Moment::Asked]);
    // Hidden content says nothing about it.
    for fields in [
        json!({ "tool.name": "issue_refund" }),
        json!({ "tool.name": "issue_refund", "input.value": "__REDACTED__", "output.value": "__REDACTED__" }),
    ] {
        let hidden = child(OPENAI_AGENTS, "issue_refund", "TOOL", fields, json!({}));
        assert_eq!(calls(&hidden).len(), 1);
        assert!(says(&hidden, |what| *what == What::Withheld));
    }
}

#[test]
fn a_tripwire_names_its_guardrail() {
    let status =
        json!({ "status": { "code": 2, "message": "Guardrail tripwire triggered: {'guardrail': 'scope_guardrail'}" } });
    let turn = child(OPENAI_AGENTS, "turn", "CHAIN", json!({}), status);
    let check = |what: &What| matches!(what, What::Check(check) if check.result == CheckResult::Fail && &*check.name == "scope_guardrail");
    let decision =
        |what: &What| matches!(what, What::Decision(made) if made.outcome == Outcome::Deny && made.by == By::Policy);
    assert!(says(&turn, check) && says(&turn, decision));
}

#[test]
fn a_handoff_is_an_edge_in_span_and_message() {
    let fields = json!({ "input.value": "Refund Desk", "output.value": "Refund Agent" });
    let handoff = child(OPENAI_AGENTS, "handoff to Refund Agent", "TOOL", fields, json!({}));
    assert_eq!(calls(&handoff)[0].pseudo, Some(Pseudo::Delegation { to: Some("Refund Agent".into()) }));
    // `{}` is left out of the attributes.
    let model = json!({
        "llm.output_messages.1.message.role": "assistant",
        "llm.output_messages.1.message.tool_calls.0.tool_call.id": "call_00490",
        "llm.output_messages.1.message.tool_calls.0.tool_call.function.name": "transfer_to_refund_agent",
    });
    let model = child(OPENAI_AGENTS, "response", "LLM", model, json!({}));
    let [call] = calls(&model)[..] else { panic!("one call") };
    assert_eq!((call.id.as_deref(), &call.pseudo), (Some("call_00490"), &Some(Pseudo::Delegation { to: None })));
}

/// The first item of a dialogue, in the first turn's output and every later input.
#[test]
fn the_first_item_of_a_dialogue_is_its_conversation() {
    let said = r#"{"id": "msg_000062", "role": "assistant", "content": [{"text": "hi"}]}"#;
    let user = r#"{"role": "user", "content": "Please just say hello."}"#;
    let none = r#""previous_response_id": null"#;
    for (input, output, want) in [
        (format!("[{user}]"), format!(r#"{{"id": "resp_1", {none}, "output": [{said}]}}"#), Some("msg_000062")),
        (
            format!("[{user}, {said}, {user}]"),
            format!(r#"{{"id": "resp_2", {none}, "output": [{{"id": "msg_000063"}}]}}"#),
            Some("msg_000062"),
        ),
        (
            format!("[{user}]"),
            format!(r#"{{"id": "resp_2", "previous_response_id": "resp_1", "output": [{said}]}}"#),
            None,
        ),
    ] {
        let fields = json!({ "input.value": input, "output.value": output, "llm.finish_reason": "stop" });
        let model = child(OPENAI_AGENTS, "response", "LLM", fields, json!({}));
        let found = model.facts.iter().find_map(|fact| match &fact.what {
            What::Conversation(id) => Some((fact.provenance, &**id)),
            _ => None,
        });
        assert_eq!(found, want.map(|id| (Provenance::Computed, id)), "{input}");
        assert!(says(&model, |what| matches!(what, What::Response(_))));
    }
}

#[test]
fn a_managed_agent_s_run_is_the_call_of_its_name() {
    let fields = || json!({ "input.value": r#"{"task": "You're a helpful agent"}"#, "output.value": "Done" });
    let managed = child(SMOLAGENTS, "refund_specialist.run", "AGENT", fields(), json!({}));
    assert_eq!((managed.node, told(&managed)), (Node::Tool, ("refund_specialist", None, None, Some("Done"))));
    assert_eq!(calls(&managed)[0].pseudo, Some(Pseudo::Delegation { to: Some("refund_specialist".into()) }));
    let unnamed = child(SMOLAGENTS, "ToolCallingAgent.run", "AGENT", fields(), json!({}));
    assert_eq!((unnamed.node, calls(&unnamed).len()), (Node::Agent, 0));
}

#[test]
fn a_validator_s_verdict_is_a_check_and_a_decision() {
    for (outcome, on_fail, result, decided) in [
        ("fail", "exception", CheckResult::Fail, Some((Outcome::Deny, true))),
        ("fail", "noop", CheckResult::Fail, Some((Outcome::Warn, false))),
        ("pass", "exception", CheckResult::Pass, None),
    ] {
        let fields = json!({
            "type": "guardrails/guard/step/validator", "validator.name": "pii_block", "validator.on_fail": on_fail,
            "output.value": format!(r#"{{"outcome": "{outcome}", "error_message": "PII found"}}"#),
        });
        let validator = child("guardrails-ai", "pii_block.validate", "GUARDRAIL", fields, json!({}));
        let check =
            |what: &What| matches!(what, What::Check(check) if check.result == result && &*check.name == "pii_block");
        assert!(says(&validator, check), "{outcome}");
        let made = validator.facts.iter().find_map(|fact| match &fact.what {
            What::Decision(made) => Some((made.outcome, made.enforced)),
            _ => None,
        });
        assert_eq!(made, decided, "{on_fail}");
    }
    let call = json!({
        "type": "guardrails/guard/step/call",
        "llm.invocation_parameters": "{'temperature': 0, 'messages': [{'role': 'user', 'content': 'hello'}]}",
    });
    let call = child("guardrails-ai", "call", "GUARDRAIL", call, json!({}));
    let asked = |what: &What| matches!(what, What::Messages(said) if said.direction == Direction::Input);
    assert!(call.node == Node::Model && says(&call, asked));
}

#[test]
fn retrieved_documents_are_context_by_their_ids() {
    let ids = |fields: Value| {
        let read = child("some.library", "retrieve", "RETRIEVER", fields, json!({}));
        read.facts.into_iter().find_map(|fact| match fact.what {
            What::Context { ids, withheld } => {
                Some((ids.iter().map(ToString::to_string).collect::<Vec<_>>(), withheld))
            }
            _ => None,
        })
    };
    let found = |ids: &[&str]| Some((ids.iter().map(ToString::to_string).collect(), false));
    for (fields, want) in [
        (
            json!({ "retrieval.documents.0.document.id": "a", "retrieval.documents.1.document.id": 7 }),
            found(&["a", "7"]),
        ),
        (
            json!({
                "retrieval.documents.0.document.content": "text",
                "output.value": r#"{"documents": [{"id": "8762", "metadata": {"id": "kb-22"}, "page_content": "text"}]}"#,
            }),
            found(&["kb-22"]),
        ),
        (json!({ "output.value": r#"{"documents": []}"# }), found(&[])),
        (json!({ "output.value": "__REDACTED__" }), Some((vec![], true))),
        (json!({ "retrieval.documents.0.document.content": "text" }), None),
        (json!({ "output.value": "[\"<NodeWithScore>\"]" }), None),
    ] {
        assert_eq!(ids(fields.clone()), want, "{fields}");
    }
}

#[test]
fn evaluations_are_checks_about_the_linked_span() {
    let fields = json!({
        "annotations.0.annotation.name": "correctness", "annotations.0.annotation.label": "incorrect",
        "annotations.0.annotation.score": 0.2, "annotations.0.annotation.explanation": "wrong order",
    });
    let link = json!({ "links": [{ "traceId": "0f0e0d0c0b0a09080706050403020100", "spanId": "bbbbbbbbbbbbbbbb" }] });
    let read = child("some.library", "evaluate", "EVALUATOR", fields, link);
    let checks: Vec<_> = read
        .facts
        .iter()
        .filter_map(|fact| match &fact.what {
            What::Check(check) => Some(check),
            _ => None,
        })
        .collect();
    assert_eq!(checks.len(), 1);
    assert_eq!(
        (&*checks[0].name, checks[0].result, checks[0].score.as_deref()),
        ("correctness", CheckResult::Fail, Some("0.2"))
    );
    assert!(checks[0].about.is_some());
}

#[test]
fn a_hidden_text_keeps_its_place_among_the_messages() {
    let fields = json!({
        "llm.input_messages.0.message.role": "user", "llm.input_messages.0.message.content": "__REDACTED__",
    });
    let model = child("some.library", "llm", "LLM", fields, json!({}));
    let json = model.facts.iter().find_map(|fact| match &fact.what {
        What::Messages(said) => serde_json::from_slice::<Value>(&said.json).ok(),
        _ => None,
    });
    assert_eq!(json, Some(json!([{ "role": "user", "parts": [{ "type": "text" }] }])));
}
