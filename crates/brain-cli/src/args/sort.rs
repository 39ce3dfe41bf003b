//! `brain sort-by-similarity`

use std::path::PathBuf;

use brain::core::{Error, Result};
use brain::npy::NpyReader;
use brain::{Aggregation, Query, Weighted};
use clap::Args;
use clap::builder::{PossibleValuesParser, TypedValueParser as _};
use serde_json::{Value, json};

use super::{RunArgs, RuntimeArgs, ViewArgs, weights};
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
    pub(crate) runtime: RuntimeArgs,
    #[command(flatten)]
    pub(crate) view: ViewArgs,
}

const EXAMPLES: &str = "\
Examples:
  brain sort-by-similarity birds --brain-key img_sim --id 6b01656cdf05e9355da64f3c -k 10
  brain sort-by-similarity birds --brain-key img_sim --image query.jpg -k 10 --match-tags train
  brain sort-by-similarity birds --brain-key img_sim --vector query.npy --reverse --explain
  brain sort-by-similarity birds --brain-key clip_sim --text \"a bird in flight\" -k 10
  brain sort-by-similarity birds --brain-key clip_sim --text \"a bird:1.0\" --image query.jpg:0.5 --not-text \"a cage:0.5\"

Several prompts, images or ids are several queries, which --aggregation brings together. Things of different kinds,
weights (a number behind the last colon) and --not-text make one query of all: the mean of their vectors by weight,
from which those of --not-text, and of weights below 0, are taken away. Write \"16\\:9\" where a colon and a number
belong to the words.";

/// What a search starts from: one of these, or several together as one weighted query.
#[derive(Debug, Args)]
#[group(required = true, multiple = true)]
pub(crate) struct QueryArgs {
    /// The stored vectors of these samples, or of these labels in an index of patches
    #[arg(long, value_name = "ID", num_args = 1..)]
    id: Vec<String>,
    /// The stored vectors of these samples; in an index of patches, of all their patches
    #[arg(long, value_name = "ID", num_args = 1.., conflicts_with_all = ["id", "vector", "text", "not_text", "image"])]
    sample_id: Vec<String>,
    /// A vector, or a matrix of them, from a NumPy file
    #[arg(long, value_name = "FILE.npy")]
    vector: Option<String>,
    /// Sentences, embedded by the run's model; "a dog:0.5" has a weight, "16\:9" has none
    #[arg(long, value_name = "PROMPT", num_args = 1..)]
    text: Vec<String>,
    /// Sentences that the answers shall not be like
    #[arg(long, value_name = "PROMPT", num_args = 1..)]
    not_text: Vec<String>,
    /// Image files, embedded by the run's model
    #[arg(long, value_name = "FILE", num_args = 1..)]
    image: Vec<String>,
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

/// The words of the flags, each with its weight where it has one.
struct Words {
    ids: Vec<(String, Option<f32>)>,
    vector: Option<(String, Option<f32>)>,
    texts: Vec<(String, Option<f32>)>,
    not_texts: Vec<(String, Option<f32>)>,
    images: Vec<(String, Option<f32>)>,
}

impl QueryArgs {
    /// The query that the flags mean.
    ///
    /// # Errors
    /// Those of the `.npy` file and of an empty id.
    pub(crate) fn query(&self) -> Result<Asked> {
        if !self.sample_id.is_empty() {
            let ids = ids::parse(&self.sample_id)?;
            return Ok(Asked { name: json!({ "samples": ids }), query: Query::Samples(ids), each: Vec::new() });
        }
        let words = Words {
            ids: self.id.iter().map(|word| weights::split_id(word)).collect(),
            vector: self.vector.as_deref().map(weights::split_path),
            texts: self.text.iter().map(|word| weights::split(word)).collect(),
            not_texts: self.not_text.iter().map(|word| weights::split(word)).collect(),
            images: self.image.iter().map(|word| weights::split_path(word)).collect(),
        };
        if words.are_weighted() { words.weighted() } else { words.alike() }
    }
}

impl Words {
    /// Whether they make one query together: things of several kinds, a weight, or something to lead away from.
    fn are_weighted(&self) -> bool {
        let kinds = [!self.ids.is_empty(), self.vector.is_some(), !self.texts.is_empty(), !self.images.is_empty()];
        let all = self.ids.iter().chain(&self.vector).chain(&self.texts).chain(&self.images);
        !self.not_texts.is_empty() || kinds.into_iter().filter(|kind| *kind).count() > 1 || all.into_iter().any(|(_, weight)| weight.is_some())
    }

