//! A server whose memory is used up, or that may drop what it was given.

use brain_core::{ErrorKind, OnConflict, OnMissing, Scope, Selector, SimilarityBackend};
use brain_testkit::compare::Recall;
use brain_testkit::questions::{add, assert_answers, batch_of};
use brain_testkit::resp::Client;
use brain_testkit::services::redis_faults;
use futures::stream::{self, StreamExt as _};

use crate::faults::rows;
use crate::place::Place;
use crate::server::run;

fn used(client: &mut Client) -> u64 {
    let info = client.say("INFO memory").text();
    info.lines().find_map(|line| line.strip_prefix("used_memory:")).unwrap().trim().parse().unwrap()
}

/// The server's limits as they were, whatever happens.
struct Limits(Client);

impl Limits {
    fn set(&mut self, bytes: u64, policy: &str) {
        self.0.say(&format!("CONFIG SET maxmemory {bytes}"));
        self.0.say(&format!("CONFIG SET maxmemory-policy {policy}"));
    }
}

impl Drop for Limits {
    fn drop(&mut self) {
        self.set(0, "noeviction");
    }
}

#[test]
fn rows_that_find_no_room_are_not_there() {
    const BATCH: usize = 200;
    run(async {
        let server = redis_faults();
        let place = Place::new((*server).clone());
        let mut limits = Limits(place.client());
        for (algorithm, storage) in [("FLAT", "hash"), ("HNSW", "hash"), ("FLAT", "json")] {
            let spec = place.spec(&format!("full_{algorithm}_{storage}"), &[("algorithm", algorithm), ("storage", storage)]);
            let index = place.backend().create(&spec).await.unwrap();
            let all = rows(20_000, 1);
            add(&*index, &all[..BATCH], OnConflict::Error).await.unwrap();
            let most = used(&mut limits.0) + (1 << 20);
            limits.set(most, "noeviction");
            let batches = stream::iter(all[BATCH..].chunks(BATCH).map(|rows| Ok(batch_of(rows))));
            let error = index.add(batches.boxed(), OnConflict::Error).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Unavailable, "{error:?}");
            assert!(error.hint().is_some_and(|hint| hint.contains("maxmemory")), "{error:?}");
            // It is read and searched as before.
            let there = index.count(Scope::All).await.unwrap() as usize;
            assert!(there >= BATCH && there.is_multiple_of(BATCH), "{there} rows: part of a batch is there");
            assert_answers(&*index, &all[..there], &mut Recall::default()).await;
            let ids: Vec<_> = all[..BATCH].iter().map(|(item, _)| item.id.clone()).collect();
            // There is always room to remove something.
            assert_eq!(index.remove(Selector::Items(&ids), OnMissing::Error).await.unwrap().removed, BATCH as u64);
            assert_eq!(index.count(Scope::All).await.unwrap() as usize, there - BATCH);
            limits.set(0, "noeviction");
            // Doing it again finishes it.
            let report = add(&*index, &all[..4_000], OnConflict::Skip).await.unwrap();
            assert_eq!(report.added + report.skipped, 4_000);
            assert_eq!(index.count(Scope::All).await.unwrap() as usize, there.max(4_000));
            place.backend().drop_index(&(&spec).into()).await.unwrap();
        }
    });
}

#[test]
fn a_policy_that_may_drop_vectors_is_warned_of() {
    run(async {
        let server = redis_faults();
        let place = Place::new((*server).clone());
        let mut limits = Limits(place.client());
        let told = async || place.backend().health().await.unwrap().detail;
        let plain = told().await;
        assert!(!plain.contains("maxmemory-policy"), "{plain}");
        limits.set(1 << 30, "allkeys-lru");
        let warned = told().await;
        assert!(warned.contains("maxmemory-policy allkeys-lru"), "{warned}");
        // A policy that touches only keys that expire touches none of ours.
        limits.set(1 << 30, "volatile-lru");
        let plain = told().await;
        assert!(!plain.contains("maxmemory-policy"), "{plain}");
    });
}
