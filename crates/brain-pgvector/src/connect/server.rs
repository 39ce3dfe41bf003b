//! Who the server is: asked by the first statement of every connection, and judged before any work.

use brain_core::{Error, ErrorKind, Result};
use tokio_postgres::error::SqlState;
use tokio_postgres::types::{Kind, Oid, Type};
use tokio_postgres::{Client, Row};

use crate::error;

/// The types of the extension, whose numbers every database gives anew, and the schema they are in.
#[derive(Clone, Debug)]
pub struct Types {
    /// 32-bit floats.
    pub vector: Type,
    /// 16-bit floats.
    pub halfvec: Type,
    /// The schema of the extension. Operators are written `OPERATOR(schema.<=>)`, as it need not be in the `search_path`.
    pub schema: String,
}

/// What a server said of itself when a connection was made.
///
/// # Versions
/// PostgreSQL 13 is the oldest that is served, and pgvector 0.7.0, which brought `halfvec`, indexes on `bit` and `binary_quantize`; 0.8.0 brought
/// iterative scans. Known faults, by [pgvector's changelog](https://github.com/pgvector/pgvector/blob/master/CHANGELOG.md):
/// - before 0.8.2, building an HNSW index in parallel may overflow a buffer ([issue 959](https://github.com/pgvector/pgvector/issues/959)): such a
///   server is to build with one process, see [`builds_in_parallel`](Self::builds_in_parallel);
/// - before 0.8.3, vacuuming may corrupt an HNSW index: such a server is used, and [`advice`](Self::advice) says so.
#[derive(Clone, Debug)]
pub struct Server {
    /// The version as one number, as in `server_version_num`: 180004 is 18.4.
    pub version: u32,
    /// The version of the extension.
    pub extension: Version,
    /// Why nothing can be written here; `None` where it can.
    pub read_only: Option<ReadOnly>,
    /// The extension's types.
    pub types: Types,
}

/// A version of pgvector, compared number by number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version(pub u32, pub u32, pub u32);

/// Why a server takes no writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReadOnly {
    /// It repeats another server's changes.
    Standby,
    /// `default_transaction_read_only` is on.
    ByDefault,
}

impl Server {
    /// Whether `hnsw.iterative_scan` and `ivfflat.iterative_scan` are there.
    pub fn iterates(&self) -> bool {
        self.extension >= Version(0, 8, 0)
    }

    /// Whether parallel workers may build an HNSW index.
    pub fn builds_in_parallel(&self) -> bool {
        self.extension >= Version(0, 8, 2)
    }

    /// What the user should know of a version that is served and has a known fault.
    pub fn advice(&self) -> Option<String> {
        (self.extension < Version(0, 8, 3)).then(|| {
            format!(
                "pgvector {} may corrupt HNSW indexes when the table is vacuumed (its changelog, 0.8.3); update the package and run ALTER EXTENSION vector UPDATE",
                self.extension
            )
        })
    }

    /// # Errors
    /// [`Unavailable`](ErrorKind::Unavailable) where nothing can be written.
    pub fn check_writable(&self) -> Result<()> {
        let (reason, hint) = match self.read_only {
            None => return Ok(()),
            Some(ReadOnly::Standby) => ("it is a standby, which repeats another server's changes", "connect to the primary server"),
            Some(ReadOnly::ByDefault) => ("default_transaction_read_only is on", "turn it off for this user or database"),
        };
        Err(Error::new(ErrorKind::Unavailable, format!("the PostgreSQL server is read-only: {reason}")).with_hint(hint))
    }
}

impl std::fmt::Display for Version {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}.{}", self.0, self.1, self.2)
    }
}

impl Version {
    /// Reads `0.8.5`, and what distributions append to it; what is missing is zero.
    fn of(text: &str) -> Self {
        let mut numbers = text.split(|c: char| !c.is_ascii_digit()).map(|part| part.parse().unwrap_or(0));
        let mut next = || numbers.next().unwrap_or(0);
        Self(next(), next(), next())
    }
}

/// The first answer of a server.
pub(super) struct Introduction {
    /// The process that answered.
    pub(super) process: i32,
    version: u32,
    version_text: String,
    read_only: Option<ReadOnly>,
    extension: Option<(Version, Option<Types>)>,
}

