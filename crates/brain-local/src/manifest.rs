//! The manifests: what of an index's files counts, published in one transaction.

mod tables;

use brain_core::{Error, ErrorKind, IndexSpec, Result};
use brain_kernels::Coding;
use brain_store::{Database, StoreFailure};
use crc32fast::Hasher;
use roaring::RoaringBitmap;
use rusqlite::{OptionalExtension, Transaction, params};

use crate::changes::Change;
use crate::format::{FileKind, Layout, OWNER_BYTES, VectorType};

/// The checksums of one block.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct BlockChecksums {
    pub(crate) vectors: u32,
    pub(crate) owners: u32,
    /// 0 in a segment without codes.
    pub(crate) codes: u32,
}

/// What is published of one segment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SegmentRecord {
    pub(crate) file: u32,
    pub(crate) rows: u32,
    /// The number of the file of codes; `None` for a segment without. Codes that are written again get a new number, as every file does.
    pub(crate) codes: Option<u32>,
    pub(crate) checksums: Vec<BlockChecksums>,
    pub(crate) names_bytes: u64,
    pub(crate) names_checksum: u32,
}

/// What is published of one run of the order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RunRecord {
    pub(crate) file: u32,
    pub(crate) first_row: u32,
    pub(crate) rows: u32,
    /// Whether the order by sample follows; without it, every item of the run is its own sample.
    pub(crate) by_sample: bool,
    pub(crate) checksum: u32,
}

/// One published state of an index.
#[derive(Clone, Debug)]
pub(crate) struct Manifest {
    pub(crate) id: i64,
    pub(crate) spec: IndexSpec,
    /// Of the specification's text, which is written once.
    spec_checksum: u32,
    pub(crate) folder: String,
    pub(crate) layout: Layout,
    /// Rises by one with each publication.
    pub(crate) generation: i64,
    /// The next number for a file; those below may be published.
    pub(crate) next_file: u32,
    /// In row order.
    pub(crate) segments: Vec<SegmentRecord>,
    /// In row order, without gaps from row 0.
    pub(crate) runs: Vec<RunRecord>,
    pub(crate) dead: RoaringBitmap,
}

impl Manifest {
    /// Makes the tables.
    pub(crate) fn migrate(database: &Database) -> Result<()> {
        database.migrate("local", tables::STEPS)?;
        database.migrate("local checksum", tables::CHECKSUM_STEPS)
    }

    /// Records a new, empty index; the number that names it inside the file.
    ///
    /// # Errors
    /// [`AlreadyExists`](ErrorKind::AlreadyExists) for a taken name.
    pub(crate) fn create(database: &Database, spec: &IndexSpec, folder: &str, layout: Layout) -> Result<i64> {
        let text = serde_json::to_string(spec).map_err(|source| Error::invalid("the index's parameters are no JSON").with_source(source))?;
        database.write("create index", |transaction| {
            if tables::find(transaction, &spec.name)?.is_some() {
                return Err(Error::new(ErrorKind::AlreadyExists, format!("the local index {:?} exists already", spec.name))
                    .with_hint("choose another name, open the index, or drop it first")
                    .into());
            }
            transaction.execute(
                "INSERT INTO local_index (name, folder, spec, block_rows, segment_rows, tail_rows, dead) VALUES (?1, ?2, ?3, ?4, ?5, ?6, x'')",
                params![spec.name, folder, text, layout.block_rows, layout.segment_rows, layout.tail_rows],
            )?;
            let manifest = Self {
                id: transaction.last_insert_rowid(),
                spec: spec.clone(),
                spec_checksum: crc32fast::hash(text.as_bytes()),
                folder: folder.to_owned(),
                layout,
                generation: 0,
                next_file: 0,
                segments: Vec::new(),
                runs: Vec::new(),
                dead: RoaringBitmap::new(),
            };
            manifest.record(transaction, 0)?;
            Ok::<_, StoreFailure>(manifest.id)
        })
    }

    /// The number of the index of this name.
    pub(crate) fn find(database: &Database, name: &str) -> Result<Option<i64>> {
        database.read("open index", |connection| tables::find(connection, name))
    }

    /// How many indexes there are.
    pub(crate) fn count(database: &Database) -> Result<i64> {
        database.read("count indexes", |connection| connection.query_row("SELECT count(*) FROM local_index", [], |row| row.get(0)))
    }

