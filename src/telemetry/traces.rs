//! Own traces: spans of this program to any OTLP endpoint over gRPC.
//!
//! Only spans of this crate are exported. The exporter itself runs on `tonic`, `h2` and `hyper`, which emit spans and
//! events of their own; exporting those would make every export cause the next one.

use std::net::{IpAddr, SocketAddr};

use http::Uri;
use opentelemetry::trace::TracerProvider;
use opentelemetry_otlp::{SpanExporter, WithExportConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{Sampler, SdkTracerProvider};
use tracing::Subscriber;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::Layer;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::registry::LookupSpan;

use super::Error;

/// The name of this program in its own traces, and the crate whose spans they are.
const SERVICE: &str = "wherefore";

/// Where own traces go.
#[derive(Debug, Clone, PartialEq)]
pub struct TraceSettings {
    /// An OTLP/gRPC endpoint without TLS, such as `http://collector:4317`.
    pub endpoint: String,
    /// Share of the requests that are traced, from 0 to 1.
    pub ratio: f64,
}

/// Own traces would be sent to this very process.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("refusing to export own traces to `{endpoint}`: that is this process's own listener `{listener}`")]
pub struct OwnListener {
    /// As typed.
    pub endpoint: String,
    /// The listener it reaches.
    pub listener: SocketAddr,
}

/// Agrees unless `endpoint` names one of `listeners`. A name other than `localhost` counts as another machine, and so
/// does an address that only a listener on all addresses would cover: both are what a real collector looks like.
pub fn check_not_own_listener(endpoint: &str, listeners: &[SocketAddr]) -> Result<(), OwnListener> {
    // What does not parse reaches nobody; the exporter says what is wrong with it.
    let Ok(uri) = endpoint.parse::<Uri>() else {
        return Ok(());
    };
    let port = uri.port_u16().unwrap_or(80);
    let host = uri.host().unwrap_or_default();
    match listeners.iter().find(|listener| listener.port() == port && covers(listener.ip(), host)) {
        Some(listener) => Err(OwnListener { endpoint: endpoint.to_owned(), listener: *listener }),
        None => Ok(()),
    }
}

fn covers(listener: IpAddr, host: &str) -> bool {
    let name = host.trim_end_matches('.').to_ascii_lowercase();
    let address = name.trim_matches(['[', ']']).parse::<IpAddr>().ok().map(|ip| ip.to_canonical());
    let this_machine = match address {
        Some(ip) => ip.is_loopback() || ip.is_unspecified(),
        None => name == "localhost" || name.ends_with(".localhost"),
    };
    let local_listener = listener.to_canonical().is_loopback() || listener.is_unspecified();
    this_machine && local_listener || address == Some(listener.to_canonical())
}

/// The exporter and its batches, on the current tokio runtime.
pub(super) fn provider(settings: &TraceSettings, listeners: &[SocketAddr]) -> Result<SdkTracerProvider, Error> {
    check_not_own_listener(&settings.endpoint, listeners)?;
    let exporter = SpanExporter::builder()
        .with_tonic()
        .with_endpoint(&settings.endpoint)
        .build()
        .map_err(|source| Error::Exporter { endpoint: settings.endpoint.clone(), source })?;
    Ok(SdkTracerProvider::builder()
        .with_batch_exporter(exporter)
        .with_sampler(Sampler::ParentBased(Box::new(Sampler::TraceIdRatioBased(settings.ratio))))
        .with_resource(Resource::builder().with_service_name(SERVICE).build())
        .build())
}

/// Turns spans of this crate into spans of `provider`, whatever the log filter says.
pub(super) fn layer<S>(provider: &SdkTracerProvider) -> impl Layer<S> + use<S>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    tracing_opentelemetry::layer()
        .with_tracer(provider.tracer(SERVICE))
        .with_location(false)
        .with_threads(false)
        .with_filter(Targets::new().with_target(SERVICE, LevelFilter::DEBUG))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn own_listeners_are_recognised_by_every_name_for_this_machine() {
        let loopback = "127.0.0.1:4317";
        for (endpoint, listener, own) in [
            ("http://127.0.0.1:4317", loopback, true),
            ("http://localhost:4317", loopback, true),
            ("http://LOCALHOST.:4317/", loopback, true),
            ("http://agent.localhost:4317", loopback, true),
            ("http://[::1]:4317", loopback, true),
            ("http://0.0.0.0:4317", loopback, true),
            ("http://127.0.0.1:4317", "0.0.0.0:4317", true),
            ("http://127.0.0.1:4317", "[::]:4317", true),
            ("http://10.1.2.3:4317", "10.1.2.3:4317", true),
            ("http://[::ffff:10.1.2.3]:4317", "10.1.2.3:4317", true),
            ("http://localhost", "127.0.0.1:80", true),
            ("http://127.0.0.1:4318", loopback, false),
            ("http://collector:4317", loopback, false),
            ("http://10.1.2.3:4317", loopback, false),
            ("http://10.1.2.3:4317", "0.0.0.0:4317", false),
            ("http://127.0.0.1:4317", "10.1.2.3:4317", false),
            ("not an endpoint", loopback, false),
        ] {
            let listeners = ["127.0.0.1:1".parse().unwrap(), listener.parse().unwrap()];
            assert_eq!(check_not_own_listener(endpoint, &listeners).is_err(), own, "{endpoint} {listener}");
        }
    }
}
