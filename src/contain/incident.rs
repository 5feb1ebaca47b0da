//! One incident and its clock: what was violated, what its agents did since, who told them to stop.
//!
//! ```text
//! violation ──────────── command ─────────► contained
//!     │                     │   a write or violation that begins later opens it again (a leak)
//!     └ opens the clock     └ halt, revoke, isolate, rollback · a run that was aborted · a refused write, when no
//!                             write comes after it
//! ```
//!
//! The clock starts at the start of the first violating call, as sent. A command before the first violation contains
//! nothing. `resume` lets the agent go on: what it writes then is no leak, and only a new violation opens the incident
//! again. Commands of the agent's own service do not count: nobody contains itself by saying so. A command is about an
//! incident when it stands in its lineage, names its conversation, or names its agent and no conversation
//! (`telemetry.md` §13.2, `slo.md` §4.1).
//!
//! An incident is a function of the sets of its violations, of what the agent did since, and of the commands.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::Found;
use crate::model::{
    ActionId, Containment, EvidenceId, FindingId, IncidentId, Nanos, Service, Span, Stop, Tenant, TurnId, words,
};

/// Findings that belong together.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Incident {
    /// Hash of its tenant and turn.
    pub id: IncidentId,
    /// Whose.
    pub tenant: Tenant,
    /// The turn at the root of the lineage it happened in.
    pub turn: TurnId,
    /// The conversation of the first violation, as sent.
    pub conversation: Option<Arc<str>>,
    /// The agent of the first violation. Empty in rows that are older than this field.
    pub agent: Arc<str>,
    /// Its service, whose own commands do not count.
    pub service: Service,
    /// Start of the first violation, as sent.
    pub opened: Nanos,
    /// When it was first found, on the journal's clock. `None` in rows that are older than this field.
    pub detected: Option<Nanos>,
    /// Start of the last violation, as sent; `None` in rows that are older than this field.
    pub latest: Option<Nanos>,
    /// When it was contained, as sent.
    pub contained: Option<Nanos>,
    /// By what.
    pub contained_by: Option<Stop>,
    /// Calls that changed something, or violated again, after a command and before a `resume`.
    pub leaked: u32,
    /// Its findings.
    pub findings: BTreeMap<FindingId, Violation>,
    /// What its agents did since: those that began last.
    pub acts: BTreeMap<ActionId, Act>,
}

/// One violation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Violation {
    /// Start of the call as sent. First, because the first violation opens the incident.
    pub at: Nanos,
    /// What the records name the call: of two at one time the smaller is the first, whichever was told first.
    pub name: ActionId,
    /// The call.
    pub action: ActionId,
    /// The engine's name of it. 0 in rows that are older than this field.
    pub handle: u64,
}

/// What an agent did while its incident was open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Act {
    /// When the call began, as sent.
    pub at: Nanos,
    /// What came of it.
    pub did: Did,
}

words!(
    /// What came of a call that changes something.
    Did {
        /// It ran.
        Wrote = "wrote",
        /// It was refused.
        Refused = "refused",
        /// Its run was aborted.
        Aborted = "aborted",
    }
);

/// A step of containment, and what it is about.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Step {
    /// When, as sent.
    pub at: Nanos,
    /// What was done.
    pub step: Containment,
    /// The record that says so.
    pub evidence: EvidenceId,
    /// Who says so.
    pub service: Service,
    /// Its token says that it is somebody else than an agent.
    pub independent: bool,
    /// The root of the lineage it stands in.
    pub turn: TurnId,
    /// The conversation it names, as sent.
    pub conversation: Option<Arc<str>>,
    /// The agent it names.
    pub agent: Option<Arc<str>>,
}

impl Incident {
    /// From the first violation to containment; `None` while it is open.
    pub fn time_to_containment(&self) -> Option<Span> {
        self.contained.map(|at| at.since(self.opened))
    }

    /// The call that opened it: the first violation.
    pub fn opened_by(&self) -> Option<ActionId> {
        self.opener().map(|first| first.action)
    }

