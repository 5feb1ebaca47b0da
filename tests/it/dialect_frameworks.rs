//! Frameworks whose dialects ride on others: records made by hand from their published field lists. They show that the
//! lists are read as published, not that producers keep to them.

use serde_json::{Value, json};
use wherefore::dialect::evidence;
use wherefore::lineage::assemble;
use wherefore::model::{
    Action, By, CheckResult, Direction, Evidence, Execution, Fact, Known, Missing, Moment, Node, Outcome, Provenance,
    Pseudo, Role, Signal, State, Status, Tenant, Text, What,
};
use wherefore::wire::{json::to_protobuf, records};

use crate::support::made::{calls, checks, decisions, says, with};
use crate::support::otlp::{attributes, read, span};

const TRACE: &str = "0102030405060708090a0b0c0d0e0f10";
const ANOTHER: &str = "a102030405060708090a0b0c0d0e0f10";

/// A span of a trace: its own id, its parent's (none: a root), its second, and what else it has.
struct At<'a> {
    trace: &'a str,
    id: u64,
    parent: u64,
    second: u64,
}

fn at(id: u64, parent: u64, second: u64) -> At<'static> {
    At { trace: TRACE, id, parent, second }
}

fn spans(scope: &str, name: &str, at: At<'_>, fields: Value, more: Value) -> Evidence {
    let parent = if at.parent == 0 { String::new() } else { format!("{:016x}", at.parent) };
    let place = json!({
        "traceId": at.trace, "spanId": format!("{:016x}", at.id), "parentSpanId": parent,
        "startTimeUnixNano": (at.second * 1_000_000_000).to_string(),
        "endTimeUnixNano": (at.second * 1_000_000_000 + 500_000_000).to_string(),
    });
    read(span(scope, name, fields, with(place, more)))
}

fn root_until(second: u64) -> Value {
    json!({"endTimeUnixNano": (second * 1_000_000_000).to_string()})
}

fn log(scope: &str, fields: Value, more: Value) -> Evidence {
    let record = with(json!({"timeUnixNano": "1500", "attributes": attributes(&fields)}), more);
    let request = json!({"resourceLogs": [{"scopeLogs": [{"scope": {"name": scope}, "logRecords": [record]}]}]});
    let body: bytes::Bytes =
        to_protobuf(Signal::Logs, request.to_string().as_bytes()).expect("valid OTLP/JSON").body.into();
    let received = records(Signal::Logs, &body).next().expect("one record");
    evidence(&Tenant::default(), Role::Agent, &received, &body)
}

fn one(scope: &str, name: &str, fields: Value) -> Evidence {
    read(span(scope, name, fields, json!({})))
}

fn models(set: &[Evidence]) -> Vec<(u64, u64)> {
    let facts = set.iter().flat_map(|evidence| &evidence.facts);
    facts.filter_map(|fact| if let What::Model { tokens, .. } = &fact.what { Some(*tokens) } else { None }).collect()
}

fn messages(evidence: &Evidence, side: Direction) -> Value {
    let found = evidence.facts.iter().find_map(|fact| match &fact.what {
        What::Messages(messages) if messages.direction == side => Some(&messages.json),
        _ => None,
    });
    found.map_or(Value::Null, |json| serde_json::from_slice(json).expect("messages are JSON"))
}

fn intent(evidence: &Evidence) -> Option<&str> {
    evidence.facts.iter().find_map(|fact| match &fact.what {
        What::Intent(Known::Value(text)) => Some(&*text.head),
        _ => None,
    })
}

fn agent(evidence: &Evidence) -> Option<&str> {
    let facts = evidence.facts.iter();
    facts.into_iter().find_map(|fact| if let What::Agent { name, .. } = &fact.what { Some(&**name) } else { None })
}

fn head(known: &Known<Text>) -> Option<&str> {
    known.value().map(|text| &*text.head)
}

fn to(name: &str) -> Option<Pseudo> {
    Some(Pseudo::Delegation { to: Some(name.into()) })
}

/// The one action of a set that is about a tool.
fn action(set: &[Evidence], tool: &str) -> Action {
    let mut found = assemble(set).actions;
    found.retain(|it| it.tool.value().map(|tool| &**tool) == Some(tool));
    assert_eq!(found.len(), 1, "{tool}: {found:#?}");
    found.remove(0)
}

const ASSISTANT_ASKS: &str = r#"[{"role":"assistant","parts":[{"type":"tool_call","id":"call_1","name":"issue_refund","arguments":{"order_id":"A-1001"}}]}]"#;

// Mastra

fn mastra(name: &str, kind: &str, at: At<'_>, fields: Value, more: Value) -> Evidence {
    spans("@mastra/otel-exporter", name, at, with(json!({"mastra.span.type": kind}), fields), more)
}

fn mastra_run(at: At<'_>, input: Value, output: Value) -> Evidence {
    let fields = json!({"gen_ai.operation.name": "invoke_agent", "gen_ai.agent.name": "desk",
        "gen_ai.conversation.id": "thread-1", "mastra.agent_run.input": input.to_string(),
        "mastra.agent_run.output": output.to_string()});
    mastra("invoke_agent desk", "agent_run", at, fields, json!({}))
}

fn mastra_waits() -> Vec<Evidence> {
    let asked = json!([{"role": "user", "content": "Please refund it."}]);
    let output = json!({"status": "suspended", "reason": "tool-call-approval", "toolName": "issue_refund",
        "toolCallId": "call_1"});
    let said = json!({"gen_ai.operation.name": "chat", "gen_ai.request.model": "gpt-5", "gen_ai.output.messages": ASSISTANT_ASKS,
        "gen_ai.usage.input_tokens": 40, "gen_ai.usage.output_tokens": 7});
    let step = json!({"gen_ai.operation.name": "model_step", "mastra.model_step.output": "{}"});
    vec![
        mastra_run(at(1, 0, 1), asked, output),
        mastra("chat gpt-5", "model_generation", at(2, 1, 1), said, json!({})),
        mastra("model_step", "model_step", at(3, 2, 1), step, json!({})),
    ]
}

fn mastra_answered(approved: bool) -> Evidence {
    let input = json!({"approved": approved, "toolName": "issue_refund", "toolCallId": "call_1"});
    mastra_run(at(4, 1, 9), input, json!({"text": "Done.", "files": []}))
}

