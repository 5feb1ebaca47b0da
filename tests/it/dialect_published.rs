//! Dialects that nobody recorded: records made by hand from published field lists. They show that the lists are read
//! as published, not that producers keep to them.

use serde_json::{Value, json};
use wherefore::dialect::evidence;
use wherefore::lineage::assemble;
use wherefore::model::{
    Action, By, CheckResult, Evidence, Execution, GrantScope, Known, Missing, Moment, Node, Outcome, Phase, Proof,
    Pseudo, Role, Signal, State, Status, Tenant, What,
};
use wherefore::wire::{json::to_protobuf, records};

use crate::support::made::{calls, checks, decisions, says, with};
use crate::support::otlp::{attributes, log, read, span};

const TRACE: &str = "0102030405060708090a0b0c0d0e0f10";

/// An event of Claude Code 2.1.185: the short name as event name and attribute, the long one as body.
fn event(name: &str, fields: Value) -> Evidence {
    let common = json!({"event.name": name, "session.id": "session-1", "prompt.id": "prompt-1"});
    let record = json!({"timeUnixNano": "1500", "eventName": name, "body": {"stringValue": format!("claude_code.{name}")},
        "attributes": attributes(&with(common, fields))});
    let scope = json!({"name": "com.anthropic.claude_code.events", "version": "2.1.185"});
    let request = json!({"resourceLogs": [{"resource": {}, "scopeLogs": [{"scope": scope, "logRecords": [record]}]}]});
    let body: bytes::Bytes =
        to_protobuf(Signal::Logs, request.to_string().as_bytes()).expect("valid OTLP/JSON").body.into();
    let received = records(Signal::Logs, &body).next().expect("one record");
    evidence(&Tenant::default(), Role::Agent, &received, &body)
}

/// A span of Claude Code's beta.
fn claude_span(name: &str, id: &str, parent: &str, fields: Value) -> Evidence {
    let fields = with(json!({"span.type": name, "session.id": "session-1"}), fields);
    let more = json!({"spanId": id, "parentSpanId": parent});
    read(span("com.anthropic.claude_code.tracing", &format!("claude_code.{name}"), fields, more))
}

fn actions(set: &[Evidence]) -> Vec<Action> {
    assemble(set).actions
}

#[test]
fn decisions_of_claude_code_are_normalised() {
    for (decision, source, outcome, by, scope, standing) in [
        ("accept", "config", Outcome::Allow, By::Policy, GrantScope::Unknown, true),
        ("accept", "hook", Outcome::Allow, By::Hook, GrantScope::Once, false),
        ("accept", "user_permanent", Outcome::Allow, By::Human, GrantScope::Permanent, false),
        ("reject", "user_abort", Outcome::Abort, By::Human, GrantScope::Once, false),
        ("reject", "policy_of_tomorrow", Outcome::Deny, By::Unknown, GrantScope::Unknown, false),
    ] {
        let read = event(
            "tool_decision",
            json!({"tool_name": "Bash", "tool_use_id": "toolu_1", "decision": decision, "source": source}),
        );
        assert_eq!((read.dialect, read.node), ("claude-code", Node::Log));
        let [made] = decisions(&read)[..] else { panic!("one decision") };
        assert_eq!((made.outcome, made.by, made.scope, made.standing), (outcome, by, scope, standing));
        assert_eq!((&*made.raw, made.call_id.as_deref()), (&*format!("{decision}/{source}"), Some("toolu_1")));
        assert!(says(&read, &What::Turn("prompt-1".into())) && says(&read, &What::Conversation("session-1".into())));
    }
}

