//! Small OTLP requests, written as plain JSON values.

use bytes::Bytes;
use serde_json::{Value, json};
use wherefore::dialect::evidence;
use wherefore::model::{Evidence, Role, Signal, Tenant};
use wherefore::wire::{json::to_protobuf, records};

/// A value as OTLP/JSON writes it.
pub fn any(value: &Value) -> Value {
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

/// An object as a list of attributes.
pub fn attributes(fields: &Value) -> Value {
    let fields = fields.as_object().expect("attributes are an object");
    fields.iter().map(|(key, value)| json!({ "key": key, "value": any(value) })).collect()
}

/// A request of one span. `more` are fields of the span itself, such as `status` or `events`.
pub fn span(scope: &str, name: &str, fields: Value, more: Value) -> (Signal, Bytes) {
    let mut span = json!({
        "traceId": "0102030405060708090a0b0c0d0e0f10", "spanId": "0102030405060708", "name": name, "kind": 1,
        "startTimeUnixNano": "1000", "endTimeUnixNano": "2000", "attributes": attributes(&fields),
    });
    extend(&mut span, more);
    let request = json!({ "resourceSpans": [{ "resource": resource(), "scopeSpans": [{ "scope": { "name": scope }, "spans": [span] }] }] });
    (Signal::Traces, protobuf(Signal::Traces, &request))
}

/// A request of one log record. `more` are fields of the record itself, such as `eventName` or `body`.
pub fn log(fields: Value, more: Value) -> (Signal, Bytes) {
    let mut log = json!({ "timeUnixNano": "1500", "attributes": attributes(&fields) });
    extend(&mut log, more);
    let request = json!({ "resourceLogs": [{ "resource": resource(), "scopeLogs": [{ "logRecords": [log] }] }] });
    (Signal::Logs, protobuf(Signal::Logs, &request))
}

/// A request of spans, written in full.
pub fn spans(request: &Value) -> (Signal, Bytes) {
    (Signal::Traces, protobuf(Signal::Traces, request))
}

/// A request of log records, written in full.
pub fn logs(request: &Value) -> (Signal, Bytes) {
    (Signal::Logs, protobuf(Signal::Logs, request))
}

/// The evidence of a request's only record.
pub fn read((signal, body): (Signal, Bytes)) -> Evidence {
    let received = records(signal, &body).next().expect("one record");
    evidence(&Tenant::default(), Role::Agent, &received, &body)
}

fn resource() -> Value {
    json!({ "attributes": attributes(&json!({ "service.name": "desk", "service.namespace": "shop", "service.version": "1" })) })
}

fn extend(record: &mut Value, more: Value) {
    let (Some(record), Value::Object(more)) = (record.as_object_mut(), more) else { return };
    record.extend(more);
}

fn protobuf(signal: Signal, request: &Value) -> Bytes {
    to_protobuf(signal, request.to_string().as_bytes()).expect("valid OTLP/JSON").body.into()
}
