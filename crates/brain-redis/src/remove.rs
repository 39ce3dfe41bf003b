//! Removing items: what is missing is known before anything goes, and then they go a few at a time, so that the server answers others meanwhile.
//!
//! What goes in one slice goes at once or not at all. Where it takes several, the first one notes beside the index what is to go, and the last one that it
//! is gone: a removal that was cut off between them is finished by who opens, changes or searches the index next. One that goes on is left to whom it
//! belongs; it is told by its progress, which is noted with each slice.

use std::collections::HashSet;
use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::time::{Duration, Instant};

use brain_core::{ErrorKind, ItemId, ItemKind, OnMissing, RemoveReport, Result, Selector, not_indexed};
use bytes::Bytes;
use fred::types::Value;
use futures::TryStreamExt as _;

use crate::command::{Command, execute};
use crate::index::RedisIndex;
use crate::note::{self, Removal, What};
use crate::options::Algorithm;
use crate::write::note_rows;
use crate::{error, keys, reply, scope};

/// A removal that has not got on for so long is nobody's.
pub(crate) const ABANDONED: Duration = Duration::from_secs(1);

/// What goes along with slices: what is noted before the first, and with each.
struct Journal {
    token: String,
    begins: Option<String>,
}

impl RedisIndex {
    pub(crate) async fn remove_items(&self, selector: Selector<'_>, on_missing: OnMissing) -> Result<RemoveReport> {
        // An index that is gone lacks every id, which is not to be said of it.
        self.standing().await?;
        self.settle().await?;
        let (ids, missing) = match selector {
            Selector::All => return self.remove_all().await,
            Selector::Samples(samples) if self.spec.items == ItemKind::Patches => {
                let patches = self.patches_of(samples).await?;
                let found: HashSet<&ItemId> = patches.iter().map(|patch| &patch.sample_id).collect();
                let missing = distinct(samples).filter(|sample| !found.contains(sample)).cloned().collect();
                (patches.iter().map(|patch| patch.id.clone()).collect(), missing)
            }
            Selector::Items(ids) | Selector::Samples(ids) => {
                let ids: Vec<ItemId> = distinct(ids).cloned().collect();
                let there = self.are_there(&ids).await?;
                let (found, missing): (Vec<_>, Vec<_>) = ids.into_iter().zip(there).partition(|(_, is_there)| *is_there);
                (found.into_iter().map(|(id, _)| id).collect::<Vec<ItemId>>(), missing.into_iter().map(|(id, _)| id).collect::<Vec<ItemId>>())
            }
        };
        if on_missing == OnMissing::Error && !missing.is_empty() {
            return Err(not_indexed(&format!("the Redis index {:?}", self.options.name), &missing));
        }
        let begins = if self.is_ours() && ids.len() > self.slice() { Some(note::text(&What::These(ids.clone()))?) } else { None };
        let mut journal = begins.map(|what| Journal { token: token(), begins: Some(what) });
        self.unlink(&ids, journal.as_mut(), true).await?;
        let missing = if on_missing == OnMissing::Warn { missing } else { Vec::new() };
        Ok(RemoveReport { removed: ids.len() as u64, missing })
    }

    async fn remove_all(&self) -> Result<RemoveReport> {
        let begins = if self.is_ours() { Some(note::text(&What::All)?) } else { None };
        let mut journal = begins.map(|what| Journal { token: token(), begins: Some(what) });
        let removed = self.unlink_all(journal.as_mut()).await?;
        Ok(RemoveReport { removed, missing: Vec::new() })
    }

    async fn unlink_all(&self, mut journal: Option<&mut Journal>) -> Result<u64> {
        let mut removed = 0;
        let mut rows = self.rows(false);
        while let Some(batch) = rows.try_next().await? {
            let ids: Vec<ItemId> = batch.into_parts().0.into_iter().map(|item| item.id).collect();
            self.unlink(&ids, journal.as_deref_mut(), false).await?;
            removed += ids.len() as u64;
        }
        self.unlink(&[], journal, true).await?;
        Ok(removed)
    }

    /// How many items go at once.
    fn slice(&self) -> usize {
        // Taking a row out of a graph means linking its neighbours anew.
        if self.schema.algorithm == Algorithm::Hnsw { 8 } else { 200 }
    }

    /// Deletes items, a slice at a time; each slice with its part of the note.
    async fn unlink(&self, ids: &[ItemId], mut journal: Option<&mut Journal>, is_end: bool) -> Result<()> {
        let all = scope::keys(&self.schema.prefix, ids);
        let mut slices: Vec<&[Bytes]> = all.chunks(self.slice()).collect();
        if slices.is_empty() && journal.is_some() && is_end {
            // Nothing is left to go but the note of it.
            slices.push(&[]);
        }
        let count = slices.len();
        for (number, slice) in slices.into_iter().enumerate() {
            let is_last = is_end && number + 1 == count;
            let (mut before, mut after) = (Vec::new(), Vec::new());
            if let Some(journal) = journal.as_deref() {
                let (removing, removed) = (note::removing(&journal.token), note::removed(&journal.token));
                let note = || keys::note(&self.options.name);
                if let Some(what) = &journal.begins {
                    before.push(Command::new("HSET").arg(note()).arg(&removing).arg(what));
                }
                if is_last {
                    after.push(Command::new("HDEL").arg(note()).arg(removing).arg(removed));
                } else {
                    before.push(Command::new("HINCRBY").arg(note()).arg(removed).arg(slice.len()));
                }
            }
            self.unlink_slice(slice, &before, &after).await?;
            if let Some(journal) = journal.as_deref_mut() {
                journal.begins = None;
            }
            self.changed();
        }
        Ok(())
    }

