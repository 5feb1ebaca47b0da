//! One connection, from its acceptance to its end, and those that are not accepted.

use std::convert::Infallible;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use axum::Router;
use http::Request;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::OwnedSemaphorePermit;
use tower::ServiceExt;

use super::activity::{Activity, Waits};
use super::budget::Reservation;
use super::serve::{Connections, ServeSettings, Shared};

/// The smallest window HTTP/2 allows without a further frame (RFC 9113 §6.9.2): what a connection gets when the
/// windows of the others have used up the pool.
const WINDOW_MIN: usize = 65_535;

/// A newcomer's window is at most this part of what is left of the pool: the first few connections get all they can
/// use, and the sum stays bounded however many there are.
const WINDOW_PART: usize = 8;

/// How long a peer may take to see that it is asked to go, or turned away.
const FAREWELL: Duration = Duration::from_secs(1);

/// What HTTP/1 is told beyond the limit. HTTP/2 knows a closed connection as a reason to try again.
const TURNED_AWAY: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\n\
    retry-after: 1\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
/// How a connection of HTTP/2 begins.
const HTTP2: &[u8] = b"PRI";

/// Serves one connection to its end.
pub(super) async fn connection(stream: TcpStream, router: Router, shared: Shared, slot: OwnedSemaphorePermit) {
    let counters = shared.connections.clone();
    counters.accepted.fetch_add(1, Ordering::Relaxed);
    let open = Open::count(counters.clone());
    let settings = shared.settings.clone();
    // Replies are small and whole; waiting to fill a packet would only delay them.
    let _ = stream.set_nodelay(true);
    let window = shared.windows.share(WINDOW_PART, settings.connection_window as usize);
    let builder = builder(&settings, &window);
    let activity = Activity::new();
    let (asking, answers) = (activity.clone(), shared.answers.clone());
    let service = service_fn(move |request: Request<Incoming>| {
        let (asked, answers) = (asking.ask(), answers.clone());
        let answered = router.clone().oneshot(request);
        async move { Ok::<_, Infallible>(asked.answer(answered.await?, &answers)) }
    });
    let mut served = pin!(builder.serve_connection(TokioIo::new(stream), service));
    let (mut stop, mut crowd) = (shared.stop.clone(), shared.crowd.subscribe());
    let (mut stopping, mut leaving) = (false, false);
    let ended = loop {
        let idle = match leaving {
            true => FAREWELL,
            false if *crowd.borrow_and_update() => settings.idle_when_crowded,
            false => settings.header_timeout,
        };
        let left = || activity.waits().left(idle, settings.answer_timeout);
        // Who works is looked at again when it may wait for its peer.
        let look = left().unwrap_or(idle).min(settings.answer_timeout);
        tokio::select! {
            ended = served.as_mut() => break ended.err(),
            // An error means that the sender is gone: that is a stop too.
            _ = stop.wait_for(|stop| *stop), if !stopping => {
                stopping = true;
                served.as_mut().graceful_shutdown();
            }
            _ = crowd.changed(), if !leaving => {}
            () = tokio::time::sleep(look) => match activity.waits() {
                _ if left() != Some(Duration::ZERO) => {}
                Waits::Idle(_) if !leaving => {
                    leaving = true;
                    activity.begin_again();
                    served.as_mut().graceful_shutdown();
                }
                _ => {
                    counters.timed_out.fetch_add(1, Ordering::Relaxed);
                    break None;
                }
            },
        }
    };
    if let Some(error) = ended {
        counters.failed.fetch_add(1, Ordering::Relaxed);
        tracing::debug!(%error, "connection ended early");
    }
    drop((slot, open));
    shared.look_at_crowd();
}

/// Says that there is no room, if the peer can be told without waiting long for it.
pub(super) async fn turn_away(mut stream: TcpStream) {
    let told = async {
        let mut read = [0; 4096];
        let length = stream.read(&mut read).await?;
        if !read[..length].starts_with(HTTP2) {
            stream.write_all(TURNED_AWAY).await?;
            stream.shutdown().await?;
            // What is not read when the socket closes takes the answer back.
            while stream.read(&mut read).await? > 0 {}
        }
        Ok::<_, std::io::Error>(())
    };
    // Whoever does not listen is not told.
    let _ = tokio::time::timeout(FAREWELL, told).await;
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
