//! The process may end at any moment. What was acknowledged is kept, what was counted is counted once, and in the end
//! everything is what it would have been without an end.
//!
//! The real program is killed under load, again and again, at moments that a seed draws: `WHEREFORE_SEED=… cargo test
//! kill` repeats them, `WHEREFORE_KILLS` says how often. Moments are counted in answers, so a busy machine draws the
//! same ones, but what the disk had done by then differs from run to run.
//! What this does not prove: that the disk keeps what it has synced. A killed process leaves its writes to the system.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::task::JoinSet;
use wherefore::catalogue::{Metric, Sample, SampleValue};
use wherefore::export::{Format, exposition};
use wherefore::model::Action;
use wherefore::store::Store;

use crate::support::differ::{differences, same};
use crate::support::fold::{Follower, Undisturbed, sent_once};
use crate::support::load::{self, Form, Stage, Target};
use crate::support::monitoring::eventually;
use crate::support::process::{Process, Wherefore, command};
use crate::support::random::{Random, seed};
use crate::support::scrape::{actions, openmetrics, scrape, series};

/// Everything is over quickly, checkpoints fall between the kills, and rows leave memory all the time. What is learnt
/// follows the order of processing, and records are compared here that came in another.
const SETTINGS: &str = "\
times: { grace: 100ms, idle: 1s, ask: 3s, check_within: 1s, contain_within: 2s }
checkpoint: { every: 150ms, bytes: 64KiB }
memory: 32KiB
limits: { drain: 200ms }
envelopes: [production.yaml]
learning: false
";

/// How long anything may take before the test fails.
const PATIENCE: Duration = Duration::from_secs(120);

