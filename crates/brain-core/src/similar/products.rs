//! Distances of many rows from many, in groups that stay in a processor's cache.

use brain_kernels::Queries;
use rayon::prelude::*;

use super::rows::Rows;

/// How many rows others are compared with before the next as many: with 512 numbers each, a quarter of a megabyte, which stays in a core's cache while
/// a tile of others passes by.
const GROUP: usize = 128;

/// Rows made ready for others to be compared with.
pub(super) struct Block {
    groups: Vec<Queries>,
}

impl Block {
    /// The rows whose vectors are `vectors`, one after the other.
    pub(super) fn new(rows: &Rows<'_>, vectors: &[f32]) -> Self {
        let ready = |group| Queries::new(rows.metric(), group, rows.dimension());
        Self { groups: vectors.par_chunks(GROUP * rows.dimension()).map(ready).collect() }
    }

    /// The distances of the `count` rows `tile` from the first row of the block, then those from the second, and so on. On this thread alone.
    pub(super) fn distances(&self, tile: &[f32], count: usize, out: &mut [f32]) {
        for (group, out) in self.groups.iter().zip(out.chunks_mut(GROUP * count)) {
            group.distances(tile, out);
        }
    }

    /// The distances of the block's own rows, `vectors`, from one another, in the same order. On all threads.
    pub(super) fn mutual_distances(&self, vectors: &[f32]) -> Vec<f32> {
        let count = self.groups.iter().map(Queries::len).sum::<usize>();
        let mut distances = vec![0.0; count * count];
        let parts = distances.par_chunks_mut((GROUP * count).max(1));
        self.groups.par_iter().zip(parts).for_each(|(group, out)| group.distances(vectors, out));
        distances
    }
}
