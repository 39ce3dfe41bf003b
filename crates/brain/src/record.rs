//! What a similarity run's record holds, by name, so that it is written and read in one place.
//!
//! The names are FiftyOne's where it has them. Never a credential: parameters come from
//! [`ResolvedParameters::to_stored`](brain_core::config::ResolvedParameters::to_stored).

use std::collections::BTreeMap;

use brain_core::{ExistingIndex, IndexSpec, ItemKind, Metric, Parameters, Result, RunRecord, RunState, View};
use serde_json::{Map, Value, json};

/// The type of every run here.
pub(crate) const SIMILARITY: &str = "similarity";

/// How a similarity run was asked for, in the form its record keeps.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct SimilarityConfig {
    pub(crate) metric: Metric,
    pub(crate) model: Option<String>,
    /// Whether a program handed the model in, so that no name finds it again.
    pub(crate) model_instance: bool,
    pub(crate) fingerprint: Option<String>,
    pub(crate) embeddings_field: Option<String>,
    pub(crate) embeddings_file: Option<String>,
    pub(crate) ids_file: Option<String>,
    pub(crate) patches_field: Option<String>,
    pub(crate) roi_field: Option<String>,
    pub(crate) force_square: bool,
    pub(crate) alpha: Option<f64>,
    pub(crate) supports_prompts: bool,
    pub(crate) index_name: String,
    /// Unknown for a run that was made empty.
    pub(crate) dimension: Option<usize>,
    /// Whether somebody else made the index.
    pub(crate) attached: bool,
    pub(crate) parameters: Parameters,
}

impl SimilarityConfig {
    /// What the run's items are.
    pub(crate) fn items(&self) -> ItemKind {
        if self.patches_field.is_some() { ItemKind::Patches } else { ItemKind::Samples }
    }

    /// The index of the run; `None` while its dimension is unknown.
    pub(crate) fn spec(&self) -> Option<IndexSpec> {
        Some(IndexSpec {
            name: self.index_name.clone(),
            dimension: self.dimension?,
            metric: self.metric,
            items: self.items(),
            parameters: self.parameters.clone(),
        })
    }

    /// The index of an attached run, with what is expected of it.
    pub(crate) fn existing(&self, dimension: Option<usize>, metric: Option<Metric>) -> ExistingIndex {
        ExistingIndex { name: self.index_name.clone(), dimension, metric, items: self.items(), parameters: self.parameters.clone() }
    }

    pub(crate) fn to_map(&self) -> Map<String, Value> {
        let value = json!({
            "metric": self.metric,
            "model": self.model,
            "model_instance": self.model_instance,
            "model_fingerprint": self.fingerprint,
            "embeddings_field": self.embeddings_field,
            "embeddings_file": self.embeddings_file,
            "ids_file": self.ids_file,
            "patches_field": self.patches_field,
            "roi_field": self.roi_field,
            "force_square": self.force_square,
            "alpha": self.alpha,
            "supports_prompts": self.supports_prompts,
            "index_name": self.index_name,
            "dimension": self.dimension,
            "attached": self.attached,
            "parameters": self.parameters,
        });
        match value {
            Value::Object(map) => map,
            _ => Map::new(),
        }
    }

    /// Reads a record's configuration.
    pub(crate) fn read(record: &RunRecord) -> Result<Self> {
        let text = |name: &str| record.config_text(name).map(str::to_owned);
        let flag = |name: &str| record.config.get(name).and_then(Value::as_bool).unwrap_or_default();
        let metric = record.config_text("metric").unwrap_or("cosine").parse::<Metric>().map_err(|source| {
            brain_core::Error::corrupt(format!("the record of run {:?} does not read: {source}", record.key)).with_source(source)
        })?;
        let parameters: BTreeMap<String, Value> = match record.config.get("parameters") {
            Some(Value::Object(map)) => map.iter().map(|(name, value)| (name.clone(), value.clone())).collect(),
            // A run that came with a FiftyOne export keeps its parameters beside everything else.
            _ => record.config.iter().map(|(name, value)| (name.clone(), value.clone())).collect(),
        };
        Ok(Self {
            metric,
            model: text("model"),
            model_instance: flag("model_instance"),
            fingerprint: text("model_fingerprint"),
            embeddings_field: text("embeddings_field"),
            embeddings_file: text("embeddings_file"),
            ids_file: text("ids_file"),
            patches_field: text("patches_field"),
            roi_field: text("roi_field"),
            force_square: flag("force_square"),
            alpha: record.config.get("alpha").and_then(Value::as_f64),
            supports_prompts: flag("supports_prompts"),
            index_name: text("index_name").unwrap_or_default(),
            dimension: record.config.get("dimension").and_then(Value::as_u64).and_then(|dimension| usize::try_from(dimension).ok()),
            attached: flag("attached"),
            parameters,
        })
    }

    /// A new record of such a run.
    pub(crate) fn record(&self, dataset: &str, key: &str, method: &str, view: Option<View>) -> RunRecord {
        RunRecord {
            dataset: dataset.to_owned(),
            key: key.to_owned(),
            run_type: SIMILARITY.to_owned(),
            method: method.to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            timestamp: brain_core::timestamp::now(),
            state: RunState::Registered,
            config: self.to_map(),
            view,
            counts: BTreeMap::new(),
            error: None,
        }
    }
}

/// The part of an index's default name that comes from its dataset: lower-case letters, digits and hyphens, at most 40 of them.
pub(crate) fn slug(dataset: &str) -> String {
    let mut slug = String::new();
    for character in dataset.chars().flat_map(char::to_lowercase) {
        if character.is_ascii_alphanumeric() {
            slug.push(character);
        } else if !slug.is_empty() && !slug.ends_with('-') {
            slug.push('-');
        }
        if slug.len() == 40 {
            break;
        }
    }
    let slug = slug.trim_end_matches('-');
    if slug.is_empty() { "dataset".to_owned() } else { slug.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_reads_back() {
        let config = SimilarityConfig {
            metric: Metric::L1,
            model: Some("m".into()),
            patches_field: Some("ground_truth".into()),
            alpha: Some(0.2),
            index_name: "i".into(),
            dimension: Some(3),
            parameters: [("vector_type".to_owned(), json!("f32"))].into(),
            ..SimilarityConfig::default()
        };
        let record = config.record("d", "k", "local", None);
        assert_eq!(SimilarityConfig::read(&record).unwrap(), config);
        assert_eq!(config.spec().unwrap().items, ItemKind::Patches);
    }

    #[test]
    fn slugs() {
        assert_eq!(slug("My Birds! (2026)"), "my-birds-2026");
        assert_eq!(slug("鳥"), "dataset");
        assert!(slug(&"x".repeat(100)).len() <= 40);
    }
}
