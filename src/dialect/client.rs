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
//! | attributes | what was done |
//! |---|---|
//! | `http.request.method` (or `http.method`) | `GET`, `HEAD`: read; `PUT`, `PATCH`: update; `DELETE`: delete; `POST` may be anything |
//! | its URL's host (or `server.address`) | egress, unless it is of the own network |
//! | `db.operation.name` (or `db.operation`, or the first word of the statement) | by the database's own verb |
//! | `messaging.operation.type` (or `messaging.operation`), or a producer's span | what is sent is sent, and leaves |
//!
//! Source: semantic conventions 1.41, `docs/http`, `docs/db`, `docs/messaging`, `docs/registry/attributes/file.md`; old
//! names stand behind the current ones. RFC 9110 §9.2.1 for which methods only read.

use core::net::IpAddr; // the type alone: nothing here opens a socket
use std::sync::Arc;

use crate::model::{Did, Effect, Node, What};
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

const METHOD: &[&str] = &["http.request.method", "http.method"];
const OPERATION: &[&str] = &["db.operation.name", "db.operation"];
const STATEMENT: &[&str] = &["db.query.summary", "db.query.text", "db.statement"];
const MESSAGING: &[&str] = &["messaging.operation.type", "messaging.operation"];

/// Every attribute without which a span touches nothing and does nothing that could be told.
const ALL: &[&[&str]] =
    &[URL, NAMESPACE, COLLECTION, DESTINATION, &[BUCKET, FILE], METHOD, OPERATION, STATEMENT, MESSAGING];

/// What HTTP's methods do. `POST` is what the server makes of it.
const METHODS: &[(&str, Effect)] = &[
    ("GET", Effect::Read),
    ("HEAD", Effect::Read),
    ("OPTIONS", Effect::Read),
    ("PUT", Effect::Update),
    ("PATCH", Effect::Update),
    ("DELETE", Effect::Delete),
];

/// What databases' verbs do, in capitals: SQL first, then those of key-value and document stores.
const DATABASE_VERBS: &[(Effect, &[&str])] = &[
    (Effect::Read, &["SELECT", "SHOW", "DESCRIBE", "EXPLAIN", "VALUES"]),
    (Effect::Create, &["INSERT", "CREATE", "COPY"]),
    (Effect::Update, &["UPDATE", "UPSERT", "MERGE", "REPLACE", "ALTER", "GRANT", "REVOKE"]),
    (Effect::Delete, &["DELETE", "DROP", "TRUNCATE"]),
    (Effect::Execute, &["CALL", "EXEC", "EXECUTE", "DO", "EVAL", "EVALSHA"]),
    (Effect::Read, &["GET", "MGET", "HGET", "HGETALL", "HMGET", "KEYS", "SCAN", "EXISTS", "TTL", "LRANGE", "SMEMBERS"]),
    (Effect::Read, &["FIND", "FINDONE", "COUNT", "COUNTDOCUMENTS", "DISTINCT", "GETITEM", "BATCHGETITEM", "QUERY"]),
    (Effect::Read, &["SEARCH", "MSEARCH"]),
    (Effect::Create, &["INSERTONE", "INSERTMANY", "INDEX", "LPUSH", "RPUSH", "SADD", "ZADD", "XADD"]),
    (Effect::Update, &["SET", "MSET", "HSET", "HMSET", "SETEX", "INCR", "DECR", "EXPIRE", "PUTITEM", "UPDATEITEM"]),
    (Effect::Update, &["UPDATEONE", "UPDATEMANY", "REPLACEONE", "FINDANDMODIFY", "FINDONEANDUPDATE", "BATCHWRITEITEM"]),
    (Effect::Delete, &["DEL", "UNLINK", "HDEL", "FLUSHALL", "FLUSHDB", "DELETEONE", "DELETEMANY", "DELETEITEM"]),
    (Effect::Delete, &["DROPDATABASE", "DROPCOLLECTION", "DELETEBYQUERY", "FINDONEANDDELETE"]),
];

