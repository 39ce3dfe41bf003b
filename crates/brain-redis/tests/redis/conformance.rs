//! The contract of a backend, held against Redis Stack: by comparing every row and through the graph, in hashes and in JSON.

use brain_testkit::configured::Configured;
use brain_testkit::services::{Server, redis, redis_tls};
use brain_testkit::{conformance, property};

use crate::server::{backend, run, runtime};

const FLAT: (&str, &str) = ("algorithm", "FLAT");
const HNSW: (&str, &str) = ("algorithm", "HNSW");
const HASH: (&str, &str) = ("storage", "hash");
const JSON: (&str, &str) = ("storage", "json");

fn keeps_the_contract(server: &Server, parameters: &[(&str, &str)]) {
    run(conformance::run(&Configured::new(backend(server), parameters)));
}

fn equals_the_oracle(parameters: &[(&str, &str)]) {
    let backend = Configured::new(backend(&redis()), parameters);
    let runtime = runtime();
    property::oracle_equality(&backend, 32, &|future| runtime.block_on(future));
}

#[test]
fn the_backend_keeps_the_contract_with_flat_indexes_on_hashes() {
    keeps_the_contract(&redis(), &[FLAT, HASH]);
}

#[test]
fn the_backend_keeps_the_contract_with_flat_indexes_on_json() {
    keeps_the_contract(&redis(), &[FLAT, JSON]);
}

#[test]
fn the_backend_keeps_the_contract_with_graphs_on_hashes() {
    keeps_the_contract(&redis(), &[HNSW, HASH]);
}

#[test]
fn the_backend_keeps_the_contract_with_graphs_on_json() {
    keeps_the_contract(&redis(), &[HNSW, JSON]);
}

#[test]
fn the_backend_keeps_the_contract_under_tls_as_a_user_of_an_acl_file() {
    keeps_the_contract(&redis_tls(), &[FLAT, HASH]);
    keeps_the_contract(&redis_tls(), &[HNSW, JSON]);
}

#[test]
fn the_backend_equals_the_oracle_with_flat_indexes() {
    equals_the_oracle(&[FLAT, HASH]);
    equals_the_oracle(&[FLAT, JSON]);
}

#[test]
fn the_backend_equals_the_oracle_with_graphs() {
    equals_the_oracle(&[HNSW, HASH]);
    equals_the_oracle(&[HNSW, JSON]);
}
