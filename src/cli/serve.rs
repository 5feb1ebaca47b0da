//! `serve`: the collector itself.

use std::io::{self, Write};
use std::path::PathBuf;
use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::config::{self, Checked};
use crate::pipeline::Server;
use crate::telemetry;

use super::{Failed, mistakes};

/// How long own traces may take to leave at the end.
const LAST_TRACES: Duration = Duration::from_secs(3);

/// Receive OTLP, judge, and answer questions, until stopped
///
/// Needs no file: without one it listens on loopback (4317 and 4318 for OTLP, 9464 for metrics and questions) and
/// keeps its journal and store under `./wherefore-data`.
#[derive(Debug, clap::Args)]
pub struct Serve {
    /// The configuration file; without it `wherefore.yaml` here, if there is one
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// The data directory, whatever the file says
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Listen beyond loopback although nobody needs a token
    #[arg(long)]
    insecure: bool,
    /// Listen on this address instead of loopback, with the same ports
    #[arg(long, value_name = "ADDRESS")]
    bind: Option<std::net::IpAddr>,
}

impl Serve {
    pub(super) fn run(self) -> Result<(), Failed> {
        let mut checked = config::check(self.config.as_deref(), self.insecure).map_err(|found| mistakes(&found))?;
        self.override_with_arguments(&mut checked)?;
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .build()
            .map_err(|error| Failed::from_error("cannot start", &error))?;
        runtime.block_on(serve(checked))
    }

    fn override_with_arguments(&self, checked: &mut Checked) -> Result<(), Failed> {
        if let Some(data) = &self.data {
            checked.config.data.clone_from(data);
        }
        if let Some(address) = self.bind {
            let listen = &mut checked.config.listen;
            for listener in [&mut listen.otlp_grpc, &mut listen.otlp_http, &mut listen.query] {
                listener.set_ip(address);
            }
            let exposed = crate::net::check_exposure(&listen.all(), checked.tokens.are_required(), listen.insecure);
            exposed.map_err(|exposed| Failed::usage(exposed.to_string()))?;
        }
        Ok(())
    }
}

async fn serve(checked: Checked) -> Result<(), Failed> {
    let telemetry = telemetry::start(&checked.config.telemetry, &checked.config.listen.all())
        .map_err(|error| Failed::from_error("cannot start logs and traces", &error))?;
    let stop = CancellationToken::new();
    tokio::spawn(stop_at_signal(stop.clone()));
    let server = Server::start(checked).await.map_err(|error| Failed::from_error("cannot start", &error))?;
    let ended = server.run(stop).await;
    telemetry.shutdown(LAST_TRACES).await;
    ended.map_err(|error| Failed::from_error("stopped", &error))
}

/// Ctrl-C or SIGTERM ends the program in order; a second one ends it at once, which the journal survives.
async fn stop_at_signal(stop: CancellationToken) {
    let Ok(mut terminate) = signal(SignalKind::terminate()) else { return };
    for first in [true, false] {
        tokio::select! {
            _ = tokio::signal::ctrl_c() => {}
            _ = terminate.recv() => {}
        }
        if first {
            stop.cancel();
        } else {
            let _ = writeln!(io::stderr(), "wherefore: ended before the last checkpoint; the next start folds it again");
            std::process::exit(130);
        }
    }
}
