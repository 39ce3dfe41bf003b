//! The contract of a place that holds vectors and finds the nearest.
//!
//! A backend implements primitives and nothing else. What must be the same everywhere (validation of input, the choice of a route, reverse order,
//! aggregation of several queries, completeness and its report) is written once, in [`crate::search`], over these traits.
//!
//! # Contract
//! - **Distances** follow [`Metric`]: smaller is nearer, `f32`, never a NaN. Ties are broken by item id, ascending.
//! - **Atomic batches.** Each batch of a stream is added whole or not at all, and is durable when the call that consumed it returns or reports it.
//!   A batch with one bad vector writes nothing and names the item: call [`validate::batch`](crate::validate::batch) first.
//! - **No silent loss.** An answer may be shorter than `min(k, items in scope)` only when `exact` is false in the response: the planner then
//!   repairs it. A cap, a timeout or a filter that loses rows is never reported as exact.
//! - **Bounded memory.** `add`, `ids` and `stream` hold a few batches at a time, whatever the size of the index.
//! - **Readers beside a writer.** A search sees some published state, never half a batch.

use std::any::Any;
use std::collections::BTreeMap;

use async_trait::async_trait;
use futures::TryStreamExt as _;
use futures::stream::BoxStream;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{Capabilities, Item, ItemId, ItemKind, ItemSet, Metric, Progress, Result, VectorBatch};

/// Parameters of an index beyond name, dimension and metric; each backend documents its own.
pub type Parameters = BTreeMap<String, Value>;

/// Names an index and says what it holds: enough to create it, and to find it again.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct IndexSpec {
    /// The index's name, unique within its backend.
    pub name: String,
    /// How many numbers each vector has.
    pub dimension: usize,
    /// What ranks the vectors.
    pub metric: Metric,
    /// What the vectors belong to.
    #[serde(default)]
    pub items: ItemKind,
    /// The backend's own parameters; never a credential.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub parameters: Parameters,
}

/// An index that somebody else made, to be attached to. What is `None` is read from what is really there.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ExistingIndex {
    /// The index's name, or its table's, in the backend's own terms.
    pub name: String,
    /// The length of vectors that is expected, if any.
    pub dimension: Option<usize>,
    /// The metric that is expected, if any.
    pub metric: Option<Metric>,
    /// What the vectors belong to.
    pub items: ItemKind,
    /// The backend's own parameters, such as the table's name beside the index's.
    pub parameters: Parameters,
}

impl From<&IndexSpec> for ExistingIndex {
    fn from(spec: &IndexSpec) -> Self {
        Self {
            name: spec.name.clone(),
            dimension: Some(spec.dimension),
            metric: Some(spec.metric),
            items: spec.items,
            parameters: spec.parameters.clone(),
        }
    }
}

/// Whether a backend can work now, and what it says of itself.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Health {
    /// One line: a version, a folder, an address without credentials.
    pub detail: String,
}

/// A kind of index: makes, opens, attaches to and drops indexes.
#[async_trait]
pub trait SimilarityBackend: Send + Sync {
    /// The name that configuration and runs use: `local`, `pgvector`, `redis`.
    fn name(&self) -> &str;

    /// What the backend can do.
    fn capabilities(&self) -> &Capabilities;

    /// Refuses, before any work, an index that [`create`](Self::create) would refuse: for what it is, or because the backend cannot work now. Nothing is made.
    ///
    /// # Errors
    /// Those of [`create`](Self::create), but for a name that is taken.
    async fn check(&self, spec: &IndexSpec) -> Result<()> {
        self.capabilities().check(self.name(), spec.metric, spec.dimension)
    }

    /// Makes a new, empty index.
    ///
    /// # Errors
    /// [`AlreadyExists`](crate::ErrorKind::AlreadyExists) for a taken name, also when another process was a moment faster;
    /// [`Unsupported`](crate::ErrorKind::Unsupported) for what the capabilities exclude.
    async fn create(&self, spec: &IndexSpec) -> Result<Box<dyn SimilarityIndex>>;

    /// Opens an index that [`create`](Self::create) made.
    ///
    /// # Errors
    /// [`NotFound`](crate::ErrorKind::NotFound); [`Conflict`](crate::ErrorKind::Conflict) when what is there has another dimension or metric.
    async fn open(&self, spec: &IndexSpec) -> Result<Box<dyn SimilarityIndex>>;

    /// Opens an index that somebody else made; dimension, metric and count are read from what is there. The specification it gives is to be kept: its
    /// parameters may hold what was found out on the way, and spare the next call the work.
    ///
    /// # Errors
    /// [`Unsupported`](crate::ErrorKind::Unsupported) where the capabilities say so; [`NotFound`](crate::ErrorKind::NotFound);
    /// [`Conflict`](crate::ErrorKind::Conflict) naming both sides when what is there is not what was expected.
    async fn attach(&self, existing: &ExistingIndex) -> Result<Box<dyn SimilarityIndex>>;

