//! `add_to_index`: more vectors for a run.

use std::sync::Arc;

use brain_core::{AddReport, Error, ErrorKind, OnConflict, Result, View};

use crate::compute::{Embeddings, Failure, Filled, Source, Work, fill};
use crate::models::Crops;
use crate::{Similarity, scope};

/// An `add_to_index` being put together; [`run`](Self::run) does it.
pub struct AddToIndex {
    similarity: Similarity,
    embeddings: Embeddings,
    only_new: bool,
    on_conflict: OnConflict,
    view: View,
    skip_failures: bool,
}

/// What an `add_to_index` did.
#[derive(Clone, Debug)]
pub struct Added {
    /// What became of the vectors.
    pub report: AddReport,
    /// What could not be embedded, and why.
    pub failures: Vec<Failure>,
    /// How many items the index holds now.
    pub total: u64,
}

impl AddToIndex {
    pub(crate) fn new(similarity: Similarity) -> Self {
        let embeddings = match (similarity.instance(), &similarity.config().model) {
            (Some(instance), _) => Embeddings::Embedder(Arc::clone(instance)),
            (None, Some(model)) => Embeddings::Model(model.clone()),
            (None, None) => Embeddings::None,
        };
        Self { similarity, embeddings, only_new: false, on_conflict: OnConflict::default(), view: View::new(), skip_failures: true }
    }

    /// Where the vectors come from; by default the run's own model.
    #[must_use]
    pub fn embeddings(mut self, embeddings: Embeddings) -> Self {
        self.embeddings = embeddings;
        self
    }

    /// Adds only what the index does not hold yet.
    #[must_use]
    pub fn only_new(mut self) -> Self {
        self.only_new = true;
        self
    }

    /// What to do with items that the index holds already.
    #[must_use]
    pub fn on_conflict(mut self, on_conflict: OnConflict) -> Self {
        self.on_conflict = on_conflict;
        self
    }

    /// Only this view's items are added.
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

    /// Does the work.
    ///
    /// # Errors
    /// [`Conflict`](ErrorKind::Conflict) for a model that is not the run's, or under [`OnConflict::Error`];
    /// [`DimensionMismatch`](ErrorKind::DimensionMismatch); [`NotFound`](ErrorKind::NotFound) naming unknown ids.
    pub async fn run(mut self) -> Result<Added> {
        let config = self.similarity.config().clone();
        let brain = self.similarity.brain().clone();
        let name = self.similarity.record().dataset.clone();
        let dataset = brain.datasets().get(&name)?;
        if matches!(self.embeddings, Embeddings::None) {
            return Err(Error::invalid(format!("run {:?} has no model to embed with: its vectors were given", self.similarity.record().key))
                .with_hint("give vectors: --embeddings FILE.npy --ids FILE, or name a --model"));
        }
        let mut items = scope::items(&brain, &name, config.patches_field.as_deref(), &self.view).await?;
        if let (Embeddings::Model(name), true) = (&self.embeddings, config.model_instance)
            && config.model.as_ref() == Some(name)
            && crate::models::of_run(&self.similarity).is_err()
        {
            return Err(crate::models::instance_is_gone(&self.similarity.record().key, name));
        }
        let mut now = config.clone();
        let mut source = Source::open(&brain, &dataset, &mut now, &self.embeddings, &items).await?;
        if let (Some(was), Some(is)) = (&config.fingerprint, &now.fingerprint)
            && was != is
        {
            return Err(Error::new(ErrorKind::Conflict, format!("the index was made with the model {was}, not with {is}"))
                .with_hint("an index never mixes two models: add with the same one, or make a new index"));
        }
        let dimension = now.dimension.unwrap_or_default();
        if let Some(expected) = config.dimension
            && expected != dimension
        {
            return Err(Error::new(
                ErrorKind::DimensionMismatch,
                format!("these vectors have {dimension} numbers, but the index holds vectors of {expected}"),
            )
            .with_hint("embed with the model that the index was made with"));
        }
        if let Source::Rows(rows) = &source {
            items.clone_from(&rows.items);
        }
        if self.only_new {
            let missing: std::collections::HashSet<_> = self.similarity.missing(&self.view).await?.into_iter().collect();
            items.retain(|item| missing.contains(&item.id));
        }
        let crops = Crops::of(&config);
        let work = Work {
            brain: &brain,
            dataset: &dataset,
            crops: &crops,
            skip_failures: self.skip_failures,
            batch_size: None,
            on_conflict: self.on_conflict,
        };
        let index = self.similarity.index_for(dimension).await?;
        let Filled { report, failures, .. } = fill(&work, &mut source, items, index).await?;
        self.similarity.note_size().await?;
        let total = self.similarity.total_index_size().await?;
        Ok(Added { report, failures, total })
    }
}
