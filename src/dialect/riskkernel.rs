//! RiskKernel (`riskkernel.*`), and gateways that follow its attributes: a proxy for models and MCP tools with
//! budgets, an allow list and approvals.
//!
//! | record | says |
//! |---|---|
//! | span `execute_tool {tool}` | `riskkernel.tool.status`: what became of a call; refused calls have a span too, with an error status |
//! | span `chat {model}` | the model; `riskkernel.halt.reason` where a budget stopped the run |
//!
//! * `approved` also says that nobody had to be asked. Who approved or denied is not named.
//! * Every span is a trace of its own unless the caller sent a context: the run ties them.
//! * No call id, no arguments, no result.
//!
//! Source: `api/v1/otel-genai.md` and `internal/otel` of `prashar32/riskkernel` 0.4. No recording of ours.

use crate::model::{By, Containment, Decision, Effect, Moment, Outcome, Proof, Status, Tie, What};

use super::draft::{a_decision, an_id, word};
use super::{Content, Dialect, Draft, Rules, Source};

const STATUS: &str = "riskkernel.tool.status";

/// What became of a call: the decision, by whom, and the moment that the span is.
const STATUSES: &[(&str, Outcome, By, Moment)] = &[
    ("approved", Outcome::Allow, By::Unknown, Moment::Ran { status: Status::Fine, proof: Proof::Ran }),
    ("blocked", Outcome::Deny, By::Policy, Moment::Refused { by: By::Policy }),
    ("denied", Outcome::Deny, By::Human, Moment::Refused { by: By::Human }),
    ("timeout", Outcome::Timeout, By::Human, Moment::Asked),
];

/// What the gateway thinks a tool does. Reading is not said.
const SIDE_EFFECTS: &[(&str, Effect)] = &[
    ("write", Effect::Update),
    ("create", Effect::Create),
    ("delete", Effect::Delete),
    ("send", Effect::Send),
    ("network", Effect::Send),
    ("exec", Effect::Execute),
    ("execute", Effect::Execute),
];

/// Spans with `riskkernel.*` attributes.
pub struct RiskKernel;

impl Dialect for RiskKernel {
    fn name(&self) -> &'static str {
        "riskkernel"
    }

    fn reads(&self, source: &Source<'_>) -> bool {
        source.span().is_some() && source.has_prefix("riskkernel.")
    }

    fn read<'a>(&self, source: &'a Source<'a>, draft: &mut Draft<'a>) {
        if let Some(run) = source.text("riskkernel.run.id").and_then(an_id) {
            draft.say(What::Takes(Tie::Task(run)));
        }
        if source.text("riskkernel.halt.reason").is_some() {
            draft.say(What::Containment(Containment::Halt));
        }
        tool(source, draft);
    }

    fn rules(&self, _: &Source<'_>) -> Option<Rules> {
        Some(Rules { proof: Proof::Ran, content: Content::Optional })
    }
}

/// A call, refused ones too: their error status only marks them for people.
fn tool(source: &Source<'_>, draft: &mut Draft<'_>) {
    let Some(raw) = source.text(STATUS) else { return };
    let effect = source.text("riskkernel.tool.side_effect").unwrap_or_default();
    let known = STATUSES.iter().find(|row| row.0 == raw);
    if let Some(own) = &mut draft.own {
        own.effect = SIDE_EFFECTS.iter().find(|row| row.0 == effect).map(|row| row.1);
        if let Some((.., moment)) = known.filter(|row| row.0 != "approved") {
            own.moment = moment.clone();
        }
    }
    let Some((_, outcome, by, _)) = known else { return };
    let made = a_decision(source, *outcome, *by, raw);
    let at = source.span().map_or(made.at, |span| if *outcome == Outcome::Allow { span.start } else { span.end });
    let tool = source.text("gen_ai.tool.name").map(word);
    draft.say(What::Decision(Box::new(Decision { at, tool, ..made })));
}
