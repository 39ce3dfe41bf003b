//! What a dataset knows of the rows of an answer: class, region, photo.

use std::collections::HashMap;

use brain::core::{FieldValue, ItemId, ItemKind, Label, LabelClass, Result, Sample, View};
use brain::dataset::{Dataset, FieldType, Fields};
use brain::{Similarity, SortedRow};

/// What is known of some items, by id; nothing of those that the dataset no longer has.
#[derive(Debug, Default)]
pub(crate) struct Known {
    by_id: HashMap<ItemId, KnownItem>,
}

/// What is known of one item.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct KnownItem {
    /// Its class.
    pub(crate) class: Option<String>,
    /// The box around its region, `[x, y, w, h]` in fractions of the photo; `None` for a whole sample.
    pub(crate) bounding_box: Option<[f64; 4]>,
    /// Its photo.
    pub(crate) filepath: String,
}

impl Known {
    /// The items that an index of this kind knows by these ids.
    ///
    /// # Errors
    /// Those of the dataset.
    pub(crate) fn of(similarity: &Similarity, dataset: &Dataset, ids: impl IntoIterator<Item = ItemId>) -> Result<Self> {
        match (similarity.items(), similarity.record().config_text("patches_field")) {
            (ItemKind::Patches, Some(field)) => Self::of_patches(dataset, field, ids),
            _ => Self::of_samples(dataset, ids),
        }
    }

    /// The items of an answer: the patches, also where they stand for their samples.
    ///
    /// # Errors
    /// Those of the dataset.
    pub(crate) fn of_rows(similarity: &Similarity, dataset: &Dataset, rows: &[SortedRow]) -> Result<Self> {
        Self::of(similarity, dataset, rows.iter().map(|row| item_id(row).clone()))
    }

    /// The labels of a field.
    ///
    /// # Errors
    /// Those of the dataset.
    pub(crate) fn of_patches(dataset: &Dataset, field: &str, ids: impl IntoIterator<Item = ItemId>) -> Result<Self> {
        let mut by_id = HashMap::new();
        for patch in dataset.patches(&View::new().to_patches(field).select(ids))? {
            let patch = patch?;
            let bounding_box = patch.label.region.as_ref().and_then(brain::core::Region::bounding_box);
            by_id.insert(patch.item.id, KnownItem { class: patch.label.label, bounding_box, filepath: patch.filepath });
        }
        Ok(Self { by_id })
    }

    /// Samples; their class is that of the dataset's first field of classifications, where there is one.
    ///
    /// # Errors
    /// Those of the dataset.
    pub(crate) fn of_samples(dataset: &Dataset, ids: impl IntoIterator<Item = ItemId>) -> Result<Self> {
        let is_classification = |field_type| field_type == FieldType::Labels(LabelClass::Classification);
        let field = dataset.fields()?.into_iter().find(|field| is_classification(field.field_type));
        let names: Vec<&str> = field.iter().map(|field| field.name.as_str()).collect();
        let mut by_id = HashMap::new();
        for sample in dataset.samples(&View::new().select(ids), Fields::Only(&names))? {
            let sample = sample?;
            let class = classification(&sample).and_then(|label| label.label.clone());
            by_id.extend(sample.id.map(|id| (id, KnownItem { class, bounding_box: None, filepath: sample.filepath })));
        }
        Ok(Self { by_id })
    }

    /// Whether a class is known of any item.
    pub(crate) fn has_classes(&self) -> bool {
        self.by_id.values().any(|item| item.class.is_some())
    }

    /// What is known of an item.
    pub(crate) fn get(&self, id: &ItemId) -> Option<&KnownItem> {
        self.by_id.get(id)
    }

    /// The class of a row of an answer.
    pub(crate) fn class(&self, row: &SortedRow) -> Option<&str> {
        self.get(item_id(row))?.class.as_deref()
    }
}

/// The item of the index that a row stands for.
pub(crate) fn item_id(row: &SortedRow) -> &ItemId {
    row.label_id.as_ref().unwrap_or(&row.id)
}

fn classification(sample: &Sample) -> Option<&Label> {
    sample.fields.iter().find_map(|(_, value)| match value {
        FieldValue::Labels(labels) => labels.labels.first(),
        _ => None,
    })
}
