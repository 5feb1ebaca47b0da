//! One list over many partitions, the newest event first.
//!
//! ```text
//! partitions   3  ▂▂███▌        by commit time; each has rows of other event times,
//!              2  ▂██████▌      mostly of its own hour
//!              1  ████▌
//!                 ◄────── end
//! ```
//!
//! Each partition is a lane that is read from its latest event down, a batch of keys at a time. The lane with the
//! latest next row goes first, so the lists of all are merged into one. What a lane may have next is known from its
//! spread before its file is opened: a page opens the few partitions that can have a row on it.
//!
//! *Bounds.* Every row that is looked at, every file that is opened and every row that SQL passed over counts as
//! effort. When that is used up the walk stops, and everything before where it stopped has been seen. It never stops
//! before it came further than its beginning, or a list would not end: at worst, where all partitions hold events of
//! one hour, a page looks once into each. At most [`AT_ONCE`](super::lookup::AT_ONCE) files are open at a time.

use std::collections::{BTreeSet, BinaryHeap, VecDeque};
use std::fmt;

use rusqlite::types::Value as Sql;

use crate::model::Action;

use super::error::{Doing, StoreError};
use super::lookup::{Open, Reader};
use super::partition;
use super::shelf::{Part, Shelf};
use super::sql::column;

/// Effort of one question, in rows that are looked at. About a second on a machine of today.
pub(super) const EFFORT: usize = 20_000;
/// Opening a file takes as long as looking at so many rows.
const OPENING: usize = 50;
/// SQL passes over so many rows while one is looked at.
const PASSED_OVER: u64 = 50;
/// Keys that are read at once.
const BATCH: usize = 200;

/// A place in a list, newest first: by the event's end as the store keeps it, then by id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Cursor {
    end: i64,
    id: [u8; 16],
}

impl Cursor {
    const START: Self = Self::first_at(i64::MAX);

    /// Where an action stands.
    pub fn of(action: &Action) -> Self {
        Self { end: column(action.end), id: action.id.0 }
    }

    /// Reads what it is written as.
    pub fn parse(text: &str) -> Option<Self> {
        let (end, id) = text.split_once('-')?;
        Some(Self { end: end.parse().ok().filter(|end| *end >= 0)?, id: const_hex::decode_to_array(id).ok()? })
    }

    /// The first place of all with this end.
    const fn first_at(end: i64) -> Self {
        Self { end, id: [0xff; 16] }
    }

    /// The place behind it. Nothing ended before 1970.
    fn next(self) -> Option<Self> {
        match u128::from_be_bytes(self.id).checked_sub(1) {
            Some(id) => Some(Self { end: self.end, id: id.to_be_bytes() }),
            None => (self.end > 0).then(|| Self::first_at(self.end - 1)),
        }
    }
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.end, const_hex::encode(self.id))
    }
}

/// A table that can be listed.
#[derive(Debug, Clone, Copy)]
pub(super) struct Table {
    pub name: &'static str,
    /// Its column with the event's end.
    pub end: &'static str,
    /// How an id of it stands among the aliases.
    pub alias: fn([u8; 16]) -> String,
}

/// Conditions on a table, and their values.
#[derive(Debug, Clone, Default)]
pub(super) struct Conditions {
    pub sql: String,
    pub values: Vec<Sql>,
    /// One that only partitions with rules in their rows know, and its values: after the others.
    pub on_rules: (String, Vec<Sql>),
    /// Nothing that ended earlier is asked for.
    pub since: Option<i64>,
    /// Nothing that ended later is asked for.
    pub until: Option<i64>,
}

/// The rest of one partition.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Lane {
    /// Nothing of it stands before this place.
    top: Cursor,
    /// Which partition of the shelf.
    index: usize,
    /// Rows that were read ahead: place and number.
    ahead: VecDeque<(Cursor, i64)>,
    /// There may be rows behind those.
    more: bool,
}

/// A list on its way down.
pub(super) struct Walk<'a> {
    table: Table,
    conditions: &'a Conditions,
    /// What is shown from elsewhere.
    except: &'a BTreeSet<[u8; 16]>,
    open: Open<'a>,
    shelf: &'a Shelf,
    begin: Cursor,
    lanes: BinaryHeap<Lane>,
    /// The last row that was looked at.
    passed: Option<Cursor>,
    effort: usize,
    spent: usize,
    tired: bool,
}

impl<'a> Walk<'a> {
    /// A list from a place on.
    pub fn new(
        reader: &'a Reader,
        shelf: &'a Shelf,
        table: Table,
        conditions: &'a Conditions,
        except: &'a BTreeSet<[u8; 16]>,
        from: Option<Cursor>,
    ) -> Self {
        let latest = Cursor::first_at(conditions.until.unwrap_or(i64::MAX));
        let begin = from.unwrap_or(Cursor::START).min(latest);
        let lane = |(index, part): (usize, &Part)| {
            let end = part.latest(begin.end).filter(|end| conditions.since.is_none_or(|since| *end >= since))?;
            Some(Lane { top: begin.min(Cursor::first_at(end)), index, ahead: VecDeque::new(), more: true })
        };
        let lanes = shelf.parts.iter().enumerate().filter_map(lane).collect();
        let (open, effort) = (Open::new(reader, shelf), reader.effort);
        Self { table, conditions, except, open, shelf, begin, lanes, passed: None, effort, spent: 0, tired: false }
    }

