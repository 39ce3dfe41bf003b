//! Building the index once the rows are there, which takes a small part of what adding to a finished one takes.

use std::time::Duration;

use brain_core::search::Calibration;
use brain_core::{Error, ItemKind, Progress, Result, Scope};
use futures::FutureExt as _;
use futures::future::{Either, select, try_join};
use tokio_postgres::Transaction;
use tokio_postgres::types::Type;

use crate::catalog;
use crate::connect::{Connection, Session, Setting};
use crate::index::PgvectorIndex;
use crate::options::{Method, Options, Over};
use crate::quote::{identifier, literal, qualified};
use crate::table::Table;

/// How often the server is asked how far it is.
const ASKED_EVERY: Duration = Duration::from_millis(500);
/// A table that has grown or shrunk by this share since its index was looked at closely, is looked at again.
const CHANGED: f64 = 0.5;

impl PgvectorIndex {
    /// Makes the indexes that are missing, and finds out how hard a search has to look.
    pub(crate) async fn build_index(&self, progress: &dyn Progress) -> Result<()> {
        let rows = self.count_rows("*", Scope::All).await?;
        // What others made is theirs to index.
        if self.table().note.is_none() || rows == 0 {
            return Ok(());
        }
        self.look_again().await?;
        self.drop_leftovers().await?;
        let mut made = false;
        if self.spec.items == ItemKind::Patches && !self.table().samples_indexed {
            let sql = format!("CREATE INDEX ON {} (sample_id)", self.ranked.table);
            made |= self.make(&sql, |table| table.samples_indexed, rows, 0, progress).await?;
        }
        if let Some(method) = self.options.method
            && self.table().index_for(self.spec.metric, self.spec.dimension).is_none()
        {
            let sql = self.create_index(method, rows);
            let memory = if method == Method::Hnsw { rows.saturating_mul(self.bytes_of_a_node()) } else { 0 };
            made |= self.make(&sql, |table| table.index_for(self.spec.metric, self.spec.dimension).is_some(), rows, memory, progress).await?;
        }
        self.look_again().await?;
        let known = self.calibration();
        let changed = known.is_none_or(|known| known.rows.abs_diff(rows) as f64 > known.rows as f64 * CHANGED);
        // Counts are read off the index alone afterwards, and plans follow what there is now.
        let vacuum = async {
            let sql = format!("VACUUM (ANALYZE) {}", self.ranked.table);
            if made || changed { self.maintain(&sql, "analyze").await } else { Ok(()) }
        };
        let calibrate = async { if changed && self.options.effort.is_none() { self.calibrate(rows, progress).await } else { Ok(None) } };
        // Each keeps one of the server's processes busy.
        let found = if self.pool.size() > 1 {
            try_join(vacuum, calibrate).await?.1
        } else {
            vacuum.await?;
            calibrate.await?
        };
        if let Some(found) = found {
            self.keep(found).await?;
        }
        Ok(())
    }

    fn create_index(&self, method: Method, rows: u64) -> String {
        let Options { index, m, ef_construction, .. } = &self.options;
        let over = Over::best(self.spec.metric, self.options.halves, self.spec.dimension);
        let with = match method {
            Method::Hnsw => format!("m = {m}, ef_construction = {ef_construction}"),
            Method::Ivfflat => format!("lists = {}", self.options.lists.unwrap_or_else(|| lists(rows))),
        };
        let name = index.as_deref().map(|name| format!("{} ", identifier(name))).unwrap_or_default();
        let (indexed, class) = (self.ranked.indexed(over), self.ranked.operator_class(over));
        format!("CREATE INDEX {name}ON {} USING {} ({indexed} {class}) WITH ({with})", self.ranked.table, method.as_str())
    }

    /// Runs a statement that makes an index, unless another process has made one meanwhile; whether it ran. With less than `memory` bytes it takes many times
    /// as long.
    async fn make(&self, sql: &str, is_there: impl Fn(&Table) -> bool, rows: u64, memory: u64, progress: &dyn Progress) -> Result<bool> {
        let is_there = &is_there;
        self.pool.retrying(|connection| self.make_once(connection, sql, is_there, rows, memory, progress)).await
    }

    async fn make_once(
        &self,
        mut connection: Connection,
        sql: &str,
        is_there: &impl Fn(&Table) -> bool,
        rows: u64,
        memory: u64,
        progress: &dyn Progress,
    ) -> Result<bool> {
        let failed = |error| self.failed("build the index of", error);
        let (settings, types) = (self.settings_of_a_build(&connection), connection.types().clone());
        let mut watcher = None;
        let transaction = connection.transaction(&settings).await.map_err(failed)?;
        // One process builds, the others wait here and find that it is done.
        transaction.batch_execute(&format!("SELECT pg_advisory_xact_lock({})", i64::from(self.table().oid))).await.map_err(failed)?;
        // By this connection: where the pool has no other, waiting for one would be waiting for itself.
        let known = self.table();
        if let Some(table) = catalog::find_by(transaction.client(), &types, Some(&known.schema), &known.name).await? {
            let is_there = is_there(&table);
            self.set_table(table);
            if is_there {
                return Ok(false);
            }
        }
        let process: i32 = transaction.query_typed_one("SELECT pg_backend_pid()", &[]).await.map_err(failed)?.get(0);
        progress.start(&format!("building the index over {rows} rows{}", self.remark_on_memory(&transaction, memory).await?), None);
        let mut building = transaction.batch_execute(sql).boxed();
        let built = loop {
            match select(building, tokio::time::sleep(ASKED_EVERY).boxed()).await {
                Either::Left((built, _)) => break built,
                Either::Right(((), still)) => {
                    building = still;
                    if watcher.is_none() {
                        let free = tokio::time::timeout(ASKED_EVERY, self.pool.get()).await;
                        watcher = free.ok().and_then(Result::ok).map(|session| Watcher { session, told: None });
                    }
                    // What cannot be watched is built all the same.
                    if let Some(watcher) = &mut watcher {
                        watcher.tell(process, progress).await;
                    }
                }
            }
        };
        progress.finish();
        built.map_err(failed)?;
        transaction.commit().await.map_err(failed)?;
        Ok(true)
    }

