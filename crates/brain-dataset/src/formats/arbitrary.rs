//! Samples for property tests: everything that a document can say and read back equal.

use brain_core::{FieldValue, ItemId, Label, LabelClass, Labels, Region, Sample};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use serde_json::{Map, Value, json};

/// A sample with an absolute path and up to five fields of any kind.
pub(super) fn sample() -> impl Strategy<Value = Sample> {
    let fields =
        vec(value(), 0..5).prop_map(|values| values.into_iter().enumerate().map(|(number, value)| (format!("field_{number}"), value)).collect());
    (option::of(id()), "/[^\\x00]{1,20}", vec("\\PC{0,8}", 0..3), fields).prop_map(|(id, filepath, tags, fields)| Sample {
        id,
        filepath,
        tags,
        fields,
    })
}

pub(super) fn id() -> impl Strategy<Value = ItemId> {
    any::<[u8; 12]>().prop_map(ItemId::from_bytes)
}

fn number() -> impl Strategy<Value = f64> {
    prop::num::f64::NORMAL | prop::num::f64::SUBNORMAL | prop::num::f64::ZERO
}

fn value() -> impl Strategy<Value = FieldValue> {
    let vector = vec(prop::num::f32::NORMAL | prop::num::f32::SUBNORMAL | prop::num::f32::ZERO, 1..20);
    prop_oneof![
        Just(FieldValue::Null),
        any::<bool>().prop_map(FieldValue::Bool),
        any::<i64>().prop_map(FieldValue::Int),
        number().prop_map(FieldValue::Float),
        any::<String>().prop_map(FieldValue::Text),
        vector.prop_map(FieldValue::Vector),
        labels().prop_map(FieldValue::Labels),
        other().prop_map(FieldValue::Other),
    ]
}

/// What is kept as it came: no list of numbers, which would be a vector, and no document of labels.
fn other() -> impl Strategy<Value = Value> {
    prop_oneof![
        vec("\\PC{0,5}", 0..4).prop_map(|texts| json!(texts)),
        (any::<i64>(), number()).prop_map(|(int, float)| json!({ "_cls": "Regression", "value": float, "list": [int, null] })),
        ((i64::MAX as u64 + 1)..).prop_map(|big| json!(big)),
    ]
}

fn labels() -> impl Strategy<Value = Labels> {
    let region = |class| match class {
        LabelClass::Detections => prop::array::uniform4(number()).prop_map(|sides| Some(Region::Box(sides))).boxed(),
        LabelClass::Polylines => vec(vec(prop::array::uniform2(number()), 0..4), 0..3).prop_map(|lines| Some(Region::Lines(lines))).boxed(),
        _ => Just(None).boxed(),
    };
    let label = move |class| {
        let attributes = prop_oneof![
            Just(Map::new()),
            any::<i64>().prop_map(|count| Map::from_iter([("iscrowd".into(), count.into()), ("text \"x\"".into(), Value::Null)])),
        ];
        (option::of(id()), option::of(any::<String>()), option::of(number()), region(class), vec("\\PC{0,5}", 0..3), attributes)
            .prop_map(|(id, label, confidence, region, tags, attributes)| Label { id, label, confidence, region, tags, attributes })
    };
    let classes = [LabelClass::Classification, LabelClass::Classifications, LabelClass::Detections, LabelClass::Polylines];
    prop::sample::select(classes.to_vec()).prop_flat_map(move |class| {
        let count = if class == LabelClass::Classification { 1..=1 } else { 0..=3 };
        vec(label(class), count).prop_map(move |labels| Labels { class, labels })
    })
}
