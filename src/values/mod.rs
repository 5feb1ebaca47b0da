//! Canonical JSON, digests, and the small readings of values that every stage shares.

pub mod document;
