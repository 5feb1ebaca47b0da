//! The server: settings first, ports later, shutdown last.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::api::{self, Readiness};
use crate::config::{Checked, Disk};
use crate::journal::{AppendError, Entry, Journal, JournalError, Options, Rejection, wall};
use crate::model::{Signal, Span};
use crate::net;
use crate::otlp::{self, Accepted, Counters, Receiver, Refusal, Sink};
use crate::telemetry::causes;

use super::answers::answers;
use super::budget::Budget;
use super::configuration::Written;
use super::fold::{Fold, FoldError, Settings};
use super::health::{Health, MAX_LAG};
use super::lag::Lag;
use super::reload::{Reloader, Reloads};

/// How long raw frames are kept once they are applied.
const FRAMES_KEPT: Span = Span::days(3);
/// How often sealed segments are compressed and old ones removed.
const MAINTENANCE: Duration = Duration::from_secs(60);
/// How often it is looked at whether all is well, and whether the journal has outgrown its part of the disk.
const LOOK: Duration = Duration::from_secs(1);
/// Connections to the query listener, where that is less than senders have: some people, some scrapers.
const QUESTION_CONNECTIONS: usize = 64;
/// HTTP/2 windows of all of them, bytes: questions are small.
const QUESTION_WINDOWS: usize = 16 << 20;
/// When an overloaded sender should come back.
const OVERLOAD_RETRY: Duration = Duration::from_secs(1);

