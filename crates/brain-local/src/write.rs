//! Changes to an index: each is prepared in files, made durable, and published in one transaction.

use std::collections::HashSet;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use brain_core::{
    AddReport, Error, ErrorKind, ItemId, OnConflict, OnMissing, RemoveReport, Result, Selector, VectorBatch, already_indexed, not_indexed, validate,
};

use crate::append::Appender;
use crate::changes::Change;
use crate::disk::{self, Syncing};
use crate::format::{FileKind, VectorType};
use crate::handle::Handle;
use crate::lock::WriterLock;
use crate::manifest::Manifest;
use crate::select::{rows_of_items, rows_of_samples};
use crate::snapshot::Snapshot;

/// Refuses a batch that the index cannot hold.
///
/// # Errors
/// Those of [`validate::batch`] and [`validate::half_precision`].
pub(crate) fn check(handle: &Handle, batch: &VectorBatch) -> Result<()> {
    let checked = validate::batch(batch, handle.spec.dimension, handle.spec.metric).and_then(|()| match VectorType::of(&handle.spec) {
        VectorType::F16 => validate::half_precision(batch, handle.spec.metric),
        VectorType::F32 => Ok(()),
    });
    checked.map_err(|error| error.with_operation("add to index"))
}

/// Adds batches that were checked and have no item in common: all of them or none.
///
/// # Errors
/// [`Conflict`](ErrorKind::Conflict) under [`OnConflict::Error`]; those of the storage.
pub(crate) fn add(handle: &Handle, batches: &[VectorBatch], on_conflict: OnConflict) -> Result<AddReport> {
    let mut report = AddReport::default();
    let ids: Vec<&ItemId> = batches.iter().flat_map(VectorBatch::items).map(|item| &item.id).collect();
    if ids.is_empty() {
        return Ok(report);
    }
    let writer = Writer::begin(handle)?;
    let present = rows_of_items(&writer.old, &ids)?;
    if on_conflict == OnConflict::Error
        && let Some(first) = present.iter().position(Option::is_some)
    {
        return Err(already_indexed(ids[first], present.iter().flatten().count()));
    }
    let mut manifest = writer.old.manifest().clone();
    let mut appender = Appender::new(&handle.folder, &mut manifest);
    let mut replaced = Vec::new();
    let mut present = present.as_slice();
    let appended = batches.iter().try_for_each(|batch| {
        let rows;
        (rows, present) = present.split_at(batch.len());
        // Rows that stay together are written together.
        let mut kept = 0..0;
        for (at, row) in rows.iter().enumerate() {
            match row {
                Some(_) if on_conflict == OnConflict::Skip => {
                    report.skipped += 1;
                    append(&mut appender, batch, kept.clone())?;
                    kept = at + 1..at + 1;
                    continue;
                }
                Some(row) => replaced.push(*row),
                None => report.added += 1,
            }
            kept.end = at + 1;
        }
        append(&mut appender, batch, kept)
    });
    let syncing = appended.and_then(|()| appender.finish()).inspect_err(|_| {
        // What was written counts for nothing; on a full disk its space is wanted back at once.
        writer.tidy();
    })?;
    report.replaced = replaced.len() as u64;
    if report.added + report.replaced > 0 {
        manifest.dead.extend(replaced);
        writer.publish(manifest, syncing)?;
    }
    Ok(report)
}

/// Removes items, all or none.
///
/// # Errors
/// Those of [`SimilarityIndex::remove`](brain_core::SimilarityIndex::remove).
pub(crate) fn remove(handle: &Handle, selector: Selector<'_>, on_missing: OnMissing) -> Result<RemoveReport> {
    let writer = Writer::begin(handle)?;
    let mut manifest = writer.old.manifest().clone();
    let before = manifest.live_rows();
    let mut missing = Vec::new();
    match selector {
        Selector::All => {
            manifest.dead.insert_range(0..manifest.rows());
        }
        Selector::Items(ids) => {
            let rows = rows_of_items(&writer.old, ids)?;
            missing.extend(ids.iter().zip(&rows).filter(|(_, row)| row.is_none()).map(|(id, _)| id.clone()));
            manifest.dead.extend(rows.into_iter().flatten());
        }
        Selector::Samples(ids) => {
            let rows = rows_of_samples(&writer.old, ids)?;
            missing.extend(ids.iter().zip(&rows).filter(|(_, rows)| rows.is_empty()).map(|(id, _)| id.clone()));
            manifest.dead.extend(rows.into_iter().flatten());
        }
    }
    if on_missing == OnMissing::Error && !missing.is_empty() {
        return Err(not_indexed(&format!("the local index {:?}", handle.spec.name), &missing));
    }
    let removed = before - manifest.live_rows();
    if removed > 0 {
        writer.publish(manifest, Syncing::default())?;
    }
    if on_missing == OnMissing::Ignore {
        missing.clear();
    } else {
        let mut listed = HashSet::new();
        missing.retain(|id| listed.insert(id.clone()));
    }
    Ok(RemoveReport { removed, missing })
}

