//! Reading vectors and ids back, and counting them.

use std::collections::HashMap;

use brain_core::{Item, ItemId, ItemKind, OnConflict, OnMissing, Scope, Selector, SimilarityBackend, VectorBatch};
use futures::{StreamExt as _, TryStreamExt as _};

use super::trial::{add, ids, rows, with_corpus};
use crate::corpus::{Corpus, Extent, Ids, strangers};
use crate::random::Random;
use crate::shape::Shape;

fn corpora(rows: usize, seed: u64) -> [Corpus; 4] {
    [
        Corpus::samples(Shape::Isotropic, rows, Ids::Hex, seed),
        Corpus::samples(Shape::Isotropic, rows, Ids::Text, seed),
        Corpus::patches(Shape::Isotropic, rows, Ids::Hex, seed),
        Corpus::patches(Shape::Isotropic, rows, Ids::Text, seed),
    ]
}

/// Rows come back bit for bit in the order asked for, once for each time an id is asked for; ids that are not there are listed in that order too.
pub async fn fetches_in_the_order_asked(backend: &dyn SimilarityBackend) {
    for corpus in corpora(120, 1) {
        with_corpus(backend, backend.capabilities().metrics[0], &corpus, async |index| {
            let missing = strangers(6);
            let mut order: Vec<usize> = (0..120).chain(0..30).collect();
            Random::new(1).shuffle(&mut order);
            let mut asked: Vec<ItemId> = order.iter().map(|&row| corpus.items[row].id.clone()).collect();
            for (number, id) in missing.iter().enumerate() {
                asked.insert(number * 20, id.clone());
            }
            let fetched = index.fetch(Selector::Items(&asked)).await.unwrap();
            let mut right = VectorBatch::with_capacity(150, corpus.shape.dimension());
            order.iter().for_each(|&row| right.push(corpus.items[row].clone(), &corpus.vectors[row]).unwrap());
            assert_eq!(fetched.rows, right);
            assert_eq!(fetched.missing, missing);
            let nothing = index.fetch(Selector::Items(&[])).await.unwrap();
            assert!(nothing.rows.is_empty() && nothing.missing.is_empty());
        })
        .await;
    }
}

/// By samples: the samples in the order asked for, the patches of each by id; a sample without patches is missing.
pub async fn fetches_by_sample(backend: &dyn SimilarityBackend) {
    for corpus in corpora(90, 2) {
        with_corpus(backend, backend.capabilities().metrics[0], &corpus, async |index| {
            let mut samples = corpus.sample_ids();
            Random::new(2).shuffle(&mut samples);
            samples.truncate(samples.len() / 2);
            let missing = strangers(2);
            let asked: Vec<ItemId> = [&missing[..1], &samples[..], &missing[1..]].concat();
            let fetched = index.fetch(Selector::Samples(&asked)).await.unwrap();
            let mut right: Vec<Item> = Vec::new();
            for sample in &samples {
                let mut patches: Vec<Item> = corpus.items.iter().filter(|item| item.sample_id == *sample).cloned().collect();
                patches.sort_unstable();
                right.append(&mut patches);
            }
            assert_eq!((fetched.rows.items(), &fetched.missing), (&right[..], &missing));
            fetched.rows.rows().for_each(|(item, vector)| assert_eq!(vector, corpus.vector(&item.id)));
        })
        .await;
    }
}

/// `ids`, `stream` and a fetch of everything give each item once, with its sample and its vector.
pub async fn lists_everything_once(backend: &dyn SimilarityBackend) {
    for corpus in corpora(300, 3) {
        with_corpus(backend, backend.capabilities().metrics[0], &corpus, async |index| {
            let mut right: Vec<(Item, Vec<f32>)> = corpus.items.iter().cloned().zip(corpus.vectors.iter().cloned()).collect();
            right.sort_by(|a, b| a.0.cmp(&b.0));
            // At once, as different callers would.
            let (mut listed, mut streamed, mut again, fetched) = futures::join!(ids(index), rows(index), rows(index), index.fetch(Selector::All));
            listed.sort_unstable();
            assert!(listed.iter().eq(right.iter().map(|(item, _)| item)), "ids() gives each item once");
            streamed.sort_by(|a, b| a.0.cmp(&b.0));
            assert_eq!(streamed, right, "stream() gives each row once");
            again.sort_by(|a, b| a.0.cmp(&b.0));
            assert_eq!(again, right, "so does a second stream beside it");
            let fetched = fetched.unwrap();
            let mut fetched: Vec<_> = fetched.rows.rows().map(|(item, vector)| (item.clone(), vector.to_vec())).collect();
            fetched.sort_by(|a, b| a.0.cmp(&b.0));
            assert_eq!(fetched, right, "so does fetch");
        })
        .await;
    }
}

