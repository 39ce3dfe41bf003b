//! Appending rows to segments, behind what is published.

use std::path::Path;

use brain_core::{Error, Item, Result};
use brain_kernels::{Coding, Rows, f16};
use crc32fast::Hasher;
use rayon::prelude::*;

use crate::disk::{AppendFile, Syncing};
use crate::format::{FileKind, OWNER_BYTES, VectorType, encode_owner};
use crate::manifest::{BlockChecksums, Manifest, SegmentRecord};

/// Each core codes so many rows at a time: enough to be worth waking it up, few enough that a block is shared between several.
const CODED_AT_ONCE: usize = 64;

/// Appends rows behind those of a manifest, and keeps the manifest's records of them. Nothing of it counts until [`finish`](Self::finish) has made it
/// durable and the manifest is published.
pub(crate) struct Appender<'a> {
    folder: &'a Path,
    manifest: &'a mut Manifest,
    open: Option<SegmentFiles>,
    syncing: Syncing,
}

/// Whether the first free text id made a file.
#[derive(Clone, Copy, PartialEq, Eq)]
enum MadeNames {
    Yes,
    No,
}

/// The files of the segment that grows.
struct SegmentFiles {
    rows: AppendFile,
    /// Where the segment keeps codes.
    codes: Option<(Coding, AppendFile)>,
    owners: AppendFile,
    /// Opened with the first free text id.
    names: Option<AppendFile>,
    record: SegmentRecord,
    vector_type: VectorType,
}

impl<'a> Appender<'a> {
    pub(crate) fn new(folder: &'a Path, manifest: &'a mut Manifest) -> Self {
        Self { folder, manifest, open: None, syncing: Syncing::default() }
    }

    /// Appends rows: their vectors, one after the other, and whose they are.
    ///
    /// # Errors
    /// Those of the file system; [`Unsupported`](brain_core::ErrorKind::Unsupported) past the 2³² − 1 rows that numbers of 32 bits can name.
    pub(crate) fn append(&mut self, mut items: &[Item], mut vectors: &[f32]) -> Result<()> {
        let (layout, dimension) = (self.manifest.layout, self.manifest.spec.dimension);
        while !items.is_empty() {
            let mut files = match self.open.take() {
                Some(files) if files.record.rows < layout.segment_rows => files,
                full => {
                    if let Some(full) = full {
                        self.close(full)?;
                    }
                    self.next_segment()?
                }
            };
            let room = (layout.segment_rows - files.record.rows) as usize;
            let (fit, rest) = items.split_at(room.min(items.len()));
            let (numbers, others) = vectors.split_at(fit.len() * dimension);
            if files.append(fit, numbers, self.folder, layout.block_rows as usize)? == MadeNames::Yes {
                self.syncing.made_files(self.folder);
            }
            self.open = Some(files);
            (items, vectors) = (rest, others);
        }
        Ok(())
    }

    /// Begins to make everything durable.
    ///
    /// # Errors
    /// Those of the file system.
    pub(crate) fn finish(mut self) -> Result<Syncing> {
        if let Some(files) = self.open.take() {
            self.close(files)?;
        }
        Ok(self.syncing)
    }

    fn close(&mut self, files: SegmentFiles) -> Result<()> {
        let SegmentFiles { rows, codes, owners, names, record, .. } = files;
        self.manifest.segments.push(record);
        let codes = codes.map(|(_, file)| file);
        [Some(rows), codes, Some(owners), names].into_iter().flatten().try_for_each(|file| self.syncing.begin(file))
    }

    /// The last segment while it has room, else a new one. Its record leaves the manifest until it is closed.
    fn next_segment(&mut self) -> Result<SegmentFiles> {
        let total: u64 = self.manifest.segments.iter().map(|segment| u64::from(segment.rows)).sum();
        if total + u64::from(self.manifest.layout.segment_rows) > u64::from(u32::MAX) {
            return Err(Error::unsupported(format!("the local index {:?} cannot hold more than 4 billion rows", self.manifest.spec.name))
                .with_hint("use the backend pgvector for more"));
        }
        let room = self.manifest.segments.pop_if(|segment| segment.rows < self.manifest.layout.segment_rows);
        let record = room.unwrap_or_else(|| {
            let file = self.manifest.next_file;
            self.manifest.next_file += 1;
            self.syncing.made_files(self.folder);
            let codes = self.manifest.coding().filter(|_| self.manifest.layout.coded).map(|_| file);
            SegmentRecord { file, rows: 0, codes, checksums: Vec::new(), names_bytes: 0, names_checksum: 0 }
        });
        let published = |kind| self.manifest.segment_bytes(kind, &record).unwrap_or_default();
        let file = |kind: FileKind| AppendFile::open(self.folder.join(kind.name(record.file)), published(kind));
        let (rows, owners) = (file(FileKind::Rows)?, file(FileKind::Owners)?);
        // Codes that are missing or cut short are given up: they are written again when the writer tidies up.
        let codes = record.codes.zip(self.manifest.coding()).and_then(|(number, coding)| {
            let codes = AppendFile::open(self.folder.join(FileKind::Codes.name(number)), published(FileKind::Codes));
            codes.ok().map(|codes| (coding, codes))
        });
        let record = SegmentRecord { codes: record.codes.filter(|_| codes.is_some()), ..record };
        Ok(SegmentFiles { rows, codes, owners, names: None, record, vector_type: VectorType::of(&self.manifest.spec) })
    }
}

