//! The program itself, as its users run it: a process with a configuration, a data directory and ports.

use std::fs::{self, File};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};

use serde_json::Value;

use super::http::get;
use super::monitoring::eventually;

/// A process that was started, ready or not. Killed by its process id when dropped.
pub struct Process {
    child: Child,
    log: PathBuf,
}

/// A running `wherefore serve`. Killed by its process id when dropped.
pub struct Wherefore {
    process: Process,
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
        let mut started = Self::listening(Process::begin(home, 0, settings)).await;
        started.ready().await;
        started
    }

    /// Starts it again on the query port that it had, so that who scrapes it finds it.
    pub async fn start_again(home: &Path, query: SocketAddr, settings: &str) -> Self {
        let mut started = Self::listening(Process::begin(home, query.port(), settings)).await;
        started.ready().await;
        started
    }

    /// Waits until its ports are open, which is before it has caught up with its journal.
    pub async fn listening(mut process: Process) -> Self {
        let [grpc, http, query] = process.addresses().await;
        Self { process, grpc, http, query }
    }

    /// Waits until it receives and judges.
    pub async fn ready(&mut self) {
        let url = self.url("/readyz");
        eventually(&url, async || {
            self.process.must_run();
            matches!(get(&url).await, Ok((200, _))).then_some(())
        })
        .await;
    }

    /// A URL of the query listener.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.query)
    }

    /// Everything it logged so far.
    pub fn log(&self) -> String {
        self.process.log()
    }

    /// The fields of the first line it logged with this message.
    pub fn logged(&self, message: &str) -> Option<Value> {
        lines(&self.log()).find(|fields| fields["message"] == message)
    }

    /// Ends it at once, as a crash would.
    pub fn kill(self) {
        self.process.kill();
    }

    /// Tells it to read its files again.
    pub fn hang_up(&self) {
        let id = self.process.child.id().to_string();
        let sent = Command::new("kill").args(["-HUP", &id]).status().expect("`kill` is there");
        assert!(sent.success(), "the process runs");
    }

    /// Asks it to end, as an operator would, and waits.
    pub async fn terminate(mut self) -> ExitStatus {
        let pid = self.process.child.id().to_string();
        let sent = Command::new("kill").args(["-TERM", &pid]).status();
        assert!(sent.is_ok_and(|status| status.success()), "our own child can be told to end");
        let ended = async || self.process.child.try_wait().expect("a child can be asked");
        eventually("the end of the process", ended).await
    }
}

impl Process {
    /// Starts it in `home`, its query listener on a port or, with 0, on any.
    pub fn begin(home: &Path, query: u16, settings: &str) -> Self {
        let config = Self::configure(home, query, settings);
        let mut program = Command::new(env!("CARGO_BIN_EXE_wherefore"));
        program.args(["serve", "--config"]).arg(config);
        Self::spawn(home, program)
    }

    /// Writes its configuration.
    fn configure(home: &Path, query: u16, settings: &str) -> PathBuf {
        let config = home.join("wherefore.yaml");
        let listen =
            format!(r#"listen: {{ otlp_grpc: "127.0.0.1:0", otlp_http: "127.0.0.1:0", query: "127.0.0.1:{query}" }}"#);
        let text = format!("{listen}\ndata: data\nlogs: {{ format: json }}\n{settings}\n");
        fs::write(&config, text).expect("the configuration is written");
        config
    }

    /// The same, but no file may have more than some MiB (4 or 8, as the shell counts): a disk that fails.
    pub fn begin_with_small_files(home: &Path, settings: &str) -> Self {
        let config = Self::configure(home, 0, settings);
        let mut shell = Command::new("sh");
        // Without the trap the system would end the process instead of failing the write.
        shell.args(["-c", r#"trap "" XFSZ; ulimit -f 8192; exec "$0" serve --config "$1""#]);
        shell.arg(env!("CARGO_BIN_EXE_wherefore")).arg(config);
        Self::spawn(home, shell)
    }

    fn spawn(home: &Path, mut program: Command) -> Self {
        let log = home.join("wherefore.log");
        let file = File::create(&log).expect("the log is made");
        let child = program
            .current_dir(home)
            .stdin(Stdio::null())
            .stdout(file.try_clone().expect("a file can be cloned"))
            .stderr(file)
            .spawn()
            .expect("the program is built with its tests");
        Self { child, log }
    }

    /// Everything it logged so far.
    pub fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// Ends it at once, as a crash would.
    pub fn kill(mut self) {
        self.child.kill().expect("our own child can be killed");
        self.child.wait().expect("our own child can be awaited");
    }

    /// Where it listens, as its log says.
    async fn addresses(&mut self) -> [SocketAddr; 3] {
        eventually("the listeners' addresses", async || {
            self.must_run();
            let text = self.log();
            let [grpc, http, query] = ["otlp-grpc", "otlp-http", "query"].map(|name| address(&text, name));
            Some([grpc?, http?, query?])
        })
        .await
    }

    fn must_run(&mut self) {
        let ended = self.child.try_wait().expect("a child can be asked");
        assert!(ended.is_none(), "it ended: {ended:?}\n{}", self.log());
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Runs one of the other commands to its end.
pub fn command(args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_wherefore"));
    command.args(args).stdin(Stdio::null()).output().expect("the program is built with its tests")
}

fn address(log: &str, name: &str) -> Option<SocketAddr> {
    let mut listening = lines(log).filter(|line| line["message"] == "listening");
    listening.find(|line| line["name"] == name)?["address"].as_str()?.parse().ok()
}

/// The fields of each line.
fn lines(log: &str) -> impl Iterator<Item = Value> {
    let lines = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    lines.map(|mut line| line["fields"].take())
}
