//! Open Policy Agent decision logs, as a log shipper puts them into OTLP, and server spans with `opa.decision_id`.
//!
//! ```text
//! body (structure or JSON text): { decision_id, timestamp, path, input, result, trace_id?, span_id?,
//!                                  bundles: { <name>: { revision } }, erased?, masked?, error? }
//! ```
//!
//! * `bundles.*.revision` is a policy version, the best there is.
//! * `result` is whatever the policy returned: a truth, or an object with one of the words below. Others are no
//!   decision.
//! * `input` is whatever the agent asked with: the call is named by one of the fields below, or not at all.
//! * A log shipper gives the record no trace context; that of the entry is used.
//! * `erased` and `masked` list what was taken out of the entry: parameters cannot be told then.
//!
//! Source: `docs/management-decision-logs` of OPA 1.x. No recording of ours.

use std::sync::Arc;

use serde_json::Value;

use crate::model::{By, Decision, Outcome, SpanId, TraceId, What};
use crate::values;
use crate::wire::AnyValue;

use super::draft::{a_decision, an_id, word};
use super::{Dialect, Draft, Source};

const SPAN_KEY: &str = "opa.decision_id";

/// Truths in a result object: true allows, but for the last.
const ALLOWS: &[&str] = &["/allow", "/allowed", "/permit", "/result/allow"];
const DENIES: &[&str] = &["/deny", "/denied"];

/// Words in a result object.
const WORDS_AT: &[&str] = &["/decision", "/outcome", "/action", "/effect"];
const WORDS: &[(&str, Outcome)] = &[
    ("allow", Outcome::Allow),
    ("permit", Outcome::Allow),
    ("deny", Outcome::Deny),
    ("block", Outcome::Deny),
    ("warn", Outcome::Warn),
    ("ask", Outcome::Ask),
    ("require_approval", Outcome::Ask),
];

/// Where an agent's host names the call in its query.
const CALL_IDS: &[&str] = &["/tool_call_id", "/tool_call/id", "/tool_use_id", "/call_id"];
const TOOLS: &[&str] = &["/tool_name", "/tool", "/tool/name", "/tool_call/name"];
const PARAMETERS: &[&str] = &["/arguments", "/parameters", "/params", "/tool_input", "/tool_call/arguments"];
const CONVERSATIONS: &[&str] = &["/conversation_id", "/session_id", "/context/session_id"];

/// Decision log entries, and spans that name one.
pub struct Opa;

impl Dialect for Opa {
    fn name(&self) -> &'static str {
        "opa"
    }

    fn reads(&self, source: &Source<'_>) -> bool {
        match source.log() {
            Some(log) => {
                may_be_entry(log.body()) || source.text("decision_id").is_some() && source.get("result").is_some()
            }
            None => source.text(SPAN_KEY).is_some(),
        }
    }

    fn read<'a>(&self, source: &'a Source<'a>, draft: &mut Draft<'a>) {
        let Some(entry) = entry(source) else { return };
        draft.place = place(&entry);
        let input = &entry["input"];
        if let Some(id) = at(input, CONVERSATIONS) {
            draft.conversation(id);
        }
        let policies = policies(&entry);
        for policy in &policies {
            draft.say(What::Policy(policy.clone()));
        }
        if let Some((outcome, raw)) = outcome(&entry["result"]) {
            let decision = Decision {
                enforced: outcome != Outcome::Warn,
                policies,
                call_id: at(input, CALL_IDS).and_then(an_id),
                tool: at(input, TOOLS).map(word),
                parameters: parameters(&entry).map(|json| values::digest_json(&json)),
                ..a_decision(source, outcome, By::Policy, &raw)
            };
            draft.say(What::Decision(Box::new(decision)));
        }
    }

    /// A server span that only names a decision stays what it is.
    fn is_layer(&self) -> bool {
        true
    }
}

/// Whether a body looks like an entry, without parsing a text that is none.
fn may_be_entry(body: AnyValue<'_>) -> bool {
    let has = |json: &[u8], key: &str| memchr::memmem::find(json, key.as_bytes()).is_some();
    match body {
        AnyValue::Map(map) => {
            map.get("decision_id").is_some() && (map.get("path").is_some() || map.get("query").is_some())
        }
        AnyValue::Str(text) => {
            text.starts_with('{')
                && has(text.as_bytes(), "\"decision_id\"")
                && (has(text.as_bytes(), "\"path\"") || has(text.as_bytes(), "\"query\""))
        }
        _ => false,
    }
}

/// The entry: the body, else the attributes.
fn entry(source: &Source<'_>) -> Option<Value> {
    let log = source.log()?;
    let mut json = Vec::new();
    match log.body() {
        AnyValue::Str(text) if text.starts_with('{') => json.extend_from_slice(text.as_bytes()),
        body @ AnyValue::Map(_) => body.write_json(&mut json),
        _ => {
            let fields = log.attributes().iter().map(|field| {
                let mut value = Vec::new();
                field.value().write_json(&mut value);
                (field.key().to_owned(), serde_json::from_slice(&value).unwrap_or_default())
            });
            return Some(Value::Object(fields.collect()));
        }
    }
    serde_json::from_slice(&json).ok()
}

