//! What work below a tool touches: spans of HTTP, database, file, object-store and messaging clients. A layer: such a
//! span says nothing of the agent, only which resource the nearest tool above it is about.
//!
//! | attributes | resource |
//! |---|---|
//! | `url.full` (or `http.url`) | the URL without user, query and fragment, which may hold secrets |
//! | `aws.s3.bucket`, `aws.s3.key` | `s3://bucket/key` |
//! | `db.system.name` (or `db.system`), `server.address`, `db.namespace`, `db.collection.name` | `system://address/namespace/collection` |
//! | `messaging.system`, `messaging.destination.name` | `system://destination` |
//! | `file.path` | `file://path` |
//!
//! Source: semantic conventions 1.41, `docs/http`, `docs/db`, `docs/messaging`, `docs/registry/attributes/file.md`; old
//! names stand behind the current ones.

use std::sync::Arc;

use crate::model::{Node, What};
use crate::values;

use super::draft::word;
use super::{Dialect, Draft, Source};

/// OTLP span kinds that do something elsewhere.
const INTERNAL: i32 = 1;
const CLIENT: i32 = 3;
const PRODUCER: i32 = 4;

const URL: &[&str] = &["url.full", "http.url"];
const DATABASE: &[&str] = &["db.system.name", "db.system"];
const NAMESPACE: &[&str] = &["db.namespace", "db.name"];
const COLLECTION: &[&str] = &["db.collection.name", "db.sql.table"];
const ADDRESS: &[&str] = &["server.address", "net.peer.name"];
const DESTINATION: &[&str] = &["messaging.destination.name", "messaging.destination"];
const BUCKET: &str = "aws.s3.bucket";
const FILE: &str = "file.path";

/// Every attribute without which there is no resource.
const ALL: &[&[&str]] = &[URL, NAMESPACE, COLLECTION, DESTINATION, &[BUCKET, FILE]];

/// Spans of clients.
pub struct Client;

impl Dialect for Client {
    fn name(&self) -> &'static str {
        "otel-client"
    }

    fn reads(&self, source: &Source<'_>) -> bool {
        let works = source.span().is_some_and(|span| matches!(span.kind, INTERNAL | CLIENT | PRODUCER));
        works && ALL.iter().any(|keys| keys.iter().any(|key| source.get(key).is_some()))
    }

    fn read<'a>(&self, source: &'a Source<'a>, draft: &mut Draft<'a>) {
        // A model's or a tool's own span names where the model or the tool is, not what it is about.
        if draft.node == Node::Other
            && let Some(resource) = resource(source)
        {
            draft.say(What::Target(resource));
        }
    }

    fn is_layer(&self) -> bool {
        true
    }
}

fn resource(source: &Source<'_>) -> Option<Arc<str>> {
    let joined = |start: &str, parts: &[Option<&str>]| {
        let parts: Vec<&str> = parts.iter().flatten().copied().collect();
        word(&format!("{start}://{}", parts.join("/")))
    };
    if let Some(url) = source.first_text(URL).and_then(values::bare).filter(|url| !url.contains(":///")) {
        return Some(word(&url));
    }
    if let Some(bucket) = source.text(BUCKET) {
        return Some(joined("s3", &[Some(bucket), source.text("aws.s3.key")]));
    }
    if let Some(system) = source.first_text(DATABASE) {
        let names = [source.first_text(NAMESPACE), source.first_text(COLLECTION)];
        let known = names.iter().any(Option::is_some);
        return known.then(|| joined(system, &[source.first_text(ADDRESS), names[0], names[1]]));
    }
    if let Some(destination) = source.first_text(DESTINATION) {
        return Some(joined(source.text("messaging.system").unwrap_or("messaging"), &[Some(destination)]));
    }
    source.text(FILE).map(|path| joined("file", &[Some(path)]))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::dialect::testing::{facts, span_with};

    #[test]
    fn a_client_s_span_names_what_it_touched() {
        for (kind, fields, want) in [
            (
                3,
                json!({"url.full": "https://me:pw@api.example/orders/7?key=s#x"}),
                Some("https://api.example/orders/7"),
            ),
            (3, json!({"http.url": "http://api.example"}), Some("http://api.example")),
            (3, json!({"http.url": "http://me:p@w@api.example/x"}), Some("http://api.example/x")),
            (3, json!({"http.url": "http://me:p/w@api.example/x"}), Some("http://api.example/x")),
            (3, json!({"http.url": "http://me:p?w#@api.example/x"}), Some("http://api.example/x")),
            (3, json!({"http.url": "http://api.example:80/@scope/x"}), Some("http://api.example:80/@scope/x")),
            (3, json!({"http.url": "http://[::1]:80/a@b"}), Some("http://[::1]:80/a@b")),
            (
                3,
                json!({"db.system.name": "postgresql", "server.address": "prod", "db.namespace": "shop",
                    "db.collection.name": "orders"}),
                Some("postgresql://prod/shop/orders"),
            ),
            (3, json!({"db.system": "redis"}), None),
            (3, json!({"aws.s3.bucket": "b", "aws.s3.key": "k/1"}), Some("s3://b/k/1")),
            (4, json!({"messaging.system": "kafka", "messaging.destination.name": "refunds"}), Some("kafka://refunds")),
            (1, json!({"file.path": "/etc/passwd"}), Some("file:///etc/passwd")),
            (2, json!({"url.full": "https://api.example/orders/7"}), None),
            (3, json!({"url.full": "not a url"}), None),
            (3, json!({"url.full": "https://model.example/v1", "gen_ai.operation.name": "chat"}), None),
        ] {
            let said = facts(span_with("http", "GET", fields.clone(), json!({"kind": kind})));
            let found =
                said.iter().find_map(|what| if let What::Target(target) = what { Some(&**target) } else { None });
            assert_eq!(found, want, "{fields}");
        }
    }
}
