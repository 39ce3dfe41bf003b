//! Whole searches: the planner of brain-core over the backend's primitives.

use brain_core::oracle::Oracle;
use brain_core::search::{Aggregation, SearchRequest, search};
use brain_core::{ErrorKind, ItemKind, ItemSet, Metric, Precision, Scope, SimilarityBackend, SimilarityIndex};

use super::trial::{assert_refused, with_corpus};
use super::{RECALL, dimension_fits};
use crate::compare::{Expected, Recall, describe};
use crate::corpus::{Corpus, Extent, Ids};
use crate::shape::Shape;

/// Every aggregation, in both directions, for k of 1, 10 and everything, over every metric and shape, of samples.
pub async fn aggregates_and_reverses(backend: &dyn SimilarityBackend) {
    for &metric in &backend.capabilities().metrics {
        let mut recall = Recall::default();
        for shape in Shape::ALL.into_iter().filter(|&shape| dimension_fits(backend, shape)) {
            let corpus = Corpus::samples(shape, if shape == Shape::Wide { 50 } else { 120 }, Ids::Hex, 1);
            with_corpus(backend, metric, &corpus, async |index| {
                let oracle = corpus.oracle(metric);
                for aggregation in Aggregation::ALL {
                    for (reverse, k) in [(false, Some(1)), (true, Some(10)), (false, Some(10)), (true, None), (false, None)] {
                        let request = SearchRequest { k, reverse, aggregation, ..SearchRequest::new(corpus.queries(3)) };
                        check(index, &oracle, &request, shape, &mut recall).await;
                    }
                }
            })
            .await;
        }
        recall.assert_at_least(RECALL);
    }
}

/// Views of every extent, of items and of samples, by item and by sample, in both directions: min(k, indexed items in view) rows, each in the
/// view, and the report counts what the index lacks.
pub async fn searches_views(backend: &dyn SimilarityBackend) {
    let corpora = [
        Corpus::samples(Shape::Clustered, 200, Ids::Text, 2),
        Corpus::patches(Shape::Isotropic, 200, Ids::Hex, 3),
        Corpus::patches(Shape::Duplicates, 200, Ids::Text, 4),
    ];
    for corpus in corpora {
        let (ids, samples) = (corpus.ids(), corpus.sample_ids());
        for &metric in &backend.capabilities().metrics {
            let mut recall = Recall::default();
            with_corpus(backend, metric, &corpus, async |index| {
                let oracle = corpus.oracle(metric);
                let mut turn = 0;
                for extent in Extent::ALL {
                    let (items, of_samples) = (extent.draw(&ids, 4), extent.draw(&samples, 5));
                    for scope in [Scope::Items(&items), Scope::Samples(&of_samples)] {
                        for (reverse, by_sample) in [(false, false), (true, false), (false, true), (true, true)] {
                            let by_sample = by_sample && corpus.kind == ItemKind::Patches;
                            // 4, 5 and 3 have no common divisor: in 60 turns each of these meets each.
                            let (aggregation, k) = (Aggregation::ALL[turn % 5], [None, Some(7), Some(1_000)][turn % 3]);
                            turn += 1;
                            let request = SearchRequest { k, reverse, aggregation, scope, by_sample, ..SearchRequest::new(corpus.queries(2)) };
                            check(index, &oracle, &request, corpus.shape, &mut recall).await;
                        }
                    }
                }
            })
            .await;
            recall.assert_at_least(RECALL);
        }
    }
}

/// An exact answer is given where one is asked for, whatever the backend's own search is.
pub async fn answers_exactly_when_asked(backend: &dyn SimilarityBackend) {
    let corpus = Corpus::samples(Shape::Clustered, 300, Ids::Hex, 5);
    let view = Extent::Percent(50).draw(&corpus.ids(), 6);
    for &metric in &backend.capabilities().metrics {
        with_corpus(backend, metric, &corpus, async |index| {
            let oracle = corpus.oracle(metric);
            for scope in [Scope::All, Scope::Items(&view)] {
                for reverse in [false, true] {
                    let request = SearchRequest {
                        k: Some(20),
                        reverse,
                        scope,
                        precision: Precision::Exact,
                        aggregation: Aggregation::None,
                        ..SearchRequest::new(corpus.queries(4))
                    };
                    let answer = search(index, &request).await.unwrap();
                    assert!(answer.report.exact, "an exact answer was asked for: {:?}", answer.report);
                    check(index, &oracle, &request, corpus.shape, &mut Recall::default()).await;
                }
            }
        })
        .await;
    }
}

