//! Qwen Code: spans in the manner of Claude Code, and log events in the manner of Gemini CLI.
//!
//! ```text
//! qwen-code.interaction            one per prompt, a trace of its own; approval mode
//!   qwen-code.llm_request          the model
//!   qwen-code.tool                 around asking and running: ends on every way out, tool.failure_kind says which
//!     qwen-code.tool.blocked_on_user   decision, source, tool.call_id
//!     qwen-code.hook                   hook_event, should_proceed or should_stop, block_type
//!     qwen-code.tool.execution         only when the tool was tried
//!     qwen-code.subagent               in the foreground; else a trace of its own that links here
//! logs  qwen-code.{config, user_prompt, tool_call, api_response}
//! ```
//!
//! * Newer builds add the names of OTel GenAI to the same spans: a tool span is `execute_tool` although it proves
//!   nothing.
//! * A hook's `tool.use_id` is made for the hook and is no call id.
//! * A `tool_call` event repeats a tool span without its id, but with the arguments, which the span lacks by default.
//!   Only an event without trace context stands for a call; its turn is the prompt.
//! * `auto_accept` is also written when nobody was asked, and `reject` also for what a hook or a rule denied: its error
//!   says so.
//! * An open span is closed after 30 minutes (`qwen-code.span.ttl_expired`): an approval is then `aborted` by
//!   `system`.
//! * Prompts in logs are on by default, content of spans is off. Older builds name it `new_context`, `tool_input`,
//!   `tool_result` and put a title in brackets before it.
//!
//! Source: `packages/core/src/telemetry` and `core/coreToolScheduler.ts` of `QwenLM/qwen-code`, August 2026. No
//! recording of ours.

use crate::model::{
    By, Call, Check, CheckResult, Decision, GrantScope, Known, Missing, Moment, Nanos, Node, Outcome, Phase, Proof,
    Pseudo, Status, Text, What,
};
use crate::values;

use super::draft::{a_check, a_decision, an_id, waited, word};
use super::{Content, Dialect, Draft, Rules, Source, genai};

const SCOPE: &str = "qwen-code";
const PREFIX: &str = "qwen-code.";

const CALL_ID: &[&str] = &["tool.call_id", "call_id", "gen_ai.tool.call.id"];
const TOOL: &[&str] = &["gen_ai.tool.name", "tool.name", "tool_name", "function_name"];
const MODEL: &[&str] = &["gen_ai.response.model", "gen_ai.request.model", "model", "qwen-code.model"];
const TOKENS_IN: &[&str] = &["gen_ai.usage.input_tokens", "input_tokens", "input_token_count"];
const TOKENS_OUT: &[&str] = &["gen_ai.usage.output_tokens", "output_tokens", "output_token_count"];
const AGENT: &[&str] = &["gen_ai.agent.name", "qwen-code.subagent.name"];
const ERRORS: &[&str] = &["error.type", "error_type", "error"];

/// Spans with a role of their own.
const SPANS: &[(&str, Node)] = &[
    ("interaction", Node::Agent),
    ("subagent", Node::Agent),
    ("llm_request", Node::Model),
    ("tool", Node::Tool),
    ("tool.execution", Node::Tool),
    ("hook", Node::Check),
];

/// Tools that hand to a sub-agent.
const DELEGATIONS: &[&str] = &["agent", "task"];

/// Ways out of a tool span on which the tool was not tried: on spans first, then error types of events.
const REFUSALS: &[(&str, By)] = &[
    ("pre_hook_blocked", By::Hook),
    ("permission_hook_denied", By::Hook),
    ("invocation_guard_denied", By::Policy),
    ("permission_denied", By::Policy),
    ("plan_mode_blocked", By::Policy),
    ("non_interactive_denied", By::Policy),
    ("background_agent_denied", By::Policy),
    ("execution_denied", By::Policy),
];

/// Ways out on which it was.
const FAILURES: &[&str] = &["tool_error", "tool_exception", "timeout", "post_hook_stopped"];

/// Answers to the question whether a call may run.
const ANSWERS: &[(&str, Outcome, GrantScope)] = &[
    ("proceed_once", Outcome::Allow, GrantScope::Once),
    ("proceed_always", Outcome::Allow, GrantScope::Permanent),
    ("auto_approved", Outcome::Allow, GrantScope::Unknown),
    ("cancel", Outcome::Deny, GrantScope::Once),
    ("aborted", Outcome::Abort, GrantScope::Once),
];

