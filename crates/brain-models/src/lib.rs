//! What turns image files into embeddings: models by name, and the pipeline that feeds them.
//!
//! - A [`Manifest`] says what a model is: its graphs, and what is done before and after them. [`Zoo`] knows the models by name: it lists, fetches,
//!   verifies and loads them, each as a [`brain_core::Embedder`].
//! - [`read_image`] decodes a file to upright RGB, and says what is wrong with one that cannot be; [`crop`] cuts a patch out of it.
//! - [`Pipeline`] takes [`EmbedJob`]s (a whole picture, its patches, or the mean over regions) and streams [`EmbeddedBatch`]es in the
//!   order of the jobs: files are read on all cores while the model runs, memory does not grow with the number of jobs, and what
//!   could not be embedded is listed with its reason.
//!
//! ```
//! use brain_core::{Item, ItemId};
//! use brain_models::{EmbedJob, Pipeline, PipelineOptions, zoo};
//! use futures::executor::block_on_stream;
//!
//! let photos = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/photos");
//! let [cat, none] = [ItemId::generate(), ItemId::generate()];
//! let jobs = [
//!     EmbedJob::whole(Item::sample(cat.clone()), format!("{photos}/cat-000.jpg")),
//!     EmbedJob::whole(Item::sample(none.clone()), format!("{photos}/no-such-photo.jpg")),
//! ];
//!
//! let pipeline = Pipeline::new(zoo::load(zoo::DEFAULT_MODEL)?, PipelineOptions::default())?;
//! for batch in block_on_stream(pipeline.run(jobs)?) {
//!     let batch = batch?;
//!     assert_eq!(batch.rows.items(), [Item::sample(cat.clone())]);
//!     assert_eq!(batch.rows.vector(0).len(), 1280);
//!     assert_eq!(batch.failures[0].item.id, none);
//! }
//! # Ok::<(), brain_core::Error>(())
//! ```
#![forbid(unsafe_code)]

mod builtin;
mod crop;
mod decode;
mod fetch;
#[cfg(test)]
mod golden_tests;
mod job;
mod jpeg;
#[cfg(test)]
mod kinds_tests;
pub mod manifest;
mod model;
mod pipeline;
mod preprocess;
mod resize;
mod runtime;
mod sums;
mod text;
pub mod zoo;

pub use crop::{PatchShape, crop};
pub use decode::{MAX_PIXELS, decode_image, read_image};
pub use fetch::{DEFAULT_ENDPOINT, ENDPOINT_VARIABLE, FetchedFile, MissingFile, PullOptions, TOKEN_VARIABLE};
pub use job::{EmbedJob, EmbeddedBatch, Failure, Target};
pub use manifest::Manifest;
pub use pipeline::{EmbeddedStream, Pipeline, PipelineOptions};
pub use runtime::{Device, OnMissingDevice, OnnxRuntime, RUNTIME_VARIABLE, Runtime, RuntimeOptions, Threads};
pub use sums::SumOrigin;
pub use zoo::{ModelInfo, ModelState, Removed, Verified, VerifiedFile, Zoo};
