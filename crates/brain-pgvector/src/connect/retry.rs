//! Doing what may be done twice again, on a fresh connection, while the server comes back.

use brain_core::{Patience, Result};

use super::pool::{Connection, Pool};

impl Pool {
    /// Does `work`, which must not matter if it is done twice, until it succeeds, fails for good, or half a minute is over. A server that never answered
    /// is not waited for.
    ///
    /// # Errors
    /// The last failure.
    pub async fn retrying<T, F: Future<Output = Result<T>>>(&self, mut work: impl FnMut(Connection) -> F) -> Result<T> {
        let mut patience = Patience::default();
        loop {
            let failure = match self.get().await {
                Ok(connection) => match work(connection).await {
                    Ok(done) => return Ok(done),
                    Err(failure) => failure,
                },
                Err(failure) if !self.was_reached() => return Err(failure),
                Err(failure) => failure,
            };
            tokio::time::sleep(patience.pause_after(failure)?).await;
        }
    }
}
