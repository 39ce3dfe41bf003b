//! The same embeddings in PostgreSQL and in Redis: every question has the same answer, up to ties and rounding.

use std::fmt::Debug;

use brain::core::{ItemId, Metric, NoProgress, Sample, View};
use brain::{Aggregation, Embeddings, Query, SortedRow};
use brain_testkit::compare::close;
use brain_testkit::random::Random;
use brain_testkit::shape::Shape;

use crate::home::{Home, block_on, ids};

const ROWS: usize = 400;
const QUESTIONS: usize = 1_000;
const METRICS: [Metric; 3] = [Metric::Cosine, Metric::DotProduct, Metric::Euclidean];

/// A view, drawn at random: all, a part in any order, samples by their tag, or by hand.
fn view(random: &mut Random, all: &[ItemId]) -> View {
    match random.below(6) {
        0 => View::new(),
        1 => View::new().take(1 + random.below(ROWS) as u64, random.bits()),
        2 => View::new().skip(random.below(ROWS) as u64).limit(random.below(ROWS) as u64),
        3 => View::new().match_tags(["odd"]),
        4 => View::new().match_filter(format!("number < {}", random.below(ROWS)).parse().unwrap()),
        _ => View::new().select((0..random.below(40)).map(|_| all[random.below(ROWS)].clone()).collect::<Vec<_>>()),
    }
}

fn query(random: &mut Random, all: &[ItemId], vectors: &[Vec<f32>]) -> Query {
    let mut vector = || vectors[random.below(vectors.len())].iter().map(|x| x + 0.1 * random.normal()).collect::<Vec<f32>>();
    match vector()[0].to_bits() % 4 {
        0 => Query::Vector(vector()),
        1 => Query::Vectors((0..3).map(|_| vector()).collect()),
        2 => Query::Id(all[random.below(ROWS)].clone()),
        _ => Query::Ids((0..2).map(|_| all[random.below(ROWS)].clone()).collect()),
    }
}

/// The two lists, ids with their distances, are the same, but that rows at distances that are the same within rounding may have changed places, at the end with
/// those that follow.
pub(crate) fn assert_alike<Id: PartialEq + Debug>(one: &[(Id, f32)], two: &[(Id, f32)], what: &str) {
    assert_eq!(one.len(), two.len(), "{what}");
    for (rank, (a, b)) in one.iter().zip(two).enumerate() {
        assert!(close(a.1, b.1), "{what}, rank {rank}: {a:?} and {b:?}");
        if a.0 == b.0 {
            continue;
        }
        // Elsewhere among its equals, or beyond the end with them.
        let elsewhere = two.iter().find(|row| row.0 == a.0);
        let last = two.last().map_or(a.1, |row| row.1);
        let distance = elsewhere.map_or(last, |row| row.1);
        assert!(close(a.1, distance), "{what}, rank {rank}: {a:?} is not among its equals");
    }
}

fn ranked(rows: &[SortedRow]) -> Vec<(&ItemId, f32)> {
    rows.iter().map(|row| (&row.id, row.distance)).collect()
}

#[test]
fn a_thousand_questions_have_the_same_answers_on_both() {
    let home = Home::on_both_servers();
    let brain = home.brain();
    let photos = brain.datasets().create("photos").unwrap();
    let samples = (0..ROWS).map(|row| Sample {
        filepath: format!("/photos/{row}.jpg"),
        tags: if row % 2 == 1 { vec!["odd".to_owned()] } else { Vec::new() },
        fields: vec![("number".to_owned(), brain::core::FieldValue::Int(row as i64))],
        ..Sample::default()
    });
    photos.add_samples(samples, &NoProgress).unwrap();
    let all = ids(&brain, "photos", &View::new());
    let shape = Shape::Clustered;
    let vectors = shape.vectors(ROWS, 7);
    for metric in METRICS {
        for backend in ["pgvector", "redis"] {
            let embeddings = Embeddings::Matrix { vectors: vectors.concat(), dimension: shape.dimension(), ids: None };
            let compute = brain.compute_similarity("photos", format!("{backend}_{metric}")).backend(backend).metric(metric);
            let name = format!("{}{metric}", home.keyspace.as_ref().unwrap().name);
            let computed = block_on(compute.parameter("index_name", name).embeddings(embeddings).run()).unwrap();
            assert_eq!(computed.report.added as usize, ROWS, "{backend}");
        }
    }
    let mut random = Random::new(1);
    let load = |backend: &str, metric| block_on(brain.load_brain_results("photos", &format!("{backend}_{metric}"))).unwrap();
    let runs = METRICS.map(|metric| (metric, load("pgvector", metric), load("redis", metric)));
    let mut answered = 0;
    for number in 0..QUESTIONS {
        let (metric, one, two) = &runs[number % METRICS.len()];
        let (query, view) = (query(&mut random, &all, &vectors), view(&mut random, &all));
        let k = (random.below(3) > 0).then(|| 1 + random.below(60));
        let reverse = random.below(3) == 0;
        let aggregation = Aggregation::ALL[random.below(Aggregation::ALL.len())];
        let ask = |similarity: &brain::Similarity| {
            let sort = similarity.sort_by_similarity(query.clone()).k(k).reverse(reverse).aggregation(aggregation).within(view.clone());
            block_on(sort.run()).unwrap()
        };
        let (one, two) = (ask(one), ask(two));
        let what = format!("question {number}, {metric}: {query:?}, k {k:?}, reverse {reverse}, {aggregation}, {view:?}");
        assert_eq!((one.results.len(), one.report.missing), (two.results.len(), two.report.missing), "{what}");
        for (one, two) in one.results.iter().zip(&two.results) {
            assert_alike(&ranked(one), &ranked(two), &what);
            answered += one.len();
        }
    }
    assert!(answered > 20 * QUESTIONS, "only {answered} rows were compared");
}
