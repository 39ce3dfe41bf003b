//! Random views over random datasets mean what the oracle says.

use brain_core::{Comparison, DatasetStore, FieldValue, Filter, ItemId, ItemKind, Literal, NoProgress, Path, Sample, View};
use brain_dataset::{Dataset, Fields};
use proptest::collection::vec;
use proptest::prelude::*;

use crate::home::{Home, classification, detections, id, sample, text};
use crate::oracle::Oracle;
use crate::random::{samples, view};

/// The view means the same to the store and to the oracle, whichever way it is read.
fn agree(dataset: &Dataset, samples: &[Sample], view: &View) -> Result<(), TestCaseError> {
    let oracle = Oracle::run(samples, view);
    let resolved = dataset.resolve(view).map_err(|error| TestCaseError::fail(format!("{view:?}: {error:?}")))?;
    prop_assert_eq!(&resolved.items, &oracle.items(), "{:?}", view);
    prop_assert_eq!(dataset.count_view(view).unwrap(), resolved.items.len() as u64);
    if view.kind() == ItemKind::Patches {
        let patches: Vec<_> = dataset.patches(view).unwrap().map(|patch| patch.unwrap().item).collect();
        prop_assert_eq!(patches, resolved.items);
    } else {
        let read: Vec<Sample> = dataset.samples(view, Fields::All).unwrap().map(Result::unwrap).collect();
        prop_assert_eq!(read, oracle.samples());
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 120, ..ProptestConfig::default() })]

    #[test]
    fn views_mean_what_they_say(mut samples in samples(), views in vec(view(), 12), gone in vec(1..14usize, 0..3)) {
        let home = Home::new();
        let dataset = home.dataset();
        dataset.add_samples(samples.clone(), &NoProgress).unwrap();
        for view in &views[..6] {
            agree(&dataset, &samples, view)?;
        }
        // Once more with gaps in the order, and with one of the deleted back at the end.
        let mut back = None;
        for at in gone {
            if at < samples.len() {
                let sample = samples.remove(at);
                dataset.delete_samples(sample.id.clone()).unwrap();
                back = Some(sample);
            }
        }
        dataset.add_samples(back.clone(), &NoProgress).unwrap();
        samples.extend(back);
        for view in &views[6..] {
            agree(&dataset, &samples, view)?;
        }
    }
}

#[test]
fn huge_lists_of_ids_and_values_are_no_trouble() {
    let home = Home::new();
    let dataset = home.dataset();
    dataset.add_samples((0..1_000).map(|number| sample(number, vec![("t", text(&format!("word {number}")))])), &NoProgress).unwrap();
    let ids: Vec<ItemId> = (500..100_500).map(|number| id(1, number)).chain([ItemId::from_text("not one of ours")]).collect();
    assert_eq!(dataset.count_view(&View::new().select(ids.clone())).unwrap(), 500);
    assert_eq!(dataset.count_view(&View::new().exclude(ids)).unwrap(), 500);
    let values: Vec<Literal> = (0..40_000).map(|number| Literal::Text(format!("word {}", number * 2))).collect();
    let path = Path { field: "t".to_owned(), attribute: None };
    assert_eq!(dataset.count_view(&View::new().match_filter(Filter::In { path: path.clone(), values: values.clone() })).unwrap(), 500);
    let any = values.into_iter().take(5_000).map(|value| Filter::Compare { path: path.clone(), comparison: Comparison::Equal, value });
    assert_eq!(dataset.count_view(&View::new().match_filter(Filter::Or(any.collect()))).unwrap(), 500);
}

