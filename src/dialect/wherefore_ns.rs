//! The `wherefore.*` namespace: what an agent, gateway or policy engine says in our own words. A layer over any record.
//!
//! | attribute | becomes |
//! |---|---|
//! | `intent.id` | the intent's id |
//! | `actor.chain` | the acting agent: its last `agent:name[@version]` |
//! | `prompt.digest` | a version of the prompt |
//! | `policy.refs` | policies in force; on a decision, those it rests on |
//! | `context.ids` | ids of context |
//! | `plan.step`, `target`, `effect`, `egress`, `state.versions` | of the tool call that the span is; on a plan span, the plan's id |
//! | `decision.{outcome,by,principal,scope}` | a decision, on event `wherefore.decision` or on a span |
//! | `check.phase` | the phase of the record's checks |
//! | `target` with `gen_ai.tool.name` | beside a check: the call that it is about, where it names none |
//! | `containment` | a step of containment |
//!
//! Source: `telemetry.md` §13.2. A string over 512 bytes is not one of these values and is ignored (a cut id would be
//! another id); of an array the first 64 entries count. Unknown words become `unknown` where the vocabulary has it,
//! with the raw word kept; an outcome or a containment without a known word is no fact. `context.trust` is not read:
//! evidence has no place for it yet.

use std::sync::Arc;

use crate::model::{By, Call, Containment, Decision, Effect, GrantScope, Node, Outcome, Phase, Provenance, What};
use crate::values;
use crate::wire::AnyValue;

use super::draft::an_id;
use super::{Dialect, Draft, Source};

const DECISION: &str = "wherefore.decision";
const CONTAINMENT: &str = "wherefore.containment";
const MAX_TEXT: usize = 512;
const MAX_ENTRIES: usize = 64;

/// Any record with `wherefore.*` attributes, and the two events.
pub struct Wherefore;

impl Dialect for Wherefore {
    fn name(&self) -> &'static str {
        "wherefore"
    }

    fn reads(&self, source: &Source<'_>) -> bool {
        source.has_prefix("wherefore.") || matches!(source.event(), DECISION | CONTAINMENT)
    }

    fn read<'a>(&self, source: &'a Source<'a>, draft: &mut Draft<'a>) {
        context(source, draft);
        tool_call(source, draft);
        decision(source, draft);
        checks(source, draft);
        let word = text(source, CONTAINMENT).and_then(Containment::from_word);
        if let Some(step) = word {
            explicit(draft, What::Containment(step));
        }
    }

    fn is_layer(&self) -> bool {
        true
    }
}

fn explicit(draft: &mut Draft<'_>, what: What) {
    draft.fact(Provenance::Explicit, what);
}

fn text<'a>(source: &Source<'a>, key: &str) -> Option<&'a str> {
    source.text(key).filter(|text| text.len() <= MAX_TEXT)
}

fn texts<'a>(source: &Source<'a>, key: &str) -> Vec<&'a str> {
    let entries = match source.get(key) {
        Some(AnyValue::Array(array)) => array.iter().filter_map(|entry| entry.as_str()).take(MAX_ENTRIES).collect(),
        Some(AnyValue::Str(single)) => vec![single],
        _ => Vec::new(),
    };
    entries.into_iter().filter(|text| !text.is_empty() && text.len() <= MAX_TEXT).collect()
}

/// What every action of the turn shares.
fn context(source: &Source<'_>, draft: &mut Draft<'_>) {
    if matches!(source.event(), DECISION | CONTAINMENT) {
        super::genai::context(source, draft); // conversation and agent stay in the names of OTel GenAI
    }
    if let Some(id) = text(source, "wherefore.intent.id").and_then(an_id) {
        explicit(draft, What::IntentId(id));
    }
    if let Some((name, version)) = texts(source, "wherefore.actor.chain").into_iter().rev().find_map(agent) {
        explicit(draft, What::Agent { name: name.into(), version: version.map(Arc::from) });
    }
    if let Some(digest) = text(source, "wherefore.prompt.digest") {
        explicit(draft, What::PromptVersion(digest.into()));
    }
    for policy in texts(source, "wherefore.policy.refs") {
        explicit(draft, What::Policy(policy.into()));
    }
    let ids: Vec<Arc<str>> = texts(source, "wherefore.context.ids").into_iter().map(Arc::from).collect();
    if !ids.is_empty() {
        explicit(draft, What::Context { ids, withheld: false });
    }
    if let (Node::Plan, Some(step)) = (draft.node, text(source, "wherefore.plan.step")) {
        name_plan(step, draft);
    }
}