#[test]
fn a_rejected_call_of_claude_code_is_one_refused_action() {
    let bash = json!({"tool_name": "Bash", "tool_use_id": "toolu_1", "decision": "reject", "source": "user_reject"});
    let read_file = json!({"tool_name": "Read", "tool_use_id": "toolu_2"});
    let accepted = with(read_file.clone(), json!({"decision": "accept", "source": "config"}));
    let done = with(read_file, json!({"success": "true", "tool_input": r#"{"file_path": "/srv/README.md"}"#}));
    let failed = json!({"tool_name": "mcp_tool", "tool_use_id": "toolu_3", "success": "false", "error_type": "Timeout",
        "tool_parameters": r#"{"mcp_server_name":"shop","mcp_tool_name":"get_order"}"#});
    let set = [
        event("user_prompt", json!({"prompt_length": "17"})),
        event("tool_decision", bash),
        event("tool_decision", accepted),
        event("tool_result", done),
        event("tool_result", failed),
    ];
    let actions = actions(&set);
    let state = |id: &str| actions.iter().find(|it| it.call_id.as_deref() == Some(id)).expect("the action");
    assert_eq!(actions.len(), 3);
    assert_eq!(state("toolu_1").state, State::Refused(By::Human));
    let ran = state("toolu_2");
    assert_eq!(ran.state, State::Executed(Execution::Ok));
    assert_eq!(ran.target.value().map(|(target, _)| &**target), Some("file:///srv/README.md"));
    assert_eq!(ran.decisions.len(), 1);
    assert_eq!(state("toolu_3").state, State::Executed(Execution::Failed("Timeout".into())));
    assert_eq!(state("toolu_3").tool.value().map(|tool| &**tool), Some("get_order"));
    assert_eq!(state("toolu_1").output, Known::Missing(Missing::Withheld));
}

#[test]
fn only_the_execution_span_of_claude_code_proves_that_a_tool_ran() {
    let id = json!({"tool_use_id": "toolu_1", "gen_ai.tool.call.id": "toolu_1"});
    let tool =
        || claude_span("tool", "00000000000000a2", "00000000000000a1", with(id.clone(), json!({"tool_name": "Bash"})));
    let waited = claude_span(
        "tool.blocked_on_user",
        "00000000000000a3",
        "00000000000000a2",
        json!({"decision": "accept", "source": "user_temporary"}),
    );
    let ran = claude_span(
        "tool.execution",
        "00000000000000a4",
        "00000000000000a2",
        with(id.clone(), json!({"success": false, "error_class": "Error_ENOENT"})),
    );
    assert_eq!(calls(&tool())[0].moment, Moment::Proposed);
    assert_eq!(decisions(&waited)[0].outcome, Outcome::Allow);
    let error = Status::Error("Error_ENOENT".into());
    assert_eq!(calls(&ran)[0].moment, Moment::Ran { status: error, proof: Proof::Ran });

    let waiting = actions(&[tool()]);
    assert_eq!(waiting.iter().map(|it| &it.state).collect::<Vec<_>>(), [&State::Expired]);
    let both = actions(&[tool(), waited, ran]);
    assert_eq!(both.len(), 1);
    assert!(matches!(both[0].state, State::Executed(Execution::Failed(_))));
    assert_eq!(both[0].tool.value().map(|tool| &**tool), Some("Bash"));
}

#[test]
fn model_calls_of_claude_code_count_once() {
    let used = json!({"model": "claude-sonnet-5", "input_tokens": "94", "output_tokens": "65", "request_id": "req_1"});
    let model = || What::Model { provider: "anthropic".into(), model: "claude-sonnet-5".into(), tokens: (94, 65) };
    assert!(says(&event("api_request", used.clone()), &model()));
    let request = with(used, json!({"gen_ai.system": "anthropic", "gen_ai.request.model": "claude-sonnet-5"}));
    let read = claude_span("llm_request", "00000000000000a5", "00000000000000a1", request.clone());
    assert!(read.node == Node::Model && says(&read, &model()));
    let inside =
        json!({"traceId": TRACE, "spanId": "0102030405060708", "body": {"stringValue": "claude_code.api_request"}});
    let inside = crate::support::otlp::read(log(with(request, json!({"event.name": "api_request"})), inside));
    assert!(!inside.facts.iter().any(|fact| matches!(fact.what, What::Model { .. })), "the span counts");
}

#[test]
fn prompts_of_claude_code_are_withheld_by_default_and_sub_agents_are_delegations() {
    for fields in [json!({"prompt_length": "17"}), json!({"prompt_length": "17", "prompt": "<REDACTED>"})] {
        assert!(says(&event("user_prompt", fields), &What::Intent(Known::Missing(Missing::Withheld))));
    }
    let task = json!({"tool_name": "Task", "tool_use_id": "toolu_1", "subagent_type": "reviewer"});
    let read = claude_span("tool", "00000000000000a2", "00000000000000a1", task);
    assert_eq!(calls(&read)[0].pseudo, Some(Pseudo::Delegation { to: Some("reviewer".into()) }));
}

fn governed(name: &str, fields: Value) -> Evidence {
    read(span("agentmesh.governance", name, fields, json!({})))
}

#[test]
fn policies_and_approvals_of_agt_are_decisions() {
    for (action, outcome, enforced) in [
        ("allow", Outcome::Allow, true),
        ("deny", Outcome::Deny, true),
        ("warn", Outcome::Warn, false),
        ("require_approval", Outcome::Ask, true),
    ] {
        let fields = json!({"agt.agent.id": "desk", "agt.policy.stage": "pre_tool", "agt.policy.action": action,
            "agt.policy.name": "spend-limits", "agt.policy.rule": "max-refund"});
        let read = governed("agt.policy.evaluate", fields);
        assert_eq!((read.dialect, read.node), ("agt", Node::Check));
        let [made] = decisions(&read)[..] else { panic!("one decision") };
        assert_eq!((made.outcome, made.by, made.enforced), (outcome, By::Policy, enforced));
        assert_eq!(made.policies, ["spend-limits".into()]);
        assert_eq!(checks(&read)[0].phase, Phase::PreAction);
    }
    let read = governed(
        "agt.approval.request",
        json!({"agt.approval.outcome": "rejected", "agt.approval.approver": "user:42"}),
    );
    let made = decisions(&read)[0];
    assert_eq!((made.outcome, made.by, made.principal.as_deref()), (Outcome::Deny, By::Human, Some("user:42")));
    let read = governed(
        "mesh.governance.policy_decision",
        json!({"policy.name": "p", "policy.decision": "deny", "agent.did": "did:mesh:1"}),
    );
    assert_eq!(decisions(&read)[0].outcome, Outcome::Deny);
}

#[test]
fn a_stage_after_the_tool_is_a_post_action_check_and_a_score_is_none() {
    let after = json!({"agt.policy.stage": "post_tool", "agt.policy.action": "deny", "agt.policy.name": "p"});
    let read = governed("agt.policy.evaluate", after);
    let check = checks(&read)[0];
    assert_eq!((check.phase, check.result, &*check.name), (Phase::PostAction, CheckResult::Fail, "p"));
    let trust = governed("agt.trust.verify", json!({"agt.trust.score": 0.4, "agt.trust.tier": "low"}));
    assert!(trust.facts.is_empty());
    let odd = governed("agt.policy.evaluate", json!({"agt.policy.action": "perhaps"}));
    assert!(decisions(&odd).is_empty());
}

fn opa_entry(more: Value) -> Value {
    let entry = json!({
        "decision_id": "4ca636c1-55e4-417a-b1d8-4aceb67960d1", "timestamp": "2026-08-01T09:30:01Z",
        "path": "agents/tools/allow", "result": {"allow": false}, "bundles": {"authz": {"revision": "W3sibCI6"}},
        "input": {"tool_call_id": "call_7", "tool": "issue_refund", "arguments": {"order_id": "A-1001"}, "session_id": "conv-8f2a"},
        "labels": {"app": "desk"}, "requested_by": "127.0.0.1:59943",
    });
    with(entry, more)
}

#[test]
fn an_entry_of_opa_s_decision_log_is_a_decision_with_a_policy_version() {
    let entry = opa_entry(json!({}));
    let structured = read(log(json!({}), json!({"body": crate::support::otlp::any(&entry)})));
    let text = read(log(json!({}), json!({"body": {"stringValue": entry.to_string()}})));
    for read in [structured, text] {
        assert_eq!((read.dialect, read.trace), ("opa", None));
        let [made] = decisions(&read)[..] else { panic!("one decision") };
        assert_eq!((made.outcome, made.by, &*made.raw), (Outcome::Deny, By::Policy, "allow=false"));
        assert_eq!((made.call_id.as_deref(), made.tool.as_deref()), (Some("call_7"), Some("issue_refund")));
        assert_eq!(made.policies, ["agents/tools/allow@W3sibCI6".into()]);
        assert!(made.parameters.is_some());
        assert!(says(&read, &What::Policy("agents/tools/allow@W3sibCI6".into())));
        assert!(says(&read, &What::Conversation("conv-8f2a".into())));
    }
}

#[test]
fn an_entry_of_opa_stands_where_it_says_unless_the_record_says_better() {
    let place = json!({"trace_id": TRACE, "span_id": "0102030405060708"});
    let body = json!({"body": {"stringValue": opa_entry(place.clone()).to_string()}});
    let read_in = |more: Value| read(log(json!({}), with(body.clone(), more)));
    let alone = read_in(json!({}));
    assert_eq!(alone.trace.map(|trace| trace.0[0]), Some(1));
    assert_eq!(alone.span.map(|span| span.0[7]), Some(8));
    let placed = read_in(json!({"traceId": "aa02030405060708090a0b0c0d0e0f10"}));
    assert_eq!((placed.trace.map(|trace| trace.0[0]), placed.span), (Some(0xaa), None));

    let tool = json!({"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "issue_refund", "gen_ai.tool.call.id": "call_7"});
    let actions = actions(&[read(span("lib", "t", tool, json!({}))), alone]);
    assert_eq!(actions.len(), 1);
    assert_eq!(actions[0].decisions.len(), 1);
    assert_eq!(actions[0].policy.value().map(Vec::len), Some(1));
}

#[test]
fn what_only_looks_like_an_entry_of_opa_is_none() {
    for body in ["decision_id", r#"{"decision_id": "#, r#"{"path": "x"}"#, r#"{"decision_id": 1, "query": "q"}"#] {
        let read = read(log(json!({}), json!({"body": {"stringValue": body}})));
        assert!(decisions(&read).is_empty() && read.trace.is_none(), "{body}");
    }
    let erased = opa_entry(json!({"erased": ["/input/arguments/order_id"]}));
    let read = read(log(json!({}), json!({"body": {"stringValue": erased.to_string()}})));
    assert_eq!(decisions(&read)[0].parameters, None);
}
