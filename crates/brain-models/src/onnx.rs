//! Vision models in ONNX form.

use std::sync::Arc;

use brain_core::{Embedder, Error, Modalities, PreparedImage, Result, RgbImage, no_text};

use crate::preprocess::Preprocessing;
use crate::runtime::{Graph, Rows, Side, Tensor};

/// A convolutional or transformer model with one picture as input and one vector as output.
pub(crate) struct OnnxEmbedder {
    graph: Arc<dyn Graph>,
    spec: OnnxSpec,
}

/// What [`OnnxEmbedder`] needs to know beside the graph itself.
pub(crate) struct OnnxSpec {
    pub(crate) name: &'static str,
    pub(crate) fingerprint: String,
    pub(crate) dimension: usize,
    pub(crate) preprocessing: Preprocessing,
    /// The name of the input, `[batch, 3, size, size]`.
    pub(crate) input: &'static str,
    /// The name of the output, `[batch, dimension]`.
    pub(crate) output: &'static str,
}

impl OnnxEmbedder {
    /// Finds the ends of a loaded graph.
    pub(crate) fn new(graph: Arc<dyn Graph>, spec: OnnxSpec) -> Result<Self> {
        Side::Input.find(graph.inputs(), spec.input)?;
        Side::Output.find(graph.outputs(), spec.output)?;
        Ok(Self { graph, spec })
    }
}

impl Embedder for OnnxEmbedder {
    fn name(&self) -> &str {
        self.spec.name
    }

    fn dimension(&self) -> usize {
        self.spec.dimension
    }

    fn modalities(&self) -> Modalities {
        Modalities { images: true, text: false }
    }

    fn fingerprint(&self) -> String {
        self.spec.fingerprint.clone()
    }

    fn runtime(&self) -> Option<&str> {
        Some(self.graph.runtime())
    }

    fn prepare(&self, image: &RgbImage) -> Result<PreparedImage> {
        self.spec.preprocessing.apply(image)
    }

    fn embed_images(&self, batch: &[PreparedImage]) -> Result<Vec<f32>> {
        let OnnxSpec { name, dimension, preprocessing, input, output, .. } = &self.spec;
        let size = preprocessing.size as usize;
        let rows = Rows::F32(batch.iter().map(|image| image.0.as_slice()).collect());
        let pictures = Tensor { row_shape: vec![3, size, size], rows };
        let vectors = self.graph.run(&[(input, pictures)], &[output])?.into_iter().flat_map(|array| array.data).collect::<Vec<_>>();
        if vectors.len() != batch.len() * dimension {
            let message = format!("the model {name} gave {} numbers for {} pictures of {dimension} each", vectors.len(), batch.len());
            return Err(Error::unexpected(message));
        }
        Ok(vectors)
    }

    fn embed_text(&self, _prompts: &[String]) -> Result<Vec<f32>> {
        Err(no_text(self.spec.name))
    }
}
