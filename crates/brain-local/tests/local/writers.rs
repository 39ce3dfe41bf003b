//! Readers beside writers, writers beside each other.

use std::sync::atomic::{AtomicBool, Ordering};

use brain_core::{ErrorKind, OnConflict, OnMissing, Scope, Selector, SimilarityIndex};
use futures::executor::block_on;
use futures::{StreamExt, stream};

use crate::home::{Home, add, assert_holds, batch, id, nearest};

#[test]
fn a_reader_sees_whole_batches_only() {
    let home = Home::new();
    let writer = home.create();
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                let reader = home.open().unwrap();
                let mut latest = 0;
                while !done.load(Ordering::Relaxed) {
                    let found = nearest(&*reader, 0, 100_000, Scope::All).unwrap();
                    assert!(found.len() >= latest && found.len().is_multiple_of(50), "{} after {latest}", found.len());
                    // Rank and number are the same only if nothing is missing and nothing doubled.
                    assert!(found.iter().enumerate().all(|(rank, hit)| hit.distance == rank as f32));
                    latest = found.len();
                }
            });
        }
        for start in (0..2000).step_by(50) {
            add(&*writer, start..start + 50, OnConflict::Error).unwrap();
        }
        done.store(true, Ordering::Relaxed);
    });
    assert_holds(&*home.open().unwrap(), 0..2000);
}

#[test]
fn readers_are_right_while_the_index_is_written_anew_again_and_again() {
    let home = Home::new();
    let writer = home.create();
    add(&*writer, 0..5000, OnConflict::Error).unwrap();
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                // A new handle each time: it maps files that may be compacted away under it.
                assert_holds(&*home.open().unwrap(), 0..5000);
            }
        });
        for _ in 0..12 {
            assert_eq!(add(&*writer, 0..5000, OnConflict::Overwrite).unwrap().replaced, 5000);
        }
        done.store(true, Ordering::Relaxed);
    });
    // A command waits for the upkeep that it began, and what came after it began is seen to by the next.
    add(&*writer, 0..1, OnConflict::Overwrite).unwrap();
    drop(writer);
    let info = block_on(home.open().unwrap().info()).unwrap();
    assert!(info.details["rows"].as_u64().unwrap() <= 10_000, "{info:?}");
}

#[test]
fn writers_take_turns() {
    let home = Home::new();
    home.create();
    std::thread::scope(|scope| {
        for writer in 0..4 {
            let home = &home;
            scope.spawn(move || {
                let index = home.open().unwrap();
                for step in 0..10 {
                    let start = (writer * 10 + step) * 20;
                    add(&*index, start..start + 20, OnConflict::Error).unwrap();
                }
            });
        }
    });
    assert_holds(&*home.open().unwrap(), 0..800);
}

#[test]
fn a_bad_batch_stops_the_stream_and_leaves_the_earlier_ones() {
    let home = Home::new();
    let index = home.create();
    let mut bad = batch(10..20);
    bad.push(brain_core::Item::sample(id(20)), &[f32::NAN; crate::home::DIMENSION]).unwrap();
    let batches = stream::iter([Ok(batch(0..10)), Ok(bad), Ok(batch(30..40))]).boxed();
    let error = block_on(index.add(batches, OnConflict::Error)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
    assert_holds(&*home.open().unwrap(), 0..10);
    let error = add(&*index, 5..15, OnConflict::Error).unwrap_err();
    assert!(error.kind() == ErrorKind::Conflict && error.message().ends_with("and so are 4 others of the batch"), "{error}");
    assert_holds(&*index, 0..10);
}

#[test]
fn a_missing_id_is_ignored_listed_or_refused() {
    let home = Home::new();
    let index = home.create();
    add(&*index, 0..10, OnConflict::Error).unwrap();
    let remove = |index: &dyn SimilarityIndex, ids: &[u32], on_missing| {
        let ids: Vec<_> = ids.iter().copied().map(id).collect();
        block_on(index.remove(Selector::Items(&ids), on_missing))
    };
    let error = remove(&*index, &[0, 77, 78], OnMissing::Error).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert!(error.message().contains(&id(77).to_string()) && error.message().contains(&id(78).to_string()));
    assert_holds(&*index, 0..10);
    let report = remove(&*index, &[0, 77, 0, 77], OnMissing::Warn).unwrap();
    assert_eq!((report.removed, report.missing), (1, vec![id(77)]));
    let report = remove(&*index, &[0, 1, 77], OnMissing::Ignore).unwrap();
    assert_eq!((report.removed, report.missing), (1, vec![]));
    assert_holds(&*index, 2..10);
}
