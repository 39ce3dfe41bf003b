//! One segment, mapped, each block verified before it is first used.

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};

use brain_core::{Error, Item, ItemId, Result};
use brain_kernels::{MappedFile, Rows};

use crate::format::{Column, FileKind, OWNER_BYTES, VectorType, decode_id};
use crate::manifest::{Manifest, SegmentRecord};

/// What to do about bytes that are not those that were written.
pub(crate) const REMEDY: &str = "the rest of the home is unharmed; drop this index with `brain index cleanup`, check the disk, and compute it again";

const VECTORS: u8 = 1;
const OWNERS: u8 = 2;
const CODES: u8 = 4;
/// The block's codes are not what was written.
const NO_CODES: u8 = 8;

/// The published rows of one segment. Offsets count its rows from 0.
#[derive(Debug)]
pub(crate) struct Segment {
    folder: PathBuf,
    record: SegmentRecord,
    first_row: u32,
    dimension: usize,
    vector_type: VectorType,
    block_rows: usize,
    vectors: MappedFile,
    /// `None` where there are no codes, or their file is of no use.
    codes: Option<MappedFile>,
    record_bytes: usize,
    owners: MappedFile,
    names: MappedFile,
    /// For each block, which of its checksums were found right, in this process.
    verified: Vec<AtomicU8>,
    names_verified: AtomicBool,
}

impl Segment {
    /// Maps the segment `record`, whose first row is `first_row` of the index. What `smaller`, the same segment with fewer rows, verified already is
    /// not verified again, but for its last block, which may have grown.
    ///
    /// # Errors
    /// [`Corrupt`](brain_core::ErrorKind::Corrupt) when a file is missing or too short.
    pub(crate) fn open(folder: &Path, manifest: &Manifest, record: &SegmentRecord, first_row: u32, smaller: Option<&Self>) -> Result<Self> {
        let dimension = manifest.spec.dimension;
        let map = |kind: FileKind| match manifest.segment_bytes(kind, record) {
            Some(bytes) => map(&folder.join(kind.name(record.file)), bytes),
            // No id is free text.
            None => Ok(MappedFile::default()),
        };
        let (vectors, owners, names) = (map(FileKind::Rows)?, map(FileKind::Owners)?, map(FileKind::Names)?);
        let codes = record.codes.zip(manifest.segment_bytes(FileKind::Codes, record));
        // Nothing is lost with them: the rows say the same.
        let codes = codes.and_then(|(file, bytes)| MappedFile::open(&folder.join(FileKind::Codes.name(file)), bytes).ok());
        let record_bytes = manifest.coding().map_or(0, |coding| coding.record_bytes());
        let known = |block: usize, checksums| {
            let before = smaller.filter(|smaller| smaller.record.codes == record.codes && smaller.record.checksums.get(block) == Some(checksums));
            AtomicU8::new(before.map_or(0, |smaller| smaller.verified[block].load(Ordering::Acquire)))
        };
        let verified = record.checksums.iter().enumerate().map(|(block, checksums)| known(block, checksums)).collect();
        let same_names = smaller.filter(|smaller| smaller.record.names_bytes == record.names_bytes);
        let names_verified = AtomicBool::new(same_names.is_some_and(|smaller| smaller.names_verified.load(Ordering::Acquire)));
        Ok(Self {
            folder: folder.to_owned(),
            record: record.clone(),
            first_row,
            dimension,
            vector_type: VectorType::of(&manifest.spec),
            block_rows: manifest.layout.block_rows as usize,
            vectors,
            codes,
            record_bytes,
            owners,
            names,
            verified,
            names_verified,
        })
    }

    /// What is published of it.
    pub(crate) fn record(&self) -> &SegmentRecord {
        &self.record
    }

    /// The number of its first row in the index.
    pub(crate) fn first_row(&self) -> u32 {
        self.first_row
    }

    /// How many blocks it has.
    pub(crate) fn blocks(&self) -> usize {
        self.verified.len()
    }

    /// The offsets of a block's rows.
    pub(crate) fn block(&self, block: usize) -> Range<usize> {
        let start = block * self.block_rows;
        start..(start + self.block_rows).min(self.record.rows as usize)
    }

    /// The block that a row is in.
    pub(crate) fn block_of(&self, offset: usize) -> usize {
        offset / self.block_rows
    }

