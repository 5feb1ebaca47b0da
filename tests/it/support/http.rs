//! The little HTTP that tests need: a client for loopback, and a server that ends with its test.

use std::net::SocketAddr;

use bytes::Bytes;
use http_body_util::{BodyExt, Empty};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// The status and body of a GET. An error means that nobody answered.
pub async fn get(url: &str) -> Result<(u16, Bytes), String> {
    get_as(url, "*/*").await
}

/// The same, asking for a media type.
pub async fn get_as(url: &str, accept: &str) -> Result<(u16, Bytes), String> {
    let client: Client<HttpConnector, Empty<Bytes>> = Client::builder(TokioExecutor::new()).build_http();
    let request = http::Request::get(url).header("accept", accept).body(Empty::new());
    let request = request.map_err(|error| format!("`{url}`: {error}"))?;
    let response = client.request(request).await.map_err(|error| format!("`{url}`: {error}"))?;
    let status = response.status().as_u16();
    let body = response.into_body().collect().await.map_err(|error| format!("`{url}`: {error}"))?;
    Ok((status, body.to_bytes()))
}

/// The JSON of a GET that must succeed.
pub async fn get_json(url: &str) -> Value {
    let (status, body) = get(url).await.expect("the server answers");
    let text = String::from_utf8_lossy(&body);
    assert_eq!(status, 200, "`{url}`: {text}");
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("`{url}`: {error}: {text}"))
}

/// Percent-encoding of everything that could mean something in a query string.
pub fn encoded(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte);
    text.bytes().map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }).collect()
}

/// A server on loopback, on a port that the system chose. Ends when dropped.
pub struct Server {
    pub address: SocketAddr,
    task: JoinHandle<()>,
}

impl Server {
    pub async fn start(router: axum::Router) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback has a free port");
        let address = listener.local_addr().expect("a bound listener has an address");
        let task = tokio::spawn(async move { axum::serve(listener, router).await.expect("the server runs") });
        Self { address, task }
    }

    /// `http://127.0.0.1:PORT` and a path.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}
