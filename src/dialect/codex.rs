//! Codex CLI: log events, and spans whose own records carry no content.
//!
//! An event's name is the attribute `event.name`; the record's own name is a place in the source code. About three
//! quarters of the records have no trace; those stand in the conversation alone.
//!
//! | event | says |
//! |---|---|
//! | `codex.conversation_starts` | approval and sandbox mode in force |
//! | `codex.user_prompt` | the intent; `[REDACTED]` by default |
//! | `codex.sse_event` with token counts | the model, once per answer |
//! | `codex.tool_decision` | who decided what about a call |
//! | `codex.tool_result` | arguments and output; `success` is a text, and true whatever a command's exit code |
//!
//! * A rejected call has a result too: `success` is false and the output says `Rejected("rejected by user")`.
//! * An approval that is answered with *cancel* leaves no record, and calls of MCP tools have no decision.
//! * A sub-agent has a conversation of its own. `spawn_agent` answers with its id, which that conversation has too.
//! * A tool's dispatch span is also made for a call that is rejected: it proves nothing. Spans repeat the tokens of a
//!   turn; only log events are counted.
//!
//! Source: `codex-rs/otel/src/events/session_telemetry.rs` of `openai/codex`, and recordings of 0.169.

use serde_json::Value;

use crate::model::{
    By, Call, Decision, GrantScope, Known, Missing, Moment, Node, Outcome, Proof, Pseudo, Status, Tie, What,
};
use crate::values;

use super::draft::{a_decision, an_id, word};
use super::{Content, Dialect, Draft, Rules, Source};

const EVENT: &str = "event.name";

/// Modes in force, as policies.
const MODES: [&str; 2] = ["approval_policy", "sandbox_policy"];

/// Policies of approval, and whether commands run under them unasked. After a failure under `on-failure` somebody is.
const APPROVALS: &[(&str, Option<bool>)] =
    &[("untrusted", Some(false)), ("on-request", Some(false)), ("on-failure", None), ("never", Some(true))];

/// The sandbox that is none: whoever would only be asked to leave it is not asked at all.
const UNBOXED: &str = "danger-full-access";

/// Beginnings of decisions, without case and underscores; the first that fits counts.
const DECISIONS: &[(&str, Outcome, GrantScope)] = &[
    ("approvedforsession", Outcome::Allow, GrantScope::Session),
    ("approvedexecpolicyamendment", Outcome::Allow, GrantScope::Permanent),
    ("approvedwithamendment", Outcome::Allow, GrantScope::Permanent),
    ("approvedwithnetworkpolicyallow", Outcome::Allow, GrantScope::Permanent),
    ("approved", Outcome::Allow, GrantScope::Once),
    ("deniedwithnetworkpolicydeny", Outcome::Deny, GrantScope::Permanent),
    ("denied", Outcome::Deny, GrantScope::Once),
    ("abort", Outcome::Abort, GrantScope::Once),
    ("timedout", Outcome::Timeout, GrantScope::Once),
];

/// Who decided, without case and underscores.
const SOURCES: &[(&str, By)] = &[("user", By::Human), ("config", By::Policy), ("automatedreviewer", By::Model)];

/// Tools that hand work to another agent, and the namespace of those that only manage such agents.
const SPAWN: &str = "spawn_agent";
const AGENTS: &str = "multi_agent";

/// Lines before the output of a tool.
const FRAME: &[&str] = &["Chunk ID: ", "Wall time: ", "Exit code: "];
const EXIT_CODE: &[&str] = &["Process exited with code ", "Exit code: "];

/// Records of Codex's scopes, and its events in any.
pub struct Codex;

impl Dialect for Codex {
    fn name(&self) -> &'static str {
        "codex-cli"
    }

    fn reads(&self, source: &Source<'_>) -> bool {
        ["codex_", "codex-"].iter().any(|start| source.scope().starts_with(start))
            || source.text(EVENT).is_some_and(|name| name.starts_with("codex."))
    }

    fn read<'a>(&self, source: &'a Source<'a>, draft: &mut Draft<'a>) {
        if let Some(id) = source.text("conversation.id") {
            draft.conversation(id);
        }
        if let Some(name) = source.text("agent_name") {
            draft.agent(name, None);
        }
        match source.log() {
            Some(_) => event(source, draft),
            None => span(source, draft),
        }
    }

    fn rules(&self, _: &Source<'_>) -> Option<Rules> {
        Some(Rules { proof: Proof::NeedsResult, content: Content::Optional })
    }
}

