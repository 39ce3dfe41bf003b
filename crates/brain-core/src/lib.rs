//! The vocabulary, contracts, configuration and search planner of `brain`.

mod backend;
mod embedder;
mod error;
mod filter;
mod id;
mod item;
mod metric;
mod progress;
mod sample;
pub mod validate;
mod view;

pub use backend::*;
pub use embedder::{Embedder, Modalities, PreparedImage, RgbImage, no_text};
pub use error::{Error, ErrorKind, Result};
pub use filter::{Comparison, Filter, Literal, Path};
pub use id::ItemId;
pub use item::{Item, ItemKind, ItemSet, VectorBatch};
pub use metric::Metric;
pub use progress::{NoProgress, Progress};
pub use sample::{FieldValue, Label, LabelClass, Labels, Region, Sample, is_identifier};
pub use view::{DatasetStore, ResolvedView, Stage, View};
