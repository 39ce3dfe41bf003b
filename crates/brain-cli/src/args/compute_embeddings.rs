//! `brain compute-embeddings`

use brain::core::Error;
use brain::{Brain, ComputeEmbeddings, Existing};
use clap::Args;

use super::{RuntimeArgs, ViewArgs};

/// Flags of `brain compute-embeddings`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct ComputeEmbeddingsArgs {
    /// The dataset's name
    pub(crate) name: String,
    /// The model that embeds the photos [default: the built-in one; `brain models list` shows all]
    #[arg(long, value_name = "MODEL")]
    model: Option<String>,
    /// The field of the samples (of the labels, with --patches-field) that the vectors are kept in
    #[arg(long, value_name = "FIELD")]
    pub(crate) embeddings_field: String,
    /// Embed only what has no vector in the field yet
    #[arg(long)]
    skip_existing: bool,
    /// Embed the patches of this label field instead of whole samples
    #[arg(long, value_name = "FIELD")]
    patches_field: Option<String>,
    /// Widen the shorter side of each patch until it is square
    #[arg(long, requires = "patches_field")]
    force_square: bool,
    /// Grow (or shrink, below 0) each patch by this share of its sides
    #[arg(long, value_name = "SHARE", allow_negative_numbers = true, requires = "patches_field")]
    alpha: Option<f64>,
    /// How many photos are embedded at once
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    batch_size: Option<u32>,
    /// End at the first photo that cannot be embedded, instead of leaving it out
    #[arg(long)]
    stop_on_failure: bool,
    #[command(flatten)]
    pub(crate) runtime: RuntimeArgs,
    #[command(flatten)]
    view: ViewArgs,
}

const EXAMPLES: &str = "\
Examples:
  brain compute-embeddings birds --embeddings-field effnet
  brain compute-embeddings birds --model clip-vit-base-patch32 --embeddings-field clip --skip-existing
  brain compute-similarity birds --brain-key clip_sim --embeddings-field clip";

impl ComputeEmbeddingsArgs {
    /// The work that the flags mean.
    ///
    /// # Errors
    /// Those of the view's filters.
    pub(crate) fn build(&self, brain: &Brain) -> Result<ComputeEmbeddings, Error> {
        let existing = if self.skip_existing { Existing::Skip } else { Existing::Replace };
        let mut compute = brain
            .compute_embeddings(&self.name, &self.embeddings_field)
            .existing(existing)
            .force_square(self.force_square)
            .alpha(self.alpha.unwrap_or_default())
            .skip_failures(!self.stop_on_failure);
        if let Some(model) = &self.model {
            compute = compute.model(model);
        }
        if let Some(field) = &self.patches_field {
            compute = compute.patches_field(field);
        }
        if let Some(images) = self.batch_size {
            compute = compute.batch_size(images as usize);
        }
        if let Some(view) = self.view.some_view()? {
            compute = compute.view(view);
        }
        Ok(compute)
    }
}

#[cfg(test)]
mod tests {
    use crate::args::parse_words;

    #[test]
    fn a_field_is_named() {
        assert!(parse_words("compute-embeddings birds --embeddings-field f --model m --skip-existing --take 3").is_ok());
        assert_eq!(parse_words("compute-embeddings birds --model m").unwrap_err().exit_code(), 2);
        assert_eq!(parse_words("compute-embeddings birds --embeddings-field f --alpha 0.1").unwrap_err().exit_code(), 2);
    }
}
