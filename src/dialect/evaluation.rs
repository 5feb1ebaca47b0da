//! `gen_ai.evaluation.result`: what a validator or evaluator found, as a log record or a span event.
//!
//! Source: `docs/gen-ai/gen-ai-events.md` of OTel GenAI. Labels are free words; a label that says neither pass nor fail
//! is unknown, and a score alone is unknown, because its threshold is not said.

use crate::model::{Check, CheckResult, Known, Nanos, Phase, Provenance, What};
use crate::values;
use crate::wire::{AnyValue, Attributes};

use super::draft::{an_id, word};
use super::source::event_text;
use super::{Draft, Source};

const RESULT: &str = "gen_ai.evaluation.result";

const PASS: &[&str] = &[
    "pass",
    "passed",
    "true",
    "yes",
    "ok",
    "compliant",
    "aligned",
    "correct",
    "valid",
    "safe",
    "success",
    "succeeded",
    "approved",
    "allowed",
    "grounded",
    "relevant",
    "good",
];
const FAIL: &[&str] = &[
    "fail",
    "failed",
    "false",
    "no",
    "non_compliant",
    "noncompliant",
    "misaligned",
    "not_aligned",
    "incorrect",
    "invalid",
    "unsafe",
    "failure",
    "rejected",
    "denied",
    "blocked",
    "violation",
    "violated",
    "ungrounded",
    "not_grounded",
    "hallucinated",
    "irrelevant",
    "not_relevant",
    "bad",
];

/// Whether an event is an evaluation's result.
pub fn is_result(event: &str) -> bool {
    event == RESULT
}

/// Adds the checks of a record: the log record itself, or the span's events.
pub fn read(source: &Source<'_>, draft: &mut Draft<'_>) {
    if let Some(log) = source.log().filter(|_| is_result(source.event())) {
        check(log.attributes(), log.time_or_observed(), draft);
    }
    for event in source.span_events().filter(|event| is_result(event.name)) {
        check(event.attributes(), event.time, draft);
    }
}

fn check(attributes: Attributes<'_>, at: Nanos, draft: &mut Draft<'_>) {
    let label = event_text(attributes, "gen_ai.evaluation.score.label").unwrap_or_default();
    let explanation = attributes.get("gen_ai.evaluation.explanation");
    let check = Check {
        at,
        name: word(event_text(attributes, "gen_ai.evaluation.name").unwrap_or("unnamed")),
        phase: Phase::Unknown,
        result: result_of(label),
        label: word(label),
        score: attributes.get("gen_ai.evaluation.score.value").and_then(score),
        explanation: explanation.map_or(Known::ABSENT, |value| draft.value(Some(value))),
        call_id: event_text(attributes, "gen_ai.tool.call.id").and_then(an_id),
        response_id: event_text(attributes, "gen_ai.response.id").and_then(an_id),
        about: None,
        witness: None,
    };
    draft.fact(Provenance::Explicit, What::Check(Box::new(check)));
}

fn score(value: AnyValue<'_>) -> Option<std::sync::Arc<str>> {
    let number = value.as_f64().or_else(|| values::number_of(value.as_str()?))?;
    Some(number.to_string().into())
}

/// What a label says, whatever its case and separators.
pub fn result_of(label: &str) -> CheckResult {
    let label = label.trim().to_ascii_lowercase().replace([' ', '-'], "_");
    if PASS.contains(&&*label) {
        CheckResult::Pass
    } else if FAIL.contains(&&*label) {
        CheckResult::Fail
    } else {
        CheckResult::Unknown
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_say_pass_fail_or_neither() {
        for (label, want) in [
            ("Pass", CheckResult::Pass),
            ("non-compliant", CheckResult::Fail),
            ("Not Relevant", CheckResult::Fail),
            ("TRUE", CheckResult::Pass),
            ("needs_review", CheckResult::Unknown),
            ("", CheckResult::Unknown),
        ] {
            assert_eq!(result_of(label), want, "{label}");
        }
        assert!(PASS.iter().all(|word| !FAIL.contains(word)));
    }
}