/// A message leaves: what is received or settled does not.
const SENDS: &[&str] = &["send", "publish", "create"];

/// Ends of host names that are never public: RFC 6761, RFC 6762, RFC 8375, ICANN's `internal`, and those of clusters.
const OWN: &[&str] = &[".local", ".internal", ".localhost", ".localdomain", ".lan", ".svc", ".home.arpa"];

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
        if draft.node != Node::Other {
            return;
        }
        if let Some(resource) = resource(source) {
            draft.say(What::Target(resource));
        }
        let did = [by_http(source), by_database(source), by_messaging(source)].into_iter().flatten();
        did.for_each(|did| draft.say(What::Did(did)));
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

fn by_http(source: &Source<'_>) -> Option<Did> {
    let method = source.first_text(METHOD)?;
    let effect = METHODS.iter().find(|(name, _)| name.eq_ignore_ascii_case(method)).map(|(_, effect)| *effect);
    let url = source.first_text(URL).and_then(values::bare);
    let host = url.as_deref().and_then(host_of).or_else(|| source.first_text(ADDRESS));
    told(effect, host.is_some_and(|host| !is_own(host)))
}

fn by_database(source: &Source<'_>) -> Option<Did> {
    let verb = source.first_text(OPERATION).or_else(|| source.first_text(STATEMENT).and_then(first_word))?;
    // A batch of one operation is named after both.
    let verb = verb.strip_prefix("BATCH ").unwrap_or(verb);
    let verb: String =
        verb.chars().take(32).map_while(|c| c.is_ascii_alphanumeric().then(|| c.to_ascii_uppercase())).collect();
    let known = DATABASE_VERBS.iter().find(|(_, verbs)| verbs.contains(&&*verb));
    told(known.map(|(effect, _)| *effect), false)
}

fn by_messaging(source: &Source<'_>) -> Option<Did> {
    let sends = match source.first_text(MESSAGING) {
        Some(operation) => SENDS.contains(&operation),
        None => source.text("messaging.system").is_some() && source.span()?.kind == PRODUCER,
    };
    told(sends.then_some(Effect::Send), sends)
}

fn told(effect: Option<Effect>, egress: bool) -> Option<Did> {
    (effect.is_some() || egress).then_some(Did { effect, egress })
}

/// The first word of a statement, behind its comments.
fn first_word(statement: &str) -> Option<&str> {
    let mut rest = statement.trim_start();
    while let Some(commented) = rest.strip_prefix("/*") {
        rest = commented.split_once("*/")?.1.trim_start();
    }
    while let Some(commented) = rest.strip_prefix("--") {
        rest = commented.split_once('\n')?.1.trim_start();
    }
    rest.split(|c: char| !c.is_ascii_alphanumeric()).next().filter(|word| !word.is_empty())
}

/// The host of a URL without user, query and fragment.
fn host_of(url: &str) -> Option<&str> {
    let (_, rest) = url.split_once("://")?;
    let authority = rest.split('/').next()?;
    let host = match authority.strip_prefix('[') {
        Some(address) => address.split(']').next()?,
        None => authority.split(':').next()?,
    };
    Some(host).filter(|host| !host.is_empty())
}

