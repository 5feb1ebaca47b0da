//! Reads actions and turns out of the book. Nothing here changes state, and everything is a function of the set
//! of records and of what the reader says about time: is the turn closed, has the action's window passed?

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::model::{
    Action, ActionId, By, CallSays, Check, ConversationId, Decision, Did, Digest, Effect, Evidence, Execution, Field,
    GrantScope, Join, JoinMethod, Key, Known, Marks, Missing, Moment, Nanos, Outcome, Phase, Piece, Proof, Provenance,
    Says, Shared, Span, State, Status, Tenant, Turn, TurnId, Witness, last_word,
};
use crate::values;

use super::fold::turn_of_trace;
use super::pair::Group;
use super::said::Said;
use super::standing::state_of;
use super::state::{Book, Handle, Ranked, TurnState};

/// In longer turns actions are not told from what is none when they are counted.
const COUNTED: usize = 256;

/// How far apart two records of one decision may be stamped: one of them tells when it was written.
const TOLD_TWICE: Span = Span::seconds(5);

/// What the reader knows about time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reading {
    /// Nothing more is expected for the turn: what is missing is absent or lost, not pending.
    pub closed: bool,
    /// The action's window has passed: an open call is expired.
    pub expired: bool,
}

/// What a set of evidence comes to.
#[derive(Debug, Default, PartialEq)]
pub struct Judged {
    /// Its actions, by their smallest key.
    pub actions: Vec<Action>,
    /// Its turns, by id.
    pub turns: Vec<Turn>,
}

/// The whole of a set at once: the oracle of the incremental fold. Sorted first, so that arrival cannot matter.
pub fn assemble<'a>(evidence: impl IntoIterator<Item = &'a Evidence>) -> Judged {
    let mut sorted: Vec<_> = evidence.into_iter().collect();
    sorted.sort_by_key(|evidence| (&evidence.tenant, evidence.id));
    let mut book = Book::default();
    for evidence in sorted {
        book.fold(evidence);
    }
    book.judged(Reading { closed: true, expired: true })
}

/// What makes two attempts the same: (turn, tool, target), or the parameters where no target is known.
pub type Attempt = (TurnId, Arc<str>, Arc<str>);

/// The attempt of an action.
pub fn attempt(action: &Action) -> Option<Attempt> {
    let tool = action.tool.value()?.clone();
    let about = match (&action.target, &action.arguments) {
        // What a call happened to touch may be the same for all calls, such as a gateway's address.
        (Known::Value((target, how)), _) if *how > Provenance::Computed => target.clone(),
        (_, Known::Value(text)) => text.digest.to_string().into(),
        _ => "".into(),
    };
    Some((action.turn, tool, about))
}

/// Whether an action that did not run was denied by policy: not by a person, and not by nobody named. Whom the last
/// decision names counts before whom a refusal names, as in the verdict about denials.
pub fn is_denied(action: &Action) -> bool {
    let told = match &action.state {
        State::Executed(Execution::Ok | Execution::Failed(_)) => return false,
        State::Refused(by) => Some(*by),
        _ => None,
    };
    let denies = |last: &&Decision| last.outcome == Outcome::Deny && last.by != By::Unknown;
    let decided = last_word(&action.decisions).filter(denies).map(|last| last.by);
    decided.or(told).is_some_and(By::is_policy)
}

impl Book {
    /// The turn that an action belongs to.
    pub fn home(&self, group: &Group) -> Option<TurnId> {
        let pieces: Vec<&Piece> =
            group.all().filter_map(|handle| self.actions.get(&handle)).flat_map(|it| it.pieces.values()).collect();
        home(&pieces)
    }

    /// Everything, as one reader sees it.
    pub fn judged(&self, reading: Reading) -> Judged {
        let roots: BTreeSet<Handle> =
            self.actions.keys().filter_map(|handle| self.group(*handle)).map(|group| group.root).collect();
        let mut actions: Vec<_> = roots.iter().filter_map(|root| self.action(&self.group(*root)?, reading)).collect();
        actions.sort_by(|a, b| (&a.tenant, &a.keys).cmp(&(&b.tenant, &b.keys)));
        mark_retries(&mut actions);
        let mut turns: Vec<_> = self
            .turns
            .values()
            .filter(|turn| !turn.evidence.is_empty())
            .filter_map(|turn| self.turn(turn.id, reading.closed))
            .collect();
        turns.sort_by_key(|turn| turn.id);
        Judged { actions, turns }
    }

