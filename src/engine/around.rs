//! What an action is judged with that is not its own: gathered from the boards, the incidents and its turn's books.

use crate::judge::{self, Around, Clock, Note, Place, Topic};
use crate::lineage::{Group, Handle};
use crate::model::{Action, Nanos, Turn};

use super::containment::named;
use super::count::Standing;
use super::{Configuration, Due, Engine, SOON};

impl Engine {
    /// Everything around an action, as it is known now.
    pub(super) fn around(&self, group: &Group, action: &Action) -> Around {
        let mut around = Around { incident: self.clock_of(action), ..Around::default() };
        let notes = group.all().filter_map(|handle| self.accounts.get(&handle)).flat_map(|half| &half.notes);
        for (topic, place) in notes {
            self.read_board(action, topic, *place, &mut around);
        }
        around
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
        turn: &Turn,
        configuration: &Configuration,
        standing: Standing,
    ) {
        if standing.frozen {
            return;
        }
        let said = judge::notes(&configuration.rules, turn, action);
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
        let incident = self.incidents.of(&action.tenant, action.turn)?;
        if incident.opened_by() != Some(action.id) {
            return None;
        }
        Some(Clock {
            contained_after: incident.time_to_containment(),
            by: incident.contained_by,
            leaked: incident.leaked,
            within: self.constants().contain_within,
            is_over: self.clock() >= self.contained_by(action),
        })
    }
}
