//! What happens to rows on their way when the server, the network or the time runs out.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use brain_core::{
    AddReport, ErrorKind, IndexSpec, ItemKind, Metric, NoProgress, OnConflict, OnMissing, Result, Scope, Selector, SimilarityBackend, SimilarityIndex,
};
use brain_pgvector::{PgvectorBackend, Pool};
use brain_testkit::compare::Recall;
use brain_testkit::corpus::{Corpus, Ids};
use brain_testkit::proxy::Proxy;
use brain_testkit::questions::{Row, add, assert_answers, batch_of};
use brain_testkit::services::{postgres, postgres_faults};
use brain_testkit::shape::Shape;
use futures::future::{Either, join, select};
use futures::stream::{self, StreamExt as _};
use tokio::task::LocalSet;
use tokio_postgres::types::Type;

use crate::schema::Schema;
use crate::server::{pool, run};

const RULES: [OnConflict; 3] = [OnConflict::Overwrite, OnConflict::Skip, OnConflict::Error];
const ROWS: usize = 600;
const BATCH: usize = 20;

pub(crate) fn rows(count: usize, seed: u64) -> Vec<Row> {
    let corpus = Corpus::samples(Shape::Clustered, count, Ids::Hex, 3);
    let vectors = Shape::Clustered.vectors(count, seed);
    corpus.items.into_iter().zip(vectors).collect()
}

pub(crate) fn spec(name: &str) -> IndexSpec {
    IndexSpec { name: name.to_owned(), dimension: 16, metric: Metric::Cosine, items: ItemKind::Samples, parameters: Default::default() }
}

/// Adds rows while others do what they do. They come slowly, so that they are committed in several transactions; `taken` counts the batches.
async fn add_slowly(index: &dyn SimilarityIndex, rows: &[Row], rule: OnConflict, clock: &Pool, taken: &AtomicU64) -> Result<AddReport> {
    let batches = stream::iter(rows.chunks(BATCH)).then(async |rows| {
        clock.get().await?.batch("SELECT pg_sleep(0.06)").await.unwrap();
        taken.fetch_add(1, Ordering::Relaxed);
        Ok(batch_of(rows))
    });
    index.add(batches.boxed(), rule).await
}

/// Adds rows to an index, of which half are there but for [`OnConflict::Error`], while `fault` strikes again and again.
async fn assert_goes_on(backend: &PgvectorBackend, clock: &Pool, rule: OnConflict, fault: impl AsyncFn() -> usize) {
    let (old, new) = (rows(ROWS, 1), rows(ROWS, 2));
    let index = backend.create(&spec(&format!("goes_on_{rule:?}"))).await.unwrap();
    let half = ROWS / 2;
    if rule != OnConflict::Error {
        add(&*index, &old[..half], OnConflict::Error).await.unwrap();
        index.build(&NoProgress).await.unwrap();
    }
    let faults = async {
        for _ in 0..8 {
            clock.get().await.unwrap().batch("SELECT pg_sleep(0.17)").await.unwrap();
            fault().await;
        }
        std::future::pending::<()>().await;
    };
    let taken = AtomicU64::new(0);
    let adding = add_slowly(&*index, &new, rule, clock, &taken);
    let Either::Left((report, _)) = select(std::pin::pin!(adding), std::pin::pin!(faults)).await else { unreachable!() };
    let report = report.unwrap();
    let (all, half) = (ROWS as u64, half as u64);
    let (expected, there) = match rule {
        OnConflict::Overwrite => (AddReport { added: all - half, replaced: half, skipped: 0 }, new),
        OnConflict::Skip => (AddReport { added: all - half, replaced: 0, skipped: half }, [&old[..ROWS / 2], &new[ROWS / 2..]].concat()),
        OnConflict::Error => (AddReport { added: all, ..AddReport::default() }, new),
    };
    assert_eq!(report, expected, "{rule:?}");
    index.build(&NoProgress).await.unwrap();
    assert_answers(&*index, &there, &mut Recall::default()).await;
}

#[test]
fn adding_goes_on_when_its_backend_is_terminated() {
    run(async {
        let schema = Schema::new(postgres()).await;
        for rule in RULES {
            assert_goes_on(&schema.backend(), &schema.pool, rule, async || schema.terminate().await).await;
        }
    });
}

#[test]
fn adding_goes_on_when_the_network_is_cut() {
    run(async {
        let schema = Schema::new(postgres()).await;
        let tasks = LocalSet::new();
        let test = async {
            for rule in RULES {
                let proxy = Proxy::before(&schema.server, &tasks).await;
                let backend = schema.backend_at(&proxy.in_front_of(&schema.server));
                assert_goes_on(&backend, &schema.pool, rule, async || proxy.cut()).await;
            }
        };
        tasks.run_until(test).await;
    });
}

#[test]
fn adding_goes_on_when_the_server_is_restarted() {
    let server = postgres_faults();
    let steady = pool(&postgres());
    let schema = run(Schema::new((*server).clone()));
    for rule in RULES {
        let taken = AtomicU64::new(0);
        let new = rows(ROWS, 2);
        std::thread::scope(|scope| {
            let worker = scope.spawn(|| {
                run(async {
                    let index = schema.backend().create(&spec(&format!("restarted_{rule:?}"))).await.unwrap();
                    let report = add_slowly(&*index, &new, rule, &steady, &taken).await.unwrap();
                    assert_eq!(report, AddReport { added: ROWS as u64, ..AddReport::default() });
                    index.build(&NoProgress).await.unwrap();
                    assert_answers(&*index, &new, &mut Recall::default()).await;
                });
            });
            for reached in [5, 15] {
                let until = Instant::now() + Duration::from_secs(40);
                while taken.load(Ordering::Relaxed) < reached {
                    assert!(!worker.is_finished() && Instant::now() < until, "batches are taken");
                    std::thread::yield_now();
                }
                server.restart();
            }
        });
    }
}

