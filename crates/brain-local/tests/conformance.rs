//! The contract of a backend, held against the local one.

#![allow(clippy::unwrap_used, reason = "a failed assumption of a test is a failed test")]

#[cfg(feature = "hnsw")]
mod by_graph;

use brain_local::LocalBackend;
use brain_store::Database;
use brain_testkit::{conformance, property};
use futures::executor::block_on;

fn with_backend(test: impl FnOnce(LocalBackend)) {
    let home = tempfile::tempdir().unwrap();
    test(LocalBackend::new(Database::open(home.path()).unwrap()).unwrap());
}

#[test]
fn the_local_backend_keeps_the_contract() {
    with_backend(|backend| block_on(conformance::run(&backend)));
}

#[test]
fn the_local_backend_equals_the_oracle() {
    with_backend(|backend| property::oracle_equality(&backend, 16, &|future| block_on(future)));
}

#[cfg(feature = "hnsw")]
#[test]
fn the_local_backend_keeps_the_contract_by_graph() {
    with_backend(|backend| block_on(conformance::run(&by_graph::ByGraph::new(backend))));
}

#[cfg(feature = "hnsw")]
#[test]
fn the_local_backend_answers_the_oracle_by_graph() {
    with_backend(|backend| property::oracle_equality(&by_graph::ByGraph::new(backend), 64, &|future| block_on(future)));
}
