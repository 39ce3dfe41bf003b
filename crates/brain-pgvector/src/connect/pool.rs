//! The connections of one backend, shared: as many as `pool_size`, each made when it is first needed and made anew when it broke.
//!
//! bb8 hands out slots and not connections: it would answer a caller whose connection cannot be made with its own timeout. A slot makes its connection
//! when it is handed out, so that the caller gets the reason, at once.

use std::convert::Infallible;
use std::ops::{Deref, DerefMut};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use bb8::RunError;
use brain_core::{Error, ErrorKind, Result};
use tokio::runtime::Handle;
use tokio::time::timeout;
use tokio_postgres::Client;
use tokio_postgres_rustls::MakeRustlsConnect;

use super::backend;
use super::server::Introduction;
use super::session::Session;
use super::settings::Settings;
use crate::error;

/// How long a caller waits for another one to give a connection back.
const WAIT: Duration = Duration::from_secs(60);
/// After how much idleness a connection is asked for a sign of life: a firewall forgets it after some minutes, without a word.
const QUIET: Duration = Duration::from_secs(30);
/// How long that sign may take.
const SIGN_OF_LIFE: Duration = Duration::from_secs(5);
/// After how much idleness a connection is closed.
const IDLE: Duration = Duration::from_secs(300);

/// The connections of one backend. Clones share them.
#[derive(Clone)]
pub struct Pool(Arc<Shared>);

struct Shared {
    settings: Settings,
    connector: OnceLock<MakeRustlsConnect>,
    slots: OnceLock<bb8::Pool<Slots>>,
    /// Whether the server ever answered.
    reached: AtomicBool,
}

impl Pool {
    /// A pool that has no connection yet.
    pub fn new(settings: Settings) -> Self {
        Self(Arc::new(Shared { settings, connector: OnceLock::new(), slots: OnceLock::new(), reached: AtomicBool::new(false) }))
    }

    /// How the server is reached.
    pub fn settings(&self) -> &Settings {
        &self.0.settings
    }

    /// How many connections there are at most.
    pub(crate) fn size(&self) -> u32 {
        self.0.settings.pool_size
    }

    /// A connection that was alive a moment ago, to a server that will do. It goes back to the pool when it is dropped.
    ///
    /// # Errors
    /// Why none can be made, or [`Timeout`](ErrorKind::Timeout) where all are in use for a minute.
    pub async fn get(&self) -> Result<Connection> {
        let mut slot = self.slot().await?;
        if !slot.is_alive().await
            && let Some(session) = slot.session.take()
        {
            session.abandon();
        }
        if slot.session.is_none() {
            slot.session = Some(self.connect(false).await?);
        }
        Ok(Connection(slot))
    }

    /// Makes the extension in the database where it is missing and the user may.
    ///
    /// # Errors
    /// As [`get`](Self::get), and where the extension cannot be made.
    pub async fn install(&self) -> Result<()> {
        let mut slot = self.slot().await?;
        if slot.session.is_none() {
            slot.session = Some(self.connect(true).await?);
        }
        Ok(())
    }

    /// Whether the server ever answered this pool.
    pub(super) fn was_reached(&self) -> bool {
        self.0.reached.load(Ordering::Relaxed)
    }

