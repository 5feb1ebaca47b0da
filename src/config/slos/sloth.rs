//! Sloth's format, which is about queries alone: `prometheus/v1`, and `sloth.slok.dev/v1 PrometheusServiceLevel`, which
//! spells the same words in another way. Its window is 30 days, rolling; it counts what happened, and where it is
//! given a ratio it averages five minutes at a time.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use super::{Origins, Stated, metadata, query};
use crate::model::{Severity, Sli, Span};
use crate::rules::check_reachable;
use crate::slo::{Alerting, Budgeting, Extra, Indicator, Objective, Queries, Window};
use crate::values::document::{Node, Page, Place, Table};

/// The period of Sloth's budgets unless somebody starts it otherwise.
const PERIOD: Span = Span::days(30);
/// The slices that Sloth averages.
const SLICE: Span = Span::minutes(5);

/// How a form of the format spells its words.
#[derive(Debug, Clone, Copy)]
pub(super) struct Words {
    in_kubernetes: bool,
    slo_plugins: &'static str,
    error_query: &'static str,
    total_query: &'static str,
    error_ratio_query: &'static str,
    page_alert: &'static str,
    ticket_alert: &'static str,
}

/// `prometheus/v1`
pub(super) const FLAT: Words = Words {
    in_kubernetes: false,
    slo_plugins: "slo_plugins",
    error_query: "error_query",
    total_query: "total_query",
    error_ratio_query: "error_ratio_query",
    page_alert: "page_alert",
    ticket_alert: "ticket_alert",
};

/// `sloth.slok.dev/v1`
pub(super) const KUBERNETES: Words = Words {
    in_kubernetes: true,
    slo_plugins: "sloPlugins",
    error_query: "errorQuery",
    total_query: "totalQuery",
    error_ratio_query: "errorRatioQuery",
    page_alert: "pageAlert",
    ticket_alert: "ticketAlert",
};

/// Reads a document, each objective with the place of its name.
pub(super) fn read(page: &mut Page, node: &Node, words: Words) -> Vec<(Place, Stated)> {
    if !words.in_kubernetes {
        return levels(page, node, "the service", &["version"], words).unwrap_or_default();
    }
    let Some(table) = page.table(node, "the PrometheusServiceLevel", &["apiVersion", "kind", "metadata", "spec"])
    else {
        return Vec::new();
    };
    // Kubernetes has many fields for it, and checks them itself.
    page.must(table, "metadata", |page, node| page.entries(node).map(|_| ()));
    page.must(table, "spec", |page, node| levels(page, node, "the spec", &[], words)).unwrap_or_default()
}

/// A service and its objectives.
fn levels(page: &mut Page, node: &Node, what: &str, beside: &[&str], words: Words) -> Option<Vec<(Place, Stated)>> {
    let keys: Vec<&str> = beside.iter().copied().chain(["service", "labels", words.slo_plugins, "slos"]).collect();
    let table = page.table(node, what, &keys)?;
    refuse_plugins(page, table, words.slo_plugins);
    let service = page.must(table, "service", name);
    let labels = page.maybe(table, "labels", label_values).unwrap_or_default();
    let slos = page.must(table, "slos", |page, node| {
        let items = page.items(node)?;
        Some(items.iter().filter_map(|item| slo(page, item, words)).collect::<Vec<_>>())
    });
    let service = service?;
    let of_service = |(at, mut stated): (Place, Stated)| {
        let objective = &mut stated.objective;
        objective.name = Cow::Owned(format!("{service}-{}", objective.name));
        objective.service = Cow::Owned(service.to_string());
        for (name, value) in &labels {
            objective.labels.entry(name.clone()).or_insert_with(|| vec![value.clone()]);
        }
        (at, stated)
    };
    Some(slos?.into_iter().map(of_service).collect())
}

fn slo(page: &mut Page, node: &Node, words: Words) -> Option<(Place, Stated)> {
    let keys = ["name", "description", "objective", "plugins", "labels", "sli", "alerting"];
    let table = page.table(node, "an SLO", &keys)?;
    refuse_plugins(page, table, "plugins");
    let description = page.maybe(table, "description", metadata::prose);
    let labels = page.maybe(table, "labels", label_values).unwrap_or_default();
    let name = page.must(table, "name", name);
    let target = page.must(table, "objective", percent);
    let queries = page.must(table, "sli", |page, node| sli(page, node, words));
    let alerting = page.must(table, "alerting", |page, node| alerting(page, node, words));
    let place = |key: &str| table.get(key).map_or(table.at, |node| node.at);
    let mut from = Origins::default();
    for (aspect, key) in [("name", "name"), ("target", "objective"), ("indicator", "sli"), ("severity", "alerting")] {
        from.note(aspect, page, place(key));
    }
    let (severity, alerting) = alerting?;
    let queries = queries?;
    let objective = Objective {
        name: Cow::Owned(name?.to_string()),
        description: Cow::Owned(description.as_deref().unwrap_or_default().to_owned()),
        labels: labels.into_iter().map(|(name, value)| (name, vec![value])).collect(),
        budgeting: match queries {
            Queries::Ratio { .. } => Budgeting::RatioTimeslices { slice: SLICE },
            _ => Budgeting::Occurrences,
        },
        indicator: Indicator::Prometheus(queries),
        window: Window::Rolling(PERIOD),
        alerting,
        ..Objective::new(Sli::IntentAlignment, target?, severity)
    };
    if let Err(why) = check_reachable(&objective) {
        page.wrong(place("objective"), format!("{why}; disable the alert that cannot fire"));
        return None;
    }
    Some((place("name"), Stated { objective, from }))
}