    /// One action. `None` when it is none: an edge, control flow, or a call that is only history.
    pub fn action(&self, group: &Group, reading: Reading) -> Option<Action> {
        self.is_action(group).then(|| self.record(group, reading)).flatten()
    }

    /// About how many actions a turn has: of a long one, how many components.
    pub fn acting(&self, turn: TurnId) -> usize {
        let Some(state) = self.turns.get(&turn) else { return 0 };
        if state.members.len() > COUNTED {
            return state.members.len();
        }
        let groups = state.members.iter().filter_map(|handle| self.group(*handle).filter(|it| it.root == *handle));
        groups.filter(|group| self.is_action(group)).count()
    }

    /// Where an action stands by its records alone. `None` as for [`Book::action`].
    pub fn state(&self, group: &Group) -> Option<State> {
        self.is_action(group).then(|| self.standing(group.all()))
    }

    /// What gives a component its end, and that end as sent. `None` when nothing of it makes or ends an action.
    pub fn ended(&self, handle: Handle) -> Option<(EndedBy, Nanos)> {
        let pieces = self.actions.get(&handle)?.pieces.values();
        pieces.filter_map(|piece| Some((ended_by(piece)?, piece.end))).max()
    }

    /// Whether a span shows that an action ran, without an error. Nothing that comes later takes that back: of one that
    /// failed, a gateway may say that it let nothing through.
    pub fn has_run(&self, group: &Group) -> bool {
        let components = group.all().filter_map(|handle| self.actions.get(&handle));
        let proves = |call: &CallSays| matches!(call.moment, Moment::Ran { proof: Proof::Ran, status: Status::Fine });
        let mut pieces = components.flat_map(|component| component.pieces.values());
        pieces.any(|piece| says_call(piece).is_some_and(proves)) && self.is_action(group)
    }

    fn is_action(&self, group: &Group) -> bool {
        let components: Option<Vec<_>> = group.all().map(|handle| self.actions.get(&handle)).collect();
        let Some(components) = components else { return false };
        let pieces = || components.iter().flat_map(|component| component.pieces.values());
        let edge = components.iter().any(|component| component.delegates)
            || pieces().filter_map(says_call).any(|call| call.pseudo.is_some());
        !edge && pieces().any(creates)
    }

    /// What a group's records say together, whether or not they make an action.
    pub(super) fn record(&self, group: &Group, reading: Reading) -> Option<Action> {
        let mut pieces: Vec<&Piece> = Vec::new();
        let mut keys: BTreeSet<&Key> = BTreeSet::new();
        let mut crowded = false;
        for handle in group.all() {
            let state = self.actions.get(&handle)?;
            crowded |= state.crowded;
            pieces.extend(state.pieces.values());
            keys.extend(&state.keys);
        }
        pieces.sort();
        let turn = self.turns.get(&home(&pieces)?)?;
        let turns: BTreeSet<TurnId> = pieces.iter().map(|piece| piece.turn).collect();
        let tool_spans = self.needs_span(&turns, &pieces);
        let reader = Reader { turn, pieces, tool_spans, reading };
        Some(reader.action(self, keys.into_iter().cloned().collect(), turns, crowded, &self.joins(group)))
    }

