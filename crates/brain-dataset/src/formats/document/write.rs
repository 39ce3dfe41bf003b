//! From a sample to a JSON document, written straight to its destination.
//!
//! Vectors are written as `f32`, in the fewest digits that read back as the same number; going through a `Value` would widen them first.

use std::fmt::Display;

use brain_core::{FieldValue, ItemId, Label, LabelClass, Labels, Region, Sample};
use serde::ser::{Error as _, SerializeMap};
use serde::{Serialize, Serializer};
use serde_json::Value;

use super::super::array;
use super::{Dialect, RESERVED_FIELDS};

/// A sample as its JSON Lines document.
///
/// ```
/// use brain_core::Sample;
/// use brain_dataset::formats::{JsonSample, sample_from_json};
/// let sample = Sample { filepath: "/photos/owl.jpg".into(), tags: vec!["night".into()], ..Sample::default() };
/// let text = serde_json::to_string(&JsonSample(&sample))?;
/// assert_eq!(text, r#"{"filepath":"/photos/owl.jpg","tags":["night"]}"#);
/// assert_eq!(sample_from_json(&text)?, sample);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// Serializing fails on what JSON cannot say (a NaN, an infinity) and on a field whose name the document needs itself, such as `tags`.
#[derive(Clone, Copy, Debug)]
pub struct JsonSample<'a>(pub &'a Sample);

impl Serialize for JsonSample<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut document = serializer.serialize_map(None)?;
        if let Some(id) = &self.0.id {
            document.serialize_entry("id", id)?;
        }
        document.serialize_entry("filepath", &self.0.filepath)?;
        if !self.0.tags.is_empty() {
            document.serialize_entry("tags", &self.0.tags)?;
        }
        fields::<S>(&mut document, self.0, Dialect::JsonLines)?;
        document.end()
    }
}

/// What FiftyOne keeps with every sample, the same for a whole export.
pub(in super::super) struct Stamp {
    /// The dataset's id, 24 hexadecimal digits.
    pub(in super::super) dataset_id: ItemId,
    /// When the export was made, RFC 3339.
    pub(in super::super) now: String,
}

/// A sample as a document of a FiftyOne export.
pub(in super::super) struct ExportedSample<'a> {
    pub(in super::super) sample: &'a Sample,
    /// Relative to the export's folder, or absolute.
    pub(in super::super) filepath: &'a str,
    pub(in super::super) stamp: &'a Stamp,
}

impl Serialize for ExportedSample<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut document = serializer.serialize_map(None)?;
        let id = self.sample.id.clone().unwrap_or_else(ItemId::generate);
        document.serialize_entry("_id", &ObjectId(&id))?;
        document.serialize_entry("filepath", self.filepath)?;
        document.serialize_entry("tags", &self.sample.tags)?;
        document.serialize_entry("_media_type", "image")?;
        document.serialize_entry("_rand", &fraction(&id))?;
        document.serialize_entry("_dataset_id", &ObjectId(&self.stamp.dataset_id))?;
        document.serialize_entry("created_at", &Wrapped("$date", &self.stamp.now))?;
        document.serialize_entry("last_modified_at", &Wrapped("$date", &self.stamp.now))?;
        fields::<S>(&mut document, self.sample, Dialect::Fiftyone)?;
        document.end()
    }
}

fn fields<S: Serializer>(document: &mut S::SerializeMap, sample: &Sample, dialect: Dialect) -> Result<(), S::Error> {
    for (name, value) in &sample.fields {
        if RESERVED_FIELDS.contains(&name.as_str()) {
            return Err(S::Error::custom(format_args!("a field is named {name:?}, which every sample has already")));
        }
        document.serialize_entry(name, &Field { name, value, dialect })?;
    }
    Ok(())
}

struct Field<'a> {
    name: &'a str,
    value: &'a FieldValue,
    dialect: Dialect,
}

impl Serialize for Field<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.value {
            FieldValue::Null => serializer.serialize_unit(),
            FieldValue::Bool(value) => serializer.serialize_bool(*value),
            FieldValue::Int(value) => serializer.serialize_i64(*value),
            FieldValue::Float(value) => serializer.serialize_f64(finite(&format_args!("field {:?}", self.name), *value)?),
            FieldValue::Text(value) => serializer.serialize_str(value),
            FieldValue::Other(value) => value.serialize(serializer),
            FieldValue::Labels(labels) => FieldLabels { labels, dialect: self.dialect }.serialize(serializer),
            FieldValue::Vector(vector) => {
                if let Some(at) = vector.iter().position(|number| !number.is_finite()) {
                    return Err(S::Error::custom(format_args!(
                        "vector {:?} holds {} at position {at}, which JSON cannot say",
                        self.name, vector[at]
                    )));
                }
                match self.dialect {
                    Dialect::JsonLines => vector.serialize(serializer),
                    Dialect::Fiftyone => {
                        let base64 = array::encode(vector).map_err(S::Error::custom)?;
                        Wrapped("$binary", &serde_json::json!({ "base64": base64, "subType": "00" })).serialize(serializer)
                    }
                }
            }
        }
    }
}

