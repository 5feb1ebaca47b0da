//! What a turn stands under: what users said in turns before it that still binds, the mode of approval that was set
//! before it, and whose intent it carries out.
//!
//! | a turn is above another | it hands work over |
//! |---|---|
//! | its response the other continues | no |
//! | a span of the other links to it | no |
//! | it handed work to the other's conversation, in one service | yes |
//! | both work on one A2A task, as two services | yes |
//! | both are of one conversation and one service, and it states a constraint or sets a mode of approval | no |
//!
//! Inferred edges lead nowhere. Neither does history: whoever carries another turn's calls in its messages carries the
//! user's words with them. A turn that was handed work takes its constraints from above alone: what its messages show
//! in the user's place is its caller speaking.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::model::{
    EvidenceId, Hash, ModeAt, Node, Provenance, Shared, SpanId, Stand, StandAt, StandKind, Tie, Turn, TurnId,
};
use crate::values;

use super::state::{Book, Spoken, TurnState, Utterance};

/// How many turns up is looked, one above another.
pub(super) const ABOVE: usize = 8;
/// How many turns are looked at in all.
const TURNS: usize = 256;
/// How many constraints a turn's record has: the last.
const SHOWN: usize = 128;
/// How many constraints a turn keeps of its own, the first, and how many records of each.
const STANDS: usize = 64;
/// How many changes of the mode of approval a turn has from above: the last.
const MODES: usize = 16;
const UTTERED: usize = 4;

/// A constraint in a turn's messages: by its words, and how often they were said before in the same messages.
pub type StandKey = (Hash, u32);

/// What the names of turns above one are.
#[derive(Debug, Default, PartialEq)]
pub struct Above {
    /// Who gives one of these may be above.
    pub ties: BTreeSet<Tie>,
    /// These are.
    pub turns: BTreeSet<TurnId>,
    /// Who takes one of these up may have done what is checked in its conversation.
    pub taken: BTreeSet<Tie>,
}

impl Book {
    /// What an action is judged with: what its turn shares, without the lists that grow with it, what binds it from
    /// before, and whose intent it serves.
    pub fn gist(&self, turn: TurnId, closed: bool) -> Option<Turn> {
        let state = self.turns.get(&turn)?;
        let mut gist = state.gist(closed);
        self.put_above(state, &mut gist);
        Some(gist)
    }

    /// Puts what binds a turn, and whose intent it serves, into its record.
    pub(super) fn put_above(&self, state: &Arc<TurnState>, record: &mut Turn) {
        let above = self.ancestry(state);
        record.stands = self.stands(state, &above);
        let (set_before, own) = (modes(&above), std::mem::take(&mut record.modes));
        record.modes = set_before.into_iter().chain(own).collect();
        record.modes.sort();
        if let Some(root) = self.root(state) {
            record.root = Some(root.id);
            record.task = record.intent.value().cloned();
            if let Some(intent) = root.gist(record.closed).intent.value() {
                let provenance = intent.provenance.min(Provenance::Computed);
                record.intent = crate::model::Known::Value(Shared { provenance, ..intent.clone() });
            }
        }
    }

    /// The turn where the work began that a turn belongs to: its own, when nobody handed it over.
    pub fn root_of(&self, turn: TurnId) -> TurnId {
        let root = self.turns.get(&turn).and_then(|state| self.root(state));
        root.map_or(turn, |root| root.id)
    }

    /// What a turn has from above, as one value: when it changes, its actions are judged again.
    pub fn inherited(&self, turn: TurnId) -> Option<Hash> {
        let state = self.turns.get(&turn)?;
        let above = self.ancestry(state);
        let stands = self.stands(state, &above).into_iter().filter(|stand| stand.from.is_some());
        let (stands, modes): (Vec<StandAt>, _) = (stands.collect(), modes(&above));
        let root = self.root(state).map(|root| (root.id, root.intent().map(|intent| intent.value.clone())));
        let key = |handle| self.actions.get(&handle).and_then(|action| action.keys.first());
        let checked: Vec<_> = self.checked_in(state).into_iter().map(|(check, root)| (check, key(root))).collect();
        let any = !stands.is_empty() || !modes.is_empty() || root.is_some() || !checked.is_empty();
        any.then(|| values::digest_of(&(stands, modes, root, checked)))
    }

