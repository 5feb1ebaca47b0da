//! What is kept of a set of evidence: the pieces that `assemble` reads.
//!
//! ```text
//! Book
//!   turns      TurnId → TurnState      what a turn's actions share, and its span tree
//!   actions    Handle → ActionState    one connected component of keys, with its own pieces
//!   by_key     (tenant, Key) → Handle  union-find's answer: where a key belongs now; joins never cross tenants
//!   by_pair    (tenant, call id) → Handles   who may be two halves of one action
//!   by_response  (tenant, response id) → Handles   what a response proposed: who is told what is said about it
//!   by_tie     (tenant, Tie) → Turns   who gives it, and who takes it up
//! ```
//!
//! Every field is a function of the set of records folded so far: sets, and winners by a total order.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use crate::model::{
    Check, Containment, Decision, Did, Digest, Effect, EvidenceId, Hash, Key, Known, ModeAt, ModelUse, Moment, Nanos,
    Piece, PlanText, Provenance, Says, Service, Shared, SpanId, SpanNode, Stand, Tenant, Text, Tie, TraceId, TurnId,
    Witness,
};

use super::above::StandKey;
use super::edges::{Tied, Ties};
use super::fold::{turn_of_response, turn_of_trace};
use super::kth::KthPairs;

/// Names an action inside one engine, before it has a public id. Given in journal order.
pub type Handle = u64;

/// A candidate for what a turn's actions share. The best one is kept: the greatest provenance, then the earliest
/// start, then the shortest message array, then the smallest evidence id. Earliest, because a sub-agent speaks
/// later than the agent that called it and must not overwrite what the user said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ranked<T> {
    /// How it is known.
    pub provenance: Provenance,
    /// Start of its record as sent.
    pub start: Nanos,
    /// Length of the message array it was read from, or 0.
    pub read_at: u64,
    /// Its record.
    pub evidence: EvidenceId,
    /// The value.
    pub value: T,
}

impl<T: Ord> Ranked<T> {
    fn beats(&self, other: &Self) -> bool {
        let key = |ranked: &Self| (ranked.start, ranked.read_at, ranked.evidence);
        self.provenance > other.provenance
            || self.provenance == other.provenance && (key(self), &self.value) < (key(other), &other.value)
    }

    /// Keeps the better one. True when the kept value changed.
    pub(super) fn offer(self, slot: &mut Option<Self>) -> bool {
        match slot {
            Some(kept) if !self.beats(kept) => false,
            Some(kept) => {
                let changed = kept.value != self.value;
                *kept = self;
                changed
            }
            None => {
                *slot = Some(self);
                true
            }
        }
    }
}

/// What a decision or check without a call id is about.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum About {
    /// A span of the turn.
    Span(SpanId),
    /// A model response.
    Response(Arc<str>),
    /// Some call of a tool: which one, its time tells, unless the record's own span stands at or below a tool's.
    Tool(Arc<str>, Option<SpanId>),
    /// The turn as a whole.
    Turn,
    /// The latest call of a tool on a target in the conversation, in whichever turn.
    Latest(Arc<str>, Arc<str>),
}

/// A decision, a check, a target or a deed that is attached to the actions it is about when they are read.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Attached {
    /// A decision.
    Decision(Box<Decision>),
    /// A check.
    Check(Box<Check>),
    /// A resource that was touched.
    Target(Arc<str>),
    /// What was done below it.
    Did(Did),
}

/// What a turn's records define of one tool: of each the winner, because a server tells hints that a model's list of
/// tools lacks.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ToolSaid {
    /// Digest of its definition.
    pub digest: Option<Ranked<Digest>>,
    /// What it does.
    pub effect: Option<Ranked<Effect>>,
    /// Whether it reaches out.
    pub egress: Option<Ranked<bool>>,
}

/// What users said in the records of one span.
#[derive(Debug, Clone, PartialEq)]
pub struct Asked {
    /// Time of the first such record.
    pub first: Nanos,
    /// The last of them.
    pub last: Ranked<Known<Text>>,
}

