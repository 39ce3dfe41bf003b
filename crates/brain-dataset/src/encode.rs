//! Values on their way into SQLite and back.

use brain_core::{Error, FieldValue, ItemId, Label, Region};
use rusqlite::Row;
use rusqlite::types::{ToSqlOutput, Type, Value, ValueRef};
use serde_json::Map;

use crate::field::FieldType;

/// The bytes of an id that a dataset can hold.
pub(crate) fn id_bytes<'a>(id: &'a ItemId, what: &str) -> Result<&'a [u8; 12], Error> {
    id.as_bytes().ok_or_else(|| {
        Error::invalid(format!("{what} id {:?} is not 24 lower-case hexadecimal digits", id.to_string()))
            .with_hint("leave the id out to have one made, and keep the other name in a field")
    })
}

pub(crate) fn id_at(row: &Row<'_>, column: usize) -> rusqlite::Result<ItemId> {
    Ok(ItemId::from_bytes(row.get(column)?))
}

/// What stands in a sample's column of this field; labels and vectors are only marked there.
pub(crate) fn cell(value: &FieldValue) -> ToSqlOutput<'_> {
    match value {
        FieldValue::Null => ToSqlOutput::Owned(Value::Null),
        FieldValue::Bool(value) => ToSqlOutput::Owned(Value::Integer(i64::from(*value))),
        FieldValue::Int(value) => ToSqlOutput::Owned(Value::Integer(*value)),
        FieldValue::Float(value) => ToSqlOutput::Owned(Value::Real(*value)),
        FieldValue::Text(value) => ToSqlOutput::Borrowed(ValueRef::Text(value.as_bytes())),
        FieldValue::Vector(_) | FieldValue::Labels(_) => ToSqlOutput::Owned(Value::Integer(1)),
        FieldValue::Other(value) => ToSqlOutput::Owned(Value::Text(value.to_string())),
    }
}

/// The value of a column; `None` where there is none, and for labels and vectors, which lie elsewhere.
pub(crate) fn scalar(field_type: FieldType, row: &Row<'_>, column: usize) -> rusqlite::Result<Option<FieldValue>> {
    let stored = row.get_ref(column)?;
    Ok(Some(match (field_type, stored) {
        (_, ValueRef::Null) | (FieldType::Null | FieldType::Vector | FieldType::Labels(_), _) => return Ok(None),
        (FieldType::Bool, ValueRef::Integer(value)) => FieldValue::Bool(value != 0),
        // A field that became float keeps its whole numbers as they were stored.
        (FieldType::Float, ValueRef::Integer(value)) => FieldValue::Float(value as f64),
        (FieldType::Other, ValueRef::Text(_)) => FieldValue::Other(json(row, column)?),
        (_, ValueRef::Integer(value)) => FieldValue::Int(value),
        (_, ValueRef::Real(value)) => FieldValue::Float(value),
        (_, ValueRef::Text(_)) => FieldValue::Text(row.get(column)?),
        (_, ValueRef::Blob(_)) => return Err(unreadable(column, Type::Blob, "bytes where a value should be")),
    }))
}

pub(crate) fn json<T: serde::de::DeserializeOwned>(row: &Row<'_>, column: usize) -> rusqlite::Result<T> {
    serde_json::from_str(row.get_ref(column)?.as_str()?).map_err(|source| unreadable(column, Type::Text, source))
}

