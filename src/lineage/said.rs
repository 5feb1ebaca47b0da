//! What was said about a call by others than its own records: by the tree of spans, by what proposed it, by its tool's
//! name and its time, by what stopped its run. How it reached the call decides how much it counts.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::model::{
    CallSays, Check, Decision, Did, Digest, Key, Moment, Nanos, Node, Outcome, Piece, Proof, Provenance, Says, Status,
    Tenant, TurnId,
};

use super::fold::{turn_of_response, turn_of_trace};
use super::read::says_call;
use super::state::{About, Attached, Book, Handle, TurnState};

impl Book {
    /// What was said about a call: by its own records, about its spans and by spans below them, about what proposed
    /// it, and about its tool at its time.
    pub(super) fn said_about<'a>(
        &'a self,
        tenant: &Tenant,
        pieces: &[&'a Piece],
        keys: impl Iterator<Item = &'a Key> + Clone,
    ) -> Said<'a> {
        let mut said = Said::default();
        for piece in pieces {
            match &piece.says {
                Says::Decision(decision) => drop(said.decisions.insert((**decision).clone())),
                Says::Check(check) => drop(said.checks.insert(&**check)),
                Says::Call(_) => {}
            }
        }
        let ran = has_run_fine(pieces);
        let of_tool = self.said_of_tool(tenant, pieces, keys.clone());
        said.decisions.extend(of_tool.into_iter().map(|decision| reached(decision, ran)));
        let mut attached = |turn: TurnId, about: About, below: bool| {
            for it in self.turns.get(&turn).and_then(|turn| turn.attached.get(&about)).into_iter().flatten() {
                match it {
                    Attached::Decision(decision) if is_of_another(decision, pieces) => {}
                    Attached::Decision(decision) if below => drop(said.decisions.insert(reached(decision, ran))),
                    Attached::Decision(decision) => drop(said.decisions.insert((**decision).clone())),
                    Attached::Check(check) => drop(said.checks.insert(&**check)),
                    Attached::Target(target) => drop(said.targets.insert(target)),
                    Attached::Did(did) => drop(said.did.insert(*did)),
                }
            }
        };
        for key in keys {
            if let Key::Span(trace, span) = key {
                let turn = turn_of_trace(tenant, *trace);
                attached(turn, About::Span(*span), false);
                let speakers = self.turns.get(&turn).into_iter().flat_map(|turn| turn.speakers_below(*span));
                speakers.for_each(|speaker| attached(turn, About::Span(speaker), true));
            }
        }
        for (piece, call) in pieces.iter().filter_map(|piece| Some((piece, says_call(piece)?))) {
            let proposed = call.moment == Moment::Proposed;
            if let (true, Some((trace, span))) = (proposed, piece.span) {
                attached(turn_of_trace(tenant, trace), About::Span(span), false);
            }
            if let (true, Some(response)) = (proposed, &call.response_id) {
                attached(turn_of_response(tenant, response), About::Response(response.clone()), false);
            }
        }
        let of_run = self.said_of_run(tenant, pieces);
        said.stopped = of_run.iter().any(|decision| decision.outcome != Outcome::Ask);
        said.decisions.extend(of_run.into_iter().map(|decision| guessed(decision.clone())));
        said
    }

    /// Decisions that stopped the run of the agent which proposed a call, before anything came of it: a guardrail that
    /// tripped, a run that waits for somebody.
    fn said_of_run<'a>(&'a self, tenant: &Tenant, pieces: &[&'a Piece]) -> BTreeSet<&'a Decision> {
        let mut found = BTreeSet::new();
        let calls = || pieces.iter().filter_map(|piece| Some((*piece, says_call(piece)?)));
        let only_proposed = calls().all(|(_, call)| matches!(call.moment, Moment::Proposed | Moment::History));
        for (piece, call) in calls().filter(|_| only_proposed) {
            let (Moment::Proposed, Some((trace, span))) = (&call.moment, piece.span) else { continue };
            let Some(turn) = self.turns.get(&turn_of_trace(tenant, trace)) else { continue };
            let agents = turn.path_up(span).filter(|(_, node)| node.node == Node::Agent).map(|(span, _)| span);
            for said in agents.filter_map(|agent| turn.attached.get(&About::Span(agent))).flatten() {
                let Attached::Decision(decision) = said else { continue };
                let stops = !matches!(decision.outcome, Outcome::Allow | Outcome::Modify | Outcome::Warn);
                let about = decision.call_id.is_none() && !is_of_another(decision, pieces);
                if stops && about && decision.at >= piece.end {
                    found.insert(&**decision);
                }
            }
        }
        found
    }

    /// Decisions that name a call's tool and no call, made between its first record and its last. Where another call
    /// of the tool fits too, nobody knows which is meant.
    fn said_of_tool<'a>(
        &'a self,
        tenant: &Tenant,
        pieces: &[&'a Piece],
        keys: impl Iterator<Item = &'a Key>,
    ) -> Vec<&'a Decision> {
        let turns: BTreeSet<TurnId> = pieces.iter().map(|piece| piece.turn).collect();
        let spoken_of = |turn: &Arc<TurnState>| turn.speaks_of_tools();
        let turns: Vec<_> =
            turns.iter().filter_map(|turn| self.turns.get(turn)).filter(|turn| spoken_of(turn)).collect();
        let Some(own) = Window::of(pieces.iter().copied()).filter(|_| !turns.is_empty()) else { return Vec::new() };
        let parts: BTreeSet<Handle> =
            keys.filter_map(|key| self.by_key.get(&(tenant.clone(), key.clone())).copied()).collect();
        let mut found = Vec::new();
        for turn in turns {
            let from = About::Tool(own.tool.clone(), None);
            let of_tool = turn.attached.range(from..);
            let of_tool = of_tool.take_while(|(about, _)| matches!(about, About::Tool(tool, _) if *tool == own.tool));
            let elsewhere = |about: &About| matches!(about, About::Tool(_, Some(span)) if turn.is_below_a_tool(*span));
            let said = of_tool.filter(|(about, _)| !elsewhere(about)).flat_map(|(_, said)| said);
            let said = said.filter_map(|it| match it {
                Attached::Decision(decision) => Some(&**decision),
                Attached::Check(_) | Attached::Target(_) | Attached::Did(_) => None,
            });
            let said: Vec<&Decision> = said.filter(|decision| own.fits(decision)).collect();
            if said.is_empty() {
                continue;
            }
            let others = turn.members.iter().filter(|member| !parts.contains(member));
            let others: Vec<Window> = others
                .filter_map(|member| Window::of(self.actions.get(member)?.pieces.values()))
                .filter(|other| other.tool == own.tool)
                .collect();
            found.extend(said.into_iter().filter(|decision| !others.iter().any(|other| other.fits(decision))));
        }
        found
    }
}

