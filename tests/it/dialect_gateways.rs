//! Gateways, policy servers, peers and exporters that nobody recorded: records made by hand from published field lists.
//! They show that the lists are read as published, not that producers keep to them.

use serde_json::{Value, json};
use wherefore::lineage::assemble;
use wherefore::model::{
    By, CheckResult, Containment, Effect, Evidence, Execution, GrantScope, JoinMethod, Known, Missing, Moment, Node,
    Outcome, Proof, Pseudo, State, Status, Tie, What,
};

use crate::support::made::{action, actions, calls, checks, decisions, event, made, made_with, says, with};
use crate::support::otlp;

// ---- AWS AgentCore ----

const GATEWAY: &str = "aws.gateway";
const TOOL: &str = "hr-database___create_payout";

fn invoke(decision: &str, mode: &str, status: u32) -> Evidence {
    let fields = json!({"tool.name": TOOL, "gateway.id": "gw-1", "aws.request.id": "r-1", "http.response.status_code": status,
        "aws.agentcore.policy.authorization_decision": decision, "aws.agentcore.gateway.policy.mode": mode});
    made(GATEWAY, "AgentCore.Gateway.InvokeTool", (3, 2), fields)
}

fn authorize(more: Value) -> Evidence {
    let fields = json!({"aws.agentcore.gateway.policy.arn": "arn:aws:bedrock-agentcore:eu-west-1:1:policy-engine/pe",
        "aws.agentcore.gateway.policy.mode": "ENFORCE", "aws.request.id": "r-2",
        "aws.agentcore.policy.types": [["payouts-x7", "Cedar"]], "aws.agentcore.policy.target_resource.id": "gw-1"});
    made(GATEWAY, "AgentCore.Policy.AuthorizeAction", (4, 3), with(fields, more))
}

fn target() -> Evidence {
    made(GATEWAY, &format!("AgentCore.Gateway.InvokeTool.{TOOL}"), (5, 3), json!({"aws.agentcore.harness_id": "h"}))
}

#[test]
fn decisions_of_agentcore_are_enforced_only_in_that_mode() {
    for (decision, mode, outcome, enforced) in [
        ("ALLOW", "ENFORCE", Outcome::Allow, true),
        ("DENY", "ENFORCE", Outcome::Deny, true),
        ("ALLOW", "LOG_ONLY", Outcome::Allow, false),
        ("DENY", "LOG_ONLY", Outcome::Warn, false),
    ] {
        let read = invoke(decision, mode, 200);
        assert_eq!((read.dialect, read.node), ("agentcore", Node::Tool));
        let [made] = decisions(&read)[..] else { panic!("one decision") };
        assert_eq!((made.outcome, made.by, made.enforced), (outcome, By::Policy, enforced), "{decision} {mode}");
        assert_eq!((&*made.raw, made.tool.as_deref()), (&*format!("{decision}/{mode}"), Some(TOOL)));
        assert_eq!((made.principal.as_deref(), made.call_id.as_deref()), (None, None));
    }
    assert!(decisions(&invoke("PERHAPS", "ENFORCE", 200)).is_empty());
}

#[test]
fn the_policy_of_agentcore_names_what_a_decision_rests_on() {
    let denied = authorize(json!({"aws.agentcore.policy.authorization_decision": "DENY",
        "aws.agentcore.policy.authorization_reason": "denied due to payouts-x7",
        "aws.agentcore.policy.determining_policies": ["payouts-x7"]}));
    let [made] = decisions(&denied)[..] else { panic!("one decision") };
    assert_eq!((made.outcome, made.policies.clone()), (Outcome::Deny, vec!["payouts-x7".into()]));
    assert_eq!(&*made.raw, "DENY/ENFORCE: denied due to payouts-x7");
    assert!(says(&denied, &What::Policy("arn:aws:bedrock-agentcore:eu-west-1:1:policy-engine/pe".into())));
    assert_eq!((denied.node, calls(&denied).len()), (Node::Check, 0));

    let flips = authorize(json!({"aws.agentcore.policy.authorization_decision": "ALLOW",
        "aws.agentcore.policy.log_only_decision_flipping_policies": ["candidate-1"]}));
    let [allowed, tried] = decisions(&flips)[..] else { panic!("two decisions") };
    assert_eq!((allowed.outcome, allowed.enforced), (Outcome::Allow, true));
    assert_eq!(
        (tried.outcome, tried.enforced, tried.policies.clone()),
        (Outcome::Warn, false, vec!["candidate-1".into()])
    );
}

