//! A graph that is lost, damaged or out of date costs speed and never an answer; one that is there finds what it should.

#![allow(clippy::unwrap_used, reason = "a failed assumption of a test is a failed test")]

use std::path::{Path, PathBuf};

use brain_core::oracle::Oracle;
use brain_core::search::{Aggregation, SearchRequest};
use brain_core::{
    Direction, IndexSpec, ItemSet, Metric, NearestRequest, NearestResponse, OnConflict, OnMissing, Precision, Scope, Selector, SimilarityBackend,
    SimilarityIndex, VectorBatch,
};
use brain_store::Database;
use brain_testkit::compare::{Expected, Recall};
use brain_testkit::corpus::{Corpus, Extent, Ids};
use brain_testkit::shape::Shape;
use futures::executor::block_on;
use futures::{StreamExt, stream};

use crate::format::Layout;
use crate::{LocalBackend, LocalIndex};

const K: usize = 10;
const ROWS: usize = 1500;
/// Small blocks, so that compaction sets in early.
const LAYOUT: Layout = Layout { block_rows: 64, segment_rows: 1024, tail_rows: 256, coded: true };

/// An index that has a graph from a hundred rows on.
struct Trial {
    home: tempfile::TempDir,
    backend: LocalBackend,
    index: LocalIndex,
    corpus: Corpus,
}

impl Trial {
    fn new(metric: Metric) -> Self {
        let home = tempfile::tempdir().unwrap();
        let corpus = Corpus::samples(Shape::Clustered, ROWS, Ids::Hex, 3);
        let backend = backend(home.path());
        let index = backend.make(&spec(&corpus, metric), LAYOUT).unwrap();
        let trial = Self { home, backend, index, corpus };
        trial.add(0..ROWS);
        trial
    }

    fn add(&self, rows: std::ops::Range<usize>) {
        let batches = rows.clone().step_by(500).map(|start| Ok(self.corpus.batch(start..(start + 500).min(rows.end))));
        let batches: Vec<_> = batches.collect();
        block_on(self.index.add(stream::iter(batches).boxed(), OnConflict::Overwrite)).unwrap();
        self.index.settle();
    }

    fn remove(&self, rows: std::ops::Range<usize>) {
        block_on(self.index.remove(Selector::Items(&self.corpus.ids()[rows]), OnMissing::Error)).unwrap();
        self.index.settle();
    }

    /// Asks for the nearest in `scope` as one does who leaves it to the index, and holds the answer against the oracle over these `rows`.
    fn ask(&self, index: &LocalIndex, scope: Scope<'_>, rows: std::ops::Range<usize>) -> Asked {
        let queries = self.corpus.queries(40);
        let request = NearestRequest { queries: &queries.concat(), k: K, scope, direction: Direction::Nearest, precision: Precision::Approximate };
        let NearestResponse { hits, exact, declined, remark } = block_on(index.nearest(request)).unwrap();
        let mut oracle = Oracle::new(index.spec().metric);
        rows.for_each(|row| oracle.insert(self.corpus.items[row].clone(), self.corpus.vectors[row].clone()));
        let request = SearchRequest { k: Some(K), scope, aggregation: Aggregation::None, ..SearchRequest::new(queries) };
        let mut recall = Recall::default();
        for (list, expected) in hits.iter().zip(Expected::of(&oracle, &request)) {
            if exact {
                expected.assert_same(list);
            } else {
                expected.assert_complete(list);
                recall.count(&expected, list);
            }
        }
        Asked { exact, remark: declined.or(remark).unwrap(), recall: recall.share() }
    }

    /// The file of the graph; there is one at most.
    fn file(&self) -> Option<PathBuf> {
        let entries = std::fs::read_dir(self.index.folder()).unwrap().map(|entry| entry.unwrap().path());
        let graphs: Vec<PathBuf> = entries.filter(|path| path.extension().is_some_and(|extension| extension == "graph")).collect();
        assert!(graphs.len() <= 1, "{graphs:?}");
        graphs.into_iter().next()
    }

    /// A handle of another process, as good as.
    fn elsewhere(&self) -> LocalIndex {
        backend(self.home.path()).find("graph").unwrap()
    }