impl Introduction {
    /// Asks, in one round trip and without a named statement.
    pub(super) async fn of(client: &Client) -> Result<Self, tokio_postgres::Error> {
        const ASK: &str = "\
            SELECT pg_backend_pid(), current_setting('server_version_num')::int, current_setting('server_version'), pg_is_in_recovery(), \
                   current_setting('transaction_read_only')::bool, x.extversion, n.nspname::text, v.oid, h.oid \
            FROM (SELECT) AS one \
            LEFT JOIN pg_catalog.pg_extension x ON x.extname = 'vector' \
            LEFT JOIN pg_catalog.pg_namespace n ON n.oid = x.extnamespace \
            LEFT JOIN pg_catalog.pg_type v ON v.typnamespace = n.oid AND v.typname = 'vector' \
            LEFT JOIN pg_catalog.pg_type h ON h.typnamespace = n.oid AND h.typname = 'halfvec'";
        let row = client.query_typed_one(ASK, &[]).await?;
        let extension = row.try_get::<_, Option<String>>(5)?.map(|version| Version::of(&version));
        Ok(Self {
            process: row.try_get(0)?,
            version: row.try_get::<_, i32>(1)?.unsigned_abs(),
            version_text: row.try_get(2)?,
            read_only: match (row.try_get(3)?, row.try_get(4)?) {
                (true, _) => Some(ReadOnly::Standby),
                (false, true) => Some(ReadOnly::ByDefault),
                (false, false) => None,
            },
            extension: match extension {
                Some(version) => Some((version, types(&row)?)),
                None => None,
            },
        })
    }

    /// Judges the versions, and makes the extension where it is missing and `install` allows it; `database` is named in what is wrong.
    pub(super) async fn judge(self, client: &Client, install: bool, database: &str) -> Result<Server> {
        if self.version < 130_000 {
            return Err(Error::unsupported(format!("PostgreSQL {} of {database} is too old", self.version_text))
                .with_hint("update the server to PostgreSQL 13 or later"));
        }
        match self.extension {
            None if install => {
                self::install(client, self.version, database).await?;
                let again = Self::of(client).await.map_err(|error| error::of(error, &format!("read what {database} has")))?;
                Box::pin(again.judge(client, false, database)).await
            }
            None => Err(missing(client, self.version, database).await),
            Some((extension, Some(types))) if extension >= Version(0, 7, 0) => {
                Ok(Server { version: self.version, extension, read_only: self.read_only, types })
            }
            Some((extension, _)) => Err(Error::unsupported(format!("pgvector {extension} in {database} is too old")).with_hint(
                "install pgvector 0.8.3 or later on the server (0.7.0 is the oldest that is served), then run ALTER EXTENSION vector UPDATE",
            )),
        }
    }
}

fn types(row: &Row) -> Result<Option<Types>, tokio_postgres::Error> {
    let (schema, vector, halfvec): (Option<String>, Option<Oid>, Option<Oid>) = (row.try_get(6)?, row.try_get(7)?, row.try_get(8)?);
    let (Some(schema), Some(vector), Some(halfvec)) = (schema, vector, halfvec) else { return Ok(None) };
    let named = |name: &str, oid| Type::new(name.to_owned(), oid, Kind::Simple, schema.clone());
    Ok(Some(Types { vector: named("vector", vector), halfvec: named("halfvec", halfvec), schema }))
}

/// The extension is not in the database; whether the server has it to give decides what to do.
async fn missing(client: &Client, version: u32, database: &str) -> Error {
    const ASK: &str = "SELECT 1 FROM pg_catalog.pg_available_extensions WHERE name = 'vector'";
    let create = "run CREATE EXTENSION vector there, as the database's owner or a superuser";
    let is_available = client.query_typed_opt(ASK, &[]).await.is_ok_and(|row| row.is_some());
    let hint = if is_available {
        create.to_owned()
    } else {
        let package = format!("postgresql-{}-pgvector on Debian, the image pgvector/pgvector for docker", version / 10_000);
        format!("install its package on the server ({package}), then {create}")
    };
    Error::unsupported(format!("the extension pgvector is not installed in {database}")).with_hint(hint)
}

/// Makes the extension.
///
/// # Errors
/// The server's reason, with the same hint as for one that is [`missing`].
async fn install(client: &Client, version: u32, database: &str) -> Result<()> {
    match client.batch_execute("CREATE EXTENSION IF NOT EXISTS vector").await {
        Ok(()) => Ok(()),
        // Another process was faster; the caller looks again.
        Err(error) if error.code() == Some(&SqlState::UNIQUE_VIOLATION) => Ok(()),
        Err(error) => {
            let hint = missing(client, version, database).await.hint().unwrap_or_default().to_owned();
            let made = error::of(error, &format!("install the extension pgvector in {database}"));
            // The hint that belongs to the code alone would send the user elsewhere.
            Err(Error::new(made.kind(), made.message()).with_hint(hint).with_source(made))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_compared_by_number() {
        assert_eq!(Version::of("0.8.5"), Version(0, 8, 5));
        assert_eq!(Version::of("0.10"), Version(0, 10, 0));
        assert_eq!(Version::of("0.8.0-1.pgdg"), Version(0, 8, 0));
        assert!(Version::of("0.10.0") > Version::of("0.9.9"));
        assert_eq!(Version(0, 8, 5).to_string(), "0.8.5");
    }
}
