//! What the handles on one index share within a process: its newest snapshot, and what views were resolved to.

use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, PoisonError};

use brain_core::{ErrorKind, IndexSpec, Result};
use brain_store::Database;

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
    newest: Mutex<Option<Arc<Snapshot>>>,
}

impl Handle {
    /// The handle on what `manifest` describes, under `indexes`.
    pub(crate) fn new(database: Database, indexes: &Path, manifest: &Manifest, graphs: Graphs) -> Self {
        Self {
            database,
            id: manifest.id,
            spec: manifest.spec.clone(),
            folder: indexes.join(&manifest.folder),
            scopes: ScopeCache::default(),
            graphs,
            tidied: AtomicBool::new(false),
            upkeep: Upkeep::default(),
            newest: Mutex::new(None),
        }
    }

    /// The newest published state. Costs one look at the manifest's generation while nothing has changed; what has grown is mapped anew.
    ///
    /// # Errors
    /// [`NotFound`](ErrorKind::NotFound) when the index was dropped; [`Corrupt`](ErrorKind::Corrupt) when a file is missing or too short.
    pub(crate) fn snapshot(&self) -> Result<Arc<Snapshot>> {
        let mut attempt = 0;
        loop {
            let generation = Manifest::generation(&self.database, self.id)?.ok_or_else(|| dropped(&self.spec.name))?;
            let known = self.newest();
            if let Some(known) = &known
                && known.manifest().generation == generation
            {
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
        let mut newest = self.newest.lock().unwrap_or_else(PoisonError::into_inner);
        if newest.as_ref().is_none_or(|newest| newest.manifest().generation < snapshot.manifest().generation) {
            *newest = Some(Arc::clone(&snapshot));
        }
        snapshot
    }

    fn newest(&self) -> Option<Arc<Snapshot>> {
        self.newest.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
