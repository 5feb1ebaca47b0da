//! opencode through its OTel plugin: OpenInference spans, and log events with the short names of Claude Code.
//!
//! | record | says |
//! |---|---|
//! | span `opencode.session` | an agent's run, with the prompt; a sub-agent's stands below it |
//! | span `opencode.tool.<name>` | a call: id, arguments, output |
//! | log `tool_decision` | what a person answered to a permission prompt |
//! | logs `user_prompt`, `subtask_invoked` | the intent where prompts are logged; a delegation |
//! | logs `tool_result`, `api_request` | repeat the spans, without ids; not read |
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
    By, Call, Decision, GrantScope, Known, Missing, Moment, Outcome, Proof, Pseudo, Status, Text, What,
};

use super::draft::{a_decision, an_id, word};
use super::{Dialect, Draft, Source};

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

/// How the plugin closes spans that a session leaves open.
const SWEPT: &str = "session execution ended before";

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
            return tool(source, draft);
        }
        if let Some(id) = source.text("session.id") {
            draft.conversation(id);
        }
        let agent = source.text("agent.name").filter(|name| an_id(name).is_some());
        match source.event() {
            "tool_decision" => answered(source, draft),
            "user_prompt" => prompt(source, draft),
            // Its agent is the one that is handed to.
            "subtask_invoked" => return delegated(agent, draft),
            _ => {}
        }
        if let Some(name) = agent {
            draft.agent(name, None);
        }
    }
}

/// A call: whether it was refused, and whom it hands to.
fn tool(source: &Source<'_>, draft: &mut Draft<'_>) {
    let Some(own) = &mut draft.own else { return };
    let message = source.span().map(|span| span.status.message).unwrap_or_default();
    let error = source.text("tool.error").unwrap_or(message);
    if let Moment::Ran { status: Status::Error(_), .. } = own.moment {
        let refused = REFUSALS.iter().find(|(sentence, _)| error.contains(sentence));
        if let Some((_, by)) = refused {
            own.moment = Moment::Refused { by: *by };
        } else if error.starts_with(SWEPT) {
            own.moment = Moment::Proposed;
        }
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

/// The user's text; its length is always said.
fn prompt(source: &Source<'_>, draft: &mut Draft<'_>) {
    let text = match source.text("prompt") {
        Some(text) => draft.text(text),
        None => Known::Missing(Missing::Withheld),
    };
    if !text.is_present() {
        draft.withheld();
    }
    draft.say(What::Intent(text));
}

fn delegated(to: Option<&str>, draft: &mut Draft<'_>) {
    let mut call = Call::new(Moment::Ran { status: Status::Fine, proof: Proof::Ran });
    call.pseudo = Some(Pseudo::Delegation { to: to.map(word) });
    draft.call(call);
}
