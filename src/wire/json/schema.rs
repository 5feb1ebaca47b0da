//! The messages of OTLP as tables: JSON key, protobuf tag, type. From `proto/opentelemetry`; a test reads those
//! files and compares.

use std::ops::RangeInclusive;

use crate::model::Signal;
use crate::wire::rejected::Reason;

/// A message. Its fields stand in the order in which they are written.
#[derive(Debug)]
pub struct Message {
    /// The protobuf name.
    #[cfg_attr(not(test), expect(dead_code, reason = "for the comparison with the protocol"))]
    pub name: &'static str,
    /// Whether a value in it that does not fit costs this message only.
    pub record: bool,
    /// At most 16.
    pub fields: &'static [Field],
}

/// A field of a message.
#[derive(Debug)]
pub struct Field {
    pub name: &'static str,
    pub tag: u32,
    pub kind: Kind,
    pub presence: Presence,
}

/// How often a field stands in its message, and whether it stands there when it has the default value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Presence {
    /// Once; left out when it is the default.
    Plain,
    /// Once; written whenever it was given: messages and `optional` fields.
    Given,
    /// Once, and instead of the message's other alternatives.
    Alternative,
    /// Any number of times.
    Repeated,
}

/// The type of a field.
#[derive(Debug, Clone, Copy)]
pub enum Kind {
    Text,
    Base64,
    /// Hex digits for this many bytes, or none; anything else is wrong for this reason.
    Id(usize, Reason),
    Bool,
    Double,
    Whole(Number),
    Message(&'static Message),
}

/// The type of a whole number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Number {
    /// Also enums, whose names are not valid in OTLP/JSON.
    Int32,
    Int64,
    Uint32,
    Uint64,
    Sint32,
    Fixed32,
    Fixed64,
    Sfixed64,
}

impl Kind {
    /// Protobuf's wire type.
    pub fn wire_type(self) -> u32 {
        match self {
            Self::Text | Self::Base64 | Self::Id(..) | Self::Message(_) => 2,
            Self::Double | Self::Whole(Number::Fixed64 | Number::Sfixed64) => 1,
            Self::Whole(Number::Fixed32) => 5,
            Self::Bool | Self::Whole(_) => 0,
        }
    }
}

impl Number {
    /// The values it can have.
    pub fn range(self) -> RangeInclusive<i128> {
        match self {
            Self::Int32 | Self::Sint32 => i128::from(i32::MIN)..=i128::from(i32::MAX),
            Self::Int64 | Self::Sfixed64 => i128::from(i64::MIN)..=i128::from(i64::MAX),
            Self::Uint32 | Self::Fixed32 => 0..=i128::from(u32::MAX),
            Self::Uint64 | Self::Fixed64 => 0..=i128::from(u64::MAX),
        }
    }
}

/// The request of a signal.
pub fn request(signal: Signal) -> &'static Message {
    match signal {
        Signal::Traces => &TRACES,
        Signal::Logs => &LOGS,
        Signal::Metrics => &METRICS,
    }
}

const fn plain(name: &'static str, tag: u32, kind: Kind) -> Field {
    Field { name, tag, kind, presence: Presence::Plain }
}

const fn given(name: &'static str, tag: u32, kind: Kind) -> Field {
    Field { name, tag, kind, presence: Presence::Given }
}

const fn either(name: &'static str, tag: u32, kind: Kind) -> Field {
    Field { name, tag, kind, presence: Presence::Alternative }
}

const fn repeated(name: &'static str, tag: u32, kind: Kind) -> Field {
    Field { name, tag, kind, presence: Presence::Repeated }
}

const fn message(name: &'static str, fields: &'static [Field]) -> Message {
    Message { name, record: false, fields }
}

const fn record(name: &'static str, fields: &'static [Field]) -> Message {
    Message { name, record: true, fields }
}

use Kind::{Base64, Bool, Double, Id, Message as Of, Text, Whole};
use Number::{Fixed32, Fixed64, Int32, Int64, Sfixed64, Sint32, Uint32, Uint64};

static TRACES: Message = message("ExportTraceServiceRequest", &[repeated("resourceSpans", 1, Of(&RESOURCE_SPANS))]);

