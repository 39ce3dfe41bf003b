//! Dropping an index with its documents, a few at a time, so that the server answers others meanwhile.
//!
//! The index goes first, as a document that no index holds is deleted at once; the note goes last, so that a cleanup which was cut off is gone on with.

use brain_core::Result;
use bytes::Bytes;
use fred::types::Value;

use crate::command::{Command, send};
use crate::connect::Pool;
use crate::schema::Schema;
use crate::{error, keys, reply};

/// How many keys are deleted at once. Their memory is freed beside.
const SLICE: usize = 200;
/// How many documents of an index are deleted at once, where the index has to follow.
const INDEXED_SLICE: usize = 50;
/// How many buckets of keys are looked at in one step.
const STEP: usize = 2_000;

/// Drops an index; whether there was anything of it.
pub(crate) async fn index(pool: &Pool, name: &str, schema: Option<&Schema>, is_ours: bool) -> Result<bool> {
    if let (Some(_), false) = (schema, is_ours) {
        // Others may keep more under the same prefix: what the index holds goes, and nothing else.
        while documents(pool, name).await? {}
    }
    let had_index = schema.is_some() && forget(pool, name).await?;
    Ok(if is_ours { leftovers(pool, name).await? || had_index } else { had_index })
}

/// Drops the index alone.
async fn forget(pool: &Pool, name: &str) -> Result<bool> {
    pool.retrying(|connection| async move {
        match send(&connection, Command::new("FT.DROPINDEX").arg(name.to_owned())).await {
            Ok(_) => Ok(true),
            Err(failure) if error::is_unknown_index(&failure) => Ok(false),
            Err(failure) => Err(error::of(failure, &format!("drop the index {name}"))),
        }
    })
    .await
}

/// Deletes what is left of an index of this library whose index is gone; whether there was anything.
pub(crate) async fn leftovers(pool: &Pool, name: &str) -> Result<bool> {
    let note = keys::note(name);
    let failed = |failure| error::of(failure, &format!("clean up after the index {name}"));
    let note = &note;
    let noted = pool.retrying(|connection| async move { send(&connection, Command::new("EXISTS").arg(note)).await.map_err(failed) }).await?;
    if reply::number(&noted) != Some(1) {
        return Ok(false);
    }
    let pattern = &keys::pattern(&keys::prefix(name));
    // What else somebody may have put there is not the index's.
    for kind in [Some("hash"), Some("ReJSON-RL")] {
        let mut cursor = "0".to_owned();
        loop {
            let (next, found) = scan(pool, &cursor, pattern, kind).await?;
            for slice in found.chunks(SLICE) {
                unlink(pool, name, slice).await?;
            }
            if next == "0" {
                break;
            }
            cursor = next;
        }
    }
    pool.retrying(|connection| async move { send(&connection, Command::new("DEL").arg(note)).await.map_err(failed) }).await?;
    Ok(true)
}

/// Whether there is a key under a prefix.
pub(crate) async fn any_key(pool: &Pool, prefix: &str) -> Result<bool> {
    let pattern = keys::pattern(prefix);
    let mut cursor = "0".to_owned();
    loop {
        let (next, found) = scan(pool, &cursor, &pattern, None).await?;
        if !found.is_empty() {
            return Ok(true);
        }
        if next == "0" {
            return Ok(false);
        }
        cursor = next;
    }
}

/// One step through the keys, perhaps of one kind.
async fn scan(pool: &Pool, cursor: &str, pattern: &str, kind: Option<&'static str>) -> Result<(String, Vec<Bytes>)> {
    let answer = pool
        .retrying(|connection| async move {
            let command = Command::new("SCAN").arg(cursor.to_owned()).arg("MATCH").arg(pattern.to_owned()).arg("COUNT").arg(STEP);
            let command = kind.into_iter().fold(command, |command, kind| command.arg("TYPE").arg(kind));
            send(&connection, command).await.map_err(|failure| error::of(failure, "look through the keys of the server"))
        })
        .await?;
    Ok(scanned(answer))
}

/// What a step through the keys found, and where the next one begins.
pub(crate) fn scanned(answer: Value) -> (String, Vec<Bytes>) {
    let mut parts = reply::list(answer).into_iter();
    let cursor = parts.next().as_ref().and_then(reply::text).unwrap_or_else(|| "0".to_owned());
    let keys = parts.next().map(reply::list).unwrap_or_default();
    (cursor, keys.iter().filter_map(reply::bytes).collect())
}

async fn unlink(pool: &Pool, name: &str, keys: &[Bytes]) -> Result<()> {
    pool.retrying(|connection| async move {
        let command = Command::new("UNLINK").args(keys.iter().cloned());
        send(&connection, command).await.map_err(|failure| error::of(failure, &format!("delete the documents of the index {name}")))
    })
    .await
    .map(|_| ())
}

/// Deletes some of the documents that an index holds; whether there were any.
async fn documents(pool: &Pool, name: &str) -> Result<bool> {
    let answer = pool
        .retrying(|connection| async move {
            let command = Command::new("FT.SEARCH").arg(name.to_owned()).arg("*").arg("NOCONTENT").arg("LIMIT").arg("0").arg(INDEXED_SLICE);
            send(&connection, command).await.map_err(|failure| error::of(failure, &format!("list the documents of the index {name}")))
        })
        .await?;
    let found: Vec<Bytes> = reply::map(answer).list("results").into_iter().filter_map(|row| reply::bytes(reply::map(row).get("id")?)).collect();
    if found.is_empty() {
        return Ok(false);
    }
    unlink(pool, name, &found).await?;
    Ok(true)
}
