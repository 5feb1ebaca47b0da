//! Actions, turns and lineages as they are recorded: what `lineage` assembles, `judge` reads, `store` keeps and
//! `explain` shows.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{
    ActionId, By, Check, Containment, ConversationId, Cost, Decision, Digest, Effect, EvidenceId, Finding, Hash, Known,
    Moment, Nanos, Node, Outcome, Provenance, Pseudo, Role, Service, Sli, SpanId, StandAt, Tenant, Text, TraceId,
    TurnId, Verdict, Witness, words,
};

/// A key of an action: what makes two records speak of one action. Every key is an alias of it for ever.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Key {
    /// A span.
    Span(TraceId, SpanId),
    /// A call id inside its turn.
    Call(TurnId, Arc<str>),
    /// A JSON-RPC request id inside its MCP session.
    Mcp(Arc<str>, Arc<str>),
    /// The k-th call of one tool with one parameter digest in a turn's messages: a call without an id.
    Kth(TurnId, Arc<str>, Hash, u32),
    /// One part of one record: a call without any id.
    Part(EvidenceId, u16),
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Span(trace, span) => write!(f, "span:{trace}/{span}"),
            Self::Call(turn, id) => write!(f, "call:{turn}/{id}"),
            Self::Mcp(session, id) => write!(f, "mcp:{session}/{id}"),
            Self::Kth(turn, tool, digest, k) => write!(f, "kth:{turn}/{tool}/{digest}/{k}"),
            Self::Part(evidence, part) => write!(f, "part:{evidence}/{part}"),
        }
    }
}

/// What one record says about one action: the compact evidence that a row keeps.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Piece {
    /// When it ended, as sent. First, because pieces are sorted by it.
    pub end: Nanos,
    /// The record.
    pub evidence: EvidenceId,
    /// Which part of it.
    pub part: u16,
    /// Length in bytes of the message array it was read from; 0 when it was not. Of pieces that say the same, the
    /// one from the shortest array stays, so that reading only the new end of a grown array loses nothing.
    pub read_at: u64,
    /// When it started, as sent.
    pub start: Nanos,
    /// The dialect that read it.
    pub dialect: Arc<str>,
    /// Instrumentation scope, `name@version`. Empty in rows of a former version.
    pub instrumentation: Arc<str>,
    /// `service.version` of the service that sent it.
    pub service_version: Option<Arc<str>>,
    /// How it is known.
    pub provenance: Provenance,
    /// The role of its token.
    pub role: Role,
    /// The service that sent it.
    pub service: Service,
    /// The turn it stands in.
    pub turn: TurnId,
    /// Its span.
    pub span: Option<(TraceId, SpanId)>,
    /// The acting agent it names.
    pub agent: Option<(Arc<str>, Option<Arc<str>>)>,
    /// What it says.
    pub says: Says,
}

/// What a piece says.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Says {
    /// A moment of the call.
    Call(Box<CallSays>),
    /// A decision about it.
    Decision(Box<Decision>),
    /// A check of it.
    Check(Box<Check>),
}

/// A moment of the call, with what the record knows of it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[allow(missing_docs, reason = "the fields of `Call`, in the same words")]
pub struct CallSays {
    pub moment: Moment,
    pub id: Option<Arc<str>>,
    pub tool: Option<Arc<str>>,
    pub arguments: Known<Text>,
    pub result: Known<Text>,
    pub target: Option<Arc<str>>,
    pub effect: Option<Effect>,
    pub egress: Option<bool>,
    pub plan_step: Option<Arc<str>>,
    pub state_versions: Option<(Arc<str>, Arc<str>)>,
    pub policies: Vec<Arc<str>>,
    pub pseudo: Option<Pseudo>,
    /// The model response that proposed it.
    pub response_id: Option<Arc<str>>,
}

words!(
    /// How two records came to be about one action, or two turns to be joined.
    JoinMethod {
        /// The same span.
        SameSpan = "same_span",
        /// The same call id in one turn.
        CallId = "call_id",
        /// The same JSON-RPC request in one MCP session.
        McpRequest = "mcp_request",
        /// A tool span whose nearest tool ancestor names the same tool.
        ToolAncestor = "tool_ancestor",
        /// An approval's two halves, in two turns.
        ApprovalPair = "approval_pair",
        /// Same tool and digest in one turn, the k-th with the k-th.
        KthPair = "kth_pair",
        /// A turn continues the model response that another ended with.
        Response = "response_id",
        /// A span of a turn links to a span of another.
        Link = "span_link",
        /// A turn's messages carry, as history, a call that was made in another.
        History = "history_call",
        /// A turn's messages carry what the user said and the model answered in another: text, and no id.
        Answer = "history_text",
        /// Two turns work on one A2A task.
        Task = "a2a_task",
        /// A turn handed work to the conversation that another is of.
        Delegated = "delegation",
        /// A check in another turn names the call.
        Check = "later_check",
    }
);