fn at<'v>(value: &'v Value, paths: &[&str]) -> Option<&'v str> {
    paths.iter().find_map(|path| value.pointer(path)?.as_str())
}

/// What the policy returned, and the word it said so with.
fn outcome(result: &Value) -> Option<(Outcome, String)> {
    let of = |allowed: bool| if allowed { Outcome::Allow } else { Outcome::Deny };
    if let Some(allowed) = result.as_bool() {
        return Some((of(allowed), allowed.to_string()));
    }
    let truth =
        |paths: &'static [&'static str]| paths.iter().find_map(|path| Some((*path, result.pointer(path)?.as_bool()?)));
    let spelled =
        |(path, said): (&str, bool), allowed| (of(allowed), format!("{}={said}", path.trim_start_matches('/')));
    if let Some(found @ (_, allowed)) = truth(ALLOWS) {
        return Some(spelled(found, allowed));
    }
    if let Some(found @ (_, denied)) = truth(DENIES) {
        return Some(spelled(found, !denied));
    }
    let raw = at(result, WORDS_AT)?;
    let (_, outcome) = WORDS.iter().find(|(word, _)| raw.eq_ignore_ascii_case(word))?;
    Some((*outcome, raw.to_owned()))
}

/// `path@revision` for every bundle; the path alone when no revision is said.
fn policies(entry: &Value) -> Vec<Arc<str>> {
    let path = entry["path"].as_str().or_else(|| entry["query"].as_str()).unwrap_or_default();
    if path.is_empty() {
        return Vec::new();
    }
    let bundles = entry["bundles"].as_object().into_iter().flatten();
    let revisions: Vec<&str> = bundles.filter_map(|(_, bundle)| bundle.get("revision")?.as_str()).collect();
    match revisions.is_empty() {
        true => vec![word(path)],
        false => revisions.iter().map(|revision| word(&format!("{path}@{revision}"))).collect(),
    }
}

/// The call's parameters, unless something was taken out of the entry.
fn parameters(entry: &Value) -> Option<String> {
    let whole = |key: &str| entry[key].as_array().is_none_or(|paths| paths.is_empty());
    let found = PARAMETERS.iter().find_map(|path| entry["input"].pointer(path))?;
    (whole("erased") && whole("masked")).then(|| found.to_string())
}

/// The span that asked.
fn place(entry: &Value) -> Option<(TraceId, SpanId)> {
    let trace = hex::<16>(entry["trace_id"].as_str()?)?;
    let span = hex::<8>(entry["span_id"].as_str()?)?;
    Some((TraceId(trace), SpanId(span)))
}

/// An id of W3C trace context; all zeros is none.
fn hex<const N: usize>(text: &str) -> Option<[u8; N]> {
    let mut id = [0; N];
    if text.len() != 2 * N || !text.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        return None;
    }
    for (byte, at) in id.iter_mut().zip((0..text.len()).step_by(2)) {
        *byte = u8::from_str_radix(&text[at..at + 2], 16).ok()?;
    }
    (id != [0; N]).then_some(id)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_result_allows_or_denies_or_says_nothing() {
        for (result, want) in [
            (json!(true), Some((Outcome::Allow, "true"))),
            (json!(false), Some((Outcome::Deny, "false"))),
            (json!({"allow": false, "reason": "x"}), Some((Outcome::Deny, "allow=false"))),
            (json!({"deny": true}), Some((Outcome::Deny, "deny=true"))),
            (json!({"decision": "require_approval"}), Some((Outcome::Ask, "require_approval"))),
            (json!({"decision": "perhaps"}), None),
            (json!({"roles": ["a"]}), None),
            (json!([]), None),
            (Value::Null, None),
        ] {
            assert_eq!(outcome(&result), want.map(|(outcome, raw)| (outcome, raw.to_owned())), "{result}");
        }
    }

    #[test]
    fn a_bundle_s_revision_is_the_policy_s_version() {
        let entry = json!({"path": "agents/tools/allow", "bundles": {"authz": {"revision": "W3sibCI6"}, "data": {}}});
        assert_eq!(policies(&entry), [Arc::from("agents/tools/allow@W3sibCI6")]);
        assert_eq!(policies(&json!({"path": "p"})), [Arc::from("p")]);
        assert!(policies(&json!({"bundles": {"a": {"revision": "1"}}})).is_empty());
    }

    #[test]
    fn parameters_of_a_masked_entry_cannot_be_told() {
        let entry = |masked: Value| json!({"input": {"arguments": {"a": 1}}, "masked": masked});
        assert_eq!(parameters(&entry(json!([]))).as_deref(), Some(r#"{"a":1}"#));
        assert_eq!(parameters(&entry(json!(["/input/arguments/a"]))), None);
    }

    #[test]
    fn trace_context_is_hexadecimal_of_its_length() {
        assert_eq!(hex::<2>("0aFF"), Some([10, 255]));
        for none in ["0000", "0a", "0aF", "zz00", "", "éé"] {
            assert_eq!(hex::<2>(none), None, "{none}");
        }
    }
}
