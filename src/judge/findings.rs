//! Findings: one thing each that is wrong with an action.
//!
//! | finding | rule | severity | told |
//! |---|---|---|---|
//! | a rule of an envelope is broken | `envelope.<envelope>.<id>` | the rule's; at most ticket when the run is not proven | at once, if more evidence cannot excuse it; else when it settles |
//! | it was proposed, asked for, refused, aborted or expired | `envelope.<envelope>.<id>.attempt` | info | the same |
//! | it did what the user had held back | `held` | page | settled |
//! | it did in another way what was denied | `around_denial` | page; ticket when what it does is a guess | settled |
//! | a plan was not kept | `plan.<reason>` | the rule's, else ticket | settled |
//! | it reported success, and a check found otherwise | `outcome.plausible_success` | ticket | settled |
//! | an invariant is broken | `envelope.<envelope>.<id>` | the rule's | settled |
//! | its approval is one of too many too fast | `approval.fatigue` | ticket | settled |
//! | the incident that it opened is not contained in time | `containment.open`, `containment.failed` | page | at the objective |
//! | too many denials in its turn | `envelope.<envelope>.<id>` | the rule's | settled |
//!
//! At once is told only what more evidence cannot excuse: what an envelope forbids by tool, target, parameter or time,
//! with evidence of execution. Whatever rests on absence, on a place in time or on others waits. When an attempt is
//! carried out after all, the finding of the attempt is no longer returned: the other says it better.

use std::sync::Arc;

use super::around::Clock;
use super::around_denial::How;
use super::limits::{self, Breach, Said};
use super::{Context, approval_reviewed, around_denial, outcome_validation, plan_commit, standing};
use crate::envelope::{Demand, Fit, Rule};
use crate::model::{
    Action, EvidenceId, Execution, Finding, FindingId, FindingState, Severity, Sli, State, Value, Verdict,
};

/// Everything that is wrong with an action, as far as is known. `verdicts` are those of the same context.
pub(super) fn findings(context: &Context<'_>, action: &Action, verdicts: &[Verdict]) -> Vec<Finding> {
    let mut found = of_rules(context, action, |_| true);
    found.extend(breaker(context, action));
    if action.state.is_proven_execution() {
        found.extend(held(context, action));
        found.extend(around(context, action));
        found.extend(plan_commit::finding(context, action));
        found.extend(outcome_validation::findings(context, action));
    }
    found.extend(fatigue(context, action));
    found.extend(containment(context, action, verdicts));
    found
}

/// What can be told of an open action at once.
pub fn at_once(context: &Context<'_>, action: &Action) -> Vec<Finding> {
    if action.merged_into.is_some() {
        return Vec::new();
    }
    of_rules(context, action, is_monotone)
}

/// The names of the enforced rules that an action broke, with evidence of execution: the violations that are counted
/// at once.
pub fn violated(context: &Context<'_>, action: &Action) -> Vec<Arc<str>> {
    if !action.state.is_proven_execution() || action.merged_into.is_some() {
        return Vec::new();
    }
    let counts = |breach: &Breach<'_>| limits::counts(breach.rule) && is_monotone(breach.rule);
    broken(context, action).into_iter().filter(counts).map(|breach| breach.rule.name().into()).collect()
}

/// Whether more evidence can only confirm that a rule is broken.
fn is_monotone(rule: &Rule) -> bool {
    matches!(rule.demand(), Demand::Forbid | Demand::Freeze | Demand::Parameters(_))
}

fn broken<'a>(context: &Context<'a>, action: &Action) -> Vec<Breach<'a>> {
    let view = context.view(action);
    let said = limits::said(context, view, action).into_iter();
    let broken = said.filter_map(|it| match it {
        Said::Broken(breach) => Some(breach),
        Said::Unclear(..) | Said::Kept(_) => None,
    });
    broken.collect()
}

/// The rules that an action broke, or tried to break.
fn of_rules(context: &Context<'_>, action: &Action, which: impl Fn(&Rule) -> bool) -> Vec<Finding> {
    let (severity, ending, tail) = match action.state {
        State::Executed(Execution::Ok | Execution::Failed(_)) => (Severity::Page, "", "ran"),
        State::Executed(Execution::UnknownResult) => {
            (Severity::Ticket, "", "seems to have run (its execution is not proven)")
        }
        State::Refused(_) => (Severity::Info, ".attempt", "was refused"),
        State::Aborted => (Severity::Info, ".attempt", "was stopped before it ran"),
        State::Proposed | State::Asked | State::Expired => (Severity::Info, ".attempt", "was proposed"),
    };
    // What was not carried out needed no approval and used up no limit.
    let tried = |rule: &Rule| !matches!(rule.demand(), Demand::Approval(_) | Demand::Limit(_) | Demand::Hold);
    let told = broken(context, action).into_iter().filter(|breach| which(breach.rule));
    let told = told.filter(|breach| ending.is_empty() || tried(breach.rule));
    told.map(|Breach { rule, what, evidence: more, .. }| {
        let name = format!("{}{ending}", rule.name());
        let message = sentence(rule, action, tail, &what);
        let found = finding(action, &name, severity.min(rule.severity()), &message, more);
        Finding { envelope: Some(rule.envelope_digest()), ..found }
    })
    .collect()
}

