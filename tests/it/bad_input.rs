//! What must be refused is refused: with the right status, in the form of the request, not retryably unless another
//! try can help, and without harm to the next request.

use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request};
use http_body_util::Full;
use prost::Message;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tonic::Code;
use tonic::codec::CompressionEncoding;
use tonic::transport::Channel;
use wherefore::net::ServeSettings;
use wherefore::otlp::{Limits, Why};
use wherefore::proto::opentelemetry::proto::collector::trace::v1::trace_service_client::TraceServiceClient;

use crate::receive_server::*;

const PROTOBUF: (&str, &str) = ("content-type", "application/x-protobuf");
const JSON: (&str, &str) = ("content-type", "application/json");
const GRPC: (&str, &str) = ("content-type", "application/grpc");
const GZIP: (&str, &str) = ("content-encoding", "gzip");
const ZSTD: (&str, &str) = ("content-encoding", "zstd");
const GRPC_GZIP: (&str, &str) = ("grpc-encoding", "gzip");
const GRPC_ZSTD: (&str, &str) = ("grpc-encoding", "zstd");

/// Small enough that a test can pass them: 256 KiB as sent, 1 MiB decompressed.
fn small() -> Limits {
    Limits { request: 256 << 10, decompressed: 1 << 20, ..Limits::default() }
}

fn get(path: &str) -> Request<Full<Bytes>> {
    let mut request = post(path, &[PROTOBUF], "");
    *request.method_mut() = Method::GET;
    request
}

fn good() -> Vec<u8> {
    spans(&["a"]).encode_to_vec()
}

fn megabytes(count: usize) -> Vec<u8> {
    vec![0; count << 20]
}

