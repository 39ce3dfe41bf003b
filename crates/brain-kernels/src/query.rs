//! One query, made ready to be compared with many rows.

use crate::instructions::sweep;
use crate::lanes::{Arithmetic, fold};
use crate::metric::Metric;

/// Sums of squares below this have lost digits to underflow (a square below 1e-38 keeps few or none): they are computed again in `f64`.
const UNDERFLOW: f32 = 1e-30;

/// A query vector with what each metric can work out beforehand.
///
/// # Accuracy
/// Sums run in `f32` over 32 accumulators: within about 1e-6 of the sum of the absolute terms. A sum that overflowed, or a sum of squares that
/// underflowed, is computed again by [`Metric::reference`] in `f64`; a distance beyond `f32` is returned as ±[`f32::MAX`]. No result is a NaN, an
/// infinity or −0. Under cosine, rows that equal the query or a power of two times it are at exactly 0.
#[derive(Clone, Debug)]
pub struct Query {
    metric: Metric,
    vector: Vec<f32>,
    /// Σxᵢ², for cosine; computed as the rows' are, so that equal vectors have equal norms.
    square: f32,
    /// 1 where xᵢ > 0, else 0, for the metrics on sign bits. Kept and counted in `f32`, exactly up to 2²⁴: the rows are `f32`, and lanes of one type
    /// stay in the vector registers.
    signs: Vec<f32>,
    /// How many signs are 1.
    ones: f32,
}

impl Query {
    /// The query `vector`, to be compared under `metric`.
    pub fn new(metric: Metric, vector: &[f32]) -> Self {
        let mut query = Self { metric, vector: vector.to_vec(), square: 0.0, signs: Vec::new(), ones: 0.0 };
        match metric {
            Metric::Cosine => {
                // −⟨x,x⟩ by the very code that the rows go through. Out of range, it is the largest number or tiny, and every row goes by the reference.
                let mut square = [0.0];
                sweep(&Self { metric: Metric::DotProduct, ..query.clone() }, vector, &mut square);
                query.square = -square[0];
            }
            Metric::Hamming | Metric::Jaccard => {
                query.signs = vector.iter().map(|&x| sign_bit(x)).collect();
                query.ones = query.signs.iter().sum();
            }
            Metric::DotProduct | Metric::Euclidean | Metric::L1 => {}
        }
        query
    }

    /// What the query is compared under.
    pub fn metric(&self) -> Metric {
        self.metric
    }

    /// The query's numbers.
    pub fn vector(&self) -> &[f32] {
        &self.vector
    }

    /// The distance of one row.
    ///
    /// # Panics
    /// When the row has another length than the query.
    pub fn distance(&self, row: &[f32]) -> f32 {
        let mut out = [0.0];
        self.distances(row, &mut out);
        out[0]
    }

    /// The distance of each of `out.len()` rows, which lie one after the other, each as long as the query.
    ///
    /// # Panics
    /// When `rows` is not that many numbers.
    pub fn distances(&self, rows: &[f32], out: &mut [f32]) {
        assert_eq!(rows.len(), out.len() * self.vector.len(), "as many numbers as rows times dimension");
        if self.vector.is_empty() {
            out.fill(saturated(self.metric.reference(&[], &[])));
        } else {
            sweep(self, rows, out);
        }
    }

    #[inline(always)]
    pub(crate) fn each_row<M: Arithmetic>(&self, rows: &[f32], out: &mut [f32]) {
        let rows = rows.chunks_exact(self.vector.len()).zip(out);
        // One loop for each metric, so that the choice is made once for all rows; plain loops, because a closure handed to `for_each` may be
        // compiled apart, without the instructions of the sweep.
        match self.metric {
            Metric::Cosine => {
                for (row, out) in rows {
                    *out = self.cosine::<M>(row);
                }
            }
            Metric::DotProduct => {
                for (row, out) in rows {
                    *out = self.dot_product::<M>(row);
                }
            }
            Metric::Euclidean => {
                for (row, out) in rows {
                    *out = self.euclidean::<M>(row);
                }
            }
            Metric::L1 => {
                for (row, out) in rows {
                    *out = self.l1(row);
                }
            }
            Metric::Hamming => {
                for (row, out) in rows {
                    *out = self.hamming(row);
                }
            }
            Metric::Jaccard => {
                for (row, out) in rows {
                    *out = self.jaccard::<M>(row);
                }
            }
        }
    }