struct FieldLabels<'a> {
    labels: &'a Labels,
    dialect: Dialect,
}

impl Serialize for FieldLabels<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let class = self.labels.class;
        let elements: Vec<_> = self.labels.labels.iter().map(|label| Element { label, class, dialect: self.dialect }).collect();
        match (class.list_key(), elements.as_slice()) {
            (Some(key), _) => {
                let mut document = serializer.serialize_map(Some(2))?;
                document.serialize_entry("_cls", class.as_str())?;
                document.serialize_entry(key, &elements)?;
                document.end()
            }
            (None, [label]) => label.serialize(serializer),
            (None, labels) => Err(S::Error::custom(format_args!("a Classification holds {} labels instead of one", labels.len()))),
        }
    }
}

struct Element<'a> {
    label: &'a Label,
    class: LabelClass,
    dialect: Dialect,
}

impl Serialize for Element<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Label { id, label, confidence, region, tags, attributes } = self.label;
        let mut document = serializer.serialize_map(None)?;
        document.serialize_entry("_cls", self.class.element())?;
        match (self.dialect, id) {
            (Dialect::JsonLines, Some(id)) => document.serialize_entry("id", id)?,
            (Dialect::JsonLines, None) => {}
            (Dialect::Fiftyone, Some(id)) => document.serialize_entry("_id", &ObjectId(id))?,
            (Dialect::Fiftyone, None) => document.serialize_entry("_id", &ObjectId(&ItemId::generate()))?,
        }
        if self.dialect == Dialect::Fiftyone || !tags.is_empty() {
            document.serialize_entry("tags", tags)?;
        }
        if let Some(label) = label {
            document.serialize_entry("label", label)?;
        }
        if let Some(confidence) = confidence {
            document.serialize_entry("confidence", &finite(&"a confidence", *confidence)?)?;
        }
        self.region::<S>(&mut document, region.as_ref())?;
        for (name, value) in attributes.iter().filter(|(name, _)| !self.class.owns(name)) {
            document.serialize_entry(name, value)?;
        }
        if self.dialect == Dialect::Fiftyone && self.class.has_regions() && !attributes.contains_key("attributes") {
            document.serialize_entry("attributes", &Value::Object(serde_json::Map::new()))?;
        }
        document.end()
    }
}

impl Element<'_> {
    /// Writes the label's region.
    fn region<S: Serializer>(&self, document: &mut S::SerializeMap, region: Option<&Region>) -> Result<(), S::Error> {
        match (self.class, region) {
            (LabelClass::Detections, Some(Region::Box(sides))) => {
                sides.iter().try_for_each(|side| finite(&"a bounding_box", *side).map(drop))?;
                document.serialize_entry("bounding_box", sides)
            }
            (LabelClass::Polylines, Some(Region::Lines(lines))) => {
                lines.iter().flatten().flatten().try_for_each(|number| finite(&"a polyline", *number).map(drop))?;
                document.serialize_entry("points", lines)
            }
            (LabelClass::Classification | LabelClass::Classifications, None) => Ok(()),
            (class, Some(_)) => Err(S::Error::custom(format_args!("a {} has a region of another class", class.element()))),
            (class, None) => Err(S::Error::custom(format_args!("a {} has no region", class.element()))),
        }
    }
}

fn finite<E: serde::ser::Error>(what: &dyn Display, number: f64) -> Result<f64, E> {
    if number.is_finite() { Ok(number) } else { Err(E::custom(format_args!("{what} holds {number}, which JSON cannot say"))) }
}

/// `{"$date": …}` and its like.
struct Wrapped<'a, T>(&'static str, &'a T);

impl<T: Serialize> Serialize for Wrapped<'_, T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map([(self.0, self.1)])
    }
}

/// `{"$oid": …}`; only 24 hexadecimal digits can be one.
struct ObjectId<'a>(&'a ItemId);

impl Serialize for ObjectId<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.0.as_bytes().is_none() {
            return Err(S::Error::custom(format_args!("id {:?} is not 24 hexadecimal digits, as FiftyOne's are", self.0.to_string())));
        }
        Wrapped("$oid", self.0).serialize(serializer)
    }
}

/// FiftyOne's `_rand`, a number in [0, 1) that random samples are drawn by; here one that follows from the id, so that exports repeat.
fn fraction(id: &ItemId) -> f64 {
    let bytes = id.as_bytes().copied().unwrap_or_default();
    // FNV-1a, 64 bits: cheap and even.
    let hash = bytes.iter().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3));
    (hash >> 11) as f64 / (1_u64 << 53) as f64
}
