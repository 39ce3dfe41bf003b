//! Names that could be taken for others: an index never sees the keys of another, whatever they are called.

use brain_core::search::{SearchRequest, search};
use brain_core::{Item, OnConflict, OnMissing, Scope, Selector, SimilarityBackend};
use brain_testkit::questions::{Row, add, assert_answers};
use brain_testkit::services::redis;
use futures::TryStreamExt as _;

use crate::faults::rows;
use crate::place::Place;
use crate::server::run;

/// Each is a beginning, a pattern, or an escape of another.
const NAMES: [&str; 16] = ["a", "a:x", "a:", "a*", "a?", "a[bc]", "ab", "a\\", "a\\*", "a x", "{a}", "a{b}:c", "a|b", "it's \"a\"", "ä-写真", "A"];

#[test]
fn indexes_of_like_names_share_nothing() {
    run(async {
        let place = Place::new(redis());
        let backend = place.backend();
        for storage in ["hash", "json"] {
            let specs: Vec<_> = NAMES.iter().map(|name| place.spec(name, &[("storage", storage)])).collect();
            let mut indexes = Vec::new();
            for spec in &specs {
                indexes.push(backend.create(spec).await.unwrap_or_else(|error| panic!("{}: {error:?}", spec.name)));
            }
            // Of different sizes, and with ids that continue the name of one index with another's.
            let of = |number: usize| -> Vec<Row> {
                let ids = ["x:1", "1", "*", ":x:1", "x:"].iter().map(|id| Item::sample((*id).into()));
                let ids = ids.chain((0..number).map(|row| Item::sample(format!("{row:03}").as_str().into())));
                ids.zip(rows(number + 5, number as u64 + 1).into_iter().map(|(_, vector)| vector)).collect()
            };
            for (number, index) in indexes.iter().enumerate() {
                add(&**index, &of(number), OnConflict::Error).await.unwrap();
            }
            for (number, index) in indexes.iter().enumerate() {
                let name = &specs[number].name;
                assert_eq!(index.count(Scope::All).await.unwrap(), number as u64 + 5, "{name}");
                assert_eq!(index.ids().try_concat().await.unwrap().len(), number + 5, "{name}");
                assert_answers(&**index, &of(number), &mut Default::default()).await;
            }
            // Removing and dropping keep to their own, too.
            for (number, index) in indexes.iter().enumerate() {
                index.remove(Selector::Items(&["*".into()]), OnMissing::Error).await.unwrap();
                assert!(backend.drop_index(&(&specs[number]).into()).await.unwrap());
                for (other, index) in indexes.iter().enumerate().skip(number + 1) {
                    assert_eq!(index.count(Scope::All).await.unwrap(), other as u64 + 5, "{} after {}", specs[other].name, specs[number].name);
                }
            }
            assert_eq!((place.indexes(), place.keys()), (vec![], vec![]), "nothing is left");
        }
    });
}

/// Ids are any text; what a query language or a pattern would take for its own is nothing special.
#[test]
fn ids_are_any_text() {
    run(async {
        let place = Place::new(redis());
        let backend = place.backend();
        for (algorithm, storage) in [("FLAT", "hash"), ("HNSW", "json")] {
            let index = backend.create(&place.spec(&format!("ids_{storage}"), &[("algorithm", algorithm), ("storage", storage)])).await.unwrap();
            let odd =
                ["a,b", "a|b", "-a", "@id:{x}", "(a", "a)", "$q", "a\nb", "a\\", "\\,", "%41", "~a", "null", "0", "é", "e\u{301}", " ", "\u{1f980}"];
            let rows: Vec<Row> = odd.iter().map(|id| Item::sample((*id).into())).zip(rows(odd.len(), 5).into_iter().map(|row| row.1)).collect();
            add(&*index, &rows, OnConflict::Error).await.unwrap();
            assert_answers(&*index, &rows, &mut Default::default()).await;
            for (item, vector) in &rows {
                let fetched = index.fetch(Selector::Items(std::slice::from_ref(&item.id))).await.unwrap();
                assert_eq!(fetched.rows.vector(0), vector, "{:?}", item.id);
                let only = brain_core::ItemSet::new(vec![item.id.clone()]);
                let request = SearchRequest { scope: Scope::Items(&only), ..SearchRequest::new(vec![vector.clone()]) };
                let answer = search(&*index, &request).await.unwrap();
                assert_eq!(answer.results[0].iter().map(|hit| &hit.item).collect::<Vec<_>>(), [item]);
            }
        }
    });
}
