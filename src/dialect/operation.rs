//! What kind of work a span is, by `gen_ai.operation.name`.
//!
//! Released values: `docs/gen-ai/` of `open-telemetry/semantic-conventions-genai`. The rest are values that
//! producers emit without a convention; a value that is not here is [`Node::Other`].

use crate::model::Node;

const OPERATIONS: &[(&str, Node)] = &[
    ("chat", Node::Model),
    ("generate_content", Node::Model),
    ("text_completion", Node::Model),
    ("chat.completions", Node::Model),
    ("llm_call", Node::Model),
    ("llm_request", Node::Model),
    ("model_generation", Node::Model),
    ("tool_selection", Node::Model),
    ("completion", Node::Model),
    ("acompletion", Node::Model),
    ("atext_completion", Node::Model),
    ("text.completions", Node::Model),
    ("responses", Node::Model),
    ("aresponses", Node::Model),
    ("anthropic_messages", Node::Model),
    ("invoke_agent", Node::Agent),
    ("invoke_workflow", Node::Agent),
    ("handle_conversation_turn", Node::Agent),
    ("agent_call", Node::Agent),
    ("invoke_swarm", Node::Agent),
    ("invoke_graph", Node::Agent),
    ("agent.run", Node::Agent),
    ("workflow.run", Node::Agent),
    ("execute_tool", Node::Tool),
    ("tool_call", Node::Tool),
    ("tool.execute", Node::Tool),
    ("client_tool_call", Node::Tool),
    ("retrieval", Node::Retrieval),
    ("search_memory", Node::Retrieval),
    ("vector_db_retrieve", Node::Retrieval),
    ("plan", Node::Plan),
    ("guardrail.run", Node::Check),
    ("guard", Node::Check),
    ("guardrail_check", Node::Check),
    ("apply_guardrail", Node::Check),
    ("run_guardrail", Node::Check),
    // No role of their own: setup, loops and steps around the work, embeddings, memory writes, re-reads.
    ("create_agent", Node::Other),
    ("embeddings", Node::Other),
    ("fetch_response", Node::Other),
    ("create_memory_store", Node::Other),
    ("create_memory", Node::Other),
    ("update_memory", Node::Other),
    ("upsert_memory", Node::Other),
    ("delete_memory", Node::Other),
    ("delete_memory_store", Node::Other),
    ("agent_step", Node::Other),
    ("model_step", Node::Other),
    ("model_chunk", Node::Other),
    ("processor_run", Node::Other),
    ("mapping", Node::Other),
    ("chain", Node::Other),
    ("guardrails", Node::Other),
    ("execute_hook", Node::Other),
    ("content_event", Node::Other),
    ("user_prompt", Node::Other),
    ("system_prompt", Node::Other),
    ("schedule_tool_calls", Node::Other),
    ("handoff", Node::Other),
    ("agent_handoff", Node::Other),
    ("execute_task", Node::Other),
    ("execute_event_loop_cycle", Node::Other),
    ("rerank", Node::Other),
];

/// The kind of work of an operation.
pub fn node(operation: &str) -> Node {
    OPERATIONS.iter().find(|(name, _)| *name == operation).map_or(Node::Other, |(_, node)| *node)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_operation_stands_once() {
        for (at, (name, _)) in OPERATIONS.iter().enumerate() {
            assert!(OPERATIONS[at + 1..].iter().all(|(other, _)| other != name), "{name}");
        }
        assert_eq!(node("never heard of"), Node::Other);
    }
}
