//! Random data of every shape at default settings, and numbers beyond the server's precision.

use brain_core::search::SearchRequest;
use brain_core::{IndexSpec, Item, ItemKind, Metric, NoProgress, OnConflict, SimilarityBackend};
use brain_testkit::compare::Recall;
use brain_testkit::questions::{Row, add, assert_answer, oracle_of};
use brain_testkit::recall::{Lie, Making, hardly_a_row_is_missed};
use brain_testkit::services::postgres;

use crate::schema::Schema;
use crate::server::run;

/// An ivfflat index does not rank by all metrics, and a direction of one number is a sign, which makes no lists.
const fn lists_serve(metric: Metric, dimension: usize) -> bool {
    let refused = matches!(metric, Metric::L1 | Metric::Jaccard) || (dimension == 1 && matches!(metric, Metric::Cosine | Metric::DotProduct));
    !refused
}

const MAKINGS: [Making; 4] = [
    Making::by(&[]),
    Making::by(&[]),
    Making::by(&[("vector_type", "halfvec")]).in_halves(),
    Making::by(&[("index_type", "ivfflat")]).where_served(lists_serve),
];

#[test]
fn hardly_a_row_is_missed_and_none_is_short() {
    let schema = run(Schema::new(postgres()));
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
    let through_the_index = hardly_a_row_is_missed(&schema.backend(), &plan, &MAKINGS, &|future| run(future));
    assert!(through_the_index > 100, "only {through_the_index} questions went through an index");
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
