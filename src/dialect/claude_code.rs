//! Claude Code and the Claude Agent SDK: log events, and spans where their beta is on.
//!
//! ```text
//! events  user_prompt · tool_decision · tool_result · api_request             prompt.id is the turn
//! spans   claude_code.interaction                                             a trace is a turn
//!           claude_code.llm_request
//!           claude_code.tool                     around waiting and running: it proves neither
//!             claude_code.tool.blocked_on_user   decision, source; no call id
//!             claude_code.tool.execution         only when the tool ran
//! ```
//!
//! * A rejected call has a `tool_decision` and no `tool_result`.
//! * A record is stamped with whatever span was active, so that calls are told by `tool_use_id` and never by the span
//!   of a log record. `api_request` repeats the span of the model call, and counts only where there are no spans.
//! * Arguments and prompts are opt-in; results have a size only, or stand in the span event `tool.output`.
//! * `tool_parameters` is a digest of the arguments for people (`bash_command`, `mcp_tool_name`), not the arguments.
//!   While details are off, `tool_name` of an MCP tool is `mcp_tool`.
//!
//! * A permission mode holds until it changes. A person's rule for longer than one call is also named when it answers a
//!   later call: only a span that waited tells whether anybody was asked.
//!
//! Source: the monitoring page of Claude Code's documentation (July 2026) and published records of 2.1.185. No
//! recording of ours.

use std::sync::Arc;

use serde_json::Value;

use crate::model::{
    By, Call, Decision, GrantScope, Known, Missing, Moment, Node, Outcome, Proof, Pseudo, Span, Status, Text, What,
};
use crate::values;

use super::draft::{a_decision, an_id, waited, word};
use super::source::event_text;
use super::{Content, Dialect, Draft, Rules, Source, genai, opencode};

const SCOPES: &str = "com.anthropic.claude_code";
const PREFIX: &str = "claude_code.";

/// Spans with a role of their own.
const SPANS: &[(&str, Node)] =
    &[("interaction", Node::Agent), ("llm_request", Node::Model), ("tool", Node::Tool), ("tool.execution", Node::Tool)];

/// A tool that hands to a sub-agent.
const DELEGATIONS: &[&str] = &["Agent", "Task"];

const CALL_ID: &[&str] = &["tool_use_id", "gen_ai.tool.call.id"];
const MODEL: &[&str] = &["gen_ai.response.model", "model", "gen_ai.request.model"];

/// Fields of the arguments that name what the call is about.
const TARGETS: &[&str] = &["file_path", "notebook_path", "path", "url"];

/// A decision and its source, and what they mean. A standing grant asked nobody now.
const DECISIONS: &[(&str, &str, Outcome, By, GrantScope, bool)] = &[
    ("accept", "config", Outcome::Allow, By::Policy, GrantScope::Unknown, true),
    ("accept", "hook", Outcome::Allow, By::Hook, GrantScope::Once, false),
    ("accept", "user_permanent", Outcome::Allow, By::Human, GrantScope::Permanent, false),
    ("accept", "user_temporary", Outcome::Allow, By::Human, GrantScope::Once, false),
    ("accept", "", Outcome::Allow, By::Unknown, GrantScope::Unknown, false),
    ("reject", "config", Outcome::Deny, By::Policy, GrantScope::Unknown, false),
    ("reject", "hook", Outcome::Deny, By::Hook, GrantScope::Once, false),
    ("reject", "user_reject", Outcome::Deny, By::Human, GrantScope::Once, false),
    ("reject", "user_abort", Outcome::Abort, By::Human, GrantScope::Once, false),
    ("reject", "", Outcome::Deny, By::Unknown, GrantScope::Unknown, false),
];

/// Permission modes, and whether calls run in them unasked. In `acceptEdits` and `auto` some do; in `dontAsk` what
/// would be asked is denied.
const MODES: &[(&str, Option<bool>)] = &[
    ("default", Some(false)),
    ("plan", Some(false)),
    ("dontAsk", Some(false)),
    ("acceptEdits", None),
    ("auto", None),
    ("bypassPermissions", Some(true)),
];

/// Records of Claude Code's own scopes, or with its prefix in name or body.
pub struct ClaudeCode;

