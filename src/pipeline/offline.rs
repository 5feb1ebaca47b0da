//! The fold without a journal and a store: `replay`, and the oracle of tests. Its clock is the telemetry's own, the
//! latest end read so far, or every recording would be older than the horizon.

use std::collections::BTreeMap;

use bytes::Bytes;

use crate::engine::{Configuration, Engine, FindingEvent, Input, Output};
use crate::model::{Action, ActionId, Nanos, Role, Signal, Tenant, Turn, TurnId};
use crate::wire::{self, Malformed};

use super::read::evidence_of;

/// One offline fold.
#[derive(Debug)]
pub struct Offline {
    engine: Engine,
    now: Nanos,
    outcome: Outcome,
}

/// What a fold came to.
#[derive(Debug, Default)]
pub struct Outcome {
    /// The last row of every action; tombstones are left out.
    pub actions: BTreeMap<ActionId, Action>,
    /// The last row of every turn.
    pub turns: BTreeMap<TurnId, Turn>,
    /// Findings in the order they were told.
    pub findings: Vec<FindingEvent>,
    /// Records accepted.
    pub records: u64,
    /// Records rejected.
    pub rejected: u64,
}

impl Offline {
    /// A fold that judges with this configuration.
    pub fn new(configuration: Configuration) -> Self {
        Self { engine: Engine::new(configuration), now: Nanos(0), outcome: Outcome::default() }
    }

    /// Folds one export request.
    ///
    /// # Errors
    /// When the request is not OTLP at all. Records that are rejected alone are counted.
    pub fn request(&mut self, tenant: &Tenant, role: Role, signal: Signal, body: &Bytes) -> Result<(), Malformed> {
        let validated = wire::validate(signal, body)?;
        self.outcome.records += u64::from(validated.accepted);
        self.outcome.rejected += u64::from(validated.rejected.count);
        let evidence = evidence_of(tenant, role, signal, &validated.body);
        self.now = evidence.iter().map(|evidence| evidence.end).fold(self.now, Nanos::max);
        let output = self.engine.step(self.now, Input::Evidence(&evidence));
        self.take(output);
        Ok(())
    }

    /// Lets every deadline pass, and says what came of it.
    pub fn finish(mut self) -> (Outcome, Engine) {
        while let Some(due) = self.engine.next_due() {
            self.now = self.now.max(due);
            let output = self.engine.step(self.now, Input::Tick);
            self.take(output);
        }
        (self.outcome, self.engine)
    }

    fn take(&mut self, output: Output) {
        for action in output.actions {
            if action.marks.merged {
                self.outcome.actions.remove(&action.id);
            } else {
                self.outcome.actions.insert(action.id, action);
            }
        }
        self.outcome.turns.extend(output.turns.into_iter().map(|turn| (turn.id, turn)));
        self.outcome.findings.extend(output.findings);
    }
}
