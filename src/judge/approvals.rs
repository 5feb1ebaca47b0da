//! Was exactly this call approved, by somebody who may, before it ran?
//!
//! An approval comes before the call runs, and by somebody else than the agent. When it names no parameters, it is
//! about those that were asked for, or else proposed, when it was given. An approval of a plan is one of each call that
//! the plan spells out with its parameters.

use super::Context;
use super::intent_alignment::approval_in_plan;
use super::plan;
use super::witness::{is_enforced, is_guessed, is_independent, record};
use crate::envelope;
use crate::model::{Action, By, Decision, Digest, EvidenceId, Moment, Nanos, Outcome, Says};

/// Whether what a rule asks for was given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Approved {
    /// By this record.
    Yes(Option<EvidenceId>),
    No {
        reason: &'static str,
        what: &'static str,
        evidence: Vec<EvidenceId>,
    },
    Unclear(&'static str),
}

/// How one approval stands to the call. In order: the best of several counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Weight {
    /// It came after the call had begun.
    Late,
    /// It was about other parameters.
    Changed,
    /// The parameters cannot be compared.
    Incomparable,
    /// Only the agent says so.
    OwnWord,
    /// It is about exactly this call.
    Exact,
}

/// Weighs an approval.
pub(super) fn weigh(approval: &Decision, action: &Action) -> Weight {
    if approval.at > ran_at(action) {
        return Weight::Late;
    }
    let changed = |later: &Decision| later.outcome == Outcome::Modify && later.at >= approval.at && later.enforced;
    match same_parameters(approval, action) {
        Some(true) if !action.decisions.iter().any(changed) => {}
        Some(_) => return Weight::Changed,
        None => return Weight::Incomparable,
    }
    if is_independent(approval.witness.as_ref(), action) { Weight::Exact } else { Weight::OwnWord }
}

/// When the run began, as sent: the call itself may have been proposed long before.
pub(super) fn ran_at(action: &Action) -> Nanos {
    let runs = action.pieces.iter().filter(|piece| match &piece.says {
        Says::Call(call) => matches!(call.moment, Moment::Ran { .. }),
        _ => false,
    });
    runs.map(|piece| piece.start).max().unwrap_or(action.start)
}

/// Enforced approvals by a human that no later denial took back.
pub(super) fn human_allows(action: &Action) -> impl Iterator<Item = &Decision> {
    standing_allows(action).filter(|decision| decision.by == By::Human)
}

/// Enforced approvals by anybody that no later denial took back.
fn standing_allows(action: &Action) -> impl Iterator<Item = &Decision> {
    unspoiled_allows(action).filter(|decision| is_enforced(decision))
}

/// Approvals before the run that are only guessed: they give nothing, and excuse that nobody is known to have approved.
pub(super) fn guessed_allows(action: &Action) -> impl Iterator<Item = &Decision> {
    let ran = ran_at(action);
    let guessed = move |decision: &&Decision| is_guessed(decision) && decision.at <= ran;
    unspoiled_allows(action).filter(guessed)
}

/// Approvals of any kind that no later denial took back.
fn unspoiled_allows(action: &Action) -> impl Iterator<Item = &Decision> {
    let denied = denied_at(action);
    let stands = move |decision: &&Decision| denied.is_none_or(|denied| denied < decision.at);
    action.decisions.iter().filter(|decision| decision.outcome == Outcome::Allow).filter(stands)
}

/// When it was denied last.
fn denied_at(action: &Action) -> Option<Nanos> {
    let denials = action.decisions.iter().filter(|it| it.outcome == Outcome::Deny && is_enforced(it));
    denials.map(|decision| decision.at).max()
}

/// A human's approval of exactly this call: that lifts what holds everything back.
pub(super) fn lifts_hold(action: &Action) -> Option<&Decision> {
    human_allows(action).filter(|decision| !decision.standing).find(|it| weigh(it, action) == Weight::Exact)
}

