//! What to list, as query parameters, and the page that comes back.

use serde::{Deserialize, Serialize};

use crate::model::{Action, Nanos, Severity, Sli, State, Tenant, Value};
use crate::store::{ActionFilter, Cursor};

use super::Problem;

/// How many actions a page has at most.
pub const MOST: usize = 1000;

/// Which actions, and which page of them.
#[derive(Debug, Clone, PartialEq)]
pub struct Filter {
    /// Which. An absent field asks for nothing.
    pub which: ActionFilter,
    /// Only settled, or only open ones.
    pub settled: Option<bool>,
    /// How many.
    pub limit: usize,
    /// Where the page begins; absent, at the newest.
    pub from: Option<Cursor>,
}

impl Default for Filter {
    fn default() -> Self {
        Self { which: ActionFilter::default(), settled: None, limit: 50, from: None }
    }
}

/// Actions and where to go on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Page {
    /// Newest first by the time they ended, as sent; of equal times the greater id first.
    pub actions: Vec<Action>,
    /// Give this as `cursor` for the next page; absent on the last.
    pub next: Option<String>,
    /// False: there may be more than this page shows of its stretch of time. With `next`, the search stopped there
    /// because it had looked at enough, and everything before that is shown; without, more actions are open than one
    /// question looks at.
    pub complete: bool,
}

impl Filter {
    /// Reads query parameters.
    ///
    /// # Errors
    /// An unknown parameter or a value that does not fit, in a sentence.
    pub fn parse(given: &[(String, String)]) -> Result<Self, Problem> {
        let mut filter = Self::default();
        let (mut sli, mut value) = (None, None);
        for (name, text) in given {
            let wrong = || Problem::bad_request(&format!("`{text}` does not fit `{name}`"));
            let which = &mut filter.which;
            match name.as_str() {
                "tenant" => which.tenant = Some(Tenant::new(text)),
                "agent" => which.agent = Some(text.as_str().into()),
                "tool" => which.tool = Some(text.as_str().into()),
                "state" => which.state = Some(state(text)?.into()),
                "sli" => sli = Some(Sli::from_word(text).ok_or_else(wrong)?),
                "verdict" => value = Some(Value::from_word(text).ok_or_else(wrong)?),
                "finding" if text == "open" => which.open_findings = true,
                "rule" => which.rule = Some(text.as_str().into()),
                "severity" => which.severity = Some(Severity::from_word(text).ok_or_else(wrong)?),
                "since" => which.since = Some(time(text).ok_or_else(wrong)?),
                "until" => which.until = Some(time(text).ok_or_else(wrong)?),
                "settled" => filter.settled = Some(text.parse().map_err(|_| wrong())?),
                "limit" => {
                    filter.limit = text.parse().ok().filter(|limit| (1..=MOST).contains(limit)).ok_or_else(wrong)?
                }
                "cursor" => filter.from = Some(Cursor::parse(text).ok_or_else(wrong)?),
                _ => return Err(Problem::bad_request(&format!("`{name}` is no parameter of this list"))),
            }
        }
        filter.which.verdict = match (sli, value) {
            (Some(sli), Some(value)) => Some((sli, value)),
            (None, None) => None,
            _ => return Err(Problem::bad_request("`sli` and `verdict` go together")),
        };
        Ok(filter)
    }
}

/// A state's word. A misspelt one would list nothing, which looks like an answer.
fn state(text: &str) -> Result<&str, Problem> {
    if State::WORDS.contains(&text) {
        return Ok(text);
    }
    Err(Problem::bad_request(&format!("`{text}` is no state: {}", State::WORDS.join(", "))))
}

/// RFC 3339, or Unix seconds.
fn time(text: &str) -> Option<Nanos> {
    if let Ok(seconds) = text.parse::<u64>() {
        return Some(Nanos(seconds.checked_mul(1_000_000_000)?));
    }
    let at: jiff::Timestamp = text.parse().ok()?;
    u64::try_from(at.as_nanosecond()).ok().map(Nanos)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(query: &[(&str, &str)]) -> Result<Filter, Problem> {
        let given: Vec<_> = query.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect();
        Filter::parse(&given)
    }

    #[test]
    fn parameters_are_read_strictly() {
        let filter = parse(&[("agent", "a"), ("sli", "intent_alignment"), ("verdict", "bad"), ("limit", "7")]).unwrap();
        assert_eq!(filter.which.verdict, Some((Sli::IntentAlignment, Value::Bad)));
        assert_eq!(filter.limit, 7);
        assert_eq!(
            parse(&[("since", "2026-11-20T06:33:13Z")]).unwrap().which.since,
            Some(Nanos(1_795_156_393_000_000_000))
        );
        for wrong in [
            &[("agnt", "a")][..],
            &[("sli", "intent_alignment")],
            &[("verdict", "bad")],
            &[("sli", "nothing"), ("verdict", "bad")],
            &[("limit", "0")],
            &[("limit", "100000")],
            &[("finding", "closed")],
            &[("cursor", "12")],
            &[("cursor", "12-ab")],
            &[("cursor", "-1-000102030405060708090a0b0c0d0e0f")],
            &[("state", "exceuted")],
            &[("since", "yesterday")],
        ] {
            assert!(parse(wrong).is_err(), "{wrong:?}");
        }
    }
}
