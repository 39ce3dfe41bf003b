//! `brain dataset …`

use std::path::{Path, PathBuf};

use brain::dataset::formats::{Format, Media};
use brain::dataset::{ImportOptions, OnBad, OnExisting};
use clap::builder::{PossibleValuesParser, TypedValueParser as _};
use clap::{Args, Subcommand, ValueEnum};

use super::ViewArgs;

/// Commands on datasets.
#[derive(Debug, Subcommand)]
pub(crate) enum DatasetCommand {
    /// Import photos and their labels as a new dataset
    Import(ImportArgs),
    /// List the datasets
    List,
    /// Show what a dataset holds: fields, classes, tags, runs
    Info {
        /// The dataset's name
        name: String,
    },
    /// Print the samples of a dataset, or of a view of it; with --json as JSON Lines
    Samples(Box<SamplesArgs>),
    /// Delete a dataset with the records of its runs; the photos stay
    Delete(DeleteArgs),
    /// Export a dataset, or a view of it, as a FiftyOne dataset or as JSON Lines
    Export(Box<ExportArgs>),
}

/// Flags of `brain dataset import`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct ImportArgs {
    /// The new dataset's name
    pub(crate) name: String,
    /// What to import: a folder, or a file of labels
    pub(crate) path: PathBuf,
    /// What PATH holds [default: found out from its names]
    #[arg(long, value_name = "FORMAT", value_parser = format())]
    pub(crate) format: Option<Format>,
    /// What to do with a record that cannot be read or stored
    #[arg(long, value_name = "WHAT", value_enum, default_value_t)]
    on_bad: Bad,
    /// What to do where the dataset, or a sample in it, exists already
    #[arg(long, value_name = "WHAT", value_enum, default_value_t)]
    on_existing: Existing,
}

const EXAMPLES: &str = "\
Formats:
  image-dir           every image under a folder
  classification-dir  a folder of images for each class
  coco                labels.json with its images
  fiftyone            a FiftyOne dataset export; its ids are kept, and its similarity runs come along
  jsonl               one sample a line

Examples:
  brain dataset import birds photos/birds
  brain dataset import birds birds.jsonl --on-bad skip
  brain dataset import birds birds.jsonl --on-existing skip    finishes an interrupted import";

impl ImportArgs {
    pub(crate) fn options(&self) -> ImportOptions {
        ImportOptions {
            on_bad: match self.on_bad {
                Bad::Stop => OnBad::Stop,
                Bad::Skip => OnBad::Skip,
            },
            on_existing: match self.on_existing {
                Existing::Error => OnExisting::Error,
                Existing::Skip => OnExisting::Skip,
            },
            total: None,
        }
    }
}

#[derive(Clone, Copy, Debug, Default, ValueEnum)]
enum Bad {
    /// End there; what came before it stays
    #[default]
    Stop,
    /// Leave it out, and list it
    Skip,
}

#[derive(Clone, Copy, Debug, Default, ValueEnum)]
enum Existing {
    /// Fail
    #[default]
    Error,
    /// Pass over what is there, and add the rest
    Skip,
}

fn format() -> impl clap::builder::TypedValueParser<Value = Format> {
    PossibleValuesParser::new(Format::ALL.map(Format::as_str)).try_map(|name| name.parse::<Format>())
}

/// Flags of `brain dataset samples`.
#[derive(Debug, Args)]
pub(crate) struct SamplesArgs {
    /// The dataset's name
    pub(crate) name: String,
    #[command(flatten)]
    pub(crate) view: ViewArgs,
}

/// Flags of `brain dataset delete`.
#[derive(Debug, Args)]
pub(crate) struct DeleteArgs {
    /// The dataset's name
    pub(crate) name: String,
    /// Drop the indexes of its runs too, with all their vectors
    #[arg(long)]
    pub(crate) with_indexes: bool,
}

/// Flags of `brain dataset export`.
#[derive(Debug, Args)]
pub(crate) struct ExportArgs {
    /// The dataset's name
    pub(crate) name: String,
    /// Where to: a new folder, or a .jsonl file
    pub(crate) path: PathBuf,
    /// What to write [default: jsonl for a .jsonl file, else fiftyone]
    #[arg(long, value_name = "FORMAT", value_enum)]
    format: Option<ExportFormat>,
    /// What a FiftyOne export does with the photos
    #[arg(long, value_name = "WHAT", value_enum, default_value_t)]
    media: Photos,
    #[command(flatten)]
    pub(crate) view: ViewArgs,
}

/// A format that can be written.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum ExportFormat {
    /// A FiftyOne dataset
    Fiftyone,
    /// One sample a line
    Jsonl,
}

#[derive(Clone, Copy, Debug, Default, ValueEnum)]
enum Photos {
    /// Copy them
    #[default]
    Copy,
    /// Link to them
    Link,
    /// Name them where they are
    Reference,
}

impl ExportArgs {
    pub(crate) fn format(&self) -> Format {
        match self.format {
            Some(ExportFormat::Fiftyone) => Format::Fiftyone,
            Some(ExportFormat::Jsonl) => Format::Jsonl,
            None if is_json_lines(&self.path) => Format::Jsonl,
            None => Format::Fiftyone,
        }
    }

    pub(crate) fn media(&self) -> Media {
        match self.media {
            Photos::Copy => Media::Copy,
            Photos::Link => Media::Link,
            Photos::Reference => Media::Reference,
        }
    }
}

fn is_json_lines(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("jsonl") || extension.eq_ignore_ascii_case("ndjson"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::{Command, parse_words};

    fn parsed(words: &str) -> DatasetCommand {
        match parse_words(&format!("dataset {words}")).unwrap().command {
            Command::Dataset(command) => command,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn imports_stop_at_what_is_bad_unless_told() {
        let DatasetCommand::Import(args) = parsed("import birds photos --format coco") else { panic!("another command") };
        assert_eq!((args.format, args.options()), (Some(Format::Coco), ImportOptions::default()));
        let DatasetCommand::Import(args) = parsed("import birds photos --on-bad skip --on-existing skip") else { panic!("another command") };
        assert_eq!((args.options().on_bad, args.options().on_existing), (OnBad::Skip, OnExisting::Skip));
        assert!(parse_words("dataset import birds photos --format voc").unwrap_err().to_string().contains("classification-dir"));
    }

    #[test]
    fn the_name_of_an_export_tells_its_format() {
        for (words, format) in [("out", Format::Fiftyone), ("out.JSONL", Format::Jsonl), ("out.jsonl --format fiftyone", Format::Fiftyone)] {
            let DatasetCommand::Export(args) = parsed(&format!("export birds {words}")) else { panic!("another command") };
            assert_eq!(args.format(), format, "{words}");
        }
    }
}
