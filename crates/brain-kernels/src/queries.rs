//! Several queries, compared with many rows in one pass.

use crate::compare::{Which, compare};
use crate::metric::Metric;
use crate::prepared::Prepared;
use crate::rows::Rows;

/// Several queries of one length and metric, made ready.
///
/// Rows and queries are compared as a matrix product is computed: several of each at a time, so that a number is read once for many products. The
/// distances are those of [`Query`](crate::Query), to the bit.
#[derive(Clone, Debug)]
pub struct Queries {
    queries: Vec<Prepared>,
    dimension: usize,
}

impl Queries {
    /// The queries `vectors`, one after the other, each of `dimension` numbers, to be compared under `metric`.
    ///
    /// # Panics
    /// When `dimension` is 0, or `vectors` is no whole count of them.
    pub fn new(metric: Metric, vectors: &[f32], dimension: usize) -> Self {
        assert!(dimension > 0 && vectors.len().is_multiple_of(dimension), "as many numbers as queries times dimension");
        Self { queries: vectors.chunks_exact(dimension).map(|vector| Prepared::new(metric, vector)).collect(), dimension }
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
    pub fn distances<'r>(&self, rows: impl Into<Rows<'r>>, out: &mut [f32]) {
        let rows = rows.into();
        assert!(rows.len().is_multiple_of(self.dimension), "a whole count of rows");
        let count = rows.len() / self.dimension;
        assert_eq!(out.len(), count * self.queries.len(), "a place for every distance");
        compare(&self.queries, rows, Which::First(count), out);
    }

    /// The distances of the rows whose numbers are in `wanted`, in that order, from each query, laid out as by [`distances`](Self::distances).
    ///
    /// # Panics
    /// When `out` is not as many numbers as queries times `wanted`, or there is no such row.
    pub fn gather<'r>(&self, rows: impl Into<Rows<'r>>, wanted: &[u32], out: &mut [f32]) {
        assert_eq!(out.len(), wanted.len() * self.queries.len(), "a place for every distance");
        compare(&self.queries, rows.into(), Which::These(wanted), out);
    }
}
