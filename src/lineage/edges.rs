//! What ties a turn to others, and an agent to another. Turns never merge: an edge says that one goes on from another,
//! by which rule, and how sure that is.
//!
//! | method | the later turn … the earlier one | confidence |
//! |---|---|---|
//! | span link | links to a span of | explicit |
//! | A2A task | works on the same task as | explicit |
//! | response id | continues the last response of | explicit |
//! | delegation | is of the conversation that was handed work by | computed |
//! | history call | carries as history a call of | computed |
//! | history text | carries as history what was asked and answered in | inferred |
//!
//! Text alone ties only where no conversation id does, and only to the one earlier turn of the same service that fits:
//! of two, nobody knows which.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::model::{Delegation, Edge, Hash, JoinMethod, Key, Moment, Nanos, Node, Provenance, Pseudo, Says, SpanId};
use crate::model::{Piece, Tenant, Tie, Turn, TurnId};

use super::pair::{Group, Half, REPEATED};
use super::state::{ActionState, Book, Handle, TurnState};

/// How many edges and delegations a turn's record shows.
const SHOWN: usize = 256;

/// How many answers of others a turn is tied by: the last.
const READ: usize = 4;

/// Who gives a tie, and who takes it up.
#[derive(Debug, Default)]
pub(super) struct Tied {
    givers: BTreeSet<TurnId>,
    pub(super) takers: BTreeSet<TurnId>,
}

/// The ties of one turn. Follow from its state.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Ties {
    /// What others may take up.
    pub gives: BTreeSet<Tie>,
    /// What it takes up of others.
    pub takes: BTreeSet<Tie>,
}

impl Book {
    /// One turn as a record: what its actions share, whom it handed work to, what it goes on from.
    pub fn turn(&self, turn: TurnId, closed: bool) -> Option<Turn> {
        let state = self.turns.get(&turn)?;
        let mut record =
            Turn { delegations: self.delegations(state), edges: self.edges(state), ..state.record(closed) };
        self.put_above(state, &mut record);
        Some(record)
    }

    /// Brings the index of ties up to date with a turn.
    pub(super) fn tie(&mut self, turn: TurnId) {
        let Some(state) = self.turns.get(&turn) else { return };
        let new = state.tied();
        if new == state.ties {
            return;
        }
        let tenant = state.tenant.clone();
        let old =
            std::mem::replace(&mut Arc::make_mut(self.turns.get_mut(&turn).expect("just seen")).ties, new.clone());
        self.untie(&tenant, turn, &old);
        for tie in new.gives {
            self.by_tie.entry((tenant.clone(), tie)).or_default().givers.insert(turn);
        }
        for tie in new.takes {
            self.by_tie.entry((tenant.clone(), tie)).or_default().takers.insert(turn);
        }
    }

    /// Takes a turn's ties out of the index.
    pub(super) fn untie(&mut self, tenant: &Tenant, turn: TurnId, ties: &Ties) {
        for tie in ties.gives.union(&ties.takes) {
            let key = (tenant.clone(), tie.clone());
            let Some(tied) = self.by_tie.get_mut(&key) else { continue };
            tied.givers.remove(&turn);
            tied.takers.remove(&turn);
            if tied.givers.is_empty() && tied.takers.is_empty() {
                self.by_tie.remove(&key);
            }
        }
    }

    /// Turns that take up what this one gives: their edges may be others when it changes.
    pub fn takers(&self, turn: TurnId) -> BTreeSet<TurnId> {
        let Some(state) = self.turns.get(&turn) else { return BTreeSet::new() };
        // What was done last decides what a check of the conversation is about.
        let checked = state.conversation.iter().filter(|it| self.is_checked(&state.tenant, &it.value));
        let checked = checked.map(|it| Tie::Conversation(it.value.clone()));
        let taken: BTreeSet<Tie> = state.ties.gives.iter().map(taken_as).chain(checked).collect();
        let tied = taken.into_iter().filter_map(|tie| self.by_tie.get(&(state.tenant.clone(), tie)));
        let few = tied.filter(|tied| tied.takers.len() <= REPEATED);
        few.flat_map(|tied| &tied.takers).copied().filter(|taker| *taker != turn).collect()
    }

