//! Did a check after the action hold?
//!
//! | checks after the action | verdict |
//! |---|---|
//! | one failed, whoever says so | bad `check_failed` |
//! | an invariant of an envelope is broken | bad `invariant_broken` |
//! | one passed, by somebody else than the agent | good `check_passed` |
//! | an invariant holds, and none is open | good `invariant_holds` |
//! | passed by the agent's own word only | unknown `self_reported` |
//! | none says pass or fail | unknown `check_unclear` |
//! | none, and an invariant cannot be compared | unknown, with its reason |
//! | none | unknown `no_check` |
//!
//! A check before the action says what was intended, not what came of it; one whose phase is not told may be either.
//! Neither counts here. `intent_alignment` evaluations have an SLI of their own. Judged for executed actions; when the
//! execution is not proven, nothing is good (`execution_not_proven`).
//!
//! An invariant says what has to be true of parameters and output, or of what a later call reads. Of several later
//! reads inside its time a bad one decides. Invariants in `warn` and `shadow` make findings and leave the verdict
//! alone.

use super::around;
use super::board::Read;
use super::limits;
use super::witness::{is_independent, may_decide, record, told};
use super::{Context, Validator, envelope, findings as found, intent_alignment, verdict};
use crate::envelope::{Demand, Fit, Invariant, Kept, Rule};
use crate::model::{Action, Check, CheckResult, Execution, Finding, Phase, Severity, Sli, State, Value, Verdict};

/// The judge of `outcome_validation`.
pub(super) struct OutcomeValidation;

impl Validator for OutcomeValidation {
    fn sli(&self) -> Sli {
        Sli::OutcomeValidation
    }

    fn judge(&self, context: &Context<'_>, action: &Action) -> Option<Verdict> {
        let State::Executed(execution) = &action.state else {
            return None;
        };
        let proven = *execution != Execution::UnknownResult;
        let invariants = if proven { invariants(context, action) } else { Vec::new() };
        let decides = || invariants.iter().filter(|(rule, _)| limits::counts(rule));
        let broken = decides().find_map(|(rule, kept)| match kept {
            Kept::No { message, .. } => Some((*rule, message)),
            Kept::Yes | Kept::Unclear(_) => None,
        });
        let of_checks = self.of_checks(action, proven);
        let (rule, value, reason, because) = match (of_checks.value, broken) {
            (Value::Bad, _) => return Some(of_checks),
            (_, Some((rule, message))) => {
                (rule, Value::Bad, "invariant_broken", format!("invariant `{}`: {message}", rule.name()))
            }
            (Value::Good, _) => return Some(of_checks),
            (Value::Unknown, _) if !proven => return Some(of_checks),
            (Value::Unknown, None) => {
                let unclear = decides().find_map(|(rule, kept)| match kept {
                    Kept::Unclear(reason) => Some((*rule, *reason)),
                    Kept::Yes | Kept::No { .. } => None,
                });
                match (unclear, decides().next()) {
                    (Some((rule, reason)), _) => {
                        (rule, Value::Unknown, reason, format!("invariant `{}` cannot be compared yet", rule.name()))
                    }
                    (None, Some((rule, _))) => {
                        (*rule, Value::Good, "invariant_holds", format!("invariant `{}` holds", rule.name()))
                    }
                    (None, None) => return Some(of_checks),
                }
            }
        };
        let told = told(action).filter(|_| value != Value::Unknown);
        Some(envelope::named(rule, verdict(self.sli(), value, reason, because, told)))
    }
}

