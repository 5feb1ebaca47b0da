//! Retries: which denied attempt of the same thing in the same turn came first. The turn's books hold an index, so that
//! nobody looks through the turn; an action stands in it once, under its id, or not at all.

use std::collections::BTreeSet;

use crate::lineage::{self, Handle};
use crate::model::{Action, ActionId, Nanos};

use super::{Denial, Engine};

impl Engine {
    /// An earlier denial of the same attempt.
    pub(super) fn retry_of(&self, action: &Action) -> Option<ActionId> {
        let Denial { turn, tool, about, start } = denial(action)?;
        let attempts = self.turns.get(&turn)?.denied.get(&(tool, about))?;
        attempts.first().filter(|first| **first < (start, action.id)).map(|(_, id)| *id)
    }

    /// Keeps the index. When the first attempt of a kind changes, the others are read again.
    pub(super) fn index_denial(&mut self, root: Handle, action: &Action) {
        let now = denial(action);
        let Some(account) = self.accounts.get_mut(&root).filter(|account| account.denial != now) else {
            return;
        };
        let heard = account.heard;
        // It may have been another attempt, or in another turn, while less was known of it.
        let before = std::mem::replace(&mut account.denial, now.clone());
        if let Some(before) = before {
            self.drop_denial(&before, action.id, heard);
        }
        if let Some(now) = now {
            // What ran after it may do in another way what was denied.
            self.marks_since(now.turn, now.start);
            self.change_denials(&now, heard, |attempts| attempts.insert((now.start, action.id)));
        }
    }

    /// Takes an attempt out of the index.
    pub(super) fn drop_denial(&mut self, denial: &Denial, id: ActionId, heard: Nanos) {
        self.change_denials(denial, heard, |attempts| attempts.remove(&(denial.start, id)));
    }

    fn change_denials(
        &mut self,
        denial: &Denial,
        heard: Nanos,
        change: impl FnOnce(&mut BTreeSet<(Nanos, ActionId)>) -> bool,
    ) {
        let Some(account) = self.turns.get_mut(&denial.turn) else {
            return;
        };
        let attempt = (denial.tool.clone(), denial.about.clone());
        let attempts = account.denied.entry(attempt.clone()).or_default();
        let first = attempts.first().copied();
        change(attempts);
        let moved = attempts.first().copied() != first;
        if attempts.is_empty() {
            account.denied.remove(&attempt);
        }
        self.changed.turns.insert(denial.turn);
        if moved {
            self.mark_denials(denial, heard);
        }
    }
}

/// Where a denied attempt stands.
fn denial(action: &Action) -> Option<Denial> {
    let (turn, tool, about) = lineage::attempt(action).filter(|_| lineage::is_denied(action))?;
    Some(Denial { turn, tool, about, start: action.start })
}