    /// Turns in which a component is nothing but history: they go on from where the call was made.
    pub fn remembers(&self, handle: Handle) -> BTreeSet<TurnId> {
        self.memory(handle).map(|half| half.turns).unwrap_or_default()
    }

    /// A component that is nothing but history.
    fn memory(&self, handle: Handle) -> Option<Half<'_>> {
        let old = |piece: &Piece| match &piece.says {
            Says::Call(call) => matches!(call.moment, Moment::History | Moment::Answered { history: true, .. }),
            _ => true,
        };
        let all_old = self.actions.get(&handle)?.pieces.values().all(old);
        all_old.then(|| self.half(handle)).flatten().filter(|half| half.is_history)
    }

    fn edges(&self, later: &TurnState) -> Vec<Edge> {
        let mut found: BTreeMap<TurnId, (Provenance, JoinMethod)> = BTreeMap::new();
        let mut add = |with: TurnId, method, confidence| {
            let edge = found.entry(with).or_insert((confidence, method));
            *edge = (*edge).max((confidence, method));
        };
        for linked in &later.links {
            add(*linked, JoinMethod::Link, Provenance::Explicit);
        }
        for tie in &later.ties.takes {
            let Some(earlier) = self.giver(tie, later) else { continue };
            let (method, confidence) = match tie {
                Tie::Response(_) => (JoinMethod::Response, Provenance::Explicit),
                Tie::Task(_) => (JoinMethod::Task, Provenance::Explicit),
                // Conversation ids are not identities: another service may have the same by chance.
                Tie::Conversation(_) if earlier.service() == later.service() => {
                    (JoinMethod::Delegated, Provenance::Computed)
                }
                Tie::Conversation(_) => (JoinMethod::Delegated, Provenance::Inferred),
                Tie::Answer(_) => (JoinMethod::Answer, Provenance::Inferred),
                Tie::Stands(_) | Tie::Checks(_) | Tie::Modes(_) => continue,
            };
            add(earlier.id, method, confidence);
        }
        for earlier in self.remembered(later) {
            add(earlier, JoinMethod::History, Provenance::Computed);
        }
        let edge = |(with, (confidence, method))| Edge { with, method, confidence };
        found.into_iter().map(edge).take(SHOWN).collect()
    }

    /// The latest earlier turn that gives a tie.
    pub(super) fn giver(&self, tie: &Tie, later: &TurnState) -> Option<&Arc<TurnState>> {
        let mut fitting: Vec<&Arc<TurnState>> = self
            .givers(&later.tenant, tie)
            .filter(|earlier| earlier.order() < later.order())
            .filter(|earlier| crosses(tie) || earlier.service() == later.service())
            .filter(|earlier| !matches!(tie, Tie::Answer(_)) || later.carries(earlier))
            .collect();
        fitting.sort_by_key(|earlier| earlier.order());
        let certain = !matches!(tie, Tie::Answer(_)) || fitting.len() == 1;
        fitting.pop().filter(|_| certain)
    }

    /// The turns that give a tie. None of too many: what so many give is no identity.
    pub(super) fn givers<'a>(
        &'a self,
        tenant: &Tenant,
        tie: &Tie,
    ) -> impl Iterator<Item = &'a Arc<TurnState>> + use<'a> {
        let tied = self.by_tie.get(&(tenant.clone(), tie.clone())).filter(|tied| tied.givers.len() <= REPEATED);
        tied.into_iter().flat_map(|tied| &tied.givers).filter_map(|giver| self.turns.get(giver))
    }

    /// The turns whose calls this one carries as history: of each call the latest that made it.
    fn remembered(&self, later: &TurnState) -> BTreeSet<TurnId> {
        let mut found = BTreeSet::new();
        for handle in &later.members {
            let Some(own) = self.memory(*handle) else { continue };
            let order = own.order;
            let halves = self.halves(own);
            let Some(own) = halves.iter().find(|half| half.order == order) else { continue };
            let made = |half: &&Half<'_>| !half.is_history && half.order < order && half.may_be(own);
            found.extend(halves.iter().rfind(made).and_then(|half| half.turns.first()));
        }
        found.remove(&later.id);
        found
    }

    fn delegations(&self, turn: &TurnState) -> Vec<Delegation> {
        let hands = |action: &&Arc<ActionState>| {
            action.delegates || action.pieces.values().any(|piece| hands_over(piece).is_some())
        };
        let members = turn.members.iter().filter_map(|handle| self.actions.get(handle)).filter(hands);
        let groups: BTreeMap<Handle, Group> =
            members.filter_map(|action| self.group(action.handle)).map(|group| (group.root, group)).collect();
        let agents = turn.agents();
        let handed = groups.values().flat_map(|group| {
            let parts: Vec<&ActionState> =
                group.all().filter_map(|handle| self.actions.get(&handle)).map(|action| &**action).collect();
            turn.handed_over(&parts, &agents)
        });
        let mut found: BTreeSet<Delegation> = BTreeSet::new();
        handed.for_each(|delegation| {
            found.insert(delegation);
            if found.len() > SHOWN {
                found.pop_last();
            }
        });
        // A handoff is told by its span and by the model's call of it; the one may know what the other does not.
        let told = found.clone();
        found.retain(|one| {
            let says_more = |other: &Delegation| {
                other != one
                    && (one.from.is_none() || one.from == other.from)
                    && (one.to.is_none() || one.to == other.to)
            };
            !told.iter().any(says_more)
        });
        found.into_iter().collect()
    }
}

