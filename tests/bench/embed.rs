//! The whole embedding pipeline against the model alone.

use std::path::{Path, PathBuf};

use brain::brain_models::{EmbedJob, Pipeline, PipelineOptions, read_image, zoo};
use brain::core::{Item, ItemId, PreparedImage};
use futures::StreamExt as _;
use futures::executor::block_on;

use crate::Flags;
use crate::measure::{alone, once_ms, peak_mb};

pub(crate) fn run(flags: &Flags) {
    let rounds = flags.number("rounds", 3);
    let batch = PipelineOptions::default().batch_size;
    let files = photos(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../crates/brain-cli/quickstart/photos"));
    let (load, model) = once_ms(|| zoo::load(zoo::DEFAULT_MODEL).unwrap());
    println!("{}, {} photos, batches of {batch}, {} cores, best of {rounds}", model.name(), files.len(), cores());
    alone("load the model", load, "ms");
    let prepared: Vec<PreparedImage> = files.iter().map(|file| model.prepare(&read_image(file).unwrap()).unwrap()).collect();
    embed(&model, &prepared[..batch]);

    // In turn, so that the machine's moods fall on both.
    let (mut bare, mut whole) = (f64::INFINITY, f64::INFINITY);
    for _ in 0..rounds {
        let (ms, ()) = once_ms(|| prepared.chunks(batch).for_each(|chunk| embed(&model, chunk)));
        bare = bare.min(ms);
        let pipeline = Pipeline::new(model.clone(), PipelineOptions::default()).unwrap();
        let jobs = files.clone().into_iter().enumerate();
        let jobs = jobs.map(|(number, file)| EmbedJob::whole(Item::sample(ItemId::from_text(&format!("{number:024x}"))), file));
        let (ms, rows) = once_ms(|| {
            let stream = pipeline.run(jobs.collect::<Vec<_>>()).unwrap();
            block_on(stream.fold(0, |sum, batch| async move { sum + batch.unwrap().rows.len() }))
        });
        assert_eq!(rows, files.len());
        whole = whole.min(ms);
    }
    let rate = |ms: f64| files.len() as f64 / ms * 1e3;
    alone("the model alone, tensors in memory", rate(bare), "photos/s");
    alone("files to embeddings", rate(whole), "photos/s");
    alone("ratio (at least 0.9 is wanted)", rate(whole) / rate(bare), "");
    alone("peak memory", peak_mb(), "MB");
}

fn embed(model: &std::sync::Arc<dyn brain::core::Embedder>, batch: &[PreparedImage]) {
    std::hint::black_box(model.embed_images(batch).unwrap());
}

fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

fn photos(folder: &Path) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .flat_map(|path| if path.is_dir() { photos(&path) } else { vec![path] })
        .collect();
    files.sort();
    files
}