/// Puts the id into the plan that the span's own dialect has read: as a fact of its own it would be a plan without
/// text.
fn name_plan(step: &str, draft: &mut Draft<'_>) {
    for fact in &mut draft.facts {
        if let What::Plan { id, .. } = &mut fact.what {
            *id = Some(step.into());
        }
    }
}

/// `agent:buyer@2.0` of an actor chain.
fn agent(entry: &str) -> Option<(&str, Option<&str>)> {
    let agent = entry.strip_prefix("agent:").filter(|agent| !agent.is_empty())?;
    Some(agent.split_once('@').map_or((agent, None), |(name, version)| (name, Some(version))))
}

/// What is said about the tool call that the span is: a fact of its own, because these values are explicit and the rest
/// of the call is in its dialect's words.
fn tool_call(source: &Source<'_>, draft: &mut Draft<'_>) {
    let Some(own) = &draft.own else { return };
    let mut call = Call::new(own.moment.clone());
    call.target = text(source, "wherefore.target").map(Arc::from);
    call.effect = text(source, "wherefore.effect").and_then(Effect::from_word);
    call.egress = source.get("wherefore.egress").and_then(|it| it.as_bool().or_else(|| values::truth_of(it.as_str()?)));
    call.plan_step = text(source, "wherefore.plan.step").map(Arc::from);
    call.state_versions = state_versions(source);
    if call == Call::new(own.moment.clone()) {
        return;
    }
    (call.id, call.tool, call.mcp) = (own.id.clone(), own.tool.clone(), own.mcp.clone());
    explicit(draft, What::Call(Box::new(call)));
}

/// Before and after; the empty string means that the target did not exist.
fn state_versions(source: &Source<'_>) -> Option<(Arc<str>, Arc<str>)> {
    let Some(AnyValue::Array(pair)) = source.get("wherefore.state.versions") else { return None };
    let mut versions = pair.iter().map(|version| version.as_str().filter(|text| text.len() <= MAX_TEXT));
    let (before, after) = (versions.next()??, versions.next()??);
    versions.next().is_none().then(|| (before.into(), after.into()))
}

fn decision(source: &Source<'_>, draft: &mut Draft<'_>) {
    let Some(raw) = text(source, "wherefore.decision.outcome") else { return };
    let Some(outcome) = Outcome::from_word(raw) else { return };
    let said_by = text(source, "wherefore.decision.by");
    let at = match (source.log(), source.span()) {
        (Some(log), _) => log.time_or_observed(),
        (None, Some(span)) => span.end,
        (None, None) => return,
    };
    let decision = Decision {
        at,
        outcome,
        by: said_by.and_then(By::from_word).unwrap_or(By::Unknown),
        principal: text(source, "wherefore.decision.principal").map(Arc::from),
        scope: text(source, "wherefore.decision.scope").and_then(GrantScope::from_word).unwrap_or(GrantScope::Unknown),
        enforced: true,
        standing: false,
        waited: None,
        raw: said_by.map_or_else(|| raw.into(), |by| format!("{raw} by {by}").into()),
        policies: texts(source, "wherefore.policy.refs").into_iter().map(Arc::from).collect(),
        call_id: source.text("gen_ai.tool.call.id").and_then(an_id),
        plan: text(source, "wherefore.plan.step").map(Arc::from),
        tool: source.text("gen_ai.tool.name").map(super::draft::word),
        parameters: source.text("gen_ai.tool.call.arguments").map(values::digest_json),
        witness: None,
    };
    explicit(draft, What::Decision(Box::new(decision)));
}

fn checks(source: &Source<'_>, draft: &mut Draft<'_>) {
    let tool = source.text("gen_ai.tool.name").filter(|_| draft.own.is_none());
    let checks = draft.checks().next().is_some();
    if let (Some(tool), Some(target), true) = (tool, text(source, "wherefore.target"), checks) {
        let (tool, target) = (super::draft::word(tool), target.into());
        explicit(draft, What::Checked { tool, target });
    }
    let Some(word) = text(source, "wherefore.check.phase") else { return };
    let phase = Phase::from_word(word).unwrap_or(Phase::Unknown);
    draft.checks().for_each(|check| check.phase = phase);
}
