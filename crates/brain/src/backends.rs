//! The backends of this build: the one place where they are registered.
//!
//! A new backend adds a feature, a line to [`declared`] and a line to `make`.

use std::collections::BTreeMap;
use std::sync::Arc;

use brain_core::config::{BackendDeclaration, Config, ResolvedParameters};
use brain_core::{Result, SimilarityBackend};
use brain_store::Database;

/// The backends that are built in and exposed, by name.
pub struct Backends {
    by_name: BTreeMap<&'static str, Arc<dyn SimilarityBackend>>,
}

/// What the built-in backends say of themselves, the default one first.
pub fn declared() -> Vec<BackendDeclaration> {
    vec![
        #[cfg(feature = "local")]
        brain_local::DECLARATION,
        #[cfg(feature = "pgvector")]
        brain_pgvector::DECLARATION,
        #[cfg(feature = "redis")]
        brain_redis::DECLARATION,
    ]
}

/// The built-in backends that `config` exposes.
pub(crate) fn built_in(config: &Config, database: &Database) -> Result<Backends> {
    let mut by_name: BTreeMap<&'static str, Arc<dyn SimilarityBackend>> = BTreeMap::new();
    for &name in config.exposed() {
        by_name.insert(name, make(name, &config.parameters(name, &[])?, database)?);
    }
    Ok(Backends { by_name })
}

/// A backend with parameters of its own, for one call: where they say which server it is.
pub(crate) fn make(name: &str, parameters: &ResolvedParameters, database: &Database) -> Result<Arc<dyn SimilarityBackend>> {
    // Which of them is used depends on what is built in.
    let _ = (parameters, database);
    match name {
        #[cfg(feature = "local")]
        "local" => Ok(Arc::new(brain_local::LocalBackend::new(database.clone())?)),
        #[cfg(feature = "pgvector")]
        "pgvector" => Ok(Arc::new(brain_pgvector::PgvectorBackend::new(parameters))),
        #[cfg(feature = "redis")]
        "redis" => Ok(Arc::new(brain_redis::RedisBackend::new(parameters))),
        other => Err(brain_core::Error::unexpected(format!("the backend {other} is declared but not registered"))),
    }
}

impl Backends {
    /// The backend of an exposed name.
    ///
    /// # Errors
    /// [`Unsupported`](brain_core::ErrorKind::Unsupported) for one that is not in this build, listing those that are.
    pub fn get(&self, name: &str) -> Result<Arc<dyn SimilarityBackend>> {
        self.by_name.get(name).cloned().ok_or_else(|| {
            let names: Vec<_> = self.by_name.keys().copied().collect();
            brain_core::Error::unsupported(format!("the backend {name} is not in this build"))
                .with_hint(format!("this build has {}; `brain backends` says more", names.join(", ")))
        })
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<dyn SimilarityBackend>> {
        self.by_name.values()
    }
}
