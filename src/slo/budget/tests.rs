//! The ledger's arithmetic against a plain list of actions, and figures that a person can check.

use proptest::prelude::*;

use super::*;
use crate::model::Value;
use crate::sli::SLICE;

const HOUR: Span = Span::hours(1);

fn cell(good: u64, bad: u64, unknown: u64) -> Cell {
    Cell { good, bad, unknown }
}

fn at(hours: u64) -> Nanos {
    Nanos(0) + Span::hours(hours)
}

/// What hours with these cells come to, the period ending with the last.
fn spent(method: Budgeting, hours: &[Cell]) -> Spent {
    let end = at(hours.len() as u64);
    let slices = hours.iter().enumerate().map(|(hour, cell)| (at(hour as u64), *cell));
    Spent::of(method, Period { start: at(0), end }, end, slices)
}

fn timeslices(empty: EmptySlice) -> Budgeting {
    Budgeting::Timeslices { slice: HOUR, target: 0.9, empty }
}

#[test]
fn one_bad_in_a_thousand_and_one_is_two_percent_of_the_budget() {
    let spent = spent(Budgeting::Occurrences, &[cell(1_000, 1, 0)]);
    let burn = spent.burn_rate(0.05).unwrap();
    assert_eq!(format!("{burn:.2}"), "0.02");
    assert_eq!(format!("{:.2}", taken(&spent.actions, &spent.actions, 0.05).unwrap()), "0.02");
    assert_eq!(format!("{:.2}", spent.remaining(0.05).unwrap()), "0.98");
    assert_eq!(spent.status(0.05, 0.5, false, None), Status::Healthy);
}

#[test]
fn each_method_weighs_otherwise() {
    // A busy good hour, a quiet bad one, one without anything known, an empty one, and one that is just good enough.
    let hours = [cell(990, 10, 0), cell(0, 1, 0), cell(0, 0, 5), cell(0, 0, 0), cell(9, 1, 0)];
    for (method, want) in [
        (Budgeting::Occurrences, 12.0 / 1_011.0),
        (timeslices(EmptySlice::Skip), 1.0 / 3.0),
        (timeslices(EmptySlice::Good), 1.0 / 5.0),
        (timeslices(EmptySlice::Bad), 3.0 / 5.0),
        (Budgeting::RatioTimeslices { slice: HOUR }, (0.01 + 1.0 + 0.1) / 3.0),
    ] {
        let spent = spent(method, &hours);
        assert!((spent.bad_ratio.unwrap() - want).abs() < 1e-12, "{method:?}: {spent:?}");
        assert_eq!(spent.actions, cell(999, 12, 5));
    }
}

#[test]
fn a_quiet_hour_burns_fast_and_takes_little() {
    let (window, period) = (cell(0, 1, 0), cell(99_999, 1, 0));
    let burn = spent(Budgeting::Occurrences, &[window]).burn_rate(0.01).unwrap();
    assert!((burn - 100.0).abs() < 1e-9);
    assert!((taken(&window, &period, 0.01).unwrap() - 0.001).abs() < 1e-12);
    assert_eq!(taken(&window, &cell(0, 0, 9), 0.01), None);
}

#[test]
fn what_is_not_known_is_not_green() {
    let reason: Option<Arc<str>> = Some("no evaluator spoke".into());
    let unknown = |unknown_share| Status::NotMeasurable { unknown_share, reason: reason.clone() };
    for (cell, burning, want) in [
        (cell(0, 0, 0), false, Status::NoData),
        (cell(0, 0, 0), true, Status::NoData),
        (cell(0, 0, 7), false, unknown(1.0)),
        (cell(1, 0, 3), false, unknown(0.75)),
        (cell(0, 1, 3), true, unknown(0.75)),
        (cell(2, 0, 2), false, Status::Healthy),
        (cell(99, 1, 0), false, Status::Exhausted),
        (cell(999, 1, 0), false, Status::Healthy),
        (cell(999, 1, 0), true, Status::Burning),
        (cell(0, 9, 0), true, Status::Exhausted),
    ] {
        let methods =
            [Budgeting::Occurrences, Budgeting::RatioTimeslices { slice: HOUR }].map(|method| spent(method, &[cell]));
        for spent in methods {
            assert_eq!(spent.status(0.01, 0.5, burning, reason.clone()), want, "{cell:?}");
        }
    }
    // EmptySlice slices that count as good make no status of their own, nor does a coverage that asks for nothing.
    let empty = spent(timeslices(EmptySlice::Good), &[cell(0, 0, 0); 9]);
    assert_eq!((empty.bad_ratio, empty.status(0.01, 0.0, false, None)), (Some(0.0), Status::NoData));
    let unjudged = spent(timeslices(EmptySlice::Good), &[cell(0, 0, 1); 9]);
    assert_ne!(unjudged.status(0.01, 0.0, false, None), Status::Healthy);
    // A budget of nothing cannot be divided by.
    assert_ne!(spent(Budgeting::Occurrences, &[cell(9, 0, 0)]).status(0.0, 0.5, false, None), Status::Healthy);
}

#[test]
fn more_than_all_may_be_spent() {
    let spent = spent(Budgeting::Occurrences, &[cell(95, 5, 0)]);
    assert!((spent.remaining(0.01).unwrap() + 4.0).abs() < 1e-9);
}

