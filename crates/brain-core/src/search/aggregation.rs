//! What becomes of several query vectors.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::SearchRequest;
use crate::{Error, Metric, Result, validate};

/// What becomes of several query vectors.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Aggregation {
    /// Each query has an answer of its own.
    None,
    /// The query vectors are averaged, and the average is the query.
    #[default]
    Mean,
    /// Each item's distances to the queries are averaged.
    PostMean,
    /// The nearest of each item's distances counts.
    PostMin,
    /// The farthest of each item's distances counts.
    PostMax,
}

impl Aggregation {
    /// Every aggregation.
    pub const ALL: [Self; 5] = [Self::None, Self::Mean, Self::PostMean, Self::PostMin, Self::PostMax];

    /// The name, as the command line spells it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Mean => "mean",
            Self::PostMean => "post-mean",
            Self::PostMin => "post-min",
            Self::PostMax => "post-max",
        }
    }

    /// Whether it aggregates distances, not vectors.
    pub fn is_post(self) -> bool {
        matches!(self, Self::PostMean | Self::PostMin | Self::PostMax)
    }

    /// One distance out of an item's distances to all queries.
    pub(super) fn distance(self, distances: impl Iterator<Item = f32>) -> f32 {
        match self {
            Self::PostMin => distances.fold(f32::INFINITY, f32::min),
            Self::PostMax => distances.fold(f32::NEG_INFINITY, f32::max),
            Self::None | Self::Mean | Self::PostMean => {
                let (sum, count) = distances.fold((0.0, 0.0), |(sum, count), distance| (sum + f64::from(distance), count + 1.0));
                (sum / f64::max(count, 1.0)) as f32
            }
        }
    }
}

impl fmt::Display for Aggregation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for Aggregation {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        Self::ALL
            .into_iter()
            .find(|aggregation| aggregation.as_str() == text)
            .ok_or_else(|| Error::invalid(format!("{text:?} is no aggregation")).with_hint("choose mean, post-mean, post-min, post-max or none"))
    }
}

/// The vectors to search with: the request's own, each checked, or their average.
pub(super) fn queries(request: &SearchRequest<'_>, dimension: usize, metric: Metric) -> Result<Vec<Vec<f32>>> {
    if request.queries.is_empty() {
        return Err(Error::invalid("there is no query to search with").with_hint("give an id, a vector, or an image file"));
    }
    for query in &request.queries {
        validate::query(query, dimension, metric)?;
    }
    if request.aggregation != Aggregation::Mean || request.queries.len() == 1 {
        return Ok(request.queries.clone());
    }
    let mean = mean(&request.queries, dimension);
    validate::query(&mean, dimension, metric).map_err(|error| {
        error.with_context("query", "the mean of several vectors").with_hint("these queries cancel out: use --aggregation post-mean")
    })?;
    Ok(vec![mean])
}

fn mean(vectors: &[Vec<f32>], dimension: usize) -> Vec<f32> {
    let mut sums = vec![0.0_f64; dimension];
    for vector in vectors {
        sums.iter_mut().zip(vector).for_each(|(sum, &x)| *sum += f64::from(x));
    }
    sums.into_iter().map(|sum| (sum / vectors.len() as f64) as f32).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_read_back() {
        for aggregation in Aggregation::ALL {
            assert_eq!(aggregation.as_str().parse::<Aggregation>().unwrap(), aggregation);
        }
        assert!("median".parse::<Aggregation>().unwrap_err().hint().is_some());
    }

    #[test]
    fn opposite_queries_have_no_mean_under_cosine() {
        let request = SearchRequest::new(vec![vec![1.0, 0.0], vec![-1.0, 0.0]]);
        assert!(queries(&request, 2, Metric::Cosine).unwrap_err().hint().is_some_and(|hint| hint.contains("direction") || !hint.is_empty()));
        assert_eq!(queries(&request, 2, Metric::L1).unwrap(), [[0.0, 0.0]]);
    }
}
