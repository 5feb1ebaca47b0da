//! Settling and publishing: what turns state into rows and findings.

use std::sync::Arc;

use crate::judge;
use crate::lineage::{self, Group, Handle, Reading};
use crate::model::{Action, FindingState, Sli, State, Turn, TurnId};
use crate::values;

use super::{Configuration, Due, Engine, Output};

impl Engine {
    /// An action's window is over. An open ask and an unanswered proposal hold back themselves, up to `ask`.
    pub(super) fn settle(&mut self, handle: Handle, output: &mut Output) {
        let Some(group) = self.book.group(handle) else {
            return;
        };
        if group.root != handle {
            self.follow(&group, handle, output);
            return;
        }
        let clock = self.clock();
        let Some(account) = self.accounts.get(&handle) else {
            return;
        };
        let window = account.last_seen + self.constants().ask;
        let in_time = clock < window && !account.settled;
        if in_time && matches!(self.book.state(&group), Some(State::Proposed | State::Asked)) {
            self.dues.set(Due::Settle(handle), window);
            return;
        }
        if let Some(account) = self.accounts.get_mut(&handle) {
            account.settled = true;
        }
        self.publish(&group, output);
    }

    /// Something about a settled action may have changed.
    pub(super) fn revise(&mut self, handle: Handle, output: &mut Output) {
        let Some(group) = self.book.group(handle) else {
            return;
        };
        if group.root != handle {
            self.follow(&group, handle, output);
            return;
        }
        if self.accounts.get(&handle).is_some_and(|account| account.settled) {
            self.publish(&group, output);
        }
    }

    /// What the reader of an action knows about time.
    fn reading(&self, handle: Handle, group: &Group) -> Reading {
        let home = self.book.home(group);
        let closed = home.and_then(|turn| self.turns.get(&turn)).is_some_and(|turn| turn.closed);
        let settled = self.accounts.get(&handle).is_some_and(|account| account.settled);
        Reading { closed, expired: settled }
    }

    /// The action as it stands, judged, without publishing it: for questions about open actions.
    pub fn preview(&self, handle: Handle) -> Option<(Action, bool)> {
        let group = self.book.group(handle)?;
        let action = self.read(&group)?;
        let settled = self.accounts.get(&group.root).is_some_and(|account| account.settled);
        Some((action, settled))
    }

    /// Reads and judges one action.
    fn read(&self, group: &Group) -> Option<Action> {
        let mut action = self.assembled(group)?;
        self.judged(group, &mut action);
        Some(action)
    }

    /// Reads one action, not judged yet.
    pub(super) fn assembled(&self, group: &Group) -> Option<Action> {
        let account = self.accounts.get(&group.root)?;
        let mut action = self.book.action(group, self.reading(group.root, group))?;
        action.id = account.id.unwrap_or(action.id);
        action.revision = account.revision;
        action.retry_of = self.retry_of(&action);
        action.judged_by = Some(self.configuration_of(account.judged_by).0);
        Some(action)
    }

    /// What an action's turn shares, as far as judging needs it.
    pub(super) fn gist_of(&self, action: &Action) -> Option<Turn> {
        let closed = self.turns.get(&action.turn).is_some_and(|turn| turn.closed);
        self.book.gist(action.turn, closed)
    }

    /// Judges an action as it was read.
    fn judged(&self, group: &Group, action: &mut Action) {
        if let Some(turn) = self.gist_of(action) {
            let configuration = &self.configuration_of(action.judged_by).1;
            self.judged_in(group, action, configuration, judge::Context::alone(&configuration.rules, &turn));
        }
    }

    /// Judges an action in a context that does not know yet what is around it.
    fn judged_in(&self, group: &Group, action: &mut Action, configuration: &Configuration, alone: judge::Context<'_>) {
        let Some(account) = self.accounts.get(&group.root) else {
            return;
        };
        let learnt = self.asked_of(account, configuration, action);
        let around = self.around(group, action, &alone);
        let context = alone.among(&learnt, &around);
        (action.verdicts, action.findings) = judge::judge(&context, action);
        if !action.findings.is_empty() {
            let changes = self.changes(action, context.turn);
            judge::tag(&mut action.findings, &changes);
        }
        action.findings.extend(self.tipped(group).cloned());
        for finding in &mut action.findings {
            if let Some(raised) = account.raised.get(&finding.rule) {
                finding.id = raised.finding;
            }
        }
    }

