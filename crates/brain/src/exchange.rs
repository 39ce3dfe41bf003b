//! Whole datasets in and out: files to a dataset with its runs, and back.

use std::path::Path;

use brain_core::{Error, ErrorKind, Result, RunFilter, View};
use brain_dataset::formats::{self, ExportOptions, ExportedRun, Format, Media, brain_runs, write_fiftyone, write_jsonl};
use brain_dataset::{Fields, ImportOptions, ImportReport, OnExisting};

use crate::{Brain, ImportedRun};

/// What an import brought.
#[derive(Clone, Debug)]
pub struct ImportedDataset {
    /// The format that was read.
    pub format: Format,
    /// What became of the samples.
    pub report: ImportReport,
    /// The runs that came along with a FiftyOne export.
    pub runs: Vec<ImportedRun>,
}

/// What an export wrote.
#[derive(Clone, Debug)]
pub struct ExportedDataset {
    /// How many samples.
    pub samples: u64,
    /// The runs that were left out, because the format or FiftyOne has no place for them.
    pub skipped_runs: Vec<String>,
}

impl Brain {
    /// Imports `path` as a dataset; `format` is found out where it is not given. A FiftyOne export brings its similarity runs along.
    ///
    /// An import that was interrupted is finished by running it again with [`OnExisting::Skip`].
    ///
    /// # Errors
    /// [`AlreadyExists`](ErrorKind::AlreadyExists) for a name that is taken, unless existing samples are skipped; those of
    /// [`Dataset::import`](brain_dataset::Dataset::import).
    pub async fn import_dataset(&self, name: &str, path: &Path, format: Option<Format>, options: ImportOptions) -> Result<ImportedDataset> {
        let format = format.map_or_else(|| Format::detect(path), Ok)?;
        let mut samples = formats::read(path, format)?;
        let runs = if format == Format::Fiftyone { brain_runs(path)? } else { Vec::new() };
        let exists = self.datasets().exists(name)?;
        if exists && options.on_existing == OnExisting::Error {
            return Err(Error::new(ErrorKind::AlreadyExists, format!("dataset {name:?} exists already"))
                .with_operation("import")
                .with_hint("choose another name, or finish or extend it with --on-existing skip"));
        }
        let dataset = if exists { self.datasets().get(name)? } else { self.datasets().create(name)? };
        let options = ImportOptions { total: options.total.or(samples.total()), ..options };
        let again =
            "what came before it is stored; mend it and run the import again with --on-existing skip, or leave bad records out with --on-bad skip";
        let report = dataset.import(&mut samples, options, &**self.progress()).map_err(|error| error.with_hint(again))?;
        if samples.broke_off() {
            return Err(Error::invalid(format!("{} could not be read to its end", path.display()))
                .with_operation("import")
                .with_context("added", report.added)
                .with_hint("what was read is stored; mend the file and run it again with --on-existing skip"));
        }
        let held: Vec<String> = self.list_brain_runs(name, &RunFilter::default()).await?.into_iter().map(|run| run.key).collect();
        let new = runs.into_iter().filter(|run| !held.contains(&run.key)).collect();
        Ok(ImportedDataset { format, report, runs: self.import_runs(name, new).await? })
    }

    /// Exports a view of a dataset: as a FiftyOne dataset in a new folder, with its runs, or as a JSON Lines file.
    ///
    /// # Errors
    /// [`Unsupported`](ErrorKind::Unsupported) for formats that are only read; [`AlreadyExists`](ErrorKind::AlreadyExists) for a folder that is
    /// not empty; those of the view and of the file system.
    pub async fn export_dataset(&self, name: &str, path: &Path, format: Format, view: &View, media: Media) -> Result<ExportedDataset> {
        let dataset = self.datasets().get(name)?;
        let samples = dataset.samples(view, Fields::All)?;
        match format {
            Format::Jsonl => Ok(ExportedDataset { samples: write_jsonl(path, samples)?, skipped_runs: Vec::new() }),
            Format::Fiftyone => {
                let runs = self.list_brain_runs(name, &RunFilter::default()).await?;
                let runs = runs.into_iter().map(|run| ExportedRun {
                    key: run.key,
                    kind: run.run_type,
                    method: run.method,
                    version: Some(run.version),
                    timestamp: Some(run.timestamp),
                    config: run.config,
                });
                let exported = write_fiftyone(path, name, samples, &ExportOptions { media, runs: runs.collect() })?;
                Ok(ExportedDataset { samples: exported.samples, skipped_runs: exported.skipped_runs })
            }
            other => Err(Error::unsupported(format!("a dataset cannot be exported as {other}")).with_hint("choose fiftyone or jsonl")),
        }
    }
}
