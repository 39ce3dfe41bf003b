use std::fs;
use std::path::{Path, PathBuf};

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::formats::arbitrary;
use brain_core::{Error, ErrorKind, FieldValue, Label, LabelClass, Labels, Region, Result, Sample};

fn fixture() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/fiftyone-export")
}

fn field<'a>(sample: &'a Sample, name: &str) -> &'a FieldValue {
    sample.fields.iter().find(|(field, _)| field == name).map(|(_, value)| value).unwrap()
}

fn labels<'a>(sample: &'a Sample, name: &str) -> &'a Labels {
    match field(sample, name) {
        FieldValue::Labels(labels) => labels,
        other => panic!("{name} is {other:?}"),
    }
}

fn json_of(path: &Path) -> Value {
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

#[test]
fn a_real_export_with_everything_in_it() {
    let samples: Vec<_> = read_fiftyone(&fixture()).unwrap().collect::<Result<_>>().unwrap();
    assert_eq!(samples.len(), 24);
    let first = &samples[0];
    assert_eq!(first.id.as_ref().unwrap().to_string(), "6b01656cdf05e9355da64f3c");
    assert_eq!(first.filepath, fixture().join("data/scene-000.jpg").to_str().unwrap());
    assert_eq!(first.tags, ["train"]);
    let names: Vec<_> = first.fields.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["metadata", "ground_truth", "outline", "uniqueness", "vec", "weather"]);
    assert_eq!(samples.iter().map(|sample| labels(sample, "ground_truth").labels.len()).sum::<usize>(), 163);

    let frog = &labels(first, "ground_truth").labels[0];
    assert_eq!(frog.id.as_ref().unwrap().to_string(), "6b01656cdf05e9355da64f2c");
    assert_eq!(frog.label.as_deref(), Some("frog"));
    assert_eq!(frog.region, Some(Region::Box([0.04583333333333333, 0.0, 0.20208333333333334, 0.26944444444444443])));
    assert_eq!(Value::Object(frog.attributes.clone()), json!({ "iscrowd": 0 }));
    let road = &labels(first, "outline").labels[0];
    assert_eq!(road.region, Some(Region::Lines(vec![vec![[0.1, 0.2], [0.5, 0.6], [0.9, 0.3]]])));
    assert_eq!(Value::Object(road.attributes.clone()), json!({ "closed": false, "filled": false }));
    let weather = labels(&samples[1], "weather");
    assert_eq!((weather.class, weather.labels[0].confidence), (LabelClass::Classification, Some(0.5166666666666667)));
    assert_eq!(field(first, "uniqueness"), &FieldValue::Float(0.0));
    for (number, sample) in samples.iter().enumerate() {
        let number = number as f32;
        assert_eq!(field(sample, "vec"), &FieldValue::Vector(vec![number, number + 1.0, number + 2.0, number + 3.0]));
    }
}

#[test]
fn its_runs_with_their_configurations() {
    let runs = brain_runs(&fixture()).unwrap();
    let keys: Vec<_> = runs.iter().map(|run| run.key.as_str()).collect();
    assert_eq!(keys, ["pg_cosine", "pg_half_l1", "pg_ivf", "pg_patches", "redis_flat", "redis_hnsw_ip", "redis_patches"]);
    let run = &runs[0];
    assert_eq!((run.kind.as_str(), run.method.as_str()), ("similarity", "pgvector"));
    assert_eq!((run.version.as_deref(), run.timestamp.as_deref()), (Some("1.22.1"), Some("2026-11-21T09:33:32.877Z")));
    assert_eq!((&run.config["table_name"], &run.config["hnsw_m"]), (&json!("fo_cosine"), &json!(16)));
    assert_eq!(runs[5].config["metric"], json!("dotproduct"));
}

/// An export folder with these two documents.
fn export(metadata: &str, samples: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("metadata.json"), metadata).unwrap();
    fs::write(folder.path().join("samples.json"), samples).unwrap();
    folder
}

