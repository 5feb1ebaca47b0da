//! Error budgets from the ledger's slices: what was good and bad in a period, how much of the budget that took, and
//! whether anything can be said at all.
//!
//! | symbol | meaning |
//! |---|---|
//! | ε | the budget: 1 − target |
//! | g, b, n = g + b | good, bad and both in a period |
//! | r | the share of bad, by one of three [`Method`]s |
//! | r/ε | burn rate of a short window; consumed budget of the whole period |
//! | 1 − r/ε | remaining budget; below zero when more was spent than there was |
//! | b(W)/(ε·n(P)) | part of the budget of a period P that a window W took, whatever the traffic of the two |
//!
//! Times are event times, in the ledger's five minutes. What a calendar day, month or year is depends on a time zone,
//! which is not known here: the caller gives the [`Period`].

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::model::{Nanos, Span};
use crate::sli::Cell;

/// A stretch of event time: slices that start at or after `start` and before `end`. Its start is on the border of a
/// ledger slice, as every midnight of every zone in use is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Period {
    /// The first moment of it.
    pub start: Nanos,
    /// The first moment behind it.
    pub end: Nanos,
}

/// How the share of bad is computed (OpenSLO `budgetingMethod`).
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Method {
    /// Σb / Σn: every action weighs the same.
    Occurrences,
    /// The share of time slices in which g/n is below the target: every slice weighs the same.
    Timeslices {
        /// The length of a time slice, a multiple of the ledger's.
        slice: Span,
        /// The share of good that makes a slice good.
        target: f64,
        /// What a slice is in which nothing was judged.
        empty: Empty,
    },
    /// The mean of b/n over the time slices in which something was judged.
    RatioTimeslices {
        /// The length of a time slice, a multiple of the ledger's.
        slice: Span,
    },
}

/// What a time slice is in which nothing was judged; OpenSLO does not say. Only slices that are over can be empty.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Empty {
    /// A good one.
    Good,
    /// A bad one.
    Bad,
    /// None: it does not count.
    #[default]
    Skip,
}

/// What a period came to.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Spent {
    /// The actions of the period.
    pub actions: Cell,
    /// r; `None` where nothing counts.
    pub bad_ratio: Option<f64>,
}

/// What can be said about an objective. Never healthy without knowing.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "status", rename_all = "snake_case")]
pub enum Status {
    /// Budget is left, and no alarm fires.
    Healthy,
    /// Budget is left, and an alarm fires.
    Burning,
    /// No budget is left.
    Exhausted,
    /// Too much is unknown.
    NotMeasurable {
        /// Of all actions of the period.
        unknown_share: f64,
        /// Why, in words for a person, if anybody told.
        reason: Option<Arc<str>>,
    },
    /// Nothing happened in the period.
    NoData,
}

impl Period {
    /// The window that ends now, in whole slices of this length: the oldest, of which a part is outside, is left out.
    /// Slices are counted from 1970, so that they stay the same while the window moves on.
    pub fn rolling(now: Nanos, window: Span, slice: Span) -> Self {
        let start = now - window;
        let whole = start.slice(slice);
        Self { start: if whole < start { whole + slice } else { whole }, end: now }
    }

    fn holds(&self, at: Nanos) -> bool {
        self.start <= at && at < self.end
    }
}

