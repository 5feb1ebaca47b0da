//! SLI: what is measured. Two sources can be read: this program's own verdicts, and queries for a Prometheus.

use std::sync::Arc;

use super::library::Library;
use super::{metadata, query};
use crate::model::{Glob, Sli};
use crate::slo::{Filter, Indicator, Op, Queries};
use crate::values::document::{Node, Page, Place, Table, suggestion};

/// The types that can be read.
const TYPES: &[&str] = &["wherefore", "Prometheus"];

/// `spec` of a DataSource: its type. What it connects to is the business of who connects.
pub(super) fn data_source(page: &mut Page, table: Table<'_>) -> Option<Arc<str>> {
    page.must(table, "spec", |page, node| {
        let table = page.table(node, "the spec of the DataSource", &["description", "type", "connectionDetails"])?;
        page.maybe(table, "description", metadata::prose);
        page.must(table, "type", Page::text)
    })
}

/// `spec` of an SLI, in an object of its own or in an SLO.
pub(super) fn sli(page: &mut Page, table: Table<'_>, library: &Library) -> Option<Indicator> {
    page.must(table, "spec", |page, node| spec(page, node, library))
}

fn spec(page: &mut Page, node: &Node, library: &Library) -> Option<Indicator> {
    let table = page.table(node, "the spec of the SLI", &["description", "ratioMetric", "thresholdMetric"])?;
    page.maybe(table, "description", metadata::prose);
    match (table.get("ratioMetric"), table.get("thresholdMetric")) {
        (Some(ratio), None) => ratio_metric(page, ratio, library),
        (None, Some(threshold)) => threshold_metric(page, threshold, library),
        _ => {
            page.wrong(node.at, "an SLI has exactly one of `ratioMetric` and `thresholdMetric`");
            None
        }
    }
}

fn ratio_metric(page: &mut Page, node: &Node, library: &Library) -> Option<Indicator> {
    const KEYS: &[&str] = &["counter", "good", "bad", "total", "rawType", "raw"];
    let table = page.table(node, "`ratioMetric`", KEYS)?;
    if table.has("raw") || table.has("rawType") {
        return raw(page, table, library);
    }
    if page.must(table, "counter", Page::flag) == Some(false) {
        let at = table.get("counter").map_or(table.at, |node| node.at);
        page.wrong(at, "only counters can be read: `counter: true`, and queries that take a rate");
    }
    let read = |page: &mut Page, key| page.maybe(table, key, |page, node| metric(page, node, library));
    let (good, bad) = (read(page, "good"), read(page, "bad"));
    let total = page.must(table, "total", |page, node| metric(page, node, library));
    let part = match (table.has("good"), table.has("bad")) {
        (true, false) => ("good", good),
        (false, true) => ("bad", bad),
        (both, _) => {
            let wrong = if both { "`good` and `bad` both stand here" } else { "neither `good` nor `bad` stands here" };
            page.wrong(table.at, format!("{wrong}: `total` needs exactly one of them"));
            return None;
        }
    };
    let at = table.get("total").map_or(table.at, |node| node.at);
    together(page, at, part.0, part.1?, total?)
}

/// A part and the whole, of one source.
fn together(page: &mut Page, at: Place, word: &str, part: Metric, total: Metric) -> Option<Indicator> {
    match (part, total) {
        (Metric::Wherefore(part), Metric::Wherefore(total)) if part == total => {
            Some(Indicator::Wherefore { sli: part.0, filter: part.1 })
        }
        (Metric::Query(part), Metric::Query(total)) if part != total => Some(Indicator::Prometheus(match word {
            "bad" => Queries::Bad { bad: part, total },
            _ => Queries::Good { good: part, total },
        })),
        (Metric::Query(_), Metric::Query(_)) => {
            page.wrong(at, format!("`{word}` and `total` are the same query"));
            None
        }
        (Metric::Wherefore(_), Metric::Wherefore(_)) => {
            page.wrong(
                at,
                format!("`total` is about other actions than `{word}`: give both the same `sli` and `where`"),
            );
            None
        }
        _ => {
            page.wrong(at, format!("`{word}` and `total` come from different sources"));
            None
        }
    }
}

