//! The models that can be had by name.
//!
//! Some are of this build, some are described by it and fetched when they are wanted, and some a user added: see [`Zoo`].

mod add;
mod info;
mod load;
mod remove;
mod verify;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use brain_core::{Embedder, Error, ErrorKind, Progress, Result};

use crate::builtin;
use crate::fetch::{self, DEFAULT_ENDPOINT, FetchedFile, PullOptions};
use crate::manifest::{MANIFEST_FILE, Manifest};
use crate::runtime::RuntimeOptions;
use crate::sums::Sums;

pub use info::{ModelFile, ModelInfo, ModelState};
pub use remove::Removed;
pub use verify::{Verified, VerifiedFile};

/// The model that is used when none is named.
pub const DEFAULT_MODEL: &str = "efficientnet-lite0";

/// The folder of the models in a home.
pub const FOLDER: &str = "models";

/// What was computed of users' models, in the folder of models.
const KEPT: &str = ".kept";

/// The models of this build, and those in a folder of models: one folder each.
///
/// ```
/// use brain_models::Zoo;
/// let home = tempfile::tempdir()?;
/// let zoo = Zoo::of_home(home.path());
/// let names: Vec<_> = zoo.list()?.into_iter().map(|model| model.manifest.name).collect();
/// assert!(names.contains(&"clip-vit-base-patch32".to_owned()));
/// assert_eq!(zoo.load("efficientnet-lite0")?.dimension(), 1280);
///
/// let error = zoo.load("efficientnet").err().expect("there is no such model");
/// assert!(error.hint().is_some_and(|hint| hint.contains("efficientnet-lite0")));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Zoo {
    /// Where the folders of models are; `None` for the models of this build alone.
    folder: Option<PathBuf>,
    runtime: RuntimeOptions,
}

/// A manifest, and where its files are or would be.
pub(crate) struct Found {
    pub(crate) manifest: Manifest,
    pub(crate) folder: Option<PathBuf>,
    /// Where is kept what was computed of it: its own folder, but never a user's.
    pub(crate) keep: Option<PathBuf>,
    /// Whether a user added it.
    pub(crate) added: bool,
}

impl Found {
    fn sums(&self) -> Option<Sums> {
        Some(Sums::of(self.folder.as_ref()?, self.keep.as_ref()?))
    }
}

impl Zoo {
    /// The models of this build, and those in `models` under `home`.
    pub fn of_home(home: &Path) -> Self {
        Self { folder: Some(home.join(FOLDER)), runtime: RuntimeOptions::default() }
    }

    /// The models that need no files: those of this build.
    pub fn built_in() -> Self {
        Self { folder: None, runtime: RuntimeOptions::default() }
    }

    /// Loads models to be run as `options` say.
    #[must_use]
    pub fn with_runtime(mut self, options: RuntimeOptions) -> Self {
        self.runtime = options;
        self
    }

    /// Every model there is: the default one first, then those of this build, then those that were added.
    ///
    /// # Errors
    /// Those of the folder; an added model whose manifest does not read is left out, and [`info`](Self::info) says why.
    pub fn list(&self) -> Result<Vec<ModelInfo>> {
        let mut found: Vec<Found> = builtin::manifests().iter().map(|manifest| self.described(manifest.clone())).collect();
        for name in self.added()? {
            found.extend(self.find(&name).ok());
        }
        Ok(found.into_iter().map(ModelInfo::of).collect())
    }

    /// What is known of the model called `name`.
    ///
    /// # Errors
    /// [`NotFound`](ErrorKind::NotFound), with the nearest name and all names, when there is none; those of an added model's manifest.
    pub fn info(&self, name: &str) -> Result<ModelInfo> {
        Ok(ModelInfo::of(self.find(name)?))
    }

    /// The names of the models that embed sentences as well as pictures.
    pub fn with_text(&self) -> Vec<String> {
        let joint = |model: &ModelInfo| model.manifest.image.is_some() && model.manifest.text.is_some();
        self.list().unwrap_or_default().into_iter().filter(joint).map(|model| model.manifest.name).collect()
    }

    /// Loads the model called `name`, ready to embed on all cores.
    ///
    /// # Errors
    /// [`NotFound`](ErrorKind::NotFound), with the nearest name and all names, when there is none, and with what to do when its files are not here;
    /// [`InvalidInput`](ErrorKind::InvalidInput) with what its graphs really have where the manifest is wrong of them;
    /// [`Unsupported`](ErrorKind::Unsupported) and [`Unavailable`](ErrorKind::Unavailable) when the runtime or its device cannot be had.
    pub fn load(&self, name: &str) -> Result<Arc<dyn Embedder>> {
        let found = self.find(name)?;
        self.must_be_here(&found)?;
        Ok(Arc::new(load::load(&found, &self.runtime)?))
    }

    /// Fetches the files that a model lacks, and loads it once. What is here already is left alone.
    ///
    /// # Errors
    /// [`Unavailable`](ErrorKind::Unavailable) and its kin, with the files to put where by hand, when the hub or the package client does not answer;
    /// [`Corrupt`](ErrorKind::Corrupt) when a file is not what it must be; as [`load`](Self::load).
    pub fn pull(&self, name: &str, options: &PullOptions, progress: &dyn Progress) -> Result<Vec<FetchedFile>> {
        let found = self.find(name)?;
        let Some(folder) = &found.folder else { return Ok(Vec::new()) };
        let fetched = fetch::fetch(&found.manifest, folder, options, progress)?;
        progress.start(&format!("loading {}", found.manifest.name), None);
        let loaded = load::load(&found, &self.runtime);
        progress.finish();
        loaded.map(|_| fetched)
    }

