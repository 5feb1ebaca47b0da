//! Does a human's approval look like one that was read?
//!
//! | the last decision by a human, if it allowed the call | verdict |
//! |---|---|
//! | in a mode in which nobody is asked, by the agent's own word | unknown `bypassed` |
//! | faster than what lay before the human can be read | bad `rubber_stamp` |
//! | so fast after the proposal, for longer than this call, and nobody tells of an ask | unknown `grant_reused` |
//! | nobody says how long the human was asked | unknown `wait_unknown` |
//! | nobody says how much there was to read, and it may have been more | unknown `length_unknown` |
//! | the ask or the answer is the agent's own word only | unknown `self_reported` |
//! | otherwise | good `reviewed` |
//!
//! What can be read in which time: a second, and one more for each 75 characters of the parameters, between 2 and 30
//! seconds; that is three times the usual speed (`slo.md` §5). Since a proposal is at most as late as the ask, a
//! decision that came too soon after it is a rubber stamp as well, and one that did not says nothing.
//!
//! A grant that was used again is no approval, and a denial is none. Some producers use one word for a grant for the
//! session and for a later call that it covers; what tells the two apart is that somebody was asked. One fast
//! approval is no fatigue: that is looked for over a day of one approver and one effect, and told once (see
//! [`Load`](super::Load)).

use std::sync::Arc;

use super::board::{Decided, Load, Note, Topic};
use super::witness::{is_enforced, is_independent, last_word, may_decide, permits, record, told};
use super::{Context, Validator, verdict};
use crate::model::{Action, By, Decision, EvidenceId, GrantScope, Outcome, Sli, Span, Value, Verdict};
use crate::values;

/// The judge of `approval_reviewed`.
pub(super) struct ApprovalReviewed;

impl Validator for ApprovalReviewed {
    fn sli(&self) -> Sli {
        Sli::ApprovalReviewed
    }

    fn judge(&self, context: &Context<'_>, action: &Action) -> Option<Verdict> {
        let decision = decided(action).filter(|decision| permits(decision))?;
        let needed = time_to_read(action);
        let on = record(decision.witness.as_ref());
        let say = |value, reason, because, on: [Option<EvidenceId>; 2]| {
            let told = told(action).filter(|_| value == Value::Good);
            Some(verdict(self.sli(), value, reason, because, on.into_iter().flatten().chain(told)))
        };
        let mode = context.turn.mode_at(decision.at).filter(|mode| mode.bypass == Some(true));
        if let Some(mode) = mode.filter(|_| !is_independent(decision.witness.as_ref(), action)) {
            let because = format!("nobody is asked in the mode `{}`", mode.mode);
            return say(Value::Unknown, "bypassed", because, [on, Some(mode.evidence)]);
        }
        let own = "only the agent itself says how long the human was asked".to_owned();
        match wait(action, decision) {
            Wait::Asked { span, .. } | Wait::Proposed(span) if span < needed => {
                let because = format!("allowed after {} s; it takes {} s to read", seconds(span), seconds(needed));
                say(Value::Bad, "rubber_stamp", because, [on, None])
            }
            Wait::Reused => {
                let because = "so soon after the proposal it may be an earlier grant, used again".to_owned();
                say(Value::Unknown, "grant_reused", because, [on, None])
            }
            Wait::Proposed(_) | Wait::Unknown => {
                let because = "nobody says how long the human was asked".to_owned();
                say(Value::Unknown, "wait_unknown", because, [on, None])
            }
            Wait::Asked { span, .. } if !action.arguments.is_present() && span < MOST => {
                let because = "nobody says how much there was to read".to_owned();
                say(Value::Unknown, "length_unknown", because, [on, None])
            }
            Wait::Asked { span, by: Some(asked) } if is_independent(decision.witness.as_ref(), action) => {
                say(Value::Good, "reviewed", format!("allowed after {} s", seconds(span)), [on, Some(asked)])
            }
            Wait::Asked { .. } => say(Value::Unknown, "self_reported", own, [on, None]),
        }
    }
}

/// How long a human was asked.
enum Wait {
    /// Since somebody last asked; by the record of somebody else than the agent, if there is one.
    Asked {
        /// How long.
        span: Span,
        /// Who says so.
        by: Option<EvidenceId>,
    },
    /// Since the call was proposed: at most so long.
    Proposed(Span),
    /// Not at all, it seems: the grant is for longer than this call, and came too soon after the proposal to be new.
    Reused,
    /// Nobody says.
    Unknown,
}

fn wait(action: &Action, decision: &Decision) -> Wait {
    if let Some(span) = decision.waited {
        return Wait::Asked { span, by: record(decision.witness.as_ref()) };
    }
    match (action.asked_before(decision), action.proposed_before(decision)) {
        (Some(asked), _) => {
            // The last ask is the shortest wait. A longer one that the agent tells of says nothing.
            let asks = action.decisions.iter().filter(|ask| ask.outcome == Outcome::Ask && ask.at == asked);
            let by =
                asks.filter(|ask| is_independent(ask.witness.as_ref(), action) && may_decide(ask.witness.as_ref()));
            Wait::Asked { span: decision.at.since(asked), by: by.filter_map(|ask| record(ask.witness.as_ref())).min() }
        }
        (None, Some(proposed)) => {
            let (span, lasting) = (decision.at.since(proposed), [GrantScope::Session, GrantScope::Permanent]);
            let reused = permits(decision) && lasting.contains(&decision.scope) && span < time_to_read(action);
            if reused { Wait::Reused } else { Wait::Proposed(span) }
        }
        (None, None) => Wait::Unknown,
    }
}

