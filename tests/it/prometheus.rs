//! From samples to a page: a stand-in for the running program serves the exposition to a real Prometheus, whose alerts
//! reach a sink through a real Alertmanager. What the program itself counts is not looked at here.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::{SystemTime, UNIX_EPOCH};

use wherefore::catalogue::{Exemplar, Kind, Metric, Sample, SampleValue};
use wherefore::export::{exposition, negotiate};
use wherefore::model::{Nanos, Sli, SpanId, TraceId, Value};
use wherefore::rules::{Options, dashboards, prometheus_rules};
use wherefore::slo::Objective;

use crate::rules_dashboard::queries;
use crate::support::http::Server;
use crate::support::monitoring::{Monitoring, eventually};

/// An agent whose name must survive templates, links and Alertmanager.
const AGENT: &str = "ops & \"co\"";
/// An hour is three minutes. Less, and a pause of a busy machine looks like a collector that is gone.
const SCALE: u32 = 20;
const RULE: &str = "envelope.prod.no_delete";
const TRACE: TraceId = TraceId([0xab; 16]);

/// What the stand-in counts. Good actions grow by themselves, ten a scrape.
#[derive(Default)]
struct Counts {
    scrapes: u64,
    bad_intents: u64,
    /// By agent: (name, calls).
    forbidden: Vec<(&'static str, u64)>,
}

type Shared = Arc<Mutex<Counts>>;

fn now() -> Nanos {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).expect("the clock is past 1970");
    Nanos(u64::try_from(since.as_nanos()).expect("the clock is before 2554"))
}

/// Every metric of the catalogue, healthy, with the counts in place.
fn samples(counts: &Counts) -> Vec<Sample> {
    let exemplar = Exemplar { trace: TRACE, span: SpanId([0xcd; 8]), at: now() };
    let counter = |value| SampleValue::Counter(value, (value > 0).then_some(exemplar));
    let mut all: Vec<Sample> = Metric::ALL.iter().flat_map(|&metric| healthy(metric, counts.scrapes)).collect();
    for &sli in Sli::ALL {
        let bad = if sli == Sli::IntentAlignment { counts.bad_intents } else { 0 };
        for (verdict, value) in [(Value::Good, 10 * counts.scrapes), (Value::Bad, bad), (Value::Unknown, 0)] {
            let labels = ["acme", sli.as_str(), AGENT, verdict.as_str()];
            all.push(Sample::new(Metric::SliEvents, labels, counter(value)));
            all.push(Sample::new(Metric::LedgerEvents, labels, SampleValue::Gauge(value as f64)));
        }
    }
    for &(agent, calls) in &counts.forbidden {
        all.push(Sample::new(Metric::InvariantViolations, ["acme", agent, RULE], counter(calls)));
    }
    all
}

/// One series of a metric as it looks when all is well; none for those that the test counts itself.
fn healthy(metric: Metric, scrapes: u64) -> Option<Sample> {
    let def = metric.def();
    let labels = def.labels.iter().map(|&label| match label {
        "tenant" => "acme",
        "agent" => AGENT,
        "state" if metric == Metric::LineageFields => "present",
        other => other,
    });
    let value = match (metric, def.kind) {
        (Metric::SliEvents | Metric::LedgerEvents | Metric::InvariantViolations, _) => return None,
        (Metric::RefusedRequests | Metric::UnreadRecords | Metric::CardinalityOverflow, _)
        | (Metric::TelemetryRegressions, _) => SampleValue::Counter(0, None),
        (Metric::LastEvidence | Metric::StartTime, _) => SampleValue::Gauge(now().as_seconds()),
        (Metric::DiskFullSeconds, _) => SampleValue::Gauge(f64::INFINITY),
        (Metric::BuildInfo | Metric::CoverageRatio, _) => SampleValue::Gauge(1.0),
        (_, Kind::Counter) => SampleValue::Counter(scrapes, None),
        (_, Kind::Gauge | Kind::Info) => SampleValue::Gauge(0.0),
        (_, Kind::Histogram) => {
            SampleValue::Histogram { buckets: vec![(0.1, scrapes), (f64::INFINITY, 2 * scrapes)], sum: scrapes as f64 }
        }
    };
    Some(Sample::new(metric, labels, value))
}

/// Serves `/metrics` as the program does.
async fn stand_in(counts: Shared) -> Server {
    let metrics = move |headers: axum::http::HeaderMap| {
        let format = negotiate(headers.get("accept").and_then(|accept| accept.to_str().ok()));
        let mut counts = counts.lock().expect("no panic under the lock");
        counts.scrapes += 1;
        std::future::ready(([("content-type", format.content_type())], exposition(&samples(&counts), format)))
    };
    Server::start(axum::Router::new().route("/metrics", axum::routing::get(metrics))).await
}

