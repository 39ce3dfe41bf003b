//! Random searches, held against the oracle.

use brain_core::search::{Aggregation, SearchRequest};
use brain_core::{ItemKind, Metric, Precision, Scope, SimilarityBackend};
use futures::future::LocalBoxFuture;
use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestError, TestRng, TestRunner};

use crate::compare::Recall;
use crate::conformance::{check, check_comparison, with_corpus};
use crate::corpus::{Corpus, Extent, Ids};
use crate::shape::Shape;

/// One random index and one random question to it.
#[derive(Clone, Debug)]
struct Case {
    metric: Metric,
    shape: Shape,
    kind: ItemKind,
    ids: Ids,
    rows: usize,
    seed: u64,
    queries: usize,
    k: Option<usize>,
    reverse: bool,
    aggregation: Aggregation,
    view: Option<(bool, Extent)>,
    by_sample: bool,
    precision: Precision,
}

fn cases(metrics: Vec<Metric>, longest: usize) -> impl Strategy<Value = Case> {
    // The wide shape costs as much as all others together; the suite has it, and random searches over short vectors find more.
    let shapes: Vec<Shape> = Shape::ALL.into_iter().filter(|&shape| shape != Shape::Wide && shape.dimension() <= longest).collect();
    let extent = prop_oneof![
        (0_usize..=100).prop_map(Extent::Percent),
        proptest::sample::select(&[Extent::Empty, Extent::One, Extent::Outside, Extent::HalfOutside][..]),
    ];
    let data = (
        proptest::sample::select(metrics),
        proptest::sample::select(shapes),
        proptest::sample::select(&[ItemKind::Samples, ItemKind::Patches][..]),
        proptest::sample::select(&[Ids::Hex, Ids::Text][..]),
        1_usize..120,
        any::<u64>(),
    );
    let question = (
        1_usize..5,
        proptest::option::of(1_usize..140),
        any::<bool>(),
        proptest::sample::select(&Aggregation::ALL[..]),
        proptest::option::of((any::<bool>(), extent)),
        any::<bool>(),
        proptest::sample::select(&[Precision::Exact, Precision::Approximate][..]),
    );
    (data, question).prop_map(|((metric, shape, kind, ids, rows, seed), (queries, k, reverse, aggregation, view, by_sample, precision))| Case {
        metric,
        shape,
        kind,
        ids,
        rows,
        seed,
        queries,
        k,
        reverse,
        aggregation,
        view,
        by_sample: by_sample && kind == ItemKind::Patches,
        precision,
    })
}

/// Makes `cases` random indexes (of any metric the backend claims) and asks each one random question through the search layer: the answer is
/// complete, and where it is exact it is the oracle's. Then the items in the question's scope are compared among themselves. The cases are the same in every run; a failing one is made as small as possible and printed.
///
/// `block_on` runs a future to its end: `&|future| futures::executor::block_on(future)`, or the `block_on` of the runtime that the backend needs.
///
/// # Panics
/// When an answer is wrong.
pub fn oracle_equality(backend: &dyn SimilarityBackend, cases: u32, block_on: &dyn Fn(LocalBoxFuture<'_, ()>)) {
    let config = Config { cases, failure_persistence: None, ..Config::default() };
    let mut runner = TestRunner::new_with_rng(config, TestRng::deterministic_rng(RngAlgorithm::ChaCha));
    let capabilities = backend.capabilities();
    let strategy = self::cases(capabilities.metrics.clone(), capabilities.max_dimension.unwrap_or(usize::MAX));
    let outcome = runner.run(&strategy, |case| {
        block_on(Box::pin(ask(backend, &case)));
        Ok(())
    });
    match outcome {
        Ok(()) => {}
        Err(TestError::Fail(reason, case)) => panic!("{reason}\nin the smallest failing case: {case:#?}"),
        Err(TestError::Abort(reason)) => panic!("no cases could be drawn: {reason}"),
    }
}

async fn ask(backend: &dyn SimilarityBackend, case: &Case) {
    let corpus = match case.kind {
        ItemKind::Samples => Corpus::samples(case.shape, case.rows, case.ids, case.seed),
        ItemKind::Patches => Corpus::patches(case.shape, case.rows, case.ids, case.seed),
    };
    let set = case.view.map(|(of_samples, extent)| {
        let ids = if of_samples { corpus.sample_ids() } else { corpus.ids() };
        (of_samples, extent.draw(&ids, case.seed))
    });
    let scope = match &set {
        None => Scope::All,
        Some((true, samples)) => Scope::Samples(samples),
        Some((false, items)) => Scope::Items(items),
    };
    let request = SearchRequest {
        queries: corpus.queries(case.queries),
        k: case.k,
        reverse: case.reverse,
        aggregation: case.aggregation,
        scope,
        by_sample: case.by_sample,
        precision: case.precision,
        explain: false,
    };
    if case.metric == Metric::Cosine && case.aggregation == Aggregation::Mean && mean_is_zero(&request.queries) {
        return;
    }
    with_corpus(backend, case.metric, &corpus, async |index| {
        check(index, &corpus.oracle(case.metric), &request, case.shape, &mut Recall::default()).await;
        check_comparison(index, &corpus, scope).await;
    })
    .await;
}

/// Whether the queries cancel out, as small whole numbers do: the search refuses them under cosine.
fn mean_is_zero(queries: &[Vec<f32>]) -> bool {
    (0..queries[0].len()).all(|at| queries.iter().map(|query| query[at]).sum::<f32>() == 0.0)
}
