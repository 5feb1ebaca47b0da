//! Objects that others refer to, by name.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::document::Kind;
use super::metadata::Metadata;
use crate::slo::{AlertPolicy, Condition, Indicator};
use crate::values::document::{Node, Page, suggestion};

/// Objects by name. One with a mistake has a name here and no meaning: who refers to it has made no other mistake.
#[derive(Debug, Default)]
pub(super) struct Library {
    /// Where each stands.
    names: BTreeMap<(Kind, Arc<str>), String>,
    sources: BTreeMap<Arc<str>, Arc<str>>,
    slis: BTreeMap<Arc<str>, Indicator>,
    conditions: BTreeMap<Arc<str>, Condition>,
    policies: BTreeMap<Arc<str>, AlertPolicy>,
}

impl Library {
    /// Takes a name, unless another object of the kind has it.
    pub(super) fn enter(&mut self, page: &mut Page, metadata: &Metadata, kind: Kind) {
        let key = (kind, metadata.name.clone());
        if let Some(other) = self.names.get(&key) {
            let message = format!("{} `{}` stands twice: already in {other}", kind.word(), metadata.name);
            page.wrong(metadata.at, message);
            return;
        }
        self.names.insert(key, format!("{}:{}", page.file(), metadata.at.line));
    }

    /// Whether any object is of a kind.
    pub(super) fn has_any(&self, kind: Kind) -> bool {
        self.names.keys().any(|(other, _)| *other == kind)
    }

    /// The name that a reference says, if there is such an object.
    pub(super) fn find(&self, page: &mut Page, node: &Node, kind: Kind) -> Option<Arc<str>> {
        let name = page.text(node)?;
        if self.names.contains_key(&(kind, name.clone())) {
            return Some(name);
        }
        let others: Vec<&str> =
            self.names.keys().filter(|(other, _)| *other == kind).map(|(_, name)| &**name).collect();
        let word = if kind == Kind::Service { "service" } else { kind.word() };
        let hint = suggestion(&name, &others);
        page.wrong(node.at, format!("{word} `{name}` is not defined in the loaded files{hint}"));
        None
    }

    pub(super) fn keep_source(&mut self, name: Option<Arc<str>>, read: Option<Arc<str>>) {
        self.sources.extend(name.zip(read));
    }

    pub(super) fn keep_sli(&mut self, name: Option<Arc<str>>, read: Option<Indicator>) {
        self.slis.extend(name.zip(read));
    }

    pub(super) fn keep_condition(&mut self, name: Option<Arc<str>>, read: Option<Condition>) {
        self.conditions.extend(name.zip(read));
    }

    pub(super) fn keep_policy(&mut self, name: Option<Arc<str>>, read: Option<AlertPolicy>) {
        self.policies.extend(name.zip(read));
    }

    /// The type of a data source.
    pub(super) fn source(&self, page: &mut Page, node: &Node) -> Option<Arc<str>> {
        self.sources.get(&self.find(page, node, Kind::DataSource)?).cloned()
    }

    /// An SLI.
    pub(super) fn sli(&self, page: &mut Page, node: &Node) -> Option<Indicator> {
        self.slis.get(&self.find(page, node, Kind::Sli)?).cloned()
    }

    /// A condition.
    pub(super) fn condition(&self, page: &mut Page, node: &Node) -> Option<Condition> {
        self.conditions.get(&self.find(page, node, Kind::Condition)?).copied()
    }

    /// A policy.
    pub(super) fn policy(&self, page: &mut Page, node: &Node) -> Option<AlertPolicy> {
        self.policies.get(&self.find(page, node, Kind::Policy)?).cloned()
    }
}