#[test]
fn tools_that_agentcore_does_not_list_are_denied_before_anybody_calls() {
    let listed = |mode: &str| {
        let fields = json!({"aws.agentcore.gateway.policy.mode": mode, "aws.agentcore.policy.allowed_tools": ["a___b"],
            "aws.agentcore.policy.denied_tools": [TOOL, "a___c"]});
        made(GATEWAY, "AgentCore.Policy.PartiallyAuthorizeActions", (4, 3), fields)
    };
    let read = listed("ENFORCE");
    let [first, second] = decisions(&read)[..] else { panic!("two decisions") };
    assert_eq!((first.outcome, first.scope, first.tool.as_deref()), (Outcome::Deny, GrantScope::Session, Some(TOOL)));
    assert_eq!(second.tool.as_deref(), Some("a___c"));
    assert!(actions(&[read]).is_empty(), "nobody called them");
    let watched = listed("LOG_ONLY");
    assert!(decisions(&watched).iter().all(|made| made.outcome == Outcome::Warn && !made.enforced));
}

#[test]
fn a_denial_of_agentcore_refuses_the_call_and_a_watched_one_does_not() {
    let evaluated = authorize(json!({"aws.agentcore.policy.authorization_decision": "DENY",
        "aws.agentcore.policy.determining_policies": ["payouts-x7"]}));
    let refused = action(&[invoke("DENY", "ENFORCE", 403), evaluated]);
    assert_eq!(refused.state, State::Refused(By::Policy));
    let found: Vec<_> =
        refused.decisions.iter().map(|made| (made.outcome, made.enforced, made.policies.len())).collect();
    assert_eq!(found, [(Outcome::Deny, true, 1), (Outcome::Deny, true, 0)], "the policy's, then the gateway's");
    assert_eq!(refused.tool.value().map(|tool| &**tool), Some(TOOL));

    let watched = action(&[invoke("DENY", "LOG_ONLY", 200), target()]);
    assert_eq!(watched.state, State::Executed(Execution::Ok));
    assert!(watched.decisions.iter().all(|made| !made.enforced));

    let ran = action(&[invoke("ALLOW", "ENFORCE", 200), target(), authorize(json!({}))]);
    assert_eq!(ran.state, State::Executed(Execution::Ok));
    assert!(ran.policy.value().is_some_and(|policies| policies[0].ends_with("policy-engine/pe")));
    let failed = action(&[invoke("ALLOW", "ENFORCE", 502)]);
    assert_eq!(failed.state, State::Executed(Execution::Failed("status 502".into())));
}

#[test]
fn a_call_through_the_gateway_of_agentcore_is_the_framework_s_call() {
    let fields =
        json!({"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": TOOL, "gen_ai.tool.call.id": "call_1"});
    let framework = made("strands.telemetry.tracer", "execute_tool", (1, 0), fields);
    let client = made("mcp", "mcp", (2, 1), json!({"mcp.method.name": "tools/call", "gen_ai.tool.name": TOOL}));
    let one = action(&[framework, client, invoke("ALLOW", "ENFORCE", 200), target()]);
    assert_eq!((one.call_id.as_deref(), one.decisions.len()), (Some("call_1"), 1));
}

