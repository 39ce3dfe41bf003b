//! Removing rows, all or none.

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};

use brain_core::{ItemId, OnMissing, RemoveReport, Result, Selector, not_indexed};
use tokio_postgres::types::Type;

use crate::connect::Connection;
use crate::index::PgvectorIndex;
use crate::options::Method;
use crate::quote::qualified;
use crate::scope::Clause;

/// When this share of the rows goes at once, the index is built anew: vacuuming a graph of so many dead rows takes longer, and searching it finds fewer.
const REBUILD: f64 = 0.2;
/// Fewer rows are not worth it.
const REBUILD_ROWS: u64 = 1_000;

impl PgvectorIndex {
    pub(crate) async fn remove_rows(&self, selector: Selector<'_>, on_missing: OnMissing) -> Result<RemoveReport> {
        let before = self.count_rows("*", brain_core::Scope::All).await?;
        let lost = &Mutex::new(None);
        let outcome = self.pool.retrying(|connection| self.remove_once(connection, selector, on_missing, lost)).await;
        let report = outcome.map_err(|error| error.with_operation("remove from index"))?;
        self.changed();
        if report.removed >= REBUILD_ROWS && report.removed < before && report.removed as f64 > before as f64 * REBUILD {
            self.rebuild().await?;
        }
        Ok(report)
    }

    /// Removes the rows, unless a transaction that was `lost`, so that nobody knows whether it was committed, has done so.
    async fn remove_once(
        &self,
        mut connection: Connection,
        selector: Selector<'_>,
        on_missing: OnMissing,
        lost: &Mutex<Option<RemoveReport>>,
    ) -> Result<RemoveReport> {
        let failed = |error| self.failed("remove rows from", error);
        let transaction = connection.transaction(&[]).await.map_err(failed)?;
        let table = &self.ranked.table;
        let (asked, column) = match selector {
            Selector::All => {
                let removed = if self.table().note.is_some() {
                    // Emptied with its indexes, so that nothing dead is left in them.
                    transaction.batch_execute(&format!("LOCK TABLE {table}")).await.map_err(failed)?;
                    let rows = transaction.query_typed(&format!("SELECT count(*) FROM {table}"), &[]).await.map_err(failed)?;
                    transaction.batch_execute(&format!("TRUNCATE {table}")).await.map_err(failed)?;
                    rows.first().map_or(0, |row| row.get::<_, i64>(0)).unsigned_abs()
                } else {
                    transaction.execute_typed(&format!("DELETE FROM {table}"), &[]).await.map_err(failed)?
                };
                let report = first_of(lost, RemoveReport { removed, missing: Vec::new() });
                transaction.commit().await.map_err(failed)?;
                return Ok(report);
            }
            Selector::Items(ids) => (ids, 0),
            Selector::Samples(ids) => (ids, 1),
        };
        let clause = Clause::selected(selector, &self.ranked, 1);
        let sql = format!("DELETE FROM {table}{} RETURNING id, {}", clause.sql, self.ranked.sample);
        let ids = clause.ids.unwrap_or_default();
        let rows = transaction.query_typed(&sql, &[(&*ids, Type::TEXT_ARRAY)]).await.map_err(failed)?;
        let before = lost.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(report) = before.filter(|_| rows.is_empty()) {
            return Ok(report);
        }
        let found: HashSet<ItemId> = rows.iter().map(|row| ItemId::from_text(row.get(column))).collect();
        let mut listed = HashSet::new();
        let missing: Vec<ItemId> = asked.iter().filter(|id| !found.contains(id) && listed.insert(*id)).cloned().collect();
        if on_missing == OnMissing::Error && !missing.is_empty() {
            transaction.rollback().await.map_err(failed)?;
            return Err(not_indexed(&format!("the table {table}"), &missing));
        }
        let missing = if on_missing == OnMissing::Ignore { Vec::new() } else { missing };
        let report = first_of(lost, RemoveReport { removed: rows.len() as u64, missing });
        transaction.commit().await.map_err(failed)?;
        Ok(report)
    }

    /// Builds the index anew beside the old one, which serves until then.
    async fn rebuild(&self) -> Result<()> {
        let table = self.table();
        if table.note.is_none() {
            return Ok(());
        }
        for index in table.indexes.iter().filter(|index| index.valid && index.method == Method::Hnsw) {
            let sql = format!("REINDEX INDEX CONCURRENTLY {}", qualified(Some(&table.schema), &index.name));
            self.maintain(&sql, "rebuild the index of").await?;
        }
        Ok(())
    }
}

/// What the first attempt counted: where its end was never heard of, a later one may find nothing left.
fn first_of(lost: &Mutex<Option<RemoveReport>>, report: RemoveReport) -> RemoveReport {
    lost.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(report).clone()
}
