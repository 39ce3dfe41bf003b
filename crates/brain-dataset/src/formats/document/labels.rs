//! From FiftyOne-shaped JSON to labels.

use brain_core::{Label, LabelClass, Labels, Region};
use serde_json::value::RawValue;

use super::read::{Reader, shortened};
use super::{Fault, Object};

impl<'a> Reader<'a> {
    /// The labels of a field; `None` when the object's `_cls` names no class of labels that this library knows.
    ///
    /// A bare `Detection` or `Polyline` is read as a list of one.
    pub(super) fn labels(&self, field: &str, raw: &'a RawValue, object: &Object<'a>) -> Result<Option<Labels>, Fault> {
        let Some(name) = object.get("_cls") else {
            return Ok(None);
        };
        let (class, is_list) = match name.get() {
            r#""Classification""# => (LabelClass::Classification, false),
            r#""Classifications""# => (LabelClass::Classifications, true),
            r#""Detection""# => (LabelClass::Detections, false),
            r#""Detections""# => (LabelClass::Detections, true),
            r#""Polyline""# => (LabelClass::Polylines, false),
            r#""Polylines""# => (LabelClass::Polylines, true),
            _ => return Ok(None),
        };
        let labels = if is_list { self.list(field, raw, object, class)? } else { vec![self.label(&format!("{field:?}"), object, class, raw)?] };
        Ok(Some(Labels { class, labels }))
    }

    fn list(&self, field: &str, raw: &'a RawValue, object: &Object<'a>, class: LabelClass) -> Result<Vec<Label>, Fault> {
        let key = class.list_key().unwrap_or_default();
        let list = object.get(key).ok_or_else(|| self.fault(raw, format!("{field:?} is {} without its list {key:?}", class.as_str())))?;
        let elements: Option<Vec<&'a RawValue>> = self.parse(list, || format!("{key:?} of {field:?} is not a list"))?;
        let elements = elements.unwrap_or_default();
        elements.iter().enumerate().map(|(position, element)| self.element(&format!("{field}.{key}[{position}]"), element, class)).collect()
    }

    fn element(&self, place: &str, raw: &'a RawValue, class: LabelClass) -> Result<Label, Fault> {
        let object = Object::parse(self.text, raw.get()).map_err(|mut fault| {
            fault.message = format!("{place}: {}", fault.message);
            fault
        })?;
        match object.get("_cls") {
            Some(name) if name.get().trim_matches('"') != class.element() => {
                Err(self.fault(name, format!("{place} is {} among {}", shortened(name.get()), class.as_str())))
            }
            _ => self.label(place, &object, class, raw),
        }
    }

    fn label(&self, place: &str, object: &Object<'a>, class: LabelClass, raw: &RawValue) -> Result<Label, Fault> {
        let mut label = Label::default();
        for (key, value) in &object.members {
            match (key.as_ref(), class) {
                ("_cls", _) => {}
                ("id" | "_id", _) if label.id.is_some() => return Err(self.fault(value, format!("{place} has both \"id\" and \"_id\""))),
                ("id" | "_id", _) => label.id = self.id(value, place)?,
                ("label", _) => label.label = self.parse(value, || format!("the label of {place} is not text"))?,
                ("confidence", _) => label.confidence = self.parse(value, || format!("the confidence of {place} is not a finite number"))?,
                ("tags", _) => label.tags = self.tags(value, place)?,
                ("bounding_box", LabelClass::Detections) => {
                    let sides = self.parse(value, || format!("the bounding_box of {place} is not four finite numbers [x, y, w, h]"))?;
                    label.region = Some(Region::Box(sides));
                }
                ("points", LabelClass::Polylines) => {
                    let lines = self.parse(value, || format!("the points of {place} are not lists of finite [x, y] points"))?;
                    label.region = Some(Region::Lines(lines));
                }
                // FiftyOne writes this legacy attribute into every label, nearly always empty.
                ("attributes", _) if is_empty_object(value) => {}
                _ => {
                    let value = self.parse(value, || format!("attribute {key:?} of {place} cannot be read"))?;
                    label.attributes.insert(key.clone().into_owned(), value);
                }
            }
        }
        match (class, &label.region) {
            (LabelClass::Detections, None) => Err(self.fault(raw, format!("{place} has no bounding_box"))),
            (LabelClass::Polylines, None) => Err(self.fault(raw, format!("{place} has no points"))),
            _ => Ok(label),
        }
    }
}

fn is_empty_object(raw: &RawValue) -> bool {
    raw.get().strip_prefix('{').and_then(|rest| rest.strip_suffix('}')).is_some_and(|inside| inside.trim().is_empty())
}
