//! What the engine remembers of an action and a turn besides their evidence: what was published and counted. This
//! follows processing order; the lineage does not.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::model::{ActionId, Digest, FindingId, Hash, Nanos, Sli, TurnId, Value};
use crate::sli::LedgerKey;

/// The books of one component.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Account {
    /// Fixed at first publication.
    pub id: Option<ActionId>,
    /// Of the last row.
    pub revision: u32,
    /// Digest of the configuration in force when its first evidence was folded.
    pub judged_by: Option<Digest>,
    /// When its first evidence was folded, on the engine's clock.
    pub first_seen: Nanos,
    /// When its last evidence was folded, on the engine's clock.
    pub last_seen: Nanos,
    /// End of the evidence that ends it, as sent, and how late that was folded, in nanoseconds.
    pub latest: Option<(Nanos, u64)>,
    /// Its outcome was taken.
    pub settled: bool,
    /// Evidence came after the horizon had passed: its ledger slice is closed.
    pub frozen: bool,
    /// SLIs whose deadline has passed, with the value that was due.
    pub due: BTreeMap<Sli, Value>,
    /// What the ledger holds of it.
    pub booked: BTreeMap<Sli, (LedgerKey, Value)>,
    /// Findings that were opened, by rule, and whether they page.
    pub raised: BTreeMap<Arc<str>, (FindingId, bool)>,
    /// Rules whose violation was counted at once.
    pub violated: BTreeSet<Arc<str>>,
    /// Hash of the last row without its revision.
    pub published: Option<Hash>,
    /// End of the last row, as sent.
    pub end: Nanos,
    /// The action this one was merged into, if its last row is a tombstone.
    pub merged_into: Option<ActionId>,
}

/// The books of one turn.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct TurnAccount {
    /// Of the last row.
    pub revision: u32,
    /// When its last evidence was folded, on the engine's clock.
    pub last_seen: Nanos,
    /// When its root's end was folded, on the engine's clock.
    pub root_seen: Option<Nanos>,
    /// Nothing more is expected.
    pub closed: bool,
    /// Hash of the last row without its revision.
    pub published: Option<Hash>,
    /// Denied attempts in it: (tool, target or parameters) → (start, action).
    pub denied: BTreeMap<(Arc<str>, Arc<str>), BTreeSet<(Nanos, ActionId)>>,
    /// Containment steps already told to the incidents.
    pub contained: usize,
}

/// The turn whose row keeps a component, as the store finds it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Want {
    /// A turn.
    Turn(TurnId),
    /// The turn that keeps a component.
    Handle(u64),
    /// Turns with a call of this id.
    Call(crate::model::Tenant, Arc<str>),
    /// Turns with a call that this model response proposed.
    Response(crate::model::Tenant, Arc<str>),
    /// The turn with this MCP request.
    Mcp(crate::model::Tenant, Arc<str>, Arc<str>),
}
