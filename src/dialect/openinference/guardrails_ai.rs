//! guardrails-ai: a guard runs a model and validators, all of them `GUARDRAIL` spans that `type` tells apart.
//!
//! The validator's verdict stands in `output.value`: `{"outcome": "fail", "error_message": "PII found"}`; what a failure
//! leads to in `validator.on_fail`. The user's text may stand only in the invocation's parameters, a Python literal.
//!
//! Source: `guardrails/telemetry` and recordings of 0.11.0.

use serde_json::Value;

use crate::model::{By, Check, CheckResult, Decision, Direction, GrantScope, Known, Node, Outcome, Phase, What};

use super::super::draft::word;
use super::super::evaluation::result_of;
use super::super::message;
use super::super::python;
use super::feedback::empty;
use super::{Draft, OUTPUT, Source, messages};

/// What a failed validation leads to, by `on_fail`: outcome, and whether it was enforced.
const ON_FAIL: &[(&str, Outcome, bool)] = &[
    ("exception", Outcome::Deny, true),
    ("refrain", Outcome::Deny, true),
    ("filter", Outcome::Deny, true),
    ("fix", Outcome::Modify, true),
    ("reask", Outcome::Modify, true),
    ("fix_reask", Outcome::Modify, true),
    ("noop", Outcome::Warn, false),
];

/// Refines a span of guardrails-ai.
pub fn read<'a>(source: &'a Source<'a>, draft: &mut Draft<'a>) {
    match source.text("type").unwrap_or_default() {
        "guardrails/guard/step/validator" => validated(source, draft),
        "guardrails/guard/step/call" => {
            draft.node = Node::Model;
            messages::read(source, draft);
            asked_for(source, draft);
        }
        _ => draft.node = Node::Other,
    }
}

/// The user's text in the parameters of the call.
fn asked_for(source: &Source<'_>, draft: &mut Draft<'_>) {
    let parameters = source.text("llm.invocation_parameters").and_then(python::literal).unwrap_or(Value::Null);
    let said = parameters.get("messages").map(message::messages).unwrap_or_default();
    if said.iter().any(|message| message.role == "user") {
        draft.message_json(Direction::Input, message::to_json(&said));
    }
}

fn validated(source: &Source<'_>, draft: &mut Draft<'_>) {
    let output: Value = source.text(OUTPUT).and_then(|json| serde_json::from_str(json).ok()).unwrap_or(Value::Null);
    let text = |key: &str| output.get(key).and_then(Value::as_str);
    let why = text("error_message").or_else(|| source.text("validator.validate.output.error_message"));
    let label = text("outcome").or_else(|| source.text("validator.validate.output.outcome"));
    let label = label.unwrap_or(if why.is_some() { "fail" } else { "" }); // only a failure has a message
    let result = result_of(label);
    let explanation = why.map_or(Known::ABSENT, |why| draft.text(why));
    let name = source.text("validator.name").or_else(|| Some(source.span()?.name)).unwrap_or("validator");
    draft.say(What::Check(Box::new(Check {
        name: word(name),
        phase: Phase::PreAction,
        result,
        label: word(label),
        explanation,
        ..empty(source)
    })));
    let on_fail = source.text("validator.on_fail").unwrap_or_default();
    let led_to = ON_FAIL.iter().find(|(word, ..)| *word == on_fail).filter(|_| result == CheckResult::Fail);
    if let Some((raw, outcome, enforced)) = led_to {
        draft.say(What::Decision(Box::new(Decision {
            at: source.span().map(|span| span.end).unwrap_or_default(),
            outcome: *outcome,
            by: By::Policy,
            principal: None,
            scope: GrantScope::Once,
            enforced: *enforced,
            standing: false,
            waited: None,
            raw: word(&format!("{label}/{raw}")),
            policies: vec![word(name)],
            call_id: None,
            plan: None,
            tool: None,
            parameters: None,
            witness: None,
        })));
    }
}
