//! The registry in the home's `brain.db`.

use async_trait::async_trait;
use brain_core::{Error, ErrorKind, Result, RunFilter, RunRecord, RunStore, check_brain_key};
use brain_store::{Database, StoreFailure};
use rusqlite::{Connection, ErrorCode, OptionalExtension as _, Row, params};

/// The table's versions. Key, dataset, type and method are columns so that they can be looked up; the rest of a record is one JSON document.
const SCHEMA: &[&str] = &["CREATE TABLE runs_run (
    number INTEGER PRIMARY KEY,
    dataset TEXT NOT NULL,
    key TEXT NOT NULL,
    record TEXT NOT NULL,
    UNIQUE (dataset, key)
)"];

/// Runs in SQLite. Cheap to clone.
#[derive(Clone, Debug)]
pub struct SqliteRuns {
    database: Database,
}

impl SqliteRuns {
    /// The registry in this database.
    ///
    /// # Errors
    /// Those of the storage.
    pub fn new(database: Database) -> Result<Self> {
        database.migrate("runs", SCHEMA)?;
        Ok(Self { database })
    }
}

#[async_trait]
impl RunStore for SqliteRuns {
    async fn insert(&self, record: &RunRecord) -> Result<()> {
        check_brain_key(&record.key)?;
        let text = to_text(record)?;
        self.database.write("register run", |transaction| {
            let inserted =
                transaction.execute("INSERT INTO runs_run (dataset, key, record) VALUES (?1, ?2, ?3)", params![record.dataset, record.key, text]);
            inserted.map_err(|source| taken(source, &record.dataset, &record.key))
        })?;
        Ok(())
    }

    async fn get(&self, dataset: &str, key: &str) -> Result<Option<RunRecord>> {
        self.database.read("read run", |connection| find(connection, dataset, key))
    }

    async fn update(&self, record: &RunRecord) -> Result<()> {
        let text = to_text(record)?;
        self.database.write("update run", |transaction| {
            let changed =
                transaction.execute("UPDATE runs_run SET record = ?3 WHERE dataset = ?1 AND key = ?2", params![record.dataset, record.key, text])?;
            if changed == 0 { Err(StoreFailure::from(unknown(&record.dataset, &record.key))) } else { Ok(()) }
        })
    }

    async fn list(&self, dataset: Option<&str>, filter: &RunFilter) -> Result<Vec<RunRecord>> {
        self.database.read("list runs", |connection| {
            let mut statement =
                connection.prepare_cached("SELECT dataset, key, record FROM runs_run WHERE ?1 IS NULL OR dataset = ?1 ORDER BY number")?;
            let mut rows = statement.query([dataset])?;
            let mut records = Vec::new();
            while let Some(row) = rows.next()? {
                let record = from_row(row)?;
                if filter.matches(&record) {
                    records.push(record);
                }
            }
            Ok::<_, StoreFailure>(records)
        })
    }

    async fn rename(&self, dataset: &str, key: &str, new_key: &str) -> Result<()> {
        check_brain_key(new_key)?;
        self.database.write("rename run", |transaction| {
            let Some(mut record) = find(transaction, dataset, key)? else {
                return Err(StoreFailure::from(unknown(dataset, key)));
            };
            new_key.clone_into(&mut record.key);
            let renamed = transaction.execute(
                "UPDATE runs_run SET key = ?3, record = ?4 WHERE dataset = ?1 AND key = ?2",
                params![dataset, key, new_key, to_text(&record)?],
            );
            renamed.map_err(|source| taken(source, dataset, new_key))?;
            Ok(())
        })
    }

    async fn delete(&self, dataset: &str, key: &str) -> Result<bool> {
        let deleted = self
            .database
            .write("delete run", |transaction| transaction.execute("DELETE FROM runs_run WHERE dataset = ?1 AND key = ?2", params![dataset, key]))?;
        Ok(deleted > 0)
    }
}

fn find(connection: &Connection, dataset: &str, key: &str) -> Result<Option<RunRecord>, StoreFailure> {
    let mut statement = connection.prepare_cached("SELECT dataset, key, record FROM runs_run WHERE dataset = ?1 AND key = ?2")?;
    statement.query_row([dataset, key], |row| Ok(from_row(row))).optional()?.transpose()
}

fn to_text(record: &RunRecord) -> Result<String> {
    serde_json::to_string(record).map_err(|source| Error::unexpected("a run record cannot be written as JSON").with_source(source))
}

fn from_row(row: &Row<'_>) -> Result<RunRecord, StoreFailure> {
    let (dataset, key, text): (String, String, String) = (row.get(0)?, row.get(1)?, row.get(2)?);
    serde_json::from_str(&text).map_err(|source| {
        Error::corrupt(format!("the record of run {key:?} of dataset {dataset:?} does not read: {source}"))
            .with_hint(format!("`brain runs delete {dataset} {key}` removes the record"))
            .with_source(source)
            .into()
    })
}

