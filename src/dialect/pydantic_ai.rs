//! Pydantic AI (2.x, instrumentation formats 2–6): a refinement of OTel GenAI.
//!
//! * A run that stops for approvals ends normally; its `final_result` is `{"calls": […], "approvals": […]}`. Tools are
//!   not called and have no span.
//! * With content off, messages keep their parts' types, ids and tool names and lose the texts.
//! * Format 2 has its own names for arguments and result.
//!
//! Source: `pydantic_ai/models/instrumented.py` and recordings of 2.68.

use memchr::memmem;
use serde_json::Value;

use crate::model::{By, Call, Direction, Moment, Proof, What};

use super::genai_events::a_call;
use super::{Content, Dialect, Draft, Rules, Source};

/// Spans of Pydantic AI's own scope.
pub struct PydanticAi;

impl Dialect for PydanticAi {
    fn name(&self) -> &'static str {
        "pydantic-ai"
    }

    fn reads(&self, source: &Source<'_>) -> bool {
        source.scope() == "pydantic-ai" || source.has_prefix("pydantic_ai.")
    }

    fn read<'a>(&self, source: &'a Source<'a>, draft: &mut Draft<'a>) {
        all_messages(source, draft);
        if let Some(result) = source.text("final_result") {
            approvals(result, draft);
        }
        if let Some(own) = draft.own.take() {
            draft.own = Some(tool_call(own, source, draft));
        }
        if draft.all_messages().any(|messages| is_skeleton(&messages.json)) {
            draft.withheld();
        }
    }

    fn rules(&self, _: &Source<'_>) -> Option<Rules> {
        Some(Rules { proof: Proof::Ran, content: Content::Here })
    }
}

/// The whole conversation of a run, where the run says nothing better.
fn all_messages<'a>(source: &'a Source<'a>, draft: &mut Draft<'a>) {
    if draft.has(|what| matches!(what, What::Messages(known) if known.direction == Direction::Input)) {
        return;
    }
    if let Some(messages) = source.get("pydantic_ai.all_messages") {
        draft.messages(Direction::Input, messages);
    }
}

/// Messages whose texts were left out: every message of a run starts with somebody's text.
fn is_skeleton(json: &[u8]) -> bool {
    memmem::find(json, br#""type""#).is_some()
        && memmem::find(json, br#""content""#).is_none()
        && memmem::find(json, br#""arguments""#).is_none()
        && memmem::find(json, br#""result""#).is_none()
}

/// The calls that wait for a person.
fn approvals(result: &str, draft: &mut Draft<'_>) {
    let result: Value = serde_json::from_str(result).unwrap_or(Value::Null);
    for call in result.get("approvals").and_then(Value::as_array).into_iter().flatten() {
        let text = |key: &str| call.get(key).and_then(Value::as_str).map(str::to_owned);
        let arguments = text("args").or_else(|| Some(call.get("args")?.to_string()));
        let asked = a_call(Moment::Asked, &text("tool_call_id"), &text("tool_name"), &arguments, draft);
        draft.call(asked);
    }
}

fn tool_call(mut own: Call, source: &Source<'_>, draft: &mut Draft<'_>) -> Call {
    for (known, key) in [(&mut own.arguments, "tool_arguments"), (&mut own.result, "tool_response")] {
        if !known.is_present() && source.get(key).is_some() {
            *known = draft.attribute(key);
        }
    }
    if let Some(deferred) = source.text("pydantic_ai.tool.deferral.name") {
        own.moment = if deferred == "ApprovalRequired" { Moment::Asked } else { Moment::Proposed };
    } else if source.text("pydantic_ai.tool.failure_stage") == Some("validation") {
        // The arguments did not fit the tool's schema. Its own code was never reached, and no policy was asked.
        own.moment = Moment::Refused { by: By::Unknown };
    }
    own
}
