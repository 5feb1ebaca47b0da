//! Evidence that a share of bad units is higher than it may be, gathered one unit at a time, at any traffic.
//!
//! A Shiryaev-Roberts sum of bets ("e-detector", Shin, Ramdas and Rinaldo, arXiv 2203.03532) whose bets are weighted by
//! clock time instead of one per unit, and counted in alarms instead of days:
//!
//! | symbol | meaning | here |
//! |---|---|---|
//! | xₙ | badness of unit n, 0 to 1 | [`Badness`] |
//! | p0 | the share of bad that is tolerated | [`Bets::tolerance`] |
//! | q_k | the shares that are bet on, k = 1…K, each above p0 | [`Bets::page`] and its like |
//! | A | days of healthy traffic that may cost one false alarm | [`Allowance`] |
//! | wₙ | min(tₙ − tₙ₋₁, [`LONGEST_WAIT`]) in days: what the clock earned since the last unit | |
//! | R | the evidence, in days; an alarm when R ≥ A, and then R = 0 | |
//! | ρ = R/A | the same in alarms: an alarm when ρ ≥ 1 | [`Evidence::ratio`] |
//!
//! ```text
//! λ_k = (q_k − p0) / (p0 (1 − p0))        L_k(x) = 1 + λ_k (x − p0)
//! ρ_k ← (ρ_k + wₙ/(A K)) · L_k(xₙ)        ρ = Σ ρ_k
//! ```
//!
//! **Promise.** Let N be the alarms so far. If E\[xₙ | past\] ≤ p0 for every unit, then ρ + N − Σ wₙ/A is a
//! supermartingale: a unit adds wₙ/A before a factor whose mean is at most 1, and an alarm adds 1 to N and takes at
//! least 1 from ρ. So E\[N\] ≤ Σ wₙ/A ≤ T/A in T days: for any traffic and any pattern of it, without independence,
//! however often one looks. A and p0 may change between units as long as they are fixed before the outcome is known,
//! which is why ρ and not R is kept: a fleet that grows needs no new start.
//!
//! **What the promise asks of the caller.** Units that fail together are one unit (a turn, not its actions). A unit is
//! told once, when it closes, good and bad alike; duplicates, replays and late units are not told. Unknown is no unit.
//! Times are those of processing; the order of the calls is the order that counts.

use serde::{Deserialize, Serialize};

use crate::model::{Nanos, Span};

/// No silence earns more than this. Any limit keeps the promise; a day keeps one bad unit after a long silence from
/// being an alarm by itself, and costs a thin series (5 a day) nothing.
pub const LONGEST_WAIT: Span = Span::days(1);

/// As many bets as a detector has at most.
const MOST_BETS: usize = 6;
/// Budgets below this are noise of `1 - target`.
const SMALLEST: f64 = 1e-9;
/// No bet is surer than this: (1 − q)/(1 − p0) is what is left of it after a good unit.
const SUREST: f64 = 0.9;
/// A bet pays for its delay only when it is clear of what is tolerated.
const CLEAR: f64 = 1.01;
const DAYS_A_YEAR: f64 = 365.0;

/// How bad one unit was: 0 is good, 1 is bad, between them is the bad share of what was judged in it.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd)]
pub struct Badness(f64);

impl Badness {
    /// Nothing bad.
    pub const GOOD: Self = Self(0.0);
    /// All bad.
    pub const BAD: Self = Self(1.0);

    /// A share in \[0, 1\].
    pub fn new(share: f64) -> Option<Self> {
        (0.0..=1.0).contains(&share).then_some(Self(share))
    }

    /// So many bad of so many judged. Nothing judged is unknown, which is no evidence.
    pub fn of(bad: u64, judged: u64) -> Option<Self> {
        Self::new(bad as f64 / judged as f64)
    }

    /// The share.
    pub fn share(self) -> f64 {
        self.0
    }
}

/// A: days of healthy traffic that may cost one false alarm. At least one day.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd)]
pub struct Allowance(f64);

impl Allowance {
    /// A page that was for nothing, once a year and series at most (`slo.md` §2.2).
    pub const PAGE: Self = Self(DAYS_A_YEAR);
    /// A ticket that was for nothing, four times a year and series at most (`slo.md` §2.2).
    pub const TICKET: Self = Self(90.0);

    /// So many days, at least one.
    pub fn days(days: f64) -> Option<Self> {
        (days.is_finite() && days >= 1.0).then_some(Self(days))
    }

    /// A = 365 · M/F: what each of M series gets when all together may raise F false alarms a year. Expectations add,
    /// so the series need not be independent. `None` when F is not above zero.
    pub fn fleet(series: u64, alarms_a_year: f64) -> Option<Self> {
        let days = DAYS_A_YEAR * series as f64 / alarms_a_year;
        if alarms_a_year > 0.0 { Self::days(days.max(1.0)) } else { None }
    }

    /// The stricter of both: a small fleet may not raise more false alarms per series than one alone.
    pub fn at_least(self, other: Self) -> Self {
        Self(self.0.max(other.0))
    }

