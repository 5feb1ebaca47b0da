//! Where a call stands: proposed, asked, executed, refused. A function of its records and of what was said about it.

use std::collections::BTreeSet;

use crate::model::{
    By, CallSays, Decision, Execution, Moment, Nanos, Outcome, Piece, Proof, State, Status, TurnId, last_word,
};
use crate::values;

use super::read::says_call;
use super::said::Said;
use super::state::{Book, Handle, TurnState};

impl Book {
    /// Where the call of these components stands.
    pub(super) fn standing(&self, components: impl Iterator<Item = Handle>) -> State {
        let components: Vec<_> = components.filter_map(|handle| self.actions.get(&handle)).collect();
        let pieces: Vec<&Piece> = components.iter().flat_map(|component| component.pieces.values()).collect();
        let keys = components.iter().flat_map(|component| &component.keys);
        let turns: BTreeSet<TurnId> = pieces.iter().map(|piece| piece.turn).collect();
        let tenant = components.first().map(|component| &component.tenant);
        let said = tenant.map(|tenant| self.said_about(tenant, &pieces, keys)).unwrap_or_default();
        state_of(&pieces, self.needs_span(&turns, &pieces), &said)
    }

    /// Whether an answer without a tool span was made by something that kept the tool from running: where tool calls
    /// have spans. Not when a retrieval ran between proposal and answer: a retriever is a tool whose span is of
    /// another kind.
    pub(super) fn needs_span(&self, turns: &BTreeSet<TurnId>, pieces: &[&Piece]) -> bool {
        let turns = || turns.iter().filter_map(|turn| self.turns.get(turn));
        let window = between(pieces);
        let retrieved = |turn: &TurnState| {
            let inside = |at: &Nanos| window.as_ref().is_some_and(|window| window.contains(at));
            turn.context.iter().any(|(at, ..)| inside(at))
        };
        turns().any(|turn| turn.tool_spans) && !turns().any(|turn| retrieved(turn))
    }
}

/// Where a call stands, by its records and the decisions about it.
pub(super) fn state_of(pieces: &[&Piece], tool_spans: bool, said: &Said<'_>) -> State {
    let decisions = &said.decisions;
    let calls = || pieces.iter().filter_map(|piece| Some((*piece, says_call(piece)?)));
    let mut ran: Vec<_> = calls()
        .filter_map(|(piece, call)| match &call.moment {
            Moment::Ran { status, proof } => Some((piece.end, piece, status, *proof, call.result.is_present())),
            _ => None,
        })
        .collect();
    ran.sort_by_key(|(end, piece, ..)| (*end, *piece));
    let tool = calls().find_map(|(_, call)| call.tool.as_deref());
    let refused = calls().filter_map(|(_, call)| match told(call) {
        Moment::Refused { by } => Some(by),
        Moment::Answered { .. } => values::turned_away(tool?, &call.result.value()?.head),
        _ => None,
    });
    let refused = refused.min_by_key(|by| (*by == By::Unknown, *by));
    let asked = calls().any(|(_, call)| call.moment == Moment::Asked);
    let answers = || {
        calls().filter_map(|(_, call)| match told(call) {
            Moment::Answered { error, .. } => Some(error),
            _ => None,
        })
    };
    let (answered, error) = (answers().next().is_some(), answers().any(|error| error));
    let proven = ran.iter().any(|(_, _, _, proof, result)| *proof == Proof::Ran || *result);
    // What proves that it ran knows best how it ended: a step around the tool may fail for reasons of its own.
    let surest = || ran.iter().rfind(|(.., proof, _)| *proof == Proof::Ran).or(ran.last());
    let ending = || match surest() {
        Some((_, _, Status::Error(message), ..)) => State::Executed(Execution::Failed(message.clone())),
        _ if error => State::Executed(Execution::Failed("the tool's result says it is an error".into())),
        _ => State::Executed(Execution::Ok),
    };
    if let Some(by) = turned_away(pieces) {
        return State::Refused(by);
    }
    if ran.iter().any(|(_, _, _, proof, _)| *proof == Proof::Ran) {
        return ending();
    }
    if let Some(by) = refused {
        return State::Refused(refuser(by, asked, || speaks_of_policy(pieces)));
    }
    if proven {
        return ending();
    }
    let last = last_word(decisions);
    match last.map(|decision| (decision.outcome, decision.by)) {
        Some((Outcome::Deny, by)) => return State::Refused(refuser(by, asked, || false)),
        Some((Outcome::Abort, _)) => return State::Aborted,
        Some((Outcome::Timeout, _)) => return State::Expired,
        _ => {}
    }
    if !ran.is_empty() {
        let failed = matches!(ran.last(), Some((_, _, Status::Error(_), ..)));
        return match (failed, answered, asked) {
            // Such a span is also made for a call that something kept from running; a tool that really raised
            // would have ended the run without an answer.
            (true, true, _) => State::Refused(refuser(By::Unknown, asked, || false)),
            (true, false, _) | (false, true, _) => ending(),
            (false, false, true) => State::Asked,
            (false, false, false) => State::Executed(Execution::UnknownResult),
        };
    }
    if answered {
        // Where tool calls have spans, an answer without one was made by something that kept the tool from running.
        return match tool_spans {
            true => State::Refused(refuser(By::Unknown, asked, || false)),
            false => State::Executed(Execution::UnknownResult),
        };
    }
    if said.stopped {
        return State::Aborted;
    }
    // An answer that names the call somebody was asked about, even where it is a guess whose it was: a person's no
    // convicts nobody.
    let refuses = |it: &Decision| it.outcome == Outcome::Deny && it.enforced && it.call_id.is_some();
    if asked && decisions.iter().any(refuses) {
        return State::Refused(By::Human);
    }
    let asks = |it: &Decision| it.enforced && it.outcome == Outcome::Ask && last.is_none_or(|last| last.at < it.at);
    if asked || decisions.iter().any(asks) { State::Asked } else { State::Proposed }
}

