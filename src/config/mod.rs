//! `wherefore.yaml`: what was typed, then what it means.
//!
//! Everything is optional; without any file the defaults serve. A key that is not known is a mistake, and every
//! mistake of a file is reported with its line and column before a port is opened. Relative paths are relative to the
//! file's own folder.
//!
//! ```yaml
//! listen:
//!   otlp_grpc: 127.0.0.1:4317      # beyond loopback a token file is needed, or `insecure: true`
//!   otlp_http: 127.0.0.1:4318
//!   query: 127.0.0.1:9464          # metrics, query API, page
//!   insecure: false
//! tokens: tokens.yaml              # who may send, and as whom
//! data: wherefore-data             # journal and store
//! disk: 10GiB                      # 256MiB at least, or a share of its disk, `10%`; by default whichever is less
//! memory: 512MiB                   # of open turns and actions
//! checkpoint: { every: 30s, bytes: 64MiB }   # what a restart folds again at most: time, or journal
//! limits: { request: 16MiB, decompressed: 64MiB, in_flight: 256MiB, body_time: 30s, connections: 1024, drain: 10s }
//! times: { grace: 15s, idle: 10m, ask: 24h, live_lateness: 10m, horizon: 48h, patches: 7d, epoch: 24h,
//!          check_within: 10m, contain_within: 5m }
//! learning: true                   # profiles of fields that instrumentations have shown, and their drift
//! envelopes: envelopes             # a folder of *.yaml, or a list of files
//! slos: slos                       # the same: files of objectives
//! redact: { "user.email": drop, "*.password": digest }     # keep, digest or drop by key; the first that fits decides
//! logs: { format: text, filter: info }
//! traces: { endpoint: http://collector:4317, ratio: 1 }    # own traces; none by default
//! external_url: https://wherefore.example                  # what links in alerts begin with
//! objectives:
//!   intent_alignment: { target: 99.5%, window: 28d, severity: page, min_coverage: 50% }
//! ```

mod check;
mod read;
pub mod slos;

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::model::Constants;
use crate::net::ServeSettings;
use crate::otlp::Limits;
use crate::redact;
use crate::slo::Objective;
use crate::telemetry::Settings as TelemetrySettings;

pub use crate::values::document::{Mistake, Place};
pub use check::{Checked, check};
pub use slos::Slos;

/// The file that is read when none is named, if it exists.
pub const FILE: &str = "wherefore.yaml";

/// Checked settings of the whole program.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// The file they came from; `None`: defaults alone.
    pub file: Option<PathBuf>,
    /// Where to listen.
    pub listen: Listen,
    /// The token file, if senders need tokens.
    pub tokens: Option<PathBuf>,
    /// Journal and store.
    pub data: PathBuf,
    /// How much of the disk they may take.
    pub disk: Disk,
    /// Bytes for open turns and actions. 512 MiB: small enough for a sidecar, enough for some 100,000 open actions.
    pub memory: u64,
    /// When the fold's state is written to the store.
    pub checkpoint: Checkpoint,
    /// What of a request never reaches the disk. Nothing by default.
    pub redact: redact::Policy,
    /// How much a sender may send at once.
    pub limits: Limits,
    /// How connections are treated.
    pub serve: ServeSettings,
    /// How long the engine waits, for what.
    pub constants: Constants,
    /// Whether `lineage_complete` asks for what instrumentations have shown, and new versions of them are compared with
    /// those before. On by default: it needs nobody's knowledge, and its findings never page.
    pub learning: bool,
    /// Where envelopes are.
    pub envelopes: Texts,
    /// Where files of objectives are.
    pub slos: Texts,
    /// Own logs and traces.
    pub telemetry: TelemetrySettings,
    /// What links begin with, without a slash at the end.
    pub external_url: String,
    /// One objective for each SLI: the defaults and what the file says of them. Files of objectives come on top.
    pub objectives: Vec<Objective>,
}

/// Addresses. Loopback by default: an unprotected listener stays on its machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Listen {
    /// OTLP; the port that gRPC exporters use by default.
    pub otlp_grpc: SocketAddr,
    /// OTLP; the port that HTTP exporters use by default.
    pub otlp_http: SocketAddr,
    /// Metrics, query API and page.
    pub query: SocketAddr,
    /// Listen beyond loopback although nobody needs a token.
    pub insecure: bool,
}