    fn joins(&self, group: &Group) -> Vec<Join> {
        let mut joins = BTreeSet::new();
        for handle in group.all() {
            let Some(action) = self.actions.get(&handle) else {
                continue;
            };
            if action.pieces.len() < 2 {
                continue;
            }
            let spans = action.keys.iter().filter(|key| matches!(key, Key::Span(..))).count();
            for key in &action.keys {
                let method = match key {
                    Key::Call(..) => JoinMethod::CallId,
                    Key::Mcp(..) => JoinMethod::McpRequest,
                    Key::Span(..) if spans > 1 => JoinMethod::ToolAncestor,
                    Key::Span(..) => JoinMethod::SameSpan,
                    Key::Kth(..) | Key::Part(..) => continue,
                };
                joins.insert(Join { method, confidence: Provenance::Explicit, with: key.to_string().into() });
            }
        }
        for (member, method) in &group.members {
            if let Some(key) = self.actions.get(member).and_then(|action| action.keys.first()) {
                joins.insert(Join { method: *method, confidence: Provenance::Computed, with: key.to_string().into() });
            }
        }
        joins.into_iter().collect()
    }
}

/// The turn an action belongs to: that of its earliest piece, a bystander's word last.
fn home(pieces: &[&Piece]) -> Option<TurnId> {
    let rank = |piece: &&&Piece| (piece.role.is_independent(), piece.start, piece.evidence, piece.part);
    pieces.iter().min_by_key(rank).map(|piece| piece.turn)
}

/// Marks later denials of the same attempt. The engine keeps the same answer through an index.
fn mark_retries(actions: &mut [Action]) {
    let mut first: BTreeMap<Attempt, (Nanos, Vec<Key>)> = BTreeMap::new();
    for action in actions.iter().filter(|action| is_denied(action)) {
        if let Some(attempt) = attempt(action) {
            let at = (action.start, action.keys.clone());
            let slot = first.entry(attempt).or_insert_with(|| at.clone());
            if at < *slot {
                *slot = at;
            }
        }
    }
    for action in actions.iter_mut().filter(|action| is_denied(action)) {
        let earliest = attempt(action).and_then(|attempt| first.get(&attempt));
        action.retry_of = earliest
            .filter(|(start, keys)| (*start, keys) != (action.start, &action.keys))
            .map(|(_, keys)| action_id(&action.tenant, &keys[0]));
    }
}

/// The public id of an action whose smallest key is `key`.
pub fn action_id(tenant: &Tenant, key: &Key) -> ActionId {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&(tenant.as_str().len() as u64).to_le_bytes());
    hasher.update(tenant.as_str().as_bytes());
    hasher.update(key.to_string().as_bytes());
    let mut id = [0; 16];
    id.copy_from_slice(&hasher.finalize().as_bytes()[..16]);
    ActionId(id)
}

/// One reading of one action.
struct Reader<'a> {
    turn: &'a TurnState,
    pieces: Vec<&'a Piece>,
    tool_spans: bool,
    reading: Reading,
}

