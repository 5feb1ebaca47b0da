//! The budget of the disk is a bound: more than fits is sent, and what leaves first is what nobody needs any more.

use std::fs;
use std::path::Path;
use std::time::Duration;

use prost::Message;

use crate::receive_server::{Version, post, send, spans};
use crate::support::process::Wherefore;
use crate::support::random::Random;

/// The least that is allowed.
const BUDGET: u64 = 256 << 20;
/// Compressed, too, they are more than the budget.
const REQUESTS: usize = 112;
const REQUEST: usize = 4 << 20;

/// What a folder takes.
fn size(folder: &Path) -> u64 {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries.map(|entry| if entry.path().is_dir() { size(&entry.path()) } else { length(&entry) }).sum()
}

/// A file that was removed meanwhile takes nothing.
fn length(file: &fs::DirEntry) -> u64 {
    file.metadata().map_or(0, |file| file.len())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn journal_and_store_stay_inside_the_budget() {
    let home = tempfile::tempdir().expect("a temporary directory");
    let server = Wherefore::start(home.path(), "disk: 256MiB").await;
    let mut random = Random(7);
    let text: String = (0..REQUEST + REQUESTS).map(|_| char::from(b'!' + random.below(90) as u8)).collect();
    for number in 0..REQUESTS {
        let body = spans(&[&text[number..][..REQUEST]]).encode_to_vec();
        // Who is refused for now comes again.
        let accepted = async {
            let headers = [("content-type", "application/x-protobuf")];
            while send(server.http, Version::Http1, post("/v1/traces", &headers, body.clone())).await.status != 200 {
                tokio::time::sleep(Duration::from_millis(200)).await;
            }
        };
        let accepted = tokio::time::timeout(Duration::from_secs(60), accepted).await;
        accepted.unwrap_or_else(|_| panic!("request {number} finds no room\n{}", server.log()));
        let taken = size(&home.path().join("data"));
        assert!(taken <= BUDGET, "{taken} bytes after {number} requests");
    }
    assert!(server.terminate().await.success(), "it ends in order");
}
