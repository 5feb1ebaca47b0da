//! Unit tests of envelopes, written in the envelope: a call, and what is said about it.
//!
//! A case is judged by its own envelope alone, so that no other file can break it.

mod build;

use std::collections::BTreeSet;
use std::sync::Arc;

use super::sections;
use crate::model::{Action, Sli, Turn, Value};
use crate::values::document::{Kind, Node, Page, Place, Table, suggestion};

/// A unit test of an envelope.
#[derive(Debug, Clone, PartialEq)]
pub struct Case {
    file: Arc<str>,
    place: Place,
    envelope: Arc<str>,
    name: Arc<str>,
    action: Box<Action>,
    turn: Box<Turn>,
    expected: Vec<Expected>,
}

/// One thing that a case expects.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expected {
    /// Where it stands.
    pub place: Place,
    /// What it is.
    pub what: Expect,
}

/// What a case expects.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Expect {
    /// The verdict for one SLI.
    Verdict {
        /// The SLI.
        sli: Sli,
        /// Its value; `None`: the SLI does not apply.
        value: Option<Value>,
        /// The reason, where the case asks for one.
        reason: Option<Arc<str>>,
    },
    /// Exactly these findings, by their rules, sorted.
    Findings(Vec<Arc<str>>),
}

impl Case {
    /// The file and the place it stands at.
    pub fn at(&self) -> (&str, Place) {
        (&self.file, self.place)
    }

    /// Its name, in the words of who wrote it.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The envelope that judges it, alone.
    pub fn envelope(&self) -> &str {
        &self.envelope
    }

    /// The call.
    pub fn action(&self) -> &Action {
        &self.action
    }

    /// The call's turn.
    pub fn turn(&self) -> &Turn {
        &self.turn
    }

    /// Everything it expects, in the order of the file.
    pub fn expected(&self) -> &[Expected] {
        &self.expected
    }
}

/// The envelope that the tests of a file are about.
pub(super) struct Tested<'a> {
    pub(super) file: &'a str,
    pub(super) envelope: &'a Arc<str>,
    /// The ids of its rules.
    pub(super) rules: BTreeSet<&'a str>,
}

const CASE: &[&str] = &["name", "action", "user", "intent_id", "plan", "expect"];

/// Reads `tests`.
pub(super) fn read(page: &mut Page, node: &Node, tested: &Tested<'_>) -> Option<Vec<Case>> {
    let mut names = BTreeSet::new();
    page.list(node, |page, node| {
        let case = case(page, node, tested)?;
        if !names.insert(Arc::clone(&case.name)) {
            page.wrong(node.at, format!("test `{}` stands twice", case.name));
        }
        Some(case)
    })
}

fn case(page: &mut Page, node: &Node, tested: &Tested<'_>) -> Option<Case> {
    let table = page.table(node, "a test", CASE)?;
    let name = page.must(table, "name", Page::text);
    let action = page.must(table, "action", build::action);
    let turn = build::turn(page, table);
    let expected = page.must(table, "expect", |page, node| expect(page, node, tested));
    let mut action = action?;
    build::fields(&mut action, &turn);
    Some(Case {
        file: tested.file.into(),
        place: node.at,
        envelope: Arc::clone(tested.envelope),
        name: name?,
        action: Box::new(action),
        turn: Box::new(turn),
        expected: expected?,
    })
}

/// `expect`: a verdict for each SLI named, and all findings.
fn expect(page: &mut Page, node: &Node, tested: &Tested<'_>) -> Option<Vec<Expected>> {
    let slis: Vec<&str> = Sli::ALL.iter().map(|sli| sli.as_str()).collect();
    let keys: Vec<&str> = slis.iter().copied().chain(["findings"]).collect();
    page.table(node, "what a test expects", &keys)?;
    let entries = page.entries(node)?;
    if entries.is_empty() {
        page.wrong(node.at, "the test expects nothing");
    }
    let mut expected = Vec::new();
    for (key, value) in entries {
        let what = match Sli::from_word(&key.name) {
            Some(sli) => verdict(page, value, sli),
            None => findings(page, value, tested).map(Expect::Findings),
        };
        expected.push(Expected { place: key.at, what: what? });
    }
    Some(expected)
}

/// `bad`, or `{ value: bad, reason: forbidden }`.
fn verdict(page: &mut Page, node: &Node, sli: Sli) -> Option<Expect> {
    if !matches!(node.kind, Kind::Table(_)) {
        return Some(Expect::Verdict { sli, value: value(page, node)?, reason: None });
    }
    let table: Table<'_> = page.table(node, "a verdict", &["value", "reason"])?;
    let value = page.must(table, "value", value);
    let reason = page.maybe(table, "reason", Page::text);
    Some(Expect::Verdict { sli, value: value?, reason })
}

/// A verdict's value; `none` when the SLI does not apply.
fn value(page: &mut Page, node: &Node) -> Option<Option<Value>> {
    page.word(node, &["good", "bad", "unknown", "none"], |word| match word {
        "none" => Some(None),
        word => Value::from_word(word).map(Some),
    })
}

/// The rules of all findings; none of them is `[]`.
fn findings(page: &mut Page, node: &Node, tested: &Tested<'_>) -> Option<Vec<Arc<str>>> {
    if matches!(&node.kind, Kind::List(items) if items.is_empty()) {
        return Some(Vec::new());
    }
    let mut names = page.list(node, |page, node| {
        let name = page.text(node)?;
        known(page, node, &name, tested).then_some(name)
    })?;
    names.sort();
    names.dedup();
    Some(names)
}

/// Whether a finding can be: of an envelope's rule only when this envelope has it.
fn known(page: &mut Page, node: &Node, name: &str, tested: &Tested<'_>) -> bool {
    let Some(rest) = name.strip_prefix("envelope.") else { return true };
    let (envelope, rule) = rest.split_once('.').unwrap_or((rest, ""));
    let id = rule.split('.').next().unwrap_or_default();
    let made = [sections::ALLOW, sections::ONLY_LISTED];
    if envelope == &**tested.envelope && (tested.rules.contains(id) || made.contains(&id)) {
        return true;
    }
    let own = |id: &&str| format!("envelope.{}.{id}", tested.envelope);
    let names: Vec<String> = tested.rules.iter().map(own).collect();
    let hint = suggestion(name, &names.iter().map(String::as_str).collect::<Vec<_>>());
    page.wrong(node.at, format!("`{name}` is no rule of this envelope{hint}"));
    false
}
