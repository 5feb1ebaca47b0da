//! Findings while they live: opened, told again under another class, taken back; and the violations that are counted.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::catalogue::{Exemplar, Metric};
use crate::lineage::Handle;
use crate::model::{
    Action, ActionId, Class, Confidence, Finding, FindingState, Nanos, Severity, SpanId, Tag, TraceId, TurnId,
};

use super::{Account, Engine, FindingEvent, Output, Raised};

/// What the findings of an action come to, beside what was told of it before.
#[derive(Default)]
struct Sorted {
    /// Told for the first time, or a page now.
    opened: Vec<Finding>,
    /// For somebody else now, and for whom before.
    retagged: Vec<(Finding, Class)>,
    /// All of them, and the lineage that each was opened in when that is another now.
    stand: Vec<(Finding, Option<TurnId>)>,
}

/// Sorts what was found, and notes in the books that it is told.
fn sorted(found: Vec<Finding>, account: &mut Account, lineage: TurnId) -> Sorted {
    let mut sorted = Sorted::default();
    for finding in found {
        let pages = finding.severity == Severity::Page;
        let known = account.raised.get(&finding.rule).copied();
        let finding = Finding { id: known.map_or(finding.id, |known| known.finding), ..finding };
        let before = known.and_then(|known| known.turn).filter(|turn| *turn != lineage);
        let raised = Raised {
            finding: finding.id,
            pages: pages || known.is_some_and(|known| known.pages),
            class: finding.class,
            turn: Some(lineage),
        };
        account.raised.insert(finding.rule.clone(), raised);
        sorted.stand.push((finding.clone(), before));
        match known {
            None => sorted.opened.push(finding),
            Some(known) if pages && !known.pages => sorted.opened.push(finding),
            Some(known) if known.class != finding.class => sorted.retagged.push((finding, known.class)),
            Some(_) => {}
        }
    }
    sorted
}

impl Engine {
    /// Opens findings that are not open, and counts violations that were not counted. `broken`: the rules that the
    /// action broke for good.
    pub(super) fn raise(
        &mut self,
        root: Handle,
        action: &Action,
        found: Vec<Finding>,
        broken: Vec<Arc<str>>,
        output: &mut Output,
    ) {
        let id = self.fix_id(root, action.id);
        let lineage = self.book.root_of(action.turn);
        let Some(account) = self.accounts.get_mut(&root) else {
            return;
        };
        let Sorted { opened, retagged, stand } = sorted(found, account, lineage);
        self.changed.actions.insert(root);
        self.count_violations(root, action, broken);
        for (finding, before) in stand {
            self.belongs(root, (action, id), &finding, before);
        }
        for (mut finding, before) in retagged {
            let was = Tag { class: before, confidence: Confidence::None, because: "what was known before".into() };
            finding.tags.insert(0, was);
            output.findings.push(event(action, id, action.turn, finding));
        }
        for finding in opened {
            self.tell(event(action, id, action.turn, finding), output);
        }
    }

    /// Counts the rules that an action broke and that were not counted.
    fn count_violations(&mut self, root: Handle, action: &Action, mut broken: Vec<Arc<str>>) {
        let Some(account) = self.accounts.get_mut(&root) else {
            return;
        };
        broken.retain(|rule| account.violated.insert(rule.clone()));
        let exemplar = action.trace().map(|(trace, span)| exemplar(trace, span, self.now));
        for rule in broken {
            let labels = [action.tenant.as_str(), action.agent_label(), &rule];
            self.counters.add(Metric::InvariantViolations, &labels, 1, self.now, exemplar);
        }
    }

    /// Takes back findings that no longer hold.
    pub(super) fn retract(&mut self, root: Handle, action: &Action, output: &mut Output) {
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
                class: Class::Ambiguous,
                state,
                message: message.into(),
                evidence: Vec::new(),
                at: action.end,
                tags: Vec::new(),
                envelope: None,
            };
            let turn = raised.turn.unwrap_or(action.turn);
            if raised.pages {
                self.excused(action, turn, finding.id);
            }
            self.tell(event(action, id, turn, finding), output);
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
}

/// What is told of an action's finding.
fn event(action: &Action, id: ActionId, turn: TurnId, finding: Finding) -> FindingEvent {
    let (tenant, agent) = (action.tenant.clone(), action.agent_label().into());
    FindingEvent { finding, tenant, action: id, agent, turn }
}

/// An example of what a series counted.
pub(super) fn exemplar(trace: TraceId, span: SpanId, at: Nanos) -> Exemplar {
    Exemplar { trace, span, at }
}
