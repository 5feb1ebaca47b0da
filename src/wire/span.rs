//! One span, its events, links and status: scalars read at once, lists on demand.

use crate::model::{Nanos, SpanId, TraceId};

use super::read::{MAX_DEPTH, Reader, Region, Repeated, text};
use super::tags::{event, link, span, status};
use super::value::Attributes;

/// One span.
#[derive(Debug, Clone, Copy)]
pub struct SpanView<'a> {
    /// Never all zero.
    pub trace_id: TraceId,
    /// Never all zero.
    pub span_id: SpanId,
    /// `None` for a root: empty or all zero on the wire.
    pub parent_span_id: Option<SpanId>,
    /// W3C trace state, as sent.
    pub trace_state: &'a str,
    /// W3C trace flags in the low byte; 0x100 and 0x200 say whether the parent is remote.
    pub flags: u32,
    /// The name.
    pub name: &'a str,
    /// OTLP's number: 1 internal, 2 server, 3 client, 4 producer, 5 consumer; others are kept.
    pub kind: i32,
    /// As sent; zero when unknown.
    pub start: Nanos,
    /// As sent; zero when unknown.
    pub end: Nanos,
    /// Code and message.
    pub status: StatusView<'a>,
    /// Attributes the sender left out.
    pub dropped_attributes: u32,
    /// Events the sender left out.
    pub dropped_events: u32,
    /// Links the sender left out.
    pub dropped_links: u32,
    bytes: &'a [u8],
    attributes: Region,
    events: Region,
    links: Region,
}

impl<'a> SpanView<'a> {
    /// Reads a `Span` message; `None` when it is not one that [`super::validate`] accepts.
    pub(super) fn new(bytes: &'a [u8]) -> Option<Self> {
        let mut view = Self {
            trace_id: TraceId::default(),
            span_id: SpanId::default(),
            parent_span_id: None,
            trace_state: "",
            flags: 0,
            name: "",
            kind: 0,
            start: Nanos(0),
            end: Nanos(0),
            status: StatusView::default(),
            dropped_attributes: 0,
            dropped_events: 0,
            dropped_links: 0,
            bytes,
            attributes: Region::default(),
            events: Region::default(),
            links: Region::default(),
        };
        let mut reader = Reader::new(bytes);
        let mut field_start = 0;
        while let Some(key) = reader.key().ok()? {
            match key {
                span::TRACE_ID => view.trace_id = TraceId::from_slice(reader.bytes().ok()?).unwrap_or_default(),
                span::SPAN_ID => view.span_id = SpanId::from_slice(reader.bytes().ok()?).unwrap_or_default(),
                span::TRACE_STATE => view.trace_state = text(reader.bytes().ok()?),
                span::PARENT_SPAN_ID => view.parent_span_id = present(SpanId::from_slice(reader.bytes().ok()?)),
                span::NAME => view.name = text(reader.bytes().ok()?),
                span::KIND => view.kind = reader.varint().ok()? as i32,
                span::START => view.start = Nanos(reader.fixed64().ok()?),
                span::END => view.end = Nanos(reader.fixed64().ok()?),
                span::DROPPED_ATTRIBUTES => view.dropped_attributes = reader.varint().ok()? as u32,
                span::DROPPED_EVENTS => view.dropped_events = reader.varint().ok()? as u32,
                span::DROPPED_LINKS => view.dropped_links = reader.varint().ok()? as u32,
                span::STATUS => view.status = StatusView::new(reader.bytes().ok()?),
                span::FLAGS => view.flags = reader.fixed32().ok()?,
                span::ATTRIBUTE | span::EVENT | span::LINK => {
                    reader.bytes().ok()?;
                }
                _ => reader.skip(key, MAX_DEPTH).ok()?,
            }
            let field_end = bytes.len() - reader.left();
            match key {
                span::ATTRIBUTE => view.attributes.widen(field_start, field_end),
                span::EVENT => view.events.widen(field_start, field_end),
                span::LINK => view.links.widen(field_start, field_end),
                _ => {}
            }
            field_start = field_end;
        }
        (!view.trace_id.is_zero() && !view.span_id.is_zero()).then_some(view)
    }

    /// The attributes.
    pub fn attributes(&self) -> Attributes<'a> {
        Attributes::new(self.attributes.of(self.bytes), span::ATTRIBUTE)
    }

    /// The events, in the order of the sender.
    pub fn events(&self) -> impl Iterator<Item = EventView<'a>> + use<'a> {
        Repeated::new(self.events.of(self.bytes), span::EVENT).map(EventView::new)
    }

    /// The links, in the order of the sender.
    pub fn links(&self) -> impl Iterator<Item = LinkView<'a>> + use<'a> {
        Repeated::new(self.links.of(self.bytes), span::LINK).map(LinkView::new)
    }

    /// The `Span` message.
    pub fn bytes(&self) -> &'a [u8] {
        self.bytes
    }
}

