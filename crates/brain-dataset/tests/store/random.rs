//! Random datasets, and random views that make sense for them.

use brain_core::{Comparison, FieldValue, Filter, ItemId, ItemKind, Label, LabelClass, Labels, Literal, Path, Region, Sample, View};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use serde_json::json;

use crate::home::id;

const TAGS: [&str; 5] = ["train", "val", "a\"train", ",", "é"];
const WORDS: [&str; 4] = ["a", "b", "ab", "B"];

type NamedFields = Vec<(String, FieldValue)>;

/// What a path can be asked.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Kind {
    Number,
    Text,
    Bool,
    /// An attribute whose values are numbers and texts.
    Mixed,
    Tags,
    /// Only whether it is there.
    Present,
}

const OF_SAMPLES: [(&str, Kind); 19] = [
    ("n", Kind::Number),
    ("x", Kind::Number),
    ("t", Kind::Text),
    ("b", Kind::Bool),
    ("v", Kind::Present),
    ("o", Kind::Present),
    ("cls", Kind::Present),
    ("det", Kind::Present),
    ("filepath", Kind::Text),
    ("id", Kind::Text),
    ("tags", Kind::Tags),
    ("cls.label", Kind::Text),
    ("det.label", Kind::Text),
    ("det.confidence", Kind::Number),
    ("det.k", Kind::Mixed),
    ("det.flag", Kind::Bool),
    ("det.name", Kind::Text),
    ("det.tags", Kind::Tags),
    ("det.id", Kind::Text),
];

const OF_LABELS: [(&str, Kind); 9] = [
    ("label", Kind::Text),
    ("det.label", Kind::Text),
    ("confidence", Kind::Number),
    ("k", Kind::Mixed),
    ("flag", Kind::Bool),
    ("name", Kind::Text),
    ("det.name", Kind::Text),
    ("tags", Kind::Tags),
    ("id", Kind::Text),
];

fn path(name: &str) -> Path {
    let (field, attribute) = name.split_once('.').map_or((name, None), |(field, attribute)| (field, Some(attribute.to_owned())));
    Path { field: field.to_owned(), attribute }
}

fn word() -> impl Strategy<Value = String> {
    select(WORDS.as_slice()).prop_map(str::to_owned)
}

fn tags() -> impl Strategy<Value = Vec<String>> {
    proptest::sample::subsequence(TAGS.to_vec(), 0..3).prop_map(|tags| tags.into_iter().map(str::to_owned).collect())
}

fn number() -> impl Strategy<Value = f64> {
    (-4..5i32).prop_map(|number| f64::from(number) / 2.0)
}

prop_compose! {
    fn label()(
        label in option::of(word()), confidence in option::of(number()), tags in tags(),
        k in option::of(prop_oneof![(-2..3i64).prop_map(|k| json!(k)), word().prop_map(|k| json!(k)), Just(json!(null)), Just(json!([1]))]),
        flag in option::of(any::<bool>()), name in option::of(word()),
    ) -> Label {
        let attributes = [("k", k), ("flag", flag.map(|flag| json!(flag))), ("name", name.map(|name| json!(name)))];
        let attributes = attributes.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect();
        Label { id: None, label, confidence, region: Some(Region::Box([0.0, 0.25, 0.5, 0.5])), tags, attributes }
    }
}

prop_compose! {
    fn fields()(
        n in option::of(-2..3i64), x in option::of(number()), t in option::of(word()), b in option::of(any::<bool>()),
        v in any::<bool>(), o in any::<bool>(), cls in option::of(label()), det in option::of(vec(label(), 0..4)),
    ) -> NamedFields {
        let labels = |class, labels| FieldValue::Labels(Labels { class, labels });
        let cls = cls.map(|label| labels(LabelClass::Classification, vec![Label { region: None, ..label }]));
        [
            ("n", n.map(FieldValue::Int)),
            ("x", x.map(FieldValue::Float)),
            ("t", t.map(FieldValue::Text)),
            ("b", b.map(FieldValue::Bool)),
            ("v", v.then(|| FieldValue::Vector(vec![1.0, 2.0]))),
            ("o", o.then(|| FieldValue::Other(json!({"deep": [1, null]})))),
            ("cls", cls),
            ("det", det.map(|det| labels(LabelClass::Detections, det))),
        ]
        .into_iter()
        .filter_map(|(name, value)| Some((name.to_owned(), value?)))
        .collect()
    }
}

