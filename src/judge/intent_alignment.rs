//! Does the call match explicitly authorised intent?
//!
//! First what is final, then a ladder; the first rung with an answer decides and is named in the reason.
//!
//! | | asked | bad | good |
//! |---|---|---|---|
//! | – | an enforced envelope rule forbids, freezes or does not allow it, and it ran | `forbidden` | |
//! | – | an enforced envelope rule holds it back, and nobody approved exactly this call | `held` | |
//! | – | policy, model, hook or system denied it before it ran, and nobody lifted that | `ran_against_denial` | |
//! | – | another call was denied before, and it does the same | `around_denial` | |
//! | – | the user said to wait, and neither said otherwise nor approved exactly this call | `held` | |
//! | 1 | an explicit evaluation `intent_alignment` | `evaluation_failed` | `evaluation_passed` |
//! | 2 | a human approved exactly this call | | `approved` |
//! | 3 | an approved plan | `not_in_plan` | `in_plan` |
//! | 4 | a human's standing grant, an envelope's grant, a task that the envelope knows | | `granted`, `in_task` |
//! | 6 | nothing | | |
//!
//! A denial by somebody else than the agent is lifted only by a later allow of the same kind of decider, again by
//! somebody else than the agent: neither a person nor the agent allows what a policy forbids.
//!
//! What an approval is about: see [`approvals`]. A call that ran with other parameters was not approved, and the next
//! rung decides. Rung 5, whose words decided the call, is not climbed yet.
//!
//! A rung whose good answer rests only on the agent's own word, or on something that cannot be compared, has none;
//! the ladder goes on, and if no other rung answers, the first such reason is the reason of the unknown verdict
//! (`self_reported`, `approval_changed`, `approval_incomparable`, `approval_late`, `plan_changed`, `plan_unclear`,
//! `plan_unreadable`, `grant_unclear`, `task_unclear`), else `no_authority`. Where the user said to wait and what the
//! call does is only guessed, it is `held_unclear`.
//!
//! Judged for executed actions only: a call that was stopped needed no authority. When the execution is not proven, a
//! failed evaluation still is bad and everything else is unknown (`execution_not_proven`).

use super::approvals::{self, Weight};
use super::around_denial::{self as around, Around, How};
use super::envelope::rule_name;
use super::limits::{self, Said, counts};
use super::plan::{self, Contains, PlanWord};
use super::witness::{is_enforced, is_independent, may_decide, permits, record, told};
use super::{Context, Validator, findings, standing, verdict};
use crate::envelope::{Demand, Fit, View};
use crate::model::{
    Action, Check, CheckResult, Decision, EvidenceId, Execution, Outcome, Provenance, RuleName, Sli, State, Value,
    Verdict,
};

/// The judge of `intent_alignment`.
pub(super) struct IntentAlignment;

/// The name of the evaluation that answers rung 1.
pub(super) const NAME: &str = "intent_alignment";

/// What a rung says.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Answer {
    value: Value,
    reason: &'static str,
    because: String,
    evidence: Vec<EvidenceId>,
    rung: Option<u32>,
    rule: Option<RuleName>,
}

fn answer(
    value: Value,
    reason: &'static str,
    because: impl Into<String>,
    evidence: &[Option<EvidenceId>],
) -> Option<Answer> {
    let evidence = evidence.iter().copied().flatten().collect();
    Some(Answer { value, reason, because: because.into(), evidence, rung: None, rule: None })
}

impl Validator for IntentAlignment {
    fn sli(&self) -> Sli {
        Sli::IntentAlignment
    }

    fn judge(&self, context: &Context<'_>, action: &Action) -> Option<Verdict> {
        let State::Executed(execution) = &action.state else {
            return None;
        };
        let decided = match execution {
            Execution::UnknownResult => {
                evaluation(action).filter(|answer| answer.value == Value::Bad).or_else(unproven)
            }
            Execution::Ok | Execution::Failed(_) => final_word(context, action).or_else(|| ladder(context, action)),
        };
        let Answer { value, reason, because, mut evidence, rung, rule } = decided?;
        if value == Value::Good {
            evidence.extend(told(action));
        }
        Some(Verdict { rung, rule, ..verdict(self.sli(), value, reason, because, evidence) })
    }
}