impl TurnState {
    /// What ties it to others.
    pub fn ties(&self) -> &Ties {
        &self.ties
    }

    /// What ties it to others, computed from its state.
    fn tied(&self) -> Ties {
        let responses = self.responses.iter().map(|(_, id)| Tie::Response(id.clone()));
        let own: BTreeSet<Hash> = self.answers.iter().map(|(_, hash)| *hash).collect();
        let answers = own.iter().map(|hash| Tie::Answer(*hash));
        let tasks = self.takes.iter().filter(|tie| matches!(tie, Tie::Task(_)));
        let others = self.answers_read.iter().rev().filter(|(_, hash)| !own.contains(hash)).take(READ);
        let read = others.map(|(_, hash)| Tie::Answer(*hash));
        let conversation = self.conversation.iter().map(|it| Tie::Conversation(it.value.clone()));
        let of_conversation = |tie: fn(Arc<str>) -> Tie| self.conversation.iter().map(move |it| tie(it.value.clone()));
        let states = of_conversation(Tie::Stands).filter(|_| self.states());
        let checks = of_conversation(Tie::Checks).filter(|_| self.checks_others());
        let modes = of_conversation(Tie::Modes).filter(|_| !self.modes.is_empty());
        Ties {
            gives: responses
                .chain(answers)
                .chain(self.gives.iter().chain(tasks).cloned())
                .chain(states)
                .chain(checks)
                .chain(modes)
                .collect(),
            takes: self.takes.iter().cloned().chain(read).chain(conversation).collect(),
        }
    }

    /// Turns in the order in which they began.
    pub(super) fn order(&self) -> (Nanos, TurnId) {
        (self.start, self.id)
    }

    pub(super) fn service(&self) -> Option<&crate::model::Service> {
        self.service.as_ref().map(|service| &service.value)
    }

    /// Whether its messages hold what the user asked in another turn, and no conversation id says it better.
    fn carries(&self, earlier: &Self) -> bool {
        if self.conversation.is_some() || earlier.conversation.is_some() {
            return false;
        }
        let asked = earlier.intent().and_then(|intent| intent.value.value());
        asked.is_some_and(|asked| self.users_read.iter().any(|(_, hash)| *hash == asked.digest.bytes))
    }

