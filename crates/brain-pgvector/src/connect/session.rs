//! One connection, and the run-time settings and prepared statements that stay on it.

use futures::future;
use tokio::sync::{Mutex, MutexGuard};
use tokio_postgres::error::SqlState;
use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{Client, Error, Row, Statement, Transaction};

use super::server::{Server, Types};
use super::statements::Statements;
use crate::quote;

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
}

/// What stays on a direct connection.
#[derive(Default)]
struct Kept {
    /// Settings that differ from the server's own; `None` where a change was sent and its answer never seen.
    settings: Vec<(&'static str, Option<String>)>,
    statements: Statements,
}

impl Session {
    pub(super) fn new(client: Client, server: Server, direct: bool, defaults: Vec<Setting>) -> Self {
        Self { client, server, direct, defaults, kept: Mutex::default() }
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
        let mut kept = self.under(settings).await?;
        let values: Vec<_> = parameters.iter().map(|(value, _)| *value).collect();
        let statement = self.prepared(&mut kept, sql, parameters).await?;
        match self.client.query(&statement, &values).await {
            Err(error) if is_stale(&error) => {
                kept.statements.forget(sql);
                let statement = self.prepared(&mut kept, sql, parameters).await?;
                self.client.query(&statement, &values).await
            }
            answer => answer,
        }
    }

    /// How many rows one statement changed; as [`query`](Self::query).
    pub async fn execute(&self, settings: &[Setting], sql: &str, parameters: &[Parameter<'_>]) -> Result<u64, Error> {
        if !self.direct {
            return self.enclosed(settings, self.client.execute_typed(sql, parameters)).await;
        }
        let mut kept = self.under(settings).await?;
        let values: Vec<_> = parameters.iter().map(|(value, _)| *value).collect();
        let statement = self.prepared(&mut kept, sql, parameters).await?;
        match self.client.execute(&statement, &values).await {
            Err(error) if is_stale(&error) => {
                kept.statements.forget(sql);
                let statement = self.prepared(&mut kept, sql, parameters).await?;
                self.client.execute(&statement, &values).await
            }
            answer => answer,
        }
    }

    /// As [`query`](Self::query), and planned for these values: for a statement that is not run again, or whose best plan depends on them.
    pub async fn query_once(&self, settings: &[Setting], sql: &str, parameters: &[Parameter<'_>]) -> Result<Vec<Row>, Error> {
        let statement = self.client.query_typed(sql, parameters);
        if !self.direct {
            return self.enclosed(settings, statement).await;
        }
        let _kept = self.under(settings).await?;
        statement.await
    }

    /// Statements without values, parted by semicolons; several are one transaction. Behind a pooler they run under the server's own settings.
    pub async fn batch(&self, sql: &str) -> Result<(), Error> {
        if !self.direct {
            return self.client.batch_execute(sql).await;
        }
        let _kept = self.under(&[]).await?;
        self.client.batch_execute(sql).await
    }

    /// Begins a transaction under these settings. It is rolled back where it is dropped.
    pub async fn transaction(&mut self, settings: &[Setting]) -> Result<Transaction<'_>, Error> {
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

    /// Runs an unnamed statement in a transaction of its own, so that its settings reach the same backend and stay nowhere.
    async fn enclosed<T>(&self, settings: &[Setting], statement: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
        let wanted = wanted(&self.defaults, settings);
        if wanted.is_empty() {
            return statement.await;
        }
        let begin = format!("BEGIN;{}", set_local(&wanted));
        // Polled in this order, they are sent together; where one fails, the server refuses those after it and rolls back.
        let (begun, answer, ended) = future::join3(self.client.batch_execute(&begin), statement, self.client.batch_execute("COMMIT")).await;
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
