//! The metrics and what they mean, in plain arithmetic.

use std::fmt;
use std::str::FromStr;

/// How far two vectors are from each other. Smaller is nearer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "lowercase"))]
pub enum Metric {
    /// 1 − ⟨a,b⟩ / (‖a‖‖b‖); 0 to 2.
    #[default]
    Cosine,
    /// −⟨a,b⟩.
    DotProduct,
    /// ‖a−b‖₂.
    Euclidean,
    /// Σ|aᵢ−bᵢ|.
    L1,
    /// How many sign bits differ (bit i is xᵢ > 0).
    Hamming,
    /// 1 − |a∧b| / |a∨b| on sign bits; 1 where no bit is shared.
    Jaccard,
}

impl Metric {
    /// Every metric.
    pub const ALL: [Self; 6] = [Self::Cosine, Self::DotProduct, Self::Euclidean, Self::L1, Self::Hamming, Self::Jaccard];

    /// The name, as configuration and records spell it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Cosine => "cosine",
            Self::DotProduct => "dotproduct",
            Self::Euclidean => "euclidean",
            Self::L1 => "l1",
            Self::Hamming => "hamming",
            Self::Jaccard => "jaccard",
        }
    }

    /// The distance by its definition, computed in `f64`: the formula that every faster kernel is tested against.
    ///
    /// A zero vector has no direction; under cosine its distance to anything is 1. Vectors of different lengths are compared as far as both go.
    pub fn reference(self, a: &[f32], b: &[f32]) -> f64 {
        let pairs = || a.iter().zip(b).map(|(&x, &y)| (f64::from(x), f64::from(y)));
        let dot = || pairs().map(|(x, y)| x * y).sum::<f64>();
        match self {
            Self::Cosine => {
                // Two roots instead of the root of a product: the product of two squares of 1e38 leaves even f64's comfort.
                let norms = pairs().map(|(x, _)| x * x).sum::<f64>().sqrt() * pairs().map(|(_, y)| y * y).sum::<f64>().sqrt();
                if norms == 0.0 { 1.0 } else { 1.0 - (dot() / norms).clamp(-1.0, 1.0) }
            }
            Self::DotProduct => -dot(),
            Self::Euclidean => pairs().map(|(x, y)| (x - y) * (x - y)).sum::<f64>().sqrt(),
            Self::L1 => pairs().map(|(x, y)| (x - y).abs()).sum(),
            Self::Hamming => pairs().filter(|(x, y)| (*x > 0.0) != (*y > 0.0)).count() as f64,
            Self::Jaccard => {
                let both = pairs().filter(|(x, y)| *x > 0.0 && *y > 0.0).count() as f64;
                let either = pairs().filter(|(x, y)| *x > 0.0 || *y > 0.0).count() as f64;
                if both == 0.0 { 1.0 } else { 1.0 - both / either }
            }
        }
    }
}

impl fmt::Display for Metric {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// A text that names no metric.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownMetric(pub String);

impl fmt::Display for UnknownMetric {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} is no metric: choose cosine, dotproduct, euclidean, l1, hamming or jaccard", self.0)
    }
}

impl std::error::Error for UnknownMetric {}

impl FromStr for Metric {
    type Err = UnknownMetric;

    fn from_str(text: &str) -> Result<Self, UnknownMetric> {
        Self::ALL.into_iter().find(|metric| metric.as_str() == text).ok_or_else(|| UnknownMetric(text.to_owned()))
    }
}
