//! `replay`: the same fold, offline, over files. Its clock is the telemetry's own.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, IsTerminal, Read, Write};
use std::path::{Path, PathBuf};

use bytes::Bytes;
use indicatif::{ProgressBar, ProgressStyle};

use crate::config::{self, Config};
use crate::engine::{Configuration, Engine};
use crate::model::{FindingState, Role, Signal, Sli, Tenant, Value};
use crate::pipeline::{Offline, Outcome};
use crate::wire::{self, framing};

use super::{Failed, mistakes};

/// A bar is worth it from here.
const LONG: u64 = 8 << 20;

/// Judge recorded OTLP offline
///
/// Reads files as the Collector's file exporter writes them: OTLP/JSON, one request a line, or length-delimited
/// protobuf; `.zst` of either. Time is the telemetry's own: the latest end read so far.
#[derive(Debug, clap::Args)]
pub struct Replay {
    /// Files, in the order to read them; `-` is standard input as OTLP/JSON lines
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// The configuration file, for its envelopes and waits
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// The signal of protobuf files whose name does not say it
    #[arg(long, value_name = "traces|logs")]
    signal: Option<String>,
    /// One action a line as JSON, instead of totals
    #[arg(long)]
    json: bool,
}

impl Replay {
    pub(super) fn run(self) -> Result<(), Failed> {
        let checked = config::check(self.config.as_deref(), true).map_err(|found| mistakes(&found))?;
        let Config { constants, learning, .. } = checked.config;
        let objectives = checked.slos.objectives().into();
        let configuration = Configuration { rules: checked.rules.into(), constants, learning, objectives };
        let mut offline = Offline::new(configuration);
        let bar = self.bar();
        let mut faults = Vec::new();
        for path in &self.files {
            let bytes = read(path)?;
            self.file(path, &bytes, &mut offline, &bar, &mut faults)?;
        }
        bar.finish_and_clear();
        let (outcome, engine) = offline.finish();
        for fault in faults.iter().take(10) {
            writeln!(io::stderr(), "wherefore: {fault}")?;
        }
        if faults.len() > 10 {
            writeln!(io::stderr(), "wherefore: and {} more requests that cannot be read", faults.len() - 10)?;
        }
        let mut out = io::BufWriter::new(io::stdout().lock());
        if self.json {
            let mut actions: Vec<_> = outcome.actions.values().collect();
            actions.sort_by_key(|action| (action.end, action.id));
            for action in actions {
                let line = serde_json::to_string(action).expect("a record is plain data");
                writeln!(out, "{line}")?;
            }
        } else {
            totals(&outcome, &engine, &mut out)?;
        }
        out.flush()?;
        match faults.len() {
            0 => Ok(()),
            count => Err(Failed::new(format!("{count} requests could not be read; the rest was judged"))),
        }
    }

    fn bar(&self) -> ProgressBar {
        let sizes = self.files.iter().filter_map(|path| fs::metadata(path).ok()).map(|it| it.len()).sum();
        if sizes < LONG || !io::stderr().is_terminal() {
            return ProgressBar::hidden();
        }
        let style = ProgressStyle::with_template("{bar:40} {bytes}/{total_bytes} {eta}").expect("a constant template");
        ProgressBar::new(sizes).with_style(style)
    }

    /// One file. A request that cannot be read costs only itself.
    fn file(
        &self,
        path: &Path,
        bytes: &[u8],
        offline: &mut Offline,
        bar: &ProgressBar,
        faults: &mut Vec<String>,
    ) -> Result<(), Failed> {
        let name = path.display();
        let mut fold = |at: &str, signal: Signal, body: Bytes| {
            if let Err(error) = offline.request(&Tenant::default(), Role::Unspecified, signal, &body) {
                faults.push(format!("{name}, {at}: {error}"));
            }
        };
        if is_protobuf(path) {
            let Some(signal) = self.signal_of(path)? else { return Ok(()) };
            for (index, request) in framing::delimited(bytes).enumerate() {
                match request {
                    Ok(request) => fold(&format!("request {}", index + 1), signal, Bytes::copy_from_slice(request)),
                    Err(cut) => {
                        faults.push(format!("{name}: {cut}"));
                        break;
                    }
                }
            }
            bar.inc(bytes.len() as u64);
            return Ok(());
        }
        let mut unread = Vec::new();
        for (index, line) in bytes.split(|byte| *byte == b'\n').enumerate() {
            bar.inc(line.len() as u64 + 1);
            if line.trim_ascii().is_empty() {
                continue;
            }
            let at = format!("line {}", index + 1);
            let Some(signal) = signal_of_json(line) else {
                unread.push(format!("{name}, {at}: neither `resourceSpans` nor `resourceLogs` nor `resourceMetrics`"));
                continue;
            };
            if signal == Signal::Metrics {
                continue;
            }
            match wire::json::to_protobuf(signal, line) {
                Ok(request) => fold(&at, signal, request.body.into()),
                Err(error) => unread.push(format!("{name}, {at}: {error}")),
            }
        }
        faults.append(&mut unread);
        Ok(())
    }

