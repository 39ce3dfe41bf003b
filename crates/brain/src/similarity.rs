//! A run with its index, opened: what can be asked of it and done to it.

use std::sync::Arc;

use brain_core::{
    Embedder, Error, ErrorKind, Fetched, IndexInfo, ItemId, ItemKind, OnMissing, RemoveReport, Result, RunRecord, Scope, Selector, SimilarityBackend,
    SimilarityIndex, View, enumerate,
};
use futures::TryStreamExt as _;

use crate::record::{SIMILARITY, SimilarityConfig};
use crate::scope::{self, Within};
use crate::{Brain, Query, SortBySimilarity};

/// The results of a similarity run: its record and its index.
///
/// [`Brain::load_brain_results`] opens one. Every call sees the index as it is at that moment, whoever changed it.
pub struct Similarity {
    brain: Brain,
    record: RunRecord,
    config: SimilarityConfig,
    backend: Arc<dyn SimilarityBackend>,
    /// `None` for a run that was made empty and whose first vectors, and so their length, are still to come.
    index: Option<Box<dyn SimilarityIndex>>,
    /// The model that a program handed in.
    instance: Option<Arc<dyn Embedder>>,
}

/// Which items of an index are meant, by those who use it.
#[derive(Clone, Debug, PartialEq)]
pub enum Items {
    /// All.
    All,
    /// Those with these ids: samples', or labels' in an index of patches.
    Ids(Vec<ItemId>),
    /// Those of these samples.
    Samples(Vec<ItemId>),
    /// Those of a view.
    View(View),
}

impl Similarity {
    pub(crate) async fn load(brain: Brain, mut record: RunRecord, parameters: &[(String, String)]) -> Result<Self> {
        if record.run_type != SIMILARITY {
            return Err(Error::unsupported(format!("run {:?} is of type {:?}, not {SIMILARITY}", record.key, record.run_type)));
        }
        let backend = brain.backend(&record.method, parameters)?;
        let mut config = SimilarityConfig::read(&record)?;
        if config.attached && config.dimension.is_none() {
            brain.attach_to(&*backend, &mut record).await?;
            brain.runs().update(&record).await?;
            config = SimilarityConfig::read(&record)?;
        }
        let index = match config.spec() {
            Some(spec) => Some(open(&*backend, &config, &spec).await.map_err(|error| gone(error, &record))?),
            None => None,
        };
        Ok(Self { brain, record, config, backend, index, instance: None })
    }

    /// The session this was opened in.
    pub fn brain(&self) -> &Brain {
        &self.brain
    }

    /// The run's record.
    pub fn record(&self) -> &RunRecord {
        &self.record
    }

    /// What the run's items are.
    pub fn items(&self) -> ItemKind {
        self.config.items()
    }

    /// The index itself, for those who use the primitives. `None` while the run is empty and its dimension unknown.
    pub fn index(&self) -> Option<&dyn SimilarityIndex> {
        self.index.as_deref()
    }

    /// Embeds queries and photos with this model instead of one loaded by name: for a run that was made with an instance.
    ///
    /// # Errors
    /// [`Conflict`](ErrorKind::Conflict) when it is not the model that the run was made with; [`Unsupported`](ErrorKind::Unsupported) for a run that was
    /// made from given vectors.
    pub fn with_model(mut self, model: Arc<dyn Embedder>) -> Result<Self> {
        if self.config.model.is_none() {
            return Err(Error::unsupported(format!("run {:?} was made from given vectors, and no model is known to make the like", self.record.key)));
        }
        crate::models::same_model(&self, &*model)?;
        self.instance = Some(model);
        Ok(self)
    }

    pub(crate) fn instance(&self) -> Option<&Arc<dyn Embedder>> {
        self.instance.as_ref()
    }

    pub(crate) fn config(&self) -> &SimilarityConfig {
        &self.config
    }

    /// The index, made now if the run was empty: its first vectors have `dimension` numbers.
    pub(crate) async fn index_for(&mut self, dimension: usize) -> Result<&dyn SimilarityIndex> {
        if self.index.is_none() {
            self.config.dimension = Some(dimension);
            let spec = self.config.spec().ok_or_else(|| Error::unexpected("a run with a dimension has no index"))?;
            let index = match self.backend.create(&spec).await {
                // Another process added the first vectors a moment ago.
                Err(error) if error.kind() == ErrorKind::AlreadyExists => self.backend.open(&spec).await?,
                other => other?,
            };
            self.index = Some(index);
            self.record.config = self.config.to_map();
            self.brain.runs().update(&self.record).await?;
        }
        self.index.as_deref().ok_or_else(|| Error::unexpected("an index that was just made is not there"))
    }