impl SegmentFiles {
    /// Appends rows for which the segment has room; whether a file of names was made.
    fn append(&mut self, items: &[Item], vectors: &[f32], folder: &Path, block_rows: usize) -> Result<MadeNames> {
        let Self { rows, codes, owners, names, record, vector_type } = self;
        let halves: Vec<f16> = match vector_type {
            VectorType::F32 => Vec::new(),
            VectorType::F16 => vectors.iter().map(|&x| f16::from_f32(x)).collect(),
        };
        // As they will be read: those of half precision are rounded already.
        let rounded: Vec<f32> = halves.iter().map(|x| x.to_f32()).collect();
        let (bytes, numbers) = match vector_type {
            VectorType::F32 => (Rows::Single(vectors).as_bytes(), vectors),
            VectorType::F16 => (Rows::Half(&halves).as_bytes(), &rounded[..]),
        };
        let mut owner_bytes = Vec::with_capacity(items.len() * OWNER_BYTES);
        let mut new_names = Vec::new();
        for item in items {
            owner_bytes.extend_from_slice(&encode_owner(item, &mut new_names, record.names_bytes));
        }
        let made_names = if record.names_bytes == 0 && !new_names.is_empty() { MadeNames::Yes } else { MadeNames::No };
        if !new_names.is_empty() {
            let names = match names {
                Some(names) => names,
                None => names.insert(AppendFile::open(folder.join(FileKind::Names.name(record.file)), record.names_bytes)?),
            };
            names.append(&new_names)?;
            record.names_checksum = extended(record.names_checksum, record.names_bytes, &new_names);
            record.names_bytes += new_names.len() as u64;
        }
        // One core copies the rows to their file, which takes longest; the other does all the rest, a block at a time while it is at hand.
        let beside = || {
            owners.append(&owner_bytes)?;
            let (mut done, dimension) = (0, numbers.len() / items.len());
            while done < items.len() {
                let in_block = record.rows as usize % block_rows;
                let next = items.len().min(done + block_rows - in_block);
                let before = if in_block > 0 { record.checksums.pop() } else { None }.unwrap_or_default();
                let extend = |checksum, all: &[u8]| {
                    let stride = all.len() / items.len();
                    extended(checksum, (in_block * stride) as u64, &all[done * stride..next * stride])
                };
                let mut block = BlockChecksums { vectors: extend(before.vectors, bytes), owners: extend(before.owners, &owner_bytes), codes: 0 };
                if let Some((coding, file)) = codes {
                    let records = encoded(*coding, &numbers[done * dimension..next * dimension], next - done);
                    block.codes = extended(before.codes, (in_block * coding.record_bytes()) as u64, &records);
                    file.append(&records)?;
                }
                record.checksums.push(block);
                record.rows += (next - done) as u32;
                done = next;
            }
            Ok(())
        };
        let (written, beside) = rayon::join(|| rows.append(bytes), beside);
        written.and(beside).map(|()| made_names)
    }
}

/// The records of rows.
pub(crate) fn encoded(coding: Coding, numbers: &[f32], rows: usize) -> Vec<u8> {
    let (dimension, bytes) = (numbers.len() / rows.max(1), coding.record_bytes());
    let mut records = vec![0; rows * bytes];
    let parts = numbers.par_chunks(dimension.max(1) * CODED_AT_ONCE).zip(records.par_chunks_mut(bytes * CODED_AT_ONCE));
    parts.for_each(|(numbers, records)| coding.encode(numbers, records));
    records
}

/// The checksum of `length` bytes that is known, extended over the bytes that follow them.
fn extended(checksum: u32, length: u64, bytes: &[u8]) -> u32 {
    let mut hasher = Hasher::new_with_initial_len(checksum, length);
    hasher.update(bytes);
    hasher.finalize()
}
