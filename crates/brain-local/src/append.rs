//! Appending rows to segments, behind what is published.

use std::path::Path;

use brain_core::{Error, Item, Result};
use brain_kernels::{Coding, f16};
use crc32fast::Hasher;
use rayon::prelude::*;

use crate::disk::{AppendFile, sync_folder};
use crate::format::{FileKind, VectorType, encode_owner};
use crate::manifest::{BlockChecksums, Manifest, SegmentRecord};

/// Each core codes so many rows at a time: enough to be worth waking it up, few enough that a block is shared between several.
const CODED_AT_ONCE: usize = 64;

/// Appends rows behind those of a manifest, and keeps the manifest's records of them. Nothing of it counts until [`finish`](Self::finish) has made it
/// durable and the manifest is published.
pub(crate) struct Appender<'a> {
    folder: &'a Path,
    manifest: &'a mut Manifest,
    open: Option<SegmentFiles>,
    /// Whether a file was made, whose entry in the folder must be made durable too.
    made_files: bool,
}

/// The files of the segment that grows, and the block that has not been written yet.
struct SegmentFiles {
    rows: AppendFile,
    /// Where the segment keeps codes.
    codes: Option<(Coding, AppendFile)>,
    owners: AppendFile,
    /// Opened with the first free text id.
    names: Option<AppendFile>,
    record: SegmentRecord,
    vector_type: VectorType,
    pending: Pending,
}

#[derive(Default)]
struct Pending {
    count: u32,
    /// As they will be read: those of half precision are rounded already.
    numbers: Vec<f32>,
    owners: Vec<u8>,
    names: Vec<u8>,
}

impl<'a> Appender<'a> {
    pub(crate) fn new(folder: &'a Path, manifest: &'a mut Manifest) -> Self {
        Self { folder, manifest, open: None, made_files: false }
    }

    /// Appends one row.
    ///
    /// # Errors
    /// Those of the file system; [`Unsupported`](brain_core::ErrorKind::Unsupported) past the 2³² − 1 rows that numbers of 32 bits can name.
    pub(crate) fn push(&mut self, item: &Item, vector: &[f32]) -> Result<()> {
        let layout = self.manifest.layout;
        let mut files = match self.open.take() {
            Some(files) if files.rows() < layout.segment_rows => files,
            full => {
                if let Some(full) = full {
                    self.close(full)?;
                }
                self.next_segment()?
            }
        };
        files.push(item, vector);
        if files.rows().is_multiple_of(layout.block_rows) {
            self.made_files |= files.flush(self.folder, layout.block_rows)?;
        }
        self.open = Some(files);
        Ok(())
    }

    /// Writes what is left and makes everything durable.
    ///
    /// # Errors
    /// Those of the file system.
    pub(crate) fn finish(mut self) -> Result<()> {
        if let Some(files) = self.open.take() {
            self.close(files)?;
        }
        if self.made_files { sync_folder(self.folder) } else { Ok(()) }
    }

    fn close(&mut self, mut files: SegmentFiles) -> Result<()> {
        self.made_files |= files.flush(self.folder, self.manifest.layout.block_rows)?;
        files.rows.sync()?;
        files.codes.as_mut().map_or(Ok(()), |(_, codes)| codes.sync())?;
        files.owners.sync()?;
        files.names.as_mut().map_or(Ok(()), AppendFile::sync)?;
        self.manifest.segments.push(files.record);
        Ok(())
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
            self.made_files = true;
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
        Ok(SegmentFiles { rows, codes, owners, names: None, record, vector_type: VectorType::of(&self.manifest.spec), pending: Pending::default() })
    }
}

impl SegmentFiles {
    fn rows(&self) -> u32 {
        self.record.rows + self.pending.count
    }

    fn push(&mut self, item: &Item, vector: &[f32]) {
        let pending = &mut self.pending;
        pending.count += 1;
        match self.vector_type {
            VectorType::F32 => pending.numbers.extend_from_slice(vector),
            VectorType::F16 => pending.numbers.extend(vector.iter().map(|&x| f16::from_f32(x).to_f32())),
        }
        let owner = encode_owner(item, &mut pending.names, self.record.names_bytes);
        pending.owners.extend_from_slice(&owner);
    }

    /// Writes the pending rows, which all belong to the last block; whether a file of names was made.
    fn flush(&mut self, folder: &Path, block_rows: u32) -> Result<bool> {
        let Self { rows, codes, owners, names, record, vector_type, pending } = self;
        if pending.count == 0 {
            return Ok(false);
        }
        if record.rows.is_multiple_of(block_rows) {
            record.checksums.push(BlockChecksums::default());
        }
        let in_block = u64::from(record.rows % block_rows);
        let vectors: Vec<u8> = match vector_type {
            VectorType::F32 => pending.numbers.iter().flat_map(|x| x.to_le_bytes()).collect(),
            VectorType::F16 => pending.numbers.iter().flat_map(|&x| f16::from_f32(x).to_le_bytes()).collect(),
        };
        let records = codes.as_ref().map(|(coding, _)| encoded(*coding, &pending.numbers, pending.count as usize)).unwrap_or_default();
        if let Some(block) = record.checksums.last_mut() {
            let extend = |checksum, bytes: &[u8]| extended(checksum, in_block * (bytes.len() as u64 / u64::from(pending.count)), bytes);
            block.vectors = extend(block.vectors, &vectors);
            block.owners = extend(block.owners, &pending.owners);
            block.codes = extend(block.codes, &records);
        }
        rows.append(&vectors)?;
        if let Some((_, codes)) = codes {
            codes.append(&records)?;
        }
        owners.append(&pending.owners)?;
        let mut made_names = false;
        if !pending.names.is_empty() {
            let names = match names {
                Some(names) => names,
                None => {
                    made_names = record.names_bytes == 0;
                    names.insert(AppendFile::open(folder.join(FileKind::Names.name(record.file)), record.names_bytes)?)
                }
            };
            names.append(&pending.names)?;
            record.names_checksum = extended(record.names_checksum, record.names_bytes, &pending.names);
            record.names_bytes += pending.names.len() as u64;
        }
        record.rows += pending.count;
        pending.count = 0;
        pending.numbers.clear();
        pending.owners.clear();
        pending.names.clear();
        Ok(made_names)
    }
}

/// The records of `count` rows.
pub(crate) fn encoded(coding: Coding, numbers: &[f32], count: usize) -> Vec<u8> {
    let dimension = numbers.len() / count.max(1);
    let parts = numbers.par_chunks(dimension.max(1) * CODED_AT_ONCE).map(|rows| {
        let mut records = Vec::with_capacity(rows.len() / dimension * coding.record_bytes());
        rows.chunks_exact(dimension).for_each(|row| coding.encode(row, &mut records));
        records
    });
    parts.collect::<Vec<_>>().concat()
}

/// The checksum of `length` bytes that is known, extended over the bytes that follow them.
fn extended(checksum: u32, length: u64, bytes: &[u8]) -> u32 {
    let mut hasher = Hasher::new_with_initial_len(checksum, length);
    hasher.update(bytes);
    hasher.finalize()
}
