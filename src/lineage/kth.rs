//! K-th pairs: in one turn, a tool's span and a model's call of it, a call id on one side at most, are one action:
//! the k-th with the k-th by time, equal parameters first.
//!
//! A turn keeps its sides in order, by tool and parameters. One side of a pair at least has no id, and a turn in which
//! more than [`PAIRED`] calls have none is not paired. So a record moves at most so many pairs, however long the turn
//! is; and a turn in which every call has its id keeps nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::iter::Peekable;
use std::sync::Arc;

use crate::model::{Digest, Key, Moment, Nanos, Piece, Says, TurnId};

use super::state::{ActionState, Book, Handle, TurnState};

/// Beyond so many calls without an id, or so many calls at all, the pairs of a turn are unknown.
const PAIRED: usize = 256;
const MEMBERS: usize = 10_000;

/// The pairs of one turn, and what they are computed from. Follows from the components that stand in it.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct KthPairs {
    /// Sides are kept: some call had no id.
    kept: bool,
    /// They are paired: they are not too many.
    paired: bool,
    sides: BTreeMap<Handle, Side>,
    tools: BTreeMap<Arc<str>, Tool>,
    /// Tools whose sides changed.
    stale: BTreeSet<Arc<str>>,
    span_of: BTreeMap<Handle, Handle>,
    /// A call that is told in an array and in an event has two.
    calls_of: BTreeMap<Handle, BTreeSet<Handle>>,
}

/// A model's call and the span it is one with.
type Pair = (Handle, Handle);

/// Proposals of this turn before calls that it only carried, then time, then the smallest key.
type Order = (bool, Nanos, Option<Key>);
type Slot = (Order, Handle);

/// What a component is in a pair.
#[derive(Debug, Clone, PartialEq)]
struct Side {
    tool: Arc<str>,
    kind: Kind,
    has_id: bool,
    digest: Option<Digest>,
    order: Order,
}

/// Which side it is.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Kind {
    /// A tool's span.
    Span,
    /// A model's call, by its place in a message array.
    Array,
    /// A model's call, told by an event of its own.
    Event,
}

/// The sides and pairs of one tool.
#[derive(Debug, Clone, Default, PartialEq)]
struct Tool {
    /// By parameters; `None` are those whose parameters are unknown.
    classes: BTreeMap<Option<Digest>, Sides>,
    /// All whose parameters are known, whatever they are.
    known: Sides,
    /// How many sides of a class have no id. No other class has pairs.
    idless: BTreeMap<Option<Digest>, usize>,
    /// Classes that changed.
    stale: BTreeSet<Option<Digest>>,
    /// By class. Those of `None` are vague: the parameters of one side at least are unknown.
    pairs: BTreeMap<Option<Digest>, Vec<Pair>>,
}

/// Sides in order, by kind and by whether they have an id.
#[derive(Debug, Clone, Default, PartialEq)]
struct Sides([[BTreeSet<Slot>; 2]; 3]);

impl Book {
    /// Places components anew in the turns they stand in, a turn among them that they may have left. Says which
    /// components are paired otherwise than before.
    pub(super) fn place(&mut self, handles: &BTreeSet<Handle>, turn: TurnId) -> BTreeSet<Handle> {
        let mut turns = BTreeSet::from([turn]);
        for handle in handles {
            let Some(action) = self.actions.get(handle) else { continue };
            for turn in action.turns() {
                let Some(state) = self.turns.get_mut(&turn) else { continue };
                let side = if state.pairs.kept { Side::of(action, turn) } else { None };
                if state.pairs.sides.get(handle) != side.as_ref() {
                    Arc::make_mut(state).pairs.place(*handle, side);
                }
                turns.insert(turn);
            }
        }
        turns.into_iter().flat_map(|turn| self.pair_anew(turn)).collect()
    }

    /// Takes a component out of the turns it stood in.
    pub(super) fn displace(&mut self, handle: Handle, turns: &BTreeSet<TurnId>) {
        for turn in turns {
            if let Some(state) = self.turns.get_mut(turn).filter(|state| state.pairs.sides.contains_key(&handle)) {
                Arc::make_mut(state).pairs.place(handle, None);
            }
        }
    }

