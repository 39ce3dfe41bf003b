//! One session over configuration, datasets, runs, backends and models.

use std::sync::Arc;

use brain_core::config::{Config, Sources};
use brain_core::{Error, ErrorKind, NoProgress, Progress, Result, RunFilter, RunRecord, RunStore, SimilarityBackend};
use brain_dataset::Datasets;
use brain_runs::SqliteRuns;
use brain_store::Database;

use crate::backends::{self, Backends};
use crate::models::Models;
use crate::{AddToIndex, ComputeEmbeddings, ComputeSimilarity, Similarity};

/// A session: everything the verbs need, opened once. Cheap to clone.
///
/// What is not used is not opened: a session that only lists runs reads one small file.
#[derive(Clone)]
pub struct Brain {
    shared: Arc<Shared>,
    models: Arc<Models>,
}

struct Shared {
    config: Config,
    database: Database,
    datasets: Datasets,
    runs: Arc<dyn RunStore>,
    backends: Backends,
    progress: Arc<dyn Progress>,
}

impl Brain {
    /// A session with the process's own configuration: environment, file, defaults.
    ///
    /// # Errors
    /// Those of the configuration and of the home.
    pub fn open() -> Result<Self> {
        Self::with(&Sources::of_process(), Arc::new(NoProgress))
    }

