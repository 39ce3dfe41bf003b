//! The registry of brain runs: who computed what, with which settings, how far it came, and where the vectors are.
//!
//! A run is registered *before* its work starts, so an interrupted one is visible and can be resumed or cleaned up. Deleting a run deletes its
//! record, never the index. [`SqliteRuns`] keeps the records in the home's `brain.db`, so that several processes may share them.
//!
//! ```
//! use brain_core::{RunFilter, RunRecord, RunState, RunStore};
//! use brain_runs::SqliteRuns;
//! # let folder = tempfile::tempdir()?;
//! # futures::executor::block_on(async {
//! let runs = SqliteRuns::new(brain_store::Database::open(folder.path())?)?;
//! let run = RunRecord {
//!     dataset: "birds".into(), key: "img_sim".into(), run_type: "similarity".into(), method: "local".into(),
//!     version: "0.1.0".into(), timestamp: brain_core::timestamp::now(), state: RunState::Registered,
//!     config: Default::default(), view: None, counts: Default::default(), error: None,
//! };
//! runs.insert(&run).await?;
//! assert_eq!(runs.list(Some("birds"), &RunFilter::default()).await?, [run]);
//! # Ok::<(), brain_core::Error>(())
//! # })?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

#![forbid(unsafe_code)]

mod sqlite;

pub use sqlite::SqliteRuns;
