//! Through pgbouncer in transaction mode, which lends a backend to one transaction at a time and knows nothing of prepared statements.

use brain_core::ErrorKind;
use brain_pgvector::{Connection, Pool};
use brain_testkit::services::{self, Server};
use futures::future::join_all;
use tokio_postgres::types::Type;

use crate::server::{pool, run};

async fn ef_search(connection: &Connection, value: i32) -> String {
    let settings = [("hnsw.ef_search", value.to_string())];
    let rows = connection.query(&settings, "SELECT current_setting('hnsw.ef_search'), pg_sleep(0.001)", &[]).await.unwrap();
    rows[0].get(0)
}

#[test]
fn a_pooler_is_noticed_and_a_server_is_not_taken_for_one() {
    run(async {
        assert!(!pool(&services::pgbouncer()).get().await.unwrap().is_direct());
        assert!(pool(&services::postgres()).get().await.unwrap().is_direct());
    });
}

#[test]
fn refusals_of_the_pooler_have_the_kind_of_the_servers() {
    run(async {
        let right = services::pgbouncer();
        let refusal = async |server: Server| pool(&server).get().await.err().unwrap();
        let error = refusal(Server { password: "hunter2".into(), ..right.clone() }).await;
        assert_eq!(error.kind(), ErrorKind::Auth, "{error:?}");
        let error = refusal(Server { database: "birds".into(), ..right.clone() }).await;
        assert_eq!(error.kind(), ErrorKind::NotFound, "{error:?}");
    });
}

#[test]
fn settings_reach_their_statement_and_no_one_else() {
    run(async {
        let pool: Pool = pool(&services::pgbouncer());
        join_all((0..6).map(|worker| {
            let pool = &pool;
            async move {
                let connection = pool.get().await.unwrap();
                for round in 0..20 {
                    let value = 50 + worker * 20 + round;
                    assert_eq!(ef_search(&connection, value).await, value.to_string());
                    let rows = connection.query_once(&[], "SELECT current_setting('hnsw.ef_search', true)", &[]).await.unwrap();
                    let left: Option<String> = rows[0].get(0);
                    assert!(matches!(left.as_deref(), None | Some("" | "40")), "{left:?}");
                }
            }
        }))
        .await;
    });
}

#[test]
fn nothing_stays_on_a_backend() {
    run(async {
        let connection = pool(&services::pgbouncer()).get().await.unwrap();
        for number in 0..10i32 {
            let rows = connection.query(&[], "SELECT $1 + 1", &[(&number, Type::INT4)]).await.unwrap();
            assert_eq!(rows[0].get::<_, i32>(0), number + 1);
            assert_eq!(connection.execute(&[], "SELECT $1::int", &[(&number, Type::INT4)]).await.unwrap(), 1);
        }
        let rows = connection.query(&[], "SELECT count(*) FROM pg_prepared_statements", &[]).await.unwrap();
        assert_eq!(rows[0].get::<_, i64>(0), 0);
    });
}

#[test]
fn a_failed_statement_leaves_the_connection_usable() {
    run(async {
        let connection = pool(&services::pgbouncer()).get().await.unwrap();
        let error = connection.query(&[], "SELECT 1 / 0", &[]).await.unwrap_err();
        assert_eq!(error.code().map(|code| code.code()), Some("22012"));
        let error = connection.query(&[("work_mem", "much".to_owned())], "SELECT 1", &[]).await.unwrap_err();
        assert_eq!(error.code().map(|code| code.code()), Some("22023"), "the first failure counts");
        assert_eq!(ef_search(&connection, 77).await, "77");
    });
}

#[test]
fn a_transaction_stays_on_one_backend_and_copies() {
    run(async {
        let mut connection = pool(&services::pgbouncer()).get().await.unwrap();
        for _ in 0..3 {
            let transaction = connection.transaction(&[("hnsw.ef_search", "99".to_owned())]).await.unwrap();
            transaction.batch_execute("CREATE TEMPORARY TABLE copied (a int) ON COMMIT DROP").await.unwrap();
            let sink = transaction.copy_in("COPY copied FROM STDIN").await.unwrap();
            let mut sink = std::pin::pin!(sink);
            futures::SinkExt::send(&mut sink, bytes::Bytes::from_static(b"1\n2\n")).await.unwrap();
            assert_eq!(sink.finish().await.unwrap(), 2);
            let now: String = transaction.query_typed_one("SELECT current_setting('hnsw.ef_search')", &[]).await.unwrap().get(0);
            assert_eq!(now, "99");
            transaction.commit().await.unwrap();
        }
        let rows = connection.query(&[], "SELECT count(*) FROM pg_prepared_statements", &[]).await.unwrap();
        assert_eq!(rows[0].get::<_, i64>(0), 0);
    });
}
