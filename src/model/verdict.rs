//! What the judge says: verdicts and findings.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{Digest, EvidenceId, FindingId, Nanos, words};

words!(
    /// A semantic service level indicator.
    Sli {
        /// The call matches explicitly authorised intent.
        IntentAlignment = "intent_alignment",
        /// A check after the action held.
        OutcomeValidation = "outcome_validation",
        /// The last enforced decision is not a denial by policy.
        DeniedActions = "denied_actions",
        /// A violation was contained in time. Its unit is an incident, not an action.
        ContainmentWithin = "containment_within",
        /// The call keeps to the declared limits of its agent.
        Envelope = "envelope",
        /// Plan, approval and execution of a risky call came in that order and agree.
        PlanCommit = "plan_commit",
        /// A human approval does not look like a rubber stamp.
        ApprovalReviewed = "approval_reviewed",
        /// The fields of the profile are there.
        LineageComplete = "lineage_complete",
    }
);

words!(
    /// Good, bad or unknown. Missing is never good.
    Value {
        /// Good.
        Good = "good",
        /// Bad.
        Bad = "bad",
        /// Cannot be said, for the reason given.
        Unknown = "unknown",
    }
);

/// Good, bad or unknown for one SLI on one action.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Verdict {
    /// The SLI.
    pub sli: Sli,
    /// What it says.
    pub value: Value,
    /// The rule that decided, a stable word such as `not_in_plan`.
    pub reason: Arc<str>,
    /// One sentence for a person.
    pub because: Arc<str>,
    /// The evidence it rests on.
    pub evidence: Vec<EvidenceId>,
    /// The rung of the ladder that decided, from 1; what is final stands before the first, as 0. Only intent alignment
    /// has one.
    pub rung: Option<u32>,
    /// The rule of an envelope that decided, if one did.
    pub rule: Option<RuleName>,
}

/// A rule of an envelope, as it was when it decided.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct RuleName {
    /// `envelope.<envelope>.<rule id>`.
    pub name: Arc<str>,
    /// Of what its envelope meant.
    pub envelope: Digest,
}

words!(
    /// How loud a finding is.
    Severity {
        /// Recorded.
        Info = "info",
        /// Somebody should look within days.
        Ticket = "ticket",
        /// Somebody should look now.
        Page = "page",
    }
);

words!(
    /// Who should look first.
    Class {
        /// Correlates with content from users or retrieval.
        Security = "security",
        /// Correlates with a change of model, prompt, tool, policy or configuration.
        Reliability = "reliability",
        /// Cannot be told apart: both look.
        Ambiguous = "ambiguous",
    }
);

words!(
    /// How sure it is who should look first.
    Confidence {
        /// Nothing points anywhere, or to both.
        None = "none",
        /// One thing changed or was read at the time.
        Low = "low",
        /// What changed or was read is part of the call.
        High = "high",
    }
);

/// Why a finding is of its class: what changed, or which content was read.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Tag {
    /// Who should look.
    pub class: Class,
    /// How sure.
    pub confidence: Confidence,
    /// One sentence for a person.
    pub because: Arc<str>,
}

words!(
    /// The life of a finding.
    FindingState {
        /// It stands.
        Open = "open",
        /// Later evidence took it back.
        Retracted = "retracted",
        /// Another finding says it better.
        Superseded = "superseded",
    }
);

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Finding {
    /// Stable over revisions: hash of action and rule.
    pub id: FindingId,
    /// The rule, `envelope.<envelope>.<rule id>`, or the judge's own, such as `held`.
    pub rule: Arc<str>,
    /// How loud.
    pub severity: Severity,
    /// Who should look.
    pub class: Class,
    /// Why that class: what was said first stands first, what holds now last. A finding that is tagged again keeps what
    /// it was tagged before. Empty: it was never classified, which is ambiguous.
    pub tags: Vec<Tag>,
    /// Whether it stands.
    pub state: FindingState,
    /// One sentence for a person.
    pub message: Arc<str>,
    /// The evidence it rests on.
    pub evidence: Vec<EvidenceId>,
    /// End of the action as sent.
    pub at: Nanos,
    /// The envelope that the rule stands in, as it was.
    pub envelope: Option<Digest>,
}
