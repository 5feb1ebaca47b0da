//! What of the engine is kept on disk, and how it comes back. Memory is a cache of these rows: turns leave it least
//! recently touched first, and come back when evidence or a deadline names them; no output depends on it.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::catalogue::Metric;
use crate::contain::{Incident, Incidents, Step};
use crate::lineage::{self, ActionState, Handle, Ties, TurnState};
use crate::model::{Digest, Evidence, IncidentId, Key, Nanos, Span, Tenant, Tie, TurnId, What};
use crate::sli::{Cell, Counters, Histogram, Ledger, LedgerKey, Series};

use crate::judge::{Pin, Place};

use super::boards::{BoardKey, Boards};
use super::facets::{Facet, Facets};
use super::{Account, Configuration, Due, Dues, Engine, Profile, Profiles, TurnAccount};

/// A name under which the store finds the turns that keep something.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Want {
    /// A turn, by its id.
    Turn(TurnId),
    /// The turn that keeps a component.
    Handle(Handle),
    /// Turns with a call of this id.
    Call(Tenant, Arc<str>),
    /// Turns with a call that this model response proposed.
    Response(Tenant, Arc<str>),
    /// The turn with this MCP session and request.
    Mcp(Tenant, Arc<str>, Arc<str>),
    /// Turns that give this tie.
    Giver(Tenant, Tie),
    /// Turns that take this tie up.
    Taker(Tenant, Tie),
}

/// What changed since the last checkpoint.
#[derive(Debug, Default)]
pub(super) struct Changed {
    pub turns: BTreeSet<TurnId>,
    pub actions: BTreeSet<Handle>,
    pub gone: BTreeSet<Handle>,
    pub configuration: bool,
}

/// One turn with the components whose rows it keeps: the unit that is loaded and left.
#[derive(Debug, Clone, PartialEq)]
pub struct TurnRow {
    /// What its actions share.
    pub state: Arc<TurnState>,
    /// Its books.
    pub account: TurnAccount,
    /// Its components and theirs.
    pub actions: Vec<(Arc<ActionState>, Account)>,
}

/// Rows as of the last step, in answer to [`Engine::wants`].
pub type Rows = Vec<TurnRow>;

/// Everything that changed since the last checkpoint, to be written in one transaction.
#[derive(Debug, Default)]
pub struct Changes {
    /// Turns, without their components.
    pub turns: Vec<(Arc<TurnState>, TurnAccount)>,
    /// Components; `home` says which turn keeps them.
    pub actions: Vec<(Arc<ActionState>, Account)>,
    /// Components that were merged into others.
    pub gone: Vec<Handle>,
    /// Under which names the store finds a turn.
    pub wants: Vec<(Want, TurnId)>,
    /// Deadlines, and those that are no more.
    pub dues: Vec<(Due, Option<Nanos>)>,
    /// Slices of the ledger.
    pub ledger: Vec<(LedgerKey, Cell)>,
    /// Incidents, and those that are no more.
    pub incidents: Vec<(IncidentId, Option<Incident>)>,
    /// Notes on boards, and those that are gone.
    pub notes: Vec<(BoardKey, Place, Option<Pin>)>,
    /// The small state, whole.
    pub small: Checkpoint,
}

/// The small state: what does not grow with history.
#[derive(Debug, Clone, Default)]
pub struct Checkpoint {
    /// Time of the last frame.
    pub now: Nanos,
    /// Downtime in all.
    pub held: Span,
    /// The last handle that was given.
    pub last_handle: Handle,
    /// Every counter.
    pub counters: Vec<(Metric, Vec<Arc<str>>, Series)>,
    /// The distribution of settle lag.
    pub settle_lag: Option<Histogram>,
    /// When each tenant's last evidence was folded.
    pub last_evidence: Vec<(Tenant, Nanos)>,
    /// Digests of the configurations that open actions are judged with, the one in force last. Their content is in
    /// the journal's configuration frames and in the store's table of versions.
    pub configurations: Vec<Digest>,
    /// Slices of the ledger that start before this are final. 0 when a former version wrote it.
    pub ledger_from: Nanos,
    /// What instrumentations have shown.
    pub profiles: Vec<Profile>,
    /// What agents run with, and since when.
    pub facets: Vec<Facet>,
    /// Steps of containment, lately.
    pub steps: Vec<(Tenant, Step)>,
}

