//! Removing items, by their own ids and by those of their samples.

use brain_core::{ErrorKind, ItemId, OnConflict, OnMissing, RemoveReport, Scope, Selector, SimilarityBackend, SimilarityIndex};

use super::trial::{add, assert_names, assert_refused, ids, with_corpus};
use crate::corpus::{Corpus, Ids, strangers};
use crate::shape::Shape;

/// `Ignore`, `Warn` and `Error` do what they say about ids that are not there; an item named twice is removed once.
pub async fn follows_the_missing_rule(backend: &dyn SimilarityBackend) {
    for kind_of_ids in [Ids::Hex, Ids::Text] {
        let corpus = Corpus::samples(Shape::Lattice, 60, kind_of_ids, 1);
        let all = corpus.ids();
        let missing = strangers(3);
        with_corpus(backend, backend.capabilities().metrics[0], &corpus, async |index| {
            let some: Vec<ItemId> = [&all[..5], &missing[..], &all[..1]].concat();
            let result = index.remove(Selector::Items(&some), OnMissing::Error).await;
            let error = assert_refused(result, ErrorKind::NotFound, "removing what is not there");
            assert_names(&error, &missing[0]);
            assert_eq!(index.count(Scope::All).await.unwrap(), 60, "under Error nothing is removed where anything is missing");

            let report = index.remove(Selector::Items(&some), OnMissing::Warn).await.unwrap();
            assert_eq!(report, RemoveReport { removed: 5, missing: missing.clone() });
            let report = index.remove(Selector::Items(&some), OnMissing::Ignore).await.unwrap();
            assert_eq!(report, RemoveReport::default());
            let report = index.remove(Selector::Items(&all[5..10]), OnMissing::Error).await.unwrap();
            assert_eq!(report, RemoveReport { removed: 5, missing: vec![] });
            // On an index of samples, an item is its sample.
            let report = index.remove(Selector::Samples(&all[10..15]), OnMissing::Error).await.unwrap();
            assert_eq!(report, RemoveReport { removed: 5, missing: vec![] });
            assert_eq!(index.remove(Selector::Items(&[]), OnMissing::Error).await.unwrap(), RemoveReport::default());
            assert_left(index, &all[15..]).await;
        })
        .await;
    }
}

async fn assert_left(index: &dyn SimilarityIndex, right: &[ItemId]) {
    let mut left: Vec<ItemId> = ids(index).await.into_iter().map(|item| item.id).collect();
    left.sort_unstable();
    let mut right = right.to_vec();
    right.sort_unstable();
    assert_eq!(left, right);
    assert_eq!(index.count(Scope::All).await.unwrap(), right.len() as u64);
}

/// On an index of patches a sample's id removes all its patches, and a missing sample is reported by its own id.
pub async fn removes_the_patches_of_samples(backend: &dyn SimilarityBackend) {
    let corpus = Corpus::patches(Shape::Lattice, 80, Ids::Text, 2);
    let samples = corpus.sample_ids();
    let missing = strangers(2);
    with_corpus(backend, backend.capabilities().metrics[0], &corpus, async |index| {
        let some: Vec<ItemId> = [&missing[..1], &samples[..4], &missing[1..]].concat();
        let error = assert_refused(index.remove(Selector::Samples(&some), OnMissing::Error).await, ErrorKind::NotFound, "a missing sample");
        assert_names(&error, &missing[0]);
        let report = index.remove(Selector::Samples(&some), OnMissing::Warn).await.unwrap();
        let gone = |sample: &ItemId| samples[..4].contains(sample);
        let removed = corpus.items.iter().filter(|item| gone(&item.sample_id)).count() as u64;
        assert_eq!(report, RemoveReport { removed, missing: missing.clone() });
        let left: Vec<ItemId> = corpus.items.iter().filter(|item| !gone(&item.sample_id)).map(|item| item.id.clone()).collect();
        assert_left(index, &left).await;
        // A sample's id is no patch's id.
        let report = index.remove(Selector::Items(&samples), OnMissing::Ignore).await.unwrap();
        assert_eq!(report.removed, 0, "the ids of samples name no patches");
    })
    .await;
}

/// What was removed is neither found nor fetched, can be added again, and removing everything leaves an index that works.
pub async fn leaves_nothing_behind(backend: &dyn SimilarityBackend) {
    let corpus = Corpus::samples(Shape::Clustered, 200, Ids::Hex, 3);
    let all = corpus.ids();
    for metric in backend.capabilities().metrics.clone() {
        with_corpus(backend, metric, &corpus, async |index| {
            // More than half goes, so that a backend that compacts does it here.
            index.remove(Selector::Items(&all[20..]), OnMissing::Error).await.unwrap();
            assert_left(index, &all[..20]).await;
            let fetched = index.fetch(Selector::Items(&all[18..22])).await.unwrap();
            assert_eq!((fetched.rows, fetched.missing), (corpus.batch(18..20), all[20..22].to_vec()));
            let mut left = corpus.oracle(metric);
            all[20..].iter().for_each(|id| assert!(left.remove(id)));
            super::nearest::assert_finds(index, &left, &corpus.vectors[50], 50).await;

            let report = index.remove(Selector::All, OnMissing::Error).await.unwrap();
            assert_eq!(report.removed, 20);
            assert_left(index, &[]).await;
            assert_eq!(index.remove(Selector::All, OnMissing::Error).await.unwrap().removed, 0);

            assert_eq!(add(index, corpus.batches(50), OnConflict::Error).await.unwrap().added, 200);
            super::nearest::assert_finds(index, &corpus.oracle(metric), &corpus.vectors[50], 50).await;
        })
        .await;
    }
}
