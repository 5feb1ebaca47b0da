//! A start after a long time, or with another configuration: what was open stays open and judged as it began.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use serde_json::{Value, json};
use wherefore::config::{Checkpoint, Config};
use wherefore::journal::{Entry, Journal, Options, Receipt};
use wherefore::model::{Lineage, Nanos, Role, Signal, Span, Tenant};
use wherefore::pipeline::{Fold, Settings, Written};

use crate::support::http::{get, get_json};
use crate::support::load::{self, FORBIDDEN, Form, Request, Sender, Stage, Story, Target, logs, traces};
use crate::support::monitoring::eventually;
use crate::support::process::Wherefore;

/// Sends one request and waits until it is acknowledged.
async fn send(server: &Wherefore, request: &Request) {
    let stage = Stage::default();
    stage.target.send_replace(Some(Target { grpc: server.grpc, http: server.http }));
    Sender::new(Form::Protobuf).deliver(&stage, request).await;
}

/// The one lineage of an alias.
async fn lineage(server: &Wherefore, alias: &str) -> Option<Lineage> {
    let url = server.url(&format!("/api/v1/actions/{alias}"));
    let (200, body) = get(&url).await.expect("the server answers") else { return None };
    let mut found: Value = serde_json::from_slice(&body).expect("an answer is JSON");
    let lineages: Vec<Lineage> = serde_json::from_value(found["lineages"].take()).expect("lineages");
    let [lineage] = <[Lineage; 1]>::try_from(lineages).expect("one action");
    Some(lineage)
}

// ── a day later ──────────────────────────────────────────────────────────────────────────────────────────────────

/// An ask may stay open for thirty hours.
const PATIENT: &str = "times: { ask: 30h }";
/// Requests of other agents, an hour of them in every hundred.
const TRAFFIC: u64 = 2_400;
/// Requests after the last checkpoint.
const TAIL: u64 = 40;

/// The clock of the journal of the past.
static CLOCK: AtomicU64 = AtomicU64::new(0);

fn clock() -> Nanos {
    Nanos(CLOCK.load(Ordering::Acquire))
}

/// An agent asks; for 24 hours of traffic nobody answers; then the process is down for 7 hours. By the wall clock the
/// ask would have expired an hour ago. It is open, it is found, the start folds the tail of the journal alone, and
/// the answer resolves it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_ask_of_yesterday_is_open_and_a_start_folds_only_what_no_checkpoint_has() {
    let home = tempfile::tempdir().expect("a temporary directory");
    let data = home.path().join("data");
    let wall = Story::new(0).at();
    let begins = wall - Span::hours(31);
    let asks = Story::begins(1_000_000, begins);
    // On a thread that may block.
    let lived = std::thread::scope(|scope| scope.spawn(|| live_through_a_day(&data, &asks, begins)).join());
    lived.expect("a day goes by");

    let server = Wherefore::start(home.path(), PATIENT).await;
    let caught_up = server.logged("caught up with the journal").expect("it says that it has caught up");
    let (folded, frames) = (caught_up["frames"].as_u64(), caught_up["sequence"].as_u64());
    assert_eq!(folded, Some(TAIL + 2), "the tail, the restart and the configuration");
    assert!(frames > Some(TRAFFIC), "{frames:?}");

    let call = asks.call("a");
    let open = lineage(&server, &call).await.expect("the open ask is found");
    assert_eq!((open.action.state.as_str(), open.settled), ("asked", false));
    let listed = get_json(&server.url("/api/v1/actions?settled=false&state=asked")).await;
    assert_eq!(listed["actions"].as_array().map(Vec::len), Some(1), "{listed:#}");

    let answers = asks.later(wall);
    send(&server, &logs(&[answers.decision("a", "look_up", "allow", "human")])).await;
    send(&server, &traces(&[answers.tool("a", "look_up", json!({})), answers.root()])).await;
    let answered = eventually("the action runs", async || {
        lineage(&server, &call).await.filter(|lineage| lineage.action.state.as_str() == "executed")
    })
    .await;
    assert_eq!(answered.action.decisions.len(), 2, "{:#?}", answered.action.decisions);
}

/// Writes the past: the ask, a day of traffic, a checkpoint, and a little more that no checkpoint has.
fn live_through_a_day(data: &Path, asks: &Story, begins: Nanos) {
    let options = Options { clock, ..Options::default() };
    CLOCK.store(begins.0, Ordering::Release);
    let (journal, _) = Journal::open(&data.join("journal"), options).expect("a new journal");
    let journal = Arc::new(journal);
    let constants = Config::parse("wherefore.yaml", PATIENT, Path::new("")).expect("settings").constants;
    let written =
        Written { constants, envelopes: Vec::new(), learning: false, slos: Vec::new(), objectives: Vec::new() };
    let settings = Settings { memory: 1 << 20, disk: 1 << 30, checkpoint: Checkpoint::default() };
    let fold = Fold::start(journal.clone(), &data.join("store"), &written, settings).expect("a new store");
    append(&journal, &traces(&[asks.proposal("look_up", &["a"])]));
    append(&journal, &logs(&[asks.decision("a", "look_up", "ask", "policy")]));
    let step = Span(Span::hours(24).0 / TRAFFIC);
    for number in 0..TRAFFIC {
        let now = CLOCK.fetch_add(step.0, Ordering::AcqRel) + step.0;
        append(&journal, &traces(&[Story::begins(number, Nanos(now)).root()]));
    }
    fold.stop().expect("the day is folded");
    for number in TRAFFIC..TRAFFIC + TAIL {
        append(&journal, &traces(&[Story::begins(number, clock()).root()]));
    }
}

