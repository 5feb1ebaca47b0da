//! Turns, findings and incidents.

use std::sync::Arc;

use crate::engine::FindingEvent;
use crate::model::{Containment, Delegation, Edge, Known, ModelUse, Nanos, Turn, Witness};
use crate::proto::records as v1;

use super::{Malformed, Wire, record, required, tuple};

record! { Turn = Turn {
    id, revision, tenant, trace, conversation, service, agent, intent, intent_id, prompt, prompt_version, policies,
    context, plan, plan_decisions, models, delegations, edges, containment, root_ended, closed, sampled, withheld,
    start, end,
} }
record! { Delegation = Handover { from, to } }
record! { Edge = Edge { with, method, confidence } }
record! { ModelUse = ModelUse { end, provider, model, tokens, response_id, cost } }
record! { FindingEvent = FindingEvent { finding, tenant, action, agent, turn } }
tuple! { (u64, u64) = Tokens { 0: read, 1: written } }
tuple! { (Nanos, Known<Vec<Arc<str>>>) = Retrieved { 0: end, 1: ids } }
tuple! { (Nanos, Containment, Witness) = ContainmentStep { 0: at, 1: step, 2: witness } }