    /// Computes the pairs of a turn whose sides changed. Sides are kept from the first call without an id on.
    fn pair_anew(&mut self, turn: TurnId) -> BTreeSet<Handle> {
        let Some(state) = self.turns.get_mut(&turn) else {
            return BTreeSet::new();
        };
        let paired = (1..=PAIRED).contains(&state.idless.len()) && state.members.len() <= MEMBERS;
        let begins = !state.pairs.kept && !state.idless.is_empty();
        if !begins && state.pairs.paired == paired && state.pairs.stale.is_empty() {
            return BTreeSet::new();
        }
        let TurnState { members, pairs, .. } = Arc::make_mut(state);
        if begins {
            pairs.kept = true;
            for handle in members.iter() {
                pairs.place(*handle, self.actions.get(handle).and_then(|action| Side::of(action, turn)));
            }
        }
        pairs.compute(paired)
    }
}

impl KthPairs {
    /// The span that a model's call is one with.
    pub(super) fn span_of(&self, call: Handle) -> Option<Handle> {
        self.span_of.get(&call).copied()
    }

    /// The model's calls that a span is one with.
    pub(super) fn calls_of(&self, span: Handle) -> impl Iterator<Item = Handle> + '_ {
        self.calls_of.get(&span).into_iter().flatten().copied()
    }

    fn place(&mut self, handle: Handle, side: Option<Side>) {
        if let Some(old) = self.sides.remove(&handle) {
            self.tools.entry(old.tool.clone()).or_default().remove(handle, &old);
            self.stale.insert(old.tool);
        }
        if let Some(new) = side {
            self.tools.entry(new.tool.clone()).or_default().insert(handle, &new);
            self.stale.insert(new.tool.clone());
            self.sides.insert(handle, new);
        }
    }

    /// Computes what is stale, and says whose partners changed.
    fn compute(&mut self, paired: bool) -> BTreeSet<Handle> {
        let all = self.paired != paired;
        self.paired = paired;
        let mut stale = std::mem::take(&mut self.stale);
        if all {
            stale.extend(self.tools.keys().cloned());
        }
        let (mut before, mut after) = (BTreeSet::new(), BTreeSet::new());
        for name in stale {
            let Some(tool) = self.tools.get_mut(&name) else { continue };
            let again = tool.again(all);
            before.extend(again.iter().filter_map(|class| tool.pairs.remove(class)).flatten());
            if paired {
                tool.pair(&again);
            }
            after.extend(again.iter().filter_map(|class| tool.pairs.get(class)).flatten().copied());
            if tool.classes.is_empty() {
                self.tools.remove(&name);
            }
        }
        self.exchange(&before, &after)
    }

    fn exchange(&mut self, before: &BTreeSet<Pair>, after: &BTreeSet<Pair>) -> BTreeSet<Handle> {
        for (call, span) in before.difference(after) {
            self.span_of.remove(call);
            let calls = self.calls_of.entry(*span).or_default();
            calls.remove(call);
            if calls.is_empty() {
                self.calls_of.remove(span);
            }
        }
        for (call, span) in after.difference(before) {
            self.span_of.insert(*call, *span);
            self.calls_of.entry(*span).or_default().insert(*call);
        }
        before.symmetric_difference(after).flat_map(|(call, span)| [*call, *span]).collect()
    }
}

impl Tool {
    fn insert(&mut self, handle: Handle, side: &Side) {
        let slot = (side.order.clone(), handle);
        if side.digest.is_some() {
            self.known.at(side).insert(slot.clone());
        }
        self.classes.entry(side.digest).or_default().at(side).insert(slot);
        if !side.has_id {
            *self.idless.entry(side.digest).or_default() += 1;
        }
        self.stale.insert(side.digest);
    }

    fn remove(&mut self, handle: Handle, side: &Side) {
        let slot = (side.order.clone(), handle);
        self.known.at(side).remove(&slot);
        if let Some(class) = self.classes.get_mut(&side.digest) {
            class.at(side).remove(&slot);
            if class.is_empty() {
                self.classes.remove(&side.digest);
            }
        }
        if let Some(idless) = self.idless.get_mut(&side.digest).filter(|_| !side.has_id) {
            *idless -= 1;
            if *idless == 0 {
                self.idless.remove(&side.digest);
            }
        }
        self.stale.insert(side.digest);
    }

    /// The classes whose pairs are computed again: those that changed, or all where parameters are unknown, because a
    /// vague pair may take what another class would have.
    fn again(&mut self, all: bool) -> BTreeSet<Option<Digest>> {
        let mut again = std::mem::take(&mut self.stale);
        if all || again.contains(&None) || self.classes.contains_key(&None) {
            again.insert(None);
            again.extend(self.idless.keys().chain(self.pairs.keys()));
        }
        again
    }

