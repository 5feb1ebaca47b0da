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

mod approval_reviewed;
mod approvals;
mod around;
mod around_denial;
mod board;
mod breaker;
mod classify;
mod containment_within;
mod denied_actions;
mod envelope;
mod findings;
mod intent_alignment;
mod limits;
mod lineage_complete;
mod outcome_validation;
mod plan;
mod plan_commit;
mod scope;
mod standing;
mod witness;

use std::cell::OnceCell;
use std::collections::BTreeSet;
use std::sync::Arc;

use crate::envelope::{Rules, View};
use crate::model::{Action, EvidenceId, Field, Finding, Sli, Turn, Value, Verdict};

pub use around::{Around, Clock, changes_something, has_breaker, notes};
pub use board::{Board, Decided, Load, Note, Pin, Place, Read, Topic, Window};
pub use classify::{Change, foreign, source, tag};
pub use findings::{at_once, violated};
pub use lineage_complete::applies;
pub use witness::is_independent;

/// What an action is judged with.
#[derive(Debug)]
pub struct Context<'a> {
    /// The rules in force when its first evidence was folded.
    pub rules: &'a Rules,
    /// Its turn, without the lists that grow with it (retrievals, models, delegations, containment): reading them for
    /// each of its actions would cost more the longer it is. What an action has of them stands in the action.
    pub turn: &'a Turn,
    /// What is asked of it that no rule says.
    pub learnt: &'a Learnt,
    /// What is not its own.
    pub around: &'a Around,
    /// What the rules say of it, once somebody asks.
    view: OnceCell<View<'a>>,
}

impl<'a> Context<'a> {
    /// An action that has nothing around it, and of which nothing was learnt.
    pub fn alone(rules: &'a Rules, turn: &'a Turn) -> Self {
        Self::new(rules, turn, &Learnt::Off, &around::NOTHING)
    }

    /// What one action is judged with: a context is not for two.
    pub fn new(rules: &'a Rules, turn: &'a Turn, learnt: &'a Learnt, around: &'a Around) -> Self {
        Self { rules, turn, learnt, around, view: OnceCell::new() }
    }

    /// The same action, with what is around it. What the rules say of it is not looked up again.
    pub fn among<'b>(self, learnt: &'b Learnt, around: &'b Around) -> Context<'b>
    where
        'a: 'b,
    {
        let view = self.view.into_inner().map(OnceCell::from).unwrap_or_default();
        Context { rules: self.rules, turn: self.turn, learnt, around, view }
    }

    /// What the rules say of its action, looked up once.
    fn view(&self, action: &Action) -> &View<'a> {
        self.view.get_or_init(|| self.rules.view(action))
    }
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
    &containment_within::ContainmentWithin,
    &envelope::Envelope,
    &plan_commit::PlanCommit,
    &approval_reviewed::ApprovalReviewed,
    &lineage_complete::LineageComplete,
];

/// Judges an action: the verdicts that apply and the findings. A tombstone has neither; its survivor has both.
pub fn judge(context: &Context<'_>, action: &Action) -> (Vec<Verdict>, Vec<Finding>) {
    if action.merged_into.is_some() {
        return Default::default();
    }
    let verdicts: Vec<Verdict> = VALIDATORS.iter().filter_map(|validator| validator.judge(context, action)).collect();
    let findings = findings::findings(context, action, &verdicts);
    (verdicts, findings)
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
    Verdict { sli, value, reason: reason.into(), because: because.into(), evidence, rung: None, rule: None }
}

#[cfg(test)]
mod tests;