/// What a rule that asks for an approval makes of those that there are.
pub(super) fn demanded(context: &Context<'_>, rule: &envelope::Approval, action: &Action) -> Approved {
    let mut best: Option<(Weight, &Decision)> = None;
    let mut unclear = None;
    let of_call = standing_allows(action).map(|decision| (weigh(decision, action), decision));
    let of_plan = approval_in_plan(context, action);
    let of_plan = of_plan.filter(|(_, decision)| denied_at(action).is_none_or(|denied| denied < decision.at));
    for (weight, decision) in of_call.chain(of_plan) {
        match rule.accepts(decision) {
            Some(false) => {}
            None => drop(unclear.get_or_insert("approver_unknown")),
            Some(true) if decision.standing => drop(unclear.get_or_insert("standing_grant")),
            Some(true) => best = best.max(Some((weight, decision))),
        }
    }
    let no = |reason, what, decision: &Decision| Approved::No {
        reason,
        what,
        evidence: record(decision.witness.as_ref()).into_iter().collect(),
    };
    match best {
        Some((Weight::Exact, it)) => Approved::Yes(record(it.witness.as_ref())),
        Some((Weight::OwnWord, _)) => Approved::Unclear("self_reported"),
        Some((Weight::Incomparable, _)) => Approved::Unclear("approval_incomparable"),
        _ if unclear.is_some() => Approved::Unclear(unclear.unwrap_or("approver_unknown")),
        Some((Weight::Changed, it)) => {
            no("approval_changed", "needs an approval, and other parameters were approved", it)
        }
        Some((Weight::Late, it)) => no("approval_late", "needs an approval, and it came after the call had begun", it),
        // What rests on absence waits until nothing more is expected.
        None if !context.turn.closed => Approved::Unclear("pending"),
        None if guessed_allows(action).any(|guess| rule.accepts(guess) != Some(false)) => {
            Approved::Unclear("approval_inferred")
        }
        None if may_be_missing(context, action).is_some() => Approved::Unclear("sampled"),
        None => Approved::No {
            reason: "approval_missing",
            what: "needs an approval, and nobody gave one",
            evidence: Vec::new(),
        },
    }
}

/// Why what is not there may exist all the same: more may come, or records were dropped on the way.
pub(super) fn may_be_missing(context: &Context<'_>, action: &Action) -> Option<&'static str> {
    match () {
        () if !context.turn.closed => Some("pending"),
        () if action.marks.sampled || action.marks.root_lost => Some("sampled"),
        () => None,
    }
}

/// Whether the approval is about these parameters. One that does not name any is about those that lay before the human,
/// and says nothing of a run that does not tell its own.
pub(super) fn same_parameters(approval: &Decision, action: &Action) -> Option<bool> {
    let called = action.arguments.value()?.digest;
    if let Some(approved) = &approval.parameters {
        return plan::same(&called, approved);
    }
    // A run outranks messages: when one tells its parameters, the action's are those.
    arguments(action, |moment| matches!(moment, Moment::Ran { .. })).next()?;
    let given = |moment| arguments(action, move |it| *it == moment).filter(|(at, _)| *at <= approval.at);
    let asked: Vec<Digest> = given(Moment::Asked).map(|(_, digest)| digest).collect();
    let before = if asked.is_empty() { given(Moment::Proposed).map(|(_, digest)| digest).collect() } else { asked };
    all_agree(before.iter().map(|digest| plan::same(&called, digest)))
}

/// What pieces of one kind tell of the parameters, and since when.
fn arguments(action: &Action, is: impl Fn(&Moment) -> bool) -> impl Iterator<Item = (Nanos, Digest)> {
    action.pieces.iter().filter_map(move |piece| match &piece.says {
        Says::Call(call) if is(&call.moment) => Some((piece.start, call.arguments.value()?.digest)),
        _ => None,
    })
}

/// No if one says no; nothing if one says nothing or none is there.
fn all_agree(answers: impl Iterator<Item = Option<bool>>) -> Option<bool> {
    let answers: Vec<Option<bool>> = answers.collect();
    match answers.contains(&Some(false)) {
        true => Some(false),
        false => (!answers.is_empty() && !answers.contains(&None)).then_some(true),
    }
}