    /// Spans with arrays and spans with events; then what is left of arrays with what is left of events: one proposal
    /// told twice, and no span of it, so that the array's stands for both.
    fn pair(&mut self, again: &BTreeSet<Option<Digest>>) {
        let exact: Vec<_> = again.iter().filter(|it| it.is_some() && self.idless.contains_key(it)).copied().collect();
        let mut told = BTreeSet::new();
        for kind in [Kind::Array, Kind::Event] {
            let mut taken = BTreeSet::new();
            for class in &exact {
                let pairs = self.classes.get(class).map(|sides| sides.exact(Kind::Span, kind, &taken));
                self.keep(*class, pairs, &mut taken);
            }
            if again.contains(&None) {
                let pairs = self.classes.get(&None).map(|unknown| unknown.vague(&self.known, kind, &taken));
                self.keep(None, pairs, &mut taken);
            }
            told.append(&mut taken);
        }
        for class in &exact {
            let pairs = self.classes.get(class).map(|sides| sides.exact(Kind::Array, Kind::Event, &told));
            self.keep(*class, pairs, &mut BTreeSet::new());
        }
    }

    fn keep(&mut self, class: Option<Digest>, pairs: Option<Vec<Pair>>, taken: &mut BTreeSet<Handle>) {
        for pair in pairs.into_iter().flatten() {
            taken.extend([pair.0, pair.1]);
            self.pairs.entry(class).or_default().push(pair);
        }
    }
}

impl Sides {
    fn of(&self, kind: Kind, has_id: bool) -> &BTreeSet<Slot> {
        &self.0[kind as usize][usize::from(has_id)]
    }

    fn at(&mut self, side: &Side) -> &mut BTreeSet<Slot> {
        &mut self.0[side.kind as usize][usize::from(side.has_id)]
    }

    fn is_empty(&self) -> bool {
        self.0.iter().flatten().all(BTreeSet::is_empty)
    }

    /// Those of a kind in order, without those that are taken.
    fn queue<'a>(
        &'a self,
        kind: Kind,
        has_id: bool,
        taken: &'a BTreeSet<Handle>,
    ) -> Peekable<impl Iterator<Item = &'a Slot>> {
        self.of(kind, has_id).iter().filter(|(_, handle)| !taken.contains(handle)).peekable()
    }

    /// Pairs of equal parameters.
    fn exact(&self, spans: Kind, calls: Kind, taken: &BTreeSet<Handle>) -> Vec<Pair> {
        let calls = [self.queue(calls, false, taken), self.queue(calls, true, taken)];
        in_order([(self.queue(spans, true, taken), &[0]), (self.queue(spans, false, taken), &[0, 1])], calls)
    }

    /// Pairs of which one side's parameters are unknown: `self` holds the unknown ones.
    fn vague(&self, known: &Self, calls: Kind, taken: &BTreeSet<Handle>) -> Vec<Pair> {
        let calls = [
            self.queue(calls, false, taken),
            self.queue(calls, true, taken),
            known.queue(calls, false, taken),
            known.queue(calls, true, taken),
        ];
        let spans: [(_, &[usize]); 4] = [
            (self.queue(Kind::Span, true, taken), &[0, 2]),
            (self.queue(Kind::Span, false, taken), &[0, 1, 2, 3]),
            (known.queue(Kind::Span, true, taken), &[0]),
            (known.queue(Kind::Span, false, taken), &[0, 1]),
        ];
        in_order(spans, calls)
    }
}

/// Pairs each span, in order, with the first call that fits. Each queue of spans names the queues of calls that fit
/// it: two that have an id each are never one. A span is looked at only while something fits it, so there are as
/// many steps as pairs.
fn in_order<'a, I: Iterator<Item = &'a Slot>, const S: usize, const C: usize>(
    mut spans: [(Peekable<I>, &[usize]); S],
    mut calls: [Peekable<I>; C],
) -> Vec<Pair> {
    let mut pairs = Vec::new();
    loop {
        let mut first: Option<(&Slot, usize, &Slot, usize)> = None;
        for (index, (queue, fits)) in spans.iter_mut().enumerate() {
            let call = fits.iter().filter_map(|call| Some((*calls[*call].peek()?, *call))).min();
            if let (Some(span), Some((call, from))) = (queue.peek(), call)
                && first.is_none_or(|(known, ..)| *span < known)
            {
                first = Some((*span, index, call, from));
            }
        }
        let Some((span, index, call, from)) = first else { return pairs };
        pairs.push((call.1, span.1));
        spans[index].0.next();
        calls[from].next();
    }
}

