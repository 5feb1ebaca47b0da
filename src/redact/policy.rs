//! Which keys are kept, digested, dropped. Resolved from configuration; the default keeps everything.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::model::words;

words!(
    /// What happens to the values of a class of keys.
    Class {
        /// The value stays.
        Keep = "keep",
        /// A digest takes its place, `blake3:<hex>` of its canonical JSON: equal values stay equal, whoever wrote
        /// them, and it is read as the digest of the value. Short values can be guessed from their digests; drop those.
        Digest = "digest",
        /// `<REDACTED>` takes its place, so that its absence reads as withheld.
        Drop = "drop",
    }
);

/// Rules in order; the first whose pattern fits a key decides, and no rule means keep.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Policy {
    rules: Vec<(String, Class)>,
}

impl Policy {
    /// A policy from (key pattern, class). In a pattern, `*` stands for any number of characters.
    pub fn new(rules: impl IntoIterator<Item = (String, Class)>) -> Self {
        Self { rules: rules.into_iter().collect() }
    }

    /// The class of a key; inside maps, keys are joined by dots.
    pub fn class(&self, key: &str) -> Class {
        self.rules.iter().find(|(pattern, _)| fits(pattern, key)).map_or(Class::Keep, |(_, class)| *class)
    }

    /// Whether no key can be anything but kept.
    pub fn keeps_everything(&self) -> bool {
        self.rules.iter().all(|(_, class)| *class == Class::Keep)
    }
}

/// Whether a key fits a pattern. Linear in both: the first literal stands at the start, the last at the end, and those
/// between are found from left to right.
fn fits(pattern: &str, key: &str) -> bool {
    let Some((first, rest)) = pattern.split_once('*') else { return pattern == key };
    let Some(mut key) = key.strip_prefix(first) else { return false };
    let (middle, last) = rest.rsplit_once('*').unwrap_or(("", rest));
    for literal in middle.split('*') {
        let Some(at) = key.find(literal) else { return false };
        key = &key[at + literal.len()..];
    }
    key.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_fit_whole_keys() {
        for (pattern, key, want) in [
            ("user.email", "user.email", true),
            ("user.email", "user.email2", false),
            ("user.*", "user.", true),
            ("user.*", "users", false),
            ("*", "", true),
            ("*.password", "a.b.password", true),
            ("*.password", "password", false),
            ("gen_ai.*.messages", "gen_ai.input.messages", true),
            ("gen_ai.*.messages", "gen_ai.messages", false),
            ("a*b*c", "aXbYbZc", true),
            ("a*b*c", "acb", false),
            ("ab*ba", "aba", false),
            ("**", "x", true),
        ] {
            assert_eq!(fits(pattern, key), want, "{pattern} {key}");
        }
    }

    #[test]
    fn the_first_rule_that_fits_decides() {
        let policy = Policy::new([("user.id".into(), Class::Digest), ("user.*".into(), Class::Drop)]);
        assert_eq!(policy.class("user.id"), Class::Digest);
        assert_eq!(policy.class("user.email"), Class::Drop);
        assert_eq!(policy.class("service.name"), Class::Keep);
        assert!(!policy.keeps_everything() && Policy::default().keeps_everything());
    }
}