impl OutcomeValidation {
    fn of_checks(&self, action: &Action, proven: bool) -> Verdict {
        let checks: Vec<&Check> = action.checks.iter().filter(|check| counts(check)).collect();
        let failed = checks.iter().find(|check| check.result == CheckResult::Fail);
        let passed = || checks.iter().filter(|check| check.result == CheckResult::Pass);
        let by_another = || passed().find(|check| is_independent(check.witness.as_ref(), action));
        let (value, reason, because, on) = if let Some(check) = failed {
            (Value::Bad, "check_failed", format!("check `{}` failed after the action", check.name), Some(*check))
        } else if !proven {
            (Value::Unknown, "execution_not_proven", "nothing proves that the tool ran".to_owned(), None)
        } else if let Some(check) = by_another() {
            (Value::Good, "check_passed", format!("check `{}` passed after the action", check.name), Some(*check))
        } else if let Some(check) = passed().next() {
            let because = format!("check `{}` passed by the agent's own word only", check.name);
            (Value::Unknown, "self_reported", because, Some(*check))
        } else if let Some(check) = checks.first() {
            let because = format!("check `{}` says neither pass nor fail: `{}`", check.name, check.label);
            (Value::Unknown, "check_unclear", because, Some(*check))
        } else {
            (Value::Unknown, "no_check", "no check looked at what the action did".to_owned(), None)
        };
        let told = told(action).filter(|_| value == Value::Good);
        verdict(self.sli(), value, reason, because, told.chain(on.and_then(|check| record(check.witness.as_ref()))))
    }
}

/// What each invariant that is about a call says of it.
fn invariants<'a>(context: &Context<'a>, action: &Action) -> Vec<(&'a Rule, Kept)> {
    let hits = context.view(action).hits.iter();
    let about = hits.filter_map(|hit| match (hit.rule.demand(), hit.fit) {
        (Demand::Invariant(invariant), Fit::Yes) => Some((hit.rule, kept(context, hit.rule, invariant, action))),
        (Demand::Invariant(_), Fit::Unclear(reason)) => Some((hit.rule, Kept::Unclear(reason))),
        _ => None,
    });
    about.collect()
}

fn kept(context: &Context<'_>, rule: &Rule, invariant: &Invariant, action: &Action) -> Kept {
    // What failed changed nothing that could be looked at.
    if !matches!(action.state, State::Executed(Execution::Ok)) {
        return Kept::Unclear("call_failed");
    }
    if invariant.read().is_none() {
        return rule.kept(action);
    }
    let reads = context.around.later.get(rule.name()).into_iter().flatten();
    let answers: Vec<Kept> = reads.filter_map(|(_, read)| answer(invariant, action, read)).collect();
    let bad = answers.iter().find(|kept| matches!(kept, Kept::No { .. }));
    // A read that nobody can make out may have shown otherwise.
    let unclear = || answers.iter().find(|kept| matches!(kept, Kept::Unclear(_)));
    bad.or_else(unclear).or(answers.first()).cloned().unwrap_or(Kept::Unclear("not_read_yet"))
}

/// What one later read says; nothing when it is about something else.
fn answer(invariant: &Invariant, action: &Action, read: &Read) -> Option<Kept> {
    let later = around::as_action(read, action);
    match invariant.fits_read(action, &later)? {
        Fit::Yes => Some(invariant.holds_after(action, &later)),
        Fit::Unclear(reason) => Some(Kept::Unclear(reason)),
    }
}

/// A success that was reported and is none, and invariants that are broken.
pub(super) fn findings(context: &Context<'_>, action: &Action) -> Vec<Finding> {
    let broken = invariants(context, action).into_iter().filter_map(|(rule, kept)| {
        let Kept::No { message, .. } = kept else { return None };
        let message = found::sentence(rule, action, "ran", &format!("asks otherwise: {message}"));
        let finding = found::finding(action, rule.name(), rule.severity(), &message, None);
        Some(Finding { envelope: Some(rule.envelope_digest()), ..finding })
    });
    let mut all: Vec<Finding> = broken.collect();
    let failed = action.checks.iter().find(|check| counts(check) && check.result == CheckResult::Fail);
    let reported = action.state == State::Executed(Execution::Ok);
    if reported && (failed.is_some() || !all.is_empty()) {
        let by = failed.map_or_else(
            || "an invariant found otherwise".to_owned(),
            |check| format!("check `{}` found otherwise", check.name),
        );
        let message = format!("{} reported success, and {by}", found::call(action));
        let on = failed.and_then(|check| record(check.witness.as_ref()));
        all.push(found::finding(action, "outcome.plausible_success", Severity::Ticket, &message, on));
    }
    all
}

fn counts(check: &Check) -> bool {
    check.phase == Phase::PostAction && may_decide(check.witness.as_ref()) && &*check.name != intent_alignment::NAME
}
