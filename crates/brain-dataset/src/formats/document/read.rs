//! From a JSON document to a sample.

use brain_core::{FieldValue, ItemId, Sample, is_identifier};
use serde_json::value::RawValue;
use serde_json::{Number, Value};

use super::super::array;
use super::{Dialect, Fault, Object, PRIVATE_FIELDS, type_name};

/// The sample that `text`, one JSON object, describes.
pub(in super::super) fn read_sample(text: &str, dialect: Dialect) -> Result<Sample, Fault> {
    Reader { text, dialect }.sample()
}

/// A document being read; every fault is placed in its text.
pub(super) struct Reader<'a> {
    pub(super) text: &'a str,
    pub(super) dialect: Dialect,
}

impl<'a> Reader<'a> {
    fn sample(&self) -> Result<Sample, Fault> {
        let object = Object::parse(self.text, self.text)?;
        let mut sample = Sample::default();
        let mut has_path = false;
        for (name, raw) in &object.members {
            match name.as_ref() {
                "id" | "_id" if sample.id.is_some() => return Err(self.fault(raw, "the sample has both \"id\" and \"_id\"")),
                "id" | "_id" => sample.id = self.id(raw, "the sample")?,
                "filepath" => {
                    sample.filepath = self.parse(raw, || "\"filepath\" is not text".to_owned())?;
                    has_path = true;
                }
                "tags" => sample.tags = self.tags(raw, "the sample")?,
                "_media_type" if self.dialect == Dialect::Fiftyone && raw.get() != "\"image\"" => {
                    return Err(self.fault(raw, format!("the sample's media type is {}, not \"image\"", raw.get())));
                }
                private if self.dialect == Dialect::Fiftyone && PRIVATE_FIELDS.contains(&private) => {}
                field if is_identifier(field) => {
                    let value = self.field(field, raw)?;
                    sample.fields.push((name.clone().into_owned(), value));
                }
                other => {
                    return Err(self
                        .fault(raw, format!("{other:?} is no field name"))
                        .with_hint("field names are letters, digits and _, and do not begin with a digit"));
                }
            }
        }
        if !has_path {
            return Err(self.fault_at(self.text, "the sample has no \"filepath\""));
        }
        if sample.filepath.is_empty() {
            return Err(self.fault_at(self.text, "the sample's \"filepath\" is empty"));
        }
        Ok(sample)
    }

    /// The value of a field; the first byte of a JSON value tells its type.
    fn field(&self, name: &str, raw: &'a RawValue) -> Result<FieldValue, Fault> {
        let malformed = || format!("field {name:?} cannot be read");
        Ok(match raw.get().as_bytes().first() {
            Some(b'n') => FieldValue::Null,
            Some(b't' | b'f') => FieldValue::Bool(self.parse(raw, malformed)?),
            Some(b'"') => FieldValue::Text(self.parse(raw, malformed)?),
            Some(b'[') => match self.vector(name, raw)? {
                Some(vector) => FieldValue::Vector(vector),
                None => FieldValue::Other(self.parse(raw, malformed)?),
            },
            Some(b'{') => self.document(name, raw)?,
            _ => {
                let number: Number = self.parse(raw, || format!("field {name:?} holds a number out of range"))?;
                match (number.as_i64(), number.as_f64()) {
                    (Some(whole), _) => FieldValue::Int(whole),
                    (None, Some(float)) if number.is_f64() => FieldValue::Float(float),
                    _ => FieldValue::Other(Value::Number(number)),
                }
            }
        })
    }

    /// An array of numbers in JSON Lines. A FiftyOne export keeps vectors packed, so there an array is a list of numbers.
    fn vector(&self, name: &str, raw: &RawValue) -> Result<Option<Vec<f32>>, Fault> {
        let starts_with_number = || raw.get()[1..].trim_start().starts_with(|first: char| first == '-' || first.is_ascii_digit());
        if self.dialect == Dialect::Fiftyone || !starts_with_number() {
            return Ok(None);
        }
        // Read as f32 at once: by way of f64 a number would be rounded twice.
        if let Ok(vector) = serde_json::from_str::<Vec<f32>>(raw.get()) {
            return Ok(Some(vector));
        }
        match serde_json::from_str::<Vec<f64>>(raw.get()) {
            Ok(wide) => {
                let at = wide.iter().position(|number| !(*number as f32).is_finite()).unwrap_or_default();
                Err(self.fault(raw, format!("vector {name:?} has a number beyond f32 at position {at}")))
            }
            // Numbers first, then something else: a list like any other.
            Err(_) => Ok(None),
        }
    }