fn unreadable(column: usize, stored: Type, why: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> rusqlite::Error {
    rusqlite::Error::FromSqlConversionFailure(column, stored, why.into())
}

/// A list of tags; NULL for none, so that the common case costs nothing.
pub(crate) fn tags_cell(tags: &[String]) -> Value {
    if tags.is_empty() { Value::Null } else { Value::Text(serde_json::Value::from(tags.to_vec()).to_string()) }
}

pub(crate) fn tags_at(row: &Row<'_>, column: usize) -> rusqlite::Result<Vec<String>> {
    if row.get_ref(column)? == ValueRef::Null { Ok(Vec::new()) } else { json(row, column) }
}

pub(crate) fn vector_bytes(vector: &[f32]) -> Vec<u8> {
    vector.iter().flat_map(|number| number.to_le_bytes()).collect()
}

pub(crate) fn vector_at(row: &Row<'_>, column: usize) -> rusqlite::Result<Vec<f32>> {
    let (numbers, rest) = row.get_ref(column)?.as_blob()?.as_chunks::<4>();
    if !rest.is_empty() {
        return Err(unreadable(column, Type::Blob, "a vector whose length is not a multiple of four bytes"));
    }
    Ok(numbers.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect())
}

/// A box as 32 bytes, lines as JSON.
pub(crate) fn region_cell(region: Option<&Region>) -> Value {
    match region {
        None => Value::Null,
        Some(Region::Box(sides)) => Value::Blob(sides.iter().flat_map(|side| side.to_le_bytes()).collect()),
        Some(Region::Lines(lines)) => Value::Text(serde_json::json!(lines).to_string()),
    }
}

fn region_at(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<Region>> {
    match row.get_ref(column)? {
        ValueRef::Null => Ok(None),
        ValueRef::Blob(bytes) => {
            let (sides, _) = bytes.as_chunks::<8>();
            let sides = <&[[u8; 8]; 4]>::try_from(sides).map_err(|source| unreadable(column, Type::Blob, source))?;
            Ok(Some(Region::Box(sides.map(f64::from_le_bytes))))
        }
        _ => Ok(Some(Region::Lines(json(row, column)?))),
    }
}

pub(crate) fn attributes_cell(attributes: &Map<String, serde_json::Value>) -> Value {
    if attributes.is_empty() {
        return Value::Null;
    }
    // A map of JSON values always serialises.
    Value::Text(serde_json::to_string(attributes).unwrap_or_default())
}

/// What [`label_at`] reads, beginning at its `column`.
pub(crate) const LABEL_COLUMNS: &str = "l.id, l.label, l.confidence, l.region, l.tags, json(l.attributes)";

pub(crate) fn label_at(row: &Row<'_>, column: usize) -> rusqlite::Result<Label> {
    Ok(Label {
        id: Some(id_at(row, column)?),
        label: row.get(column + 1)?,
        confidence: row.get(column + 2)?,
        region: region_at(row, column + 3)?,
        tags: tags_at(row, column + 4)?,
        attributes: if row.get_ref(column + 5)? == ValueRef::Null { Map::new() } else { json(row, column + 5)? },
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use rusqlite::Connection;

    fn through<T>(value: Value, read: impl Fn(&Row<'_>, usize) -> rusqlite::Result<T>) -> rusqlite::Result<T> {
        Connection::open_in_memory()?.query_row("SELECT ?1", [value], |row| read(row, 0))
    }

    #[test]
    fn values_come_back_bit_by_bit() {
        let vector = vec![0.1, -0.0, f32::MIN_POSITIVE, 3e38];
        let back = through(Value::Blob(vector_bytes(&vector)), vector_at).unwrap();
        assert!(back.iter().zip(&vector).all(|(a, b)| a.to_bits() == b.to_bits()) && back.len() == 4);
        for region in [Region::Box([0.1, 0.2, 0.3, 1e-17]), Region::Lines(vec![vec![[0.1, 0.2]], vec![]])] {
            assert_eq!(through(region_cell(Some(&region)), region_at).unwrap(), Some(region));
        }
        let tags = vec!["a \"quoted\" one".to_owned(), "é".to_owned()];
        assert_eq!(through(tags_cell(&tags), tags_at).unwrap(), tags);
        assert_eq!(tags_cell(&[]), Value::Null);
    }

    #[test]
    fn damaged_bytes_are_an_error() {
        assert!(through(Value::Blob(vec![0; 7]), vector_at).is_err());
        assert!(through(Value::Blob(vec![0; 31]), region_at).is_err());
        assert!(through(Value::Text("[".into()), tags_at).is_err());
    }

    #[test]
    fn other_ids_are_refused() {
        let error = id_bytes(&ItemId::from_text("photo-7"), "sample").unwrap_err();
        assert_eq!(error.message(), "sample id \"photo-7\" is not 24 lower-case hexadecimal digits");
    }
}