    /// The record of the next row that the conditions choose and that nothing later replaces. `None` at the end, or
    /// when the effort is used up.
    pub fn next(&mut self) -> Result<Option<Vec<u8>>, StoreError> {
        while let Some(mut lane) = self.lanes.pop() {
            if self.spent + self.open.opened_files() * OPENING >= self.effort && lane.top < self.begin {
                self.tired = true;
                self.lanes.push(lane);
                return Ok(None);
            }
            let Some((place, row)) = lane.ahead.pop_front() else {
                self.read_ahead(&mut lane)?;
                self.go_on(lane, None);
                continue;
            };
            let index = lane.index;
            self.go_on(lane, place.next());
            self.spent += 1;
            // An older revision in another partition may stand at the very place; the newest partition came first.
            let again = self.passed.replace(place) == Some(place);
            if again || self.except.contains(&place.id) || self.is_replaced(place, index)? {
                continue;
            }
            let found = self.open.record(index, self.table.name, row)?;
            if found.is_some() {
                return Ok(found);
            }
        }
        Ok(None)
    }

    /// Puts a lane back where its next row is; `behind` is the place of the one that may have to be read first.
    fn go_on(&mut self, mut lane: Lane, behind: Option<Cursor>) {
        let ahead = lane.ahead.front().map(|(place, _)| *place);
        if let Some(top) = ahead.or(behind.filter(|_| lane.more)) {
            lane.top = top;
            self.lanes.push(lane);
        }
    }

    /// Where the rest of the list begins; `None` at its end.
    pub fn rest(&self) -> Option<Cursor> {
        let top = self.lanes.peek()?.top;
        match self.passed {
            Some(passed) => Some(top.min(passed.next()?)),
            None => Some(top),
        }
    }

    /// Whether it stopped because its effort was used up.
    pub fn is_tired(&self) -> bool {
        self.tired
    }

    fn is_replaced(&mut self, place: Cursor, index: usize) -> Result<bool, StoreError> {
        let alias = (self.table.alias)(place.id);
        self.open.is_in_newer(self.table.name, &alias, &place.id, index)
    }

    /// Reads the next keys of a partition.
    fn read_ahead(&mut self, lane: &mut Lane) -> Result<(), StoreError> {
        lane.more = false;
        let applied = self.shelf.applied;
        if let Some(db) = self.open.part(lane.index)? {
            lane.ahead = self.conditions.keys(db, self.table, lane.top, applied).doing("read a list")?;
            lane.more = lane.ahead.len() == BATCH;
        }
        if !lane.more {
            let rows = self.shelf.parts.get(lane.index).map_or(0, |part| part.actions);
            self.spent += usize::try_from(rows / PASSED_OVER).unwrap_or(usize::MAX);
        }
        Ok(())
    }
}

impl Conditions {
    /// Adds one with one value, when there is one. `?` stands for it.
    pub fn when<T>(mut self, sql: &str, value: Option<T>, as_sql: impl FnOnce(T) -> Sql) -> Self {
        if let Some(value) = value {
            self.sql += &format!(" AND {sql}");
            self.values.push(as_sql(value));
        }
        self
    }

    /// The keys of the next rows from a place on. The latest revision of one table comes last in it.
    fn keys(
        &self,
        db: &rusqlite::Connection,
        table: Table,
        from: Cursor,
        applied: u64,
    ) -> rusqlite::Result<VecDeque<(Cursor, i64)>> {
        let Table { name, end, .. } = table;
        let (on_rules, values_on_rules) = match &self.on_rules {
            (sql, values) if !sql.is_empty() && partition::knows_rules(db) => (&sql[..], &values[..]),
            _ => ("", &[][..]),
        };
        let mut select = db.prepare_cached(&format!(
            "SELECT {end}, id, row FROM {name} AS it WHERE ({end}, id) <= (?, ?) AND position <= ?
             AND NOT EXISTS (SELECT 1 FROM {name} AS later WHERE later.id = it.id AND later.row > it.row
                             AND later.position <= ?)
             {}{on_rules} ORDER BY {end} DESC, id DESC LIMIT {BATCH}",
            self.sql
        ))?;
        let applied = Sql::from(applied.cast_signed());
        let fixed = [Sql::from(from.end), Sql::from(from.id.to_vec()), applied.clone(), applied];
        let values = rusqlite::params_from_iter(fixed.iter().chain(&self.values).chain(values_on_rules));
        select.query_map(values, |row| Ok((Cursor { end: row.get(0)?, id: row.get(1)? }, row.get(2)?)))?.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_follow_each_other_down_to_the_last() {
        let place = |end, id| Cursor { end, id: [id; 16] };
        assert_eq!(place(7, 0).next(), Some(place(6, 0xff)));
        assert_eq!(place(0, 0).next(), None);
        for at in [Cursor::START, place(0, 1), place(i64::MAX, 0)] {
            assert!(at.next().is_some_and(|next| next < at && Cursor::parse(&next.to_string()) == Some(next)));
        }
    }
}