    /// Under which names the turns above one are found, as far as those in memory tell.
    pub fn names_above(&self, turn: TurnId) -> Above {
        let mut above = Above::default();
        let Some(state) = self.turns.get(&turn) else { return above };
        let checked = state.conversation.iter().filter(|it| self.is_checked(&state.tenant, &it.value));
        above.taken.extend(checked.map(|it| Tie::Conversation(it.value.clone())));
        above.ties.extend(state.conversation.iter().map(|it| Tie::Checks(it.value.clone())));
        for state in self.ancestry(state).into_iter().chain([state]) {
            above.turns.extend(&state.links);
            above.ties.extend(state.takes.iter().filter(|tie| leads_up(tie)).cloned());
            if let Some(conversation) = &state.conversation {
                above.ties.insert(Tie::Conversation(conversation.value.clone()));
                above.ties.insert(Tie::Stands(conversation.value.clone()));
                above.ties.insert(Tie::Modes(conversation.value.clone()));
            }
        }
        above
    }

    /// Every constraint that a turn is under, in the order in which they were said.
    fn stands(&self, state: &Arc<TurnState>, above: &[&Arc<TurnState>]) -> Vec<StandAt> {
        let mut turns: Vec<_> = above.iter().copied().filter(|turn| !turn.stands.is_empty()).collect();
        if turns.is_empty() && state.stands.is_empty() {
            return Vec::new();
        }
        turns.push(state);
        turns.sort_by_key(|turn| turn.order());
        let mut known: BTreeSet<Hash> = BTreeSet::new();
        let mut found: BTreeSet<StandAt> = BTreeSet::new();
        for turn in turns {
            if self.callers(turn).next().is_some() {
                continue;
            }
            let own = turn.own_stands();
            // Words that only stand in the history were said when they were first heard.
            let new = own.iter().filter(|(words, _, now)| *now || !known.contains(words));
            let from = (turn.id != state.id).then_some(turn.id);
            found.extend(new.map(|(_, stand, _)| StandAt { from, ..stand.clone() }));
            known.extend(own.iter().map(|(words, ..)| *words));
        }
        let surplus = found.len().saturating_sub(SHOWN);
        found.into_iter().skip(surplus).collect()
    }

    /// The turn where the work began that a turn was handed: the one above all callers. `None` when nobody handed it
    /// anything.
    fn root<'a>(&'a self, state: &'a Arc<TurnState>) -> Option<&'a Arc<TurnState>> {
        let caller = |state: &&'a Arc<TurnState>| self.callers(state).min_by_key(|turn| turn.order());
        std::iter::successors(caller(&state), caller).take(ABOVE).last()
    }

    /// All turns above one. Of one conversation those that state or set something are looked for once, from the first
    /// of its turns that is met.
    fn ancestry<'a>(&'a self, state: &'a Arc<TurnState>) -> Vec<&'a Arc<TurnState>> {
        // Most turns stand alone, and every action is read with what is above its turn.
        let above = self.callers(state).chain(self.continued(state)).chain(self.telling(state)).next();
        if above.is_none() {
            return Vec::new();
        }
        let mut found: BTreeMap<TurnId, &Arc<TurnState>> = BTreeMap::new();
        let mut conversations: BTreeSet<&str> = BTreeSet::new();
        let mut level = vec![state];
        for _ in 0..ABOVE {
            let mut next: Vec<&Arc<TurnState>> = Vec::new();
            for turn in level {
                next.extend(self.callers(turn).chain(self.continued(turn)));
                if turn.conversation.as_ref().is_some_and(|it| conversations.insert(&it.value)) {
                    next.extend(self.telling(turn));
                }
            }
            next.retain(|turn| turn.id != state.id && found.insert(turn.id, turn).is_none());
            if next.is_empty() || found.len() > TURNS {
                break;
            }
            level = next;
        }
        found.into_values().collect()
    }

    /// The turns that handed one its work.
    fn callers<'a>(&'a self, later: &'a Arc<TurnState>) -> impl Iterator<Item = &'a Arc<TurnState>> {
        let tasks = later.takes.iter().filter(|tie| matches!(tie, Tie::Task(_)));
        let peers = tasks.filter_map(|tie| self.giver(tie, later)).filter(|turn| turn.service() != later.service());
        let conversation = later.conversation.as_ref().map(|it| Tie::Conversation(it.value.clone()));
        let caller = conversation.and_then(|tie| self.giver(&tie, later));
        peers.chain(caller.filter(|turn| turn.service() == later.service()))
    }

    /// The turns that one goes on from without having been called by them.
    fn continued<'a>(&'a self, later: &'a Arc<TurnState>) -> impl Iterator<Item = &'a Arc<TurnState>> {
        let links = later.links.iter().filter_map(|linked| self.turns.get(linked));
        let earlier = links.filter(|turn| turn.order() < later.order());
        earlier.chain(later.takes.iter().filter(|tie| leads_up(tie)).filter_map(|tie| self.giver(tie, later)))
    }

