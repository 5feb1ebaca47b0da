//! What an answer cost, where a record says so. Conventions differ in the attribute's name alone.
//!
//! Sources: Pydantic AI `operation.cost`; OpenLIT and LiteLLM `gen_ai.usage.cost`, `gen_ai.usage.total_cost`,
//! `gen_ai.cost.total_cost`; OpenInference `llm.cost.total`; Claude Code `cost_usd`; Langfuse's details as JSON.

use crate::model::{Cost, What};

use super::{Draft, Source};

/// US dollars, as number or text.
const DOLLARS: &[&str] = &[
    "operation.cost",
    "gen_ai.usage.cost",
    "gen_ai.usage.total_cost",
    "gen_ai.cost.total_cost",
    "llm.cost.total",
    "cost_usd",
];
/// An object with the costs of input and output and their sum.
const DETAILS: &str = "langfuse.observation.cost_details";

/// Adds the cost of the answer that the record tells of, if it does.
pub fn read(source: &Source<'_>, draft: &mut Draft<'_>) {
    if !draft.has(|what| matches!(what, What::Model { .. })) {
        return;
    }
    let details = || {
        let details: serde_json::Value = serde_json::from_str(source.text(DETAILS)?).ok()?;
        details.get("total")?.as_f64()
    };
    if let Some(cost) = source.first_number(DOLLARS).or_else(details).and_then(Cost::dollars) {
        draft.say(What::Cost(cost));
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::super::testing::{facts, span};
    use super::*;

    fn cost(fields: Value) -> Option<Cost> {
        let mut told = json!({"gen_ai.operation.name": "chat", "gen_ai.request.model": "m"});
        told.as_object_mut().expect("an object").extend(fields.as_object().expect("an object").clone());
        facts(span("any", "chat m", told)).into_iter().find_map(|what| match what {
            What::Cost(cost) => Some(cost),
            _ => None,
        })
    }

    #[test]
    fn costs_are_read_by_any_of_their_names() {
        for name in DOLLARS {
            assert_eq!(cost(json!({*name: 0.0025})), Cost::dollars(0.0025), "{name}");
        }
        assert_eq!(cost(json!({"cost_usd": "0.5"})), Cost::dollars(0.5));
        assert_eq!(cost(json!({DETAILS: "{\"input\":0.1,\"total\":0.3}"})), Cost::dollars(0.3));
        for none in [json!({}), json!({"llm.cost.total": "much"}), json!({"llm.cost.total": -1.0})] {
            assert_eq!(cost(none), None);
        }
    }

    #[test]
    fn a_cost_belongs_to_an_answer() {
        let agent = json!({"gen_ai.operation.name": "invoke_agent", "operation.cost": 1.0});
        assert!(!facts(span("any", "invoke_agent", agent)).iter().any(|what| matches!(what, What::Cost(_))));
    }
}
