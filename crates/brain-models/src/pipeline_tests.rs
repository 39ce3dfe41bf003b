use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicUsize;
use std::time::{Duration, Instant};

use brain_core::{ErrorKind, Item, ItemId, Modalities, RgbImage};
use futures::executor::{BlockingStream, block_on_stream};
use image::{Rgb, RgbImage as Picture};

use super::*;

/// Embeds a picture as its mean red and its number of pixels; counts what it was asked for.
#[derive(Default)]
struct Redness {
    prepared: AtomicUsize,
    largest_batch: AtomicUsize,
    crash: bool,
    takes_all_cores: bool,
    embedding: AtomicBool,
    prepared_meanwhile: AtomicUsize,
}

impl Embedder for Redness {
    fn name(&self) -> &str {
        "redness"
    }

    fn dimension(&self) -> usize {
        2
    }

    fn modalities(&self) -> Modalities {
        Modalities { images: true, text: false }
    }

    fn fingerprint(&self) -> String {
        self.name().to_owned()
    }

    fn takes_all_cores(&self) -> bool {
        self.takes_all_cores
    }

    fn prepare(&self, image: &RgbImage) -> Result<PreparedImage> {
        self.prepared.fetch_add(1, Ordering::Relaxed);
        if self.embedding.load(Ordering::SeqCst) {
            self.prepared_meanwhile.fetch_add(1, Ordering::Relaxed);
        }
        let pixels = image.pixels.len() as f32 / 3.0;
        let red: f32 = image.pixels.chunks_exact(3).map(|pixel| f32::from(pixel[0])).sum();
        Ok(PreparedImage(vec![red / pixels, pixels]))
    }

    fn embed_images(&self, batch: &[PreparedImage]) -> Result<Vec<f32>> {
        assert!(!self.crash, "told to crash");
        self.largest_batch.fetch_max(batch.len(), Ordering::Relaxed);
        self.embedding.store(true, Ordering::SeqCst);
        // Time for others to do what they should not.
        std::thread::sleep(Duration::from_micros(200));
        self.embedding.store(false, Ordering::SeqCst);
        Ok(batch.iter().flat_map(|picture| picture.0.clone()).collect())
    }

    fn embed_text(&self, _: &[String]) -> Result<Vec<f32>> {
        Err(brain_core::no_text(self.name()))
    }
}

/// A folder of 8 x 4 pictures, number `n` with the red value `n`, its right half 100 more.
fn pictures(count: u8) -> tempfile::TempDir {
    let home = tempfile::tempdir().unwrap();
    for number in 0..count {
        let picture = Picture::from_fn(8, 4, |x, _| Rgb([if x < 4 { number } else { number + 100 }, 0, 0]));
        picture.save(path(home.path(), number)).unwrap();
    }
    home
}

fn path(home: &Path, number: u8) -> PathBuf {
    home.join(format!("{number}.png"))
}

fn sample(number: usize) -> Item {
    Item::sample(ItemId::from_text(&format!("sample-{number}")))
}

fn options(workers: usize, batch_size: usize, queue: usize) -> PipelineOptions {
    PipelineOptions { workers, batch_size, queue, patch_shape: PatchShape::default() }
}

fn run(options: PipelineOptions, jobs: Vec<EmbedJob>) -> BlockingStream<EmbeddedStream> {
    block_on_stream(Pipeline::new(Arc::new(Redness::default()), options).unwrap().run(jobs).unwrap())
}

/// Ids with the vector, or `None` for a failure, in the order they came.
fn outcomes(batches: impl Iterator<Item = Result<EmbeddedBatch>>) -> Vec<(String, Option<Vec<f32>>)> {
    let mut outcomes = Vec::new();
    for batch in batches {
        let batch = batch.unwrap();
        outcomes.extend(batch.rows.rows().map(|(item, vector)| (item.id.to_string(), Some(vector.to_vec()))));
        outcomes.extend(batch.failures.iter().map(|failure| (failure.item.id.to_string(), None)));
    }
    outcomes
}

#[test]
fn rows_come_in_the_order_of_the_jobs_whatever_the_threads_do() {
    let home = pictures(40);
    let jobs: Vec<_> = (0..200).map(|number| EmbedJob::whole(sample(number), path(home.path(), (number % 40) as u8))).collect();
    let expected: Vec<_> = (0..200).map(|number| (format!("sample-{number}"), Some(vec![(number % 40) as f32 + 50.0, 32.0]))).collect();
    for (workers, batch_size, queue) in [(1, 1, 1), (4, 7, 3), (3, 64, 100)] {
        assert_eq!(outcomes(run(options(workers, batch_size, queue), jobs.clone())), expected);
    }
}

