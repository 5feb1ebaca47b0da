//! What is sent is received: every form on both ports, over real sockets, with real clients.

use std::time::Duration;

use bytes::Bytes;
use prost::Message;
use serde_json::json;
use tonic::codec::CompressionEncoding;
use tonic::metadata::MetadataValue;
use tonic::transport::Channel;
use tonic::{Code, Request};
use tonic_types::StatusExt;
use wherefore::model::{Role, Signal};
use wherefore::net::{ServeSettings, Tokens};
use wherefore::otlp::{Form, Limits, Refusal, Sink, Why};
use wherefore::proto::opentelemetry::proto::collector::logs::v1::logs_service_client::LogsServiceClient;
use wherefore::proto::opentelemetry::proto::collector::metrics::v1::metrics_service_client::MetricsServiceClient;
use wherefore::proto::opentelemetry::proto::collector::trace::v1::ExportTraceServiceRequest;
use wherefore::proto::opentelemetry::proto::collector::trace::v1::trace_service_client::TraceServiceClient;

use crate::receive_server::*;

const PROTOBUF: (&str, &str) = ("content-type", "application/x-protobuf");
const JSON: (&str, &str) = ("content-type", "application/json");
const GRPC: (&str, &str) = ("content-type", "application/grpc");

async fn channel(to: std::net::SocketAddr) -> Channel {
    Channel::from_shared(format!("http://{to}")).unwrap().connect().await.unwrap()
}

/// The spans of [`spans`] as OTLP/JSON.
fn spans_json(names: &[&str]) -> String {
    let span = |name: &&str| {
        let id = if *name == "bad" { "09" } else { "0909090909090909" };
        let trace = "07070707070707070707070707070707";
        json!({"traceId": trace, "spanId": id, "name": name, "startTimeUnixNano": "1", "endTimeUnixNano": "2"})
    };
    let spans: Vec<_> = names.iter().map(span).collect();
    json!({"resourceSpans": [{"scopeSpans": [{"spans": spans}]}]}).to_string()
}

/// A request in one of the forms, for either protocol.
fn traces(form: Form, names: &[&str]) -> http::Request<http_body_util::Full<Bytes>> {
    let message = spans(names).encode_to_vec();
    match form {
        Form::Grpc => post(GRPC_TRACES, &[GRPC, ("te", "trailers")], framed(false, &message)),
        Form::Protobuf => post("/v1/traces", &[PROTOBUF], message),
        Form::Json => post("/v1/traces", &[JSON], spans_json(names)),
    }
}

fn version(form: Form) -> Version {
    if form == Form::Grpc { Version::Http2 } else { Version::Http1 }
}

#[tokio::test]
async fn grpc_takes_every_signal_and_compression_on_both_ports() {
    let server = Server::start().await;
    for port in server.ports {
        let channel = channel(port).await;
        for compression in [None, Some(CompressionEncoding::Gzip), Some(CompressionEncoding::Zstd)] {
            let mut traces = TraceServiceClient::new(channel.clone());
            let mut logs = LogsServiceClient::new(channel.clone());
            let mut metrics = MetricsServiceClient::new(channel.clone());
            if let Some(compression) = compression {
                traces = traces.send_compressed(compression);
                logs = logs.send_compressed(compression);
                metrics = metrics.send_compressed(compression);
            }
            assert_eq!(traces.export(spans(&["a", "b"])).await.unwrap().into_inner().partial_success, None);
            assert_eq!(logs.export(one_log()).await.unwrap().into_inner().partial_success, None);
            assert_eq!(metrics.export(two_points()).await.unwrap().into_inner().partial_success, None);
            let taken = server.taken();
            let seen: Vec<_> = taken.iter().map(|taken| (taken.signal, taken.accepted, taken.body.clone())).collect();
            let want = [
                (Signal::Traces, 2, spans(&["a", "b"]).encode_to_vec().into()),
                (Signal::Logs, 1, one_log().encode_to_vec().into()),
            ];
            assert_eq!(seen, want, "metrics are counted and not stored");
        }
    }
    let totals = server.counters.snapshot();
    for (signal, form, received) in totals.received {
        let (requests, each) = if form == Form::Grpc { (6, 1) } else { (0, 0) };
        let records = each
            * match signal {
                Signal::Traces => 12,
                Signal::Logs => 6,
                Signal::Metrics => 12,
            };
        assert_eq!((received.requests, received.records), (requests, records), "{signal:?} {form:?}");
    }
    assert_eq!(totals.acknowledged.count(), 18);
}

