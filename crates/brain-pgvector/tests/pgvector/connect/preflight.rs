//! What is found out before any work: an extension that can be made, a schema that cannot be written to, a server that takes no writes.

use brain_core::ErrorKind;
use brain_testkit::services::{self, Server};

use crate::server::{pool, pool_of, run};

#[test]
fn the_extension_is_made_where_the_user_may_also_in_another_schema() {
    run(async {
        let server = services::postgres();
        let admin = pool(&server).get().await.unwrap();
        let name = format!("brain_install_{}", std::process::id());
        admin.batch(&format!("CREATE DATABASE {name}")).await.unwrap();
        let fresh = Server { database: name.clone(), ..server };
        {
            let pool = pool(&fresh);
            assert_eq!(pool.get().await.err().unwrap().kind(), ErrorKind::Unsupported);
            pool.install().await.unwrap();
            pool.install().await.unwrap();
            let connection = pool.get().await.unwrap();
            connection.batch("CREATE SCHEMA elsewhere; ALTER EXTENSION vector SET SCHEMA elsewhere").await.unwrap();
        }
        let elsewhere = pool(&fresh).get().await.unwrap();
        assert_eq!(elsewhere.types().schema, "elsewhere");
        drop(elsewhere);
        admin.batch(&format!("DROP DATABASE {name} WITH (FORCE)")).await.unwrap();
    });
}

#[test]
fn a_schema_is_checked_before_a_table_is_made_in_it() {
    run(async {
        let server = services::postgres();
        let connection = pool(&server).get().await.unwrap();
        assert_eq!(connection.schema_for_tables(None).await.unwrap(), "public");
        assert_eq!(connection.schema_for_tables(Some("public")).await.unwrap(), "public");
        let error = connection.schema_for_tables(Some("nowhere")).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound);

        let role = format!("brain_guest_{}", std::process::id());
        connection.batch(&format!("CREATE ROLE {role} LOGIN PASSWORD 'guest'")).await.unwrap();
        let guest = Server { user: role.clone(), password: "guest".into(), ..server };
        let error = pool(&Server { database: "postgres".into(), ..guest.clone() }).install().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Auth);
        assert!(error.hint().is_some_and(|hint| hint.starts_with("run CREATE EXTENSION vector there")), "{error:?}");
        let error = pool(&guest).get().await.unwrap().schema_for_tables(None).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Auth);
        assert!(error.hint().is_some_and(|hint| hint.contains(&format!("GRANT CREATE ON SCHEMA \"public\" TO \"{role}\""))), "{error:?}");
        connection.batch(&format!("DROP ROLE {role}")).await.unwrap();
    });
}

#[test]
fn a_read_only_server_is_searched_and_not_written_to() {
    run(async {
        let url = format!("{}?options=-c%20default_transaction_read_only%3Don", services::postgres().url());
        let connection = pool_of(&url).get().await.unwrap();
        assert_eq!(connection.query(&[], "SELECT 1", &[]).await.unwrap().len(), 1);
        let error = connection.schema_for_tables(None).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unavailable);
        assert!(error.message().contains("read-only"), "{error}");
    });
}