impl Spent {
    /// What the period came to by `now`, from ledger slices in any order, of one agent or of many.
    pub fn of(method: Method, period: Period, now: Nanos, slices: impl IntoIterator<Item = (Nanos, Cell)>) -> Self {
        let inside = slices.into_iter().filter(|(start, _)| period.holds(*start));
        match method {
            Method::Occurrences => {
                let mut actions = Cell::default();
                inside.for_each(|(_, cell)| actions.add(&cell));
                Self { actions, bad_ratio: bad_share(&actions) }
            }
            Method::Timeslices { slice, target, empty } => {
                let by_slice = grouped(inside, period.start, slice);
                let judged: Vec<bool> = by_slice.values().filter_map(good_share).map(|share| share < target).collect();
                let empties = match empty {
                    Empty::Skip => 0,
                    Empty::Good | Empty::Bad => {
                        let over = complete(period, now, slice);
                        over - by_slice.iter().filter(|(n, cell)| **n < over && judges(cell)).count() as u64
                    }
                };
                let bad =
                    judged.iter().filter(|bad| **bad).count() as u64 + if empty == Empty::Bad { empties } else { 0 };
                let bad_ratio = ratio(bad as f64, (judged.len() as u64 + empties) as f64);
                Self { actions: summed(&by_slice), bad_ratio }
            }
            Method::RatioTimeslices { slice } => {
                let by_slice = grouped(inside, period.start, slice);
                let shares: Vec<f64> = by_slice.values().filter_map(bad_share).collect();
                Self { actions: summed(&by_slice), bad_ratio: ratio(shares.iter().sum(), shares.len() as f64) }
            }
        }
    }

    /// r/ε: of a short window, how many times faster than allowed; of the whole period, the consumed part of the
    /// budget. `None` where nothing counts, or for a budget of nothing.
    pub fn burn_rate(&self, budget: f64) -> Option<f64> {
        ratio(self.bad_ratio?, budget)
    }

    /// 1 − r/ε.
    pub fn remaining(&self, budget: f64) -> Option<f64> {
        Some(1.0 - self.burn_rate(budget)?)
    }

    /// The share of actions about which something is known; `None` without actions.
    pub fn coverage(&self) -> Option<f64> {
        ratio((self.actions.good + self.actions.bad) as f64, self.actions.total() as f64)
    }

    /// What to show. `burning` is whether an alarm of the objective fires, `reason` why most of what is unknown is so.
    pub fn status(&self, budget: f64, min_coverage: f64, burning: bool, reason: Option<Arc<str>>) -> Status {
        let Some(coverage) = self.coverage() else {
            return Status::NoData;
        };
        match self.remaining(budget) {
            Some(remaining) if coverage >= min_coverage && judges(&self.actions) => match remaining {
                _ if remaining <= 0.0 => Status::Exhausted,
                _ if burning => Status::Burning,
                _ => Status::Healthy,
            },
            _ => Status::NotMeasurable { unknown_share: 1.0 - coverage, reason },
        }
    }
}

/// b(W)/(ε·n(P)): the part of the period's budget that a window inside it took. The burn rate says how fast; a quiet
/// hour can burn fast and take next to nothing.
pub fn taken(window: &Cell, period: &Cell, budget: f64) -> Option<f64> {
    ratio(window.bad as f64, budget * (period.good + period.bad) as f64)
}

/// Time slices that are over, of those that the period has.
fn complete(period: Period, now: Nanos, slice: Span) -> u64 {
    period.end.min(now).since(period.start).0 / slice.0.max(1)
}

/// Time slices by their number in the period.
fn grouped(slices: impl Iterator<Item = (Nanos, Cell)>, start: Nanos, slice: Span) -> BTreeMap<u64, Cell> {
    let mut by_slice: BTreeMap<u64, Cell> = BTreeMap::new();
    for (at, cell) in slices {
        by_slice.entry(at.since(start).0 / slice.0.max(1)).or_default().add(&cell);
    }
    by_slice
}

fn summed(by_slice: &BTreeMap<u64, Cell>) -> Cell {
    let mut all = Cell::default();
    by_slice.values().for_each(|cell| all.add(cell));
    all
}

fn judges(cell: &Cell) -> bool {
    cell.good + cell.bad > 0
}

fn good_share(cell: &Cell) -> Option<f64> {
    ratio(cell.good as f64, (cell.good + cell.bad) as f64)
}

fn bad_share(cell: &Cell) -> Option<f64> {
    ratio(cell.bad as f64, (cell.good + cell.bad) as f64)
}

/// Only of something.
fn ratio(part: f64, whole: f64) -> Option<f64> {
    (whole > 0.0).then(|| part / whole)
}

#[cfg(test)]
mod tests;
