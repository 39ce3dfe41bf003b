//! The server's answers, as what they hold.

use bytes::Bytes;
use fred::types::{Map, Value};

/// An answer of names and values, however the server wrote it: as a map, or as a list of both in turn.
#[derive(Clone, Debug, Default)]
pub(crate) struct Answer(Vec<(String, Value)>);

/// Reads names and values; of anything else nothing.
pub(crate) fn map(value: Value) -> Answer {
    match value {
        Value::Map(map) => Answer(of_map(map)),
        Value::Array(values) => {
            let mut pairs = Vec::with_capacity(values.len() / 2);
            let mut values = values.into_iter();
            while let (Some(name), Some(value)) = (values.next(), values.next()) {
                pairs.push((name.as_string().unwrap_or_default(), value));
            }
            Answer(pairs)
        }
        _ => Answer::default(),
    }
}

fn of_map(map: Map) -> Vec<(String, Value)> {
    map.inner().into_iter().map(|(name, value)| (name.into_string().unwrap_or_default(), value)).collect()
}

impl Answer {
    /// The value of a name.
    pub(crate) fn get(&self, name: &str) -> Option<&Value> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| value)
    }

    /// All names and their values.
    pub(crate) fn pairs(&self) -> impl Iterator<Item = &(String, Value)> {
        self.0.iter()
    }

    pub(crate) fn text(&self, name: &str) -> Option<String> {
        self.get(name).and_then(text)
    }

    /// A whole number, also where it was written as a text.
    pub(crate) fn number(&self, name: &str) -> Option<u64> {
        self.get(name).and_then(number)
    }

    /// A number.
    pub(crate) fn float(&self, name: &str) -> Option<f64> {
        self.get(name).and_then(Value::as_f64)
    }

    pub(crate) fn map(&self, name: &str) -> Self {
        self.get(name).cloned().map(map).unwrap_or_default()
    }

    pub(crate) fn list(&self, name: &str) -> Vec<Value> {
        self.get(name).cloned().map(list).unwrap_or_default()
    }
}

/// The values of a list; none of anything else.
pub(crate) fn list(value: Value) -> Vec<Value> {
    if let Value::Array(values) = value { values } else { Vec::new() }
}

pub(crate) fn text(value: &Value) -> Option<String> {
    if value.is_null() { None } else { value.as_string() }
}

pub(crate) fn number(value: &Value) -> Option<u64> {
    match value {
        Value::Double(number) => Some(*number as u64),
        other => other.as_u64().or_else(|| other.as_f64().map(|number| number as u64)),
    }
}

/// The bytes of a text or of bytes.
pub(crate) fn bytes(value: &Value) -> Option<Bytes> {
    match value {
        Value::Bytes(bytes) => Some(bytes.clone()),
        Value::String(text) => Some(text.inner().clone()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn maps_and_lists_in_turn_say_the_same() {
        let flat = Value::Array(vec!["a".into(), "7".into(), "b".into(), Value::Double(0.5)]);
        let answer = map(flat);
        assert_eq!((answer.number("a"), answer.float("b"), answer.text("c")), (Some(7), Some(0.5), None));
    }
}
