//! OTLP bytes: the validating view over them, the records they hold, and OTLP/JSON to protobuf.
//!
//! The door of the house. A request is walked once ([`validate`]): each record is judged alone, the bad ones are
//! counted and left out, the rest stays the bytes that came. Behind the door [`records`] lends views over those
//! bytes; nothing is decoded into a tree and no attribute is allocated. JSON becomes protobuf here, so that
//! there is one form behind it.
//!
//! ```text
//! Export{Trace,Logs}ServiceRequest
//!   Resource{Spans,Logs}      resource, schema_url
//!     Scope{Spans,Logs}       scope, schema_url
//!       Span | LogRecord      one Received each
//! ```
//!
//! Agreement with prost is the rule, and tests hold it: a request is [`Malformed`] exactly when prost rejects it
//! with its records taken as opaque bytes; a record is rejected exactly when prost rejects its bytes alone, or when
//! it breaks one of the few rules of [`Reason`]. Nothing here panics, whatever the bytes.

mod base64;
mod check;
pub mod framing;
pub mod json;
mod log;
mod metrics;
pub(crate) mod read;
mod records;
mod reframe;
mod rejected;
mod span;
pub(crate) mod tags;
mod value;
pub(crate) mod write;

pub use check::{Validated, validate};
pub use log::LogView;
pub use metrics::count_metrics;
pub use records::{Received, Record, Records, ResourceView, ScopeView, records};
pub use rejected::{Malformed, Reason, Rejected};
pub use span::{EventView, LinkView, SpanView, StatusView};
pub use value::{AnyValue, ArrayView, Attributes, KeyValue, Keys, MapView};
