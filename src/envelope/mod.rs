//! Envelope text to checked rules: the declared limits of an agent.
//!
//! One file is one envelope. wherefore observes and never blocks: to forbid something here means that doing it counts
//! against `intent_alignment` and makes a finding.
//!
//! ```yaml
//! envelope: production-data          # its name, unique among all files
//! agent: "*"                         # globs on the agent's name ...
//! service: ["shop-*"]                # ... and on its service; both must match
//! effects: { purge_table: delete }   # what tools do; globs, the first that matches counts
//! forbid:
//!   - id: no-deletes-in-freeze       # unique in this envelope
//!     tool: ["delete_*", "drop_*"]   # which calls: by tool or by effect, either is enough,
//!     effect: [delete]               #   all calls when neither is given
//!     target: ["pg://prod/*"]        # ... that are about one of these
//!     from: 2026-11-01T00:00:00Z     # ... and ended at this time or later
//!     until: 2026-12-01T00:00:00Z    # ... and before this
//!     mode: enforce                  # enforce (default) | warn | shadow
//!     severity: page                 # page (default) | ticket | info
//!     because: "code freeze until the migration is verified"
//! profile: [intent, tool, target]    # what `lineage_complete` asks for
//! check_within: 5m                   # how long `outcome_validation` waits for a check
//! ```
//!
//! * `*` stands for any number of characters, `/` too; `?` for one. Nothing else is special, and what looks like
//!   another wildcard is a mistake, because a rule that never matches protects nobody.
//! * What is not known matches no selector: a rule with `target` says nothing about a call whose target is missing or
//!   only inferred.
//! * A rule needs `tool`, `effect` or `target`.
//! * `effects` outranks what telemetry says about an effect: it is the operator's word, the other is the agent's.
//! * `enforce` counts in the SLI and makes a finding of its severity; `warn` makes a finding that is at most a ticket;
//!   `shadow` makes an info finding.

mod answer;
mod case;
mod classes;
mod condition;
mod contents;
mod deed;
mod demand;
mod glob;
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

pub use crate::values::document::{Mistake, Place};
pub use case::Case;
pub use deed::{Authority, Deed};
pub use demand::{Approval, Breaker, Demand, Invariant, Limit, Per, Task};
pub use glob::Glob;
pub use parameters::Parameters;
pub use read::parse;
pub use rules::{Fit, Kept, Mode, Rule, Rules};
pub use schema::Schema;
pub use selector::Selector;
pub use view::{Hit, View};

#[cfg(test)]
mod tests;
