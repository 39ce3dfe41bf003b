//! The embedder's side: pictures in the order of the jobs into batches, vectors back to their targets.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::Receiver;

use brain_core::{Embedder, Error, ErrorKind, PreparedImage, Result, VectorBatch};
use futures::SinkExt;
use futures::channel::mpsc;
use futures::executor::block_on;

use super::turns::Turns;
use super::{Announcement, Ticket};
use crate::job::{EmbedJob, EmbeddedBatch, Failure};

/// Collects pictures to batches, embeds them and sends the rows of the targets that are complete.
pub(super) struct Embedding {
    embedder: Arc<dyn Embedder>,
    batch_size: usize,
    turns: Arc<Turns>,
    batches: mpsc::Sender<Result<EmbeddedBatch>>,
    stop: Arc<AtomicBool>,
    /// Pictures not yet embedded, and the number of the target each belongs to.
    pictures: Vec<PreparedImage>,
    owners: Vec<u64>,
    /// Targets not yet sent, in order; the first has the number `sent`.
    pending: VecDeque<Pending>,
    sent: u64,
    failures: Vec<Failure>,
}

/// A target whose pictures are not all embedded.
struct Pending {
    job: Arc<EmbedJob>,
    /// Which target of the job it is.
    target: usize,
    /// The sum of the vectors that have come; empty before the first.
    sum: Vec<f32>,
    /// How many vectors have come, of how many.
    come: usize,
    wanted: usize,
    error: Option<Arc<Error>>,
}

/// Why the embedder's thread ends early.
enum Halt {
    /// Nobody listens any more.
    Dropped,
    /// To be told to whoever listens.
    Failed(Error),
}

impl From<Error> for Halt {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

impl Embedding {
    pub(super) fn new(
        embedder: Arc<dyn Embedder>,
        batch_size: usize,
        turns: Arc<Turns>,
        batches: mpsc::Sender<Result<EmbeddedBatch>>,
        stop: Arc<AtomicBool>,
    ) -> Self {
        Self {
            embedder,
            batch_size,
            turns,
            batches,
            stop,
            pictures: Vec::with_capacity(batch_size),
            owners: Vec::with_capacity(batch_size),
            pending: VecDeque::new(),
            sent: 0,
            failures: Vec::new(),
        }
    }

    /// Works until the end is announced, the stream is dropped, or something fails.
    pub(super) fn run(mut self, announced: &Receiver<Announcement>) {
        if let Err(Halt::Failed(error)) = self.embed_all(announced) {
            // Nobody to tell if this fails.
            let _ = block_on(self.batches.send(Err(error)));
        }
    }

    fn embed_all(&mut self, announced: &Receiver<Announcement>) -> Result<(), Halt> {
        loop {
            match announced.recv() {
                Ok(Announcement::Job(ticket)) => self.take_job(&ticket)?,
                Ok(Announcement::End) => return self.flush(),
                Ok(Announcement::Failed(error)) => {
                    self.flush()?;
                    return Err(error.into());
                }
                Err(_) => {
                    self.flush()?;
                    return Err(Error::unexpected("the source of the pictures to embed stopped before its end").into());
                }
            }
        }
    }

    /// Takes a job's pictures as its reader sends them.
    fn take_job(&mut self, ticket: &Ticket) -> Result<(), Halt> {
        for target in 0..ticket.job.targets.len() {
            let wanted = ticket.job.targets[target].regions.len().max(1);
            let number = self.sent + self.pending.len() as u64;
            self.pending.push_back(Pending { job: ticket.job.clone(), target, sum: Vec::new(), come: 0, wanted, error: None });
            for _ in 0..wanted {
                match ticket.pictures.recv().unwrap_or_else(|_| Err(Arc::new(lost(&ticket.job)))) {
                    Ok(picture) => {
                        self.pictures.push(picture);
                        self.owners.push(number);
                    }
                    Err(error) => {
                        if let Some(pending) = self.pending.back_mut() {
                            pending.error = Some(error);
                        }
                        break;
                    }
                }
                if self.pictures.len() == self.batch_size {
                    self.flush()?;
                }
            }
            // Targets that failed behind pictures that wait for their batch are told with that batch; a long row of failures is not kept.
            if self.pictures.is_empty() && self.pending.len() >= self.batch_size {
                self.flush()?;
            }
        }
        Ok(())
    }

    /// Embeds what was collected and sends every target that is complete.
    fn flush(&mut self) -> Result<(), Halt> {
        if self.stop.load(Ordering::Relaxed) {
            return Err(Halt::Dropped);
        }
        self.embed()?;
        let rows = self.complete()?;
        let failures = std::mem::take(&mut self.failures);
        if rows.is_empty() && failures.is_empty() {
            return Ok(());
        }
        block_on(self.batches.send(Ok(EmbeddedBatch { rows, failures }))).map_err(|_| Halt::Dropped)
    }

    /// Embeds the collected pictures and adds each vector to its target.
    fn embed(&mut self) -> Result<()> {
        if self.pictures.is_empty() {
            return Ok(());
        }
        let turn = self.turns.embedding();
        let vectors = self.embedder.embed_images(&self.pictures)?;
        drop(turn);
        let dimension = self.embedder.dimension();
        if vectors.len() != self.pictures.len() * dimension {
            return Err(Error::new(
                ErrorKind::DimensionMismatch,
                format!("the model {} gave {} numbers for {} pictures of {dimension} each", self.embedder.name(), vectors.len(), self.pictures.len()),
            ));
        }
        self.pictures.clear();
        for (owner, vector) in self.owners.drain(..).zip(vectors.chunks_exact(dimension.max(1))) {
            if let Some(pending) = self.pending.get_mut((owner - self.sent) as usize) {
                pending.add(vector);
            }
        }
        Ok(())
    }

    /// Takes the targets at the front that have all they wait for.
    fn complete(&mut self) -> Result<VectorBatch> {
        let mut rows = VectorBatch::with_capacity(self.pending.len(), self.embedder.dimension());
        while self.pending.front().is_some_and(Pending::is_complete) {
            let Some(Pending { job, target, mut sum, come, error, .. }) = self.pending.pop_front() else { break };
            self.sent += 1;
            let item = job.targets[target].item.clone();
            match error {
                Some(error) => self.failures.push(Failure { item, filepath: job.filepath.clone(), error }),
                None => {
                    sum.iter_mut().for_each(|value| *value /= come as f32);
                    rows.push(item, &sum)?;
                }
            }
        }
        Ok(rows)
    }
}

impl Pending {
    fn add(&mut self, vector: &[f32]) {
        self.come += 1;
        if self.sum.is_empty() {
            self.sum.extend_from_slice(vector);
        } else {
            self.sum.iter_mut().zip(vector).for_each(|(sum, value)| *sum += value);
        }
    }

    /// All vectors have come, or an error has.
    fn is_complete(&self) -> bool {
        self.error.is_some() || self.come == self.wanted
    }
}

/// The error of a job whose reader vanished.
fn lost(job: &EmbedJob) -> Error {
    Error::unexpected(format!("the thread that read {} crashed", job.filepath.display()))
}
