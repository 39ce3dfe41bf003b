//! What the store says when it is asked for what is not there or makes no sense.

use brain_core::{Error, ErrorKind, FieldValue, ItemId, Label, LabelClass, Labels, NoProgress, Sample, View};
use brain_dataset::{Dataset, Fields};
use serde_json::json;

use crate::home::{Home, classification, detections, id, sample, text};

fn photos(home: &Home) -> Dataset {
    let dataset = home.dataset();
    let mut boxes = detections(0, &[("cat", 0.5)]);
    if let FieldValue::Labels(labels) = &mut boxes {
        labels.labels[0].attributes = json!({"index": 3, "iscrowd": false}).as_object().cloned().unwrap();
    }
    let fields = vec![
        ("weather", text("rain")),
        ("uniqueness", FieldValue::Float(0.5)),
        ("is_night", FieldValue::Bool(true)),
        ("embedding", FieldValue::Vector(vec![1.0])),
        ("ground_truth", boxes),
        ("class", classification(0, "x")),
        ("document", FieldValue::Other(json!([]))),
    ];
    dataset.add_samples([sample(0, fields)], &NoProgress).unwrap();
    dataset
}

fn refused(dataset: &Dataset, view: View) -> Error {
    dataset.resolve(&view).unwrap_err()
}

#[test]
fn an_unknown_name_is_found_in_a_hint() {
    let home = Home::new();
    let dataset = photos(&home);
    let matched = |filter: &str| refused(&dataset, View::new().match_filter(filter.parse().unwrap()));
    let error = matched("uniquness > 0.5");
    assert_eq!((error.kind(), error.message()), (ErrorKind::NotFound, "the dataset has no field \"uniquness\""));
    assert_eq!(
        error.hint(),
        Some("did you mean \"uniqueness\"? it has weather, uniqueness, is_night, embedding, ground_truth, class, document, id, filepath, tags")
    );
    let error = matched("ground_truth.confidnce > 0.5");
    assert_eq!(error.message(), "labels of \"ground_truth\" have no attribute \"confidnce\"");
    assert_eq!(error.hint(), Some("did you mean \"confidence\"? they have label, confidence, id, tags, index, iscrowd"));
    for view in [View::new().sort_by("wether", false), View::new().exists("wether", true), View::new().to_patches("wether")] {
        assert_eq!(refused(&dataset, view).kind(), ErrorKind::NotFound);
    }
    assert_eq!(dataset.samples(&View::new(), Fields::Only(&["wether"])).unwrap_err().kind(), ErrorKind::NotFound);
    assert_eq!(dataset.vectors("embeding", &View::new()).unwrap_err().kind(), ErrorKind::NotFound);
}

#[test]
fn a_filter_of_the_wrong_type_is_refused() {
    let home = Home::new();
    let dataset = photos(&home);
    for (filter, message) in [
        ("weather == 3", "weather is of type text, but is compared with 3, which is a number"),
        ("uniqueness < \"high\"", "uniqueness is of type float, but is compared with \"high\", which is a text"),
        ("uniqueness in [1, true]", "uniqueness is of type float, but is compared with true, which is a truth value"),
        ("is_night > false", "is_night > false has no meaning: true and false have no order"),
        ("ground_truth.index == \"3\"", "ground_truth.index is of type int, but is compared with \"3\", which is a text"),
        ("uniqueness contains \"0\"", "\"contains\" is for texts and tags, but uniqueness is of type float"),
        ("ground_truth == \"cat\"", "ground_truth is of type Detections and cannot be compared as a whole"),
        ("embedding == 1", "embedding is of type vector and cannot be compared as a whole"),
        ("tags == \"train\"", "tags is a list of tags, which cannot be compared as a whole"),
        ("weather.label == \"x\"", "\"weather\" is no label field, but of type text"),
        ("tags.label == \"x\"", "\"tags.label\" names an attribute, but \"tags\" has none"),
    ] {
        let error = refused(&dataset, View::new().match_filter(filter.parse().unwrap()));
        assert_eq!((error.kind(), error.message()), (ErrorKind::InvalidInput, message));
        assert!(error.hint().is_some(), "{filter}");
    }
}