#[tokio::test]
async fn http_takes_every_signal_form_and_compression_on_both_ports() {
    let server = Server::start().await;
    let requests = [
        ("/v1/traces", Signal::Traces, spans(&["a"]).encode_to_vec(), spans_json(&["a"])),
        (
            "/v1/logs",
            Signal::Logs,
            one_log().encode_to_vec(),
            json!({"resourceLogs": [{"scopeLogs": [{"logRecords": [{"timeUnixNano": "1"}]}]}]}).to_string(),
        ),
        (
            "/v1/metrics",
            Signal::Metrics,
            two_points().encode_to_vec(),
            json!({"resourceMetrics": [{"scopeMetrics": [{"metrics": [{"name": "m", "gauge": {"dataPoints": [{}, {}]}}]}]}]})
                .to_string(),
        ),
    ];
    for (port, version) in server.ports.into_iter().zip([Version::Http1, Version::Http2]) {
        for (path, signal, protobuf, json) in &requests {
            for (encoding, compress) in [
                ("identity", None),
                ("gzip", Some(gzip as fn(&[u8]) -> Vec<u8>)),
                ("GZIP", Some(gzip)),
                ("zstd", Some(zstd)),
            ] {
                for (content_type, body, empty) in [(PROTOBUF, &protobuf[..], ""), (JSON, json.as_bytes(), "{}")] {
                    let body = compress.map_or(body.to_vec(), |compress| compress(body));
                    let headers = [content_type, ("content-encoding", encoding)];
                    let reply = send(port, version, post(path, &headers, body)).await;
                    assert_eq!(reply.status, 200, "{path} {encoding} {reply:?}");
                    assert_eq!(reply.header("content-type"), Some(content_type.1));
                    assert_eq!(reply.body, empty);
                    let stored = (*signal != Signal::Metrics).then(|| Bytes::from(protobuf.clone()));
                    let taken: Vec<_> = server.taken().into_iter().map(|taken| taken.body).collect();
                    assert_eq!(taken, Vec::from_iter(stored), "{path} {encoding} {content_type:?}");
                }
            }
        }
    }
    let bytes: u64 = server.counters.snapshot().received.iter().map(|(.., received)| received.bytes).sum();
    let sent = requests.iter().map(|(_, _, protobuf, json)| protobuf.len() + json.len()).sum::<usize>() * 8;
    assert_eq!(bytes, sent as u64);
}

#[tokio::test]
async fn an_empty_request_is_a_success_and_reaches_no_sink() {
    let server = Server::start().await;
    for (form, request) in [
        (Form::Grpc, post(GRPC_TRACES, &[GRPC, ("te", "trailers")], framed(false, b""))),
        (Form::Protobuf, post("/v1/traces", &[PROTOBUF], "")),
        (Form::Json, post("/v1/traces", &[JSON], "{}")),
    ] {
        let reply = send(server.ports[0], version(form), request).await;
        assert_eq!(reply.status, 200, "{form:?} {reply:?}");
        assert_eq!(reply.header("grpc-status"), (form == Form::Grpc).then_some("0"));
    }
    assert_eq!(server.taken(), []);
}

