//! Takes samples in from a stream, in bounded memory, one transaction a batch.

use brain_core::{Error, FieldValue, Progress, Result, Sample};
use brain_store::StoreFailure;
use serde::Serialize;

use crate::Dataset;
use crate::insert::{Inserted, Inserter};

/// How many samples one transaction takes at most.
const BATCH_SAMPLES: usize = 5_000;

/// About how many bytes of samples one transaction takes at most.
const BATCH_BYTES: usize = 16 << 20;

/// How many bad records a report describes; the rest are only counted.
const DESCRIBED: usize = 100;

/// What an import does with a record that cannot be stored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnBad {
    /// The import stops with the record's error. What came before it stays.
    #[default]
    Stop,
    /// The record is left out and listed in the report.
    Skip,
}

/// What an import does with a sample that the dataset already holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnExisting {
    /// It is a bad record.
    #[default]
    Error,
    /// It is passed over, so that the same import can be run again to finish. A sample without an id is known by its `filepath`,
    /// also among the samples of this import.
    Skip,
}

/// How to import.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ImportOptions {
    /// What to do with a record that cannot be stored.
    pub on_bad: OnBad,
    /// What to do with a sample that the dataset already holds.
    pub on_existing: OnExisting,
    /// How many records there are, where that is known; for progress only.
    pub total: Option<u64>,
}

/// What an import did.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ImportReport {
    /// Samples that were added.
    pub added: u64,
    /// Samples that the dataset held already.
    pub skipped: u64,
    /// Records that could not be stored.
    pub bad: u64,
    /// The first hundred of those.
    pub bad_records: Vec<BadRecord>,
}

/// A record that could not be stored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct BadRecord {
    /// Which record of the stream it was, from 1.
    pub record: u64,
    /// What was wrong with it; where it came from a file, with file and line.
    pub message: String,
}

impl ImportReport {
    fn note_bad(&mut self, record: u64, error: &Error) {
        self.bad += 1;
        if self.bad_records.len() < DESCRIBED {
            self.bad_records.push(BadRecord { record, message: error.message().to_owned() });
        }
    }
}

/// Samples waiting for their transaction, each with its place in the stream.
#[derive(Default)]
struct Batch {
    samples: Vec<(u64, Sample)>,
    bytes: usize,
}

impl Batch {
    fn push(&mut self, record: u64, sample: Sample) {
        self.bytes += weight(&sample);
        self.samples.push((record, sample));
    }

    fn is_full(&self) -> bool {
        self.samples.len() >= BATCH_SAMPLES || self.bytes >= BATCH_BYTES
    }
}

/// About how many bytes a sample takes.
fn weight(sample: &Sample) -> usize {
    let fields = sample.fields.iter().map(|(_, value)| match value {
        FieldValue::Vector(vector) => vector.len() * 4,
        FieldValue::Labels(labels) => labels.labels.len() * 400,
        FieldValue::Text(text) => text.len(),
        FieldValue::Other(_) => 200,
        _ => 8,
    });
    sample.filepath.len() + 100 + fields.sum::<usize>()
}

impl Dataset {
    /// Imports records as a reader yields them. The stream is read between transactions, so that another process can write meanwhile;
    /// a batch is stored whole or not at all, and is durable when the next one begins. Memory holds one batch (5,000 samples or 16 MiB).
    ///
    /// # Errors
    /// With [`OnBad::Stop`], that of the first bad record: the reader's own, [`InvalidInput`](brain_core::ErrorKind::InvalidInput) for a value
    /// that does not fit its field, [`Conflict`](brain_core::ErrorKind::Conflict) for an id that is taken. What came before it is stored, and the
    /// context `added` says how many samples that were. Always: those of the storage.
    pub fn import(&self, reader: impl IntoIterator<Item = Result<Sample>>, options: ImportOptions, progress: &dyn Progress) -> Result<ImportReport> {
        let mut report = ImportReport::default();
        progress.start("import samples", options.total);
        let done = self.take_in(reader, options, progress, &mut report);
        progress.finish();
        done.map_err(|error| error.with_operation("import").with_context("added", report.added))?;
        Ok(report)
    }

    /// Adds samples; the first that cannot be stored ends it. As [`import`](Self::import) with the default options.
    ///
    /// # Errors
    /// As [`import`](Self::import).
    pub fn add_samples(&self, samples: impl IntoIterator<Item = Sample>, progress: &dyn Progress) -> Result<u64> {
        Ok(self.import(samples.into_iter().map(Ok), ImportOptions::default(), progress)?.added)
    }

    fn take_in(
        &self,
        reader: impl IntoIterator<Item = Result<Sample>>,
        options: ImportOptions,
        progress: &dyn Progress,
        report: &mut ImportReport,
    ) -> Result<()> {
        let mut batch = Batch::default();
        for (record, sample) in (1..).zip(reader) {
            match sample {
                Ok(sample) => batch.push(record, sample),
                Err(error) if options.on_bad == OnBad::Stop => {
                    self.store(batch, options, progress, report)?;
                    return Err(error);
                }
                Err(error) => {
                    report.note_bad(record, &error);
                    progress.advance(1);
                }
            }
            if batch.is_full() {
                self.store(std::mem::take(&mut batch), options, progress, report)?;
            }
        }
        self.store(batch, options, progress, report)
    }

    fn store(&self, batch: Batch, options: ImportOptions, progress: &dyn Progress, report: &mut ImportReport) -> Result<()> {
        if batch.samples.is_empty() {
            return Ok(());
        }
        // The report tells of committed batches only.
        let mut next = report.clone();
        let stopped = self.database().write("store samples", |transaction| {
            let mut inserter = Inserter::new(transaction, self.schema(transaction)?, options.on_existing)?;
            let mut stopped = None;
            for (record, sample) in &batch.samples {
                match inserter.insert(sample) {
                    Ok(Inserted::Added) => next.added += 1,
                    Ok(Inserted::Skipped) => next.skipped += 1,
                    Err(StoreFailure::Library(error)) if options.on_bad == OnBad::Skip => next.note_bad(*record, &error),
                    Err(StoreFailure::Library(error)) => {
                        stopped = Some(error);
                        break;
                    }
                    Err(failure) => return Err(failure),
                }
            }
            inserter.schema.save_attributes(transaction)?;
            self.grow(transaction, next.added - report.added)?;
            Ok::<_, StoreFailure>(stopped)
        })?;
        progress.advance(batch.samples.len() as u64);
        *report = next;
        stopped.map_or(Ok(()), Err)
    }
}