#[test]
fn a_suspended_run_of_mastra_asks_and_its_answer_is_inferred_to_be_a_person_s() {
    let set = mastra_waits();
    assert_eq!((set[0].dialect, set[0].node), ("mastra", Node::Agent));
    assert_eq!((intent(&set[0]), agent(&set[0])), (Some("Please refund it."), Some("desk")));
    assert!(says(&set[0], &What::Conversation("thread-1".into())));
    let [asked] = calls(&set[0])[..] else { panic!("one call") };
    assert_eq!(
        (&asked.moment, asked.id.as_deref(), asked.tool.as_deref()),
        (&Moment::Asked, Some("call_1"), Some("issue_refund"))
    );
    assert_eq!(models(&set), [(40, 7)], "a step repeats no tokens");
    for (approved, outcome) in [(true, Outcome::Allow), (false, Outcome::Deny)] {
        let resumed = mastra_answered(approved);
        let [made] = decisions(&resumed)[..] else { panic!("one decision") };
        assert_eq!((made.outcome, made.by, made.enforced), (outcome, By::Human, true));
        assert_eq!((made.call_id.as_deref(), made.tool.as_deref()), (Some("call_1"), Some("issue_refund")));
        assert_eq!(intent(&resumed), None);
        let guess = |fact: &Fact| matches!(fact.what, What::Decision(_)) && fact.provenance == Provenance::Inferred;
        assert!(resumed.facts.iter().any(guess), "nothing on the span says that it goes on");
    }
}

#[test]
fn data_that_looks_like_an_answer_to_mastra_is_none() {
    let nameless = json!({"approved": true, "toolName": "issue_refund"});
    assert!(decisions(&mastra_run(at(4, 1, 9), nameless, json!({"text": "ok"}))).is_empty());
    let full = json!({"approved": true, "toolName": "issue_refund", "toolCallId": "call_1"}).to_string();
    let stop = json!({"tripwire": {"reason": "x"}, "status": "suspended", "toolCallId": "call_1"}).to_string();
    let fields = json!({"gen_ai.operation.name": "invoke_agent", "mastra.workflow_run.input": full, "mastra.workflow_run.output": stop});
    let workflow = mastra("invoke_workflow", "workflow_run", at(4, 1, 9), fields, json!({}));
    assert!(decisions(&workflow).is_empty() && calls(&workflow).is_empty() && checks(&workflow).is_empty());
    let waits = mastra_run(at(4, 1, 9), json!("x"), json!({"status": "suspended", "toolName": "issue_refund"}));
    assert!(calls(&waits).is_empty());
}

