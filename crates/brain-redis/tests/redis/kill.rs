//! A process that adds and removes is killed at any instant, again and again: what it acknowledged is there, a change that it had begun is there whole or
//! not at all, and doing it again finishes it. A removal goes in slices, so that the server answers others meanwhile: one that was begun is finished by who
//! opens the index next.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use brain_core::search::SearchRequest;
use brain_core::{IndexSpec, Item, ItemId, OnConflict, OnMissing, Selector, SimilarityBackend, SimilarityIndex, VectorBatch};
use brain_testkit::compare::Recall;
use brain_testkit::kill::{one_life, tell};
use brain_testkit::questions::{Row, add, assert_answer, oracle_of};
use brain_testkit::random::Random;
use brain_testkit::services::{Server, redis};
use brain_testkit::shape::Shape;
use futures::TryStreamExt as _;

use crate::place::Place;
use crate::server::{backend, backend_with, run, runtime};

/// How many processes are killed: 25 unless this variable says otherwise.
const KILLS: &str = "BRAIN_KILLS";
/// In the process that is to be killed: the number of its first change, the index, and the URL.
const ROLE: &str = "BRAIN_REDIS_TEST_WRITER";
/// What is there before any change, and stays.
const BASE: usize = 1_500;
const BATCH: usize = 300;
/// A process dies within this time of its first change.
const LONGEST_LIFE: Duration = Duration::from_millis(300);

type Rows = BTreeMap<ItemId, Vec<f32>>;

/// What a writer does, one after the other.
#[derive(Clone, Copy, Debug)]
enum Change {
    Add(usize),
    /// Everything that was added since the last removal.
    Remove(usize),
}

impl Change {
    fn new(number: usize) -> Self {
        if number % 5 == 4 { Self::Remove(number) } else { Self::Add(number) }
    }

    async fn apply(self, index: &dyn SimilarityIndex) {
        match self {
            Self::Add(number) => drop(add(index, &rows_of(number), OnConflict::Overwrite).await.unwrap()),
            Self::Remove(number) => {
                let ids: Vec<ItemId> = (number - 4..number).flat_map(rows_of).map(|(item, _)| item.id).collect();
                index.remove(Selector::Items(&ids), OnMissing::Ignore).await.unwrap();
            }
        }
    }

    fn after(self, rows: &mut Rows) {
        match self {
            Self::Add(number) => rows.extend(rows_of(number).into_iter().map(|(item, vector)| (item.id, vector))),
            Self::Remove(number) => (number - 4..number).flat_map(rows_of).for_each(|(item, _)| drop(rows.remove(&item.id))),
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

fn spec_of(name: &str) -> IndexSpec {
    let parameters = [("algorithm".to_owned(), "HNSW".into())].into();
    IndexSpec { name: name.to_owned(), dimension: 16, metric: brain_core::Metric::Cosine, items: Default::default(), parameters }
}

#[test]
fn a_killed_writer_loses_nothing_it_acknowledged() {
    if let Ok(role) = std::env::var(ROLE) {
        return write_until_killed(&role);
    }
    let kills: u32 = std::env::var(KILLS).map_or(25, |kills| kills.parse().expect("BRAIN_KILLS is a number"));
    let place = Place::new(redis());
    let victim = Server { user: place.named("victim"), password: "guest0guest".into(), ..place.server.clone() };
    place.client().say(&format!("ACL SETUSER {} reset on >{} ~* &* +@all", victim.user, victim.password));
    let (runtime, spec) = (runtime(), spec_of(&place.named("index")));
    let backend = backend(&place.server);
    let mut rows: Rows = rows_of(usize::MAX).into_iter().map(|(item, vector)| (item.id, vector)).collect();
    runtime.block_on(async {
        let index = backend.create(&spec).await.unwrap();
        add(&*index, &rows_of(usize::MAX), OnConflict::Error).await.unwrap();
    });
    let mut random = Random::new(kills.into());
    let (mut next, mut present, mut absent, mut removing) = (0, 0, 0, 0);
    for _ in 0..kills {
        let role = format!("{next} {} {}", spec.name, victim.url());
        let lines = one_life("kill::a_killed_writer_loses_nothing_it_acknowledged", (ROLE, &role), LONGEST_LIFE, &mut random);
        let count = |word: &str| lines.iter().filter(|line| line.starts_with(word)).count();
        let (begun, done) = (next + count("begin"), next + count("done"));
        assert!(begun == done || begun == done + 1, "{lines:?}");
        (next..done).for_each(|number| Change::new(number).after(&mut rows));
        next = done;
        gone(&place, &victim);
        runtime.block_on(async {
            let index = backend.open(&spec).await.unwrap();
            let found = rows_in(&*index).await;
            let mut after = rows.clone();
            Change::new(done).after(&mut after);
            removing += usize::from(begun > done && matches!(Change::new(done), Change::Remove(_)));
            if begun > done && found != rows {
                rows = after;
                next += 1;
                present += 1;
            } else {
                absent += usize::from(begun > done);
            }
            assert!(found == rows, "{:?} is half there: {} rows, {} are right", Change::new(done), found.len(), rows.len());
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
    eprintln!("{kills} kills over {next} changes: {present} present, {absent} absent, of which {removing} fell into removals");
    place.client().say(&format!("ACL DELUSER {}", victim.user));
    assert!(present + absent > 0, "no kill fell inside a change");
    // Nothing is left of what was begun but the rows, each at its key.
    runtime.block_on(async { assert!(backend.drop_index(&(&spec).into()).await.unwrap()) });
    assert_eq!(place.keys(), [""; 0], "something was left behind");
}

/// Waits until the server has noticed that the writer is dead.
fn gone(place: &Place, victim: &Server) {
    let mut client = place.client();
    let until = Instant::now() + Duration::from_secs(30);
    while client.say("CLIENT LIST").text().contains(&format!("user={} ", victim.user)) {
        assert!(Instant::now() < until, "a dead client is still connected");
    }
}

fn write_until_killed(role: &str) {
    let [first, name, url] = role.splitn(3, ' ').collect::<Vec<_>>().try_into().unwrap();
    run(async {
        let index = backend_with(&[("url", url)]).open(&spec_of(name)).await.unwrap();
        for number in first.parse::<usize>().unwrap().. {
            tell(&format!("begin {number}"));
            Change::new(number).apply(&*index).await;
            tell(&format!("done {number}"));
        }
    });
}
