//! What a guardrail found: a check, and the decision that it is.

use crate::model::{By, Check, CheckResult, Decision, Outcome, Phase, What};

use super::draft::{a_check, a_decision, word};
use super::{Draft, Source};

/// A guardrail that looked at a run, not at one call.
pub struct Verdict<'a> {
    /// Its name.
    pub name: &'a str,
    /// It stopped the run.
    pub stopped: bool,
    /// When it looked.
    pub phase: Phase,
    /// What kind of guardrail it is.
    pub by: By,
    /// The producer's own words.
    pub label: &'a str,
}

/// Adds what a guardrail found.
pub fn say(verdict: &Verdict<'_>, source: &Source<'_>, draft: &mut Draft<'_>) {
    let (result, outcome) = match verdict.stopped {
        true => (CheckResult::Fail, Outcome::Deny),
        false => (CheckResult::Pass, Outcome::Allow),
    };
    let Some(span) = source.span() else { return };
    draft.say(What::Check(Box::new(Check {
        phase: verdict.phase,
        label: word(verdict.label),
        ..a_check(source, verdict.name, result)
    })));
    let decision = a_decision(source, outcome, verdict.by, &format!("{}: {}", verdict.name, verdict.label));
    draft.say(What::Decision(Box::new(Decision { at: span.end, ..decision })));
}
