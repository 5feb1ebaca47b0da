//! Was the action denied by policy?
//!
//! The last enforced decision counts; a refusal that the telemetry of the call itself tells is such a decision too. An
//! allow that only the acting agent states does not outweigh the denial of somebody else.
//!
//! | last word | verdict |
//! |---|---|
//! | deny by policy, model, hook or system | bad `denied_by_<who>` |
//! | deny by nobody named | unknown `refused_by_unknown` |
//! | deny by a human, time-out, abort | none: these feed the review of approvals |
//! | otherwise, and the action ran | good `executed` |
//! | otherwise, and it seems to have run | unknown `execution_not_proven` |
//! | otherwise | unknown `no_outcome` |
//!
//! A retry of what was denied in the same turn has no verdict: an agent that tries ten times was denied once.

use super::witness::{is_enforced, is_independent, last_word, permits, record, told};
use super::{Context, Validator, verdict};
use crate::model::{Action, By, Decision, Execution, Outcome, Sli, State, Value, Verdict};

/// The judge of `denied_actions`.
pub(super) struct DeniedActions;

impl Validator for DeniedActions {
    fn sli(&self) -> Sli {
        Sli::DeniedActions
    }

    fn judge(&self, _: &Context<'_>, action: &Action) -> Option<Verdict> {
        if action.retry_of.is_some() {
            return None;
        }
        let last = last_word(heard(action));
        let on = last.and_then(|decision| record(decision.witness.as_ref()));
        let (value, reason, because) = match (denier(action, last), last.map(|decision| decision.outcome)) {
            (Some(By::Human), _) => return None,
            (Some(By::Unknown), _) => {
                (Value::Unknown, "refused_by_unknown".to_owned(), "it was refused, and nothing says by whom".to_owned())
            }
            (Some(by), _) => (Value::Bad, format!("denied_by_{by}"), denial(by, last)),
            (None, Some(Outcome::Timeout | Outcome::Abort)) => return None,
            (None, _) => match action.state {
                State::Executed(Execution::UnknownResult) => {
                    (Value::Unknown, "execution_not_proven".to_owned(), "nothing proves that the tool ran".to_owned())
                }
                State::Executed(_) => (Value::Good, "executed".to_owned(), "it ran, and nobody denied it".to_owned()),
                State::Aborted => return None,
                _ => (Value::Unknown, "no_outcome".to_owned(), "it neither ran nor was refused".to_owned()),
            },
        };
        let told = told(action).filter(|_| value != Value::Unknown);
        Some(verdict(self.sli(), value, &reason, because, told.chain(on)))
    }
}

/// The decisions without what the agent allowed itself after somebody else had denied, aborted or let it lapse.
fn heard(action: &Action) -> impl Iterator<Item = &Decision> {
    let by_another = |decision: &Decision| is_independent(decision.witness.as_ref(), action);
    let stops = |outcome| matches!(outcome, Outcome::Deny | Outcome::Abort | Outcome::Timeout);
    let denies = |decision: &&Decision| is_enforced(decision) && stops(decision.outcome);
    let denied = action.decisions.iter().filter(denies).filter(|it| by_another(it)).map(|denial| denial.at).min();
    let is_own_allow = move |decision: &Decision| permits(decision) && !by_another(decision);
    let is_late = move |decision: &Decision| denied.is_some_and(|denied| denied <= decision.at);
    action.decisions.iter().filter(move |decision| !(is_own_allow(decision) && is_late(decision)))
}

/// Who denied it: whom the last decision names, else whom the refusal names.
fn denier(action: &Action, last: Option<&Decision>) -> Option<By> {
    let decided = last.filter(|decision| decision.outcome == Outcome::Deny).map(|decision| decision.by);
    let told = match action.state {
        State::Refused(by) => Some(by),
        _ => None,
    };
    decided.filter(|by| *by != By::Unknown).or(told).or(decided)
}

fn denial(by: By, last: Option<&Decision>) -> String {
    match last.filter(|decision| decision.outcome == Outcome::Deny && !decision.raw.is_empty()) {
        Some(decision) => format!("denied by {by}: `{}`", decision.raw),
        None => format!("denied by {by}"),
    }
}