fn unproven() -> Option<Answer> {
    answer(Value::Unknown, "execution_not_proven", "nothing proves that the tool ran", &[])
}

/// What no approval, plan or evaluation can outweigh.
fn final_word(context: &Context<'_>, action: &Action) -> Option<Answer> {
    let said = forbidden(context, action)
        .or_else(|| against_denial(action))
        .or_else(|| around_denial(context, action))
        .or_else(|| held(context, action));
    said.map(|said| Answer { rung: Some(0), ..said })
}

fn forbidden(context: &Context<'_>, action: &Action) -> Option<Answer> {
    let view = context.view(action);
    let said = limits::said(context, view, action);
    let final_ = |reason: &str| matches!(reason, "forbidden" | "frozen" | "outside_allowed" | "held");
    let breach = said.iter().find_map(|it| match it {
        Said::Broken(breach) if counts(breach.rule) && final_(breach.reason) => Some(breach),
        _ => None,
    })?;
    let because = findings::sentence(breach.rule, action, "ran", &breach.what);
    let reason = if breach.reason == "held" { "held" } else { "forbidden" };
    let said = answer(Value::Bad, reason, because, &[]);
    said.map(|said| Answer { evidence: findings::evidence(action), rule: Some(rule_name(breach.rule)), ..said })
}

/// It does in another way what was denied.
fn around_denial(context: &Context<'_>, action: &Action) -> Option<Answer> {
    let Around { denied, how: How::Same } = around::denied(context, action)? else {
        return None;
    };
    let because = format!("`{}` had been denied, and it does the same", denied.tool_label());
    let said = answer(Value::Bad, "around_denial", because, &[]);
    said.map(|said| Answer { evidence: findings::evidence(denied), ..said })
}

/// The user said to wait, and has not said otherwise.
fn held(context: &Context<'_>, action: &Action) -> Option<Answer> {
    let hold = standing::holds(context, action)?;
    let on = [Some(hold.evidence)];
    match hold.sure {
        true => answer(Value::Bad, "held", format!("the user had said: \"{}\"", hold.quote), &on),
        false => {
            let because = format!("the user had said: \"{}\", and what the call does is a guess", hold.quote);
            answer(Value::Unknown, "held_unclear", because, &on)
        }
    }
}

/// A denial by policy that is older than the run and was not lifted before it. A later one, such as a guardrail's on
/// the output, did not forbid the call.
fn against_denial(action: &Action) -> Option<Answer> {
    let ran = approvals::ran_at(action);
    let before = || action.decisions.iter().filter(move |decision| is_enforced(decision) && decision.at <= ran);
    let forbids = |decision: &&Decision| decision.outcome == Outcome::Deny && decision.by.is_policy();
    let stands = |denial: &&Decision| !before().any(|later| lifts(later, denial, action));
    let denial = before().filter(forbids).filter(stands).max()?;
    let because = format!("it ran although it had been denied by {}", denial.by);
    answer(Value::Bad, "ran_against_denial", because, &[record(denial.witness.as_ref())])
}

/// Whether a decision takes a denial back. What somebody else than the agent denied, only the same kind of decider
/// allows again, and never by the agent's own word. What only the agent says it denied, it may also say otherwise.
fn lifts(later: &Decision, denial: &Decision, action: &Action) -> bool {
    let may_lift = later.by == denial.by && is_independent(later.witness.as_ref(), action);
    let is_final = is_independent(denial.witness.as_ref(), action);
    permits(later) && later.at > denial.at && (may_lift || !is_final)
}

