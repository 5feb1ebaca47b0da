//! The clock, told as stories; and the bounds.

use super::*;
use crate::model::Containment;
use crate::model::sample::{at, record, service};

const TURN: TurnId = TurnId([7; 16]);

/// What is told, with seconds.
#[derive(Clone, Copy)]
enum Told {
    Found(u64),
    Wrote(u64),
    Refused(u64),
    Aborted(u64),
    Step(u64, Containment),
    /// By the agent's own service.
    Own(u64, Containment),
}
use Containment::{Halt, Resume, Rollback};
use Told::{Aborted, Found, Own, Refused, Step as Steps, Wrote};

fn violation(tenant: &str, turn: TurnId, finding: u8, second: u64) -> super::Found {
    super::Found {
        tenant: if tenant.is_empty() { Tenant::default() } else { Tenant::new(tenant) },
        turn,
        conversation: Some("conv-1".into()),
        agent: "janitor".into(),
        service: service("ops"),
        finding: FindingId([finding; 16]),
        violation: opening(second),
        now: at(second),
    }
}

fn opening(second: u64) -> Violation {
    let id = ActionId([second as u8; 16]);
    Violation { at: at(second), name: id, action: id, handle: second }
}

fn step(second: u64, step: Containment, by: &str) -> Step {
    Step {
        at: at(second),
        step,
        evidence: record(second as u8),
        service: service(by),
        independent: false,
        turn: TURN,
        conversation: None,
        agent: None,
    }
}

fn tell(incidents: &mut Incidents, number: usize, told: Told) {
    let tenant = Tenant::default();
    let mut act = |second: u64, did| {
        let action = ActionId([100 + second as u8; 16]);
        incidents.acted(&tenant, TURN, action, Some(Act { at: at(second), did }));
    };
    match told {
        Found(second) => drop(incidents.found(violation("", TURN, number as u8, second))),
        Wrote(second) => act(second, Did::Wrote),
        Refused(second) => act(second, Did::Refused),
        Aborted(second) => act(second, Did::Aborted),
        Steps(second, what) => drop(incidents.step(&tenant, step(second, what, "console"))),
        Own(second, what) => drop(incidents.step(&tenant, step(second, what, "ops"))),
    }
}

/// Seconds from the first violation to containment, and how many leaked.
fn clock(story: &[Told]) -> Option<(Option<f64>, u32)> {
    let mut incidents = Incidents::default();
    story.iter().enumerate().for_each(|(number, told)| tell(&mut incidents, number, *told));
    let incident = incidents.all().next()?;
    Some((incident.time_to_containment().map(Span::as_seconds), incident.leaked))
}

#[test]
fn the_clock_runs_from_the_first_violation_to_the_stop_that_holds() {
    for (name, story, want) in [
        ("nobody does anything", &[Found(5)][..], (None, 0)),
        ("halted", &[Found(5), Steps(15, Halt)], (Some(10.0), 0)),
        ("the first step counts", &[Found(5), Steps(15, Halt), Steps(25, Rollback)], (Some(10.0), 0)),
        ("halted before", &[Found(25), Steps(10, Halt)], (None, 0)),
        ("halted and resumed before", &[Found(25), Steps(10, Halt), Steps(20, Resume)], (None, 0)),
        ("resumed after it was contained", &[Found(5), Steps(15, Halt), Steps(20, Resume)], (Some(10.0), 0)),
        ("a write that was allowed again", &[Found(5), Steps(15, Halt), Steps(20, Resume), Wrote(30)], (Some(10.0), 0)),
        ("violated after it was resumed", &[Found(5), Steps(15, Halt), Steps(20, Resume), Found(30)], (None, 0)),
        ("violated again", &[Found(5), Steps(15, Halt), Found(20)], (None, 1)),
        ("written again", &[Found(5), Steps(15, Halt), Wrote(20)], (None, 1)),
        ("written again, and halted again", &[Found(5), Steps(15, Halt), Wrote(20), Steps(30, Halt)], (Some(25.0), 1)),
        ("what began before the halt is no leak", &[Found(5), Wrote(14), Steps(15, Halt)], (Some(10.0), 0)),
        ("the agent says that it stopped", &[Found(5), Own(15, Halt)], (None, 0)),
        ("the run was aborted", &[Found(5), Aborted(9)], (Some(4.0), 0)),
        ("the next write was refused", &[Found(5), Refused(8)], (Some(3.0), 0)),
        ("refused, and done in another way", &[Found(5), Refused(8), Wrote(9)], (None, 0)),
        ("refused, then halted", &[Found(5), Refused(8), Steps(20, Halt)], (Some(3.0), 0)),
        (
            "an earlier violation comes to light",
            &[Found(25), Steps(10, Halt), Steps(30, Halt), Found(5)],
            (Some(25.0), 1),
        ),
    ] {
        let backwards: Vec<Told> = story.iter().rev().copied().collect();
        assert_eq!(clock(story), Some(want), "{name}");
        // What an agent did is told again when an incident comes to light: acts before it are not kept.
        if !story.iter().any(|told| matches!(told, Wrote(_) | Refused(_) | Aborted(_))) {
            assert_eq!(clock(&backwards), Some(want), "{name}, told backwards");
        }
        let twice: Vec<Told> = story.iter().chain(story).copied().collect();
        let findings = story.iter().filter(|told| matches!(told, Found(_))).count();
        if findings == 1 {
            assert_eq!(clock(&twice), Some(want), "{name}, told twice");
        }
    }
}