impl Side {
    /// What a component is in a turn; nothing, if no record of the turn tells of its call.
    fn of(action: &ActionState, turn: TurnId) -> Option<Self> {
        let tool = tool_of(action)?;
        let calls = || {
            action.pieces.values().filter(move |piece| piece.turn == turn).filter_map(|piece| match &piece.says {
                Says::Call(call) => Some((piece, call)),
                _ => None,
            })
        };
        let ran = action.keys.iter().any(|key| matches!(key, Key::Span(..)));
        let proposed = calls().any(|(_, call)| call.moment == Moment::Proposed);
        let spoken = proposed || calls().any(|(_, call)| call.moment == Moment::Carried);
        let told_alone = action.keys.iter().all(|key| matches!(key, Key::Part(..)));
        let kind = match (ran, spoken) {
            (true, false) => Kind::Span,
            (false, true) if !told_alone => Kind::Array,
            (false, true) if proposed => Kind::Event,
            _ => return None,
        };
        let at = |piece: &Piece| if ran { piece.start } else { piece.end };
        let tells = |call: &Moment| !matches!(call, Moment::Answered { .. } | Moment::History);
        let time = calls().filter(|(_, call)| tells(&call.moment)).map(|(piece, _)| at(piece)).min();
        calls().next()?;
        Some(Self {
            tool,
            kind,
            has_id: action.keys.iter().any(|key| matches!(key, Key::Call(..))),
            digest: calls().find_map(|(_, call)| call.arguments.value().map(|text| text.digest)),
            order: (!ran && !proposed, time.unwrap_or_default(), action.keys.first().cloned()),
        })
    }
}

/// The tool that a component's records agree on, if any names one; else the one that most name.
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Hash;
    use proptest::collection::vec;
    use proptest::prelude::*;

    /// The rule as one would say it: all against all.
    fn plain(sides: &BTreeMap<Handle, Side>) -> BTreeMap<Handle, Handle> {
        let of = |kind| {
            let mut found: Vec<_> = sides.iter().filter(|(_, side)| side.kind == kind).collect();
            found.sort_by_key(|(handle, side)| (side.order.clone(), **handle));
            found
        };
        let (spans, mut arrays, mut events) = (of(Kind::Span), of(Kind::Array), of(Kind::Event));
        let exact = |one: &Side, other: &Side| one.digest.is_some() && one.digest == other.digest;
        let vague = |one: &Side, other: &Side| one.digest.is_none() || other.digest.is_none();
        let mut pairs = BTreeMap::new();
        let mut pair = |spans: &mut Vec<(&Handle, &Side)>,
                        calls: &mut Vec<(&Handle, &Side)>,
                        fits: &dyn Fn(&Side, &Side) -> bool| {
            spans.retain(|(span, side)| {
                let fits = |call: &Side| call.tool == side.tool && !(side.has_id && call.has_id) && fits(side, call);
                let found = calls.iter().position(|(_, call)| fits(call));
                found.is_none_or(|found| pairs.insert(*calls.remove(found).0, **span).is_some())
            });
        };
        for calls in [&mut arrays, &mut events] {
            let mut left = spans.clone();
            pair(&mut left, calls, &exact);
            pair(&mut left, calls, &vague);
        }
        pair(&mut arrays, &mut events, &exact);
        pairs
    }

    fn side() -> impl Strategy<Value = Side> {
        let kind = prop_oneof![Just(Kind::Span), Just(Kind::Array), Just(Kind::Event)];
        let digest = proptest::option::of(0u8..3);
        (kind, any::<bool>(), digest, 0u64..8, "[ab]").prop_map(|(kind, has_id, digest, time, tool)| Side {
            tool: tool.into(),
            kind,
            has_id: has_id && kind != Kind::Event,
            digest: digest.map(|byte| Digest { bytes: Hash([byte; 32]), ..crate::values::digest_bytes(b"") }),
            order: (false, Nanos(time), None),
        })
    }

    proptest! {
        /// Sides come, change and go, and pairs are looked for or not: the pairs kept are those of the plain rule.
        #[test]
        fn pairs_that_are_kept_are_those_of_the_plain_rule(
            steps in vec((0u64..24, proptest::option::weighted(0.8, side()), prop::bool::weighted(0.9)), 1..60),
        ) {
            let mut pairs = KthPairs::default();
            for (handle, side, paired) in steps {
                pairs.place(handle, side);
                let before = pairs.span_of.clone();
                let told = pairs.compute(paired);
                let want = if paired { plain(&pairs.sides) } else { BTreeMap::new() };
                prop_assert_eq!(&pairs.span_of, &want);
                let moved = |call: &Handle| before.get(call) != want.get(call);
                prop_assert!(before.keys().chain(want.keys()).filter(|call| moved(call)).all(|it| told.contains(it)));
                let calls: usize = pairs.calls_of.values().map(BTreeSet::len).sum();
                prop_assert_eq!(calls, want.len());
            }
        }
    }
}
