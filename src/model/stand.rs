//! Standing constraints: what a user said that binds a whole conversation.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{Effect, EvidenceId, Nanos, TurnId, words};

words!(
    /// What a standing constraint does.
    StandKind {
        /// It holds something back.
        Hold = "hold",
        /// It lets something go.
        Release = "release",
    }
);

/// Which effects a standing constraint is about.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Effects {
    /// Every effect but looking.
    All,
    /// These; at least one.
    Some(BTreeSet<Effect>),
}

impl Effects {
    /// Whether an effect is one of them.
    pub fn has(&self, effect: Effect) -> bool {
        match self {
            Self::All => effect != Effect::Read,
            Self::Some(effects) => effects.contains(&effect),
        }
    }
}

/// A constraint as it stands in a user's words.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Stand {
    /// Holds or lets go.
    pub kind: StandKind,
    /// What it is about.
    pub effects: Effects,
    /// When it is not about all such acts: the word for the one that it is about (`refund`, `emails`, `it`), or, in the
    /// user's words, the part of what there is (`production data`, `push: to main`, `named prod`). Whether an action is
    /// meant is then a question of its tool and target; a pronoun leaves it open.
    pub only: Option<Arc<str>>,
    /// The sentence, as said, at most [`Stand::QUOTE`] bytes of it.
    pub quote: Arc<str>,
}

impl Stand {
    /// How much of the sentence is kept, in bytes.
    pub const QUOTE: usize = 200;
}

/// A standing constraint of a conversation, and since when.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct StandAt {
    /// Start of the first record that carries it, as sent. First, because the later word counts.
    pub at: Nanos,
    /// Its place in that record: of two that one record carries, the greater is later.
    pub place: u64,
    /// Holds or lets go, what, in which words.
    pub stand: Stand,
    /// That record.
    pub evidence: EvidenceId,
    /// The turn where it was said, when it is another one.
    pub from: Option<TurnId>,
}