/// Waits for so many more scrapes.
async fn scrapes(counts: &Shared, more: u64) {
    let seen = || counts.lock().expect("no panic under the lock").scrapes;
    let from = seen();
    eventually("scrapes", async || (seen() >= from + more).then_some(())).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_forbidden_call_reaches_a_person_and_nothing_else_does() {
    let counts = Shared::default();
    counts.lock().expect("not poisoned").forbidden.push((AGENT, 0));
    let target = stand_in(counts.clone()).await;
    let options = Options { window_scale: SCALE, external_url: target.url("") };
    let rules = prometheus_rules(&Objective::DEFAULTS, &options).expect("the defaults are reachable");
    let Some(monitoring) = Monitoring::start(target.address, &rules).await else { return };
    let sink = &monitoring.sink;

    // All is well: the watchdog proves that the way is open, and nobody is told anything.
    sink.firing("watchdog", &[("alertname", "WhereforeWatchdog")]).await;
    monitoring.until("slo:sli_error:ratio_rate1h{slo=\"intent_alignment\",agent=\"_all\"}").await;
    scrapes(&counts, 10).await;
    assert_eq!(monitoring.query("up").await[0]["value"][1], "1");
    let told: Vec<_> = sink.all().into_iter().filter(|notified| notified.receiver != "watchdog").collect();
    assert!(told.is_empty(), "{told:#?}");

    // The first call of an agent that was counted before, and of one that nobody had seen.
    counts.lock().expect("not poisoned").forbidden = vec![(AGENT, 1), ("newcomer", 1)];
    let page = sink.firing("pager", &[("alertname", "WhereforeForbiddenCall"), ("agent", AGENT)]).await;
    for (label, value) in [("tenant", "acme"), ("rule", RULE), ("severity", "page"), ("slo", "forbidden_call")] {
        assert_eq!(page.label(label), value);
    }
    assert_eq!(
        page.annotation("link"),
        target.url(&format!("/api/v1/actions?finding=open&rule={RULE}&tenant=acme&agent=ops+%26+%22co%22"))
    );
    assert_eq!(page.annotation("runbook"), "docs/runbooks/WhereforeForbiddenCall.md");
    sink.firing("pager", &[("alertname", "WhereforeForbiddenCall"), ("agent", "newcomer")]).await;

    // The trace that was counted comes back, with both ids.
    let exemplars = eventually("exemplars", async || {
        Some(monitoring.exemplars(&Metric::InvariantViolations.series()).await).filter(|found| !found.is_empty())
    })
    .await;
    assert_eq!(exemplars[0]["labels"]["trace_id"], TRACE.to_string());
    assert_eq!(exemplars[0]["labels"]["span_id"], "cdcdcdcdcdcdcdcd");

    let paged: BTreeSet<String> = sink.of("pager").iter().map(|page| page.label("alertname").to_owned()).collect();
    assert_eq!(paged, BTreeSet::from(["WhereforeForbiddenCall".to_owned()]));
    assert!(sink.of("tickets").is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_burning_budget_pages_for_the_agent_and_not_again_for_all() {
    let counts = Shared::default();
    let target = stand_in(counts.clone()).await;
    let options = Options { window_scale: SCALE, external_url: target.url("") };
    let rules = prometheus_rules(&Objective::DEFAULTS, &options).expect("the defaults are reachable");
    let Some(monitoring) = Monitoring::start(target.address, &rules).await else { return };
    let sink = &monitoring.sink;
    scrapes(&counts, 10).await;

    // Twice as many bad intents as good ones, from now on.
    let labels = [("alertname", "WhereforeErrorBudgetBurn"), ("severity", "page"), ("agent", AGENT)];
    let burn = async {
        loop {
            counts.lock().expect("not poisoned").bad_intents += 20;
            scrapes(&counts, 1).await;
        }
    };
    let page = tokio::select! {
        page = sink.firing("pager", &labels) => page,
        () = burn => unreachable!("it burns for ever"),
    };
    assert_eq!(page.label("slo"), "intent_alignment");
    let link = target.url("/api/v1/actions?sli=intent_alignment&verdict=bad&tenant=acme&agent=ops+%26+%22co%22");
    assert_eq!(page.annotation("link"), link);

    // The fleet burns too, but the page that names the agent has said so.
    monitoring.until("ALERTS{alertname=\"WhereforeErrorBudgetBurn\",agent=\"_all\",severity=\"page\"}").await;
    scrapes(&counts, 5).await;
    let agents: BTreeSet<String> = sink.of("pager").iter().map(|page| page.label("agent").to_owned()).collect();
    assert_eq!(agents, BTreeSet::from([AGENT.to_owned()]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_query_of_the_dashboards_has_an_answer() {
    let counts = Shared::default();
    counts.lock().expect("not poisoned").forbidden.push((AGENT, 1));
    let target = stand_in(counts.clone()).await;
    let options = Options { window_scale: SCALE, external_url: target.url("") };
    let rules = prometheus_rules(&Objective::DEFAULTS, &options).expect("the defaults are reachable");
    let Some(monitoring) = Monitoring::start(target.address, &rules).await else { return };
    monitoring.until("slo:period_error_budget_remaining:ratio{agent=\"_all\"}").await;
    monitoring.until("ALERTS{alertstate=\"firing\",severity=\"page\"}").await;
    scrapes(&counts, 5).await;

    for (name, dashboard) in dashboards(&Objective::DEFAULTS, &options) {
        for query in queries(&dashboard) {
            let filled = query
                .replace("$__rate_interval", "30s")
                .replace("$__range", "1m")
                .replace("$tenant", ".*")
                .replace("$agent", ".*");
            assert!(!filled.contains('$'), "{name}: a variable is left in {filled}");
            assert!(!monitoring.query(&filled).await.is_empty(), "{name}: {filled} has no answer");
        }
    }
}
