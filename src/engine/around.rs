//! What an action is judged with that is not its own: gathered from the boards, the incidents and its turn's books.

use std::collections::BTreeSet;

use crate::judge::{self, Around, Change, Clock, Note, Place, Topic};
use crate::lineage::{self, Group, Handle};
use crate::model::{Action, ActionId, Nanos, Turn, TurnId};

use super::containment::named;
use super::count::Standing;
use super::{Due, Engine, SOON, TurnAccount};

/// How many actions of a turn are looked at for what they mean to one of them.
const KIN: usize = 1_000;

impl Engine {
    /// Everything around an action, as it is known now.
    pub(super) fn around(&self, group: &Group, action: &Action, context: &judge::Context<'_>) -> Around {
        let mut around = Around { incident: self.clock_of(action), ..Around::default() };
        let notes = group.all().filter_map(|handle| self.accounts.get(&handle)).flat_map(|half| &half.notes);
        for (topic, place) in notes {
            self.read_board(action, topic, *place, &mut around);
        }
        if let Some(account) = self.turns.get(&action.turn).filter(|account| !account.denied.is_empty()) {
            if action.state.is_proven_execution() {
                around.denied = self.denied_before(action, account);
            }
            if lineage::is_denied(action) && judge::has_breaker(context, action) {
                around.attempts = self.attempts_up_to(action);
            }
        }
        around
    }

    /// What was denied in a turn before an action began: of each thing that was tried the first attempt.
    fn denied_before(&self, action: &Action, account: &TurnAccount) -> Vec<Action> {
        let firsts = account.denied.values().filter_map(|attempts| attempts.first());
        let mut before: Vec<&(Nanos, ActionId)> = firsts.filter(|(start, _)| *start < action.start).collect();
        before.sort_unstable();
        let handles = before.into_iter().filter_map(|(_, id)| self.by_id.get(id));
        handles.filter_map(|handle| self.assembled(&self.book.group(*handle)?)).collect()
    }

    /// Distinct attempts of an action's turn, oldest first, up to its own: whether each was denied. The first of each
    /// thing counts.
    fn attempts_up_to(&self, action: &Action) -> Vec<bool> {
        let place = |action: &Action| (action.start, named(action));
        let kin = self.kin(action.turn);
        let until = place(action);
        let mut attempts: Vec<&Action> = kin.iter().filter(|other| place(other) <= until).collect();
        attempts.sort_by_key(|other| place(other));
        let mut seen = BTreeSet::new();
        attempts.retain(|other| lineage::attempt(other).is_none_or(|attempt| seen.insert(attempt)));
        // A retry tips nothing: what it repeats did, or did not.
        match attempts.last() {
            Some(last) if place(last) == until => attempts.into_iter().map(lineage::is_denied).collect(),
            _ => Vec::new(),
        }
    }

    /// The actions of a turn as they stand, not judged; of very many the first.
    fn kin(&self, turn: TurnId) -> Vec<Action> {
        let members = self.book.members(turn).into_iter().take(KIN);
        let groups = members.filter_map(|handle| self.book.group(handle).filter(|group| group.root == handle));
        groups.filter_map(|group| self.assembled(&group)).collect()
    }

    /// What may explain what was found: what its agent runs with since lately, and content that it read before.
    pub(super) fn changes(&self, action: &Action, turn: &Turn) -> Vec<Change> {
        let foreign = judge::foreign(action, turn);
        // Most calls say what the user said; reading a long turn for the others costs.
        let mut before = if foreign.is_empty() { Vec::new() } else { self.kin(action.turn) };
        before.retain(|other| other.end <= action.start);
        before.sort_by_key(|other| (other.start, named(other)));
        let content = judge::source(&foreign, &before);
        content.into_iter().chain(self.facets.changes(action, turn)).collect()
    }

