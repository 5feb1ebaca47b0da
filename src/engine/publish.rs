//! Settling and publishing: what turns state into rows and findings.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::catalogue::{Exemplar, Metric};
use crate::envelope::Rules;
use crate::judge;
use crate::lineage::{self, Group, Handle, Reading};
use crate::model::{
    Action, ActionId, Confidence, Finding, FindingState, Nanos, Severity, Sli, SpanId, State, Tag, TraceId, Turn,
    TurnId,
};
use crate::values;

use super::{Due, Engine, FindingEvent, Output, Raised};

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
        let (Some(account), Some(turn)) = (self.accounts.get(&group.root), self.gist_of(action)) else {
            return;
        };
        let configuration = &self.configuration_of(action.judged_by).1;
        let learnt = self.asked_of(account, configuration, action);
        let around = self.around(group, action);
        let context = judge::Context::new(&configuration.rules, &turn, &learnt, &around);
        (action.verdicts, action.findings) = judge::judge(&context, action);
        if !action.findings.is_empty() {
            let changes = self.changes(action, &turn);
            judge::tag(&mut action.findings, &changes);
        }
        action.findings.extend(self.tipped(group).cloned());
        for finding in &mut action.findings {
            if let Some(raised) = account.raised.get(&finding.rule) {
                finding.id = raised.finding;
            }
        }
    }

    /// Tells others what they may want to know of an action before they are judged, and it itself is.
    fn tell_around(&mut self, group: &Group, action: &Action) {
        let Some(turn) = self.gist_of(action) else { return };
        let configuration = self.configuration_of(action.judged_by).1.clone();
        let standing = self.standing(group, action);
        self.leave_notes(group.root, action, &turn, &configuration, standing);
        self.act(action, &judge::Context::alone(&configuration.rules, &turn));
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
        self.tell_around(group, &action);
        self.judged(group, &mut action);
        self.learn(group, &mut action);
        let heard = self.heard(group);
        for (member, _) in &group.members {
            self.entomb(*member, Some(action.id), heard, output);
        }
        self.take_over_findings(group, &action, output);
        let rules = self.configuration_of(action.judged_by).1.rules.clone();
        self.raise(root, &action, action.findings.clone(), &rules, output);
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
        self.tell_watchers(root, action.turn, watches);
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

    /// Opens findings that are not open, and counts violations that were not counted.
    pub(super) fn raise(
        &mut self,
        root: Handle,
        action: &Action,
        found: Vec<Finding>,
        rules: &Arc<Rules>,
        output: &mut Output,
    ) {
        let id = self.fix_id(root, action.id);
        let agent: Arc<str> = action.agent_label().into();
        let lineage = self.book.root_of(action.turn);
        let turn = self.book.turn_state(action.turn).filter(|_| !rules.is_empty());
        let violated: Vec<Arc<str>> = match turn.map(|turn| turn.gist(false)) {
            Some(turn) => {
                let context = judge::Context::alone(rules, &turn);
                judge::violated(&context, action).map(|rule| rule.name().into()).collect()
            }
            None => Vec::new(),
        };
        let Some(account) = self.accounts.get_mut(&root) else {
            return;
        };
        let (mut opened, mut retagged, mut stands) = (Vec::new(), Vec::new(), Vec::new());
        for finding in found {
            let pages = finding.severity == Severity::Page;
            let known = account.raised.get(&finding.rule).copied();
            let finding = Finding { id: known.map_or(finding.id, |known| known.finding), ..finding };
            let turn = known.and_then(|known| known.turn).filter(|turn| *turn != lineage);
            let raised = Raised {
                finding: finding.id,
                pages: pages || known.is_some_and(|known| known.pages),
                class: finding.class,
                turn: Some(lineage),
            };
            account.raised.insert(finding.rule.clone(), raised);
            stands.push((finding.clone(), turn));
            // What was told before is told again when it has become a page, or is for somebody else.
            match known {
                None => opened.push(finding),
                Some(known) if pages && !known.pages => opened.push(finding),
                Some(known) if known.class != finding.class => retagged.push((finding, known.class)),
                Some(_) => {}
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
        for (finding, before) in stands {
            self.belongs(root, (action, id), &finding, before);
        }
        for (mut finding, before) in retagged {
            let was = Tag { class: before, confidence: Confidence::None, because: "what was known before".into() };
            finding.tags.insert(0, was);
            let (tenant, agent) = (action.tenant.clone(), agent.clone());
            output.findings.push(FindingEvent { finding, tenant, action: id, agent, turn: action.turn });
        }
        for finding in opened {
            let (tenant, agent) = (action.tenant.clone(), agent.clone());
            self.tell(FindingEvent { finding, tenant, action: id, agent, turn: action.turn }, output);
        }
    }

    /// Takes back findings that no longer hold.
    fn retract(&mut self, root: Handle, action: &Action, output: &mut Output) {
        let Some(account) = self.accounts.get_mut(&root) else {
            return;
        };
        let holds = |rule: &Arc<str>| action.findings.iter().any(|finding| finding.rule == *rule);
        let (kept, gone) = std::mem::take(&mut account.raised).into_iter().partition(|(rule, _)| holds(rule));
        account.raised = kept;
        let gone: BTreeMap<Arc<str>, Raised> = gone;
        self.withdraw(action, action.id, gone, FindingState::Retracted, output);
    }

    /// Tells that findings which were opened stand no more, in the incidents where they were opened.
    pub(super) fn withdraw(
        &mut self,
        action: &Action,
        id: ActionId,
        gone: impl IntoIterator<Item = (Arc<str>, Raised)>,
        state: FindingState,
        output: &mut Output,
    ) {
        let message = match state {
            FindingState::Superseded => "it is about the same call as another, which stands",
            FindingState::Open | FindingState::Retracted => "later evidence took it back",
        };
        for (rule, raised) in gone {
            let finding = Finding {
                id: raised.finding,
                rule,
                severity: if raised.pages { Severity::Page } else { Severity::Info },
                class: crate::model::Class::Ambiguous,
                state,
                message: message.into(),
                evidence: Vec::new(),
                at: action.end,
                tags: Vec::new(),
                envelope: None,
            };
            let (tenant, agent) = (action.tenant.clone(), action.agent_label().into());
            let turn = raised.turn.unwrap_or(action.turn);
            if raised.pages {
                self.excused(action, turn, finding.id);
            }
            self.tell(FindingEvent { finding, tenant, action: id, agent, turn }, output);
        }
    }

    fn tell(&mut self, event: FindingEvent, output: &mut Output) {
        let FindingEvent { finding, tenant, .. } = &event;
        let metric = match finding.state {
            FindingState::Open => Metric::Findings,
            FindingState::Retracted | FindingState::Superseded => Metric::FindingsRetracted,
        };
        let labels = [tenant.as_str(), finding.severity.as_str(), finding.class.as_str()];
        self.counters.add(metric, &labels, 1, self.now, None);
        output.findings.push(event);
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

/// An example of what a series counted.
pub(super) fn exemplar(trace: TraceId, span: SpanId, at: Nanos) -> Exemplar {
    Exemplar { trace, span, at }
}
