//! Incidents as the fold sees them: what opens one, what its agents did since, who told them to stop, and until when
//! its verdict waits.

use crate::contain::{Act, Did, Found, Incident, Moved, Step, Violation};
use crate::judge;
use crate::lineage::{self, Handle};
use crate::model::{Action, ActionId, Finding, FindingId, Nanos, Severity, State, Turn, TurnId};

use super::{Due, Engine, SOON};

/// What the records name a call, as they are known now: its public id may be older.
pub(super) fn named(action: &Action) -> ActionId {
    action.keys.first().map_or(action.id, |key| lineage::action_id(&action.tenant, key))
}

/// What the rules of findings about an incident itself begin with.
const OF_INCIDENTS: &str = "containment.";

impl Engine {
    /// A finding stands: when it pages it belongs to the incident of its lineage, and to no other. That an incident is
    /// open is no violation of its own.
    pub(super) fn belongs(
        &mut self,
        root: Handle,
        (action, id): (&Action, ActionId),
        finding: &Finding,
        before: Option<TurnId>,
    ) {
        let violates = finding.severity == Severity::Page && !finding.rule.starts_with(OF_INCIDENTS);
        if let Some(before) = before {
            self.excused(action, before, finding.id);
        }
        if violates {
            self.violated(root, (action, id), finding);
        } else {
            self.excused(action, self.book.root_of(action.turn), finding.id);
        }
    }

    /// A finding that pages opens the incident of its lineage, or adds to it.
    fn violated(&mut self, root: Handle, (action, id): (&Action, ActionId), finding: &Finding) {
        let conversation = self.book.turn_state(action.turn).and_then(|turn| turn.conversation.as_ref());
        let moved = self.incidents.found(Found {
            tenant: action.tenant.clone(),
            turn: self.book.root_of(action.turn),
            conversation: conversation.map(|conversation| conversation.value.clone()),
            agent: action.agent_label().into(),
            service: action.service.clone(),
            finding: finding.id,
            // A future time counts as now: no step would ever come after it.
            violation: Violation { at: action.start.min(self.now), name: named(action), action: id, handle: root },
            now: self.now,
        });
        if moved.clock {
            // What was done since the violation has to be told again: nobody kept it while there was no incident.
            self.marks_since(action.turn, action.start);
        }
        self.moved(moved);
    }

    /// A finding that paged was taken back.
    pub(super) fn excused(&mut self, action: &Action, turn: TurnId, finding: FindingId) {
        let moved = self.incidents.retracted(&action.tenant, turn, finding);
        self.moved(moved);
    }

    /// The incident of an action's lineage.
    pub(super) fn incident(&self, action: &Action) -> Option<&Incident> {
        // Most of the time there is none at all, and its name is a hash.
        let some = !self.incidents.is_empty();
        some.then(|| self.incidents.of(&action.tenant, self.book.root_of(action.turn))).flatten()
    }

    /// Tells an incident what an action of its lineage came to.
    pub(super) fn act(&mut self, action: &Action, context: &judge::Context<'_>) {
        if self.incident(action).is_none() {
            return;
        }
        let did = match &action.state {
            State::Aborted => Some(Did::Aborted),
            state if state.is_proven_execution() => judge::changes_something(context, action).then_some(Did::Wrote),
            State::Refused(_) => judge::changes_something(context, action).then_some(Did::Refused),
            _ => None,
        };
        let act = did.map(|did| Act { at: action.start, did });
        let moved = self.incidents.acted(&action.tenant, self.book.root_of(action.turn), action.id, act);
        self.moved(moved);
    }

    /// Tells the incidents what was done to contain them, as a turn says it. Telling it again changes nothing.
    pub(super) fn steps(&mut self, turn: &Turn) {
        for (at, step, witness) in &turn.containment {
            let step = Step {
                at: *at,
                step: *step,
                evidence: witness.evidence,
                service: witness.service.clone(),
                independent: witness.role.is_independent(),
                turn: self.book.root_of(turn.id),
                conversation: turn.conversation.as_ref().map(|conversation| conversation.value.1.clone()),
                agent: turn.agent.as_ref().map(|agent| agent.value.0.clone()),
            };
            for moved in self.incidents.step(&turn.tenant, step) {
                self.moved(moved);
            }
        }
    }

    /// The action whose verdict tells of the clock is read again, and one that no longer does.
    fn moved(&mut self, moved: Moved) {
        if !moved.clock {
            return;
        }
        let (now, soon) = (self.now, self.clock() + SOON);
        for violation in [moved.opener, moved.before].into_iter().flatten() {
            self.reread(violation.handle, now, SOON);
            // It may have left memory.
            if !self.accounts.contains_key(&violation.handle) {
                self.dues.sooner(Due::Revise(violation.handle), soon);
            }
        }
    }

    /// Until when the verdict on containment waits, on the engine's clock. Evidence of a command may take as long to
    /// come as that of a turn's end.
    pub(super) fn containment_deadline(&self, action: &Action) -> Nanos {
        let constants = self.constants();
        action.start.min(self.now) + constants.contain_within + constants.grace - self.held
    }

    /// Waits for the objective of the incident that an action opened.
    pub(super) fn waits_for_containment(&mut self, root: Handle, action: &Action) -> bool {
        let until = self.containment_deadline(action);
        let counted = self
            .accounts
            .get(&root)
            .is_none_or(|account| account.due.contains_key(&crate::model::Sli::ContainmentWithin));
        let waits = !counted && self.clock() < until;
        if waits {
            self.dues.sooner(Due::Check(root), until);
        }
        waits
    }
}
