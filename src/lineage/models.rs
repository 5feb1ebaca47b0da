//! The model calls of a turn, each once, however many records tell of it.
//!
//! ```text
//! records of one span       the span of the call, its details event, a second copy    fields joined
//! spans of one call         framework's span > SDK's span, with nothing that works between    the outermost stands
//! one response              two instrumentations side by side, a log record elsewhere    by response id
//! ```
//!
//! A log record in the span of another work (an agent's, a request's) tells of a call of its own, inside the nearest
//! span of a call above it.
//!
//! Of two counts for one call the larger counts: one of the records may tell less, or nothing. Where one span stands
//! for several below it (a request that was sent again), theirs are added first. Everything is a function of the set.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::model::{Cost, EvidenceId, ModelUse, Node, SpanId};

use super::state::TurnState;
use super::tree::ANCESTORS;

/// Two records of one span, or of one response: of each field the greater, so that neither order nor repetition
/// matters. Nothing said is smaller than anything.
pub(super) fn join(one: ModelUse, other: ModelUse) -> ModelUse {
    ModelUse {
        end: one.end.max(other.end),
        provider: one.provider.max(other.provider),
        model: one.model.max(other.model),
        tokens: (one.tokens.0.max(other.tokens.0), one.tokens.1.max(other.tokens.1)),
        response_id: one.response_id.max(other.response_id),
        cost: one.cost.max(other.cost),
    }
}

/// Adds what a record tells under its key.
pub(super) fn tell<K: Ord>(told: &mut BTreeMap<K, ModelUse>, key: K, used: ModelUse) {
    let used = match told.remove(&key) {
        Some(known) => join(known, used),
        None => used,
    };
    told.insert(key, used);
}

impl TurnState {
    /// The model calls, by end time.
    pub(super) fn model_calls(&self) -> Vec<ModelUse> {
        let mut calls = by_response(self.outermost_uses());
        calls.sort();
        calls
    }

    /// Spans of one call made one, from the innermost outwards. Spans that name each other as parents are no call of
    /// one another: each of such a circle stands for itself.
    fn outermost_uses(&self) -> Vec<ModelUse> {
        let mut uses = self.uses_of_spans();
        let outwards = |span: &SpanId| Some((*span, self.model_span_above(*span, &uses)?));
        let above: BTreeMap<SpanId, SpanId> = uses.keys().filter_map(outwards).collect();
        let mut waits_for: BTreeMap<SpanId, usize> = BTreeMap::new();
        for outer in above.values() {
            *waits_for.entry(*outer).or_default() += 1;
        }
        let mut ready: Vec<SpanId> = uses.keys().filter(|span| !waits_for.contains_key(span)).copied().collect();
        let (mut inside, mut outermost) = self.logged_elsewhere(&uses);
        while let Some(span) = ready.pop() {
            let Some(used) = uses.remove(&span) else { continue };
            let whole = around(used, inside.remove(&span));
            let Some(outer) = above.get(&span) else {
                outermost.push(whole);
                continue;
            };
            let siblings = inside.remove(outer);
            inside.insert(*outer, siblings.map_or(whole.clone(), |siblings| beside(siblings, whole)));
            let waits = waits_for.entry(*outer).or_default();
            *waits -= 1;
            if *waits == 0 {
                ready.push(*outer);
            }
        }
        outermost.extend(uses.into_iter().map(|(span, used)| around(used, inside.remove(&span))));
        outermost
    }

    /// What the spans of calls tell, and the log records in them.
    fn uses_of_spans(&self) -> BTreeMap<SpanId, ModelUse> {
        let mut uses = self.models.clone();
        for ((place, _), used) in &self.logged {
            if let Some(span) = place.filter(|span| self.is_model_span(*span)) {
                tell(&mut uses, span, used.clone());
            }
        }
        uses
    }

