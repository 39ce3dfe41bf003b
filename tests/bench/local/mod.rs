//! The embedded index against the bytes it has to read, and beside the libraries that Python users know.

mod duplicates;
mod floors;
mod peers;

use std::path::Path;
use std::sync::Arc;

use brain::core::{
    Direction, IndexSpec, ItemId, ItemKind, ItemSet, Metric, NearestRequest, NearestResponse, OnConflict, Precision, Scope, SimilarityBackend,
    SimilarityIndex,
};
use brain::local::{LocalIndex, Way};
use futures::executor::block_on;
use futures::stream::{self, StreamExt as _};

use crate::Flags;
use crate::data::Data;
use crate::measure::{against, alone, median_after_ms, median_ms, once_ms, peak_mb, reset_peak, resident_mb};
use floors::Files;

const K: usize = 10;
/// Queries whose answers are compared, for recall.
const ASKED: usize = 50;

pub(crate) fn run(flags: &Flags) {
    let (rows, dimension) = (flags.number("rows", 50_000), flags.number("dim", 512));
    let clustered = flags.text("data").unwrap_or("clustered") == "clustered";
    println!(
        "local index, {rows} rows of {dimension}, cosine, {}, {} threads",
        if clustered { "around centres" } else { "without centres" },
        rayon::current_num_threads()
    );
    let home = tempfile::tempdir().unwrap();
    let sources = brain::core::config::Sources { home: Some(home.path().join("home")), ..Default::default() };
    let brain = brain::Brain::with(&sources, Arc::new(brain::core::NoProgress)).unwrap();
    let backend = brain.backends().get("local").unwrap();
    let data = Data::new(rows, dimension, clustered);
    let ids = data.ids();

    let single = fill(&*backend, &data, &ids, home.path());
    let times = if rows > 200_000 { 7 } else { 21 };
    let single = Bench { index: local(&*single), data: &data, ids: &ids, times };
    single.whole();
    single.many_queries();
    single.views();
    if flags.text("duplicates").is_some() {
        single.duplicates();
    }
    let half = make(&*backend, "bench-f16", "f16", &data);
    block_on(half.add(data.batches(&ids), OnConflict::Error)).unwrap();
    Bench { index: local(&*half), ..single }.half();
    if let Some(python) = flags.text("peers") {
        peers::compare(python, &single, home.path());
    }
}

/// Makes an index and fills it, against a plain write of the same vectors: each is done as often, in turns, and the best of each counts. Both start from memory
/// that is filled already. No file is removed between them: the system would work on the space that it gives back in the time of whoever syncs next.
fn fill(backend: &dyn SimilarityBackend, data: &Data, ids: &[ItemId], folder: &Path) -> Box<dyn SimilarityIndex> {
    let attempts = if data.rows() > 200_000 { 1 } else { 3 };
    let floors: Vec<_> = (0..attempts).map(|attempt| folder.join(format!("floor-{attempt}"))).collect();
    let (mut write, mut add, mut memory) = (f64::MAX, f64::MAX, 0.0_f64);
    let filled = floors.iter().enumerate().map(|(attempt, floor)| {
        write = write.min(once_ms(|| floors::write_and_sync(floor, data)).0);
        let index = make(backend, &format!("bench-{attempt}"), "f32", data);
        let batches = stream::iter(block_on(data.batches(ids).collect::<Vec<_>>())).boxed();
        let before = resident_mb();
        reset_peak();
        let (ms, report) = once_ms(|| block_on(index.add(batches, OnConflict::Overwrite)).unwrap());
        assert_eq!(report.added, data.rows() as u64);
        (add, memory) = (add.min(ms), memory.max(peak_mb() - before));
        index
    });
    let index = filled.last().unwrap();
    against("add all rows, in batches of 1000", add, &format!("write and sync once, best of {attempts}"), write);
    floors.iter().for_each(|floor| std::fs::remove_file(floor).unwrap());
    alone("  memory while adding, beyond the rows", memory, "MB (peak)");
    let (open, _) = once_ms(|| block_on(backend.open(index.spec())).unwrap());
    alone("open", open, "ms");
    index
}

fn make(backend: &dyn SimilarityBackend, name: &str, vector_type: &str, data: &Data) -> Box<dyn SimilarityIndex> {
    let parameters = [("vector_type".to_owned(), vector_type.into())].into();
    let spec = IndexSpec { name: name.to_owned(), dimension: data.dimension, metric: Metric::Cosine, items: ItemKind::Samples, parameters };
    block_on(backend.create(&spec)).unwrap()
}

fn local(index: &dyn SimilarityIndex) -> &LocalIndex {
    index.client().downcast_ref().unwrap()
}

