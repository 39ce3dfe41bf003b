//! Measures the store at its expected size: a million samples of JSON Lines with three boxes each.
//!
//! ```text
//! cargo run --release -p brain-dataset --example million [SAMPLES]
//! ```
//!
//! The home lies in a temporary folder (about 1.5 GB for a million samples) and is deleted at the end. Times of reading are the best of three;
//! memory is the highest resident set of the process so far, on Linux.

use std::io::{BufWriter, Write};
use std::path::Path;
use std::time::{Duration, Instant};

use brain_core::{Filter, ItemId, NoProgress, View};
use brain_dataset::formats::read_jsonl;
use brain_dataset::{Dataset, Datasets, Fields, ImportOptions, OnBad, OnExisting};
use brain_store::Database;

type Outcome<T = ()> = Result<T, Box<dyn std::error::Error>>;

const CLASSES: [&str; 10] = ["airplane", "bicycle", "bird", "boat", "car", "cat", "dog", "horse", "person", "truck"];

#[expect(clippy::print_stdout, reason = "an example tells its result")]
fn say(what: &str, took: Duration, found: impl std::fmt::Display) {
    println!("{what:<64}{:>10.1} ms   {found}", took.as_secs_f64() * 1e3);
}

fn main() -> Outcome {
    let count: u64 = std::env::args().nth(1).map_or(Ok(1_000_000), |count| count.parse())?;
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("samples.jsonl");
    write_file(&file, count)?;
    let datasets = Datasets::open(&Database::open(&folder.path().join("home"))?)?;
    let dataset = datasets.create("million")?;

    let (took, read) = timed(|| Ok(read_jsonl(&file)?.filter(Result::is_ok).count()))?;
    say("read the file alone", took, format_args!("{read} records"));
    let (took, report) = timed(|| Ok(dataset.import(read_jsonl(&file)?, ImportOptions::default(), &NoProgress)?))?;
    let size = std::fs::metadata(folder.path().join("home/brain.db"))?.len() >> 20;
    say("import", took, format_args!("{} added, {size} MB on disk, {} MB of memory", report.added, memory()));
    let again = ImportOptions { on_bad: OnBad::Stop, on_existing: OnExisting::Skip, total: None };
    let (took, report) = timed(|| Ok(dataset.import(read_jsonl(&file)?, again, &NoProgress)?))?;
    say("import the same again, skipping", took, format_args!("{} skipped", report.skipped));

    views(&dataset, count)?;
    let (took, info) = timed(|| Ok(dataset.info()?))?;
    say("info", took, format_args!("{} fields", info.fields.len()));
    let (took, found) = timed(|| Ok(dataset.samples(&View::new(), Fields::All)?.filter(Result::is_ok).count()))?;
    say("read every sample", took, format_args!("{found} samples, {} MB of memory", memory()));

    // With gaps in the order, positions are no longer arithmetic.
    let ids: Vec<ItemId> = dataset.resolve(&View::new().take(count / 100, 1))?.items.into_iter().map(|item| item.id).collect();
    let (took, deleted) = timed(|| Ok(dataset.delete_samples(ids)?))?;
    say("delete 1 %", took, format_args!("{deleted} deleted"));
    view(&dataset, "take 100, with gaps", &View::new().take(100, 51))?;
    view(&dataset, "skip 90 %, limit 100, with gaps", &View::new().skip(count / 10 * 9).limit(100))?;
    let (took, ()) = timed(|| Ok(datasets.delete("million")?))?;
    say("delete the dataset", took, "");
    Ok(())
}

