//! A backend that makes its indexes by parameters of a test's choosing, so that one suite goes through every way to make them.

use std::any::Any;

use async_trait::async_trait;
use brain_core::{
    AddReport, Capabilities, ExistingIndex, Fetched, Health, IndexInfo, IndexSpec, Item, NearestRequest, NearestResponse, OnConflict, OnMissing,
    Parameters, Progress, RemoveReport, Result, Scope, Selector, SimilarityBackend, SimilarityIndex, VectorBatch,
};
use futures::stream::BoxStream;

/// A backend whose indexes are made and opened by these parameters, where a specification does not say otherwise.
#[derive(Debug)]
pub struct Configured<B> {
    inner: B,
    parameters: Parameters,
}

impl<B: SimilarityBackend> Configured<B> {
    /// The backend `inner` with these parameters.
    pub fn new(inner: B, parameters: &[(&str, &str)]) -> Self {
        Self { inner, parameters: parameters.iter().map(|&(name, value)| (name.to_owned(), value.into())).collect() }
    }

    fn parameters(&self, own: &Parameters) -> Parameters {
        self.parameters.iter().chain(own).map(|(name, value)| (name.clone(), value.clone())).collect()
    }

    fn spec(&self, spec: &IndexSpec) -> IndexSpec {
        IndexSpec { parameters: self.parameters(&spec.parameters), ..spec.clone() }
    }

    fn existing(&self, existing: &ExistingIndex) -> ExistingIndex {
        ExistingIndex { parameters: self.parameters(&existing.parameters), ..existing.clone() }
    }
}

#[async_trait]
impl<B: SimilarityBackend> SimilarityBackend for Configured<B> {
    fn name(&self) -> &str {
        self.inner.name()
    }

    fn capabilities(&self) -> &Capabilities {
        self.inner.capabilities()
    }

    async fn check(&self, spec: &IndexSpec) -> Result<()> {
        self.inner.check(&self.spec(spec)).await
    }

    async fn create(&self, spec: &IndexSpec) -> Result<Box<dyn SimilarityIndex>> {
        let inner = self.inner.create(&self.spec(spec)).await?;
        Ok(Box::new(Index { inner, spec: spec.clone() }))
    }

    async fn open(&self, spec: &IndexSpec) -> Result<Box<dyn SimilarityIndex>> {
        let inner = self.inner.open(&self.spec(spec)).await?;
        Ok(Box::new(Index { inner, spec: spec.clone() }))
    }

    async fn attach(&self, existing: &ExistingIndex) -> Result<Box<dyn SimilarityIndex>> {
        self.inner.attach(existing).await
    }

    async fn drop_index(&self, index: &ExistingIndex) -> Result<bool> {
        self.inner.drop_index(&self.existing(index)).await
    }

    async fn health(&self) -> Result<Health> {
        self.inner.health().await
    }
}

/// An index under the specification that was asked for.
struct Index {
    inner: Box<dyn SimilarityIndex>,
    spec: IndexSpec,
}

#[async_trait]
impl SimilarityIndex for Index {
    fn spec(&self) -> &IndexSpec {
        &self.spec
    }

    fn capabilities(&self) -> &Capabilities {
        self.inner.capabilities()
    }

    async fn count(&self, scope: Scope<'_>) -> Result<u64> {
        self.inner.count(scope).await
    }

    async fn count_samples(&self, scope: Scope<'_>) -> Result<u64> {
        self.inner.count_samples(scope).await
    }

    async fn estimate(&self, scope: Scope<'_>) -> Result<u64> {
        self.inner.estimate(scope).await
    }

    async fn estimate_samples(&self, scope: Scope<'_>) -> Result<u64> {
        self.inner.estimate_samples(scope).await
    }

    async fn add(&self, batches: BoxStream<'_, Result<VectorBatch>>, on_conflict: OnConflict) -> Result<AddReport> {
        self.inner.add(batches, on_conflict).await
    }

    async fn build(&self, progress: &dyn Progress) -> Result<()> {
        self.inner.build(progress).await
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
        self.inner.nearest(request).await
    }

    async fn explain(&self, request: NearestRequest<'_>) -> Result<Option<String>> {
        self.inner.explain(request).await
    }

    async fn info(&self) -> Result<IndexInfo> {
        self.inner.info().await
    }

    fn client(&self) -> &(dyn Any + Send + Sync) {
        self.inner.client()
    }
}
