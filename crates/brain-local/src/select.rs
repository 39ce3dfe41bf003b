//! Selected items as rows, in the order asked.

use std::borrow::Borrow;
use std::collections::HashSet;

use brain_core::{Fetched, ItemId, Result, Selector, VectorBatch};

use crate::format::Column;
use crate::scope::Rows;
use crate::snapshot::Snapshot;

/// The row of each of `ids`, in their order; `None` for those that the index does not hold. An id that comes twice has its row twice.
///
/// # Errors
/// [`Corrupt`](brain_core::ErrorKind::Corrupt) when owners do not match their checksums.
pub(crate) fn rows_of_items<I: Borrow<ItemId>>(snapshot: &Snapshot, ids: &[I]) -> Result<Vec<Option<u32>>> {
    let mut rows = vec![None; ids.len()];
    find(snapshot, Column::Item, ids, |position, row| rows[position] = Some(row))?;
    Ok(rows)
}

/// The rows of each sample of `ids`, in their order; those of one sample by item id, ascending.
///
/// # Errors
/// As [`rows_of_items`].
pub(crate) fn rows_of_samples(snapshot: &Snapshot, ids: &[ItemId]) -> Result<Vec<Vec<u32>>> {
    let mut rows = vec![Vec::new(); ids.len()];
    find(snapshot, Column::Sample, ids, |position, row| rows[position].push(row))?;
    for rows in &mut rows {
        // Each run has them in order; a sample whose patches came in several adds lies in several runs.
        rows.sort_by_cached_key(|&row| snapshot.verified_id(row, Column::Item));
    }
    Ok(rows)
}

/// The vectors of some items, in the order asked.
///
/// # Errors
/// [`Corrupt`](brain_core::ErrorKind::Corrupt) when rows or owners do not match their checksums.
pub(crate) fn fetch(snapshot: &Snapshot, selector: Selector<'_>) -> Result<Fetched> {
    let mut missing = Vec::new();
    let rows: Vec<u32> = match selector {
        Selector::All => (0..snapshot.manifest().rows()).filter(|&row| snapshot.is_live(row)).collect(),
        Selector::Items(ids) => {
            let rows = rows_of_items(snapshot, ids)?;
            missing.extend(ids.iter().zip(&rows).filter(|(_, row)| row.is_none()).map(|(id, _)| id.clone()));
            rows.into_iter().flatten().collect()
        }
        Selector::Samples(ids) => {
            let rows = rows_of_samples(snapshot, ids)?;
            missing.extend(ids.iter().zip(&rows).filter(|(_, rows)| rows.is_empty()).map(|(id, _)| id.clone()));
            rows.into_iter().flatten().collect()
        }
    };
    Ok(Fetched { rows: read(snapshot, &rows)?, missing })
}

/// How many samples have a row among `rows`.
///
/// # Errors
/// [`Corrupt`](brain_core::ErrorKind::Corrupt) when owners do not match their checksums.
pub(crate) fn count_samples(snapshot: &Snapshot, rows: &Rows) -> Result<u64> {
    let mut samples = HashSet::new();
    let mut latest = None;
    let mut count = |row| {
        let sample = snapshot.id(row, Column::Sample)?;
        // The patches of a sample are mostly added together: most rows need no look into the set.
        if latest.as_ref() != Some(&sample) {
            samples.insert(sample.clone());
            latest = Some(sample);
        }
        Ok(())
    };
    match rows {
        Rows::All => (0..snapshot.manifest().rows()).filter(|&row| snapshot.is_live(row)).try_for_each(&mut count)?,
        Rows::Some(rows) => rows.iter().copied().try_for_each(&mut count)?,
    }
    Ok(samples.len() as u64)
}

/// The vectors and owners of some rows.
///
/// # Errors
/// As [`fetch`].
pub(crate) fn read(snapshot: &Snapshot, rows: &[u32]) -> Result<VectorBatch> {
    let mut batch = VectorBatch::with_capacity(rows.len(), snapshot.manifest().spec.dimension);
    let mut vector = Vec::with_capacity(snapshot.manifest().spec.dimension);
    for &row in rows {
        snapshot.read_vector(row, &mut vector)?;
        batch.push(snapshot.owner(row)?, &vector)?;
    }
    Ok(batch)
}

/// Calls `found` with the position of each id and each of its rows.
fn find<I: Borrow<ItemId>>(snapshot: &Snapshot, column: Column, ids: &[I], mut found: impl FnMut(usize, u32)) -> Result<()> {
    let mut positions: Vec<usize> = (0..ids.len()).collect();
    positions.sort_by(|&a, &b| ids[a].borrow().cmp(ids[b].borrow()));
    let sorted: Vec<&ItemId> = positions.iter().map(|&position| ids[position].borrow()).collect();
    snapshot.order()?.find(snapshot, column, &sorted, |index, row| found(positions[index], row))
}
