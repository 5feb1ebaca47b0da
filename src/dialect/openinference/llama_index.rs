//! LlamaIndex.
//!
//! * A workflow's step `call_tool` is a `CHAIN` span around the `TOOL` span: only its input holds the call's id, as the
//!   text of an event: `ToolCall(tool_name='get_order', tool_kwargs={'order_id': 'A-1001'}, tool_id='call_1')`. A step
//!   without output was suspended. Whether the tool failed says the next step, `ToolCallResult(…, is_error=True)`.
//! * A tool that waits for a person raises `WaitingForEvent` and is called again with the answer. Only tools that
//!   were given the workflow's context can wait, and they say themselves what was answered.
//! * A model call has up to three `LLM` spans; only the innermost has messages.
//!
//! Source: `python/instrumentation/openinference-instrumentation-llama-index` and recordings of 4.6.1.

use serde_json::Value;

use crate::model::{By, Call, Moment, Node, Proof, Status};

use super::super::draft::word;
use super::super::genai_events::a_call;
use super::super::python;
use super::tool::{is_object_of_program, moment};
use super::{Draft, INPUT, KIND, OUTPUT, Source};

/// How a tool says that the person it asked did not agree.
const DENIALS: &[&str] = &["denied", "rejected", "declined", "not approved"];

/// A step that calls a tool does not prove that the tool ran: the tool's own span does.
pub fn proof(source: &Source<'_>) -> Proof {
    if source.text(KIND) == Some("TOOL") { Proof::Ran } else { Proof::NeedsResult }
}

/// Refines a span of LlamaIndex.
pub fn read<'a>(source: &'a Source<'a>, draft: &mut Draft<'a>) {
    let name = source.span().map(|span| span.name).unwrap_or_default();
    if let Some(own) = draft.own.take() {
        draft.own = Some(tool_call(own, source, draft));
    } else if name.ends_with(".call_tool") {
        call_tool(source, draft);
    } else if name.ends_with(".aggregate_tool_results") {
        failed(source, draft);
    } else if name.ends_with(".run_agent_step")
        && let Some(agent) = source.text(INPUT).and_then(|input| between(input, "current_agent_name='", "'"))
    {
        draft.node = Node::Agent;
        draft.agent(agent, None);
    }
}

/// The call of a `TOOL` span: `{"blocks": [{"text"}], "tool_name", "raw_input", "raw_output", "is_error"}`.
fn tool_call(mut own: Call, source: &Source<'_>, draft: &mut Draft<'_>) -> Call {
    let output: Value = source.text(OUTPUT).and_then(|json| serde_json::from_str(json).ok()).unwrap_or(Value::Null);
    let Some(blocks) = output.get("blocks").and_then(Value::as_array) else { return own };
    let texts: Vec<&str> = blocks.iter().filter_map(|block| block.get("text")?.as_str()).collect();
    let result = texts.join("\n");
    draft.replace(&mut own.result, &result);
    if let Moment::Ran { status: status @ Status::Fine, .. } = &mut own.moment {
        if output.get("is_error") == Some(&Value::Bool(true)) {
            *status = Status::Error(word("error"));
        } else if has_context(source) && is_denial(&result) {
            own.moment = Moment::Refused { by: By::Human };
        }
    }
    own
}

/// Whether the tool was given an object of the program, as the workflow's context is.
fn has_context(source: &Source<'_>) -> bool {
    let input: Value = source.text(INPUT).and_then(|json| serde_json::from_str(json).ok()).unwrap_or(Value::Null);
    let keywords = input.get("kwargs").and_then(Value::as_object);
    keywords.is_some_and(|it| it.values().any(|value| value.as_str().is_some_and(is_object_of_program)))
}

fn is_denial(result: &str) -> bool {
    let start = result.trim_start().to_ascii_lowercase();
    DENIALS.iter().any(|word| start.strip_prefix(word).is_some_and(|rest| !rest.starts_with(char::is_alphanumeric)))
}

/// The call of a step.
fn call_tool(source: &Source<'_>, draft: &mut Draft<'_>) {
    let Some((name, arguments, id)) = source.text(INPUT).and_then(event).and_then(|event| tool_call_of(&event)) else {
        return;
    };
    let ended = source.text(OUTPUT).is_some() || source.span().is_some_and(|span| span.status.is_error());
    let moment = if ended { moment(source) } else { Moment::Asked };
    draft.node = Node::Tool;
    draft.own = Some(a_call(moment, &Some(id), &Some(name), &arguments, draft));
}

/// The calls that the next step found to have failed.
fn failed(source: &Source<'_>, draft: &mut Draft<'_>) {
    let Some(event) = source.text(INPUT).and_then(event).filter(|event| event.contains("is_error=True")) else {
        return;
    };
    if let Some(id) = event.starts_with("ToolCallResult(").then(|| between(&event, "tool_id='", "'")).flatten() {
        let mut call = Call::new(Moment::Answered { error: true, history: false });
        call.id = super::super::draft::an_id(id);
        call.tool = between(&event, "tool_name='", "'").map(word);
        draft.call(call);
    }
}

/// The event that a step was given.
fn event(input: &str) -> Option<String> {
    let input: Value = serde_json::from_str(input).ok()?;
    input.get("ev")?.as_str().map(str::to_owned)
}

/// Name, arguments and id out of an event's text.
fn tool_call_of(event: &str) -> Option<(String, Option<String>, String)> {
    let fields = event.strip_prefix("ToolCall(")?.strip_suffix(')')?;
    let (fields, id) = fields.rsplit_once(", tool_id='")?;
    let (name, arguments) = fields.strip_prefix("tool_name='")?.split_once("', tool_kwargs=")?;
    let arguments = python::literal(arguments).map(|arguments| arguments.to_string());
    Some((name.to_owned(), arguments, id.strip_suffix('\'')?.to_owned()))
}

fn between<'a>(text: &'a str, start: &str, end: &str) -> Option<&'a str> {
    let (_, rest) = text.split_once(start)?;
    rest.split_once(end).map(|(found, _)| found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_names_its_call() {
        let event = "ToolCall(tool_name='issue_refund', tool_kwargs={'order_id': 'A-1001', 'amount': 42.5}, tool_id='call_00220')";
        let want = ("issue_refund".into(), Some(r#"{"amount":42.5,"order_id":"A-1001"}"#), "call_00220".into());
        let found = tool_call_of(event);
        assert_eq!(
            found.as_ref().map(|(name, arguments, id)| (name.clone(), arguments.as_deref(), id.clone())),
            Some(want)
        );
        assert_eq!(tool_call_of("ToolCallResult(tool_name='issue_refund')"), None);
        assert_eq!(tool_call_of("ToolCall()"), None);
    }

    #[test]
    fn a_denial_stands_at_the_start() {
        for (result, want) in [
            ("Denied by the shift manager: not approved.", true),
            ("Rejected", true),
            ("deniedfiles: 0", false),
            ("The request was denied.", false),
            ("", false),
        ] {
            assert_eq!(is_denial(result), want, "{result}");
        }
    }
}
