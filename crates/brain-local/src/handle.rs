//! What the handles on one index share within a process: its newest snapshot, and what views were resolved to.

use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use brain_core::{ErrorKind, IndexSpec, Result};
use brain_store::Database;

use crate::changes::Changes;
use crate::graph::Graphs;
use crate::manifest::{Manifest, dropped};
use crate::scope::ScopeCache;
use crate::snapshot::Snapshot;
use crate::upkeep::Upkeep;

/// How often a reader starts over when compaction takes away a file between its look at the manifest and its mapping.
const ATTEMPTS: usize = 5;

/// One index, as this process knows it.
pub(crate) struct Handle {
    pub(crate) database: Database,
    pub(crate) id: i64,
    pub(crate) spec: IndexSpec,
    pub(crate) folder: PathBuf,
    pub(crate) scopes: ScopeCache,
    pub(crate) graphs: Graphs,
    /// Whether this process has looked for files that killed writers left.
    pub(crate) tidied: AtomicBool,
    pub(crate) upkeep: Upkeep,
    changes: Changes,
    newest: Mutex<Option<Newest>>,
}

/// The newest snapshot that this process knows.
#[derive(Clone)]
struct Newest {
    snapshot: Arc<Snapshot>,
    /// Of which [`Changes`] it is known that they have not made a newer one.
    settled: Option<u64>,
}

impl Handle {
    /// The handle on what `manifest` describes, under `indexes`.
    pub(crate) fn new(database: Database, indexes: &Path, manifest: &Manifest, graphs: Graphs) -> Self {
        let folder = indexes.join(&manifest.folder);
        Self {
            database,
            id: manifest.id,
            spec: manifest.spec.clone(),
            changes: Changes::of(&folder),
            folder,
            scopes: ScopeCache::default(),
            graphs,
            tidied: AtomicBool::new(false),
            upkeep: Upkeep::default(),
            newest: Mutex::new(None),
        }
    }

    /// The newest published state. Costs a read of eight bytes while nothing has changed; what has grown is mapped anew.
    ///
    /// # Errors
    /// As [`look`](Self::look).
    pub(crate) fn snapshot(&self) -> Result<Arc<Snapshot>> {
        match (self.changes.settled(), self.newest()) {
            (Some(count), Some(known)) if known.settled == Some(count) => Ok(known.snapshot),
            _ => self.look(),
        }
    }

    /// The newest published state, by the manifest itself.
    ///
    /// # Errors
    /// [`NotFound`](ErrorKind::NotFound) when the index was dropped; [`Corrupt`](ErrorKind::Corrupt) when a file is missing or too short.
    pub(crate) fn look(&self) -> Result<Arc<Snapshot>> {
        let mut attempt = 0;
        loop {
            // Before the manifest: what is published after it is another change.
            let settled = self.changes.settled();
            let known = self.newest().map(|known| known.snapshot);
            let generation = Manifest::generation(&self.database, self.id)?.ok_or_else(|| dropped(&self.spec.name))?;
            if let Some(known) = &known
                && known.manifest().generation == generation
            {
                self.settle(generation, settled);
                return Ok(Arc::clone(known));
            }
            let manifest = Manifest::load(&self.database, self.id)?.ok_or_else(|| dropped(&self.spec.name))?;
            let loaded = manifest.generation;
            match Snapshot::open(&self.folder, manifest, known.as_ref()) {
                Ok(snapshot) => return Ok(self.install(snapshot)),
                Err(error) => {
                    let overtaken = Manifest::generation(&self.database, self.id)? != Some(loaded);
                    attempt += 1;
                    if error.kind() != ErrorKind::Corrupt || !overtaken || attempt == ATTEMPTS {
                        return Err(error);
                    }
                }
            }
        }
    }

    /// Makes a snapshot the one that is handed out, unless a newer one is there.
    pub(crate) fn install(&self, snapshot: Snapshot) -> Arc<Snapshot> {
        let snapshot = Arc::new(snapshot);
        let mut newest = self.lock();
        if newest.as_ref().is_none_or(|newest| newest.snapshot.manifest().generation < snapshot.manifest().generation) {
            *newest = Some(Newest { snapshot: Arc::clone(&snapshot), settled: None });
        }
        snapshot
    }

    /// Notes that a generation was the newest one after so many changes.
    fn settle(&self, generation: i64, settled: Option<u64>) {
        if let Some(newest) = self.lock().as_mut().filter(|newest| newest.snapshot.manifest().generation == generation) {
            newest.settled = settled;
        }
    }

    fn newest(&self) -> Option<Newest> {
        self.lock().clone()
    }

    fn lock(&self) -> MutexGuard<'_, Option<Newest>> {
        self.newest.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