    /// Others of a turn whose judgement rests on their neighbours are read again: one of them says something new. It
    /// means nothing to those that ended before it began.
    pub(super) fn tell_watchers(&mut self, root: Handle, action: &Action, watches: bool) {
        let Some(account) = self.turns.get_mut(&action.turn) else { return };
        let changed = if watches { account.watch.insert(root) } else { account.watch.remove(&root) };
        if changed {
            self.changed.turns.insert(action.turn);
        }
        // It may have begun earlier when less was known of it, but not before all that is known of it.
        let began = action.pieces.iter().map(|piece| piece.start).chain([action.start]).min().unwrap_or_default();
        let later = |handle: &Handle| self.accounts.get(handle).is_some_and(|other| other.end >= began);
        let watch = self.turns.get(&action.turn).into_iter().flat_map(|account| &account.watch);
        let others: Vec<Handle> = watch.copied().filter(|other| *other != root && later(other)).collect();
        let heard = self.accounts.get(&root).map_or(self.now, |account| account.heard);
        for other in others {
            self.reread(other, heard, SOON);
        }
    }

    fn read_board(&self, action: &Action, topic: &Topic, place: Place, around: &mut Around) {
        let key = (action.tenant.clone(), topic.clone());
        let Some(board) = self.boards.get(&key) else { return };
        match (topic, board.0.get(&place).map(|pin| &pin.note)) {
            (Topic::Limit(rule, _), Some(Note::Counted)) => {
                around.counted.insert(rule.clone(), board.before(place));
            }
            (Topic::Approver(..), Some(Note::Decided(_))) => around.load = board.load(place),
            (Topic::Later(rule), Some(Note::Waits(until))) => {
                let reads = board.after(place, *until).into_iter().map(|(at, read)| (at, read.clone()));
                around.later.insert(rule.clone(), reads.collect());
            }
            _ => {}
        }
    }

    /// Leaves what an action has to say to others, and takes back what it says no more.
    pub(super) fn leave_notes(
        &mut self,
        root: Handle,
        action: &Action,
        context: &judge::Context<'_>,
        standing: Standing,
    ) {
        if standing.frozen {
            return;
        }
        let said = judge::notes(context, action);
        let said: Vec<(Topic, Place, Note)> =
            said.into_iter().map(|(topic, at, note)| (topic, (at, named(action)), note)).collect();
        let now = said.iter().map(|(topic, place, _)| (topic.clone(), *place)).collect();
        let Some(account) = self.accounts.get_mut(&root) else { return };
        let heard = account.heard;
        let before = std::mem::replace(&mut account.notes, now);
        let gone: Vec<_> = before.difference(&account.notes).cloned().collect();
        let mut told = Vec::new();
        for (topic, place) in gone {
            told.extend(self.boards.take(&(action.tenant.clone(), topic), place, heard));
        }
        for (topic, place, note) in said {
            told.extend(self.boards.leave(&(action.tenant.clone(), topic), place, root, note, heard));
        }
        self.tell_readers(root, told);
    }

    /// Takes back everything that an action said: it is none, or goes on as another.
    pub(super) fn take_notes(&mut self, tenant: &crate::model::Tenant, handle: Handle, notes: Vec<(Topic, Place)>) {
        let heard = self.accounts.get(&handle).map_or(self.now, |account| account.heard);
        let mut told = Vec::new();
        for (topic, place) in notes {
            told.extend(self.boards.take(&(tenant.clone(), topic), place, heard));
        }
        self.tell_readers(handle, told);
    }

    /// Those who read something else on a board now are read again. They need not be in memory.
    fn tell_readers(&mut self, teller: Handle, told: Vec<Handle>) {
        let soon = self.clock() + SOON;
        for handle in told.into_iter().filter(|handle| *handle != teller) {
            self.dues.sooner(Due::Revise(handle), soon);
        }
    }

    /// When the last note came that an action reads.
    pub(super) fn heard_on_boards(&self, group: &Group) -> Nanos {
        let tenant = self.book.tenant_of(group.root).unwrap_or_default();
        let halves = group.all().filter_map(|handle| self.accounts.get(&handle));
        let notes = halves.flat_map(|half| &half.notes);
        let heard = notes.map(|(topic, place)| self.boards.heard(&(tenant.clone(), topic.clone()), *place));
        heard.max().unwrap_or_default()
    }

    /// The clock of the incident that an action opened.
    pub(super) fn clock_of(&self, action: &Action) -> Option<Clock> {
        let incident = self.incident(action)?;
        if incident.opened_by() != Some(action.id) {
            return None;
        }
        Some(Clock {
            contained_after: incident.time_to_containment(),
            by: incident.contained_by,
            on: self.incidents.stopped_on(incident),
            leaked: incident.leaked,
            within: self.constants().contain_within,
            is_over: self.clock() >= self.containment_deadline(action),
        })
    }
}
