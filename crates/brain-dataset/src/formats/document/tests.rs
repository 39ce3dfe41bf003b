use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::formats::arbitrary;
use brain_core::{FieldValue, ItemId, LabelClass, Region};

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn json_lines_read_back_equal(sample in arbitrary::sample()) {
        let text = serde_json::to_string(&JsonSample(&sample)).unwrap();
        prop_assert!(!text.contains('\n'));
        prop_assert_eq!(sample_from_json(&text).unwrap(), sample);
    }

    #[test]
    fn exports_read_back_equal(sample in arbitrary::sample()) {
        let stamp = Stamp { dataset_id: ItemId::generate(), now: "2026-11-21T09:33:32.584Z".into() };
        let document = ExportedSample { sample: &sample, filepath: &sample.filepath, stamp: &stamp };
        let text = serde_json::to_string(&document).unwrap();
        let read = read_sample(&text, Dialect::Fiftyone).unwrap();
        prop_assert!(read.id.is_some());
        prop_assert_eq!(with_ids_of(read, &sample), sample);
    }

    #[test]
    fn broken_text_is_an_error_and_never_a_panic(sample in arbitrary::sample(), cut in 0.0..1.0) {
        let text = serde_json::to_string(&JsonSample(&sample)).unwrap();
        let end = text.floor_char_boundary((text.len() as f64 * cut) as usize);
        let fault = read_sample(&text[..end], Dialect::JsonLines).unwrap_err();
        prop_assert!(fault.offset <= end);
    }
}

/// Ids that an export gave because the sample had none are taken out again.
fn with_ids_of(mut read: Sample, original: &Sample) -> Sample {
    read.id = read.id.filter(|_| original.id.is_some());
    for ((_, value), (_, before)) in read.fields.iter_mut().zip(&original.fields) {
        if let (FieldValue::Labels(labels), FieldValue::Labels(before)) = (value, before) {
            for (label, before) in labels.labels.iter_mut().zip(&before.labels) {
                assert!(label.id.is_some());
                label.id = label.id.take().filter(|_| before.id.is_some());
            }
        }
    }
    read
}

#[test]
fn a_number_that_f64_would_round_wrongly_survives() {
    // Parsed as f64 and then narrowed, this text becomes the next f32 up.
    let number = f32::from_bits(0x15ae_43fd);
    assert_ne!(number.to_string().parse::<f64>().unwrap() as f32, number);
    let sample = Sample { filepath: "/a".into(), fields: vec![("v".into(), FieldValue::Vector(vec![number]))], ..Sample::default() };
    let text = serde_json::to_string(&JsonSample(&sample)).unwrap();
    assert_eq!(sample_from_json(&text).unwrap(), sample);
}

