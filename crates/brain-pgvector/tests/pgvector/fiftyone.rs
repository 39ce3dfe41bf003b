//! Tables that FiftyOne itself made, attached to and searched.

use brain_core::{ErrorKind, ExistingIndex, Item, ItemKind, Metric, NoProgress, OnConflict, Scope, Selector, SimilarityBackend};
use brain_testkit::compare::Recall;
use brain_testkit::questions::{Row, add, assert_answers};
use brain_testkit::services::postgres;

use crate::schema::Schema;
use crate::server::run;

const DUMP: &str = include_str!("fixtures/fiftyone.sql");

/// Table, index, metric and items as FiftyOne's runs have them.
const TABLES: [(&str, &str, Metric, ItemKind); 4] = [
    ("fo_cosine", "fo_cosine_idx", Metric::Cosine, ItemKind::Samples),
    ("fo_half_l1", "fo_half_l1_idx", Metric::L1, ItemKind::Samples),
    ("fo_ivf", "fo_ivf_idx", Metric::Euclidean, ItemKind::Samples),
    ("fiftyone-boards", "fiftyone-index-boards", Metric::Cosine, ItemKind::Patches),
];

/// The rows that the dump copies into a table, as text: id, sample and vector.
fn copied(table: &str) -> impl Iterator<Item = [&'static str; 3]> {
    let lines = DUMP.lines().skip_while(move |line| !(line.starts_with("COPY ") && line.contains(table)));
    let rows = lines.skip(1).take_while(|line| *line != "\\.");
    rows.map(|line| line.split('\t').collect::<Vec<_>>().try_into().unwrap())
}

fn rows(table: &str) -> Vec<Row> {
    let numbers = |vector: &str| vector.trim_matches(['[', ']']).split(',').map(|number| number.parse().unwrap()).collect();
    copied(table).map(|[id, sample, vector]| (Item::patch(id.into(), sample.into()), numbers(vector))).collect()
}

/// The dump with the schema in place of its own, and its rows inserted: a driver that sends statements cannot copy.
async fn load(schema: &Schema) {
    let mut statements = String::new();
    let mut is_data = false;
    for line in DUMP.lines() {
        if !is_data && !line.starts_with("COPY ") {
            statements += &line.replace("public.", "");
            statements.push('\n');
        }
        is_data = line != "\\." && (is_data || line.starts_with("COPY "));
    }
    let statements = statements.replace("\\.\n", "");
    let (tables, keys) = statements.split_once("ALTER TABLE").unwrap();
    schema.batch(tables.trim().trim_end_matches(';')).await;
    for (table, ..) in TABLES {
        let values: Vec<String> = copied(table).map(|[id, sample, vector]| format!("('{id}', '{sample}', '{vector}')")).collect();
        schema.batch(&format!("INSERT INTO \"{table}\" VALUES {}", values.join(","))).await;
    }
    schema.batch(format!("ALTER TABLE{keys}").trim().trim_end_matches(';')).await;
}

#[test]
fn every_question_is_answered_as_the_oracle_does() {
    run(async {
        let schema = Schema::new(postgres()).await;
        load(&schema).await;
        for backend in [schema.backend(), schema.backend().with_exact_below(0)] {
            let mut recall = Recall::default();
            for (table, index, metric, items) in TABLES {
                for name in [table, index] {
                    let existing = ExistingIndex { name: name.to_owned(), items, ..ExistingIndex::default() };
                    let attached = backend.attach(&existing).await.unwrap();
                    assert_eq!((attached.spec().dimension, attached.spec().metric), (16, metric), "{name}");
                    assert_eq!(attached.info().await.unwrap().details["made by"], "others");
                }
                let both = [("table_name".to_owned(), table.into())].into();
                let existing = ExistingIndex { name: index.to_owned(), dimension: Some(16), metric: Some(metric), items, parameters: both };
                let attached = backend.attach(&existing).await.unwrap();
                assert_answers(&*attached, &rows(table), &mut recall).await;
            }
            recall.assert_at_least(0.99);
        }
    });
}

#[test]
fn they_stay_as_they_are() {
    run(async {
        let schema = Schema::new(postgres()).await;
        load(&schema).await;
        let before = schema.objects().await;
        let backend = schema.backend();
        for (table, _, metric, items) in TABLES {
            let existing = ExistingIndex { name: table.to_owned(), metric: Some(metric), items, ..ExistingIndex::default() };
            let attached = backend.attach(&existing).await.unwrap();
            attached.build(&NoProgress).await.unwrap();
            let rows = rows(table);
            add(&*attached, &rows[..1], OnConflict::Overwrite).await.unwrap();
            attached.build(&NoProgress).await.unwrap();
            assert_eq!(attached.count(Scope::All).await.unwrap(), rows.len() as u64, "{table}");
            attached.remove(Selector::All, Default::default()).await.unwrap();
            attached.build(&NoProgress).await.unwrap();
        }
        assert_eq!(schema.objects().await, before);
    });
}

#[test]
fn another_dimension_or_metric_is_a_conflict_that_says_both_sides() {
    run(async {
        let schema = Schema::new(postgres()).await;
        load(&schema).await;
        let backend = schema.backend();
        let refused = async |existing: ExistingIndex| backend.attach(&existing).await.err().unwrap();
        let existing = ExistingIndex { name: "fo_half_l1".to_owned(), ..ExistingIndex::default() };
        for (expected, words) in [
            (ExistingIndex { dimension: Some(512), ..existing.clone() }, ["16", "512"]),
            (ExistingIndex { metric: Some(Metric::Cosine), ..existing.clone() }, ["l1", "cosine"]),
        ] {
            let error = refused(expected).await;
            assert_eq!(error.kind(), ErrorKind::Conflict, "{error:?}");
            assert!(words.iter().all(|word| error.message().contains(word)) && error.message().contains("fo_half_l1"), "{error}");
        }
        let error = refused(ExistingIndex { name: "fo_nothing".to_owned(), ..existing }).await;
        assert_eq!(error.kind(), ErrorKind::NotFound, "{error:?}");
    });
}
