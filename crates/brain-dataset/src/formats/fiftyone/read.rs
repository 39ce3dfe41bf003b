//! From an export to samples.

use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};

use brain_core::{Error, Result, Sample};

use super::super::MAX_RECORD_BYTES;
use super::super::document::{self, Dialect, read_sample};
use super::super::elements::{Element, Elements};
use super::super::samples::{Fault, Samples};
use super::metadata::{METADATA, Metadata, SAMPLES};

/// The samples of a FiftyOne export in `folder`, with their ids and their labels' ids.
///
/// Read one at a time, however large `samples.json` is. Relative file paths are relative to `folder`. Vectors (and other one-dimensional
/// arrays of numbers) are unpacked; masks and other arrays, dates, and labels of classes that this library does not know are kept as they came.
/// A plain list of numbers is a list here, not a vector. FiftyOne's bookkeeping (`_rand`, `created_at` and their like) is left out;
/// [`write_fiftyone`](super::write_fiftyone) makes it anew. The export's runs are read by [`brain_runs`](super::brain_runs).
///
/// A malformed sample is a bad record that names the sample's number (from 1) and the byte of the file.
///
/// # Errors
/// [`Unsupported`](brain_core::ErrorKind::Unsupported) when the dataset's media are not images or the samples lie in a file each;
/// otherwise when a file is missing or cannot be read.
pub fn read_fiftyone(folder: &Path) -> Result<Samples> {
    let metadata = Metadata::read(folder)?;
    if let Some(media_type) = metadata.media_type.filter(|media_type| media_type != "image") {
        return Err(Error::unsupported(format!("{} is a dataset of media type {media_type:?}", folder.join(METADATA).display()))
            .with_operation("import FiftyOne export")
            .with_hint("only datasets of images can be imported; export a view of the images, or of the videos' frames as images"));
    }
    let path = folder.join(SAMPLES);
    if !path.exists() && folder.join("samples").is_dir() {
        return Err(
            Error::unsupported(format!("{} holds its samples in one file each", folder.display())).with_hint("export again without use_dirs=True")
        );
    }
    let elements = Elements::open(&path, &["samples"]).map_err(|source| Error::io("read", &path, source))?;
    let folder = std::path::absolute(folder).map_err(|source| Error::io("find", folder, source))?;
    Ok(Samples::new(Documents { elements, path, folder }, None))
}

struct Documents {
    elements: Elements<BufReader<File>>,
    path: PathBuf,
    folder: PathBuf,
}

impl Documents {
    fn sample(&self, element: Element) -> Result<Sample> {
        let place = |offset: usize| format!("{}: sample {} (byte {})", self.path.display(), element.position + 1, element.offset + offset as u64);
        if element.too_long {
            return Err(Error::invalid(format!("{}: it is longer than {} MiB", place(0), MAX_RECORD_BYTES >> 20)));
        }
        let text =
            std::str::from_utf8(self.elements.text()).map_err(|error| Error::invalid(format!("{}: it is not UTF-8", place(error.valid_up_to()))))?;
        let mut sample = read_sample(text, Dialect::Fiftyone).map_err(|fault| {
            let place = place(fault.offset);
            with_nan_hint(fault, text).into_error(place)
        })?;
        let path = Path::new(&sample.filepath);
        if !path.is_absolute() {
            sample.filepath = self.folder.join(path).to_string_lossy().into_owned();
        }
        Ok(sample)
    }
}

/// Python writes NaN and Infinity as bare words, which are not JSON.
fn with_nan_hint(fault: document::Fault, text: &str) -> document::Fault {
    let at = text.get(fault.offset..).unwrap_or_default();
    if at.starts_with(['N', 'I']) || at.starts_with("-I") {
        fault.with_hint("NaN and Infinity are not JSON; set such values to null before the export")
    } else {
        fault
    }
}

impl Iterator for Documents {
    type Item = Result<Sample, Fault>;

    fn next(&mut self) -> Option<Self::Item> {
        match self.elements.advance() {
            Ok(Some(element)) => Some(self.sample(element).map_err(Fault::Record)),
            Ok(None) if self.elements.has_seen(0) => None,
            Ok(None) => Some(Err(Fault::Fatal(
                Error::invalid(format!("{} has no list \"samples\"", self.path.display())).with_hint("is it the samples.json of a FiftyOne export?"),
            ))),
            Err(error) => Some(Err(Fault::Fatal(error.of(&self.path)))),
        }
    }
}
