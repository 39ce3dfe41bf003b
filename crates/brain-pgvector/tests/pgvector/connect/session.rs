//! What stays on a connection to one backend process, and what does not.

use brain_pgvector::{Connection, Setting};
use brain_testkit::services;
use tokio_postgres::types::Type;

use crate::server::{pool, run, settings};

async fn shown(connection: &Connection, settings: &[Setting], name: &str) -> String {
    let rows = connection.query(settings, "SELECT current_setting($1)", &[(&name, Type::TEXT)]).await.unwrap();
    rows[0].get(0)
}

async fn prepared(connection: &Connection) -> i64 {
    connection.client().query_typed_one("SELECT count(*) FROM pg_prepared_statements", &[]).await.unwrap().get(0)
}

#[test]
fn the_server_introduces_itself() {
    run(async {
        let connection = pool(&services::postgres()).get().await.unwrap();
        let server = connection.server();
        assert!(connection.is_direct() && server.version >= 130_000 && server.read_only.is_none());
        assert!(server.iterates() && server.builds_in_parallel() && server.advice().is_none(), "{}", server.extension);
        let types = connection.types();
        let number: u32 = connection.client().query_typed_one("SELECT 'vector'::regtype::oid", &[]).await.unwrap().get(0);
        assert_eq!((types.vector.oid(), types.schema.as_str()), (number, "public"));
        let number: u32 = connection.client().query_typed_one("SELECT 'halfvec'::regtype::oid", &[]).await.unwrap().get(0);
        assert_eq!(types.halfvec.oid(), number);
    });
}

#[test]
fn settings_belong_to_their_statement() {
    run(async {
        let parameters = [("connection_string", services::postgres().url()), ("statement_timeout", "90".to_owned())];
        let parameters = parameters.each_ref().map(|(name, value)| (*name, value.as_str()));
        let connection = brain_pgvector::Pool::new(settings(&parameters).unwrap()).get().await.unwrap();
        // The extension's settings have defaults once its library is loaded.
        connection.batch("SELECT '[1]'::vector").await.unwrap();
        assert_eq!(shown(&connection, &[], "work_mem").await, "64MB");
        assert_eq!(shown(&connection, &[], "statement_timeout").await, "90s");

        let more = [("hnsw.ef_search", "100".to_owned()), ("work_mem", "1MB".to_owned())];
        assert_eq!(shown(&connection, &more, "hnsw.ef_search").await, "100");
        assert_eq!(shown(&connection, &more, "work_mem").await, "1MB");
        assert_eq!(shown(&connection, &[], "work_mem").await, "64MB");
        assert_eq!(shown(&connection, &[], "hnsw.ef_search").await, "40");

        let refused = [("hnsw.ef_search", "none".to_owned())];
        assert!(connection.query(&refused, "SELECT 1", &[]).await.is_err());
        assert_eq!(shown(&connection, &[], "hnsw.ef_search").await, "40");
        assert_eq!(shown(&connection, &[], "work_mem").await, "64MB");

        let mut connection = connection;
        let transaction = connection.transaction(&more).await.unwrap();
        let now: String = transaction.query_typed_one("SELECT current_setting('hnsw.ef_search')", &[]).await.unwrap().get(0);
        assert_eq!(now, "100");
        transaction.rollback().await.unwrap();
        assert_eq!(shown(&connection, &[], "hnsw.ef_search").await, "40");
    });
}

#[test]
fn statements_are_prepared_once_and_the_least_used_are_given_up() {
    run(async {
        let connection = pool(&services::postgres()).get().await.unwrap();
        for _ in 0..3 {
            assert_eq!(shown(&connection, &[], "work_mem").await, "64MB");
        }
        assert_eq!(prepared(&connection).await, 1);
        for number in 0..200 {
            connection.query(&[], &format!("SELECT {number}"), &[]).await.unwrap();
        }
        // What was given up is closed with the statement that follows.
        connection.client().check_connection().await.unwrap();
        assert_eq!(prepared(&connection).await, 64);
        connection.query_once(&[], "SELECT 1000", &[]).await.unwrap();
        assert_eq!(prepared(&connection).await, 64);
    });
}

#[test]
fn a_statement_outlives_a_change_of_its_table() {
    run(async {
        let connection = pool(&services::postgres()).get().await.unwrap();
        connection.batch("CREATE TEMPORARY TABLE changing (a int); INSERT INTO changing VALUES (1)").await.unwrap();
        assert_eq!(connection.query(&[], "SELECT * FROM changing", &[]).await.unwrap()[0].len(), 1);
        connection.batch("ALTER TABLE changing ADD b int").await.unwrap();
        assert_eq!(connection.query(&[], "SELECT * FROM changing", &[]).await.unwrap()[0].len(), 2);
        connection.batch("DEALLOCATE ALL").await.unwrap();
        assert_eq!(connection.query(&[], "SELECT * FROM changing", &[]).await.unwrap()[0].len(), 2);
        assert_eq!(connection.execute(&[], "UPDATE changing SET b = $1", &[(&5i32, Type::INT4)]).await.unwrap(), 1);
    });
}

#[test]
fn vectors_are_sent_and_read_as_the_types_of_the_extension() {
    run(async {
        let connection = pool(&services::postgres()).get().await.unwrap();
        let types = connection.types();
        // A vector on the wire: its length and a zero, 16 bits each, then its numbers.
        let sql = "SELECT vector_send($1::text::vector), $1::text::halfvec::text";
        let row = &connection.query(&[], sql, &[(&"[1,2]", Type::TEXT)]).await.unwrap()[0];
        let sent: Vec<u8> = row.get(0);
        assert_eq!(sent, [&[0, 2, 0, 0][..], &1f32.to_be_bytes(), &2f32.to_be_bytes()].concat());
        assert_eq!(row.get::<_, String>(1), "[1,2]");
        assert_eq!((types.vector.name(), types.halfvec.name()), ("vector", "halfvec"));
    });
}
