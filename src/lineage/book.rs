//! The book as a container: what is in it, what leaves it, what comes back.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::model::{Action, ActionId, Key, SpanId, Tenant, TraceId, TurnId};

use super::fold::turn_of_trace;
use super::pair::{Group, REPEATED};
use super::read::{Reading, action_id};
use super::state::{ActionState, Book, Handle, TurnState};

/// About how many bytes a component, a piece, a tie, a span and an evidence id take in memory.
const COMPONENT: usize = 400;
const PIECE: usize = 900;
const TIE: usize = 400;
const SPAN: usize = 160;
const RECORD: usize = 40;

impl Book {
    /// A book that reads arrival order, which a book must not: the mutation that the tests of order have to catch.
    #[doc(hidden)]
    pub fn reading_arrival() -> Self {
        Self { arrived: Some(0), ..Self::default() }
    }

    /// The state of a turn.
    pub fn turn_state(&self, turn: TurnId) -> Option<&Arc<TurnState>> {
        self.turns.get(&turn)
    }

    /// The state of a component.
    pub fn action_state(&self, handle: Handle) -> Option<&Arc<ActionState>> {
        self.actions.get(&handle)
    }

    /// Whose a component is.
    pub fn tenant_of(&self, handle: Handle) -> Option<Tenant> {
        self.actions.get(&handle).map(|action| action.tenant.clone())
    }

    /// The components that stand in a turn.
    pub fn members(&self, turn: TurnId) -> Vec<Handle> {
        self.turns.get(&turn).map(|turn| turn.members.iter().copied().collect()).unwrap_or_default()
    }

    /// What a component on its own would be: what its tombstone shows.
    pub fn remains(&self, handle: Handle) -> Option<Action> {
        let group = Group { root: handle, members: Vec::new() };
        self.record(&group, Reading { closed: true, expired: true })
    }

    /// The last handle that was given.
    pub fn last_handle(&self) -> Handle {
        self.next
    }

    /// Goes on after this handle.
    pub fn resume_after(&mut self, last: Handle) {
        self.next = last;
    }

    /// Components by an alias: `trace/span`, a trace id, a span id, a call id, a key as printed, or the id of an action
    /// that was not published yet.
    pub fn find(&self, alias: &str) -> BTreeSet<Handle> {
        let mut found = BTreeSet::new();
        let (first, second) = alias.split_once('/').unwrap_or((alias, ""));
        let trace = TraceId::from_hex(first.strip_prefix("span:").unwrap_or(first));
        let span = SpanId::from_hex(if second.is_empty() { first } else { second });
        let id = ActionId::from_hex(alias);
        for (tenant, id) in self.by_pair.keys().filter(|(_, id)| **id == *alias) {
            found.extend(self.by_pair.get(&(tenant.clone(), id.clone())).into_iter().flatten());
        }
        for action in self.actions.values() {
            let named = action.keys.iter().any(|key| match (key, trace, span) {
                (Key::Span(t, s), Some(trace), Some(span)) if !second.is_empty() => *t == trace && *s == span,
                (Key::Span(t, _), Some(trace), _) if second.is_empty() => *t == trace,
                (Key::Span(_, s), None, Some(span)) => *s == span,
                _ => false,
            });
            // An open action is shown under the id of its smallest key so far, which a smaller one may replace.
            let shown = |key| id.is_some_and(|id| action_id(&action.tenant, key) == id);
            if named || action.keys.iter().any(|key| key.to_string() == alias || shown(key)) {
                found.insert(action.handle);
            }
        }
        if let Some(trace) = trace.filter(|_| second.is_empty()) {
            for turn in self.turns.values().filter(|turn| turn.trace == Some(trace)) {
                debug_assert_eq!(turn.id, turn_of_trace(&turn.tenant, trace));
                found.extend(&turn.members);
            }
        }
        found
    }