#[test]
fn the_session_of_the_runtime_of_agentcore_is_the_conversation() {
    let request = |platform: &str, more: Value| {
        let resource = json!({"attributes": otlp::attributes(&json!({"cloud.platform": platform}))});
        let span = json!({"traceId": "0102030405060708090a0b0c0d0e0f10", "spanId": "0000000000000001", "name": "POST /invocations",
            "attributes": otlp::attributes(&with(json!({"session.id": "s-1"}), more))});
        otlp::read(otlp::spans(&json!({"resourceSpans": [{"resource": resource, "scopeSpans": [{"spans": [span]}]}]})))
    };
    let read = request("aws_bedrock_agentcore", json!({}));
    assert!(says(&read, &What::Conversation("s-1".into())));
    assert!(!says(&request("aws_ec2", json!({})), &What::Conversation("s-1".into())));
    let named = request("aws_bedrock_agentcore", json!({"gen_ai.conversation.id": "c-1"}));
    assert!(says(&named, &What::Conversation("c-1".into())) && !says(&named, &What::Conversation("s-1".into())));
    assert_eq!(named.dialect, "otel-genai", "a layer names no other dialect's record");
}

#[test]
fn an_attribute_of_agentcore_on_a_framework_s_span_changes_no_rule() {
    let fields = json!({"openinference.span.kind": "TOOL", "tool.name": "t", "input.value": "{}"});
    let tool =
        |more: Value| made("openinference.instrumentation.openai_agents", "t", (2, 1), with(fields.clone(), more));
    let (bare, marked) = (tool(json!({})), tool(json!({"aws.agentcore.harness_id": "h"})));
    assert_eq!((marked.dialect, calls(&marked)[0]), (bare.dialect, calls(&bare)[0]));
    assert!(matches!(calls(&bare)[0].moment, Moment::Ran { proof: Proof::NeedsResult, .. }));
}

// ---- RiskKernel ----

fn governed(status: &str, more: Value) -> Evidence {
    let fields = json!({"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "write_file", "riskkernel.run.id": "run-1",
        "riskkernel.step.index": 3, "riskkernel.tool.status": status, "riskkernel.tool.side_effect": "write"});
    let refused = json!({"status": {"code": 2, "message": format!("tool {status}")}});
    let marks = if status == "approved" { json!({}) } else { refused };
    made_with("github.com/prashar32/riskkernel", "execute_tool write_file", (1, 0), with(fields, more), marks)
}

#[test]
fn what_became_of_a_call_through_riskkernel_is_its_state() {
    for (status, outcome, by, state) in [
        ("approved", Outcome::Allow, By::Unknown, State::Executed(Execution::Ok)),
        ("blocked", Outcome::Deny, By::Policy, State::Refused(By::Policy)),
        ("denied", Outcome::Deny, By::Human, State::Refused(By::Human)),
        ("timeout", Outcome::Timeout, By::Human, State::Expired),
    ] {
        let read = governed(status, json!({}));
        assert_eq!(read.dialect, "riskkernel");
        let [made] = decisions(&read)[..] else { panic!("one decision") };
        assert_eq!((made.outcome, made.by, &*made.raw), (outcome, by, status));
        assert_eq!(calls(&read)[0].effect, Some(Effect::Update));
        assert!(says(&read, &What::Takes(Tie::Task("run-1".into()))));
        assert!(!says(&read, &What::Withheld), "the gateway has no content");
        assert_eq!(action(&[read]).state, state, "{status}");
    }
    let odd = governed("perhaps", json!({}));
    assert!(decisions(&odd).is_empty());
}

#[test]
fn a_budget_that_halts_a_run_contains() {
    let fields = json!({"gen_ai.system": "anthropic", "gen_ai.operation.name": "chat", "gen_ai.request.model": "claude-sonnet-4-5",
        "gen_ai.usage.input_tokens": 812, "gen_ai.usage.output_tokens": 134, "riskkernel.run.id": "run-1",
        "riskkernel.halt.reason": "token_budget_exceeded"});
    let read = made("github.com/prashar32/riskkernel", "chat claude-sonnet-4-5", (1, 0), fields.clone());
    assert!(says(&read, &What::Containment(Containment::Halt)));
    let model = What::Model { provider: "anthropic".into(), model: "claude-sonnet-4-5".into(), tokens: (812, 134) };
    assert!(says(&read, &model) && read.node == Node::Model);
    let within = made("github.com/prashar32/riskkernel", "chat claude-sonnet-4-5", (2, 1), fields);
    assert!(says(&within, &What::Takes(Tie::Task("run-1".into()))));
}

