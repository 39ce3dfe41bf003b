use std::path::Path;

use brain_core::{ErrorKind, NoProgress, PreparedImage, RgbImage};

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
fn the_built_in_model_is_what_its_manifest_says() {
    let zoo = Zoo::built_in();
    let info = zoo.info(DEFAULT_MODEL).unwrap();
    let model = zoo.load(DEFAULT_MODEL).unwrap();
    assert_eq!(info.state, ModelState::BuiltIn);
    assert_eq!(info.files[0].sha256.as_deref(), Some("c7e781f609fa68480d6dba78bd7485afeae3b05043dbee53d07020e9822bb93e"));
    assert_eq!((model.name(), model.dimension(), model.modalities()), ("efficientnet-lite0", 1280, info.manifest.modalities()));
    // Indexes are kept by it: it changes with the vectors and with nothing else.
    assert_eq!(model.fingerprint(), "efficientnet-lite0:c7e781f609fa:crop=0.875:9d197843");
    let verified = zoo.verify(DEFAULT_MODEL).unwrap();
    assert!(verified.image_ms.is_some() && verified.text_ms.is_none() && verified.fingerprint == model.fingerprint());
}

#[test]
fn an_unknown_name_is_answered_with_the_nearest_and_all() {
    let hint = |name| Zoo::built_in().info(name).unwrap_err().hint().unwrap().to_owned();
    assert_eq!(Zoo::built_in().info("resnet").unwrap_err().kind(), ErrorKind::NotFound);
    assert!(hint("efficientnet-lite-0").starts_with("did you mean \"efficientnet-lite0\"? the models are: efficientnet-lite0, conse-"));
    assert!(hint("xyz").starts_with("the models are: efficientnet-lite0, "));
}

/// A user's folder with the built-in weights as a file, and this manifest.
fn folder(manifest: serde_json::Value) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("mine.onnx"), builtin::bytes("efficientnet-lite0").unwrap()).unwrap();
    std::fs::write(folder.path().join("model.json"), manifest.to_string()).unwrap();
    folder
}

fn manifest(image: serde_json::Value) -> serde_json::Value {
    let mut tower =
        serde_json::json!({"file": "mine.onnx", "output": "features", "range": 255, "mean": [127, 127, 127], "std": [128, 128, 128], "crop": 0.875});
    tower.as_object_mut().unwrap().extend(image.as_object().unwrap().clone());
    serde_json::json!({"name": "mine", "dimension": 1280, "image": tower})
}

#[test]
fn a_folder_of_ones_own_becomes_a_model() {
    let home = tempfile::tempdir().unwrap();
    let zoo = Zoo::of_home(home.path());
    let mine = folder(manifest(serde_json::json!({})));
    let info = zoo.add(mine.path()).unwrap();
    assert_eq!((info.manifest.name.as_str(), &info.state, info.added), ("mine", &ModelState::Ready, true));
    assert!(zoo.list().unwrap().iter().any(|model| model.manifest.name == "mine"));

    // The same weights with the same settings give the same vectors, and another fingerprint, for it is another name.
    let (own, built_in) = (zoo.load("mine").unwrap(), zoo.load(DEFAULT_MODEL).unwrap());
    let batch = prepared(&*own, "lossless");
    assert_eq!(own.embed_images(&batch).unwrap(), built_in.embed_images(&batch).unwrap());
    assert!(own.fingerprint().starts_with("mine:c7e781f609fa:crop=0.875:"), "{}", own.fingerprint());

    // Settings are part of the fingerprint; names of files are not.
    let read = |image| {
        let folder = folder(manifest(image));
        let found = Zoo::of_home(folder.path()).own(folder.path(), Manifest::read(folder.path()).unwrap());
        load::load(&found, &RuntimeOptions::default()).unwrap().fingerprint
    };
    assert_eq!(read(serde_json::json!({})), own.fingerprint());
    assert_ne!(read(serde_json::json!({"interpolation": "bilinear"})), own.fingerprint());
    assert!(read(serde_json::json!({"crop": 1.0})).contains(":crop=1:"));

    // Nothing is written into a folder of ones own.
    assert_eq!(std::fs::read_dir(mine.path()).unwrap().count(), 2);

    // A name is taken once.
    assert_eq!(zoo.add(mine.path()).unwrap_err().kind(), ErrorKind::AlreadyExists);
    let verified = zoo.verify("mine").unwrap();
    assert_eq!((verified.files[0].name.as_str(), verified.files[0].checked), ("mine.onnx", crate::SumOrigin::Seen));

    // A file that changed after it was seen is named.
    std::fs::write(mine.path().join("mine.onnx"), b"something else").unwrap();
    let changed = zoo.verify("mine").unwrap_err();
    assert!(changed.kind() == ErrorKind::Corrupt && changed.message().contains("mine.onnx is not what it must be"), "{changed}");

    // What was added goes; the folder stays, and the name is free again.
    let removed = zoo.remove("mine").unwrap();
    assert_eq!((removed.bytes, removed.left_at.unwrap()), (0, std::fs::canonicalize(mine.path()).unwrap()));
    assert_eq!(std::fs::read_dir(mine.path()).unwrap().count(), 2);
    assert_eq!(zoo.remove("mine").unwrap_err().kind(), ErrorKind::NotFound);
    // One whose folder is gone is forgotten too.
    let gone = folder(manifest(serde_json::json!({})));
    zoo.add(gone.path()).unwrap();
    drop(gone);
    assert!(zoo.remove("mine").unwrap().added);
    assert_eq!(zoo.remove("mine").unwrap_err().kind(), ErrorKind::NotFound);
}

