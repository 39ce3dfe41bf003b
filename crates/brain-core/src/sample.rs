//! Samples and their fields, as they travel between files, the dataset store and a program.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::ItemId;

/// One photo of a dataset, with everything that is known of it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Sample {
    /// The sample's id; a new one is given when it is stored without.
    pub id: Option<ItemId>,
    /// Where the photo lies, absolute once it is stored.
    pub filepath: String,
    /// Free marks, such as `train`.
    pub tags: Vec<String>,
    /// Named values, in the order they were given. Names are identifiers (`[A-Za-z_][A-Za-z0-9_]*`).
    pub fields: Vec<(String, FieldValue)>,
}

/// The value of a field.
#[derive(Clone, Debug, PartialEq)]
pub enum FieldValue {
    /// Declared, without a value.
    Null,
    /// True or false.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// A number.
    Float(f64),
    /// Text.
    Text(String),
    /// Numbers that stand for the sample in some space. Kept as `f32`.
    Vector(Vec<f32>),
    /// One or several labels.
    Labels(Labels),
    /// Anything else a file held (lists, documents): kept and exported as it came, open to `exists` only.
    Other(Value),
}

/// The labels of one field of one sample.
#[derive(Clone, Debug, PartialEq)]
pub struct Labels {
    /// What kind of labels they are, and whether the field holds one or a list.
    pub class: LabelClass,
    /// The labels; exactly one for [`LabelClass::Classification`].
    pub labels: Vec<Label>,
}

/// FiftyOne's class of a label field.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum LabelClass {
    /// One class of the whole photo.
    Classification,
    /// Several classes of the whole photo.
    Classifications,
    /// Boxes.
    Detections,
    /// Lines and polygons.
    Polylines,
}

impl LabelClass {
    /// The class's name as it stands in `_cls`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Classification => "Classification",
            Self::Classifications => "Classifications",
            Self::Detections => "Detections",
            Self::Polylines => "Polylines",
        }
    }

    /// The class of one element of a list field, as it stands in its `_cls`.
    pub fn element(self) -> &'static str {
        match self {
            Self::Classification | Self::Classifications => "Classification",
            Self::Detections => "Detection",
            Self::Polylines => "Polyline",
        }
    }

    /// The key under which a list field keeps its labels; `None` for a single classification.
    pub fn list_key(self) -> Option<&'static str> {
        match self {
            Self::Classification => None,
            Self::Classifications => Some("classifications"),
            Self::Detections => Some("detections"),
            Self::Polylines => Some("polylines"),
        }
    }

    /// Whether files call one of a label's own values so: its class, id, tags, name, confidence or region. No attribute that stands beside them does.
    pub fn owns(self, name: &str) -> bool {
        match name {
            "_cls" | "id" | "_id" | "tags" | "label" | "confidence" => true,
            "bounding_box" => self == Self::Detections,
            "points" => self == Self::Polylines,
            _ => false,
        }
    }

    /// Whether each label is a region of the photo, so that it can be a patch.
    pub fn has_regions(self) -> bool {
        matches!(self, Self::Detections | Self::Polylines)
    }
}

/// One label.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Label {
    /// The label's id; a new one is given when it is stored without.
    pub id: Option<ItemId>,
    /// The class it names.
    pub label: Option<String>,
    /// How sure a model was, 0 to 1.
    pub confidence: Option<f64>,
    /// Where it is in the photo; `None` for classifications.
    pub region: Option<Region>,
    /// Marks of this label alone.
    pub tags: Vec<String>,
    /// Every other attribute, as it came; under no name that the label's class [owns](LabelClass::owns).
    pub attributes: Map<String, Value>,
}

/// A region of a photo, in fractions of its width and height.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Region {
    /// `[x, y, w, h]`, from the top left corner.
    Box([f64; 4]),
    /// Lines of `[x, y]` points.
    Lines(Vec<Vec<[f64; 2]>>),
}

impl Region {
    /// The smallest `[x, y, w, h]` around the region; `None` for lines without a point.
    pub fn bounding_box(&self) -> Option<[f64; 4]> {
        match self {
            Self::Box(sides) => Some(*sides),
            Self::Lines(lines) => {
                let mut points = lines.iter().flatten();
                let first = points.next()?;
                let (low, high) = points.fold((*first, *first), |(low, high), point| {
                    ([low[0].min(point[0]), low[1].min(point[1])], [high[0].max(point[0]), high[1].max(point[1])])
                });
                Some([low[0], low[1], high[0] - low[0], high[1] - low[1]])
            }
        }
    }
}

/// Whether `name` can name a field or a brain key: `[A-Za-z_][A-Za-z0-9_]*`.
pub fn is_identifier(name: &str) -> bool {
    let mut characters = name.bytes();
    characters.next().is_some_and(|first| first.is_ascii_alphabetic() || first == b'_')
        && characters.all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_box_around_lines() {
        let region = Region::Lines(vec![vec![[0.1, 0.6]], vec![[0.5, 0.2], [0.3, 0.3]]]);
        assert_eq!(region.bounding_box(), Some([0.1, 0.2, 0.4, 0.39999999999999997]));
        assert_eq!(Region::Lines(vec![]).bounding_box(), None);
    }

    #[test]
    fn identifiers() {
        assert!(is_identifier("img_sim") && is_identifier("_2"));
        assert!(!is_identifier("") && !is_identifier("2a") && !is_identifier("a-b") && !is_identifier("é"));
    }
}
