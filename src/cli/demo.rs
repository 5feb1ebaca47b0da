//! The demo: a recorded incident, told again as if it happened now. `serve --demo` sends it to its own OTLP port.
//!
//! The recording (`demo/incident.jsonl.zst`) holds export requests of real agents and services in arrival order, one
//! per line; `demo/STORY.md` says what happened and what it comes to. Before it is sent again, every time is moved so
//! that the story starts at a given moment, and every id gets a part of its own, so that two plays never meet.
//!
//! ```text
//! {"after_ms": 1234, "signal": "traces", "role": "agent", "request": {…OTLP/JSON…}}
//! ```

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde::Deserialize;
use serde_json::Value;

use crate::model::{Constants, Nanos, Role, Signal, Span};
use crate::pipeline::wall;

static RECORDING: &[u8] = include_bytes!("../../demo/incident.jsonl.zst");
static TOKENS: &str = include_str!("../../demo/tokens.yaml");
static ENVELOPE: (&str, &str) = ("production.yaml", include_str!("../../demo/envelopes/production.yaml"));

/// Stands in every trace, span, call and conversation id of the recording. Eight hex digits, so that ids stay ids
/// when others take their place.
const MARK: &str = "5eed5eed";

/// How long one request may take. The port is on loopback, and a reply waits for one sync.
const REQUEST: Duration = Duration::from_secs(30);

/// Why the story could not be told.
#[derive(Debug, thiserror::Error)]
pub enum DemoError {
    /// Nobody listens, or the connection broke.
    #[error("cannot send the demo to `{to}`")]
    Unreachable {
        /// The OTLP port.
        to: SocketAddr,
        /// What went wrong.
        source: hyper_util::client::legacy::Error,
    },
    /// No reply in time.
    #[error("cannot send the demo to `{to}`: no reply within {} s", REQUEST.as_secs())]
    Silent {
        /// The OTLP port.
        to: SocketAddr,
    },
    /// The port answered something else than success.
    #[error("cannot send the demo to `{to}`: it answers {status}: {reply}")]
    Refused {
        /// The OTLP port.
        to: SocketAddr,
        /// Its status.
        status: StatusCode,
        /// Its words.
        reply: String,
    },
}

/// One export request of the story.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Timed {
    /// When it arrives, from the start of the story.
    pub offset: Span,
    /// Traces or logs.
    pub signal: Signal,
    /// What its sender is.
    pub role: Role,
    /// The request as OTLP/JSON.
    pub json: String,
}

/// A line of the recording.
#[derive(Deserialize)]
struct Line {
    after_ms: u64,
    signal: Signal,
    role: Role,
    request: Value,
}

/// An entry of the token file.
#[derive(Deserialize)]
struct Token {
    token: String,
    role: Role,
}

/// How long the demo waits for what: short, so that its totals are final ten seconds after its last request.
pub fn constants() -> Constants {
    Constants {
        grace: Span::seconds(1),
        idle: Span::seconds(5),
        ask: Span::seconds(10),
        check_within: Span::seconds(5),
        contain_within: Span::seconds(15),
        ..Constants::default()
    }
}

/// The demo's envelopes, as (file name, text).
pub fn envelopes() -> Vec<(String, String)> {
    vec![(ENVELOPE.0.to_owned(), ENVELOPE.1.to_owned())]
}

/// The demo's token file: one token per role.
pub fn tokens() -> &'static str {
    TOKENS
}

/// The story with its first moment at `start`, in arrival order. Another salt gives other ids; the same gives the same.
pub fn requests(start: Nanos, salt: u64) -> Vec<Timed> {
    let mut lines = lines(salt);
    let mut origin = u64::MAX;
    for line in &mut lines {
        each_time(&mut line.request, &mut |time| origin = origin.min(*time));
    }
    let timed = |mut line: Line| {
        each_time(&mut line.request, &mut |time| *time = start.0.saturating_add(*time - origin));
        let (offset, json) = (Span::millis(line.after_ms), line.request.to_string());
        Timed { offset, signal: line.signal, role: line.role, json }
    };
    lines.into_iter().map(timed).collect()
}

/// Tells the story to an OTLP port, each request when it is due, in order. What was due before now is sent at once, so
/// a start long ago sends everything as fast as it is answered.
///
/// # Errors
/// The first request that was not accepted ends the story.
pub async fn play(to: SocketAddr, start: Nanos, salt: u64) -> Result<(), DemoError> {
    let client = Client::builder(TokioExecutor::new()).build_http();
    let tokens = tokens_by_role();
    for timed in requests(start, salt) {
        let due = start + timed.offset;
        tokio::time::sleep(Duration::from_nanos(due.since(wall()).0)).await;
        send(&client, to, &tokens, timed).await?;
    }
    Ok(())
}