    /// The delegations that a call is: to each agent below its span, to the agent that its tool stands for, else to
    /// whom its records name.
    fn handed_over(&self, parts: &[&ActionState], agents: &BTreeMap<String, Arc<str>>) -> Vec<Delegation> {
        let pieces = || parts.iter().flat_map(|part| part.pieces.values()).filter(|piece| piece.turn == self.id);
        let told = || pieces().filter_map(|piece| Some((piece, hands_over(piece)?)));
        let spans = parts.iter().flat_map(|part| &part.keys).filter_map(|key| match key {
            Key::Span(trace, span) if self.trace == Some(*trace) => Some(*span),
            _ => None,
        });
        let spans: Vec<SpanId> = spans.collect();
        let behind =
            || told().filter_map(|(_, hands)| if let Hands::Behind(agent) = hands { Some(agent) } else { None });
        let called = told().any(|(_, hands)| matches!(hands, Hands::To(_))) || !spans.is_empty();
        if !called {
            return Vec::new();
        }
        let above = |span: SpanId| self.agent_above(span, &spans).map(|(_, agent)| agent);
        let own = spans.iter().filter_map(|span| above(*span)).next();
        let speaker = || {
            let callers = told().filter(|(_, hands)| matches!(hands, Hands::To(_)));
            callers.filter_map(|(piece, _)| piece.agent.as_ref().or(above(piece.span?.1))).min()
        };
        let from = own.or_else(speaker).map(|(name, _)| name.clone());
        let mut to: BTreeSet<Arc<str>> = spans.iter().flat_map(|span| self.agents_below(*span)).collect();
        to.extend(behind().cloned());
        if to.is_empty() {
            let named = told().filter_map(|(_, hands)| if let Hands::To(to) = hands { to } else { None });
            to.extend(named.map(|to| agents.get(&plain(to)).unwrap_or(to).clone()));
        }
        if to.is_empty() {
            let ended = told().map(|(piece, _)| piece.end).min();
            to.extend(ended.and_then(|ended| self.agent_after(ended, from.as_ref())));
        }
        match to.is_empty() {
            true => vec![Delegation { from, to: None }],
            false => to.into_iter().map(|to| Delegation { from: from.clone(), to: Some(to) }).collect(),
        }
    }

    /// Agents whose spans stand below a tool's, with no other tool or agent between.
    fn agents_below(&self, tool: SpanId) -> impl Iterator<Item = Arc<str>> + '_ {
        let below = self.below.get(&tool).into_iter().flatten().filter_map(|span| self.spans.get(span));
        below.filter(|node| node.node == Node::Agent).filter_map(|node| Some(node.agent.as_ref()?.0.clone()))
    }

    /// Agents by their plain names: a call writes a name in its own way.
    fn agents(&self) -> BTreeMap<String, Arc<str>> {
        let named = self.spans.values().filter_map(|node| node.agent.as_ref());
        let mut agents: BTreeMap<String, Arc<str>> = BTreeMap::new();
        for (name, _) in named {
            let known = agents.entry(plain(name)).or_insert_with(|| name.clone());
            if name < known {
                known.clone_from(name);
            }
        }
        agents
    }

    /// The first agent that begins after a handoff which names nobody.
    fn agent_after(&self, ended: Nanos, from: Option<&Arc<str>>) -> Option<Arc<str>> {
        let later = self.spans.iter().filter(|(_, node)| node.start >= ended);
        let agents = later.filter_map(|(span, node)| Some((node.start, *span, &node.agent.as_ref()?.0)));
        agents.filter(|(.., agent)| Some(*agent) != from).min().map(|(.., agent)| agent.clone())
    }
}

/// How a piece hands work over.
enum Hands<'a> {
    /// It is a call that hands over, to whom it says.
    To(Option<&'a Arc<str>>),
    /// It is the run of an agent that a tool may stand for.
    Behind(&'a Arc<str>),
}

/// What a piece hands over, now and not in a history.
fn hands_over(piece: &Piece) -> Option<Hands<'_>> {
    let Says::Call(call) = &piece.says else { return None };
    let now = matches!(call.moment, Moment::Proposed | Moment::Asked | Moment::Ran { .. });
    match &call.pseudo {
        Some(Pseudo::Delegation { to }) if now => Some(Hands::To(to.as_ref())),
        Some(Pseudo::Behind { agent }) if now => Some(Hands::Behind(agent)),
        _ => None,
    }
}

/// As what others take a tie up: every turn of a conversation takes what its turns state, check and set.
pub fn taken_as(tie: &Tie) -> Tie {
    match tie {
        Tie::Stands(conversation) | Tie::Checks(conversation) | Tie::Modes(conversation) => {
            Tie::Conversation(conversation.clone())
        }
        tie => tie.clone(),
    }
}

/// Whether a tie leads to other services: an agent's peer is one.
fn crosses(tie: &Tie) -> bool {
    matches!(tie, Tie::Task(_) | Tie::Conversation(_))
}

/// A name without case and without what stands between its words.
fn plain(name: &str) -> String {
    name.chars().filter(|letter| letter.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}