/// By whom a call was turned away inside of what called it: somebody else than the caller refused it, and every span
/// that claims a run lies around that refusal and failed. What ran afterwards or deeper did run.
fn turned_away(pieces: &[&Piece]) -> Option<By> {
    let calls = || pieces.iter().filter_map(|piece| Some((*piece, says_call(piece)?)));
    let spans = || calls().filter(|(piece, _)| piece.span.is_some() && piece.read_at == 0 && piece.start < piece.end);
    let ran = || spans().filter(|(_, call)| matches!(call.moment, Moment::Ran { .. }));
    let refused = spans().filter_map(|(piece, call)| match call.moment {
        Moment::Refused { by } => Some((piece, by)),
        _ => None,
    });
    let around = |inner: &Piece| {
        let lies = |(outer, call): (&Piece, &CallSays)| {
            let failed = matches!(call.moment, Moment::Ran { status: Status::Error(_), .. });
            let others = inner.role.is_independent() || inner.service != outer.service;
            failed && others && outer.span != inner.span && outer.start <= inner.start && inner.end <= outer.end
        };
        ran().next().is_some() && ran().all(lies)
    };
    refused.filter(|(piece, _)| around(piece)).map(|(_, by)| by).min_by_key(|by| (*by == By::Unknown, *by))
}

/// Who refused a call that was refused. Where nobody is named: whoever was asked, which is a person; else the policy
/// that the answer speaks of, where a record itself says that the call was refused.
fn refuser(named: By, asked: bool, by_policy: impl Fn() -> bool) -> By {
    match named {
        By::Unknown if asked => By::Human,
        By::Unknown if by_policy() => By::Policy,
        named => named,
    }
}

fn speaks_of_policy(pieces: &[&Piece]) -> bool {
    pieces.iter().filter_map(|piece| says_call(piece)?.result.value()?.whole()).any(values::speaks_of_policy)
}

/// What a record tells of a call. An answer in the history may be a framework's own sentence in the place of a result:
/// it makes no action, and completes one as the answer did when it was new.
pub(super) fn told(call: &CallSays) -> Moment {
    let old = matches!(call.moment, Moment::Answered { history: true, .. });
    let sentence = || values::spoken(call.result.value()?.whole()?);
    old.then(sentence).flatten().unwrap_or_else(|| call.moment.clone())
}

/// From the end of the last proposal of a call to the start of its first answer.
fn between(pieces: &[&Piece]) -> Option<std::ops::RangeInclusive<Nanos>> {
    let calls = || pieces.iter().filter_map(|piece| Some((*piece, says_call(piece)?)));
    let proposed = calls().filter(|(_, call)| call.moment == Moment::Proposed).map(|(piece, _)| piece.end).max()?;
    let answered = |call: &CallSays| matches!(call.moment, Moment::Answered { history: false, .. });
    let answered = calls().filter(|(_, call)| answered(call)).map(|(piece, _)| piece.start).min()?;
    Some(proposed..=answered)
}