/// Samples with ids; the first has every field and attribute, so that each name is known.
pub(crate) fn samples() -> impl Strategy<Value = Vec<Sample>> {
    vec((fields(), tags()), 0..14).prop_map(|rest| {
        let attributes = json!({"k": 1, "flag": true, "name": "a"});
        let twin = |number: i32| Label {
            label: Some("a".into()),
            confidence: Some(f64::from(number)),
            region: Some(Region::Box([0.0; 4])),
            attributes: if number == 0 { attributes.as_object().cloned().unwrap() } else { json!({"k": "a"}).as_object().cloned().unwrap() },
            ..Label::default()
        };
        let first = vec![
            ("n".to_owned(), FieldValue::Int(1)),
            ("x".to_owned(), FieldValue::Float(1.0)),
            ("t".to_owned(), FieldValue::Text("a".into())),
            ("b".to_owned(), FieldValue::Bool(true)),
            ("v".to_owned(), FieldValue::Vector(vec![0.5; 3])),
            ("o".to_owned(), FieldValue::Other(json!([]))),
            ("cls".to_owned(), FieldValue::Labels(Labels { class: LabelClass::Classification, labels: vec![Label { region: None, ..twin(0) }] })),
            ("det".to_owned(), FieldValue::Labels(Labels { class: LabelClass::Detections, labels: vec![twin(0), twin(1)] })),
        ];
        let mut labels = 0;
        let whole = |(number, (mut fields, tags)): (u32, (NamedFields, Vec<String>))| {
            for (_, value) in &mut fields {
                if let FieldValue::Labels(all) = value {
                    for label in &mut all.labels {
                        label.id = Some(id(2, labels));
                        labels += 1;
                    }
                }
            }
            Sample { id: Some(id(1, number)), filepath: format!("/photos/{}.jpg", number % 3), tags, fields }
        };
        (0..).zip(std::iter::once((first, Vec::new())).chain(rest)).map(whole).collect()
    })
}

fn literal(kind: Kind) -> BoxedStrategy<Literal> {
    let number = prop_oneof![(-2..3i64).prop_map(Literal::Int), number().prop_map(Literal::Float)];
    match kind {
        Kind::Number => number.boxed(),
        Kind::Bool => any::<bool>().prop_map(Literal::Bool).boxed(),
        Kind::Mixed => prop_oneof![number, word().prop_map(Literal::Text), any::<bool>().prop_map(Literal::Bool)].boxed(),
        _ => prop_oneof![
            4 => word().prop_map(Literal::Text),
            1 => (1..3u8, 0..6u32).prop_map(|(kind, number)| Literal::Text(id(kind, number).to_string())),
            1 => Just(Literal::Text("/photos/1.jpg".into())),
        ]
        .boxed(),
    }
}

fn leaf(paths: &'static [(&'static str, Kind)]) -> impl Strategy<Value = Filter> {
    use Comparison::{Equal, Greater, GreaterOrEqual, Less, LessOrEqual, NotEqual};
    select(paths).prop_flat_map(|(name, kind)| {
        let path = path(name);
        let exists = Just(Filter::Exists { path: path.clone() });
        let contains = |texts: Vec<&'static str>| {
            let path = path.clone();
            select(texts).prop_map(move |text| Filter::Contains { path: path.clone(), text: text.to_owned() })
        };
        match kind {
            Kind::Present => exists.boxed(),
            Kind::Tags => prop_oneof![1 => exists, 3 => contains(TAGS.to_vec())].boxed(),
            _ => {
                let (left, right) = (path.clone(), path.clone());
                let compare = (select(vec![Equal, NotEqual, Less, LessOrEqual, Greater, GreaterOrEqual]), literal(kind)).prop_map(
                    move |(comparison, value)| {
                        let has_order = !matches!(value, Literal::Bool(_)) || comparison == NotEqual;
                        Filter::Compare { path: left.clone(), comparison: if has_order { comparison } else { Equal }, value }
                    },
                );
                let is_in = vec(literal(kind), 1..4).prop_map(move |values| Filter::In { path: right.clone(), values });
                if matches!(kind, Kind::Text | Kind::Mixed) {
                    prop_oneof![4 => compare, 2 => is_in, 1 => exists, 1 => contains(vec!["a", "b", "", "1"])].boxed()
                } else {
                    prop_oneof![4 => compare, 2 => is_in, 1 => exists].boxed()
                }
            }
        }
    })
}

