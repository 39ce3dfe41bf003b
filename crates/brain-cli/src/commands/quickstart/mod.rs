//! `brain quickstart`: the main job end to end on the photos that ship with the program.
//!
//! Photos, datasets and runs that are there already are left as they are, and what an interrupted quickstart lacks is finished: only the searches
//! and the picture are made every time.

mod photos;
mod prepare;
mod search;

use std::path::PathBuf;

use serde::Serialize;

use crate::args::QuickstartArgs;
use crate::failure::Result;
use crate::output::Output;
use crate::session::Session;
use crate::sheet;
use crate::{answer, failed_items};

use prepare::{Dataset, Run};
use search::Search;

/// The photos, a folder for each class.
const PHOTOS: &str = "quickstart";
const PHOTOS_KEY: &str = "img_sim";
/// The scenes, their boxes in `ground_truth`.
const SCENES: &str = "quickstart-scenes";
const SCENES_KEY: &str = "gt_sim";

pub(super) async fn run(session: &mut Session<'_>, args: &QuickstartArgs) -> Result<()> {
    let brain = args.runtime.of(session.brain()?);
    let backend = match &args.backend {
        Some(name) => Some(brain.config().backend_name(name, "--backend")?),
        None => None,
    };
    let folder = brain.config().home().join("quickstart");
    let output = &mut session.output;
    let written = photos::write(&folder)?;
    if !output.is_json() {
        let there = if written > 0 { "are in" } else { "are already in" };
        output.line(format_args!("the photos (CIFAR-10 test images, Krizhevsky 2009) {there} {}", folder.display()))?;
    }
    let mut datasets = Vec::new();
    let mut runs = Vec::new();
    for (name, key) in [(PHOTOS, PHOTOS_KEY), (SCENES, SCENES_KEY)] {
        let dataset = prepare::dataset(&brain, name, &folder).await?;
        tell_dataset(output, &dataset)?;
        datasets.push(dataset);
        let run = prepare::run(&brain, name, key, backend).await?;
        tell_run(output, &run)?;
        runs.push(run);
    }
    let searches = search::all(&brain, &folder).await?;
    let path = args.out.clone().unwrap_or_else(|| folder.join("contact-sheet.png"));
    sheet::write(&searches.iter().map(Search::line).collect::<Vec<_>>(), &path)?;
    let share = search::share_of_same_class(&brain).await?;
    if output.is_json() {
        let searches = searches.iter().map(Search::document).collect();
        return Ok(output.document(&Document { folder, datasets, runs, searches, share_of_same_class: share, contact_sheet: path })?);
    }
    for search in &searches {
        tell_search(output, search)?;
    }
    output.line(format_args!("\nof the ten nearest to every photo, {:.0} % are of its class", share * 100.0))?;
    output.line(format_args!("the picture of these searches is in {}", path.display()))?;
    next_steps(output, &searches, &folder.join("photos/cat/cat-000.jpg"))
}

/// What a quickstart has made and found, as programs read it.
#[derive(Serialize)]
struct Document<'a> {
    folder: PathBuf,
    datasets: Vec<Dataset>,
    runs: Vec<Run>,
    searches: Vec<search::Document<'a>>,
    share_of_same_class: f64,
    contact_sheet: PathBuf,
}

fn tell_dataset(output: &mut Output, dataset: &Dataset) -> Result<()> {
    if output.is_json() {
        return Ok(());
    }
    let there = if dataset.imported == 0 { "is already there with" } else { "is imported:" };
    Ok(output.line(format_args!("dataset {} {there} {} samples", dataset.name, dataset.samples))?)
}

fn tell_run(output: &mut Output, run: &Run) -> Result<()> {
    if output.is_json() {
        return Ok(());
    }
    if run.computed == 0 {
        return Ok(output.line(format_args!("run {} is already there with {} {} in {}", run.key, run.indexed, run.items, run.backend))?);
    }
    let per_second = run.computed as f64 / run.seconds.max(1e-9);
    output.line(format_args!(
        "run {} is computed: {} {} embedded and indexed in {} in {:.1} s ({per_second:.0} a second)",
        run.key, run.computed, run.items, run.backend, run.seconds
    ))?;
    if run.done_before > 0 {
        output.line(format_args!("{} {} were indexed before, by an interrupted quickstart", run.done_before, run.items))?;
    }
    Ok(failed_items::print(output, &run.failures)?)
}

fn tell_search(output: &mut Output, search: &Search) -> Result<()> {
    output.line("")?;
    output.heading(&search.title)?;
    output.table(&answer::table(&search.rows, &search.known))?;
    let (same, rows) = (search.same_class(), search.rows.len());
    Ok(output.line(format_args!("{same} of {rows} are of the class {}", search.class))?)
}

fn next_steps(output: &mut Output, searches: &[Search], photo: &std::path::Path) -> Result<()> {
    let id = searches.first().map_or_else(String::new, |search| search.item.to_string());
    output.hint("\nnext:")?;
    output.hint(format_args!("  brain sort-by-similarity {PHOTOS} --brain-key {PHOTOS_KEY} --image {} -k 10", shell_word(photo)))?;
    output.hint(format_args!(
        "  brain sort-by-similarity {PHOTOS} --brain-key {PHOTOS_KEY} --id {id} -k 5 --match 'ground_truth.label == \"dog\"' --explain"
    ))?;
    output.hint(format_args!("  brain dataset samples {SCENES} --patches ground_truth --limit 5"))?;
    Ok(output.hint("  brain runs list")?)
}

/// A path as a shell takes it for one word.
fn shell_word(path: &std::path::Path) -> String {
    let text = path.display().to_string();
    let is_plain = |c: char| c.is_alphanumeric() || matches!(c, '/' | '.' | '-' | '_' | ':' | '\\');
    if text.chars().all(is_plain) { text } else { format!("'{}'", text.replace('\'', "'\\''")) }
}
