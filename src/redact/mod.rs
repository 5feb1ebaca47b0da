//! Key classes: what is kept, digested or dropped before anything reaches the disk.

use bytes::Bytes;

use crate::model::Signal;

/// What of an accepted request may be kept, as a request of the same shape. By default that is all of it.
pub fn apply(_signal: Signal, body: Bytes) -> Bytes {
    body
}
