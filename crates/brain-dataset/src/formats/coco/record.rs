//! The records of a COCO file as they are written there.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use serde_json::{Map, Number, Value};

use super::super::MAX_RECORD_BYTES;

/// The id of an image, an annotation or a category: a number, in some files a text.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(untagged)]
pub(super) enum Key {
    Number(i64),
    Text(Box<str>),
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => write!(f, "{number}"),
            Self::Text(text) => write!(f, "{text:?}"),
        }
    }
}

/// An entry of `images`.
#[derive(Debug, Deserialize)]
pub(super) struct Image {
    pub(super) id: Key,
    pub(super) file_name: String,
    /// In pixels, as it stands in the file.
    #[serde(default)]
    pub(super) width: Value,
    #[serde(default)]
    pub(super) height: Value,
}

impl Image {
    pub(super) fn parse(text: &[u8]) -> Result<Self, String> {
        let image: Self = parse(text)?;
        if image.file_name.is_empty() { Err("its file_name is empty".to_owned()) } else { Ok(image) }
    }

    /// Width and height in pixels; `None` unless both are whole numbers above 0.
    pub(super) fn size(&self) -> Option<[u64; 2]> {
        let side = |value: &Value| value.as_u64().filter(|side| *side > 0);
        Some([side(&self.width)?, side(&self.height)?])
    }
}

/// An entry of `categories`.
#[derive(Debug, Deserialize)]
pub(super) struct Category {
    pub(super) id: Key,
    pub(super) name: String,
    pub(super) supercategory: Option<String>,
}

impl Category {
    pub(super) fn parse(text: &[u8]) -> Result<Self, String> {
        parse(text)
    }
}

/// An entry of `annotations`.
#[derive(Debug, Deserialize)]
pub(super) struct RawAnnotation<'a> {
    /// Files of detections often have none.
    pub(super) id: Option<Key>,
    pub(super) image_id: Key,
    pub(super) category_id: Key,
    /// `[x, y, width, height]` in pixels.
    pub(super) bbox: [f64; 4],
    #[serde(default)]
    pub(super) score: Option<f64>,
    #[serde(default)]
    pub(super) iscrowd: Option<Number>,
    /// In square pixels.
    #[serde(default)]
    pub(super) area: Option<Number>,
    /// Polygons, or a run-length mask.
    #[serde(borrow, default)]
    pub(super) segmentation: Option<&'a RawValue>,
    /// Keypoints are no labels here; named so that they are not kept as attributes.
    #[serde(default, rename = "keypoints")]
    pub(super) _keypoints: serde::de::IgnoredAny,
    #[serde(default, rename = "num_keypoints")]
    pub(super) _num_keypoints: serde::de::IgnoredAny,
    /// Whatever else an annotator wrote.
    #[serde(flatten)]
    pub(super) attributes: Map<String, Value>,
}

/// Parses one record; an empty text stands for one too long to be kept. The message is serde_json's, with the column inside the record.
pub(super) fn parse<'a, T: Deserialize<'a>>(text: &'a [u8]) -> Result<T, String> {
    if text.is_empty() {
        return Err(format!("it is longer than {} MiB", MAX_RECORD_BYTES >> 20));
    }
    serde_json::from_slice(text).map_err(|error| {
        // Python writes these as bare words; JSON has none for them.
        if has_bare_numbers(text) { format!("it holds a NaN or an Infinity, which no box can have ({error})") } else { error.to_string() }
    })
}

/// The id of a record that does not parse, where it can be made out.
pub(super) fn id_of(text: &[u8]) -> Option<Key> {
    #[derive(Deserialize)]
    struct Named {
        id: Key,
    }
    let mut text = String::from_utf8_lossy(text).into_owned();
    for word in ["NaN", "-Infinity", "Infinity"] {
        text = text.replace(word, "null");
    }
    serde_json::from_str(&text).ok().map(|Named { id }| id)
}

fn has_bare_numbers(text: &[u8]) -> bool {
    let text = String::from_utf8_lossy(text);
    text.contains("NaN") || text.contains("Infinity")
}
