//! A receiving wherefore on loopback ports the system chose, with a sink that the test watches, and a client that
//! sends what it is told byte for byte.

use std::convert::Infallible;
use std::io::Write;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::{Body, Frame};
use hyper_util::rt::{TokioExecutor, TokioIo};
use prost::Message;
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tonic::Code;
use tonic_types::pb;
use wherefore::net::{Connections, ServeSettings, Tokens, bind, serve};
use wherefore::otlp::{Accepted, Counters, Limits, Receiver, Refusal, Sink, router};
use wherefore::proto::opentelemetry::proto::collector::logs::v1::ExportLogsServiceRequest;
use wherefore::proto::opentelemetry::proto::collector::metrics::v1::ExportMetricsServiceRequest;
use wherefore::proto::opentelemetry::proto::collector::trace::v1::ExportTraceServiceRequest;
use wherefore::proto::opentelemetry::proto::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};
use wherefore::proto::opentelemetry::proto::metrics::v1::{
    Gauge, Metric, NumberDataPoint, ResourceMetrics, ScopeMetrics, metric,
};
use wherefore::proto::opentelemetry::proto::trace::v1::{ResourceSpans, ScopeSpans, Span};
use wherefore::redact::Policy;

/// How to start a server; every field has the default of the product.
#[derive(Default)]
pub struct Setup {
    pub limits: Limits,
    pub tokens: Tokens,
    pub serve: ServeSettings,
    pub redaction: Policy,
    /// `None`: a sink that accepts everything.
    pub sink: Option<Sink>,
}

/// A running server. Dropping it stops it at once.
pub struct Server {
    /// Two ports, as 4317 and 4318.
    pub ports: [SocketAddr; 2],
    pub counters: Arc<Counters>,
    pub connections: Arc<Connections>,
    accepted: Arc<Mutex<Vec<Accepted>>>,
    stop: Option<oneshot::Sender<()>>,
    serving: JoinHandle<()>,
}

impl Setup {
    pub async fn start(self) -> Server {
        let accepted = Arc::new(Mutex::new(Vec::new()));
        let kept = accepted.clone();
        let sink = self.sink.unwrap_or_else(|| {
            Sink::new(move |accepted| {
                kept.lock().unwrap().push(accepted);
                async { Ok(()) }
            })
        });
        let counters = Arc::new(Counters::default());
        let connections = Arc::new(Connections::default());
        let any: SocketAddr = "127.0.0.1:0".parse().unwrap();
        let listeners = vec![bind(any).await.unwrap(), bind(any).await.unwrap()];
        let ports = [listeners[0].local_addr().unwrap(), listeners[1].local_addr().unwrap()];
        let receiver = Receiver::new(sink, self.tokens, self.limits, counters.clone());
        let router = router(receiver.redacting(self.redaction));
        let (stop, stopped) = oneshot::channel();
        let stopped = async { stopped.await.unwrap_or_default() };
        let serving = tokio::spawn(serve(listeners, router, self.serve, connections.clone(), stopped));
        Server { ports, counters, connections, accepted, stop: Some(stop), serving }
    }
}

impl Server {
    /// A server with the product's defaults.
    pub async fn start() -> Self {
        Setup::default().start().await
    }

    /// What the sink was given since the last call.
    pub fn taken(&self) -> Vec<Accepted> {
        std::mem::take(&mut self.accepted.lock().unwrap())
    }

    /// How often requests were refused for this reason.
    pub fn refused(&self, why: wherefore::otlp::Why) -> u64 {
        self.counters.snapshot().refused[why as usize].1
    }

    /// Asks the server to stop; it still answers what it is asked already.
    pub fn stop(&mut self) {
        let _ = self.stop.take().expect("a server stops once").send(());
    }

    /// Waits for the end of a stopped server.
    pub async fn stopped(self) {
        self.serving.await.unwrap();
    }
}

/// A sink whose answers the test decides: each offer waits until the test takes it off the channel and answers.
pub fn held_sink() -> (Sink, tokio::sync::mpsc::UnboundedReceiver<oneshot::Sender<Result<(), Refusal>>>) {
    let (offers, taken) = tokio::sync::mpsc::unbounded_channel();
    let sink = Sink::new(move |_| {
        let (answer, answered) = oneshot::channel();
        offers.send(answer).unwrap();
        async { answered.await.unwrap() }
    });
    (sink, taken)
}

/// A sink that always gives the same answer.
pub fn refusing_sink(refusal: Refusal) -> Sink {
    Sink::new(move |_| std::future::ready(Err(refusal.clone())))
}

