//! Gemini CLI: log events, which are always there, and spans, which are there when detailed tracing is on.
//!
//! | record | says |
//! |---|---|
//! | `gemini_cli.config`, `approval_mode_switch` | the approval mode in force, which some builds name in every event |
//! | `gemini_cli.user_prompt` | the intent |
//! | `gemini_cli.api_response` | the model, its tokens, the calls it asked for |
//! | `gemini_cli.api_request` | what the tools answered since the model spoke last |
//! | `gemini_cli.tool_call` | decision and outcome of a call, without its id |
//! | `gemini_cli.hook_call` | what a hook decided |
//! | span `tool_call` | a call that ran: request and response as JSON of their own |
//! | span `schedule_tool_calls` | every call of a batch, with its outcome, also those that did not run |
//!
//! * Nothing but the session joins the records: each span trace is one step, and half of the log events have none.
//! * One call is told three times. With content on, requests and responses have its id and the `tool_call` event has
//!   not, so that the event only tells the decision; with content off the event is all there is of the call.
//! * The CLI's id of a call is the tool's name, two underscores and the model's id; the model is given the rest only.
//! * `accept` and `auto_accept` are also written when nobody was asked. Only where nobody could be asked, it is known
//!   who decided.
//! * Model spans and the events of OTel GenAI repeat what the events above say, partly with wrong roles.
//!
//! Source: `packages/core/src/telemetry` of `google-gemini/gemini-cli`, and recordings of 0.61.

use std::sync::Arc;

use serde_json::{Map, Value};

use crate::model::{By, Call, Decision, GrantScope, Known, Missing, Moment, Node, Outcome, Proof, Status, Text, What};
use crate::values;

use super::draft::{a_decision, about, an_id, word};
use super::message::{Message, Part, message};
use super::{Content, Dialect, Draft, Rules, Source};

const EVENT: &str = "event.name";
const INPUT: &str = "gen_ai.input.messages";
const OUTPUT: &str = "gen_ai.output.messages";

/// A decision in the CLI's words: on events first, then on spans. `None`: whoever could be asked.
const DECISIONS: &[(&str, Outcome, Option<By>, GrantScope)] = &[
    ("accept", Outcome::Allow, None, GrantScope::Once),
    ("auto_accept", Outcome::Allow, None, GrantScope::Session),
    ("modify", Outcome::Modify, Some(By::Human), GrantScope::Once),
    ("reject", Outcome::Deny, Some(By::Human), GrantScope::Once),
    ("proceed_once", Outcome::Allow, None, GrantScope::Once),
    ("proceed_always", Outcome::Allow, Some(By::Human), GrantScope::Session),
    ("proceed_always_tool", Outcome::Allow, Some(By::Human), GrantScope::Session),
    ("proceed_always_server", Outcome::Allow, Some(By::Human), GrantScope::Session),
    ("proceed_always_and_save", Outcome::Allow, Some(By::Human), GrantScope::Permanent),
    ("modify_with_editor", Outcome::Modify, Some(By::Human), GrantScope::Once),
    ("cancel", Outcome::Deny, Some(By::Human), GrantScope::Once),
];

/// A hook's answers.
const HOOKS: &[(&str, Outcome)] = &[
    ("deny", Outcome::Deny),
    ("block", Outcome::Deny),
    ("ask", Outcome::Ask),
    ("allow", Outcome::Allow),
    ("approve", Outcome::Allow),
];

/// Beginnings of errors that stand in the place of a result: the tool did not run.
const REFUSALS: &[(&str, By)] = &[
    ("Tool execution blocked: ", By::Hook),
    ("Tool execution denied by policy", By::Policy),
    ("[Operation Cancelled] Reason: User did not allow tool call", By::Human),
];

/// The mode in which nobody is asked.
const UNASKED: &str = "yolo";
/// Approval modes, and whether calls run in them unasked: with automatic edits some do.
const MODES: &[(&str, Option<bool>)] =
    &[("default", Some(false)), ("plan", Some(false)), ("autoEdit", None), ("auto_edit", None), (UNASKED, Some(true))];

/// Records of the CLI's scope, and its events in any.
pub struct GeminiCli;