    async fn unlink_slice(&self, slice: &[Bytes], before: &[Command], after: &[Command]) -> Result<()> {
        let unlink = || (!slice.is_empty()).then(|| Command::with_room("UNLINK", slice.len()).args(slice.iter().cloned()));
        let failed = |failure| self.failed("remove vectors from", failure);
        let note = || note_rows(&self.options.name, -(slice.len() as i64));
        self.pool
            .retrying(|connection| async move {
                if !self.is_ours() {
                    return self.ask(&connection, unlink().into_iter().collect()).await.map(|_| ());
                }
                // The note goes first: an index never holds less than it says.
                let commands = before.iter().cloned().chain([note()]).chain(unlink()).chain(after.iter().cloned()).collect();
                let results: Vec<Value> = match execute(&connection, commands).await {
                    Ok(results) => results,
                    // A server whose memory is full counts nothing any more, and may forget: less is known then, and there is room.
                    Err(failure) if error::is_out_of_memory(&failure) => {
                        let forget = Command::new("HDEL").arg(keys::note(&self.options.name)).arg(note::ROWS);
                        let commands = std::iter::once(forget).chain(unlink()).chain(after.iter().cloned()).collect();
                        return execute(&connection, commands).await.map(|_| ()).map_err(failed);
                    }
                    Err(failure) => return Err(failed(failure)),
                };
                let gone = if slice.is_empty() { 0 } else { results.get(before.len() + 1).and_then(reply::number).unwrap_or_default() };
                if gone < slice.len() as u64 {
                    // Someone else, or an earlier try whose answer was lost, took some of them.
                    self.ask(&connection, vec![note_rows(&self.options.name, slice.len() as i64 - gone as i64)]).await?;
                }
                Ok(())
            })
            .await
    }

    /// Finishes removals that were cut off, where there are any. One that gets on is not waited for.
    pub(crate) async fn settle(&self) -> Result<()> {
        let mut pending = self.removals().await?;
        let (since, mut pause) = (Instant::now(), Duration::from_millis(10));
        while !pending.is_empty() && since.elapsed() < ABANDONED {
            tokio::time::sleep(pause).await;
            pause = (2 * pause).min(ABANDONED / 4);
            let now = self.removals().await?;
            // What got on, or was finished meanwhile, does not stand there any more as it stood.
            pending.retain(|removal| now.contains(removal));
        }
        self.finish(pending).await
    }

    /// The same for who opens the index, whose note has just been read: one who may not write, or finds no room, goes on without.
    pub(crate) async fn settle_where_it_may(&self) -> Result<()> {
        if self.known_note().is_none_or(|note| note.removals.is_empty()) {
            return Ok(());
        }
        unless_refused(self.settle().await)
    }

    /// Finishes removals that stand in a note as they stood a while before.
    pub(crate) async fn finish_since(&self, before: &[Removal], now: &[Removal]) -> Result<()> {
        unless_refused(self.finish(now.iter().filter(|removal| before.contains(removal)).cloned().collect()).await)
    }

    async fn finish(&self, pending: Vec<Removal>) -> Result<()> {
        for removal in pending {
            let mut journal = Journal { token: removal.token, begins: None };
            match removal.what {
                What::All => drop(self.unlink_all(Some(&mut journal)).await?),
                What::These(ids) => self.unlink(&ids, Some(&mut journal), true).await?,
            }
        }
        Ok(())
    }

    async fn removals(&self) -> Result<Vec<Removal>> {
        if !self.is_ours() {
            return Ok(Vec::new());
        }
        let name = &self.options.name;
        let note = self.pool.retrying(|connection| async move { note::find(&connection, name).await }).await?;
        Ok(note.map(|note| note.removals).unwrap_or_default())
    }
}

fn unless_refused(done: Result<()>) -> Result<()> {
    done.or_else(|failure| match failure.kind() {
        ErrorKind::Auth | ErrorKind::Unavailable if !failure.is_retryable() => Ok(()),
        _ => Err(failure),
    })
}

/// A name for a removal, which no other one has.
fn token() -> String {
    format!("{:016x}", RandomState::new().build_hasher().finish())
}

fn distinct(ids: &[ItemId]) -> impl Iterator<Item = &ItemId> {
    let mut seen = HashSet::new();
    ids.iter().filter(move |id| seen.insert(*id))
}
