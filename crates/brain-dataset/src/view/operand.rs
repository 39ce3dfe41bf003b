//! What a path of a filter or a sort names, as SQL.
//!
//! A row of samples is called `s` in every statement of this module, a row of labels `l`.

use brain_core::{Error, Path};

use crate::field::{Field, FieldType};
use crate::layout::{column, sample_of};
use crate::names::did_you_mean;
use crate::schema::{RESERVED, Schema};

/// Whose values a bare name means.
#[derive(Clone, Copy)]
pub(super) enum Scope<'a> {
    /// A sample's.
    Sample,
    /// A label's of this field.
    Label(&'a Field),
}

/// A value in SQL.
pub(super) enum Operand {
    /// A column, or an expression of one type.
    Column { sql: String, field_type: FieldType },
    /// An id, 12 bytes.
    Id { sql: String },
    /// A JSON list of tags; NULL for none.
    Tags { sql: String },
    /// An attribute of a label, by its path in the column `l.attributes`.
    Attribute { path: String, field_type: FieldType },
    /// Something that is there where the column is not NULL, and cannot be compared.
    Present { sql: String, field_type: FieldType },
}

/// A path, found.
pub(super) struct Found<'a> {
    pub(super) operand: Operand,
    /// The field whose labels have the operand, where the path begins at a sample.
    pub(super) labels_of: Option<&'a Field>,
}

pub(super) fn find<'a>(schema: &'a Schema, scope: Scope<'a>, path: &Path) -> Result<Found<'a>, Error> {
    let (operand, labels_of) = match (scope, &path.attribute) {
        (Scope::Sample, None) => (of_sample(schema, &path.field)?, None),
        (Scope::Sample, Some(attribute)) => {
            if RESERVED.contains(&path.field.as_str()) {
                return Err(Error::invalid(format!("{:?} names an attribute, but {:?} has none", path.to_string(), path.field))
                    .with_hint(format!("ask about {} itself", path.field)));
            }
            let field = schema.label_field(&path.field)?;
            (of_label(schema, field, attribute)?, Some(field))
        }
        (Scope::Label(field), None) => (of_label(schema, field, &path.field)?, None),
        (Scope::Label(field), Some(attribute)) if path.field == field.name => (of_label(schema, field, attribute)?, None),
        (Scope::Label(field), Some(_)) => {
            return Err(Error::invalid(format!("{:?} is of the sample, but here a label of {:?} is asked about", path.to_string(), field.name))
                .with_hint("name the label's own attributes (label, confidence, …), and match the samples in a stage before"));
        }
    };
    Ok(Found { operand, labels_of })
}

fn of_sample(schema: &Schema, name: &str) -> Result<Operand, Error> {
    Ok(match name {
        "id" => Operand::Id { sql: "s.id".to_owned() },
        "filepath" => Operand::Column { sql: "s.filepath".to_owned(), field_type: FieldType::Text },
        "tags" => Operand::Tags { sql: "s.tags".to_owned() },
        _ => {
            let field = schema.field(name)?;
            let (sql, field_type) = (format!("s.{}", column(field.id)), field.field_type);
            if field_type.is_scalar() || field_type == FieldType::Null {
                Operand::Column { sql, field_type }
            } else {
                Operand::Present { sql, field_type }
            }
        }
    })
}

fn of_label(schema: &Schema, field: &Field, name: &str) -> Result<Operand, Error> {
    let of_its_sample = |column: &str| format!("(SELECT {column} FROM {} WHERE pk = {})", schema.layout.samples(), sample_of("l.pk"));
    Ok(match (name, field.attributes.get(name)) {
        ("id", _) => Operand::Id { sql: "l.id".to_owned() },
        ("label", _) => Operand::Column { sql: "l.label".to_owned(), field_type: FieldType::Text },
        ("confidence", _) => Operand::Column { sql: "l.confidence".to_owned(), field_type: FieldType::Float },
        ("tags", _) => Operand::Tags { sql: "l.tags".to_owned() },
        ("bounding_box" | "points", _) => Operand::Present { sql: "l.region".to_owned(), field_type: FieldType::Other },
        (_, Some(&field_type)) => Operand::Attribute { path: attribute_path(name)?, field_type },
        ("filepath", None) => Operand::Column { sql: of_its_sample("filepath"), field_type: FieldType::Text },
        ("sample_id", None) => Operand::Id { sql: of_its_sample("id") },
        _ => {
            let known: Vec<&str> = ["label", "confidence", "id", "tags"].into_iter().chain(field.attributes.keys().map(String::as_str)).collect();
            return Err(Error::not_found(format!("labels of {:?} have no attribute {name:?}", field.name)).with_hint(did_you_mean(
                name,
                &known,
                "they have",
            )));
        }
    })
}

/// The place of an attribute in a label's JSON.
pub(crate) fn attribute_path(name: &str) -> Result<String, Error> {
    if name.contains(['"', '\\']) {
        return Err(Error::invalid(format!("attribute {name:?} has a quote or a backslash in its name, and cannot be asked about"))
            .with_hint("rename the attribute"));
    }
    Ok(format!("$.\"{name}\""))
}
