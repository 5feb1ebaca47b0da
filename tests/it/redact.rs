//! Redaction against real requests: what is planted is gone, the rest is what came.

use bytes::Bytes;
use prost::Message;
use serde_json::{Value, json};
use wherefore::model::{Known, Missing, Signal, What};
use wherefore::proto::opentelemetry::proto::collector::{
    logs::v1::ExportLogsServiceRequest, trace::v1::ExportTraceServiceRequest,
};
use wherefore::proto::opentelemetry::proto::common::v1::{AnyValue, KeyValue, any_value};
use wherefore::redact::{Class, Policy, apply};
use wherefore::values;
use wherefore::wire::{json::to_protobuf, validate};

use crate::receive_server::*;
use crate::support::otlp::{any, attributes, log, read, span};
use crate::support::recordings::recordings;

fn policy(rules: &[(&str, Class)]) -> Policy {
    Policy::new(rules.iter().map(|(key, class)| ((*key).to_owned(), *class)))
}

const SECRET: &str = "tr0ub4dor&3";

/// The secret in every place that has a key, beside things to keep.
fn planted() -> Vec<(Signal, Bytes)> {
    let fields = json!({
        "keep": "this", "password": SECRET, "list": ["a", { "password": SECRET, "keep": 1 }],
        "headers": { "password": [SECRET, { "x": SECRET }], "accept": "all" }, "none": null, "flag": true,
    });
    let inside = attributes(&fields);
    let record = json!({ "attributes": inside, "name": "n", "traceId": "0102030405060708090a0b0c0d0e0f10", "spanId": "0102030405060708",
        "events": [{ "name": "e", "attributes": inside }], "links": [{ "traceId": "0102030405060708090a0b0c0d0e0f10", "spanId": "0102030405060709", "attributes": inside }] });
    let about = json!({ "name": "lib", "version": "1", "attributes": inside });
    let traces = json!({ "resourceSpans": [{ "resource": { "attributes": inside }, "scopeSpans": [{ "scope": about, "spans": [record, record], "schemaUrl": "u" }] }] });
    let record = json!({ "timeUnixNano": "5", "attributes": inside, "body": any(&fields), "eventName": "e" });
    let logs = json!({ "resourceLogs": [{ "resource": { "attributes": inside }, "scopeLogs": [{ "scope": about, "logRecords": [record] }] }] });
    [(Signal::Traces, traces), (Signal::Logs, logs)]
        .into_iter()
        .map(|(signal, request)| {
            (signal, to_protobuf(signal, request.to_string().as_bytes()).expect("OTLP").body.into())
        })
        .collect()
}

fn holds(body: &[u8], text: &str) -> bool {
    body.windows(text.len()).any(|window| window == text.as_bytes())
}

#[test]
fn a_planted_secret_is_gone_and_the_rest_is_what_came() {
    for class in [Class::Drop, Class::Digest] {
        let policy = policy(&[("keep", Class::Drop), ("password", class), ("*.password", class)]);
        for (signal, body) in planted() {
            let redacted = apply(&policy, signal, body.clone());
            assert!(holds(&body, SECRET) && !holds(&redacted, SECRET), "{class}");
            assert_eq!(again(signal, &redacted), expected(&policy, signal, &body), "{class}");
            let checked = validate(signal, &redacted).expect("still a request");
            assert_eq!((checked.rejected.count, checked.body), (0, redacted));
        }
    }
}

#[test]
fn what_nothing_applies_to_is_the_same_bytes() {
    let nothing = [Policy::default(), policy(&[("*", Class::Keep)]), policy(&[("no such key", Class::Drop)])];
    for (signal, body) in planted() {
        for policy in &nothing {
            assert_eq!(apply(policy, signal, body.clone()).as_ptr(), body.as_ptr());
        }
    }
    let kept = policy(&[("password", Class::Keep), ("*", Class::Keep), ("*", Class::Drop)]);
    for (signal, body) in planted() {
        assert_eq!(apply(&kept, signal, body.clone()).as_ptr(), body.as_ptr());
    }
}

/// The same rules over prost's tree, as the oracle; prost writes these requests as they came.
#[test]
fn recordings_are_redacted_as_a_tree_would_be() {
    let policy = policy(&[
        ("service.name", Class::Keep),
        ("service.*", Class::Digest),
        ("gen_ai.*.messages", Class::Drop),
        ("gen_ai.tool.call.*", Class::Digest),
        ("content", Class::Drop),
        ("body.*content", Class::Digest),
        ("traceloop.*", Class::Drop),
    ]);
    let mut changed = 0;
    for recording in recordings() {
        for (signal, body) in recording.requests() {
            let redacted = apply(&policy, signal, body.clone());
            assert_eq!(redacted, expected(&policy, signal, &body), "{}", recording.name());
            changed += usize::from(redacted != body);
        }
    }
    assert!(changed > 100);
}

#[test]
fn what_was_dropped_reads_as_withheld() {
    let dropped = policy(&[("gen_ai.tool.call.arguments", Class::Drop), ("gen_ai.tool.call.result", Class::Digest)]);
    let (signal, body) = span(
        "x",
        "s",
        json!({ "gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "t",
        "gen_ai.tool.call.arguments": "{\"card\":1}", "gen_ai.tool.call.result": "{ \"a\": 1 }" }),
        json!({}),
    );
    let read = read((signal, apply(&dropped, signal, body)));
    let What::Call(call) = &read.facts[0].what else { panic!("a call") };
    assert_eq!(call.arguments, Known::Missing(Missing::Withheld));
    let digest = values::digest_json("{\"a\":1}").to_string();
    assert_eq!(call.result.value().and_then(|text| text.whole()), Some(&*digest));
}

