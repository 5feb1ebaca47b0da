//! The view against prost: same verdict on the framing and on every record, same values, for requests that prost
//! wrote, for mutated ones, and for wild ones whose fields repeat, mix and come in pieces.
//!
//! `WHEREFORE_FUZZ_CASES` raises the number of cases. A failure prints its seed and the smallest input.

use bytes::Bytes;
use proptest::prelude::*;
use prost::Message;
use wherefore::model::Signal;
use wherefore::proto::opentelemetry::proto as otlp;
use wherefore::wire::{self, AnyValue, Attributes, LogView, Malformed, Received, Record, SpanView, Validated, records};

use otlp::common::v1 as common;
use otlp::logs::v1::LogRecord;
use otlp::resource::v1::Resource;
use otlp::trace::v1::{Span, Status, span};

/// A request as prost reads it with its records taken as opaque bytes. The messages of traces and logs agree as far
/// as this looks into them.
#[derive(Clone, PartialEq, Message)]
struct Opaque {
    #[prost(message, repeated, tag = "1")]
    resources: Vec<OpaqueResource>,
}

#[derive(Clone, PartialEq, Message)]
struct OpaqueResource {
    #[prost(message, optional, tag = "1")]
    resource: Option<Resource>,
    #[prost(message, repeated, tag = "2")]
    scopes: Vec<OpaqueScope>,
    #[prost(string, tag = "3")]
    schema_url: String,
}

#[derive(Clone, PartialEq, Message)]
struct OpaqueScope {
    #[prost(message, optional, tag = "1")]
    scope: Option<common::InstrumentationScope>,
    #[prost(bytes = "vec", repeated, tag = "2")]
    records: Vec<Vec<u8>>,
    #[prost(string, tag = "3")]
    schema_url: String,
}

/// One record with its surroundings, as prost messages. Compared by their canonical bytes, because NaN is not NaN.
#[derive(Debug, Clone, PartialEq)]
struct Owned {
    resource: Vec<u8>,
    scope: Vec<u8>,
    schema_url: String,
    record: Vec<u8>,
}

/// What the door must say: for each record what it holds, or `None` where it must be rejected.
fn oracle(signal: Signal, body: &[u8]) -> Option<Vec<Option<Owned>>> {
    let mut all = Vec::new();
    for by_resource in Opaque::decode(body).ok()?.resources {
        for by_scope in by_resource.scopes {
            for record in by_scope.records {
                let record = match signal {
                    Signal::Logs => LogRecord::decode(&*record).ok().filter(log_is_sound).map(plain_log),
                    _ => Span::decode(&*record).ok().filter(span_is_sound).map(plain_span),
                };
                all.push(record.map(|record| {
                    Owned {
                        resource: plain_resource(by_resource.resource.clone().unwrap_or_default()),
                        scope: plain_scope(by_scope.scope.clone().unwrap_or_default()),
                        schema_url: [&by_scope.schema_url, &by_resource.schema_url]
                            .into_iter()
                            .find(|url| !url.is_empty())
                            .cloned()
                            .unwrap_or_default(),
                        record,
                    }
                }));
            }
        }
    }
    Some(all)
}

fn span_is_sound(span: &Span) -> bool {
    let is_id = |id: &[u8], len| id.len() == len && id.iter().any(|byte| *byte != 0);
    let (start, end) = (span.start_time_unix_nano, span.end_time_unix_nano);
    is_id(&span.trace_id, 16)
        && is_id(&span.span_id, 8)
        && [0, 8].contains(&span.parent_span_id.len())
        && (start == 0 || end == 0 || start <= end)
}

fn log_is_sound(log: &LogRecord) -> bool {
    [0, 16].contains(&log.trace_id.len()) && [0, 8].contains(&log.span_id.len())
}

// What a view cannot tell apart, told the same way in prost's messages.

fn plain_id(id: &mut Vec<u8>, len: usize) {
    if id.len() != len || id.iter().all(|byte| *byte == 0) {
        id.clear();
    }
}

fn plain_attributes(attributes: &mut [common::KeyValue]) {
    for attribute in attributes {
        plain_value(attribute.value.get_or_insert_default());
        attribute.key_strindex = 0;
    }
}