async fn send(
    client: &Client<HttpConnector, Full<Bytes>>,
    to: SocketAddr,
    tokens: &BTreeMap<Role, String>,
    timed: Timed,
) -> Result<(), DemoError> {
    let mut request =
        Request::post(format!("http://{to}/v1/{}", timed.signal.as_str())).header(CONTENT_TYPE, "application/json");
    if let Some(token) = tokens.get(&timed.role) {
        request = request.header(AUTHORIZATION, format!("Bearer {token}"));
    }
    let request = request.body(Full::from(timed.json)).expect("an address, a word and tokens of our own");
    let reply = tokio::time::timeout(REQUEST, client.request(request)).await;
    let reply = reply.map_err(|_| DemoError::Silent { to })?.map_err(|source| DemoError::Unreachable { to, source })?;
    let status = reply.status();
    // Read to its end, or the connection cannot be used again.
    let body = reply.into_body().collect().await.map(|body| body.to_bytes()).unwrap_or_default();
    if status.is_success() {
        return Ok(());
    }
    let reply = String::from_utf8_lossy(&body[..body.len().min(300)]).into_owned();
    Err(DemoError::Refused { to, status, reply })
}

fn tokens_by_role() -> BTreeMap<Role, String> {
    let entries: Vec<Token> = serde_saphyr::from_str(TOKENS).expect("the demo's tokens are part of the program");
    entries.into_iter().map(|entry| (entry.role, entry.token)).collect()
}

/// The recording with this salt in its ids. They stand in texts inside texts too, so they are replaced before anything
/// is parsed.
fn lines(salt: u64) -> Vec<Line> {
    let packed = zstd::decode_all(RECORDING).expect("the recording is part of the program");
    let text = String::from_utf8(packed).expect("the recording is text");
    let own = format!("{:08x}", (salt ^ (salt >> 32)) as u32);
    let line = |line| serde_json::from_str(line).expect("the recording is JSON lines");
    text.replace(MARK, &own).lines().map(line).collect()
}

/// Every time in a request: OTLP/JSON writes Unix nanoseconds as decimal text under names that end in `UnixNano`.
fn each_time(value: &mut Value, visit: &mut impl FnMut(&mut u64)) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(|item| each_time(item, visit)),
        Value::Object(fields) => {
            for (name, field) in fields {
                let time = || field.as_str().filter(|_| name.ends_with("UnixNano"))?.parse::<u64>().ok();
                match time() {
                    Some(mut time) => {
                        visit(&mut time);
                        *field = time.to_string().into();
                    }
                    None => each_time(field, visit),
                }
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Nanos = Nanos(1_800_000_000_000_000_000);

    #[test]
    fn the_story_starts_when_it_is_told_and_is_over_soon() {
        let mut times = Vec::new();
        let requests = requests(START, 1);
        for timed in &requests {
            let mut request = serde_json::from_str(&timed.json).expect("JSON");
            each_time(&mut request, &mut |time| {
                let arrives = START + timed.offset;
                // A span that is sent at its end arrives within one export delay and a little more.
                assert!(*time <= arrives.0, "sent before it happened");
                times.push(*time);
            });
        }
        assert_eq!(times.iter().min(), Some(&START.0));
        assert!(requests.iter().all(|timed| timed.offset < Span::seconds(45)));
        assert!(requests.is_sorted_by_key(|timed| timed.offset));
    }

    #[test]
    fn another_salt_shares_no_id_and_the_same_salt_all() {
        let (one, same, other) = (requests(START, 1), requests(START, 1), requests(START, 2));
        assert_eq!(one, same);
        assert!(one.iter().zip(&other).all(|(one, other)| one.json != other.json));
        let marked = |timed: &Timed| timed.json.contains(MARK);
        assert!(!one.iter().any(marked) && !other.iter().any(marked));
    }

    #[test]
    fn every_sender_has_a_token_that_says_what_it_is() {
        let tokens = tokens_by_role();
        let known = crate::net::Tokens::parse(super::tokens()).expect("a token file");
        for timed in requests(START, 1) {
            let mut headers = http::HeaderMap::new();
            let shown = format!("Bearer {}", tokens[&timed.role]);
            headers.insert(AUTHORIZATION, shown.parse().expect("a header"));
            assert_eq!(known.admit(&headers).map(|principal| principal.role), Ok(timed.role));
        }
    }
}