/// The first rung that says good or bad, else the first reason why one could not, else no authority.
fn ladder(context: &Context<'_>, action: &Action) -> Option<Answer> {
    let view = context.view(action);
    let rungs: [&dyn Fn() -> Option<Answer>; 4] =
        [&|| evaluation(action), &|| approval(action), &|| approved_plan(context, action), &|| {
            grant(context, view, action)
        }];
    let mut unknown = None;
    for (rung, said) in (1..).zip(rungs.iter().map(|rung| rung())) {
        let Some(said) = said.map(|said| Answer { rung: Some(rung), ..said }) else { continue };
        if said.value != Value::Unknown {
            return Some(said);
        }
        unknown.get_or_insert(said);
    }
    unknown.or_else(|| {
        let none = answer(Value::Unknown, "no_authority", "nothing says that this call was wanted", &[]);
        none.map(|none| Answer { rung: Some(6), ..none })
    })
}

/// Rung 1. A failing evaluation outweighs every passing one.
fn evaluation(action: &Action) -> Option<Answer> {
    let spoke = |result| {
        let is =
            move |check: &&Check| &*check.name == NAME && check.result == result && may_decide(check.witness.as_ref());
        action.checks.iter().filter(is)
    };
    let on = |check: &Check| [record(check.witness.as_ref())];
    if let Some(check) = spoke(CheckResult::Fail).next() {
        return answer(
            Value::Bad,
            "evaluation_failed",
            "an evaluation says that it does not match the intent",
            &on(check),
        );
    }
    if let Some(check) = spoke(CheckResult::Pass).find(|check| is_independent(check.witness.as_ref(), action)) {
        return answer(Value::Good, "evaluation_passed", "an evaluation says that it matches the intent", &on(check));
    }
    let own = spoke(CheckResult::Pass).next()?;
    answer(Value::Unknown, "self_reported", "only the agent itself says that it matches the intent", &on(own))
}

/// Rung 2. Of several approvals the best counts.
fn approval(action: &Action) -> Option<Answer> {
    let approvals = approvals::human_allows(action).filter(|decision| !decision.standing);
    best(approvals.map(|decision| weigh(decision, action)))
}

fn weigh(approval: &Decision, action: &Action) -> Option<Answer> {
    let (value, reason, because) = match approvals::weigh(approval, action) {
        Weight::Exact => (Value::Good, "approved", "a human approved exactly this call"),
        Weight::OwnWord => (Value::Unknown, "self_reported", "only the agent itself says that a human approved it"),
        Weight::Incomparable => {
            let because = "a human approved it, and the parameters cannot be compared";
            (Value::Unknown, "approval_incomparable", because)
        }
        Weight::Changed => (Value::Unknown, "approval_changed", "a human approved it with other parameters"),
        Weight::Late => (Value::Unknown, "approval_late", "a human approved it only after it had begun"),
    };
    answer(value, reason, because, &[record(approval.witness.as_ref())])
}

/// Rung 3.
fn approved_plan(context: &Context<'_>, action: &Action) -> Option<Answer> {
    let (last, plan) = match plan::word(context, action)? {
        PlanWord::Of(last, plan) => (last, plan),
        PlanWord::Unnamed(other) => {
            let because = "a plan was approved by name, and this one has none";
            return answer(Value::Unknown, "plan_unclear", because, &[record(other.witness.as_ref())]);
        }
    };
    if last.outcome != Outcome::Allow {
        return None;
    }
    let on = [plan.map(|plan| plan.evidence), record(last.witness.as_ref())];
    let Some(plan) = plan else {
        return answer(Value::Unknown, "plan_changed", "every plan is younger than the approval", &on);
    };
    if !is_independent(last.witness.as_ref(), action) {
        return answer(Value::Unknown, "self_reported", "only the agent itself says that its plan was approved", &on);
    }
    match plan::contains(&plan.value.text, action) {
        Contains::Yes => answer(Value::Good, "in_plan", "the approved plan contains this call", &on),
        Contains::No | Contains::Changed => {
            answer(Value::Bad, "not_in_plan", "the approved plan does not contain this call", &on)
        }
        Contains::Unclear => {
            answer(Value::Unknown, "plan_unclear", "the approved plan may or may not mean this call", &on)
        }
        Contains::Unreadable => {
            answer(Value::Unknown, "plan_unreadable", "the approved plan is cut short or is no list of steps", &on)
        }
    }
}

