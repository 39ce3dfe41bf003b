//! Doing what may be done twice again, while the server comes back.

use brain_core::{Error, Patience, Result};

use super::pool::{Connection, Pool};

impl Pool {
    /// Does `work`, which must not matter if it is done twice, until it succeeds, fails for good, or half a minute is over. A server that never answered
    /// is not waited for, nor one that is dead.
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
            self.wait(&mut patience, failure).await?;
        }
    }

    /// Waits before the next try. The lines that are kept are dropped: one broke, or the server is not itself, so that the others will not be better.
    ///
    /// # Errors
    /// The failure, where it is for good, or there have been tries enough.
    pub(crate) async fn wait(&self, patience: &mut Patience, failure: Error) -> Result<()> {
        self.drop_lines();
        if self.is_dead() {
            return Err(failure);
        }
        tokio::time::sleep(patience.pause_after(failure)?).await;
        Ok(())
    }
}