fn event(source: &Source<'_>, draft: &mut Draft<'_>) {
    match source.text(EVENT).unwrap_or_default() {
        "codex.conversation_starts" => modes(source, draft),
        "codex.user_prompt" => prompt(draft),
        "codex.sse_event" => answered(source, draft),
        "codex.tool_decision" => decided(source, draft),
        "codex.tool_result" => result(source, draft),
        _ => {}
    }
}

fn modes(source: &Source<'_>, draft: &mut Draft<'_>) {
    for key in MODES {
        if let Some(mode) = source.text(key) {
            draft.say(What::Policy(word(&format!("{key}={mode}"))));
        }
    }
    let [Some(approval), sandbox] = MODES.map(|key| source.text(key)) else { return };
    let known = APPROVALS.iter().find(|(word, _)| *word == approval).and_then(|(_, bypass)| *bypass);
    let bypass = if sandbox == Some(UNBOXED) && approval != "untrusted" { Some(true) } else { known };
    let mode = [Some(approval), sandbox].into_iter().flatten().collect::<Vec<_>>().join(", ");
    draft.say(What::Mode { mode: word(&mode), bypass });
}

fn prompt(draft: &mut Draft<'_>) {
    let text = draft.attribute("prompt");
    if text.missing() == Some(Missing::Withheld) {
        draft.withheld();
    }
    draft.say(What::Intent(text));
}

/// An answer of the model is complete. The event comes twice, once of them with the tokens.
fn answered(source: &Source<'_>, draft: &mut Draft<'_>) {
    let count = |key| source.first_count(&[key]);
    let (Some(read), Some(written)) = (count("input_token_count"), count("output_token_count")) else { return };
    let model = source.first_text(&["model", "slug"]).unwrap_or_default();
    draft.say(What::Model { provider: word(""), model: word(model), tokens: (read, written) });
}

fn decided(source: &Source<'_>, draft: &mut Draft<'_>) {
    let raw = source.text("decision").unwrap_or_default();
    let said_by = source.text("source").unwrap_or_default();
    let (decision, by) = (folded(raw), folded(said_by));
    let Some((_, outcome, scope)) = DECISIONS.iter().find(|(start, ..)| decision.starts_with(start)) else { return };
    let by = SOURCES.iter().find(|(word, _)| *word == by).map_or(By::Unknown, |(_, by)| *by);
    draft.say(What::Decision(Box::new(Decision {
        scope: *scope,
        standing: by == By::Policy && *outcome == Outcome::Allow,
        call_id: source.text("call_id").and_then(an_id),
        tool: source.text("tool_name").map(word),
        ..a_decision(source, *outcome, by, &format!("{raw} by {said_by}"))
    })));
}

/// Words changed their case and their underscores with the versions.
fn folded(word: &str) -> String {
    word.chars().filter(|c| *c != '_').map(|c| c.to_ascii_lowercase()).collect()
}

fn result(source: &Source<'_>, draft: &mut Draft<'_>) {
    let output = Output::of(source.text("output").unwrap_or_default());
    let mut call = named(Moment::Ran { status: output.status(source), proof: Proof::Ran }, source);
    if let (Moment::Ran { status: Status::Error(_), .. }, Some(by)) = (&call.moment, output.refused_by()) {
        call.moment = Moment::Refused { by };
    }
    call.arguments = draft.attribute("arguments");
    call.result = match source.text("output") {
        Some(_) => draft.text(output.text),
        None => draft.attribute("output"),
    };
    call.pseudo = pseudo(source, output.text, draft);
    if let (Some("update_plan"), Known::Value(text)) = (call.tool.as_deref(), &call.arguments) {
        draft.say(What::Plan { id: None, text: Known::Value(text.clone()) });
    }
    draft.call(call);
}

fn named(moment: Moment, source: &Source<'_>) -> Call {
    let mut call = Call::new(moment);
    call.id = source.text("call_id").and_then(an_id);
    call.tool = source.text("tool_name").map(word);
    call
}