#[test]
fn a_stage_out_of_place_is_refused() {
    let home = Home::new();
    let dataset = photos(&home);
    let patches = View::new().to_patches("ground_truth");
    let label: brain_core::Filter = "label == \"x\"".parse().unwrap();
    for (view, part) in [
        (View::new().to_patches("class"), "Classification, which have no region"),
        (patches.clone().to_patches("ground_truth"), "patches of \"ground_truth\" already"),
        (patches.clone().filter_labels("class", label.clone()), "cannot be filtered in a view of the patches"),
        (patches.clone().match_filter("class.label == \"x\"".parse().unwrap()), "is of the sample, but here a label of \"ground_truth\""),
        (View::new().sort_by("embedding", false), "embedding is of type vector, which has no order"),
        (View::new().sort_by("tags", false), "tags is a list, which has no order"),
        (View::new().filter_labels("weather", label), "\"weather\" is no label field"),
    ] {
        let error = refused(&dataset, view);
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
        assert!(error.message().contains(part), "{error}");
        assert!(error.hint().is_some(), "{error}");
    }
    assert!(dataset.samples(&patches, Fields::All).unwrap_err().message().contains("one of patches, but samples are wanted"));
    assert!(dataset.patches(&View::new()).unwrap_err().message().contains("one of samples, but patches are wanted"));
    assert!(dataset.vectors("weather", &View::new()).unwrap_err().message().contains("is of type text, not vector"));
}

#[test]
fn unknown_ids_are_named() {
    let home = Home::new();
    let dataset = photos(&home);
    let unknown: Vec<ItemId> = (0..9).map(|number| id(1, number)).collect();
    let error = dataset.get_samples(&unknown, Fields::All).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert!(
        error.message().starts_with(&format!("dataset \"photos\" has no sample {}", id(1, 1))) && error.message().ends_with("and 3 more"),
        "{error}"
    );
    assert_eq!(dataset.unknown_samples(&unknown).unwrap(), unknown[1..]);
    let twice: Vec<_> = dataset.get_samples(&[id(1, 0), id(1, 0)], Fields::All).unwrap();
    assert_eq!(twice[0], twice[1]);
}

#[test]
fn a_sample_that_cannot_be_stored_is_named() {
    let home = Home::new();
    let dataset = photos(&home);
    let label = |label: Label| FieldValue::Labels(Labels { class: LabelClass::Classifications, labels: vec![label] });
    let nowhere = |confidence| label(Label { confidence: Some(confidence), ..Label::default() });
    let same = Label { id: Some(id(9, 9)), ..Label::default() };
    for (sample, part) in [
        (Sample { filepath: String::new(), ..sample(1, vec![]) }, "has an empty filepath"),
        (Sample { id: Some(ItemId::from_text("photo-7")), ..sample(1, vec![]) }, "sample id \"photo-7\" is not 24"),
        (sample(1, vec![("weather", FieldValue::Int(3))]), "is of type int, but the dataset holds it as text"),
        (sample(1, vec![("a b", text("x"))]), "\"a b\", which is no identifier"),
        (sample(1, vec![("filepath", text("x"))]), "\"filepath\", which is the name of a part of every sample"),
        (sample(1, vec![("x", text("a")), ("x", text("b"))]), "has field \"x\" twice"),
        (sample(1, vec![("x", FieldValue::Float(f64::NAN))]), "is NaN"),
        (sample(1, vec![("ground_truth", classification(7, "x"))]), "is of type Classification, but the dataset holds it as Detections"),
        (sample(1, vec![("l", nowhere(f64::INFINITY))]), "not finite"),
        (sample(1, vec![("l", label(Label { id: Some(ItemId::from_text("l1")), ..Label::default() }))]), "label id \"l1\" is not 24"),
        (sample(1, vec![("l", FieldValue::Labels(Labels { class: LabelClass::Classifications, labels: vec![same.clone(), same] }))]), "comes twice"),
        (
            sample(1, vec![("l", FieldValue::Labels(Labels { class: LabelClass::Classification, labels: vec![] }))]),
            "a Classification holds one label, not 0",
        ),
    ] {
        let error = dataset.add_samples([sample], &NoProgress).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
        assert!(error.message().contains(part), "{error}");
        assert!(error.hint().is_some(), "{error}");
    }
    let taken = dataset.add_samples([sample(0, vec![])], &NoProgress).unwrap_err();
    assert_eq!((taken.kind(), dataset.count().unwrap()), (ErrorKind::Conflict, 1));
}

#[test]
fn a_name_that_is_none_is_refused() {
    let home = Home::new();
    for name in ["", " x", "x ", "a\nb", "\u{7}"] {
        assert_eq!(home.datasets.create(name).unwrap_err().kind(), ErrorKind::InvalidInput, "{name:?}");
    }
    assert_eq!(home.datasets.get("x").unwrap_err().hint(), Some("there is no dataset in this home yet"));
}
