//! The similarity runs that come along with a FiftyOne export.

use brain_core::{ErrorKind, Result, RunRecord, RunState, Scope, SimilarityBackend};
use brain_dataset::formats::ExportedRun;
use serde::Serialize;

use crate::Brain;
use crate::record::{SIMILARITY, SimilarityConfig};

/// What became of one run of an export.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ImportedRun {
    /// The brain key.
    pub key: String,
    /// The backend that holds the index.
    pub method: String,
    /// Whether the index was found and attached to.
    pub attached: bool,
    /// Why not.
    pub note: Option<String>,
}

impl Brain {
    /// Registers the runs of an export on a dataset. Each is attached to the table or index it names; one whose backend is not in this build, or
    /// does not answer, is kept and says so, and is attached to when it is first loaded.
    ///
    /// # Errors
    /// [`AlreadyExists`](ErrorKind::AlreadyExists) for a key that the dataset has; those of the storage.
    pub async fn import_runs(&self, dataset: &str, runs: Vec<ExportedRun>) -> Result<Vec<ImportedRun>> {
        let mut imported = Vec::with_capacity(runs.len());
        for run in runs {
            let mut record = RunRecord {
                dataset: dataset.to_owned(),
                key: run.key,
                run_type: run.kind,
                method: run.method,
                version: run.version.unwrap_or_default(),
                timestamp: run.timestamp.unwrap_or_else(brain_core::timestamp::now),
                state: RunState::Complete,
                config: run.config,
                view: None,
                counts: Default::default(),
                error: None,
            };
            let mut attached = false;
            if record.run_type == SIMILARITY {
                record.config.insert("attached".to_owned(), true.into());
                let attaching = async { self.attach_to(&*self.backends().get(&record.method.clone())?, &mut record).await };
                match attaching.await {
                    Ok(()) => attached = true,
                    Err(error) => record.error = Some(format!("not attached yet: {error}")),
                }
            }
            self.runs().insert(&record).await?;
            imported.push(ImportedRun { key: record.key, method: record.method, attached, note: record.error });
        }
        Ok(imported)
    }

    /// Reads what is really there into the record of an attached run.
    pub(crate) async fn attach_to(&self, backend: &dyn SimilarityBackend, record: &mut RunRecord) -> Result<()> {
        let mut config = SimilarityConfig::read(record)?;
        let existing = config.existing(None, Some(config.metric));
        let index = backend.attach(&existing).await.map_err(|error| match error.kind() {
            ErrorKind::NotFound => error.with_hint("the export names an index that is not there: was its server emptied, or is this another one?"),
            _ => error,
        })?;
        config.dimension = Some(index.spec().dimension);
        config.metric = index.spec().metric;
        config.parameters.clone_from(&index.spec().parameters);
        record.config.extend(config.to_map());
        record.counts.insert("indexed".to_owned(), index.count(Scope::All).await?);
        record.error = None;
        Ok(())
    }
}
