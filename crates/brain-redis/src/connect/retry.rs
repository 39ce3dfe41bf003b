//! Doing what may be done twice again, while the server comes back.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::time::{Duration, Instant};

use brain_core::Result;

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
        let until = Instant::now() + PATIENCE;
        let mut pause = FIRST_PAUSE;
        loop {
            let failure = match self.get().await {
                Ok(connection) => match work(connection).await {
                    Ok(done) => return Ok(done),
                    Err(failure) => failure,
                },
                Err(failure) if !self.was_reached() => return Err(failure),
                Err(failure) => failure,
            };
            if !failure.is_retryable() || Instant::now() + pause > until {
                return Err(failure);
            }
            tokio::time::sleep(spread(pause)).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }
}

/// Between half of the pause and all of it, by chance: clients that were cut off together must not come back together.
fn spread(pause: Duration) -> Duration {
    let chance = RandomState::new().build_hasher().finish() as f64 / u64::MAX as f64;
    pause.mul_f64(0.5 + chance / 2.0)
}
