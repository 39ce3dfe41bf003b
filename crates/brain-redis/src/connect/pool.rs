//! The connections of one backend, shared: as many as `pool_size`, each made when it is first needed, and made anew by the driver when it broke.
//!
//! A connection serves many callers at once, as the server answers in order. So a caller gets one that nobody uses, then a new one, then the least busy.

use std::ops::Deref;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex as StdMutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use brain_core::{Error, Result};
use fred::clients::Client;
use fred::error::{Error as DriverError, ErrorKind as DriverKind};
use fred::interfaces::ClientLike as _;
use fred::types::config::{Config, ConnectionConfig, PerformanceConfig, ReconnectPolicy, ServerConfig, TcpConfig, TlsConfig, UnresponsiveConfig};
use fred::types::{ConnectHandle, RespVersion};
use tokio::runtime::Handle;
use tokio::sync::{Mutex, OnceCell, Semaphore, SemaphorePermit};

use super::line::Line;
use super::server::{Introduction, Server};
use super::settings::Settings;
use crate::error;

/// How long one connection may take to be made.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// A server that refuses connections for so long is not being restarted: who asks it is told at once, until it is back.
const DEAD: Duration = Duration::from_secs(8);
/// How long a caller waits for a connection that broke to come back.
const COMES_BACK: Duration = Duration::from_secs(2);

/// The connections of one backend. Clones share them.
#[derive(Clone)]
pub struct Pool(Arc<Shared>);

struct Shared {
    settings: Settings,
    slots: Vec<Slot>,
    /// Lines that nobody uses.
    lines: StdMutex<Vec<Line>>,
    turns: Semaphore,
    server: OnceCell<Server>,
    /// Since when nobody listens there.
    refused: StdMutex<Option<Instant>>,
    /// Whether the server ever answered.
    reached: AtomicBool,
}

/// Room for one connection.
#[derive(Default)]
struct Slot {
    made: Mutex<Option<Made>>,
    busy: AtomicUsize,
}

struct Made {
    client: Client,
    task: ConnectHandle,
}

impl Drop for Made {
    fn drop(&mut self) {
        // The driver's task holds the connection, and would keep it.
        self.task.abort();
    }
}

impl Pool {
    /// A pool that has no connection yet.
    pub fn new(settings: Settings) -> Self {
        let turns = Semaphore::new(settings.pool_size);
        let slots = (0..settings.pool_size).map(|_| Slot::default()).collect();
        Self(Arc::new(Shared {
            settings,
            slots,
            lines: StdMutex::default(),
            turns,
            server: OnceCell::new(),
            refused: StdMutex::default(),
            reached: AtomicBool::new(false),
        }))
    }

    /// How the server is reached.
    pub fn settings(&self) -> &Settings {
        &self.0.settings
    }

    /// What the server said of itself.
    ///
    /// # Errors
    /// As [`get`](Self::get).
    pub async fn server(&self) -> Result<&Server> {
        let connection = self.connection().await?;
        self.introduced(&connection).await
    }

    /// A connection to a server that will do.
    ///
    /// # Errors
    /// Why none can be made.
    pub async fn get(&self) -> Result<Connection> {
        let connection = self.connection().await?;
        self.introduced(&connection).await?;
        Ok(connection)
    }

    /// A line to a server that will do: one that nobody uses, or a new one. Who is done with it [gives it back](Self::keep); one that broke is dropped.
    ///
    /// # Errors
    /// Why none can be made.
    pub(crate) async fn line(&self) -> Result<Line> {
        if let Some(line) = self.lines().pop() {
            return Ok(line);
        }
        if self.0.server.get().is_none() {
            self.server().await?;
        }
        let settings = &self.0.settings;
        let tls = settings.tls.as_ref().map(|tls| tls.config()).transpose()?;
        let timed_out = |_| DriverError::new(DriverKind::Timeout, "Request timed out.");
        let made = tokio::time::timeout(CONNECT_TIMEOUT, Line::connect(settings, tls)).await.map_err(timed_out);
        let made = made.and_then(|made| made);
        self.heard(made.as_ref().err());
        made.map_err(|failure| error::of_connecting(failure, &settings.address(), settings.tls.is_some()))
    }

