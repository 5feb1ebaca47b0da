//! The nouns. Everything that two stages pass to each other lives here.

mod ids;
mod source;
mod time;

pub use ids::*;
pub use source::*;
pub use time::*;
