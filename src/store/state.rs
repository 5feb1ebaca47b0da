//! state.db: the engine's rows, the small state, the list of partitions, and `applied`, the journal position that all
//! of it belongs to. One transaction per commit; this transaction is the only commit point of the store.
//!
//! ```text
//! meta            one row: applied, the checkpoint
//! turns, actions  what turns and components are computed from; a component belongs to the turn that keeps it
//! wants           hash of a call id, MCP request, response id or tie → turns
//! dues            deadlines
//! ledger          counts per five minutes, tenant, SLI, agent
//! notes           what actions say to each other on boards
//! incidents, configurations, partitions
//! ```

use prost::Message;
use rusqlite::{Connection, Transaction, params};

use crate::engine::parts::{Cell, Incident, LedgerKey, Pin, Place};
use crate::engine::{BoardKey, Changes, Checkpoint, Due, Want};
use crate::model::{Digest, Nanos, Sli, Span, Tenant, TurnId};
use crate::proto::records as v1;

use super::aliases;
use super::convert::{Wire, decode, encode};
use super::error::{Doing, In, StoreError};
use super::shelf::Part;
use super::spread::Spread;
use super::sql::column;

pub(super) const SCHEMA: &str = "
CREATE TABLE meta (one INTEGER PRIMARY KEY CHECK (one = 1), applied INTEGER NOT NULL, checkpoint BLOB NOT NULL) STRICT;
CREATE TABLE turns (
    id BLOB PRIMARY KEY, closed INTEGER NOT NULL, touched INTEGER NOT NULL, record BLOB NOT NULL
) STRICT;
CREATE INDEX turns_touched ON turns (touched) WHERE closed = 1;
CREATE TABLE actions (
    handle INTEGER PRIMARY KEY, turn BLOB NOT NULL, settled INTEGER NOT NULL, record BLOB NOT NULL
) STRICT;
CREATE INDEX actions_turn ON actions (turn);
CREATE TABLE wants (hash INTEGER NOT NULL, turn BLOB NOT NULL, PRIMARY KEY (hash, turn)) STRICT, WITHOUT ROWID;
CREATE INDEX wants_turn ON wants (turn);
CREATE TABLE dues (due BLOB PRIMARY KEY, at INTEGER NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE ledger (
    slice INTEGER NOT NULL, tenant TEXT NOT NULL, sli TEXT NOT NULL, agent TEXT NOT NULL,
    good INTEGER NOT NULL, bad INTEGER NOT NULL, unknown INTEGER NOT NULL, PRIMARY KEY (slice, tenant, sli, agent)
) STRICT, WITHOUT ROWID;
CREATE TABLE incidents (
    id BLOB PRIMARY KEY, tenant TEXT NOT NULL, opened INTEGER NOT NULL, contained INTEGER, record BLOB NOT NULL
) STRICT;
CREATE TABLE configurations (digest BLOB PRIMARY KEY, body BLOB NOT NULL) STRICT;
CREATE TABLE partitions (
    number INTEGER PRIMARY KEY, name TEXT NOT NULL, begins INTEGER NOT NULL, ends INTEGER NOT NULL,
    sealed INTEGER NOT NULL, content INTEGER NOT NULL, bytes INTEGER NOT NULL, actions INTEGER NOT NULL,
    turns INTEGER NOT NULL, spread BLOB
) STRICT;
";

const NOTES: &str = "
CREATE TABLE notes (
    board BLOB NOT NULL, at INTEGER NOT NULL, action BLOB NOT NULL, record BLOB NOT NULL,
    PRIMARY KEY (board, at, action)
) STRICT, WITHOUT ROWID;
";

/// Adds what the first version's tables do not have.
pub(super) fn add_missing(db: &Connection) -> rusqlite::Result<()> {
    if db.prepare("SELECT spread FROM partitions").is_err() {
        db.execute_batch("ALTER TABLE partitions ADD COLUMN spread BLOB")?;
    }
    if db.prepare("SELECT board FROM notes").is_err() {
        db.execute_batch(NOTES)?;
    }
    Ok(())
}

/// The position that everything in state.db belongs to, and the small state at it.
pub(super) fn checkpoint(db: &Connection) -> Result<Option<(u64, Checkpoint)>, StoreError> {
    let mut select = db.prepare("SELECT applied, checkpoint FROM meta").doing("read the checkpoint")?;
    let mut rows = select.query([]).doing("read the checkpoint")?;
    let Some(row) = rows.next().doing("read the checkpoint")? else {
        return Ok(None);
    };
    let applied: i64 = row.get(0).doing("read the checkpoint")?;
    let bytes = row.get_ref(1).and_then(|it| Ok(it.as_blob()?)).doing("read the checkpoint")?;
    Ok(Some((applied.cast_unsigned(), decode::<v1::Checkpoint, _>(bytes).of_table("meta")?)))
}

/// The position alone.
pub(super) fn applied(db: &Connection) -> rusqlite::Result<u64> {
    let applied = db.query_row("SELECT coalesce(max(applied), 0) FROM meta", [], |row| row.get::<_, i64>(0))?;
    Ok(applied.cast_unsigned())
}

/// Writes what changed, and the position it belongs to.
pub(super) fn write(transaction: &Transaction<'_>, applied: u64, changes: &Changes) -> rusqlite::Result<()> {
    let each = |sql| transaction.prepare_cached(sql);
    let mut turn = each(
        "INSERT INTO turns VALUES (?1, ?2, ?3, ?4) ON CONFLICT (id)
         DO UPDATE SET closed = excluded.closed, touched = excluded.touched, record = excluded.record",
    )?;
    for row @ (state, account) in &changes.turns {
        let record = encode::<v1::TurnRecord>(row);
        turn.execute(params![state.id.0, account.closed, column(account.last_seen), record])?;
    }
    let mut gone = each("DELETE FROM actions WHERE handle = ?1")?;
    for handle in &changes.gone {
        gone.execute([handle.cast_signed()])?;
    }
    let mut action = each(
        "INSERT INTO actions VALUES (?1, ?2, ?3, ?4) ON CONFLICT (handle)
         DO UPDATE SET turn = excluded.turn, settled = excluded.settled, record = excluded.record",
    )?;
    for row @ (state, account) in &changes.actions {
        let record = encode::<v1::ActionRecord>(row);
        action.execute(params![state.handle.cast_signed(), state.home.0, account.settled, record])?;
    }
    let mut want = each("INSERT OR IGNORE INTO wants VALUES (?1, ?2)")?;
    for (name, turn) in &changes.wants {
        if let (false, Some(hash)) = (matches!(name, Want::Turn(_)), aliases::of_want(name)) {
            want.execute(params![hash, turn.0])?;
        }
    }
    write_dues(transaction, changes)?;
    write_ledger(transaction, changes)?;
    write_incidents(transaction, changes)?;
    write_notes(transaction, changes)?;
    let mut meta = each("INSERT OR REPLACE INTO meta VALUES (1, ?1, ?2)")?;
    meta.execute(params![applied.cast_signed(), encode::<v1::Checkpoint>(&changes.small)])?;
    Ok(())
}

fn write_dues(transaction: &Transaction<'_>, changes: &Changes) -> rusqlite::Result<()> {
    let mut set = transaction.prepare_cached("INSERT OR REPLACE INTO dues VALUES (?1, ?2)")?;
    let mut clear = transaction.prepare_cached("DELETE FROM dues WHERE due = ?1")?;
    for (due, at) in &changes.dues {
        match at {
            Some(at) => set.execute(params![due_key(*due), at.0.cast_signed()])?,
            None => clear.execute([due_key(*due)])?,
        };
    }
    Ok(())
}

fn write_ledger(transaction: &Transaction<'_>, changes: &Changes) -> rusqlite::Result<()> {
    let mut set = transaction.prepare_cached("INSERT OR REPLACE INTO ledger VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)")?;
    for (key, cell) in &changes.ledger {
        set.execute(params![
            key.slice.0.cast_signed(),
            key.tenant.as_str(),
            key.sli.as_str(),
            &*key.agent,
            cell.good.cast_signed(),
            cell.bad.cast_signed(),
            cell.unknown.cast_signed(),
        ])?;
    }
    Ok(())
}

fn write_notes(transaction: &Transaction<'_>, changes: &Changes) -> rusqlite::Result<()> {
    let mut set = transaction.prepare_cached("INSERT OR REPLACE INTO notes VALUES (?1, ?2, ?3, ?4)")?;
    let mut clear = transaction.prepare_cached("DELETE FROM notes WHERE board = ?1 AND at = ?2 AND action = ?3")?;
    for (key, place, pin) in &changes.notes {
        let ((at, action), board) = (*place, board_key(key));
        match pin {
            Some(pin) => {
                let record = encode::<v1::BoardNote>(&(key.clone(), *place, pin.clone()));
                set.execute(params![board, column(at), action.0, record])?
            }
            None => clear.execute(params![board, column(at), action.0])?,
        };
    }
    Ok(())
}

/// Names a board: the record says what it is about.
fn board_key((tenant, topic): &BoardKey) -> Vec<u8> {
    let topic: v1::Topic = topic.put();
    let mut hasher = blake3::Hasher::new();
    hasher.update(tenant.as_str().as_bytes());
    hasher.update(&[0]);
    hasher.update(&topic.encode_to_vec());
    hasher.finalize().as_bytes()[..16].to_vec()
}

/// Every note.
pub(super) fn notes(db: &Connection) -> Result<Vec<(BoardKey, Place, Pin)>, StoreError> {
    let read = || -> rusqlite::Result<Vec<Vec<u8>>> {
        db.prepare("SELECT record FROM notes ORDER BY board, at, action")?.query_map([], |row| row.get(0))?.collect()
    };
    let records = read().doing("read the notes")?;
    records.iter().map(|record| decode::<v1::BoardNote, _>(record).of_table("notes")).collect()
}

fn write_incidents(transaction: &Transaction<'_>, changes: &Changes) -> rusqlite::Result<()> {
    let mut set = transaction.prepare_cached("INSERT OR REPLACE INTO incidents VALUES (?1, ?2, ?3, ?4, ?5)")?;
    let mut clear = transaction.prepare_cached("DELETE FROM incidents WHERE id = ?1")?;
    for (id, incident) in &changes.incidents {
        match incident {
            Some(incident) => set.execute(params![
                id.0,
                incident.tenant.as_str(),
                column(incident.opened),
                incident.contained.map(column),
                encode::<v1::Incident>(incident),
            ])?,
            None => clear.execute([id.0])?,
        };
    }
    Ok(())
}

/// A deadline as a key: what, then whose.
fn due_key(due: Due) -> Vec<u8> {
    match due {
        Due::Close(turn) => [b"c", &turn.0[..]].concat(),
        Due::Settle(handle) => [b"s", &handle.to_be_bytes()[..]].concat(),
        Due::Check(handle) => [b"k", &handle.to_be_bytes()[..]].concat(),
        Due::Revise(handle) => [b"r", &handle.to_be_bytes()[..]].concat(),
        Due::Kin(handle) => [b"n", &handle.to_be_bytes()[..]].concat(),
        Due::Edges(turn) => [b"e", &turn.0[..]].concat(),
    }
}

fn due_of(key: &[u8]) -> Option<Due> {
    let (kind, whose) = key.split_first()?;
    let handle = || whose.try_into().ok().map(u64::from_be_bytes);
    match kind {
        b'c' => TurnId::from_slice(whose).map(Due::Close),
        b's' => handle().map(Due::Settle),
        b'k' => handle().map(Due::Check),
        b'r' => handle().map(Due::Revise),
        b'n' => handle().map(Due::Kin),
        b'e' => TurnId::from_slice(whose).map(Due::Edges),
        _ => None,
    }
}

/// Every deadline.
pub(super) fn dues(db: &Connection) -> Result<Vec<(Due, Nanos)>, StoreError> {
    let read = || -> rusqlite::Result<Vec<(Option<Due>, Nanos)>> {
        let mut select = db.prepare("SELECT due, at FROM dues")?;
        let row = |row: &rusqlite::Row<'_>| {
            let at = Nanos(row.get::<_, i64>(1)?.cast_unsigned());
            Ok((due_of(row.get_ref(0)?.as_blob()?), at))
        };
        select.query_map([], row)?.collect()
    };
    let dues = read().doing("read the deadlines")?.into_iter();
    let known = dues.map(|(due, at)| due.map(|due| (due, at)).ok_or_else(|| odd("dues", "due")));
    known.collect()
}

