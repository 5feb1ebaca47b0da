//! Google ADK (2.13; both of its telemetry schemas): a refinement of OTel GenAI.
//!
//! * A tool span is also made for a call that waits for a confirmation and for one that was rejected, so that an ended
//!   span proves nothing without a result. The result's text tells the three apart.
//! * Schema 1 keeps content in `gcp.vertex.agent.*` attributes: JSON, and `{}` when capture is off.
//! * Messages name calls by position (`get_order_0`), because the model gave no id and ADK's own (`adk-…`) is
//!   taken off before the model sees it. Those are no call ids; the tool's name in them is kept.

use std::collections::BTreeSet;

use bytes::Bytes;
use serde_json::{Map, Value};

use crate::model::{Call, Direction, Known, Missing, Moment, Node, Proof, Text, What};
use crate::values;

use super::message::{message, messages, text_of, to_json};
use super::{Content, Dialect, Draft, Rules, Source, definitions};

const SCOPE: &str = "gcp.vertex.agent";
const ARGUMENTS: &str = "gcp.vertex.agent.tool_call_args";
const RESPONSE: &str = "gcp.vertex.agent.tool_response";
const REQUEST: &str = "gcp.vertex.agent.llm_request";
const ANSWER: &str = "gcp.vertex.agent.llm_response";

/// A span for tools that ran in parallel; each has a span of its own.
const MERGED: &str = "(merged tools)";

/// Records of ADK's own scope.
pub struct GoogleAdk;

impl Dialect for GoogleAdk {
    fn name(&self) -> &'static str {
        "google-adk"
    }

    fn reads(&self, source: &Source<'_>) -> bool {
        source.scope() == SCOPE || source.has_prefix("gcp.vertex.agent.")
    }

    fn read<'a>(&self, source: &'a Source<'a>, draft: &mut Draft<'a>) {
        if let Some(id) = source.text("gcp.vertex.agent.session_id") {
            draft.conversation(id);
        }
        if source.span().is_some_and(|span| span.name == "call_llm") {
            draft.node = Node::Model;
        }
        model_content(source, draft);
        draft.facts.retain(|fact| !is_transcript(&fact.what));
        draft.all_messages().for_each(|messages| drop_positional_ids(&mut messages.json));
        match draft.own.take() {
            Some(own) if own.tool.as_deref() == Some(MERGED) => draft.node = Node::Other,
            Some(own) => draft.own = Some(tool_call(own, source, draft)),
            None => {}
        }
    }

    /// By default content is in log events, which tell themselves when capture is off.
    fn rules(&self, _: &Source<'_>) -> Option<Rules> {
        Some(Rules { proof: Proof::NeedsResult, content: Content::Elsewhere })
    }
}

/// Schema 1: the request and the response of a model call, as Gemini's JSON.
fn model_content<'a>(source: &'a Source<'a>, draft: &mut Draft<'a>) {
    let parsed = |key| serde_json::from_str::<Value>(source.text(key)?).ok();
    if let Some(request) = parsed(REQUEST) {
        if let Some(contents) = request.get("contents") {
            draft.message_json(Direction::Input, to_json(&messages(contents)));
        }
        if let Some(tools) = request.pointer("/config/tools") {
            definitions::of_value(tools, draft);
        }
        let instruction = request.pointer("/config/system_instruction");
        let text = instruction.map(|value| value.as_str().map_or_else(|| message(value).text(), text_of));
        if let Some(text) = text.filter(|text| !text.is_empty()) {
            let text = draft.text(&text);
            draft.say(What::Prompt(text));
        }
    }
    if let Some(content) = parsed(ANSWER).as_ref().and_then(|answer| answer.get("content")) {
        draft.message_json(Direction::Output, to_json(&[message(content)]));
    }
}

/// What another agent did, handed over in the user's name.
fn is_transcript(what: &What) -> bool {
    matches!(what, What::Intent(Known::Value(text)) if text.head.starts_with("For context:"))
}

