//! The schema of an export: what FiftyOne must know of each field to load its samples.

use brain_core::{FieldValue, LabelClass, timestamp};
use serde_json::{Map, Value, json};

/// What a field holds, as far as it has been seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// Only nulls so far.
    Unknown,
    Bool,
    Int,
    Float,
    Text,
    Vector,
    Labels(LabelClass),
    Date,
    ObjectId,
    Array,
    Dict,
    /// A list whose elements are all of one simple type, or are not.
    List(Option<&'static str>),
    /// A document of one of FiftyOne's classes: its module and name.
    Document(&'static str),
}

/// FiftyOne's classes that this library keeps as documents.
const DOCUMENTS: [(&str, &str); 12] = [
    ("ImageMetadata", "fiftyone.core.metadata.ImageMetadata"),
    ("Metadata", "fiftyone.core.metadata.Metadata"),
    ("Regression", "fiftyone.core.labels.Regression"),
    ("Keypoint", "fiftyone.core.labels.Keypoint"),
    ("Keypoints", "fiftyone.core.labels.Keypoints"),
    ("Segmentation", "fiftyone.core.labels.Segmentation"),
    ("Heatmap", "fiftyone.core.labels.Heatmap"),
    ("GeoLocation", "fiftyone.core.labels.GeoLocation"),
    ("GeoLocations", "fiftyone.core.labels.GeoLocations"),
    ("TemporalDetection", "fiftyone.core.labels.TemporalDetection"),
    ("TemporalDetections", "fiftyone.core.labels.TemporalDetections"),
    ("DynamicEmbeddedDocument", "fiftyone.core.odm.embedded_document.DynamicEmbeddedDocument"),
];

const BOOLEAN: &str = "fiftyone.core.fields.BooleanField";
const INT: &str = "fiftyone.core.fields.IntField";
const FLOAT: &str = "fiftyone.core.fields.FloatField";
const STRING: &str = "fiftyone.core.fields.StringField";
const VECTOR: &str = "fiftyone.core.fields.VectorField";
const ARRAY: &str = "fiftyone.core.fields.ArrayField";
const DATE: &str = "fiftyone.core.fields.DateTimeField";
const OBJECT_ID: &str = "fiftyone.core.fields.ObjectIdField";
const DICT: &str = "fiftyone.core.fields.DictField";
const LIST: &str = "fiftyone.core.fields.ListField";
const EMBEDDED: &str = "fiftyone.core.fields.EmbeddedDocumentField";
const POINTS: &str = "fiftyone.core.fields.PolylinePointsField";

impl Kind {
    fn of(value: &FieldValue) -> Self {
        match value {
            FieldValue::Null => Self::Unknown,
            FieldValue::Bool(_) => Self::Bool,
            FieldValue::Int(_) => Self::Int,
            FieldValue::Float(_) => Self::Float,
            FieldValue::Text(_) => Self::Text,
            FieldValue::Vector(_) => Self::Vector,
            FieldValue::Labels(labels) => Self::Labels(labels.class),
            FieldValue::Other(Value::Array(list)) => Self::List(element_type(list)),
            FieldValue::Other(Value::Object(document)) => Self::of_document(document),
            // A whole number beyond 64 signed bits is the one scalar kept as it came.
            FieldValue::Other(_) => Self::Float,
        }
    }

    fn of_document(document: &Map<String, Value>) -> Self {
        if let Some(class) = document.get("_cls").and_then(Value::as_str) {
            return DOCUMENTS.iter().find(|(name, _)| *name == class).map_or(Self::Dict, |(_, path)| Self::Document(path));
        }
        match document.keys().next().map(String::as_str) {
            Some("$date") => Self::Date,
            Some("$oid") => Self::ObjectId,
            Some("$binary") => Self::Array,
            _ => Self::Dict,
        }
    }

    /// What a field holds that holds both; `None` when FiftyOne has no type for that.
    fn with(self, other: Self) -> Option<Self> {
        Some(match (self, other) {
            (a, b) if a == b => a,
            (Self::Unknown, known) | (known, Self::Unknown) => known,
            (Self::Int | Self::Float, Self::Int | Self::Float) => Self::Float,
            (Self::List(_), Self::List(_)) => Self::List(None),
            (Self::Vector | Self::Array, Self::Vector | Self::Array) => Self::Array,
            _ => return None,
        })
    }

    fn describe(self) -> &'static str {
        match self {
            Self::Unknown => "nothing",
            Self::Bool => "booleans",
            Self::Int => "whole numbers",
            Self::Float => "numbers",
            Self::Text => "text",
            Self::Vector => "vectors",
            Self::Labels(class) => class.as_str(),
            Self::Date => "dates",
            Self::ObjectId => "ids",
            Self::Array => "arrays",
            Self::Dict => "documents",
            Self::List(_) => "lists",
            Self::Document(path) => path,
        }
    }
}

/// The type of a list's elements where they share one.
fn element_type(list: &[Value]) -> Option<&'static str> {
    let of = |value: &Value| match value {
        Value::String(_) => Some(STRING),
        Value::Bool(_) => Some(BOOLEAN),
        Value::Number(number) if number.is_f64() => Some(FLOAT),
        Value::Number(_) => Some(INT),
        _ => None,
    };
    let first = of(list.first()?)?;
    list.iter().all(|value| of(value) == Some(first)).then_some(first)
}

/// The fields met so far, in the order they were first seen.
#[derive(Debug, Default)]
pub(super) struct Fields {
    kinds: Vec<(String, Kind)>,
}