    /// The calls that only log records tell of: inside which span of a call, and those inside none. A copy of a record
    /// in its span is no call.
    fn logged_elsewhere(&self, uses: &BTreeMap<SpanId, ModelUse>) -> (BTreeMap<SpanId, ModelUse>, Vec<ModelUse>) {
        let mut by_place: BTreeMap<Option<SpanId>, BTreeSet<(Option<EvidenceId>, &ModelUse)>> = BTreeMap::new();
        for ((place, record), used) in &self.logged {
            let itself = place.is_none().then_some(*record);
            if !place.is_some_and(|span| self.is_model_span(span)) {
                by_place.entry(*place).or_default().insert((itself, used));
            }
        }
        let mut by_outer: BTreeMap<Option<SpanId>, Vec<ModelUse>> = BTreeMap::new();
        for (place, told) in by_place {
            let outer = place.and_then(|place| self.nearest_model_span(BTreeSet::from([place]), BTreeSet::new(), uses));
            by_outer.entry(outer).or_default().extend(told.into_iter().map(|(_, used)| used.clone()));
        }
        let alone = by_outer.remove(&None).unwrap_or_default();
        let inside = by_outer.into_iter().filter_map(|(outer, told)| {
            let together = by_response(told).into_iter().reduce(beside)?;
            Some((outer?, together))
        });
        (inside.collect(), alone)
    }

    fn is_model_span(&self, span: SpanId) -> bool {
        self.models.contains_key(&span) || self.nodes(span).any(|node| node.node == Node::Model)
    }

    /// The nearest span above one that tells of a call. A tool, an agent, a check or a retrieval between them makes
    /// another call of it.
    fn model_span_above(&self, span: SpanId, uses: &BTreeMap<SpanId, ModelUse>) -> Option<SpanId> {
        let parents = self.nodes(span).filter_map(|node| node.parent);
        self.nearest_model_span(parents.collect(), BTreeSet::from([span]), uses)
    }

    fn nearest_model_span(
        &self,
        mut next: BTreeSet<SpanId>,
        mut seen: BTreeSet<SpanId>,
        uses: &BTreeMap<SpanId, ModelUse>,
    ) -> Option<SpanId> {
        let parents = |span| self.nodes(span).filter_map(|node| node.parent);
        let passes = |span| self.nodes(span).all(|node| matches!(node.node, Node::Model | Node::Other));
        while let (Some(at), true) = (next.pop_first(), seen.len() < ANCESTORS) {
            if !seen.insert(at) || !passes(at) {
                continue;
            }
            if uses.contains_key(&at) {
                return Some(at);
            }
            next.extend(parents(at));
        }
        None
    }
}

/// A call as its outer span tells it, and as what lies inside does.
fn around(outer: ModelUse, inner: Option<ModelUse>) -> ModelUse {
    let Some(inner) = inner else { return outer };
    let named = |outer: Arc<str>, inner| if outer.is_empty() { inner } else { outer };
    ModelUse {
        end: outer.end,
        provider: named(outer.provider, inner.provider),
        model: named(outer.model, inner.model),
        tokens: (outer.tokens.0.max(inner.tokens.0), outer.tokens.1.max(inner.tokens.1)),
        response_id: outer.response_id.or(inner.response_id),
        cost: outer.cost.max(inner.cost),
    }
}

/// Two spans inside one: what they count is added.
fn beside(one: ModelUse, other: ModelUse) -> ModelUse {
    let tokens = (one.tokens.0.saturating_add(other.tokens.0), one.tokens.1.saturating_add(other.tokens.1));
    let cost = one.cost.map_or(other.cost, |cost| Some(cost.plus(other.cost.unwrap_or(Cost(0)))));
    ModelUse { tokens, cost, ..join(one, other) }
}

