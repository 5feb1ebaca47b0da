//! What every form has in common: judge the records, redact, make durable, say what was left out.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::HeaderMap;
use tracing::{Instrument, debug_span};

use super::counters::Counters;
use super::encoding::Encoding;
use super::refused::{Refused, Why};
use super::reply::{Form, Partial};
use super::sink::{Accepted, Refusal, Sink};
use crate::model::Signal;
use crate::net::{Budget, Principal, Reservation, Tokens};
use crate::redact;
use crate::wire::{self, Rejected, Validated};

/// A request with more bytes than this is judged on a thread of its own, so that the others do not wait for it: a
/// mebibyte of JSON takes some milliseconds.
const LARGE: usize = 1 << 20;

/// How much a sender may send at once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of one request as sent. 16 MiB: four times the default limit of collectors, because agents send whole
    /// conversations.
    pub request: usize,
    /// Bytes of one request after decompression.
    pub decompressed: usize,
    /// Bytes of all requests together, until they are answered; never less than the largest single request needs.
    pub in_flight: usize,
    /// Time for the body of a request to arrive.
    pub body_time: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self { request: 16 << 20, decompressed: 64 << 20, in_flight: 256 << 20, body_time: Duration::from_secs(30) }
    }
}

impl Limits {
    /// A request that needs more than the whole budget would be told to come back for ever.
    fn budget(&self) -> Budget {
        // As sent, decompressed, and as protobuf when it was JSON.
        let single = self.request.saturating_add(self.decompressed.saturating_mul(2));
        Budget::new(self.in_flight.max(single))
    }
}

/// Receives requests. Cheap to clone; all clones share limits and counters.
#[derive(Debug, Clone)]
pub struct Receiver {
    shared: Arc<Shared>,
    redaction: Arc<redact::Policy>,
}

#[derive(Debug)]
struct Shared {
    sink: Sink,
    tokens: Tokens,
    limits: Limits,
    budget: Budget,
    counters: Arc<Counters>,
}

/// A request as it came, complete.
pub(super) struct Arrived {
    pub signal: Signal,
    pub form: Form,
    pub from: Principal,
    pub encoding: Encoding,
    pub bytes: Bytes,
    /// The memory that `bytes` and what becomes of them take.
    pub held: Reservation,
}

impl Receiver {
    /// A receiver that gives what it accepts to `sink`.
    pub fn new(sink: Sink, tokens: Tokens, limits: Limits, counters: Arc<Counters>) -> Self {
        let budget = limits.budget();
        Self { shared: Arc::new(Shared { sink, tokens, limits, budget, counters }), redaction: Arc::default() }
    }

    /// The same receiver with another redaction; a new one keeps everything.
    pub fn redacting(mut self, policy: redact::Policy) -> Self {
        self.redaction = Arc::new(policy);
        self
    }

    pub(super) fn limits(&self) -> &Limits {
        &self.shared.limits
    }

    pub(super) fn budget(&self) -> &Budget {
        &self.shared.budget
    }

    pub(super) fn counters(&self) -> &Counters {
        &self.shared.counters
    }

    pub(super) fn admit(&self, headers: &HeaderMap) -> Result<Principal, Refused> {
        Ok(self.shared.tokens.admit(headers)?)
    }

    /// Judges a request and waits until what was accepted is durable.
    pub(super) async fn receive(&self, arrived: Arrived) -> Result<Partial, Refused> {
        let Arrived { signal, form, from, encoding, bytes, mut held } = arrived;
        let limit = self.shared.limits.decompressed;
        let is_large = bytes.len() > encoding.worth_of(LARGE);
        let redaction = self.redaction.clone();
        let judge = move || {
            let bytes = encoding.decompress(bytes, limit, &mut held)?;
            let len = bytes.len();
            let mut validated = judge(signal, form, bytes, &mut held)?;
            validated.body = redact::apply(&redaction, signal, validated.body);
            Ok::<_, Refused>((len, validated, held))
        };
        // The memory is held until the answer is known.
        let (bytes, validated, _held) = if is_large { on_a_thread(judge).await? } else { judge()? };
        let Validated { body, accepted, rejected } = validated;
        if accepted > 0 && signal != Signal::Metrics {
            let Principal { tenant, role } = from;
            let rejected = by_reason(&rejected);
            self.offer(Accepted { tenant, role, signal, body, accepted, rejected }).await?;
        }
        self.shared.counters.rejected(signal, &rejected);
        self.shared.counters.received(signal, form, accepted, bytes);
        Ok(Partial { rejected: rejected.count, message: rejected.to_string() })
    }

    async fn offer(&self, accepted: Accepted) -> Result<(), Refused> {
        let span = debug_span!(
            "journal append",
            signal = accepted.signal.as_str(),
            records = accepted.accepted,
            bytes = accepted.body.len()
        );
        Ok(self.shared.sink.offer(accepted).instrument(span).await?)
    }
}

/// From a message to the records that are accepted.
fn judge(signal: Signal, form: Form, bytes: Bytes, held: &mut Reservation) -> Result<Validated, Refused> {
    match form {
        Form::Grpc | Form::Protobuf => wire::validate(signal, &bytes).map_err(|error| malformed(&error)),
        Form::Json => {
            // For what it becomes: protobuf is shorter than its JSON, but for arrays of numbers in metrics.
            held.ensure(held.bytes() + bytes.len())?;
            wire::json::receive(signal, &bytes).map_err(|error| malformed(&error))
        }
    }
}

fn malformed(error: &dyn std::error::Error) -> Refused {
    Refused::new(Why::Malformed, error.to_string())
}

fn by_reason(rejected: &Rejected) -> Vec<(String, u32)> {
    rejected.reasons.iter().map(|(reason, count)| (reason.as_str().to_owned(), *count)).collect()
}

/// Runs long work beside the threads that serve connections. A panic goes on in the caller.
async fn on_a_thread<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Refused> + Send + 'static,
) -> Result<T, Refused> {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        Err(error) => match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            // The work had not begun when the runtime was shut down.
            Err(_) => Err(Refused::from(Refusal::Unavailable("shutting down".into()))),
        },
    }
}