fn filter(paths: &'static [(&'static str, Kind)]) -> impl Strategy<Value = Filter> {
    leaf(paths).prop_recursive(3, 8, 3, |inner| {
        prop_oneof![
            vec(inner.clone(), 2..4).prop_map(Filter::And),
            vec(inner.clone(), 2..4).prop_map(Filter::Or),
            inner.prop_map(|filter| Filter::Not(Box::new(filter))),
        ]
    })
}

/// A stage before it is known whether its items are samples or patches.
#[derive(Clone, Debug)]
enum Seed {
    Ids(bool, Vec<(bool, u32)>),
    Match(Filter, Filter),
    Tags(Vec<String>),
    Exists(Index, bool),
    FilterLabels(Filter),
    FilterClass(Filter),
    Sort(Index, bool),
    Shuffle(u64),
    Take(u64, u64),
    Skip(u64),
    Limit(u64),
    ToPatches,
}

fn seed() -> impl Strategy<Value = Seed> {
    let count = prop_oneof![4 => 0..8u64, 1 => Just(u64::MAX)];
    prop_oneof![
        1 => (any::<bool>(), vec((any::<bool>(), 0..20u32), 0..12)).prop_map(|(keep, ids)| Seed::Ids(keep, ids)),
        4 => (filter(&OF_SAMPLES), filter(&OF_LABELS)).prop_map(|(sample, label)| Seed::Match(sample, label)),
        1 => tags().prop_map(Seed::Tags),
        1 => (any::<Index>(), any::<bool>()).prop_map(|(path, exists)| Seed::Exists(path, exists)),
        2 => filter(&OF_LABELS).prop_map(Seed::FilterLabels),
        1 => leaf(&OF_LABELS[..1]).prop_map(Seed::FilterClass),
        2 => (any::<Index>(), any::<bool>()).prop_map(|(path, reverse)| Seed::Sort(path, reverse)),
        1 => any::<u64>().prop_map(Seed::Shuffle),
        1 => (0..8u64, any::<u64>()).prop_map(|(count, seed)| Seed::Take(count, seed)),
        1 => count.clone().prop_map(Seed::Skip),
        1 => count.prop_map(Seed::Limit),
        2 => Just(Seed::ToPatches),
    ]
}

pub(crate) fn view() -> impl Strategy<Value = View> {
    vec(seed(), 0..6).prop_map(|seeds| seeds.into_iter().fold(View::new(), with_stage))
}

fn with_stage(view: View, seed: Seed) -> View {
    let is_patches = view.kind() == ItemKind::Patches;
    let paths: &[(&str, Kind)] = if is_patches { &OF_LABELS } else { &OF_SAMPLES };
    match seed {
        Seed::Ids(keep, ids) => {
            let ids: Vec<ItemId> = ids.into_iter().map(|(is_label, number)| id(1 + u8::from(is_label), number)).collect();
            if keep { view.select(ids) } else { view.exclude(ids) }
        }
        Seed::Match(sample, label) => view.match_filter(if is_patches { label } else { sample }),
        Seed::Tags(tags) => view.match_tags(tags),
        Seed::Exists(at, exists) => view.exists(at.get(paths).0, exists),
        Seed::FilterLabels(filter) => view.filter_labels("det", filter),
        Seed::FilterClass(_) if is_patches => view,
        Seed::FilterClass(filter) => view.filter_labels("cls", filter),
        Seed::Sort(at, reverse) => {
            let sortable: Vec<&str> =
                paths.iter().filter(|(_, kind)| matches!(kind, Kind::Number | Kind::Text | Kind::Bool)).map(|(name, _)| *name).collect();
            view.sort_by(*at.get(&sortable), reverse)
        }
        Seed::Shuffle(seed) => view.shuffle(seed),
        Seed::Take(count, seed) => view.take(count, seed),
        Seed::Skip(count) => view.skip(count),
        Seed::Limit(count) => view.limit(count),
        Seed::ToPatches if is_patches => view,
        Seed::ToPatches => view.to_patches("det"),
    }
}
