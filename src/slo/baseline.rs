//! What share of an agent's attempts is usually refused, by hour of day: learnt slowly, and never from an attack.
//!
//! | symbol | meaning | value (`slo.md` §3.3) |
//! |---|---|---|
//! | S_n\[h\], S_d\[h\] | units of the hour of day h (UTC) and their badness, forgotten with a half-life | 14 d |
//! | G = (S_d + m·f)/(S_n + m) | the share over all hours; before there are units, what the fleet has (f) | m = 20 |
//! | p̂ = (S_d\[h\] + c·G)/(S_n\[h\] + c) | the share of hour h, drawn to G where units are few | c = 30 |
//!
//! * **Guard**: a unit is learnt 24 hours after it came, by hourly buckets. So there is time to see what it belongs to.
//! * **Freeze**: what came up to 24 hours before or after there is evidence of a spike is never learnt
//!   ([`Baseline::freeze`]). Before alone would not do: between two alarms of a thin series a day may pass.
//! * **Ramp**: p̂ of an hour rises by at most half in seven days, however patient somebody is.
//! * **Youth**: until 14 days and 50 learnt units, p̂ is the fleet's.

use serde::{Deserialize, Serialize};

use crate::model::{Nanos, Span};

use super::evidence::Badness;

/// What is refused where nothing is known, of an agent or of the fleet (`slo.md` §3.3: the prior is 5 %).
pub const PRIOR: f64 = 0.05;

const HOUR: Span = Span::hours(1);
const HOURS: usize = 24;
/// How old a unit is when it is learnt.
const GUARD: Span = Span::hours(HOURS as u64);
/// Buckets of units that wait: whole hours, so one more than the guard.
const BUCKETS: usize = HOURS + 1;
/// Two half-lives are a month.
const HALF_LIFE_HOURS: f64 = 14.0 * 24.0;
const WEEK_HOURS: f64 = 7.0 * 24.0;
/// How much p̂ may rise in a week.
const RAMP: f64 = 1.5;
/// Units that the prior of all hours is worth, and G for one hour.
const PRIOR_UNITS: f64 = 20.0;
const HOUR_UNITS: f64 = 30.0;
/// When an agent is known.
const KNOWN_UNITS: f64 = 50.0;
const KNOWN_AFTER: Span = Span::days(14);

/// Units and their badness; fractions once they fade.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
struct Tally {
    units: f64,
    bad: f64,
}

impl Tally {
    fn add(&mut self, other: Self, weight: f64) {
        self.units += weight * other.units;
        self.bad += weight * other.bad;
    }

    fn fade(&mut self, weight: f64) {
        self.units *= weight;
        self.bad *= weight;
    }

    /// The share of bad, with so many units of what was believed before.
    fn share(&self, believed: f64, worth: f64) -> f64 {
        (self.bad + worth * believed) / (self.units + worth)
    }
}

/// What was learnt of one agent, or of all. About a kilobyte.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Baseline {
    since: Nanos,
    /// The hour, counted from 1970, up to which everything here is told.
    hour: u64,
    learnt: [Tally; HOURS],
    /// Units that wait, the hour `h` at `h % BUCKETS`.
    pending: [Tally; BUCKETS],
    /// Nothing that comes before this is learnt.
    frozen_until: Nanos,
    /// The most that p̂ of an hour may be now; zero until it was asked for.
    ramp: [f64; HOURS],
}

impl Baseline {
    /// Nothing yet.
    pub fn since(start: Nanos) -> Self {
        Self {
            since: start,
            hour: start.0 / HOUR.0,
            learnt: [Tally::default(); HOURS],
            pending: [Tally::default(); BUCKETS],
            frozen_until: start,
            ramp: [0.0; HOURS],
        }
    }

    /// p̂ at this time, from units at least 24 hours old; `fleet` is what others show, [`PRIOR`] if nobody does. The
    /// answer is also where the ramp goes on from.
    pub fn usual(&mut self, at: Nanos, fleet: f64) -> f64 {
        self.advance(at);
        if !self.is_known(at) {
            return fleet;
        }
        let hour = hour_of_day(self.hour);
        let most = if self.ramp[hour] > 0.0 { self.ramp[hour] } else { 1.0 };
        self.ramp[hour] = self.learnt[hour].share(self.all().share(fleet, PRIOR_UNITS), HOUR_UNITS).min(most);
        self.ramp[hour]
    }

    /// One more unit, to be learnt when it is a day old, unless it came in a freeze.
    pub fn add(&mut self, at: Nanos, x: Badness) {
        self.advance(at);
        if at < self.frozen_until {
            return;
        }
        self.pending[bucket(self.hour)].add(Tally { units: 1.0, bad: x.share() }, 1.0);
    }

    /// Never learns what still waits, nor what comes in the next 24 hours.
    pub fn freeze(&mut self, at: Nanos) {
        self.pending = [Tally::default(); BUCKETS];
        self.frozen_until = self.frozen_until.max(at + GUARD);
    }

    fn is_known(&self, at: Nanos) -> bool {
        at.since(self.since) >= KNOWN_AFTER && self.all().units >= KNOWN_UNITS
    }

    fn all(&self) -> Tally {
        let mut all = Tally::default();
        self.learnt.iter().for_each(|tally| all.add(*tally, 1.0));
        all
    }