impl Dialect for ClaudeCode {
    fn name(&self) -> &'static str {
        "claude-code"
    }

    fn reads(&self, source: &Source<'_>) -> bool {
        let named = match (source.span(), source.log()) {
            (Some(span), _) => span.name.starts_with(PREFIX),
            (None, Some(log)) => {
                log.event_name.starts_with(PREFIX) || log.body().as_str().is_some_and(|body| body.starts_with(PREFIX))
            }
            (None, None) => false,
        };
        // opencode's plugin can be set to the same prefix.
        (named || source.scope().starts_with(SCOPES)) && source.scope() != opencode::SCOPE
    }

    fn read<'a>(&self, source: &'a Source<'a>, draft: &mut Draft<'a>) {
        if let Some(id) = source.text("session.id") {
            draft.conversation(id);
        }
        if let Some(name) = source.text("agent.name") {
            draft.agent(name, None);
        }
        match source.span() {
            Some(span) => of_span(span.name.strip_prefix(PREFIX).unwrap_or_default(), source, draft),
            None => of_event(source, draft),
        }
    }

    /// Only its execution span proves that a tool ran. Content is opt-in and partly elsewhere.
    fn rules(&self, _: &Source<'_>) -> Option<Rules> {
        Some(Rules { proof: Proof::Ran, content: Content::Elsewhere })
    }
}

fn of_span(name: &str, source: &Source<'_>, draft: &mut Draft<'_>) {
    draft.node = SPANS.iter().find(|(known, _)| *known == name).map_or(Node::Other, |(_, node)| *node);
    match name {
        "interaction" => draft.asked("user_prompt"),
        "llm_request" => model(source, draft),
        "tool" => draft.own = Some(call(Moment::Proposed, source, draft)),
        // Without the call's id it could not be told whose execution it is.
        "tool.execution" if source.first_text(CALL_ID).is_some() => {
            let mut ran = call(Moment::Ran { status: status(source), proof: Proof::Ran }, source, draft);
            ran.result = output(source, draft);
            draft.own = Some(ran);
        }
        "tool.blocked_on_user" => decision(source, draft),
        _ => {}
    }
}

fn of_event(source: &Source<'_>, draft: &mut Draft<'_>) {
    // With spans the trace is the turn, and records stand in it.
    let alone = source.log().is_some_and(|log| log.trace_id.is_none());
    if let (true, Some(id)) = (alone, source.text("prompt.id").and_then(an_id)) {
        draft.say(What::Turn(id));
    }
    match source.event().strip_prefix(PREFIX).unwrap_or(source.event()) {
        "user_prompt" => draft.asked("prompt"),
        "permission_mode_changed" => {
            if let Some(mode) = source.text("to_mode") {
                draft.mode(mode, MODES);
            }
        }
        "api_request" if alone => model(source, draft),
        "tool_decision" => {
            let proposed = call(Moment::Proposed, source, draft);
            draft.call(proposed);
            decision(source, draft);
        }
        "tool_result" => {
            let ran = call(Moment::Ran { status: status(source), proof: Proof::Ran }, source, draft);
            draft.call(ran);
        }
        _ => {}
    }
}

/// The user's text; its length is always said.
fn model(source: &Source<'_>, draft: &mut Draft<'_>) {
    let Some(model) = source.first_text(MODEL) else { return };
    let tokens = |key: &str| source.first_count(&[key]).unwrap_or(0);
    draft.say(What::Model {
        provider: word(source.text("gen_ai.system").unwrap_or("anthropic")),
        model: word(model),
        tokens: (tokens("input_tokens"), tokens("output_tokens")),
    });
    if let (false, Some(id)) =
        (draft.has(|what| matches!(what, What::Response(_))), source.text("request_id").and_then(an_id))
    {
        draft.say(What::Response(id));
    }
}

/// What a record says about the call that it names.
fn call(moment: Moment, source: &Source<'_>, draft: &mut Draft<'_>) -> Call {
    let parameters = json(source, "tool_parameters");
    let mut call = Call::new(moment);
    call.id = source.first_text(CALL_ID).and_then(an_id);
    call.tool = tool(source, &parameters).map(word);
    call.arguments = match source.text("tool_input") {
        Some(input) => draft.text(input),
        None => Known::Missing(Missing::Withheld),
    };
    call.result = Known::Missing(Missing::Withheld);
    call.target = target(source, &json(source, "tool_input"));
    if call.tool.as_deref().is_some_and(|tool| DELEGATIONS.contains(&tool)) {
        let to = source.text("subagent_type").or_else(|| parameters.get("subagent_type")?.as_str());
        call.pseudo = Some(Pseudo::Delegation { to: to.map(word) });
    }
    call
}

fn json(source: &Source<'_>, key: &str) -> Value {
    source.text(key).and_then(|json| serde_json::from_str(json).ok()).unwrap_or_default()
}

/// The tool without its server: `mcp__shop__get_order`, or the name beside the mask `mcp_tool`.
fn tool<'v>(source: &Source<'v>, parameters: &'v Value) -> Option<&'v str> {
    let bare = || parameters.get("mcp_tool_name").and_then(Value::as_str);
    let name = source.text("tool_name").filter(|name| *name != "mcp_tool");
    match name.and_then(|name| name.strip_prefix("mcp__")?.split_once("__")) {
        Some((_, tool)) => Some(tool),
        None => name.or_else(bare).or_else(|| source.text("tool_name")),
    }
}

