//! Deadlines. What is due when, on the engine's own clock, which stands still while the process is down.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::lineage::Handle;
use crate::model::{Nanos, TurnId};

/// Something that has to happen at a point of time. Ordered: at one moment a turn closes before its actions settle.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Due {
    /// Nothing more is expected for a turn.
    Close(TurnId),
    /// An action's outcome is taken as it stands.
    Settle(Handle),
    /// The wait for a post-action check is over.
    Check(Handle),
    /// A settled action got something new.
    Revise(Handle),
    /// A component got something new: others that may be halves of the same action are read again.
    Kin(Handle),
    /// What ties a closed turn to others may have changed.
    Edges(TurnId),
}

/// All deadlines.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Dues {
    in_order: BTreeSet<(Nanos, Due)>,
    at: BTreeMap<Due, Nanos>,
    changed: BTreeSet<Due>,
    /// Turns to close, actions to settle.
    open: (usize, usize),
}

impl Dues {
    /// Puts deadlines back that a checkpoint kept.
    pub fn restore(dues: impl IntoIterator<Item = (Due, Nanos)>) -> Self {
        let mut out = Self::default();
        for (due, at) in dues {
            out.set(due, at);
        }
        out.changed.clear();
        out
    }

    /// Sets or moves a deadline.
    pub fn set(&mut self, due: Due, at: Nanos) {
        if let Some(old) = self.at.insert(due, at) {
            if old == at {
                return;
            }
            self.in_order.remove(&(old, due));
        } else {
            self.count(due, true);
        }
        self.in_order.insert((at, due));
        self.changed.insert(due);
    }

    /// Keeps the number of open turns and actions.
    fn count(&mut self, due: Due, up: bool) {
        let slot = match due {
            Due::Close(_) => &mut self.open.0,
            Due::Settle(_) => &mut self.open.1,
            Due::Check(_) | Due::Revise(_) | Due::Kin(_) | Due::Edges(_) => return,
        };
        *slot = if up { *slot + 1 } else { slot.saturating_sub(1) };
    }

    /// Sets a deadline unless there is an earlier one.
    pub fn sooner(&mut self, due: Due, at: Nanos) {
        if self.at.get(&due).is_none_or(|old| *old > at) {
            self.set(due, at);
        }
    }

    /// Takes a deadline away.
    pub fn cancel(&mut self, due: Due) {
        if let Some(old) = self.at.remove(&due) {
            self.in_order.remove(&(old, due));
            self.count(due, false);
            self.changed.insert(due);
        }
    }

    /// When it is due, if it is.
    pub fn get(&self, due: Due) -> Option<Nanos> {
        self.at.get(&due).copied()
    }

    /// The next one.
    pub fn next(&self) -> Option<Nanos> {
        self.in_order.first().map(|(at, _)| *at)
    }

    /// Takes the first one that is due at `now`.
    pub fn take(&mut self, now: Nanos) -> Option<Due> {
        let (_, due) = *self.in_order.first().filter(|(at, _)| *at <= now)?;
        self.cancel(due);
        Some(due)
    }

    /// All that are due at `now`, in order.
    pub fn until(&self, now: Nanos) -> impl Iterator<Item = Due> + '_ {
        self.in_order.iter().take_while(move |(at, _)| *at <= now).map(|(_, due)| *due)
    }

    /// Turns that are not closed, and actions that are not settled.
    pub fn open(&self) -> (usize, usize) {
        self.open
    }

    /// Counts these as changed again: they could not be written.
    pub fn changed_again(&mut self, changed: impl IntoIterator<Item = Due>) {
        self.changed.extend(changed);
    }

    /// What changed since it was last asked; `None` when the deadline is gone.
    pub fn take_changed(&mut self) -> Vec<(Due, Option<Nanos>)> {
        std::mem::take(&mut self.changed).into_iter().map(|due| (due, self.at.get(&due).copied())).collect()
    }
}
