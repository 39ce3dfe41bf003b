//! The manifests: what of an index's files counts, published in one transaction.

use brain_core::{Error, ErrorKind, IndexSpec, Result};
use brain_kernels::Coding;
use brain_store::{Database, StoreFailure};
use roaring::RoaringBitmap;
use rusqlite::{Connection, OptionalExtension, Transaction, params};

use crate::format::{FileKind, Layout, OWNER_BYTES, VectorType, is_worth_coding};

const STEPS: &[&str] = &[
    "
CREATE TABLE local_index (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    name TEXT NOT NULL UNIQUE,
    folder TEXT NOT NULL UNIQUE,
    spec TEXT NOT NULL,
    block_rows INTEGER NOT NULL,
    segment_rows INTEGER NOT NULL,
    tail_rows INTEGER NOT NULL,
    generation INTEGER NOT NULL DEFAULT 0,
    next_file INTEGER NOT NULL DEFAULT 0,
    dead BLOB NOT NULL
);
CREATE TABLE local_segment (
    index_id INTEGER NOT NULL REFERENCES local_index ON DELETE CASCADE,
    file INTEGER NOT NULL,
    rows INTEGER NOT NULL,
    checksums BLOB NOT NULL,
    names_bytes INTEGER NOT NULL,
    names_checksum INTEGER NOT NULL,
    PRIMARY KEY (index_id, file)
) WITHOUT ROWID;
CREATE TABLE local_order (
    index_id INTEGER NOT NULL REFERENCES local_index ON DELETE CASCADE,
    file INTEGER NOT NULL,
    first_row INTEGER NOT NULL,
    rows INTEGER NOT NULL,
    by_sample INTEGER NOT NULL,
    checksum INTEGER NOT NULL,
    PRIMARY KEY (index_id, file)
) WITHOUT ROWID;
-- Folders of indexes that are gone, until their files are.
CREATE TABLE local_dropped (folder TEXT PRIMARY KEY) WITHOUT ROWID;
",
    "
-- Whether new segments keep codes; NULL in an index of the first version, which decides when it is opened.
ALTER TABLE local_index ADD COLUMN coded INTEGER;
-- The number of the file of codes, and the checksums of its blocks; NULL for a segment without codes.
ALTER TABLE local_segment ADD COLUMN codes INTEGER;
ALTER TABLE local_segment ADD COLUMN code_checksums BLOB;
",
];

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
        database.migrate("local", STEPS)
    }

    /// Records a new, empty index; the number that names it inside the file.
    ///
    /// # Errors
    /// [`AlreadyExists`](ErrorKind::AlreadyExists) for a taken name.
    pub(crate) fn create(database: &Database, spec: &IndexSpec, folder: &str, layout: Layout) -> Result<i64> {
        let text = serde_json::to_string(spec).map_err(|source| Error::invalid("the index's parameters are no JSON").with_source(source))?;
        database.write("create index", |transaction| {
            if find(transaction, &spec.name)?.is_some() {
                return Err(Error::new(ErrorKind::AlreadyExists, format!("the local index {:?} exists already", spec.name))
                    .with_hint("choose another name, open the index, or drop it first")
                    .into());
            }
            transaction.execute(
                "INSERT INTO local_index (name, folder, spec, block_rows, segment_rows, tail_rows, coded, dead) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
                params![
                    spec.name,
                    folder,
                    text,
                    layout.block_rows,
                    layout.segment_rows,
                    layout.tail_rows,
                    layout.coded,
                    bitmap_bytes(&RoaringBitmap::new())?
                ],
            )?;
            Ok::<_, StoreFailure>(transaction.last_insert_rowid())
        })
    }

    /// The number of the index of this name.
    pub(crate) fn find(database: &Database, name: &str) -> Result<Option<i64>> {
        database.read("open index", |connection| find(connection, name))
    }

    /// How many indexes there are.
    pub(crate) fn count(database: &Database) -> Result<i64> {
        database.read("count indexes", |connection| connection.query_row("SELECT count(*) FROM local_index", [], |row| row.get(0)))
    }

    /// Forgets the index of this name, whose folder is remembered as [`dropped`](Self::dropped_folders); whether there was one.
    pub(crate) fn delete(database: &Database, name: &str) -> Result<bool> {
        database.write("drop index", |transaction| {
            transaction.execute("INSERT INTO local_dropped SELECT folder FROM local_index WHERE name = ?1", [name])?;
            Ok::<_, StoreFailure>(transaction.execute("DELETE FROM local_index WHERE name = ?1", [name])? == 1)
        })
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
            load(&transaction, id)
        })
    }

    /// Publishes this state in the place of `old`, durably; on success this is the newest state.
    ///
    /// # Errors
    /// [`Conflict`](ErrorKind::Conflict) when somebody else published meanwhile, which the writer's lock rules out where file locks work.
    pub(crate) fn publish(&mut self, database: &Database, old: &Self) -> Result<()> {
        database.write("publish", |transaction| {
            let published = transaction.execute(
                "UPDATE local_index SET generation = ?3 + 1, next_file = ?4, dead = ?5 WHERE id = ?1 AND folder = ?2 AND generation = ?3",
                params![self.id, self.folder, old.generation, self.next_file, bitmap_bytes(&self.dead)?],
            )?;
            if published != 1 {
                return Err(
                    if find(transaction, &self.spec.name)? == Some(self.id) { overtaken(&self.spec.name) } else { dropped(&self.spec.name) }.into()
                );
            }
            for gone in old.segments.iter().filter(|old| self.segments.iter().all(|new| new.file != old.file)) {
                transaction.execute("DELETE FROM local_segment WHERE index_id = ?1 AND file = ?2", params![self.id, gone.file])?;
            }
            for segment in self.segments.iter().filter(|new| !old.segments.contains(new)) {
                write_segment(transaction, self.id, segment)?;
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
        })?;
        self.generation = old.generation + 1;
        Ok(())
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

fn find(connection: &Connection, name: &str) -> rusqlite::Result<Option<i64>> {
    connection.query_row("SELECT id FROM local_index WHERE name = ?1", [name], |row| row.get(0)).optional()
}

fn load(connection: &Connection, id: i64) -> Result<Option<Manifest>, StoreFailure> {
    let record = connection
        .prepare_cached(
            "SELECT name, folder, spec, block_rows, segment_rows, tail_rows, generation, next_file, dead, coded FROM local_index WHERE id = ?1",
        )?
        .query_row([id], |row| {
            let layout = Layout { block_rows: row.get(3)?, segment_rows: row.get(4)?, tail_rows: row.get(5)?, coded: false };
            let names: (String, String, String) = (row.get(0)?, row.get(1)?, row.get(2)?);
            Ok((names, (layout, row.get::<_, Option<bool>>(9)?), row.get::<_, i64>(6)?, row.get::<_, u32>(7)?, row.get::<_, Vec<u8>>(8)?))
        })
        .optional()?;
    let Some(((name, folder, spec), (layout, coded), generation, next_file, dead)) = record else { return Ok(None) };
    let spec: IndexSpec = serde_json::from_str(&spec).map_err(|source| unreadable(&name, "description").with_source(source))?;
    let layout = Layout { coded: coded.unwrap_or_else(|| is_worth_coding(&spec)), ..layout };
    let dead = RoaringBitmap::deserialize_from(dead.as_slice()).map_err(|source| unreadable(&name, "list of dead rows").with_source(source))?;
    let segments = connection
        .prepare_cached(
            "SELECT file, rows, checksums, names_bytes, names_checksum, codes, code_checksums FROM local_segment WHERE index_id = ?1 ORDER BY file",
        )?
        .query_map([id], |row| {
            let checksums = checksums(&row.get::<_, Vec<u8>>(2)?, row.get::<_, Option<Vec<u8>>>(6)?.as_deref());
            let names_bytes = row.get::<_, i64>(3)?.cast_unsigned();
            Ok(SegmentRecord { file: row.get(0)?, rows: row.get(1)?, codes: row.get(5)?, checksums, names_bytes, names_checksum: row.get(4)? })
        })?
        .collect::<rusqlite::Result<Vec<_>>>()?;
    let runs = connection
        .prepare_cached("SELECT file, first_row, rows, by_sample, checksum FROM local_order WHERE index_id = ?1 ORDER BY first_row")?
        .query_map([id], |row| {
            Ok(RunRecord { file: row.get(0)?, first_row: row.get(1)?, rows: row.get(2)?, by_sample: row.get(3)?, checksum: row.get(4)? })
        })?
        .collect::<rusqlite::Result<Vec<_>>>()?;
    let manifest = Manifest { id, spec, folder, layout, generation, next_file, segments, runs, dead };
    if is_consistent(&manifest) { Ok(Some(manifest)) } else { Err(unreadable(&name, "list of files").into()) }
}

/// Whether the numbers fit together, so that the readers may rely on it.
fn is_consistent(manifest: &Manifest) -> bool {
    let Layout { block_rows, segment_rows, .. } = manifest.layout;
    if block_rows == 0 || segment_rows == 0 || segment_rows % block_rows != 0 || manifest.spec.dimension == 0 {
        return false;
    }
    let Some((last, full)) = manifest.segments.split_last() else {
        return manifest.runs.is_empty() && manifest.dead.is_empty() && counts_on(manifest);
    };
    let sized = full.iter().all(|segment| segment.rows == segment_rows) && (1..=segment_rows).contains(&last.rows);
    let checked = manifest.segments.iter().all(|segment| segment.checksums.len() == segment.rows.div_ceil(block_rows) as usize);
    let total: u64 = manifest.segments.iter().map(|segment| u64::from(segment.rows)).sum();
    let mut covered = 0_u64;
    let gapless = manifest.runs.iter().all(|run| {
        let follows = u64::from(run.first_row) == covered;
        covered += u64::from(run.rows);
        follows
    });
    let dead = manifest.dead.max().is_none_or(|row| u64::from(row) < total);
    sized && checked && gapless && covered <= total && total <= u64::from(u32::MAX) && dead && counts_on(manifest)
}

/// Whether the numbers that rise were given out by us: they rise further with every change.
fn counts_on(manifest: &Manifest) -> bool {
    let mut files = manifest.segments.iter().map(|segment| segment.file).chain(manifest.runs.iter().map(|run| run.file));
    (0..i64::MAX).contains(&manifest.generation) && manifest.next_file < u32::MAX / 2 && files.all(|file| file < manifest.next_file)
}

fn write_segment(transaction: &Transaction<'_>, index_id: i64, segment: &SegmentRecord) -> rusqlite::Result<usize> {
    let bytes = |numbers: &mut dyn Iterator<Item = u32>| numbers.flat_map(u32::to_le_bytes).collect::<Vec<u8>>();
    let checksums = bytes(&mut segment.checksums.iter().flat_map(|block| [block.vectors, block.owners]));
    let code_checksums = segment.codes.map(|_| bytes(&mut segment.checksums.iter().map(|block| block.codes)));
    transaction.execute(
        "INSERT OR REPLACE INTO local_segment (index_id, file, rows, checksums, names_bytes, names_checksum, codes, code_checksums) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
        params![
            index_id,
            segment.file,
            segment.rows,
            checksums,
            segment.names_bytes.cast_signed(),
            segment.names_checksum,
            segment.codes,
            code_checksums
        ],
    )
}

/// The checksums of a segment's blocks. A list for the codes that does not fit makes the codes' checksums wrong, and so the codes of no use.
fn checksums(bytes: &[u8], of_codes: Option<&[u8]>) -> Vec<BlockChecksums> {
    let (pairs, _) = bytes.as_chunks::<8>();
    let (of_codes, _) = of_codes.unwrap_or_default().as_chunks::<4>();
    let codes = of_codes.iter().copied().map(u32::from_le_bytes).chain(std::iter::repeat(0));
    pairs
        .iter()
        .zip(codes)
        .map(|(&[a, b, c, d, e, f, g, h], codes)| BlockChecksums {
            vectors: u32::from_le_bytes([a, b, c, d]),
            owners: u32::from_le_bytes([e, f, g, h]),
            codes,
        })
        .collect()
}

fn bitmap_bytes(bitmap: &RoaringBitmap) -> Result<Vec<u8>> {
    let mut bytes = Vec::with_capacity(bitmap.serialized_size());
    bitmap.serialize_into(&mut bytes).map_err(|source| Error::unexpected("the list of dead rows cannot be written").with_source(source))?;
    Ok(bytes)
}

fn unreadable(name: &str, what: &str) -> Error {
    Error::corrupt(format!("the {what} of the local index {name:?} in brain.db cannot be read")).with_hint(crate::segment::REMEDY)
}