#[test]
fn the_body_of_a_log_has_a_key_too() {
    let (signal, body) = log(json!({ "a": "b" }), json!({ "body": { "stringValue": SECRET } }));
    let redacted = apply(&policy(&[("body", Class::Drop)]), signal, body);
    assert!(!holds(&redacted, SECRET) && holds(&redacted, "<REDACTED>"));
}

/// Whatever form a request came in, the sink in front of the journal is given the redacted bytes.
#[tokio::test]
async fn the_sink_never_sees_what_is_dropped() {
    let redaction = policy(&[("password", Class::Drop), ("*.password", Class::Drop)]);
    let server = Setup { redaction: redaction.clone(), ..Setup::default() }.start().await;
    for (signal, body) in planted() {
        let path = format!("/v1/{}", signal.as_str());
        let request = post(&path, &[("content-type", "application/x-protobuf")], body.to_vec());
        assert_eq!(send(server.ports[1], Version::Http1, request).await.status, 200);
        let taken = server.taken();
        assert_eq!(taken.len(), 1);
        assert!(!holds(&taken[0].body, SECRET));
        assert_eq!(taken[0].body, apply(&redaction, signal, body));
    }
}

#[test]
fn other_bytes_do_no_harm() {
    let policy = policy(&[("*", Class::Drop)]);
    for (signal, body) in planted() {
        for cut in 0..body.len() {
            let redacted = apply(&policy, signal, body.slice(..cut));
            assert!(!holds(&redacted, SECRET), "cut at {cut}");
        }
        assert!(apply(&policy, Signal::Metrics, body.clone()) == body);
    }
}

fn again(signal: Signal, body: &Bytes) -> Vec<u8> {
    match signal {
        Signal::Logs => ExportLogsServiceRequest::decode(&**body).expect("logs").encode_to_vec(),
        _ => ExportTraceServiceRequest::decode(&**body).expect("traces").encode_to_vec(),
    }
}

fn expected(policy: &Policy, signal: Signal, body: &Bytes) -> Vec<u8> {
    let all = |attributes: &mut Vec<KeyValue>| attributes.iter_mut().for_each(|attribute| entry(policy, "", attribute));
    if signal == Signal::Logs {
        let mut request = ExportLogsServiceRequest::decode(&**body).expect("logs");
        for by_resource in &mut request.resource_logs {
            by_resource.resource.iter_mut().for_each(|resource| all(&mut resource.attributes));
            for by_scope in &mut by_resource.scope_logs {
                by_scope.scope.iter_mut().for_each(|scope| all(&mut scope.attributes));
                for record in &mut by_scope.log_records {
                    all(&mut record.attributes);
                    record.body.iter_mut().for_each(|body| value(policy, "body", body));
                }
            }
        }
        return request.encode_to_vec();
    }
    let mut request = ExportTraceServiceRequest::decode(&**body).expect("traces");
    for by_resource in &mut request.resource_spans {
        by_resource.resource.iter_mut().for_each(|resource| all(&mut resource.attributes));
        for by_scope in &mut by_resource.scope_spans {
            by_scope.scope.iter_mut().for_each(|scope| all(&mut scope.attributes));
            for span in &mut by_scope.spans {
                all(&mut span.attributes);
                span.events.iter_mut().for_each(|event| all(&mut event.attributes));
                span.links.iter_mut().for_each(|link| all(&mut link.attributes));
            }
        }
    }
    request.encode_to_vec()
}

fn entry(policy: &Policy, path: &str, attribute: &mut KeyValue) {
    let path = format!("{path}{}", attribute.key);
    attribute.value.iter_mut().for_each(|inner| value(policy, &path, inner));
}

fn value(policy: &Policy, path: &str, any: &mut AnyValue) {
    let Some(inner) = &mut any.value else { return };
    match (policy.class(path), inner) {
        (Class::Keep, any_value::Value::ArrayValue(array)) => {
            array.values.iter_mut().for_each(|item| value(policy, path, item));
        }
        (Class::Keep, any_value::Value::KvlistValue(map)) => {
            map.values.iter_mut().for_each(|item| entry(policy, &format!("{path}."), item));
        }
        (Class::Keep, _) => {}
        (Class::Drop, inner) => *inner = any_value::Value::StringValue("<REDACTED>".into()),
        (Class::Digest, inner) => {
            let text = match &*inner {
                any_value::Value::StringValue(text) => text.clone(),
                other => plain(other).to_string(),
            };
            *inner = any_value::Value::StringValue(values::digest_json(&text).to_string());
        }
    }
}

fn plain(value: &any_value::Value) -> Value {
    let of = |any: &AnyValue| any.value.as_ref().map_or(Value::Null, plain);
    match value {
        any_value::Value::StringValue(text) => text.as_str().into(),
        any_value::Value::BoolValue(truth) => (*truth).into(),
        any_value::Value::IntValue(number) => (*number).into(),
        any_value::Value::DoubleValue(number) => (*number).into(),
        any_value::Value::ArrayValue(array) => array.values.iter().map(of).collect(),
        any_value::Value::KvlistValue(map) => {
            let field = |entry: &KeyValue| (entry.key.clone(), entry.value.as_ref().map_or(Value::Null, of));
            Value::Object(map.values.iter().map(field).collect())
        }
        _ => panic!("no such value in the recordings"),
    }
}