fn plain_value(value: &mut common::AnyValue) {
    use common::any_value::Value;
    match &mut value.value {
        Some(Value::StringValueStrindex(_)) => value.value = None,
        Some(Value::ArrayValue(array)) => array.values.iter_mut().for_each(plain_value),
        Some(Value::KvlistValue(map)) => plain_attributes(&mut map.values),
        _ => {}
    }
}

fn plain_resource(mut resource: Resource) -> Vec<u8> {
    plain_attributes(&mut resource.attributes);
    Resource { attributes: resource.attributes, ..Resource::default() }.encode_to_vec()
}

fn plain_scope(mut scope: common::InstrumentationScope) -> Vec<u8> {
    plain_attributes(&mut scope.attributes);
    common::InstrumentationScope { dropped_attributes_count: 0, ..scope }.encode_to_vec()
}

fn plain_span(mut span: Span) -> Vec<u8> {
    plain_id(&mut span.parent_span_id, 8);
    plain_attributes(&mut span.attributes);
    span.events.iter_mut().for_each(|event| plain_attributes(&mut event.attributes));
    for link in &mut span.links {
        plain_id(&mut link.trace_id, 16);
        plain_id(&mut link.span_id, 8);
        plain_attributes(&mut link.attributes);
    }
    span.status.get_or_insert_default();
    span.encode_to_vec()
}

fn plain_log(mut log: LogRecord) -> Vec<u8> {
    plain_id(&mut log.trace_id, 16);
    plain_id(&mut log.span_id, 8);
    plain_attributes(&mut log.attributes);
    plain_value(log.body.get_or_insert_default());
    log.encode_to_vec()
}

// What a view says, as prost's messages.

fn owned(received: Received<'_>) -> Owned {
    let scope = common::InstrumentationScope {
        name: received.scope.name.into(),
        version: received.scope.version.into(),
        attributes: owned_attributes(received.scope.attributes()),
        dropped_attributes_count: 0,
    };
    let resource = Resource { attributes: owned_attributes(received.resource.attributes()), ..Resource::default() };
    Owned {
        resource: resource.encode_to_vec(),
        scope: scope.encode_to_vec(),
        schema_url: received.schema_url.into(),
        record: match received.record {
            Record::Span(span) => owned_span(&span),
            Record::Log(log) => owned_log(&log),
        },
    }
}

fn owned_attributes(attributes: Attributes<'_>) -> Vec<common::KeyValue> {
    let own = |attribute: wire::KeyValue<'_>| common::KeyValue {
        key: attribute.key().into(),
        value: Some(owned_value(attribute.value())),
        key_strindex: 0,
    };
    attributes.iter().map(own).collect()
}

fn owned_value(value: AnyValue<'_>) -> common::AnyValue {
    use common::any_value::Value;
    let value = match value {
        AnyValue::Empty => None,
        AnyValue::Str(text) => Some(Value::StringValue(text.into())),
        AnyValue::Bool(truth) => Some(Value::BoolValue(truth)),
        AnyValue::Int(number) => Some(Value::IntValue(number)),
        AnyValue::Double(number) => Some(Value::DoubleValue(number)),
        AnyValue::Bytes(bytes) => Some(Value::BytesValue(bytes.into())),
        AnyValue::Array(array) => {
            Some(Value::ArrayValue(common::ArrayValue { values: array.iter().map(owned_value).collect() }))
        }
        AnyValue::Map(map) => {
            Some(Value::KvlistValue(common::KeyValueList { values: owned_attributes(map.entries()) }))
        }
    };
    common::AnyValue { value }
}

