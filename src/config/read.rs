//! Text to settings. Each section starts from its default and takes what was typed.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use super::{Checkpoint, Config, Disk, Listen, Mistake, Texts};
use crate::model::{Constants, Severity, Sli};
use crate::net::ServeSettings;
use crate::otlp::Limits;
use crate::redact::{Class, Policy};
use crate::slo::{Objective, Window};
use crate::telemetry::{LogFormat, Settings, TraceSettings};
use crate::values::document::{Kind, Node, Page, Table};

const CONFIG: &[&str] = &[
    "listen",
    "tokens",
    "data",
    "disk",
    "memory",
    "redact",
    "checkpoint",
    "limits",
    "times",
    "learning",
    "envelopes",
    "slos",
    "logs",
    "traces",
    "external_url",
    "objectives",
];

/// What stands in a text, with defaults where it is wrong, and its mistakes. None when it is no mapping at all.
pub(super) fn config(name: &str, text: &str, folder: &Path) -> (Option<Config>, Vec<Mistake>) {
    // A file of comments alone says: the defaults. So does an empty one.
    let bare = |line: &str| line.trim().is_empty() || line.trim_start().starts_with('#');
    if text.lines().all(bare) {
        return (Some(untyped(folder)), Vec::new());
    }
    let (mut page, node) = Page::read(name, text);
    let config = node.and_then(|node| sections(&mut page, &node, folder));
    (config, page.into_mistakes())
}

/// A configuration without mistakes, or the mistakes.
pub(super) fn whole(read: (Option<Config>, Vec<Mistake>)) -> Result<Config, Vec<Mistake>> {
    match read {
        (Some(config), mistakes) if mistakes.is_empty() => Ok(config),
        (_, mistakes) => Err(mistakes),
    }
}

/// The defaults beside a file. Data stays in the working directory: a folder of settings is often read-only.
fn untyped(folder: &Path) -> Config {
    let beside = |name: &str| Texts::Folder { path: folder.join(name), named: false };
    Config { envelopes: beside("envelopes"), slos: beside("slos"), ..Config::default() }
}

fn sections(page: &mut Page, node: &Node, folder: &Path) -> Option<Config> {
    let table = page.table(node, "the configuration", CONFIG)?;
    let mut config = untyped(folder);
    let path = |page: &mut Page, node: &Node| page.text(node).map(|text| folder.join(&*text));
    set(&mut config.listen, page.maybe(table, "listen", listen));
    config.tokens = page.maybe(table, "tokens", path);
    set(&mut config.data, page.maybe(table, "data", path));
    set(&mut config.disk, page.maybe(table, "disk", disk));
    set(&mut config.memory, page.maybe(table, "memory", Page::size));
    set(&mut config.redact, page.maybe(table, "redact", redaction));
    set(&mut config.checkpoint, page.maybe(table, "checkpoint", checkpoint));
    if let Some((limits, serve)) = page.maybe(table, "limits", limits) {
        (config.limits, config.serve) = (limits, serve);
    }
    set(&mut config.constants, page.maybe(table, "times", times));
    set(&mut config.learning, page.maybe(table, "learning", Page::flag));
    set(&mut config.envelopes, page.maybe(table, "envelopes", |page, node| texts(page, node, folder)));
    set(&mut config.slos, page.maybe(table, "slos", |page, node| texts(page, node, folder)));
    if let Some((format, filter)) = page.maybe(table, "logs", logs) {
        config.telemetry = Settings { format, filter, ..config.telemetry };
    }
    config.telemetry.traces = page.maybe(table, "traces", traces);
    set(&mut config.external_url, page.maybe(table, "external_url", url));
    set(&mut config.objectives, page.maybe(table, "objectives", objectives));
    Some(config)
}

/// What was typed, if anything was.
fn set<T>(setting: &mut T, typed: Option<T>) {
    if let Some(typed) = typed {
        *setting = typed;
    }
}

fn listen(page: &mut Page, node: &Node) -> Option<Listen> {
    let table = page.table(node, "`listen`", &["otlp_grpc", "otlp_http", "query", "insecure"])?;
    let mut listen = Listen::default();
    set(&mut listen.otlp_grpc, page.maybe(table, "otlp_grpc", address));
    set(&mut listen.otlp_http, page.maybe(table, "otlp_http", address));
    set(&mut listen.query, page.maybe(table, "query", address));
    set(&mut listen.insecure, page.maybe(table, "insecure", Page::flag));
    let all = listen.all();
    let twice = (1..all.len()).find(|i| all[*i].port() != 0 && all[..*i].contains(&all[*i]));
    if let Some(twice) = twice {
        page.wrong(table.at, format!("two listeners share the address `{}`", all[twice]));
    }
    Some(listen)
}

