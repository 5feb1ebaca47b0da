//! Programs of others that check what we make: promtool and amtool (Debian packages `prometheus` and
//! `prometheus-alertmanager`).

use std::io::Write;
use std::process::{Command, Output, Stdio};

/// Whether a program is there. Where it is not, the test that needs it says so by name and passes: a checkout must
/// be testable without root.
pub fn have(program: &str) -> bool {
    let found = Command::new(program).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok();
    if !found {
        skipped(&format!("{program} not found"));
    }
    found
}

/// Says that a test cannot run here, and why.
pub fn skipped(why: &str) {
    // Not `println!`: the harness would swallow it, and the skip must be seen.
    let test = std::thread::current().name().unwrap_or("a test").to_owned();
    let _ = writeln!(std::io::stderr(), "skipped: {test}: {why}");
}

/// Runs a checker to its end, with `stdin` as its input.
pub fn check(program: &str, args: &[&str], stdin: &str) -> Output {
    let mut child = Command::new(program)
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("start {program}: {error}"));
    child.stdin.take().expect("stdin is piped").write_all(stdin.as_bytes()).expect("the checker reads its input");
    child.wait_with_output().expect("the checker ends")
}

/// Runs a checker that must accept what it is given, silently or not.
pub fn accepts(program: &str, args: &[&str], stdin: &str) {
    let output = check(program, args, stdin);
    assert!(
        output.status.success(),
        "{program} {args:?}: {}\n{}{}",
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
}