type HttpRow = (&'static str, Request<Full<Bytes>>, u16, Code, Why);

#[rustfmt::skip]
fn http_rows() -> Vec<HttpRow> {
    use Code::{InvalidArgument, ResourceExhausted, Unimplemented};
    let truncated = &good()[..good().len() - 1];
    vec![
        // name                         request                                              status  code           counted as
        ("not protobuf",                post("/v1/traces", &[PROTOBUF], "garbage"),              400, InvalidArgument, Why::Malformed),
        ("truncated protobuf",          post("/v1/traces", &[PROTOBUF], truncated.to_vec()),     400, InvalidArgument, Why::Malformed),
        ("JSON sent as protobuf",       post("/v1/logs", &[PROTOBUF], "{\"resourceLogs\":[]}"),  400, InvalidArgument, Why::Malformed),
        ("protobuf sent as JSON",       post("/v1/traces", &[JSON], good()),                     400, InvalidArgument, Why::Malformed),
        ("not JSON",                    post("/v1/metrics", &[JSON], "{"),                       400, InvalidArgument, Why::Malformed),
        ("an empty body of JSON",       post("/v1/traces", &[JSON], ""),                         400, InvalidArgument, Why::Malformed),
        ("a list instead of a request", post("/v1/traces", &[JSON], "[]"),                       400, InvalidArgument, Why::Malformed),
        ("JSON nested without end",     post("/v1/traces", &[JSON], "{\"resourceSpans\":[".repeat(9000)), 400, InvalidArgument, Why::Malformed),
        ("JSON that is not UTF-8",      post("/v1/traces", &[JSON], &b"\xff{}"[..]),       400, InvalidArgument, Why::Malformed),
        ("not gzip",                    post("/v1/traces", &[PROTOBUF, GZIP], good()),           400, InvalidArgument, Why::Malformed),
        ("truncated gzip",              post("/v1/traces", &[PROTOBUF, GZIP], gzip(&good())[..12].to_vec()), 400, InvalidArgument, Why::Malformed),
        ("not zstd",                    post("/v1/traces", &[JSON, ZSTD], "{}"),                 400, InvalidArgument, Why::Malformed),
        ("gzip of garbage",             post("/v1/traces", &[PROTOBUF, GZIP], gzip(b"garbage")), 400, InvalidArgument, Why::Malformed),
        ("no content type",             post("/v1/traces", &[], good()),                         415, InvalidArgument, Why::ContentType),
        ("a foreign content type",      post("/v1/traces", &[("content-type", "text/plain")], good()), 415, InvalidArgument, Why::ContentType),
        ("gRPC's content type",         post("/v1/traces", &[("content-type", "application/grpc+json")], good()), 415, InvalidArgument, Why::ContentType),
        ("a gRPC path over HTTP",       post(GRPC_TRACES, &[PROTOBUF], good()),                  415, InvalidArgument, Why::ContentType),
        ("an unknown compression",      post("/v1/traces", &[PROTOBUF, ("content-encoding", "br")], good()), 415, Unimplemented, Why::Encoding),
        ("two compressions",            post("/v1/traces", &[JSON, ("content-encoding", "gzip, gzip")], "{}"), 415, Unimplemented, Why::Encoding),
        ("two compression headers",     post("/v1/traces", &[JSON, GZIP, ZSTD], "{}"),           415, Unimplemented, Why::Encoding),
        ("too large",                   post("/v1/traces", &[PROTOBUF], megabytes(1)),           413, ResourceExhausted, Why::TooLarge),
        ("too large and JSON",          post("/v1/traces", &[JSON], megabytes(1)),               413, ResourceExhausted, Why::TooLarge),
        ("a gzip bomb",                 post("/v1/traces", &[PROTOBUF, GZIP], gzip(&megabytes(64))), 413, ResourceExhausted, Why::TooLarge),
        ("a zstd bomb",                 post("/v1/traces", &[PROTOBUF, ZSTD], zstd(&megabytes(64))), 413, ResourceExhausted, Why::TooLarge),
        ("a bomb of many frames",       post("/v1/traces", &[PROTOBUF, ZSTD], zstd(&megabytes(1)).repeat(9)), 413, ResourceExhausted, Why::TooLarge),
        ("an unknown path",             post("/v1/nope", &[PROTOBUF], good()),                   404, Unimplemented, Why::UnknownPath),
        ("an unknown path and type",    post("/", &[], ""),                                      404, Unimplemented, Why::UnknownPath),
        ("a path with a slash more",    post("/v1/traces/", &[JSON], "{}"),                      404, Unimplemented, Why::UnknownPath),
        ("a wrong method",              get("/v1/traces"),                                       405, Unimplemented, Why::WrongMethod),
        ("a wrong method for gRPC",     get(GRPC_TRACES),                                        405, Unimplemented, Why::WrongMethod),
    ]
}

#[tokio::test]
async fn bad_http_requests_are_refused() {
    let server = Setup { limits: small(), ..Setup::default() }.start().await;
    for version in [Version::Http1, Version::Http2] {
        for (name, request, status, code, why) in http_rows() {
            let content_type = request.headers().get("content-type").cloned();
            let form = match content_type.as_ref().and_then(|value| value.to_str().ok()) {
                Some("application/x-protobuf") => "application/x-protobuf",
                _ => "application/json",
            };
            let before = server.refused(why);
            let reply = send(server.ports[0], version, request).await;
            assert_eq!(reply.status.as_u16(), status, "{name} {version:?}: {reply:?}");
            assert_eq!(reply.header("content-type"), Some(form), "{name}: the form of the request");
            let (got, message, retry) = reply.rpc_status();
            assert_eq!((got, retry), (code, false), "{name}");
            assert!(!message.is_empty() && !message.contains("garbage"), "{name}: {message}");
            assert_eq!(server.refused(why), before + 1, "{name}");
            assert_eq!(reply.header("allow").is_some(), status == 405, "{name}");
        }
    }
    let reply = send(server.ports[0], Version::Http1, post("/v1/traces", &[PROTOBUF], good())).await;
    assert_eq!(reply.status, 200);
    assert_eq!(server.taken().len(), 1, "nothing refused was taken");
}

type GrpcRow = (&'static str, &'static str, Vec<(&'static str, &'static str)>, Vec<u8>, Code, Why);

#[rustfmt::skip]
fn grpc_rows() -> Vec<GrpcRow> {
    use Code::{InvalidArgument, ResourceExhausted, Unimplemented};
    let plain = vec![GRPC];
    let announced = [&[0][..], &(1u32 << 31).to_be_bytes(), b"abc"].concat();
    vec![
        // name                         path         headers              body                                       code               counted as
        ("not protobuf",                GRPC_TRACES, plain.clone(),       framed(false, b"garbage"),                 InvalidArgument,   Why::Malformed),
        ("no message",                  GRPC_TRACES, plain.clone(),       vec![],                                    InvalidArgument,   Why::Malformed),
        ("half a prefix",               GRPC_TRACES, plain.clone(),       vec![0, 0, 0],                             InvalidArgument,   Why::Malformed),
        ("half a message",              GRPC_TRACES, plain.clone(),       framed(false, &good())[..20].to_vec(),     InvalidArgument,   Why::Malformed),
        ("an unknown flag",             GRPC_TRACES, plain.clone(),       [&[7, 0, 0, 0, 1][..], b"x"].concat(),     InvalidArgument,   Why::Malformed),
        ("two messages",                GRPC_TRACES, plain.clone(),       framed(false, &good()).repeat(2),          InvalidArgument,   Why::Malformed),
        ("compressed without a header", GRPC_TRACES, plain.clone(),       framed(true, &gzip(&good())),              InvalidArgument,   Why::Malformed),
        ("not gzip",                    GRPC_TRACES, vec![GRPC, GRPC_GZIP], framed(true, &good()),                   InvalidArgument,   Why::Malformed),
        ("not zstd",                    GRPC_TRACES, vec![GRPC, GRPC_ZSTD], framed(true, &good()),                   InvalidArgument,   Why::Malformed),
        ("an unknown compression",      GRPC_TRACES, vec![GRPC, ("grpc-encoding", "br")], framed(true, &good()),     Unimplemented,     Why::Encoding),
        ("too large",                   GRPC_TRACES, plain.clone(),       framed(false, &megabytes(1)),              ResourceExhausted, Why::TooLarge),
        ("too large by announcement",   GRPC_TRACES, plain.clone(),       announced,                                 ResourceExhausted, Why::TooLarge),
        ("a gzip bomb",                 GRPC_TRACES, vec![GRPC, GRPC_GZIP], framed(true, &gzip(&megabytes(64))),     ResourceExhausted, Why::TooLarge),
        ("a zstd bomb",                 GRPC_TRACES, vec![GRPC, GRPC_ZSTD], framed(true, &zstd(&megabytes(64))),     ResourceExhausted, Why::TooLarge),
        ("an unknown method",           "/opentelemetry.proto.collector.trace.v1.TraceService/Nope", plain.clone(), framed(false, b""), Unimplemented, Why::UnknownPath),
        ("an unknown service",          "/some.Service/Export", plain.clone(), framed(false, b""),                   Unimplemented,     Why::UnknownPath),
        ("an HTTP path over gRPC",      "/v1/traces", plain.clone(),      framed(false, &good()),                    InvalidArgument,   Why::ContentType),
    ]
}

#[tokio::test]
async fn bad_grpc_calls_are_refused() {
    let server = Setup { limits: small(), ..Setup::default() }.start().await;
    for (name, path, headers, body, code, why) in grpc_rows() {
        let before = server.refused(why);
        let request = post(path, &headers, body);
        let reply = send(server.ports[1], Version::Http2, request).await;
        assert_eq!(reply.header("content-type"), Some("application/grpc"), "{name}: {reply:?}");
        let (got, message, retry) = reply.rpc_status();
        assert_eq!((got, retry), (code, false), "{name}: {message}");
        assert!(!message.is_empty() && !message.contains("garbage"), "{name}: {message}");
        assert_eq!(server.refused(why), before + 1, "{name}");
    }
    let reply = send(server.ports[1], Version::Http2, post(GRPC_TRACES, &[GRPC], framed(false, &good()))).await;
    assert_eq!(reply.header("grpc-status"), Some("0"));
    assert_eq!(server.taken().len(), 1, "nothing refused was taken");
}

#[tokio::test]
async fn a_real_grpc_client_is_told_not_to_send_a_large_message_again() {
    let server = Server::start().await;
    let channel = Channel::from_shared(format!("http://{}", server.ports[0])).unwrap().connect().await.unwrap();
    let name = "n".repeat(17 << 20);
    let plain = TraceServiceClient::new(channel.clone());
    let bomb = "n".repeat(65 << 20);
    let packed = TraceServiceClient::new(channel.clone()).send_compressed(CompressionEncoding::Zstd);
    for (mut client, name) in [(plain, &name), (packed, &bomb)] {
        let status = client.export(spans(&[name])).await.unwrap_err();
        assert_eq!(status.code(), Code::ResourceExhausted, "{status}");
        assert!(status.details().is_empty(), "no `RetryInfo`");
        client.export(spans(&["a"])).await.expect("the connection lives on");
    }
}

#[tokio::test]
async fn an_http_client_that_writes_first_still_reads_why_its_large_body_was_refused() {
    let server = Server::start().await;
    let body = megabytes(40);
    let mut stream = TcpStream::connect(server.ports[0]).await.unwrap();
    let head = format!(
        "POST /v1/traces HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.write_all(&body).await.expect("nobody hangs up in the middle of a body");
    let mut reply = [0; 12];
    stream.read_exact(&mut reply).await.unwrap();
    assert_eq!(&reply, b"HTTP/1.1 413");
}

#[tokio::test]
async fn a_sender_that_asks_first_is_refused_before_it_sends() {
    let server = Server::start().await;
    let mut stream = TcpStream::connect(server.ports[0]).await.unwrap();
    let head = "POST /v1/traces HTTP/1.1\r\nhost: x\r\ncontent-type: text/plain\r\n\
                content-length: 1000\r\nexpect: 100-continue\r\n\r\n";
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut reply = [0; 12];
    stream.read_exact(&mut reply).await.unwrap();
    assert_eq!(&reply, b"HTTP/1.1 415");
}

#[tokio::test]
async fn a_body_that_does_not_end_is_given_up() {
    let limits = Limits { body_time: SHORT, ..Limits::default() };
    let server = Setup { limits, ..Setup::default() }.start().await;
    let part = Bytes::from(framed(false, &good())).slice(..9);
    let rows = [
        (Version::Http1, "/v1/traces", PROTOBUF),
        (Version::Http1, "/v1/traces", JSON),
        (Version::Http2, "/v1/traces", PROTOBUF),
        (Version::Http2, GRPC_TRACES, GRPC),
    ];
    for (version, path, content_type) in rows {
        for sent in [None, Some(part.clone())] {
            let request = post(path, &[content_type], "").map(|_| Stalled(sent));
            let reply = send(server.ports[0], version, request).await;
            assert_eq!(reply.status, if content_type == GRPC { 200 } else { 408 }, "{reply:?}");
            let (code, _, retry) = reply.rpc_status();
            assert_eq!((code, retry), (Code::InvalidArgument, false));
        }
    }
    assert_eq!(server.refused(Why::TooSlow), 8);
}

#[tokio::test]
async fn a_sender_that_goes_away_leaves_nothing_behind() {
    let server = Server::start().await;
    for path in ["/v1/traces", GRPC_TRACES] {
        let mut stream = TcpStream::connect(server.ports[0]).await.unwrap();
        let head = format!(
            "POST {path} HTTP/1.1\r\nhost: x\r\ncontent-type: application/x-protobuf\r\ncontent-length: 99\r\n\r\nab"
        );
        stream.write_all(head.as_bytes()).await.unwrap();
        while server.counters.snapshot().in_flight == 0 && path == "/v1/traces" {
            tokio::task::yield_now().await;
        }
        drop(stream);
        while server.counters.snapshot().in_flight > 0 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }
    assert_eq!(server.taken(), []);
}

#[tokio::test]
async fn a_peer_that_says_nothing_loses_its_connection() {
    let serve = ServeSettings { header_timeout: SHORT, ..ServeSettings::default() };
    let server = Setup { serve, ..Setup::default() }.start().await;
    for said in [&b""[..], b"PRI * HTTP/2", b"POST /v1/traces HTTP/1.1\r\nhost: x\r\n"] {
        let mut stream = TcpStream::connect(server.ports[0]).await.unwrap();
        stream.write_all(said).await.unwrap();
        let mut rest = Vec::new();
        // A reset is an end too.
        let _ = stream.read_to_end(&mut rest).await;
        assert!(!rest.starts_with(b"HTTP/1.1 2"));
    }
}

#[tokio::test]
async fn a_head_without_end_is_refused() {
    let server = Server::start().await;
    let mut stream = TcpStream::connect(server.ports[0]).await.unwrap();
    let head = format!("POST /v1/traces HTTP/1.1\r\nhost: x\r\nx: {}", "x".repeat(1 << 20));
    // The server hangs up before all of it was written.
    let _ = stream.write_all(head.as_bytes()).await;
    let mut reply = Vec::new();
    let _ = stream.read_to_end(&mut reply).await;
    assert!(reply.is_empty() || reply.starts_with(b"HTTP/1.1 431"));
}

#[tokio::test]
async fn what_is_not_http_is_refused() {
    let server = Server::start().await;
    for said in [&b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"[..], b"hello\r\n\r\n", &[0xff; 100]] {
        let mut stream = TcpStream::connect(server.ports[0]).await.unwrap();
        stream.write_all(said).await.unwrap();
        let mut rest = Vec::new();
        let _ = stream.read_to_end(&mut rest).await;
        assert!(rest.is_empty() || rest.starts_with(b"HTTP/1.1 400"), "{rest:?}");
    }
    let reply = send(server.ports[0], Version::Http1, post("/v1/traces", &[JSON], "{}")).await;
    assert_eq!(reply.status, 200);
}