#[test]
fn traces_of_one_run_of_riskkernel_are_tied() {
    let traced = |trace: &str, run: &str, at: u64| {
        let fields = json!({"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "write_file",
            "riskkernel.run.id": run, "riskkernel.tool.status": "approved"});
        let place = json!({"traceId": trace.repeat(16), "startTimeUnixNano": at.to_string(), "endTimeUnixNano": (at + 5).to_string()});
        made_with("github.com/prashar32/riskkernel", "execute_tool write_file", (1, 0), fields, place)
    };
    let edges = |set: &[Evidence]| -> Vec<JoinMethod> {
        assemble(set).turns.iter().flat_map(|turn| &turn.edges).map(|edge| edge.method).collect()
    };
    assert_eq!(edges(&[traced("a1", "run-1", 10), traced("b1", "run-1", 20)]), [JoinMethod::Task]);
    assert!(edges(&[traced("a1", "run-1", 10), traced("b1", "run-2", 20)]).is_empty());
}

// ---- OpenFGA ----

#[test]
fn an_answered_check_of_openfga_about_a_tool_is_a_decision() {
    let check = |more: Value| {
        let fields = json!({"store_id": "01H0", "user": "user:anne", "relation": "can_call", "object": "tool:issue_refund",
            "consistency": "UNSPECIFIED"});
        made("openfga/pkg/server", "Check", (2, 1), with(fields, more))
    };
    for (allowed, outcome) in [(true, Outcome::Allow), (false, Outcome::Deny)] {
        let read = check(json!({"allowed": allowed, "authorization_model_id": "01M1"}));
        assert_eq!((read.dialect, read.node), ("openfga", Node::Check));
        let [made] = decisions(&read)[..] else { panic!("one decision") };
        assert_eq!((made.outcome, made.by, made.tool.as_deref()), (outcome, By::Policy, Some("issue_refund")));
        assert_eq!(made.policies, ["01H0@01M1".into()]);
        assert_eq!(&*made.raw, format!("allowed={allowed}: can_call tool:issue_refund"));
        assert_eq!(made.principal, None, "whose right it was is not who decided");
    }
    let other = check(json!({"allowed": false, "object": "document:2026"}));
    assert!(decisions(&other).is_empty(), "nothing is said about a call");
    assert_eq!((&*checks(&other)[0].name, checks(&other)[0].result), ("01H0", CheckResult::Fail));
    assert!(decisions(&check(json!({}))).is_empty(), "the check failed");
    let inner = made("openfga/internal/graph", "ResolveCheck", (3, 2), json!({"store_id": "01H0", "allowed": true}));
    assert!(decisions(&inner).is_empty() && inner.dialect == "openfga");
}

// ---- FastMCP ----

#[test]
fn fastmcp_is_mcp_that_also_tells_of_requests_turned_away() {
    let error = json!({"kind": 2, "status": {"code": 2}});
    let base = json!({"mcp.method.name": "tools/call", "rpc.system": "mcp", "fastmcp.server.name": "shop", "mcp.session.id": "s",
        "fastmcp.span.seam": true});
    let reached = json!({"fastmcp.component.type": "tool", "fastmcp.component.key": "tool:get_order@", "error.type": "ToolError",
        "jsonrpc.request.id": "7"});
    let failed = made_with("fastmcp", "tools/call", (1, 0), with(base.clone(), reached), error.clone());
    assert_eq!(failed.dialect, "otel-mcp");
    let [call] = calls(&failed)[..] else { panic!("one call") };
    assert_eq!(call.tool.as_deref(), Some("get_order"));
    assert_eq!(call.moment, Moment::Ran { status: Status::Error("ToolError".into()), proof: Proof::Ran });

    let away =
        made_with("fastmcp", "tools/call", (1, 0), with(base, json!({"error.type": "AuthorizationError"})), error);
    assert_eq!(calls(&away)[0].moment, Moment::Refused { by: By::Unknown });
    assert_eq!((&calls(&away)[0].mcp, &calls(&away)[0].tool), (&None, &None));
    assert!(actions(&[away]).is_empty(), "a call without a name is no action of its own");
}