/// A standing constraint in the messages that a turn's models read, and which records carry it.
#[derive(Debug, Clone, PartialEq)]
pub struct Spoken {
    /// What is said.
    pub stand: Stand,
    /// By which records: the first few.
    pub said: BTreeSet<Utterance>,
}

/// That a record carries a user's words.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Utterance {
    /// Its start as sent.
    pub at: Nanos,
    /// Where in it.
    pub place: u64,
    /// Itself.
    pub evidence: EvidenceId,
    /// Its span.
    pub span: Option<SpanId>,
    /// The words are what it was asked, and no history. `None` where a model call has a record for each message: then
    /// `asked` tells.
    pub now: Option<bool>,
}

/// One turn's state.
#[derive(Debug, Clone, PartialEq)]
pub struct TurnState {
    /// Its id.
    pub id: TurnId,
    /// Whose.
    pub tenant: Tenant,
    /// The trace it is, if it is one.
    pub trace: Option<TraceId>,
    /// Content hashes of all its evidence.
    pub evidence: BTreeSet<EvidenceId>,
    /// The span tree. Of several records of one span the greatest.
    pub spans: BTreeMap<SpanId, SpanNode>,
    /// What else was said of a span's place: its other records, without their times.
    pub others: BTreeMap<SpanId, BTreeSet<SpanNode>>,
    /// The service that speaks first.
    pub service: Option<Ranked<Service>>,
    /// The conversation id as sent.
    pub conversation: Option<Ranked<Arc<str>>>,
    /// The outermost agent: name and version.
    pub agent: Option<Ranked<(Arc<str>, Option<Arc<str>>)>>,
    /// What the user asked for.
    pub intent: Option<Ranked<Known<Text>>>,
    /// An opaque id of it.
    pub intent_id: Option<Ranked<Arc<str>>>,
    /// The system prompt.
    pub prompt: Option<Ranked<Known<Text>>>,
    /// Its version.
    pub prompt_version: Option<Ranked<Arc<str>>>,
    /// The plan.
    pub plan: Option<Ranked<PlanText>>,
    /// Every plan, by the time at which it was known.
    pub plans: BTreeSet<(Nanos, Shared<PlanText>)>,
    /// Decisions about plans.
    pub plan_decisions: BTreeSet<Decision>,
    /// Policies in force.
    pub policies: BTreeSet<Arc<str>>,
    /// Modes of approval, by time.
    pub modes: BTreeSet<ModeAt>,
    /// Tools that were defined, by name.
    pub tools: BTreeMap<Arc<str>, ToolSaid>,
    /// Retrievals: end, record, ids.
    pub context: BTreeSet<(Nanos, EvidenceId, Known<Vec<Arc<str>>>)>,
    /// What spans tell of model calls, by span, or by the first eight bytes of a record without an id.
    pub models: BTreeMap<SpanId, ModelUse>,
    /// What log records tell of them, by the span they stand in and themselves.
    pub logged: BTreeMap<(Option<SpanId>, EvidenceId), ModelUse>,
    /// What other turns may take up of it, besides its answers.
    pub gives: BTreeSet<Tie>,
    /// What it takes up of other turns.
    pub takes: BTreeSet<Tie>,
    /// The last model responses, by end: what a later turn may continue.
    pub responses: BTreeSet<(Nanos, Arc<str>)>,
    /// The last answers of a model without a call, by end: what a later turn may carry as history.
    pub answers: BTreeSet<(Nanos, Hash)>,
    /// The last answers in the messages that its models read, by place.
    pub answers_read: BTreeSet<(u64, Hash)>,
    /// The last words of users in the messages that its models read, by place.
    pub users_read: BTreeSet<(u64, Hash)>,
    /// Turns that its spans link to.
    pub links: BTreeSet<TurnId>,
    /// What users said in records of their own, by the span they were written in: a model call has one record for
    /// each of its messages, and its last is what it was asked.
    pub asked: BTreeMap<SpanId, Asked>,
    /// Standing constraints in messages under role user.
    pub stands: BTreeMap<StandKey, Spoken>,
    /// Containment steps.
    pub containment: BTreeSet<(Nanos, Containment, Witness)>,
    /// Decisions, checks and targets by what they are about.
    pub attached: BTreeMap<About, BTreeSet<Attached>>,
    /// Some tool call of it has a span: an answer without one was never run.
    pub tool_spans: bool,
    /// Sampled telemetry.
    pub sampled: bool,
    /// Content capture is off somewhere in it.
    pub withheld: bool,
    /// Last end of a root span, as sent.
    pub root_ended: Option<Nanos>,
    /// First start as sent.
    pub start: Nanos,
    /// Last end as sent.
    pub end: Nanos,
    /// The components that stand in it.
    pub members: BTreeSet<Handle>,
    /// Components without a call id: only where there are some, pairs are looked for. Follows from their keys.
    pub(super) idless: BTreeSet<Handle>,
    /// Its k-th pairs. Follow from its members.
    pub(super) pairs: KthPairs,
    /// Tool and agent spans by the spans above them, up to the nearest tool or agent. Follows from `spans`.
    pub(super) below: BTreeMap<SpanId, BTreeSet<SpanId>>,
    /// Of the spans above them, those that are not here. Follows from `spans`.
    pub(super) missing: BTreeSet<SpanId>,
    /// What ties it to other turns. Follows from the rest.
    pub(super) ties: Ties,
    /// Message arrays that were read, longest per conversation. A shortcut, never part of the result.
    pub(super) cursors: Vec<super::messages::Cursor>,
}

