//! Strands Agents (1.x): a refinement of OTel GenAI, its contents in span events of either form.
//!
//! * A run that stops for a human ends with finish reason `interrupt`; the interrupt's id names the call:
//!   `v1:before_tool_call:<call id>:<uuid>`. The waiting tool has no span.
//! * The conversation is the trace attribute `session.id`, which the application sets.
//! * `gen_ai.tool.status` says whether the tool failed.
//!
//! Source: `strands/telemetry/tracer.py` and recordings of 1.62.

use memchr::memmem;

use crate::model::{Call, Moment, Proof, Status};
use crate::wire::Attributes;

use super::draft::{an_id, word};
use super::message::text_of;
use super::source::event_text;
use super::{Content, Dialect, Draft, Rules, Source};

/// What stands before the call id in an interrupt's id.
const INTERRUPTED: &str = "before_tool_call:";

/// More interrupts than one run waits for.
const MAX_INTERRUPTS: usize = 64;

/// Spans of Strands' own scope.
pub struct Strands;

impl Dialect for Strands {
    fn name(&self) -> &'static str {
        "strands"
    }

    fn reads(&self, source: &Source<'_>) -> bool {
        source.scope() == "strands.telemetry.tracer"
            || ["gen_ai.system", "gen_ai.provider.name"].iter().any(|key| source.text(key) == Some("strands-agents"))
    }

    fn read<'a>(&self, source: &'a Source<'a>, draft: &mut Draft<'a>) {
        if let Some(id) = source.text("session.id") {
            draft.conversation(id);
        }
        for event in source.span_events() {
            interrupts(event.attributes(), draft);
        }
        if let Some(mut own) = draft.own.take() {
            if let Some(blocks) = source.text("gen_ai.tool.call.result").filter(|text| text.starts_with("[{\"text\"")) {
                draft.replace(&mut own.result, &text_of(blocks));
            }
            draft.own = Some(own);
        }
        if let (Some(own), Some("error")) = (&mut draft.own, source.text("gen_ai.tool.status"))
            && let Moment::Ran { status: status @ Status::Fine, .. } = &mut own.moment
        {
            *status = Status::Error(word("error"));
        }
    }

    fn rules(&self, _: &Source<'_>) -> Option<Rules> {
        Some(Rules { proof: Proof::Ran, content: Content::Here })
    }
}

/// The calls that an interrupted run waits for, in either form of event.
fn interrupts(attributes: Attributes<'_>, draft: &mut Draft<'_>) {
    let older = event_text(attributes, "finish_reason") == Some("interrupt");
    let current = |json: &&str| memmem::find(json.as_bytes(), br#""finish_reason": "interrupt""#).is_some();
    let text = match older {
        true => event_text(attributes, "message"),
        false => event_text(attributes, "gen_ai.output.messages").filter(current),
    };
    for id in text.into_iter().flat_map(interrupted).take(MAX_INTERRUPTS) {
        let mut call = Call::new(Moment::Asked);
        call.id = an_id(id);
        draft.call(call);
    }
}

fn interrupted(text: &str) -> impl Iterator<Item = &str> {
    text.split(INTERRUPTED).skip(1).filter_map(|rest| rest.split_once(':')).map(|(id, _)| id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interrupt_names_its_call() {
        let text =
            "[{'id': 'v1:before_tool_call:call_1:d7d25496', 'name': 'x'}, {'id': 'v1:before_tool_call:call_2:9'}]";
        assert_eq!(interrupted(text).collect::<Vec<_>>(), ["call_1", "call_2"]);
        assert_eq!(interrupted("before_tool_call:").count(), 0);
    }
}
