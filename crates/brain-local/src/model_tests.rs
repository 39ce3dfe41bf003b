//! Random histories on an index of tiny blocks, segments and runs, against a plain map that does the same.

use std::collections::{BTreeMap, BTreeSet};

use brain_core::{
    Direction, Error, Hit, IndexSpec, Item, ItemId, ItemKind, ItemSet, Metric, NearestRequest, OnConflict, OnMissing, Parameters, Precision, Result,
    Scope, Selector, SimilarityIndex, VectorBatch,
};
use brain_kernels::Query;
use brain_store::Database;
use futures::executor::block_on;
use futures::{StreamExt, TryStreamExt, stream};
use proptest::prelude::*;

use crate::format::Layout;
use crate::{LocalBackend, LocalIndex, Way};

const DIMENSION: usize = 3;
pub(crate) const TINY: Layout = Layout { block_rows: 4, segment_rows: 12, tail_rows: 5, coded: true };

/// One step of a history. Ids and samples are small numbers, so that they meet again.
#[derive(Clone, Debug)]
pub(crate) enum Step {
    Add(Vec<(u8, u8, [i8; DIMENSION])>, OnConflict),
    Remove(Vec<u8>),
    RemoveSamples(Vec<u8>),
    RemoveAll,
    /// Go on with a handle that knows nothing yet.
    Reopen,
}

pub(crate) fn steps() -> impl Strategy<Value = Vec<Step>> {
    let vector = prop::array::uniform3(-3_i8..4);
    let rows = prop::collection::btree_map(0_u8..60, (0_u8..12, vector), 0..20);
    let rows = rows.prop_map(|rows| rows.into_iter().map(|(id, (sample, vector))| (id, sample, vector)).collect());
    let conflict = prop_oneof![4 => Just(OnConflict::Overwrite), 1 => Just(OnConflict::Skip), 1 => Just(OnConflict::Error)];
    let step = prop_oneof![
        8 => (rows, conflict).prop_map(|(rows, conflict)| Step::Add(rows, conflict)),
        3 => prop::collection::vec(0_u8..60, 0..30).prop_map(Step::Remove),
        2 => prop::collection::vec(0_u8..12, 0..4).prop_map(Step::RemoveSamples),
        1 => Just(Step::RemoveAll),
        3 => Just(Step::Reopen),
    ];
    prop::collection::vec(step, 1..16)
}

/// Every third id is free text; the others have 24 digits.
fn id(number: u8) -> ItemId {
    if number.is_multiple_of(3) { ItemId::from_text(&format!("id-{number}")) } else { ItemId::from_bytes([number; 12]) }
}

fn item((number, sample): (u8, u8)) -> Item {
    Item::patch(id(number), id(sample + 100))
}

fn numbers(vector: [i8; DIMENSION]) -> [f32; DIMENSION] {
    vector.map(|x| f32::from(x) / 2.0)
}

pub(crate) type Model = BTreeMap<ItemId, (ItemId, [f32; DIMENSION])>;

pub(crate) fn backend(home: &std::path::Path) -> LocalBackend {
    LocalBackend::new(Database::open(home).unwrap()).unwrap()
}

pub(crate) fn spec(metric: Metric) -> IndexSpec {
    IndexSpec { name: "tiny".into(), dimension: DIMENSION, metric, items: ItemKind::Patches, parameters: Parameters::new() }
}

/// All numbers here are whole in half precision too.
pub(crate) fn half(spec: IndexSpec) -> IndexSpec {
    IndexSpec { parameters: [("vector_type".to_owned(), "f16".into())].into(), ..spec }
}

