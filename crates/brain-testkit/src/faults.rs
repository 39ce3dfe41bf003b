//! A backend that loses rows, as approximate searches and servers do, around one that does not.

use std::any::Any;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use brain_core::{
    AddReport, Capabilities, Error, ErrorKind, ExistingIndex, Fetched, Health, IndexInfo, IndexSpec, Item, ItemId, NearestRequest, NearestResponse,
    OnConflict, OnMissing, Precision, RemoveReport, Result, Scope, Selector, SimilarityBackend, SimilarityIndex, VectorBatch,
};
use futures::stream::BoxStream;

/// What a [`FaultyBackend`] does wrong. The default is nothing.
#[derive(Clone, Debug, Default)]
pub struct Faults {
    /// An approximate search never finds one item in this many: a graph with unreachable nodes.
    pub unreachable: Option<usize>,
    /// An approximate search looks at this many nearest items first and filters by scope after: a view loses rows.
    pub effort: Option<usize>,
    /// [`Precision::Exact`] is answered approximately as well: a server without an exact route.
    pub always_approximate: bool,
    /// A lossy answer says that it is exact: a time limit that nobody reports.
    pub dishonest: bool,
    /// This many calls of `nearest`, over all indexes, fail with [`Unavailable`](ErrorKind::Unavailable) first: a server that restarts.
    pub outages: usize,
}

/// A backend with [`Faults`] around a sound one. A bound of the sound one on k bounds the effort of the approximate search too.
pub struct FaultyBackend<B> {
    inner: B,
    capabilities: Capabilities,
    shared: Arc<Shared>,
}

struct Shared {
    faults: Faults,
    outages_left: AtomicUsize,
}

impl<B: SimilarityBackend> FaultyBackend<B> {
    /// The backend `inner`, claimed to be approximate where the faults lose rows.
    pub fn new(inner: B, faults: Faults) -> Self {
        let mut capabilities = inner.capabilities().clone();
        capabilities.approximate |= faults.unreachable.is_some() || faults.effort.is_some();
        let outages_left = AtomicUsize::new(faults.outages);
        Self { inner, capabilities, shared: Arc::new(Shared { faults, outages_left }) }
    }

    fn wrap(&self, inner: Box<dyn SimilarityIndex>) -> Box<dyn SimilarityIndex> {
        Box::new(FaultyIndex { inner, capabilities: self.capabilities.clone(), shared: Arc::clone(&self.shared) })
    }
}

#[async_trait]
impl<B: SimilarityBackend> SimilarityBackend for FaultyBackend<B> {
    fn name(&self) -> &str {
        "faulty"
    }

    fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    async fn create(&self, spec: &IndexSpec) -> Result<Box<dyn SimilarityIndex>> {
        Ok(self.wrap(self.inner.create(spec).await?))
    }

    async fn open(&self, spec: &IndexSpec) -> Result<Box<dyn SimilarityIndex>> {
        Ok(self.wrap(self.inner.open(spec).await?))
    }

    async fn attach(&self, existing: &ExistingIndex) -> Result<Box<dyn SimilarityIndex>> {
        Ok(self.wrap(self.inner.attach(existing).await?))
    }

    async fn drop_index(&self, index: &ExistingIndex) -> Result<bool> {
        self.inner.drop_index(index).await
    }

    async fn health(&self) -> Result<Health> {
        self.inner.health().await
    }
}

struct FaultyIndex {
    inner: Box<dyn SimilarityIndex>,
    capabilities: Capabilities,
    shared: Arc<Shared>,
}

impl FaultyIndex {
    fn outage(&self) -> Result<()> {
        let one_less = |left: usize| left.checked_sub(1);
        match self.shared.outages_left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_less) {
            Ok(_) => Err(Error::new(ErrorKind::Unavailable, "the server does not answer").with_hint("start it").retryable()),
            Err(_) => Ok(()),
        }
    }

    fn is_reachable(&self, id: &ItemId) -> bool {
        self.shared.faults.unreachable.is_none_or(|one_in| {
            let mut hasher = DefaultHasher::new();
            id.hash(&mut hasher);
            !hasher.finish().is_multiple_of(one_in as u64)
        })
    }
}

#[async_trait]
impl SimilarityIndex for FaultyIndex {
    fn spec(&self) -> &IndexSpec {
        self.inner.spec()
    }

    fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    async fn count(&self, scope: Scope<'_>) -> Result<u64> {
        self.inner.count(scope).await
    }

    async fn add(&self, batches: BoxStream<'_, Result<VectorBatch>>, on_conflict: OnConflict) -> Result<AddReport> {
        self.inner.add(batches, on_conflict).await
    }

    async fn remove(&self, selector: Selector<'_>, on_missing: OnMissing) -> Result<RemoveReport> {
        self.inner.remove(selector, on_missing).await
    }

    async fn fetch(&self, selector: Selector<'_>) -> Result<Fetched> {
        self.inner.fetch(selector).await
    }

    fn ids(&self) -> BoxStream<'_, Result<Vec<Item>>> {
        self.inner.ids()
    }

    fn stream(&self) -> BoxStream<'_, Result<VectorBatch>> {
        self.inner.stream()
    }

    async fn nearest(&self, request: NearestRequest<'_>) -> Result<NearestResponse> {
        self.outage()?;
        let faults = &self.shared.faults;
        let lossy = faults.unreachable.is_some() || faults.effort.is_some();
        if !lossy || (request.precision == Precision::Exact && !faults.always_approximate) {
            return self.inner.nearest(request).await;
        }
        // Everything in order, of which the faults leave a part.
        let everything = self.inner.count(Scope::All).await?.max(1) as usize;
        let whole = NearestRequest { k: everything, scope: Scope::All, precision: Precision::Exact, ..request };
        let mut response = self.inner.nearest(whole).await?;
        for list in &mut response.hits {
            list.truncate(faults.effort.unwrap_or(usize::MAX));
            list.retain(|hit| self.is_reachable(&hit.item.id) && request.scope.contains(&hit.item));
            list.truncate(request.k);
        }
        Ok(NearestResponse { exact: faults.dishonest, remark: Some("approximate".to_owned()), ..response })
    }

    async fn info(&self) -> Result<IndexInfo> {
        self.inner.info().await
    }

    fn client(&self) -> &(dyn Any + Send + Sync) {
        self.inner.client()
    }
}
