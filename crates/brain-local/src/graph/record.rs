//! What `brain.db` says of a graph.

use brain_core::{Error, ErrorKind, Result};
use brain_store::{Database, StoreFailure};
use rusqlite::{OptionalExtension, params};

use crate::changes::Change;
use crate::manifest::Manifest;

/// Tables of their own component: a program that knows no graphs opens the home all the same.
const STEPS: &[&str] = &["
CREATE TABLE local_graph (
    index_id INTEGER PRIMARY KEY REFERENCES local_index ON DELETE CASCADE,
    file INTEGER NOT NULL,
    first_segment INTEGER NOT NULL,
    rows INTEGER NOT NULL,
    layers BLOB NOT NULL,
    effort INTEGER
);
"];

/// Of the files of graphs. No [`FileKind`](crate::format::FileKind): the manifest does not know them, and its writers leave them alone.
pub(super) const EXTENSION: &str = "graph";

/// A published graph.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct GraphRecord {
    /// The number of its file.
    pub(super) file: u32,
    /// The number of the index's first segment when the graph was built: compaction gives the rows other numbers, and the segment another.
    pub(super) first_segment: u32,
    /// It covers the rows below this one.
    pub(super) rows: u32,
    /// How many nodes each layer has, from the ground up.
    pub(super) layers: Vec<u32>,
    /// What a search for ten rows takes; `None` where no effort finds enough of them, and then there is no file.
    pub(super) effort: Option<u32>,
}

pub(super) fn migrate(database: &Database) -> Result<()> {
    database.migrate("local_graph", STEPS)
}

impl GraphRecord {
    /// The record of the graph of index `id`.
    pub(super) fn load(database: &Database, id: i64) -> Result<Option<Self>> {
        database.read("read graph", |connection| {
            connection
                .prepare_cached("SELECT file, first_segment, rows, layers, effort FROM local_graph WHERE index_id = ?1")?
                .query_row([id], |row| {
                    let layers: Vec<u8> = row.get(3)?;
                    let (layers, _) = layers.as_chunks::<4>();
                    let layers = layers.iter().map(|&bytes| u32::from_le_bytes(bytes)).collect();
                    Ok(Self { file: row.get(0)?, first_segment: row.get(1)?, rows: row.get(2)?, layers, effort: row.get(4)? })
                })
                .optional()
        })
    }

    /// Whether the graph's rows are rows of `manifest`, under the same numbers.
    pub(super) fn fits(&self, manifest: &Manifest) -> bool {
        manifest.segments.first().is_some_and(|segment| segment.file == self.first_segment)
            && self.rows <= manifest.rows()
            && self.layers.first().is_none_or(|&ground| ground == self.rows)
    }

    /// The file's name.
    pub(super) fn name(&self) -> String {
        format!("{:06}.{EXTENSION}", self.file)
    }

    /// Publishes the graph of the index that `manifest` describes, durably, and takes the file's number from it. The caller holds the writer's lock.
    ///
    /// # Errors
    /// [`Conflict`](ErrorKind::Conflict) when somebody else published meanwhile.
    pub(super) fn publish(&self, database: &Database, manifest: &Manifest, _: &Change) -> Result<()> {
        let layers: Vec<u8> = self.layers.iter().flat_map(|count| count.to_le_bytes()).collect();
        database.write("publish graph", |transaction| {
            // The generation rises, so that the handles of other processes look at the graph anew.
            let published = transaction.execute(
                "UPDATE local_index SET generation = generation + 1, next_file = ?3 WHERE id = ?1 AND generation = ?2 AND next_file <= ?3",
                params![manifest.id, manifest.generation, self.file + 1],
            )?;
            if published != 1 {
                let message = format!("another writer changed the local index {:?} at the same moment", manifest.spec.name);
                return Err(Error::new(ErrorKind::Conflict, message).with_hint("the next change builds the graph").retryable().into());
            }
            transaction.execute(
                "INSERT OR REPLACE INTO local_graph (index_id, file, first_segment, rows, layers, effort) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
                params![manifest.id, self.file, self.first_segment, self.rows, layers, self.effort],
            )?;
            Ok::<_, StoreFailure>(())
        })
    }
}
