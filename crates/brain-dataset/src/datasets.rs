//! The datasets of a home: made, found, listed, deleted.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use async_trait::async_trait;
use brain_core::{DatasetStore, Error, ErrorKind, ResolvedView, Result, View};
use brain_store::{Database, StoreFailure};
use rusqlite::{Connection, OptionalExtension};

use crate::dataset::Dataset;
use crate::field::FieldType;
use crate::layout::{Layout, STEPS};
use crate::names::did_you_mean;

/// The datasets of a home. Clones share the same connections; so may other processes at the same time.
#[derive(Clone, Debug)]
pub struct Datasets {
    database: Database,
}

/// A line of the list of datasets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DatasetSummary {
    /// The dataset's name.
    pub name: String,
    /// How many samples it has.
    pub samples: u64,
    /// When it was made, to the second.
    pub created_at: SystemTime,
}

impl Datasets {
    /// The datasets in this home, its tables made where they are missing.
    ///
    /// # Errors
    /// Those of the storage; [`Conflict`](ErrorKind::Conflict) when a newer version wrote the file.
    pub fn open(database: &Database) -> Result<Self> {
        database.migrate("dataset", STEPS)?;
        Ok(Self { database: database.clone() })
    }

    /// Makes an empty dataset. Its name is any text without control characters that does not begin or end with a space.
    ///
    /// # Errors
    /// [`AlreadyExists`](ErrorKind::AlreadyExists) for a taken name; [`InvalidInput`](ErrorKind::InvalidInput) for one that is no name.
    pub fn create(&self, name: &str) -> Result<Dataset> {
        if name.is_empty() || name.trim() != name || name.chars().any(char::is_control) {
            return Err(Error::invalid(format!("{name:?} cannot name a dataset"))
                .with_operation("create dataset")
                .with_hint("use a text without line breaks and other control characters, and without spaces at its ends"));
        }
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |elapsed| elapsed.as_secs() as i64);
        let id = self.database.write("create dataset", |transaction| {
            let added =
                transaction.execute("INSERT INTO dataset_dataset (name, created_at) VALUES (?1, ?2) ON CONFLICT (name) DO NOTHING", (name, now))?;
            if added == 0 {
                return Err(StoreFailure::from(
                    Error::new(ErrorKind::AlreadyExists, format!("dataset {name:?} exists already"))
                        .with_hint("choose another name, add to the one there is, or delete it first"),
                ));
            }
            let id = transaction.last_insert_rowid();
            transaction.execute_batch(&Layout { dataset: id }.create_samples())?;
            Ok(id)
        })?;
        Ok(self.handle(id, name))
    }

    /// The dataset of this name.
    ///
    /// # Errors
    /// [`NotFound`](ErrorKind::NotFound), naming those there are.
    pub fn get(&self, name: &str) -> Result<Dataset> {
        let id = self.database.read("open dataset", |connection| {
            id_of(connection, name)?.ok_or_else(|| -> StoreFailure {
                let known = list(connection).unwrap_or_default();
                let known: Vec<&str> = known.iter().map(|summary| summary.name.as_str()).collect();
                let hint = if known.is_empty() { "there is no dataset in this home yet".to_owned() } else { did_you_mean(name, &known, "there are") };
                Error::not_found(format!("dataset {name:?} does not exist")).with_hint(hint).into()
            })
        })?;
        Ok(self.handle(id, name))
    }

    /// Whether there is a dataset of this name.
    ///
    /// # Errors
    /// Those of the storage.
    pub fn exists(&self, name: &str) -> Result<bool> {
        self.database.read("find dataset", |connection| Ok::<_, StoreFailure>(id_of(connection, name)?.is_some()))
    }

    /// All datasets, by name.
    ///
    /// # Errors
    /// Those of the storage.
    pub fn list(&self) -> Result<Vec<DatasetSummary>> {
        self.database.read("list datasets", list)
    }

    /// Deletes a dataset with everything in it.
    ///
    /// # Errors
    /// [`NotFound`](ErrorKind::NotFound), naming those there are.
    pub fn delete(&self, name: &str) -> Result<()> {
        let dataset = self.get(name).map_err(|error| error.with_operation("delete dataset"))?;
        self.database.write("delete dataset", |transaction| {
            let schema = dataset.schema(transaction)?;
            for field in schema.fields() {
                match field.field_type {
                    FieldType::Labels(_) => transaction.execute_batch(&format!("DROP TABLE {}", schema.layout.labels(field.id)))?,
                    FieldType::Vector => transaction.execute_batch(&format!("DROP TABLE {}", schema.layout.vectors(field.id)))?,
                    _ => {}
                }
            }
            transaction.execute_batch(&format!("DROP TABLE {}; DROP TABLE {}", schema.layout.samples(), schema.layout.gaps()))?;
            transaction.execute("DELETE FROM dataset_dataset WHERE id = ?1", [schema.layout.dataset])?;
            Ok::<_, StoreFailure>(())
        })
    }

    fn handle(&self, id: i64, name: &str) -> Dataset {
        Dataset::new(self.database.clone(), id, Arc::from(name))
    }
}

fn id_of(connection: &Connection, name: &str) -> rusqlite::Result<Option<i64>> {
    connection.prepare_cached("SELECT id FROM dataset_dataset WHERE name = ?1")?.query_row([name], |row| row.get(0)).optional()
}

fn list(connection: &Connection) -> rusqlite::Result<Vec<DatasetSummary>> {
    let mut statement = connection.prepare_cached("SELECT name, samples, created_at FROM dataset_dataset ORDER BY name")?;
    let summary = |row: &rusqlite::Row<'_>| {
        let created_at = UNIX_EPOCH + Duration::from_secs(row.get(2)?);
        Ok(DatasetSummary { name: row.get(0)?, samples: row.get(1)?, created_at })
    };
    statement.query_map([], summary)?.collect()
}

/// Resolving works on the calling thread and takes up to a second for a million samples: an asynchronous program gives it a thread of its own.
#[async_trait]
impl DatasetStore for Datasets {
    async fn resolve(&self, dataset: &str, view: &View) -> Result<ResolvedView> {
        self.get(dataset)?.resolve(view)
    }
}
