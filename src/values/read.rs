//! Readers that forgive: `"true"` is a truth, `"12"` is a number, `[REDACTED]` is not a value.

use crate::model::{Known, Missing};

/// What stands where a producer keeps a value to itself. Compared without case and quotes.
const WITHHELD: &[&str] =
    &["__redacted__", "<redacted>", "[redacted]", "<masked>", "[masked]", "<elided>", "redacted-by-litellm"];

/// What ends a value that was cut.
const CUT: &[(&str, char)] = &[("[truncated", ']'), ("<truncated", '>'), ("...(truncated", ')')];

/// A value as sent, or why it is none: a redaction sentinel is withheld, a cut text is lost.
///
/// Absence is for the caller to say; the empty string is a value here.
pub fn known(raw: &str) -> Known<&str> {
    let bare = raw.trim().trim_matches('"');
    if WITHHELD.iter().any(|word| bare.eq_ignore_ascii_case(word)) {
        Known::Missing(Missing::Withheld)
    } else if is_cut(bare) {
        Known::Missing(Missing::Lost)
    } else {
        Known::Value(raw)
    }
}

/// Ends with a producer's mark of truncation, such as `...[TRUNCATED: original length 9000]`.
fn is_cut(text: &str) -> bool {
    let tail = &text[text.ceil_char_boundary(text.len().saturating_sub(64))..];
    let tail = tail.to_ascii_lowercase();
    CUT.iter().any(|(start, end)| {
        tail.strip_suffix(*end)
            .and_then(|rest| rest.rsplit_once(start))
            .is_some_and(|(_, between)| !between.contains(*end))
    })
}

/// A truth written as text, in any case.
pub fn truth_of(text: &str) -> Option<bool> {
    let word = text.trim();
    let is = |words: &[&str]| words.iter().any(|w| word.eq_ignore_ascii_case(w));
    if is(&["true", "1", "yes"]) {
        Some(true)
    } else if is(&["false", "0", "no"]) {
        Some(false)
    } else {
        None
    }
}

/// A finite number written as text.
pub fn number_of(text: &str) -> Option<f64> {
    text.trim().parse().ok().filter(|number: &f64| number.is_finite())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sentinels_are_not_values() {
        let withheld = || Known::Missing(Missing::Withheld);
        let lost = || Known::Missing(Missing::Lost);
        for (raw, want) in [
            ("__REDACTED__", withheld()),
            (" [REDACTED] ", withheld()),
            ("redacted-by-litellm", withheld()),
            ("\"<REDACTED>\"", withheld()),
            ("{\"a\": 1, \"b\": \"long...[TRUNCATED: original length 9000]", lost()),
            ("abc [truncated]", lost()),
            ("", Known::Value("")),
            ("{}", Known::Value("{}")),
            ("what does [REDACTED] mean?", Known::Value("what does [REDACTED] mean?")),
            ("[truncated] is a word in [brackets]", Known::Value("[truncated] is a word in [brackets]")),
        ] {
            assert_eq!(known(raw), want, "{raw}");
        }
    }

    #[test]
    fn truths_and_numbers_may_be_text() {
        for (text, want) in [("true", Some(true)), ("False", Some(false)), ("1", Some(true)), ("", None), ("ok", None)]
        {
            assert_eq!(truth_of(text), want, "{text}");
        }
        for (text, want) in [("12", Some(12.0)), (" 1.5", Some(1.5)), ("NaN", None), ("inf", None), ("12ms", None)] {
            assert_eq!(number_of(text), want, "{text}");
        }
    }
}
