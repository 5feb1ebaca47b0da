//! Computed pairs: components that share no key and are one action all the same.
//!
//! * *k-th pair*: in one turn, a tool's span and a model's call of it, a call id on one side only: the k-th with
//!   the k-th by time, equal parameters first.
//! * *approval pair*: two turns of one service, the same call id and tool, parameters that do not differ, and the
//!   same conversation or a later input that carries the call. The latest earlier open call wins.
//!
//! Pairs are computed from the set whenever an action is read, and give no key.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::model::{Digest, JoinMethod, Key, Moment, Nanos, Piece, Says, Service, TurnId};

use super::read::state_of;
use super::state::{ActionState, Book, Handle, TurnState};

/// Beyond so many calls without an id, or so many calls at all, the pairs of a turn are unknown.
const PAIRED: usize = 256;
const MEMBERS: usize = 10_000;
/// An id that stands in more components than this is not an identity.
pub(super) const REPEATED: usize = 64;

/// One action: its first component, and those that are paired with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// The component whose keys name the action.
    pub root: Handle,
    /// The others, and by which rule.
    pub members: Vec<(Handle, JoinMethod)>,
}

impl Group {
    /// All components, the root first.
    pub fn all(&self) -> impl Iterator<Item = Handle> + '_ {
        std::iter::once(self.root).chain(self.members.iter().map(|(handle, _)| *handle))
    }
}

/// A component with its k-th partners: what approval pairs are made of.
struct Unit<'a> {
    root: Handle,
    members: Vec<Handle>,
    pieces: Vec<&'a Piece>,
    start: Nanos,
    first_key: &'a Key,
}

impl Book {
    /// The action that a component belongs to. `None` when the component is gone.
    pub fn group(&self, handle: Handle) -> Option<Group> {
        let unit = self.unit(handle)?;
        let rivals = self.rivals(&unit);
        if rivals.len() < 2 {
            return Some(unit.group());
        }
        let parents = self.parents(&rivals);
        let root_of = |mut index: usize| {
            while let Some(parent) = parents[index] {
                index = parent;
            }
            index
        };
        let own = rivals.iter().position(|rival| rival.root == unit.root)?;
        let root = root_of(own);
        let mut group = rivals[root].group();
        for (index, rival) in rivals.iter().enumerate() {
            if index != root && root_of(index) == root {
                group.members.push((rival.root, JoinMethod::ApprovalPair));
                group.members.extend(rival.members.iter().map(|member| (*member, JoinMethod::KthPair)));
            }
        }
        Some(group)
    }

    /// Components that may change when this one does: all that its pairs are computed from.
    pub fn relatives(&self, handle: Handle) -> BTreeSet<Handle> {
        let mut out = BTreeSet::from([handle]);
        let Some(action) = self.actions.get(&handle) else {
            return out;
        };
        for id in call_ids(action) {
            let group = self.by_pair.get(&(action.tenant.clone(), id.clone()));
            out.extend(group.into_iter().filter(|group| group.len() <= REPEATED).flatten());
        }
        out.extend(self.kth_pairs_of(action).iter().flat_map(|(message, span)| [*message, *span]));
        out
    }

