//! What an envelope asks of a call, rule by rule: which rules it broke, and of which nobody can tell.
//!
//! | demand | broken when the call ran and | reason |
//! |---|---|---|
//! | `forbid` | the rule is about it | `forbidden` |
//! | `freeze` | the rule is about it, at that time | `frozen` |
//! | `allow`, `only_listed` | nothing listed is about it | `outside_allowed` |
//! | `parameters`, `output` | something is outside | `parameter_outside`, `output_outside` |
//! | `approval` | nobody who may had allowed exactly this before it ran | `approval_missing`, `approval_changed`, `approval_late` |
//! | `limit` | as many came before it in its window | `limit_exceeded` |
//! | `hold` | nobody approved exactly this | `held` |
//!
//! A rule that is only unclear, or whose answer is, breaks nothing and keeps the verdict from being good. What rests on
//! absence, a missing approval, is broken only once nothing more is expected.

use std::sync::Arc;

use super::Context;
use super::approvals::{self, Approved};
use super::witness::record;
use crate::envelope::{Demand, Fit, Hit, Kept, Mode, Rule, View};
use crate::model::{Action, EvidenceId, Execution, State};

/// A rule that a call broke.
#[derive(Debug, Clone)]
pub(super) struct Breach<'a> {
    pub(super) rule: &'a Rule,
    /// A stable word.
    pub(super) reason: &'static str,
    /// The end of a sentence: `forbids it`, `allows at most 10 an hour`.
    pub(super) what: Arc<str>,
    /// What it rests on besides the call.
    pub(super) evidence: Vec<EvidenceId>,
}

/// What a rule says of a call that ran.
#[derive(Debug, Clone)]
pub(super) enum Said<'a> {
    Broken(Breach<'a>),
    Unclear(&'a Rule, &'static str),
    /// It keeps it, as these records show besides the call.
    Kept(Option<EvidenceId>),
}

/// What the rules that limit a call say, in the order of their names. Rules of another kind say nothing here.
pub(super) fn said<'a>(context: &Context<'_>, view: &View<'a>, action: &Action) -> Vec<Said<'a>> {
    view.hits.iter().filter_map(|hit| of_rule(context, hit, action)).collect()
}

/// Whether a rule counts in the SLI when it is broken.
pub(super) fn counts(rule: &Rule) -> bool {
    rule.mode() == Mode::Enforce
}

fn of_rule<'a>(context: &Context<'_>, hit: &Hit<'a>, action: &Action) -> Option<Said<'a>> {
    let rule = hit.rule;
    match hit.fit {
        _ if !rule.demand().limits() => None,
        Fit::Unclear(reason) => Some(Said::Unclear(rule, reason)),
        Fit::Yes => Some(demanded(context, rule, action)),
    }
}

fn demanded<'a>(context: &Context<'_>, rule: &'a Rule, action: &Action) -> Said<'a> {
    let broken = |reason, what: &str| Said::Broken(Breach { rule, reason, what: what.into(), evidence: Vec::new() });
    match rule.demand() {
        Demand::Forbid => broken("forbidden", "forbids it"),
        Demand::Freeze => broken("frozen", "freezes it at that time"),
        Demand::Outside => broken("outside_allowed", "does not list it"),
        Demand::Parameters(_) => kept(rule, action, "parameter_outside"),
        // A call that failed has no output of the shape that was promised.
        Demand::Output(_) if !matches!(action.state, State::Executed(Execution::Ok)) => Said::Kept(None),
        Demand::Output(_) => kept(rule, action, "output_outside"),
        Demand::Approval(approval) => {
            let (reason, what, evidence) = match approvals::demanded(context, approval, action) {
                Approved::Yes(by) => return Said::Kept(by),
                Approved::Unclear(reason) => return Said::Unclear(rule, reason),
                Approved::No { reason, what, evidence } => (reason, what, evidence),
            };
            Said::Broken(Breach { rule, reason, what: what.into(), evidence })
        }
        Demand::Limit(limit) => match context.around.counted.get(rule.name()) {
            Some(before) if *before >= limit.at_most => {
                broken("limit_exceeded", &format!("allows at most {} in its window", limit.at_most))
            }
            Some(_) => Said::Kept(None),
            None => Said::Unclear(rule, "not_counted"),
        },
        Demand::Hold => match approvals::lifts_hold(action) {
            Some(approval) => Said::Kept(record(approval.witness.as_ref())),
            None => broken("held", "holds it back until somebody approves it"),
        },
        _ => Said::Kept(None),
    }
}

fn kept<'a>(rule: &'a Rule, action: &Action, reason: &'static str) -> Said<'a> {
    match rule.kept(action) {
        Kept::Yes => Said::Kept(None),
        Kept::Unclear(why) => Said::Unclear(rule, why),
        Kept::No { path, message } => {
            let what = format!("asks otherwise: `{path}` {message}").into();
            Said::Broken(Breach { rule, reason, what, evidence: Vec::new() })
        }
    }
}
