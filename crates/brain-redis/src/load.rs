//! Adding: rows are written in transactions, each sent whole while the server works on the one before.
//!
//! A transaction costs the server nothing over single commands, and a batch is there whole or not at all. Whether an item was there already is what the
//! writing itself says. Only where an item that is there refuses the batch, a script looks first and writes then, at once.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use brain_core::{AddReport, Error, ErrorKind, ItemId, ItemKind, Metric, OnConflict, Result, VectorBatch, validate};
use futures::future::{Either, select};
use futures::stream::{BoxStream, FuturesOrdered, StreamExt as _};

use crate::index::RedisIndex;
use crate::note::Note;
use crate::options::Number;
use crate::write::{Outcome, Write};

/// Batches that come fast are written together, up to so many bytes of vectors: a transaction keeps others waiting.
const GROUP_BYTES: usize = 256 << 10;
/// Batches that come slower than this are written each on its own.
const GROUP_WAIT: Duration = Duration::from_millis(200);
/// How many transactions are under way at once.
const AHEAD: usize = 2;
/// How long the server may take to have indexed what it holds.
const INDEXED_WITHIN: Duration = Duration::from_secs(600);

/// Batches that are written together.
#[derive(Default)]
struct Group {
    batches: Vec<VectorBatch>,
    ids: HashSet<ItemId>,
    bytes: usize,
    since: Option<Instant>,
}

impl Group {
    fn push(&mut self, batch: VectorBatch) {
        self.bytes += size_of_val(batch.vectors());
        self.ids.extend(batch.items().iter().map(|item| item.id.clone()));
        self.batches.push(batch);
        self.since.get_or_insert_with(Instant::now);
    }

    fn is_due(&self) -> bool {
        self.bytes >= GROUP_BYTES || self.since.is_some_and(|since| since.elapsed() >= GROUP_WAIT)
    }
}

fn meet(ids: &HashSet<ItemId>, batch: &VectorBatch) -> bool {
    batch.items().iter().any(|item| ids.contains(&item.id))
}

/// The sum of a vector's squares, made of eight sums, which do not wait for one another.
fn square(vector: &[f32]) -> f64 {
    let square = |&x: &f32| f64::from(x) * f64::from(x);
    let (groups, rest) = vector.as_chunks::<8>();
    let mut sums = [0.0_f64; 8];
    for numbers in groups {
        sums.iter_mut().zip(numbers).for_each(|(sum, x)| *sum += square(x));
    }
    sums.iter().sum::<f64>() + rest.iter().map(square).sum::<f64>()
}

/// What has come of an addition so far.
#[derive(Default)]
struct Sum {
    report: AddReport,
    /// Rows whose counts are those of a second try, as the first one's answer never came.
    doubtful: u64,
    /// What is not in the note yet.
    unnoted: u64,
}

impl RedisIndex {
    /// Adds batches as they come.
    pub(crate) async fn load(&self, mut batches: BoxStream<'_, Result<VectorBatch>>, on_conflict: OnConflict) -> Result<AddReport> {
        let before = self.begin().await?;
        let mut sum = Sum::default();
        let mut under_way = FuturesOrdered::new();
        let mut ids_under_way: std::collections::VecDeque<HashSet<ItemId>> = std::collections::VecDeque::new();
        let mut group = Group::default();
        let mut ended = Ok(());
        loop {
            let next = loop {
                if under_way.is_empty() {
                    break batches.next().await;
                }
                // While the next batch is made, the ones before are written.
                match select(under_way.next(), batches.next()).await {
                    Either::Right((next, _)) => break next,
                    Either::Left((None, _)) => {}
                    Either::Left((Some(done), _)) => {
                        ids_under_way.pop_front();
                        self.sum_up(&mut sum, done)?;
                    }
                }
            };
            let next = match next {
                None => None,
                Some(batch) => match batch.and_then(|batch| self.check(&batch).map(|()| batch)) {
                    Ok(batch) => Some(batch),
                    // Those before a batch that is refused are to stay.
                    Err(refused) => {
                        ended = Err(refused);
                        None
                    }
                },
            };
            let is_last = next.is_none();
            let parts = next.as_ref().is_none_or(|batch| meet(&group.ids, batch)) || on_conflict == OnConflict::Error;
            let mut due = Vec::new();
            if parts {
                due.push(std::mem::take(&mut group));
            }
            if let Some(batch) = next.filter(|batch| !batch.is_empty()) {
                group.push(batch);
                if group.is_due() {
                    due.push(std::mem::take(&mut group));
                }
            }
            for Group { batches, ids, .. } in due.into_iter().filter(|group| !group.batches.is_empty()) {
                // An item that comes again is written after the one before; an error ends it at its batch.
                let alone = on_conflict == OnConflict::Error;
                while under_way.len() >= if alone { 1 } else { AHEAD } || ids_under_way.iter().any(|others| !others.is_disjoint(&ids)) {
                    let Some(done) = under_way.next().await else { break };
                    ids_under_way.pop_front();
                    self.sum_up(&mut sum, done)?;
                }
                let acknowledged = std::mem::take(&mut sum.unnoted);
                ids_under_way.push_back(ids);
                under_way.push_back(self.write(batches, on_conflict, acknowledged));
            }
            if is_last {
                break;
            }
        }
        while let Some(done) = under_way.next().await {
            self.sum_up(&mut sum, done)?;
        }
        drop(under_way);
        self.end(&mut sum, &before).await?;
        ended.map(|()| sum.report)
    }

