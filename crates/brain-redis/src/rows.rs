//! Rows on their way: asked for ahead, in goes of bounded size, read in order where they arrived, and asked for again where the line breaks.

use std::collections::VecDeque;
use std::fmt::Write as _;

use brain_core::{Error, Item, ItemId, ItemKind, Metric, Patience, Result, VectorBatch};
use fred::error::Error as DriverError;

use crate::connect::line::{self, Line, Part};
use crate::index::RedisIndex;
use crate::options::Storage;
use crate::{keys, wire};

/// How many goes are under way at once.
const AHEAD: usize = 3;
/// How many buckets of keys are looked at in one step, which takes the server a millisecond or two.
const STEP: usize = 4_000;

/// What is wanted of rows.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Wanted {
    Items,
    Vectors,
}

/// Rows that were read.
#[derive(Default)]
pub(crate) struct Rows {
    pub(crate) items: Vec<Item>,
    pub(crate) numbers: Vec<f32>,
    /// Those that are not there.
    pub(crate) missing: Vec<ItemId>,
}

impl Rows {
    pub(crate) fn with_room(rows: usize, dimension: usize) -> Self {
        Self { items: Vec::with_capacity(rows), numbers: Vec::with_capacity(rows * dimension), missing: Vec::new() }
    }

    pub(crate) fn into_batch(self, dimension: usize) -> Result<(VectorBatch, Vec<ItemId>)> {
        Ok((VectorBatch::new(self.items, dimension, self.numbers)?, self.missing))
    }
}

/// Reads the rows of items. A step over the keys of the server may stand between two of them.
pub(crate) struct Reader<'a> {
    index: &'a RedisIndex,
    wanted: Wanted,
    line: Option<Line>,
    /// The items whose rows are not read yet, go by go.
    asked: VecDeque<Vec<ItemId>>,
    /// How many of the goes were asked for by this line.
    sent: usize,
}

impl<'a> Reader<'a> {
    pub(crate) fn new(index: &'a RedisIndex, wanted: Wanted) -> Self {
        Self { index, wanted, line: None, asked: VecDeque::new(), sent: 0 }
    }

    /// Whether the server has to be asked for more of a row than its key.
    pub(crate) fn needs_rows(&self) -> bool {
        self.with_vectors() || self.with_samples()
    }

    fn with_samples(&self) -> bool {
        self.index.spec.items == ItemKind::Patches && self.index.schema.sample.is_some()
    }

    /// Under the keys of others there may be documents without a vector, or with one that no metric ranks.
    fn with_vectors(&self) -> bool {
        self.wanted == Wanted::Vectors || !self.index.is_ours()
    }

    /// Adds the next go's rows, after asking for `more`; whether there was one.
    pub(crate) async fn next(&mut self, more: &mut (dyn Iterator<Item = Vec<ItemId>> + Send), rows: &mut Rows) -> Result<bool> {
        let before = (rows.items.len(), rows.numbers.len(), rows.missing.len());
        let mut patience = Patience::default();
        loop {
            while self.asked.len() < AHEAD
                && let Some(ids) = more.next()
            {
                self.asked.push_back(ids);
            }
            if self.asked.is_empty() {
                return Ok(false);
            }
            match self.try_next(rows).await {
                Ok(()) => return Ok(true),
                Err(failure) => {
                    rows.items.truncate(before.0);
                    rows.numbers.truncate(before.1);
                    rows.missing.truncate(before.2);
                    self.index.pool.wait(&mut patience, failure).await?;
                }
            }
        }
    }

    /// A line that is not there when this fails: it is given back by who has read all that was asked for.
    async fn take_line(&mut self) -> Result<Line> {
        if let Some(line) = self.line.take() {
            return Ok(line);
        }
        self.sent = 0;
        self.index.pool.line().await
    }

    async fn try_next(&mut self, rows: &mut Rows) -> Result<()> {
        let mut line = self.take_line().await?;
        if self.sent < self.asked.len() {
            let mut commands = Vec::new();
            self.asked.iter().skip(self.sent).for_each(|ids| self.write(&mut commands, ids));
            line.send(&commands).await.map_err(|failure| self.failed(failure))?;
            self.sent = self.asked.len();
        }
        if let Some(ids) = self.asked.front() {
            match self.index.schema.storage {
                Storage::Hash => self.read_hashes(&mut line, ids, rows).await?,
                Storage::Json => self.read_documents(&mut line, ids, rows).await?,
            }
        }
        self.asked.pop_front();
        self.sent -= 1;
        self.line = Some(line);
        Ok(())
    }