    /// Drops an index with all its vectors, found by its name and parameters; whether there was one.
    ///
    /// # Errors
    /// Those of the storage. A missing index is no error: the same call may be made again after a kill.
    async fn drop_index(&self, index: &ExistingIndex) -> Result<bool>;

    /// Whether the backend can work now.
    ///
    /// # Errors
    /// Why it cannot, with the remedy.
    async fn health(&self) -> Result<Health>;
}

/// What to do with an item that the index already holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OnConflict {
    /// The new vector takes the place of the old.
    #[default]
    Overwrite,
    /// The old vector stays.
    Skip,
    /// The batch is refused with [`Conflict`](crate::ErrorKind::Conflict), naming an item.
    Error,
}

/// What to do with an id that the index does not hold.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OnMissing {
    /// Pass over it.
    #[default]
    Ignore,
    /// Pass over it, and list it in the report.
    Warn,
    /// Remove nothing and fail with [`NotFound`](crate::ErrorKind::NotFound), naming ids.
    Error,
}

/// Which items of an index are meant.
#[derive(Clone, Copy, Debug)]
pub enum Selector<'a> {
    /// All of them.
    All,
    /// Those with these ids (label ids in an index of patches), in this order.
    Items(&'a [ItemId]),
    /// Those of these samples, in this order; the patches of one sample by id, ascending.
    Samples(&'a [ItemId]),
}

/// Which items of an index a search ranges over.
#[derive(Clone, Copy, Debug)]
pub enum Scope<'a> {
    /// All of them.
    All,
    /// Those whose id is in the set.
    Items(&'a ItemSet),
    /// Those whose sample is in the set.
    Samples(&'a ItemSet),
}

impl Scope<'_> {
    /// Whether `item` is meant.
    pub fn contains(&self, item: &Item) -> bool {
        match self {
            Self::All => true,
            Self::Items(set) => set.contains(&item.id),
            Self::Samples(set) => set.contains(&item.sample_id),
        }
    }
}

/// What an `add` did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AddReport {
    /// Items that were not there before.
    pub added: u64,
    /// Items whose vector was replaced.
    pub replaced: u64,
    /// Items that were left as they were.
    pub skipped: u64,
}

/// What a `remove` did.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct RemoveReport {
    /// How many items were removed.
    pub removed: u64,
    /// The ids that were not there, under [`OnMissing::Warn`].
    pub missing: Vec<ItemId>,
}

/// Rows in the order they were asked for.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Fetched {
    /// What was found.
    pub rows: VectorBatch,
    /// The ids that the index does not hold, in the order asked.
    pub missing: Vec<ItemId>,
}

/// Which end of the ranking comes first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Direction {
    /// The smallest distance.
    #[default]
    Nearest,
    /// The largest distance. Only asked of a backend whose capabilities say `farthest`.
    Farthest,
}

/// How hard to look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Precision {
    /// Every row in scope is compared.
    #[default]
    Exact,
    /// An approximate answer at the effort the index chose for its recall; a hint, which an exact backend ignores.
    Approximate,
}

/// A search for the `k` rows nearest to each query.
#[derive(Clone, Copy, Debug)]
pub struct NearestRequest<'a> {
    /// The query vectors, row after row; validated by the caller.
    pub queries: &'a [f32],
    /// How many rows each answer should have; at least 1.
    pub k: usize,
    /// Which items may be answers.
    pub scope: Scope<'a>,
    /// Which end comes first.
    pub direction: Direction,
    /// How hard to look.
    pub precision: Precision,
}

/// One row of an answer.
#[derive(Clone, Debug, PartialEq)]
pub struct Hit {
    /// What was found.
    pub item: Item,
    /// How far it is from the query, by the index's metric.
    pub distance: f32,
}

/// What a backend found.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct NearestResponse {
    /// For each query its rows: in the order of [`Direction`], ties by id ascending.
    pub hits: Vec<Vec<Hit>>,
    /// Whether these are surely the right rows.
    pub exact: bool,
    /// Why every row was compared although an approximate answer would have done.
    pub declined: Option<String>,
    /// The server's own plan or a remark on how it was done, for `--explain`.
    pub remark: Option<String>,
}

/// What a backend says of an index.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct IndexInfo {
    /// How many items it holds.
    pub items: u64,
    /// Bytes on disk or in the server, where known.
    pub bytes: Option<u64>,
    /// Whatever else there is to say, name by name.
    pub details: BTreeMap<String, Value>,
}