impl Reader<'_> {
    fn action(&self, book: &Book, keys: Vec<Key>, turns: BTreeSet<TurnId>, crowded: bool, joins: &[Join]) -> Action {
        let turn = self.turn;
        let said = book.said_about(&turn.tenant, &self.pieces, keys.iter());
        let state = match state_of(&self.pieces, self.tool_spans, &said) {
            State::Proposed | State::Asked if self.reading.expired => State::Expired,
            state => state,
        };
        let (start, end) = self.times();
        let Said { decisions, checks, targets, did, .. } = said;
        let tool = self.winner(|call| call.tool.clone()).map(|(tool, _)| tool);
        let defined = tool.value().map(|tool| self.defined(book, &turns, tool)).unwrap_or_default();
        let decisions = self.decided(decisions);
        let mut checks: BTreeSet<Check> = checks.into_iter().cloned().collect();
        checks.extend(book.later_checks(turn, keys.iter()));
        let checks: Vec<Check> = checks.into_iter().collect();
        let policy = self.policies(&decisions);
        let mut action = Action {
            id: action_id(&turn.tenant, &keys[0]),
            revision: 0,
            tenant: turn.tenant.clone(),
            merged_into: None,
            turn: turn.id,
            service: self.service(),
            service_version: actor(&self.pieces).and_then(|piece| piece.service_version.clone()),
            agent: self.agent(book),
            call_id: self.calls().find_map(|(_, call)| call.id.clone()),
            arguments: self.known(|call| &call.arguments),
            target: self.target(&targets),
            effect: self.effect(&defined, &did, tool.value()),
            egress: self.egress(&defined, &did, tool.value()),
            tool_version: defined.digest,
            output: self.known(|call| &call.result),
            state,
            plan_step: self.winner(|call| call.plan_step.clone()).value().map(|(step, _)| step.clone()),
            state_versions: self.winner(|call| call.state_versions.clone()).value().map(|(it, _)| it.clone()),
            start,
            end,
            context: self.context(end),
            policy,
            joins: joins.to_vec(),
            retry_of: None,
            marks: Marks {
                sampled: turn.is_sampled(self.reading.closed),
                root_lost: self.reading.closed && turn.root_ended.is_none(),
                crowded,
                merged: false,
            },
            fields: BTreeMap::new(),
            pieces: self.pieces.iter().map(|piece| (*piece).clone()).collect(),
            judged_by: None,
            verdicts: Vec::new(),
            findings: Vec::new(),
            turns: turns.into_iter().collect(),
            tool,
            keys,
            decisions,
            checks,
        };
        action.fields = self.fields(&action);
        action
    }

    /// The decisions about it. Whoever decides about a call that was asked about, and is not named, is whom the ask
    /// went to: a person. Of one that ran afterwards and that nobody is said to have allowed, it is inferred.
    fn decided(&self, said: BTreeSet<Decision>) -> Vec<Decision> {
        let asked = self.calls().filter(|(_, call)| call.moment == Moment::Asked).map(|(piece, _)| piece.start).min();
        let mut decisions = told_once(said);
        let Some(asked) = asked else { return decisions };
        let answers = |it: &Decision| !matches!(it.outcome, Outcome::Ask | Outcome::Warn) && it.enforced;
        let unnamed = |it: &Decision| it.by == By::Unknown && it.at >= asked && answers(it);
        for decision in decisions.iter_mut().filter(|it| unnamed(it)) {
            let Some(witness) = decision.witness.as_mut().filter(|witness| !witness.role.is_independent()) else {
                continue;
            };
            // Who is guessed makes nothing good.
            witness.provenance = Provenance::Inferred;
            decision.by = By::Human;
        }
        let proves = |call: &CallSays| match call.moment {
            Moment::Ran { proof, .. } => proof == Proof::Ran || call.result.is_present(),
            _ => false,
        };
        let ran = self.calls().filter(|(piece, call)| proves(call) && piece.end >= asked);
        if let (Some((piece, call)), false) = (ran.min_by_key(|(piece, _)| *piece), decisions.iter().any(answers)) {
            decisions.push(inferred_approval(piece, call));
        }
        decisions.sort();
        decisions
    }

    fn calls(&self) -> impl Iterator<Item = (&Piece, &CallSays)> {
        self.pieces.iter().filter_map(|piece| Some((*piece, says_call(piece)?)))
    }

    /// Why something that nobody said is missing.
    fn missing(&self) -> Missing {
        self.turn.missing_when(self.reading.closed)
    }

    /// The winner among what the records say: a run before messages, then provenance, later end, greater value.
    fn winner<T: Ord>(&self, field: impl Fn(&CallSays) -> Option<T>) -> Known<(T, Provenance)> {
        self.calls()
            .filter_map(|(piece, call)| Some((rank(piece, call), field(call)?, piece.provenance)))
            .max_by(|a, b| (&a.0, &a.1).cmp(&(&b.0, &b.1)))
            .map_or(Known::Missing(self.missing()), |(_, value, provenance)| Known::Value((value, provenance)))
    }

    /// What its turns define of its tool, first its home.
    fn defined(&self, book: &Book, turns: &BTreeSet<TurnId>, tool: &Arc<str>) -> Defined {
        let others = turns.iter().filter(|turn| **turn != self.turn.id).filter_map(|turn| book.turns.get(turn));
        let turns = std::iter::once(self.turn).chain(others.map(|turn| &**turn));
        turns.filter_map(|turn| turn.tools.get(tool)).fold(Defined::default(), |found, said| Defined {
            digest: found.digest.or(said.digest.as_ref().map(|it| it.value)),
            effect: found.effect.or(said.effect.as_ref().map(|it| it.value)),
            egress: found.egress.or(said.egress.as_ref().map(|it| it.value)),
        })
    }

    /// What it does: what its records say of it, else what its tool's definition says, else what was done below it, of
    /// which the most far-reaching counts, else what its tool's name suggests.
    fn effect(&self, defined: &Defined, did: &BTreeSet<Did>, tool: Option<&Arc<str>>) -> Known<(Effect, Provenance)> {
        let done = || did.iter().filter_map(|did| did.effect).max_by_key(|effect| effect.reach());
        let named = || values::effect_of(tool?);
        else_first(
            self.winner(|call| call.effect),
            &[(Provenance::Dialect, &|| defined.effect), (Provenance::Computed, &done), (Provenance::Inferred, &named)],
        )
    }

    /// Whether it reaches out, by the same order. Nothing that was done below a call shows that nothing left, and
    /// neither does a name.
    fn egress(&self, defined: &Defined, did: &BTreeSet<Did>, tool: Option<&Arc<str>>) -> Known<(bool, Provenance)> {
        let left = || did.iter().any(|did| did.egress).then_some(true);
        let named = || values::reaches_out(tool?).then_some(true);
        else_first(
            self.winner(|call| call.egress),
            &[(Provenance::Dialect, &|| defined.egress), (Provenance::Computed, &left), (Provenance::Inferred, &named)],
        )
    }

    /// The resource it is about: what its records say, else what spans below it touched, else what an argument names.
    /// Of several that were touched nobody knows which is meant.
    fn target(&self, touched: &BTreeSet<&Arc<str>>) -> Known<(Arc<str>, Provenance)> {
        let said = self.winner(|call| call.target.clone());
        if said.is_present() {
            return said;
        }
        if let (Some(only), 1) = (touched.first(), touched.len()) {
            return Known::Value(((*only).clone(), Provenance::Computed));
        }
        let arguments = self.known(|call| &call.arguments);
        let named = arguments.value().and_then(|arguments| values::resource_in(arguments.whole()?));
        named.map_or(said, |named| Known::Value((named, Provenance::Inferred)))
    }

    /// As `winner`, for texts that may be withheld or lost.
    fn known(&self, field: impl Fn(&CallSays) -> &Known<crate::model::Text>) -> Known<crate::model::Text> {
        let found = self
            .calls()
            .filter_map(|(piece, call)| Some((rank(piece, call), field(call).value()?)))
            .max()
            .map(|(_, text)| text.clone());
        if let Some(text) = found {
            return Known::Value(text);
        }
        let said = |why| self.calls().any(|(_, call)| field(call).missing() == Some(why));
        let why = [Missing::Withheld, Missing::Lost].into_iter().find(|why| said(*why));
        Known::Missing(why.unwrap_or_else(|| self.missing()))
    }

    /// Start and end as sent, of the strongest that ends it.
    fn times(&self) -> (Nanos, Nanos) {
        let strongest = self.pieces.iter().filter_map(|piece| ended_by(piece)).max();
        let chosen = || self.pieces.iter().filter(|piece| ended_by(piece) == strongest && strongest.is_some());
        let (start, end) = (chosen().map(|piece| piece.start).min(), chosen().map(|piece| piece.end).max());
        start.zip(end).unwrap_or_default()
    }

    /// The service of the agent that acted.
    fn service(&self) -> crate::model::Service {
        let shared = || self.turn.service.as_ref().map(|service| service.value.clone());
        actor(&self.pieces).map(|piece| piece.service.clone()).or_else(shared).unwrap_or_default()
    }

    /// The agent that acted: whom the record of the run names, else the agent whose span stands above it, else whom
    /// another record of its service names.
    fn agent(&self, book: &Book) -> Known<(Arc<str>, Option<Arc<str>>)> {
        let acted = actor(&self.pieces);
        // A tool's span may stand beside the agent whose model called it: of two the agent that began later is meant.
        let stands = |piece: &&Piece| {
            let (trace, span) = piece.span?;
            book.turns.get(&turn_of_trace(&self.turn.tenant, trace))?.agent_above(span, &[])
        };
        let spoke = self.calls().filter(|(_, call)| call.moment == Moment::Proposed).map(|(piece, _)| piece);
        let above =
            || acted.into_iter().chain(spoke).filter_map(|piece| stands(&piece)).max().map(|(_, it)| it.clone());
        let service = acted.map(|piece| &piece.service);
        let names = |piece: &&&Piece| piece.agent.is_some() && Some(&piece.service) == service;
        let named = || {
            let named: Vec<&Piece> = self.pieces.iter().filter(names).copied().collect();
            actor(&named).and_then(|piece| piece.agent.clone())
        };
        let shared = || self.turn.agent.as_ref().map(|agent| agent.value.clone());
        let own = acted.and_then(|piece| piece.agent.clone());
        own.or_else(above).or_else(named).or_else(shared).map_or(Known::Missing(self.missing()), Known::Value)
    }

    fn context(&self, end: Nanos) -> Known<u32> {
        let before = || self.turn.context.iter().filter(|(at, ..)| *at <= end).map(|(_, _, ids)| ids);
        if before().next().is_none() {
            return Known::Missing(self.missing());
        }
        if before().any(|ids| !ids.is_present()) {
            return Known::Missing(Missing::Withheld);
        }
        Known::Value(u32::try_from(before().count()).unwrap_or(u32::MAX))
    }

    fn policies(&self, decisions: &[Decision]) -> Known<Vec<Arc<str>>> {
        let own = self.calls().flat_map(|(_, call)| call.policies.iter());
        let decided = decisions.iter().flat_map(|decision| decision.policies.iter());
        let all: BTreeSet<&Arc<str>> = own.chain(decided).chain(&self.turn.policies).collect();
        if all.is_empty() {
            return Known::Missing(self.missing());
        }
        Known::Value(all.into_iter().cloned().collect())
    }

    /// The eight fields.
    fn fields(&self, action: &Action) -> BTreeMap<Field, Known<()>> {
        let intent = match self.turn.intent() {
            Some(Ranked { value: Known::Value(_), .. }) => Known::Value(()),
            Some(Ranked { value: Known::Missing(why), .. }) => Known::Missing(*why),
            None if self.turn.withheld => Known::Missing(Missing::Withheld),
            None => Known::Missing(self.missing()),
        };
        let checked = action.checks.iter().any(|check| check.phase == Phase::PostAction);
        // A guess excuses; it fills no field.
        let target = match &action.target {
            Known::Value((_, Provenance::Inferred)) => Known::Missing(self.missing()),
            target => target.as_ref().map(drop),
        };
        let unchecked = if self.reading.closed { Missing::Absent } else { Missing::Pending };
        BTreeMap::from([
            (Field::Intent, intent),
            (Field::Policy, action.policy.as_ref().map(drop)),
            (Field::Context, action.context.as_ref().map(drop)),
            (Field::Tool, action.tool.as_ref().map(drop)),
            (Field::Parameters, action.arguments.as_ref().map(drop)),
            (Field::Target, target),
            (Field::Output, action.output.as_ref().map(drop)),
            (Field::PostCheck, if checked { Known::Value(()) } else { Known::Missing(unchecked) }),
        ])
    }
}

