//! What keeps spans: the journal, synced before anyone is answered, and the store, committed at checkpoints.

use std::collections::VecDeque;
use std::path::Path;
use std::time::{Duration, Instant};

use bytes::Bytes;
use tempfile::TempDir;
use wherefore::engine::{Configuration, Engine, Input};
use wherefore::journal::{Entry, Journal, Options, Receipt};
use wherefore::model::{Nanos, Role, Tenant};
use wherefore::store::{Published, Store};

use crate::cpu::{self, per};
use crate::fold::frame;
use crate::payload::{self, Content, SPANS};
use crate::table::{Rows, number, share};
use crate::view::prost;

const START: Nanos = Nanos(1_767_225_600_000_000_000);
/// Requests that are written: forty thousand spans.
const REQUESTS: usize = 400;
/// Requests that wait for the sync together.
const TOGETHER: usize = 16;
/// Requests between two checkpoints.
const CHECKPOINT: usize = 100;

/// One column of the table.
struct Column {
    append: f64,
    rate: f64,
    checkpoint: f64,
    commit: f64,
    actions: usize,
    stored: f64,
    prost: f64,
}

pub fn run() {
    let mut rows = Rows::new(
        "journal and store: CPU seconds per million spans, in brackets as a share of prost decode + drop",
        &["step", "rich", "lean"],
    );
    let columns = Content::BOTH.map(|content| {
        let requests = payload::requests(content, REQUESTS, START);
        let prost = prost(&requests).micros;
        let (append, rate) = append(&requests);
        Column { append, rate, prost, ..keep(&requests) }
    });
    let of_prost = |of: fn(&Column) -> f64| columns.each_ref().map(|column| share(of(column), column.prost));
    let plain = |of: fn(&Column) -> f64| columns.each_ref().map(|column| number(of(column)));
    for (name, [rich, lean]) in [
        ("journal: append and sync", of_prost(|column| column.append)),
        ("checkpoint: take", of_prost(|column| column.checkpoint)),
        ("checkpoint: commit", of_prost(|column| column.commit)),
        ("… per action row, µs", plain(|column| column.commit * (REQUESTS * SPANS) as f64 / column.actions as f64)),
        ("journal MB/s, wall time", plain(|column| column.rate)),
        ("stored bytes per span", plain(|column| column.stored)),
    ] {
        rows.row([name.to_owned(), rich, lean]);
    }
    rows.print();
}

/// A folder on the disk that builds go to: a temporary one may be memory.
fn folder() -> TempDir {
    TempDir::new_in(env!("CARGO_TARGET_TMPDIR")).expect("the build folder can be written to")
}

/// Appends everything, the caller's share and the writer's: microseconds of CPU per span, and megabytes a second.
fn append(requests: &[Bytes]) -> (f64, f64) {
    let dir = folder();
    let (journal, _) = Journal::open(dir.path(), Options::default()).expect("a new journal opens");
    let mut waiting: VecDeque<Receipt> = VecDeque::new();
    let (before, started) = (cpu::process(), Instant::now());
    for body in requests {
        if waiting.len() == TOGETHER {
            synced(waiting.pop_front());
        }
        let entry = Entry::traces(Tenant::default(), Role::default(), SPANS as u32, body.clone());
        waiting.push_back(journal.try_append(entry).expect("the queue has room"));
    }
    while !waiting.is_empty() {
        synced(waiting.pop_front());
    }
    let (spent, took) = (cpu::process() - before, started.elapsed());
    let bytes: usize = requests.iter().map(Bytes::len).sum();
    (per(spent, requests.len() * SPANS).micros, bytes as f64 / 1e6 / took.as_secs_f64())
}

fn synced(receipt: Option<Receipt>) {
    receipt.expect("one waits").wait().expect("a new journal can be written to");
}

/// Folds everything and commits what came of it.
fn keep(requests: &[Bytes]) -> Column {
    let dir = folder();
    let mut store = Store::open(dir.path()).expect("a new store opens").store;
    let mut engine = Engine::new(Configuration::default());
    let mut published: Vec<Published> = Vec::new();
    let (mut taken, mut committed, mut actions) = (Duration::ZERO, Duration::ZERO, 0);
    let mut applied = 0;
    let mut commit = |engine: &mut Engine, published: &mut Vec<Published>, applied| {
        let (spent, changes) = cpu::of(|| engine.checkpoint());
        taken += spent;
        actions += published.iter().map(|it| it.output.actions.len()).sum::<usize>();
        let (spent, done) = cpu::of(|| store.commit(applied, &changes, published, &[]));
        done.expect("a new store can be written to");
        committed += spent;
        published.clear();
    };
    for body in requests {
        applied += 1;
        let (now, evidence) = frame(body);
        published.push(Published { position: applied, output: engine.step(now, Input::Evidence(&evidence)) });
        if applied % CHECKPOINT as u64 == 0 {
            commit(&mut engine, &mut published, applied);
        }
    }
    while let Some(due) = engine.next_due() {
        applied += 1;
        published.push(Published { position: applied, output: engine.step(due, Input::Tick) });
    }
    commit(&mut engine, &mut published, applied);
    let spans = requests.len() * SPANS;
    Column {
        checkpoint: per(taken, spans).micros,
        commit: per(committed, spans).micros,
        stored: size(dir.path()) as f64 / spans as f64,
        actions,
        append: 0.0,
        rate: 0.0,
        prost: 0.0,
    }
}

/// Bytes of all files below.
fn size(folder: &Path) -> u64 {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    entries
        .map(|entry| match entry.file_type() {
            Ok(kind) if kind.is_dir() => size(&entry.path()),
            _ => entry.metadata().map_or(0, |file| file.len()),
        })
        .sum()
}
