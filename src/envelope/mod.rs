//! Envelope text to checked rules: the declared limits of an agent.
//!
//! One file is one envelope. wherefore observes and never blocks: to forbid something here means that doing it counts
//! against an SLI and makes a finding. The reference by example is `docs/envelopes.md`; this is the map.
//!
//! ```text
//! envelope, agent, service, mode          read.rs       which agents, and how much the rules mean
//! environments, surfaces, data            classes.rs    names of targets and of data
//! tools, effects, only_listed             deed.rs       what tools do, and whose word counts
//! forbid, freeze, allow, parameters,      sections.rs   one table: a section's keys and its demand
//! output, approval, two_phase, limit,     selector.rs   which calls a rule is about: the head they share
//! breaker, grant, task, hold, invariant   demand.rs     what it asks for
//! when, holds, where                      condition.rs  CEL
//! check · schema                          parameters.rs · schema.rs
//! profile, check_within                   rules.rs
//! tests                                   case.rs       unit tests, run by `wherefore check`
//! ```
//!
//! [`parse`] gives [`Rules`] or every mistake. [`Rules::view`] tells, for one action, what it does ([`Deed`]), whether
//! an envelope applies, and which rules are about it ([`Hit`]); what a rule then asks for is its [`Demand`]. The index
//! (`index.rs`, `patterns.rs`) keeps that below the cost of asking every rule.
//!
//! * Patterns are globs: `*` stands for any number of characters, `/` too; `?` for one. What looks like another
//!   wildcard is a mistake, because a rule that never matches protects nobody.
//! * What is not known matches no selector for certain, and neither does a guess: the rule is [`Fit::Unclear`], which
//!   convicts nobody and makes nothing good (`answer.rs`).
//! * What was cut, withheld or redacted keeps and breaks no constraint: [`Kept::Unclear`].
//! * Text of an agent costs at most linear time: globs, regular expressions, and conditions over bounded contents.
//! * `enforce` counts in the SLI and makes a finding of its severity; `warn` makes a finding that is at most a ticket;
//!   `shadow` makes an info finding.

mod answer;
mod case;
mod classes;
mod condition;
mod contents;
mod deed;
mod demand;
mod index;
mod parameters;
mod pattern;
mod patterns;
mod read;
mod rules;
mod schema;
mod sections;
mod selector;
mod view;

pub use crate::model::Glob;
pub use crate::values::document::{Mistake, Place};
pub use case::{Case, Expect, Expected};
pub use deed::{Authority, Deed};
pub use demand::{Approval, Breaker, Demand, Invariant, Limit, Per, Task};
pub use parameters::Parameters;
pub use read::parse;
pub use rules::{Fit, Kept, Mode, Rule, Rules};
pub use schema::Schema;
pub use selector::Selector;
pub use view::{Hit, View};

#[cfg(test)]
mod tests;
