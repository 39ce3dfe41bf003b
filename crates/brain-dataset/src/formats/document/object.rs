//! JSON objects taken apart without copying: keys in order, values as the text they are.

use std::borrow::Cow;
use std::fmt;

use brain_core::Error;
use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, Visitor};
use serde_json::value::RawValue;

/// What is wrong with a document, and at which byte of it (from 0).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in super::super) struct Fault {
    pub(in super::super) offset: usize,
    pub(in super::super) message: String,
    pub(in super::super) hint: Option<&'static str>,
}

impl Fault {
    /// A fault of `part`, which is a slice of `whole`.
    pub(in super::super) fn at(whole: &str, part: &str, message: impl Into<String>) -> Self {
        // Both are the same allocation, so the difference of their addresses is the offset.
        let offset = (part.as_ptr() as usize).saturating_sub(whole.as_ptr() as usize);
        Self { offset: offset.min(whole.len()), message: message.into(), hint: None }
    }

    /// serde_json's complaint about `part`, its line and column turned into an offset.
    pub(in super::super) fn syntax(whole: &str, part: &str, error: &serde_json::Error) -> Self {
        let text = error.to_string();
        let message = text.rsplit_once(" at line ").map_or(text.as_str(), |(message, _)| message).to_owned();
        let line_start: usize = part.split_inclusive('\n').take(error.line().saturating_sub(1)).map(str::len).sum();
        let mut fault = Self::at(whole, part, message);
        fault.offset += line_start + error.column().saturating_sub(1);
        fault
    }

    pub(in super::super) fn with_hint(mut self, hint: &'static str) -> Self {
        self.hint = Some(hint);
        self
    }

    /// The error of a record with this fault; `place` says where the record's fault is.
    pub(in super::super) fn into_error(self, place: impl fmt::Display) -> Error {
        let error = Error::invalid(format!("{place}: {}", self.message));
        match self.hint {
            Some(hint) => error.with_hint(hint),
            None => error,
        }
    }
}

/// The members of one JSON object, in order. A key that comes twice is refused.
pub(in super::super) struct Object<'a> {
    pub(in super::super) members: Vec<(Cow<'a, str>, &'a RawValue)>,
}

impl<'a> Object<'a> {
    /// Takes `part`, a slice of `whole`, apart.
    pub(in super::super) fn parse(whole: &str, part: &'a str) -> Result<Self, Fault> {
        serde_json::from_str(part).map_err(|error| Fault::syntax(whole, part, &error))
    }

    /// The value of a key.
    pub(in super::super) fn get(&self, key: &str) -> Option<&'a RawValue> {
        self.members.iter().find(|(name, _)| name == key).map(|(_, value)| *value)
    }
}

impl<'de> Deserialize<'de> for Object<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(ObjectVisitor)
    }
}

struct ObjectVisitor;

impl<'de> Visitor<'de> for ObjectVisitor {
    type Value = Object<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut members: Vec<(Cow<'de, str>, &'de RawValue)> = Vec::with_capacity(8);
        while let Some(Key(key)) = map.next_key()? {
            // Documents have few keys; comparing beats hashing.
            if members.iter().any(|(name, _)| *name == key) {
                return Err(A::Error::custom(format_args!("key {key:?} comes twice")));
            }
            members.push((key, map.next_value()?));
        }
        Ok(Object { members })
    }
}

/// A key that borrows where it holds no escapes.
struct Key<'a>(Cow<'a, str>);

impl<'de> Deserialize<'de> for Key<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct KeyVisitor;
        impl<'de> Visitor<'de> for KeyVisitor {
            type Value = Key<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a key")
            }

            fn visit_borrowed_str<E>(self, key: &'de str) -> Result<Self::Value, E> {
                Ok(Key(Cow::Borrowed(key)))
            }

            fn visit_str<E>(self, key: &str) -> Result<Self::Value, E> {
                Ok(Key(Cow::Owned(key.to_owned())))
            }
        }
        deserializer.deserialize_str(KeyVisitor)
    }
}
