//! Actions that turn out to be one: their books become one, and the row of the other becomes a tombstone. Nothing is
//! told twice, the ledger drops what it had of the other, and live counters keep what they counted.

use crate::catalogue::Metric;
use crate::lineage::{Group, Handle};
use crate::model::{Action, ActionId, FindingState, Nanos};

use super::account::FoundTwice;
use super::{Account, Due, Engine, Output, REVISE_AFTER, SOON};

impl Engine {
    /// Two components are one.
    pub(super) fn merge(&mut self, kept: Handle, gone: Handle, output: &mut Output) {
        let Some(mut lost) = self.accounts.remove(&gone) else {
            return;
        };
        self.move_dues(kept, gone);
        self.changed.gone.insert(gone);
        self.changed.actions.insert(kept);
        if let Some(id) = lost.id {
            self.by_id.insert(id, kept);
        }
        let Some(account) = self.accounts.get_mut(&kept) else {
            self.accounts.insert(kept, lost);
            return;
        };
        let twice = account.absorb(&mut lost);
        let lost_id = lost.id;
        if account.id.is_none() {
            account.inherit(&mut lost);
        }
        // What either has counted is counted.
        for (sli, value) in &lost.due {
            account.due.entry(*sli).or_insert(*value);
        }
        let survivor = account.id;
        if account.settled {
            self.dues.cancel(Due::Settle(kept));
            self.reread(kept, self.now, REVISE_AFTER);
        }
        if let Some((remains, id)) = self.book.remains(kept).zip(lost_id.or(survivor)) {
            self.supersede(&remains, id, twice, output);
        }
        self.bury(kept, &mut lost, survivor, self.now, output);
    }

    fn move_dues(&mut self, kept: Handle, gone: Handle) {
        for of in [Due::Settle, Due::Check, Due::Revise, Due::Kin] {
            if let Some(at) = self.dues.get(of(gone)) {
                self.dues.cancel(of(gone));
                self.dues.sooner(of(kept), at);
            }
        }
    }

    /// A component that turned out to be the other half of an action: its own row becomes a tombstone, and the
    /// action is read again.
    pub(super) fn follow(&mut self, group: &Group, handle: Handle, output: &mut Output) {
        if let Some(account) = self.accounts.get_mut(&handle) {
            account.settled = true;
            self.changed.actions.insert(handle);
        }
        let heard = self.heard(group);
        if self.accounts.get(&group.root).is_some_and(|account| !account.settled) {
            let at = self.clock() + self.constants().grace;
            self.dues.sooner(Due::Settle(group.root), at);
        }
        self.reread(group.root, heard, SOON);
        let survivor = self.id_of(group.root);
        self.entomb(handle, survivor, heard, output);
    }

    /// A component that was published on its own and is no action of its own any more.
    pub(super) fn entomb(&mut self, handle: Handle, survivor: Option<ActionId>, heard: Nanos, output: &mut Output) {
        let Some(mut account) = self.accounts.remove(&handle) else {
            return;
        };
        if account.id != survivor {
            self.bury(handle, &mut account, survivor, heard, output);
        }
        self.accounts.insert(handle, account);
    }

    /// If there is a row of it, makes it a tombstone, and frees its place in the ledger and among the denials.
    fn bury(
        &mut self,
        remains: Handle,
        lost: &mut Account,
        survivor: Option<ActionId>,
        heard: Nanos,
        output: &mut Output,
    ) {
        let Some(id) = lost.id.filter(|_| lost.published.take().is_some()) else {
            return;
        };
        lost.merged_into = survivor;
        lost.revision += 1;
        let tenant = self.book.tenant_of(remains).unwrap_or_default();
        self.take_notes(&tenant, remains, std::mem::take(&mut lost.notes).into_iter().collect());
        self.changed.actions.insert(remains);
        let booked = std::mem::take(&mut lost.booked);
        // A slice that has closed keeps what it has.
        if lost.closes.take().is_none_or(|closes| heard <= closes) {
            booked.values().for_each(|entry| self.ledger.book(Some(entry), None));
        }
        if let Some(denial) = lost.denial.take() {
            self.drop_denial(&denial, id, heard);
        }
        self.counters.add(Metric::ActionsMerged, &[tenant.as_str()], 1, self.now, None);
        if let Some(action) = self.book.remains(remains) {
            output.actions.push(tombstone(action, id, lost.revision, survivor));
        }
    }

    /// What was found and counted of an action's halves is found and counted of the action: told once, not twice.
    pub(super) fn take_over_findings(&mut self, group: &Group, action: &Action, output: &mut Output) {
        for (member, _) in &group.members {
            let [Some(account), Some(half)] = self.accounts.get_disjoint_mut([&group.root, member]) else {
                continue;
            };
            if half.raised.is_empty() && half.violated.is_empty() {
                continue;
            }
            let twice = account.take_findings(half);
            let id = half.id.unwrap_or(action.id);
            self.changed.actions.insert(*member);
            self.supersede(action, id, twice, output);
        }
    }

    /// What both halves of an action had found is found once, and is part of one incident.
    fn supersede(&mut self, action: &Action, id: ActionId, twice: FoundTwice, output: &mut Output) {
        for raised in &twice.same {
            let turn = raised.turn.unwrap_or(action.turn);
            self.excused(action, turn, raised.finding);
        }
        self.withdraw(action, id, twice.other, FindingState::Superseded, output);
    }

    /// The public id of a component's action, if it was told.
    pub(super) fn id_of(&self, handle: Handle) -> Option<ActionId> {
        self.accounts.get(&handle)?.id
    }

    /// The id of an action is fixed when it is first told. When it is the name under which another half was told, the
    /// action goes on with that half's books.
    pub(super) fn fix_id(&mut self, handle: Handle, id: ActionId) -> ActionId {
        if let Some(known) = self.id_of(handle) {
            return known;
        }
        let former = self.by_id.get(&id).copied().filter(|former| *former != handle);
        if let Some(former) = former
            && let [Some(account), Some(books)] = self.accounts.get_disjoint_mut([&handle, &former])
        {
            account.inherit(books);
            books.settled = true;
            self.changed.actions.insert(former);
        }
        let id = self.accounts.get_mut(&handle).map_or(id, |account| *account.id.get_or_insert(id));
        self.changed.actions.insert(handle);
        self.by_id.insert(id, handle);
        id
    }
}

/// The last row of an action that goes on under another id.
fn tombstone(mut action: Action, id: ActionId, revision: u32, survivor: Option<ActionId>) -> Action {
    action.id = id;
    action.revision = revision;
    action.merged_into = survivor;
    action.marks.merged = true;
    action.verdicts.clear();
    action.findings.clear();
    action.pieces.clear();
    action
}
