//! Coding agents that nobody recorded: records made by hand from published field lists.
//! They show that the lists are read as published, not that producers keep to them.

use serde_json::{Value, json};
use wherefore::model::{
    By, CheckResult, Effect, Evidence, Execution, GrantScope, Known, Missing, Moment, Node, Outcome, Phase, Proof,
    Pseudo, State, Status, What,
};

use crate::support::made::{action, actions, calls, checks, decisions, event, made, made_with, says, with};
use crate::support::otlp;

const TRACE: &str = "0102030405060708090a0b0c0d0e0f10";

/// A log record of a scope, its name as attribute and its body a sentence.
fn log_of(scope: &str, service: &str, name: &str, fields: Value, more: Value) -> Evidence {
    let record = with(
        json!({"timeUnixNano": "1500", "body": {"stringValue": format!("{name}: a sentence")},
            "attributes": otlp::attributes(&with(json!({"event.name": name}), fields))}),
        more,
    );
    let resource = json!({"attributes": otlp::attributes(&json!({"service.name": service, "session.id": "window-1"}))});
    let scopes = json!([{"scope": {"name": scope}, "logRecords": [record]}]);
    otlp::read(otlp::logs(&json!({"resourceLogs": [{"resource": resource, "scopeLogs": scopes}]})))
}

fn model(read: &Evidence) -> Option<(String, (u64, u64))> {
    read.facts.iter().find_map(|fact| match &fact.what {
        What::Model { model, tokens, .. } => Some((model.to_string(), *tokens)),
        _ => None,
    })
}

fn intent(read: &Evidence) -> Option<Known<String>> {
    read.facts.iter().find_map(|fact| match &fact.what {
        What::Intent(text) => Some(text.clone().map(|text| text.head.to_string())),
        _ => None,
    })
}

const WITHHELD: Known<String> = Known::Missing(Missing::Withheld);

// ---- GitHub Copilot ----

fn copilot(name: &str, place: (u8, u8), fields: Value) -> Evidence {
    made("copilot-chat", name, place, with(json!({"gen_ai.provider.name": "github"}), fields))
}

fn copilot_tool(place: (u8, u8), tool: &str, id: &str, more: Value) -> Evidence {
    let fields = json!({"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": tool, "gen_ai.tool.call.id": id,
        "copilot_chat.chat_session_id": "chat-1"});
    copilot(&format!("execute_tool {tool}"), place, with(fields, more))
}

fn copilot_event(name: &str, fields: Value) -> Evidence {
    log_of("copilot-chat", "copilot-chat", name, fields, json!({}))
}

#[test]
fn the_conversation_of_copilot_is_never_the_window() {
    let tool = copilot_tool((2, 1), "read_file", "call_1", json!({}));
    assert_eq!(tool.dialect, "github-copilot");
    assert!(says(&tool, &What::Conversation("chat-1".into())));
    let start =
        copilot_event("copilot_chat.session.start", json!({"session.id": "chat-1", "gen_ai.agent.name": "copilot"}));
    assert!(says(&start, &What::Conversation("chat-1".into())));
    for read in [&tool, &start] {
        assert!(!says(read, &What::Conversation("window-1".into())));
    }
}

#[test]
fn the_user_s_words_stand_on_the_outermost_agent_of_copilot() {
    let agent = |place, more: Value| {
        let fields = json!({"gen_ai.operation.name": "invoke_agent", "gen_ai.agent.name": "copilot",
            "gen_ai.conversation.id": "chat-1", "github.copilot.agent.type": "builtin"});
        copilot("invoke_agent copilot", place, with(fields, more))
    };
    let asked = agent((1, 0), json!({"copilot_chat.user_request": "Read README.md"}));
    assert_eq!((intent(&asked), asked.node), (Some(Known::Value("Read README.md".into())), Node::Agent));
    assert!(says(&asked, &What::Agent { name: "copilot".into(), version: None }));
    let bare = agent((1, 0), json!({}));
    assert!(intent(&bare) == Some(WITHHELD) && says(&bare, &What::Withheld));
    assert_eq!(intent(&agent((3, 2), json!({"copilot_chat.user_request": "look it up"}))), None);
    let fields = json!({"gen_ai.operation.name": "chat", "gen_ai.request.model": "gpt-5", "copilot_chat.user_request": "<context>"});
    assert_eq!(intent(&copilot("chat gpt-5", (2, 1), fields)), None, "on a model span it is the wrapped prompt");
}