    /// A label, a packed array, a number in MongoDB's spelling, or a document that is kept as it came.
    fn document(&self, name: &str, raw: &'a RawValue) -> Result<FieldValue, Fault> {
        let object = Object::parse(self.text, raw.get())?;
        if let Some(labels) = self.labels(name, raw, &object)? {
            return Ok(FieldValue::Labels(labels));
        }
        if self.dialect == Dialect::Fiftyone
            && let [(key, value), rest @ ..] = object.members.as_slice()
        {
            match key.as_ref() {
                "$binary" => return self.binary(name, raw, value),
                "$numberLong" | "$numberInt" if rest.is_empty() => {
                    let text: String = self.parse(value, || format!("field {name:?} holds no whole number"))?;
                    return text.parse().map(FieldValue::Int).map_err(|_| self.fault(value, format!("field {name:?} holds no whole number")));
                }
                "$numberDouble" if rest.is_empty() => {
                    let text: String = self.parse(value, || format!("field {name:?} holds no number"))?;
                    let number: Option<f64> = text.parse().ok().filter(|number: &f64| number.is_finite());
                    return number.map(FieldValue::Float).ok_or_else(|| self.fault(value, format!("field {name:?} is {text}, not a finite number")));
                }
                _ => {}
            }
        }
        Ok(FieldValue::Other(self.parse(raw, || format!("field {name:?} cannot be read"))?))
    }

    /// `{"$binary": {"base64": …}}`, or `{"$binary": "…"}` as older versions wrote it.
    fn binary(&self, name: &str, whole: &RawValue, raw: &'a RawValue) -> Result<FieldValue, Fault> {
        let text = if raw.get().starts_with('{') { Object::parse(self.text, raw.get())?.get("base64") } else { Some(raw) };
        let text = text.ok_or_else(|| self.fault(raw, format!("array {name:?} has no \"base64\"")))?;
        let base64: std::borrow::Cow<'_, str> = self.parse(text, || format!("array {name:?} is not base64 text"))?;
        match array::decode(&base64) {
            Ok(Some(vector)) => match vector.iter().position(|number| !number.is_finite()) {
                None => Ok(FieldValue::Vector(vector)),
                Some(at) => Err(self
                    .fault(text, format!("vector {name:?} holds {} at position {at}", vector[at]))
                    .with_hint("only finite numbers can be compared; compute the vector again, or clear it")),
            },
            Ok(None) => Ok(FieldValue::Other(self.parse(whole, || format!("array {name:?} cannot be read"))?)),
            Err(message) => Err(self.fault(text, format!("array {name:?} cannot be read: {message}"))),
        }
    }

    /// An id: 24 hexadecimal digits, plain or as `{"$oid": …}`; `null` is none.
    pub(super) fn id(&self, raw: &'a RawValue, whose: &str) -> Result<Option<ItemId>, Fault> {
        let malformed = |raw: &RawValue| {
            let message = format!("the id of {whose} is {}, not 24 hexadecimal digits", shortened(raw.get()));
            self.fault(raw, message).with_hint("leave the id out and a new one is given")
        };
        let inner = match raw.get().as_bytes().first() {
            Some(b'n') => return Ok(None),
            Some(b'{') => Object::parse(self.text, raw.get())?.get("$oid").ok_or_else(|| malformed(raw))?,
            _ => raw,
        };
        let text: std::borrow::Cow<'_, str> = serde_json::from_str(inner.get()).map_err(|_| malformed(inner))?;
        let id = ItemId::from_text(&text.to_ascii_lowercase());
        if id.as_bytes().is_some() { Ok(Some(id)) } else { Err(malformed(inner)) }
    }

    pub(super) fn tags(&self, raw: &RawValue, whose: &str) -> Result<Vec<String>, Fault> {
        let tags: Option<Vec<String>> = self.parse(raw, || format!("\"tags\" of {whose} is not a list of texts"))?;
        Ok(tags.unwrap_or_default())
    }

    /// Reads a value as a type; `message` says what is wrong when it is another.
    pub(super) fn parse<T: serde::Deserialize<'a>>(&self, raw: &'a RawValue, message: impl FnOnce() -> String) -> Result<T, Fault> {
        serde_json::from_str(raw.get()).map_err(|_| self.fault(raw, format!("{}, but {}", message(), described(raw.get()))))
    }

    pub(super) fn fault(&self, raw: &RawValue, message: impl Into<String>) -> Fault {
        self.fault_at(raw.get(), message)
    }

    fn fault_at(&self, part: &str, message: impl Into<String>) -> Fault {
        Fault::at(self.text, part, message)
    }
}

fn described(raw: &str) -> String {
    format!("{}: {}", type_name(raw), shortened(raw))
}

/// The beginning of a value, for a message.
pub(super) fn shortened(raw: &str) -> String {
    const LONGEST: usize = 60;
    match raw.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &raw[..end]),
        None => raw.to_owned(),
    }
}
