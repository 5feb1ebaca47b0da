//! How wherefore observes itself: logs, traces and the meters that other modules count with.
//!
//! Own traces are off unless an endpoint is configured. Meters are plain values that their owner hands in; nothing
//! here is global except the one subscriber of the process, set by [`start`].

mod meter;
mod traces;

pub use meter::{Counter, Gauge, InUse, Latency, LatencySnapshot};
pub use traces::{OwnListener, TraceSettings, check_not_own_listener};

use std::net::SocketAddr;
use std::str::FromStr;
use std::time::Duration;

use opentelemetry_sdk::trace::SdkTracerProvider;
use tracing::Subscriber;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::{EnvFilter, Layer};

/// An error with its causes, each said once: what a log line or a person needs of it.
pub fn causes(error: &dyn std::error::Error) -> String {
    let mut message = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        // Some libraries say their cause themselves.
        let said = error.to_string();
        if !message.contains(&said) {
            message.push_str(": ");
            message.push_str(&said);
        }
        cause = error.source();
    }
    message
}

/// What the process tells about itself.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Settings {
    /// The shape of a log line.
    pub format: LogFormat,
    /// Which log lines: directives such as `info,wherefore::otlp=debug`. Empty: `info`.
    pub filter: String,
    /// Own traces, when they are wanted.
    pub traces: Option<TraceSettings>,
}

/// The shape of a log line, on standard error.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON object per line.
    Json,
}

impl FromStr for LogFormat {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        match text {
            "text" => Ok(Self::Text),
            "json" => Ok(Self::Json),
            other => Err(Error::Format(other.to_owned())),
        }
    }
}

/// Why telemetry could not be started.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Not a log format.
    #[error("unknown log format `{0}`, expected `text` or `json`")]
    Format(String),
    /// The directives do not parse.
    #[error("cannot read the log filter `{filter}`")]
    Filter {
        /// As typed.
        filter: String,
        /// Where it fails.
        source: tracing_subscriber::filter::ParseError,
    },
    /// Own traces would come back in and make more of themselves.
    #[error(transparent)]
    OwnListener(#[from] OwnListener),
    /// The exporter refused its settings.
    #[error("cannot export own traces to `{endpoint}`")]
    Exporter {
        /// As typed.
        endpoint: String,
        /// What the exporter said.
        source: opentelemetry_otlp::ExporterBuildError,
    },
    /// The process has a subscriber already.
    #[error("cannot start logging twice")]
    Twice(#[from] tracing::subscriber::SetGlobalDefaultError),
}

/// Keeps own traces alive. Call [`Telemetry::shutdown`] last, or the last spans are lost.
#[must_use = "own traces are flushed by `shutdown`"]
#[derive(Debug, Default)]
pub struct Telemetry {
    provider: Option<SdkTracerProvider>,
}

/// Starts logs and, when configured, own traces for the whole process; panics become log lines. Needs a
/// tokio runtime for the traces. `listeners` are the addresses that wherefore itself receives OTLP on.
pub fn start(settings: &Settings, listeners: &[SocketAddr]) -> Result<Telemetry, Error> {
    let (subscriber, telemetry) = subscriber(settings, listeners)?;
    tracing::subscriber::set_global_default(subscriber)?;
    std::panic::set_hook(Box::new(log_panic));
    Ok(telemetry)
}

/// Logs where a panic happened. A text that was put together at run time stays out: it may quote what was received.
fn log_panic(panic: &std::panic::PanicHookInfo<'_>) {
    let place = panic.location().map(ToString::to_string);
    let text = panic.payload().downcast_ref::<&'static str>().copied();
    tracing::error!(place, text, "panicked: this is a mistake in the program");
}

/// What [`start`] makes global: for tests, which share a process.
pub fn subscriber(
    settings: &Settings,
    listeners: &[SocketAddr],
) -> Result<(impl Subscriber + for<'a> LookupSpan<'a> + Send + Sync + use<>, Telemetry), Error> {
    let directives = if settings.filter.is_empty() { "info" } else { &settings.filter };
    let filter =
        EnvFilter::try_new(directives).map_err(|source| Error::Filter { filter: settings.filter.clone(), source })?;
    let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
    let lines = match settings.format {
        LogFormat::Text => lines.boxed(),
        LogFormat::Json => lines.json().boxed(),
    };
    let provider = match &settings.traces {
        Some(traces) => Some(traces::provider(traces, listeners)?),
        None => None,
    };
    let traces = provider.as_ref().map(traces::layer);
    let subscriber = tracing_subscriber::registry().with(lines.with_filter(filter)).with(traces);
    Ok((subscriber, Telemetry { provider }))
}

impl Telemetry {
    /// Sends what is buffered, for at most `within`: a collector that is away must not hold up the end of the process.
    pub async fn shutdown(self, within: Duration) {
        let Some(provider) = self.provider else {
            return;
        };
        // The exporter's own retries run on this runtime, so the wait must not block one of its threads.
        let flushed = tokio::task::spawn_blocking(move || provider.shutdown_with_timeout(within));
        match tokio::time::timeout(within, flushed).await {
            Ok(Ok(Ok(()))) => {}
            Ok(Ok(Err(error))) => tracing::warn!(%error, "own traces were not all exported"),
            Ok(Err(_)) | Err(_) => tracing::warn!("own traces were not all exported in time"),
        }
    }
}