    /// To the hour of this time; an earlier time counts as now. One long step is as good as many short ones.
    fn advance(&mut self, at: Nanos) {
        let hour = at.0 / HOUR.0;
        if hour <= self.hour {
            return;
        }
        let passed = (hour - self.hour) as f64;
        self.learnt.iter_mut().for_each(|tally| tally.fade(faded(passed)));
        let ramp = RAMP.powf(passed / WEEK_HOURS);
        self.ramp.iter_mut().for_each(|most| *most = (*most * ramp).min(1.0));
        let oldest = self.hour.saturating_sub(BUCKETS as u64 - 1);
        for old in (oldest..=self.hour).filter(|old| old + BUCKETS as u64 <= hour) {
            let pending = std::mem::take(&mut self.pending[bucket(old)]);
            // It was learnt when it was a day old, and has faded since.
            let age = (hour - old - BUCKETS as u64) as f64;
            self.learnt[hour_of_day(old)].add(pending, faded(age));
        }
        self.hour = hour;
    }
}

fn faded(hours: f64) -> f64 {
    (-hours / HALF_LIFE_HOURS).exp2()
}

fn hour_of_day(hour: u64) -> usize {
    (hour % HOURS as u64) as usize
}

fn bucket(hour: u64) -> usize {
    (hour % BUCKETS as u64) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    const FLEET: f64 = 0.3;

    fn hours(hours: u64) -> Nanos {
        Nanos(0) + Span::hours(hours)
    }

    /// Twenty units an hour, this share of them bad.
    fn days(baseline: &mut Baseline, days: std::ops::Range<u64>, share: f64) {
        for hour in days.start * 24..days.end * 24 {
            (0..20).for_each(|_| baseline.add(hours(hour), Badness::new(share).unwrap()));
        }
    }

    fn old(days: u64, share: f64) -> Baseline {
        let mut baseline = Baseline::since(Nanos(0));
        self::days(&mut baseline, 0..days, share);
        baseline
    }

    #[test]
    fn until_an_agent_is_known_it_is_like_the_fleet() {
        let mut busy = old(20, 0.02);
        assert!(busy.usual(hours(20 * 24), FLEET) < 0.025);
        let mut young = Baseline::since(hours(20 * 24 - 13 * 24));
        days(&mut young, 7..20, 0.02);
        assert_eq!(young.usual(hours(20 * 24), FLEET), FLEET);
        let mut quiet = Baseline::since(Nanos(0));
        (0..40).for_each(|day| quiet.add(hours(day * 24), Badness::GOOD));
        assert_eq!(quiet.usual(hours(40 * 24), FLEET), FLEET);
    }

    #[test]
    fn a_unit_is_learnt_after_a_day() {
        let mut baseline = old(20, 0.02);
        let before = baseline.usual(hours(20 * 24), FLEET);
        (0..10_000).for_each(|_| baseline.add(hours(20 * 24), Badness::GOOD));
        let later = |hour| baseline.clone().usual(hours(hour), FLEET);
        assert!(later(20 * 24 + 24) > before * 0.9);
        assert!(later(21 * 24 + 24) < before * 0.1);
    }

    #[test]
    fn what_is_dropped_is_never_learnt() {
        let mut baseline = old(20, 0.02);
        let mut with_spike = baseline.clone();
        days(&mut with_spike, 20..21, 1.0);
        with_spike.freeze(hours(21 * 24 - 1));
        baseline.advance(hours(21 * 24 - 1));
        baseline.freeze(hours(21 * 24 - 1));
        let [with, without] = [&mut with_spike, &mut baseline].map(|baseline| baseline.usual(hours(23 * 24), FLEET));
        assert!((with - without).abs() < 1e-12, "{with} {without}");
    }

    #[test]
    fn what_is_usual_rises_by_half_a_week_at_most() {
        let mut baseline = old(30, 0.02);
        let mut last = baseline.usual(hours(30 * 24), FLEET);
        for day in 30..60 {
            days(&mut baseline, day..day + 1, 0.9);
            let now = baseline.usual(hours((day + 1) * 24), FLEET);
            assert!(now <= last * 1.5_f64.powf(1.0 / 7.0) * (1.0 + 1e-9), "{last} {now}");
            last = now;
        }
        assert!(last > 0.1, "{last}");
    }

    #[test]
    fn every_hour_has_its_own() {
        let mut baseline = Baseline::since(Nanos(0));
        for hour in 0..40 * 24 {
            let x = if hour % 24 == 3 { Badness::BAD } else { Badness::GOOD };
            (0..20).for_each(|_| baseline.add(hours(hour), x));
        }
        assert!(baseline.usual(hours(40 * 24 + 3), FLEET) > 0.8);
        assert!(baseline.usual(hours(40 * 24 + 4), FLEET) < 0.1);
    }

    #[test]
    fn a_long_silence_is_many_short_ones() {
        let mut at_once = old(20, 0.1);
        let mut by_hours = at_once.clone();
        (20 * 24..90 * 24).for_each(|hour| by_hours.advance(hours(hour)));
        for baseline in [&mut at_once, &mut by_hours] {
            baseline.advance(hours(90 * 24));
        }
        let close = |a: f64, b: f64| (a - b).abs() <= 1e-9 * (a.abs() + b.abs());
        for (a, b) in at_once.learnt.iter().zip(&by_hours.learnt) {
            assert!(close(a.units, b.units) && close(a.bad, b.bad) && a.units > 0.0);
        }
        assert_eq!(at_once.pending, by_hours.pending);
    }
}
