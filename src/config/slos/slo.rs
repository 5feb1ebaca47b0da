//! SLO: the objective itself, from its own words, those of what it refers to, and the settings of its SLI.

use std::borrow::Cow;
use std::sync::Arc;

use super::document::Kind;
use super::library::Library;
use super::metadata::{Metadata, Notes};
use super::{Origins, Stated, alert, indicator, metadata, time};
use crate::model::{Severity, Sli, Span};
use crate::rules::check_reachable;
use crate::sli::SLICE;
use crate::slo::{AlertPolicy, Alerting, Budgeting, Indicator, Objective, Op, Queries, Window};
use crate::values::document::{Node, Page, Place, Table};

/// Reads an SLO, with the place of its name.
pub(super) fn read(
    page: &mut Page,
    table: Table<'_>,
    library: &mut Library,
    settings: &[Objective],
) -> Option<(Place, Stated)> {
    let metadata = page.must(table, "metadata", metadata::read);
    if let Some(metadata) = &metadata {
        library.enter(page, metadata, Kind::Slo);
    }
    let notes = metadata.as_ref().map(|metadata| Notes::read(page, metadata)).unwrap_or_default();
    let spec = page.must(table, "spec", |page, node| spec(page, node, library, &notes))?;
    let metadata = metadata?;
    Some((metadata.at, state(page, metadata, spec, &notes, settings)?))
}

