//! No space left: a writer whose files may not grow. Its changes fail, and nothing else happens.
#![cfg(unix)]

use std::path::Path;

use brain_core::{ErrorKind, OnConflict, Scope, SimilarityBackend, SimilarityIndex};
use futures::executor::block_on;

use crate::child::{Process, role, tell};
use crate::home::{Home, add, assert_holds, backend, spec};

const TEST: &str = "disk_full::changes_that_do_not_fit_fail_and_are_not_there";

/// Rows of one batch: 256 KiB of vectors.
const BATCH: u32 = 1024;

#[test]
fn changes_that_do_not_fit_fail_and_are_not_there() {
    if let Some((home, batches)) = role() {
        return write_until_it_fails(&home, batches.parse().unwrap());
    }
    // The rows run into the limit at different places: within a batch, within the order, within the database's log.
    for limit in [300, 513, 1000, 1700] {
        let home = Home::new();
        home.create();
        let process = Process::start(TEST, home.folder.path(), "20", Some(limit));
        let (status, lines) = process.end();
        assert!(status.success(), "{lines:?}");
        let (error, done) = lines.split_last().unwrap();
        assert!(error.starts_with("Unavailable"), "{error}");
        assert!(error.contains("free some space") || error.contains("check the disk"), "{error}");
        let held = done.len() as u32 * BATCH;
        assert!(held < 20 * BATCH, "the limit of {limit} KiB was not reached");
        assert_holds(&*home.open().unwrap(), 0..held);
        // There is space again: the same change succeeds, and the ones after it.
        let (status, lines) = Process::start(TEST, home.folder.path(), "20", None).end();
        assert!(status.success());
        assert_eq!(lines.len() as u32, 20 - done.len() as u32);
        assert_holds(&*home.open().unwrap(), 0..20 * BATCH);
    }
}

/// Adds batches until there are so many; an error is told, and the index must be as it was before.
fn write_until_it_fails(home: &Path, batches: u32) {
    let index = block_on(backend(home).open(&spec())).unwrap();
    let first = held(&*index) / BATCH;
    for number in first..batches {
        let before = held(&*index);
        match add(&*index, number * BATCH..(number + 1) * BATCH, OnConflict::Error) {
            Ok(_) => tell("done"),
            Err(error) => {
                assert_ne!(error.kind(), ErrorKind::Conflict, "{error}");
                assert_eq!(held(&*index), before);
                assert_holds(&*index, 0..before);
                return tell(&format!("{}: {error}; {}", error.kind(), error.hint().unwrap_or_default()));
            }
        }
    }
}

fn held(index: &dyn SimilarityIndex) -> u32 {
    block_on(index.count(Scope::All)).unwrap() as u32
}
