//! The backend: makes, opens and drops local indexes of one home.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use async_trait::async_trait;
use brain_core::{
    Capabilities, Error, ErrorKind, ExistingIndex, Health, IndexSpec, ItemId, Metric, Parameters, Result, SimilarityBackend, SimilarityIndex,
};
use brain_store::Database;
use serde_json::Value;

use crate::changes::Change;
use crate::declaration::DECLARATION;
use crate::disk::make_folder;
use crate::format::Layout;
use crate::graph::{self, Graphs};
use crate::handle::Handle;
use crate::index::LocalIndex;
use crate::manifest::Manifest;

const NAME: &str = DECLARATION.name;

/// The folder inside a home that holds the indexes' folders.
const INDEXES: &str = "indexes";

/// The local backend over one home.
///
/// Its methods do their work on the calling thread, searches on all cores of rayon's pool: an asynchronous program with other things to do calls them
/// where blocking is allowed.
pub struct LocalBackend {
    database: Database,
    indexes: PathBuf,
    capabilities: Capabilities,
    /// From so many rows on, indexes that are searched by graph have one.
    graphs_from: u32,
    /// The indexes that this process has open, by number: handles on one index share what they have mapped and verified.
    handles: Mutex<HashMap<i64, Weak<Handle>>>,
}

impl LocalBackend {
    /// The backend over the home of `database`, whose tables it brings up to date.
    ///
    /// # Errors
    /// Those of [`Database::migrate`].
    pub fn new(database: Database) -> Result<Self> {
        Manifest::migrate(&database)?;
        graph::migrate(&database)?;
        let mut capabilities = Capabilities::exact(Metric::ALL);
        capabilities.farthest = true;
        capabilities.attach = true;
        let indexes = database.home().join(INDEXES);
        Ok(Self { database, indexes, capabilities, graphs_from: graph::GRAPH_FROM, handles: Mutex::default() })
    }

    /// Gives graphs to indexes of `algorithm = hnsw` from `rows` rows on, and takes this for the number of rows that are compared one by one in the time of
    /// a search by graph. The default was measured over vectors of 512 numbers; shorter ones are compared faster.
    #[cfg(feature = "hnsw")]
    #[must_use]
    pub fn with_graphs_from(self, rows: u32) -> Self {
        Self { graphs_from: rows, ..self }
    }

    pub(crate) fn make(&self, spec: &IndexSpec, layout: Layout) -> Result<LocalIndex> {
        self.remove_dropped()?;
        let folder = ItemId::generate().to_string();
        let id = Manifest::create(&self.database, spec, &folder, layout)?;
        self.handle(id, &spec.name)
    }

    /// The handle on index `id`, with its folder.
    fn handle(&self, id: i64, name: &str) -> Result<LocalIndex> {
        let mut handles = self.handles.lock().unwrap_or_else(PoisonError::into_inner);
        handles.retain(|_, handle| handle.strong_count() > 0);
        let handle = match handles.get(&id).and_then(Weak::upgrade) {
            Some(handle) => handle,
            None => {
                let manifest = Manifest::load(&self.database, id)?.ok_or_else(|| not_found(name))?;
                let handle = Arc::new(Handle::new(self.database.clone(), &self.indexes, &manifest, Graphs::new(self.graphs_from)));
                handles.insert(id, Arc::downgrade(&handle));
                handle
            }
        };
        // An index without rows may lack its folder: a kill after the manifest's first entry. One with rows has it, or is found corrupt.
        if !handle.folder.is_dir() {
            make_folder(&handle.folder)?;
        }
        let mut capabilities = self.capabilities.clone();
        capabilities.approximate = graph::BUILT_IN && graph::is_asked_for(&handle.spec);
        Ok(LocalIndex::new(handle, capabilities))
    }

    pub(crate) fn find(&self, name: &str) -> Result<LocalIndex> {
        let id = Manifest::find(&self.database, name)?.ok_or_else(|| not_found(name))?;
        let index = self.handle(id, name)?;
        // Missing and short files are found now, and not in the middle of a search.
        index.check()?;
        Ok(index)
    }

    /// Removes the files of dropped indexes, also of those that a killed process had dropped.
    fn remove_dropped(&self) -> Result<()> {
        for folder in Manifest::dropped_folders(&self.database)? {
            let path = self.indexes.join(&folder);
            match std::fs::remove_dir_all(&path) {
                Err(source) if source.kind() != std::io::ErrorKind::NotFound => return Err(Error::io("remove", &path, source)),
                _ => Manifest::forget_dropped(&self.database, &folder)?,
            }
        }
        Ok(())
    }
}

