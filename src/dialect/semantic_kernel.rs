//! Semantic Kernel, Python and .NET: a refinement of OTel GenAI and its per-message events.
//!
//! * Python writes what a model was given and what it answered as log records, each a JSON text named by `event.name`;
//!   .NET as span events with the JSON in `gen_ai.event.content`. `genai_events` reads both.
//! * A function is a tool span named `plugin-function`, with its arguments whenever contents are on. Filters are called
//!   inside it: one that does not go on leaves a span with arguments and no result. A filter of the automatic calling
//!   of functions is outside, and leaves none.
//! * An agent's span has its input and output, before 1.38 under names of its own.
//! * The functions' own log (`Function … invoking.`) says nothing more, and is written whatever is switched off.
//!
//! Source: `python/semantic_kernel/utils/telemetry` and `functions/kernel_function.py` of `microsoft/semantic-kernel`
//! (50669ac2, 03eeec1d), `dotnet/src/InternalUtilities/src/Diagnostics/ModelDiagnostics.cs` (15d1751d), and notes on
//! runs of 1.45.0.

use crate::model::{Direction, Node, Proof, What};

use super::{Content, Dialect, Draft, Rules, Source};

const ARGUMENTS: &str = "gen_ai.tool.call.arguments";

/// Contents of an agent's span, before 1.38.
const AGENT: &[(&str, Direction)] =
    &[("gen_ai.agent.invocation_input", Direction::Input), ("gen_ai.agent.invocation_output", Direction::Output)];

/// Records of Semantic Kernel's own scopes.
pub struct SemanticKernel;

impl Dialect for SemanticKernel {
    fn name(&self) -> &'static str {
        "semantic-kernel"
    }

    fn reads(&self, source: &Source<'_>) -> bool {
        source.scope().starts_with("semantic_kernel.") || source.scope().starts_with("Microsoft.SemanticKernel")
    }

    fn read<'a>(&self, source: &'a Source<'a>, draft: &mut Draft<'a>) {
        if draft.node != Node::Agent {
            return;
        }
        for (key, side) in AGENT {
            let said = |what: &What| matches!(what, What::Messages(said) if said.direction == *side);
            if let (Some(value), false) = (source.get(key), draft.has(said)) {
                draft.messages(*side, value);
            }
        }
    }

    /// Where arguments are captured, so is every result.
    fn rules(&self, source: &Source<'_>) -> Option<Rules> {
        let captured = source.get(ARGUMENTS).is_some();
        let proof = if captured { Proof::NeedsResult } else { Proof::Ran };
        let is_tool = source.text("gen_ai.tool.name").is_some();
        Some(Rules { proof, content: if is_tool { Content::Here } else { Content::Elsewhere } })
    }
}
