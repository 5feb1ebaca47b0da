//! Asks the running server.

use std::time::Duration;

use bytes::Bytes;
use http::{Request, StatusCode};
use http_body_util::{BodyExt, Empty, Limited};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::Failed;

/// How long a server may take to answer.
const PATIENCE: Duration = Duration::from_secs(30);
/// An answer larger than this is not read.
const MOST: usize = 256 << 20;

/// What a server said.
pub(super) enum Answer {
    /// The answer's body.
    Body(Bytes),
    /// Nothing listens there.
    NoServer,
}

/// Asks for a path with a query. Blocks.
pub(super) fn get(server: &str, token: Option<&str>, path: &str) -> Result<Answer, Failed> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failed::from_error("cannot start a client", &error))?;
    let server = server.trim_end_matches('/');
    if !server.starts_with("http://") {
        return Err(Failed::usage(format!("`{server}` does not begin with `http://`; other schemes are not spoken")));
    }
    runtime.block_on(async {
        let mut request = Request::get(format!("{server}{path}"));
        if let Some(token) = token {
            request = request.header(http::header::AUTHORIZATION, format!("Bearer {token}"));
        }
        let request = request
            .body(Empty::<Bytes>::new())
            .map_err(|error| Failed::usage(format!("`{server}` is no URL of a server: {error}")))?;
        let client = Client::builder(TokioExecutor::new()).build_http();
        let sent = tokio::time::timeout(PATIENCE, client.request(request)).await;
        let response = match sent {
            Ok(Ok(response)) => response,
            Ok(Err(error)) if error.is_connect() => return Ok(Answer::NoServer),
            Ok(Err(error)) => return Err(Failed::from_error(&format!("cannot ask `{server}`"), &error)),
            Err(_) => return Err(Failed::new(format!("`{server}` did not answer within {} s", PATIENCE.as_secs()))),
        };
        let status = response.status();
        let body = Limited::new(response.into_body(), MOST)
            .collect()
            .await
            .map_err(|error| Failed::new(format!("cannot read the answer of `{server}`: {error}")))?
            .to_bytes();
        match status {
            StatusCode::OK => Ok(Answer::Body(body)),
            _ => Err(Failed::new(detail(&body).unwrap_or_else(|| {
                format!(
                    "`{server}` answers no questions: {status}\nquestions go to the query listener, \
                     `http://127.0.0.1:9464` by default; 4317 and 4318 take OTLP"
                )
            }))),
        }
    })
}

/// The sentence of a problem document.
fn detail(body: &[u8]) -> Option<String> {
    let problem: serde_json::Value = serde_json::from_slice(body).ok()?;
    problem.get("detail")?.as_str().map(str::to_owned)
}

/// What stands for itself in a part of a path or a query's value: what is unreserved (RFC 3986).
const UNRESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// A part of a path, or a query's value.
pub(super) fn encoded(text: &str) -> impl std::fmt::Display {
    utf8_percent_encode(text, UNRESERVED)
}