/// Why the server cannot run.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// A port is taken or not ours.
    #[error("cannot listen")]
    Bind(#[from] net::BindError),
    /// A listener's own address cannot be read.
    #[error("cannot read a listener's address")]
    Address(#[source] std::io::Error),
    /// The journal cannot be opened.
    #[error("cannot open the journal")]
    Journal(#[from] JournalError),
    /// The fold cannot start or had to stop.
    #[error("cannot fold the journal")]
    Fold(#[from] FoldError),
}

/// A server whose ports are open.
pub struct Server {
    /// Where OTLP is received, by the port's usual use, and where questions are answered.
    pub addresses: Addresses,
    otlp: Vec<TcpListener>,
    query: TcpListener,
    checked: Checked,
    journal: Arc<Journal>,
    fold: Arc<Fold>,
    health: Arc<Health>,
    reloader: Reloader,
}

/// The addresses that were given, where a port was 0.
#[derive(Debug, Clone, Copy)]
pub struct Addresses {
    /// OTLP; the usual port of gRPC exporters.
    pub otlp_grpc: SocketAddr,
    /// OTLP; the usual port of HTTP exporters.
    pub otlp_http: SocketAddr,
    /// Metrics and questions.
    pub query: SocketAddr,
}

impl Server {
    /// Opens journal, store and ports. OTLP is answered as soon as [`Server::run`] runs; questions and metrics when
    /// the journal has been folded.
    ///
    /// # Errors
    /// When a port, the journal or the store cannot be opened.
    pub async fn start(checked: Checked) -> Result<Self, ServeError> {
        let listen = checked.config.listen;
        let grpc = net::bind(listen.otlp_grpc).await?;
        let http = net::bind(listen.otlp_http).await?;
        let query = net::bind(listen.query).await?;
        let address = |listener: &TcpListener| listener.local_addr().map_err(ServeError::Address);
        let addresses = Addresses { otlp_grpc: address(&grpc)?, otlp_http: address(&http)?, query: address(&query)? };

        let data = checked.config.data.clone();
        let written = Written::of(&checked);
        let in_force = written.clone();
        let memory = usize::try_from(checked.config.memory).unwrap_or(usize::MAX);
        let (disk, checkpoint) = (checked.config.disk, checked.config.checkpoint);
        let largest = checked.config.limits.decompressed;
        let opened = tokio::task::spawn_blocking(move || -> Result<_, ServeError> {
            let disk = budget(disk, &data);
            let (journal, recovery) = Journal::open(&data.join("journal"), journal_options(Budget(disk), largest))?;
            tracing::info!(last = recovery.last_sequence, cut = recovery.bytes_cut, "the journal is open");
            let journal = Arc::new(journal);
            let settings = Settings { memory, disk, checkpoint };
            let fold = Fold::start(journal.clone(), &data.join("store"), &written, settings)?;
            Ok((journal, fold, settings))
        });
        let opened = opened.await.unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic()));
        let (journal, fold, settings) = opened?;
        let started = wall();
        let reloads = Arc::new(Reloads::since(started));
        let health = Arc::new(Health {
            journal: journal.clone(),
            status: fold.status.clone(),
            counters: Arc::new(Counters::default()),
            objectives: checked.slos.objectives(),
            receiving: Arc::default(),
            limits: [&checked.config.serve, &for_questions(&checked.config.serve)].map(|serve| serve.max_connections),
            answering: Arc::default(),
            disk: settings.disk,
            reloads: reloads.clone(),
            started,
            waits: Mutex::new(Lag::new(Instant::now())),
        });
        let reloader = Reloader::new(journal.clone(), in_force, reloads);
        Ok(Self { addresses, otlp: vec![grpc, http], query, checked, journal, fold: Arc::new(fold), health, reloader })
    }

    /// Takes another configuration while the server runs.
    pub fn reloader(&self) -> Reloader {
        self.reloader.clone()
    }

    /// Serves until `stop`, then drains connections, folds what is left and takes a last checkpoint.
    ///
    /// # Errors
    /// When the fold stopped on an error.
    pub async fn run(self, stop: CancellationToken) -> Result<(), ServeError> {
        let Self { addresses, otlp, query, checked, journal, fold, health, reloader } = self;
        // Who wants to reload has it; what is held here would keep the journal open.
        drop(reloader);
        for (name, address) in
            [("otlp-grpc", addresses.otlp_grpc), ("otlp-http", addresses.otlp_http), ("query", addresses.query)]
        {
            tracing::info!(name, %address, "listening");
        }
        let sink = sink(journal.clone(), health.clone());
        let receiver = Receiver::new(sink, checked.tokens.clone(), checked.config.limits, health.counters.clone())
            .redacting(checked.config.redact.clone());
        let serve = checked.config.serve;
        let for_questions = for_questions(&serve);
        let receiving =
            net::serve(otlp, otlp::router(receiver), serve, health.receiving.clone(), stop.clone().cancelled_owned());
        let answering = net::serve(
            vec![query],
            api::router(answers(&fold, &health), tokens_of_questions(&addresses, &checked.tokens)),
            for_questions,
            health.answering.clone(),
            stop.clone().cancelled_owned(),
        );
        let maintaining = maintain(journal.clone(), health.clone(), stop.clone());
        let watching = watch(health.clone(), stop.clone());
        tokio::join!(receiving, answering, maintaining, watching);
        let stopped = tokio::task::spawn_blocking(move || match Arc::into_inner(fold) {
            Some(fold) => fold.stop(),
            None => Ok(()),
        });
        stopped.await.unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic()))?;
        tracing::info!("stopped");
        Ok(())
    }
}

/// Connections of those who ask. Answers are large and questions are few: the other way round than with senders.
fn for_questions(serve: &net::ServeSettings) -> net::ServeSettings {
    net::ServeSettings {
        max_connections: serve.max_connections.min(QUESTION_CONNECTIONS),
        window_pool: QUESTION_WINDOWS,
        ..serve.clone()
    }
}

/// Questions from this machine need no token: who is on it can read the store anyway. From elsewhere they need one
/// wherever senders do.
fn tokens_of_questions(addresses: &Addresses, tokens: &net::Tokens) -> net::Tokens {
    if addresses.query.ip().is_loopback() { net::Tokens::not_required() } else { tokens.clone() }
}

/// Connects the receivers to the journal: an answer only after the sync.
fn sink(journal: Arc<Journal>, health: Arc<Health>) -> Sink {
    Sink::new(move |accepted| {
        let (journal, health) = (journal.clone(), health.clone());
        async move {
            if health.lag() > MAX_LAG {
                return Err(Refusal::Overloaded { retry_after: OVERLOAD_RETRY });
            }
            journal.append(entry(accepted)).await.map(drop).map_err(refusal)
        }
    })
}

