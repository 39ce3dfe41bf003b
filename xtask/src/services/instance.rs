//! Which servers there are, and what each is for.

/// The program behind a server, and with it the protocol it speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Engine {
    Postgres,
    Pgbouncer,
    Redis,
}

/// One server of a run.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Instance {
    pub(crate) name: &'static str,
    pub(crate) engine: Engine,
    /// Whether the network sees TLS only.
    pub(crate) tls: bool,
    /// Whether tests may stop it and fill its disk: one test at a time has it.
    pub(crate) faults: bool,
}

/// All servers, those that others stand in front of first.
pub(crate) const INSTANCES: [Instance; 8] = [
    Instance { name: "postgres", engine: Engine::Postgres, tls: false, faults: false },
    Instance { name: "postgres-tls", engine: Engine::Postgres, tls: true, faults: false },
    Instance { name: "postgres-faults", engine: Engine::Postgres, tls: false, faults: true },
    Instance { name: "pgbouncer", engine: Engine::Pgbouncer, tls: false, faults: false },
    Instance { name: "redis", engine: Engine::Redis, tls: false, faults: false },
    Instance { name: "redis-tls", engine: Engine::Redis, tls: true, faults: false },
    Instance { name: "redis-faults", engine: Engine::Redis, tls: false, faults: true },
    Instance { name: "redis-bare", engine: Engine::Redis, tls: false, faults: false },
];

/// The superuser of every PostgreSQL server; its password is in the description.
pub(crate) const SUPERUSER: &str = "postgres";

/// The database that has the extension; `postgres` beside it has not.
pub(crate) const DATABASE: &str = "brain";

/// The role that `postgres-tls` knows by a client certificate, and by nothing else.
pub(crate) const CERTIFIED: &str = "certified";

/// The user of the Redis server with an ACL file.
pub(crate) const REDIS_USER: &str = "brain";

/// The user that a Redis server with a password alone (`requirepass`) knows.
pub(crate) const REDIS_DEFAULT_USER: &str = "default";

/// Enough for tests that run side by side, each with its pool.
pub(crate) const MAX_CONNECTIONS: u32 = 200;

/// The folder that a test can fill: small enough to fill in a second, large enough for PostgreSQL to put tables there.
pub(crate) const SMALL_DISK_MIB: u64 = 96;

impl Instance {
    /// The instance of that name.
    pub(crate) fn named(name: &str) -> Option<&'static Self> {
        INSTANCES.iter().find(|instance| instance.name == name)
    }

    /// The server that must be there first.
    pub(crate) fn behind(&self) -> Option<&'static Self> {
        (self.engine == Engine::Pgbouncer).then_some(&INSTANCES[0])
    }

    /// Whether the server can do what an index needs: one Redis cannot, as a user's own may be.
    pub(crate) fn has_modules(&self) -> bool {
        self.name != "redis-bare"
    }

    /// The name that a shell variable has for it: `POSTGRES_TLS`.
    pub(crate) fn variable(&self) -> String {
        self.name.replace('-', "_").to_uppercase()
    }
}
