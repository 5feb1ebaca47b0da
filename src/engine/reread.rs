//! Who is read again, and when. What many actions share is only marked while a frame is folded; they are walked once
//! at its end, however many of its records changed it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::lineage::{Handle, Touched};
use crate::model::{Nanos, Span, TurnId};

use super::{Denial, Due, Engine, Output, REVISE_AFTER, SHARED_AFTER, SOON};

/// What changed in this step for many actions at once.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Marks {
    /// Turns whose first root has ended.
    rooted: BTreeSet<TurnId>,
    /// Turns whose shared facts changed, and since when: settled actions that end then or later are read again.
    shared: BTreeMap<TurnId, Nanos>,
    /// Denied attempts of a turn (by tool and target) of which another is the first now, and when it was heard of.
    denials: BTreeMap<(TurnId, Arc<str>, Arc<str>), Nanos>,
}

impl Engine {
    /// Sets a deadline to read a settled action again, because of something that came at `heard`.
    pub(super) fn reread(&mut self, handle: Handle, heard: Nanos, wait: Span) {
        let (clock, held) = (self.clock(), self.held);
        let Some(account) = self.accounts.get_mut(&handle).filter(|account| account.settled) else {
            return;
        };
        account.heard = account.heard.max(heard);
        self.changed.actions.insert(handle);
        // Before its slice closes, so that what came in time is not mixed with what comes later.
        let closes = account.closes.map(|at| at - held).filter(|at| *at >= clock);
        let latest = closes.map_or(Nanos(u64::MAX), |at| at.max(clock + SOON));
        self.dues.sooner(Due::Revise(handle), latest.min(clock + wait));
    }

    /// Marks what a record changed for others than the components it speaks of.
    pub(super) fn mark(&mut self, touched: &Touched, first_root: bool) {
        if first_root {
            self.marks.rooted.insert(touched.turn);
        }
        for (turn, since) in &touched.turns {
            self.changed.turns.insert(*turn);
            self.spoken_of(*turn);
            let known = self.marks.shared.entry(*turn).or_insert(*since);
            *known = (*known).min(*since);
        }
    }

    /// What a turn's actions share changed for those that end at a time or later, by something that stands elsewhere.
    pub(super) fn marks_since(&mut self, turn: TurnId, since: Nanos) {
        let known = self.marks.shared.entry(turn).or_insert(since);
        *known = (*known).min(since);
    }

    /// Another attempt is the first of its kind in a turn now, or the first is another now.
    pub(super) fn mark_denials(&mut self, denial: &Denial, heard: Nanos) {
        let attempt = (denial.turn, denial.tool.clone(), denial.about.clone());
        let known = self.marks.denials.entry(attempt).or_insert(heard);
        *known = (*known).max(heard);
    }

    /// Sets the deadlines that follow from what was marked.
    pub(super) fn walk_marked(&mut self) {
        let marks = std::mem::take(&mut self.marks);
        for turn in marks.rooted {
            self.root_ended(turn);
        }
        for (turn, since) in marks.shared {
            self.shared_changed(turn, since);
        }
        for ((turn, tool, about), heard) in marks.denials {
            let slot = self.turns.get(&turn).and_then(|account| account.denied.get(&(tool, about)));
            let attempts = slot.into_iter().flatten();
            let handles: Vec<Handle> = attempts.filter_map(|(_, id)| self.by_id.get(id).copied()).collect();
            for handle in handles {
                self.reread(handle, heard, SOON);
            }
        }
    }

    /// The root of a turn has ended: what is not settled settles after the grace.
    fn root_ended(&mut self, turn: TurnId) {
        let at = self.clock() + self.constants().grace;
        for handle in self.book.members(turn) {
            if self.accounts.get(&handle).is_some_and(|account| !account.settled) {
                self.dues.sooner(Due::Settle(handle), at);
            }
        }
    }

    /// A turn that others speak of has books too, although it may never have evidence of its own.
    fn spoken_of(&mut self, turn: TurnId) {
        let clock = self.clock();
        let account = self.turns.entry(turn).or_default();
        account.last_seen = clock;
        if !account.closed && self.dues.get(Due::Close(turn)).is_none() {
            self.dues.set(Due::Close(turn), clock + self.constants().idle);
        }
    }

    /// What a turn shares changed for actions that end at `since` or later: those settled are read again, soon.
    fn shared_changed(&mut self, turn: TurnId, since: Nanos) {
        for handle in self.book.members(turn) {
            if self.accounts.get(&handle).is_some_and(|account| account.end >= since) {
                self.reread(handle, self.now, SHARED_AFTER);
            }
        }
    }

    /// Turns that take up what one gives are written again, soon, because of something that came at `heard`.
    pub(super) fn tell_takers(&mut self, turn: TurnId, heard: Nanos) {
        let soon = self.clock() + SOON;
        for taker in self.book.takers(turn) {
            let account = self.turns.entry(taker).or_default();
            if account.told < heard {
                account.told = heard;
                self.changed.turns.insert(taker);
            }
            self.dues.sooner(Due::Edges(taker), soon);
        }
    }

    /// What ties a turn to others may have changed, and with it what binds its actions. Then those below it may be
    /// bound otherwise too.
    pub(super) fn edges_change(&mut self, turn: TurnId, output: &mut Output) {
        let inherited = self.book.inherited(turn);
        let Some(account) = self.turns.get_mut(&turn) else { return };
        let (closed, heard) = (account.closed, account.told);
        if account.inherited != inherited {
            account.inherited = inherited;
            self.changed.turns.insert(turn);
            for handle in self.book.members(turn) {
                self.reread(handle, heard, SOON);
            }
            self.tell_takers(turn, heard);
        }
        if closed {
            self.publish_turn(turn, output);
        }
    }

    /// Others that are computed together with this component are read again if they are settled.
    pub(super) fn relatives_change(&mut self, handle: Handle) {
        let heard = self.accounts.get(&handle).map_or(self.now, |account| account.heard);
        let soon = self.clock() + SOON;
        for other in self.book.relatives(handle) {
            if other != handle {
                self.reread(other, heard, REVISE_AFTER);
            }
            for turn in self.book.remembers(other) {
                self.dues.sooner(Due::Edges(turn), soon);
            }
        }
    }
}
