//! `brain models …`

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::RuntimeArgs;

/// `brain models …`
#[derive(Debug, Subcommand)]
pub(crate) enum ModelsCommand {
    /// List the models, and whether their files are here
    List,
    /// Show one model
    Info {
        /// The model's name
        model: String,
        #[command(flatten)]
        runtime: RuntimeArgs,
    },
    /// Fetch the files of a model
    Pull(PullArgs),
    /// Make a folder with a manifest and an ONNX export of one's own a model
    #[command(after_help = MANIFEST)]
    Add {
        /// The folder; it stays where it is
        folder: PathBuf,
        #[command(flatten)]
        runtime: RuntimeArgs,
    },
    /// Check the sums of a model's files, and run it once
    Verify {
        /// The model's name
        model: String,
        #[command(flatten)]
        runtime: RuntimeArgs,
    },
    /// Delete the files of a model that was fetched, or forget one that was added; its own folder stays
    Remove {
        /// The model's name
        model: String,
    },
}

/// `brain models pull`
#[derive(Debug, Args)]
#[command(after_help = PULL)]
pub(crate) struct PullArgs {
    /// The model's name
    pub(crate) model: String,
    /// The address of the model hub [default: the variable HF_ENDPOINT, else https://huggingface.co]
    #[arg(long, value_name = "URL")]
    pub(crate) endpoint: Option<String>,
    #[command(flatten)]
    pub(crate) runtime: RuntimeArgs,
}

const PULL: &str = "\
Examples:
  brain models pull clip-vit-base-patch32
  brain models pull clip-vit-base-patch32-int8
  brain models pull clip-vit-base-patch32 --endpoint https://hub.example

A download that broke off goes on where it stopped. The variable HF_TOKEN holds a token for repositories that
ask for one. Where no hub can be reached, the error says which files to put where.";

const MANIFEST: &str = "\
The folder holds model.json and the files that it names:

  {
    \"name\": \"birds-vit\",
    \"dimension\": 384,
    \"image\": {
      \"file\": \"birds-vit.onnx\", \"input\": \"pixel_values\",
      \"output\": \"last_hidden_state\", \"pooling\": \"cls\",
      \"size\": 224, \"resize\": \"short-side\", \"crop\": 0.875, \"interpolation\": \"bicubic\",
      \"mean\": [0.485, 0.456, 0.406], \"std\": [0.229, 0.224, 0.225]
    }
  }

resize: short-side or squash; interpolation: bicubic, bilinear or lanczos; pooling: none, cls or mean; layout:
nchw or nhwc; range: 1 or 255, the scale of mean and std. A model of photos and sentences has \"text\" beside it:

  \"text\": {
    \"file\": \"text.onnx\", \"output\": \"text_embeds\",
    \"tokenizer\": { \"file\": \"tokenizer.json\", \"context\": 77 }
  }";

#[cfg(test)]
mod tests {
    #[cfg(feature = "models")]
    #[test]
    fn the_manifest_of_the_help_is_one() {
        let (image, text) = super::MANIFEST.split_once("resize: ").unwrap();
        let image = &image[image.find('{').unwrap()..];
        let text = &text[text.find("\"text\": {").unwrap()..];
        let whole = format!("{}, {text} }}", image.trim_end().strip_suffix('}').unwrap());
        let manifest = brain::brain_models::Manifest::parse(&whole, "the help").unwrap();
        assert!(manifest.image.is_some() && manifest.text.is_some());
    }
}
