//! opencode through its OTel plugin: spans, in newer versions those of OpenInference, and log events with the short
//! names of Claude Code.
//!
//! | record | says |
//! |---|---|
//! | span `opencode.session` | an agent's run, with the prompt; a sub-agent's stands below it |
//! | span `opencode.tool.<name>` | a call: id, arguments, output |
//! | span `opencode.tool <name>`, older | a call, without a kind and without an id |
//! | log `tool_decision` | what a person answered to a permission prompt |
//! | logs `user_prompt`, `subtask_invoked` | the intent where prompts are logged; a delegation |
//! | log `tool_result` | repeats a span, without an id; stands for the call only where it has no trace |
//! | log `api_request` | repeats a span; not read |
//!
//! * A rejected call ends its span with an error: a fixed sentence says by whom. A headless run rejects in a person's
//!   words.
//! * A span that the end of its session closed says nothing about the call.
//! * In older versions the decision says `reject` for everything but `allow` and `allowAlways`, while the program
//!   answers `once` and `always`: the answer in `source` counts, the decision does not. They name a prompt's title as
//!   the tool; its type is one.
//! * A decision names session and tool, never the call. Its log has no trace, or stands in the session's span.
//! * The prefix of span names can be set, to `claude_code.` for its dashboards: the scope tells them apart.
//!
//! Source: `src/handlers` of `DEVtheOPS/opencode-plugin-otel` (July and September 2026),
//! `packages/opencode/src/permission` of `sst/opencode`. No recording of ours.

use crate::model::{
    By, Call, Decision, GrantScope, Known, Missing, Moment, Node, Outcome, Proof, Pseudo, Status, Text, What,
};
use crate::values;

use super::draft::{a_decision, an_id, word};
use super::{Dialect, Draft, Source, genai};

/// The plugin's scope.
pub const SCOPE: &str = "com.opencode";

/// Answers to a permission prompt, in the program's words and in the plugin's older ones.
const ANSWERS: &[(&str, Outcome, GrantScope)] = &[
    ("once", Outcome::Allow, GrantScope::Once),
    ("allow", Outcome::Allow, GrantScope::Once),
    ("always", Outcome::Allow, GrantScope::Session),
    ("allowAlways", Outcome::Allow, GrantScope::Session),
    ("reject", Outcome::Deny, GrantScope::Once),
    ("deny", Outcome::Deny, GrantScope::Once),
];

/// The decision, where the answer is none of these.
const DECISIONS: &[(&str, Outcome)] = &[("accept", Outcome::Allow), ("reject", Outcome::Deny)];

/// Sentences of the program in the place of an error: the tool did not run.
const REFUSALS: &[(&str, By)] = &[
    ("The user rejected permission to use this specific tool call", By::Human),
    ("The user has specified a rule which prevents you from using this specific tool call", By::Policy),
    ("Permission denied by ruleset", By::Policy),
];

/// What may stand before such a sentence.
const ERROR: &str = "PermissionDeniedError: ";

/// How the plugin closes spans that a session leaves open.
const SWEPT: &[&str] = &["session execution ended before", "session ended before tool completed"];

/// Between prefix and tool in the older names of spans.
const NAMED: &str = ".tool ";

/// The tool that hands to a sub-agent.
const TASK: &str = "task";

/// Records of the plugin's scope.
pub struct OpenCode;

impl Dialect for OpenCode {
    fn name(&self) -> &'static str {
        "opencode"
    }

    fn reads(&self, source: &Source<'_>) -> bool {
        source.scope() == SCOPE
    }

    fn read<'a>(&self, source: &'a Source<'a>, draft: &mut Draft<'a>) {
        if source.span().is_some() {
            if draft.own.is_none() && draft.node == Node::Other {
                older(source, draft);
            }
            return tool(source, draft);
        }
        if let Some(id) = source.text("session.id") {
            draft.conversation(id);
        }
        let agent = source.text("agent.name").filter(|name| an_id(name).is_some());
        match source.event() {
            "tool_decision" => answered(source, draft),
            "user_prompt" => draft.asked("prompt"),
            "tool_result" if source.log().is_some_and(|log| log.trace_id.is_none()) => ended(source, draft),
            // Its agent is the one that is handed to.
            "subtask_invoked" => return delegated(source.text("agent").or(agent), draft),
            _ => {}
        }
        if let Some(name) = agent {
            draft.agent(name, None);
        }
    }
}