impl Dialect for GeminiCli {
    fn name(&self) -> &'static str {
        "gemini-cli"
    }

    fn reads(&self, source: &Source<'_>) -> bool {
        source.scope() == "gemini-cli" || source.text(EVENT).is_some_and(|name| name.starts_with("gemini_cli."))
    }

    fn read<'a>(&self, source: &'a Source<'a>, draft: &mut Draft<'a>) {
        if let Some(id) = source.text("session.id") {
            draft.conversation(id);
        }
        // Half of the events stand in the trace of some step, and half in none: a prompt is a turn.
        if let Some(prompt) = source.first_text(&["prompt_id", "session.id"]).filter(|_| source.log().is_some()) {
            draft.say(What::Turn(word(prompt)));
        }
        draft.facts.retain(|fact| !is_repeated(&fact.what));
        match source.log() {
            Some(_) => event(source, draft),
            None => span(source, draft),
        }
    }

    fn rules(&self, _: &Source<'_>) -> Option<Rules> {
        Some(Rules { proof: Proof::Ran, content: Content::Optional })
    }
}

/// What OTel GenAI reads here and other records say better. The prompt's name is the id of the user's prompt.
fn is_repeated(what: &What) -> bool {
    matches!(what, What::Messages(_) | What::Model { .. } | What::PromptVersion(_))
}

fn event(source: &Source<'_>, draft: &mut Draft<'_>) {
    if let Some(mode) = source.first_text(&["active_approval_mode", "approval_mode", "to_mode"]) {
        draft.mode(mode, MODES);
    }
    match source.text(EVENT).unwrap_or_default() {
        "gemini_cli.config" => {
            if let Some(mode) = source.text("approval_mode") {
                draft.say(What::Policy(word(&format!("approval_mode={mode}"))));
            }
        }
        "gemini_cli.user_prompt" => draft.asked("prompt"),
        "gemini_cli.api_response" => answered(source, draft),
        "gemini_cli.api_request" => returned(source, draft),
        "gemini_cli.tool_call" => tool_event(source, draft),
        "gemini_cli.hook_call" => hook(source, draft),
        _ => {}
    }
}

/// An answer of the model: chunks with candidates, whose parts may be calls.
fn answered(source: &Source<'_>, draft: &mut Draft<'_>) {
    let tokens = |key| source.first_count(&[key]).unwrap_or(0);
    if let Some(model) = source.text("model") {
        let tokens = (tokens("input_token_count"), tokens("output_token_count"));
        draft.say(What::Model { provider: word(""), model: word(model), tokens });
    }
    let Some(json) = source.text("response_text") else { return draft.withheld() };
    let chunks: Value = serde_json::from_str(json).unwrap_or(Value::Null);
    let chunks = chunks.as_array().map(Vec::as_slice).unwrap_or_default();
    if let Some(id) = chunks.iter().find_map(|chunk| chunk.get("responseId")?.as_str()).and_then(an_id) {
        draft.say(What::Response(id));
    }
    for content in chunks.iter().filter_map(|chunk| chunk.pointer("/candidates/0/content")) {
        for part in message(content).parts {
            if let Part::Call { id, name, arguments } = part {
                let mut call = named(Moment::Proposed, name.as_deref(), id.as_deref());
                call.arguments = arguments.map_or(Known::ABSENT, |arguments| draft.text(&arguments));
                draft.call(call);
            }
        }
    }
}

/// What came back since the model spoke last.
fn returned(source: &Source<'_>, draft: &mut Draft<'_>) {
    let Some(json) = source.text("request_text") else { return };
    let contents: Value = serde_json::from_str(json).unwrap_or(Value::Null);
    let contents = contents.as_array().map(Vec::as_slice).unwrap_or_default();
    let is_model = |content: &&Value| content.get("role").and_then(Value::as_str) == Some("model");
    let spoke = contents.iter().rposition(|content| is_model(&content));
    for Message { parts, .. } in contents.iter().skip(spoke.map_or(0, |at| at + 1)).map(message) {
        for part in parts {
            if let Part::Answer { id, name, result: Some(result), .. } = part {
                let answer = Answer::of(&serde_json::from_str(&result).unwrap_or(Value::Null));
                // The CLI tells refusals from results: what it gives to the model as a result is one.
                let mut call = named(answer.moment(), name.as_deref(), id.as_deref());
                call.result = answer.text(draft);
                draft.call(call);
            }
        }
    }
}

