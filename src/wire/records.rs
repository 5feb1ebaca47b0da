//! The records of a request, each with its resource and scope, lent from the bytes.

use crate::model::Signal;

use super::log::LogView;
use super::read::{MAX_DEPTH, Reader, Repeated, text};
use super::span::SpanView;
use super::tags::{by_resource, by_scope, request, resource, scope};
use super::value::Attributes;

/// One span or one log record as it came over OTLP, with its resource and scope.
#[derive(Debug, Clone, Copy)]
pub struct Received<'a> {
    /// Who sent it.
    pub resource: ResourceView<'a>,
    /// Which library made it.
    pub scope: ScopeView<'a>,
    /// The schema URL of the scope, or else of the resource; empty when there is none.
    pub schema_url: &'a str,
    /// The record.
    pub record: Record<'a>,
}

/// A span or a log record.
#[derive(Debug, Clone, Copy)]
pub enum Record<'a> {
    /// A span.
    Span(SpanView<'a>),
    /// A log record or event.
    Log(LogView<'a>),
}

impl<'a> Record<'a> {
    /// The attributes.
    pub fn attributes(&self) -> Attributes<'a> {
        match self {
            Self::Span(span) => span.attributes(),
            Self::Log(log) => log.attributes(),
        }
    }

    /// The `Span` or `LogRecord` message.
    pub fn bytes(&self) -> &'a [u8] {
        match self {
            Self::Span(span) => span.bytes(),
            Self::Log(log) => log.bytes(),
        }
    }
}

/// The `Resource` of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ResourceView<'a> {
    bytes: &'a [u8],
}

impl<'a> ResourceView<'a> {
    /// The attributes.
    pub fn attributes(&self) -> Attributes<'a> {
        Attributes::new(self.bytes, resource::ATTRIBUTE)
    }

    /// The `Resource` message; empty when the request had none.
    pub fn bytes(&self) -> &'a [u8] {
        self.bytes
    }
}

/// The `InstrumentationScope` of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ScopeView<'a> {
    /// The name of the library.
    pub name: &'a str,
    /// Its version; empty when unknown.
    pub version: &'a str,
    bytes: &'a [u8],
}

impl<'a> ScopeView<'a> {
    fn new(bytes: &'a [u8]) -> Self {
        let mut view = Self { name: "", version: "", bytes };
        let mut reader = Reader::new(bytes);
        while let Ok(Some(key)) = reader.key() {
            let done = match key {
                scope::NAME => reader.bytes().map(|bytes| view.name = text(bytes)),
                scope::VERSION => reader.bytes().map(|bytes| view.version = text(bytes)),
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
        Attributes::new(self.bytes, scope::ATTRIBUTE)
    }

    /// The `InstrumentationScope` message; empty when the request had none.
    pub fn bytes(&self) -> &'a [u8] {
        self.bytes
    }
}

/// The records of `body`, a request that [`super::validate`] let through, in its order. Of other bytes: whatever
/// can be read, often nothing. Metrics have no records.
pub fn records(signal: Signal, body: &[u8]) -> Records<'_> {
    let body = if signal == Signal::Metrics { &[] } else { body };
    Records {
        signal,
        resources: Repeated::new(body, request::RESOURCE),
        by_resource: ByResource::new(&[]),
        by_scope: ByScope::new(&[]),
    }
}

/// Iterator of [`records`].
#[derive(Debug, Clone)]
pub struct Records<'a> {
    signal: Signal,
    resources: Repeated<'a>,
    by_resource: ByResource<'a>,
    by_scope: ByScope<'a>,
}

impl<'a> Iterator for Records<'a> {
    type Item = Received<'a>;

    fn next(&mut self) -> Option<Received<'a>> {
        loop {
            if let Some(bytes) = self.by_scope.records.next() {
                match self.record(bytes) {
                    Some(record) => return Some(self.received(record)),
                    None => continue,
                }
            }
            if let Some(bytes) = self.by_resource.scopes.next() {
                self.by_scope = ByScope::new(bytes);
            } else {
                self.by_resource = ByResource::new(self.resources.next()?);
            }
        }
    }
}

impl<'a> Records<'a> {
    fn record(&self, bytes: &'a [u8]) -> Option<Record<'a>> {
        match self.signal {
            Signal::Traces => SpanView::new(bytes).map(Record::Span),
            Signal::Logs => LogView::new(bytes).map(Record::Log),
            Signal::Metrics => None,
        }
    }

    fn received(&self, record: Record<'a>) -> Received<'a> {
        let schema_url = match self.by_scope.schema_url {
            "" => self.by_resource.schema_url,
            url => url,
        };
        Received { resource: self.by_resource.resource, scope: self.by_scope.scope, schema_url, record }
    }
}

/// `ResourceSpans` or `ResourceLogs`. The schema URL stands behind the scopes, so it is looked for first.
#[derive(Debug, Clone)]
struct ByResource<'a> {
    resource: ResourceView<'a>,
    schema_url: &'a str,
    scopes: Repeated<'a>,
}

impl<'a> ByResource<'a> {
    fn new(bytes: &'a [u8]) -> Self {
        Self {
            resource: ResourceView { bytes: last(bytes, by_resource::RESOURCE) },
            schema_url: text(last(bytes, by_resource::SCHEMA_URL)),
            scopes: Repeated::new(bytes, by_resource::SCOPE),
        }
    }
}

/// `ScopeSpans` or `ScopeLogs`.
#[derive(Debug, Clone)]
struct ByScope<'a> {
    scope: ScopeView<'a>,
    schema_url: &'a str,
    records: Repeated<'a>,
}

impl<'a> ByScope<'a> {
    /// One pass finds what stands around the records, however many they are.
    fn new(bytes: &'a [u8]) -> Self {
        let (mut scope, mut schema_url): (&[u8], &[u8]) = (&[], &[]);
        let mut reader = Reader::new(bytes);
        while let Ok(Some(key)) = reader.key() {
            let done = match key {
                by_scope::SCOPE => reader.bytes().map(|bytes| scope = bytes),
                by_scope::SCHEMA_URL => reader.bytes().map(|bytes| schema_url = bytes),
                _ => reader.skip(key, MAX_DEPTH),
            };
            if done.is_err() {
                break;
            }
        }
        let records = Repeated::new(bytes, by_scope::RECORD);
        Self { scope: ScopeView::new(scope), schema_url: text(schema_url), records }
    }
}

/// The last field of `message` with `key`: of a field that occurs twice the last counts.
fn last(message: &[u8], key: u32) -> &[u8] {
    Repeated::new(message, key).last().unwrap_or_default()
}
