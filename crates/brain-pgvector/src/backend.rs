//! The backend: makes, opens, attaches to and drops tables of vectors in one database.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use async_trait::async_trait;
use brain_core::config::ResolvedParameters;
use brain_core::{Capabilities, Error, ErrorKind, ExistingIndex, Health, IndexSpec, Metric, Result, SimilarityBackend, SimilarityIndex};
use tokio_postgres::error::SqlState;

use crate::calibrate::WORTH_IT;
use crate::catalog;
use crate::connect::{Connection, Pool, Session, Settings};
use crate::declaration::DECLARATION;
use crate::error;
use crate::index::{Parts, PgvectorIndex};
use crate::options::{DIMENSION_MOST, Options};
use crate::quote::{identifier, literal, qualified};
use crate::table::{Note, Table, VECTOR_COLUMN};

const NAME: &str = DECLARATION.name;

/// A row must fit a page of 8 KiB to be kept there as it is; beside the vector it has two ids and a head.
const PLAIN_BYTES: usize = 7_800;

/// The backend over one PostgreSQL database. Nothing is connected to before it is needed.
pub struct PgvectorBackend {
    pool: Result<Pool, Arc<Error>>,
    capabilities: Capabilities,
    /// How many changes this process has made, by any handle.
    changes: Arc<AtomicU64>,
    exact_below: u64,
}

impl PgvectorBackend {
    /// The backend that these parameters lead to. What is wrong with them is said by the first call.
    pub fn new(parameters: &ResolvedParameters) -> Self {
        let mut capabilities = Capabilities::exact(Metric::ALL);
        capabilities.approximate = true;
        capabilities.farthest = true;
        capabilities.attach = true;
        capabilities.server = true;
        capabilities.max_dimension = Some(DIMENSION_MOST);
        let pool = Settings::from_parameters(parameters).map(Pool::new).map_err(Arc::new);
        Self { pool, capabilities, changes: Arc::default(), exact_below: WORTH_IT }
    }

    /// Searches through the index from `rows` rows on; below, all are compared, which is faster for a thousand rows and exact.
    #[must_use]
    pub fn with_exact_below(mut self, rows: u64) -> Self {
        self.exact_below = rows;
        self
    }

    /// The connections.
    ///
    /// # Errors
    /// [`Config`](ErrorKind::Config) where the parameters lead nowhere.
    pub fn pool(&self) -> Result<&Pool> {
        self.pool.as_ref().map_err(|error| {
            let again = Error::new(error.kind(), error.message());
            if let Some(hint) = error.hint() { again.with_hint(hint) } else { again }
        })
    }

    fn index(&self, session: &Session, table: Table, spec: IndexSpec, options: Options) -> Result<PgvectorIndex> {
        Ok(PgvectorIndex::new(Parts {
            pool: self.pool()?.clone(),
            spec,
            options,
            table,
            extension: session.types().schema.clone(),
            capabilities: self.capabilities.clone(),
            changes: Arc::clone(&self.changes),
            exact_below: self.exact_below,
        }))
    }

    /// Everything that would keep an index from being made: what it is, the server, the user's rights.
    async fn preflight(&self, spec: &IndexSpec) -> Result<(Connection, Options)> {
        self.capabilities.check(NAME, spec.metric, spec.dimension)?;
        let mut options = Options::of(&spec.name, &spec.parameters)?;
        options.check(spec)?;
        let session = self.pool()?.get().await?;
        options.schema = Some(session.schema_for_tables(options.schema.as_deref()).await?);
        Ok((session, options))
    }

    async fn found(&self, session: &Session, options: &Options) -> Result<Option<Table>> {
        // An index's name leads to its table where it is all that is named; beside a table's it may be that of another table, which is not meant.
        catalog::find(session, options.schema.as_deref(), &options.table).await
    }
}

#[async_trait]
impl SimilarityBackend for PgvectorBackend {
    fn name(&self) -> &str {
        NAME
    }

    fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    async fn check(&self, spec: &IndexSpec) -> Result<()> {
        self.preflight(spec).await.map(drop)
    }

    async fn create(&self, spec: &IndexSpec) -> Result<Box<dyn SimilarityIndex>> {
        let (session, options) = self.preflight(spec).await?;
        let sql = create_table(&session, spec, &options)?;
        match session.batch(&sql).await {
            Ok(()) => {}
            Err(failure) => {
                let taken = [SqlState::DUPLICATE_TABLE, SqlState::UNIQUE_VIOLATION, SqlState::DUPLICATE_OBJECT];
                return Err(if failure.code().is_some_and(|code| taken.contains(code)) {
                    Error::new(ErrorKind::AlreadyExists, format!("there is a table {:?} already", options.table))
                        .with_hint("attach to it, or choose another table_name")
                        .with_source(failure)
                } else {
                    error::of(failure, &format!("make the table {:?}", options.table))
                });
            }
        }
        let table = self.found(&session, &options).await?.ok_or_else(|| gone(&options))?;
        Ok(Box::new(self.index(&session, table, spec.clone(), options)?))
    }

