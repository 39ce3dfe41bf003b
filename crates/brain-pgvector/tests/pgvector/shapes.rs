//! Random data of every shape at default settings: every answer is whole, every distance right, and hardly a row is missed.

use std::time::Instant;

use brain_core::search::{Aggregation, SearchRequest};
use brain_core::{IndexSpec, Item, ItemId, ItemKind, ItemSet, Metric, NoProgress, OnConflict, Scope, SimilarityBackend};
use brain_pgvector::PgvectorBackend;
use brain_testkit::compare::Recall;
use brain_testkit::corpus::{Ids, strangers};
use brain_testkit::random::Random;
use brain_testkit::services::postgres;
use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

use crate::questions::{Row, add, assert_answer, oracle_of};
use crate::schema::Schema;
use crate::server::run;

const CLUSTERS: usize = 12;
const RECALL: f64 = 0.99;

/// How the vectors lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Lie {
    /// In dense clusters, as embeddings of photos do.
    Clustered,
    /// Nothing is near anything.
    Isotropic,
    /// Few different ones, each many times.
    Duplicates,
}

/// One index.
#[derive(Clone, Debug)]
struct Data {
    lie: Lie,
    dimension: usize,
    metric: Metric,
    parameters: Vec<(&'static str, &'static str)>,
    rows: usize,
    seed: u64,
}

/// One question to it.
#[derive(Clone, Debug)]
struct Question {
    k: Option<usize>,
    reverse: bool,
    view: View,
    /// Asks by a stored vector, else by a new one.
    stored: bool,
    seed: u64,
}

#[derive(Clone, Copy, Debug)]
enum View {
    Everything,
    Empty,
    One,
    Percent(usize),
    /// Without the clusters up to this one, of which the query is.
    Without(usize),
    /// Half of it is not indexed.
    Strangers,
}

fn data(lie: Lie, dimension: usize) -> impl Strategy<Value = Data> {
    let kinds: &[&[(&str, &str)]] = &[&[], &[], &[("vector_type", "halfvec")], &[("index_type", "ivfflat")]];
    let rows = if dimension > 2_000 { 1_200..1_400_usize } else { 1_200..3_000 };
    (proptest::sample::select(&Metric::ALL[..]), proptest::sample::select(kinds), rows, any::<u64>()).prop_map(
        move |(metric, parameters, rows, seed)| {
            // An ivfflat index does not rank by all metrics.
            let refused = matches!(metric, Metric::L1 | Metric::Jaccard) || (dimension == 1 && matches!(metric, Metric::Cosine | Metric::DotProduct));
            let served = !refused || parameters.iter().all(|(_, value)| *value != "ivfflat");
            Data { lie, dimension, metric, parameters: if served { parameters.to_vec() } else { Vec::new() }, rows, seed }
        },
    )
}

fn questions() -> impl Strategy<Value = Vec<Question>> {
    let k = prop_oneof![5 => Just(Some(10)), 3 => (1..=300_usize).prop_map(Some), 1 => Just(None)];
    let view = prop_oneof![
        6 => Just(View::Everything),
        1 => Just(View::Empty),
        1 => Just(View::One),
        6 => (1..=99_usize).prop_map(View::Percent),
        4 => (0..CLUSTERS - 1).prop_map(View::Without),
        2 => Just(View::Strangers),
    ];
    let question = (k, proptest::bool::weighted(0.1), view, any::<bool>(), any::<u64>());
    proptest::collection::vec(question.prop_map(|(k, reverse, view, stored, seed)| Question { k, reverse, view, stored, seed }), 36)
}

impl Data {
    /// A vector of a cluster.
    fn vector(&self, cluster: usize, random: &mut Random) -> Vec<f32> {
        let mut fixed = Random::new(self.seed ^ cluster as u64);
        // Of length 1 or so, as embeddings are.
        let scale = (self.dimension as f32).sqrt().recip();
        match self.lie {
            Lie::Clustered => (0..self.dimension).map(|_| (fixed.normal() + 0.3 * random.normal()) * scale).collect(),
            Lie::Isotropic => (0..self.dimension).map(|_| random.normal() * scale).collect(),
            Lie::Duplicates => (0..self.dimension).map(|_| fixed.normal() * scale).collect(),
        }
    }

    fn rows(&self) -> Vec<Row> {
        let mut random = Random::new(self.seed);
        let ids = Ids::Hex.draw(self.rows, self.seed).into_iter().enumerate();
        ids.map(|(row, id)| (Item::sample(id), self.vector(row % CLUSTERS, &mut random))).collect()
    }
}

impl View {
    fn draw(self, rows: &[Row], random: &mut Random) -> Option<ItemSet> {
        let id = |row: usize| rows[row].0.id.clone();
        let mut some = |share: usize| -> Vec<ItemId> { (0..rows.len()).filter(|_| random.below(100) < share).map(id).collect() };
        Some(ItemSet::new(match self {
            Self::Everything => return None,
            Self::Empty => Vec::new(),
            Self::One => vec![id(rows.len() / 2)],
            Self::Percent(share) => some(share),
            Self::Without(last) => (0..rows.len()).filter(|row| row % CLUSTERS > last).map(id).collect(),
            Self::Strangers => some(50).into_iter().chain(strangers(rows.len() / 2)).collect(),
        }))
    }
}

/// What was found of the 10 nearest, and of all that was asked for.
#[derive(Default)]
struct Found {
    ten: Recall,
    all: Recall,
}