fn owned_span(view: &SpanView<'_>) -> Vec<u8> {
    let event = |event: wire::EventView<'_>| span::Event {
        time_unix_nano: event.time.0,
        name: event.name.into(),
        attributes: owned_attributes(event.attributes()),
        dropped_attributes_count: event.dropped_attributes,
    };
    let link = |link: wire::LinkView<'_>| span::Link {
        trace_id: link.trace_id.map(|id| id.0.to_vec()).unwrap_or_default(),
        span_id: link.span_id.map(|id| id.0.to_vec()).unwrap_or_default(),
        trace_state: link.trace_state.into(),
        attributes: owned_attributes(link.attributes()),
        dropped_attributes_count: link.dropped_attributes,
        flags: link.flags,
    };
    let span = Span {
        trace_id: view.trace_id.0.to_vec(),
        span_id: view.span_id.0.to_vec(),
        trace_state: view.trace_state.into(),
        parent_span_id: view.parent_span_id.map(|id| id.0.to_vec()).unwrap_or_default(),
        flags: view.flags,
        name: view.name.into(),
        kind: view.kind,
        start_time_unix_nano: view.start.0,
        end_time_unix_nano: view.end.0,
        attributes: owned_attributes(view.attributes()),
        dropped_attributes_count: view.dropped_attributes,
        events: view.events().map(event).collect(),
        dropped_events_count: view.dropped_events,
        links: view.links().map(link).collect(),
        dropped_links_count: view.dropped_links,
        status: Some(Status { code: view.status.code, message: view.status.message.into() }),
    };
    span.encode_to_vec()
}

fn owned_log(view: &LogView<'_>) -> Vec<u8> {
    let log = LogRecord {
        time_unix_nano: view.time.0,
        observed_time_unix_nano: view.observed_time.0,
        severity_number: view.severity_number,
        severity_text: view.severity_text.into(),
        body: Some(owned_value(view.body())),
        attributes: owned_attributes(view.attributes()),
        dropped_attributes_count: view.dropped_attributes,
        flags: view.flags,
        trace_id: view.trace_id.map(|id| id.0.to_vec()).unwrap_or_default(),
        span_id: view.span_id.map(|id| id.0.to_vec()).unwrap_or_default(),
        event_name: view.event_name.into(),
    };
    log.encode_to_vec()
}

/// The whole rule: verdicts and values are prost's.
fn agrees_with_prost(signal: Signal, body: Vec<u8>) -> Result<(), TestCaseError> {
    let body = Bytes::from(body);
    let verdict: Result<Validated, Malformed> = wire::validate(signal, &body);
    let Some(want) = oracle(signal, &body) else {
        prop_assert!(verdict.is_err(), "prost cannot read the framing, the view can");
        return Ok(());
    };
    let validated = match verdict {
        Ok(validated) => validated,
        Err(malformed) => return Err(TestCaseError::fail(format!("prost reads the framing: {malformed}"))),
    };
    let kept: Vec<Owned> = want.iter().flatten().cloned().collect();
    prop_assert_eq!(validated.accepted as usize, kept.len());
    prop_assert_eq!(validated.rejected.count as usize, want.len() - kept.len());
    prop_assert_eq!(validated.rejected.reasons.iter().map(|(_, count)| *count).sum::<u32>(), validated.rejected.count);
    prop_assert_eq!(records(signal, &validated.body).map(owned).collect::<Vec<_>>(), kept);

    let again = wire::validate(signal, &validated.body).expect("what passed the door passes it again");
    prop_assert_eq!((&again.body, again.accepted, again.rejected.count), (&validated.body, validated.accepted, 0));
    Ok(())
}

/// Metrics are only counted, and their points are opaque.
#[derive(Clone, PartialEq, Message)]
struct OpaqueMetrics {
    #[prost(message, repeated, tag = "1")]
    resources: Vec<OpaqueResourceMetrics>,
}

#[derive(Clone, PartialEq, Message)]
struct OpaqueResourceMetrics {
    #[prost(message, optional, tag = "1")]
    resource: Option<Resource>,
    #[prost(message, repeated, tag = "2")]
    scopes: Vec<OpaqueScopeMetrics>,
    #[prost(string, tag = "3")]
    schema_url: String,
}

#[derive(Clone, PartialEq, Message)]
struct OpaqueScopeMetrics {
    #[prost(message, optional, tag = "1")]
    scope: Option<common::InstrumentationScope>,
    #[prost(message, repeated, tag = "2")]
    metrics: Vec<OpaqueMetric>,
    #[prost(string, tag = "3")]
    schema_url: String,
}

