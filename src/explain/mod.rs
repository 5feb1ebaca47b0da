//! One lineage to text and JSON: the answer to *why did the agent act, and was that right?*
//!
//! [`why`] tells the whole chain of one action, [`actions`] lists many, one line each. Both fit 80 columns and are
//! safe to print: what agents, tools and users wrote is shown, never obeyed (see `sheet`).

mod actions;
mod phrases;
mod sheet;
mod why;

use crate::model::Lineage;

pub use actions::actions;
pub use why::why;

/// Columns of every text.
pub const WIDTH: usize = 80;

/// The lineage as it is recorded, as indented JSON. Every id is whole here, every text as far as the row keeps it.
pub fn json(lineage: &Lineage) -> String {
    serde_json::to_string_pretty(lineage).expect("a lineage is plain data with text keys")
}

#[cfg(test)]
mod tests;
