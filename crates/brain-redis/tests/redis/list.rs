//! What an index holds, listed or walked through, whoever changes it.

use std::collections::BTreeMap;

use brain_core::{ErrorKind, ItemId, OnConflict, OnMissing, Selector, SimilarityBackend, SimilarityIndex, VectorBatch};
use brain_testkit::questions::{Row, add};
use brain_testkit::services::redis;
use futures::TryStreamExt as _;

use crate::faults::rows;
use crate::place::Place;
use crate::server::run;

async fn assert_holds(index: &dyn SimilarityIndex, rows: &[Row]) {
    let batches: Vec<VectorBatch> = index.stream().try_collect().await.unwrap();
    let found: Vec<(&ItemId, &[f32])> = batches.iter().flat_map(VectorBatch::rows).map(|(item, vector)| (&item.id, vector)).collect();
    let expected: BTreeMap<&ItemId, &[f32]> = rows.iter().map(|(item, vector)| (&item.id, &vector[..])).collect();
    assert_eq!(found.len(), expected.len());
    assert!(found.into_iter().collect::<BTreeMap<_, _>>() == expected, "other rows than are there");
    let ids = index.ids().try_concat().await.unwrap();
    assert_eq!(ids.len(), rows.len());
    assert!(ids.iter().all(|item| expected.contains_key(&item.id)), "other items than are there");
}

#[test]
fn who_listed_an_index_sees_what_others_changed() {
    run(async {
        let place = Place::new(redis());
        let spec = place.spec("listed", &[("algorithm", "FLAT")]);
        let (one, other) = (place.backend(), place.backend());
        let index = one.create(&spec).await.unwrap();
        let mut all = rows(2_100, 1);
        let more = all.split_off(2_000);
        assert_holds(&*index, &[]).await;
        add(&*index, &all, OnConflict::Error).await.unwrap();
        assert_holds(&*index, &all).await;
        assert_holds(&*index, &all).await;

        let theirs = other.open(&spec).await.unwrap();
        // As many come as go, so that the number of rows stays what it was.
        let ids: Vec<ItemId> = all.drain(..more.len()).map(|(item, _)| item.id).collect();
        theirs.remove(Selector::Items(&ids), OnMissing::Error).await.unwrap();
        add(&*theirs, &more, OnConflict::Error).await.unwrap();
        all.extend(more);
        assert_holds(&*index, &all).await;
        let ids: Vec<ItemId> = all.drain(..1).map(|(item, _)| item.id).collect();
        theirs.remove(Selector::Items(&ids), OnMissing::Error).await.unwrap();
        assert_holds(&*index, &all).await;
        all[0].1 = rows(1, 7).remove(0).1;
        add(&*theirs, &all[..1], OnConflict::Overwrite).await.unwrap();
        assert_holds(&*index, &all).await;

        // Another index of the same name, with as many rows.
        other.drop_index(&(&spec).into()).await.unwrap();
        let theirs = other.create(&spec).await.unwrap();
        let others = rows(2_100 + all.len(), 1).split_off(2_100);
        add(&*theirs, &others, OnConflict::Error).await.unwrap();
        assert_holds(&*index, &others).await;
        index.remove(Selector::All, OnMissing::Error).await.unwrap();
        assert_holds(&*theirs, &[]).await;
    });
}

#[test]
fn an_index_that_is_too_large_to_be_listed_is_walked_through() {
    run(async {
        let place = Place::new(redis());
        let spec = place.spec("walked", &[("algorithm", "FLAT")]);
        let index = place.backend().create(&spec).await.unwrap();
        let all = rows((1 << 16) + 500, 1);
        for part in all.chunks(4_000) {
            add(&*index, part, OnConflict::Error).await.unwrap();
        }
        assert_holds(&*index, &all).await;
        let ids: Vec<ItemId> = all[1_000..].iter().map(|(item, _)| item.id.clone()).collect();
        index.remove(Selector::Items(&ids), OnMissing::Error).await.unwrap();
        assert_holds(&*index, &all[..1_000]).await;
    });
}

/// What the server stores and does not index is no less there.
#[test]
fn what_is_stored_and_not_indexed_is_found_and_goes_with_the_rest() {
    run(async {
        let place = Place::new(redis());
        let spec = place.spec("spoilt", &[("algorithm", "FLAT")]);
        let index = place.backend().create(&spec).await.unwrap();
        let all = rows(1_500, 1);
        add(&*index, &all, OnConflict::Error).await.unwrap();
        assert_holds(&*index, &all).await;
        place.client().run(&["HSET", &format!("{}:spoilt", spec.name), "vector", "short"]);
        let ids = index.ids().try_concat().await.unwrap();
        assert!(ids.len() == all.len() + 1 && ids.iter().any(|item| item.id == "spoilt".into()), "{} ids", ids.len());
        let error = index.stream().try_collect::<Vec<_>>().await.unwrap_err();
        assert!(error.kind() == ErrorKind::Corrupt && error.message().contains("spoilt"), "{error:?}");
        index.remove(Selector::All, OnMissing::Error).await.unwrap();
        assert!(place.keys().iter().all(|key| !key.starts_with(&format!("{}:", spec.name))), "something is left");
    });
}