/// Enough rows that an approximate backend takes its approximate route, over the whole and within a view: answers are complete all the same, and
/// nearly all their rows belong in them. A backend that claims to be exact has nothing to show here that the others do not.
pub async fn completes_approximate_answers(backend: &dyn SimilarityBackend) {
    if !backend.capabilities().approximate {
        return;
    }
    let corpus = Corpus::samples(Shape::Clustered, 5_000, Ids::Hex, 7);
    let ids = corpus.ids();
    let metric = backend.capabilities().metrics[0];
    with_corpus(backend, metric, &corpus, async |index| {
        let oracle = corpus.oracle(metric);
        let mut recall = Recall::default();
        for extent in [Extent::Percent(1), Extent::Percent(10), Extent::Percent(50), Extent::All] {
            let view = extent.draw(&ids, 8);
            for scope in [Scope::All, Scope::Items(&view)] {
                for (k, reverse) in [(10, false), (90, false), (400, false), (10, true)] {
                    let request =
                        SearchRequest { k: Some(k), reverse, scope, aggregation: Aggregation::None, ..SearchRequest::new(corpus.queries(3)) };
                    check(index, &oracle, &request, corpus.shape, &mut recall).await;
                }
            }
        }
        recall.assert_at_least(RECALL);
    })
    .await;
}

/// No query, a query of another length, a NaN, a zero query under cosine and k of 0 are refused.
pub async fn refuses_bad_queries(backend: &dyn SimilarityBackend) {
    let corpus = Corpus::samples(Shape::Isotropic, 30, Ids::Hex, 9);
    let dimension = corpus.shape.dimension();
    let right = vec![1.0; dimension];
    for &metric in &backend.capabilities().metrics {
        with_corpus(backend, metric, &corpus, async |index| {
            let refused = async |queries: Vec<Vec<f32>>, k, kind, what: &str| {
                let request = SearchRequest { k, ..SearchRequest::new(queries) };
                assert_refused(search(index, &request).await, kind, what)
            };
            refused(vec![], None, ErrorKind::InvalidInput, "no query").await;
            refused(vec![vec![1.0; dimension + 1]], None, ErrorKind::DimensionMismatch, "a query of another length").await;
            refused(vec![right.clone(), vec![f32::NAN; dimension]], None, ErrorKind::InvalidInput, "a NaN").await;
            refused(vec![right.clone()], Some(0), ErrorKind::InvalidInput, "k of 0").await;
            if metric == Metric::Cosine {
                refused(vec![vec![0.0; dimension]], None, ErrorKind::InvalidInput, "a zero query").await;
                let opposite = right.iter().map(|x| -x).collect();
                refused(vec![right.clone(), opposite], None, ErrorKind::InvalidInput, "queries whose mean is zero").await;
            }
        })
        .await;
    }
}

/// Asks, and holds answer and report against the oracle.
pub(crate) async fn check(index: &dyn SimilarityIndex, oracle: &Oracle, request: &SearchRequest<'_>, shape: Shape, recall: &mut Recall) {
    let what = describe(request);
    let answer = search(index, request).await.unwrap_or_else(|error| panic!("{what}: {error:?}"));
    let lists = Expected::of(oracle, request);
    assert_eq!(answer.results.len(), lists.len(), "{what}: one list a query, or one for all");
    // Equal vectors are at equal distances to the last bit. By several queries together, different vectors tie too, up to rounding: two rows by
    // the mean of the two, say.
    let strictly = shape == Shape::Duplicates && (request.aggregation == Aggregation::None || request.queries.len() == 1);
    for (list, expected) in answer.results.iter().zip(&lists) {
        if !answer.report.exact {
            expected.assert_complete(list);
            recall.count(expected, list);
        } else if strictly {
            expected.assert_identical(list);
        } else {
            expected.assert_same(list);
        }
    }
    let report = &answer.report;
    assert!(report.exact || index.capabilities().approximate, "{what}: an exact backend answers exactly: {report:?}");
    assert_eq!((report.requested, report.returned), (request.k, lists[0].rows()), "{what}: {report:?}");
    assert_eq!(report.missing, missing(oracle, request.scope), "{what}: ids of the view that the index lacks: {report:?}");
    assert!(!report.reason.is_empty() && report.elapsed_ms >= 0.0, "{what}: {report:?}");
}

fn missing(oracle: &Oracle, scope: Scope<'_>) -> usize {
    let held: ItemSet = match scope {
        Scope::All => return 0,
        Scope::Items(_) => oracle.items().map(|item| item.id.clone()).collect(),
        Scope::Samples(_) => oracle.items().map(|item| item.sample_id.clone()).collect(),
    };
    let (Scope::Items(set) | Scope::Samples(set)) = scope else { return 0 };
    set.as_slice().iter().filter(|id| !held.contains(id)).count()
}
