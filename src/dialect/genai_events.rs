//! OTel GenAI 1.28–1.36: one event per message, as a log record or as a span event.
//!
//! | event | in a model's | says |
//! |---|---|---|
//! | `gen_ai.system.message` | input | the system prompt |
//! | `gen_ai.user.message` | input | the user's text |
//! | `gen_ai.assistant.message` | input | calls proposed earlier |
//! | `gen_ai.tool.message` | input | a call's answer |
//! | `gen_ai.choice` | output | calls proposed now |
//!
//! A span has its events in order, so that calls before the last user message are history; single log records do not
//! tell. On a *tool* span the tool message holds the call's arguments and the choice its result (Strands).
//! Source: `model/gen-ai/deprecated` of semantic conventions. Contents come in every shape that [`message`] reads.

use serde_json::{Map, Value};

use crate::model::{Call, Direction, Moment, Node, What};
use crate::values;
use crate::wire::{AnyValue, Attributes};

use super::draft::{an_id, word};
use super::message::{Message, Part, message, parts};
use super::{Dialect, Draft, Source};

const SYSTEM: &str = "gen_ai.system.message";
const USER: &str = "gen_ai.user.message";
const ASSISTANT: &str = "gen_ai.assistant.message";
const TOOL: &str = "gen_ai.tool.message";
const CHOICE: &str = "gen_ai.choice";
const EVENTS: &[&str] = &[SYSTEM, USER, ASSISTANT, TOOL, CHOICE];

/// Records with per-message events.
pub struct GenAiEvents;

impl Dialect for GenAiEvents {
    fn name(&self) -> &'static str {
        "otel-genai-events"
    }

    fn reads(&self, source: &Source<'_>) -> bool {
        EVENTS.contains(&source.event()) || source.span_events().any(|event| EVENTS.contains(&event.name))
    }

    fn read<'a>(&self, source: &'a Source<'a>, draft: &mut Draft<'a>) {
        match source.log() {
            Some(log) => {
                let event = Event::new(source.event(), content_of(log.body(), log.attributes()));
                said(&event, false, draft);
                spoke(&event, draft);
            }
            None if draft.node == Node::Tool => tool_span(source, draft),
            None => model_span(source, draft),
        }
    }
}

/// What an event says, as one JSON object: its body, else its attributes.
fn content_of(body: AnyValue<'_>, attributes: Attributes<'_>) -> Value {
    match body {
        AnyValue::Map(_) => json_of(body),
        AnyValue::Str(text) if !EVENTS.contains(&text) => {
            a_message(text).unwrap_or_else(|| serde_json::json!({ "content": text }))
        }
        _ => attributes_of(attributes),
    }
}

/// A whole message as JSON text, as Semantic Kernel writes it.
fn a_message(text: &str) -> Option<Value> {
    let value: Value = serde_json::from_str(text.trim_start().starts_with('{').then_some(text)?).ok()?;
    (value.get("role").is_some() || value.get("message").is_some()).then_some(value)
}

fn attributes_of(attributes: Attributes<'_>) -> Value {
    if let Some(message) = attributes.text("gen_ai.event.content").and_then(a_message) {
        return message;
    }
    let fields: Map<String, Value> =
        attributes.iter().map(|attribute| (attribute.key().to_owned(), json_of(attribute.value()))).collect();
    Value::Object(fields)
}

fn json_of(value: AnyValue<'_>) -> Value {
    if let AnyValue::Str(text) = value {
        return Value::String(text.to_owned());
    }
    let mut json = Vec::new();
    value.write_json(&mut json);
    serde_json::from_slice(&json).unwrap_or(Value::Null)
}

/// One event and the message in it.
struct Event<'a> {
    name: &'a str,
    content: Value,
    message: Message,
}

impl<'a> Event<'a> {
    fn new(name: &'a str, content: Value) -> Self {
        let message = if name == CHOICE { choice(&content) } else { message(&content) };
        Self { name, content, message }
    }

    /// The text of a user message; empty when it only carries answers, as some producers send them.
    fn user_text(&self) -> String {
        if self.name != USER || is_models(&self.message) { String::new() } else { self.message.text() }
    }
}

/// The events of a model span, in order.
fn model_span(source: &Source<'_>, draft: &mut Draft<'_>) {
    let events = source.span_events().filter(|event| EVENTS.contains(&event.name));
    let events: Vec<Event<'_>> =
        events.map(|event| Event::new(event.name, attributes_of(event.attributes()))).collect();
    let last_user = events.iter().rposition(|event| !event.user_text().is_empty());
    for (at, event) in events.iter().enumerate() {
        let history = last_user.is_some_and(|last| at < last);
        said(event, history, draft);
    }
}

/// Some producers send the model's earlier messages under the user's name and tell only by the role.
fn is_models(message: &Message) -> bool {
    matches!(&*message.role, "model" | "assistant")
}

