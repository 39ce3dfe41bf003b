//! One query out of several: sentences, pictures, items and vectors, each with a weight.

use std::path::PathBuf;

use serde::Serialize;

use crate::{Error, ErrorKind, ItemId, Metric, Result};

/// Several things that are searched with as one; negative weights lead away from what they stand at.
///
/// The query vector is Σ wᵢ·vᵢ / Σ⁺wᵢ, the divisor being the sum of the positive weights (of all magnitudes, where none is positive). Under `cosine`
/// each vᵢ is first scaled to length 1, so that a weight says how much a part counts, however long its vector is; under the other metrics,
/// where length means something, vectors are taken as they are. With positive weights only it is the weighted mean.
///
/// ```
/// use brain_core::{Metric, Query, Weighted};
/// let query = Weighted::new().text("a dog", 1.0).image("x.jpg", 0.5).not_text("indoor", 0.5);
/// let vectors = [vec![1.0, 0.0], vec![0.0, 2.0], vec![0.0, 1.0]];
/// assert_eq!(query.combine(&vectors, Metric::Cosine)?, [1.0 / 1.5, 0.0]);
/// let query: Query = query.into();
/// # Ok::<(), brain_core::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(transparent)]
pub struct Weighted {
    parts: Vec<WeightedPart>,
}

/// One part of a [`Weighted`] query.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct WeightedPart {
    /// What it is.
    #[serde(flatten)]
    pub part: Part,
    /// How much it counts; below 0, how much it leads away.
    pub weight: f32,
}

/// What a part of a query is; each has one vector.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Part {
    /// The stored vector of an item.
    Id(ItemId),
    /// A vector.
    Vector(Vec<f32>),
    /// A sentence, embedded by the run's model.
    Text(String),
    /// An image file, embedded by the run's model.
    Image(PathBuf),
}

impl Weighted {
    /// Nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a part; below 0 it leads away.
    #[must_use]
    pub fn part(mut self, part: Part, weight: f32) -> Self {
        self.parts.push(WeightedPart { part, weight });
        self
    }

    /// Adds a sentence.
    #[must_use]
    pub fn text(self, prompt: impl Into<String>, weight: f32) -> Self {
        self.part(Part::Text(prompt.into()), weight)
    }

    /// Adds a sentence that answers shall not be like: as [`text`](Self::text) with the weight negated.
    #[must_use]
    pub fn not_text(self, prompt: impl Into<String>, weight: f32) -> Self {
        self.text(prompt, -weight)
    }

    /// Adds an image file.
    #[must_use]
    pub fn image(self, path: impl Into<PathBuf>, weight: f32) -> Self {
        self.part(Part::Image(path.into()), weight)
    }

    /// Adds the stored vector of an item.
    #[must_use]
    pub fn id(self, id: impl Into<ItemId>, weight: f32) -> Self {
        self.part(Part::Id(id.into()), weight)
    }

    /// Adds a vector.
    #[must_use]
    pub fn vector(self, vector: impl Into<Vec<f32>>, weight: f32) -> Self {
        self.part(Part::Vector(vector.into()), weight)
    }

    /// The parts, in the order they were added.
    pub fn parts(&self) -> &[WeightedPart] {
        &self.parts
    }