fn tool_call(mut own: Call, source: &Source<'_>, draft: &mut Draft<'_>) -> Call {
    let (arguments, response) = (source.text(ARGUMENTS), source.text(RESPONSE));
    let captured = [arguments, response].into_iter().flatten().any(|json| json != "{}");
    for (known, json) in [(&mut own.arguments, arguments), (&mut own.result, response)] {
        match json {
            Some(json) if !known.is_present() && captured => *known = draft.text(json),
            Some(_) if !known.is_present() => *known = Known::Missing(Missing::Withheld),
            _ => {}
        }
    }
    if own.result.value().is_some_and(is_unspecified) {
        own.result = Known::ABSENT;
    }
    match own.result.value().and_then(Text::whole).and_then(values::spoken) {
        Some(Moment::Asked) => (own.moment, own.result) = (Moment::Asked, Known::ABSENT),
        Some(refused) => own.moment = refused,
        None => {}
    }
    own
}

fn is_unspecified(text: &Text) -> bool {
    matches!(text.head.trim_matches('"'), "<not specified>" | "N/A")
}

/// Takes ids that are a tool's name and a position off the parts of messages. What is not a readable array of messages,
/// or has no such id, stays byte for byte.
fn drop_positional_ids(json: &mut Bytes) {
    let Ok(mut said) = serde_json::from_slice::<Value>(json) else { return };
    let tools: BTreeSet<String> = parts_of(&mut said)
        .filter(|part| part.get("type").and_then(Value::as_str) == Some("tool_call"))
        .filter_map(|part| part.get("name")?.as_str().map(str::to_owned))
        .collect();
    let mut changed = false;
    for part in parts_of(&mut said) {
        changed |= drop_positional_id(part, &tools);
    }
    if changed {
        *json = said.to_string().into();
    }
}

/// The parts of every message of an array.
pub fn parts_of(messages: &mut Value) -> impl Iterator<Item = &mut Map<String, Value>> {
    let messages = messages.as_array_mut().into_iter().flatten();
    let parts = messages.filter_map(|message| message.get_mut("parts")?.as_array_mut());
    parts.flatten().filter_map(Value::as_object_mut)
}

fn drop_positional_id(part: &mut Map<String, Value>, tools: &BTreeSet<String>) -> bool {
    let Some(tool) = part.get("id").and_then(Value::as_str).and_then(positional).map(str::to_owned) else {
        return false;
    };
    if !tools.contains(&tool) {
        return false;
    }
    part.remove("id");
    part.entry("name").or_insert(Value::String(tool));
    true
}

/// The tool in `get_order_0`.
fn positional(id: &str) -> Option<&str> {
    let (tool, position) = id.rsplit_once('_')?;
    (values::number_of(position).is_some() && position.bytes().all(|digit| digit.is_ascii_digit())).then_some(tool)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(json: &str, want: &str) {
        let mut bytes = Bytes::copy_from_slice(json.as_bytes());
        drop_positional_ids(&mut bytes);
        assert_eq!(String::from_utf8_lossy(&bytes), want);
    }

    #[test]
    fn positions_are_no_ids() {
        check(
            r#"[{"parts":[{"type":"tool_call","id":"get_order_0","name":"get_order"}]},
                {"parts":[{"type":"tool_call_response","id":"get_order_3","response":{}}]}]"#,
            r#"[{"parts":[{"name":"get_order","type":"tool_call"}]},{"parts":[{"name":"get_order","response":{},"type":"tool_call_response"}]}]"#,
        );
        for kept in [
            r#"[{"parts":[{"type":"tool_call","id":"call_00060","name":"get_order"}]}]"#,
            r#"[ {"parts": [{"type":"text","id":"x_1"}]} ]"#,
            r#"[{"parts":[{"type":"tool_call","id":"get_order_0","name":"get_or"#,
        ] {
            check(kept, kept);
        }
    }
}
