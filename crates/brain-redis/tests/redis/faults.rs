//! What happens to rows on their way when the server, the network or the time runs out.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use brain_core::search::{SearchRequest, search};
use brain_core::{AddReport, ErrorKind, Item, NoProgress, OnConflict, OnMissing, Result, Scope, Selector, SimilarityBackend, SimilarityIndex};
use brain_testkit::compare::Recall;
use brain_testkit::corpus::{Corpus, Ids};
use brain_testkit::proxy::Proxy;
use brain_testkit::questions::{Row, add, assert_answers, batch_of};
use brain_testkit::random::Random;
use brain_testkit::services::{Server, redis, redis_faults};
use brain_testkit::shape::Shape;
use futures::future::{Either, select};
use futures::stream::{self, StreamExt as _};
use tokio::task::LocalSet;

use crate::place::Place;
use crate::server::{backend, backend_and, run};

const RULES: [OnConflict; 3] = [OnConflict::Overwrite, OnConflict::Skip, OnConflict::Error];
const ROWS: usize = 600;
const BATCH: usize = 20;

pub(crate) fn rows(count: usize, seed: u64) -> Vec<Row> {
    let corpus = Corpus::samples(Shape::Clustered, count, Ids::Hex, 3);
    let vectors = Shape::Clustered.vectors(count, seed);
    corpus.items.into_iter().zip(vectors).collect()
}

/// Adds rows in small batches, of which every seventh is followed by `fault`, while some are on their way.
async fn add_under(index: &dyn SimilarityIndex, rows: &[Row], rule: OnConflict, fault: &dyn Fn()) -> Result<AddReport> {
    let taken = AtomicUsize::new(0);
    let batches = stream::iter(rows.chunks(BATCH)).then(async |rows| {
        taken.fetch_add(1, Ordering::Relaxed);
        // Others go on: what was sent, and the faults.
        tokio::task::yield_now().await;
        Ok(batch_of(rows))
    });
    let faults = async {
        for number in (5..).step_by(7) {
            while taken.load(Ordering::Relaxed) < number {
                tokio::task::yield_now().await;
            }
            fault();
        }
    };
    match select(std::pin::pin!(index.add(batches.boxed(), rule)), std::pin::pin!(faults)).await {
        Either::Left((report, _)) => report,
        Either::Right(_) => unreachable!("faults never end"),
    }
}