static RESOURCE_SPANS: Message = message(
    "ResourceSpans",
    &[given("resource", 1, Of(&RESOURCE)), repeated("scopeSpans", 2, Of(&SCOPE_SPANS)), plain("schemaUrl", 3, Text)],
);

static SCOPE_SPANS: Message = message(
    "ScopeSpans",
    &[given("scope", 1, Of(&SCOPE)), repeated("spans", 2, Of(&SPAN)), plain("schemaUrl", 3, Text)],
);

static SPAN: Message = record(
    "Span",
    &[
        plain("traceId", 1, Id(16, Reason::TraceId)),
        plain("spanId", 2, Id(8, Reason::SpanId)),
        plain("traceState", 3, Text),
        plain("parentSpanId", 4, Id(8, Reason::ParentSpanId)),
        plain("name", 5, Text),
        plain("kind", 6, Whole(Int32)),
        plain("startTimeUnixNano", 7, Whole(Fixed64)),
        plain("endTimeUnixNano", 8, Whole(Fixed64)),
        repeated("attributes", 9, Of(&KEY_VALUE)),
        plain("droppedAttributesCount", 10, Whole(Uint32)),
        repeated("events", 11, Of(&EVENT)),
        plain("droppedEventsCount", 12, Whole(Uint32)),
        repeated("links", 13, Of(&LINK)),
        plain("droppedLinksCount", 14, Whole(Uint32)),
        given("status", 15, Of(&STATUS)),
        plain("flags", 16, Whole(Fixed32)),
    ],
);

static EVENT: Message = message(
    "Event",
    &[
        plain("timeUnixNano", 1, Whole(Fixed64)),
        plain("name", 2, Text),
        repeated("attributes", 3, Of(&KEY_VALUE)),
        plain("droppedAttributesCount", 4, Whole(Uint32)),
    ],
);

static LINK: Message = message(
    "Link",
    &[
        plain("traceId", 1, Id(16, Reason::TraceId)),
        plain("spanId", 2, Id(8, Reason::SpanId)),
        plain("traceState", 3, Text),
        repeated("attributes", 4, Of(&KEY_VALUE)),
        plain("droppedAttributesCount", 5, Whole(Uint32)),
        plain("flags", 6, Whole(Fixed32)),
    ],
);

static STATUS: Message = message("Status", &[plain("message", 2, Text), plain("code", 3, Whole(Int32))]);

static LOGS: Message = message("ExportLogsServiceRequest", &[repeated("resourceLogs", 1, Of(&RESOURCE_LOGS))]);

static RESOURCE_LOGS: Message = message(
    "ResourceLogs",
    &[given("resource", 1, Of(&RESOURCE)), repeated("scopeLogs", 2, Of(&SCOPE_LOGS)), plain("schemaUrl", 3, Text)],
);

static SCOPE_LOGS: Message = message(
    "ScopeLogs",
    &[given("scope", 1, Of(&SCOPE)), repeated("logRecords", 2, Of(&LOG_RECORD)), plain("schemaUrl", 3, Text)],
);

static LOG_RECORD: Message = record(
    "LogRecord",
    &[
        plain("timeUnixNano", 1, Whole(Fixed64)),
        plain("severityNumber", 2, Whole(Int32)),
        plain("severityText", 3, Text),
        given("body", 5, Of(&ANY_VALUE)),
        repeated("attributes", 6, Of(&KEY_VALUE)),
        plain("droppedAttributesCount", 7, Whole(Uint32)),
        plain("flags", 8, Whole(Fixed32)),
        plain("traceId", 9, Id(16, Reason::TraceId)),
        plain("spanId", 10, Id(8, Reason::SpanId)),
        plain("observedTimeUnixNano", 11, Whole(Fixed64)),
        plain("eventName", 12, Text),
    ],
);

static RESOURCE: Message = message(
    "Resource",
    &[
        repeated("attributes", 1, Of(&KEY_VALUE)),
        plain("droppedAttributesCount", 2, Whole(Uint32)),
        repeated("entityRefs", 3, Of(&ENTITY_REF)),
    ],
);

static ENTITY_REF: Message = message(
    "EntityRef",
    &[
        plain("schemaUrl", 1, Text),
        plain("type", 2, Text),
        repeated("idKeys", 3, Text),
        repeated("descriptionKeys", 4, Text),
    ],
);