    /// The query vector, from one vector a part.
    ///
    /// # Errors
    /// [`InvalidInput`](ErrorKind::InvalidInput) for no part, for weights that are not finite or all 0, for a part without direction under cosine, and
    /// where the parts cancel one another out under cosine; [`DimensionMismatch`](ErrorKind::DimensionMismatch) for vectors of different lengths.
    pub fn combine(&self, vectors: &[Vec<f32>], metric: Metric) -> Result<Vec<f32>> {
        let (Some(first), true) = (vectors.first(), vectors.len() == self.parts.len()) else {
            return Err(Error::invalid(format!("a query of {} parts needs as many vectors, not {}", self.parts.len(), vectors.len())));
        };
        let weights: Vec<f64> = self.parts.iter().map(|part| f64::from(part.weight)).collect();
        if let Some(wrong) = weights.iter().find(|weight| !weight.is_finite()) {
            return Err(Error::invalid(format!("{wrong} is no weight: it must be a finite number")));
        }
        let positive: f64 = weights.iter().filter(|weight| **weight > 0.0).sum();
        let divisor = if positive > 0.0 { positive } else { weights.iter().map(|weight| weight.abs()).sum() };
        if divisor == 0.0 {
            return Err(Error::invalid("every part of the query has weight 0, so nothing is asked for"));
        }
        let mut sum = vec![0.0; first.len()];
        for (vector, weight) in vectors.iter().zip(&weights) {
            if vector.len() != sum.len() {
                let (one, other) = (sum.len(), vector.len());
                return Err(Error::new(ErrorKind::DimensionMismatch, format!("the parts of the query have vectors of {one} and of {other} numbers")));
            }
            let length = if metric == Metric::Cosine { norm(vector) } else { 1.0 };
            if length == 0.0 {
                return Err(Error::invalid("a part of the query is a zero vector, which has no direction under cosine"));
            }
            sum.iter_mut().zip(vector).for_each(|(sum, value)| *sum += weight / divisor * f64::from(*value) / length);
        }
        let combined: Vec<f32> = sum.iter().map(|value| *value as f32).collect();
        // What rounding leaves of parts that cancel out has a direction that means nothing.
        if metric == Metric::Cosine && norm(&combined) < 1e-6 {
            return Err(
                Error::invalid("the parts of the query cancel one another out: nothing is left to search for").with_hint("give them other weights")
            );
        }
        Ok(combined)
    }
}

fn norm(vector: &[f32]) -> f64 {
    vector.iter().map(|value| f64::from(*value).powi(2)).sum::<f64>().sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn combined(query: &Weighted, vectors: &[[f32; 2]], metric: Metric) -> Result<Vec<f32>> {
        query.combine(&vectors.iter().map(|row| row.to_vec()).collect::<Vec<_>>(), metric)
    }

    #[test]
    fn positive_weights_give_the_weighted_mean_of_directions_under_cosine_and_of_vectors_elsewhere() {
        let query = Weighted::new().text("a", 3.0).text("b", 1.0);
        let vectors = [[2.0, 0.0], [0.0, 8.0]];
        assert_eq!(combined(&query, &vectors, Metric::Cosine).unwrap(), [0.75, 0.25]);
        assert_eq!(combined(&query, &vectors, Metric::Euclidean).unwrap(), [1.5, 2.0]);
    }

    #[test]
    fn negative_weights_lead_away() {
        let query = Weighted::new().id("a", 1.0).not_text("b", 0.5);
        assert_eq!(combined(&query, &[[1.0, 1.0], [0.0, 2.0]], Metric::DotProduct).unwrap(), [1.0, 0.0]);
        let away = Weighted::new().vector([1.0, 0.0], -2.0);
        assert_eq!(combined(&away, &[[1.0, 0.0]], Metric::Euclidean).unwrap(), [-1.0, 0.0]);
    }

    #[test]
    fn what_asks_for_nothing_is_refused() {
        let message = |query: &Weighted, vectors: &[[f32; 2]]| combined(query, vectors, Metric::Cosine).unwrap_err().message().to_owned();
        assert!(message(&Weighted::new(), &[]).contains("0 parts"));
        assert!(message(&Weighted::new().text("a", 0.0), &[[1.0, 0.0]]).contains("weight 0"));
        assert!(message(&Weighted::new().text("a", f32::NAN), &[[1.0, 0.0]]).contains("no weight"));
        assert!(message(&Weighted::new().text("a", 1.0), &[[0.0, 0.0]]).contains("no direction"));
        assert!(message(&Weighted::new().text("a", 1.0).not_text("a", 1.0), &[[0.1, 0.3], [0.1, 0.3]]).contains("cancel"));
        let uneven = Weighted::new().text("a", 1.0).text("b", 1.0).combine(&[vec![1.0], vec![1.0, 2.0]], Metric::Cosine);
        assert_eq!(uneven.unwrap_err().kind(), ErrorKind::DimensionMismatch);
    }

    #[test]
    fn a_query_reads_as_its_parts() {
        let query = Weighted::new().text("a dog", 1.0).not_text("indoor", 0.5);
        assert_eq!(serde_json::to_string(&query).unwrap(), r#"[{"text":"a dog","weight":1.0},{"text":"indoor","weight":-0.5}]"#);
    }
}
