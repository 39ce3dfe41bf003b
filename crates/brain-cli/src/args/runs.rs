//! `brain runs …`

use brain::core::RunFilter;
use clap::{Args, Subcommand};
use serde_json::Value;

/// Commands on the records of runs.
#[derive(Debug, Subcommand)]
pub(crate) enum RunsCommand {
    /// List the runs of a dataset, or of all
    List(RunsListArgs),
    /// Show the record of a run
    Info {
        /// The dataset's name
        name: String,
        /// The brain key
        key: String,
    },
    /// Give a run another brain key
    Rename {
        /// The dataset's name
        name: String,
        /// The brain key
        key: String,
        /// The new brain key
        new_key: String,
    },
    /// Delete the record of a run
    Delete {
        /// The dataset's name
        name: String,
        /// The brain key
        key: String,
        /// Drop its index too, with all its vectors
        #[arg(long)]
        with_index: bool,
    },
}

/// Flags of `brain runs list`.
#[derive(Debug, Args)]
pub(crate) struct RunsListArgs {
    /// The dataset's name [default: all datasets]
    pub(crate) name: Option<String>,
    /// Only runs of this type
    #[arg(long = "type", value_name = "TYPE")]
    run_type: Option<String>,
    /// Only runs of this backend
    #[arg(long, value_name = "BACKEND")]
    method: Option<String>,
    /// Only runs whose configuration holds this value; may be repeated
    #[arg(long = "where", value_name = "KEY=VALUE", value_parser = key_value)]
    config_values: Vec<(String, Value)>,
}

impl RunsListArgs {
    /// Which runs the flags mean.
    pub(crate) fn filter(&self) -> RunFilter {
        RunFilter { run_type: self.run_type.clone(), method: self.method.clone(), config: self.config_values.clone() }
    }
}

/// A value is JSON where it reads as such, else text.
fn key_value(text: &str) -> Result<(String, Value), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() => {
            Ok((key.to_owned(), serde_json::from_str(value).unwrap_or_else(|_| Value::String(value.to_owned()))))
        }
        _ => Err("write it as KEY=VALUE".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::args::{Command, parse_words};

    #[test]
    fn flags_make_a_filter() {
        let Command::Runs(RunsCommand::List(args)) =
            parse_words("runs list birds --type similarity --method local --where metric=l1 --where dimension=8").unwrap().command
        else {
            panic!("another command");
        };
        let expected = RunFilter {
            run_type: Some("similarity".into()),
            method: Some("local".into()),
            config: vec![("metric".into(), json!("l1")), ("dimension".into(), json!(8))],
        };
        assert_eq!((args.filter(), args.name.as_deref()), (expected, Some("birds")));
    }
}
