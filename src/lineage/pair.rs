//! Actions of several components: those that share no key and are one action all the same.
//!
//! * *k-th pair* (see `kth`): in one turn, a tool's span and a model's call of it.
//! * *approval pair*: two turns of one service, the same call id and tool, parameters that do not differ, and the
//!   same conversation or a later input that carries the call. The latest earlier open call wins.
//!
//! Pairs are computed from the set, and give no key.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::model::{Digest, JoinMethod, Key, Moment, Nanos, Piece, Says, Service, TurnId};

use super::read::actor;
use super::state::{ActionState, Book, Handle};

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

/// A component with its k-th partners: what approval pairs are made of. What is compared is read once.
pub(super) struct Half<'a> {
    root: Handle,
    partners: Vec<Handle>,
    /// When it begins, and its smallest key: halves in this order.
    pub(super) order: (Nanos, &'a Key),
    pub(super) turns: BTreeSet<TurnId>,
    /// The call ids it names.
    ids: BTreeSet<&'a Arc<str>>,
    tool: Option<&'a Arc<str>>,
    digest: Option<Digest>,
    service: Option<&'a Service>,
    conversation: Option<&'a Arc<str>>,
    /// Only gateways, policy engines, evaluators and people speak in it.
    is_bystander: bool,
    /// It says more than that the call stands in its messages or was decided about: it proposed or ran it itself.
    claims: bool,
    /// Its input carries the call after the last user message.
    carries: bool,
    /// It says something of a call, not only of a decision or a check.
    calls: bool,
    /// Checks speak in it, and nothing else.
    is_check: bool,
    /// A span of the tool is part of it.
    has_span: bool,
    /// All it says of the call stands before the last user message.
    pub(super) is_history: bool,
}

impl Book {
    /// The action that a component belongs to. `None` when the component is gone.
    pub fn group(&self, handle: Handle) -> Option<Group> {
        let own = self.half(handle)?;
        let halves = self.halves(own);
        let roots = self.roots(&halves);
        let index = halves.iter().position(|half| half.root == handle || half.partners.contains(&handle))?;
        let root = roots[index];
        let mut members: Vec<_> = halves[root].kth_pairs().collect();
        for (index, half) in halves.iter().enumerate() {
            if index != root && roots[index] == root {
                let method = if half.is_check { JoinMethod::Check } else { JoinMethod::ApprovalPair };
                members.push((half.root, method));
                members.extend(half.kth_pairs());
            }
        }
        Some(Group { root: halves[root].root, members })
    }

    /// Components that may change when this one does: all that its pairs are computed from.
    pub fn relatives(&self, handle: Handle) -> BTreeSet<Handle> {
        let mut out = BTreeSet::from([handle]);
        let Some(action) = self.actions.get(&handle) else {
            return out;
        };
        for id in call_ids(action) {
            let holders = self.by_pair.get(&(action.tenant.clone(), id.clone()));
            out.extend(holders.into_iter().filter(|holders| holders.len() <= REPEATED).flatten());
        }
        let root = self.kth_root(handle, action);
        out.insert(root);
        out.extend(self.kth_partners(root));
        out
    }

    /// The span that a component is one with, if it is a model's call; else itself.
    fn kth_root(&self, handle: Handle, action: &ActionState) -> Handle {
        let turns = action.turns();
        let span_of = |turn| self.turns.get(turn).and_then(|turn| turn.pairs.span_of(handle));
        turns.iter().find_map(span_of).unwrap_or(handle)
    }

    /// The model's calls that are one with a span.
    fn kth_partners(&self, root: Handle) -> BTreeSet<Handle> {
        let turns = self.actions.get(&root).map(|action| action.turns()).unwrap_or_default();
        turns.iter().filter_map(|turn| self.turns.get(turn)).flat_map(|turn| turn.pairs.calls_of(root)).collect()
    }

