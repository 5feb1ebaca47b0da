//! Wiring: journal to dialects to engine to store.

mod offline;
mod read;

pub use offline::{Offline, Outcome};
pub use read::evidence_of;