    fn forget(&self, what: &str) {
        let database = Database::open(self.home.path()).unwrap();
        database.write("test", |transaction| transaction.execute(what, [])).unwrap();
    }
}

#[derive(Debug)]
struct Asked {
    exact: bool,
    remark: String,
    recall: f64,
}

impl Asked {
    #[track_caller]
    fn by_graph(&self) {
        assert!(!self.exact && self.remark.starts_with("walked the graph"), "{self:?}");
        assert!(self.recall >= 0.99, "{self:?}");
    }

    #[track_caller]
    fn exactly(&self, why: &str) {
        assert!(self.exact && self.remark.contains(why), "{self:?}");
    }
}

/// A change that changes nothing, and the upkeep after it.
fn change(index: LocalIndex) {
    block_on(index.remove(Selector::Items(&[]), OnMissing::Error)).unwrap();
    index.settle();
}

fn backend(home: &Path) -> LocalBackend {
    LocalBackend::new(Database::open(home).unwrap()).unwrap().with_graphs_from(100)
}

fn spec(corpus: &Corpus, metric: Metric) -> IndexSpec {
    IndexSpec {
        name: "graph".into(),
        dimension: corpus.shape.dimension(),
        metric,
        items: corpus.kind,
        parameters: [("algorithm".to_owned(), "hnsw".into())].into(),
    }
}

#[test]
fn a_graph_finds_99_of_100_neighbors_by_every_metric_it_serves() {
    for metric in [Metric::Cosine, Metric::Euclidean, Metric::DotProduct] {
        let trial = Trial::new(metric);
        assert!(trial.index.capabilities().approximate && !trial.backend.capabilities().approximate);
        trial.ask(&trial.index, Scope::All, 0..ROWS).by_graph();
        trial.ask(&trial.elsewhere(), Scope::All, 0..ROWS).by_graph();
        let request = NearestRequest { precision: Precision::Exact, ..exact_request(&trial.corpus.vectors[0]) };
        assert!(block_on(trial.index.nearest(request)).unwrap().exact, "an exact answer was asked for");
    }
}

fn exact_request(query: &[f32]) -> NearestRequest<'_> {
    NearestRequest { queries: query, k: K, scope: Scope::All, direction: Direction::Nearest, precision: Precision::Exact }
}

#[test]
fn removed_rows_are_walked_over_and_new_ones_are_found() {
    let trial = Trial::new(Metric::Cosine);
    trial.remove(0..300);
    trial.ask(&trial.index, Scope::All, 300..ROWS).by_graph();
    // Some come back, behind the rows that the graph covers.
    let before = trial.file();
    trial.add(200..400);
    let asked = trial.ask(&trial.index, Scope::All, 200..ROWS);
    asked.by_graph();
    assert!(asked.remark.contains("compared 200 newer rows"), "{asked:?}");
    assert_eq!(trial.file(), before, "too few rows came to build another graph");
    trial.add(0..200);
    let asked = trial.ask(&trial.index, Scope::All, 0..ROWS);
    asked.by_graph();
    assert!(!asked.remark.contains("newer") && trial.file() != before, "a fifth of the rows were not covered: {asked:?}");
}

#[test]
fn overwritten_rows_are_found_where_they_are_now() {
    let trial = Trial::new(Metric::Euclidean);
    let moved = VectorBatch::new(vec![trial.corpus.items[7].clone()], trial.corpus.shape.dimension(), vec![9.0; trial.corpus.shape.dimension()]);
    block_on(trial.index.add(stream::iter([moved]).boxed(), OnConflict::Overwrite)).unwrap();
    let nearest = |vector: &[f32]| {
        let request = NearestRequest { precision: Precision::Approximate, ..exact_request(vector) };
        let response = block_on(trial.index.nearest(request)).unwrap();
        assert!(!response.exact);
        response.hits[0].clone()
    };
    assert_eq!(nearest(&vec![9.0; trial.corpus.shape.dimension()])[0].item, trial.corpus.items[7]);
    assert!(nearest(&trial.corpus.vectors[7]).iter().all(|hit| hit.item != trial.corpus.items[7]));
}

