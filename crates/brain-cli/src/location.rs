//! File names as a terminal shows them.

use std::path::{Path, PathBuf};

/// The folder that file names are shown from.
pub(crate) struct Location(Option<PathBuf>);

impl Location {
    /// The working folder.
    pub(crate) fn here() -> Self {
        Self(std::env::current_dir().ok())
    }

    /// The path relative to the folder where it lies in it, else as it is.
    pub(crate) fn shown(&self, path: &str) -> String {
        let below = self.0.as_ref().and_then(|folder| Path::new(path).strip_prefix(folder).ok());
        match below {
            Some(rest) if !rest.as_os_str().is_empty() => rest.display().to_string(),
            _ => path.to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_below_the_folder_are_named_from_it() {
        let location = |folder: &str| Location(Some(folder.into()));
        assert_eq!(location("/data").shown("/data/photos/a.jpg"), "photos/a.jpg");
        assert_eq!(location("/else").shown("/data/photos/a.jpg"), "/data/photos/a.jpg");
        assert_eq!(location("/data").shown("/data"), "/data");
        assert_eq!(location("/data").shown("s3://bucket/a.jpg"), "s3://bucket/a.jpg");
    }
}
