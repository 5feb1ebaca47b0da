//! OpenLIT: a refinement of OTel GenAI.
//!
//! * Before its move to the current form, what was said stands in span events: `gen_ai.content.prompt` with
//!   `gen_ai.prompt`, `gen_ai.content.completion` with `gen_ai.completion`, as texts.
//! * A model's span names the call that it asks for (`gen_ai.tool.name`, `.call.id`, `.args`), several with commas.
//!   The arguments are there whatever is switched off.
//! * Guards leave events on the span they run in: `guard.evaluation` with `guard.{name,phase,action,score,…}`. On the
//!   span of a model or of a tool they looked at a text: that is a check and no decision about a call.
//!
//! Source: `sdk/python/src/openlit/semcov` (018fe1f4), `guard/_pipeline.py` (7d6d19a9) of `openlit/openlit`, and notes
//! on runs of 1.45.0.

use crate::model::{By, Call, Check, CheckResult, Direction, Known, Moment, Node, Outcome, Phase, What};
use crate::wire::EventView;

use super::draft::{a_check, a_decision, an_id, word};
use super::genai_flat::whole;
use super::message::{Message, Part, to_json};
use super::source::event_text;
use super::{Dialect, Draft, Source};

const GUARD: &str = "guard.evaluation";
const ARGUMENTS: &str = "gen_ai.tool.args";

/// What stands between the calls of one answer.
const BETWEEN: &str = ", ";

/// More calls than an answer asks for; the rest is ignored.
const MAX_CALLS: usize = 256;

/// What a guard does, whether that is a violation, and whether it takes effect.
const ACTIONS: &[(&str, Outcome, CheckResult, bool)] = &[
    ("allow", Outcome::Allow, CheckResult::Pass, true),
    ("deny", Outcome::Deny, CheckResult::Fail, true),
    ("redact", Outcome::Modify, CheckResult::Fail, true),
    ("warn", Outcome::Warn, CheckResult::Fail, false),
];

/// Spans and log records of OpenLIT, and spans that its guards ran in.
pub struct OpenLit;

impl Dialect for OpenLit {
    fn name(&self) -> &'static str {
        "openlit"
    }

    fn reads(&self, source: &Source<'_>) -> bool {
        let scope = source.scope();
        scope == "openlit" || scope.starts_with("openlit.") || source.span_events().any(|event| event.name == GUARD)
    }

    fn read<'a>(&self, source: &'a Source<'a>, draft: &mut Draft<'a>) {
        if let Some(mut own) = draft.own.take() {
            if !own.arguments.is_present() && source.get(ARGUMENTS).is_some() {
                own.arguments = draft.attribute(ARGUMENTS);
            }
            draft.own = Some(own);
        }
        if draft.node == Node::Model {
            contents(source, draft);
            proposed(source, draft);
        }
        for event in source.span_events().filter(|event| event.name == GUARD) {
            guarded(&event, source, draft);
        }
    }
}

fn says(draft: &Draft<'_>, side: Direction) -> bool {
    draft.has(|what| matches!(what, What::Messages(said) if said.direction == side))
}

/// What was said, where it stands in events.
fn contents(source: &Source<'_>, draft: &mut Draft<'_>) {
    for event in source.span_events() {
        match event.name {
            "gen_ai.content.prompt" if !says(draft, Direction::Input) => {
                if let Some(text) = event_text(event.attributes(), "gen_ai.prompt") {
                    whole(text, Direction::Input, draft);
                }
            }
            "gen_ai.content.completion" if !says(draft, Direction::Output) => {
                if let Some(text) = event_text(event.attributes(), "gen_ai.completion") {
                    let parts = vec![Part::Text(text.to_owned())];
                    draft.message_json(Direction::Output, to_json(&[Message { role: "assistant".to_owned(), parts }]));
                }
            }
            _ => {}
        }
    }
}

/// The one call that an answer asks for. Of several, the joined arguments cannot be taken apart.
fn proposed(source: &Source<'_>, draft: &mut Draft<'_>) {
    let (Some(tool), Some(id)) = (source.text("gen_ai.tool.name"), source.text("gen_ai.tool.call.id")) else { return };
    let several = tool.contains(BETWEEN) || id.contains(BETWEEN);
    for (tool, id) in tool.split(BETWEEN).zip(id.split(BETWEEN)).take(MAX_CALLS) {
        let mut call = Call::new(Moment::Proposed);
        call.tool = Some(word(tool));
        call.id = an_id(id);
        if !several {
            call.arguments = draft.attribute(ARGUMENTS);
        }
        draft.call(call);
    }
}

/// What a guard found, and what it did.
fn guarded(event: &EventView<'_>, source: &Source<'_>, draft: &mut Draft<'_>) {
    let attributes = event.attributes();
    let text = |key: &str| event_text(attributes, key);
    let (name, action) = (text("guard.name").unwrap_or("guard"), text("guard.action").unwrap_or_default());
    let Some((_, outcome, result, enforced)) = ACTIONS.iter().find(|(word, ..)| *word == action) else { return };
    let explanation = text("guard.explanation").map_or(Known::ABSENT, |why| draft.text(why));
    draft.say(What::Check(Box::new(Check {
        at: event.time,
        phase: Phase::PreAction,
        label: word(text("guard.classification").unwrap_or(action)),
        score: attributes.get("guard.score").and_then(|score| score.as_f64()).map(|score| score.to_string().into()),
        explanation,
        ..a_check(source, name, *result)
    })));
    if matches!(draft.node, Node::Model | Node::Tool) {
        return;
    }
    let mut decision = a_decision(source, *outcome, By::Policy, &format!("{name}: {action}"));
    (decision.at, decision.enforced, decision.policies) = (event.time, *enforced, vec![word(name)]);
    draft.say(What::Decision(Box::new(decision)));
}
