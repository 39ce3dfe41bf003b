//! Seeded changes to an index, and what it must hold after them.

use std::collections::BTreeMap;
use std::path::Path;

use brain_core::oracle::Oracle;
use brain_core::search::SearchRequest;
use brain_core::{
    Direction, IndexSpec, Item, ItemId, ItemKind, Metric, NearestRequest, OnConflict, OnMissing, Parameters, Precision, Result, Scope, Selector,
    SimilarityBackend, SimilarityIndex, VectorBatch,
};
use brain_store::Database;
use brain_testkit::compare::Expected;
use brain_testkit::random::Random;
use futures::executor::block_on;
use futures::{StreamExt, TryStreamExt, stream};

use crate::home::backend;

/// How many items there are to add and remove.
const ITEMS: usize = 240;
const DIMENSION: usize = 16;

/// Rows of a block, a segment, and a tail of the order that is not sorted into a run: small, so that a few hundred rows have several of each, and are
/// compacted often.
pub(crate) const BLOCK_ROWS: u32 = 16;
const SEGMENT_ROWS: u32 = 64;
const TAIL_ROWS: u32 = 32;

pub(crate) fn spec() -> IndexSpec {
    IndexSpec { name: "patches".into(), dimension: DIMENSION, metric: Metric::Euclidean, items: ItemKind::Patches, parameters: Parameters::new() }
}

/// Makes the index in `home`, cut small, and with codes although it is.
pub(crate) fn create(home: &Path) {
    block_on(backend(home).create(&spec())).unwrap();
    let layout = (BLOCK_ROWS, SEGMENT_ROWS, TAIL_ROWS);
    let cut = "UPDATE local_index SET block_rows = ?1, segment_rows = ?2, tail_rows = ?3, coded = 1, checksum = NULL";
    Database::open(home).unwrap().write("cut small", |transaction| transaction.execute(cut, layout)).unwrap();
}

pub(crate) fn open(home: &Path) -> Box<dyn SimilarityIndex> {
    block_on(backend(home).open(&spec())).unwrap()
}

/// One change, decided by its number.
#[derive(Debug)]
pub(crate) enum Change {
    /// Some items are added, or written anew.
    Add(VectorBatch),
    Remove(Vec<ItemId>),
    RemoveSamples(Vec<ItemId>),
    RemoveAll,
}

impl Change {
    pub(crate) fn new(number: u64) -> Self {
        let mut random = Random::new(number);
        let mut some = |most: usize| {
            let mut numbers: Vec<usize> = (0..1 + random.below(most)).map(|_| random.below(ITEMS)).collect();
            numbers.sort_unstable();
            numbers.dedup();
            numbers
        };
        match Random::new(!number).below(20) {
            0 => Self::RemoveAll,
            1..4 => Self::Remove(some(60).into_iter().map(|number| item(number).id).collect()),
            4 => Self::RemoveSamples(some(10).into_iter().map(|number| item(number).sample_id).collect()),
            _ => {
                let numbers = some(90);
                let mut batch = VectorBatch::with_capacity(numbers.len(), DIMENSION);
                for number in numbers {
                    let vector: Vec<f32> = std::iter::repeat_with(|| random.normal()).take(DIMENSION).collect();
                    batch.push(item(number), &vector).unwrap();
                }
                Self::Add(batch)
            }
        }
    }

    pub(crate) fn apply(self, index: &dyn SimilarityIndex) -> Result<()> {
        match self {
            Self::Add(batch) => block_on(index.add(stream::iter([Ok(batch)]).boxed(), OnConflict::Overwrite)).map(drop),
            Self::Remove(ids) => block_on(index.remove(Selector::Items(&ids), OnMissing::Ignore)).map(drop),
            Self::RemoveSamples(ids) => block_on(index.remove(Selector::Samples(&ids), OnMissing::Ignore)).map(drop),
            Self::RemoveAll => block_on(index.remove(Selector::All, OnMissing::Ignore)).map(drop),
        }
    }
}

/// Ids of both kinds; four patches share a sample.
fn item(number: usize) -> Item {
    let id = |text: String, bytes: usize| if number % 8 < 4 { ItemId::from_text(&text) } else { ItemId::from_bytes([bytes as u8; 12]) };
    Item::patch(id(format!("patch {number}"), number), id(format!("sample {}", number / 4), 255 - number / 4))
}

/// What an index must hold.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Model(BTreeMap<ItemId, (Item, Vec<f32>)>);

impl Model {
    pub(crate) fn after(mut self, change: &Change) -> Self {
        match change {
            Change::Add(batch) => self.0.extend(batch.rows().map(|(item, vector)| (item.id.clone(), (item.clone(), vector.to_vec())))),
            Change::Remove(ids) => ids.iter().for_each(|id| drop(self.0.remove(id))),
            Change::RemoveSamples(ids) => self.0.retain(|_, (item, _)| !ids.contains(&item.sample_id)),
            Change::RemoveAll => self.0.clear(),
        }
        self
    }

    /// What an index holds, by its stream.
    pub(crate) fn of(index: &dyn SimilarityIndex) -> Result<Self> {
        let batches: Vec<VectorBatch> = block_on(index.stream().try_collect())?;
        let rows = batches.iter().flat_map(VectorBatch::rows);
        let mut model = Self::default();
        for (item, vector) in rows {
            let twice = model.0.insert(item.id.clone(), (item.clone(), vector.to_vec()));
            assert_eq!(twice, None, "{} is there twice", item.id);
        }
        Ok(model)
    }

    /// Asserts that counts, ids and searches of the index say the same.
    pub(crate) fn assert_answers(&self, index: &dyn SimilarityIndex) {
        assert_eq!(block_on(index.count(Scope::All)).unwrap(), self.0.len() as u64);
        let ids: Vec<ItemId> = self.0.keys().cloned().collect();
        let fetched = block_on(index.fetch(Selector::Items(&ids))).unwrap();
        assert_eq!(fetched.missing, []);
        assert!(fetched.rows.rows().eq(self.0.values().map(|(item, vector)| (item, vector.as_slice()))));
        let mut oracle = Oracle::new(spec().metric);
        self.0.values().for_each(|(item, vector)| oracle.insert(item.clone(), vector.clone()));
        let query = vec![0.25; DIMENSION];
        let request = NearestRequest { queries: &query, k: 10, scope: Scope::All, direction: Direction::Nearest, precision: Precision::Exact };
        let found = block_on(index.nearest(request)).unwrap();
        let asked = SearchRequest { k: Some(10), ..SearchRequest::new(vec![query.clone()]) };
        Expected::of(&oracle, &asked)[0].assert_same(&found.hits[0]);
    }
}
