//! The metrics, re-exported from the kernels: a distance means the same in every crate.

pub use brain_kernels::Metric;
