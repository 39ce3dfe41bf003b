//! SQLite's failures as the library's errors.

use std::path::Path;

use brain_core::{Error, ErrorKind};
use rusqlite::{ErrorCode, ffi};

/// What to do about a file that is not what was written.
const RESTORE: &str = "restore the file from a backup, or choose another home with --home";

/// What to do about a disk that is full.
const FREE_SPACE: &str = "free some space and run the same command again; nothing that was acknowledged is lost";

/// A failure of SQLite, on its way to becoming an [`Error`].
#[derive(Debug)]
pub struct StoreError(pub rusqlite::Error);

impl StoreError {
    /// The library's error for this failure of `operation` on the file at `path`.
    pub fn into_error(self, operation: &'static str, path: &Path) -> Error {
        let (kind, hint, retryable) = match self.0.sqlite_error_code() {
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
                (ErrorKind::Unavailable, "another process is writing to this home; run the command again when it is done", true)
            }
            Some(ErrorCode::DiskFull) => (ErrorKind::Unavailable, FREE_SPACE, true),
            // What processes share lies in a file too, for which a full disk has no room.
            Some(ErrorCode::SystemIoFailure) if self.0.sqlite_error().map(|error| error.extended_code) == Some(ffi::SQLITE_IOERR_SHMSIZE) => {
                (ErrorKind::Unavailable, FREE_SPACE, true)
            }
            Some(ErrorCode::ReadOnly | ErrorCode::CannotOpen | ErrorCode::PermissionDenied) => (
                ErrorKind::Unavailable,
                "give this user the permission to write there, or choose another home with --home or FIFTYONE_BRAIN_HOME",
                false,
            ),
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => (ErrorKind::Corrupt, RESTORE, false),
            // A value of another type or size than was ever written there.
            None if self.is_conversion() => (ErrorKind::Corrupt, RESTORE, false),
            Some(ErrorCode::SystemIoFailure) => (ErrorKind::Unavailable, "check the disk, its free space and its cables", true),
            _ => (ErrorKind::Unexpected, "", false),
        };
        let mut error = Error::new(kind, format!("{}: {}", path.display(), self.0)).with_operation(operation).with_source(self.0);
        if !hint.is_empty() {
            error = error.with_hint(hint);
        }
        if retryable { error.retryable() } else { error }
    }

    fn is_conversion(&self) -> bool {
        use rusqlite::Error as Sqlite;
        matches!(
            self.0,
            Sqlite::IntegralValueOutOfRange(..) | Sqlite::InvalidColumnType(..) | Sqlite::FromSqlConversionFailure(..) | Sqlite::Utf8Error(..)
        )
    }
}
