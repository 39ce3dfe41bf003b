//! How near the items of a run are to one another, before anybody knows which threshold to choose.

use brain::core::View;
use brain::core::similar::Compared;
use brain::{Histogram, Neighbors, Similarity};
use serde::Serialize;

use crate::distance;
use crate::failure::Result;
use crate::output::Output;
use crate::plural::items;
use crate::table::Table;

/// How many bars the chart has.
const BARS: usize = 20;

/// How long the longest bar is.
const LONGEST: usize = 40;

/// The largest share of the items for which a threshold is suggested: with more, what is left is no choice of duplicates.
const MOST: f64 = 0.5;

/// A threshold to choose, and what it means.
#[derive(Debug, PartialEq, Serialize)]
struct Suggestion {
    threshold: f32,
    /// How many items have another one within it.
    near_another: usize,
    /// About how many of them are duplicates: one of each group is kept.
    about_duplicates: usize,
}

/// The document of the command while no threshold is chosen.
#[derive(Serialize)]
struct Document {
    /// `null` where there is nothing to compare.
    histogram: Option<Histogram>,
    suggestions: Vec<Suggestion>,
    compared: Compared,
}

/// Shows the distances of nearest neighbours: a chart, and thresholds to choose from.
pub(super) async fn show(output: &mut Output, similarity: &Similarity, view: Option<&View>) -> Result<()> {
    let neighbors = similarity.neighbors(1, view).await?;
    let (compared, histogram) = (neighbors.compared(), neighbors.histogram(BARS));
    let gap = before_the_gap(neighbors.nearest_distances());
    let suggestions = histogram.as_ref().map(|histogram| suggestions(&neighbors, histogram, gap)).unwrap_or_default();
    if output.is_json() {
        return Ok(output.document(&Document { histogram, suggestions, compared })?);
    }
    let counted = items(similarity.items(), compared.items as u64);
    let Some(histogram) = histogram else {
        output.line(format_args!("{counted} in the index: there is nothing to compare"))?;
        return super::warn_of_missing(output, similarity, compared);
    };
    let metric = similarity.record().config_text("metric").unwrap_or("its metric");
    output.heading(format_args!("How far {counted} are from the nearest other, by {metric}"))?;
    for line in chart(&histogram) {
        output.line(line)?;
    }
    output.line(format_args!(
        "nearest {}, median {}, mean {}, farthest {}\n",
        distance::shown(histogram.min),
        distance::shown(histogram.median),
        distance::shown(histogram.mean as f32),
        distance::shown(histogram.max)
    ))?;
    let mut table = Table::new().number("threshold").number("near another").number("duplicates, about");
    for Suggestion { threshold, near_another, about_duplicates } in &suggestions {
        table.row([threshold.to_string(), near_another.to_string(), about_duplicates.to_string()]);
    }
    output.table(&table)?;
    if let Some(threshold) = gap.or(suggestions.first().map(|first| first.threshold)) {
        let record = similarity.record();
        output.hint(format_args!("next: brain find-duplicates {} --brain-key {} --thresh {threshold}", record.dataset, record.key))?;
    }
    super::warn_of_missing(output, similarity, compared)
}

/// Thresholds at some shares of the items and before the gap, ascending.
fn suggestions(neighbors: &Neighbors, histogram: &Histogram, gap: Option<f32>) -> Vec<Suggestion> {
    let few = histogram.quantiles.iter().filter(|quantile| quantile.share <= MOST);
    let mut thresholds: Vec<f32> = few.map(|quantile| rounded_up(quantile.distance)).chain(gap).collect();
    thresholds.sort_by(f32::total_cmp);
    thresholds.dedup();
    let near_another = |threshold| neighbors.nearest_distances().filter(|&distance| distance <= threshold).count();
    let suggestion =
        |threshold| Suggestion { threshold, near_another: near_another(threshold), about_duplicates: neighbors.about_duplicates(threshold) };
    thresholds.into_iter().map(suggestion).collect()
}

/// The distance before the widest gap among those of the nearer half: what is nearer than the gap stands out from the rest.
fn before_the_gap(distances: impl Iterator<Item = f32>) -> Option<f32> {
    let mut distances: Vec<f32> = distances.collect();
    distances.sort_unstable_by(f32::total_cmp);
    let nearer = &distances[..distances.len().min((distances.len() as f64 * MOST) as usize + 1)];
    let widest = nearer.windows(2).max_by(|a, b| (a[1] - a[0]).total_cmp(&(b[1] - b[0])))?;
    // Rounding up may not go over the gap.
    (widest[0] < widest[1]).then(|| Some(rounded_up(widest[0])).filter(|&rounded| rounded < widest[1]).unwrap_or(widest[0]))
}

/// The next number of two digits that is not less: what a person types.
fn rounded_up(distance: f32) -> f32 {
    let exact = f64::from(distance);
    if exact == 0.0 {
        return 0.0;
    }
    let scale = 10_f64.powi(1 - exact.abs().log10().floor() as i32);
    // A number of two digits is itself, though its f32 is a hair more.
    let digits = (exact * scale - (exact * scale).abs() * f64::from(f32::EPSILON)).ceil();
    let rounded = (digits / scale) as f32;
    // Rounding may fall a hair short; beyond the range of f32 there is no rounder number.
    if rounded.is_finite() { rounded.max(distance) } else { distance }
}

/// A line for each bar: from where to where, how long, how many.
fn chart(histogram: &Histogram) -> Vec<String> {
    let most = histogram.counts.iter().copied().max().unwrap_or(1).max(1);
    let edges: Vec<String> = histogram.edges.iter().map(|&edge| distance::shown(edge)).collect();
    let width = edges.iter().map(String::len).max().unwrap_or_default();
    let bar = |(edges, &count): (&[String], &u64)| {
        // What is there is seen, however little it is.
        let length = (count as f64 / most as f64 * LONGEST as f64).ceil() as usize;
        format!("{:>width$} to {:>width$}  {:<LONGEST$}  {count}", edges[0], edges[1], "#".repeat(length))
    };
    edges.windows(2).zip(&histogram.counts).map(bar).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn suggested_thresholds_are_short_and_never_less() {
        for (distance, suggested) in
            [(0.0, 0.0), (0.012, 0.012), (0.012_34, 0.013), (0.5, 0.5), (0.999, 1.0), (7.01, 7.1), (123.0, 130.0), (-12.3, -12.0)]
        {
            assert_eq!(rounded_up(distance), suggested);
        }
        assert!(rounded_up(0.3) >= 0.3 && rounded_up(f32::MAX) == f32::MAX);
    }

    #[test]
    fn a_gap_is_looked_for_among_the_nearer_half() {
        let distances = [0.9, 0.011, 0.5, 0.012, 0.45, 0.47, 0.48, 0.51, 5.0];
        assert_eq!(before_the_gap(distances.into_iter()), Some(0.012));
        assert_eq!(before_the_gap([0.111, 0.112, 0.9].into_iter()), Some(0.111), "0.12 would be beyond the gap");
        assert_eq!(before_the_gap([0.5; 4].into_iter()), None);
    }

    #[test]
    fn bars_are_as_long_as_their_counts() {
        let histogram = Histogram::of(vec![0.0, 0.0, 0.0, 0.0, 0.6, 1.0], 2).unwrap();
        let lines = chart(&histogram);
        assert_eq!(lines[0], format!("0.0000 to 0.5000  {}  4", "#".repeat(40)));
        assert_eq!(lines[1], format!("0.5000 to 1.0000  {:<40}  2", "#".repeat(20)));
    }
}
