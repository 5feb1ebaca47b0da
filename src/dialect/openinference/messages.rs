//! Messages flattened into attributes, and JSON in the place of them.
//!
//! ```text
//! llm.input_messages.<i>.message.{role,content,tool_call_id,name}
//! llm.input_messages.<i>.message.contents.<j>.message_content.{type,text}
//! llm.input_messages.<i>.message.tool_calls.<k>.tool_call.{id,function.name,function.arguments}
//! llm.input_messages.<i>.function.<k> = {"name", "content", "call_id", "is_error"}         several answers (AutoGen)
//! llm.output_messages.<i>.…                              llm.prompts.<i>.prompt.text, llm.choices.<i>.completion.text
//! ```
//!
//! Indices may be sparse: the Responses API keeps index 0 for instructions. Arguments `{}` are left out.

use std::collections::BTreeMap;

use crate::model::{Call, Direction, Moment, Pseudo, What};
use crate::values;
use crate::wire::AnyValue;

use super::super::genai_events::a_call;
use super::super::genai_flat;
use super::super::message::{Message, Part, to_json};
use super::{Draft, INPUT, Source};

/// More messages than any model reads; higher indices are ignored, so that one attribute cannot cost memory.
const MAX_INDEX: u32 = 100_000;

/// Prefix of a list, what its elements are called, who speaks where nobody is named, and the direction.
const SIDES: &[(&str, &str, &str, Direction)] = &[
    ("llm.input_messages.", "message.", "", Direction::Input),
    ("llm.output_messages.", "message.", "assistant", Direction::Output),
    ("llm.prompts.", "prompt.", "user", Direction::Input),
    ("llm.choices.", "completion.", "assistant", Direction::Output),
];

/// Adds the messages of a model call.
pub fn read<'a>(source: &'a Source<'a>, draft: &mut Draft<'a>) {
    for (prefix, element, role, direction) in SIDES {
        if draft.has(|what| matches!(what, What::Messages(known) if known.direction == *direction)) {
            continue; // another dialect read them
        }
        let said = rebuilt(source, prefix, element, role);
        if !said.is_empty() {
            pseudo_calls(&said, *direction, draft);
            draft.message_json(*direction, to_json(&said));
        }
    }
    if !draft.has(|what| matches!(what, What::Messages(_)))
        && let Some(input) = source.text(INPUT)
    {
        genai_flat::whole(input, Direction::Input, draft);
    }
}

/// Calls that hand over, as far as only their arguments show it: messages are passed on with the tools' names alone.
/// Whom they hand to, the span of the handoff says better.
fn pseudo_calls(said: &[Message], direction: Direction, draft: &mut Draft<'_>) {
    let moment = match direction {
        Direction::Output => Moment::Proposed,
        Direction::Input => Moment::History,
    };
    for part in said.iter().flat_map(|message| &message.parts) {
        let Part::Call { id: id @ Some(_), name: Some(tool), arguments } = part else { continue };
        let by_name = values::pseudo(tool, None, None).is_some();
        if !by_name && values::pseudo(tool, None, arguments.as_deref()).is_some() {
            let call = a_call(moment.clone(), id, &Some(tool.clone()), arguments, draft);
            draft.call(Call { pseudo: Some(Pseudo::Delegation { to: None }), ..call });
        }
    }
}

/// A list of messages from its attributes, in the order of their indices.
fn rebuilt(source: &Source<'_>, prefix: &str, element: &str, role: &str) -> Vec<Message> {
    let mut found: BTreeMap<u32, Flat<'_>> = BTreeMap::new();
    for (rest, value) in source.with_prefix(prefix) {
        let Some((index, field)) = indexed(rest) else { continue };
        if let Some(field) = field.strip_prefix(element) {
            found.entry(index).or_default().set(field, value);
        } else if let Some((place, json)) =
            field.strip_prefix("function.").and_then(|k| Some((k.parse().ok()?, value.as_str()?)))
        {
            found.entry(index).or_default().functions.insert(place, json);
        }
    }
    found.into_values().map(|flat| flat.message(role)).collect()
}

