//! What each metric can work out of a query beforehand, and how sums become distances.

use crate::metric::Metric;
use crate::rows::Stored;

/// Sums of squares below this have lost digits to underflow (a square below 1e-38 keeps few or none): such distances are computed again in `f64`.
const UNDERFLOW: f32 = 1e-30;

/// Two vectors of one direction come out this close to a cosine of 1 in `f64`; two that differ in any digit of `f32` come out a thousand times farther.
const SAME_DIRECTION: f64 = 1e-12;

/// One query vector.
#[derive(Clone, Debug)]
pub(crate) struct Prepared {
    pub(crate) metric: Metric,
    /// The query's numbers.
    pub(crate) vector: Vec<f32>,
    /// The sign bits as ones and zeros, for the metrics that look at nothing else.
    signs: Option<Vec<f32>>,
    /// What [`Metric::own`] makes of the query's own sum.
    pub(crate) own: f64,
}

impl Prepared {
    /// Makes `vector` ready.
    pub(crate) fn new(metric: Metric, vector: &[f32]) -> Self {
        let signs = matches!(metric, Metric::Hamming | Metric::Jaccard).then(|| vector.iter().map(|&x| if x > 0.0 { 1.0 } else { 0.0 }).collect());
        let own = if metric.has_own_sum() { metric.own(crate::compare::own_sum(metric, vector)) } else { 0.0 };
        Self { metric, vector: vector.to_vec(), signs, own }
    }

    /// What rows are walked with.
    #[inline(always)]
    pub(crate) fn operand(&self) -> &[f32] {
        self.signs.as_deref().unwrap_or(&self.vector)
    }

    /// Computes by definition the distances that [`Metric::finish`] gave up on.
    #[cold]
    #[inline(never)]
    pub(crate) fn by_reference<'r, S: Stored + 'r>(&self, out: &mut [f32], row_at: impl Fn(usize) -> &'r [S]) {
        let mut row = Vec::with_capacity(self.vector.len());
        for (position, out) in out.iter_mut().enumerate().filter(|(_, out)| out.is_nan()) {
            row.clear();
            row.extend(row_at(position).iter().map(|number| number.widen()));
            *out = saturated(self.metric.reference(&row, &self.vector));
        }
    }
}

impl Metric {
    /// Whether a distance takes a sum over the row alone.
    #[inline(always)]
    pub(crate) fn has_own_sum(self) -> bool {
        matches!(self, Self::Cosine | Self::Hamming | Self::Jaccard)
    }

    /// What a vector's own sum comes to: one over its length, NaN where the sum overflowed or underflowed; or how many of its sign bits are set.
    #[inline(always)]
    pub(crate) fn own(self, sum: f32) -> f64 {
        match self {
            Self::Cosine if (UNDERFLOW..f32::MAX).contains(&sum) => 1.0 / f64::from(sum).sqrt(),
            Self::Cosine => f64::NAN,
            _ => f64::from(sum),
        }
    }

    /// Turns sums over pairs into distances; NaN where `f32` was not enough, and then it returns true. No distance is −0.
    #[inline(always)]
    pub(crate) fn finish(self, rows: &[f64], query: f64, out: &mut [f32]) -> bool {
        let mut given_up = false;
        match self {
            Self::Cosine => {
                for (out, row) in out.iter_mut().zip(rows) {
                    let distance = 1.0 - f64::from(*out) * row * query;
                    let distance = if distance < SAME_DIRECTION { 0.0 } else { distance };
                    let distance = if distance > 2.0 { 2.0 } else { distance };
                    *out = distance as f32;
                    given_up |= out.is_nan();
                }
            }
            Self::DotProduct => {
                for out in out {
                    // Adding 0 turns −0 into 0, which would otherwise rank as different.
                    *out = if out.is_finite() { 0.0 - *out + 0.0 } else { f32::NAN };
                    given_up |= out.is_nan();
                }
            }
            Self::Euclidean => {
                for out in out {
                    *out = if *out >= UNDERFLOW && *out < f32::INFINITY { out.sqrt() } else { f32::NAN };
                    given_up |= out.is_nan();
                }
            }
            Self::L1 => {
                for out in out {
                    *out = if out.is_finite() { *out } else { f32::NAN };
                    given_up |= out.is_nan();
                }
            }
            Self::Hamming => {
                for (out, row) in out.iter_mut().zip(rows) {
                    *out = (row + query - 2.0 * f64::from(*out)) as f32;
                }
            }
            Self::Jaccard => {
                for (out, row) in out.iter_mut().zip(rows) {
                    *out = jaccard(f64::from(*out), row + query);
                }
            }
        }
        given_up
    }
}

/// The distance of two vectors that share `both` sign bits, and have so many together when those are counted twice.
#[inline(always)]
pub(crate) fn jaccard(both: f64, ones: f64) -> f32 {
    if both == 0.0 { 1.0 } else { (1.0 - both / (ones - both)) as f32 }
}

/// The nearest finite `f32`; a NaN, which only vectors that validation refuses can give, is as far as can be.
pub(crate) fn saturated(distance: f64) -> f32 {
    if distance.is_nan() { f32::MAX } else { (distance as f32).clamp(f32::MIN, f32::MAX) + 0.0 }
}
