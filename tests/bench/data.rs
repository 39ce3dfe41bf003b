//! Vectors to measure with.

use brain::core::{Item, ItemId, Result, VectorBatch};
use futures::stream::{self, BoxStream, StreamExt as _};
use rayon::prelude::*;

const BATCH: usize = 1000;

/// Rows of random numbers around centres, a hundred rows to each, as embeddings of photos lie; or without centres.
pub(crate) struct Data {
    pub(crate) dimension: usize,
    pub(crate) vectors: Vec<f32>,
}

impl Data {
    pub(crate) fn new(rows: usize, dimension: usize, clustered: bool) -> Self {
        let centres = rows.div_ceil(100);
        let mut vectors = vec![0.0; rows * dimension];
        vectors.par_chunks_mut(dimension).enumerate().for_each(|(row, vector)| {
            let mut noise = Random::new(row as u64 + 1);
            vector.iter_mut().for_each(|x| *x = noise.number());
            if clustered {
                // Neighbours in the file belong to different centres.
                let mut centre = Random::new(u64::MAX - (row % centres) as u64);
                vector.iter_mut().for_each(|x| *x += centre.number());
            }
        });
        Self { dimension, vectors }
    }

    pub(crate) fn rows(&self) -> usize {
        self.vectors.len() / self.dimension
    }

    /// An id for each row, in their order.
    pub(crate) fn ids(&self) -> Vec<ItemId> {
        (0..self.rows()).map(|row| ItemId::from_text(&format!("{row:024x}"))).collect()
    }

    /// The rows in batches of a thousand, each copied when it is asked for.
    pub(crate) fn batches<'a>(&'a self, ids: &'a [ItemId]) -> BoxStream<'a, Result<VectorBatch>> {
        let batch = |from: usize| {
            let to = (from + BATCH).min(self.rows());
            let items = ids[from..to].iter().cloned().map(Item::sample).collect();
            VectorBatch::new(items, self.dimension, self.vectors[from * self.dimension..to * self.dimension].to_vec())
        };
        stream::iter((0..self.rows()).step_by(BATCH)).map(batch).boxed()
    }

    pub(crate) fn row(&self, row: usize) -> &[f32] {
        &self.vectors[row * self.dimension..(row + 1) * self.dimension]
    }
}

/// Numbers about 0, the same for a seed.
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        let mut random = Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
        for _ in 0..8 {
            random.number();
        }
        random
    }

    pub(crate) fn number(&mut self) -> f32 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 40) as f32 / (1 << 23) as f32 - 1.0
    }
}
