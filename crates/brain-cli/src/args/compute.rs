//! `brain compute-similarity`

use std::path::PathBuf;

use brain::core::{Error, Metric};
use brain::{Brain, ComputeSimilarity, Embeddings};
use clap::Args;
use clap::builder::{PossibleValuesParser, TypedValueParser as _};

use super::{RunArgs, RuntimeArgs, ViewArgs};

/// Flags of `brain compute-similarity`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct ComputeArgs {
    #[command(flatten)]
    pub(crate) run: RunArgs,
    /// The backend that holds the index [default: the configured one]
    #[arg(long, value_name = "BACKEND")]
    backend: Option<String>,
    /// The model that embeds the photos [default: the built-in one; `brain models list` shows all]
    #[arg(long, value_name = "MODEL", conflicts_with_all = ["embeddings", "no_embeddings"])]
    model: Option<String>,
    /// Vectors from a NumPy file, one row a sample in the dataset's order
    #[arg(long, value_name = "FILE.npy", conflicts_with_all = ["embeddings_field", "no_embeddings"])]
    embeddings: Option<PathBuf>,
    /// The ids that the rows of --embeddings belong to, one a line
    #[arg(long, value_name = "FILE", requires = "embeddings")]
    ids: Option<PathBuf>,
    /// Vectors from a field of the dataset; with --model the field is filled where it is empty
    #[arg(long, value_name = "FIELD", conflicts_with = "no_embeddings")]
    embeddings_field: Option<String>,
    /// No vectors: make the index empty, or attach to the one that --param index_name=NAME names
    #[arg(long)]
    no_embeddings: bool,
    /// Index the patches of this label field instead of whole samples
    #[arg(long, value_name = "FIELD")]
    patches_field: Option<String>,
    /// Average each sample's vector over the regions of this label field
    #[arg(long, value_name = "FIELD", conflicts_with = "patches_field")]
    roi_field: Option<String>,
    /// Widen the shorter side of each crop until it is square
    #[arg(long)]
    force_square: bool,
    /// Grow (or shrink, below 0) each crop by this share of its sides
    #[arg(long, value_name = "SHARE", allow_negative_numbers = true)]
    alpha: Option<f64>,
    /// What ranks the vectors [default: the configured one]
    #[arg(long, value_name = "METRIC", value_parser = metric())]
    metric: Option<Metric>,
    /// A parameter of the backend, over the configured one; may be repeated
    #[arg(long = "param", value_name = "KEY=VALUE", value_parser = key_value)]
    parameters: Vec<(String, String)>,
    /// How many photos are embedded at once
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    batch_size: Option<u32>,
    /// End at the first photo that cannot be embedded, instead of leaving it out
    #[arg(long)]
    stop_on_failure: bool,
    /// Go on with an interrupted run
    #[arg(long)]
    resume: bool,
    /// Look at everything, write nothing, and say what would be done
    #[arg(long)]
    pub(crate) dry_run: bool,
    #[command(flatten)]
    pub(crate) runtime: RuntimeArgs,
    #[command(flatten)]
    view: ViewArgs,
}

const EXAMPLES: &str = "\
Examples:
  brain compute-similarity birds --brain-key img_sim
  brain compute-similarity birds --brain-key clip_sim --embeddings clip.npy --metric cosine
  brain compute-similarity birds --brain-key gt_sim --patches-field ground_truth --match-tags train";

impl ComputeArgs {
    /// The work that the flags mean.
    ///
    /// # Errors
    /// Those of the view's filters.
    pub(crate) fn build(&self, brain: &Brain) -> Result<ComputeSimilarity, Error> {
        let mut compute = brain
            .compute_similarity(&self.run.name, &self.run.brain_key)
            .force_square(self.force_square)
            .skip_failures(!self.stop_on_failure)
            .resume(self.resume);
        if let Some(embeddings) = self.embeddings() {
            compute = compute.embeddings(embeddings);
        }
        if let Some(backend) = &self.backend {
            compute = compute.backend(backend);
        }
        if let Some(metric) = self.metric {
            compute = compute.metric(metric);
        }
        for (name, value) in &self.parameters {
            compute = compute.parameter(name, value);
        }
        if let Some(field) = &self.patches_field {
            compute = compute.patches_field(field);
        }
        if let Some(field) = &self.roi_field {
            compute = compute.roi_field(field);
        }
        if let Some(alpha) = self.alpha {
            compute = compute.alpha(alpha);
        }
        if let Some(images) = self.batch_size {
            compute = compute.batch_size(images as usize);
        }
        if let Some(view) = self.view.some_view()? {
            compute = compute.view(view);
        }
        Ok(compute)
    }

    /// Where the vectors come from; `None` for the default.
    fn embeddings(&self) -> Option<Embeddings> {
        if self.no_embeddings {
            Some(Embeddings::None)
        } else if let Some(npy) = &self.embeddings {
            Some(Embeddings::File { npy: npy.clone(), ids: self.ids.clone() })
        } else if let Some(name) = &self.embeddings_field {
            Some(Embeddings::Field { name: name.clone(), model: self.model.clone() })
        } else {
            self.model.clone().map(Embeddings::Model)
        }
    }
}

fn metric() -> impl clap::builder::TypedValueParser<Value = Metric> {
    PossibleValuesParser::new(Metric::ALL.map(Metric::as_str)).try_map(|name| name.parse::<Metric>())
}

fn key_value(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key.to_owned(), value.to_owned())),
        _ => Err("write it as KEY=VALUE".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::{Command, parse_words};

    fn parsed(words: &str) -> Result<ComputeArgs, clap::Error> {
        match parse_words(&format!("compute-similarity birds --brain-key k {words}"))?.command {
            Command::ComputeSimilarity(args) => Ok(*args),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn each_source_of_vectors_has_its_flag() {
        let source = |words: &str| parsed(words).unwrap().embeddings();
        assert!(source("").is_none());
        assert!(matches!(source("--model m"), Some(Embeddings::Model(name)) if name == "m"));
        assert!(matches!(source("--no-embeddings"), Some(Embeddings::None)));
        assert!(matches!(source("--embeddings a.npy --ids b"), Some(Embeddings::File { ids: Some(_), .. })));
        assert!(matches!(source("--embeddings-field f --model m"), Some(Embeddings::Field { model: Some(_), .. })));
    }

    #[test]
    fn sources_exclude_one_another() {
        for words in ["--model m --embeddings a.npy", "--embeddings a.npy --embeddings-field f", "--no-embeddings --model m", "--ids b"] {
            assert_eq!(parsed(words).unwrap_err().exit_code(), 2, "{words}");
        }
    }

    #[test]
    fn parameters_keep_what_follows_the_first_sign() {
        let args = parsed("--param a=b=c --param d=").unwrap();
        assert_eq!(args.parameters, [("a".to_owned(), "b=c".to_owned()), ("d".to_owned(), String::new())]);
        assert!(parsed("--param a").is_err() && parsed("--param =a").is_err());
    }

    #[test]
    fn metrics_are_known_by_name() {
        assert_eq!(parsed("--metric l1").unwrap().metric, Some(Metric::L1));
        assert!(parsed("--metric l3").unwrap_err().to_string().contains("dotproduct"));
    }
}