/// Plugins are programs of Sloth.
fn refuse_plugins(page: &mut Page, table: Table<'_>, key: &str) {
    if let Some(node) = table.get(key) {
        page.wrong(node.at, format!("`{key}` runs programs of Sloth, which cannot be read here: leave it out"));
    }
}

/// Letters, digits, `-`, `_` and `.`, with a letter or a digit at both ends.
fn name(page: &mut Page, node: &Node) -> Option<Arc<str>> {
    let name = page.text(node)?;
    let ends = |c: char| c.is_ascii_alphanumeric();
    let inside = |c: char| ends(c) || matches!(c, '-' | '_' | '.');
    if name.starts_with(ends) && name.ends_with(ends) && name.chars().all(inside) && name.len() <= 128 {
        return Some(name);
    }
    let rule = "use at most 128 letters, digits, `-`, `_` and `.`, with a letter or a digit at both ends";
    page.wrong(node.at, format!("`{name}` is no name: {rule}"));
    None
}

fn percent(page: &mut Page, node: &Node) -> Option<f64> {
    let percent = page.number(node)?;
    if percent == 100.0 {
        page.wrong(node.at, "an objective of 100 % leaves no error budget");
        return None;
    }
    let is_percent = percent > 0.0 && percent < 100.0;
    let share = is_percent.then_some((percent * 1e7).round() / 1e9);
    share.or_else(|| page.expected(node, "a percentage above 0 and below 100, such as `99.9`"))
}

fn sli(page: &mut Page, node: &Node, words: Words) -> Option<Queries> {
    let table = page.table(node, "the SLI", &["events", "raw", "plugin"])?;
    match (table.get("events"), table.get("raw"), table.get("plugin")) {
        (Some(node), None, None) => events(page, node, words),
        (None, Some(node), None) => raw(page, node, words),
        (None, None, Some(_)) => {
            refuse_plugins(page, table, "plugin");
            None
        }
        _ => {
            page.wrong(node.at, "an SLI has exactly one of `events` and `raw`");
            None
        }
    }
}

fn events(page: &mut Page, node: &Node, words: Words) -> Option<Queries> {
    let table = page.table(node, "`events`", &[words.error_query, words.total_query])?;
    let bad = page.must(table, words.error_query, query::ranged);
    let total = page.must(table, words.total_query, query::ranged);
    let (bad, total) = (bad?, total?);
    if bad == total {
        let at = table.get(words.total_query).map_or(table.at, |node| node.at);
        page.wrong(at, format!("`{}` and `{}` are the same query", words.error_query, words.total_query));
        return None;
    }
    Some(Queries::Bad { bad, total })
}

fn raw(page: &mut Page, node: &Node, words: Words) -> Option<Queries> {
    let table = page.table(node, "`raw`", &[words.error_ratio_query])?;
    let query = page.must(table, words.error_ratio_query, query::ranged)?;
    Some(Queries::Ratio { query, is_bad: true })
}

/// The loudest alert, and what is said about alerts.
fn alerting(page: &mut Page, node: &Node, words: Words) -> Option<(Severity, Alerting)> {
    let keys = ["name", "labels", "annotations", words.page_alert, words.ticket_alert];
    let table = page.table(node, "`alerting`", &keys)?;
    let mut extras = Vec::new();
    let name = page.maybe(table, "name", Page::text);
    note(page, table, None, &mut extras);
    let pages = one_alert(page, table, words.page_alert, Severity::Page, &mut extras);
    let tickets = one_alert(page, table, words.ticket_alert, Severity::Ticket, &mut extras);
    let severity = match (pages, tickets) {
        (true, _) => Severity::Page,
        (false, true) => Severity::Ticket,
        (false, false) => Severity::Info,
    };
    if severity > Severity::Info && !table.has("name") {
        page.wrong(table.at, "`name` is missing: alerts that are not disabled need one");
    }
    Some((severity, Alerting { name, tickets, extras, policies: Vec::new() }))
}

/// Whether an alert may fire; what it carries is noted.
fn one_alert(page: &mut Page, table: Table<'_>, key: &str, severity: Severity, extras: &mut Vec<Extra>) -> bool {
    let fires = page.maybe(table, key, |page, node| {
        let table = page.table(node, &format!("`{key}`"), &["disable", "labels", "annotations"])?;
        note(page, table, Some(severity), extras);
        page.maybe(table, "disable", Page::flag).map(|disabled| !disabled)
    });
    fires.unwrap_or(true)
}

/// Labels and annotations of alerts.
fn note(page: &mut Page, table: Table<'_>, severity: Option<Severity>, extras: &mut Vec<Extra>) {
    for (key, is_annotation) in [("labels", false), ("annotations", true)] {
        let values = page.maybe(table, key, label_values).unwrap_or_default();
        extras.extend(values.into_iter().map(|(name, value)| Extra { severity, is_annotation, name, value }));
    }
}

/// Labels as Prometheus has them: plain names, and text.
fn label_values(page: &mut Page, node: &Node) -> Option<BTreeMap<Arc<str>, Arc<str>>> {
    let mut labels = BTreeMap::new();
    for (key, node) in page.entries(node)? {
        let plain = |c: char| c.is_ascii_alphanumeric() || c == '_';
        if !key.name.chars().all(plain) || key.name.starts_with(|c: char| c.is_ascii_digit()) || key.name.is_empty() {
            page.wrong(key.at, format!("`{}` is no label of Prometheus: use a-z, A-Z, 0-9 and `_`", key.name));
        }
        if let Some(value) = page.text(node) {
            labels.insert(key.name.clone(), value);
        }
    }
    Some(labels)
}
