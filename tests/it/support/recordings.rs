//! Recordings of real frameworks, and what really happened in them.
//!
//! ```text
//! tests/fixtures/captures/
//!   truth.jsonl                            a line per recording: the calls that the scripted model and tools made
//!   <stack>/<scenario>.<signal>.jsonl.zst  one OTLP/JSON request per line, in arrival order
//! ```
//!
//! Producers and versions: pydantic-ai 2.68.0, google-adk 2.13.0 (both schemas), agent-framework 1.23.0, strands-agents
//! 1.62.0, opentelemetry-instrumentation-openai-v2 2.4b0 with util-genai 1.1b0, opentelemetry-instrumentation-langchain
//! 0.62.4, @ai-sdk/otel 1.0.173; the others name theirs in resource and scope. The model's answers and the tools'
//! bodies were scripted.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use serde_json::Value;
use wherefore::model::Signal;
use wherefore::wire::json;

/// Stacks whose dialect is read: every real tool call of theirs is exactly one action.
const READ: &[&str] = &[
    "codex-cli",
    "gemini-cli",
    "genkit",
    "google-adk",
    "google-adk-schema1",
    "guardrails-ai",
    "langfuse-sdk",
    "langgraph-openinference",
    "langgraph-traceloop",
    "llama-index-openinference",
    "ms-agent-framework",
    "nemo-guardrails",
    "openai-agents-logfire",
    "openai-agents-openinference",
    "openai-agents-traceloop",
    "otel-openai-v2",
    "pydantic-ai",
    "smolagents-openinference",
    "strands-agents",
    "traceloop-sdk",
    "vercel-ai-sdk",
    "vercel-ai-sdk-7",
];

/// One run of one framework.
pub struct Recording {
    /// The framework and its instrumentation.
    pub stack: String,
    /// What happened.
    pub scenario: String,
    files: Vec<(Signal, PathBuf)>,
}

impl Recording {
    /// `stack/scenario`.
    pub fn name(&self) -> String {
        format!("{}/{}", self.stack, self.scenario)
    }

    /// The requests as protobuf: traces, then logs, each in arrival order.
    pub fn requests(&self) -> Vec<(Signal, Bytes)> {
        self.requests_as(<[u8]>::to_vec)
    }

    /// The same with each request rewritten while it is JSON.
    pub fn requests_as(&self, rewrite: impl Fn(&[u8]) -> Vec<u8>) -> Vec<(Signal, Bytes)> {
        self.files.iter().flat_map(|(signal, file)| requests(*signal, file, &rewrite)).collect()
    }

    /// The same requests as they were recorded: OTLP/JSON.
    pub fn raw(&self) -> Vec<Value> {
        let parse = |line: Vec<u8>| serde_json::from_slice(&line).expect("a line of JSON");
        self.files.iter().flat_map(|(_, file)| lines(file)).map(parse).collect()
    }

    /// The requests as OTLP/JSON, in the same order: to be told again with something changed.
    pub fn lines(&self) -> Vec<(Signal, String)> {
        let of = |(signal, file): &(Signal, PathBuf)| {
            let signal = *signal;
            lines(file).into_iter().map(move |line| (signal, String::from_utf8(line).expect("OTLP/JSON")))
        };
        self.files.iter().flat_map(of).collect()
    }
}

/// Every recording, sorted by name.
pub fn recordings() -> Vec<Recording> {
    let mut found: BTreeMap<(String, String), Vec<(Signal, PathBuf)>> = BTreeMap::new();
    for stack in listed(&root()).into_iter().filter(|path| path.is_dir()) {
        for file in listed(&stack) {
            let name = file_name(&file);
            let Some((scenario, signal)) = name.strip_suffix(".jsonl.zst").and_then(|name| name.rsplit_once('.'))
            else {
                continue;
            };
            let signal = Signal::ALL.into_iter().find(|known| known.as_str() == signal).expect("a signal in the name");
            found.entry((file_name(&stack), scenario.to_owned())).or_default().push((signal, file));
        }
    }
    assert!(found.len() > 90, "the recordings are there");
    let of = |((stack, scenario), mut files): (_, Vec<(Signal, PathBuf)>)| {
        files.sort();
        Recording { stack, scenario, files }
    };
    found.into_iter().map(of).collect()
}

/// Those of the stacks whose dialect is read.
pub fn read_recordings() -> Vec<Recording> {
    recordings().into_iter().filter(|recording| READ.contains(&recording.stack.as_str())).collect()
}

/// What really happened, by recording name.
pub fn truths() -> BTreeMap<String, Value> {
    let text = fs::read_to_string(root().join("truth.jsonl")).expect("truth");
    let line = |line: &str| {
        let truth: Value = serde_json::from_str(line).expect("a line of truth");
        let name = |key: &str| truth[key].as_str().expect("a name").to_owned();
        (format!("{}/{}", name("stack"), name("scenario")), truth)
    };
    text.lines().map(line).collect()
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/captures")
}

fn listed(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).expect("a folder of recordings");
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.expect("an entry").path()).collect();
    paths.sort();
    paths
}

fn file_name(path: &Path) -> String {
    path.file_name().and_then(|name| name.to_str()).expect("recordings have plain names").to_owned()
}

fn requests(signal: Signal, file: &Path, rewrite: &impl Fn(&[u8]) -> Vec<u8>) -> Vec<(Signal, Bytes)> {
    let transcode = |line: Vec<u8>| {
        let request =
            json::to_protobuf(signal, &rewrite(&line)).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        (signal, Bytes::from(request.body))
    };
    lines(file).into_iter().map(transcode).collect()
}

fn lines(file: &Path) -> Vec<Vec<u8>> {
    let packed = fs::read(file).expect("a recording");
    let text = zstd::decode_all(&*packed).expect("a zstd file");
    text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).map(<[u8]>::to_vec).collect()
}
