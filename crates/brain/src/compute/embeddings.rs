//! `compute_embeddings`: a model's vectors of photos or patches, into a field of the dataset.

use std::sync::{Arc, Mutex, PoisonError};

use brain_core::{Embedder, Error, Result, View};
use futures::StreamExt as _;

use super::{Failure, field};
use crate::models::{self, Crops, Embedded};
use crate::{Brain, scope, vectors};

/// A `compute_embeddings` being put together; [`run`](Self::run) does it.
pub struct ComputeEmbeddings {
    brain: Brain,
    dataset: String,
    field: String,
    model: Option<Model>,
    existing: Existing,
    crops: Crops,
    view: View,
    skip_failures: bool,
    batch_size: Option<usize>,
}

enum Model {
    Name(String),
    Instance(Arc<dyn Embedder>),
}

/// What becomes of vectors that the field holds already.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Existing {
    /// They are made anew.
    #[default]
    Replace,
    /// They stay; only items without one are embedded. A field that another model filled is refused.
    Skip,
}

/// What a `compute_embeddings` did.
#[derive(Clone, Debug)]
pub struct ComputedEmbeddings {
    /// The model's name.
    pub model: String,
    /// The model's fingerprint.
    pub fingerprint: String,
    /// How many numbers a vector has.
    pub dimension: usize,
    /// How many items were embedded.
    pub embedded: u64,
    /// How many had a vector and kept it.
    pub skipped: u64,
    /// What could not be embedded, and why.
    pub failures: Vec<Failure>,
}

impl ComputeEmbeddings {
    pub(crate) fn new(brain: Brain, dataset: String, field: String) -> Self {
        Self {
            brain,
            dataset,
            field,
            model: None,
            existing: Existing::default(),
            crops: Crops::default(),
            view: View::new(),
            skip_failures: true,
            batch_size: None,
        }
    }

    /// The model, by name; by default the built-in image model.
    #[must_use]
    pub fn model(mut self, name: impl Into<String>) -> Self {
        self.model = Some(Model::Name(name.into()));
        self
    }

    /// A model instance.
    #[must_use]
    pub fn embedder(mut self, embedder: Arc<dyn Embedder>) -> Self {
        self.model = Some(Model::Instance(embedder));
        self
    }

    /// What becomes of vectors that the field holds already; by default they are made anew.
    #[must_use]
    pub fn existing(mut self, existing: Existing) -> Self {
        self.existing = existing;
        self
    }

    /// Embeds the patches of this field of detections or polylines; the vectors become attributes of the labels.
    #[must_use]
    pub fn patches_field(mut self, field: impl Into<String>) -> Self {
        self.crops.patches_field = Some(field.into());
        self
    }

    /// Widens the shorter side of each patch until it is square.
    #[must_use]
    pub fn force_square(mut self, force_square: bool) -> Self {
        self.crops.force_square = force_square;
        self
    }

    /// Grows (`> 0`) or shrinks (`< 0`, down to −1) each patch by this share of its sides.
    #[must_use]
    pub fn alpha(mut self, alpha: f64) -> Self {
        self.crops.alpha = alpha;
        self
    }

    /// Only this view's items are embedded.
    #[must_use]
    pub fn view(mut self, view: View) -> Self {
        self.view = view;
        self
    }

    /// Whether images that cannot be embedded are left out and reported, as by default, or end the work.
    #[must_use]
    pub fn skip_failures(mut self, skip: bool) -> Self {
        self.skip_failures = skip;
        self
    }

    /// How many images are embedded at once.
    #[must_use]
    pub fn batch_size(mut self, images: usize) -> Self {
        self.batch_size = Some(images);
        self
    }

    /// Does the work. What is embedded is stored batch by batch: after an interruption, [`Existing::Skip`] goes on.
    ///
    /// # Errors
    /// [`NotFound`](brain_core::ErrorKind::NotFound) for a dataset, field or model that is not there; [`Conflict`](brain_core::ErrorKind::Conflict) and
    /// [`DimensionMismatch`](brain_core::ErrorKind::DimensionMismatch) where [`Existing::Skip`] would mix two models; those of the dataset.
    pub async fn run(self) -> Result<ComputedEmbeddings> {
        let dataset = self.brain.datasets().get(&self.dataset)?;
        let embedder = match &self.model {
            Some(Model::Instance(embedder)) => Arc::clone(embedder),
            Some(Model::Name(name)) => self.brain.models().load(name)?,
            None => self.brain.models().load(models::DEFAULT)?,
        };
        let patches_field = self.crops.patches_field.as_deref();
        let mut items = scope::items(&self.brain, &self.dataset, patches_field, &self.view).await?;
        let all = items.len();
        if self.existing == Existing::Skip && vectors::first_vector(&dataset, patches_field, &self.field, &items)?.is_some() {
            field::same_model(&dataset, &self.crops, &self.field, &items, &embedder).await?;
            let lacking = Arc::new(Mutex::new(Vec::new()));
            let mut there = field::stored(&dataset, patches_field, &self.field, items, embedder.dimension(), &lacking)?;
            while let Some(batch) = there.next().await {
                batch?;
            }
            items = std::mem::take(&mut *lacking.lock().unwrap_or_else(PoisonError::into_inner));
        }
        let skipped = (all - items.len()) as u64;
        let progress = self.brain.progress();
        progress.start(&format!("embedding into {}", self.field), Some(items.len() as u64));
        let done = self.embed(&dataset, &embedder, items).await;
        progress.finish();
        let (embedded, mut failures) = done?;
        failures.sort_by(|a, b| a.filepath.cmp(&b.filepath).then_with(|| a.id.cmp(&b.id)));
        let (model, fingerprint, dimension) = (embedder.name().to_owned(), embedder.fingerprint(), embedder.dimension());
        Ok(ComputedEmbeddings { model, fingerprint, dimension, embedded, skipped, failures })
    }

    async fn embed(
        &self,
        dataset: &brain_dataset::Dataset,
        embedder: &Arc<dyn Embedder>,
        items: Vec<brain_core::Item>,
    ) -> Result<(u64, Vec<Failure>)> {
        let progress = self.brain.progress();
        let (mut embedded, mut failed) = (0, Vec::new());
        let mut batches = models::embed(Arc::clone(embedder), dataset.clone(), items, self.crops.clone(), self.batch_size)?;
        while let Some(batch) = batches.next().await {
            let Embedded { rows, failures } = batch?;
            if let (false, Some(failure)) = (self.skip_failures, failures.first()) {
                return Err(Error::invalid(failure.message.clone()).with_context("filepath", &failure.filepath));
            }
            field::store(dataset, self.crops.patches_field.as_deref(), &self.field, &rows)?;
            progress.advance((rows.len() + failures.len()) as u64);
            embedded += rows.len() as u64;
            failed.extend(failures);
        }
        Ok((embedded, failed))
    }
}
