//! Objectives: which share of an SLI's actions must be good, over which window, and who hears when they are not.
//! They are data; the rules for Prometheus that follow from them are made elsewhere.
//!
//! Beside them, the mathematics: [`evidence`] that something is worse than it may be, the [`burn`] alarm of an
//! objective, denied-action [`spike`]s over a learnt [`baseline`], the [`latch`] of both, and [`budget`]s. Each is
//! state in, (time, badness) in, state out.

pub mod baseline;
pub mod budget;
pub mod burn;
pub mod evidence;
pub mod latch;
#[cfg(test)]
mod random;
pub mod spike;

use crate::model::{Severity, Sli, Span};

/// One service level objective. Good and bad actions count, unknown ones do not: they decide whether the objective
/// is measurable at all.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Objective {
    /// What is measured.
    pub sli: Sli,
    /// Share of good among good and bad, in (0, 1).
    pub target: f64,
    /// The rolling window of the error budget.
    pub window: Span,
    /// The loudest alert that a burning budget may raise: a page also has its ticket, a ticket has no page.
    pub severity: Severity,
    /// Share of good and bad among all, below which the objective is not measurable, does not page and is not green.
    pub min_coverage: f64,
}

/// Four weeks: the same number of every weekday is always inside, so a weekend never moves the budget.
const WINDOW: Span = Span::days(28);

/// Below one half, what is not known outweighs what is.
const MIN_COVERAGE: f64 = 0.5;

impl Objective {
    /// What is in force when nothing is configured (`slo.md` §11).
    pub const DEFAULTS: [Objective; 8] = [
        Self::new(Sli::IntentAlignment, 0.99, Severity::Page),
        Self::new(Sli::OutcomeValidation, 0.99, Severity::Page),
        // A denial is a guard that worked, so it never pages; one action in twenty refused says that task, tools and
        // permissions do not fit. A sudden spike of one agent is another alarm's job.
        Self::new(Sli::DeniedActions, 0.95, Severity::Ticket),
        // An open incident pages by itself; how fast people are is looked at by day.
        Self::new(Sli::ContainmentWithin, 0.9, Severity::Ticket),
        Self::new(Sli::Envelope, 0.99, Severity::Page),
        Self::new(Sli::PlanCommit, 0.99, Severity::Page),
        // Nobody is woken because somebody clicks too fast.
        Self::new(Sli::ApprovalReviewed, 0.8, Severity::Ticket),
        // Missing lineage hurts the reader of tomorrow, nobody tonight.
        Self::new(Sli::LineageComplete, 0.99, Severity::Ticket),
    ];

    /// An objective with the default window and coverage.
    pub const fn new(sli: Sli, target: f64, severity: Severity) -> Self {
        Self { sli, target, window: WINDOW, severity, min_coverage: MIN_COVERAGE }
    }

    /// The share of actions that may be bad: `1 - target`, without the noise of the subtraction.
    pub fn error_budget(&self) -> f64 {
        ((1.0 - self.target) * 1e9).round() / 1e9
    }

    /// The highest burn rate there can be, when every action is bad. An alert at or above it could never fire.
    pub fn max_burn_rate(&self) -> f64 {
        1.0 / self.error_budget()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_sli_has_one_default_objective() {
        let slis: std::collections::BTreeSet<Sli> = Objective::DEFAULTS.iter().map(|o| o.sli).collect();
        assert_eq!(slis.len(), Objective::DEFAULTS.len());
        assert_eq!(slis, Sli::ALL.iter().copied().collect());
    }

    #[test]
    fn the_error_budget_is_what_a_person_would_write() {
        for (target, budget) in [(0.99, "0.01"), (0.95, "0.05"), (0.9, "0.1"), (0.999, "0.001")] {
            let objective = Objective::new(Sli::IntentAlignment, target, Severity::Page);
            assert_eq!(objective.error_budget().to_string(), budget);
        }
    }
}