/// What one event says.
fn said(event: &Event<'_>, history: bool, draft: &mut Draft<'_>) {
    let Event { name, content, message } = event;
    match *name {
        SYSTEM => {
            let text = message.text();
            if !text.is_empty() {
                let text = draft.text(&text);
                draft.say(What::Prompt(text));
            }
        }
        CHOICE => {
            // A loop's span repeats what its model span proposed, also after a pause, in another turn.
            let repeated = draft.node == Node::Other;
            tell(message, if repeated { &Moment::Carried } else { &Moment::Proposed }, false, draft);
            if let Some(results) = content.get("tool.result") {
                let results = Message { role: String::new(), parts: parts(results) };
                tell(&results, &Moment::Carried, false, draft);
            }
        }
        TOOL => {
            let answers = message.role == "tool" || message.parts.iter().any(|it| matches!(it, Part::Answer { .. }));
            match answers {
                true => tell(message, &Moment::History, history, draft),
                false => tell(&self::message(&with_role_tool(content)), &Moment::History, history, draft),
            }
        }
        _ => {
            let earlier = if history { Moment::History } else { Moment::Carried };
            tell(message, &earlier, history, draft);
            let text = if history { String::new() } else { event.user_text() };
            if !text.is_empty() {
                let text = draft.text(&text);
                draft.say(What::Intent(text));
            }
        }
    }
}

/// Words without a call, in a record of their own.
fn spoke(event: &Event<'_>, draft: &mut Draft<'_>) {
    let Event { name, message, .. } = event;
    if message.parts.iter().any(|part| !matches!(part, Part::Text(_))) {
        return;
    }
    match *name {
        USER => draft.spoke(Direction::Input, !is_models(message), &message.text()),
        ASSISTANT => draft.spoke(Direction::Input, false, &message.text()),
        CHOICE => draft.spoke(Direction::Output, false, &message.text()),
        _ => {}
    }
}

/// A choice: `{message: {…}, tool_calls?: […]}`, or its message as a text.
fn choice(content: &Value) -> Message {
    let mut said = match content.get("message") {
        Some(inner) => message(inner),
        None => message(content),
    };
    if content.get("message").is_some()
        && let Some(calls) = content.get("tool_calls")
    {
        said.parts.extend(parts(&serde_json::json!({ "tool_calls": calls })));
    }
    said
}

fn with_role_tool(content: &Value) -> Value {
    let mut fields = content.as_object().cloned().unwrap_or_default();
    fields.insert("role".to_owned(), Value::from("tool"));
    Value::Object(fields)
}

/// The calls and answers of a message. `called`: the moment of its calls.
fn tell(message: &Message, called: &Moment, history: bool, draft: &mut Draft<'_>) {
    for part in &message.parts {
        match part {
            Part::Text(_) => {}
            Part::Call { id, name, arguments } => {
                let call = a_call(called.clone(), id, name, arguments, draft);
                draft.call(call);
            }
            Part::Answer { id, name, result, error } => {
                // A framework's own sentence in the place of the result tells who refused; in history that is old news.
                let spoken = result.as_deref().filter(|_| !history).and_then(values::spoken);
                let error = *error || result.as_deref().is_some_and(values::is_failure);
                let moment = spoken.unwrap_or(Moment::Answered { error, history });
                let mut call = a_call(moment, id, name, &None, draft);
                call.result = result.as_ref().map_or(call.result, |result| draft.text(result));
                draft.call(call);
            }
        }
    }
}

/// A call as a part of a message says it.
pub fn a_call(
    moment: Moment,
    id: &Option<String>,
    name: &Option<String>,
    arguments: &Option<String>,
    draft: &mut Draft<'_>,
) -> Call {
    let mut call = Call::new(moment);
    call.id = id.as_deref().and_then(an_id);
    call.tool = name.as_deref().filter(|name| !name.is_empty()).map(word);
    if let Some(arguments) = arguments {
        call.arguments = draft.text(arguments);
    }
    call.pseudo = name.as_deref().and_then(|name| values::pseudo(name, None, arguments.as_deref()));
    call
}

/// The events of a tool span: the tool message holds the arguments, the choice the result.
fn tool_span(source: &Source<'_>, draft: &mut Draft<'_>) {
    let Some(mut own) = draft.own.take() else { return };
    for event in source.span_events() {
        let (key, field) = match event.name {
            TOOL => ("content", &mut own.arguments),
            CHOICE => ("message", &mut own.result),
            _ => continue,
        };
        let Some(value) = event.attributes().get(key) else { continue };
        let text = match value.as_str() {
            Some(text) if event.name == CHOICE => draft.text(&super::message::text_of(text)),
            _ => draft.value(Some(value)),
        };
        if !field.is_present() {
            *field = text;
        }
    }
    draft.own = Some(own);
}
