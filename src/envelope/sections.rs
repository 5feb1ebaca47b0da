//! The sections of an envelope: each is a list of rules with one head, which differ in what they demand.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::condition::{Condition, Moment};
use super::demand::{Approval, Breaker, Demand, Invariant, Known, Limit, Per, Read, Task};
use super::parameters;
use super::read::{glob, globs, mode, unique};
use super::rules::{Allowed, Mode, Rule};
use super::schema::Schema;
use super::selector::Selector;
use crate::model::{Algorithm, By, Digest, Effect, Hash, Nanos, Severity};
use crate::values::document::{Kind, Node, Page, Table};

/// What the rules of one envelope share while they are read.
pub(super) struct Scope {
    pub(super) envelope: Arc<str>,
    /// Of a rule that says none.
    pub(super) mode: Mode,
    pub(super) known: Arc<Known>,
    /// Every id, and the section it stands in.
    pub(super) ids: BTreeMap<Arc<str>, &'static str>,
}

/// One section.
struct Section {
    key: &'static str,
    /// What one of its rules is called in messages.
    what: &'static str,
    selectors: Selectors,
    /// Keys beyond the head.
    own: &'static [&'static str],
    demand: fn(&mut Page, Table<'_>, &Scope) -> Option<Demand>,
}

/// How a section's rules say which calls they are about.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Selectors {
    /// At least one selector: without any, a rule would be about everything, which nobody means.
    Some,
    /// As many as wanted.
    Any,
    /// In another way.
    None,
}

#[rustfmt::skip]
const SECTIONS: &[Section] = &[
    Section { key: "forbid",     what: "a rule",            selectors: Selectors::Some, own: &[],                                 demand: |_, _, _| Some(Demand::Forbid) },
    Section { key: "freeze",     what: "a freeze",          selectors: Selectors::Any,  own: &[],                                 demand: freeze },
    Section { key: "parameters", what: "a parameter rule",  selectors: Selectors::Some, own: &["check"],                          demand: check },
    Section { key: "output",     what: "an output rule",    selectors: Selectors::Some, own: &["schema"],                         demand: schema },
    Section { key: "approval",   what: "an approval rule",  selectors: Selectors::Some, own: &["by", "principal"],                demand: approval },
    Section { key: "two_phase",  what: "a two-phase rule",  selectors: Selectors::Some, own: &[],                                 demand: |_, _, _| Some(Demand::TwoPhase) },
    Section { key: "limit",      what: "a limit",           selectors: Selectors::Some, own: &["at_most", "per"],                 demand: limit },
    Section { key: "breaker",    what: "a breaker",         selectors: Selectors::Any,  own: &["consecutive", "total", "evidence"], demand: breaker },
    Section { key: "grant",      what: "a grant",           selectors: Selectors::Some, own: &[],                                 demand: |_, _, _| Some(Demand::Grant) },
    Section { key: "task",       what: "a task",            selectors: Selectors::None, own: &["intent", "intent_id", "allow"],   demand: task },
    Section { key: "hold",       what: "a hold",            selectors: Selectors::Some, own: &[],                                 demand: |_, _, _| Some(Demand::Hold) },
    Section { key: "invariant",  what: "an invariant",      selectors: Selectors::Some, own: &["holds", "read", "within"],        demand: invariant },
];

const HEAD: &[&str] = &["id", "from", "until", "mode", "severity", "because"];

/// The key of the section that lists what is allowed, and the id of its rule.
pub(super) const ALLOW: &str = "allow";

/// The id of the rule that `only_listed` makes.
pub(super) const ONLY_LISTED: &str = "only-listed";

/// The keys of all sections.
pub(super) fn keys() -> impl Iterator<Item = &'static str> {
    SECTIONS.iter().map(|section| section.key).chain([ALLOW])
}

/// The rules of all sections, those with a mistake left out.
pub(super) fn read(page: &mut Page, table: Table<'_>, scope: &mut Scope) -> Vec<Rule> {
    let mut rules = Vec::new();
    for section in SECTIONS {
        let read =
            page.maybe(table, section.key, |page, node| page.list(node, |page, node| rule(page, node, section, scope)));
        rules.extend(read.into_iter().flatten());
    }
    rules
}

/// One rule.
fn rule(page: &mut Page, node: &Node, section: &Section, scope: &mut Scope) -> Option<Rule> {
    let selectors = if section.selectors == Selectors::None { &[] } else { Selector::KEYS };
    let keys: Vec<&str> = HEAD.iter().chain(selectors).chain(section.own).copied().collect();
    let table = page.table(node, section.what, &keys)?;
    let id = page.must(table, "id", |page, node| id(page, node, section.key, scope));
    let mut selector = match section.selectors {
        Selectors::None => Selector { classes: Arc::clone(&scope.known.classes), ..Selector::default() },
        Selectors::Some | Selectors::Any => Selector::read(page, table, &scope.known.classes),
    };
    if section.selectors == Selectors::Some {
        check_selectors(page, table);
    }
    let (from, until) = window(page, table);
    let demand = (section.demand)(page, table, scope);
    if matches!(demand, Some(Demand::Freeze)) && selector.tools.is_empty() && selector.effects.is_empty() {
        selector.effects = Effect::ALL.iter().copied().filter(|effect| *effect != Effect::Read).collect();
    }
    Some(Rule {
        selector,
        from,
        until,
        mode: page.maybe(table, "mode", mode).unwrap_or(scope.mode),
        severity: page.maybe(table, "severity", severity).unwrap_or(Severity::Page),
        because: page.maybe(table, "because", Page::text),
        ..bare(&id?, scope, demand?)
    })
}

