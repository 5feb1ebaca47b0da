//! agent-governance-toolkit (`agt.*`): policy decisions, approvals with the approver's name, and its audit log.
//!
//! | record | says |
//! |---|---|
//! | span `agt.policy.evaluate` | `agt.policy.{action,stage,name,rule}`: a decision, and a check of its stage |
//! | span `agt.approval.request` | `agt.approval.{outcome,approver}`: what a person decided |
//! | span `mesh.governance.policy_decision` | `policy.{decision,name}`, `agent.did`: the same from the mesh |
//! | span `agentmesh.policy.evaluate` | the same from the Rust crate |
//! | log `audit_entry` | `agt.audit.{decision,action,event_type}` |
//!
//! None names a tool call: they belong to the span they stand below. No policy version is sent. `agt.trust.*` is a
//! score without a threshold and says nothing about an action.
//!
//! Source: `microsoft/agent-governance-toolkit` at b5705588. No recording of ours.

use crate::model::{By, Check, CheckResult, Decision, GrantScope, Node, Outcome, Phase, What};

use super::draft::{a_check, a_decision, word};
use super::{Dialect, Draft, Source};

const APPROVAL: &[&str] = &["agt.approval.outcome"];
/// The span that lasts while somebody is asked.
const ASKING: &str = "agt.approval.request";
const POLICY: &[&str] = &["agt.policy.action", "policy.decision", "agt.audit.decision"];
const POLICY_NAMES: &[&str] = &["agt.policy.name", "policy.name", "agt.policy.rule"];
const AGENTS: &[&str] = &["agt.agent.id", "agent.did"];

/// Names of records whose attributes have no prefix of their own.
const SPANS: &[&str] = &["mesh.governance.policy_decision", "agentmesh.policy.evaluate"];

const AUDIT: &str = "audit_entry";

/// What the toolkit's words mean.
const WORDS: &[(&str, Outcome)] = &[
    ("allow", Outcome::Allow),
    ("allowed", Outcome::Allow),
    ("approved", Outcome::Allow),
    ("deny", Outcome::Deny),
    ("denied", Outcome::Deny),
    ("block", Outcome::Deny),
    ("rejected", Outcome::Deny),
    ("warn", Outcome::Warn),
    ("require_approval", Outcome::Ask),
    ("timeout", Outcome::Timeout),
];

/// When a stage looks: `pre_output` looks at what was done.
const STAGES: &[(&str, Phase)] = &[
    ("pre_input", Phase::PreAction),
    ("pre_tool", Phase::PreAction),
    ("post_tool", Phase::PostAction),
    ("pre_output", Phase::PostAction),
];

/// Records with `agt.*` attributes, and the mesh's spans.
pub struct Agt;

impl Dialect for Agt {
    fn name(&self) -> &'static str {
        "agt"
    }

    fn reads(&self, source: &Source<'_>) -> bool {
        source.has_prefix("agt.")
            || source.span().is_some_and(|span| SPANS.contains(&span.name))
            || source.event() == AUDIT && source.scope().starts_with("agentmesh")
    }

    fn read<'a>(&self, source: &'a Source<'a>, draft: &mut Draft<'a>) {
        if let Some(name) = source.first_text(AGENTS) {
            draft.agent(name, None);
        }
        let human = source.first_text(APPROVAL).map(|raw| (raw, By::Human));
        let said = human.or_else(|| source.first_text(POLICY).map(|raw| (raw, By::Policy)));
        let Some((raw, by)) = said else { return };
        if source.span().is_some() && draft.own.is_none() {
            draft.node = Node::Check;
        }
        if let Some(outcome) = outcome(raw) {
            let decision = decision(outcome, by, raw, source);
            draft.say(What::Decision(Box::new(decision)));
        }
        check(raw, source, draft);
    }

    /// Governs other dialects' spans too.
    fn is_layer(&self) -> bool {
        true
    }
}

fn outcome(raw: &str) -> Option<Outcome> {
    WORDS.iter().find(|(word, _)| raw.eq_ignore_ascii_case(word)).map(|(_, outcome)| *outcome)
}

fn decision(outcome: Outcome, by: By, raw: &str, source: &Source<'_>) -> Decision {
    let mut decision = a_decision(source, outcome, by, raw);
    decision.at = source.span().map_or(decision.at, |span| span.end);
    decision.waited = source.span().filter(|span| span.name == ASKING).map(|span| span.end.since(span.start));
    decision.principal = source.text("agt.approval.approver").map(word);
    decision.scope = GrantScope::Once;
    decision.enforced = outcome != Outcome::Warn;
    decision.policies = source.first_text(POLICY_NAMES).map(word).into_iter().collect();
    decision.tool = source.text("agt.tool.name").map(word);
    decision
}

/// A policy of a stage is a check of that stage.
fn check(raw: &str, source: &Source<'_>, draft: &mut Draft<'_>) {
    let Some(stage) = source.text("agt.policy.stage") else { return };
    let result = match outcome(raw) {
        Some(Outcome::Allow) => CheckResult::Pass,
        Some(Outcome::Deny) => CheckResult::Fail,
        _ => CheckResult::Unknown,
    };
    draft.say(What::Check(Box::new(Check {
        phase: STAGES.iter().find(|(name, _)| *name == stage).map_or(Phase::Unknown, |(_, phase)| *phase),
        label: word(raw),
        ..a_check(source, source.first_text(POLICY_NAMES).unwrap_or(stage), result)
    })));
}
