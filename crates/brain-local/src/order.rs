//! The order: from an id to its rows by binary search, without holding the ids in memory.

use std::borrow::Borrow;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use brain_core::{ItemId, Result};
use brain_kernels::MappedFile;

use crate::disk::{AppendFile, Syncing};
use crate::format::{Column, FileKind};
use crate::manifest::{Manifest, RunRecord};
use crate::snapshot::Snapshot;

/// Row numbers of a range, sorted by item id and by sample id.
#[derive(Debug)]
pub(crate) struct Run {
    record: RunRecord,
    numbers: Numbers,
}

#[derive(Debug)]
enum Numbers {
    Mapped(MappedFile),
    /// Sorted by this process: the tail, or a run whose file was no good.
    Sorted(Vec<u32>),
}

/// All rows of a snapshot, as runs and a tail.
#[derive(Debug)]
pub(crate) struct Order {
    runs: Vec<Arc<Run>>,
    tail: Run,
}

impl Order {
    /// The order of `snapshot`. Those of the `known` runs that it has are taken over; files that are missing or wrong are replaced by sorting.
    ///
    /// # Errors
    /// [`Corrupt`](brain_core::ErrorKind::Corrupt) when owners that must be sorted do not match their checksums.
    pub(crate) fn open(snapshot: &Snapshot, known: &[Arc<Run>]) -> Result<Self> {
        let manifest = snapshot.manifest();
        let runs = manifest.runs.iter().map(|record| match known.iter().find(|run| run.record == *record) {
            Some(run) => Ok(Arc::clone(run)),
            None => Run::open(snapshot, record).map(Arc::new),
        });
        let runs = runs.collect::<Result<Vec<_>>>()?;
        let tail = Run::sort(snapshot, covered(manifest)..manifest.rows(), &[])?;
        Ok(Self { runs, tail })
    }

    /// The runs, in row order.
    pub(crate) fn runs(&self) -> &[Arc<Run>] {
        &self.runs
    }

    /// Calls `found` with each live row that has one of `ids` in `column`, and that id's position among them; `ids` ascend. The rows of one id come
    /// by item id within a run, and run after run.
    ///
    /// # Errors
    /// [`Corrupt`](brain_core::ErrorKind::Corrupt) when owners that are looked at do not match their checksums.
    pub(crate) fn find<I: Borrow<ItemId>>(&self, snapshot: &Snapshot, column: Column, ids: &[I], mut found: impl FnMut(usize, u32)) -> Result<()> {
        for run in self.runs.iter().map(Arc::as_ref).chain([&self.tail]) {
            let rows = run.sorted_by(column);
            let mut position = 0;
            for (index, id) in ids.iter().enumerate() {
                position = seek(snapshot, column, rows, position, id.borrow())?;
                // Several ids in `ids` may be equal, so the position stays at the first match.
                for &row in &rows[position..] {
                    if snapshot.id(row, column)? != *id.borrow() {
                        break;
                    }
                    if snapshot.is_live(row) {
                        found(index, row);
                    }
                }
            }
        }
        Ok(())
    }

    /// Brings the runs of `manifest`, which `snapshot` shows, up to date: files that were no good are written again, and a tail that has grown
    /// becomes a run. The new files are written when this returns, and count when `syncing` is finished and the manifest is published. Their folder is not
    /// synced for them: a run that a power loss takes back is sorted again, as any that is missing.
    ///
    /// # Errors
    /// Those of the file system.
    pub(crate) fn extend(&self, snapshot: &Snapshot, folder: &Path, manifest: &mut Manifest, syncing: &mut Syncing) -> Result<()> {
        for (run, record) in self.runs.iter().zip(&mut manifest.runs) {
            if let Numbers::Sorted(_) = run.numbers {
                *record = run.write(folder, &mut manifest.next_file, syncing)?;
            }
        }
        if self.tail.record.rows < manifest.layout.tail_rows {
            return Ok(());
        }
        let mut taken = vec![&self.tail];
        for run in self.runs.iter().rev() {
            let rows: u32 = taken.iter().map(|run| run.record.rows).sum();
            if run.record.rows > rows {
                break;
            }
            taken.push(run);
            manifest.runs.pop();
        }
        taken.reverse();
        let run = Run::sort(snapshot, covered(manifest)..manifest.rows(), &taken)?;
        manifest.runs.push(run.write(folder, &mut manifest.next_file, syncing)?);
        Ok(())
    }
}

