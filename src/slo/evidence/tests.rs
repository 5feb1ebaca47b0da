//! The numbers of the evidence: golden vectors, its bounds, and the algebra behind the promise.

use proptest::prelude::*;

use super::*;

/// Days that no evidence reaches, so that nothing is an alarm.
const NEVER: f64 = 1e25;

fn after(days: f64) -> Nanos {
    Nanos((days * 86_400e9) as u64)
}

/// R in days after every unit, one unit each `wait` days, of a page's detector that never alarms.
fn evidence(budget: f64, wait: f64, units: &[f64]) -> Vec<f64> {
    let bets = Bets::page(budget).unwrap();
    let mut evidence = Evidence::since(Nanos(0));
    let told = |(n, x): (usize, &f64)| {
        let at = after(wait * (n + 1) as f64);
        assert!(!evidence.update(&bets, Allowance::days(NEVER).unwrap(), at, Badness::new(*x).unwrap()));
        evidence.ratio() * NEVER
    };
    units.iter().enumerate().map(told).collect()
}

fn close(found: f64, want: f64) {
    assert!((found - want).abs() <= 1e-5 * want, "{found} is not {want}");
}

#[test]
fn golden_bets() {
    let bets = Bets::page(0.01).unwrap();
    let alternatives = [0.06, 0.103_126, 0.177_251, 0.304_653, 0.523_630, 0.9];
    assert_eq!(bets.count, alternatives.len());
    for (k, q) in alternatives.into_iter().enumerate() {
        close(bets.likelihood(k, Badness::BAD), q / 0.01);
        close(bets.likelihood(k, Badness::GOOD), (1.0 - q) / 0.99);
    }
}

/// Six times a wide budget is more than all: the lowest bet is one half, or half way to the surest.
#[test]
fn the_lowest_bet_stays_below_all() {
    for (budget, q) in [(0.05, 0.3), (0.2, 0.5), (0.6, 0.54_f64.sqrt())] {
        close(Bets::page(budget).unwrap().likelihood(0, Badness::BAD), q / budget);
    }
    close(Bets::ticket(0.4).unwrap().likelihood(3, Badness::BAD), 0.9 / 0.4);
}

#[test]
fn golden_evidence() {
    let found = evidence(0.01, 0.02, &[[0.0; 10].as_slice(), &[1.0; 4]].concat());
    for (n, want) in [(1, 0.0132368), (10, 0.0704147), (11, 1.72251), (12, 67.4344), (13, 4104.28), (14, 306_072.0)] {
        close(found[n - 1], want);
    }
    for (found, want) in
        evidence(0.01, 0.5, &[0.25, 0.5, 0.0, 1.0]).into_iter().zip([4.5579, 139.804, 39.4987, 1977.65])
    {
        close(found, want);
    }
}

#[test]
fn golden_fleet() {
    close(Allowance::fleet(200, 12.0).unwrap().as_days(), 6083.33);
    let small = Allowance::fleet(3, 12.0).unwrap();
    close(small.as_days(), 91.25);
    assert_eq!(small.at_least(Allowance::PAGE), Allowance::PAGE);
    assert_eq!(Allowance::fleet(0, 12.0).unwrap().as_days(), 1.0);
    for nonsense in [0.0, -1.0, f64::NAN] {
        assert_eq!(Allowance::fleet(200, nonsense), None);
    }
}

#[test]
fn what_is_no_badness_is_refused() {
    for (bad, judged, want) in [(0, 0, None), (2, 1, None), (0, 3, Some(0.0)), (1, 4, Some(0.25)), (7, 7, Some(1.0))] {
        assert_eq!(Badness::of(bad, judged).map(Badness::share), want);
    }
    assert_eq!([f64::NAN, -0.1, 1.1, f64::INFINITY].map(Badness::new), [None; 4]);
}

#[test]
fn a_budget_that_leaves_nothing_worse_has_no_bets() {
    for budget in [0.0, -0.1, 1e-12, 0.9, 1.0, 2.0, f64::NAN, f64::INFINITY] {
        assert_eq!(Bets::page(budget), None, "{budget}");
        assert_eq!(Bets::ticket(budget), None, "{budget}");
    }
}

/// Consecutive bad units that make an alarm after a long healthy time (`slo.md` §2.2).
#[test]
fn two_to_five_bad_units_in_a_row_are_an_alarm() {
    for (budget, needed) in [(0.05, [3, 3, 4, 5]), (0.01, [2, 2, 3, 3]), (0.001, [1, 2, 2, 2])] {
        for (a_day, needed) in [1.0, 5.0, 50.0, 500.0].into_iter().zip(needed) {
            let found = evidence(budget, 1.0 / a_day, &[[0.0; 400].as_slice(), &[1.0; 6]].concat());
            let bad = found[400..].iter().position(|days| *days >= 365.0).unwrap() + 1;
            assert_eq!(bad, needed, "{budget} at {a_day} a day");
        }
    }
}

