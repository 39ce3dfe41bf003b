//! Doing what may be done twice again, while the server comes back.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::time::{Duration, Instant};

use brain_core::{Error, Result};

use super::pool::{Connection, Pool};

/// How long a server may be away: a restart takes seconds, and reading its data back as many again.
const PATIENCE: Duration = Duration::from_secs(30);
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

impl Pool {
    /// Does `work`, which must not matter if it is done twice, until it succeeds, fails for good, or half a minute is over. A server that never answered
    /// is not waited for.
    ///
    /// # Errors
    /// The last failure.
    pub async fn retrying<T, F: Future<Output = Result<T>>>(&self, mut work: impl FnMut(Connection) -> F) -> Result<T> {
        let mut patience = Patience::new();
        loop {
            let failure = match self.get().await {
                Ok(connection) => match work(connection).await {
                    Ok(done) => return Ok(done),
                    Err(failure) => failure,
                },
                Err(failure) if !self.was_reached() => return Err(failure),
                Err(failure) => failure,
            };
            patience.after(failure).await?;
        }
    }
}

/// How long it is tried again.
pub(crate) struct Patience {
    until: Instant,
    pause: Duration,
}

impl Patience {
    pub(crate) fn new() -> Self {
        Self { until: Instant::now() + PATIENCE, pause: FIRST_PAUSE }
    }

    /// Waits before the next try.
    ///
    /// # Errors
    /// The failure, where it is for good, or there have been tries enough.
    pub(crate) async fn after(&mut self, failure: Error) -> Result<()> {
        if !failure.is_retryable() || Instant::now() + self.pause > self.until {
            return Err(failure);
        }
        tokio::time::sleep(spread(self.pause)).await;
        self.pause = (self.pause * 2).min(LONGEST_PAUSE);
        Ok(())
    }
}

/// Between half of the pause and all of it, by chance: clients that were cut off together must not come back together.
fn spread(pause: Duration) -> Duration {
    let chance = RandomState::new().build_hasher().finish() as f64 / u64::MAX as f64;
    pause.mul_f64(0.5 + chance / 2.0)
}