/// What is defined of an action's tool.
#[derive(Default)]
struct Defined {
    digest: Option<Digest>,
    effect: Option<Effect>,
    egress: Option<bool>,
}

/// What is said, else the first of the others that says something.
fn else_first<T>(
    said: Known<(T, Provenance)>,
    others: &[(Provenance, &dyn Fn() -> Option<T>)],
) -> Known<(T, Provenance)> {
    let mut others = others.iter().filter(|_| !said.is_present());
    let other = others.find_map(|(provenance, say)| Some((say()?, *provenance)));
    other.map_or(said, Known::Value)
}

/// How much a record's word on a call's own facts counts: a run before messages, then provenance, then later end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Rank {
    ran: bool,
    provenance: Provenance,
    end: Nanos,
}

fn rank(piece: &Piece, call: &CallSays) -> Rank {
    Rank { ran: matches!(call.moment, Moment::Ran { .. }), provenance: piece.provenance, end: piece.end }
}

/// Decisions, each once: of one that two records of a producer tell, the one stays that says how long somebody was
/// asked, and so whether anybody was.
fn told_once(said: BTreeSet<Decision>) -> Vec<Decision> {
    let same = |one: &Decision, other: &Decision| {
        let service = |it: &Decision| it.witness.as_ref().map(|witness| witness.service.clone());
        let about = |it: &Decision| (it.outcome, it.by, it.raw.clone(), service(it));
        one.at.since(other.at).max(other.at.since(one.at)) <= TOLD_TWICE && about(one) == about(other)
    };
    let measured = |one: &Decision| said.iter().any(|other| other.waited.is_some() && same(one, other));
    said.iter().filter(|one| one.waited.is_some() || !measured(one)).cloned().collect()
}

