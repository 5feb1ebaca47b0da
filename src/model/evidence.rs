//! Evidence: the dialect-free meaning of one Received.
//!
//! ```text
//! Evidence                one span or one log record
//!   header                who sent it, where in which trace, when
//!   facts[]               what it says, each with provenance
//!     Turn, Conversation, Agent, Response        context: what it belongs to
//!     Intent, Prompt, Policy, Context, Plan      what a turn's actions share
//!     Call                                       one tool call: proposed, run, answered, asked
//!     Messages                                   a model's messages, unread JSON
//!     Decision, Check, Containment               what others said about an action
//!   bodies[]              texts that are longer than a row keeps
//! ```

use std::sync::Arc;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::{
    Body, Check, Containment, Cost, Decision, Digest, Effect, EvidenceId, Known, Nanos, Role, Service, SpanId, Tenant,
    Text, Tie, TraceId,
};

/// How a fact came to be known. Orders conflicts: `Explicit` wins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Provenance {
    /// Guessed from neighbours; may excuse, never convicts and never makes good.
    Inferred,
    /// Computed from other facts by a rule.
    Computed,
    /// Said in a producer's own convention.
    Dialect,
    /// Said in the `wherefore.*` namespace, or by a released convention made for it.
    Explicit,
}

impl Provenance {
    /// The word used in records and text.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Inferred => "inferred",
            Self::Computed => "computed",
            Self::Dialect => "dialect",
            Self::Explicit => "explicit",
        }
    }
}

/// What kind of work a span is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Node {
    /// An agent's run, or a workflow of agents.
    Agent,
    /// A model call.
    Model,
    /// A tool call.
    Tool,
    /// A retrieval.
    Retrieval,
    /// Planning.
    Plan,
    /// A guardrail or an evaluation.
    Check,
    /// A span without a role of its own; it still carries parentage.
    Other,
    /// A log record.
    Log,
}

/// The dialect-free meaning of one span or log record.
#[derive(Debug, Clone, PartialEq)]
pub struct Evidence {
    /// Content hash; byte-equal records are one.
    pub id: EvidenceId,
    /// From the token.
    pub tenant: Tenant,
    /// From the token.
    pub role: Role,
    /// The service of its resource.
    pub service: Service,
    /// `service.version`, if any.
    pub service_version: Option<Arc<str>>,
    /// Instrumentation scope, `name@version`.
    pub instrumentation: Arc<str>,
    /// The dialect that read it; `unread` when none did.
    pub dialect: &'static str,
    /// What kind of work it is about.
    pub node: Node,
    /// Where it stands. Logs without context have none.
    pub trace: Option<TraceId>,
    /// Its own span, or the span a log record was written in.
    pub span: Option<SpanId>,
    /// `None` on a span: it is the root of its trace.
    pub parent: Option<SpanId>,
    /// The parent is in another process (OTLP span flags), so that it may never be seen.
    pub remote_parent: bool,
    /// Spans it links to.
    pub links: Vec<(TraceId, SpanId)>,
    /// As sent. A log record's time; a span's start.
    pub start: Nanos,
    /// As sent. A log record's time; a span's end.
    pub end: Nanos,
    /// The telemetry was sampled: neighbours may never arrive.
    pub sampled: bool,
    /// What it says.
    pub facts: Vec<Fact>,
    /// The whole of the texts in `facts` that are longer than [`Text::HEAD`].
    pub bodies: Vec<Body>,
}

/// One thing that a record says.
#[derive(Debug, Clone, PartialEq)]
pub struct Fact {
    /// How it is known.
    pub provenance: Provenance,
    /// What is said.
    pub what: What,
}

/// The kinds of facts.
#[derive(Debug, Clone, PartialEq)]
pub enum What {
    /// The dialect's own id of the turn, where a trace is not a turn.
    Turn(Arc<str>),
    /// A conversation id as sent. Placeholders are not sent on by dialects.
    Conversation(Arc<str>),
    /// The acting agent.
    Agent {
        /// `gen_ai.agent.name` or what the dialect uses for it.
        name: Arc<str>,
        /// Its version.
        version: Option<Arc<str>>,
    },
    /// A model's response id.
    Response(Arc<str>),
    /// What another turn may take up: a conversation that work is handed to.
    Gives(Tie),
    /// What this record's turn takes up of another: the response it continues, the task it works on.
    Takes(Tie),
    /// An opaque id of the intent, such as a ticket.
    IntentId(Arc<str>),
    /// What the user asked for.
    Intent(Known<Text>),
    /// Somebody's words in a model's input or output, by their hash: what ties a turn to the one it goes on from.
    /// Message arrays say it themselves.
    Spoke {
        /// Read by the model, or written by it.
        direction: Direction,
        /// The user's; else the model's own, without a call.
        by_user: bool,
        /// Of the whole text.
        hash: super::Hash,
    },
    /// The system prompt.
    Prompt(Known<Text>),
    /// A version of the prompt, `name@version`.
    PromptVersion(Arc<str>),
    /// A policy in force, `id@version`.
    Policy(Arc<str>),
    /// A mode of approval that is in force when the record begins.
    Mode {
        /// The producer's word for it.
        mode: Arc<str>,
        /// Whether calls run in it without anybody being asked. `None`: some do, or nobody knows.
        bypass: Option<bool>,
    },
    /// Ids of what was retrieved; empty means: retrieval ran and found nothing.
    Context {
        /// Document ids.
        ids: Vec<Arc<str>>,
        /// The retrieval's ids were withheld with the content.
        withheld: bool,
    },
    /// A plan.
    Plan {
        /// Its id, when it has one.
        id: Option<Arc<str>>,
        /// The plan as text or JSON.
        text: Known<Text>,
    },
    /// The model that answered, with tokens in and out.
    Model {
        /// Provider.
        provider: Arc<str>,
        /// Model name as answered, else as asked.
        model: Arc<str>,
        /// Tokens read and written.
        tokens: (u64, u64),
    },
    /// What the answer of the record's [`What::Model`] cost.
    Cost(Cost),
    /// A tool call.
    Call(Box<Call>),
    /// Messages of a model call, unread.
    Messages(Messages),
    /// Somebody allowed, denied or asked.
    Decision(Box<Decision>),
    /// A resource that this record's work touched, as a URI where possible: a tool that it was done for is about it.
    Target(Arc<str>),
    /// What this record's work did, by its protocol: a tool that it was done for did at least that.
    Did(Did),
    /// Tools that a model was offered, or that a server has.
    Tools(Vec<ToolDefinition>),
    /// A validator or evaluation spoke.
    Check(Box<Check>),
    /// What the record's checks are about, where they name no call: the latest call of this tool on this target.
    Checked {
        /// The tool.
        tool: Arc<str>,
        /// The target.
        target: Arc<str>,
    },
    /// Somebody contained, or resumed.
    Containment(Containment),
    /// Content capture is off at this record: what its convention would carry is withheld, not absent.
    Withheld,
}

