//! A process that adds, removes and builds is killed at any instant, again and again: what it acknowledged is there, what it had begun is there whole or
//! not at all, and doing it again finishes it.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use brain_core::search::SearchRequest;
use brain_core::{Item, ItemId, NoProgress, OnConflict, OnMissing, Selector, SimilarityBackend, SimilarityIndex, VectorBatch};
use brain_testkit::compare::Recall;
use brain_testkit::kill::{one_life, tell};
use brain_testkit::questions::{Row, add, assert_answer, oracle_of};
use brain_testkit::random::Random;
use brain_testkit::services::postgres;
use brain_testkit::shape::Shape;
use futures::TryStreamExt as _;
use tokio_postgres::types::Type;

use crate::faults::spec;
use crate::schema::Schema;
use crate::server::run;

/// How many processes are killed: 25 unless this variable says otherwise.
const KILLS: &str = "BRAIN_KILLS";
/// In the process that is to be killed: the connection string, and the number of its first change.
const ROLE: &str = "BRAIN_PGVECTOR_TEST_WRITER";
/// What is there before any change, and stays.
const BASE: usize = 1_500;
const BATCH: usize = 300;
/// A process dies within this time of its first change.
const LONGEST_LIFE: Duration = Duration::from_secs(1);

type Rows = BTreeMap<ItemId, Vec<f32>>;

/// What a writer does, one after the other.
#[derive(Clone, Copy, Debug)]
enum Change {
    Add(usize),
    /// Everything that was added since the last removal: so much that the index is built anew.
    Remove(usize),
    /// Drops the index and builds it.
    Build,
}

impl Change {
    fn new(number: usize) -> Self {
        match number % 6 {
            4 => Self::Remove(number),
            5 => Self::Build,
            _ => Self::Add(number),
        }
    }

    async fn apply(self, schema: &str, index: &dyn SimilarityIndex) {
        match self {
            Self::Add(number) => drop(add(index, &rows_of(number), OnConflict::Overwrite).await.unwrap()),
            Self::Remove(number) => {
                let ids: Vec<ItemId> = (number - 4..number).flat_map(rows_of).map(|(item, _)| item.id).collect();
                index.remove(Selector::Items(&ids), OnMissing::Ignore).await.unwrap();
            }
            Self::Build => {
                let pool = index.client().downcast_ref::<brain_pgvector::Pool>().unwrap();
                pool.get().await.unwrap().batch(&format!("DROP INDEX IF EXISTS {schema}.victim_embedding_vector_idx")).await.unwrap();
                index.build(&NoProgress).await.unwrap();
            }
        }
    }

    fn after(self, rows: &mut Rows) {
        match self {
            Self::Add(number) => rows.extend(rows_of(number).into_iter().map(|(item, vector)| (item.id, vector))),
            Self::Remove(number) => (number - 4..number).flat_map(rows_of).for_each(|(item, _)| drop(rows.remove(&item.id))),
            Self::Build => {}
        }
    }
}

/// The rows that a change adds; those of `usize::MAX` are there from the start.
fn rows_of(number: usize) -> Vec<Row> {
    let count = if number == usize::MAX { BASE } else { BATCH };
    let ids = (0..count).map(|row| Item::sample(format!("{:012x}{row:012x}", number & 0xffff_ffff_ffff).as_str().into()));
    ids.zip(Shape::Clustered.vectors(count, number as u64)).collect()
}

async fn rows_in(index: &dyn SimilarityIndex) -> Rows {
    let batches: Vec<VectorBatch> = index.stream().try_collect().await.unwrap();
    batches.iter().flat_map(VectorBatch::rows).map(|(item, vector)| (item.id.clone(), vector.to_vec())).collect()
}

