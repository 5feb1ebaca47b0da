//! Reloads under load: the real program is told to read its files again, over and over, while several senders export.
//! What has begun keeps the rules that it began with, for ever.
//!
//! ```text
//! rules      first ──► second ──► broken ──► third ──► first again ──► killed, and started with the second
//! purge_*    forbidden  granted    (second)   forbidden  forbidden       granted
//! look_*     granted    forbidden  (second)   granted    granted         forbidden
//! ```
//!
//! Each story makes one call of either kind, so that each change turns the verdicts of all that is being sent. What
//! each call must come to is read from the journal alone: the configuration frame before the first record that names
//! it. What this does not prove: which moment of a reload a sender sees; it sees none.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use serde_json::json;
use tokio::sync::watch;
use tokio::task::JoinSet;
use wherefore::catalogue::Metric;
use wherefore::config::Config;
use wherefore::journal::{Kind, Reader};
use wherefore::model::{Action, ActionId, Digest, FindingState, Sli, Verdict};
use wherefore::pipeline::Written;

use crate::support::differ::same;
use crate::support::load::{FORBIDDEN, Form, Request, Sender, Stage, Story, Target, traces};
use crate::support::monitoring::eventually;
use crate::support::process::Wherefore;
use crate::support::scrape::{actions, openmetrics, scrape, series};

/// An action settles a little after its root, which its sender tells last, so nothing about it is still to come; and
/// by nothing else, however long a busy machine makes a sender wait.
const TIMES: &str = "times: { grace: 100ms, check_within: 200ms, contain_within: 200ms }\n\
                     envelopes: [production.yaml]\nlearning: false\n";
/// Stories told under one configuration before the next.
const TOLD: u64 = 25;
/// Stories that one sender tells at most.
const MOST: u64 = 2_000;
/// How long anything may take before the test fails.
const PATIENCE: Duration = Duration::from_secs(120);

/// The other tool.
const LOOK: &str = "look_up";

// ── the rules ────────────────────────────────────────────────────────────────────────────────────────────────────

/// What is written into the envelope's file, one after the other. Names of rules tell which it was.
struct Version {
    forbids: &'static str,
    grants: &'static str,
    /// Ends the names of its rules.
    name: &'static str,
}

const FIRST: Version = Version { forbids: "purge_*", grants: "look_*", name: "first" };
const SECOND: Version = Version { forbids: "look_*", grants: "purge_*", name: "second" };
const THIRD: Version = Version { forbids: "purge_*", grants: "look_*", name: "third" };
const BROKEN: &str = "envelope: production\nforbidd: []\n";

impl Version {
    fn text(&self) -> String {
        let Self { forbids, grants, name } = self;
        format!(
            "envelope: production\nagent: \"*\"\n\
             forbid: [{{ id: no-{name}, tool: [\"{forbids}\"], because: it is frozen }}]\n\
             grant: [{{ id: may-{name}, tool: [\"{grants}\"] }}]\n"
        )
    }

    fn forbids(&self, tool: &str) -> bool {
        tool.starts_with(self.forbids.trim_end_matches('*'))
    }
}

/// What a verdict rests on: configuration, value, reason, and the rule with the digest of its envelope.
type Rests = (Option<Digest>, String, String, Option<(String, Digest)>);

/// The versions by the digest of the configuration that a frame holds, and the digest of their envelope.
fn known() -> BTreeMap<Digest, (&'static Version, Digest)> {
    let constants = Config::parse("wherefore.yaml", TIMES, Path::new("")).expect("settings").constants;
    let digests = |version: &'static Version| {
        let envelopes = vec![("production.yaml".to_owned(), version.text())];
        let meant = Written { constants, envelopes, learning: false, slos: Vec::new(), objectives: Vec::new() }
            .meaning()
            .expect("an envelope");
        let envelope = meant.rules.enforced().next().expect("a rule").envelope_digest();
        (meant.digest(), (version, envelope))
    };
    [&FIRST, &SECOND, &THIRD].map(digests).into()
}

// ── the senders ──────────────────────────────────────────────────────────────────────────────────────────────────

