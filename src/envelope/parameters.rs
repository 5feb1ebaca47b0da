//! Constraints on parameters: type, range, set, pattern, length, presence, each at a dotted path.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::contents::{Contents, at_path, has_mark};
use super::pattern::Pattern;
use super::rules::Kept;
use crate::model::words;
use crate::values::document::{Key, Node, Page, Table};

words!(
    /// The type of a JSON value.
    Type {
        /// Text.
        String = "string",
        /// Any number.
        Number = "number",
        /// A number without a fraction.
        Integer = "integer",
        /// True or false.
        Boolean = "boolean",
        /// A list.
        Array = "array",
        /// A mapping.
        Object = "object",
        /// Null.
        Null = "null",
    }
);

/// The constraints of one rule.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Parameters(Vec<(Arc<str>, Check)>);

/// What holds for the values at one path.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
struct Check {
    kind: Option<Type>,
    min: Option<f64>,
    max: Option<f64>,
    one_of: Option<Vec<Value>>,
    none_of: Option<Vec<Value>>,
    pattern: Option<Pattern>,
    min_length: Option<u64>,
    max_length: Option<u64>,
    optional: bool,
    absent: bool,
}

impl Parameters {
    /// Whether the parameters of an action keep every constraint. What surely breaks one outweighs what is hidden.
    pub(super) fn kept(&self, contents: &Contents<'_>) -> Kept {
        let parameters = match contents.parameters() {
            Ok(parameters) => parameters,
            Err(reason) => return Kept::Unclear(reason),
        };
        let mut kept = Kept::Yes;
        for (path, check) in &self.0 {
            match check.kept(path, parameters) {
                Kept::Yes => {}
                Kept::Unclear(reason) => kept = Kept::Unclear(reason),
                broken @ Kept::No { .. } => return broken,
            }
        }
        kept
    }
}

impl Check {
    fn kept(&self, path: &Arc<str>, parameters: &Value) -> Kept {
        let steps: Vec<&str> = path.split('.').collect();
        let (mut broken, mut hidden) = (None, false);
        let whole = self.kind == Some(Type::Array);
        at_path(parameters, &steps, whole, &mut |value| match value {
            None if self.absent || self.optional => {}
            None => broken = broken.take().or(Some("is missing".to_owned())),
            Some(_) if self.absent => broken = broken.take().or(Some("is there".to_owned())),
            Some(value) if has_mark(value) => hidden = true,
            Some(value) => broken = broken.take().or_else(|| self.broken(value)),
        });
        match broken {
            Some(message) => Kept::No { path: Arc::clone(path), message: message.into() },
            None if hidden => Kept::Unclear("parameters_redacted"),
            None => Kept::Yes,
        }
    }

    /// What is wrong with a value. The value itself is not told: it is content.
    fn broken(&self, value: &Value) -> Option<String> {
        self.type_broken(value).or_else(|| self.range_broken(value)).or_else(|| self.text_broken(value))
    }

    fn type_broken(&self, value: &Value) -> Option<String> {
        let kind = self.kind.filter(|kind| !kind.is_of(value))?;
        Some(format!("is no {kind}"))
    }

    fn range_broken(&self, value: &Value) -> Option<String> {
        let bounded = self.min.is_some() || self.max.is_some();
        match value.as_f64() {
            None if bounded => Some("is no number".to_owned()),
            None => None,
            Some(number) => {
                let below = self.min.filter(|min| number < *min).map(|min| format!("is less than {min}"));
                below.or_else(|| self.max.filter(|max| number > *max).map(|max| format!("is more than {max}")))
            }
        }
    }

    fn text_broken(&self, value: &Value) -> Option<String> {
        let is_in = |all: &Vec<Value>| all.iter().any(|one| same(one, value));
        if self.one_of.as_ref().is_some_and(|all| !is_in(all)) {
            return Some("is none of those listed".to_owned());
        }
        if self.none_of.as_ref().is_some_and(is_in) {
            return Some("is one of those refused".to_owned());
        }
        if let Some(pattern) = &self.pattern {
            let written = written(value);
            if !written.is_some_and(|text| pattern.is_in(&text)) {
                return Some("does not match the pattern".to_owned());
            }
        }
        let length = length(value);
        if self.min_length.is_some_and(|least| length.is_none_or(|length| length < least)) {
            return Some(format!("is shorter than {}", self.min_length.unwrap_or_default()));
        }
        let longest = self.max_length.filter(|most| length.is_none_or(|length| length > *most))?;
        Some(format!("is longer than {longest}"))
    }
}

