//! A partition: what was published in one slice of commit time. One SQLite file with rows, one content file with
//! bodies. Rows are added, never changed; a later revision is a new row. Every row carries the journal position that
//! made it, so that a start can take away what state.db does not know of yet.
//!
//! ```text
//! actions   one row per published revision of an action     found by (id, revision)
//! turns     one row per published revision of a turn        found by (id, revision)
//! keys      hash of an alias → row
//! bodies    digest → place in the content file
//! findings  one row per finding opened or taken back
//!           actions and findings are listed by (end, id) and (at, id)
//! seal      the filter over all keys; there when the partition is closed
//! ```

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, OptionalExtension, Transaction, params};

use crate::engine::FindingEvent;
use crate::model::{Action, Body, FindingId, FindingState, Nanos, Severity, Turn};
use crate::proto::records as v1;

use super::Published;
use super::aliases;
use super::content::{self, Content, Place};
use super::convert::encode;
use super::error::{Doing, StoreError};
use super::filter::Filter;
use super::spread::Spread;
use super::sql::{self, column};

const SCHEMA: &str = "
CREATE TABLE actions (
    row INTEGER PRIMARY KEY, id BLOB NOT NULL, revision INTEGER NOT NULL, position INTEGER NOT NULL,
    tenant TEXT NOT NULL, agent TEXT NOT NULL, tool TEXT NOT NULL, target TEXT, state TEXT NOT NULL,
    verdicts TEXT NOT NULL, findings INTEGER NOT NULL, merged INTEGER NOT NULL,
    start INTEGER NOT NULL, end INTEGER NOT NULL, rules TEXT, record BLOB NOT NULL
) STRICT;
CREATE UNIQUE INDEX actions_id ON actions (id, revision);
CREATE INDEX actions_end ON actions (end, id);
CREATE TABLE turns (
    row INTEGER PRIMARY KEY, id BLOB NOT NULL, revision INTEGER NOT NULL, position INTEGER NOT NULL,
    tenant TEXT NOT NULL, start INTEGER NOT NULL, end INTEGER NOT NULL, record BLOB NOT NULL
) STRICT;
CREATE UNIQUE INDEX turns_id ON turns (id, revision);
CREATE TABLE keys (
    hash INTEGER NOT NULL, kind INTEGER NOT NULL, row INTEGER NOT NULL, PRIMARY KEY (hash, kind, row)
) STRICT, WITHOUT ROWID;
CREATE TABLE bodies (
    digest BLOB PRIMARY KEY, position INTEGER NOT NULL, place INTEGER NOT NULL, len INTEGER NOT NULL,
    whole INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE findings (
    row INTEGER PRIMARY KEY, id BLOB NOT NULL, position INTEGER NOT NULL, ordinal INTEGER NOT NULL,
    tenant TEXT NOT NULL, rule TEXT NOT NULL, severity TEXT NOT NULL, open INTEGER NOT NULL, at INTEGER NOT NULL,
    record BLOB NOT NULL, UNIQUE (position, ordinal)
) STRICT;
CREATE INDEX findings_id ON findings (id);
CREATE TABLE seal (filter BLOB NOT NULL) STRICT;
";

/// Made when a partition closes, so that they cost nothing while it is written.
const SEARCH_INDEXES: &str = "
CREATE INDEX IF NOT EXISTS actions_agent ON actions (agent, end, id);
CREATE INDEX IF NOT EXISTS actions_tool ON actions (tool, end, id);
CREATE INDEX IF NOT EXISTS actions_state ON actions (state, end, id);
CREATE INDEX IF NOT EXISTS actions_findings ON actions (end, id) WHERE findings > 0;
CREATE INDEX IF NOT EXISTS findings_at ON findings (at, id);
";

/// What the first version's tables do not have. Its closed partitions stay as they are, and a list does without.
const ADDED: &str = "
ALTER TABLE actions ADD COLUMN rules TEXT;
CREATE INDEX actions_end ON actions (end, id);
";

/// How long closing waits for readers. They look at a partition for milliseconds, and it can wait for the next commit.
const SEAL_PATIENCE: Duration = Duration::from_millis(200);

/// Whose row a key is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Action = 1,
    Turn = 2,
}

