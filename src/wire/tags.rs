//! The field keys of the OTLP messages that are walked: tag and wire type in one number, as they stand on the
//! wire. From `proto/opentelemetry`. `KNOWN` is the set of a message's tags: a known tag with another wire type is
//! an error, an unknown one is skipped.

const fn varint(tag: u32) -> u32 {
    tag << 3
}

const fn fixed64(tag: u32) -> u32 {
    tag << 3 | 1
}

const fn len(tag: u32) -> u32 {
    tag << 3 | 2
}

const fn fixed32(tag: u32) -> u32 {
    tag << 3 | 5
}

/// Tags 1 to `last` as a set.
const fn up_to(last: u32) -> u32 {
    (1 << (last + 1)) - 2
}

/// `Export*ServiceRequest`, the same for every signal.
pub mod request {
    pub const RESOURCE: u32 = super::len(1);
    pub const KNOWN: u32 = super::up_to(1);
}

/// `ResourceSpans`, `ResourceLogs`, `ResourceMetrics`.
pub mod by_resource {
    pub const RESOURCE: u32 = super::len(1);
    pub const SCOPE: u32 = super::len(2);
    pub const SCHEMA_URL: u32 = super::len(3);
    pub const KNOWN: u32 = super::up_to(3);
}

/// `ScopeSpans`, `ScopeLogs`, `ScopeMetrics`.
pub mod by_scope {
    pub const SCOPE: u32 = super::len(1);
    pub const RECORD: u32 = super::len(2);
    pub const SCHEMA_URL: u32 = super::len(3);
    pub const KNOWN: u32 = super::up_to(3);
}

pub mod resource {
    pub const ATTRIBUTE: u32 = super::len(1);
    pub const DROPPED_ATTRIBUTES: u32 = super::varint(2);
    pub const ENTITY_REF: u32 = super::len(3);
    pub const KNOWN: u32 = super::up_to(3);
}

pub mod entity_ref {
    pub const SCHEMA_URL: u32 = super::len(1);
    pub const TYPE: u32 = super::len(2);
    pub const ID_KEY: u32 = super::len(3);
    pub const DESCRIPTION_KEY: u32 = super::len(4);
    pub const KNOWN: u32 = super::up_to(4);
}

/// `InstrumentationScope`.
pub mod scope {
    pub const NAME: u32 = super::len(1);
    pub const VERSION: u32 = super::len(2);
    pub const ATTRIBUTE: u32 = super::len(3);
    pub const DROPPED_ATTRIBUTES: u32 = super::varint(4);
    pub const KNOWN: u32 = super::up_to(4);
}

pub mod key_value {
    pub const KEY: u32 = super::len(1);
    pub const VALUE: u32 = super::len(2);
    pub const KEY_STRINDEX: u32 = super::varint(3);
    pub const KNOWN: u32 = super::up_to(3);
}

pub mod any_value {
    pub const STRING: u32 = super::len(1);
    pub const BOOL: u32 = super::varint(2);
    pub const INT: u32 = super::varint(3);
    pub const DOUBLE: u32 = super::fixed64(4);
    pub const ARRAY: u32 = super::len(5);
    pub const MAP: u32 = super::len(6);
    pub const BYTES: u32 = super::len(7);
    pub const STRINDEX: u32 = super::varint(8);
    pub const KNOWN: u32 = super::up_to(8);
}

/// `ArrayValue` and `KeyValueList`.
pub mod list {
    pub const VALUE: u32 = super::len(1);
    pub const KNOWN: u32 = super::up_to(1);
}