/// One connected component of keys.
#[derive(Debug, Clone, PartialEq)]
pub struct ActionState {
    /// Its name in this engine.
    pub handle: Handle,
    /// Whose.
    pub tenant: Tenant,
    /// The turn that keeps its row.
    pub home: TurnId,
    /// Its keys.
    pub keys: BTreeSet<Key>,
    /// What its records say, by identity (see `identity` in `fold`).
    pub pieces: BTreeMap<u128, Piece>,
    /// A tool span with an agent's span below it.
    pub delegates: bool,
    /// More pieces came than are kept.
    pub crowded: bool,
}

impl ActionState {
    /// The turns it stands in.
    pub fn turns(&self) -> BTreeSet<TurnId> {
        self.pieces.values().map(|piece| piece.turn).chain([self.home]).collect()
    }

    /// The turns that it is read with: those it stands in, and those that keep what is said about its spans and about
    /// the responses that proposed it. It is in memory with all of them.
    pub fn read_with(&self) -> BTreeSet<TurnId> {
        let spans = self.keys.iter().filter_map(|key| match key {
            Key::Span(trace, _) => Some(*trace),
            _ => None,
        });
        let proposed = self.pieces.values().filter_map(|piece| Some(piece.span?.0).filter(|_| is_proposal(piece)));
        let traces = spans.chain(proposed).map(|trace| turn_of_trace(&self.tenant, trace));
        let responses = self.responses().map(|response| turn_of_response(&self.tenant, response));
        self.turns().into_iter().chain(traces).chain(responses).collect()
    }

    /// The model responses that proposed it.
    pub fn responses(&self) -> impl Iterator<Item = &Arc<str>> {
        self.pieces.values().filter_map(|piece| match &piece.says {
            Says::Call(call) if call.moment == Moment::Proposed => call.response_id.as_ref(),
            _ => None,
        })
    }
}

fn is_proposal(piece: &Piece) -> bool {
    matches!(&piece.says, Says::Call(call) if call.moment == Moment::Proposed)
}

/// All lineage state in memory. A checkpoint shares it instead of copying it; what changes while one is being written
/// is copied then.
#[derive(Debug, Default)]
pub struct Book {
    pub(super) turns: HashMap<TurnId, Arc<TurnState>, foldhash::fast::RandomState>,
    pub(super) actions: HashMap<Handle, Arc<ActionState>, foldhash::fast::RandomState>,
    pub(super) by_key: HashMap<(Tenant, Key), Handle, foldhash::fast::RandomState>,
    pub(super) by_pair: HashMap<(Tenant, Arc<str>), BTreeSet<Handle>, foldhash::fast::RandomState>,
    pub(super) by_response: HashMap<(Tenant, Arc<str>), BTreeSet<Handle>, foldhash::fast::RandomState>,
    pub(super) by_tie: HashMap<(Tenant, Tie), Tied, foldhash::fast::RandomState>,
    pub(super) next: Handle,
    /// Deliberately wrong, so that the tests of order can be seen to fail: how many records came before.
    pub(super) arrived: Option<u64>,
}

