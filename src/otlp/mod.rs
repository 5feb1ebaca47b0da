//! Receive OTLP and reply: the door of the house.
//!
//! One router answers gRPC, HTTP/protobuf and HTTP/JSON, so that a client that mixes up the two ports just works.
//! A request takes this way, whatever its form:
//!
//! ```text
//! intake     token, size, time and memory limits while the bytes arrive
//! encoding   gzip or zstd, bounded
//! receive    JSON becomes protobuf, every record is judged, redaction, then the sink
//! reply      full success, partial success, or a refusal, in the form of the request
//! ```
//!
//! A success is sent after the [`Sink`] said that what was accepted is durable. A refusal says with one table
//! ([`Why`]) what each transport has to know, above all whether to try again.

mod counters;
mod encoding;
mod grpc;
mod http;
mod intake;
mod receive;
mod refused;
mod reply;
mod router;
mod sink;

pub use counters::{Counters, Snapshot};
pub use receive::{Limits, Receiver};
pub use refused::{Refused, Why};
pub use reply::Form;
pub use router::router;
pub use sink::{Accepted, Refusal, Sink};
