//! What the pipeline is asked to embed, and what it hands back.

use std::path::PathBuf;
use std::sync::Arc;

use brain_core::{Error, Item, VectorBatch};

/// One image file and every vector that is wanted of it. The file is read and decoded once.
#[derive(Clone, Debug, PartialEq)]
pub struct EmbedJob {
    /// The image file.
    pub filepath: PathBuf,
    /// The vectors wanted, in the order their rows shall have.
    pub targets: Vec<Target>,
}

/// One vector: whom it belongs to, and which part of the picture it is of.
#[derive(Clone, Debug, PartialEq)]
pub struct Target {
    /// The owner of the vector.
    pub item: Item,
    /// Boxes `[x, y, w, h]` in fractions of the picture, from its top left corner. The vector is the mean over all of them; with none it
    /// is that of the whole picture.
    pub regions: Vec<[f64; 4]>,
}

impl EmbedJob {
    /// A sample's whole picture.
    pub fn whole(item: Item, filepath: impl Into<PathBuf>) -> Self {
        Self::regions(item, filepath, Vec::new())
    }

    /// The mean over regions of a sample's picture; the whole picture where there is none.
    pub fn regions(item: Item, filepath: impl Into<PathBuf>, regions: Vec<[f64; 4]>) -> Self {
        Self { filepath: filepath.into(), targets: vec![Target { item, regions }] }
    }

    /// Several patches of one picture, each with a vector of its own.
    pub fn patches(filepath: impl Into<PathBuf>, patches: impl IntoIterator<Item = (Item, [f64; 4])>) -> Self {
        let targets = patches.into_iter().map(|(item, region)| Target { item, regions: vec![region] }).collect();
        Self { filepath: filepath.into(), targets }
    }
}

/// Some of the results, in the order of the jobs and of their targets.
#[derive(Debug)]
pub struct EmbeddedBatch {
    /// The vectors.
    pub rows: VectorBatch,
    /// The targets that have no vector, and why.
    pub failures: Vec<Failure>,
}

/// A target that could not be embedded.
#[derive(Clone, Debug)]
pub struct Failure {
    /// Whose vector is missing.
    pub item: Item,
    /// The file it should have come from.
    pub filepath: PathBuf,
    /// What was wrong; all targets of an unreadable file share one error.
    pub error: Arc<Error>,
}
