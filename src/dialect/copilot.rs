//! GitHub Copilot: chat and agents in VS Code, and the CLI. A refinement of OTel GenAI.
//!
//! | record | says |
//! |---|---|
//! | span `invoke_agent` | `copilot_chat.user_request`: the user's words |
//! | span `execute_tool` | `github.copilot.tool.parameters.*`: target and effect |
//! | span `execute_hook` (VS Code) | `github.copilot.hook.decision` of one hook |
//! | span event `github.copilot.hook.end` (CLI) | the same, on the span of the model call or of the agent |
//! | span event `github.copilot.sandbox.*` (CLI) | whether a sandbox was in force |
//! | logs `copilot_chat.edit.*`, `.inline.done`, `.user.feedback` | what became of an edit: checks after the action |
//!
//! * `session.id` of the resource is the editor's window. The conversation is `gen_ai.conversation.id`, on tool spans
//!   `copilot_chat.chat_session_id`.
//! * Confirmation dialogs are not exported: nobody says that a person allowed or rejected a call.
//! * On model spans `copilot_chat.user_request` is the wrapped prompt and not what the user said.
//! * The logs of calls and turns repeat the spans, without ids. `gen_ai.client.inference.operation.details` has no
//!   trace.
//! * The CLI's hooks name tools and no calls. Where content is on, the answer that the span carries names the calls.
//! * A risk assessment of a terminal command is a model call in a trace of its own. It is advice: nothing blocks.
//! * A result may be the tree that the editor renders. Its texts are the result.
//! * Events after the action name a `request_id` of the editor, which no other record has.
//!
//! Source: `docs/agents/guides/monitoring-agents.md` of `microsoft/vscode-docs` (July 2026),
//! `extensions/copilot/src/platform/otel` of `microsoft/vscode`, the CLI's command reference, and public captures of
//! 0.51 and CLI 1.0.84. No recording of ours.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;

use crate::model::{
    By, Call, Check, CheckResult, Decision, Direction, Effect, Known, Missing, Moment, Node, Outcome, Phase, Proof,
    Pseudo, Status, Text, What,
};
use crate::values;
use crate::wire::EventView;

use super::draft::{a_check, a_decision, an_id, word};
use super::message::{Part, messages};
use super::source::event_text;
use super::{Dialect, Draft, Source};

const CLI_SCOPE: &str = "github.copilot";
const PREFIXES: &[&str] = &["github.copilot.", "copilot_chat."];
const EVENTS: &str = "copilot_chat.";
const DETAILS: &str = "gen_ai.client.inference.operation.details";

/// Services whose details events repeat a model span.
const SERVICES: &[&str] = &["copilot-chat", "github-copilot"];

const HOOK_END: &str = "github.copilot.hook.end";
const HOOK_TYPES: &[&str] = &["copilot_chat.hook_type", "github.copilot.hook.type"];
const HOOK_DECISION: &str = "github.copilot.hook.decision";
const HOOK_TOOLS: &str = "github.copilot.hook.tool_names";
const SANDBOX: &str = "github.copilot.sandbox.enforcement_state";
const ABORT: &str = "github.copilot.session.abort";

/// What a hook said, and whether that decides. Not to object decides nothing, and an error of a hook blocks nothing.
const HOOKS: &[(&str, Outcome, bool)] = &[
    ("pass", Outcome::Allow, false),
    ("allow", Outcome::Allow, true),
    ("approve", Outcome::Allow, true),
    ("block", Outcome::Deny, true),
    ("deny", Outcome::Deny, true),
    ("ask", Outcome::Ask, true),
    ("non_blocking_error", Outcome::Warn, false),
];

/// More tools than one hook looks at; the rest of a longer list is ignored.
const MAX_NAMES: usize = 256;

/// What an edit does, and tools that run something.
const EDITS: &[(&str, Effect)] = &[
    ("create", Effect::Create),
    ("update", Effect::Update),
    ("str_replace", Effect::Update),
    ("insert", Effect::Update),
];

/// Tools that write the plan.
const PLANS: &[&str] = &["manage_todo_list", "update_todo"];