#[derive(Clone, PartialEq, Message)]
struct OpaqueMetric {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(string, tag = "2")]
    description: String,
    #[prost(string, tag = "3")]
    unit: String,
    #[prost(message, repeated, tag = "5")]
    gauge: Vec<OpaquePoints>,
    #[prost(message, repeated, tag = "7")]
    sum: Vec<OpaqueSum>,
    #[prost(message, repeated, tag = "9")]
    histogram: Vec<OpaqueHistogram>,
    #[prost(message, repeated, tag = "10")]
    exponential_histogram: Vec<OpaqueHistogram>,
    #[prost(message, repeated, tag = "11")]
    summary: Vec<OpaquePoints>,
    #[prost(message, repeated, tag = "12")]
    metadata: Vec<common::KeyValue>,
}

#[derive(Clone, PartialEq, Message)]
struct OpaquePoints {
    #[prost(bytes = "vec", repeated, tag = "1")]
    points: Vec<Vec<u8>>,
}

#[derive(Clone, PartialEq, Message)]
struct OpaqueHistogram {
    #[prost(bytes = "vec", repeated, tag = "1")]
    points: Vec<Vec<u8>>,
    #[prost(int32, tag = "2")]
    temporality: i32,
}

#[derive(Clone, PartialEq, Message)]
struct OpaqueSum {
    #[prost(bytes = "vec", repeated, tag = "1")]
    points: Vec<Vec<u8>>,
    #[prost(int32, tag = "2")]
    temporality: i32,
    #[prost(bool, tag = "3")]
    monotonic: bool,
}

fn points(metric: &OpaqueMetric) -> usize {
    let bare = metric.gauge.iter().chain(&metric.summary).map(|points| points.points.len());
    let histograms = metric.histogram.iter().chain(&metric.exponential_histogram).map(|points| points.points.len());
    bare.chain(histograms).chain(metric.sum.iter().map(|points| points.points.len())).sum()
}

fn counts_like_prost(body: &[u8]) -> Result<(), TestCaseError> {
    let want = OpaqueMetrics::decode(body).ok().map(|request| {
        let scopes = request.resources.iter().flat_map(|resource| &resource.scopes);
        scopes.flat_map(|scope| &scope.metrics).map(points).sum()
    });
    prop_assert_eq!(wire::count_metrics(body).ok().map(|count| count as usize), want);
    Ok(())
}

// Wild messages: the fields of the protocol by table, in any order, number and mixture.

