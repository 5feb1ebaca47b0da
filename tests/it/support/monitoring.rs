//! The way from `/metrics` to a person, for real: Prometheus scrapes, evaluates the generated rules and tells
//! Alertmanager, which tells a sink in this process. Both are Debian's programs with the configuration that we deploy,
//! sped up: only addresses and times are replaced.
//!
//! ```text
//! target ──scrape──► Prometheus ──alerts──► Alertmanager ──webhooks──► Sink
//! ```

use std::fs::File;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;

use super::checkers::have;
use super::http::{Server, encoded, get, get_json};

/// How long anything may take before the test fails. Generous: the machine may be busy with other tests.
const PATIENCE: Duration = Duration::from_secs(120);

/// One installation at a time: two would compete for the processor and miss the scrapes that they are tested by.
static ONE: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());

/// Prometheus, Alertmanager and the sink, all running.
pub struct Monitoring {
    prometheus: Program,
    #[expect(dead_code, reason = "runs until dropped")]
    alertmanager: Program,
    pub sink: Sink,
    /// Behind the programs, so that it outlives what writes into it.
    _dir: TempDir,
    _one: tokio::sync::MutexGuard<'static, ()>,
}

impl Monitoring {
    /// Starts everything with `target` as the only thing to scrape and `rules` as the rule file. `None`, said aloud,
    /// where the programs are not installed.
    pub async fn start(target: SocketAddr, rules: &str) -> Option<Self> {
        if !(have("prometheus") && have("prometheus-alertmanager")) {
            return None;
        }
        let one = ONE.lock().await;
        let dir = tempfile::tempdir().expect("a temporary directory");
        let sink = Sink::start().await;
        let alertmanager = start_alertmanager(dir.path(), &sink).await;
        let prometheus = start_prometheus(dir.path(), target, alertmanager.address, rules).await;
        Some(Self { prometheus, alertmanager, sink, _dir: dir, _one: one })
    }

    /// The result of an instant query.
    pub async fn query(&self, promql: &str) -> Vec<Value> {
        let answer = get_json(&self.api(&format!("query?query={}", encoded(promql)))).await;
        answer["data"]["result"].as_array().unwrap_or_else(|| panic!("`{promql}`: {answer}")).clone()
    }

    /// Waits until an instant query has a result, and returns it.
    pub async fn until(&self, promql: &str) -> Vec<Value> {
        eventually(promql, async || Some(self.query(promql).await).filter(|result| !result.is_empty())).await
    }

    /// The labels of the exemplars of a series, of any time.
    pub async fn exemplars(&self, series: &str) -> Vec<Value> {
        let answer =
            get_json(&self.api(&format!("query_exemplars?query={}&start=0&end=9999999999", encoded(series)))).await;
        let of_series = answer["data"].as_array().into_iter().flatten();
        of_series.flat_map(|series| series["exemplars"].as_array().cloned().unwrap_or_default()).collect()
    }

    /// Waits until a series has an exemplar.
    pub async fn exemplar(&self, series: &str) -> Value {
        eventually("an exemplar", async || self.exemplars(series).await.pop()).await
    }

    fn api(&self, call: &str) -> String {
        format!("http://{}/api/v1/{call}", self.prometheus.address)
    }
}

