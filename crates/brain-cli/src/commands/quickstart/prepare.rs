//! Datasets and runs of the quickstart: made, finished, or left as they are.

use std::path::Path;
use std::time::Instant;

use brain::core::{Error, ErrorKind, Result, RunState};
use brain::dataset::formats::Format;
use brain::dataset::{ImportOptions, OnExisting};
use brain::{Brain, Failure};
use serde::Serialize;

use super::{SCENES, SCENES_KEY};

/// A dataset that is there.
#[derive(Debug, Serialize)]
pub(super) struct Dataset {
    pub(super) name: &'static str,
    pub(super) samples: u64,
    /// How many of them were imported just now.
    pub(super) imported: u64,
}

/// A run that is complete.
#[derive(Debug, Serialize)]
pub(super) struct Run {
    pub(super) dataset: &'static str,
    pub(super) key: &'static str,
    pub(super) backend: String,
    /// What its items are called.
    pub(super) items: &'static str,
    /// How many items the index holds.
    pub(super) indexed: u64,
    /// How many of them were embedded just now, and how long that took.
    pub(super) computed: u64,
    /// How many an interrupted quickstart had indexed.
    pub(super) done_before: u64,
    pub(super) seconds: f64,
    pub(super) failures: Vec<Failure>,
}

/// Imports a dataset of the photos in `folder`, as far as it is not there.
pub(super) async fn dataset(brain: &Brain, name: &'static str, folder: &Path) -> Result<Dataset> {
    let (part, format, expected) = match name {
        SCENES => ("scenes", Format::Coco, 60),
        _ => ("photos", Format::ClassificationDir, 200),
    };
    let datasets = brain.datasets();
    let mut imported = 0;
    if !datasets.exists(name)? || datasets.get(name)?.count()? < expected {
        let options = ImportOptions { on_existing: OnExisting::Skip, ..ImportOptions::default() };
        imported = brain.import_dataset(name, &folder.join(part), Some(format), options).await?.report.added;
    }
    Ok(Dataset { name, samples: datasets.get(name)?.count()?, imported })
}

/// Computes a run, as far as it is not there.
pub(super) async fn run(brain: &Brain, dataset: &'static str, key: &'static str, backend: Option<&str>) -> Result<Run> {
    let items = if key == SCENES_KEY { "patches" } else { "photos" };
    let existing = if brain.has_brain_run(dataset, key).await? { Some(brain.get_brain_info(dataset, key).await?) } else { None };
    if let (Some(record), Some(asked)) = (&existing, backend)
        && record.method != asked
    {
        return Err(Error::new(ErrorKind::Conflict, format!("run {key:?} of {dataset} is already there, in {}", record.method))
            .with_hint(format!("delete it first: brain runs delete {dataset} {key} --with-index")));
    }
    if let Some(record) = existing.filter(|record| record.state == RunState::Complete) {
        let indexed = brain.load_brain_results(dataset, key).await?.total_index_size().await?;
        return Ok(Run { dataset, key, backend: record.method, items, indexed, computed: 0, done_before: 0, seconds: 0.0, failures: Vec::new() });
    }
    let mut compute = brain.compute_similarity(dataset, key).resume(true);
    if let Some(backend) = backend {
        compute = compute.backend(backend);
    }
    if key == SCENES_KEY {
        compute = compute.patches_field("ground_truth");
    }
    let started = Instant::now();
    let done = compute.run().await?;
    let computed = done.report.added + done.report.replaced;
    Ok(Run {
        dataset,
        key,
        backend: done.record.method,
        items,
        indexed: computed + done.done_before,
        computed,
        done_before: done.done_before,
        seconds: started.elapsed().as_secs_f64(),
        failures: done.failures,
    })
}
