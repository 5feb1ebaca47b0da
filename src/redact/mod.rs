//! What producers may tell us and the disk may not keep: values are kept, digested or dropped by the class of their
//! key, before the journal sees them.
//!
//! Everything that has a key is looked at: attributes of resources, scopes, spans, span events, links and log records,
//! and entries of maps inside them (`headers.authorization`); the body of a log record has the key `body`. A value
//! is replaced whole, whatever its type: JSON inside a text is not looked into. What has no key stays: names, status
//! messages, ids, times. Metrics are not stored and not rewritten.
//!
//! Nothing else changes: the other bytes of a request are those that came.

mod policy;
mod rewrite;

use bytes::Bytes;

use crate::model::Signal;

pub use policy::{Class, Policy};

/// A request without what the policy keeps from the disk; the same bytes when that is nothing.
///
/// `body` was let through by [`crate::wire::validate`]. Of other bytes, what cannot be read is left out.
pub fn apply(policy: &Policy, signal: Signal, body: Bytes) -> Bytes {
    if policy.keeps_everything() || signal == Signal::Metrics {
        return body;
    }
    match rewrite::request(policy, signal, &body) {
        Some(changed) => changed.into(),
        None => body,
    }
}
