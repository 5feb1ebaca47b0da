//! What the judge says: verdicts and findings.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{EvidenceId, FindingId, Nanos, words};

words!(
    /// A semantic service level indicator.
    Sli {
        /// The call matches explicitly authorised intent.
        IntentAlignment = "intent_alignment",
        /// A check after the action held.
        OutcomeValidation = "outcome_validation",
        /// The last enforced decision is not a denial by policy.
        DeniedActions = "denied_actions",
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
    /// The rule, `envelope.<envelope>.<rule id>`.
    pub rule: Arc<str>,
    /// How loud.
    pub severity: Severity,
    /// Who should look.
    pub class: Class,
    /// Whether it stands.
    pub state: FindingState,
    /// One sentence for a person.
    pub message: Arc<str>,
    /// The evidence it rests on.
    pub evidence: Vec<EvidenceId>,
    /// End of the action as sent.
    pub at: Nanos,
}
