//! OTel GenAI, deprecated: prompts and completions as attributes of their own.
//!
//! ```text
//! gen_ai.prompt.0.role = "user"            gen_ai.completion.0.finish_reason = "tool_calls"
//! gen_ai.prompt.0.content = "…"            gen_ai.completion.0.tool_calls.0.{id,name,arguments} = …
//! gen_ai.prompt.1.tool_call_id = "…"       gen_ai.prompt, gen_ai.completion = the whole as JSON or text
//! ```
//!
//! Indices may be sparse and out of order. On a tool span the whole forms are the call's arguments and result.
//! Source: `open-telemetry/semantic-conventions` `model/gen-ai/deprecated`; OpenLLMetry and LangSmith still send them.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use crate::model::{Direction, Node, What};
use crate::wire::AnyValue;

use super::message::{Message, message, messages, to_json};
use super::{Dialect, Draft, Source};

/// More messages than any model reads; higher indices are ignored, so that one attribute cannot cost memory.
const MAX_INDEX: u32 = 100_000;

const SIDES: &[(&str, Direction)] = &[("gen_ai.prompt", Direction::Input), ("gen_ai.completion", Direction::Output)];

/// Spans with flattened or whole prompts.
pub struct GenAiFlat;

impl Dialect for GenAiFlat {
    fn name(&self) -> &'static str {
        "otel-genai-flat"
    }

    fn reads(&self, source: &Source<'_>) -> bool {
        source.span().is_some()
            && SIDES.iter().any(|(key, _)| source.get(key).is_some() || flattened(source, key).next().is_some())
    }

    fn read<'a>(&self, source: &'a Source<'a>, draft: &mut Draft<'a>) {
        if draft.node == Node::Tool {
            return tool_span(draft);
        }
        for (key, direction) in SIDES {
            if draft.has(|what| matches!(what, What::Messages(known) if known.direction == *direction)) {
                continue; // the current form is there too
            }
            let said = rebuilt(flattened(source, key));
            if !said.is_empty() {
                draft.message_json(*direction, to_json(&said));
            } else if let Some(text) = source.text(key) {
                whole(text, *direction, draft);
            }
        }
    }
}

/// The attributes of a side: index, field, value.
fn flattened<'a>(source: &Source<'a>, key: &str) -> impl Iterator<Item = (u32, &'a str, AnyValue<'a>)> {
    source.with_prefix(key).filter_map(|(rest, value)| {
        let (index, field) = rest.strip_prefix('.')?.split_once('.')?;
        let index: u32 = index.parse().ok().filter(|index| *index < MAX_INDEX)?;
        Some((index, field, value))
    })
}

/// Messages from their attributes, in the order of their indices.
fn rebuilt<'a>(attributes: impl Iterator<Item = (u32, &'a str, AnyValue<'a>)>) -> Vec<Message> {
    let mut found: BTreeMap<u32, Flat> = BTreeMap::new();
    for (index, field, value) in attributes {
        found.entry(index).or_default().set(field, value);
    }
    found.into_values().map(Flat::message).collect()
}

/// One message as its attributes say it.
#[derive(Default)]
struct Flat {
    fields: Map<String, Value>,
    calls: BTreeMap<u32, Map<String, Value>>,
}

impl Flat {
    fn set(&mut self, field: &str, value: AnyValue<'_>) {
        let Some(text) = value.as_str() else { return };
        let call = field.strip_prefix("tool_calls.").and_then(|rest| rest.split_once('.'));
        match call {
            Some((index, field)) => {
                if let Some(index) = index.parse().ok().filter(|index| *index < MAX_INDEX) {
                    self.calls.entry(index).or_default().insert(field.to_owned(), text.into());
                }
            }
            None => {
                self.fields.insert(field.to_owned(), text.into());
            }
        }
    }

    fn message(mut self) -> Message {
        if !self.calls.is_empty() {
            let calls = self.calls.into_values().map(Value::Object).collect();
            self.fields.insert("tool_calls".to_owned(), Value::Array(calls));
        }
        message(&Value::Object(self.fields))
    }
}

/// The whole of a side in one attribute: messages as JSON in any shape, or the user's text.
pub fn whole(text: &str, direction: Direction, draft: &mut Draft<'_>) {
    let json = serde_json::from_str::<Value>(text).unwrap_or(Value::Null);
    let listed = json.get("messages").unwrap_or(&json);
    let said = messages(listed);
    if said.iter().any(|message| !message.role.is_empty()) {
        draft.message_json(direction, to_json(&said));
    } else if direction == Direction::Input {
        let text = draft.text(text);
        draft.say(What::Intent(text));
    }
}

fn tool_span(draft: &mut Draft<'_>) {
    let Some(mut own) = draft.own.take() else { return };
    if !own.arguments.is_present() {
        own.arguments = draft.attribute("gen_ai.prompt");
    }
    if !own.result.is_present() {
        own.result = draft.attribute("gen_ai.completion");
    }
    draft.own = Some(own);
}
