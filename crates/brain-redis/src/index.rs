//! One index: what is known of it, and the connections that lead there.

use std::any::Any;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Instant;

use async_trait::async_trait;
use brain_core::search::{Calibration, Estimates};
use brain_core::{
    AddReport, Capabilities, Error, ErrorKind, Fetched, IndexInfo, IndexSpec, Item, NearestRequest, NearestResponse, NoProgress, OnConflict,
    OnMissing, Progress, RemoveReport, Result, Scope, Selector, SimilarityIndex, VectorBatch,
};
use fred::error::Error as DriverError;
use futures::TryStreamExt as _;
use futures::stream::{BoxStream, StreamExt as _};
use serde_json::json;

use crate::connect::Pool;
use crate::cost::Shortfalls;
use crate::knn::ROWS_MOST;
use crate::list::List;
use crate::note::Note;
use crate::options::{Algorithm, Number, Options};
use crate::remove::ABANDONED;
use crate::schema::{self, Schema, Standing};
use crate::scope::Keys;
use crate::{error, keys, note};

/// The parameter of a run that is attached to an index: what was measured of it.
const MEASURED: &str = "measured_recall";

/// An index in Redis, to search and to change.
///
/// [`client`](SimilarityIndex::client) is the [`Pool`].
pub struct RedisIndex {
    pub(crate) pool: Pool,
    pub(crate) spec: IndexSpec,
    pub(crate) options: Options,
    pub(crate) schema: Schema,
    /// Below so many rows all are compared.
    pub(crate) exact_below: u64,
    /// The items that it held when they were listed last.
    pub(crate) list: List,
    /// The keys of the last scope.
    pub(crate) keys: Keys,
    /// How the graph did for the last view.
    pub(crate) shortfalls: Shortfalls,
    /// What was found out about an index that others made, and stands in the run's record: nothing is written beside theirs.
    pub(crate) measured: Option<Calibration>,
    /// With how many rows the server answers at most, as far as is known.
    rows_most: AtomicUsize,
    pub(crate) counted: Mutex<Option<(Standing, u64)>>,
    capabilities: Capabilities,
    note: RwLock<Option<Note>>,
    /// When the note was read, and how many changes this process had made by then.
    looked: Mutex<(Instant, u64)>,
    changes: Arc<AtomicU64>,
    estimates: Estimates,
}

/// What an index is put together from.
pub(crate) struct Parts {
    pub(crate) pool: Pool,
    pub(crate) spec: IndexSpec,
    pub(crate) options: Options,
    pub(crate) schema: Schema,
    pub(crate) note: Option<Note>,
    pub(crate) capabilities: Capabilities,
    pub(crate) changes: Arc<AtomicU64>,
    pub(crate) exact_below: u64,
}

impl RedisIndex {
    pub(crate) fn new(parts: Parts) -> Self {
        let Parts { pool, spec, options, schema, note, mut capabilities, changes, exact_below } = parts;
        // Halves are compared with a query that is rounded too: near enough to find the nearest, and not exact.
        capabilities.approximate = schema.algorithm == Algorithm::Hnsw || schema.number == Number::Half;
        Self {
            pool,
            spec,
            options,
            schema,
            exact_below,
            list: List::default(),
            keys: Keys::default(),
            shortfalls: Shortfalls::default(),
            measured: None,
            rows_most: AtomicUsize::new(ROWS_MOST),
            counted: Mutex::default(),
            capabilities,
            note: RwLock::new(note),
            looked: Mutex::new((Instant::now(), changes.load(Ordering::Relaxed))),
            changes,
            estimates: Estimates::default(),
        }
    }

    /// Whether this library made it, and keeps a note about it.
    pub(crate) fn is_ours(&self) -> bool {
        self.note.read().unwrap_or_else(PoisonError::into_inner).is_some()
    }

    /// What is noted about it, read again where this process changed it or some time has passed: another process may have measured it, or added vectors
    /// that the server cannot compare.
    pub(crate) async fn current_note(&self) -> Result<Option<Note>> {
        if !self.is_ours() {
            return Ok(None);
        }
        let (at_last, changes) = *self.looked.lock().unwrap_or_else(PoisonError::into_inner);
        let now = self.changes.load(Ordering::Relaxed);
        if at_last.elapsed() >= Estimates::SERVES || changes != now {
            let at = Instant::now();
            let name = &self.options.name;
            let found = self.pool.retrying(|connection| async move { note::find(&connection, name).await }).await?;
            let found = found.ok_or_else(|| self.gone())?;
            let before = self.known_note().map(|note| note.removals).unwrap_or_default();
            self.set_note(found.clone());
            if at_last.elapsed() >= ABANDONED {
                self.finish_since(&before, &found.removals).await?;
            }
            *self.looked.lock().unwrap_or_else(PoisonError::into_inner) = (at, now);
        }
        Ok(self.note.read().unwrap_or_else(PoisonError::into_inner).clone())
    }

    pub(crate) fn set_note(&self, note: Note) {
        *self.note.write().unwrap_or_else(PoisonError::into_inner) = Some(note);
    }

