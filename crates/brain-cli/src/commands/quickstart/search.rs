//! The three searches of the quickstart: by id, by image file, by patch.

use std::path::Path;

use brain::core::{Comparison, Error, Filter, ItemId, Literal, Result, View};
use brain::{Aggregation, Brain, Query, Report, SortedRow};
use serde::Serialize;
use serde_json::{Value, json};

use super::{PHOTOS, PHOTOS_KEY, SCENES, SCENES_KEY};
use crate::known::{Known, KnownItem};
use crate::sheet::{self, Tile};

/// How many answers each search shows.
const ANSWERS: usize = 10;

/// A search with its answer.
pub(super) struct Search {
    /// What was asked, in words.
    pub(super) title: String,
    /// The photo or patch that was searched with.
    pub(super) item: ItemId,
    /// Its class.
    pub(super) class: String,
    /// The nearest others.
    pub(super) rows: Vec<SortedRow>,
    /// What is known of them.
    pub(super) known: Known,
    query: Value,
    shown: KnownItem,
    report: Report,
}

impl Search {
    /// How many answers are of the query's class.
    pub(super) fn same_class(&self) -> usize {
        self.rows.iter().filter(|row| self.known.class(row) == Some(self.class.as_str())).count()
    }

    /// The query and its answers on one line of the contact sheet.
    pub(super) fn line(&self) -> Vec<Tile> {
        let answers = sheet::answers(&self.rows, &self.known, Some(&self.class), ANSWERS);
        std::iter::once(sheet::query(&self.shown)).chain(answers).collect()
    }

    pub(super) fn document(&self) -> Document<'_> {
        Document { query: &self.query, class: &self.class, same_class: self.same_class(), results: &self.rows, report: &self.report }
    }
}

/// A search as programs read it.
#[derive(Serialize)]
pub(super) struct Document<'a> {
    query: &'a Value,
    class: &'a str,
    same_class: usize,
    results: &'a [SortedRow],
    report: &'a Report,
}

/// Searches for a frog by id, for a truck by image file, for a horse by patch. The item itself is left out of each answer by a view.
pub(super) async fn all(brain: &Brain, folder: &Path) -> Result<[Search; 3]> {
    let (frog, frog_photo) = photo(brain, folder, "frog/frog-000.jpg")?;
    let (truck, truck_photo) = photo(brain, folder, "truck/truck-000.jpg")?;
    let (horse, horse_patch) = patch(brain, "horse")?;
    let file = Path::new(&truck_photo.filepath).to_owned();
    let by_id = Asked {
        title: format!("by id: the photos nearest to {frog}, a frog"),
        name: json!({ "id": frog }),
        query: Query::Id(frog.clone()),
        within: View::new().exclude([frog.clone()]),
        run: (PHOTOS, PHOTOS_KEY),
        item: frog,
        shown: frog_photo,
    };
    let by_file = Asked {
        title: format!("by image file: the photos nearest to {}, a truck", file.display()),
        name: json!({ "images": [file] }),
        query: Query::Images(vec![file]),
        within: View::new().exclude([truck.clone()]),
        run: (PHOTOS, PHOTOS_KEY),
        item: truck,
        shown: truck_photo,
    };
    let by_patch = Asked {
        title: format!("by patch: the boxes nearest to {horse}, a horse"),
        name: json!({ "id": horse }),
        query: Query::Id(horse.clone()),
        within: View::new().to_patches("ground_truth").exclude([horse.clone()]),
        run: (SCENES, SCENES_KEY),
        item: horse,
        shown: horse_patch,
    };
    Ok([search(brain, by_id).await?, search(brain, by_file).await?, search(brain, by_patch).await?])
}

/// Of the ten nearest to every photo, itself left out, the share that is of its class: how good the answers are on the whole.
pub(super) async fn share_of_same_class(brain: &Brain) -> Result<f64> {
    let similarity = brain.load_brain_results(PHOTOS, PHOTOS_KEY).await?;
    let dataset = brain.datasets().get(PHOTOS)?;
    let ids: Vec<ItemId> = dataset.resolve(&View::new())?.items.into_iter().map(|item| item.id).collect();
    let known = Known::of_samples(&dataset, ids.iter().cloned())?;
    let sort = similarity.sort_by_similarity(Query::Ids(ids.clone())).aggregation(Aggregation::None).k(ANSWERS + 1);
    let (mut same, mut rows) = (0_usize, 0_usize);
    for (id, list) in ids.iter().zip(sort.run().await?.results) {
        let class = known.get(id).and_then(|item| item.class.as_deref());
        let others: Vec<_> = list.iter().filter(|row| row.id != *id).take(ANSWERS).collect();
        same += others.iter().filter(|row| known.class(row) == class).count();
        rows += others.len();
    }
    Ok(same as f64 / rows.max(1) as f64)
}

struct Asked {
    title: String,
    name: Value,
    query: Query,
    within: View,
    /// Dataset and brain key.
    run: (&'static str, &'static str),
    item: ItemId,
    shown: KnownItem,
}

async fn search(brain: &Brain, asked: Asked) -> Result<Search> {
    let (dataset, key) = asked.run;
    let similarity = brain.load_brain_results(dataset, key).await?;
    let sorted = similarity.sort_by_similarity(asked.query).k(ANSWERS).within(asked.within).run().await?;
    let rows = sorted.results.into_iter().next().unwrap_or_default();
    let known = Known::of_rows(&similarity, &brain.datasets().get(dataset)?, &rows)?;
    let class = asked.shown.class.clone().unwrap_or_default();
    Ok(Search { title: asked.title, item: asked.item, class, rows, known, query: asked.name, shown: asked.shown, report: sorted.report })
}

/// A photo of the quickstart, by its file.
fn photo(brain: &Brain, folder: &Path, file: &str) -> Result<(ItemId, KnownItem)> {
    let dataset = brain.datasets().get(PHOTOS)?;
    let path = folder.join("photos").join(file);
    let path = std::path::absolute(&path).unwrap_or(path);
    let found = dataset.resolve(&View::new().match_filter(is("filepath", &path.display().to_string())).limit(1))?;
    let item = found.items.first().ok_or_else(|| other_photos(PHOTOS))?;
    let known = Known::of_samples(&dataset, [item.id.clone()])?;
    Ok((item.id.clone(), known.get(&item.id).cloned().ok_or_else(|| other_photos(PHOTOS))?))
}

/// The first box of a class in the scenes.
fn patch(brain: &Brain, class: &str) -> Result<(ItemId, KnownItem)> {
    let dataset = brain.datasets().get(SCENES)?;
    let found = dataset.resolve(&View::new().to_patches("ground_truth").match_filter(is("label", class)).limit(1))?;
    let item = found.items.first().ok_or_else(|| other_photos(SCENES))?;
    let known = Known::of_patches(&dataset, "ground_truth", [item.id.clone()])?;
    Ok((item.id.clone(), known.get(&item.id).cloned().ok_or_else(|| other_photos(SCENES))?))
}

fn is(field: &str, text: &str) -> Filter {
    let path = brain::core::Path { field: field.to_owned(), attribute: None };
    Filter::Compare { path, comparison: Comparison::Equal, value: Literal::Text(text.to_owned()) }
}

fn other_photos(dataset: &str) -> Error {
    Error::not_found(format!("dataset {dataset:?} does not hold the quickstart's photos"))
        .with_hint(format!("it was made from something else: brain dataset delete {dataset}, or choose another home with --home"))
}
