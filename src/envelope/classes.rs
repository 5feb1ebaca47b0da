//! Environments, surfaces and data classes: the names that an envelope gives to targets and to data.

use std::sync::Arc;

use serde::Serialize;
use serde_json::Value;

use super::Glob;
use super::answer::{self, Answer};
use super::contents::is_mark;
use super::pattern::Pattern;
use super::read::globs;
use super::selector::Facts;
use crate::values::document::{Node, Page, Table, suggestion};

/// A name and the targets it stands for.
type Named = (Arc<str>, Vec<Glob>);

/// The names of one envelope.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub(super) struct Classes {
    pub(super) environments: Vec<Named>,
    pub(super) surfaces: Vec<Named>,
    pub(super) data: Vec<DataClass>,
}

/// A class of data: what is about one of these targets, has one of these parameters, or holds this pattern in a
/// parameter's value.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct DataClass {
    pub(super) name: Arc<str>,
    targets: Vec<Glob>,
    parameters: Vec<Glob>,
    pattern: Option<Pattern>,
}

impl Classes {
    /// Reads the three sections.
    pub(super) fn read(page: &mut Page, table: Table<'_>) -> Self {
        Self {
            environments: page.maybe(table, "environments", named).unwrap_or_default(),
            surfaces: page.maybe(table, "surfaces", named).unwrap_or_default(),
            data: page.maybe(table, "data", classes).unwrap_or_default(),
        }
    }

    /// The names of a kind.
    pub(super) fn names(&self, kind: Kind) -> Vec<&Arc<str>> {
        match kind {
            Kind::Environment => self.environments.iter().map(|(name, _)| name).collect(),
            Kind::Surface => self.surfaces.iter().map(|(name, _)| name).collect(),
            Kind::Data => self.data.iter().map(|class| &class.name).collect(),
        }
    }

    /// The targets that a name stands for.
    pub(super) fn targets(&self, kind: Kind, name: &str) -> &[Glob] {
        let of = |all: &'_ [Named]| all.iter().position(|(other, _)| &**other == name);
        match kind {
            Kind::Environment => of(&self.environments).map_or(&[], |at| &self.environments[at].1),
            Kind::Surface => of(&self.surfaces).map_or(&[], |at| &self.surfaces[at].1),
            Kind::Data => &[],
        }
    }

    /// Whether an action is about one of these names.
    pub(super) fn answer(&self, kind: Kind, names: &[Arc<str>], facts: &Facts<'_>) -> Answer {
        match kind {
            Kind::Environment | Kind::Surface => {
                answer::any(names.iter().map(|name| facts.is_about(self.targets(kind, name))))
            }
            Kind::Data => {
                let classes = self.data.iter().filter(|class| names.contains(&class.name));
                answer::any(classes.map(|class| class.answer(facts)))
            }
        }
    }
}

/// What a name is a name of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Environment,
    Surface,
    Data,
}

impl Kind {
    /// The selector's key, and the section that says the names.
    fn words(self) -> (&'static str, &'static str) {
        match self {
            Self::Environment => ("environment", "environments"),
            Self::Surface => ("surface", "surfaces"),
            Self::Data => ("data class", "data"),
        }
    }

    /// A name that has to be one of the envelope's.
    pub(super) fn read(self, page: &mut Page, node: &Node, classes: &Classes) -> Option<Arc<str>> {
        let name = page.text(node)?;
        let names: Vec<&str> = classes.names(self).into_iter().map(|name| &**name).collect();
        if names.contains(&&*name) {
            return Some(name);
        }
        let (what, section) = self.words();
        let hint = match names.is_empty() {
            true => format!(": the envelope has no `{section}`"),
            false => suggestion(&name, &names),
        };
        page.wrong(node.at, format!("`{name}` is no {what} of this envelope{hint}"));
        None
    }
}

impl DataClass {
    fn answer(&self, facts: &Facts<'_>) -> Answer {
        let by_target = match self.targets.is_empty() {
            true => Answer::No,
            false => facts.is_about(&self.targets),
        };
        let asks_content = !self.parameters.is_empty() || self.pattern.is_some();
        if by_target == Answer::Yes || !asks_content { by_target } else { by_target.max(self.is_in(facts)) }
    }

    fn is_in(&self, facts: &Facts<'_>) -> Answer {
        match facts.contents.parameters() {
            Ok(parameters) => self.found(parameters, &mut String::new()),
            Err(reason) => Answer::Maybe(reason),
        }
    }

    /// Looks at every parameter. `path` is the dotted path of `value`.
    fn found(&self, value: &Value, path: &mut String) -> Answer {
        if !path.is_empty() && self.parameters.iter().any(|glob| glob.matches(path)) {
            return Answer::Yes;
        }
        match value {
            Value::Object(fields) => answer::any(fields.iter().map(|(key, inner)| {
                let length = path.len();
                if length > 0 {
                    path.push('.');
                }
                path.push_str(key);
                let answer = self.found(inner, path);
                path.truncate(length);
                answer
            })),
            Value::Array(items) => answer::any(items.iter().map(|item| self.found(item, path))),
            Value::String(text) => self.holds(text),
            Value::Number(number) => self.holds(&number.to_string()),
            Value::Null | Value::Bool(_) => Answer::No,
        }
    }

    fn holds(&self, text: &str) -> Answer {
        match &self.pattern {
            None => Answer::No,
            Some(_) if is_mark(text) => Answer::Maybe("parameters_redacted"),
            Some(pattern) => Answer::known(pattern.is_in(text)),
        }
    }
}

fn named(page: &mut Page, node: &Node) -> Option<Vec<Named>> {
    let entries = page.entries(node)?;
    let read: Vec<_> = entries.iter().map(|(key, value)| Some((key.name.clone(), globs(page, value)?))).collect();
    read.into_iter().collect()
}

fn classes(page: &mut Page, node: &Node) -> Option<Vec<DataClass>> {
    let entries = page.entries(node)?;
    let read: Vec<_> = entries.iter().map(|(key, value)| class(page, key.name.clone(), value)).collect();
    read.into_iter().collect()
}

fn class(page: &mut Page, name: Arc<str>, node: &Node) -> Option<DataClass> {
    const KEYS: &[&str] = &["target", "parameter", "pattern"];
    let table = page.table(node, "a data class", KEYS)?;
    if !KEYS.iter().any(|key| table.has(key)) {
        page.wrong(table.at, "the data class says nothing: give `target`, `parameter` or `pattern`");
    }
    let targets = page.maybe(table, "target", globs).unwrap_or_default();
    let parameters = page.maybe(table, "parameter", globs).unwrap_or_default();
    let pattern = page.maybe(table, "pattern", Pattern::read);
    Some(DataClass { name, targets, parameters, pattern })
}