/// The same on events without a span. `None`: a person, or nobody was asked.
const EVENT_ANSWERS: &[(&str, Outcome, Option<By>, GrantScope)] = &[
    ("accept", Outcome::Allow, Some(By::Human), GrantScope::Once),
    ("auto_accept", Outcome::Allow, None, GrantScope::Session),
    ("modify", Outcome::Modify, Some(By::Human), GrantScope::Once),
    ("reject", Outcome::Deny, Some(By::Human), GrantScope::Once),
];

/// The mode in which nobody is asked.
const UNASKED: &str = "yolo";

/// Approval modes, and whether calls run in them unasked: in the automatic ones some do.
const MODES: &[(&str, Option<bool>)] = &[
    ("default", Some(false)),
    ("plan", Some(false)),
    ("auto-edit", None),
    ("auto_edit", None),
    ("auto", None),
    (UNASKED, Some(true)),
];

/// Who answered.
const SOURCES: &[(&str, By)] =
    &[("cli", By::Human), ("ide", By::Human), ("hook", By::Hook), ("auto", By::Policy), ("system", By::System)];

/// How a hook blocks.
const BLOCKS: &[(&str, Outcome)] = &[("denied", Outcome::Deny), ("ask", Outcome::Ask), ("stop", Outcome::Abort)];

/// Titles that older builds put before content.
const TITLES: &[&str] = &["[USER PROMPT]", "[TOOL INPUT:", "[TOOL RESULT:"];

/// Records of Qwen Code's scope, and its names in any.
pub struct QwenCode;

impl Dialect for QwenCode {
    fn name(&self) -> &'static str {
        "qwen-code"
    }

    fn reads(&self, source: &Source<'_>) -> bool {
        let named = source.span().map_or_else(|| source.event(), |span| span.name);
        source.scope() == SCOPE
            || named.starts_with(PREFIX)
            || source.text("event.name").is_some_and(|name| name.starts_with(PREFIX))
    }

    fn read<'a>(&self, source: &'a Source<'a>, draft: &mut Draft<'a>) {
        if let Some(id) = source.text("session.id") {
            draft.conversation(id);
        }
        if let Some(mode) = source.first_text(&["qwen-code.approval_mode", "approval_mode"]) {
            draft.say(What::Policy(word(&format!("approval_mode={mode}"))));
            draft.mode(mode, MODES);
        }
        match source.span() {
            Some(span) => of_span(span.name.strip_prefix(PREFIX).unwrap_or_default(), source, draft),
            None => of_event(source, draft),
        }
    }

    /// Content of spans is off by default, and the prompt stands in an event.
    fn rules(&self, _: &Source<'_>) -> Option<Rules> {
        Some(Rules { proof: Proof::Ran, content: Content::Elsewhere })
    }
}

fn of_span(name: &str, source: &Source<'_>, draft: &mut Draft<'_>) {
    draft.node = SPANS.iter().find(|(known, _)| *known == name).map_or(Node::Other, |(_, node)| *node);
    draft.own = None; // what a tool span is, is not what OTel GenAI takes it for
    match name {
        "interaction" => {
            if let Some(text) = source.text("new_context").map(untitled) {
                let text = draft.text(text);
                draft.say(What::Intent(text));
            }
        }
        "subagent" => {
            if let Some(agent) = source.first_text(AGENT) {
                draft.agent(agent, None);
            }
        }
        "llm_request" if !draft.has(|what| matches!(what, What::Model { .. })) => model(source, draft),
        "tool" => draft.own = Some(tool(source, draft)),
        "tool.execution" => draft.own = execution(source, draft),
        "tool.blocked_on_user" => answered(source, draft),
        "hook" => hook(source, draft),
        _ => {}
    }
}

/// Content behind its title.
fn untitled(content: &str) -> &str {
    let titled = TITLES.iter().any(|title| content.starts_with(title));
    content.split_once('\n').filter(|_| titled).map_or(content, |(_, rest)| rest)
}

fn model(source: &Source<'_>, draft: &mut Draft<'_>) {
    let Some(model) = source.first_text(MODEL) else { return };
    draft.say(What::Model {
        provider: word(source.text("gen_ai.provider.name").unwrap_or_default()),
        model: word(model),
        tokens: (source.first_count(TOKENS_IN).unwrap_or(0), source.first_count(TOKENS_OUT).unwrap_or(0)),
    });
}