#[test]
fn nothing_is_prepared_while_a_model_takes_all_cores() {
    let home = pictures(40);
    // Some with more patches than their channel holds, so that readers wait to hand them over while the model waits for its turn.
    let patches = |number: u8| (0..if number.is_multiple_of(10) { 30 } else { 1 }).map(|_| (sample(0), [0.0, 0.0, 0.5, 1.0])).collect::<Vec<_>>();
    let jobs: Vec<_> = (0..40).map(|number| EmbedJob::patches(path(home.path(), number), patches(number))).collect();
    let expected: Vec<_> = (0..40_u8).flat_map(|number| vec![Some(vec![f32::from(number), 16.0]); patches(number).len()]).collect();
    let model = Arc::new(Redness { takes_all_cores: true, ..Redness::default() });
    let batches = block_on_stream(Pipeline::new(model.clone(), options(4, 7, 20)).unwrap().run(jobs).unwrap());
    assert_eq!(outcomes(batches).into_iter().map(|(_, vector)| vector).collect::<Vec<_>>(), expected);
    assert_eq!(model.prepared_meanwhile.load(Ordering::Relaxed), 0);
}

#[test]
fn patches_and_means_over_regions() {
    let home = pictures(2);
    let (left, right) = ([0.0, 0.0, 0.5, 1.0], [0.5, 0.0, 0.5, 1.0]);
    let jobs = vec![
        EmbedJob::patches(path(home.path(), 0), [(sample(0), left), (sample(1), right)]),
        EmbedJob::regions(sample(2), path(home.path(), 1), vec![left, right, right, right]),
        EmbedJob::regions(sample(3), path(home.path(), 1), vec![]),
        EmbedJob::patches(path(home.path(), 1), []),
        // More patches than the channel of one job holds.
        EmbedJob::patches(path(home.path(), 1), (4..104).map(|number| (sample(number), right))),
    ];
    // A batch of three splits both the patches and the regions.
    let outcomes = outcomes(run(options(2, 3, 2), jobs));
    let vectors: Vec<_> = outcomes.iter().map(|(_, vector)| vector.clone().unwrap()).collect();
    assert_eq!(vectors[..4], [[0.0, 16.0], [100.0, 16.0], [76.0, 16.0], [51.0, 32.0]]);
    assert!(vectors[4..].iter().all(|vector| vector == &[101.0, 16.0]));
    assert_eq!(outcomes.iter().map(|(id, _)| id.clone()).collect::<Vec<_>>(), (0..104).map(|n| format!("sample-{n}")).collect::<Vec<_>>());
}

#[test]
fn what_fails_is_listed_and_the_others_go_on() {
    let home = pictures(3);
    std::fs::write(path(home.path(), 1), b"not a photo").unwrap();
    let inside = [0.0, 0.0, 0.5, 0.5];
    let jobs = vec![
        EmbedJob::whole(sample(0), path(home.path(), 0)),
        EmbedJob::patches(path(home.path(), 1), [(sample(1), inside), (sample(2), inside)]),
        EmbedJob::patches(path(home.path(), 2), [(sample(3), inside), (sample(4), [2.0, 0.0, 0.1, 0.1]), (sample(5), inside)]),
        EmbedJob::regions(sample(6), path(home.path(), 2), vec![inside, [0.0; 4], inside]),
        EmbedJob::whole(sample(7), path(home.path(), 9)),
        EmbedJob::whole(sample(8), path(home.path(), 2)),
    ];
    for batch_size in [1, 2, 50] {
        let (mut embedded, mut failed) = (Vec::new(), Vec::new());
        for batch in run(options(2, batch_size, 4), jobs.clone()) {
            let batch = batch.unwrap();
            embedded.extend(batch.rows.items().to_vec());
            failed.extend(batch.failures);
        }
        assert_eq!(embedded, [0, 3, 5, 8].map(sample));
        assert_eq!(failed.iter().map(|failure| failure.item.clone()).collect::<Vec<_>>(), [1, 2, 4, 6, 7].map(sample));
        let messages: Vec<_> = failed.iter().map(|failure| failure.error.message()).collect();
        assert!(messages[0].contains("1.png is not an image") && messages[1] == messages[0]);
        assert!(messages[2].contains("the box [2, 0, 0.1, 0.1] lies outside its picture"));
        assert!(messages[3].contains("has no area"));
        assert_eq!(failed[4].error.kind(), ErrorKind::NotFound);
        assert_eq!(failed[4].filepath, path(home.path(), 9));
    }
}

