//! The whole path: a client, a server in a process of its own, loopback between them. The server is wherefore with its
//! defaults, or an empty one: tonic, the same transport settings, a codec that hands on bytes, and nothing behind it.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use axum::Router;
use axum::body::Body;
use axum::routing::post;
use bytes::{Buf, BufMut, Bytes};
use http::Request;
use http::uri::PathAndQuery;
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;
use tonic::Status;
use tonic::client;
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::transport::{Channel, Endpoint};
use wherefore::config;
use wherefore::model::{Nanos, Span as Time};
use wherefore::net::{self, Connections, ServeSettings};
use wherefore::pipeline::Server;

use crate::cpu::per;
use crate::payload::{self, Content, SPANS};
use crate::table::{Rows, number, share};
use crate::view::prost;

/// The argument that makes this program a server.
const SERVE: &str = "--serve";
const EXPORT: &str = "/opentelemetry.proto.collector.trace.v1.TraceService/Export";
/// Sent before anything is measured, then measured.
const WARM_UP: usize = 50;
const REQUESTS: usize = 500;
/// Connections of the client, and requests in flight on each.
const CONNECTIONS: usize = 2;
const IN_FLIGHT: usize = 8;

pub fn run() {
    let mut rows = Rows::new(
        "whole path over gRPC: CPU seconds per million spans of the server, in brackets as a multiple of the empty one",
        &["", "rich", "lean"],
    );
    let columns = Content::BOTH.map(column);
    let cells = |of: &dyn Fn(&Column) -> String| columns.each_ref().map(of);
    let thread = |name: &'static str| move |column: &Column| share(column.wherefore.of(name), column.empty.cpu());
    for (name, [rich, lean]) in [
        ("empty tonic server", cells(&|column| number(column.empty.cpu()))),
        ("wherefore: receive, validate, reply", cells(&thread("tokio-rt-worker"))),
        ("wherefore: journal", cells(&thread("journal"))),
        ("wherefore: fold, judge, store", cells(&thread("fold"))),
        ("wherefore: all", cells(&|column| share(column.wherefore.cpu(), column.empty.cpu()))),
        ("prost decode + drop, for comparison", cells(&|column| number(column.prost))),
        ("acknowledged spans/s, empty", cells(&|column| format!("{:.0}", column.empty.rate))),
        ("acknowledged spans/s, wherefore", cells(&|column| format!("{:.0}", column.wherefore.rate))),
        ("latency p50 / p99 ms, empty", cells(&|column| column.empty.latency())),
        ("latency p50 / p99 ms, wherefore", cells(&|column| column.wherefore.latency())),
    ] {
        rows.row([name.to_owned(), rich, lean]);
    }
    rows.print();
}

/// Serves, if that is what this process was started for.
pub fn is_server(arguments: &[String]) -> bool {
    let Some(at) = arguments.iter().position(|argument| argument == SERVE) else { return false };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime starts");
    match arguments.get(at + 1).map(String::as_str) {
        Some("empty") => runtime.block_on(serve_empty()),
        Some(dir) => runtime.block_on(serve_wherefore(Path::new(dir))),
        None => {}
    }
    true
}

struct Column {
    empty: Run,
    wherefore: Run,
    prost: f64,
}

fn column(content: Content) -> Column {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("the clock is right");
    // Turns of the near past, so that nothing is late and most settles while it is measured.
    let start = Nanos((now - Duration::from_secs(60)).as_nanos() as u64);
    let requests = payload::requests_within(content, WARM_UP + REQUESTS, start, Duration::from_secs(60));
    let prost = prost(&requests).micros;
    let empty = measure(&Peer::start("empty"), &requests);
    let dir = TempDir::new_in(env!("CARGO_TARGET_TMPDIR")).expect("the build folder can be written to");
    let wherefore = measure(&Peer::start(&dir.path().display().to_string()), &requests);
    Column { empty, wherefore, prost }
}

/// What one server did.
struct Run {
    /// Acknowledged spans a second.
    rate: f64,
    /// Microseconds of CPU per span, by the name of the thread.
    threads: Vec<(String, f64)>,
    latencies: Vec<Duration>,
}

