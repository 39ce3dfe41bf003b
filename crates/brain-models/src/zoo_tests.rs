use std::path::Path;

use brain_core::{ErrorKind, PreparedImage, RgbImage};
use sha2::{Digest, Sha256};

use super::*;
use crate::read_image;

fn cosine(a: &[f32], b: &[f32]) -> f32 {
    let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f32>();
    dot(a, b) / (dot(a, a) * dot(b, b)).sqrt()
}

/// The pictures in a folder of the fixtures, by name, ready for the model.
fn prepared(model: &dyn Embedder, folder: &str) -> Vec<PreparedImage> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures").join(folder);
    let mut photos: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    photos.sort();
    photos.iter().map(|photo| model.prepare(&read_image(photo).unwrap()).unwrap()).collect()
}

#[test]
fn embeddings_agree_with_onnx_runtime() {
    let golden = std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/embeddings.f32")).unwrap();
    let golden: Vec<f32> = golden.chunks_exact(4).map(|bytes| f32::from_le_bytes(bytes.try_into().unwrap())).collect();
    assert_eq!(golden.len(), 10 * 1280);
    let model = load(DEFAULT_MODEL).unwrap();

    // From the same pixels: what remains is the rounding of the weights to f16.
    let batch = prepared(&*model, "lossless");
    let vectors = model.embed_images(&batch).unwrap();
    let worst = worst_cosine(&vectors, &golden);
    assert!(worst >= 0.9999, "{worst}");

    // From the JPEG files: the same pixels, and so the same vectors.
    assert_eq!(model.embed_images(&prepared(&*model, "photos")).unwrap(), vectors);

    // A picture's vector does not depend on the batch it comes in.
    assert_eq!(model.embed_images(&batch[3..4]).unwrap(), vectors[3 * 1280..4 * 1280]);
    assert_eq!(model.embed_images(&[]).unwrap(), Vec::<f32>::new());
}

fn worst_cosine(ours: &[f32], theirs: &[f32]) -> f32 {
    assert_eq!(ours.len(), theirs.len());
    ours.chunks_exact(1280).zip(theirs.chunks_exact(1280)).map(|(a, b)| cosine(a, b)).fold(1.0, f32::min)
}

#[test]
fn what_the_model_cannot_do_is_said() {
    let model = load(DEFAULT_MODEL).unwrap();
    assert_eq!(model.embed_text(&["a cat".to_owned()]).unwrap_err().kind(), ErrorKind::Unsupported);
    let empty = RgbImage { width: 0, height: 0, pixels: vec![] };
    assert_eq!(model.prepare(&empty).unwrap_err().kind(), ErrorKind::InvalidInput);
    let foreign = PreparedImage(vec![0.0; 7]);
    assert_eq!(model.embed_images(&[foreign]).unwrap_err().kind(), ErrorKind::InvalidInput);
}

#[test]
fn the_manifest_tells_the_truth() {
    let info = info(DEFAULT_MODEL).unwrap();
    let model = load(DEFAULT_MODEL).unwrap();
    let digest: String = Sha256::digest(EFFICIENTNET_LITE0).iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(info.sha256, digest);
    assert_eq!((model.name(), model.dimension(), model.modalities()), (info.name, info.dimension, info.modalities));
    assert_eq!(model.fingerprint(), "efficientnet-lite0:c7e781f609fa:crop=0.875");
}

#[test]
fn an_unknown_name_is_answered_with_the_nearest_and_all() {
    let hint = |name| info(name).unwrap_err().hint().unwrap().to_owned();
    assert_eq!(info("resnet").unwrap_err().kind(), ErrorKind::NotFound);
    assert_eq!(hint("efficientnet-lite-0"), "did you mean \"efficientnet-lite0\"? the models are: efficientnet-lite0");
    assert_eq!(hint("clip"), "the models are: efficientnet-lite0");
}
