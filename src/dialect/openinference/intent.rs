//! What the user asked for, in the input of a trace's root: a text, messages, or a run's arguments.
//!
//! The roots of sub-agents are asked by another agent, so only a span without a parent counts.

use serde_json::Value;

use crate::model::What;

use super::{Draft, INPUT, KIND, Source};

/// Arguments of a run that hold the user's text.
const KEYS: &[&str] = &["task", "input", "query", "question", "user_msg", "prompt"];

/// Kinds whose input is the user's, when they are roots.
const ROOTS: &[&str] = &["AGENT", "CHAIN"];

/// Adds the intent of a root.
pub fn read(source: &Source<'_>, draft: &mut Draft<'_>) {
    let root = source.span().is_some_and(|span| span.parent_span_id.is_none());
    if !root || !source.text(KIND).is_some_and(|kind| ROOTS.contains(&kind)) {
        return;
    }
    if let Some(said) = source.text(INPUT).and_then(said) {
        let text = draft.text(&said);
        draft.say(What::Intent(text));
    }
}

fn said(input: &str) -> Option<String> {
    if !input.trim_start().starts_with(['{', '[']) {
        return Some(input.to_owned());
    }
    let input: Value = serde_json::from_str(input).ok()?;
    let messages = input.get("messages").unwrap_or(&input).as_array();
    let last = messages.into_iter().flatten().rev().find_map(of_user);
    last.or_else(|| KEYS.iter().find_map(|key| input.get(key)?.as_str().map(str::to_owned)))
}

/// The text of a user's message: as sent, or as LangChain writes its own.
fn of_user(message: &Value) -> Option<String> {
    let role = message.get("role").or_else(|| message.get("type"))?.as_str()?;
    let fields = ["data", "kwargs"].iter().find_map(|key| message.get(key)).unwrap_or(message);
    let content = || fields.get("content")?.as_str().map(str::to_owned);
    matches!(role, "user" | "human").then(content).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_intent_stands_in_a_root_s_input() {
        for (input, want) in [
            ("refund it", Some("refund it")),
            (r#"{"messages": [{"role": "user", "content": "refund it"}]}"#, Some("refund it")),
            (
                r#"{"messages": [{"type": "human", "data": {"content": "a"}}, {"type": "human", "data": {"content": "b"}}]}"#,
                Some("b"),
            ),
            (r#"{"task": "refund it", "stream": false, "images": null}"#, Some("refund it")),
            (r#"{"graph": null, "resume": {"decisions": [{"type": "approve"}]}}"#, None),
            (r#"{"nodes": ["<Document(id_=kb-17)>"]}"#, None),
        ] {
            assert_eq!(said(input).as_deref(), want, "{input}");
        }
    }
}