    pub(super) fn half(&self, handle: Handle) -> Option<Half<'_>> {
        let root = self.kth_root(handle, self.actions.get(&handle)?);
        let action = self.actions.get(&root)?;
        let partners: Vec<Handle> =
            self.kth_partners(root).into_iter().filter(|partner| self.actions.contains_key(partner)).collect();
        let components: Vec<_> = partners.iter().filter_map(|partner| self.actions.get(partner)).collect();
        let pieces = action.pieces.values().chain(components.iter().flat_map(|component| component.pieces.values()));
        let pieces: Vec<&Piece> = pieces.collect();
        let half = Half::of(root, partners, action.keys.first()?, &pieces)?;
        let turns = half.turns.iter().filter_map(|turn| self.turns.get(turn));
        let conversation = turns.filter_map(|turn| turn.conversation.as_ref()).map(|it| &it.value).next();
        let spans = |action: &ActionState| action.keys.iter().any(|key| matches!(key, Key::Span(..)));
        let has_span = spans(action) || components.iter().any(|component| spans(component));
        Some(Half { conversation, has_span, ..half })
    }

    /// A half and those that share a call id with it, oldest first.
    pub(super) fn halves<'a>(&'a self, own: Half<'a>) -> Vec<Half<'a>> {
        let mut roots = BTreeSet::from([own.root]);
        let mut halves = Vec::new();
        let components = std::iter::once(own.root).chain(own.partners.iter().copied());
        for action in components.filter_map(|handle| self.actions.get(&handle)) {
            for id in call_ids(action) {
                let holders = self.by_pair.get(&(action.tenant.clone(), id.clone()));
                let holders = holders.filter(|holders| (2..=REPEATED).contains(&holders.len()));
                for half in holders.into_iter().flatten().filter_map(|holder| self.half(*holder)) {
                    if roots.insert(half.root) {
                        halves.push(half);
                    }
                }
            }
        }
        halves.push(own);
        halves.sort_by_key(|half| half.order);
        halves
    }

    /// For each half the first half of its action: itself, or that of the latest earlier half that it continues.
    fn roots(&self, halves: &[Half<'_>]) -> Vec<usize> {
        let mut roots: Vec<usize> = (0..halves.len()).collect();
        // Whether an action may still be claimed, as long as nothing joins it.
        let mut open: Vec<Option<bool>> = vec![None; halves.len()];
        for (index, later) in halves.iter().enumerate() {
            if later.is_check {
                roots[index] = checked(&halves[..index], &roots[..index], later).unwrap_or(index);
                continue;
            }
            let found = (0..index).rev().find(|&earlier| {
                let root = roots[earlier];
                let chain = || (0..index).filter(|half| roots[*half] == root).map(|half| &halves[half]);
                let mut is_open = || *open[root].get_or_insert_with(|| self.is_open(chain));
                // A run that was only reported is the run of the one span that shows it.
                let shows = later.has_span && !chain().any(|half| half.has_span);
                continues(&halves[earlier], later)
                    && (!later.claims || !halves[earlier].is_history && (shows && self.has_ended(chain) || is_open()))
            });
            if let Some(earlier) = found {
                roots[index] = roots[earlier];
                open[roots[index]] = None;
            }
        }
        roots
    }

    /// Whether the records say that a call ran.
    fn has_ended<'a, I: Iterator<Item = &'a Half<'a>>>(&self, chain: impl Fn() -> I) -> bool {
        let components = chain().flat_map(|half| std::iter::once(half.root).chain(half.partners.iter().copied()));
        self.standing(components).is_proven_execution()
    }

    /// Whether a call may be claimed by what proposes or runs it later: nothing came of it yet. Where nobody told of
    /// the call itself, what was decided about it waits for it.
    fn is_open<'a, I: Iterator<Item = &'a Half<'a>>>(&self, chain: impl Fn() -> I) -> bool {
        let components = chain().flat_map(|half| std::iter::once(half.root).chain(half.partners.iter().copied()));
        !chain().any(|half| half.calls) || self.standing(components).is_open()
    }
}

