//! Golden table of `containment_within`: stories told to the containment clock, and what is said at a time.
//!
//! From `slo.md` §4: the clock runs from the start of the first violation to the step after which nothing was written;
//! an incident turns bad the moment its age passes the objective, good when it was contained by then; a later write
//! opens it again. The agent's own word contains nothing. The sample violates at second 5 and has 300 seconds.

use super::*;
use crate::contain::{Act, Did, Found, Incidents, Step, Violation};
use crate::model::sample::{record, service};
use crate::model::{ActionId, Containment, FindingId, Nanos, Span, TurnId};

/// What happens after the violation, and in which second.
#[derive(Clone, Copy)]
enum Then {
    /// Somebody else takes a step.
    Step(u64, Containment),
    /// The agent's own service says that it took one.
    OwnStep(u64, Containment),
    Wrote(u64),
    Refused(u64),
    Aborted(u64),
    Violated(u64),
}
use Containment::{Halt, Isolate, Resume, Revoke, Rollback};
use Then::{Aborted, OwnStep, Refused, Violated, Wrote};

const TURN: TurnId = TurnId([7; 16]);
const OPENED: u64 = 5;
const WITHIN: Span = Span::minutes(5);

fn violated(second: u64) -> Found {
    let id = ActionId([second as u8; 16]);
    Found {
        tenant: crate::model::Tenant::default(),
        turn: TURN,
        conversation: Some("conv-1".into()),
        agent: "janitor".into(),
        service: service("ops"),
        finding: FindingId(id.0),
        violation: Violation { at: at(second), name: id, action: id, handle: second },
        now: at(second),
    }
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

/// The clock of the story at a time, as the engine reads it.
fn clock(story: &[Then], now: Nanos) -> Clock {
    let (mut incidents, tenant) = (Incidents::default(), crate::model::Tenant::default());
    incidents.found(violated(OPENED));
    for then in story {
        let mut did = |second: u64, did| {
            incidents.acted(&tenant, TURN, ActionId([second as u8; 16]), Some(Act { at: at(second), did }));
        };
        match *then {
            Wrote(second) => did(second, Did::Wrote),
            Refused(second) => did(second, Did::Refused),
            Aborted(second) => did(second, Did::Aborted),
            Violated(second) => drop(incidents.found(violated(second))),
            Then::Step(second, what) => drop(incidents.step(&tenant, step(second, what, "console"))),
            OwnStep(second, what) => drop(incidents.step(&tenant, step(second, what, "ops"))),
        }
    }
    let incident = incidents.of(&tenant, TURN).expect("it was violated");
    Clock {
        contained_after: incident.time_to_containment(),
        by: incident.contained_by,
        on: incidents.stopped_on(incident),
        leaked: incident.leaked,
        within: WITHIN,
        is_over: now >= at(OPENED) + WITHIN,
    }
}

#[test]
fn an_incident_is_contained_inside_its_objective_or_not() {
    let (soon, at_last, late) = (100, OPENED + 300, 1_000);
    let step = Then::Step;
    let wrong: Vec<String> = [
        ("nobody did anything yet", &[][..], soon, "unknown open", ""),
        ("nobody did, a second before the objective", &[], at_last - 1, "unknown open", ""),
        ("nobody did, at the objective", &[], at_last, "bad not_contained", "page containment.open"),
        ("halted in time", &[step(65, Halt)], soon, "good contained", ""),
        ("halted in time, long ago", &[step(65, Halt)], late, "good contained", ""),
        ("revoked", &[step(65, Revoke)], soon, "good contained", ""),
        ("isolated", &[step(65, Isolate)], soon, "good contained", ""),
        ("rolled back", &[step(65, Rollback)], soon, "good contained", ""),
        ("halted exactly at the objective", &[step(at_last, Halt)], late, "good contained", ""),
        ("a second later", &[step(at_last + 1, Halt)], late, "bad contained_late", ""),
        ("halted before it was violated", &[step(2, Halt)], late, "bad not_contained", "page containment.open"),
        ("the agent says that it stopped", &[OwnStep(65, Halt)], soon, "unknown open", ""),
        ("and nobody else", &[OwnStep(65, Halt)], late, "bad not_contained", "page containment.open"),
        ("the run was aborted", &[Aborted(65)], soon, "good contained", ""),
        ("the next write was refused", &[Refused(65)], soon, "good contained", ""),
        ("and done in another way", &[Refused(65), Wrote(70)], late, "bad not_contained", "page containment.open"),
        ("written at the moment of the halt", &[step(65, Halt), Wrote(65)], soon, "good contained", ""),
        ("a write opens it again", &[step(65, Halt), Wrote(70)], soon, "unknown open", ""),
        ("and it stays open", &[step(65, Halt), Wrote(70)], late, "bad leaked", "page containment.failed"),
        ("a late write does, too", &[step(65, Halt), Wrote(250)], late, "bad leaked", "page containment.failed"),
        ("violated again", &[step(65, Halt), Violated(70)], late, "bad leaked", "page containment.failed"),
        ("halted again in time", &[step(65, Halt), Wrote(70), step(90, Halt)], late, "good contained", ""),
        (
            "halted again too late",
            &[step(65, Halt), Wrote(70), step(254, Isolate), Wrote(255)],
            late,
            "bad leaked",
            "page containment.failed",
        ),
        ("it was let go on", &[step(65, Halt), step(80, Resume), Wrote(90)], late, "good contained", ""),
        (
            "the agent lets itself go on",
            &[step(65, Halt), OwnStep(80, Resume), Wrote(90)],
            late,
            "bad leaked",
            "page containment.failed",
        ),
    ]
    .into_iter()
    .filter_map(|(name, story, now, verdict, findings)| {
        let around = Around { incident: Some(clock(story, at(now))), ..Around::default() };
        let got = told(
            Sli::ContainmentWithin,
            &Rules::default(),
            &Setting { action: called(), turn: sample::turn(), around },
        );
        (got != (verdict.to_owned(), findings.to_owned())).then(|| format!("{name}: {got:?}"))
    })
    .collect();
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn only_the_call_that_opened_an_incident_tells_of_it() {
    golden(Sli::ContainmentWithin, "", &[("no incident", |_| {}, "-", "")]);
}

/// Who stopped it is named.
#[test]
fn containment_names_the_step_that_contained() {
    for (story, by, on) in [
        (&[Then::Step(65, Halt)][..], "a command", &[65, 0x4f, 0x50][..]),
        (&[Refused(60), Then::Step(65, Halt)], "a command", &[65, 0x4f, 0x50]),
        (
            &[Then::Step(20, Halt), Wrote(30), Then::Step(65, Halt), Then::Step(70, Revoke)],
            "a command",
            &[65, 0x4f, 0x50],
        ),
        (&[Refused(65)], "a refusal", &[0x4f, 0x50]),
        (&[Aborted(65)], "an abort", &[0x4f, 0x50]),
    ] {
        let around = Around { incident: Some(clock(story, at(100))), ..Around::default() };
        let (rules, turn) = (Rules::default(), sample::turn());
        let (verdicts, _) = judge(&Context::new(&rules, &turn, &Learnt::Off, &around), &called());
        let verdict = verdicts.iter().find(|verdict| verdict.sli == Sli::ContainmentWithin).expect("it applies");
        assert_eq!(
            &*verdict.because,
            if story.len() == 2 {
                format!("contained after 55.0 s by {by}")
            } else {
                format!("contained after 60.0 s by {by}")
            }
        );
        assert_eq!(verdict.evidence, on.iter().map(|number| record(*number)).collect::<Vec<_>>());
    }
}
