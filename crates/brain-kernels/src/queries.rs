//! Several queries, compared with many rows in one call.

use crate::metric::Metric;
use crate::query::Query;

/// Several queries of one length and metric, made ready.
///
/// The distances are those of [`Query`], to the bit.
#[derive(Clone, Debug)]
pub struct Queries {
    queries: Vec<Query>,
    dimension: usize,
}

impl Queries {
    /// The queries `vectors`, one after the other, each of `dimension` numbers, to be compared under `metric`.
    ///
    /// # Panics
    /// When `dimension` is 0, or `vectors` is no whole count of them.
    pub fn new(metric: Metric, vectors: &[f32], dimension: usize) -> Self {
        assert!(dimension > 0 && vectors.len().is_multiple_of(dimension), "as many numbers as queries times dimension");
        Self { queries: vectors.chunks_exact(dimension).map(|vector| Query::new(metric, vector)).collect(), dimension }
    }

    /// How many queries there are.
    pub fn len(&self) -> usize {
        self.queries.len()
    }

    /// Whether there is no query.
    pub fn is_empty(&self) -> bool {
        self.queries.is_empty()
    }

    /// The distance of each row from each query: those of the first query row after row, then those of the second, and so on.
    ///
    /// # Panics
    /// When `rows` is no whole count of rows, or `out` is not as many numbers as queries times rows.
    pub fn distances(&self, rows: &[f32], out: &mut [f32]) {
        assert!(rows.len().is_multiple_of(self.dimension), "a whole count of rows");
        let count = rows.len() / self.dimension;
        assert_eq!(out.len(), count * self.queries.len(), "a place for every distance");
        if count > 0 {
            for (query, out) in self.queries.iter().zip(out.chunks_exact_mut(count)) {
                query.distances(rows, out);
            }
        }
    }
}
