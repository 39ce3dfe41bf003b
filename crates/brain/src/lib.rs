//! One session over datasets, models, runs and similarity indexes.
//!
//! [`Brain`] opens a home: datasets and runs in one SQLite file, embedded indexes beside it. Its verbs are FiftyOne's:
//!
//! - [`Brain::compute_similarity`] embeds a dataset, or takes vectors that are there, and indexes them under a brain key;
//! - [`Brain::load_brain_results`] opens that index again: [`Similarity::sort_by_similarity`] searches it by an id, a vector, an image file, through a
//!   view, and says how complete and exact the answer is;
//! - [`Similarity::find_duplicates`] and [`Similarity::find_unique`] compare its items with one another, as does [`Similarity::neighbors`];
//! - [`Brain::compute_embeddings`] keeps a model's vectors in a field of the dataset;
//! - [`Brain::add_to_index`], [`Similarity::remove_from_index`], [`Similarity::get_embeddings`], [`Similarity::cleanup`] keep it;
//! - [`Brain::list_brain_runs`] and its neighbours look after the records.
//!
//! Features choose what is inside: `local` (the default) is the embedded index, `pgvector` and `redis` are indexes in a server, `models` the image models.
//!
//! ```
//! # futures::executor::block_on(async {
//! use std::sync::Arc;
//! use brain::core::{NoProgress, Sample, config::Sources};
//! use brain::{Brain, Embeddings, Query};
//!
//! let home = tempfile::tempdir()?;
//! let sources = Sources { home: Some(home.path().into()), ..Sources::default() };
//! let brain = Brain::with(&sources, Arc::new(NoProgress))?;
//!
//! let photos = brain.datasets().create("photos")?;
//! photos.add_samples(["a.jpg", "b.jpg", "c.jpg"].map(|file| Sample { filepath: format!("/photos/{file}"), ..Sample::default() }), &NoProgress)?;
//!
//! let vectors = vec![1.0, 0.0, 0.8, 0.6, 0.0, 1.0];
//! brain.compute_similarity("photos", "img_sim").embeddings(Embeddings::Matrix { vectors, dimension: 2, ids: None }).run().await?;
//!
//! let similarity = brain.load_brain_results("photos", "img_sim").await?;
//! let sorted = similarity.sort_by_similarity(Query::Vector(vec![1.0, 0.1])).k(2).run().await?;
//! let files: Vec<_> = sorted.results[0].iter().filter_map(|row| row.filepath.as_deref()).collect();
//! assert_eq!(files, ["/photos/a.jpg", "/photos/b.jpg"]);
//! assert!(sorted.report.exact);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # })?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

#![forbid(unsafe_code)]

mod add;
mod backends;
mod compute;
mod exchange;
mod imported;
mod models;
pub mod npy;
mod query;
mod record;
mod scope;
mod session;
mod similar;
mod similarity;
mod sort;
mod vectors;

pub use brain_core as core;
pub use brain_core::search::{Aggregation, Report, Route};
pub use brain_core::similar::{Cutoff, Duplicates, Histogram, Neighbors, Unique};
pub use brain_core::{Part, Query, Weighted};
pub use brain_dataset as dataset;
#[cfg(feature = "local")]
pub use brain_local as local;
#[cfg(feature = "models")]
pub use brain_models;

pub use add::{AddToIndex, Added};
pub use backends::{Backends, declared};
pub use compute::{ComputeEmbeddings, ComputePlan, ComputeSimilarity, Computed, ComputedEmbeddings, Embeddings, Existing, Failure, ids_of_file};
pub use exchange::{ExportedDataset, ImportedDataset};
pub use imported::ImportedRun;
pub use session::{Attached, Brain, WithIndex};
pub use similarity::{Items, Similarity};
pub use sort::{SortBySimilarity, Sorted, SortedRow};