    fn unit(&self, handle: Handle) -> Option<Unit<'_>> {
        let action = self.actions.get(&handle)?;
        let pairs = self.kth_pairs_of(action);
        let root = pairs.iter().find(|(message, _)| *message == handle).map_or(handle, |(_, span)| *span);
        let members: Vec<_> = pairs.iter().filter(|(_, span)| *span == root).map(|(message, _)| *message).collect();
        let root_action = self.actions.get(&root)?;
        let mut pieces: Vec<&Piece> = root_action.pieces.values().collect();
        for member in &members {
            pieces.extend(self.actions.get(member)?.pieces.values());
        }
        let start = pieces.iter().map(|piece| piece.start).min()?;
        Some(Unit { root, members, pieces, start, first_key: root_action.keys.first()? })
    }

    /// The units that share a call id with this one, oldest first.
    fn rivals<'a>(&'a self, unit: &Unit<'a>) -> Vec<Unit<'a>> {
        let mut roots = BTreeSet::from([unit.root]);
        for handle in std::iter::once(unit.root).chain(unit.members.iter().copied()) {
            let Some(action) = self.actions.get(&handle) else {
                continue;
            };
            for id in call_ids(action) {
                let Some(group) = self.by_pair.get(&(action.tenant.clone(), id.clone())) else {
                    continue;
                };
                if group.len() > 1 && group.len() <= REPEATED {
                    roots.extend(group.iter().filter_map(|other| self.unit(*other)).map(|other| other.root));
                }
            }
        }
        let mut units: Vec<_> = roots.into_iter().filter_map(|root| self.unit(root)).collect();
        units.sort_by(|a, b| (a.start, a.first_key).cmp(&(b.start, b.first_key)));
        units
    }

    /// For each unit the earlier one that it continues.
    fn parents(&self, units: &[Unit<'_>]) -> Vec<Option<usize>> {
        let mut parents = vec![None; units.len()];
        for later in 1..units.len() {
            let claims = units[later].has_claims();
            parents[later] = (0..later).rev().find(|&earlier| {
                let open = || {
                    let taken = (earlier + 1..later).any(|between| parents[between] == Some(earlier));
                    let spans = units[earlier].pieces.iter().any(|piece| self.has_tool_spans(piece.turn));
                    !taken && state_of(&units[earlier].pieces, spans).is_open()
                };
                self.continues(&units[earlier], &units[later]) && (!claims || open())
            });
        }
        parents
    }

    fn has_tool_spans(&self, turn: TurnId) -> bool {
        self.turns.get(&turn).is_some_and(|turn| turn.tool_spans)
    }

    /// Whether two units may be halves of one action.
    fn continues(&self, earlier: &Unit<'_>, later: &Unit<'_>) -> bool {
        let apart = earlier.turns().is_disjoint(&later.turns());
        let shares_id = !earlier.ids().is_disjoint(&later.ids());
        let one_tool = !differ(earlier.tool(), later.tool());
        let one_call = match (earlier.digest(), later.digest()) {
            (Some(earlier), Some(later)) => earlier.agrees_with(&later) == Some(true),
            _ => true,
        };
        apart && shares_id && one_tool && one_call && self.one_dialogue(earlier, later)
    }

    /// The same conversation, or an input of the later turn that carries the call after its last user message.
    fn one_dialogue(&self, earlier: &Unit<'_>, later: &Unit<'_>) -> bool {
        let conversation = |unit: &Unit<'_>| {
            unit.turns().iter().find_map(|turn| self.turns.get(turn)?.conversation.as_ref().map(|it| it.value.clone()))
        };
        let (one, other) = (conversation(earlier), conversation(later));
        let independent = |unit: &Unit<'_>| unit.pieces.iter().all(|piece| piece.role.is_independent());
        let one_service = earlier.service() == later.service() || independent(earlier) || independent(later);
        match (one, other) {
            (Some(one), Some(other)) => one_service && one == other,
            _ => one_service && later.carries(),
        }
    }

    fn kth_pairs_of(&self, action: &ActionState) -> Vec<(Handle, Handle)> {
        let turns = action.turns();
        let paired: Vec<_> = turns.iter().filter_map(|turn| self.turns.get(turn)).filter(|it| it.has_pairs()).collect();
        let Some(tool) = tool_of(action).filter(|_| !paired.is_empty()) else {
            return Vec::new();
        };
        paired.into_iter().flat_map(|turn| self.kth_pairs(turn, &tool)).collect()
    }

    /// The k-th pairs of one tool in one turn: (model's call, tool's span).
    fn kth_pairs(&self, turn: &TurnState, tool: &str) -> Vec<(Handle, Handle)> {
        let of_tool =
            |handle: &&Handle| self.actions.get(handle).is_some_and(|action| tool_of(action).as_deref() == Some(tool));
        let mut spans = Vec::new();
        let mut arrays = Vec::new();
        let mut events = Vec::new();
        for handle in turn.members.iter().filter(of_tool) {
            let side = Side::of(*handle, &self.actions[handle], turn.id);
            match side {
                Side { ran: true, spoken: false, .. } => spans.push(side),
                Side { ran: false, spoken: true, event: false, .. } => arrays.push(side),
                Side { ran: false, proposed: true, event: true, .. } => events.push(side),
                _ => {}
            }
        }
        for sides in [&mut spans, &mut arrays, &mut events] {
            sides.sort_by(|a, b| a.order.cmp(&b.order));
        }
        let mut pairs = Vec::new();
        for calls in [&mut arrays, &mut events] {
            if spans.is_empty() || calls.is_empty() {
                continue;
            }
            let mut left = spans.clone();
            match_in_order(&mut left, calls, exact, &mut pairs);
            match_in_order(&mut left, calls, vague, &mut pairs);
        }
        // The same proposal in an array and in an event, and no span of it: the array's stands for both.
        match_in_order(&mut arrays, &mut events, exact, &mut pairs);
        pairs
    }
}

impl TurnState {
    /// Whether k-th pairs are looked for: some calls have no id, and there are not too many to compare.
    fn has_pairs(&self) -> bool {
        (1..=PAIRED).contains(&self.idless.len()) && self.members.len() <= MEMBERS
    }
}

fn exact(one: &Side<'_>, other: &Side<'_>) -> bool {
    one.digest.is_some() && one.digest == other.digest
}

fn vague(one: &Side<'_>, other: &Side<'_>) -> bool {
    one.digest.is_none() || other.digest.is_none()
}