    #[inline(always)]
    fn cosine<M: Arithmetic>(&self, row: &[f32]) -> f32 {
        let [dot, square] = fold(row, &self.vector, |[dot, square], x, y| [M::multiply_add(x, y, dot), M::multiply_add(x, x, square)]);
        // The query's own square saturates at the largest number, which is therefore out of range.
        let in_range = UNDERFLOW..f32::MAX;
        if !in_range.contains(&square) || !in_range.contains(&self.square) || !dot.is_finite() {
            return self.by_reference(row);
        }
        // In f64 the root of a square is the number itself: equal vectors are at exactly 0.
        let norms = (f64::from(square) * f64::from(self.square)).sqrt();
        (1.0 - (f64::from(dot) / norms).clamp(-1.0, 1.0)) as f32
    }

    #[inline(always)]
    fn dot_product<M: Arithmetic>(&self, row: &[f32]) -> f32 {
        let [dot] = fold(row, &self.vector, |[dot], x, y| [M::multiply_add(x, y, dot)]);
        // Adding 0 turns −0 into 0, which would otherwise rank as different.
        if dot.is_finite() { -dot + 0.0 } else { self.by_reference(row) }
    }

    #[inline(always)]
    fn euclidean<M: Arithmetic>(&self, row: &[f32]) -> f32 {
        let [square] = fold(row, &self.vector, |[square], x, y| [M::multiply_add(x - y, x - y, square)]);
        if (UNDERFLOW..f32::INFINITY).contains(&square) { square.sqrt() } else { self.by_reference(row) }
    }

    #[inline(always)]
    fn l1(&self, row: &[f32]) -> f32 {
        let [sum] = fold(row, &self.vector, |[sum]: [f32; 1], x, y| [sum + (x - y).abs()]);
        if sum.is_finite() { sum } else { self.by_reference(row) }
    }

    #[inline(always)]
    fn hamming(&self, row: &[f32]) -> f32 {
        let [differing] = fold(row, &self.signs, |[differing]: [f32; 1], x, sign: f32| [differing + (sign_bit(x) - sign).abs()]);
        differing
    }

    #[inline(always)]
    fn jaccard<M: Arithmetic>(&self, row: &[f32]) -> f32 {
        let [both, ones] = fold(row, &self.signs, |[both, ones], x, sign| [M::multiply_add(sign_bit(x), sign, both), ones + sign_bit(x)]);
        // Bits set in either are those of both sides less those counted twice.
        let either = self.ones + ones - both;
        if both == 0.0 { 1.0 } else { (1.0 - f64::from(both) / f64::from(either)) as f32 }
    }

    #[cold]
    #[inline(never)]
    fn by_reference(&self, row: &[f32]) -> f32 {
        saturated(self.metric.reference(row, &self.vector))
    }
}

/// Bit i of the sign bits, as a number.
#[inline(always)]
fn sign_bit(x: f32) -> f32 {
    if x > 0.0 { 1.0 } else { 0.0 }
}