    /// What to say where the server builds with less than `needed` bytes.
    async fn remark_on_memory(&self, transaction: &Transaction<'_>, needed: u64) -> Result<String> {
        if needed == 0 {
            return Ok(String::new());
        }
        let sql = "SELECT pg_size_bytes(current_setting('maintenance_work_mem')), current_setting('maintenance_work_mem')";
        let row = transaction.query_typed_one(sql, &[]).await.map_err(|error| self.failed("build the index of", error))?;
        let (bytes, shown): (i64, String) = (row.get(0), row.get(1));
        if u64::try_from(bytes).unwrap_or_default() >= needed {
            return Ok(String::new());
        }
        Ok(format!(" (slowly: it needs about {}MB, and maintenance_work_mem is {shown})", needed.div_ceil(1 << 20)))
    }

    /// About how much memory a row of the graph takes while it is built.
    fn bytes_of_a_node(&self) -> u64 {
        let dimension = self.spec.dimension as u64;
        let vector = match Over::best(self.spec.metric, self.options.halves, self.spec.dimension) {
            Over::Column if !self.options.halves => 4 * dimension,
            Over::Column | Over::Halves => 2 * dimension,
            Over::Signs => dimension / 8,
        };
        // A header, and on the lowest level twice `m` neighbours: a pointer and a distance each.
        128 + vector + 2 * u64::from(self.options.m) * 16
    }

    fn settings_of_a_build(&self, session: &Session) -> Vec<Setting> {
        let mut settings: Vec<Setting> = Vec::new();
        if let Some(memory) = &self.options.maintenance_work_mem {
            settings.push(("maintenance_work_mem", memory.clone()));
        }
        match self.options.maintenance_workers {
            _ if !session.server().builds_in_parallel() => settings.push(("max_parallel_maintenance_workers", "0".to_owned())),
            Some(workers) => settings.push(("max_parallel_maintenance_workers", workers.to_string())),
            None => {}
        }
        // A build may take longer than any statement should, and ends early where its client is gone.
        settings.push(("statement_timeout", "0".to_owned()));
        if session.server().version >= 140_000 {
            settings.push(("client_connection_check_interval", "5s".to_owned()));
        }
        settings
    }

    /// Runs a statement that may take its time, and may be run twice.
    pub(crate) async fn maintain(&self, sql: &str, what: &str) -> Result<()> {
        self.pool
            .retrying(|connection| async move {
                connection.alone(&self.settings_of_a_build(&connection), sql).await.map_err(|error| self.failed(what, error))
            })
            .await
    }

    /// Drops indexes that a build left unfinished: each would be kept up with every row, for nothing.
    async fn drop_leftovers(&self) -> Result<()> {
        let table = self.table();
        for index in table.indexes.iter().filter(|index| !index.valid) {
            self.maintain(&format!("DROP INDEX IF EXISTS {}", qualified(Some(&table.schema), &index.name)), "clean up").await?;
        }
        Ok(())
    }

    /// Writes what was found out about an index to where it stays with it.
    pub(crate) async fn keep(&self, calibration: Calibration) -> Result<()> {
        let table = self.table();
        let Some(index) = table.index_for(self.spec.metric, self.spec.dimension) else { return Ok(()) };
        let text = serde_json::to_string(&calibration).map_err(|source| Error::unexpected("a note does not serialise").with_source(source))?;
        let sql = format!("COMMENT ON INDEX {} IS {}", qualified(Some(&table.schema), &index.name), literal(&text));
        self.maintain(&sql, "describe the index of").await?;
        self.look_again().await
    }
}

/// Tells how far the server is.
struct Watcher {
    session: Connection,
    /// How many blocks were told of, where it is known how many there are.
    told: Option<u64>,
}

impl Watcher {
    async fn tell(&mut self, process: i32, progress: &dyn Progress) {
        const ASK: &str = "SELECT blocks_done, blocks_total FROM pg_catalog.pg_stat_progress_create_index WHERE pid = $1";
        let Ok(rows) = self.session.query(&[], ASK, &[(&process, Type::INT4)]).await else { return };
        let Some([done, total]) = rows.first().map(|row| [0, 1].map(|column| row.get::<_, i64>(column).unsigned_abs())) else { return };
        if total == 0 {
            return;
        }
        let told = *self.told.get_or_insert_with(|| {
            progress.start("building the index (blocks)", Some(total));
            0
        });
        if done > told {
            progress.advance(done - told);
            self.told = Some(done);
        }
    }
}

/// As pgvector's documentation advises: a thousand rows a list, and fewer lists for more than a million rows.
fn lists(rows: u64) -> u32 {
    let lists = if rows > 1_000_000 { rows.isqrt() } else { rows / 1_000 };
    u32::try_from(lists).unwrap_or(u32::MAX).clamp(1, 32_768)
}

#[cfg(test)]
mod tests {
    #[test]
    fn lists_follow_the_rows() {
        assert_eq!([1, 50_000, 1_000_000, 4_000_000].map(super::lists), [1, 50, 1_000, 2_000]);
    }
}
