//! What is appended and what is read back, in words of the model.

use bytes::Bytes;

use crate::model::{Nanos, Role, Span, Tenant};
use crate::proto::records;

/// What a frame is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// The accepted spans of one request.
    Traces,
    /// The accepted log records of one request.
    Logs,
    /// A configuration that is in force from here on.
    Config,
    /// The process started again.
    Restart,
    /// Time passed.
    Tick,
}

impl Kind {
    /// Whether senders cause it. The journal's own frames may use the emergency reserve of the disk.
    pub fn is_received(self) -> bool {
        matches!(self, Self::Traces | Self::Logs)
    }
}

/// Refused records of a request: why, and how many.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rejection {
    /// A reason from a fixed list, never a sender's text.
    pub reason: String,
    /// Records refused for it.
    pub count: u32,
}

/// What a caller appends. The journal adds sequence and time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// What it is about.
    pub kind: Kind,
    /// Who the records belong to.
    pub tenant: Tenant,
    /// The role of the sender's token.
    pub role: Role,
    /// Records in the body.
    pub accepted: u32,
    /// Records that are not in the body, by reason.
    pub rejected: Vec<Rejection>,
    /// The accepted records, or the configuration. At most 256 MiB.
    pub body: Bytes,
}

impl Entry {
    /// Spans of one request.
    pub fn traces(tenant: Tenant, role: Role, accepted: u32, body: Bytes) -> Self {
        Self { tenant, role, accepted, ..Self::own(Kind::Traces, body) }
    }

    /// Log records of one request.
    pub fn logs(tenant: Tenant, role: Role, accepted: u32, body: Bytes) -> Self {
        Self { tenant, role, accepted, ..Self::own(Kind::Logs, body) }
    }

    /// A configuration, in the driver's format.
    pub fn config(body: Bytes) -> Self {
        Self::own(Kind::Config, body)
    }

    /// A start of the process.
    pub fn restart() -> Self {
        Self::own(Kind::Restart, Bytes::new())
    }

    /// The passing of time.
    pub fn tick() -> Self {
        Self::own(Kind::Tick, Bytes::new())
    }

    /// The same entry, with what was refused beside it.
    pub fn with_rejected(self, rejected: Vec<Rejection>) -> Self {
        Self { rejected, ..self }
    }

    fn own(kind: Kind, body: Bytes) -> Self {
        Self { kind, tenant: Tenant::default(), role: Role::default(), accepted: 0, rejected: Vec::new(), body }
    }
}

/// Where an entry ended up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Position {
    /// 1 for the first frame of a journal, then one more each.
    pub sequence: u64,
    /// The journal's clock: never decreasing.
    pub now: Nanos,
}

/// An entry as the journal holds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    /// 1 for the first frame of a journal, then one more each.
    pub sequence: u64,
    /// The journal's clock when the frame was written: never decreasing.
    pub now: Nanos,
    /// How far the wall clock was behind `now`: it had stepped back.
    pub clamped: Span,
    /// What it is about.
    pub kind: Kind,
    /// Who the records belong to.
    pub tenant: Tenant,
    /// The role of the sender's token.
    pub role: Role,
    /// Records in the body, or once in it.
    pub accepted: u32,
    /// Records that are not in the body, by reason.
    pub rejected: Vec<Rejection>,
    /// The accepted records, or the configuration. Empty when forgotten.
    pub body: Bytes,
    /// The body was removed on purpose; the chain still holds its commitment.
    pub forgotten: bool,
}

impl Frame {
    /// The frame of an entry.
    pub(super) fn new(entry: Entry, position: Position, clamped: Span) -> Self {
        let Entry { kind, tenant, role, accepted, rejected, body } = entry;
        let Position { sequence, now } = position;
        Self { sequence, now, clamped, kind, tenant, role, accepted, rejected, body, forgotten: false }
    }

    /// Where it stands.
    pub fn position(&self) -> Position {
        Position { sequence: self.sequence, now: self.now }
    }

    /// Reads the sealed facts; `None` when they use a kind or role that this version does not know.
    pub(super) fn from_facts(facts: &records::FrameFacts, body: Bytes, forgotten: bool) -> Option<Self> {
        Some(Self {
            sequence: facts.sequence,
            now: Nanos(facts.now_unix_nano),
            clamped: Span(facts.clamped_nanos),
            kind: read_kind(facts.kind())?,
            tenant: Tenant::new(&facts.tenant),
            role: read_role(records::Role::try_from(facts.role).ok()?),
            accepted: facts.accepted,
            rejected: facts.rejected.iter().map(read_rejection).collect(),
            body,
            forgotten,
        })
    }

    /// The facts that the chain seals. `batch` is the first sequence of the group commit.
    pub(super) fn facts(&self, batch: u64) -> records::FrameFacts {
        records::FrameFacts {
            sequence: self.sequence,
            now_unix_nano: self.now.0,
            kind: write_kind(self.kind).into(),
            tenant: self.tenant.as_str().to_owned(),
            role: write_role(self.role).into(),
            accepted: self.accepted,
            rejected: self.rejected.iter().map(write_rejection).collect(),
            // Bodies are bounded far below 4 GiB when they are queued.
            body_len: self.body.len() as u32,
            clamped_nanos: self.clamped.0,
            batch,
        }
    }
}

fn read_rejection(rejection: &records::Rejection) -> Rejection {
    Rejection { reason: rejection.reason.clone(), count: rejection.count }
}

fn write_rejection(rejection: &Rejection) -> records::Rejection {
    records::Rejection { reason: rejection.reason.clone(), count: rejection.count }
}

fn read_kind(kind: records::FrameKind) -> Option<Kind> {
    match kind {
        records::FrameKind::Unspecified => None,
        records::FrameKind::Traces => Some(Kind::Traces),
        records::FrameKind::Logs => Some(Kind::Logs),
        records::FrameKind::Config => Some(Kind::Config),
        records::FrameKind::Restart => Some(Kind::Restart),
        records::FrameKind::Tick => Some(Kind::Tick),
    }
}

fn write_kind(kind: Kind) -> records::FrameKind {
    match kind {
        Kind::Traces => records::FrameKind::Traces,
        Kind::Logs => records::FrameKind::Logs,
        Kind::Config => records::FrameKind::Config,
        Kind::Restart => records::FrameKind::Restart,
        Kind::Tick => records::FrameKind::Tick,
    }
}

fn read_role(role: records::Role) -> Role {
    match role {
        records::Role::Unspecified => Role::Unspecified,
        records::Role::Agent => Role::Agent,
        records::Role::Gateway => Role::Gateway,
        records::Role::PolicyEngine => Role::PolicyEngine,
        records::Role::Evaluator => Role::Evaluator,
        records::Role::HumanChannel => Role::HumanChannel,
    }
}

fn write_role(role: Role) -> records::Role {
    match role {
        Role::Unspecified => records::Role::Unspecified,
        Role::Agent => records::Role::Agent,
        Role::Gateway => records::Role::Gateway,
        Role::PolicyEngine => records::Role::PolicyEngine,
        Role::Evaluator => records::Role::Evaluator,
        Role::HumanChannel => records::Role::HumanChannel,
    }
}