/// Another agent is started, or managed.
fn pseudo(source: &Source<'_>, output: &str, draft: &mut Draft<'_>) -> Option<Pseudo> {
    let tool = source.text("tool_name")?;
    if tool == SPAWN {
        let answer: Value = serde_json::from_str(output).unwrap_or(Value::Null);
        let text = |key: &str| answer.get(key).and_then(Value::as_str).map(word);
        if let Some(conversation) = text("agent_id") {
            draft.say(What::Gives(Tie::Conversation(conversation.clone())));
        }
        return Some(Pseudo::Delegation { to: text("nickname").or_else(|| text("agent_id")) });
    }
    let manages = source.text("tool_namespace").is_some_and(|namespace| namespace.starts_with(AGENTS));
    if manages { Some(Pseudo::Control) } else { values::pseudo(tool, None, None) }
}

/// What a tool answered, without the lines that Codex puts before it.
struct Output<'a> {
    text: &'a str,
    exit_code: Option<i64>,
}

impl<'a> Output<'a> {
    fn of(whole: &'a str) -> Self {
        let framed = FRAME.iter().any(|start| whole.starts_with(start));
        let Some((frame, text)) = whole.split_once("\nOutput:\n").filter(|_| framed) else {
            return Self { text: whole, exit_code: None };
        };
        let code = |line: &str| EXIT_CODE.iter().find_map(|start| line.strip_prefix(start)?.trim().parse().ok());
        Self { text, exit_code: frame.lines().find_map(code) }
    }

    fn status(&self, source: &Source<'_>) -> Status {
        let success = source.text("success").and_then(values::truth_of);
        let success = success.or_else(|| source.get("success")?.as_bool());
        match (success, self.exit_code) {
            (Some(false), _) => Status::Error(word("error")),
            (_, Some(code)) if code != 0 => Status::Error(word(&format!("exit code {code}"))),
            _ => Status::Fine,
        }
    }

    /// Who kept an unsuccessful call from running. A policy gives its own reason.
    fn refused_by(&self) -> Option<By> {
        let (_, reason) = self.text.split_once("Rejected(")?;
        Some(if reason.contains("rejected by user") { By::Human } else { By::Policy })
    }
}

