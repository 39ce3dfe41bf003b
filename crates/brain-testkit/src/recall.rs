//! Random data of every shape at a backend's own settings: every answer is whole, every distance right, and hardly a row is missed.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use brain_core::search::{Aggregation, SearchRequest};
use brain_core::{IndexSpec, Item, ItemId, ItemKind, ItemSet, Metric, NoProgress, OnConflict, Scope, SimilarityBackend};
use futures::future::LocalBoxFuture;
use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

use crate::compare::Recall;
use crate::corpus::{Ids, strangers};
use crate::questions::{Row, add, assert_answer, oracle_of};
use crate::random::Random;

/// How many indexes this process has made.
static INDEXES: AtomicUsize = AtomicUsize::new(0);

const CLUSTERS: usize = 12;
/// The share of the nearest that is to be found.
const RECALL: f64 = 0.99;

/// How the vectors lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lie {
    /// In dense clusters, as embeddings of photos do.
    Clustered,
    /// Nothing is near anything.
    Isotropic,
    /// Few different ones, each many times.
    Duplicates,
}

/// A way to make an index.
#[derive(Clone, Copy, Debug)]
pub struct Making {
    /// The backend's own parameters.
    pub parameters: &'static [(&'static str, &'static str)],
    /// Whether numbers are kept in half precision: they are rounded to it before, so that answers can be compared.
    pub halves: bool,
    /// Whether vectors of this length can be ranked by this metric so; else the index is made by default.
    pub serves: fn(Metric, usize) -> bool,
}

impl Making {
    /// By these parameters, whatever the metric.
    pub const fn by(parameters: &'static [(&'static str, &'static str)]) -> Self {
        Self { parameters, halves: false, serves: |_, _| true }
    }

    /// The same in half precision.
    pub const fn in_halves(self) -> Self {
        Self { halves: true, ..self }
    }

    /// The same for these metrics and lengths alone.
    pub const fn where_served(self, serves: fn(Metric, usize) -> bool) -> Self {
        Self { serves, ..self }
    }
}

/// One index.
#[derive(Clone, Debug)]
struct Data {
    lie: Lie,
    dimension: usize,
    metric: Metric,
    making: Making,
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

fn data(lie: Lie, dimension: usize, metrics: Vec<Metric>, makings: &'static [Making]) -> impl Strategy<Value = Data> {
    let rows = if dimension > 2_000 { 1_200..1_400_usize } else { 1_200..3_000 };
    (proptest::sample::select(metrics), proptest::sample::select(makings), rows, any::<u64>()).prop_map(move |(metric, making, rows, seed)| {
        let making = if (making.serves)(metric, dimension) { making } else { Making::by(&[]) };
        Data { lie, dimension, metric, making, rows, seed }
    })
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
        let mut rows: Vec<Row> = ids.map(|(row, id)| (Item::sample(id), self.vector(row % CLUSTERS, &mut random))).collect();
        if self.making.halves {
            rows.iter_mut().flat_map(|(_, vector)| vector).for_each(|x| *x = half::f16::from_f32(*x).to_f32());
        }
        rows
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
    /// How many questions went through an approximate search.
    approximate: usize,
}

/// Makes the index and asks.
async fn hold(backend: &dyn SimilarityBackend, data: &Data, questions: &[Question], found: &mut Found) {
    let parameters = data.making.parameters.iter().map(|&(name, value)| (name.to_owned(), value.into())).collect();
    let Data { dimension, metric, .. } = *data;
    // Tests that run side by side on one server draw the same data.
    let name = format!("shape_{:x}_{}", std::process::id(), INDEXES.fetch_add(1, Ordering::Relaxed));
    let spec = IndexSpec { name, dimension, metric, items: ItemKind::Samples, parameters };
    let index = backend.create(&spec).await.unwrap();
    let rows = data.rows();
    for part in rows.chunks(500) {
        add(&*index, part, OnConflict::Error).await.unwrap();
    }
    index.build(&NoProgress).await.unwrap();
    let oracle = oracle_of(metric, &rows);
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
        found.approximate += usize::from(!answer.report.exact);
    }
    backend.drop_index(&(&spec).into()).await.unwrap();
}

/// Makes random indexes of each lie and dimension, so many of each, by any of the metrics that the backend claims and any of the `makings`, and asks each
/// 36 random questions. The cases are the same in every run. How many questions went through an approximate search is for the caller to judge.
///
/// # Panics
/// When an answer is wrong, or fewer than 99 % of the nearest were found.
pub fn hardly_a_row_is_missed(
    backend: &dyn SimilarityBackend,
    plan: &[(Lie, usize, u32)],
    makings: &'static [Making],
    block_on: &dyn Fn(LocalBoxFuture<'_, ()>),
) -> usize {
    let found = std::cell::RefCell::new(Found::default());
    for (number, &(lie, dimension, cases)) in plan.iter().enumerate() {
        let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &[number as u8; 32]);
        let config = Config { cases, max_shrink_iters: 0, failure_persistence: None, ..Config::default() };
        let data = data(lie, dimension, backend.capabilities().metrics.clone(), makings);
        let outcome = TestRunner::new_with_rng(config, rng).run(&(data, questions()), |(data, questions)| {
            let found = &mut *found.borrow_mut();
            let (started, before) = (Instant::now(), found.approximate);
            block_on(Box::pin(hold(backend, &data, &questions, found)));
            let approximate = found.approximate - before;
            eprintln!("{data:?}: {approximate} of {} through the index, {:.1} s", questions.len(), started.elapsed().as_secs_f64());
            Ok(())
        });
        outcome.unwrap_or_else(|failure| panic!("{failure}"));
    }
    let found = found.into_inner();
    eprintln!("recall of the 10 nearest {:.4}, of others {:.4}", found.ten.share(), found.all.share());
    found.ten.assert_at_least(RECALL);
    found.all.assert_at_least(RECALL);
    found.approximate
}
