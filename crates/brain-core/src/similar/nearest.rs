//! The nearest of some chosen rows, for every row: one number and one distance each.

use brain_kernels::Neighbor;
use rayon::prelude::*;

use super::TILE;
use super::rows::Rows;

/// Of no row, and after all rows.
const NOBODY: u32 = u32::MAX;

/// For each of a run of rows, the nearest of the rows that it has met so far, of equally near ones the first. Held as two lists, so that a block of
/// distances is compared with them several numbers at a time.
pub(super) struct Nearest {
    distances: Vec<f32>,
    of: Vec<u32>,
}

impl Nearest {
    /// `rows` rows that have met nobody, and see nobody who is farther than `bound`.
    pub(super) fn within(bound: f32, rows: usize) -> Self {
        Self { distances: vec![bound; rows], of: vec![NOBODY; rows] }
    }

    /// How far the nearest is, by row; the bound, where there is none yet.
    pub(super) fn distances(&self) -> &[f32] {
        &self.distances
    }

    /// The nearest that `row` has met; `None` where it has met nobody within the bound.
    pub(super) fn get(&self, row: usize) -> Option<Neighbor> {
        let found = Neighbor { distance: self.distances[row], row: self.of[row] };
        (found.row != NOBODY).then_some(found)
    }

    /// The rows from `first` on, whose vectors are `vectors`, meet the rows `numbers`, whose vectors are `others`.
    pub(super) fn meet(&mut self, rows: &Rows<'_>, first: usize, vectors: &[f32], numbers: &[u32], others: &[f32]) {
        let dimension = rows.dimension();
        let count = vectors.len() / dimension;
        if count == 0 || numbers.is_empty() {
            return;
        }
        let others = rows.queries(others);
        let (distances, of) = (&mut self.distances[first..first + count], &mut self.of[first..first + count]);
        let tiles = distances.par_chunks_mut(TILE).zip(of.par_chunks_mut(TILE)).zip(vectors.par_chunks(TILE * dimension));
        tiles.for_each_init(Vec::new, |out, ((distances, of), vectors)| {
            out.resize(numbers.len() * distances.len(), 0.0);
            others.distances(vectors, out);
            for (&number, found) in numbers.iter().zip(out.chunks_exact(distances.len())) {
                take_nearer(distances, of, found, number);
            }
        });
    }

    /// The rows from `first` on meet the row `number`, which is this far from each.
    pub(super) fn take(&mut self, first: usize, found: &[f32], number: u32) {
        let end = first + found.len();
        take_nearer(&mut self.distances[first..end], &mut self.of[first..end], found, number);
    }

    /// Takes out a row; the last one comes to its place.
    pub(super) fn swap_remove(&mut self, row: usize) {
        self.distances.swap_remove(row);
        self.of.swap_remove(row);
    }
}

/// Without branches, so that it becomes a few vector instructions: beside a matrix product it is to cost nothing.
fn take_nearer(distances: &mut [f32], of: &mut [u32], found: &[f32], number: u32) {
    for ((distance, of), &found) in distances.iter_mut().zip(of).zip(found) {
        let nearer = (found < *distance) | ((found == *distance) & (number < *of));
        *distance = if nearer { found } else { *distance };
        *of = if nearer { number } else { *of };
    }
}