// ---- A2A ----

fn peer(kind: u32, state: &str, more: Value) -> Evidence {
    let fields = json!({"a2a.method.name": "SendMessage", "a2a.protocol.version": "1.0", "a2a.task.id": "task-1",
        "a2a.message.id": "m-1", "a2a.task.state": state, "gen_ai.conversation.id": "ctx-1", "gen_ai.agent.name": "calendar"});
    made_with("a2a", "SendMessage", (2, 1), with(fields, more), json!({ "kind": kind }))
}

fn delegations(evidence: &Evidence) -> Vec<Option<&str>> {
    let to = |pseudo: &Option<Pseudo>| matches!(pseudo, Some(Pseudo::Delegation { .. }));
    let calls = calls(evidence).into_iter().filter(|call| to(&call.pseudo));
    calls.map(|call| if let Some(Pseudo::Delegation { to }) = &call.pseudo { to.as_deref() } else { None }).collect()
}

#[test]
fn a_message_to_a_peer_is_a_delegation_and_names_nobody_here() {
    let client = peer(3, "TASK_STATE_COMPLETED", json!({}));
    assert_eq!(client.dialect, "otel-genai");
    assert_eq!(delegations(&client), [Some("calendar")]);
    assert!(says(&client, &What::Gives(Tie::Conversation("ctx-1".into()))));
    assert!(says(&client, &What::Takes(Tie::Task("task-1".into()))));
    assert!(!client.facts.iter().any(|fact| matches!(fact.what, What::Agent { .. } | What::Conversation(_))));
    assert!(actions(std::slice::from_ref(&client)).is_empty());

    let many: Vec<String> = (0..5000).map(|id| format!("task-{id}")).collect();
    let many = peer(3, "TASK_STATE_COMPLETED", json!({"a2a.message.reference_task_ids": many}));
    let ties = many.facts.iter().filter(|fact| matches!(fact.what, What::Takes(Tie::Task(_)))).count();
    assert_eq!(ties, 8);

    let server = peer(2, "TASK_STATE_COMPLETED", json!({}));
    assert!(delegations(&server).is_empty() && says(&server, &What::Conversation("ctx-1".into())));
    assert!(says(&server, &What::Agent { name: "calendar".into(), version: None }));
    let asked = peer(3, "TASK_STATE_WORKING", json!({"a2a.method.name": "GetTask"}));
    assert!(delegations(&asked).is_empty(), "only a message hands something over");
}

#[test]
fn states_of_a_task_are_what_the_peer_decided() {
    for (state, want) in [
        ("TASK_STATE_INPUT_REQUIRED", Some(Outcome::Ask)),
        ("TASK_STATE_AUTH_REQUIRED", Some(Outcome::Ask)),
        ("TASK_STATE_REJECTED", Some(Outcome::Deny)),
        ("TASK_STATE_CANCELED", Some(Outcome::Abort)),
        ("input-required", Some(Outcome::Ask)),
        ("TASK_STATE_COMPLETED", None),
        ("TASK_STATE_WORKING", None),
        ("", None),
    ] {
        let read = peer(3, state, json!({}));
        let made = decisions(&read).first().map(|made| (made.outcome, made.by, made.raw.to_string()));
        assert_eq!(made, want.map(|outcome| (outcome, By::System, state.to_owned())), "{state}");
    }
    let failed = peer(3, "TASK_STATE_FAILED", json!({}));
    assert!(matches!(calls(&failed)[0].moment, Moment::Ran { status: Status::Error(_), .. }));
}

