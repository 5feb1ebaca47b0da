//! Snapshot to exposition.
