//! Vectors that the dataset holds already: a vector field of samples, or an attribute of labels.

use std::collections::HashMap;

use brain_core::{FieldValue, Item, ItemId, Label, Result, Sample};
use brain_dataset::{Dataset, Fields};
use serde_json::Value;

/// How many items are read at once.
pub(crate) const CHUNK: usize = 256;

/// The vectors of some items in a field, in their order; `None` where an item has none.
pub(crate) fn vectors_of(dataset: &Dataset, patches_field: Option<&str>, name: &str, items: &[Item]) -> Result<Vec<Option<Vec<f32>>>> {
    let samples = samples_of(dataset, items, &[patches_field.unwrap_or(name)])?;
    let mut by_id: HashMap<&ItemId, Vec<f32>> = HashMap::with_capacity(items.len());
    for sample in &samples {
        match patches_field {
            Some(field) => {
                for label in labels(sample, field) {
                    if let (Some(id), Some(vector)) = (&label.id, label.attributes.get(name).and_then(vector_of)) {
                        by_id.insert(id, vector);
                    }
                }
            }
            None => {
                if let (Some(id), Some((_, FieldValue::Vector(vector)))) = (&sample.id, sample.fields.iter().find(|(field, _)| field == name)) {
                    by_id.insert(id, vector.clone());
                }
            }
        }
    }
    Ok(items.iter().map(|item| by_id.remove(&item.id)).collect())
}

/// Whether items may have vectors in a field: samples have none in a field that no sample has. Of labels, only looking tells.
pub(crate) fn may_hold(dataset: &Dataset, patches_field: Option<&str>, name: &str) -> Result<bool> {
    Ok(patches_field.is_some() || dataset.fields()?.iter().any(|field| field.name == name))
}

/// The length of the first vector that the items have in a field; `None` where none has one.
pub(crate) fn first_vector(dataset: &Dataset, patches_field: Option<&str>, name: &str, items: &[Item]) -> Result<Option<usize>> {
    if !may_hold(dataset, patches_field, name)? {
        return Ok(None);
    }
    for chunk in items.chunks(CHUNK) {
        if let Some(vector) = vectors_of(dataset, patches_field, name, chunk)?.into_iter().flatten().next() {
            return Ok(Some(vector.len()));
        }
    }
    Ok(None)
}

/// The samples that some items belong to, each once, in the items' order, with some of their fields.
pub(crate) fn samples_of(dataset: &Dataset, items: &[Item], fields: &[&str]) -> Result<Vec<Sample>> {
    let mut ids: Vec<ItemId> = Vec::with_capacity(items.len());
    let mut seen = std::collections::HashSet::with_capacity(items.len());
    ids.extend(items.iter().filter(|item| seen.insert(&item.sample_id)).map(|item| item.sample_id.clone()));
    dataset.get_samples(&ids, Fields::Only(fields))
}

/// The labels of a field of a sample.
pub(crate) fn labels<'a>(sample: &'a Sample, field: &str) -> &'a [Label] {
    match sample.fields.iter().find(|(name, _)| name == field) {
        Some((_, FieldValue::Labels(labels))) => &labels.labels,
        _ => &[],
    }
}

fn vector_of(value: &Value) -> Option<Vec<f32>> {
    value.as_array()?.iter().map(|number| number.as_f64().map(|number| number as f32)).collect()
}
