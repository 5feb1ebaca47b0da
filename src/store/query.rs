//! Lists, newest first: actions at their latest revision, and findings in their latest state. A page is bounded in
//! rows and in work; its cursor goes on where it stopped.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use rusqlite::types::Value as Sql;

use crate::engine::FindingEvent;
use crate::model::{Action, ActionId, FindingId, Known, Nanos, Severity, Sli, Tenant, Text, Value};
use crate::proto::records as v1;

use super::convert::decode;
use super::error::{Doing, In, StoreError};
use super::lookup::{Open, Reader};
use super::sql::column;

/// Rows on one page, at most.
const PAGE: usize = 1_000;
/// Rows that one query looks at after SQL has chosen them.
const EFFORT: usize = 20_000;
/// Rows that are read at once.
const BATCH: usize = 200;

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
    /// In the order of the list. May be empty although there is a next page: the query looked far enough.
    pub items: Vec<T>,
    /// Where the next page begins; `None` at the end of the list.
    pub next: Option<String>,
}

/// Where a page begins: before this row of this partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Cursor {
    part: i64,
    row: i64,
}

impl Cursor {
    const START: Self = Self { part: i64::MAX, row: i64::MAX };
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.part, self.row)
    }
}

impl FromStr for Cursor {
    type Err = StoreError;

    fn from_str(text: &str) -> Result<Self, StoreError> {
        let read = || {
            let (part, row) = text.split_once('.')?;
            Some(Self { part: part.parse().ok()?, row: row.parse().ok()? })
        };
        read().ok_or_else(|| StoreError::Cursor { cursor: text.to_owned() })
    }
}

impl Reader {
    /// Actions, the latest published first, each at its latest revision; tombstones are left out. At most 1,000 a
    /// page. `cursor` is [`Page::next`] of the page before.
    pub fn actions(
        &self,
        filter: &ActionFilter,
        limit: usize,
        cursor: Option<&str>,
    ) -> Result<Page<Action>, StoreError> {
        let text = filter.text.as_ref().map(|text| text.to_lowercase());
        self.list("actions", &filter.conditions(), limit, cursor, |open, index, id, record| {
            if open.is_in_newer("actions", &ActionId(id).to_string(), &id, index)? {
                return Ok(None);
            }
            let action: Action = decode::<v1::Action, _>(record).of_table("actions")?;
            let wanted = text.as_ref().is_none_or(|text| mentions(&action, text));
            Ok(wanted.then_some(action))
        })
    }

    /// Findings in their latest state, the latest first. At most 1,000 a page.
    pub fn findings(
        &self,
        filter: &FindingFilter,
        limit: usize,
        cursor: Option<&str>,
    ) -> Result<Page<FindingEvent>, StoreError> {
        self.list("findings", &filter.conditions(), limit, cursor, |open, index, id, record| {
            if open.is_in_newer("findings", &FindingId(id).to_string(), &id, index)? {
                return Ok(None);
            }
            decode::<v1::FindingEvent, _>(record).of_table("findings").map(Some)
        })
    }

    /// Walks a table from the newest row to the oldest. `keep` says what becomes of a row that the conditions chose.
    fn list<T>(
        &self,
        table: &str,
        conditions: &Conditions,
        limit: usize,
        cursor: Option<&str>,
        mut keep: impl FnMut(&mut Open<'_>, usize, [u8; 16], &[u8]) -> Result<Option<T>, StoreError>,
    ) -> Result<Page<T>, StoreError> {
        let start = cursor.map_or(Ok(Cursor::START), Cursor::from_str)?;
        let limit = limit.clamp(1, PAGE);
        let shelf = self.shelf()?;
        let mut open = Open::new(self, &shelf);
        let mut items = Vec::new();
        let mut effort = EFFORT;
        for (index, part) in shelf.parts.iter().enumerate().rev().filter(|(_, part)| part.number <= start.part) {
            let mut before = if part.number == start.part { start.row } else { i64::MAX };
            loop {
                let Some(db) = open.part(index)? else {
                    break;
                };
                let rows = conditions.rows(db, table, before, shelf.applied).doing("read a list")?;
                let last = rows.len() < BATCH;
                for (row, id, record) in rows {
                    before = row;
                    effort -= 1;
                    items.extend(keep(&mut open, index, id, &record)?);
                    if items.len() == limit || effort == 0 {
                        let next = Cursor { part: part.number, row: before };
                        return Ok(Page { items, next: Some(next.to_string()) });
                    }
                }
                if last {
                    break;
                }
            }
        }
        Ok(Page { items, next: None })
    }
}

/// Conditions on a table, and their values.
#[derive(Debug, Default)]
struct Conditions {
    sql: String,
    values: Vec<Sql>,
}

type Row = (i64, [u8; 16], Vec<u8>);

impl Conditions {
    fn when<T>(mut self, sql: &str, value: Option<T>, as_sql: impl FnOnce(T) -> Sql) -> Self {
        if let Some(value) = value {
            self.values.push(as_sql(value));
            self.sql += &format!(" AND {}", sql.replace('?', &format!("?{}", self.values.len() + 2)));
        }
        self
    }

    fn rows(&self, db: &rusqlite::Connection, table: &str, before: i64, applied: u64) -> rusqlite::Result<Vec<Row>> {
        // The latest revision of one table comes last in it.
        let mut select = db.prepare_cached(&format!(
            "SELECT row, id, record FROM {table} AS it WHERE row < ?1 AND position <= ?2 {}
             AND NOT EXISTS (SELECT 1 FROM {table} AS later WHERE later.id = it.id AND later.row > it.row
                             AND later.position <= ?2)
             ORDER BY row DESC LIMIT {BATCH}",
            self.sql
        ))?;
        let fixed = [Sql::from(before), Sql::from(applied.cast_signed())];
        let values = rusqlite::params_from_iter(fixed.iter().chain(&self.values));
        select.query_map(values, |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?.collect()
    }
}

impl ActionFilter {
    fn conditions(&self) -> Conditions {
        let text = |text: &Arc<str>| Sql::from(text.to_string());
        let time = |at: Nanos| Sql::from(column(at));
        Conditions { sql: " AND merged = 0".into(), values: Vec::new() }
            .when("tenant = ?", self.tenant.as_ref(), |tenant| Sql::from(tenant.as_str().to_owned()))
            .when("agent = ?", self.agent.as_ref(), text)
            .when("tool = ?", self.tool.as_ref(), text)
            .when("state = ?", self.state.as_ref(), text)
            .when("instr(verdicts, ?) > 0", self.verdict, |(sli, value)| Sql::from(format!(" {sli}={value} ")))
            .when("findings >= ?", self.open_findings.then_some(1), Sql::from)
            .when("end >= ?", self.since, time)
            .when("end < ?", self.until, time)
    }
}

impl FindingFilter {
    fn conditions(&self) -> Conditions {
        Conditions::default()
            .when("tenant = ?", self.tenant.as_ref(), |tenant| Sql::from(tenant.as_str().to_owned()))
            .when("rule = ?", self.rule.as_ref(), |rule| Sql::from(rule.to_string()))
            .when("severity = ?", self.severity, |severity| Sql::from(severity.as_str().to_owned()))
            .when("open = ?", self.open.then_some(1), Sql::from)
            .when("at >= ?", self.since, |at| Sql::from(column(at)))
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