    /// Waits until fewer than `pool_size` questions are under way by lines. Nobody waits for another turn meanwhile.
    pub(crate) async fn turn(&self) -> Option<SemaphorePermit<'_>> {
        // It is never closed.
        self.0.turns.acquire().await.ok()
    }

    /// Keeps a line, all of whose answers are read, for the next one who needs one.
    pub(crate) fn keep(&self, line: Line) {
        let mut lines = self.lines();
        if lines.len() < self.0.slots.len() {
            lines.push(line);
        }
    }

    /// Drops the lines that are kept.
    pub(super) fn drop_lines(&self) {
        self.lines().clear();
    }

    /// Takes down whether somebody listens there.
    fn heard(&self, failure: Option<&DriverError>) {
        let mut refused = self.0.refused.lock().unwrap_or_else(PoisonError::into_inner);
        if failure.is_some_and(|failure| failure.details().contains("ConnectionRefused")) {
            refused.get_or_insert_with(Instant::now);
        } else {
            *refused = None;
        }
    }

    /// Whether nobody has listened there for so long that no restart is to be expected.
    pub(super) fn is_dead(&self) -> bool {
        self.0.refused.lock().unwrap_or_else(PoisonError::into_inner).is_some_and(|since| since.elapsed() >= DEAD)
    }

    fn lines(&self) -> MutexGuard<'_, Vec<Line>> {
        self.0.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Asks the server who it is once more: it may be another one by now.
    pub(crate) async fn look_again(&self) -> Result<Server> {
        let connection = self.connection().await?;
        Introduction::of(&connection).await?.judge(&self.0.settings.address())
    }

    /// Whether the server ever answered this pool.
    pub(super) fn was_reached(&self) -> bool {
        self.0.reached.load(Ordering::Relaxed)
    }

    async fn introduced(&self, connection: &Connection) -> Result<&Server> {
        let address = self.0.settings.address();
        self.0.server.get_or_try_init(|| async { Introduction::of(connection).await?.judge(&address) }).await
    }

    async fn connection(&self) -> Result<Connection> {
        if Handle::try_current().is_err() {
            return Err(
                Error::unexpected("redis was called outside of a tokio runtime").with_hint("call it from within one, with I/O and time enabled")
            );
        }
        // There is at least one; of equals the first is taken, so that those that are made are used.
        let slot = (0..self.0.slots.len()).min_by_key(|&at| self.0.slots[at].busy.load(Ordering::Relaxed)).unwrap_or_default();
        self.0.slots[slot].busy.fetch_add(1, Ordering::Relaxed);
        let lent = Lent { shared: Arc::clone(&self.0), slot };
        let mut made = self.0.slots[slot].made.lock().await;
        // The driver's task ends with the runtime that it was made in.
        drop(made.take_if(|made| made.task.is_finished()));
        let made = match &mut *made {
            Some(made) => made,
            none => none.insert(self.connect().await?),
        };
        let comes_back = if self.is_dead() { Duration::ZERO } else { COMES_BACK };
        if !made.client.is_connected() && tokio::time::timeout(comes_back, made.client.wait_for_connect()).await.is_err() {
            // Another one says why it does not come back, or takes its place.
            *made = self.connect().await?;
        }
        Ok(Connection { client: made.client.clone(), _lent: lent })
    }

    async fn connect(&self) -> Result<Made> {
        let settings = &self.0.settings;
        let tls = settings.tls.as_ref().map(|tls| tls.config()).transpose()?;
        let config = Config {
            fail_fast: true,
            username: settings.username.clone(),
            password: settings.password.clone(),
            server: ServerConfig::new_centralized(settings.host.clone(), settings.port),
            version: RespVersion::RESP3,
            tls: tls.map(TlsConfig::from),
            ..Config::default()
        };
        let performance = PerformanceConfig { default_command_timeout: settings.command_timeout, ..PerformanceConfig::default() };
        let connection = ConnectionConfig {
            connection_timeout: CONNECT_TIMEOUT,
            // What may be done twice is done again by who knows that it may.
            max_command_attempts: 1,
            max_redirections: 1,
            tcp: TcpConfig { nodelay: Some(true), ..TcpConfig::default() },
            unresponsive: UnresponsiveConfig { max_timeout: Some(settings.command_timeout), interval: Duration::from_secs(1) },
            ..ConnectionConfig::default()
        };
        // Without a policy a command hangs once its connection is gone.
        let policy = ReconnectPolicy::new_exponential(0, 50, 2_000, 2);
        let client = Client::new(config, Some(performance), Some(connection), Some(policy));
        let made = client.init().await;
        self.heard(made.as_ref().err());
        match made {
            Ok(task) => {
                self.0.reached.store(true, Ordering::Relaxed);
                Ok(Made { client, task })
            }
            Err(failure) => Err(error::of_connecting(failure, &settings.address(), settings.tls.is_some())),
        }
    }
}

impl std::fmt::Debug for Pool {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pool").field("settings", &self.0.settings).finish_non_exhaustive()
    }
}

/// One of a [`Pool`]'s connections: the driver's client.
pub struct Connection {
    client: Client,
    _lent: Lent,
}

impl Deref for Connection {
    type Target = Client;

    fn deref(&self) -> &Client {
        &self.client
    }
}

struct Lent {
    shared: Arc<Shared>,
    slot: usize,
}

impl Drop for Lent {
    fn drop(&mut self) {
        self.shared.slots[self.slot].busy.fetch_sub(1, Ordering::Relaxed);
    }
}
