//! The contract of a backend, held against PostgreSQL with pgvector: by comparing every row, as small indexes are searched, and through the index.

use std::panic::{AssertUnwindSafe, resume_unwind};

use brain_testkit::services::{Server, pgbouncer, postgres, postgres_tls};
use brain_testkit::{conformance, property};
use futures::FutureExt as _;

use crate::schema::Schema;
use crate::server::{backend_of, pool, run};

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

/// A pooler passes no `search_path` on, so that the tables are made in a database of the test's own.
#[test]
fn the_backend_keeps_the_contract_through_a_pooler() {
    run(async {
        let name = format!("brain_pooled_{}", std::process::id());
        let admin = pool(&postgres()).get().await.unwrap();
        admin.batch(&format!("CREATE DATABASE {name}")).await.unwrap();
        let own = |server: Server| Server { database: name.clone(), ..server };
        pool(&own(postgres())).install().await.unwrap();
        let backend = backend_of(&own(pgbouncer()).url());
        let outcome = AssertUnwindSafe(async {
            assert!(!backend.pool().unwrap().get().await.unwrap().is_direct());
            conformance::run(&backend).await;
        });
        let outcome = outcome.catch_unwind().await;
        // The pooler keeps its connections to the database.
        admin.batch(&format!("DROP DATABASE {name} WITH (FORCE)")).await.unwrap();
        outcome.unwrap_or_else(|panic| resume_unwind(panic));
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