/// Slices of the ledger that begin at or after a time.
pub(super) fn ledger(db: &Connection, since: Nanos) -> Result<Vec<(LedgerKey, Cell)>, StoreError> {
    let read = || -> rusqlite::Result<Vec<Slice>> {
        // Times after the year 2262 are negative here: later than everything else, and rare enough for no index.
        let mut select = db.prepare("SELECT * FROM ledger WHERE slice >= ?1 OR slice < 0")?;
        let row = |row: &rusqlite::Row<'_>| {
            let number = |column| row.get::<_, i64>(column).map(i64::cast_unsigned);
            let cell = Cell { good: number(4)?, bad: number(5)?, unknown: number(6)? };
            Ok((Nanos(number(0)?), row.get(1)?, row.get(2)?, row.get(3)?, cell))
        };
        select.query_map([column(since)], row)?.collect()
    };
    let slices = read().doing("read the ledger")?.into_iter().map(|(slice, tenant, sli, agent, cell)| {
        let sli = Sli::from_word(&sli).ok_or_else(|| odd("ledger", "sli"))?;
        Ok((LedgerKey { slice, tenant: Tenant::new(&tenant), sli, agent: agent.into() }, cell))
    });
    slices.collect()
}

/// A row of the ledger: slice, tenant, SLI, agent, counts.
type Slice = (Nanos, String, String, String, Cell);