fn kills() -> u64 {
    std::env::var("WHEREFORE_KILLS").ok().and_then(|kills| kills.parse().ok()).unwrap_or(20)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_acknowledged_survives_and_counts_once() {
    let seed = seed();
    println!("seed {seed}");
    let mut random = Random(seed);
    let home = tempfile::tempdir().expect("a temporary directory");
    let home = home.path();
    std::fs::write(home.join("production.yaml"), load::ENVELOPE).expect("the envelope is written");
    let stage = Arc::new(Stage::default());
    let mut clients = JoinSet::new();
    for form in [Form::Protobuf, Form::Json, Form::Grpc, Form::Grpc] {
        clients.spawn(load::client(stage.clone(), form, Random(random.next())));
    }
    let (scraped, target) = tokio::sync::watch::channel(None);
    let scrapes = tokio::spawn(scrape(target));

    for round in 0..kills() {
        let process = Process::begin(home, 0, SETTINGS);
        if random.below(4) == 0 {
            // Before anybody is told that it is there: in the middle of recovery, or before it.
            tokio::time::sleep(Duration::from_millis(random.below(150))).await;
            process.kill();
            continue;
        }
        let server = Wherefore::listening(process).await;
        scraped.send_replace(Some(server.query));
        stage.target.send_replace(Some(Target { grpc: server.grpc, http: server.http }));
        answers(&stage, 1 + random.below(150)).await;
        tokio::time::sleep(Duration::from_micros(random.below(30_000))).await;
        // Mostly at once, sometimes in order.
        if random.below(5) == 0 {
            assert!(server.terminate().await.success(), "it ends in order");
        } else {
            server.kill();
        }
        stage.target.send_replace(None);
        println!("round {round}: {} answers so far", stage.answers.load(Ordering::Acquire));
    }

    let server = Wherefore::start(home, SETTINGS).await;
    scraped.send_replace(Some(server.query));
    stage.target.send_replace(Some(Target { grpc: server.grpc, http: server.http }));
    answers(&stage, 100).await;
    stage.over.store(true, Ordering::Release);
    let told = tokio::time::timeout(PATIENCE, clients.join_all()).await;
    told.expect("the stories that were begun come to their end");

    let journal = home.join("data/journal");
    let mut follower = Follower::open(&journal);
    eventually("every deadline has passed", async || {
        follower.follow();
        follower.run.engine.next_due().is_none().then_some(())
    })
    .await;
    let run = follower.run;

    // Every acknowledged record is in the journal, and nothing that nobody sent.
    let (sent, acknowledged) =
        (stage.sent.lock().expect("not poisoned").clone(), stage.acknowledged.lock().expect("not poisoned").clone());
    assert_eq!(acknowledged.difference(&run.records).count(), 0, "acknowledged and not in the journal");
    assert_eq!(run.records.difference(&sent).count(), 0, "in the journal and never sent");
    println!(
        "{} frames, {} records, {} actions, {} requests without an answer",
        run.frames,
        run.records.len(),
        run.actions.len(),
        stage.unknown.load(Ordering::Acquire)
    );

    // What the process says is what an engine says that never stopped: rows to the byte, counters, ledger.
    same(&listed(&run), &asked(&server).await, "actions");
    let want = exposed(&run);
    eventually("the last snapshot", async || {
        let found = series(&openmetrics(&server).await).collect::<BTreeMap<_, _>>();
        let known = want.keys().filter_map(|name| Some((name.clone(), found.get(name)?.clone()))).collect();
        (want == known).then_some(()).or_else(|| {
            println!("{:#?}", differences(&want, &known));
            None
        })
    })
    .await;
    scraped.send_replace(None);
    drop(scraped);
    println!("{} scrapes", scrapes.await.expect("no counter went down"));
    assert!(server.terminate().await.success(), "it ends in order");
    let opened = Store::open(&home.join("data/store")).expect("the store can be opened");
    assert_eq!(opened.store.applied(), run.frames, "the last checkpoint has every frame");
    let stored =
        opened.ledger.iter().map(|(key, cell)| (format!("{key:?}"), [cell.good, cell.bad, cell.unknown])).collect();
    same(&run.ledger(), &stored, "the stored ledger");

    // The chain holds.
    let verified = command(&["verify", "--data", &home.join("data").to_string_lossy()]);
    assert!(verified.status.success(), "{}", String::from_utf8_lossy(&verified.stderr));

    // And it is what the same requests come to when each is sent once to a process that is never down.
    let once = sent_once(&journal);
    same(&once.by_alias(), &run.by_alias(), "what names resolve to");
    same(&once.ledger(), &run.ledger(), "the ledger");
    same(&totals(&once), &totals(&run), "live totals");
    every_kind_happened(&run);
}

/// Waits for so many more acknowledgements.
async fn answers(stage: &Stage, more: u64) {
    let enough = stage.answers.load(Ordering::Acquire) + more;
    let waited = tokio::time::timeout(PATIENCE, async {
        while stage.answers.load(Ordering::Acquire) < enough {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    });
    waited.await.expect("requests are acknowledged");
}

/// A test of nothing proves nothing: each kind of story left its traces.
fn every_kind_happened(run: &Undisturbed) {
    let mut states: BTreeMap<&str, u64> = BTreeMap::new();
    run.actions.values().for_each(|action| *states.entry(action.state.as_str()).or_default() += 1);
    println!("{states:?}");
    for state in ["executed", "refused", "expired"] {
        assert!(run.actions.values().any(|action| action.state.as_str() == state), "no action is {state}");
    }
    assert!(run.actions.values().any(|action| action.retry_of.is_some()), "no denied call was tried again");
    let totals = totals(run);
    for metric in [Metric::SliEvents, Metric::InvariantViolations, Metric::DeniedRetries, Metric::Findings] {
        let counted = totals.iter().any(|(name, value)| name.starts_with(&metric.series()) && value != "0");
        assert!(counted, "{metric:?} counted nothing");
    }
}

// ── what is compared ─────────────────────────────────────────────────────────────────────────────────────────────

fn listed(run: &Undisturbed) -> BTreeMap<String, String> {
    run.actions.values().map(row).collect()
}

fn row(action: &Action) -> (String, String) {
    (action.id.to_string(), serde_json::to_string_pretty(action).expect("a record"))
}

/// Every action, asked for.
async fn asked(server: &Wherefore) -> BTreeMap<String, String> {
    actions(server, "").await.iter().map(row).collect()
}

/// The engine's series by name and labels. The lead of a source's clock is looked at for an hour and not kept.
fn exposed(run: &Undisturbed) -> BTreeMap<String, String> {
    let mut samples = run.engine.samples();
    samples.retain(|sample| sample.metric != Metric::ClockSkew);
    series(&exposition(&samples, Format::OpenMetrics)).collect()
}

/// What was counted live about actions; not how often a record came, nor how long it took.
fn totals(run: &Undisturbed) -> BTreeMap<String, String> {
    const COUNTED: &[Metric] = &[
        Metric::SliEvents,
        Metric::SliCorrections,
        Metric::SliLate,
        Metric::Actions,
        Metric::DeniedRetries,
        Metric::InvariantViolations,
        Metric::Findings,
        Metric::FindingsRetracted,
        Metric::ActionsMerged,
        Metric::FieldsMissing,
        Metric::LineageFields,
    ];
    let without_exemplar = |sample: Sample| match sample.value {
        SampleValue::Counter(value, _) => Sample { value: SampleValue::Counter(value, None), ..sample },
        _ => sample,
    };
    let samples = run.engine.samples().into_iter().filter(|sample| COUNTED.contains(&sample.metric));
    let samples: Vec<Sample> = samples.map(without_exemplar).collect();
    series(&exposition(&samples, Format::Text004)).collect()
}
