//! Files and folders that appear under their name only when they are complete.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use brain_core::{Error, ItemId, Result};

/// A hidden neighbour of `destination` that no other process uses, so that the final rename stays on one file system.
fn neighbour(destination: &Path) -> Result<PathBuf> {
    let name = destination
        .file_name()
        .ok_or_else(|| Error::invalid(format!("{} has no name to export to", destination.display())).with_hint("name the file or the folder"))?;
    let parent = destination.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    fs::create_dir_all(parent).map_err(|source| Error::io("make the folder", parent, source))?;
    Ok(parent.join(format!(".{}.{}.part", name.to_string_lossy(), ItemId::generate())))
}

/// Makes a rename last through a power loss. Not every file system can sync a folder; the rename itself has succeeded by then.
fn sync_parent(destination: &Path) {
    let parent = destination.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    if let Ok(folder) = File::open(parent) {
        let _ = folder.sync_all();
    }
}

/// A file being written; dropped before [`publish`](Self::publish), it is removed.
pub(super) struct StagedFile {
    file: File,
    staged: Staged,
}

impl StagedFile {
    pub(super) fn beside(destination: &Path) -> Result<Self> {
        let path = neighbour(destination)?;
        let file = File::create_new(&path).map_err(|source| Error::io("write", destination, source))?;
        Ok(Self { file, staged: Staged { path, destination: destination.to_owned(), is_folder: false, published: false } })
    }

    pub(super) fn file(&self) -> &File {
        &self.file
    }

    /// Gives the file its name.
    pub(super) fn publish(self) -> Result<()> {
        self.file.sync_all().map_err(|source| Error::io("write", &self.staged.destination, source))?;
        self.staged.publish()
    }
}

/// A folder being filled; dropped before [`publish`](Self::publish), it is removed with all that is in it.
pub(super) struct StagedFolder(Staged);

impl StagedFolder {
    pub(super) fn beside(destination: &Path) -> Result<Self> {
        let path = neighbour(destination)?;
        fs::create_dir(&path).map_err(|source| Error::io("make the folder", destination, source))?;
        Ok(Self(Staged { path, destination: destination.to_owned(), is_folder: true, published: false }))
    }

    pub(super) fn path(&self) -> &Path {
        &self.0.path
    }

    /// Gives the folder its name, in place of an empty folder of that name if there is one.
    pub(super) fn publish(self) -> Result<()> {
        // Fails, and rightly so, when something was put into the folder meanwhile.
        match fs::remove_dir(&self.0.destination) {
            Err(source) if source.kind() != std::io::ErrorKind::NotFound => Err(Error::io("replace", &self.0.destination, source)),
            _ => self.0.publish(),
        }
    }
}

struct Staged {
    path: PathBuf,
    destination: PathBuf,
    is_folder: bool,
    published: bool,
}

impl Staged {
    fn publish(mut self) -> Result<()> {
        fs::rename(&self.path, &self.destination).map_err(|source| Error::io("write", &self.destination, source))?;
        self.published = true;
        sync_parent(&self.destination);
        Ok(())
    }
}

impl Drop for Staged {
    fn drop(&mut self) {
        if !self.published {
            // The error that led here is the one to tell.
            let _ = if self.is_folder { fs::remove_dir_all(&self.path) } else { fs::remove_file(&self.path) };
        }
    }
}