impl Run {
    fn of(&self, thread: &str) -> f64 {
        self.threads.iter().filter(|(name, _)| name == thread).map(|(_, spent)| spent).sum()
    }

    fn cpu(&self) -> f64 {
        self.threads.iter().map(|(_, spent)| spent).sum()
    }

    fn latency(&self) -> String {
        let at = |part: usize| self.latencies[(self.latencies.len() - 1) * part / 100].as_secs_f64() * 1e3;
        format!("{} / {}", number(at(50)), number(at(99)))
    }
}

/// Sends everything and waits until the server has nothing left to do.
fn measure(peer: &Peer, requests: &[Bytes]) -> Run {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime starts");
    let (warm_up, measured) = requests.split_at(WARM_UP);
    runtime.block_on(send(peer.otlp, warm_up));
    peer.settle();
    let before = peer.threads();
    let started = Instant::now();
    let mut latencies = runtime.block_on(send(peer.otlp, measured));
    let took = started.elapsed();
    peer.settle();
    let spans = measured.len() * SPANS;
    let spent = |(name, after): (String, Duration)| {
        let before = before.iter().find(|(known, _)| *known == name).map_or(Duration::ZERO, |(_, spent)| *spent);
        let spent = per(after - before, spans).micros;
        (name, spent)
    };
    latencies.sort_unstable();
    Run { rate: spans as f64 / took.as_secs_f64(), threads: peer.threads().into_iter().map(spent).collect(), latencies }
}

/// A server process. Dropping it ends it.
struct Peer {
    child: Child,
    otlp: SocketAddr,
    /// Where its own figures are, if it has any.
    query: Option<SocketAddr>,
}

impl Peer {
    fn start(what: &str) -> Self {
        let program = std::env::current_exe().expect("this program has a path");
        let mut child = Command::new(program)
            .args(["--bench", SERVE, what])
            .stdout(Stdio::piped())
            .spawn()
            .expect("this program can be started again");
        let mut line = String::new();
        let output = child.stdout.take().expect("it is piped");
        BufReader::new(output).read_line(&mut line).expect("the server says where it listens");
        let mut addresses = line.split_whitespace().map(|word| word.parse().expect("an address"));
        Self { child, otlp: addresses.next().expect("it listens"), query: addresses.next() }
    }

    /// CPU time of its threads so far, summed by name.
    fn threads(&self) -> Vec<(String, Duration)> {
        let tasks = std::fs::read_dir(format!("/proc/{}/task", self.child.id())).expect("the server runs");
        let mut threads: Vec<(String, Duration)> = Vec::new();
        for task in tasks.flatten() {
            let read = |file: &str| std::fs::read_to_string(task.path().join(file)).unwrap_or_default();
            let name = read("comm").trim().to_owned();
            let nanos = read("schedstat").split_whitespace().next().and_then(|first| first.parse().ok());
            let spent = Duration::from_nanos(nanos.unwrap_or(0));
            match threads.iter_mut().find(|(known, _)| *known == name) {
                Some((_, sum)) => *sum += spent,
                None => threads.push((name, spent)),
            }
        }
        threads
    }

