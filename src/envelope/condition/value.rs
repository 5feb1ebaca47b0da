//! JSON and times as values of CEL.

use std::collections::HashMap;

use cel::Value;

use crate::model::Nanos;

/// A JSON value. Whole numbers are `int` where they fit, else `uint`, else `double`; comparisons mix all three.
pub(super) fn of(json: &serde_json::Value) -> Value {
    use serde_json::Value as Json;
    match json {
        Json::Null => Value::Null,
        Json::Bool(truth) => Value::Bool(*truth),
        Json::Number(number) => match (number.as_i64(), number.as_u64()) {
            (Some(number), _) => Value::Int(number),
            (None, Some(number)) => Value::UInt(number),
            (None, None) => Value::Float(number.as_f64().unwrap_or(f64::NAN)),
        },
        Json::String(text) => Value::from(&**text),
        Json::Array(items) => Value::from(items.iter().map(of).collect::<Vec<_>>()),
        Json::Object(fields) => mapping(fields.iter().map(|(key, value)| (key.clone(), of(value)))),
    }
}

/// A mapping.
pub(super) fn mapping(fields: impl Iterator<Item = (String, Value)>) -> Value {
    Value::from(fields.collect::<HashMap<String, Value>>())
}

/// A point in time as RFC 3339 in UTC to the second, so that text order is time order.
pub(super) fn point(at: Nanos) -> String {
    let seconds = i64::try_from(at.0 / 1_000_000_000).unwrap_or(i64::MAX);
    jiff::Timestamp::from_second(seconds).map(|point| point.to_string()).unwrap_or_default()
}

/// Whether no list and no mapping in a value has more elements than this.
pub(super) fn is_small(json: &serde_json::Value, most: usize) -> bool {
    match json {
        serde_json::Value::Array(items) => items.len() <= most && items.iter().all(|item| is_small(item, most)),
        serde_json::Value::Object(fields) => fields.len() <= most && fields.values().all(|item| is_small(item, most)),
        _ => true,
    }
}
