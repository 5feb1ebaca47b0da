//! What the user said that binds the whole conversation: wait, and do nothing until I say so.
//!
//! A hold binds from the moment it was said until the user releases it, in this turn or a later one, whether or not the
//! model still has the words in its context. It binds calls that change something; an approval of exactly this call
//! lifts it for this call.

use std::sync::Arc;

use super::Context;
use crate::model::{Action, EvidenceId};

/// A hold that a call ran against.
#[derive(Debug, Clone)]
pub(super) struct Held {
    /// The user's words.
    pub(super) quote: Arc<str>,
    /// The record that has them.
    pub(super) evidence: EvidenceId,
    /// What the call does is known. Else it is a guess, which convicts nobody.
    pub(super) sure: bool,
}

/// The hold that a call ran against, if there is one.
pub(super) fn holds(_: &Context<'_>, _: &Action) -> Option<Held> {
    None
}