/// A turn, or the dispatch of a tool call. Every other span is the program's own work.
fn span(source: &Source<'_>, draft: &mut Draft<'_>) {
    if source.span().is_some_and(|span| span.name == "session_task.turn") {
        draft.node = Node::Agent;
    }
    if source.text("codex.tool.phase") != Some("dispatch") || source.text("call_id").is_none() {
        return;
    }
    draft.node = Node::Tool;
    let mut call = named(Moment::Ran { status: Status::Fine, proof: Proof::NeedsResult }, source);
    (call.arguments, call.result) = (Known::Missing(Missing::Withheld), Known::Missing(Missing::Withheld));
    call.pseudo = pseudo(source, "", draft);
    draft.own = Some(call);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dialect::testing::{call, facts, log, span};
    use serde_json::json;

    fn event(name: &str, attributes: Value) -> Vec<What> {
        let mut fields = json!({"event.name": name, "conversation.id": "01a1f73e", "model": "gpt-5-codex"});
        fields.as_object_mut().expect("an object").extend(attributes.as_object().expect("an object").clone());
        facts(log("codex_otel.log_only", "event otel/src/tool_result.rs:54", fields))
    }

    fn decision(raw: &str, source: &str) -> (Outcome, By, GrantScope) {
        let fields = json!({"call_id": "call_1", "tool_name": "exec_command", "decision": raw, "source": source});
        let said = event("codex.tool_decision", fields);
        let found = said.into_iter().find_map(|what| match what {
            What::Decision(decision) => Some(*decision),
            _ => None,
        });
        let decision = found.expect("a decision");
        assert_eq!(decision.call_id.as_deref(), Some("call_1"));
        (decision.outcome, decision.by, decision.scope)
    }

    #[test]
    fn decisions_keep_who_and_for_how_long() {
        use {GrantScope as S, Outcome as O};
        for (raw, source, want) in [
            ("approved", "Config", (O::Allow, By::Policy, S::Once)),
            ("denied", "User", (O::Deny, By::Human, S::Once)),
            ("approved_for_session", "user", (O::Allow, By::Human, S::Session)),
            ("ApprovedForSession", "User", (O::Allow, By::Human, S::Session)),
            ("approvedexecpolicyamendment { .. }", "User", (O::Allow, By::Human, S::Permanent)),
            ("abort", "User", (O::Abort, By::Human, S::Once)),
            ("timed_out", "AutomatedReviewer", (O::Timeout, By::Model, S::Once)),
            ("denied", "", (O::Deny, By::Unknown, S::Once)),
        ] {
            assert_eq!(decision(raw, source), want, "{raw} by {source}");
        }
    }

    #[test]
    fn what_a_configuration_allows_asks_nobody() {
        for (source, standing) in [("Config", true), ("User", false), ("AutomatedReviewer", false)] {
            let fields = json!({"call_id": "call_1", "decision": "approved", "source": source});
            let said = event("codex.tool_decision", fields);
            let made =
                said.iter().find_map(|what| if let What::Decision(it) = what { Some(it.standing) } else { None });
            assert_eq!(made, Some(standing), "{source}");
        }
    }

    #[test]
    fn a_mode_is_a_policy_of_approval_and_a_sandbox() {
        for (approval, sandbox, mode, bypass) in [
            ("never", "read-only", "never, read-only", Some(true)),
            ("untrusted", UNBOXED, "untrusted, danger-full-access", Some(false)),
            ("on-request", "workspace-write", "on-request, workspace-write", Some(false)),
            ("on-request", UNBOXED, "on-request, danger-full-access", Some(true)),
            ("on-failure", "workspace-write", "on-failure, workspace-write", None),
        ] {
            let fields = json!({"approval_policy": approval, "sandbox_policy": sandbox});
            let said = event("codex.conversation_starts", fields);
            assert!(said.contains(&What::Mode { mode: mode.into(), bypass }), "{said:?}");
            assert!(said.contains(&What::Policy(word(&format!("approval_policy={approval}")))));
        }
        assert!(!event("codex.conversation_starts", json!({})).iter().any(|what| matches!(what, What::Mode { .. })));
    }

    fn ran(success: &str, output: &str) -> Call {
        let fields = json!({"call_id": "call_1", "tool_name": "exec_command", "success": success,
            "arguments": "{\"cmd\": \"cat notes.txt\"}", "output": output});
        call(&event("codex.tool_result", fields))
    }

    #[test]
    fn a_result_is_what_the_command_and_the_person_made_of_it() {
        let frame = |code: u32| {
            format!("Chunk ID: 2be191\nWall time: 0.0000 seconds\nProcess exited with code {code}\nOutput:\nnotes\n")
        };
        let ended = |status| Moment::Ran { status, proof: Proof::Ran };
        let rejected =
            |why: &str| format!("exec_command failed: CreateProcess {{ message: \"Rejected(\\\"{why}\\\")\" }}");
        for (success, output, want) in [
            ("true", frame(0), ended(Status::Fine)),
            ("true", frame(1), ended(Status::Error(word("exit code 1")))),
            ("false", "agent ids must be non-empty".to_owned(), ended(Status::Error(word("error")))),
            ("false", rejected("rejected by user"), Moment::Refused { by: By::Human }),
            ("false", rejected("forbidden by rule"), Moment::Refused { by: By::Policy }),
            ("true", "a page about Rejected(".to_owned(), ended(Status::Fine)),
        ] {
            assert_eq!(ran(success, &output).moment, want, "{output}");
        }
        assert_eq!(ran("true", &frame(0)).result.value().map(|text| &*text.head), Some("notes\n"));
    }

    #[test]
    fn a_spawned_agent_is_named_by_its_conversation() {
        let fields = json!({"call_id": "call_00310", "tool_name": "spawn_agent", "tool_namespace": "multi_agent_v1",
            "success": "true", "output": "{\"agent_id\":\"01a1f73e-e444\",\"nickname\":\"Laplace\"}"});
        let said = event("codex.tool_result", fields);
        assert_eq!(call(&said).pseudo, Some(Pseudo::Delegation { to: Some("Laplace".into()) }));
        assert!(said.contains(&What::Gives(Tie::Conversation("01a1f73e-e444".into()))));
    }

    #[test]
    fn a_prompt_may_be_kept_back() {
        let said = event("codex.user_prompt", json!({"prompt": "[REDACTED]", "prompt_length": "36"}));
        assert!(said.contains(&What::Intent(Known::Missing(Missing::Withheld))) && said.contains(&What::Withheld));
    }

    #[test]
    fn a_dispatch_alone_proves_nothing() {
        let fields = json!({"codex.tool.phase": "dispatch", "tool_name": "exec_command", "call_id": "call_00010"});
        let call = call(&facts(span("codex_exec", "exec_command", fields)));
        assert_eq!(call.moment, Moment::Ran { status: Status::Fine, proof: Proof::NeedsResult });
    }
}
