//! The home that is damaged: made once, kept in memory, restored for each input.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::sync::{Arc, LazyLock};

use brain::Brain;
use brain::core::config::Sources;
use brain::core::{
    AddReport, IndexSpec, Item, ItemId, ItemKind, Metric, NoProgress, OnConflict, OnMissing, Parameters, Result, Selector, SimilarityBackend,
    SimilarityIndex, VectorBatch,
};
use futures::executor::block_on;
use futures::{StreamExt, stream};
use rusqlite::Connection;

use super::super::SCRATCH;
use super::answers::Answers;
use super::damage::Cell;

pub(super) static HOME: LazyLock<Home> = LazyLock::new(Home::make);

/// A home, as it was before the damage.
pub(super) struct Home {
    folder: PathBuf,
    database: Vec<u8>,
    /// The cells of the manifests.
    pub(super) cells: Vec<Cell>,
    pub(super) originals: Vec<Original>,
}

/// One of its indexes.
pub(super) struct Original {
    pub(super) spec: IndexSpec,
    /// Its files and their bytes, by name.
    pub(super) files: Vec<(PathBuf, Vec<u8>)>,
    /// Every row that was ever written, dead ones included.
    pub(super) written: BTreeMap<ItemId, Vec<(Item, Vec<f32>)>>,
    pub(super) answers: Answers,
}

impl Home {
    fn make() -> Self {
        let folder = SCRATCH.path().join("indexes");
        let half = Parameters::from([("vector_type".to_owned(), "f16".into())]);
        let specs = [
            spec("samples", 4, Metric::L1, ItemKind::Samples, Parameters::new()),
            spec("patches", 5, Metric::Cosine, ItemKind::Patches, Parameters::new()),
            spec("halves", 6, Metric::Euclidean, ItemKind::Patches, half),
        ];
        let create = |spec: &IndexSpec| block_on(local(&folder).create(spec)).unwrap().spec().clone();
        let specs = specs.each_ref().map(create);
        // Blocks, segments and runs of a few rows, and codes: several of each in files that are small enough to be restored thousands of times.
        let database = folder.join("brain.db");
        // A damaged generation is nothing that the database notices.
        let cut = "UPDATE local_index SET block_rows = 4, segment_rows = 16, tail_rows = 8, coded = 1, checksum = NULL;
            DROP TRIGGER local_index_unchecked";
        Connection::open(&database).unwrap().execute_batch(cut).unwrap();
        let written = specs.each_ref().map(|spec| fill(&*block_on(local(&folder).open(spec)).unwrap()));
        let mut originals = Vec::new();
        for (spec, written) in specs.into_iter().zip(written) {
            let index = block_on(local(&folder).open(&spec)).unwrap();
            let info = block_on(index.info()).unwrap();
            let entries = fs::read_dir(info.details["folder"].as_str().unwrap()).unwrap();
            let mut paths: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).filter(|path| path.extension().is_some()).collect();
            paths.sort();
            let files = paths.into_iter().map(|path| (path.clone(), fs::read(path).unwrap())).collect();
            let mut original = Original { spec, files, written, answers: Answers(Vec::new()) };
            original.answers = Answers::of(&*index, &original);
            originals.push(original);
        }
        let cells = Cell::of_manifests(&Connection::open(&database).unwrap());
        // The last connection is closed: everything is in this one file.
        Self { folder, database: fs::read(database).unwrap(), cells, originals }
    }

    /// Puts every file back as it was.
    pub(super) fn restore(&self) {
        fs::remove_dir_all(&self.folder).unwrap();
        for (path, bytes) in self.originals.iter().flat_map(|original| &original.files) {
            path.parent().map(fs::create_dir_all).unwrap().unwrap();
            fs::write(path, bytes).unwrap();
        }
        fs::write(self.database(), &self.database).unwrap();
    }

    pub(super) fn database(&self) -> PathBuf {
        self.folder.join("brain.db")
    }

    /// The backend as a new process finds it.
    pub(super) fn backend(&self) -> Arc<dyn SimilarityBackend> {
        local(&self.folder)
    }
}

impl Original {
    /// The ids that are asked for: some that are there, all that were removed or written anew, and one that nobody knows.
    pub(super) fn some_ids(&self) -> Vec<ItemId> {
        let dead = self.written.iter().enumerate().filter(|(number, (_, rows))| number % 3 == 0 || rows.len() > 1);
        dead.map(|(_, (id, _))| id.clone()).chain([ItemId::from_text("nobody")]).collect()
    }
}

fn local(folder: &std::path::Path) -> Arc<dyn SimilarityBackend> {
    let sources = Sources { home: Some(folder.to_owned()), ..Sources::default() };
    Brain::with(&sources, Arc::new(NoProgress)).unwrap().backends().get("local").unwrap()
}

fn spec(name: &str, dimension: usize, metric: Metric, items: ItemKind, parameters: Parameters) -> IndexSpec {
    IndexSpec { name: name.to_owned(), dimension, metric, items, parameters }
}

/// Adds rows in several batches, writes some anew and removes others; everything that was written.
fn fill(index: &dyn SimilarityIndex) -> BTreeMap<ItemId, Vec<(Item, Vec<f32>)>> {
    let spec = index.spec();
    let mut written: BTreeMap<ItemId, Vec<(Item, Vec<f32>)>> = BTreeMap::new();
    let mut step = 0_u32;
    for numbers in [0..13_u32, 13..37, 5..9, 37..40] {
        let mut batch = VectorBatch::with_capacity(numbers.len(), spec.dimension);
        for number in numbers {
            step += 1;
            // As half precision has them too.
            let vector: Vec<f32> = (0..spec.dimension as u32).map(|at| (((step * 37 + at * 11) as f32).sin() * 256.0).round() / 256.0).collect();
            batch.push(item(spec.items, number), &vector).unwrap();
            written.entry(item(spec.items, number).id).or_default().push((item(spec.items, number), vector));
        }
        add(index, batch, OnConflict::Overwrite).unwrap();
    }
    let removed = [2, 20, 38].map(|number| item(spec.items, number).id);
    block_on(index.remove(Selector::Items(&removed), OnMissing::Error)).unwrap();
    written
}

/// Samples have ids of hexadecimal digits, patches free text; three patches share a sample.
fn item(items: ItemKind, number: u32) -> Item {
    match items {
        ItemKind::Samples => {
            let mut bytes = [7; 12];
            bytes[..4].copy_from_slice(&number.wrapping_mul(2_654_435_761).to_be_bytes());
            Item::sample(ItemId::from_bytes(bytes))
        }
        ItemKind::Patches => Item::patch(ItemId::from_text(&format!("patch-{}", number * 7 % 41)), ItemId::from_text(&format!("s{}", number / 3))),
    }
}

pub(super) fn add(index: &dyn SimilarityIndex, batch: VectorBatch, on_conflict: OnConflict) -> Result<AddReport> {
    block_on(index.add(stream::iter([Ok(batch)]).boxed(), on_conflict))
}
