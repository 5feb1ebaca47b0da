//! The burn alarm of one objective and agent: evidence that the error budget burns, and the alarm that it raises.
//!
//! ```text
//! (at, badness) ─► evidence ─► crossed? ─► latch ─► firing?
//! ```
//!
//! One [`BurnAlarm`] for a page and one for a ticket, each with its own [`BurnWatch`] per agent. What the units must be
//! like is said in [`super::evidence`].

use serde::{Deserialize, Serialize};

use super::evidence::{Allowance, Badness, Bets, Evidence};
use super::latch::Latch;
use crate::model::Nanos;

/// What is asked of every series of an objective.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BurnAlarm {
    bets: Bets,
    allowance: Allowance,
}

/// What is known of one series. Goes on after a restart where it was.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct BurnWatch {
    /// The budget that the evidence speaks of.
    budget: f64,
    evidence: Evidence,
    latch: Latch,
    units: u64,
    bad: f64,
}

impl BurnAlarm {
    /// Wakes somebody: about three times what the budget allows and more. `budget` is ε = 1 − target; `None` when it is
    /// zero, or so wide (above 0.88) that hardly anything is worse.
    pub fn page(budget: f64, allowance: Allowance) -> Option<Self> {
        Some(Self { bets: Bets::page(budget)?, allowance })
    }

    /// Tells somebody by day: two times what the budget allows and more. `None` as for a page.
    pub fn ticket(budget: f64, allowance: Allowance) -> Option<Self> {
        Some(Self { bets: Bets::ticket(budget)?, allowance })
    }

    /// One more closed unit of the series, at the time it was processed. Returns whether with it the evidence was
    /// enough, be it for the first time or again. Under another budget than before the evidence starts anew; an
    /// allowance may change at any time.
    pub fn update(&self, watch: &mut BurnWatch, at: Nanos, x: Badness) -> bool {
        let budget = self.bets.tolerance();
        if watch.budget != budget {
            watch.budget = budget;
            watch.forget();
        }
        let crossed = watch.evidence.update(&self.bets, self.allowance, at, x);
        watch.latch.update(at, x, budget, crossed);
        if crossed {
            watch.forget();
        } else {
            watch.units = watch.units.saturating_add(1);
            watch.bad += x.share();
        }
        crossed
    }
}

impl BurnWatch {
    /// Nothing yet, of a series that is watched from `start` on.
    pub fn since(start: Nanos) -> Self {
        Self { budget: 0.0, evidence: Evidence::since(start), latch: Latch::default(), units: 0, bad: 0.0 }
    }

    /// Since when the alarm fires, if it does at this time.
    pub fn firing_since(&self, now: Nanos) -> Option<Nanos> {
        self.latch.firing_since(now)
    }

    /// R/A, in \[0, 1): how near the next crossing is. Back at zero after one.
    pub fn evidence_ratio(&self) -> f64 {
        self.evidence.ratio()
    }

    /// Units since the evidence was last at zero, and the sum of their badness.
    pub fn counted(&self) -> (u64, f64) {
        (self.units, self.bad)
    }

    fn forget(&mut self) {
        self.evidence.forget();
        (self.units, self.bad) = (0, 0.0);
    }
}

#[cfg(test)]
mod tests;
