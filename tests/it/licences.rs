//! What the binary is made of may be given on under Apache-2.0, by everyone who builds it.

use std::collections::BTreeSet;
use std::process::Command;

use serde_json::Value;

/// Licences that ask for no more than a notice.
const PERMISSIVE: &[&str] = &[
    "0BSD",
    "Apache-2.0",
    "Apache-2.0 WITH LLVM-exception",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "BSL-1.0",
    "CC0-1.0",
    "ISC",
    "MIT",
    "MIT-0",
    "Unicode-3.0",
    "Unlicense",
    "Zlib",
];

/// Whether an SPDX expression can be kept by keeping permissive licences alone.
fn permitted(expression: &str) -> bool {
    let expression = expression.replace('/', " OR ");
    let group = |text: &str| text.trim().trim_start_matches('(').trim_end_matches(')').trim().to_owned();
    let known = |licence: &str| PERMISSIVE.contains(&group(licence).as_str());
    let all = |text: &str| text.split(" AND ").all(|part| group(part).split(" OR ").any(known));
    // `OR` binds looser than `AND`, except inside parentheses, which `all` has taken off.
    all(&expression) || (!expression.contains('(') && expression.split(" OR ").any(all))
}

#[test]
fn every_dependency_is_permissive() {
    let packages = packages();
    assert!(packages.len() > 50, "cargo names {} packages", packages.len());
    let refused: Vec<&String> =
        packages.iter().filter(|(_, licence)| !permitted(licence)).map(|(name, _)| name).collect();
    assert!(refused.is_empty(), "without a permissive licence: {refused:?}");
}

/// Name and licence of everything that is built for this machine, tests included.
fn packages() -> BTreeSet<(String, String)> {
    let metadata = json(&["metadata", "--format-version=1", "--locked", "--offline", "--filter-platform", &host()]);
    let built: BTreeSet<&str> =
        array(&metadata["resolve"]["nodes"]).iter().filter_map(|node| node["id"].as_str()).collect();
    let text = |value: &Value| value.as_str().unwrap_or("none").to_owned();
    array(&metadata["packages"])
        .iter()
        .filter(|package| package["id"].as_str().is_some_and(|id| built.contains(id)))
        .map(|package| (text(&package["name"]), text(&package["license"])))
        .collect()
}

fn array(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn host() -> String {
    let version = cargo(&["--version", "--verbose"]);
    let host = version.lines().find_map(|line| line.strip_prefix("host: "));
    host.expect("cargo names its host").to_owned()
}

fn json(args: &[&str]) -> Value {
    serde_json::from_str(&cargo(args)).expect("cargo writes JSON")
}

fn cargo(args: &[&str]) -> String {
    let output = Command::new(env!("CARGO")).args(args).current_dir(env!("CARGO_MANIFEST_DIR")).output();
    let output = output.expect("the cargo that built this test is there");
    assert!(output.status.success(), "cargo {args:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("cargo writes UTF-8")
}

#[test]
fn expressions_are_read() {
    for (expression, good) in [
        ("MIT", true),
        ("MIT OR Apache-2.0", true),
        ("MIT/Apache-2.0", true),
        ("GPL-3.0 OR MIT", true),
        ("(MIT OR Apache-2.0) AND Unicode-3.0", true),
        ("MIT AND GPL-3.0", false),
        ("(MIT OR Apache-2.0) AND GPL-3.0", false),
        ("GPL-3.0", false),
        ("none", false),
    ] {
        assert_eq!(permitted(expression), good, "{expression}");
    }
}
