//! Under which names a row is found. An alias is a text that a person or a span link has: the store keeps its hash.

use std::collections::BTreeSet;

use crate::engine::Want;
use crate::model::{Action, Digest, Key, Tenant, Tie, Turn};

/// Hash of an alias, of a body's digest, of a name of the engine. Part of the format: never changes.
pub(super) fn hash_of(kind: &str, parts: &[&[u8]]) -> i64 {
    let mut hasher = blake3::Hasher::new();
    for part in [kind.as_bytes()].iter().chain(parts) {
        hasher.update(&(part.len() as u64).to_le_bytes());
        hasher.update(part);
    }
    let mut bytes = [0; 8];
    hasher.finalize_xof().fill(&mut bytes);
    i64::from_le_bytes(bytes)
}

/// The hash under which an alias stands in a partition.
pub(super) fn of_alias(alias: &str) -> i64 {
    hash_of("alias", &[alias.as_bytes()])
}

/// The hash under which a body stands in a partition's filter.
pub(super) fn of_body(digest: &Digest) -> i64 {
    of_body_key(&body_key(digest))
}

/// The same, by the key in its table.
pub(super) fn of_body_key(key: &[u8]) -> i64 {
    hash_of("body", &[key])
}

/// A digest as the key of a body: the key's number, then the hash. There is one algorithm.
pub(super) fn body_key(digest: &Digest) -> Vec<u8> {
    [&digest.key.to_be_bytes()[..], &digest.bytes.0].concat()
}

/// The hash under which state.db finds a turn for the engine. Handles are a table of their own.
pub(super) fn of_want(want: &Want) -> Option<i64> {
    Some(match want {
        Want::Turn(turn) => hash_of("turn", &[&turn.0]),
        Want::Call(tenant, id) => hash_of("call", &[tenant.as_str().as_bytes(), id.as_bytes()]),
        Want::Mcp(tenant, session, request) => {
            hash_of("mcp", &[tenant.as_str().as_bytes(), session.as_bytes(), request.as_bytes()])
        }
        Want::Response(tenant, id) => hash_of("response", &[tenant.as_str().as_bytes(), id.as_bytes()]),
        Want::Giver(tenant, tie) => of_tie("giver", tenant, tie),
        Want::Taker(tenant, tie) => of_tie("taker", tenant, tie),
        Want::Handle(_) => return None,
    })
}

fn of_tie(whose: &str, tenant: &Tenant, tie: &Tie) -> i64 {
    let (kind, name) = match tie {
        Tie::Response(id) => ("response", id.as_bytes()),
        Tie::Task(id) => ("task", id.as_bytes()),
        Tie::Conversation(id) => ("conversation", id.as_bytes()),
        Tie::Answer(hash) => ("answer", &hash.0[..]),
        Tie::Stands(id) => ("stands", id.as_bytes()),
        Tie::Checks(id) => ("checks", id.as_bytes()),
        Tie::Modes(id) => ("modes", id.as_bytes()),
    };
    hash_of(whose, &[tenant.as_str().as_bytes(), kind.as_bytes(), name])
}

/// Every alias of an action: its id, its keys as printed, `trace/span`, trace, span, call id, its turns, its findings.
pub(super) fn of_action(action: &Action) -> BTreeSet<String> {
    let mut aliases = BTreeSet::from([action.id.to_string(), action.turn.to_string()]);
    aliases.extend(action.turns.iter().map(ToString::to_string));
    aliases.extend(action.findings.iter().map(|finding| finding.id.to_string()));
    aliases.extend(action.call_id.iter().map(ToString::to_string));
    for key in &action.keys {
        aliases.insert(key.to_string());
        match key {
            Key::Span(trace, span) => {
                aliases.extend([format!("{trace}/{span}"), trace.to_string(), span.to_string()]);
            }
            Key::Call(_, id) => drop(aliases.insert(id.to_string())),
            Key::Mcp(..) | Key::Kth(..) | Key::Part(..) => {}
        }
    }
    aliases.remove("");
    aliases
}

/// Every alias of a turn: its id, its trace, its conversation as sent and by id.
pub(super) fn of_turn(turn: &Turn) -> BTreeSet<String> {
    let mut aliases = BTreeSet::from([turn.id.to_string()]);
    aliases.extend(turn.trace.iter().map(ToString::to_string));
    if let Some(conversation) = &turn.conversation {
        let (id, as_sent) = &conversation.value;
        aliases.extend([id.to_string(), as_sent.to_string()]);
    }
    aliases.remove("");
    aliases
}