/// A rule about everything.
fn bare(id: &Arc<str>, scope: &Scope, demand: Demand) -> Rule {
    Rule {
        envelope: Arc::clone(&scope.envelope),
        id: Arc::clone(id),
        name: format!("envelope.{}.{id}", scope.envelope).into(),
        selector: Selector { classes: Arc::clone(&scope.known.classes), ..Selector::default() },
        from: None,
        until: None,
        mode: scope.mode,
        severity: Severity::Page,
        because: None,
        demand,
        envelope_digest: Digest { algorithm: Algorithm::Blake3, key: 0, bytes: Hash([0; 32]) },
    }
}

fn id(page: &mut Page, node: &Node, section: &'static str, scope: &mut Scope) -> Option<Arc<str>> {
    let id = unique(page, node, "rule", section, &mut scope.ids)?;
    if [ALLOW, ONLY_LISTED].contains(&&*id) {
        page.wrong(
            node.at,
            format!("`{id}` is kept for the rule that `{}` makes: take another id", id.replace('-', "_")),
        );
        return None;
    }
    Some(id)
}

/// `allow`: what is inside.
pub(super) fn allow(page: &mut Page, table: Table<'_>, scope: &mut Scope) -> Vec<Allowed> {
    let keys: Vec<&str> = ["id", "from", "until", "because"].iter().chain(Selector::KEYS).copied().collect();
    let read = page.maybe(table, ALLOW, |page, node| {
        page.list(node, |page, node| {
            let table = page.table(node, "something allowed", &keys)?;
            let id = page.must(table, "id", |page, node| id(page, node, ALLOW, scope));
            check_selectors(page, table);
            let selector = Selector::read(page, table, &scope.known.classes);
            let (from, until) = window(page, table);
            let because = page.maybe(table, "because", Page::text);
            Some(Allowed { id: id?, selector, from, until, because })
        })
    });
    read.unwrap_or_default()
}

/// The rules that stand behind `allow` and `only_listed`.
pub(super) fn outside(page: &mut Page, table: Table<'_>, scope: &mut Scope) -> Vec<Rule> {
    let mut rules = Vec::new();
    if table.has(ALLOW) {
        rules.push(bare(&ALLOW.into(), scope, Demand::Outside));
    }
    let only_listed = page.maybe(table, "only_listed", |page, node| {
        let only_listed = page.flag(node)?;
        if only_listed && scope.known.tools.is_empty() {
            page.wrong(node.at, "`only_listed` puts every call outside: `tools` lists none");
        }
        Some(only_listed)
    });
    let only_listed = only_listed.unwrap_or_default();
    if only_listed {
        rules.push(bare(&ONLY_LISTED.into(), scope, Demand::Outside));
    }
    rules
}

fn check_selectors(page: &mut Page, table: Table<'_>) {
    if Selector::KEYS.iter().all(|key| !table.has(key)) {
        page.wrong(
            table.at,
            "the rule says nothing about which calls: give `tool`, `effect`, `target` or another selector",
        );
    }
}

/// `from` and `until`.
fn window(page: &mut Page, table: Table<'_>) -> (Option<Nanos>, Option<Nanos>) {
    let from = page.maybe(table, "from", Page::point);
    let until = page.maybe(table, "until", Page::point);
    if let (Some(from), Some(until)) = (from, until)
        && from >= until
    {
        page.wrong(table.at, format!("the rule is never in force: `from` {from} is not before `until` {until}"));
    }
    (from, until)
}

fn severity(page: &mut Page, node: &Node) -> Option<Severity> {
    page.word(node, &["page", "ticket", "info"], Severity::from_word)
}

fn freeze(page: &mut Page, table: Table<'_>, _: &Scope) -> Option<Demand> {
    for key in ["from", "until"].iter().filter(|key| !table.has(key)) {
        page.wrong(table.at, format!("a freeze has a beginning and an end: `{key}` is missing"));
    }
    Some(Demand::Freeze)
}

fn check(page: &mut Page, table: Table<'_>, _: &Scope) -> Option<Demand> {
    page.must(table, "check", parameters::read).map(Demand::Parameters)
}

fn schema(page: &mut Page, table: Table<'_>, _: &Scope) -> Option<Demand> {
    page.must(table, "schema", Schema::read).map(Demand::Output)
}