/// Adds rows to an index, of which half are there but for [`OnConflict::Error`], while `fault` strikes again and again.
async fn assert_goes_on(place: &Place, backend: &dyn SimilarityBackend, rule: OnConflict, fault: &dyn Fn()) {
    let (old, new) = (rows(ROWS, 1), rows(ROWS, 2));
    let spec = place.spec(&format!("goes_on_{rule:?}"), &[]);
    let index = backend.create(&spec).await.unwrap();
    let half = ROWS / 2;
    if rule != OnConflict::Error {
        add(&*index, &old[..half], OnConflict::Error).await.unwrap();
    }
    let report = add_under(&*index, &new, rule, fault).await.unwrap();
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

/// A user of the test's own: its connections, and no others, are those of the backend.
fn with_user(place: &Place) -> Server {
    let server = Server { user: place.named("user"), password: "guest0guest".into(), ..place.server.clone() };
    place.client().say(&format!("ACL SETUSER {} reset on >{} ~* &* +@all", server.user, server.password));
    server
}

#[test]
fn adding_goes_on_when_its_connections_are_killed() {
    run(async {
        let place = Place::new(redis());
        let user = with_user(&place);
        let killed = AtomicUsize::new(0);
        for rule in RULES {
            let kill = || {
                let count = place.client().say(&format!("CLIENT KILL USER {}", user.user)).number();
                killed.fetch_add(count as usize, Ordering::Relaxed);
            };
            assert_goes_on(&place, &backend(&user), rule, &kill).await;
        }
        place.client().say(&format!("ACL DELUSER {}", user.user));
        assert!(killed.load(Ordering::Relaxed) >= RULES.len(), "nothing was killed");
    });
}

#[test]
fn adding_goes_on_when_the_network_is_cut() {
    run(async {
        let place = Place::new(redis());
        let tasks = LocalSet::new();
        let test = async {
            for rule in RULES {
                let proxy = Proxy::before(&place.server, &tasks).await;
                let backend = backend(&proxy.in_front_of(&place.server));
                let cuts = AtomicUsize::new(0);
                let cut = || {
                    cuts.fetch_add(proxy.cut(), Ordering::Relaxed);
                };
                assert_goes_on(&place, &backend, rule, &cut).await;
                assert!(cuts.load(Ordering::Relaxed) > 0, "nothing was cut");
            }
        };
        tasks.run_until(test).await;
    });
}

/// The server keeps an append-only file, so that nothing is lost.
#[test]
fn adding_goes_on_when_the_server_is_restarted() {
    run(async {
        let server = redis_faults();
        let place = Place::new((*server).clone());
        for rule in RULES {
            let restarts = AtomicUsize::new(0);
            let restart = || {
                if restarts.fetch_add(1, Ordering::Relaxed) < 2 {
                    server.restart();
                }
            };
            assert_goes_on(&place, &place.backend(), rule, &restart).await;
        }
    });
}

/// Without a file the server comes back empty: what was acknowledged is gone, and that is never a success.
#[test]
fn what_a_server_without_persistence_lost_is_an_error() {
    run(async {
        let server = redis_faults();
        let place = Place::new((*server).clone());
        let backend = place.backend();
        place.client().say("CONFIG SET appendonly no");
        for rule in RULES {
            let spec = place.spec(&format!("lost_{rule:?}"), &[]);
            let index = backend.create(&spec).await.unwrap();
            let restarted = AtomicUsize::new(0);
            let restart = || {
                if restarted.fetch_add(1, Ordering::Relaxed) == 0 {
                    server.restart();
                    place.client().say("CONFIG SET appendonly no");
                }
            };
            let error = add_under(&*index, &rows(ROWS, 1), rule, &restart).await.unwrap_err();
            assert_gone(&error, &spec.name);
            assert_says_gone(&*index, &spec.name).await;
            assert_gone(&backend.open(&spec).await.err().unwrap(), &spec.name);
        }
        server.restart();
    });
}

#[track_caller]
fn assert_gone(error: &brain_core::Error, name: &str) {
    assert_eq!(error.kind(), ErrorKind::NotFound, "{error:?}");
    assert!(error.message().contains(name), "{error:?}");
}

/// Every way to ask an index that is not there any more is an error that names it.
async fn assert_says_gone(index: &dyn SimilarityIndex, name: &str) {
    use futures::TryStreamExt as _;
    let query = rows(1, 1).remove(0).1;
    for scope in [Scope::All, Scope::Items(&brain_core::ItemSet::new(vec!["a".into()]))] {
        assert_gone(&index.count(scope).await.unwrap_err(), name);
        for k in [Some(3), None] {
            let request = SearchRequest { k, scope, ..SearchRequest::new(vec![query.clone()]) };
            assert_gone(&search(index, &request).await.unwrap_err(), name);
        }
    }
    assert_gone(&index.info().await.unwrap_err(), name);
    assert_gone(&index.ids().try_concat().await.unwrap_err(), name);
    assert_gone(&index.stream().try_collect::<Vec<_>>().await.unwrap_err(), name);
    assert_gone(&index.fetch(brain_core::Selector::All).await.unwrap_err(), name);
    assert_gone(&index.remove(brain_core::Selector::All, Default::default()).await.unwrap_err(), name);
    assert_gone(&add(index, &rows(2, 1), OnConflict::Overwrite).await.unwrap_err(), name);
}

#[test]
fn an_emptied_server_is_an_error_and_never_an_index_of_no_items() {
    run(async {
        let server = redis_faults();
        let place = Place::new((*server).clone());
        let spec = place.spec("emptied", &[]);
        let backend = place.backend();
        let index = backend.create(&spec).await.unwrap();
        add(&*index, &rows(50, 1), OnConflict::Error).await.unwrap();
        for command in ["FLUSHALL", "FLUSHDB"] {
            place.client().say(command);
            assert_says_gone(&*index, &spec.name).await;
            assert!(place.keys().is_empty(), "nothing is written for an index that is not there");
            assert!(!backend.drop_index(&(&spec).into()).await.unwrap());
        }
    });
}

#[test]
fn a_server_that_is_gone_is_an_error_for_every_question() {
    run(async {
        let server = redis_faults();
        let place = Place::new((*server).clone());
        let spec = place.spec("left", &[]);
        let backend = backend_and(&place.server, &[("command_timeout", "2")]);
        let index = backend.create(&spec).await.unwrap();
        add(&*index, &rows(50, 1), OnConflict::Error).await.unwrap();
        server.stop();
        // It might be restarting, so the first who asks waits a while. From then on all are told at once.
        let first = index.count(Scope::All).await.err();
        let since = Instant::now();
        let errors = [
            first,
            index.count(Scope::All).await.err(),
            index.info().await.err(),
            index.fetch(Selector::All).await.err(),
            search(&*index, &SearchRequest::new(vec![rows(1, 1).remove(0).1])).await.err(),
            add(&*index, &rows(2, 2), OnConflict::Overwrite).await.err(),
            index.remove(Selector::All, OnMissing::Ignore).await.err(),
            place_backend_error(&place, &spec).await,
        ];
        let took = since.elapsed();
        server.start();
        for error in errors {
            let error = error.unwrap();
            assert!(error.kind() == ErrorKind::Unavailable && error.is_retryable(), "{error:?}");
        }
        assert!(took < Duration::from_secs(3), "who asks a server that is known to be dead waits {took:?}");
        // Back again, it is used again.
        assert_eq!(index.count(Scope::All).await.unwrap(), 50);
    });
}

async fn place_backend_error(place: &Place, spec: &brain_core::IndexSpec) -> Option<brain_core::Error> {
    place.backend().open(spec).await.err()
}

/// A search that the server cuts off has fewer rows than it should, and is never taken for an answer.
#[test]
fn a_search_over_its_time_is_an_error_or_whole() {
    run(async {
        let place = Place::new(redis());
        let spec = brain_core::IndexSpec { dimension: 512, ..place.spec("slow", &[]) };
        let mut random = Random::new(1);
        let items = Ids::Hex.draw(20_000, 1).into_iter().map(Item::sample);
        let rows: Vec<Row> = items.map(|item| (item, (0..512).map(|_| random.normal()).collect())).collect();
        let index = place.backend().create(&spec).await.unwrap();
        for part in rows.chunks(1_000) {
            add(&*index, part, OnConflict::Error).await.unwrap();
        }
        let hurried = place.backend().with_query_timeout(Duration::from_millis(1)).open(&spec).await.unwrap();
        let mut cut_short = 0;
        for k in [10, 100, 5_000] {
            let request = SearchRequest { k: Some(k), ..SearchRequest::new(vec![rows[0].1.clone()]) };
            assert_eq!(search(&*index, &request).await.unwrap().results[0].len(), k);
            match search(&*hurried, &request).await {
                Ok(answer) => assert_eq!(answer.results[0].len(), k),
                Err(error) => {
                    assert_eq!(error.kind(), ErrorKind::Timeout, "{error:?}");
                    assert!(error.hint().is_some_and(|hint| hint.contains("query_timeout")), "{error:?}");
                    cut_short += 1;
                }
            }
        }
        assert!(cut_short > 0, "a millisecond was enough for everything");
    });
}

/// Some servers are set up to answer with few rows, and refuse who asks for more: what is wanted of them is read, and whole.
#[test]
fn a_server_that_answers_with_few_rows_is_asked_in_other_ways() {
    run(async {
        let server = redis_faults();
        let place = Place::new((*server).clone());
        let rows = rows(400, 1);
        for algorithm in ["FLAT", "HNSW"] {
            let spec = place.spec(&format!("few_{algorithm}"), &[("algorithm", algorithm)]);
            let index = place.backend().create(&spec).await.unwrap();
            add(&*index, &rows, OnConflict::Error).await.unwrap();
            place.client().say("FT.CONFIG SET MAXSEARCHRESULTS 100");
            let request = SearchRequest { k: Some(150), ..SearchRequest::new(vec![rows[0].1.clone()]) };
            let found = search(&*index, &request).await.map(|answer| answer.results[0].len());
            let mut recall = Recall::default();
            assert_answers(&*index, &rows, &mut recall).await;
            place.client().say("FT.CONFIG SET MAXSEARCHRESULTS 1000000");
            assert_eq!(found.unwrap(), 150, "{algorithm}");
            recall.assert_at_least(0.99);
        }
    });
}
