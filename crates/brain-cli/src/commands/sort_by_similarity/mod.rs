//! `brain sort-by-similarity`

#[cfg(feature = "models")]
mod sheet;

use brain::core::View;
use brain::{Aggregation, Items, Query, Report, Similarity, Sorted, SortedRow};
use serde::Serialize;
use serde_json::{Value, json};

use crate::answer;
use crate::args::{Asked, SortArgs};
use crate::failure::Result;
use crate::known::Known;
use crate::session::Session;

pub(super) async fn run(session: &mut Session<'_>, args: &SortArgs) -> Result<()> {
    let view = args.view.some_view()?;
    let asked = args.query.query()?;
    let brain = args.runtime.of(session.brain()?);
    let similarity = brain.load_brain_results(&args.run.name, &args.run.brain_key).await?;
    let names = names_of_queries(&similarity, &asked, args.aggregation).await?;
    let Sorted { results, report } = search(&similarity, args, asked.query.clone(), view).await?;
    let dataset = brain.datasets().get(&args.run.name)?;
    #[cfg(feature = "models")]
    if let Some(path) = &args.sheet {
        sheet::write(&similarity, &dataset, &asked, &results, path)?;
    }
    if session.output.is_json() {
        return Ok(session.output.document(&Document::of(&asked.name, &names, &results, &report))?);
    }
    for (list, rows) in results.iter().enumerate() {
        if results.len() > 1 {
            let name = names.get(list).map_or_else(|| format!("query {}", list + 1), in_words);
            session.output.heading(format_args!("{}{name}", if list > 0 { "\n" } else { "" }))?;
        }
        let known = Known::of_rows(&similarity, &dataset, rows)?;
        session.output.table(&answer::table(rows, &known))?;
    }
    #[cfg(feature = "models")]
    if let Some(path) = &args.sheet {
        session.output.line(format_args!("\nthe picture is in {}", path.display()))?;
    }
    Ok(answer::remarks(&mut session.output, &report, args.explain)?)
}

/// `id 6b01…`, `vector q.npy row 3`
fn in_words(name: &Value) -> String {
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let members = name.as_object().into_iter().flatten().map(|(name, value)| format!("{name} {}", text(value)));
    members.collect::<Vec<_>>().join(" ")
}

async fn search(similarity: &Similarity, args: &SortArgs, query: Query, view: Option<View>) -> Result<Sorted> {
    let mut sort = similarity.sort_by_similarity(query).k(args.k).reverse(args.reverse).aggregation(args.aggregation).explain(args.explain);
    if let Some(view) = view {
        sort = sort.within(view);
    }
    if let Some(field) = &args.dist_field {
        sort = sort.dist_field(field);
    }
    if args.exact {
        sort = sort.exact();
    }
    Ok(sort.run().await?)
}

/// How each of several queries is named, where each has a list of its own.
async fn names_of_queries(similarity: &Similarity, asked: &Asked, aggregation: Aggregation) -> Result<Vec<Value>> {
    match &asked.query {
        // A sample has as many queries as it has patches; they come in the order that the index gives them.
        Query::Samples(ids) if aggregation == Aggregation::None => {
            let fetched = similarity.get_embeddings(&Items::Samples(ids.clone())).await?;
            Ok(fetched.rows.items().iter().map(|item| json!({ "id": item.id })).collect())
        }
        _ => Ok(asked.each.clone()),
    }
}

/// The document of a search: one list, or one for each query where they were not aggregated.
#[derive(Serialize)]
#[serde(untagged)]
enum Document<'a> {
    One { query: &'a Value, results: &'a [SortedRow], report: &'a Report },
    Several { queries: Vec<OfQuery<'a>>, report: &'a Report },
}

#[derive(Serialize)]
struct OfQuery<'a> {
    /// `null` where it has no name.
    query: Option<&'a Value>,
    results: &'a [SortedRow],
}

impl<'a> Document<'a> {
    fn of(name: &'a Value, names: &'a [Value], results: &'a [Vec<SortedRow>], report: &'a Report) -> Self {
        match results {
            [only] => Self::One { query: name, results: only, report },
            lists => {
                let queries = lists.iter().enumerate().map(|(at, results)| OfQuery { query: names.get(at), results });
                Self::Several { queries: queries.collect(), report }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use brain::Route;

    use super::*;

    fn row(id: &str) -> SortedRow {
        SortedRow { rank: 1, id: id.into(), sample_id: id.into(), label_id: None, filepath: Some("/a.jpg".into()), distance: 0.1 }
    }

    fn report() -> Report {
        Report { requested: Some(1), returned: 1, missing: 0, exact: true, route: Route::FullScan, reason: "why".into(), elapsed_ms: 1.5, plan: None }
    }

    fn text(name: &Value, names: &[Value], results: &[Vec<SortedRow>]) -> String {
        serde_json::to_string(&Document::of(name, names, results, &report())).unwrap()
    }

    const REPORT: &str = r#"{"requested":1,"returned":1,"missing":0,"exact":true,"route":"full scan","reason":"why","elapsed_ms":1.5}"#;

    #[test]
    fn one_list_is_one_document_and_distances_are_not_widened() {
        let row_text = r#"{"rank":1,"id":"b","sample_id":"b","label_id":null,"filepath":"/a.jpg","distance":0.1}"#;
        let expected = format!(r#"{{"query":{{"id":"a"}},"results":[{row_text}],"report":{REPORT}}}"#);
        assert_eq!(text(&json!({"id": "a"}), &[json!({"id": "a"})], &[vec![row("b")]]), expected);
    }

    #[test]
    fn queries_are_named_in_words() {
        assert_eq!(in_words(&json!({"vector": "q.npy", "row": 3})), "vector q.npy row 3");
    }

    #[test]
    fn queries_without_aggregation_have_a_list_each() {
        let names = [json!({"id": "a"}), json!({"id": "b"})];
        let document: Value = serde_json::from_str(&text(&json!({"ids": ["a", "b"]}), &names, &[vec![row("c")], vec![]])).unwrap();
        assert_eq!(document["queries"][0]["query"], json!({"id": "a"}));
        assert_eq!(document["queries"][1], json!({"query": {"id": "b"}, "results": []}));
        assert!(document.get("query").is_none() && document["report"]["exact"] == json!(true));
    }
}
