//! The contents of an action: its parameters and its output as JSON, or why there are none to look at.

use std::cell::OnceCell;

use serde_json::Value;

use crate::model::{Action, Known, Missing, Text};
use crate::values;

/// What a text holds.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Content {
    /// JSON, with strings that hold JSON unwrapped.
    Json(Value),
    /// Something else.
    Plain,
}

/// The contents of one action, each read when it is first asked for.
#[derive(Debug)]
pub(super) struct Contents<'a> {
    action: &'a Action,
    parameters: OnceCell<Result<Content, &'static str>>,
    output: OnceCell<Result<Content, &'static str>>,
}

/// The words for what hides a content: unknown, withheld, cut, redacted.
type Reasons = [&'static str; 4];

const PARAMETERS: Reasons = ["parameters_unknown", "parameters_withheld", "parameters_cut", "parameters_redacted"];
const OUTPUT: Reasons = ["output_unknown", "output_withheld", "output_cut", "output_redacted"];

impl<'a> Contents<'a> {
    pub(super) fn of(action: &'a Action) -> Self {
        Self { action, parameters: OnceCell::new(), output: OnceCell::new() }
    }

    /// The parameters as JSON. What is no JSON may be JSON that was cut by its producer: nobody knows.
    pub(super) fn parameters(&self) -> Result<&Value, &'static str> {
        match self.parameters.get_or_init(|| read(&self.action.arguments, &PARAMETERS)) {
            Ok(Content::Json(value)) => Ok(value),
            Ok(Content::Plain) => Err("parameters_unreadable"),
            Err(reason) => Err(reason),
        }
    }

    /// The output, whatever it is.
    pub(super) fn output(&self) -> Result<&Content, &'static str> {
        self.output.get_or_init(|| read(&self.action.output, &OUTPUT)).as_ref().map_err(|reason| *reason)
    }

    /// The output, when it is JSON.
    pub(super) fn output_json(&self) -> Option<&Value> {
        match self.output() {
            Ok(Content::Json(value)) => Some(value),
            _ => None,
        }
    }

    /// The output's own words, when it is no JSON.
    pub(super) fn plain_output(&self) -> &'a str {
        self.action.output.value().and_then(Text::whole).unwrap_or_default()
    }
}

fn read(known: &Known<Text>, reasons: &Reasons) -> Result<Content, &'static str> {
    let [unknown, withheld, cut, redacted] = *reasons;
    let text = match known {
        Known::Value(text) => text.whole().ok_or(cut)?,
        Known::Missing(Missing::Withheld) => return Err(withheld),
        Known::Missing(_) => return Err(unknown),
    };
    if is_mark(text) {
        return Err(redacted);
    }
    let json = values::canonical(text).and_then(|json| serde_json::from_str(&json).ok());
    Ok(json.map_or(Content::Plain, Content::Json))
}

/// Whether a string stands for a value that redaction took away.
pub(super) fn is_mark(text: &str) -> bool {
    text == values::DROPPED || values::redacted(text).is_some()
}

/// Whether redaction took something out of a value.
pub(super) fn has_mark(value: &Value) -> bool {
    match value {
        Value::String(text) => is_mark(text),
        Value::Array(items) => items.iter().any(has_mark),
        Value::Object(fields) => fields.values().any(has_mark),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}

/// Calls `look` with every value at a dotted path, and with nothing wherever a step is missing. A list on the way, or
/// at the end, stands for each of its elements; at the end also for itself when `whole` is set.
pub(super) fn at_path<'v>(value: &'v Value, steps: &[&str], whole: bool, look: &mut impl FnMut(Option<&'v Value>)) {
    match (value, steps) {
        (Value::Array(_), []) if whole => look(Some(value)),
        (Value::Array(items), _) => items.iter().for_each(|item| at_path(item, steps, whole, look)),
        (value, []) => look(Some(value)),
        (Value::Object(fields), [step, rest @ ..]) => match fields.get(*step) {
            Some(inner) => at_path(inner, rest, whole, look),
            None => look(None),
        },
        _ => look(None),
    }
}