    /// One query out of all; what has no weight has 1.
    fn weighted(self) -> Result<Asked> {
        let weight = |weight: Option<f32>| weight.unwrap_or(1.0);
        let mut query = Weighted::new();
        for (prompt, w) in self.texts {
            query = query.text(prompt, weight(w));
        }
        for (prompt, w) in self.not_texts {
            query = query.not_text(prompt, weight(w));
        }
        for (path, w) in self.images {
            query = query.image(path, weight(w));
        }
        for (word, w) in self.ids {
            for id in ids::parse(&[word])? {
                query = query.id(id, weight(w));
            }
        }
        let mut vectors = Vec::new();
        if let Some((path, w)) = self.vector {
            vectors = NpyReader::open(path.as_ref())?.read_vectors()?;
            let [vector] = &vectors[..] else {
                return Err(Error::invalid(format!("{path} holds {} vectors; a weighted query takes one", vectors.len())));
            };
            query = query.vector(vector.clone(), weight(w));
        }
        let mut name = json!({ "weighted": query });
        // A vector is named, not told number by number.
        if let (false, Some(last)) = (vectors.is_empty(), name["weighted"].as_array_mut().and_then(|parts| parts.last_mut())) {
            last["vector"] = Value::from(vectors[0].len());
        }
        Ok(Asked { name, query: query.into(), each: Vec::new() })
    }

    /// A query, or several of one kind.
    fn alike(self) -> Result<Asked> {
        let words = |words: Vec<(String, Option<f32>)>| words.into_iter().map(|(word, _)| word).collect::<Vec<_>>();
        if let Some((path, _)) = self.vector {
            return vectors(&path.into());
        }
        let (texts, images) = (words(self.texts), words(self.images));
        if !texts.is_empty() {
            let each = texts.iter().map(|prompt| json!({ "text": prompt })).collect();
            return Ok(Asked { name: json!({ "text": texts }), query: Query::Text(texts), each });
        }
        if !images.is_empty() {
            let each = images.iter().map(|path| json!({ "image": path })).collect();
            let query = Query::Images(images.iter().map(PathBuf::from).collect());
            return Ok(Asked { name: json!({ "images": images }), query, each });
        }
        let ids = ids::parse(&words(self.ids))?;
        let each: Vec<Value> = ids.iter().map(|id| json!({ "id": id })).collect();
        Ok(match &ids[..] {
            [id] => Asked { name: json!({ "id": id }), query: Query::Id(id.clone()), each },
            _ => Asked { name: json!({ "ids": ids }), query: Query::Ids(ids), each },
        })
    }
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
    fn weights_and_several_kinds_make_one_query() {
        let id = "6b01656cdf05e9355da64f3c";
        let asked = query(&format!("--text dog:0.5 cat --not-text indoor --image x.jpg:-2 --id {id}"));
        let expected = Weighted::new().text("dog", 0.5).text("cat", 1.0).not_text("indoor", 1.0).image("x.jpg", -2.0).id(id, 1.0);
        assert_eq!(asked.query, expected.into());
        assert_eq!(asked.name["weighted"][0], json!({"text": "dog", "weight": 0.5}));
        assert_eq!(asked.name["weighted"][2], json!({"text": "indoor", "weight": -1.0}));
        assert!(matches!(query("--not-text indoor").query, Query::Weighted(_)));
        assert_eq!(query("--text 16\\:9").query, Query::Text(vec!["16:9".into()]));
        assert_eq!(query("--id doc:12").query, Query::Id("doc:12".into()));
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
    fn there_is_a_query_and_samples_stand_alone() {
        assert_eq!(parsed("").unwrap_err().exit_code(), 2);
        assert_eq!(parsed("--sample-id a --image b.jpg").unwrap_err().exit_code(), 2);
    }

    #[test]
    fn the_default_is_everything_nearest_first_by_the_mean() {
        let args = parsed("--id a").unwrap();
        assert_eq!((args.k, args.reverse, args.aggregation), (None, false, Aggregation::Mean));
        assert_eq!(parsed("--id a --aggregation post-min").unwrap().aggregation, Aggregation::PostMin);
    }
}
