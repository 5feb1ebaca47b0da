//! Reading: by alias, by id, by digest. A reader has connections of its own and never waits for the writer; it sees
//! what is committed. Queries are bounded, whatever is asked.

use std::collections::BTreeSet;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rusqlite::{Connection, OptionalExtension, params};

use crate::engine::Checkpoint;
use crate::engine::parts::{Cell, Incident, LedgerKey};
use crate::model::{Action, ActionId, Digest, Nanos, Tenant, Turn, TurnId};
use crate::proto::records as v1;

use super::aliases;
use super::convert::decode;
use super::error::{Doing, In, StoreError};
use super::partition::{self, Kind};
use super::shelf::{Part, Shared, Shelf, Shown};
use super::walk::EFFORT;
use super::{partitions, sql, state};

/// How many actions one lookup gives.
const FOUND: usize = 1_000;
/// Partitions that are looked into for the beginning of an id, the newest first: half a second of work.
const LOOKED_INTO: usize = 2_000;
/// Files of partitions that one query has open at a time. Several questions and the writer share what a process may.
pub(super) const AT_ONCE: usize = 8;
/// How many tombstones in a row are followed.
const MERGES: usize = 16;

/// Reads what is committed. May be used from several threads; they take turns with the engine's rows only.
#[derive(Debug)]
pub struct Reader {
    dir: PathBuf,
    /// What the writer shows; without a writer in this process, state.db's list.
    shown: Option<Shown>,
    /// What the engine may ask for; without it, anything.
    pub(super) names: Option<Shared>,
    /// How much one list may do (`walk`).
    pub(super) effort: usize,
    state: Mutex<Connection>,
}

impl Reader {
    /// Opens a store to read. Another process may be writing to it.
    pub fn open(dir: &Path) -> Result<Self, StoreError> {
        let state = sql::open_to_read(&dir.join("state.db"), false)?;
        Ok(Self { dir: dir.to_owned(), shown: None, names: None, effort: EFFORT, state: Mutex::new(state) })
    }

    pub(super) fn live(dir: &Path, shown: Shown, names: Shared) -> Result<Self, StoreError> {
        Ok(Self { shown: Some(shown), names: Some(names), ..Self::open(dir)? })
    }

    /// The actions of an alias: an action's id or key as printed, `trace/span`, a trace id, a span id, a call id, a
    /// finding's id, a turn's id, a conversation's id. Each at its latest revision, at most 1,000, by id; a
    /// tombstone is followed to the action it was merged into.
    pub fn lookup(&self, alias: &str) -> Result<Vec<Action>, StoreError> {
        self.lookup_of(None, alias)
    }

    /// The same of one tenant alone, however many actions of others share the alias.
    pub fn lookup_of(&self, tenant: Option<&Tenant>, alias: &str) -> Result<Vec<Action>, StoreError> {
        let shelf = self.shelf()?;
        let mut open = Open::new(self, &shelf);
        open.tenant = tenant;
        let mut found = BTreeSet::new();
        let lower = alias.to_ascii_lowercase();
        for alias in BTreeSet::from([alias, &lower]) {
            found.extend(open.actions_of(alias)?);
            for turn in open.turns_of(alias)? {
                found.extend(open.actions_of(&turn.to_string())?);
            }
        }
        let mut survivors = BTreeSet::new();
        let mut actions = Vec::new();
        for id in found.into_iter().take(FOUND) {
            actions.extend(open.survivor(id)?.filter(|action| survivors.insert(action.id)));
        }
        actions.sort_by_key(|action| (action.start, action.id));
        Ok(actions)
    }

    /// Ids of actions of one tenant, or of all, in a range: at most `most`, and whether every partition was looked
    /// into. An index finds them, but no filter says which partitions to ask.
    pub fn ids_in(
        &self,
        tenant: Option<&Tenant>,
        range: &RangeInclusive<ActionId>,
        most: usize,
    ) -> Result<(BTreeSet<ActionId>, bool), StoreError> {
        let shelf = self.shelf()?;
        let mut open = Open::new(self, &shelf);
        let mut found = BTreeSet::new();
        for index in (0..shelf.parts.len()).rev().take(LOOKED_INTO) {
            found.extend(open.ids_in(index, tenant, range, most)?);
            if found.len() >= most {
                break;
            }
        }
        Ok((found.into_iter().take(most).collect(), shelf.parts.len() <= LOOKED_INTO))
    }

    /// The latest revision of an action; its tombstone when it was merged.
    pub fn action(&self, id: ActionId) -> Result<Option<Action>, StoreError> {
        let shelf = self.shelf()?;
        Open::new(self, &shelf).latest(id)
    }

    /// The latest revision of a turn.
    pub fn turn(&self, id: TurnId) -> Result<Option<Turn>, StoreError> {
        let shelf = self.shelf()?;
        Open::new(self, &shelf).turn(id)
    }

