//! The span tree of a turn: what stands above a tool or agent span, up to the nearest tool or agent.
//!
//! A producer may send a span twice and name another parent the second time. Which record came first must not matter,
//! so all that was said of a span's place holds: one looks up from each and by each.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::model::{Nanos, Node, SpanId, SpanNode};

use super::state::{About, TurnState};

/// How far up a span tree is looked.
pub(super) const ANCESTORS: usize = 64;
/// Of how many places of one span is kept track besides its greatest record's.
const OTHERS: usize = 3;

/// What a tool or agent span has to do with one above it.
pub(super) enum Met {
    /// Two tool spans of one call.
    Same,
    /// The tool that is the agent's caller.
    Caller,
    /// Nothing.
    Another,
}

impl TurnState {
    /// Puts a record of a span into the tree. The tool and agent spans from which to look up again.
    pub(super) fn put_span(&mut self, span: SpanId, node: SpanNode) -> BTreeSet<SpanId> {
        let known = self.nodes(span).any(|known| same_place(known, &node));
        if !known && self.nodes(span).count() > OTHERS {
            return BTreeSet::new();
        }
        let mut starts = self.below.get(&span).cloned().unwrap_or_default();
        if works(&node) || node.node == Node::Model || self.speaks(span) {
            starts.insert(span);
        }
        self.missing.remove(&span);
        let Some(kept) = self.spans.get_mut(&span) else {
            self.spans.insert(span, node);
            return starts;
        };
        let lesser = if node > *kept { std::mem::replace(kept, node) } else { node };
        if !same_place(kept, &lesser) {
            let timeless = SpanNode { start: Nanos(0), end: Nanos(0), ..lesser };
            self.others.entry(span).or_default().insert(timeless);
        }
        if known { BTreeSet::new() } else { starts }
    }

    /// Looks up from a tool or agent span: which spans it meets. Spans above it know from now on that it is below.
    pub(super) fn look_up(&mut self, start: SpanId) -> Vec<(SpanId, Met)> {
        let mut met = Vec::new();
        let speaks = self.speaks(start);
        let looks = |node: &&SpanNode| speaks || works(node) || node.node == Node::Model;
        let from: Vec<SpanNode> = self.nodes(start).filter(looks).cloned().collect();
        for from in &from {
            for above in self.above(from) {
                self.below.entry(above).or_default().insert(start);
                if works(from) && !self.spans.contains_key(&above) {
                    self.missing.insert(above);
                }
                met.extend(self.nodes(above).map(|node| (above, meet(from, node))));
            }
        }
        met
    }

    /// Looks up from every span: what follows from the tree is not stored.
    pub(super) fn look_up_all(&mut self) {
        let spans: Vec<SpanId> = self.spans.keys().copied().collect();
        for span in spans {
            self.look_up(span);
        }
    }

    /// Whether spans are known to exist that never came: the root, or one above a tool or agent.
    pub(super) fn has_gaps(&self) -> bool {
        !self.spans.is_empty() && (self.root_ended.is_none() || !self.missing.is_empty())
    }

    /// The spans above one, nearest first, by their greatest records.
    pub(super) fn path_up(&self, span: SpanId) -> impl Iterator<Item = (SpanId, &SpanNode)> {
        let known = |span: SpanId| Some((span, self.spans.get(&span)?));
        std::iter::successors(known(span), move |(_, node)| known(node.parent?)).skip(1).take(ANCESTORS)
    }

    /// Whether something was said by a span that may be about the tool above it.
    fn speaks(&self, span: SpanId) -> bool {
        self.attached.contains_key(&About::Span(span))
    }

    /// Who stands above a span: its agents, and the nearest tool.
    pub(super) fn view(&self, span: SpanId) -> (Vec<SpanId>, Option<SpanId>) {
        let agents = self.path_up(span).filter(|(_, node)| node.node == Node::Agent || node.agent.is_some());
        (agents.map(|(agent, _)| agent).collect(), self.tool_above(span))
    }

    /// What is seen from a span and from those below it that look up, before its record is put into the tree.
    pub(super) fn views_from(&self, span: SpanId) -> Vec<(SpanId, (Vec<SpanId>, Option<SpanId>))> {
        let own = self.spans.contains_key(&span).then_some(span);
        let below = self.below.get(&span).into_iter().flatten().copied();
        own.into_iter().chain(below).map(|start| (start, self.view(start))).collect()
    }

    /// The tool span that is the nearest above a span of those that work.
    pub(super) fn tool_above(&self, span: SpanId) -> Option<SpanId> {
        let (above, node) = self.path_up(span).find(|(_, node)| works(node))?;
        (node.node == Node::Tool).then_some(above)
    }

    /// Whether a span is a tool's, or the nearest that works above it is.
    pub(super) fn is_below_a_tool(&self, span: SpanId) -> bool {
        let own = self.spans.get(&span).into_iter();
        let path = own.chain(self.path_up(span).map(|(_, node)| node));
        path.filter(|node| works(node)).map(|node| node.node == Node::Tool).next().unwrap_or(false)
    }

    /// The spans below a tool's that say something about it.
    pub(super) fn speakers_below(&self, tool: SpanId) -> impl Iterator<Item = SpanId> + '_ {
        let below = self.below.get(&tool).into_iter().flatten().copied();
        below.filter(|span| self.speaks(*span) && self.spans.get(span).is_some_and(|node| !works(node)))
    }

    /// All that was said of a span.
    pub(super) fn nodes(&self, span: SpanId) -> impl Iterator<Item = &SpanNode> {
        self.spans.get(&span).into_iter().chain(self.others.get(&span).into_iter().flatten())
    }

    /// The spans above one, up to the nearest tools and agents; those that are not here among them.
    fn above(&self, from: &SpanNode) -> Vec<SpanId> {
        let mut found = Vec::new();
        let mut next: Vec<SpanId> = from.parent.into_iter().collect();
        while let Some(above) = next.pop() {
            if found.len() < ANCESTORS && !found.contains(&above) {
                found.push(above);
                // What was done for a model is nothing that a tool above it did.
                let goes_on = |node: &&SpanNode| !works(node) && (works(from) || node.node != Node::Model);
                next.extend(self.nodes(above).filter(goes_on).filter_map(|node| node.parent));
            }
        }
        found
    }
}

fn works(node: &SpanNode) -> bool {
    matches!(node.node, Node::Tool | Node::Agent)
}

/// Two records say the same of a span's place; its times are not part of it.
fn same_place(one: &SpanNode, other: &SpanNode) -> bool {
    (one.parent, one.node, &one.tool, &one.call_id) == (other.parent, other.node, &other.tool, &other.call_id)
}

fn meet(from: &SpanNode, above: &SpanNode) -> Met {
    match (from.node, above.node) {
        (Node::Tool, Node::Tool) => {
            let same = above.tool == from.tool && from.tool.is_some() && !contradict(&above.call_id, &from.call_id);
            if same { Met::Same } else { Met::Another }
        }
        (Node::Agent, Node::Tool) => Met::Caller,
        _ => Met::Another,
    }
}

/// Two ids that are both there and differ.
fn contradict(one: &Option<Arc<str>>, other: &Option<Arc<str>>) -> bool {
    matches!((one, other), (Some(one), Some(other)) if one != other)
}
