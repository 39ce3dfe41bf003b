//! Changing what is stored.

use brain_core::{ErrorKind, FieldValue, NoProgress, View};
use brain_dataset::{FieldType, Fields};
use serde_json::json;

use crate::home::{Home, classification, detections, id, sample, text};

#[test]
fn values_are_set_replaced_and_taken_away() {
    let home = Home::new();
    let dataset = home.dataset();
    dataset.add_samples((0..3).map(|number| sample(number, vec![("boxes", detections(number * 10, &[("cat", 0.5)]))])), &NoProgress).unwrap();
    let values = |number: u32| dataset.get_sample(&id(1, number)).unwrap().fields;

    assert_eq!(dataset.set_values("distance", (0..3).map(|number| (id(1, number), FieldValue::Float(f64::from(number))))).unwrap(), 3);
    dataset.set_values("distance", [(id(1, 1), FieldValue::Null)]).unwrap();
    assert_eq!(dataset.count_view(&View::new().exists("distance", true)).unwrap(), 2);

    dataset.set_values("boxes", [(id(1, 0), detections(100, &[("dog", 0.5), ("dog", 0.25)]))]).unwrap();
    assert_eq!(values(0)[0].1, detections(100, &[("dog", 0.5), ("dog", 0.25)]));
    dataset.set_values("boxes", [(id(1, 0), FieldValue::Null)]).unwrap();
    assert_eq!(values(0).len(), 1);
    assert_eq!(dataset.count_view(&View::new().to_patches("boxes")).unwrap(), 2);

    for vector in [vec![1.0], vec![2.0]] {
        dataset.set_values("embedding", [(id(1, 2), FieldValue::Vector(vector))]).unwrap();
    }
    assert_eq!(dataset.vectors("embedding", &View::new()).unwrap().map(Result::unwrap).collect::<Vec<_>>(), [(id(1, 2), vec![2.0])]);
    dataset.set_values("embedding", [(id(1, 2), FieldValue::Null)]).unwrap();
    assert_eq!(dataset.vectors("embedding", &View::new()).unwrap().count(), 0);
}