/// What one user asked for: two calls, one of either kind. Told in one request, or in as many as a reload needs to
/// come between the beginnings of the two.
fn requests(number: u64) -> Vec<Request> {
    let story = Story::new(number);
    let (purge, look) = (story.tool("a", FORBIDDEN, json!({})), story.tool("b", LOOK, json!({})));
    let asked = story.proposal(FORBIDDEN, &["a"]);
    match number % 3 {
        0 => vec![traces(&[asked, purge, look, story.root()])],
        1 => vec![traces(&[asked]), traces(&[purge]), traces(&[look, story.root()])],
        _ => vec![traces(&[look]), traces(&[asked]), traces(&[purge]), traces(&[story.root()])],
    }
}

/// Tells stories until the stage is over. Says how many.
async fn tell(stage: Arc<Stage>, form: Form, numbers: std::ops::Range<u64>) -> u64 {
    let mut sender = Sender::new(form);
    let mut told = 0;
    for number in numbers {
        if stage.over.load(Ordering::Acquire) {
            break;
        }
        for request in requests(number) {
            sender.deliver(&stage, &request).await;
        }
        told += 1;
    }
    told
}

/// Waits for so many more acknowledgements.
async fn answers(stage: &Stage, more: u64) {
    let enough = stage.answers.load(Ordering::Acquire) + more;
    eventually("requests are acknowledged", async || (stage.answers.load(Ordering::Acquire) >= enough).then_some(()))
        .await;
}

// ── the server ───────────────────────────────────────────────────────────────────────────────────────────────────

/// The value of a series, exactly so named.
async fn value(server: &Wherefore, name: &str) -> Option<f64> {
    let text = openmetrics(server).await;
    let found = series(&text).find(|(series, _)| series == name)?;
    found.1.parse().ok()
}

/// The sum of the series of a metric that hold all of these words.
fn sum(text: &str, metric: Metric, words: &[&str]) -> u64 {
    let start = format!("{}{{", metric.series());
    let of = text.lines().filter(|line| line.starts_with(&start) && words.iter().all(|word| line.contains(word)));
    // What follows is an exemplar.
    let value = |line: &str| line.split_once("} ")?.1.split(' ').next()?.parse::<f64>().ok();
    of.map(|line| value(line).expect("a number") as u64).sum()
}

/// Tells it to read its files again, and waits until it has.
async fn reload(server: &Wherefore, home: &Path, text: &str, result: &str) {
    let name = format!("{}{{result=\"{result}\"}}", Metric::ConfigReloads.series());
    let before = value(server, &name).await.expect("both results have a series from the start");
    std::fs::write(home.join("production.yaml"), text).expect("the envelope is written");
    server.hang_up();
    eventually(result, async || value(server, &name).await.filter(|now| *now > before)).await;
    let successful = value(server, &Metric::ConfigReloadSuccessful.series()).await;
    assert_eq!(successful, Some(f64::from(u8::from(result == "ok"))));
}

/// What the settled calls rest on.
async fn settled(server: &Wherefore) -> BTreeMap<ActionId, BTreeMap<Sli, Rests>> {
    actions(server, "settled=true").await.iter().map(|action| (action.id, rests(action))).collect()
}

/// What depends on the rules alone.
fn rests(action: &Action) -> BTreeMap<Sli, Rests> {
    let on_rules = |verdict: &&Verdict| matches!(verdict.sli, Sli::Envelope | Sli::IntentAlignment);
    let of = |verdict: &Verdict| {
        let rule = verdict.rule.as_ref().map(|rule| (rule.name.to_string(), rule.envelope));
        (verdict.sli, (action.judged_by, verdict.value.to_string(), verdict.reason.to_string(), rule))
    };
    action.verdicts.iter().filter(on_rules).map(of).collect()
}

// ── what must be ─────────────────────────────────────────────────────────────────────────────────────────────────

/// The configuration in force when each call was first named, by the id of the call in telemetry.
fn began_under(journal: &Path, stories: u64) -> BTreeMap<String, Digest> {
    let mut began = BTreeMap::new();
    let mut in_force = None;
    for frame in Reader::open(journal, 0).expect("the journal can be read") {
        let frame = frame.expect("a whole frame");
        match (frame.kind, in_force) {
            (Kind::Config, _) => in_force = Written::meaning_of(&frame.body).map(|meant| meant.digest()).ok(),
            (Kind::Traces, Some(digest)) => {
                for call in calls_in(&frame.body) {
                    began.entry(call).or_insert(digest);
                }
            }
            _ => {}
        }
    }
    assert_eq!(began.len() as u64, 2 * stories, "each call of each story is in the journal");
    began
}

