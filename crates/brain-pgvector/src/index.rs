//! One index: a table, what is known of it, and the connections that lead there.

use std::any::Any;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Instant;

use async_trait::async_trait;
use brain_core::search::{Calibration, Estimates};
use brain_core::{
    AddReport, Capabilities, Fetched, IndexInfo, IndexSpec, Item, NearestRequest, NearestResponse, NoProgress, OnConflict, OnMissing, Progress,
    RemoveReport, Result, Scope, Selector, SimilarityIndex, VectorBatch,
};
use futures::TryStreamExt as _;
use futures::stream::{BoxStream, StreamExt as _};
use serde_json::json;

use crate::catalog;
use crate::connect::{Connection, Pool};
use crate::options::Options;
use crate::scope::Texts;
use crate::table::{Note, Ranked, Table};

/// The parameter of a run that is attached to an index: what was measured of it.
const MEASURED: &str = "measured_recall";

/// A table of vectors in PostgreSQL, to search and to change.
///
/// [`client`](SimilarityIndex::client) is the [`Pool`].
pub struct PgvectorIndex {
    pub(crate) pool: Pool,
    pub(crate) spec: IndexSpec,
    pub(crate) options: Options,
    pub(crate) ranked: Ranked,
    /// The schema of the extension.
    pub(crate) extension: String,
    /// Below so many rows all are compared.
    pub(crate) exact_below: u64,
    pub(crate) texts: Texts,
    /// What was found out about an index that others made, and stands in the run's record: nothing is written to theirs.
    pub(crate) measured: Option<Calibration>,
    capabilities: Capabilities,
    table: RwLock<Arc<Table>>,
    /// When the table was looked at, and how many changes this process had made by then.
    looked: Mutex<(Instant, u64)>,
    changes: Arc<AtomicU64>,
    estimates: Estimates,
}

/// What an index is put together from.
pub(crate) struct Parts {
    pub(crate) pool: Pool,
    pub(crate) spec: IndexSpec,
    pub(crate) options: Options,
    pub(crate) table: Table,
    pub(crate) extension: String,
    pub(crate) capabilities: Capabilities,
    pub(crate) changes: Arc<AtomicU64>,
    pub(crate) exact_below: u64,
}

impl PgvectorIndex {
    pub(crate) fn new(parts: Parts) -> Self {
        let Parts { pool, spec, options, table, extension, mut capabilities, changes, exact_below } = parts;
        let ranked = Ranked::new(&table, &spec, &extension);
        // A table without an index can get one; one that is to have none is read.
        capabilities.approximate = options.method.is_some() || table.index_for(spec.metric, spec.dimension).is_some();
        Self {
            pool,
            spec,
            options,
            ranked,
            extension,
            exact_below,
            texts: Texts::default(),
            measured: None,
            capabilities,
            table: RwLock::new(Arc::new(table)),
            looked: Mutex::new((Instant::now(), changes.load(Ordering::Relaxed))),
            changes,
            estimates: Estimates::default(),
        }
    }

