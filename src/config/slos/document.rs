//! One document of a file: which format it is, which kind of object, and where in it a place lies.

use super::library::Library;
use super::{Stated, alert, indicator, metadata, slo, sloth};
use crate::slo::Objective;
use crate::values::document::{Kind as Yaml, Mistake, Node, Page, Place, Table, suggestion};

/// One object of a file.
#[derive(Debug)]
pub(super) struct Document {
    /// The file's number.
    pub page: usize,
    /// The document's number in it, from 1; `None` when it is the only one.
    pub number: Option<usize>,
    /// What it is; none when that is a mistake.
    pub kind: Option<Kind>,
    node: Node,
}

/// What an object is. In the order of reading: each refers only to those above it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    DataSource,
    Service,
    NotificationTarget,
    Condition,
    Sli,
    Policy,
    Slo,
    /// `prometheus/v1`
    Sloth,
    /// `sloth.slok.dev/v1`
    SlothInKubernetes,
}

impl Kind {
    /// The kinds of OpenSLO and their words.
    const WORDS: [(&'static str, Self); 7] = [
        ("DataSource", Self::DataSource),
        ("SLO", Self::Slo),
        ("SLI", Self::Sli),
        ("AlertPolicy", Self::Policy),
        ("AlertCondition", Self::Condition),
        ("AlertNotificationTarget", Self::NotificationTarget),
        ("Service", Self::Service),
    ];

    /// Its word.
    pub(super) fn word(self) -> &'static str {
        Self::WORDS.iter().find(|(_, kind)| *kind == self).map_or("objective", |(word, _)| word)
    }
}

/// The documents of a file. A list stands for its items.
pub(super) fn of(page: &mut Page, file: usize, nodes: Vec<Node>) -> Vec<Document> {
    let alone = nodes.len() == 1;
    let mut documents = Vec::new();
    for (index, node) in nodes.into_iter().enumerate() {
        let objects = match node.kind {
            Yaml::List(items) => items,
            _ => vec![node],
        };
        for node in objects {
            let kind = kind(page, &node);
            documents.push(Document { page: file, number: (!alone).then_some(index + 1), kind, node });
        }
    }
    documents
}

const VERSIONS: &[&str] = &["openslo/v1", "sloth.slok.dev/v1"];

fn kind(page: &mut Page, node: &Node) -> Option<Kind> {
    let Yaml::Table(entries) = &node.kind else { return page.expected(node, "an object with `apiVersion` and `kind`") };
    let value = |name: &str| entries.iter().find(|(key, _)| &*key.name == name).map(|(_, value)| value);
    if let (Some(version), None) = (value("version"), value("apiVersion")) {
        page.word(version, &["prometheus/v1"], |word| (word == "prometheus/v1").then_some(()))?;
        return Some(Kind::Sloth);
    }
    let Some(version) = value("apiVersion") else {
        page.wrong(node.at, "neither `apiVersion: openslo/v1` nor Sloth's `version: prometheus/v1` stands here");
        return None;
    };
    let word = page.text(version)?;
    let kind = |page: &mut Page| {
        let kind = value("kind");
        if kind.is_none() {
            page.wrong(node.at, "`kind` is missing");
        }
        kind
    };
    match &*word {
        "openslo/v1" => kind(page).and_then(|kind| openslo(page, kind)),
        "sloth.slok.dev/v1" => kind(page).and_then(|kind| in_kubernetes(page, kind)),
        "openslo/v1alpha" | "openslo/v2alpha" => {
            page.wrong(version.at, format!("`{word}` is not read: write the object as `openslo/v1`"));
            None
        }
        _ => {
            let hint = suggestion(&word, VERSIONS);
            page.wrong(version.at, format!("`{word}` is none of {}{hint}", VERSIONS.join(", ")));
            None
        }
    }
}

fn openslo(page: &mut Page, node: &Node) -> Option<Kind> {
    let word = page.text(node)?;
    let found = Kind::WORDS.into_iter().find(|(name, _)| *name == &*word);
    if found.is_none() {
        let words = Kind::WORDS.map(|(word, _)| word);
        let hint = suggestion(&word, &words);
        page.wrong(node.at, format!("unknown kind `{word}`; expected one of {}{hint}", words.join(", ")));
    }
    found.map(|(_, kind)| kind)
}

