//! Counting. A verdict is counted live once, when it is due: in its own counter, or among the late. The ledger is
//! booked anew whenever an action is read, until its slice closes; corrections say what moved. A live counter never
//! goes back.

use crate::catalogue::Metric;
use crate::lineage::{EndedBy, Group, Handle};
use crate::model::{Action, Nanos, Sli, Value};
use crate::sli::{LedgerKey, SLICE};

use super::findings::exemplar;
use super::{Due, Ended, Engine};

/// Which numbers an action still moves.
#[derive(Debug, Clone, Copy)]
pub(super) struct Standing {
    /// Its end came too late for the live counters.
    pub late: bool,
    /// Its slice of the ledger has closed.
    pub frozen: bool,
    /// Where the ledger has it.
    at: Nanos,
}

impl Engine {
    /// Counts each verdict that is due and was not counted, and books what is known now.
    pub(super) fn count(&mut self, group: &Group, action: &Action) {
        let root = group.root;
        let Some(account) = self.accounts.get(&root) else {
            return;
        };
        let first_time = account.due.is_empty() && account.published.is_none();
        let standing = self.standing(group, action);
        for sli in Sli::ALL {
            let waits = match sli {
                Sli::ContainmentWithin => action.verdict(*sli).is_some() && self.waits_for_containment(root, action),
                _ => self.waits_for_check(root, action, *sli),
            };
            if waits {
                continue;
            }
            if !standing.frozen {
                self.book_verdict(root, action, *sli, standing.at);
            }
            self.count_live(root, action, *sli, standing.late);
        }
        if first_time {
            self.count_settled(action, standing.late);
        }
    }

    /// When the last evidence came that an action is read for, on the journal's clock.
    pub(super) fn heard(&self, group: &Group) -> Nanos {
        let own = group.all().filter_map(|handle| self.accounts.get(&handle)).map(|half| half.heard).max();
        own.unwrap_or_default().max(self.heard_on_boards(group))
    }

    /// Lateness is that of the evidence that ends the action, whichever half it came with: what others say of it later
    /// is as fresh as it likes. What was heard after the slice had closed moves nothing, and nothing does afterwards.
    pub(super) fn standing(&mut self, group: &Group, action: &Action) -> Standing {
        let (horizon, limit, heard) = (self.constants().horizon, self.live_limit(), self.heard(group));
        let halves = group.all().filter_map(|handle| self.accounts.get(&handle));
        let unknown = Ended { by: EndedBy::Proposal, end: action.end, arrived: action.end };
        let ended = halves.filter_map(|half| half.ended).reduce(Ended::or).unwrap_or(unknown);
        let closes = ended.closes(horizon);
        let mut frozen = heard > closes;
        if let Some(account) = self.accounts.get_mut(&group.root) {
            frozen |= account.frozen || account.closes.is_some_and(|closes| heard > closes);
            account.frozen = frozen;
            if !frozen {
                account.closes = Some(closes);
            }
        }
        Standing { late: frozen || ended.late() > limit, frozen, at: ended.booked_at(horizon) }
    }

    /// Nobody has looked at the outcome yet, and somebody still may: the verdict is not due.
    fn waits_for_check(&mut self, root: Handle, action: &Action, sli: Sli) -> bool {
        let unknown = action.verdict(sli).is_some_and(|verdict| verdict.value == Value::Unknown);
        if sli != Sli::OutcomeValidation || !unknown {
            return false;
        }
        let Some(account) = self.accounts.get(&root).filter(|account| !account.due.contains_key(&sli)) else {
            return false;
        };
        let rules = &self.configuration_of(action.judged_by).1.rules;
        let until = account.last_seen + rules.check_within(action).unwrap_or(self.constants().check_within);
        let waits = self.clock() < until;
        if waits {
            self.dues.sooner(Due::Check(root), until);
        }
        waits
    }

    /// Counts a verdict live, if it was not.
    fn count_live(&mut self, root: Handle, action: &Action, sli: Sli, late: bool) {
        let Some(verdict) = action.verdict(sli) else {
            return;
        };
        let Some(account) = self.accounts.get_mut(&root).filter(|account| !account.due.contains_key(&sli)) else {
            return;
        };
        account.due.insert(sli, verdict.value);
        let (now, tenant) = (self.now, action.tenant.as_str());
        if late {
            self.counters.add(Metric::SliLate, &[tenant, sli.as_str()], 1, now, None);
            return;
        }
        let labels = [tenant, sli.as_str(), action.agent_label(), verdict.value.as_str()];
        let exemplar = action.trace().map(|(trace, span)| exemplar(trace, span, now));
        self.counters.add(Metric::SliEvents, &labels, 1, now, exemplar);
    }

    /// Moves the ledger to what is known now. What was counted before and is something else now is a correction.
    fn book_verdict(&mut self, root: Handle, action: &Action, sli: Sli, at: Nanos) {
        let Some(account) = self.accounts.get_mut(&root) else {
            return;
        };
        let entry = action.verdict(sli).map(|verdict| {
            let (tenant, agent) = (action.tenant.clone(), action.agent_label().into());
            (LedgerKey { slice: at.slice(SLICE), tenant, sli, agent }, verdict.value)
        });
        let before = match entry.clone() {
            Some(entry) => account.booked.insert(sli, entry),
            None => account.booked.remove(&sli),
        };
        let counted = account.due.contains_key(&sli);
        self.ledger.book(before.as_ref(), entry.as_ref());
        let value = |entry: Option<(LedgerKey, Value)>| entry.map(|(_, value)| value);
        let (from, to) = (value(before), value(entry));
        if counted && from != to {
            let word = |value: Option<Value>| value.map_or("none", Value::as_str);
            let labels = [action.tenant.as_str(), sli.as_str(), word(from), word(to)];
            self.counters.add(Metric::SliCorrections, &labels, 1, self.now, None);
        }
    }

    /// What is counted once, when an action settles, besides its verdicts.
    fn count_settled(&mut self, action: &Action, late: bool) {
        let now = self.now;
        let (tenant, agent) = (action.tenant.as_str(), action.agent_label());
        self.counters.settled_after(now.since(action.end));
        if late {
            return;
        }
        let labels = [tenant, agent, action.tool_label(), action.state.as_str()];
        self.counters.add(Metric::Actions, &labels, 1, now, None);
        if action.retry_of.is_some() {
            self.counters.add(Metric::DeniedRetries, &[tenant, agent], 1, now, None);
        }
        for (field, known) in &action.fields {
            let labels = [tenant, action.dialect(), known.as_str()];
            self.counters.add(Metric::LineageFields, &labels, 1, now, None);
            if let Some(why) = known.missing() {
                let labels = [tenant, agent, field.as_str(), why.as_str()];
                self.counters.add(Metric::FieldsMissing, &labels, 1, now, None);
            }
        }
    }
}
