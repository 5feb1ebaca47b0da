//! Where a record came from: the signal, the role of its token, the service that says it sent it.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// An OTLP signal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Signal {
    /// Spans.
    Traces,
    /// Log records and events.
    Logs,
    /// Metrics: accepted and counted, never stored.
    Metrics,
}

impl Signal {
    /// Every signal, in the order of the table in `otlp`.
    pub const ALL: [Self; 3] = [Self::Traces, Self::Logs, Self::Metrics];

    /// The label value.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Traces => "traces",
            Self::Logs => "logs",
            Self::Metrics => "metrics",
        }
    }
}

/// What the token of a sender says it is. Decides who may testify.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// No token, or a token without a role: scope and service decide.
    #[default]
    Unspecified,
    /// The acting agent itself.
    Agent,
    /// A gateway between agents and models or tools.
    Gateway,
    /// A policy engine.
    PolicyEngine,
    /// An evaluator.
    Evaluator,
    /// A channel through which humans decide.
    HumanChannel,
}

impl Role {
    /// The label value, as written in a token file.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unspecified => "unspecified",
            Self::Agent => "agent",
            Self::Gateway => "gateway",
            Self::PolicyEngine => "policy_engine",
            Self::Evaluator => "evaluator",
            Self::HumanChannel => "human_channel",
        }
    }

    /// A source that is not the acting agent by virtue of its token.
    pub fn is_independent(self) -> bool {
        matches!(self, Self::Gateway | Self::PolicyEngine | Self::Evaluator | Self::HumanChannel)
    }
}

/// The service that sent a record: `service.namespace` and `service.name` of its own resource. The unit that
/// conversation ids belong to.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
pub struct Service {
    /// `service.namespace`, empty when absent.
    #[serde(default, skip_serializing_if = "str::is_empty")]
    pub namespace: Arc<str>,
    /// `service.name`, empty when absent.
    pub name: Arc<str>,
}
