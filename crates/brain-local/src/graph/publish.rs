//! A graph from its rows to its record.

use std::fs::{File, OpenOptions, TryLockError};
use std::path::Path;

use brain_core::{Error, Result};

use super::builder::Builder;
use super::calibrate::{calibrate, hold_out};
use super::file::{self, Graph};
use super::record::{EXTENSION, GraphRecord};
use crate::changes::Change;
use crate::disk::sync_folder;
use crate::handle::Handle;
use crate::lock::WriterLock;
use crate::snapshot::Snapshot;

/// The right to build, with the file at `path`; `None` while another process builds.
pub(super) fn take_turn(path: &Path) -> Result<Option<File>> {
    let failed = |source| Error::io("lock", path, source);
    let file = OpenOptions::new().write(true).create(true).truncate(false).open(path).map_err(failed)?;
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(source)) => Err(failed(source)),
    }
}

/// Builds the graph of the live rows of `snapshot` into the file at `path`: how many nodes each layer has, and the effort that serves.
pub(super) fn build(snapshot: &Snapshot, path: &Path) -> Result<(Vec<u32>, Option<u32>)> {
    let rows = snapshot.manifest().rows();
    let live: Vec<u32> = (0..rows).filter(|&row| snapshot.is_live(row)).collect();
    let (held_out, rest) = hold_out(&live);
    let builder = Builder::new(snapshot)?;
    builder.insert(&rest)?;
    let layers = file::write(path, &builder, rows)?;
    let graph = Graph::open(path, &layers).map_err(|source| Error::io("map", path, source))?;
    let Some(effort) = calibrate(&graph, snapshot, &held_out)? else { return Ok((layers, None)) };
    builder.insert(&held_out)?;
    Ok((file::write(path, &builder, rows)?, Some(effort)))
}

/// Gives the file at `path` its name and publishes it, unless the rows were compacted meanwhile.
pub(super) fn publish(handle: &Handle, built_on: &Snapshot, path: &Path, layers: Vec<u32>, effort: Option<u32>) -> Result<()> {
    let _lock = WriterLock::acquire(&handle.folder)?;
    let snapshot = handle.snapshot()?;
    let manifest = snapshot.manifest();
    let Some(first) = built_on.manifest().segments.first() else { return Ok(()) };
    let record = GraphRecord { file: manifest.next_file, first_segment: first.file, rows: built_on.manifest().rows(), layers, effort };
    if !record.fits(manifest) {
        return Ok(());
    }
    if effort.is_some() {
        let name = handle.folder.join(record.name());
        std::fs::rename(path, &name).map_err(|source| Error::io("rename", path, source))?;
        sync_folder(&handle.folder)?;
    }
    record.publish(&handle.database, manifest, &Change::begin(&handle.folder)?)?;
    remove_others(&handle.folder, &record.name());
    Ok(())
}

/// Removes the files of graphs but the one of this name: older ones, and those that were built and never published. Readers keep what they have mapped.
fn remove_others(folder: &Path, name: &str) {
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        let path = entry.path();
        if path.extension().is_some_and(|extension| extension == EXTENSION) && entry.file_name() != name {
            let _ = std::fs::remove_file(path);
        }
    }
}
