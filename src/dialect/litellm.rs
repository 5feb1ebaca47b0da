//! LiteLLM, library and proxy: a refinement of OTel GenAI.
//!
//! ```text
//! Received Proxy Server Request   the proxy's; carries the call itself when there is no span of its own for it
//!   litellm_request               gen_ai.*, tokens; may be named by the caller
//!     raw_gen_ai_request          llm.<provider>.*: the same call once more, without tokens
//!     guardrail                   openinference.span.kind = GUARDRAIL, guardrail_{name,mode,status,response}
//! ```
//!
//! * Messages have parts, and beside them the OpenAI fields `tool_calls` and `tool_call_id`, which say whose answer a
//!   text is.
//! * Where logging of messages is off, their place is empty or holds `redacted-by-litellm`.
//! * Each call is a trace of its own unless the caller has one.
//!
//! Source: `litellm/integrations/opentelemetry.py` of `BerriAI/litellm` (00145a6c), and notes on runs of 1.106.2.

use memchr::memmem;
use serde_json::Value;

use crate::model::{By, Check, CheckResult, Known, Node, Outcome, Phase, What};

use super::draft::{a_check, a_decision, word};
use super::evaluation::result_of;
use super::message::{Message, Part, message, to_json};
use super::{Dialect, Draft, Source};

const NAME: &str = "guardrail_name";

/// What else a guardrail's record says. The name alone may be anybody's.
const FOUND: &[&str] = &["guardrail_mode", "guardrail_status", "guardrail_response", "masked_entity_count"];

/// What other conventions call the kind of a span.
const KINDS: &[&str] = &["openinference.span.kind", "gen_ai.operation.name", "traceloop.span.kind"];

/// What a guardrail's status or its provider's answer says.
const STATUSES: &[(&str, CheckResult)] = &[
    ("success", CheckResult::Pass),
    ("none", CheckResult::Pass),
    ("guardrail_intervened", CheckResult::Fail),
    ("failure", CheckResult::Fail),
    ("blocked", CheckResult::Fail),
    ("guardrail_failed_to_respond", CheckResult::Unknown),
];

/// Records of LiteLLM.
pub struct LiteLlm;

impl Dialect for LiteLlm {
    fn name(&self) -> &'static str {
        "litellm"
    }

    fn reads(&self, source: &Source<'_>) -> bool {
        source.scope() == "litellm" || is_guardrail(source)
    }

    fn read<'a>(&self, source: &'a Source<'a>, draft: &mut Draft<'a>) {
        if source.text(NAME).is_some() && draft.node != Node::Tool {
            return guarded(source, draft);
        }
        for messages in draft.all_messages() {
            if let Some(json) = answered(&messages.json) {
                messages.json = json;
            }
        }
    }
}

/// A guardrail's record in another scope than LiteLLM's.
fn is_guardrail(source: &Source<'_>) -> bool {
    let kind = source.first_text(KINDS);
    source.span().is_some()
        && source.text(NAME).is_some()
        && kind.map_or_else(|| FOUND.iter().any(|key| source.get(key).is_some()), |kind| kind == "GUARDRAIL")
}

/// Messages whose parts do not say whose answer they are, in the one shape.
fn answered(json: &[u8]) -> Option<bytes::Bytes> {
    memmem::find(json, b"\"tool_call_id\"")?;
    let listed: Vec<Value> = serde_json::from_slice(json).ok()?;
    let read = |value: &Value| {
        let mut said = message(value);
        if let (Some(id), "tool") = (value.get("tool_call_id").and_then(Value::as_str), &*said.role) {
            let text = message(&Value::Array(value.get("parts").and_then(Value::as_array)?.clone())).text();
            let (id, result) = (Some(id.to_owned()), Some(text).filter(|text| !text.is_empty()));
            said = Message { role: said.role, parts: vec![Part::Answer { id, name: None, result, error: false }] };
        }
        Some(said)
    };
    let messages: Option<Vec<Message>> = listed.iter().map(read).collect();
    messages.map(|messages| to_json(&messages))
}

/// What a guardrail found.
fn guarded(source: &Source<'_>, draft: &mut Draft<'_>) {
    let Some(span) = source.span() else { return };
    draft.node = Node::Check;
    let name = source.text(NAME).unwrap_or("guardrail");
    let response = source.text("guardrail_response");
    let masked = source.text("masked_entity_count").is_some_and(has_count);
    let status = source.text("guardrail_status").map(str::to_owned).or_else(|| action(response?));
    let label = status.as_deref().unwrap_or(if masked { "masked" } else { "" });
    let result = if masked { CheckResult::Fail } else { verdict(label) };
    let explanation = response.map_or(Known::ABSENT, |response| draft.text(response));
    draft.say(What::Check(Box::new(Check {
        phase: Phase::PreAction,
        label: word(label),
        explanation,
        ..a_check(source, name, result)
    })));
    let outcome = match result {
        _ if masked => Outcome::Modify,
        CheckResult::Pass => Outcome::Allow,
        CheckResult::Fail => Outcome::Deny,
        CheckResult::Unknown => return,
    };
    let mode = source.text("guardrail_mode").unwrap_or_default();
    let mut decision = a_decision(source, outcome, By::Policy, &format!("{label}/{mode}"));
    (decision.at, decision.enforced) = (span.end, !mode.contains("logging_only"));
    decision.policies = vec![word(name)];
    draft.say(What::Decision(Box::new(decision)));
}

fn verdict(label: &str) -> CheckResult {
    let known = STATUSES.iter().find(|(word, _)| word.eq_ignore_ascii_case(label));
    known.map_or_else(|| result_of(label), |(_, result)| *result)
}

/// `{"action": "GUARDRAIL_INTERVENED", …}`, or one word.
fn action(response: &str) -> Option<String> {
    match serde_json::from_str::<Value>(response) {
        Ok(json) => json.get("action")?.as_str().map(str::to_owned),
        Err(_) => (!response.contains(char::is_whitespace)).then(|| response.to_owned()),
    }
}

/// `{"EMAIL_ADDRESS": 1}`
fn has_count(json: &str) -> bool {
    let counts: Value = serde_json::from_str(json).unwrap_or_default();
    counts.as_object().is_some_and(|counts| counts.values().any(|count| count.as_u64().is_some_and(|count| count > 0)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_keeps_its_text() {
        let json = br#"[{"role": "user", "parts": [{"type": "text", "content": "hi"}]},
            {"role": "tool", "parts": [{"type": "text", "content": "ok"}], "tool_call_id": "call_1"}]"#;
        let read: Value = serde_json::from_slice(&answered(json).expect("answers")).expect("json");
        assert_eq!(read[1]["parts"][0]["response"], "ok");
        assert_eq!(read[1]["parts"][0]["id"], "call_1");
        assert_eq!(read[0]["parts"][0]["content"], "hi");
        for left_alone in [&br#"[{"role": "user", "parts": []}]"#[..], br#"[{"tool_call_id": "call_1", "#] {
            assert_eq!(answered(left_alone), None);
        }
    }

    #[test]
    fn a_guardrail_s_word_is_a_verdict() {
        for (label, want) in [
            ("GUARDRAIL_INTERVENED", CheckResult::Fail),
            ("NONE", CheckResult::Pass),
            ("success", CheckResult::Pass),
            ("guardrail_failed_to_respond", CheckResult::Unknown),
            ("", CheckResult::Unknown),
        ] {
            assert_eq!(verdict(label), want, "{label}");
        }
    }
}