    /// Makes a user's folder, with its manifest and files, a model of this home under the manifest's name.
    ///
    /// The folder stays where it is: the home points to it. The model is loaded once, so that a manifest that does not fit its graphs is told now.
    ///
    /// # Errors
    /// [`AlreadyExists`](ErrorKind::AlreadyExists) for a name that is taken; those of the manifest and of [`load`](Self::load).
    pub fn add(&self, folder: &Path) -> Result<ModelInfo> {
        add::add(self, folder)
    }

    /// Takes a model out of this home: what was fetched or put into the home is deleted, and a folder that was [added](Self::add) stays where it is.
    ///
    /// # Errors
    /// [`NotFound`](ErrorKind::NotFound) when there is no such model, or none of its files is here; [`Unsupported`](ErrorKind::Unsupported) for one of this
    /// build, which has no files; those of the file system.
    pub fn remove(&self, name: &str) -> Result<Removed> {
        remove::remove(self, name)
    }

    /// Computes the sums of a model's files again, compares them with what they must be, and runs its graphs once.
    ///
    /// # Errors
    /// [`Corrupt`](ErrorKind::Corrupt) naming the first file that is not what it must be; as [`load`](Self::load).
    pub fn verify(&self, name: &str) -> Result<Verified> {
        let found = self.find(name)?;
        self.must_be_here(&found)?;
        verify::verify(&found, &self.runtime)
    }

    /// The model of a name, of another name of it, or of one of its variants.
    fn find(&self, name: &str) -> Result<Found> {
        for manifest in builtin::manifests() {
            if manifest.name == name || manifest.aliases.iter().any(|alias| alias == name) {
                return Ok(self.described(manifest.clone()));
            }
            let variants = manifest.variants.keys().filter_map(|variant| manifest.variant(variant));
            if let Some(variant) = variants.into_iter().find(|variant| variant.name == name || variant.aliases.iter().any(|alias| alias == name)) {
                return Ok(self.described(variant));
            }
        }
        let folder = self.folder.as_ref().map(|folder| folder.join(name)).filter(|_| crate::manifest::is_name(name));
        match folder {
            Some(folder) if folder.join(MANIFEST_FILE).exists() => Ok(self.own(&folder, Manifest::read(&folder)?)),
            _ => Err(self.unknown(name)),
        }
    }

    /// A model of this build, whose folder is known by its name.
    fn described(&self, manifest: Manifest) -> Found {
        let folder = self.folder.as_ref().map(|folder| folder.join(&manifest.name));
        Found { manifest, keep: folder.clone(), folder, added: false }
    }

    /// A user's model; no model can be called as the folder is that keeps what was computed of it.
    fn own(&self, folder: &Path, manifest: Manifest) -> Found {
        let keep = self.folder.as_ref().map(|models| models.join(KEPT).join(&manifest.name));
        Found { manifest, folder: Some(folder.to_owned()), keep, added: true }
    }

    /// The names of the models that were added.
    fn added(&self) -> Result<Vec<String>> {
        let Some(folder) = &self.folder else { return Ok(Vec::new()) };
        let entries = match fs::read_dir(folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(Error::io("read", folder, error).with_operation("list models")),
        };
        let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
        let mut names: Vec<String> = names.filter(|name| folder.join(name).join(MANIFEST_FILE).exists()).collect();
        names.sort();
        Ok(names)
    }

    /// Refuses a model whose files are not here, with what to do.
    fn must_be_here(&self, found: &Found) -> Result<()> {
        let name = &found.manifest.name;
        let missing = match &found.folder {
            Some(folder) => fetch::missing(&found.manifest, folder, DEFAULT_ENDPOINT),
            None => fetch::missing(&found.manifest, Path::new(""), DEFAULT_ENDPOINT),
        };
        if missing.is_empty() {
            return Ok(());
        }
        let files: Vec<_> = missing.iter().map(|file| file.name.as_str()).collect();
        let place = found.folder.as_ref().map_or_else(|| "a home".to_owned(), |folder| folder.display().to_string());
        let error =
            Error::not_found(format!("the model {name} is not here yet: {} is missing from {place}", files.join(", "))).with_operation("load model");
        Err(error.with_hint(match found.added {
            true => format!("its manifest names {}: put the files there", files.join(", ")),
            false => format!("fetch it: brain models pull {name}"),
        }))
    }

    fn unknown(&self, name: &str) -> Error {
        const ALIKE: f64 = 0.5;
        let models = self.list().unwrap_or_default();
        let names: Vec<&str> = models.iter().map(|model| model.manifest.name.as_str()).collect();
        let alike = |candidate: &str| strsim::normalized_damerau_levenshtein(&name.to_lowercase(), candidate);
        let nearest = names.iter().map(|&name| (alike(name), name)).max_by(|a, b| a.0.total_cmp(&b.0));
        let guess = match nearest {
            Some((score, nearest)) if score >= ALIKE => format!("did you mean {nearest:?}? "),
            _ => String::new(),
        };
        Error::new(ErrorKind::NotFound, format!("there is no model called {name:?}"))
            .with_operation("load model")
            .with_hint(format!("{guess}the models are: {}; `brain models add FOLDER` adds one of your own", names.join(", ")))
    }
}

/// Loads a model of this build that needs no files.
///
/// # Errors
/// As [`Zoo::load`].
pub fn load(name: &str) -> Result<Arc<dyn Embedder>> {
    Zoo::built_in().load(name)
}

/// As [`load`], to be run as `options` say.
///
/// # Errors
/// As [`Zoo::load`].
pub fn load_with(name: &str, options: &RuntimeOptions) -> Result<Arc<dyn Embedder>> {
    Zoo::built_in().with_runtime(options.clone()).load(name)
}

#[cfg(test)]
mod tests;
