//! The suite against backends in memory, in each shape that capabilities have.

use brain_core::{Capabilities, Metric, SimilarityBackend};
use brain_testkit::faults::{Faults, FaultyBackend};
use brain_testkit::memory::MemoryBackend;
use brain_testkit::{conformance, property};
use futures::executor::block_on;

fn whole_suite(backend: &dyn SimilarityBackend) {
    block_on(conformance::run(backend));
    property::oracle_equality(backend, 128, &|future| block_on(future));
}

#[test]
fn exact_and_farthest() {
    let mut capabilities = Capabilities::exact(Metric::ALL);
    capabilities.farthest = true;
    capabilities.attach = true;
    whole_suite(&MemoryBackend::new(capabilities));
}

#[test]
fn exact_but_nearest_only() {
    let mut capabilities = Capabilities::exact(Metric::ALL);
    capabilities.max_dimension = Some(100);
    whole_suite(&MemoryBackend::new(capabilities));
}

/// What a server's graph index is: some metrics, approximate, at most 100 rows at once, unreachable nodes, filtering after the search.
fn graph(faults: Faults) -> FaultyBackend<MemoryBackend> {
    let mut capabilities = Capabilities::exact([Metric::Cosine, Metric::DotProduct, Metric::Euclidean]);
    capabilities.max_k = Some(100);
    FaultyBackend::new(MemoryBackend::new(capabilities), faults)
}

#[test]
fn approximate_and_lossy() {
    whole_suite(&graph(Faults { unreachable: Some(40), effort: Some(200), ..Faults::default() }));
}

#[test]
fn approximate_without_an_exact_route() {
    whole_suite(&graph(Faults { unreachable: Some(40), always_approximate: true, ..Faults::default() }));
}

/// The suite is worth something only if it fails a backend that is wrong.
#[test]
#[should_panic(expected = "comes here")]
fn a_backend_that_calls_lossy_answers_exact_fails() {
    let liar = graph(Faults { unreachable: Some(40), always_approximate: true, dishonest: true, ..Faults::default() });
    block_on(conformance::agrees_with_the_oracle(&liar));
}