fn address(page: &mut Page, node: &Node) -> Option<SocketAddr> {
    let parsed = match &node.kind {
        Kind::Text(text) => text.parse().ok(),
        _ => None,
    };
    parsed.or_else(|| page.expected(node, "an address and a port, such as `127.0.0.1:4317` or `[::1]:4317`"))
}

/// Bytes, or a share. Who names one means that one alone.
fn disk(page: &mut Page, node: &Node) -> Option<Disk> {
    match &node.kind {
        Kind::Text(text) if text.ends_with('%') => Some(Disk { bytes: u64::MAX, share: share(page, node)? }),
        _ => {
            let bytes = page.size(node)?;
            if bytes < Disk::MIN {
                page.wrong(node.at, format!("the journal and the store need at least {} MiB", Disk::MIN >> 20));
            }
            Some(Disk { bytes, share: 1.0 })
        }
    }
}

fn checkpoint(page: &mut Page, node: &Node) -> Option<Checkpoint> {
    let table = page.table(node, "`checkpoint`", &["every", "bytes"])?;
    let mut checkpoint = Checkpoint::default();
    set(&mut checkpoint.every, page.maybe(table, "every", duration));
    set(&mut checkpoint.bytes, page.maybe(table, "bytes", Page::size));
    Some(checkpoint)
}

fn limits(page: &mut Page, node: &Node) -> Option<(Limits, ServeSettings)> {
    const KEYS: &[&str] = &["request", "decompressed", "in_flight", "body_time", "connections", "drain"];
    let table = page.table(node, "`limits`", KEYS)?;
    let (mut limits, mut serve) = (Limits::default(), ServeSettings::default());
    set(&mut limits.request, page.maybe(table, "request", bytes));
    set(&mut limits.decompressed, page.maybe(table, "decompressed", bytes));
    set(&mut limits.in_flight, page.maybe(table, "in_flight", bytes));
    set(&mut limits.body_time, page.maybe(table, "body_time", duration));
    set(&mut serve.max_connections, page.maybe(table, "connections", count));
    set(&mut serve.drain, page.maybe(table, "drain", duration));
    let largest = crate::journal::MAX_BODY_LEN;
    if limits.decompressed > largest {
        page.wrong(table.at, format!("`decompressed` is more than the {} MiB that a frame holds", largest >> 20));
    }
    if limits.in_flight < limits.decompressed {
        page.wrong(table.at, "`in_flight` is less than `decompressed`, so no request of that size could be read");
    }
    if limits.decompressed < limits.request {
        page.wrong(table.at, "`decompressed` is less than `request`, so no request of that size could be read");
    }
    Some((limits, serve))
}

fn bytes(page: &mut Page, node: &Node) -> Option<usize> {
    usize::try_from(page.size(node)?).ok().or_else(|| page.expected(node, "a size that fits this machine"))
}

fn duration(page: &mut Page, node: &Node) -> Option<Duration> {
    page.length(node).map(|span| Duration::from_nanos(span.0))
}

fn count(page: &mut Page, node: &Node) -> Option<usize> {
    let count = page.whole(node)?;
    let fits = usize::try_from(count).ok().filter(|count| (1..=1 << 20).contains(count));
    fits.or_else(|| page.expected(node, "a number from 1 to 1048576"))
}

/// Each length of time, and the order that the promises need: what moves a live counter is inside the horizon, and
/// what moves the ledger still revises the record.
fn times(page: &mut Page, node: &Node) -> Option<Constants> {
    const KEYS: &[&str] =
        &["grace", "idle", "ask", "live_lateness", "horizon", "patches", "epoch", "check_within", "contain_within"];
    let table = page.table(node, "`times`", KEYS)?;
    let mut times = Constants::default();
    let fields = [
        ("grace", &mut times.grace),
        ("idle", &mut times.idle),
        ("ask", &mut times.ask),
        ("live_lateness", &mut times.live_lateness),
        ("horizon", &mut times.horizon),
        ("patches", &mut times.patches),
        ("epoch", &mut times.epoch),
        ("check_within", &mut times.check_within),
        ("contain_within", &mut times.contain_within),
    ];
    for (key, field) in fields {
        set(field, page.maybe(table, key, Page::length));
    }
    let ordered = [
        ("grace", times.grace, "idle", times.idle),
        ("live_lateness", times.live_lateness, "horizon", times.horizon),
        ("horizon", times.horizon, "patches", times.patches),
    ];
    for (less, short, more, long) in ordered {
        if short > long {
            page.wrong(table.at, format!("`{less}` is longer than `{more}`"));
        }
    }
    Some(times)
}

