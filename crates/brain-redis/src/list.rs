//! What an index holds, listed at one moment.
//!
//! A walk through the keys of the server takes it a look at every key there is, of whatever index: two or three places in memory for each. The index itself
//! names those that it holds in a fraction of the time, but all in one go, so it is asked only where they are few enough not to keep others waiting, and
//! where it is known to hold all that is stored. What it named is kept, and serves as long as the index stands as it stood before it was asked: every row
//! that is added or changed raises a number, and every row that goes lowers another.

use std::sync::{Arc, Mutex, PoisonError};

use brain_core::{ErrorKind, ItemId, Patience, Result};

use crate::connect::line;
use crate::index::RedisIndex;
use crate::keys;
use crate::schema::Standing;

/// How many rows are listed at once: it takes the server half a microsecond a row.
const MOST: usize = 1 << 16;
/// From how many on the list is kept. One that is shorter is asked for in no time.
const KEPT_FROM: usize = 1_000;

/// The last list, and how the index stood.
#[derive(Default)]
pub(crate) struct List(Mutex<Option<(Standing, Arc<[ItemId]>)>>);

impl List {
    fn of(&self, standing: &Standing) -> Option<Arc<[ItemId]>> {
        let last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        last.as_ref().filter(|(at, _)| at.is_same(standing)).map(|(_, ids)| Arc::clone(ids))
    }

    fn keep(&self, list: Option<(Standing, Arc<[ItemId]>)>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = list;
    }
}

impl RedisIndex {
    /// The items of an index that stands so, by id; `None` where it has to be walked through.
    pub(crate) async fn listed(&self, standing: Standing) -> Result<Option<Arc<[ItemId]>>> {
        // What could not be indexed is stored all the same.
        let is_whole = self.is_ours() && !standing.is_indexing && standing.failures == 0;
        let most = (MOST + 1).min(self.rows_most());
        if !is_whole || standing.documents >= most as u64 {
            self.list.keep(None);
            return Ok(None);
        }
        if let Some(ids) = self.list.of(&standing) {
            return Ok(Some(ids));
        }
        let ids = match self.ask_for_ids(most).await {
            Ok(ids) => ids,
            // The server answers with fewer rows.
            Err(failure) if failure.kind() == ErrorKind::Unsupported => return Ok(None),
            Err(failure) => return Err(failure),
        };
        // Rows come and go meanwhile. Where there are fewer than there were, a walk says whether that is all.
        if ids.len() >= most || (ids.len() as u64) < standing.documents {
            return Ok(None);
        }
        let ids: Arc<[ItemId]> = ids.into();
        self.list.keep((ids.len() >= KEPT_FROM).then(|| (standing, Arc::clone(&ids))));
        Ok(Some(ids))
    }

    async fn ask_for_ids(&self, most: usize) -> Result<Vec<ItemId>> {
        let limit = most.to_string();
        let mut commands = Vec::new();
        // In the older form of its answers a key takes the server half of the time. There it keeps quiet about a search that it ends early, so it may not.
        line::write(&mut commands, &[b"HELLO", b"2"]);
        let words = ["FT.SEARCH", &self.options.name, "*", "NOCONTENT", "LIMIT", "0", &limit, "TIMEOUT", "0", "DIALECT", "2"];
        line::write(&mut commands, &words.map(str::as_bytes));
        line::write(&mut commands, &[b"HELLO", b"3"]);
        let mut patience = Patience::default();
        let mut ids = loop {
            match self.try_ids(&commands).await {
                Ok(ids) => break ids,
                Err(failure) => self.pool.wait(&mut patience, failure).await?,
            }
        };
        // Rows that were written one after the other lie together in the server's memory, and ids are mostly made one after the other.
        ids.sort_unstable();
        Ok(ids)
    }

    async fn try_ids(&self, commands: &[u8]) -> Result<Vec<ItemId>> {
        let failed = |failure| self.failed("read", failure);
        let mut line = self.pool.line().await?;
        line.send(commands).await.map_err(failed)?;
        line.pass().await.map_err(failed)?;
        // Their number comes first.
        let rows = self.several(&mut line).await?.saturating_sub(1);
        line.pass().await.map_err(failed)?;
        let mut ids = Vec::with_capacity(rows);
        for _ in 0..rows {
            ids.extend(self.text(&mut line).await?.and_then(|key| keys::id(&self.schema.prefix, key)));
        }
        line.pass().await.map_err(failed)?;
        self.pool.keep(line);
        Ok(ids)
    }
}