/// What a record says about the call that it names.
fn call(moment: Moment, source: &Source<'_>, draft: &mut Draft<'_>) -> Call {
    let mut call = Call::new(moment);
    let tool = source.first_text(TOOL);
    call.id = source.first_text(CALL_ID).and_then(an_id);
    call.tool = tool.map(|name| word(without_server(name)));
    call.arguments = content(&["gen_ai.tool.call.arguments", "tool_input", "function_args"], source, draft);
    call.result = content(&["gen_ai.tool.call.result", "tool_result"], source, draft);
    if tool.is_some_and(|tool| DELEGATIONS.contains(&tool)) {
        let arguments = call.arguments.value().and_then(Text::whole).unwrap_or_default();
        let to = serde_json::from_str::<serde_json::Value>(arguments).ok();
        let to = to.as_ref().and_then(|fields| fields.get("subagent_type")?.as_str()).map(word);
        call.pseudo = Some(Pseudo::Delegation { to });
    }
    call
}

/// `mcp__shop__get_order`: the tool without its server.
fn without_server(name: &str) -> &str {
    name.strip_prefix("mcp__").and_then(|rest| rest.split_once("__")).map_or(name, |(_, tool)| tool)
}

fn content(keys: &[&str], source: &Source<'_>, draft: &mut Draft<'_>) -> Known<Text> {
    source.first_text(keys).map_or(Known::Missing(Missing::Withheld), |text| draft.text(untitled(text)))
}

/// The whole life of a call. Without a word about its end it may still have been refused: it proves nothing.
fn tool(source: &Source<'_>, draft: &mut Draft<'_>) -> Call {
    let kind = source.text("tool.failure_kind").unwrap_or_default();
    let refused = REFUSALS.iter().find(|(word, _)| *word == kind).map(|(_, by)| *by);
    let moment = match (refused, truth(source, "success")) {
        (Some(by), _) => Moment::Refused { by },
        (None, Some(true)) => Moment::Ran { status: Status::Fine, proof: Proof::Ran },
        _ if FAILURES.contains(&kind) => Moment::Ran { status: Status::Error(word(kind)), proof: Proof::Ran },
        _ => Moment::Proposed,
    };
    call(moment, source, draft)
}

/// A call that was tried. Without its id or its tool it could not be told whose.
fn execution(source: &Source<'_>, draft: &mut Draft<'_>) -> Option<Call> {
    let named = source.first_text(CALL_ID).is_some() || source.first_text(TOOL).is_some();
    if !named || source.text("execution_status") == Some("not_started") {
        draft.node = Node::Other;
        return None;
    }
    Some(call(Moment::Ran { status: status(source), proof: Proof::Ran }, source, draft))
}

fn status(source: &Source<'_>) -> Status {
    match (truth(source, "success"), source.text("execution_status")) {
        (Some(false), said) => Status::Error(word(source.first_text(ERRORS).or(said).unwrap_or("error"))),
        (_, Some(said)) if !matches!(said, "success" | "unknown") => Status::Error(word(said)),
        _ => genai::status(source),
    }
}

fn truth(source: &Source<'_>, key: &str) -> Option<bool> {
    let value = source.get(key)?;
    value.as_bool().or_else(|| values::truth_of(value.as_str()?))
}

/// Somebody was asked, and this is the answer. An error of the question is none; an answer that never came is a
/// time-out.
fn answered(source: &Source<'_>, draft: &mut Draft<'_>) {
    let (Some(raw), by) = (source.text("decision"), source.text("source").unwrap_or_default()) else { return };
    let Some((_, outcome, scope)) = ANSWERS.iter().find(|row| row.0 == raw) else { return };
    let timed_out = *outcome == Outcome::Abort && by == "system";
    let who = SOURCES.iter().find(|(word, _)| *word == by).map_or(By::Unknown, |(_, who)| *who);
    let by_policy = raw == "auto_approved";
    draft.say(What::Decision(Box::new(Decision {
        at: end(source),
        scope: *scope,
        standing: by_policy,
        waited: waited(source),
        call_id: source.first_text(CALL_ID).and_then(an_id),
        tool: source.first_text(TOOL).map(|name| word(without_server(name))),
        ..a_decision(
            source,
            if timed_out { Outcome::Timeout } else { *outcome },
            if by_policy { By::Policy } else { who },
            &format!("{raw}/{by}"),
        )
    })));
}

fn end(source: &Source<'_>) -> Nanos {
    source.span().map(|span| span.end).unwrap_or_default()
}

