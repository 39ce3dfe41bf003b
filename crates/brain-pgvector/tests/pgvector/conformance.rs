//! The contract of a backend, held against PostgreSQL with pgvector: by comparing every row, as small indexes are searched, and through the index.

use brain_testkit::services::{postgres, postgres_tls};
use brain_testkit::{conformance, property};

use crate::schema::Schema;
use crate::server::run;

#[test]
fn the_backend_keeps_the_contract() {
    run(async {
        let schema = Schema::new(postgres()).await;
        conformance::run(&schema.backend()).await;
    });
}

#[test]
fn the_backend_keeps_the_contract_through_the_index() {
    run(async {
        let schema = Schema::new(postgres()).await;
        conformance::run(&schema.backend().with_exact_below(0)).await;
    });
}

#[test]
fn the_backend_keeps_the_contract_under_tls() {
    run(async {
        let schema = Schema::new(postgres_tls()).await;
        conformance::run(&schema.backend()).await;
    });
}

#[test]
fn the_backend_equals_the_oracle() {
    let schema = run(Schema::new(postgres()));
    property::oracle_equality(&schema.backend(), 32, &|future| run(future));
}

#[test]
fn the_backend_equals_the_oracle_through_the_index() {
    let schema = run(Schema::new(postgres()));
    property::oracle_equality(&schema.backend().with_exact_below(0), 48, &|future| run(future));
}