#[test]
fn a_slice_that_runs_is_not_empty_yet() {
    let period = Period { start: at(0), end: at(24) };
    let spent = |minutes| {
        let now = at(3) + Span::minutes(minutes);
        Spent::of(timeslices(EmptySlice::Bad), period, now, [(at(0), cell(1, 0, 0))]).bad_ratio.unwrap()
    };
    assert_eq!(spent(59), 2.0 / 3.0);
    assert_eq!(spent(60), 3.0 / 4.0);
}

/// One action that ended at this time, with what is known of it.
#[derive(Debug, Clone, Copy)]
struct Event {
    at: Nanos,
    value: Value,
}

/// The ledger as it books them, its slices in no order.
fn ledger(events: &[Event]) -> Vec<(Nanos, Cell)> {
    let cell = |value| match value {
        Value::Good => cell(1, 0, 0),
        Value::Bad => cell(0, 1, 0),
        Value::Unknown => cell(0, 0, 1),
    };
    events.iter().map(|event| (event.at.slice(SLICE), cell(event.value))).collect()
}

/// The share of bad by counting single actions, slice after slice.
fn by_hand(method: Budgeting, period: Period, now: Nanos, events: &[Event]) -> Option<f64> {
    let counts = |from: Nanos, to: Nanos| {
        let inside: Vec<_> = events.iter().filter(|event| from <= event.at && event.at < to).collect();
        let bad = inside.iter().filter(|event| event.value == Value::Bad).count();
        let good = inside.iter().filter(|event| event.value == Value::Good).count();
        (bad + good > 0).then_some((good as f64, bad as f64))
    };
    let share = |(good, bad): (f64, f64)| bad / (good + bad);
    let slices = |slice: Span| {
        let starts = (0..).map(move |n| period.start + Span(n * slice.0)).take_while(move |start| *start < period.end);
        starts.map(move |start| (counts(start, (start + slice).min(period.end)), start + slice))
    };
    let mean = |shares: Vec<f64>| (!shares.is_empty()).then(|| shares.iter().sum::<f64>() / shares.len() as f64);
    match method {
        Budgeting::Occurrences => counts(period.start, period.end).map(share),
        Budgeting::RatioTimeslices { slice } => {
            mean(slices(slice).filter_map(|(counts, _)| counts.map(share)).collect())
        }
        Budgeting::Timeslices { slice, target, empty } => {
            let verdict = |(counts, end): (Option<(f64, f64)>, Nanos)| match (counts, empty) {
                (Some((good, bad)), _) => Some(if good / (good + bad) >= target { 0.0 } else { 1.0 }),
                (None, EmptySlice::Good) if end <= now.min(period.end) => Some(0.0),
                (None, EmptySlice::Bad) if end <= now.min(period.end) => Some(1.0),
                (None, _) => None,
            };
            mean(slices(slice).filter_map(verdict).collect())
        }
    }
}

const FIVE_MINUTES: u64 = SLICE.0;

fn any_method() -> impl Strategy<Value = Budgeting> {
    let slice = || (1..=24_u64).prop_map(|slices| Span(slices * FIVE_MINUTES));
    let empty = prop_oneof![Just(EmptySlice::Good), Just(EmptySlice::Bad), Just(EmptySlice::Skip)];
    let target = prop_oneof![Just(0.5), Just(0.9), 0.0..1.0];
    prop_oneof![
        Just(Budgeting::Occurrences),
        slice().prop_map(|slice| Budgeting::RatioTimeslices { slice }),
        (slice(), target, empty).prop_map(|(slice, target, empty)| Budgeting::Timeslices { slice, target, empty }),
    ]
}

fn any_event() -> impl Strategy<Value = Event> {
    let value = prop_oneof![3 => Just(Value::Good), 2 => Just(Value::Bad), 1 => Just(Value::Unknown)];
    (0..200 * FIVE_MINUTES, value).prop_map(|(at, value)| Event { at: Nanos(at), value })
}

proptest! {
    #[test]
    fn slices_say_what_single_actions_say(
        events in prop::collection::vec(any_event(), 0..80),
        method in any_method(),
        start in 0..200_u64,
        length in 0..200_u64,
        now in 0..220 * FIVE_MINUTES,
    ) {
        let start = Nanos(start * FIVE_MINUTES);
        let period = Period { start, end: start + Span(length * FIVE_MINUTES) };
        let spent = Spent::of(method, period, Nanos(now), ledger(&events));
        let inside: Vec<_> = events.iter().filter(|event| period.holds(event.at)).collect();
        for (count, value) in [
            (spent.actions.good, Value::Good),
            (spent.actions.bad, Value::Bad),
            (spent.actions.unknown, Value::Unknown),
        ] {
            prop_assert_eq!(count, inside.iter().filter(|event| event.value == value).count() as u64);
        }
        match (spent.bad_ratio, by_hand(method, period, Nanos(now), &events)) {
            (Some(found), Some(want)) => prop_assert!((found - want).abs() < 1e-12, "{} {}", found, want),
            (found, want) => prop_assert_eq!(found, want),
        }
    }

    #[test]
    fn a_rolling_window_has_whole_slices_and_almost_all_of_its_length(
        now in 0..u64::MAX / 2,
        window in 1..u64::MAX / 4,
        slice in 1..24_u64,
    ) {
        let (now, window, slice) = (Nanos(now), Span(window), Span(slice * FIVE_MINUTES));
        let Period { start, end } = Period::rolling(now, window, slice);
        prop_assert_eq!(start.0 % slice.0, 0);
        prop_assert_eq!(end, now);
        prop_assert!(start >= now - window && start.since(now - window) < slice);
    }
}