/// That a call ran after somebody was asked shows that it was allowed. It is a guess by whom, and makes nothing good.
fn inferred_approval(ran: &Piece, call: &CallSays) -> Decision {
    Decision {
        scope: GrantScope::Unknown,
        call_id: call.id.clone(),
        tool: call.tool.clone(),
        parameters: call.arguments.value().map(|text| text.digest),
        witness: Some(Witness {
            evidence: ran.evidence,
            role: ran.role,
            service: ran.service.clone(),
            provenance: Provenance::Inferred,
        }),
        ..Decision::new(ran.start, Outcome::Allow, By::Human, "asked, then ran".into())
    }
}

/// Who acted: the outermost run, because a tool server's span lies inside the agent's; without a run, the record
/// whose word counts most. Never a gateway or a policy engine that only spoke about the call.
pub(super) fn actor<'a>(pieces: &[&'a Piece]) -> Option<&'a Piece> {
    let own = || {
        let own = pieces.iter().filter(|piece| !piece.role.is_independent());
        own.filter_map(|piece| Some((*piece, says_call(piece)?)))
    };
    let outermost =
        |(piece, call): &(&'a Piece, &CallSays)| (piece.end, Reverse(piece.start), call.id.is_some(), Reverse(*piece));
    let ran = own().filter(|(piece, call)| rank(piece, call).ran).max_by_key(outermost);
    let best = || own().max_by_key(|(piece, call)| (rank(piece, call), Reverse(*piece)));
    ran.or_else(best).map(|(piece, _)| piece)
}