/// The nearest finite `f32`; a NaN, which only vectors that validation refuses can give, is as far as can be.
fn saturated(distance: f64) -> f32 {
    if distance.is_nan() { f32::MAX } else { (distance as f32).clamp(f32::MIN, f32::MAX) + 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Close to the definition: by 1e-5 of the sum of the absolute terms, which is what a sum of `f32` can promise when terms cancel out.
    fn close(metric: Metric, row: &[f32], query: &[f32]) -> Result<(), TestCaseError> {
        let found = Query::new(metric, query).distance(row);
        let expected = metric.reference(row, query);
        let scale = match metric {
            Metric::DotProduct => row.iter().zip(query).map(|(&x, &y)| (f64::from(x) * f64::from(y)).abs()).sum(),
            Metric::Cosine => 1.0,
            _ => expected.abs(),
        };
        let expected = expected.clamp(f64::from(f32::MIN), f64::from(f32::MAX));
        prop_assert!(found.is_finite() && found.to_bits() != (-0.0_f32).to_bits());
        let tolerance = 1e-5 * scale + 1e-40;
        prop_assert!((f64::from(found) - expected).abs() <= tolerance, "{}: {} is not {}", metric, found, expected);
        Ok(())
    }

    fn number() -> impl Strategy<Value = f32> {
        prop_oneof![8 => -2.0..2.0_f32, 1 => Just(0.0_f32), 1 => Just(-0.0_f32)]
    }

    fn extreme() -> impl Strategy<Value = f32> {
        let size = prop_oneof![Just(3e38_f32), Just(1e30), Just(1e19), Just(1.0), Just(1e-19), Just(1e-30), Just(1e-38), Just(1e-44), Just(0.0)];
        (size, -1.0..1.0_f32).prop_map(|(size, x)| size * x)
    }

    fn pair(numbers: impl Strategy<Value = f32> + Clone) -> impl Strategy<Value = (Vec<f32>, Vec<f32>)> {
        (1_usize..130).prop_flat_map(move |d| (prop::collection::vec(numbers.clone(), d), prop::collection::vec(numbers.clone(), d)))
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn distances_are_those_of_the_definition((a, b) in pair(number().boxed())) {
            for metric in Metric::ALL {
                close(metric, &a, &b)?;
            }
        }

        #[test]
        fn huge_and_denormal_numbers_are_ranked((a, b) in pair(extreme().boxed())) {
            for metric in Metric::ALL {
                close(metric, &a, &b)?;
            }
        }

        #[test]
        fn a_row_has_one_distance_in_any_company((a, b) in pair(number().boxed())) {
            let rows = [b.clone(), a.clone(), b.clone(), a.clone()].concat();
            for metric in Metric::ALL {
                let query = Query::new(metric, &b);
                let mut out = [0.0; 4];
                query.distances(&rows, &mut out);
                prop_assert_eq!(out[1].to_bits(), query.distance(&a).to_bits());
                prop_assert_eq!(out[3].to_bits(), out[1].to_bits());
            }
        }

        #[test]
        fn a_vector_is_at_zero_from_itself((a, _) in pair(number().boxed())) {
            prop_assume!(a.iter().any(|&x| x != 0.0));
            for metric in [Metric::Cosine, Metric::Euclidean, Metric::L1, Metric::Hamming] {
                prop_assert_eq!(Query::new(metric, &a).distance(&a), 0.0);
            }
            let doubled: Vec<f32> = a.iter().map(|x| x * 2.0).collect();
            prop_assert_eq!(Query::new(Metric::Cosine, &a).distance(&doubled), 0.0);
        }
    }

    #[test]
    fn the_largest_numbers_saturate() {
        let (a, b) = ([3e38; 40], [-3e38; 40]);
        assert_eq!(Query::new(Metric::DotProduct, &a).distance(&b), f32::MAX);
        assert_eq!(Query::new(Metric::DotProduct, &a).distance(&a), f32::MIN);
        assert_eq!(Query::new(Metric::L1, &a).distance(&b), f32::MAX);
        assert_eq!(Query::new(Metric::Cosine, &a).distance(&b), 2.0);
        assert_eq!(Query::new(Metric::Cosine, &[-1e18, 1e38]).distance(&[-7e18, 0.0]), 1.0);
        assert_eq!(Query::new(Metric::Euclidean, &[1e-30; 3]).distance(&[0.0; 3]), 3.0_f32.sqrt() * 1e-30);
    }

    #[test]
    fn a_hundred_thousand_dimensions_keep_their_digits() {
        let a: Vec<f32> = (0..100_003).map(|i| (i as f32).sin()).collect();
        let b: Vec<f32> = (0..100_003).map(|i| (i as f32 * 0.7).cos()).collect();
        for metric in Metric::ALL {
            close(metric, &a, &b).unwrap();
        }
    }
}