    /// A session configured by `sources`, whose long work tells `progress`.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn with(sources: &Sources, progress: Arc<dyn Progress>) -> Result<Self> {
        Self::from_config(Config::load(sources, &backends::declared())?, progress)
    }

    /// A session with a configuration that was loaded before.
    ///
    /// # Errors
    /// Those of the home.
    pub fn from_config(config: Config, progress: Arc<dyn Progress>) -> Result<Self> {
        let database = Database::open(config.home())?;
        let datasets = Datasets::open(&database)?;
        let runs = Arc::new(SqliteRuns::new(database.clone())?);
        let backends = backends::built_in(&config, &database)?;
        let models = Arc::new(Models::of(config.home()));
        Ok(Self { shared: Arc::new(Shared { config, database, datasets, runs, backends, progress }), models })
    }

    /// The same session with models that are run as `options` say, whatever the environment says; what it has loaded is loaded again when it is needed.
    #[cfg(feature = "models")]
    #[must_use]
    pub fn with_runtime(self, options: brain_models::RuntimeOptions) -> Self {
        let models = Arc::new(Models::of(self.config().home()).run_by(options));
        Self { models, ..self }
    }

    /// The configuration in force.
    pub fn config(&self) -> &Config {
        &self.shared.config
    }

    /// The datasets of this home.
    pub fn datasets(&self) -> &Datasets {
        &self.shared.datasets
    }

    /// The backends that are built in and exposed.
    pub fn backends(&self) -> &Backends {
        &self.shared.backends
    }

    /// The backend of an exposed name as these parameters, over the configured ones, have it: its server may be another.
    ///
    /// # Errors
    /// As [`Backends::get`]; [`Config`](brain_core::ErrorKind::Config) for a parameter that the backend has not.
    pub(crate) fn backend(&self, name: &str, parameters: &[(String, String)]) -> Result<Arc<dyn SimilarityBackend>> {
        let configured = self.backends().get(name)?;
        if parameters.is_empty() || !configured.capabilities().server {
            return Ok(configured);
        }
        backends::make(name, &self.config().parameters(name, parameters)?, &self.shared.database)
    }

    /// The models there are by name: of this build, of the home, and those that can be fetched.
    #[cfg(feature = "models")]
    pub fn zoo(&self) -> &brain_models::Zoo {
        self.models.zoo()
    }

    pub(crate) fn models(&self) -> &Models {
        &self.models
    }

    /// Where long work tells how far it is.
    pub fn progress(&self) -> &Arc<dyn Progress> {
        &self.shared.progress
    }

    pub(crate) fn runs(&self) -> &dyn RunStore {
        &*self.shared.runs
    }

    /// Embeds and indexes a dataset under a brain key: the builder of the whole work.
    pub fn compute_similarity(&self, dataset: impl Into<String>, brain_key: impl Into<String>) -> ComputeSimilarity {
        ComputeSimilarity::new(self.clone(), dataset.into(), brain_key.into())
    }

    /// Embeds a dataset into one of its fields: the builder of the work.
    pub fn compute_embeddings(&self, dataset: impl Into<String>, field: impl Into<String>) -> ComputeEmbeddings {
        ComputeEmbeddings::new(self.clone(), dataset.into(), field.into())
    }

    /// Opens the index of a run, to search and change it.
    ///
    /// # Errors
    /// [`NotFound`](brain_core::ErrorKind::NotFound) for an unknown dataset or run, or when the index is gone.
    pub async fn load_brain_results(&self, dataset: &str, brain_key: &str) -> Result<Similarity> {
        self.load_brain_results_with(dataset, brain_key, &[]).await
    }

    /// As [`load_brain_results`](Self::load_brain_results), with parameters over the configured ones: credentials, which no record holds.
    ///
    /// # Errors
    /// As there; [`Config`](brain_core::ErrorKind::Config) for a parameter that the backend has not.
    pub async fn load_brain_results_with(&self, dataset: &str, brain_key: &str, parameters: &[(String, String)]) -> Result<Similarity> {
        Similarity::load(self.clone(), self.get_brain_info(dataset, brain_key).await?, parameters).await
    }

    /// Adds items to the index of a run: the builder of the work.
    ///
    /// # Errors
    /// As [`load_brain_results`](Self::load_brain_results).
    pub async fn add_to_index(&self, dataset: &str, brain_key: &str) -> Result<AddToIndex> {
        Ok(AddToIndex::new(self.load_brain_results(dataset, brain_key).await?))
    }

    /// The runs of a dataset that `filter` means, in the order they were registered.
    ///
    /// # Errors
    /// [`NotFound`](brain_core::ErrorKind::NotFound) for an unknown dataset.
    pub async fn list_brain_runs(&self, dataset: &str, filter: &RunFilter) -> Result<Vec<RunRecord>> {
        self.datasets().get(dataset)?;
        self.runs().list(Some(dataset), filter).await
    }

    /// Whether a dataset has a run.
    ///
    /// # Errors
    /// Those of the storage.
    pub async fn has_brain_run(&self, dataset: &str, brain_key: &str) -> Result<bool> {
        Ok(self.runs().get(dataset, brain_key).await?.is_some())
    }

    /// The record of a run.
    ///
    /// # Errors
    /// [`NotFound`](brain_core::ErrorKind::NotFound) for an unknown dataset or run, with the keys there are.
    pub async fn get_brain_info(&self, dataset: &str, brain_key: &str) -> Result<RunRecord> {
        if let Some(record) = self.runs().get(dataset, brain_key).await? {
            return Ok(record);
        }
        let keys: Vec<String> = self.list_brain_runs(dataset, &RunFilter::default()).await?.into_iter().map(|run| run.key).collect();
        let error = Error::not_found(format!("dataset {dataset:?} has no run {brain_key:?}"));
        Err(if keys.is_empty() {
            error.with_hint(format!("make one: brain compute-similarity {dataset} --brain-key {brain_key}"))
        } else {
            error.with_hint(format!("its runs are {}", keys.join(", ")))
        })
    }

    /// Gives a run another key.
    ///
    /// # Errors
    /// [`NotFound`](brain_core::ErrorKind::NotFound), [`AlreadyExists`](brain_core::ErrorKind::AlreadyExists),
    /// [`InvalidInput`](brain_core::ErrorKind::InvalidInput) for what is no brain key.
    pub async fn rename_brain_run(&self, dataset: &str, brain_key: &str, new_key: &str) -> Result<()> {
        self.get_brain_info(dataset, brain_key).await?;
        self.runs().rename(dataset, brain_key, new_key).await
    }

    /// Deletes the record of a run, and with [`WithIndex::Drop`] its index too, first; an index that was attached to stays.
    ///
    /// # Errors
    /// [`NotFound`](brain_core::ErrorKind::NotFound); those of the backend when the index is dropped, and then the record stays.
    pub async fn delete_brain_run(&self, dataset: &str, brain_key: &str, index: WithIndex) -> Result<RunRecord> {
        let record = self.get_brain_info(dataset, brain_key).await?;
        if index == WithIndex::Drop {
            crate::similarity::drop_own_index(self, &record).await?;
        }
        self.runs().delete(dataset, brain_key).await?;
        Ok(record)
    }

    /// Drops the index of a run with all its vectors, also one that no longer opens. The record stays; whether there was an index.
    ///
    /// # Errors
    /// [`NotFound`](brain_core::ErrorKind::NotFound) for an unknown dataset or run; [`Conflict`](brain_core::ErrorKind::Conflict) for an index that was
    /// attached to, unless [`Attached::Drop`] says so; those of the backend.
    pub async fn cleanup_index(&self, dataset: &str, brain_key: &str, attached: Attached) -> Result<bool> {
        let record = self.get_brain_info(dataset, brain_key).await?;
        if attached == Attached::Keep && crate::record::SimilarityConfig::read(&record)?.attached {
            return Err(Error::new(ErrorKind::Conflict, format!("the run {brain_key:?} was attached to its index, which somebody else made"))
                .with_hint("say --attached to drop it with all its vectors all the same"));
        }
        crate::similarity::drop_index(self, &record).await
    }

    /// Deletes a dataset with its runs' records. Its indexes stay, orphaned, unless they are dropped too: the records say which they are.
    ///
    /// # Errors
    /// [`NotFound`](brain_core::ErrorKind::NotFound); those of the backends when indexes are dropped, and then the dataset stays.
    pub async fn delete_dataset(&self, dataset: &str, indexes: WithIndex) -> Result<Vec<RunRecord>> {
        let records = self.list_brain_runs(dataset, &RunFilter::default()).await?;
        if indexes == WithIndex::Drop {
            for record in &records {
                crate::similarity::drop_own_index(self, record).await?;
            }
        }
        self.datasets().delete(dataset)?;
        for record in &records {
            self.runs().delete(dataset, &record.key).await?;
        }
        Ok(records)
    }
}

impl std::fmt::Debug for Brain {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Brain").field("config", &self.shared.config).finish_non_exhaustive()
    }
}

/// What becomes of an index that somebody else made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Attached {
    /// It stays.
    #[default]
    Keep,
    /// It is dropped like one of our own.
    Drop,
}

/// What becomes of the index when its run's record is deleted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum WithIndex {
    /// It stays in its backend.
    #[default]
    Keep,
    /// It is dropped with all its vectors.
    Drop,
}
