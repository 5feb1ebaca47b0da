//! What a tool's name suggests that it does. A guess: it may excuse, and never convicts.
//!
//! ```text
//! mcp__shop__getOrder   segments  mcp · shop · getOrder      the last one that has a verb counts
//!                       words     get · order                the first verb in it counts
//!                       verb      get → read
//! ```
//!
//! Of verbs that `and` or `or` join, as in `get_or_create`, the most far-reaching counts. A word that is a noun as
//! often as a verb (`email`, `order`) is a verb only in a name without others, where a segment begins with it:
//! `email_user`, and neither `user_email` nor `email_search`.

use crate::model::Effect;

/// Verbs, wherever they stand.
const VERBS: &[(Effect, &[&str])] = &[
    (
        Effect::Read,
        &[
            "get",
            "find",
            "search",
            "read",
            "fetch",
            "retrieve",
            "lookup",
            "describe",
            "inspect",
            "browse",
            "calculate",
            "compute",
            "compare",
            "analyze",
            "analyse",
            "summarize",
            "summarise",
            "translate",
            "classify",
            "extract",
            "validate",
            "verify",
            "explain",
            "think",
            "grep",
            "ls",
            "stat",
            "peek",
            "poll",
            "recall",
            "select",
            "load",
            "detect",
            "estimate",
            "parse",
            "ping",
            "list",
            "show",
            "view",
            "scan",
        ],
    ),
    (
        Effect::Create,
        &[
            "create",
            "add",
            "insert",
            "generate",
            "register",
            "enroll",
            "clone",
            "copy",
            "duplicate",
            "mkdir",
            "upload",
            "append",
            "import",
            "download",
            "reserve",
            "spawn",
            "provision",
            "attach",
            "subscribe",
            "submit",
            "save",
            "store",
        ],
    ),
    (
        Effect::Update,
        &[
            "update",
            "edit",
            "modify",
            "change",
            "write",
            "put",
            "upsert",
            "replace",
            "rename",
            "move",
            "merge",
            "assign",
            "close",
            "reopen",
            "resolve",
            "enable",
            "disable",
            "toggle",
            "cancel",
            "reschedule",
            "refund",
            "adjust",
            "configure",
            "approve",
            "reject",
            "restore",
            "rollback",
            "revert",
            "rotate",
            "pause",
            "resume",
            "suspend",
            "lock",
            "unlock",
            "grant",
            "exchange",
            "convert",
            "sync",
            "pull",
            "commit",
            "tag",
            "untag",
            "star",
            "unstar",
            "increment",
            "decrement",
            "scale",
            "resize",
            "redeem",
            "login",
            "checkout",
            "migrate",
            "upgrade",
        ],
    ),
    (
        Effect::Delete,
        &[
            "delete",
            "remove",
            "drop",
            "purge",
            "destroy",
            "erase",
            "wipe",
            "truncate",
            "clear",
            "unlink",
            "rm",
            "rmdir",
            "terminate",
            "kill",
            "revoke",
            "uninstall",
            "unregister",
            "unsubscribe",
            "detach",
            "prune",
            "evict",
            "discard",
        ],
    ),
    (
        Effect::Send,
        &[
            "send",
            "notify",
            "publish",
            "transfer",
            "pay",
            "share",
            "push",
            "broadcast",
            "forward",
            "reply",
            "tweet",
            "invite",
            "announce",
            "dispatch",
            "deliver",
            "emit",
            "wire",
            "donate",
        ],
    ),
    (
        Effect::Execute,
        &[
            "run", "exec", "execute", "invoke", "deploy", "apply", "eval", "evaluate", "launch", "restart", "reboot",
            "trigger",
        ],
    ),
];

/// Words that are verbs only where they come first and nothing else is one.
const NOUNS: &[(Effect, &[&str])] = &[
    (
        Effect::Read,
        &["query", "check", "count", "head", "tail", "cat", "glob", "diff", "sort", "filter", "look", "print"],
    ),
    (
        Effect::Create,
        &["book", "schedule", "open", "issue", "order", "new", "make", "file", "record", "log", "buy", "draft"],
    ),
    (Effect::Update, &["set", "patch", "reset", "return", "mark", "start", "stop", "lift", "fix", "format"]),
    (Effect::Delete, &["flush", "reap", "expunge"]),
    (Effect::Send, &["email", "mail", "post", "message", "text", "call", "alert", "page", "sms", "input"]),
    (Effect::Execute, &["shell", "bash", "python", "terminal", "command", "script", "sql", "code", "build", "test"]),
];

/// Words that join verbs.
const JOINING: &[&str] = &["and", "or"];

/// Words that say that something outside is meant.
const OUTSIDE: &[&str] =
    &["web", "website", "webpage", "url", "http", "https", "webhook", "internet", "browser", "browse", "curl", "wget"];

/// What a name suggests that its tool does. `None`: it has no verb that is known.
pub fn effect_of(tool: &str) -> Option<Effect> {
    let begins = |segment| effect_at(NOUNS, &words(segment).next()?);
    segments(tool).find_map(effect_in).or_else(|| segments(tool).find_map(begins))
}

/// Whether a name suggests that its tool reaches out of the own systems: it sends, or goes to a place that is named.
pub fn reaches_out(tool: &str) -> bool {
    let outside = |word: String| OUTSIDE.contains(&&*word);
    effect_of(tool) == Some(Effect::Send) || segments(tool).flat_map(words).any(outside)
}

