//! Who computes: the readers, or the model.
//!
//! A model that is computed on all cores has its threads wait for each other after every operator, several hundred times a batch. A reader that decodes on one
//! of the cores meanwhile holds up all of them, which costs more than its own time. So the two take turns: a batch waits for the pictures that are being
//! decoded, and no new one is begun until it is embedded. Files are read at any time, and a model that leaves cores free waits for nobody.

use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use brain_core::Embedder;

/// Turns on the cores, where they are taken.
pub(super) struct Turns(Option<RwLock<()>>);

impl Turns {
    pub(super) fn of(embedder: &dyn Embedder) -> Self {
        Self(embedder.takes_all_cores().then(RwLock::default))
    }

    /// Held while one picture is made ready, beside other readers. Nothing may be waited for meanwhile.
    pub(super) fn reading(&self) -> Option<RwLockReadGuard<'_, ()>> {
        self.0.as_ref().map(|turns| turns.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Held while a batch is embedded.
    pub(super) fn embedding(&self) -> Option<RwLockWriteGuard<'_, ()>> {
        self.0.as_ref().map(|turns| turns.write().unwrap_or_else(PoisonError::into_inner))
    }
}
