//! Distances over contiguous rows, the choice of the best few, and mapped files: what a search spends its time in.
//!
//! This crate is the one home of `unsafe` code: running machine instructions that only some processors have, and mapping files. Both are wrapped
//! so that their callers need none. It knows rows and numbers only; ids, files' formats and errors belong to the crates above.
//!
//! - [`Metric`] says what a distance is, and [`Metric::reference`] defines it in plain `f64` arithmetic.
//! - [`Query`] is one query made ready, to be compared with many rows at the speed of memory.
//! - [`Queries`] are several, compared as a matrix product is computed.
//! - [`Coding`] puts rows into a quarter of their bytes or fewer, from which distances are known to within bounds.
//! - [`TopK`] keeps the best `k` of the rows it is offered.
//! - [`MappedFile`] is the published part of an append-only file, as bytes or as numbers.
//!
//! ```
//! use brain_kernels::{Metric, Query, TopK};
//! let rows = [1.0, 0.0, 0.0, 1.0, 1.0, 1.0]; // three rows of two numbers
//! let query = Query::new(Metric::Euclidean, &[0.9, 0.1]);
//! let mut distances = [0.0; 3];
//! query.distances(&rows[..], &mut distances);
//!
//! let by_row = |a: u32, b: u32| a.cmp(&b); // how ties are broken
//! let mut best = TopK::nearest(2);
//! best.offer_all(&distances, 0, |_| true, by_row);
//! let rows: Vec<u32> = best.into_sorted(by_row).iter().map(|found| found.row).collect();
//! assert_eq!(rows, [0, 2]);
//! ```
//!
//! # One row, one result
//! A row's distance has the same bits whatever other rows are in the call, and whichever of [`Query::distance`] and [`Query::distances`] computed
//! it: each row is reduced by itself, over the same lanes in the same order. Breaking ties by id relies on it. The bits may differ between
//! processors, within the accuracy that [`Query`] states.

#![deny(unsafe_code)]

mod codes;
mod compare;
// Allowed, not expected: on processors other than x86-64 there is none.
#[allow(unsafe_code, reason = "instructions that only some processors have, behind a check that this one has them")]
mod instructions;
#[expect(unsafe_code, reason = "mapping a file, and seeing its bytes as numbers")]
mod mapped;
mod metric;
mod prepared;
mod queries;
mod query;
mod rows;
mod tile;
mod top_k;

pub use codes::{CodedQuery, Coding};
pub use half::f16;
pub use mapped::MappedFile;
pub use metric::{Metric, UnknownMetric};
pub use queries::Queries;
pub use query::Query;
pub use rows::Rows;
pub use top_k::{Neighbor, TopK};
