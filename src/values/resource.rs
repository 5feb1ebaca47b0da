//! The resource that a call's arguments name, by the names that tools commonly give to such an argument.

use std::sync::Arc;

use serde_json::Value;

/// Names of arguments that hold a resource, the surest first.
const NAMES: &[&str] = &[
    "uri",
    "url",
    "resource",
    "resource_uri",
    "file_path",
    "filepath",
    "filename",
    "path",
    "absolute_path",
    "file",
    "directory",
    "dir",
    "table",
    "bucket",
    "repository",
    "repo",
];

/// Longer values are no names of resources.
const LONGEST: usize = 512;

/// The value of the surest such argument. A guess: a tool may mean something else by it.
pub fn resource_in(arguments: &str) -> Option<Arc<str>> {
    if !arguments.trim_start().starts_with('{') {
        return None;
    }
    let Value::Object(fields) = serde_json::from_str(arguments).ok()? else { return None };
    let text = |name: &&str| fields.get(*name)?.as_str();
    let named = NAMES.iter().find_map(text)?;
    let plausible = !named.trim().is_empty() && named.len() <= LONGEST && !named.contains(char::is_control);
    (plausible && super::known(named).is_present()).then(|| Arc::from(named))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_surest_name_wins_and_other_values_are_none() {
        for (arguments, want) in [
            (r#"{"path":"a.txt","url":"https://x.example/a"}"#, Some("https://x.example/a")),
            (r#"{"file_path":"notes.txt","content":"…"}"#, Some("notes.txt")),
            (r#"{"order_id":"A-1001"}"#, None),
            (r#"{"path":7}"#, None),
            (r#"{"path":""}"#, None),
            (r#"{"path":"[REDACTED]"}"#, None),
            (r#"{"path":"a\nb"}"#, None),
            ("path", None),
            (r#"{"path":"#, None),
        ] {
            assert_eq!(resource_in(arguments).as_deref(), want, "{arguments}");
        }
    }
}
