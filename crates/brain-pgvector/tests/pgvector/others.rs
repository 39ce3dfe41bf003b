//! Tables that others built by SQL: of every shape that has the three columns.

use brain_core::search::{SearchRequest, search};
use brain_core::{
    ErrorKind, ExistingIndex, Item, ItemId, ItemKind, Metric, NoProgress, OnConflict, OnMissing, Scope, Selector, SimilarityBackend, SimilarityIndex,
};
use brain_pgvector::PgvectorBackend;
use brain_testkit::compare::Recall;
use brain_testkit::corpus::{Corpus, Ids};
use brain_testkit::questions::{Row, add, assert_answer, assert_answers, batch_of, oracle_of};
use brain_testkit::random::Random;
use brain_testkit::services::postgres;
use brain_testkit::shape::Shape;
use futures::TryStreamExt as _;
use futures::future::join;

use crate::schema::Schema;
use crate::server::run;

const COLUMNS: &str = "id text PRIMARY KEY, sample_id text, embedding_vector vector(16)";

fn rows(count: usize, ids: Ids) -> Vec<Row> {
    let corpus = Corpus::samples(Shape::Clustered, count, ids, 7);
    corpus.items.into_iter().zip(corpus.vectors).collect()
}

fn vector(numbers: &[f32]) -> String {
    format!("'[{}]'", numbers.iter().map(f32::to_string).collect::<Vec<_>>().join(","))
}

async fn insert(schema: &Schema, table: &str, rows: &[Row]) {
    let text = |id: &ItemId| id.to_string().replace('\'', "''");
    let values = rows.iter().map(|(item, numbers)| format!("('{}', '{}', {})", text(&item.id), text(&item.sample_id), vector(numbers)));
    schema.batch(&format!("INSERT INTO {table} (id, sample_id, embedding_vector) VALUES {}", values.collect::<Vec<_>>().join(","))).await;
}

fn named(name: &str, metric: Metric) -> ExistingIndex {
    ExistingIndex { name: name.to_owned(), metric: Some(metric), ..ExistingIndex::default() }
}

async fn attach(backend: &PgvectorBackend, name: &str, metric: Metric) -> Box<dyn SimilarityIndex> {
    backend.attach(&named(name, metric)).await.unwrap()
}

#[test]
fn tables_of_every_make_answer_as_the_oracle_does() {
    run(async {
        let schema = Schema::new(postgres()).await;
        schema.batch(&format!("CREATE TABLE plain ({COLUMNS})")).await;
        schema.batch("CREATE TABLE keyless (id varchar(400), sample_id varchar, embedding_vector vector, sample text, distance int)").await;
        schema.batch(&format!("CREATE TABLE parted ({COLUMNS}) PARTITION BY HASH (id)")).await;
        for part in 0..3 {
            schema.batch(&format!("CREATE TABLE part_{part} PARTITION OF parted FOR VALUES WITH (MODULUS 3, REMAINDER {part})")).await;
        }
        schema.batch("CREATE INDEX parted_index ON parted USING hnsw (embedding_vector vector_cosine_ops)").await;
        // A table of this name meets the aliases of joins.
        schema.batch("CREATE TABLE scope (id text, sample_id text, embedding_vector halfvec(16), wanted int)").await;
        for backend in [schema.backend(), schema.backend().with_exact_below(0)] {
            let mut recall = Recall::default();
            for (table, ids) in [("plain", Ids::Hex), ("keyless", Ids::Text), ("parted", Ids::Text)] {
                let rows = rows(60, ids);
                insert(&schema, table, &rows).await;
                let index = attach(&backend, table, Metric::Cosine).await;
                assert_answers(&*index, &rows, &mut recall).await;
                let info = index.info().await.unwrap();
                assert!(info.items == 60 && info.bytes.unwrap() > 8_192, "{table}: {info:?}");
                assert_eq!(index.remove(Selector::All, OnMissing::Error).await.unwrap().removed, 60);
            }
            recall.assert_at_least(0.99);
        }
        // Halves, and views of more ids than are looked up one by one.
        let index = attach(&schema.backend(), "scope", Metric::Euclidean).await;
        let mut many = rows(4_500, Ids::Hex);
        many.iter_mut().for_each(|(_, vector)| vector.iter_mut().for_each(|x| *x = (*x * 64.0).round() / 64.0));
        insert(&schema, "scope", &many).await;
        assert_answers(&*index, &many, &mut Recall::default()).await;
    });
}