/// Events after the action: where the verdict is, and what it says.
const VERDICTS: &[(&str, &str, &str, CheckResult)] = &[
    ("edit.feedback", "outcome", "accepted", CheckResult::Pass),
    ("edit.feedback", "outcome", "rejected", CheckResult::Fail),
    ("edit.hunk.action", "outcome", "accepted", CheckResult::Pass),
    ("edit.hunk.action", "outcome", "rejected", CheckResult::Fail),
    ("inline.done", "accepted", "true", CheckResult::Pass),
    ("inline.done", "accepted", "false", CheckResult::Fail),
    ("user.feedback", "rating", "positive", CheckResult::Pass),
    ("user.feedback", "rating", "helpful", CheckResult::Pass),
    ("user.feedback", "rating", "up", CheckResult::Pass),
    ("user.feedback", "rating", "negative", CheckResult::Fail),
    ("user.feedback", "rating", "unhelpful", CheckResult::Fail),
    ("user.feedback", "rating", "down", CheckResult::Fail),
    ("inline_agent_survey", "rating", "yes", CheckResult::Pass),
    ("inline_agent_survey", "rating", "no", CheckResult::Fail),
];

/// How deep a rendered tree is followed.
const MAX_DEPTH: u32 = 64;

/// Records with attributes of Copilot, of the CLI's scope, and details events of its services.
pub struct Copilot;

impl Dialect for Copilot {
    fn name(&self) -> &'static str {
        "github-copilot"
    }

    fn reads(&self, source: &Source<'_>) -> bool {
        source.scope() == CLI_SCOPE
            || PREFIXES.iter().any(|prefix| source.has_prefix(prefix))
            || source.event().starts_with(EVENTS)
            || source.event() == DETAILS && service(source).is_some_and(|name| SERVICES.contains(&name))
    }

    fn read<'a>(&self, source: &'a Source<'a>, draft: &mut Draft<'a>) {
        let known = draft.has(|what| matches!(what, What::Conversation(_)));
        if let Some(id) = source.text("copilot_chat.chat_session_id").filter(|_| !known) {
            draft.conversation(id);
        }
        match source.span() {
            Some(_) => span(source, draft),
            None if source.event() == DETAILS => draft.facts.retain(|fact| !matches!(fact.what, What::Model { .. })),
            None => event(source, draft),
        }
    }
}

fn service<'a>(source: &Source<'a>) -> Option<&'a str> {
    source.received.resource.attributes().text("service.name")
}

fn span(source: &Source<'_>, draft: &mut Draft<'_>) {
    let operation = source.text("gen_ai.operation.name").unwrap_or_default();
    match draft.node {
        Node::Agent => asked_for(source, draft),
        Node::Model => risk(source, draft),
        Node::Tool => tool(source, draft),
        _ if operation == "execute_hook" => hook_span(source, draft),
        _ => {}
    }
    let mut asked_for = None;
    for event in source.span_events() {
        match event.name {
            HOOK_END => {
                let calls = asked_for.get_or_insert_with(|| proposed(draft));
                hook_event(&event, calls, source, draft);
            }
            SANDBOX => sandbox(&event, draft),
            // On a model span it would be said of every call that the model asked for.
            ABORT if draft.node != Node::Model => aborted(&event, source, draft),
            _ => {}
        }
    }
}

/// The user's words, on the outermost agent. An inner one is asked by an agent.
fn asked_for(source: &Source<'_>, draft: &mut Draft<'_>) {
    if source.span().is_some_and(|span| span.parent_span_id.is_some()) {
        return;
    }
    match source.text("copilot_chat.user_request") {
        Some(request) => {
            let text = draft.text(request);
            draft.say(What::Intent(text));
        }
        None if !draft.has(|what| matches!(what, What::Messages(_))) => {
            draft.say(What::Intent(Known::Missing(Missing::Withheld)));
            draft.withheld();
        }
        None => {}
    }
}