static SCOPE: Message = message(
    "InstrumentationScope",
    &[
        plain("name", 1, Text),
        plain("version", 2, Text),
        repeated("attributes", 3, Of(&KEY_VALUE)),
        plain("droppedAttributesCount", 4, Whole(Uint32)),
    ],
);

static KEY_VALUE: Message = message(
    "KeyValue",
    &[plain("key", 1, Text), given("value", 2, Of(&ANY_VALUE)), plain("keyStrindex", 3, Whole(Int32))],
);

static ANY_VALUE: Message = message(
    "AnyValue",
    &[
        either("stringValue", 1, Text),
        either("boolValue", 2, Bool),
        either("intValue", 3, Whole(Int64)),
        either("doubleValue", 4, Double),
        either("arrayValue", 5, Of(&ARRAY_VALUE)),
        either("kvlistValue", 6, Of(&KEY_VALUE_LIST)),
        either("bytesValue", 7, Base64),
        either("stringValueStrindex", 8, Whole(Int32)),
    ],
);

static ARRAY_VALUE: Message = message("ArrayValue", &[repeated("values", 1, Of(&ANY_VALUE))]);

static KEY_VALUE_LIST: Message = message("KeyValueList", &[repeated("values", 1, Of(&KEY_VALUE))]);

static METRICS: Message =
    message("ExportMetricsServiceRequest", &[repeated("resourceMetrics", 1, Of(&RESOURCE_METRICS))]);

static RESOURCE_METRICS: Message = message(
    "ResourceMetrics",
    &[
        given("resource", 1, Of(&RESOURCE)),
        repeated("scopeMetrics", 2, Of(&SCOPE_METRICS)),
        plain("schemaUrl", 3, Text),
    ],
);

static SCOPE_METRICS: Message = message(
    "ScopeMetrics",
    &[given("scope", 1, Of(&SCOPE)), repeated("metrics", 2, Of(&METRIC)), plain("schemaUrl", 3, Text)],
);

static METRIC: Message = message(
    "Metric",
    &[
        plain("name", 1, Text),
        plain("description", 2, Text),
        plain("unit", 3, Text),
        either("gauge", 5, Of(&GAUGE)),
        either("sum", 7, Of(&SUM)),
        either("histogram", 9, Of(&HISTOGRAM)),
        either("exponentialHistogram", 10, Of(&EXPONENTIAL_HISTOGRAM)),
        either("summary", 11, Of(&SUMMARY)),
        repeated("metadata", 12, Of(&KEY_VALUE)),
    ],
);

static GAUGE: Message = message("Gauge", &[repeated("dataPoints", 1, Of(&NUMBER_DATA_POINT))]);

static SUM: Message = message(
    "Sum",
    &[
        repeated("dataPoints", 1, Of(&NUMBER_DATA_POINT)),
        plain("aggregationTemporality", 2, Whole(Int32)),
        plain("isMonotonic", 3, Bool),
    ],
);

static HISTOGRAM: Message = message(
    "Histogram",
    &[repeated("dataPoints", 1, Of(&HISTOGRAM_DATA_POINT)), plain("aggregationTemporality", 2, Whole(Int32))],
);

static EXPONENTIAL_HISTOGRAM: Message = message(
    "ExponentialHistogram",
    &[
        repeated("dataPoints", 1, Of(&EXPONENTIAL_HISTOGRAM_DATA_POINT)),
        plain("aggregationTemporality", 2, Whole(Int32)),
    ],
);

static SUMMARY: Message = message("Summary", &[repeated("dataPoints", 1, Of(&SUMMARY_DATA_POINT))]);

static NUMBER_DATA_POINT: Message = record(
    "NumberDataPoint",
    &[
        plain("startTimeUnixNano", 2, Whole(Fixed64)),
        plain("timeUnixNano", 3, Whole(Fixed64)),
        either("asDouble", 4, Double),
        either("asInt", 6, Whole(Sfixed64)),
        repeated("exemplars", 5, Of(&EXEMPLAR)),
        repeated("attributes", 7, Of(&KEY_VALUE)),
        plain("flags", 8, Whole(Uint32)),
    ],
);

