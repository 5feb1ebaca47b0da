//! The paths of OTLP, and what surrounds every request: counting, own traces, and the last word on a refusal.

use std::any::Any;
use std::time::Instant;

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use http::Request;
use tower_http::catch_panic::CatchPanicLayer;
use tracing::{Instrument, debug_span};

use super::receive::Receiver;
use super::refused::{Refused, Why};
use super::reply::{Form, refuse};
use super::{grpc, http as otlp_http};
use crate::model::Signal;

/// The paths of a signal: gRPC and HTTP.
fn paths(signal: Signal) -> [&'static str; 2] {
    match signal {
        Signal::Traces => ["/opentelemetry.proto.collector.trace.v1.TraceService/Export", "/v1/traces"],
        Signal::Logs => ["/opentelemetry.proto.collector.logs.v1.LogsService/Export", "/v1/logs"],
        Signal::Metrics => ["/opentelemetry.proto.collector.metrics.v1.MetricsService/Export", "/v1/metrics"],
    }
}

/// Answers OTLP in all its forms, and everything else with a refusal. Serve it with [`crate::net::serve`] on any
/// number of ports.
pub fn router(receiver: Receiver) -> Router {
    let mut router = Router::new();
    for signal in Signal::ALL {
        let [grpc_path, http_path] = paths(signal);
        let export_grpc = move |State(receiver), request| grpc::export(receiver, signal, request);
        let export_http = move |State(receiver), request| otlp_http::export(receiver, signal, request);
        router = router.route(grpc_path, post(export_grpc)).route(http_path, post(export_http));
    }
    router
        .method_not_allowed_fallback(async || Refused::new(Why::WrongMethod, "OTLP is sent with POST"))
        .fallback(async || Refused::new(Why::UnknownPath, "OTLP is served at `/v1/traces`, `/v1/logs`, `/v1/metrics`"))
        .layer(CatchPanicLayer::custom(panicked))
        .layer(from_fn_with_state(receiver.clone(), answer))
        .with_state(receiver)
}

/// Surrounds a request. Refusals come from the inside as an extension of an empty response and get their form here,
/// so that every one of them is counted and none is plain text.
async fn answer(State(receiver): State<Receiver>, request: Request<Body>, next: Next) -> Response {
    let counters = receiver.counters();
    let _in_flight = counters.in_flight.enter();
    let started = Instant::now();
    let form = Form::of(request.headers());
    let transport = form.map(Form::transport);
    let span = debug_span!("otlp request", otel.kind = "server", transport);
    let mut response = next.run(request).instrument(span).await;
    match response.extensions_mut().remove::<Refused>() {
        Some(refused) => {
            counters.refused(refused.why);
            tracing::debug!(why = refused.why.as_str(), message = refused.message, "request refused");
            refuse(&refused, form)
        }
        None => {
            counters.acknowledged.record(started.elapsed());
            response
        }
    }
}

impl IntoResponse for Refused {
    /// Only a carrier: `answer` writes what is sent.
    fn into_response(self) -> Response {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = self.why.http();
        response.extensions_mut().insert(self);
        response
    }
}

/// A panic is a mistake of this program. The request is lost, the process is not. The panic hook has logged it; its
/// text stays out of the reply, because it may quote the request.
fn panicked(_: Box<dyn Any + Send>) -> Response {
    Refused::panicked().into_response()
}
