//! Reading rows: by id, by sample, or all of them as they come.
//!
//! All are walked through by SCAN, whose cursor outlives connections and restarts, and their fields are asked for in the same go as the next step. A key
//! that was there all along comes at least once; it comes again only where the server's table of keys shrinks under the walk, and then soon after, as
//! buckets that become one are walked through one after the other. So the last keys are remembered, and those that come again passed over.

use std::collections::{HashSet, VecDeque};
use std::hash::{BuildHasher as _, RandomState};

use brain_core::{Error, Fetched, Item, ItemId, ItemKind, Metric, Result, Selector, VectorBatch};
use bytes::Bytes;
use fred::error::Error as DriverError;
use fred::types::Value;
use futures::TryStreamExt as _;
use futures::stream::{self, BoxStream, StreamExt as _};

use crate::command::{Command, send_all};
use crate::connect::Connection;
use crate::index::RedisIndex;
use crate::options::Storage;
use crate::schema::Field;
use crate::{drop, keys, reply, scope, wire};

/// How many rows are asked for in one go.
const BATCH: usize = 1_000;
/// And how many numbers, where vectors are long.
const BATCH_NUMBERS: usize = 1 << 19;
/// How many goes are under way at once.
const AHEAD: usize = 3;
/// How many samples are looked for with one query.
const SAMPLES: usize = 200;
/// How many patches of them are listed at once.
const PAGE: usize = 10_000;
/// How many keys are remembered on a walk.
const REMEMBERED: usize = 1 << 18;