#[test]
fn a_tool_that_is_a_peer_is_a_delegation() {
    let fields = json!({"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "k8s_agent", "gen_ai.tool.call.id": "c",
        "a2a.subagent.name": "k8s-agent", "a2a.context_id": "ctx-9", "a2a.task.state": "completed"});
    let read = made("gcp.vertex.agent", "execute_tool k8s_agent", (2, 1), fields);
    assert_eq!(delegations(&read), [Some("k8s-agent")]);
    assert!(says(&read, &What::Gives(Tie::Conversation("ctx-9".into()))));
    assert_eq!(read.dialect, "google-adk");
    let silent = made("a2a-python-sdk", "a2a.server.request_handlers", (1, 0), json!({}));
    assert_eq!((silent.dialect, silent.facts.len()), ("a2a", 0));
}

// ---- LangSmith ----

fn run(kind: &str, operation: &str, name: &str, place: (u8, u8), more: Value) -> Evidence {
    let fields = json!({"langsmith.span.kind": kind, "langsmith.trace.name": name, "langsmith.trace.session_id": "project-1",
        "langsmith.metadata.thread_id": "thread-1", "langsmith.metadata.lc_agent_name": "desk",
        "gen_ai.operation.name": operation, "gen_ai.system": "openai"});
    made("langsmith", name, place, with(fields, more))
}

