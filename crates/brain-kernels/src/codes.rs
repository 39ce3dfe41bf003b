//! Rows in a quarter of their bytes or fewer, from which distances are known to within bounds.

mod bounds;
mod encode;
mod signs;
#[cfg(test)]
mod tests;

use crate::metric::Metric;

use bounds::ByteQuery;
use signs::SignQuery;

/// Sums of products of codes must stay within 32 bits.
const DIMENSION_MOST: usize = 65_536;

/// How the rows of an index are coded: each row is a record of fixed size.
///
/// Under cosine, dotproduct, euclidean and l1 a number becomes a byte: the row is divided by a 127th of its largest number, and rounded. The record
/// keeps what was lost by it, so that [`CodedQuery::bounds`] can say of every row how near it is at least and at most. Whoever compares only rows that may
/// be near enough, finds exactly what comparing all of them finds. Under hamming and jaccard a number becomes its sign bit, which is all that these
/// metrics look at: the bounds are the distance.
///
/// ```
/// use brain_kernels::{Coding, Metric, Query};
/// let rows = [[0.9, 0.1, -0.3], [-0.2, 0.7, 0.4]];
/// let coding = Coding::of(Metric::Euclidean, 3).unwrap();
/// let mut records = vec![0; rows.len() * coding.record_bytes()];
/// coding.encode(rows.as_flattened(), &mut records);
/// let query = [0.5, 0.5, 0.0];
/// let (mut lower, mut upper) = ([0.0; 2], [0.0; 2]);
/// coding.query(&query).bounds(&records, &mut lower, &mut upper);
/// for (row, (lower, upper)) in rows.iter().zip(lower.iter().zip(&upper)) {
///     let distance = Query::new(Metric::Euclidean, &query).distance(&row[..]);
///     assert!(*lower <= distance && distance <= *upper && upper - lower < 0.02);
/// }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Coding {
    metric: Metric,
    dimension: usize,
}

impl Coding {
    /// The coding of rows of `dimension` numbers that are compared under `metric`; `None` for rows longer than 65,536 numbers.
    pub fn of(metric: Metric, dimension: usize) -> Option<Self> {
        (1..=DIMENSION_MOST).contains(&dimension).then_some(Self { metric, dimension })
    }

    /// How many bytes a record has: a multiple of 8.
    pub fn record_bytes(&self) -> usize {
        if self.is_exact() { signs::record_bytes(self.dimension) } else { encode::record_bytes(self.dimension) }
    }

    /// Whether the bounds are the distance itself.
    pub fn is_exact(&self) -> bool {
        matches!(self.metric, Metric::Hamming | Metric::Jaccard)
    }

    /// Writes the records of `rows`, one after the other.
    ///
    /// # Panics
    /// When the rows are not of the coding's dimension, or the records not as many.
    pub fn encode(&self, rows: &[f32], records: &mut [u8]) {
        let (rows, rest) = (rows.chunks_exact(self.dimension), rows.len() % self.dimension);
        assert!(rest == 0 && records.len() == rows.len() * self.record_bytes(), "as many records as rows");
        for (row, record) in rows.zip(records.chunks_exact_mut(self.record_bytes())) {
            if self.is_exact() { signs::encode(row, record) } else { encode::encode(self.metric, row, record) }
        }
    }

    /// The query `vector`, made ready to be compared with records.
    ///
    /// # Panics
    /// When it has another length than the rows.
    pub fn query(&self, vector: &[f32]) -> CodedQuery {
        assert_eq!(vector.len(), self.dimension, "a query of the coding's dimension");
        let kind = if self.is_exact() { Kind::Signs(SignQuery::new(self.metric, vector)) } else { Kind::Bytes(ByteQuery::new(self.metric, vector)) };
        CodedQuery { record_bytes: self.record_bytes(), kind }
    }
}

/// A query, to be compared with coded rows.
#[derive(Clone, Debug)]
pub struct CodedQuery {
    record_bytes: usize,
    kind: Kind,
}

#[derive(Clone, Debug)]
enum Kind {
    Bytes(ByteQuery),
    Signs(SignQuery),
}

/// Which records are compared.
#[derive(Clone, Copy)]
struct Records<'a> {
    bytes: &'a [u8],
    stride: usize,
    which: crate::compare::Which<'a>,
}

impl Records<'_> {
    #[inline(always)]
    fn at(&self, position: usize) -> &[u8] {
        let start = self.which.row(position) * self.stride;
        &self.bytes[start..start + self.stride]
    }
}

impl CodedQuery {
    /// What the distance of each of `lower.len()` rows is at least and at most. No distance that [`Query`](crate::Query) computes for the row itself is
    /// outside.
    ///
    /// # Panics
    /// When `lower` and `upper` have different lengths, or `records` is not that many records.
    pub fn bounds(&self, records: &[u8], lower: &mut [f32], upper: &mut [f32]) {
        assert_eq!(records.len(), lower.len() * self.record_bytes, "as many records as places for bounds");
        self.compare(records, crate::compare::Which::First(lower.len()), lower, upper);
    }

    /// The bounds of the rows whose numbers are in `wanted`, in that order.
    ///
    /// # Panics
    /// When there are not as many places as wanted rows, or there is no such row.
    pub fn gather(&self, records: &[u8], wanted: &[u32], lower: &mut [f32], upper: &mut [f32]) {
        assert_eq!(wanted.len(), lower.len(), "a place for the bounds of every row");
        self.compare(records, crate::compare::Which::These(wanted), lower, upper);
    }

    fn compare(&self, bytes: &[u8], which: crate::compare::Which<'_>, lower: &mut [f32], upper: &mut [f32]) {
        assert_eq!(lower.len(), upper.len(), "a lower and an upper bound for every row");
        let records = Records { bytes, stride: self.record_bytes, which };
        match &self.kind {
            Kind::Bytes(query) => query.compare(records, lower, upper),
            Kind::Signs(query) => {
                query.compare(records, lower);
                upper.copy_from_slice(lower);
            }
        }
    }
}