impl Engine {
    /// The engine as a checkpoint left it. Turns come back when they are wanted.
    pub fn restore(
        small: Checkpoint,
        configurations: Vec<(Digest, Configuration)>,
        dues: impl IntoIterator<Item = (Due, Nanos)>,
        ledger: impl IntoIterator<Item = (LedgerKey, Cell)>,
        incidents: impl IntoIterator<Item = Incident>,
        notes: impl IntoIterator<Item = (BoardKey, Place, Pin)>,
    ) -> Self {
        let mut engine = Self::new(Configuration::default());
        if !configurations.is_empty() {
            engine.configurations = configurations;
        }
        engine.now = small.now;
        engine.held = small.held;
        engine.book.resume_after(small.last_handle);
        engine.counters = Counters::restore(small.counters, small.settle_lag, small.now);
        engine.last_evidence = small.last_evidence.into_iter().collect();
        engine.dues = Dues::restore(dues);
        engine.ledger = Ledger::restore(ledger, small.ledger_from);
        engine.incidents = Incidents::restore(incidents, small.steps);
        engine.boards = Boards::restore(notes);
        engine.facets = Facets::restore(small.facets);
        engine.profiles = Profiles::restore(small.profiles);
        engine
    }

    /// The turns that a step may touch and that are not in memory: what evidence names, and what is due by `now`.
    pub fn wants(&self, now: Nanos, evidence: &[Evidence]) -> BTreeSet<Want> {
        let mut wants = BTreeSet::new();
        for evidence in evidence {
            self.wants_of(evidence, &mut wants);
        }
        let mut seen = BTreeSet::new();
        for due in self.dues.until(now.max(self.now) - self.held) {
            match due {
                Due::Close(turn) => {
                    self.want_tied(turn, &mut wants);
                    self.want_above(turn, &mut wants);
                    self.want_takers(turn, &mut wants);
                }
                Due::Edges(turn) => {
                    self.want_tied(turn, &mut wants);
                    self.want_above(turn, &mut wants);
                    self.want_takers(turn, &mut wants);
                }
                Due::Settle(handle) | Due::Check(handle) | Due::Revise(handle) | Due::Kin(handle) => {
                    self.want_halves(handle, &mut wants);
                    // Of several halves the turn of the first is what the action is judged with.
                    for state in self.book.relatives(handle).iter().filter_map(|it| self.book.action_state(*it)) {
                        let turns = state.turns().into_iter().filter(|turn| seen.insert(*turn));
                        turns.for_each(|turn| self.want_above(turn, &mut wants));
                    }
                }
            }
        }
        wants
    }

    /// Those that take up what a turn gives may have left memory.
    fn want_takers(&self, turn: TurnId, wants: &mut BTreeSet<Want>) {
        if let Some(state) = self.book.turn_state(turn) {
            let taken = state.ties().gives.iter().map(lineage::taken_as);
            wants.extend(taken.map(|tie| Want::Taker(state.tenant.clone(), tie)));
        }
    }

    /// What binds a turn's actions may have left memory: turns above it.
    fn want_above(&self, turn: TurnId, wants: &mut BTreeSet<Want>) {
        let Some(state) = self.book.turn_state(turn) else {
            wants.insert(Want::Turn(turn));
            return;
        };
        let above = self.book.names_above(turn);
        wants.extend(above.ties.into_iter().map(|tie| Want::Giver(state.tenant.clone(), tie)));
        wants.extend(above.taken.into_iter().map(|tie| Want::Taker(state.tenant.clone(), tie)));
        above.turns.into_iter().for_each(|turn| self.want_turn(turn, wants));
    }