    /// Finds out how hard a search has to look in an index that others made, or reads it from the run's parameters, where it is kept.
    pub(crate) async fn measure_once(&mut self) -> Result<()> {
        let table = self.table();
        let is_measured = table.index_for(self.spec.metric, self.spec.dimension).is_none_or(|index| index.calibration.is_some());
        if table.note.is_some() || is_measured || self.options.effort.is_some() {
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

    /// What is known of the table.
    pub(crate) fn table(&self) -> Arc<Table> {
        Arc::clone(&self.table.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Reads the catalog again.
    pub(crate) async fn look_again(&self) -> Result<()> {
        let known = &self.table();
        let (at, changes) = (Instant::now(), self.changes.load(Ordering::Relaxed));
        let find = |connection: Connection| async move { catalog::find(&connection, Some(&known.schema), &known.name).await };
        if let Some(table) = self.pool.retrying(find).await? {
            self.set_table(table);
        }
        *self.looked.lock().unwrap_or_else(PoisonError::into_inner) = (at, changes);
        Ok(())
    }

    pub(crate) fn set_table(&self, table: Table) {
        *self.table.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(table);
    }

    /// What is known of the table, read again where this process changed it or some time has passed: another process may have built its index, or added
    /// vectors that the server cannot compare.
    pub(crate) async fn current_table(&self) -> Result<Arc<Table>> {
        let (at, changes) = *self.looked.lock().unwrap_or_else(PoisonError::into_inner);
        if at.elapsed() >= Estimates::SERVES || changes != self.changes.load(Ordering::Relaxed) {
            self.look_again().await?;
        }
        Ok(self.table())
    }

    pub(crate) fn set_note(&self, note: Note) {
        let mut table = self.table.write().unwrap_or_else(PoisonError::into_inner);
        *table = Arc::new(Table { note: Some(note), ..(**table).clone() });
    }

    pub(crate) fn calibration(&self) -> Option<Calibration> {
        self.table().index_for(self.spec.metric, self.spec.dimension).and_then(|index| index.calibration.clone())
    }

    /// Takes note that this process has changed rows: what was counted before is out of date.
    pub(crate) fn changed(&self) {
        self.changes.fetch_add(1, Ordering::Relaxed);
    }

    async fn estimated(&self, samples: bool, scope: Scope<'_>) -> Result<u64> {
        let count = async { if samples { self.count_samples(scope).await } else { self.count(scope).await } };
        self.estimates.of(samples, scope, self.changes.load(Ordering::Relaxed), count).await
    }
}

#[async_trait]
impl SimilarityIndex for PgvectorIndex {
    fn spec(&self) -> &IndexSpec {
        &self.spec
    }

    fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    async fn count(&self, scope: Scope<'_>) -> Result<u64> {
        self.count_rows("*", scope).await
    }

    async fn count_samples(&self, scope: Scope<'_>) -> Result<u64> {
        self.count_rows(&format!("DISTINCT {}", self.ranked.sample), scope).await
    }

    async fn estimate(&self, scope: Scope<'_>) -> Result<u64> {
        self.estimated(false, scope).await
    }

    async fn estimate_samples(&self, scope: Scope<'_>) -> Result<u64> {
        self.estimated(true, scope).await
    }

    async fn add(&self, batches: BoxStream<'_, Result<VectorBatch>>, on_conflict: OnConflict) -> Result<AddReport> {
        self.pool.retrying(|connection| async move { connection.server().check_writable() }).await?;
        self.load(batches, on_conflict).await
    }

    async fn build(&self, progress: &dyn Progress) -> Result<()> {
        self.build_index(progress).await.map_err(|error| error.with_operation("build index"))
    }

    async fn remove(&self, selector: Selector<'_>, on_missing: OnMissing) -> Result<RemoveReport> {
        self.remove_rows(selector, on_missing).await
    }

    async fn fetch(&self, selector: Selector<'_>) -> Result<Fetched> {
        self.fetch_rows(selector).await
    }

    fn ids(&self) -> BoxStream<'_, Result<Vec<Item>>> {
        self.rows(false).map_ok(|batch| batch.items().to_vec()).boxed()
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
        self.look_again().await?;
        let (items, table) = (self.count(Scope::All).await?, self.table());
        let connection = self.pool.get().await?;
        // A partitioned table is its partitions; any other has none.
        const SIZES: &str = "\
            SELECT sum(pg_catalog.pg_total_relation_size(part))::bigint, sum(pg_catalog.pg_indexes_size(part))::bigint \
            FROM (SELECT $1::oid AS part UNION SELECT relid FROM pg_catalog.pg_partition_tree($1::oid)) AS parts";
        let rows = connection.query(&[], SIZES, &[(&table.oid, tokio_postgres::types::Type::OID)]).await;
        let rows = rows.map_err(|error| self.failed("measure", error))?;
        let [bytes, indexes] = rows.first().map_or([0, 0], |row| [0, 1].map(|column| row.get::<_, i64>(column).unsigned_abs()));
        let mut details = BTreeMap::from([
            ("table".to_owned(), json!(format!("{}.{}", table.schema, table.name))),
            ("vector_type".to_owned(), json!(if table.halves { "halfvec" } else { "vector" })),
            ("bytes of the indexes".to_owned(), json!(indexes)),
            ("pgvector".to_owned(), json!(connection.server().extension.to_string())),
            ("made by".to_owned(), json!(if table.note.is_some() { "brain" } else { "others" })),
        ]);
        match table.index_for(self.spec.metric, self.spec.dimension) {
            None => drop(details.insert("index".to_owned(), json!("none: every row is compared"))),
            Some(index) => {
                details.insert("index".to_owned(), json!(format!("{} ({})", index.name, index.method.as_str())));
                if let Some(known) = index.calibration.as_ref().or(self.measured.as_ref()) {
                    let efforts = known.efforts.iter().map(|(k, effort)| (k.to_string(), json!(effort)));
                    details.insert("effort for the nearest".to_owned(), efforts.collect::<serde_json::Map<_, _>>().into());
                    details.insert("recall of 10, measured".to_owned(), json!(known.recall));
                }
            }
        }
        if let Some(advice) = connection.server().advice() {
            details.insert("advice".to_owned(), json!(advice));
        }
        Ok(IndexInfo { items, bytes: Some(bytes), details })
    }

    fn client(&self) -> &(dyn Any + Send + Sync) {
        &self.pool
    }
}
