use super::*;
use crate::builtin;

fn wrong(change: impl FnOnce(&mut serde_json::Value)) -> String {
    let mut manifest = serde_json::json!({
        "name": "m", "dimension": 4, "image": {"file": "m.onnx"},
        "text": {"file": "t.onnx", "tokenizer": {"file": "tokenizer.json", "context": 8}},
    });
    change(&mut manifest);
    Manifest::parse(&manifest.to_string(), "model.json").map_or_else(|error| error.message().to_owned(), |_| String::new())
}

#[test]
fn every_manifest_of_this_build_reads_and_its_names_are_its_own() {
    let manifests = builtin::manifests();
    assert_eq!(manifests.len(), 8);
    let names: Vec<String> = manifests
        .iter()
        .flat_map(|manifest| {
            let variants = manifest.variants.keys().map(|variant| manifest.variant(variant).unwrap()).collect::<Vec<_>>();
            std::iter::once(manifest.clone()).chain(variants)
        })
        .flat_map(|manifest| std::iter::once(manifest.name).chain(manifest.aliases))
        .collect();
    let distinct: std::collections::BTreeSet<_> = names.iter().collect();
    assert_eq!(distinct.len(), names.len());
    for name in ["clip-vit-base32-torch", "clip-vit-base-patch32-int8", "clip-vit-base32-torch-int8", "conse-efficientnet-lite0-minilm"] {
        assert!(names.iter().any(|known| known == name), "{name}");
    }
    // Every file that a model needs is of this build or can be fetched, and a hub's files lie under the manifest's licence and source.
    for manifest in manifests {
        assert!(!manifest.licence.is_empty() && !manifest.source.is_empty() && !manifest.description.is_empty());
        for file in manifest.needed() {
            assert!(file.starts_with(builtin::PREFIX) || manifest.files.contains_key(file), "{} {file}", manifest.name);
        }
    }
}

#[test]
fn a_variant_has_its_own_files_and_says_so() {
    let clip = builtin::manifests().iter().find(|manifest| manifest.name == "clip-vit-base-patch32").unwrap();
    let int8 = clip.variant("int8").unwrap();
    assert_eq!((int8.precision, int8.image.as_ref()), (Precision::Int8, clip.image.as_ref()));
    assert_eq!(int8.files["image.onnx"].path, "onnx/vision_model_quantized.onnx");
    assert_eq!(int8.files["tokenizer.json"], clip.files["tokenizer.json"]);
    assert!(clip.variant("int4").is_none());
}

#[test]
fn what_cannot_be_meant_is_named() {
    assert_eq!(wrong(|_| {}), "");
    for (pointer, value, message) in [
        ("/name", "../m", "no name of a model"),
        ("/name", ".m", "no name of a model"),
        ("/image/file", "../m.onnx", "names no file inside the model's folder"),
        ("/image/file", "/m.onnx", "names no file inside the model's folder"),
        ("/image/file", "builtin:none", "names no file inside the model's folder"),
    ] {
        assert!(wrong(|manifest| *manifest.pointer_mut(pointer).unwrap() = value.into()).contains(message), "{pointer} {value}");
    }
    for (tower, key, value, message) in [
        ("image", "crop", serde_json::json!(1.5), "the crop is 1.5"),
        ("image", "size", serde_json::json!(0), "the size is 0"),
        ("image", "std", serde_json::json!([1, 0, 1]), "std"),
        ("image", "mean", serde_json::json!([1, 1]), "invalid length 2"),
        ("image", "pooling", serde_json::json!("max"), "unknown variant `max`, expected one of `none`, `cls`, `mean`"),
        ("image", "sise", serde_json::json!(224), "unknown field `sise`"),
        ("image", "classes", serde_json::json!({"file": "c.tsv", "sentence": "a photo", "top": 1}), "does not name {lemmas}"),
    ] {
        let said = wrong(|manifest| manifest[tower][key] = value.clone());
        assert!(said.contains(message), "{key}: {said}");
    }
    assert!(wrong(|manifest| manifest["text"]["tokenizer"]["context"] = 1.into()).contains("context of 1"));
    assert!(wrong(|manifest| manifest["dimension"] = 0.into()).contains("dimension is 0"));
    let files = serde_json::json!({"m.onnx": {"path": "m.onnx"}});
    assert!(wrong(|manifest| manifest["files"] = files.clone()).contains("comes from a hub or package that is not described"));
    let neither = wrong(|manifest| {
        manifest.as_object_mut().unwrap().remove("image");
        manifest.as_object_mut().unwrap().remove("text");
    });
    assert!(neither.contains("neither"), "{neither}");
}