/// Noise has no neighbourhoods for an index to follow: of 3,000 rows of 256 numbers an effort of 200 found .973 of the nearest.
#[test]
fn an_index_of_others_is_measured_once_and_nothing_is_written_to_it() {
    run(async {
        let schema = Schema::new(postgres()).await;
        schema.batch("CREATE TABLE noise (id text PRIMARY KEY, sample_id text, embedding_vector vector(256))").await;
        let mut random = Random::new(5);
        let rows: Vec<Row> = (0..3_000)
            .map(|number| {
                let item = Item::sample(format!("{number:05}").as_str().into());
                (item, (0..256).map(|_| random.normal()).collect())
            })
            .collect();
        for rows in rows.chunks(500) {
            insert(&schema, "noise", rows).await;
        }
        schema.batch("CREATE INDEX ON noise USING hnsw (embedding_vector vector_cosine_ops)").await;
        let backend = schema.backend();
        let index = attach(&backend, "noise", Metric::Cosine).await;
        let kept = index.spec().parameters.clone();
        assert!(kept.contains_key("measured_recall"), "{kept:?}");
        let oracle = oracle_of(Metric::Cosine, &rows);
        let mut recall = Recall::default();
        for (_, vector) in rows.iter().step_by(20) {
            let query = vector.iter().map(|x| x + 0.3 * random.normal()).collect();
            assert_answer(&*index, &oracle, &SearchRequest { k: Some(10), ..SearchRequest::new(vec![query]) }, &mut recall).await;
        }
        recall.assert_at_least(0.99);
        // What the record keeps is taken as it is, even if it is another's.
        let mut told = kept.clone();
        told.insert("measured_recall".to_owned(), serde_json::json!({ "brain": 1, "rows": 3000, "efforts": [[10, 77]], "recall": 1.0 }));
        let index = backend.attach(&ExistingIndex { parameters: told, ..named("noise", Metric::Cosine) }).await.unwrap();
        let request = SearchRequest { k: Some(10), ..SearchRequest::new(vec![rows[0].1.clone()]) };
        let plan = search(&*index, &request).await.unwrap().report.plan.unwrap();
        assert!(plan.contains("ef_search 77"), "{plan}");
    });
}

#[test]
fn another_schema_is_found_by_its_name() {
    run(async {
        let (schema, other) = (Schema::new(postgres()).await, Schema::new(postgres()).await);
        other.batch(&format!("CREATE TABLE \"Béla's \"\"table\"\"\" ({COLUMNS})")).await;
        let name = "Béla's \"table\"";
        let backend = schema.backend();
        assert_eq!(backend.attach(&named(name, Metric::L1)).await.err().unwrap().kind(), ErrorKind::NotFound);
        let parameters = [("schema_name".to_owned(), other.name.as_str().into())].into();
        let index = backend.attach(&ExistingIndex { parameters, ..named(name, Metric::L1) }).await.unwrap();
        let rows = rows(30, Ids::Text);
        add(&*index, &rows, OnConflict::Error).await.unwrap();
        assert_answers(&*index, &rows, &mut Recall::default()).await;
        assert_eq!(schema.objects().await, [""; 0], "nothing is made where the table is not");
    });
}

#[test]
fn rows_that_no_metric_ranks_are_none() {
    run(async {
        let schema = Schema::new(postgres()).await;
        schema.batch(&format!("CREATE TABLE holes ({COLUMNS})")).await;
        let rows = rows(40, Ids::Hex);
        insert(&schema, "holes", &rows).await;
        schema.batch("CREATE INDEX ON holes USING hnsw (embedding_vector vector_cosine_ops)").await;
        let zero = vector(&[0.0; 16]);
        schema.batch(&format!("INSERT INTO holes VALUES ('null', 's', NULL), ('null too', NULL, NULL), ('zero', 's', {zero})")).await;
        let (null, zero): (ItemId, ItemId) = ("null".into(), "zero".into());
        for backend in [schema.backend(), schema.backend().with_exact_below(0)] {
            let index = attach(&backend, "holes", Metric::Cosine).await;
            let mut recall = Recall::default();
            assert_answers(&*index, &rows, &mut recall).await;
            recall.assert_at_least(0.99);
            let fetched = index.fetch(Selector::Items(&[null.clone(), zero.clone()])).await.unwrap();
            assert_eq!(fetched.missing, [null.clone(), zero.clone()]);
            assert_eq!(index.ids().try_concat().await.unwrap().len(), 40);
        }
        // Such a row is in the way of none that is added.
        let index = attach(&schema.backend(), "holes", Metric::Cosine).await;
        for (id, rule) in [("null", OnConflict::Skip), ("null too", OnConflict::Overwrite), ("zero", OnConflict::Error)] {
            let row = (Item::sample(id.into()), vec![1.0; 16]);
            let report = add(&*index, &[row], rule).await.unwrap();
            assert_eq!((report.added, report.replaced, report.skipped), (1, 0, 0), "{id}");
        }
        assert_eq!(index.count(Scope::All).await.unwrap(), 43);
    });
}