    /// Forgets the index of this name, whose folder is remembered as [`dropped`](Self::dropped_folders); whether there was one. `change` is called with the
    /// folder before, and what it gives is dropped after it.
    pub(crate) fn delete<T>(database: &Database, name: &str, change: impl FnOnce(&str) -> Result<T>) -> Result<bool> {
        let changed = database.write("drop index", |transaction| {
            let folder = transaction.query_row("SELECT folder FROM local_index WHERE name = ?1", [name], |row| row.get::<_, String>(0)).optional()?;
            let Some(folder) = folder else { return Ok(None) };
            let change = change(&folder)?;
            transaction.execute("INSERT INTO local_dropped VALUES (?1)", [&folder])?;
            transaction.execute("DELETE FROM local_index WHERE name = ?1", [name])?;
            Ok::<_, StoreFailure>(Some(change))
        })?;
        Ok(changed.is_some())
    }

    /// The folders of dropped indexes whose files may still be there.
    pub(crate) fn dropped_folders(database: &Database) -> Result<Vec<String>> {
        database.read("drop index", |connection| {
            connection.prepare("SELECT folder FROM local_dropped")?.query_map([], |row| row.get(0))?.collect::<rusqlite::Result<_>>()
        })
    }

    /// Forgets a dropped folder: its files are gone.
    pub(crate) fn forget_dropped(database: &Database, folder: &str) -> Result<()> {
        database.write("drop index", |transaction| transaction.execute("DELETE FROM local_dropped WHERE folder = ?1", [folder]))?;
        Ok(())
    }

    /// The newest generation of an index; `None` when it was dropped.
    pub(crate) fn generation(database: &Database, id: i64) -> Result<Option<i64>> {
        database.read("search", |connection| {
            connection.prepare_cached("SELECT generation FROM local_index WHERE id = ?1")?.query_row([id], |row| row.get(0)).optional()
        })
    }

    /// The newest state of an index; `None` when it was dropped.
    pub(crate) fn load(database: &Database, id: i64) -> Result<Option<Self>> {
        database.read("open index", |connection| {
            // One transaction, so that the three tables are read as of one moment.
            let transaction = connection.unchecked_transaction()?;
            tables::load(&transaction, id)
        })
    }

    /// Publishes this state in the place of `old`, durably; on success this is the newest state.
    ///
    /// # Errors
    /// [`Conflict`](ErrorKind::Conflict) when somebody else published meanwhile, which the writer's lock rules out where file locks work.
    pub(crate) fn publish(&mut self, database: &Database, old: &Self, _: &Change) -> Result<()> {
        self.generation = old.generation + 1;
        database.write("publish", |transaction| {
            if !self.record(transaction, old.generation)? {
                let is_there = tables::find(transaction, &self.spec.name)? == Some(self.id);
                return Err(if is_there { overtaken(&self.spec.name) } else { dropped(&self.spec.name) }.into());
            }
            for gone in old.segments.iter().filter(|old| self.segments.iter().all(|new| new.file != old.file)) {
                transaction.execute("DELETE FROM local_segment WHERE index_id = ?1 AND file = ?2", params![self.id, gone.file])?;
            }
            for segment in self.segments.iter().filter(|new| !old.segments.contains(new)) {
                tables::write_segment(transaction, self.id, segment)?;
            }
            for gone in old.runs.iter().filter(|old| !self.runs.contains(old)) {
                transaction.execute("DELETE FROM local_order WHERE index_id = ?1 AND file = ?2", params![self.id, gone.file])?;
            }
            for run in self.runs.iter().filter(|new| !old.runs.contains(new)) {
                transaction.execute(
                    "INSERT INTO local_order (index_id, file, first_row, rows, by_sample, checksum) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
                    params![self.id, run.file, run.first_row, run.rows, run.by_sample, run.checksum],
                )?;
            }
            Ok::<_, StoreFailure>(())
        })
    }

    /// Writes what the manifest says of the index as a whole in the place of generation `old`, with the checksum of all that it says; whether that
    /// generation was still there.
    pub(crate) fn record(&self, transaction: &Transaction<'_>, old: i64) -> Result<bool, StoreFailure> {
        let dead = tables::bitmap_bytes(&self.dead)?;
        let recorded = transaction.execute(
            "UPDATE local_index SET generation = ?4, next_file = ?5, coded = ?6, dead = ?7, checksum = ?8 WHERE id = ?1 AND folder = ?2 AND generation = ?3",
            params![self.id, self.folder, old, self.generation, self.next_file, self.layout.coded, dead, self.checksum(&dead)],
        )?;
        Ok(recorded == 1)
    }