/// The messages of one model call as a JSON array (`telemetry.md` §4.4), passed on unread.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Messages {
    /// Read by the model, or written by it.
    pub direction: Direction,
    /// A JSON array of messages; may be cut short.
    pub json: Bytes,
}

/// Whether a model read or wrote.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Direction {
    /// Read by the model. Calls before the last user message are history.
    #[default]
    Input,
    /// Written by the model: calls in it are proposals.
    Output,
}

/// What one operation of a client did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Did {
    /// What it did to its target, where its protocol says so.
    pub effect: Option<Effect>,
    /// It went out of the own network. False: nobody knows, a proxy nearby may have passed it on.
    pub egress: bool,
}

/// A tool as it was defined: for a model to choose from, or by the server that has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ToolDefinition {
    /// Its name.
    pub name: Arc<str>,
    /// Of what is defined: description, parameters, hints. Not of how that is wrapped.
    pub digest: Digest,
    /// What it does, where the definition says so.
    pub effect: Option<Effect>,
    /// Whether it reaches out of the own systems, where the definition says so.
    pub egress: Option<bool>,
}

/// What one record or one message part says about one tool call.
#[derive(Debug, Clone, PartialEq)]
pub struct Call {
    /// Which moment of the call this is.
    pub moment: Moment,
    /// The provider's call id, when it is one (placeholders are not).
    pub id: Option<Arc<str>>,
    /// The tool's name, without a server's prefix where the dialect knows it.
    pub tool: Option<Arc<str>>,
    /// The parameters.
    pub arguments: Known<Text>,
    /// What came back.
    pub result: Known<Text>,
    /// The resource it is about, as a URI where possible.
    pub target: Option<Arc<str>>,
    /// What it does to the target.
    pub effect: Option<Effect>,
    /// Whether it reaches out of the own systems.
    pub egress: Option<bool>,
    /// `plan id/step`.
    pub plan_step: Option<Arc<str>>,
    /// State before and after, as versions.
    pub state_versions: Option<(Arc<str>, Arc<str>)>,
    /// MCP session and JSON-RPC request id: the same call on both sides.
    pub mcp: Option<(Arc<str>, Arc<str>)>,
    /// Not an action of its own.
    pub pseudo: Option<Pseudo>,
}

impl Call {
    /// A call of which only the moment is known.
    pub fn new(moment: Moment) -> Self {
        Self {
            moment,
            id: None,
            tool: None,
            arguments: Known::ABSENT,
            result: Known::ABSENT,
            target: None,
            effect: None,
            egress: None,
            plan_step: None,
            state_versions: None,
            mcp: None,
            pseudo: None,
        }
    }
}

/// The moments of a tool call that telemetry shows.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Moment {
    /// A model asked for it.
    Proposed,
    /// It stands in a model's input after the last user message: it was proposed earlier, perhaps in another turn.
    Carried,
    /// It stands before the last user message. Completes an action that exists, creates none.
    History,
    /// Somebody has to decide first.
    Asked,
    /// A tool span ended.
    Ran {
        /// What the span's status says.
        status: Status,
        /// Whether the ended span proves that the tool ran.
        proof: Proof,
    },
    /// A result was given to the model.
    Answered {
        /// The result says it is an error.
        error: bool,
        /// It stands before the last user message.
        history: bool,
    },
    /// The call was not carried out, and the record says so.
    Refused {
        /// By whom, as far as said.
        by: super::By,
    },
}

/// What a span's status says.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Unset or OK.
    Fine,
    /// An error, with `error.type` or the status message.
    Error(Arc<str>),
}

/// What an ended tool span proves, by its dialect's table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Proof {
    /// This dialect makes the span only when the tool ran.
    Ran,
    /// This dialect also makes such spans for calls that wait or were refused: only a result proves.
    NeedsResult,
}

/// Calls that are edges or control flow, not actions.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Pseudo {
    /// Hands the turn, or a part of it, to another agent.
    Delegation {
        /// The other agent, when named.
        to: Option<Arc<str>>,
    },
    /// The run of an agent that some tool may stand for: a call of that tool hands the turn to it.
    Behind {
        /// The agent.
        agent: Arc<str>,
    },
    /// Only controls the agent's own loop.
    Control,
}