/// An id that is there and not all zero.
pub(super) fn present(id: Option<SpanId>) -> Option<SpanId> {
    id.filter(|id| !id.is_zero())
}

/// How a span ended, by its sender's word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct StatusView<'a> {
    /// OTLP's number: 0 unset, 1 ok, 2 error; others are kept.
    pub code: i32,
    /// For people.
    pub message: &'a str,
}

impl<'a> StatusView<'a> {
    /// The code of a span that says it failed.
    pub const ERROR: i32 = 2;

    fn new(bytes: &'a [u8]) -> Self {
        let mut view = Self::default();
        let mut reader = Reader::new(bytes);
        while let Ok(Some(key)) = reader.key() {
            let done = match key {
                status::MESSAGE => reader.bytes().map(|bytes| view.message = text(bytes)),
                status::CODE => reader.varint().map(|code| view.code = code as i32),
                _ => reader.skip(key, MAX_DEPTH),
            };
            if done.is_err() {
                break;
            }
        }
        view
    }

    /// Whether the span says that it failed. (Which may mean: waits for an approval.)
    pub fn is_error(&self) -> bool {
        self.code == Self::ERROR
    }
}

/// Something that happened during a span.
#[derive(Debug, Clone, Copy)]
pub struct EventView<'a> {
    /// As sent; zero when unknown.
    pub time: Nanos,
    /// The name.
    pub name: &'a str,
    /// Attributes the sender left out.
    pub dropped_attributes: u32,
    bytes: &'a [u8],
}

impl<'a> EventView<'a> {
    fn new(bytes: &'a [u8]) -> Self {
        let mut view = Self { time: Nanos(0), name: "", dropped_attributes: 0, bytes };
        let mut reader = Reader::new(bytes);
        while let Ok(Some(key)) = reader.key() {
            let done = match key {
                event::TIME => reader.fixed64().map(|time| view.time = Nanos(time)),
                event::NAME => reader.bytes().map(|bytes| view.name = text(bytes)),
                event::DROPPED_ATTRIBUTES => reader.varint().map(|count| view.dropped_attributes = count as u32),
                _ => reader.skip(key, MAX_DEPTH),
            };
            if done.is_err() {
                break;
            }
        }
        view
    }

    /// The attributes.
    pub fn attributes(&self) -> Attributes<'a> {
        Attributes::new(self.bytes, event::ATTRIBUTE)
    }
}

/// A pointer to another span.
#[derive(Debug, Clone, Copy)]
pub struct LinkView<'a> {
    /// `None` when it is not 16 bytes or all zero: a link's ids reject nothing.
    pub trace_id: Option<TraceId>,
    /// `None` when it is not 8 bytes or all zero.
    pub span_id: Option<SpanId>,
    /// W3C trace state, as sent.
    pub trace_state: &'a str,
    /// As on a span.
    pub flags: u32,
    /// Attributes the sender left out.
    pub dropped_attributes: u32,
    bytes: &'a [u8],
}

impl<'a> LinkView<'a> {
    fn new(bytes: &'a [u8]) -> Self {
        let mut view = Self { trace_id: None, span_id: None, trace_state: "", flags: 0, dropped_attributes: 0, bytes };
        let mut reader = Reader::new(bytes);
        while let Ok(Some(key)) = reader.key() {
            let done = match key {
                link::TRACE_ID => {
                    reader.bytes().map(|id| view.trace_id = TraceId::from_slice(id).filter(|id| !id.is_zero()))
                }
                link::SPAN_ID => reader.bytes().map(|id| view.span_id = present(SpanId::from_slice(id))),
                link::TRACE_STATE => reader.bytes().map(|bytes| view.trace_state = text(bytes)),
                link::FLAGS => reader.fixed32().map(|flags| view.flags = flags),
                link::DROPPED_ATTRIBUTES => reader.varint().map(|count| view.dropped_attributes = count as u32),
                _ => reader.skip(key, MAX_DEPTH),
            };
            if done.is_err() {
                break;
            }
        }
        view
    }

    /// The attributes.
    pub fn attributes(&self) -> Attributes<'a> {
        Attributes::new(self.bytes, link::ATTRIBUTE)
    }
}