/// One index: the vectors of a run inside a backend.
#[async_trait]
pub trait SimilarityIndex: Send + Sync {
    /// What the index is.
    fn spec(&self) -> &IndexSpec;

    /// What its backend can do, for this index.
    fn capabilities(&self) -> &Capabilities;

    /// How many items in `scope` the index holds.
    ///
    /// # Errors
    /// Those of the storage. A dead server is an error, never "0".
    async fn count(&self, scope: Scope<'_>) -> Result<u64>;

    /// How many samples have an item in `scope`. Provided by a pass over the ids; a backend that can count faster does.
    ///
    /// # Errors
    /// Those of the storage.
    async fn count_samples(&self, scope: Scope<'_>) -> Result<u64> {
        if self.spec().items == ItemKind::Samples {
            return self.count(scope).await;
        }
        let mut samples = std::collections::HashSet::new();
        let mut ids = self.ids();
        while let Some(items) = ids.try_next().await? {
            samples.extend(items.into_iter().filter(|item| scope.contains(item)).map(|item| item.sample_id));
        }
        Ok(samples.len() as u64)
    }

    /// As [`count`](Self::count), but what was counted a little while ago will do: a search is planned with it, and counts anew where its answer comes out
    /// shorter. A backend that would have to send the scope's ids to a server each time remembers.
    ///
    /// # Errors
    /// Those of the storage.
    async fn estimate(&self, scope: Scope<'_>) -> Result<u64> {
        self.count(scope).await
    }

    /// As [`count_samples`](Self::count_samples), in the way of [`estimate`](Self::estimate).
    ///
    /// # Errors
    /// Those of the storage.
    async fn estimate_samples(&self, scope: Scope<'_>) -> Result<u64> {
        self.count_samples(scope).await
    }

    /// Adds batches as they come; all are durable when this returns. Batches that come fast may become durable together, those that come slowly each on its
    /// own, so that a kill costs what took little time to make.
    ///
    /// # Errors
    /// [`InvalidInput`](crate::ErrorKind::InvalidInput) and [`DimensionMismatch`](crate::ErrorKind::DimensionMismatch) before the bad batch is written;
    /// [`Conflict`](crate::ErrorKind::Conflict) under [`OnConflict::Error`]; an error of the stream itself, passed on. Earlier batches stay.
    async fn add(&self, batches: BoxStream<'_, Result<VectorBatch>>, on_conflict: OnConflict) -> Result<AddReport>;

    /// Makes searches over what was added fast, where that is done once and not with every batch: to be called when a large addition is complete. Without it
    /// answers are as right, and slower. What is there already is left; a call that was interrupted is made again.
    ///
    /// # Errors
    /// Those of the storage.
    async fn build(&self, progress: &dyn Progress) -> Result<()> {
        let _ = progress;
        Ok(())
    }

    /// Removes items, all or none.
    ///
    /// # Errors
    /// [`NotFound`](crate::ErrorKind::NotFound) under [`OnMissing::Error`].
    async fn remove(&self, selector: Selector<'_>, on_missing: OnMissing) -> Result<RemoveReport>;

    /// The vectors of some items, in the order asked. [`Selector::All`] is for small indexes: use [`stream`](Self::stream).
    ///
    /// # Errors
    /// Those of the storage, [`Corrupt`](crate::ErrorKind::Corrupt) among them. Missing ids are listed, no error.
    async fn fetch(&self, selector: Selector<'_>) -> Result<Fetched>;

    /// Every item, in batches, in the backend's own order, each once; one consistent state of the index where the backend has such.
    fn ids(&self) -> BoxStream<'_, Result<Vec<Item>>>;

    /// Every vector, in batches, in the backend's own order, each once.
    fn stream(&self) -> BoxStream<'_, Result<VectorBatch>>;

    /// The rows nearest to each query.
    ///
    /// # Errors
    /// [`Unsupported`](crate::ErrorKind::Unsupported) for a direction the capabilities exclude; those of the storage.
    async fn nearest(&self, request: NearestRequest<'_>) -> Result<NearestResponse>;

    /// The server's own plan for such a search; `None` where there is no server, or it has no plans.
    ///
    /// # Errors
    /// Those of the storage.
    async fn explain(&self, request: NearestRequest<'_>) -> Result<Option<String>> {
        let _ = request;
        Ok(None)
    }

    /// What the backend says of the index.
    ///
    /// # Errors
    /// Those of the storage.
    async fn info(&self) -> Result<IndexInfo>;

    /// The backend's own handle, to be downcast by those who know it.
    fn client(&self) -> &(dyn Any + Send + Sync);
}
