//! NumPy's `.npy` files: matrices of embeddings, read and written row by row.
//!
//! Read: C order, `f4`, `f8` or `f2`, little-endian, shape (rows, dimensions), or (dimensions) for one vector. Written: `<f4`, (rows, dimensions).
//! The format is NumPy's NEP 1. A file that is shorter than its header says is refused before any row is used.

mod header;
mod reader;
mod writer;

pub use reader::NpyReader;
pub use writer::NpyWriter;
