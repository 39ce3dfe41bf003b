use std::fs;

use super::*;
use brain_core::{ErrorKind, Label, Region};

fn fixture() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/coco")
}

fn labels<'a>(sample: &'a Sample, field: &str) -> &'a [Label] {
    match sample.fields.iter().find(|(name, _)| name == field) {
        Some((_, FieldValue::Labels(labels))) => &labels.labels,
        other => panic!("{field} is {other:?}"),
    }
}

/// Samples, messages of bad records without the path, and what a file of this content reads as.
fn read(json: &str, options: &CocoOptions) -> (Vec<Sample>, Vec<String>) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("labels.json");
    fs::write(&path, json).unwrap();
    let (good, bad): (Vec<_>, Vec<_>) = read_coco(folder.path(), options).unwrap().partition(|item| item.is_ok());
    let prefix = format!("{}: ", path.display());
    let bad = bad.into_iter().map(|error| error.unwrap_err().message().strip_prefix(&prefix).unwrap().to_owned());
    (good.into_iter().map(|sample| sample.unwrap()).collect(), bad.collect())
}

#[test]
fn boxes_become_fractions() {
    let samples = read_coco(&fixture(), &CocoOptions::default()).unwrap();
    assert_eq!(samples.total(), Some(6));
    let samples: Vec<_> = samples.collect::<Result<_>>().unwrap();
    assert_eq!(samples.iter().map(|sample| labels(sample, "ground_truth").len()).sum::<usize>(), 41);
    let first = &labels(&samples[0], "ground_truth")[0];
    assert_eq!(first.label.as_deref(), Some("frog"));
    assert_eq!(first.region, Some(Region::Box([22.0 / 480.0, 0.0, 97.0 / 480.0, 97.0 / 360.0])));
    assert_eq!((&first.attributes["iscrowd"], &first.attributes["area"]), (&json!(0), &json!(9409)));
    assert_eq!(samples[0].fields[0].1, FieldValue::Other(json!({ "_cls": "ImageMetadata", "width": 480, "height": 360 })));
    assert_eq!(samples[5].filepath, fixture().join("scene-005.jpg").to_str().unwrap());
}

#[test]
fn the_same_boxes_as_fiftyone_made_of_them() {
    let ours: Vec<_> = read_coco(&fixture(), &CocoOptions::default()).unwrap().collect::<Result<_>>().unwrap();
    let export = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/fiftyone-export");
    let theirs: Vec<_> = crate::formats::read_fiftyone(&export).unwrap().take(6).collect::<Result<_>>().unwrap();
    let boxes =
        |sample: &Sample| -> Vec<_> { labels(sample, "ground_truth").iter().map(|label| (label.label.clone(), label.region.clone())).collect() };
    for (ours, theirs) in ours.iter().zip(&theirs) {
        assert_eq!(boxes(ours), boxes(theirs));
    }
}

#[test]
fn what_is_called_as_a_labels_own_values_are_is_kept_under_another_name() {
    let json = r#"{"images": [{"id": 1, "file_name": "a.jpg", "width": 10, "height": 10}], "categories": [{"id": 1, "name": "cat"}],
        "annotations": [{"id": 5, "image_id": 1, "category_id": 1, "bbox": [0, 0, 5, 5], "_cls": "left", "tags": ["new"], "coco_tags": 2,
                         "bounding_box": [[1, 2]], "attributes": {}, "pose": "left"}]}"#;
    let (samples, bad) = read(json, &CocoOptions::default());
    assert!(bad.is_empty(), "{bad:?}");
    let attributes = serde_json::Value::Object(labels(&samples[0], "ground_truth")[0].attributes.clone());
    let expected = json!({"pose": "left", "coco_tags": 2, "coco_coco_tags": ["new"], "coco__cls": "left", "coco_bounding_box": [[1, 2]]});
    assert_eq!(attributes, expected);
    let mut lines = Vec::new();
    crate::formats::write_jsonl_to(&mut lines, samples.iter().cloned().map(Ok)).unwrap();
    let path = tempfile::NamedTempFile::new().unwrap();
    fs::write(path.path(), &lines).unwrap();
    let again: Vec<_> = crate::formats::read_jsonl(path.path()).unwrap().collect::<Result<_>>().unwrap();
    assert_eq!(labels(&again[0], "ground_truth"), labels(&samples[0], "ground_truth"));
}

#[test]
fn images_are_looked_for_where_they_usually_are() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("instances.json");
    fs::write(&path, r#"{"images": [{"id": 1, "file_name": "a.jpg"}, {"id": 2, "file_name": "/abs/b.jpg"}]}"#).unwrap();
    let first = |options: &CocoOptions| read_coco(&path, options).unwrap().next().unwrap().unwrap().filepath;
    let root = folder.path().to_str().unwrap();
    assert_eq!(first(&CocoOptions::default()), format!("{root}/a.jpg"));
    fs::create_dir(folder.path().join("images")).unwrap();
    fs::create_dir(folder.path().join("data")).unwrap();
    assert_eq!(first(&CocoOptions::default()), format!("{root}/data/a.jpg"));
    fs::write(folder.path().join("images/a.jpg"), "").unwrap();
    assert_eq!(first(&CocoOptions::default()), format!("{root}/images/a.jpg"));
    assert_eq!(first(&CocoOptions { images: Some("/photos".into()), ..CocoOptions::default() }), "/photos/a.jpg");
    assert_eq!(read_coco(&path, &CocoOptions::default()).unwrap().nth(1).unwrap().unwrap().filepath, "/abs/b.jpg");
}