#[tokio::test]
async fn a_bad_span_costs_only_itself() {
    let server = Server::start().await;
    let names = ["good", "bad", "fine", "bad"];
    let partial = TraceServiceClient::new(channel(server.ports[0]).await)
        .export(spans(&names))
        .await
        .unwrap()
        .into_inner()
        .partial_success
        .unwrap();
    assert_eq!(partial.rejected_spans, 2);
    assert!(partial.error_message.contains("span 1: the span id"), "{}", partial.error_message);

    let reply = send(server.ports[0], Version::Http1, traces(Form::Json, &names)).await;
    let body: serde_json::Value = serde_json::from_slice(&reply.body).unwrap();
    assert_eq!(body["partialSuccess"]["rejectedSpans"], "2", "an int64 in proto3's JSON is a string: {body}");
    let reply = send(server.ports[1], Version::Http2, traces(Form::Protobuf, &["bad"])).await;
    assert_eq!(reply.status, 200);
    assert!(!reply.body.is_empty());

    let taken = server.taken();
    assert_eq!(taken.len(), 2, "nothing is left of the third");
    for taken in taken {
        assert_eq!(taken.body, spans(&["good", "fine"]).encode_to_vec());
        assert_eq!((taken.accepted, taken.rejected), (2, vec![("span_id".to_owned(), 2)]));
    }
    let rejected: Vec<_> = server.counters.snapshot().rejected;
    assert_eq!(
        rejected.iter().map(|(signal, why, n)| (*signal, why.as_str(), *n)).collect::<Vec<_>>(),
        [(Signal::Traces, "span_id", 5)]
    );
}

#[tokio::test]
async fn the_reply_waits_for_the_sink() {
    let (sink, mut offers) = held_sink();
    let server = Setup { sink: Some(sink), ..Setup::default() }.start().await;
    for form in Form::ALL {
        let reply = tokio::spawn(send(server.ports[0], version(form), traces(form, &["a"])));
        let answer = offers.recv().await.unwrap();
        assert!(!reply.is_finished());
        assert_eq!(server.counters.snapshot().in_flight, 1);
        answer.send(Ok(())).unwrap();
        assert_eq!(reply.await.unwrap().status, 200);
    }
    assert_eq!(server.counters.snapshot().in_flight, 0);
}

#[tokio::test]
async fn what_the_sink_refuses_is_refused_retryably() {
    let busy = Refusal::Overloaded { retry_after: Duration::from_millis(2500) };
    let broken = Refusal::Unavailable("the journal is poisoned".into());
    for (refusal, status, code, wait) in [
        (busy, 429, Code::ResourceExhausted, "3"),
        (Refusal::NoSpace, 503, Code::Unavailable, "30"),
        (broken, 503, Code::Unavailable, "30"),
    ] {
        let sink = Some(refusing_sink(refusal.clone()));
        let server = Setup { sink, ..Setup::default() }.start().await;
        for form in Form::ALL {
            let reply = send(server.ports[0], version(form), traces(form, &["a"])).await;
            assert_eq!(reply.status, if form == Form::Grpc { 200 } else { status }, "{form:?}");
            assert_eq!(reply.rpc_status(), (code, refusal.to_string(), true), "{form:?}");
            assert_eq!(reply.header("retry-after"), Some(wait));
        }
        let mut client = TraceServiceClient::new(channel(server.ports[1]).await);
        let status = client.export(spans(&["a"])).await.unwrap_err();
        assert!(status.get_details_retry_info().unwrap().retry_delay.is_some());
        let refused: u64 = server.counters.snapshot().refused.iter().map(|(_, count)| count).sum();
        assert_eq!(refused, 4);
        assert_eq!(server.counters.snapshot().acknowledged.count(), 0);
    }
}

#[tokio::test]
async fn what_the_sink_can_never_take_is_refused_for_good() {
    let sink = Some(refusing_sink(Refusal::TooLarge));
    let server = Setup { sink, ..Setup::default() }.start().await;
    for form in Form::ALL {
        let reply = send(server.ports[0], version(form), traces(form, &["a"])).await;
        let (code, _, retry) = reply.rpc_status();
        assert_eq!((code, retry), (Code::ResourceExhausted, false), "{form:?}");
    }
    assert_eq!(server.refused(Why::TooLarge), 3);
}

