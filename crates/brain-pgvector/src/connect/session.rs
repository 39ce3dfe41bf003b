//! One connection, and the run-time settings and prepared statements that stay on it.

use std::sync::atomic::{AtomicBool, Ordering};

use brain_core::ErrorKind;
use futures::future;
use tokio::runtime::Handle;
use tokio::sync::{Mutex, MutexGuard};
use tokio_postgres::error::SqlState;
use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{Client, Error, Row, Statement, Transaction};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::server::{Server, Types};
use super::statements::Statements;
use crate::{error, quote};

/// A run-time setting of the server: its name, and its value as it would be written in `postgresql.conf`.
pub type Setting = (&'static str, String);

/// A value of a statement, with the type it is sent as.
pub type Parameter<'a> = (&'a (dyn ToSql + Sync), Type);

/// One connection to the server.
///
/// Where it leads to one backend process ([`is_direct`](Self::is_direct)), statements are prepared once and settings stay until another value is wanted.
/// Behind a pooler nothing may stay: each statement is sent unnamed, within a transaction that holds its settings, in one round trip all the same.
///
/// Behind a pooler a result must hold built-in types alone, as the driver looks up others with a statement of its own: select vectors as `real[]` or
/// by their send function. `COPY` runs in a [`transaction`](Self::transaction), on either kind of connection.
pub struct Session {
    client: Client,
    server: Server,
    direct: bool,
    defaults: Vec<Setting>,
    kept: Mutex<Kept>,
    /// What a request to cancel connects by.
    connector: MakeRustlsConnect,
    /// Whether a statement was not waited for to its end, and may still be running.
    abandoned: AtomicBool,
    /// Whether the client was used past this type, which cannot say then what may still be running.
    lent: AtomicBool,
}

/// What stays on a direct connection.
#[derive(Default)]
struct Kept {
    /// Settings that differ from the server's own; `None` where a change was sent and its answer never seen.
    settings: Vec<(&'static str, Option<String>)>,
    statements: Statements,
}

impl Session {
    pub(super) fn new(client: Client, server: Server, direct: bool, defaults: Vec<Setting>, connector: MakeRustlsConnect) -> Self {
        let (abandoned, lent) = (AtomicBool::new(false), AtomicBool::new(false));
        Self { client, server, direct, defaults, kept: Mutex::default(), connector, abandoned, lent }
    }

    /// What the server said of itself.
    pub fn server(&self) -> &Server {
        &self.server
    }

    /// The types of the extension.
    pub fn types(&self) -> &Types {
        &self.server.types
    }

    /// Whether the connection leads to one backend process, and not to a pooler.
    pub fn is_direct(&self) -> bool {
        self.direct
    }

    /// The driver's client, for what this type has no method for. A setting or named statement that is left on it outlives the caller.
    pub fn client(&self) -> &Client {
        self.lent.store(true, Ordering::Relaxed);
        &self.client
    }

    /// Whether the connection is gone.
    pub fn is_closed(&self) -> bool {
        self.client.is_closed()
    }