/// The instrumentation scope whose word an action is, `name@version`: that of the record by which the acting service is
/// told, the outermost run, or without a run the record that counts most. `None` when it has no name.
pub fn instrumentation(action: &Action) -> Option<&Arc<str>> {
    let pieces: Vec<&Piece> = action.pieces.iter().collect();
    actor(&pieces).map(|piece| &piece.instrumentation).filter(|scope| !scope.is_empty())
}

pub(super) fn says_call(piece: &Piece) -> Option<&CallSays> {
    match &piece.says {
        Says::Call(call) => Some(call),
        _ => None,
    }
}

/// Whether a piece makes an action. History completes actions and makes none; so does a carried call without an
/// id, which cannot be told from an earlier one.
fn creates(piece: &Piece) -> bool {
    match &piece.says {
        Says::Call(call) => match call.moment {
            Moment::History | Moment::Answered { history: true, .. } => false,
            Moment::Carried | Moment::Answered { .. } | Moment::Refused { .. } => call.id.is_some(),
            Moment::Proposed | Moment::Asked | Moment::Ran { .. } => true,
        },
        Says::Decision(decision) => decision.call_id.is_some() || decision.tool.is_some(),
        Says::Check(_) => false,
    }
}

/// What a piece that gives an action its end is. The greatest that an action has gives it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EndedBy {
    /// It only says that there is a call.
    Proposal,
    /// It says what became of it: an ask, a decision, an answer.
    Answer,
    /// A span of the run itself.
    Run,
}