fn views(dataset: &Dataset, count: u64) -> Outcome {
    let filter = |text: &str| text.parse::<Filter>();
    view(dataset, "the whole dataset", &View::new())?;
    view(dataset, "match: score < 0.1 (a tenth)", &View::new().match_filter(filter("score < 0.1")?))?;
    view(dataset, "match: weather == \"rain\" (a tenth)", &View::new().match_filter(filter("weather == \"rain\"")?))?;
    view(dataset, "match: number == 7 (one)", &View::new().match_filter(filter("number == 7")?))?;
    view(dataset, "match: a label field (a tenth)", &View::new().match_filter(filter("class.label == \"dog\"")?))?;
    view(dataset, "match: some box (about a quarter)", &View::new().match_filter(filter("boxes.label == \"dog\"")?))?;
    let sure = filter("label == \"dog\" and confidence > 0.62")?;
    view(dataset, "filter_labels: label and confidence (about a tenth)", &View::new().filter_labels("boxes", sure.clone()))?;
    view(dataset, "filter_labels: confidence alone (about a tenth)", &View::new().filter_labels("boxes", filter("confidence > 0.965")?))?;
    view(dataset, "filter_labels: an attribute (a tenth)", &View::new().filter_labels("boxes", filter("index == 3")?))?;
    view(dataset, "filter_labels, to_patches", &View::new().filter_labels("boxes", sure).to_patches("boxes"))?;
    view(dataset, "match_tags (a tenth)", &View::new().match_tags(["test"]))?;
    view(dataset, "sort_by score, limit 100", &View::new().sort_by("score", true).limit(100))?;
    view(dataset, "limit 100", &View::new().limit(100))?;
    view(dataset, "skip 90 %, limit 100", &View::new().skip(count / 10 * 9).limit(100))?;
    view(dataset, "take 100", &View::new().take(100, 51))?;
    view(dataset, "take a tenth", &View::new().take(count / 10, 51))?;
    view(dataset, "to_patches, limit 100", &View::new().to_patches("boxes").limit(100))?;
    view(dataset, "to_patches, take 100", &View::new().to_patches("boxes").take(100, 51))?;
    view(dataset, "match, take 100", &View::new().match_filter(filter("score < 0.1")?).take(100, 51))?;
    view(dataset, "shuffle, limit 100", &View::new().shuffle(51).limit(100))?;
    let ids: Vec<ItemId> = dataset.resolve(&View::new().take(count / 10, 9))?.items.into_iter().map(|item| item.id).collect();
    view(dataset, "select a tenth by id", &View::new().select(ids.clone()))?;
    view(dataset, "exclude a tenth by id", &View::new().exclude(ids))
}

fn view(dataset: &Dataset, what: &str, view: &View) -> Outcome {
    let mut best = timed(|| Ok(dataset.resolve(view)?))?;
    for _ in 0..2 {
        let next = timed(|| Ok(dataset.resolve(view)?))?;
        if next.0 < best.0 {
            best = next;
        }
    }
    say(what, best.0, format_args!("{} items", best.1.items.len()));
    Ok(())
}

fn timed<T>(work: impl FnOnce() -> Outcome<T>) -> Outcome<(Duration, T)> {
    let start = Instant::now();
    let value = work()?;
    Ok((start.elapsed(), value))
}

fn write_file(path: &Path, count: u64) -> Outcome {
    let mut file = BufWriter::new(std::fs::File::create(path)?);
    for number in 0..count {
        // Mixed, so that values are not in the order of the samples; a number decides all of a sample.
        let mixed = number.wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let part = |shift: u32, below: u64| (mixed >> shift) % below;
        let weather = ["rain", "sun", "snow", "fog", "wind", "hail", "cloud", "storm", "clear", "night"][part(3, 10) as usize];
        let tag = if part(17, 10) == 0 { "test" } else { "train" };
        let score = part(5, 1_000_000) as f64 / 1e6;
        let class = CLASSES[part(11, 10) as usize];
        write!(
            file,
            r#"{{"filepath":"/data/photos/{:03}/{number:09}.jpg","tags":["{tag}"],"weather":"{weather}","score":{score},"number":{number},"#,
            number / 1000
        )?;
        write!(file, r#""class":{{"_cls":"Classification","label":"{class}","confidence":0.5}},"boxes":{{"_cls":"Detections","detections":["#)?;
        for at in 0..3u32 {
            let (class, confidence) = (CLASSES[part(19 + at, 10) as usize], part(23 + 5 * at, 1_000) as f64 / 1e3);
            let comma = if at == 0 { "" } else { "," };
            write!(
                file,
                r#"{comma}{{"_cls":"Detection","label":"{class}","confidence":{confidence},"bounding_box":[0.1,0.2,0.3,0.4],"index":{}}}"#,
                part(29 + at, 30)
            )?;
        }
        writeln!(file, "]}}}}")?;
    }
    file.flush()?;
    Ok(())
}

/// The most memory the process has had, in MB; 0 where the system does not tell.
fn memory() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<u64>().ok()).unwrap_or(0) / 1024
}