#[test]
fn answers_stay_in_their_view_and_small_views_are_compared() {
    let trial = Trial::new(Metric::Cosine);
    let view = |percent| -> ItemSet { Extent::Percent(percent).draw(&trial.corpus.ids(), 5) };
    let (half, little) = (view(60), view(5));
    trial.ask(&trial.index, Scope::Items(&half), 0..ROWS).by_graph();
    trial.ask(&trial.index, Scope::Samples(&half), 0..ROWS).by_graph();
    trial.ask(&trial.index, Scope::Items(&little), 0..ROWS).exactly("takes less than walking");
}

#[test]
fn a_graph_that_is_lost_or_damaged_is_not_missed_and_comes_back() {
    let trial = Trial::new(Metric::Cosine);
    let path = trial.file().unwrap();
    let whole = std::fs::read(&path).unwrap();
    let rebuilt = |what: &str| {
        trial.ask(&trial.elsewhere(), Scope::All, 0..ROWS).exactly(what);
        let writer = trial.elsewhere();
        trial.ask(&writer, Scope::All, 0..ROWS).exactly(what);
        change(writer);
        trial.ask(&trial.elsewhere(), Scope::All, 0..ROWS).by_graph();
        let path = trial.file().unwrap();
        assert!(std::fs::metadata(&path).unwrap().len() >= 136 * ROWS as u64, "a node for every row");
        path
    };
    std::fs::remove_file(&path).unwrap();
    let path = rebuilt("missing");
    std::fs::write(&path, &whole[..whole.len() / 2]).unwrap();
    let path = rebuilt("missing");
    std::fs::write(&path, vec![0; whole.len() + 4096]).unwrap();
    let path = rebuilt("damaged");
    let mut flipped = std::fs::read(&path).unwrap();
    flipped.iter_mut().skip(40).step_by(136).for_each(|byte| *byte ^= 1);
    std::fs::write(&path, flipped).unwrap();
    rebuilt("damaged");
}

#[test]
fn a_graph_that_was_built_and_not_published_is_swept_up() {
    let trial = Trial::new(Metric::Cosine);
    trial.forget("DELETE FROM local_graph");
    trial.ask(&trial.elsewhere(), Scope::All, 0..ROWS).exactly("not built yet");
    // The number of the orphan is not taken: the next writer gives it to its own file.
    change(trial.elsewhere());
    trial.ask(&trial.elsewhere(), Scope::All, 0..ROWS).by_graph();
    assert!(trial.file().is_some() && !trial.index.folder().join("graph.building").exists());
}

#[test]
fn compaction_makes_a_graph_stale() {
    let trial = Trial::new(Metric::Cosine);
    let keep = trial.file().map(|path| (std::fs::read(&path).unwrap(), path)).unwrap();
    trial.forget("CREATE TABLE kept AS SELECT * FROM local_graph");
    trial.remove(0..900);
    let info = block_on(trial.index.info()).unwrap();
    assert_eq!((info.details["rows"].as_u64(), info.details["graph"]["rows"].as_u64()), (Some(600), Some(600)), "compacted, and built again");
    trial.ask(&trial.index, Scope::All, 900..ROWS).by_graph();
    // A program without graphs would have left the old one there.
    std::fs::write(&keep.1, &keep.0).unwrap();
    trial.forget("INSERT OR REPLACE INTO local_graph SELECT * FROM kept");
    trial.ask(&trial.elsewhere(), Scope::All, 900..ROWS).exactly("compacted");
}

#[test]
fn rows_that_no_effort_serves_are_compared() {
    let trial = Trial::new(Metric::Cosine);
    trial.forget("UPDATE local_graph SET effort = NULL");
    trial.ask(&trial.elsewhere(), Scope::All, 0..ROWS).exactly("no effort");
    change(trial.elsewhere());
    trial.ask(&trial.elsewhere(), Scope::All, 0..ROWS).exactly("no effort");
}

#[test]
fn a_few_rows_need_no_graph() {
    let home = tempfile::tempdir().unwrap();
    let corpus = Corpus::samples(Shape::Clustered, 99, Ids::Hex, 3);
    let index = backend(home.path()).make(&spec(&corpus, Metric::Cosine), LAYOUT).unwrap();
    let trial = Trial { backend: backend(home.path()), home, index, corpus };
    trial.add(0..99);
    trial.ask(&trial.index, Scope::All, 0..99).exactly("below 100 rows");
    assert_eq!(trial.file(), None);
}
