//! The first version of the files: a home that it wrote still opens, answers, and is written to.

use std::fs;
use std::path::Path;

use brain_core::{
    Direction, IndexSpec, Item, ItemId, ItemKind, ItemSet, Metric, NearestRequest, OnConflict, OnMissing, Parameters, Precision, Scope, Selector,
    SimilarityBackend, SimilarityIndex, VectorBatch,
};
use futures::executor::block_on;
use futures::{StreamExt, TryStreamExt, stream};

use crate::home::backend;

const FIXTURE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/format-1/home");

/// The fixture's indexes: samples with ids of hexadecimal digits, and patches with ids of free text.
fn specs() -> [IndexSpec; 2] {
    let spec = |name: &str, dimension, metric, items| IndexSpec { name: name.into(), dimension, metric, items, parameters: Parameters::new() };
    [spec("photos", 8, Metric::Cosine, ItemKind::Samples), spec("boxes", 5, Metric::Euclidean, ItemKind::Patches)]
}

fn item(spec: &IndexSpec, number: u32) -> Item {
    match spec.items {
        ItemKind::Samples => {
            let mut bytes = [0; 12];
            bytes[..4].copy_from_slice(&number.wrapping_mul(2_654_435_761).to_be_bytes());
            bytes[11] = number as u8;
            Item::sample(ItemId::from_bytes(bytes))
        }
        ItemKind::Patches => Item::patch(ItemId::from_text(&format!("box-{number}-é")), ItemId::from_text(&format!("image {}", number / 3))),
    }
}

/// The vector of an item, in the `version`th writing of it.
fn vector(spec: &IndexSpec, number: u32, version: u32) -> Vec<f32> {
    // No two are alike, nor point the same way.
    (0..spec.dimension as u32).map(|at| ((number * 7 + at * 5 + version * 3) % 23) as f32 / 4.0 - 2.5 + (number * at) as f32 / 64.0).collect()
}

fn batch(spec: &IndexSpec, numbers: impl Iterator<Item = u32>, version: u32) -> VectorBatch {
    let mut batch = VectorBatch::with_capacity(0, spec.dimension);
    numbers.for_each(|number| batch.push(item(spec, number), &vector(spec, number, version)).unwrap());
    batch
}

fn add(index: &dyn SimilarityIndex, batch: VectorBatch) {
    block_on(index.add(stream::iter([Ok(batch)]).boxed(), OnConflict::Overwrite)).unwrap();
}

/// What was done to each index of the fixture, by the program of that version.
fn fill(index: &dyn SimilarityIndex) {
    let spec = index.spec();
    add(index, batch(spec, 0..21, 0));
    add(index, batch(spec, 21..50, 0));
    add(index, batch(spec, 4..8, 1));
    let removed = [0, 9, 30].map(|number| item(spec, number).id);
    block_on(index.remove(Selector::Items(&removed), OnMissing::Error)).unwrap();
}

/// So what it holds.
fn held(spec: &IndexSpec) -> Vec<(Item, Vec<f32>)> {
    let there = (0..50).filter(|number| ![0, 9, 30].contains(number));
    there.map(|number| (item(spec, number), vector(spec, number, u32::from((4..8).contains(&number))))).collect()
}

fn assert_holds(index: &dyn SimilarityIndex, mut expected: Vec<(Item, Vec<f32>)>) {
    let batches: Vec<VectorBatch> = block_on(index.stream().try_collect()).unwrap();
    let rows = batches.iter().flat_map(VectorBatch::rows);
    let mut found: Vec<_> = rows.map(|(item, vector)| (item.clone(), vector.to_vec())).collect();
    found.sort_by(|(a, _), (b, _)| a.id.cmp(&b.id));
    expected.sort_by(|(a, _), (b, _)| a.id.cmp(&b.id));
    assert_eq!(found, expected);
    let ids: Vec<ItemId> = expected.iter().map(|(item, _)| item.id.clone()).collect();
    let fetched = block_on(index.fetch(Selector::Items(&ids))).unwrap();
    assert_eq!(fetched.missing, []);
    assert!(fetched.rows.rows().eq(expected.iter().map(|(item, vector)| (item, vector.as_slice()))));
    // Each row is the nearest to itself, every other one within a view of those.
    let view: ItemSet = ids.iter().step_by(2).cloned().collect();
    for ((item, vector), scope) in expected.iter().zip([Scope::Items(&view), Scope::All].into_iter().cycle()) {
        let request = NearestRequest { queries: vector, k: 3, scope, direction: Direction::Nearest, precision: Precision::Exact };
        let hits = block_on(index.nearest(request)).unwrap().hits.remove(0);
        assert_eq!(hits.len(), 3);
        let nearest = hits.iter().take_while(|hit| hit.distance <= hits[0].distance + 1e-6);
        assert!(hits[0].distance < 1e-3 && nearest.into_iter().any(|hit| hit.item == *item), "{item:?}: {hits:?}");
    }
}

fn copied(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let to = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copied(&entry.path(), &to);
        } else {
            fs::copy(entry.path(), to).unwrap();
        }
    }
}

#[test]
fn a_home_of_the_first_format_opens_answers_and_is_written_to() {
    let home = tempfile::tempdir().unwrap();
    copied(Path::new(FIXTURE), home.path());
    for spec in specs() {
        let index = block_on(backend(home.path()).open(&spec)).unwrap();
        assert_holds(&*index, held(&spec));
        // One more, one anew, one gone; by this version, beside the rows of that one.
        add(&*index, batch(&spec, [50, 12].into_iter(), 2));
        block_on(index.remove(Selector::Items(&[item(&spec, 13).id]), OnMissing::Error)).unwrap();
        let mut expected = held(&spec);
        expected.retain(|(held, _)| ![12, 13].map(|number| item(&spec, number)).contains(held));
        expected.extend([50, 12].map(|number| (item(&spec, number), vector(&spec, number, 2))));
        assert_holds(&*index, expected.clone());
        assert_holds(&*block_on(backend(home.path()).open(&spec)).unwrap(), expected);
        // Written anew again and again, so that the old rows are compacted away.
        for version in 3..8 {
            add(&*index, batch(&spec, 0..60, version));
        }
        let expected: Vec<_> = (0..60).map(|number| (item(&spec, number), vector(&spec, number, 7))).collect();
        assert_holds(&*block_on(backend(home.path()).open(&spec)).unwrap(), expected);
    }
}

/// The steps that made the fixture give what it holds: the data above is not merely what it happens to hold.
#[test]
fn the_steps_that_made_it_give_the_same_today() {
    let home = tempfile::tempdir().unwrap();
    for spec in specs() {
        let index = block_on(backend(home.path()).create(&spec)).unwrap();
        fill(&*index);
        assert_holds(&*index, held(&spec));
    }
}