#[test]
fn parameters_of_copilot_s_tools_are_target_and_effect() {
    let p = "github.copilot.tool.parameters";
    for (parameters, target, effect) in [
        (
            json!({format!("{p}.file_path"): "/srv/hello.py", format!("{p}.edit_type"): "create"}),
            Some("file:///srv/hello.py"),
            Some(Effect::Create),
        ),
        (
            json!({format!("{p}.file_path"): "c:\\hello.py", format!("{p}.edit_type"): "str_replace"}),
            Some("c:\\hello.py"),
            Some(Effect::Update),
        ),
        (json!({format!("{p}.command"): "npm test"}), None, Some(Effect::Execute)),
        (json!({}), None, None),
    ] {
        let read = copilot_tool((2, 1), "t", "call_1", parameters);
        let [call] = calls(&read)[..] else { panic!("one call") };
        assert_eq!((call.target.as_deref(), call.effect), (target, effect));
        assert_eq!(
            (&call.arguments, &call.result),
            (&Known::Missing(Missing::Withheld), &Known::Missing(Missing::Withheld))
        );
    }
    let mcp = copilot_tool((2, 1), "mcp_shop_get_order", "call_1", json!({format!("{p}.mcp_tool_name"): "get_order"}));
    assert_eq!(calls(&mcp)[0].tool.as_deref(), Some("get_order"));
    let tree = r#"{"node":{"type":1,"children":[{"type":2,"text":"a line"}]}}"#;
    let rendered = copilot_tool((2, 1), "read_file", "call_1", json!({"gen_ai.tool.call.result": tree}));
    assert_eq!(calls(&rendered)[0].result.value().map(|text| &*text.head), Some("a line"));
    let todo =
        copilot_tool((2, 1), "manage_todo_list", "c", json!({"gen_ai.tool.call.arguments": r#"{"todoList":[]}"#}));
    assert!(todo.facts.iter().any(|fact| matches!(fact.what, What::Plan { .. })));
}

fn copilot_hook(kind: &str, decision: &str, more: Value) -> Evidence {
    let fields = json!({"gen_ai.operation.name": "execute_hook", "copilot_chat.hook_type": kind, "github.copilot.hook.decision": decision,
        "github.copilot.hook.tool_names": r#"["bash"]"#, "copilot_chat.chat_session_id": "chat-1"});
    copilot(&format!("execute_hook {kind}"), (4, 1), with(fields, more))
}

#[test]
fn hooks_of_copilot_decide_before_the_tool_and_check_after_it() {
    for (word, outcome, enforced) in [
        ("pass", Outcome::Allow, false),
        ("approve", Outcome::Allow, true),
        ("block", Outcome::Deny, true),
        ("non_blocking_error", Outcome::Warn, false),
    ] {
        let read = copilot_hook("PreToolUse", word, json!({}));
        let [made] = decisions(&read)[..] else { panic!("one decision") };
        assert_eq!((made.outcome, made.by, made.enforced, &*made.raw), (outcome, By::Hook, enforced, word));
        assert_eq!((made.tool.as_deref(), made.call_id.as_deref()), (Some("bash"), None));
    }
    let after = copilot_hook("PostToolUse", "block", json!({}));
    assert!(decisions(&after).is_empty());
    assert_eq!((checks(&after)[0].phase, checks(&after)[0].result), (Phase::PostAction, CheckResult::Fail));
    let other = copilot_hook("Stop", "block", json!({}));
    assert!(decisions(&other).is_empty() && checks(&other).is_empty(), "not about a call");
    let unknown = copilot_hook("PreToolUse", "perhaps", json!({}));
    assert!(decisions(&unknown).is_empty());
}

#[test]
fn a_call_that_a_hook_of_copilot_blocks_is_refused() {
    let input = json!({"copilot_chat.hook_input": r#"{"tool_name": "bash", "tool_use_id": "call_1", "tool_input": {"command": "rm"}}"#});
    let refused = action(&[copilot_hook("PreToolUse", "block", input.clone())]);
    assert_eq!((refused.state.clone(), refused.call_id.as_deref()), (State::Refused(By::Hook), Some("call_1")));
    assert_eq!(refused.arguments.value().map(|text| &*text.head), Some(r#"{"command":"rm"}"#));
    let passed =
        action(&[copilot_hook("PreToolUse", "pass", input), copilot_tool((5, 1), "bash", "call_1", json!({}))]);
    assert_eq!((passed.state.clone(), passed.decisions.len()), (State::Executed(Execution::Ok), 1));
}

/// A model call of the CLI: its hooks are events of its span.
fn copilot_cli(hooks: &[(&str, &str, &[&str])], calls: &[(&str, &str)]) -> Evidence {
    let said = |(kind, decision, tools): &(&str, &str, &[&str])| {
        let fields = json!({"github.copilot.hook.type": kind, "github.copilot.hook.invocation_id": "i-1",
            "github.copilot.hook.tool_names": json!(tools).to_string(), "github.copilot.hook.decision": decision});
        event("github.copilot.hook.end", 7000, fields)
    };
    let parts = calls.iter().map(|(name, id)| json!({"type": "tool_call", "id": id, "name": name, "arguments": {}}));
    let output = json!([{"role": "assistant", "parts": parts.collect::<Vec<_>>()}]).to_string();
    let content = if calls.is_empty() { json!({}) } else { json!({"gen_ai.output.messages": output}) };
    let fields =
        json!({"gen_ai.operation.name": "chat", "gen_ai.request.model": "gpt-5", "gen_ai.conversation.id": "c-1"});
    let more = json!({"events": hooks.iter().map(said).collect::<Vec<_>>()});
    made_with("github.copilot", "chat gpt-5", (2, 1), with(fields, content), more)
}

#[test]
fn hooks_of_the_copilot_cli_are_put_to_the_calls_that_they_looked_at() {
    let silent = copilot_cli(&[("preToolUse", "deny", &["bash"])], &[]);
    let [made] = decisions(&silent)[..] else { panic!("one decision") };
    assert_eq!((made.outcome, made.tool.as_deref(), made.call_id.as_deref()), (Outcome::Deny, Some("bash"), None));
    assert_eq!(silent.dialect, "github-copilot");

    let both = &[("preToolUse", "deny", &["bash"][..]), ("preToolUse", "allow", &["view", "view"][..])];
    let read = copilot_cli(both, &[("bash", "call_1"), ("view", "call_2"), ("view", "call_3")]);
    let told: Vec<_> = decisions(&read).iter().map(|made| (made.call_id.as_deref(), made.outcome)).collect();
    let allowed = |id| (Some(id), Outcome::Allow);
    assert_eq!(told, [(Some("call_1"), Outcome::Deny), allowed("call_2"), allowed("call_3")], "one for each call");
    let ran = copilot_tool((5, 1), "view", "call_2", json!({}));
    let states: Vec<_> = actions(&[read, ran]).into_iter().map(|it| (it.call_id.clone(), it.state)).collect();
    assert!(states.contains(&(Some("call_1".into()), State::Refused(By::Hook))), "{states:?}");
    assert!(states.contains(&(Some("call_2".into()), State::Executed(Execution::Ok))), "{states:?}");

    let unclear = copilot_cli(&[("preToolUse", "deny", &["bash"])], &[("bash", "call_1"), ("bash", "call_2")]);
    assert!(decisions(&unclear).is_empty(), "one hook, two calls: nobody knows which");
    let (tools, many) = (vec!["view"; 2000], vec![("view", "call_1"); 2000]);
    assert_eq!(decisions(&copilot_cli(&[("preToolUse", "allow", &tools)], &[])).len(), 1);
    assert!(decisions(&copilot_cli(&[("preToolUse", "allow", &tools)], &many)).is_empty(), "nobody looks at so many");
}

#[test]
fn a_sandbox_of_the_copilot_cli_is_a_policy_and_an_abort_is_a_person_s() {
    let state = json!({"github.copilot.sandbox.decision_kind": "enforcement_state", "github.copilot.sandbox.control": "process",
        "github.copilot.sandbox.outcome": "inactive"});
    let fields =
        json!({"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "bash", "gen_ai.tool.call.id": "call_1"});
    let more = json!({"events": [event("github.copilot.sandbox.enforcement_state", 5, state)]});
    let tool = made_with("github.copilot", "execute_tool bash", (2, 1), fields, more);
    assert!(says(&tool, &What::Policy("sandbox.process=inactive".into())));
    let stopped = |operation: &str| {
        let abort = event("github.copilot.session.abort", 5, json!({"github.copilot.abort_reason": "user initiated"}));
        let fields = json!({"gen_ai.operation.name": operation, "gen_ai.agent.name": "copilot"});
        made_with("github.copilot", operation, (1, 0), fields, json!({ "events": [abort] }))
    };
    let read = stopped("invoke_agent");
    assert_eq!((decisions(&read)[0].outcome, decisions(&read)[0].by), (Outcome::Abort, By::Human));
    assert!(decisions(&stopped("chat")).is_empty());
}

#[test]
fn a_sub_agent_of_copilot_is_an_edge() {
    let fields = json!({"gen_ai.operation.name": "invoke_agent", "gen_ai.agent.name": "explore", "github.copilot.agent.type": "builtin"});
    let set = [
        copilot_tool((2, 1), "runSubagent", "call_1", json!({})),
        copilot("invoke_agent explore", (3, 2), fields),
        copilot_tool((4, 3), "read_file", "call_2", json!({})),
    ];
    assert!(set.iter().all(|read| read.dialect == "github-copilot"));
    let only = action(&set);
    assert_eq!(only.call_id.as_deref(), Some("call_2"));
}

#[test]
fn a_failed_tool_of_copilot_failed() {
    let read = copilot_tool((2, 1), "read_file", "call_1", json!({"error.type": "FileNotFound"}));
    assert_eq!(read.dialect, "github-copilot");
    assert_eq!(action(&[read]).state, State::Executed(Execution::Failed("FileNotFound".into())));
}

#[test]
fn what_became_of_an_edit_of_copilot_is_a_check_after_the_action() {
    for (name, fields, result) in [
        ("edit.feedback", json!({"outcome": "accepted", "request_id": "r-1"}), CheckResult::Pass),
        ("edit.feedback", json!({"outcome": "rejected"}), CheckResult::Fail),
        ("edit.feedback", json!({"outcome": "saved"}), CheckResult::Unknown),
        ("edit.hunk.action", json!({"outcome": "rejected", "line_count": 3}), CheckResult::Fail),
        ("inline.done", json!({"accepted": true}), CheckResult::Pass),
        ("inline.done", json!({"accepted": false}), CheckResult::Fail),
        ("user.feedback", json!({"rating": "helpful", "conversation_id": "chat-1"}), CheckResult::Pass),
        ("inline_agent_survey", json!({"rating": "partly"}), CheckResult::Unknown),
        ("edit.survival", json!({"survival_rate_no_revert": 1, "survival_rate_four_gram": 0.9}), CheckResult::Pass),
        ("edit.survival", json!({"survival_rate_no_revert": 0.0, "time_delay_ms": 5000}), CheckResult::Fail),
        ("edit.survival", json!({"survival_rate_no_revert": 0.7}), CheckResult::Unknown),
        ("edit.survival", json!({"survival_rate_no_revert": 0, "did_branch_change": true}), CheckResult::Unknown),
    ] {
        let read = copilot_event(&format!("copilot_chat.{name}"), fields.clone());
        let [check] = checks(&read)[..] else { panic!("one check: {name}") };
        assert_eq!((&*check.name, check.phase, check.result), (name, Phase::PostAction, result), "{fields}");
        assert!(decisions(&read).is_empty(), "nobody asked for an approval");
    }
    let survived = copilot_event(
        "copilot_chat.edit.survival",
        json!({"survival_rate_no_revert": 0.7, "time_delay_ms": 5000, "edit_source": "apply_patch"}),
    );
    assert_eq!(
        (checks(&survived)[0].score.as_deref(), &*checks(&survived)[0].label),
        (Some("0.7"), "apply_patch after 5000 ms")
    );
}

#[test]
fn what_copilot_says_twice_counts_once() {
    let details = json!({"gen_ai.operation.name": "chat", "gen_ai.request.model": "gpt-5", "gen_ai.response.id": "resp-1",
        "gen_ai.usage.input_tokens": 268, "gen_ai.usage.output_tokens": 7});
    let name = "gen_ai.client.inference.operation.details";
    let read = copilot_event(name, details.clone());
    assert_eq!((model(&read), read.dialect), (None, "github-copilot"));
    assert!(says(&read, &What::Response("resp-1".into())));
    let other = log_of("lib", "desk", name, details, json!({}));
    assert_eq!(model(&other), Some(("gpt-5".into(), (268, 7))), "others have no span for it");
    let called = copilot_event(
        "copilot_chat.tool.call",
        json!({"gen_ai.tool.name": "read_file", "success": true, "duration_ms": 6}),
    );
    assert!(calls(&called).is_empty());
    let cloud = copilot_event("copilot_chat.cloud.session.invoke", json!({"partner_agent": "coder"}));
    assert_eq!(calls(&cloud)[0].pseudo, Some(Pseudo::Delegation { to: Some("coder".into()) }));
}

#[test]
fn a_risk_assessment_of_copilot_is_advice() {
    let assessed = |place, answer: &str| {
        let output = json!([{"role": "assistant", "parts": [{"type": "text", "content": answer}]}]).to_string();
        let fields = json!({"gen_ai.operation.name": "chat", "gen_ai.request.model": "gpt-4o-mini", "gen_ai.output.messages": output,
            "copilot_chat.debug_name": "copilotLanguageModelWrapper"});
        copilot("chat gpt-4o-mini", place, fields)
    };
    for (risk, outcome) in [("green", Outcome::Allow), ("yellow", Outcome::Warn), ("red", Outcome::Warn)] {
        let read = assessed((1, 0), &json!({"risk": risk, "explanation": "x"}).to_string());
        let [made] = decisions(&read)[..] else { panic!("one decision") };
        assert_eq!((made.outcome, made.by, made.enforced), (outcome, By::Model, false));
    }
    assert!(decisions(&assessed((2, 1), r#"{"risk": "red"}"#)).is_empty(), "an answer within a turn");
    assert!(decisions(&assessed((1, 0), "the risk is red")).is_empty());
}

// ---- Qwen Code ----

fn qwen(name: &str, place: (u8, u8), fields: Value) -> Evidence {
    made("qwen-code", &format!("qwen-code.{name}"), place, with(json!({"session.id": "s-1"}), fields))
}

fn qwen_event(name: &str, fields: Value, more: Value) -> Evidence {
    let common = json!({"session.id": "s-1", "prompt_id": "p-1"});
    log_of("qwen-code", "qwen-code", &format!("qwen-code.{name}"), with(common, fields), more)
}

const QWEN_TOOL: &str = "run_shell_command";

fn qwen_tool(more: Value) -> Evidence {
    let fields = json!({"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": QWEN_TOOL, "gen_ai.tool.type": "function",
        "tool.call_id": "call_1", "call_id": "call_1", "tool_name": QWEN_TOOL});
    qwen("tool", (2, 1), with(fields, more))
}

fn qwen_answer(decision: &str, source: &str) -> Evidence {
    let fields = json!({"tool.name": QWEN_TOOL, "tool.call_id": "call_1", "decision": decision, "source": source, "duration_ms": 5});
    qwen("tool.blocked_on_user", (3, 2), fields)
}

fn qwen_execution(more: Value) -> Evidence {
    let fields = json!({"gen_ai.tool.name": QWEN_TOOL, "tool.call_id": "call_1"});
    qwen("tool.execution", (4, 2), with(fields, more))
}

#[test]
fn answers_to_qwen_code_are_normalised() {
    use {GrantScope as S, Outcome as O};
    for (decision, source, want) in [
        ("proceed_once", "cli", Some((O::Allow, By::Human, S::Once, false))),
        ("proceed_always", "ide", Some((O::Allow, By::Human, S::Permanent, false))),
        ("proceed_once", "hook", Some((O::Allow, By::Hook, S::Once, false))),
        ("auto_approved", "auto", Some((O::Allow, By::Policy, S::Unknown, true))),
        ("cancel", "cli", Some((O::Deny, By::Human, S::Once, false))),
        ("aborted", "cli", Some((O::Abort, By::Human, S::Once, false))),
        ("aborted", "system", Some((O::Timeout, By::System, S::Once, false))),
        ("error", "system", None),
    ] {
        let read = qwen_answer(decision, source);
        let made = decisions(&read).first().map(|made| (made.outcome, made.by, made.scope, made.standing));
        assert_eq!(made, want, "{decision}/{source}");
        if let Some(made) = decisions(&read).first() {
            assert_eq!((&*made.raw, made.call_id.as_deref()), (&*format!("{decision}/{source}"), Some("call_1")));
        }
    }
}

#[test]
fn a_tool_span_of_qwen_code_proves_only_what_it_says() {
    for (more, want) in [
        (json!({"success": true}), Moment::Ran { status: Status::Fine, proof: Proof::Ran }),
        (
            json!({"success": false, "tool.failure_kind": "tool_error"}),
            Moment::Ran { status: Status::Error("tool_error".into()), proof: Proof::Ran },
        ),
        (json!({"tool.failure_kind": "pre_hook_blocked"}), Moment::Refused { by: By::Hook }),
        (json!({"tool.failure_kind": "permission_denied", "success": false}), Moment::Refused { by: By::Policy }),
        (json!({"tool.failure_kind": "cancelled", "success": false}), Moment::Proposed),
        (json!({}), Moment::Proposed),
    ] {
        let read = qwen_tool(more.clone());
        assert_eq!((read.dialect, read.node), ("qwen-code", Node::Tool));
        assert_eq!(calls(&read)[0].moment, want, "{more}");
        assert_eq!(calls(&read)[0].arguments, Known::Missing(Missing::Withheld));
    }
}

#[test]
fn calls_of_qwen_code_end_as_they_were_answered() {
    let ok = json!({"success": true, "execution_status": "success"});
    let approved =
        action(&[qwen_tool(json!({"success": true})), qwen_answer("proceed_once", "cli"), qwen_execution(ok)]);
    assert_eq!((approved.state.clone(), approved.decisions.len()), (State::Executed(Execution::Ok), 1));
    let rejected = action(&[qwen_tool(json!({"tool.failure_kind": "cancelled"})), qwen_answer("cancel", "cli")]);
    assert_eq!(rejected.state, State::Refused(By::Human));
    let left = action(&[qwen_tool(json!({"qwen-code.span.ttl_expired": true})), qwen_answer("aborted", "system")]);
    assert_eq!(left.state, State::Expired);
    let by_rule = action(&[qwen_tool(json!({"tool.failure_kind": "permission_denied"}))]);
    assert_eq!(by_rule.state, State::Refused(By::Policy));
    let failed = json!({"success": false, "error_type": "ENOENT", "execution_status": "error"});
    let failed = action(&[qwen_tool(json!({})), qwen_answer("auto_approved", "auto"), qwen_execution(failed)]);
    assert_eq!(failed.state, State::Executed(Execution::Failed("ENOENT".into())));
    let untried = qwen_execution(json!({"execution_status": "not_started"}));
    assert!(calls(&untried).is_empty() && untried.node == Node::Other);
}

#[test]
fn hooks_of_qwen_code_decide_before_and_check_after() {
    let hook = |fields: Value| {
        let base = json!({"tool.name": "mcp__shop__get_order", "tool.use_id": "toolu_made_for_the_hook"});
        qwen("hook", (5, 2), with(base, fields))
    };
    for (fields, outcome) in [
        (json!({"hook_event": "PreToolUse", "should_proceed": true}), Outcome::Allow),
        (json!({"hook_event": "PreToolUse", "should_proceed": false, "block_type": "denied"}), Outcome::Deny),
        (json!({"hook_event": "PreToolUse", "should_proceed": false, "block_type": "ask"}), Outcome::Ask),
        (json!({"hook_event": "PreToolUse", "should_proceed": false, "block_type": "stop"}), Outcome::Abort),
    ] {
        let read = hook(fields);
        let [made] = decisions(&read)[..] else { panic!("one decision") };
        assert_eq!((made.outcome, made.by, made.tool.as_deref()), (outcome, By::Hook, Some("get_order")));
        assert_eq!(made.call_id, None, "the hook's id is no call id");
    }
    let after = hook(json!({"hook_event": "PostToolUse", "should_stop": true}));
    assert_eq!((checks(&after)[0].phase, checks(&after)[0].result), (Phase::PostAction, CheckResult::Fail));
}

#[test]
fn agents_of_qwen_code_and_their_edges() {
    let fields = json!({"gen_ai.operation.name": "invoke_agent", "gen_ai.agent.name": "qwen-code", "gen_ai.conversation.id": "s-1",
        "qwen-code.prompt_id": "p-1", "qwen-code.approval_mode": "auto-edit", "new_context": "[USER PROMPT]\nfix the test"});
    let turn = qwen("interaction", (1, 0), fields);
    assert!(
        says(&turn, &What::Policy("approval_mode=auto-edit".into())) && says(&turn, &What::Conversation("s-1".into()))
    );
    assert_eq!((turn.node, intent(&turn)), (Node::Agent, Some(Known::Value("fix the test".into()))));

    let task = qwen(
        "tool",
        (2, 1),
        json!({"tool_name": "agent", "tool.call_id": "call_1", "success": true,
        "gen_ai.tool.call.arguments": r#"{"subagent_type": "Explore", "prompt": "look"}"#}),
    );
    assert_eq!(calls(&task)[0].pseudo, Some(Pseudo::Delegation { to: Some("Explore".into()) }));
    let sub = qwen(
        "subagent",
        (3, 2),
        json!({"qwen-code.subagent.name": "Explore", "qwen-code.subagent.status": "completed"}),
    );
    assert!(sub.node == Node::Agent && says(&sub, &What::Agent { name: "Explore".into(), version: None }));
    assert!(actions(&[turn, task, sub]).is_empty());

    for fields in [json!({"gen_ai.operation.name": "chat"}), json!({})] {
        let used = json!({"gen_ai.request.model": "qwen3-coder", "gen_ai.usage.input_tokens": 90, "gen_ai.usage.output_tokens": 9});
        let read = qwen("llm_request", (4, 1), with(used, fields));
        assert_eq!((read.node, model(&read)), (Node::Model, Some(("qwen3-coder".into(), (90, 9)))));
        assert_eq!(read.facts.iter().filter(|fact| matches!(fact.what, What::Model { .. })).count(), 1);
    }
}

#[test]
fn events_of_qwen_code_stand_for_calls_only_where_there_are_no_spans() {
    let fields = json!({"function_name": QWEN_TOOL, "function_args": r#"{"command": "ls"}"#, "success": true, "status": "success",
        "decision": "accept", "execution_status": "success", "tool_type": "native"});
    let inside = json!({"traceId": TRACE, "spanId": "0000000000000001"});
    let repeated = qwen_event("tool_call", fields.clone(), inside.clone());
    assert!(calls(&repeated).is_empty() && decisions(&repeated).is_empty());
    let alone = qwen_event("tool_call", fields, json!({}));
    assert!(says(&alone, &What::Turn("p-1".into())));
    let ran = action(&[alone]);
    assert_eq!(
        (ran.state.clone(), ran.arguments.value().map(|text| &*text.head)),
        (State::Executed(Execution::Ok), Some(r#"{"command": "ls"}"#))
    );

    let refused = |by| Moment::Refused { by };
    let failed = Moment::Ran { status: Status::Error("ENOENT".into()), proof: Proof::Ran };
    for (more, moment) in [
        (json!({"status": "cancelled", "success": false, "decision": "reject"}), refused(By::Human)),
        (json!({"status": "error", "success": false, "error_type": "execution_denied"}), refused(By::Policy)),
        (json!({"success": false, "decision": "reject", "error_type": "execution_denied"}), refused(By::Policy)),
        (json!({"success": false, "decision": "reject", "error_type": "pre_hook_blocked"}), refused(By::Hook)),
        (json!({"status": "cancelled", "success": false}), Moment::Proposed),
        (json!({"status": "error", "success": false, "error_type": "ENOENT"}), failed),
    ] {
        let fields = with(json!({"function_name": QWEN_TOOL, "function_args": "{}"}), more.clone());
        let told = qwen_event("tool_call", fields, json!({}));
        assert_eq!(calls(&told)[0].moment, moment, "{more}");
        for made in decisions(&told) {
            assert!(made.outcome == Outcome::Deny && made.parameters.is_some(), "{more}");
            assert_eq!(Moment::Refused { by: made.by }, moment, "{more}");
        }
    }
    for (more, by) in [
        (json!({}), By::Unknown),
        (json!({"interactive": true}), By::Unknown),
        (json!({"interactive": false}), By::Policy),
        (json!({"approval_mode": "yolo"}), By::Policy),
    ] {
        let fields =
            json!({"function_name": QWEN_TOOL, "function_args": "{}", "success": true, "decision": "auto_accept"});
        let told = qwen_event("tool_call", with(fields, more.clone()), json!({}));
        assert_eq!((decisions(&told)[0].outcome, decisions(&told)[0].by), (Outcome::Allow, by), "{more}");
    }
    let used = json!({"model": "qwen3-coder", "input_token_count": 5, "output_token_count": 2});
    assert_eq!(model(&qwen_event("api_response", used.clone(), json!({}))), Some(("qwen3-coder".into(), (5, 2))));
    assert_eq!(model(&qwen_event("api_response", used, inside)), None);
    assert_eq!(
        intent(&qwen_event("user_prompt", json!({"prompt": "fix it"}), json!({}))),
        Some(Known::Value("fix it".into()))
    );
    assert_eq!(intent(&qwen_event("user_prompt", json!({"prompt_length": 6}), json!({}))), Some(WITHHELD));
    let mode = qwen_event("config", json!({"approval_mode": "plan"}), json!({}));
    assert!(says(&mode, &What::Policy("approval_mode=plan".into())));
}

// ---- opencode ----

fn opencode_tool(prefix: &str, tool: &str, error: Option<&str>) -> Evidence {
    let fields = json!({"openinference.span.kind": "TOOL", "session.id": "ses_1", "tool.id": "call_1", "tool.name": tool,
        "tool.parameters": r#"{"command":"ls"}"#, "input.value": r#"{"command":"ls","subagent_type":"explore"}"#, "agent.name": "build"});
    let (said, status) = match error {
        None => (json!({"output.value": "README.md", "tool.success": true}), json!({"status": {"code": 1}})),
        Some(error) => (
            json!({"output.value": error, "tool.success": false, "tool.error": error}),
            json!({"status": {"code": 2, "message": error}}),
        ),
    };
    made_with("com.opencode", &format!("{prefix}tool.{tool}"), (2, 1), with(fields, said), status)
}

fn opencode_event(name: &str, fields: Value) -> Evidence {
    let common = json!({"session.id": "ses_1", "agent.name": "build", "project.id": "p"});
    log_of("com.opencode", "opencode", name, with(common, fields), json!({"body": {"stringValue": name}}))
}

#[test]
fn a_tool_span_of_opencode_says_whether_the_tool_ran() {
    let rejected = "The user rejected permission to use this specific tool call.";
    let ruled = "The user has specified a rule which prevents you from using this specific tool call. Here are some of the relevant rules []";
    let quoted = "grep found: Permission denied by ruleset";
    for prefix in ["opencode.", "claude_code."] {
        for (error, state) in [
            (None, State::Executed(Execution::Ok)),
            (Some("ENOENT: no such file"), State::Executed(Execution::Failed("ENOENT: no such file".into()))),
            (Some(rejected), State::Refused(By::Human)),
            (Some(ruled), State::Refused(By::Policy)),
            (Some("PermissionDeniedError: Permission denied by ruleset"), State::Refused(By::Policy)),
            (Some("session execution ended before tool completed"), State::Expired),
            (Some("session ended before tool completed"), State::Expired),
            (Some(quoted), State::Executed(Execution::Failed(quoted.into()))),
        ] {
            let read = opencode_tool(prefix, "bash", error);
            assert_eq!((read.dialect, read.node), ("opencode", Node::Tool));
            assert!(says(&read, &What::Conversation("ses_1".into())));
            let one = action(&[read]);
            assert_eq!((one.state.clone(), one.call_id.as_deref()), (state, Some("call_1")), "{error:?}");
        }
    }
    let task = opencode_tool("opencode.", "task", None);
    assert_eq!(calls(&task)[0].pseudo, Some(Pseudo::Delegation { to: Some("explore".into()) }));
}

#[test]
fn the_answer_to_a_prompt_of_opencode_counts_and_not_the_plugin_s_word() {
    use {GrantScope as S, Outcome as O};
    for (decision, source, want) in [
        ("accept", "once", Some((O::Allow, S::Once))),
        ("reject", "once", Some((O::Allow, S::Once))),
        ("reject", "always", Some((O::Allow, S::Session))),
        ("accept", "allowAlways", Some((O::Allow, S::Session))),
        ("reject", "reject", Some((O::Deny, S::Once))),
        ("accept", "of tomorrow", Some((O::Allow, S::Unknown))),
        ("perhaps", "", None),
    ] {
        let fields = json!({"decision": decision, "source": source, "tool_name": "git push", "tool_type": "bash"});
        let read = opencode_event("tool_decision", fields);
        assert_eq!(read.dialect, "opencode");
        let made = decisions(&read).first().map(|made| (made.outcome, made.scope));
        assert_eq!(made, want, "{decision}/{source}");
        for made in decisions(&read) {
            assert_eq!(
                (made.by, made.tool.as_deref(), &*made.raw),
                (By::Human, Some("bash"), &*format!("{decision}/{source}"))
            );
        }
    }
    let newer = opencode_event("tool_decision", json!({"decision": "accept", "source": "once", "tool_name": "edit"}));
    assert_eq!(decisions(&newer)[0].tool.as_deref(), Some("edit"));
}

#[test]
fn older_spans_and_logs_of_opencode_are_calls_too() {
    let span = |status: Value| {
        let fields = json!({"session.id": "ses_1", "tool.name": "bash"});
        made_with("com.opencode", "opencode.tool bash", (2, 1), fields, json!({ "status": status }))
    };
    let fine = span(json!({"code": 1}));
    assert!(fine.node == Node::Tool && says(&fine, &What::Conversation("ses_1".into())));
    let ran = action(&[fine]);
    assert_eq!(
        (ran.state.clone(), ran.tool.value().map(|tool| &**tool)),
        (State::Executed(Execution::Ok), Some("bash"))
    );
    let swept = json!({"code": 2, "message": "session ended before tool completed"});
    assert_eq!(calls(&span(swept))[0].moment, Moment::Proposed);

    let rejected = "The user rejected permission to use this specific tool call.";
    for (more, moment) in [
        (json!({"success": true}), Moment::Ran { status: Status::Fine, proof: Proof::Ran }),
        (
            json!({"success": false, "error": "ENOENT"}),
            Moment::Ran { status: Status::Error("ENOENT".into()), proof: Proof::Ran },
        ),
        (json!({"success": false, "error": rejected}), Moment::Refused { by: By::Human }),
    ] {
        let read = opencode_event("tool_result", with(json!({"tool_name": "bash"}), more.clone()));
        let [call] = calls(&read)[..] else { panic!("one call") };
        assert_eq!((&call.moment, call.tool.as_deref()), (&moment, Some("bash")), "{more}");
    }
    let handed = opencode_event("subtask_invoked", json!({"agent": "explore"}));
    assert_eq!(calls(&handed)[0].pseudo, Some(Pseudo::Delegation { to: Some("explore".into()) }));
}

#[test]
fn what_opencode_logs_beside_its_spans_counts_once() {
    let inside = json!({"traceId": TRACE, "spanId": "0000000000000001"});
    let result =
        json!({"session.id": "ses_1", "agent.name": "build", "tool_name": "bash", "success": true, "duration_ms": 4});
    let result = log_of(
        "com.opencode",
        "opencode",
        "tool_result",
        result,
        with(json!({"body": {"stringValue": "tool_result"}}), inside),
    );
    let used = opencode_event("api_request", json!({"model": "m", "input_tokens": 4, "output_tokens": 2}));
    assert!(calls(&result).is_empty() && model(&used).is_none());
    assert!(says(&result, &What::Conversation("ses_1".into())));
    assert!(says(&result, &What::Agent { name: "build".into(), version: None }));
    assert_eq!(intent(&opencode_event("user_prompt", json!({"prompt_length": 9}))), Some(WITHHELD));
    assert_eq!(
        intent(&opencode_event("user_prompt", json!({"prompt": "fix it"}))),
        Some(Known::Value("fix it".into()))
    );
    let handed = opencode_event("subtask_invoked", json!({"agent.name": "explore", "description": "look"}));
    assert_eq!(calls(&handed)[0].pseudo, Some(Pseudo::Delegation { to: Some("explore".into()) }));
    assert!(!handed.facts.iter().any(|fact| matches!(fact.what, What::Agent { .. })), "it is the other agent");

    let prompt = json!({"openinference.span.kind": "AGENT", "session.id": "ses_1", "agent.name": "build", "input.value": "fix it"});
    let turn = made("com.opencode", "claude_code.session", (1, 0), prompt);
    assert_eq!((turn.node, intent(&turn)), (Node::Agent, Some(Known::Value("fix it".into()))));
    let answered = json!({"openinference.span.kind": "LLM", "session.id": "ses_1", "llm.model_name": "claude-sonnet-5",
        "llm.provider": "anthropic", "llm.token_count.prompt": 12, "llm.token_count.completion": 3});
    let llm = made("com.opencode", "claude_code.llm", (3, 1), answered);
    assert_eq!((llm.node, model(&llm)), (Node::Model, Some(("claude-sonnet-5".into(), (12, 3)))));
}