/// One index, filled.
#[derive(Clone, Copy)]
struct Bench<'a> {
    index: &'a LocalIndex,
    data: &'a Data,
    ids: &'a [ItemId],
    times: usize,
}

impl Bench<'_> {
    fn request<'r>(&self, queries: &'r [f32], scope: Scope<'r>) -> NearestRequest<'r> {
        NearestRequest { queries, k: K, scope, direction: Direction::Nearest, precision: Precision::Approximate }
    }

    /// As a user asks: the index chooses its way.
    fn ask(&self, queries: &[f32], scope: Scope<'_>) -> NearestResponse {
        block_on(self.index.nearest(self.request(queries, scope))).unwrap()
    }

    fn ask_by(&self, way: Way, queries: &[f32]) -> NearestResponse {
        self.index.nearest_by(way, self.request(queries, Scope::All)).unwrap()
    }

    fn whole(&self) {
        let query = self.data.row(self.data.rows() / 2);
        let (first, _) = once_ms(|| self.ask(query, Scope::All));
        alone("first query, checksums verified", first, "ms");
        let rows = Files::of(self.index.folder(), "rows");
        let codes = Files::of(self.index.folder(), "codes");
        let read_rows = median_ms(self.times, || rows.read());
        let by_rows = median_ms(self.times, || self.ask_by(Way::Rows, query));
        against("f32 scan", by_rows, "parallel read of the rows", read_rows);
        let read_codes = median_ms(self.times, || codes.read());
        let by_codes = median_ms(self.times, || self.ask_by(Way::Codes, query));
        against("i8 scan and re-rank", by_codes, "parallel read of the codes", read_codes);
        against("i8 scan and re-rank", by_codes, "f32 scan", by_rows);
        alone(
            "  recall@10 of it, against the f32 scan",
            self.recall(),
            &format!("({ASKED} queries; it says exact: {})", self.ask(query, Scope::All).exact),
        );
        println!("  {}", self.ask(query, Scope::All).remark.unwrap_or_default());
    }

    fn recall(&self) -> f64 {
        let mut same = 0;
        for row in (0..ASKED).map(|number| number * self.data.rows() / ASKED) {
            let truth = self.ask_by(Way::Rows, self.data.row(row));
            let found = self.ask(self.data.row(row), Scope::All);
            same += found.hits[0].iter().filter(|hit| truth.hits[0].contains(hit)).count();
        }
        same as f64 / (ASKED * K) as f64
    }

    fn half(&self) {
        let query = self.data.row(self.data.rows() / 2);
        let rows = Files::of(self.index.folder(), "rows");
        self.ask_by(Way::Rows, query);
        let read = median_ms(self.times, || rows.read());
        against("f16 scan", median_ms(self.times, || self.ask_by(Way::Rows, query)), "parallel read of the f16 rows", read);
        against("f16 rows, i8 scan and re-rank", median_ms(self.times, || self.ask_by(Way::Codes, query)), "parallel read of the f16 rows", read);
    }

    fn many_queries(&self) {
        let queries = &self.data.vectors[..200.min(self.data.rows()) * self.data.dimension];
        let times = self.times.min(5);
        let mut out = vec![0.0; self.data.rows() * 200];
        let floor = median_ms(times, || floors::products(&self.data.vectors, queries, self.data.dimension, &mut out));
        drop(out);
        against("200 queries at once", median_ms(times, || self.ask(queries, Scope::All)), "the bare matrix product", floor);
    }

    /// Before each run something else is read, so that no row of the view is in a core's own cache, where the run before left it.
    fn views(&self) {
        let rows = Files::of(self.index.folder(), "rows");
        let another = || floors::read_another(&self.data.vectors);
        let stride = self.data.dimension * size_of::<f32>();
        let query = self.data.row(self.data.rows() / 2);
        for percent in [1, 10, 50] {
            let chosen: Vec<usize> = (0..self.data.rows()).step_by(100 / percent).collect();
            let set: ItemSet = chosen.iter().map(|&row| self.ids[row].clone()).collect();
            let scope = Scope::Items(&set);
            let (first, _) = once_ms(|| self.ask(query, scope));
            let floor = median_after_ms(self.times, another, || rows.read_rows(&chosen, stride));
            let ours = median_after_ms(self.times, another, || self.ask(query, scope));
            against(&format!("within a view of {percent} %"), ours, "parallel read of its rows", floor);
            let by_rows = || self.index.nearest_by(Way::Rows, self.request(query, scope)).unwrap();
            against("  by its rows alone", median_after_ms(self.times, another, by_rows), "parallel read of its rows", floor);
            let floor = median_ms(self.times, || rows.read_rows(&chosen, stride));
            against("  asked again at once, from the caches", median_ms(self.times, || self.ask(query, scope)), "the same read again at once", floor);
            alone("  the first time, its ids looked up", first, "ms");
        }
    }
}