/// What a spec says, each part without mistakes.
struct Spec {
    description: Option<Arc<str>>,
    service: Arc<str>,
    indicator: Indicator,
    window: Window,
    budgeting: Budgeting,
    target: (f64, Place),
    policies: Vec<(AlertPolicy, Place)>,
    /// Where its parts stand.
    places: [(&'static str, Place); 4],
}

fn spec(page: &mut Page, node: &Node, library: &Library, notes: &Notes) -> Option<Spec> {
    const KEYS: &[&str] = &[
        "description",
        "service",
        "indicator",
        "indicatorRef",
        "timeWindow",
        "budgetingMethod",
        "objectives",
        "alertPolicies",
    ];
    let table = page.table(node, "the spec of the SLO", KEYS)?;
    let description = page.maybe(table, "description", metadata::prose);
    let service = page.must(table, "service", |page, node| service(page, node, library));
    let indicator = indicator_of(page, table, library);
    let window = page.must(table, "timeWindow", time::window);
    let method = page.must(table, "budgetingMethod", method);
    let row = page.must(table, "objectives", row);
    let policies = page.maybe(table, "alertPolicies", |page, node| {
        let items = page.items(node)?;
        Some(items.iter().filter_map(|item| Some((alert::entry(page, item, library)?, item.at))).collect())
    });
    let place = |key: &str| table.get(key).map_or(table.at, |node| node.at);
    let row = row?;
    let indicator = indicator.and_then(|indicator| with_limit(page, indicator, &row, method));
    let budgeting = method.and_then(|method| budgeting(page, method, &row, notes));
    if let (Some(budgeting), Some(window), Some(indicator)) = (&budgeting, &window, &indicator) {
        check_slice(page, &row, budgeting, window, indicator);
    }
    let indicator_at = if table.has("indicator") { place("indicator") } else { place("indicatorRef") };
    Some(Spec {
        description,
        service: service?,
        indicator: indicator?,
        window: window?,
        budgeting: budgeting?,
        target: row.target?,
        policies: policies.unwrap_or_default(),
        places: [
            ("indicator", indicator_at),
            ("window", place("timeWindow")),
            ("budgeting", place("budgetingMethod")),
            ("alerts", place("alertPolicies")),
        ],
    })
}

/// A service by name; one of the loaded ones, if there are any.
fn service(page: &mut Page, node: &Node, library: &Library) -> Option<Arc<str>> {
    match library.has_any(Kind::Service) {
        true => library.find(page, node, Kind::Service),
        false => metadata::name(page, node),
    }
}

/// `indicator` or `indicatorRef`.
fn indicator_of(page: &mut Page, table: Table<'_>, library: &Library) -> Option<Indicator> {
    match (table.get("indicator"), table.get("indicatorRef")) {
        (Some(node), None) => {
            let table = page.table(node, "the indicator", &["metadata", "spec"])?;
            page.must(table, "metadata", metadata::read);
            indicator::sli(page, table, library)
        }
        (None, Some(node)) => library.sli(page, node),
        (both, _) => {
            let wrong = if both.is_some() { "both stand" } else { "neither stands" };
            page.wrong(table.at, format!("an SLO has exactly one of `indicator` and `indicatorRef`: {wrong} here"));
            None
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Method {
    Occurrences,
    Timeslices,
    RatioTimeslices,
}

fn method(page: &mut Page, node: &Node) -> Option<Method> {
    page.word(node, &["Occurrences", "Timeslices", "RatioTimeslices"], |word| match word {
        "Occurrences" => Some(Method::Occurrences),
        "Timeslices" => Some(Method::Timeslices),
        "RatioTimeslices" => Some(Method::RatioTimeslices),
        _ => None,
    })
}

/// What an item of `objectives` says. What has a mistake is present without a value.
struct Row {
    at: Place,
    target: Option<(f64, Place)>,
    op: Option<(Option<Op>, Place)>,
    value: Option<(Option<f64>, Place)>,
    slice_target: Option<(Option<f64>, Place)>,
    slice: Option<(Option<Span>, Place)>,
}

/// `objectives`: a list of exactly one.
fn row(page: &mut Page, node: &Node) -> Option<Row> {
    let items = page.items(node)?;
    let rows: Vec<Option<Row>> = items.iter().map(|item| objective(page, item)).collect();
    if items.len() > 1 {
        page.wrong(node.at, format!("objectives has {} items, exactly 1 allowed: write one SLO for each", items.len()));
        return None;
    }
    rows.into_iter().next()?
}

/// Each of them makes an SLO a composite of several.
const COMPOSITE: [&str; 3] = ["indicator", "indicatorRef", "compositeWeight"];

fn objective(page: &mut Page, node: &Node) -> Option<Row> {
    const KEYS: &[&str] = &[
        "displayName",
        "op",
        "value",
        "target",
        "targetPercent",
        "timeSliceTarget",
        "timeSliceWindow",
        COMPOSITE[0],
        COMPOSITE[1],
        COMPOSITE[2],
    ];
    let table = page.table(node, "an objective", KEYS)?;
    for node in COMPOSITE.iter().filter_map(|key| table.get(key)) {
        page.wrong(node.at, "composite objectives are not supported: an SLO has one indicator, in its `spec`");
    }
    page.maybe(table, "displayName", metadata::prose);
    fn placed<T>(
        page: &mut Page,
        table: Table<'_>,
        key: &str,
        read: impl FnOnce(&mut Page, &Node) -> Option<T>,
    ) -> Option<(Option<T>, Place)> {
        table.get(key).map(|node| (read(page, node), node.at))
    }
    Some(Row {
        at: table.at,
        target: target(page, table),
        op: placed(page, table, "op", |page, node| page.word(node, Op::WORDS, Op::from_word)),
        value: placed(page, table, "value", Page::number),
        slice_target: placed(page, table, "timeSliceTarget", slice_target),
        slice: placed(page, table, "timeSliceWindow", time::slice),
    })
}

/// `target` or `targetPercent`.
fn target(page: &mut Page, table: Table<'_>) -> Option<(f64, Place)> {
    let (node, most) = match (table.get("target"), table.get("targetPercent")) {
        (Some(node), None) => (node, 1.0),
        (None, Some(node)) => (node, 100.0),
        (both, _) => {
            let wrong = if both.is_some() { "both stand" } else { "neither stands" };
            page.wrong(table.at, format!("an objective has exactly one of `target` and `targetPercent`: {wrong} here"));
            return None;
        }
    };
    let number = page.number(node)?;
    if (0.0..most).contains(&number) {
        if number == 0.0 {
            page.warn(node.at, "a target of 0 is always met: nothing is ever said about it");
        }
        // Without the noise of the division.
        return Some(((number / most * 1e9).round() / 1e9, node.at));
    }
    let wrong = match (most == 1.0, number) {
        (true, number) if number > 1.0 => format!("a target of {number} looks like a percent: use `targetPercent`"),
        (_, number) if number == most => "a target of 100 % leaves no error budget".to_owned(),
        (true, _) => format!("expected a share from 0 up to but not 1, found `{number}`"),
        (false, _) => format!("expected a percentage from 0 up to but not 100, found `{number}`"),
    };
    page.wrong(node.at, wrong);
    None
}

fn slice_target(page: &mut Page, node: &Node) -> Option<f64> {
    let target = page.number(node)?;
    if target > 0.0 && target <= 1.0 { Some(target) } else { page.expected(node, "a share above 0 and up to 1") }
}

/// A threshold takes its limit from the objective, and is only known slice by slice.
fn with_limit(page: &mut Page, indicator: Indicator, row: &Row, method: Option<Method>) -> Option<Indicator> {
    let Indicator::Prometheus(Queries::Threshold { query, .. }) = indicator else {
        for (key, at) in [("op", row.op.map(|op| op.1)), ("value", row.value.map(|value| value.1))] {
            if let Some(at) = at {
                page.wrong(at, format!("`{key}` belongs to a `thresholdMetric`, and the indicator is a ratio"));
            }
        }
        return Some(indicator);
    };
    for (key, is_there) in [("op", row.op.is_some()), ("value", row.value.is_some())] {
        if !is_there {
            page.wrong(row.at, format!("`{key}` is missing: the indicator is a `thresholdMetric`"));
        }
    }
    if method.is_some_and(|method| method != Method::Timeslices) {
        page.wrong(row.at, "a `thresholdMetric` is good or bad slice by slice: `budgetingMethod: Timeslices`");
        return None;
    }
    Some(Indicator::Prometheus(Queries::Threshold { query, op: row.op?.0?, limit: row.value?.0? }))
}

/// The method with what it needs of the objective, and nothing else.
fn budgeting(page: &mut Page, method: Method, row: &Row, notes: &Notes) -> Option<Budgeting> {
    let said = [
        ("`timeSliceTarget`", row.slice_target.map(|it| it.1), method == Method::Timeslices, true),
        ("`timeSliceWindow`", row.slice.map(|it| it.1), method != Method::Occurrences, true),
        ("the annotation `wherefore.dev/empty-slice`", notes.empty.map(|it| it.1), method == Method::Timeslices, false),
    ];
    for (what, at, belongs, needed) in said {
        match at {
            Some(at) if !belongs => page.wrong(at, format!("{what} means nothing to budgetingMethod {method:?}")),
            None if belongs && needed => {
                page.wrong(row.at, format!("{what} is missing: budgetingMethod {method:?} needs it"))
            }
            _ => {}
        }
    }
    Some(match method {
        Method::Occurrences => Budgeting::Occurrences,
        Method::RatioTimeslices => Budgeting::RatioTimeslices { slice: row.slice?.0? },
        Method::Timeslices => Budgeting::Timeslices {
            target: row.slice_target?.0?,
            slice: row.slice?.0?,
            empty: notes.empty.map(|(empty, _)| empty).unwrap_or_default(),
        },
    })
}

/// Slices fill a window: a rolling one as a whole, one of a calendar day by day.
fn check_slice(page: &mut Page, row: &Row, budgeting: &Budgeting, window: &Window, indicator: &Indicator) {
    let (Budgeting::Timeslices { slice, .. } | Budgeting::RatioTimeslices { slice }) = budgeting else { return };
    let at = row.slice.map_or(row.at, |(_, at)| at);
    let (whole, what) = match window {
        Window::Rolling(length) => (*length, "the window"),
        Window::Calendar(_) => (Span::days(1), "a day of the calendar"),
    };
    if slice.0 == 0 || whole.0 % slice.0 != 0 {
        page.wrong(at, format!("slices of this length do not divide {what}"));
    }
    let in_process = matches!(indicator, Indicator::Wherefore { .. });
    if in_process && slice.0 % SLICE.0 != 0 {
        page.wrong(at, "the ledger counts in slices of 5 minutes: use a multiple of `5m`");
    }
}

/// The objective: what the file says over what the settings of its SLI say.
fn state(page: &mut Page, metadata: Metadata, spec: Spec, notes: &Notes, settings: &[Objective]) -> Option<Stated> {
    let sli = match &spec.indicator {
        Indicator::Wherefore { sli, .. } => *sli,
        Indicator::Prometheus(_) => Sli::IntentAlignment,
    };
    let in_process = matches!(spec.indicator, Indicator::Wherefore { .. });
    let setting = settings.iter().find(|it| in_process && it.sli_of_all() == Some(sli)).cloned();
    let mut from = setting.as_ref().map(Origins::of_settings).unwrap_or_default();
    let base = setting.unwrap_or(Objective::new(sli, spec.target.0, Severity::Page));
    for (aspect, at) in spec.places.into_iter().filter(|(aspect, _)| *aspect != "alerts" || !spec.policies.is_empty()) {
        from.note(aspect, page, at);
    }
    from.note("target", page, spec.target.1);
    from.note("name", page, metadata.at);
    let said = [
        ("severity", notes.severity.map(|it| it.1)),
        ("coverage", notes.min_coverage.map(|it| it.1)),
        ("evidence", notes.evidence.map(|it| it.1)),
        ("empty", notes.empty.map(|it| it.1)),
    ];
    for (aspect, at) in said.into_iter().filter_map(|(aspect, at)| Some((aspect, at?))) {
        from.note(aspect, page, at);
    }
    let loudest = spec.policies.iter().map(|(policy, _)| policy.condition.severity).max();
    let usual = if spec.target.0 == 0.0 { Severity::Info } else { base.severity };
    let objective = Objective {
        name: Cow::Owned(metadata.name.to_string()),
        service: Cow::Owned(spec.service.to_string()),
        description: Cow::Owned(spec.description.as_deref().unwrap_or_default().to_owned()),
        labels: metadata.labels,
        indicator: spec.indicator,
        target: spec.target.0,
        window: spec.window,
        budgeting: spec.budgeting,
        severity: notes.severity.map(|it| it.0).or(loudest).unwrap_or(usual),
        min_coverage: notes.min_coverage.map_or(base.min_coverage, |it| it.0),
        evidence: notes.evidence.map_or(base.evidence, |it| it.0),
        alerting: Alerting::DEFAULT,
    };
    let objective = with_policies(page, objective, spec.policies, spec.target.1)?;
    Some(Stated { objective, from })
}

/// Its alerts, each of which can fire.
fn with_policies(
    page: &mut Page,
    objective: Objective,
    policies: Vec<(AlertPolicy, Place)>,
    target: Place,
) -> Option<Objective> {
    if policies.is_empty() {
        let reachable = check_reachable(&objective);
        return reachable.map_err(|why| page.wrong(target, format!("{why}{HINT}"))).is_ok().then_some(objective);
    }
    let mut all_fire = true;
    for (policy, at) in &policies {
        let alone = Alerting { policies: vec![policy.clone()], ..Alerting::DEFAULT };
        if let Err(why) = check_reachable(&Objective { alerting: alone, ..objective.clone() }) {
            page.wrong(*at, why);
            all_fire = false;
        }
        if policy.condition.lookback > objective.window.length() {
            page.wrong(*at, format!("`lookbackWindow` of `{}` is longer than the window of the budget", policy.name));
            all_fire = false;
        }
    }
    let policies = policies.into_iter().map(|(policy, _)| policy).collect();
    all_fire.then_some(Objective { alerting: Alerting { policies, ..Alerting::DEFAULT }, ..objective })
}

/// What somebody may do whose target is too low for the usual alerts.
const HINT: &str = "; say `wherefore.dev/severity`, or write `alertPolicies`";
