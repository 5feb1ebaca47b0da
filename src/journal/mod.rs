//! The journal: append-only segments of frames.