/// The ids of calls in the bytes of a request: `call_`, a number, `_a` or `_b`.
fn calls_in(body: &[u8]) -> BTreeSet<String> {
    let text = String::from_utf8_lossy(body);
    let id = |rest: &str| {
        let (number, end) = rest.split_once('_')?;
        let end = end.chars().next().filter(|end| "ab".contains(*end))?;
        number.bytes().all(|byte| byte.is_ascii_digit()).then(|| format!("call_{number}_{end}"))
    };
    text.split("call_").skip(1).filter_map(id).collect()
}

/// One configuration decided everything about a call: the one that was in force when it began.
fn fits_what_it_began_under(action: &Action, began: &BTreeMap<String, Digest>) {
    let name = action.keys.iter().map(ToString::to_string).find_map(|key| calls_in(key.as_bytes()).pop_first());
    let name = name.unwrap_or_else(|| panic!("no story tells of {action:#?}"));
    let (digest, tool) = (began[&name], action.tool_label());
    let known = known();
    let (version, envelope) = known[&digest];
    let bad = version.forbids(tool);
    let rule = |kind: &str| Some((format!("envelope.production.{kind}-{}", version.name), envelope));
    let [intent, limits] = [Sli::IntentAlignment, Sli::Envelope].map(|sli| rests(action)[&sli].clone());
    let want = |value: &str, reason: &str, rule| (Some(digest), value.to_owned(), reason.to_owned(), rule);
    if bad {
        assert_eq!(intent, want("bad", "forbidden", rule("no")), "{name}");
        assert_eq!((limits.0, &*limits.1, limits.3), (Some(digest), "bad", rule("no")), "{name}");
    } else {
        assert_eq!(intent, want("good", "granted", rule("may")), "{name}");
        assert_eq!((limits.0, &*limits.1), (Some(digest), "good"), "{name}");
        assert!(limits.3.is_none_or(|(_, digest)| digest == envelope), "{name}");
    }
    let found = action.findings.iter().filter(|finding| finding.rule.starts_with("envelope."));
    let found: Vec<_> = found.map(|it| (it.rule.to_string(), it.envelope, it.state)).collect();
    let broken = rule("no").filter(|_| bad).map(|(rule, envelope)| (rule, Some(envelope), FindingState::Open));
    assert_eq!(found, Vec::from_iter(broken), "{name}");
}

/// Each call is counted once, and as what it was found to be.
fn counted_once(text: &str, all: &[Action]) {
    let total = all.len() as u64;
    let count = |words: &[&str]| sum(text, Metric::SliEvents, words);
    assert_eq!(sum(text, Metric::Actions, &[]), total);
    assert_eq!(sum(text, Metric::Actions, &["state=\"executed\""]), total);
    for sli in [Sli::IntentAlignment, Sli::Envelope] {
        let of_sli = format!("sli=\"{sli}\"");
        assert_eq!(count(&[&of_sli]), total, "{sli}");
        for verdict in ["good", "bad"] {
            let of = all.iter().filter(|action| rests(action)[&sli].1 == verdict).count() as u64;
            assert_eq!(count(&[&of_sli, &format!("verdict=\"{verdict}\"")]), of, "{sli} {verdict}");
            assert!(of > 0, "{sli} is {verdict} of none");
        }
    }
    let mut violations: BTreeMap<&str, u64> = BTreeMap::new();
    for finding in all.iter().flat_map(|action| &action.findings).filter(|it| it.rule.starts_with("envelope.")) {
        *violations.entry(&finding.rule).or_default() += 1;
    }
    for (rule, times) in &violations {
        assert_eq!(sum(text, Metric::InvariantViolations, &[&format!("rule=\"{rule}\"")]), *times, "{rule}");
    }
    assert_eq!(violations.len(), 3, "each version of the rules was broken: {violations:?}");
    assert_eq!(sum(text, Metric::SliCorrections, &[]), 0, "no verdict was counted and then changed");
}

// ── the test ─────────────────────────────────────────────────────────────────────────────────────────────────────