#[test]
fn a_step_is_about_its_lineage_its_conversation_or_its_agent() {
    let elsewhere = TurnId([9; 16]);
    let about = |conversation: Option<&str>, agent: Option<&str>, turn| Step {
        turn,
        conversation: conversation.map(Into::into),
        agent: agent.map(Into::into),
        ..step(15, Halt, "console")
    };
    for (step, want) in [
        (about(None, None, TURN), true),
        (about(None, None, elsewhere), false),
        (about(Some("conv-1"), None, elsewhere), true),
        (about(Some("conv-2"), Some("janitor"), elsewhere), false),
        (about(None, Some("janitor"), elsewhere), true),
        (about(None, Some("clerk"), elsewhere), false),
    ] {
        for first in [true, false] {
            let mut incidents = Incidents::default();
            if first {
                incidents.step(&Tenant::default(), step.clone());
            }
            incidents.found(violation("", TURN, 1, 5));
            incidents.step(&Tenant::default(), step.clone());
            let contained = incidents.all().next().is_some_and(|incident| incident.contained.is_some());
            assert_eq!(contained, want, "{step:?}");
        }
    }
}

#[test]
fn the_first_violation_opens_the_incident() {
    let mut incidents = Incidents::default();
    let first = incidents.found(violation("", TURN, 1, 25));
    assert_eq!(first, Moved { opener: Some(opening(25)), before: None, clock: true });
    let earlier = incidents.found(violation("", TURN, 2, 5));
    let want = Moved { opener: Some(opening(5)), before: Some(opening(25)), clock: true };
    assert_eq!(earlier, want);
    let gone = incidents.retracted(&Tenant::default(), TURN, FindingId([2; 16]));
    assert_eq!((gone.opener, gone.before), (Some(opening(25)), Some(opening(5))));
    incidents.retracted(&Tenant::default(), TURN, FindingId([1; 16]));
    assert_eq!(incidents.all().count(), 0, "an incident without findings is none");
}

#[test]
fn of_too_much_that_an_agent_did_the_last_stays() {
    let mut incidents = Incidents::default();
    incidents.found(violation("", TURN, 1, 0));
    for second in 1..=300_u64 {
        let action = ActionId(u128::from(second).to_be_bytes());
        incidents.acted(&Tenant::default(), TURN, action, Some(Act { at: at(second), did: Did::Wrote }));
    }
    let incident = incidents.all().next().expect("there is one");
    assert_eq!((incident.acts.len(), incident.acts.values().min().map(|act| act.at)), (ACTS, Some(at(45))));
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
    incidents.found(violation(tenant, turn(number), (second % 251) as u8, second));
}

fn halt(incidents: &mut Incidents, tenant: &str, number: usize, second: u64) {
    let step = Step { at: at(second), turn: turn(number), ..step(1, Halt, "console") };
    incidents.step(&Tenant::new(tenant), step);
}

fn has(incidents: &Incidents, tenant: &str, number: usize) -> bool {
    incidents.of(&Tenant::new(tenant), turn(number)).is_some()
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
    halt(&mut incidents, "a", 0, 1);
    incidents.tidy(at(1) + REMEMBERED);
    assert!(has(&incidents, "a", 0), "nobody has written it yet");
    incidents.take_changed();
    incidents.tidy(at(0) + REMEMBERED);
    assert!(has(&incidents, "a", 0));
    incidents.tidy(at(1) + REMEMBERED);
    assert!(!has(&incidents, "a", 0));
    assert!(incidents.take_dropped().is_empty() && incidents.take_changed().is_empty());
    assert_eq!(incidents.steps().count(), 0);
}

#[test]
fn a_tenant_with_too_many_incidents_loses_its_oldest_and_nobody_elses() {
    let mut incidents = found("a", (0..ROOM as u64).map(|second| second + 10));
    find(&mut incidents, "b", 0, 0);
    halt(&mut incidents, "a", 5, 100_000);
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

#[test]
fn restored_incidents_and_steps_read_the_same() {
    let mut incidents = found("a", [0, 3]);
    halt(&mut incidents, "a", 1, 9);
    let steps: Vec<_> = incidents.steps().map(|(tenant, step)| (tenant.clone(), step.clone())).collect();
    let mut restored = Incidents::restore(incidents.all().cloned(), steps);
    find(&mut restored, "a", 1, 4);
    find(&mut incidents, "a", 1, 4);
    assert!(restored.all().eq(incidents.all()));
}
