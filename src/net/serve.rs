//! The accept loop: HTTP/1.1 and HTTP/2 with prior knowledge, told apart per connection, on every listener alike.
//!
//! A hand-written loop loses the settings that a ready-made server would bring, so each is set here: `TCP_NODELAY`,
//! windows, frame size, keep-alive, and a timer for both protocols, without which their time limits do nothing.
//! Connections wait in the kernel's backlog while the limit is reached.

use std::future::Future;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use axum::Router;
use http::Request;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::JoinSet;
use tower::ServiceExt;

use super::budget::{Budget, Reservation};

/// The smallest window HTTP/2 allows without a further frame (RFC 9113 §6.9.2): what a connection gets when the
/// windows of the others have used up the pool.
const WINDOW_MIN: usize = 65_535;

/// A newcomer's window is at most this part of what is left of the pool: the first few connections get all they can
/// use, and the sum stays bounded however many there are.
const WINDOW_PART: usize = 8;

/// How connections are treated. The defaults are meant for exporters that send a batch every few seconds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServeSettings {
    /// Connections open at once, over all listeners; each listener keeps one of them for its next. 1024: a file
    /// descriptor each, under the usual limit.
    pub max_connections: usize,
    /// Largest HTTP/2 frame accepted, bytes. 1 MiB: a batch arrives in a few frames instead of hundreds.
    pub max_frame: u32,
    /// HTTP/2 window of one stream, bytes. 4 MiB: a full batch never waits for a window update.
    pub stream_window: u32,
    /// HTTP/2 window of one connection, bytes.
    pub connection_window: u32,
    /// All connection windows together, bytes; this is memory that peers may fill at will.
    pub window_pool: usize,
    /// Requests at once on one HTTP/2 connection.
    pub max_streams: u32,
    /// Read buffer of one HTTP/1.1 connection, bytes: the largest head of a request, too. 128 KiB.
    pub http1_buffer: usize,
    /// Longest wait for the head of a request, and for the first request of a connection. 75 s leaves exporters with
    /// a period of a minute on one connection.
    pub header_timeout: Duration,
    /// Quiet time after which an HTTP/2 peer is asked whether it still lives.
    pub keep_alive: Duration,
    /// Wait for its answer.
    pub keep_alive_timeout: Duration,
    /// Longest wait for running requests at shutdown.
    pub drain: Duration,
}

impl Default for ServeSettings {
    fn default() -> Self {
        Self {
            max_connections: 1024,
            max_frame: 1 << 20,
            stream_window: 4 << 20,
            connection_window: 16 << 20,
            window_pool: 256 << 20,
            max_streams: 256,
            http1_buffer: 128 << 10,
            header_timeout: Duration::from_secs(75),
            keep_alive: Duration::from_secs(30),
            keep_alive_timeout: Duration::from_secs(20),
            drain: Duration::from_secs(10),
        }
    }
}

/// What the accept loops have seen. Plain counters, handed in; totals only grow.
#[derive(Debug, Default)]
pub struct Connections {
    /// Accepted since the start.
    pub accepted: AtomicU64,
    /// Open now.
    pub open: AtomicU64,
    /// Ended by an error of the peer or of the network.
    pub failed: AtomicU64,
    /// Cut at shutdown because a request was still running when `drain` had passed.
    pub cut: AtomicU64,
}

/// A listener could not be opened.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on `{address}`")]
pub struct BindError {
    /// The address.
    pub address: SocketAddr,
    /// What the system said.
    pub source: std::io::Error,
}

/// Opens a listener. Call [`super::check_exposure`] first.
pub async fn bind(address: SocketAddr) -> Result<TcpListener, BindError> {
    TcpListener::bind(address).await.map_err(|source| BindError { address, source })
}

/// Answers every request on every listener with `router`, until `stop` completes; then lets running requests end,
/// at most for [`ServeSettings::drain`].
pub async fn serve(
    listeners: Vec<TcpListener>,
    router: Router,
    settings: ServeSettings,
    connections: Arc<Connections>,
    stop: impl Future<Output = ()>,
) {
    let (stop_sender, stop_receiver) = watch::channel(false);
    let shared = Shared {
        slots: Arc::new(Semaphore::new(settings.max_connections.max(listeners.len()))),
        windows: Budget::new(settings.window_pool),
        settings: Arc::new(settings),
        connections,
        stop: stop_receiver,
    };
    let mut loops = JoinSet::new();
    for listener in listeners {
        loops.spawn(accept(listener, router.clone(), shared.clone()));
    }
    stop.await;
    stop_sender.send_replace(true);
    while loops.join_next().await.is_some() {}
}

