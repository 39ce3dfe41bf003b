//! Indexes that others made by their own commands: of every shape that has a vector, attached to as they are.

use brain_core::search::{SearchRequest, search};
use brain_core::{ErrorKind, ExistingIndex, Item, ItemId, Metric, NoProgress, OnConflict, OnMissing, Scope, Selector, SimilarityBackend};
use brain_testkit::compare::Recall;
use brain_testkit::corpus::{Corpus, Ids};
use brain_testkit::questions::{Row, add, assert_answers};
use brain_testkit::resp::Client;
use brain_testkit::services::redis;
use brain_testkit::shape::Shape;
use serde_json::json;

use crate::place::Place;
use crate::server::run;

fn rows(count: usize, ids: Ids) -> Vec<Row> {
    let corpus = Corpus::samples(Shape::Clustered, count, ids, 7);
    corpus.items.into_iter().zip(corpus.vectors).collect()
}

fn named(name: &str) -> ExistingIndex {
    ExistingIndex { name: name.to_owned(), ..ExistingIndex::default() }
}

fn bytes(vector: &[f32]) -> Vec<u8> {
    vector.iter().flat_map(|x| x.to_le_bytes()).collect()
}

/// Makes an index by the words after its name.
fn create(client: &mut Client, name: &str, words: &str) {
    let words: Vec<String> = words.split_ascii_whitespace().map(str::to_owned).collect();
    client.run(&[vec!["FT.CREATE".to_owned(), name.to_owned()], words].concat());
}

fn hash(client: &mut Client, key: &str, field: &str, vector: &[f32]) {
    client.run(&[b"HSET", key.as_bytes(), b"label", b"cat", field.as_bytes(), &bytes(vector)]);
}

#[test]
fn indexes_of_every_make_answer_as_the_oracle_does() {
    run(async {
        let place = Place::new(redis());
        let (backend, mut client) = (place.backend(), place.client());
        for (algorithm, attributes) in [("FLAT", "FLAT 8 BLOCK_SIZE 100"), ("HNSW", "HNSW 10 M 8 EF_CONSTRUCTION 50")] {
            for (metric, theirs) in [(Metric::Cosine, "COSINE"), (Metric::DotProduct, "IP"), (Metric::Euclidean, "L2")] {
                for (storage, ids) in [("HASH", Ids::Text), ("JSON", Ids::Hex)] {
                    // Other names than ours for everything, a vector deep in a document, and nothing that says a sample.
                    let (prefix, name) =
                        (place.named(&format!("{algorithm}{storage}{theirs}/")), place.named(&format!("{algorithm}{storage}{theirs} index")));
                    let field = if storage == "HASH" { "label TAG embedding" } else { "$.label AS label TAG $.deep.embedding AS emb" };
                    let type_ = format!("{attributes} TYPE FLOAT32 DIM 16 DISTANCE_METRIC {theirs}");
                    create(&mut client, &name, &format!("ON {storage} PREFIX 1 {prefix} SCHEMA {field} VECTOR {type_}"));
                    let rows = rows(60, ids);
                    for (item, vector) in &rows {
                        let key = format!("{prefix}{}", item.id);
                        if storage == "HASH" {
                            hash(&mut client, &key, "embedding", vector);
                        } else {
                            let document = json!({ "label": "cat", "deep": { "embedding": vector } }).to_string();
                            client.run(&["JSON.SET", &key, "$", &document]);
                        }
                    }
                    let attached = backend.attach(&named(&name)).await.unwrap();
                    assert_eq!((attached.spec().dimension, attached.spec().metric), (16, metric), "{name}");
                    let mut recall = Recall::default();
                    assert_answers(&*attached, &rows, &mut recall).await;
                    recall.assert_at_least(0.99);
                    // Rows of ours look like theirs, and are found beside them.
                    let new = [(Item::sample("new".into()), vec![0.25; 16])];
                    let added = add(&*attached, &new, OnConflict::Error).await;
                    let mut all = rows.clone();
                    if storage == "HASH" {
                        assert_eq!(added.unwrap().added, 1);
                        all.extend(new);
                    } else {
                        // A document whose vector lay elsewhere would be found by no search.
                        let refused = added.unwrap_err();
                        assert!(refused.kind() == ErrorKind::Unsupported && refused.message().contains("$.deep.embedding"), "{refused:?}");
                    }
                    let again = backend.attach(&attached.spec().into()).await.unwrap();
                    assert_answers(&*again, &all, &mut Recall::default()).await;
                    assert_eq!(attached.remove(Selector::All, OnMissing::Error).await.unwrap().removed as usize, all.len());
                    assert_eq!(attached.count(Scope::All).await.unwrap(), 0, "{name}");
                }
            }
        }
    });
}