    /// The checksum of everything that the manifest says, `dead` being its list of dead rows as it is written.
    fn checksum(&self, dead: &[u8]) -> u32 {
        let mut hasher = Hasher::new();
        let mut text = |text: &str| {
            hasher.update(&(text.len() as u64).to_le_bytes());
            hasher.update(text.as_bytes());
        };
        text(&self.spec.name);
        text(&self.folder);
        let Layout { block_rows, segment_rows, tail_rows, coded } = self.layout;
        let mut numbers = |numbers: &[u64]| numbers.iter().for_each(|number| hasher.update(&number.to_le_bytes()));
        numbers(&[self.id.cast_unsigned(), self.spec_checksum.into(), block_rows.into(), segment_rows.into(), tail_rows.into(), coded.into()]);
        numbers(&[self.generation.cast_unsigned(), self.next_file.into(), self.segments.len() as u64, self.runs.len() as u64]);
        for SegmentRecord { file, rows, codes, checksums, names_bytes, names_checksum } in &self.segments {
            // Numbers of files end long before the one that stands for none.
            numbers(&[(*file).into(), (*rows).into(), codes.map_or(u64::MAX, u64::from), *names_bytes, (*names_checksum).into()]);
            // Without codes, what is left of their checksums is not written.
            let codes = |block: &BlockChecksums| if codes.is_some() { block.codes } else { 0 };
            checksums.iter().for_each(|block| numbers(&[block.vectors, block.owners, codes(block)].map(u64::from)));
        }
        for RunRecord { file, first_row, rows, by_sample, checksum } in &self.runs {
            numbers(&[(*file).into(), (*first_row).into(), (*rows).into(), (*by_sample).into(), (*checksum).into()]);
        }
        hasher.update(dead);
        hasher.finalize()
    }

    /// How many bytes of a file are published; `None` for a file that is not.
    pub(crate) fn published_bytes(&self, kind: FileKind, file: u32) -> Option<u64> {
        if kind == FileKind::Order {
            let run = self.runs.iter().find(|run| run.file == file)?;
            return Some(u64::from(run.rows) * size_of::<u32>() as u64 * if run.by_sample { 2 } else { 1 });
        }
        let segment =
            self.segments.iter().find(|segment| if kind == FileKind::Codes { segment.codes == Some(file) } else { segment.file == file })?;
        self.segment_bytes(kind, segment)
    }

    /// How many bytes of a segment's file are published; `None` for a file that it does not have.
    pub(crate) fn segment_bytes(&self, kind: FileKind, segment: &SegmentRecord) -> Option<u64> {
        let rows = u64::from(segment.rows);
        match kind {
            FileKind::Rows => Some(rows * self.row_bytes() as u64),
            FileKind::Codes => segment.codes.and(self.coding()).map(|coding| rows * coding.record_bytes() as u64),
            FileKind::Owners => Some(rows * OWNER_BYTES as u64),
            FileKind::Names => (segment.names_bytes > 0).then_some(segment.names_bytes),
            FileKind::Order => None,
        }
    }

    /// How many bytes a row has.
    pub(crate) fn row_bytes(&self) -> usize {
        self.spec.dimension * VectorType::of(&self.spec).bytes()
    }

    /// How rows are coded, where they are.
    pub(crate) fn coding(&self) -> Option<Coding> {
        Coding::of(self.spec.metric, self.spec.dimension)
    }

    /// How many bytes of all files of a kind are published.
    pub(crate) fn total_bytes(&self, kind: FileKind) -> u64 {
        match kind {
            FileKind::Order => self.runs.iter().filter_map(|run| self.published_bytes(kind, run.file)).sum(),
            _ => self.segments.iter().filter_map(|segment| self.segment_bytes(kind, segment)).sum(),
        }
    }

    /// How many rows there are, dead ones included.
    pub(crate) fn rows(&self) -> u32 {
        self.segments.iter().map(|segment| segment.rows).sum()
    }

    /// How many of the rows are not dead.
    pub(crate) fn live_rows(&self) -> u64 {
        u64::from(self.rows()) - self.dead.len()
    }
}

/// The error of a handle whose index is gone.
pub(crate) fn dropped(name: &str) -> Error {
    Error::not_found(format!("the local index {name:?} was dropped")).with_hint("compute it again under the same or another brain key")
}

fn overtaken(name: &str) -> Error {
    Error::new(ErrorKind::Conflict, format!("another writer changed the local index {name:?} at the same moment"))
        .with_hint("run the same command again; if it happens often, move the home to a file system with working file locks")
        .retryable()
}
