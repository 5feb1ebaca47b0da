//! Microsoft Agent Framework (1.x): OTel GenAI with the contents in per-message log events.
//!
//! Nothing is special in its attributes; what its records prove is. A tool span is made when the tool runs: not while
//! an approval is pending, not for a rejected call, not for one that middleware answered. The rejection is the log
//! event's sentence, which `values::spoken` knows. `gen_ai.conversation.id` is the previous response's id where the
//! Responses API is used, which is no conversation. Executors of a workflow are joined by span links.

use crate::model::{Node, Proof};

use super::{Content, Dialect, Draft, Rules, Source};

/// Records of the framework's own scopes.
pub struct MsAgentFramework;

impl Dialect for MsAgentFramework {
    fn name(&self) -> &'static str {
        "ms-agent-framework"
    }

    fn reads(&self, source: &Source<'_>) -> bool {
        source.scope() == "agent_framework" || source.scope().starts_with("Microsoft.Agents.AI")
    }

    fn read<'a>(&self, source: &'a Source<'a>, draft: &mut Draft<'a>) {
        if source.span().is_some_and(|span| span.name.starts_with("workflow.run")) {
            draft.node = Node::Agent;
        }
    }

    fn rules(&self, _: &Source<'_>) -> Option<Rules> {
        Some(Rules { proof: Proof::Ran, content: Content::Here })
    }
}
