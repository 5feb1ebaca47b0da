//! Incidents: the findings of one root lineage that page, from the first violation to containment.
//!
//! The clock starts at the first finding that pages, as sent, and stops at the first containment step other than
//! `resume` (`telemetry.md` §13.2). A finding after containment opens the incident again.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::model::{ActionId, Containment, FindingId, IncidentId, Nanos, Span, Tenant, TurnId};

/// Findings that belong together.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Incident {
    /// Hash of its tenant and turn.
    pub id: IncidentId,
    /// Whose.
    pub tenant: Tenant,
    /// The turn it happened in.
    pub turn: TurnId,
    /// The first violation, as sent.
    pub opened: Nanos,
    /// When it was contained, as sent.
    pub contained: Option<Nanos>,
    /// Its findings and their actions.
    pub findings: BTreeMap<FindingId, ActionId>,
}

impl Incident {
    /// From the first violation to containment; `None` while it is open.
    pub fn time_to_containment(&self) -> Option<Span> {
        self.contained.map(|at| at.since(self.opened))
    }
}

/// How long a contained incident stays in memory.
const REMEMBERED: Span = Span::days(7);

/// All incidents that are open or were lately.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Incidents {
    all: BTreeMap<IncidentId, Incident>,
    changed: std::collections::BTreeSet<IncidentId>,
}

impl Incidents {
    /// Puts incidents back that a checkpoint kept.
    pub fn restore(incidents: impl IntoIterator<Item = Incident>) -> Self {
        let all = incidents.into_iter().map(|incident| (incident.id, incident)).collect();
        Self { all, changed: Default::default() }
    }

    /// A finding that pages.
    pub fn found(
        &mut self,
        tenant: &Tenant,
        turn: TurnId,
        finding: FindingId,
        action: ActionId,
        at: Nanos,
    ) -> IncidentId {
        let id = incident_id(tenant, turn);
        let incident = self.all.entry(id).or_insert_with(|| Incident {
            id,
            tenant: tenant.clone(),
            turn,
            opened: at,
            contained: None,
            findings: BTreeMap::new(),
        });
        incident.opened = incident.opened.min(at);
        if incident.contained.is_some_and(|contained| at > contained) {
            incident.contained = None;
        }
        incident.findings.insert(finding, action);
        self.changed.insert(id);
        id
    }

    /// A finding was taken back. An incident without findings is none.
    pub fn retracted(&mut self, tenant: &Tenant, turn: TurnId, finding: FindingId) {
        let id = incident_id(tenant, turn);
        if let Some(incident) = self.all.get_mut(&id) {
            if incident.findings.remove(&finding).is_some() {
                self.changed.insert(id);
            }
            if incident.findings.is_empty() {
                self.all.remove(&id);
            }
        }
    }

    /// Somebody contained what happens in a turn, or let it go on.
    pub fn contained(&mut self, tenant: &Tenant, turn: TurnId, step: Containment, at: Nanos) {
        let id = incident_id(tenant, turn);
        let Some(incident) = self.all.get_mut(&id) else {
            return;
        };
        let contained = match step {
            Containment::Resume => incident.contained.filter(|contained| *contained > at),
            _ => Some(incident.contained.map_or(at, |contained| contained.min(at)).max(incident.opened)),
        };
        if contained != incident.contained {
            incident.contained = contained;
            self.changed.insert(id);
        }
    }

    /// Every incident in memory.
    pub fn all(&self) -> impl Iterator<Item = &Incident> {
        self.all.values()
    }

    /// Counts these as changed again: they could not be written.
    pub fn changed_again(&mut self, changed: impl IntoIterator<Item = IncidentId>) {
        self.changed.extend(changed);
    }

    /// What changed since it was last asked: the incident, or `None` when it is no more.
    pub fn take_changed(&mut self) -> Vec<(IncidentId, Option<Incident>)> {
        std::mem::take(&mut self.changed).into_iter().map(|id| (id, self.all.get(&id).cloned())).collect()
    }

    /// Forgets contained incidents of long ago; the store keeps them.
    pub fn tidy(&mut self, now: Nanos) {
        let changed = &self.changed;
        self.all.retain(|id, incident| {
            changed.contains(id) || incident.contained.is_none_or(|at| now.since(at) < REMEMBERED)
        });
    }
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