#[test]
fn a_missing_sample_is_the_patch_itself() {
    run(async {
        let schema = Schema::new(postgres()).await;
        schema.batch(&format!("CREATE TABLE boxes ({COLUMNS})")).await;
        let mut rows = rows(24, Ids::Hex);
        rows.iter_mut().skip(4).for_each(|(item, _)| item.sample_id = "one sample".into());
        insert(&schema, "boxes", &rows).await;
        schema.batch("UPDATE boxes SET sample_id = NULL WHERE sample_id = id").await;
        let existing = ExistingIndex { items: ItemKind::Patches, ..named("boxes", Metric::Euclidean) };
        let index = schema.backend().attach(&existing).await.unwrap();
        assert_answers(&*index, &rows, &mut Recall::default()).await;
        let alone = rows[0].0.id.clone();
        let fetched = index.fetch(Selector::Samples(std::slice::from_ref(&alone))).await.unwrap();
        assert_eq!(fetched.rows.items(), [Item::sample(alone)]);
    });
}

#[test]
fn what_is_no_table_of_vectors_is_refused_by_name() {
    run(async {
        let schema = Schema::new(postgres()).await;
        schema.batch(&format!("CREATE TABLE base ({COLUMNS}); CREATE VIEW glimpse AS SELECT * FROM base")).await;
        schema.batch("CREATE MATERIALIZED VIEW copied AS SELECT * FROM base; CREATE SEQUENCE numbers").await;
        schema.batch("CREATE TABLE no_id (key text, sample_id text, embedding_vector vector(3))").await;
        schema.batch("CREATE TABLE no_vector (id text, sample_id text, embedding vector(3))").await;
        schema.batch("CREATE TABLE number_id (id bigint, sample_id text, embedding_vector vector(3))").await;
        schema.batch("CREATE TABLE real_array (id text, sample_id text, embedding_vector real[])").await;
        for (name, words) in [
            ("glimpse", "a view"),
            ("copied", "a materialized view"),
            ("numbers", "a sequence"),
            ("no_id", "no column id"),
            ("no_vector", "no column embedding_vector"),
            ("number_id", "bigint in its column id"),
            ("real_array", "real[] in its column embedding_vector"),
        ] {
            let error = schema.backend().attach(&named(name, Metric::Cosine)).await.err().unwrap();
            assert_eq!(error.kind(), ErrorKind::Unsupported, "{error:?}");
            assert!(error.message().contains(name) && error.message().contains(words) && error.hint().is_some(), "{error:?}");
        }
    });
}

#[test]
fn vectors_of_no_declared_length_are_measured() {
    run(async {
        let schema = Schema::new(postgres()).await;
        schema.batch("CREATE TABLE free (id text, sample_id text, embedding_vector vector)").await;
        let backend = schema.backend();
        let error = backend.attach(&named("free", Metric::Cosine)).await.err().unwrap();
        assert_eq!(error.kind(), ErrorKind::Conflict, "an empty one says nothing: {error:?}");
        let asked = ExistingIndex { dimension: Some(16), ..named("free", Metric::Cosine) };
        assert_eq!(backend.attach(&asked).await.unwrap().spec().dimension, 16);
        schema.batch("INSERT INTO free VALUES ('a', 'a', '[1,2,3]')").await;
        assert_eq!(attach(&backend, "free", Metric::Cosine).await.spec().dimension, 3);
        let error = backend.attach(&asked).await.err().unwrap();
        assert!(error.kind() == ErrorKind::Conflict && error.message().contains("3 numbers, not 16"), "{error:?}");
        schema.batch("INSERT INTO free VALUES ('b', 'b', '[1,2]')").await;
        let error = backend.attach(&named("free", Metric::Cosine)).await.err().unwrap();
        assert!(error.kind() == ErrorKind::Conflict && error.message().contains("2 to 3 numbers"), "{error:?}");
    });
}

