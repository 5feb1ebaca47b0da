//! Every recording under `tests/fixtures/captures` goes through the door in both encodings.
//!
//! Layout: `<stack>/<scenario>.<signal>.jsonl` is canonical OTLP/JSON, one request a line; `.binpb` beside it holds
//! the same requests as varint-length-delimited protobuf; `.wire.jsonl` is the exporter's own JSON.

use std::fs;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use prost::Message;
use wherefore::model::Signal;
use wherefore::proto::opentelemetry::proto::collector::logs::v1::ExportLogsServiceRequest;
use wherefore::proto::opentelemetry::proto::collector::metrics::v1::ExportMetricsServiceRequest;
use wherefore::proto::opentelemetry::proto::collector::trace::v1::ExportTraceServiceRequest;
use wherefore::wire::{Rejected, framing, json, records, validate};

fn root() -> PathBuf {
    match std::env::var_os("WHEREFORE_CAPTURES") {
        Some(root) => root.into(),
        None => Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/captures"),
    }
}

/// The files whose name ends in `.<signal>.<ending>`, with their signal.
fn files(ending: &str) -> Vec<(Signal, PathBuf)> {
    let mut files = Vec::new();
    for stack in fs::read_dir(root()).expect("captures").map(|entry| entry.expect("captures").path()) {
        for file in fs::read_dir(stack).into_iter().flatten().map(|entry| entry.expect("captures").path()) {
            let signal = Signal::ALL.into_iter().find(|signal| {
                let ending = format!(".{}.{ending}", signal.as_str());
                file.to_str().is_some_and(|name| name.ends_with(&ending))
            });
            files.extend(signal.map(|signal| (signal, file)));
        }
    }
    files
}

/// The file beside it that ends in `ending` instead of `jsonl`.
fn beside(file: &Path, own: &str, ending: &str) -> PathBuf {
    let name = file.to_str().expect("captures have plain names");
    format!("{}{ending}", name.strip_suffix(own).expect("listed by this ending")).into()
}

fn from_json(signal: Signal, file: &Path) -> Vec<Bytes> {
    let text = fs::read(file).expect("capture");
    let lines = text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    let transcode = |line| {
        let request = json::to_protobuf(signal, line).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        assert_eq!(request.rejected, Rejected::default(), "{}", file.display());
        request.body.into()
    };
    lines.map(transcode).collect()
}

/// What prost writes for what it reads: the canonical bytes.
fn by_prost(signal: Signal, body: &[u8]) -> Vec<u8> {
    fn again<M: Message + Default>(body: &[u8]) -> Vec<u8> {
        M::decode(body).expect("a capture").encode_to_vec()
    }
    match signal {
        Signal::Traces => again::<ExportTraceServiceRequest>(body),
        Signal::Logs => again::<ExportLogsServiceRequest>(body),
        Signal::Metrics => again::<ExportMetricsServiceRequest>(body),
    }
}

#[test]
fn json_becomes_the_bytes_that_prost_writes_for_the_protobuf_beside_it() {
    let mut compared = 0;
    for (signal, file) in files("jsonl") {
        let Ok(binpb) = fs::read(beside(&file, "jsonl", "binpb")) else {
            continue;
        };
        let want: Vec<Bytes> = framing::delimited(&binpb)
            .map(|message| by_prost(signal, message.expect("a whole message")).into())
            .collect();
        assert_eq!(from_json(signal, &file), want, "{}", file.display());
        compared += 1;
    }
    assert!(compared >= 4, "only {compared} captures were compared");
}

#[test]
fn what_exporters_send_as_json_reads_as_its_canonical_form() {
    let mut compared = 0;
    for (signal, file) in files("wire.jsonl") {
        let canonical = beside(&file, "wire.jsonl", "jsonl");
        assert_eq!(from_json(signal, &file), from_json(signal, &canonical), "{}", file.display());
        compared += 1;
    }
    assert!(compared >= 2, "only {compared} captures were compared");
}

#[test]
fn no_record_of_a_capture_is_rejected_or_lost() {
    for (signal, file) in files("jsonl") {
        for body in from_json(signal, &file) {
            let validated = validate(signal, &body).expect("a capture");
            assert_eq!(validated.rejected, Rejected::default(), "{}", file.display());
            assert!(validated.accepted > 0, "{}", file.display());
            if signal != Signal::Metrics {
                assert_eq!(records(signal, &validated.body).count(), validated.accepted as usize);
            }
        }
    }
}
