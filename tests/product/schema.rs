//! A schema in PostgreSQL of a test's own, dropped at its end however it ends.

use std::sync::atomic::{AtomicU32, Ordering};

use brain_testkit::services::postgres;
use tokio_postgres::NoTls;

pub(crate) struct Schema {
    pub(crate) name: String,
}

impl Schema {
    pub(crate) fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!("product_{:x}_{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        run(&format!("CREATE SCHEMA {name}"));
        Self { name }
    }

    /// Leads into the schema.
    pub(crate) fn url(&self) -> String {
        format!("{}?options=-csearch_path%3D{},public", postgres().url(), self.name)
    }

    /// Runs statements in the schema.
    pub(crate) fn run(&self, sql: &str) {
        run(&format!("SET search_path = {}, public; {sql}", self.name));
    }
}

impl Drop for Schema {
    fn drop(&mut self) {
        run(&format!("DROP SCHEMA {} CASCADE", self.name));
    }
}

/// On a thread and a runtime of its own, which may be called from anywhere.
fn run(sql: &str) {
    let sql = sql.to_owned();
    let work = async move {
        let (client, connection) = tokio_postgres::connect(&postgres().url(), NoTls).await.unwrap();
        let connected = tokio::spawn(connection);
        client.batch_execute(&sql).await.unwrap();
        drop(client);
        connected.await.unwrap().unwrap();
    };
    let ran = std::thread::spawn(|| tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(work));
    assert!(ran.join().is_ok() || std::thread::panicking(), "the statements failed");
}