/// Incidents that are open, or were contained at or after a time; the latest first.
pub(super) fn incidents(db: &Connection, since: Nanos) -> Result<Vec<Incident>, StoreError> {
    let read = || -> rusqlite::Result<Vec<Vec<u8>>> {
        let mut select = db.prepare(
            "SELECT record FROM incidents WHERE contained IS NULL OR contained >= ?1 ORDER BY opened DESC, id",
        )?;
        select.query_map([column(since)], |row| row.get(0))?.collect()
    };
    let records = read().doing("read the incidents")?;
    records.iter().map(|record| decode::<v1::Incident, _>(record).of_table("incidents")).collect()
}

/// Configurations that the checkpoint names, in its order. One that was never kept is left out.
pub(super) fn configurations(db: &Connection, named: &[Digest]) -> Result<Vec<(Digest, Vec<u8>)>, StoreError> {
    let read = || -> rusqlite::Result<Vec<(Digest, Vec<u8>)>> {
        let mut select = db.prepare("SELECT body FROM configurations WHERE digest = ?1")?;
        let mut found = Vec::new();
        for digest in named {
            let mut rows = select.query([aliases::body_key(digest)])?;
            if let Some(row) = rows.next()? {
                found.push((*digest, row.get(0)?));
            }
        }
        Ok(found)
    };
    read().doing("read the configurations")
}