/// Whether a host is of the own machine or network: a private address, a name that is never public, or one without a
/// dot, as services have inside a cluster.
fn is_own(host: &str) -> bool {
    let host = host.trim_end_matches('.').to_ascii_lowercase();
    match host.trim_matches(['[', ']']).parse() {
        Ok(IpAddr::V4(address)) => {
            let shared = address.octets()[0] == 100 && address.octets()[1] & 0xc0 == 64; // RFC 6598
            address.is_private()
                || address.is_loopback()
                || address.is_link_local()
                || address.is_unspecified()
                || shared
        }
        Ok(IpAddr::V6(address)) => {
            address.is_loopback()
                || address.is_unique_local()
                || address.is_unicast_link_local()
                || address.is_unspecified()
        }
        Err(_) => !host.contains(['.', ':']) || OWN.iter().any(|end| host.ends_with(end)),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
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

    fn did(kind: i32, fields: serde_json::Value) -> Option<(Option<Effect>, bool)> {
        let said = facts(span_with("client", "call", fields, json!({"kind": kind})));
        said.iter().find_map(|what| if let What::Did(did) = what { Some((did.effect, did.egress)) } else { None })
    }

    #[test]
    fn a_client_s_span_says_what_it_did() {
        use Effect::{Create, Delete, Execute, Read, Send, Update};
        let http = |method: &str| json!({"http.request.method": method, "url.full": "https://orders.internal/7"});
        for (fields, want) in [
            (http("GET"), Some((Some(Read), false))),
            (http("head"), Some((Some(Read), false))),
            (http("PUT"), Some((Some(Update), false))),
            (http("PATCH"), Some((Some(Update), false))),
            (http("DELETE"), Some((Some(Delete), false))),
            (http("POST"), None),
            (json!({"http.method": "POST", "http.url": "https://api.example/7"}), Some((None, true))),
            (json!({"http.method": "GET", "net.peer.name": "api.example"}), Some((Some(Read), true))),
            (json!({"url.full": "https://api.example/7"}), None),
            (json!({"db.system": "postgresql", "db.operation": "SELECT"}), Some((Some(Read), false))),
            (json!({"db.system.name": "postgresql", "db.operation.name": "BATCH insert"}), Some((Some(Create), false))),
            (json!({"db.query.text": "delete from t where id = $1"}), Some((Some(Delete), false))),
            (json!({"db.statement": "/* a */ -- b\n UPDATE t SET x = 1"}), Some((Some(Update), false))),
            (json!({"db.statement": "WITH x AS (SELECT 1) DELETE FROM t"}), None),
            (json!({"db.statement": "CALL purge()"}), Some((Some(Execute), false))),
            (json!({"db.system": "dynamodb", "db.operation": "DeleteItem"}), Some((Some(Delete), false))),
            (json!({"db.system": "postgresql", "db.operation.name": "COMMIT"}), None),
            (json!({"messaging.system": "kafka", "messaging.operation.type": "send"}), Some((Some(Send), true))),
            (json!({"messaging.system": "kafka", "messaging.operation": "receive"}), None),
            (json!({"http.request.method": "DELETE", "gen_ai.operation.name": "chat"}), None),
        ] {
            assert_eq!(did(3, fields.clone()), want, "{fields}");
        }
        let producer = json!({"messaging.system": "kafka", "messaging.destination.name": "refunds"});
        assert_eq!(did(4, producer.clone()), Some((Some(Send), true)));
        assert_eq!(did(3, producer), None);
        assert_eq!(did(2, http("DELETE")), None, "a server's span is no client's");
    }

    #[test]
    fn what_is_on_the_own_network_does_not_leave() {
        for (host, own) in [
            ("localhost", true),
            ("orders", true),
            ("orders.shop.svc.cluster.local", true),
            ("orders.shop.svc", true),
            ("db.corp.internal.", true),
            ("127.0.0.1", true),
            ("10.1.2.3", true),
            ("172.16.0.9", true),
            ("192.168.1.1", true),
            ("169.254.169.254", true),
            ("100.64.0.1", true),
            ("::1", true),
            ("fd00::1", true),
            ("API.example", false),
            ("8.8.8.8", false),
            ("100.128.0.1", false),
            ("2001:db8::1", false),
            ("local.example", false),
            ("internal.example", false),
        ] {
            let url = if host.contains(':') { format!("http://[{host}]:80/x") } else { format!("http://{host}:80/x") };
            let said = did(3, json!({"http.request.method": "GET", "url.full": url}));
            assert_eq!(said, Some((Some(Effect::Read), !own)), "{host}");
        }
    }

    proptest! {
        #[test]
        fn any_client_is_read(url in ".{0,30}", statement in "[-/* a-zA-Z\n]{0,30}") {
            let _ = did(3, json!({"http.request.method": "GET", "url.full": url, "db.statement": statement}));
        }
    }
}
