//! The whole embedding pipeline against the runtime alone, on tensors that are in memory: two models, two runtimes, one thread and two.
//!
//! `--model NAME` measures one of the models. `--peers PYTHON` adds what a Python program does with ONNX Runtime and Pillow on the same photos, and how well
//! patches are found there.

mod patches;
mod peers;
mod vit;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use brain::brain_models::{EmbedJob, OnnxRuntime, Pipeline, PipelineOptions, Runtime, RuntimeOptions, Threads, Zoo, read_image, zoo};
use brain::core::{Embedder, Item, ItemId, PreparedImage};
use futures::StreamExt as _;
use futures::executor::block_on;

use crate::Flags;
use crate::measure::{alone, once_ms, peak_mb, reset_peak};

/// A model, and the file that others run.
struct Subject {
    name: &'static str,
    file: PathBuf,
    /// How many photos are enough to measure with.
    photos: usize,
    /// How the photos become tensors, for others: crop, mean and deviation of each channel.
    preprocessing: (f64, [f64; 3], [f64; 3]),
}

/// One way to run it.
#[derive(Clone)]
struct Way {
    name: String,
    options: RuntimeOptions,
    threads: usize,
}

pub(crate) fn run(flags: &Flags) {
    let rounds = flags.number("rounds", 5);
    let home = tempfile::tempdir().unwrap();
    let folder = home.path().join(vit::NAME);
    std::fs::create_dir(&folder).unwrap();
    vit::write(&folder);
    let zoo = Zoo::of_home(home.path());
    zoo.add(&folder).unwrap();

    let crates = Path::new(env!("CARGO_MANIFEST_DIR")).join("../crates");
    let photos = photos(&crates.join("brain-cli/quickstart/photos"));
    let subjects = [
        Subject {
            name: zoo::DEFAULT_MODEL,
            file: crates.join("brain-models/models/efficientnet-lite0/efficientnet-lite0-f16.onnx"),
            photos: flags.number("photos", photos.len()).min(photos.len()),
            preprocessing: (0.875, [127.0; 3], [128.0; 3]),
        },
        Subject {
            name: vit::NAME,
            file: folder.join("image.onnx"),
            photos: flags.number("photos", 64).min(64),
            preprocessing: (
                1.0,
                [0.48145466, 0.4578275, 0.40821073].map(|mean| mean * 255.0),
                [0.26862954, 0.26130258, 0.27577711].map(|std| std * 255.0),
            ),
        },
    ];
    println!("batches of {}, {} cores, best of {rounds}", PipelineOptions::default().batch_size, cores());
    for subject in subjects.iter().filter(|subject| flags.text("model").is_none_or(|model| model == subject.name)) {
        let photos = &photos[..subject.photos];
        for way in ways() {
            measure(&zoo.clone().with_runtime(way.options.clone()), subject, &way, photos, rounds);
        }
        if let Some(python) = flags.text("peers") {
            peers::compare(python, &zoo, subject, photos, rounds);
        }
    }
    let (share, embedded) = patches::share(&zoo, &crates.join("brain-cli/quickstart/scenes"));
    alone(&format!("same class among the ten nearest of {embedded} patches"), share, "");
    if let Some(python) = flags.text("peers") {
        peers::patches(python, &subjects[0], &crates.join("brain-cli/quickstart/scenes"), share);
    }
}

fn ways() -> Vec<Way> {
    let runtimes = [("rten", Runtime::Rten), ("onnxruntime", Runtime::OnnxRuntime(OnnxRuntime::default()))];
    let way = |(name, runtime): &(&str, Runtime), threads: usize| {
        let options = RuntimeOptions { runtime: runtime.clone(), threads: Threads::Exactly(threads.try_into().unwrap()) };
        Way { name: format!("{name}, {}", peers::count(threads)), options, threads }
    };
    runtimes.iter().flat_map(|runtime| [1, 2].map(|threads| way(runtime, threads))).collect()
}

/// Prints how fast a model is alone and in the pipeline.
fn measure(zoo: &Zoo, subject: &Subject, way: &Way, files: &[PathBuf], rounds: usize) {
    println!("\n{} by {}, {} photos", subject.name, way.name, files.len());
    reset_peak();
    let (load, model) = once_ms(|| zoo.load(subject.name).unwrap());
    alone("  load the model", load, "ms");
    let batch = PipelineOptions::default().batch_size;
    let prepared: Vec<PreparedImage> = files.iter().map(|file| model.prepare(&read_image(file).unwrap()).unwrap()).collect();
    embed(&model, &prepared[..batch.min(prepared.len())]);

    // In turn, so that the machine's moods fall on both.
    let (mut bare, mut whole) = (f64::INFINITY, f64::INFINITY);
    for _ in 0..rounds {
        bare = bare.min(once_ms(|| prepared.chunks(batch).for_each(|chunk| embed(&model, chunk))).0);
        whole = whole.min(once_ms(|| through_the_pipeline(&model, files)).0);
    }
    let rate = |ms: f64| files.len() as f64 / ms * 1e3;
    alone("  the runtime alone, tensors in memory", rate(bare), "photos/s");
    alone("  files to embeddings", rate(whole), "photos/s");
    alone("  ratio (at least 0.9 is wanted)", rate(whole) / rate(bare), "");
    alone("  peak memory, the tensors included", peak_mb(), "MB");
}

fn through_the_pipeline(model: &Arc<dyn Embedder>, files: &[PathBuf]) {
    let pipeline = Pipeline::new(model.clone(), PipelineOptions::default()).unwrap();
    let jobs: Vec<_> = files.iter().enumerate().map(|(number, file)| EmbedJob::whole(item(number), file)).collect();
    let rows = block_on(pipeline.run(jobs).unwrap().fold(0, |sum, batch| async move { sum + batch.unwrap().rows.len() }));
    assert_eq!(rows, files.len());
}

fn item(number: usize) -> Item {
    Item::sample(ItemId::from_text(&format!("{number:024x}")))
}

fn embed(model: &Arc<dyn Embedder>, batch: &[PreparedImage]) {
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
    // Classes in turn, so that the first few are of all.
    files.sort_by_key(|file| file.file_stem().and_then(|stem| stem.to_str()?.rsplit('-').next().map(str::to_owned)));
    files
}