/// A call of older versions, which only its span's name tells.
fn older(source: &Source<'_>, draft: &mut Draft<'_>) {
    let named = source.span().and_then(|span| Some(span.name.split_once(NAMED)?.1));
    let Some(tool) = named else { return };
    let mut call = Call::new(genai::moment(source));
    call.tool = an_id(source.text("tool.name").unwrap_or(tool));
    draft.node = Node::Tool;
    draft.own = Some(call);
    if let Some(id) = source.text("session.id") {
        draft.conversation(id);
    }
}

/// What the sentence of an error says about a call.
fn failed(error: &str) -> Option<Moment> {
    let sentence = error.strip_prefix(ERROR).unwrap_or(error);
    let refused = REFUSALS.iter().find(|(start, _)| sentence.starts_with(start));
    let swept = SWEPT.iter().any(|start| sentence.starts_with(start));
    refused.map(|(_, by)| Moment::Refused { by: *by }).or(swept.then_some(Moment::Proposed))
}

/// A call of which nothing but the log of its end is there.
fn ended(source: &Source<'_>, draft: &mut Draft<'_>) {
    let Some(tool) = source.text("tool_name").and_then(an_id) else { return };
    let success = source.get("success").and_then(|said| said.as_bool().or_else(|| values::truth_of(said.as_str()?)));
    let error = source.first_text(&["error", "error.message"]);
    let moment = match (success, error) {
        (Some(false), error) | (None, error @ Some(_)) => {
            let error = error.unwrap_or("error");
            let status = Status::Error(word(error));
            failed(error).unwrap_or(Moment::Ran { status, proof: Proof::Ran })
        }
        _ => Moment::Ran { status: Status::Fine, proof: Proof::Ran },
    };
    let mut call = Call::new(moment);
    call.pseudo = (*tool == *TASK).then_some(Pseudo::Delegation { to: None });
    (call.arguments, call.result) = (Known::Missing(Missing::Withheld), Known::Missing(Missing::Withheld));
    call.tool = Some(tool);
    draft.call(call);
}

/// A call: whether it was refused, and whom it hands to.
fn tool(source: &Source<'_>, draft: &mut Draft<'_>) {
    let Some(own) = &mut draft.own else { return };
    let message = source.span().map(|span| span.status.message).unwrap_or_default();
    let error = source.text("tool.error").unwrap_or(message);
    if let (Moment::Ran { status: Status::Error(_), .. }, Some(moment)) = (&own.moment, failed(error)) {
        own.moment = moment;
    }
    if own.tool.as_deref() == Some(TASK) {
        let arguments = own.arguments.value().and_then(Text::whole).unwrap_or_default();
        let fields: Option<serde_json::Value> = serde_json::from_str(arguments).ok();
        let to = fields.as_ref().and_then(|fields| fields.get("subagent_type")?.as_str()).map(word);
        own.pseudo = Some(Pseudo::Delegation { to });
    }
}

/// What a person answered.
fn answered(source: &Source<'_>, draft: &mut Draft<'_>) {
    let (raw, decision) = (source.text("source").unwrap_or_default(), source.text("decision").unwrap_or_default());
    let answer = ANSWERS.iter().find(|row| row.0 == raw).map(|row| (row.1, row.2));
    let decided = || DECISIONS.iter().find(|row| row.0 == decision).map(|row| (row.1, GrantScope::Unknown));
    let Some((outcome, scope)) = answer.or_else(decided) else { return };
    let tool = ["tool_type", "tool_name"].iter().find_map(|key| an_id(source.text(key)?));
    draft.say(What::Decision(Box::new(Decision {
        scope,
        tool,
        ..a_decision(source, outcome, By::Human, &format!("{decision}/{raw}"))
    })));
}

fn delegated(to: Option<&str>, draft: &mut Draft<'_>) {
    let mut call = Call::new(Moment::Ran { status: Status::Fine, proof: Proof::Ran });
    call.pseudo = Some(Pseudo::Delegation { to: to.map(word) });
    draft.call(call);
}