impl Type {
    fn is_of(self, value: &Value) -> bool {
        match self {
            Self::String => value.is_string(),
            Self::Number => value.is_number(),
            Self::Integer => value.is_i64() || value.is_u64() || value.as_f64().is_some_and(|it| it.fract() == 0.0),
            Self::Boolean => value.is_boolean(),
            Self::Array => value.is_array(),
            Self::Object => value.is_object(),
            Self::Null => value.is_null(),
        }
    }
}

/// Whether two values are the same; numbers by their value.
fn same(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Number(a), Value::Number(b)) => a == b || a.as_f64() == b.as_f64(),
        _ => one == other,
    }
}

/// A value as a pattern reads it; nothing for lists and mappings.
fn written(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(truth) => Some(truth.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

/// Characters of a text, elements of a list, keys of a mapping.
fn length(value: &Value) -> Option<u64> {
    let length = match value {
        Value::String(text) => text.chars().count(),
        Value::Array(items) => items.len(),
        Value::Object(fields) => fields.len(),
        Value::Null | Value::Bool(_) | Value::Number(_) => return None,
    };
    Some(length as u64)
}

const KEYS: &[&str] =
    &["type", "min", "max", "in", "not_in", "pattern", "min_length", "max_length", "optional", "absent"];

/// `check`: a constraint for each path.
pub(super) fn read(page: &mut Page, node: &Node) -> Option<Parameters> {
    let entries = page.entries(node)?;
    if entries.is_empty() {
        page.wrong(node.at, "`check` says nothing: give a parameter and what holds for it");
        return None;
    }
    let read: Vec<_> = entries.iter().map(|(path, value)| entry(page, path, value)).collect();
    read.into_iter().collect::<Option<Vec<_>>>().map(Parameters)
}

fn entry(page: &mut Page, path: &Key, node: &Node) -> Option<(Arc<str>, Check)> {
    if path.name.split('.').any(str::is_empty) || path.name.contains(['*', '[', '$']) {
        page.wrong(path.at, format!("`{}` is no dotted path, such as `customer.email`; lists need no sign", path.name));
        return None;
    }
    let table = page.table(node, "a constraint", KEYS)?;
    let values = |page: &mut Page, node: &Node| page.list(node, Page::json);
    let check = Check {
        kind: page.maybe(table, "type", kind),
        min: page.maybe(table, "min", Page::number),
        max: page.maybe(table, "max", Page::number),
        one_of: page.maybe(table, "in", values),
        none_of: page.maybe(table, "not_in", values),
        pattern: page.maybe(table, "pattern", Pattern::read),
        min_length: page.maybe(table, "min_length", Page::whole),
        max_length: page.maybe(table, "max_length", Page::whole),
        optional: page.maybe(table, "optional", Page::flag).unwrap_or_default(),
        absent: page.maybe(table, "absent", Page::flag).unwrap_or_default(),
    };
    if let Some(wrong) = impossible(table, &check) {
        page.wrong(path.at, format!("`{}`: {wrong}", path.name));
        return None;
    }
    Some((Arc::clone(&path.name), check))
}

/// What no value can keep, and what every value keeps.
fn impossible(table: Table<'_>, check: &Check) -> Option<String> {
    let given: Vec<&str> = KEYS.iter().copied().filter(|key| table.has(key)).collect();
    let others = |but: &str| given.iter().copied().find(|key| *key != but);
    if check.absent {
        return others("absent").map(|other| format!("`absent` leaves nothing for `{other}` to say"));
    }
    if others("optional").is_none() || given == ["absent"] {
        return Some(format!("the constraint says nothing: give one of {}", KEYS.join(", ")));
    }
    if let (Some(min), Some(max)) = (check.min, check.max)
        && min > max
    {
        return Some(format!("no number is at least {min} and at most {max}: `min` is more than `max`"));
    }
    if let (Some(least), Some(most)) = (check.min_length, check.max_length)
        && least > most
    {
        return Some(format!("nothing is both at least {least} and at most {most} long"));
    }
    let kind = check.kind?;
    let is_number = matches!(kind, Type::Number | Type::Integer);
    let has_length = matches!(kind, Type::String | Type::Array | Type::Object);
    let fits = |key: &&&str| match **key {
        "min" | "max" => is_number,
        "min_length" | "max_length" => has_length,
        "pattern" => is_number || matches!(kind, Type::String | Type::Boolean),
        _ => true,
    };
    let misfit = given.iter().find(|key| !fits(key))?;
    Some(format!("`{misfit}` says nothing about a value of type {kind}"))
}

fn kind(page: &mut Page, node: &Node) -> Option<Type> {
    page.word(node, &Type::ALL.iter().map(|kind| kind.as_str()).collect::<Vec<_>>(), Type::from_word)
}
