//! What is late, and for whom: lateness is that of the evidence that ends an action, and a closed slice stays.

use super::*;

const HOUR: u64 = 3600;
const DAY: u64 = 24 * HOUR;

/// A slice that was written, and forgotten, keeps what it had.
#[test]
fn evidence_of_five_days_ago_does_not_overwrite_its_slice() {
    for bystander in [false, true] {
        let mut life = Life::of(Configuration::default());
        life.arrives(21, (1..6).map(|trace| tool(trace, 2, 10)).chain((1..6).map(|trace| root(trace, 20))));
        life.passes(2000);
        let written = life.engine.checkpoint().ledger;
        assert_eq!(written.iter().map(|(_, cell)| cell.total()).max(), Some(5));
        life.passes(5 * DAY);
        if bystander {
            life.arrives(5 * DAY, [evaluation(9, 5 * DAY)]);
        }
        let before = life.counted(Metric::SliEvents);
        life.arrives(5 * DAY + 2, [tool(9, 2, 10)]);
        life.passes(6 * DAY);
        assert_eq!(life.live().len(), 6);
        assert_eq!(life.engine.checkpoint().ledger, [], "a final slice is written again");
        assert_eq!(life.counted(Metric::SliEvents), before, "counted live after five days");
        assert!(life.counted(Metric::SliLate) > 0);
    }
}

fn asked(trace: u8) -> Evidence {
    record(trace, 5, Some(1), Node::Model, (1, 2))
        .says(What::Conversation("conv".into()))
        .says(call(Moment::Asked, Some("c1")))
}

fn executed(trace: u8, end: u64) -> Evidence {
    tool(trace, 2, end).says(What::Conversation("conv".into()))
}

/// An approval in one turn, the run in another: the run's lateness counts, not that of the half that names the action.
#[test]
fn a_half_that_comes_hours_late_moves_no_live_counter() {
    let mut life = Life::of(Configuration::default());
    life.arrives(21, [asked(1), root(1, 20)]);
    life.arrives(20 * HOUR, [executed(2, 300)]);
    life.passes(60 * HOUR);
    assert_eq!(life.live().len(), 1);
    assert_eq!(life.counted(Metric::SliEvents), 0);
    assert_eq!(life.counted(Metric::Actions), 0);
    assert_eq!(life.ledger(), BTreeMap::from([(300, 5)]), "inside the horizon the ledger has it");
}

/// In the same turn or in another: a run of sixty hours after the ask is as fresh as can be, and the slice has closed.
#[test]
fn a_fresh_run_after_the_slice_has_closed_moves_nothing() {
    for trace in [1, 2] {
        let mut life = Life::of(Configuration::default());
        life.arrives(21, [asked(1), root(1, 20)]);
        life.passes(59 * HOUR);
        let numbers = |life: &Life| {
            let counters =
                [Metric::SliEvents, Metric::SliCorrections, Metric::Actions].map(|metric| life.counted(metric));
            (counters, life.ledger())
        };
        let before = numbers(&life);
        assert_eq!(before.1.keys().collect::<Vec<_>>(), [&0]);
        life.arrives(60 * HOUR, [executed(trace, 60 * HOUR - 1)]);
        life.passes(70 * HOUR);
        let [action] = life.live()[..] else { panic!("not one action") };
        assert_eq!(action.state, State::Executed(Execution::Ok), "the lineage knows better");
        assert_eq!(numbers(&life), before);
    }
}

/// Evidence that came in time counts although it is read when the slice has closed.
#[test]
fn what_came_in_time_is_booked_although_it_is_read_later() {
    let bad = |life: &Life| life.engine.ledger().cells().map(|(_, cell)| cell.bad).sum::<u64>();
    // About its span: what a turn keeps is read half a minute later.
    let ran = tool(1, 2, 10);
    let about = ran.trace.zip(ran.span);
    let failing = |second| {
        let check = Check { at: at(second), about, ..sample::check("row_gone", CheckResult::Fail) };
        let said = record(1, 80, Some(1), Node::Check, (second, second)).says(What::Check(Box::new(check)));
        Evidence { role: Role::Evaluator, service: sample::service("probe"), ..said }
    };
    let closes = 10 + 48 * HOUR;
    for (second, booked) in [(closes - 60, 1), (closes, 1), (closes + 1, 0)] {
        let mut life = Life::of(Configuration::default());
        life.arrives(21, [tool(1, 2, 10), root(1, 20)]);
        life.arrives(second, [failing(second)]);
        // A late word about something else of it, before the first was read.
        life.arrives(closes + 1, [evaluation(1, closes + 1)]);
        life.passes(60 * HOUR);
        assert_eq!(bad(&life), booked, "heard at {second}");
    }
}

/// A clock that runs ahead by years says nothing about when: the time of arrival does.
#[test]
fn slices_of_the_future_close_and_are_forgotten() {
    let mut life = Life::of(Configuration::default());
    let century = 100 * 365 * DAY;
    let ahead = |trace: u8, end: u64| record(trace, 2, Some(1), Node::Tool, (5, end)).says(call(ran(), Some("c1")));
    life.arrives(11, [ahead(1, century), ahead(2, 40), root(1, 10), root(2, 10)]);
    life.passes(4000);
    assert_eq!(life.ledger(), BTreeMap::from([(0, 10)]));
    assert_eq!(life.counted(Metric::SliLate), 0, "a future time counts as now");
    for day in 1..6 {
        life.step(at(day * DAY), Input::Tick);
    }
    assert_eq!(life.ledger(), BTreeMap::new());
}