fn tool(source: &Source<'_>, draft: &mut Draft<'_>) {
    let Some(mut own) = draft.own.take() else { return };
    let parameter = |name: &str| source.text(&format!("github.copilot.tool.parameters.{name}"));
    own.tool = parameter("mcp_tool_name").map(word).or(own.tool);
    own.target = parameter("file_path").and_then(target).or(own.target);
    let edit = parameter("edit_type").and_then(|kind| EDITS.iter().find(|(word, _)| *word == kind));
    own.effect = edit.map(|(_, effect)| *effect).or(parameter("command").map(|_| Effect::Execute));
    if let Some(text) = own.result.value().and_then(Text::whole).and_then(rendered) {
        draft.replace(&mut own.result, &text);
    }
    let plans = own.tool.as_deref().is_some_and(|tool| PLANS.contains(&tool));
    if let (true, Known::Value(text)) = (plans, &own.arguments) {
        draft.say(What::Plan { id: None, text: Known::Value(text.clone()) });
    }
    draft.own = Some(own);
}

/// A path as a URI where it can be one.
fn target(path: &str) -> Option<Arc<str>> {
    let known = values::known(path).value().copied()?;
    Some(if known.starts_with('/') { word(&format!("file://{known}")) } else { word(known) })
}

/// The texts of a rendered tree: `{node: {children: [{text, lineBreakBefore}]}}`. `None` for any other result.
fn rendered(result: &str) -> Option<String> {
    let tree: Value = serde_json::from_str(result).ok().filter(|_| result.starts_with("{\"node\""))?;
    let mut text = String::new();
    write_texts(tree.get("node")?, MAX_DEPTH, &mut text);
    (!text.is_empty()).then_some(text)
}

fn write_texts(node: &Value, depth: u32, out: &mut String) {
    let Some(inside) = depth.checked_sub(1) else { return };
    if let Some(text) = node.get("text").and_then(Value::as_str) {
        if !out.is_empty() && node.get("lineBreakBefore").is_some_and(|after| *after != Value::Bool(false)) {
            out.push('\n');
        }
        out.push_str(text);
    }
    for child in node.get("children").and_then(Value::as_array).into_iter().flatten() {
        write_texts(child, inside, out);
    }
}

/// One hook. Its input is what Claude Code gives to hooks, where it is not held back.
fn hook_span(source: &Source<'_>, draft: &mut Draft<'_>) {
    let Some(raw) = source.text(HOOK_DECISION) else { return };
    let input: Value =
        source.text("copilot_chat.hook_input").and_then(|json| serde_json::from_str(json).ok()).unwrap_or(Value::Null);
    let text = |keys: &[&str]| keys.iter().find_map(|key| input.get(*key)?.as_str());
    let tools = names(source.text(HOOK_TOOLS));
    let one = || tools.first().filter(|_| tools.len() == 1).cloned();
    let said = Hook {
        kind: source.first_text(HOOK_TYPES).unwrap_or_default(),
        raw,
        tool: text(&["tool_name", "toolName"]).map(word).or_else(one),
        id: text(&["tool_use_id", "tool_call_id", "toolCallId"]).and_then(an_id),
        at: source.span().map(|span| span.end).unwrap_or_default(),
    };
    if let (Some(_), true) = (&said.id, is_before(said.kind)) {
        let mut call = Call::new(Moment::Proposed);
        (call.id, call.tool) = (said.id.clone(), said.tool.clone());
        let arguments = ["tool_input", "toolInput"].iter().find_map(|key| input.get(*key));
        call.arguments = arguments.map_or(Known::ABSENT, |arguments| draft.text(&arguments.to_string()));
        draft.call(call);
    }
    said.say(source, draft);
}

fn is_before(kind: &str) -> bool {
    kind.eq_ignore_ascii_case("PreToolUse")
}

/// What one hook said about one call, or about one tool.
struct Hook<'a> {
    kind: &'a str,
    raw: &'a str,
    tool: Option<Arc<str>>,
    id: Option<Arc<str>>,
    at: crate::model::Nanos,
}

