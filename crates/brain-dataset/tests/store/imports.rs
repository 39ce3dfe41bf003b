//! Importing: batches, bad records, samples that are there already.

use std::sync::atomic::{AtomicU64, Ordering};

use brain_core::{Error, ErrorKind, FieldValue, Label, LabelClass, Labels, NoProgress, Progress, Region, Sample, View};
use brain_dataset::{FieldType, Fields, ImportOptions, OnBad, OnExisting};
use serde_json::json;

use crate::home::{Home, classification, detections, id, sample, text};

const LENIENT: ImportOptions = ImportOptions { on_bad: OnBad::Skip, on_existing: OnExisting::Skip, total: None };

fn everything() -> Sample {
    let label = Label {
        id: Some(id(4, 0)),
        label: Some("road".into()),
        confidence: None,
        region: Some(Region::Lines(vec![vec![[0.1, 0.2], [0.3, 1e-9]]])),
        tags: vec!["checked".into()],
        attributes: json!({"closed": true, "deep": {"list": [1, 1e-17, 0.1, "two \u{0} \\ é", null]}}).as_object().cloned().unwrap(),
    };
    let mut sample = sample(
        0,
        vec![
            ("Weather", text("rain \0 \"quoted\" é")),
            ("weather", FieldValue::Int(i64::MIN)),
            ("score", FieldValue::Float(0.1)),
            ("is_night", FieldValue::Bool(false)),
            ("embedding", FieldValue::Vector(vec![0.1, -0.0, 3e38])),
            ("document", FieldValue::Other(json!({"b": 1, "a": [null, 0.5]}))),
            ("class", classification(0, "dog")),
            ("boxes", detections(0, &[("cat", 0.25), ("dog", 1.0)])),
            ("lines", FieldValue::Labels(Labels { class: LabelClass::Polylines, labels: vec![label] })),
            ("empty", FieldValue::Labels(Labels { class: LabelClass::Classifications, labels: vec![] })),
        ],
    );
    sample.tags = vec!["z".into(), "a".into()];
    sample
}

#[test]
fn a_sample_comes_back_as_it_was() {
    let home = Home::new();
    let dataset = home.dataset();
    dataset.add_samples([everything()], &NoProgress).unwrap();
    assert_eq!(dataset.get_sample(&id(1, 0)).unwrap(), everything());
    let part = dataset.get_samples(&[id(1, 0)], Fields::Only(&["boxes", "Weather"])).unwrap();
    assert_eq!(part[0].fields.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(), ["Weather", "boxes"]);
}

#[test]
fn info_counts_what_is_there() {
    let home = Home::new();
    let dataset = home.dataset();
    dataset
        .add_samples([everything(), sample(1, vec![("boxes", detections(10, &[("cat", 0.5)])), ("later", FieldValue::Null)])], &NoProgress)
        .unwrap();
    let info = dataset.info().unwrap();
    assert_eq!((info.samples, info.fields.len(), info.tags.get("z")), (2, 11, Some(&1)));
    let field = |name: &str| info.fields.iter().find(|found| found.field.name == name).unwrap();
    assert_eq!(field("boxes").labels.as_ref().unwrap().classes, [("cat".to_owned(), 2), ("dog".to_owned(), 1)]);
    assert_eq!((field("embedding").dimension, field("embedding").values), (Some(3), 1));
    assert_eq!(field("lines").field.attributes.get("closed"), Some(&FieldType::Bool));
    assert_eq!((field("later").field.field_type, field("later").values), (FieldType::Null, 0));
    // A field without a value yet can be asked about, sorted by and read.
    assert_eq!(dataset.count_view(&View::new().match_filter("later > 3 or later == \"x\"".parse().unwrap()).sort_by("later", false)).unwrap(), 0);
    assert_eq!(dataset.vectors("later", &View::new()).unwrap().count(), 0);
    dataset.set_values("later", [(id(1, 1), FieldValue::Vector(vec![1.0]))]).unwrap();
    assert_eq!(dataset.vectors("later", &View::new()).unwrap().next().unwrap().unwrap(), (id(1, 1), vec![1.0]));
}

#[test]
fn whole_numbers_become_floats_where_fractions_come() {
    let home = Home::new();
    let dataset = home.dataset();
    dataset.add_samples([sample(0, vec![("n", FieldValue::Int(2))]), sample(1, vec![("n", FieldValue::Float(0.5))])], &NoProgress).unwrap();
    dataset.add_samples([sample(2, vec![("n", FieldValue::Int(1))])], &NoProgress).unwrap();
    let values: Vec<_> =
        dataset.samples(&View::new().sort_by("n", false), Fields::All).unwrap().map(|sample| sample.unwrap().fields[0].1.clone()).collect();
    assert_eq!(values, [FieldValue::Float(0.5), FieldValue::Float(1.0), FieldValue::Float(2.0)]);
}

