//! `brain find-duplicates` and `brain find-unique`

use brain::Cutoff;
use clap::{ArgGroup, Args};

use super::{RunArgs, ViewArgs};

/// Flags of `brain find-duplicates`.
#[derive(Debug, Args)]
#[command(after_help = DUPLICATES, group = ArgGroup::new("cutoff").args(["thresh", "fraction"]))]
pub(crate) struct DuplicatesArgs {
    #[command(flatten)]
    pub(crate) run: RunArgs,
    /// What is within this distance of something kept is a duplicate of it
    #[arg(long, value_name = "T", allow_negative_numbers = true)]
    thresh: Option<f32>,
    /// This share of all are duplicates, 0 to 1: the threshold is found
    #[arg(long, value_name = "F", allow_negative_numbers = true)]
    fraction: Option<f64>,
    #[command(flatten)]
    pub(crate) found: FoundArgs,
    #[command(flatten)]
    pub(crate) view: ViewArgs,
}

const DUPLICATES: &str = "\
Without --thresh and --fraction it shows how near things are to one another, and thresholds to choose from.

Examples:
  brain find-duplicates birds --brain-key img_sim
  brain find-duplicates birds --brain-key img_sim --thresh 0.05 --sheet duplicates.png --tag duplicate
  brain find-duplicates birds --brain-key img_sim --fraction 0.1 --match-tags train --json";

impl DuplicatesArgs {
    /// What makes a duplicate; `None` where that is not known yet.
    pub(crate) fn cutoff(&self) -> Option<Cutoff> {
        self.thresh.map(Cutoff::Threshold).or(self.fraction.map(Cutoff::Fraction))
    }

    /// Whether something is to be done with duplicates that nothing tells from others yet.
    pub(crate) fn wants_a_cutoff(&self) -> bool {
        self.cutoff().is_none() && self.found.is_used()
    }
}

/// Flags of `brain find-unique`.
#[derive(Debug, Args)]
#[command(after_help = UNIQUE)]
pub(crate) struct UniqueArgs {
    #[command(flatten)]
    pub(crate) run: RunArgs,
    /// How many to find
    #[arg(long, value_name = "N")]
    pub(crate) count: usize,
    #[command(flatten)]
    pub(crate) found: FoundArgs,
    #[command(flatten)]
    pub(crate) view: ViewArgs,
}

const UNIQUE: &str = "\
The first by id is chosen, then each time the one farthest from all chosen so far.

Examples:
  brain find-unique birds --brain-key img_sim --count 20 --sheet unique.png
  brain find-unique birds --brain-key img_sim --count 100 --tag to_label --match-tags unlabelled";

/// What becomes of the things that are found.
#[derive(Debug, Args)]
pub(crate) struct FoundArgs {
    /// Tag their samples in the dataset
    #[arg(long, value_name = "TAG")]
    pub(crate) tag: Option<String>,
    /// Write a picture of them
    #[cfg(feature = "models")]
    #[arg(long, value_name = "FILE.png")]
    pub(crate) sheet: Option<std::path::PathBuf>,
}

impl FoundArgs {
    #[cfg(feature = "models")]
    fn is_used(&self) -> bool {
        self.tag.is_some() || self.sheet.is_some()
    }

    #[cfg(not(feature = "models"))]
    fn is_used(&self) -> bool {
        self.tag.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::{Command, parse_words};

    fn duplicates(words: &str) -> Result<DuplicatesArgs, clap::Error> {
        match parse_words(&format!("find-duplicates birds --brain-key k {words}"))?.command {
            Command::FindDuplicates(args) => Ok(*args),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_cutoff_is_a_threshold_or_a_fraction_or_still_unknown() {
        assert_eq!(duplicates("--thresh 0.1").unwrap().cutoff(), Some(Cutoff::Threshold(0.1)));
        assert_eq!(duplicates("--thresh -2").unwrap().cutoff(), Some(Cutoff::Threshold(-2.0)));
        assert_eq!(duplicates("--fraction 0.25").unwrap().cutoff(), Some(Cutoff::Fraction(0.25)));
        assert_eq!(duplicates("").unwrap().cutoff(), None);
        assert!(duplicates("--tag x").unwrap().wants_a_cutoff() && !duplicates("--tag x --thresh 1").unwrap().wants_a_cutoff());
        assert_eq!(duplicates("--thresh 0.1 --fraction 0.2").unwrap_err().exit_code(), 2);
    }

    #[test]
    fn unique_items_are_counted() {
        assert_eq!(parse_words("find-unique birds --brain-key k").unwrap_err().exit_code(), 2);
        assert!(parse_words("find-unique birds --brain-key k --count 5 --tag t --match-tags train").is_ok());
    }
}
