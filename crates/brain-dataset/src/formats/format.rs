//! The formats by name, and how to tell one from a path.

use std::fmt;
use std::fs;
use std::path::Path;
use std::str::FromStr;

use brain_core::{Error, Result};

use super::walk::{is_hidden, is_image};

/// What a path holds; the names are those of `brain dataset import --format`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Format {
    /// All images under a folder.
    ImageDir,
    /// A folder per class.
    ClassificationDir,
    /// COCO detection labels with their images.
    Coco,
    /// A FiftyOne dataset export.
    Fiftyone,
    /// JSON Lines, one sample a line.
    Jsonl,
}

impl Format {
    /// Every format, in the order help lists them.
    pub const ALL: [Self; 5] = [Self::ImageDir, Self::ClassificationDir, Self::Coco, Self::Fiftyone, Self::Jsonl];

    /// The format's name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ImageDir => "image-dir",
            Self::ClassificationDir => "classification-dir",
            Self::Coco => "coco",
            Self::Fiftyone => "fiftyone",
            Self::Jsonl => "jsonl",
        }
    }

    /// What `path` looks like, from names alone: no file is opened.
    ///
    /// A folder with `metadata.json` and `samples.json` is a FiftyOne export; one with `labels.json`, or a `.json` file, is COCO; a `.jsonl` or
    /// `.ndjson` file is JSON Lines. A folder with images at its top is a folder of images; one with none there, but in two or more folders
    /// directly below, is a folder per class; any other folder is a folder of images.
    ///
    /// # Errors
    /// [`NotFound`](brain_core::ErrorKind::NotFound) when there is no such path, [`InvalidInput`](brain_core::ErrorKind::InvalidInput) when
    /// it looks like none of the formats; the hint lists them.
    pub fn detect(path: &Path) -> Result<Self> {
        let metadata = fs::metadata(path).map_err(|source| Error::io("import", path, source))?;
        if metadata.is_dir() { Self::of_folder(path) } else { Self::of_file(path) }
    }

    fn of_file(path: &Path) -> Result<Self> {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if name == "samples.json" || name == "metadata.json" {
            return Err(Error::invalid(format!("{} is one file of a FiftyOne export", path.display()))
                .with_hint("give the folder that holds metadata.json and samples.json"));
        }
        let extension = path.extension().and_then(|extension| extension.to_str()).unwrap_or_default().to_ascii_lowercase();
        match extension.as_str() {
            "jsonl" | "ndjson" => Ok(Self::Jsonl),
            "json" => Ok(Self::Coco),
            _ if is_image(path) => Err(Error::invalid(format!("{} is one image", path.display())).with_hint("give the folder that holds it")),
            _ => Err(unknown(path)),
        }
    }

    fn of_folder(path: &Path) -> Result<Self> {
        let has = |name: &str| path.join(name).is_file();
        if has("metadata.json") && has("samples.json") {
            return Ok(Self::Fiftyone);
        }
        if has("labels.json") {
            return Ok(Self::Coco);
        }
        let (mut folders, mut with_images) = (0_usize, 0_usize);
        for entry in fs::read_dir(path).map_err(|source| Error::io("read the folder", path, source))? {
            let entry = entry.map_err(|source| Error::io("read the folder", path, source))?;
            let below = entry.path();
            if is_hidden(&entry.file_name()) {
                continue;
            }
            if below.is_dir() {
                folders += 1;
                with_images += usize::from(holds_an_image(&below));
            } else if is_image(&below) {
                return Ok(Self::ImageDir);
            }
        }
        match (folders, with_images) {
            (_, 2..) => Ok(Self::ClassificationDir),
            (1.., _) => Ok(Self::ImageDir),
            (0, _) => Err(unknown(path)),
        }
    }
}

fn holds_an_image(folder: &Path) -> bool {
    fs::read_dir(folder).is_ok_and(|entries| entries.flatten().any(|entry| !is_hidden(&entry.file_name()) && is_image(&entry.path())))
}

fn names() -> String {
    Format::ALL.map(Format::as_str).join(", ")
}

fn unknown(path: &Path) -> Error {
    Error::invalid(format!("{} looks like none of the formats that can be imported", path.display())).with_hint(format!(
        "name it with --format, one of {}: a folder of images, a folder per class, labels.json with images, a FiftyOne export, a .jsonl file",
        names()
    ))
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for Format {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self> {
        Self::ALL
            .into_iter()
            .find(|format| format.as_str() == name)
            .ok_or_else(|| Error::invalid(format!("there is no format {name:?}")).with_hint(format!("the formats are {}", names())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn detect(files: &[&str], path: &str) -> Result<Format> {
        let folder = tempfile::tempdir().unwrap();
        for name in files {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "").unwrap();
        }
        Format::detect(&folder.path().join(path))
    }

    #[test]
    fn names_go_both_ways() {
        for format in Format::ALL {
            assert_eq!(format.to_string().parse::<Format>().unwrap(), format);
        }
        let error = "voc".parse::<Format>().unwrap_err();
        assert_eq!(error.message(), "there is no format \"voc\"");
        assert_eq!(error.hint(), Some("the formats are image-dir, classification-dir, coco, fiftyone, jsonl"));
    }

    #[test]
    fn each_format_is_known_by_its_names() {
        assert_eq!(detect(&["a.jsonl"], "a.jsonl").unwrap(), Format::Jsonl);
        assert_eq!(detect(&["instances_val.JSON"], "instances_val.JSON").unwrap(), Format::Coco);
        assert_eq!(detect(&["labels.json", "data/1.jpg"], "").unwrap(), Format::Coco);
        assert_eq!(detect(&["metadata.json", "samples.json", "data/1.jpg"], "").unwrap(), Format::Fiftyone);
        assert_eq!(detect(&["1.jpg", "a/1.jpg", "b/1.jpg"], "").unwrap(), Format::ImageDir);
        assert_eq!(detect(&["a/1.jpg", "b/1.jpg"], "").unwrap(), Format::ClassificationDir);
        assert_eq!(detect(&["data/1.jpg", ".cache/2.jpg"], "").unwrap(), Format::ImageDir);
    }

    #[test]
    fn what_is_no_format_says_what_would_be() {
        assert_eq!(detect(&[], "gone").unwrap_err().kind(), brain_core::ErrorKind::NotFound);
        assert!(detect(&["a.csv"], "a.csv").unwrap_err().hint().is_some_and(|hint| hint.contains("classification-dir")));
        assert!(detect(&["notes.txt"], "").is_err());
        assert!(detect(&["1.jpg"], "1.jpg").unwrap_err().hint().is_some_and(|hint| hint.contains("folder")));
        assert!(detect(&["samples.json"], "samples.json").unwrap_err().message().contains("one file of a FiftyOne export"));
    }
}
