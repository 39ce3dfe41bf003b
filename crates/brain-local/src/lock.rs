//! One writer at a time, across threads and processes.

use std::fs::{File, OpenOptions, TryLockError};
use std::path::Path;
use std::thread::sleep;
use std::time::{Duration, Instant};

use brain_core::{Error, ErrorKind, Result};

/// How long a writer waits for another. Batches take well under a second; compaction of a large index takes some.
const PATIENCE: Duration = Duration::from_secs(60);

/// Held by the writer of an index; given back when it is dropped, or by the system when its process ends, however it ends.
///
/// A lock on a file and not SQLite's write lock: that one is shared by everything in the home, and would make a dataset's import wait while a batch of
/// vectors is written and synced. The transaction that publishes the batch takes a few milliseconds, and checks the generation too, so that a file
/// system without working locks leads to a [`Conflict`](ErrorKind::Conflict) and not to a broken index.
pub(crate) struct WriterLock {
    _file: File,
}

impl WriterLock {
    /// Waits for the lock of the index in `folder`.
    ///
    /// # Errors
    /// [`Unavailable`](ErrorKind::Unavailable) when another writer holds it for a minute.
    pub(crate) fn acquire(folder: &Path) -> Result<Self> {
        let path = folder.join("lock");
        let failed = |source| Error::io("lock", &path, source);
        let file = OpenOptions::new().write(true).create(true).truncate(false).open(&path).map_err(failed)?;
        let start = Instant::now();
        let mut pause = Duration::from_micros(200);
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(Self { _file: file }),
                Err(TryLockError::Error(source)) => return Err(failed(source)),
                Err(TryLockError::WouldBlock) if start.elapsed() > PATIENCE => {
                    return Err(Error::new(ErrorKind::Unavailable, format!("another process has been writing to {} for a minute", folder.display()))
                        .with_hint("run the command again when it is done")
                        .retryable());
                }
                Err(TryLockError::WouldBlock) => {
                    sleep(pause);
                    pause = (pause * 2).min(Duration::from_millis(20));
                }
            }
        }
    }
}