/// An edge between records of one action.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Join {
    /// By which rule.
    pub method: JoinMethod,
    /// `explicit` for keys, `computed` for pairs.
    pub confidence: Provenance,
    /// What was joined, readable.
    pub with: Arc<str>,
}

/// Where an action stands.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// A model asked for it; nothing else is known.
    Proposed,
    /// Somebody was asked and has not answered.
    Asked,
    /// It ran.
    Executed(Execution),
    /// It was refused.
    Refused(By),
    /// The run was stopped before it ran.
    Aborted,
    /// No outcome inside its window.
    Expired,
}

/// How an executed action ended.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Execution {
    /// Without error.
    Ok,
    /// With an error.
    Failed(Arc<str>),
    /// A tool span ended, and nothing proves that the tool ran.
    UnknownResult,
}

impl State {
    /// Every label value.
    pub const WORDS: [&str; 8] =
        ["proposed", "asked", "executed", "failed", "unknown_result", "refused", "aborted", "expired"];

    /// The label value.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Proposed => "proposed",
            Self::Asked => "asked",
            Self::Executed(Execution::Ok) => "executed",
            Self::Executed(Execution::Failed(_)) => "failed",
            Self::Executed(Execution::UnknownResult) => "unknown_result",
            Self::Refused(_) => "refused",
            Self::Aborted => "aborted",
            Self::Expired => "expired",
        }
    }

    /// It ran, and the evidence shows it: findings may say so at once.
    pub fn is_proven_execution(&self) -> bool {
        matches!(self, Self::Executed(Execution::Ok | Execution::Failed(_)))
    }

    /// It may still get an outcome.
    pub fn is_open(&self) -> bool {
        matches!(self, Self::Proposed | Self::Asked | Self::Executed(Execution::UnknownResult))
    }
}

words!(
    /// The eight fields that every lineage has or lacks.
    Field {
        /// What the user asked for.
        Intent = "intent",
        /// The system policy's version.
        Policy = "policy",
        /// Ids of the retrieved context.
        Context = "context",
        /// The tool's name.
        Tool = "tool",
        /// Its parameters.
        Parameters = "parameters",
        /// The resource it is about.
        Target = "target",
        /// What came back.
        Output = "output",
        /// The result of a check after the action.
        PostCheck = "post_check",
    }
);

/// What is unusual about an action's telemetry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
pub struct Marks {
    /// Records are known to be missing: a sampler says so, or spans never came that others name.
    pub sampled: bool,
    /// The turn's root never came.
    pub root_lost: bool,
    /// More pieces than a row keeps.
    pub crowded: bool,
    /// Merged into another action: this one is a tombstone.
    pub merged: bool,
}