#[test]
fn an_empty_index_is_one_of_no_items() {
    run(async {
        let place = Place::new(redis());
        let (backend, mut client) = (place.backend(), place.client());
        let name = place.named("empty");
        create(&mut client, &name, &format!("PREFIX 1 {name}: SCHEMA v VECTOR HNSW 6 TYPE FLOAT32 DIM 16 DISTANCE_METRIC L2"));
        let attached = backend.attach(&named(&name)).await.unwrap();
        assert_eq!((attached.count(Scope::All).await.unwrap(), attached.spec().metric), (0, Metric::Euclidean));
        let nothing = search(&*attached, &SearchRequest::new(vec![vec![1.0; 16]])).await.unwrap();
        assert_eq!((nothing.results[0].len(), nothing.report.missing), (0, 0));
        attached.build(&NoProgress).await.unwrap();
        let rows = rows(30, Ids::Text);
        add(&*attached, &rows, OnConflict::Error).await.unwrap();
        assert_answers(&*attached, &rows, &mut Recall::default()).await;
    });
}

#[test]
fn vectors_in_double_precision_are_rounded_to_ours() {
    run(async {
        let place = Place::new(redis());
        let (backend, mut client) = (place.backend(), place.client());
        let name = place.named("doubles");
        create(&mut client, &name, &format!("PREFIX 1 {name}: SCHEMA v VECTOR HNSW 6 TYPE FLOAT64 DIM 16 DISTANCE_METRIC L2"));
        let rows = rows(30, Ids::Hex);
        for (item, vector) in &rows {
            let doubles: Vec<u8> = vector.iter().flat_map(|x| f64::from(*x).to_le_bytes()).collect();
            client.run(&[b"HSET", format!("{name}:{}", item.id).as_bytes(), b"v", &doubles]);
        }
        let attached = backend.attach(&named(&name)).await.unwrap();
        assert_answers(&*attached, &rows, &mut Recall::default()).await;
    });
}

#[test]
fn vectors_in_half_precision_are_what_they_are() {
    run(async {
        let place = Place::new(redis());
        let (backend, mut client) = (place.backend(), place.client());
        let name = place.named("halves");
        create(&mut client, &name, &format!("PREFIX 1 {name}: SCHEMA v VECTOR FLAT 6 TYPE FLOAT16 DIM 16 DISTANCE_METRIC COSINE"));
        let mut rows = rows(30, Ids::Hex);
        rows.iter_mut().flat_map(|(_, vector)| vector).for_each(|x| *x = half::f16::from_f32(*x).to_f32());
        for (item, vector) in &rows {
            let halves: Vec<u8> = vector.iter().flat_map(|x| half::f16::from_f32(*x).to_le_bytes()).collect();
            client.run(&[b"HSET", format!("{name}:{}", item.id).as_bytes(), b"v", &halves]);
        }
        let attached = backend.attach(&named(&name)).await.unwrap();
        assert_answers(&*attached, &rows, &mut Recall::default()).await;
    });
}