fn ended_by(piece: &Piece) -> Option<EndedBy> {
    match &piece.says {
        Says::Decision(_) => Some(EndedBy::Answer),
        Says::Check(_) => None,
        Says::Call(call) => match call.moment {
            Moment::Ran { .. } => Some(EndedBy::Run),
            Moment::Asked | Moment::Refused { .. } | Moment::Answered { history: false, .. } => Some(EndedBy::Answer),
            _ => creates(piece).then_some(EndedBy::Proposal),
        },
    }
}

impl TurnState {
    /// Why something that nobody said is missing.
    fn missing_when(&self, closed: bool) -> Missing {
        if !closed {
            Missing::Pending
        } else if self.root_ended.is_none() || self.is_sampled(closed) {
            Missing::Lost
        } else {
            Missing::Absent
        }
    }

    /// Whether records are known to be missing: a sampler says so, or spans never came that others name.
    fn is_sampled(&self, closed: bool) -> bool {
        self.sampled || closed && self.has_gaps()
    }

    /// What the turn's actions share, as a record, without what other components and turns say.
    pub(super) fn record(&self, closed: bool) -> Turn {
        Turn {
            context: self.context.iter().map(|(at, _, ids)| (*at, ids.clone())).collect(),
            models: self.model_calls(),
            containment: self.containment.iter().cloned().collect(),
            ..self.gist(closed)
        }
    }

    /// The record without the lists that grow with the turn: what its actions are judged with, each alone.
    pub fn gist(&self, closed: bool) -> Turn {
        let missing = self.missing_when(closed);
        let text = |slot: Option<&Ranked<Known<crate::model::Text>>>| match slot {
            Some(ranked) => match &ranked.value {
                Known::Value(text) => Known::Value(ranked.shared(text.clone())),
                Known::Missing(why) => Known::Missing(*why),
            },
            None if self.withheld => Known::Missing(Missing::Withheld),
            None => Known::Missing(missing),
        };
        let service = self.service.as_ref().map(|service| service.value.clone()).unwrap_or_default();
        Turn {
            id: self.id,
            revision: 0,
            tenant: self.tenant.clone(),
            trace: self.trace,
            conversation: self.conversation.as_ref().map(|ranked| {
                let id = conversation_id(&self.tenant, &service, &ranked.value);
                ranked.shared((id, ranked.value.clone()))
            }),
            service,
            agent: self.agent.as_ref().map(|ranked| ranked.shared(ranked.value.clone())),
            intent: text(self.intent()),
            intent_id: self.intent_id.as_ref().map(|ranked| ranked.shared(ranked.value.clone())),
            prompt: text(self.prompt.as_ref()),
            prompt_version: self.prompt_version.as_ref().map(|ranked| ranked.shared(ranked.value.clone())),
            policies: self.policies.iter().cloned().collect(),
            modes: self.modes.iter().cloned().collect(),
            root: None,
            task: None,
            stands: Vec::new(),
            context: Vec::new(),
            plan: match &self.plan {
                Some(ranked) => Known::Value(ranked.shared(ranked.value.clone())),
                None => Known::Missing(missing),
            },
            plans: self.plan_versions(),
            plan_decisions: self.plan_decisions.iter().cloned().collect(),
            models: Vec::new(),
            delegations: Vec::new(),
            edges: Vec::new(),
            containment: Vec::new(),
            root_ended: self.root_ended,
            closed,
            sampled: self.is_sampled(closed),
            withheld: self.withheld,
            start: self.start,
            end: self.end,
        }
    }
}

impl<T> Ranked<T> {
    fn shared<U>(&self, value: U) -> Shared<U> {
        Shared { value, provenance: self.provenance, evidence: self.evidence, at: self.start }
    }
}

/// The conversation of a service. Its epoch is told by whoever lists conversations: it is a gap in event time.
pub fn conversation_id(tenant: &Tenant, service: &crate::model::Service, id: &str) -> ConversationId {
    let mut hasher = blake3::Hasher::new();
    for part in [tenant.as_str(), &service.namespace, &service.name, id] {
        hasher.update(&(part.len() as u64).to_le_bytes());
        hasher.update(part.as_bytes());
    }
    let mut out = [0; 16];
    out.copy_from_slice(&hasher.finalize().as_bytes()[..16]);
    ConversationId(out)
}