/// `3.message.role`: the index and the rest.
fn indexed(rest: &str) -> Option<(u32, &str)> {
    let (index, field) = rest.split_once('.')?;
    Some((index.parse().ok().filter(|index| *index < MAX_INDEX)?, field))
}

/// One message as its attributes say it.
#[derive(Default)]
struct Flat<'a> {
    role: &'a str,
    content: Option<&'a str>,
    contents: BTreeMap<u32, &'a str>,
    call_id: Option<&'a str>,
    name: Option<&'a str>,
    calls: BTreeMap<u32, FlatCall<'a>>,
    functions: BTreeMap<u32, &'a str>,
}

/// One call of a message.
#[derive(Default)]
struct FlatCall<'a> {
    id: Option<&'a str>,
    name: Option<&'a str>,
    arguments: Option<&'a str>,
}

impl<'a> Flat<'a> {
    fn set(&mut self, field: &str, value: AnyValue<'a>) {
        let Some(text) = value.as_str() else { return };
        match field {
            "role" => self.role = text,
            "content" | "text" => self.content = Some(text),
            "tool_call_id" => self.call_id = Some(text),
            "name" => self.name = Some(text),
            "function_call_name" => self.calls.entry(0).or_default().name = Some(text),
            "function_call_arguments_json" => self.calls.entry(0).or_default().arguments = Some(text),
            _ => self.set_nested(field, text),
        }
    }

    fn set_nested(&mut self, field: &str, text: &'a str) {
        let Some((list, (index, field))) = field.split_once('.').and_then(|(list, rest)| Some((list, indexed(rest)?)))
        else {
            return;
        };
        match (list, field) {
            ("contents", "message_content.text") => drop(self.contents.insert(index, text)),
            ("tool_calls" | "contents", field) => {
                let Some(field) = field.strip_prefix("tool_call.") else { return };
                let call = self.calls.entry(index).or_default();
                match field {
                    "id" => call.id = Some(text),
                    "function.name" => call.name = Some(text),
                    "function.arguments" => call.arguments = Some(text),
                    _ => {}
                }
            }
            _ => {}
        }
    }

    fn message(self, default_role: &str) -> Message {
        let role = if self.role.is_empty() { default_role } else { self.role };
        let texts: Vec<&str> = match self.content {
            Some(content) => vec![content],
            None => self.contents.into_values().collect(),
        };
        let texts = texts.into_iter().filter(|text| !text.is_empty());
        let mut parts: Vec<Part> = Vec::new();
        if role == "tool" || self.call_id.is_some() {
            let said: Vec<String> = texts.map(|text| blocks(text).unwrap_or_else(|| text.to_owned())).collect();
            let result = (!said.is_empty()).then(|| said.join("\n"));
            let (id, name) = (self.call_id.map(str::to_owned), self.name.map(str::to_owned));
            parts.push(Part::Answer { id, name, result, error: false });
        } else {
            parts.extend(texts.map(|text| Part::Text(text.to_owned())));
        }
        parts.extend(self.calls.into_values().map(FlatCall::part));
        parts.extend(self.functions.into_values().filter_map(function));
        Message { role: role.to_owned(), parts }
    }
}

/// The answer of one of several functions.
fn function(json: &str) -> Option<Part> {
    let answer: serde_json::Value = serde_json::from_str(json).ok()?;
    let text = |key: &str| answer.get(key).and_then(serde_json::Value::as_str).map(str::to_owned);
    let error = answer.get("is_error").and_then(serde_json::Value::as_bool) == Some(true);
    Some(Part::Answer { id: text("call_id"), name: text("name"), result: text("content"), error })
}