#[tokio::test]
async fn memory_for_requests_is_bounded_in_sum_and_comes_back() {
    let (sink, mut offers) = held_sink();
    // Room for three bodies of this size, see `Limits::in_flight`.
    let request = spans(&["a"]).encoded_len();
    let limits = Limits { request, decompressed: request, in_flight: 0, ..Limits::default() };
    let server = Setup { sink: Some(sink), limits, ..Setup::default() }.start().await;
    let port = server.ports[0];
    let mut waiting = Vec::new();
    for _ in 0..3 {
        let reply = tokio::spawn(send(port, Version::Http1, traces(Form::Protobuf, &["a"])));
        waiting.push((reply, offers.recv().await.unwrap()));
    }
    for form in Form::ALL {
        // Without a sum of its own the JSON form would be too large for these limits.
        let message = if form == Form::Json { post("/v1/traces", &[JSON], "{}") } else { traces(form, &["a"]) };
        let reply = send(port, version(form), message).await;
        let (code, _, retry) = reply.rpc_status();
        assert_eq!((code, retry), (Code::ResourceExhausted, true), "{form:?}");
    }
    assert_eq!(server.refused(Why::Overloaded), 3);
    for (reply, answer) in waiting {
        answer.send(Ok(())).unwrap();
        assert_eq!(reply.await.unwrap().status, 200);
    }
    let reply = tokio::spawn(send(port, Version::Http1, traces(Form::Protobuf, &["a"])));
    offers.recv().await.unwrap().send(Ok(())).unwrap();
    assert_eq!(reply.await.unwrap().status, 200);
}

#[tokio::test]
async fn a_panic_costs_one_request() {
    let sink = Sink::new(|accepted| async move {
        assert_ne!(accepted.accepted, 1, "a mistake in the program");
        Ok(())
    });
    let server = Setup { sink: Some(sink), ..Setup::default() }.start().await;
    for form in Form::ALL {
        let reply = send(server.ports[0], version(form), traces(form, &["a"])).await;
        assert_eq!(reply.status, if form == Form::Grpc { 200 } else { 500 });
        let (code, message, retry) = reply.rpc_status();
        assert_eq!((code, retry), (Code::Internal, false));
        assert!(!message.contains("mistake in the program"), "a reply does not show the panic: {message}");
        let reply = send(server.ports[0], version(form), traces(form, &["a", "b"])).await;
        assert_eq!((reply.status.as_u16(), reply.header("grpc-status").unwrap_or("0")), (200, "0"));
    }
    assert_eq!(server.refused(Why::Panicked), 3);
    assert_eq!(server.counters.snapshot().in_flight, 0);
}

#[tokio::test]
async fn a_token_says_whose_records_they_are() {
    let tokens = Tokens::parse("- {token: right, tenant: shop, role: gateway}").unwrap();
    let server = Setup { tokens, ..Setup::default() }.start().await;
    for form in Form::ALL {
        let mut request = traces(form, &["a"]);
        request.headers_mut().insert("authorization", "Bearer right".parse().unwrap());
        assert_eq!(send(server.ports[0], version(form), request).await.status, 200);
        let taken = server.taken().remove(0);
        assert_eq!((taken.tenant.as_str(), taken.role), ("shop", Role::Gateway));

        let mut wrong = traces(form, &["a"]);
        wrong.headers_mut().insert("authorization", "Bearer wrong".parse().unwrap());
        for request in [wrong, traces(form, &["a"])] {
            let reply = send(server.ports[1], version(form), request).await;
            assert_eq!(reply.status, if form == Form::Grpc { 200 } else { 401 });
            let (code, _, retry) = reply.rpc_status();
            assert_eq!((code, retry), (Code::Unauthenticated, false));
            assert_eq!(reply.header("www-authenticate"), Some("Bearer"));
        }
    }
    let mut request = Request::new(spans(&["a"]));
    request.metadata_mut().insert("authorization", MetadataValue::from_static("Bearer right"));
    TraceServiceClient::new(channel(server.ports[0]).await).export(request).await.unwrap();
    assert_eq!(server.taken().len(), 1);
    assert_eq!(server.refused(Why::Unauthenticated), 6);
}

