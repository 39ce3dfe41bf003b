//! The photos that ship with the program, and their place in a home.

use std::fs;
use std::path::Path;

use brain::core::{Error, Result};

/// Every file by its path below the folder: `photos/<class>/<class>-NNN.jpg`, `scenes/scene-NNN.jpg`, `scenes/labels.json`.
static FILES: &[(&str, &[u8])] = &include!(concat!(env!("OUT_DIR"), "/quickstart_files.rs"));

/// Writes the files below `folder` that are not there yet, each whole or not at all; how many that were.
///
/// # Errors
/// Those of the file system.
pub(super) fn write(folder: &Path) -> Result<usize> {
    let mut written = 0;
    for (name, bytes) in FILES {
        let path = folder.join(name);
        if fs::metadata(&path).is_ok_and(|metadata| metadata.len() == bytes.len() as u64) {
            continue;
        }
        let parent = path.parent().unwrap_or(folder);
        fs::create_dir_all(parent).map_err(|source| Error::io("make the folder", parent, source))?;
        // Two processes may do this at once: each writes a file of its own, and the same bytes get the name twice.
        let partial = path.with_extension(format!("partial-{}", std::process::id()));
        fs::write(&partial, bytes).map_err(|source| Error::io("write", &partial, source))?;
        fs::rename(&partial, &path).map_err(|source| Error::io("write", &path, source))?;
        written += 1;
    }
    Ok(written)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_written_once_and_mended() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(write(folder.path()).unwrap(), FILES.len());
        assert_eq!(write(folder.path()).unwrap(), 0);
        let label_file = folder.path().join("scenes/labels.json");
        fs::write(&label_file, "cut off").unwrap();
        assert_eq!(write(folder.path()).unwrap(), 1);
        assert!(fs::metadata(label_file).unwrap().len() > 1000);
    }

    #[test]
    fn all_photos_and_scenes_are_there() {
        let count = |start: &str| FILES.iter().filter(|(name, _)| name.starts_with(start) && name.ends_with(".jpg")).count();
        assert_eq!((count("photos/"), count("scenes/"), FILES.len()), (200, 60, 261));
    }
}
