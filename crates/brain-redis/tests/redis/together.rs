//! Several at once: who makes an index first, who writes last, who searches meanwhile, and how much is under way.

use std::sync::atomic::{AtomicUsize, Ordering};

use brain_core::search::SearchRequest;
use brain_core::{ErrorKind, IndexSpec, Item, Metric, NoProgress, OnConflict, OnMissing, Scope, Selector, SimilarityBackend, VectorBatch};
use brain_testkit::compare::Recall;
use brain_testkit::corpus::{Corpus, Ids};
use brain_testkit::questions::{add, assert_answer, oracle_of};
use brain_testkit::services::redis;
use brain_testkit::shape::Shape;
use futures::future::{join, join_all};
use futures::stream::{self, StreamExt as _, TryStreamExt as _};

use crate::faults::rows;
use crate::place::Place;
use crate::server::run;

#[test]
fn of_two_that_make_an_index_one_wins() {
    run(async {
        let place = Place::new(redis());
        let (one, two) = (place.backend(), place.backend());
        for round in 0..10 {
            let spec = place.spec(&format!("race {round}"), &[]);
            let (first, second) = join(one.create(&spec), two.create(&spec)).await;
            let refused = match (first, second) {
                (Ok(_), Err(refused)) | (Err(refused), Ok(_)) => refused,
                (Ok(_), Ok(_)) => panic!("both made it"),
                (Err(one), Err(two)) => panic!("nobody made it: {one:?} and {two:?}"),
            };
            assert_eq!(refused.kind(), ErrorKind::AlreadyExists, "{refused:?}");
        }
    });
}

#[test]
fn of_two_that_overwrite_the_same_items_one_is_last() {
    run(async {
        let place = Place::new(redis());
        let spec = place.spec("contended", &[]);
        let (one, mut two) = (rows(200, 1), rows(200, 2));
        let first = place.backend().create(&spec).await.unwrap();
        let second = place.backend().open(&spec).await.unwrap();
        // In opposite orders, so that each meets the other half way.
        two.reverse();
        for _ in 0..10 {
            let (a, b) = join(add(&*first, &one, OnConflict::Overwrite), add(&*second, &two, OnConflict::Overwrite)).await;
            assert_eq!((a.unwrap(), b.unwrap()).0.skipped, 0);
            let found: VectorBatch = first.fetch(Selector::All).await.unwrap().rows;
            assert_eq!(found.len(), 200);
            let by = |rows: &[(Item, Vec<f32>)]| rows.iter().all(|(item, vector)| found.rows().any(|row| row == (item, vector)));
            assert!(by(&one) || by(&two), "a mixture of both");
        }
    });
}

#[test]
fn of_two_that_add_the_same_new_items_each_counts_what_it_added() {
    run(async {
        let place = Place::new(redis());
        let spec = place.spec("shared", &[]);
        let first = place.backend().create(&spec).await.unwrap();
        let second = place.backend().open(&spec).await.unwrap();
        let all = rows(300, 1);
        let batches = || stream::iter(all.chunks(30).map(|rows| Ok(brain_testkit::questions::batch_of(rows)))).boxed();
        let (one, two) = join(first.add(batches(), OnConflict::Skip), second.add(batches(), OnConflict::Skip)).await;
        let (one, two) = (one.unwrap(), two.unwrap());
        assert_eq!((one.added + two.added, one.skipped + two.skipped), (300, 300), "{one:?} {two:?}");
        assert_eq!(first.count(Scope::All).await.unwrap(), 300);
        // Under Error, a batch is one's or the other's.
        first.remove(Selector::All, OnMissing::Ignore).await.unwrap();
        let (one, two) = join(add(&*first, &all, OnConflict::Error), add(&*second, &all, OnConflict::Error)).await;
        let refused = match (one, two) {
            (Ok(report), Err(refused)) | (Err(refused), Ok(report)) if report.added == 300 => refused,
            other => panic!("one adds all and the other nothing: {other:?}"),
        };
        assert_eq!(refused.kind(), ErrorKind::Conflict, "{refused:?}");
    });
}