    /// In days.
    pub fn as_days(self) -> f64 {
        self.0
    }

    /// w/A: the part of a false alarm that this wait earns.
    fn earned(self, wait: Span) -> f64 {
        wait.min(LONGEST_WAIT).as_seconds() / Span::days(1).as_seconds() / self.0
    }
}

/// What is tolerated, and the worse shares that are bet on.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bets {
    tolerance: f64,
    /// λ_k; those behind `count` are zero.
    stakes: [f64; MOST_BETS],
    count: usize,
}

impl Bets {
    /// For a page: six bets from 6ε, or one half if that is less, to 0.9. Up to about 2.8 times ε even the lowest loses
    /// more than it wins (p ln(q/p0) + (1−p) ln((1−q)/(1−p0)) < 0), so a slow burn wakes somebody by chance alone.
    /// `None` for a budget so wide that hardly anything is worse.
    pub fn page(budget: f64) -> Option<Self> {
        Self::between(budget, (6.0 * budget).min(0.5), SUREST, 6)
    }

    /// For a ticket: four bets from 2ε to 6ε, the slow burns.
    pub fn ticket(budget: f64) -> Option<Self> {
        Self::between(budget, 2.0 * budget, 6.0 * budget, 4)
    }

    /// For a spike over a tolerance that was learnt: two, four and eight times as many, at most 0.95 (`slo.md` §3.3).
    /// A tolerance outside the sensible counts as its upper end.
    pub fn spike(tolerance: f64) -> Self {
        let tolerance = if (SMALLEST..=SUREST).contains(&tolerance) { tolerance } else { SUREST };
        Self::on(tolerance, [2.0, 4.0, 8.0].map(|times| (times * tolerance).min(0.95)))
    }

    /// p0.
    pub fn tolerance(&self) -> f64 {
        self.tolerance
    }

    /// q_k in a geometric row. Where the row does not fit between what is tolerated and certainty, it starts half way.
    fn between(tolerance: f64, low: f64, high: f64, count: usize) -> Option<Self> {
        let clear = CLEAR * tolerance;
        let high = high.min(SUREST);
        let low = if low > clear && low < high { low } else { (tolerance * high).sqrt() };
        let step = |k: usize| low * (high / low).powf(k as f64 / (count - 1) as f64);
        (tolerance >= SMALLEST && low > clear).then(|| Self::on(tolerance, (0..count).map(step)))
    }

    fn on(tolerance: f64, alternatives: impl IntoIterator<Item = f64>) -> Self {
        let mut bets = Self { tolerance, stakes: [0.0; MOST_BETS], count: 0 };
        for (stake, q) in bets.stakes.iter_mut().zip(alternatives) {
            *stake = (q - tolerance) / (tolerance * (1.0 - tolerance));
            bets.count += 1;
        }
        bets
    }

    /// L_k(x): linear in x, above zero, and 1 at p0; so its mean is at most 1 as long as the mean of x is at most p0.
    fn likelihood(&self, k: usize, x: Badness) -> f64 {
        1.0 + self.stakes[k] * (x.0 - self.tolerance)
    }
}

/// The evidence of one series. State: everything that the next update needs; a restart goes on with it.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Evidence {
    /// ρ_k.
    ratios: [f64; MOST_BETS],
    /// The latest time heard of.
    heard: Nanos,
}

impl Evidence {
    /// None yet, of a series that is watched from `start` on: the first unit has earned what passed since then.
    pub fn since(start: Nanos) -> Self {
        Self { ratios: [0.0; MOST_BETS], heard: start }
    }

    /// ρ = R/A, in \[0, 1): how near the next alarm is. Best shown on a logarithmic axis.
    pub fn ratio(&self) -> f64 {
        self.ratios.iter().sum()
    }

    /// Forgets the evidence, not the clock. Always allowed: it can only make alarms later.
    pub fn forget(&mut self) {
        self.ratios = [0.0; MOST_BETS];
    }

    /// One more unit. Is it enough for an alarm? Then the evidence is used up. A unit that is not later than the one
    /// before counts, and earns nothing.
    pub fn update(&mut self, bets: &Bets, allowance: Allowance, at: Nanos, x: Badness) -> bool {
        let earned = allowance.earned(at.since(self.heard)) / bets.count as f64;
        self.heard = self.heard.max(at);
        for (k, ratio) in self.ratios.iter_mut().enumerate().take(bets.count) {
            *ratio = (kept(*ratio) + earned) * bets.likelihood(k, x);
        }
        let alarm = self.ratio() >= 1.0;
        if alarm {
            self.forget();
        }
        alarm
    }
}

/// Between two updates every ρ_k lies in \[0, 1): at 1 there was an alarm. What is not so was not written here; zero is
/// always safe. It also bounds the next product by (1 + 1)/p0, far from overflow.
fn kept(ratio: f64) -> f64 {
    if (0.0..1.0).contains(&ratio) { ratio } else { 0.0 }
}

#[cfg(test)]
mod tests;