/// A reader half way through `stream` or `ids` while another handle adds, overwrites and removes: what stayed is given once, with a vector that
/// it had; nothing comes twice.
pub async fn reads_beside_a_writer(backend: &dyn SimilarityBackend) {
    let old = Corpus::samples(Shape::Isotropic, 400, Ids::Hex, 4);
    let mut new = old.clone();
    new.vectors = Shape::Isotropic.vectors(400, 5);
    let added = Corpus::samples(Shape::Isotropic, 100, Ids::Hex, 6);
    let all = old.ids();
    with_corpus(backend, backend.capabilities().metrics[0], &old, async |index| {
        let writer = backend.open(index.spec()).await.unwrap();
        let mut stream = index.stream();
        let mut listed = index.ids();
        let first = stream.next().await.unwrap().unwrap();
        let first_ids = listed.next().await.unwrap().unwrap();
        add(&*writer, vec![new.batch(0..100), added.batch(0..100)], OnConflict::Overwrite).await.unwrap();
        writer.remove(Selector::Items(&all[300..]), OnMissing::Error).await.unwrap();

        let mut seen: HashMap<ItemId, Vec<f32>> = HashMap::new();
        let rest: Vec<VectorBatch> = stream.try_collect().await.unwrap();
        for (item, vector) in std::iter::once(&first).chain(&rest).flat_map(VectorBatch::rows) {
            assert!(seen.insert(item.id.clone(), vector.to_vec()).is_none(), "{} comes twice", item.id);
        }
        for (row, id) in all[..300].iter().enumerate() {
            let vector = seen.get(id).unwrap_or_else(|| panic!("row {row} was lost"));
            assert!(*vector == old.vectors[row] || (row < 100 && *vector == new.vectors[row]), "row {row} has a vector it never had");
        }
        let rest: Vec<Item> = listed.try_concat().await.unwrap();
        let mut listed: Vec<&ItemId> = first_ids.iter().chain(&rest).map(|item| &item.id).collect();
        listed.sort_unstable();
        assert!(listed.windows(2).all(|pair| pair[0] < pair[1]), "an id comes twice");
        assert!(all[..300].iter().all(|id| listed.binary_search(&id).is_ok()), "an id was lost");
        assert_eq!(index.count(Scope::All).await.unwrap(), 400);
    })
    .await;
}

/// Counts are right over every scope: everything, items, samples, views that hold ids which the index lacks; of items and of samples.
pub async fn counts_every_scope(backend: &dyn SimilarityBackend) {
    for corpus in corpora(200, 7) {
        with_corpus(backend, backend.capabilities().metrics[0], &corpus, async |index| {
            let samples = corpus.sample_ids();
            assert_eq!(index.count(Scope::All).await.unwrap(), 200);
            assert_eq!(index.count_samples(Scope::All).await.unwrap(), samples.len() as u64);
            for extent in Extent::ALL {
                let (items, of_samples) = (extent.draw(&corpus.ids(), 1), extent.draw(&samples, 1));
                for scope in [Scope::Items(&items), Scope::Samples(&of_samples)] {
                    let inside: Vec<&Item> = corpus.items.iter().filter(|item| scope.contains(item)).collect();
                    assert_eq!(index.count(scope).await.unwrap(), inside.len() as u64, "{extent:?} of {:?}", corpus.kind);
                    let mut samples: Vec<&ItemId> = inside.iter().map(|item| &item.sample_id).collect();
                    samples.sort_unstable();
                    samples.dedup();
                    assert_eq!(index.count_samples(scope).await.unwrap(), samples.len() as u64, "samples in {extent:?} of {:?}", corpus.kind);
                }
            }
            if corpus.kind == ItemKind::Patches {
                let wrong = brain_core::ItemSet::new(samples);
                assert_eq!(index.count(Scope::Items(&wrong)).await.unwrap(), 0, "the ids of samples name no patches");
            }
        })
        .await;
    }
}
