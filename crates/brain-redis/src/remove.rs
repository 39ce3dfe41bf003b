//! Removing items: what is missing is known before anything goes, and then they go a few at a time, so that the server answers others meanwhile.

use std::collections::HashSet;

use brain_core::{ItemId, ItemKind, OnMissing, RemoveReport, Result, Selector, not_indexed};
use fred::types::Value;
use futures::TryStreamExt as _;

use crate::command::{Command, execute};
use crate::index::RedisIndex;
use crate::options::Algorithm;
use crate::write::note_rows;
use crate::{keys, note, reply, scope};

impl RedisIndex {
    pub(crate) async fn remove_items(&self, selector: Selector<'_>, on_missing: OnMissing) -> Result<RemoveReport> {
        // An index that is gone lacks every id, which is not to be said of it.
        self.standing().await?;
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
        self.unlink(&ids).await?;
        let missing = if on_missing == OnMissing::Warn { missing } else { Vec::new() };
        Ok(RemoveReport { removed: ids.len() as u64, missing })
    }

    async fn remove_all(&self) -> Result<RemoveReport> {
        let mut removed = 0;
        let mut rows = self.rows(false);
        while let Some(batch) = rows.try_next().await? {
            let ids: Vec<ItemId> = batch.into_parts().0.into_iter().map(|item| item.id).collect();
            self.unlink(&ids).await?;
            removed += ids.len() as u64;
        }
        Ok(RemoveReport { removed, missing: Vec::new() })
    }

    /// Deletes items, a slice at a time; each slice with its part of the note.
    async fn unlink(&self, ids: &[ItemId]) -> Result<()> {
        // Taking a row out of a graph means linking its neighbours anew.
        let slice = if self.schema.algorithm == Algorithm::Hnsw { 8 } else { 200 };
        let all = scope::keys(&self.schema.prefix, ids);
        for slice_keys in all.chunks(slice) {
            let unlink = || Command::with_room("UNLINK", slice_keys.len()).args(slice_keys.iter().cloned());
            let failed = |failure| self.failed("remove vectors from", failure);
            self.pool
                .retrying(|connection| async move {
                    if !self.is_ours() {
                        return self.ask(&connection, vec![unlink()]).await.map(|_| ());
                    }
                    // The note goes first: an index never holds less than it says.
                    let commands = vec![note_rows(&self.options.name, -(slice_keys.len() as i64)), unlink()];
                    let results: Vec<Value> = match execute(&connection, commands).await {
                        Ok(results) => results,
                        // A server whose memory is full counts nothing any more, and may forget: less is known then, and there is room.
                        Err(failure) if failure.details().starts_with("OOM") => {
                            let forget = Command::new("HDEL").arg(keys::note(&self.options.name)).arg(note::ROWS);
                            return execute(&connection, vec![forget, unlink()]).await.map(|_| ()).map_err(failed);
                        }
                        Err(failure) => return Err(failed(failure)),
                    };
                    let gone = results.get(1).and_then(reply::number).unwrap_or_default();
                    if gone < slice_keys.len() as u64 {
                        // Someone else, or an earlier try whose answer was lost, took some of them.
                        self.ask(&connection, vec![note_rows(&self.options.name, slice_keys.len() as i64 - gone as i64)]).await?;
                    }
                    Ok(())
                })
                .await?;
            self.changed();
        }
        Ok(())
    }
}

fn distinct(ids: &[ItemId]) -> impl Iterator<Item = &ItemId> {
    let mut seen = HashSet::new();
    ids.iter().filter(move |id| seen.insert(*id))
}