static HISTOGRAM_DATA_POINT: Message = record(
    "HistogramDataPoint",
    &[
        plain("startTimeUnixNano", 2, Whole(Fixed64)),
        plain("timeUnixNano", 3, Whole(Fixed64)),
        plain("count", 4, Whole(Fixed64)),
        given("sum", 5, Double),
        repeated("bucketCounts", 6, Whole(Fixed64)),
        repeated("explicitBounds", 7, Double),
        repeated("exemplars", 8, Of(&EXEMPLAR)),
        repeated("attributes", 9, Of(&KEY_VALUE)),
        plain("flags", 10, Whole(Uint32)),
        given("min", 11, Double),
        given("max", 12, Double),
    ],
);

static EXPONENTIAL_HISTOGRAM_DATA_POINT: Message = record(
    "ExponentialHistogramDataPoint",
    &[
        repeated("attributes", 1, Of(&KEY_VALUE)),
        plain("startTimeUnixNano", 2, Whole(Fixed64)),
        plain("timeUnixNano", 3, Whole(Fixed64)),
        plain("count", 4, Whole(Fixed64)),
        given("sum", 5, Double),
        plain("scale", 6, Whole(Sint32)),
        plain("zeroCount", 7, Whole(Fixed64)),
        given("positive", 8, Of(&BUCKETS)),
        given("negative", 9, Of(&BUCKETS)),
        plain("flags", 10, Whole(Uint32)),
        repeated("exemplars", 11, Of(&EXEMPLAR)),
        given("min", 12, Double),
        given("max", 13, Double),
        plain("zeroThreshold", 14, Double),
    ],
);

static BUCKETS: Message =
    message("Buckets", &[plain("offset", 1, Whole(Sint32)), repeated("bucketCounts", 2, Whole(Uint64))]);

static SUMMARY_DATA_POINT: Message = record(
    "SummaryDataPoint",
    &[
        plain("startTimeUnixNano", 2, Whole(Fixed64)),
        plain("timeUnixNano", 3, Whole(Fixed64)),
        plain("count", 4, Whole(Fixed64)),
        plain("sum", 5, Double),
        repeated("quantileValues", 6, Of(&VALUE_AT_QUANTILE)),
        repeated("attributes", 7, Of(&KEY_VALUE)),
        plain("flags", 8, Whole(Uint32)),
    ],
);

static VALUE_AT_QUANTILE: Message =
    message("ValueAtQuantile", &[plain("quantile", 1, Double), plain("value", 2, Double)]);

static EXEMPLAR: Message = message(
    "Exemplar",
    &[
        plain("timeUnixNano", 2, Whole(Fixed64)),
        either("asDouble", 3, Double),
        either("asInt", 6, Whole(Sfixed64)),
        plain("spanId", 4, Id(8, Reason::SpanId)),
        plain("traceId", 5, Id(16, Reason::TraceId)),
        repeated("filteredAttributes", 7, Of(&KEY_VALUE)),
    ],
);

#[cfg(test)]
mod tests {
    use super::*;

    use std::collections::{BTreeMap, BTreeSet};

    const PROTOS: [&str; 7] = [
        include_str!("../../../proto/opentelemetry/proto/collector/trace/v1/trace_service.proto"),
        include_str!("../../../proto/opentelemetry/proto/collector/logs/v1/logs_service.proto"),
        include_str!("../../../proto/opentelemetry/proto/collector/metrics/v1/metrics_service.proto"),
        include_str!("../../../proto/opentelemetry/proto/common/v1/common.proto"),
        include_str!("../../../proto/opentelemetry/proto/resource/v1/resource.proto"),
        include_str!("../../../proto/opentelemetry/proto/trace/v1/trace.proto"),
        include_str!("../../../proto/opentelemetry/proto/logs/v1/logs.proto"),
    ];
    const METRICS_PROTO: &str = include_str!("../../../proto/opentelemetry/proto/metrics/v1/metrics.proto");

    type Fields = BTreeSet<(u32, String, String)>;

