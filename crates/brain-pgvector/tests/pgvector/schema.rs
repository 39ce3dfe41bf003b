//! A schema of a test's own, dropped at its end however it ends.

use std::sync::atomic::{AtomicU32, Ordering};

use brain_core::Result;
use brain_core::config::ResolvedParameters;
use brain_pgvector::{PgvectorBackend, Pool};
use brain_testkit::services::Server;
use tokio_postgres::types::Type;

use crate::server::{backend_of, parameters as parameters_of, pool, run};

pub(crate) struct Schema {
    pub(crate) name: String,
    pub(crate) server: Server,
    /// Leads to the server, and not into the schema.
    pub(crate) pool: Pool,
}

impl Schema {
    pub(crate) async fn new(server: Server) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!("test_{:x}_{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let pool = pool(&server);
        pool.get().await.unwrap().batch(&format!("CREATE SCHEMA {name}")).await.unwrap();
        Self { name, server, pool }
    }

    /// The connection string of the schema.
    pub(crate) fn url(&self) -> String {
        self.url_at(&self.server)
    }

    /// That of the schema on its server, reached in another way.
    fn url_at(&self, server: &Server) -> String {
        let tls = server.tls.as_ref().map(|tls| format!("&sslmode=verify-full&sslrootcert={}", tls.ca_file.display())).unwrap_or_default();
        format!("{}?options=-csearch_path%3D{name},public&application_name={name}{tls}", server.url(), name = self.name)
    }

    /// The backend whose tables are made here.
    pub(crate) fn backend(&self) -> PgvectorBackend {
        backend_of(&self.url())
    }

    /// That backend, which reaches the server in another way.
    pub(crate) fn backend_at(&self, server: &Server) -> PgvectorBackend {
        backend_of(&self.url_at(server))
    }

    /// Ends every connection that the schema's backends have, and waits until they are gone; how many there were.
    pub(crate) async fn terminate(&self) -> usize {
        const END: &str = "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE application_name = $1";
        self.pool.get().await.unwrap().query(&[], END, &[(&self.name, Type::TEXT)]).await.unwrap().len()
    }

    pub(crate) fn parameters(&self, parameters: &[(&str, &str)]) -> Result<ResolvedParameters> {
        let url = self.url();
        parameters_of(&[&[("connection_string", url.as_str())], parameters].concat())
    }

    /// What there is in the schema, with its definition and its comment, a line each.
    pub(crate) async fn objects(&self) -> Vec<String> {
        const OBJECTS: &str = "\
            SELECT concat_ws(' ', c.relkind, c.relname, pg_get_indexdef(c.oid), c.reloptions::text, obj_description(c.oid, 'pg_class'), \
                             (SELECT string_agg(concat(attname, format_type(atttypid, atttypmod), attstorage), ',' ORDER BY attnum) \
                              FROM pg_attribute WHERE attrelid = c.oid)) \
            FROM pg_class c WHERE c.relnamespace = $1::text::regnamespace ORDER BY c.relname";
        let session = self.pool.get().await.unwrap();
        let rows = session.query(&[], OBJECTS, &[(&self.name, Type::TEXT)]).await.unwrap();
        rows.iter().map(|row| row.get(0)).collect()
    }

    /// Runs statements in the schema.
    pub(crate) async fn batch(&self, sql: &str) {
        let session = self.pool.get().await.unwrap();
        session.batch(&format!("SET search_path = {}, public; {sql}; RESET search_path", self.name)).await.unwrap();
    }
}

impl Drop for Schema {
    fn drop(&mut self) {
        let (name, server) = (self.name.clone(), self.server.clone());
        // The test's own runtime may be ending.
        let dropped = std::thread::spawn(move || {
            run(async { pool(&server).get().await.unwrap().batch(&format!("DROP SCHEMA {name} CASCADE")).await.unwrap() });
        });
        let dropped = dropped.join().is_ok();
        assert!(dropped || std::thread::panicking(), "the schema {} was not dropped", self.name);
    }
}