#[test]
fn many_search_at_once() {
    run(async {
        let place = Place::new(redis());
        let rows = rows(2_000, 1);
        let oracle = oracle_of(Metric::Cosine, &rows);
        let index = &*place.backend().create(&place.spec("busy", &[("algorithm", "HNSW")])).await.unwrap();
        add(index, &rows, OnConflict::Error).await.unwrap();
        index.build(&NoProgress).await.unwrap();
        for at_once in [8, 32] {
            let questions = (0..4 * at_once).map(|number| {
                let (oracle, query) = (&oracle, rows[number * 7].1.clone());
                async move {
                    let k = [Some(10), Some(100), None][number % 3];
                    let request = SearchRequest { k, reverse: number % 5 == 0, ..SearchRequest::new(vec![query]) };
                    let mut recall = Recall::default();
                    assert_answer(index, oracle, &request, &mut recall).await;
                    recall.share()
                }
            });
            let shares: Vec<f64> = stream::iter(questions).buffer_unordered(at_once).collect().await;
            assert!(shares.iter().sum::<f64>() / shares.len() as f64 >= 0.99, "{shares:?}");
        }
        let counts = join_all((0..32).map(|_| async { index.ids().try_concat().await.unwrap().len() })).await;
        assert_eq!(counts, [2_000; 32]);
    });
}

#[test]
fn little_is_under_way_however_much_there_is() {
    const ROWS: usize = 20_000;
    const BATCH: usize = 500;
    run(async {
        let place = Place::new(redis());
        let backend = place.backend();
        let spec = IndexSpec { dimension: 512, ..place.spec("long", &[]) };
        let index = backend.create(&spec).await.unwrap();
        let reader = backend.open(&spec).await.unwrap();
        let corpus = Corpus::samples(Shape::OneDimension, ROWS, Ids::Hex, 1);
        for rule in [OnConflict::Error, OnConflict::Skip, OnConflict::Overwrite] {
            index.remove(Selector::All, OnMissing::Ignore).await.unwrap();
            let taken = AtomicUsize::new(0);
            let batches = stream::iter(corpus.items.chunks(BATCH)).then(async |items| {
                let under_way = taken.fetch_add(items.len(), Ordering::Relaxed) - reader.count(Scope::All).await? as usize;
                assert!(under_way <= (32 << 20) / (4 * 512) + BATCH, "{rule:?}: {under_way} rows were taken and are not written");
                VectorBatch::new(items.to_vec(), 512, vec![1.0; 512 * items.len()])
            });
            index.add(batches.boxed(), rule).await.unwrap();
        }
        assert_eq!(index.count(Scope::All).await.unwrap() as usize, ROWS);

        // Who reads slowly makes the server wait: it is asked for little at a time.
        let sent = || -> f64 {
            let stats = place.client().say("INFO commandstats").text();
            let calls = |name: &str| {
                let line = stats.lines().find_map(|line| line.to_lowercase().strip_prefix(&format!("cmdstat_{name}:calls=")).map(str::to_owned));
                line.map_or(0.0, |line| line.split(',').next().unwrap().parse().unwrap())
            };
            ["hget", "hmget", "hgetall", "ft.search", "ft.cursor", "ft.aggregate", "json.get", "json.mget"].map(calls).iter().sum()
        };
        let before = sent();
        let mut reading = index.stream();
        let first = reading.try_next().await.unwrap().unwrap().len();
        let asked = sent() - before;
        assert!(asked < ROWS as f64 / 2.0, "{asked} commands were sent before the first {first} rows were taken");
        let mut read = first;
        while let Some(batch) = reading.try_next().await.unwrap() {
            assert!(batch.len() <= 10_000, "a batch of {}", batch.len());
            read += batch.len();
        }
        assert_eq!(read, ROWS);
    });
}