impl Hook<'_> {
    /// Before the tool a hook decides; after it, it checks. Other hooks are not about a call.
    fn say(self, source: &Source<'_>, draft: &mut Draft<'_>) {
        let Some((_, outcome, decides)) = HOOKS.iter().find(|(word, ..)| *word == self.raw) else { return };
        if is_before(self.kind) {
            draft.say(What::Decision(Box::new(Decision {
                at: self.at,
                enforced: *decides,
                call_id: self.id,
                tool: self.tool,
                ..a_decision(source, *outcome, By::Hook, self.raw)
            })));
        } else if self.kind.eq_ignore_ascii_case("PostToolUse") {
            let result = match outcome {
                Outcome::Allow => CheckResult::Pass,
                Outcome::Deny => CheckResult::Fail,
                _ => CheckResult::Unknown,
            };
            draft.say(What::Check(Box::new(Check {
                at: self.at,
                phase: Phase::PostAction,
                label: word(self.raw),
                call_id: self.id,
                ..a_check(source, self.kind, result)
            })));
        }
    }
}

/// A hook of the CLI: about every call of the tools that it names, once for each.
fn hook_event(event: &EventView<'_>, proposed: &Proposed, source: &Source<'_>, draft: &mut Draft<'_>) {
    let text = |key: &str| event_text(event.attributes(), key).unwrap_or_default();
    let (kind, raw) = (text("github.copilot.hook.type"), text(HOOK_DECISION));
    let mut tools = BTreeMap::<_, usize>::new();
    for tool in names(event_text(event.attributes(), HOOK_TOOLS)) {
        *tools.entry(tool).or_default() += 1;
    }
    for (tool, looked_at) in tools {
        let hook = |id| Hook { kind, raw, tool: Some(tool.clone()), id, at: event.time };
        match proposed.get(&tool) {
            // Without content there is no call that the decision could be put to wrongly.
            None if proposed.is_empty() => hook(None).say(source, draft),
            // As many calls of the tool as the hook looked at: it looked at these.
            Some(ids) if ids.len() == looked_at => {
                ids.iter().for_each(|id| hook(Some(id.clone())).say(source, draft));
            }
            _ => {}
        }
    }
}

/// A JSON array of names.
fn names(json: Option<&str>) -> Vec<Arc<str>> {
    let names: Vec<String> = json.and_then(|json| serde_json::from_str(json).ok()).unwrap_or_default();
    names.iter().take(MAX_NAMES).map(|name| word(name)).collect()
}

/// Ids of calls by their tool.
type Proposed = BTreeMap<Arc<str>, Vec<Arc<str>>>;

/// The calls that the model's answer on this span asks for.
fn proposed(draft: &mut Draft<'_>) -> Proposed {
    let answer = draft.all_messages().find(|messages| messages.direction == Direction::Output);
    let json: Value = answer.and_then(|answer| serde_json::from_slice(&answer.json).ok()).unwrap_or(Value::Null);
    let mut calls = Proposed::new();
    for part in messages(&json).into_iter().flat_map(|message| message.parts) {
        if let Part::Call { id: Some(id), name: Some(name), .. } = part
            && let Some(id) = an_id(&id)
        {
            calls.entry(word(&name)).or_default().push(id);
        }
    }
    calls
}

/// A mode in force: `sandbox.process=inactive`.
fn sandbox(event: &EventView<'_>, draft: &mut Draft<'_>) {
    let text = |key: &str| event_text(event.attributes(), &format!("github.copilot.sandbox.{key}"));
    if let (Some(control), Some(outcome)) = (text("control"), text("outcome")) {
        draft.say(What::Policy(word(&format!("sandbox.{control}={outcome}"))));
    }
}

/// The user stopped what was going on.
fn aborted(event: &EventView<'_>, source: &Source<'_>, draft: &mut Draft<'_>) {
    let raw = event_text(event.attributes(), "github.copilot.abort_reason").unwrap_or("abort");
    let decision = a_decision(source, Outcome::Abort, By::Human, raw);
    draft.say(What::Decision(Box::new(Decision { at: event.time, ..decision })));
}

