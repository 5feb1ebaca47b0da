//! Lists, newest first by the time of the event: actions at their latest revision, and findings in their latest state.
//! A page is bounded in rows and in work; its cursor goes on where it stopped.

use std::collections::BTreeSet;
use std::sync::Arc;

use rusqlite::types::Value as Sql;

use crate::engine::FindingEvent;
use crate::model::{
    Action, ActionId, Finding, FindingId, FindingState, Known, Nanos, Severity, Sli, Tenant, Text, Value,
};
use crate::proto::records as v1;

use super::convert::decode;
use super::error::{In, StoreError};
use super::lookup::Reader;
use super::partition::rule_line;
use super::sql::column;
use super::walk::{Conditions, Cursor, Table, Walk};

/// Rows on one page, at most.
const PAGE: usize = 1_000;

/// Which actions. What is not set does not restrict.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ActionFilter {
    /// Whose.
    pub tenant: Option<Tenant>,
    /// Agent, as in the label.
    pub agent: Option<Arc<str>>,
    /// Tool, as in the label.
    pub tool: Option<Arc<str>>,
    /// State, as in the label.
    pub state: Option<Arc<str>>,
    /// With this verdict.
    pub verdict: Option<(Sli, Value)>,
    /// With an open finding.
    pub open_findings: bool,
    /// With an open finding of this rule.
    pub rule: Option<Arc<str>>,
    /// With an open finding at least this loud; when a rule is named too, of that rule.
    pub severity: Option<Severity>,
    /// Ended at or after this, as sent.
    pub since: Option<Nanos>,
    /// Ended before this, as sent.
    pub until: Option<Nanos>,
    /// With this text in agent, tool, target, call id, parameters or output, as far as the row keeps them; letters
    /// of either case are the same.
    pub text: Option<Arc<str>>,
}

/// Which findings. What is not set does not restrict.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FindingFilter {
    /// Whose.
    pub tenant: Option<Tenant>,
    /// The rule.
    pub rule: Option<Arc<str>>,
    /// How loud.
    pub severity: Option<Severity>,
    /// Only open ones.
    pub open: bool,
    /// About actions that ended at or after this, as sent.
    pub since: Option<Nanos>,
}

/// A part of a list.
#[derive(Debug, Clone, PartialEq)]
pub struct Page<T> {
    /// In the order of the list.
    pub items: Vec<T>,
    /// Where the next page begins; `None` at the end of the list.
    pub next: Option<Cursor>,
    /// False: the search stopped for its effort before the page was full. Everything before `next` was looked at.
    pub complete: bool,
}

const ACTIONS: Table = Table { name: "actions", end: "end", alias: |id| ActionId(id).to_string() };
const FINDINGS: Table = Table { name: "findings", end: "at", alias: |id| FindingId(id).to_string() };

impl Reader {
    /// Actions, each at its latest revision; tombstones are left out. At most 1,000 a page. `from` is [`Page::next`]
    /// of the page before. Those in `except` are left out.
    pub fn actions(
        &self,
        filter: &ActionFilter,
        limit: usize,
        from: Option<Cursor>,
        except: &BTreeSet<ActionId>,
    ) -> Result<Page<Action>, StoreError> {
        let except = except.iter().map(|id| id.0).collect();
        self.list(ACTIONS, &filter.conditions(), limit, from, &except, |record| {
            let action: Action = decode::<v1::Action, _>(record).of_table("actions")?;
            Ok(filter.asks_for(&action).then_some(action))
        })
    }

    /// Findings in their latest state. At most 1,000 a page.
    pub fn findings(
        &self,
        filter: &FindingFilter,
        limit: usize,
        from: Option<Cursor>,
    ) -> Result<Page<FindingEvent>, StoreError> {
        self.list(FINDINGS, &filter.conditions(), limit, from, &BTreeSet::new(), |record| {
            decode::<v1::FindingEvent, _>(record).of_table("findings").map(Some)
        })
    }

    /// A page of a table. `keep` says what becomes of a row that the conditions chose.
    fn list<T>(
        &self,
        table: Table,
        conditions: &Conditions,
        limit: usize,
        from: Option<Cursor>,
        except: &BTreeSet<[u8; 16]>,
        keep: impl Fn(&[u8]) -> Result<Option<T>, StoreError>,
    ) -> Result<Page<T>, StoreError> {
        let limit = limit.clamp(1, PAGE);
        let shelf = self.shelf()?;
        let mut walk = Walk::new(self, &shelf, table, conditions, except, from);
        let mut items = Vec::new();
        while items.len() < limit
            && let Some(record) = walk.next()?
        {
            items.extend(keep(&record)?);
        }
        Ok(Page { items, next: walk.rest(), complete: !walk.is_tired() })
    }
}

