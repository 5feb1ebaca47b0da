//! Files to rules: what was typed, then what it means. Every mistake of every file is reported together.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::case;
use super::classes::Classes;
use super::deed;
use super::demand::Known;
use super::rules::{Envelope, KnownAs, Mode, Rules};
use super::sections::{self, Scope};
use super::{Glob, Mistake};
use crate::model::{Effect, Field};
use crate::values::document::{Node, Page, Place};

/// Reads `(file name, text)` pairs, one envelope each. Rules exist only when no file has a mistake.
pub fn parse(files: &[(&str, &str)]) -> Result<Rules, Vec<Mistake>> {
    let mut mistakes = Vec::new();
    let mut envelopes = Vec::new();
    let mut names = BTreeMap::new();
    for (file, text) in files {
        let (mut page, node) = Page::read(file, text);
        if let Some(node) = node {
            envelopes.extend(envelope(&mut page, &node, file, &mut names));
        }
        mistakes.extend(page.into_mistakes());
    }
    if mistakes.is_empty() { Ok(Rules::new(envelopes)) } else { Err(mistakes) }
}

/// The keys of an envelope that are no section of rules.
const KEYS: &[&str] = &[
    "envelope",
    "agent",
    "service",
    "mode",
    "environments",
    "surfaces",
    "data",
    "effects",
    "tools",
    "only_listed",
    "profile",
    "check_within",
    "tests",
];

/// One envelope; nothing when a mistake was noted.
fn envelope<'f>(
    page: &mut Page,
    node: &Node,
    file: &'f str,
    names: &mut BTreeMap<Arc<str>, &'f str>,
) -> Option<Envelope> {
    let keys: Vec<&str> = KEYS.iter().copied().chain(sections::keys()).collect();
    let table = page.table(node, "an envelope", &keys)?;
    let name = page.must(table, "envelope", |page, node| unique(page, node, "envelope", file, names));
    let agents = page.maybe(table, "agent", globs);
    let services = page.maybe(table, "service", globs);
    let mut tools = page.maybe(table, "tools", deed::tools).unwrap_or_default();
    tools.extend(page.maybe(table, "effects", deed::effects).unwrap_or_default());
    let known = Arc::new(Known { tools, classes: Arc::new(Classes::read(page, table)) });
    let mut scope = Scope {
        envelope: name.clone().unwrap_or_default(),
        mode: page.maybe(table, "mode", mode).unwrap_or(Mode::Enforce),
        known: Arc::clone(&known),
        ids: BTreeMap::new(),
    };
    let allow = sections::allow(page, table, &mut scope);
    let mut rules = sections::read(page, table, &mut scope);
    rules.extend(sections::outside(page, table, &mut scope));
    let profile = page.maybe(table, "profile", |page, node| page.list(node, field));
    let check_within = page.maybe(table, "check_within", Page::length);
    let ids = scope.ids.keys().map(|id| &**id).collect();
    let tested = case::Tested { file, envelope: &scope.envelope, rules: ids };
    let cases = page.maybe(table, "tests", |page, node| case::read(page, node, &tested));
    let everything = || vec![Glob::new("*").expect("a pattern")];
    Some(Envelope {
        name: name?,
        agents: agents.unwrap_or_else(everything),
        services: services.unwrap_or_else(everything),
        known: KnownAs(known),
        rules,
        allow,
        profile: profile.unwrap_or_default().into_iter().collect(),
        check_within,
        cases: cases.unwrap_or_default(),
    })
}

/// A name that no other has. Names stand in labels and ids, so they are plain.
pub(super) fn unique<'f>(
    page: &mut Page,
    node: &Node,
    what: &str,
    place: &'f str,
    taken: &mut BTreeMap<Arc<str>, &'f str>,
) -> Option<Arc<str>> {
    let name = page.text(node)?;
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    if !name.chars().all(plain) || name.len() > 64 {
        page.wrong(node.at, format!("`{name}` is no name: use at most 64 of a-z, 0-9 and `-`"));
        return None;
    }
    if let Some(other) = taken.insert(Arc::clone(&name), place) {
        page.wrong(node.at, format!("{what} `{name}` stands twice: already in {other}"));
        return None;
    }
    Some(name)
}

pub(super) fn globs(page: &mut Page, node: &Node) -> Option<Vec<Glob>> {
    page.list(node, |page, node| {
        let pattern = page.text(node)?;
        glob(page, node.at, &pattern)
    })
}

pub(super) fn glob(page: &mut Page, at: Place, pattern: &str) -> Option<Glob> {
    Glob::new(pattern).map_err(|why| page.wrong(at, format!("pattern `{pattern}` {why}"))).ok()
}

pub(super) fn effect(page: &mut Page, node: &Node) -> Option<Effect> {
    page.word(node, &Effect::ALL.iter().map(|effect| effect.as_str()).collect::<Vec<_>>(), Effect::from_word)
}

pub(super) fn mode(page: &mut Page, node: &Node) -> Option<Mode> {
    page.word(node, &Mode::ALL.iter().map(|mode| mode.as_str()).collect::<Vec<_>>(), Mode::from_word)
}

fn field(page: &mut Page, node: &Node) -> Option<Field> {
    page.word(node, &Field::ALL.iter().map(|field| field.as_str()).collect::<Vec<_>>(), Field::from_word)
}