#[test]
fn a_batch_that_takes_too_long_is_not_there() {
    run(async {
        let schema = Schema::new(postgres()).await;
        let backend = PgvectorBackend::new(&schema.parameters(&[("statement_timeout", "1")]).unwrap());
        let index = backend.create(&spec("slow")).await.unwrap();
        let rows = rows(60, 1);
        let mut blocker = schema.pool.get().await.unwrap();
        let lock = format!("LOCK TABLE {}.slow IN SHARE MODE", schema.name);
        let transaction = blocker.transaction(&[]).await.unwrap();
        let batches = stream::iter(rows.chunks(20).enumerate()).then(async |(number, rows)| {
            if number == 2 {
                transaction.batch_execute(&lock).await.unwrap();
            }
            Ok(batch_of(rows))
        });
        let result = index.add(batches.boxed(), OnConflict::Error).await;
        transaction.commit().await.unwrap();
        let error = result.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Timeout, "{error:?}");
        assert!(error.hint().is_some_and(|hint| hint.contains("statement_timeout")), "{error:?}");
        assert_eq!(index.count(Scope::All).await.unwrap(), 20, "the first batch was acknowledged when the third was taken");
        let report = add(&*index, &rows, OnConflict::Skip).await.unwrap();
        assert_eq!((report.added, report.skipped), (40, 20));
        // What is maintenance has no such limit: vacuuming, building, rebuilding.
        index.build(&NoProgress).await.unwrap();
    });
}

/// Makes the first commit that changes the table take a while, and cuts the network meanwhile: it is done, and nobody hears of it.
async fn unheard<T>(schema: &Schema, proxy: &Proxy, table: &str, work: impl Future<Output = T>) -> T {
    let name = format!("ends_{table}");
    schema
        .batch(&format!(
            "CREATE SEQUENCE {name}; \
             CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN \
               IF nextval('{name}') = 1 THEN PERFORM pg_sleep(0.3); END IF; RETURN NULL; END $$; \
             CREATE CONSTRAINT TRIGGER ends AFTER INSERT OR DELETE ON {table} DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION {name}()"
        ))
        .await;
    const COMMITS: &str = "SELECT 1 FROM pg_stat_activity WHERE application_name = $1 AND wait_event = 'PgSleep'";
    let cut = async {
        let watcher = schema.pool.get().await.unwrap();
        while watcher.query(&[], COMMITS, &[(&schema.name, Type::TEXT)]).await.unwrap().is_empty() {}
        proxy.cut()
    };
    join(work, cut).await.0
}

#[test]
fn a_commit_that_was_never_heard_of_counts_once() {
    run(async {
        let schema = Schema::new(postgres()).await;
        let tasks = LocalSet::new();
        let test = async {
            let proxy = Proxy::before(&schema.server, &tasks).await;
            let backend = schema.backend_at(&proxy.in_front_of(&schema.server));
            let rows = rows(40, 1);
            for rule in RULES {
                let name = format!("unheard_{rule:?}").to_lowercase();
                let index = backend.create(&spec(&name)).await.unwrap();
                let report = unheard(&schema, &proxy, &name, add(&*index, &rows, rule)).await.unwrap();
                assert_eq!(report, AddReport { added: 40, ..AddReport::default() }, "{rule:?}");
                assert_eq!(index.count(Scope::All).await.unwrap(), 40);
                schema.batch(&format!("DROP TRIGGER ends ON {name}; DROP FUNCTION ends_{name}; DROP SEQUENCE ends_{name}")).await;
                let ids: Vec<_> = rows[..10].iter().map(|(item, _)| item.id.clone()).collect();
                let report = unheard(&schema, &proxy, &name, index.remove(Selector::Items(&ids), OnMissing::Error)).await.unwrap();
                assert_eq!((report.removed, index.count(Scope::All).await.unwrap()), (10, 30), "{rule:?}");
            }
        };
        tasks.run_until(test).await;
    });
}

#[test]
fn one_connection_is_enough_for_everything() {
    run(async {
        let schema = Schema::new(postgres()).await;
        let backend = PgvectorBackend::new(&schema.parameters(&[("pool_size", "1")]).unwrap()).with_exact_below(0);
        let index = backend.create(&spec("alone")).await.unwrap();
        let rows = rows(1_500, 1);
        add(&*index, &rows, OnConflict::Error).await.unwrap();
        schema.terminate().await;
        let report = add(&*index, &rows, OnConflict::Overwrite).await.unwrap();
        assert_eq!(report.replaced, 1_500);
        index.build(&NoProgress).await.unwrap();
        let mut recall = Recall::default();
        assert_answers(&*index, &rows, &mut recall).await;
        recall.assert_at_least(0.99);
        let gone: Vec<_> = rows[..1_200].iter().map(|(item, _)| item.id.clone()).collect();
        index.remove(Selector::Items(&gone), OnMissing::Error).await.unwrap();
        assert_answers(&*index, &rows[1_200..], &mut Recall::default()).await;
    });
}
