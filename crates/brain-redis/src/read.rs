//! Reading rows: by id, by sample, or all of them as they come.
//!
//! Where all are few they are [listed](crate::list). Else they are walked through by SCAN, whose cursor outlives connections and restarts. The server comes
//! by its keys in an order that is as good as chance, and its memory is slow where it is read so: after a first step, for who wants a few rows soon, keys are
//! gathered, and their rows read in the order of their ids, which is mostly that in which they were written. A key that was there all along comes at least
//! once; it comes again only where the server's table of keys shrinks under the walk, and then soon after, as buckets that become one are walked through one
//! after the other. So the last keys are remembered, and those that come again passed over.

use std::collections::HashSet;
use std::hash::{BuildHasher as _, RandomState};
use std::sync::Arc;

use brain_core::{Error, Fetched, Item, ItemId, ItemKind, Result, Selector, VectorBatch};
use fred::types::Value;
use futures::TryStreamExt as _;
use futures::stream::{self, BoxStream, StreamExt as _};

use crate::command::{Command, send_all};
use crate::connect::Connection;
use crate::index::RedisIndex;
use crate::rows::{Reader, Rows, Wanted};
use crate::{keys, reply};

/// How many rows are asked for in one go.
const BATCH: usize = 1_000;
/// And how many numbers, where vectors are long.
const BATCH_NUMBERS: usize = 1 << 19;
/// How many keys are gathered.
const GATHERED: usize = 1 << 16;
/// How many samples are looked for with one query.
const SAMPLES: usize = 200;
/// How many patches of them are listed at once, at most.
const PAGE: usize = 10_000;
/// How many keys are remembered on a walk, at least.
const REMEMBERED: usize = 1 << 17;

impl RedisIndex {
    /// How many rows are asked for in one go.
    fn batch(&self) -> usize {
        (BATCH_NUMBERS / self.spec.dimension).clamp(1, BATCH)
    }

    /// The rows of a selector, in the order asked.
    pub(crate) async fn fetch_rows(&self, selector: Selector<'_>) -> Result<Fetched> {
        let dimension = self.spec.dimension;
        let asked = match selector {
            Selector::All => {
                let (mut items, mut numbers) = (Vec::new(), Vec::new());
                let mut batches = self.rows(true);
                while let Some(batch) = batches.try_next().await? {
                    let (batch_items, vectors) = batch.into_parts();
                    items.extend(batch_items);
                    numbers.extend(vectors);
                }
                return Ok(Fetched { rows: VectorBatch::new(items, dimension, numbers)?, missing: Vec::new() });
            }
            Selector::Samples(ids) if self.spec.items == ItemKind::Patches => return self.fetch_patches(ids).await,
            Selector::Items(ids) | Selector::Samples(ids) => ids,
        };
        let mut rows = Rows::with_room(asked.len(), dimension);
        let mut reader = Reader::new(self, Wanted::Vectors);
        let mut goes = asked.chunks(self.batch()).map(<[ItemId]>::to_vec);
        while reader.next(&mut goes, &mut rows).await? {}
        let (rows, missing) = rows.into_batch(dimension)?;
        Ok(Fetched { rows, missing })
    }

    /// The patches of samples, sample by sample in the order asked, each sample's by id.
    async fn fetch_patches(&self, samples: &[ItemId]) -> Result<Fetched> {
        let mut patches = self.patches_of(samples).await?;
        patches.sort_unstable_by(|a, b| (&a.sample_id, &a.id).cmp(&(&b.sample_id, &b.id)));
        let mut ids = Vec::with_capacity(patches.len());
        let mut missing = Vec::new();
        for sample in samples {
            let start = patches.partition_point(|patch| &patch.sample_id < sample);
            let before = ids.len();
            ids.extend(patches[start..].iter().take_while(|patch| &patch.sample_id == sample).map(|patch| patch.id.clone()));
            if ids.len() == before {
                missing.push(sample.clone());
            }
        }
        let fetched = Box::pin(self.fetch_rows(Selector::Items(&ids))).await?;
        Ok(Fetched { rows: fetched.rows, missing })
    }