#[test]
fn what_was_fetched_is_deleted_and_what_is_built_in_stays() {
    let home = tempfile::tempdir().unwrap();
    let zoo = Zoo::of_home(home.path());
    assert_eq!(zoo.remove(DEFAULT_MODEL).unwrap_err().kind(), ErrorKind::Unsupported);
    let absent = zoo.remove("clip-vit-base32-torch").unwrap_err();
    assert!(absent.kind() == ErrorKind::NotFound && absent.message().contains("clip-vit-base-patch32 has no files here"), "{absent}");

    let place = home.path().join(FOLDER).join("clip-vit-base-patch32");
    std::fs::create_dir_all(place.join("inner")).unwrap();
    std::fs::write(place.join("image.onnx"), [0; 300]).unwrap();
    std::fs::write(place.join("inner/text.onnx.part"), [0; 20]).unwrap();
    let removed = zoo.remove("clip-vit-base32-torch").unwrap();
    assert_eq!((removed.name.as_str(), removed.bytes, removed.left_at), ("clip-vit-base-patch32", 320, None));
    assert!(!place.exists());
}

#[test]
fn a_wrong_manifest_is_told_what_the_graph_has() {
    let home = tempfile::tempdir().unwrap();
    let zoo = Zoo::of_home(home.path());
    let refused = |manifest: serde_json::Value| {
        let error = zoo.add(folder(manifest).path()).map(|_| ()).unwrap_err();
        format!("{error} | {}", error.hint().unwrap_or_default())
    };
    let with = |image| refused(manifest(image));
    let said = with(serde_json::json!({"output": null}));
    assert!(said.contains("2 outputs") && said.contains("features f32 [") && said.contains("logits f32 ["), "{said}");
    let said = with(serde_json::json!({"output": "embeds"}));
    assert!(said.contains("no output called \"embeds\"") && said.contains("features f32 ["), "{said}");
    let said = with(serde_json::json!({"input": "pixels"}));
    assert!(said.contains("no input called \"pixels\"") && said.contains("image f32 ["), "{said}");
    let said = with(serde_json::json!({"size": 384}));
    assert!(said.contains("takes pictures as image f32 [") && said.contains("[3, 384, 384]"), "{said}");
    let said = with(serde_json::json!({"layout": "nhwc"}));
    assert!(said.contains("[224, 224, 3]"), "{said}");
    let said = with(serde_json::json!({"pooling": "cls"}));
    assert!(said.contains("features f32 [") && said.contains("[batch, rows, 1280]"), "{said}");
    let mut short = manifest(serde_json::json!({}));
    short["dimension"] = 512.into();
    assert!(refused(short).contains("its manifest says [batch, 512]"));
    let mut absent = manifest(serde_json::json!({}));
    absent["image"]["file"] = "other.onnx".into();
    assert!(refused(absent).contains("other.onnx is missing"));
    assert!(zoo.added().unwrap().is_empty());
    assert_eq!(zoo.add(Path::new("/nowhere")).unwrap_err().kind(), ErrorKind::NotFound);
}

#[test]
fn a_model_that_is_not_here_says_how_to_get_it() {
    let home = tempfile::tempdir().unwrap();
    let zoo = Zoo::of_home(home.path());
    let error = zoo.load("clip-vit-base32-torch").err().unwrap();
    assert_eq!((error.kind(), error.hint()), (ErrorKind::NotFound, Some("fetch it: brain models pull clip-vit-base-patch32")));
    assert!(error.message().contains("image.onnx, text.onnx, tokenizer.json is missing from"), "{error}");
    assert!(zoo.with_text().contains(&"clip-vit-base-patch32".to_owned()) && !zoo.with_text().contains(&DEFAULT_MODEL.to_owned()));
    // Nothing is fetched for a model that is all here.
    assert_eq!(zoo.pull(DEFAULT_MODEL, &PullOptions::default(), &NoProgress).unwrap(), []);
}
