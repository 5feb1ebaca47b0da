//! Incidents: the findings of one root lineage that page, from the first violation to containment.
//!
//! The clock starts at the first finding that pages, as sent, and stops at the first containment step other than
//! `resume` (`telemetry.md` §13.2). A step before a violation does not contain it: a finding after containment opens
//! the incident again, and only a later step contains it.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::model::{ActionId, Containment, FindingId, IncidentId, Nanos, Span, Tenant, TurnId, words};

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
    /// The last violation, as sent; `None` in rows that are older than this field.
    pub latest: Option<Nanos>,
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

    /// Its last violation.
    fn since(&self) -> Nanos {
        self.latest.unwrap_or(self.opened)
    }

    /// Of several, the first is the first to be dropped.
    fn rank(&self) -> (bool, Nanos, IncidentId) {
        (self.contained.is_none(), self.since(), self.id)
    }
}

/// How long a contained incident stays in memory: as long as later evidence may change what it is about.
const REMEMBERED: Span = Span::days(7);
/// How long after its last violation an incident stays open: the longest usual window of an error budget. What nobody
/// contained for so long is not worked on by this clock any more.
const OPEN_FOR: Span = Span::days(30);
/// Incidents of one tenant in memory, open or contained: as many as it has agents with series of their own. At some
/// 500 bytes each they are 1 MB.
const ROOM: usize = 2_000;

words!(
    /// Why an incident was given up before its time was over. Its findings stay in the rows of their actions.
    Dropped {
        /// Nobody contained it for 30 days.
        Age = "age",
        /// Its tenant had 2,000 later ones.
        Room = "room",
    }
);

/// All incidents that are open or were lately.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Incidents {
    all: BTreeMap<IncidentId, Incident>,
    changed: std::collections::BTreeSet<IncidentId>,
    dropped: Vec<(Tenant, Dropped)>,
}

