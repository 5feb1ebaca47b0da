//! Why a request is refused, and what each transport is told: one table.
//!
//! The rule behind the columns is the OTLP specification, "OTLP/gRPC Response" and "OTLP/HTTP Response": a client
//! tries again on HTTP 429, 502, 503 and 504, and on the gRPC codes CANCELLED, DEADLINE_EXCEEDED, ABORTED,
//! OUT_OF_RANGE, UNAVAILABLE, DATA_LOSS, and RESOURCE_EXHAUSTED with `RetryInfo`. A request that can never succeed
//! must get none of these, or the client sends it for ever.

use std::time::Duration;

use http::StatusCode;
use tonic::{Code, Status};

use super::sink::Refusal;
use crate::net::{Exhausted, Unauthenticated};

/// A request that was not accepted, as a whole.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Refused {
    /// The row of the table.
    pub why: Why,
    /// For the developer of the client. Holds nothing of the content of a record.
    pub message: String,
    /// When to try again. `None`: not at all.
    pub retry_after: Option<Duration>,
}

/// The reasons, as counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Why {
    /// Neither OTLP nor what its headers say it is.
    Malformed,
    /// A content type that is not OTLP's.
    ContentType,
    /// A compression that is not understood.
    Encoding,
    /// More bytes than allowed, as sent or decompressed.
    TooLarge,
    /// The body did not arrive in time.
    TooSlow,
    /// The sender went away before the body was complete.
    Disconnected,
    /// No token, or an unknown one.
    Unauthenticated,
    /// Nothing is served there.
    UnknownPath,
    /// Only POST is served there.
    WrongMethod,
    /// Memory or queues are full for now.
    Overloaded,
    /// Nothing can be made durable for now.
    Unavailable,
    /// A mistake in this program.
    Panicked,
}

impl Why {
    /// Every reason, in the order of declaration.
    pub const ALL: [Self; 12] = [
        Self::Malformed,
        Self::ContentType,
        Self::Encoding,
        Self::TooLarge,
        Self::TooSlow,
        Self::Disconnected,
        Self::Unauthenticated,
        Self::UnknownPath,
        Self::WrongMethod,
        Self::Overloaded,
        Self::Unavailable,
        Self::Panicked,
    ];

    /// The table: label value, HTTP status, gRPC code. The code is also the `code` of a `google.rpc.Status` over
    /// HTTP.
    fn row(self) -> (&'static str, StatusCode, Code) {
        match self {
            Self::Malformed => ("malformed", StatusCode::BAD_REQUEST, Code::InvalidArgument),
            Self::ContentType => ("content_type", StatusCode::UNSUPPORTED_MEDIA_TYPE, Code::InvalidArgument),
            // What gRPC prescribes for a compression the server does not know.
            Self::Encoding => ("encoding", StatusCode::UNSUPPORTED_MEDIA_TYPE, Code::Unimplemented),
            // Without `RetryInfo`, so a client gives up; OUT_OF_RANGE, the transport's own answer, means "again".
            Self::TooLarge => ("too_large", StatusCode::PAYLOAD_TOO_LARGE, Code::ResourceExhausted),
            // DEADLINE_EXCEEDED would mean "again".
            Self::TooSlow => ("too_slow", StatusCode::REQUEST_TIMEOUT, Code::InvalidArgument),
            Self::Disconnected => ("disconnected", StatusCode::BAD_REQUEST, Code::InvalidArgument),
            Self::Unauthenticated => ("unauthenticated", StatusCode::UNAUTHORIZED, Code::Unauthenticated),
            Self::UnknownPath => ("unknown_path", StatusCode::NOT_FOUND, Code::Unimplemented),
            Self::WrongMethod => ("wrong_method", StatusCode::METHOD_NOT_ALLOWED, Code::Unimplemented),
            Self::Overloaded => ("overloaded", StatusCode::TOO_MANY_REQUESTS, Code::ResourceExhausted),
            Self::Unavailable => ("unavailable", StatusCode::SERVICE_UNAVAILABLE, Code::Unavailable),
            Self::Panicked => ("panicked", StatusCode::INTERNAL_SERVER_ERROR, Code::Internal),
        }
    }

    /// The label value.
    pub fn as_str(self) -> &'static str {
        self.row().0
    }

    /// The HTTP status.
    pub fn http(self) -> StatusCode {
        self.row().1
    }

    /// The gRPC code.
    pub fn grpc(self) -> Code {
        self.row().2
    }
}