fn held(context: &Context<'_>, action: &Action) -> Option<Finding> {
    let hold = standing::holds(context, action).filter(|hold| hold.sure)?;
    let message = format!("{} ran although the user had said: \"{}\"", call(action), hold.quote);
    Some(finding(action, "held", Severity::Page, &message, [hold.evidence]))
}

fn around(context: &Context<'_>, action: &Action) -> Option<Finding> {
    let around = around_denial::denied(context, action)?;
    let (severity, does) = match around.how {
        How::Same => (Severity::Page, "does the same"),
        How::Maybe => (Severity::Ticket, "is about the same"),
    };
    let message = format!("{} ran after `{}` had been denied, and {does}", call(action), around.denied.tool_label());
    Some(finding(action, "around_denial", severity, &message, evidence(around.denied)))
}

fn fatigue(context: &Context<'_>, action: &Action) -> Option<Finding> {
    let (witness, message) = approval_reviewed::fatigue(action, context.around.load.as_ref()?)?;
    Some(finding(action, "approval.fatigue", Severity::Ticket, &message, witness))
}

/// The incident that it opened, once its objective has passed.
fn containment(context: &Context<'_>, action: &Action, verdicts: &[Verdict]) -> Option<Finding> {
    let Clock { leaked, contained_after, .. } = context.around.incident?;
    let verdict = verdicts.iter().find(|it| it.sli == Sli::ContainmentWithin && it.value == Value::Bad)?;
    if contained_after.is_some() {
        return None;
    }
    let name = if leaked > 0 { "containment.failed" } else { "containment.open" };
    let message = format!("the incident that {} opened is open: {}", call(action), verdict.because);
    Some(finding(action, name, Severity::Page, &message, None))
}

/// The breaker that the denial of this call tripped.
fn breaker(context: &Context<'_>, action: &Action) -> Vec<Finding> {
    if context.around.attempts.is_empty() {
        return Vec::new();
    }
    let hits = &context.view(action).hits;
    let tripped = hits.iter().filter(|hit| hit.fit == Fit::Yes).filter_map(|hit| {
        let Demand::Breaker(breaker) = hit.rule.demand() else { return None };
        let why = super::breaker::tips(breaker, &context.around.attempts)?;
        let rule = hit.rule;
        let message = sentence(rule, action, "was denied", &format!("says stop: {why}"));
        let found = finding(action, rule.name(), rule.severity(), &message, None);
        Some(Finding { envelope: Some(rule.envelope_digest()), ..found })
    });
    tripped.collect()
}

/// A finding of an action. Its class is told apart later.
pub(super) fn finding(
    action: &Action,
    rule: &str,
    severity: Severity,
    message: &str,
    more: impl IntoIterator<Item = EvidenceId>,
) -> Finding {
    let mut all: Vec<EvidenceId> = evidence(action).into_iter().chain(more).collect();
    all.sort_unstable();
    all.dedup();
    Finding {
        id: id(action, rule),
        rule: rule.into(),
        severity,
        class: crate::model::Class::Ambiguous,
        tags: Vec::new(),
        state: FindingState::Open,
        message: message.into(),
        evidence: all,
        at: action.end,
        envelope: None,
    }
}

/// A call by its tool and target.
pub(super) fn call(action: &Action) -> String {
    let target = action.target.value().map(|(target, _)| format!(" on `{target}`")).unwrap_or_default();
    format!("`{}`{target}", action.tool_label())
}

/// One sentence that names tool, target, envelope, what the rule says and the reason written in it.
pub(super) fn sentence(rule: &Rule, action: &Action, tail: &str, what: &str) -> String {
    let because = rule.because().map(|because| format!(": {because}")).unwrap_or_default();
    let (envelope, id) = (rule.envelope(), rule.id());
    format!("{} {tail}, and envelope `{envelope}` {what} (`{id}`){because}", call(action))
}

/// Everything that speaks of the action itself, sorted.
pub(super) fn evidence(action: &Action) -> Vec<EvidenceId> {
    let mut evidence: Vec<EvidenceId> = action.pieces.iter().map(|piece| piece.evidence).collect();
    evidence.sort_unstable();
    evidence.dedup();
    evidence
}

/// Hash of tenant, smallest key and rule. Not of the action's id, which does not exist yet when a call is found at
/// once. Lengths stand before the texts, so that no two triples read the same.
fn id(action: &Action, rule: &str) -> FindingId {
    let key = action.keys.first().map_or_else(|| action.id.to_string(), ToString::to_string);
    let mut hasher = blake3::Hasher::new_derive_key("wherefore finding v1");
    for part in [action.tenant.as_str(), &key, rule] {
        hasher.update(&(part.len() as u64).to_le_bytes());
        hasher.update(part.as_bytes());
    }
    let mut bytes = [0; 16];
    hasher.finalize_xof().fill(&mut bytes);
    FindingId(bytes)
}