impl Incidents {
    /// Puts incidents back that a checkpoint kept.
    pub fn restore(incidents: impl IntoIterator<Item = Incident>) -> Self {
        let all = incidents.into_iter().map(|incident| (incident.id, incident)).collect();
        Self { all, ..Self::default() }
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
        if !self.all.contains_key(&id) {
            self.make_room(tenant);
        }
        let incident = self.all.entry(id).or_insert_with(|| Incident {
            id,
            tenant: tenant.clone(),
            turn,
            opened: at,
            latest: None,
            contained: None,
            findings: BTreeMap::new(),
        });
        incident.opened = incident.opened.min(at);
        incident.latest = incident.latest.max(Some(at));
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

    /// What somebody did to contain what happens in a turn: all steps of the turn, oldest first. Telling them again
    /// changes nothing.
    pub fn contained(&mut self, tenant: &Tenant, turn: TurnId, steps: impl IntoIterator<Item = (Nanos, Containment)>) {
        let id = incident_id(tenant, turn);
        let Some(incident) = self.all.get_mut(&id) else {
            return;
        };
        let since = incident.since();
        let contained = steps.into_iter().filter(|(at, _)| *at >= since).fold(None, |contained, step| match step {
            (_, Containment::Resume) => None,
            (at, _) => contained.or(Some(at)),
        });
        if contained != incident.contained {
            incident.contained = contained;
            self.changed.insert(id);
        }
    }

    /// Whether the turn has an incident that nothing has contained yet.
    pub fn is_open(&self, tenant: &Tenant, turn: TurnId) -> bool {
        self.all.get(&incident_id(tenant, turn)).is_some_and(|incident| incident.contained.is_none())
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

    /// Forgets contained incidents of long ago, which the store keeps, and drops those that stayed open for too long.
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
mod tests {
    use super::*;
    use crate::model::sample::at;

    const TURN: TurnId = TurnId([7; 16]);

    /// Findings and steps in the order they are told: a finding by its second; steps as a turn tells them, all again.
    enum Told {
        Found(u64),
        Steps(&'static [(u64, Containment)]),
    }
    use Containment::{Halt, Resume, Rollback};
    use Told::{Found, Steps};

    fn told(all: &[Told]) -> Incidents {
        let mut incidents = Incidents::default();
        for (number, it) in all.iter().enumerate() {
            match it {
                Found(second) => {
                    let finding = FindingId([number as u8; 16]);
                    incidents.found(&Tenant::default(), TURN, finding, ActionId([1; 16]), at(*second));
                }
                Steps(steps) => {
                    let steps = steps.iter().map(|(second, step)| (at(*second), *step));
                    incidents.contained(&Tenant::default(), TURN, steps);
                }
            }
        }
        incidents
    }

    /// Seconds from the first violation to containment.
    fn contained_after(all: &[Told]) -> Option<f64> {
        told(all).all().next()?.time_to_containment().map(Span::as_seconds)
    }

    #[test]
    fn only_a_step_after_the_violation_contains_it() {
        for (name, story, want) in [
            ("nobody does anything", &[Found(5)][..], None),
            ("halted", &[Found(5), Steps(&[(15, Halt)])], Some(10.0)),
            ("the first step counts", &[Found(5), Steps(&[(15, Halt), (25, Rollback)])], Some(10.0)),
            ("halted before", &[Found(25), Steps(&[(10, Halt)])], None),
            ("halted and resumed before", &[Found(25), Steps(&[(10, Halt), (20, Resume)])], None),
            ("halted before and after", &[Found(25), Steps(&[(10, Halt), (20, Resume), (30, Halt)])], Some(5.0)),
            ("resumed", &[Found(5), Steps(&[(15, Halt), (20, Resume)])], None),
            ("violated again", &[Found(5), Steps(&[(15, Halt)]), Found(20)], None),
            ("violated again, and the halt told again", &[Found(5), Found(20), Steps(&[(15, Halt)])], None),
            (
                "violated again, and halted again",
                &[Found(5), Steps(&[(15, Halt)]), Found(20), Steps(&[(15, Halt), (30, Halt)])],
                Some(25.0),
            ),
            (
                "an earlier violation comes to light",
                &[Found(25), Steps(&[(10, Halt), (30, Halt)]), Found(5), Steps(&[(10, Halt), (30, Halt)])],
                Some(25.0),
            ),
            ("told twice", &[Found(5), Steps(&[(15, Halt), (20, Resume)]), Steps(&[(15, Halt), (20, Resume)])], None),
        ] {
            assert_eq!(contained_after(story), want, "{name}");
        }
    }

    /// A violation of a turn of its own in each of these seconds, by number.
    fn found(tenant: &str, seconds: impl IntoIterator<Item = u64>) -> Incidents {
        let mut incidents = Incidents::default();
        for (number, second) in seconds.into_iter().enumerate() {
            find(&mut incidents, tenant, number, second);
        }
        incidents
    }

    fn turn(number: usize) -> TurnId {
        TurnId((number as u128).to_be_bytes())
    }

    fn find(incidents: &mut Incidents, tenant: &str, number: usize, second: u64) {
        incidents.found(&Tenant::new(tenant), turn(number), FindingId([1; 16]), ActionId([1; 16]), at(second));
    }

    fn has(incidents: &Incidents, tenant: &str, number: usize) -> bool {
        incidents.all.contains_key(&incident_id(&Tenant::new(tenant), turn(number)))
    }

    #[test]
    fn an_incident_that_nobody_contains_leaves_after_thirty_days_and_is_counted() {
        let mut incidents = found("a", [0, 0]);
        find(&mut incidents, "a", 1, 100);
        incidents.take_changed();
        incidents.tidy(at(99) + OPEN_FOR);
        assert!(!has(&incidents, "a", 0) && has(&incidents, "a", 1), "its last violation counts");
        assert_eq!(incidents.take_dropped(), [(Tenant::new("a"), Dropped::Age)]);
        assert_eq!(incidents.take_dropped(), []);
        // The store deletes it: a restart would bring it back, to be counted again.
        let gone = incident_id(&Tenant::new("a"), turn(0));
        assert_eq!(incidents.take_changed(), [(gone, None)]);
    }

    #[test]
    fn a_contained_incident_leaves_after_seven_days_and_stays_in_the_store() {
        let mut incidents = found("a", [0]);
        incidents.contained(&Tenant::new("a"), turn(0), [(at(1), Halt)]);
        incidents.tidy(at(1) + REMEMBERED);
        assert!(has(&incidents, "a", 0), "nobody has written it yet");
        incidents.take_changed();
        incidents.tidy(at(0) + REMEMBERED);
        assert!(has(&incidents, "a", 0));
        incidents.tidy(at(1) + REMEMBERED);
        assert!(!has(&incidents, "a", 0));
        assert!(incidents.take_dropped().is_empty() && incidents.take_changed().is_empty());
    }

    #[test]
    fn a_tenant_with_too_many_incidents_loses_its_oldest_and_nobody_elses() {
        let mut incidents = found("a", (0..ROOM as u64).map(|second| second + 10));
        find(&mut incidents, "b", 0, 0);
        incidents.contained(&Tenant::new("a"), turn(5), [(at(100_000), Halt)]);
        assert!(incidents.take_dropped().is_empty());
        for (number, gone) in [(ROOM, 5), (ROOM + 1, 0), (ROOM + 2, 1)] {
            find(&mut incidents, "a", number, 0);
            assert!(!has(&incidents, "a", gone) && has(&incidents, "a", number), "{gone} makes room for {number}");
            // What is the newest here is not the latest violation; it would be the next to go.
            find(&mut incidents, "a", number, 100_000);
        }
        assert!(has(&incidents, "b", 0));
        assert_eq!(incidents.take_dropped(), vec![(Tenant::new("a"), Dropped::Room); 3]);
        let count = |tenant| incidents.all().filter(|it| it.tenant.as_str() == tenant).count();
        assert_eq!((count("a"), count("b")), (ROOM, 1));
    }
}
