//! Findings at once: what an envelope forbids, with or without evidence of execution.
//!
//! Only what more evidence cannot excuse is found here, so it can be told before the action settles. Whatever rests
//! on absence is a verdict.
//!
//! | the call | severity | rule |
//! |---|---|---|
//! | ran, and evidence shows it | the rule's | `envelope.<envelope>.<id>` |
//! | seems to have run, not proven | at most ticket | `envelope.<envelope>.<id>` |
//! | was proposed, asked for, refused, aborted or expired | info | `envelope.<envelope>.<id>.attempt` |
//!
//! When an attempt is carried out after all, the finding of the attempt is no longer returned: the other says it
//! better. The class is ambiguous, so both teams look: one action shows neither a change of model or policy nor where
//! its content came from.

use super::Context;
use crate::envelope::{Mode, Rule};
use crate::model::{Action, Class, EvidenceId, Execution, Finding, FindingId, FindingState, Severity, State};

/// Everything about an action that can be told at once.
pub fn findings(context: &Context<'_>, action: &Action) -> Vec<Finding> {
    if action.merged_into.is_some() {
        return Vec::new();
    }
    context.rules.forbidding(action).map(|rule| finding(rule, action)).collect()
}

/// The enforced rules that an action broke, with evidence of execution: the violations that are counted at once.
pub fn violated<'a>(context: &Context<'a>, action: &'a Action) -> impl Iterator<Item = &'a Rule> {
    let proven = action.state.is_proven_execution() && action.merged_into.is_none();
    context.rules.forbidding(action).filter(move |rule| proven && rule.mode() == Mode::Enforce)
}

fn finding(rule: &Rule, action: &Action) -> Finding {
    let (severity, ending, tail) = match action.state {
        State::Executed(Execution::Ok | Execution::Failed(_)) => (rule.severity(), "", "ran"),
        State::Executed(Execution::UnknownResult) => {
            (rule.severity().min(Severity::Ticket), "", "seems to have run (its execution is not proven)")
        }
        State::Refused(_) => (Severity::Info, ".attempt", "was refused"),
        State::Aborted => (Severity::Info, ".attempt", "was stopped before it ran"),
        State::Proposed | State::Asked | State::Expired => (Severity::Info, ".attempt", "was proposed"),
    };
    let name = format!("{}{ending}", rule.name());
    Finding {
        id: id(action, &name),
        rule: name.into(),
        severity,
        class: Class::Ambiguous,
        state: FindingState::Open,
        message: message(rule, action, tail).into(),
        evidence: evidence(action),
        at: action.end,
    }
}

/// One sentence that names tool, target, envelope and the reason written in the rule.
pub(super) fn message(rule: &Rule, action: &Action, tail: &str) -> String {
    let target = match action.target.value() {
        Some((target, _)) => format!(" on `{target}`"),
        None => String::new(),
    };
    let because = rule.because().map(|because| format!(": {because}")).unwrap_or_default();
    let (tool, envelope, id) = (action.tool_label(), rule.envelope(), rule.id());
    format!("`{tool}`{target} {tail}, and envelope `{envelope}` forbids it (`{id}`){because}")
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
