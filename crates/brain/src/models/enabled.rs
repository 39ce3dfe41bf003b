//! A build with models.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use brain_core::{Embedder, Item, Result};
use brain_dataset::Dataset;
use brain_models::{PatchShape, Pipeline, PipelineOptions, RuntimeOptions, Zoo, read_image};
use futures::stream::{BoxStream, StreamExt as _};

use super::jobs::Jobs;
use super::{Crops, Embedded};
use crate::compute::Failure;

/// The models of a home, and those that were loaded.
pub(crate) struct Models {
    zoo: Zoo,
    /// How they are run, where it is not the environment that says so.
    runtime: Option<RuntimeOptions>,
    /// By the name that was asked for. A model is large and slow to load, and every search by a sentence wants it.
    loaded: Mutex<HashMap<String, Arc<dyn Embedder>>>,
}

impl Models {
    pub(crate) fn of(home: &Path) -> Self {
        Self { zoo: Zoo::of_home(home), runtime: None, loaded: Mutex::default() }
    }

    /// Models that are run as `options` say.
    pub(crate) fn run_by(self, options: RuntimeOptions) -> Self {
        Self { runtime: Some(options), ..self }
    }

    pub(crate) fn zoo(&self) -> &Zoo {
        &self.zoo
    }

    /// The model of this name.
    pub(crate) fn load(&self, name: &str) -> Result<Arc<dyn Embedder>> {
        // Held while it loads: two threads that want one model load it once.
        let mut loaded = self.loaded.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(embedder) = loaded.get(name) {
            return Ok(Arc::clone(embedder));
        }
        let options = match &self.runtime {
            Some(options) => options.clone(),
            None => RuntimeOptions::of_environment()?,
        };
        let embedder = self.zoo.clone().with_runtime(options).load(name)?;
        loaded.insert(name.to_owned(), Arc::clone(&embedder));
        Ok(embedder)
    }

    /// The names of the models that embed sentences.
    pub(crate) fn with_text(&self) -> Vec<String> {
        self.zoo.with_text()
    }
}

/// The vectors of whole image files, for queries.
pub(crate) fn embed_files(embedder: Arc<dyn Embedder>, paths: &[PathBuf]) -> Result<Vec<Vec<f32>>> {
    if paths.is_empty() {
        return Ok(Vec::new());
    }
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
