//! `--runtime`, of the commands that run models.

use clap::Args;

#[cfg(feature = "models")]
use brain::brain_models::{Runtime, RuntimeOptions};

/// What runs the models of a command.
#[derive(Debug, Default, Args)]
pub(crate) struct RuntimeArgs {
    /// What runs the model: rten, onnxruntime, onnxruntime:cuda[:CARD] or onnxruntime:cuda[:CARD]-or-cpu [default: FIFTYONE_BRAIN_RUNTIME, else rten]
    #[cfg(feature = "models")]
    #[arg(long, value_name = "RUNTIME", value_parser = runtime)]
    runtime: Option<Runtime>,
}

#[cfg(feature = "models")]
fn runtime(words: &str) -> Result<Runtime, String> {
    words.parse().map_err(|error: brain::core::Error| error.hint().unwrap_or(error.message()).to_owned())
}

impl RuntimeArgs {
    /// The session, with models that are run as the flag says.
    pub(crate) fn of(&self, brain: brain::Brain) -> brain::Brain {
        #[cfg(feature = "models")]
        if let Some(options) = self.chosen() {
            return brain.with_runtime(options);
        }
        brain
    }

    /// How models are run: as the flag says, else as the environment.
    ///
    /// # Errors
    /// Those of the environment.
    #[cfg(feature = "models")]
    pub(crate) fn options(&self) -> brain::core::Result<RuntimeOptions> {
        self.chosen().map_or_else(RuntimeOptions::of_environment, Ok)
    }

    #[cfg(feature = "models")]
    fn chosen(&self) -> Option<RuntimeOptions> {
        self.runtime.clone().map(|runtime| RuntimeOptions { runtime, ..RuntimeOptions::default() })
    }
}

#[cfg(all(test, feature = "models"))]
mod tests {
    use crate::args::parse_words;

    #[test]
    fn a_runtime_is_one_there_is() {
        for command in [
            "compute-similarity birds --brain-key k",
            "compute-embeddings birds --embeddings-field f",
            "add-to-index birds --brain-key k --new",
            "sort-by-similarity birds --brain-key k --text dog",
            "quickstart",
            "models info m",
            "models verify m",
            "models pull m",
            "models add folder",
        ] {
            assert!(parse_words(&format!("{command} --runtime onnxruntime:cuda:1-or-cpu")).is_ok(), "{command}");
            let refused = parse_words(&format!("{command} --runtime tensorflow")).unwrap_err();
            assert!(refused.exit_code() == 2 && refused.to_string().contains("rten, onnxruntime, onnxruntime:cuda"), "{refused}");
        }
    }
}
