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

/// What stands before a tool's name and behind it in the answer to a call of that very tool that did not run, and by
/// whom: policy layers that know tools by name (Progent, Claude Code's permissions), and runtimes that were asked for a
/// tool they do not offer, because it was filtered out or never was there (AgentDojo, MCP servers, Pydantic AI, Claude
/// Code). In lower case, without quotes.
const NAMED: &[(&[&str], &[&str], By)] = &[
    (
        &["tool", "the tool", "function", "the function", "use of", "use of tool", "call to", "call of"],
        &["is not allowed", "is not permitted", "is not authorized", "is forbidden", "is blocked", "is denied"],
        By::Policy,
    ),
    (
        &["tool", "the tool", "use of", "call to", "call of", "permission to use", "permission to call"],
        &["was blocked", "was denied", "has been blocked", "has been denied"],
        By::Policy,
    ),
    (
        &["tool", "the tool", "function", "the function"],
        &["not found", "does not exist", "is not available", "is not registered", "is not a valid tool"],
        By::System,
    ),
    (&["", "invalid tool"], &["is not a valid tool", "provided"], By::System),
    (
        &["unknown tool", "unknown tool name", "unknown function", "no such tool", "no such tool available"],
        &[""],
        By::System,
    ),
];

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

/// Who turned a call of a tool away, when that is what its answer says: a sentence at its very beginning, behind the
/// name of an exception at most, whose subject is this tool. What a policy says of arguments reads like any tool's own
/// check of them, so it is none.
pub fn turned_away(tool: &str, answer: &str) -> Option<By> {
    let said = Said::new(answer);
    let sentence = without_exception(said.error().unwrap_or(said.text()));
    let at = sentence.find(tool).filter(|_| !tool.is_empty())?;
    let is_around = |c: char| c.is_whitespace() || matches!(c, '\'' | '"' | '`' | ':');
    let (before, behind) = (&sentence[..at], &sentence[at + tool.len()..]);
    if behind.starts_with(|c: char| c.is_alphanumeric() || c == '_') {
        return None;
    }
    let before = before.trim_matches(is_around).to_ascii_lowercase();
    let behind = behind.trim_start_matches(is_around).to_ascii_lowercase();
    let is = |(befores, behinds, _): &&(&[&str], &[&str], By)| {
        befores.contains(&&*before) && behinds.iter().any(|start| behind.starts_with(start))
    };
    NAMED.iter().find(is).map(|(.., by)| *by)
}

/// A message without the exception's name that many runtimes put before it: `ValidationError: …`.
fn without_exception(message: &str) -> &str {
    let mut rest = message.trim_start();
    while let Some((name, after)) = rest.split_once(": ") {
        let is_name = name.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '.'));
        let is_exception = ["error", "Error", "Exception", "Denied"].iter().any(|end| name.ends_with(end));
        if !is_name || !is_exception {
            break;
        }
        rest = after.trim_start();
    }
    rest
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
    fn only_a_sentence_about_the_very_tool_turns_a_call_away() {
        for (answer, want) in [
            ("ValidationError: The tool 'send_email' is not allowed.. Please try other tools", Some(By::Policy)),
            ("mcp.McpError: Error: tool `send_email` is not permitted here", Some(By::Policy)),
            (r#"{"error": "use of send_email is forbidden"}"#, Some(By::Policy)),
            ("Permission to use send_email has been denied.", Some(By::Policy)),
            ("Invalid tool send_email provided.", Some(By::System)),
            ("Unknown tool: send_email", Some(By::System)),
            ("Unknown tool name: 'send_email'. Available tools: 'read'", Some(By::System)),
            ("Error: No such tool available: send_email", Some(By::System)),
            ("send_email is not a valid tool, try one of [read].", Some(By::System)),
            ("The tool 'read' is not allowed.", None),
            ("The tool 'send_email_batch' is not allowed.", None),
            ("ValidationError: 'a@b.c' is not one of ['d@e.f']", None),
            ("ValidationError: Invalid value for argument 'send_email', the allowed value is 'x'", None),
            ("ValueError: user not found", None),
            ("PermissionError: access to /etc/shadow was denied", None),
            ("the page says: The tool 'send_email' is not allowed", None),
            ("send_email was denied", None),
            ("", None),
        ] {
            assert_eq!(turned_away("send_email", answer), want, "{answer}");
        }
        assert_eq!(turned_away("", "The tool '' is not allowed"), None);
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
