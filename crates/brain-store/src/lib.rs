//! The one SQLite file of a brain home, `brain.db`: datasets, runs and the manifests of local indexes live in it, each crate with tables of its own.
//!
//! This crate owns what those crates would otherwise write three times: where the file is, how it is opened so that two processes may use it at
//! once, how a crate brings its tables up to date, how a write transaction is made, and how SQLite's failures become the library's errors.
//!
//! *Durability:* WAL with `synchronous = FULL`. A transaction that committed survives a kill and a power loss; one that did not leaves no trace.
//!
//! ```
//! use brain_store::Database;
//! # let folder = tempfile::tempdir()?;
//! let database = Database::open(folder.path())?;
//! database.migrate("notes", &["CREATE TABLE notes_note (text TEXT NOT NULL)"])?;
//! database.write("add a note", |transaction| transaction.execute("INSERT INTO notes_note VALUES ('hello')", []))?;
//! let count: i64 = database.read("count notes", |connection| connection.query_row("SELECT count(*) FROM notes_note", [], |row| row.get(0)))?;
//! assert_eq!(count, 1);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

#![forbid(unsafe_code)]

mod error;

use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use brain_core::{Error, ErrorKind, Result};
use rusqlite::{Connection, ErrorCode, OpenFlags, Transaction, TransactionBehavior};

pub use error::StoreError;

/// The file's name inside a home.
pub const FILE_NAME: &str = "brain.db";

/// How long a write waits for another process's write before it gives up.
const BUSY: Duration = Duration::from_secs(30);

/// How soon that is tried again which SQLite does not wait for itself.
const RETRY: Duration = Duration::from_millis(2);

/// How many idle connections are kept for the next caller.
const IDLE: usize = 8;

/// A handle on a home's `brain.db`. Clones share the same connections.
#[derive(Clone)]
pub struct Database {
    shared: Arc<Shared>,
}

struct Shared {
    home: PathBuf,
    idle: Mutex<Vec<Connection>>,
}

impl Database {
    /// Opens the file in `home`, making folder and file where there are none.
    ///
    /// # Errors
    /// [`Unavailable`](ErrorKind::Unavailable) when the home cannot be written to; [`Corrupt`](ErrorKind::Corrupt) when the file is no database.
    pub fn open(home: &Path) -> Result<Self> {
        std::fs::create_dir_all(home).map_err(|source| {
            Error::new(ErrorKind::Unavailable, format!("cannot make the home {}: {source}", home.display()))
                .with_operation("open home")
                .with_hint("give this user the permission, or choose another home with --home or FIFTYONE_BRAIN_HOME")
                .with_source(source)
        })?;
        // Absolute, so that a program may change its working folder while it holds the home.
        let home = std::path::absolute(home).map_err(|source| Error::io("find", home, source))?;
        let database = Self { shared: Arc::new(Shared { home, idle: Mutex::new(Vec::new()) }) };
        database
            .connect()?
            .execute_batch("CREATE TABLE IF NOT EXISTS store_schema (component TEXT PRIMARY KEY, version INTEGER NOT NULL) WITHOUT ROWID")
            .map_err(|source| StoreError(source).into_error("open home", &database.path()))?;
        Ok(database)
    }

    /// The folder the file lies in.
    pub fn home(&self) -> &Path {
        &self.shared.home
    }

    /// Where the file is.
    pub fn path(&self) -> PathBuf {
        self.shared.home.join(FILE_NAME)
    }

