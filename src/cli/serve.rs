//! `serve`: the collector itself.

use std::io::{self, Write};
use std::path::PathBuf;
use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::api::Page;
use crate::config::{self, Checked, Config, Slos};
use crate::envelope;
use crate::journal::JournalError;
use crate::net::Tokens;
use crate::pipeline::{Addresses, Reloader, ServeError, Server, wall};
use crate::telemetry;

use super::client::{Answer, get};
use super::{Failed, demo, mistakes};

/// How long own traces may take to leave at the end.
const LAST_TRACES: Duration = Duration::from_secs(3);

/// Receive OTLP, judge, and answer questions, until stopped
///
/// Needs no file: without one it listens on loopback (4317 and 4318 for OTLP, 9464 for metrics and questions) and
/// keeps its journal and store under `./wherefore-data`. Every key of the configuration file, with its default, is in
/// docs/configuration.md; `wherefore check` tells what is wrong with one. SIGHUP reads envelopes, objectives, times
/// and learning again.
#[derive(Debug, clap::Args)]
pub struct Serve {
    /// Play a recorded incident: an agent deletes production records during a code freeze and reports success
    ///
    /// Sent through the real OTLP port beside ordinary traffic, with short waits, so that all totals are final within
    /// a minute. Keeps its data in a temporary directory.
    #[arg(long, conflicts_with_all = ["config", "data", "insecure", "bind"])]
    demo: bool,
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
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .build()
            .map_err(|error| Failed::from_error("cannot start", &error))?;
        if self.demo {
            let stage = Stage::new()?;
            return runtime.block_on(serve(stage.checked()?, Some(&stage), None));
        }
        let mut checked = config::check(self.config.as_deref(), self.insecure).map_err(|found| mistakes(&found))?;
        self.override_with_arguments(&mut checked)?;
        let file = Reread { config: self.config.clone(), insecure: self.insecure };
        runtime.block_on(serve(checked, None, Some(file)))
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

/// What is read again when somebody asks for it.
struct Reread {
    config: Option<PathBuf>,
    insecure: bool,
}

async fn serve(checked: Checked, demo: Option<&Stage>, file: Option<Reread>) -> Result<(), Failed> {
    let telemetry = telemetry::start(&checked.config.telemetry, &checked.config.listen.all())
        .map_err(|error| Failed::from_error("cannot start logs and traces", &error))?;
    for warning in &checked.slos.warnings {
        tracing::warn!(%warning, "an objective is probably not meant so");
    }
    let stop = CancellationToken::new();
    tokio::spawn(stop_at_signal(stop.clone()));
    let server = Server::start(checked).await.map_err(|error| cannot_start(&error))?;
    if let Some(file) = file {
        tokio::spawn(reload_at_signal(server.reloader(), file, stop.clone()));
    }
    if demo.is_some() {
        tokio::spawn(tell(server.addresses, stop.clone()));
    }
    let ended = server.run(stop).await;
    telemetry.shutdown(LAST_TRACES).await;
    ended.map_err(|error| Failed::from_error("stopped", &error))
}

/// Why it cannot start, and what to do about what happens most.
fn cannot_start(error: &ServeError) -> Failed {
    match error {
        ServeError::Bind(bind) if bind.source.kind() == io::ErrorKind::AddrInUse => Failed::new(format!(
            "cannot listen on `{}`: it is taken; by another wherefore?\nother addresses: `listen` in `wherefore.yaml`, \
             or in a file that `--config` names",
            bind.address
        )),
        ServeError::Bind(bind) => Failed::of(bind),
        ServeError::Journal(locked @ JournalError::Locked(_)) => Failed::new(format!(
            "{locked}; another wherefore?\nanother data directory: `data` in the file, or `--data`"
        )),
        other => Failed::from_error("cannot start", other),
    }
}

/// Where the demo plays: a folder of its own that goes when it ends.
struct Stage {
    folder: PathBuf,
}

impl Stage {
    fn new() -> Result<Self, Failed> {
        let folder = std::env::temp_dir().join(format!("wherefore-demo-{}-{}", std::process::id(), wall().0));
        std::fs::create_dir(&folder)
            .map_err(|error| Failed::new(format!("cannot make `{}`: {error}", folder.display())))?;
        Ok(Self { folder })
    }