#[test]
fn bad_records_stop_the_import_or_are_listed() {
    let home = Home::new();
    let records = || {
        vec![
            Ok(sample(0, vec![("weather", text("sun"))])),
            Err(Error::invalid("photos.jsonl:2: not JSON")),
            Ok(sample(2, vec![("weather", FieldValue::Int(3))])),
            Ok(sample(0, vec![])),
            Ok(sample(4, vec![("boxes", detections(0, &[("cat", 0.5)]))])),
            Ok(sample(5, vec![("embedding", FieldValue::Vector(vec![1.0])), ("boxes", detections(0, &[("dog", 0.5)]))])),
            Ok(sample(6, vec![])),
        ]
    };
    let strict = home.datasets.create("strict").unwrap();
    let error = strict.import(records(), ImportOptions::default(), &NoProgress).unwrap_err();
    assert_eq!((error.message(), error.operation(), error.context()), ("photos.jsonl:2: not JSON", Some("import"), &[("added", "1".to_owned())][..]));
    assert_eq!(strict.count().unwrap(), 1);

    let lenient = home.datasets.create("lenient").unwrap();
    let report = lenient.import(records(), ImportOptions { on_bad: OnBad::Skip, ..ImportOptions::default() }, &NoProgress).unwrap();
    assert_eq!((report.added, report.skipped, report.bad), (3, 0, 4));
    let messages: Vec<String> = report.bad_records.iter().map(|bad| format!("{}: {}", bad.record, bad.message)).collect();
    assert_eq!(messages[0], "2: photos.jsonl:2: not JSON");
    assert!(
        messages[1].starts_with("3: field \"weather\" of sample ") && messages[1].ends_with("is of type int, but the dataset holds it as text"),
        "{}",
        messages[1]
    );
    assert!(messages[2].starts_with("4: sample id ") && messages[2].ends_with("is in the dataset already"));
    assert!(messages[3].starts_with("6: label id ") && messages[3].ends_with("is in field \"boxes\" of the dataset already"));
    // The sample with the taken label left no vector behind.
    assert_eq!((lenient.count().unwrap(), lenient.vectors("embedding", &View::new()).unwrap().count()), (3, 0));
}

#[test]
fn a_report_describes_a_hundred_bad_records_and_counts_the_rest() {
    let home = Home::new();
    let bad = (0..1_000).map(|line| Err(Error::invalid(format!("line {line}"))));
    let report = home.dataset().import(bad, LENIENT, &NoProgress).unwrap();
    assert_eq!((report.bad, report.bad_records.len()), (1_000, 100));
}

#[test]
fn the_same_import_again_finishes_it() {
    let home = Home::new();
    let dataset = home.dataset();
    // Every other sample has no id.
    let file = || (0..20_000).map(|number| Ok(Sample { id: (number % 2 == 0).then(|| id(1, number)), ..sample(number, vec![]) }));
    let cut = file().take(12_345).chain([Err(Error::invalid("the process was killed here"))]);
    dataset.import(cut, ImportOptions { on_bad: OnBad::Stop, ..LENIENT }, &NoProgress).unwrap_err();
    assert_eq!(dataset.count().unwrap(), 12_345);
    let report = dataset.import(file(), LENIENT, &NoProgress).unwrap();
    assert_eq!((report.added, report.skipped, report.bad), (7_655, 12_345, 0));
    assert_eq!(dataset.count().unwrap(), 20_000);
    assert_eq!(dataset.import(file(), LENIENT, &NoProgress).unwrap().skipped, 20_000);
}

#[test]
fn a_stream_that_breaks_off_leaves_whole_batches() {
    let home = Home::new();
    let dataset = home.dataset();
    let file = (0..12_000).map(|number| {
        assert!(number < 11_000, "killed");
        Ok(sample(number, vec![("embedding", FieldValue::Vector(vec![1.0; 4]))]))
    });
    let killed = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| dataset.import(file, ImportOptions::default(), &NoProgress)));
    assert!(killed.is_err());
    let again = home.datasets.get("photos").unwrap();
    assert_eq!(again.count().unwrap(), 10_000);
    assert_eq!(again.vectors("embedding", &View::new()).unwrap().count(), 10_000);
}

#[test]
fn progress_counts_every_record() {
    struct Count(AtomicU64);
    impl Progress for Count {
        fn start(&self, _what: &str, total: Option<u64>) {
            assert_eq!(total, Some(6_001));
        }
        fn advance(&self, units: u64) {
            self.0.fetch_add(units, Ordering::Relaxed);
        }
        fn finish(&self) {
            assert_eq!(self.0.load(Ordering::Relaxed), 6_001);
        }
    }
    let home = Home::new();
    let records = (0..6_000).map(|number| Ok(sample(number, vec![]))).chain([Err(Error::invalid("bad"))]);
    let options = ImportOptions { total: Some(6_001), ..LENIENT };
    home.dataset().import(records, options, &Count(AtomicU64::new(0))).unwrap();
}

#[test]
fn datasets_are_made_found_listed_and_deleted() {
    let home = Home::new();
    let dataset = home.dataset();
    dataset.add_samples([everything()], &NoProgress).unwrap();
    assert_eq!(home.datasets.create("photos").unwrap_err().kind(), ErrorKind::AlreadyExists);
    home.datasets.create("Ünïcode; DROP TABLE \"x\" --").unwrap();
    let names: Vec<String> = home.datasets.list().unwrap().into_iter().map(|summary| summary.name).collect();
    assert_eq!(names, ["photos", "Ünïcode; DROP TABLE \"x\" --"]);
    home.datasets.delete("photos").unwrap();
    assert!(!home.datasets.exists("photos").unwrap());
    // A handle on what was deleted says so, also when the name is taken again.
    home.dataset();
    assert_eq!(dataset.count().unwrap_err().to_string(), "dataset \"photos\" was deleted");
    home.datasets.delete("photos").unwrap();
    home.datasets.delete("Ünïcode; DROP TABLE \"x\" --").unwrap();
    assert_eq!(home.tables(), 0);
}
