//! The embedded similarity index: exact, durable, memory-mapped, no server.
//!
//! [`LocalBackend`] keeps the indexes of one brain home: vectors in append-only files that searches read through the page cache, manifests in the
//! home's `brain.db`. Several threads and processes may search an index while one of them writes to it. [`LocalIndex`] is a handle on one index.
//!
//! ```
//! use brain_core::*;
//! use brain_local::LocalBackend;
//! use brain_store::Database;
//! use futures::{StreamExt, executor::block_on, stream};
//! # let home = tempfile::tempdir()?;
//! block_on(async {
//!     let backend = LocalBackend::new(Database::open(home.path())?)?;
//!     let spec = IndexSpec {
//!         name: "birds".into(),
//!         dimension: 2,
//!         metric: Metric::Cosine,
//!         items: ItemKind::Samples,
//!         parameters: Parameters::new(),
//!     };
//!     let index = backend.create(&spec).await?;
//!
//!     let items = ["owl", "hen", "emu"].map(|id| Item::sample(id.into())).to_vec();
//!     let batch = VectorBatch::new(items, 2, vec![1.0, 0.0, 0.6, 0.8, 0.0, 2.0])?;
//!     index.add(stream::iter([Ok(batch)]).boxed(), OnConflict::Error).await?;
//!
//!     let request = NearestRequest {
//!         queries: &[0.0, 1.0],
//!         k: 2,
//!         scope: Scope::All,
//!         direction: Direction::Nearest,
//!         precision: Precision::Exact,
//!     };
//!     let answer = index.nearest(request).await?;
//!     let ids: Vec<String> = answer.hits[0].iter().map(|hit| hit.item.id.to_string()).collect();
//!     assert_eq!(ids, ["emu", "hen"]);
//!     Ok::<_, Error>(())
//! })?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # How it works
//! - **Adding** appends rows behind what is published, syncs them, and publishes them with one transaction on the manifest; batches that come fast share
//!   one. A kill at any instant loses nothing that was acknowledged and leaves nothing half visible. One writer at a time holds the index's lock; readers never wait.
//! - **Searching** is exact. Beside the rows lie codes of a quarter of their bytes, which bound every distance: a search reads these, and compares in
//!   full only rows that may be among the nearest. Where that does not pay (few rows, many queries, much asked for), all rows in scope are compared with
//!   all queries, in one pass; the two ways find the same. Both run on all cores. A search begins with a look at what was
//!   published, so that a long-lived handle sees what others do; only what has grown is mapped anew.
//! - **Views** are looked up in an order of the ids that lies beside the rows, so that opening an index reads none of them.
//! - **Upkeep** (writing the live rows anew when most are dead, writing codes that are missing) runs in a thread of its own after a change, while searches
//!   go on; dropping the index waits for it.
//! - **By graph**, where an index asks for `algorithm = hnsw` and the feature of that name is built in, an approximate search of a large index walks
//!   from neighbour to neighbour instead. The graph is derived from the rows: without it, answers are exact.
//! - **Checksums** are verified when a block of about 1 MiB is used for the first time in a process. It costs about as much as reading the block
//!   once more from the processor's cache, runs on all cores within the search, and makes the first full scan at most twice as long as the next. A
//!   block that does not match is an error that names the file and the bytes; none of its rows is compared or returned.
//!
//! [`mod@format`] describes the files.

#![forbid(unsafe_code)]

mod append;
mod backend;
mod changes;
mod declaration;
mod disk;
pub mod format;
mod graph;
mod group;
mod handle;
mod index;
mod lock;
mod manifest;
#[cfg(test)]
mod model_tests;
mod order;
#[cfg(test)]
mod power_loss_tests;
mod scan;
mod scope;
mod segment;
mod select;
mod snapshot;
mod upkeep;
mod write;

pub use backend::LocalBackend;
pub use declaration::DECLARATION;
pub use index::LocalIndex;
pub use scan::Way;