    /// Writes what asks for the fields of items: one command a key for hashes, one a field for documents.
    fn write(&self, out: &mut Vec<u8>, ids: &[ItemId]) {
        let schema = &self.index.schema;
        let sample = schema.sample.as_ref().filter(|_| self.with_samples());
        let fields: Vec<&[u8]> = sample.into_iter().chain(self.with_vectors().then_some(&schema.vector)).map(|field| field.path.as_bytes()).collect();
        let mut id_text = String::new();
        let mut key = |out: &mut Vec<u8>, id: &ItemId| {
            id_text.clear();
            // Writing to memory does not fail.
            let _ = write!(id_text, "{id}");
            line::write_word(out, &[schema.prefix.as_bytes(), id_text.as_bytes()]);
        };
        match schema.storage {
            Storage::Hash => {
                for id in ids {
                    line::write_head(out, 2 + fields.len());
                    line::write_word(out, &[b"HMGET"]);
                    key(out, id);
                    fields.iter().for_each(|field| line::write_word(out, &[field]));
                }
            }
            Storage::Json => {
                for field in fields {
                    line::write_head(out, 2 + ids.len());
                    line::write_word(out, &[b"JSON.MGET"]);
                    ids.iter().for_each(|id| key(out, id));
                    line::write_word(out, &[field]);
                }
            }
        }
    }

    async fn read_hashes(&self, line: &mut Line, ids: &[ItemId], rows: &mut Rows) -> Result<()> {
        for id in ids {
            if !self.begins(line).await? {
                rows.missing.push(id.clone());
                continue;
            }
            let sample = if self.with_samples() { self.value(line).await?.and_then(as_id) } else { None };
            let vector = if self.with_vectors() { self.value(line).await? } else { None };
            self.take(id, sample, vector, rows)?;
        }
        Ok(())
    }

    async fn read_documents(&self, line: &mut Line, ids: &[ItemId], rows: &mut Rows) -> Result<()> {
        let mut samples = Vec::new();
        if self.with_samples() {
            samples.reserve_exact(ids.len());
            let is_there = self.begins(line).await?;
            for _ in ids {
                let json = if is_there { self.value(line).await? } else { None };
                samples.push(json.and_then(wire::read_text).map(|text| ItemId::from_text(&text)));
            }
        }
        let mut samples = samples.into_iter();
        let is_there = self.with_vectors() && self.begins(line).await?;
        for id in ids {
            let vector = if is_there { self.value(line).await? } else { None };
            self.take(id, samples.next().flatten(), vector, rows)?;
        }
        Ok(())
    }

    /// Whether an answer holds values. A key that holds something else has none.
    async fn begins(&self, line: &mut Line) -> Result<bool> {
        match line.next().await.map_err(|failure| self.failed(failure))? {
            Part::Several(_) => Ok(true),
            Part::Refusal(says) if says.starts_with(b"WRONGTYPE") || says.windows(16).any(|part| part == b"wrong Redis type") => Ok(false),
            Part::Refusal(says) => Err(self.failed(line::refusal(says))),
            Part::Nothing | Part::Bytes(_) => Err(self.failed(line::not_understood())),
        }
    }