/// Polls until there is something.
pub async fn eventually<T>(what: &str, mut poll: impl AsyncFnMut() -> Option<T>) -> T {
    let give_up = tokio::time::Instant::now() + PATIENCE;
    loop {
        if let Some(found) = poll().await {
            return found;
        }
        assert!(tokio::time::Instant::now() < give_up, "gave up waiting: {what}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

// ── what a person would have received ────────────────────────────────────────────────────────────────────────────

/// One alert as a webhook brought it.
#[derive(Debug, Clone)]
pub struct Notified {
    /// `pager`, `tickets` or `watchdog`.
    pub receiver: String,
    /// The alert: `status`, `labels`, `annotations`, times.
    pub alert: Value,
}

impl Notified {
    pub fn label(&self, name: &str) -> &str {
        self.alert["labels"][name].as_str().unwrap_or_default()
    }

    pub fn annotation(&self, name: &str) -> &str {
        self.alert["annotations"][name].as_str().unwrap_or_default()
    }
}

/// Receives Alertmanager's webhooks and keeps every alert.
pub struct Sink {
    server: Server,
    notified: Arc<Mutex<Vec<Notified>>>,
}

impl Sink {
    async fn start() -> Self {
        let notified = Arc::new(Mutex::new(Vec::new()));
        let kept = notified.clone();
        let receive = move |path: axum::extract::Path<String>, body: axum::Json<Value>| {
            let (receiver, axum::Json(body)) = (path.0, body);
            let alerts = body["alerts"].as_array().cloned().unwrap_or_default();
            let alerts = alerts.into_iter().map(|alert| Notified { receiver: receiver.clone(), alert });
            kept.lock().expect("no panic under the lock").extend(alerts);
            std::future::ready(())
        };
        let router = axum::Router::new().route("/{receiver}", axum::routing::post(receive));
        Self { server: Server::start(router).await, notified }
    }

    /// Everything received so far.
    pub fn all(&self) -> Vec<Notified> {
        self.notified.lock().expect("no panic under the lock").clone()
    }

    /// What one receiver got so far.
    pub fn of(&self, receiver: &str) -> Vec<Notified> {
        self.all().into_iter().filter(|notified| notified.receiver == receiver).collect()
    }

    /// Waits for a firing alert with these labels.
    pub async fn firing(&self, receiver: &str, labels: &[(&str, &str)]) -> Notified {
        let fits = |notified: &Notified| {
            notified.alert["status"] == "firing" && labels.iter().all(|(name, value)| notified.label(name) == *value)
        };
        eventually(&format!("{receiver} gets {labels:?}"), async || self.of(receiver).into_iter().find(fits)).await
    }
}

// ── the programs ─────────────────────────────────────────────────────────────────────────────────────────────────

/// A program of ours to end: killed by its process id when dropped.
struct Program {
    child: Child,
    address: SocketAddr,
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Program {
    /// Starts a program on a free port and waits until it is ready. The port is free only until somebody takes it,
    /// so a program that ends at once gets another.
    async fn start(name: &str, dir: &Path, args: &[String]) -> Self {
        for _ in 0..5 {
            let address = free_port();
            let log = dir.join(format!("{name}.log"));
            let mut program = Self { child: spawn(name, &log, args, address), address };
            if program.ready().await {
                return program;
            }
            println!("{name}: {}", std::fs::read_to_string(&log).unwrap_or_default());
        }
        panic!("{name} does not start");
    }

    /// Waits for it; `false` when it ended instead.
    async fn ready(&mut self) -> bool {
        let url = format!("http://{}/-/ready", self.address);
        eventually(&url, async || match self.child.try_wait().expect("a child can be asked") {
            Some(_) => Some(false),
            None => matches!(get(&url).await, Ok((200, _))).then_some(true),
        })
        .await
    }
}

fn free_port() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback has a free port");
    listener.local_addr().expect("a bound listener has an address")
}

fn spawn(name: &str, log: &Path, args: &[String], address: SocketAddr) -> Child {
    let log = File::create(log).expect("the log is made");
    let mut command = Command::new(name);
    for proxy in ["http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"] {
        command.env_remove(proxy);
    }
    command
        .args(args)
        .arg(format!("--web.listen-address={address}"))
        .stdin(Stdio::null())
        .stdout(log.try_clone().expect("a file can be cloned"))
        .stderr(log)
        .spawn()
        .unwrap_or_else(|error| panic!("start {name}: {error}"))
}

async fn start_alertmanager(dir: &Path, sink: &Sink) -> Program {
    let mut config = deployed("alertmanager/alertmanager.yml");
    for (receiver, placeholder) in [("pager", "pager"), ("tickets", "tickets"), ("watchdog", "watchdog")] {
        config = config.replace(&format!("http://{placeholder}.invalid/"), &sink.server.url(&format!("/{receiver}")));
    }
    assert!(!config.contains(".invalid/"), "every receiver is in the sink");
    config = sped_up(&config, &[("group_wait:", "1s"), ("group_interval:", "1s")]);
    let file = written(dir, "alertmanager.yml", &config);
    let args = [
        format!("--config.file={}", file.display()),
        format!("--storage.path={}", dir.join("alertmanager").display()),
        "--cluster.listen-address=".to_owned(),
    ];
    Program::start("prometheus-alertmanager", dir, &args).await
}

async fn start_prometheus(dir: &Path, target: SocketAddr, alertmanager: SocketAddr, rules: &str) -> Program {
    written(dir, "wherefore.rules.yml", rules);
    let config = deployed("prometheus/prometheus.yml")
        .replace("wherefore:9464", &target.to_string())
        .replace("alertmanager:9093", &alertmanager.to_string());
    let config = sped_up(&config, &[("scrape_interval:", "1s"), ("evaluation_interval:", "1s")]);
    let file = written(dir, "prometheus.yml", &config);
    let args = [
        format!("--config.file={}", file.display()),
        format!("--storage.tsdb.path={}", dir.join("prometheus").display()),
        "--enable-feature=exemplar-storage".to_owned(),
        // What is sent before Alertmanager is known is lost until it is sent again; a minute by default. Alerts expire
        // four delays after they were last sent, so it is not shorter than a busy machine may pause.
        "--rules.alert.resend-delay=5s".to_owned(),
    ];
    Program::start("prometheus", dir, &args).await
}

/// A file of `deploy/`.
fn deployed(path: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy").join(path);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("read {}: {error}", path.display()))
}

/// The configuration with other values behind some keys.
fn sped_up(config: &str, times: &[(&str, &str)]) -> String {
    let line = |line: &str| {
        let key = times.iter().find(|(key, _)| line.trim_start().starts_with(key));
        match key {
            Some((key, value)) => format!("{}{key} {value}\n", &line[..line.len() - line.trim_start().len()]),
            None => format!("{line}\n"),
        }
    };
    config.lines().map(line).collect()
}

fn written(dir: &Path, name: &str, text: &str) -> PathBuf {
    let path = dir.join(name);
    std::fs::write(&path, text).expect("the file is written");
    path
}