/// What was said about a call.
#[derive(Default)]
pub(super) struct Said<'a> {
    pub(super) decisions: BTreeSet<Decision>,
    pub(super) checks: BTreeSet<&'a Check>,
    pub(super) targets: BTreeSet<&'a Arc<str>>,
    /// What was done below its spans.
    pub(super) did: BTreeSet<Did>,
    /// The run of the agent that proposed it was stopped before anything came of it.
    pub(super) stopped: bool,
}

/// When a call was on its way, from its first record to its last, with its tool and parameters.
struct Window {
    tool: Arc<str>,
    parameters: Option<Digest>,
    from: Nanos,
    to: Nanos,
}

impl Window {
    /// Of the records that tell of the call now, not as history.
    fn of<'a>(pieces: impl Iterator<Item = &'a Piece>) -> Option<Self> {
        let now = |call: &CallSays| !matches!(call.moment, Moment::History | Moment::Answered { history: true, .. });
        let told = pieces.filter_map(|piece| Some((piece, says_call(piece).filter(|call| now(call))?)));
        let told: Vec<(&Piece, &CallSays)> = told.collect();
        Some(Self {
            tool: told.iter().find_map(|(_, call)| call.tool.clone())?,
            parameters: told.iter().find_map(|(_, call)| Some(call.arguments.value()?.digest)),
            from: told.iter().map(|(piece, _)| piece.start).min()?,
            to: told.iter().map(|(piece, _)| piece.end).max()?,
        })
    }

    fn fits(&self, decision: &Decision) -> bool {
        let apart = match (self.parameters, decision.parameters) {
            (Some(own), Some(decided)) => own.agrees_with(&decided) == Some(false),
            _ => false,
        };
        !apart && (self.from..=self.to).contains(&decision.at)
    }
}

/// Whether a decision names another tool than a call's.
fn is_of_another(decision: &Decision, pieces: &[&Piece]) -> bool {
    let mut tools = pieces.iter().filter_map(|piece| says_call(piece)?.tool.as_ref()).peekable();
    decision.tool.as_ref().is_some_and(|named| tools.peek().is_some() && tools.all(|tool| tool != named))
}

/// A decision that named no call and reached this one. A denial of something inside a call that ran without an error
/// was not about the call: it is shown, and denies nothing.
fn reached(decision: &Decision, ran: bool) -> Decision {
    if ran && decision.outcome == Outcome::Deny {
        return guessed(decision.clone());
    }
    let mut decision = decision.clone();
    if let Some(witness) = &mut decision.witness {
        witness.provenance = witness.provenance.min(Provenance::Computed);
    }
    decision
}

/// A decision that reached a call by a guess.
fn guessed(mut decision: Decision) -> Decision {
    if let Some(witness) = &mut decision.witness {
        witness.provenance = Provenance::Inferred;
    }
    decision
}

fn has_run_fine(pieces: &[&Piece]) -> bool {
    let fine = |call: &CallSays| matches!(call.moment, Moment::Ran { status: Status::Fine, proof: Proof::Ran });
    pieces.iter().filter_map(|piece| says_call(piece)).any(fine)
}
