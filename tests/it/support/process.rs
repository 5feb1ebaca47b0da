//! The program itself, as its users run it: a process with a configuration, a data directory and ports.

use std::fs::{self, File};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use serde_json::Value;

use super::http::get;
use super::monitoring::eventually;

/// A running `wherefore serve`. Dropped, it is killed by its process id, without a chance to put things in order.
pub struct Wherefore {
    child: Child,
    log: PathBuf,
    /// The listener that gRPC exporters use.
    pub grpc: SocketAddr,
    /// The listener that HTTP exporters use.
    pub http: SocketAddr,
    /// Metrics and questions.
    pub query: SocketAddr,
}

impl Wherefore {
    /// Starts it in `home`, where its configuration, log and data are, and waits until it is ready. `settings` are
    /// more lines of `wherefore.yaml`. Started again in the same home, it goes on with what is there.
    pub async fn start(home: &Path, settings: &str) -> Self {
        let config = home.join("wherefore.yaml");
        let listen = r#"listen: { otlp_grpc: "127.0.0.1:0", otlp_http: "127.0.0.1:0", query: "127.0.0.1:0" }"#;
        fs::write(&config, format!("{listen}\ndata: data\nlogs: {{ format: json }}\n{settings}\n"))
            .expect("the configuration is written");
        let log = home.join("wherefore.log");
        let mut child = spawn(&config, &log);
        let [grpc, http, query] = addresses(&mut child, &log).await;
        let mut started = Self { child, log, grpc, http, query };
        started.ready().await;
        started
    }

    /// A URL of the query listener.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.query)
    }

    async fn ready(&mut self) {
        let url = self.url("/readyz");
        eventually(&url, async || {
            must_run(&mut self.child, &self.log);
            matches!(get(&url).await, Ok((200, _))).then_some(())
        })
        .await;
    }
}

impl Drop for Wherefore {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn spawn(config: &Path, log: &Path) -> Child {
    let log = File::create(log).expect("the log is made");
    Command::new(env!("CARGO_BIN_EXE_wherefore"))
        .args(["serve", "--config"])
        .arg(config)
        .stdin(Stdio::null())
        .stdout(log.try_clone().expect("a file can be cloned"))
        .stderr(log)
        .spawn()
        .expect("the program is built with its tests")
}

/// Where it listens, as its log says.
async fn addresses(child: &mut Child, log: &Path) -> [SocketAddr; 3] {
    eventually("the listeners' addresses", async || {
        must_run(child, log);
        let text = fs::read_to_string(log).unwrap_or_default();
        let [grpc, http, query] = ["otlp-grpc", "otlp-http", "query"].map(|name| address(&text, name));
        Some([grpc?, http?, query?])
    })
    .await
}

fn address(log: &str, name: &str) -> Option<SocketAddr> {
    let lines = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let mut listening = lines.map(|mut line| line["fields"].take()).filter(|line| line["message"] == "listening");
    listening.find(|line| line["name"] == name)?["address"].as_str()?.parse().ok()
}

fn must_run(child: &mut Child, log: &Path) {
    let ended = child.try_wait().expect("a child can be asked");
    assert!(ended.is_none(), "it ended: {ended:?}\n{}", fs::read_to_string(log).unwrap_or_default());
}
