//! Golden vectors from the files on: photos and prompts, through decoder, preprocessing and tokenizer, as PyTorch and transformers embed them.
//!
//! All agree to 1e-4: the pixels of photos, decoded and resized, are Pillow's to the bit.

use std::path::{Path, PathBuf};

use brain_core::ErrorKind;
use serde::Deserialize;

use crate::{Runtime, RuntimeOptions, Zoo, read_image};

/// What transformers says of the models in `fixtures/golden`.
#[derive(Deserialize)]
struct Golden {
    pictures: Vec<Seen>,
    prompts: Vec<Read>,
}

#[derive(Deserialize)]
struct Seen {
    file: String,
    embedding: Vec<f32>,
}

#[derive(Deserialize)]
struct Read {
    text: String,
    embedding: Vec<f32>,
}

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures")
}

#[test]
fn photos_and_prompts_are_embedded_as_transformers_embeds_them() {
    let runtimes = [
        Runtime::Rten,
        #[cfg(feature = "onnxruntime")]
        Runtime::OnnxRuntime(crate::OnnxRuntime::default()),
        // Whichever the environment names: a machine with a card is asked to compute on it so.
        RuntimeOptions::of_environment().unwrap().runtime,
    ];
    for (runtime, model) in runtimes.iter().flat_map(|runtime| ["clip", "siglip", "dinov2"].map(|model| (runtime, model))) {
        let (home, folder) = (tempfile::tempdir().unwrap(), fixtures().join("golden").join(model));
        let zoo = Zoo::of_home(home.path()).with_runtime(RuntimeOptions { runtime: runtime.clone(), ..RuntimeOptions::default() });
        zoo.add(&folder).unwrap();
        let embedder = zoo.load(&format!("tiny-{model}")).unwrap();
        let golden: Golden = serde_json::from_slice(&std::fs::read(folder.join("golden.json")).unwrap()).unwrap();
        let assert_near = |ours: &[f32], theirs: &[f32], what: &str| {
            assert_eq!(ours.len(), theirs.len());
            let worst = ours.iter().zip(theirs).map(|(ours, theirs)| (ours - theirs).abs()).fold(0.0, f32::max);
            assert!(worst <= 1e-4, "{model} by {runtime:?}, {what}: {worst}");
        };

        let photos: Vec<_> = golden.pictures.iter().map(|seen| read_image(&fixtures().join("photos").join(&seen.file)).unwrap()).collect();
        let prepared: Vec<_> = photos.iter().map(|photo| embedder.prepare(photo).unwrap()).collect();
        let vectors = embedder.embed_images(&prepared).unwrap();
        for (ours, seen) in vectors.chunks_exact(embedder.dimension()).zip(&golden.pictures) {
            assert_near(ours, &seen.embedding, &seen.file);
        }

        let (empty, prompts): (Vec<_>, Vec<_>) = golden.prompts.iter().partition(|read| read.text.is_empty());
        assert!(empty.iter().all(|read| embedder.embed_text(std::slice::from_ref(&read.text)).unwrap_err().kind() == ErrorKind::InvalidInput));
        if !prompts.is_empty() {
            let vectors = embedder.embed_text(&prompts.iter().map(|read| read.text.clone()).collect::<Vec<_>>()).unwrap();
            for (ours, read) in vectors.chunks_exact(embedder.dimension()).zip(&prompts) {
                assert_near(ours, &read.embedding, &read.text);
            }
        }
    }
}
