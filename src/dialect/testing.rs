//! Records for the tests of dialects, written as plain JSON values, and what the table says about them.

use bytes::Bytes;
use serde_json::{Value, json};

use crate::model::{Call, Evidence, Role, Signal, Tenant, What};
use crate::wire::{json::to_protobuf, records};

/// What is said about a log record of a scope, with its name and its attributes.
pub fn log(scope: &str, name: &str, fields: Value) -> Evidence {
    let log = json!({ "timeUnixNano": "1500", "eventName": name, "attributes": attributes(&fields) });
    let request = json!({ "resourceLogs": [{ "scopeLogs": [{ "scope": { "name": scope }, "logRecords": [log] }] }] });
    read(super::TABLE, Signal::Logs, &request)
}

/// What is said about a span of a scope, with its name and its attributes.
pub fn span(scope: &str, name: &str, fields: Value) -> Evidence {
    span_with(scope, name, fields, json!({}))
}

/// As [`span`], with more fields of the span itself, such as `status` or `events`.
pub fn span_with(scope: &str, name: &str, fields: Value, more: Value) -> Evidence {
    let mut span = json!({
        "traceId": "0102030405060708090a0b0c0d0e0f10", "spanId": "0102030405060708", "name": name, "kind": 1,
        "startTimeUnixNano": "1000", "endTimeUnixNano": "2000", "attributes": attributes(&fields),
    });
    if let (Some(span), Value::Object(more)) = (span.as_object_mut(), more) {
        span.extend(more);
    }
    let request = json!({ "resourceSpans": [{ "scopeSpans": [{ "scope": { "name": scope }, "spans": [span] }] }] });
    read(super::TABLE, Signal::Traces, &request)
}

/// What dialects of another table say about a span with these attributes.
pub fn span_by(table: &[&dyn super::Dialect], fields: Value) -> Evidence {
    let span = json!({
        "traceId": "0102030405060708090a0b0c0d0e0f10", "spanId": "0102030405060708", "name": "step", "kind": 1,
        "startTimeUnixNano": "1000", "endTimeUnixNano": "2000", "attributes": attributes(&fields),
    });
    read(table, Signal::Traces, &json!({ "resourceSpans": [{ "scopeSpans": [{ "spans": [span] }] }] }))
}

/// The facts of a piece of evidence.
pub fn facts(evidence: Evidence) -> Vec<What> {
    evidence.facts.into_iter().map(|fact| fact.what).collect()
}

/// The calls among facts.
pub fn calls(said: &[What]) -> Vec<Call> {
    let call = |what: &What| match what {
        What::Call(call) => Some((**call).clone()),
        _ => None,
    };
    said.iter().filter_map(call).collect()
}

/// The first call among facts.
pub fn call(said: &[What]) -> Call {
    calls(said).into_iter().next().expect("a call")
}

fn read(table: &[&dyn super::Dialect], signal: Signal, request: &Value) -> Evidence {
    let body: Bytes = to_protobuf(signal, request.to_string().as_bytes()).expect("valid OTLP/JSON").body.into();
    let received = records(signal, &body).next().expect("one record");
    super::evidence_by(table, &Tenant::default(), Role::Agent, &received, &body)
}

fn attributes(fields: &Value) -> Value {
    let fields = fields.as_object().expect("attributes are an object");
    fields.iter().map(|(key, value)| json!({ "key": key, "value": any(value) })).collect()
}

fn any(value: &Value) -> Value {
    match value {
        Value::Null => json!({}),
        Value::Bool(truth) => json!({ "boolValue": truth }),
        Value::Number(number) if number.is_f64() => json!({ "doubleValue": number }),
        Value::Number(number) => json!({ "intValue": number.to_string() }),
        Value::String(text) => json!({ "stringValue": text }),
        Value::Array(items) => json!({ "arrayValue": { "values": items.iter().map(any).collect::<Vec<_>>() } }),
        Value::Object(_) => json!({ "kvlistValue": { "values": attributes(value) } }),
    }
}
