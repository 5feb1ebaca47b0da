//! Real senders: the OpenTelemetry SDKs of Python and JavaScript and a real agent framework export to a running
//! `wherefore`, each in its own process. What they say they did is what has to be there: every call one action, in the
//! right state, with the words of the user who wanted it.
//!
//! `make test` installs what they need; without it these tests say so and pass.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

use super::support::checkers::skipped;
use super::support::http::get_json;
use super::support::monitoring::eventually;
use super::support::process::Wherefore;

/// An action as a client tells it and as a reader finds it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Told {
    tool: String,
    call_id: String,
    state: String,
    intent: String,
    /// Trace and span, where the sender knows them.
    span: Option<(String, String)>,
}

#[tokio::test(flavor = "multi_thread")]
async fn python_sdk_over_grpc() {
    check(&python(), "python_sdk.py", |server| vec!["grpc".into(), format!("http://{}", server.grpc)]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn python_sdk_over_http() {
    check(&python(), "python_sdk.py", |server| vec!["http".into(), format!("http://{}", server.http)]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn javascript_sdk_over_http_json() {
    if !clients().join("js/node_modules").exists() {
        return skipped("tests/clients/js/node_modules is not installed");
    }
    check(Path::new("node"), "js/sdk.mjs", |server| vec![format!("http://{}", server.http)]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn pydantic_ai() {
    check(&python(), "pydantic_agent.py", |server| vec![format!("http://{}", server.http)]).await;
}

/// Runs a client against a server of its own and waits until exactly its actions are there.
async fn check(interpreter: &Path, script: &str, args: impl FnOnce(&Wherefore) -> Vec<String>) {
    if interpreter.is_absolute() && !interpreter.exists() {
        return skipped(".venv is not installed");
    }
    let home = tempfile::tempdir().expect("a temporary directory");
    let server = Wherefore::start(home.path(), "").await;
    let args = args(&server);
    let mut client = Command::new(interpreter);
    client.arg(clients().join(script)).args(args);
    let Some(output) = run(client).await else { return skipped(&format!("{} not found", interpreter.display())) };
    let (stdout, stderr) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{script}: {}\n{stdout}{stderr}", output.status);
    let told = told(&serde_json::from_str(&stdout).unwrap_or_else(|error| panic!("{script}: {error}: {stdout}")));
    assert!(!told.is_empty(), "{script} did something");
    let mut last = Vec::new();
    eventually(&format!("exactly what {script} did: {told:#?}\n{stderr}"), async || {
        let found = found(&server, &told).await;
        if found != last {
            println!("{script}: found {found:#?}");
            last.clone_from(&found);
        }
        (found == told).then_some(())
    })
    .await;
}

/// Runs a client to its end; `None` when there is no such interpreter. What it sends stays on this machine.
async fn run(mut client: Command) -> Option<Output> {
    for proxy in ["http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "grpc_proxy"] {
        client.env_remove(proxy);
    }
    let inherited = std::env::vars_os().map(|(name, _)| name);
    for name in inherited.filter(|name| name.to_string_lossy().starts_with("OTEL_")) {
        client.env_remove(name);
    }
    let output = tokio::task::spawn_blocking(move || client.output()).await.expect("no panic");
    output.map_err(|error| assert_eq!(error.kind(), std::io::ErrorKind::NotFound)).ok()
}

/// What a client printed.
fn told(printed: &Value) -> Vec<Told> {
    let action = |action: &Value| Told {
        tool: text(&action["tool"]),
        call_id: text(&action["call_id"]),
        state: text(&action["state"]),
        intent: text(&action["intent"]),
        span: pair(&action["span"]),
    };
    let mut told: Vec<Told> = array(&printed["actions"]).iter().map(action).collect();
    told.sort();
    told
}

/// What the server knows. A span is looked for only where the client told one.
async fn found(server: &Wherefore, told: &[Told]) -> Vec<Told> {
    let page = get_json(&server.url("/api/v1/actions?limit=1000")).await;
    assert_eq!(page["next"], Value::Null, "all on one page");
    let mut found = Vec::new();
    for action in array(&page["actions"]) {
        let one = get_json(&server.url(&format!("/api/v1/actions/{}", text(&action["id"])))).await;
        let [lineage] = array(&one["lineages"]) else { panic!("one lineage of one action: {one}") };
        let spans: Vec<_> = array(&action["keys"]).iter().filter_map(|key| pair(&key["span"])).collect();
        found.push(Told {
            tool: text(&action["tool"]["value"]),
            call_id: text(&action["call_id"]),
            state: state(&action["state"]),
            intent: text(&lineage["turn"]["intent"]["value"]["value"]["head"]),
            span: spans.into_iter().find(|span| told.iter().any(|told| told.span.as_ref() == Some(span))),
        });
    }
    found.sort();
    found
}

/// `"proposed"`, `{"executed": "ok"}`, `{"executed": {"failed": "…"}}`.
fn state(state: &Value) -> String {
    match &state["executed"] {
        Value::Null => text(state),
        Value::String(how) if how == "ok" => "executed".to_owned(),
        Value::String(how) => how.clone(),
        how => how.as_object().and_then(|how| how.keys().next()).cloned().unwrap_or_default(),
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn array(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn pair(value: &Value) -> Option<(String, String)> {
    Some((value[0].as_str()?.to_owned(), value[1].as_str()?.to_owned()))
}

fn clients() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients")
}

fn python() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(".venv/bin/python")
}
