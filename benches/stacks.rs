//! What the dialect stage costs for each recorded stack: its readers over what real instrumentation sends.

use std::collections::BTreeMap;
use std::fs;
use std::hint::black_box;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use wherefore::model::{Role, Signal, Tenant};
use wherefore::pipeline::evidence_of;
use wherefore::wire::{self, json};

use crate::cpu::{Cost, measure};
use crate::table::{Rows, number, share};

/// Plain OTel GenAI, which the others are ratios to.
const PLAIN: &str = "otel-openai-v2";

/// The recordings of one stack.
struct Stack {
    requests: Vec<(Signal, Bytes)>,
    records: usize,
    bytes: usize,
}

pub fn run() {
    let mut rows = Rows::new(
        "dialect, by stack: CPU microseconds per span or log record, in brackets as a multiple of plain OTel GenAI",
        &["stack", "records", "bytes each", "view", "dialect", "ns per byte"],
    );
    let stacks = stacks();
    let plain = &stacks[PLAIN];
    let (view, dialect) = (walk(plain), read(plain));
    for (name, stack) in &stacks {
        let each = stack.bytes / stack.records;
        let (walked, cost) = (walk(stack), read(stack));
        rows.row([
            name.clone(),
            stack.records.to_string(),
            each.to_string(),
            share(walked.micros, view.micros),
            share(cost.micros, dialect.micros),
            number(cost.micros * 1000.0 / each as f64),
        ]);
    }
    rows.print();
}

/// Only finding the records, which every reader has to.
fn walk(stack: &Stack) -> Cost {
    measure(stack.records, || {
        for (signal, body) in &stack.requests {
            black_box(wire::records(*signal, body).count());
        }
    })
}

fn read(stack: &Stack) -> Cost {
    measure(stack.records, || {
        for (signal, body) in &stack.requests {
            black_box(evidence_of(&Tenant::default(), Role::default(), *signal, body).len());
        }
    })
}

fn stacks() -> BTreeMap<String, Stack> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/captures");
    let folders = listed(&root).into_iter().filter(|path| path.is_dir());
    folders.map(|folder| (name(&folder), stack(&folder))).collect()
}

fn stack(folder: &Path) -> Stack {
    let requests: Vec<(Signal, Bytes)> = listed(folder).iter().flat_map(|file| requests(file)).collect();
    let records = requests.iter().map(|(signal, body)| wire::records(*signal, body).count()).sum();
    let bytes = requests.iter().map(|(_, body)| body.len()).sum();
    Stack { requests, records, bytes }
}

fn requests(file: &Path) -> Vec<(Signal, Bytes)> {
    let name = name(file);
    let signal = match name.strip_suffix(".jsonl.zst").and_then(|name| name.rsplit_once('.')) {
        Some((_, "traces")) => Signal::Traces,
        Some((_, "logs")) => Signal::Logs,
        _ => return Vec::new(),
    };
    let text = zstd::decode_all(&*fs::read(file).expect("a recording")).expect("a zstd file");
    let lines = text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    lines.map(|line| (signal, json::to_protobuf(signal, line).expect("a recording is OTLP").body.into())).collect()
}

fn listed(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).expect("a folder of recordings");
    entries.map(|entry| entry.expect("an entry").path()).collect()
}

fn name(path: &Path) -> String {
    path.file_name().and_then(|name| name.to_str()).expect("recordings have plain names").to_owned()
}