#[test]
fn the_conflict_rules_need_no_key() {
    run(async {
        let schema = Schema::new(postgres()).await;
        schema.batch("CREATE TABLE heap (id text, sample_id text, embedding_vector vector(16))").await;
        let backend = schema.backend();
        let index = attach(&backend, "heap", Metric::Cosine).await;
        let rows = rows(60, Ids::Text);
        // An item that comes again in one stream, each batch a transaction of its own.
        let again = async |rule| {
            let batches = [&rows[..20], &rows[10..30]].map(|rows| Ok(batch_of(rows)));
            index.add(Box::pin(futures::stream::iter(batches)), rule).await
        };
        let error = again(OnConflict::Error).await.unwrap_err();
        assert_eq!((error.kind(), index.count(Scope::All).await.unwrap()), (ErrorKind::Conflict, 20));
        let report = again(OnConflict::Skip).await.unwrap();
        assert_eq!((report.added, report.replaced, report.skipped), (10, 0, 30));
        let report = again(OnConflict::Overwrite).await.unwrap();
        assert_eq!((report.added, report.replaced, report.skipped), (0, 40, 0));
        // Two at once.
        let other = attach(&schema.backend(), "heap", Metric::Cosine).await;
        let (one, two) = join(add(&*index, &rows, OnConflict::Skip), add(&*other, &rows, OnConflict::Skip)).await;
        assert_eq!(one.unwrap().added + two.unwrap().added, 30);
        assert_answers(&*index, &rows, &mut Recall::default()).await;
    });
}

#[test]
fn a_tables_own_rules_are_errors_and_not_endless_work() {
    run(async {
        let schema = Schema::new(postgres()).await;
        schema.batch(&format!("CREATE TABLE single ({COLUMNS}, UNIQUE (sample_id)); CREATE TABLE strict ({COLUMNS}, owner text NOT NULL)")).await;
        let backend = schema.backend();
        let existing = ExistingIndex { items: ItemKind::Patches, ..named("single", Metric::Cosine) };
        let index = backend.attach(&existing).await.unwrap();
        let rows: Vec<Row> = ["a", "b"].map(|id| (Item::patch(id.into(), "one".into()), vec![1.0; 16])).into();
        let error = add(&*index, &rows, OnConflict::Overwrite).await.unwrap_err();
        assert!(error.kind() == ErrorKind::Conflict && error.message().contains("sample_id"), "{error:?}");
        let error = add(&*attach(&backend, "strict", Metric::Cosine).await, &rows[..1], OnConflict::Overwrite).await.unwrap_err();
        assert!(error.kind() == ErrorKind::Conflict && error.message().contains("owner"), "{error:?}");
    });
}

#[test]
fn nothing_of_others_is_made_or_dropped() {
    run(async {
        let schema = Schema::new(postgres()).await;
        schema.batch(&format!("CREATE TABLE mine ({COLUMNS}); COMMENT ON TABLE mine IS 'hands off'")).await;
        schema.batch(&format!("CREATE TABLE theirs ({COLUMNS}); CREATE INDEX shared ON theirs (sample_id)")).await;
        let before = schema.objects().await;
        let backend = schema.backend();
        let index = attach(&backend, "mine", Metric::Cosine).await;
        let many = rows(2_500, Ids::Hex);
        add(&*index, &many, OnConflict::Overwrite).await.unwrap();
        index.build(&NoProgress).await.unwrap();
        let request = SearchRequest { k: Some(5), ..SearchRequest::new(vec![many[0].1.clone()]) };
        assert!(search(&*index, &request).await.unwrap().report.exact, "it has no index, and gets none");
        let ids: Vec<ItemId> = many[..1_500].iter().map(|(item, _)| item.id.clone()).collect();
        assert_eq!(index.remove(Selector::Items(&ids), OnMissing::Error).await.unwrap().removed, 1_500);
        index.build(&NoProgress).await.unwrap();
        // The index of the run that is dropped has the name of another table's.
        let gone = ExistingIndex { parameters: [("table_name".to_owned(), "gone".into())].into(), ..named("shared", Metric::Cosine) };
        assert!(!backend.drop_index(&gone).await.unwrap());
        assert_eq!(schema.objects().await, before);
    });
}