impl Run {
    fn open(snapshot: &Snapshot, record: &RunRecord) -> Result<Self> {
        let bytes = snapshot.manifest().published_bytes(FileKind::Order, record.file).unwrap_or_default();
        let path = snapshot.folder().join(FileKind::Order.name(record.file));
        let file = MappedFile::open(&path, bytes).ok().filter(|file| crc32fast::hash(file) == record.checksum);
        match file {
            Some(file) => Ok(Self { record: record.clone(), numbers: Numbers::Mapped(file) }),
            // Nothing is lost: the owners say the same. The record stays, so that the manifest and the order go together.
            None => Ok(Self { record: record.clone(), ..Self::sort(snapshot, record.first_row..record.first_row + record.rows, &[])? }),
        }
    }

    /// Sorts a range of rows. `parts` are runs that cover it, in row order, if there are such: their order is merged instead of found again.
    fn sort(snapshot: &Snapshot, rows: Range<u32>, parts: &[&Self]) -> Result<Self> {
        snapshot.verify_owners(rows.clone())?;
        let by_sample = rows.clone().any(|row| snapshot.verified_id(row, Column::Item) != snapshot.verified_id(row, Column::Sample));
        let mut numbers = Vec::with_capacity(rows.len() * if by_sample { 2 } else { 1 });
        for column in [Column::Item, Column::Sample].into_iter().take(if by_sample { 2 } else { 1 }) {
            let start = numbers.len();
            if parts.is_empty() {
                numbers.extend(rows.clone());
            } else {
                parts.iter().for_each(|part| numbers.extend_from_slice(part.sorted_by(column)));
            }
            // The standard stable sort finds the runs that are sorted already and merges them. Rows of one item stay in row order.
            numbers[start..].sort_by(|&a, &b| {
                let by_column = snapshot.verified_id(a, column).cmp(&snapshot.verified_id(b, column));
                by_column.then_with(|| snapshot.verified_id(a, Column::Item).cmp(&snapshot.verified_id(b, Column::Item)))
            });
        }
        let record = RunRecord { file: 0, first_row: rows.start, rows: rows.end - rows.start, by_sample, checksum: 0 };
        Ok(Self { record, numbers: Numbers::Sorted(numbers) })
    }

    /// The row numbers in the order of `column`; where every item is its own sample, one order is the other.
    fn sorted_by(&self, column: Column) -> &[u32] {
        let numbers = match &self.numbers {
            Numbers::Mapped(file) => file.as_u32s().unwrap_or_default(),
            Numbers::Sorted(numbers) => numbers,
        };
        let (by_item, by_sample) = numbers.split_at(self.record.rows as usize);
        if column == Column::Sample && self.record.by_sample { by_sample } else { by_item }
    }

    fn write(&self, folder: &Path, next_file: &mut u32, syncing: &mut Syncing) -> Result<RunRecord> {
        let file = *next_file;
        *next_file += 1;
        let mut bytes: Vec<u8> = self.sorted_by(Column::Item).iter().flat_map(|row| row.to_le_bytes()).collect();
        if self.record.by_sample {
            bytes.extend(self.sorted_by(Column::Sample).iter().flat_map(|row| row.to_le_bytes()));
        }
        // In place of what a killed writer may have left there.
        let mut written = AppendFile::open(folder.join(FileKind::Order.name(file)), 0)?;
        written.append(&bytes)?;
        syncing.begin(written)?;
        Ok(RunRecord { file, checksum: crc32fast::hash(&bytes), ..self.record.clone() })
    }
}

/// How many rows the runs cover.
fn covered(manifest: &Manifest) -> u32 {
    manifest.runs.last().map_or(0, |run| run.first_row + run.rows)
}

/// The first position from `start` on whose id is not below `id`. Steps double from `start`, so that finding many ascending ids costs little when
/// they lie close, and no more than a binary search when they do not.
fn seek(snapshot: &Snapshot, column: Column, rows: &[u32], start: usize, id: &ItemId) -> Result<usize> {
    let (mut low, mut high, mut step) = (start, start, 1);
    while high < rows.len() && snapshot.id(rows[high], column)? < *id {
        low = high + 1;
        high += step;
        step *= 2;
    }
    high = high.min(rows.len());
    while low < high {
        let middle = low + (high - low) / 2;
        if snapshot.id(rows[middle], column)? < *id {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    Ok(low)
}
