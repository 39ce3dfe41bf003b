//! The picture of a query and its answers.

use std::path::Path;

use brain::core::{ItemId, Result, WeightedPart};
use brain::dataset::Dataset;
use brain::{Query, Similarity, SortedRow};

use crate::args::Asked;
use crate::known::Known;
use crate::sheet::{self, Frame, Part, Tile};

/// How many queries and how many answers a line shows at most.
const QUERIES: usize = 4;
const ANSWERS: usize = 12;

/// Writes the picture: a line for each list of answers, its queries first.
pub(super) fn write(similarity: &Similarity, dataset: &Dataset, asked: &Asked, results: &[Vec<SortedRow>], path: &Path) -> Result<()> {
    let queries = queries(similarity, dataset, &asked.query)?;
    let mut lines = Vec::with_capacity(results.len());
    for (at, rows) in results.iter().enumerate() {
        let of_line = match results.len() {
            1 => &queries[..queries.len().min(QUERIES)],
            // Where every query has a list, each stands before its own; else no one knows which is whose.
            count if count == queries.len() => &queries[at..=at],
            _ => &[],
        };
        let class = match of_line {
            [only] => only.class.as_deref(),
            _ => None,
        };
        let known = Known::of_rows(similarity, dataset, rows)?;
        let mut line: Vec<Tile> = of_line.iter().map(|query| query.tile.clone()).collect();
        line.extend(sheet::answers(rows, &known, class, ANSWERS));
        lines.push(line);
    }
    sheet::write(&lines, path)
}

struct Shown {
    tile: Tile,
    class: Option<String>,
}

fn queries(similarity: &Similarity, dataset: &Dataset, query: &Query) -> Result<Vec<Shown>> {
    Ok(match query {
        Query::Id(id) => stored(&Known::of(similarity, dataset, [id.clone()])?, std::slice::from_ref(id)),
        Query::Ids(ids) => stored(&Known::of(similarity, dataset, ids.iter().cloned())?, ids),
        Query::Samples(ids) => stored(&Known::of_samples(dataset, ids.iter().cloned())?, ids),
        Query::Images(paths) => paths.iter().map(|path| of_file(path)).collect(),
        Query::Text(prompts) => prompts.iter().map(|prompt| blank(prompt)).collect(),
        Query::Weighted(query) => query.parts().iter().map(|part| weighted(similarity, dataset, part)).collect::<Result<_>>()?,
        Query::Vectors(vectors) => (1..=vectors.len()).map(|row| blank(&format!("vector {row}"))).collect(),
        _ => vec![blank("vector")],
    })
}

/// A part of a query, with its weight in place of the word `query`.
fn weighted(similarity: &Similarity, dataset: &Dataset, part: &WeightedPart) -> Result<Shown> {
    let mut shown = match &part.part {
        brain::Part::Id(id) => stored(&Known::of(similarity, dataset, [id.clone()])?, std::slice::from_ref(id)).pop().unwrap_or_else(|| blank("id")),
        brain::Part::Text(prompt) => blank(prompt),
        brain::Part::Image(path) => of_file(path),
        _ => blank("vector"),
    };
    shown.tile.caption[0] = format!("query x {}", part.weight);
    // Several parts have no class together.
    shown.class = None;
    Ok(shown)
}

fn blank(caption: &str) -> Shown {
    Shown { tile: Tile { photo: None, part: Part::Whole, caption: ["query".to_owned(), caption.to_owned()], frame: Frame::Query }, class: None }
}

fn of_file(path: &Path) -> Shown {
    let mut shown = blank(&path.file_stem().unwrap_or_default().to_string_lossy());
    shown.tile.photo = Some(path.to_owned());
    shown
}

fn stored(known: &Known, ids: &[ItemId]) -> Vec<Shown> {
    let items = ids.iter().filter_map(|id| known.get(id));
    items.map(|item| Shown { tile: sheet::query(item), class: item.class.clone() }).collect()
}