    /// All rows of one statement, under these settings and no others but the session's defaults. On a direct connection it is prepared once.
    pub async fn query(&self, settings: &[Setting], sql: &str, parameters: &[Parameter<'_>]) -> Result<Vec<Row>, Error> {
        if !self.direct {
            return self.enclosed(settings, self.client.query_typed(sql, parameters)).await;
        }
        let values: &[_] = &values(parameters);
        self.kept(settings, sql, parameters, |statement| async move { self.client.query(&statement, values).await }).await
    }

    /// How many rows one statement changed; as [`query`](Self::query).
    pub async fn execute(&self, settings: &[Setting], sql: &str, parameters: &[Parameter<'_>]) -> Result<u64, Error> {
        if !self.direct {
            return self.enclosed(settings, self.client.execute_typed(sql, parameters)).await;
        }
        let values: &[_] = &values(parameters);
        self.kept(settings, sql, parameters, |statement| async move { self.client.execute(&statement, values).await }).await
    }

    /// As [`query`](Self::query), and planned for these values: for a statement that is not run again, or whose best plan depends on them.
    pub async fn query_once(&self, settings: &[Setting], sql: &str, parameters: &[Parameter<'_>]) -> Result<Vec<Row>, Error> {
        let statement = self.client.query_typed(sql, parameters);
        if !self.direct {
            return self.enclosed(settings, statement).await;
        }
        self.watched(async {
            let _kept = self.under(settings).await?;
            statement.await
        })
        .await
    }

    /// Statements without values, parted by semicolons; several are one transaction. Behind a pooler they run under the server's own settings.
    pub async fn batch(&self, sql: &str) -> Result<(), Error> {
        self.alone(&[], sql).await
    }

    /// A statement that allows no transaction around it, such as VACUUM. Behind a pooler it runs under the server's own settings.
    pub async fn alone(&self, settings: &[Setting], sql: &str) -> Result<(), Error> {
        self.watched(async {
            let _kept = if self.direct { Some(self.under(settings).await?) } else { None };
            self.client.batch_execute(sql).await
        })
        .await
    }

    /// Begins a transaction under these settings. It is rolled back where it is dropped.
    pub async fn transaction(&mut self, settings: &[Setting]) -> Result<Transaction<'_>, Error> {
        self.lent.store(true, Ordering::Relaxed);
        if self.direct {
            drop(self.under(settings).await?);
            return self.client.transaction().await;
        }
        let local = set_local(&wanted(&self.defaults, settings));
        let transaction = self.client.transaction().await?;
        if !local.is_empty() {
            transaction.batch_execute(&local).await?;
        }
        Ok(transaction)
    }

    /// The name of a schema in which this user may make tables: `schema`, or the first of the `search_path`.
    ///
    /// # Errors
    /// [`NotFound`](ErrorKind::NotFound) where there is none, [`Auth`](ErrorKind::Auth) where the user lacks the right, and
    /// [`Unavailable`](ErrorKind::Unavailable) on a read-only server.
    pub async fn schema_for_tables(&self, schema: Option<&str>) -> brain_core::Result<String> {
        self.server.check_writable()?;
        const ASK: &str = "\
            SELECT n.nspname::text, pg_catalog.has_schema_privilege(n.oid, 'CREATE'), current_user::text \
            FROM pg_catalog.pg_namespace n WHERE n.nspname = coalesce($1, current_schema())";
        let failed = |error| error::of(error, "read the schemas");
        let rows = self.query(&[], ASK, &[(&schema, Type::TEXT)]).await.map_err(failed)?;
        let Some(row) = rows.first() else {
            return Err(match schema {
                Some(schema) => brain_core::Error::not_found(format!("there is no schema {schema:?}"))
                    .with_hint("make it with CREATE SCHEMA, or check schema_name"),
                None => brain_core::Error::not_found("the search_path names no schema that is there").with_hint("set schema_name"),
            });
        };
        let (name, may, user): (String, bool, String) =
            (row.try_get(0).map_err(failed)?, row.try_get(1).map_err(failed)?, row.try_get(2).map_err(failed)?);
        if may {
            return Ok(name);
        }
        let grant = format!("GRANT CREATE ON SCHEMA {} TO {}", quote::identifier(&name), quote::identifier(&user));
        Err(brain_core::Error::new(ErrorKind::Auth, format!("the user {user:?} may make no table in the schema {name:?}"))
            .with_hint(format!("let the schema's owner run {grant}, or choose another schema with schema_name")))
    }

    /// Whether the connection may be used by someone else: it is there, and nothing that the last user began is still running.
    pub(super) fn is_at_rest(&self) -> bool {
        !self.is_closed() && !self.abandoned.load(Ordering::Relaxed)
    }

    /// Whether it was used past this type since the last call.
    pub(super) fn was_lent(&self) -> bool {
        self.lent.swap(false, Ordering::Relaxed)
    }

    /// Whether the server answers on it.
    pub(super) async fn answers(&self) -> bool {
        self.client.check_connection().await.is_ok()
    }

    /// Ends the session and asks the server to stop what it may still be doing for it; nobody waits for that.
    pub(super) fn abandon(self) {
        let token = self.client.cancel_token();
        if let (false, Ok(runtime)) = (self.is_closed(), Handle::try_current()) {
            runtime.spawn(async move { token.cancel_query(self.connector).await });
        }
    }

    /// Notes where the caller goes away before the server has answered.
    async fn watched<T>(&self, work: impl Future<Output = T>) -> T {
        struct Watch<'a>(&'a AtomicBool);
        impl Drop for Watch<'_> {
            fn drop(&mut self) {
                self.0.store(true, Ordering::Relaxed);
            }
        }
        let watch = Watch(&self.abandoned);
        let done = work.await;
        std::mem::forget(watch);
        done
    }