/// Uses with one response id are one, unless their counts contradict each other: some servers draw ids from a thousand
/// numbers, so that one turn may have the same id twice.
fn by_response(mut uses: Vec<ModelUse>) -> Vec<ModelUse> {
    let told = |used: &ModelUse| used.tokens != (0, 0);
    uses.sort_by(|one, other| (&one.response_id, other.tokens, one).cmp(&(&other.response_id, one.tokens, other)));
    let mut calls: Vec<ModelUse> = Vec::with_capacity(uses.len());
    for used in uses {
        match calls.pop() {
            Some(known)
                if known.response_id.is_some()
                    && known.response_id == used.response_id
                    && (known.tokens == used.tokens || !told(&used)) =>
            {
                calls.push(join(known, used));
            }
            known => calls.extend(known.into_iter().chain([used])),
        }
    }
    calls
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Nanos, SpanNode, Tenant, TurnId};

    fn id(number: u8) -> SpanId {
        SpanId([number; 8])
    }

    fn used(tokens: (u64, u64)) -> ModelUse {
        let (provider, model) = ("".into(), "m".into());
        ModelUse { end: Nanos(9), provider, model, tokens, response_id: None, cost: None }
    }

    /// A turn of spans: number, parent, what kind of work, and what a model used there.
    fn calls(spans: &[(u8, u8, Node, Option<ModelUse>)]) -> Vec<ModelUse> {
        let mut turn = TurnState::new(TurnId::default(), Tenant::default(), None);
        for (span, parent, node, used) in spans {
            let parent = (*parent > 0).then(|| id(*parent));
            let (tool, call_id, remote_parent) = (None, None, false);
            let place = SpanNode {
                parent,
                node: *node,
                tool,
                call_id,
                agent: None,
                remote_parent,
                start: Nanos(0),
                end: Nanos(9),
            };
            turn.put_span(id(*span), place);
            if let Some(used) = used {
                turn.models.insert(id(*span), used.clone());
            }
        }
        turn.model_calls()
    }

    fn tokens(spans: &[(u8, u8, Node, Option<ModelUse>)]) -> Vec<(u64, u64)> {
        calls(spans).into_iter().map(|used| used.tokens).collect()
    }

    #[test]
    fn the_span_of_an_sdk_below_that_of_a_framework_is_the_same_call() {
        let (model, other) = (Node::Model, Node::Other);
        let named = |tokens| ModelUse { provider: "openai".into(), response_id: Some("r".into()), ..used(tokens) };
        let got =
            calls(&[(1, 0, model, Some(used((10, 2)))), (2, 1, other, None), (3, 2, model, Some(named((10, 2))))]);
        assert_eq!(got, [named((10, 2))], "what one of them does not say is the other's");
        let three =
            [(1, 0, model, Some(used((0, 0)))), (2, 1, model, Some(used((10, 2)))), (3, 2, model, Some(used((0, 0))))];
        assert_eq!(tokens(&three), [(10, 2)]);
        let again =
            [(1, 0, model, Some(used((0, 0)))), (2, 1, model, Some(used((10, 2)))), (3, 1, model, Some(used((7, 1))))];
        assert_eq!(tokens(&again), [(17, 3)], "sent twice, paid twice");
    }

    #[test]
    fn what_works_between_two_model_spans_makes_two_calls_of_them() {
        for node in [Node::Tool, Node::Agent, Node::Check, Node::Retrieval, Node::Plan] {
            let spans =
                [(1, 0, Node::Model, Some(used((9, 2)))), (2, 1, node, None), (3, 2, Node::Model, Some(used((9, 2))))];
            assert_eq!(tokens(&spans), [(9, 2), (9, 2)], "{node:?}");
        }
        let beside = [
            (1, 0, Node::Agent, None),
            (2, 1, Node::Model, Some(used((9, 2)))),
            (3, 1, Node::Model, Some(used((9, 2)))),
        ];
        assert_eq!(tokens(&beside), [(9, 2), (9, 2)]);
    }

    #[test]
    fn one_response_is_one_call_unless_its_counts_differ() {
        let response = |tokens| Some(ModelUse { response_id: Some("r".into()), ..used(tokens) });
        let model = Node::Model;
        assert_eq!(tokens(&[(1, 0, model, response((9, 2))), (2, 0, model, response((9, 2)))]), [(9, 2)]);
        assert_eq!(tokens(&[(1, 0, model, response((9, 2))), (2, 0, model, response((0, 0)))]), [(9, 2)]);
        assert_eq!(tokens(&[(1, 0, model, response((9, 2))), (2, 0, model, response((8, 2)))]), [(8, 2), (9, 2)]);
    }

    #[test]
    fn spans_in_a_circle_are_all_told() {
        let model = Node::Model;
        let circle =
            [(1, 2, model, Some(used((1, 1)))), (2, 1, model, Some(used((2, 2)))), (3, 2, model, Some(used((3, 3))))];
        assert_eq!(tokens(&circle), [(1, 1), (3, 3)]);
        assert_eq!(tokens(&[(1, 1, model, Some(used((4, 4))))]), [(4, 4)]);
    }
}
