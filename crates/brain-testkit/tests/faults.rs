//! What the search layer makes of a backend that fails: whole answers or errors, never short ones.

use brain_core::search::{Aggregation, Route, SearchRequest, search};
use brain_core::{Capabilities, ErrorKind, IndexSpec, ItemKind, Metric, OnConflict, Scope, SimilarityBackend, SimilarityIndex};
use brain_testkit::compare::{Expected, Recall};
use brain_testkit::corpus::{Corpus, Extent, Ids};
use brain_testkit::faults::{Faults, FaultyBackend};
use brain_testkit::memory::MemoryBackend;
use brain_testkit::shape::Shape;
use futures::StreamExt as _;
use futures::executor::block_on;
use futures::stream;

const METRIC: Metric = Metric::Euclidean;

/// 5,000 rows, enough that the planner takes an approximate route through half of them.
fn corpus() -> Corpus {
    Corpus::samples(Shape::Clustered, 5_000, Ids::Hex, 1)
}

#[expect(clippy::unwrap_used, reason = "a test without its index has failed")]
fn index(backend: &dyn SimilarityBackend, corpus: &Corpus) -> Box<dyn SimilarityIndex> {
    let spec = IndexSpec {
        name: "faults".to_owned(),
        dimension: corpus.shape.dimension(),
        metric: METRIC,
        items: ItemKind::Samples,
        parameters: Default::default(),
    };
    let index = block_on(backend.create(&spec)).unwrap();
    let batches = stream::iter(corpus.batches(1_000).into_iter().map(Ok)).boxed();
    block_on(index.add(batches, OnConflict::Error)).unwrap();
    index
}

fn faulty(faults: Faults) -> FaultyBackend<MemoryBackend> {
    FaultyBackend::new(MemoryBackend::new(Capabilities::exact([METRIC])), faults)
}

#[test]
fn unreachable_rows_cost_recall_but_no_row() {
    let corpus = corpus();
    let index = index(&faulty(Faults { unreachable: Some(40), ..Faults::default() }), &corpus);
    let request = SearchRequest { k: Some(50), aggregation: Aggregation::None, ..SearchRequest::new(corpus.queries(10)) };
    let answer = block_on(search(&*index, &request)).unwrap();
    assert_eq!((answer.report.route, answer.report.exact), (Route::Ann, false));
    let mut recall = Recall::default();
    for (list, expected) in answer.results.iter().zip(Expected::of(&corpus.oracle(METRIC), &request)) {
        expected.assert_complete(list);
        recall.count(&expected, list);
    }
    assert!(recall.share() > 0.95 && recall.share() < 1.0, "the fault is there, and it is measured: {}", recall.share());
}

#[test]
fn an_answer_that_lost_rows_of_the_view_is_repaired_exactly() {
    let corpus = corpus();
    let view = Extent::Percent(50).draw(&corpus.ids(), 2);
    // Said to be approximate, or wrongly said to be exact: the rows are counted either way.
    for dishonest in [false, true] {
        let index = index(&faulty(Faults { effort: Some(60), dishonest, ..Faults::default() }), &corpus);
        let request = SearchRequest { k: Some(50), scope: Scope::Items(&view), ..SearchRequest::new(corpus.queries(1)) };
        let answer = block_on(search(&*index, &request)).unwrap();
        assert!(answer.report.exact && answer.report.reason.contains("of 50 rows"), "{:?}", answer.report);
        Expected::of(&corpus.oracle(METRIC), &request)[0].assert_same(&answer.results[0]);
    }
}

#[test]
fn a_backend_without_an_exact_route_is_read_through() {
    let corpus = corpus();
    let view = Extent::Percent(50).draw(&corpus.ids(), 3);
    let index = index(&faulty(Faults { effort: Some(60), always_approximate: true, ..Faults::default() }), &corpus);
    let request = SearchRequest { k: Some(300), scope: Scope::Items(&view), ..SearchRequest::new(corpus.queries(1)) };
    let answer = block_on(search(&*index, &request)).unwrap();
    assert_eq!((answer.report.route, answer.report.exact), (Route::StreamedScan, true));
    Expected::of(&corpus.oracle(METRIC), &request)[0].assert_same(&answer.results[0]);
}

#[test]
fn an_outage_is_an_error_and_passes() {
    let corpus = Corpus::samples(Shape::Clustered, 50, Ids::Text, 4);
    let index = index(&faulty(Faults { outages: 2, ..Faults::default() }), &corpus);
    let request = SearchRequest { k: Some(5), ..SearchRequest::new(corpus.queries(1)) };
    for _ in 0..2 {
        let error = block_on(search(&*index, &request)).unwrap_err();
        assert!(error.kind() == ErrorKind::Unavailable && error.is_retryable(), "{error:?}");
    }
    Expected::of(&corpus.oracle(METRIC), &request)[0].assert_same(&block_on(search(&*index, &request)).unwrap().results[0]);
}