/// The file or address of the call, as a URI where it can be one.
fn target(source: &Source<'_>, input: &Value) -> Option<Arc<str>> {
    let in_input = || TARGETS.iter().find_map(|key| input.get(*key)?.as_str());
    let target = source.text("file_path").or_else(in_input)?;
    let known = values::known(target).value().copied()?;
    Some(if known.starts_with('/') { word(&format!("file://{known}")) } else { word(known) })
}

/// `success` is a text on events and a truth on spans.
fn status(source: &Source<'_>) -> Status {
    let said = source.get("success").and_then(|value| value.as_bool().or_else(|| values::truth_of(value.as_str()?)));
    match said {
        Some(false) => {
            Status::Error(word(source.first_text(&["error_type", "error_class", "error"]).unwrap_or("error")))
        }
        _ => genai::status(source),
    }
}

/// The result, in a span event that is opt-in.
fn output(source: &Source<'_>, draft: &mut Draft<'_>) -> Known<Text> {
    let said = source
        .span_events()
        .filter(|event| event.name == "tool.output")
        .find_map(|event| ["output", "content"].iter().find_map(|key| event_text(event.attributes(), key)));
    said.map_or(Known::Missing(Missing::Withheld), |output| draft.text(output))
}

fn decision(source: &Source<'_>, draft: &mut Draft<'_>) {
    let (Some(decision), by) = (source.text("decision"), source.text("source").unwrap_or_default()) else { return };
    let known = |wanted: &str| DECISIONS.iter().find(|row| row.0 == decision && row.1 == wanted);
    let Some((.., outcome, who, scope, standing)) = known(by).or_else(|| known("")) else { return };
    let mut made: Decision = a_decision(source, *outcome, *who, &format!("{decision}/{by}"));
    made.at = source.span().map_or(made.at, |span| span.end);
    made.waited = source.span().and_then(|_| waited(source));
    // A rule of a person's that matches a later call bears the same words; nobody answers in no time.
    let unasked = made.waited == Some(Span(0)) && *outcome == Outcome::Allow;
    (made.scope, made.standing) = (*scope, *standing || unasked);
    made.call_id = source.first_text(CALL_ID).and_then(an_id);
    made.tool = tool(source, &json(source, "tool_parameters")).map(word);
    draft.say(What::Decision(Box::new(made)));
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::dialect::testing::{facts, log, span};
    use crate::model::Nanos;

    fn decision(said: Vec<What>) -> Decision {
        let found = said.into_iter().find_map(|what| match what {
            What::Decision(decision) => Some(*decision),
            _ => None,
        });
        found.expect("a decision")
    }

    #[test]
    fn a_mode_tells_whether_somebody_is_asked() {
        for (mode, bypass) in [
            ("default", Some(false)),
            ("plan", Some(false)),
            ("acceptEdits", None),
            ("bypassPermissions", Some(true)),
            ("a mode of tomorrow", None),
        ] {
            let fields = json!({"session.id": "s", "from_mode": "default", "to_mode": mode, "trigger": "shift_tab"});
            let said = facts(log(SCOPES, "claude_code.permission_mode_changed", fields));
            assert!(said.contains(&What::Mode { mode: mode.into(), bypass }), "{said:?}");
        }
    }

    #[test]
    fn a_wait_is_of_the_span_that_waited() {
        let asked = |source: &str, waited: serde_json::Value| {
            let fields = json!({"decision": "accept", "source": source, "duration_ms": waited});
            decision(facts(span(SCOPES, "claude_code.tool.blocked_on_user", fields)))
        };
        for (source, waited, want, standing) in [
            ("user_temporary", json!(2500), Span::millis(2500), false),
            ("user_temporary", json!("40"), Span::millis(40), false),
            ("user_permanent", json!(null), Nanos(2000).since(Nanos(1000)), false),
            ("user_permanent", json!(0), Span(0), true),
            ("config", json!(0), Span(0), true),
        ] {
            let made = asked(source, waited);
            assert_eq!((made.waited, made.standing), (Some(want), standing), "{source}");
        }
        let fields = json!({"tool_name": "Bash", "tool_use_id": "toolu_1", "decision": "accept", "source": "config",
            "duration_ms": 7});
        let logged = decision(facts(log(SCOPES, "claude_code.tool_decision", fields)));
        assert_eq!((logged.waited, logged.by, logged.standing), (None, By::Policy, true));
    }
}
