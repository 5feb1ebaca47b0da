//! A frame's body to evidence: stateless, from the journaled bytes alone, so it may run anywhere before the fold.

use bytes::Bytes;

use crate::dialect;
use crate::model::{Evidence, Role, Signal, Tenant};
use crate::wire;

/// What every record of a body says.
pub fn evidence_of(tenant: &Tenant, role: Role, signal: Signal, body: &Bytes) -> Vec<Evidence> {
    wire::records(signal, body).map(|received| dialect::evidence(tenant, role, &received, body)).collect()
}