/// The parts of a name in namespaces, the last first.
fn segments(tool: &str) -> impl Iterator<Item = &str> {
    tool.rsplit(['.', '/', ':']).flat_map(|part| part.rsplit("__"))
}

/// The first verb of a segment, with those that are joined to it.
fn effect_in(segment: &str) -> Option<Effect> {
    let words: Vec<String> = words(segment).collect();
    let verb = |word: &String| effect_at(VERBS, word);
    let first = words.iter().position(|word| verb(word).is_some())?;
    let joined = words[first + 1..].chunks_exact(2).take_while(|pair| JOINING.contains(&&*pair[0]));
    let verbs = std::iter::once(verb(&words[first])).chain(joined.map(|pair| verb(&pair[1])));
    verbs.map_while(|effect| effect).max_by_key(|effect| effect.reach())
}

fn effect_at(table: &[(Effect, &[&str])], word: &str) -> Option<Effect> {
    table.iter().find(|(_, words)| words.contains(&word)).map(|(effect, _)| *effect)
}

/// The words of a name in `snake_case`, `kebab-case`, `camelCase` or with spaces, in lower case.
fn words(segment: &str) -> impl Iterator<Item = String> {
    let mut words = vec![String::new()];
    let mut before = ' ';
    let mut letters = segment.chars().peekable();
    while let Some(letter) = letters.next() {
        // `HTTPPost` is `http` and `post`: a capital begins a word after a small letter, or before one.
        let turns =
            letter.is_uppercase() && (!before.is_uppercase() || letters.peek().is_some_and(|it| it.is_lowercase()));
        if (turns || !letter.is_alphanumeric()) && words.last().is_some_and(|word| !word.is_empty()) {
            words.push(String::new());
        }
        if let (true, Some(word)) = (letter.is_alphanumeric(), words.last_mut()) {
            word.extend(letter.to_lowercase());
        }
        before = letter;
    }
    words.into_iter().filter(|word| !word.is_empty())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_first_verb_of_the_last_segment_that_has_one_counts() {
        use Effect::{Create, Delete, Execute, Read, Send, Update};
        for (tool, want) in [
            ("get_order", Some(Read)),
            ("getOrder", Some(Read)),
            ("HTTPGetOrder", Some(Read)),
            ("list-files", Some(Read)),
            ("find_user_id_by_email", Some(Read)),
            ("get_scheduled_transactions", Some(Read)),
            ("mcp__shop__get_order", Some(Read)),
            ("shop.orders.delete", Some(Delete)),
            ("delete.order", Some(Delete)),
            ("git_delete_repo", Some(Delete)),
            ("cart_remove_product", Some(Delete)),
            ("drop_table", Some(Delete)),
            ("create_dir", Some(Create)),
            ("book_reservation", Some(Create)),
            ("create_or_update_file", Some(Update)),
            ("get_or_create", Some(Create)),
            ("read_and_delete_or_archive", Some(Delete)),
            ("get_order_and_create_label", Some(Read)),
            ("issue_refund", Some(Update)),
            ("set_status", Some(Update)),
            ("update_plan", Some(Update)),
            ("closeTicket", Some(Update)),
            ("send_email", Some(Send)),
            ("email_user", Some(Send)),
            ("user_email", None),
            ("user_email_lookup", Some(Read)),
            ("email_search", Some(Read)),
            ("order_list", Some(Read)),
            ("transfer_funds", Some(Send)),
            ("Bash", Some(Execute)),
            ("run_shell_command", Some(Execute)),
            ("exec_command", Some(Execute)),
            ("apply_patch", Some(Execute)),
            ("cart_total", None),
            ("", None),
            ("__..", None),
            ("ünïcode", None),
        ] {
            assert_eq!(effect_of(tool), want, "{tool}");
        }
    }

    #[test]
    fn a_name_reaches_out_that_sends_or_names_a_place_outside() {
        for (tool, want) in [
            ("send_email", true),
            ("web_fetch", true),
            ("WebSearch", true),
            ("google_web_search", true),
            ("browse_webpage", true),
            ("http_post", true),
            ("git_push", true),
            ("get_sent_emails", false),
            ("delete_email", false),
            ("get_order", false),
            ("Bash", false),
        ] {
            assert_eq!(reaches_out(tool), want, "{tool}");
        }
    }

    #[test]
    fn no_word_is_in_two_rows() {
        let rows =
            || VERBS.iter().chain(NOUNS).flat_map(|(effect, words)| words.iter().map(move |word| (word, effect)));
        for (word, effect) in rows() {
            assert_eq!(rows().filter(|(other, _)| *other == word).count(), 1, "{word} is {effect}");
            assert_eq!(words(word).collect::<Vec<_>>(), [*word], "no name has this word");
        }
    }

    proptest! {
        #[test]
        fn any_name_is_read(tool in ".{0,40}", case in "[a-zA-Z_]{0,20}") {
            let _ = reaches_out(&tool);
            prop_assert_eq!(effect_of(&tool), effect_of(&format!("{tool}__")));
            prop_assert_eq!(effect_of(&case.to_lowercase()), effect_of(&case.to_uppercase()));
        }
    }
}