impl<'a> Half<'a> {
    fn of(root: Handle, partners: Vec<Handle>, first_key: &'a Key, pieces: &[&'a Piece]) -> Option<Self> {
        let calls = || {
            pieces.iter().filter_map(|piece| match &piece.says {
                Says::Call(call) => Some(&**call),
                _ => None,
            })
        };
        let moments = || calls().map(|call| &call.moment);
        let is_old = |moment: &Moment| matches!(moment, Moment::History | Moment::Answered { history: true, .. });
        Some(Self {
            root,
            partners,
            order: (pieces.iter().map(|piece| piece.start).min()?, first_key),
            turns: pieces.iter().map(|piece| piece.turn).collect(),
            ids: pieces.iter().filter_map(|piece| call_id(piece)).collect(),
            tool: calls().find_map(|call| call.tool.as_ref()),
            digest: calls().find_map(|call| call.arguments.value().map(|text| text.digest)),
            service: actor(pieces).or(pieces.iter().min().copied()).map(|piece| &piece.service),
            conversation: None,
            is_bystander: pieces.iter().all(|piece| piece.role.is_independent()),
            claims: moments().any(|moment| matches!(moment, Moment::Ran { .. } | Moment::Proposed | Moment::Asked)),
            carries: moments().any(|moment| {
                let answers = matches!(moment, Moment::Answered { .. } | Moment::Refused { .. });
                *moment == Moment::Carried || answers && !is_old(moment)
            }),
            calls: moments().next().is_some(),
            is_check: pieces.iter().all(|piece| matches!(piece.says, Says::Check(_))),
            has_span: false,
            is_history: moments().next().is_some() && moments().all(is_old),
        })
    }

    /// Whether nothing speaks against two halves being of one call, in two turns.
    pub(super) fn may_be(&self, later: &Self) -> bool {
        let apart = self.turns.is_disjoint(&later.turns);
        let shares_id = !self.ids.is_disjoint(&later.ids);
        let one_tool = self.tool.is_none() || later.tool.is_none() || self.tool == later.tool;
        let one_call = match (self.digest, later.digest) {
            (Some(earlier), Some(later)) => earlier.agrees_with(&later) == Some(true),
            _ => true,
        };
        // Whoever checks may be another service: what its word is worth is asked elsewhere.
        let one_service = self.service == later.service || self.is_bystander || later.is_bystander || later.is_check;
        apart && shares_id && one_tool && one_call && one_service
    }

    fn kth_pairs(&self) -> impl Iterator<Item = (Handle, JoinMethod)> + '_ {
        self.partners.iter().map(|partner| (*partner, JoinMethod::KthPair))
    }
}

/// The action that a check in another turn is about: the latest earlier one of its conversation, else the only one.
fn checked(earlier: &[Half<'_>], roots: &[usize], check: &Half<'_>) -> Option<usize> {
    let may_be = |(_, half): &(usize, &Half<'_>)| half.calls && !half.is_history && half.may_be(check);
    let fitting = || earlier.iter().enumerate().filter(may_be);
    let same = |half: &Half<'_>| check.conversation.is_some() && half.conversation == check.conversation;
    let latest = fitting().rfind(|(_, half)| same(half)).map(|(index, _)| roots[index]);
    let unknown = |half: &Half<'_>| half.conversation.is_none() || check.conversation.is_none();
    let only = || {
        let mut all: BTreeSet<usize> = fitting().map(|(index, _)| roots[index]).collect();
        let apart = fitting().any(|(_, half)| !unknown(half));
        all.pop_first().filter(|_| all.is_empty() && !apart)
    };
    latest.or_else(only)
}

/// Whether two halves may be of one action.
fn continues(earlier: &Half<'_>, later: &Half<'_>) -> bool {
    let one_conversation = earlier.conversation.is_some() && earlier.conversation == later.conversation;
    earlier.may_be(later) && (one_conversation || later.carries)
}

/// The call id that a piece names.
fn call_id(piece: &Piece) -> Option<&Arc<str>> {
    match &piece.says {
        Says::Call(call) => call.id.as_ref(),
        Says::Decision(decision) => decision.call_id.as_ref(),
        Says::Check(check) => check.call_id.as_ref(),
    }
}

fn call_ids(action: &ActionState) -> impl Iterator<Item = &Arc<str>> {
    action.keys.iter().filter_map(|key| match key {
        Key::Call(_, id) => Some(id),
        _ => None,
    })
}