#[test]
fn a_killed_writer_loses_nothing_it_acknowledged() {
    if let Ok(role) = std::env::var(ROLE) {
        return write_until_killed(&role);
    }
    let kills: u32 = std::env::var(KILLS).map_or(25, |kills| kills.parse().expect("BRAIN_KILLS is a number"));
    let schema = run(Schema::new(postgres()));
    let backend = schema.backend().with_exact_below(0);
    let mut rows: Rows = rows_of(usize::MAX).into_iter().map(|(item, vector)| (item.id, vector)).collect();
    run(async {
        let index = backend.create(&spec("victim")).await.unwrap();
        add(&*index, &rows_of(usize::MAX), OnConflict::Error).await.unwrap();
        index.build(&NoProgress).await.unwrap();
    });
    let mut random = Random::new(kills.into());
    let (mut next, mut present, mut absent, mut unbuilt, mut half_built) = (0, 0, 0, 0, 0);
    for _ in 0..kills {
        let role = format!("{next} {} {}", schema.name, victims_url(&schema));
        let lines = one_life("kill::a_killed_writer_loses_nothing_it_acknowledged", (ROLE, &role), LONGEST_LIFE, &mut random);
        let count = |word: &str| lines.iter().filter(|line| line.starts_with(word)).count();
        let (begun, done) = (next + count("begin"), next + count("done"));
        assert!(begun == done || begun == done + 1, "{lines:?}");
        (next..done).for_each(|number| Change::new(number).after(&mut rows));
        next = done;
        run(async {
            gone(&schema).await;
            let index = backend.open(&spec("victim")).await.unwrap();
            let found = rows_in(&*index).await;
            if begun > done && found != rows {
                Change::new(done).after(&mut rows);
                next += 1;
                present += 1;
            } else {
                absent += usize::from(begun > done);
            }
            assert!(found == rows, "{:?} is half there: {} rows, {} are right", Change::new(done), found.len(), rows.len());
            let [valid, invalid] = indexes(&schema).await;
            (unbuilt, half_built) = (unbuilt + usize::from(valid == 0), half_built + usize::from(invalid > 0));
            // Whatever became of the index, the answers are right.
            let all: Vec<Row> = rows.iter().map(|(id, vector)| (Item::sample(id.clone()), vector.clone())).collect();
            let oracle = oracle_of(index.spec().metric, &all);
            let mut recall = Recall::default();
            for (k, row) in [(Some(10), 0), (Some(40), all.len() / 2), (Some(50), all.len() - 1), (None, 1)] {
                let request = SearchRequest { k, ..SearchRequest::new(vec![all[row].1.clone()]) };
                assert_answer(&*index, &oracle, &request, &mut recall).await;
            }
            recall.assert_at_least(0.98);
        });
    }
    eprintln!("{kills} kills over {next} changes: {present} present, {absent} absent, {unbuilt} without an index, {half_built} with half of one");
    assert!(present + absent > 0, "no kill fell inside a change");
    // Doing it again finishes it.
    run(async {
        let index = backend.open(&spec("victim")).await.unwrap();
        index.build(&NoProgress).await.unwrap();
        assert_eq!(indexes(&schema).await, [1, 0], "one index, and no leftover");
    });
}

/// How many indexes on the vectors are valid, and how many are not.
async fn indexes(schema: &Schema) -> [i64; 2] {
    const INDEXES: &str = "\
        SELECT count(*) FILTER (WHERE indisvalid), count(*) FILTER (WHERE NOT indisvalid) FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid \
        JOIN pg_am m ON m.oid = c.relam WHERE c.relnamespace = $1::text::regnamespace AND m.amname = 'hnsw'";
    let rows = schema.pool.get().await.unwrap().query(&[], INDEXES, &[(&schema.name, Type::TEXT)]).await.unwrap();
    [rows[0].get(0), rows[0].get(1)]
}

/// Waits until the server has noticed that the writer is dead.
async fn gone(schema: &Schema) {
    const LEFT: &str = "SELECT 1 FROM pg_stat_activity WHERE application_name = $1";
    let until = Instant::now() + Duration::from_secs(30);
    let watcher = schema.pool.get().await.unwrap();
    while !watcher.query(&[], LEFT, &[(&format!("{}_victim", schema.name), Type::TEXT)]).await.unwrap().is_empty() {
        assert!(Instant::now() < until, "a dead client's statement is still running");
    }
}

/// The connection string of the writer, by which the server's list of clients tells it from the test.
fn victims_url(schema: &Schema) -> String {
    let url = schema.url().replace("application_name=", "application_name=victim_");
    url.replace(&format!("victim_{}", schema.name), &format!("{}_victim", schema.name))
}

fn write_until_killed(role: &str) {
    let [first, schema, url] = role.splitn(3, ' ').collect::<Vec<_>>().try_into().unwrap();
    run(async {
        let backend = crate::server::backend_of(url);
        let index = backend.open(&spec("victim")).await.unwrap();
        for number in first.parse::<usize>().unwrap().. {
            tell(&format!("begin {number}"));
            Change::new(number).apply(schema, &*index).await;
            tell(&format!("done {number}"));
        }
    });
}
