//! The models of this build, and the way from photos to vectors.
//!
//! The feature `models` brings them; without it the same calls say what is missing.

#[cfg(not(feature = "models"))]
mod disabled;
#[cfg(feature = "models")]
mod enabled;
#[cfg(feature = "models")]
mod jobs;

use std::sync::Arc;

use brain_core::{Embedder, Error, ErrorKind, Result, VectorBatch};

use crate::Similarity;
use crate::compute::Failure;
use crate::record::SimilarityConfig;

#[cfg(not(feature = "models"))]
pub(crate) use disabled::{embed, embed_files, load};
#[cfg(feature = "models")]
pub(crate) use enabled::{embed, embed_files, load};

/// The model of a run that names none.
pub(crate) const DEFAULT: &str = "efficientnet-lite0";

/// Which parts of a photo are embedded.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Crops {
    pub(crate) patches_field: Option<String>,
    pub(crate) roi_field: Option<String>,
    pub(crate) force_square: bool,
    pub(crate) alpha: f64,
}

impl Crops {
    pub(crate) fn of(config: &SimilarityConfig) -> Self {
        Self {
            patches_field: config.patches_field.clone(),
            roi_field: config.roi_field.clone(),
            force_square: config.force_square,
            alpha: config.alpha.unwrap_or_default(),
        }
    }
}

/// A batch of vectors, and what failed on the way to it.
pub(crate) struct Embedded {
    pub(crate) rows: VectorBatch,
    pub(crate) failures: Vec<Failure>,
}

/// The model of a run, to embed a query with.
pub(crate) fn of_run(similarity: &Similarity) -> Result<Arc<dyn Embedder>> {
    let (record, config) = (similarity.record(), similarity.config());
    let Some(name) = &config.model else {
        return Err(Error::unsupported(format!("run {:?} was made from given vectors, so it has no model to embed a query with", record.key))
            .with_hint("search by id or by vector, or index with a model"));
    };
    let embedder = load(name)?;
    if let Some(was) = &config.fingerprint
        && *was != embedder.fingerprint()
    {
        return Err(Error::new(
            ErrorKind::Conflict,
            format!("run {:?} was made with {was}, but this build has {}", record.key, embedder.fingerprint()),
        )
        .with_hint("make the index again with this build's model"));
    }
    Ok(embedder)
}
