//! A build with models.

use std::path::PathBuf;
use std::sync::Arc;

use brain_core::{Embedder, Item, Result};
use brain_dataset::Dataset;
use brain_models::{PatchShape, Pipeline, PipelineOptions, read_image, zoo};
use futures::stream::{BoxStream, StreamExt as _};

use super::jobs::Jobs;
use super::{Crops, Embedded};
use crate::compute::Failure;

/// The model of this name.
pub(crate) fn load(name: &str) -> Result<Arc<dyn Embedder>> {
    zoo::load(name)
}

/// The vectors of whole image files, for queries.
pub(crate) fn embed_files(embedder: Arc<dyn Embedder>, paths: &[PathBuf]) -> Result<Vec<Vec<f32>>> {
    let prepared = paths.iter().map(|path| embedder.prepare(&read_image(path)?)).collect::<Result<Vec<_>>>()?;
    let vectors = embedder.embed_images(&prepared)?;
    Ok(vectors.chunks_exact(embedder.dimension()).map(<[f32]>::to_vec).collect())
}

/// The vectors of items, in batches as the pipeline makes them.
pub(crate) fn embed(
    embedder: Arc<dyn Embedder>,
    dataset: Dataset,
    items: Vec<Item>,
    crops: Crops,
    batch_size: Option<usize>,
) -> Result<BoxStream<'static, Result<Embedded>>> {
    let patch_shape = PatchShape { force_square: crops.force_square, alpha: crops.alpha };
    let mut options = PipelineOptions { patch_shape, ..PipelineOptions::default() };
    if let Some(batch_size) = batch_size {
        options.batch_size = batch_size;
        options.queue = batch_size.saturating_mul(2);
    }
    let batches = Pipeline::new(embedder, options)?.try_run(Jobs::new(dataset, items, crops))?;
    let told = |failure: brain_models::Failure| Failure {
        id: failure.item.id,
        filepath: failure.filepath.display().to_string(),
        message: failure.error.to_string(),
    };
    Ok(batches.map(move |batch| batch.map(|batch| Embedded { rows: batch.rows, failures: batch.failures.into_iter().map(told).collect() })).boxed())
}
