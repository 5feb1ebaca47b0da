//! Records made by hand, and what is read of them.

use serde_json::{Value, json};
use wherefore::lineage::assemble;
use wherefore::model::{Action, Call, Check, Decision, Evidence, What};

use super::otlp::{attributes, read, span};

/// A span in the trace of all, with its own id and its parent's; `0` is none. It ends later the greater its id.
pub fn made(scope: &str, name: &str, (id, parent): (u8, u8), fields: Value) -> Evidence {
    made_with(scope, name, (id, parent), fields, json!({}))
}

/// As [`made`], with more fields of the span itself.
pub fn made_with(scope: &str, name: &str, (id, parent): (u8, u8), fields: Value, more: Value) -> Evidence {
    let hex = |id: u8| format!("{id:016x}");
    let mut place = json!({ "spanId": hex(id), "startTimeUnixNano": format!("{}", 1000 + u64::from(id)),
        "endTimeUnixNano": format!("{}", 9000 - u64::from(id)) });
    if parent != 0 {
        place["parentSpanId"] = hex(parent).into();
    }
    read(span(scope, name, fields, with(place, more)))
}

/// An object with more fields.
pub fn with(base: Value, more: Value) -> Value {
    let mut fields = base;
    fields.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
    fields
}

/// An event of a span.
pub fn event(name: &str, at: u64, fields: Value) -> Value {
    json!({ "name": name, "timeUnixNano": at.to_string(), "attributes": attributes(&fields) })
}

/// The calls that a record speaks of.
pub fn calls(evidence: &Evidence) -> Vec<&Call> {
    let facts = evidence.facts.iter();
    facts.filter_map(|fact| if let What::Call(call) = &fact.what { Some(&**call) } else { None }).collect()
}

/// The decisions that a record tells.
pub fn decisions(evidence: &Evidence) -> Vec<&Decision> {
    let facts = evidence.facts.iter();
    facts.filter_map(|fact| if let What::Decision(made) = &fact.what { Some(&**made) } else { None }).collect()
}

/// The checks that a record tells.
pub fn checks(evidence: &Evidence) -> Vec<&Check> {
    let facts = evidence.facts.iter();
    facts.filter_map(|fact| if let What::Check(check) = &fact.what { Some(&**check) } else { None }).collect()
}

/// Whether a record says exactly this.
pub fn says(evidence: &Evidence, what: &What) -> bool {
    evidence.facts.iter().any(|fact| fact.what == *what)
}

/// The actions of a set of records.
pub fn actions(set: &[Evidence]) -> Vec<Action> {
    assemble(set).actions
}

/// The one action of a set of records.
pub fn action(set: &[Evidence]) -> Action {
    let mut actions = actions(set);
    assert_eq!(actions.len(), 1, "one action: {actions:#?}");
    actions.remove(0)
}
