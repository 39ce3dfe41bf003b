//! Views as rows: a set of ids is looked up once, and remembered for the next search through the same view.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use brain_core::{ItemSet, Result, Scope};

use crate::format::Column;
use crate::snapshot::Snapshot;

/// How many views are remembered: those of one session at work, not those of a day. A row of a view takes 4 bytes.
const REMEMBERED: usize = 8;

/// The rows that a search ranges over.
#[derive(Clone, Debug)]
pub(crate) enum Rows {
    /// All live rows.
    All,
    /// These live rows, ascending.
    Some(Arc<Vec<u32>>),
}

/// What the latest views were resolved to, newest first.
#[derive(Debug, Default)]
pub(crate) struct ScopeCache(Mutex<VecDeque<(Key, Arc<Vec<u32>>)>>);

/// What rows depend on: the set, which of a row's ids is meant, and the state of the index.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Key {
    digest: u64,
    ids: usize,
    column: Column,
    generation: i64,
}

impl ScopeCache {
    /// The rows of `snapshot` that are in `scope`.
    ///
    /// # Errors
    /// [`Corrupt`](brain_core::ErrorKind::Corrupt) when owners do not match their checksums.
    pub(crate) fn resolve(&self, snapshot: &Snapshot, scope: Scope<'_>) -> Result<Rows> {
        match scope {
            Scope::All => Ok(Rows::All),
            Scope::Items(set) => self.look_up(snapshot, Column::Item, set),
            Scope::Samples(set) => self.look_up(snapshot, Column::Sample, set),
        }
    }

    fn look_up(&self, snapshot: &Snapshot, column: Column, set: &ItemSet) -> Result<Rows> {
        let key = Key { digest: set.digest(), ids: set.len(), column, generation: snapshot.manifest().generation };
        let rows = match self.recall(key) {
            Some(rows) => rows,
            None => {
                let mut rows = Vec::new();
                snapshot.order()?.find(snapshot, column, set.as_slice(), |_, row| rows.push(row))?;
                // Rows in file order are read forwards, at half the cost of jumping about.
                rows.sort_unstable();
                self.remember(key, Arc::new(rows))
            }
        };
        Ok(if rows.len() as u64 == snapshot.manifest().live_rows() { Rows::All } else { Rows::Some(rows) })
    }

    fn recall(&self, key: Key) -> Option<Arc<Vec<u32>>> {
        let mut remembered = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let position = remembered.iter().position(|(known, _)| *known == key)?;
        let entry = remembered.remove(position)?;
        let rows = Arc::clone(&entry.1);
        remembered.push_front(entry);
        Some(rows)
    }

    fn remember(&self, key: Key, rows: Arc<Vec<u32>>) -> Arc<Vec<u32>> {
        let mut remembered = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // Rows of an older state are of no use to anybody.
        remembered.retain(|(known, _)| known.generation >= key.generation);
        remembered.push_front((key, Arc::clone(&rows)));
        remembered.truncate(REMEMBERED);
        rows
    }
}