    /// The whole of a text, if its partition is still there.
    pub fn body(&self, digest: &Digest) -> Result<Option<Vec<u8>>, StoreError> {
        let shelf = self.shelf()?;
        let (hash, key) = (aliases::of_body(digest), aliases::body_key(digest));
        for part in shelf.parts.iter().rev().filter(|part| part.may_hold(hash)) {
            let Some(db) = self.open_part(part)? else {
                continue;
            };
            let place = partition::place_of(&db, &key).doing("look for a body")?;
            if let Some(place) = place.filter(|place| place.offset + place.len <= part.content) {
                return partition::body(&partitions(&self.dir), &part.name, place).map(Some);
            }
        }
        Ok(None)
    }

    /// Position and small state of the last commit.
    pub fn checkpoint(&self) -> Result<Option<(u64, Checkpoint)>, StoreError> {
        state::checkpoint(&self.state())
    }

    /// Slices of the ledger that begin at or after a time.
    pub fn ledger(&self, since: Nanos) -> Result<Vec<(LedgerKey, Cell)>, StoreError> {
        state::ledger(&self.state(), since)
    }

    /// Incidents that are open or were contained at or after a time, the latest first.
    pub fn incidents(&self, since: Nanos) -> Result<Vec<Incident>, StoreError> {
        state::incidents(&self.state(), since)
    }

    /// The text of a configuration.
    pub fn configuration(&self, digest: Digest) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(state::configurations(&self.state(), &[digest])?.pop().map(|(_, text)| text))
    }

    pub(super) fn state(&self) -> MutexGuard<'_, Connection> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The partitions as of the last commit.
    pub(super) fn shelf(&self) -> Result<Arc<Shelf>, StoreError> {
        if let Some(shown) = &self.shown {
            return Ok(shown.get());
        }
        let mut state = self.state();
        let read = |state: &mut Connection| -> rusqlite::Result<Shelf> {
            let moment = state.transaction()?;
            Ok(Shelf { applied: state::applied(&moment)?, parts: state::parts(&moment)? })
        };
        read(&mut state).map(Arc::new).doing("read the list of partitions")
    }

    /// A partition's rows. `None` when it was retired since the list was read.
    pub(super) fn open_part(&self, part: &Part) -> Result<Option<Connection>, StoreError> {
        let path = partition::files(&partitions(&self.dir), &part.name).0;
        match sql::open_to_read(&path, part.sealed) {
            Ok(db) => Ok(Some(db)),
            Err(_) if !path.exists() => Ok(None),
            Err(error) => Err(error),
        }
    }
}

/// Partitions that one query has open: a few, however many it looks into. The one used longest ago is closed first.
pub(super) struct Open<'a> {
    reader: &'a Reader,
    shelf: &'a Shelf,
    /// Whose rows an alias finds; `None` is everybody's.
    tenant: Option<&'a Tenant>,
    /// By their place on the shelf, the last used last; without a connection, it was retired.
    opened: Vec<(usize, Option<Connection>)>,
    files: usize,
}

impl<'a> Open<'a> {
    pub fn new(reader: &'a Reader, shelf: &'a Shelf) -> Self {
        Self { reader, shelf, tenant: None, opened: Vec::new(), files: 0 }
    }

    /// How often a file was opened.
    pub fn opened_files(&self) -> usize {
        self.files
    }

    /// A partition by its place on the shelf.
    pub fn part(&mut self, index: usize) -> Result<Option<&Connection>, StoreError> {
        let Some(part) = self.shelf.parts.get(index) else {
            return Ok(None);
        };
        let used = match self.opened.iter().position(|(opened, _)| *opened == index) {
            Some(at) => self.opened.remove(at),
            None => {
                if self.opened.len() == AT_ONCE {
                    self.opened.remove(0);
                }
                self.files += 1;
                (index, self.reader.open_part(part)?)
            }
        };
        self.opened.push(used);
        Ok(self.opened.last().and_then(|(_, db)| db.as_ref()))
    }

    /// The record of a row.
    pub fn record(&mut self, index: usize, table: &str, row: i64) -> Result<Option<Vec<u8>>, StoreError> {
        let Some(db) = self.part(index)? else {
            return Ok(None);
        };
        let sql = format!("SELECT record FROM {table} WHERE row = ?1");
        let read = || db.prepare_cached(&sql)?.query_row([row], |row| row.get(0)).optional();
        read().doing("read a row of a list")
    }

    /// Partitions that may hold a hash, the newest first.
    fn holding(&self, hash: i64) -> Vec<usize> {
        let parts = self.shelf.parts.iter().enumerate().rev();
        parts.filter(|(_, part)| part.may_hold(hash)).map(|(index, _)| index).collect()
    }