    /// The patches of samples, each once, in no order.
    pub(crate) async fn patches_of(&self, samples: &[ItemId]) -> Result<Vec<Item>> {
        let mut samples = samples.to_vec();
        samples.sort_unstable();
        samples.dedup();
        let Some(field) = self.schema.sample.as_ref().filter(|_| self.schema.samples_tagged) else {
            return self.walked_patches_of(&samples).await;
        };
        // The server keeps a tag without the space around it: texts that differ in nothing else are told apart here, and one of space alone has no tag.
        let texts: Vec<String> = samples.iter().map(|sample| sample.to_string()).collect();
        if texts.iter().any(|text| keys::bare(text).is_empty()) {
            return self.walked_patches_of(&samples).await;
        }
        let mut patches = Vec::new();
        let mut parts: Vec<&[String]> = texts.chunks(SAMPLES).collect();
        while let Some(texts) = parts.pop() {
            let tags: Vec<String> = texts.iter().map(|text| keys::tag(keys::bare(text))).collect();
            let query = format!("@{}:{{{}}}", keys::tag(&field.name), tags.join("|"));
            let most = PAGE.min(self.rows_most());
            let page = match self.tagged(&query, &field.name, most).await {
                // The server has just said that it answers with fewer.
                Err(_) if self.rows_most() < most => {
                    parts.push(texts);
                    continue;
                }
                page => page?,
            };
            match texts.split_at(texts.len() / 2) {
                _ if page.len() < most => patches.extend(page.into_iter().flatten().filter(|patch| samples.binary_search(&patch.sample_id).is_ok())),
                // There may be more of them.
                ([], _) => return self.walked_patches_of(&samples).await,
                halves => parts.extend([halves.0, halves.1]),
            }
        }
        patches.sort_unstable();
        patches.dedup();
        Ok(patches)
    }

    async fn tagged(&self, query: &str, sample: &str, most: usize) -> Result<Vec<Option<Item>>> {
        let answer = self
            .pool
            .retrying(|connection| async move {
                let command = Command::new("FT.SEARCH").arg(self.options.name.clone()).arg(query.to_owned());
                let command = command.arg("RETURN").arg("1").arg(sample.to_owned()).arg("LIMIT").arg("0").arg(most);
                let command = command.arg("TIMEOUT").arg(self.query_timeout()).arg("DIALECT").arg("2");
                let answers = self.ask(&connection, vec![command]).await?;
                answers.into_iter().next().ok_or_else(|| Error::unexpected("the server answered nothing"))
            })
            .await?;
        let answer = reply::map(answer);
        if !answer.list("warning").is_empty() {
            return Err(self.cut_short());
        }
        let item = |row: Value| {
            let row = reply::map(row);
            let id = keys::id(&self.schema.prefix, &reply::bytes(row.get("id")?)?)?;
            Some(Item { id, sample_id: ItemId::from_text(&row.map("extra_attributes").text(sample)?) })
        };
        Ok(answer.list("results").into_iter().map(item).collect())
    }

    async fn walked_patches_of(&self, samples: &[ItemId]) -> Result<Vec<Item>> {
        let mut patches = Vec::new();
        let mut rows = self.rows(false);
        while let Some(batch) = rows.try_next().await? {
            patches.extend(batch.into_parts().0.into_iter().filter(|item| samples.binary_search(&item.sample_id).is_ok()));
        }
        Ok(patches)
    }

    /// Every row, with or without its vector.
    pub(crate) fn rows(&self, with_vectors: bool) -> BoxStream<'_, Result<VectorBatch>> {
        let wanted = if with_vectors { Wanted::Vectors } else { Wanted::Items };
        stream::try_unfold(Walk::new(Reader::new(self, wanted)), move |mut walk| async move {
            if !walk.is_begun {
                walk.is_begun = true;
                // An index that is gone has no rows to walk through, and is not an empty one.
                let standing = self.standing().await?;
                if let Some(ids) = self.listed(standing).await? {
                    walk.cursor = None;
                    walk.found = Found::Listed(ids, 0);
                }
            }
            let dimension = if with_vectors { self.spec.dimension } else { 0 };
            loop {
                let mut rows = Rows::with_room(self.batch(), dimension);
                if !walk.step(self.batch(), &mut rows).await? {
                    return Ok(None);
                }
                if !rows.items.is_empty() {
                    return Ok(Some((rows.into_batch(dimension)?.0, walk)));
                }
            }
        })
        .boxed()
    }

    /// Sends commands in one go; all must be answered well.
    pub(crate) async fn ask(&self, connection: &Connection, commands: Vec<Command>) -> Result<Vec<Value>> {
        let answers = send_all(connection, commands).await.map_err(|failure| self.failed("read", failure))?;
        answers.into_iter().collect::<std::result::Result<_, _>>().map_err(|failure| self.failed("read", failure))
    }
}