/// What a field holds.
#[derive(Clone, Copy)]
enum Ty {
    Varint,
    Fixed64,
    Fixed32,
    Text,
    Bytes(usize),
    Of(&'static Fields),
}

/// Tags with what they hold.
struct Fields(&'static [(u32, Ty)]);

use Ty::{Fixed32, Fixed64, Of, Text, Varint};

static ANY_VALUE: Fields = Fields(&[
    (1, Text),
    (2, Varint),
    (3, Varint),
    (4, Fixed64),
    (5, Of(&ARRAY)),
    (6, Of(&MAP)),
    (7, Ty::Bytes(3)),
    (8, Varint),
]);
static ARRAY: Fields = Fields(&[(1, Of(&ANY_VALUE))]);
static MAP: Fields = Fields(&[(1, Of(&KEY_VALUE))]);
static KEY_VALUE: Fields = Fields(&[(1, Text), (2, Of(&ANY_VALUE)), (2, Of(&ANY_VALUE)), (3, Varint)]);
static ENTITY_REF: Fields = Fields(&[(1, Text), (2, Text), (3, Text), (4, Text)]);
static RESOURCE: Fields = Fields(&[(1, Of(&KEY_VALUE)), (2, Varint), (3, Of(&ENTITY_REF))]);
static SCOPE: Fields = Fields(&[(1, Text), (2, Text), (3, Of(&KEY_VALUE)), (4, Varint)]);
static EVENT: Fields = Fields(&[(1, Fixed64), (2, Text), (3, Of(&KEY_VALUE)), (4, Varint)]);
static LINK: Fields =
    Fields(&[(1, Ty::Bytes(16)), (2, Ty::Bytes(8)), (3, Text), (4, Of(&KEY_VALUE)), (5, Varint), (6, Fixed32)]);
static STATUS: Fields = Fields(&[(2, Text), (3, Varint)]);
static SPAN: Fields = Fields(&[
    (1, Ty::Bytes(16)),
    (2, Ty::Bytes(8)),
    (3, Text),
    (4, Ty::Bytes(8)),
    (5, Text),
    (6, Varint),
    (7, Fixed64),
    (8, Fixed64),
    (9, Of(&KEY_VALUE)),
    (10, Varint),
    (11, Of(&EVENT)),
    (12, Varint),
    (13, Of(&LINK)),
    (14, Varint),
    (15, Of(&STATUS)),
    (15, Of(&STATUS)),
    (16, Fixed32),
]);
static LOG: Fields = Fields(&[
    (1, Fixed64),
    (2, Varint),
    (3, Text),
    (5, Of(&ANY_VALUE)),
    (5, Of(&ANY_VALUE)),
    (6, Of(&KEY_VALUE)),
    (7, Varint),
    (8, Fixed32),
    (9, Ty::Bytes(16)),
    (10, Ty::Bytes(8)),
    (11, Fixed64),
    (12, Text),
]);
static SCOPE_SPANS: Fields = Fields(&[(1, Of(&SCOPE)), (2, Of(&SPAN)), (2, Of(&SPAN)), (3, Text)]);
static RESOURCE_SPANS: Fields = Fields(&[(1, Of(&RESOURCE)), (2, Of(&SCOPE_SPANS)), (2, Of(&SCOPE_SPANS)), (3, Text)]);
static TRACES: Fields = Fields(&[(1, Of(&RESOURCE_SPANS))]);
static SCOPE_LOGS: Fields = Fields(&[(1, Of(&SCOPE)), (2, Of(&LOG)), (2, Of(&LOG)), (3, Text)]);
static RESOURCE_LOGS: Fields = Fields(&[(1, Of(&RESOURCE)), (2, Of(&SCOPE_LOGS)), (2, Of(&SCOPE_LOGS)), (3, Text)]);
static LOGS: Fields = Fields(&[(1, Of(&RESOURCE_LOGS))]);
static POINT: Fields = Fields(&[(2, Fixed64), (3, Fixed64), (7, Of(&KEY_VALUE))]);
static GAUGE: Fields = Fields(&[(1, Of(&POINT))]);
static HISTOGRAM: Fields = Fields(&[(1, Of(&POINT)), (2, Varint)]);
static SUM: Fields = Fields(&[(1, Of(&POINT)), (2, Varint), (3, Varint)]);
static METRIC: Fields = Fields(&[
    (1, Text),
    (2, Text),
    (3, Text),
    (5, Of(&GAUGE)),
    (7, Of(&SUM)),
    (9, Of(&HISTOGRAM)),
    (10, Of(&HISTOGRAM)),
    (11, Of(&GAUGE)),
    (12, Of(&KEY_VALUE)),
]);
static SCOPE_METRICS: Fields = Fields(&[(1, Of(&SCOPE)), (2, Of(&METRIC)), (2, Of(&METRIC)), (3, Text)]);
static RESOURCE_METRICS: Fields = Fields(&[(1, Of(&RESOURCE)), (2, Of(&SCOPE_METRICS)), (3, Text)]);
static METRICS: Fields = Fields(&[(1, Of(&RESOURCE_METRICS))]);

/// Draws choices from a script; when it is used up, every choice is the first. Shrinking the script shrinks the
/// message.
struct Script<'s>(&'s [u32]);

impl Script<'_> {
    fn below(&mut self, bound: u32) -> u32 {
        match self.0 {
            [first, rest @ ..] => {
                self.0 = rest;
                first % bound
            }
            [] => 0,
        }
    }

    fn one_in(&mut self, chance: u32) -> bool {
        self.below(chance) == chance - 1
    }
}

fn varint(mut value: u64, out: &mut Vec<u8>) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