/// Makes the index and asks; how many questions went through it.
async fn hold(backend: &PgvectorBackend, data: &Data, questions: &[Question], found: &mut Found) -> usize {
    let parameters = data.parameters.iter().map(|&(name, value)| (name.to_owned(), value.into())).collect();
    let Data { dimension, metric, .. } = *data;
    let spec = IndexSpec { name: format!("shape_{:x}", data.seed), dimension, metric, items: ItemKind::Samples, parameters };
    let index = backend.create(&spec).await.unwrap();
    let mut rows = data.rows();
    if data.parameters.contains(&("vector_type", "halfvec")) {
        rows.iter_mut().for_each(|(_, vector)| vector.iter_mut().for_each(|x| *x = half::f16::from_f32(*x).to_f32()));
    }
    for part in rows.chunks(500) {
        add(&*index, part, OnConflict::Error).await.unwrap();
    }
    index.build(&NoProgress).await.unwrap();
    let oracle = oracle_of(metric, &rows);
    let mut approximate = 0;
    for question in questions {
        let mut random = Random::new(question.seed);
        let cluster = if let View::Without(last) = question.view { last } else { random.below(CLUSTERS) };
        let query = if question.stored { rows[cluster].1.clone() } else { data.vector(cluster, &mut random) };
        let view = question.view.draw(&rows, &mut random);
        let scope = view.as_ref().map_or(Scope::All, Scope::Items);
        let &Question { k, reverse, .. } = question;
        let request = SearchRequest { k, reverse, scope, aggregation: Aggregation::None, ..SearchRequest::new(vec![query]) };
        let recall = if k == Some(10) { &mut found.ten } else { &mut found.all };
        let answer = assert_answer(&*index, &oracle, &request, recall).await;
        approximate += usize::from(!answer.report.exact);
    }
    backend.drop_index(&(&spec).into()).await.unwrap();
    approximate
}

#[test]
fn hardly_a_row_is_missed_and_none_is_short() {
    let schema = run(Schema::new(postgres()));
    let backend = schema.backend();
    let mut found = Found::default();
    let mut through_the_index = 0;
    let plan = [
        (Lie::Clustered, 64, 4),
        (Lie::Isotropic, 16, 2),
        (Lie::Isotropic, 256, 2),
        (Lie::Duplicates, 32, 3),
        (Lie::Clustered, 1, 2),
        (Lie::Duplicates, 1, 1),
        (Lie::Clustered, 2_500, 2),
        (Lie::Isotropic, 2_500, 1),
        (Lie::Clustered, 4_500, 2),
        (Lie::Isotropic, 4_500, 1),
    ];
    for (number, (lie, dimension, cases)) in plan.into_iter().enumerate() {
        let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &[number as u8; 32]);
        let config = Config { cases, max_shrink_iters: 0, failure_persistence: None, ..Config::default() };
        let shared = std::cell::RefCell::new((&mut found, &mut through_the_index));
        let outcome = TestRunner::new_with_rng(config, rng).run(&(data(lie, dimension), questions()), |(data, questions)| {
            let (found, through_the_index) = &mut *shared.borrow_mut();
            let started = Instant::now();
            let approximate = run(hold(&backend, &data, &questions, found));
            eprintln!("{data:?}: {approximate} of {} through the index, {:.1} s", questions.len(), started.elapsed().as_secs_f64());
            **through_the_index += approximate;
            Ok(())
        });
        outcome.unwrap_or_else(|failure| panic!("{failure}"));
    }
    assert!(through_the_index > 100, "only {through_the_index} questions went through an index");
    eprintln!("recall of the 10 nearest {:.4}, of others {:.4}", found.ten.share(), found.all.share());
    found.ten.assert_at_least(RECALL);
    found.all.assert_at_least(RECALL);
}

#[test]
fn numbers_beyond_the_servers_precision_are_compared_all_the_same() {
    run(async {
        let schema = Schema::new(postgres()).await;
        let values = [3e38, -3e38, 1e25, 1.0, -1.0, 1e-20, 1e-38, -1e-38];
        let rows = |from: usize| -> Vec<Row> {
            let row = |(number, &value): (usize, &f32)| (Item::sample(format!("{number:03}").as_str().into()), vec![value, value / 3.0, 1e-30]);
            values.iter().cycle().take(1_200).enumerate().skip(from).map(row).collect()
        };
        for metric in Metric::ALL {
            let backend = schema.backend();
            let spec =
                IndexSpec { name: format!("extreme_{metric}"), dimension: 3, metric, items: ItemKind::Samples, parameters: Default::default() };
            let (index, all) = (backend.create(&spec).await.unwrap(), rows(0));
            // A handle that has seen plain rows alone learns of the others.
            let plain = [(Item::sample("plain".into()), vec![1.0, 2.0, 3.0])];
            add(&*index, &plain, OnConflict::Error).await.unwrap();
            let other = backend.open(&spec).await.unwrap();
            other.remove(brain_core::Selector::All, Default::default()).await.unwrap();
            add(&*other, &all, OnConflict::Error).await.unwrap();
            other.build(&NoProgress).await.unwrap();
            let oracle = oracle_of(metric, &all);
            for k in [Some(10), Some(300), None] {
                for (reverse, query) in [(false, &all[0].1), (true, &all[1].1), (false, &all[3].1), (false, &all[6].1)] {
                    let request = SearchRequest { k, reverse, ..SearchRequest::new(vec![query.clone()]) };
                    assert_answer(&*index, &oracle, &request, &mut Recall::default()).await;
                }
            }
        }
    });
}