pub(crate) async fn apply(index: &LocalIndex, model: &mut Model, step: &Step) -> Result<(), TestCaseError> {
    match step {
        Step::Add(rows, on_conflict) => {
            let mut batch = VectorBatch::with_capacity(rows.len(), DIMENSION);
            for &(number, sample, vector) in rows {
                batch.push(item((number, sample)), &numbers(vector)).unwrap();
            }
            let known = rows.iter().filter(|row| model.contains_key(&id(row.0))).count() as u64;
            let report = index.add(stream::iter([Ok(batch)]).boxed(), *on_conflict).await;
            if *on_conflict == OnConflict::Error && known > 0 {
                prop_assert!(report.is_err());
                return Ok(());
            }
            let report = report.unwrap();
            prop_assert_eq!(report.added, rows.len() as u64 - known);
            prop_assert_eq!(report.replaced + report.skipped, known);
            for &(number, sample, vector) in rows {
                if *on_conflict == OnConflict::Overwrite || !model.contains_key(&id(number)) {
                    model.insert(id(number), (id(sample + 100), numbers(vector)));
                }
            }
        }
        Step::Remove(ids) => {
            let ids: Vec<ItemId> = ids.iter().map(|&number| id(number)).collect();
            let before = model.len();
            model.retain(|id, _| !ids.contains(id));
            let report = index.remove(Selector::Items(&ids), OnMissing::Ignore).await.unwrap();
            prop_assert_eq!(report.removed as usize, before - model.len());
        }
        Step::RemoveSamples(samples) => {
            let samples: Vec<ItemId> = samples.iter().map(|&sample| id(sample + 100)).collect();
            let before = model.len();
            model.retain(|_, (sample, _)| !samples.contains(sample));
            let report = index.remove(Selector::Samples(&samples), OnMissing::Ignore).await.unwrap();
            prop_assert_eq!(report.removed as usize, before - model.len());
        }
        Step::RemoveAll => {
            model.clear();
            index.remove(Selector::All, OnMissing::Error).await.unwrap();
        }
        Step::Reopen => {}
    }
    Ok(())
}

