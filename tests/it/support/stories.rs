//! The recorded incidents of `tests/fixtures/incidents`, folded with whatever rules.

use std::fs;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use wherefore::engine::Configuration;
use wherefore::envelope::Rules;
use wherefore::model::{Role, Signal, Tenant};
use wherefore::pipeline::{Offline, Outcome};
use wherefore::wire::json::to_protobuf;

/// A line of a recording, without the request itself.
#[derive(Deserialize)]
struct Sender {
    role: Role,
}

/// The folders of the stories.
pub fn stories() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/incidents");
    let entries = fs::read_dir(root).expect("the stories").map(|entry| entry.expect("an entry").path());
    let mut stories: Vec<PathBuf> = entries.filter(|path| path.join("expected.yaml").exists()).collect();
    stories.sort();
    stories
}

/// What a run of a story comes to.
pub fn folded(story: &Path, run: &str, rules: Rules) -> Outcome {
    let mut fold = Offline::new(Configuration { rules: rules.into(), ..Configuration::default() });
    for line in lines(&story.join(format!("{run}.jsonl.zst"))) {
        let Sender { role } = serde_json::from_str(&line).expect("a line with a role");
        let signal = if line.contains("\"resourceSpans\"") { Signal::Traces } else { Signal::Logs };
        let request = to_protobuf(signal, line.as_bytes()).expect("OTLP/JSON");
        fold.request(&Tenant::default(), role, signal, &request.body.into()).expect("a whole request");
    }
    let (outcome, _) = fold.finish();
    assert_eq!(outcome.rejected, 0, "{}: every record is accepted", story.display());
    outcome
}

fn lines(file: &Path) -> Vec<String> {
    let packed = fs::read(file).unwrap_or_else(|error| panic!("read {}: {error}", file.display()));
    let text = zstd::decode_all(&*packed).expect("a zstd file");
    String::from_utf8(text).expect("OTLP/JSON").lines().map(str::to_owned).collect()
}
