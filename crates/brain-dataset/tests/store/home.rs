//! A home of its own for each test, and samples to put there.

use brain_core::{FieldValue, ItemId, Label, LabelClass, Labels, Region, Sample};
use brain_dataset::{Dataset, Datasets};
use brain_store::Database;
use tempfile::TempDir;

/// A home that is deleted with its handle.
pub(crate) struct Home {
    pub(crate) datasets: Datasets,
    pub(crate) folder: TempDir,
}

impl Home {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let datasets = Datasets::open(&Database::open(folder.path()).unwrap()).unwrap();
        Self { datasets, folder }
    }

    pub(crate) fn dataset(&self) -> Dataset {
        self.datasets.create("photos").unwrap()
    }

    /// How many tables of datasets the file holds.
    pub(crate) fn tables(&self) -> i64 {
        let sql = "SELECT count(*) FROM sqlite_master WHERE name LIKE 'ds%'";
        Database::open(self.folder.path()).unwrap().read("count", |connection| connection.query_row(sql, [], |row| row.get(0))).unwrap()
    }
}

/// The id that ends in `number`; `kind` keeps ids of samples and labels apart.
pub(crate) fn id(kind: u8, number: u32) -> ItemId {
    let mut bytes = [kind; 12];
    // Mixed, so that ids do not come in dataset order.
    bytes[4..8].copy_from_slice(&number.wrapping_mul(0x9e37_79b9).to_be_bytes());
    bytes[8..].copy_from_slice(&number.to_be_bytes());
    ItemId::from_bytes(bytes)
}

pub(crate) fn sample(number: u32, fields: Vec<(&str, FieldValue)>) -> Sample {
    Sample {
        id: Some(id(1, number)),
        filepath: format!("/photos/{number}.jpg"),
        tags: Vec::new(),
        fields: fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect(),
    }
}

pub(crate) fn text(value: &str) -> FieldValue {
    FieldValue::Text(value.to_owned())
}

pub(crate) fn classification(number: u32, label: &str) -> FieldValue {
    let label = Label { id: Some(id(2, number)), label: Some(label.to_owned()), ..Label::default() };
    FieldValue::Labels(Labels { class: LabelClass::Classification, labels: vec![label] })
}

/// Boxes with these classes and confidences; their ids begin at `first`.
pub(crate) fn detections(first: u32, boxes: &[(&str, f64)]) -> FieldValue {
    let label = |(number, (class, confidence)): (u32, &(&str, f64))| Label {
        id: Some(id(3, number)),
        label: Some((*class).to_owned()),
        confidence: Some(*confidence),
        region: Some(Region::Box([0.1, 0.2, 0.3, 0.4])),
        ..Label::default()
    };
    FieldValue::Labels(Labels { class: LabelClass::Detections, labels: (first..).zip(boxes).map(label).collect() })
}