    async fn slot(&self) -> Result<bb8::PooledConnection<'static, Slots>> {
        if Handle::try_current().is_err() {
            return Err(
                Error::unexpected("pgvector was called outside of a tokio runtime").with_hint("call it from within one, with I/O and time enabled")
            );
        }
        let size = self.0.settings.pool_size;
        // Making it spawns a task, so it waits until there is a runtime.
        let slots = self.0.slots.get_or_init(|| {
            bb8::Pool::builder()
                .max_size(size)
                .test_on_check_out(false)
                .connection_timeout(WAIT)
                .idle_timeout(IDLE)
                .max_lifetime(None)
                .build_unchecked(Slots)
        });
        slots.get_owned().await.map_err(|error| match error {
            RunError::TimedOut => Error::new(ErrorKind::Timeout, format!("all {size} connections to {} are in use", self.0.settings.address()))
                .with_hint("raise pool_size, or do less at once")
                .retryable(),
            RunError::User(never) => match never {},
        })
    }

    /// What TLS is made by: the files are read once.
    fn connector(&self) -> Result<MakeRustlsConnect> {
        if let Some(connector) = self.0.connector.get() {
            return Ok(connector.clone());
        }
        let made = self.0.settings.tls.connector()?;
        Ok(self.0.connector.get_or_init(|| made).clone())
    }

    async fn connect(&self, install: bool) -> Result<Session> {
        let settings = &self.0.settings;
        let address = settings.address();
        let what = format!("connect to PostgreSQL at {address}");
        let connector = self.connector()?;
        let making = async {
            let (client, connection) = settings.driver.connect(connector.clone()).await?;
            // The task ends with the connection; what ended it, the client's next call says.
            tokio::spawn(connection);
            let introduction = Introduction::of(&client).await?;
            let direct = backend::announced(&client.cancel_token()).await? == introduction.process;
            Ok((client, introduction, direct))
        };
        let hosts = settings.driver.get_hosts().len().max(settings.driver.get_hostaddrs().len()).max(1);
        let made: std::result::Result<(Client, Introduction, bool), tokio_postgres::Error> =
            timeout(settings.connect_timeout.saturating_mul(u32::try_from(hosts).unwrap_or(u32::MAX)), making).await.map_err(|_| {
                Error::new(ErrorKind::Unavailable, format!("cannot {what}: the server did not answer in time"))
                    .with_hint("check that host and port of connection_string are PostgreSQL's, or raise connect_timeout in it")
                    .retryable()
            })?;
        if made.as_ref().map_or_else(|error| error.as_db_error().is_some(), |_| true) {
            self.0.reached.store(true, Ordering::Relaxed);
        }
        let (client, introduction, direct) = made.map_err(|error| error::of(error, &what))?;
        let server = introduction.judge(&client, install, &address).await?;
        Ok(Session::new(client, server, direct, settings.run_time.clone(), connector))
    }
}

impl std::fmt::Debug for Pool {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pool").field("settings", &self.0.settings).finish_non_exhaustive()
    }
}

/// A session on loan from a [`Pool`].
pub struct Connection(bb8::PooledConnection<'static, Slots>);

impl Deref for Connection {
    type Target = Session;

    #[expect(clippy::expect_used, reason = "`Pool::get` fills the slot before it hands it out, and nothing empties it until it is back")]
    fn deref(&self) -> &Session {
        self.0.session.as_ref().expect("a connection has its session")
    }
}

impl DerefMut for Connection {
    #[expect(clippy::expect_used, reason = "as in `deref`")]
    fn deref_mut(&mut self) -> &mut Session {
        self.0.session.as_mut().expect("a connection has its session")
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.0.used = Instant::now();
        if let Some(session) = self.0.session.take_if(|session| !session.is_at_rest()) {
            session.abandon();
        }
    }
}

/// Room for one connection.
struct Slot {
    session: Option<Session>,
    used: Instant,
}

impl Slot {
    /// Whether its session can be handed out. A server is asked only where it may have gone, or may be busy yet.
    async fn is_alive(&self) -> bool {
        let Some(session) = &self.session else { return false };
        if session.is_closed() {
            return false;
        }
        let doubtful = session.was_lent() || self.used.elapsed() >= QUIET;
        !doubtful || timeout(SIGN_OF_LIFE, session.answers()).await.unwrap_or(false)
    }
}

struct Slots;

impl bb8::ManageConnection for Slots {
    type Connection = Slot;
    type Error = Infallible;

    async fn connect(&self) -> std::result::Result<Slot, Infallible> {
        Ok(Slot { session: None, used: Instant::now() })
    }

    async fn is_valid(&self, _: &mut Slot) -> std::result::Result<(), Infallible> {
        Ok(())
    }

    fn has_broken(&self, slot: &mut Slot) -> bool {
        slot.session.as_ref().is_some_and(Session::is_closed)
    }
}
