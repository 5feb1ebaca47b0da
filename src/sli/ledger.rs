//! The event-time ledger: good, bad and unknown per tenant, SLI, agent and five minutes.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::model::{Nanos, Sli, Span, Tenant, Value};

/// Length of a slice.
pub const SLICE: Span = Span::minutes(5);

/// Where a verdict is booked. The agent is the real one: the ledger has no overflow slot.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct LedgerKey {
    /// Start of the slice.
    pub slice: Nanos,
    /// Whose.
    pub tenant: Tenant,
    /// Which SLI.
    pub sli: Sli,
    /// Which agent.
    pub agent: Arc<str>,
}

/// The counts of one slice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Cell {
    /// Good actions.
    pub good: u64,
    /// Bad actions.
    pub bad: u64,
    /// Actions about which nothing can be said.
    pub unknown: u64,
}

impl Cell {
    fn slot(&mut self, value: Value) -> &mut u64 {
        match value {
            Value::Good => &mut self.good,
            Value::Bad => &mut self.bad,
            Value::Unknown => &mut self.unknown,
        }
    }

    /// The count of one value.
    pub fn get(&self, value: Value) -> u64 {
        match value {
            Value::Good => self.good,
            Value::Bad => self.bad,
            Value::Unknown => self.unknown,
        }
    }

    /// All of them.
    pub fn total(&self) -> u64 {
        self.good + self.bad + self.unknown
    }

    /// Adds another slice's counts.
    pub fn add(&mut self, other: &Self) {
        self.good += other.good;
        self.bad += other.bad;
        self.unknown += other.unknown;
    }
}

/// The slices in memory, and which of them changed since the last checkpoint.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Ledger {
    cells: BTreeMap<LedgerKey, Cell>,
    /// Slices that start before this are final and change no more: what the store has of them stands, whether or not
    /// they are still in memory.
    floor: Nanos,
    changed: BTreeSet<LedgerKey>,
}

impl Ledger {
    /// Puts slices back that a checkpoint kept; those before `floor` are final.
    pub fn restore(cells: impl IntoIterator<Item = (LedgerKey, Cell)>, floor: Nanos) -> Self {
        let cells = cells.into_iter().filter(|(key, _)| key.slice >= floor).collect();
        Self { cells, floor, changed: BTreeSet::new() }
    }

    /// Moves one action from what was booked to what is known now. A final slice neither loses nor gains.
    pub fn book(&mut self, from: Option<&(LedgerKey, Value)>, to: Option<&(LedgerKey, Value)>) {
        let kept = |entry: &&(LedgerKey, Value)| entry.0.slice >= self.floor;
        let (from, to) = (from.filter(kept), to.filter(kept));
        if from == to {
            return;
        }
        if let Some((key, value)) = from {
            let cell = self.cells.entry(key.clone()).or_default();
            let slot = cell.slot(*value);
            *slot = slot.saturating_sub(1);
            self.changed.insert(key.clone());
        }
        if let Some((key, value)) = to {
            *self.cells.entry(key.clone()).or_default().slot(*value) += 1;
            self.changed.insert(key.clone());
        }
    }

    /// Start of the first slice that is not final.
    pub fn floor(&self) -> Nanos {
        self.floor
    }

    /// Every slice that is not final, in time order. Empty ones are left out: they say the same as absent ones.
    pub fn cells(&self) -> impl Iterator<Item = (&LedgerKey, &Cell)> {
        self.cells.iter().filter(|(key, cell)| key.slice >= self.floor && cell.total() > 0)
    }

    /// Sums per (tenant, SLI, agent) over slices that start at or after `since`.
    pub fn totals(&self, since: Nanos) -> BTreeMap<(Tenant, Sli, Arc<str>), Cell> {
        let mut totals: BTreeMap<_, Cell> = BTreeMap::new();
        for (key, cell) in self.cells().filter(|(key, _)| key.slice >= since) {
            totals.entry((key.tenant.clone(), key.sli, key.agent.clone())).or_default().add(cell);
        }
        totals
    }

    /// Counts these as changed again: they could not be written.
    pub fn changed_again(&mut self, changed: impl IntoIterator<Item = LedgerKey>) {
        self.changed.extend(changed);
    }

    /// What changed since it was last asked.
    pub fn take_changed(&mut self) -> Vec<(LedgerKey, Cell)> {
        let cells = &self.cells;
        std::mem::take(&mut self.changed)
            .into_iter()
            .map(|key| {
                let cell = cells.get(&key).copied().unwrap_or_default();
                (key, cell)
            })
            .collect()
    }

    /// Makes slices before `before` final, and drops those from memory that a checkpoint has written.
    pub fn forget(&mut self, before: Nanos) {
        self.floor = self.floor.max(before);
        let changed = &self.changed;
        self.cells.retain(|key, _| key.slice >= before || changed.contains(key));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(slice: u64) -> LedgerKey {
        LedgerKey {
            slice: Nanos(slice),
            tenant: Tenant::default(),
            sli: Sli::IntentAlignment,
            agent: "refund-bot".into(),
        }
    }

    fn booked(slices: impl IntoIterator<Item = u64>) -> Ledger {
        let mut ledger = Ledger::default();
        for slice in slices {
            ledger.book(None, Some(&(key(slice), Value::Good)));
        }
        ledger
    }

    #[test]
    fn a_final_slice_is_never_written_again() {
        let mut ledger = booked([1, 1, 1, 9]);
        ledger.take_changed();
        ledger.forget(Nanos(5));
        ledger.book(None, Some(&(key(1), Value::Bad)));
        ledger.book(Some(&(key(1), Value::Good)), Some(&(key(9), Value::Good)));
        assert_eq!(ledger.take_changed(), [(key(9), Cell { good: 2, ..Cell::default() })]);
    }

    #[test]
    fn what_no_checkpoint_has_written_is_written_although_it_is_final_by_then() {
        let mut ledger = booked([1]);
        ledger.forget(Nanos(5));
        assert_eq!(ledger.cells().count(), 0);
        assert_eq!(ledger.take_changed(), [(key(1), Cell { good: 1, ..Cell::default() })]);
    }

    #[test]
    fn a_restored_ledger_says_what_the_running_one_says() {
        let mut running = booked(0..10);
        let kept = running.take_changed();
        running.forget(Nanos(4));
        let mut restored = Ledger::restore(kept, Nanos(4));
        for ledger in [&mut running, &mut restored] {
            ledger.book(None, Some(&(key(2), Value::Bad)));
            ledger.book(Some(&(key(5), Value::Good)), None);
        }
        assert_eq!(running, restored);
    }
}
