//! From an agent's telemetry to a person and back: the real program receives a forbidden call over OTLP, a real
//! Prometheus scrapes it and evaluates the rules that the program itself writes, a real Alertmanager sends the page,
//! and what the page says leads to the lineage of that very call.
//!
//! ```text
//! agent ─OTLP─► wherefore ◄─scrape─ Prometheus ─alert─► Alertmanager ─webhook─► person
//!                   ▲                                                             │
//!                   └───────────────── the page's link, `wherefore why` ──────────┘
//! ```

use std::path::Path;

use serde_json::{Value, json};
use wherefore::catalogue::{Kind, Metric};
use wherefore::model::Action;

use crate::support::checkers::{accepts, have};
use crate::support::http::{get, get_json};
use crate::support::load::{self, FORBIDDEN, Form, Sender, Stage, Story, Target, logs, traces};
use crate::support::monitoring::{Monitoring, Notified};
use crate::support::process::{Wherefore, command};

/// Quick enough to wait for.
const SETTINGS: &str = "\
times: { grace: 500ms, idle: 2s, ask: 5s, check_within: 2s }
envelopes: [production.yaml]
";
/// An hour is three minutes. Less, and a pause of a busy machine looks like a collector that is gone.
const SCALE: &str = "20";

/// What somebody did that they must not do.
struct Incident {
    /// The rule they broke, as metrics and findings name it.
    rule: String,
    agent: String,
    tool: String,
    /// The trace of the call.
    trace: String,
}

/// Feeds a server: ordinary work, then a forbidden call.
async fn incident(server: &Wherefore) -> Incident {
    let stage = Stage::default();
    stage.target.send_replace(Some(Target { grpc: server.grpc, http: server.http }));
    let mut sender = Sender::new(Form::Grpc);
    for number in [0, 1, 2, 3, 6, 7, 8, 9] {
        for request in Story::new(number).requests() {
            sender.deliver(&stage, &request).await;
        }
    }
    let story = Story::new(10);
    let refused = logs(&[story.decision("a", FORBIDDEN, "deny", "policy")]);
    let done = traces(&[story.tool("b", FORBIDDEN, json!({})), story.root()]);
    for request in [traces(&[story.proposal(FORBIDDEN, &["a"])]), refused, done] {
        sender.deliver(&stage, &request).await;
    }
    Incident {
        rule: "envelope.production.no-purge".to_owned(),
        agent: story.agent(),
        tool: FORBIDDEN.to_owned(),
        trace: story.trace().to_owned(),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_forbidden_call_reaches_a_person_who_finds_out_why() {
    let home = tempfile::tempdir().expect("a temporary directory");
    let home = home.path();
    std::fs::write(home.join("production.yaml"), load::ENVELOPE).expect("the envelope is written");
    let server = Wherefore::start(home, SETTINGS).await;
    let rules = generated_rules(home, &server);
    let Some(monitoring) = Monitoring::start(server.query, &rules).await else { return };
    monitoring.sink.firing("watchdog", &[("alertname", "WhereforeWatchdog")]).await;

    let incident = incident(&server).await;
    let page = monitoring.sink.firing("pager", &[("alertname", "WhereforeForbiddenCall")]).await;
    assert_eq!((page.label("rule"), page.label("agent")), (&*incident.rule, &*incident.agent));
    follow_the_link(&server, &page, &incident).await;
    follow_an_exemplar(&server, &monitoring, &incident).await;
    promtool_accepts_a_scrape(&server).await;
    nothing_goes_back_over_a_restart(home, server, &monitoring).await;
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

/// The page's link answers with the call, and `why` explains it.
async fn follow_the_link(server: &Wherefore, page: &Notified, incident: &Incident) {
    let mut answer = get_json(page.annotation("link")).await;
    let actions: Vec<Action> = serde_json::from_value(answer["actions"].take()).expect("actions");
    let [action] = <[Action; 1]>::try_from(actions).expect("the one forbidden call");
    assert_eq!(action.tool_label(), incident.tool);
    assert_eq!(action.trace().map(|(trace, _)| trace.to_string()).as_ref(), Some(&incident.trace));
    explained(server, &action.id.to_string(), incident);
}

fn explained(server: &Wherefore, alias: &str, incident: &Incident) {
    let why = said(&["why", alias, "--server", &server.url("")]);
    for word in [&incident.tool, &incident.rule, &incident.trace] {
        assert!(why.contains(word), "`why {alias}` does not say `{word}`:\n{why}");
    }
}

/// Prometheus kept an exemplar of the violation, and its trace is an alias of the call.
async fn follow_an_exemplar(server: &Wherefore, monitoring: &Monitoring, incident: &Incident) {
    let exemplar = monitoring.exemplar(&Metric::InvariantViolations.series()).await;
    let trace = exemplar["labels"]["trace_id"].as_str().expect("a trace id");
    assert_eq!(trace, incident.trace);
    explained(server, trace, incident);
    let span = exemplar["labels"]["span_id"].as_str().expect("a span id");
    explained(server, &format!("{trace}/{span}"), incident);
}

/// Prometheus took the OpenMetrics form; this is what everything else reads.
async fn promtool_accepts_a_scrape(server: &Wherefore) {
    let (status, body) = get(&server.url("/metrics")).await.expect("the server answers");
    let text = String::from_utf8(body.to_vec()).expect("an exposition is UTF-8");
    assert_eq!(status, 200, "{text}");
    if have("promtool") {
        accepts("promtool", &["check", "metrics"], &text);
    }
}

/// The process is killed and starts again. In Prometheus no counter of the engine was reset.
async fn nothing_goes_back_over_a_restart(home: &Path, server: Wherefore, monitoring: &Monitoring) {
    let resets = async |metric: &Metric| -> f64 {
        let found = monitoring.query(&format!("sum(resets({}[1h]))", metric.series())).await;
        let value = |found: &Value| found["value"][1].as_str().and_then(|value| value.parse::<f64>().ok());
        found.iter().map(|found| value(found).expect("a number")).sum()
    };
    // What is counted since the start was scraped before the end, so that its reset can be seen.
    monitoring.until(&format!("{} > 0", Metric::ReceivedRecords.series())).await;
    let query = server.query;
    server.kill();
    let server = Wherefore::start_again(home, query, SETTINGS).await;
    monitoring.until(&format!("changes({}[1h]) > 0", Metric::StartTime.series())).await;
    let counters = Metric::ALL.iter().filter(|metric| metric.def().kind == Kind::Counter);
    for metric in counters.filter(|metric| !metric.begins_with_process()) {
        assert_eq!(resets(metric).await, 0.0, "{metric:?}");
    }
    assert!(resets(&Metric::ReceivedRecords).await > 0.0, "a reset would have been seen");
    drop(server);
}
