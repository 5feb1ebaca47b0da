//! The shelf: which partitions there are, as of the last commit. The writer replaces it whole, readers look at one.

use std::sync::{Arc, PoisonError, RwLock};

use crate::model::Nanos;

use super::filter::Filter;
use super::spread::Spread;

/// One partition.
#[derive(Debug, Clone)]
pub(super) struct Part {
    /// 1 for the first, then one more each.
    pub number: i64,
    /// Of its files, without an ending.
    pub name: String,
    /// Commit time of its first row.
    pub begins: Nanos,
    /// Commit time of its last row.
    pub ends: Nanos,
    /// Closed for ever.
    pub sealed: bool,
    /// Length of its content file.
    pub content: u64,
    /// On disk.
    pub bytes: u64,
    /// Rows of actions.
    pub actions: u64,
    /// Rows of turns.
    pub turns: u64,
    /// What times its actions and findings may have; without one, any.
    pub spread: Option<Spread>,
    /// What may be in it; without one, anything may.
    pub filter: Option<Shared>,
}

/// A filter that its writer adds to while others look into it.
pub(super) type Shared = Arc<RwLock<Filter>>;

impl Part {
    /// False: nothing of this hash is in it.
    pub fn may_hold(&self, hash: i64) -> bool {
        self.filter.as_ref().is_none_or(|filter| holds(filter, hash))
    }

    /// The latest time at or before `at` that a row in it may have.
    pub fn latest(&self, at: i64) -> Option<i64> {
        self.spread.as_ref().map_or(Some(at), |spread| spread.latest(at))
    }
}

/// All partitions, the oldest first.
#[derive(Debug, Default)]
pub(super) struct Shelf {
    /// Rows of later journal positions are not committed and are not shown.
    pub applied: u64,
    /// The partitions.
    pub parts: Vec<Part>,
}

/// False: it was never put in.
pub(super) fn holds(filter: &Shared, hash: i64) -> bool {
    filter.read().unwrap_or_else(PoisonError::into_inner).contains(hash)
}

/// Puts hashes in.
pub(super) fn put(filter: &Shared, hashes: impl IntoIterator<Item = i64>) {
    let mut filter = filter.write().unwrap_or_else(PoisonError::into_inner);
    hashes.into_iter().for_each(|hash| filter.insert(hash));
}

/// The shelf that everybody looks at.
#[derive(Debug, Clone, Default)]
pub(super) struct Shown(Arc<RwLock<Arc<Shelf>>>);

impl Shown {
    /// As of the last commit.
    pub fn get(&self) -> Arc<Shelf> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Shows another one from now on.
    pub fn set(&self, shelf: Shelf) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(shelf);
    }
}