#[test]
fn a_bad_sample_is_named_and_the_next_is_read() {
    let text = r#"{"samples": [{"filepath": "a"}, {"filepath": "b", "f": NaN}, {"filepath": "c", "_id": 7}, {"filepath": "d", "_media_type": "video"},
            {"filepath": "e", "v": {"$binary": {"base64": "AAAA", "subType": "00"}}},
            {"filepath": "f", "d": {"$date": 1}, "n": {"$numberLong": "5"}, "x": {"$numberDouble": "NaN"}}, {"filepath": "g", "l": [1, 2]}]}"#;
    let folder = export("{}", text);
    let mut samples = read_fiftyone(folder.path()).unwrap();
    let items: Vec<_> = samples.by_ref().collect();
    assert!(!samples.broke_off());
    let bad: Vec<_> = items.iter().filter_map(|item| item.as_ref().err()).collect();
    let place = folder.path().join("samples.json");
    let messages = [
        (2, "NaN}", "expected value"),
        (3, "7}", "the id of the sample is 7, not 24 hexadecimal digits"),
        (4, "\"video\"", "the sample's media type is \"video\", not \"image\""),
        (5, "\"AAAA\"", "array \"v\" cannot be read: its zlib data are broken: "),
        (6, "\"NaN\"", "field \"x\" is NaN, not a finite number"),
    ];
    assert_eq!(bad.len(), messages.len(), "{bad:#?}");
    for (error, (number, needle, message)) in bad.iter().zip(messages) {
        let expected = format!("{}: sample {number} (byte {}): {message}", place.display(), text.find(needle).unwrap());
        assert!(error.message().starts_with(&expected), "{error}\n{expected}");
    }
    assert!(bad[0].hint().is_some_and(|hint| hint.contains("NaN and Infinity")));
    let last = items.last().unwrap().as_ref().unwrap();
    assert_eq!(field(last, "l"), &FieldValue::Other(json!([1, 2])));
}

#[test]
fn a_file_cut_off_breaks_the_stream_off() {
    let folder = export("{}", r#"{"samples": [{"filepath": "a"}, {"filepath": "b", "#);
    let mut samples = read_fiftyone(folder.path()).unwrap();
    let items: Vec<_> = samples.by_ref().collect();
    assert_eq!(items.len(), 2);
    assert!(samples.broke_off());
    let error = items[1].as_ref().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupt);
    assert!(error.message().ends_with("byte 50: the file ends inside the value that begins at byte 32"), "{error}");
    let mut none = read_fiftyone(export("{}", "{}").path()).unwrap();
    assert!(none.next().unwrap().unwrap_err().message().ends_with("has no list \"samples\""));
    assert!(none.broke_off());
}

