//! Numbers, ids, texts and words.

use std::collections::BTreeSet;
use std::sync::Arc;

use bytes::Bytes;

use crate::engine::parts::Did;
use crate::model::{
    ActionId, Algorithm, By, CheckResult, Class, Confidence, Containment, ConversationId, Cost, Effect, EvidenceId,
    Field, FindingId, FindingState, GrantScope, Hash, IncidentId, JoinMethod, Missing, Nanos, Node, Outcome, Phase,
    Proof, Provenance, Role, Severity, Sli, Span, SpanId, StandKind, Stop, Tenant, TraceId, TurnId, Value,
};
use crate::proto::records as v1;

use super::{Malformed, Wire};

/// A type that stands for itself.
macro_rules! same {
    ($($kind:ty),+) => {$(
        impl Wire<$kind> for $kind {
            fn put(&self) -> $kind {
                self.clone()
            }

            fn take(stored: $kind) -> Result<Self, Malformed> {
                Ok(stored)
            }
        }
    )+};
}
same!(bool, u32, u64);

impl Wire<u32> for u16 {
    fn put(&self) -> u32 {
        (*self).into()
    }

    fn take(stored: u32) -> Result<Self, Malformed> {
        stored.try_into().map_err(|_| Malformed::new("is too large"))
    }
}

impl Wire<u64> for usize {
    fn put(&self) -> u64 {
        *self as u64
    }

    fn take(stored: u64) -> Result<Self, Malformed> {
        stored.try_into().map_err(|_| Malformed::new("is too large"))
    }
}

impl Wire<Bytes> for u128 {
    fn put(&self) -> Bytes {
        Bytes::copy_from_slice(&self.to_be_bytes())
    }

    fn take(stored: Bytes) -> Result<Self, Malformed> {
        stored[..].try_into().map(Self::from_be_bytes).map_err(|_| Malformed::new("has the wrong length"))
    }
}

impl Wire<u64> for Nanos {
    fn put(&self) -> u64 {
        self.0
    }

    fn take(stored: u64) -> Result<Self, Malformed> {
        Ok(Self(stored))
    }
}

impl Wire<u64> for Cost {
    fn put(&self) -> u64 {
        self.0
    }

    fn take(stored: u64) -> Result<Self, Malformed> {
        Ok(Self(stored))
    }
}

impl Wire<u64> for Span {
    fn put(&self) -> u64 {
        self.0
    }

    fn take(stored: u64) -> Result<Self, Malformed> {
        Ok(Self(stored))
    }
}

impl Wire<String> for Arc<str> {
    fn put(&self) -> String {
        str::to_owned(self)
    }

    fn take(stored: String) -> Result<Self, Malformed> {
        Ok(stored.into())
    }
}

impl Wire<String> for Tenant {
    fn put(&self) -> String {
        self.as_str().to_owned()
    }

    fn take(stored: String) -> Result<Self, Malformed> {
        Ok(Self::new(&stored))
    }
}

macro_rules! ids {
    ($($id:ident),+) => {$(
        impl Wire<Bytes> for $id {
            fn put(&self) -> Bytes {
                Bytes::copy_from_slice(&self.0)
            }

            fn take(stored: Bytes) -> Result<Self, Malformed> {
                Self::from_slice(&stored).ok_or(Malformed::new("has the wrong length"))
            }
        }
    )+};
}
ids!(ActionId, ConversationId, EvidenceId, FindingId, Hash, IncidentId, SpanId, TraceId, TurnId);

/// Evidence ids, one after the other: a turn may have tens of thousands.
impl Wire<Bytes> for BTreeSet<EvidenceId> {
    fn put(&self) -> Bytes {
        self.iter().flat_map(|id| id.0).collect()
    }

    fn take(stored: Bytes) -> Result<Self, Malformed> {
        let (ids, []) = stored.as_chunks() else {
            return Err(Malformed::new("has the wrong length"));
        };
        Ok(ids.iter().map(|id| EvidenceId(*id)).collect())
    }
}

/// An enumeration. Its zero is not a word: a field that was never written is not taken for one.
macro_rules! words {
    ($($word:ident { $($variant:ident),+ })+) => { words!(@ $($word = $word { $($variant),+ })+); };
    (@ $($word:ident = $proto:ident { $($variant:ident),+ })+) => {$(
        impl Wire<i32> for $word {
            fn put(&self) -> i32 {
                match self { $(Self::$variant => v1::$proto::$variant as i32),+ }
            }

            fn take(stored: i32) -> Result<Self, Malformed> {
                match v1::$proto::try_from(stored) {
                    $(Ok(v1::$proto::$variant) => Ok(Self::$variant),)+
                    _ => Err(Malformed::new("is not a word of its list")),
                }
            }
        }

        #[cfg(test)]
        impl super::tests::Any for $word {
            fn any(source: &mut super::tests::Source) -> Self {
                source.pick(&[$(Self::$variant),+])
            }
        }
    )+};
}
words! {
    Algorithm { Blake3 }
    By { Human, Policy, Model, Hook, System, Unknown }
    CheckResult { Pass, Fail, Unknown }
    Class { Security, Reliability, Ambiguous }
    Confidence { None, Low, High }
    Containment { Halt, Revoke, Isolate, Rollback, Resume }
    Effect { Read, Create, Update, Delete, Send, Execute }
    Field { Intent, Policy, Context, Tool, Parameters, Target, Output, PostCheck }
    FindingState { Open, Retracted, Superseded }
    GrantScope { Once, Session, Permanent, Unknown }
    JoinMethod {
        SameSpan, CallId, McpRequest, ToolAncestor, ApprovalPair, KthPair, Response, Link, History, Answer, Task,
        Delegated, Check
    }
    Missing { Absent, Withheld, Lost, Pending }
    Outcome { Allow, Deny, Ask, Modify, Warn, Abort, Timeout }
    Phase { PreAction, PostAction, Unknown }
    Proof { Ran, NeedsResult }
    Provenance { Inferred, Computed, Dialect, Explicit }
    Role { Unspecified, Agent, Gateway, PolicyEngine, Evaluator, HumanChannel }
    Severity { Info, Ticket, Page }
    StandKind { Hold, Release }
    Sli {
        IntentAlignment, OutcomeValidation, DeniedActions, ContainmentWithin, Envelope, PlanCommit, ApprovalReviewed,
        LineageComplete
    }
    Stop { Command, Abort, Refusal }
    Value { Good, Bad, Unknown }
}
words! { @ Did = ActResult { Wrote, Refused, Aborted } }
words! { @ Node = NodeKind { Agent, Model, Tool, Retrieval, Plan, Check, Other, Log } }