/// A call by the CLI's id.
fn named(moment: Moment, name: Option<&str>, id: Option<&str>) -> Call {
    let mut call = Call::new(moment);
    let tool = name.unwrap_or_default();
    call.tool = name.filter(|name| !name.is_empty()).map(word);
    call.id = id.and_then(an_id).map(|id| match id.strip_prefix(tool).is_some_and(|rest| rest.starts_with("__")) {
        true => id,
        false => Arc::from(format!("{tool}__{id}")),
    });
    call.pseudo = name.and_then(|name| values::pseudo(name, None, None));
    call
}

/// What the CLI made of a tool's outcome for the model: `{"output": …}` or `{"error": …}`.
struct Answer {
    result: Option<String>,
    error: bool,
}

impl Answer {
    fn of(response: &Value) -> Self {
        let text = |key: &str| {
            let value = response.get(key)?;
            Some(value.as_str().map_or_else(|| value.to_string(), str::to_owned))
        };
        let whole = || (!response.is_null()).then(|| response.to_string());
        let error = text("error");
        Self { error: error.is_some(), result: error.or_else(|| text("output")).or_else(whole) }
    }

    fn moment(&self) -> Moment {
        match (self.error, self.refused_by()) {
            (true, Some(by)) => Moment::Refused { by },
            (true, None) => Moment::Ran { status: Status::Error(word("error")), proof: Proof::Ran },
            (false, _) => Moment::Ran { status: Status::Fine, proof: Proof::Ran },
        }
    }

    fn refused_by(&self) -> Option<By> {
        refused_by(self.result.as_deref()?)
    }

    fn text(&self, draft: &mut Draft<'_>) -> Known<Text> {
        self.result.as_deref().map_or(Known::ABSENT, |result| draft.text(result))
    }
}

fn refused_by(error: &str) -> Option<By> {
    REFUSALS.iter().find(|(start, _)| error.starts_with(start)).map(|(_, by)| *by)
}

/// The event of a call. With arguments it only tells the decision.
fn tool_event(source: &Source<'_>, draft: &mut Draft<'_>) {
    let arguments = source.text("function_args");
    let tool = source.text("function_name");
    let interactive = source.get("interactive").and_then(|interactive| interactive.as_bool());
    if let Some(decision) = source.text("decision").and_then(|raw| decision(raw, interactive == Some(false), source)) {
        let parameters = arguments.map(values::digest_json);
        draft.say(What::Decision(Box::new(Decision { tool: tool.map(word), parameters, ..decision })));
    }
    if arguments.is_some() {
        return;
    }
    let mut call = Call::new(event_moment(source));
    call.tool = tool.map(word);
    (call.arguments, call.result) = (Known::Missing(Missing::Withheld), Known::Missing(Missing::Withheld));
    call.pseudo = tool.and_then(|tool| values::pseudo(tool, None, None));
    draft.call(call);
    draft.withheld();
}

fn event_moment(source: &Source<'_>) -> Moment {
    let success = source.get("success").and_then(|success| success.as_bool());
    let kind = source.first_text(&["error_type", "error.type"]);
    let refused = refused_by(source.first_text(&["error", "error.message"]).unwrap_or_default());
    let refused = refused.or((kind == Some("policy_violation")).then_some(By::Policy));
    match (source.text("decision"), success, refused) {
        (Some("reject"), ..) => Moment::Refused { by: By::Human },
        (_, Some(false), Some(by)) => Moment::Refused { by },
        (_, Some(false), None) => {
            Moment::Ran { status: Status::Error(word(kind.unwrap_or("error"))), proof: Proof::Ran }
        }
        _ => Moment::Ran { status: Status::Fine, proof: Proof::Ran },
    }
}

/// A decision in the CLI's words. `unasked`: nobody could be asked.
fn decision(raw: &str, unasked: bool, source: &Source<'_>) -> Option<Decision> {
    let (_, outcome, by, scope) = DECISIONS.iter().find(|(word, ..)| *word == raw)?;
    let standing = unasked && *outcome == Outcome::Allow;
    let by = if standing { By::Policy } else { by.unwrap_or(By::Unknown) };
    Some(Decision { scope: *scope, standing, ..a_decision(source, *outcome, by, raw) })
}

