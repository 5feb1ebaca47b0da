//! Plans as data: does an approved plan contain this call?
//!
//! A plan can be compared when it is JSON: a list of steps, or an object with `steps`. A step is an object with
//! `tool` (or `name`), and, when it wants to bind them, `target` and `arguments` (or `parameters`).

use serde_json::Value;

use super::witness::last_word;
use super::{Context, approvals};
use crate::model::{Action, Decision, Digest, Outcome, PlanText, Provenance, Shared, Text};
use crate::values;

/// The last word about a turn's plans before a call ran.
#[derive(Debug, Clone, Copy)]
pub(super) enum PlanWord<'c> {
    /// It is about this version: the last one that was there when it was said. `None`: every one is younger.
    Of(&'c Decision, Option<&'c Shared<PlanText>>),
    /// It names a plan, and no plan of the turn has a name.
    Unnamed(&'c Decision),
}

/// Every version of the plan, oldest first, guesses among them.
pub(super) fn every_version<'c>(context: &Context<'c>) -> impl Iterator<Item = &'c Shared<PlanText>> + use<'c> {
    let turn = context.turn;
    // A record of a former version has the one that won alone.
    let only = turn.plan.value().filter(|_| turn.plans.is_empty());
    turn.plans.iter().chain(only)
}

/// Those that are no guess.
pub(super) fn versions<'c>(context: &Context<'c>) -> impl Iterator<Item = &'c Shared<PlanText>> + use<'c> {
    every_version(context).filter(|plan| plan.provenance != Provenance::Inferred)
}

/// What was said last about the plan before the call ran, and about which version of it.
pub(super) fn word<'c>(context: &Context<'c>, action: &Action) -> Option<PlanWord<'c>> {
    let versions: Vec<&Shared<PlanText>> = versions(context).collect();
    if versions.is_empty() {
        return None;
    }
    let ran = approvals::ran_at(action);
    let before = || context.turn.plan_decisions.iter().filter(|decision| decision.at <= ran);
    let about = |decision: &Decision| {
        let answers: Vec<Option<bool>> = versions.iter().map(|plan| is_about(decision, plan)).collect();
        let unknown = answers.contains(&None).then_some(None);
        if answers.contains(&Some(true)) { Some(true) } else { unknown.unwrap_or(Some(false)) }
    };
    // What may be about another plan takes an approval back, and gives none.
    let counts = |decision: &&Decision| about(decision).unwrap_or(decision.outcome != Outcome::Allow);
    let Some(last) = last_word(before().filter(counts)) else {
        return last_word(before().filter(|decision| about(decision).is_none())).map(PlanWord::Unnamed);
    };
    let there = |plan: &&&Shared<PlanText>| plan.at <= last.at && is_about(last, plan) == Some(true);
    Some(PlanWord::Of(last, versions.iter().rfind(there).copied()))
}

/// Whether a decision is about a plan: one that names another is not, one that names none is about the turn's. Nobody
/// knows what a name means for a plan without one: `plan id/step` would be about the step alone.
fn is_about(decision: &Decision, plan: &Shared<PlanText>) -> Option<bool> {
    match (&decision.plan, &plan.value.id) {
        (Some(decided), Some(id)) => Some(decided == id),
        (Some(_), None) => None,
        (None, _) => Some(true),
    }
}

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
