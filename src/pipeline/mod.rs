//! Wiring: journal to dialects to engine to store.

mod answers;
mod configuration;
mod fold;
mod health;
mod keeper;
mod offline;
mod owner;
mod read;
mod serve;

pub use configuration::Written;
pub use fold::{Fold, FoldError, Settings, Status, View};
pub use health::wall;
pub use offline::{Offline, Outcome};
pub use read::evidence_of;
pub use serve::{Addresses, ServeError, Server};
