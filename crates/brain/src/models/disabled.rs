//! A build without models.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use brain_core::{Embedder, Error, Item, Result};
use brain_dataset::Dataset;
use futures::stream::BoxStream;

use super::{Crops, Embedded};

fn absent(what: &str) -> Error {
    Error::unsupported(format!("{what} needs image models, which this build leaves out"))
        .with_hint("give vectors (a .npy file, a field of the dataset), or build with the feature \"models\"")
}

/// No models.
pub(crate) struct Models;

impl Models {
    pub(crate) fn of(_home: &Path) -> Self {
        Self
    }

    pub(crate) fn load(&self, name: &str) -> Result<Arc<dyn Embedder>> {
        Err(absent(&format!("the model {name:?}")))
    }

    pub(crate) fn with_text(&self) -> Vec<String> {
        Vec::new()
    }
}

pub(crate) fn embed_files(_embedder: Arc<dyn Embedder>, paths: &[PathBuf]) -> Result<Vec<Vec<f32>>> {
    if paths.is_empty() {
        return Ok(Vec::new());
    }
    Err(absent("searching by an image file"))
}

pub(crate) fn embed(
    _embedder: Arc<dyn Embedder>,
    _dataset: Dataset,
    _items: Vec<Item>,
    _crops: Crops,
    _batch_size: Option<usize>,
) -> Result<BoxStream<'static, Result<Embedded>>> {
    Err(absent("embedding photos"))
}