/// Its two files in the folder of partitions.
pub(super) fn files(dir: &Path, name: &str) -> (PathBuf, PathBuf) {
    (dir.join(format!("{name}.db")), dir.join(format!("{name}.content")))
}

/// What a commit added.
#[derive(Debug, Default)]
pub(super) struct Added {
    pub actions: u64,
    pub turns: u64,
    /// For the filter.
    pub hashes: Vec<i64>,
    /// For the spread.
    pub times: Vec<i64>,
}

/// A partition that is written to.
pub(super) struct Writer {
    db: Connection,
    content: Content,
}

impl Writer {
    /// Opens or makes a partition, and takes away what state.db does not know of: rows made after `applied`, content
    /// beyond `content_len`.
    pub fn open(dir: &Path, name: &str, applied: u64, content_len: u64) -> Result<Self, StoreError> {
        let (rows, content) = files(dir, name);
        let mut db = sql::open_to_write(&rows, SCHEMA)?;
        if !knows_rules(&db) {
            db.execute_batch(ADDED).doing("add to the tables of a partition")?;
        }
        cut(&mut db, applied).doing("take back what was not committed")?;
        Ok(Self { db, content: Content::open(&content, content_len)? })
    }

    /// Every hash by which something in it is found, and the times of its rows unless they are known.
    pub fn summary(&self, known: Option<Spread>) -> Result<(Filter, Spread), StoreError> {
        Ok((self.filter()?, spread(&self.db, known)?))
    }

    fn filter(&self) -> Result<Filter, StoreError> {
        rebuild(&self.db).doing("read the keys of a partition")
    }

    /// Adds what was published, by the journal position that made it. Durable when it returns. Rows that are there
    /// already stay: the same (id, revision) has the same bytes.
    pub fn write(&mut self, published: &[Published]) -> Result<Added, StoreError> {
        let (db, content) = (&mut self.db, &mut self.content);
        let transaction = db.transaction().doing("begin to write to a partition")?;
        let bodies = new_bodies(&transaction, published).doing("look for bodies")?;
        let mut places = Vec::new();
        for (position, body) in bodies {
            places.push((position, body, content.append(&body.bytes)?));
        }
        if !places.is_empty() {
            content.sync()?;
        }
        let rows = Rows { transaction: &transaction, keys: Vec::new(), added: Added::default() };
        let added = rows.write(published, &places).doing("write to a partition")?;
        transaction.commit().doing("commit to a partition")?;
        Ok(added)
    }

    /// Length of the content file.
    pub fn content_len(&self) -> u64 {
        self.content.len()
    }

    /// Bytes on disk, content included, the write-ahead log not.
    pub fn bytes(&self) -> Result<u64, StoreError> {
        let number = |pragma| self.db.pragma_query_value(None, pragma, |row| row.get::<_, i64>(0));
        let pages = number("page_count").doing("measure a partition")?;
        let size = number("page_size").doing("measure a partition")?;
        Ok((pages * size).cast_unsigned() + self.content.len())
    }

    /// Closes the partition for ever: search indexes, the filter, and one plain file without a log beside it. After
    /// an error it is as open as before.
    pub fn seal(&mut self) -> Result<Filter, StoreError> {
        let filter = self.filter()?;
        self.db.busy_timeout(SEAL_PATIENCE).doing("set the busy timeout")?;
        let sealed = close(&mut self.db, &filter).doing("close a partition");
        self.db.busy_timeout(sql::PATIENCE).doing("set the busy timeout")?;
        if sealed.is_err() {
            self.db.pragma_update(None, "journal_mode", "WAL").doing("turn the write-ahead log on")?;
        }
        sealed.map(|()| filter)
    }

