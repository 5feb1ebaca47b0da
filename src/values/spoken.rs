//! Results that are no results: frameworks answer a call that was refused, or that waits, with a fixed sentence in
//! the place of the tool's output.
//!
//! Only sentences that a framework itself writes, in the place where it writes them: a whole result, or the one text
//! under `error`. A tool that merely returns such words somewhere in its output is not mistaken for a refusal. Here
//! and not in `dialect`, because `lineage` meets the same sentences in messages.

use serde_json::Value;

use crate::model::{By, Moment};

const HUMAN: Moment = Moment::Refused { by: By::Human };
const POLICY: Moment = Moment::Refused { by: By::Policy };

/// Beginnings of results, and what they say. Who writes them: Google ADK; Microsoft Agent Framework; LangChain's
/// human-in-the-loop middleware; Pydantic AI; OpenAI Agents; Mastra; Agno.
const SENTENCES: &[(&str, Moment)] = &[
    ("This tool call requires confirmation", Moment::Asked),
    ("This tool call needs external confirmation", Moment::Asked),
    ("This tool call is rejected.", HUMAN),
    ("Error: Tool call invocation was rejected by user.", HUMAN),
    ("User rejected the tool call for ", HUMAN),
    ("The tool call was denied.", HUMAN),
    ("Tool execution was not approved.", HUMAN),
    ("Tool call was not approved by the user", HUMAN),
    ("Function call was rejected by the user", HUMAN),
];

/// Sentences around the name of the tool. Who writes them: Haystack.
const AROUND: &[(&str, &str, Moment)] = &[("Tool execution for '", "' was rejected by the user.", HUMAN)];

/// Phrases of a policy layer's answer; they count only in an error.
const POLICY_PHRASES: &[&str] = &["blocked by policy", "denied by policy", "rejected by policy"];

/// What a result says instead of being one. Vercel's `{"denied": true}` (7) and `{"type": "execution-denied"}` (6) do
/// not tell by whom.
pub fn spoken(result: &str) -> Option<Moment> {
    let result = Said::new(result);
    if result.denied() {
        return Some(Moment::Refused { by: By::Unknown });
    }
    let text = result.error().unwrap_or(result.text());
    let sentence = SENTENCES.iter().find(|(start, _)| text.starts_with(start)).map(|(_, moment)| moment.clone());
    let around = || {
        let rest = |start: &str| text.strip_prefix(start);
        let named = |rest: &str, end: &str| rest.split_once(end).is_some_and(|(tool, _)| !tool.contains(['\'', '\n']));
        let found = AROUND.iter().find(|(start, end, _)| rest(start).is_some_and(|rest| named(rest, end)));
        found.map(|(.., moment)| moment.clone())
    };
    let policy = || result.error().filter(|error| POLICY_PHRASES.iter().any(|phrase| error.contains(phrase)));
    sentence.or_else(around).or_else(|| policy().map(|_| POLICY))
}

/// Whether the answer to a call that is known not to have run speaks of a policy. It proves nothing by itself: a tool
/// may return such words.
pub fn speaks_of_policy(answer: &str) -> bool {
    POLICY_PHRASES.iter().any(|phrase| answer.contains(phrase))
}

/// Whether a result is only an error message: it starts with `error:` in any case, or is an object that has nothing
/// but an `error` text. Many tools report a failure so and leave the span's status alone.
pub fn is_failure(result: &str) -> bool {
    let result = Said::new(result);
    let starts = result.text().trim_start().get(..6).is_some_and(|start| start.eq_ignore_ascii_case("error:"));
    starts || result.error().is_some()
}

/// A result, parsed when it may be a JSON object or string.
struct Said<'a> {
    raw: &'a str,
    json: Option<Value>,
}

impl<'a> Said<'a> {
    fn new(raw: &'a str) -> Self {
        let may_be = raw.trim_start().starts_with(['{', '"']);
        Self { raw, json: may_be.then(|| serde_json::from_str(raw).ok()).flatten() }
    }

    fn denied(&self) -> bool {
        let says = |json: &Value| {
            json.get("denied") == Some(&Value::Bool(true))
                || json.get("type").and_then(Value::as_str) == Some("execution-denied")
        };
        self.json.as_ref().is_some_and(says)
    }

    /// The one text under `error`.
    fn error(&self) -> Option<&str> {
        let fields = self.json.as_ref()?.as_object().filter(|fields| fields.len() == 1)?;
        fields.get("error")?.as_str()
    }

    fn text(&self) -> &str {
        self.json.as_ref().and_then(Value::as_str).unwrap_or(self.raw)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_framework_s_own_sentence_is_an_outcome() {
        for (result, want) in [
            (r#"{"error": "This tool call is rejected."}"#, Some(HUMAN)),
            ("Error: Tool call invocation was rejected by user.", Some(HUMAN)),
            ("User rejected the tool call for `issue_refund` with reason: no", Some(HUMAN)),
            (r#"{"error": "This tool call requires confirmation, please approve or reject."}"#, Some(Moment::Asked)),
            (r#"{"denied":true,"reason":"no"}"#, Some(Moment::Refused { by: By::Unknown })),
            (r#"{"type":"execution-denied","reason":"no"}"#, Some(Moment::Refused { by: By::Unknown })),
            (r#"{"error": "issue_refund blocked by policy: amount limit is 20 EUR."}"#, Some(POLICY)),
            ("Tool execution was not approved.", Some(HUMAN)),
            ("Tool call was not approved by the user", Some(HUMAN)),
            ("Function call was rejected by the user", Some(HUMAN)),
            ("Tool execution for 'issue_refund' was rejected by the user. With user feedback: no", Some(HUMAN)),
            ("Tool execution for 'a' failed: it's said that b' was rejected by the user.", None),
            (r#"{"page": "This tool call is rejected."}"#, None),
            (r#"{"error": "timeout", "note": "blocked by policy"}"#, None),
            ("the mail says: This tool call is rejected.", None),
            ("the form was blocked by policy", None),
            ("", None),
        ] {
            assert_eq!(spoken(result), want, "{result}");
        }
    }

    #[test]
    fn an_error_message_is_a_failure() {
        for (result, want) in [
            ("error: order-db: connection timeout", true),
            ("\"Error: no such order\"", true),
            (r#"{"error": "no such order"}"#, true),
            (r#"{"error": "none", "order": 7}"#, false),
            (r#"{"error": null}"#, false),
            ("errors: 0", false),
            ("no error: all fine", false),
            ("", false),
        ] {
            assert_eq!(is_failure(result), want, "{result}");
        }
    }
}