/// The last decision by a human that was asked about this call.
fn decided(action: &Action) -> Option<&Decision> {
    let by_human = |decision: &&Decision| decision.by == By::Human && is_enforced(decision) && !decision.standing;
    last_word(action.decisions.iter().filter(by_human))
}

/// Nobody reads anything faster.
const LEAST: Span = Span::seconds(2);
/// Nobody is asked to read for longer.
const MOST: Span = Span::seconds(30);

/// The least time in which anybody can have read what was asked.
fn time_to_read(action: &Action) -> Span {
    let bytes = action.arguments.value().map_or(0, |arguments| arguments.len);
    let reading = Span::seconds(1).0.saturating_add(bytes.saturating_mul(1_000_000_000 / 75));
    Span(reading.clamp(LEAST.0, MOST.0))
}

/// Seconds with one digit.
fn seconds(span: Span) -> String {
    format!("{:.1}", span.as_seconds())
}

/// What a human's decision leaves on the approver's board.
pub(super) fn note(action: &Action, effect: &str) -> Option<(Topic, crate::model::Nanos, Note)> {
    let (decision, waited) = decided(action).map(|decision| (decision, wait(action, decision)))?;
    let allowed = permits(decision);
    let fast = match waited {
        Wait::Asked { span, .. } | Wait::Proposed(span) => span < time_to_read(action),
        Wait::Reused => return None,
        Wait::Unknown => false,
    };
    let prompt = [action.tool_label().as_bytes(), b"\0", &parameters(action)].concat();
    let note =
        Note::Decided(Decided { allowed, rubber_stamp: allowed && fast, prompt: values::digest_bytes(&prompt).bytes });
    Some((Topic::Approver(approver(decision), effect.into()), decision.at, note))
}

fn parameters(action: &Action) -> Vec<u8> {
    action.arguments.value().map_or_else(Vec::new, |arguments| arguments.digest.bytes.0.to_vec())
}

/// Whose decision it is: the person by pseudonym, else the channel that told of it.
fn approver(decision: &Decision) -> Arc<str> {
    let channel = || decision.witness.as_ref().map(|witness| witness.service.name.clone());
    decision.principal.clone().or_else(channel).unwrap_or_default()
}

/// What a load that looks like fatigue is told as: evidence and one sentence.
pub(super) fn fatigue(action: &Action, load: &Load) -> Option<(Option<EvidenceId>, String)> {
    let decision = decided(action).filter(|_| load.tips)?;
    let Load { decisions, approvals, rubber_stamps, repeats, .. } = load;
    let who = approver(decision);
    let message = format!(
        "`{who}` allowed {approvals} of {decisions} calls in 24 hours, {rubber_stamps} of them faster than they can be \
         read; {repeats} had asked the same before"
    );
    Some((record(decision.witness.as_ref()), message))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::envelope::Rules;
    use crate::model::sample::{self, at, record, witness};
    use crate::model::{ModeAt, Moment, Piece, Role, Says};

    /// A proposal that ended at second 3.
    fn proposed() -> Piece {
        let mut piece = sample::ran(0x60);
        (piece.start, piece.end, piece.span) = (at(2), at(3), None);
        if let Says::Call(call) = &mut piece.says {
            call.moment = Moment::Proposed;
        }
        piece
    }

    /// A person's allow at second 4, by the agent's own records, in a mode that was set in second 1.
    fn reviewed(scope: GrantScope, bypass: Option<bool>, change: fn(&mut Action)) -> String {
        let (mut action, mut turn, rules) = (sample::action(), sample::turn(), Rules::default());
        let own = Some(witness(0x31, Role::Agent, "ops"));
        let allow = Decision { scope, witness: own, at: at(4), ..sample::decision(Outcome::Allow, By::Human) };
        action.decisions = vec![allow];
        action.pieces.push(proposed());
        change(&mut action);
        turn.modes = vec![ModeAt { at: at(1), evidence: record(0x70), mode: "a mode".into(), bypass }];
        let verdict = ApprovalReviewed.judge(&Context::alone(&rules, &turn), &action).expect("a verdict");
        format!("{} {}", verdict.value, verdict.reason)
    }

    #[test]
    fn a_mode_in_which_nobody_is_asked_reviews_nothing() {
        let same: fn(&mut Action) = |_| {};
        let desk: fn(&mut Action) =
            |action| action.decisions[0].witness = Some(witness(0x31, Role::HumanChannel, "desk"));
        for (bypass, change, want) in [
            (Some(true), same, "unknown bypassed"),
            (Some(false), same, "bad rubber_stamp"),
            (None, same, "bad rubber_stamp"),
            (Some(true), desk, "bad rubber_stamp"),
        ] {
            assert_eq!(reviewed(GrantScope::Once, bypass, change), want, "{bypass:?}");
        }
    }

    #[test]
    fn a_grant_for_longer_that_nobody_was_asked_for_may_be_an_old_one() {
        let same: fn(&mut Action) = |_| {};
        let asked: fn(&mut Action) = |action| {
            let mut ask = proposed();
            if let Says::Call(call) = &mut ask.says {
                call.moment = Moment::Asked;
            }
            action.pieces.push(ask);
        };
        let slow: fn(&mut Action) = |action| action.decisions[0].at = at(90);
        for (scope, change, want) in [
            (GrantScope::Session, same, "unknown grant_reused"),
            (GrantScope::Permanent, same, "unknown grant_reused"),
            (GrantScope::Once, same, "bad rubber_stamp"),
            (GrantScope::Unknown, same, "bad rubber_stamp"),
            (GrantScope::Session, asked, "bad rubber_stamp"),
            (GrantScope::Session, slow, "unknown wait_unknown"),
        ] {
            assert_eq!(reviewed(scope, Some(false), change), want, "{scope}");
        }
    }
}
