//! A server whose disk is full.

use brain_core::search::SearchRequest;
use brain_core::{ErrorKind, IndexSpec, Item, ItemKind, Metric, NoProgress, OnConflict, Scope, SimilarityBackend, SimilarityIndex};
use brain_pgvector::PgvectorBackend;
use brain_testkit::compare::Recall;
use brain_testkit::questions::{Row, assert_answer, batch_of, oracle_of};
use brain_testkit::random::Random;
use brain_testkit::services::postgres_faults;
use futures::stream::{self, StreamExt as _};

use crate::schema::Schema;
use crate::server::run;

/// Two rows fit a page.
const DIMENSION: usize = 900;
/// 4 MiB in the table.
const BATCH: usize = 1_024;

async fn add_all(index: &dyn SimilarityIndex, rows: &[Row], rule: OnConflict) -> brain_core::Result<u64> {
    let batches = stream::iter(rows.chunks(BATCH).map(|rows| Ok(batch_of(rows))));
    index.add(batches.boxed(), rule).await.map(|report| report.added)
}

/// Takes so many pages of 8 KiB, or all there are.
async fn fill(schema: &Schema, pages: u64) -> Result<(), tokio_postgres::Error> {
    let sql = format!("INSERT INTO {}.ballast SELECT repeat('x', 8000) FROM generate_series(1, {pages})", schema.name);
    schema.pool.get().await.unwrap().batch(&sql).await
}

fn assert_full(error: &brain_core::Error) {
    assert!(error.kind() == ErrorKind::Unavailable && !error.is_retryable(), "{error:?}");
    assert!(error.hint().is_some_and(|hint| hint.contains("free some space")), "{error:?}");
}

#[test]
fn what_was_acknowledged_stays_and_room_is_all_it_takes() {
    let server = postgres_faults();
    let Some(disk) = server.small_disk.clone() else {
        eprintln!("there is no small disk here, so nothing was tested");
        return;
    };
    run(async {
        let schema = Schema::new((*server).clone()).await;
        let session = schema.pool.get().await.unwrap();
        // It stays, for the next run.
        if session.query(&[], "SELECT 1 FROM pg_tablespace WHERE spcname = 'small'", &[]).await.unwrap().is_empty() {
            session.batch(&format!("CREATE TABLESPACE small LOCATION '{}'", disk.path.display())).await.unwrap();
        }
        let url = schema.url().replace(",public", ",public%20-cdefault_tablespace%3Dsmall");
        let backend = PgvectorBackend::new(&schema.parameters(&[("connection_string", &url)]).unwrap()).with_exact_below(0);
        let spec = IndexSpec {
            name: "much".to_owned(),
            dimension: DIMENSION,
            metric: Metric::Cosine,
            items: ItemKind::Samples,
            parameters: Default::default(),
        };
        let index = backend.create(&spec).await.unwrap();
        let mut random = Random::new(1);
        let mut row = |number: usize| {
            let vector = (0..DIMENSION).map(|_| random.normal()).collect();
            (Item::sample(format!("{number:024x}").as_str().into()), vector)
        };
        let rows: Vec<Row> = (0..6 * BATCH).map(&mut row).collect();
        // The rows need 24 MiB, and so does their index; they find 20.
        let all = disk.bytes / 8_192;
        schema.batch("CREATE TABLE ballast (page text STORAGE PLAIN) TABLESPACE small").await;
        fill(&schema, all - (20 << 7)).await.unwrap();

        // Each batch is acknowledged on its own by this rule.
        assert_full(&add_all(&*index, &rows, OnConflict::Error).await.unwrap_err());
        let kept = index.count(Scope::All).await.unwrap() as usize;
        assert!(kept > 0 && kept < rows.len() && kept.is_multiple_of(BATCH), "{kept}");
        schema.batch("TRUNCATE ballast").await;
        assert_eq!(add_all(&*index, &rows, OnConflict::Skip).await.unwrap() as usize, rows.len() - kept);

        // The rows are there, and their index finds no room.
        assert!(fill(&schema, all).await.is_err());
        assert_full(&index.build(&NoProgress).await.unwrap_err());
        schema.batch("DROP TABLE ballast").await;
        index.build(&NoProgress).await.unwrap();
        let oracle = oracle_of(Metric::Cosine, &rows);
        for (_, query) in rows.iter().step_by(BATCH) {
            let request = SearchRequest { k: Some(10), ..SearchRequest::new(vec![query.clone()]) };
            assert_answer(&*index, &oracle, &request, &mut Recall::default()).await;
        }
    });
}