    /// What a turn's record is read from may have left memory: its components, the turns it goes on from, and those
    /// that made the calls it remembers.
    fn want_tied(&self, turn: TurnId, wants: &mut BTreeSet<Want>) {
        let Some(state) = self.book.turn_state(turn) else {
            wants.insert(Want::Turn(turn));
            return;
        };
        let elsewhere = state.members.iter().filter(|handle| !self.accounts.contains_key(handle));
        wants.extend(elsewhere.map(|handle| Want::Handle(*handle)));
        wants.extend(state.ties().takes.iter().cloned().map(|tie| Want::Giver(state.tenant.clone(), tie)));
        let remembered = state.members.iter().filter(|handle| !self.book.remembers(**handle).is_empty());
        let calls = remembered.filter_map(|handle| self.book.action_state(*handle)).flat_map(|state| names(state));
        wants.extend(calls.filter(|want| matches!(want, Want::Call(..))));
    }

    /// Its other half, its other turn, or what was said about its response may have left memory.
    fn want_halves(&self, handle: Handle, wants: &mut BTreeSet<Want>) {
        let Some(state) = self.book.action_state(handle) else {
            wants.insert(Want::Handle(handle));
            return;
        };
        wants.extend(names(state).filter(|want| matches!(want, Want::Call(..))));
        for turn in state.read_with() {
            self.want_turn(turn, wants);
        }
    }

    /// Whether a turn is in memory.
    pub fn holds(&self, turn: TurnId) -> bool {
        self.book.turn_state(turn).is_some()
    }

    fn want_turn(&self, turn: TurnId, wants: &mut BTreeSet<Want>) {
        if self.book.turn_state(turn).is_none() {
            wants.insert(Want::Turn(turn));
        }
    }

    fn wants_of(&self, evidence: &Evidence, wants: &mut BTreeSet<Want>) {
        let tenant = &evidence.tenant;
        self.want_turn(lineage::turn_of(evidence), wants);
        let mut call = |id: &Option<Arc<str>>| {
            if let Some(id) = id {
                wants.insert(Want::Call(tenant.clone(), id.clone()));
            }
        };
        for fact in &evidence.facts {
            match &fact.what {
                What::Call(it) => call(&it.id),
                What::Decision(it) => call(&it.call_id),
                What::Check(it) => call(&it.call_id),
                _ => {}
            }
        }
        for fact in &evidence.facts {
            match &fact.what {
                What::Call(it) => {
                    if let Some((session, request)) = &it.mcp {
                        wants.insert(Want::Mcp(tenant.clone(), session.clone(), request.clone()));
                    }
                }
                What::Check(it) => {
                    if let Some(response) = &it.response_id {
                        wants.insert(Want::Response(tenant.clone(), response.clone()));
                        self.want_turn(lineage::turn_of_response(tenant, response), wants);
                    }
                    if let Some((trace, _)) = lineage::checked_span(evidence, it) {
                        self.want_turn(lineage::turn_of_trace(tenant, trace), wants);
                    }
                }
                What::Response(response) => self.want_turn(lineage::turn_of_response(tenant, response), wants),
                _ => {}
            }
        }
    }

    /// Puts rows back into memory. Rows that are there already are newer and stay.
    pub fn load(&mut self, rows: Rows) {
        for row in rows {
            if self.book.turn_state(row.state.id).is_some() {
                continue;
            }
            self.turns.insert(row.state.id, row.account);
            let mut actions = Vec::new();
            for (action, account) in row.actions {
                if self.accounts.contains_key(&action.handle) {
                    continue;
                }
                if let Some(id) = account.id {
                    self.by_id.insert(id, action.handle);
                }
                self.accounts.insert(action.handle, account);
                actions.push(action);
            }
            self.book.put_back(row.state, actions);
        }
    }