/// What all accept loops and connections have in common.
#[derive(Clone)]
struct Shared {
    slots: Arc<Semaphore>,
    windows: Budget,
    settings: Arc<ServeSettings>,
    connections: Arc<Connections>,
    stop: watch::Receiver<bool>,
}

impl Shared {
    async fn stopped(&mut self) {
        // An error means that the sender is gone: that is a stop too.
        let _ = self.stop.wait_for(|stop| *stop).await;
    }
}

async fn accept(listener: TcpListener, router: Router, shared: Shared) {
    let mut open = JoinSet::new();
    let (slots, mut stop) = (shared.slots.clone(), shared.clone());
    loop {
        tokio::select! {
            biased;
            () = stop.stopped() => break,
            Some(_) = open.join_next(), if !open.is_empty() => {}
            (slot, stream) = next(&listener, &slots) => {
                open.spawn(connection(stream, router.clone(), shared.clone(), slot));
            }
        }
    }
    drop(listener);
    let all = async { while open.join_next().await.is_some() {} };
    if tokio::time::timeout(shared.settings.drain, all).await.is_err() {
        tracing::warn!(connections = open.len(), "cutting connections whose requests did not end in time");
        shared.connections.cut.fetch_add(open.len() as u64, Ordering::Relaxed);
        open.shutdown().await;
    }
}

/// The next connection, once there is room for it.
async fn next(listener: &TcpListener, slots: &Arc<Semaphore>) -> (Option<OwnedSemaphorePermit>, TcpStream) {
    let slot = slots.clone().acquire_owned().await.ok();
    loop {
        match listener.accept().await {
            Ok((stream, _)) => return (slot, stream),
            // A connection that was gone before it was accepted says nothing about the next one; running out of file
            // descriptors does, and only time helps.
            Err(error) => {
                tracing::warn!(%error, "cannot accept a connection");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
}

/// Serves one connection to its end.
async fn connection(stream: TcpStream, router: Router, mut shared: Shared, _slot: Option<OwnedSemaphorePermit>) {
    let counters = shared.connections.clone();
    counters.accepted.fetch_add(1, Ordering::Relaxed);
    let _open = Open::count(counters.clone());
    let settings = shared.settings.clone();
    // Replies are small and whole; waiting to fill a packet would only delay them.
    let _ = stream.set_nodelay(true);
    let window = shared.windows.share(WINDOW_PART, settings.connection_window as usize);
    let builder = builder(&settings, &window);
    let asked = Arc::new(AtomicBool::new(false));
    let mark = asked.clone();
    let service = service_fn(move |request: Request<Incoming>| {
        mark.store(true, Ordering::Relaxed);
        router.clone().oneshot(request)
    });
    let mut served = pin!(builder.serve_connection(TokioIo::new(stream), service));
    let mut silence = pin!(tokio::time::sleep(settings.header_timeout));
    let (mut listening, mut waiting) = (true, true);
    let result = loop {
        tokio::select! {
            result = served.as_mut() => break result,
            () = shared.stopped(), if listening => {
                listening = false;
                served.as_mut().graceful_shutdown();
            }
            // The time limit of the protocols starts when the protocol is known; a peer that never says which one
            // would hold its slot for ever.
            () = silence.as_mut(), if waiting => {
                waiting = false;
                if !asked.load(Ordering::Relaxed) {
                    served.as_mut().graceful_shutdown();
                }
            }
        }
    };
    if let Err(error) = result {
        counters.failed.fetch_add(1, Ordering::Relaxed);
        tracing::debug!(%error, "connection ended early");
    }
}

fn builder(settings: &ServeSettings, window: &Reservation) -> Builder<TokioExecutor> {
    let connection_window = window.bytes().max(WINDOW_MIN) as u32;
    let mut builder = Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .max_buf_size(settings.http1_buffer)
        .header_read_timeout(settings.header_timeout);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_frame_size(settings.max_frame)
        .initial_stream_window_size(settings.stream_window.min(connection_window))
        .initial_connection_window_size(connection_window)
        .max_concurrent_streams(settings.max_streams)
        .keep_alive_interval(settings.keep_alive)
        .keep_alive_timeout(settings.keep_alive_timeout);
    builder
}

/// Counts a connection as open until it is dropped, by whatever way.
struct Open(Arc<Connections>);

impl Open {
    fn count(connections: Arc<Connections>) -> Self {
        connections.open.fetch_add(1, Ordering::Relaxed);
        Self(connections)
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Ordering::Relaxed);
    }
}
