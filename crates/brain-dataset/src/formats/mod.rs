//! Importers and exporters: from folders and files to streams of [`Sample`]s, and back.
//!
//! A reader is a function from a path to [`Samples`], an iterator that holds one record at a time, so that a million samples import in bounded
//! memory. It knows nothing of the store. A record that cannot be understood is one `Err` item whose message names the file and the place in
//! it; iteration then goes on with the next record. Where that is not possible (the disk fails, the file ends in the middle), the error is the
//! last item and [`Samples::broke_off`] says so.
//!
//! | [`Format`] | reads | what becomes a sample |
//! |---|---|---|
//! | `image-dir` | [`read_image_dir`] | every image under a folder |
//! | `classification-dir` | [`read_classification_dir`] | every image under a folder per class, labelled `ground_truth` |
//! | `coco` | [`read_coco`] | every entry of `images`, its boxes in `ground_truth` |
//! | `fiftyone` | [`read_fiftyone`] | every sample of a FiftyOne export, ids kept; its runs by [`brain_runs`] |
//! | `jsonl` | [`read_jsonl`] | every line |
//!
//! [`write_jsonl`] and [`write_fiftyone`] are the way back; both write beside the destination first and rename last, so that a kill leaves no
//! half file under the name asked for.
//!
//! ```
//! use brain_core::{FieldValue, Sample};
//! use brain_dataset::formats::{Format, read_jsonl, write_jsonl};
//! # let folder = tempfile::tempdir()?;
//! let file = folder.path().join("two.jsonl");
//! let photo = Sample {
//!     filepath: "/photos/owl.jpg".into(),
//!     fields: vec![("embedding".into(), FieldValue::Vector(vec![0.1, -2.0]))],
//!     ..Sample::default()
//! };
//! write_jsonl(&file, [Ok(photo.clone())])?;
//! assert_eq!(Format::detect(&file)?, Format::Jsonl);
//! assert_eq!(read_jsonl(&file)?.collect::<Result<Vec<_>, _>>()?, [photo]);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

#[cfg(test)]
mod arbitrary;
mod array;
mod classification_dir;
mod coco;
mod document;
mod elements;
mod fiftyone;
mod format;
mod image_dir;
mod jsonl;
mod samples;
mod staging;
mod walk;

use std::path::Path;

use brain_core::Result;
#[cfg(doc)]
use brain_core::Sample;

pub use classification_dir::read_classification_dir;
pub use coco::{CocoOptions, read_coco};
pub use document::{JsonSample, sample_from_json};
pub use fiftyone::{ExportOptions, Exported, ExportedRun, Media, brain_runs, read_fiftyone, write_fiftyone};
pub use format::Format;
pub use image_dir::read_image_dir;
pub use jsonl::{read_jsonl, write_jsonl, write_jsonl_to};
pub use samples::Samples;

/// The most bytes that one record (a line, an element of a JSON list) may have; a longer one is a bad record and is never held in memory.
pub const MAX_RECORD_BYTES: usize = 64 << 20;

/// The field that importers put a file's own labels into, as FiftyOne names it.
pub const LABEL_FIELD: &str = "ground_truth";

/// Reads `path` as `format`, with that format's default options.
///
/// # Errors
/// [`NotFound`](brain_core::ErrorKind::NotFound) when there is no such path, and whatever the format's own reader says of it as a whole;
/// bad records are items of the stream.
pub fn read(path: &Path, format: Format) -> Result<Samples> {
    match format {
        Format::ImageDir => read_image_dir(path),
        Format::ClassificationDir => read_classification_dir(path),
        Format::Coco => read_coco(path, &CocoOptions::default()),
        Format::Fiftyone => read_fiftyone(path),
        Format::Jsonl => read_jsonl(path),
    }
}
