//! Peers that hold on to what everybody shares: connections that ask nothing, and answers that nobody reads.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use axum::Router;
use axum::routing::get;
use http::Request;
use http_body_util::Empty;
use hyper::body::Bytes;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use wherefore::net::{Connections, ServeSettings, bind, serve};

use crate::receive_server::{Reply, SHORT, Version, send};
use crate::support::monitoring::eventually;

/// How long anything may take before a test fails.
const PATIENCE: Duration = Duration::from_secs(60);
/// More than the buffers of two sockets hold.
const LARGE: usize = 16 << 20;

/// A server that gives large answers and small ones. Ends when dropped.
struct Server {
    port: SocketAddr,
    connections: Arc<Connections>,
    _stop: oneshot::Sender<()>,
}

impl Server {
    async fn start(settings: ServeSettings) -> Self {
        let router = Router::new()
            .route("/large", get(async || Bytes::from(vec![b'x'; LARGE])))
            .route("/small", get(async || "small"));
        let listener = bind("127.0.0.1:0".parse().unwrap()).await.unwrap();
        let port = listener.local_addr().unwrap();
        let connections = Arc::new(Connections::default());
        let (stop, stopped) = oneshot::channel::<()>();
        let stopped = async { drop(stopped.await) };
        tokio::spawn(serve(vec![listener], router, settings, connections.clone(), stopped));
        Self { port, connections, _stop: stop }
    }

    async fn get(&self, path: &str) -> Reply {
        send(self.port, Version::Http1, question(path)).await
    }

    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.port).await.unwrap()
    }

    async fn counts(&self, what: &str, counter: impl Fn(&Connections) -> &AtomicU64, number: u64) {
        eventually(what, async || (counter(&self.connections).load(Ordering::Relaxed) == number).then_some(())).await;
    }
}

fn question(path: &str) -> Request<Empty<Bytes>> {
    Request::get(format!("http://wherefore{path}")).header("host", "wherefore").body(Empty::new()).unwrap()
}

/// The answer of somebody who wants nothing but to be gone.
async fn last_words(mut stream: TcpStream) -> String {
    let mut text = String::new();
    // A reset is an end too.
    let ended = tokio::time::timeout(PATIENCE, stream.read_to_string(&mut text)).await;
    ended.map(drop).expect("the connection is closed");
    text
}

#[tokio::test]
async fn beyond_the_limit_a_peer_is_told_to_come_back_and_counted() {
    let server = Server::start(ServeSettings { max_connections: 2, ..ServeSettings::default() }).await;
    let _held = [server.connect().await, server.connect().await];
    server.counts("two are open", |it| &it.open, 2).await;
    let reply = server.get("/small").await;
    assert_eq!((reply.status.as_u16(), reply.header("retry-after")), (503, Some("1")));
    // HTTP/2 would not understand that; it sees the end.
    let mut http2 = server.connect().await;
    http2.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await.unwrap();
    assert_eq!(last_words(http2).await, "");
    server.counts("both were refused", |it| &it.refused, 2).await;
    assert_eq!(server.connections.accepted.load(Ordering::Relaxed), 2);
}

#[tokio::test]
async fn whoever_asks_nothing_goes_when_it_is_crowded() {
    let limits = ServeSettings { idle_when_crowded: SHORT, header_timeout: PATIENCE * 60, ..ServeSettings::default() };
    let settings = ServeSettings { max_connections: 1, ..limits };
    let server = Server::start(settings).await;
    let silent = server.connect().await;
    assert_eq!(last_words(silent).await, "");
    server.counts("nobody is left", |it| &it.open, 0).await;
    let mut half = server.connect().await;
    half.write_all(b"GET /small HTTP/1.1\r\nhost:").await.unwrap();
    assert_eq!(last_words(half).await, "");
    server.counts("nobody is left", |it| &it.open, 0).await;
    let io = TokioIo::new(server.connect().await);
    let (mut sender, http2) = hyper::client::conn::http2::handshake(TokioExecutor::new(), io).await.unwrap();
    let http2 = tokio::spawn(http2);
    assert_eq!(sender.send_request(question("/small")).await.unwrap().status(), 200);
    http2.await.unwrap().expect("it is asked to go, and goes");
    server.counts("nobody is left", |it| &it.open, 0).await;
    assert_eq!(server.get("/small").await.status, 200);
}

#[tokio::test]
async fn a_connection_between_two_requests_has_its_limit_on_both_protocols() {
    let server = Server::start(ServeSettings { header_timeout: SHORT, ..ServeSettings::default() }).await;
    let io = TokioIo::new(server.connect().await);
    let (mut sender, http2) = hyper::client::conn::http2::handshake(TokioExecutor::new(), io).await.unwrap();
    let http2 = tokio::spawn(http2);
    let mut http1 = server.connect().await;
    http1.write_all(b"GET /small HTTP/1.1\r\nhost: wherefore\r\n\r\n").await.unwrap();
    assert_eq!(sender.send_request(question("/small")).await.unwrap().status(), 200);
    assert!(last_words(http1).await.ends_with("small"));
    http2.await.unwrap().expect("it is asked to go, and goes");
    server.counts("nobody is left", |it| &it.open, 0).await;
}

/// A peer that asks for a large answer and reads nothing.
async fn greedy(server: &Server, version: Version) -> Box<dyn std::any::Any> {
    match version {
        Version::Http1 => {
            let mut stream = server.connect().await;
            stream.write_all(b"GET /large HTTP/1.1\r\nhost: wherefore\r\n\r\n").await.unwrap();
            Box::new(stream)
        }
        Version::Http2 => {
            let io = TokioIo::new(server.connect().await);
            let (mut sender, http2) = hyper::client::conn::http2::handshake(TokioExecutor::new(), io).await.unwrap();
            tokio::spawn(http2);
            // Its connection is alive and answers pings; only its window is used up.
            Box::new(sender.send_request(question("/large")).await.unwrap())
        }
    }
}

#[tokio::test]
async fn answers_that_nobody_reads_are_bounded_and_given_up() {
    for version in [Version::Http1, Version::Http2] {
        let settings = ServeSettings { answers: LARGE + 1, answer_timeout: SHORT * 5, ..ServeSettings::default() };
        let server = Server::start(settings).await;
        let _greedy = greedy(&server, version).await;
        eventually("there is no room for another large answer", async || {
            let reply = server.get("/large").await;
            (reply.status == 503 && reply.header("retry-after").is_some()).then_some(())
        })
        .await;
        assert_eq!(server.get("/small").await.status, 200, "small answers need no room");
        server.counts("the first is given up", |it| &it.timed_out, 1).await;
        let reply = server.get("/large").await;
        assert_eq!((reply.status.as_u16(), reply.body.len()), (200, LARGE), "{version:?}");
    }
}
