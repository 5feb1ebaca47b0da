//! A text of labelled rows that fits its width, whatever is put into it.
//!
//! ```text
//!   label         a row: wrapped at words, its next lines
//!                 under its first
//!                 │ a quotation: what somebody else wrote, line by line
//!                 │ … and 7 lines more
//! ```
//!
//! Everything passes through [`harmless`], so no value can move the cursor, colour the terminal, or reverse the
//! reading order; and a quotation stands behind its bar, so no value can look like a row.

use std::collections::BTreeSet;

use unicode_width::UnicodeWidthChar;

use super::WIDTH;
use crate::model::Missing;

/// Where values begin.
pub(super) const INDENT: usize = 16;
/// Lines of one quotation. The rest is in the JSON.
const FOLD: usize = 12;

/// The text so far, and which words for a missing value it has used.
#[derive(Debug, Default)]
pub(super) struct Sheet {
    text: String,
    missing: BTreeSet<Missing>,
}

impl Sheet {
    /// A line without a label, at the left.
    pub(super) fn heading(&mut self, text: &str) {
        for line in wrap(&harmless(text), WIDTH) {
            self.push("", &line);
        }
    }

    /// A row with its label; an empty label continues the row above.
    pub(super) fn row(&mut self, label: &str, text: &str) {
        let mut first = format!("  {label:<width$}", width = INDENT - 2);
        for line in wrap(&harmless(text), WIDTH - INDENT) {
            self.push(&first, &line);
            first = " ".repeat(INDENT);
        }
    }

    /// More of the row above.
    pub(super) fn note(&mut self, text: &str) {
        self.row("", text);
    }

    /// What belongs to the line above, two columns further in.
    pub(super) fn detail(&mut self, text: &str) {
        for line in wrap(&harmless(text), WIDTH - INDENT - 2) {
            self.push(&" ".repeat(INDENT + 2), &line);
        }
    }

    /// What somebody else wrote.
    pub(super) fn quote(&mut self, text: &str) {
        let bar = format!("{}│ ", " ".repeat(INDENT));
        let lines = text.lines().flat_map(|line| wrap(&harmless(line), WIDTH - INDENT - 2));
        let lines: Vec<String> = lines.take(10_000).collect();
        let shown = if lines.len() > FOLD { FOLD - 1 } else { lines.len() };
        for line in &lines[..shown] {
            self.push(&bar, line);
        }
        if shown < lines.len() {
            self.push(&bar, &format!("… and {} lines more", lines.len() - shown));
        }
    }

    /// The word for a missing value, which [`Sheet::missing`] will name.
    pub(super) fn word(&mut self, why: Missing) -> &'static str {
        self.missing.insert(why);
        why.as_str()
    }

    /// Which of those words stand in it.
    pub(super) fn missing(&self) -> BTreeSet<Missing> {
        self.missing.clone()
    }

    /// An empty line.
    pub(super) fn gap(&mut self) {
        self.text.push('\n');
    }

    /// The text.
    pub(super) fn finish(self) -> String {
        self.text
    }

    fn push(&mut self, before: &str, text: &str) {
        self.text.push_str(format!("{before}{text}").trim_end());
        self.text.push('\n');
    }
}

/// The same text with everything written out that a terminal would obey instead of show: control characters, line
/// breaks, marks that reverse the reading order, and characters that nobody sees.
pub(super) fn harmless(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\t' => shown.push_str("    "),
            '\n' => shown.push_str("\\n"),
            '\r' => shown.push_str("\\r"),
            c if is_obeyed(c) => shown.extend(c.escape_unicode()),
            c => shown.push(c),
        }
    }
    shown
}

/// Cc, the bidirectional controls, line and paragraph separators, invisible operators, variation selectors'
/// supplement and tags. Joiners stay: scripts and emoji need them.
fn is_obeyed(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e0fff}')
}

/// Columns of a character. A mark that takes no column counts as one: then no line grows without end under its width.
fn columns(c: char) -> usize {
    c.width().unwrap_or(1).max(1)
}

/// Columns of a text.
pub(super) fn columns_of(text: &str) -> usize {
    text.chars().map(columns).sum()
}