#[tokio::test]
async fn a_large_message_arrives_whole() {
    let server = Server::start().await;
    let name = "n".repeat(5 << 20);
    let want = spans(&[&name]).encode_to_vec();
    TraceServiceClient::new(channel(server.ports[0]).await).export(spans(&[&name])).await.unwrap();
    for form in Form::ALL {
        assert_eq!(send(server.ports[1], version(form), traces(form, &[&name])).await.status, 200);
    }
    for encoding in ["gzip", "zstd"] {
        let body = if encoding == "gzip" { gzip(&want) } else { zstd(&want) };
        let request = post("/v1/traces", &[PROTOBUF, ("content-encoding", encoding)], body);
        assert_eq!(send(server.ports[1], Version::Http2, request).await.status, 200);
    }
    let taken = server.taken();
    assert_eq!(taken.len(), 6);
    assert!(taken.iter().all(|taken| taken.body == want));
}

#[tokio::test]
async fn a_stop_lets_running_requests_end_and_takes_no_new_ones() {
    let (sink, mut offers) = held_sink();
    let mut server = Setup { sink: Some(sink), ..Setup::default() }.start().await;
    let port = server.ports[0];
    // Connected and quiet: nothing to wait for.
    let _idle = (channel(port).await, tokio::net::TcpStream::connect(port).await.unwrap());
    let running: Vec<_> = Form::ALL.map(|form| tokio::spawn(send(port, version(form), traces(form, &["a"])))).into();
    let answers = [offers.recv().await.unwrap(), offers.recv().await.unwrap(), offers.recv().await.unwrap()];
    server.stop();
    while tokio::net::TcpStream::connect(port).await.is_ok() {
        tokio::task::yield_now().await;
    }
    for answer in answers {
        answer.send(Ok(())).unwrap();
    }
    for reply in running {
        assert_eq!(reply.await.unwrap().status, 200);
    }
    let connections = server.connections.clone();
    server.stopped().await;
    assert_eq!(connections.cut.load(std::sync::atomic::Ordering::Relaxed), 0);
    assert_eq!(connections.open.load(std::sync::atomic::Ordering::Relaxed), 0);
}

#[tokio::test]
async fn a_stop_cuts_what_does_not_end_in_time() {
    let (sink, mut offers) = held_sink();
    let serve = ServeSettings { drain: SHORT, ..ServeSettings::default() };
    let mut server = Setup { sink: Some(sink), serve, ..Setup::default() }.start().await;
    let reply = tokio::spawn(send(server.ports[0], Version::Http1, traces(Form::Protobuf, &["a"])));
    let _never = offers.recv().await.unwrap();
    server.stop();
    let connections = server.connections.clone();
    server.stopped().await;
    assert!(reply.await.is_err(), "the connection was cut");
    assert_eq!(connections.cut.load(std::sync::atomic::Ordering::Relaxed), 1);
}

#[tokio::test]
async fn a_sender_beyond_the_limit_is_told_to_come_back_and_the_others_are_answered() {
    let (sink, mut offers) = held_sink();
    let serve = ServeSettings { max_connections: 2, ..ServeSettings::default() };
    let server = Setup { sink: Some(sink), serve, ..Setup::default() }.start().await;
    let mut served = Vec::new();
    for port in server.ports {
        let reply = tokio::spawn(send(port, Version::Http1, traces(Form::Protobuf, &["a"])));
        served.push((reply, offers.recv().await.unwrap()));
    }
    let refused = send(server.ports[1], Version::Http1, traces(Form::Protobuf, &["a"])).await;
    assert_eq!((refused.status.as_u16(), refused.header("retry-after")), (503, Some("1")));
    for (reply, answer) in served {
        answer.send(Ok(())).unwrap();
        assert_eq!(reply.await.unwrap().status, 200);
    }
}

#[tokio::test]
async fn what_was_sent_is_what_prost_reads_back() {
    let server = Server::start().await;
    send(server.ports[0], Version::Http1, traces(Form::Json, &["a", "b"])).await;
    let body = server.taken().remove(0).body;
    assert_eq!(ExportTraceServiceRequest::decode(body).unwrap(), spans(&["a", "b"]));
}
