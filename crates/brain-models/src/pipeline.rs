//! From files to embeddings on all cores, in order, in bounded memory.
//!
//! ```text
//!  jobs ──> feed ──┬──> readers (one a core): read, decode, crop, prepare ──┐
//!                  │                                                        v one short channel a job
//!                  └──> the jobs in their order ──────────────────> embedder: batches ──> stream
//! ```
//!
//! The feeder writes each job into two bounded queues: one for the readers, who take whatever comes next, and one for the embedder, who
//! takes the jobs in their order and waits for each one's pictures. So the results need no sorting, and no reader runs further ahead
//! than the queue is long. A job's own channel holds a few pictures: a reader with a thousand patches waits there until its job's turn has
//! come, and the reader whose turn it is never waits for anyone but the embedder. The stream holds two batches; when nobody takes them,
//! everything behind stands still. Where the model takes all cores for a batch, reading and embedding [take turns](turns) on them.

mod embed;
mod read;
mod turns;

use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, ready};
use std::thread::{self, JoinHandle};

use brain_core::{Embedder, Error, PreparedImage, Result};
use futures::Stream;
use futures::channel::mpsc;

use crate::crop::PatchShape;
use crate::job::{EmbedJob, EmbeddedBatch};
use turns::Turns;

/// How many prepared pictures of one job may wait for the embedder.
const PICTURES_AHEAD: usize = 4;

/// How many finished batches may wait for the consumer, beside the one that every sender may always leave.
const BATCHES_AHEAD: usize = 1;

/// How a [`Pipeline`] uses the machine, and how it cuts patches.
#[derive(Clone, Debug, PartialEq)]
pub struct PipelineOptions {
    /// Threads that read, decode, crop and prepare; at least 1. Default: one a core.
    pub workers: usize,
    /// Pictures that the model embeds at a time; at least 1. Default: 16, or two a core where that is more.
    pub batch_size: usize,
    /// Files that may be read ahead of the model; at least 1. Each holds up to four prepared pictures (600 KB each for a model that
    /// looks at 224 x 224 pixels). Default: two batches.
    pub queue: usize,
    /// How boxes become patches.
    pub patch_shape: PatchShape,
}

impl Default for PipelineOptions {
    fn default() -> Self {
        let cores = thread::available_parallelism().map_or(1, usize::from);
        let batch_size = (2 * cores).max(16);
        Self { workers: cores, batch_size, queue: 2 * batch_size, patch_shape: PatchShape::default() }
    }
}

/// Reads image files and embeds them; see the [crate's example](crate).
#[derive(Clone)]
pub struct Pipeline {
    embedder: Arc<dyn Embedder>,
    options: PipelineOptions,
}

/// One job on its way: whose vectors, and where its pictures will come from.
struct Ticket {
    job: Arc<EmbedJob>,
    pictures: Receiver<Result<PreparedImage, Arc<Error>>>,
}

/// What the feeder tells the embedder. An end that is not announced is the sign of a crash, never of a short list.
enum Announcement {
    Job(Ticket),
    Failed(Error),
    End,
}

/// One job for a reader, and where to put its pictures.
struct Order {
    job: Arc<EmbedJob>,
    pictures: SyncSender<Result<PreparedImage, Arc<Error>>>,
}

impl Pipeline {
    /// A pipeline around `embedder`; nothing runs yet.
    ///
    /// # Errors
    /// [`InvalidInput`](brain_core::ErrorKind::InvalidInput) when an option is 0 or the patch shape is not valid;
    /// [`Unsupported`](brain_core::ErrorKind::Unsupported) when the embedder takes no pictures.
    pub fn new(embedder: Arc<dyn Embedder>, options: PipelineOptions) -> Result<Self> {
        let PipelineOptions { workers, batch_size, queue, patch_shape } = &options;
        for (name, value) in [("workers", workers), ("batch_size", batch_size), ("queue", queue)] {
            if *value == 0 {
                return Err(Error::invalid(format!("the embedding pipeline cannot run with {name} = 0")).with_hint("give at least 1"));
            }
        }
        patch_shape.validate()?;
        if !embedder.modalities().images {
            return Err(Error::unsupported(format!("the model {} takes no pictures", embedder.name())));
        }
        Ok(Self { embedder, options })
    }

