//! Settling, counting, publishing: what turns state into rows and numbers. A verdict is counted once, when it is
//! due; what later evidence changes moves the ledger and the corrections, never a live counter.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::catalogue::{Exemplar, Metric};
use crate::envelope::Rules;
use crate::judge;
use crate::lineage::{self, Group, Handle, Reading};
use crate::model::{
    Action, ActionId, Finding, FindingState, Nanos, Severity, Sli, SpanId, State, TraceId, TurnId, Value, Verdict,
};
use crate::sli::{LedgerKey, SLICE};
use crate::values;

use super::{Due, Engine, FindingEvent, Output};

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

    /// A component that turned out to be the other half of an action: its own row becomes a tombstone, and the
    /// action is read again.
    fn follow(&mut self, group: &Group, handle: Handle, output: &mut Output) {
        let clock = self.clock();
        if let Some(account) = self.accounts.get_mut(&handle) {
            account.settled = true;
            self.changed.actions.insert(handle);
        }
        match self.accounts.get(&group.root).map(|account| account.settled) {
            Some(true) => self.dues.sooner(Due::Revise(group.root), clock + super::SOON),
            Some(false) => self.dues.sooner(Due::Settle(group.root), clock + self.constants().grace),
            None => {}
        }
        let survivor = self.id_of(group.root);
        self.entomb(handle, survivor, output);
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
        let account = self.accounts.get(&group.root)?;
        let mut action = self.book.action(group, self.reading(group.root, group))?;
        action.id = account.id.unwrap_or(action.id);
        action.revision = account.revision;
        action.retry_of = self.retry_of(&action);
        let (digest, configuration) = self.configuration_of(account.judged_by);
        action.judged_by = Some(*digest);
        let closed = self.turns.get(&action.turn).is_some_and(|turn| turn.closed);
        let turn = self.book.turn_state(action.turn)?.gist(closed);
        let context = judge::Context { rules: &configuration.rules, turn: &turn };
        (action.verdicts, action.findings) = judge::judge(&context, &action);
        for finding in &mut action.findings {
            if let Some((id, _)) = account.raised.get(&finding.rule) {
                finding.id = *id;
            }
        }
        Some(action)
    }

    /// An earlier denial of the same attempt.
    fn retry_of(&self, action: &Action) -> Option<ActionId> {
        if !lineage::is_denied(action) {
            return None;
        }
        let (turn, tool, about) = lineage::attempt(action)?;
        let denied = self.turns.get(&turn)?.denied.get(&(tool, about))?;
        denied.first().filter(|first| **first < (action.start, action.id)).map(|(_, id)| *id)
    }

    /// Keeps the index of denied attempts. When the first of them changes, the others are read again.
    fn index_denial(&mut self, action: &Action) {
        let Some((turn, tool, about)) = lineage::attempt(action) else {
            return;
        };
        let denied = lineage::is_denied(action);
        let account = self.turns.entry(turn).or_default();
        if !denied && account.denied.is_empty() {
            return;
        }
        // It may have been another attempt while less was known of it; those it led are read again.
        let mut led = Vec::new();
        let attempt = (tool, about);
        for (known, slot) in &mut account.denied {
            if *known != attempt && slot.iter().any(|(_, id)| *id == action.id) {
                slot.retain(|(_, id)| *id != action.id);
                led.extend(slot.iter().map(|(_, id)| *id));
            }
        }
        let slot = account.denied.entry(attempt).or_default();
        let first = slot.first().copied();
        slot.retain(|(_, id)| *id != action.id);
        if denied {
            slot.insert((action.start, action.id));
        }
        if slot.first().copied() != first {
            led.extend(slot.iter().map(|(_, id)| *id));
        }
        let others: Vec<ActionId> = led.into_iter().filter(|id| *id != action.id).collect();
        if !others.is_empty() || slot.first().copied() != first {
            let clock = self.clock();
            for other in others {
                if let Some(handle) = self.by_id.get(&other) {
                    self.dues.sooner(Due::Revise(*handle), clock + super::SOON);
                }
            }
            self.changed.turns.insert(turn);
        }
    }

    /// Reads, judges, counts what is due, and hands out a row if it says something new.
    fn publish(&mut self, group: &Group, output: &mut Output) {
        let root = group.root;
        self.changed.actions.insert(root);
        let Some(mut action) = self.read(group) else {
            self.entomb(root, None, output);
            return;
        };
        self.fix_id(root, action.id);
        self.index_denial(&action);
        if action.retry_of != self.retry_of(&action) {
            let Some(again) = self.read(group) else {
                return;
            };
            action = again;
        }
        for (member, _) in &group.members {
            self.entomb(*member, Some(action.id), output);
        }
        self.take_over_findings(group);
        let rules = self.configuration_of(action.judged_by).1.rules.clone();
        self.raise(root, &action, action.findings.clone(), &rules, output);
        self.retract(root, &action, output);
        self.count(root, &action);

        let Some(account) = self.accounts.get_mut(&root) else {
            return;
        };
        for finding in &mut action.findings {
            if let Some((id, _)) = account.raised.get(&finding.rule) {
                finding.id = *id;
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
        output.actions.push(action);
    }

    /// What was found and counted of an action's halves is found and counted of the action: told once, not twice.
    fn take_over_findings(&mut self, group: &Group) {
        for (member, _) in &group.members {
            let Some(half) = self.accounts.get_mut(member) else { continue };
            let (raised, violated) = (std::mem::take(&mut half.raised), std::mem::take(&mut half.violated));
            if let Some(account) = self.accounts.get_mut(&group.root) {
                for (rule, known) in raised {
                    account.raised.entry(rule).or_insert(known);
                }
                account.violated.extend(violated);
            }
        }
    }

    fn id_of(&self, handle: Handle) -> Option<ActionId> {
        self.accounts.get(&handle)?.id
    }

    /// The id of an action is fixed when it is first published. When it is the name under which another half was
    /// published, the action goes on with that half's rows and books.
    fn fix_id(&mut self, handle: Handle, id: ActionId) {
        let former = self.by_id.get(&id).copied().filter(|former| *former != handle);
        if self.accounts.get(&handle).is_some_and(|account| account.id.is_none()) {
            if let Some(former) = former.and_then(|former| self.accounts.get_mut(&former)) {
                let books = std::mem::take(former);
                former.settled = true;
                former.judged_by = books.judged_by;
                former.first_seen = books.first_seen;
                former.last_seen = books.last_seen;
                former.latest = books.latest;
                former.frozen = books.frozen;
                if let Some(account) = self.accounts.get_mut(&handle) {
                    account.revision = books.revision;
                    account.due = books.due;
                    account.booked = books.booked;
                    account.raised.extend(books.raised);
                    account.violated.extend(books.violated);
                }
            }
            self.changed.actions.extend(former);
        }
        if let Some(account) = self.accounts.get_mut(&handle) {
            let id = *account.id.get_or_insert(id);
            self.by_id.insert(id, handle);
        }
    }

    /// Counts each verdict that is due and was not counted, and books what is known now.
    fn count(&mut self, handle: Handle, action: &Action) {
        let now = self.now;
        let Some(account) = self.accounts.get(&handle) else {
            return;
        };
        let first_time = account.due.is_empty() && account.published.is_none();
        let late = account.latest.map_or(0, |(_, late)| late) > self.live_limit().0;
        let inside = !account.frozen;
        // A slice that was booked moves no more once it has closed, whatever made the action be read again.
        let closes = action.end + self.constants().horizon;
        let open_ledger = inside && (account.booked.is_empty() || now <= closes);
        let (tenant, agent) = (action.tenant.as_str(), action.agent_label());
        let exemplar = action.trace().map(|(trace, span)| exemplar(trace, span, now));
        let check_due = self.check_due(handle, action);
        let clock = self.clock();

        let mut waits = false;
        let mut due = account.due.clone();
        let mut booked = account.booked.clone();
        for sli in Sli::ALL {
            let verdict = action.verdict(*sli);
            let known = verdict.map(|verdict| verdict.value);
            if *sli == Sli::OutcomeValidation
                && known == Some(Value::Unknown)
                && clock < check_due
                && !due.contains_key(sli)
            {
                waits = true;
                continue;
            }
            let entry = verdict.map(|verdict| (self.ledger_key(action, verdict), verdict.value));
            match (due.get(sli).copied(), known) {
                (None, None) => continue,
                (None, Some(value)) => {
                    due.insert(*sli, value);
                    if late {
                        self.counters.add(Metric::SliLate, &[tenant, sli.as_str()], 1, now, None);
                    } else {
                        let labels = [tenant, sli.as_str(), agent, value.as_str()];
                        self.counters.add(Metric::SliEvents, &labels, 1, now, exemplar);
                    }
                }
                (Some(_), known) => {
                    let before = booked.get(sli).map(|(_, value)| *value);
                    if before != known && open_ledger {
                        let word = |value: Option<Value>| value.map_or("none", Value::as_str);
                        let labels = [tenant, sli.as_str(), word(before), word(known)];
                        self.counters.add(Metric::SliCorrections, &labels, 1, now, None);
                    }
                }
            }
            if open_ledger {
                self.ledger.book(booked.get(sli), entry.as_ref());
                match entry {
                    Some(entry) => booked.insert(*sli, entry),
                    None => booked.remove(sli),
                };
            }
        }
        if waits {
            self.dues.sooner(Due::Check(handle), check_due);
        }
        if first_time {
            self.count_settled(action, late);
        }
        if let Some(account) = self.accounts.get_mut(&handle) {
            account.due = due;
            account.booked = booked;
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
            if let Some(why) = known.missing() {
                let labels = [tenant, agent, field.as_str(), why.as_str()];
                self.counters.add(Metric::FieldsMissing, &labels, 1, now, None);
            }
        }
    }

    /// When the wait for a post-action check of this action is over, on the engine's clock.
    fn check_due(&self, handle: Handle, action: &Action) -> Nanos {
        let rules = &self.configuration_of(action.judged_by).1.rules;
        let within = rules.check_within(action).unwrap_or(self.constants().check_within);
        self.accounts.get(&handle).map_or(Nanos(0), |account| account.last_seen + within)
    }

    fn ledger_key(&self, action: &Action, verdict: &Verdict) -> LedgerKey {
        LedgerKey {
            slice: action.end.slice(SLICE),
            tenant: action.tenant.clone(),
            sli: verdict.sli,
            agent: action.agent_label().into(),
        }
    }

    /// Opens findings that are not open, and counts violations that were not counted.
    pub(super) fn raise(
        &mut self,
        root: Handle,
        action: &Action,
        found: Vec<Finding>,
        rules: &Arc<Rules>,
        output: &mut Output,
    ) {
        self.fix_id(root, action.id);
        let id = self.id_of(root).unwrap_or(action.id);
        let agent: Arc<str> = action.agent_label().into();
        let turn = self.book.turn_state(action.turn).filter(|_| !rules.is_empty());
        let violated: Vec<Arc<str>> = match turn.map(|turn| turn.gist(false)) {
            Some(turn) => {
                judge::violated(&judge::Context { rules, turn: &turn }, action).map(|rule| rule.name().into()).collect()
            }
            None => Vec::new(),
        };
        let Some(account) = self.accounts.get_mut(&root) else {
            return;
        };
        let mut opened = Vec::new();
        for finding in found {
            let pages = finding.severity == Severity::Page;
            // What was told before is told again only when it has become a page.
            let known = account.raised.get(&finding.rule).copied();
            if known.is_none_or(|(_, paged)| pages && !paged) {
                let id = known.map_or(finding.id, |(id, _)| id);
                account.raised.insert(finding.rule.clone(), (id, pages));
                opened.push(Finding { id, ..finding });
            }
        }
        let counted: Vec<Arc<str>> =
            violated.into_iter().filter(|rule| account.violated.insert(rule.clone())).collect();
        self.changed.actions.insert(root);
        let exemplar = action.trace().map(|(trace, span)| exemplar(trace, span, self.now));
        for rule in counted {
            let labels = [action.tenant.as_str(), &agent, &rule];
            self.counters.add(Metric::InvariantViolations, &labels, 1, self.now, exemplar);
        }
        for finding in opened {
            self.tell(id, action, &agent, finding, output);
        }
    }

    /// Takes back findings that no longer hold.
    fn retract(&mut self, root: Handle, action: &Action, output: &mut Output) {
        let Some(account) = self.accounts.get_mut(&root) else {
            return;
        };
        let holds = |rule: &Arc<str>| action.findings.iter().any(|finding| finding.rule == *rule);
        let gone: BTreeMap<Arc<str>, _> =
            account.raised.iter().filter(|(rule, _)| !holds(rule)).map(|(rule, it)| (rule.clone(), *it)).collect();
        account.raised.retain(|rule, _| !gone.contains_key(rule));
        let id = account.id.unwrap_or(action.id);
        for (rule, (finding, pages)) in gone {
            let finding = Finding {
                id: finding,
                rule,
                severity: if pages { Severity::Page } else { Severity::Info },
                class: crate::model::Class::Ambiguous,
                state: FindingState::Retracted,
                message: "later evidence took it back".into(),
                evidence: Vec::new(),
                at: action.end,
            };
            self.tell(id, action, &action.agent_label().into(), finding, output);
        }
    }

    fn tell(&mut self, id: ActionId, action: &Action, agent: &Arc<str>, finding: Finding, output: &mut Output) {
        let metric = match finding.state {
            FindingState::Open => Metric::Findings,
            FindingState::Retracted | FindingState::Superseded => Metric::FindingsRetracted,
        };
        let labels = [action.tenant.as_str(), finding.severity.as_str(), finding.class.as_str()];
        self.counters.add(metric, &labels, 1, self.now, None);
        if finding.severity == Severity::Page {
            match finding.state {
                FindingState::Open => {
                    // A future time counts as now: no step would ever come after it.
                    let at = finding.at.min(self.now);
                    self.incidents.found(&action.tenant, action.turn, finding.id, id, at);
                }
                _ => self.incidents.retracted(&action.tenant, action.turn, finding.id),
            }
        }
        output.findings.push(FindingEvent {
            finding,
            tenant: action.tenant.clone(),
            action: id,
            agent: agent.clone(),
            turn: action.turn,
        });
    }

    /// Two components are one: their books become one.
    pub(super) fn merge(&mut self, kept: Handle, gone: Handle, output: &mut Output) {
        let Some(lost) = self.accounts.remove(&gone) else {
            return;
        };
        for due in [Due::Settle(gone), Due::Check(gone), Due::Revise(gone), Due::Kin(gone)] {
            if let Some(at) = self.dues.get(due) {
                self.dues.cancel(due);
                let due = match due {
                    Due::Settle(_) => Due::Settle(kept),
                    Due::Check(_) => Due::Check(kept),
                    Due::Kin(_) => Due::Kin(kept),
                    _ => Due::Revise(kept),
                };
                self.dues.sooner(due, at);
            }
        }
        self.changed.gone.insert(gone);
        self.changed.actions.insert(kept);
        let clock = self.clock();
        let account = self.accounts.entry(kept).or_default();
        account.judged_by = if lost.first_seen < account.first_seen || account.judged_by.is_none() {
            lost.judged_by
        } else {
            account.judged_by
        };
        account.first_seen =
            if account.first_seen == Nanos(0) { lost.first_seen } else { account.first_seen.min(lost.first_seen) };
        account.last_seen = account.last_seen.max(lost.last_seen);
        account.latest = account.latest.max(lost.latest);
        account.end = account.end.max(lost.end);
        account.settled |= lost.settled;
        account.frozen |= lost.frozen;
        for (rule, raised) in &lost.raised {
            account.raised.entry(rule.clone()).or_insert(*raised);
        }
        account.violated.extend(lost.violated.iter().cloned());
        if account.settled {
            self.dues.cancel(Due::Settle(kept));
            self.dues.sooner(Due::Revise(kept), clock + super::REVISE_AFTER);
        }
        let Some(lost_id) = lost.id else { return };
        let account = self.accounts.entry(kept).or_default();
        if account.id.is_none() {
            // Only the lost one was published: the survivor goes on under its name and books.
            account.id = Some(lost_id);
            account.revision = lost.revision;
            account.due = lost.due;
            account.booked = lost.booked;
            account.published = lost.published;
            self.by_id.insert(lost_id, kept);
            return;
        }
        let survivor = account.id;
        for (sli, value) in &lost.due {
            account.due.entry(*sli).or_insert(*value);
        }
        self.by_id.insert(lost_id, kept);
        self.drop_counts(&lost.booked.into_values().collect::<Vec<_>>());
        let tenant = self.book.tenant_of(kept).unwrap_or_default();
        if lost.published.is_some() {
            self.counters.add(Metric::ActionsMerged, &[tenant.as_str()], 1, self.now, None);
        }
        if let (Some(_), Some(action)) = (lost.published, self.book.group(kept).and_then(|group| self.read(&group))) {
            output.actions.push(tombstone(&action, lost_id, lost.revision + 1, survivor));
        }
    }

    /// A component that was published on its own and is no action of its own any more.
    fn entomb(&mut self, handle: Handle, survivor: Option<ActionId>, output: &mut Output) {
        let Some(account) = self.accounts.get_mut(&handle) else {
            return;
        };
        let Some(id) = account.id.filter(|id| Some(*id) != survivor && account.published.is_some()) else {
            return;
        };
        if account.merged_into.is_some() && account.merged_into == survivor {
            return;
        }
        account.merged_into = survivor;
        account.published = None;
        account.revision += 1;
        let revision = account.revision;
        let booked: Vec<_> = std::mem::take(&mut account.booked).into_values().collect();
        self.drop_counts(&booked);
        self.changed.actions.insert(handle);
        let tenant = self.book.tenant_of(handle).unwrap_or_default();
        self.counters.add(Metric::ActionsMerged, &[tenant.as_str()], 1, self.now, None);
        if let Some(action) = self.book.remains(handle) {
            output.actions.push(tombstone(&action, id, revision, survivor));
        }
    }

    fn drop_counts(&mut self, booked: &[(LedgerKey, Value)]) {
        for entry in booked {
            self.ledger.book(Some(entry), None);
        }
    }

    /// Hands out a turn's row if it says something new, and tells the incidents what was contained.
    pub(super) fn publish_turn(&mut self, turn: TurnId, output: &mut Output) {
        let Some(state) = self.book.turn_state(turn) else {
            return;
        };
        let Some(account) = self.turns.get_mut(&turn) else {
            return;
        };
        let mut record = state.record(account.closed);
        // An incident may come to light after the steps were told.
        if record.containment.len() != account.contained || self.incidents.is_open(&record.tenant, turn) {
            account.contained = record.containment.len();
            let steps = record.containment.iter().map(|(at, step, _)| (*at, *step));
            self.incidents.contained(&record.tenant, turn, steps);
        }
        let hash = values::digest_of(&record);
        self.changed.turns.insert(turn);
        if account.published == Some(hash) || state.evidence.is_empty() {
            return;
        }
        account.published = Some(hash);
        account.revision += 1;
        record.revision = account.revision;
        output.turns.push(record);
    }
}

/// The last row of an action that goes on under another id.
fn tombstone(action: &Action, id: ActionId, revision: u32, survivor: Option<ActionId>) -> Action {
    let mut out = action.clone();
    out.id = id;
    out.revision = revision;
    out.merged_into = survivor;
    out.marks.merged = true;
    out.verdicts.clear();
    out.findings.clear();
    out.pieces.clear();
    out
}

fn exemplar(trace: TraceId, span: SpanId, at: Nanos) -> Exemplar {
    Exemplar { trace, span, at }
}
