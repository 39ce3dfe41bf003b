//! The rows that are compared: items in the order of their ids, and their vectors, read in parts that fit the memory.

use std::ops::Range;

use brain_kernels::{Metric, Queries};
use futures::TryStreamExt as _;
use rayon::prelude::*;

use super::BLOCK;
use crate::{Error, ErrorKind, Item, ItemId, Result, Scope, Selector, SimilarityIndex};

/// So many rows of a block are compared with all of it by one thread: few enough that the threads end together.
const SHARE: usize = 128;

/// The items of a scope by id: row `i` is the `i`th of them, whatever order the index streams in.
pub(super) struct Rows<'a> {
    index: &'a dyn SimilarityIndex,
    pub(super) items: Vec<Item>,
    /// How many ids of the scope the index lacks.
    pub(super) missing: usize,
    /// How many items the whole index holds.
    indexed: usize,
    /// How many rows may be held at once.
    panel: usize,
}

impl<'a> Rows<'a> {
    pub(super) async fn list(index: &'a dyn SimilarityIndex, scope: Scope<'_>, memory: usize) -> Result<Self> {
        let (mut items, mut indexed) = (Vec::new(), 0);
        let mut batches = index.ids();
        while let Some(batch) = batches.try_next().await? {
            indexed += batch.len();
            items.extend(batch.into_iter().filter(|item| scope.contains(item)));
        }
        drop(batches);
        items.sort_unstable();
        if u32::try_from(items.len()).is_err() {
            return Err(Error::unsupported(format!("{} items cannot be compared with one another", items.len())).with_hint("compare within a view"));
        }
        let missing = match scope {
            Scope::All => 0,
            Scope::Items(set) => set.len().saturating_sub(items.len()),
            Scope::Samples(set) => {
                let held: std::collections::HashSet<&ItemId> = items.iter().map(|item| &item.sample_id).collect();
                set.len().saturating_sub(held.len())
            }
        };
        let panel = (memory / (index.spec().dimension * size_of::<f32>())).max(1);
        Ok(Self { index, items, missing, indexed, panel })
    }

    pub(super) fn len(&self) -> usize {
        self.items.len()
    }

    pub(super) fn dimension(&self) -> usize {
        self.index.spec().dimension
    }

    pub(super) fn metric(&self) -> Metric {
        self.index.spec().metric
    }

    /// Rows made ready for others to be compared with: their vectors are `vectors`, one after the other.
    pub(super) fn queries(&self, vectors: &[f32]) -> Queries {
        Queries::new(self.metric(), vectors, self.dimension())
    }

    /// The distances of some rows from the first of them, then those from the second, and so on.
    pub(super) fn mutual_distances(&self, vectors: &[f32]) -> Vec<f32> {
        let count = vectors.len() / self.dimension();
        let mut distances = vec![0.0; count * count];
        let parts = vectors.par_chunks(SHARE * self.dimension()).zip(distances.par_chunks_mut((SHARE * count).max(1)));
        parts.for_each(|(part, out)| self.queries(part).distances(vectors, out));
        distances
    }

    /// Whether all vectors fit the memory at once.
    pub(super) fn fit(&self) -> bool {
        self.len() <= self.panel
    }

    /// The rows in parts that fit the memory; a single one, where all do.
    pub(super) fn panels(&self) -> impl Iterator<Item = Range<usize>> + use<> {
        blocks(0..self.len(), self.panel)
    }

    /// The vectors of a panel, row after row.
    ///
    /// # Errors
    /// [`Conflict`](ErrorKind::Conflict) when the index lost one of them since they were listed; those of the index.
    pub(super) async fn read(&self, panel: Range<usize>) -> Result<Vec<f32>> {
        // A pass over the whole index costs less than asking for many rows one by one.
        if panel.len().saturating_mul(4) >= self.indexed { self.stream(panel).await } else { self.fetch(panel).await }
    }

    async fn stream(&self, panel: Range<usize>) -> Result<Vec<f32>> {
        let (items, dimension) = (&self.items[panel], self.dimension());
        let mut vectors = vec![0.0; items.len() * dimension];
        let mut found = 0;
        let mut batches = self.index.stream();
        while let Some(batch) = batches.try_next().await? {
            for (item, vector) in batch.rows() {
                if let Ok(at) = items.binary_search_by(|known| known.id.cmp(&item.id)) {
                    vectors[at * dimension..(at + 1) * dimension].copy_from_slice(vector);
                    found += 1;
                }
            }
        }
        if found == items.len() { Ok(vectors) } else { Err(self.changed()) }
    }

    /// The vectors of some rows, in the order asked.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    pub(super) async fn fetch(&self, rows: impl IntoIterator<Item = usize>) -> Result<Vec<f32>> {
        let ids: Vec<ItemId> = rows.into_iter().map(|row| self.items[row].id.clone()).collect();
        let mut vectors = Vec::with_capacity(ids.len() * self.dimension());
        for some in ids.chunks(BLOCK) {
            let fetched = self.index.fetch(Selector::Items(some)).await?;
            if !fetched.missing.is_empty() {
                return Err(self.changed());
            }
            vectors.extend_from_slice(fetched.rows.vectors());
        }
        Ok(vectors)
    }

    fn changed(&self) -> Error {
        Error::new(ErrorKind::Conflict, format!("items were removed from the index {} while they were compared", self.index.spec().name))
            .with_hint("run it again when nobody removes items")
            .retryable()
    }
}

/// A range cut into parts of `size`, the last one shorter.
pub(super) fn blocks(range: Range<usize>, size: usize) -> impl Iterator<Item = Range<usize>> {
    let end = range.end;
    range.step_by(size).map(move |start| start..(start + size).min(end))
}

/// The vectors at some places among `vectors`, one after the other.
pub(super) fn gather(vectors: &[f32], dimension: usize, places: impl Iterator<Item = usize>) -> Vec<f32> {
    let mut gathered = Vec::with_capacity(places.size_hint().0 * dimension);
    places.for_each(|at| gathered.extend_from_slice(&vectors[at * dimension..(at + 1) * dimension]));
    gathered
}