#[test]
fn what_is_no_export_of_images_is_refused() {
    let empty = tempfile::tempdir().unwrap();
    let error = read_fiftyone(empty.path()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert!(error.hint().is_some_and(|hint| hint.contains("FiftyOneDataset")));
    let error = read_fiftyone(export(r#"{"media_type": "video"}"#, "{}").path()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    assert!(error.message().ends_with("is a dataset of media type \"video\"") && error.hint().is_some());
    assert!(read_fiftyone(export("[]", "{}").path()).unwrap_err().message().contains("metadata.json:1:"));
    let run = brain_runs(export(r#"{"brain_methods": {"k": {}}}"#, "{}").path()).unwrap_err();
    assert!(run.message().ends_with("brain run \"k\" has no \"config\""));
    let old = export(r#"{"brain_methods": {"k": "{\"config\": {\"method\": \"uniqueness\"}, \"timestamp\": {\"$date\": 0}}"}}"#, "{}");
    let old = brain_runs(old.path()).unwrap();
    assert_eq!((old[0].kind.as_str(), old[0].timestamp.as_deref()), ("uniqueness", Some("1970-01-01T00:00:00.000Z")));
}

fn photo(path: &Path) -> Sample {
    Sample { filepath: path.to_str().unwrap().to_owned(), ..Sample::default() }
}

fn reference(runs: Vec<ExportedRun>) -> ExportOptions {
    ExportOptions { media: Media::Reference, runs }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]
    #[test]
    fn what_is_exported_is_imported(mut samples in prop::collection::vec(arbitrary::sample(), 0..5), ids in prop::collection::vec(arbitrary::id(), 5)) {
        for (number, (sample, id)) in samples.iter_mut().zip(ids).enumerate() {
            sample.id = Some(id);
            for (name, value) in &mut sample.fields {
                // One type per field, as FiftyOne has it.
                *name = format!("{name}_{number}");
                if let FieldValue::Labels(labels) = value {
                    labels.labels.iter_mut().for_each(|label| label.id = Some(brain_core::ItemId::generate()));
                }
            }
        }
        let folder = tempfile::tempdir().unwrap();
        let export = folder.path().join("export");
        let exported = write_fiftyone(&export, "any", samples.iter().cloned().map(Ok), &reference(Vec::new())).unwrap();
        prop_assert_eq!(exported.samples, samples.len() as u64);
        prop_assert_eq!(read_fiftyone(&export).unwrap().collect::<Result<Vec<_>>>().unwrap(), samples);
    }
}

#[test]
fn a_real_export_survives_the_way_through() {
    let samples: Vec<_> = read_fiftyone(&fixture()).unwrap().collect::<Result<_>>().unwrap();
    let runs = brain_runs(&fixture()).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let export = folder.path().join("again");
    write_fiftyone(&export, "boards", samples.iter().cloned().map(Ok), &reference(runs.clone())).unwrap();
    assert_eq!(read_fiftyone(&export).unwrap().collect::<Result<Vec<_>>>().unwrap(), samples);
    assert_eq!(brain_runs(&export).unwrap(), runs);
    for run in &runs {
        let name = format!("brain/{}.json", run.key);
        assert_eq!(json_of(&export.join(&name)), json_of(&fixture().join(&name)));
    }
}

/// Our schema against the one that FiftyOne wrote of the same fields: all but descriptions of `metadata`, which FiftyOne declares itself.
#[test]
fn the_schema_is_fiftyones() {
    let samples: Vec<_> = read_fiftyone(&fixture()).unwrap().collect::<Result<_>>().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let export = folder.path().join("again");
    write_fiftyone(&export, "boards", samples.into_iter().map(Ok), &reference(Vec::new())).unwrap();
    let (ours, theirs) = (json_of(&export.join("metadata.json")), json_of(&fixture().join("metadata.json")));
    let field = |document: &Value, name: &str| {
        let fields = document["sample_fields"].as_array().unwrap();
        let mut field = fields.iter().find(|field| field["name"] == name).unwrap_or_else(|| panic!("no {name}")).clone();
        without_dates(&mut field);
        field
    };
    for name in theirs["sample_fields"].as_array().unwrap().iter().map(|field| field["name"].as_str().unwrap()) {
        let (ours, mut theirs) = (field(&ours, name), field(&theirs, name));
        if name == "metadata" {
            theirs["fields"] = json!([]);
        }
        assert_eq!(ours, theirs);
    }
    // What a document of ours lacks must be something that FiftyOne gives a default.
    let ours = ours.as_object().unwrap();
    for key in ["_id", "name", "slug", "version", "sample_collection_name", "persistent", "media_type", "sample_fields", "frame_fields"] {
        assert!(ours.contains_key(key), "{key}");
    }
    assert!(ours.keys().all(|key| theirs.get(key).is_some()));
}

fn without_dates(field: &mut Value) {
    field["created_at"] = Value::Null;
    field["fields"].as_array_mut().unwrap().iter_mut().for_each(without_dates);
}

#[test]
fn photos_come_along_under_names_of_their_own() {
    let folder = tempfile::tempdir().unwrap();
    let mut samples = Vec::new();
    for name in ["a/1.jpg", "b/1.jpg", "c/1.jpg", "c/1-2.jpg", "c/plain"] {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, name).unwrap();
        samples.push(photo(&path));
    }
    for (media, name) in [(Media::Copy, "copied"), (Media::Link, "linked")] {
        let export = folder.path().join(name);
        let options = ExportOptions { media, runs: Vec::new() };
        write_fiftyone(&export, "x", samples.iter().cloned().map(Ok), &options).unwrap();
        let read: Vec<_> = read_fiftyone(&export).unwrap().collect::<Result<_>>().unwrap();
        let names: Vec<_> = read.iter().map(|sample| Path::new(&sample.filepath).file_name().unwrap().to_str().unwrap()).collect();
        assert_eq!(names, ["1.jpg", "1-2.jpg", "1-3.jpg", "1-2-2.jpg", "plain"]);
        for (sample, original) in read.iter().zip(&samples) {
            assert_eq!(fs::read(&sample.filepath).unwrap(), fs::read(&original.filepath).unwrap());
        }
    }
    let stored = json_of(&folder.path().join("copied/samples.json"));
    assert_eq!(stored["samples"][1]["filepath"], json!("data/1-2.jpg"));
    let rand = stored["samples"][1]["_rand"].as_f64().unwrap();
    assert!((0.0..1.0).contains(&rand));
}

#[test]
fn a_failed_export_leaves_nothing_and_nothing_is_overwritten() {
    let folder = tempfile::tempdir().unwrap();
    let export = folder.path().join("export");
    let write = |samples: Vec<Result<Sample>>| write_fiftyone(&export, "x", samples, &ExportOptions::default());
    let gone = write(vec![Ok(photo(&folder.path().join("gone.jpg")))]).unwrap_err();
    assert_eq!(gone.kind(), ErrorKind::NotFound);
    assert!(gone.hint().is_some_and(|hint| hint.contains("left where they are")));
    assert!(write(vec![Err(Error::corrupt("the store broke"))]).is_err());
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);

    fs::create_dir(&export).unwrap();
    assert_eq!(write(Vec::new()).unwrap().samples, 0);
    let again = write(Vec::new()).unwrap_err();
    assert_eq!(again.kind(), ErrorKind::AlreadyExists);
    assert!(again.hint().is_some_and(|hint| hint.contains("never overwrites")));
}

#[test]
fn what_fiftyone_could_not_load_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let refuse = |samples: Vec<Sample>| {
        let error = write_fiftyone(&folder.path().join("x"), "x", samples.into_iter().map(Ok), &reference(Vec::new())).unwrap_err();
        error.message().to_owned()
    };
    let with = |name: &str, value: FieldValue| Sample { filepath: "/a".into(), fields: vec![(name.into(), value)], ..Sample::default() };
    let text = refuse(vec![with("f", FieldValue::Int(1)), with("f", FieldValue::Text("x".into()))]);
    assert_eq!(text, "sample /a cannot be exported: field \"f\" holds text here and whole numbers in earlier samples");
    assert!(refuse(vec![with("_rand", FieldValue::Int(1))]).contains("FiftyOne keeps field \"_rand\" to itself"));
    let named = Sample { id: Some("photo-7".into()), filepath: "/a".into(), ..Sample::default() };
    assert!(refuse(vec![named]).contains("id \"photo-7\" is not 24 hexadecimal digits"));
    let boxless = Labels { class: LabelClass::Detections, labels: vec![Label::default()] };
    assert!(refuse(vec![with("d", FieldValue::Labels(boxless))]).contains("a Detection has no region"));
}

#[test]
fn runs_that_fiftyone_has_no_method_for_are_left_out_and_named() {
    let folder = tempfile::tempdir().unwrap();
    let run = |key: &str, method: &str| ExportedRun {
        key: key.into(),
        kind: "similarity".into(),
        method: method.into(),
        version: None,
        timestamp: None,
        config: serde_json::Map::from_iter([("metric".to_owned(), json!("cosine"))]),
    };
    let export = folder.path().join("x");
    let exported = write_fiftyone(&export, "x", [], &reference(vec![run("here", "local"), run("there", "redis")])).unwrap();
    assert_eq!(exported.skipped_runs, ["here"]);
    let read = brain_runs(&export).unwrap();
    assert_eq!(read.len(), 1);
    assert_eq!(read[0].config["cls"], json!("fiftyone.brain.internal.core.redis.RedisSimilarityConfig"));
    assert_eq!((read[0].config["method"].as_str(), read[0].config["metric"].as_str()), (Some("redis"), Some("cosine")));
}
