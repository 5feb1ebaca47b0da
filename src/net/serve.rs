//! The accept loop: HTTP/1.1 and HTTP/2 with prior knowledge, told apart per connection, on every listener alike.
//!
//! A hand-written loop loses the settings that a ready-made server would bring, so each is set here: `TCP_NODELAY`,
//! windows, frame size, keep-alive, and a timer for both protocols, without which their time limits do nothing.
//! Beyond the limit a connection is accepted and closed, with a word where that is cheap: who waits in the kernel's
//! backlog hangs until its own time-out and is seen by nobody. Near the limit idle connections are closed.

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use axum::Router;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;

use super::budget::Budget;
use super::connection::{connection, turn_away};

/// Connections beyond the limit that are told so at once; the others are closed without a word.
const TURNED_AWAY: usize = 64;
/// The last part of the limit: when it is begun, whoever does not use a connection has to go.
const CROWDED_PART: usize = 8;

/// How connections are treated. The defaults are meant for exporters that send a batch every few seconds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServeSettings {
    /// Connections open at once, over all listeners. 1024: a file descriptor each, under the usual limit.
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
    /// Longest wait for a request: the first of a connection, the next, and the head of any. 75 s leaves exporters
    /// with a period of a minute on one connection.
    pub header_timeout: Duration,
    /// The same when an eighth of the connections is left at most. 5 s: whoever asks again comes back.
    pub idle_when_crowded: Duration,
    /// Longest time in which a peer takes no piece of an answer. 30 s: a page of a browser that was put aside.
    pub answer_timeout: Duration,
    /// Bytes of all larger answers together, from when they are made until they are sent. 64 MiB: some pages of a
    /// thousand actions.
    pub answers: usize,
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
            idle_when_crowded: Duration::from_secs(5),
            answer_timeout: Duration::from_secs(30),
            answers: 64 << 20,
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
    /// Closed at once, because as many as may be were open.
    pub refused: AtomicU64,
    /// Closed because their peer had neither asked nor read for too long.
    pub timed_out: AtomicU64,
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
        slots: Arc::new(Semaphore::new(settings.max_connections)),
        windows: Budget::new(settings.window_pool),
        answers: Budget::new(settings.answers),
        crowd: Arc::new(watch::Sender::new(false)),
        full: Arc::default(),
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
pub(super) struct Shared {
    slots: Arc<Semaphore>,
    /// HTTP/2 windows of all connections.
    pub windows: Budget,
    /// Answers of all connections.
    pub answers: Budget,
    /// Whether few connections are left.
    pub crowd: Arc<watch::Sender<bool>>,
    /// Whether it has been said that none is left.
    full: Arc<AtomicBool>,
    pub settings: Arc<ServeSettings>,
    pub connections: Arc<Connections>,
    pub stop: watch::Receiver<bool>,
}

impl Shared {
    /// Tells every connection when it has become crowded, and when it no longer is.
    pub fn look_at_crowd(&self) {
        let crowded = self.slots.available_permits() <= self.settings.max_connections / CROWDED_PART;
        self.crowd.send_if_modified(|before| std::mem::replace(before, crowded) != crowded);
        if !crowded {
            self.full.store(false, Ordering::Relaxed);
        }
    }

    fn count_refused(&self) {
        self.connections.refused.fetch_add(1, Ordering::Relaxed);
        if !self.full.swap(true, Ordering::Relaxed) {
            let limit = self.settings.max_connections;
            tracing::warn!(limit, "connections are refused, because as many as may be are open");
        }
    }
}

async fn accept(listener: TcpListener, router: Router, shared: Shared) {
    let (mut open, mut away) = (JoinSet::new(), JoinSet::new());
    let mut stop = shared.stop.clone();
    loop {
        tokio::select! {
            biased;
            // An error means that the sender is gone: that is a stop too.
            _ = stop.wait_for(|stop| *stop) => break,
            Some(_) = open.join_next(), if !open.is_empty() => {}
            Some(_) = away.join_next(), if !away.is_empty() => {}
            stream = next(&listener) => match shared.slots.clone().try_acquire_owned() {
                Ok(slot) => {
                    shared.look_at_crowd();
                    open.spawn(connection(stream, router.clone(), shared.clone(), slot));
                }
                Err(_) => {
                    shared.look_at_crowd();
                    shared.count_refused();
                    if away.len() < TURNED_AWAY {
                        away.spawn(turn_away(stream));
                    }
                }
            },
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

/// The next connection.
async fn next(listener: &TcpListener) -> TcpStream {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => return stream,
            // A connection that was gone before it was accepted says nothing about the next one; running out of file
            // descriptors does, and only time helps.
            Err(error) => {
                tracing::warn!(%error, "cannot accept a connection");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
}