#[test]
fn a_seed_draws_the_same_photos_in_every_home() {
    let drawn = |remove_first: bool| {
        let home = Home::new();
        let dataset = home.dataset();
        // Made-up ids, and primary keys that do not begin at 1.
        if remove_first {
            dataset.add_samples((0..7).map(|number| sample(number, vec![])), &NoProgress).unwrap();
            dataset.add_samples([sample(99, vec![])], &NoProgress).unwrap();
            dataset.delete_samples((0..7).map(|number| id(1, number))).unwrap();
        } else {
            dataset.add_samples([sample(99, vec![])], &NoProgress).unwrap();
        }
        dataset.add_samples((0..300).map(|number| Sample { id: None, ..sample(number, vec![]) }), &NoProgress).unwrap();
        let view = View::new().take(5, 51).shuffle(3);
        dataset.samples(&view, Fields::Only(&[])).unwrap().map(|sample| sample.unwrap().filepath).collect::<Vec<_>>()
    };
    assert_eq!(drawn(false), drawn(true));
    // Worked out apart from this library, from the published SplitMix64, algorithm S and Fisher-Yates.
    assert_eq!(drawn(false), ["/photos/202.jpg", "/photos/295.jpg", "/photos/175.jpg", "/photos/181.jpg", "/photos/41.jpg"]);
}

#[test]
fn what_labels_are_left_is_what_later_stages_see() {
    let home = Home::new();
    let dataset = home.dataset();
    dataset
        .add_samples(
            [
                sample(0, vec![("det", detections(0, &[("dog", 0.9), ("cat", 0.2)])), ("weather", text("rain"))]),
                sample(1, vec![("det", detections(10, &[("cat", 0.8)])), ("class", classification(1, "night"))]),
                sample(2, vec![("det", detections(20, &[]))]),
            ],
            &NoProgress,
        )
        .unwrap();
    let sure = View::new().filter_labels("det", "confidence > 0.5".parse().unwrap());
    assert_eq!(dataset.count_view(&sure).unwrap(), 2);
    assert_eq!(dataset.count_view(&sure.clone().match_filter("det.label == \"cat\"".parse().unwrap())).unwrap(), 1);
    assert_eq!(dataset.count_view(&sure.clone().filter_labels("det", "label == \"cat\"".parse().unwrap())).unwrap(), 1);
    assert_eq!(dataset.count_view(&sure.to_patches("det")).unwrap(), 2);
    // An empty list is a value; no list is none.
    assert_eq!(dataset.count_view(&View::new().exists("det", true)).unwrap(), 3);
    assert_eq!(dataset.count_view(&View::new().exists("class", false)).unwrap(), 2);
    // Patches know the sample they are of.
    let night = View::new().to_patches("det").match_filter("filepath contains \"1.jpg\" or sample_id == \"none\"".parse().unwrap());
    assert_eq!(dataset.patches(&night).unwrap().map(|patch| patch.unwrap().filepath).collect::<Vec<_>>(), ["/photos/1.jpg"]);
}

#[test]
fn patches_keep_the_order_of_their_samples_whatever_is_asked_of_them() {
    let home = Home::new();
    let dataset = home.dataset();
    let whole =
        |number: u32| sample(number, vec![("n", FieldValue::Int(-i64::from(number))), ("det", detections(number * 10, &[("b", 0.5), ("a", 0.5)]))]);
    dataset.add_samples((0..3).map(whole), &NoProgress).unwrap();
    let ids = [1, 0, 20, 21, 10].map(|number| id(3, number));
    let view = View::new().sort_by("n", false).to_patches("det").select(ids).match_filter("label in [\"a\", \"b\"]".parse().unwrap());
    let found: Vec<ItemId> = dataset.resolve(&view).unwrap().items.into_iter().map(|item| item.id).collect();
    assert_eq!(found, [20, 21, 10, 0, 1].map(|number| id(3, number)));
}

#[test]
fn the_contract_of_core_is_met() {
    let home = Home::new();
    home.dataset().add_samples((0..3).map(|number| sample(number, vec![])), &NoProgress).unwrap();
    let store: &dyn DatasetStore = &home.datasets;
    let resolved = futures::executor::block_on(store.resolve("photos", &View::new().limit(2))).unwrap();
    assert_eq!((resolved.kind, resolved.items.len(), resolved.set.len()), (ItemKind::Samples, 2, 2));
    let error = futures::executor::block_on(store.resolve("photo", &View::new())).unwrap_err();
    assert_eq!(error.hint(), Some("did you mean \"photos\"? there are photos"));
}