    #[cfg(test)]
    pub fn db(&self) -> &Connection {
        &self.db
    }
}

fn close(db: &mut Connection, filter: &Filter) -> rusqlite::Result<()> {
    // First, because it is what a reader may be in the way of.
    db.pragma_update(None, "journal_mode", "DELETE")?;
    let transaction = db.transaction()?;
    transaction.execute_batch(SEARCH_INDEXES)?;
    transaction.execute("DELETE FROM seal", [])?;
    transaction.execute("INSERT INTO seal (filter) VALUES (?1)", [filter.to_bytes()])?;
    transaction.commit()
}

/// Whether rows of actions name the rules of their open findings.
pub(super) fn knows_rules(db: &Connection) -> bool {
    db.prepare("SELECT rules FROM actions").is_ok()
}

/// The times of actions and findings: as they are known, or one interval over all of them.
fn spread(db: &Connection, known: Option<Spread>) -> Result<Spread, StoreError> {
    if let Some(known) = known {
        return Ok(known);
    }
    let mut spread = Spread::default();
    for (column, table) in [("end", "actions"), ("at", "findings")] {
        // Apart, each is one look at an index.
        for extreme in ["min", "max"] {
            let sql = format!("SELECT {extreme}({column}) FROM {table}");
            let at = db.query_row(&sql, [], |row| row.get::<_, Option<i64>>(0));
            at.doing("read the times of a partition")?.into_iter().for_each(|at| spread.add(at));
        }
    }
    Ok(spread.whole())
}

/// The filter of a closed partition, as it was written or made again, and the times of its rows.
pub(super) fn summary_of_sealed(dir: &Path, name: &str, known: Option<Spread>) -> Result<(Filter, Spread), StoreError> {
    let db = sql::open_to_read(&files(dir, name).0, true)?;
    let bytes = db.query_row("SELECT filter FROM seal", [], |row| row.get::<_, Vec<u8>>(0)).optional();
    let filter = match bytes.doing("read the filter of a partition")?.as_deref().and_then(Filter::from_bytes) {
        Some(filter) => filter,
        None => rebuild(&db).doing("read the keys of a partition")?,
    };
    Ok((filter, spread(&db, known)?))
}

fn rebuild(db: &Connection) -> rusqlite::Result<Filter> {
    let count = |table: &str| db.query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get::<_, i64>(0));
    let room = count("keys")? + count("bodies")? + count("findings")?;
    let mut filter = Filter::with_room(usize::try_from(room).unwrap_or(0));
    let mut keys = db.prepare("SELECT DISTINCT hash FROM keys")?;
    let mut keys = keys.query([])?;
    while let Some(row) = keys.next()? {
        filter.insert(row.get(0)?);
    }
    let mut bodies = db.prepare("SELECT digest FROM bodies")?;
    let mut bodies = bodies.query([])?;
    while let Some(row) = bodies.next()? {
        filter.insert(aliases::of_body_key(row.get_ref(0)?.as_blob()?));
    }
    let mut findings = db.prepare("SELECT id FROM findings")?;
    let mut findings = findings.query([])?;
    while let Some(row) = findings.next()? {
        filter.insert(aliases::of_alias(&FindingId(row.get(0)?).to_string()));
    }
    Ok(filter)
}

/// Takes rows away that were made after `applied`, with their keys.
fn cut(db: &mut Connection, applied: u64) -> rusqlite::Result<()> {
    let applied = applied.cast_signed();
    let transaction = db.transaction()?;
    for (table, kind) in [("actions", Kind::Action), ("turns", Kind::Turn)] {
        // A later commit has later positions: the rows to take away are the last ones.
        let last = format!("SELECT row FROM {table} WHERE position <= ?1 ORDER BY row DESC LIMIT 1");
        let last: i64 = transaction.query_row(&last, [applied], |row| row.get(0)).optional()?.unwrap_or(0);
        if transaction.execute(&format!("DELETE FROM {table} WHERE row > ?1"), [last])? > 0 {
            transaction.execute("DELETE FROM keys WHERE kind = ?1 AND row > ?2", params![kind as i64, last])?;
        }
    }
    transaction.execute("DELETE FROM bodies WHERE position > ?1", [applied])?;
    transaction.execute("DELETE FROM findings WHERE position > ?1", [applied])?;
    transaction.commit()
}