/// Overload passes quickly: the sync of a batch takes milliseconds.
const OVERLOAD_RETRY: Duration = Duration::from_secs(1);

/// A full disk or a journal that cannot write passes when somebody does something about it.
const UNAVAILABLE_RETRY: Duration = Duration::from_secs(30);

impl Refused {
    /// A refusal that is final.
    pub fn new(why: Why, message: impl Into<String>) -> Self {
        Self { why, message: message.into(), retry_after: None }
    }

    fn later(why: Why, message: impl ToString, retry_after: Duration) -> Self {
        Self { why, message: message.to_string(), retry_after: Some(retry_after) }
    }

    pub(super) fn too_large(what: &str, limit: usize) -> Self {
        Self::new(Why::TooLarge, format!("the {what} has more than the {limit} bytes that are accepted"))
    }

    pub(super) fn panicked() -> Self {
        Self::new(Why::Panicked, "the request met a mistake in the collector; its log says more")
    }

    /// Reads back what was refused inside tonic's machinery: our own refusal when there is one, else tonic's opinion
    /// in our words.
    pub(super) fn from_status(status: &Status) -> Self {
        let source = std::error::Error::source(status).and_then(|source| source.downcast_ref::<Self>());
        if let Some(own) = source {
            return own.clone();
        }
        let why = match status.code() {
            Code::OutOfRange | Code::ResourceExhausted => Why::TooLarge,
            Code::Unimplemented => Why::Encoding,
            _ => Why::Malformed,
        };
        Self::new(why, status.message())
    }

    /// For tonic's machinery, to be read back with [`Refused::from_status`].
    pub(super) fn into_status(self) -> Status {
        Status::from_error(Box::new(self))
    }
}

impl From<Exhausted> for Refused {
    fn from(exhausted: Exhausted) -> Self {
        Self::later(Why::Overloaded, exhausted, OVERLOAD_RETRY)
    }
}

impl From<Unauthenticated> for Refused {
    fn from(unauthenticated: Unauthenticated) -> Self {
        Self::new(Why::Unauthenticated, unauthenticated.to_string())
    }
}

impl From<Refusal> for Refused {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Overloaded { retry_after } => Self::later(Why::Overloaded, refusal, retry_after),
            Refusal::NoSpace | Refusal::Unavailable(_) => Self::later(Why::Unavailable, refusal, UNAVAILABLE_RETRY),
            Refusal::TooLarge => Self::new(Why::TooLarge, refusal.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whether a client that follows the OTLP specification tries again.
    fn invites_retry(refused: &Refused) -> (bool, bool) {
        use Code::*;
        let http = matches!(refused.why.http().as_u16(), 429 | 502 | 503 | 504);
        let grpc = match refused.why.grpc() {
            Cancelled | DeadlineExceeded | Aborted | OutOfRange | Unavailable | DataLoss => true,
            ResourceExhausted => refused.retry_after.is_some(),
            _ => false,
        };
        (http, grpc)
    }

    #[test]
    fn a_client_tries_again_exactly_when_that_can_help() {
        for why in Why::ALL {
            let refused = match why {
                Why::Overloaded => Refused::from(Exhausted),
                Why::Unavailable => Refused::from(Refusal::NoSpace),
                why => Refused::new(why, ""),
            };
            assert_eq!(refused.why, why);
            let again = refused.retry_after.is_some();
            assert_eq!(invites_retry(&refused), (again, again), "{why:?}");
        }
    }

    #[test]
    fn reasons_have_distinct_labels_and_are_all_listed() {
        let labels: std::collections::BTreeSet<_> = Why::ALL.iter().map(|why| why.as_str()).collect();
        assert_eq!(labels.len(), Why::ALL.len());
        assert!(Why::ALL.iter().enumerate().all(|(index, why)| *why as usize == index));
    }

    #[test]
    fn a_refusal_survives_the_way_through_tonic() {
        let refused = Refused::from(Refusal::Overloaded { retry_after: Duration::from_secs(7) });
        assert_eq!(Refused::from_status(&refused.clone().into_status()), refused);
        assert_eq!(Refused::from_status(&Status::out_of_range("x")).why, Why::TooLarge);
    }
}
