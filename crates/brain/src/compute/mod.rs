//! `compute_similarity`: from a dataset to an index under a brain key.
//!
//! The work is cut in three: *prepare* looks at everything and writes nothing (a dry run ends here), *register* writes the run down, *fill* embeds
//! and adds batches until the run is complete. A kill in between leaves a run that says so; the same work with
//! [`resume`](ComputeSimilarity::resume) goes on after the last batch that was added.

mod embeddings;
mod field;
mod fill;
mod prepare;
mod source;

use std::path::PathBuf;
use std::sync::Arc;

use brain_core::{AddReport, Embedder, ItemId, ItemKind, Metric, Result, RunRecord, View};
use serde::Serialize;

use crate::Brain;

pub use embeddings::{ComputeEmbeddings, ComputedEmbeddings, Existing};
pub use fill::Failure;
pub(crate) use fill::{Filled, Work, fill};
pub use prepare::ids_of_file;
pub(crate) use source::Source;

/// Where the vectors of an index come from.
#[derive(Clone)]
#[non_exhaustive]
pub enum Embeddings {
    /// A model of the zoo, by name.
    Model(String),
    /// A model instance.
    Embedder(Arc<dyn Embedder>),
    /// Vectors in memory, row after row, of these ids, or of the items in the dataset's (or the view's) order.
    Matrix {
        /// `rows * dimension` numbers.
        vectors: Vec<f32>,
        /// How many numbers a row has.
        dimension: usize,
        /// Sample ids, or label ids for patches; `None` for the dataset's order.
        ids: Option<Vec<ItemId>>,
    },
    /// A `.npy` file, and perhaps a file of ids, one a line.
    File {
        /// The matrix.
        npy: PathBuf,
        /// The ids of its rows; `None` for the dataset's order.
        ids: Option<PathBuf>,
    },
    /// A vector field of the samples (an attribute of the labels, for patches). Where it does not exist yet it is filled, by the model, first.
    Field {
        /// The field's name.
        name: String,
        /// The model that fills it; `None` where it must exist.
        model: Option<String>,
    },
    /// No vectors: the index is made empty, or an existing one is attached to.
    None,
}

/// A `compute_similarity` being put together; [`run`](Self::run) does it, [`plan`](Self::plan) says what it would do.
#[derive(Clone)]
pub struct ComputeSimilarity {
    brain: Brain,
    dataset: String,
    brain_key: String,
    backend: Option<String>,
    embeddings: Option<Embeddings>,
    parameters: Vec<(String, String)>,
    patches_field: Option<String>,
    roi_field: Option<String>,
    force_square: bool,
    alpha: Option<f64>,
    skip_failures: bool,
    view: Option<View>,
    resume: bool,
    batch_size: Option<usize>,
}

/// What a `compute_similarity` would do.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ComputePlan {
    /// The run's dataset.
    pub dataset: String,
    /// The run's key.
    pub brain_key: String,
    /// The backend that would hold the index.
    pub backend: String,
    /// The index's metric.
    pub metric: Metric,
    /// How many numbers its vectors have; unknown for an empty index.
    pub dimension: Option<usize>,
    /// What its items are.
    pub items: ItemKind,
    /// Where the vectors would come from, in words.
    pub source: String,
    /// How many items there are to index.
    pub total: u64,
    /// How many of them an interrupted run has indexed before.
    pub done: u64,
}

/// What a `compute_similarity` did.
#[derive(Clone, Debug)]
pub struct Computed {
    /// The run as it stands now.
    pub record: RunRecord,
    /// What became of the vectors.
    pub report: AddReport,
    /// How many items an earlier, interrupted run had indexed.
    pub done_before: u64,
    /// What could not be embedded, and why.
    pub failures: Vec<Failure>,
    /// How many items had no vector in the field they should come from.
    pub without_vector: u64,
}

impl ComputeSimilarity {
    pub(crate) fn new(brain: Brain, dataset: String, brain_key: String) -> Self {
        Self {
            brain,
            dataset,
            brain_key,
            backend: None,
            embeddings: None,
            parameters: Vec::new(),
            patches_field: None,
            roi_field: None,
            force_square: false,
            alpha: None,
            skip_failures: true,
            view: None,
            resume: false,
            batch_size: None,
        }
    }

    /// The backend that holds the index; by default the configured one.
    #[must_use]
    pub fn backend(mut self, name: impl Into<String>) -> Self {
        self.backend = Some(name.into());
        self
    }

    /// Where the vectors come from; by default the built-in image model.
    #[must_use]
    pub fn embeddings(mut self, embeddings: Embeddings) -> Self {
        self.embeddings = Some(embeddings);
        self
    }

    /// Shorthand for [`Embeddings::Model`].
    #[must_use]
    pub fn model(self, name: impl Into<String>) -> Self {
        self.embeddings(Embeddings::Model(name.into()))
    }

    /// The metric, over the configured one.
    #[must_use]
    pub fn metric(self, metric: Metric) -> Self {
        self.parameter("metric", metric.as_str())
    }

    /// A parameter of the backend, over the configured one.
    #[must_use]
    pub fn parameter(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.parameters.push((name.into(), value.into()));
        self
    }

    /// Indexes the patches of this field of detections or polylines instead of whole samples.
    #[must_use]
    pub fn patches_field(mut self, field: impl Into<String>) -> Self {
        self.patches_field = Some(field.into());
        self
    }

    /// A sample's vector is the average over the regions of this field; of the whole image where there is none.
    #[must_use]
    pub fn roi_field(mut self, field: impl Into<String>) -> Self {
        self.roi_field = Some(field.into());
        self
    }

    /// Widens the shorter side of each crop until it is square.
    #[must_use]
    pub fn force_square(mut self, force_square: bool) -> Self {
        self.force_square = force_square;
        self
    }

    /// Grows (`> 0`) or shrinks (`< 0`, down to −1) each crop by this share of its sides.
    #[must_use]
    pub fn alpha(mut self, alpha: f64) -> Self {
        self.alpha = Some(alpha);
        self
    }

    /// Whether images that cannot be embedded are left out and reported, as by default, or end the work.
    #[must_use]
    pub fn skip_failures(mut self, skip: bool) -> Self {
        self.skip_failures = skip;
        self
    }

    /// Only this view's items are embedded and indexed.
    #[must_use]
    pub fn view(mut self, view: View) -> Self {
        self.view = Some(view);
        self
    }

    /// Goes on with an interrupted run of this key; begins it where there is none.
    #[must_use]
    pub fn resume(mut self, resume: bool) -> Self {
        self.resume = resume;
        self
    }

    /// How many images are embedded at once.
    #[must_use]
    pub fn batch_size(mut self, images: usize) -> Self {
        self.batch_size = Some(images);
        self
    }

    /// Looks at everything and writes nothing: what the work would be.
    ///
    /// # Errors
    /// Whatever [`run`](Self::run) would refuse before its work.
    pub async fn plan(&self) -> Result<ComputePlan> {
        Ok(self.prepare().await?.plan())
    }

    /// Does the work.
    ///
    /// # Errors
    /// [`AlreadyExists`](brain_core::ErrorKind::AlreadyExists) for a key that is taken; [`InvalidInput`](brain_core::ErrorKind::InvalidInput) for what is
    /// no brain key, for a matrix of the wrong shape, for unusable vectors; [`NotFound`](brain_core::ErrorKind::NotFound) for a dataset, field, model or id
    /// that is not there; those of the configuration and the backend. A run that was registered keeps the error and can be resumed.
    pub async fn run(self) -> Result<Computed> {
        self.prepare().await?.run().await
    }
}