pub mod span {
    pub const TRACE_ID: u32 = super::len(1);
    pub const SPAN_ID: u32 = super::len(2);
    pub const TRACE_STATE: u32 = super::len(3);
    pub const PARENT_SPAN_ID: u32 = super::len(4);
    pub const NAME: u32 = super::len(5);
    pub const KIND: u32 = super::varint(6);
    pub const START: u32 = super::fixed64(7);
    pub const END: u32 = super::fixed64(8);
    pub const ATTRIBUTE: u32 = super::len(9);
    pub const DROPPED_ATTRIBUTES: u32 = super::varint(10);
    pub const EVENT: u32 = super::len(11);
    pub const DROPPED_EVENTS: u32 = super::varint(12);
    pub const LINK: u32 = super::len(13);
    pub const DROPPED_LINKS: u32 = super::varint(14);
    pub const STATUS: u32 = super::len(15);
    pub const FLAGS: u32 = super::fixed32(16);
    pub const KNOWN: u32 = super::up_to(16);
}

pub mod event {
    pub const TIME: u32 = super::fixed64(1);
    pub const NAME: u32 = super::len(2);
    pub const ATTRIBUTE: u32 = super::len(3);
    pub const DROPPED_ATTRIBUTES: u32 = super::varint(4);
    pub const KNOWN: u32 = super::up_to(4);
}

pub mod link {
    pub const TRACE_ID: u32 = super::len(1);
    pub const SPAN_ID: u32 = super::len(2);
    pub const TRACE_STATE: u32 = super::len(3);
    pub const ATTRIBUTE: u32 = super::len(4);
    pub const DROPPED_ATTRIBUTES: u32 = super::varint(5);
    pub const FLAGS: u32 = super::fixed32(6);
    pub const KNOWN: u32 = super::up_to(6);
}

/// `Status`; its tag 1 is reserved, so unknown.
pub mod status {
    pub const MESSAGE: u32 = super::len(2);
    pub const CODE: u32 = super::varint(3);
    pub const KNOWN: u32 = super::up_to(3) & !(1 << 1);
}

/// `LogRecord`; its tag 4 is reserved, so unknown.
pub mod log {
    pub const TIME: u32 = super::fixed64(1);
    pub const SEVERITY_NUMBER: u32 = super::varint(2);
    pub const SEVERITY_TEXT: u32 = super::len(3);
    pub const BODY: u32 = super::len(5);
    pub const ATTRIBUTE: u32 = super::len(6);
    pub const DROPPED_ATTRIBUTES: u32 = super::varint(7);
    pub const FLAGS: u32 = super::fixed32(8);
    pub const TRACE_ID: u32 = super::len(9);
    pub const SPAN_ID: u32 = super::len(10);
    pub const OBSERVED_TIME: u32 = super::fixed64(11);
    pub const EVENT_NAME: u32 = super::len(12);
    pub const KNOWN: u32 = super::up_to(12) & !(1 << 4);
}

pub mod metric {
    pub const NAME: u32 = super::len(1);
    pub const DESCRIPTION: u32 = super::len(2);
    pub const UNIT: u32 = super::len(3);
    pub const GAUGE: u32 = super::len(5);
    pub const SUM: u32 = super::len(7);
    pub const HISTOGRAM: u32 = super::len(9);
    pub const EXPONENTIAL_HISTOGRAM: u32 = super::len(10);
    pub const SUMMARY: u32 = super::len(11);
    pub const METADATA: u32 = super::len(12);
    pub const KNOWN: u32 = super::up_to(12) & !(1 << 4 | 1 << 6 | 1 << 8);
}

/// `Gauge`, `Sum`, `Histogram`, `ExponentialHistogram`, `Summary`: the first three tags agree, as far as they go.
pub mod points {
    pub const POINT: u32 = super::len(1);
    pub const TEMPORALITY: u32 = super::varint(2);
    pub const MONOTONIC: u32 = super::varint(3);
    /// `Gauge` and `Summary`.
    pub const KNOWN_BARE: u32 = super::up_to(1);
    /// `Histogram` and `ExponentialHistogram`.
    pub const KNOWN_HISTOGRAM: u32 = super::up_to(2);
    /// `Sum`.
    pub const KNOWN_SUM: u32 = super::up_to(3);
}