impl FlatCall<'_> {
    fn part(self) -> Part {
        let owned = |text: Option<&str>| text.map(str::to_owned);
        Part::Call {
            id: owned(self.id),
            name: owned(self.name),
            arguments: Some(self.arguments.unwrap_or("{}").to_owned()),
        }
    }
}

/// The text of MCP and Responses content: `{type: text, text}`, or an array of nothing but such.
pub fn blocks(text: &str) -> Option<String> {
    #[derive(serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Block {
        r#type: String,
        text: String,
    }
    if !text.starts_with(['{', '[']) {
        return None;
    }
    let one = || serde_json::from_str(text).ok().map(|block: Block| vec![block]);
    let blocks: Vec<Block> =
        serde_json::from_str(text).ok().or_else(one).filter(|blocks: &Vec<_>| !blocks.is_empty())?;
    let is_text = |block: &Block| matches!(&*block.r#type, "text" | "input_text" | "output_text");
    let texts: Vec<String> =
        blocks.into_iter().map(|block| is_text(&block).then_some(block.text)).collect::<Option<_>>()?;
    Some(texts.join("\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(fields: &[(&str, &'static str)]) -> Message {
        let mut flat = Flat::default();
        for (field, text) in fields {
            flat.set(field, AnyValue::Str(text));
        }
        flat.message("")
    }

    #[test]
    fn a_message_is_rebuilt_from_its_attributes() {
        let call = |arguments: &str| Part::Call {
            id: Some("call_1".into()),
            name: Some("get_order".into()),
            arguments: Some(arguments.into()),
        };
        let answer = |result: &str| Part::Answer {
            id: Some("call_1".into()),
            name: None,
            result: Some(result.into()),
            error: false,
        };
        let text = |text: &str| Part::Text(text.into());
        for (fields, want) in [
            (&[("role", "user"), ("content", "hi")][..], vec![text("hi")]),
            (&[("content", "hi"), ("contents.0.message_content.text", "hi")], vec![text("hi")]),
            (
                &[("contents.1.message_content.text", "b"), ("contents.0.message_content.text", "a")],
                vec![text("a"), text("b")],
            ),
            (
                &[
                    ("tool_calls.1.tool_call.id", "call_1"),
                    ("tool_calls.1.tool_call.function.name", "get_order"),
                    ("tool_calls.1.tool_call.function.arguments", "{\"order_id\": \"A-1001\"}"),
                ],
                vec![call("{\"order_id\": \"A-1001\"}")],
            ),
            (
                &[("tool_calls.0.tool_call.id", "call_1"), ("tool_calls.0.tool_call.function.name", "get_order")],
                vec![call("{}")],
            ),
            (&[("role", "tool"), ("tool_call_id", "call_1"), ("content", "ok")], vec![answer("ok")]),
            (
                &[
                    ("role", "tool"),
                    ("tool_call_id", "call_1"),
                    ("content", r#"[{"type": "input_text", "text": "ok"}]"#),
                ],
                vec![answer("ok")],
            ),
        ] {
            assert_eq!(message(fields).parts, want, "{fields:?}");
        }
    }

    #[test]
    fn an_index_without_bound_is_ignored() {
        assert_eq!(indexed("4.message.role"), Some((4, "message.role")));
        assert_eq!(indexed("4000000000.message.role"), None);
        assert_eq!(indexed("role"), None);
    }

    #[test]
    fn only_text_blocks_are_unwrapped() {
        for (text, want) in [
            (r#"{"type": "text", "text": "a"}"#, Some("a")),
            (r#"[{"type": "text", "text": "a"}, {"type": "input_text", "text": "b"}]"#, Some("a\nb")),
            (r#"[{"type": "image", "text": "a"}]"#, None),
            (r#"[{"id": "kb-17", "text": "a"}]"#, None),
            ("[]", None),
            ("a", None),
        ] {
            assert_eq!(blocks(text).as_deref(), want, "{text}");
        }
    }
}