fn approval(page: &mut Page, table: Table<'_>, _: &Scope) -> Option<Demand> {
    let words: Vec<&str> = By::ALL.iter().filter(|by| **by != By::Unknown).map(|by| by.as_str()).collect();
    let by = page.maybe(table, "by", |page, node| {
        let known = |word: &str| By::from_word(word).filter(|by| *by != By::Unknown);
        page.list(node, |page, node| page.word(node, &words, known))
    });
    let by = by.map_or_else(|| BTreeSet::from([By::Human]), BTreeSet::from_iter);
    let principals = page.maybe(table, "principal", globs).unwrap_or_default();
    Some(Demand::Approval(Approval { by, principals }))
}

fn limit(page: &mut Page, table: Table<'_>, _: &Scope) -> Option<Demand> {
    let at_most = page.must(table, "at_most", |page, node| {
        let count = page.whole(node)?;
        if count == 0 {
            page.wrong(node.at, "a limit of 0 forbids: write it under `forbid`");
        }
        if count >= Limit::MOST {
            let most = Limit::MOST - 1;
            page.wrong(
                node.at,
                format!("a limit counts to {most} at most: take fewer in a shorter time, such as `per: 1m`"),
            );
        }
        Some(count)
    });
    let per = page.must(table, "per", per);
    Some(Demand::Limit(Limit { at_most: at_most?, per: per? }))
}

fn per(page: &mut Page, node: &Node) -> Option<Per> {
    match &node.kind {
        Kind::Text(word) if &**word == "turn" => Some(Per::Turn),
        Kind::Text(word) if &**word == "conversation" => Some(Per::Conversation),
        Kind::Text(word) if word.starts_with(|c: char| c.is_ascii_digit()) => {
            let length = page.length(node)?;
            if length > Limit::LONGEST {
                page.wrong(
                    node.at,
                    format!("a limit counts over `24h` at most, not `{word}`: calls before are forgotten"),
                );
            }
            Some(Per::Time(length))
        }
        _ => page.expected(node, "`turn`, `conversation` or a length of time such as `1h`"),
    }
}

fn breaker(page: &mut Page, table: Table<'_>, _: &Scope) -> Option<Demand> {
    let consecutive = page.maybe(table, "consecutive", Page::count);
    let total = page.maybe(table, "total", Page::count);
    let evidence = page.maybe(table, "evidence", |page, node| {
        let below = page.number(node)?;
        if below <= 0.0 || below >= 1.0 {
            page.wrong(node.at, format!("`evidence` is a probability between 0 and 1, such as `1e-4`, not `{below}`"));
        }
        Some(below)
    });
    if !["consecutive", "total", "evidence"].iter().any(|key| table.has(key)) {
        page.wrong(table.at, "the breaker never trips: give `consecutive`, `total` or `evidence`");
    }
    if let (Some(consecutive), Some(total)) = (consecutive, total)
        && consecutive > total
    {
        page.wrong(table.at, format!("`consecutive` {consecutive} is never reached: `total` {total} trips first"));
    }
    Some(Demand::Breaker(Breaker { consecutive, total, evidence }))
}

fn task(page: &mut Page, table: Table<'_>, scope: &Scope) -> Option<Demand> {
    if !table.has("intent") && !table.has("intent_id") {
        page.wrong(table.at, "no turn ever has this task: give `intent` or `intent_id`");
    }
    let intents = page.maybe(table, "intent", |page, node| {
        let globs = globs(page, node)?;
        globs.iter().map(|written| glob(page, node.at, &written.to_string().to_lowercase())).collect()
    });
    let intent_ids = page.maybe(table, "intent_id", globs);
    let allow = page.must(table, "allow", |page, node| page.list(node, |page, node| allowed(page, node, scope)));
    let (intents, intent_ids) = (intents.unwrap_or_default(), intent_ids.unwrap_or_default());
    Some(Demand::Task(Task { intents, intent_ids, allow: allow? }))
}

/// One kind of calls that belongs to a task.
fn allowed(page: &mut Page, node: &Node, scope: &Scope) -> Option<Selector> {
    let table = page.table(node, "something a task allows", Selector::KEYS)?;
    check_selectors(page, table);
    Some(Selector::read(page, table, &scope.known.classes))
}

fn invariant(page: &mut Page, table: Table<'_>, scope: &Scope) -> Option<Demand> {
    let moment = if table.has("read") { Moment::Later } else { Moment::Call };
    let holds = page.must(table, "holds", |page, node| Condition::read(page, node, moment));
    let read = page.maybe(table, "read", |page, node| later(page, node, scope));
    let within = page.maybe(table, "within", Page::length);
    if within.is_some() && !table.has("read") {
        page.wrong(table.at, "`within` waits for a later call: say which by `read`");
    }
    Some(Demand::Invariant(Box::new(Invariant { holds: holds?, read, within, known: Arc::clone(&scope.known) })))
}

/// The later call that shows whether an invariant holds.
fn later(page: &mut Page, node: &Node, scope: &Scope) -> Option<Read> {
    let keys: Vec<&str> = Selector::KEYS.iter().chain(&["where"]).copied().collect();
    let table = page.table(node, "a later call", &keys)?;
    check_selectors(page, table);
    let relates = page.maybe(table, "where", |page, node| Condition::read(page, node, Moment::Later));
    Some(Read { selector: Selector::read(page, table, &scope.known.classes), relates })
}