    /// Puts a turn and its components back. What follows from their keys and spans is computed again.
    pub fn put_back(&mut self, mut kept: Arc<TurnState>, actions: Vec<Arc<ActionState>>) {
        let turn = Arc::make_mut(&mut kept);
        turn.forget_derived();
        turn.look_up_all();
        for action in &actions {
            if !action.keys.iter().any(|key| matches!(key, Key::Call(..))) && turn.members.contains(&action.handle) {
                turn.idless.insert(action.handle);
            }
        }
        let handles: BTreeSet<Handle> = actions.iter().map(|action| action.handle).collect();
        for action in actions {
            for key in &action.keys {
                self.by_key.insert((action.tenant.clone(), key.clone()), action.handle);
                if let Key::Call(_, id) = key {
                    let pair = (action.tenant.clone(), id.clone());
                    self.by_pair.entry(pair).or_default().insert(action.handle);
                }
            }
            for response in action.responses() {
                let response = (action.tenant.clone(), response.clone());
                self.by_response.entry(response).or_default().insert(action.handle);
            }
            self.actions.insert(action.handle, action);
        }
        let turn = kept.id;
        self.turns.insert(turn, kept);
        self.place(&handles, turn);
        self.tie(turn);
    }

    /// All turns, those together that components are read with: they leave memory together or not at all.
    pub fn units(&self) -> Vec<Vec<TurnId>> {
        let mut unit_of: BTreeMap<TurnId, usize> = BTreeMap::new();
        let mut units: Vec<Vec<TurnId>> = Vec::new();
        for turn in self.turns.keys() {
            unit_of.insert(*turn, units.len());
            units.push(vec![*turn]);
        }
        let alone = self.actions.values().map(|action| action.read_with());
        let home = |handle: &Handle| self.actions.get(handle).map(|action| action.home);
        let pairs = self.by_pair.values().filter(|pair| (2..=REPEATED).contains(&pair.len()));
        for read_with in alone.chain(pairs.map(|pair| pair.iter().filter_map(home).collect())) {
            let mut together: BTreeSet<usize> =
                read_with.iter().filter_map(|turn| unit_of.get(turn).copied()).collect();
            // The largest stays: a turn of a thousand responses is moved never, not a thousand times.
            let Some(kept) = together.iter().copied().max_by_key(|unit| units[*unit].len()) else { continue };
            together.remove(&kept);
            for other in together {
                let moved = std::mem::take(&mut units[other]);
                unit_of.extend(moved.iter().map(|turn| (*turn, kept)));
                units[kept].extend(moved);
            }
        }
        units.retain(|unit| !unit.is_empty());
        units
    }

    /// Lets a turn and the components it keeps go.
    pub fn take_out(&mut self, turn: TurnId) -> Vec<Handle> {
        let Some(state) = self.turns.remove(&turn) else {
            return Vec::new();
        };
        self.untie(&state.tenant, turn, &state.ties);
        let kept = |handle: &&Handle| self.actions.get(handle).is_some_and(|action| action.home == turn);
        let gone: Vec<Handle> = state.members.iter().filter(kept).copied().collect();
        for handle in &gone {
            let Some(action) = self.actions.remove(handle) else {
                continue;
            };
            for turn in action.turns() {
                self.displace(*handle, turn);
                self.place(&BTreeSet::new(), turn);
            }
            for response in action.responses() {
                let response = (action.tenant.clone(), response.clone());
                if let Some(proposed) = self.by_response.get_mut(&response) {
                    proposed.remove(handle);
                    if proposed.is_empty() {
                        self.by_response.remove(&response);
                    }
                }
            }
            for key in &action.keys {
                self.by_key.remove(&(action.tenant.clone(), key.clone()));
                if let Key::Call(_, id) = key {
                    let pair = (action.tenant.clone(), id.clone());
                    if let Some(holders) = self.by_pair.get_mut(&pair) {
                        holders.remove(handle);
                        if holders.is_empty() {
                            self.by_pair.remove(&pair);
                        }
                    }
                }
            }
        }
        gone
    }

    /// About how many bytes everything takes.
    pub fn weight(&self) -> usize {
        self.turns.keys().map(|turn| self.weight_of(*turn)).sum()
    }

    /// About how many bytes a turn and its components take.
    pub fn weight_of(&self, turn: TurnId) -> usize {
        let Some(state) = self.turns.get(&turn) else {
            return 0;
        };
        let pieces: usize = state
            .members
            .iter()
            .filter_map(|handle| self.actions.get(handle))
            .map(|action| COMPONENT + action.pieces.len() * PIECE)
            .sum();
        let said: usize = state.attached.values().map(|said| said.len() * PIECE).sum();
        let ties = (state.gives.len() + state.takes.len() + state.responses.len() + state.answers.len()) * TIE;
        let asked = (state.asked.len() + state.stands.len()) * PIECE;
        pieces + said + ties + asked + state.spans.len() * SPAN + state.evidence.len() * RECORD + COMPONENT
    }
}
