//! What one vector belongs to, and sets of such things.

use std::hash::{Hash, Hasher};

use serde::{Deserialize, Serialize};

use crate::{Error, ItemId, Result};

/// What an index holds one vector for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ItemKind {
    /// Whole samples: the item's id is the sample's id.
    #[default]
    Samples,
    /// Patches of samples: the item's id is the label's id.
    Patches,
}

impl ItemKind {
    /// What several such items are called.
    pub fn plural(self) -> &'static str {
        match self {
            Self::Samples => "samples",
            Self::Patches => "patches",
        }
    }
}

/// The owner of one vector: a sample, or a patch (label id plus its sample id).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Item {
    /// The sample's id, or the label's id in an index of patches.
    pub id: ItemId,
    /// The sample the item belongs to; equal to `id` for a sample.
    pub sample_id: ItemId,
}

impl Item {
    /// The item of a whole sample.
    pub fn sample(id: ItemId) -> Self {
        Self { sample_id: id.clone(), id }
    }

    /// The item of one label of a sample.
    pub fn patch(label_id: ItemId, sample_id: ItemId) -> Self {
        Self { id: label_id, sample_id }
    }
}

/// An immutable set of ids, sorted, with a digest that names its content.
///
/// A view resolves to one; backends translate it into a mask, a list of rows or a filter, and may cache that by [`digest`](Self::digest).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ItemSet {
    ids: Vec<ItemId>,
    digest: u64,
}

impl ItemSet {
    /// The set of these ids; duplicates count once.
    pub fn new(mut ids: Vec<ItemId>) -> Self {
        if !ids.is_sorted() {
            ids.sort_unstable();
        }
        ids.dedup();
        let mut hasher = std::collections::hash_map::DefaultHasher::new();
        ids.hash(&mut hasher);
        Self { digest: hasher.finish(), ids }
    }

    /// How many ids there are.
    pub fn len(&self) -> usize {
        self.ids.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.ids.is_empty()
    }

    /// Whether `id` is in the set; a binary search.
    pub fn contains(&self, id: &ItemId) -> bool {
        self.ids.binary_search(id).is_ok()
    }

    /// The ids, ascending.
    pub fn as_slice(&self) -> &[ItemId] {
        &self.ids
    }

    /// A number that two sets of equal content share within one process; good for a cache, not for storage.
    pub fn digest(&self) -> u64 {
        self.digest
    }
}

impl FromIterator<ItemId> for ItemSet {
    fn from_iter<T: IntoIterator<Item = ItemId>>(ids: T) -> Self {
        Self::new(ids.into_iter().collect())
    }
}

/// Rows of vectors with the items they belong to: what is added, fetched and streamed.
///
/// Vectors are row-major: row `i` is `vectors[i * dimension..(i + 1) * dimension]`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct VectorBatch {
    items: Vec<Item>,
    vectors: Vec<f32>,
    dimension: usize,
}

impl VectorBatch {
    /// A batch of `items.len()` rows of `dimension` numbers each.
    ///
    /// # Errors
    /// [`DimensionMismatch`](crate::ErrorKind::DimensionMismatch) when the vectors are not that many numbers.
    pub fn new(items: Vec<Item>, dimension: usize, vectors: Vec<f32>) -> Result<Self> {
        if items.len().checked_mul(dimension) != Some(vectors.len()) {
            return Err(Error::new(
                crate::ErrorKind::DimensionMismatch,
                format!("{} rows of {dimension} numbers were announced, but {} numbers came", items.len(), vectors.len()),
            ));
        }
        Ok(Self { items, vectors, dimension })
    }

    /// An empty batch to [`push`](Self::push) rows of `dimension` numbers to.
    pub fn with_capacity(rows: usize, dimension: usize) -> Self {
        Self { items: Vec::with_capacity(rows), vectors: Vec::with_capacity(rows * dimension), dimension }
    }

    /// Adds one row.
    ///
    /// # Errors
    /// [`DimensionMismatch`](crate::ErrorKind::DimensionMismatch), naming the item, when the vector has another length.
    pub fn push(&mut self, item: Item, vector: &[f32]) -> Result<()> {
        if vector.len() != self.dimension {
            return Err(crate::validate::wrong_length(&item.id, vector.len(), self.dimension));
        }
        self.items.push(item);
        self.vectors.extend_from_slice(vector);
        Ok(())
    }

    /// How many rows there are.
    pub fn len(&self) -> usize {
        self.items.len()
    }

    /// Whether there is no row.
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// How many numbers a row has.
    pub fn dimension(&self) -> usize {
        self.dimension
    }

    /// The rows' owners, in row order.
    pub fn items(&self) -> &[Item] {
        &self.items
    }

    /// All numbers, row after row.
    pub fn vectors(&self) -> &[f32] {
        &self.vectors
    }

    /// One row's vector.
    ///
    /// # Panics
    /// When there is no such row, as slices do.
    pub fn vector(&self, row: usize) -> &[f32] {
        &self.vectors[row * self.dimension..(row + 1) * self.dimension]
    }

    /// The rows with their owners.
    pub fn rows(&self) -> impl Iterator<Item = (&Item, &[f32])> {
        // `max(1)` keeps a batch without columns from asking for chunks of nothing.
        self.items.iter().zip(self.vectors.chunks_exact(self.dimension.max(1)))
    }

    /// The owners and the numbers, taken apart.
    pub fn into_parts(self) -> (Vec<Item>, Vec<f32>) {
        (self.items, self.vectors)
    }
}
