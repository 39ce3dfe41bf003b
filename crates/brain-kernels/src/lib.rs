//! Distance kernels over contiguous rows, top-k and file mapping.

mod metric;

pub use metric::{Metric, UnknownMetric};
