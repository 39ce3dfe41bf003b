//! A home in a temporary folder, and numbered items for it.

use std::ops::Range;
use std::path::{Path, PathBuf};

use brain_core::{
    AddReport, Direction, Hit, IndexSpec, Item, ItemId, ItemKind, Metric, NearestRequest, OnConflict, Parameters, Precision, Result, Scope,
    SimilarityBackend, SimilarityIndex, VectorBatch,
};
use brain_local::{LocalBackend, LocalIndex};
use brain_store::Database;
use futures::executor::block_on;
use futures::{StreamExt, stream};

pub(crate) const DIMENSION: usize = 64;

pub(crate) struct Home {
    pub(crate) folder: tempfile::TempDir,
}

impl Home {
    pub(crate) fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    /// A backend that shares nothing with the others of this process but the files.
    pub(crate) fn backend(&self) -> LocalBackend {
        backend(self.folder.path())
    }

    pub(crate) fn create(&self) -> Box<dyn SimilarityIndex> {
        block_on(self.backend().create(&spec())).unwrap()
    }

    /// The index as a new process would see it.
    pub(crate) fn open(&self) -> Result<Box<dyn SimilarityIndex>> {
        block_on(self.backend().open(&spec()))
    }

    /// Changes what `brain.db` says, as a fault would.
    pub(crate) fn change(&self, sql: &str) {
        Database::open(self.folder.path()).unwrap().write("change", |transaction| transaction.execute(sql, [])).unwrap();
    }

    /// The only file of the index that ends so.
    pub(crate) fn file(&self, extension: &str) -> PathBuf {
        let mut folders = std::fs::read_dir(self.folder.path().join("indexes")).unwrap();
        let folder = folders.next().unwrap().unwrap().path();
        let mut files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
        files.find(|path| path.extension().is_some_and(|found| found == extension)).unwrap()
    }
}

pub(crate) fn backend(home: &Path) -> LocalBackend {
    LocalBackend::new(Database::open(home).unwrap()).unwrap()
}

pub(crate) fn spec() -> IndexSpec {
    IndexSpec { name: "numbers".into(), dimension: DIMENSION, metric: Metric::L1, items: ItemKind::Samples, parameters: Parameters::new() }
}

/// Ids in an order that is not that of the numbers.
pub(crate) fn id(number: u32) -> ItemId {
    let mut bytes = [0; 12];
    bytes[..4].copy_from_slice(&number.wrapping_mul(2_654_435_761).to_be_bytes());
    bytes[8..].copy_from_slice(&number.to_be_bytes());
    ItemId::from_bytes(bytes)
}

/// `number` at the front, and as many zeros as it takes: the distance of two of these is the difference of their numbers.
pub(crate) fn vector(number: u32) -> Vec<f32> {
    let mut vector = vec![0.0; DIMENSION];
    vector[0] = number as f32;
    vector
}

pub(crate) fn batch(numbers: Range<u32>) -> VectorBatch {
    let mut batch = VectorBatch::with_capacity(numbers.len(), DIMENSION);
    numbers.for_each(|number| batch.push(Item::sample(id(number)), &vector(number)).unwrap());
    batch
}

pub(crate) fn add(index: &dyn SimilarityIndex, numbers: Range<u32>, on_conflict: OnConflict) -> Result<AddReport> {
    block_on(index.add(stream::iter([Ok(batch(numbers))]).boxed(), on_conflict))
}

pub(crate) fn nearest(index: &dyn SimilarityIndex, number: u32, k: usize, scope: Scope<'_>) -> Result<Vec<Hit>> {
    let queries = vector(number);
    let request = NearestRequest { queries: &queries, k, scope, direction: Direction::Nearest, precision: Precision::Exact };
    block_on(index.nearest(request)).map(|mut found| found.hits.remove(0))
}

/// The index holds exactly these numbers, each under its id, and finds each.
pub(crate) fn assert_holds(index: &dyn SimilarityIndex, numbers: Range<u32>) {
    assert_eq!(block_on(index.count(Scope::All)).unwrap(), numbers.len() as u64);
    let hits = nearest(index, numbers.start, numbers.len() + 1, Scope::All).unwrap();
    let expected: Vec<_> = numbers.clone().map(|number| (id(number), (number - numbers.start) as f32)).collect();
    assert_eq!(hits.into_iter().map(|hit| (hit.item.id, hit.distance)).collect::<Vec<_>>(), expected);
    let some: Vec<ItemId> = numbers.clone().step_by(97).map(id).collect();
    let fetched = block_on(index.fetch(brain_core::Selector::Items(&some))).unwrap();
    assert_eq!(fetched.missing, []);
    assert_eq!(fetched.rows.vectors(), numbers.step_by(97).flat_map(vector).collect::<Vec<_>>());
}

pub(crate) fn local(index: &dyn SimilarityIndex) -> &LocalIndex {
    index.client().downcast_ref().unwrap()
}
