//! smolagents.
//!
//! * A managed agent is called like a tool and has no `TOOL` span, only its run: an `AGENT` span named
//!   `refund_specialist.run` below the manager's step. The run is the call that the manager's model proposed.
//! * Agents without a name are named after their class: `ToolCallingAgent.run`.
//!
//! Source: `python/instrumentation/openinference-instrumentation-smolagents` and recordings of 0.1.43.

use crate::model::{Call, Known, Missing, Node, Pseudo};

use super::super::draft::word;
use super::tool::moment;
use super::{Draft, OUTPUT, Source};

/// Classes of agents; a run that is named after one has no name of its own.
const CLASSES: &[&str] = &["MultiStepAgent", "ToolCallingAgent", "CodeAgent"];

/// Refines a span of smolagents.
pub fn read<'a>(source: &'a Source<'a>, draft: &mut Draft<'a>) {
    let Some(span) = source.span().filter(|_| draft.node == Node::Agent) else { return };
    let Some(name) = span.name.strip_suffix(".run") else { return };
    draft.agent(name, None);
    if span.parent_span_id.is_some() && !CLASSES.contains(&name) {
        let mut call = Call::new(moment(source));
        call.tool = Some(word(name));
        // The task is there only inside the managed agent's prompt.
        call.arguments = Known::Missing(Missing::Lost);
        call.result = draft.attribute(OUTPUT);
        call.pseudo = Some(Pseudo::Delegation { to: Some(word(name)) });
        draft.node = Node::Tool;
        draft.own = Some(call);
    }
}