/// A model's advice about a command: `{"risk": "yellow", "explanation": …}` is the whole answer of a trace of its own.
fn risk(source: &Source<'_>, draft: &mut Draft<'_>) {
    let alone = source.span().is_some_and(|span| span.parent_span_id.is_none());
    let Some(json) = source.text("gen_ai.output.messages").filter(|_| alone) else { return };
    let answer = super::message::text_of(json);
    let said: Value = serde_json::from_str(&answer).unwrap_or(Value::Null);
    let outcome = match said.get("risk").and_then(Value::as_str) {
        Some("green") => Outcome::Allow,
        Some("yellow" | "red") => Outcome::Warn,
        _ => return,
    };
    let raw = format!("risk={}", said["risk"].as_str().unwrap_or_default());
    let decision = a_decision(source, outcome, By::Model, &raw);
    draft.say(What::Decision(Box::new(Decision { enforced: false, ..decision })));
}

fn event(source: &Source<'_>, draft: &mut Draft<'_>) {
    let name = source.event().strip_prefix(EVENTS).unwrap_or_default();
    match name {
        "session.start" => conversation("session.id", source, draft),
        "edit.survival" => survived(source, draft),
        "cloud.session.invoke" => {
            let mut call = Call::new(Moment::Ran { status: Status::Fine, proof: Proof::Ran });
            call.pseudo = Some(Pseudo::Delegation { to: source.text("partner_agent").map(word) });
            draft.call(call);
        }
        _ => verdict(name, source, draft),
    }
}

fn conversation(key: &str, source: &Source<'_>, draft: &mut Draft<'_>) {
    if let Some(id) = source.text(key) {
        draft.conversation(id);
    }
}

/// What a person made of an edit or of an answer.
fn verdict(name: &str, source: &Source<'_>, draft: &mut Draft<'_>) {
    let Some((_, key, ..)) = VERDICTS.iter().find(|row| row.0 == name) else { return };
    conversation("conversation_id", source, draft);
    let truth = || source.get(key)?.as_bool().map(|truth| truth.to_string());
    let label = source.text(key).map(str::to_owned).or_else(truth).unwrap_or_default();
    let known = VERDICTS.iter().find(|row| row.0 == name && row.2 == label);
    let result = known.map_or(CheckResult::Unknown, |row| row.3);
    let check = Check { phase: Phase::PostAction, label: word(&label), ..a_check(source, name, result) };
    draft.say(What::Check(Box::new(check)));
}

/// How much of an edit is still there: all of it, nothing of it, or nobody said how much is enough.
fn survived(source: &Source<'_>, draft: &mut Draft<'_>) {
    let rate =
        |key: &str| source.get(key).and_then(|value| value.as_f64().or_else(|| values::number_of(value.as_str()?)));
    let Some(kept) = rate("survival_rate_no_revert") else { return };
    let moved = source.get("did_branch_change").and_then(|value| value.as_bool()) == Some(true);
    let result = match kept {
        _ if moved => CheckResult::Unknown,
        all if all >= 1.0 => CheckResult::Pass,
        none if none <= 0.0 => CheckResult::Fail,
        _ => CheckResult::Unknown,
    };
    let after = source.first_count(&["time_delay_ms"]).unwrap_or(0);
    let label = format!("{} after {after} ms", source.text("edit_source").unwrap_or("edit"));
    draft.say(What::Check(Box::new(Check {
        phase: Phase::PostAction,
        label: word(&label),
        score: Some(word(&kept.to_string())),
        ..a_check(source, "edit.survival", result)
    })));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_rendered_tree_is_taken_for_one() {
        let tree = r#"{"node":{"type":1,"ctor":2,"children":[
            {"type":2,"text":"first"},{"type":1,"children":[{"type":2,"text":"second","lineBreakBefore":true}]}]}}"#;
        for (result, want) in [
            (tree, Some("first\nsecond")),
            (r#"{"node":{"children":[]}}"#, None),
            (r#"{"node": 7}"#, None),
            (r#"{"order":"A-1001"}"#, None),
            (r#"{"node":"#, None),
            ("plain", None),
        ] {
            assert_eq!(rendered(result).as_deref(), want, "{result}");
        }
    }
}
