//! A backend that keeps everything in memory and claims what it is told to.

use std::any::Any;
use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use brain_core::{
    AddReport, Capabilities, Direction, Error, ErrorKind, ExistingIndex, Fetched, Health, Hit, IndexInfo, IndexSpec, Item, ItemId, ItemSet, Metric,
    NearestRequest, NearestResponse, OnConflict, OnMissing, RemoveReport, Result, Scope, Selector, SimilarityBackend, SimilarityIndex, VectorBatch,
    not_indexed, validate,
};
use futures::StreamExt as _;
use futures::stream::{self, BoxStream};

/// Rows in one batch of a stream: few, so that tests see several batches.
const BATCH: usize = 64;

/// The smallest whole backend: exact, in memory, gone with its last handle. Clones share their indexes.
#[derive(Clone, Debug)]
pub struct MemoryBackend {
    capabilities: Capabilities,
    indexes: Arc<Mutex<HashMap<String, MemoryIndex>>>,
}

#[derive(Clone, Debug)]
struct MemoryIndex {
    spec: IndexSpec,
    capabilities: Capabilities,
    rows: Arc<Mutex<Rows>>,
}

type Rows = BTreeMap<ItemId, (Item, Vec<f32>)>;

impl MemoryBackend {
    /// A backend that claims `capabilities` and keeps to them: metrics, farthest, the bounds of k and of dimension, and attach.
    pub fn new(capabilities: Capabilities) -> Self {
        Self { capabilities, indexes: Arc::default() }
    }

    fn indexes(&self) -> MutexGuard<'_, HashMap<String, MemoryIndex>> {
        // A test that panicked while it held the lock left whole indexes behind.
        self.indexes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn find(&self, name: &str) -> Result<MemoryIndex> {
        let found = self.indexes().get(name).cloned();
        found.ok_or_else(|| Error::not_found(format!("there is no index {name}")).with_hint("create it first"))
    }
}

fn conflict(name: &str, found: impl std::fmt::Display, asked: impl std::fmt::Display) -> Error {
    Error::new(ErrorKind::Conflict, format!("the index {name} holds {found}, not {asked}")).with_hint("name the index that was meant")
}

#[async_trait]
impl SimilarityBackend for MemoryBackend {
    fn name(&self) -> &str {
        "memory"
    }

    fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    async fn create(&self, spec: &IndexSpec) -> Result<Box<dyn SimilarityIndex>> {
        self.capabilities.check(self.name(), spec.metric, spec.dimension)?;
        let mut indexes = self.indexes();
        if indexes.contains_key(&spec.name) {
            return Err(Error::new(ErrorKind::AlreadyExists, format!("the index {} exists already", spec.name)).with_hint("choose another name"));
        }
        let index = MemoryIndex { spec: spec.clone(), capabilities: self.capabilities.clone(), rows: Arc::default() };
        indexes.insert(spec.name.clone(), index.clone());
        Ok(Box::new(index))
    }

    async fn open(&self, spec: &IndexSpec) -> Result<Box<dyn SimilarityIndex>> {
        let expected = ExistingIndex {
            name: spec.name.clone(),
            dimension: Some(spec.dimension),
            metric: Some(spec.metric),
            items: spec.items,
            parameters: spec.parameters.clone(),
        };
        self.matching(&expected)
    }

    async fn attach(&self, existing: &ExistingIndex) -> Result<Box<dyn SimilarityIndex>> {
        if !self.capabilities.attach {
            return Err(Error::unsupported("this backend attaches to no index").with_hint("open the index by its specification"));
        }
        self.matching(existing)
    }

    async fn drop_index(&self, index: &ExistingIndex) -> Result<bool> {
        let Some(index) = self.indexes().remove(&index.name) else { return Ok(false) };
        index.rows().clear();
        Ok(true)
    }

    async fn health(&self) -> Result<Health> {
        Ok(Health { detail: format!("{} indexes in memory", self.indexes().len()) })
    }
}

impl MemoryBackend {
    fn matching(&self, expected: &ExistingIndex) -> Result<Box<dyn SimilarityIndex>> {
        let index = self.find(&expected.name)?;
        match (expected.dimension, expected.metric) {
            (Some(dimension), _) if dimension != index.spec.dimension => {
                Err(conflict(&expected.name, format!("vectors of {} numbers", index.spec.dimension), dimension))
            }
            (_, Some(metric)) if metric != index.spec.metric => Err(conflict(&expected.name, format!("{} distances", index.spec.metric), metric)),
            _ => Ok(Box::new(index)),
        }
    }
}

impl MemoryIndex {
    fn rows(&self) -> MutexGuard<'_, Rows> {
        self.rows.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn add_batch(&self, batch: &VectorBatch, on_conflict: OnConflict, report: &mut AddReport) -> Result<()> {
        validate::batch(batch, self.spec.dimension, self.spec.metric)?;
        let mut rows = self.rows();
        if on_conflict == OnConflict::Error
            && let Some(taken) = batch.items().iter().find(|item| rows.contains_key(&item.id))
        {
            return Err(Error::new(ErrorKind::Conflict, format!("the index already holds {}", taken.id)).with_hint("overwrite or skip it"));
        }
        for (item, vector) in batch.rows() {
            let row = (item.clone(), vector.to_vec());
            match rows.entry(item.id.clone()) {
                Entry::Vacant(place) => {
                    place.insert(row);
                    report.added += 1;
                }
                Entry::Occupied(mut place) if on_conflict == OnConflict::Overwrite => {
                    place.insert(row);
                    report.replaced += 1;
                }
                Entry::Occupied(_) => report.skipped += 1,
            }
        }
        Ok(())
    }