/// Keeps configurations. One that is there already stays.
pub(super) fn keep_configurations(
    transaction: &Transaction<'_>,
    configurations: &[(Digest, Vec<u8>)],
) -> rusqlite::Result<()> {
    let mut insert = transaction.prepare_cached("INSERT OR IGNORE INTO configurations VALUES (?1, ?2)")?;
    for (digest, body) in configurations {
        insert.execute(params![aliases::body_key(digest), body])?;
    }
    Ok(())
}

/// Writes one partition's line in the list.
pub(super) fn write_part(transaction: &Transaction<'_>, part: &Part) -> rusqlite::Result<()> {
    let mut set =
        transaction.prepare_cached("INSERT OR REPLACE INTO partitions VALUES (?1,?2,?3,?4,?5,?6,?7,?8,?9,?10)")?;
    set.execute(params![
        part.number,
        part.name,
        column(part.begins),
        column(part.ends),
        part.sealed,
        part.content.cast_signed(),
        part.bytes.cast_signed(),
        part.actions.cast_signed(),
        part.turns.cast_signed(),
        part.spread.as_ref().map(Spread::to_bytes),
    ])?;
    Ok(())
}

/// Takes one partition's line out of the list.
pub(super) fn forget_part(db: &Connection, number: i64) -> rusqlite::Result<()> {
    db.execute("DELETE FROM partitions WHERE number = ?1", [number]).map(drop)
}

