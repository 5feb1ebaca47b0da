//! Spikes of denied actions: an agent that is refused more often than it usually is.
//!
//! The engine of the burn alarm with a tolerance that is learnt. With p̂ₙ from [`super::baseline`], for the unit n:
//!
//! | symbol | meaning | value (`slo.md` §3.3) |
//! |---|---|---|
//! | p0,n = κ·p̂ₙ | what is tolerated; between floor and ceiling | κ = 1.5, 0.02 to 0.5 |
//! | q_k,n | what is bet on: 2, 4 and 8 times p0,n | at most 0.95 |
//! | A | days of usual behaviour that may cost one false alarm | [`Allowance`] |
//!
//! **Promise.** p0,n is fixed before the outcome of unit n, which is all that [`super::evidence`] asks: as long as the
//! true probability of a refusal is at most p0,n, in every season, there are at most T/A alarms in T days on average.
//!
//! A unit is a turn at its close, its badness the refused share of its distinct attempts. While the evidence is at
//! least 1/√A, half way to an alarm on a logarithmic scale, and for a day before and after, nothing is learnt: an
//! attack does not become usual. So a level that rose for good stays an alarm until it falls, or until somebody raises
//! the floor; it becomes usual by itself only where it rises too slowly to be evidence.
//!
//! The burst inside one turn is a breaker of the envelope and another room's job.

use serde::{Deserialize, Serialize};

use super::baseline::Baseline;
use super::evidence::{Allowance, Badness, Bets, Evidence};
use super::latch::Latch;
use crate::model::Nanos;

/// What is asked of every agent.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SpikeAlarm {
    /// A.
    pub allowance: Allowance,
    /// κ: how far above what is usual an agent may go.
    pub margin: f64,
    /// Tolerated of everybody: below it, refusals are too few to learn from.
    pub floor: f64,
    /// Tolerated of nobody, however usual. Wins over the floor.
    pub ceiling: f64,
}

/// What is known of one agent. Goes on after a restart where it was.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SpikeWatch {
    baseline: Baseline,
    evidence: Evidence,
    latch: Latch,
    /// p̂ and p0 of the last unit.
    usual: f64,
    tolerance: f64,
}

impl SpikeAlarm {
    /// With the usual margin, floor and ceiling.
    pub const fn new(allowance: Allowance) -> Self {
        Self { allowance, margin: 1.5, floor: 0.02, ceiling: 0.5 }
    }

    /// One more closed turn of the agent, at the time it was processed; `fleet` is what all agents show at this time,
    /// or [`super::baseline::PRIOR`]. Returns whether with it the evidence was enough.
    pub fn update(&self, watch: &mut SpikeWatch, fleet: f64, at: Nanos, x: Badness) -> bool {
        watch.usual = watch.baseline.usual(at, fleet);
        let bets = Bets::spike((self.margin * watch.usual).max(self.floor).min(self.ceiling));
        watch.tolerance = bets.tolerance();
        let crossed = watch.evidence.update(&bets, self.allowance, at, x);
        watch.latch.update(at, x, bets.tolerance(), crossed);
        if crossed || watch.evidence.ratio() >= self.frozen() {
            watch.baseline.freeze(at);
        } else {
            watch.baseline.add(at, x);
        }
        crossed
    }

    /// R ≥ √A, as a part of A.
    fn frozen(&self) -> f64 {
        self.allowance.as_days().sqrt().recip()
    }
}

impl SpikeWatch {
    /// Nothing yet, of an agent that is watched from `start` on.
    pub fn since(start: Nanos) -> Self {
        Self {
            baseline: Baseline::since(start),
            evidence: Evidence::since(start),
            latch: Latch::default(),
            usual: 0.0,
            tolerance: 0.0,
        }
    }

    /// Since when the alarm fires, if it does at this time.
    pub fn firing_since(&self, now: Nanos) -> Option<Nanos> {
        self.latch.firing_since(now)
    }

