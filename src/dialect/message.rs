//! Messages in the shapes that producers give them, read into one shape.
//!
//! | shape | call | answer |
//! |---|---|---|
//! | OTel GenAI parts | `{type: tool_call, id, name, arguments}` | `{type: tool_call_response, id, response}` |
//! | OpenAI | `tool_calls: [{id, function: {name, arguments}}]` | `{role: tool, id or tool_call_id, content}` |
//! | OpenAI items | `{type: function_call, call_id, name, arguments}` | `{type: function_call_output, call_id, output}` |
//! | Anthropic | `{type: tool_use, id, name, input}` | `{type: tool_result, tool_use_id, content}` |
//! | Bedrock | `{toolUse: {toolUseId, name, input}}` | `{toolResult: {toolUseId, status, content}}` |
//! | Gemini | `{function_call: {id, name, args}}` | `{function_response: {id, name, response}}` |
//! | Vercel | `{type: tool-call, toolCallId, toolName, input}` | `{type: tool-result, toolCallId, output: {type, value}}` |
//! | Genkit | `{toolRequest: {ref, name, input}}` | `{toolResponse: {ref, name, output}}` |
//! | Haystack | `{tool_call: {id, tool_name, arguments}}` | `{tool_call_result: {result, origin: {id, tool_name}, error}}` |
//!
//! Any of them may stand in a string that holds JSON. What has none of these shapes is no part.

use bytes::Bytes;
use serde::Serialize;
use serde_json::{Map, Value};

use crate::model::{Known, Missing};
use crate::values;

/// How deep contents inside contents are followed.
const MAX_DEPTH: u32 = 8;

/// One message.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Message {
    /// `system`, `user`, `assistant` or `model`, `tool`; empty when not said.
    pub role: String,
    /// What it consists of, in order.
    pub parts: Vec<Part>,
}

/// A part of a message.
#[derive(Debug, Clone, PartialEq)]
pub enum Part {
    /// Text for or from the model.
    Text(String),
    /// The model asks for a call.
    Call {
        /// The provider's id.
        id: Option<String>,
        /// The tool.
        name: Option<String>,
        /// A text, or JSON of another value.
        arguments: Option<String>,
    },
    /// What came back from a call.
    Answer {
        /// The id of the call.
        id: Option<String>,
        /// The tool, where the shape says it.
        name: Option<String>,
        /// A text, or JSON of another value.
        result: Option<String>,
        /// The shape says that it is an error.
        error: bool,
    },
}

impl Message {
    /// The texts, one per line.
    pub fn text(&self) -> String {
        let texts = self.parts.iter().filter_map(|part| match part {
            Part::Text(text) => Some(text.as_str()),
            _ => None,
        });
        texts.collect::<Vec<_>>().join("\n")
    }
}

/// Reads one message: its body or its attributes as an object, or only its content.
pub fn message(value: &Value) -> Message {
    let Value::Object(fields) = value else {
        return Message { role: String::new(), parts: parts(value) };
    };
    // `gen_ai.choice` wraps the message once more.
    if let Some(Value::Object(inner)) = fields.get("message") {
        return message(&Value::Object(inner.clone()));
    }
    let inner = fields.get("content").and_then(Value::as_object);
    let role = text_at(fields, &["role"]).or_else(|| text_at(inner?, &["role"])).unwrap_or_default();
    let mut parts = parts(value);
    if role == "tool" {
        answer(fields, &mut parts);
    }
    Message { role, parts }
}

/// The parts of a content of any shape.
pub fn parts(value: &Value) -> Vec<Part> {
    let mut parts = Vec::new();
    collect(value, MAX_DEPTH, &mut parts);
    parts
}

/// Reads an array of messages.
pub fn messages(value: &Value) -> Vec<Message> {
    value.as_array().map(|items| items.iter().map(message).collect()).unwrap_or_default()
}

/// The text in a text: that of JSON parts or messages when it holds such, else itself.
pub fn text_of(text: &str) -> String {
    let mut parts = Vec::new();
    collect_text(text, MAX_DEPTH, &mut parts);
    Message { role: String::new(), parts }.text()
}

/// An `OTel GenAI` array of messages (`telemetry.md` §4.4), so that every dialect's messages are read in one place.
pub fn to_json(messages: &[Message]) -> Bytes {
    let messages: Vec<JsonMessage<'_>> = messages.iter().map(JsonMessage::of).collect();
    serde_json::to_vec(&messages).unwrap_or_default().into()
}

/// As a message is written. Borrowed: a conversation is long.
#[derive(Serialize)]
struct JsonMessage<'a> {
    parts: Vec<JsonPart<'a>>,
    role: &'a str,
}