    /// Waits until everything that was acknowledged is settled and in a checkpoint.
    fn settle(&self) {
        let Some(query) = self.query else { return };
        let busy = || {
            let page = get(query, "/metrics");
            let figure = |name: &str| {
                let line = page.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
                line.and_then(|value| value.parse::<f64>().ok()).unwrap_or(f64::NAN)
            };
            let open = figure("wherefore_open_actions") + figure("wherefore_open_turns");
            let behind = figure("wherefore_journal_frames_total") - figure("wherefore_applied_frame");
            open + behind != 0.0
        };
        while busy() {
            std::thread::sleep(Duration::from_millis(200));
        }
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        // It may have ended by itself; then there is nothing to end.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn get(address: SocketAddr, path: &str) -> String {
    let mut answer = String::new();
    let asked = TcpStream::connect(address).and_then(|mut stream| {
        write!(stream, "GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n")?;
        stream.read_to_string(&mut answer)
    });
    asked.expect("the server answers");
    answer
}

/// Sends each request once, some at a time, and tells how long each took to be acknowledged.
async fn send(address: SocketAddr, requests: &[Bytes]) -> Vec<Duration> {
    let requests: Arc<[Bytes]> = requests.into();
    let next = Arc::new(AtomicUsize::new(0));
    let mut senders = tokio::task::JoinSet::new();
    for _ in 0..CONNECTIONS {
        let channel = Endpoint::from_shared(format!("http://{address}"))
            .expect("an address is a URL")
            .initial_stream_window_size(4 << 20)
            .initial_connection_window_size(16 << 20)
            .connect()
            .await
            .expect("the server listens");
        for _ in 0..IN_FLIGHT {
            senders.spawn(sender(channel.clone(), requests.clone(), next.clone()));
        }
    }
    senders.join_all().await.concat()
}

async fn sender(channel: Channel, requests: Arc<[Bytes]>, next: Arc<AtomicUsize>) -> Vec<Duration> {
    let mut client = client::Grpc::new(channel);
    let mut took = Vec::new();
    while let Some(body) = requests.get(next.fetch_add(1, Ordering::Relaxed)) {
        client.ready().await.expect("the connection stays");
        let started = Instant::now();
        let path = PathAndQuery::from_static(EXPORT);
        let answer = client.unary(tonic::Request::new(body.clone()), path, Raw).await;
        answer.expect("the request is acknowledged");
        took.push(started.elapsed());
    }
    took
}

/// wherefore as `serve` starts it, with its data in `dir`.
async fn serve_wherefore(dir: &Path) {
    let mut checked = config::check(None, false).expect("the defaults are right");
    checked.config.data = dir.to_owned();
    // Short waits, so that everything is settled before the end of the bench. The work is the same.
    checked.config.constants.grace = Time::seconds(2);
    checked.config.constants.check_within = Time::seconds(1);
    let listen = &mut checked.config.listen;
    for listener in [&mut listen.otlp_grpc, &mut listen.otlp_http, &mut listen.query] {
        listener.set_port(0);
    }
    let server = Server::start(checked).await.expect("the server starts");
    say(&format!("{} {}", server.addresses.otlp_grpc, server.addresses.query));
    server.run(CancellationToken::new()).await.expect("the server runs");
}

async fn serve_empty() {
    let listener = net::bind(SocketAddr::from(([127, 0, 0, 1], 0))).await.expect("a port is free");
    say(&listener.local_addr().expect("it is bound").to_string());
    let answer = |request: Request<Body>| async {
        let drop_it = tower::service_fn(|message: tonic::Request<Bytes>| async {
            drop(message);
            Ok::<_, Status>(tonic::Response::new(Bytes::new()))
        });
        tonic::server::Grpc::new(Raw).max_decoding_message_size(64 << 20).unary(drop_it, request).await
    };
    let router = Router::new().route(EXPORT, post(answer));
    let connections = Arc::new(Connections::default());
    net::serve(vec![listener], router, ServeSettings::default(), connections, std::future::pending()).await;
}

fn say(line: &str) {
    println!("{line}");
    std::io::stdout().flush().expect("somebody reads");
}

/// Messages as bytes.
struct Raw;

impl Codec for Raw {
    type Encode = Bytes;
    type Decode = Bytes;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        Self
    }

    fn decoder(&mut self) -> Self {
        Self
    }
}

impl Encoder for Raw {
    type Item = Bytes;
    type Error = Status;

    fn encode(&mut self, message: Bytes, out: &mut EncodeBuf<'_>) -> Result<(), Status> {
        out.put(message);
        Ok(())
    }
}

impl Decoder for Raw {
    type Item = Bytes;
    type Error = Status;

    fn decode(&mut self, buffer: &mut DecodeBuf<'_>) -> Result<Option<Bytes>, Status> {
        Ok(Some(buffer.copy_to_bytes(buffer.remaining())))
    }
}