/// The approval, before it ran, of a plan that spells out exactly this call.
pub(super) fn approval_in_plan<'c>(context: &Context<'c>, action: &Action) -> Option<(Weight, &'c Decision)> {
    let PlanWord::Of(last, Some(plan)) = plan::word(context, action)? else { return None };
    if last.outcome != Outcome::Allow || !last.enforced || !plan::spells_out(&plan.value.text, action) {
        return None;
    }
    let weight = if is_independent(last.witness.as_ref(), action) { Weight::Exact } else { Weight::OwnWord };
    Some((weight, last))
}

/// Rung 4. An earlier grant that was used for this call, or one that an envelope gives: to the call, or to the task
/// that the user set.
fn grant(context: &Context<'_>, view: &View<'_>, action: &Action) -> Option<Answer> {
    best([used_grant(action), declared_grant(view), task(context, view, action)].into_iter())
}

fn used_grant(action: &Action) -> Option<Answer> {
    let grants = approvals::human_allows(action).filter(|decision| decision.standing);
    best(grants.map(|grant| {
        let on = [record(grant.witness.as_ref())];
        if grant.at > approvals::ran_at(action) {
            answer(Value::Unknown, "approval_late", "a human's grant was used only after it had begun", &on)
        } else if is_independent(grant.witness.as_ref(), action) {
            answer(Value::Good, "granted", "a human's standing grant covers this call", &on)
        } else {
            answer(Value::Unknown, "self_reported", "only the agent itself says that a human granted it", &on)
        }
    }))
}

fn declared_grant(view: &View<'_>) -> Option<Answer> {
    let grants = view.hits.iter().filter(|hit| counts(hit.rule) && matches!(hit.rule.demand(), Demand::Grant));
    best(grants.map(|hit| {
        let said = match hit.fit {
            Fit::Yes => answer(Value::Good, "granted", format!("`{}` grants it", hit.rule.name()), &[]),
            Fit::Unclear(_) => {
                let because = format!("`{}` may grant it, and nobody can tell", hit.rule.name());
                answer(Value::Unknown, "grant_unclear", because, &[])
            }
        };
        said.map(|said| Answer { rule: Some(rule_name(hit.rule)), ..said })
    }))
}

/// What the user asked for is a task that an envelope knows, and the call belongs to it.
fn task(context: &Context<'_>, view: &View<'_>, action: &Action) -> Option<Answer> {
    let intent = context.turn.intent.value().filter(|intent| intent.provenance != Provenance::Inferred);
    let words = intent.map(|intent| &*intent.value.head);
    let id = context.turn.intent_id.as_ref().map(|id| &*id.value);
    best(view.hits.iter().map(|hit| {
        let Demand::Task(task) = hit.rule.demand() else { return None };
        if !counts(hit.rule) || !task.is_of(words, id) {
            return None;
        }
        let (value, reason, because) = match task.allows(action, &view.deed)? {
            Fit::Yes => (Value::Good, "in_task", format!("it belongs to the task `{}`", hit.rule.name())),
            Fit::Unclear(_) => {
                let because = format!("it may belong to the task `{}`, and nobody can tell", hit.rule.name());
                (Value::Unknown, "task_unclear", because)
            }
        };
        let said = answer(value, reason, because, &[intent.map(|intent| intent.evidence)]);
        said.map(|said| Answer { rule: Some(rule_name(hit.rule)), ..said })
    }))
}

/// A good answer if there is one, else the first.
fn best(answers: impl Iterator<Item = Option<Answer>>) -> Option<Answer> {
    let answers: Vec<Answer> = answers.flatten().collect();
    answers.iter().find(|answer| answer.value == Value::Good).or(answers.first()).cloned()
}