#[test]
fn a_batch_of_values_is_set_whole_or_not_at_all() {
    let home = Home::new();
    let dataset = home.dataset();
    dataset.add_samples([sample(0, vec![])], &NoProgress).unwrap();
    let error = dataset.set_values("distance", [(id(1, 0), FieldValue::Float(1.0)), (id(1, 7), FieldValue::Float(2.0))]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert!(error.message().contains(&id(1, 7).to_string()));
    assert_eq!(dataset.fields().unwrap(), []);
}

#[test]
fn attributes_of_labels_are_set() {
    let home = Home::new();
    let dataset = home.dataset();
    dataset
        .add_samples((0..2).map(|number| sample(number, vec![("boxes", detections(number * 10, &[("cat", 0.5), ("dog", 0.5)]))])), &NoProgress)
        .unwrap();
    dataset.set_label_values("boxes", "distance", [(id(3, 0), FieldValue::Float(0.25)), (id(3, 11), FieldValue::Int(2))]).unwrap();
    dataset.set_label_values("boxes", "label", [(id(3, 0), text("lynx"))]).unwrap();
    dataset.set_label_values("boxes", "confidence", [(id(3, 0), FieldValue::Int(1))]).unwrap();
    dataset.set_label_values("boxes", "note", [(id(3, 1), FieldValue::Other(json!({"by": "me"})))]).unwrap();
    assert_eq!(dataset.field("boxes").unwrap().attributes.get("distance"), Some(&FieldType::Float));

    let near = View::new().to_patches("boxes").sort_by("distance", true);
    let patches: Vec<_> = dataset.patches(&near).unwrap().map(Result::unwrap).collect();
    assert_eq!(patches.iter().map(|patch| patch.item.id.clone()).collect::<Vec<_>>(), [id(3, 11), id(3, 0), id(3, 1), id(3, 10)]);
    assert_eq!((patches[1].label.label.as_deref(), patches[1].label.confidence), (Some("lynx"), Some(1.0)));
    assert_eq!(patches[2].label.attributes.get("note"), Some(&json!({"by": "me"})));
    dataset.set_label_values("boxes", "distance", [(id(3, 0), FieldValue::Null)]).unwrap();
    assert_eq!(dataset.count_view(&near.exists("boxes.distance", true)).unwrap(), 1);

    for (attribute, value) in [("id", text("x")), ("tags", text("x")), ("label", FieldValue::Int(1)), ("confidence", text("x")), ("a b", text("x"))] {
        assert_eq!(dataset.set_label_values("boxes", attribute, [(id(3, 0), value)]).unwrap_err().kind(), ErrorKind::InvalidInput, "{attribute}");
    }
    let error = dataset.set_label_values("boxes", "distance", [(id(3, 99), FieldValue::Float(1.0))]).unwrap_err();
    assert!(error.message().starts_with("dataset \"photos\" has no label "), "{error}");
}

#[test]
fn tags_are_added_and_removed_by_view() {
    let home = Home::new();
    let dataset = home.dataset();
    dataset.add_samples((0..4).map(|number| sample(number, vec![("boxes", detections(number * 10, &[("cat", 0.5)]))])), &NoProgress).unwrap();
    let half = View::new().limit(2);
    assert_eq!(dataset.add_tags(&half, &["train", "train", "x"]).unwrap(), 2);
    assert_eq!(dataset.add_tags(&View::new(), &["train"]).unwrap(), 2);
    assert_eq!(dataset.remove_tags(&half, &["train"]).unwrap(), 2);
    assert_eq!(dataset.get_sample(&id(1, 0)).unwrap().tags, ["x"]);
    assert_eq!(dataset.info().unwrap().tags.into_iter().collect::<Vec<_>>(), [("train".to_owned(), 2), ("x".to_owned(), 2)]);
    let patches = View::new().match_tags(["x"]).to_patches("boxes");
    assert_eq!(dataset.add_tags(&patches, &["mistake"]).unwrap(), 2);
    assert_eq!(dataset.count_view(&View::new().match_filter("boxes.tags contains \"mistake\"".parse().unwrap())).unwrap(), 2);
}

#[test]
fn deleted_samples_take_everything_with_them() {
    let home = Home::new();
    let dataset = home.dataset();
    let whole = |number: u32| {
        sample(
            number,
            vec![
                ("boxes", detections(number * 10, &[("cat", 0.5)])),
                ("class", classification(number, "dog")),
                ("embedding", FieldValue::Vector(vec![1.0])),
            ],
        )
    };
    dataset.add_samples((0..10).map(whole), &NoProgress).unwrap();
    assert_eq!(dataset.delete_samples((0..5).chain([3, 77]).map(|number| id(1, number))).unwrap(), 5);
    assert_eq!(dataset.count().unwrap(), 5);
    let info = dataset.info().unwrap();
    assert_eq!(info.fields.iter().map(|field| field.values).collect::<Vec<_>>(), [5, 5, 5]);
    assert_eq!(info.fields[0].labels.as_ref().unwrap().total, 5);
    assert_eq!(dataset.vectors("embedding", &View::new()).unwrap().count(), 5);
    // The ids are free again.
    dataset.add_samples((0..5).map(whole), &NoProgress).unwrap();
    assert_eq!(dataset.samples(&View::new(), Fields::All).unwrap().last().unwrap().unwrap(), whole(4));
}

#[test]
fn fields_are_dropped_and_indexed() {
    let home = Home::new();
    let dataset = home.dataset();
    let whole = |number: u32| {
        sample(
            number,
            vec![("boxes", detections(number * 10, &[("cat", 0.5)])), ("score", FieldValue::Float(1.0)), ("v", FieldValue::Vector(vec![1.0]))],
        )
    };
    dataset.add_samples((0..3).map(whole), &NoProgress).unwrap();
    let tables = home.tables();
    dataset.create_index("score").unwrap();
    dataset.create_index("score").unwrap();
    assert!(dataset.field("score").unwrap().indexed);
    assert_eq!(dataset.count_view(&View::new().match_filter("score >= 1".parse().unwrap())).unwrap(), 3);
    assert_eq!(dataset.create_index("boxes").unwrap_err().kind(), ErrorKind::InvalidInput);
    for field in ["boxes", "score", "v"] {
        dataset.drop_field(field).unwrap();
    }
    assert_eq!((dataset.fields().unwrap().len(), dataset.count().unwrap()), (0, 3));
    assert!(home.tables() < tables);
    // The name is free for another type.
    dataset.set_values("score", [(id(1, 0), text("high"))]).unwrap();
    assert_eq!(dataset.get_sample(&id(1, 0)).unwrap().fields, [("score".to_owned(), text("high"))]);
}

#[test]
fn a_view_is_read_while_it_is_changed() {
    let home = Home::new();
    let dataset = home.dataset();
    dataset.add_samples((0..3_000).map(|number| sample(number, vec![])), &NoProgress).unwrap();
    let mut rows = dataset.samples(&View::new(), Fields::All).unwrap();
    assert_eq!(rows.total(), 3_000);
    rows.next().unwrap().unwrap();
    dataset.delete_samples((1_500..2_500).map(|number| id(1, number))).unwrap();
    dataset.set_values("new", [(id(1, 2_900), FieldValue::Bool(true))]).unwrap();
    let rest: Vec<_> = rows.map(Result::unwrap).collect();
    assert_eq!(rest.len(), 1_999);
    assert_eq!(rest[1_899].fields, [("new".to_owned(), FieldValue::Bool(true))]);
}
