//! The brain runs of an export.

use std::path::Path;

use brain_core::{Error, ItemId, Result};
use serde_json::{Map, Value, json};

use super::metadata::{METADATA, Metadata, date};

/// A brain run as an export's `metadata.json` tells of it. Its vectors are where its configuration says, not in the export.
#[derive(Clone, Debug, PartialEq)]
pub struct ExportedRun {
    /// The brain key.
    pub key: String,
    /// What was computed, such as `similarity`.
    pub kind: String,
    /// How, such as `pgvector` or `redis`.
    pub method: String,
    /// The version of FiftyOne that made it.
    pub version: Option<String>,
    /// When it was made, RFC 3339 in UTC with milliseconds.
    pub timestamp: Option<String>,
    /// The whole configuration as FiftyOne wrote it, `cls`, `type` and `method` included.
    pub config: Map<String, Value>,
}

/// The brain runs of the FiftyOne export in `folder`, in the order of `metadata.json`. An export without any gives none.
///
/// # Errors
/// When `metadata.json` is missing or malformed, or a run in it has no configuration; the message names the run.
pub fn brain_runs(folder: &Path) -> Result<Vec<ExportedRun>> {
    let runs = Metadata::read(folder)?.brain_methods.unwrap_or_default();
    runs.into_iter().map(|(key, document)| run(folder, key, document)).collect()
}

fn run(folder: &Path, key: String, document: Value) -> Result<ExportedRun> {
    let fault = |message: &str| Error::invalid(format!("{}: brain run {key:?} {message}", folder.join(METADATA).display()));
    // Early versions wrote a run as JSON inside a JSON string.
    let mut document = match document {
        Value::String(text) => serde_json::from_str(&text).map_err(|error| fault("is malformed").with_source(error))?,
        document => document,
    };
    let config = match document.get_mut("config").map(Value::take) {
        Some(Value::Object(config)) => config,
        _ => return Err(fault("has no \"config\"")),
    };
    let text = |name: &str| config.get(name).and_then(Value::as_str).map(str::to_owned);
    let method = text("method").ok_or_else(|| fault("has no \"method\" in its \"config\""))?;
    // Older versions had no type; the method's name was all there was.
    let kind = text("type").unwrap_or_else(|| method.clone());
    let version = document.get("version").and_then(Value::as_str).map(str::to_owned);
    let timestamp = document.get("timestamp").and_then(date);
    Ok(ExportedRun { key, kind, method, version, timestamp, config })
}

impl ExportedRun {
    /// The Python class that FiftyOne rebuilds this run's configuration with; `None` when FiftyOne has no such method.
    fn config_class(&self) -> Option<String> {
        if let Some(class) = self.config.get("cls").and_then(Value::as_str) {
            return Some(class.to_owned());
        }
        let class = match (self.kind.as_str(), self.method.as_str()) {
            ("similarity", "pgvector") => "fiftyone.brain.internal.core.pgvector.PgVectorSimilarityConfig",
            ("similarity", "redis") => "fiftyone.brain.internal.core.redis.RedisSimilarityConfig",
            _ => return None,
        };
        Some(class.to_owned())
    }

    /// This run as an entry of `brain_methods`, and the content of its file under `brain/`; `None` when FiftyOne could not open it.
    pub(super) fn documents(&self, dataset_id: &ItemId, format_version: &str, now: &str) -> Option<(Value, Value)> {
        let class = self.config_class()?;
        let results = class.strip_suffix("Config").map(|stem| format!("{stem}Index"))?;
        let mut config = Map::new();
        config.insert("cls".to_owned(), Value::String(class));
        config.insert("type".to_owned(), Value::String(self.kind.clone()));
        config.insert("method".to_owned(), Value::String(self.method.clone()));
        for (name, value) in &self.config {
            config.entry(name.clone()).or_insert_with(|| value.clone());
        }
        let entry = json!({
            "_id": { "$oid": ItemId::generate() },
            "_dataset_id": { "$oid": dataset_id },
            "key": self.key,
            "version": self.version.as_deref().unwrap_or(format_version),
            "timestamp": { "$date": self.timestamp.as_deref().unwrap_or(now) },
            "config": config,
            "results": null,
            "results_meta": {},
        });
        Some((entry, json!({ "cls": results })))
    }
}
