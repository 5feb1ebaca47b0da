//! Files to rules: what was typed, then what it means. Every mistake of every file is reported together.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::rules::{Envelope, Mode, Rule, Rules};
use super::{Glob, Mistake};
use crate::model::{Effect, Field, Severity};
use crate::values::document::{Key, Node, Page, Table};

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

const ENVELOPE: &[&str] = &["envelope", "agent", "service", "effects", "forbid", "profile", "check_within"];
const RULE: &[&str] = &["id", "tool", "effect", "target", "from", "until", "mode", "severity", "because"];

/// One envelope; nothing when a mistake was noted.
fn envelope<'f>(
    page: &mut Page,
    node: &Node,
    file: &'f str,
    names: &mut BTreeMap<Arc<str>, &'f str>,
) -> Option<Envelope> {
    let table = page.table(node, "an envelope", ENVELOPE)?;
    let name = page.must(table, "envelope", |page, node| unique(page, node, "envelope", file, names));
    let agents = page.maybe(table, "agent", globs);
    let services = page.maybe(table, "service", globs);
    let effects = page.maybe(table, "effects", effects);
    let profile = page.maybe(table, "profile", |page, node| page.list(node, field));
    let check_within = page.maybe(table, "check_within", Page::length);
    let of = name.clone().unwrap_or_default();
    let mut ids = BTreeMap::new();
    let forbid =
        page.maybe(table, "forbid", |page, node| page.list(node, |page, node| rule(page, node, &of, &mut ids)));
    let everything = || vec![Glob::new("*").expect("a pattern")];
    Some(Envelope {
        name: name?,
        agents: agents.unwrap_or_else(everything),
        services: services.unwrap_or_else(everything),
        effects: effects.unwrap_or_default(),
        forbid: forbid.unwrap_or_default(),
        profile: profile.unwrap_or_default().into_iter().collect(),
        check_within,
    })
}

/// One rule of `forbid`.
fn rule(page: &mut Page, node: &Node, envelope: &Arc<str>, ids: &mut BTreeMap<Arc<str>, &str>) -> Option<Rule> {
    let table = page.table(node, "a rule", RULE)?;
    let id = page.must(table, "id", |page, node| unique(page, node, "rule", "this envelope", ids));
    let tools = page.maybe(table, "tool", globs);
    let effects = page.maybe(table, "effect", |page, node| page.list(node, effect));
    let targets = page.maybe(table, "target", globs);
    let from = page.maybe(table, "from", Page::point);
    let until = page.maybe(table, "until", Page::point);
    let mode = page.maybe(table, "mode", |page, node| page.word(node, &["enforce", "warn", "shadow"], Mode::from_word));
    let severity =
        page.maybe(table, "severity", |page, node| page.word(node, &["page", "ticket", "info"], Severity::from_word));
    let because = page.maybe(table, "because", Page::text);
    check_selectors(page, table);
    if let (Some(from), Some(until)) = (from, until)
        && from >= until
    {
        page.wrong(table.at, format!("the rule is never in force: `from` {from} is not before `until` {until}"));
    }
    Some(Rule {
        envelope: Arc::clone(envelope),
        id: id?,
        tools: tools.unwrap_or_default(),
        effects: effects.map(BTreeSet::from_iter).unwrap_or_default(),
        targets: targets.unwrap_or_default(),
        from,
        until,
        mode: mode.unwrap_or(Mode::Enforce),
        severity: severity.unwrap_or(Severity::Page),
        because,
    })
}

/// A rule without any selector would forbid everything, which nobody means.
fn check_selectors(page: &mut Page, table: Table<'_>) {
    if ["tool", "effect", "target"].iter().all(|key| table.get(key).is_none()) {
        page.wrong(table.at, "the rule says nothing about which calls: give `tool`, `effect` or `target`");
    }
}

/// A name that no other has. Names stand in labels and ids, so they are plain.
fn unique<'f>(
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

fn globs(page: &mut Page, node: &Node) -> Option<Vec<Glob>> {
    page.list(node, |page, node| {
        let pattern = page.text(node)?;
        Glob::new(&pattern).map_err(|why| page.wrong(node.at, format!("pattern `{pattern}` {why}"))).ok()
    })
}

fn effects(page: &mut Page, node: &Node) -> Option<Vec<(Glob, Effect)>> {
    let read: Vec<_> = page.entries(node)?.iter().map(|(key, value)| declared(page, key, value)).collect();
    read.into_iter().collect()
}

fn declared(page: &mut Page, tool: &Key, value: &Node) -> Option<(Glob, Effect)> {
    let glob = Glob::new(&tool.name).map_err(|why| page.wrong(tool.at, format!("pattern `{}` {why}", tool.name))).ok();
    let effect = effect(page, value);
    Some((glob?, effect?))
}

fn effect(page: &mut Page, node: &Node) -> Option<Effect> {
    page.word(node, &Effect::ALL.iter().map(|effect| effect.as_str()).collect::<Vec<_>>(), Effect::from_word)
}

fn field(page: &mut Page, node: &Node) -> Option<Field> {
    page.word(node, &Field::ALL.iter().map(|field| field.as_str()).collect::<Vec<_>>(), Field::from_word)
}