    /// The selected rows in order, and the ids that are not there.
    fn select(&self, selector: Selector<'_>) -> (Vec<(Item, Vec<f32>)>, Vec<ItemId>) {
        let rows = self.rows();
        let (mut found, mut missing) = (Vec::new(), Vec::new());
        match selector {
            Selector::All => found.extend(rows.values().cloned()),
            Selector::Items(ids) => {
                for id in ids {
                    rows.get(id).map_or_else(|| missing.push(id.clone()), |row| found.push(row.clone()));
                }
            }
            Selector::Samples(ids) => {
                for id in ids {
                    let before = found.len();
                    found.extend(rows.values().filter(|(item, _)| item.sample_id == *id).cloned());
                    if found.len() == before {
                        missing.push(id.clone());
                    }
                }
            }
        }
        (found, missing)
    }

    fn rank(&self, query: &[f32], request: &NearestRequest<'_>) -> Vec<Hit> {
        let rows = self.rows();
        let in_scope = rows.values().filter(|(item, _)| request.scope.contains(item));
        let mut hits: Vec<Hit> =
            in_scope.map(|(item, vector)| Hit { item: item.clone(), distance: distance(self.spec.metric, query, vector) }).collect();
        // Rows come by id, and the sort is stable: ties stay in order of id.
        hits.sort_by(|a, b| match request.direction {
            Direction::Nearest => a.distance.total_cmp(&b.distance),
            Direction::Farthest => b.distance.total_cmp(&a.distance),
        });
        hits
    }
}

fn distance(metric: Metric, query: &[f32], vector: &[f32]) -> f32 {
    // Adding 0.0 turns a negative zero into zero, so that the two tie.
    metric.reference(query, vector) as f32 + 0.0
}

#[async_trait]
impl SimilarityIndex for MemoryIndex {
    fn spec(&self) -> &IndexSpec {
        &self.spec
    }

    fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    async fn count(&self, scope: Scope<'_>) -> Result<u64> {
        Ok(self.rows().values().filter(|(item, _)| scope.contains(item)).count() as u64)
    }

    async fn add(&self, mut batches: BoxStream<'_, Result<VectorBatch>>, on_conflict: OnConflict) -> Result<AddReport> {
        let mut report = AddReport::default();
        while let Some(batch) = batches.next().await {
            self.add_batch(&batch?, on_conflict, &mut report)?;
        }
        Ok(report)
    }

    async fn remove(&self, selector: Selector<'_>, on_missing: OnMissing) -> Result<RemoveReport> {
        let (found, missing) = self.select(selector);
        if on_missing == OnMissing::Error && !missing.is_empty() {
            return Err(not_indexed("the index", &missing));
        }
        let mut rows = self.rows();
        let removed = found.iter().filter(|(item, _)| rows.remove(&item.id).is_some()).count() as u64;
        Ok(RemoveReport { removed, missing: if on_missing == OnMissing::Warn { missing } else { Vec::new() } })
    }

    async fn fetch(&self, selector: Selector<'_>) -> Result<Fetched> {
        let (found, missing) = self.select(selector);
        let mut rows = VectorBatch::with_capacity(found.len(), self.spec.dimension);
        found.iter().try_for_each(|(item, vector)| rows.push(item.clone(), vector))?;
        Ok(Fetched { rows, missing })
    }

    fn ids(&self) -> BoxStream<'_, Result<Vec<Item>>> {
        let items: Vec<Item> = self.rows().values().map(|(item, _)| item.clone()).collect();
        stream::iter(items.chunks(BATCH).map(|batch| Ok(batch.to_vec())).collect::<Vec<_>>()).boxed()
    }

    fn stream(&self) -> BoxStream<'_, Result<VectorBatch>> {
        let rows: Vec<_> = self.rows().values().cloned().collect();
        let batch = |rows: &[(Item, Vec<f32>)]| {
            let (items, vectors): (Vec<_>, Vec<_>) = rows.iter().cloned().unzip();
            VectorBatch::new(items, self.spec.dimension, vectors.concat())
        };
        stream::iter(rows.chunks(BATCH).map(batch).collect::<Vec<_>>()).boxed()
    }

    async fn nearest(&self, request: NearestRequest<'_>) -> Result<NearestResponse> {
        if request.direction == Direction::Farthest && !self.capabilities.farthest {
            return Err(Error::unsupported("this index cannot rank the farthest first").with_hint("search in the other direction"));
        }
        let k = request.k.min(self.capabilities.max_k.unwrap_or(usize::MAX));
        let mut exact = true;
        let mut hits = Vec::new();
        for query in request.queries.chunks_exact(self.spec.dimension) {
            let mut list = self.rank(query, &request);
            exact &= k == request.k || list.len() <= k;
            list.truncate(k);
            hits.push(list);
        }
        Ok(NearestResponse { hits, exact, declined: None, remark: None })
    }

    async fn info(&self) -> Result<IndexInfo> {
        let items = self.rows().len() as u64;
        let samples: ItemSet = self.rows().values().map(|(item, _)| item.sample_id.clone()).collect();
        let bytes = Some(items * self.spec.dimension as u64 * size_of::<f32>() as u64);
        Ok(IndexInfo { items, bytes, details: BTreeMap::from([("samples".to_owned(), samples.len().into())]) })
    }

    fn client(&self) -> &(dyn Any + Send + Sync) {
        &self.rows
    }
}
