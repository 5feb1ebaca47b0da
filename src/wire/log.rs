//! One log record: scalars read at once, attributes and body on demand.

use crate::model::{Nanos, SpanId, TraceId};

use super::read::{MAX_DEPTH, Reader, Region, text};
use super::span::present;
use super::tags::log;
use super::value::{AnyValue, Attributes};

/// One log record or event.
#[derive(Debug, Clone, Copy)]
pub struct LogView<'a> {
    /// When it happened, as sent; zero when unknown.
    pub time: Nanos,
    /// When the sender saw it; zero when unknown.
    pub observed_time: Nanos,
    /// OTLP's number: 1 to 24, 0 when unset; others are kept.
    pub severity_number: i32,
    /// The severity in the sender's words.
    pub severity_text: &'a str,
    /// The event's name; empty for a plain log record.
    pub event_name: &'a str,
    /// `None` without trace context: empty or all zero on the wire.
    pub trace_id: Option<TraceId>,
    /// `None` without span context: empty or all zero on the wire.
    pub span_id: Option<SpanId>,
    /// W3C trace flags in the low byte.
    pub flags: u32,
    /// Attributes the sender left out.
    pub dropped_attributes: u32,
    bytes: &'a [u8],
    body: &'a [u8],
    attributes: Region,
}

impl<'a> LogView<'a> {
    /// Reads a `LogRecord` message; `None` when it is not one that [`super::validate`] accepts.
    pub(super) fn new(bytes: &'a [u8]) -> Option<Self> {
        let mut view = Self {
            time: Nanos(0),
            observed_time: Nanos(0),
            severity_number: 0,
            severity_text: "",
            event_name: "",
            trace_id: None,
            span_id: None,
            flags: 0,
            dropped_attributes: 0,
            bytes,
            body: &[],
            attributes: Region::default(),
        };
        let mut reader = Reader::new(bytes);
        let mut field_start = 0;
        while let Some(key) = reader.key().ok()? {
            match key {
                log::TIME => view.time = Nanos(reader.fixed64().ok()?),
                log::OBSERVED_TIME => view.observed_time = Nanos(reader.fixed64().ok()?),
                log::SEVERITY_NUMBER => view.severity_number = reader.varint().ok()? as i32,
                log::SEVERITY_TEXT => view.severity_text = text(reader.bytes().ok()?),
                log::BODY => view.body = reader.bytes().ok()?,
                log::DROPPED_ATTRIBUTES => view.dropped_attributes = reader.varint().ok()? as u32,
                log::FLAGS => view.flags = reader.fixed32().ok()?,
                log::TRACE_ID => {
                    view.trace_id = TraceId::from_slice(reader.bytes().ok()?).filter(|id| !id.is_zero());
                }
                log::SPAN_ID => view.span_id = present(SpanId::from_slice(reader.bytes().ok()?)),
                log::EVENT_NAME => view.event_name = text(reader.bytes().ok()?),
                _ => reader.skip(key, MAX_DEPTH).ok()?,
            }
            let field_end = bytes.len() - reader.left();
            if key == log::ATTRIBUTE {
                view.attributes.widen(field_start, field_end);
            }
            field_start = field_end;
        }
        Some(view)
    }

    /// The body.
    pub fn body(&self) -> AnyValue<'a> {
        AnyValue::new(self.body)
    }

    /// The attributes.
    pub fn attributes(&self) -> Attributes<'a> {
        Attributes::new(self.attributes.of(self.bytes), log::ATTRIBUTE)
    }

    /// When it happened, or else when it was observed: OTLP's own advice for a time of zero.
    pub fn time_or_observed(&self) -> Nanos {
        if self.time == Nanos(0) { self.observed_time } else { self.time }
    }

    /// The `LogRecord` message.
    pub fn bytes(&self) -> &'a [u8] {
        self.bytes
    }
}