/// A hook that looked at a call before it ran.
fn hook(source: &Source<'_>, draft: &mut Draft<'_>) {
    let parsed = |key| serde_json::from_str::<Value>(source.text(key)?).ok();
    let Some(output) = parsed("hook_output").filter(|_| source.text("hook_event_name") == Some("BeforeTool")) else {
        return;
    };
    let raw = output.get("decision").and_then(Value::as_str).unwrap_or_default();
    let Some((_, outcome)) = HOOKS.iter().find(|(word, _)| *word == raw) else { return };
    let name = source.text("hook_name").unwrap_or("a hook");
    let input = parsed("hook_input").unwrap_or(Value::Null);
    draft.say(What::Decision(Box::new(Decision {
        tool: input.get("tool_name").and_then(Value::as_str).map(word),
        parameters: input.get("tool_input").map(|input| values::digest_json(&input.to_string())),
        ..a_decision(source, *outcome, By::Hook, &format!("{raw} by {name}"))
    })));
}

fn span(source: &Source<'_>, draft: &mut Draft<'_>) {
    match source.text("gen_ai.operation.name") {
        Some("tool_call") => tool_span(source, draft),
        Some("schedule_tool_calls") => scheduled(source, draft),
        _ => {}
    }
}

/// A call that ran. Without content the event of the call stands for it.
fn tool_span(source: &Source<'_>, draft: &mut Draft<'_>) {
    let completed = parsed_object(source, OUTPUT).filter(|_| source.text(INPUT).is_some());
    let Some((own, completed)) = draft.own.take().zip(completed) else {
        draft.node = Node::Other;
        return;
    };
    let mut call = of_request(&completed, draft);
    let answer = answer_in(&completed);
    call.moment = match answer.moment() {
        Moment::Ran { .. } if matches!(own.moment, Moment::Ran { status: Status::Error(_), .. }) => own.moment,
        said => said,
    };
    call.result = answer.text(draft);
    draft.own = Some(call);
}

fn parsed_object(source: &Source<'_>, key: &str) -> Option<Map<String, Value>> {
    let Value::Object(fields) = serde_json::from_str(source.text(key)?).ok()? else { return None };
    Some(fields)
}

/// The call of a completed request: `{request: {callId, name, args}, …}`.
fn of_request(completed: &Map<String, Value>, draft: &mut Draft<'_>) -> Call {
    let request = completed.get("request").unwrap_or(&Value::Null);
    let text = |key: &str| request.get(key).and_then(Value::as_str);
    let mut call = named(Moment::Proposed, text("name"), text("callId"));
    if let Some(arguments) = request.get("args") {
        call.arguments = draft.text(&arguments.to_string());
    }
    call
}

/// `{response: {responseParts: [{functionResponse: {response}}]}, …}`.
fn answer_in(completed: &Map<String, Value>) -> Answer {
    let parts = completed.get("response").and_then(|response| response.get("responseParts")?.as_array());
    let mut responses = parts.into_iter().flatten().filter_map(|part| part.pointer("/functionResponse/response"));
    Answer::of(responses.next().unwrap_or(&Value::Null))
}

