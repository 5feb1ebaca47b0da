//! Wiring: journal to dialects to engine to store.

mod configuration;
mod fold;
mod offline;
mod read;

pub use configuration::Written;
pub use fold::{Fold, FoldError, Status, View};
pub use offline::{Offline, Outcome};
pub use read::evidence_of;