    /// R/A, in \[0, 1): how near the next crossing is. Back at zero after one.
    pub fn evidence_ratio(&self) -> f64 {
        self.evidence.ratio()
    }

    /// The share that was usual at the last unit, and the share that was tolerated; zero before there was one.
    pub fn levels(&self) -> (f64, f64) {
        (self.usual, self.tolerance)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::slo::baseline::PRIOR;
    use crate::slo::random::Random;

    const DAY: f64 = 86_400e9;

    /// An agent that makes so many units a day, with this probability of a refusal by the hour of day.
    struct Agent {
        random: Random,
        watch: SpikeWatch,
        at: f64,
        a_day: f64,
    }

    impl Agent {
        fn new(seed: u64, a_day: f64) -> Self {
            Self { random: Random(seed), watch: SpikeWatch::since(Nanos(0)), at: 0.0, a_day }
        }

        fn step(&mut self, refused: impl Fn(f64) -> f64) -> bool {
            self.at += self.random.wait(self.a_day) * DAY;
            let x = self.random.unit(refused(self.at / DAY));
            SpikeAlarm::new(Allowance::PAGE).update(&mut self.watch, PRIOR, Nanos(self.at as u64), x)
        }

        fn alarms(&mut self, days: f64, refused: impl Fn(f64) -> f64) -> u64 {
            let end = self.at + days * DAY;
            let mut alarms = 0;
            while self.at < end {
                alarms += u64::from(self.step(&refused));
            }
            alarms
        }
    }

    /// 3 % on average: 0.6 % by night, 5.4 % by day.
    fn seasons(day: f64) -> f64 {
        0.03 * (1.0 + 0.8 * (std::f64::consts::TAU * day).sin())
    }

    #[test]
    fn the_hours_of_a_day_are_no_spike() {
        let alarms = Agent::new(1, 200.0).alarms(30.0 * 365.0, seasons);
        assert!(alarms <= 15, "{alarms} in 30 years");
    }

    #[test]
    fn a_spike_is_seen_within_hours() {
        let mut agent = Agent::new(2, 200.0);
        agent.alarms(60.0, seasons);
        let before = agent.at;
        while !agent.step(|_| 0.9) {}
        assert!(agent.at - before < DAY / 8.0, "{} days", (agent.at - before) / DAY);
        assert!(agent.watch.firing_since(Nanos(agent.at as u64)).is_some());
    }

    #[test]
    fn an_attack_does_not_become_usual() {
        let mut agent = Agent::new(3, 20.0);
        agent.alarms(60.0, |_| 0.03);
        assert!(agent.alarms(60.0, |_| 0.4) > 20);
        let (usual, _) = agent.watch.levels();
        assert!(usual < 0.06, "{usual} after two months of an attack");
    }

    #[test]
    fn what_is_tolerated_has_a_floor_and_a_ceiling() {
        let alarm = SpikeAlarm::new(Allowance::PAGE);
        for (fleet, want) in [(0.0, 0.02), (0.1, 0.15), (0.9, 0.5), (f64::NAN, 0.02)] {
            let mut watch = SpikeWatch::since(Nanos(0));
            alarm.update(&mut watch, fleet, Nanos(1), Badness::GOOD);
            assert!((watch.levels().1 - want).abs() < 1e-12, "{fleet}: {watch:?}");
        }
    }

    #[test]
    fn a_restart_changes_nothing() {
        let mut running = Agent::new(5, 300.0);
        let mut restarted = Agent::new(5, 300.0);
        for n in 0..9_000 {
            if n % 1_000 == 777 {
                let written = serde_json::to_string(&restarted.watch).unwrap();
                assert!(written.len() < 8_192, "{} bytes", written.len());
                restarted.watch = serde_json::from_str(&written).unwrap();
            }
            let refused = |day: f64| if day > 25.0 { 0.5 } else { seasons(day) };
            assert_eq!(running.step(refused), restarted.step(refused));
            assert_eq!(running.watch, restarted.watch);
        }
    }
}
