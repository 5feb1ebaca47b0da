//! Opening SQLite files: one way to write, one way to read, one check of the format.

use std::path::Path;
use std::time::Duration;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_encode};
use rusqlite::{Connection, ErrorCode, OpenFlags};

use super::error::{Doing, StoreError};

/// Version of the tables. A file with another one is refused, never guessed at.
pub(super) const FORMAT: i64 = 1;
/// `whrf`: marks our files among SQLite files.
const APPLICATION: i64 = 0x7768_7266;
/// How long to wait for a reader that holds a lock.
pub(super) const PATIENCE: Duration = Duration::from_secs(5);
/// Rows are a few kilobytes.
const PAGE: i64 = 8192;
/// Page cache of a writer. A large commit whose pages do not fit writes them twice.
const CACHE_KIB: i64 = 16 << 10;
/// What stays of the write-ahead log after a large commit.
const LOG_BYTES: i64 = 64 << 20;
/// Pages of the write-ahead log after which a commit also moves them into the file. More than one commit has: a page
/// that several commits change is moved once.
const CHECKPOINT: i64 = LOG_BYTES / PAGE;

/// What stands for itself in the path of a URI (RFC 3986).
const IN_PATH: &AsciiSet = &NON_ALPHANUMERIC.remove(b'/').remove(b'.').remove(b'-').remove(b'_').remove(b'~');

/// Opens a file for writing, and makes its tables when it is new. Every commit is synced.
pub(super) fn open_to_write(path: &Path, schema: &str) -> Result<Connection, StoreError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let db = Connection::open_with_flags(path, flags).doing("open a database")?;
    db.busy_timeout(PATIENCE).doing("set the busy timeout")?;
    if is_new(&db, path)? {
        create(&db, schema).doing("create the tables")?;
    } else {
        check_format(&db, path)?;
    }
    db.pragma_update(None, "journal_mode", "WAL").doing("turn the write-ahead log on")?;
    db.pragma_update(None, "synchronous", "FULL").doing("ask for synced commits")?;
    db.pragma_update(None, "journal_size_limit", LOG_BYTES).doing("limit the write-ahead log")?;
    db.pragma_update(None, "wal_autocheckpoint", CHECKPOINT).doing("set when the write-ahead log is emptied")?;
    db.pragma_update(None, "cache_size", -CACHE_KIB).doing("set the size of the page cache")?;
    db.set_prepared_statement_cache_capacity(64);
    Ok(db)
}

/// Opens a file for reading. `sealed`: nobody will ever write to it again.
pub(super) fn open_to_read(path: &Path, sealed: bool) -> Result<Connection, StoreError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let immutable = || {
        let path = percent_encode(path.as_os_str().as_encoded_bytes(), IN_PATH);
        let uri = format!("file:{path}?immutable=1");
        Connection::open_with_flags(uri, flags | OpenFlags::SQLITE_OPEN_URI)
    };
    let db = if sealed { immutable() } else { Connection::open_with_flags(path, flags) };
    let db = db.doing("open a database to read")?;
    db.busy_timeout(PATIENCE).doing("set the busy timeout")?;
    let db = match check_format(&db, path) {
        Ok(()) => db,
        // A folder that may not be written: without a log there is nothing that a plain reading would miss.
        Err(StoreError::Database { source, .. })
            if source.sqlite_error_code() == Some(ErrorCode::CannotOpen) && !log_of(path).exists() =>
        {
            let db = immutable().doing("open a database to read")?;
            check_format(&db, path)?;
            db
        }
        Err(error) => return Err(error),
    };
    db.set_prepared_statement_cache_capacity(32);
    Ok(db)
}

/// The write-ahead log beside a file.
fn log_of(path: &Path) -> std::path::PathBuf {
    let mut log = path.as_os_str().to_owned();
    log.push("-wal");
    log.into()
}

/// A file without a table: just made, or left by a crash before its tables were.
fn is_new(db: &Connection, path: &Path) -> Result<bool, StoreError> {
    let tables = db.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get::<_, i64>(0));
    match tables {
        Ok(tables) => Ok(tables == 0),
        Err(error) if error.sqlite_error_code() == Some(ErrorCode::NotADatabase) => {
            Err(StoreError::Foreign { path: path.to_owned() })
        }
        Err(error) => Err(error).doing("look into a database"),
    }
}

fn create(db: &Connection, schema: &str) -> rusqlite::Result<()> {
    // Both only count before the write-ahead log is on.
    db.pragma_update(None, "page_size", PAGE)?;
    db.pragma_update(None, "auto_vacuum", "INCREMENTAL")?;
    db.pragma_update(None, "journal_mode", "WAL")?;
    db.execute_batch(&format!(
        "BEGIN IMMEDIATE; {schema} PRAGMA application_id = {APPLICATION}; PRAGMA user_version = {FORMAT}; COMMIT;"
    ))
}

fn check_format(db: &Connection, path: &Path) -> Result<(), StoreError> {
    let number = |pragma| db.pragma_query_value(None, pragma, |row| row.get::<_, i64>(0));
    let foreign = || StoreError::Foreign { path: path.to_owned() };
    match number("application_id") {
        Ok(APPLICATION) => {}
        Ok(_) => return Err(foreign()),
        Err(error) if error.sqlite_error_code() == Some(ErrorCode::NotADatabase) => return Err(foreign()),
        Err(error) => return Err(error).doing("look into a database"),
    }
    match number("user_version").doing("look into a database")? {
        FORMAT => Ok(()),
        found => Err(StoreError::Version { path: path.to_owned(), found, known: FORMAT }),
    }
}

/// A time as SQLite's signed integer, for columns that are compared. Times past the year 2262 become that year.
pub(super) fn column(at: crate::model::Nanos) -> i64 {
    i64::try_from(at.0).unwrap_or(i64::MAX)
}
