//! Turns, findings and incidents.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::engine::FindingEvent;
use crate::model::{
    Containment, Delegation, Edge, Effect, Effects, Known, ModeAt, ModelUse, Nanos, Stand, StandAt, Turn, Witness,
};
use crate::proto::records as v1;

use super::{Malformed, Wire, record, required, tuple};

record! { Turn = Turn {
    id, revision, tenant, trace, conversation, service, agent, intent, intent_id, prompt, prompt_version, policies,
    modes, context, plan, plan_decisions, models, delegations, edges, containment, root_ended, closed, sampled, withheld,
    start, end, root, task, stands, plans,
} }
record! { Stand = Stand { kind, effects, only, quote } }
record! { StandAt = StandAt { at, place, stand, evidence, from } }
record! { Delegation = Handover { from, to } }
record! { ModeAt = ModeAt { at, evidence, mode, bypass } }
record! { Edge = Edge { with, method, confidence } }
record! { ModelUse = ModelUse { end, provider, model, tokens, response_id, cost } }
record! { FindingEvent = FindingEvent { finding, tenant, action, agent, turn } }
tuple! { (u64, u64) = Tokens { 0: read, 1: written } }
tuple! { (Nanos, Known<Vec<Arc<str>>>) = Retrieved { 0: end, 1: ids } }
tuple! { (Nanos, Containment, Witness) = ContainmentStep { 0: at, 1: step, 2: witness } }

/// No effect at all stands for every one.
impl Wire<Vec<i32>> for Effects {
    fn put(&self) -> Vec<i32> {
        match self {
            Self::All => Vec::new(),
            Self::Some(effects) => effects.put(),
        }
    }

    fn take(stored: Vec<i32>) -> Result<Self, Malformed> {
        let effects: BTreeSet<Effect> = Wire::take(stored)?;
        Ok(if effects.is_empty() { Self::All } else { Self::Some(effects) })
    }
}
