//! An index of a test's own, dropped at its end however it ends.

use std::panic::{AssertUnwindSafe, resume_unwind};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use brain_core::{
    AddReport, Error, ErrorKind, IndexSpec, Item, ItemKind, Metric, NoProgress, OnConflict, Result, SimilarityBackend, SimilarityIndex, VectorBatch,
};
use futures::stream::{self, StreamExt as _};
use futures::{FutureExt as _, TryStreamExt as _};

use crate::corpus::Corpus;

/// A specification with a name that no other test has, in this process or another.
pub(super) fn fresh_spec(metric: Metric, dimension: usize, items: ItemKind) -> IndexSpec {
    static COUNTER: AtomicU32 = AtomicU32::new(0);
    let count = COUNTER.fetch_add(1, Ordering::Relaxed);
    let moment = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |elapsed| elapsed.as_nanos());
    // Letters, digits and underscores, well below PostgreSQL's 63: valid everywhere.
    let name = format!("testkit_{:x}_{:x}_{count}", std::process::id(), moment as u64);
    IndexSpec { name, dimension, metric, items, parameters: Default::default() }
}

/// Creates an index, hands it to `test`, and drops it, also after a failed assertion.
pub(super) async fn with_index(backend: &dyn SimilarityBackend, spec: &IndexSpec, test: impl AsyncFnOnce(&dyn SimilarityIndex)) {
    let about = format!("{} index {} ({}, {} numbers, {:?})", backend.name(), spec.name, spec.metric, spec.dimension, spec.items);
    let index = backend.create(spec).await.unwrap_or_else(|error| panic!("cannot create the {about}: {error:?}"));
    let outcome = AssertUnwindSafe(test(&*index)).catch_unwind().await;
    drop(index);
    let dropped = backend.drop_index(&spec.into()).await;
    if let Err(panic) = outcome {
        eprintln!("the failed assertion was about the {about}");
        resume_unwind(panic);
    }
    dropped.unwrap_or_else(|error| panic!("cannot drop the {about}: {error:?}"));
}

/// Like [`with_index`], on a new index for `corpus` that holds its rows.
pub(crate) async fn with_corpus(backend: &dyn SimilarityBackend, metric: Metric, corpus: &Corpus, test: impl AsyncFnOnce(&dyn SimilarityIndex)) {
    let spec = fresh_spec(metric, corpus.shape.dimension(), corpus.kind);
    with_index(backend, &spec, async |index| {
        add(index, corpus.batches(100), OnConflict::Error).await.unwrap();
        index.build(&NoProgress).await.unwrap();
        test(index).await;
    })
    .await;
}

/// Adds batches that are there already.
pub(super) async fn add(index: &dyn SimilarityIndex, batches: Vec<VectorBatch>, on_conflict: OnConflict) -> Result<AddReport> {
    index.add(stream::iter(batches.into_iter().map(Ok)).boxed(), on_conflict).await
}

/// Everything that `ids` gives.
pub(super) async fn ids(index: &dyn SimilarityIndex) -> Vec<Item> {
    index.ids().try_concat().await.unwrap()
}

/// Everything that `stream` gives, row by row.
pub(super) async fn rows(index: &dyn SimilarityIndex) -> Vec<(Item, Vec<f32>)> {
    let batches: Vec<VectorBatch> = index.stream().try_collect().await.unwrap();
    batches.iter().flat_map(VectorBatch::rows).map(|(item, vector)| (item.clone(), vector.to_vec())).collect()
}

/// The error of a result that must be one of `kind`, with a hint for the user.
#[track_caller]
pub(super) fn assert_refused<T>(result: Result<T>, kind: ErrorKind, what: &str) -> Error {
    match result {
        Ok(_) => panic!("{what} must be refused with {kind}, but it was done"),
        Err(error) => {
            assert_eq!(error.kind(), kind, "{what}: {error:?}");
            assert!(!error.message().is_empty(), "{what}: an error without a message");
            error
        }
    }
}

/// The error says which item it is about.
#[track_caller]
pub(super) fn assert_names(error: &Error, id: &impl std::fmt::Display) {
    let text = format!("{error:?}");
    assert!(text.contains(&id.to_string()), "the error does not name {id}: {text}");
}
