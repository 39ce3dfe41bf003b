//! A handle on one local index.

use std::any::Any;
use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use brain_core::{
    AddReport, Capabilities, Direction, Fetched, Hit, IndexInfo, IndexSpec, Item, NearestRequest, NearestResponse, OnConflict, OnMissing, Precision,
    RemoveReport, Result, Scope, Selector, SimilarityIndex, VectorBatch, validate,
};
use brain_kernels::Neighbor;
use futures::StreamExt;
use futures::stream::{self, BoxStream};
use serde_json::{Value, json};

use crate::format::{FileKind, VectorType};
use crate::graph::{self, Walked};
use crate::group::Group;
use crate::handle::Handle;
use crate::scan::{Scan, Way};
use crate::scope::Rows;
use crate::select;
use crate::snapshot::Snapshot;
use crate::upkeep::Upkeep;
use crate::write;

/// Batches of [`ids`](SimilarityIndex::ids) and [`stream`](SimilarityIndex::stream) are of so many rows, or of as many as fit these bytes.
const STREAM_ROWS: usize = 1024;
const STREAM_BYTES: usize = 4 << 20;

/// A handle on one local index; what the backend's methods return, behind [`SimilarityIndex`].
///
/// Handles on one index share what they have mapped and verified. A call sees the state that was published last when it began, whoever published it.
pub struct LocalIndex {
    handle: Arc<Handle>,
    capabilities: Capabilities,
}

impl LocalIndex {
    pub(crate) fn new(handle: Arc<Handle>, capabilities: Capabilities) -> Self {
        Self { handle, capabilities }
    }

    /// The folder that holds the index's files.
    pub fn folder(&self) -> &Path {
        &self.handle.folder
    }

    /// Maps the newest state, so that missing and short files are found.
    pub(crate) fn check(&self) -> Result<()> {
        self.handle.snapshot().map(drop)
    }

    fn rows(&self, snapshot: &Snapshot, scope: Scope<'_>) -> Result<Rows> {
        self.handle.scopes.resolve(snapshot, scope)
    }

    /// All live rows of the newest state, a bounded list of them at a time, each made into a batch by `read`.
    fn batches<'a, T: Send + 'a>(&'a self, read: fn(&Snapshot, &[u32]) -> Result<T>) -> BoxStream<'a, Result<T>> {
        let stride = self.handle.spec.dimension * size_of::<f32>();
        let most = (STREAM_BYTES / stride).clamp(1, STREAM_ROWS);
        let step = move |(snapshot, next): (Option<Arc<Snapshot>>, u32)| async move {
            // Taken at the first batch and kept to the last: one state of the index, whatever is written meanwhile.
            let snapshot = match snapshot {
                Some(snapshot) => snapshot,
                None => self.handle.snapshot()?,
            };
            let rows: Vec<u32> = (next..snapshot.manifest().rows()).filter(|&row| snapshot.is_live(row)).take(most).collect();
            let Some(last) = rows.last() else { return Ok(None) };
            let batch = read(&snapshot, &rows)?;
            Ok(Some((batch, (Some(snapshot), last + 1))))
        };
        stream::try_unfold((None, 0), step).boxed()
    }

    /// As [`nearest`](SimilarityIndex::nearest), by the way that is asked for and not by the one that suits the search best: both find the same rows at
    /// the same distances. For measurements and tests.
    ///
    /// # Errors
    /// As [`nearest`](SimilarityIndex::nearest).
    pub fn nearest_by(&self, way: Way, request: NearestRequest<'_>) -> Result<NearestResponse> {
        self.answer(request, Some(way))
    }

    fn answer(&self, request: NearestRequest<'_>, way: Option<Way>) -> Result<NearestResponse> {
        let dimension = self.handle.spec.dimension;
        validate::queries(request.queries, dimension)?;
        let snapshot = self.handle.snapshot()?;
        let rows = self.rows(&snapshot, request.scope)?;
        let scan = Scan { snapshot: &snapshot, queries: request.queries, k: request.k, direction: request.direction };
        let hit = |found: Neighbor| Ok(Hit { item: snapshot.owner(found.row)?, distance: found.distance });
        let may_miss = request.precision == Precision::Approximate && request.direction == Direction::Nearest && way.is_none();
        let mut declined = None;
        if may_miss && graph::is_asked_for(self.spec()) {
            match self.handle.graphs.search(&self.handle, &scan, &rows)? {
                Walked::Found(best, remark) => {
                    let hits = best.into_iter().map(|list| list.into_iter().map(hit).collect()).collect::<Result<_>>()?;
                    return Ok(NearestResponse { hits, exact: false, declined: None, remark: Some(remark) });
                }
                Walked::Declined(why) => declined = Some(why.to_string()),
            }
        }
        let found = match way {
            Some(way) => scan.run_way(way, &rows)?,
            None => scan.run(&rows)?,
        };
        let hits = found.best.into_iter().map(|list| list.into_iter().map(hit).collect()).collect::<Result<_>>()?;
        let indexed = snapshot.manifest().live_rows();
        let scope = match &rows {
            Rows::All => format!("all {indexed}"),
            Rows::Some(rows) => format!("{} of {indexed}", rows.len()),
        };
        let remark = match found.way {
            Way::Rows => format!("compared {scope} rows"),
            Way::Codes if found.compared == 0 => format!("compared the sign bits of {scope} rows"),
            Way::Codes => format!("compared {scope} rows by their codes, and {} of them in full", found.compared),
        };
        Ok(NearestResponse { hits, exact: true, declined, remark: Some(remark) })
    }

    /// Waits for the upkeep that this process has begun. For measurements and tests.
    pub fn settle(&self) {
        self.handle.upkeep.finish();
    }

    fn keep_up(&self) {
        Upkeep::begin(&self.handle);
    }
}

impl Drop for LocalIndex {
    /// Waits for the upkeep that this process has begun: a command ends when its index is in order.
    fn drop(&mut self) {
        self.handle.upkeep.finish();
    }
}

impl std::fmt::Debug for LocalIndex {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LocalIndex").field("spec", &self.handle.spec).field("folder", &self.handle.folder).finish()
    }
}