/// With a checkpoint all the time the digests of what has begun come back from the store, without any they come from
/// the frames of the journal.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_has_begun_keeps_its_rules_whatever_is_reloaded() {
    for checkpoints in ["{ every: 50ms, bytes: 64KiB }", "{ every: 1h, bytes: 1GiB }"] {
        reloads_change_nothing_that_has_begun(&format!("{TIMES}checkpoint: {checkpoints}\n")).await;
    }
}

async fn reloads_change_nothing_that_has_begun(settings: &str) {
    let home = tempfile::tempdir().expect("a temporary directory");
    let home = home.path();
    std::fs::write(home.join("production.yaml"), FIRST.text()).expect("the envelope is written");
    let server = Wherefore::start(home, settings).await;
    let stage = Arc::new(Stage::default());
    stage.target.send_replace(Some(Target { grpc: server.grpc, http: server.http }));
    let (scraped, target) = watch::channel(Some(server.query));
    let scrapes = tokio::spawn(scrape(target));
    let mut senders = JoinSet::new();
    for (form, first) in [Form::Protobuf, Form::Json, Form::Grpc, Form::Grpc].into_iter().zip((0..).step_by(100_000)) {
        senders.spawn(tell(stage.clone(), form, first..first + MOST));
    }

    // Whatever was settled before any of the changes, with what it rested on then.
    let mut before = BTreeMap::new();
    for (text, result) in
        [(SECOND.text(), "ok"), (BROKEN.to_owned(), "refused"), (THIRD.text(), "ok"), (FIRST.text(), "ok")]
    {
        answers(&stage, 2 * TOLD).await;
        before.extend(settled(&server).await);
        reload(&server, home, &text, result).await;
    }
    answers(&stage, 2 * TOLD).await;

    // It ends as in a crash, in the middle of all this, and whoever starts it again has changed the file.
    stage.target.send_replace(None);
    before.extend(settled(&server).await);
    server.kill();
    std::fs::write(home.join("production.yaml"), SECOND.text()).expect("the envelope is written");
    let server = Wherefore::start(home, settings).await;
    scraped.send_replace(Some(server.query));
    stage.target.send_replace(Some(Target { grpc: server.grpc, http: server.http }));
    answers(&stage, TOLD).await;
    stage.over.store(true, Ordering::Release);
    let told = tokio::time::timeout(PATIENCE, senders.join_all()).await.expect("the stories come to their end");
    let stories: u64 = told.iter().sum();

    eventually("every call settles and is counted", async || {
        let text = openmetrics(&server).await;
        let open = value(&server, &Metric::OpenActions.series()).await;
        (open == Some(0.0) && sum(&text, Metric::Actions, &[]) >= 2 * stories).then_some(())
    })
    .await;
    let all = actions(&server, "").await;
    println!("{stories} stories, {} calls settled before a change", before.len());
    assert_eq!(all.len() as u64, 2 * stories, "each call is one action");
    assert!(before.len() as u64 > TOLD, "{} calls settled before a change", before.len());
    let began = began_under(&home.join("data/journal"), stories);
    assert_eq!(began.values().collect::<BTreeSet<_>>().len(), 3, "calls began under each version");
    all.iter().for_each(|action| fits_what_it_began_under(action, &began));
    let after: BTreeMap<ActionId, _> = all.iter().map(|action| (action.id, rests(action))).collect();
    let still: BTreeMap<_, _> = before.keys().filter_map(|id| Some((*id, after.get(id)?.clone()))).collect();
    same(&said(&before), &said(&still), "settled before a reload");
    counted_once(&openmetrics(&server).await, &all);

    // And once more, with what was there at first.
    server.kill();
    std::fs::write(home.join("production.yaml"), FIRST.text()).expect("the envelope is written");
    let server = Wherefore::start(home, settings).await;
    scraped.send_replace(Some(server.query));
    same(&said(&after), &said(&settled(&server).await), "after a crash");
    counted_once(&openmetrics(&server).await, &all);
    scraped.send_replace(None);
    drop(scraped);
    println!("{} scrapes", scrapes.await.expect("no counter went down"));
}

fn said(rests: &BTreeMap<ActionId, BTreeMap<Sli, Rests>>) -> BTreeMap<String, String> {
    rests.iter().map(|(id, rests)| (id.to_string(), format!("{rests:#?}"))).collect()
}