/// One side of a k-th pair.
#[derive(Clone)]
struct Side<'a> {
    handle: Handle,
    ran: bool,
    spoken: bool,
    proposed: bool,
    /// Told by an event of its own, not by its place in a message array.
    event: bool,
    has_id: bool,
    digest: Option<Digest>,
    /// Proposals of this turn before calls that it only carried, then time, then the smallest key.
    order: (bool, Nanos, Option<&'a Key>),
}

impl<'a> Side<'a> {
    fn of(handle: Handle, action: &'a ActionState, turn: TurnId) -> Self {
        let calls = || {
            action.pieces.values().filter(move |piece| piece.turn == turn).filter_map(|piece| match &piece.says {
                Says::Call(call) => Some((piece, call)),
                _ => None,
            })
        };
        let ran = action.keys.iter().any(|key| matches!(key, Key::Span(..)));
        let proposed = calls().any(|(_, call)| call.moment == Moment::Proposed);
        let spoken = proposed || calls().any(|(_, call)| call.moment == Moment::Carried);
        let time = calls()
            .filter(|(_, call)| !matches!(call.moment, Moment::Answered { .. } | Moment::History))
            .map(|(piece, _)| if ran { piece.start } else { piece.end })
            .min();
        Self {
            handle,
            ran,
            spoken,
            proposed,
            event: action.keys.iter().all(|key| matches!(key, Key::Part(..))),
            has_id: call_ids(action).next().is_some(),
            digest: calls().find_map(|(_, call)| call.arguments.value().map(|text| text.digest)),
            order: (!ran && !proposed, time.unwrap_or_default(), action.keys.first()),
        }
    }
}

/// Pairs each span with the first call that fits; both sides leave the lists.
fn match_in_order<'a>(
    spans: &mut Vec<Side<'a>>,
    calls: &mut Vec<Side<'a>>,
    fits: impl Fn(&Side<'_>, &Side<'_>) -> bool,
    pairs: &mut Vec<(Handle, Handle)>,
) {
    spans.retain(|span| {
        let found = calls.iter().position(|call| !(span.has_id && call.has_id) && fits(span, call));
        let Some(found) = found else { return true };
        pairs.push((calls.remove(found).handle, span.handle));
        false
    });
}

impl Unit<'_> {
    fn group(&self) -> Group {
        let members = self.members.iter().map(|member| (*member, JoinMethod::KthPair)).collect();
        Group { root: self.root, members }
    }

    fn turns(&self) -> BTreeSet<TurnId> {
        self.pieces.iter().map(|piece| piece.turn).collect()
    }

    fn calls(&self) -> impl Iterator<Item = &crate::model::CallSays> {
        self.pieces.iter().filter_map(|piece| match &piece.says {
            Says::Call(call) => Some(&**call),
            _ => None,
        })
    }

    fn ids(&self) -> BTreeSet<Arc<str>> {
        let decided = self.pieces.iter().filter_map(|piece| match &piece.says {
            Says::Decision(decision) => decision.call_id.clone(),
            Says::Check(check) => check.call_id.clone(),
            Says::Call(_) => None,
        });
        self.calls().filter_map(|call| call.id.clone()).chain(decided).collect()
    }

    fn tool(&self) -> Option<&str> {
        self.calls().find_map(|call| call.tool.as_deref())
    }

    fn digest(&self) -> Option<Digest> {
        self.calls().find_map(|call| call.arguments.value().map(|text| text.digest))
    }

    fn service(&self) -> Option<&Service> {
        self.pieces.iter().min().map(|piece| &piece.service)
    }

    /// Says more than that the call stands in its messages or was decided about: it proposed or ran it itself.
    fn has_claims(&self) -> bool {
        self.calls().any(|call| matches!(call.moment, Moment::Ran { .. } | Moment::Proposed | Moment::Asked))
    }

    fn carries(&self) -> bool {
        self.calls().any(|call| {
            matches!(call.moment, Moment::Carried | Moment::Answered { history: false, .. } | Moment::Refused { .. })
        })
    }
}

fn differ(one: Option<&str>, other: Option<&str>) -> bool {
    matches!((one, other), (Some(one), Some(other)) if one != other)
}

fn call_ids(action: &ActionState) -> impl Iterator<Item = &Arc<str>> {
    action.keys.iter().filter_map(|key| match key {
        Key::Call(_, id) => Some(id),
        _ => None,
    })
}

/// The tool that a component's records agree on, if any names one.
fn tool_of(action: &ActionState) -> Option<Arc<str>> {
    let tools = || {
        action.pieces.values().filter_map(|piece| match &piece.says {
            Says::Call(call) => call.tool.as_ref(),
            _ => None,
        })
    };
    let first = tools().next()?;
    if tools().all(|tool| tool == first) {
        return Some(first.clone());
    }
    let mut named: BTreeMap<&Arc<str>, usize> = BTreeMap::new();
    for tool in tools() {
        *named.entry(tool).or_default() += 1;
    }
    named.into_iter().max_by_key(|(tool, count)| (*count, std::cmp::Reverse(*tool))).map(|(tool, _)| tool.clone())
}
