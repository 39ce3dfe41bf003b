//! The image tower: prepared pictures to vectors.

use std::sync::Arc;

use brain_core::{PreparedImage, Result, RgbImage};

use super::classes::ClassVectors;
use super::wire::{self, Pooled};
use crate::manifest::{self, Manifest, Pooling};
use crate::preprocess::Preprocessing;
use crate::runtime::{Graph, Rows, Side, Tensor};

/// An image graph with what is done before and after it.
pub(crate) struct ImageTower {
    graph: Arc<dyn Graph>,
    preprocessing: Preprocessing,
    input: String,
    output: String,
    pooled: Pooled,
    classes: Option<ClassVectors>,
}

impl ImageTower {
    /// Finds the ends of a loaded graph.
    ///
    /// # Errors
    /// [`InvalidInput`](brain_core::ErrorKind::InvalidInput) and [`NotFound`](brain_core::ErrorKind::NotFound), with what the graph has, when it is not as
    /// the manifest says.
    pub(crate) fn new(graph: Arc<dyn Graph>, tower: &manifest::ImageTower, manifest: &Manifest, classes: Option<ClassVectors>) -> Result<Self> {
        let preprocessing = Preprocessing::of(tower);
        let input = wire::named_or_only(Side::Input, graph.inputs(), tower.input.as_deref(), "input")?;
        wire::takes_pictures(input, preprocessing.shape())?;
        wire::nothing_else(graph.inputs(), &[Some(&input.name)])?;
        let output = wire::named_or_only(Side::Output, graph.outputs(), tower.output.as_deref(), "output")?;
        let pooled = match &classes {
            Some(classes) => Pooled::new(Pooling::None, classes.count()),
            None => Pooled::new(tower.pooling, manifest.dimension),
        };
        pooled.check(output)?;
        let (input, output) = (input.name.clone(), output.name.clone());
        Ok(Self { graph, preprocessing, input, output, pooled, classes })
    }

    /// What runs it.
    pub(crate) fn runtime(&self) -> &str {
        self.graph.runtime()
    }

    /// Whether it is computed on all cores at once.
    pub(crate) fn takes_all_cores(&self) -> bool {
        self.graph.takes_all_cores()
    }

    pub(crate) fn prepare(&self, image: &RgbImage) -> Result<PreparedImage> {
        self.preprocessing.apply(image)
    }

    /// The vectors of prepared pictures, row after row.
    pub(crate) fn embed(&self, batch: &[PreparedImage]) -> Result<Vec<f32>> {
        let [_, row_shape @ ..] = self.preprocessing.shape();
        let pictures = Tensor { row_shape: row_shape.to_vec(), rows: Rows::F32(batch.iter().map(|image| image.0.as_slice()).collect()) };
        let arrays = self.graph.run(&[(&self.input, pictures)], &[&self.output])?;
        let vectors = self.pooled.apply(arrays, batch.len(), None)?;
        Ok(match &self.classes {
            Some(classes) => vectors.chunks_exact(classes.count()).flat_map(|scores| classes.mean(scores)).collect(),
            None => vectors,
        })
    }
}