/// Everything that can be asked of the index, against the model.
pub(crate) async fn compare(index: &LocalIndex, model: &Model, metric: Metric) -> Result<(), TestCaseError> {
    prop_assert_eq!(index.count(Scope::All).await.unwrap() as usize, model.len());

    let batches: Vec<VectorBatch> = index.stream().try_collect().await.unwrap();
    let streamed: Model = batches
        .iter()
        .flat_map(VectorBatch::rows)
        .map(|(item, vector)| (item.id.clone(), (item.sample_id.clone(), vector.try_into().unwrap())))
        .collect();
    prop_assert_eq!(&streamed, model);
    let ids: Vec<Vec<Item>> = index.ids().try_collect().await.unwrap();
    prop_assert_eq!(ids.concat().len(), model.len());

    // In an order that is no sorted one, some of them unknown, one twice.
    let asked: Vec<ItemId> = [7, 3, 59, 3, 200, 0].map(id).to_vec();
    let fetched = index.fetch(Selector::Items(&asked)).await.unwrap();
    let expected: Vec<&ItemId> = asked.iter().filter(|id| model.contains_key(id)).collect();
    prop_assert_eq!(fetched.rows.items().iter().map(|item| &item.id).collect::<Vec<_>>(), expected);
    prop_assert_eq!(fetched.rows.len() + fetched.missing.len(), asked.len());
    for (item, vector) in fetched.rows.rows() {
        prop_assert_eq!(vector, &model[&item.id].1[..]);
    }
    let samples = [id(105), id(102)];
    let fetched = index.fetch(Selector::Samples(&samples)).await.unwrap();
    let of = |sample: &ItemId| model.iter().filter(move |(_, row)| row.0 == *sample).map(|(id, _)| id).cloned().collect::<Vec<_>>();
    prop_assert_eq!(fetched.rows.items().iter().map(|item| item.id.clone()).collect::<Vec<_>>(), [of(&samples[0]), of(&samples[1])].concat());

    let few: ItemSet = (0..9).map(id).collect();
    let many: ItemSet = (5..60).map(id).collect();
    let samples: ItemSet = (100..106).map(id).collect();
    let queries = [[0.5, -1.0, 0.0], [0.0, 0.0, 1.5]];
    for scope in [Scope::All, Scope::Items(&few), Scope::Items(&many), Scope::Samples(&samples)] {
        let rows: Vec<_> = model.iter().filter(|(id, row)| scope.contains(&Item::patch((*id).clone(), row.0.clone()))).collect();
        prop_assert_eq!(index.count(scope).await.unwrap() as usize, rows.len());
        let samples: BTreeSet<&ItemId> = rows.iter().map(|(_, row)| &row.0).collect();
        prop_assert_eq!(index.count_samples(scope).await.unwrap() as usize, samples.len());
        for (k, direction) in [(4, Direction::Nearest), (1000, Direction::Nearest), (4, Direction::Farthest)] {
            let request = NearestRequest { queries: queries.as_flattened(), k, scope, direction, precision: Precision::Exact };
            let found = index.nearest(request).await.unwrap();
            prop_assert!(found.exact);
            for (query, hits) in queries.iter().zip(found.hits.clone()) {
                // The kernels have their own oracle; here it is the same kernel, so that ties are the same ties.
                let query = Query::new(metric, query);
                let hit = |(id, row): &(&ItemId, &(ItemId, [f32; DIMENSION]))| Hit {
                    item: Item::patch((*id).clone(), row.0.clone()),
                    distance: query.distance(&row.1[..]),
                };
                let mut expected: Vec<Hit> = rows.iter().map(hit).collect();
                // Stable, over rows that are sorted by id.
                expected.sort_by(|a, b| match direction {
                    Direction::Nearest => a.distance.total_cmp(&b.distance),
                    Direction::Farthest => b.distance.total_cmp(&a.distance),
                });
                expected.truncate(k);
                prop_assert_eq!(hits, expected);
            }
            for way in [Way::Rows, Way::Codes] {
                prop_assert_eq!(index.nearest_by(way, request).unwrap().hits, found.hits.clone(), "{:?}", way);
            }
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn an_index_does_what_a_map_does(
        steps in steps(),
        metric in prop::sample::select(vec![Metric::Euclidean, Metric::DotProduct, Metric::L1, Metric::Hamming]),
        halved: bool,
        settled: bool,
    ) {
        let home = tempfile::tempdir().unwrap();
        let mut current = backend(home.path());
        let spec = if halved { half(spec(metric)) } else { spec(metric) };
        let mut index = current.make(&spec, TINY).unwrap();
        let mut model = Model::new();
        block_on(async {
            for step in &steps {
                apply(&index, &mut model, step).await?;
                if matches!(step, Step::Reopen) {
                    current = backend(home.path());
                    index = current.find("tiny").unwrap();
                }
                if settled {
                    index.settle();
                }
                compare(&index, &model, metric).await?;
            }
            Ok::<_, TestCaseError>(())
        })?;
    }
}

/// Every file that the index has, by name.
fn files(index: &crate::LocalIndex) -> Vec<String> {
    let mut names: Vec<_> = std::fs::read_dir(index.folder()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

pub(crate) fn rows(numbers: std::ops::Range<u8>) -> Step {
    Step::Add(numbers.map(|number| (number, number % 12, [1, 2, 3])).collect(), OnConflict::Overwrite)
}

#[test]
fn compaction_leaves_no_file_behind_and_old_readers_at_peace() -> Result<(), Error> {
    let home = tempfile::tempdir().unwrap();
    let backend = backend(home.path());
    let index = backend.make(&spec(Metric::L1), TINY)?;
    let mut model = Model::new();
    block_on(async {
        apply(&index, &mut model, &rows(0..40)).await.unwrap();
        let mut reader = index.stream();
        let first = reader.next().await.unwrap()?;
        assert_eq!(first.len(), 40);
        let mut reader = index.ids();
        apply(&index, &mut model, &Step::Remove((0..25).collect())).await.unwrap();
        index.settle();
        assert_eq!(reader.next().await.unwrap()?.len(), 15);
        let segments = ["000005", "000006"].map(|number| ["codes", "names", "owners", "rows"].map(|kind| format!("{number}.{kind}")));
        assert_eq!(files(&index), [segments.concat(), ["000007.order", "changes", "lock"].map(str::to_owned).to_vec()].concat());
        let info = index.info().await?;
        assert_eq!((info.items, info.details["dead_rows"].as_u64(), info.details["segments"].as_u64()), (15, Some(0), Some(2)));
        compare(&index, &model, Metric::L1).await.unwrap();
        Ok(())
    })
}

#[test]
fn a_stream_shows_one_state_while_the_index_is_compacted() {
    let home = tempfile::tempdir().unwrap();
    let backend = backend(home.path());
    // Rows so long that a batch holds two.
    let wide = IndexSpec { dimension: 600_000, ..spec(Metric::L1) };
    let index = backend.make(&wide, TINY).unwrap();
    let batch = |ids: std::ops::Range<u8>| {
        let mut batch = VectorBatch::with_capacity(ids.len(), wide.dimension);
        ids.for_each(|number| batch.push(item((number, 0)), &vec![f32::from(number); wide.dimension]).unwrap());
        stream::iter([Ok(batch)]).boxed()
    };
    block_on(async {
        index.add(batch(0..6), OnConflict::Error).await.unwrap();
        let mut reader = index.stream();
        let mut seen = reader.next().await.unwrap().unwrap().len();
        assert!(seen < 6);
        index.remove(Selector::Items(&[0, 1, 2, 3].map(id)), OnMissing::Error).await.unwrap();
        index.settle();
        assert_eq!(index.info().await.unwrap().details["dead_rows"], 0);
        while let Some(batch) = reader.next().await {
            let batch = batch.unwrap();
            assert!(batch.rows().all(|(item, vector)| item.id == id(vector[9] as u8)));
            seen += batch.len();
        }
        assert_eq!(seen, 6);
    });
}

/// Rows as embeddings are: around centres, and some of them twice, with a query among them.
fn embeddings(rows: usize, dimension: usize) -> Vec<f32> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut random = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 40) as f32 / (1 << 23) as f32 - 1.0
    };
    let centres: Vec<Vec<f32>> = (0..10).map(|_| (0..dimension).map(|_| random()).collect()).collect();
    (0..rows).flat_map(|row| centres[row % 10].iter().map(|x| if row % 7 == 0 { *x } else { x + random() / 3.0 }).collect::<Vec<f32>>()).collect()
}

#[test]
fn codes_find_what_comparing_every_row_finds() {
    const WIDE: usize = 96;
    let vectors = embeddings(900, WIDE);
    for metric in Metric::ALL {
        for vector_type in ["f32", "f16"] {
            let home = tempfile::tempdir().unwrap();
            let backend = backend(home.path());
            let parameters = [("vector_type".to_owned(), vector_type.into())].into();
            let wide = IndexSpec { dimension: WIDE, items: ItemKind::Samples, parameters, ..spec(metric) };
            let index = backend.make(&wide, Layout { block_rows: 32, segment_rows: 256, tail_rows: 100, coded: true }).unwrap();
            // From the last to the first, so that the order of the ids is not that of the rows.
            let items = (0..900_u32).rev().map(|row| Item::sample(ItemId::from_text(&format!("{row:024x}")))).collect();
            let batch = VectorBatch::new(items, WIDE, vectors.clone()).unwrap();
            block_on(index.add(stream::iter([Ok(batch)]).boxed(), OnConflict::Error)).unwrap();
            let view: ItemSet = (0..900_u32).filter(|row| row % 3 == 0 || *row < 200).map(|row| ItemId::from_text(&format!("{row:024x}"))).collect();
            let mut in_full = 0;
            for (number, query) in vectors.chunks(WIDE * 3).take(40).enumerate() {
                let scope = if number % 2 == 0 { Scope::All } else { Scope::Items(&view) };
                for direction in [Direction::Nearest, Direction::Farthest] {
                    let request = NearestRequest { queries: query, k: 1 + number, scope, direction, precision: Precision::Exact };
                    let by_codes = index.nearest_by(Way::Codes, request).unwrap();
                    assert_eq!(by_codes.hits, index.nearest_by(Way::Rows, request).unwrap().hits, "{metric} {vector_type} {direction:?}");
                    in_full += usize::from(by_codes.remark.unwrap().ends_with("rows"));
                }
            }
            // Some answers had too many candidates; most had not, or this would have tested nothing.
            assert!(metric == Metric::Hamming || metric == Metric::Jaccard || in_full < 40, "{metric} {vector_type}: {in_full}");
        }
    }
}

#[test]
fn codes_that_are_lost_or_damaged_cost_nothing_and_are_written_again() {
    const WIDE: usize = 96;
    let damages: [fn(&std::path::Path); 3] = [
        |path| std::fs::remove_file(path).unwrap(),
        |path| std::fs::write(path, "").unwrap(),
        |path| std::fs::write(path, vec![7; std::fs::metadata(path).unwrap().len() as usize]).unwrap(),
    ];
    for damage in damages {
        let home = tempfile::tempdir().unwrap();
        let wide = IndexSpec { dimension: WIDE, ..spec(Metric::Cosine) };
        let vectors = embeddings(101, WIDE);
        let batch = |from: usize, to: usize| {
            let items = (from..to).map(|row| Item::sample(id(row as u8))).collect();
            stream::iter([VectorBatch::new(items, WIDE, vectors[from * WIDE..to * WIDE].to_vec())]).boxed()
        };
        let layout = Layout { block_rows: 32, segment_rows: 64, tail_rows: 100, coded: true };
        let index = backend(home.path()).make(&wide, layout).unwrap();
        block_on(index.add(batch(0, 100), OnConflict::Error)).unwrap();
        let request =
            NearestRequest { queries: &vectors[..WIDE], k: 5, scope: Scope::All, direction: Direction::Nearest, precision: Precision::Exact };
        let expected = index.nearest_by(Way::Rows, request).unwrap().hits;
        let codes = index.folder().join("000000.codes");
        drop(index);
        damage(&codes);
        let index = backend(home.path()).find("tiny").unwrap();
        assert_eq!(index.nearest_by(Way::Codes, request).unwrap().hits, expected);
        block_on(index.add(batch(100, 101), OnConflict::Error)).unwrap();
        index.settle();
        assert!(!codes.exists() && files(&index).iter().filter(|name| name.ends_with(".codes")).count() == 2, "{:?}", files(&index));
        assert!(index.nearest_by(Way::Codes, request).unwrap().remark.unwrap().contains("by their codes"));
    }
}