    /// Takes what changed since the last checkpoint.
    pub fn checkpoint(&mut self) -> Changes {
        let changed = std::mem::take(&mut self.changed);
        let mut changes = Changes { gone: changed.gone.into_iter().collect(), ..Changes::default() };
        for turn in &changed.turns {
            let Some(state) = self.book.turn_state(*turn) else {
                continue;
            };
            changes.turns.push((state.clone(), self.turns.get(turn).cloned().unwrap_or_default()));
            changes.wants.push((Want::Turn(*turn), *turn));
            let Ties { gives, takes } = state.ties().clone();
            let gives = gives.into_iter().map(|tie| Want::Giver(state.tenant.clone(), tie));
            let takes = takes.into_iter().map(|tie| Want::Taker(state.tenant.clone(), tie));
            changes.wants.extend(gives.chain(takes).map(|want| (want, *turn)));
        }
        for handle in &changed.actions {
            let Some(state) = self.book.action_state(*handle) else {
                continue;
            };
            changes.wants.extend(names(state).map(|want| (want, state.home)));
            changes.actions.push((state.clone(), self.accounts.get(handle).cloned().unwrap_or_default()));
        }
        changes.dues = self.dues.take_changed();
        changes.ledger = self.ledger.take_changed();
        changes.incidents = self.incidents.take_changed();
        changes.notes = self.boards.take_changed();
        changes.small = Checkpoint {
            now: self.now,
            held: self.held,
            last_handle: self.book.last_handle(),
            counters: self
                .counters
                .series()
                .map(|(metric, labels, series)| (metric, labels.to_vec(), *series))
                .collect(),
            settle_lag: Some(self.counters.settle_lag().clone()),
            last_evidence: self.last_evidence.iter().map(|(tenant, at)| (tenant.clone(), *at)).collect(),
            configurations: self.configurations.iter().map(|(digest, _)| *digest).collect(),
            ledger_from: self.ledger.floor(),
            profiles: self.profiles.all().cloned().collect(),
            facets: self.facets.all().collect(),
            steps: self.incidents.steps().map(|(tenant, step)| (tenant.clone(), step.clone())).collect(),
        };
        changes.small.last_evidence.sort();
        changes
    }

    /// Takes changes back that could not be written: the next checkpoint holds them again.
    pub fn changed_again(&mut self, changes: &Changes) {
        self.changed.turns.extend(changes.turns.iter().map(|(state, _)| state.id));
        self.changed.actions.extend(changes.actions.iter().map(|(state, _)| state.handle));
        self.changed.gone.extend(&changes.gone);
        self.dues.changed_again(changes.dues.iter().map(|(due, _)| *due));
        self.ledger.changed_again(changes.ledger.iter().map(|(key, _)| key.clone()));
        self.incidents.changed_again(changes.incidents.iter().map(|(id, _)| *id));
        self.boards.changed_again(changes.notes.iter().map(|(key, place, _)| (key.clone(), *place)));
    }

    /// Configurations by digest: what the store keeps versions of.
    pub fn configurations(&self) -> &[(Digest, Configuration)] {
        &self.configurations
    }

    /// Lets turns go until about `budget` bytes are left, least recently touched first, those together that are read
    /// together. Only what a checkpoint has written may go: call it right after one.
    pub fn evict(&mut self, budget: usize) -> usize {
        let mut held: usize = self.book.weight();
        if held <= budget {
            return 0;
        }
        let mut gone = 0;
        let seen = |turn: &TurnId| self.turns.get(turn).map_or(Nanos(0), |account| account.last_seen);
        let last = |unit: &Vec<TurnId>| unit.iter().map(seen).max().unwrap_or_default();
        let mut units: Vec<(Nanos, Vec<TurnId>)> =
            self.book.units().into_iter().map(|unit| (last(&unit), unit)).collect();
        units.sort_unstable();
        for (_, unit) in units {
            if held <= budget {
                break;
            }
            if unit.iter().any(|turn| self.changed.turns.contains(turn)) {
                continue;
            }
            for turn in unit {
                held = held.saturating_sub(self.book.weight_of(turn));
                gone += usize::from(self.let_go(turn));
            }
        }
        gone
    }

