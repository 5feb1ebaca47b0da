//! Who may testify (DESIGN §6).

use crate::model::{Action, EvidenceId, Provenance, Role, Witness};

/// Whether a witness is somebody else than the acting agent: by the role of its token, else by its service.
///
/// Without a token's role the record's own service has to differ from the acting one, and both must be named: what
/// says nothing about where it comes from is nobody's independent word. A token with the role `agent` never is.
pub fn is_independent(witness: Option<&Witness>, action: &Action) -> bool {
    let Some(witness) = witness else { return false };
    let named = !witness.service.name.is_empty() && !action.service.name.is_empty();
    witness.role.is_independent()
        || (witness.role == Role::Unspecified && named && witness.service != action.service)
}

/// Whether a statement may decide anything: an inferred one may not.
pub(super) fn may_decide(witness: Option<&Witness>) -> bool {
    witness.is_none_or(|witness| witness.provenance != Provenance::Inferred)
}

/// The record of a statement.
pub(super) fn record(witness: Option<&Witness>) -> Option<EvidenceId> {
    witness.map(|witness| witness.evidence)
}