impl<'a> JsonMessage<'a> {
    fn of(message: &'a Message) -> Self {
        Self { parts: message.parts.iter().map(JsonPart::of).collect(), role: &message.role }
    }
}

#[derive(Serialize, Default)]
struct JsonPart<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    arguments: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    content: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<&'a str>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    is_error: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    response: Option<&'a str>,
    r#type: &'static str,
}

impl<'a> JsonPart<'a> {
    fn of(part: &'a Part) -> Self {
        let none = Self::default();
        match part {
            // Withheld: a part without content.
            Part::Text(text) => {
                let content = (values::known(text) != Known::Missing(Missing::Withheld)).then_some(text.as_str());
                Self { r#type: "text", content, ..none }
            }
            Part::Call { id, name, arguments } => {
                let (id, name, arguments) = (id.as_deref(), name.as_deref(), arguments.as_deref());
                Self { r#type: "tool_call", id, name, arguments, ..none }
            }
            Part::Answer { id, name, result, error } => {
                let (id, name, response) = (id.as_deref(), name.as_deref(), result.as_deref());
                Self { r#type: "tool_call_response", id, name, response, is_error: *error, ..none }
            }
        }
    }
}

fn collect(value: &Value, depth: u32, out: &mut Vec<Part>) {
    let Some(inside) = depth.checked_sub(1) else { return };
    match value {
        Value::String(text) => collect_text(text, inside, out),
        Value::Array(items) => items.iter().for_each(|item| collect(item, inside, out)),
        Value::Object(fields) => collect_object(fields, inside, out),
        _ => {}
    }
}

/// A text is text, unless it holds JSON in one of the shapes.
fn collect_text(text: &str, depth: u32, out: &mut Vec<Part>) {
    let before = out.len();
    if text.trim_start().starts_with(['[', '{'])
        && let Ok(value) = serde_json::from_str::<Value>(text)
        && is_shaped(&value)
    {
        collect(&value, depth, out);
    }
    if out.len() == before && !text.is_empty() {
        out.push(Part::Text(text.to_owned()));
    }
}

/// Whether a JSON text is a content and not a text that merely happens to be JSON.
fn is_shaped(value: &Value) -> bool {
    const KEYS: &[&str] =
        &["type", "role", "parts", "text", "toolUse", "toolResult", "function_call", "function_response", "tool_calls"];
    match value {
        Value::Array(items) => !items.is_empty() && items.iter().all(|item| item.is_object() && is_shaped(item)),
        Value::Object(fields) => KEYS.iter().any(|key| fields.contains_key(*key)),
        _ => false,
    }
}

fn collect_object(fields: &Map<String, Value>, depth: u32, out: &mut Vec<Part>) {
    if let Some(part) = tool_part(fields) {
        return out.push(part);
    }
    if let Some(text) = part_text(fields) {
        return out.push(Part::Text(text));
    }
    for key in ["parts", "content"] {
        if let Some(inner) = fields.get(key) {
            collect(inner, depth, out);
        }
    }
    for call in fields.get("tool_calls").and_then(Value::as_array).into_iter().flatten() {
        out.extend(openai_call(call));
    }
}

/// The text of a text part: `{text}`, or `{type: text, content}`.
fn part_text(fields: &Map<String, Value>) -> Option<String> {
    let kind = fields.get("type").and_then(Value::as_str);
    match kind {
        Some("text" | "input_text" | "output_text") => text_at(fields, &["content", "text"]),
        Some(_) => None,
        None => text_at(fields, &["text"]),
    }
}

fn tool_part(fields: &Map<String, Value>) -> Option<Part> {
    let inner = |keys: &[&str]| keys.iter().find_map(|key| fields.get(*key)?.as_object());
    if let Some(call) = inner(&["toolUse"]) {
        return Some(a_call(call, &["toolUseId"], &["input"]));
    }
    if let Some(answer) = inner(&["toolResult"]) {
        return Some(an_answer(answer, &["toolUseId"], &["content"]));
    }
    if let Some(call) = inner(&["function_call", "functionCall"]) {
        return Some(a_call(call, &["id"], &["args"]));
    }
    if let Some(answer) = inner(&["function_response", "functionResponse"]) {
        return Some(an_answer(answer, &["id"], &["response"]));
    }
    if let Some(call) = inner(&["toolRequest"]) {
        return Some(a_call(call, &["ref"], &["input"]));
    }
    if let Some(answer) = inner(&["toolResponse"]) {
        return Some(an_answer(answer, &["ref"], &["output"]));
    }
    if let Some(call) = inner(&["tool_call"]).filter(|call| call.contains_key("tool_name")) {
        return Some(Part::Call {
            id: text_at(call, &["id"]),
            name: text_at(call, &["tool_name"]),
            arguments: value_at(call, &["arguments"]),
        });
    }
    if let Some(answer) = inner(&["tool_call_result"]) {
        return Some(haystack_answer(answer));
    }
    match fields.get("type").and_then(Value::as_str)? {
        "tool_call" | "tool_use" => Some(a_call(fields, &["id"], &["arguments", "input", "args"])),
        "tool_call_response" | "tool_result" => {
            Some(an_answer(fields, &["id", "tool_use_id"], &["response", "result", "content"]))
        }
        "tool-call" => Some(Part::Call {
            id: text_at(fields, &["toolCallId"]),
            name: text_at(fields, &["toolName"]),
            arguments: value_at(fields, &["input", "args"]),
        }),
        "tool-result" => Some(vercel_answer(fields)),
        // Their own `id` names the item, not the call.
        "function_call" => Some(a_call(fields, &["call_id"], &["arguments"])),
        "function_call_output" => Some(an_answer(fields, &["call_id"], &["output"])),
        _ => None,
    }
}

/// Vercel wraps a result and says with its type whether it is one: `json`, `text`, `content`, `error-text`,
/// `error-json`, `execution-denied`. The last has no value and stays whole.
fn vercel_answer(fields: &Map<String, Value>) -> Part {
    let output = fields.get("output").and_then(Value::as_object);
    let kind = output.and_then(|output| output.get("type")?.as_str()).unwrap_or_default();
    let value = output.filter(|output| output.contains_key("value"));
    Part::Answer {
        id: text_at(fields, &["toolCallId"]),
        name: text_at(fields, &["toolName"]),
        result: value.map_or_else(|| value_at(fields, &["output", "result"]), |output| value_at(output, &["value"])),
        error: kind.starts_with("error") || fields.get("isError") == Some(&Value::Bool(true)),
    }
}

/// Haystack repeats the call that a result is of.
fn haystack_answer(fields: &Map<String, Value>) -> Part {
    let origin = fields.get("origin").and_then(Value::as_object);
    Part::Answer {
        id: origin.and_then(|origin| text_at(origin, &["id"])),
        name: origin.and_then(|origin| text_at(origin, &["tool_name"])),
        result: value_at(fields, &["result"]),
        error: fields.get("error") == Some(&Value::Bool(true)),
    }
}

fn a_call(fields: &Map<String, Value>, id: &[&str], arguments: &[&str]) -> Part {
    Part::Call { id: text_at(fields, id), name: text_at(fields, &["name"]), arguments: value_at(fields, arguments) }
}

fn an_answer(fields: &Map<String, Value>, id: &[&str], result: &[&str]) -> Part {
    let failed = fields.get("status").and_then(Value::as_str) == Some("error");
    Part::Answer {
        id: text_at(fields, id),
        name: text_at(fields, &["name"]),
        result: value_at(fields, result),
        error: failed || fields.get("is_error").and_then(Value::as_bool) == Some(true),
    }
}

fn openai_call(call: &Value) -> Option<Part> {
    let fields = call.as_object()?;
    let function = fields.get("function").and_then(Value::as_object).unwrap_or(fields);
    Some(Part::Call {
        id: text_at(fields, &["id"]),
        name: text_at(function, &["name"]),
        arguments: value_at(function, &["arguments", "args"]),
    })
}

/// An OpenAI tool message: its whole content is the answer.
fn answer(fields: &Map<String, Value>, parts: &mut Vec<Part>) {
    if parts.iter().any(|part| matches!(part, Part::Answer { .. })) {
        return;
    }
    *parts = vec![an_answer(fields, &["tool_call_id", "id"], &["content"])];
}

fn text_at(fields: &Map<String, Value>, keys: &[&str]) -> Option<String> {
    keys.iter().find_map(|key| fields.get(*key)?.as_str()).map(str::to_owned)
}

/// A value as text: a text as it is, an array of text blocks as their text, another value as JSON.
fn value_at(fields: &Map<String, Value>, keys: &[&str]) -> Option<String> {
    match keys.iter().find_map(|key| fields.get(*key))? {
        Value::Null => None,
        Value::String(text) => Some(text.clone()),
        Value::Array(items) if !items.is_empty() => {
            let texts: Option<Vec<String>> = items.iter().map(|item| part_text(item.as_object()?)).collect();
            Some(texts.map_or_else(|| Value::Array(items.clone()).to_string(), |texts| texts.join("\n")))
        }
        other => Some(other.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn call(id: &str, name: &str, arguments: &str) -> Part {
        Part::Call { id: Some(id.into()), name: Some(name.into()), arguments: Some(arguments.into()) }
    }

    fn answer(id: &str, result: &str, error: bool) -> Part {
        Part::Answer { id: Some(id.into()), name: None, result: Some(result.into()), error }
    }

    #[test]
    fn every_shape_of_call_and_answer_is_read() {
        for (value, want) in [
            (
                json!([{"type": "tool_call", "id": "c", "name": "t", "arguments": {"a": 1}}]),
                call("c", "t", r#"{"a":1}"#),
            ),
            (
                json!({"tool_calls": [{"id": "c", "type": "function", "function": {"name": "t", "arguments": "{}"}}]}),
                call("c", "t", "{}"),
            ),
            (json!({"type": "tool_use", "id": "c", "name": "t", "input": {}}), call("c", "t", "{}")),
            (json!(r#"[{"toolUse": {"toolUseId": "c", "name": "t", "input": {}}}]"#), call("c", "t", "{}")),
            (
                json!({"content": {"parts": [{"text": null, "function_call": {"id": "c", "name": "t", "args": {}}}]}}),
                call("c", "t", "{}"),
            ),
            (json!({"type": "tool_call_response", "id": "c", "result": "ok"}), answer("c", "ok", false)),
            (
                json!({"toolResult": {"toolUseId": "c", "status": "error", "content": [{"text": "no"}]}}),
                answer("c", "no", true),
            ),
            (json!({"role": "tool", "id": "c", "content": "ok"}), answer("c", "ok", false)),
            (json!([{"type": "tool-call", "toolCallId": "c", "toolName": "t", "input": {}}]), call("c", "t", "{}")),
            (json!([{"toolRequest": {"name": "t", "ref": "c", "input": {}}}]), call("c", "t", "{}")),
            (json!({"tool_call": {"id": "c", "tool_name": "t", "arguments": {}, "extra": null}}), call("c", "t", "{}")),
            (
                json!({"type": "function_call", "id": "fc_1", "call_id": "c", "name": "t", "arguments": "{}"}),
                call("c", "t", "{}"),
            ),
            (json!({"type": "function_call_output", "call_id": "c", "output": "ok"}), answer("c", "ok", false)),
            (json!({"message": {"role": "tool", "tool_call_id": "c", "content": "ok"}}), answer("c", "ok", false)),
        ] {
            assert_eq!(message(&value).parts, [want], "{value}");
        }
    }

    #[test]
    fn results_that_name_their_tool_are_read() {
        for (value, want, failed) in [
            (json!({"type": "tool-result", "output": {"type": "json", "value": {"a": 1}}}), r#"{"a":1}"#, false),
            (json!({"type": "tool-result", "output": {"type": "error-text", "value": "no"}}), "no", true),
            (json!({"type": "tool-result", "result": "ok"}), "ok", false),
            (
                json!({"type": "tool-result", "output": {"type": "execution-denied", "reason": "no"}}),
                r#"{"reason":"no","type":"execution-denied"}"#,
                false,
            ),
            (json!({"toolResponse": {"ref": "c", "name": "t", "output": "ok"}}), "ok", false),
            (
                json!({"tool_call_result": {"result": "no", "origin": {"id": "c", "tool_name": "t"}, "error": true}}),
                "no",
                true,
            ),
        ] {
            let parts = message(&json!({"role": "tool", "content": [value]})).parts;
            let [Part::Answer { result, error, .. }] = &parts[..] else { panic!("{parts:?}") };
            assert_eq!((result.as_deref(), *error), (Some(want), failed), "{value}");
        }
    }

    #[test]
    fn a_text_that_is_json_by_chance_stays_a_text() {
        for text in ["[1, 2]", r#"{"order": 7}"#, "[]", "{", "plain"] {
            assert_eq!(parts(&json!(text)), [Part::Text(text.into())]);
            assert_eq!(text_of(text), text);
        }
        assert_eq!(text_of(r#"[{"type":"text","content":"a"},{"text":"b"}]"#), "a\nb");
        assert_eq!(parts(&json!("")), []);
    }

    #[test]
    fn what_is_written_is_read_again() {
        let said = vec![
            Message { role: "user".into(), parts: vec![Part::Text("hi".into())] },
            Message { role: "assistant".into(), parts: vec![call("c", "t", "{}")] },
            Message { role: "user".into(), parts: vec![answer("c", "no", true)] },
        ];
        let read: Value = serde_json::from_slice(&to_json(&said)).expect("json");
        assert_eq!(messages(&read), said);
    }

    #[test]
    fn contents_inside_contents_are_bounded() {
        let mut value = json!("deep");
        for _ in 0..200 {
            value = json!({ "content": value });
        }
        assert_eq!(parts(&value), []);
    }
}
