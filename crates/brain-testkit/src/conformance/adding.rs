//! Adding vectors: conflicts, batches, and what is left when it stops half way.

use brain_core::{
    AddReport, Error, ErrorKind, Item, ItemId, ItemKind, Metric, OnConflict, Scope, Selector, SimilarityBackend, SimilarityIndex, VectorBatch,
};
use futures::stream::{self, StreamExt as _};

use super::trial::{add, assert_names, assert_refused, fresh_spec, ids, rows, with_index};
use crate::corpus::{Corpus, Ids};
use crate::shape::Shape;

/// `Overwrite`, `Skip` and `Error` do what they say, and report how many items were new, replaced and skipped.
pub async fn follows_the_conflict_rule(backend: &dyn SimilarityBackend) {
    for ids in [Ids::Hex, Ids::Text] {
        let old = Corpus::samples(Shape::Isotropic, 60, ids, 1);
        // The same items with other vectors, the last twenty of them new to the index.
        let mut new = old.clone();
        new.vectors = Shape::Isotropic.vectors(60, 2);
        for metric in backend.capabilities().metrics.clone() {
            let spec = fresh_spec(metric, old.shape.dimension(), ItemKind::Samples);
            with_index(backend, &spec, async |index| {
                let report = add(index, vec![old.batch(0..40)], OnConflict::Error).await.unwrap();
                assert_eq!(report, AddReport { added: 40, ..AddReport::default() });

                let error = assert_refused(add(index, vec![new.batch(30..60)], OnConflict::Error).await, ErrorKind::Conflict, "an item again");
                let named = new.items[30..40].iter().any(|item| format!("{error:?}").contains(&item.id.to_string()));
                assert!(named, "the error names an item that is there: {error:?}");
                assert_eq!(index.count(Scope::All).await.unwrap(), 40, "the refused batch wrote nothing");

                let report = add(index, vec![new.batch(20..50)], OnConflict::Skip).await.unwrap();
                assert_eq!(report, AddReport { added: 10, replaced: 0, skipped: 20 });
                assert_holds(index, &old, 0..40).await;
                assert_holds(index, &new, 40..50).await;

                let report = add(index, vec![new.batch(20..60)], OnConflict::Overwrite).await.unwrap();
                assert_eq!(report, AddReport { added: 10, replaced: 30, skipped: 0 });
                assert_holds(index, &old, 0..20).await;
                assert_holds(index, &new, 20..60).await;
                assert_eq!((index.count(Scope::All).await.unwrap(), rows(index).await.len()), (60, 60));
            })
            .await;
        }
    }
}

/// The index holds these rows of the corpus, bit for bit.
async fn assert_holds(index: &dyn SimilarityIndex, corpus: &Corpus, range: std::ops::Range<usize>) {
    let ids: Vec<ItemId> = corpus.items[range.clone()].iter().map(|item| item.id.clone()).collect();
    assert_eq!(index.fetch(Selector::Items(&ids)).await.unwrap().rows, corpus.batch(range));
}

/// An item whose sample changed is found under its new sample only.
pub async fn moves_an_overwritten_patch(backend: &dyn SimilarityBackend) {
    let spec = fresh_spec(backend.capabilities().metrics[0], 2, ItemKind::Patches);
    with_index(backend, &spec, async |index| {
        for sample in ["old", "new"] {
            let batch = VectorBatch::new(vec![Item::patch("patch".into(), sample.into())], 2, vec![1.0, 2.0]).unwrap();
            add(index, vec![batch], OnConflict::Overwrite).await.unwrap();
        }
        let fetched = index.fetch(Selector::Samples(&["old".into(), "new".into()])).await.unwrap();
        assert_eq!((fetched.rows.items(), fetched.missing), (&[Item::patch("patch".into(), "new".into())][..], vec!["old".into()]));
    })
    .await;
}

/// While a stream is added any handle sees whole batches only, and in the end all; the report sums them up.
pub async fn publishes_whole_batches(backend: &dyn SimilarityBackend) {
    let corpus = Corpus::samples(Shape::Clustered, 120, Ids::Hex, 3);
    let spec = fresh_spec(backend.capabilities().metrics[0], corpus.shape.dimension(), ItemKind::Samples);
    with_index(backend, &spec, async |index| {
        let reader = &*backend.open(&spec).await.unwrap();
        let batches = stream::iter(corpus.batches(15).into_iter().enumerate()).then(async |(number, batch)| {
            let seen = reader.count(Scope::All).await?;
            assert!(seen.is_multiple_of(15) && seen <= 15 * number as u64, "{seen} rows are there when batch number {number} is taken");
            Ok(batch)
        });
        let report = index.add(batches.boxed(), OnConflict::Error).await.unwrap();
        assert_eq!(report, AddReport { added: 120, ..AddReport::default() });
        assert_eq!(reader.count(Scope::All).await.unwrap(), 120);
    })
    .await;
}

/// Nothing to add is no error; an item that comes again in a later batch of one stream follows the conflict rule.
pub async fn takes_odd_streams(backend: &dyn SimilarityBackend) {
    let corpus = Corpus::samples(Shape::Lattice, 10, Ids::Hex, 4);
    let spec = fresh_spec(backend.capabilities().metrics[0], corpus.shape.dimension(), ItemKind::Samples);
    with_index(backend, &spec, async |index| {
        assert_eq!(add(index, vec![], OnConflict::Error).await.unwrap(), AddReport::default());
        assert_eq!(add(index, vec![corpus.batch(3..3)], OnConflict::Error).await.unwrap(), AddReport::default());
        let report = add(index, vec![corpus.batch(0..6), corpus.batch(0..0), corpus.batch(4..10)], OnConflict::Overwrite).await.unwrap();
        assert_eq!(report, AddReport { added: 10, replaced: 2, skipped: 0 });
        assert_eq!(ids(index).await.len(), 10);
    })
    .await;
}

