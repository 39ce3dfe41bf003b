//! Puts vectors into an index, in batches, with back-pressure, listing what failed.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

use brain_core::{AddReport, Embedder, Error, Item, ItemId, OnConflict, Progress, Result, SimilarityIndex, VectorBatch};
use brain_dataset::Dataset;
use futures::stream::{self, BoxStream, StreamExt as _, TryStreamExt as _};
use serde::Serialize;

use super::{Source, field};
use crate::Brain;
use crate::models::{self, Crops, Embedded};

/// What could not be embedded, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Failure {
    /// The item.
    pub id: ItemId,
    /// Its photo.
    pub filepath: String,
    /// What was wrong with it.
    pub message: String,
}

/// What a fill did.
#[derive(Clone, Debug, Default)]
pub(crate) struct Filled {
    pub(crate) report: AddReport,
    pub(crate) failures: Vec<Failure>,
    /// Items without a vector in the field they should come from.
    pub(crate) without_vector: u64,
}

/// How to fill.
pub(crate) struct Work<'a> {
    pub(crate) brain: &'a Brain,
    pub(crate) dataset: &'a Dataset,
    pub(crate) crops: &'a Crops,
    pub(crate) skip_failures: bool,
    pub(crate) batch_size: Option<usize>,
    pub(crate) on_conflict: OnConflict,
}

#[derive(Default)]
struct Tally {
    failures: Vec<Failure>,
    without_vector: u64,
}

/// Adds the vectors of `items` from `source` to `index`.
pub(crate) async fn fill(work: &Work<'_>, source: &mut Source, items: Vec<Item>, index: &dyn SimilarityIndex) -> Result<Filled> {
    let progress = work.brain.progress();
    let total = items.len() as u64;
    let tally = Arc::new(Mutex::new(Tally::default()));
    let items_in_words = index.spec().items.plural();
    let what = match source {
        Source::Embed { embedder } | Source::Field { fills: Some(embedder), .. } => match embedder.runtime() {
            Some(runtime) => format!("embedding {items_in_words} by {runtime}"),
            None => format!("embedding {items_in_words}"),
        },
        _ => "indexing".to_owned(),
    };
    progress.start(&what, Some(total));
    let batches = match source {
        Source::Rows(rows) => rows_of(rows, &items),
        Source::Field { name, fills } => {
            let lacking = Arc::new(Mutex::new(Vec::new()));
            let stored = field::stored(work.dataset, work.crops.patches_field.as_deref(), name, items, index.spec().dimension, &lacking)?;
            stored.chain(lacking_vectors(work, name, fills.clone(), lacking, &tally)).boxed()
        }
        Source::Embed { embedder } => {
            let embedded = models::embed(Arc::clone(embedder), work.dataset.clone(), items, work.crops.clone(), work.batch_size)?;
            embed(work, embedded, None, &tally)
        }
        Source::None => stream::empty().boxed(),
    };
    let told: Arc<dyn Progress> = Arc::clone(progress);
    let counted =
        batches.inspect_ok(move |batch| told.advance(batch.len() as u64)).try_filter(|batch| futures::future::ready(!batch.is_empty())).boxed();
    let report = index.add(counted, work.on_conflict).await;
    progress.finish();
    if report.is_ok() {
        index.build(&**progress).await?;
    }
    let mut tally = std::mem::take(&mut *tally.lock().unwrap_or_else(PoisonError::into_inner));
    tally.failures.sort_by(|a, b| a.filepath.cmp(&b.filepath).then_with(|| a.id.cmp(&b.id)));
    Ok(Filled { report: report?, failures: tally.failures, without_vector: tally.without_vector })
}

/// The rows whose items are still to be indexed.
fn rows_of<'a>(rows: &'a mut super::source::Rows, items: &[Item]) -> BoxStream<'a, Result<VectorBatch>> {
    let all = items.len() == rows.items.len();
    let wanted: HashSet<ItemId> = if all { HashSet::new() } else { items.iter().map(|item| item.id.clone()).collect() };
    let keep = move |batch: VectorBatch| -> Result<VectorBatch> {
        if all {
            return Ok(batch);
        }
        let mut kept = VectorBatch::with_capacity(batch.len(), batch.dimension());
        for (item, vector) in batch.rows().filter(|(item, _)| wanted.contains(&item.id)) {
            kept.push(item.clone(), vector)?;
        }
        Ok(kept)
    };
    stream::iter(std::iter::from_fn(move || rows.next().transpose())).map(move |batch| batch.and_then(&keep)).boxed()
}

/// The vectors of the items that a field was found to lack: a model makes them and fills the field; without one they are counted.
fn lacking_vectors<'a>(
    work: &Work<'a>,
    name: &str,
    fills: Option<Arc<dyn Embedder>>,
    lacking: Arc<Mutex<Vec<Item>>>,
    tally: &Arc<Mutex<Tally>>,
) -> BoxStream<'a, Result<VectorBatch>> {
    let take = move || std::mem::take(&mut *lacking.lock().unwrap_or_else(PoisonError::into_inner));
    let Some(embedder) = fills else {
        let tally = Arc::clone(tally);
        let count = move || tally.lock().unwrap_or_else(PoisonError::into_inner).without_vector += take().len() as u64;
        return stream::once(async move { count() }).flat_map(|()| stream::empty()).boxed();
    };
    let (dataset, crops, batch_size) = (work.dataset.clone(), work.crops.clone(), work.batch_size);
    let embedded = stream::once(async move { models::embed(embedder, dataset, take(), crops, batch_size) }).try_flatten().boxed();
    embed(work, embedded, Some(name.to_owned()), tally)
}

/// What a model makes of the photos; kept in a field of the dataset first, where that is wanted.
fn embed<'a>(
    work: &Work<'_>,
    embedded: BoxStream<'a, Result<Embedded>>,
    field: Option<String>,
    tally: &Arc<Mutex<Tally>>,
) -> BoxStream<'a, Result<VectorBatch>> {
    let (dataset, patches, tally, skip) = (work.dataset.clone(), work.crops.patches_field.clone(), Arc::clone(tally), work.skip_failures);
    let progress = Arc::clone(work.brain.progress());
    embedded
        .map(move |embedded| {
            let Embedded { rows, failures } = embedded?;
            if let (false, Some(failure)) = (skip, failures.first()) {
                return Err(Error::invalid(failure.message.clone())
                    .with_context("filepath", &failure.filepath)
                    .with_hint("mend the file, or let such images be left out and listed, which is the default (skip_failures)"));
            }
            if !failures.is_empty() {
                progress.advance(failures.len() as u64);
                tally.lock().unwrap_or_else(PoisonError::into_inner).failures.extend(failures);
            }
            if let Some(name) = &field {
                field::store(&dataset, patches.as_deref(), name, &rows)?;
            }
            Ok(rows)
        })
        .boxed()
}
