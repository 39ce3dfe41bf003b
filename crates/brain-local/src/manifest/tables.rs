//! The rows of the manifests' tables.

use brain_core::{Error, IndexSpec, Result};
use brain_store::StoreFailure;
use roaring::RoaringBitmap;
use rusqlite::{Connection, OptionalExtension, Transaction, params};

use super::{BlockChecksums, Manifest, RunRecord, SegmentRecord};
use crate::format::{Layout, is_worth_coding};

pub(super) const STEPS: &[&str] = &[
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
    "
-- From here on a change is told in a file beside the rows, too: programs that tell of none must not change what others read.
",
];

/// Counted apart from the others: to programs that knew no checksum the tables were what they had been.
pub(super) const CHECKSUM_STEPS: &[&str] = &["
-- Of everything that the three tables say of the index; NULL in one that was changed last by a program that knows none.
ALTER TABLE local_index ADD COLUMN checksum INTEGER;
-- Such a program leaves the checksum of what was there before.
CREATE TRIGGER local_index_unchecked AFTER UPDATE OF generation ON local_index WHEN NEW.checksum IS OLD.checksum
BEGIN
    UPDATE local_index SET checksum = NULL WHERE id = NEW.id;
END;
"];

pub(super) fn find(connection: &Connection, name: &str) -> rusqlite::Result<Option<i64>> {
    connection.query_row("SELECT id FROM local_index WHERE name = ?1", [name], |row| row.get(0)).optional()
}

pub(super) fn load(connection: &Connection, id: i64) -> Result<Option<Manifest>, StoreFailure> {
    let record = connection
        .prepare_cached(
            "SELECT name, folder, spec, block_rows, segment_rows, tail_rows, generation, next_file, dead, coded, checksum FROM local_index WHERE id = ?1",
        )?
        .query_row([id], |row| {
            let layout = Layout { block_rows: row.get(3)?, segment_rows: row.get(4)?, tail_rows: row.get(5)?, coded: false };
            let texts: [String; 3] = [row.get(0)?, row.get(1)?, row.get(2)?];
            let later: (Option<bool>, Option<u32>) = (row.get(9)?, row.get(10)?);
            Ok((texts, layout, row.get::<_, i64>(6)?, row.get::<_, u32>(7)?, row.get::<_, Vec<u8>>(8)?, later))
        })
        .optional()?;
    let Some(([name, folder, text], layout, generation, next_file, dead_bytes, (coded, checksum))) = record else { return Ok(None) };
    let spec: IndexSpec = serde_json::from_str(&text).map_err(|source| unreadable(&name, "description").with_source(source))?;
    let layout = Layout { coded: coded.unwrap_or_else(|| is_worth_coding(&spec)), ..layout };
    let dead = RoaringBitmap::deserialize_from(dead_bytes.as_slice()).map_err(|source| unreadable(&name, "list of dead rows").with_source(source))?;
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
    let spec_checksum = crc32fast::hash(text.as_bytes());
    let manifest = Manifest { id, spec, spec_checksum, folder, layout, generation, next_file, segments, runs, dead };
    if checksum.is_some_and(|checksum| checksum != manifest.checksum(&dead_bytes)) || name != manifest.spec.name {
        return Err(mismatched(&name).into());
    }
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

pub(super) fn write_segment(transaction: &Transaction<'_>, index_id: i64, segment: &SegmentRecord) -> rusqlite::Result<usize> {
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

pub(super) fn bitmap_bytes(bitmap: &RoaringBitmap) -> Result<Vec<u8>> {
    let mut bytes = Vec::with_capacity(bitmap.serialized_size());
    bitmap.serialize_into(&mut bytes).map_err(|source| Error::unexpected("the list of dead rows cannot be written").with_source(source))?;
    Ok(bytes)
}

fn unreadable(name: &str, what: &str) -> Error {
    Error::corrupt(format!("the {what} of the local index {name:?} in brain.db cannot be read")).with_hint(crate::segment::REMEDY)
}

fn mismatched(name: &str) -> Error {
    Error::corrupt(format!("what brain.db says of the local index {name:?} does not match its checksum")).with_hint(crate::segment::REMEDY)
}