    /// Sorts by similarity to `query`: the builder of the search.
    pub fn sort_by_similarity(&self, query: Query) -> SortBySimilarity<'_> {
        SortBySimilarity::new(self, query)
    }

    /// How many items the index holds.
    ///
    /// # Errors
    /// Those of the backend.
    pub async fn total_index_size(&self) -> Result<u64> {
        match self.index() {
            Some(index) => index.count(Scope::All).await,
            None => Ok(0),
        }
    }

    /// How many items of a view the index holds; in an index of patches seen through a view of samples, how many of their patches.
    ///
    /// # Errors
    /// Those of the view and of the backend.
    pub async fn index_size(&self, view: &View) -> Result<u64> {
        let Some(index) = self.index() else { return Ok(0) };
        let within = self.within(view).await?;
        index.count(within.scope()).await
    }

    /// The ids of a view's items that the index lacks, ascending.
    ///
    /// # Errors
    /// Those of the view and of the backend.
    pub async fn missing(&self, view: &View) -> Result<Vec<ItemId>> {
        let within = self.within(view).await?;
        let Some(index) = self.index() else { return Ok(within.set().as_slice().to_vec()) };
        let wanted = within.set().as_slice();
        let mut held = vec![false; wanted.len()];
        let mut ids = index.ids();
        while let Some(items) = ids.try_next().await? {
            for item in items {
                if let Ok(at) = wanted.binary_search(&item.id) {
                    held[at] = true;
                }
            }
        }
        Ok(wanted.iter().zip(held).filter(|(_, held)| !held).map(|(id, _)| id.clone()).collect())
    }

    pub(crate) async fn within(&self, view: &View) -> Result<Within> {
        scope::resolve(&self.brain, &self.record.dataset, self.config.patches_field.as_deref(), view).await
    }

    /// Removes items from the index. The dataset keeps its samples.
    ///
    /// # Errors
    /// [`NotFound`](brain_core::ErrorKind::NotFound) under [`OnMissing::Error`], and then nothing is removed.
    pub async fn remove_from_index(&mut self, items: &Items, on_missing: OnMissing) -> Result<RemoveReport> {
        let Some(index) = self.index.as_deref() else {
            return match items {
                Items::Ids(ids) | Items::Samples(ids) if on_missing == OnMissing::Error && !ids.is_empty() => {
                    Err(Error::not_found(format!("the index is empty: it holds no {}", enumerate(ids))))
                }
                _ => Ok(RemoveReport::default()),
            };
        };
        let report = match items {
            Items::All => index.remove(Selector::All, on_missing).await?,
            Items::Ids(ids) => index.remove(Selector::Items(ids), on_missing).await?,
            Items::Samples(ids) => index.remove(Selector::Samples(ids), on_missing).await?,
            Items::View(view) => {
                let within = self.within(view).await?;
                index.remove(Selector::Items(within.set().as_slice()), on_missing).await?
            }
        };
        self.note_size().await?;
        Ok(report)
    }

    /// The stored vectors of some items, in the order asked (a view's order, for a view), and the ids that the index lacks.
    /// For the whole of a large index, stream it: [`Similarity::index`].
    ///
    /// # Errors
    /// Those of the view and of the backend.
    pub async fn get_embeddings(&self, items: &Items) -> Result<Fetched> {
        let Some(index) = self.index() else {
            let missing = match items {
                Items::Ids(ids) | Items::Samples(ids) => ids.clone(),
                Items::All | Items::View(_) => Vec::new(),
            };
            return Ok(Fetched { missing, ..Fetched::default() });
        };
        match items {
            Items::All => index.fetch(Selector::All).await,
            Items::Ids(ids) => index.fetch(Selector::Items(ids)).await,
            Items::Samples(ids) => index.fetch(Selector::Samples(ids)).await,
            Items::View(view) => {
                let within = self.within(view).await?;
                index.fetch(Selector::Items(&within.ordered())).await
            }
        }
    }

    /// What the backend says of the index.
    ///
    /// # Errors
    /// [`NotFound`](brain_core::ErrorKind::NotFound) while the run is empty.
    pub async fn info(&self) -> Result<IndexInfo> {
        self.filled()?.info().await
    }

    /// The index, which must have been made.
    pub(crate) fn filled(&self) -> Result<&dyn SimilarityIndex> {
        self.index().ok_or_else(|| {
            Error::not_found(format!("run {:?} has no index yet: nothing was added to it", self.record.key))
                .with_hint("add vectors with `brain add-to-index`")
        })
    }

    /// Drops the index with all its vectors, also one that was attached to. The run's record stays; whether there was an index.
    ///
    /// # Errors
    /// Those of the backend.
    pub async fn cleanup(self) -> Result<bool> {
        drop_index(&self.brain, &self.record).await
    }

    /// Writes the index's size into the record.
    pub(crate) async fn note_size(&mut self) -> Result<()> {
        let size = self.total_index_size().await?;
        self.record.counts.insert("indexed".to_owned(), size);
        self.brain.runs().update(&self.record).await
    }
}

pub(crate) async fn open(
    backend: &dyn SimilarityBackend,
    config: &SimilarityConfig,
    spec: &brain_core::IndexSpec,
) -> Result<Box<dyn SimilarityIndex>> {
    if !config.attached {
        return backend.open(spec).await;
    }
    backend.attach(&config.existing(Some(spec.dimension), Some(spec.metric))).await
}

/// A missing index, told with the run that misses it.
fn gone(error: Error, record: &RunRecord) -> Error {
    if error.kind() != ErrorKind::NotFound {
        return error;
    }
    let (dataset, key) = (&record.dataset, &record.key);
    Error::not_found(format!("the index of run {key:?} of dataset {dataset:?} is gone: {error}"))
        .with_hint(format!("make it again: brain compute-similarity {dataset} --brain-key {key} --resume"))
        .with_source(error)
}

/// Drops the index that a run made; whether there was one.
pub(crate) async fn drop_own_index(brain: &Brain, record: &RunRecord) -> Result<bool> {
    if SimilarityConfig::read(record)?.attached { Ok(false) } else { drop_index(brain, record).await }
}

/// Drops the index of a run; whether there was one.
pub(crate) async fn drop_index(brain: &Brain, record: &RunRecord) -> Result<bool> {
    let config = SimilarityConfig::read(record)?;
    if config.dimension.is_none() && !config.attached {
        return Ok(false);
    }
    brain.backends().get(&record.method)?.drop_index(&config.existing(config.dimension, Some(config.metric))).await
}
