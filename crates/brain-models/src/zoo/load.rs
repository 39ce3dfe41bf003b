//! From a manifest and its files to a model that embeds.

use std::borrow::Cow;
use std::fs;
use std::path::{Path, PathBuf};

use brain_core::{Error, Result};

use super::Found;
use crate::builtin;
use crate::manifest::{Manifest, Precision};
use crate::model::{ClassVectors, ImageTower, Model};
use crate::runtime::{self, RuntimeOptions, Source};
use crate::sums::{Sums, of_bytes};
use crate::text::{TextTower, Tokenizer};

/// Loads a model whose files are here.
pub(super) fn load(found: &Found, options: &RuntimeOptions) -> Result<Model> {
    load_towers(found, options).map_err(|error| error.with_operation("load model").with_context("model", &found.manifest.name))
}

fn load_towers(found: &Found, options: &RuntimeOptions) -> Result<Model> {
    let manifest = &found.manifest;
    let files = Files { folder: found.folder.as_deref() };
    let text = manifest.text.as_ref().map(|tower| {
        let tokenizer = Tokenizer::new(&files.bytes(&tower.tokenizer.file)?, &tower.tokenizer, &tower.tokenizer.file)?;
        TextTower::new(files.graph(manifest, &tower.file, options)?, tokenizer, tower, manifest).map_err(|error| in_tower(error, "text"))
    });
    let text = text.transpose()?;
    let mut sums = found.sums();
    let image = manifest.image.as_ref().map(|tower| {
        let classes = match (&tower.classes, &text, &manifest.text) {
            (Some(classes), Some(text), Some(described)) => {
                let mut made_from = String::new();
                for file in [&described.file, &described.tokenizer.file] {
                    made_from.push_str(&files.sum(file, sums.as_mut())?);
                }
                let table = files.bytes(&classes.file)?;
                Some(ClassVectors::new(classes, &table, text, manifest.dimension, found.keep.as_deref(), &made_from)?)
            }
            _ => None,
        };
        ImageTower::new(files.graph(manifest, &tower.file, options)?, tower, manifest, classes).map_err(|error| in_tower(error, "image"))
    });
    let image = image.transpose()?;
    let fingerprint = fingerprint(manifest, &files, sums.as_mut())?;
    Ok(Model { name: manifest.name.clone(), dimension: manifest.dimension, normalise: manifest.normalise, fingerprint, image, text })
}

/// Names weights, preprocessing and whatever else makes the vectors what they are, and nothing that does not: `NAME:weights:crop=C:settings`.
///
/// The weights are the first of the SHA-256 of the file, or of the sums of several; the settings those of the towers' description. Whichever
/// runtime runs it, the fingerprint is the same. A setting that is new must not be written where it has its default: old indexes would be orphaned.
fn fingerprint(manifest: &Manifest, files: &Files<'_>, mut sums: Option<&mut Sums>) -> Result<String> {
    let mut weights = Vec::new();
    for file in manifest.needed() {
        weights.push(files.sum(file, sums.as_deref_mut())?);
    }
    let weights = match &weights[..] {
        [only] => only.clone(),
        several => of_bytes(several.concat().as_bytes()),
    };
    let (mut image, mut text) = (manifest.image.clone(), manifest.text.clone());
    // What files and inputs are called makes no vector; which output is taken does.
    if let Some(image) = &mut image {
        image.file.clear();
        image.input = None;
    }
    if let Some(text) = &mut text {
        text.file.clear();
        text.tokenizer.file.clear();
        (text.ids, text.mask, text.types) = (None, None, None);
    }
    let settings = serde_json::to_string(&(image, text, manifest.normalise))
        .map_err(|error| Error::unexpected(format!("a manifest cannot be written: {error}")))?;
    let mut fingerprint = format!("{}:{}", manifest.name, &weights[..12]);
    if let Some(tower) = &manifest.image {
        fingerprint.push_str(&format!(":crop={}", tower.crop));
    }
    fingerprint.push_str(&format!(":{}", &of_bytes(settings.as_bytes())[..8]));
    if manifest.precision == Precision::Int8 {
        fingerprint.push_str(":int8");
    }
    Ok(fingerprint)
}

/// Which tower an error is of.
fn in_tower(error: Error, tower: &'static str) -> Error {
    error.with_context("tower", tower)
}

/// The files of a model: those of its folder, and those of this build.
struct Files<'a> {
    folder: Option<&'a Path>,
}

impl Files<'_> {
    fn path(&self, file: &str) -> Result<PathBuf> {
        let folder = self.folder.ok_or_else(|| Error::not_found(format!("the file {file} of a model is not part of this build")))?;
        Ok(folder.join(file))
    }

    fn bytes(&self, file: &str) -> Result<Cow<'static, [u8]>> {
        if let Some(bytes) = file.strip_prefix(builtin::PREFIX).and_then(builtin::bytes) {
            return Ok(Cow::Borrowed(bytes));
        }
        let path = self.path(file)?;
        fs::read(&path).map(Cow::Owned).map_err(|error| Error::io("read", &path, error))
    }

    fn sum(&self, file: &str, sums: Option<&mut Sums>) -> Result<String> {
        match (file.strip_prefix(builtin::PREFIX).and_then(builtin::bytes), sums) {
            (Some(bytes), _) => Ok(of_bytes(bytes)),
            (None, Some(sums)) => sums.sum(file),
            (None, None) => self.path(file).map(|_| String::new()),
        }
    }

    fn graph(&self, manifest: &Manifest, file: &str, options: &RuntimeOptions) -> Result<std::sync::Arc<dyn runtime::Graph>> {
        match file.strip_prefix(builtin::PREFIX).and_then(builtin::bytes) {
            Some(bytes) => runtime::load(&manifest.name, Source::Static(bytes), options),
            None => runtime::load(&manifest.name, Source::File(&self.path(file)?), options),
        }
    }
}
