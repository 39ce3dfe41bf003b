//! The stored record of a computation, and what the library needs of a registry of them.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::{Error, Result, View, is_identifier};

/// How far a run has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RunState {
    /// Written down before any work.
    #[default]
    Registered,
    /// At work, or interrupted at it.
    Running,
    /// Done.
    Complete,
    /// Ended by an error, which stands in the record; it can be resumed.
    Failed,
}

impl RunState {
    /// The name, as records spell it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Registered => "registered",
            Self::Running => "running",
            Self::Complete => "complete",
            Self::Failed => "failed",
        }
    }
}

impl fmt::Display for RunState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for RunState {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        [Self::Registered, Self::Running, Self::Complete, Self::Failed]
            .into_iter()
            .find(|state| state.as_str() == text)
            .ok_or_else(|| Error::corrupt(format!("{text:?} is no state of a run")))
    }
}

/// The stored record of a computation on a dataset. Never a credential.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunRecord {
    /// The dataset's name.
    pub dataset: String,
    /// The brain key: the run's name on its dataset.
    pub key: String,
    /// What was computed: `similarity`.
    #[serde(rename = "type")]
    pub run_type: String,
    /// Which backend holds the result: `local`, `pgvector`, `redis`.
    pub method: String,
    /// The version of the program that made it.
    pub version: String,
    /// When it was registered: RFC 3339, UTC.
    pub timestamp: String,
    /// How far it has come.
    pub state: RunState,
    /// How it was computed: metric, model, fields, names of index and table.
    pub config: Map<String, Value>,
    /// The view it was computed on; `None` for the whole dataset.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub view: Option<View>,
    /// How many items were indexed, replaced, failed, by name.
    #[serde(default)]
    pub counts: BTreeMap<String, u64>,
    /// Why it failed, where it did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

impl RunRecord {
    /// A config value as text, where it is one.
    pub fn config_text(&self, name: &str) -> Option<&str> {
        self.config.get(name).and_then(Value::as_str)
    }
}

/// Which runs to list. An empty filter lists all.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RunFilter {
    /// Only runs of this type.
    pub run_type: Option<String>,
    /// Only runs of this backend.
    pub method: Option<String>,
    /// Only runs whose config holds these values.
    pub config: Vec<(String, Value)>,
}

impl RunFilter {
    /// Whether `record` is meant.
    pub fn matches(&self, record: &RunRecord) -> bool {
        self.run_type.as_ref().is_none_or(|wanted| *wanted == record.run_type)
            && self.method.as_ref().is_none_or(|wanted| *wanted == record.method)
            && self.config.iter().all(|(name, value)| record.config.get(name) == Some(value))
    }
}

/// Refuses a text that cannot be a brain key.
///
/// # Errors
/// [`InvalidInput`](crate::ErrorKind::InvalidInput), with the rule.
pub fn check_brain_key(key: &str) -> Result<()> {
    if is_identifier(key) {
        return Ok(());
    }
    Err(Error::invalid(format!("{key:?} is no brain key"))
        .with_hint("a brain key begins with a letter or an underscore and goes on with letters, digits and underscores, like img_sim"))
}

/// What the library needs of a registry of runs.
#[async_trait]
pub trait RunStore: Send + Sync {
    /// Writes a new record down.
    ///
    /// # Errors
    /// [`AlreadyExists`](crate::ErrorKind::AlreadyExists) for a key that the dataset has, also when another process was a moment faster.
    async fn insert(&self, record: &RunRecord) -> Result<()>;

    /// The record of a key; `None` where there is none.
    ///
    /// # Errors
    /// Those of the storage.
    async fn get(&self, dataset: &str, key: &str) -> Result<Option<RunRecord>>;

    /// Replaces state, config, counts and error of a record.
    ///
    /// # Errors
    /// [`NotFound`](crate::ErrorKind::NotFound) when it is gone.
    async fn update(&self, record: &RunRecord) -> Result<()>;

    /// The records of a dataset, or of all, in the order they were registered.
    ///
    /// # Errors
    /// Those of the storage.
    async fn list(&self, dataset: Option<&str>, filter: &RunFilter) -> Result<Vec<RunRecord>>;

    /// Gives a run another key.
    ///
    /// # Errors
    /// [`NotFound`](crate::ErrorKind::NotFound), [`AlreadyExists`](crate::ErrorKind::AlreadyExists).
    async fn rename(&self, dataset: &str, key: &str, new_key: &str) -> Result<()>;

    /// Deletes a record, not the index; whether there was one.
    ///
    /// # Errors
    /// Those of the storage.
    async fn delete(&self, dataset: &str, key: &str) -> Result<bool>;
}
