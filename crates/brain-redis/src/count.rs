//! Counting, without shipping rows.

use std::collections::HashSet;
use std::sync::PoisonError;

use brain_core::{Error, ErrorKind, Item, ItemId, ItemKind, Result, Scope, Selector};
use futures::TryStreamExt as _;
use futures::stream::{self, StreamExt as _};

use crate::command::Command;
use crate::index::RedisIndex;
use crate::note::ROWS;
use crate::schema::Standing;
use crate::{keys, reply, scope};

/// How many keys one command asks for.
const KEYS: usize = 1_000;
/// How often a number that is too small is asked for again.
const LOOKS: usize = 3;
/// How many commands are under way at once.
const AHEAD: usize = 4;

impl RedisIndex {
    pub(crate) async fn count_items(&self, scope: Scope<'_>) -> Result<u64> {
        match scope {
            Scope::All if self.is_ours() => self.count_all().await,
            Scope::All => self.count_others().await,
            Scope::Samples(set) if self.spec.items == ItemKind::Patches => Ok(self.patches_of(set.as_slice()).await?.len() as u64),
            Scope::Items(set) | Scope::Samples(set) => self.count_of(set.as_slice()).await,
        }
    }

    pub(crate) async fn count_their_samples(&self, scope: Scope<'_>) -> Result<u64> {
        if self.spec.items == ItemKind::Samples {
            return self.count_items(scope).await;
        }
        let distinct = |items: Vec<Item>| items.into_iter().map(|item| item.sample_id).collect::<HashSet<ItemId>>().len() as u64;
        match scope {
            Scope::All if self.is_ours() => self.count_distinct_samples().await,
            Scope::Samples(set) => Ok(distinct(self.patches_of(set.as_slice()).await?)),
            Scope::Items(set) => Ok(distinct(self.fetch_rows(Selector::Items(set.as_slice())).await?.rows.into_parts().0)),
            Scope::All => {
                let mut samples = HashSet::new();
                let mut rows = self.rows(false);
                while let Some(batch) = rows.try_next().await? {
                    samples.extend(batch.into_parts().0.into_iter().map(|item| item.sample_id));
                }
                Ok(samples.len() as u64)
            }
        }
    }

    /// All items of an index of this library; an error where there are fewer than were acknowledged.
    async fn count_all(&self) -> Result<u64> {
        let (mut acknowledged, mut standing) = self.acknowledged().await?;
        for _ in 0..LOOKS {
            if standing.documents >= acknowledged {
                return Ok(standing.documents);
            }
            // Someone may have removed items between the two answers.
            (acknowledged, standing) = self.acknowledged().await?;
        }
        Err(self.lost(acknowledged.saturating_sub(standing.documents), acknowledged))
    }

    /// How many items were acknowledged, at least, and how the index stands, a moment later.
    pub(crate) async fn acknowledged(&self) -> Result<(u64, Standing)> {
        let name = &self.options.name;
        self.pool
            .retrying(|connection| async move {
                let commands = vec![Command::new("HGET").arg(keys::note(name)).arg(ROWS), Command::new("FT.INFO").arg(name.clone())];
                let mut results = self.ask(&connection, commands).await?.into_iter();
                let acknowledged = results.next().as_ref().and_then(reply::number).unwrap_or_default();
                let info = results.next().map(reply::map).unwrap_or_default();
                Ok((acknowledged, Standing::of(&info)))
            })
            .await
    }

    /// The error of items that were acknowledged, and are not there any more.
    fn lost(&self, count: u64, acknowledged: u64) -> Error {
        Error::new(ErrorKind::Conflict, format!("the Redis server lost {count} of the {acknowledged} vectors of the index {:?}", self.options.name))
            .with_hint(
                "it was restarted without all of its data, or threw keys away (maxmemory-policy), or others deleted them; \
                 add what is missing again, after which the index is used as it is",
            )
    }

    /// All items of an index that others made: documents without a vector, or with one that no metric ranks, are none.
    async fn count_others(&self) -> Result<u64> {
        let standing = self.standing().await?;
        let known = self.counted.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some((at, count)) = known
            && at.is_same(&standing)
        {
            return Ok(count);
        }
        let mut count = 0;
        let mut rows = self.rows(false);
        while let Some(batch) = rows.try_next().await? {
            count += batch.len() as u64;
        }
        *self.counted.lock().unwrap_or_else(PoisonError::into_inner) = Some((standing, count));
        Ok(count)
    }

    /// Those of the ids that are there.
    async fn count_of(&self, ids: &[ItemId]) -> Result<u64> {
        if !self.is_ours() {
            let mut count = 0;
            for ids in ids.chunks(KEYS) {
                count += self.fetch_rows(Selector::Items(ids)).await?.rows.len() as u64;
            }
            return Ok(count);
        }
        // An index that is gone holds none, which is not to be said of it.
        self.standing().await?;
        let counts: Vec<_> = ids.chunks(KEYS).map(|ids| self.exist(ids)).collect();
        stream::iter(counts).buffered(AHEAD).try_fold(0, |sum, count| async move { Ok(sum + count) }).await
    }

    async fn exist(&self, ids: &[ItemId]) -> Result<u64> {
        let keys = scope::keys(&self.schema.prefix, ids);
        let keys = &keys;
        let answers = self
            .pool
            .retrying(
                |connection| async move { self.ask(&connection, vec![Command::with_room("EXISTS", keys.len()).args(keys.iter().cloned())]).await },
            )
            .await?;
        Ok(answers.first().and_then(reply::number).unwrap_or_default())
    }

    async fn count_distinct_samples(&self) -> Result<u64> {
        let Some(field) = &self.schema.sample else { return self.count_all().await };
        let answer = self
            .pool
            .retrying(|connection| async move {
                let property = format!("@{}", field.name);
                let command = Command::new("FT.AGGREGATE").arg(self.options.name.clone()).arg("*").arg("LOAD").arg("1").arg(property.clone());
                let command = command.arg("GROUPBY").arg("0").arg("REDUCE").arg("COUNT_DISTINCT").arg("1").arg(property).arg("AS").arg("samples");
                self.ask(&connection, vec![command.arg("TIMEOUT").arg(self.query_timeout()).arg("DIALECT").arg("2")]).await
            })
            .await?;
        let answer = answer.into_iter().next().map(reply::map).unwrap_or_default();
        if !answer.list("warning").is_empty() {
            return Err(self.cut_short());
        }
        let group = answer.list("results").into_iter().next().map(reply::map).unwrap_or_default();
        Ok(group.map("extra_attributes").number("samples").unwrap_or_default())
    }

    /// Whether each of the ids is there.
    pub(crate) async fn are_there(&self, ids: &[ItemId]) -> Result<Vec<bool>> {
        let mut found = Vec::with_capacity(ids.len());
        for ids in ids.chunks(KEYS) {
            let keys = scope::keys(&self.schema.prefix, ids);
            let keys = &keys;
            let answers = self
                .pool
                .retrying(|connection| async move {
                    self.ask(&connection, keys.iter().map(|key| Command::new("EXISTS").arg(key.clone())).collect()).await
                })
                .await?;
            found.extend(answers.iter().map(|answer| reply::number(answer) == Some(1)));
        }
        Ok(found)
    }
}
