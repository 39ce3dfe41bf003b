//! The primitive that searches are made of.

use brain_core::oracle::Oracle;
use brain_core::search::{Aggregation, SearchRequest};
use brain_core::{
    Capabilities, Direction, Item, ItemKind, NearestRequest, NearestResponse, OnConflict, Precision, Scope, SimilarityBackend, SimilarityIndex,
    VectorBatch,
};

use super::trial::{add, fresh_spec, with_corpus, with_index};
use super::{RECALL, dimension_fits};
use crate::compare::{Expected, Recall};
use crate::corpus::{Corpus, Extent, Ids};
use crate::shape::Shape;

/// By every metric, over every shape, for k of 1, 10, all rows and more than there are, nearest and (where claimed) farthest: an answer that is
/// called exact is the oracle's; one that is not is true row by row, and nearly all its rows belong in it. A backend that does not claim to be
/// approximate is always exact.
pub async fn agrees_with_the_oracle(backend: &dyn SimilarityBackend) {
    for &metric in &backend.capabilities().metrics {
        let mut recall = Recall::default();
        for shape in Shape::ALL.into_iter().filter(|&shape| dimension_fits(backend, shape)) {
            let corpus = Corpus::samples(shape, if shape == Shape::Wide { 60 } else { 150 }, Ids::Hex, 1);
            with_corpus(backend, metric, &corpus, async |index| {
                let oracle = corpus.oracle(metric);
                for k in [1, 10, corpus.len(), corpus.len() + 7] {
                    for direction in directions(backend.capabilities()) {
                        let question = Question { queries: corpus.queries(3), k, scope: Scope::All, direction, precision: Precision::Exact };
                        question.check(index, &oracle, shape == Shape::Duplicates, &mut recall).await;
                    }
                }
                let question = Question {
                    queries: corpus.queries(3),
                    k: 10,
                    scope: Scope::All,
                    direction: Direction::Nearest,
                    precision: Precision::Approximate,
                };
                question.check(index, &oracle, shape == Shape::Duplicates, &mut recall).await;
            })
            .await;
        }
        recall.assert_at_least(RECALL);
    }
}

/// Answers stay in their scope, be it of items or of samples, small, large, empty, or of ids that the index lacks.
pub async fn stays_in_scope(backend: &dyn SimilarityBackend) {
    let corpora = [Corpus::samples(Shape::Clustered, 200, Ids::Text, 2), Corpus::patches(Shape::Duplicates, 200, Ids::Text, 3)];
    for corpus in corpora {
        let (ids, samples) = (corpus.ids(), corpus.sample_ids());
        for &metric in &backend.capabilities().metrics {
            let mut recall = Recall::default();
            with_corpus(backend, metric, &corpus, async |index| {
                let oracle = corpus.oracle(metric);
                for extent in Extent::ALL {
                    let (items, of_samples) = (extent.draw(&ids, 4), extent.draw(&samples, 5));
                    for scope in [Scope::Items(&items), Scope::Samples(&of_samples)] {
                        for direction in directions(backend.capabilities()) {
                            let question = Question { queries: corpus.queries(2), k: 15, scope, direction, precision: Precision::Exact };
                            question.check(index, &oracle, corpus.shape == Shape::Duplicates, &mut recall).await;
                        }
                    }
                }
            })
            .await;
            recall.assert_at_least(RECALL);
        }
    }
}

/// Vectors that every metric but cosine must bear: zero, very large, very small. Their distances are numbers, and in order.
pub async fn bears_extreme_vectors(backend: &dyn SimilarityBackend) {
    let values = [0.0, 1e-30, -1e-30, 1e-10, 1.0, -1.0, 1e10, -1e10, 1e15, -1e15];
    let items: Vec<Item> = (0..values.len()).map(|number| Item::sample(format!("extreme {number}").as_str().into())).collect();
    let vectors: Vec<Vec<f32>> = values.iter().map(|&value| vec![value, 1e-20, value, value]).collect();
    for &metric in &backend.capabilities().metrics {
        with_index(backend, &fresh_spec(metric, 4, ItemKind::Samples), async |index| {
            let mut oracle = Oracle::new(metric);
            items.iter().zip(&vectors).for_each(|(item, vector)| oracle.insert(item.clone(), vector.clone()));
            let batch = VectorBatch::new(items.clone(), 4, vectors.concat()).unwrap();
            add(index, vec![batch], OnConflict::Error).await.unwrap();
            let queries = vec![vectors[4].clone(), vectors[6].clone(), vec![1.0, -1.0, 0.0, 2.0]];
            let question = Question { queries, k: 10, scope: Scope::All, direction: Direction::Nearest, precision: Precision::Exact };
            question.check(index, &oracle, false, &mut Recall::default()).await;
        })
        .await;
    }
}

fn directions(capabilities: &Capabilities) -> impl Iterator<Item = Direction> {
    let farthest = capabilities.farthest.then_some(Direction::Farthest);
    std::iter::once(Direction::Nearest).chain(farthest)
}

/// The index finds the `k` nearest of what the oracle holds, where it claims to be exact.
pub(super) async fn assert_finds(index: &dyn SimilarityIndex, oracle: &Oracle, query: &[f32], k: usize) {
    let question = Question { queries: vec![query.to_vec()], k, scope: Scope::All, direction: Direction::Nearest, precision: Precision::Exact };
    question.check(index, oracle, false, &mut Recall::default()).await;
}

struct Question<'a> {
    queries: Vec<Vec<f32>>,
    k: usize,
    scope: Scope<'a>,
    direction: Direction,
    precision: Precision,
}

impl Question<'_> {
    async fn check(&self, index: &dyn SimilarityIndex, oracle: &Oracle, strictly: bool, recall: &mut Recall) {
        let queries = self.queries.concat();
        let request = NearestRequest { queries: &queries, k: self.k, scope: self.scope, direction: self.direction, precision: self.precision };
        let NearestResponse { hits, exact, .. } = index.nearest(request).await.unwrap();
        assert_eq!(hits.len(), self.queries.len(), "one list a query");
        let capabilities = index.capabilities();
        let within = capabilities.max_k.is_none_or(|most| self.k <= most);
        assert!(exact || capabilities.approximate || !within, "a backend that does not claim to be approximate answers exactly");
        for (list, expected) in hits.iter().zip(self.expected(oracle)) {
            if exact {
                if strictly { expected.assert_identical(list) } else { expected.assert_same(list) }
            } else {
                assert!(list.len() <= self.k, "{} rows for k = {}", list.len(), self.k);
                expected.assert_true(list);
                recall.count(&expected, list);
            }
        }
    }

    fn expected(&self, oracle: &Oracle) -> Vec<Expected> {
        let request = SearchRequest {
            k: Some(self.k),
            reverse: self.direction == Direction::Farthest,
            aggregation: Aggregation::None,
            scope: self.scope,
            precision: self.precision,
            ..SearchRequest::new(self.queries.clone())
        };
        Expected::of(oracle, &request)
    }
}
