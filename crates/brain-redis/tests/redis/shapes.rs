//! Random data of every shape, by every way to make an index.

use brain_core::search::SearchRequest;
use brain_core::{IndexSpec, Item, ItemKind, NoProgress, OnConflict, SimilarityBackend};
use brain_testkit::compare::Recall;
use brain_testkit::questions::{Row, add, assert_answer, oracle_of};
use brain_testkit::recall::{Lie, Making, hardly_a_row_is_missed};
use brain_testkit::services::redis;

use crate::place::Place;
use crate::server::{run, runtime};

const FLAT: [Making; 3] =
    [Making::by(&[]), Making::by(&[("storage", "json")]), Making::by(&[("vector_type", "float16"), ("storage", "hash")]).in_halves()];
const GRAPHS: [Making; 4] = [
    Making::by(&[("algorithm", "HNSW")]),
    Making::by(&[("algorithm", "HNSW")]),
    Making::by(&[("algorithm", "HNSW"), ("storage", "json")]),
    Making::by(&[("algorithm", "HNSW"), ("vector_type", "float16")]).in_halves(),
];

#[test]
fn hardly_a_row_is_missed_and_none_is_short() {
    let (place, runtime) = (Place::new(redis()), runtime());
    let plan = [(Lie::Clustered, 64, 2), (Lie::Isotropic, 16, 1), (Lie::Duplicates, 32, 1), (Lie::Clustered, 1, 1), (Lie::Clustered, 2_500, 1)];
    // In half precision the nearest are candidates of the server's, which are compared here in full.
    hardly_a_row_is_missed(&place.backend(), &plan, &FLAT, &|future| runtime.block_on(future));
}

#[test]
fn hardly_a_row_is_missed_by_a_graph_and_none_is_short() {
    let (place, runtime) = (Place::new(redis()), runtime());
    let plan = [
        (Lie::Clustered, 64, 3),
        (Lie::Isotropic, 16, 2),
        (Lie::Isotropic, 256, 1),
        (Lie::Duplicates, 32, 2),
        (Lie::Clustered, 1, 1),
        (Lie::Duplicates, 1, 1),
        (Lie::Clustered, 2_500, 1),
    ];
    let through_the_graph = hardly_a_row_is_missed(&place.backend(), &plan, &GRAPHS, &|future| runtime.block_on(future));
    assert!(through_the_graph > 50, "only {through_the_graph} questions went through a graph");
}

/// The server squares in single precision, where these overflow or vanish.
#[test]
fn numbers_beyond_the_servers_precision_are_compared_all_the_same() {
    run(async {
        let place = Place::new(redis());
        let backend = place.backend();
        let values = [3e38, -3e38, 1e25, 1.0, -1.0, 1e-20, 1e-38, -1e-38];
        let row = |(number, &value): (usize, &f32)| (Item::sample(format!("{number:03}").as_str().into()), vec![value, value / 3.0, 1e-30]);
        let all: Vec<Row> = values.iter().cycle().take(400).enumerate().map(row).collect();
        for algorithm in ["FLAT", "HNSW"] {
            for &metric in &backend.capabilities().metrics {
                let parameters = [("algorithm".to_owned(), algorithm.into())].into();
                let name = place.named(&format!("extreme_{algorithm}_{metric}"));
                let spec = IndexSpec { name, dimension: 3, metric, items: ItemKind::Samples, parameters };
                let index = backend.create(&spec).await.unwrap();
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
        }
    });
}
