//! A walk over the images under a folder, in the order of their paths.

use std::ffi::OsString;
use std::fs::{self, FileType};
use std::path::{Path, PathBuf};

use brain_core::{Error, Result};

/// The endings of files that are images, in lower case.
pub(super) const IMAGE_EXTENSIONS: [&str; 8] = ["jpg", "jpeg", "png", "bmp", "gif", "tif", "tiff", "webp"];

/// Whether a path ends like an image, in any case.
pub(super) fn is_image(path: &Path) -> bool {
    path.extension()
        .and_then(|extension| extension.to_str())
        .is_some_and(|extension| IMAGE_EXTENSIONS.iter().any(|image| extension.eq_ignore_ascii_case(image)))
}

/// Whether a name is hidden; FiftyOne skips these too (`.thumbnails`, `._photo.jpg`).
pub(super) fn is_hidden(name: &std::ffi::OsStr) -> bool {
    name.as_encoded_bytes().first() == Some(&b'.')
}

/// The images under a folder, depth first, each folder's entries sorted by name: the order of [`Path`]s, component by component.
///
/// Holds the names of one folder per level. Links are followed; a link to a folder that the walk is inside of is passed over, so that a loop
/// ends. An entry that cannot be read is one `Err`; the walk goes on after it.
pub(super) struct Images {
    levels: Vec<Level>,
}

struct Level {
    path: PathBuf,
    /// Where the folder really is, to know a loop by.
    real: PathBuf,
    /// Entries still to visit, the next one last. Their type comes with the listing, which saves a question per file.
    entries: Vec<(OsString, FileType)>,
}

impl Images {
    /// A walk under `folder`, which is made absolute without resolving links, so that paths read as the user gave them.
    pub(super) fn under(folder: &Path) -> Result<Self> {
        let path = std::path::absolute(folder).map_err(|source| Error::io("find", folder, source))?;
        let real = fs::canonicalize(&path).map_err(|source| Error::io("read the folder", folder, source))?;
        if !real.is_dir() {
            return Err(Error::invalid(format!("{} is not a folder", folder.display())).with_hint("give the folder that holds the images"));
        }
        let entries = sorted_entries(&path)?;
        Ok(Self { levels: vec![Level { path, real, entries }] })
    }

    /// How many images a walk gives. Reads folders only, no file.
    pub(super) fn count(folder: &Path) -> Option<u64> {
        Some(Self::under(folder).ok()?.count() as u64)
    }

    fn enter(&mut self, path: PathBuf, linked: bool) -> Result<()> {
        let real = match (linked, self.levels.last(), path.file_name()) {
            // Under a folder whose place is known, a real folder's place needs no asking.
            (false, Some(level), Some(name)) => level.real.join(name),
            _ => fs::canonicalize(&path).map_err(|source| Error::io("follow the link", &path, source))?,
        };
        if self.levels.iter().any(|level| level.real == real) {
            return Ok(());
        }
        let entries = sorted_entries(&path)?;
        self.levels.push(Level { path, real, entries });
        Ok(())
    }
}

impl Iterator for Images {
    type Item = Result<PathBuf>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let level = self.levels.last_mut()?;
            let Some((name, kind)) = level.entries.pop() else {
                self.levels.pop();
                continue;
            };
            let path = level.path.join(name);
            let linked = kind.is_symlink();
            let is_folder = if linked { fs::metadata(&path).is_ok_and(|target| target.is_dir()) } else { kind.is_dir() };
            if is_folder {
                if let Err(error) = self.enter(path, linked) {
                    return Some(Err(error));
                }
            } else if is_image(&path) {
                if linked && !path.exists() {
                    return Some(Err(Error::not_found(format!("{} is a link to a file that does not exist", path.display()))));
                }
                return Some(Ok(path));
            }
        }
    }
}

/// The visible entries of a folder, last name first.
fn sorted_entries(folder: &Path) -> Result<Vec<(OsString, FileType)>> {
    let fault = |source| Error::io("read the folder", folder, source);
    let mut entries = Vec::new();
    for entry in fs::read_dir(folder).map_err(fault)? {
        let entry = entry.map_err(fault)?;
        let name = entry.file_name();
        if !is_hidden(&name) {
            entries.push((name, entry.file_type().map_err(fault)?));
        }
    }
    entries.sort_unstable_by(|a, b| b.0.cmp(&a.0));
    Ok(entries)
}

/// A path as a sample keeps it.
///
/// # Errors
/// [`InvalidInput`](brain_core::ErrorKind::InvalidInput) when the path is not UTF-8.
pub(super) fn filepath(path: PathBuf) -> Result<String> {
    path.into_os_string()
        .into_string()
        .map_err(|path| Error::invalid(format!("the path {} is not UTF-8", Path::new(&path).display())).with_hint("rename the file or its folder"))
}