impl ActionFilter {
    /// Whether an action is asked for. This is what a filter means; SQL only spares looking at most of the others.
    pub fn asks_for(&self, action: &Action) -> bool {
        let is = |wanted: &Option<Arc<str>>, found: &str| wanted.as_deref().is_none_or(|wanted| wanted == found);
        let any_finding = self.open_findings || self.rule.is_some() || self.severity.is_some();
        action.merged_into.is_none()
            && !action.marks.merged
            && self.tenant.as_ref().is_none_or(|tenant| *tenant == action.tenant)
            && is(&self.agent, action.agent_label())
            && is(&self.tool, action.tool_label())
            && is(&self.state, action.state.as_str())
            && self.verdict.is_none_or(|(sli, value)| action.verdict(sli).is_some_and(|verdict| verdict.value == value))
            && (!any_finding || action.findings.iter().any(|finding| self.is_about(finding)))
            && self.since.is_none_or(|since| action.end >= since)
            && self.until.is_none_or(|until| action.end < until)
            && self.text.as_ref().is_none_or(|text| mentions(action, &text.to_lowercase()))
    }

    fn is_about(&self, finding: &Finding) -> bool {
        finding.state == FindingState::Open
            && self.rule.as_ref().is_none_or(|rule| *rule == finding.rule)
            && self.severity.is_none_or(|severity| finding.severity >= severity)
    }

    /// What SQL can tell: a row that is asked for always fulfils them.
    fn conditions(&self) -> Conditions {
        let text = |text: &Arc<str>| Sql::from(text.to_string());
        let (since, until) = (self.since.map(column), self.until.map(column));
        let any_finding = self.open_findings || self.rule.is_some() || self.severity.is_some();
        let begins = if any_finding { " AND merged = 0 AND findings > 0" } else { " AND merged = 0" };
        Conditions { sql: begins.into(), on_rules: self.on_rules(), since, until, ..Conditions::default() }
            .when("tenant = ?", self.tenant.as_ref(), |tenant| Sql::from(tenant.as_str().to_owned()))
            .when("agent = ?", self.agent.as_ref(), text)
            .when("tool = ?", self.tool.as_ref(), text)
            .when("state = ?", self.state.as_ref(), text)
            .when("instr(verdicts, ?) > 0", self.verdict, |(sli, value)| Sql::from(format!(" {sli}={value} ")))
            .when("end >= ?", since, Sql::from)
    }

    /// One of the lines of `rules` is asked for. Rows of the first version have none.
    fn on_rules(&self) -> (String, Vec<Sql>) {
        if self.rule.is_none() && self.severity.is_none() {
            return Default::default();
        }
        let loud = Severity::ALL.iter().filter(|severity| self.severity.is_none_or(|least| **severity >= least));
        let lines: Vec<Sql> =
            loud.map(|severity| Sql::from(format!("\n{}", rule_line(*severity, self.rule.as_deref())))).collect();
        (format!(" AND (rules IS NULL{})", " OR instr(rules, ?) > 0".repeat(lines.len())), lines)
    }
}

impl FindingFilter {
    fn conditions(&self) -> Conditions {
        let since = self.since.map(column);
        Conditions { since, ..Conditions::default() }
            .when("tenant = ?", self.tenant.as_ref(), |tenant| Sql::from(tenant.as_str().to_owned()))
            .when("rule = ?", self.rule.as_ref(), |rule| Sql::from(rule.to_string()))
            .when("severity = ?", self.severity, |severity| Sql::from(severity.as_str().to_owned()))
            .when("open = ?", self.open.then_some(1), Sql::from)
            .when("at >= ?", since, Sql::from)
    }
}

/// Whether an action's row has a text, given in lower case.
fn mentions(action: &Action, text: &str) -> bool {
    let head = |known: &Known<Text>| known.value().map(|text| text.head.clone());
    let places = [
        Some(action.agent_label().into()),
        Some(action.tool_label().into()),
        action.target.value().map(|(target, _)| target.clone()),
        action.call_id.clone(),
        head(&action.arguments),
        head(&action.output),
    ];
    places.into_iter().flatten().any(|place: Arc<str>| place.to_lowercase().contains(text))
}
