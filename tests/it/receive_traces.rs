//! Own traces, exported over OTLP to a second wherefore: the collector of the test.

use std::time::Duration;

use prost::Message;
use wherefore::proto::opentelemetry::proto::collector::trace::v1::ExportTraceServiceRequest;
use wherefore::telemetry::{LogFormat, Settings, TraceSettings, subscriber};

use crate::receive_server::*;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn own_spans_arrive_at_a_collector_and_only_own_ones() {
    let collector = Server::start().await;
    let observed = tokio::task::spawn_blocking({
        let endpoint = format!("http://{}", collector.ports[0]);
        let runtime = tokio::runtime::Handle::current();
        move || observe_one_request(&runtime, endpoint)
    });
    observed.await.unwrap();

    let spans: Vec<_> = collector
        .taken()
        .into_iter()
        .flat_map(|taken| ExportTraceServiceRequest::decode(taken.body).unwrap().resource_spans)
        .flat_map(|resource| {
            let service = resource.resource.unwrap().attributes.into_iter().find(|kv| kv.key == "service.name");
            assert!(format!("{service:?}").contains("wherefore"));
            resource.scope_spans
        })
        .flat_map(|scope| scope.spans)
        .collect();
    let mut names: Vec<_> = spans.iter().map(|span| span.name.as_str()).collect();
    names.sort_unstable();
    assert_eq!(names, ["journal append", "otlp request"], "nothing of the libraries underneath");
    let request = spans.iter().find(|span| span.name == "otlp request").unwrap();
    let append = spans.iter().find(|span| span.name == "journal append").unwrap();
    assert_eq!(append.parent_span_id, request.span_id);
}

/// Receives one request on a thread whose subscriber exports own traces, then flushes them. The exporter runs on
/// `runtime`.
fn observe_one_request(runtime: &tokio::runtime::Handle, endpoint: String) {
    let traces = Some(TraceSettings { endpoint, ratio: 1.0 });
    // A filter that lets nothing into the log must not keep spans from the traces, nor let foreign ones in.
    let settings = Settings { format: LogFormat::Json, filter: "off,h2=trace,tonic=trace".into(), traces };
    let (subscriber, telemetry) = {
        let _inside = runtime.enter();
        subscriber(&settings, &[]).unwrap()
    };
    let own = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    // With a single subscriber in the process, `tracing` asks the thread that reaches a span first whether anybody
    // wants it, for all threads and for ever; that may be the thread of a test without one.
    let _second = tracing::Dispatch::new(tracing_subscriber::registry());
    tracing::subscriber::with_default(subscriber, || {
        own.block_on(async {
            let server = Server::start().await;
            // HTTP/2, because its library has spans of its own.
            let message = framed(false, &spans(&["a"]).encode_to_vec());
            let request = post(GRPC_TRACES, &[("content-type", "application/grpc")], message);
            let reply = send(server.ports[0], Version::Http2, request).await;
            assert_eq!(reply.header("grpc-status"), Some("0"));
            telemetry.shutdown(Duration::from_secs(30)).await;
        });
    });
}

#[tokio::test]
async fn own_traces_to_an_own_listener_are_refused() {
    let listener = "127.0.0.1:4317".parse().unwrap();
    let traces = Some(TraceSettings { endpoint: "http://localhost:4317".into(), ratio: 1.0 });
    let refused = subscriber(&Settings { traces, ..Settings::default() }, &[listener]).err().unwrap();
    assert!(refused.to_string().contains("own listener `127.0.0.1:4317`"), "{refused}");
}