    /// A connection of the caller's own, for a long cursor say; it goes back to the pool when it is dropped.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn connect(&self) -> Result<PooledConnection> {
        let idle = self.shared.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let connection = match idle {
            Some(connection) => connection,
            None => self.fresh().map_err(|source| StoreError(source).into_error("open home", &self.path()))?,
        };
        Ok(PooledConnection { connection: Some(connection), shared: Arc::clone(&self.shared) })
    }

    fn fresh(&self) -> rusqlite::Result<Connection> {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(self.path(), flags)?;
        connection.busy_timeout(BUSY)?;
        switch_to_wal(&connection)?;
        connection.pragma_update(None, "synchronous", "FULL")?;
        connection.pragma_update(None, "foreign_keys", "ON")?;
        connection.pragma_update(None, "temp_store", "MEMORY")?;
        connection.pragma_update(None, "cache_size", -32_768)?;
        connection.set_prepared_statement_cache_capacity(64);
        Ok(connection)
    }

    /// Brings the tables of `component` up to date: runs those of `steps` that have not run on this file, in one transaction.
    ///
    /// Step `i` leads from version `i` to `i + 1`; a step that was released is never changed.
    ///
    /// # Errors
    /// [`Conflict`](ErrorKind::Conflict) when the file was written by a newer version of the component.
    pub fn migrate(&self, component: &str, steps: &[&str]) -> Result<()> {
        const VERSION: &str = "SELECT coalesce((SELECT version FROM store_schema WHERE component = ?1), 0)";
        let version = |connection: &Connection| connection.query_row(VERSION, [component], |row| row.get::<_, u32>(0));
        let have = self.read("read schema version", version)? as usize;
        if have > steps.len() {
            return Err(Error::new(
                ErrorKind::Conflict,
                format!(
                    "{} was written by a newer version of this program ({component} {have}, this one knows {})",
                    self.path().display(),
                    steps.len()
                ),
            )
            .with_operation("open home")
            .with_hint("update the program, or choose another home with --home"));
        }
        if have == steps.len() {
            return Ok(());
        }
        self.write("update schema", |transaction| {
            // Another process may have been here between the look and the lock.
            for step in steps.iter().skip(version(transaction)? as usize) {
                transaction.execute_batch(step)?;
            }
            transaction.execute("INSERT OR REPLACE INTO store_schema VALUES (?1, ?2)", (component, steps.len() as i64))
        })?;
        Ok(())
    }

    /// Reads with a pooled connection.
    ///
    /// # Errors
    /// What `body` returns: SQLite's failures become the library's errors, the library's own pass through.
    pub fn read<T, E: Into<StoreFailure>>(&self, operation: &'static str, body: impl FnOnce(&Connection) -> Result<T, E>) -> Result<T> {
        let connection = self.connect()?;
        body(&connection).map_err(|failure| self.failure(operation, failure.into()))
    }

    /// Writes in one transaction, which takes the write lock at its start, so that it never fails half-way for being late.
    /// It is committed, durably, when `body` succeeds and rolled back when it fails.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    pub fn write<T, E: Into<StoreFailure>>(&self, operation: &'static str, body: impl FnOnce(&Transaction<'_>) -> Result<T, E>) -> Result<T> {
        let mut connection = self.connect()?;
        let transaction =
            connection.inner().transaction_with_behavior(TransactionBehavior::Immediate).map_err(|source| self.failure(operation, source.into()))?;
        let value = body(&transaction).map_err(|failure| self.failure(operation, failure.into()))?;
        transaction.commit().map_err(|source| self.failure(operation, source.into()))?;
        Ok(value)
    }

    /// SQLite's failure as the library's error, for callers that hold a connection of their own.
    pub fn error(&self, operation: &'static str, source: rusqlite::Error) -> Error {
        StoreError(source).into_error(operation, &self.path())
    }

    fn failure(&self, operation: &'static str, failure: StoreFailure) -> Error {
        match failure {
            StoreFailure::Sqlite(source) => self.error(operation, source),
            StoreFailure::Library(error) => error.with_operation(operation),
        }
    }
}

/// The first switch of a file to WAL makes a writer of a reader, and there SQLite does not wait but says "busy" at once, whatever its timeout:
/// of those who open a new home together all but one would fail. So the waiting is done here.
fn switch_to_wal(connection: &Connection) -> rusqlite::Result<()> {
    let until = Instant::now() + BUSY;
    loop {
        match connection.pragma_update(None, "journal_mode", "WAL") {
            Err(error) if error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy) && Instant::now() < until => std::thread::sleep(RETRY),
            outcome => return outcome,
        }
    }
}

impl std::fmt::Debug for Database {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Database").field("path", &self.path()).finish()
    }
}

/// Why the body of a [`Database::read`] or [`Database::write`] failed.
#[derive(Debug)]
pub enum StoreFailure {
    /// SQLite said no.
    Sqlite(rusqlite::Error),
    /// The library said no.
    Library(Error),
}

