//! What importers give, stored in a dataset and read again.

use std::path::Path;
use std::sync::{Arc, LazyLock};

use brain::Brain;
use brain::core::config::Sources;
use brain::core::{FieldValue, NoProgress, Result, Sample, View};
use brain::dataset::formats::{read_jsonl, write_jsonl_to};
use brain::dataset::{Dataset, Fields, ImportOptions, OnBad};

use super::{SCRATCH, file};

static BRAIN: LazyLock<Brain> = LazyLock::new(|| {
    let sources = Sources { home: Some(SCRATCH.path().join("datasets")), ..Sources::default() };
    Brain::with(&sources, Arc::new(NoProgress)).unwrap()
});

/// A dataset of the samples in `lines`.
pub(super) fn filled(name: &str, lines: &str) -> Dataset {
    let dataset = BRAIN.datasets().create(name).unwrap();
    let samples = read_jsonl(&file(&format!("{name}.jsonl"), lines.as_bytes())).unwrap();
    dataset.import(samples, ImportOptions::default(), &NoProgress).unwrap();
    dataset
}

/// Asserts that samples read back equal when they are written as JSON Lines.
pub(super) fn assert_written(samples: &[Sample]) {
    let mut lines = Vec::new();
    assert_eq!(write_jsonl_to(&mut lines, samples.iter().cloned().map(Ok)).unwrap(), samples.len() as u64);
    let again = read_jsonl(&file("again.jsonl", &lines)).unwrap().collect::<Result<Vec<_>>>().unwrap();
    assert_eq!(again, samples);
}

/// Asserts that of some samples each is stored or refused, that those stored are what they were, and that the dataset can be exported.
pub(super) fn assert_stored(name: &str, samples: &[Sample]) {
    let datasets = BRAIN.datasets();
    if datasets.exists(name).unwrap() {
        datasets.delete(name).unwrap();
    }
    let dataset = datasets.create(name).unwrap();
    let options = ImportOptions { on_bad: OnBad::Skip, ..ImportOptions::default() };
    let report = dataset.import(samples.iter().cloned().map(Ok), options, &NoProgress).unwrap();
    assert_eq!(report.added + report.bad, samples.len() as u64);
    assert_eq!(dataset.count().unwrap(), report.added);
    let stored = dataset.samples(&View::new(), Fields::All).unwrap().collect::<Result<Vec<_>>>().unwrap();
    let refused: Vec<u64> = report.bad_records.iter().map(|bad| bad.record).collect();
    if refused.len() as u64 == report.bad {
        let good = (1..).zip(samples).filter(|(record, _)| !refused.contains(record)).map(|(_, sample)| sample);
        assert_eq!(good.clone().count(), stored.len());
        good.zip(&stored).for_each(|(good, stored)| assert_kept(good, stored));
    }
    write_jsonl_to(&mut Vec::new(), stored.into_iter().map(Ok)).unwrap();
}

/// Ids are given where there were none, and numbers take the type of their field; nothing else differs.
fn assert_kept(given: &Sample, stored: &Sample) {
    assert!(stored.id.is_some() && (given.id.is_none() || given.id == stored.id));
    assert_eq!((&given.filepath, &given.tags), (&stored.filepath, &stored.tags));
    assert!(Path::new(&stored.filepath).is_absolute());
    for (name, value) in given.fields.iter().filter(|(_, value)| *value != FieldValue::Null) {
        let found = stored.fields.iter().find(|(stored, _)| stored == name).map(|(_, value)| value);
        let same = match (value, found) {
            (FieldValue::Int(whole), Some(FieldValue::Float(number))) => *whole as f64 == *number,
            (FieldValue::Labels(given), Some(FieldValue::Labels(stored))) => {
                let known = |labels: &brain::core::Labels| {
                    labels.labels.iter().map(|label| (label.label.clone(), label.region.clone(), label.tags.clone())).collect::<Vec<_>>()
                };
                given.class == stored.class && known(given) == known(stored)
            }
            (value, found) => Some(value) == found,
        };
        assert!(same, "{name} was {value:?} and is {found:?}");
    }
}
