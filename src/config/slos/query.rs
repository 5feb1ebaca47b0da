//! PromQL in files of objectives. It is not parsed here: what a person gets wrong by hand is looked for, a window that
//! is not there and brackets that do not match. promtool checks the rules that are made of it.

use std::sync::Arc;

use crate::slo::Queries;
use crate::values::document::{Node, Page};

/// A query with a place for the window.
pub(super) fn ranged(page: &mut Page, node: &Node) -> Option<Arc<str>> {
    let query = plain(page, node)?;
    if !query.contains(Queries::WINDOW) {
        page.wrong(
            node.at,
            "the query has no window: write `{{.window}}` where its range stands, as in `rate(x[{{.window}}])`",
        );
        return None;
    }
    Some(query)
}

/// A query of any kind, its placeholders in one spelling.
pub(super) fn plain(page: &mut Page, node: &Node) -> Option<Arc<str>> {
    let text = page.text(node)?;
    let query = match spelled(&text) {
        Ok(query) => query,
        Err(unknown) => {
            page.wrong(node.at, format!("`{{{{{unknown}}}}}` stands for nothing here: only `{{{{.window}}}}` does"));
            return None;
        }
    };
    if let Some((line, column, problem)) = unbalanced(&text) {
        let at = page.inside(node, line, column);
        page.wrong(at, problem);
        return None;
    }
    Some(query.into())
}

/// `{{ .window }}` without its spaces.
fn spelled(text: &str) -> Result<String, &str> {
    let (mut out, mut rest) = (String::new(), text);
    while let Some((before, behind)) = rest.split_once("{{") {
        let (inside, after) = behind.split_once("}}").unwrap_or((behind, ""));
        if inside.trim() != ".window" {
            return Err(inside);
        }
        out.push_str(before);
        out.push_str(Queries::WINDOW);
        rest = after;
    }
    Ok(out + rest)
}

/// The first bracket that has no partner, or quote without an end: line, column, and what is wrong.
fn unbalanced(text: &str) -> Option<(u32, u32, String)> {
    let mut open: Vec<(char, u32, u32)> = Vec::new();
    let mut quoted: Option<(char, u32, u32)> = None;
    let (mut line, mut column, mut escaped, mut comment) = (1, 0, false, false);
    for c in text.chars() {
        column += 1;
        if c == '\n' {
            (line, column, comment) = (line + 1, 0, false);
            continue;
        }
        if let Some((quote, ..)) = quoted {
            let ends = c == quote && !escaped;
            escaped = c == '\\' && quote != '`' && !escaped;
            if ends {
                quoted = None;
            }
            continue;
        }
        match c {
            _ if comment => {}
            '#' => comment = true,
            '"' | '\'' | '`' => quoted = Some((c, line, column)),
            '(' | '[' | '{' => open.push((c, line, column)),
            ')' | ']' | '}' => match open.pop() {
                Some((opened, ..)) if partner(opened) == c => {}
                Some((opened, ..)) => {
                    return Some((line, column, format!("`{c}` of the query does not close the `{opened}` before it")));
                }
                None => return Some((line, column, format!("`{c}` of the query closes nothing"))),
            },
            _ => {}
        }
    }
    let (c, line, column) = quoted.or_else(|| open.pop())?;
    Some((line, column, format!("`{c}` of the query is never closed")))
}

fn partner(opened: char) -> char {
    match opened {
        '(' => ')',
        '[' => ']',
        _ => '}',
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn brackets_and_quotes_have_partners() {
        for (query, want) in [
            (r#"sum(rate(x{a="(",b='\'',c=`\`}[{{.window}}])) # ("#, None),
            ("sum(x))", Some((1, 7))),
            ("sum(\n  x]", Some((2, 4))),
            ("sum(x", Some((1, 4))),
            (r#"x{a="b}"#, Some((1, 5))),
        ] {
            assert_eq!(unbalanced(query).map(|(line, column, _)| (line, column)), want, "{query}");
        }
    }

    #[test]
    fn a_placeholder_has_one_spelling() {
        assert_eq!(spelled("a[{{ .window }}] / b[{{.window}}]").as_deref(), Ok("a[{{.window}}] / b[{{.window}}]"));
        assert_eq!(spelled("a[{{.range}}]"), Err(".range"));
    }
}
