//! The nouns. Everything that two stages pass to each other lives here.

mod action;
mod constants;
mod cost;
mod decision;
mod evidence;
mod glob;
mod ids;
mod known;
#[cfg(test)]
pub(crate) mod sample;
mod source;
mod stand;
mod time;
mod verdict;

pub use action::*;
pub use constants::*;
pub use cost::*;
pub use decision::*;
pub use evidence::*;
pub use glob::*;
pub use ids::*;
pub use known::*;
pub use source::*;
pub use stand::*;
pub use time::*;
pub use verdict::*;

pub(crate) use decision::words;