/// An error of the stream is passed on as it is, and the batches before it stay.
pub async fn keeps_what_came_before_an_error(backend: &dyn SimilarityBackend) {
    let corpus = Corpus::samples(Shape::Isotropic, 40, Ids::Hex, 5);
    let spec = fresh_spec(backend.capabilities().metrics[0], corpus.shape.dimension(), ItemKind::Samples);
    with_index(backend, &spec, async |index| {
        let broken = Error::corrupt("photo 21 is half a photo");
        let batches = [Ok(corpus.batch(0..10)), Ok(corpus.batch(10..20)), Err(broken), Ok(corpus.batch(20..40))];
        let result = index.add(stream::iter(batches).boxed(), OnConflict::Error).await;
        let error = assert_refused(result, ErrorKind::Corrupt, "a broken stream");
        assert_names(&error, &"photo 21 is half a photo");
        assert_eq!(index.count(Scope::All).await.unwrap(), 20);
        assert_holds(index, &corpus, 0..20).await;
        // The same call again, as after a kill.
        let report = add(index, corpus.batches(10), OnConflict::Skip).await.unwrap();
        assert_eq!(report, AddReport { added: 20, replaced: 0, skipped: 20 });
    })
    .await;
}

/// A batch with one bad vector writes nothing and names its item, under every metric; the batches before it stay.
pub async fn refuses_bad_vectors(backend: &dyn SimilarityBackend) {
    let corpus = Corpus::samples(Shape::Isotropic, 20, Ids::Hex, 6);
    let dimension = corpus.shape.dimension();
    for metric in backend.capabilities().metrics.clone() {
        with_index(backend, &fresh_spec(metric, dimension, ItemKind::Samples), async |index| {
            let mut kept = 0;
            for (number, value) in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY].into_iter().enumerate() {
                let mut vector = vec![1.0; dimension];
                vector[dimension - 1] = value;
                let good = corpus.batch(number..number + 1);
                kept += 1;
                assert_bad(index, good, with_row(&corpus, "bad one", &vector), ErrorKind::InvalidInput, kept).await;
            }
            if metric == Metric::Cosine {
                kept += 1;
                assert_bad(index, corpus.batch(3..4), with_row(&corpus, "bad one", &vec![0.0; dimension]), ErrorKind::InvalidInput, kept).await;
            }
            let long = VectorBatch::new(vec![Item::sample("bad one".into())], dimension + 1, vec![1.0; dimension + 1]).unwrap();
            kept += 1;
            assert_bad(index, corpus.batch(4..5), long, ErrorKind::DimensionMismatch, kept).await;
            let twice = with_row(&corpus, "bad one", &vec![1.0; dimension]);
            let (mut items, mut vectors) = twice.into_parts();
            items.push(Item::sample("bad one".into()));
            vectors.extend(vec![2.0; dimension]);
            kept += 1;
            let twice = VectorBatch::new(items, dimension, vectors).unwrap();
            assert_bad(index, corpus.batch(5..6), twice, ErrorKind::InvalidInput, kept).await;
        })
        .await;
    }
}

/// Ten good rows and then this one.
fn with_row(corpus: &Corpus, id: &str, vector: &[f32]) -> VectorBatch {
    let mut batch = corpus.batch(10..20);
    batch.push(Item::sample(id.into()), vector).unwrap();
    batch
}

async fn assert_bad(index: &dyn SimilarityIndex, good: VectorBatch, bad: VectorBatch, kind: ErrorKind, kept: u64) {
    let error = assert_refused(add(index, vec![good, bad], OnConflict::Overwrite).await, kind, "a bad batch");
    assert_names(&error, &"bad one");
    assert_eq!(index.count(Scope::All).await.unwrap(), kept, "the good batch is there, nothing of the bad one is");
}

/// Two handles that add at once lose nothing: every item is there once, with a vector that one of them gave it.
pub async fn serves_two_writers(backend: &dyn SimilarityBackend) {
    let one = Corpus::samples(Shape::Isotropic, 90, Ids::Hex, 7);
    let mut other = one.clone();
    other.vectors = Shape::Isotropic.vectors(90, 8);
    let spec = fresh_spec(backend.capabilities().metrics[0], one.shape.dimension(), ItemKind::Samples);
    with_index(backend, &spec, async |index| {
        let second = backend.open(index.spec()).await.unwrap();
        let (front, back) = (one.batches(9)[..7].to_vec(), other.batches(9)[3..].to_vec());
        let (a, b) = futures::join!(add(index, front, OnConflict::Overwrite), add(&*second, back, OnConflict::Overwrite));
        let (a, b) = (a.unwrap(), b.unwrap());
        assert_eq!((a.added + b.added, a.replaced + b.replaced), (90, 36), "{a:?} and {b:?}");
        let found = rows(index).await;
        assert_eq!(found.len(), 90);
        for (item, vector) in found {
            assert!(vector == one.vector(&item.id) || vector == other.vector(&item.id), "the vector of {} is nobody's", item.id);
        }
    })
    .await;
}