#[test]
fn polygons_scores_and_own_attributes() {
    let json = r#"{
        "categories": [{"id": 1, "name": "cat", "supercategory": "animal"}],
        "annotations": [
            {"id": 1, "image_id": "x", "category_id": 1, "bbox": [0, 0, 10, 20], "score": 0.5, "segmentation": [[0, 0, 10, 0, 10, 20]], "age": 3, "keypoints": [1]},
            {"id": 2, "image_id": "x", "category_id": 1, "bbox": [0, 0, 1, 1], "segmentation": {"counts": [1], "size": [1, 1]}}
        ],
        "images": [{"id": "x", "file_name": "x.jpg", "width": 100, "height": 200}, {"id": "y", "file_name": "y.jpg"}]
    }"#;
    let (samples, bad) = read(json, &CocoOptions { polygons_field: Some("segmentations".into()), ..CocoOptions::default() });
    assert_eq!((samples.len(), bad.len()), (2, 0));
    let cat = &labels(&samples[0], "ground_truth")[0];
    assert_eq!((cat.confidence, cat.label.as_deref()), (Some(0.5), Some("cat")));
    assert_eq!(serde_json::Value::Object(cat.attributes.clone()), json!({ "age": 3, "supercategory": "animal" }));
    let polygons = labels(&samples[0], "segmentations");
    assert_eq!(polygons.len(), 1);
    assert_eq!(polygons[0].region, Some(Region::Lines(vec![vec![[0.0, 0.0], [0.1, 0.0], [0.1, 0.1]]])));
    assert_eq!(polygons[0].attributes["filled"], json!(true));
    assert!(labels(&samples[1], "ground_truth").is_empty() && labels(&samples[1], "segmentations").is_empty());
}

#[test]
fn each_bad_record_is_named_and_the_rest_is_read() {
    let json = r#"{
"images": [
{"id": 1, "file_name": "a.jpg", "width": 10, "height": 10},
{"id": 1, "file_name": "b.jpg", "width": 10, "height": 10},
{"id": 2, "file_name": "c.jpg", "width": 0, "height": 10},
{"id": 3, "width": 10, "height": 10}
],
"annotations": [
{"id": 11, "image_id": 1, "category_id": 1, "bbox": [0, 0, 5, 5]},
{"id": 12, "image_id": 9, "category_id": 1, "bbox": [0, 0, 5, 5]},
{"id": 13, "image_id": 1, "category_id": 8, "bbox": [0, 0, 5, 5]},
{"id": 14, "image_id": 1, "category_id": 1, "bbox": [0, NaN, 5, 5]},
{"id": 15, "image_id": 1, "category_id": 1, "bbox": [0, 5, 5]},
{"image_id": 1, "category_id": 1},
{"id": 17, "image_id": 2, "category_id": 1, "bbox": [0, 0, 5, 5]}
],
"categories": [{"id": 1, "name": "cat"}, {"id": 2}]
}"#;
    let (samples, bad) = read(json, &CocoOptions::default());
    assert_eq!(samples.len(), 1);
    assert_eq!(labels(&samples[0], "ground_truth").len(), 1);
    let expected = [
        ("annotation 12 (byte ", "image_id 9 is no image of the file"),
        ("annotation 13 (byte ", "category_id 8 is no category of the file"),
        ("annotation 14 (byte ", "it holds a NaN or an Infinity"),
        ("annotation 15 (byte ", "invalid length 3, expected an array of length 4"),
        ("annotation number 6 without an id (byte ", "missing field `bbox`"),
        ("category 2 (byte ", "missing field `name`"),
        ("image 2 (byte ", "image id 1 came before"),
        ("image 3 (byte ", "c.jpg has width 0 and height 10, so that the box of annotation 17 has no relative place"),
        ("image 4 (byte ", "missing field `file_name`"),
    ];
    assert_eq!(bad.len(), expected.len(), "{bad:#?}");
    for (message, (begin, what)) in bad.iter().zip(expected) {
        assert!(message.starts_with(begin) && message.contains(what), "{message}");
    }
}

#[test]
fn a_file_that_is_no_coco_file_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let refuse = |json: &str| {
        let path = folder.path().join("labels.json");
        fs::write(&path, json).unwrap();
        read_coco(&path, &CocoOptions::default()).unwrap_err()
    };
    assert!(refuse(r#"{"classes": [], "labels": {}}"#).message().ends_with("has no list \"images\""));
    assert!(refuse("[]").message().contains("byte 0: there is '[' where an object should be"));
    assert_eq!(refuse(r#"{"images": [{"id": 1"#).kind(), ErrorKind::Corrupt);
    assert_eq!(read_coco(&folder.path().join("none"), &CocoOptions::default()).unwrap_err().kind(), ErrorKind::NotFound);
    let field = CocoOptions { field: "my boxes".into(), ..CocoOptions::default() };
    assert!(read_coco(&fixture(), &field).unwrap_err().message().contains("no field name"));
}
