//! `metadata`: name, labels, and the annotations in which an SLO says what OpenSLO has no word for.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::document::Kind;
use super::library::Library;
use crate::model::Severity;
use crate::slo::{EmptySlice, EvidenceUnit};
use crate::values::document::{Key, Kind as Yaml, Node, Page, Place, Table, suggestion};

/// What an object says about itself.
#[derive(Debug)]
pub(super) struct Metadata {
    pub name: Arc<str>,
    /// Of the name.
    pub at: Place,
    pub labels: BTreeMap<Arc<str>, Vec<Arc<str>>>,
    pub annotations: Vec<(Key, Node)>,
}

/// Longest description, in characters (OpenSLO v1).
const PROSE: usize = 1050;

/// Annotations that mean something here begin so; all others are other programs'.
const OURS: &str = "wherefore.dev/";

/// `metadata` of an object of its own; none when its name is wrong.
pub(super) fn read(page: &mut Page, node: &Node) -> Option<Metadata> {
    let table = page.table(node, "`metadata`", &["name", "displayName", "labels", "annotations"])?;
    page.maybe(table, "displayName", prose);
    let labels = page.maybe(table, "labels", labels).unwrap_or_default();
    let annotations = page.maybe(table, "annotations", |page, node| page.entries(node).map(<[_]>::to_vec));
    let at = table.get("name").map_or(table.at, |node| node.at);
    let name = page.must(table, "name", name)?;
    Some(Metadata { name, at, labels, annotations: annotations.unwrap_or_default() })
}

/// The name of an object that is no SLO, entered into the library.
pub(super) fn of_object(page: &mut Page, table: Table<'_>, kind: Kind, library: &mut Library) -> Option<Arc<str>> {
    let metadata = page.must(table, "metadata", read)?;
    library.enter(page, &metadata, kind);
    for (key, _) in metadata.annotations.iter().filter(|(key, _)| key.name.starts_with(OURS)) {
        page.wrong(key.at, format!("`{}` says something about an SLO: it stands in the metadata of one", key.name));
    }
    Some(metadata.name)
}

/// RFC 1123: at most 63 of a-z, 0-9 and `-`, with a letter or a digit at both ends.
pub(super) fn name(page: &mut Page, node: &Node) -> Option<Arc<str>> {
    let name = page.text(node)?;
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    let is_name = name.len() <= 63
        && name.chars().all(|c| plain(c) || c == '-')
        && name.starts_with(plain)
        && name.ends_with(plain);
    if !is_name {
        let rule = "use at most 63 of a-z, 0-9 and `-`, with a letter or a digit at both ends";
        page.wrong(node.at, format!("`{name}` is no name: {rule}"));
    }
    is_name.then_some(name)
}

/// Text for people; it may be empty.
pub(super) fn prose(page: &mut Page, node: &Node) -> Option<Arc<str>> {
    let Yaml::Text(text) = &node.kind else { return page.text(node) };
    let length = text.chars().count();
    if length > PROSE {
        page.wrong(node.at, format!("the text has {length} characters, at most {PROSE} are allowed"));
    }
    Some(Arc::clone(text))
}

/// Labels, each with one value or a list of them.
fn labels(page: &mut Page, node: &Node) -> Option<BTreeMap<Arc<str>, Vec<Arc<str>>>> {
    let entries = page.entries(node)?;
    let read = entries.iter().filter_map(|(key, node)| Some((key.name.clone(), page.list(node, Page::text)?)));
    Some(read.collect())
}

/// What the annotations of an SLO say, each with its place.
#[derive(Debug, Default)]
pub(super) struct Notes {
    pub severity: Option<(Severity, Place)>,
    pub min_coverage: Option<(f64, Place)>,
    pub evidence: Option<(EvidenceUnit, Place)>,
    pub empty: Option<(EmptySlice, Place)>,
}

const NOTES: &[&str] = &[
    "wherefore.dev/severity",
    "wherefore.dev/min-coverage",
    "wherefore.dev/evidence-unit",
    "wherefore.dev/empty-slice",
];

impl Notes {
    pub(super) fn read(page: &mut Page, metadata: &Metadata) -> Self {
        let mut notes = Self::default();
        for (key, node) in &metadata.annotations {
            let at = node.at;
            match key.name.strip_prefix(OURS) {
                Some("severity") => notes.severity = severity(page, node).map(|it| (it, at)),
                Some("min-coverage") => notes.min_coverage = share(page, node).map(|it| (it, at)),
                Some("evidence-unit") => notes.evidence = evidence(page, node).map(|it| (it, at)),
                Some("empty-slice") => notes.empty = empty(page, node).map(|it| (it, at)),
                Some(_) => {
                    let hint = suggestion(&key.name, NOTES);
                    page.wrong(key.at, format!("unknown annotation `{}` of the SLO{hint}", key.name));
                }
                None => {
                    page.text(node);
                }
            }
        }
        notes
    }
}

fn severity(page: &mut Page, node: &Node) -> Option<Severity> {
    page.word(node, &["page", "ticket", "info"], Severity::from_word)
}

fn evidence(page: &mut Page, node: &Node) -> Option<EvidenceUnit> {
    page.word(node, &["run", "run-any", "action"], |word| match word {
        "run" => Some(EvidenceUnit::Run),
        "run-any" => Some(EvidenceUnit::RunAny),
        "action" => Some(EvidenceUnit::Action),
        _ => None,
    })
}

fn empty(page: &mut Page, node: &Node) -> Option<EmptySlice> {
    page.word(node, &["good", "bad", "skip"], |word| match word {
        "good" => Some(EmptySlice::Good),
        "bad" => Some(EmptySlice::Bad),
        "skip" => Some(EmptySlice::Skip),
        _ => None,
    })
}

/// A share in an annotation, which is text: `50%` or `0.5`.
fn share(page: &mut Page, node: &Node) -> Option<f64> {
    let text = page.text(node)?;
    let number = match text.strip_suffix('%') {
        Some(percent) => percent.trim().parse::<f64>().ok().map(|percent| percent / 100.0),
        None => text.trim().parse().ok(),
    };
    let share = number.filter(|share| *share > 0.0 && *share <= 1.0);
    share.or_else(|| page.expected(node, "a share above 0 and up to 1, such as `\"50%\"`"))
}