/// A ratio that somebody else computes.
fn raw(page: &mut Page, table: Table<'_>, library: &Library) -> Option<Indicator> {
    for key in ["good", "bad", "total"] {
        if let Some(node) = table.get(key) {
            page.wrong(node.at, format!("`raw` is the ratio already: `{key}` cannot stand beside it"));
        }
    }
    page.maybe(table, "counter", Page::flag);
    let is_bad = page.must(table, "rawType", |page, node| {
        page.word(node, &["success", "failure"], |word| match word {
            "success" => Some(false),
            "failure" => Some(true),
            _ => None,
        })
    });
    let metric = page.must(table, "raw", |page, node| metric(page, node, library));
    let at = table.get("raw").map_or(table.at, |node| node.at);
    let query = only_query(page, at, metric?, "`raw`")?;
    Some(Indicator::Prometheus(Queries::Ratio { query, is_bad: is_bad? }))
}

/// A value with a limit, which the objective says.
fn threshold_metric(page: &mut Page, node: &Node, library: &Library) -> Option<Indicator> {
    let metric = source_of(page, node, library, query::plain)?;
    let query = only_query(page, node.at, metric, "`thresholdMetric`")?;
    Some(Indicator::Prometheus(Queries::Threshold { query, op: Op::Lte, limit: 0.0 }))
}

fn only_query(page: &mut Page, at: Place, metric: Metric, what: &str) -> Option<Arc<str>> {
    match metric {
        Metric::Query(query) => Some(query),
        Metric::Wherefore(_) => {
            page.wrong(at, format!("{what} cannot be evaluated in process: give `good` or `bad`, and `total`"));
            None
        }
    }
}

/// One side of a ratio.
#[derive(Debug, PartialEq)]
enum Metric {
    Wherefore((Sli, Filter)),
    Query(Arc<str>),
}

fn metric(page: &mut Page, node: &Node, library: &Library) -> Option<Metric> {
    source_of(page, node, library, query::ranged)
}

type ReadQuery = fn(&mut Page, &Node) -> Option<Arc<str>>;

/// `metricSource`, whose type stands in it or in the DataSource that it names.
fn source_of(page: &mut Page, node: &Node, library: &Library, read: ReadQuery) -> Option<Metric> {
    let table = page.table(node, "a metric", &["metricSource"])?;
    page.must(table, "metricSource", |page, node| {
        let table = page.table(node, "`metricSource`", &["metricSourceRef", "type", "spec"])?;
        let of_source = page.maybe(table, "metricSourceRef", |page, node| library.source(page, node));
        let typed = page.maybe(table, "type", Page::text);
        let at = table.get("type").or(table.get("metricSourceRef")).map_or(table.at, |node| node.at);
        if let (Some(source), Some(typed)) = (&of_source, &typed)
            && source != typed
        {
            page.wrong(at, format!("the type is `{typed}`, and that of the DataSource is `{source}`"));
            return None;
        }
        if !table.has("type") && !table.has("metricSourceRef") {
            page.wrong(table.at, "`type` is missing: `wherefore` or `Prometheus`");
        }
        match &*typed.or(of_source)? {
            "wherefore" => page.must(table, "spec", own).map(Metric::Wherefore),
            "Prometheus" => page.must(table, "spec", |page, node| prometheus(page, node, read)).map(Metric::Query),
            other => {
                let hint = suggestion(other, TYPES);
                page.wrong(at, format!("metricSource.type `{other}` cannot be evaluated: only wherefore, and Prometheus for rules{hint}"));
                None
            }
        }
    })
}

/// `sli` and `where` of this program.
fn own(page: &mut Page, node: &Node) -> Option<(Sli, Filter)> {
    let table = page.table(node, "the spec of the metricSource", &["sli", "where"])?;
    let words: Vec<&str> = Sli::ALL.iter().map(|sli| sli.as_str()).collect();
    let sli = page.must(table, "sli", |page, node| page.word(node, &words, Sli::from_word));
    let filter = match table.get("where") {
        Some(node) => filter(page, node),
        None => Some(Filter::ALL),
    };
    Some((sli?, filter?))
}

fn filter(page: &mut Page, node: &Node) -> Option<Filter> {
    let table = page.table(node, "`where`", &["agent", "tool", "environment"])?;
    let read = |page: &mut Page, key| match table.get(key) {
        Some(node) => page.list(node, glob),
        None => Some(Vec::new()),
    };
    let (agents, tools, environments) = (read(page, "agent"), read(page, "tool"), read(page, "environment"));
    Some(Filter { agents: agents?, tools: tools?, environments: environments? })
}

fn glob(page: &mut Page, node: &Node) -> Option<Glob> {
    let pattern = page.text(node)?;
    Glob::new(&pattern).map_err(|why| page.wrong(node.at, format!("pattern `{pattern}` {why}"))).ok()
}

fn prometheus(page: &mut Page, node: &Node, read: ReadQuery) -> Option<Arc<str>> {
    let table = page.table(node, "the spec of the metricSource", &["query"])?;
    page.must(table, "query", read)
}