/// The list of partitions, the oldest first. Their filters are not part of it.
pub(super) fn parts(db: &Connection) -> rusqlite::Result<Vec<Part>> {
    let mut select = db.prepare_cached("SELECT * FROM partitions ORDER BY number")?;
    let has_spread = select.column_names().into_iter().any(|name| name == "spread");
    let part = |row: &rusqlite::Row<'_>| {
        let number = |index: usize| row.get::<_, i64>(index).map(i64::cast_unsigned);
        let spread: Option<Vec<u8>> = if has_spread { row.get(9)? } else { None };
        Ok(Part {
            number: row.get(0)?,
            name: row.get(1)?,
            begins: Nanos(number(2)?),
            ends: Nanos(number(3)?),
            sealed: row.get(4)?,
            content: number(5)?,
            bytes: number(6)?,
            actions: number(7)?,
            turns: number(8)?,
            spread: spread.as_deref().and_then(Spread::from_bytes),
            filter: None,
        })
    };
    select.query_map([], part)?.collect()
}

/// Deletes turns that are closed, whose components are all settled, and that were not touched since `before`; with
/// their components and names, at most `most` turns. Says how many.
pub(super) fn purge(transaction: &Transaction<'_>, before: Nanos, most: usize) -> rusqlite::Result<usize> {
    let old: Vec<Vec<u8>> = transaction
        .prepare_cached(
            "SELECT id FROM turns WHERE closed = 1 AND touched < ?1
             AND NOT EXISTS (SELECT 1 FROM actions WHERE turn = id AND settled = 0) LIMIT ?2",
        )?
        .query_map(params![column(before), most as i64], |row| row.get(0))?
        .collect::<rusqlite::Result<_>>()?;
    for table in ["turns WHERE id", "actions WHERE turn", "wants WHERE turn"] {
        let mut delete = transaction.prepare_cached(&format!("DELETE FROM {table} = ?1"))?;
        for turn in &old {
            delete.execute([turn])?;
        }
    }
    Ok(old.len())
}

/// Deletes slices of the ledger that begin before a time.
pub(super) fn forget_ledger(db: &Connection, before: Nanos) -> rusqlite::Result<usize> {
    db.execute("DELETE FROM ledger WHERE slice < ?1 AND slice >= 0", [column(before)])
}

/// How far back a checkpoint's reader looks for contained incidents.
pub(super) const INCIDENTS: Span = Span::days(7);

fn odd(table: &'static str, field: &'static str) -> StoreError {
    StoreError::Malformed { table, source: super::Malformed::of_column(field) }
}
