//! How distances are distributed.

use serde::Serialize;

/// The shares at which a histogram says the distance: few enough to read, dense where duplicates are.
const SHARES: [f64; 8] = [0.01, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.99];

/// Distances counted in bars of equal width, with what else describes them.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Histogram {
    /// Where the bars begin, and where the last one ends: one number more than there are counts, ascending.
    pub edges: Vec<f32>,
    /// How many distances each bar holds: from its beginning on, up to but without its end; the last one with it.
    pub counts: Vec<u64>,
    /// The smallest distance.
    pub min: f32,
    /// The largest distance.
    pub max: f32,
    /// The average.
    pub mean: f64,
    /// The distance that half of all are within.
    pub median: f32,
    /// The distances that other shares of all are within, ascending.
    pub quantiles: Vec<Quantile>,
}

/// A share of the distances, and the distance that they are within.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Quantile {
    /// The share, 0 to 1.
    pub share: f64,
    /// At least that share of the distances are no larger; the smallest distance of which this is true.
    pub distance: f32,
}

impl Histogram {
    /// The distribution of `distances` in `bins` bars between the smallest and the largest; a single bar where they are all the same. `None` of no
    /// distances, or in no bars.
    pub fn of(mut distances: Vec<f32>, bins: usize) -> Option<Self> {
        distances.sort_unstable_by(f32::total_cmp);
        let (&min, &max) = (distances.first()?, distances.last()?);
        let bins = if min == max { bins.min(1) } else { bins };
        // In f64, where the width of the whole range of f32 is still a number.
        let (start, width) = (f64::from(min), (f64::from(max) - f64::from(min)) / bins.max(1) as f64);
        let mut edges: Vec<f32> = (0..bins).map(|bin| (start + width * bin as f64) as f32).collect();
        edges.push(max);
        let below = |edge: f32| distances.partition_point(|&distance| distance < edge);
        let ends = edges.iter().skip(1).take(bins.checked_sub(1)?).map(|&edge| below(edge)).chain([distances.len()]);
        let counts = ends.scan(0, |begin, end| Some((end - std::mem::replace(begin, end)) as u64)).collect();
        let quantile = |share: f64| distances[((share * distances.len() as f64).ceil() as usize).clamp(1, distances.len()) - 1];
        Some(Self {
            counts,
            min,
            max,
            mean: distances.iter().map(|&distance| f64::from(distance)).sum::<f64>() / distances.len() as f64,
            median: quantile(0.5),
            quantiles: SHARES.map(|share| Quantile { share, distance: quantile(share) }).to_vec(),
            edges,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_distance_is_in_one_bar() {
        let histogram = Histogram::of(vec![4.0, 0.0, 1.0, 3.9, 2.0, 1.5], 4).unwrap();
        assert_eq!(histogram.edges, [0.0, 1.0, 2.0, 3.0, 4.0]);
        assert_eq!(histogram.counts, [1, 2, 1, 2]);
        assert_eq!((histogram.min, histogram.max, histogram.median), (0.0, 4.0, 1.5));
        assert!((histogram.mean - 12.4 / 6.0).abs() < 1e-6, "{}", histogram.mean);
        let quantiles: Vec<f32> = histogram.quantiles.iter().map(|quantile| quantile.distance).collect();
        assert_eq!(quantiles, [0.0, 0.0, 0.0, 1.0, 1.5, 3.9, 4.0, 4.0]);
    }

    #[test]
    fn equal_distances_are_one_bar_and_none_are_no_histogram() {
        let equal = Histogram::of(vec![0.5; 7], 20).unwrap();
        assert_eq!((equal.edges, equal.counts), (vec![0.5, 0.5], vec![7]));
        assert!(Histogram::of(Vec::new(), 20).is_none() && Histogram::of(vec![1.0], 0).is_none());
    }

    #[test]
    fn the_whole_range_of_f32_has_a_width() {
        let widest = Histogram::of(vec![f32::MIN, 0.0, f32::MAX], 2).unwrap();
        assert_eq!(widest.counts, [1, 2]);
        assert!(widest.edges.iter().all(|edge| edge.is_finite()));
    }
}