impl From<rusqlite::Error> for StoreFailure {
    fn from(source: rusqlite::Error) -> Self {
        Self::Sqlite(source)
    }
}

impl From<Error> for StoreFailure {
    fn from(error: Error) -> Self {
        Self::Library(error)
    }
}

/// A connection that goes back to its [`Database`] when it is dropped.
pub struct PooledConnection {
    /// `None` only while dropping.
    connection: Option<Connection>,
    shared: Arc<Shared>,
}

impl PooledConnection {
    /// The connection, to begin a transaction on.
    #[expect(clippy::expect_used, reason = "the connection is only taken by drop")]
    pub fn inner(&mut self) -> &mut Connection {
        self.connection.as_mut().expect("a connection until it is dropped")
    }
}

impl Deref for PooledConnection {
    type Target = Connection;

    #[expect(clippy::expect_used, reason = "the connection is only taken by drop")]
    fn deref(&self) -> &Connection {
        self.connection.as_ref().expect("a connection until it is dropped")
    }
}

impl Drop for PooledConnection {
    fn drop(&mut self) {
        if let Some(connection) = self.connection.take() {
            let mut idle = self.shared.idle.lock().unwrap_or_else(PoisonError::into_inner);
            // One with an open transaction (a caller that panicked, say) is closed instead.
            if connection.is_autocommit() && idle.len() < IDLE {
                idle.push(connection);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STEPS: &[&str] = &["CREATE TABLE t (x INTEGER NOT NULL)", "ALTER TABLE t ADD COLUMN y INTEGER"];

    #[test]
    fn steps_run_once_and_newer_files_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let database = Database::open(folder.path()).unwrap();
        database.migrate("t", &STEPS[..1]).unwrap();
        database.migrate("t", STEPS).unwrap();
        database.migrate("t", STEPS).unwrap();
        database.write("w", |transaction| transaction.execute("INSERT INTO t VALUES (1, 2)", [])).unwrap();
        let error = database.migrate("t", &STEPS[..1]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Conflict);
    }

    #[test]
    fn a_failed_write_leaves_no_trace() {
        let folder = tempfile::tempdir().unwrap();
        let database = Database::open(folder.path()).unwrap();
        database.migrate("t", STEPS).unwrap();
        let error = database
            .write("w", |transaction| {
                transaction.execute("INSERT INTO t VALUES (1, 2)", [])?;
                Err::<(), StoreFailure>(Error::invalid("no").into())
            })
            .unwrap_err();
        assert_eq!((error.kind(), error.operation()), (ErrorKind::InvalidInput, Some("w")));
        let rows: i64 = database.read("r", |connection| connection.query_row("SELECT count(*) FROM t", [], |row| row.get(0))).unwrap();
        assert_eq!(rows, 0);
    }

    #[test]
    fn two_handles_write_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path();
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(move || {
                    let database = Database::open(path).unwrap();
                    database.migrate("t", STEPS).unwrap();
                    for _ in 0..20 {
                        database.write("w", |transaction| transaction.execute("INSERT INTO t VALUES (1, 2)", [])).unwrap();
                    }
                });
            }
        });
        let database = Database::open(path).unwrap();
        let rows: i64 = database.read("r", |connection| connection.query_row("SELECT count(*) FROM t", [], |row| row.get(0))).unwrap();
        assert_eq!(rows, 80);
    }

    #[test]
    fn a_new_home_is_opened_by_many_at_once() {
        for _ in 0..40 {
            let folder = tempfile::tempdir().unwrap();
            std::thread::scope(|scope| {
                for _ in 0..8 {
                    scope.spawn(|| Database::open(folder.path()).unwrap().migrate("t", STEPS).unwrap());
                }
            });
        }
    }

    #[test]
    fn what_is_no_database_is_named() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join(FILE_NAME), vec![7; 4096]).unwrap();
        let error = Database::open(folder.path()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Corrupt);
        assert!(error.message().contains(FILE_NAME));
    }

    #[test]
    fn a_home_under_a_file_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("file"), "x").unwrap();
        let error = Database::open(&folder.path().join("file/home")).unwrap_err();
        assert!(error.message().contains("file/home"), "{error}");
    }
}