    /// The earlier turns of one's conversation that state a constraint or set a mode of approval.
    fn telling<'a>(&'a self, later: &'a Arc<TurnState>) -> impl Iterator<Item = &'a Arc<TurnState>> {
        let conversation = later.conversation.iter().map(|it| &it.value);
        let ties = conversation.flat_map(|it| [Tie::Stands(it.clone()), Tie::Modes(it.clone())]);
        let telling = ties.flat_map(|tie| self.givers(&later.tenant, &tie));
        telling.filter(|turn| turn.order() < later.order() && turn.service() == later.service())
    }
}

/// The last changes of the mode of approval in some turns, by time.
fn modes(turns: &[&Arc<TurnState>]) -> Vec<ModeAt> {
    let told: BTreeSet<&ModeAt> = turns.iter().flat_map(|turn| &turn.modes).collect();
    let mut changes: Vec<ModeAt> = Vec::new();
    for mode in told {
        if changes.last().is_none_or(|last| (&last.mode, last.bypass) != (&mode.mode, mode.bypass)) {
            changes.push(mode.clone());
        }
    }
    changes.split_off(changes.len().saturating_sub(MODES))
}

/// Whether what a turn takes up may lead to one above it. Text alone is a guess.
fn leads_up(tie: &Tie) -> bool {
    matches!(tie, Tie::Response(_) | Tie::Task(_))
}

impl TurnState {
    /// Keeps that a record carries a constraint. True when what the user said is another now.
    pub(super) fn utter(&mut self, stand: Stand, k: u32, said: Utterance) -> bool {
        let before = self.own_stands();
        let key = (words_of(&stand), k);
        let spoken = self.stands.entry(key).or_insert_with(|| Spoken { stand, said: BTreeSet::new() });
        spoken.said.insert(said);
        while spoken.said.len() > UTTERED {
            spoken.said.pop_last();
        }
        while self.stands.len() > STANDS {
            let last =
                self.stands.iter().max_by_key(|(key, spoken)| (spoken.said.first().map(|it| (it.at, it.place)), **key));
            last.map(|(key, _)| *key).and_then(|last| self.stands.remove(&last));
        }
        before != self.own_stands()
    }

    /// Whether later turns of its conversation have to know of it. A bare yes is no news to them.
    pub(super) fn states(&self) -> bool {
        let binds = |spoken: &Spoken| spoken.stand.kind == StandKind::Hold || spoken.stand.only.is_none();
        self.stands.values().any(binds)
    }

    /// What the user said in it: the words, the constraint, and whether it was said then and not only repeated.
    fn own_stands(&self) -> Vec<(Hash, StandAt, bool)> {
        let of_user = |(key, spoken): (&StandKey, &Spoken)| {
            let mut said = spoken.said.iter().filter(|it| self.is_the_users(it.span)).peekable();
            let Utterance { at, place, evidence, .. } = **said.peek()?;
            let now = said.any(|it| it.now.unwrap_or_else(|| self.is_the_question(it.span, it.evidence)));
            Some((key.0, StandAt { at, place, stand: spoken.stand.clone(), evidence, from: None }, now))
        };
        self.stands.iter().filter_map(of_user).collect()
    }

    /// Whether a model that was called here heard the user. Below a tool it heard the agent that called the tool.
    fn is_the_users(&self, span: Option<SpanId>) -> bool {
        let Some(span) = span else { return true };
        let own = self.spans.get(&span).into_iter();
        own.chain(self.path_up(span).map(|(_, node)| node)).all(|node| node.node != Node::Tool)
    }

    /// Whether a record of its own is the last that a model call was asked.
    fn is_the_question(&self, span: Option<SpanId>, evidence: EvidenceId) -> bool {
        span.and_then(|span| self.asked.get(&span)).is_none_or(|asked| asked.last.evidence == evidence)
    }
}

/// The words of a constraint as a name.
pub(super) fn words_of(stand: &Stand) -> Hash {
    let only = stand.only.as_deref().unwrap_or_default();
    values::digest_bytes(format!("{}\n{only}\n{}", stand.kind, stand.quote).as_bytes()).bytes
}

/// Where in a record something was said: which message, and which of its constraints.
pub(super) fn place(message: u64, part: usize) -> u64 {
    (message << 8).saturating_add(part.min(255) as u64)
}
