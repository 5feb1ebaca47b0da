//! Who may testify, and whose word is the last.

use crate::model::{self, Action, Decision, EvidenceId, Outcome, Piece, Provenance, Role, Says, Witness};

/// Whether a witness is somebody else than the acting agent: by the role of its token, else by its service.
///
/// Without a token's role the record's own service has to differ from the acting one and from every other that tells
/// of the call itself, such as a tool server's, and it must be named: what says nothing about where it comes from is
/// nobody's independent word. Of a call that no record tells of, nobody knows who acts. A token with the role `agent`
/// never is.
pub fn is_independent(witness: Option<&Witness>, action: &Action) -> bool {
    let Some(witness) = witness else { return false };
    let named = !witness.service.name.is_empty() && !action.service.name.is_empty();
    let told = action.pieces.iter().any(is_call);
    let takes_part = |piece: &&Piece| !piece.role.is_independent() && is_call(piece);
    let mut parties = action.pieces.iter().filter(takes_part).map(|piece| &piece.service);
    let apart = witness.service != action.service && parties.all(|service| *service != witness.service);
    witness.role.is_independent() || (witness.role == Role::Unspecified && told && named && apart)
}

fn is_call(piece: &Piece) -> bool {
    matches!(piece.says, Says::Call(_))
}

/// Whether a statement may decide anything: an inferred one may not.
pub(super) fn may_decide(witness: Option<&Witness>) -> bool {
    witness.is_none_or(|witness| witness.provenance != Provenance::Inferred)
}

/// The record of a statement.
pub(super) fn record(witness: Option<&Witness>) -> Option<EvidenceId> {
    witness.map(|witness| witness.evidence)
}

/// Whether a decision counts at all: it was enforced, and it is no guess.
pub(super) fn is_enforced(decision: &Decision) -> bool {
    decision.enforced && may_decide(decision.witness.as_ref())
}

/// Whether a decision would count if it were known and not guessed.
pub(super) fn is_guessed(decision: &Decision) -> bool {
    decision.enforced && !may_decide(decision.witness.as_ref())
}

/// The records that tell of the call itself: what every verdict that says how it was rests on, besides what others say.
/// Where only others speak of a call, theirs.
pub(super) fn told(action: &Action) -> impl Iterator<Item = EvidenceId> {
    let none = !action.pieces.iter().any(is_call);
    action.pieces.iter().filter(move |piece| none || is_call(piece)).map(|piece| piece.evidence)
}

/// Whether a decision lets the call run, as it is or changed.
pub(super) fn permits(decision: &Decision) -> bool {
    matches!(decision.outcome, Outcome::Allow | Outcome::Modify)
}

/// The decision that stands, guesses left out: here they decide nothing.
pub(super) fn last_word<'a>(decisions: impl Iterator<Item = &'a Decision>) -> Option<&'a Decision> {
    model::last_word(decisions.filter(|decision| may_decide(decision.witness.as_ref())))
}