fn unknown(dataset: &str, key: &str) -> Error {
    Error::not_found(format!("dataset {dataset:?} has no run {key:?}")).with_hint(format!("`brain runs list {dataset}` shows its runs"))
}

fn taken(source: rusqlite::Error, dataset: &str, key: &str) -> StoreFailure {
    if source.sqlite_error_code() != Some(ErrorCode::ConstraintViolation) {
        return source.into();
    }
    Error::new(ErrorKind::AlreadyExists, format!("dataset {dataset:?} already has a run {key:?}"))
        .with_hint(format!("choose another brain key, go on with it by --resume, or delete it: `brain runs delete {dataset} {key}`"))
        .into()
}

#[cfg(test)]
mod tests {
    use brain_core::RunState;
    use futures::executor::block_on;
    use serde_json::json;

    use super::*;

    fn runs() -> (tempfile::TempDir, SqliteRuns) {
        let folder = tempfile::tempdir().unwrap();
        let runs = SqliteRuns::new(Database::open(folder.path()).unwrap()).unwrap();
        (folder, runs)
    }

    fn record(dataset: &str, key: &str, metric: &str) -> RunRecord {
        let config = json!({ "metric": metric, "patches_field": null });
        RunRecord {
            dataset: dataset.to_owned(),
            key: key.to_owned(),
            run_type: "similarity".to_owned(),
            method: "local".to_owned(),
            version: "0".to_owned(),
            timestamp: brain_core::timestamp::now(),
            state: RunState::Registered,
            config: config.as_object().cloned().unwrap(),
            view: None,
            counts: Default::default(),
            error: None,
        }
    }

    #[test]
    fn a_key_is_taken_once_and_per_dataset() {
        let (_folder, runs) = runs();
        block_on(runs.insert(&record("a", "k", "cosine"))).unwrap();
        block_on(runs.insert(&record("b", "k", "cosine"))).unwrap();
        let error = block_on(runs.insert(&record("a", "k", "l1"))).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::AlreadyExists);
        let error = block_on(runs.insert(&record("a", "not a key", "l1"))).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
        assert_eq!(block_on(runs.get("a", "k")).unwrap().unwrap().config_text("metric"), Some("cosine"));
    }

    #[test]
    fn states_and_counts_are_kept() {
        let (_folder, runs) = runs();
        let mut run = record("a", "k", "cosine");
        assert_eq!(block_on(runs.update(&run)).unwrap_err().kind(), ErrorKind::NotFound);
        block_on(runs.insert(&run)).unwrap();
        run.state = RunState::Complete;
        run.counts.insert("added".to_owned(), 200);
        block_on(runs.update(&run)).unwrap();
        assert_eq!(block_on(runs.get("a", "k")).unwrap(), Some(run));
    }

    #[test]
    fn lists_filter_by_type_method_and_any_config_value() {
        let (_folder, runs) = runs();
        for (key, metric) in [("one", "cosine"), ("two", "l1"), ("three", "cosine")] {
            block_on(runs.insert(&record("a", key, metric))).unwrap();
        }
        let keys = |filter: RunFilter| -> Vec<String> { block_on(runs.list(Some("a"), &filter)).unwrap().into_iter().map(|run| run.key).collect() };
        assert_eq!(keys(RunFilter::default()), ["one", "two", "three"]);
        assert_eq!(keys(RunFilter { config: vec![("metric".into(), json!("cosine"))], ..RunFilter::default() }), ["one", "three"]);
        assert_eq!(keys(RunFilter { config: vec![("patches_field".into(), json!(null))], ..RunFilter::default() }).len(), 3);
        assert!(keys(RunFilter { method: Some("redis".into()), ..RunFilter::default() }).is_empty());
        assert!(block_on(runs.list(Some("b"), &RunFilter::default())).unwrap().is_empty());
        assert_eq!(block_on(runs.list(None, &RunFilter::default())).unwrap().len(), 3);
    }

    #[test]
    fn renaming_and_deleting() {
        let (_folder, runs) = runs();
        block_on(runs.insert(&record("a", "k", "cosine"))).unwrap();
        block_on(runs.insert(&record("a", "other", "cosine"))).unwrap();
        assert_eq!(block_on(runs.rename("a", "k", "other")).unwrap_err().kind(), ErrorKind::AlreadyExists);
        assert_eq!(block_on(runs.rename("a", "gone", "x")).unwrap_err().kind(), ErrorKind::NotFound);
        block_on(runs.rename("a", "k", "new")).unwrap();
        assert_eq!(block_on(runs.get("a", "new")).unwrap().unwrap().key, "new");
        assert!(block_on(runs.delete("a", "new")).unwrap());
        assert!(!block_on(runs.delete("a", "new")).unwrap());
    }
}
