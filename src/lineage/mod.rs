//! A set of evidence to actions, turns and conversations.
//!
//! State is a set, kept in pieces. [`Book::fold`] adds one piece of evidence and touches only what it
//! speaks of; [`Book::action`] reads one action out of the pieces; [`assemble`] does it for a whole set at once and
//! is the oracle: whatever the order of folding, both say the same.

mod above;
mod book;
mod edges;
mod fold;
mod kth;
mod later;
mod messages;
mod models;
mod pair;
mod pieces;
mod plans;
mod read;
mod said;
mod standing;
mod state;
mod tree;

pub use above::{Above, StandKey};
pub use edges::{Ties, taken_as};
pub use fold::{Touched, checked_span, turn_of, turn_of_response, turn_of_trace};
pub use messages::Reading as MessageReading;
pub use pair::Group;
pub use read::{
    Attempt, EndedBy, Judged, Reading, action_id, assemble, attempt, conversation_id, instrumentation, is_denied,
};
pub use state::{About, ActionState, Asked, Attached, Book, Handle, Ranked, Spoken, ToolSaid, TurnState, Utterance};
