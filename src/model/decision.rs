//! What others said about an action: decisions, checks, containment.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{Digest, EvidenceId, Known, Nanos, Provenance, Role, Service, SpanId, Text, TraceId};

macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident = $word:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        pub enum $name { $($(#[$vdoc])* $variant),+ }

        impl $name {
            /// Every value.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The word used in telemetry, records, labels and text.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word),+ }
            }

            /// Reads the word.
            pub fn from_word(word: &str) -> Option<Self> {
                match word { $($word => Some(Self::$variant),)+ _ => None }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }
    };
}
pub(crate) use words;

words!(
    /// What was decided about a call.
    Outcome {
        /// It may run.
        Allow = "allow",
        /// It may not.
        Deny = "deny",
        /// Somebody else has to decide.
        Ask = "ask",
        /// It may run with other parameters.
        Modify = "modify",
        /// It may run; somebody should look.
        Warn = "warn",
        /// The whole run was stopped.
        Abort = "abort",
        /// Nobody answered in time.
        Timeout = "timeout",
    }
);

words!(
    /// Who decided.
    By {
        /// A person.
        Human = "human",
        /// A policy, a sandbox or a classifier.
        Policy = "policy",
        /// A model.
        Model = "model",
        /// A hook of the agent's host.
        Hook = "hook",
        /// The system around the agent.
        System = "system",
        /// Not said.
        Unknown = "unknown",
    }
);

words!(
    /// How long a decision holds.
    GrantScope {
        /// This call.
        Once = "once",
        /// This session.
        Session = "session",
        /// Until revoked.
        Permanent = "permanent",
        /// Not said.
        Unknown = "unknown",
    }
);

words!(
    /// What a tool does to its target.
    Effect {
        /// Looks only.
        Read = "read",
        /// Makes something new.
        Create = "create",
        /// Changes something.
        Update = "update",
        /// Removes something.
        Delete = "delete",
        /// Sends something out.
        Send = "send",
        /// Runs something.
        Execute = "execute",
    }
);

words!(
    /// When a check looked.
    Phase {
        /// Before the action.
        PreAction = "pre_action",
        /// After the action, at what it did.
        PostAction = "post_action",
        /// Not said.
        Unknown = "unknown",
    }
);

words!(
    /// What a check found.
    CheckResult {
        /// It held.
        Pass = "pass",
        /// It did not hold.
        Fail = "fail",
        /// The label says neither.
        Unknown = "unknown",
    }
);

words!(
    /// Steps of containment.
    Containment {
        /// The agent was stopped.
        Halt = "halt",
        /// Its rights were taken.
        Revoke = "revoke",
        /// It was cut off.
        Isolate = "isolate",
        /// What it did was undone.
        Rollback = "rollback",
        /// It may go on.
        Resume = "resume",
    }
);

/// Who says so: the witness behind a decision or a check.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Witness {
    /// The record.
    pub evidence: EvidenceId,
    /// The role of its token.
    pub role: Role,
    /// The service that sent it.
    pub service: Service,
    /// How the fact is known.
    pub provenance: Provenance,
}

/// Allow, deny or ask about an action, and by whom.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Decision {
    /// When it was made, as sent.
    pub at: Nanos,
    /// What was decided.
    pub outcome: Outcome,
    /// By whom.
    pub by: By,
    /// Pseudonym of the decider.
    pub principal: Option<Arc<str>>,
    /// How long it holds.
    pub scope: GrantScope,
    /// False when the decider only watched.
    pub enforced: bool,
    /// An earlier grant was used; nobody was asked now.
    pub standing: bool,
    /// The producer's own words.
    pub raw: Arc<str>,
    /// Policies it rests on, `id@version`.
    pub policies: Vec<Arc<str>>,
    /// The call it is about, when it names one.
    pub call_id: Option<Arc<str>>,
    /// The plan it is about, `plan id` or `plan id/step`.
    pub plan: Option<Arc<str>>,
    /// The tool it names.
    pub tool: Option<Arc<str>>,
    /// The parameters it was made about, when it says them.
    pub parameters: Option<Digest>,
    /// Who says so. Set by `lineage`.
    pub witness: Option<Witness>,
}

/// A validator, guardrail or evaluation spoke about an action.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Check {
    /// When, as sent.
    pub at: Nanos,
    /// Its name.
    pub name: Arc<str>,
    /// When it looked.
    pub phase: Phase,
    /// What it found.
    pub result: CheckResult,
    /// The producer's own label.
    pub label: Arc<str>,
    /// A score, as text to keep records comparable.
    pub score: Option<Arc<str>>,
    /// Why, in the checker's words.
    pub explanation: Known<Text>,
    /// The call it is about, when it names one.
    pub call_id: Option<Arc<str>>,
    /// The model response it is about, when it names one.
    pub response_id: Option<Arc<str>>,
    /// Another span it is about, by link.
    pub about: Option<(TraceId, SpanId)>,
    /// Who says so. Set by `lineage`.
    pub witness: Option<Witness>,
}
