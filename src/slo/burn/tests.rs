//! The promise of the burn alarm in simulated years, and what it is for: few, but all bad, is a page.

use proptest::prelude::*;

use super::*;
use crate::model::Span;
use crate::slo::evidence::LONGEST_WAIT;
use crate::slo::random::Random;

const DAY: f64 = 86_400e9;

/// Years of Poisson arrivals with this probability of bad; how often the evidence was enough.
fn alarms(seed: u64, alarm: &BurnAlarm, years: u64, a_day: f64, bad: f64) -> u64 {
    let mut random = Random(seed);
    let mut watch = BurnWatch::since(Nanos(0));
    let (mut at, end) = (0.0, years as f64 * 365.0 * DAY);
    let mut alarms = 0;
    loop {
        at += random.wait(a_day) * DAY;
        if at >= end {
            return alarms;
        }
        alarms += u64::from(alarm.update(&mut watch, Nanos(at as u64), random.unit(bad)));
    }
}

#[test]
fn an_objective_exactly_met_pages_at_most_once_a_year() {
    let page = BurnAlarm::page(0.01, Allowance::PAGE).unwrap();
    let alarms = alarms(1, &page, 300, 50.0, 0.01);
    // Measured elsewhere: 0.36 to 0.40 a year. None at all would be a detector that is asleep.
    assert!((60..=300).contains(&alarms), "{alarms} in 300 years");
}

#[test]
fn total_failure_pages_within_four_units() {
    let page = BurnAlarm::page(0.01, Allowance::PAGE).unwrap();
    let mut random = Random(2);
    let mut delays = 0;
    for _ in 0..400 {
        let mut watch = BurnWatch::since(Nanos(0));
        let mut at = 0.0;
        let mut tell = |bad: f64| {
            at += random.wait(50.0) * DAY;
            page.update(&mut watch, Nanos(at as u64), random.unit(bad))
        };
        (0..1_000).for_each(|_| {
            tell(0.01);
        });
        delays += (1..).find(|_| tell(1.0)).unwrap();
    }
    assert!(delays <= 4 * 400, "{delays} units in 400 failures");
}

#[test]
fn few_but_all_bad_pages() {
    // Three units of a new series, two a day, under 95 %: no ratio could be computed from so few.
    let page = BurnAlarm::page(0.05, Allowance::PAGE).unwrap();
    let mut watch = BurnWatch::since(Nanos(0));
    let half_days = |n: u64| Nanos(0) + Span::hours(12 * n);
    let alarms: Vec<bool> = (1..=4).map(|n| page.update(&mut watch, half_days(n), Badness::BAD)).collect();
    assert_eq!(alarms, [false, false, true, false]);
    assert_eq!(watch.firing_since(half_days(4)), Some(half_days(3)));
    assert_eq!(watch.counted(), (1, 1.0));
}

/// Twice the budget for a year, 500 units a day.
#[test]
fn a_slow_burn_is_a_ticket_more_than_a_page() {
    let of = |alarm: Option<BurnAlarm>| alarms(3, &alarm.unwrap(), 1, 500.0, 0.02);
    let tickets = of(BurnAlarm::ticket(0.01, Allowance::TICKET));
    let pages = of(BurnAlarm::page(0.01, Allowance::PAGE));
    assert!(tickets > 50 && tickets > 3 * pages, "{tickets} tickets, {pages} pages");
}

#[test]
fn another_budget_starts_anew() {
    let [strict, loose] = [0.01, 0.05].map(|budget| BurnAlarm::page(budget, Allowance::PAGE).unwrap());
    let mut watch = BurnWatch::since(Nanos(0));
    strict.update(&mut watch, Nanos(0) + LONGEST_WAIT, Badness::BAD);
    loose.update(&mut watch, Nanos(0) + LONGEST_WAIT, Badness::BAD);
    assert_eq!((watch.evidence_ratio(), watch.counted()), (0.0, (1, 1.0)));
}

#[test]
fn a_small_state() {
    assert!(serde_json::to_string(&BurnWatch::since(Nanos(u64::MAX))).unwrap().len() < 256);
}

proptest! {
    /// Whenever the state is written and read back, everything after it is the same.
    #[test]
    fn a_restart_changes_nothing(seed: u64, cut in 0..300_u64, budget in 0.001..0.5_f64) {
        let page = BurnAlarm::page(budget, Allowance::PAGE).unwrap();
        let mut random = Random(seed);
        let (mut running, mut restarted) = (BurnWatch::since(Nanos(0)), BurnWatch::since(Nanos(0)));
        let mut at = Nanos(0);
        for n in 0..300 {
            if n == cut {
                restarted = serde_json::from_str(&serde_json::to_string(&restarted).unwrap()).unwrap();
            }
            at = at + Span((random.wait(20.0) * DAY) as u64);
            let x = Badness::new(random.next()).unwrap();
            let x = if n > 100 { Badness::BAD } else { x };
            let crossed = [&mut running, &mut restarted].map(|watch| page.update(watch, at, x));
            prop_assert_eq!(crossed[0], crossed[1]);
            prop_assert_eq!(&running, &restarted);
        }
    }
}