    async fn open(&self, spec: &IndexSpec) -> Result<Box<dyn SimilarityIndex>> {
        let options = Options::of(&spec.name, &spec.parameters)?;
        let session = self.pool()?.get().await?;
        let table = self.found(&session, &options).await?.ok_or_else(|| gone(&options))?;
        let dimension = table.dimension.unwrap_or(spec.dimension);
        let metric = table.note.map_or(spec.metric, |note| note.metric);
        let items = table.note.map_or(spec.items, |note| note.items);
        let found = IndexSpec { dimension, metric, items, ..spec.clone() };
        ExistingIndex::from(spec).check(&found, &format!("the table {}", table.sql()))?;
        Ok(Box::new(self.index(&session, table, spec.clone(), options)?))
    }

    async fn attach(&self, existing: &ExistingIndex) -> Result<Box<dyn SimilarityIndex>> {
        let options = Options::of(&existing.name, &existing.parameters)?;
        let session = self.pool()?.get().await?;
        let table = self.found(&session, &options).await?.ok_or_else(|| gone(&options))?;
        let dimension = match table.dimension {
            Some(declared) => Some(declared),
            None => catalog::measured_dimension(&session, &table).await?,
        };
        let dimension = dimension.or(existing.dimension).ok_or_else(|| {
            Error::new(ErrorKind::Conflict, format!("the table {} is empty and does not say how long its vectors are", table.sql()))
                .with_hint(format!("declare it: ALTER TABLE … ALTER COLUMN {VECTOR_COLUMN} TYPE vector(512)"))
        })?;
        let metric = metric_of(&table, dimension, existing.metric)?;
        let items = table.note.map_or(existing.items, |note| note.items);
        let found = IndexSpec { name: existing.name.clone(), dimension, metric, items, parameters: existing.parameters.clone() };
        existing.check(&found, &format!("the table {}", table.sql()))?;
        let mut index = self.index(&session, table, found, options)?;
        drop(session);
        index.measure_once().await?;
        Ok(Box::new(index))
    }

    async fn drop_index(&self, index: &ExistingIndex) -> Result<bool> {
        let options = Options::of(&index.name, &index.parameters)?;
        let session = self.pool()?.get().await?;
        let Some(table) = self.found(&session, &options).await? else { return Ok(false) };
        session.server().check_writable()?;
        let dropped = session.batch(&format!("DROP TABLE IF EXISTS {}", table.sql())).await;
        dropped.map_err(|failure| error::of(failure, &format!("drop the table {}", table.sql())))?;
        self.changes.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        Ok(true)
    }

    async fn health(&self) -> Result<Health> {
        let pool = self.pool()?;
        let session = pool.get().await?;
        let server = session.server();
        let number = server.version;
        let advice = server.advice().map(|advice| format!("; {advice}")).unwrap_or_default();
        let detail = format!(
            "PostgreSQL {}.{} with pgvector {} at {}{}{advice}",
            number / 10_000,
            number % 10_000,
            server.extension,
            pool.settings().address(),
            if session.is_direct() { "" } else { ", through a pooler" },
        );
        Ok(Health { detail })
    }
}

fn create_table(session: &Session, spec: &IndexSpec, options: &Options) -> Result<String> {
    let x = identifier(&session.types().schema);
    let table = qualified(options.schema.as_deref(), &options.table);
    let (vector_type, width) = if options.halves { ("halfvec", 2) } else { ("vector", 4) };
    let storage = if spec.dimension * width <= PLAIN_BYTES { "PLAIN" } else { "EXTERNAL" };
    let note = Note { brain: 1, metric: spec.metric, items: spec.items, extreme: false };
    let note = serde_json::to_string(&note).map_err(|source| Error::unexpected("a note does not serialise").with_source(source))?;
    Ok(format!(
        "CREATE TABLE {table} (id text COLLATE \"C\" PRIMARY KEY, sample_id text COLLATE \"C\" NOT NULL, \
         {VECTOR_COLUMN} {x}.{vector_type}({}) NOT NULL); \
         ALTER TABLE {table} ALTER COLUMN {VECTOR_COLUMN} SET STORAGE {storage}; \
         COMMENT ON TABLE {table} IS {}",
        spec.dimension,
        literal(&note),
    ))
}

fn gone(options: &Options) -> Error {
    let place = options.schema.as_deref().map(|schema| format!(" in the schema {schema:?}")).unwrap_or_default();
    Error::not_found(format!("there is no table or index {:?}{place}", options.table))
        .with_hint("check the name, the schema (schema_name) and the database of connection_string")
}

/// What a table's rows are ranked by: what it says of itself, else what its index says, else what is asked for.
fn metric_of(table: &Table, dimension: usize, asked: Option<Metric>) -> Result<Metric> {
    if let Some(note) = table.note {
        return Ok(note.metric);
    }
    if let Some(asked) = asked
        && (table.indexes.is_empty() || table.index_for(asked, dimension).is_some())
    {
        return Ok(asked);
    }
    Ok(table.indexes.iter().find(|index| index.valid).map(|index| index.metric).or(asked).unwrap_or_default())
}