/// One action at one revision. Without `id`, `revision`, tombstones and what judged it, it is a function of the set of
/// records.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Action {
    /// Fixed at first publication.
    pub id: ActionId,
    /// 1 for the first row, then one more each.
    pub revision: u32,
    /// Whose.
    pub tenant: Tenant,
    /// Every key, sorted.
    pub keys: Vec<Key>,
    /// When set, this is a tombstone: the action goes on under that id.
    pub merged_into: Option<ActionId>,
    /// The turn of its first piece.
    pub turn: TurnId,
    /// All turns it stands in, sorted.
    pub turns: Vec<TurnId>,
    /// The acting service.
    pub service: Service,
    /// Its version, as the record says that tells of it.
    pub service_version: Option<Arc<str>>,
    /// The acting agent: name and version.
    pub agent: Known<(Arc<str>, Option<Arc<str>>)>,
    /// Call id as sent.
    pub call_id: Option<Arc<str>>,
    /// The tool's name.
    pub tool: Known<Arc<str>>,
    /// The parameters.
    pub arguments: Known<Text>,
    /// The resource, and how it is known.
    pub target: Known<(Arc<str>, Provenance)>,
    /// What it does, and how that is known.
    pub effect: Known<(Effect, Provenance)>,
    /// Whether it reaches out of the own systems, and how that is known.
    pub egress: Known<(bool, Provenance)>,
    /// Digest of its tool's definition, where its turn shows one: two calls with different ones are calls of different
    /// tools, whatever their name.
    pub tool_version: Option<Digest>,
    /// What came back.
    pub output: Known<Text>,
    /// Where it stands.
    pub state: State,
    /// `plan id/step`.
    pub plan_step: Option<Arc<str>>,
    /// State before and after, as versions.
    pub state_versions: Option<(Arc<str>, Arc<str>)>,
    /// Start as sent.
    pub start: Nanos,
    /// End as sent. Its ledger slice.
    pub end: Nanos,
    /// Decisions, oldest first.
    pub decisions: Vec<Decision>,
    /// Checks, oldest first.
    pub checks: Vec<Check>,
    /// How many retrievals of its turn had ended when it did. Their ids are in the turn, once: [`Turn::retrieved`].
    pub context: Known<u32>,
    /// Policies in force, `id@version`.
    pub policy: Known<Vec<Arc<str>>>,
    /// How its records were joined.
    pub joins: Vec<Join>,
    /// An earlier denied attempt of the same (turn, tool, target): this one is counted apart.
    pub retry_of: Option<ActionId>,
    /// What is unusual.
    pub marks: Marks,
    /// The eight fields.
    pub fields: BTreeMap<Field, Known<()>>,
    /// The compact evidence, sorted; at most [`Action::PIECES`].
    pub pieces: Vec<Piece>,
    /// Digest of the configuration that judged it.
    pub judged_by: Option<Digest>,
    /// Verdicts, one per SLI that applies.
    pub verdicts: Vec<Verdict>,
    /// Findings.
    pub findings: Vec<Finding>,
}

impl Action {
    /// How many pieces of evidence a row keeps.
    pub const PIECES: usize = 256;

    /// Fields present, of eight.
    pub fn observed(&self) -> (usize, usize) {
        (self.fields.values().filter(|field| field.is_present()).count(), Field::ALL.len())
    }

    /// Fields present, of those not withheld.
    pub fn observable(&self) -> (usize, usize) {
        let withheld = |field: &&Known<()>| field.missing() == Some(super::Missing::Withheld);
        (self.observed().0, Field::ALL.len() - self.fields.values().filter(withheld).count())
    }

    /// The dialect that told of the call: that of its run, else of the first record that says there is one.
    pub fn dialect(&self) -> &str {
        let call = |piece: &&Piece| matches!(piece.says, Says::Call(_));
        let ran = |piece: &&Piece| matches!(&piece.says, Says::Call(call) if matches!(call.moment, Moment::Ran { .. }));
        let pieces = || self.pieces.iter();
        pieces()
            .find(ran)
            .or_else(|| pieces().find(call))
            .or_else(|| pieces().next())
            .map_or("unread", |it| &it.dialect)
    }

    /// The verdict for one SLI, if it applies.
    pub fn verdict(&self, sli: Sli) -> Option<&Verdict> {
        self.verdicts.iter().find(|verdict| verdict.sli == sli)
    }

    /// The agent's name, or `unknown`: the value of the `agent` label.
    pub fn agent_label(&self) -> &str {
        self.agent.value().map_or_else(
            || {
                if self.service.name.is_empty() { "unknown" } else { &self.service.name }
            },
            |(name, _)| name,
        )
    }

    /// The tool's name, or `unknown`.
    pub fn tool_label(&self) -> &str {
        self.tool.value().map_or("unknown", |tool| tool)
    }

    /// When somebody was last asked before a decision. A guess is no time.
    pub fn asked_before(&self, decision: &Decision) -> Option<Nanos> {
        let guess = |ask: &Decision| ask.witness.as_ref().is_some_and(|it| it.provenance == Provenance::Inferred);
        let asks = self.decisions.iter().filter(|other| other.outcome == Outcome::Ask && !guess(other));
        let asks = asks.map(|ask| ask.at);
        asks.chain(self.moments(|moment| *moment == Moment::Asked)).filter(|at| *at <= decision.at).max()
    }

    /// When the call was last proposed before a decision.
    pub fn proposed_before(&self, decision: &Decision) -> Option<Nanos> {
        self.moments(|moment| *moment == Moment::Proposed).filter(|at| *at <= decision.at).max()
    }

    fn moments(&self, which: fn(&Moment) -> bool) -> impl Iterator<Item = Nanos> {
        self.pieces.iter().filter_map(move |piece| match &piece.says {
            Says::Call(call) if which(&call.moment) => Some(piece.end),
            _ => None,
        })
    }

    /// A trace id to open it by: that of its first span.
    pub fn trace(&self) -> Option<(TraceId, SpanId)> {
        self.keys.iter().find_map(|key| match key {
            Key::Span(trace, span) => Some((*trace, *span)),
            _ => None,
        })
    }
}

