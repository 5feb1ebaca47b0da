//! Plans among the texts of agents: tools that keep one, and messages that are one.

use serde_json::Value;

/// Tools whose parameters are the agent's plan. Who has them: Claude Code; Codex; Gemini CLI, LangChain's deep agents;
/// Copilot, opencode and Qwen Code; Microsoft Agent Framework.
const PLAN_TOOLS: &[&str] = &[
    "TodoWrite",
    "ExitPlanMode",
    "exit_plan_mode",
    "update_plan",
    "write_todos",
    "todo_write",
    "todowrite",
    "manage_todo_list",
    "update_todo",
    "create_plan",
];

/// Those of them by which an agent asks for its plan to be approved.
const ASKING: &[&str] = &["ExitPlanMode", "exit_plan_mode"];

/// Where the steps of a plan stand in a message that is one.
const STEPS: &[&str] = &["steps", "plan"];

/// Whether a tool keeps the agent's plan.
pub fn keeps_plan(tool: &str) -> bool {
    PLAN_TOOLS.contains(&tool)
}

/// Whether a tool asks for the plan to be approved: a decision about its call is one about the plan.
pub fn asks_for_plan(tool: &str) -> bool {
    ASKING.contains(&tool)
}

/// A message that is a plan which can be compared: a JSON object with a list of `steps` or a `plan`, each an object
/// with a `tool` or a `name`; perhaps in a fenced block that is all of the message. Prose is none.
pub fn plan_in(message: &str) -> Option<&str> {
    let bare = fenced(message.trim());
    if !bare.starts_with('{') {
        return None;
    }
    let Value::Object(fields) = serde_json::from_str(bare).ok()? else { return None };
    let steps = STEPS.iter().find_map(|key| fields.get(*key)?.as_array())?;
    let names = |step: &Value| ["tool", "name"].iter().any(|key| step.get(key).is_some_and(Value::is_string));
    (!steps.is_empty() && steps.iter().all(names)).then_some(bare)
}

/// The inside of a message that is one fenced block.
fn fenced(message: &str) -> &str {
    let inside = message.strip_prefix("```").and_then(|rest| rest.strip_suffix("```"));
    inside.map_or(message, |inside| inside.trim_start_matches("json").trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_list_of_named_steps_is_a_plan() {
        let plan = r#"{"steps":[{"tool":"get"},{"name":"put","arguments":{}}]}"#;
        for (message, is) in [
            (plan.to_owned(), true),
            (format!("```json\n{plan}\n```"), true),
            (plan.replace("steps", "plan"), true),
            (plan.replace("steps", "results"), false),
            (r#"{"steps":[{"do":"it"}]}"#.to_owned(), false),
            (r#"{"steps":["get"]}"#.to_owned(), false),
            (r#"{"steps":[]}"#.to_owned(), false),
            (format!("Here is my plan: {plan}"), false),
            ("1. get 2. put".to_owned(), false),
            ("{".to_owned(), false),
            (String::new(), false),
        ] {
            assert_eq!(plan_in(&message).is_some(), is, "{message}");
        }
        assert_eq!(plan_in(&format!("```json\n{plan}\n```")), Some(plan));
    }
}