    /// The demo's own configuration: its envelopes, its tokens, its short waits.
    fn checked(&self) -> Result<Checked, Failed> {
        let envelopes = demo::envelopes();
        let files: Vec<(&str, &str)> = envelopes.iter().map(|(name, text)| (&**name, &**text)).collect();
        let rules = envelope::parse(&files).map_err(|found| mistakes(&found))?;
        let tokens = Tokens::parse(demo::tokens()).map_err(|error| Failed::from_error("the demo's tokens", &error))?;
        let mut config = Config { data: self.folder.clone(), constants: demo::constants(), ..Config::default() };
        config.telemetry.filter = "warn,wherefore=warn".to_owned();
        let slos = Slos::read(&[], &config.objectives).map_err(|found| mistakes(&found))?;
        Ok(Checked { config, envelopes, rules, slo_files: Vec::new(), slos, tokens })
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        // What cannot be removed is only a temporary directory.
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// Tells the story on standard output while it is played, and where to look.
async fn tell(addresses: Addresses, stop: CancellationToken) {
    let query = addresses.query;
    say(&format!(
        "wherefore is listening: OTLP on {} and {}, questions on http://{query}\n\n\
         A recorded incident is being sent to it now. An operations agent is told that\n\
         production data is frozen; it deletes 1,206 customers all the same and reports\n\
         success. Beside it two other agents do ordinary work. Half a minute, please.\n",
        addresses.otlp_grpc, addresses.otlp_http
    ));
    let now = wall();
    if let Err(error) = demo::play(addresses.otlp_http, now, now.0).await {
        say(&Failed::from_error("the demo could not be played", &error).message);
        stop.cancel();
        return;
    }
    let waits = demo::constants();
    let last = waits.ask.0.max(waits.idle.0 + waits.check_within.0);
    tokio::time::sleep(Duration::from_nanos(last) + Duration::from_secs(3)).await;
    let found = tokio::task::spawn_blocking(move || forbidden(&format!("http://{query}"))).await;
    let id = found.ok().flatten().unwrap_or_else(|| "ID".to_owned());
    say(&format!(
        "All totals are final. In another terminal:\n\n\
         \x20 wherefore why {id}\n\
         \x20 wherefore actions --agent ops-agent\n\
         \x20 curl -s http://{query}/metrics | grep wherefore_sli_events_total\n\n\
         (with cargo: `cargo run --release -- why {id}`)\n\
         Ctrl-C ends the demo and removes its data.\n"
    ));
}

/// The id of the call that must not have happened.
fn forbidden(server: &str) -> Option<String> {
    let Ok(Answer::Body(body)) = get(server, None, "/api/v1/actions?finding=open&severity=page&limit=1") else {
        return None;
    };
    let page: Page = serde_json::from_slice(&body).ok()?;
    Some(page.actions.first()?.id.to_string())
}

fn say(text: &str) {
    // The demo goes on when nobody reads.
    let _ = writeln!(io::stdout(), "{text}");
}

/// SIGHUP: reads the files again. With a mistake in them everything stays as it is.
async fn reload_at_signal(reloader: Reloader, file: Reread, stop: CancellationToken) {
    let Ok(mut hangup) = signal(SignalKind::hangup()) else { return };
    let file = std::sync::Arc::new(file);
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = hangup.recv() => {}
        }
        let read = file.clone();
        let checked = tokio::task::spawn_blocking(move || config::check(read.config.as_deref(), read.insecure)).await;
        match checked.unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic())) {
            Ok(checked) => match reloader.reload(&checked).await {
                Ok(true) => tracing::info!(rules = checked.rules.len().1, "reloaded: what begins now is judged by it"),
                Ok(false) => tracing::info!("nothing new in envelopes, times or learning"),
                Err(error) => tracing::error!(%error, "not reloaded: what was in force stays"),
            },
            Err(found) => {
                reloader.refuse();
                for mistake in &found {
                    tracing::error!(%mistake, "not reloaded: what was in force stays");
                }
            }
        }
    }
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
            let _ =
                writeln!(io::stderr(), "wherefore: ended before the last checkpoint; the next start folds it again");
            std::process::exit(130);
        }
    }
}