    async fn write(&self, batches: Vec<VectorBatch>, on_conflict: OnConflict, acknowledged: u64) -> Result<Outcome> {
        Write { index: self, batches, on_conflict, acknowledged }.until_done().await
    }

    fn sum_up(&self, sum: &mut Sum, done: Result<Outcome>) -> Result<()> {
        self.changed();
        let Outcome { report, is_doubtful } = done?;
        sum.report.added += report.added;
        sum.report.replaced += report.replaced;
        sum.report.skipped += report.skipped;
        sum.unnoted += report.added;
        if is_doubtful {
            sum.doubtful += report.replaced + report.skipped;
        }
        Ok(())
    }

    /// How the index stands before anything is added. What was lost before counts as known from here on: who adds, was told, or will be by what is missing.
    async fn begin(&self) -> Result<crate::schema::Standing> {
        if !self.is_ours() {
            return self.standing().await;
        }
        self.settle().await?;
        let (acknowledged, standing) = self.acknowledged().await?;
        if standing.documents < acknowledged {
            self.note_rows(standing.documents as i64 - acknowledged as i64).await?;
        }
        Ok(standing)
    }

    /// Waits until all is indexed, and names what was not.
    async fn end(&self, sum: &mut Sum, before: &crate::schema::Standing) -> Result<()> {
        let begun = Instant::now();
        let mut pause = Duration::from_millis(1);
        let after = loop {
            let standing = self.standing().await?;
            if !standing.is_indexing {
                break standing;
            }
            if begun.elapsed() > INDEXED_WITHIN {
                return Err(Error::new(ErrorKind::Timeout, format!("the server has not indexed the vectors of {} in time", self.options.name))
                    .with_hint("it goes on by itself: run the same command again later"));
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(Duration::from_millis(200));
        };
        if sum.doubtful > 0 {
            // What an answer that was lost had said, the number of documents says too.
            let grown = after.documents.saturating_sub(before.documents + sum.report.added).min(sum.doubtful);
            sum.report.added += grown;
            sum.unnoted += grown;
            let of_replaced = grown.min(sum.report.replaced);
            sum.report.replaced -= of_replaced;
            sum.report.skipped -= (grown - of_replaced).min(sum.report.skipped);
        }
        if self.is_ours() && sum.unnoted > 0 {
            self.note_rows(sum.unnoted as i64).await?;
            sum.unnoted = 0;
        }
        if after.failures > before.failures {
            let key = after.failed.unwrap_or_default();
            let id = key.strip_prefix(&self.schema.prefix).unwrap_or(&key);
            let why = after.failure.unwrap_or_default();
            return Err(Error::new(ErrorKind::Unexpected, format!("the server did not index the vector of {id}: {why}"))
                .with_hint("it is stored, and no search finds it: remove it, and look at the server's memory and version"));
        }
        Ok(())
    }

    /// Corrects the number of acknowledged items. Done twice it would say too much; where it is not known to have been done it says too little, which
    /// hides a loss and makes none up.
    async fn note_rows(&self, by: i64) -> Result<()> {
        let connection = self.pool.get().await?;
        self.ask(&connection, vec![crate::write::note_rows(&self.options.name, by)]).await.map(|_| ())
    }

    fn check(&self, batch: &VectorBatch) -> Result<()> {
        if self.schema.storage == crate::options::Storage::Json && self.schema.vector.path != "$.vector" {
            // What is written elsewhere would be stored, and found by no search.
            return Err(Error::unsupported(format!(
                "the index {} reads vectors at {}, where nothing is written here",
                self.options.name, self.schema.vector.path
            ))
            .with_hint("documents with their vectors at $.vector can be added to, as FiftyOne's; others can be searched"));
        }
        validate::batch(batch, self.spec.dimension, self.spec.metric)?;
        let is_cut = |text: &str| text.contains(['\0', crate::schema::SEPARATOR]);
        let patches = self.spec.items == ItemKind::Patches;
        let refused = batch.items().iter().find(|item| patches && item.sample_id.as_bytes().is_none() && is_cut(&item.sample_id.to_string()));
        if let Some(item) = refused {
            return Err(Error::invalid(format!(
                "the sample id {:?} holds a NUL or a unit separator, at which Redis would cut it",
                item.sample_id.to_string()
            )));
        }
        if self.schema.number == Number::Half { validate::half_precision(batch, self.spec.metric) } else { Ok(()) }
    }

    /// Whether the server's single precision can compare a vector: the sum of its squares neither overflows nor, where it divides, vanishes.
    pub(crate) fn is_plain(&self, vector: &[f32]) -> bool {
        if self.schema.number == Number::Double {
            return true;
        }
        let square = square(vector);
        square < 1e34 && (square > 1e-28 || self.spec.metric != Metric::Cosine)
    }

    /// Takes down that there are vectors which the server cannot compare; whether that is news.
    pub(crate) fn note_extremes(&self, batches: &[VectorBatch]) -> bool {
        let Some(note) = self.known_note().filter(|note| !note.extreme) else { return false };
        if batches.iter().flat_map(VectorBatch::rows).all(|(_, vector)| self.is_plain(vector)) {
            return false;
        }
        self.set_note(Note { extreme: true, ..note });
        true
    }
}