#[test]
fn runs_of_langsmith_are_what_their_type_says() {
    let root = json!({"gen_ai.prompt": r#"{"messages": [{"type": "human", "content": "refund A-1001"}]}"#});
    let chain = run("chain", "chain", "LangGraph", (1, 0), root);
    assert_eq!((chain.dialect, chain.node), ("langsmith", Node::Other));
    assert!(says(&chain, &What::Conversation("thread-1".into())), "and never the project");
    assert!(!says(&chain, &What::Conversation("project-1".into())));
    assert!(says(&chain, &What::Agent { name: "desk".into(), version: None }));
    let asked = |what: &What| matches!(what, What::Intent(Known::Value(text)) if &*text.head == "refund A-1001");
    assert!(chain.facts.iter().any(|fact| asked(&fact.what)));

    let template = run("prompt", "chat", "ChatPromptTemplate", (2, 1), json!({"gen_ai.request.model": "gpt-5"}));
    assert_eq!(template.node, Node::Other);
    assert!(!template.facts.iter().any(|fact| matches!(fact.what, What::Model { .. })));

    let found = json!({"gen_ai.completion": r#"{"documents": [{"id": "kb-17", "page_content": "…"}, {"metadata": {"id": "kb-4"}}]}"#});
    let retriever = run("retriever", "embeddings", "retriever", (3, 1), found);
    assert!(says(&retriever, &What::Context { ids: vec!["kb-17".into(), "kb-4".into()], withheld: false }));
}

#[test]
fn a_tool_run_of_langsmith_joins_the_call_that_the_model_asked_for() {
    let answer = r#"{"generations": [[{"text": "", "message": {"lc": 1, "type": "constructor", "id": ["langchain", "schema", "messages",
        "AIMessage"], "kwargs": {"content": "", "tool_calls": [{"name": "issue_refund", "args": {"order_id": "A-1001"}, "id": "call_1"}]}}}]]}"#;
    let model = run(
        "llm",
        "chat",
        "ChatOpenAI",
        (2, 1),
        json!({"gen_ai.request.model": "gpt-5", "gen_ai.completion": answer,
        "gen_ai.usage.input_tokens": 10, "gen_ai.usage.output_tokens": 3,
        "gen_ai.prompt": r#"{"messages": [[{"lc": 1, "id": ["HumanMessage"], "kwargs": {"content": "refund A-1001"}}]]}"#}),
    );
    assert!(says(&model, &What::Model { provider: "openai".into(), model: "gpt-5".into(), tokens: (10, 3) }));
    let tool = |output: &str, place| {
        let fields = json!({"gen_ai.prompt": r#"{"input": "{'order_id': 'A-1001'}"}"#, "gen_ai.completion": output});
        run("tool", "execute_tool", "issue_refund", place, fields)
    };
    let fine = tool(
        r#"{"output": {"type": "tool", "content": "refunded", "tool_call_id": "call_1", "status": "success"}}"#,
        (3, 1),
    );
    let one = action(&[model, fine]);
    assert_eq!((one.call_id.as_deref(), one.state.clone()), (Some("call_1"), State::Executed(Execution::Ok)));
    assert_eq!(one.tool.value().map(|tool| &**tool), Some("issue_refund"));
    assert_eq!(one.arguments.value().map(|text| &*text.head), Some(r#"{"order_id":"A-1001"}"#));
    assert_eq!(one.output.value().map(|text| &*text.head), Some("refunded"));

    let error = tool(
        r#"{"output": {"type": "tool", "content": "no such order", "tool_call_id": "call_2", "status": "error"}}"#,
        (4, 1),
    );
    assert!(matches!(action(&[error]).state, State::Executed(Execution::Failed(_))));
}

#[test]
fn an_interrupt_of_langsmith_waits_and_hidden_content_is_withheld() {
    let fields = json!({"langsmith.span.kind": "tool", "langsmith.trace.name": "issue_refund", "gen_ai.operation.name": "execute_tool",
        "gen_ai.prompt": r#"{"input": "{'order_id': 'A-1001'}"}"#});
    let thrown = |message: &str| {
        let said = event("exception", 5, json!({"exception.type": "Exception", "exception.message": message}));
        let more = json!({"status": {"code": 2}, "events": [said]});
        made_with("langsmith", "issue_refund", (3, 1), fields.clone(), more)
    };
    let waiting = thrown("GraphInterrupt((Interrupt(value={'action_requests': []}),))");
    assert_eq!(calls(&waiting)[0].moment, Moment::Asked);
    let failed = thrown("ConnectionError('timeout')");
    let status = Status::Error("ConnectionError('timeout')".into());
    assert_eq!(calls(&failed)[0].moment, Moment::Ran { status, proof: Proof::Ran });

    let hidden = run("tool", "execute_tool", "t", (3, 1), json!({"gen_ai.prompt": "{}", "gen_ai.completion": "{}"}));
    let [call] = calls(&hidden)[..] else { panic!("one call") };
    let withheld = || Known::Missing(Missing::Withheld);
    assert_eq!((call.arguments.clone(), call.result.clone()), (withheld(), withheld()));
    assert!(says(&hidden, &What::Withheld));
}

#[test]
fn an_attribute_of_langsmith_on_another_s_span_changes_no_rule() {
    let scope = "openinference.instrumentation.openai_agents";
    let ghost = |more: Value| {
        let fields =
            json!({"openinference.span.kind": "TOOL", "tool.name": "issue_refund", "input.value": "{\"id\":1}"});
        made(scope, "issue_refund", (2, 1), with(fields, more))
    };
    let bare = ghost(json!({}));
    for more in [
        json!({"langsmith.metadata.team": "desk"}),
        json!({"langsmith.span.kind": "tool"}),
        json!({"langsmith.metadata.thread_id": "thread-1"}),
    ] {
        let read = ghost(more.clone());
        assert_eq!((read.dialect, calls(&read)[0]), (bare.dialect, calls(&bare)[0]), "{more}");
        assert_eq!(action(&[read]).state, action(std::slice::from_ref(&bare)).state, "{more}");
    }
    assert!(says(&ghost(json!({"langsmith.metadata.thread_id": "thread-1"})), &What::Conversation("thread-1".into())));
    let Moment::Ran { proof, .. } = calls(&bare)[0].moment.clone() else { panic!("an ended span") };
    assert_eq!(proof, Proof::NeedsResult);
}