    /// Whether a partition newer than the one at `index` has a row of `table` with this id, which is found under
    /// this alias.
    pub fn is_in_newer(&mut self, table: &str, alias: &str, id: &[u8; 16], index: usize) -> Result<bool, StoreError> {
        let applied = self.shelf.applied.cast_signed();
        let sql = format!("SELECT 1 FROM {table} WHERE id = ?1 AND position <= ?2");
        let hash = aliases::of_alias(alias);
        for newer in (index + 1..self.shelf.parts.len()).rev() {
            if !self.shelf.parts[newer].may_hold(hash) {
                continue;
            }
            let Some(db) = self.part(newer)? else {
                continue;
            };
            let find = || db.prepare_cached(&sql)?.exists(params![id, applied]);
            if find().doing("look for a later row")? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// The latest revision of an action. Revisions grow from partition to partition.
    pub fn latest(&mut self, id: ActionId) -> Result<Option<Action>, StoreError> {
        let record = self.latest_record("actions", &id.to_string(), &id.0)?;
        record.map(|record| decode::<v1::Action, _>(&record).of_table("actions")).transpose()
    }

    /// The latest revision of a turn.
    pub fn turn(&mut self, id: TurnId) -> Result<Option<Turn>, StoreError> {
        let record = self.latest_record("turns", &id.to_string(), &id.0)?;
        record.map(|record| decode::<v1::Turn, _>(&record).of_table("turns")).transpose()
    }

    fn latest_record(&mut self, table: &str, alias: &str, id: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        let applied = self.shelf.applied.cast_signed();
        let sql = format!("SELECT record FROM {table} WHERE id = ?1 AND position <= ?2 ORDER BY revision DESC LIMIT 1");
        for index in self.holding(aliases::of_alias(alias)) {
            let Some(db) = self.part(index)? else {
                continue;
            };
            let find = || db.prepare_cached(&sql)?.query_row(params![id, applied], |row| row.get(0)).optional();
            if let Some(record) = find().doing("look for the latest revision")? {
                return Ok(Some(record));
            }
        }
        Ok(None)
    }

    /// The latest revision of what an action became by merging; as far as it is known.
    fn survivor(&mut self, id: ActionId) -> Result<Option<Action>, StoreError> {
        let mut action = self.latest(id)?;
        for _ in 0..MERGES {
            let Some(next) = action.as_ref().and_then(|action| action.merged_into) else {
                break;
            };
            match self.latest(next)? {
                Some(next) => action = Some(next),
                None => break,
            }
        }
        Ok(action)
    }

    /// Ids of actions of one partition that lie in a range.
    fn ids_in(
        &mut self,
        index: usize,
        tenant: Option<&Tenant>,
        range: &RangeInclusive<ActionId>,
        most: usize,
    ) -> Result<Vec<ActionId>, StoreError> {
        let applied = self.shelf.applied.cast_signed();
        let Some(db) = self.part(index)? else {
            return Ok(Vec::new());
        };
        let find = || -> rusqlite::Result<Vec<ActionId>> {
            let mut select = db.prepare_cached(
                "SELECT DISTINCT id FROM actions WHERE id BETWEEN ?1 AND ?2 AND position <= ?3
                 AND (?4 IS NULL OR tenant = ?4) LIMIT ?5",
            )?;
            let (first, last, tenant) = (range.start().0, range.end().0, tenant.map(Tenant::as_str));
            let ids = params![first, last, applied, tenant, most as i64];
            select.query_map(ids, |row| row.get(0).map(ActionId))?.collect()
        };
        find().doing("look for the beginning of an id")
    }

    /// Actions with a row that has this alias.
    fn actions_of(&mut self, alias: &str) -> Result<BTreeSet<ActionId>, StoreError> {
        let mut found = BTreeSet::new();
        for record in self.rows_of("actions", Kind::Action, alias)? {
            let action: Action = decode::<v1::Action, _>(&record).of_table("actions")?;
            if aliases::of_action(&action).contains(alias) {
                found.insert(action.id);
            }
        }
        Ok(found)
    }

    /// Turns with a row that has this alias.
    fn turns_of(&mut self, alias: &str) -> Result<BTreeSet<TurnId>, StoreError> {
        let mut found = BTreeSet::new();
        for record in self.rows_of("turns", Kind::Turn, alias)? {
            let turn: Turn = decode::<v1::Turn, _>(&record).of_table("turns")?;
            if aliases::of_turn(&turn).contains(alias) {
                found.insert(turn.id);
            }
        }
        Ok(found)
    }

    /// Rows whose keys have the alias's hash; two aliases may share one, so the row itself is looked at.
    fn rows_of(&mut self, table: &str, kind: Kind, alias: &str) -> Result<Vec<Vec<u8>>, StoreError> {
        let hash = aliases::of_alias(alias);
        let applied = self.shelf.applied.cast_signed();
        let tenant = self.tenant.map(Tenant::as_str);
        let sql = format!(
            "SELECT record FROM keys JOIN {table} USING (row) WHERE hash = ?1 AND kind = ?2 AND position <= ?3
             AND (?5 IS NULL OR tenant = ?5) LIMIT ?4"
        );
        let mut records = Vec::new();
        for index in self.holding(hash) {
            let room = FOUND.saturating_sub(records.len()) as i64;
            if room == 0 {
                break;
            }
            let Some(db) = self.part(index)? else {
                continue;
            };
            let find = || -> rusqlite::Result<Vec<Vec<u8>>> {
                let mut select = db.prepare_cached(&sql)?;
                select.query_map(params![hash, kind as i64, applied, room, tenant], |row| row.get(0))?.collect()
            };
            records.extend(find().doing("look for an alias")?);
        }
        Ok(records)
    }
}
