//! A dataset of its expected size: a million samples of JSON Lines with a class and three boxes each.

use std::io::{BufRead as _, BufReader, BufWriter, Write as _};
use std::path::Path;

use brain::core::{ItemId, NoProgress, View};
use brain::dataset::formats::read_jsonl;
use brain::dataset::{Dataset, Fields, ImportOptions, OnExisting};

use crate::Flags;
use crate::measure::{against, alone, median_ms, once_ms, peak_mb};

pub(crate) fn run(flags: &Flags) {
    let count = flags.number("rows", 1_000_000) as u64;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("samples.jsonl");
    write_file(&file, count);
    println!("dataset of {count} samples, {:.0} MB of JSON Lines", file.metadata().unwrap().len() as f64 / 1e6);

    let sources = brain::core::config::Sources { home: Some(folder.path().join("home")), ..Default::default() };
    let brain = brain::Brain::with(&sources, std::sync::Arc::new(NoProgress)).unwrap();
    let dataset = brain.datasets().create("million").unwrap();
    let before = peak_mb();
    let (read, lines) =
        once_ms(|| BufReader::new(std::fs::File::open(&file).unwrap()).lines().map_while(Result::ok).filter(|line| !line.is_empty()).count());
    let (parse, parsed) = once_ms(|| read_jsonl(&file).unwrap().filter(Result::is_ok).count());
    assert_eq!((lines as u64, parsed as u64), (count, count));
    against("parse the file", parse, "reading its lines", read);
    let (import, report) = once_ms(|| dataset.import(read_jsonl(&file).unwrap(), ImportOptions::default(), &NoProgress).unwrap());
    assert_eq!(report.added, count);
    against("import", import, "parsing the file", parse);
    alone("  memory while importing, above the start", peak_mb() - before, "MB (peak)");
    let again = ImportOptions { on_existing: OnExisting::Skip, ..ImportOptions::default() };
    let (skip, report) = once_ms(|| dataset.import(read_jsonl(&file).unwrap(), again, &NoProgress).unwrap());
    assert_eq!(report.skipped, count);
    against("import the same again, skipping", skip, "parsing the file", parse);

    let filter = |text: &str| text.parse().unwrap();
    let tenth = dataset.resolve(&View::new().take(count / 10, 9)).unwrap().items;
    let ids: Vec<ItemId> = tenth.into_iter().map(|item| item.id).collect();
    println!("views, median of five:");
    for (what, view) in [
        ("the whole dataset", View::new()),
        ("match a number: a tenth", View::new().match_filter(filter("score < 0.1"))),
        ("match a text: a tenth", View::new().match_filter(filter("weather == \"rain\""))),
        ("match a class: a tenth", View::new().match_filter(filter("class.label == \"dog\""))),
        ("match one sample", View::new().match_filter(filter("number == 7"))),
        ("match some box of a class: a quarter", View::new().match_filter(filter("boxes.label == \"dog\""))),
        ("filter_labels by class and confidence", View::new().filter_labels("boxes", filter("label == \"dog\" and confidence > 0.62"))),
        ("the same, to_patches", View::new().filter_labels("boxes", filter("label == \"dog\" and confidence > 0.62")).to_patches("boxes")),
        ("match_tags: a tenth", View::new().match_tags(["test"])),
        ("select a tenth by id", View::new().select(ids.clone())),
        ("exclude a tenth by id", View::new().exclude(ids)),
        ("limit 100", View::new().limit(100)),
        ("skip 90 %, limit 100", View::new().skip(count / 10 * 9).limit(100)),
        ("take 100", View::new().take(100, 51)),
        ("take a tenth", View::new().take(count / 10, 51)),
        ("to_patches, limit 100", View::new().to_patches("boxes").limit(100)),
        ("sort_by score, limit 100", View::new().sort_by("score", true).limit(100)),
        ("shuffle, limit 100", View::new().shuffle(51).limit(100)),
    ] {
        resolve(&dataset, what, &view);
    }
    let (all, found) = once_ms(|| dataset.samples(&View::new(), Fields::All).unwrap().filter(Result::is_ok).count());
    assert_eq!(found as u64, count);
    against("read every sample", all, "reading the lines of the file", read);
    alone("peak memory of the whole run", peak_mb(), "MB");
}

fn resolve(dataset: &Dataset, what: &str, view: &View) {
    let items = dataset.resolve(view).unwrap().items.len();
    alone(&format!("  {what} ({items} items)"), median_ms(5, || dataset.resolve(view).unwrap()), "ms");
}

fn write_file(path: &Path, count: u64) {
    const CLASSES: [&str; 10] = ["airplane", "bicycle", "bird", "boat", "car", "cat", "dog", "horse", "person", "truck"];
    const WEATHERS: [&str; 10] = ["rain", "sun", "snow", "fog", "wind", "hail", "cloud", "storm", "clear", "night"];
    let mut file = BufWriter::new(std::fs::File::create(path).unwrap());
    for number in 0..count {
        // Mixed, so that values are not in the order of the samples; a number decides all of a sample.
        let mixed = number.wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let part = |shift: u32, below: u64| (mixed >> shift) % below;
        let class = |shift: u32| CLASSES[part(shift, 10) as usize];
        let boxes: Vec<String> = (0..3)
            .map(|at| {
                let confidence = part(23 + 5 * at, 1_000) as f64 / 1e3;
                let class = class(19 + at);
                format!(r#"{{"_cls":"Detection","label":"{class}","confidence":{confidence},"bounding_box":[0.1,0.2,0.3,0.4],"index":{at}}}"#)
            })
            .collect();
        writeln!(
            file,
            r#"{{"filepath":"/data/{:03}/{number:09}.jpg","tags":["{}"],"weather":"{}","score":{},"number":{number},"class":{{"_cls":"Classification","label":"{}"}},"boxes":{{"_cls":"Detections","detections":[{}]}}}}"#,
            number / 1000,
            if part(17, 10) == 0 { "test" } else { "train" },
            WEATHERS[part(3, 10) as usize],
            part(5, 1_000_000) as f64 / 1e6,
            class(11),
            boxes.join(",")
        )
        .unwrap();
    }
    file.flush().unwrap();
}
