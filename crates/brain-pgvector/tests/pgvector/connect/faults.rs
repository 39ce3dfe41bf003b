//! Connections that break, statements that nobody waits for, and a server that goes away for a while.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::{Duration, Instant};

use brain_core::{Error, ErrorKind};
use brain_pgvector::{Connection, Pool};
use brain_testkit::proxy::Proxy;
use brain_testkit::services;
use futures::future::join;
use tokio::task::LocalSet;
use tokio_postgres::types::Type;

use crate::server::{pool, run, settings};

async fn process(connection: &Connection) -> i32 {
    connection.query(&[], "SELECT pg_backend_pid()", &[]).await.unwrap()[0].get(0)
}

#[test]
fn a_terminated_backend_is_replaced() {
    run(async {
        let pool = pool(&services::postgres());
        let (victim, other) = (pool.get().await.unwrap(), pool.get().await.unwrap());
        let gone = process(&victim).await;
        other.query(&[], "SELECT pg_terminate_backend($1, 5000)", &[(&gone, Type::INT4)]).await.unwrap();
        assert!(victim.query(&[], "SELECT 1", &[]).await.is_err());
        drop((victim, other));
        let (one, two) = (pool.get().await.unwrap(), pool.get().await.unwrap());
        assert!(process(&one).await != gone && process(&two).await != gone);
    });
}

#[test]
fn a_connection_goes_back_and_is_used_again() {
    run(async {
        let pool = pool(&services::postgres());
        let first = process(&pool.get().await.unwrap()).await;
        assert_eq!(process(&pool.get().await.unwrap()).await, first);
    });
}

#[test]
fn a_statement_that_nobody_waits_for_is_cancelled() {
    run(async {
        let pool = pool(&services::postgres());
        let watcher = pool.get().await.unwrap();
        let connection = pool.get().await.unwrap();
        let left = process(&connection).await;
        let sleep = connection.query(&[], "SELECT pg_sleep(60)", &[]);
        assert!(tokio::time::timeout(Duration::from_millis(200), sleep).await.is_err());
        drop(connection);
        let next = pool.get().await.unwrap();
        assert_ne!(process(&next).await, left);
        let until = Instant::now() + Duration::from_secs(10);
        loop {
            let sql = "SELECT 1 FROM pg_stat_activity WHERE pid = $1 AND state = 'active'";
            if watcher.query(&[], sql, &[(&left, Type::INT4)]).await.unwrap().is_empty() {
                break;
            }
            assert!(Instant::now() < until, "the statement still runs");
        }
    });
}

#[test]
fn a_statement_over_its_time_is_ended_by_the_server() {
    run(async {
        let parameters = [("connection_string", services::postgres().url()), ("statement_timeout", "1".to_owned())];
        let parameters = parameters.each_ref().map(|(name, value)| (*name, value.as_str()));
        let connection = Pool::new(settings(&parameters).unwrap()).get().await.unwrap();
        let error = connection.query(&[], "SELECT pg_sleep(60)", &[]).await.unwrap_err();
        assert_eq!(error.code().map(|code| code.code()), Some("57014"));
        assert_eq!(connection.query(&[], "SELECT 1", &[]).await.unwrap().len(), 1);
    });
}

#[test]
fn a_full_pool_serves_all_in_turn() {
    run(async {
        let parameters = [("connection_string", services::postgres().url()), ("pool_size", "2".to_owned())];
        let parameters = parameters.each_ref().map(|(name, value)| (*name, value.as_str()));
        let pool = Pool::new(settings(&parameters).unwrap());
        let processes = futures::future::join_all((0..20).map(|_| async { process(&pool.get().await.unwrap()).await })).await;
        let distinct: std::collections::BTreeSet<i32> = processes.into_iter().collect();
        assert!(distinct.len() <= 2, "{distinct:?}");
    });
}

#[test]
fn a_restart_in_the_middle_is_waited_for() {
    let server = services::postgres_faults();
    let pool = pool(&server);
    let rounds = AtomicU32::new(0);
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let worker = scope.spawn(|| {
            run(async {
                while !stop.load(Ordering::Relaxed) {
                    let counted = pool.retrying(|connection| async move {
                        let sql = "SELECT count(*) FROM generate_series(1, 10000)";
                        let rows = connection.query(&[], sql, &[]).await.map_err(|error| brain_pgvector_error(&error))?;
                        Ok(rows[0].get::<_, i64>(0))
                    });
                    assert_eq!(counted.await.unwrap(), 10_000);
                    rounds.fetch_add(1, Ordering::Relaxed);
                }
            });
        });
        for _ in 0..2 {
            let before = rounds.load(Ordering::Relaxed);
            let until = Instant::now() + Duration::from_secs(20);
            while rounds.load(Ordering::Relaxed) < before + 5 {
                assert!(!worker.is_finished() && Instant::now() < until, "the work goes on");
                std::thread::yield_now();
            }
            server.restart();
        }
        let before = rounds.load(Ordering::Relaxed);
        let until = Instant::now() + Duration::from_secs(40);
        while rounds.load(Ordering::Relaxed) < before + 5 {
            assert!(!worker.is_finished() && Instant::now() < until, "the work goes on after a restart");
            std::thread::yield_now();
        }
        stop.store(true, Ordering::Relaxed);
    });
}

#[test]
fn a_network_that_is_cut_is_reached_again_and_is_not_taken_for_a_pooler() {
    let server = services::postgres();
    run(async {
        let tasks = LocalSet::new();
        let proxy = Proxy::before(&server, &tasks).await;
        let pool = pool(&proxy.in_front_of(&server));
        let test = async {
            assert!(pool.get().await.unwrap().is_direct());
            assert_eq!(proxy.cut(), 1);
            let attempts = AtomicU32::new(0);
            let processed = pool.retrying(|connection| {
                let first = attempts.fetch_add(1, Ordering::Relaxed) == 0;
                let proxy = &proxy;
                async move {
                    let cut = async { first.then(|| proxy.cut()) };
                    let (answer, _) = join(connection.query(&[], "SELECT pg_sleep(0.2)", &[]), cut).await;
                    answer.map(|rows| rows.len()).map_err(|error| brain_pgvector_error(&error))
                }
            });
            assert_eq!(processed.await.unwrap(), 1);
            assert!(attempts.load(Ordering::Relaxed) >= 2);
        };
        tasks.run_until(test).await;
    });
}

#[test]
fn a_pool_outlives_the_runtime_it_was_first_used_in() {
    let pool = pool(&services::postgres());
    let first = run(async { process(&pool.get().await.unwrap()).await });
    let held = run(pool.get()).unwrap();
    drop(held);
    let second = run(async { process(&pool.get().await.unwrap()).await });
    assert_ne!(first, second);
}

/// A statement's failure as the backend makes it of the driver's, as far as this test needs it.
fn brain_pgvector_error(error: &tokio_postgres::Error) -> Error {
    Error::new(ErrorKind::Unavailable, error.to_string()).retryable()
}