#[test]
fn nothing_runs_ahead_of_a_consumer_that_waits() {
    let home = pictures(1);
    let (taken, model) = (Arc::new(AtomicUsize::new(0)), Arc::new(Redness::default()));
    let (counter, photo) = (taken.clone(), path(home.path(), 0));
    let jobs = (0..10_000).map(move |number| {
        counter.fetch_add(1, Ordering::Relaxed);
        EmbedJob::patches(&photo, (0..50).map(|_| (sample(number), [0.0, 0.0, 1.0, 1.0])))
    });
    let mut stream = block_on_stream(Pipeline::new(model.clone(), options(2, 10, 5)).unwrap().run(jobs).unwrap());
    stream.next().unwrap().unwrap();

    // Wait until everything stands still.
    let mut before = usize::MAX;
    while before != model.prepared.load(Ordering::Relaxed) {
        before = model.prepared.load(Ordering::Relaxed);
        thread::sleep(Duration::from_millis(100));
    }
    // The job being embedded, those in the queue, and one in the feeder's hand.
    assert!(taken.load(Ordering::Relaxed) <= 10, "{taken:?}");
    // Four batches (taken, two in the stream, one on its way), and a few pictures ahead for each reader.
    assert!(before <= 4 * 10 + 2 * (PICTURES_AHEAD + 2) + 5 * PICTURES_AHEAD, "{before}");
    assert_eq!(model.largest_batch.load(Ordering::Relaxed), 10);

    // Dropped, it comes to rest although thousands of jobs are left.
    let dropped = Instant::now();
    drop(stream);
    while Arc::strong_count(&taken) > 1 || Arc::strong_count(&model) > 1 {
        assert!(dropped.elapsed() < Duration::from_secs(10), "threads are still at work");
        thread::sleep(Duration::from_millis(5));
    }
    assert!(taken.load(Ordering::Relaxed) <= 20);
}

#[test]
fn a_source_that_fails_ends_the_stream_after_what_came_before() {
    let home = pictures(1);
    let jobs =
        [Ok(EmbedJob::whole(sample(0), path(home.path(), 0))), Err(Error::not_found("the dataset is gone")), Ok(EmbedJob::whole(sample(1), ""))];
    let pipeline = Pipeline::new(Arc::new(Redness::default()), options(1, 8, 8)).unwrap();
    let mut stream = block_on_stream(pipeline.try_run(jobs).unwrap());
    assert_eq!(stream.next().unwrap().unwrap().rows.items(), [sample(0)]);
    assert_eq!(stream.next().unwrap().unwrap_err().message(), "the dataset is gone");
    assert!(stream.next().is_none());
    assert!(block_on_stream(pipeline.run([]).unwrap()).next().is_none());
}

#[test]
fn a_crash_is_an_error_and_never_a_short_answer() {
    let home = pictures(1);
    let job = EmbedJob::whole(sample(0), path(home.path(), 0));
    let crashing = Pipeline::new(Arc::new(Redness { crash: true, ..Redness::default() }), options(1, 1, 1)).unwrap();
    let mut stream = block_on_stream(crashing.run([job.clone()]).unwrap());
    assert_eq!(stream.next().unwrap().unwrap_err().kind(), ErrorKind::Unexpected);
    assert!(stream.next().is_none());

    let pipeline = Pipeline::new(Arc::new(Redness::default()), options(1, 1, 1)).unwrap();
    let mut first = Some(job);
    let source = std::iter::from_fn(move || Some(first.take().expect("told to crash")));
    let mut stream = block_on_stream(pipeline.run(source).unwrap());
    assert_eq!(stream.next().unwrap().unwrap().rows.len(), 1);
    assert!(stream.next().unwrap().unwrap_err().message().contains("stopped before its end"));
}

#[test]
fn options_without_sense_are_refused() {
    for wrong in [options(0, 1, 1), options(1, 0, 1), options(1, 1, 0)] {
        assert_eq!(Pipeline::new(Arc::new(Redness::default()), wrong).err().unwrap().kind(), ErrorKind::InvalidInput);
    }
    let patch_shape = PatchShape { alpha: -2.0, ..PatchShape::default() };
    assert!(Pipeline::new(Arc::new(Redness::default()), PipelineOptions { patch_shape, ..PipelineOptions::default() }).is_err());
}
