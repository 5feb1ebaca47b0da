//! Was a risky call planned, approved and carried out as planned, in that order?
//!
//! Asked of calls that a `two_phase` rule is about, and of calls that change something in a turn where somebody decided
//! about a plan.
//!
//! | plan, approval and call | verdict |
//! |---|---|
//! | there is no plan | bad `no_plan` |
//! | nobody approved it | bad `no_approved_plan` |
//! | the call had begun before the approval | bad `executed_before_approval` |
//! | only a plan younger than the approval contains the call | bad `plan_changed_after_approval` |
//! | a step is of its tool, with another target or other parameters | bad `changed_after_approval` |
//! | no step is this call | bad `undeclared` |
//! | the approval is the agent's own word | unknown `self_reported` |
//! | the plan is no list of steps, or does not say enough | unknown `plan_unreadable`, `plan_unclear` |
//! | the plan or its approval is only guessed | unknown `plan_inferred`, `approval_inferred` |
//! | content is withheld, telemetry is sampled, or more may come | unknown `withheld`, `sampled`, `pending` |
//! | nobody knows whether a `two_phase` rule is about the call | unknown, with the rule's own reason |
//! | otherwise | good `as_planned` |
//!
//! An approval of exactly this call by a human, after the plan, is as good as one of the plan.

use super::approvals::{self, Weight};
use super::envelope::named;
use super::limits::counts;
use super::plan::{self, Contains};
use super::witness::{is_enforced, is_guessed, is_independent, last_word, may_decide, record, told};
use super::{Context, Validator, changes_something, findings, verdict};
use crate::envelope::{Demand, Fit, Rule};
use crate::model::{
    Action, Decision, EvidenceId, Execution, Finding, Missing, Outcome, PlanText, Severity, Shared, Sli, State, Value,
    Verdict,
};

/// The judge of `plan_commit`.
pub(super) struct PlanCommit;

impl Validator for PlanCommit {
    fn sli(&self) -> Sli {
        Sli::PlanCommit
    }

    fn judge(&self, context: &Context<'_>, action: &Action) -> Option<Verdict> {
        let State::Executed(execution) = &action.state else {
            return None;
        };
        let rule = two_phase(context, action);
        let enforced = rule.filter(|rule| counts(rule));
        if enforced.is_none() && !is_planned(context, action) {
            return perhaps(context, action).map(|(rule, reason)| {
                let because = format!("rule `{}` of envelope `{}` may be about it", rule.id(), rule.envelope());
                named(rule, verdict(self.sli(), Value::Unknown, reason, because, None))
            });
        }
        let said = match execution {
            Execution::UnknownResult => Said::unknown("execution_not_proven", "nothing proves that the tool ran"),
            Execution::Ok | Execution::Failed(_) => said(context, action),
        };
        let told = told(action).filter(|_| said.value != Value::Unknown);
        let verdict = verdict(self.sli(), said.value, said.reason, said.because, told.chain(said.evidence));
        Some(match enforced {
            Some(rule) => named(rule, verdict),
            None => verdict,
        })
    }
}

/// What was not kept, as a finding.
pub(super) fn finding(context: &Context<'_>, action: &Action) -> Option<Finding> {
    let rule = two_phase(context, action);
    if rule.is_none() && !is_planned(context, action) {
        return None;
    }
    let said = said(context, action);
    if said.value != Value::Bad {
        return None;
    }
    let severity = rule.map_or(Severity::Ticket, Rule::severity);
    let message = format!("{} ran: {}", findings::call(action), said.because);
    let name = format!("plan.{}", said.reason);
    let found = findings::finding(action, &name, severity, &message, said.evidence);
    Some(Finding { envelope: rule.map(Rule::envelope_digest), ..found })
}

/// The rule that asks for two phases: the loudest.
fn two_phase<'a>(context: &Context<'a>, action: &Action) -> Option<&'a Rule> {
    let hits = context.view(action).hits.iter();
    let asks = hits.filter(|hit| hit.fit == Fit::Yes && matches!(hit.rule.demand(), Demand::TwoPhase));
    asks.map(|hit| hit.rule).max_by_key(|rule| rule.severity())
}

/// An enforced rule that may ask for two phases, and why nobody can tell.
fn perhaps<'a>(context: &Context<'a>, action: &Action) -> Option<(&'a Rule, &'static str)> {
    context.view(action).hits.iter().find_map(|hit| match (hit.rule.demand(), hit.fit) {
        (Demand::TwoPhase, Fit::Unclear(reason)) if counts(hit.rule) => Some((hit.rule, reason)),
        _ => None,
    })
}

/// Somebody decided about a plan in its turn, and the call changes something.
fn is_planned(context: &Context<'_>, action: &Action) -> bool {
    let decided = |decision: &Decision| may_decide(decision.witness.as_ref());
    context.turn.plan_decisions.iter().any(decided) && changes_something(context, action)
}

/// A verdict on its way.
struct Said {
    value: Value,
    reason: &'static str,
    because: &'static str,
    evidence: Vec<EvidenceId>,
}

impl Said {
    fn unknown(reason: &'static str, because: &'static str) -> Self {
        Self { value: Value::Unknown, reason, because, evidence: Vec::new() }
    }

    fn bad(reason: &'static str, because: &'static str) -> Self {
        Self { value: Value::Bad, reason, because, evidence: Vec::new() }
    }

    fn on(mut self, evidence: impl IntoIterator<Item = EvidenceId>) -> Self {
        self.evidence.extend(evidence);
        self
    }
}

