//! From the items of a run to what the pipeline has to read, a few samples at a time.

use std::collections::{HashSet, VecDeque};

use brain_core::{Item, ItemId, Result, Sample};
use brain_dataset::Dataset;
use brain_models::EmbedJob;

use super::Crops;
use crate::vectors::{CHUNK, labels, samples_of};

/// The jobs of some items: one a photo, with all its patches.
pub(super) struct Jobs {
    dataset: Dataset,
    items: std::vec::IntoIter<Item>,
    crops: Crops,
    ready: VecDeque<EmbedJob>,
}

impl Jobs {
    pub(super) fn new(dataset: Dataset, items: Vec<Item>, crops: Crops) -> Self {
        Self { dataset, items: items.into_iter(), crops, ready: VecDeque::new() }
    }

    /// Reads the next samples; whether there are any.
    fn refill(&mut self) -> Result<bool> {
        let mut chunk: Vec<Item> = self.items.by_ref().take(CHUNK).collect();
        if chunk.is_empty() {
            return Ok(false);
        }
        if self.crops.patches_field.is_some() {
            // The rest of the last photo's patches, so that it is decoded once.
            while let (Some(last), Some(next)) = (chunk.last(), self.items.as_slice().first())
                && last.sample_id == next.sample_id
            {
                chunk.extend(self.items.next());
            }
        }
        let wanted: HashSet<&ItemId> = chunk.iter().map(|item| &item.id).collect();
        let fields: Vec<&str> = self.crops.patches_field.iter().chain(&self.crops.roi_field).map(String::as_str).collect();
        let jobs = samples_of(&self.dataset, &chunk, &fields)?.into_iter().filter_map(|sample| job(&sample, &self.crops, &wanted));
        self.ready.extend(jobs);
        Ok(true)
    }
}

impl Iterator for Jobs {
    type Item = Result<EmbedJob>;

    fn next(&mut self) -> Option<Self::Item> {
        while self.ready.is_empty() {
            match self.refill() {
                Ok(true) => {}
                Ok(false) => return None,
                Err(error) => return Some(Err(error)),
            }
        }
        self.ready.pop_front().map(Ok)
    }
}

fn job(sample: &Sample, crops: &Crops, wanted: &HashSet<&ItemId>) -> Option<EmbedJob> {
    let sample_id = sample.id.clone()?;
    if let Some(field) = &crops.patches_field {
        let patches = labels(sample, field).iter().filter_map(|label| {
            let id = label.id.clone().filter(|id| wanted.contains(id))?;
            // A region without extent is for the pipeline to refuse by name.
            let sides = label.region.as_ref().and_then(|region| region.bounding_box()).unwrap_or([0.0; 4]);
            Some((Item::patch(id, sample_id.clone()), sides))
        });
        return Some(EmbedJob::patches(&sample.filepath, patches));
    }
    let regions = crops.roi_field.as_ref().map_or_else(Vec::new, |field| {
        labels(sample, field).iter().filter_map(|label| label.region.as_ref().and_then(|region| region.bounding_box())).collect()
    });
    Some(EmbedJob::regions(Item::sample(sample_id), &sample.filepath, regions))
}