/// A walk through the keys of an index.
struct Walk<'a> {
    reader: Reader<'a>,
    /// Where the next step begins; `None` after the last.
    cursor: Option<String>,
    seen: Seen,
    is_begun: bool,
    /// The items whose rows are not asked for yet.
    found: Found,
}

/// Items, of which some are passed.
enum Found {
    Walked(std::vec::IntoIter<ItemId>),
    Listed(Arc<[ItemId]>, usize),
}

impl Found {
    /// The next items, at most so many; `None` where there are no more.
    fn next(&mut self, most: usize) -> Option<Vec<ItemId>> {
        let ids: Vec<ItemId> = match self {
            Self::Walked(ids) => ids.by_ref().take(most).collect(),
            Self::Listed(ids, passed) => {
                let next = ids[*passed..].iter().take(most).cloned().collect::<Vec<_>>();
                *passed += next.len();
                next
            }
        };
        Some(ids).filter(|ids| !ids.is_empty())
    }
}

impl<'a> Walk<'a> {
    fn new(reader: Reader<'a>) -> Self {
        Self { reader, cursor: Some("0".to_owned()), seen: Seen::default(), is_begun: false, found: Found::Walked(Vec::new().into_iter()) }
    }

    /// Adds at most so many rows; `false` where there are no more.
    async fn step(&mut self, most: usize, rows: &mut Rows) -> Result<bool> {
        loop {
            let found = &mut self.found;
            let mut goes = std::iter::from_fn(|| found.next(most));
            if self.reader.needs_rows() {
                if self.reader.next(&mut goes, rows).await? {
                    return Ok(true);
                }
            } else if let Some(ids) = goes.next() {
                rows.items.extend(ids.into_iter().map(Item::sample));
                return Ok(true);
            }
            if self.cursor.is_none() {
                return Ok(false);
            }
            self.gather().await?;
        }
    }

    /// Looks for the next items.
    async fn gather(&mut self) -> Result<()> {
        let is_first = self.seen.is_empty();
        let mut found = Vec::new();
        self.reader.scan(&mut self.cursor, if is_first { 1 } else { GATHERED }, &mut found).await?;
        if !is_first {
            found.sort_unstable();
            found.dedup();
        }
        // What is found last need not be remembered.
        let is_last = self.cursor.is_none();
        found.retain(|id| if is_last && !is_first { !self.seen.knows(id) } else { self.seen.is_new(id) });
        self.found = Found::Walked(found.into_iter());
        Ok(())
    }
}

/// The last items of a walk, as hashes: those before are forgotten a half at a time.
#[derive(Default)]
struct Seen {
    hasher: RandomState,
    last: HashSet<u64>,
    before: HashSet<u64>,
}

impl Seen {
    fn is_empty(&self) -> bool {
        self.last.is_empty() && self.before.is_empty()
    }

    fn knows(&self, id: &ItemId) -> bool {
        let hash = self.hasher.hash_one(id);
        self.before.contains(&hash) || self.last.contains(&hash)
    }

    fn is_new(&mut self, id: &ItemId) -> bool {
        let hash = self.hasher.hash_one(id);
        if self.before.contains(&hash) || !self.last.insert(hash) {
            return false;
        }
        if self.last.len() >= REMEMBERED {
            self.before = std::mem::take(&mut self.last);
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_that_comes_again_soon_is_passed_over() {
        let mut seen = Seen::default();
        let id = |number: usize| ItemId::from_text(&number.to_string());
        assert!((0..1000).all(|number| seen.is_new(&id(number))));
        assert!((0..1000).all(|number| !seen.is_new(&id(number))));
        assert!((1000..1000 + 2 * REMEMBERED).all(|number| seen.is_new(&id(number))));
        assert!(seen.is_new(&id(0)) && seen.last.len() <= REMEMBERED);
    }
}
