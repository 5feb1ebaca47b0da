//! OTLP/JSON: what senders may write and what each form of it means, row by row; then against prost.

use bytes::Bytes;
use proptest::prelude::*;
use prost::Message;
use serde_json::{Value, json};
use wherefore::model::Signal;
use wherefore::proto::opentelemetry::proto as otlp;
use wherefore::wire::{AnyValue, LogView, Reason, Record, SpanView, Validated, json as otlp_json, records};

use otlp::common::v1 as common;

const TRACE_ID: &str = "0102030405060708090a0b0c0d0e0f10";
const SPAN_ID: &str = "0102030405060708";

/// A request with one span, whose text is given without its ids and its braces.
fn one_span(fields: &str) -> String {
    format!(
        r#"{{"resourceSpans":[{{"scopeSpans":[{{"spans":[{{"traceId":"{TRACE_ID}","spanId":"{SPAN_ID}",{fields}}}]}}]}}]}}"#
    )
}

/// A request with one log record, whose text is given without its braces.
fn one_log(fields: &str) -> String {
    format!(r#"{{"resourceLogs":[{{"scopeLogs":[{{"logRecords":[{{{fields}}}]}}]}}]}}"#)
}

fn receive(signal: Signal, json: &str) -> Validated {
    otlp_json::receive(signal, json.as_bytes()).unwrap_or_else(|error| panic!("{error}: {json}"))
}

/// Reads a request with one span and hands it over.
fn span<T>(fields: &str, look: impl FnOnce(SpanView<'_>) -> T) -> T {
    let validated = receive(Signal::Traces, &one_span(fields));
    assert_eq!(validated.rejected.to_string(), "", "{fields}");
    match records(Signal::Traces, &validated.body).next().map(|received| received.record) {
        Some(Record::Span(span)) => look(span),
        other => panic!("{other:?}: {fields}"),
    }
}

fn log<T>(fields: &str, look: impl FnOnce(LogView<'_>) -> T) -> T {
    let validated = receive(Signal::Logs, &one_log(fields));
    assert_eq!(validated.rejected.to_string(), "", "{fields}");
    match records(Signal::Logs, &validated.body).next().map(|received| received.record) {
        Some(Record::Log(log)) => look(log),
        other => panic!("{other:?}: {fields}"),
    }
}

/// The body of a log record as the JSON that it is written back as; for values whose kind JSON keeps.
fn body(value: &str) -> String {
    log(&format!(r#""body":{value}"#), |log| {
        let mut json = Vec::new();
        log.body().write_json(&mut json);
        String::from_utf8(json).expect("JSON is UTF-8")
    })
}

#[test]
fn ids_are_hex_of_either_case() {
    let upper = TRACE_ID.to_uppercase();
    let (trace_id, parent) = span(&format!(r#""traceId":"{upper}","parentSpanId":"{SPAN_ID}""#), |span| {
        (span.trace_id.to_string(), span.parent_span_id.map(|id| id.to_string()))
    });
    assert_eq!((trace_id.as_str(), parent.as_deref()), (TRACE_ID, Some(SPAN_ID)));
}

#[test]
fn a_log_record_without_context_has_empty_ids() {
    for ids in [r#""traceId":"","spanId":"""#, r#""traceId":null,"spanId":null"#, r#""flags":0"#] {
        assert_eq!(log(ids, |log| (log.trace_id, log.span_id)), (None, None), "{ids}");
    }
}

#[test]
fn whole_numbers_are_numbers_or_texts() {
    for time in [
        r#""1795149303599000000""#,
        "1795149303599000000",
        "1795149303599000000.0",
        "1.795149303599e18",
        r#""1.795149303599e18""#,
    ] {
        assert_eq!(span(&format!(r#""startTimeUnixNano":{time}"#), |span| span.start.0), 1_795_149_303_599_000_000);
    }
    for count in ["3", r#""3""#, "3.0", "0.3e1"] {
        assert_eq!(span(&format!(r#""droppedAttributesCount":{count}"#), |span| span.dropped_attributes), 3);
    }
    assert_eq!(span(r#""flags":"257""#, |span| span.flags), 257);
    for (int, want) in [("42", "42"), (r#""42""#, "42"), ("42.0", "42"), ("1e3", "1000"), (r#""-7""#, "-7")] {
        assert_eq!(body(&format!(r#"{{"intValue":{int}}}"#)), want);
    }
    let largest = r#"{"intValue":"9223372036854775807"}"#;
    assert_eq!(body(largest), i64::MAX.to_string());
}

#[test]
fn doubles_are_numbers_or_texts_and_need_not_be_finite() {
    for (double, want) in [
        ("1.5", "1.5"),
        (r#""1.5""#, "1.5"),
        ("1", "1.0"),
        (r#""NaN""#, r#""NaN""#),
        (r#""Infinity""#, r#""Infinity""#),
        (r#""-Infinity""#, r#""-Infinity""#),
    ] {
        assert_eq!(body(&format!(r#"{{"doubleValue":{double}}}"#)), want);
    }
}

#[test]
fn null_is_unset_everywhere() {
    let want = span(r#""name":"""#, |span| span.bytes().to_vec());
    for field in [
        "attributes",
        "events",
        "links",
        "status",
        "parentSpanId",
        "traceState",
        "name",
        "kind",
        "flags",
        "startTimeUnixNano",
        "droppedAttributesCount",
    ] {
        assert_eq!(span(&format!(r#""{field}":null"#), |span| span.bytes().to_vec()), want, "{field}");
    }
    for value in ["null", "{}", r#"{"stringValue":null}"#, r#"{"arrayValue":null}"#, r#"{"intValue":null}"#] {
        assert_eq!(body(value), "null", "{value}");
    }
    assert_eq!(body(r#"{"stringValue":null,"intValue":3,"boolValue":null}"#), "3");
    assert_eq!(body(r#"{"arrayValue":{"values":[null,{"intValue":1},{}]}}"#), "[null,1,null]");
    let request = r#"{"resourceSpans":[{"resource":null,"scopeSpans":null,"schemaUrl":null}]}"#;
    assert_eq!(receive(Signal::Traces, request).accepted, 0);
}

#[test]
fn what_is_left_out_has_its_default() {
    assert_eq!(body(r#"{"arrayValue":{}}"#), "[]");
    assert_eq!(body(r#"{"kvlistValue":{}}"#), "{}");
    assert_eq!(
        body(r#"{"kvlistValue":{"values":[{"value":{"boolValue":true}},{"key":"k"}]}}"#),
        r#"{"":true,"k":null}"#
    );
    assert_eq!(body(r#"{"stringValue":""}"#), r#""""#);
    assert_eq!(body(r#"{"boolValue":false}"#), "false");
    for empty in ["{}", r#"{"resourceSpans":[]}"#, r#"{"resourceSpans":[{}]}"#, r#"{"resourceSpans":null}"#] {
        assert_eq!(receive(Signal::Traces, empty).accepted, 0, "{empty}");
    }
}

#[test]
fn bytes_are_base64_in_four_alphabets() {
    for text in ["+/+/+w==", "+/+/+w", "-_-_-w==", "-_-_-w"] {
        let bytes = log(&format!(r#""body":{{"bytesValue":"{text}"}}"#), |log| match log.body() {
            AnyValue::Bytes(bytes) => bytes.to_vec(),
            other => panic!("{other:?}"),
        });
        assert_eq!(bytes, [0xfb, 0xff, 0xbf, 0xfb], "{text}");
    }
}

#[test]
fn unknown_keys_are_ignored_and_snake_case_is_unknown() {
    for extra in [
        r#""later":{"deep":[1,{"x":null}]}"#,
        r#""start_time_unix_nano":"7""#,
        r#""Name":"no""#,
        r#""attributes":[{"key":"k","value":{"intValue":1,"later":[]},"later":1}]"#,
    ] {
        let (name, start) = span(&format!(r#""name":"n",{extra}"#), |span| (span.name.to_owned(), span.start.0));
        assert_eq!((name.as_str(), start), ("n", 0), "{extra}");
    }
}

#[test]
fn unknown_enum_numbers_are_kept() {
    assert_eq!(span(r#""kind":99"#, |span| span.kind), 99);
    assert_eq!(span(r#""status":{"code":-5}"#, |span| span.status.code), -5);
    assert_eq!(log(r#""severityNumber":25"#, |log| log.severity_number), 25);
}

#[test]
fn of_equal_keys_the_last_counts() {
    assert_eq!(span(r#""name":"first","name":"last""#, |span| span.name.to_owned()), "last");
    assert_eq!(span(r#""name":"first","name":null"#, |span| span.name.to_owned()), "");
    assert_eq!(span(r#""name":"first","name":"""#, |span| span.name.to_owned()), "");
    assert_eq!(span(r#""events":[{},{}],"events":[{}]"#, |span| span.events().count()), 1);
    assert_eq!(body(r#"{"intValue":1,"stringValue":"last"}"#), r#""last""#);
    assert_eq!(body(r#"{"stringValue":"first","intValue":1}"#), "1");
    assert_eq!(span(r#""\u006eame":"escaped""#, |span| span.name.to_owned()), "escaped");
}

#[test]
fn texts_keep_every_character_and_mend_half_of_one() {
    assert_eq!(span(r#""name":"\"é\u00e9\ud83d\ude00\n""#, |span| span.name.to_owned()), "\"éé😀\n");
    assert_eq!(span(r#""name":"cut \ud83d""#, |span| span.name.to_owned()), "cut \u{fffd}");
}

#[test]
fn a_value_that_does_not_fit_costs_its_record_only() {
    for (reason, bad) in [
        (Reason::JsonValue, r#""kind":"SPAN_KIND_SERVER""#),
        (Reason::JsonValue, r#""status":{"code":"STATUS_CODE_OK"}"#),
        (Reason::JsonValue, r#""name":5"#),
        (Reason::JsonValue, r#""name":["n"]"#),
        (Reason::JsonValue, r#""attributes":{}"#),
        (Reason::JsonValue, r#""attributes":[5]"#),
        (Reason::JsonValue, r#""status":"ok""#),
        (Reason::JsonValue, r#""startTimeUnixNano":-1"#),
        (Reason::JsonValue, r#""startTimeUnixNano":1.5"#),
        (Reason::JsonValue, r#""startTimeUnixNano":"soon""#),
        (Reason::JsonValue, r#""droppedAttributesCount":4294967296"#),
        (Reason::JsonValue, r#""attributes":[{"key":"k","value":{"boolValue":"true"}}]"#),
        (Reason::JsonValue, r#""attributes":[{"key":"k","value":{"bytesValue":"=!"}}]"#),
        (Reason::JsonValue, r#""attributes":[{"key":"k","value":{"doubleValue":1e999}}]"#),
        (Reason::JsonValue, r#""attributes":[{"key":"k","value":"bare"}]"#),
        (Reason::TraceId, r#""traceId":"0x02030405060708090a0b0c0d0e0f10""#),
        (Reason::TraceId, r#""traceId":"0x0102030405060708090a0b0c0d0e0f10""#),
        (Reason::TraceId, r#""traceId":"AQIDBAUGBwgJCgsMDQ4PEA==""#),
        (Reason::TraceId, r#""traceId":"01""#),
        (Reason::TraceId, r#""traceId":"""#),
        (Reason::TraceId, r#""traceId":"00000000000000000000000000000000""#),
        (Reason::SpanId, r#""spanId":"0102030405060708ff""#),
        (Reason::SpanId, r#""spanId":null"#),
        (Reason::ParentSpanId, r#""parentSpanId":"xyz""#),
        (Reason::TraceId, r#""links":[{"traceId":"01"}]"#),
        (Reason::Times, r#""startTimeUnixNano":"2","endTimeUnixNano":"1""#),
    ] {
        let good = format!(r#"{{"traceId":"{TRACE_ID}","spanId":"{SPAN_ID}","name":"good"}}"#);
        let bad_span = format!(r#"{{"traceId":"{TRACE_ID}","spanId":"{SPAN_ID}",{bad}}}"#);
        let request =
            format!(r#"{{"resourceSpans":[{{"scopeSpans":[{{"spans":[{good},{bad_span},null,{good}]}}]}}]}}"#);
        let Validated { body, accepted, rejected } = receive(Signal::Traces, &request);
        assert_eq!((accepted, rejected.count), (2, 2), "{bad}");
        assert!(rejected.reasons.contains(&(reason, if reason == Reason::JsonValue { 2 } else { 1 })), "{bad}");
        assert!(rejected.first.iter().any(|first| first.starts_with("span 1: ")), "{bad}: {rejected}");
        assert_eq!(records(Signal::Traces, &body).count(), 2, "{bad}");
    }
}

#[test]
fn a_log_record_with_a_bad_id_costs_only_itself() {
    for bad in [r#""traceId":"01""#, r#""spanId":"0x02030405060708""#, r#""traceId":"0x""#] {
        let request =
            format!(r#"{{"resourceLogs":[{{"scopeLogs":[{{"logRecords":[{{"eventName":"good"}},{{{bad}}}]}}]}}]}}"#);
        let validated = receive(Signal::Logs, &request);
        assert_eq!((validated.accepted, validated.rejected.count), (1, 1), "{bad}");
    }
}

#[test]
fn a_text_that_is_not_utf8_costs_its_record_only() {
    let mut json = one_log(r#""eventName":"bad?"},{"eventName":"good""#).into_bytes();
    let at = json.iter().position(|byte| *byte == b'?').expect("placed above");
    json[at] = 0xff;
    let validated = otlp_json::receive(Signal::Logs, &json).expect("JSON otherwise");
    assert_eq!((validated.accepted, validated.rejected.reasons.as_slice()), (1, &[(Reason::Utf8, 1)][..]));
}

#[test]
fn nesting_without_end_costs_its_record_only() {
    let nested = |levels: usize| {
        let open = r#"{"arrayValue":{"values":["#.repeat(levels);
        let close = "]}}".repeat(levels);
        one_log(&format!(r#""body":{open}{close}}},{{"eventName":"good""#))
    };
    assert_eq!(receive(Signal::Logs, &nested(49)).accepted, 2);
    let validated = receive(Signal::Logs, &nested(100_000));
    assert_eq!((validated.accepted, validated.rejected.reasons.as_slice()), (1, &[(Reason::TooDeep, 1)][..]));
}

#[test]
fn sentences_name_records_by_their_place_in_the_request() {
    let bad_value = r#"{"name":1}"#;
    let bad_id = r#"{"traceId":""}"#;
    let good = format!(r#"{{"traceId":"{TRACE_ID}","spanId":"{SPAN_ID}"}}"#);
    let request = format!(
        r#"{{"resourceSpans":[{{"scopeSpans":[{{"spans":[{bad_value},{good},{bad_value},{good},{bad_id}]}}]}}]}}"#
    );
    let rejected = receive(Signal::Traces, &request).rejected;
    let places: Vec<&str> = rejected.first.iter().filter_map(|first| first.split(':').next()).collect();
    assert_eq!(places, ["span 0", "span 2", "span 4"], "{rejected}");
    assert!(rejected.first[0].contains("`name`: expected a text at line 1, column"), "{rejected}");
}

#[test]
fn what_is_not_a_request_is_refused_with_the_place() {
    for (json, column, expected) in [
        ("", 1, "a value"),
        ("[]", 1, "`request`: expected an object"),
        ("null", 1, "`request`: expected an object"),
        ("{", 2, "a text"),
        ("{} x", 4, "the end"),
        (r#"{"resourceSpans":{}}"#, 18, "`resourceSpans`: expected a list"),
        (r#"{"resourceSpans":[{]}"#, 20, "a text"),
        (r#"{"resourceSpans":[{}"#, 21, "`,` or the closing bracket"),
        (r#"{"resourceSpans":[{"resource":{"attributes":[{"key":1}]}}]}"#, 53, "`key`: expected a text"),
        (r#"{"unknown":tru}"#, 12, "`true`, `false` or `null`"),
    ] {
        let error = otlp_json::to_protobuf(Signal::Traces, json.as_bytes()).expect_err(json);
        assert_eq!((error.line, error.column), (1, column), "{json}: {error}");
        assert!(error.message.contains(expected), "{json}: {error}");
    }
    let error = otlp_json::to_protobuf(Signal::Logs, b"{\n  \"resourceLogs\": [\n    oops").expect_err("not JSON");
    assert_eq!((error.offset, error.line, error.column), (26, 3, 5));
}

#[test]
fn metrics_are_read_and_counted() {
    let request = json!({"resourceMetrics": [{"scopeMetrics": [{"metrics": [
        {"name": "a", "gauge": {"dataPoints": [{"asDouble": "NaN"}, {"asInt": "-3"}, {"asInt": 1.5}]}},
        {"name": "b", "sum": {"dataPoints": [{"asInt": 7}], "aggregationTemporality": 2, "isMonotonic": true}},
        {"name": "c", "histogram": {"dataPoints": [{"count": "3", "sum": 0, "bucketCounts": ["1", 2], "explicitBounds": [0.5]}]}},
        {"name": "d", "exponentialHistogram": {"dataPoints": [
            {"scale": -1, "positive": {"offset": -2, "bucketCounts": ["1", 2]}, "exemplars": [{"asDouble": 1, "spanId": SPAN_ID}]}
        ]}},
        {"name": "e", "summary": {"dataPoints": [{"quantileValues": [{"quantile": 0.5, "value": 1}]}]}},
    ]}]}]});
    let request = request.to_string();
    let validated = receive(Signal::Metrics, &request);
    assert_eq!((validated.accepted, validated.rejected.count), (6, 1));
    assert!(validated.rejected.to_string().starts_with("data point 2: `asInt`"), "{}", validated.rejected);

    let transcoded = otlp_json::to_protobuf(Signal::Metrics, request.as_bytes()).expect("valid");
    let metrics =
        otlp::collector::metrics::v1::ExportMetricsServiceRequest::decode(&*transcoded.body).expect("protobuf");
    let metrics = &metrics.resource_metrics[0].scope_metrics[0].metrics;
    use otlp::metrics::v1::{metric::Data, number_data_point};
    match metrics.iter().map(|metric| metric.data.as_ref().expect("each has data")).collect::<Vec<_>>().as_slice() {
        [
            Data::Gauge(gauge),
            Data::Sum(sum),
            Data::Histogram(histogram),
            Data::ExponentialHistogram(exponential),
            Data::Summary(summary),
        ] => {
            assert_eq!(gauge.data_points[1].value, Some(number_data_point::Value::AsInt(-3)));
            assert_eq!((sum.aggregation_temporality, sum.is_monotonic), (2, true));
            let point = &histogram.data_points[0];
            assert_eq!((point.count, point.sum, point.min), (3, Some(0.0), None));
            assert_eq!((point.bucket_counts.as_slice(), point.explicit_bounds.as_slice()), (&[1, 2][..], &[0.5][..]));
            let point = &exponential.data_points[0];
            let buckets = point.positive.as_ref().expect("given");
            assert_eq!((point.scale, buckets.offset, buckets.bucket_counts.as_slice()), (-1, -2, &[1, 2][..]));
            assert_eq!(point.exemplars[0].span_id, [1, 2, 3, 4, 5, 6, 7, 8]);
            assert_eq!(summary.data_points[0].quantile_values[0].quantile, 0.5);
        }
        other => panic!("{other:?}"),
    }
}

// Against prost: a request as JSON, in any order of keys, becomes the bytes that prost writes for it.

fn json_value(value: &common::AnyValue) -> Value {
    use common::any_value::Value as Any;
    match &value.value {
        None => json!({}),
        Some(Any::StringValue(text)) => json!({"stringValue": text}),
        Some(Any::BoolValue(truth)) => json!({"boolValue": truth}),
        Some(Any::IntValue(number)) => json!({"intValue": number.to_string()}),
        Some(Any::DoubleValue(number)) if number.is_nan() => json!({"doubleValue": "NaN"}),
        Some(Any::DoubleValue(number)) if number.is_infinite() => {
            json!({"doubleValue": format!("{}Infinity", if *number < 0.0 { "-" } else { "" })})
        }
        Some(Any::DoubleValue(number)) => json!({"doubleValue": number}),
        Some(Any::ArrayValue(array)) => {
            json!({"arrayValue": {"values": array.values.iter().map(json_value).collect::<Vec<_>>()}})
        }
        Some(Any::KvlistValue(map)) => json!({"kvlistValue": {"values": json_attributes(&map.values)}}),
        Some(Any::BytesValue(_) | Any::StringValueStrindex(_)) => panic!("not generated"),
    }
}

fn json_attributes(attributes: &[common::KeyValue]) -> Value {
    let json = |attribute: &common::KeyValue| match &attribute.value {
        Some(value) => json!({"value": json_value(value), "key": attribute.key}),
        None => json!({"key": attribute.key}),
    };
    attributes.iter().map(json).collect()
}

fn json_span(span: &otlp::trace::v1::Span) -> Value {
    let event = |event: &otlp::trace::v1::span::Event| json!({"name": event.name, "timeUnixNano": event.time_unix_nano, "attributes": json_attributes(&event.attributes)});
    let mut json = json!({
        "name": span.name,
        "attributes": json_attributes(&span.attributes),
        "spanId": const_hex::encode(&span.span_id),
        "traceId": const_hex::encode(&span.trace_id),
        "kind": span.kind,
        "events": span.events.iter().map(event).collect::<Vec<_>>(),
        "startTimeUnixNano": span.start_time_unix_nano.to_string(),
        "flags": span.flags,
    });
    if let Some(status) = &span.status {
        json["status"] = json!({"message": status.message, "code": status.code});
    }
    json
}

fn any_value() -> impl Strategy<Value = common::AnyValue> {
    use common::any_value::Value as Any;
    let leaf = prop_oneof![
        Just(None),
        any::<String>().prop_map(|text| Some(Any::StringValue(text))),
        any::<bool>().prop_map(|truth| Some(Any::BoolValue(truth))),
        any::<i64>().prop_map(|number| Some(Any::IntValue(number))),
        prop_oneof![
            any::<i32>().prop_map(|eighths| f64::from(eighths) / 8.0),
            Just(f64::INFINITY),
            Just(f64::NEG_INFINITY)
        ]
        .prop_map(|number| Some(Any::DoubleValue(number))),
    ];
    let value = leaf.prop_map(|value| common::AnyValue { value });
    value.prop_recursive(4, 24, 4, |value| {
        let map = prop::collection::vec(key_value(value.clone().prop_map(Some)), 0..4);
        prop_oneof![
            prop::collection::vec(value, 0..4).prop_map(|values| Any::ArrayValue(common::ArrayValue { values })),
            map.prop_map(|values| Any::KvlistValue(common::KeyValueList { values })),
        ]
        .prop_map(|value| common::AnyValue { value: Some(value) })
    })
}

fn key_value(value: impl Strategy<Value = Option<common::AnyValue>>) -> impl Strategy<Value = common::KeyValue> {
    (any::<String>(), value).prop_map(|(key, value)| common::KeyValue { key, value, key_strindex: 0 })
}

fn attributes() -> impl Strategy<Value = Vec<common::KeyValue>> {
    prop::collection::vec(key_value(prop::option::of(any_value())), 0..5)
}

prop_compose! {
    fn any_span()(
        name: String,
        (kind, flags, start) in any::<(i32, u32, u64)>(),
        attributes in attributes(),
        events in prop::collection::vec((any::<String>(), any::<u64>(), attributes()), 0..3),
        status in prop::option::of(any::<(i32, String)>()),
    ) -> otlp::trace::v1::Span {
        let event = |(name, time_unix_nano, attributes)| {
            otlp::trace::v1::span::Event { time_unix_nano, name, attributes, dropped_attributes_count: 0 }
        };
        otlp::trace::v1::Span {
            trace_id: vec![0xab; 16],
            span_id: vec![0xcd; 8],
            name,
            kind,
            flags,
            start_time_unix_nano: start,
            attributes,
            events: events.into_iter().map(event).collect(),
            status: status.map(|(code, message)| otlp::trace::v1::Status { code, message }),
            ..otlp::trace::v1::Span::default()
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(crate::wire_view::cases()))]

    #[test]
    fn a_span_as_json_becomes_the_bytes_of_prost(span in any_span()) {
        let json = json!({"resourceSpans": [{"scopeSpans": [{"spans": [json_span(&span)]}]}]}).to_string();
        let scope_spans = vec![otlp::trace::v1::ScopeSpans { spans: vec![span], ..Default::default() }];
        let resource_spans = vec![otlp::trace::v1::ResourceSpans { scope_spans, ..Default::default() }];
        let want = otlp::collector::trace::v1::ExportTraceServiceRequest { resource_spans }.encode_to_vec();
        let have = otlp_json::to_protobuf(Signal::Traces, json.as_bytes()).expect("valid");
        prop_assert_eq!(have.rejected.to_string(), "");
        prop_assert_eq!(Bytes::from(have.body), Bytes::from(want));
    }

    #[test]
    fn a_value_written_as_json_is_json_and_means_the_same(value in any_value()) {
        let log = otlp::logs::v1::LogRecord { body: Some(value.clone()), ..Default::default() };
        let scope_logs = vec![otlp::logs::v1::ScopeLogs { log_records: vec![log], ..Default::default() }];
        let resource_logs = vec![otlp::logs::v1::ResourceLogs { scope_logs, ..Default::default() }];
        let body = otlp::collector::logs::v1::ExportLogsServiceRequest { resource_logs }.encode_to_vec();
        let mut json = Vec::new();
        for received in records(Signal::Logs, &body) {
            if let Record::Log(log) = received.record {
                log.body().write_json(&mut json);
            }
        }
        let read: Value = serde_json::from_slice(&json).expect("JSON");
        prop_assert_eq!(read, natural_json(&value));
    }
}

/// A value as the JSON that a person would write for it.
fn natural_json(value: &common::AnyValue) -> Value {
    use common::any_value::Value as Any;
    match &value.value {
        None => Value::Null,
        Some(Any::DoubleValue(number)) if number.is_nan() => "NaN".into(),
        Some(Any::DoubleValue(number)) if !number.is_finite() => {
            (if *number > 0.0 { "Infinity" } else { "-Infinity" }).into()
        }
        Some(Any::DoubleValue(number)) => (*number).into(),
        Some(Any::StringValue(text)) => text.as_str().into(),
        Some(Any::BoolValue(truth)) => (*truth).into(),
        Some(Any::IntValue(number)) => (*number).into(),
        Some(Any::ArrayValue(array)) => array.values.iter().map(natural_json).collect(),
        Some(Any::KvlistValue(map)) => {
            let entry =
                |entry: &common::KeyValue| (entry.key.clone(), entry.value.as_ref().map_or(Value::Null, natural_json));
            Value::Object(map.values.iter().map(entry).collect())
        }
        Some(Any::BytesValue(_) | Any::StringValueStrindex(_)) => panic!("not generated"),
    }
}
