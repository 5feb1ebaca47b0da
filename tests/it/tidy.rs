//! What a reader of the whole project would stumble over, found by running the tests.

use super::support::sources::{Source, names, words};

/// Leftovers, as whole words. The last one pointed to a plan; what counts is written where it is read.
const LEFTOVERS: &[&str] = &["todo!", "unimplemented!", "dbg!", "TODO", "FIXME", "XXX", "HACK", "DESIGN"];

/// Paths of somebody's machine.
const MACHINES: &[&str] = &["/work/", "/root/", "/home/", "/Users/", "../shared"];

/// Written by hand, so held to these rules. Recordings, protocols as published and generated files are not.
const OURS: &[&str] = &[
    "src",
    "tests/it",
    "tests/clients",
    "benches",
    "deploy",
    "docs",
    "proto/wherefore",
    ".ci",
    "build.rs",
    "Cargo.toml",
    "Makefile",
    "README.md",
    "CHANGELOG.md",
];

/// This file names what it forbids.
const THIS: &str = "tests/it/tidy.rs";

const WIDTH: usize = 120;

/// A rule: what is wrong with one line, if anything is.
type Rule = fn(&Source, &str) -> Option<String>;

const RULES: &[Rule] = &[leftover, machine, tab, width, reasonless, timed, blank_end];

fn leftover(_: &Source, line: &str) -> Option<String> {
    LEFTOVERS.iter().find(|word| names(line, word)).map(|word| format!("`{word}` is left over"))
}

fn machine(_: &Source, line: &str) -> Option<String> {
    MACHINES.iter().find(|path| line.contains(**path)).map(|path| format!("`{path}` is of one machine alone"))
}

fn tab(source: &Source, line: &str) -> Option<String> {
    (source.is_rust() && line.contains('\t')).then(|| "a tab".to_owned())
}

/// Only texts and tables, also their heads, may be wider: folding would make them worse.
fn width(source: &Source, line: &str) -> Option<String> {
    let wide = line.chars().count();
    let comment = line.trim_start().trim_start_matches(['/', '!']).trim_start();
    let table = comment.starts_with('|') || comment.contains("   ");
    let told = source.is_rust() && wide > WIDTH && !line.contains('"') && !table;
    told.then(|| format!("{wide} columns; at most {WIDTH}"))
}

fn reasonless(source: &Source, line: &str) -> Option<String> {
    let line = line.trim_start();
    let opens = ["#[allow(", "#![allow(", "#[expect(", "#![expect("].iter().any(|start| line.starts_with(start));
    (source.is_rust() && opens && !line.contains("reason = ")).then(|| "an exception from a lint needs a reason".into())
}

/// A busy machine is slow; a test that measures time fails on it.
fn timed(source: &Source, line: &str) -> Option<String> {
    let test = source.path.starts_with("tests/") && source.is_rust();
    (test && line.contains(".elapsed()")).then(|| "tests do not measure time".into())
}

fn blank_end(_: &Source, line: &str) -> Option<String> {
    (line.trim_end() != line).then(|| "space at the end".into())
}

/// Every file says first what it is for. A Rust file does so in its documentation.
fn unintroduced(source: &Source) -> Option<String> {
    let starts_well = !source.is_rust() || source.text.starts_with("//!");
    (!starts_well).then(|| format!("{}: begins without `//!`", source.path))
}

fn broken(source: &Source) -> Vec<String> {
    let lines = source.lines().filter(|_| source.path != THIS);
    let wrong = |(number, line): (usize, &str)| {
        let found = RULES.iter().filter_map(|rule| rule(source, line)).collect::<Vec<_>>();
        found.into_iter().map(|what| format!("{}:{number}: {what}", source.path)).collect::<Vec<_>>()
    };
    lines.flat_map(wrong).chain(unintroduced(source)).collect()
}

#[test]
fn the_project_is_tidy() {
    let sources = OURS.iter().flat_map(|path| Source::below(path));
    let broken: Vec<String> = sources.flat_map(|source| broken(&source)).collect();
    assert!(broken.is_empty(), "\n{}", broken.join("\n"));
}

/// The integration tests are one binary: a file that `main.rs` does not name is not run.
#[test]
fn every_integration_test_runs() {
    let main = Source::below("tests/it/main.rs").remove(0);
    let mods: Vec<&str> = main.text.lines().filter_map(|line| line.strip_prefix("mod ")).collect();
    let mut sorted = mods.clone();
    sorted.sort_unstable();
    assert_eq!(mods, sorted, "in alphabetical order");
    let sources = Source::below("tests/it");
    let rust = sources.iter().filter(|source| source.is_rust());
    let files = rust.filter_map(|source| words(source.path.strip_prefix("tests/it/")?).next());
    for file in files.filter(|file| *file != "main") {
        assert!(mods.contains(&&*format!("{file};")), "`tests/it/main.rs` does not name `{file}`");
    }
}

/// What would be caught, and what would not.
#[test]
fn untidiness_is_seen() {
    let wide = "x".repeat(WIDTH + 1);
    #[rustfmt::skip]
    let cases: &[(&str, &str, usize)] = &[
        ("src/a.rs",         "//! Good.\nfn f() {}\n",                       0),
        ("src/a.rs",         "fn f() {}\n",                                  1),
        ("src/a.rs",         "//! A.\ntodo!()\n",                            1),
        ("src/a.rs",         "//! The unit of `\\uXXXX`.\n",                 0),
        ("src/a.rs",         "//! A.\n// XXX\n",                             1),
        ("src/a.rs",         "//! A.\n\tlet a;\n",                           1),
        ("src/a.rs",         "//! A.\n#[allow(dead_code)]\n",                1),
        ("src/a.rs",         "//! A.\n#[allow(dead_code, reason = \"r\")]\n", 0),
        ("src/a.rs",         &format!("//! A.\n{wide}\n"),                   1),
        ("src/a.rs",         &format!("//! A.\n\"{wide}\"\n"),               0),
        ("src/a.rs",         &format!("//! A.\n//! | {wide} |\n"),           0),
        ("src/a.rs",         "//! A.\nstarted.elapsed()\n",                  0),
        ("tests/it/a.rs",    "//! A.\nassert!(started.elapsed() < limit)\n", 1),
        ("README.md",        "see /home/me/notes\n",                         1),
        ("README.md",        "two spaces  \n",                               1),
    ];
    for (path, text, expected) in cases {
        let found = broken(&Source { path: (*path).into(), text: (*text).into() });
        assert_eq!(found.len(), *expected, "{path}: {text}: {found:?}");
    }
}
