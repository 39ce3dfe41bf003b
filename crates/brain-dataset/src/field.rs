//! The type of a field, and how types meet.

use std::collections::BTreeMap;
use std::fmt;

use brain_core::{FieldValue, LabelClass};
use serde::{Serialize, Serializer};
use serde_json::Value;

/// What the values of a field are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FieldType {
    /// Declared, but no sample has had a value yet.
    Null,
    /// True or false.
    Bool,
    /// Whole numbers. Becomes [`Float`](Self::Float) when a fraction comes.
    Int,
    /// Numbers.
    Float,
    /// Text.
    Text,
    /// Vectors of `f32`.
    Vector,
    /// Labels of one class.
    Labels(LabelClass),
    /// Anything else (lists, documents): kept as it came, open to `exists` only. The type of a label attribute with values of several types, too.
    Other,
}

const NAMES: [(&str, FieldType); 11] = [
    ("null", FieldType::Null),
    ("bool", FieldType::Bool),
    ("int", FieldType::Int),
    ("float", FieldType::Float),
    ("text", FieldType::Text),
    ("vector", FieldType::Vector),
    ("Classification", FieldType::Labels(LabelClass::Classification)),
    ("Classifications", FieldType::Labels(LabelClass::Classifications)),
    ("Detections", FieldType::Labels(LabelClass::Detections)),
    ("Polylines", FieldType::Labels(LabelClass::Polylines)),
    ("other", FieldType::Other),
];

impl FieldType {
    /// The type's name: `bool`, `int`, `float`, `text`, `vector`, `other`, `null`, or the class of the labels.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool => "bool",
            Self::Int => "int",
            Self::Float => "float",
            Self::Text => "text",
            Self::Vector => "vector",
            Self::Labels(class) => class.as_str(),
            Self::Other => "other",
        }
    }

    /// The type of this value.
    pub fn of(value: &FieldValue) -> Self {
        match value {
            FieldValue::Null => Self::Null,
            FieldValue::Bool(_) => Self::Bool,
            FieldValue::Int(_) => Self::Int,
            FieldValue::Float(_) => Self::Float,
            FieldValue::Text(_) => Self::Text,
            FieldValue::Vector(_) => Self::Vector,
            FieldValue::Labels(labels) => Self::Labels(labels.class),
            FieldValue::Other(_) => Self::Other,
        }
    }

    /// Whether values of this type have an order: they can be compared, sorted by and indexed.
    pub fn is_scalar(self) -> bool {
        matches!(self, Self::Bool | Self::Int | Self::Float | Self::Text)
    }

    pub(crate) fn is_labels(self) -> bool {
        matches!(self, Self::Labels(_))
    }

    pub(crate) fn is_number(self) -> bool {
        matches!(self, Self::Int | Self::Float)
    }

    pub(crate) fn from_name(name: &str) -> Option<Self> {
        NAMES.iter().find(|(known, _)| *known == name).map(|(_, field_type)| *field_type)
    }

    /// The type of a field that holds values of this type and the other; `None` where there is none.
    pub(crate) fn with(self, other: Self) -> Option<Self> {
        match (self, other) {
            _ if self == other => Some(self),
            (known, Self::Null) | (Self::Null, known) => Some(known),
            _ if self.is_number() && other.is_number() => Some(Self::Float),
            _ => None,
        }
    }

    /// The type of a label's attribute.
    pub(crate) fn of_attribute(value: &Value) -> Self {
        match value {
            Value::Null => Self::Null,
            Value::Bool(_) => Self::Bool,
            Value::Number(number) if number.is_i64() => Self::Int,
            Value::Number(_) => Self::Float,
            Value::String(_) => Self::Text,
            Value::Array(_) | Value::Object(_) => Self::Other,
        }
    }
}

impl fmt::Display for FieldType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl Serialize for FieldType {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

/// A field of a dataset.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Field {
    #[serde(skip)]
    pub(crate) id: i64,
    /// The field's name.
    pub name: String,
    /// What its values are.
    #[serde(rename = "type")]
    pub field_type: FieldType,
    /// Whether filters and sorting can use an index of it; see [`create_index`](crate::Dataset::create_index).
    pub indexed: bool,
    /// For a label field: the attributes its labels have had beyond label, confidence, tags and region, each with its type.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub attributes: BTreeMap<String, FieldType>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_type_is_read_back_from_its_name() {
        for (name, field_type) in NAMES {
            assert_eq!((field_type.as_str(), FieldType::from_name(name)), (name, Some(field_type)));
        }
        assert_eq!(FieldType::from_name("Detection"), None);
    }

    #[test]
    fn whole_numbers_widen_and_nothing_else_does() {
        assert_eq!(FieldType::Int.with(FieldType::Float), Some(FieldType::Float));
        assert_eq!(FieldType::Float.with(FieldType::Int), Some(FieldType::Float));
        assert_eq!(FieldType::Null.with(FieldType::Text), Some(FieldType::Text));
        assert_eq!(FieldType::Bool.with(FieldType::Int), None);
        assert_eq!(FieldType::Labels(LabelClass::Detections).with(FieldType::Labels(LabelClass::Polylines)), None);
    }
}
