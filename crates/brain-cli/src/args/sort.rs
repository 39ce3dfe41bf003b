//! `brain sort-by-similarity`

use std::path::PathBuf;

use brain::core::Result;
use brain::npy::NpyReader;
use brain::{Aggregation, Query};
use clap::Args;
use clap::builder::{PossibleValuesParser, TypedValueParser as _};
use serde_json::{Value, json};

use super::{RunArgs, ViewArgs};
use crate::ids;

/// Flags of `brain sort-by-similarity`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct SortArgs {
    #[command(flatten)]
    pub(crate) run: RunArgs,
    #[command(flatten)]
    pub(crate) query: QueryArgs,
    /// How many rows [default: everything]
    #[arg(short, value_name = "N")]
    pub(crate) k: Option<usize>,
    /// The least similar first
    #[arg(long)]
    pub(crate) reverse: bool,
    /// What becomes of several queries: the mean of their vectors, the mean, least or largest of their distances, or a list for each
    #[arg(long, value_name = "HOW", value_parser = aggregation(), default_value = "mean")]
    pub(crate) aggregation: Aggregation,
    /// Store the distances on the dataset, under this field
    #[arg(long, value_name = "FIELD")]
    pub(crate) dist_field: Option<String>,
    /// Allow no approximate answer
    #[arg(long)]
    pub(crate) exact: bool,
    /// Say how the answer was found
    #[arg(long)]
    pub(crate) explain: bool,
    /// Write a picture of the query and its first answers
    #[cfg(feature = "models")]
    #[arg(long, value_name = "FILE.png")]
    pub(crate) sheet: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) view: ViewArgs,
}

const EXAMPLES: &str = "\
Examples:
  brain sort-by-similarity birds --brain-key img_sim --id 6b01656cdf05e9355da64f3c -k 10
  brain sort-by-similarity birds --brain-key img_sim --image query.jpg -k 10 --match-tags train
  brain sort-by-similarity birds --brain-key img_sim --vector query.npy --reverse --explain";

/// What a search starts from: one of these.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub(crate) struct QueryArgs {
    /// The stored vectors of these samples, or of these labels in an index of patches
    #[arg(long, value_name = "ID", num_args = 1..)]
    id: Vec<String>,
    /// The stored vectors of these samples; in an index of patches, of all their patches
    #[arg(long, value_name = "ID", num_args = 1..)]
    sample_id: Vec<String>,
    /// A vector, or a matrix of them, from a NumPy file
    #[arg(long, value_name = "FILE.npy")]
    vector: Option<PathBuf>,
    /// Sentences, embedded by the run's model
    #[arg(long, value_name = "PROMPT", num_args = 1..)]
    text: Vec<String>,
    /// Image files, embedded by the run's model
    #[arg(long, value_name = "FILE", num_args = 1..)]
    image: Vec<PathBuf>,
}

/// A query, and how it is named in an answer.
#[derive(Debug, PartialEq)]
pub(crate) struct Asked {
    /// What to search with.
    pub(crate) query: Query,
    /// The query as it was asked for.
    pub(crate) name: Value,
    /// Each of several queries by itself; empty where their number is not known yet.
    pub(crate) each: Vec<Value>,
}

impl QueryArgs {
    /// The query that the flags mean.
    ///
    /// # Errors
    /// Those of the `.npy` file and of an empty id.
    pub(crate) fn query(&self) -> Result<Asked> {
        if let Some(path) = &self.vector {
            return Self::vectors(path);
        }
        if !self.sample_id.is_empty() {
            let ids = ids::parse(&self.sample_id)?;
            return Ok(Asked { name: json!({ "samples": ids }), query: Query::Samples(ids), each: Vec::new() });
        }
        if !self.text.is_empty() {
            let each = self.text.iter().map(|prompt| json!({ "text": prompt })).collect();
            return Ok(Asked { name: json!({ "text": self.text }), query: Query::Text(self.text.clone()), each });
        }
        if !self.image.is_empty() {
            let each = self.image.iter().map(|path| json!({ "image": path })).collect();
            return Ok(Asked { name: json!({ "images": self.image }), query: Query::Images(self.image.clone()), each });
        }
        let ids = ids::parse(&self.id)?;
        let each: Vec<Value> = ids.iter().map(|id| json!({ "id": id })).collect();
        Ok(match &ids[..] {
            [id] => Asked { name: json!({ "id": id }), query: Query::Id(id.clone()), each },
            _ => Asked { name: json!({ "ids": ids }), query: Query::Ids(ids), each },
        })
    }

    fn vectors(path: &PathBuf) -> Result<Asked> {
        let reader = NpyReader::open(path)?;
        let is_vector = reader.is_vector();
        let mut vectors = reader.read_vectors()?;
        let each = (0..vectors.len()).map(|row| json!({ "vector": path, "row": row })).collect();
        let query = match vectors.pop() {
            Some(vector) if is_vector => Query::Vector(vector),
            Some(last) => {
                vectors.push(last);
                Query::Vectors(vectors)
            }
            None => Query::Vectors(Vec::new()),
        };
        Ok(Asked { query, name: json!({ "vector": path }), each })
    }
}

fn aggregation() -> impl clap::builder::TypedValueParser<Value = Aggregation> {
    PossibleValuesParser::new(Aggregation::ALL.map(Aggregation::as_str)).try_map(|name| name.parse::<Aggregation>())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::{Command, parse_words};

    fn parsed(words: &str) -> Result<SortArgs, clap::Error> {
        match parse_words(&format!("sort-by-similarity birds --brain-key k {words}"))?.command {
            Command::SortBySimilarity(args) => Ok(*args),
            other => panic!("{other:?}"),
        }
    }

    fn query(words: &str) -> Asked {
        parsed(words).unwrap().query.query().unwrap()
    }

    #[test]
    fn a_query_is_what_its_flag_says() {
        assert_eq!(query("--id a").query, Query::Id("a".into()));
        assert_eq!(query("--id a b --id c").query, Query::Ids(vec!["a".into(), "b".into(), "c".into()]));
        assert_eq!(query("--sample-id a").query, Query::Samples(vec!["a".into()]));
        assert_eq!(query("--image x.jpg").query, Query::Images(vec!["x.jpg".into()]));
        assert_eq!(query("--text dog cat").query, Query::Text(vec!["dog".into(), "cat".into()]));
        assert_eq!(query("--id a b").each, [json!({"id": "a"}), json!({"id": "b"})]);
        assert_eq!(query("--id a").name, json!({"id": "a"}));
    }

    #[test]
    fn a_file_holds_a_vector_or_several() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("q.npy");
        let mut writer = brain::npy::NpyWriter::create(&path, 2).unwrap();
        writer.write_rows(&[1.0, 2.0, 3.0, 4.0]).unwrap();
        writer.finish().unwrap();
        let asked = query(&format!("--vector {}", path.display()));
        assert_eq!(asked.query, Query::Vectors(vec![vec![1.0, 2.0], vec![3.0, 4.0]]));
        assert_eq!(asked.each.len(), 2);
    }

    #[test]
    fn there_is_exactly_one_query() {
        assert_eq!(parsed("").unwrap_err().exit_code(), 2);
        assert_eq!(parsed("--id a --image b.jpg").unwrap_err().exit_code(), 2);
    }

    #[test]
    fn the_default_is_everything_nearest_first_by_the_mean() {
        let args = parsed("--id a").unwrap();
        assert_eq!((args.k, args.reverse, args.aggregation), (None, false, Aggregation::Mean));
        assert_eq!(parsed("--id a --aggregation post-min").unwrap().aggregation, Aggregation::PostMin);
    }
}
