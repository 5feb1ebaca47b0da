//! Who hears of a burning budget, and when.

use std::sync::Arc;

use super::Op;
use crate::model::{Severity, Span};

/// What is said about alerts beside their severity.
#[derive(Debug, Clone, PartialEq)]
pub struct Alerting {
    /// The name of the alerts, where somebody gave one.
    pub name: Option<Arc<str>>,
    /// A slow burn makes a ticket.
    pub tickets: bool,
    /// Labels and annotations that alerts carry besides their own.
    pub extras: Vec<Extra>,
    /// Conditions that take the place of the usual ones. Empty: the usual ones.
    pub policies: Vec<AlertPolicy>,
}

impl Alerting {
    /// Nothing is said.
    pub const DEFAULT: Self = Self { name: None, tickets: true, extras: Vec::new(), policies: Vec::new() };
}

/// A label or an annotation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Extra {
    /// Of which alerts; `None`: of all.
    pub severity: Option<Severity>,
    /// It is an annotation, not a label.
    pub is_annotation: bool,
    /// Its name.
    pub name: Arc<str>,
    /// Its value.
    pub value: Arc<str>,
}

/// An alert that somebody wrote.
#[derive(Debug, Clone, PartialEq)]
pub struct AlertPolicy {
    /// Its name.
    pub name: Arc<str>,
    /// When it fires.
    pub condition: Condition,
    /// It fires while the condition holds.
    pub when_breaching: bool,
    /// Somebody is told when it is over.
    pub when_resolved: bool,
    /// It fires when there is nothing to measure.
    pub when_no_data: bool,
    /// Who is told: values of the label `notify`, which the routes of an Alertmanager ask for.
    pub notify: Vec<Arc<str>>,
}

/// A burn rate that is too high for too long.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Condition {
    /// How loud.
    pub severity: Severity,
    /// `gt` or `gte`.
    pub op: Op,
    /// The burn rate; 1 spends the budget in exactly its window.
    pub threshold: f64,
    /// Over which time the rate is taken.
    pub lookback: Span,
    /// How long it has to hold.
    pub after: Span,
}