/// A row as it was read, or nothing where there is none.
type Row = Option<(Item, Vec<f32>)>;

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
                let mut rows = VectorBatch::with_capacity(0, dimension);
                let mut batches = self.rows(true);
                while let Some(batch) = batches.try_next().await? {
                    for (item, vector) in batch.rows() {
                        rows.push(item.clone(), vector)?;
                    }
                }
                return Ok(Fetched { rows, missing: Vec::new() });
            }
            Selector::Samples(ids) if self.spec.items == ItemKind::Patches => return self.fetch_patches(ids).await,
            Selector::Items(ids) | Selector::Samples(ids) => ids,
        };
        let mut fetched = Fetched { rows: VectorBatch::with_capacity(asked.len(), dimension), missing: Vec::new() };
        let chunks: Vec<_> = asked.chunks(self.batch()).map(|chunk| self.fetch_chunk(chunk)).collect();
        let mut chunks = stream::iter(chunks).buffered(AHEAD);
        let mut at = 0;
        while let Some(found) = chunks.try_next().await? {
            for row in found {
                match row {
                    Some((item, vector)) => fetched.rows.push(item, &vector)?,
                    None => fetched.missing.push(asked[at].clone()),
                }
                at += 1;
            }
        }
        Ok(fetched)
    }

    async fn fetch_chunk(&self, ids: &[ItemId]) -> Result<Vec<Row>> {
        let keys = scope::keys(&self.schema.prefix, ids);
        self.pool
            .retrying(|connection| {
                let keys = &keys;
                async move {
                    let answers = self.ask_rows(&connection, self.fields(keys, true)).await?;
                    self.read_rows(ids, answers, true)
                }
            })
            .await
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
        for texts in texts.chunks(SAMPLES) {
            let tags: Vec<String> = texts.iter().map(|text| keys::tag(keys::bare(text))).collect();
            let query = format!("@{}:{{{}}}", keys::tag(&field.name), tags.join("|"));
            let mut seen = 0;
            loop {
                let page = self.tagged(&query, &field.name, seen).await?;
                let count = page.len();
                patches.extend(page.into_iter().flatten().filter(|patch| samples.binary_search(&patch.sample_id).is_ok()));
                seen += count;
                if count < PAGE {
                    break;
                }
            }
        }
        patches.sort_unstable();
        patches.dedup();
        Ok(patches)
    }

    async fn tagged(&self, query: &str, sample: &str, seen: usize) -> Result<Vec<Option<Item>>> {
        let answer = self
            .pool
            .retrying(|connection| async move {
                let command = Command::new("FT.SEARCH").arg(self.options.name.clone()).arg(query.to_owned());
                let command = command.arg("RETURN").arg("1").arg(sample.to_owned()).arg("LIMIT").arg(seen).arg(PAGE);
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
        let walk = Walk { cursor: Some("0".to_owned()), seen: Seen::new(), is_begun: false, found: Vec::new() };
        stream::try_unfold(walk, move |mut walk| async move {
            loop {
                if !walk.is_begun {
                    walk.is_begun = true;
                    // An index that is gone has no rows to walk through, and is not an empty one.
                    self.standing().await?;
                }
                if walk.found.is_empty() && walk.cursor.is_none() {
                    return Ok(None);
                }
                let batch = self.step(&mut walk, with_vectors).await?;
                if !batch.is_empty() {
                    return Ok(Some((batch, walk)));
                }
            }
        })
        .boxed()
    }

    /// Reads the rows of the keys that were found, and looks for the next ones.
    async fn step(&self, walk: &mut Walk, with_vectors: bool) -> Result<VectorBatch> {
        let most = self.batch();
        let rest = walk.found.split_off(walk.found.len().saturating_sub(most));
        let ids: Vec<ItemId> = rest.iter().filter_map(|key| keys::id(&self.schema.prefix, key)).collect();
        let keys = scope::keys(&self.schema.prefix, &ids);
        let cursor = walk.cursor.clone().filter(|_| walk.found.is_empty());
        let (keys, cursor) = (&keys, &cursor);
        let needs_fields = with_vectors || self.schema.sample.is_some() || !self.is_ours();
        let (mut answers, scanned) = self
            .pool
            .retrying(|connection| async move {
                let mut commands = if needs_fields { self.fields(keys, with_vectors || !self.is_ours()) } else { Vec::new() };
                if let Some(cursor) = cursor {
                    let pattern = keys::pattern(&self.schema.prefix);
                    commands.push(Command::new("SCAN").arg(cursor.clone()).arg("MATCH").arg(pattern).arg("COUNT").arg(most));
                }
                let mut answers = self.ask_rows(&connection, commands).await?;
                let scanned = cursor.is_some().then(|| answers.pop()).flatten();
                Ok((answers, scanned))
            })
            .await?;
        if let Some(scanned) = scanned {
            let (next, found) = drop::scanned(scanned);
            walk.cursor = (next != "0").then_some(next);
            walk.found.extend(found.into_iter().filter(|key| walk.seen.is_new(key)));
        }
        let mut batch = VectorBatch::with_capacity(ids.len(), if with_vectors { self.spec.dimension } else { 0 });
        if !needs_fields {
            ids.into_iter().try_for_each(|id| batch.push(Item::sample(id), &[]))?;
            return Ok(batch);
        }
        for (item, vector) in self.read_rows(&ids, std::mem::take(&mut answers), with_vectors || !self.is_ours())?.into_iter().flatten() {
            batch.push(item, if with_vectors { &vector } else { &[] })?;
        }
        Ok(batch)
    }

    /// What asks for the fields of keys: one command a key for hashes, one a field for documents.
    fn fields(&self, keys: &[Bytes], with_vectors: bool) -> Vec<Command> {
        let wanted: Vec<&Field> =
            self.schema.sample.iter().filter(|_| self.spec.items == ItemKind::Patches).chain(with_vectors.then_some(&self.schema.vector)).collect();
        if keys.is_empty() {
            return Vec::new();
        }
        match self.schema.storage {
            Storage::Hash => {
                let row = |key: &Bytes| Command::with_room("HMGET", 3).arg(key.clone()).args(wanted.iter().map(|field| &field.path));
                keys.iter().map(row).collect()
            }
            Storage::Json => {
                let column = |field: &&Field| Command::with_room("JSON.MGET", keys.len() + 1).args(keys.iter().cloned()).arg(&field.path);
                wanted.iter().map(column).collect()
            }
        }
    }

    /// What came of asking for the fields of items.
    fn read_rows(&self, ids: &[ItemId], answers: Vec<Value>, with_vectors: bool) -> Result<Vec<Row>> {
        let with_samples = self.spec.items == ItemKind::Patches && self.schema.sample.is_some();
        let mut rows = Vec::with_capacity(ids.len());
        match self.schema.storage {
            Storage::Hash => {
                for (id, answer) in ids.iter().zip(answers) {
                    let mut fields = reply::list(answer).into_iter();
                    let sample = if with_samples { fields.next().as_ref().and_then(reply::text) } else { None };
                    let vector = if with_vectors { fields.next().as_ref().and_then(reply::bytes) } else { None };
                    rows.push(self.row(id, sample, vector, with_vectors)?);
                }
            }
            Storage::Json => {
                let mut columns = answers.into_iter().map(reply::list);
                let mut samples = if with_samples { columns.next().unwrap_or_default() } else { Vec::new() }.into_iter();
                let mut vectors = if with_vectors { columns.next().unwrap_or_default() } else { Vec::new() }.into_iter();
                for id in ids {
                    let sample = samples.next().as_ref().and_then(reply::bytes).and_then(|json| wire::read_text(&json));
                    let vector = vectors.next().as_ref().and_then(reply::bytes);
                    rows.push(self.row(id, sample, vector, with_vectors)?);
                }
            }
        }
        Ok(rows)
    }

    fn row(&self, id: &ItemId, sample: Option<String>, vector: Option<Bytes>, with_vectors: bool) -> Result<Row> {
        // A key that vanished while it was read has no fields.
        if !with_vectors && sample.is_none() && self.is_ours() {
            return Ok(None);
        }
        let sample_id = match (self.spec.items, sample) {
            (ItemKind::Patches, Some(sample)) => ItemId::from_text(&sample),
            _ => id.clone(),
        };
        let mut numbers = Vec::new();
        if with_vectors {
            let Some(vector) = vector else { return Ok(None) };
            numbers.reserve_exact(self.spec.dimension);
            let (number, dimension) = (self.schema.number, self.spec.dimension);
            let read = match self.schema.storage {
                Storage::Hash => wire::read(&vector, number, dimension, &mut numbers),
                // What a path leads to nowhere is an empty list.
                Storage::Json if &*vector == b"[]" => return Ok(None),
                Storage::Json => wire::read_numbers(&vector, number, dimension, &mut numbers),
            };
            if read.is_none() && self.is_ours() {
                return Err(Error::corrupt(format!("the vector of {id} in the index {} has not {dimension} numbers", self.options.name)));
            }
            // Others may hold what no metric ranks, or the server did not index.
            if read.is_none() || (!self.is_ours() && !self.is_rankable(&numbers)) {
                return Ok(None);
            }
        }
        Ok(Some((Item { id: id.clone(), sample_id }, numbers)))
    }

    fn is_rankable(&self, vector: &[f32]) -> bool {
        vector.iter().all(|x| x.is_finite()) && (self.spec.metric != Metric::Cosine || vector.iter().any(|&x| x != 0.0))
    }

    /// Sends what asks for rows in one go. A key that holds something else is none.
    async fn ask_rows(&self, connection: &Connection, commands: Vec<Command>) -> Result<Vec<Value>> {
        let answers = send_all(connection, commands).await.map_err(|failure| self.failed("read", failure))?;
        let row = |answer: std::result::Result<Value, DriverError>| match answer {
            Err(failure) if failure.details().starts_with("WRONGTYPE") || failure.details().contains("wrong Redis type") => Ok(Value::Null),
            other => other.map_err(|failure| self.failed("read", failure)),
        };
        answers.into_iter().map(row).collect()
    }

    /// Sends commands in one go; all must be answered well.
    pub(crate) async fn ask(&self, connection: &Connection, commands: Vec<Command>) -> Result<Vec<Value>> {
        let answers = send_all(connection, commands).await.map_err(|failure| self.failed("read", failure))?;
        answers.into_iter().collect::<std::result::Result<_, _>>().map_err(|failure| self.failed("read", failure))
    }
}

/// A walk through the keys of an index.
struct Walk {
    /// Where the next step begins; `None` after the last.
    cursor: Option<String>,
    seen: Seen,
    is_begun: bool,
    /// Keys whose rows are not read yet.
    found: Vec<Bytes>,
}

/// The last keys of a walk.
struct Seen {
    hasher: RandomState,
    hashes: HashSet<u64>,
    order: VecDeque<u64>,
}

impl Seen {
    fn new() -> Self {
        Self { hasher: RandomState::new(), hashes: HashSet::new(), order: VecDeque::new() }
    }

    fn is_new(&mut self, key: &Bytes) -> bool {
        let hash = self.hasher.hash_one(key);
        if !self.hashes.insert(hash) {
            return false;
        }
        self.order.push_back(hash);
        if self.order.len() > REMEMBERED
            && let Some(oldest) = self.order.pop_front()
        {
            self.hashes.remove(&oldest);
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_that_comes_again_soon_is_passed_over() {
        let mut seen = Seen::new();
        let key = |number: usize| Bytes::from(format!("birds:{number}"));
        assert!((0..1000).all(|number| seen.is_new(&key(number))));
        assert!((0..1000).all(|number| !seen.is_new(&key(number))));
        assert!((1000..1000 + REMEMBERED).all(|number| seen.is_new(&key(number))));
        assert!(seen.is_new(&key(0)) && seen.order.len() == REMEMBERED);
    }
}
