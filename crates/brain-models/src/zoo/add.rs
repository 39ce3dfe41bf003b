//! A user's folder becomes a model of the home.

use std::fs;
use std::path::Path;

use brain_core::{Error, ErrorKind, Result};

use super::{ModelInfo, Zoo, load};
use crate::manifest::Manifest;

pub(super) fn add(zoo: &Zoo, folder: &Path) -> Result<ModelInfo> {
    let Some(home) = &zoo.folder else {
        return Err(Error::unsupported("models are added to a home, and there is none"));
    };
    let folder = fs::canonicalize(folder).map_err(|error| Error::io("read", folder, error).with_operation("add model"))?;
    let manifest = Manifest::read(&folder)?;
    let names = std::iter::once(&manifest.name).chain(&manifest.aliases);
    if let Some(taken) = names.into_iter().find(|name| !is_free(zoo, name)) {
        return Err(Error::new(ErrorKind::AlreadyExists, format!("there is a model called {taken:?} already"))
            .with_operation("add model")
            .with_hint(format!("give it another \"name\" in {}, or, if that one was added, `brain models remove {taken}` first", folder.display())));
    }
    let found = zoo.own(&folder, manifest);
    zoo.must_be_here(&found)?;
    // Whatever was kept of another model that had this name.
    let _ = found.keep.as_ref().map(fs::remove_dir_all);
    load::load(&found, &zoo.runtime)?;
    fs::create_dir_all(home).map_err(|error| Error::io("make", home, error))?;
    let place = home.join(&found.manifest.name);
    point(&folder, &place).map_err(|error| Error::io("make", &place, error).with_operation("add model"))?;
    zoo.info(&found.manifest.name)
}

fn is_free(zoo: &Zoo, name: &str) -> bool {
    zoo.find(name).is_err_and(|error| error.kind() == ErrorKind::NotFound)
}

#[cfg(unix)]
fn point(folder: &Path, place: &Path) -> std::io::Result<()> {
    std::os::unix::fs::symlink(folder, place)
}

#[cfg(windows)]
fn point(folder: &Path, place: &Path) -> std::io::Result<()> {
    std::os::windows::fs::symlink_dir(folder, place)
}
