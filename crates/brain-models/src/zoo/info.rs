//! What is known of a model before it is loaded.

use std::fs;
use std::path::{Path, PathBuf};

use super::Found;
use crate::builtin;
use crate::fetch::{self, DEFAULT_ENDPOINT, MissingFile};
use crate::manifest::Manifest;
use crate::sums::{Sums, of_bytes};

/// What is known of a model before it is loaded.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct ModelInfo {
    /// What it is.
    pub manifest: Manifest,
    /// Whether it can be loaded.
    pub state: ModelState,
    /// The folder of its files; `None` where it needs none.
    pub folder: Option<PathBuf>,
    /// Whether a user added it.
    pub added: bool,
    /// Its files that are here.
    pub files: Vec<ModelFile>,
}

/// One file of a model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModelFile {
    /// Its name in the model's folder, or of the part of this build.
    pub name: String,
    /// Its size.
    pub bytes: u64,
    /// Its SHA-256, where it was computed or is described.
    pub sha256: Option<String>,
}

/// Whether a model can be loaded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ModelState {
    /// It is part of this build.
    BuiltIn,
    /// Its files are here.
    Ready,
    /// Files are missing.
    Missing(Vec<MissingFile>),
}

impl ModelInfo {
    pub(super) fn of(found: Found) -> Self {
        let sums = found.sums();
        let Found { manifest, folder, added, .. } = found;
        let needs_files = manifest.needed().iter().any(|file| !file.starts_with(builtin::PREFIX));
        let folder = folder.filter(|_| needs_files);
        let missing = fetch::missing(&manifest, folder.as_deref().unwrap_or(Path::new("")), DEFAULT_ENDPOINT);
        let state = match (needs_files, missing.is_empty()) {
            (false, _) => ModelState::BuiltIn,
            (true, true) => ModelState::Ready,
            (true, false) => ModelState::Missing(missing),
        };
        let files = files(&manifest, folder.as_deref(), sums.as_ref());
        Self { manifest, state, folder, added, files }
    }
}

fn files(manifest: &Manifest, folder: Option<&Path>, sums: Option<&Sums>) -> Vec<ModelFile> {
    let file = |name: &str| {
        if let Some(bytes) = name.strip_prefix(builtin::PREFIX).and_then(builtin::bytes) {
            return Some(ModelFile { name: name.to_owned(), bytes: bytes.len() as u64, sha256: Some(of_bytes(bytes)) });
        }
        let bytes = fs::metadata(folder?.join(name)).ok()?.len();
        let described = manifest.files.get(name).and_then(|source| source.sha256.clone());
        let sha256 = described.or_else(|| sums?.kept(name).map(|sum| sum.sha256.clone()));
        Some(ModelFile { name: name.to_owned(), bytes, sha256 })
    };
    manifest.needed().into_iter().filter_map(file).collect()
}