    /// Lets every turn go that was last touched before a time: the store deletes its rows, and must not be asked for a
    /// part of them later. Only right after a checkpoint.
    pub fn forget(&mut self, before: Nanos) -> usize {
        let old: Vec<TurnId> =
            self.oldest_first().into_iter().take_while(|(seen, _)| *seen < before).map(|(_, turn)| turn).collect();
        old.into_iter().filter(|turn| self.let_go(*turn)).count()
    }

    fn oldest_first(&self) -> Vec<(Nanos, TurnId)> {
        let mut turns: Vec<(Nanos, TurnId)> =
            self.turns.iter().map(|(turn, account)| (account.last_seen + self.held, *turn)).collect();
        turns.sort_unstable();
        turns
    }

    /// Takes a turn out of memory unless it has changes that no checkpoint has written.
    fn let_go(&mut self, turn: TurnId) -> bool {
        if self.changed.turns.contains(&turn) {
            return false;
        }
        for handle in self.book.take_out(turn) {
            if let Some(id) = self.accounts.remove(&handle).and_then(|account| account.id) {
                self.by_id.remove(&id);
            }
        }
        self.turns.remove(&turn);
        true
    }

    /// Finds components by any alias: an action id, `trace/span`, a trace id, a call id, a key as printed.
    pub fn find(&self, alias: &str) -> BTreeSet<Handle> {
        let mut found = BTreeSet::new();
        if let Some(id) = crate::model::ActionId::from_hex(alias) {
            found.extend(self.by_id.get(&id));
        }
        found.extend(self.book.find(alias));
        found
    }

    /// Components in memory whose outcome was not taken yet, newest first.
    pub fn open(&self) -> Vec<Handle> {
        let open = self.accounts.iter().filter(|(_, account)| !account.settled);
        let mut handles: Vec<Handle> = open.map(|(handle, _)| *handle).collect();
        handles.sort_unstable_by_key(|handle| std::cmp::Reverse(*handle));
        handles
    }

    /// The turn as it stands.
    pub fn turn(&self, turn: TurnId) -> Option<crate::model::Turn> {
        let account = self.turns.get(&turn)?;
        let mut record = self.book.turn(turn, account.closed)?;
        record.revision = account.revision;
        Some(record)
    }

    /// Open actions whose rows are not in memory, those that settle next first, at most so many: a question about open
    /// actions wants them.
    pub fn open_elsewhere(&self, most: usize) -> BTreeSet<Want> {
        let settling = self.dues.until(Nanos(u64::MAX)).filter_map(|due| match due {
            Due::Settle(handle) => Some(handle),
            Due::Close(_) | Due::Check(_) | Due::Revise(_) | Due::Kin(_) | Due::Edges(_) => None,
        });
        settling.filter(|handle| self.book.action_state(*handle).is_none()).take(most).map(Want::Handle).collect()
    }

    /// The components of a turn.
    pub fn members(&self, turn: TurnId) -> Vec<Handle> {
        self.book.members(turn)
    }
}

/// The names under which evidence of another turn may ask for this component.
fn names(state: &ActionState) -> impl Iterator<Item = Want> + '_ {
    let keys = state.keys.iter().filter_map(|key| match key {
        Key::Call(_, id) => Some(Want::Call(state.tenant.clone(), id.clone())),
        Key::Mcp(session, request) => Some(Want::Mcp(state.tenant.clone(), session.clone(), request.clone())),
        _ => None,
    });
    let responses = state.responses().map(|response| Want::Response(state.tenant.clone(), response.clone()));
    keys.chain(responses).chain([Want::Handle(state.handle)])
}