impl Fields {
    /// Learns what a sample's field holds.
    ///
    /// # Errors
    /// A sentence, when an earlier sample held something else there; FiftyOne gives a field one type.
    pub(super) fn learn(&mut self, name: &str, value: &FieldValue) -> Result<(), String> {
        let kind = Kind::of(value);
        let Some((_, known)) = self.kinds.iter_mut().find(|(known, _)| known == name) else {
            self.kinds.push((name.to_owned(), kind));
            return Ok(());
        };
        match known.with(kind) {
            Some(both) => *known = both,
            None => return Err(format!("field {name:?} holds {} here and {} in earlier samples", kind.describe(), known.describe())),
        }
        Ok(())
    }

    /// `sample_fields` of `metadata.json`.
    pub(super) fn schema(&self, now: &str) -> Vec<Value> {
        let own = [
            ("id", OBJECT_ID, "_id"),
            ("filepath", STRING, "filepath"),
            ("tags", LIST, "tags"),
            ("_media_type", STRING, "_media_type"),
            ("_rand", FLOAT, "_rand"),
            ("_dataset_id", OBJECT_ID, "_dataset_id"),
            ("created_at", DATE, "created_at"),
            ("last_modified_at", DATE, "last_modified_at"),
        ];
        let own = own.into_iter().map(|(name, class, stored)| {
            let read_only = class == DATE;
            let subfield = (class == LIST).then_some(STRING);
            let mut field = Field { name, class, stored, subfield, ..Field::default() }.document(now);
            field["read_only"] = Value::Bool(read_only);
            field
        });
        own.chain(self.kinds.iter().map(|(name, kind)| field(name, *kind).document(now))).collect()
    }
}

/// One entry of a schema.
#[derive(Default)]
struct Field<'a> {
    name: &'a str,
    class: &'static str,
    stored: &'a str,
    document: Option<&'static str>,
    subfield: Option<&'static str>,
    fields: Vec<Value>,
}

impl Field<'_> {
    fn document(self, now: &str) -> Value {
        json!({
            "name": self.name, "ftype": self.class, "embedded_doc_type": self.document, "subfield": self.subfield, "fields": self.fields,
            "db_field": self.stored, "description": null, "info": null, "read_only": false, "created_at": { "$date": now },
        })
    }
}

fn field(name: &str, kind: Kind) -> Field<'_> {
    let simple = |class| Field { name, class, stored: name, ..Field::default() };
    match kind {
        // FiftyOne knows no field without a type; any will do for nulls.
        Kind::Unknown | Kind::Text => simple(STRING),
        Kind::Bool => simple(BOOLEAN),
        Kind::Int => simple(INT),
        Kind::Float => simple(FLOAT),
        Kind::Vector => simple(VECTOR),
        Kind::Array => simple(ARRAY),
        Kind::Date => simple(DATE),
        Kind::ObjectId => simple(OBJECT_ID),
        Kind::Dict => simple(DICT),
        Kind::List(subfield) => Field { subfield, ..simple(LIST) },
        Kind::Document(path) => Field { document: Some(path), ..simple(EMBEDDED) },
        Kind::Labels(class) => labels(name, class),
    }
}

/// A label field with the attributes that FiftyOne declares for its class.
fn labels(name: &str, class: LabelClass) -> Field<'_> {
    let plain = |entries: &[(&'static str, &'static str)]| -> Vec<Value> {
        let entry = |(name, class): &(&'static str, &'static str)| {
            let stored = if *name == "id" { "_id" } else { name };
            let subfield = match *name {
                "tags" => Some(STRING),
                "bounding_box" => Some(FLOAT),
                "attributes" => Some(EMBEDDED),
                _ => None,
            };
            let document = (*name == "attributes").then_some("fiftyone.core.labels.Attribute");
            let mut entry = Field { name, class, stored, document, subfield, fields: Vec::new() }.document(&timestamp::rfc3339(0));
            entry["created_at"] = Value::Null;
            entry
        };
        entries.iter().map(entry).collect()
    };
    let (document, element, attributes): (_, _, &[_]) = match class {
        LabelClass::Classification | LabelClass::Classifications => (
            "fiftyone.core.labels.Classifications",
            "fiftyone.core.labels.Classification",
            &[("id", OBJECT_ID), ("tags", LIST), ("label", STRING), ("confidence", FLOAT), ("logits", VECTOR)],
        ),
        LabelClass::Detections => (
            "fiftyone.core.labels.Detections",
            "fiftyone.core.labels.Detection",
            &[
                ("id", OBJECT_ID),
                ("tags", LIST),
                ("attributes", DICT),
                ("label", STRING),
                ("bounding_box", LIST),
                ("mask", ARRAY),
                ("mask_path", STRING),
                ("confidence", FLOAT),
                ("index", INT),
            ],
        ),
        LabelClass::Polylines => (
            "fiftyone.core.labels.Polylines",
            "fiftyone.core.labels.Polyline",
            &[
                ("id", OBJECT_ID),
                ("tags", LIST),
                ("attributes", DICT),
                ("label", STRING),
                ("points", POINTS),
                ("confidence", FLOAT),
                ("index", INT),
                ("closed", BOOLEAN),
                ("filled", BOOLEAN),
            ],
        ),
    };
    let Some(key) = class.list_key() else {
        return Field { name, class: EMBEDDED, stored: name, document: Some(element), subfield: None, fields: plain(attributes) };
    };
    let mut list =
        Field { name: key, class: LIST, stored: key, document: Some(element), subfield: Some(EMBEDDED), fields: plain(attributes) }.document("");
    list["created_at"] = Value::Null;
    let mut fields = vec![list];
    if class == LabelClass::Classifications {
        fields.extend(plain(&[("logits", VECTOR)]));
    }
    Field { name, class: EMBEDDED, stored: name, document: Some(document), subfield: None, fields }
}