/// Hashes that the index's prefix covers and the index does not hold, or cannot rank: without a vector, with one of another length, or of no direction.
#[test]
fn keys_without_a_usable_vector_are_no_items() {
    run(async {
        let place = Place::new(redis());
        let (backend, mut client) = (place.backend(), place.client());
        let name = place.named("holes");
        create(&mut client, &name, &format!("PREFIX 1 {name}: SCHEMA v VECTOR FLAT 6 TYPE FLOAT32 DIM 16 DISTANCE_METRIC COSINE"));
        let rows = rows(40, Ids::Hex);
        rows.iter().for_each(|(item, vector)| hash(&mut client, &format!("{name}:{}", item.id), "v", vector));
        client.run(&["HSET", &format!("{name}:bare"), "label", "dog"]);
        // And keys that are no hashes at all.
        client.run(&["SET", &format!("{name}:text"), "hello"]);
        client.run(&["RPUSH", &format!("{name}:list"), "a", "b"]);
        hash(&mut client, &format!("{name}:short"), "v", &[1.0; 3]);
        // Ranked first by the server, at no distance that is a number.
        hash(&mut client, &format!("{name}:zero"), "v", &[0.0; 16]);
        hash(&mut client, &format!("{name}:nan"), "v", &[f32::NAN; 16]);
        let attached = backend.attach(&named(&name)).await.unwrap();
        assert_answers(&*attached, &rows, &mut Recall::default()).await;
        let odd: Vec<ItemId> = ["bare", "text", "list", "short", "zero", "nan"].iter().map(|id| (*id).into()).collect();
        assert_eq!(attached.fetch(Selector::Items(&odd)).await.unwrap().missing, odd);
    });
}

#[test]
fn what_is_no_index_of_vectors_is_refused_by_name() {
    run(async {
        let place = Place::new(redis());
        let (backend, mut client) = (place.backend(), place.client());
        let vector = "VECTOR FLAT 6 TYPE FLOAT32 DIM 4 DISTANCE_METRIC COSINE";
        let name = |what: &str| place.named(what);
        for (what, words, kind, says) in [
            ("texts", format!("PREFIX 1 {}: SCHEMA title TEXT label TAG", name("texts")), ErrorKind::Conflict, "no field of vectors"),
            ("two", format!("PREFIX 1 {}: SCHEMA v {vector} w {vector}", name("two")), ErrorKind::Unsupported, "(v, w)"),
            // Two items of one id would be one.
            ("both", format!("PREFIX 2 {0}cats: {0}dogs: SCHEMA v {vector}", name("both")), ErrorKind::Unsupported, "2 prefixes"),
        ] {
            let name = name(what);
            create(&mut client, &name, &words);
            let error = backend.attach(&named(&name)).await.err().unwrap();
            assert_eq!(error.kind(), kind, "{error:?}");
            assert!(error.message().contains(&name) && error.message().contains(says), "{error:?}");
        }
    });
}

#[test]
fn nothing_of_others_is_dropped() {
    run(async {
        let place = Place::new(redis());
        let (backend, mut client) = (place.backend(), place.client());
        let name = place.named("theirs");
        create(&mut client, &name, &format!("PREFIX 1 {name}: SCHEMA v VECTOR HNSW 6 TYPE FLOAT32 DIM 16 DISTANCE_METRIC COSINE"));
        let rows = rows(2_500, Ids::Hex);
        rows.iter().for_each(|(item, vector)| hash(&mut client, &format!("{name}:{}", item.id), "v", vector));
        let attached = backend.attach(&named(&name)).await.unwrap();
        let before = (place.indexes(), place.keys());
        attached.build(&NoProgress).await.unwrap();
        assert_eq!((place.indexes(), place.keys()), before, "what is measured of others' indexes is kept elsewhere");
        let ids: Vec<ItemId> = rows[..1_500].iter().map(|(item, _)| item.id.clone()).collect();
        assert_eq!(attached.remove(Selector::Items(&ids), OnMissing::Error).await.unwrap().removed, 1_500);
        assert_eq!((attached.count(Scope::All).await.unwrap(), place.indexes()), (1_000, before.0));
        let gone = place.named("gone");
        assert!(!backend.drop_index(&named(&gone)).await.unwrap());
        assert_eq!(place.keys().len(), 1_000);
    });
}

/// An index that the server is still filling answers nothing yet: it is waited for.
#[test]
fn an_index_made_over_documents_that_are_there_is_waited_for() {
    run(async {
        let place = Place::new(redis());
        let (backend, mut client) = (place.backend(), place.client());
        let name = place.named("late");
        let rows = rows(3_000, Ids::Hex);
        rows.iter().for_each(|(item, vector)| hash(&mut client, &format!("{name}:{}", item.id), "v", vector));
        create(&mut client, &name, &format!("PREFIX 1 {name}: SCHEMA v VECTOR HNSW 6 TYPE FLOAT32 DIM 16 DISTANCE_METRIC COSINE"));
        let attached = backend.attach(&named(&name)).await.unwrap();
        assert_eq!(attached.count(Scope::All).await.unwrap(), 3_000);
    });
}