    /// What is known of the note, without asking.
    pub(crate) fn known_note(&self) -> Option<Note> {
        self.note.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// How the index stands.
    pub(crate) async fn standing(&self) -> Result<Standing> {
        let name = &self.options.name;
        let info = self.pool.retrying(|connection| async move { schema::find(&connection, name).await }).await?;
        info.as_ref().map(Standing::of).ok_or_else(|| self.gone())
    }

    /// Finds out how hard a search has to look in a graph that others made, or reads it from the run's parameters, where it is kept.
    pub(crate) async fn measure_once(&mut self) -> Result<()> {
        if self.is_ours() || self.schema.algorithm == Algorithm::Flat || self.options.ef_runtime.is_some() {
            return Ok(());
        }
        self.measured = self.spec.parameters.get(MEASURED).and_then(|kept| serde_json::from_value(kept.clone()).ok());
        if self.measured.is_none() {
            let rows = self.count(Scope::All).await?;
            self.measured = self.calibrate(rows, &NoProgress).await?;
            if let Some(measured) = &self.measured {
                self.spec.parameters.insert(MEASURED.to_owned(), json!(measured));
            }
        }
        Ok(())
    }

    /// Takes note that this process has changed rows: what was counted before is out of date.
    pub(crate) fn changed(&self) {
        self.changes.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn failed(&self, what: &str, failure: DriverError) -> Error {
        if error::is_unknown_index(&failure) {
            return self.gone();
        }
        if let Some(most) = error::rows_most(&failure) {
            self.rows_most.fetch_min(most, Ordering::Relaxed);
        }
        error::of(failure, &format!("{what} the index {}", self.options.name))
    }

    pub(crate) fn rows_most(&self) -> usize {
        self.rows_most.load(Ordering::Relaxed)
    }

    /// The error of an index that was there when it was opened.
    pub(crate) fn gone(&self) -> Error {
        Error::new(ErrorKind::NotFound, format!("the Redis index {:?} is gone from the server", self.options.name))
            .with_hint("the server was restarted without persistence, or flushed, or someone dropped the index: make it again")
    }

    async fn estimated(&self, samples: bool, scope: Scope<'_>) -> Result<u64> {
        let count = async { if samples { self.count_samples(scope).await } else { self.count(scope).await } };
        self.estimates.of(samples, scope, self.changes.load(Ordering::Relaxed), count).await
    }
}

#[async_trait]
impl SimilarityIndex for RedisIndex {
    fn spec(&self) -> &IndexSpec {
        &self.spec
    }

    fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    async fn count(&self, scope: Scope<'_>) -> Result<u64> {
        self.count_items(scope).await
    }

    async fn count_samples(&self, scope: Scope<'_>) -> Result<u64> {
        self.count_their_samples(scope).await
    }

    async fn estimate(&self, scope: Scope<'_>) -> Result<u64> {
        self.estimated(false, scope).await
    }

    async fn estimate_samples(&self, scope: Scope<'_>) -> Result<u64> {
        self.estimated(true, scope).await
    }

    async fn add(&self, batches: BoxStream<'_, Result<VectorBatch>>, on_conflict: OnConflict) -> Result<AddReport> {
        self.pool.server().await?.check_writable()?;
        self.load(batches, on_conflict).await.map_err(|error| error.with_operation("add to index"))
    }

    async fn build(&self, progress: &dyn Progress) -> Result<()> {
        self.measure(progress).await.map_err(|error| error.with_operation("build index"))
    }

    async fn remove(&self, selector: Selector<'_>, on_missing: OnMissing) -> Result<RemoveReport> {
        self.pool.server().await?.check_writable()?;
        self.remove_items(selector, on_missing).await.map_err(|error| error.with_operation("remove from index"))
    }

    async fn fetch(&self, selector: Selector<'_>) -> Result<Fetched> {
        self.fetch_rows(selector).await
    }

    fn ids(&self) -> BoxStream<'_, Result<Vec<Item>>> {
        self.rows(false).map_ok(|batch| batch.into_parts().0).boxed()
    }

    fn stream(&self) -> BoxStream<'_, Result<VectorBatch>> {
        self.rows(true)
    }

    async fn nearest(&self, request: NearestRequest<'_>) -> Result<NearestResponse> {
        self.find_nearest(request).await
    }

    async fn explain(&self, request: NearestRequest<'_>) -> Result<Option<String>> {
        self.explained(request).await.map(Some)
    }

    async fn info(&self) -> Result<IndexInfo> {
        let standing = self.standing().await?;
        let items = self.count_items(Scope::All).await?;
        let note = self.current_note().await?;
        let server = self.pool.server().await?;
        let schema = &self.schema;
        let mut details = BTreeMap::from([
            ("keys".to_owned(), json!(format!("{}…", schema.prefix))),
            ("storage".to_owned(), json!(schema.storage.as_str().to_lowercase())),
            ("algorithm".to_owned(), json!(schema.algorithm.as_str())),
            ("vector_type".to_owned(), json!(schema.number.as_str().to_lowercase())),
            ("RediSearch".to_owned(), json!(server.search.to_string())),
            ("made by".to_owned(), json!(if note.is_some() { "brain" } else { "others" })),
        ]);
        if standing.failures > 0 {
            details.insert("documents that could not be indexed".to_owned(), json!(standing.failures));
        }
        if let Some(known) = note.as_ref().and_then(|note| note.calibration.as_ref()).or(self.measured.as_ref()) {
            let efforts = known.efforts.iter().map(|(k, effort)| (k.to_string(), json!(effort)));
            details.insert("effort for the nearest".to_owned(), efforts.collect::<serde_json::Map<_, _>>().into());
            details.insert("recall of 10, measured".to_owned(), json!(known.recall));
        }
        if let Some(advice) = server.advice() {
            details.insert("advice".to_owned(), json!(advice));
        }
        if note.is_some() {
            details.insert("note".to_owned(), json!(keys::note(&self.options.name)));
        }
        // The documents lie beside the index, and hold each vector once more.
        let documents = items.saturating_mul((schema.dimension * schema.number.width()) as u64);
        Ok(IndexInfo { items, bytes: standing.bytes.map(|bytes| bytes + documents), details })
    }

    fn client(&self) -> &(dyn Any + Send + Sync) {
        &self.pool
    }
}
