//! A model is taken out of the home.

use std::fs;
use std::path::{Path, PathBuf};

use brain_core::{Error, Result};

use super::Zoo;
use crate::builtin;
use crate::fetch;

/// What became of a model that was taken out of the home.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Removed {
    /// The model.
    pub name: String,
    /// Whether a user had added it.
    pub added: bool,
    /// How many bytes were deleted.
    pub bytes: u64,
    /// The folder that the home pointed to, which stays as it is.
    pub left_at: Option<PathBuf>,
}

pub(super) fn remove(zoo: &Zoo, name: &str) -> Result<Removed> {
    let found = match zoo.find(name) {
        Ok(found) => found,
        // A folder that is gone, or whose manifest no longer reads, is forgotten all the same.
        Err(error) => {
            let link = zoo.folder.as_ref().map(|models| models.join(name)).filter(|place| crate::manifest::is_name(name) && place.is_symlink());
            return link.ok_or(error).and_then(|place| Ok(Removed { name: name.to_owned(), added: true, bytes: 0, left_at: Some(forget(&place)?) }));
        }
    };
    let name = &found.manifest.name;
    if found.manifest.needed().iter().all(|file| file.starts_with(builtin::PREFIX)) {
        return Err(Error::unsupported(format!("the model {name} is part of this build: there are no files to remove")));
    }
    let Some(place) = found.folder.as_ref().filter(|place| place.symlink_metadata().is_ok()) else {
        return Err(Error::not_found(format!("the model {name} has no files here")));
    };
    let mut removed = Removed { name: name.clone(), added: found.added, bytes: 0, left_at: None };
    if place.is_symlink() {
        removed.left_at = Some(forget(place)?);
    } else {
        // A pull that is under way ends first.
        drop(fetch::lock(place)?);
        removed.bytes = size(place);
        fs::remove_dir_all(place).map_err(|error| failed(place, error))?;
    }
    // What was kept of a model that was added, elsewhere; there may be nothing.
    if let Some(keep) = found.keep.as_ref().filter(|keep| *keep != place) {
        let _ = fs::remove_dir_all(keep);
    }
    Ok(removed)
}

/// Removes a link, and gives the folder that it pointed to.
fn forget(link: &Path) -> Result<PathBuf> {
    let folder = fs::read_link(link).map_err(|error| failed(link, error))?;
    unlink(link).map_err(|error| failed(link, error))?;
    Ok(folder)
}

fn failed(place: &Path, error: std::io::Error) -> Error {
    Error::io("remove", place, error).with_operation("remove model")
}

/// The bytes of the files under `folder`.
fn size(folder: &Path) -> u64 {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries
        .filter_map(|entry| Some((entry.path(), entry.metadata().ok()?)))
        .map(|(path, data)| if data.is_dir() { size(&path) } else { data.len() })
        .sum()
}

#[cfg(unix)]
fn unlink(place: &Path) -> std::io::Result<()> {
    fs::remove_file(place)
}

#[cfg(windows)]
fn unlink(place: &Path) -> std::io::Result<()> {
    fs::remove_dir(place)
}