/// The bodies that the partition does not have yet, each once.
fn new_bodies<'a>(transaction: &Transaction<'_>, published: &'a [Published]) -> rusqlite::Result<Vec<(u64, &'a Body)>> {
    let mut known = transaction.prepare_cached("SELECT 1 FROM bodies WHERE digest = ?1")?;
    let mut seen = BTreeSet::new();
    let mut new = Vec::new();
    for Published { position, output } in published {
        for body in &output.bodies {
            if seen.insert(body.digest) && !known.exists([aliases::body_key(&body.digest)])? {
                new.push((*position, body));
            }
        }
    }
    Ok(new)
}

/// Rows on their way into a partition.
struct Rows<'a> {
    transaction: &'a Transaction<'a>,
    /// Hash, kind, row.
    keys: Vec<(i64, i64, i64)>,
    added: Added,
}

impl Rows<'_> {
    fn write(mut self, published: &[Published], bodies: &[(u64, &Body, Place)]) -> rusqlite::Result<Added> {
        for (position, body, place) in bodies {
            self.body(*position, body, *place)?;
        }
        for Published { position, output } in published {
            for action in &output.actions {
                self.action(*position, action)?;
            }
            for turn in &output.turns {
                self.turn(*position, turn)?;
            }
            for (ordinal, finding) in output.findings.iter().enumerate() {
                self.finding(*position, ordinal, finding)?;
            }
        }
        self.write_keys()?;
        Ok(self.added)
    }

    /// In the order of their table, so that each of its pages is written once.
    fn write_keys(&mut self) -> rusqlite::Result<()> {
        self.keys.sort_unstable();
        let mut insert = self.transaction.prepare_cached("INSERT OR IGNORE INTO keys VALUES (?1, ?2, ?3)")?;
        for (hash, kind, row) in &self.keys {
            insert.execute(params![hash, kind, row])?;
        }
        self.added.hashes.extend(self.keys.iter().map(|(hash, ..)| hash));
        Ok(())
    }

    fn action(&mut self, position: u64, action: &Action) -> rusqlite::Result<()> {
        let (findings, rules) = open_findings(action);
        let mut insert = self.transaction.prepare_cached(
            "INSERT OR IGNORE INTO actions (id, revision, position, tenant, agent, tool, target, state, verdicts,
             findings, merged, start, end, rules, record) VALUES (?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11,?12,?13,?14,?15)",
        )?;
        let added = insert.execute(params![
            action.id.0,
            action.revision,
            position.cast_signed(),
            action.tenant.as_str(),
            action.agent_label(),
            action.tool_label(),
            action.target.value().map(|(target, _)| &**target),
            action.state.as_str(),
            verdicts(action),
            findings,
            action.merged_into.is_some(),
            column(action.start),
            column(action.end),
            rules,
            encode::<v1::Action>(action),
        ])?;
        if added == 1 {
            self.added.times.push(column(action.end));
            self.added.actions += 1;
            self.keys(Kind::Action, aliases::of_action(action));
        }
        Ok(())
    }

    fn turn(&mut self, position: u64, turn: &Turn) -> rusqlite::Result<()> {
        let mut insert = self.transaction.prepare_cached(
            "INSERT OR IGNORE INTO turns (id, revision, position, tenant, start, end, record)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        )?;
        let added = insert.execute(params![
            turn.id.0,
            turn.revision,
            position.cast_signed(),
            turn.tenant.as_str(),
            column(turn.start),
            column(turn.end),
            encode::<v1::Turn>(turn),
        ])?;
        if added == 1 {
            self.added.turns += 1;
            self.keys(Kind::Turn, aliases::of_turn(turn));
        }
        Ok(())
    }

    /// The keys of the row that was just added.
    fn keys(&mut self, kind: Kind, aliases: BTreeSet<String>) {
        let row = self.transaction.last_insert_rowid();
        self.keys.extend(aliases.iter().map(|alias| (aliases::of_alias(alias), kind as i64, row)));
    }

    fn body(&mut self, position: u64, body: &Body, place: Place) -> rusqlite::Result<()> {
        let mut insert = self.transaction.prepare_cached("INSERT INTO bodies VALUES (?1, ?2, ?3, ?4, ?5)")?;
        insert.execute(params![
            aliases::body_key(&body.digest),
            position.cast_signed(),
            place.offset.cast_signed(),
            place.len.cast_signed(),
            place.whole.cast_signed(),
        ])?;
        self.added.hashes.push(aliases::of_body(&body.digest));
        Ok(())
    }

    fn finding(&mut self, position: u64, ordinal: usize, event: &FindingEvent) -> rusqlite::Result<()> {
        let finding = &event.finding;
        let mut insert = self.transaction.prepare_cached(
            "INSERT OR IGNORE INTO findings (id, position, ordinal, tenant, rule, severity, open, at, record)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
        )?;
        insert.execute(params![
            finding.id.0,
            position.cast_signed(),
            ordinal as i64,
            event.tenant.as_str(),
            &*finding.rule,
            finding.severity.as_str(),
            finding.state == FindingState::Open,
            column(finding.at),
            encode::<v1::FindingEvent>(event),
        ])?;
        self.added.hashes.push(aliases::of_alias(&finding.id.to_string()));
        self.added.times.push(column(finding.at));
        Ok(())
    }
}

