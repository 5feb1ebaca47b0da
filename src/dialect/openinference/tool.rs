//! The call that a tool span is: name, arguments in `input.value`, result in `output.value`.
//!
//! `tool.parameters` is the tool's schema, not what it was called with. Python functions are recorded with their
//! signature: `{"args": [], "kwargs": {"order_id": "A-1001", "ctx": "<… object at 0x7f…>"}}`.

use serde_json::{Map, Value};

use crate::model::{Call, Known, Moment, Proof, Status, Text};

use super::super::draft::{an_id, word};
use super::super::source::event_text;
use super::messages::blocks;
use super::{Draft, INPUT, OUTPUT, Source};

const CALL_ID: &[&str] = &["tool.id", "tool_call.id"];

/// What else stands beside the keyword arguments of a recorded Python call.
const BESIDE: &[&str] = &["args", "kwargs", "sanitize_inputs_outputs"];

/// Exceptions that are no failures: the call waits for somebody. Compared with the end of the type.
const PENDING: &[&str] = &["GraphInterrupt", "NodeInterrupt", "WaitingForEvent", "ToolInterruptError"];

/// The call of a tool span, completing what another dialect read.
pub fn call(source: &Source<'_>, draft: &mut Draft<'_>) -> Call {
    let mut call = draft.own.take().unwrap_or_else(|| Call::new(moment(source)));
    if call.id.is_none() {
        call.id = source.first_text(CALL_ID).and_then(an_id);
    }
    if call.tool.is_none() {
        call.tool = source.text("tool.name").or_else(|| Some(source.span()?.name)).map(word);
    }
    if !call.arguments.is_present() {
        call.arguments = unwrapped(source, INPUT, keywords, draft);
    }
    if !call.result.is_present() {
        call.result = unwrapped(source, OUTPUT, blocks, draft);
    }
    call
}

/// An attribute as text, unwrapped where it has a known shape.
fn unwrapped(
    source: &Source<'_>,
    key: &str,
    unwrap: impl Fn(&str) -> Option<String>,
    draft: &mut Draft<'_>,
) -> Known<Text> {
    match source.text(key).and_then(unwrap) {
        Some(text) => draft.text(&text),
        None => draft.attribute(key),
    }
}

/// The keyword arguments of a recorded Python call, without objects of the program. Where something was passed by
/// place, its name is not known: the whole stays as it is.
fn keywords(input: &str) -> Option<String> {
    let Value::Object(fields) = serde_json::from_str(input).ok()? else { return None };
    let by_place = fields.get("args").and_then(Value::as_array).is_some_and(|args| !args.is_empty());
    if by_place || fields.keys().any(|key| !BESIDE.contains(&&**key)) {
        return None;
    }
    let mut keywords: Map<String, Value> = fields.get("kwargs")?.as_object()?.clone();
    keywords.retain(|_, value| !value.as_str().is_some_and(is_object_of_program));
    Some(Value::Object(keywords).to_string())
}

/// `<workflows.context.context.Context object at 0x7f6964111190>`.
pub fn is_object_of_program(text: &str) -> bool {
    text.starts_with('<') && text.ends_with('>') && text.contains(" object at 0x")
}

/// The moment of an ended tool span. `Draft::finish` sets the proof.
pub fn moment(source: &Source<'_>) -> Moment {
    let kind = exception(source, "exception.type");
    if kind.is_some_and(is_pending) {
        return Moment::Asked;
    }
    let error = source.span().is_some_and(|span| span.status.is_error());
    let message = || Some(source.span()?.status.message).filter(|message| !message.is_empty());
    let status = match error {
        true => Status::Error(word(kind.or_else(message).unwrap_or("error"))),
        false => Status::Fine,
    };
    Moment::Ran { status, proof: Proof::Ran }
}

/// Whether an exception means that somebody has to decide first.
pub fn is_pending(exception: &str) -> bool {
    PENDING.iter().any(|word| exception.ends_with(word))
}

/// A field of the first exception among a span's events.
pub fn exception<'a>(source: &Source<'a>, key: &str) -> Option<&'a str> {
    source.span_events().filter(|event| event.name == "exception").find_map(|event| event_text(event.attributes(), key))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keyword_arguments_are_the_arguments() {
        for (input, want) in [
            (r#"{"kwargs": {"order_id": "A-1001"}}"#, Some(r#"{"order_id":"A-1001"}"#)),
            (r#"{"args": [], "sanitize_inputs_outputs": true, "kwargs": {"query": "q"}}"#, Some(r#"{"query":"q"}"#)),
            (
                r#"{"kwargs": {"amount": 42.5, "ctx": "<workflows.context.context.Context object at 0x7f69>"}}"#,
                Some(r#"{"amount":42.5}"#),
            ),
            (r#"{"args": ["A-1001"], "kwargs": {}}"#, None),
            (r#"{"kwargs": {"order_id": "A-1001"}, "order_id": "A-1001"}"#, None),
            (r#"{"order_id": "A-1001"}"#, None),
            ("A-1001", None),
        ] {
            assert_eq!(keywords(input).as_deref(), want, "{input}");
        }
    }

    #[test]
    fn an_interrupt_is_no_failure() {
        assert!(is_pending("langgraph.errors.GraphInterrupt"));
        assert!(is_pending("workflows.runtime.types.results.WaitingForEvent"));
        assert!(!is_pending("RuntimeError"));
    }
}
