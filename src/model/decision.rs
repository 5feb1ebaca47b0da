//! What others said about an action: decisions, checks, containment.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{Digest, EvidenceId, Known, Nanos, Provenance, Role, Service, Span, SpanId, Text, TraceId};

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
            pub const fn as_str(self) -> &'static str {
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

impl By {
    /// Whose denials are policy: not a person's, who may have any reason, and not nobody's.
    pub fn is_policy(self) -> bool {
        matches!(self, Self::Policy | Self::Model | Self::Hook | Self::System)
    }
}

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

impl Effect {
    /// How far it reaches, for choosing among several: what is gone or has left cannot be called back, what was changed
    /// or made can, and what was run shows itself in one of these.
    pub fn reach(self) -> u8 {
        match self {
            Self::Read => 0,
            Self::Execute => 1,
            Self::Create => 2,
            Self::Update => 3,
            Self::Send => 4,
            Self::Delete => 5,
        }
    }
}

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

words!(
    /// What contained an incident.
    Stop {
        /// A step of containment that somebody told.
        Command = "command",
        /// The run was aborted.
        Abort = "abort",
        /// The next write was refused, and none came after it.
        Refusal = "refusal",
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
    /// An earlier grant or a configuration was used; nobody was asked now.
    pub standing: bool,
    /// How long whoever decided was asked, where the producer measured it.
    pub waited: Option<Span>,
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

impl Decision {
    /// About this call alone, enforced, in the producer's words; nothing else is known of it.
    pub fn new(at: Nanos, outcome: Outcome, by: By, raw: Arc<str>) -> Self {
        Self {
            at,
            outcome,
            by,
            principal: None,
            scope: GrantScope::Once,
            enforced: true,
            standing: false,
            waited: None,
            raw,
            policies: Vec::new(),
            call_id: None,
            plan: None,
            tool: None,
            parameters: None,
            witness: None,
        }
    }

    /// Whether it can be the last word. One that was only watched, a question and a warning decide nothing. A guess
    /// excuses and never convicts: an inferred allow can take a denial back, an inferred denial denies nothing.
    fn decides(&self) -> bool {
        let guess = self.witness.as_ref().is_some_and(|witness| witness.provenance == Provenance::Inferred);
        match self.outcome {
            Outcome::Ask | Outcome::Warn => false,
            Outcome::Allow | Outcome::Modify => self.enforced,
            Outcome::Deny | Outcome::Abort | Outcome::Timeout => self.enforced && !guess,
        }
    }
}

/// The decision that stands: the last of those that decide. Of several at one time a denial is the last, and policy's
/// before others: bad wins. What rests on it alone is not good when its witness only infers it.
pub fn last_word<'a>(decisions: impl IntoIterator<Item = &'a Decision>) -> Option<&'a Decision> {
    let order = |decision: &&'a Decision| {
        let denies = decision.outcome == Outcome::Deny;
        (decision.at, denies, denies && decision.by.is_policy(), *decision)
    };
    decisions.into_iter().filter(|decision| decision.decides()).max_by_key(order)
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

impl Check {
    /// A check that says neither when it looked nor at what, under the producer's own label.
    pub fn new(at: Nanos, name: Arc<str>, result: CheckResult, label: Arc<str>) -> Self {
        Self {
            at,
            name,
            phase: Phase::Unknown,
            result,
            label,
            score: None,
            explanation: Known::ABSENT,
            call_id: None,
            response_id: None,
            about: None,
            witness: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::sample::{at, decision};

    fn guess(mut decision: Decision) -> Decision {
        let witness = decision.witness.as_mut().expect("a sample has a witness");
        witness.provenance = Provenance::Inferred;
        decision
    }

    #[test]
    fn the_last_word_is_the_last_that_decides() {
        use Outcome::{Allow, Ask, Deny, Modify, Timeout, Warn};
        let said = |outcome, second| Decision { at: at(second), ..decision(outcome, By::Policy) };
        let watched = Decision { enforced: false, ..said(Allow, 9) };
        for (name, decisions, want) in [
            ("nobody spoke", vec![], None),
            ("a question decides nothing", vec![said(Deny, 1), said(Ask, 2)], Some((Deny, 1))),
            ("a warning decides nothing", vec![said(Deny, 1), said(Warn, 2)], Some((Deny, 1))),
            ("nothing but a question", vec![said(Ask, 2)], None),
            ("who only watches decides nothing", vec![said(Deny, 1), watched], Some((Deny, 1))),
            ("a later allow", vec![said(Deny, 1), said(Allow, 2)], Some((Allow, 2))),
            ("a later change", vec![said(Deny, 1), said(Modify, 2)], Some((Modify, 2))),
            ("a later time-out", vec![said(Allow, 1), said(Timeout, 2)], Some((Timeout, 2))),
            ("bad wins at one time", vec![said(Deny, 1), said(Allow, 1), said(Modify, 1)], Some((Deny, 1))),
            ("a guess does not convict", vec![said(Allow, 1), guess(said(Deny, 2))], Some((Allow, 1))),
            ("a guess excuses", vec![said(Deny, 1), guess(said(Allow, 2))], Some((Allow, 2))),
        ] {
            let backwards: Vec<_> = decisions.iter().rev().cloned().collect();
            for decisions in [decisions, backwards] {
                let last = last_word(&decisions).map(|last| (last.outcome, last.at));
                assert_eq!(last, want.map(|(outcome, second)| (outcome, at(second))), "{name}");
            }
        }
    }

    #[test]
    fn of_two_denials_at_one_time_policy_has_the_last_word() {
        let decisions = [decision(Outcome::Deny, By::Policy), decision(Outcome::Deny, By::Unknown)];
        assert_eq!(last_word(&decisions).map(|last| last.by), Some(By::Policy));
    }
}
