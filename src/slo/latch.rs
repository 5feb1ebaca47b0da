//! How long an alarm lasts. Evidence is used up by the alarm it raised; the latch keeps the alarm until things look
//! well again.
//!
//! It fires from a crossing until, since the last *setback*, 15 minutes have passed and two units have come. A crossing
//! is a setback; so is a unit with which the mean badness since the last setback is above twice what is tolerated.
//! (If every bad unit were one, a series with thousands of units a day that meets its objective would never see 15
//! minutes without, and an alarm would last for ever.) Silence is not well: without units it goes on.

use serde::{Deserialize, Serialize};

use super::evidence::Badness;
use crate::model::{Nanos, Span};

/// Without a setback, before an alarm is over (`slo.md` §2.4).
pub const CLEAR_AFTER: Span = Span::minutes(15);
/// Units that must have come by then (`slo.md` §2.4).
const CLEAR_UNITS: u64 = 2;

/// Mean badness that is no recovery: twice what is tolerated lies between meeting the objective and what a page bets
/// on (six times and more); where twice is more than there can be, half way to all bad.
fn unwell(tolerance: f64) -> f64 {
    (2.0 * tolerance).min((1.0 + tolerance) / 2.0)
}

/// Whether an alarm lasts. A function of what came and of the time at which one asks.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct Latch {
    firing: Option<Firing>,
}

/// An alarm that lasts, or has ended since without anybody asking.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
struct Firing {
    since: Nanos,
    setback: Nanos,
    /// Units since the setback, and their badness.
    units: u64,
    bad: f64,
}

impl Firing {
    fn lasts(&self, now: Nanos) -> bool {
        self.units < CLEAR_UNITS || now.since(self.setback) < CLEAR_AFTER
    }
}

impl Latch {
    /// Since when the alarm fires, if it does at this time.
    pub fn firing_since(&self, now: Nanos) -> Option<Nanos> {
        self.firing.filter(|firing| firing.lasts(now)).map(|firing| firing.since)
    }

    /// One more unit, and whether with it the evidence was enough.
    pub fn update(&mut self, at: Nanos, x: Badness, tolerance: f64, crossed: bool) {
        self.firing = self.firing.filter(|firing| firing.lasts(at));
        if crossed {
            let since = self.firing.map_or(at, |firing| firing.since);
            self.firing = Some(Firing { since, setback: at, units: 0, bad: 0.0 });
        } else if let Some(firing) = &mut self.firing {
            firing.units = firing.units.saturating_add(1);
            firing.bad += x.share();
            if firing.bad > unwell(tolerance) * firing.units as f64 {
                *firing = Firing { since: firing.since, setback: firing.setback.max(at), units: 0, bad: 0.0 };
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: u64 = 60_000_000_000;

    fn fired(tolerance: f64, units: impl IntoIterator<Item = (u64, Badness)>) -> Latch {
        let mut latch = Latch::default();
        latch.update(Nanos(0), Badness::BAD, tolerance, true);
        for (minute, x) in units {
            latch.update(Nanos(minute * MINUTE), x, tolerance, false);
        }
        latch
    }

    #[test]
    fn an_alarm_lasts_until_it_looks_well() {
        let (good, bad) = (Badness::GOOD, Badness::BAD);
        for (units, minute, want) in [
            (&[][..], 1_000_000, true),
            (&[(1, good)], 1_000, true),
            (&[(1, good), (2, good)], 14, true),
            (&[(1, good), (2, good)], 15, false),
            (&[(1, good), (20, good)], 20, false),
            (&[(1, good), (2, bad), (3, good)], 1_000, true),
            (&[(1, good), (2, bad), (3, good), (4, good)], 16, true),
            (&[(1, good), (2, bad), (3, good), (4, good)], 17, false),
            // What comes after the end does not bring it back.
            (&[(1, good), (2, good), (20, bad)], 20, false),
        ] {
            let latch = fired(0.01, units.iter().copied());
            assert_eq!(latch.firing_since(Nanos(minute * MINUTE)).is_some(), want, "{units:?} after {minute} min");
        }
    }

    #[test]
    fn a_busy_series_that_meets_its_objective_gets_well() {
        // One bad in a hundred, a hundred a minute: never a minute without.
        let unit = |n: u64| (n / 100, if n % 100 == 99 { Badness::BAD } else { Badness::GOOD });
        assert_eq!(fired(0.01, (0..1_700).map(unit)).firing_since(Nanos(17 * MINUTE)), None);
        // Six times as many: it burns on.
        let unit = |n: u64| (n / 100, if n % 16 == 15 { Badness::BAD } else { Badness::GOOD });
        assert_eq!(fired(0.01, (0..100_000).map(unit)).firing_since(Nanos(1_000 * MINUTE)), Some(Nanos(0)));
    }

    #[test]
    fn all_bad_is_never_well() {
        for tolerance in [0.01, 0.5, 0.8] {
            let units = (1..100).map(|minute| (minute, Badness::BAD));
            assert!(fired(tolerance, units).firing_since(Nanos(99 * MINUTE)).is_some(), "{tolerance}");
        }
    }

    #[test]
    fn a_new_crossing_makes_it_last_longer() {
        let mut latch = fired(0.01, [(1, Badness::GOOD), (2, Badness::GOOD)]);
        latch.update(Nanos(10 * MINUTE), Badness::BAD, 0.01, true);
        assert_eq!(latch.firing_since(Nanos(1_000 * MINUTE)), Some(Nanos(0)));
    }
}