    /// The verified vectors of some rows of one block, row after row.
    ///
    /// # Errors
    /// [`Corrupt`](brain_core::ErrorKind::Corrupt), naming the file and the bytes.
    pub(crate) fn vectors(&self, rows: Range<usize>) -> Result<Rows<'_>> {
        self.verify(self.block_of(rows.start), VECTORS)?;
        Ok(self.unverified_vectors(rows))
    }

    /// As [`vectors`](Self::vectors), whether or not their block matches its checksum.
    pub(crate) fn unverified_vectors(&self, rows: Range<usize>) -> Rows<'_> {
        let numbers = rows.start * self.dimension..rows.end * self.dimension;
        match self.vector_type {
            VectorType::F32 => Rows::Single(&self.vectors.as_f32s().unwrap_or_default()[numbers]),
            VectorType::F16 => Rows::Half(&self.vectors.as_f16s().unwrap_or_default()[numbers]),
        }
    }

    /// The verified records of one block's codes; `None` where there are none, or they are not what was written.
    pub(crate) fn records(&self, block: usize) -> Option<&[u8]> {
        let codes = self.codes.as_ref()?;
        let rows = self.block(block);
        let records = &codes[rows.start * self.record_bytes..rows.end * self.record_bytes];
        let verified = &self.verified[block];
        match verified.load(Ordering::Acquire) {
            known if known & CODES != 0 => Some(records),
            known if known & NO_CODES != 0 => None,
            _ if crc32fast::hash(records) == self.record.checksums[block].codes => {
                verified.fetch_or(CODES, Ordering::AcqRel);
                Some(records)
            }
            _ => {
                verified.fetch_or(NO_CODES, Ordering::AcqRel);
                None
            }
        }
    }

    /// Whether the codes that were published are not all there, as far as this process has looked.
    pub(crate) fn lost_codes(&self) -> bool {
        let damaged = self.verified.iter().any(|block| block.load(Ordering::Acquire) & NO_CODES != 0);
        self.record.codes.is_some() && (self.codes.is_none() || damaged)
    }

    /// Verifies the owners of one block, after which [`id`](Self::id) and [`owner`](Self::owner) may be asked about its rows.
    ///
    /// # Errors
    /// As [`vectors`](Self::vectors).
    pub(crate) fn verify_owners(&self, block: usize) -> Result<()> {
        self.verify(block, OWNERS)
    }

    /// One of the ids of a row whose block's owners are verified.
    #[expect(clippy::expect_used, reason = "verification decoded every id of the block")]
    pub(crate) fn id(&self, offset: usize, column: Column) -> ItemId {
        self.decode(offset, column).expect("an id that verification decoded")
    }

    /// The owner of a row whose block's owners are verified.
    pub(crate) fn owner(&self, offset: usize) -> Item {
        Item { id: self.id(offset, Column::Item), sample_id: self.id(offset, Column::Sample) }
    }

    fn decode(&self, offset: usize, column: Column) -> Option<ItemId> {
        decode_id(self.owners.get(offset * OWNER_BYTES..(offset + 1) * OWNER_BYTES)?, column, &self.names)
    }

    fn verify(&self, block: usize, what: u8) -> Result<()> {
        let verified = &self.verified[block];
        if verified.load(Ordering::Acquire) & what != 0 {
            return Ok(());
        }
        let rows = self.block(block);
        let checksums = self.record.checksums[block];
        if what == VECTORS {
            let stride = self.dimension * self.vector_type.bytes();
            self.compare(FileKind::Rows, &self.vectors, rows.start * stride..rows.end * stride, checksums.vectors)?;
        } else {
            self.compare(FileKind::Owners, &self.owners, rows.start * OWNER_BYTES..rows.end * OWNER_BYTES, checksums.owners)?;
            self.verify_names(rows)?;
        }
        verified.fetch_or(what, Ordering::AcqRel);
        Ok(())
    }

    fn compare(&self, kind: FileKind, file: &[u8], bytes: Range<usize>, checksum: u32) -> Result<()> {
        if crc32fast::hash(&file[bytes.clone()]) == checksum {
            return Ok(());
        }
        let path = self.folder.join(kind.name(self.record.file));
        Err(Error::corrupt(format!("{}: bytes {} to {} do not match their checksum", path.display(), bytes.start, bytes.end)).with_hint(REMEDY))
    }

    /// The names have one checksum, so that all of them are read for the first block; ids of free text are the rare case. The records of the
    /// block are decoded here once, so that nothing can go wrong later: also where there are no names, for the manifest may be wrong about that.
    fn verify_names(&self, rows: Range<usize>) -> Result<()> {
        if !self.names_verified.load(Ordering::Acquire) {
            self.compare(FileKind::Names, &self.names, 0..self.names.len(), self.record.names_checksum)?;
            self.names_verified.store(true, Ordering::Release);
        }
        let bad = rows.into_iter().find(|&row| self.decode(row, Column::Item).is_none() || self.decode(row, Column::Sample).is_none());
        bad.map_or(Ok(()), |row| {
            let path = self.folder.join(FileKind::Owners.name(self.record.file));
            Err(Error::corrupt(format!("{}: row {row} names no id", path.display())).with_hint(REMEDY))
        })
    }
}

fn map(path: &Path, length: u64) -> Result<MappedFile> {
    use std::io::ErrorKind::{NotFound, UnexpectedEof};
    MappedFile::open(path, length).map_err(|source| match source.kind() {
        NotFound => Error::corrupt(format!("{} is missing, but {length} bytes of it were published", path.display())).with_hint(REMEDY),
        UnexpectedEof => Error::corrupt(format!("{} is cut short: {source}", path.display())).with_hint(REMEDY),
        _ => Error::io("map", path, source),
    })
}