    async fn value<'l>(&self, line: &'l mut Line) -> Result<Option<&'l [u8]>> {
        match line.next().await.map_err(|failure| self.failed(failure))? {
            Part::Bytes(bytes) => Ok(Some(bytes)),
            Part::Nothing => Ok(None),
            Part::Refusal(says) => Err(self.failed(line::refusal(says))),
            Part::Several(_) => Err(self.failed(line::not_understood())),
        }
    }

    /// Takes a row in, or that it is not there.
    fn take(&self, id: &ItemId, sample: Option<ItemId>, vector: Option<&[u8]>, rows: &mut Rows) -> Result<()> {
        let start = rows.numbers.len();
        // A key that vanished while it was read has no fields.
        let is_there = if self.with_vectors() { self.take_vector(id, vector, &mut rows.numbers)? } else { sample.is_some() };
        if self.wanted == Wanted::Items || !is_there {
            rows.numbers.truncate(start);
        }
        if is_there {
            rows.items.push(Item { id: id.clone(), sample_id: sample.unwrap_or_else(|| id.clone()) });
        } else {
            rows.missing.push(id.clone());
        }
        Ok(())
    }

    fn take_vector(&self, id: &ItemId, vector: Option<&[u8]>, numbers: &mut Vec<f32>) -> Result<bool> {
        let (index, start) = (self.index, numbers.len());
        let Some(vector) = vector else { return Ok(false) };
        let (number, dimension) = (index.schema.number, index.spec.dimension);
        let read = match index.schema.storage {
            Storage::Hash => wire::read(vector, number, dimension, numbers),
            // What a path leads to nowhere is an empty list.
            Storage::Json if vector == b"[]" => return Ok(false),
            Storage::Json => wire::read_numbers(vector, number, dimension, numbers),
        };
        if read.is_none() && index.is_ours() {
            return Err(Error::corrupt(format!("the vector of {id} in the index {} has not {dimension} numbers", index.options.name)));
        }
        // Others may hold what no metric ranks, or the server did not index.
        Ok(read.is_some() && (index.is_ours() || is_rankable(&numbers[start..], index.spec.metric)))
    }

    /// Steps over the keys of the server, from `cursor` on, until so many are found that are the index's, or there are no more.
    pub(crate) async fn scan(&mut self, cursor: &mut Option<String>, wanted: usize, found: &mut Vec<ItemId>) -> Result<()> {
        let mut patience = Patience::default();
        loop {
            match self.try_scan(cursor, wanted, found).await {
                Ok(()) => return Ok(()),
                Err(failure) => self.index.pool.wait(&mut patience, failure).await?,
            }
        }
    }

    async fn try_scan(&mut self, cursor: &mut Option<String>, wanted: usize, found: &mut Vec<ItemId>) -> Result<()> {
        let Some(from) = cursor.as_deref() else { return Ok(()) };
        let mut line = self.take_line().await?;
        self.send_scan(&mut line, from).await?;
        while cursor.is_some() {
            let next = match line.next().await.map_err(|failure| self.failed(failure))? {
                Part::Several(2) => self.value(&mut line).await?.and_then(|next| std::str::from_utf8(next).ok()).map(str::to_owned),
                Part::Refusal(says) => return Err(self.failed(line::refusal(says))),
                _ => None,
            };
            let next = next.ok_or_else(|| self.failed(line::not_understood()))?;
            let Part::Several(count) = line.next().await.map_err(|failure| self.failed(failure))? else {
                return Err(self.failed(line::not_understood()));
            };
            // The server looks on while what it found is read.
            let goes_on = next != "0" && found.len() + count < wanted;
            if goes_on {
                self.send_scan(&mut line, &next).await?;
            }
            let mut step = Vec::with_capacity(count);
            for _ in 0..count {
                step.extend(self.value(&mut line).await?.and_then(|key| keys::id(&self.index.schema.prefix, key)));
            }
            found.append(&mut step);
            *cursor = (next != "0").then_some(next);
            if !goes_on {
                break;
            }
        }
        self.line = Some(line);
        Ok(())
    }

    async fn send_scan(&self, line: &mut Line, cursor: &str) -> Result<()> {
        let (mut command, pattern, count) = (Vec::new(), keys::pattern(&self.index.schema.prefix), STEP.to_string());
        line::write(&mut command, &[b"SCAN", cursor.as_bytes(), b"MATCH", pattern.as_bytes(), b"COUNT", count.as_bytes()]);
        line.send(&command).await.map_err(|failure| self.failed(failure))
    }

    fn failed(&self, failure: DriverError) -> Error {
        self.index.failed("read", failure)
    }
}

impl Drop for Reader<'_> {
    fn drop(&mut self) {
        if let Some(line) = self.line.take().filter(|_| self.sent == 0) {
            self.index.pool.keep(line);
        }
    }
}

fn as_id(text: &[u8]) -> Option<ItemId> {
    std::str::from_utf8(text).ok().map(ItemId::from_text)
}

fn is_rankable(vector: &[f32], metric: Metric) -> bool {
    vector.iter().all(|x| x.is_finite()) && (metric != Metric::Cosine || vector.iter().any(|&x| x != 0.0))
}
