//! Deterministic verdicts about an action: one file per validator, one table.
//!
//! A [`Validator`] looks at one action and its turn and says good, bad, unknown, or nothing when its SLI does not
//! apply. All are pure and total; the same action, turn and rules always give the same answer. Verdicts of
//! evaluators, guardrails and humans arrive as evidence on the action; here it is weighed:
//!
//! * **Bad wins.** What an enforced rule forbids, or a failing check, no approval and no plan makes good.
//! * **Missing is never good.** Where nothing speaks, the verdict is unknown, with the reason.
//! * **Nobody testifies for itself.** A good word that comes only from the acting agent is `self_reported`, which is
//!   unknown; its bad word counts.
//! * **A guess decides nothing.** What is only inferred never convicts and never makes good.
//! * **An execution that is not proven** gives neither a good verdict nor a finding that pages.

mod denied_actions;
mod findings;
mod intent_alignment;
mod lineage_complete;
mod outcome_validation;
mod plan;
mod witness;

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::envelope::Rules;
use crate::model::{Action, EvidenceId, Field, Finding, Sli, Turn, Value, Verdict};

pub use findings::{findings, violated};
pub use lineage_complete::applies;
pub use witness::is_independent;

/// What an action is judged with.
#[derive(Debug, Clone, Copy)]
pub struct Context<'a> {
    /// The rules in force when its first evidence was folded.
    pub rules: &'a Rules,
    /// Its turn, without the lists that grow with it (retrievals, models, delegations, containment): reading them for
    /// each of its actions would cost more the longer it is. What an action has of them stands in the action.
    pub turn: &'a Turn,
    /// What is asked of it that no rule says.
    pub learnt: &'a Learnt,
}

/// The fields that an action's instrumentation has shown, so that it owes them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Learnt {
    /// Learning is off: only rules ask.
    Off,
    /// These. None: too little was seen so far.
    Fields(BTreeSet<Field>),
}

/// The judge of one SLI.
pub trait Validator: Sync {
    /// Which SLI.
    fn sli(&self) -> Sli;

    /// The verdict; `None` when the SLI does not apply to this action.
    fn judge(&self, context: &Context<'_>, action: &Action) -> Option<Verdict>;
}

/// Every validator, in the order of [`Sli::ALL`].
pub const VALIDATORS: &[&dyn Validator] = &[
    &intent_alignment::IntentAlignment,
    &outcome_validation::OutcomeValidation,
    &denied_actions::DeniedActions,
    &lineage_complete::LineageComplete,
];

/// Judges an action: the verdicts that apply and the findings. A tombstone has neither; its survivor has both.
pub fn judge(context: &Context<'_>, action: &Action) -> (Vec<Verdict>, Vec<Finding>) {
    if action.merged_into.is_some() {
        return Default::default();
    }
    let verdicts = VALIDATORS.iter().filter_map(|validator| validator.judge(context, action)).collect();
    (verdicts, findings(context, action))
}

/// A verdict from its parts. Evidence is sorted and free of repetition.
fn verdict(
    sli: Sli,
    value: Value,
    reason: &str,
    because: impl Into<Arc<str>>,
    evidence: impl IntoIterator<Item = EvidenceId>,
) -> Verdict {
    let mut evidence: Vec<EvidenceId> = evidence.into_iter().collect();
    evidence.sort_unstable();
    evidence.dedup();
    Verdict { sli, value, reason: reason.into(), because: because.into(), evidence }
}

#[cfg(test)]
mod tests;
