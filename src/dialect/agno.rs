//! Agno: a refinement of OpenInference.
//!
//! ```text
//! refund_desk.run              AGENT   agent.name (older: graph.node.name), session.id, agno.run.id
//!   OpenAIChat.invoke          LLM
//!   get_order                  TOOL    input.value and tool.parameters = arguments, no call id
//! refund_desk.continue_run     AGENT   another trace, the same session.id
//! ```
//!
//! * A run that waits has ended well, and its output is a sentence of the framework. It names no call.
//! * A refused call has no span. Its answer in the next model call is the person's note, or the framework's own
//!   sentence, which `values::spoken` knows.
//! * A run that a guardrail stopped only ends with an error that any other run could have.
//!
//! Source: `python/instrumentation/openinference-instrumentation-agno` of `Arize-ai/openinference` (0224b671 and
//! before), `agno/utils/response.py` of Agno 2, and notes on runs of 1.0.15.

use crate::model::{By, Call, Node, Outcome, What};

use super::draft::a_decision;
use super::{Dialect, Draft, Source};

/// How the output of a run begins that waits for somebody.
const WAITS: &str = "I have tools to execute, but ";

/// Who acts, where `agent.name` does not say it.
const AGENT: &[&str] = &["graph.node.name", "agno.agent", "agno.team"];

/// Spans of Agno's instrumentation.
pub struct Agno;

impl Dialect for Agno {
    fn name(&self) -> &'static str {
        "agno"
    }

    fn reads(&self, source: &Source<'_>) -> bool {
        source.scope().starts_with("openinference.instrumentation.agno")
    }

    fn read<'a>(&self, source: &'a Source<'a>, draft: &mut Draft<'a>) {
        if let Some(own) = draft.own.take() {
            draft.own = Some(tool_call(own, draft));
        }
        if draft.node != Node::Agent {
            return;
        }
        if let Some(name) = source.first_text(AGENT) {
            draft.agent(name, None);
        }
        if let Some(sentence) = source.text("output.value").filter(|output| output.starts_with(WAITS)) {
            let mut asked = a_decision(source, Outcome::Ask, By::Policy, sentence);
            asked.at = source.span().map_or(asked.at, |span| span.end);
            draft.say(What::Decision(Box::new(asked)));
        }
    }
}

/// The arguments stand twice: in the input, and where other instrumentations have the tool's schema.
fn tool_call(mut own: Call, draft: &mut Draft<'_>) -> Call {
    if !own.arguments.is_present() {
        let arguments = draft.attribute("tool.parameters");
        own.arguments = if arguments.is_present() { arguments } else { own.arguments };
    }
    own
}
