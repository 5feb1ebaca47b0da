//! AlertPolicy, AlertCondition and AlertNotificationTarget.

use std::sync::Arc;

use super::document::Kind;
use super::library::Library;
use super::{metadata, time};
use crate::model::{Severity, Span};
use crate::slo::{AlertPolicy, Condition, Op};
use crate::values::document::{Node, Page, Table};

/// An entry of `alertPolicies`: a reference, or the policy itself.
pub(super) fn entry(page: &mut Page, node: &Node, library: &Library) -> Option<AlertPolicy> {
    let table = inline(page, node, "alertPolicyRef", Kind::Policy)?;
    if let Some(node) = table.get("alertPolicyRef") {
        return library.policy(page, node);
    }
    let metadata = page.must(table, "metadata", metadata::read);
    policy(page, table, metadata.map(|metadata| metadata.name), library)
}

/// `spec` of a policy.
pub(super) fn policy(
    page: &mut Page,
    table: Table<'_>,
    name: Option<Arc<str>>,
    library: &Library,
) -> Option<AlertPolicy> {
    page.must(table, "spec", |page, node| {
        const KEYS: &[&str] = &[
            "description",
            "alertWhenNoData",
            "alertWhenResolved",
            "alertWhenBreaching",
            "conditions",
            "notificationTargets",
        ];
        let table = page.table(node, "the spec of the AlertPolicy", KEYS)?;
        page.maybe(table, "description", metadata::prose);
        let when = |page: &mut Page, key| page.maybe(table, key, Page::flag);
        let breaching = when(page, "alertWhenBreaching").unwrap_or(true);
        let (resolved, no_data) = (when(page, "alertWhenResolved"), when(page, "alertWhenNoData"));
        let condition = page.must(table, "conditions", |page, node| only_condition(page, node, library));
        let notify = page.maybe(table, "notificationTargets", |page, node| {
            let items = page.items(node)?;
            Some(items.iter().filter_map(|item| notified(page, item, library)).collect())
        });
        Some(AlertPolicy {
            name: name?,
            condition: condition?,
            when_breaching: breaching,
            when_resolved: resolved.unwrap_or(false),
            when_no_data: no_data.unwrap_or(false),
            notify: notify.unwrap_or_default(),
        })
    })
}

/// `conditions`: a list of exactly one.
fn only_condition(page: &mut Page, node: &Node, library: &Library) -> Option<Condition> {
    let items = page.items(node)?;
    let conditions: Vec<Option<Condition>> = items.iter().map(|item| condition_entry(page, item, library)).collect();
    if items.len() > 1 {
        page.wrong(node.at, format!("conditions has {} items, exactly 1 allowed", items.len()));
        return None;
    }
    conditions.into_iter().next()?
}

fn condition_entry(page: &mut Page, node: &Node, library: &Library) -> Option<Condition> {
    let table = inline(page, node, "conditionRef", Kind::Condition)?;
    if let Some(node) = table.get("conditionRef") {
        return library.condition(page, node);
    }
    page.must(table, "metadata", metadata::read);
    condition(page, table)
}

/// `spec` of a condition.
pub(super) fn condition(page: &mut Page, table: Table<'_>) -> Option<Condition> {
    page.must(table, "spec", |page, node| {
        let table = page.table(node, "the spec of the AlertCondition", &["description", "severity", "condition"])?;
        page.maybe(table, "description", metadata::prose);
        let severity = page.must(table, "severity", |page, node| {
            page.word(node, &["page", "ticket"], |word| Severity::from_word(word).filter(|it| *it > Severity::Info))
        });
        let burn = page.must(table, "condition", burn);
        let burn = burn?;
        Some(Condition { severity: severity?, ..burn })
    })
}

fn burn(page: &mut Page, node: &Node) -> Option<Condition> {
    const KEYS: &[&str] = &["kind", "op", "threshold", "lookbackWindow", "alertAfter"];
    let table = page.table(node, "the condition", KEYS)?;
    page.must(table, "kind", |page, node| page.word(node, &["burnrate"], |word| (word == "burnrate").then_some(())));
    let op = page.must(table, "op", above);
    let threshold = page.must(table, "threshold", |page, node| {
        let threshold = page.number(node)?;
        if threshold > 0.0 { Some(threshold) } else { page.expected(node, "a burn rate above 0") }
    });
    let lookback = page.must(table, "lookbackWindow", time::length);
    let after = page.maybe(table, "alertAfter", time::length).unwrap_or(Span(0));
    Some(Condition { severity: Severity::Page, op: op?, threshold: threshold?, lookback: lookback?, after })
}

/// OpenSLO's own example has `lte` beside "exceeds 2", and readers disagree about what that means.
fn above(page: &mut Page, node: &Node) -> Option<Op> {
    let op = page.word(node, Op::WORDS, Op::from_word)?;
    if matches!(op, Op::Gt | Op::Gte) {
        return Some(op);
    }
    let word = page.text(node)?;
    page.wrong(
        node.at,
        format!("`{word}` would alert while little burns, and readers disagree about it: use `gt` or `gte`"),
    );
    None
}

/// Who is told: the name of a target.
fn notified(page: &mut Page, node: &Node, library: &Library) -> Option<Arc<str>> {
    let table = inline(page, node, "targetRef", Kind::NotificationTarget)?;
    if let Some(node) = table.get("targetRef") {
        return library.find(page, node, Kind::NotificationTarget);
    }
    let metadata = page.must(table, "metadata", metadata::read);
    target(page, table);
    Some(metadata?.name)
}

/// `spec` of a target. What the target is stays with the routes of an Alertmanager.
pub(super) fn target(page: &mut Page, table: Table<'_>) {
    page.must(table, "spec", |page, node| {
        let table = page.table(node, "the spec of the AlertNotificationTarget", &["description", "target"])?;
        page.maybe(table, "description", metadata::prose);
        page.must(table, "target", Page::text)
    });
}

/// An entry that is a reference alone, or an object inside another.
fn inline<'n>(page: &mut Page, node: &'n Node, reference: &str, kind: Kind) -> Option<Table<'n>> {
    let what = format!("an {}", kind.word());
    let table = page.table(node, &what, &[reference, "kind", "metadata", "spec"])?;
    let beside = ["kind", "metadata", "spec"].into_iter().find(|key| table.has(key));
    match (table.has(reference), beside) {
        (true, Some(key)) => {
            page.wrong(
                table.at,
                format!("`{reference}` and `{key}` stand here together: refer to an object, or write it"),
            );
            return None;
        }
        (true, None) => {}
        (false, _) => {
            page.must(table, "kind", |page, node| {
                page.word(node, &[kind.word()], |word| (word == kind.word()).then_some(()))
            });
        }
    }
    Some(table)
}
