//! The lengths of time that decide when something settles, closes or is forgotten. Configuration may
//! change each of them; the defaults and their reasons stand here.

use serde::{Deserialize, Serialize};

use super::Span;

/// How long the engine waits, for what. A value of the journal: a replay uses the constants that were in force.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Constants {
    /// After the turn's root ended, before its actions settle. Two default export delays (5 s) and a retry.
    pub grace: Span,
    /// Without evidence for an action, before it settles although its turn is open.
    pub idle: Span,
    /// For an answer to an open ask or an unanswered proposal. Outranks the root's end, for that action alone.
    pub ask: Span,
    /// Evidence later than this after its own end never moves a live counter or a detector.
    pub live_lateness: Span,
    /// Horizon H of deduplication and of ledger revision: inside it the order of arrival does not matter.
    pub horizon: Span,
    /// Later evidence still revises the lineage record.
    pub patches: Span,
    /// A conversation id that was unused for this long starts anew.
    pub epoch: Span,
    /// For a post-action check, before `outcome_validation` is counted without one. Envelopes may shorten it.
    pub check_within: Span,
    /// From the first violation of an incident to its containment, before `containment_within` is bad.
    #[serde(default = "contain_within")]
    pub contain_within: Span,
}

/// Five minutes: a person who is paged needs as long to look (`slo.md` §4.2).
fn contain_within() -> Span {
    Span::minutes(5)
}

impl Default for Constants {
    fn default() -> Self {
        Self {
            grace: Span::seconds(15),
            idle: Span::minutes(10),
            ask: Span::hours(24),
            live_lateness: Span::minutes(10),
            horizon: Span::hours(48),
            patches: Span::days(7),
            epoch: Span::hours(24),
            check_within: Span::minutes(10),
            contain_within: contain_within(),
        }
    }
}
