//! Indexes that FiftyOne itself made, attached to and searched.

use brain_core::{ErrorKind, ExistingIndex, Item, ItemKind, Metric, NoProgress, OnConflict, Scope, Selector, SimilarityBackend};
use brain_testkit::compare::Recall;
use brain_testkit::questions::{Row, add, assert_answers};
use brain_testkit::services::redis;
use serde_json::Value;

use crate::place::Place;
use crate::server::run;

const COMMANDS: &str = include_str!("fixtures/fiftyone.jsonl");

/// Index, metric and items as FiftyOne's runs have them.
const INDEXES: [(&str, Metric, ItemKind); 3] = [
    ("fo_flat", Metric::Cosine, ItemKind::Samples),
    ("fo_hnsw_ip", Metric::DotProduct, ItemKind::Samples),
    ("fiftyone-boards", Metric::Cosine, ItemKind::Patches),
];

fn commands() -> impl Iterator<Item = Vec<String>> {
    COMMANDS.lines().map(|line| serde_json::from_str(line).unwrap())
}

fn rows(index: &str) -> Vec<Row> {
    let documents = commands().filter(|words| words[0] == "JSON.SET" && words[1].starts_with(&format!("{index}:")));
    let row = |words: Vec<String>| {
        let document: Value = serde_json::from_str(&words[3]).unwrap();
        let text = |name: &str| document[name].as_str().unwrap().into();
        let numbers = document["vector"].as_array().unwrap().iter().map(|x| x.as_f64().unwrap() as f32);
        (Item::patch(text("foid"), text("sample_id")), numbers.collect())
    };
    documents.map(row).collect()
}

/// Rebuilds the indexes under names in the place.
fn load(place: &Place) {
    let mut client = place.client();
    for mut words in commands() {
        let names: &[usize] = if words[0] == "FT.CREATE" { &[1, 6] } else { &[1] };
        names.iter().for_each(|&at| words[at] = place.named(&words[at]));
        client.run(&words);
    }
}

fn existing(place: &Place, index: &str, items: ItemKind) -> ExistingIndex {
    ExistingIndex { name: place.named(index), items, ..ExistingIndex::default() }
}

#[test]
fn every_question_is_answered_as_the_oracle_does() {
    run(async {
        let place = Place::new(redis());
        load(&place);
        let backend = place.backend();
        let mut recall = Recall::default();
        for (index, metric, items) in INDEXES {
            let attached = backend.attach(&existing(&place, index, items)).await.unwrap();
            assert_eq!((attached.spec().dimension, attached.spec().metric), (16, metric), "{index}");
            let expected = ExistingIndex { dimension: Some(16), metric: Some(metric), ..existing(&place, index, items) };
            let attached = backend.attach(&expected).await.unwrap();
            assert_answers(&*attached, &rows(index), &mut recall).await;
            // What the record keeps leads there again.
            let again = backend.attach(&attached.spec().into()).await.unwrap();
            assert_eq!(again.count(Scope::All).await.unwrap(), rows(index).len() as u64);
        }
        recall.assert_at_least(0.99);
    });
}

#[test]
fn they_stay_as_they_are() {
    run(async {
        let place = Place::new(redis());
        load(&place);
        let backend = place.backend();
        let (before, mut client) = (place.keys(), place.client());
        let document = |client: &mut brain_testkit::resp::Client, key: &str| -> Value {
            let text = client.run(&["JSON.GET", key]).text();
            serde_json::from_str(&text).unwrap()
        };
        let one = document(&mut client, &before[0]);
        for (index, _, items) in INDEXES {
            let attached = backend.attach(&existing(&place, index, items)).await.unwrap();
            attached.build(&NoProgress).await.unwrap();
            let rows = rows(index);
            let report = add(&*attached, &rows[..1], OnConflict::Overwrite).await.unwrap();
            assert_eq!((report.added, report.replaced), (0, 1), "{index}");
            assert_eq!(attached.count(Scope::All).await.unwrap(), rows.len() as u64, "{index}");
        }
        assert_eq!(place.keys(), before, "no key of another kind");
        let again = document(&mut client, &before[0]);
        let names = |document: &Value| document.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
        let numbers = |document: &Value| document["vector"].as_array().unwrap().iter().map(|x| x.as_f64().unwrap() as f32).collect::<Vec<_>>();
        assert_eq!((names(&again), numbers(&again)), (names(&one), numbers(&one)), "a document that was overwritten is as FiftyOne has it");
        // New ones look like theirs, and their searches find them.
        let attached = backend.attach(&existing(&place, "fo_flat", ItemKind::Samples)).await.unwrap();
        let new = (Item::sample("ffffffffffffffffffffffff".into()), vec![0.5; 16]);
        add(&*attached, &[new], OnConflict::Error).await.unwrap();
        let added = document(&mut client, &place.named("fo_flat:ffffffffffffffffffffffff"));
        assert_eq!(added.as_object().unwrap().keys().collect::<Vec<_>>(), ["foid", "sample_id", "vector"]);
        for (index, _, items) in INDEXES {
            let attached = backend.attach(&existing(&place, index, items)).await.unwrap();
            attached.remove(Selector::All, Default::default()).await.unwrap();
            assert_eq!(attached.count(Scope::All).await.unwrap(), 0);
        }
        assert_eq!(place.indexes().len(), INDEXES.len(), "the indexes stay");
    });
}

#[test]
fn another_dimension_or_metric_is_a_conflict_that_says_both_sides() {
    run(async {
        let place = Place::new(redis());
        load(&place);
        let backend = place.backend();
        let refused = async |existing: ExistingIndex| backend.attach(&existing).await.err().unwrap();
        let existing = existing(&place, "fo_hnsw_ip", ItemKind::Samples);
        for (expected, words) in [
            (ExistingIndex { dimension: Some(512), ..existing.clone() }, ["16", "512"]),
            (ExistingIndex { metric: Some(Metric::Cosine), ..existing.clone() }, ["dotproduct", "cosine"]),
        ] {
            let error = refused(expected).await;
            assert_eq!(error.kind(), ErrorKind::Conflict, "{error:?}");
            assert!(words.iter().all(|word| error.message().contains(word)) && error.message().contains("fo_hnsw_ip"), "{error}");
        }
        let error = refused(ExistingIndex { name: place.named("fo_nothing"), ..existing }).await;
        assert_eq!(error.kind(), ErrorKind::NotFound, "{error:?}");
    });
}