fn append(appender: &mut Appender<'_>, batch: &VectorBatch, rows: Range<usize>) -> Result<()> {
    let dimension = batch.dimension();
    appender.append(&batch.items()[rows.clone()], &batch.vectors()[rows.start * dimension..rows.end * dimension])
}

/// The one writer of the moment, and the state it starts from.
pub(crate) struct Writer<'a> {
    pub(crate) handle: &'a Handle,
    pub(crate) old: Arc<Snapshot>,
    _lock: WriterLock,
}

impl<'a> Writer<'a> {
    /// Waits for its turn.
    ///
    /// # Errors
    /// [`NotFound`](ErrorKind::NotFound) when the index was dropped; those of the lock and of the storage.
    pub(crate) fn begin(handle: &'a Handle) -> Result<Self> {
        // First of all, so that a dropped index is found out before its folder is missed.
        handle.look()?;
        let lock = WriterLock::acquire(&handle.folder)?;
        let writer = Self { handle, old: handle.look()?, _lock: lock };
        if !handle.tidied.swap(true, Ordering::Relaxed) {
            writer.tidy();
        }
        Ok(writer)
    }

    /// Publishes `manifest`, when `syncing` has made its rows durable; meanwhile their order is brought up to date.
    ///
    /// # Errors
    /// [`Conflict`](ErrorKind::Conflict) when another writer was there in spite of the lock; those of the storage.
    pub(crate) fn publish(self, mut manifest: Manifest, mut syncing: Syncing) -> Result<Self> {
        let publish = |manifest: &mut Manifest| {
            // Mapped before it is published: what cannot be read again must not count.
            let grown = Snapshot::open(&self.handle.folder, manifest.clone(), Some(&self.old))?;
            grown.order()?.extend(&grown, &self.handle.folder, manifest, &mut syncing)?;
            syncing.finish()?;
            manifest.publish(&self.handle.database, self.old.manifest(), &Change::begin(&self.handle.folder)?)?;
            Ok(grown)
        };
        let grown = publish(&mut manifest).inspect_err(|error: &Error| {
            // Overtaken in spite of the lock: the files may be the other writer's.
            if error.kind() != ErrorKind::Conflict {
                self.tidy();
            }
        })?;
        let merged_runs = self.old.manifest().runs.iter().any(|run| !manifest.runs.contains(run));
        let new = Self { old: self.handle.install(grown.published_as(manifest)), ..self };
        if merged_runs {
            new.tidy();
        }
        Ok(new)
    }

    /// Removes the files that the manifest does not name, and cuts the others to what it publishes: what a writer that was killed or failed left, and
    /// what was compacted away. Readers keep what they have mapped: of files that are cut, they map published bytes only. What cannot be removed now
    /// is in nobody's way, and is tried again by the next process that writes.
    pub(crate) fn tidy(&self) {
        let Ok(entries) = std::fs::read_dir(&self.handle.folder) else { return };
        for entry in entries.flatten() {
            let Some((kind, file)) = entry.file_name().to_str().and_then(FileKind::parse) else { continue };
            let path = entry.path();
            let _ = match self.old.manifest().published_bytes(kind, file) {
                None => disk::remove(&path),
                Some(bytes) if entry.metadata().is_ok_and(|found| found.len() > bytes) => disk::cut(&path, bytes),
                Some(_) => Ok(()),
            };
        }
    }
}
