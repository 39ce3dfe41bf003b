//! Making, finding and dropping indexes.

use brain_core::{Direction, ErrorKind, IndexSpec, ItemKind, Metric, NearestRequest, OnConflict, Precision, Scope, SimilarityBackend};

use super::trial::{add, assert_names, assert_refused, fresh_spec, ids, rows, with_corpus, with_index};
use crate::corpus::{Corpus, Ids};
use crate::shape::Shape;

/// An index by each metric is created empty, opened again, dropped whole, and dropped again without harm; its name is free afterwards.
pub async fn creates_opens_and_drops(backend: &dyn SimilarityBackend) {
    for &metric in &backend.capabilities().metrics {
        let corpus = Corpus::samples(Shape::Lattice, 30, Ids::Hex, 1);
        let spec = fresh_spec(metric, corpus.shape.dimension(), ItemKind::Samples);
        let missing = assert_refused(backend.open(&spec).await, ErrorKind::NotFound, "opening what was never created");
        assert_names(&missing, &spec.name);
        with_index(backend, &spec, async |index| {
            assert_eq!(index.spec(), &spec);
            // What a backend can answer approximately, some of its indexes answer exactly.
            let mut claimed = index.capabilities().clone();
            claimed.approximate |= backend.capabilities().approximate;
            assert_eq!(&claimed, backend.capabilities());
            assert_empty(index).await;
            add(index, corpus.batches(100), OnConflict::Error).await.unwrap();
            let taken = assert_refused(backend.create(&spec).await, ErrorKind::AlreadyExists, "creating under a taken name");
            assert_names(&taken, &spec.name);
            assert_eq!(backend.open(&spec).await.unwrap().count(Scope::All).await.unwrap(), 30, "a refused creation harms nothing");
        })
        .await;
        assert!(!backend.drop_index(&(&spec).into()).await.unwrap(), "there is no index any more");
        assert_refused(backend.open(&spec).await, ErrorKind::NotFound, "opening a dropped index");
        with_index(backend, &spec, async |index| assert_empty(index).await).await;
    }
}

async fn assert_empty(index: &dyn brain_core::SimilarityIndex) {
    assert_eq!(index.count(Scope::All).await.unwrap(), 0);
    assert!(ids(index).await.is_empty() && rows(index).await.is_empty(), "a new index holds nothing");
    let query = vec![1.0; index.spec().dimension];
    let request = NearestRequest { queries: &query, k: 5, scope: Scope::All, direction: Direction::Nearest, precision: Precision::Exact };
    let response = index.nearest(request).await.unwrap();
    assert_eq!(response.hits, [Vec::new()], "one empty list for one query of an empty index");
    assert_eq!(index.info().await.unwrap().items, 0);
}

/// `drop_index` says whether there was an index.
pub async fn says_what_it_dropped(backend: &dyn SimilarityBackend) {
    let spec = fresh_spec(backend.capabilities().metrics[0], 3, ItemKind::Samples);
    drop(backend.create(&spec).await.unwrap());
    assert!(backend.drop_index(&(&spec).into()).await.unwrap(), "there was one");
    assert!(!backend.drop_index(&(&spec).into()).await.unwrap(), "there is none any more");
}

/// Opening an index with another dimension or metric is a `Conflict` that names both sides.
pub async fn refuses_a_mismatched_open(backend: &dyn SimilarityBackend) {
    let metrics = &backend.capabilities().metrics;
    let spec = fresh_spec(metrics[0], 7, ItemKind::Samples);
    with_index(backend, &spec, async |_| {
        let other = IndexSpec { dimension: 11, ..spec.clone() };
        let error = assert_refused(backend.open(&other).await, ErrorKind::Conflict, "opening with another dimension");
        assert_names(&error, &7);
        assert_names(&error, &11);
        for &metric in metrics.iter().filter(|&&metric| metric != spec.metric) {
            let other = IndexSpec { metric, ..spec.clone() };
            let error = assert_refused(backend.open(&other).await, ErrorKind::Conflict, "opening with another metric");
            assert_names(&error, &metric);
            assert_names(&error, &spec.metric);
        }
    })
    .await;
}

/// Two indexes side by side share nothing, even where one's name begins with the other's.
pub async fn keeps_indexes_apart(backend: &dyn SimilarityBackend) {
    let corpus = Corpus::samples(Shape::Isotropic, 40, Ids::Hex, 2);
    with_corpus(backend, backend.capabilities().metrics[0], &corpus, async |index| {
        let longer = IndexSpec { name: format!("{}_2", index.spec().name), ..index.spec().clone() };
        with_index(backend, &longer, async |second| {
            assert_eq!(second.count(Scope::All).await.unwrap(), 0);
            add(second, vec![corpus.batch(0..10)], OnConflict::Error).await.unwrap();
            assert_eq!((index.count(Scope::All).await.unwrap(), second.count(Scope::All).await.unwrap()), (40, 10));
        })
        .await;
        assert_eq!(rows(index).await.len(), 40, "dropping the one left the other whole");
    })
    .await;
}

/// Of two that create under one name at once, one makes it and the other is told `AlreadyExists`.
pub async fn lets_one_creator_win(backend: &dyn SimilarityBackend) {
    let spec = fresh_spec(backend.capabilities().metrics[0], 3, ItemKind::Samples);
    let (first, second) = futures::join!(backend.create(&spec), backend.create(&spec));
    let made = [first.is_ok(), second.is_ok()];
    backend.drop_index(&(&spec).into()).await.unwrap();
    assert!(made[0] != made[1], "exactly one creation succeeds: {made:?}");
    let refused = if made[0] { second.err() } else { first.err() };
    assert_eq!(refused.map(|error| error.kind()), Some(ErrorKind::AlreadyExists));
}

/// An index opened again holds the same items with the same vectors, and so does a second handle on it while the first is in use; `info` counts
/// them.
pub async fn reopens_what_was_added(backend: &dyn SimilarityBackend) {
    for kind in [ItemKind::Samples, ItemKind::Patches] {
        let corpus = match kind {
            ItemKind::Samples => Corpus::samples(Shape::Clustered, 150, Ids::Text, 6),
            ItemKind::Patches => Corpus::patches(Shape::Clustered, 150, Ids::Text, 6),
        };
        let metric = backend.capabilities().metrics.last().copied().unwrap_or(Metric::Cosine);
        with_corpus(backend, metric, &corpus, async |index| {
            let again = backend.open(index.spec()).await.unwrap();
            assert_eq!((again.spec(), again.info().await.unwrap().items), (index.spec(), 150));
            let mut found = rows(&*again).await;
            let mut right: Vec<_> = corpus.items.iter().cloned().zip(corpus.vectors.iter().cloned()).collect();
            found.sort_by(|a, b| a.0.cmp(&b.0));
            right.sort_by(|a, b| a.0.cmp(&b.0));
            assert_eq!(found, right, "items, samples and vectors are what was added");
            let one = [corpus.items[0].id.clone()];
            again.remove(brain_core::Selector::Items(&one), Default::default()).await.unwrap();
            assert_eq!(index.count(Scope::All).await.unwrap(), 149, "one handle sees what the other did");
        })
        .await;
    }
}
