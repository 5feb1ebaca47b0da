//! Patterns of names: `*` and `?`, nothing else.

use std::fmt;

use serde::{Serialize, Serializer};

/// A checked pattern. Matches the whole of a name, case-sensitively; `*` crosses every separator.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Glob {
    pattern: Box<str>,
    shape: Shape,
}

/// What most patterns are; each is matched in the cheapest way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Shape {
    /// A name.
    Exact,
    /// `name*`
    Prefix,
    /// `*name`
    Suffix,
    /// `*name*`
    Part,
    /// Anything else.
    Other,
}

impl Shape {
    fn of(pattern: &str) -> Self {
        let stars = (pattern.starts_with('*'), pattern.ends_with('*'));
        match (pattern.matches(['*', '?']).count(), stars) {
            (0, _) => Self::Exact,
            (1, (true, _)) => Self::Suffix,
            (1, (_, true)) => Self::Prefix,
            (2, (true, true)) => Self::Part,
            _ => Self::Other,
        }
    }
}

impl Glob {
    /// Longest pattern in bytes. It bounds a match to this many steps per character of the name.
    pub const MAX: usize = 256;

    /// Checks a pattern; the error says what is wrong with it.
    pub fn new(pattern: &str) -> Result<Self, &'static str> {
        if pattern.is_empty() || pattern.trim() != pattern {
            return Err("is empty or has a space at its end");
        }
        if pattern.len() > Self::MAX {
            return Err("is longer than 256 bytes");
        }
        if pattern.contains(['{', '}', '\\']) || pattern.starts_with('!') {
            return Err("looks like another kind of pattern: only `*` and `?` are special, alternatives are a list");
        }
        Ok(Self { pattern: pattern.into(), shape: Shape::of(pattern) })
    }

    /// The name, when nothing in the pattern is special.
    pub fn exact(&self) -> Option<&str> {
        (self.shape == Shape::Exact).then_some(&*self.pattern)
    }

    /// Whether every name matches.
    pub fn is_any(&self) -> bool {
        self.pattern.bytes().all(|byte| byte == b'*')
    }

    /// What every name that matches begins with.
    pub fn prefix(&self) -> &str {
        self.pattern.split(['*', '?']).next().unwrap_or_default()
    }

    /// What every name that matches ends with.
    pub fn suffix(&self) -> &str {
        self.pattern.rsplit(['*', '?']).next().unwrap_or_default()
    }

    /// Whether a prefix or a suffix, perhaps an empty one, is all that is asked for.
    pub fn is_end(&self) -> bool {
        matches!(self.shape, Shape::Prefix | Shape::Suffix)
    }

    /// Whether the pattern describes the whole name.
    pub fn matches(&self, name: &str) -> bool {
        let literal = self.pattern.trim_matches('*');
        match self.shape {
            Shape::Exact => *self.pattern == *name,
            Shape::Prefix => name.starts_with(literal),
            Shape::Suffix => name.ends_with(literal),
            Shape::Part => memchr::memmem::find(name.as_bytes(), literal.as_bytes()).is_some(),
            Shape::Other => {
                name.starts_with(self.prefix()) && name.ends_with(self.suffix()) && self.matches_by_steps(name)
            }
        }
    }

    /// On a mismatch only the last `*` takes one more character: earlier ones never need to, because whatever they
    /// could take, the last one can take too. So a match never costs more than pattern times name.
    fn matches_by_steps(&self, name: &str) -> bool {
        let (mut pattern, mut rest) = (self.pattern.chars(), name.chars());
        let mut retry = None;
        loop {
            let (mut after, mut left) = (pattern.clone(), rest.clone());
            match (after.next(), left.next()) {
                (None, None) => return true,
                (Some('*'), _) => {
                    retry = Some((after.clone(), rest.clone()));
                    pattern = after;
                    continue;
                }
                (Some(p), Some(n)) if p == '?' || p == n => {
                    (pattern, rest) = (after, left);
                    continue;
                }
                _ => {}
            }
            let Some((behind_star, mut taken)) = retry else {
                return false;
            };
            if taken.next().is_none() {
                return false;
            }
            (pattern, rest) = (behind_star.clone(), taken.clone());
            retry = Some((behind_star, taken));
        }
    }
}

impl fmt::Display for Glob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.pattern)
    }
}

impl Serialize for Glob {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.pattern)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn stars_and_question_marks_match_whole_names() {
        for (pattern, name, want) in [
            ("*", "", true),
            ("*", "anything/at all", true),
            ("delete_*", "delete_row", true),
            ("delete_*", "delete_", true),
            ("delete_*", "undelete_row", false),
            ("delete_*", "Delete_row", false),
            ("pg://prod/*", "pg://prod/accounts/7", true),
            ("pg://prod/*", "pg://prod", false),
            ("*prod*", "pg://prod/x", true),
            ("*prod*", "prod", true),
            ("*prod*", "pro", false),
            ("*prod", "pg://prod", true),
            ("*prod", "prod/x", false),
            ("a*b*c", "a-b-b-c", true),
            ("a*b*c", "a-c-b", false),
            ("?at", "cat", true),
            ("?at", "at", false),
            ("?", "ü", true),
            ("**", "x", true),
            ("exact", "exact", true),
            ("exact", "exactly", false),
        ] {
            assert_eq!(Glob::new(pattern).expect(pattern).matches(name), want, "`{pattern}` and `{name}`");
        }
    }

    #[test]
    fn what_would_never_match_is_refused() {
        for pattern in ["", " x", "x ", "{a,b}", "a\\*", "!a", &"x".repeat(257)] {
            assert!(Glob::new(pattern).is_err(), "{pattern}");
        }
    }

    /// The definition, without any cleverness.
    fn by_definition(pattern: &[char], name: &[char]) -> bool {
        match (pattern, name) {
            ([], []) => true,
            (['*', rest @ ..], _) => (0..=name.len()).any(|taken| by_definition(rest, &name[taken..])),
            (['?', rest @ ..], [_, name @ ..]) => by_definition(rest, name),
            ([p, rest @ ..], [n, name @ ..]) if p == n => by_definition(rest, name),
            _ => false,
        }
    }

    proptest! {
        #[test]
        fn matching_agrees_with_its_definition(pattern in "[ab*?]{1,8}", name in "[ab]{0,10}") {
            let (p, n): (Vec<char>, Vec<char>) = (pattern.chars().collect(), name.chars().collect());
            prop_assert_eq!(Glob::new(&pattern).expect("only letters and wildcards").matches(&name), by_definition(&p, &n));
        }
    }
}
