//! A loaded model: the towers of its manifest behind the contract of an embedder.

mod classes;
mod image;
pub(crate) mod wire;

use brain_core::{Embedder, Error, Modalities, PreparedImage, Result, RgbImage, no_text};

pub(crate) use classes::ClassVectors;
pub(crate) use image::ImageTower;

use crate::text::TextTower;

/// A model of the zoo, ready to embed.
pub(crate) struct Model {
    pub(crate) name: String,
    pub(crate) dimension: usize,
    pub(crate) normalise: bool,
    pub(crate) fingerprint: String,
    pub(crate) image: Option<ImageTower>,
    pub(crate) text: Option<TextTower>,
}

impl Model {
    fn pictures(&self) -> Result<&ImageTower> {
        self.image.as_ref().ok_or_else(|| {
            Error::unsupported(format!("the model {} embeds sentences only", self.name)).with_hint("index photos with a model that embeds photos")
        })
    }

    fn finished(&self, vectors: Result<Vec<f32>>) -> Result<Vec<f32>> {
        let mut vectors = vectors.map_err(|error| error.with_context("model", &self.name))?;
        if self.normalise {
            wire::normalise(&mut vectors, self.dimension);
        }
        Ok(vectors)
    }
}

impl Embedder for Model {
    fn name(&self) -> &str {
        &self.name
    }

    fn dimension(&self) -> usize {
        self.dimension
    }

    fn modalities(&self) -> Modalities {
        Modalities { images: self.image.is_some(), text: self.text.is_some() }
    }

    fn fingerprint(&self) -> String {
        self.fingerprint.clone()
    }

    fn runtime(&self) -> Option<&str> {
        self.image.as_ref().map(ImageTower::runtime).or_else(|| self.text.as_ref().map(TextTower::runtime))
    }

    fn takes_all_cores(&self) -> bool {
        self.image.as_ref().is_some_and(ImageTower::takes_all_cores)
    }

    fn prepare(&self, image: &RgbImage) -> Result<PreparedImage> {
        self.pictures()?.prepare(image)
    }

    fn embed_images(&self, batch: &[PreparedImage]) -> Result<Vec<f32>> {
        self.finished(self.pictures()?.embed(batch))
    }

    fn embed_text(&self, prompts: &[String]) -> Result<Vec<f32>> {
        let text = self.text.as_ref().ok_or_else(|| no_text(&self.name))?;
        self.finished(text.embed(prompts))
    }
}
