//! One query, made ready to be compared with many rows.

use crate::compare::{Which, compare};
use crate::metric::Metric;
use crate::prepared::{Prepared, saturated};
use crate::rows::Rows;

/// A query vector with what each metric can work out beforehand.
///
/// # Accuracy
/// Sums run in `f32` over 16 accumulators: within about 1e-6 of the sum of the absolute terms. A sum that overflowed, or a sum of squares that
/// underflowed, is computed again by [`Metric::reference`] in `f64`; a distance beyond `f32` is returned as ±[`f32::MAX`]. No result is a NaN, an
/// infinity or −0. Under cosine, rows that equal the query or a power of two times it are at exactly 0.
#[derive(Clone, Debug)]
pub struct Query(Prepared);

impl Query {
    /// The query `vector`, to be compared under `metric`.
    pub fn new(metric: Metric, vector: &[f32]) -> Self {
        Self(Prepared::new(metric, vector))
    }

    /// What the query is compared under.
    pub fn metric(&self) -> Metric {
        self.0.metric
    }

    /// The query's numbers.
    pub fn vector(&self) -> &[f32] {
        &self.0.vector
    }

    /// The distance of one row.
    ///
    /// # Panics
    /// When the row has another length than the query.
    pub fn distance<'r>(&self, row: impl Into<Rows<'r>>) -> f32 {
        let mut out = [0.0];
        self.distances(row, &mut out);
        out[0]
    }

    /// The distance of each of `out.len()` rows, which lie one after the other, each as long as the query.
    ///
    /// # Panics
    /// When `rows` is not that many numbers.
    pub fn distances<'r>(&self, rows: impl Into<Rows<'r>>, out: &mut [f32]) {
        let rows = rows.into();
        assert_eq!(rows.len(), out.len() * self.vector().len(), "as many numbers as rows times dimension");
        self.compare(rows, Which::First(out.len()), out);
    }

    /// The distance of each row whose number is in `wanted`, in that order; `rows` lie as for [`distances`](Self::distances).
    ///
    /// # Panics
    /// When `out` is not as long as `wanted`, or there is no such row.
    pub fn gather<'r>(&self, rows: impl Into<Rows<'r>>, wanted: &[u32], out: &mut [f32]) {
        assert_eq!(wanted.len(), out.len(), "a place for every row that is wanted");
        self.compare(rows.into(), Which::These(wanted), out);
    }

    fn compare(&self, rows: Rows<'_>, which: Which<'_>, out: &mut [f32]) {
        if self.vector().is_empty() {
            out.fill(saturated(self.metric().reference(&[], &[])));
        } else {
            compare(std::slice::from_ref(&self.0), rows, which, out);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Queries, f16};
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
        fn a_row_has_one_distance_in_any_company((a, b) in pair(number().boxed()), count in 1_usize..60, queries in prop_oneof![4 => 1_usize..8, 1 => 95_usize..110]) {
            // Rows and queries that are `a` here and there, and `b` else.
            let turns = |count: usize, every: usize| (0..count).flat_map(|i| if i % every == 0 { a.clone() } else { b.clone() }).collect::<Vec<f32>>();
            let (rows, vectors) = (turns(count, 3), turns(queries, 2));
            let halves: Vec<f16> = rows.iter().map(|&x| f16::from_f32(x)).collect();
            let wanted: Vec<u32> = (0..count as u32).rev().step_by(2).collect();
            for metric in Metric::ALL {
                let together = Queries::new(metric, &vectors, a.len());
                let (mut out, mut gathered, mut of_halves) = (vec![0.0; queries * count], vec![0.0; queries * wanted.len()], vec![0.0; queries * count]);
                together.distances(&rows[..], &mut out);
                together.gather(&rows[..], &wanted, &mut gathered);
                together.distances(&halves[..], &mut of_halves);
                for (number, vector) in vectors.chunks(a.len()).enumerate() {
                    let query = Query::new(metric, vector);
                    let (mut alone, mut few) = (vec![0.0; count], vec![0.0; wanted.len()]);
                    query.distances(&rows[..], &mut alone);
                    query.gather(&rows[..], &wanted, &mut few);
                    for (row, numbers) in rows.chunks(a.len()).enumerate() {
                        let expected = query.distance(numbers).to_bits();
                        prop_assert_eq!(alone[row].to_bits(), expected);
                        prop_assert_eq!(out[number * count + row].to_bits(), expected);
                        let widened: Vec<f32> = numbers.iter().map(|&x| f16::from_f32(x).to_f32()).collect();
                        prop_assert_eq!(of_halves[number * count + row].to_bits(), query.distance(&widened[..]).to_bits());
                    }
                    for (position, &row) in wanted.iter().enumerate() {
                        prop_assert_eq!(few[position].to_bits(), alone[row as usize].to_bits());
                        prop_assert_eq!(gathered[number * wanted.len() + position].to_bits(), alone[row as usize].to_bits());
                    }
                }
            }
        }

        #[test]
        fn a_vector_is_at_zero_from_itself((a, _) in pair(number().boxed())) {
            prop_assume!(a.iter().any(|&x| x != 0.0));
            for metric in [Metric::Cosine, Metric::Euclidean, Metric::L1, Metric::Hamming] {
                prop_assert_eq!(Query::new(metric, &a).distance(&a[..]), 0.0);
            }
            let doubled: Vec<f32> = a.iter().map(|x| x * 2.0).collect();
            prop_assert_eq!(Query::new(Metric::Cosine, &a).distance(&doubled[..]), 0.0);
        }
    }

    #[test]
    fn the_largest_numbers_saturate() {
        let (a, b) = ([3e38; 40], [-3e38; 40]);
        assert_eq!(Query::new(Metric::DotProduct, &a).distance(&b[..]), f32::MAX);
        assert_eq!(Query::new(Metric::DotProduct, &a).distance(&a[..]), f32::MIN);
        assert_eq!(Query::new(Metric::L1, &a).distance(&b[..]), f32::MAX);
        assert_eq!(Query::new(Metric::Cosine, &a).distance(&b[..]), 2.0);
        assert_eq!(Query::new(Metric::Cosine, &[-1e18, 1e38]).distance(&[-7e18, 0.0][..]), 1.0);
        assert_eq!(Query::new(Metric::Euclidean, &[1e-30; 3]).distance(&[0.0; 3][..]), 3.0_f32.sqrt() * 1e-30);
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