/// Before the tool a hook decides; after it, it checks.
fn hook(source: &Source<'_>, draft: &mut Draft<'_>) {
    let event = source.text("hook_event").unwrap_or_default();
    let tool = source.first_text(TOOL).map(|name| word(without_server(name)));
    let block = source.text("block_type").unwrap_or_default();
    match (event, truth(source, "should_proceed"), truth(source, "should_stop")) {
        ("PreToolUse", Some(proceed), _) => {
            let blocks = BLOCKS.iter().find(|(word, _)| *word == block).map_or(Outcome::Deny, |(_, outcome)| *outcome);
            let outcome = if proceed { Outcome::Allow } else { blocks };
            let raw = if proceed { "should_proceed" } else { block };
            let decision = Decision { at: end(source), tool, ..a_decision(source, outcome, By::Hook, raw) };
            draft.say(What::Decision(Box::new(decision)));
        }
        ("PostToolUse", _, Some(stop)) => {
            let (result, label) = if stop { (CheckResult::Fail, "should_stop") } else { (CheckResult::Pass, "pass") };
            let check = a_check(source, event, result);
            draft.say(What::Check(Box::new(Check { phase: Phase::PostAction, label: word(label), ..check })));
        }
        _ => {}
    }
}

fn of_event(source: &Source<'_>, draft: &mut Draft<'_>) {
    let alone = source.log().is_some_and(|log| log.trace_id.is_none());
    if let (true, Some(id)) = (alone, source.text("prompt_id").and_then(an_id)) {
        draft.say(What::Turn(id));
    }
    let name = source.text("event.name").unwrap_or(source.event());
    match name.strip_prefix(PREFIX).unwrap_or_default() {
        "user_prompt" => draft.asked("prompt"),
        "api_response" if alone => model(source, draft),
        "tool_call" if alone => called(source, draft),
        _ => {}
    }
}

/// A call and what was decided about it, where there are no spans.
fn called(source: &Source<'_>, draft: &mut Draft<'_>) {
    let kind = source.first_text(&["error_type", "error.type"]).unwrap_or_default();
    let by = REFUSALS.iter().find(|(word, _)| *word == kind).map(|(_, by)| *by);
    let decision = source.text("decision").unwrap_or_default();
    let untried = source.text("execution_status") == Some("not_started");
    let moment = match (decision, by) {
        (_, Some(by)) => Moment::Refused { by },
        ("reject", None) => Moment::Refused { by: By::Human },
        _ if untried || source.text("status") == Some("cancelled") => Moment::Proposed,
        _ => Moment::Ran { status: status(source), proof: Proof::Ran },
    };
    let told = call(moment, source, draft);
    let answer = EVENT_ANSWERS.iter().find(|row| row.0 == decision);
    let unasked = truth(source, "interactive") == Some(false) || source.text("approval_mode") == Some(UNASKED);
    let somebody = if unasked { By::Policy } else { By::Unknown };
    let made = match (answer, by) {
        (None | Some(("reject", ..)), Some(by)) => Some(a_decision(source, Outcome::Deny, by, kind)),
        (Some((raw, outcome, by, scope)), _) => {
            let by = by.unwrap_or(somebody);
            let standing = by == By::Policy && *outcome == Outcome::Allow;
            Some(Decision { scope: *scope, standing, ..a_decision(source, *outcome, by, raw) })
        }
        (None, None) => None,
    };
    if let Some(made) = made {
        draft.say(What::Decision(Box::new(super::draft::about(&told, made))));
    }
    draft.call(told);
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::dialect::testing::{facts, log, span};
    use crate::model::Span;

    #[test]
    fn a_wait_and_a_standing_answer_are_told_apart() {
        for (decision, source, by, standing) in
            [("proceed_always", "cli", By::Human, false), ("auto_approved", "auto", By::Policy, true)]
        {
            let fields = json!({"decision": decision, "source": source, "duration_ms": 1500, "tool.call_id": "c1"});
            let said = facts(span(SCOPE, "qwen-code.tool.blocked_on_user", fields));
            let made = said.iter().find_map(|what| if let What::Decision(it) = what { Some(it) } else { None });
            let made = made.expect("a decision");
            assert_eq!((made.by, made.standing, made.waited), (by, standing, Some(Span::millis(1500))));
        }
    }

    #[test]
    fn a_mode_in_which_nobody_is_asked_makes_no_person_s_decision() {
        let fields = json!({"event.name": "qwen-code.tool_call", "function_name": "write_file", "decision": "auto_accept",
            "approval_mode": "yolo", "prompt_id": "p1"});
        let said = facts(log(SCOPE, "", fields));
        assert!(said.contains(&What::Mode { mode: "yolo".into(), bypass: Some(true) }));
        let made =
            said.iter().find_map(|what| if let What::Decision(it) = what { Some((it.by, it.standing)) } else { None });
        assert_eq!(made, Some((By::Policy, true)));
    }
}
