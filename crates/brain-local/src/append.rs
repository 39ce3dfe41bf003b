//! Appending rows to segments, behind what is published.

use std::fs::{File, OpenOptions};
use std::io::{Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use brain_core::{Error, Item, Result};
use crc32fast::Hasher;

use crate::format::{FileKind, OWNER_BYTES, encode_owner};
use crate::manifest::{BlockChecksums, Manifest, SegmentRecord};
use crate::segment::REMEDY;

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
    owners: AppendFile,
    /// Opened with the first free text id.
    names: Option<AppendFile>,
    record: SegmentRecord,
    pending: Pending,
}

#[derive(Default)]
struct Pending {
    count: u32,
    vectors: Vec<u8>,
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
            SegmentRecord { file, rows: 0, checksums: Vec::new(), names_bytes: 0, names_checksum: 0 }
        });
        let rows = u64::from(record.rows);
        let stride = (self.manifest.spec.dimension * size_of::<f32>()) as u64;
        let file = |kind: FileKind, length| AppendFile::open(self.folder.join(kind.name(record.file)), length);
        Ok(SegmentFiles {
            rows: file(FileKind::Rows, rows * stride)?,
            owners: file(FileKind::Owners, rows * OWNER_BYTES as u64)?,
            names: None,
            record,
            pending: Pending::default(),
        })
    }
}

impl SegmentFiles {
    fn rows(&self) -> u32 {
        self.record.rows + self.pending.count
    }

    fn push(&mut self, item: &Item, vector: &[f32]) {
        let pending = &mut self.pending;
        pending.count += 1;
        pending.vectors.extend(vector.iter().flat_map(|x| x.to_le_bytes()));
        let owner = encode_owner(item, &mut pending.names, self.record.names_bytes);
        pending.owners.extend_from_slice(&owner);
    }

    /// Writes the pending rows, which all belong to the last block; whether a file of names was made.
    fn flush(&mut self, folder: &Path, block_rows: u32) -> Result<bool> {
        let Self { rows, owners, names, record, pending } = self;
        if pending.count == 0 {
            return Ok(false);
        }
        if record.rows.is_multiple_of(block_rows) {
            record.checksums.push(BlockChecksums::default());
        }
        let in_block = u64::from(record.rows % block_rows);
        let row_bytes = pending.vectors.len() as u64 / u64::from(pending.count);
        if let Some(block) = record.checksums.last_mut() {
            block.vectors = extended(block.vectors, in_block * row_bytes, &pending.vectors);
            block.owners = extended(block.owners, in_block * OWNER_BYTES as u64, &pending.owners);
        }
        rows.append(&pending.vectors)?;
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
        pending.vectors.clear();
        pending.owners.clear();
        pending.names.clear();
        Ok(made_names)
    }
}

/// A file that is written at its published end.
struct AppendFile {
    path: PathBuf,
    file: File,
}

impl AppendFile {
    /// Opens the file at `path`, of which `published` bytes count; what a killed writer left behind them is cut off.
    fn open(path: PathBuf, published: u64) -> Result<Self> {
        let opened = OpenOptions::new().write(true).create(published == 0).truncate(false).open(&path).and_then(|mut file| {
            let length = file.metadata()?.len();
            if length > published {
                file.set_len(published)?;
            }
            file.seek(SeekFrom::Start(published))?;
            Ok((file, length))
        });
        match opened {
            Ok((_, length)) if length < published => {
                let message = format!("{} is cut short: {length} bytes where {published} were published", path.display());
                Err(Error::corrupt(message).with_hint(REMEDY))
            }
            Ok((file, _)) => Ok(Self { path, file }),
            Err(source) => Err(Error::io("append to", &path, source)),
        }
    }

    fn append(&mut self, bytes: &[u8]) -> Result<()> {
        self.file.write_all(bytes).map_err(|source| Error::io("append to", &self.path, source))
    }

    fn sync(&mut self) -> Result<()> {
        self.file.sync_data().map_err(|source| Error::io("write", &self.path, source))
    }
}

/// The checksum of `length` bytes that is known, extended over the bytes that follow them.
fn extended(checksum: u32, length: u64, bytes: &[u8]) -> u32 {
    let mut hasher = Hasher::new_with_initial_len(checksum, length);
    hasher.update(bytes);
    hasher.finalize()
}

/// Makes the entries of a folder durable: files that were made in it are still there after a power loss.
pub(crate) fn sync_folder(folder: &Path) -> Result<()> {
    // Only Unix lets a folder be opened and synced; elsewhere the file system sees to it.
    if cfg!(unix) {
        File::open(folder).and_then(|folder| folder.sync_all()).map_err(|source| Error::io("write", folder, source))?;
    }
    Ok(())
}
