//! Plans as data: does an approved plan contain this call?
//!
//! A plan can be compared when it is JSON: a list of steps, or an object with `steps`. A step is an object with
//! `tool` (or `name`), and, when it wants to bind them, `target` and `arguments` (or `parameters`).

use serde_json::Value;

use crate::model::{Action, Digest, Provenance, Text};
use crate::values;

/// Whether a plan contains a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Contains {
    /// A step is this call.
    Yes,
    /// Every step is another call.
    No,
    /// A step is of its tool, with another target or other parameters.
    Changed,
    /// A step could be this call, but one side does not say enough.
    Unclear,
    /// The plan is cut short or is no list of steps.
    Unreadable,
}

/// Looks for the call among the plan's steps.
pub(super) fn contains(plan: &Text, action: &Action) -> Contains {
    let Some(steps) = plan.whole().and_then(steps) else {
        return Contains::Unreadable;
    };
    let answers: Vec<Contains> = steps.iter().map(|step| is_step(step, action)).collect();
    if answers.contains(&Contains::Yes) {
        Contains::Yes
    } else if answers.contains(&Contains::Unclear) {
        Contains::Unclear
    } else if answers.contains(&Contains::Changed) {
        Contains::Changed
    } else {
        Contains::No
    }
}

/// Whether a step is this call and binds its parameters: who approves it approves exactly this call.
pub(super) fn spells_out(plan: &Text, action: &Action) -> bool {
    let steps = plan.whole().and_then(steps).unwrap_or_default();
    steps.iter().any(|step| arguments_of(step).is_some() && is_step(step, action) == Contains::Yes)
}

fn steps(text: &str) -> Option<Vec<Value>> {
    match serde_json::from_str(text).ok()? {
        Value::Array(steps) => Some(steps),
        Value::Object(mut plan) => match plan.remove("steps") {
            Some(Value::Array(steps)) => Some(steps),
            _ => None,
        },
        _ => None,
    }
}

/// Compares what the step binds. A step in prose, without a tool, could mean anything.
fn is_step(step: &Value, action: &Action) -> Contains {
    let text = |keys: &[&str]| keys.iter().find_map(|key| step.get(key)).and_then(Value::as_str);
    let (Some(tool), Some(called)) = (text(&["tool", "name"]), action.tool.value()) else {
        return Contains::Unclear;
    };
    match is_word(tool, called) {
        Some(true) => {}
        Some(false) => return Contains::No,
        None => return Contains::Unclear,
    }
    let target = text(&["target"]).map(|target| is_target(target, action));
    let arguments = arguments_of(step).map(|arguments| are_arguments(arguments, action));
    match (target.unwrap_or(Some(true)), arguments.unwrap_or(Some(true))) {
        (Some(false), _) | (_, Some(false)) => Contains::Changed,
        (Some(true), Some(true)) => Contains::Yes,
        _ => Contains::Unclear,
    }
}

fn arguments_of(step: &Value) -> Option<&Value> {
    ["arguments", "parameters"].iter().find_map(|key| step.get(key))
}

fn is_target(planned: &str, action: &Action) -> Option<bool> {
    let (target, provenance) = action.target.value()?;
    is_word(planned, target).filter(|_| *provenance != Provenance::Inferred)
}

/// Whether two words are the same, as they are or as redaction left them.
fn is_word(planned: &str, called: &str) -> Option<bool> {
    let words = (values::known(planned).value().copied()?, values::known(called).value().copied()?);
    if words.0 == words.1 {
        return Some(true);
    }
    let is_digest = [words.0, words.1].iter().any(|word| values::redacted(word).is_some());
    if is_digest { same(&values::digest_json(words.0), &values::digest_json(words.1)) } else { Some(false) }
}

/// By digest of canonical JSON, so that neither layout nor key order decides, nor a text too long for its row.
fn are_arguments(planned: &Value, action: &Action) -> Option<bool> {
    let called = action.arguments.value()?;
    let planned = match planned {
        Value::String(text) => values::digest_json(text),
        other => values::digest_json(&other.to_string()),
    };
    same(&called.digest, &planned)
}

/// Whether two digests are of the same parameters; values that redaction dropped may be others.
pub(super) fn same(one: &Digest, other: &Digest) -> Option<bool> {
    one.agrees_with(other).filter(|_| one.key != Digest::PARTLY_WITHHELD)
}