/// Lines of at most `width` columns: broken after a space when one stands in the second half, else anywhere. Nothing
/// is lost but the spaces at a break.
fn wrap(text: &str, width: usize) -> Vec<String> {
    let (mut lines, mut line, mut used) = (Vec::new(), String::new(), 0);
    for c in text.chars() {
        if used + columns(c) > width {
            let rest = match line.rfind(' ').filter(|at| *at > line.len() / 2) {
                Some(at) => line.split_off(at + 1),
                None => String::new(),
            };
            lines.push(std::mem::replace(&mut line, rest));
            used = columns_of(&line);
        }
        if c != ' ' || used > 0 || lines.is_empty() {
            line.push(c);
            used += columns(c);
        }
    }
    lines.push(line);
    lines
}

/// A text of exactly `width` columns: its beginning, or spaces after it.
pub(super) fn cell(text: &str, width: usize) -> String {
    let text = brief(text, width);
    let space = " ".repeat(width.saturating_sub(columns_of(&text)));
    text + &space
}

/// The beginning of a text in one line of at most `width` columns, with `…` when there is more.
pub(super) fn brief(text: &str, width: usize) -> String {
    let text = harmless(text);
    if columns_of(&text) <= width {
        return text;
    }
    let mut used = 0;
    let fits = |c: &char| {
        used += columns(*c);
        used < width
    };
    text.chars().take_while(fits).chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use unicode_width::UnicodeWidthStr;

    use super::*;

    #[test]
    fn words_stay_together_and_long_words_do_not_overflow() {
        assert_eq!(wrap("one two three", 8), ["one two ", "three"]);
        assert_eq!(wrap("abcdefghij", 4), ["abcd", "efgh", "ij"]);
        assert_eq!(wrap("wide 漢字漢字", 7), ["wide 漢", "字漢字"]);
        assert_eq!(wrap("", 4), [""]);
    }

    #[test]
    fn what_a_terminal_obeys_is_written_out() {
        for (text, want) in [
            ("\u{1b}[31mred", "\\u{1b}[31mred"),
            ("\u{9b}2J", "\\u{9b}2J"),
            ("a\u{202e}b\u{2066}", "a\\u{202e}b\\u{2066}"),
            ("a\nb\rc\td", "a\\nb\\rc    d"),
            ("none\u{200b}\u{feff}\u{e0041}", "none\\u{200b}\\u{feff}\\u{e0041}"),
            ("नमस्ते 👩‍🚀 é", "नमस्ते 👩‍🚀 é"),
        ] {
            assert_eq!(harmless(text), want);
        }
    }

    #[test]
    fn a_quotation_is_folded_and_stands_behind_its_bar() {
        let mut sheet = Sheet::default();
        sheet.quote(&"line\n".repeat(30));
        let text = sheet.finish();
        assert_eq!(text.lines().count(), FOLD);
        assert!(text.lines().all(|line| line.starts_with("                │ ")));
        assert!(text.ends_with("│ … and 19 lines more\n"), "{text}");
    }

    #[test]
    fn a_brief_text_says_that_there_is_more() {
        assert_eq!((brief("short", 5), brief("longer", 5)), ("short".to_owned(), "long…".to_owned()));
        assert_eq!(brief("漢字漢字", 5), "漢字…");
    }

    proptest! {
        #[test]
        fn nothing_overflows_and_nothing_is_obeyed(text in "\\PC{0,60}|(?s).{0,300}", width in 2_usize..40) {
            let mut sheet = Sheet::default();
            sheet.heading(&text);
            sheet.row("label", &text);
            sheet.detail(&text);
            sheet.quote(&text);
            let sheet = sheet.finish();
            prop_assert!(sheet.lines().all(|line| line.width() <= WIDTH), "{sheet}");
            prop_assert!(!sheet.replace('\n', "").contains(is_obeyed));
            prop_assert!(brief(&text, width).width() <= width);
        }

        #[test]
        fn wrapping_loses_only_spaces(text in "[ a-z漢é]{0,80}", width in 2_usize..20) {
            let joined: String = wrap(&text, width).concat();
            prop_assert_eq!(joined.replace(' ', ""), text.replace(' ', ""));
        }
    }
}
