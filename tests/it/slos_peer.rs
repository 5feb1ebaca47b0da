//! A second reader: the SDK of the OpenSLO project reads the same files. Where both read a file they read the same
//! numbers, and what is wrong by the specification neither takes.
//!
//! `make test` builds it; without it this test says so and passes.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use wherefore::slo::{Budgeting, Indicator, Objective, Queries, Window};

use super::slos::{fixtures, read};
use super::support::checkers::skipped;

/// Files that the SDK takes and this program does not: what the subset leaves out, or what only this program checks.
const STRICTER: [&str; 13] = [
    "09-two-objectives",     // several objectives of one SLO
    "13-rolling-month",      // a month that rolls
    "20-slices-not-meant",   // what means nothing beside another method
    "21-slice-length",       // slices that do not fill the window
    "23-data-source",        // other programs' sources
    "24-sli-word",           // the words of this program's own source
    "25-good-and-total",     // two sides of different things
    "28-no-window-in-query", // queries are looked into
    "29-query-brackets",     // the same
    "30-same-query",         // the same
    "33-unreachable",        // alerts that cannot fire
    "40-names-twice",        // names
    "41-name-of-a-default",  // names of defaults
];

#[test]
fn the_sdk_of_openslo_agrees() {
    let Some(reader) = reader() else { return skipped("tests/clients/openslo/reader is not built") };
    let is_openslo = |file: &PathBuf| {
        let text = std::fs::read_to_string(file).expect("readable");
        !text.contains("sloth.slok.dev") && !text.contains("prometheus/v")
    };
    let good: Vec<PathBuf> = fixtures("good").into_iter().filter(is_openslo).collect();
    let broken: Vec<PathBuf> = fixtures("broken").into_iter().filter(is_openslo).collect();
    let packs = ["cloud-operations", "coding", "rag", "support"]
        .map(|pack| Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("packs/{pack}/slos/{pack}.yaml")));
    for file in good.iter().chain(&packs) {
        let answer = ask(&reader, file);
        assert_eq!(answer["error"], "", "{} is right", file.display());
        let ours = read(std::slice::from_ref(file)).expect("right");
        let ours: BTreeMap<String, Value> =
            ours.stated.iter().filter(|it| it.is_written()).map(|it| numbers(&it.objective)).collect();
        let theirs = answer["objectives"].as_array().expect("a list");
        let theirs: BTreeMap<String, Value> = theirs.iter().map(told).collect();
        assert_eq!(ours, theirs, "{}", file.display());
    }
    let taken: Vec<String> = broken
        .iter()
        .filter(|file| ask(&reader, file)["error"] == "")
        .map(|file| file.file_stem().unwrap_or_default().to_string_lossy().into_owned())
        .collect();
    assert_eq!(taken, STRICTER, "of the broken files the SDK takes exactly these");
    assert!(broken.len() - taken.len() >= 20, "both refuse {} files", broken.len() - taken.len());
}

fn reader() -> Option<PathBuf> {
    let reader = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients/openslo/reader");
    reader.exists().then_some(reader)
}

fn ask(reader: &Path, file: &Path) -> Value {
    let output = Command::new(reader).arg(file).output().expect("the reader runs");
    serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{}: {error}: {}", file.display(), String::from_utf8_lossy(&output.stderr)))
}

/// What an objective says that both know: by name.
fn numbers(objective: &Objective) -> (String, Value) {
    let (window, zone) = match &objective.window {
        Window::Rolling(length) => (length.0 / 60_000_000_000, ""),
        Window::Calendar(calendar) => (calendar.piece.days() * 24 * 60, calendar.zone.iana_name().unwrap_or_default()),
    };
    let (method, slice, slice_target) = match objective.budgeting {
        Budgeting::Occurrences => ("Occurrences", None, None),
        Budgeting::Timeslices { target, slice, .. } => ("Timeslices", Some(slice), Some(target)),
        Budgeting::RatioTimeslices { slice } => ("RatioTimeslices", Some(slice), None),
    };
    let (good, bad, total) = match &objective.indicator {
        Indicator::Prometheus(Queries::Good { good, total }) => (Some(good), None, Some(total)),
        Indicator::Prometheus(Queries::Bad { bad, total }) => (None, Some(bad), Some(total)),
        _ => (None, None, None),
    };
    let numbers = serde_json::json!({
        "target": objective.target, "window": window, "zone": zone, "method": method,
        "slice": slice.map(|slice| slice.0 / 60_000_000_000), "slice_target": slice_target,
        "good": good.map(|it| &**it), "bad": bad.map(|it| &**it), "total": total.map(|it| &**it),
    });
    (objective.name.to_string(), numbers)
}

/// The same as the reader tells it.
fn told(row: &Value) -> (String, Value) {
    let minutes = |text: &Value| minutes(text.as_str().unwrap_or_default());
    let target = row["target"].as_f64().or(row["percent"].as_f64().map(|percent| percent / 100.0));
    let numbers = serde_json::json!({
        "target": target, "window": minutes(&row["window"]), "zone": row["zone"], "method": row["method"],
        "slice": minutes(&row["slice"]), "slice_target": row["slice_target"].as_f64(),
        "good": row["good"], "bad": row["bad"], "total": row["total"],
    });
    (row["name"].as_str().unwrap_or_default().to_owned(), numbers)
}

/// `28d` in minutes, a month for 30 days as the SDK counts it. A number without a unit is of minutes.
fn minutes(text: &str) -> Option<u64> {
    let digits = text.trim_end_matches(|c: char| !c.is_ascii_digit());
    let unit = match &text[digits.len()..] {
        "h" => 60,
        "d" => 24 * 60,
        "w" => 7 * 24 * 60,
        "M" => 30 * 24 * 60,
        "Q" => 90 * 24 * 60,
        "Y" => 365 * 24 * 60,
        _ => 1,
    };
    Some(digits.parse::<u64>().ok()? * unit)
}
