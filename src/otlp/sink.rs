//! Where accepted records go. The pipeline connects it to the journal; this module knows only the answer.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use crate::model::{Role, Signal, Tenant};

/// The accepted records of one request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Accepted {
    /// Whose records they are.
    pub tenant: Tenant,
    /// What the sender is.
    pub role: Role,
    /// Traces or logs; metrics are counted and go nowhere.
    pub signal: Signal,
    /// An `Export…ServiceRequest` with the accepted records only, redacted.
    pub body: Bytes,
    /// Records in the body; at least one.
    pub accepted: u32,
    /// Records of the same request that were left out, by reason.
    pub rejected: Vec<(String, u32)>,
}

/// Why the sink did not take a request. All but one are worth another try.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The queue is full, or judging is too far behind.
    #[error("too much is waiting to be written")]
    Overloaded {
        /// When to try again.
        retry_after: Duration,
    },
    /// The disk is full.
    #[error("there is no space left to write to")]
    NoSpace,
    /// Nothing can be written, and time alone may not help.
    #[error("cannot write: {0}")]
    Unavailable(String),
    /// The records together are more than can ever be written at once.
    #[error("the accepted records are too large to be written at once")]
    TooLarge,
}

type Answer = Pin<Box<dyn Future<Output = Result<(), Refusal>> + Send>>;

/// A handle to whatever makes records durable. Cheap to clone.
#[derive(Clone)]
pub struct Sink {
    offer: Arc<dyn Fn(Accepted) -> Answer + Send + Sync>,
}

impl Sink {
    /// A sink that calls `offer`. Its future must not complete with `Ok` before the records are synced; it may be
    /// dropped unfinished when the sender goes away.
    pub fn new<F, A>(offer: F) -> Self
    where
        F: Fn(Accepted) -> A + Send + Sync + 'static,
        A: Future<Output = Result<(), Refusal>> + Send + 'static,
    {
        Self { offer: Arc::new(move |accepted| Box::pin(offer(accepted))) }
    }

    /// Offers records and waits until they are durable.
    pub async fn offer(&self, accepted: Accepted) -> Result<(), Refusal> {
        (self.offer)(accepted).await
    }
}

impl fmt::Debug for Sink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sink")
    }
}