    pub(super) fn opener(&self) -> Option<Violation> {
        self.findings.values().min().copied()
    }

    /// Whether telling this again says nothing new.
    pub(super) fn knows(&self, found: &Found) -> bool {
        let same = self.findings.get(&found.finding) == Some(&found.violation);
        let opens = self.opened_by() == Some(found.violation.action);
        let described =
            self.conversation == found.conversation && self.agent == found.agent && self.service == found.service;
        same && (described || !opens)
    }

    /// Its last violation.
    pub(super) fn since(&self) -> Nanos {
        self.latest.unwrap_or(self.opened)
    }

    /// Of several, the first is the first to be dropped.
    pub(super) fn rank(&self) -> (bool, Nanos, IncidentId) {
        (self.contained.is_none(), self.since(), self.id)
    }

    pub(super) fn is_about(&self, step: &Step) -> bool {
        let by_another = step.independent || step.service != self.service;
        let names = match (&step.conversation, &step.agent) {
            (Some(conversation), _) => Some(conversation) == self.conversation.as_ref(),
            (None, Some(agent)) => *agent == self.agent,
            (None, None) => false,
        };
        by_another && (step.turn == self.turn || names)
    }

    /// Reads the clock anew.
    pub(super) fn read<'a>(&mut self, steps: impl Iterator<Item = &'a Step>) {
        let starts = || self.findings.values().map(|violation| violation.at);
        (self.opened, self.latest) = (starts().min().unwrap_or(self.opened), starts().max().or(self.latest));
        let told = steps.filter(|step| self.is_about(step)).map(|step| match step.step {
            Containment::Resume => (step.at, Event::Resumed),
            Containment::Halt | Containment::Revoke | Containment::Isolate | Containment::Rollback => {
                (step.at, Event::Stopped(Stop::Command))
            }
        });
        let acts = self.acts.values().map(|act| match act.did {
            Did::Wrote => (act.at, Event::Wrote),
            Did::Refused => (act.at, Event::Stopped(Stop::Refusal)),
            Did::Aborted => (act.at, Event::Stopped(Stop::Abort)),
        });
        let mut events: Vec<(Nanos, Event)> =
            starts().map(|at| (at, Event::Violated)).chain(acts).chain(told).collect();
        events.retain(|(at, _)| *at >= self.opened);
        events.sort_unstable();
        let clock = events.into_iter().fold(Clock::default(), |clock, (at, event)| clock.after(at, event));
        self.contained = clock.contained.map(|(at, _)| at);
        self.contained_by = clock.contained.map(|(_, by)| by);
        self.leaked = clock.leaked;
    }
}

/// What moves the clock. At one time the earlier kind is first: what is done at the moment of a command is not a leak.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Event {
    Violated,
    Wrote,
    Stopped(Stop),
    Resumed,
}

/// The clock while it is read.
#[derive(Debug, Clone, Copy, Default)]
struct Clock {
    contained: Option<(Nanos, Stop)>,
    resumed: bool,
    leaked: u32,
}

impl Clock {
    fn after(self, at: Nanos, event: Event) -> Self {
        let contained = self.contained;
        let commanded = matches!(contained, Some((_, Stop::Command | Stop::Abort)));
        match event {
            Event::Wrote if self.resumed => self,
            Event::Violated | Event::Wrote => {
                let leak = commanded && !self.resumed;
                Self { contained: None, resumed: false, leaked: self.leaked + u32::from(leak) }
            }
            // A refusal is a stop only as long as nothing else is.
            Event::Stopped(Stop::Refusal) => Self { contained: contained.or(Some((at, Stop::Refusal))), ..self },
            Event::Stopped(by) if commanded => Self { resumed: false, contained: contained.or(Some((at, by))), ..self },
            Event::Stopped(by) => {
                // The refusal had stopped it already; the command makes sure of it.
                let since = contained.map_or(at, |(refused, _)| refused);
                Self { contained: Some((since, by)), resumed: false, ..self }
            }
            Event::Resumed => Self { resumed: contained.is_some(), ..self },
        }
    }
}
