//! What an action keeps of what its records say: each thing once, and of too many those that matter.

use crate::model::{Action, CheckResult, Known, Moment, Nanos, Outcome, Piece, Proof, Says};

use super::standing::told;
use super::state::ActionState;

impl ActionState {
    /// Keeps a piece if it is new or says the same from a shorter array. True when it stays.
    pub(super) fn keep(&mut self, piece: Piece) -> bool {
        let id = identity(&piece);
        let rank = |piece: &Piece| (piece.read_at, piece.end, piece.evidence, piece.part);
        if self.pieces.get(&id).is_some_and(|known| rank(known) <= rank(&piece)) {
            return false;
        }
        let share = Share::of(&piece);
        self.pieces.insert(id, piece);
        let last = self.last_of_too_many(share);
        if let Some(last) = last {
            self.crowded = true;
            self.pieces.remove(&last);
        }
        last != Some(id)
    }

    /// Which piece goes, if there are more of a share than are kept.
    fn last_of_too_many(&self, share: Share) -> Option<u128> {
        if self.pieces.len() <= Share::SIZE {
            return None;
        }
        let of_share = || self.pieces.iter().filter(|(_, piece)| Share::of(piece) == share);
        let last = of_share().max_by_key(|(_, piece)| precedence(piece)).map(|(id, _)| *id);
        last.filter(|_| of_share().count() > Share::SIZE)
    }
}

/// What a piece is. Of each an action keeps as many, so that none pushes another out: no number of proposals makes a
/// run unseen, and no number of allowing words a denial.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Share {
    /// A tool span ended.
    Run,
    /// Any other moment of the call.
    Moment,
    /// A decision about it.
    Decision,
    /// A check of it.
    Check,
}

impl Share {
    const SIZE: usize = Action::PIECES / 4;

    fn of(piece: &Piece) -> Self {
        match &piece.says {
            Says::Call(call) if matches!(call.moment, Moment::Ran { .. }) => Self::Run,
            Says::Call(_) => Self::Moment,
            Says::Decision(_) => Self::Decision,
            Says::Check(_) => Self::Check,
        }
    }
}

/// Which pieces of a share stay when there are too many: those that come first in this order. What proves or convicts
/// comes before the rest; then the earliest, but of decisions the latest, because the last word counts.
fn precedence(piece: &Piece) -> (u8, Nanos, &Piece) {
    let later_first = |at: Nanos| Nanos(u64::MAX - at.0);
    let (class, time) = match &piece.says {
        Says::Call(call) => {
            let class = match call.moment {
                Moment::Ran { proof: Proof::Ran, .. } | Moment::Refused { .. } => 0,
                Moment::Ran { .. } | Moment::Answered { .. } | Moment::Asked => 1,
                Moment::Proposed => 2,
                Moment::Carried | Moment::History => 3,
            };
            (class, piece.end)
        }
        Says::Decision(decision) => {
            let class = match decision.outcome {
                _ if !decision.enforced => 3,
                Outcome::Deny | Outcome::Abort | Outcome::Timeout => 0,
                Outcome::Allow | Outcome::Modify => 1,
                Outcome::Ask | Outcome::Warn => 2,
            };
            (class, later_first(decision.at))
        }
        Says::Check(check) => (u8::from(check.result != CheckResult::Fail), piece.end),
    };
    (class, time, piece)
}

/// What makes two pieces the same: for a span, a decision or a check the record; for what stands in messages, which
/// every later model call repeats, what is said.
fn identity(piece: &Piece) -> u128 {
    let mut hasher = blake3::Hasher::new();
    let mut field = |bytes: &[u8]| {
        hasher.update(&(bytes.len() as u64).to_le_bytes());
        hasher.update(bytes);
    };
    match &piece.says {
        Says::Call(call) if !matches!(call.moment, Moment::Ran { .. }) => {
            let moment: &[u8] = match told(call) {
                Moment::Proposed => b"proposed",
                Moment::Carried | Moment::History => b"carried",
                Moment::Asked => b"asked",
                Moment::Answered { error: true, .. } => b"error",
                Moment::Answered { error: false, .. } => b"answer",
                Moment::Refused { by } => by.as_str().as_bytes(),
                Moment::Ran { .. } => b"ran",
            };
            field(moment);
            field(call.tool.as_deref().unwrap_or_default().as_bytes());
            for text in [&call.arguments, &call.result] {
                match text {
                    Known::Value(text) => field(&text.digest.bytes.0),
                    Known::Missing(why) => field(why.as_str().as_bytes()),
                }
            }
            field(&piece.turn.0);
        }
        _ => {
            field(&piece.evidence.0);
            field(&piece.part.to_le_bytes());
        }
    }
    let hash = hasher.finalize();
    let mut id = [0; 16];
    id.copy_from_slice(&hash.as_bytes()[..16]);
    u128::from_le_bytes(id)
}