impl TurnState {
    /// A turn of which nothing is known yet.
    pub fn new(id: TurnId, tenant: Tenant, trace: Option<TraceId>) -> Self {
        Self {
            id,
            tenant,
            trace,
            evidence: BTreeSet::new(),
            spans: BTreeMap::new(),
            others: BTreeMap::new(),
            service: None,
            conversation: None,
            agent: None,
            intent: None,
            intent_id: None,
            prompt: None,
            prompt_version: None,
            plan: None,
            plans: BTreeSet::new(),
            plan_decisions: BTreeSet::new(),
            policies: BTreeSet::new(),
            modes: BTreeSet::new(),
            tools: BTreeMap::new(),
            context: BTreeSet::new(),
            models: BTreeMap::new(),
            logged: BTreeMap::new(),
            gives: BTreeSet::new(),
            takes: BTreeSet::new(),
            responses: BTreeSet::new(),
            answers: BTreeSet::new(),
            answers_read: BTreeSet::new(),
            users_read: BTreeSet::new(),
            links: BTreeSet::new(),
            asked: BTreeMap::new(),
            stands: BTreeMap::new(),
            containment: BTreeSet::new(),
            attached: BTreeMap::new(),
            tool_spans: false,
            sampled: false,
            withheld: false,
            root_ended: None,
            start: Nanos(u64::MAX),
            end: Nanos(0),
            members: BTreeSet::new(),
            idless: BTreeSet::new(),
            pairs: KthPairs::default(),
            below: BTreeMap::new(),
            missing: BTreeSet::new(),
            ties: Ties::default(),
            cursors: Vec::new(),
        }
    }

    /// Keeps what a user said in a record of its own.
    pub(super) fn hear(&mut self, span: SpanId, said: Ranked<Known<Text>>) {
        let first = said.start;
        match self.asked.get_mut(&span) {
            None => drop(self.asked.insert(span, Asked { first, last: said })),
            Some(asked) => {
                asked.first = asked.first.min(first);
                let order = |it: &Ranked<Known<Text>>| (it.provenance, it.start, it.evidence);
                if (order(&asked.last), &asked.last.value) < (order(&said), &said.value) {
                    asked.last = said;
                }
            }
        }
    }

    /// Whether something was said of some call by its tool's name.
    pub(super) fn speaks_of_tools(&self) -> bool {
        let first = About::Tool("".into(), None);
        self.attached.range(first..).next().is_some_and(|(about, _)| matches!(about, About::Tool(..)))
    }

    /// What the user asked for: what one record says at once, or the last of the first model call that has a record for
    /// each message.
    pub fn intent(&self) -> Option<&Ranked<Known<Text>>> {
        let asked = self.asked.iter().min_by_key(|(span, asked)| (asked.first, **span)).map(|(_, asked)| &asked.last);
        match (&self.intent, asked) {
            (Some(said), Some(asked)) if asked.beats(said) => Some(asked),
            (Some(said), _) => Some(said),
            (None, asked) => asked,
        }
    }

    /// The nearest agent above a span, besides some: when it began and how deep it stands, its name and version.
    pub(super) fn agent_above(
        &self,
        span: SpanId,
        besides: &[SpanId],
    ) -> Option<((Nanos, usize), &(Arc<str>, Option<Arc<str>>))> {
        let mut path = self.path_up(span).filter(|(span, _)| !besides.contains(span));
        path.find_map(|(span, node)| Some(((node.start, self.path_up(span).count()), node.agent.as_ref()?)))
    }

    /// Empties what follows from the rest.
    pub(super) fn forget_derived(&mut self) {
        self.idless.clear();
        self.pairs = KthPairs::default();
        self.below.clear();
        self.missing.clear();
        self.ties = Ties::default();
    }
}