    /// Message name to (tag, camel-case name, type with its label), as the tables have it.
    fn of_tables(message: &'static Message, all: &mut BTreeMap<String, Fields>) {
        if all.contains_key(message.name) {
            return;
        }
        let field = |field: &Field| (field.tag, field.name.to_owned(), type_of(field));
        all.insert(message.name.to_owned(), message.fields.iter().map(field).collect());
        for field in message.fields {
            if let Of(inner) = field.kind {
                of_tables(inner, all);
            }
        }
    }

    fn type_of(field: &Field) -> String {
        let kind = match field.kind {
            Text => "string".to_owned(),
            Base64 | Id(..) => "bytes".to_owned(),
            Bool => "bool".to_owned(),
            Double => "double".to_owned(),
            Whole(number) => format!("{number:?}").to_lowercase(),
            Of(inner) => inner.name.to_owned(),
        };
        match (field.presence, field.kind) {
            (Presence::Repeated, _) => format!("repeated {kind}"),
            (Presence::Given, Of(_)) | (Presence::Plain, _) => kind,
            (Presence::Given, _) => format!("optional {kind}"),
            (Presence::Alternative, _) => format!("oneof {kind}"),
        }
    }

    /// The same from the text of the protocol: one declaration per line, as those files are written.
    fn of_protos(text: &str, all: &mut BTreeMap<String, Fields>) {
        let mut blocks: Vec<(&str, &str)> = Vec::new();
        for line in text.lines().map(|line| line.split("//").next().unwrap_or_default().trim()) {
            let words: Vec<&str> = line.split_whitespace().collect();
            match words.as_slice() {
                [block @ ("message" | "enum" | "oneof" | "service"), name, ..] => {
                    blocks.push((block, name));
                    if *block == "message" {
                        all.entry((*name).to_owned()).or_default();
                    }
                }
                [field @ .., name, "=", tag] if tag.ends_with(';') => {
                    let tag = tag.trim_end_matches(';').parse();
                    if let (Some(message), Ok(tag)) = (message_of(&blocks), tag) {
                        let label =
                            if blocks.last().is_some_and(|(block, _)| *block == "oneof") { "oneof " } else { "" };
                        let fields = all.get_mut(message).expect("entered with its block");
                        fields.insert((tag, camel_case(name), format!("{label}{}", proto_type(&field.join(" ")))));
                    }
                }
                _ => {}
            }
            if line.contains('}') {
                blocks.pop();
            }
        }
    }

    fn message_of<'a>(blocks: &[(&str, &'a str)]) -> Option<&'a str> {
        let (_, name) = blocks.iter().rev().find(|(block, _)| *block != "oneof")?;
        blocks.contains(&("message", name)).then_some(name)
    }

    fn proto_type(declared: &str) -> String {
        let words = declared.split_whitespace().map(|word| match word.rsplit('.').next().unwrap_or(word) {
            "SpanKind" | "StatusCode" | "SeverityNumber" | "AggregationTemporality" => "int32",
            word => word,
        });
        words.collect::<Vec<_>>().join(" ")
    }

    fn camel_case(name: &str) -> String {
        let mut words = name.split('_');
        let first = words.next().unwrap_or_default().to_owned();
        words.fold(first, |name, word| name + &word[..1].to_uppercase() + &word[1..])
    }

    #[test]
    fn the_tables_are_the_protocol() {
        let (mut tables, mut protos) = (BTreeMap::new(), BTreeMap::new());
        for signal in Signal::ALL {
            of_tables(request(signal), &mut tables);
        }
        for text in PROTOS.iter().chain([&METRICS_PROTO]) {
            of_protos(text, &mut protos);
        }
        protos.retain(|name, _| tables.contains_key(name));
        for (name, fields) in &tables {
            assert_eq!(Some(fields), protos.get(name), "{name}");
        }
    }

    #[test]
    fn no_message_has_more_fields_than_there_are_slots() {
        fn largest(message: &'static Message, depth: usize) -> usize {
            let inner = message.fields.iter().filter_map(|field| match field.kind {
                Of(inner) if depth > 0 => Some(largest(inner, depth - 1)),
                _ => None,
            });
            inner.max().unwrap_or(0).max(message.fields.len())
        }
        for signal in Signal::ALL {
            assert!(largest(request(signal), 8) <= 16);
        }
    }
}
