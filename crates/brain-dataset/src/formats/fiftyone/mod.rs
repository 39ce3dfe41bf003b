//! FiftyOne's dataset export (`FiftyOneDataset`): `metadata.json`, `samples.json`, `data/`, `brain/`.

mod fields;
mod media;
mod metadata;
mod read;
mod runs;
mod write;

#[cfg(test)]
mod tests;

pub use media::Media;
pub use read::read_fiftyone;
pub use runs::{ExportedRun, brain_runs};
pub use write::{ExportOptions, Exported, write_fiftyone};