/// ` sli=value sli=value `: each with a space on both sides.
fn verdicts(action: &Action) -> String {
    let words = action.verdicts.iter().map(|verdict| format!(" {}={}", verdict.sli, verdict.value));
    words.collect::<String>() + " "
}

/// How many findings of an action are open, and a line for each: severity and rule, with a break on both sides.
fn open_findings(action: &Action) -> (i64, String) {
    let mut lines = String::from("\n");
    let mut open = 0;
    for finding in action.findings.iter().filter(|finding| finding.state == FindingState::Open) {
        lines += &rule_line(finding.severity, Some(&finding.rule));
        open += 1;
    }
    (open, lines)
}

/// How a line of `rules` goes on after its break: with a rule to its end, without one as far as every rule does.
pub(super) fn rule_line(severity: Severity, rule: Option<&str>) -> String {
    rule.map_or_else(|| format!("{severity} "), |rule| format!("{severity} {rule}\n"))
}

/// Where a partition has a body.
pub(super) fn place_of(db: &Connection, key: &[u8]) -> rusqlite::Result<Option<Place>> {
    let mut select = db.prepare_cached("SELECT place, len, whole FROM bodies WHERE digest = ?1")?;
    let place = select.query_row([key], |row| {
        Ok(Place {
            offset: row.get::<_, i64>(0)?.cast_unsigned(),
            len: row.get::<_, i64>(1)?.cast_unsigned(),
            whole: row.get::<_, i64>(2)?.cast_unsigned(),
        })
    });
    place.optional()
}

/// Reads a body of a partition.
pub(super) fn body(dir: &Path, name: &str, place: Place) -> Result<Vec<u8>, StoreError> {
    content::read(&files(dir, name).1, place)
}

/// The name of a partition: its number, and when it begins.
pub(super) fn name(number: i64, from: Nanos) -> String {
    let begins: String = from.to_string().chars().filter(|c| c.is_ascii_alphanumeric()).collect();
    format!("{number:08}-{begins}")
}