fn in_kubernetes(page: &mut Page, node: &Node) -> Option<Kind> {
    page.word(node, &["PrometheusServiceLevel"], |word| {
        (word == "PrometheusServiceLevel").then_some(Kind::SlothInKubernetes)
    })
}

/// Reads an object: into the library, or as objectives with the places of their names.
pub(super) fn read(
    page: &mut Page,
    document: &Document,
    library: &mut Library,
    settings: &[Objective],
) -> Vec<(Place, Stated)> {
    let (node, Some(kind)) = (&document.node, document.kind) else { return Vec::new() };
    match kind {
        Kind::Sloth => return sloth::read(page, node, sloth::FLAT),
        Kind::SlothInKubernetes => return sloth::read(page, node, sloth::KUBERNETES),
        _ => {}
    }
    let what = format!("the {}", kind.word());
    let Some(table) = page.table(node, &what, &["apiVersion", "kind", "metadata", "spec"]) else { return Vec::new() };
    if kind == Kind::Slo {
        return slo::read(page, table, library, settings).into_iter().collect();
    }
    let name = metadata::of_object(page, table, kind, library);
    match kind {
        Kind::DataSource => library.keep_source(name, indicator::data_source(page, table)),
        Kind::Service => plain(page, table, &["description"]),
        Kind::NotificationTarget => alert::target(page, table),
        Kind::Condition => library.keep_condition(name, alert::condition(page, table)),
        Kind::Sli => library.keep_sli(name, indicator::sli(page, table, library)),
        _ => library.keep_policy(name.clone(), alert::policy(page, table, name, library)),
    }
    Vec::new()
}

/// An object that says nothing but texts.
fn plain(page: &mut Page, table: Table<'_>, keys: &[&str]) {
    page.maybe(table, "spec", |page, node| {
        let table = page.table(node, "the spec", keys)?;
        page.maybe(table, "description", metadata::prose)
    });
}

/// A mistake with the document and the path in it: `… (document 2: spec.objectives[0].target)`.
pub(super) fn located(mut mistake: Mistake, documents: &[Document], page: usize) -> Mistake {
    let Some(place) = mistake.place else { return mistake };
    let before = documents.iter().filter(|it| it.page == page && it.node.at <= place);
    let Some(document) = before.max_by_key(|it| it.node.at) else { return mistake };
    let path = path_of(&document.node, place);
    let parts: Vec<String> = document.number.map(|number| format!("document {number}")).into_iter().collect();
    let parts: Vec<String> = parts.into_iter().chain((!path.is_empty()).then_some(path)).collect();
    if !parts.is_empty() {
        mistake.message = format!("{} ({})", mistake.message, parts.join(": "));
    }
    mistake
}

/// The path of the outermost value that begins at a place, or of the key that does; inside a text, the text's.
fn path_of(node: &Node, place: Place) -> String {
    let mut all = Vec::new();
    paths(node, String::new(), &mut all);
    let exact = all.iter().position(|(at, _)| *at == place);
    let before = || (0..all.len()).filter(|index| all[*index].0 <= place).max_by_key(|index| all[*index].0);
    exact.or_else(before).map(|index| all.swap_remove(index).1).unwrap_or_default()
}

/// Every value and key with its path, outermost first.
fn paths(node: &Node, path: String, all: &mut Vec<(Place, String)>) {
    all.push((node.at, path.clone()));
    match &node.kind {
        Yaml::Table(entries) => {
            for (key, value) in entries {
                let path = if path.is_empty() { key.name.to_string() } else { format!("{path}.{}", key.name) };
                all.push((key.at, path.clone()));
                paths(value, path, all);
            }
        }
        Yaml::List(items) => {
            for (index, item) in items.iter().enumerate() {
                paths(item, format!("{path}[{index}]"), all);
            }
        }
        _ => {}
    }
}
