//! The server: settings first, ports later, shutdown last.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::api;
use crate::config::Checked;
use crate::journal::{AppendError, Entry, Journal, JournalError, Options, Rejection};
use crate::model::{Signal, Span};
use crate::net;
use crate::otlp::{self, Accepted, Counters, Receiver, Refusal, Sink};

use super::answers::answers;
use super::configuration::Written;
use super::fold::{Fold, FoldError, Settings};
use super::health::{Health, MAX_LAG, wall};

/// How long raw frames are kept once they are applied.
const FRAMES_KEPT: Span = Span::days(3);
/// How often sealed segments are compressed and old ones removed.
const MAINTENANCE: Duration = Duration::from_secs(60);
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
        let written = Written { constants: checked.config.constants, envelopes: checked.envelopes.clone() };
        let memory = usize::try_from(checked.config.memory).unwrap_or(usize::MAX);
        let (disk, checkpoint) = (checked.config.disk, checked.config.checkpoint);
        let opened = tokio::task::spawn_blocking(move || -> Result<_, ServeError> {
            let (journal, recovery) = Journal::open(&data.join("journal"), Options::default())?;
            tracing::info!(last = recovery.last_sequence, cut = recovery.bytes_cut, "the journal is open");
            let journal = Arc::new(journal);
            let settings = Settings { memory, disk: disk.budget(size_of_disk(&data)), checkpoint };
            let fold = Fold::start(journal.clone(), &data.join("store"), &written, settings)?;
            Ok((journal, fold, settings))
        });
        let opened = opened.await.unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic()));
        let (journal, fold, settings) = opened?;
        let health = Arc::new(Health {
            journal: journal.clone(),
            status: fold.status.clone(),
            counters: Arc::new(Counters::default()),
            objectives: checked.config.objectives.clone(),
            receiving: Arc::default(),
            answering: Arc::default(),
            disk: settings.disk,
            started: wall(),
        });
        Ok(Self { addresses, otlp: vec![grpc, http], query, checked, journal, fold: Arc::new(fold), health })
    }

    /// Serves until `stop`, then drains connections, folds what is left and takes a last checkpoint.
    ///
    /// # Errors
    /// When the fold stopped on an error.
    pub async fn run(self, stop: CancellationToken) -> Result<(), ServeError> {
        let Self { addresses, otlp, query, checked, journal, fold, health } = self;
        for (name, address) in
            [("otlp-grpc", addresses.otlp_grpc), ("otlp-http", addresses.otlp_http), ("query", addresses.query)]
        {
            tracing::info!(name, %address, "listening");
        }
        let sink = sink(journal.clone(), health.clone());
        let receiver = Receiver::new(sink, checked.tokens.clone(), checked.config.limits, health.counters.clone())
            .redacting(checked.config.redact.clone());
        let serve = checked.config.serve.clone();
        let receiving = net::serve(
            otlp,
            otlp::router(receiver),
            serve.clone(),
            health.receiving.clone(),
            stop.clone().cancelled_owned(),
        );
        let answering = net::serve(
            vec![query],
            api::router(answers(&fold, &health), tokens_of_questions(&addresses, &checked.tokens)),
            serve,
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

/// The size of the filesystem that holds a folder, in bytes.
fn size_of_disk(folder: &std::path::Path) -> u64 {
    let size = |it: rustix::fs::StatVfs| it.f_blocks.saturating_mul(it.f_frsize);
    rustix::fs::statvfs(folder).map_or(u64::MAX, size)
}

/// Compresses sealed segments and removes those that are applied and old; all that are applied when the journal takes
/// more than half of the disk's budget.
async fn maintain(journal: Arc<Journal>, health: Arc<Health>, stop: CancellationToken) {
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(MAINTENANCE) => {}
        }
        let journal = journal.clone();
        let applied = health.status.applied.load(std::sync::atomic::Ordering::Acquire);
        let half = health.disk / 2;
        let done = tokio::task::spawn_blocking(move || {
            let rewritten = journal.compress_sealed();
            let mut removed = journal.retire(applied, FRAMES_KEPT);
            if journal.stats().disk_bytes > half {
                removed = journal.retire(applied, Span(0));
            }
            (rewritten.map(drop), removed.map(drop))
        });
        if let Ok(done) = done.await {
            for error in [done.0.err(), done.1.err()].into_iter().flatten() {
                tracing::warn!(%error, "journal maintenance failed; it is tried again in a minute");
            }
        }
    }
}

/// Ends the process when the fold has stopped: a collector that no longer judges must not look healthy.
async fn watch(health: Arc<Health>, stop: CancellationToken) {
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(Duration::from_secs(1)) => {}
        }
        if health.status.failed.load(std::sync::atomic::Ordering::Acquire) {
            stop.cancel();
        }
    }
}
