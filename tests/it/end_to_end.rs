//! From an agent's telemetry to a person and back: the real program receives the demo's recording over OTLP, a real
//! Prometheus scrapes it and evaluates the rules that the program itself writes, a real Alertmanager sends the page,
//! and what the page says leads to the lineage of the destructive call.
//!
//! ```text
//! agents ─OTLP─► wherefore ◄─scrape─ Prometheus ─alert─► Alertmanager ─webhook─► person
//!                    ▲                                                             │
//!                    └───────────────── the page's link, `wherefore why` ──────────┘
//! ```

use std::path::Path;

use serde_json::Value;
use wherefore::catalogue::{Kind, Metric};
use wherefore::cli::demo;
use wherefore::model::{Action, Nanos};
use wherefore::pipeline::wall;

use crate::demo::{RULE, TOTALS};
use crate::support::checkers::{accepts, have};
use crate::support::http::{get, get_json};
use crate::support::monitoring::{Monitoring, Notified, eventually};
use crate::support::process::{Wherefore, command};

/// An hour is three minutes. Less, and a pause of a busy machine looks like a collector that is gone.
const SCALE: &str = "20";
const AGENT: &str = "ops-agent";
const TOOL: &str = "delete_records";

/// The demo's envelopes and tokens as files, and the settings that name them and its short waits.
fn settings(home: &Path) -> String {
    let write = |name: &str, text: &str| std::fs::write(home.join(name), text).expect("a file of the demo is written");
    let envelopes = demo::envelopes();
    envelopes.iter().for_each(|(name, text)| write(name, text));
    write("tokens.yaml", demo::tokens());
    let names: Vec<&str> = envelopes.iter().map(|(name, _)| &**name).collect();
    let waits = demo::constants();
    let [grace, idle, ask, check, contain] =
        [waits.grace, waits.idle, waits.ask, waits.check_within, waits.contain_within]
            .map(|wait| format!("{}ms", wait.0 / 1_000_000));
    format!(
        "times: {{ grace: {grace}, idle: {idle}, ask: {ask}, check_within: {check},\n         contain_within: {contain} }}\n\
         envelopes: [{}]\ntokens: tokens.yaml\n",
        names.join(", ")
    )
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_incident_of_the_demo_reaches_a_person_who_finds_out_why() {
    let home = tempfile::tempdir().expect("a temporary directory");
    let home = home.path();
    let settings = settings(home);
    let server = Wherefore::start(home, &settings).await;
    let rules = generated_rules(home, &server);
    let Some(monitoring) = Monitoring::start(server.query, &rules).await else { return };
    monitoring.sink.firing("watchdog", &[("alertname", "WhereforeWatchdog")]).await;

    let begin: Nanos = wall();
    demo::play(server.http, begin, begin.0).await.expect("every request is accepted");
    let page = monitoring.sink.firing("pager", &[("alertname", "WhereforeForbiddenCall")]).await;
    assert_eq!((page.label("rule"), page.label("agent")), (RULE, AGENT));
    let trace = follow_the_link(&server, &page).await;
    follow_an_exemplar(&server, &monitoring, &trace).await;
    scrape_holds_the_totals(&server).await;
    nothing_goes_back_over_a_restart(home, &settings, server, &monitoring).await;
}

/// The rules that this server's operator would install.
fn generated_rules(home: &Path, server: &Wherefore) -> String {
    let config = home.join("rules.yaml");
    std::fs::write(&config, format!("external_url: {}\n", server.url(""))).expect("the configuration is written");
    let args = ["slo", "generate", "--window-scale", SCALE, "--config", &config.to_string_lossy()];
    said(&args)
}

/// What a command says that has to succeed.
fn said(args: &[&str]) -> String {
    let output = command(args);
    assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("commands speak UTF-8")
}

/// The page's link answers with the call, and `why` explains it. Returns its trace.
async fn follow_the_link(server: &Wherefore, page: &Notified) -> String {
    let mut answer = get_json(page.annotation("link")).await;
    let actions: Vec<Action> = serde_json::from_value(answer["actions"].take()).expect("actions");
    let [action] = <[Action; 1]>::try_from(actions).expect("the one forbidden call");
    assert_eq!(action.tool_label(), TOOL);
    explained(server, &action.id.to_string());
    action.trace().expect("a call that ran has a span").0.to_string()
}

/// `why` says what was asked, what was refused, what ran, what is missing, and what was wrong.
fn explained(server: &Wherefore, alias: &str) {
    let why = said(&["why", alias, "--server", &server.url("")]);
    for words in
        ["CODE FREEZE", "refused by policy", "{\"deleted\":1206}", "withheld", "row_count_unchanged", TOOL, RULE]
    {
        assert!(why.contains(words), "`why {alias}` does not say `{words}`:\n{why}");
    }
}

/// Prometheus kept an exemplar of the violation, and its trace and span are an alias of the call.
async fn follow_an_exemplar(server: &Wherefore, monitoring: &Monitoring, trace: &str) {
    let exemplar = monitoring.exemplar(&Metric::InvariantViolations.series()).await;
    assert_eq!(exemplar["labels"]["trace_id"], trace);
    let span = exemplar["labels"]["span_id"].as_str().expect("a span id");
    explained(server, &format!("{trace}/{span}"));
}

/// What is scraped comes to the totals of the story, is accepted by promtool, and stays as it is.
async fn scrape_holds_the_totals(server: &Wherefore) {
    let judged: u64 = TOTALS.iter().flat_map(|(_, _, counts)| counts).sum();
    let text = eventually("every verdict is counted", async || {
        let text = scraped(server).await;
        (values(&text, "").iter().sum::<u64>() >= judged).then_some(text)
    })
    .await;
    for (agent, sli, [good, bad, unknown]) in TOTALS {
        for (value, want) in [("good", good), ("bad", bad), ("unknown", unknown)] {
            let labels = format!(r#"sli="{sli}",agent="{agent}",verdict="{value}"}}"#);
            assert_eq!(values(&text, &labels), [*want], "{labels}\n{text}");
        }
    }
    if have("promtool") {
        accepts("promtool", &["check", "metrics"], &text);
    }
}

/// The exposition that is not OpenMetrics; Prometheus took that one.
async fn scraped(server: &Wherefore) -> String {
    let (status, body) = get(&server.url("/metrics")).await.expect("the server answers");
    let text = String::from_utf8(body.to_vec()).expect("an exposition is UTF-8");
    assert_eq!(status, 200, "{text}");
    text
}

/// The values of the verdict counters whose line has these labels.
fn values(text: &str, labels: &str) -> Vec<u64> {
    let name = format!("{}{{", Metric::SliEvents.series());
    let lines = text.lines().filter(|line| line.starts_with(&name) && line.contains(labels));
    lines.map(|line| line.rsplit(' ').next().and_then(|value| value.parse().ok()).expect("a count")).collect()
}

/// The process is killed and starts again. In Prometheus no counter of the engine was reset.
async fn nothing_goes_back_over_a_restart(home: &Path, settings: &str, server: Wherefore, monitoring: &Monitoring) {
    let resets = async |metric: &Metric| -> f64 {
        let found = monitoring.query(&format!("sum(resets({}[1h]))", metric.series())).await;
        let value = |found: &Value| found["value"][1].as_str().and_then(|value| value.parse::<f64>().ok());
        found.iter().map(|found| value(found).expect("a number")).sum()
    };
    // What is counted since the start was scraped before the end, so that its reset can be seen.
    monitoring.until(&format!("{} > 0", Metric::ReceivedRecords.series())).await;
    let query = server.query;
    server.kill();
    let server = Wherefore::start_again(home, query, settings).await;
    monitoring.until(&format!("changes({}[1h]) > 0", Metric::StartTime.series())).await;
    let counters = Metric::ALL.iter().filter(|metric| metric.def().kind == Kind::Counter);
    for metric in counters.filter(|metric| !metric.begins_with_process()) {
        assert_eq!(resets(metric).await, 0.0, "{metric:?}");
    }
    assert!(resets(&Metric::ReceivedRecords).await > 0.0, "a reset would have been seen");
    scrape_holds_the_totals(&server).await;
}
