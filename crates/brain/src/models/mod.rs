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

use crate::compute::Failure;
use crate::record::SimilarityConfig;
use crate::{Brain, Similarity};

#[cfg(not(feature = "models"))]
pub(crate) use disabled::{Models, embed, embed_files};
#[cfg(feature = "models")]
pub(crate) use enabled::{Models, embed, embed_files};

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

/// The model of a run, to embed a query or more photos with: the instance that was handed in, or the one of its name.
pub(crate) fn of_run(similarity: &Similarity) -> Result<Arc<dyn Embedder>> {
    let (record, config) = (similarity.record(), similarity.config());
    let Some(name) = &config.model else {
        return Err(Error::unsupported(format!("run {:?} was made from given vectors, so it has no model to embed a query with", record.key))
            .with_hint("search by id or by vector, or index with a model"));
    };
    if let Some(instance) = similarity.instance() {
        return Ok(Arc::clone(instance));
    }
    let loaded = similarity.brain().models().load(name);
    if config.model_instance {
        // A program may have handed in what any session can load by name.
        return match loaded {
            Ok(embedder) if config.fingerprint.as_deref() == Some(&embedder.fingerprint()) => Ok(embedder),
            _ => Err(instance_is_gone(&record.key, name)),
        };
    }
    let embedder = loaded?;
    same_model(similarity, &*embedder)?;
    Ok(embedder)
}

/// Whether a model is the one that a run was made with.
pub(crate) fn same_model(similarity: &Similarity, embedder: &dyn Embedder) -> Result<()> {
    let (record, config) = (similarity.record(), similarity.config());
    match &config.fingerprint {
        Some(was) if *was != embedder.fingerprint() => {
            Err(Error::new(ErrorKind::Conflict, format!("run {:?} was made with the model {was}, not with {}", record.key, embedder.fingerprint()))
                .with_hint("an index never mixes two models: use the same one, or make a new index"))
        }
        _ => Ok(()),
    }
}

/// The error of a later session that has not the instance a run was made with.
pub(crate) fn instance_is_gone(key: &str, model: &str) -> Error {
    Error::unsupported(format!(
        "run {key:?} was made with an instance of a model ({model}) that a program handed in, and this session does not have it: it cannot embed prompts or photos"
    ))
    .with_hint("hand the instance in again (Similarity::with_model), search by id or by vector, or index with a model of the zoo")
}

/// The error of a prompt to a model that takes none; names those that do.
pub(crate) fn without_text(brain: &Brain, model: &str) -> Error {
    let error = brain_core::no_text(model);
    let names = brain.models().with_text();
    if names.is_empty() {
        return error;
    }
    // Its own hint names no model: core knows none.
    Error::unsupported(error.message()).with_operation("embed text").with_hint(format!(
        "index with a model that embeds sentences too (--model M): {}; or search by id, by vector or by image file",
        names.join(", ")
    ))
}
