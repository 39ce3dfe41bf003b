//! Reading rows and counting them.

use std::collections::HashMap;

use brain_core::{Error, Fetched, Item, ItemId, Result, Scope, Selector, VectorBatch};
use futures::channel::mpsc;
use futures::stream::{BoxStream, StreamExt as _};
use futures::{SinkExt as _, TryStreamExt as _};
use tokio_postgres::types::Type;

use crate::connect::Connection;
use crate::error;
use crate::index::PgvectorIndex;
use crate::scope::Clause;
use crate::table::VECTOR_COLUMN;
use crate::wire::{RowReader, read_vector};

/// How many rows are handed on at once.
const BATCH: usize = 1_000;
/// And how many numbers, where vectors are long.
const BATCH_NUMBERS: usize = 1 << 20;
/// How many batches are read ahead of who takes them.
const AHEAD: usize = 2;

impl PgvectorIndex {
    /// What `counted` counts of the rows in scope: `*`, or distinct samples.
    pub(crate) async fn count_rows(&self, counted: &str, scope: Scope<'_>) -> Result<u64> {
        let clause = Clause::of(scope, &self.ranked, 1, &self.texts);
        let sql = format!("SELECT count({counted}) FROM {}{}", self.ranked.table, self.ranked.filtered(&clause.sql));
        let (clause, sql) = (&clause, &sql);
        let count = self
            .pool
            .retrying(|connection| async move {
                let parameters = clause.ids.as_deref().map(|ids| (ids as _, Type::TEXT_ARRAY));
                let parameters = parameters.as_slice();
                let rows = if clause.is_lasting() {
                    connection.query(&[], sql, parameters).await
                } else {
                    connection.query_once(&[], sql, parameters).await
                };
                rows.map_err(|error| self.failed("count the rows of", error))
            })
            .await?;
        Ok(count.first().map_or(0, |row| row.get::<_, i64>(0)).unsigned_abs())
    }

    /// The rows of a selector, in the order asked.
    pub(crate) async fn fetch_rows(&self, selector: Selector<'_>) -> Result<Fetched> {
        let dimension = self.spec.dimension;
        let (asked, by_sample) = match selector {
            Selector::All => {
                let batches: Vec<VectorBatch> = self.rows(true).try_collect().await?;
                let mut rows = VectorBatch::with_capacity(batches.iter().map(VectorBatch::len).sum(), dimension);
                for (item, vector) in batches.iter().flat_map(VectorBatch::rows) {
                    rows.push(item.clone(), vector)?;
                }
                return Ok(Fetched { rows, missing: Vec::new() });
            }
            Selector::Items(ids) => (ids, false),
            Selector::Samples(ids) => (ids, true),
        };
        let x = crate::quote::identifier(&self.extension);
        let send = if self.table().halves { "halfvec_send" } else { "vector_send" };
        let mut fetched = Fetched { rows: VectorBatch::with_capacity(asked.len(), dimension), missing: Vec::new() };
        for asked in asked.chunks(BATCH) {
            let selector = if by_sample { Selector::Samples(asked) } else { Selector::Items(asked) };
            let clause = Clause::selected(selector, &self.ranked, 1);
            let scope = self.ranked.filtered(&clause.sql);
            let sql =
                format!("SELECT id, {}, {x}.{send}({VECTOR_COLUMN}) FROM {}{scope} ORDER BY id COLLATE \"C\"", self.ranked.sample, self.ranked.table);
            let (sql, ids) = (&sql, &*clause.ids.unwrap_or_default());
            let rows = self
                .pool
                .retrying(|connection| async move {
                    connection.query(&[], sql, &[(ids, Type::TEXT_ARRAY)]).await.map_err(|error| self.failed("fetch from", error))
                })
                .await?;
            let mut found: HashMap<ItemId, Vec<usize>> = HashMap::new();
            for (at, row) in rows.iter().enumerate() {
                found.entry(ItemId::from_text(row.get(usize::from(by_sample)))).or_default().push(at);
            }
            let mut vector = Vec::with_capacity(dimension);
            for id in asked {
                let Some(places) = found.get(id) else {
                    fetched.missing.push(id.clone());
                    continue;
                };
                for row in places.iter().map(|&at| &rows[at]) {
                    vector.clear();
                    let item = Item { id: ItemId::from_text(row.get(0)), sample_id: ItemId::from_text(row.get(1)) };
                    read_vector(row.get(2), self.table().halves, dimension, &mut vector)
                        .ok_or_else(|| Error::corrupt(format!("the vector of {} in {} has not {dimension} numbers", item.id, self.ranked.table)))?;
                    fetched.rows.push(item, &vector)?;
                }
            }
        }
        Ok(fetched)
    }

    /// Every row as of one moment, with or without its vector.
    pub(crate) fn rows(&self, with_vectors: bool) -> BoxStream<'_, Result<VectorBatch>> {
        let vectors = if with_vectors { format!(", {VECTOR_COLUMN}") } else { String::new() };
        let sql =
            format!("COPY (SELECT id, {}{vectors} FROM {}{}) TO STDOUT BINARY", self.ranked.sample, self.ranked.table, self.ranked.filtered(""));
        let (dimension, halves) = (if with_vectors { self.spec.dimension } else { 0 }, self.table().halves);
        let (mut sender, receiver) = mpsc::channel(AHEAD);
        let (pool, table) = (self.pool.clone(), self.ranked.table.clone());
        let begun = async move {
            // Outside of a runtime there is no connection, and nothing can be spawned.
            let connection = pool.retrying(|connection| async move { Ok(connection) }).await?;
            drop(tokio::spawn(async move {
                let reader = RowReader::new(dimension, halves);
                if let Err(failure) = copy_out(connection, &sql, &table, reader, &mut sender).await {
                    // Who listens is told; who does not needs no rows.
                    let _ = sender.send(Err(failure)).await;
                }
            }));
            Ok::<_, Error>(receiver)
        };
        futures::stream::once(begun).try_flatten().boxed()
    }
}

async fn copy_out(
    mut connection: Connection,
    sql: &str,
    table: &str,
    mut reader: RowReader,
    sender: &mut mpsc::Sender<Result<VectorBatch>>,
) -> Result<()> {
    let failed = |error| error::of(error, &format!("read the table {table}"));
    let transaction = connection.transaction(&[]).await.map_err(failed)?;
    let pieces = transaction.copy_out(sql).await.map_err(failed)?;
    let mut pieces = std::pin::pin!(pieces);
    let mut rows = VectorBatch::with_capacity(0, reader.dimension());
    while let Some(piece) = pieces.try_next().await.map_err(failed)? {
        reader.read(&piece, &mut rows)?;
        if rows.len() >= BATCH || rows.vectors().len() >= BATCH_NUMBERS {
            let whole = std::mem::replace(&mut rows, VectorBatch::with_capacity(BATCH, reader.dimension()));
            if sender.send(Ok(whole)).await.is_err() {
                return Ok(());
            }
        }
    }
    if !rows.is_empty() {
        // As above.
        let _ = sender.send(Ok(rows)).await;
    }
    transaction.commit().await.map_err(failed)
}

impl PgvectorIndex {
    pub(crate) fn failed(&self, what: &str, error: tokio_postgres::Error) -> Error {
        error::of(error, &format!("{what} the table {}", self.ranked.table))
    }
}