/// A value that all actions of a turn share, and where it is from.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Shared<T> {
    /// The value.
    pub value: T,
    /// How it is known.
    pub provenance: Provenance,
    /// The record that won.
    pub evidence: EvidenceId,
    /// Its time as sent.
    pub at: Nanos,
}

/// A span of a turn, as far as parentage needs it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct SpanNode {
    /// Its parent.
    pub parent: Option<SpanId>,
    /// What kind of work.
    pub node: Node,
    /// The tool it names, on tool spans.
    pub tool: Option<Arc<str>>,
    /// The call id it names, on tool spans.
    pub call_id: Option<Arc<str>>,
    /// The agent it names, on agent spans: name and version.
    pub agent: Option<(Arc<str>, Option<Arc<str>>)>,
    /// The parent is in another process.
    pub remote_parent: bool,
    /// Start and end as sent.
    pub start: Nanos,
    /// End as sent.
    pub end: Nanos,
}

/// One turn: what its actions share. Without `revision` it is a function of the set of records.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Turn {
    /// Hash of its key.
    pub id: TurnId,
    /// 1 for the first row, then one more each.
    pub revision: u32,
    /// Whose.
    pub tenant: Tenant,
    /// The trace it is, if it is one.
    pub trace: Option<TraceId>,
    /// The conversation, with its id as sent.
    pub conversation: Option<Shared<(ConversationId, Arc<str>)>>,
    /// The service that spoke first.
    pub service: Service,
    /// The root agent.
    pub agent: Option<Shared<(Arc<str>, Option<Arc<str>>)>>,
    /// What the user asked for.
    pub intent: Known<Shared<Text>>,
    /// An opaque id of the intent.
    pub intent_id: Option<Shared<Arc<str>>>,
    /// The system prompt.
    pub prompt: Known<Shared<Text>>,
    /// Versions of prompts.
    pub prompt_version: Option<Shared<Arc<str>>>,
    /// Policies in force, `id@version`, sorted.
    pub policies: Vec<Arc<str>>,
    /// Modes of approval, by time: each holds until the next. Those that were set in turns above it are among them.
    pub modes: Vec<ModeAt>,
    /// The turn where the work began, when this one was handed it: its intent is that one's.
    pub root: Option<TurnId>,
    /// What the caller told it, when it was handed its work.
    pub task: Option<Shared<Text>>,
    /// What users said that binds it: in this turn, in those before it and above it, oldest first.
    pub stands: Vec<StandAt>,
    /// What was retrieved, by end time: ids, or withheld.
    pub context: Vec<(Nanos, Known<Vec<Arc<str>>>)>,
    /// The plan.
    pub plan: Known<Shared<PlanText>>,
    /// Every plan of the turn by the time at which it was known, the first and the latest of too many. One that only
    /// repeats the one before is left out.
    pub plans: Vec<Shared<PlanText>>,
    /// Decisions about plans. One that names no plan is about the latest that was known.
    pub plan_decisions: Vec<Decision>,
    /// Models that answered, each call once, by end time.
    pub models: Vec<ModelUse>,
    /// Work that one agent handed to another, sorted.
    pub delegations: Vec<Delegation>,
    /// Turns that this one goes on from, sorted.
    pub edges: Vec<Edge>,
    /// Containment: when, what, who says so.
    pub containment: Vec<(Nanos, Containment, Witness)>,
    /// The root has ended, as sent.
    pub root_ended: Option<Nanos>,
    /// Nothing more is expected: what is missing now is absent, or lost with the root.
    pub closed: bool,
    /// Records are known to be missing: a sampler says so, or spans never came that others name.
    pub sampled: bool,
    /// Content capture is off somewhere in it.
    pub withheld: bool,
    /// First start and last end as sent.
    pub start: Nanos,
    /// Last end as sent.
    pub end: Nanos,
}

impl Turn {
    /// Ids of the context that was retrieved by a time, each once; those withheld are not among them.
    pub fn retrieved(&self, by: Nanos) -> BTreeSet<&Arc<str>> {
        let before = self.context.iter().filter(|(at, _)| *at <= by);
        before.filter_map(|(_, ids)| ids.value()).flatten().collect()
    }

    /// The mode of approval in force at a time. `None`: nobody said one until then.
    pub fn mode_at(&self, at: Nanos) -> Option<&ModeAt> {
        self.modes.iter().rfind(|mode| mode.at <= at)
    }