/// One name is a folder or a file, by its ending; a list is of files.
fn texts(page: &mut Page, node: &Node, folder: &Path) -> Option<Texts> {
    let names: Vec<Arc<str>> = page.list(node, Page::text)?;
    let is_file = |name: &str| Path::new(name).extension().is_some_and(|ending| ending == "yaml" || ending == "yml");
    let paths: Vec<PathBuf> = names.iter().map(|name| folder.join(&**name)).collect();
    match (&node.kind, &names[..], &paths[..]) {
        (Kind::Text(_), [name], [path]) if !is_file(name) => Some(Texts::Folder { path: path.clone(), named: true }),
        _ => Some(Texts::Files(paths)),
    }
}

fn logs(page: &mut Page, node: &Node) -> Option<(LogFormat, String)> {
    let table = page.table(node, "`logs`", &["format", "filter"])?;
    let format = page.maybe(table, "format", |page, node| page.word(node, &["text", "json"], |word| word.parse().ok()));
    let filter = page.maybe(table, "filter", filter);
    Some((format.unwrap_or_default(), filter.unwrap_or_default()))
}

fn filter(page: &mut Page, node: &Node) -> Option<String> {
    let text = page.text(node)?;
    match tracing_subscriber::EnvFilter::try_new(&*text) {
        Ok(_) => Some(text.to_string()),
        Err(error) => {
            page.wrong(node.at, format!("cannot read the log filter `{text}`: {error}"));
            None
        }
    }
}

fn traces(page: &mut Page, node: &Node) -> Option<TraceSettings> {
    let table = page.table(node, "`traces`", &["endpoint", "ratio"])?;
    let endpoint = page.must(table, "endpoint", url);
    let ratio = page.maybe(table, "ratio", share);
    Some(TraceSettings { endpoint: endpoint?, ratio: ratio.unwrap_or(1.0) })
}

/// `http://` or `https://` with a host; a slash at the end is dropped, because paths are put after it.
fn url(page: &mut Page, node: &Node) -> Option<String> {
    let text = page.text(node)?;
    let is_url = |uri: &http::Uri| {
        matches!(uri.scheme_str(), Some("http" | "https")) && uri.host().is_some() && uri.query().is_none()
    };
    match text.parse::<http::Uri>() {
        Ok(uri) if is_url(&uri) => Some(text.trim_end_matches('/').to_owned()),
        _ => page.expected(node, "a URL, such as `https://wherefore.example`"),
    }
}

/// A share above 0 and up to 1, as a number or in percent: `0.995`, `99.5%`.
fn share(page: &mut Page, node: &Node) -> Option<f64> {
    let share = match &node.kind {
        Kind::Real(share) => Some(*share),
        Kind::Whole(share) => Some(*share as f64),
        Kind::Text(text) => {
            text.strip_suffix('%').and_then(|percent| percent.trim().parse::<f64>().ok()).map(|percent| percent / 100.0)
        }
        _ => None,
    };
    let share = share.filter(|share| *share > 0.0 && *share <= 1.0);
    share.or_else(|| page.expected(node, "a share above 0 and up to 1, such as `0.995` or `99.5%`"))
}

/// Key patterns in the order written; the first that fits a key decides.
fn redaction(page: &mut Page, node: &Node) -> Option<Policy> {
    let entries = page.entries(node)?;
    let mut rules = Vec::new();
    for (key, node) in entries {
        let class = page.word(node, &["keep", "digest", "drop"], Class::from_word)?;
        rules.push((key.name.to_string(), class));
    }
    Some(Policy::new(rules))
}

/// The defaults, with what was typed about some of them.
fn objectives(page: &mut Page, node: &Node) -> Option<Vec<Objective>> {
    let names: Vec<&str> = Sli::ALL.iter().map(|sli| sli.as_str()).collect();
    let table = page.table(node, "`objectives`", &names)?;
    let mut objectives = Objective::DEFAULTS.to_vec();
    for objective in &mut objectives {
        let default = objective.clone();
        let sli = objective.name.clone();
        set(objective, page.maybe(table, &sli, |page, node| one_objective(page, node, default)));
    }
    Some(objectives)
}

fn one_objective(page: &mut Page, node: &Node, default: Objective) -> Option<Objective> {
    let table = page.table(node, "an objective", &["target", "window", "severity", "min_coverage"])?;
    let severity = |page: &mut Page, node: &Node| page.word(node, &["page", "ticket", "info"], Severity::from_word);
    let mut objective = default;
    set(&mut objective.target, page.maybe(table, "target", share));
    set(&mut objective.window, page.maybe(table, "window", Page::length).map(Window::Rolling));
    set(&mut objective.severity, page.maybe(table, "severity", severity));
    set(&mut objective.min_coverage, page.maybe(table, "min_coverage", share));
    check_target(page, table, objective.target);
    Some(objective)
}

/// A target of 1 has no error budget: nothing could burn, and everything would page.
fn check_target(page: &mut Page, table: Table<'_>, target: f64) {
    if target >= 1.0 {
        page.wrong(table.at, "a target of 100% leaves no error budget");
    }
}
