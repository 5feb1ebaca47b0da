//! A disk that fails: the journal takes nothing more, and the program stays to say so until somebody restarts it.

use std::path::Path;

use serde_json::{Value, json};
use wherefore::journal::{Reader, verify};

use crate::receive_server::{Reply, Version, post, send};
use crate::support::http::{get, get_json};
use crate::support::monitoring::eventually;
use crate::support::process::{Process, Wherefore};

/// A request of half a MiB that no dialect reads.
fn large(number: u64) -> String {
    let span = json!({
        "traceId": format!("{:032x}", number + 1), "spanId": "0909090909090909", "name": "x".repeat(512 << 10),
        "startTimeUnixNano": "1", "endTimeUnixNano": "2",
    });
    json!({"resourceSpans": [{"scopeSpans": [{"spans": [span]}]}]}).to_string()
}

async fn export(server: &Wherefore, number: u64) -> Reply {
    let request = post("/v1/traces", &[("content-type", "application/json")], large(number));
    send(server.http, Version::Http1, request).await
}

async fn readiness(server: &Wherefore) -> (u16, Value) {
    let (status, body) = get(&server.url("/readyz")).await.expect("the server answers");
    (status, serde_json::from_slice(&body).expect("an answer is JSON"))
}

async fn metric(server: &Wherefore, name: &str) -> Option<String> {
    let (200, body) = get(&server.url("/metrics")).await.expect("the server answers") else { return None };
    let text = String::from_utf8_lossy(&body).into_owned();
    text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ').map(str::to_owned))
}

fn requests_in(home: &Path) -> u64 {
    let frames = Reader::open(&home.join("data/journal"), 0).expect("the journal can be read");
    frames.filter(|frame| frame.as_ref().is_ok_and(|frame| frame.kind.is_received())).count() as u64
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_poisoned_journal_stays_and_says_so() {
    let home = tempfile::tempdir().expect("a temporary directory");
    let mut server = Wherefore::listening(Process::begin_with_small_files(home.path(), "")).await;
    server.ready().await;
    let mut acknowledged = 0;
    let refused = loop {
        let reply = export(&server, acknowledged).await;
        if reply.status != 200 {
            break reply;
        }
        acknowledged += 1;
        assert!(acknowledged < 100, "a file has its limit");
    };
    assert_eq!(refused.status, 503);
    assert!(refused.header("retry-after").is_some(), "the sender keeps what it has: {refused:?}");

    // However often it is scraped, and asked, and sent to.
    eventually("the end of the journal is seen", async || (readiness(&server).await.0 == 503).then_some(())).await;
    for _ in 0..3 {
        tokio::time::sleep(std::time::Duration::from_secs(1)).await;
        let (status, said) = readiness(&server).await;
        assert_eq!((status, &said["ingest"], &said["judging"]), (503, &json!(false), &json!(false)));
        assert!(said["reason"].as_str().is_some_and(|reason| reason.contains("restart")), "{said}");
        assert_eq!(metric(&server, "wherefore_journal_poisoned").await.as_deref(), Some("1.0"));
        assert_eq!(export(&server, acknowledged).await.status, 503);
        get_json(&server.url("/api/v1/actions")).await;
    }
    let told = server.log().matches("not all is well").count();
    assert_eq!(told, 1, "it is said once: {}", server.log());
    assert!(!server.terminate().await.success(), "the end is not a success");

    let server = Wherefore::start(home.path(), "").await;
    assert_eq!(export(&server, acknowledged).await.status, 200);
    assert!(server.terminate().await.success(), "it ends in order");
    verify(&home.path().join("data/journal")).expect("the chain holds");
    assert_eq!(requests_in(home.path()), acknowledged + 1, "what was acknowledged, and nothing else");
}