fn entry(accepted: Accepted) -> Entry {
    let Accepted { tenant, role, signal, body, accepted, rejected } = accepted;
    let entry = match signal {
        Signal::Logs => Entry::logs(tenant, role, accepted, body),
        Signal::Traces | Signal::Metrics => Entry::traces(tenant, role, accepted, body),
    };
    entry.with_rejected(rejected.into_iter().map(|(reason, count)| Rejection { reason, count }).collect())
}

fn refusal(error: AppendError) -> Refusal {
    match error {
        AppendError::Full => Refusal::Overloaded { retry_after: OVERLOAD_RETRY },
        AppendError::NoSpace => Refusal::NoSpace,
        AppendError::TooLarge(_) => Refusal::TooLarge,
        AppendError::Poisoned | AppendError::Closed => Refusal::Unavailable(error.to_string()),
    }
}

/// The budget in bytes. A share of a small disk may be less than anything can work with; who named bytes was told.
fn budget(disk: Disk, data: &Path) -> u64 {
    let budget = disk.budget(size_of_disk(data));
    if budget < Disk::MIN {
        let (share, taken) = (budget >> 20, Disk::MIN >> 20);
        tracing::warn!(share, taken, "the share of the disk is too small, in MiB; the least possible is taken");
    }
    budget.max(Disk::MIN)
}

/// A journal whose segments fit the disk, and whose queue holds the largest request that is let in.
fn journal_options(budget: Budget, largest: usize) -> Options {
    let options = Options::default();
    Options { segment_bytes: budget.file(), queue_bytes: options.queue_bytes.max(largest), ..options }
}

/// The size of the filesystem that holds a folder, in bytes. The folder may not be there yet.
fn size_of_disk(folder: &Path) -> u64 {
    let size = |it: rustix::fs::StatVfs| it.f_blocks.saturating_mul(it.f_frsize);
    let here = Path::new(".");
    let mut existing = folder.ancestors().map(|it| if it.as_os_str().is_empty() { here } else { it });
    existing.find_map(|it| rustix::fs::statvfs(it).ok()).map_or(u64::MAX, size)
}

/// Compresses sealed segments and removes those that are applied and old; all that are applied when the journal takes
/// more than its part of the disk.
async fn maintain(journal: Arc<Journal>, health: Arc<Health>, stop: CancellationToken) {
    let mut due = Instant::now() + MAINTENANCE;
    let mut pause = LOOK;
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(pause) => {}
        }
        pause = LOOK;
        let outgrown = journal.stats().disk_bytes > Budget(health.disk).journal();
        if !outgrown && Instant::now() < due {
            continue;
        }
        due = Instant::now() + MAINTENANCE;
        let journal = journal.clone();
        let applied = health.status.applied.load(std::sync::atomic::Ordering::Acquire);
        let done = tokio::task::spawn_blocking(move || {
            let removed = journal.retire(applied, if outgrown { Span(0) } else { FRAMES_KEPT });
            [journal.compress_sealed().err(), removed.err()]
        });
        for error in done.await.into_iter().flatten().flatten() {
            tracing::warn!(error = causes(&error), "journal maintenance failed; it is tried again in a minute");
            pause = MAINTENANCE;
        }
    }
}

/// Says once when something stops working, and when it works again. Ends the process when the fold has stopped: a
/// collector that no longer judges must not look healthy.
async fn watch(health: Arc<Health>, stop: CancellationToken) {
    let mut before = None;
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(LOOK) => {}
        }
        let now = health.readiness();
        tell_change(&mut before, &now);
        if health.status.failed.load(std::sync::atomic::Ordering::Acquire) {
            stop.cancel();
        }
    }
}

fn tell_change(before: &mut Option<String>, now: &Readiness) {
    if *before == now.reason {
        return;
    }
    let Readiness { ingest, judging, reason, .. } = now;
    match reason {
        Some(reason) => tracing::warn!(ingest, judging, reason, "not all is well"),
        None => tracing::info!("all is well again"),
    }
    before.clone_from(reason);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_largest_request_that_is_let_in_fits_the_journals_queue() {
        let options = |largest| journal_options(Budget(Disk::MIN), largest);
        assert_eq!(options(100 << 20).queue_bytes, 100 << 20);
        assert_eq!(options(1).queue_bytes, Options::default().queue_bytes);
        assert!(options(1).segment_bytes < Disk::MIN / 8);
    }
}
