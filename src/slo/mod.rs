//! Objectives: which share of an SLI's actions must be good, over which window, and who hears when they are not.
//! They are data; the rules for Prometheus that follow from them are made elsewhere.
//!
//! ```text
//! Objective   mod.rs          name, target, window, budgeting, severity, and the defaults
//!   Indicator indicator.rs    an SLI and a filter, or queries of a Prometheus
//!   Window    window.rs       rolling or of a calendar
//!   Alerting  alerting.rs     what somebody wrote about alerts
//! ```
//!
//! Beside them, the mathematics: [`evidence`] that something is worse than it may be, the [`burn`] alarm of an
//! objective, denied-action [`spike`]s over a learnt [`baseline`], the [`latch`] of both, and [`budget`]s. Each is
//! state in, (time, badness) in, state out.

mod alerting;
pub mod baseline;
pub mod budget;
pub mod burn;
pub mod evidence;
mod indicator;
pub mod latch;
#[cfg(test)]
mod random;
pub mod spike;
mod window;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use crate::model::{Severity, Sli, Span};

pub use alerting::{AlertPolicy, Alerting, Condition, Extra};
pub use indicator::{Filter, Indicator, Op, Queries};
pub use window::{Calendar, Piece, Window};

/// One service level objective. Good and bad actions count, unknown ones do not: they decide whether the objective
/// is measurable at all.
#[derive(Debug, Clone, PartialEq)]
pub struct Objective {
    /// The label `slo` of its series, unique among all. A default has its SLI's word; what people write is RFC 1123 in
    /// OpenSLO, and `service-name` in Sloth's format.
    pub name: Cow<'static, str>,
    /// What it belongs to.
    pub service: Cow<'static, str>,
    /// What people read; may be empty.
    pub description: Cow<'static, str>,
    /// Labels for people to find it by.
    pub labels: BTreeMap<Arc<str>, Vec<Arc<str>>>,
    /// What is measured.
    pub indicator: Indicator,
    /// Share of good among good and bad, in [0, 1). At 0 nothing can burn.
    pub target: f64,
    /// The window of the error budget.
    pub window: Window,
    /// What a share of the budget is.
    pub budgeting: Budgeting,
    /// The loudest alert that a burning budget may raise: a page also has its ticket, a ticket has no page.
    pub severity: Severity,
    /// Share of good and bad among all, below which the objective is not measurable, does not page and is not green.
    pub min_coverage: f64,
    /// What an alarm takes for one independent piece of evidence.
    pub evidence: EvidenceUnit,
    /// What somebody wrote about its alerts.
    pub alerting: Alerting,
}

/// What is good of a window (OpenSLO `budgetingMethod`). A slice begins at a multiple of its length since 1970.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Budgeting {
    /// Good actions among good and bad ones.
    Occurrences,
    /// Good slices among all: those whose own share of good is at least `target`.
    Timeslices {
        /// Share of good in a good slice, in (0, 1].
        target: f64,
        /// Length of a slice.
        slice: Span,
        /// What a slice is in which nothing was good or bad.
        empty: EmptySlice,
    },
    /// The mean of the shares of good of all slices that have one.
    RatioTimeslices {
        /// Length of a slice.
        slice: Span,
    },
}

/// What a slice without good and bad actions is. OpenSLO does not say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum EmptySlice {
    /// Good: who does nothing does nothing wrong.
    Good,
    /// Bad: who should act and does not has failed.
    Bad,
    /// Neither.
    #[default]
    Skip,
}

/// What an alarm takes for one piece of evidence (`slo.md` §2.3): the badness of one must not depend on the others'.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum EvidenceUnit {
    /// A run; its badness is the share of bad among its judged actions.
    #[default]
    Run,
    /// A run that is bad when any of its actions is.
    RunAny,
    /// An action, where actions of one run have nothing to do with each other.
    Action,
}

/// Four weeks: the same number of every weekday is always inside, so a weekend never moves the budget.
const WINDOW: Span = Span::days(28);

/// Below one half, what is not known outweighs what is.
const MIN_COVERAGE: f64 = 0.5;

/// The service of objectives that nobody wrote.
const SERVICE: &str = "agents";

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

    /// The objective of an SLI over all actions, with the default window and coverage.
    pub const fn new(sli: Sli, target: f64, severity: Severity) -> Self {
        Self {
            name: Cow::Borrowed(sli.as_str()),
            service: Cow::Borrowed(SERVICE),
            description: Cow::Borrowed(""),
            labels: BTreeMap::new(),
            indicator: Indicator::Wherefore { sli, filter: Filter::ALL },
            target,
            window: Window::Rolling(WINDOW),
            budgeting: Budgeting::Occurrences,
            severity,
            min_coverage: MIN_COVERAGE,
            evidence: EvidenceUnit::Run,
            alerting: Alerting::DEFAULT,
        }
    }

    /// The SLI that is judged in process, and the actions that count.
    pub fn sli(&self) -> Option<(Sli, &Filter)> {
        match &self.indicator {
            Indicator::Wherefore { sli, filter } => Some((*sli, filter)),
            Indicator::Prometheus(_) => None,
        }
    }

    /// The SLI, when every action counts.
    pub fn sli_of_all(&self) -> Option<Sli> {
        self.sli().filter(|(_, filter)| filter.is_all()).map(|(sli, _)| sli)
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
        let slis: std::collections::BTreeSet<Sli> =
            Objective::DEFAULTS.iter().filter_map(Objective::sli_of_all).collect();
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
