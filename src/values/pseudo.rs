//! Tools that are no actions: they hand work to another agent, or only control the agent's own loop.
//!
//! Here and not in `dialect`, because `lineage` meets the same names in messages. Known by name only: an agent behind
//! a tool of any name is recognised by its span.

use std::sync::Arc;

use serde_json::Value;

use crate::model::Pseudo;

/// Names that say whom they hand to.
const HAND_TO: &[&str] = &["handoff_to_", "handoff to "];

/// Names that say so only when the call has no arguments: with some, `transfer_to_savings` is a business tool, and a
/// wrong guess would hide an action.
const HAND_TO_BARE: &[&str] = &["transfer_to_", "transfer_back_to_"];

/// Tools that hand to the agent named in their arguments.
const HAND_OVER: &[&str] = &[
    "transfer_to_agent",
    "handoff_to_agent",
    "handoff",
    "delegate_task_to_member",
    "Delegate work to coworker",
    "Ask question to coworker",
    "delegate_work_to_coworker",
    "ask_question_to_coworker",
];

/// Arguments that name the other agent.
const AGENT_KEYS: &[&str] = &["agent_name", "agent", "to_agent", "member_id", "coworker", "to"];

/// Tool types (`gen_ai.tool.type`) of Google ADK that are agents.
const AGENT_TYPES: &[&str] = &["TransferToAgentTool", "AgentTool"];

/// Tools that only control the loop.
const CONTROL: &[&str] = &["final_answer", "final_result", "wait_agent", "close_agent", "exit_loop"];

/// What a tool is instead of an action, by its name, its type, and the arguments it was called with.
pub fn pseudo(tool: &str, tool_type: Option<&str>, arguments: Option<&str>) -> Option<Pseudo> {
    let bare = arguments.is_some_and(|arguments| matches!(arguments.trim(), "" | "{}"));
    let starts = HAND_TO.iter().chain(HAND_TO_BARE.iter().filter(|_| bare));
    let named = || starts.clone().find_map(|start| tool.strip_prefix(start)).filter(|rest| !rest.is_empty());
    if HAND_OVER.contains(&tool) {
        Some(Pseudo::Delegation { to: arguments.and_then(agent_in) })
    } else if let Some(to) = named() {
        Some(Pseudo::Delegation { to: Some(Arc::from(to)) })
    } else if tool_type.is_some_and(|kind| AGENT_TYPES.contains(&kind)) {
        Some(Pseudo::Delegation { to: Some(Arc::from(tool)) })
    } else if CONTROL.contains(&tool) {
        Some(Pseudo::Control)
    } else {
        None
    }
}

fn agent_in(arguments: &str) -> Option<Arc<str>> {
    let Value::Object(fields) = serde_json::from_str(arguments).ok()? else { return None };
    AGENT_KEYS.iter().find_map(|key| fields.get(*key)?.as_str()).map(Arc::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delegations_are_known_by_name_and_type() {
        let to = |name: &str| Some(Pseudo::Delegation { to: Some(Arc::from(name)) });
        for (tool, kind, arguments, want) in [
            ("transfer_to_refund_agent", None, Some("{}"), to("refund_agent")),
            ("transfer_to_savings", None, Some(r#"{"amount":9}"#), None),
            ("transfer_to_savings", None, None, None),
            ("transfer_to_agent", None, Some(r#"{"agent_name":"refund_agent"}"#), to("refund_agent")),
            ("handoff_to_agent", None, None, Some(Pseudo::Delegation { to: None })),
            ("refund_specialist", Some("AgentTool"), None, to("refund_specialist")),
            ("final_answer", Some("function"), Some("{}"), Some(Pseudo::Control)),
            ("issue_refund", Some("function"), Some("{}"), None),
            ("transfer_to_", None, None, None),
        ] {
            assert_eq!(pseudo(tool, kind, arguments), want, "{tool}");
        }
    }
}
