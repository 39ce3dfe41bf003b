//! A home of its own for each test, and the photos that the project ships.

use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use brain::Brain;
use brain::core::config::{Environment, Sources};
use brain::core::{Error, ItemId, NoProgress, View};
use brain::dataset::ImportOptions;
use brain::dataset::formats::Format;
use brain_testkit::services::redis;

use crate::keyspace::Keyspace;
use crate::schema::Schema;

/// What a future gives, on a runtime as servers need one.
pub(crate) fn block_on<T>(future: impl Future<Output = T>) -> T {
    static RUNTIME: OnceLock<tokio::runtime::Runtime> = OnceLock::new();
    RUNTIME.get_or_init(|| tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()).block_on(future)
}

pub(crate) struct Home {
    pub(crate) folder: tempfile::TempDir,
    /// Where PostgreSQL is to be used.
    pub(crate) schema: Option<Schema>,
    /// Where Redis is to be used.
    pub(crate) keyspace: Option<Keyspace>,
}

impl Home {
    pub(crate) fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap(), schema: None, keyspace: None }
    }

    /// A home whose indexes are tables, in a schema that ends with it.
    pub(crate) fn on_pgvector() -> Self {
        Self { schema: Some(Schema::new()), ..Self::new() }
    }

    /// A home whose one index is in Redis, and ends with it.
    pub(crate) fn on_redis() -> Self {
        Self { keyspace: Some(Keyspace::new()), ..Self::new() }
    }

    /// A home that may use both; the default backend is PostgreSQL.
    pub(crate) fn on_both_servers() -> Self {
        Self { keyspace: Some(Keyspace::new()), ..Self::on_pgvector() }
    }

    /// What names the servers of this home, for a session and for the program.
    pub(crate) fn variables(&self) -> Vec<(&'static str, String)> {
        let mut variables = Vec::new();
        if let Some(keyspace) = &self.keyspace {
            variables.push(("FIFTYONE_BRAIN_DEFAULT_SIMILARITY_BACKEND", "redis".to_owned()));
            variables.push(("FIFTYONE_BRAIN_SIMILARITY_REDIS_URL", redis().url()));
            variables.push(("FIFTYONE_BRAIN_SIMILARITY_REDIS_INDEX_NAME", format!("{}index", keyspace.name)));
        }
        if let Some(schema) = &self.schema {
            variables.retain(|(name, _)| !name.contains("DEFAULT"));
            variables.push(("FIFTYONE_BRAIN_DEFAULT_SIMILARITY_BACKEND", "pgvector".to_owned()));
            variables.push(("FIFTYONE_BRAIN_SIMILARITY_PGVECTOR_CONNECTION_STRING", schema.url()));
        }
        variables
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.folder.path().join("home")
    }

    pub(crate) fn brain(&self) -> Brain {
        let sources = Sources { home: Some(self.path()), environment: Environment::from_iter(self.variables()), ..Sources::default() };
        Brain::with(&sources, Arc::new(NoProgress)).unwrap()
    }

    /// A session with a dataset of the 200 photos.
    pub(crate) fn with_photos(&self) -> Brain {
        let brain = self.brain();
        import(&brain, "photos", &photos(), Format::ClassificationDir);
        brain
    }

    /// Writes a file beside the home.
    pub(crate) fn file(&self, name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
        let path = self.folder.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        path
    }

    /// Writes a matrix of `rows`.
    pub(crate) fn npy(&self, name: &str, rows: &[&[f32]]) -> PathBuf {
        let path = self.folder.path().join(name);
        let mut writer = brain::npy::NpyWriter::create(&path, rows[0].len()).unwrap();
        rows.iter().for_each(|row| writer.write_rows(row).unwrap());
        writer.finish().unwrap();
        path
    }
}

pub(crate) fn import(brain: &Brain, name: &str, path: &Path, format: Format) {
    block_on(brain.import_dataset(name, path, Some(format), ImportOptions::default())).unwrap();
}

fn quickstart() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../crates/brain-cli/quickstart")
}

/// 200 photos, 20 of each of ten classes.
pub(crate) fn photos() -> PathBuf {
    quickstart().join("photos")
}

/// 60 boards of photos with 406 boxes.
pub(crate) fn scenes() -> PathBuf {
    quickstart().join("scenes")
}

/// The ids of a view's items, in its order.
pub(crate) fn ids(brain: &Brain, dataset: &str, view: &View) -> Vec<ItemId> {
    let resolved = brain.datasets().get(dataset).unwrap().resolve(view).unwrap();
    resolved.items.into_iter().map(|item| item.id).collect()
}

/// What a result failed with.
pub(crate) fn error<T>(result: Result<T, Error>) -> Error {
    match result {
        Ok(_) => panic!("this must be refused"),
        Err(error) => error,
    }
}