    /// Tells others what they may want to know of an action before they are judged, and judges it itself. Gives the
    /// rules that it broke for good.
    fn told_and_judged(&mut self, group: &Group, action: &mut Action) -> Vec<Arc<str>> {
        let Some(turn) = self.gist_of(action) else { return Vec::new() };
        let configuration = self.configuration_of(action.judged_by).1.clone();
        let alone = judge::Context::alone(&configuration.rules, &turn);
        let standing = self.standing(group, action);
        self.leave_notes(group.root, action, &alone, standing);
        self.act(action, &alone);
        let broken = judge::violated(&alone, action);
        self.judged_in(group, action, &configuration, alone);
        broken
    }

    /// Reads, judges, counts what is due, and hands out a row if it says something new.
    fn publish(&mut self, group: &Group, output: &mut Output) {
        let root = group.root;
        self.changed.actions.insert(root);
        let Some(mut action) = self.assembled(group) else {
            self.dissolve(group, output);
            return;
        };
        action.id = self.fix_id(root, action.id);
        self.index_denial(root, &action);
        action.retry_of = self.retry_of(&action);
        let broken = self.told_and_judged(group, &mut action);
        self.learn(group, &mut action);
        let heard = self.heard(group);
        for (member, _) in &group.members {
            self.entomb(*member, Some(action.id), heard, output);
        }
        self.take_over_findings(group, &action, output);
        self.raise(root, &action, action.findings.clone(), broken, output);
        self.retract(root, &action, output);
        if self.clock_of(&action).is_some() != action.verdict(Sli::ContainmentWithin).is_some() {
            // Its own finding has opened an incident just now, or closed one.
            self.judged(group, &mut action);
        }
        self.count(group, &action);

        let Some(account) = self.accounts.get_mut(&root) else {
            return;
        };
        for finding in &mut action.findings {
            if let Some(raised) = account.raised.get(&finding.rule) {
                finding.id = raised.finding;
            }
        }
        action.revision = 0;
        let hash = values::digest_of(&action);
        if account.published == Some(hash) && account.merged_into.is_none() {
            return;
        }
        account.published = Some(hash);
        account.end = action.end;
        account.merged_into = None;
        account.revision += 1;
        action.revision = account.revision;
        let watches = !action.findings.is_empty() || lineage::is_denied(&action);
        self.tell_watchers(root, &action, watches);
        output.actions.push(action);
    }

    /// It is no action after all: nothing is found of it or of a half of it, and their rows, where there are some,
    /// become tombstones.
    fn dissolve(&mut self, group: &Group, output: &mut Output) {
        let heard = self.heard(group);
        for handle in group.all() {
            if let (Some(remains), Some(account)) = (self.book.remains(handle), self.accounts.get_mut(&handle)) {
                let gone = std::mem::take(&mut account.raised);
                for finding in account.tipped.drain(..) {
                    self.profiles.untold(&remains.tenant, finding.id);
                }
                let id = account.id.unwrap_or(remains.id);
                self.changed.actions.insert(handle);
                self.withdraw(&remains, id, gone, FindingState::Retracted, output);
            }
            self.entomb(handle, None, heard, output);
        }
    }

    /// Hands out a turn's row if it says something new, and tells the incidents what was contained.
    pub(super) fn publish_turn(&mut self, turn: TurnId, output: &mut Output) {
        let (Some(state), Some(account)) = (self.book.turn_state(turn), self.turns.get_mut(&turn)) else {
            return;
        };
        let Some(mut record) = self.book.turn(turn, account.closed) else {
            return;
        };
        let hash = values::digest_of(&record);
        let untold = std::mem::replace(&mut account.contained, record.containment.len()) != record.containment.len();
        let same = account.published == Some(hash) || state.evidence.is_empty();
        self.changed.turns.insert(turn);
        if untold {
            self.steps(&record);
        }
        let Some(account) = self.turns.get_mut(&turn).filter(|_| !same) else {
            return;
        };
        account.published = Some(hash);
        account.revision += 1;
        record.revision = account.revision;
        output.turns.push(record);
    }
}