#[test]
fn a_call_of_mastra_is_asked_then_refused_or_executed() {
    assert_eq!(action(&mastra_waits(), "issue_refund").state, State::Expired, "nobody answered");
    let mut denied = mastra_waits();
    denied.push(mastra_answered(false));
    assert_eq!(
        action(&denied, "issue_refund").state,
        State::Refused(By::Human),
        "it names the call that was asked about"
    );
    let mut approved = mastra_waits();
    approved.push(mastra_answered(true));
    let tool = json!({"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "issue_refund",
        "gen_ai.tool.call.id": "call_1", "gen_ai.tool.call.arguments": r#"{"order_id":"A-1001"}"#,
        "gen_ai.tool.call.result": r#"{"refund_id":"RF-77"}"#});
    approved.push(mastra("execute_tool issue_refund", "tool_call", at(5, 4, 10), tool, json!({})));
    let ran = action(&approved, "issue_refund");
    assert_eq!((&ran.state, ran.decisions.len()), (&State::Executed(Execution::Ok), 1));
    assert_eq!(head(&ran.output), Some(r#"{"refund_id":"RF-77"}"#));
}

#[test]
fn a_tripwire_of_mastra_is_a_check_and_a_denial() {
    let output = json!({"tripwire": {"reason": "not about refunds", "processorId": "scope"}});
    let run = mastra_run(at(1, 0, 1), json!("Do my homework."), output);
    let [check] = checks(&run)[..] else { panic!("one check") };
    assert_eq!(
        (&*check.name, check.result, head(&check.explanation)),
        ("scope", CheckResult::Fail, Some("not about refunds"))
    );
    assert_eq!((decisions(&run)[0].outcome, decisions(&run)[0].by), (Outcome::Deny, By::Policy));
    assert_eq!(intent(&run), Some("Do my homework."));
    let step = json!({"gen_ai.operation.name": "processor_run", "error.type": "unknown"});
    let step = mastra("processor_run scope", "processor_run", at(2, 1, 1), step, json!({"status": {"code": 2}}));
    assert_eq!((step.node, checks(&step).len()), (Node::Check, 0), "an error is no verdict");
    let aborted = mastra_run(at(1, 0, 1), json!("x"), json!({"status": "aborted", "reason": "abort"}));
    assert_eq!(decisions(&aborted)[0].outcome, Outcome::Abort);
}

#[test]
fn older_and_client_side_tools_of_mastra_are_read() {
    let old = json!({"gen_ai.operation.name": "tool.execute", "gen_ai.tool.name": "get_order",
        "gen_ai.tool.input": r#"{"id":1}"#, "gen_ai.tool.output": "no such order", "gen_ai.tool.success": false});
    let old = mastra("tool.execute get_order", "tool_call", at(2, 1, 1), old, json!({}));
    let [call] = calls(&old)[..] else { panic!("one call") };
    assert_eq!((head(&call.arguments), head(&call.result)), (Some(r#"{"id":1}"#), Some("no such order")));
    assert!(matches!(&call.moment, Moment::Ran { status: Status::Error(_), .. }));
    let client = json!({"gen_ai.operation.name": "client_tool_call", "mastra.client_tool_call.input": r#"{"id":1}"#});
    let client = mastra("client_tool_call pick_file", "client_tool_call", at(2, 1, 1), client, json!({}));
    assert_eq!(calls(&client)[0].tool.as_deref(), Some("pick_file"));
    assert_eq!(action(&[client], "pick_file").state, State::Executed(Execution::UnknownResult));
}

// Agno

const AGNO: &str = "openinference.instrumentation.agno";

fn oi(scope: &str, name: &str, kind: &str, at: At<'_>, fields: Value) -> Evidence {
    spans(scope, name, at, with(json!({"openinference.span.kind": kind}), fields), json!({"status": {"code": 1}}))
}

fn oi_messages(side: &str, index: usize, fields: &[(&str, &str)]) -> Value {
    let keys = fields.iter().map(|(key, text)| (format!("llm.{side}_messages.{index}.message.{key}"), json!(text)));
    Value::Object(keys.collect())
}

#[test]
fn a_paused_run_of_agno_asks_and_a_refused_call_has_no_span() {
    let run = json!({"agent.name": "desk", "session.id": "s-1", "input.value": "Please refund it.", "agno.run.id": "r-1",
        "output.value": "I have tools to execute, but I need confirmation."});
    let paused = oi(AGNO, "desk.run", "AGENT", at(1, 0, 1), run);
    assert_eq!((paused.dialect, intent(&paused)), ("agno", Some("Please refund it.")));
    assert_eq!(decisions(&paused)[0].outcome, Outcome::Ask);
    let asks = oi_messages(
        "output",
        0,
        &[
            ("role", "assistant"),
            ("tool_calls.0.tool_call.id", "call_1"),
            ("tool_calls.0.tool_call.function.name", "issue_refund"),
            ("tool_calls.0.tool_call.function.arguments", "{\"id\":1}"),
        ],
    );
    let model = |at: At<'_>, fields: Value| {
        let used = json!({"llm.model_name": "gpt-5", "llm.token_count.prompt": 30, "llm.token_count.completion": 5});
        oi(AGNO, "OpenAIChat.invoke", "LLM", at, with(used, fields))
    };
    let first = model(at(2, 1, 1), asks);
    let other = |id, parent, second| At { trace: ANOTHER, ..at(id, parent, second) };
    let resumed =
        json!({"agent.name": "desk", "session.id": "s-1", "agno.run.id": "r-1", "output.value": "It was refused."});
    let resumed = oi(AGNO, "desk.continue_run", "AGENT", other(11, 0, 9), resumed);
    let history = with(
        with(
            oi_messages("input", 0, &[("role", "user"), ("content", "Please refund it.")]),
            oi_messages(
                "input",
                1,
                &[
                    ("role", "assistant"),
                    ("tool_calls.0.tool_call.id", "call_1"),
                    ("tool_calls.0.tool_call.function.name", "issue_refund"),
                    ("tool_calls.0.tool_call.function.arguments", "{\"id\":1}"),
                ],
            ),
        ),
        oi_messages(
            "input",
            2,
            &[("role", "tool"), ("tool_call_id", "call_1"), ("content", "Function call was rejected by the user")],
        ),
    );
    let last = model(other(12, 11, 9), history);
    assert!(decisions(&resumed).is_empty());
    let set = [paused, first, resumed, last];
    assert_eq!(action(&set, "issue_refund").state, State::Refused(By::Human));
    assert_eq!(models(&set), [(30, 5), (30, 5)]);
}

#[test]
fn tools_and_teams_of_agno_are_read() {
    let tool = json!({"tool.name": "get_order", "tool.parameters": r#"{"id":1}"#, "output.value": "timeout"});
    let failed = with(json!({"openinference.span.kind": "TOOL"}), tool);
    let failed = spans(AGNO, "get_order", at(2, 1, 1), failed, json!({"status": {"code": 2, "message": "timeout"}}));
    let ran = action(&[failed], "get_order");
    assert_eq!(ran.state, State::Executed(Execution::Failed("timeout".into())));
    assert_eq!(head(&ran.arguments), Some(r#"{"id":1}"#));
    let hand = json!({"tool.name": "delegate_task_to_member", "input.value": r#"{"member_id":"refunds","task":"t"}"#});
    let hand = oi(AGNO, "delegate_task_to_member", "TOOL", at(2, 1, 1), hand);
    assert_eq!(calls(&hand)[0].pseudo, to("refunds"));
    let old = oi(AGNO, "Team.run", "AGENT", at(1, 0, 1), json!({"graph.node.name": "team", "input.value": "x"}));
    assert_eq!(agent(&old), Some("team"));
}

// CrewAI

const CREWAI: &str = "openinference.instrumentation.crewai";

#[test]
fn a_crew_s_tools_delegations_and_tasks_are_read() {
    let tasks = json!([{"description": "Refund order A-1001.", "agent_role": "Refund Agent"}]).to_string();
    let kickoff = oi(CREWAI, "Crew_1.kickoff", "CHAIN", at(1, 0, 1), json!({"crew_tasks": tasks, "crew_inputs": ""}));
    assert_eq!((kickoff.dialect, intent(&kickoff)), ("crewai", Some("Refund order A-1001.")));
    let given = json!({"crew_tasks": tasks, "input.value": r#"{"query": "Please refund it."}"#});
    assert_eq!(intent(&oi(CREWAI, "Crew_1.kickoff", "CHAIN", at(1, 0, 1), given)), Some("Please refund it."));
    let run = oi(CREWAI, "Refund Agent._execute_core", "AGENT", at(2, 1, 1), json!({"graph.node.id": "Refund Agent "}));
    assert_eq!((run.node, agent(&run)), (Node::Agent, Some("Refund Agent")));
    let tool = |scope: &str, input: &str| {
        let fields = json!({"tool.name": "get_order", "input.value": input, "output.value": "ok"});
        oi(scope, "get_order.run", "TOOL", at(3, 2, 2), fields)
    };
    let events = "openinference.instrumentation.crewai._event_listener";
    for (scope, input) in [
        (CREWAI, r#"{"order_id":"A-1"}"#),
        (CREWAI, r#"{"input": {"order_id": "A-1"}, "config": null}"#),
        (events, r#"{"order_id":"A-1"}"#),
    ] {
        let read = tool(scope, input);
        assert_eq!((read.dialect, head(&calls(&read)[0].arguments)), ("crewai", Some(r#"{"order_id":"A-1"}"#)));
    }
    let work = json!({"tool.name": "Delegate work to coworker", "input.value": r#"{"task":"t","context":"c","coworker":"Clerk"}"#});
    let hand = oi(CREWAI, "Delegate work to coworker.run", "TOOL", at(3, 2, 2), work);
    assert_eq!(calls(&hand)[0].pseudo, to("Clerk"));
    let sub = oi(CREWAI, "Clerk._execute_core", "AGENT", at(4, 3, 2), json!({"graph.node.id": "Clerk"}));
    let below = json!({"tool.name": "get_order", "tool.agent_role": "Clerk", "output.value": "ok"});
    let below = oi(CREWAI, "get_order.run", "TOOL", at(5, 4, 2), below);
    let all = assemble(&[kickoff, run, hand, sub, below]).actions;
    assert_eq!(all.len(), 1, "a delegation is an edge");
    assert_eq!(all[0].agent.value().map(|(name, _)| &**name), Some("Clerk"));
}

#[test]
fn a_sentence_in_the_output_of_a_crew_s_tool_tells_whether_it_ran() {
    let events = "openinference.instrumentation.crewai._event_listener";
    let ended = |scope: &str, output: &str| {
        let fields = json!({"tool.name": "get_order", "input.value": "{}", "output.value": output});
        let read = oi(scope, "get_order.run", "TOOL", at(3, 2, 2), fields);
        calls(&read)[0].moment.clone()
    };
    let blocked = "Tool execution blocked by hook. Tool: get_order";
    assert_eq!(ended(events, blocked), Moment::Refused { by: By::Hook });
    assert!(matches!(ended(events, "Tool not found: get_order"), Moment::Ran { status: Status::Error(_), .. }));
    for (scope, output) in [(CREWAI, blocked), (events, "A note: Tool execution blocked by hook. Tool: x")] {
        assert!(matches!(ended(scope, output), Moment::Ran { status: Status::Fine, .. }), "{scope}: {output}");
    }
}

#[test]
fn a_guardrail_of_a_crew_is_the_error_of_its_task() {
    let why = "Task failed guardrail validation after 3 retries. Last error: no order number";
    let failed = |scope: &str, kind: &str| {
        let error = json!({"status": {"code": 2, "message": why}});
        spans(scope, "x", at(2, 1, 1), json!({"openinference.span.kind": kind}), error)
    };
    let run = failed(CREWAI, "AGENT");
    assert_eq!(
        (checks(&run)[0].result, head(&checks(&run)[0].explanation)),
        (CheckResult::Fail, Some("no order number"))
    );
    assert_eq!(decisions(&run)[0].outcome, Outcome::Deny);
    assert!(checks(&failed(CREWAI, "CHAIN")).is_empty(), "said once");
    assert_eq!(checks(&failed("openinference.instrumentation.crewai._event_listener", "CHAIN")).len(), 1);
}

#[test]
fn what_crewai_tells_its_makers_says_nothing() {
    let fields = json!({"crew_key": "k", "tool_name": "get_order", "gen_ai.operation.name": "execute_tool",
        "gen_ai.tool.name": "get_order", "gen_ai.agent.name": "desk", "gen_ai.tool.call.arguments": "x".repeat(5000)});
    let read = one("crewai.telemetry", "Tool Usage", fields);
    assert_eq!((read.dialect, read.node), ("crewai", Node::Other));
    assert!(read.facts.is_empty() && read.bodies.is_empty());
}

// AutoGen

const AGENT_CHAT: &str = "openinference.instrumentation.autogen_agentchat";

fn core(at: At<'_>, fields: Value, more: Value) -> Evidence {
    let fields = with(json!({"gen_ai.operation.name": "execute_tool", "gen_ai.system": "autogen"}), fields);
    spans("autogen-core", "execute_tool", at, fields, more)
}

#[test]
fn both_spans_of_a_call_of_autogen_are_one_action() {
    let given = r#"{"tool_call": {"id": "call_1", "arguments": "{\"id\": 1}", "name": "get_order"}}"#;
    for (is_error, status, state) in [
        (false, json!({}), State::Executed(Execution::Ok)),
        (
            true,
            json!({"status": {"code": 2, "message": "timeout"}}),
            State::Executed(Execution::Failed("is_error".into())),
        ),
    ] {
        let result = json!([{"id": "call_1"}, {"content": "said", "name": "get_order", "call_id": "call_1", "is_error": is_error}]);
        let outer = json!({"tool.name": "get_order", "input.value": given, "output.value": result.to_string()});
        let outer = oi(AGENT_CHAT, "get_order", "TOOL", at(2, 1, 1), outer);
        let inner =
            core(at(3, 2, 1), json!({"gen_ai.tool.name": "get_order", "gen_ai.tool.call.id": "call_1"}), status);
        assert_eq!((outer.dialect, inner.dialect), ("autogen", "autogen"));
        let ran = action(&[outer, inner], "get_order");
        assert_eq!((&ran.state, ran.call_id.as_deref()), (&state, Some("call_1")));
        assert_eq!((head(&ran.arguments), head(&ran.output)), (Some(r#"{"id": 1}"#), Some("said")));
    }
}

#[test]
fn spans_of_autogen_s_own_never_have_content() {
    let own = core(at(2, 1, 1), json!({"gen_ai.tool.name": "get_order"}), json!({}));
    assert_eq!(calls(&own)[0].arguments, Known::Missing(Missing::Withheld));
    assert!(!says(&own, &What::Withheld), "nobody switched it off");
    let hand =
        json!({"gen_ai.tool.name": "transfer_to_refund_agent", "gen_ai.tool.description": "Handoff to Refund_Agent."});
    assert_eq!(calls(&core(at(2, 1, 1), hand, json!({})))[0].pseudo, to("Refund_Agent"));
    let bank = json!({"gen_ai.tool.name": "transfer_to_savings", "gen_ai.tool.description": "Moves money."});
    assert_eq!(calls(&core(at(2, 1, 1), bank, json!({})))[0].pseudo, None);
    let sent =
        one("autogen SingleThreadedAgentRuntime", "autogen process desk", json!({"messaging.operation": "process"}));
    assert_eq!((sent.dialect, sent.node, sent.facts.len()), ("autogen", Node::Other, 0));
}

#[test]
fn model_calls_of_autogen_are_read_from_what_the_client_returned() {
    let input = json!({"llm.input_messages.0.message.role": "user", "llm.input_messages.0.message.content": "Refund it.",
        "llm.input_messages.1.message.role": "function",
        "llm.input_messages.1.function.0": r#"{"name":"get_order","content":"ok","call_id":"call_0","is_error":false}"#,
        "llm.input_messages.1.function.1": r#"{"name":"get_stock","content":"no","call_id":"call_9","is_error":true}"#});
    let output = json!({"finish_reason": "function_calls", "content": [{"id": "call_1", "arguments": "{}", "name": "issue_refund"}]});
    let model = oi(AGENT_CHAT, "create", "LLM", at(2, 1, 1), with(input, json!({"output.value": output.to_string()})));
    let read = messages(&model, Direction::Input);
    assert_eq!((&read[1]["parts"][0]["id"], &read[1]["parts"][1]["is_error"]), (&json!("call_0"), &json!(true)));
    assert_eq!(messages(&model, Direction::Output)[0]["parts"][0]["id"], "call_1");
    let run = oi(AGENT_CHAT, "desk.on_messages_stream", "AGENT", at(1, 0, 1), json!({"graph.node.id": "desk"}));
    assert_eq!(agent(&run), Some("desk"));
}

#[test]
fn the_event_log_of_autogen_is_read() {
    let body = |entry: Value| json!({"body": {"stringValue": entry.to_string()}});
    let used = json!({"type": "LLMCall", "prompt_tokens": 9, "completion_tokens": 2, "agent_id": "desk/1",
        "messages": [{"role": "user", "content": "Refund it."}],
        "response": {"id": "chatcmpl-1", "model": "gpt-5", "choices": [{"message": {"role": "assistant",
            "tool_calls": [{"id": "call_1", "type": "function", "function": {"name": "issue_refund", "arguments": "{}"}}]}}]}});
    let alone = log("autogen_core.events", json!({}), body(used.clone()));
    let mut second = used.clone();
    second["response"]["id"] = json!("chatcmpl-2");
    assert_eq!((alone.dialect, models(std::slice::from_ref(&alone))), ("autogen", vec![(9, 2)]));
    assert_eq!(messages(&alone, Direction::Output)[0]["parts"][0]["name"], "issue_refund");
    let place = json!({"traceId": TRACE, "spanId": "0000000000000003"});
    let inside = log("autogen_core.events", json!({}), with(body(used), place.clone()));
    assert_eq!(models(std::slice::from_ref(&inside)), [(9, 2)]);
    let run = spans(
        "autogen-core",
        "invoke_agent desk",
        at(3, 0, 1),
        json!({"gen_ai.operation.name": "invoke_agent"}),
        json!({}),
    );
    let again = with(place.clone(), json!({"timeUnixNano": "1700"}));
    let again = log("autogen_core.events", json!({}), with(body(second), again));
    let used: Vec<_> = assemble(&[run, inside, again]).turns[0].models.iter().map(|used| used.tokens).collect();
    assert_eq!(used, [(9, 2), (9, 2)], "the agent asked twice");
    let called =
        json!({"type": "ToolCall", "tool_name": "get_order", "arguments": {"id": 1}, "result": "ok", "agent_id": null});
    let called = body(called);
    let own = json!({"gen_ai.tool.name": "get_order", "gen_ai.tool.call.id": "call_1"});
    let inside = log("autogen_core.events", json!({}), with(called.clone(), place));
    let ran = action(&[inside, core(at(3, 1, 1), own, json!({}))], "get_order");
    assert_eq!(ran.call_id.as_deref(), Some("call_1"), "in a span, the span is the call");
    let ran = action(&[log("autogen_core.events", json!({}), called)], "get_order");
    assert_eq!((head(&ran.arguments), head(&ran.output)), (Some(r#"{"id":1}"#), Some("ok")));
    for odd in
        [json!({"stringValue": "{"}), json!({"stringValue": "{\"type\": \"Message\"}"}), json!({"intValue": "1"})]
    {
        assert!(log("autogen_core.events", json!({}), json!({"body": odd})).facts.is_empty());
    }
}

// Haystack

fn haystack(name: &str, at: At<'_>, fields: Value) -> Evidence {
    spans("my_app.tracing", name, at, fields, json!({}))
}

#[test]
fn an_agent_of_haystack_is_read_with_and_without_content() {
    let asks = json!({"role": "assistant", "meta": {"model": "gpt-5", "usage": {"prompt_tokens": 20, "completion_tokens": 4}},
        "content": [{"tool_call": {"tool_name": "issue_refund", "arguments": {"id": 1}, "id": "call_1", "extra": null}}]});
    let user = json!({"role": "user", "meta": {}, "name": null, "content": [{"text": "Refund it."}]});
    let llm = |at: At<'_>, listed: Value| {
        let fields = json!({"haystack.agent.step.llm.input": json!({"messages": listed}).to_string(),
            "haystack.agent.step.llm.output": json!({"replies": [asks]}).to_string()});
        haystack("haystack.agent.step.llm", at, fields)
    };
    let first = llm(at(3, 2, 1), json!([user]));
    assert_eq!(
        (first.dialect, first.node, models(std::slice::from_ref(&first))),
        ("haystack", Node::Model, vec![(20, 4)])
    );
    let tool = json!({"haystack.tool.name": "issue_refund", "haystack.agent.step.tool.input": r#"{"id": 1}"#,
        "haystack.agent.step.tool.output": r#"{"refund_id": "RF-77"}"#});
    let tool = haystack("haystack.agent.step.tool", at(4, 2, 2), tool);
    let run = haystack("haystack.agent.run", at(1, 0, 1), json!({"haystack.agent.max_steps": 5}));
    let ran = action(&[run.clone(), first.clone(), tool], "issue_refund");
    assert_eq!((&ran.state, head(&ran.output)), (&State::Executed(Execution::Ok), Some(r#"{"refund_id": "RF-77"}"#)));
    assert_eq!(ran.call_id.as_deref(), Some("call_1"));

    let no = "Tool execution for 'issue_refund' was rejected by the user. With user feedback: no";
    let refused = json!({"role": "tool", "content": [{"tool_call_result": {"result": no, "error": true,
        "origin": {"tool_name": "issue_refund", "arguments": {"id": 1}, "id": "call_1"}}}]});
    let second = llm(at(5, 2, 3), json!([user, asks, refused]));
    assert_eq!(action(&[run, first, second], "issue_refund").state, State::Refused(By::Human));

    let bare = haystack("haystack.agent.step.tool", at(4, 2, 2), json!({"haystack.tool.name": "issue_refund"}));
    assert_eq!(calls(&bare)[0].result, Known::Missing(Missing::Withheld));
    assert!(says(&bare, &What::Withheld));
}

#[test]
fn components_of_haystack_are_what_their_type_says() {
    let component = |kind: &str, more: Value| {
        let fields = json!({"haystack.component.name": "it", "haystack.component.type": kind});
        haystack("haystack.component.run", at(2, 1, 1), with(fields, more))
    };
    let found =
        component("InMemoryBM25Retriever", json!({"haystack.component.output": r#"{"documents": [{"id": "kb-17"}]}"#}));
    assert!(says(&found, &What::Context { ids: vec!["kb-17".into()], withheld: false }));
    assert!(says(&component("QdrantRetriever", json!({})), &What::Context { ids: vec![], withheld: true }));
    let text = json!({"haystack.component.input": r#"{"prompt": "Hi."}"#,
        "haystack.component.output": r#"{"replies": ["Hello."], "meta": [{"model": "m", "usage": {"prompt_tokens": 1, "completion_tokens": 2}}]}"#});
    let text = component("OpenAIGenerator", text);
    assert_eq!(
        (models(std::slice::from_ref(&text)), &messages(&text, Direction::Output)[0]["parts"][0]["content"]),
        (vec![(1, 2)], &json!("Hello."))
    );
    let answers = json!({"tool_messages": [{"role": "tool", "content": [{"tool_call_result": {"result": "ok", "error": false,
        "origin": {"tool_name": "t", "arguments": {}, "id": "call_1"}}}]}]});
    let tools = component("ToolInvoker", json!({"haystack.component.output": answers.to_string()}));
    assert_eq!(messages(&tools, Direction::Input)[0]["parts"][0]["id"], "call_1");
    assert_eq!(agent(&component("Agent", json!({}))), Some("it"));
}

// Semantic Kernel

#[test]
fn messages_of_semantic_kernel_are_json_texts() {
    let logged = |event: &str, message: Value| {
        let more =
            json!({"body": {"stringValue": message.to_string()}, "traceId": TRACE, "spanId": "0000000000000002"});
        log(
            "semantic_kernel.utils.telemetry.model_diagnostics.decorators",
            json!({"event.name": event, "gen_ai.system": "openai"}),
            more,
        )
    };
    let user = logged("gen_ai.user.message", json!({"role": "user", "content": "Refund it."}));
    assert_eq!((user.dialect, intent(&user)), ("semantic-kernel", Some("Refund it.")));
    let asks = json!([{"id": "call_1", "type": "function", "function": {"name": "desk-issue_refund", "arguments": "{\"id\": 1}"}}]);
    let choice = logged(
        "gen_ai.choice",
        json!({"message": {"role": "assistant", "tool_calls": asks}, "finish_reason": "tool_calls"}),
    );
    assert_eq!((calls(&choice)[0].id.as_deref(), &calls(&choice)[0].moment), (Some("call_1"), &Moment::Proposed));
    let answer = logged("gen_ai.tool.message", json!({"role": "tool", "tool_call_id": "call_1", "content": "ok"}));
    assert_eq!((calls(&answer)[0].id.as_deref(), head(&calls(&answer)[0].result)), (Some("call_1"), Some("ok")));

    let dotnet = json!({"role": "user", "content": "Refund it."}).to_string();
    let event = json!({"name": "gen_ai.user.message", "timeUnixNano": "1", "attributes": attributes(&json!({"gen_ai.event.content": dotnet, "gen_ai.system": "openai"}))});
    let fields = json!({"gen_ai.operation.name": "chat.completions", "gen_ai.request.model": "gpt-5", "gen_ai.usage.input_tokens": 3});
    let dotnet = spans(
        "Microsoft.SemanticKernel.Diagnostics",
        "chat.completions gpt-5",
        at(2, 1, 1),
        fields,
        json!({"events": [event]}),
    );
    assert_eq!((dotnet.dialect, intent(&dotnet)), ("semantic-kernel", Some("Refund it.")));
    let silent = log(
        "semantic_kernel.functions.kernel_function",
        json!({}),
        json!({"body": {"stringValue": "Function desk-get_order invoking."}}),
    );
    assert_eq!((silent.dialect, silent.facts.len()), ("semantic-kernel", 0));
}

#[test]
fn a_function_that_a_filter_kept_from_running_has_no_result() {
    let function = |more: Value| {
        let fields = json!({"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "desk-issue_refund", "gen_ai.tool.call.id": "call_1"});
        spans("semantic_kernel.functions.kernel_function", "execute_tool", at(3, 1, 2), with(fields, more), json!({}))
    };
    let arguments = json!({"gen_ai.tool.call.arguments": r#"{"id": 1}"#});
    let state = |read: Evidence| action(&[read], "desk-issue_refund").state;
    assert_eq!(state(function(arguments.clone())), State::Executed(Execution::UnknownResult));
    assert_eq!(
        state(function(with(arguments, json!({"gen_ai.tool.call.result": "ok"})))),
        State::Executed(Execution::Ok)
    );
    let bare = function(json!({}));
    assert!(says(&bare, &What::Withheld));
    assert_eq!(state(bare), State::Executed(Execution::Ok));
    let chat = json!({"gen_ai.operation.name": "chat", "gen_ai.request.model": "gpt-5"});
    let chat = one("semantic_kernel.connectors.ai.chat_completion_client_base", "chat gpt-5", chat);
    assert!(!says(&chat, &What::Withheld), "contents are in log records");
    let old = json!({"gen_ai.operation.name": "invoke_agent", "gen_ai.agent.name": "desk",
        "gen_ai.agent.invocation_input": r#"[{"role": "user", "content": "Refund it."}]"#});
    let old = one("semantic_kernel.utils.telemetry.agent_diagnostics.decorators", "invoke_agent desk", old);
    assert_eq!(messages(&old, Direction::Input)[0]["content"], "Refund it.");
}

// OpenLIT

#[test]
fn contents_calls_and_guards_of_openlit_are_read() {
    let event =
        |name: &str, fields: Value| json!({"name": name, "timeUnixNano": "1200", "attributes": attributes(&fields)});
    let events = json!({"events": [
        event("gen_ai.content.prompt", json!({"gen_ai.prompt": "Refund it."})),
        event("gen_ai.content.completion", json!({"gen_ai.completion": "Done."})),
        event("guard.evaluation", json!({"guard.name": "pii", "guard.phase": "preflight", "guard.action": "redact",
            "guard.score": 0.9, "guard.classification": "email", "guard.explanation": "an address"})),
        event("guard.evaluation", json!({"guard.name": "odd", "guard.action": "perhaps"})),
    ]});
    let chat = json!({"gen_ai.operation.name": "chat", "gen_ai.request.model": "gpt-5", "gen_ai.usage.input_tokens": 8,
        "gen_ai.usage.output_tokens": 3, "gen_ai.tool.name": "get_order, issue_refund", "gen_ai.tool.call.id": "call_1, call_2",
        "gen_ai.tool.args": "{\"id\":1}, {\"id\":1}"});
    let read = spans("openlit.otel.tracing", "chat gpt-5", at(2, 1, 1), chat.clone(), events.clone());
    assert_eq!((read.dialect, read.node, intent(&read)), ("openlit", Node::Model, Some("Refund it.")));
    assert_eq!(messages(&read, Direction::Output)[0]["parts"][0]["content"], "Done.");
    let ids: Vec<_> = calls(&read).iter().map(|call| (call.id.as_deref(), head(&call.arguments))).collect();
    assert_eq!(ids, [(Some("call_1"), None), (Some("call_2"), None)]);
    let [check] = checks(&read)[..] else { panic!("one check") };
    assert_eq!(
        (&*check.name, check.result, &*check.label, check.score.as_deref()),
        ("pii", CheckResult::Fail, "email", Some("0.9"))
    );
    let run = spans("openlit", "run", at(1, 0, 1), json!({}), events.clone());
    assert_eq!((decisions(&run)[0].outcome, decisions(&run)[0].enforced), (Outcome::Modify, true));
    let tool = json!({"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "get_order"});
    let tool = spans("openlit", "execute_tool", at(3, 1, 1), tool, events);
    for of_a_text in [&read, &tool] {
        assert_eq!((decisions(of_a_text).len(), checks(of_a_text).len()), (0, 1));
    }
    let many =
        json!({"gen_ai.tool.name": vec!["t"; 5000].join(", "), "gen_ai.tool.call.id": vec!["c"; 5000].join(", ")});
    assert_eq!(calls(&one("openlit", "chat gpt-5", with(chat.clone(), many))).len(), 256);

    let tool = json!({"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "get_order", "gen_ai.tool.args": r#"{"id":1}"#});
    assert_eq!(head(&calls(&one("openlit", "execute_tool", tool))[0].arguments), Some(r#"{"id":1}"#));
    let both = json!({"openinference.span.kind": "LLM", "llm.model_name": "gpt-5", "llm.token_count.prompt": 8,
        "llm.token_count.completion": 3, "llm.input_messages.0.message.role": "user", "llm.input_messages.0.message.content": "x"});
    let both = one("openlit", "chat gpt-5", with(chat, both));
    assert_eq!(models(&[both]), [(8, 3)], "counted once");
}

// LiteLLM

fn litellm(name: &str, at: At<'_>, fields: Value) -> Evidence {
    spans("litellm", name, at, fields, json!({"status": {"code": 1}}))
}

#[test]
fn a_call_of_litellm_counts_once_and_keeps_its_answers() {
    let given = json!([{"role": "user", "parts": [{"type": "text", "content": "Refund it."}]},
        {"role": "assistant", "parts": [], "tool_calls": [{"id": "call_1", "type": "function", "function": {"name": "get_order", "arguments": "{}"}}]},
        {"role": "tool", "parts": [{"type": "text", "content": "delivered"}], "tool_call_id": "call_1"}]);
    for operation in ["chat", "acompletion", "aresponses"] {
        let request = json!({"gen_ai.operation.name": operation, "gen_ai.request.model": "gpt-5", "gen_ai.system": "openai",
            "gen_ai.usage.input_tokens": 12, "gen_ai.usage.output_tokens": 4, "gen_ai.response.id": "chatcmpl-1",
            "gen_ai.input.messages": given.to_string(), "gen_ai.output.messages": ASSISTANT_ASKS});
        let raw = json!({"llm.openai.model": "gpt-5", "llm.openai.usage": "{'prompt_tokens': 12}", "llm.openai.messages": "[…]"});
        let set = [litellm("litellm_request", at(1, 0, 1), request), litellm("raw_gen_ai_request", at(2, 1, 1), raw)];
        assert_eq!((set[0].dialect, set[1].dialect, set[1].facts.len()), ("litellm", "litellm", 0));
        assert_eq!(models(&set), [(12, 4)], "{operation}");
        assert_eq!(messages(&set[0], Direction::Input)[2]["parts"][0]["response"], "delivered");
        let both = assemble(&set).actions;
        let got = both.iter().find(|it| it.call_id.as_deref() == Some("call_1")).expect("the action");
        assert_eq!(
            got.tool.value().map(|tool| &**tool),
            Some("issue_refund"),
            "the proposal is newer than what it carries"
        );
    }
    let hidden = json!([{"role": "user", "parts": [{"type": "text", "content": "redacted-by-litellm"}]}]).to_string();
    let off =
        json!({"gen_ai.request.model": "gpt-5", "gen_ai.usage.input_tokens": 12, "gen_ai.usage.output_tokens": 4});
    let off = litellm("litellm_request", at(1, 0, 1), off);
    assert!(off.node == Node::Model && says(&off, &What::Withheld));
    let redacted = json!({"gen_ai.operation.name": "chat", "gen_ai.input.messages": hidden});
    let redacted = assemble(&[litellm("litellm_request", at(1, 0, 1), redacted)]);
    assert!(redacted.actions.is_empty());
}

#[test]
fn guardrails_of_litellm_are_checks_and_decisions() {
    for (fields, result, outcome) in [
        (json!({"guardrail_status": "success"}), CheckResult::Pass, Some(Outcome::Allow)),
        (json!({"guardrail_status": "guardrail_intervened"}), CheckResult::Fail, Some(Outcome::Deny)),
        (
            json!({"guardrail_response": "{\"action\": \"GUARDRAIL_INTERVENED\"}"}),
            CheckResult::Fail,
            Some(Outcome::Deny),
        ),
        (json!({"masked_entity_count": "{\"EMAIL_ADDRESS\": 2}"}), CheckResult::Fail, Some(Outcome::Modify)),
        (json!({"guardrail_status": "guardrail_failed_to_respond"}), CheckResult::Unknown, None),
        (json!({"guardrail_response": "some text"}), CheckResult::Unknown, None),
    ] {
        let base =
            json!({"openinference.span.kind": "GUARDRAIL", "guardrail_name": "presidio", "guardrail_mode": "pre_call"});
        let read = litellm("guardrail", at(3, 1, 1), with(base, fields.clone()));
        assert_eq!(
            (read.node, checks(&read)[0].result, &*checks(&read)[0].name),
            (Node::Check, result, "presidio"),
            "{fields}"
        );
        assert_eq!(decisions(&read).first().map(|made| made.outcome), outcome, "{fields}");
    }
}

#[test]
fn a_guardrail_s_name_alone_makes_nothing_litellm_s() {
    let found = json!({"guardrail_name": "presidio", "guardrail_status": "success"});
    let kinds = [
        json!({"openinference.span.kind": "TOOL", "tool.name": "t"}),
        json!({"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "t"}),
    ];
    for (scope, kind) in
        ["some.framework", "litellm"].iter().flat_map(|scope| kinds.iter().map(move |kind| (scope, kind)))
    {
        let tool = one(scope, "t", with(kind.clone(), found.clone()));
        assert_eq!((tool.node, calls(&tool).len(), checks(&tool).len()), (Node::Tool, 1, 0), "{scope}: {kind}");
        assert_eq!(tool.dialect == "litellm", *scope == "litellm");
    }
    let named = one("some.framework", "step", json!({"guardrail_name": "presidio"}));
    assert_eq!((named.dialect, named.facts.len()), ("unread", 0));
    let renamed = json!({"openinference.span.kind": "GUARDRAIL"});
    assert_eq!(one("my.tracer", "guardrail", with(found, renamed)).dialect, "litellm");
}

// LlamaIndex

#[test]
fn what_llama_index_leaves_of_a_call_is_that_it_was_made() {
    let event =
        |name: &str, fields: Value| json!({"name": name, "timeUnixNano": "1200", "attributes": attributes(&fields)});
    let traced = |name: &str, parent: u64, events: Value| {
        spans(
            "llamaindex.opentelemetry.tracer",
            name,
            at(2, parent, 1),
            json!({}),
            json!({"events": events, "status": {"code": 1}}),
        )
    };
    let called = json!({"tool_name": "issue_refund", "tool_id": "call_1"});
    let begun = traced("AgentWorkflow.call_tool-1f2e", 1, json!([event("AgentToolCallStartEvent", called.clone())]));
    assert_eq!(action(&[begun], "issue_refund").state, State::Executed(Execution::UnknownResult));
    let step = json!([event("AgentToolCallStartEvent", called.clone()), event("AgentToolCallEndEvent", called)]);
    let step = traced("AgentWorkflow.call_tool-1f2e", 1, step);
    let [call] = calls(&step)[..] else { panic!("one call") };
    assert_eq!(
        (step.dialect, call.id.as_deref(), call.tool.as_deref()),
        ("llama-index", Some("call_1"), Some("issue_refund"))
    );
    assert_eq!((&call.arguments, &call.result), (&Known::Missing(Missing::Lost), &Known::Missing(Missing::Lost)));
    assert_eq!(action(&[step], "issue_refund").state, State::Executed(Execution::Ok));
    let older =
        traced("ReActAgent.chat-1", 1, json!([event("AgentToolCallEvent", json!({"arguments": "{\"id\": 1}"}))]));
    assert_eq!(head(&calls(&older)[0].arguments), Some("{\"id\": 1}"));
    let chat = json!([
        event("AgentChatWithStepStartEvent", json!({"user_msg": "Refund it."})),
        event("LLMChatStartEvent", json!({}))
    ]);
    assert_eq!(intent(&traced("ReActAgent.chat-1", 0, chat.clone())), Some("Refund it."));
    assert_eq!(intent(&traced("ReActAgent.chat-1", 1, chat)), None, "asked by another agent");
    let found = traced("VectorIndexRetriever._retrieve-1", 1, json!([event("RetrievalEndEvent", json!({}))]));
    assert!(says(&found, &What::Context { ids: vec![], withheld: true }));
}

// Langfuse and guardrails-ai, what their recordings have besides

#[test]
fn langfuse_names_its_prompts_and_what_its_root_was_asked() {
    let asked = json!({"args": [[{"role": "system", "content": "You are a desk."}, {"role": "user", "content": "Do my homework."}]], "kwargs": {}});
    let root = json!({"langfuse.observation.type": "agent", "langfuse.observation.input": asked.to_string()});
    let run = |parent| spans("langfuse-sdk", "refund_desk", at(1, parent, 1), root.clone(), root_until(3));
    assert_eq!((intent(&run(0)), agent(&run(0))), (Some("Do my homework."), Some("refund_desk")));
    assert_eq!(intent(&run(9)), None);
    for (version, want) in [(json!(3), "desk@3"), (json!("3"), "desk@3"), (Value::Null, "desk")] {
        let fields = json!({"langfuse.observation.type": "generation", "langfuse.observation.prompt.name": "desk",
            "langfuse.observation.prompt.version": version});
        assert!(says(&one("langfuse-sdk", "plan", fields), &What::PromptVersion(want.into())), "{want}");
    }
    for (output, score) in [("0.4", Some("0.4")), (r#"{"score": 0.7}"#, Some("0.7")), ("\"good\"", None)] {
        let fields = json!({"langfuse.observation.type": "evaluator", "langfuse.observation.output": output});
        assert_eq!(checks(&one("langfuse-sdk", "judge", fields))[0].score.as_deref(), score, "{output}");
    }
}

#[test]
fn a_validator_that_only_has_a_message_failed() {
    let fields = json!({"openinference.span.kind": "GUARDRAIL", "type": "guardrails/guard/step/validator",
        "validator.name": "pii", "validator.on_fail": "exception", "validator.validate.output.error_message": "PII found"});
    let read = one("guardrails-ai", "pii.validate", fields);
    assert_eq!((checks(&read)[0].result, decisions(&read)[0].outcome), (CheckResult::Fail, Outcome::Deny));
}
