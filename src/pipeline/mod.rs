//! Wiring: journal to dialects to engine to store.

mod answers;
mod budget;
mod configuration;
mod fold;
mod health;
mod keeper;
mod lag;
mod offline;
mod owner;
mod read;
mod reload;
mod serve;

pub use crate::journal::wall;
pub use configuration::Written;
pub use fold::{Fold, FoldError, Settings, Status, View};
pub use offline::{Offline, Outcome};
pub use read::evidence_of;
pub use reload::Reloader;
pub use serve::{Addresses, ServeError, Server};
