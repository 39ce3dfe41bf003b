//! What is linked into the program: the manifests of the zoo, the weights of its smallest model, the names of ImageNet's classes.

use std::sync::LazyLock;

use crate::manifest::Manifest;

/// What names of files begin with that are linked in.
pub(crate) const PREFIX: &str = "builtin:";

static EFFICIENTNET_LITE0: &[u8] = include_bytes!("../models/efficientnet-lite0/efficientnet-lite0-f16.onnx");
static IMAGENET_CLASSES: &[u8] = include_bytes!("../models/imagenet-classes/imagenet-classes.tsv");

/// The manifests, the default model's first.
const MANIFESTS: [&str; 8] = [
    include_str!("../models/efficientnet-lite0/model.json"),
    include_str!("../models/conse-efficientnet-lite0-minilm/model.json"),
    include_str!("../models/clip-vit-base-patch32/model.json"),
    include_str!("../models/clip-vit-large-patch14/model.json"),
    include_str!("../models/siglip-base-patch16-224/model.json"),
    include_str!("../models/dinov2-small/model.json"),
    include_str!("../models/mobilenet-v2/model.json"),
    include_str!("../models/resnet-50/model.json"),
];

/// A file that is linked in, by the name behind the prefix.
pub(crate) fn bytes(name: &str) -> Option<&'static [u8]> {
    match name {
        "efficientnet-lite0" => Some(EFFICIENTNET_LITE0),
        "imagenet-classes" => Some(IMAGENET_CLASSES),
        _ => None,
    }
}

/// The manifests of the zoo.
pub(crate) fn manifests() -> &'static [Manifest] {
    // A test reads every one: none is left out at run time.
    static PARSED: LazyLock<Vec<Manifest>> =
        LazyLock::new(|| MANIFESTS.iter().filter_map(|text| Manifest::parse(text, "a manifest of this build").ok()).collect());
    &PARSED
}