#[async_trait]
impl SimilarityIndex for LocalIndex {
    fn spec(&self) -> &IndexSpec {
        &self.handle.spec
    }

    fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    async fn count(&self, scope: Scope<'_>) -> Result<u64> {
        let snapshot = self.handle.snapshot()?;
        Ok(match self.rows(&snapshot, scope)? {
            Rows::All => snapshot.manifest().live_rows(),
            Rows::Some(rows) => rows.len() as u64,
        })
    }

    async fn count_samples(&self, scope: Scope<'_>) -> Result<u64> {
        let snapshot = self.handle.snapshot()?;
        select::count_samples(&snapshot, &self.rows(&snapshot, scope)?)
    }

    async fn add(&self, mut batches: BoxStream<'_, Result<VectorBatch>>, on_conflict: OnConflict) -> Result<AddReport> {
        // The writer's lock is held while a group is written: never while the stream is waited for.
        let mut group = Group::new(&self.handle, on_conflict);
        while let Some(batch) = batches.next().await {
            group.take(batch)?;
        }
        let total = group.finish()?;
        self.keep_up();
        Ok(total)
    }

    async fn remove(&self, selector: Selector<'_>, on_missing: OnMissing) -> Result<RemoveReport> {
        let report = write::remove(&self.handle, selector, on_missing).map_err(|error| error.with_operation("remove from index"))?;
        self.keep_up();
        Ok(report)
    }

    async fn fetch(&self, selector: Selector<'_>) -> Result<Fetched> {
        select::fetch(&*self.handle.snapshot()?, selector).map_err(|error| error.with_operation("get embeddings"))
    }

    fn ids(&self) -> BoxStream<'_, Result<Vec<Item>>> {
        self.batches(|snapshot, rows| rows.iter().map(|&row| snapshot.owner(row)).collect())
    }

    fn stream(&self) -> BoxStream<'_, Result<VectorBatch>> {
        self.batches(select::read)
    }

    async fn nearest(&self, request: NearestRequest<'_>) -> Result<NearestResponse> {
        self.answer(request, None)
    }

    async fn info(&self) -> Result<IndexInfo> {
        let snapshot = self.handle.snapshot()?;
        let manifest = snapshot.manifest();
        let bytes = FileKind::ALL.map(|kind| (kind, manifest.total_bytes(kind)));
        let sizes: serde_json::Map<String, Value> = bytes.iter().map(|(kind, bytes)| (kind.extension().to_owned(), json!(bytes))).collect();
        let dead = manifest.dead.len();
        let mut details = vec![
            ("algorithm", json!(if graph::is_asked_for(self.spec()) { "hnsw" } else { "exact" })),
            ("bytes_of", Value::Object(sizes)),
            ("dead_rows", json!(dead)),
            ("folder", json!(self.handle.folder.display().to_string())),
            // The share of what lies there for nothing; from a half on the live rows are written anew.
            ("fragmentation", json!(if dead == 0 { 0.0 } else { dead as f64 / f64::from(manifest.rows()) })),
            ("generation", json!(manifest.generation)),
            ("order_runs", json!(manifest.runs.len())),
            ("rows", json!(manifest.rows())),
            ("segments", json!(manifest.segments.len())),
            ("vector_type", json!(VectorType::of(&manifest.spec).as_str())),
        ];
        if graph::is_asked_for(self.spec()) {
            details.push(("graph", self.handle.graphs.describe(&self.handle, &snapshot)?));
        }
        Ok(IndexInfo {
            items: manifest.live_rows(),
            bytes: Some(bytes.iter().map(|(_, bytes)| bytes).sum()),
            details: details.into_iter().map(|(name, value)| (name.to_owned(), value)).collect(),
        })
    }

    fn client(&self) -> &(dyn Any + Send + Sync) {
        self
    }
}
