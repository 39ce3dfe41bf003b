//! The local backend as one whose every index is searched by graph, however few rows it holds: the suite names no parameters of its own.

use std::any::Any;

use async_trait::async_trait;
use brain_core::{
    AddReport, Capabilities, ExistingIndex, Fetched, Health, IndexInfo, IndexSpec, Item, Metric, NearestRequest, NearestResponse, OnConflict,
    OnMissing, RemoveReport, Result, Scope, Selector, SimilarityBackend, SimilarityIndex, VectorBatch,
};
use brain_local::{LocalBackend, LocalIndex};
use futures::stream::BoxStream;

pub(crate) struct ByGraph {
    backend: LocalBackend,
    capabilities: Capabilities,
}

impl ByGraph {
    pub(crate) fn new(backend: LocalBackend) -> Self {
        let mut capabilities = backend.capabilities().clone();
        capabilities.approximate = true;
        capabilities.metrics = vec![Metric::Cosine, Metric::DotProduct, Metric::Euclidean];
        Self { backend: backend.with_graphs_from(1), capabilities }
    }

    fn index(&self, index: Box<dyn SimilarityIndex>) -> Box<dyn SimilarityIndex> {
        assert!(index.capabilities().approximate);
        let spec = IndexSpec { parameters: Default::default(), ..index.spec().clone() };
        Box::new(Index { index, spec, capabilities: self.capabilities.clone() })
    }
}

fn by_graph(spec: &IndexSpec) -> IndexSpec {
    IndexSpec { parameters: [("algorithm".to_owned(), "hnsw".into())].into(), ..spec.clone() }
}

#[async_trait]
impl SimilarityBackend for ByGraph {
    fn name(&self) -> &str {
        self.backend.name()
    }

    fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    async fn create(&self, spec: &IndexSpec) -> Result<Box<dyn SimilarityIndex>> {
        Ok(self.index(self.backend.create(&by_graph(spec)).await?))
    }

    async fn open(&self, spec: &IndexSpec) -> Result<Box<dyn SimilarityIndex>> {
        Ok(self.index(self.backend.open(&by_graph(spec)).await?))
    }

    async fn attach(&self, existing: &ExistingIndex) -> Result<Box<dyn SimilarityIndex>> {
        Ok(self.index(self.backend.attach(existing).await?))
    }

    async fn drop_index(&self, index: &ExistingIndex) -> Result<bool> {
        self.backend.drop_index(index).await
    }

    async fn health(&self) -> Result<Health> {
        self.backend.health().await
    }
}

struct Index {
    index: Box<dyn SimilarityIndex>,
    /// Without the parameter.
    spec: IndexSpec,
    /// Those of the backend here, which claims fewer metrics.
    capabilities: Capabilities,
}

impl Index {
    /// The graph is built before the next question is asked.
    fn settle(&self) {
        self.index.client().downcast_ref::<LocalIndex>().unwrap().settle();
    }
}

#[async_trait]
impl SimilarityIndex for Index {
    fn spec(&self) -> &IndexSpec {
        &self.spec
    }

    fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    async fn count(&self, scope: Scope<'_>) -> Result<u64> {
        self.index.count(scope).await
    }

    async fn count_samples(&self, scope: Scope<'_>) -> Result<u64> {
        self.index.count_samples(scope).await
    }

    async fn add(&self, batches: BoxStream<'_, Result<VectorBatch>>, on_conflict: OnConflict) -> Result<AddReport> {
        let report = self.index.add(batches, on_conflict).await;
        self.settle();
        report
    }

    async fn remove(&self, selector: Selector<'_>, on_missing: OnMissing) -> Result<RemoveReport> {
        let report = self.index.remove(selector, on_missing).await;
        self.settle();
        report
    }

    async fn fetch(&self, selector: Selector<'_>) -> Result<Fetched> {
        self.index.fetch(selector).await
    }

    fn ids(&self) -> BoxStream<'_, Result<Vec<Item>>> {
        self.index.ids()
    }

    fn stream(&self) -> BoxStream<'_, Result<VectorBatch>> {
        self.index.stream()
    }

    async fn nearest(&self, request: NearestRequest<'_>) -> Result<NearestResponse> {
        self.index.nearest(request).await
    }

    async fn info(&self) -> Result<IndexInfo> {
        self.index.info().await
    }

    fn client(&self) -> &(dyn Any + Send + Sync) {
        self.index.client()
    }
}