    /// Starts embedding; the stream yields the results in the order of the jobs.
    ///
    /// A file that cannot be read, or a box that cannot be cut, becomes a [`Failure`](crate::Failure) in its place and the others go on.
    ///
    /// # Errors
    /// [`Unavailable`](brain_core::ErrorKind::Unavailable) when the system gives no more threads.
    pub fn run<J>(&self, jobs: J) -> Result<EmbeddedStream>
    where
        J: IntoIterator<Item = EmbedJob>,
        J::IntoIter: Send + 'static,
    {
        self.try_run(jobs.into_iter().map(Ok))
    }

    /// As [`run`](Self::run), for jobs that come from a source that may fail: its error ends the stream, after the results of the jobs before it.
    ///
    /// # Errors
    /// As [`run`](Self::run).
    pub fn try_run<J>(&self, jobs: J) -> Result<EmbeddedStream>
    where
        J: IntoIterator<Item = Result<EmbedJob>>,
        J::IntoIter: Send + 'static,
    {
        let stop = Arc::new(AtomicBool::new(false));
        let (orders, taken) = sync_channel(self.options.queue);
        let (announcements, announced) = sync_channel(self.options.queue);
        let (batches, receiver) = mpsc::channel(BATCHES_AHEAD);

        let taken = Arc::new(Mutex::new(taken));
        let turns = Arc::new(Turns::of(&*self.embedder));
        for number in 0..self.options.workers {
            let reader = read::Reader {
                orders: taken.clone(),
                embedder: self.embedder.clone(),
                patch_shape: self.options.patch_shape,
                turns: turns.clone(),
                stop: stop.clone(),
            };
            spawn(format!("brain-read-{number}"), move || reader.run())?;
        }
        let embedding = embed::Embedding::new(self.embedder.clone(), self.options.batch_size, turns, batches, stop.clone());
        let embedding = spawn("brain-embed".to_owned(), move || embedding.run(&announced))?;
        let (jobs, stopped) = (jobs.into_iter(), stop.clone());
        spawn("brain-feed".to_owned(), move || feed(jobs, &orders, &announcements, &stopped))?;
        Ok(EmbeddedStream { receiver, embedding: Some(embedding), stop })
    }
}

fn spawn<T: Send + 'static>(name: String, run: impl FnOnce() -> T + Send + 'static) -> Result<JoinHandle<T>> {
    // Threads that were started before one that could not be stop by themselves: their queues have no other end.
    thread::Builder::new().name(name).spawn(run).map_err(|error| {
        Error::new(brain_core::ErrorKind::Unavailable, format!("the system gives no thread to read pictures with: {error}"))
            .with_hint("ask for fewer workers")
            .with_source(error)
    })
}

/// Hands each job to the readers and to the embedder, until there is none or nobody wants them any more.
fn feed(jobs: impl Iterator<Item = Result<EmbedJob>>, orders: &SyncSender<Order>, announcements: &SyncSender<Announcement>, stop: &AtomicBool) {
    for job in jobs {
        let job = match job {
            Ok(job) => Arc::new(job),
            Err(error) => {
                // Without a listener there is nobody to tell.
                let _ = announcements.send(Announcement::Failed(error));
                return;
            }
        };
        let (sender, pictures) = sync_channel(PICTURES_AHEAD);
        // The embedder first: a job that is read must also be awaited.
        let ticket = Ticket { job: job.clone(), pictures };
        if stop.load(Ordering::Relaxed) || announcements.send(Announcement::Job(ticket)).is_err() {
            return;
        }
        if orders.send(Order { job, pictures: sender }).is_err() {
            let crashed = Error::unexpected("the threads that read pictures have crashed");
            let _ = announcements.send(Announcement::Failed(crashed));
            return;
        }
    }
    let _ = announcements.send(Announcement::End);
}

/// The results of a [`Pipeline`], as a stream; [`futures::executor::block_on_stream`] makes it an iterator.
///
/// An error ends it. Dropping it stops the threads after the batch they are at.
pub struct EmbeddedStream {
    receiver: mpsc::Receiver<Result<EmbeddedBatch>>,
    embedding: Option<JoinHandle<()>>,
    stop: Arc<AtomicBool>,
}

impl Stream for EmbeddedStream {
    type Item = Result<EmbeddedBatch>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let batch = ready!(Pin::new(&mut self.receiver).poll_next(context));
        if batch.is_some() {
            return Poll::Ready(batch);
        }
        // The sender is gone, so the thread has ended or is about to: joining it does not wait.
        let crashed = self.embedding.take().is_some_and(|thread| thread.join().is_err());
        Poll::Ready(crashed.then(|| Err(Error::unexpected("the model crashed while it was embedding pictures"))))
    }
}

impl Drop for EmbeddedStream {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

#[cfg(test)]
#[path = "pipeline_tests.rs"]
mod tests;