impl Default for Listen {
    fn default() -> Self {
        let loopback = |port| SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        Self { otlp_grpc: loopback(4317), otlp_http: loopback(4318), query: loopback(9464), insecure: false }
    }
}

impl Listen {
    /// Every address.
    pub fn all(&self) -> [SocketAddr; 3] {
        [self.otlp_grpc, self.otlp_http, self.query]
    }
}

/// A checkpoint is due after so much time or journal, whichever is first: what a restart folds again at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Checkpoint {
    /// Since the last one.
    pub every: Duration,
    /// Bytes of bodies folded since the last one.
    pub bytes: u64,
}

impl Default for Checkpoint {
    /// 64 MiB are folded again within a second or two; 30 s keep the same bound on a quiet journal.
    fn default() -> Self {
        Self { every: Duration::from_secs(30), bytes: 64 << 20 }
    }
}

/// A budget on the disk: bytes and a share of its size, whichever is less.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Disk {
    /// At most this many bytes.
    pub bytes: u64,
    /// At most this share of the filesystem's size, in (0, 1].
    pub share: f64,
}

impl Default for Disk {
    /// 10 GiB or 10 %: days of a busy team, and never the reason why a small disk is full.
    fn default() -> Self {
        Self { bytes: 10 << 30, share: 0.1 }
    }
}

impl Disk {
    /// The least budget: the logs of SQLite alone may take half of it.
    pub const MIN: u64 = 256 << 20;

    /// The budget in bytes on a filesystem of `size` bytes.
    pub fn budget(&self, size: u64) -> u64 {
        self.bytes.min((size as f64 * self.share) as u64)
    }
}

/// Where the texts of a kind are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Texts {
    /// Every `*.yaml` and `*.yml` of a folder, which may be missing when nobody named it.
    Folder {
        /// The folder.
        path: PathBuf,
        /// It stands in the file, so it has to exist.
        named: bool,
    },
    /// These files.
    Files(Vec<PathBuf>),
}

impl Default for Config {
    fn default() -> Self {
        Self {
            file: None,
            listen: Listen::default(),
            tokens: None,
            data: PathBuf::from("wherefore-data"),
            disk: Disk::default(),
            memory: 512 << 20,
            checkpoint: Checkpoint::default(),
            redact: redact::Policy::default(),
            limits: Limits::default(),
            serve: ServeSettings::default(),
            constants: Constants::default(),
            learning: true,
            envelopes: Texts::Folder { path: PathBuf::from("envelopes"), named: false },
            slos: Texts::Folder { path: PathBuf::from("slos"), named: false },
            telemetry: TelemetrySettings::default(),
            external_url: "http://localhost:9464".to_owned(),
            objectives: Objective::DEFAULTS.to_vec(),
        }
    }
}

impl Config {
    /// Reads a configuration: the file named, else [`FILE`] in the working directory if it exists, else the defaults.
    ///
    /// # Errors
    /// Every mistake of the file, or that it cannot be read.
    pub fn load(path: Option<&Path>) -> Result<Self, Vec<Mistake>> {
        read::whole(Self::read(path))
    }

    /// The same, with what could be read beside the mistakes of the rest, if anything could.
    fn read(path: Option<&Path>) -> (Option<Self>, Vec<Mistake>) {
        let path = match path {
            Some(path) => path,
            None if Path::new(FILE).exists() => Path::new(FILE),
            None => return (Some(Self::default()), Vec::new()),
        };
        let name = path.display().to_string();
        let text = match std::fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) => return (None, vec![Mistake::of_file(&name, format!("cannot read the file: {error}"))]),
        };
        let (config, mistakes) = read::config(&name, &text, path.parent().unwrap_or(Path::new("")));
        (config.map(|config| Self { file: Some(path.to_owned()), ..config }), mistakes)
    }

    /// Reads the text of a configuration whose relative paths belong to `folder`.
    ///
    /// # Errors
    /// Every mistake of the text.
    pub fn parse(name: &str, text: &str, folder: &Path) -> Result<Self, Vec<Mistake>> {
        read::whole(read::config(name, text, folder))
    }
}

#[cfg(test)]
mod tests;
