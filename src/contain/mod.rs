//! Incidents: the findings of one root lineage that page. An [`Incident`] reads its own clock; here they are kept, and
//! told what happens.

mod incident;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::model::{
    ActionId, Containment, EvidenceId, FindingId, IncidentId, Nanos, Service, Span, Stop, Tenant, TurnId, words,
};

pub use incident::{Act, Did, Incident, Step, Violation};

/// How long a contained incident stays in memory, and a step that contains: as long as later evidence may change what
/// it is about.
const REMEMBERED: Span = Span::days(7);
/// How long after its last violation an incident stays open: the longest usual window of an error budget. What nobody
/// contained for so long is not worked on by this clock any more.
const OPEN_FOR: Span = Span::days(30);
/// Incidents of one tenant in memory, open or contained: as many as it has agents with series of their own. At some
/// 500 bytes each they are 1 MB.
const ROOM: usize = 2_000;
/// What an incident keeps of what its agents did: the last of it decides.
const ACTS: usize = 256;
/// Steps of a tenant in memory. People and guards take them by hand or by rule, a few a day.
const STEPS: usize = 1_000;

words!(
    /// Why an incident was given up before its time was over. Its findings stay in the rows of their actions.
    Dropped {
        /// Nobody contained it for 30 days.
        Age = "age",
        /// Its tenant had 2,000 later ones.
        Room = "room",
    }
);

/// A violation as it is told.
#[derive(Debug, Clone)]
pub struct Found {
    /// Whose.
    pub tenant: Tenant,
    /// The root of its lineage.
    pub turn: TurnId,
    /// Its conversation, as sent.
    pub conversation: Option<Arc<str>>,
    /// The acting agent.
    pub agent: Arc<str>,
    /// Its service.
    pub service: Service,
    /// The finding.
    pub finding: FindingId,
    /// The call, and when it began.
    pub violation: Violation,
    /// Now, on the journal's clock.
    pub now: Nanos,
}

/// All incidents that are open or were lately.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Incidents {
    all: BTreeMap<IncidentId, Incident>,
    steps: BTreeMap<Tenant, BTreeSet<Step>>,
    changed: BTreeSet<IncidentId>,
    dropped: Vec<(Tenant, Dropped)>,
}

impl Incidents {
    /// Puts incidents and steps back that a checkpoint kept.
    pub fn restore(
        incidents: impl IntoIterator<Item = Incident>,
        steps: impl IntoIterator<Item = (Tenant, Step)>,
    ) -> Self {
        let all = incidents.into_iter().map(|incident| (incident.id, incident)).collect();
        let mut restored = Self { all, ..Self::default() };
        for (tenant, step) in steps {
            restored.steps.entry(tenant).or_default().insert(step);
        }
        restored
    }

    /// A finding that pages. Says which action opens the incident now.
    pub fn found(&mut self, found: Found) -> Moved {
        let id = incident_id(&found.tenant, found.turn);
        if !self.all.contains_key(&id) {
            self.make_room(&found.tenant);
        }
        if self.all.get(&id).is_some_and(|incident| incident.knows(&found)) {
            return Moved::default();
        }
        let Found { tenant, turn, conversation, agent, service, finding, violation, now } = found;
        let incident = self.all.entry(id).or_insert_with(|| Incident {
            id,
            tenant,
            turn,
            conversation: conversation.clone(),
            agent: agent.clone(),
            service: service.clone(),
            opened: violation.at,
            detected: Some(now),
            latest: None,
            contained: None,
            contained_by: None,
            leaked: 0,
            findings: BTreeMap::new(),
            acts: BTreeMap::new(),
        });
        let before = incident.opener();
        incident.findings.insert(finding, violation);
        if incident.opened_by() == Some(violation.action) {
            (incident.conversation, incident.agent, incident.service) = (conversation, agent, service);
        }
        self.read(id, before)
    }

    /// A finding was taken back. An incident without findings is none.
    pub fn retracted(&mut self, tenant: &Tenant, turn: TurnId, finding: FindingId) -> Moved {
        let id = incident_id(tenant, turn);
        let Some(incident) = self.all.get_mut(&id) else {
            return Moved::default();
        };
        let before = incident.opener();
        if incident.findings.remove(&finding).is_none() {
            return Moved::default();
        }
        if incident.findings.is_empty() {
            self.all.remove(&id);
            self.changed.insert(id);
            return Moved { opener: None, before, clock: true };
        }
        self.read(id, before)
    }

    /// What an agent of a lineage did that has an incident. Telling it again changes nothing.
    pub fn acted(&mut self, tenant: &Tenant, turn: TurnId, action: ActionId, act: Option<Act>) -> Moved {
        let id = incident_id(tenant, turn);
        let Some(incident) = self.all.get_mut(&id) else {
            return Moved::default();
        };
        let act = act.filter(|act| act.at >= incident.opened);
        if incident.acts.get(&action).copied() == act {
            return Moved::default();
        }
        match act {
            Some(act) => drop(incident.acts.insert(action, act)),
            None => drop(incident.acts.remove(&action)),
        }
        while incident.acts.len() > ACTS {
            let first = incident.acts.iter().min_by_key(|(id, act)| (act.at, **id)).map(|(id, _)| *id);
            first.and_then(|first| incident.acts.remove(&first));
        }
        let before = incident.opener();
        self.read(id, before)
    }

