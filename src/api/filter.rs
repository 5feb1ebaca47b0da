//! What to list, as query parameters, and the page that comes back.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::model::{Action, ActionId, Nanos, Severity, Sli, Tenant, Value};
use crate::store::ActionFilter;

use super::Problem;

/// How many actions a page has at most.
const MOST: usize = 1000;

/// Which actions. An absent field asks for nothing.
#[derive(Debug, Clone, PartialEq)]
pub struct Filter {
    /// Whose.
    pub tenant: Option<Tenant>,
    /// The agent's name.
    pub agent: Option<String>,
    /// The tool's name.
    pub tool: Option<String>,
    /// The state's word.
    pub state: Option<String>,
    /// A verdict of one SLI.
    pub verdict: Option<(Sli, Value)>,
    /// Only actions with a finding.
    pub finding: bool,
    /// With a finding at least this loud.
    pub severity: Option<Severity>,
    /// Only settled, or only open ones.
    pub settled: Option<bool>,
    /// Ended at or after.
    pub since: Option<Nanos>,
    /// Ended before.
    pub until: Option<Nanos>,
    /// How many.
    pub limit: usize,
    /// With an open finding of this rule.
    pub rule: Option<String>,
    /// Where the page before ended.
    pub from: From,
}

/// Where a page begins.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum From {
    /// At the newest.
    #[default]
    Start,
    /// Among what is in memory: after this one.
    Memory(Nanos, ActionId),
    /// In the store, at its own cursor.
    Store(String),
}

impl Default for Filter {
    fn default() -> Self {
        Self {
            tenant: None,
            agent: None,
            tool: None,
            state: None,
            verdict: None,
            finding: false,
            severity: None,
            settled: None,
            since: None,
            until: None,
            limit: 50,
            rule: None,
            from: From::Start,
        }
    }
}

/// Actions and where to go on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Page {
    /// Newest first.
    pub actions: Vec<Action>,
    /// Give this as `cursor` for the next page; absent on the last.
    pub next: Option<String>,
}

impl Filter {
    /// Reads query parameters.
    ///
    /// # Errors
    /// An unknown parameter or a value that does not fit, in a sentence.
    pub fn parse(given: &[(String, String)]) -> Result<Self, Problem> {
        let mut filter = Self::default();
        let mut sli = None;
        let mut value = None;
        for (name, text) in given {
            let wrong = || Problem::bad_request(&format!("`{text}` does not fit `{name}`"));
            match name.as_str() {
                "tenant" => filter.tenant = Some(Tenant::new(text)),
                "agent" => filter.agent = Some(text.clone()),
                "tool" => filter.tool = Some(text.clone()),
                "state" => filter.state = Some(text.clone()),
                "sli" => sli = Some(Sli::from_word(text).ok_or_else(wrong)?),
                "verdict" => value = Some(Value::from_word(text).ok_or_else(wrong)?),
                "finding" if text == "open" => filter.finding = true,
                "severity" => filter.severity = Some(Severity::from_word(text).ok_or_else(wrong)?),
                "settled" => filter.settled = Some(text.parse().map_err(|_| wrong())?),
                "since" => filter.since = Some(time(text).ok_or_else(wrong)?),
                "until" => filter.until = Some(time(text).ok_or_else(wrong)?),
                "limit" => {
                    filter.limit = text.parse().ok().filter(|limit| (1..=MOST).contains(limit)).ok_or_else(wrong)?
                }
                "rule" => filter.rule = Some(text.clone()),
                "cursor" => filter.from = cursor(text).ok_or_else(wrong)?,
                _ => return Err(Problem::bad_request(&format!("`{name}` is no parameter of this list"))),
            }
        }
        filter.verdict = match (sli, value) {
            (Some(sli), Some(value)) => Some((sli, value)),
            (None, None) => None,
            _ => return Err(Problem::bad_request("`sli` and `verdict` go together")),
        };
        Ok(filter)
    }

    /// Whether an action is asked for, the page's end apart.
    pub fn asks_for(&self, action: &Action) -> bool {
        let is = |wanted: &Option<String>, found: &str| wanted.as_deref().is_none_or(|wanted| wanted == found);
        let loud = |severity| action.findings.iter().any(|finding| finding.severity >= severity);
        action.merged_into.is_none()
            && !action.marks.merged
            && self.tenant.as_ref().is_none_or(|tenant| *tenant == action.tenant)
            && is(&self.agent, action.agent_label())
            && is(&self.tool, action.tool_label())
            && is(&self.state, action.state.as_str())
            && self.verdict.is_none_or(|(sli, value)| action.verdict(sli).is_some_and(|verdict| verdict.value == value))
            && (!self.finding || !action.findings.is_empty())
            && self.rule.as_ref().is_none_or(|rule| action.findings.iter().any(|finding| *finding.rule == **rule))
            && self.severity.is_none_or(loud)
            && self.since.is_none_or(|since| action.end >= since)
            && self.until.is_none_or(|until| action.end < until)
    }

    /// The same question for the store, which knows nothing of what is in memory.
    pub fn query(&self) -> ActionFilter {
        ActionFilter {
            tenant: self.tenant.clone(),
            agent: self.agent.as_deref().map(Arc::from),
            tool: self.tool.as_deref().map(Arc::from),
            state: self.state.as_deref().map(Arc::from),
            verdict: self.verdict,
            open_findings: self.finding || self.rule.is_some() || self.severity.is_some(),
            since: self.since,
            until: self.until,
            text: None,
        }
    }
}

/// The cursor of what comes after an action of memory.
pub fn after(action: &Action) -> String {
    format!("m{}-{}", action.end.0, action.id)
}

/// The cursor of a page of the store.
pub fn in_store(cursor: &str) -> String {
    format!("s{cursor}")
}

/// What [`after`] or [`in_store`] wrote.
fn cursor(text: &str) -> Option<From> {
    if let Some(cursor) = text.strip_prefix('s') {
        return Some(From::Store(cursor.to_owned()));
    }
    let (end, id) = text.strip_prefix('m')?.split_once('-')?;
    Some(From::Memory(Nanos(end.parse().ok()?), ActionId::from_hex(id)?))
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
        assert_eq!(filter.verdict, Some((Sli::IntentAlignment, Value::Bad)));
        assert_eq!(filter.limit, 7);
        assert_eq!(parse(&[("since", "2026-11-20T06:33:13Z")]).unwrap().since, Some(Nanos(1_795_156_393_000_000_000)));
        for wrong in [
            &[("agnt", "a")][..],
            &[("sli", "intent_alignment")],
            &[("verdict", "bad")],
            &[("sli", "nothing"), ("verdict", "bad")],
            &[("limit", "0")],
            &[("limit", "100000")],
            &[("finding", "closed")],
            &[("cursor", "12")],
            &[("since", "yesterday")],
        ] {
            assert!(parse(wrong).is_err(), "{wrong:?}");
        }
    }
}