impl std::fmt::Debug for LocalBackend {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LocalBackend").field("indexes", &self.indexes).finish()
    }
}

#[async_trait]
impl SimilarityBackend for LocalBackend {
    fn name(&self) -> &str {
        NAME
    }

    fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    async fn check(&self, spec: &IndexSpec) -> Result<()> {
        self.capabilities.check(NAME, spec.metric, spec.dimension)?;
        check_parameters(&spec.parameters)?;
        check_algorithm(spec)
    }

    async fn create(&self, spec: &IndexSpec) -> Result<Box<dyn SimilarityIndex>> {
        self.check(spec).await?;
        if spec.name.is_empty() {
            return Err(Error::invalid("an index needs a name").with_operation("create index"));
        }
        Ok(Box::new(self.make(spec, Layout::of(spec))?))
    }

    async fn open(&self, spec: &IndexSpec) -> Result<Box<dyn SimilarityIndex>> {
        check_parameters(&spec.parameters)?;
        let index = self.find(&spec.name)?;
        ExistingIndex::from(spec).check(index.spec(), &named(&spec.name))?;
        Ok(Box::new(index))
    }

    async fn attach(&self, existing: &ExistingIndex) -> Result<Box<dyn SimilarityIndex>> {
        check_parameters(&existing.parameters)?;
        let index = self.find(&existing.name)?;
        existing.check(index.spec(), &named(&existing.name))?;
        Ok(Box::new(index))
    }

    async fn drop_index(&self, index: &ExistingIndex) -> Result<bool> {
        let there_was = Manifest::delete(&self.database, &index.name, |folder| match Change::begin(&self.indexes.join(folder)) {
            // Without its folder it has no readers.
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            begun => begun.map(Some),
        })?;
        self.remove_dropped()?;
        Ok(there_was)
    }

    async fn health(&self) -> Result<Health> {
        let count = Manifest::count(&self.database)?;
        let indexes = if count == 1 { "index" } else { "indexes" };
        Ok(Health { detail: format!("in process, exact; {count} {indexes} in {}", self.indexes.display()) })
    }
}

fn named(name: &str) -> String {
    format!("the local index {name:?}")
}

fn not_found(name: &str) -> Error {
    Error::not_found(format!("there is no local index {name:?}")).with_hint("compute it first, or check the name and the home")
}

/// Refuses to make an index to be searched by graph where graphs are not built in, or cannot serve its metric. One that was made elsewhere is opened all the
/// same, and answers exactly.
fn check_algorithm(spec: &IndexSpec) -> Result<()> {
    if !graph::is_asked_for(spec) {
        return Ok(());
    }
    if !graph::BUILT_IN {
        return Err(Error::unsupported("this program is built without algorithm \"hnsw\"")
            .with_hint("leave algorithm out for exact search, or build with `--features hnsw`"));
    }
    if !graph::serves(spec.metric) {
        return Err(Error::unsupported(format!("algorithm \"hnsw\" does not offer the metric {}", spec.metric))
            .with_hint("it offers cosine, dotproduct and euclidean; leave algorithm out for exact search by any metric"));
    }
    Ok(())
}

/// Refuses parameters that this backend does not know, or cannot serve yet.
fn check_parameters(parameters: &Parameters) -> Result<()> {
    for (name, value) in parameters {
        let (known, served) = match name.as_str() {
            "vector_type" => (["f32", "f16"].as_slice(), ["f32", "f16"].as_slice()),
            "algorithm" => (["exact", "hnsw"].as_slice(), ["exact", "hnsw"].as_slice()),
            _ => {
                return Err(Error::config(format!("the backend local has no parameter {name:?}"))
                    .with_hint("its parameters are vector_type (f32, f16) and algorithm (exact, hnsw)"));
            }
        };
        match value {
            Value::String(text) if served.contains(&text.as_str()) => {}
            Value::String(text) if known.contains(&text.as_str()) => {
                return Err(Error::unsupported(format!("the backend local is not built with {name} {text:?}"))
                    .with_hint(format!("leave {name} out, or set it to {}", served.join(" or "))));
            }
            _ => {
                return Err(Error::config(format!("the parameter {name} of the backend local cannot be {value}"))
                    .with_hint(format!("leave {name} out, or set it to {}", served.join(" or "))));
            }
        }
    }
    Ok(())
}
