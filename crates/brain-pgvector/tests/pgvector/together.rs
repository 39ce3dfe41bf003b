//! Several at once: who makes an index first, who writes last, who searches meanwhile, and how much is under way.

use std::sync::atomic::{AtomicUsize, Ordering};

use brain_core::search::SearchRequest;
use brain_core::{ErrorKind, IndexSpec, Item, ItemId, Metric, NoProgress, OnConflict, OnMissing, Scope, Selector, SimilarityBackend, VectorBatch};
use brain_testkit::compare::Recall;
use brain_testkit::corpus::{Corpus, Ids};
use brain_testkit::questions::{add, assert_answer, assert_answers, oracle_of};
use brain_testkit::services::postgres;
use brain_testkit::shape::Shape;
use futures::future::{join, join_all};
use futures::stream::{self, StreamExt as _, TryStreamExt as _};
use tokio_postgres::types::Type;

use crate::faults::{rows, spec};
use crate::schema::Schema;
use crate::server::run;

#[test]
fn of_two_that_make_an_index_one_wins() {
    run(async {
        let schema = Schema::new(postgres()).await;
        let (one, two) = (schema.backend(), schema.backend());
        for round in 0..10 {
            let spec = spec(&format!("race {round}"));
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
        let schema = Schema::new(postgres()).await;
        let (one, mut two) = (rows(200, 1), rows(200, 2));
        let first = schema.backend().create(&spec("contended")).await.unwrap();
        let second = schema.backend().open(&spec("contended")).await.unwrap();
        // In opposite orders, so that each waits for the other.
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
fn a_large_removal_builds_the_index_anew() {
    run(async {
        let schema = Schema::new(postgres()).await;
        let backend = schema.backend().with_exact_below(0);
        let index = backend.create(&spec("shrinking")).await.unwrap();
        let rows = rows(3_000, 1);
        add(&*index, &rows, OnConflict::Error).await.unwrap();
        index.build(&NoProgress).await.unwrap();
        let file = async || {
            const FILES: &str = "\
                SELECT array_agg(c.relfilenode ORDER BY c.relname) FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid \
                JOIN pg_am m ON m.oid = c.relam WHERE c.relnamespace = $1::text::regnamespace AND m.amname = 'hnsw' AND i.indisvalid";
            let rows = schema.pool.get().await.unwrap().query(&[], FILES, &[(&schema.name, Type::TEXT)]).await.unwrap();
            rows[0].get::<_, Vec<u32>>(0)
        };
        let ids = |rows: &[(Item, Vec<f32>)]| rows.iter().map(|(item, _)| item.id.clone()).collect::<Vec<ItemId>>();
        let built = file().await;
        index.remove(Selector::Items(&ids(&rows[..500])), OnMissing::Error).await.unwrap();
        assert_eq!(file().await, built, "a small removal leaves it");
        index.remove(Selector::Items(&ids(&rows[500..1_600])), OnMissing::Error).await.unwrap();
        let anew = file().await;
        assert!(anew.len() == 1 && anew != built, "{anew:?} after {built:?}");
        let mut recall = Recall::default();
        assert_answers(&*index, &rows[1_600..], &mut recall).await;
        recall.assert_at_least(0.99);
    });
}

#[test]
fn half_an_index_is_not_searched_and_is_dropped() {
    run(async {
        let schema = Schema::new(postgres()).await;
        let backend = schema.backend().with_exact_below(0);
        let index = backend.create(&spec("cut_off")).await.unwrap();
        let rows = rows(300, 1);
        add(&*index, &rows, OnConflict::Error).await.unwrap();
        // As a rebuild leaves it that was cut off.
        schema.batch("CREATE INDEX half ON cut_off USING hnsw (embedding_vector vector_cosine_ops)").await;
        schema.batch("UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'half'::regclass").await;
        let index = backend.open(&spec("cut_off")).await.unwrap();
        assert_eq!(index.info().await.unwrap().details["index"], "none: every row is compared");
        assert_answers(&*index, &rows, &mut Recall::default()).await;
        index.build(&NoProgress).await.unwrap();
        assert_eq!(index.info().await.unwrap().details["index"], "cut_off_embedding_vector_idx (hnsw)");
        assert!(schema.objects().await.iter().all(|object| !object.starts_with("i half")));
    });
}

#[test]
fn many_search_at_once() {
    run(async {
        let schema = Schema::new(postgres()).await;
        let rows = rows(2_000, 1);
        let oracle = oracle_of(Metric::Cosine, &rows);
        let index = &*schema.backend().create(&spec("busy")).await.unwrap();
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
        // Streams hold a connection each, and more are wanted than there are.
        let counts = join_all((0..32).map(|_| async { index.ids().try_concat().await.unwrap().len() })).await;
        assert_eq!(counts, [2_000; 32]);
    });
}

#[test]
fn little_is_under_way_however_much_there_is() {
    const ROWS: usize = 20_000;
    const BATCH: usize = 500;
    run(async {
        let schema = Schema::new(postgres()).await;
        let backend = schema.backend();
        let spec = IndexSpec { dimension: 512, ..spec("long") };
        let index = backend.create(&spec).await.unwrap();
        let reader = backend.open(&spec).await.unwrap();
        let corpus = Corpus::samples(Shape::OneDimension, ROWS, Ids::Hex, 1);
        // Where they may be committed together, they are, up to 32 MiB and what is over.
        for (rule, most) in [(OnConflict::Error, BATCH), (OnConflict::Skip, (32 << 20) / (4 * 512) + BATCH)] {
            index.remove(Selector::All, OnMissing::Error).await.unwrap();
            let taken = AtomicUsize::new(0);
            let batches = stream::iter(corpus.items.chunks(BATCH)).then(async |items| {
                let under_way = taken.fetch_add(items.len(), Ordering::Relaxed) - reader.count(Scope::All).await? as usize;
                assert!(under_way <= most, "{under_way} rows were taken and are not written");
                VectorBatch::new(items.to_vec(), 512, vec![1.0; 512 * items.len()])
            });
            index.add(batches.boxed(), rule).await.unwrap();
        }

        // Who reads slowly makes the server wait.
        const SENT: &str = "SELECT tuples_processed FROM pg_stat_progress_copy WHERE type = 'PIPE'";
        let watcher = schema.pool.get().await.unwrap();
        let mut reading = index.stream();
        let mut read = 0;
        while let Some(batch) = reading.try_next().await.unwrap() {
            read += batch.len();
            if read <= 10 * batch.len() {
                let sent = watcher.query_once(&[], SENT, &[]).await.unwrap();
                let ahead = sent.iter().map(|row| row.get::<_, i64>(0)).max().unwrap_or(0) - read as i64;
                assert!(ahead < ROWS as i64 / 2, "{ahead} rows were sent ahead");
            }
        }
        assert_eq!(read, ROWS);
    });
}
