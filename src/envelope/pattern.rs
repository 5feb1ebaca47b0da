//! Regular expressions that people write, matched in linear time.

use std::sync::Arc;

use regex::{Regex, RegexBuilder};
use serde::{Serialize, Serializer};

use crate::values::document::{Node, Page};

/// A regular expression. It matches anywhere in a text; `^` and `$` bind it.
#[derive(Debug, Clone)]
pub(super) struct Pattern {
    source: Arc<str>,
    regex: Regex,
}

/// What a compiled expression may take of memory, in bytes. An ordinary one takes a few thousand.
pub(super) const SIZE: usize = 256 << 10;

impl Pattern {
    /// Reads one from a page.
    pub(super) fn read(page: &mut Page, node: &Node) -> Option<Self> {
        let source = page.text(node)?;
        match RegexBuilder::new(&source).size_limit(SIZE).dfa_size_limit(SIZE).build() {
            Ok(regex) => Some(Self { source, regex }),
            Err(error) => {
                let (at, why) = (place(page, node, &source, &error), said(&error));
                page.wrong(at, format!("`{source}` is no regular expression: {why}"));
                None
            }
        }
    }

    /// Whether it occurs in a text.
    pub(super) fn is_in(&self, text: &str) -> bool {
        self.regex.is_match(text)
    }
}

/// The last line of the error says what is wrong; those before it draw the expression.
fn said(error: &regex::Error) -> String {
    match error {
        regex::Error::CompiledTooBig(_) => "it would need too much memory".to_owned(),
        other => {
            let all = other.to_string();
            let last = all.lines().last().unwrap_or_default();
            last.trim_start_matches("error: ").to_owned()
        }
    }
}

/// The column that the error's drawing points to, where the expression is one line.
fn place(page: &Page, node: &Node, source: &str, error: &regex::Error) -> crate::values::document::Place {
    let all = error.to_string();
    let drawn = all.lines().skip_while(|line| line.trim() != source.trim()).nth(1);
    let column = drawn.and_then(|line| line.find('^')).map(|at| at.saturating_sub(4) as u32 + 1);
    page.inside(node, 1, column.unwrap_or(1))
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.source == other.source
    }
}

impl Serialize for Pattern {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.source)
    }
}