fn said(context: &Context<'_>, action: &Action) -> Said {
    let plans: Vec<&Shared<PlanText>> = plan::versions(context).collect();
    if plans.is_empty() {
        return match plan::every_version(context).next() {
            Some(guess) => Said::unknown("plan_inferred", "its plan is only guessed").on([guess.evidence]),
            None => absent(context, action, Said::bad("no_plan", "there is no plan")),
        };
    }
    let ran = approvals::ran_at(action);
    let (at, witness) = match approval(context, action) {
        Approval::At(decision) => (decision.at, record(decision.witness.as_ref())),
        Approval::OwnWord(decision) => {
            let said = Said::unknown("self_reported", "only the agent itself says that its plan was approved");
            return said.on(record(decision.witness.as_ref()));
        }
        Approval::Guess(decision) => {
            let said = Said::unknown("approval_inferred", "that its plan was approved is only guessed");
            return said.on(record(decision.witness.as_ref()));
        }
        Approval::None => {
            return absent(context, action, Said::bad("no_approved_plan", "nobody approved the plan"));
        }
    };
    if at > ran {
        let because = "it had begun before its plan was approved";
        return Said::bad("executed_before_approval", because).on(witness);
    }
    compare(&plans, action, at).on(witness)
}

/// The call beside the plan that was approved, and those that came after it.
fn compare(plans: &[&Shared<PlanText>], action: &Action, at: crate::model::Nanos) -> Said {
    let approved = plans.iter().rfind(|plan| plan.at <= at);
    let younger = || plans.iter().filter(|plan| plan.at > at);
    let contains = |plan: &&Shared<PlanText>| plan::contains(&plan.value.text, action);
    let of_younger = || younger().find(|plan| contains(plan) == Contains::Yes);
    let changed = |plan: &Shared<PlanText>| {
        let because = "only a plan that is younger than the approval contains it";
        Said::bad("plan_changed_after_approval", because).on([plan.evidence])
    };
    let Some(approved) = approved else {
        let because = "every plan is younger than the approval";
        return Said::bad("plan_changed_after_approval", because).on(younger().map(|plan| plan.evidence));
    };
    let said = match (contains(approved), of_younger()) {
        (Contains::Yes, _) => {
            let because = "it is what was planned and approved before it ran";
            Said { value: Value::Good, reason: "as_planned", because, evidence: Vec::new() }
        }
        (Contains::No | Contains::Changed, Some(younger)) => changed(younger),
        (Contains::Changed, None) => {
            Said::bad("changed_after_approval", "its target or parameters are not those that were approved")
        }
        (Contains::No, None) => Said::bad("undeclared", "no step of the approved plan is this call"),
        (Contains::Unclear, _) => Said::unknown("plan_unclear", "the approved plan may or may not mean this call"),
        (Contains::Unreadable, _) => {
            Said::unknown("plan_unreadable", "the approved plan is cut short or is no list of steps")
        }
    };
    said.on([approved.evidence])
}

/// Who approved, and when.
enum Approval<'a> {
    At(&'a Decision),
    /// Nobody but the agent says so.
    OwnWord(&'a Decision),
    /// Nobody says so, and it may have been.
    Guess(&'a Decision),
    None,
}

/// The approval that counts: of the plan, or of exactly this call. One before the run outranks a late one.
fn approval<'c>(context: &'c Context<'_>, action: &'c Action) -> Approval<'c> {
    let ran = approvals::ran_at(action);
    let decisions = || context.turn.plan_decisions.iter();
    let before = last_word(decisions().filter(|decision| decision.at <= ran));
    let allows = |decision: &&Decision| decision.outcome == Outcome::Allow && is_enforced(decision);
    let exact = approvals::human_allows(action).find(|it| approvals::weigh(it, action) == Weight::Exact);
    let late = || decisions().filter(allows).filter(|decision| decision.at > ran).min_by_key(|decision| decision.at);
    match before.filter(allows) {
        Some(decision) if is_independent(decision.witness.as_ref(), action) => Approval::At(decision),
        own => match (exact, own, late()) {
            (Some(decision), ..) => Approval::At(decision),
            (None, Some(decision), _) => Approval::OwnWord(decision),
            // A denial that stood when it ran is no approval that came late.
            (None, None, Some(decision)) if before.is_none() => Approval::At(decision),
            (None, None, _) => guess(context, action, before).map_or(Approval::None, Approval::Guess),
        },
    }
}

/// An approval of the plan or the call that is only guessed, and that no known decision outweighs.
fn guess<'c>(context: &'c Context<'_>, action: &'c Action, known: Option<&Decision>) -> Option<&'c Decision> {
    let ran = approvals::ran_at(action);
    let of_plan = context.turn.plan_decisions.iter();
    let of_plan = of_plan.filter(|it| it.outcome == Outcome::Allow && is_guessed(it) && it.at <= ran);
    let mut guesses = of_plan.chain(approvals::guessed_allows(action));
    guesses.find(|guess| known.is_none_or(|known| known.at < guess.at))
}

/// What rests on absence is bad only where everything that could have been there would be.
fn absent(context: &Context<'_>, action: &Action, said: Said) -> Said {
    if let Some(reason) = approvals::may_be_missing(context, action) {
        Said::unknown(reason, "records are missing, or still to come, that could tell")
    } else if context.turn.withheld || context.turn.plan.missing() == Some(Missing::Withheld) {
        Said::unknown("withheld", "the producer keeps back what plans stand in")
    } else {
        said
    }
}