#[test]
fn an_alarm_uses_the_evidence_up() {
    let bets = Bets::page(0.01).unwrap();
    let mut evidence = Evidence::since(Nanos(0));
    let mut alarms = (1..=6).map(|n| evidence.update(&bets, Allowance::PAGE, after(f64::from(n)), Badness::BAD));
    assert_eq!(alarms.by_ref().take(4).collect::<Vec<_>>(), [false, true, false, true]);
    drop(alarms);
    assert_eq!(evidence.ratio(), 0.0);
}

#[test]
fn silence_earns_a_day_at_most_and_the_past_nothing() {
    let bets = Bets::page(0.01).unwrap();
    let told = |at: u64| {
        let mut evidence = Evidence::since(Nanos(0) + Span::days(10));
        evidence.update(&bets, Allowance::PAGE, Nanos(0) + Span::days(at), Badness::BAD);
        evidence
    };
    assert_eq!(told(11).ratio(), told(500).ratio());
    for early in [0, 10] {
        assert_eq!(told(early), Evidence::since(Nanos(0) + Span::days(10)));
    }
}

#[test]
fn what_was_not_written_here_is_worth_nothing() {
    let bets = Bets::page(0.01).unwrap();
    let broken = [f64::NAN, -1.0, f64::INFINITY, 1e300, f64::NEG_INFINITY, 7.0];
    let mut broken = Evidence { ratios: broken, heard: Nanos(5) };
    let mut sound = Evidence::since(Nanos(5));
    for evidence in [&mut broken, &mut sound] {
        evidence.update(&bets, Allowance::PAGE, after(1.0), Badness::BAD);
    }
    assert_eq!(broken, sound);
}

/// (seconds since the one before, badness).
fn units() -> impl Strategy<Value = Vec<(u64, f64)>> {
    let wait = prop_oneof![Just(0), 1..100_u64, 1..1_000_000_u64, Just(u64::MAX / 1_000_000_000)];
    let x = prop_oneof![4 => Just(0.0), 2 => Just(1.0), 1 => 0.0..=1.0];
    prop::collection::vec((wait, x), 0..200)
}

fn any_bets() -> impl Strategy<Value = Bets> {
    let budget = || prop_oneof![1e-9..1e-4, 1e-4..0.88];
    prop_oneof![
        budget().prop_map(|budget| Bets::page(budget).unwrap()),
        budget().prop_map(|budget| Bets::ticket(budget).unwrap()),
        any::<f64>().prop_map(Bets::spike),
        (0.02..=0.5).prop_map(Bets::spike),
    ]
}

proptest! {
    /// E[L_k] = 1 + λ_k (E[x] − p0), and L_k is above zero wherever it is looked at.
    #[test]
    fn no_bet_gains_on_average_while_the_objective_is_met(bets in any_bets(), p in 0.0..=1.0, x in 0.0..=1.0_f64) {
        let p = p * bets.tolerance();
        for k in 0..bets.count {
            let [bad, good, graded] = [1.0, 0.0, x].map(|x| bets.likelihood(k, Badness(x)));
            prop_assert!(good > 0.0 && graded > 0.0 && bad > 1.0);
            prop_assert!(p * bad + (1.0 - p) * good <= 1.0 + 1e-9);
            // Linear, so graded units of the same mean are worth the same on average.
            prop_assert!((x * bad + (1.0 - x) * good - graded).abs() <= 1e-9 * bad);
        }
    }

    #[test]
    fn evidence_lies_between_zero_and_an_alarm(bets in any_bets(), days in 1.0..1e9_f64, units in units()) {
        let mut evidence = Evidence::since(Nanos(0));
        let mut at = Nanos(0);
        for (wait, x) in units {
            at = at + Span(wait.saturating_mul(1_000_000_000));
            evidence.update(&bets, Allowance(days), at, Badness(x));
            prop_assert!((0.0..1.0).contains(&evidence.ratio()), "{evidence:?}");
        }
    }

    #[test]
    fn a_restart_changes_nothing(bets in any_bets(), units in units(), cut in any::<prop::sample::Index>()) {
        let cut = cut.index(units.len() + 1);
        let (mut running, mut restarted) = (Evidence::since(Nanos(7)), Evidence::since(Nanos(7)));
        let mut at = Nanos(7);
        for (n, (wait, x)) in units.into_iter().enumerate() {
            at = at + Span(wait.saturating_mul(1_000_000_000));
            if n == cut {
                restarted = serde_json::from_str(&serde_json::to_string(&restarted).unwrap()).unwrap();
            }
            let alarms = [&mut running, &mut restarted].map(|e| e.update(&bets, Allowance::PAGE, at, Badness(x)));
            prop_assert_eq!(alarms[0], alarms[1]);
            prop_assert_eq!(running, restarted);
        }
    }
}
