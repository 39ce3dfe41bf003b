//! The view flags: which part of a dataset a command means.

use brain::core::{Filter, Result, View};
use clap::Args;

use crate::ids;

/// Flags that make a view. The stages always follow one another in the order of the help.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = "View (stages apply in this order)")]
pub(crate) struct ViewArgs {
    /// Only the samples with these ids
    #[arg(long, value_name = "ID", num_args = 1..)]
    select: Vec<String>,
    /// Not the samples with these ids
    #[arg(long, value_name = "ID", num_args = 1..)]
    exclude: Vec<String>,
    /// Only samples that satisfy this, such as 'ground_truth.label == "dog"'; may be repeated
    #[arg(long = "match", value_name = "EXPR")]
    match_filter: Vec<String>,
    /// Only samples with one of these tags
    #[arg(long, value_name = "TAG", num_args = 1..)]
    match_tags: Vec<String>,
    /// Only samples with a value for this field; may be repeated
    #[arg(long, value_name = "FIELD")]
    exists: Vec<String>,
    /// Only the labels of FIELD that satisfy this, and only samples with such a label; may be repeated
    #[arg(long, value_names = ["FIELD", "EXPR"], num_args = 2)]
    filter_labels: Vec<String>,
    /// The patches of this label field instead of whole samples
    #[arg(long, value_name = "FIELD")]
    patches: Option<String>,
    /// Order by this field; what has no value comes last
    #[arg(long, value_name = "FIELD", conflicts_with = "shuffle")]
    sort_by: Option<String>,
    /// Turn the order of --sort-by round
    #[arg(long, requires = "sort_by")]
    descending: bool,
    /// Order at random, by --seed
    #[arg(long)]
    shuffle: bool,
    /// This many, drawn at random by --seed, in their order
    #[arg(long, value_name = "N")]
    take: Option<u64>,
    /// Chooses what --take and --shuffle draw
    #[arg(long, value_name = "S", default_value_t = 51)]
    seed: u64,
    /// Not the first N
    #[arg(long, value_name = "N")]
    skip: Option<u64>,
    /// At most N
    #[arg(long, value_name = "N")]
    limit: Option<u64>,
}

impl ViewArgs {
    /// The view that the flags mean; the whole dataset without any.
    ///
    /// # Errors
    /// Those of a filter that does not parse, with its column.
    pub(crate) fn view(&self) -> Result<View> {
        let mut view = View::new();
        if !self.select.is_empty() {
            view = view.select(ids::parse(&self.select)?);
        }
        if !self.exclude.is_empty() {
            view = view.exclude(ids::parse(&self.exclude)?);
        }
        for expression in &self.match_filter {
            view = view.match_filter(filter("--match", expression)?);
        }
        if !self.match_tags.is_empty() {
            view = view.match_tags(self.match_tags.iter().map(String::as_str));
        }
        for field in &self.exists {
            view = view.exists(field, true);
        }
        for pair in self.filter_labels.chunks_exact(2) {
            view = view.filter_labels(&pair[0], filter("--filter-labels", &pair[1])?);
        }
        if let Some(field) = &self.patches {
            view = view.to_patches(field);
        }
        if let Some(field) = &self.sort_by {
            view = view.sort_by(field, self.descending);
        }
        if self.shuffle {
            view = view.shuffle(self.seed);
        }
        if let Some(count) = self.take {
            view = view.take(count, self.seed);
        }
        if let Some(count) = self.skip {
            view = view.skip(count);
        }
        if let Some(count) = self.limit {
            view = view.limit(count);
        }
        Ok(view)
    }

    /// The view that the flags mean; `None` without any.
    ///
    /// # Errors
    /// As [`view`](Self::view).
    pub(crate) fn some_view(&self) -> Result<Option<View>> {
        Ok(Some(self.view()?).filter(|view| !view.is_whole()))
    }
}

fn filter(flag: &'static str, expression: &str) -> Result<Filter> {
    expression.parse::<Filter>().map_err(|error| error.with_context("flag", flag))
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Only {
        #[command(flatten)]
        view: ViewArgs,
    }

    fn parsed(words: &[&str]) -> Result<ViewArgs, clap::Error> {
        Only::try_parse_from(std::iter::once(&"brain").chain(words)).map(|only| only.view)
    }

    fn view(words: &[&str]) -> View {
        parsed(words).unwrap().view().unwrap()
    }

    #[test]
    fn no_flag_means_the_whole_dataset() {
        assert_eq!(view(&[]), View::new());
        assert_eq!(parsed(&[]).unwrap().some_view().unwrap(), None);
    }

    #[test]
    fn flags_make_the_pipeline_that_the_builder_makes() {
        let words = [
            "--limit",
            "5",
            "--skip",
            "2",
            "--take",
            "9",
            "--seed",
            "3",
            "--sort-by",
            "uniqueness",
            "--descending",
            "--patches",
            "boxes",
            "--filter-labels",
            "boxes",
            "label == \"dog\"",
            "--filter-labels",
            "boxes",
            "confidence > 0.5",
            "--exists",
            "uniqueness",
            "--match-tags",
            "train",
            "test",
            "--match",
            "width > 3",
            "--exclude",
            "b",
            "--select",
            "a",
            "c",
        ];
        let expected = View::new()
            .select(["a".into(), "c".into()])
            .exclude(["b".into()])
            .match_filter("width > 3".parse().unwrap())
            .match_tags(["train", "test"])
            .exists("uniqueness", true)
            .filter_labels("boxes", "label == \"dog\"".parse().unwrap())
            .filter_labels("boxes", "confidence > 0.5".parse().unwrap())
            .to_patches("boxes")
            .sort_by("uniqueness", true)
            .take(9, 3)
            .skip(2)
            .limit(5);
        assert_eq!(view(&words), expected);
    }

    #[test]
    fn chance_has_a_seed_of_its_own() {
        assert_eq!(view(&["--shuffle", "--take", "2"]), View::new().shuffle(51).take(2, 51));
        assert_eq!(view(&["--shuffle", "--seed", "7"]), View::new().shuffle(7));
    }

    #[test]
    fn repeated_lists_are_one() {
        assert_eq!(view(&["--select", "a", "b", "--select", "c"]), View::new().select(["a".into(), "b".into(), "c".into()]));
    }

    #[test]
    fn what_does_not_fit_together_is_bad_usage() {
        assert!(parsed(&["--shuffle", "--sort-by", "x"]).is_err());
        assert!(parsed(&["--descending"]).is_err());
        assert!(parsed(&["--filter-labels", "boxes"]).is_err());
    }

    #[test]
    fn a_filter_that_does_not_parse_names_its_flag() {
        let error = parsed(&["--match", "label = 3"]).unwrap().view().unwrap_err();
        assert_eq!(error.context(), [("flag", "--match".to_owned())]);
    }
}
