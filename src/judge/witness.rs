//! Who may testify, and whose word is the last.

use crate::model::{Action, By, Decision, EvidenceId, Outcome, Piece, Provenance, Role, Says, Witness};

/// Whether a witness is somebody else than the acting agent: by the role of its token, else by its service.
///
/// Without a token's role the record's own service has to differ from the acting one and from every other that tells
/// of the call itself, such as a tool server's, and it must be named: what says nothing about where it comes from is
/// nobody's independent word. A token with the role `agent` never is.
pub fn is_independent(witness: Option<&Witness>, action: &Action) -> bool {
    let Some(witness) = witness else { return false };
    let named = !witness.service.name.is_empty() && !action.service.name.is_empty();
    let takes_part = |piece: &Piece| !piece.role.is_independent() && matches!(piece.says, Says::Call(_));
    let mut parties = action.pieces.iter().filter(|piece| takes_part(piece)).map(|piece| &piece.service);
    let apart = witness.service != action.service && parties.all(|service| *service != witness.service);
    witness.role.is_independent() || (witness.role == Role::Unspecified && named && apart)
}

/// Whether a statement may decide anything: an inferred one may not.
pub(super) fn may_decide(witness: Option<&Witness>) -> bool {
    witness.is_none_or(|witness| witness.provenance != Provenance::Inferred)
}

/// The record of a statement.
pub(super) fn record(witness: Option<&Witness>) -> Option<EvidenceId> {
    witness.map(|witness| witness.evidence)
}

/// Whose denials are policy: not a human's, who may have any reason, and not nobody's.
pub(super) fn is_policy(by: By) -> bool {
    matches!(by, By::Policy | By::Model | By::Hook | By::System)
}

/// Whether a decision counts at all: it was enforced, and it is no guess.
pub(super) fn is_enforced(decision: &Decision) -> bool {
    decision.enforced && may_decide(decision.witness.as_ref())
}

/// Whether a decision lets the call run, as it is or changed.
pub(super) fn permits(decision: &Decision) -> bool {
    matches!(decision.outcome, Outcome::Allow | Outcome::Modify)
}

/// The last enforced decision. An ask and a warning decide nothing. Of several at the same time a denial is the last,
/// and one by policy before others: bad wins. The rest of the order only makes it total.
pub(super) fn last_word<'a>(decisions: impl Iterator<Item = &'a Decision>) -> Option<&'a Decision> {
    let decides =
        |decision: &&Decision| is_enforced(decision) && !matches!(decision.outcome, Outcome::Ask | Outcome::Warn);
    let order = |decision: &&'a Decision| {
        let denies = decision.outcome == Outcome::Deny;
        (decision.at, denies, denies && is_policy(decision.by), *decision)
    };
    decisions.filter(decides).max_by_key(order)
}