fn wild(Fields(fields): &Fields, script: &mut Script<'_>, depth: u32) -> Vec<u8> {
    let mut out = Vec::new();
    // Sound ids first, so that most records are sound unless a later field says otherwise.
    for (tag, ty) in *fields {
        if let (1 | 2 | 9 | 10, Ty::Bytes(len @ (8 | 16))) = (tag, ty) {
            field(*tag, Ty::Bytes(*len), &mut Script(&[]), 0, &mut out);
        }
    }
    for _ in 0..script.below(7) {
        let (tag, ty) = fields[script.below(fields.len() as u32) as usize];
        if script.one_in(40) {
            let (tag, ty) = (1 + script.below(40), [Varint, Fixed64, Text, Fixed32][script.below(4) as usize]);
            field(tag, ty, script, depth, &mut out);
        } else if script.one_in(60) {
            group(1 + script.below(40), script, &mut out);
        } else {
            field(tag, ty, script, depth, &mut out);
        }
    }
    out
}

fn field(tag: u32, ty: Ty, script: &mut Script<'_>, depth: u32, out: &mut Vec<u8>) {
    let wire_type = match ty {
        Varint => 0,
        Fixed64 => 1,
        Fixed32 => 5,
        Text | Ty::Bytes(_) | Of(_) => 2,
    };
    varint(u64::from(tag << 3 | wire_type), out);
    match ty {
        Varint => varint([0, 1, 2, 300, u64::MAX, 1 << 32, 1 << 63][script.below(7) as usize], out),
        Fixed64 => out.extend([1u64, 2, 0, u64::MAX, f64::NAN.to_bits()][script.below(5) as usize].to_le_bytes()),
        Fixed32 => out.extend(script.below(u32::MAX).to_le_bytes()),
        Text => {
            let texts: [&[u8]; 8] =
                [b"", b"a", b"key", "é€😀".as_bytes(), &[b'x'; 130], b"\"\\\n", b"gen_ai.tool.name", b"\xff"];
            let bound = if script.one_in(30) { 8 } else { 7 };
            let text = texts[script.below(bound) as usize];
            varint(text.len() as u64, out);
            out.extend(text);
        }
        Ty::Bytes(len) => {
            let len = if script.one_in(20) { script.below(20) as usize } else { len };
            let byte = if script.one_in(20) { 0 } else { 7 };
            varint(len as u64, out);
            out.extend(std::iter::repeat_n(byte, len));
        }
        Of(fields) => {
            let message = if depth == 0 { Vec::new() } else { wild(fields, script, depth - 1) };
            varint(message.len() as u64, out);
            out.extend(message);
        }
    }
}

/// A group, which proto3 has not but every reader must pass over.
fn group(tag: u32, script: &mut Script<'_>, out: &mut Vec<u8>) {
    varint(u64::from(tag << 3 | 3), out);
    for _ in 0..script.below(3) {
        match script.below(3) {
            0 => field(1 + script.below(20), Varint, script, 0, out),
            1 => field(1 + script.below(20), Text, script, 0, out),
            _ => group(1 + script.below(20), script, out),
        }
    }
    let tag = if script.one_in(10) { tag + 1 } else { tag };
    varint(u64::from(tag << 3 | 4), out);
}

/// A request with the fields of the protocol in any order, number and mixture, some of them wrong.
pub(crate) fn wild_request(signal: Signal, script: &[u32]) -> Vec<u8> {
    let fields = match signal {
        Signal::Traces => &TRACES,
        Signal::Logs => &LOGS,
        Signal::Metrics => &METRICS,
    };
    wild(fields, &mut Script(script), 20)
}

pub(crate) fn noise() -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(any::<u8>(), 0..64)
}

pub(crate) fn script() -> impl Strategy<Value = Vec<u32>> {
    prop::collection::vec(any::<u32>(), 0..600)
}

/// One change to some bytes: where (of 2^16), what.
#[derive(Debug, Clone)]
pub(crate) enum Change {
    Set(u16, u8),
    Flip(u16, u8),
    Insert(u16, Vec<u8>),
    Remove(u16, u8),
    Repeat(u16, u8),
    Cut(u16),
}

