//! No space left: a writer whose files may not grow. Its changes fail, and nothing else happens.
#![cfg(unix)]

use std::path::Path;

use brain_core::{ErrorKind, OnConflict, Scope, SimilarityBackend, SimilarityIndex};
use brain_local::LocalBackend;
use brain_store::Database;
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
        assert!(is_about_space(error), "{error}");
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

const OPENING: &str = "disk_full::a_disk_that_is_full_already_is_said_to_be_and_harms_nothing";

#[test]
fn a_disk_that_is_full_already_is_said_to_be_and_harms_nothing() {
    if let Some((home, what)) = role() {
        return open_and_use(&home, &what);
    }
    let home = Home::new();
    add(&*home.create(), 0..BATCH, OnConflict::Error).unwrap();
    let start = |what| Process::start(OPENING, home.folder.path(), what, Some(0));
    let said = |what| {
        let (status, lines) = start(what).end();
        assert!(status.success(), "{what}: {lines:?}");
        lines
    };
    // Nobody has the home open, and the database's log cannot be made.
    for what in ["search", "add"] {
        let lines = said(what);
        assert!(is_about_space(&lines[0]), "{what}: {lines:?}");
    }
    // Somebody has: the log is there, so that all can be read and nothing written.
    let index = home.open().unwrap();
    assert_holds(&*index, 0..BATCH);
    assert_eq!(said("search"), ["holds all"]);
    let lines = said("add");
    assert!(is_about_space(&lines[0]), "{lines:?}");
    assert_holds(&*index, 0..BATCH);
    drop(index);
    // There is space again.
    add(&*home.open().unwrap(), BATCH..2 * BATCH, OnConflict::Error).unwrap();
    assert_holds(&*home.open().unwrap(), 0..2 * BATCH);
}

/// As a program does that is started on a full disk.
fn open_and_use(home: &Path, what: &str) {
    let used = Database::open(home).and_then(LocalBackend::new).and_then(|backend| {
        let index = block_on(backend.open(&spec()))?;
        if what == "add" {
            return add(&*index, BATCH..2 * BATCH, OnConflict::Error).map(drop);
        }
        assert_holds(&*index, 0..BATCH);
        tell("holds all");
        Ok(())
    });
    if let Err(error) = used {
        tell(&format!("{}: {error}; {}", error.kind(), error.hint().unwrap_or_default()));
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

/// The limit on files is not what a full disk says, word for word.
fn is_about_space(error: &str) -> bool {
    error.starts_with("Unavailable") && (error.contains("free some space") || error.contains("check the disk"))
}

fn held(index: &dyn SimilarityIndex) -> u32 {
    block_on(index.count(Scope::All)).unwrap() as u32
}