fn append(journal: &Journal, request: &Request) {
    let (tenant, role, body) = (Tenant::default(), Role::default(), request.protobuf.clone());
    let entry = match request.signal {
        Signal::Logs => Entry::logs(tenant, role, 1, body),
        Signal::Traces | Signal::Metrics => Entry::traces(tenant, role, 1, body),
    };
    journal.try_append(entry).and_then(Receipt::wait).expect("the journal takes it");
}

// ── another configuration ────────────────────────────────────────────────────────────────────────────────────────

/// What began under an envelope is judged by it, though the process ended in between, and the next one was told
/// something else.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_action_is_judged_by_what_was_in_force_when_it_began() {
    const SETTINGS: &str = "envelopes: [production.yaml]";
    let home = tempfile::tempdir().expect("a temporary directory");
    let envelope = home.path().join("production.yaml");
    std::fs::write(&envelope, load::ENVELOPE).expect("the envelope is written");
    let (before, after) = (Story::new(1), Story::new(2));
    let server = Wherefore::start(home.path(), SETTINGS).await;
    send(&server, &traces(&[before.proposal(FORBIDDEN, &["a"])])).await;
    server.kill();

    // Whatever killed it also lost its patience with the rule.
    std::fs::write(&envelope, load::ENVELOPE.replace("purge_*", "sing_*")).expect("the envelope is written");
    let server = Wherefore::start(home.path(), SETTINGS).await;
    for story in [&before, &after] {
        send(&server, &traces(&[story.tool("a", FORBIDDEN, json!({})), story.root()])).await;
    }
    let rules = async |story: &Story| {
        let ran = eventually("the call ran", async || {
            lineage(&server, &story.call("a")).await.filter(|lineage| lineage.action.state.as_str() == "executed")
        });
        let action = ran.await.action;
        (action.findings.iter().map(|finding| finding.rule.to_string()).collect::<Vec<_>>(), action.judged_by)
    };
    let (old, new) = (rules(&before).await, rules(&after).await);
    assert_eq!(old.0, ["envelope.production.no-purge"]);
    assert!(new.0.is_empty(), "{new:?}");
    assert_ne!(old.1, new.1, "each names the configuration that judged it");
}

/// While requests come, its envelopes change twice: the second time to what is no envelope, which changes nothing.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reload_changes_what_begins_after_it_and_a_mistake_changes_nothing() {
    const SETTINGS: &str = "envelopes: [production.yaml]\ntimes: { grace: 100ms, idle: 1s, ask: 2s }";
    let home = tempfile::tempdir().expect("a temporary directory");
    let envelope = home.path().join("production.yaml");
    let write = |text: &str| std::fs::write(&envelope, text).expect("the envelope is written");
    write(load::ENVELOPE);
    let server = Wherefore::start(home.path(), SETTINGS).await;
    let told = async |story: &Story| {
        send(&server, &traces(&[story.tool("a", FORBIDDEN, json!({})), story.root()])).await;
        let settled = async || lineage(&server, &story.call("a")).await.filter(|lineage| lineage.settled);
        let action = eventually("the call settles", settled).await.action;
        (action.findings.iter().map(|finding| finding.rule.to_string()).collect::<Vec<_>>(), action.judged_by)
    };
    let first = told(&Story::new(1)).await;
    assert!(first.0.contains(&"envelope.production.no-purge".to_owned()), "{first:?}");

    write(&load::ENVELOPE.replace("purge_*", "sing_*"));
    server.hang_up();
    eventually("it reloads", async || server.logged("reloaded: what begins now is judged by it")).await;
    let second = told(&Story::new(2)).await;
    assert!(second.0.is_empty() && second.1 != first.1, "{second:?}");
    let again = lineage(&server, &Story::new(1).call("a")).await.expect("it is there").action;
    assert_eq!(again.judged_by, first.1, "what has begun keeps what it began with");
    assert!(again.findings.iter().any(|finding| &*finding.rule == "envelope.production.no-purge"));

    write("envelope: production\nforbidd: []\n");
    server.hang_up();
    let said = eventually("it says why not", async || server.logged("not reloaded: what was in force stays")).await;
    assert!(said.to_string().contains("did you mean `forbid`"), "{said}");
    assert_eq!(told(&Story::new(3)).await.1, second.1);
}