pub(crate) fn changes() -> impl Strategy<Value = Vec<Change>> {
    let change = prop_oneof![
        (any::<u16>(), any::<u8>()).prop_map(|(at, byte)| Change::Set(at, byte)),
        (any::<u16>(), 0..8u8).prop_map(|(at, bit)| Change::Flip(at, bit)),
        (any::<u16>(), prop::collection::vec(any::<u8>(), 1..12)).prop_map(|(at, bytes)| Change::Insert(at, bytes)),
        (any::<u16>(), any::<u8>()).prop_map(|(at, len)| Change::Remove(at, len % 16)),
        (any::<u16>(), any::<u8>()).prop_map(|(at, len)| Change::Repeat(at, len % 64)),
        any::<u16>().prop_map(Change::Cut),
    ];
    prop::collection::vec(change, 1..4)
}

pub(crate) fn changed(mut bytes: Vec<u8>, changes: &[Change]) -> Vec<u8> {
    for change in changes {
        let place = |at: &u16| usize::from(*at) * bytes.len() / (1 << 16);
        let range = |at: &u16, len: &u8| place(at)..(place(at) + usize::from(*len)).min(bytes.len());
        match change {
            _ if bytes.is_empty() => {}
            Change::Set(at, byte) => {
                let at = place(at);
                bytes[at] = *byte;
            }
            Change::Flip(at, bit) => {
                let at = place(at);
                bytes[at] ^= 1 << bit;
            }
            Change::Insert(at, new) => {
                let at = place(at);
                bytes.splice(at..at, new.iter().copied());
            }
            Change::Remove(at, len) => drop(bytes.drain(range(at, len))),
            Change::Repeat(at, len) => {
                let range = range(at, len);
                let copy = bytes[range.clone()].to_vec();
                bytes.splice(range.end..range.end, copy);
            }
            Change::Cut(at) => bytes.truncate(place(at)),
        }
    }
    bytes
}

/// Cases of each property.
pub(crate) fn cases() -> u32 {
    std::env::var("WHEREFORE_FUZZ_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(512)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(cases()))]

    #[test]
    fn spans_are_what_prost_says(script in script()) {
        agrees_with_prost(Signal::Traces, wild_request(Signal::Traces, &script))?;
    }

    #[test]
    fn logs_are_what_prost_says(script in script()) {
        agrees_with_prost(Signal::Logs, wild_request(Signal::Logs, &script))?;
    }

    #[test]
    fn metrics_are_counted_as_prost_counts_them(script in script()) {
        counts_like_prost(&wild_request(Signal::Metrics, &script))?;
    }

    #[test]
    fn changed_requests_are_what_prost_says(script in script(), changes in changes()) {
        agrees_with_prost(Signal::Traces, changed(wild_request(Signal::Traces, &script), &changes))?;
        agrees_with_prost(Signal::Logs, changed(wild_request(Signal::Logs, &script), &changes))?;
        counts_like_prost(&changed(wild_request(Signal::Metrics, &script), &changes))?;
    }

    #[test]
    fn canonical_requests_are_what_prost_says(script in script()) {
        let body = wild_request(Signal::Traces, &script);
        if let Ok(request) = otlp::collector::trace::v1::ExportTraceServiceRequest::decode(&*body) {
            agrees_with_prost(Signal::Traces, request.encode_to_vec())?;
        }
    }

    #[test]
    fn noise_is_what_prost_says(body in noise()) {
        agrees_with_prost(Signal::Traces, body.clone())?;
        agrees_with_prost(Signal::Logs, body.clone())?;
        counts_like_prost(&body)?;
    }

    #[test]
    fn nesting_ends_where_prost_ends_it(levels in 40..60usize, maps in any::<u64>()) {
        let mut value = vec![0x18, 1];
        for level in 0..levels {
            let map = maps >> level & 1 == 1;
            value = wrap(if map { 0x32 } else { 0x2a }, wrap(0x0a, if map { wrap(0x12, value) } else { value }));
        }
        let resource = wrap(0x0a, wrap(0x0a, wrap(0x0a, wrap(0x12, value.clone()))));
        agrees_with_prost(Signal::Logs, resource)?;
        let log = wrap(0x0a, wrap(0x12, wrap(0x12, wrap(0x2a, value))));
        agrees_with_prost(Signal::Logs, log)?;
    }
}

fn wrap(key: u8, payload: Vec<u8>) -> Vec<u8> {
    let mut out = vec![key];
    varint(payload.len() as u64, &mut out);
    out.extend(payload);
    out
}
