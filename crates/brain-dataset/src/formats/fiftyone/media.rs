//! How photos get into an export's `data/` folder.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use brain_core::{Error, Result};

/// What an export does with the photos.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Media {
    /// Copies them into `data/`: the export stands alone.
    #[default]
    Copy,
    /// Puts links to them into `data/`: small, for this machine only.
    Link,
    /// Leaves them where they are and names them by absolute path.
    Reference,
}

/// The `data/` folder being filled. Two photos of one name get two names: `owl.jpg`, `owl-2.jpg`.
pub(super) struct Library {
    media: Media,
    folder: PathBuf,
    /// For each name that was taken once, the number to try next. Names that never clash cost nothing: the folder itself knows them.
    next: HashMap<String, u64>,
}

impl Library {
    /// Makes `export/data`, unless photos stay where they are.
    pub(super) fn inside(export: &Path, media: Media) -> Result<Self> {
        let folder = export.join("data");
        if media != Media::Reference {
            fs::create_dir(&folder).map_err(|source| Error::io("make the folder", &folder, source))?;
        }
        Ok(Self { media, folder, next: HashMap::new() })
    }

    /// Takes a photo in and gives the path that its sample has in the export.
    pub(super) fn add(&mut self, filepath: &str) -> Result<String> {
        if self.media == Media::Reference {
            return Ok(filepath.to_owned());
        }
        let source = Path::new(filepath);
        if !source.exists() {
            return Err(Error::not_found(format!("the photo {filepath} does not exist"))
                .with_operation("export")
                .with_hint("delete its sample, or export with the photos left where they are"));
        }
        let failed = |fault| Error::io("copy", source, fault).with_operation("export");
        let is_file = fs::metadata(source).map_err(failed)?.is_file();
        let Some(name) = source.file_name().and_then(|name| name.to_str()).filter(|_| is_file) else {
            return Err(Error::invalid(format!("{filepath} is not a file")).with_operation("export"));
        };
        let mut candidate = name.to_owned();
        loop {
            match self.place(source, &self.folder.join(&candidate)) {
                Ok(()) => return Ok(format!("data/{candidate}")),
                Err(fault) if fault.kind() == io::ErrorKind::AlreadyExists => {
                    let number = self.next.entry(name.to_owned()).or_insert(2);
                    candidate = numbered(name, *number);
                    *number += 1;
                }
                Err(fault) => return Err(failed(fault)),
            }
        }
    }

    /// Fails with `AlreadyExists` when the name is taken, whatever the file system counts as the same name.
    fn place(&self, source: &Path, target: &Path) -> io::Result<()> {
        if self.media == Media::Link {
            return link(&std::path::absolute(source)?, target);
        }
        let mut target = File::create_new(target)?;
        io::copy(&mut File::open(source)?, &mut target).map(drop)
    }
}

fn numbered(name: &str, number: u64) -> String {
    match name.rsplit_once('.') {
        Some((stem, extension)) if !stem.is_empty() => format!("{stem}-{number}.{extension}"),
        _ => format!("{name}-{number}"),
    }
}

#[cfg(unix)]
fn link(source: &Path, target: &Path) -> io::Result<()> {
    std::os::unix::fs::symlink(source, target)
}

/// Where symbolic links need a privilege, a second name of the same file does as well.
#[cfg(not(unix))]
fn link(source: &Path, target: &Path) -> io::Result<()> {
    fs::hard_link(source, target)
}
