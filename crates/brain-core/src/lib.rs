//! The vocabulary, contracts, configuration and search planner of `brain`.
//!
//! Everything that must mean the same in every crate is said here once:
//!
//! - **what is searched**: an [`Item`] is a sample or a patch; an index holds one vector for each, ranked by a [`Metric`];
//! - **where it lives**: [`SimilarityBackend`] and [`SimilarityIndex`] are the thin contract of a place that holds vectors. A backend implements
//!   primitives and nothing else;
//! - **how it is searched**: [`search::search`] takes vectors, a [`Scope`] and the wishes of the user (k, reverse, aggregation) and makes a
//!   complete [`search::Answer`] out of a backend's primitives, with a report of what it did;
//! - **what is alike**: [`similar::SelfJoin`] compares the items of a scope among themselves: neighbours, duplicates, unique items;
//! - **what is meant by a view**: a [`View`] is a pipeline of stages with a small [`Filter`] language, a value until a [`DatasetStore`] resolves it;
//! - **what is remembered**: a [`RunRecord`] says how an index was made; a [`RunStore`] keeps it;
//! - **what is configured**: [`config`] layers arguments, environment, file and defaults, and knows where each value came from;
//! - **what went wrong**: an [`Error`] has a kind, a message and a hint.
//!
//! *Architecture invariant:* no driver, no TLS, no command line, no `unsafe`; this crate does no I/O beyond reading the configuration file.
//!
//! ```
//! use brain_core::{Direction, Item, Metric, search::Ranking};
//! // The three photos nearest to a query, by hand: what every backend does, only faster.
//! let photos = [("a", [1.0, 0.0]), ("b", [0.8, 0.6]), ("c", [0.0, 1.0]), ("d", [-1.0, 0.0])];
//! let mut ranking = Ranking::new(Direction::Nearest, 3);
//! for (id, vector) in photos {
//!     ranking.push(Metric::Cosine.reference(&[1.0, 0.0], &vector) as f32, || Item::sample(id.into()));
//! }
//! let ids: Vec<_> = ranking.into_hits().into_iter().map(|hit| hit.item.id.to_string()).collect();
//! assert_eq!(ids, ["a", "b", "c"]);
//! ```

#![forbid(unsafe_code)]

mod backend;
mod capabilities;
pub mod config;
mod embedder;
mod error;
mod filter;
mod id;
mod item;
mod metric;
pub mod oracle;
mod patience;
mod progress;
mod query;
mod refusal;
mod run;
mod sample;
pub mod search;
pub mod similar;
pub mod timestamp;
pub mod validate;
mod view;
mod weighted;

pub use backend::*;
pub use capabilities::Capabilities;
pub use embedder::{Embedder, Modalities, PreparedImage, RgbImage, no_text};
pub use error::{Error, ErrorKind, Result};
pub use filter::{Comparison, Filter, Literal, Path};
pub use id::ItemId;
pub use item::{Item, ItemKind, ItemSet, VectorBatch};
pub use metric::Metric;
pub use patience::Patience;
pub use progress::{NoProgress, Progress};
pub use query::{Query, enumerate, stored_vectors};
pub use refusal::{already_indexed, not_indexed};
pub use run::{RunFilter, RunRecord, RunState, RunStore, check_brain_key};
pub use sample::{FieldValue, Label, LabelClass, Labels, Region, Sample, is_identifier};
pub use view::{DatasetStore, ResolvedView, Stage, View};
pub use weighted::{Part, Weighted, WeightedPart};