    /// A step of containment. Says which incidents it moved. Telling it again changes nothing.
    pub fn step(&mut self, tenant: &Tenant, step: Step) -> Vec<Moved> {
        let steps = self.steps.entry(tenant.clone()).or_default();
        if !steps.insert(step.clone()) {
            return Vec::new();
        }
        if steps.len() > STEPS {
            steps.pop_first();
        }
        let about = self.all.values().filter(|incident| incident.tenant == *tenant && incident.is_about(&step));
        let about: Vec<(IncidentId, Option<Violation>)> = about.map(|it| (it.id, it.opener())).collect();
        // Even where the time stays, what stopped it may be another now. Steps are rare.
        about.into_iter().map(|(id, before)| Moved { clock: true, ..self.read(id, before) }).collect()
    }

    /// Reads the clock of an incident anew.
    fn read(&mut self, id: IncidentId, before: Option<Violation>) -> Moved {
        let Some(incident) = self.all.get_mut(&id) else {
            return Moved::default();
        };
        let clock = |it: &Incident| (it.opened, it.contained, it.contained_by, it.leaked, it.findings.len());
        let was = clock(incident);
        incident.read(self.steps.get(&incident.tenant).into_iter().flatten());
        let opener = incident.opener();
        let moved = was != clock(incident) || opener != before;
        self.changed.insert(id);
        Moved { opener, before: before.filter(|before| Some(*before) != opener), clock: moved }
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// The incident of a root lineage.
    pub fn of(&self, tenant: &Tenant, turn: TurnId) -> Option<&Incident> {
        self.all.get(&incident_id(tenant, turn))
    }

    /// The record of the command that contained an incident, when one did.
    pub fn stopped_on(&self, incident: &Incident) -> Option<EvidenceId> {
        let since = incident.contained.filter(|_| incident.contained_by == Some(Stop::Command))?;
        let mut steps = self.steps.get(&incident.tenant)?.iter();
        // A refusal may have stopped it before.
        let stops = |step: &&Step| step.at >= since && step.step != Containment::Resume && incident.is_about(step);
        steps.find(stops).map(|step| step.evidence)
    }

    /// Every incident in memory.
    pub fn all(&self) -> impl Iterator<Item = &Incident> {
        self.all.values()
    }

    /// Every step in memory.
    pub fn steps(&self) -> impl Iterator<Item = (&Tenant, &Step)> {
        self.steps.iter().flat_map(|(tenant, steps)| steps.iter().map(move |step| (tenant, step)))
    }

    /// Counts these as changed again: they could not be written.
    pub fn changed_again(&mut self, changed: impl IntoIterator<Item = IncidentId>) {
        self.changed.extend(changed);
    }

    /// What changed since it was last asked: the incident, or `None` when it is no more.
    pub fn take_changed(&mut self) -> Vec<(IncidentId, Option<Incident>)> {
        std::mem::take(&mut self.changed).into_iter().map(|id| (id, self.all.get(&id).cloned())).collect()
    }

    /// Forgets contained incidents and steps of long ago, which the store keeps, and drops those that stayed open for
    /// too long.
    pub fn tidy(&mut self, now: Nanos) {
        let changed = &self.changed;
        self.all.retain(|id, incident| {
            changed.contains(id) || incident.contained.is_none_or(|at| now.since(at) < REMEMBERED)
        });
        let is_old = |it: &&Incident| it.contained.is_none() && now.since(it.since()) >= OPEN_FOR;
        let old: Vec<IncidentId> = self.all.values().filter(is_old).map(|it| it.id).collect();
        for id in old {
            self.give_up(id, Dropped::Age);
        }
        for steps in self.steps.values_mut() {
            steps.retain(|step| now.since(step.at) < REMEMBERED);
        }
        self.steps.retain(|_, steps| !steps.is_empty());
    }

    /// What was dropped since it was last asked.
    pub fn take_dropped(&mut self) -> Vec<(Tenant, Dropped)> {
        std::mem::take(&mut self.dropped)
    }

    /// Drops the oldest incidents of a tenant that has too many to take one more, those that are contained first. Looks
    /// at all of them: a new incident is rare.
    fn make_room(&mut self, tenant: &Tenant) {
        let mut of: Vec<_> = self.all.values().filter(|it| it.tenant == *tenant).map(Incident::rank).collect();
        let excess = (of.len() + 1).saturating_sub(ROOM);
        of.sort_unstable();
        for (.., id) in of.into_iter().take(excess) {
            self.give_up(id, Dropped::Room);
        }
    }

    fn give_up(&mut self, id: IncidentId, why: Dropped) {
        if let Some(incident) = self.all.remove(&id) {
            self.dropped.push((incident.tenant, why));
            self.changed.insert(id);
        }
    }
}

/// What a change came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Moved {
    /// The violation that opens the incident: the verdict of its action tells of the clock.
    pub opener: Option<Violation>,
    /// Another that opened it until now.
    pub before: Option<Violation>,
    /// The clock reads another time.
    pub clock: bool,
}

/// The incident of a root lineage.
pub fn incident_id(tenant: &Tenant, turn: TurnId) -> IncidentId {
    let mut hasher = blake3::Hasher::new_derive_key("wherefore incident v1");
    hasher.update(tenant.as_str().as_bytes());
    hasher.update(&[0]);
    hasher.update(&turn.0);
    let mut id = [0; 16];
    id.copy_from_slice(&hasher.finalize().as_bytes()[..16]);
    IncidentId(id)
}

#[cfg(test)]
mod tests;