fn field(json: &str) -> FieldValue {
    sample_from_json(&format!(r#"{{"filepath": "a", "f": {json}}}"#)).unwrap().fields.remove(0).1
}

#[test]
fn a_value_is_read_by_its_shape() {
    assert_eq!(field("1"), FieldValue::Int(1));
    assert_eq!(field("1.0"), FieldValue::Float(1.0));
    assert_eq!(field("-1e3"), FieldValue::Float(-1000.0));
    assert_eq!(field("[1, -2.5]"), FieldValue::Vector(vec![1.0, -2.5]));
    assert_eq!(field("[ ]"), FieldValue::Other(json!([])));
    assert_eq!(field("[1, \"a\"]"), FieldValue::Other(json!([1, "a"])));
    assert_eq!(field("[[1], [2]]"), FieldValue::Other(json!([[1], [2]])));
    assert_eq!(field(r#"{"_cls": "Keypoints", "keypoints": []}"#), FieldValue::Other(json!({"_cls": "Keypoints", "keypoints": []})));
    assert_eq!(field(r#""\u00e9\n""#), FieldValue::Text("é\n".into()));
}

#[test]
fn bare_regions_are_lists_of_one_and_ids_come_in_both_spellings() {
    let FieldValue::Labels(boxes) = field(
        r#"{"_cls": "Detection", "id": "6B01656CDF05E9355DA64F3C", "label": "cat", "bounding_box": [0, 0.1, 0.5, 1], "attributes": {}, "age": 3}"#,
    ) else {
        panic!("no labels")
    };
    assert_eq!(boxes.class, LabelClass::Detections);
    let label = &boxes.labels[0];
    assert_eq!(label.id.as_ref().unwrap().to_string(), "6b01656cdf05e9355da64f3c");
    assert_eq!(label.region, Some(Region::Box([0.0, 0.1, 0.5, 1.0])));
    assert_eq!(serde_json::Value::Object(label.attributes.clone()), json!({"age": 3}));
    let FieldValue::Labels(lines) =
        field(r#"{"_cls": "Polyline", "_id": {"$oid": "6b01656cdf05e9355da6508b"}, "points": [[[0, 1], [1, 0]]], "closed": true}"#)
    else {
        panic!("no labels")
    };
    assert_eq!((lines.class, lines.labels.len()), (LabelClass::Polylines, 1));
    assert!(lines.labels[0].id.is_some());
}

#[test]
fn each_malformed_document_says_where_and_what() {
    let detection = |rest: &str| format!(r#"{{"filepath": "a", "gt": {{"_cls": "Detections", "detections": [{{"_cls": "Detection", {rest}}}]}}}}"#);
    let cases = [
        ("[1]".into(), "column 1: invalid type: sequence, expected an object"),
        ("{\"filepath\": \"a\"".into(), "column 16: EOF while parsing an object"),
        (r#"{"filepath": "a"} x"#.into(), "column 19: trailing characters"),
        (r#"{"filepath": "a", "x": 1, "x": 2}"#.into(), "key \"x\" comes twice"),
        (r#"{"id": "6b01656cdf05e9355da64f3c"}"#.into(), "column 1: the sample has no \"filepath\""),
        (r#"{"filepath": ""}"#.into(), "the sample's \"filepath\" is empty"),
        (r#"{"filepath": 3}"#.into(), "column 14: \"filepath\" is not text, but a number: 3"),
        (r#"{"filepath": "a", "id": "7"}"#.into(), "column 25: the id of the sample is \"7\", not 24 hexadecimal digits"),
        (r#"{"filepath": "a", "id": {"$oid": 7}}"#.into(), "column 34: the id of the sample is 7, not 24 hexadecimal digits"),
        (r#"{"filepath": "a", "tags": "x"}"#.into(), "column 27: \"tags\" of the sample is not a list of texts, but text: \"x\""),
        (r#"{"filepath": "a", "a-b": 1}"#.into(), "column 26: \"a-b\" is no field name"),
        (r#"{"filepath": "a", "v": [1, 1e39]}"#.into(), "column 24: vector \"v\" has a number beyond f32 at position 1"),
        (r#"{"filepath": "a", "v": 1e400}"#.into(), "field \"v\" holds a number out of range, but a number: 1e400"),
        (r#"{"filepath": "a", "v": NaN}"#.into(), "column 24: expected value"),
        (r#"{"filepath": "a", "gt": {"_cls": "Detections"}}"#.into(), "column 25: \"gt\" is Detections without its list \"detections\""),
        (detection(r#""label": "a""#), "gt.detections[0] has no bounding_box"),
        (detection(r#""label": 7, "bounding_box": [0,0,1,1]"#), "the label of gt.detections[0] is not text, but a number: 7"),
        (detection(r#""bounding_box": [0,0,1]"#), "bounding_box of gt.detections[0] is not four finite numbers [x, y, w, h], but a list: [0,0,1]"),
        (detection(r#""bounding_box": [0,0,1,null]"#), "is not four finite numbers [x, y, w, h], but a list: [0,0,1,null]"),
        (
            detection(r#""confidence": "high", "bounding_box": [0,0,1,1]"#),
            "the confidence of gt.detections[0] is not a finite number, but text: \"high\"",
        ),
        (detection(r#""label": "a", "label": "b""#), "gt.detections[0]: key \"label\" comes twice"),
        (
            r#"{"filepath": "a", "gt": {"_cls": "Polylines", "polylines": [{"_cls": "Detection"}]}}"#.into(),
            "column 70: gt.polylines[0] is \"Detection\" among Polylines",
        ),
        (r#"{"filepath": "a", "gt": {"_cls": "Polyline", "points": [[0, 1]]}}"#.into(), "are not lists of finite [x, y] points"),
    ];
    for (text, expected) in cases {
        let text: String = text;
        let error = sample_from_json(&text).unwrap_err();
        assert!(error.message().contains(expected), "{text}\n gives {}\n not {expected}", error.message());
        assert!(error.message().starts_with("column "), "{}", error.message());
    }
}

#[test]
fn what_json_cannot_say_is_refused() {
    let refuse = |name: &str, value: FieldValue| {
        let sample = Sample { filepath: "/a".into(), fields: vec![(name.into(), value)], ..Sample::default() };
        serde_json::to_string(&JsonSample(&sample)).unwrap_err().to_string()
    };
    assert_eq!(refuse("f", FieldValue::Float(f64::NAN)), "field \"f\" holds NaN, which JSON cannot say");
    assert_eq!(refuse("v", FieldValue::Vector(vec![0.0, f32::INFINITY])), "vector \"v\" holds inf at position 1, which JSON cannot say");
    assert_eq!(refuse("tags", FieldValue::Int(1)), "a field is named \"tags\", which every sample has already");
}