    /// The modes of approval that an action was made under: the one in force when it began, and every later one until
    /// its end.
    pub fn modes_during(&self, action: &Action) -> impl Iterator<Item = &ModeAt> {
        let later = self.modes.iter().filter(move |mode| action.start < mode.at && mode.at <= action.end);
        self.mode_at(action.start).into_iter().chain(later)
    }

    /// A turn of which nothing was seen yet.
    pub fn unseen(id: TurnId, tenant: Tenant) -> Self {
        let pending = super::Missing::Pending;
        Self {
            id,
            revision: 0,
            tenant,
            trace: None,
            conversation: None,
            service: Service::default(),
            agent: None,
            intent: Known::Missing(pending),
            intent_id: None,
            prompt: Known::Missing(pending),
            prompt_version: None,
            policies: Vec::new(),
            modes: Vec::new(),
            root: None,
            task: None,
            stands: Vec::new(),
            context: Vec::new(),
            plan: Known::Missing(pending),
            plans: Vec::new(),
            plan_decisions: Vec::new(),
            models: Vec::new(),
            delegations: Vec::new(),
            edges: Vec::new(),
            containment: Vec::new(),
            root_ended: None,
            closed: false,
            sampled: false,
            withheld: false,
            start: Nanos(0),
            end: Nanos(0),
        }
    }
}

/// A mode of approval, from a time on. First the time, because modes are sorted by it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ModeAt {
    /// Since when, as sent.
    pub at: Nanos,
    /// The record that says so.
    pub evidence: EvidenceId,
    /// The producer's word for it.
    pub mode: Arc<str>,
    /// Whether calls run in it without anybody being asked. `None`: some do, or nobody knows.
    pub bypass: Option<bool>,
}

/// One agent handed work to another: a handoff, or an agent called as a tool.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Delegation {
    /// Who handed over, when a span says so.
    pub from: Option<Arc<str>>,
    /// Who was handed to, when anything names it.
    pub to: Option<Arc<str>>,
}

impl fmt::Display for Delegation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = |agent: &Option<Arc<str>>| agent.clone().unwrap_or_else(|| "an agent not named".into());
        match &self.from {
            Some(from) => write!(f, "{from} to {}", name(&self.to)),
            None => write!(f, "to {}", name(&self.to)),
        }
    }
}

/// A turn goes on from another, which stays a turn of its own.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Edge {
    /// The other turn: the earlier one, or the one that called.
    pub with: TurnId,
    /// By which rule.
    pub method: JoinMethod,
    /// How sure it is: what is inferred may excuse, and never convicts.
    pub confidence: Provenance,
}

/// What ties turns to each other: one gives it, another takes it up.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Tie {
    /// A model response that the next one continues.
    Response(Arc<str>),
    /// An A2A task.
    Task(Arc<str>),
    /// A conversation that work was handed to.
    Conversation(Arc<str>),
    /// The hash of what a model answered last.
    Answer(Hash),
    /// A conversation in which a user stated a constraint. Every turn of it takes that up.
    Stands(Arc<str>),
    /// A conversation in which something was checked that another turn of it may have done.
    Checks(Arc<str>),
    /// A mode of approval in a conversation: turns after it go on in it.
    Modes(Arc<str>),
}

/// A plan: its id and its text.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct PlanText {
    /// The id, when it has one.
    pub id: Option<Arc<str>>,
    /// The plan.
    pub text: Text,
}

/// One model call of a turn.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ModelUse {
    /// When it ended.
    pub end: Nanos,
    /// Provider; empty when nobody names it.
    pub provider: Arc<str>,
    /// Model.
    pub model: Arc<str>,
    /// Tokens in and out; both 0 when nobody tells them.
    pub tokens: (u64, u64),
    /// The response's id.
    pub response_id: Option<Arc<str>>,
    /// What it cost, where a record says so. Never computed from tokens.
    pub cost: Option<Cost>,
}

/// One action with what its turn shares: what `why` explains.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lineage {
    /// The action.
    pub action: Action,
    /// Its turn.
    pub turn: Turn,
    /// The other actions of the turn, in time order: id, tool, target, state.
    pub neighbours: Vec<Neighbour>,
    /// False while the action may still settle.
    pub settled: bool,
}

/// An action of the same turn, in one line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Neighbour {
    /// Its id, once it has one.
    pub id: ActionId,
    /// Start as sent.
    pub start: Nanos,
    /// The tool.
    pub tool: Arc<str>,
    /// The target or the arguments' beginning.
    pub about: Arc<str>,
    /// Where it stands.
    pub state: State,
}
