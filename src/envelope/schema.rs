//! What an output looks like: JSON Schema 2020-12, written in the envelope.

use std::fmt;
use std::sync::Arc;

use jsonschema::{PatternOptions, Validator};
use serde::{Serialize, Serializer};
use serde_json::Value;

use super::contents::{Content, Contents, has_mark};
use super::rules::Kept;
use crate::values::document::{Key, Kind, Node, Page};

/// A compiled schema.
#[derive(Clone)]
pub struct Schema {
    source: Arc<Value>,
    validator: Arc<Validator>,
}

/// Longest schema, as JSON, in bytes.
const LONGEST: usize = 64 << 10;

/// What a compiled pattern of a schema may take, in bytes.
const PATTERN: usize = 256 << 10;

impl Schema {
    /// Reads and compiles a schema. It says everything itself: a reference to another document is a mistake.
    pub(super) fn read(page: &mut Page, node: &Node) -> Option<Self> {
        if !matches!(node.kind, Kind::Table(_) | Kind::Flag(_)) {
            return page.expected(node, "a JSON Schema, a mapping");
        }
        let remote = remote(node);
        for (key, target) in &remote {
            page.wrong(key.at, format!("`{}` points to another document (`{target}`): write it here", key.name));
        }
        let source = page.json(node)?;
        if !remote.is_empty() {
            return None;
        }
        if source.to_string().len() > LONGEST {
            page.wrong(node.at, "the schema is longer than 64 KiB");
            return None;
        }
        let patterns = PatternOptions::regex().size_limit(PATTERN).dfa_size_limit(PATTERN);
        let options = jsonschema::draft202012::options().offline().with_pattern_options(patterns);
        match options.build(&source) {
            Ok(validator) => Some(Self { source: Arc::new(source), validator: Arc::new(validator) }),
            Err(error) => {
                let (at, path) = (place(node, &error), error.instance_path().to_string());
                let place = if path.is_empty() { String::new() } else { format!(" at `{path}`") };
                page.wrong(at, format!("the schema is no JSON Schema 2020-12{place}: {error}"));
                None
            }
        }
    }

    /// Whether an output keeps it. What is no JSON keeps no schema.
    pub(super) fn kept(&self, contents: &Contents<'_>) -> Kept {
        let value = match contents.output() {
            Ok(Content::Json(value)) => value,
            Ok(Content::Plain) => return Kept::No { path: "".into(), message: "is no JSON".into() },
            Err(reason) => return Kept::Unclear(reason),
        };
        if self.validator.is_valid(value) && !has_mark(value) {
            return Kept::Yes;
        }
        if has_mark(value) {
            return Kept::Unclear("output_redacted");
        }
        // Only paths: what an output holds does not go into messages. The least, so that the answer is always the same.
        let failed = self.validator.iter_errors(value);
        let least = failed.map(|error| (error.instance_path().to_string(), error.schema_path().to_string())).min();
        let (path, keyword) = least.unwrap_or_default();
        Kept::No { path: path.into(), message: format!("breaks `{keyword}` of the schema").into() }
    }
}

/// The references of a schema that leave it.
fn remote(node: &Node) -> Vec<(Key, Arc<str>)> {
    let mut found = Vec::new();
    let mut open = vec![node];
    while let Some(node) = open.pop() {
        match &node.kind {
            Kind::List(items) => open.extend(items),
            Kind::Table(entries) => {
                for (key, value) in entries {
                    match &value.kind {
                        Kind::Text(target)
                            if matches!(&*key.name, "$ref" | "$dynamicRef") && !target.starts_with('#') =>
                        {
                            found.push((key.clone(), Arc::clone(target)));
                        }
                        _ => open.push(value),
                    }
                }
            }
            _ => {}
        }
    }
    found
}

/// Where in the schema an error is: the deepest value on its path.
fn place(node: &Node, error: &jsonschema::ValidationError<'_>) -> crate::values::document::Place {
    let mut at = node;
    for step in error.instance_path().to_string().split('/').skip(1) {
        let next = match &at.kind {
            Kind::Table(entries) => entries.iter().find(|(key, _)| *key.name == *step).map(|(_, value)| value),
            Kind::List(items) => step.parse::<usize>().ok().and_then(|index| items.get(index)),
            _ => None,
        };
        match next {
            Some(next) => at = next,
            None => break,
        }
    }
    at.at
}

impl PartialEq for Schema {
    fn eq(&self, other: &Self) -> bool {
        self.source == other.source
    }
}

impl fmt::Debug for Schema {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Schema({})", self.source)
    }
}

impl Serialize for Schema {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.source.serialize(serializer)
    }
}
