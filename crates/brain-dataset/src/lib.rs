//! Datasets, samples, labels and views in the SQLite file of a home.
//!
//! [`Datasets`] makes, finds and deletes datasets. A [`Dataset`] takes samples in from a stream ([`Dataset::import`]), gives them back whole or in
//! part, by id or by view ([`Dataset::get_samples`], [`Dataset::samples`], [`Dataset::patches`], [`Dataset::vectors`]), changes what is stored
//! ([`Dataset::set_values`], [`Dataset::add_tags`], …) and says which items a view means ([`Dataset::resolve`]). The readers and writers of files
//! are in [`formats`]; they know nothing of the store.
//!
//! Everything is made for a million samples with several million labels: imports and reads go in batches, so that memory does not grow with the
//! dataset; views are compiled to SQL, and `limit`, `skip` and `take` on a whole dataset read only what they leave. A handle holds no lock:
//! writes are short transactions, and several processes may work on one home.
//!
//! ```
//! use brain_core::{FieldValue, NoProgress, Sample, View};
//! use brain_dataset::{Datasets, Fields};
//! use brain_store::Database;
//! # let home = tempfile::tempdir()?;
//! let datasets = Datasets::open(&Database::open(home.path())?)?;
//! let photos = datasets.create("photos")?;
//! let weather = ["sun", "rain", "sun"];
//! photos.add_samples(
//!     weather.iter().enumerate().map(|(number, weather)| Sample {
//!         filepath: format!("/photos/{number}.jpg"),
//!         tags: vec!["train".into()],
//!         fields: vec![("weather".into(), FieldValue::Text((*weather).into()))],
//!         ..Sample::default()
//!     }),
//!     &NoProgress,
//! )?;
//!
//! let sunny = View::new().match_filter("weather == \"sun\"".parse()?).sort_by("filepath", true);
//! assert_eq!(photos.resolve(&sunny)?.items.len(), 2);
//! let first = photos.samples(&sunny, Fields::All)?.next().transpose()?;
//! assert_eq!(first.map(|sample| sample.filepath).as_deref(), Some("/photos/2.jpg"));
//!
//! let typo = View::new().match_filter("wether == \"sun\"".parse()?);
//! assert_eq!(photos.resolve(&typo).unwrap_err().to_string(), "the dataset has no field \"wether\"");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

#![forbid(unsafe_code)]

mod dataset;
mod datasets;
mod edit;
mod encode;
mod field;
pub mod formats;
mod fragment;
mod import;
mod info;
mod insert;
mod layout;
mod names;
mod patches;
mod read;
mod rows;
mod schema;
mod vectors;
mod view;

pub use dataset::Dataset;
pub use datasets::{DatasetSummary, Datasets};
pub use field::{Field, FieldType};
pub use import::{BadRecord, ImportOptions, ImportReport, OnBad, OnExisting};
pub use info::{DatasetInfo, FieldInfo, LabelCounts};
pub use patches::Patch;
pub use read::Fields;
pub use rows::Rows;