    /// Runs a prepared statement on a direct connection.
    async fn kept<T, F>(&self, settings: &[Setting], sql: &str, parameters: &[Parameter<'_>], run: impl Fn(Statement) -> F) -> Result<T, Error>
    where
        F: Future<Output = Result<T, Error>>,
    {
        self.watched(async {
            let mut kept = self.under(settings).await?;
            let statement = self.prepared(&mut kept, sql, parameters).await?;
            match run(statement).await {
                Err(error) if is_stale(&error) => {
                    kept.statements.forget(sql);
                    run(self.prepared(&mut kept, sql, parameters).await?).await
                }
                answer => answer,
            }
        })
        .await
    }

    /// Runs an unnamed statement in a transaction of its own, so that its settings reach the same backend and stay nowhere.
    async fn enclosed<T>(&self, settings: &[Setting], statement: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
        let wanted = wanted(&self.defaults, settings);
        if wanted.is_empty() {
            return self.watched(statement).await;
        }
        let begin = format!("BEGIN;{}", set_local(&wanted));
        // Polled in this order, they are sent together; where one fails, the server refuses those after it and rolls back.
        let all = future::join3(self.client.batch_execute(&begin), statement, self.client.batch_execute("COMMIT"));
        let (begun, answer, ended) = self.watched(all).await;
        begun?;
        let answer = answer?;
        ended?;
        Ok(answer)
    }

    /// Waits until no other statement is under way, and brings the settings to what is wanted.
    async fn under(&self, settings: &[Setting]) -> Result<MutexGuard<'_, Kept>, Error> {
        let mut kept = self.kept.lock().await;
        let wanted = wanted(&self.defaults, settings);
        let mut sql = String::new();
        for (name, _) in kept.settings.iter().filter(|(name, _)| wanted.iter().all(|(other, _)| other != name)) {
            sql += &format!("RESET {name};");
        }
        for (name, value) in &wanted {
            if kept.settings.iter().all(|(other, now)| other != name || now.as_deref() != Some(value)) {
                sql += &format!("SET {name} = {};", quote::literal(value));
            }
        }
        if sql.is_empty() {
            return Ok(kept);
        }
        for (name, _) in &wanted {
            if kept.settings.iter().all(|(other, _)| other != name) {
                kept.settings.push((name, None));
            }
        }
        kept.settings.iter_mut().for_each(|(_, value)| *value = None);
        self.client.batch_execute(&sql).await?;
        kept.settings = wanted.into_iter().map(|(name, value)| (name, Some(value.to_owned()))).collect();
        Ok(kept)
    }

    async fn prepared(&self, kept: &mut Kept, sql: &str, parameters: &[Parameter<'_>]) -> Result<Statement, Error> {
        if let Some(statement) = kept.statements.get(sql) {
            return Ok(statement);
        }
        let types: Vec<Type> = parameters.iter().map(|(_, r#type)| r#type.clone()).collect();
        let statement = self.client.prepare_typed(sql, &types).await?;
        kept.statements.keep(sql, statement.clone());
        Ok(statement)
    }
}

fn values<'a>(parameters: &[Parameter<'a>]) -> Vec<&'a (dyn ToSql + Sync)> {
    parameters.iter().map(|(value, _)| *value).collect()
}

/// The defaults with the statement's own settings laid over them.
fn wanted<'a>(defaults: &'a [Setting], settings: &'a [Setting]) -> Vec<(&'static str, &'a str)> {
    let kept = defaults.iter().filter(|(name, _)| settings.iter().all(|(other, _)| other != name));
    kept.chain(settings).map(|(name, value)| (*name, value.as_str())).collect()
}

fn set_local(settings: &[(&'static str, &str)]) -> String {
    settings.iter().map(|(name, value)| format!("SET LOCAL {name} = {};", quote::literal(value))).collect()
}

/// Whether a prepared statement is no longer what it was: the table was changed, or someone discarded it. Nothing of it has run.
fn is_stale(error: &Error) -> bool {
    let Some(server) = error.as_db_error() else { return false };
    *server.code() == SqlState::INVALID_SQL_STATEMENT_NAME
        || (*server.code() == SqlState::FEATURE_NOT_SUPPORTED && server.routine() == Some("RevalidateCachedQuery"))
}