    /// The signal of a protobuf file: what its name says, else what was typed. `None`: metrics, which have no actions.
    fn signal_of(&self, path: &Path) -> Result<Option<Signal>, Failed> {
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let named = Signal::ALL.into_iter().find(|signal| name.contains(signal.as_str()));
        let typed = || Signal::ALL.into_iter().find(|signal| self.signal.as_deref() == Some(signal.as_str()));
        match named.or_else(typed) {
            Some(signal) => Ok(Some(signal).filter(|signal| *signal != Signal::Metrics)),
            None => Err(Failed::usage(format!(
                "cannot tell whether `{name}` holds traces or logs; say `--signal traces` or `--signal logs`"
            ))),
        }
    }
}

fn read(path: &Path) -> Result<Vec<u8>, Failed> {
    let failed = |error: io::Error| Failed::new(format!("cannot read `{}`: {error}", path.display()));
    if path.as_os_str() == "-" {
        let mut bytes = Vec::new();
        io::stdin().read_to_end(&mut bytes).map_err(failed)?;
        return Ok(bytes);
    }
    let bytes = fs::read(path).map_err(failed)?;
    match path.extension().is_some_and(|extension| extension == "zst") {
        true => zstd::decode_all(&*bytes).map_err(failed),
        false => Ok(bytes),
    }
}

fn is_protobuf(path: &Path) -> bool {
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let name = name.strip_suffix(".zst").unwrap_or(&name);
    [".binpb", ".pb", ".bin"].iter().any(|ending| name.ends_with(ending))
}

/// The signal of a request by its one field. Only the beginning is looked at.
fn signal_of_json(line: &[u8]) -> Option<Signal> {
    [("resourceSpans", Signal::Traces), ("resourceLogs", Signal::Logs), ("resourceMetrics", Signal::Metrics)]
        .into_iter()
        .filter_map(|(field, signal)| memchr::memmem::find(line, field.as_bytes()).map(|at| (at, signal)))
        .min()
        .map(|(_, signal)| signal)
}

/// How many scopes that no dialect reads are named.
const UNREAD: usize = 10;

/// Totals as a person reads them.
fn totals(outcome: &Outcome, engine: &Engine, out: &mut impl Write) -> io::Result<()> {
    let mut states: BTreeMap<&str, usize> = BTreeMap::new();
    let mut verdicts: BTreeMap<(Sli, Value), usize> = BTreeMap::new();
    for action in outcome.actions.values() {
        *states.entry(action.state.as_str()).or_default() += 1;
        for verdict in &action.verdicts {
            *verdicts.entry((verdict.sli, verdict.value)).or_default() += 1;
        }
    }
    writeln!(out, "records   {} accepted, {} rejected", outcome.records, outcome.rejected)?;
    let unread = engine.instrumentations(None).unread;
    for line in unread.iter().take(UNREAD) {
        writeln!(out, "  unread  {} of {} ({:.1} %)", line.records, line.scope, line.share * 100.0)?;
    }
    if unread.len() > UNREAD {
        writeln!(out, "  unread  and {} more scopes", unread.len() - UNREAD)?;
    }
    let said: Vec<String> = states.iter().map(|(state, count)| format!("{count} {state}")).collect();
    writeln!(out, "actions   {} ({})", outcome.actions.len(), said.join(", "))?;
    writeln!(out, "turns     {}", outcome.turns.len())?;
    writeln!(out, "\n{:<20} {:>8} {:>8} {:>8}", "verdicts", "good", "bad", "unknown")?;
    for sli in Sli::ALL {
        let count = |value| verdicts.get(&(*sli, value)).copied().unwrap_or(0);
        let (good, bad, unknown) = (count(Value::Good), count(Value::Bad), count(Value::Unknown));
        writeln!(out, "{:<20} {good:>8} {bad:>8} {unknown:>8}", sli.as_str())?;
    }
    let open: Vec<_> = outcome.findings.iter().filter(|event| event.finding.state == FindingState::Open).collect();
    writeln!(out, "\nfindings  {}", open.len())?;
    for event in open {
        writeln!(out, "  {:<6} {} (action {})", event.finding.severity.as_str(), event.finding.message, event.action)?;
    }
    Ok(())
}