/// A response, whole. gRPC trailers are among the headers.
#[derive(Debug)]
pub struct Reply {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl Reply {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    /// The `google.rpc.Status` of a refusal, from wherever the form of the reply puts it: code, message, and whether
    /// it says when to try again.
    pub fn rpc_status(&self) -> (Code, String, bool) {
        match self.header("content-type").expect("every reply has a content type") {
            "application/grpc" => {
                assert_eq!(self.status, StatusCode::OK);
                let status = tonic::Status::from_header_map(&self.headers).expect("a gRPC status");
                let details = pb::Status::decode(status.details()).unwrap();
                (status.code(), status.message().to_owned(), has_retry_info(&details))
            }
            "application/x-protobuf" => {
                let status = pb::Status::decode(self.body.clone()).unwrap();
                (Code::from_i32(status.code), status.message.clone(), has_retry_info(&status))
            }
            "application/json" => {
                let status: serde_json::Value = serde_json::from_slice(&self.body).unwrap();
                let retry = status["details"][0]["@type"] == "type.googleapis.com/google.rpc.RetryInfo";
                let code = status["code"].as_i64().expect("a number") as i32;
                (Code::from_i32(code), status["message"].as_str().expect("a text").to_owned(), retry)
            }
            other => panic!("a reply of type {other}: {self:?}"),
        }
    }
}

fn has_retry_info(status: &pb::Status) -> bool {
    status.details.iter().any(|any| any.type_url == "type.googleapis.com/google.rpc.RetryInfo")
}

/// The protocol of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Version {
    Http1,
    Http2,
}

/// Sends one request over a connection of its own.
pub async fn send<B>(to: SocketAddr, version: Version, request: Request<B>) -> Reply
where
    B: Body<Data = Bytes, Error = Infallible> + Send + Unpin + 'static,
{
    let io = TokioIo::new(TcpStream::connect(to).await.unwrap());
    let response = match version {
        Version::Http1 => {
            let (mut sender, connection) = hyper::client::conn::http1::handshake(io).await.unwrap();
            tokio::spawn(connection);
            sender.send_request(request).await
        }
        Version::Http2 => {
            let executor = TokioExecutor::new();
            let (mut sender, connection) = hyper::client::conn::http2::handshake(executor, io).await.unwrap();
            tokio::spawn(connection);
            sender.send_request(request).await
        }
    };
    let (head, body) = response.unwrap().into_parts();
    let whole = body.collect().await.unwrap();
    let mut headers = head.headers;
    headers.extend(whole.trailers().cloned().unwrap_or_default());
    Reply { status: head.status, headers, body: whole.to_bytes() }
}

/// A POST with these headers.
pub fn post(path: &str, headers: &[(&'static str, &str)], body: impl Into<Bytes>) -> Request<Full<Bytes>> {
    let mut request = Request::post(format!("http://wherefore{path}")).body(Full::new(body.into())).unwrap();
    for (name, value) in headers {
        let value = HeaderValue::from_str(value).unwrap();
        request.headers_mut().append(HeaderName::from_static(name), value);
    }
    if !request.headers().contains_key("host") {
        request.headers_mut().insert("host", HeaderValue::from_static("wherefore"));
    }
    request
}

/// The path of a signal's gRPC method.
pub const GRPC_TRACES: &str = "/opentelemetry.proto.collector.trace.v1.TraceService/Export";

/// A gRPC message with its prefix.
pub fn framed(compressed: bool, message: &[u8]) -> Vec<u8> {
    let length = u32::try_from(message.len()).unwrap().to_be_bytes();
    [&[u8::from(compressed)][..], &length, message].concat()
}

/// A body that sends this much and then neither more nor an end.
pub struct Stalled(pub Option<Bytes>);

impl Body for Stalled {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        match self.0.take() {
            Some(bytes) => Poll::Ready(Some(Ok(Frame::data(bytes)))),
            None => Poll::Pending,
        }
    }
}

pub fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

pub fn zstd(bytes: &[u8]) -> Vec<u8> {
    zstd::encode_all(bytes, 3).unwrap()
}

/// A request with one span for every name. A span named `bad` has an id of one byte.
pub fn spans(names: &[&str]) -> ExportTraceServiceRequest {
    let span = |name: &&str| Span {
        trace_id: vec![7; 16],
        span_id: vec![9; if *name == "bad" { 1 } else { 8 }],
        name: (*name).into(),
        start_time_unix_nano: 1,
        end_time_unix_nano: 2,
        ..Span::default()
    };
    let scope = ScopeSpans { spans: names.iter().map(span).collect(), ..ScopeSpans::default() };
    ExportTraceServiceRequest {
        resource_spans: vec![ResourceSpans { scope_spans: vec![scope], ..ResourceSpans::default() }],
    }
}

/// A request with one log record.
pub fn one_log() -> ExportLogsServiceRequest {
    let record = LogRecord { time_unix_nano: 1, ..LogRecord::default() };
    let scope = ScopeLogs { log_records: vec![record], ..ScopeLogs::default() };
    ExportLogsServiceRequest {
        resource_logs: vec![ResourceLogs { scope_logs: vec![scope], ..ResourceLogs::default() }],
    }
}

/// A request with two data points.
pub fn two_points() -> ExportMetricsServiceRequest {
    let gauge = Gauge { data_points: vec![NumberDataPoint::default(); 2] };
    let metric = Metric { name: "m".into(), data: Some(metric::Data::Gauge(gauge)), ..Metric::default() };
    let scope = ScopeMetrics { metrics: vec![metric], ..ScopeMetrics::default() };
    ExportMetricsServiceRequest {
        resource_metrics: vec![ResourceMetrics { scope_metrics: vec![scope], ..ResourceMetrics::default() }],
    }
}

/// Short enough to wait for, long enough that a busy machine does not take it for anything else.
pub const SHORT: Duration = Duration::from_millis(200);
