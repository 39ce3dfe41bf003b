use proptest::prelude::*;

use super::*;
use crate::Query;

fn extreme() -> impl Strategy<Value = f32> {
    let size =
        prop_oneof![6 => Just(1.0_f32), 1 => Just(3e38), 1 => Just(1e19), 1 => Just(1e-19), 1 => Just(1e-38), 1 => Just(1e-44), 1 => Just(0.0)];
    (size, -1.0..1.0_f32).prop_map(|(size, x)| size * x)
}

fn rows(numbers: impl Strategy<Value = f32> + 'static) -> impl Strategy<Value = (usize, Vec<f32>, Vec<f32>)> {
    let numbers = numbers.boxed();
    (1_usize..150).prop_flat_map(move |d| (Just(d), prop::collection::vec(numbers.clone(), d * 3), prop::collection::vec(numbers.clone(), d)))
}

/// Every distance of the exact comparison lies within its bounds, and gathered bounds are the same.
fn holds(dimension: usize, rows: &[f32], query: &[f32]) -> Result<(), TestCaseError> {
    for metric in Metric::ALL {
        // No index under cosine holds a zero vector, and no query is one.
        if metric == Metric::Cosine && rows.chunks(dimension).chain([query]).any(|row| row.iter().all(|&x| x == 0.0)) {
            continue;
        }
        let coding = Coding::of(metric, dimension).unwrap();
        let mut records = vec![0; 3 * coding.record_bytes()];
        coding.encode(rows, &mut records);
        let coded = coding.query(query);
        let (mut lower, mut upper, mut exact) = ([0.0; 3], [0.0; 3], [0.0; 3]);
        coded.bounds(&records, &mut lower, &mut upper);
        Query::new(metric, query).distances(rows, &mut exact);
        for row in 0..3 {
            prop_assert!(lower[row] <= exact[row] && exact[row] <= upper[row], "{}: {} not in {} to {}", metric, exact[row], lower[row], upper[row]);
            prop_assert!(!coding.is_exact() || lower[row].to_bits() == exact[row].to_bits(), "{}: {} is not {}", metric, lower[row], exact[row]);
        }
        let (mut low, mut high) = ([0.0; 2], [0.0; 2]);
        coded.gather(&records, &[2, 0], &mut low, &mut high);
        prop_assert_eq!((low, high), ([lower[2], lower[0]], [upper[2], upper[0]]));
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn distances_lie_within_their_bounds((dimension, rows, query) in rows(-1.0..1.0_f32)) {
        holds(dimension, &rows, &query)?;
    }

    #[test]
    fn huge_and_tiny_numbers_lie_within_their_bounds((dimension, rows, query) in rows(extreme())) {
        holds(dimension, &rows, &query)?;
    }

    #[test]
    fn a_row_near_the_query_lies_within_its_bounds((dimension, rows, _) in rows(-1.0..1.0_f32), step in 0.0..1e-3_f32) {
        let query: Vec<f32> = rows[..dimension].iter().map(|x| x + step).collect();
        holds(dimension, &rows, &query)?;
    }
}

#[test]
fn bounds_are_close_enough_to_tell_rows_apart() {
    let number = |i: usize| ((i * 2_654_435_761) % 1000) as f32 / 500.0 - 1.0;
    for metric in [Metric::Cosine, Metric::DotProduct, Metric::Euclidean, Metric::L1] {
        let (rows, query): (Vec<f32>, Vec<f32>) = ((0..512 * 100).map(number).collect(), (7..519).map(number).collect());
        let coding = Coding::of(metric, 512).unwrap();
        let mut records = vec![0; 100 * coding.record_bytes()];
        coding.encode(&rows, &mut records);
        let (mut lower, mut upper, mut exact) = ([0.0; 100], [0.0; 100], [0.0; 100]);
        coding.query(&query).bounds(&records, &mut lower, &mut upper);
        Query::new(metric, &query).distances(&rows[..], &mut exact);
        let spread = exact.iter().copied().fold(f32::MIN, f32::max) - exact.iter().copied().fold(f32::MAX, f32::min);
        let widest = lower.iter().zip(&upper).map(|(lower, upper)| upper - lower).fold(0.0, f32::max);
        assert!(widest < spread / 5.0, "{metric}: {widest} of {spread}");
    }
}

#[test]
fn what_is_too_long_has_no_coding() {
    assert_eq!(Coding::of(Metric::Cosine, 0), None);
    assert_eq!(Coding::of(Metric::Cosine, 65_537), None);
    let longest = Coding::of(Metric::DotProduct, 65_536).unwrap();
    let row = vec![-1.0; 65_536];
    let mut record = vec![0; longest.record_bytes()];
    longest.encode(&row, &mut record);
    let (mut lower, mut upper) = ([0.0], [0.0]);
    longest.query(&row).bounds(&record, &mut lower, &mut upper);
    assert!(lower[0] <= -65_536.0 && -65_536.0 <= upper[0] && upper[0] < -65_000.0, "{lower:?} {upper:?}");
}
