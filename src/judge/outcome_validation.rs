//! Did a check after the action hold?
//!
//! | checks after the action | verdict |
//! |---|---|
//! | one failed, whoever says so | bad `check_failed` |
//! | one passed, by somebody else than the agent | good `check_passed` |
//! | passed by the agent's own word only | unknown `self_reported` |
//! | none says pass or fail | unknown `check_unclear` |
//! | none | unknown `no_check` |
//!
//! A check before the action says what was intended, not what came of it; one whose phase is not told may be either.
//! Neither counts here. `intent_alignment` evaluations have an SLI of their own. Judged for executed actions; when the
//! execution is not proven, nothing is good (`execution_not_proven`).

use super::witness::{is_independent, may_decide, record};
use super::{Context, Validator, intent_alignment, verdict};
use crate::model::{Action, Check, CheckResult, Execution, Phase, Sli, State, Value, Verdict};

/// The judge of `outcome_validation`.
pub(super) struct OutcomeValidation;

impl Validator for OutcomeValidation {
    fn sli(&self) -> Sli {
        Sli::OutcomeValidation
    }

    fn judge(&self, _: &Context<'_>, action: &Action) -> Option<Verdict> {
        let State::Executed(execution) = &action.state else {
            return None;
        };
        let checks: Vec<&Check> = action.checks.iter().filter(|check| counts(check)).collect();
        let failed = checks.iter().find(|check| check.result == CheckResult::Fail);
        let passed = || checks.iter().filter(|check| check.result == CheckResult::Pass);
        let by_another = || passed().find(|check| is_independent(check.witness.as_ref(), action));
        let (value, reason, because, on) = if let Some(check) = failed {
            (Value::Bad, "check_failed", format!("check `{}` failed after the action", check.name), Some(*check))
        } else if *execution == Execution::UnknownResult {
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
        Some(verdict(self.sli(), value, reason, because, on.and_then(|check| record(check.witness.as_ref()))))
    }
}

fn counts(check: &Check) -> bool {
    check.phase == Phase::PostAction && may_decide(check.witness.as_ref()) && &*check.name != intent_alignment::NAME
}
