//! The resource that a call's arguments name, by the names that tools commonly give to such an argument.

use std::borrow::Cow;
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
    NAMES.iter().find_map(|name| plausible(fields.get(*name)?.as_str()?))
}

fn plausible(named: &str) -> Option<Arc<str>> {
    let named = if named.contains("://") { Cow::from(bare(named)?) } else { Cow::from(named) };
    let plausible = !named.trim().is_empty() && named.len() <= LONGEST && !named.contains(char::is_control);
    (plausible && super::known(&named).is_present()).then(|| named.into())
}

/// A URL without user, query and fragment. `None` for what is no URL, or nothing but these.
pub fn bare(url: &str) -> Option<String> {
    let (scheme, rest) = url.split_once("://")?;
    let rest = without_user(rest).split(['?', '#']).next().unwrap_or_default();
    let (host, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let path = if path == "/" { "" } else { path };
    (!host.is_empty() || !path.is_empty()).then(|| format!("{scheme}://{host}{path}"))
}

/// What follows the user. A password may hold what ends an authority: what stands there is then no port.
fn without_user(rest: &str) -> &str {
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let port = authority.rsplit_once(':').map_or("", |(_, port)| port);
    let is_cut = !authority.starts_with('[') && !port.bytes().all(|byte| byte.is_ascii_digit());
    let end = if is_cut && !authority.contains('@') { rest.rfind('@') } else { authority.rfind('@') };
    end.map_or(rest, |at| &rest[at + 1..])
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
            (r#"{"url":"https://user:p@ss@x.example/a?token=s#part"}"#, Some("https://x.example/a")),
            (r#"{"url":"https://x.example/"}"#, Some("https://x.example")),
            (r#"{"uri":"file:///srv/notes.txt"}"#, Some("file:///srv/notes.txt")),
            (r#"{"url":"","path":"a"}"#, Some("a")),
            (r#"{"url":"https://?token=s","path":"a"}"#, Some("a")),
            (r#"{"url":7,"path":"a"}"#, Some("a")),
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