/// The calls of a batch: what was decided about each, and those that did not run.
fn scheduled(source: &Source<'_>, draft: &mut Draft<'_>) {
    let batch: Value = source.text(OUTPUT).and_then(|json| serde_json::from_str(json).ok()).unwrap_or(Value::Null);
    for completed in batch.as_array().into_iter().flatten().filter_map(Value::as_object) {
        let mut call = of_request(completed, draft);
        let text = |key: &str| completed.get(key).and_then(Value::as_str);
        let mode = text("approvalMode");
        if let Some(mode) = mode.filter(|_| !draft.has(|what| matches!(what, What::Mode { .. }))) {
            draft.mode(mode, MODES);
        }
        let unasked = mode == Some(UNASKED);
        if let Some(decision) = text("outcome").and_then(|raw| decision(raw, unasked, source)) {
            draft.say(What::Decision(Box::new(about(&call, decision))));
        }
        let answer = answer_in(completed);
        let moment = answer.moment();
        if let Moment::Refused { by } = moment {
            let kind = completed.get("response").and_then(|response| response.get("errorType")?.as_str());
            let denied = a_decision(source, Outcome::Deny, by, kind.unwrap_or("refused"));
            draft.say(What::Decision(Box::new(about(&call, denied))));
            (call.moment, call.result) = (moment, answer.text(draft));
            draft.call(call);
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::dialect::testing::{call, calls, facts, log, span};

    fn event(name: &str, attributes: Value) -> Vec<What> {
        let mut fields = json!({"event.name": name, "session.id": "68fa1adf", "interactive": false});
        fields.as_object_mut().expect("an object").extend(attributes.as_object().expect("an object").clone());
        facts(log("gemini-cli", "", fields))
    }

    fn decisions(said: &[What]) -> Vec<Decision> {
        let decision = |what: &What| match what {
            What::Decision(decision) => Some((**decision).clone()),
            _ => None,
        };
        said.iter().filter_map(decision).collect()
    }

    const ID: &str = "read_file__read_file_1795149509910_0";

    #[test]
    fn a_call_has_one_id_in_answer_and_request() {
        let response = json!([{"candidates": [{"content": {"role": "model", "parts": [{"functionCall":
            {"name": "read_file", "args": {"file_path": "notes.txt"}, "id": ID}}]}}], "responseId": "gem-000067"}]);
        let proposed = call(&event("gemini_cli.api_response", json!({"response_text": response.to_string()})));
        assert_eq!((proposed.moment, proposed.id.as_deref()), (Moment::Proposed, Some(ID)));

        let old = json!({"role": "user", "parts": [{"functionResponse": {"name": "x", "id": "x_1",
            "response": {"output": "1"}}}]});
        let new = json!({"role": "user", "parts": [{"functionResponse": {"name": "read_file",
            "id": "read_file_1795149509910_0", "response": {"output": "Meeting notes"}}}]});
        let request = json!([old, {"role": "model", "parts": [{"text": "…"}]}, new]);
        let told = calls(&event("gemini_cli.api_request", json!({"request_text": request.to_string()})));
        assert_eq!(told.len(), 1, "what the model has seen before is not told again");
        assert_eq!(told[0].moment, Moment::Ran { status: Status::Fine, proof: Proof::Ran });
        assert_eq!(told[0].id.as_deref(), Some(ID));
        assert_eq!(told[0].result.value().map(|text| &*text.head), Some("Meeting notes"));
    }

    #[test]
    fn an_answer_tells_a_run_a_failure_and_a_refusal() {
        let ran = |status| Moment::Ran { status, proof: Proof::Ran };
        for (response, want) in [
            (json!({"output": "ok"}), ran(Status::Fine)),
            (json!({"error": "File not found"}), ran(Status::Error(word("error")))),
            (json!({"error": "Tool execution blocked: no"}), Moment::Refused { by: By::Hook }),
            (json!({"error": "Tool execution denied by policy."}), Moment::Refused { by: By::Policy }),
            (
                json!({"error": "[Operation Cancelled] Reason: User did not allow tool call"}),
                Moment::Refused { by: By::Human },
            ),
            (json!({"output": "Tool execution blocked: is a title"}), ran(Status::Fine)),
        ] {
            assert_eq!(Answer::of(&response).moment(), want, "{response}");
        }
    }

    #[test]
    fn the_event_stands_for_the_call_only_without_content() {
        let fields = json!({"function_name": "read_file", "success": true, "decision": "accept"});
        let said = event("gemini_cli.tool_call", fields.clone());
        assert_eq!(call(&said).moment, Moment::Ran { status: Status::Fine, proof: Proof::Ran });
        assert!(said.contains(&What::Withheld));

        let mut with = fields;
        with["function_args"] = json!("{\n  \"file_path\": \"notes.txt\"\n}");
        let said = event("gemini_cli.tool_call", with);
        assert!(calls(&said).is_empty());
        let [decision] = &decisions(&said)[..] else { panic!("one decision") };
        assert_eq!((decision.outcome, decision.by), (Outcome::Allow, By::Policy));
        assert_eq!(decision.parameters, Some(values::digest_json(r#"{"file_path":"notes.txt"}"#)));
    }

    #[test]
    fn a_person_is_named_only_where_one_was_asked() {
        for (decision, interactive, want) in [
            ("accept", json!(false), By::Policy),
            ("accept", json!(true), By::Unknown),
            ("accept", Value::Null, By::Unknown),
            ("auto_accept", json!(false), By::Policy),
            ("auto_accept", json!(true), By::Unknown),
            ("reject", json!(true), By::Human),
        ] {
            let fields = json!({"decision": decision, "interactive": interactive, "function_args": "{}"});
            assert_eq!(decisions(&event("gemini_cli.tool_call", fields))[0].by, want, "{decision} {interactive}");
        }
    }

    #[test]
    fn a_mode_in_which_nobody_is_asked_makes_no_person_s_decision() {
        let mode = |mode: &str, bypass| What::Mode { mode: word(mode), bypass };
        assert!(event("gemini_cli.config", json!({"approval_mode": "yolo"})).contains(&mode("yolo", Some(true))));
        let switched = event("approval_mode_switch", json!({"from_mode": "default", "to_mode": "autoEdit"}));
        assert!(switched.contains(&mode("autoEdit", None)));
        let batch = |outcome: &str, approval: &str| {
            let mut one = completed(json!({"output": "ok"}));
            (one["outcome"], one["approvalMode"]) = (json!(outcome), json!(approval));
            let fields = json!({"gen_ai.operation.name": "schedule_tool_calls",
                "gen_ai.output.messages": json!([one.clone(), one]).to_string()});
            facts(span("gemini-cli", "schedule_tool_calls", fields))
        };
        for (outcome, approval, by, standing) in [
            ("proceed_always", "yolo", By::Policy, true),
            ("proceed_always", "default", By::Human, false),
            ("proceed_once", "default", By::Unknown, false),
            ("cancel", "yolo", By::Human, false),
        ] {
            let said = batch(outcome, approval);
            let made = &decisions(&said)[0];
            assert_eq!((made.by, made.standing), (by, standing), "{outcome} {approval}");
            assert_eq!(said.iter().filter(|what| matches!(what, What::Mode { .. })).count(), 1);
        }
    }

    fn completed(response: Value) -> Value {
        json!({"status": "success", "outcome": "proceed_once", "approvalMode": "yolo",
            "request": {"callId": ID, "name": "read_file", "args": {"file_path": "notes.txt"}},
            "response": {"responseParts": [{"functionResponse": {"id": ID, "name": "read_file", "response": response}}],
                "errorType": "policy_violation"}})
    }

    #[test]
    fn a_batch_tells_decisions_and_refusals() {
        let batch = |response| {
            let fields = json!({"gen_ai.operation.name": "schedule_tool_calls",
                "gen_ai.output.messages": json!([completed(response)]).to_string()});
            facts(span("gemini-cli", "schedule_tool_calls", fields))
        };
        let fine = batch(json!({"output": "ok"}));
        assert!(calls(&fine).is_empty());
        assert_eq!(decisions(&fine)[0].call_id.as_deref(), Some(ID));
        let refused = call(&batch(json!({"error": "Tool execution blocked: writes need review."})));
        assert_eq!((refused.moment, refused.id.as_deref()), (Moment::Refused { by: By::Hook }, Some(ID)));
    }

    #[test]
    fn a_tool_span_is_read_from_its_json() {
        let fields = |input: Option<&str>| {
            let output = completed(json!({"output": "Meeting notes"})).to_string();
            json!({"gen_ai.operation.name": "tool_call", "gen_ai.tool.name": "read_file", "gen_ai.tool.call_id": ID,
                "gen_ai.input.messages": input, "gen_ai.output.messages": output})
        };
        let ran = call(&facts(span("gemini-cli", "tool_call", fields(Some("{}")))));
        assert_eq!(ran.arguments.value().map(|text| &*text.head), Some(r#"{"file_path":"notes.txt"}"#));
        assert_eq!(ran.result.value().map(|text| &*text.head), Some("Meeting notes"));
        assert!(calls(&facts(span("gemini-cli", "tool_call", fields(None)))).is_empty());
    }

    #[test]
    fn a_prompt_that_is_not_there_was_kept_back() {
        let said = event("gemini_cli.user_prompt", json!({"prompt_length": 36}));
        assert!(said.contains(&What::Intent(Known::Missing(Missing::Withheld))));
    }
}
