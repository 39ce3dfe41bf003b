//! Filters as SQL conditions, two-valued: NULL counts as false, and every negation turns it into true.

use brain_core::{Comparison, Error, Filter, ItemId, Literal, Path};
use rusqlite::ToSql;
use rusqlite::types::Value;

use super::operand::{Operand, Scope, find};
use crate::field::{Field, FieldType};
use crate::fragment::{Fragment, array};
use crate::layout::{is_label_of, sample_of};
use crate::schema::Schema;

/// A filter on the labels of a field: the field, and what must hold of a label.
pub(crate) type LabelFilter = (i64, Filter);

/// Turns filters into conditions on rows `s` of samples or `l` of labels.
#[derive(Clone, Copy)]
pub(super) struct Conditions<'a> {
    pub(super) schema: &'a Schema,
    /// What `filter_labels` stages left of the label fields so far.
    pub(super) label_filters: &'a [LabelFilter],
    pub(super) scope: Scope<'a>,
    /// Whether few rows are asked about: then each one's labels are looked at, else all labels are gone through once.
    pub(super) few: bool,
}

/// What is asked of a value; negations are made of these.
#[derive(Clone, Copy)]
enum Test<'a> {
    Compare(Comparison, &'a Literal),
    In(&'a [Literal]),
    Contains(&'a str),
    Exists,
}

impl Conditions<'_> {
    pub(super) fn of(&self, filter: &Filter) -> Result<Fragment, Error> {
        let all = |parts: &[Filter]| parts.iter().map(|part| self.of(part)).collect::<Result<Vec<_>, _>>();
        match filter {
            Filter::And(parts) => Ok(Fragment::joined(all(parts)?, " AND ")),
            Filter::Or(parts) => Ok(Fragment::joined(all(parts)?, " OR ")),
            Filter::Not(inner) => Ok(self.of(inner)?.negated()),
            Filter::Compare { path, comparison: Comparison::NotEqual, value } => {
                Ok(self.test(path, Test::Compare(Comparison::Equal, value))?.negated())
            }
            Filter::Compare { path, comparison, value } => self.test(path, Test::Compare(*comparison, value)),
            Filter::In { path, values } => self.test(path, Test::In(values)),
            Filter::Contains { path, text } => self.test(path, Test::Contains(text)),
            Filter::Exists { path } => self.test(path, Test::Exists),
        }
    }

    fn test(&self, path: &Path, test: Test<'_>) -> Result<Fragment, Error> {
        let found = find(self.schema, self.scope, path)?;
        let condition = condition(path, &found.operand, test)?;
        match found.labels_of {
            Some(field) => self.some_label(field, Some(condition)),
            None => Ok(condition),
        }
    }

    /// The condition on a sample that some label of `field`, among those left by the filters, satisfies `condition`.
    pub(super) fn some_label(&self, field: &Field, condition: Option<Fragment>) -> Result<Fragment, Error> {
        let mut parts = self.left_labels(field)?;
        parts.extend(condition);
        let (labels, sample) = (self.schema.layout.labels(field.id), sample_of("l.pk"));
        let mut whole = if self.few {
            Fragment::new(format!("EXISTS (SELECT 1 FROM {labels} AS l NOT INDEXED WHERE {} AND ", is_label_of("l.pk", "s.pk")))
        } else {
            Fragment::new(format!("s.pk IN (SELECT {sample} FROM {labels} AS l WHERE "))
        };
        whole.append(Fragment::joined(parts, " AND "));
        whole.push(")");
        Ok(whole)
    }

    /// The conditions on labels of `field` that `filter_labels` stages have set.
    pub(super) fn left_labels(&self, field: &Field) -> Result<Vec<Fragment>, Error> {
        let labels = Conditions { scope: Scope::Label(field), ..*self };
        self.label_filters.iter().filter(|(filtered, _)| *filtered == field.id).map(|(_, filter)| labels.of(filter)).collect()
    }
}

fn condition(path: &Path, operand: &Operand, test: Test<'_>) -> Result<Fragment, Error> {
    match test {
        Test::Exists => Ok(exists(operand)),
        Test::Contains(text) => contains(path, operand, text),
        Test::Compare(comparison, value) => compare(path, operand, comparison, value),
        Test::In(values) => is_one_of(path, operand, values),
    }
}

fn exists(operand: &Operand) -> Fragment {
    match operand {
        Operand::Attribute { path, .. } => Fragment::new("json_type(l.attributes, ?) <> 'null'").bind(path.clone()),
        Operand::Column { sql, .. } | Operand::Id { sql } | Operand::Tags { sql } | Operand::Present { sql, .. } => {
            Fragment::new(format!("{sql} IS NOT NULL"))
        }
    }
}

fn contains(path: &Path, operand: &Operand, text: &str) -> Result<Fragment, Error> {
    match operand {
        Operand::Tags { sql } => Ok(has_tag(sql, text)),
        Operand::Id { sql } => Ok(Fragment::new(format!("instr(lower(hex({sql})), ?) > 0")).bind(text.to_owned())),
        Operand::Column { sql, field_type: FieldType::Text | FieldType::Null } => {
            Ok(Fragment::new(format!("instr({sql}, ?) > 0")).bind(text.to_owned()))
        }
        Operand::Attribute { path, field_type: FieldType::Text | FieldType::Other | FieldType::Null } => {
            let sql = "(json_type(l.attributes, ?) = 'text' AND instr(json_extract(l.attributes, ?), ?) > 0)";
            Ok(Fragment::new(sql).bind(path.clone()).bind(path.clone()).bind(text.to_owned()))
        }
        Operand::Column { field_type, .. } | Operand::Attribute { field_type, .. } => {
            Err(Error::invalid(format!("\"contains\" is for texts and tags, but {path} is of type {field_type}"))
                .with_hint("compare it with ==, < or >, or with in"))
        }
        Operand::Present { field_type, .. } => Err(not_comparable(path, *field_type)),
    }
}

/// Whether a JSON list of tags has a tag. The search for the quoted text is quick, and may find it astride two tags: only the list itself is sure.
pub(super) fn has_tag(list: &str, tag: &str) -> Fragment {
    let quoted = serde_json::Value::from(tag).to_string();
    Fragment::new(format!("(instr({list}, ?) > 0 AND EXISTS (SELECT 1 FROM json_each({list}) WHERE value = ?))")).bind(quoted).bind(tag.to_owned())
}

fn compare(path: &Path, operand: &Operand, comparison: Comparison, value: &Literal) -> Result<Fragment, Error> {
    let sign = match comparison {
        Comparison::Equal => "=",
        other => other.as_str(),
    };
    match operand {
        Operand::Column { sql, field_type } => {
            check(path, *field_type, value)?;
            check_order(path, comparison, value)?;
            Ok(Fragment::new(format!("{sql} {sign} ?")).bind(bound(value)))
        }
        Operand::Id { sql } => {
            check(path, FieldType::Text, value)?;
            let Literal::Text(text) = value else { return Ok(Fragment::new("FALSE")) };
            Ok(match ItemId::from_text(text).as_bytes() {
                Some(bytes) => Fragment::new(format!("{sql} {sign} ?")).bind(bytes.to_vec()),
                None => Fragment::new(format!("lower(hex({sql})) {sign} ?")).bind(text.clone()),
            })
        }
        Operand::Attribute { path: place, field_type } => {
            check(path, *field_type, value)?;
            check_order(path, comparison, value)?;
            Ok(attribute(place, value, &format!("{sign} ?"), bound(value)))
        }
        Operand::Tags { .. } => Err(not_a_tag_test(path)),
        Operand::Present { field_type, .. } => Err(not_comparable(path, *field_type)),
    }
}

fn is_one_of(path: &Path, operand: &Operand, values: &[Literal]) -> Result<Fragment, Error> {
    const LISTED: &str = "IN (SELECT value FROM rarray(?))";
    let field_type = match operand {
        Operand::Column { field_type, .. } | Operand::Attribute { field_type, .. } => *field_type,
        Operand::Id { .. } => FieldType::Text,
        Operand::Tags { .. } => return Err(not_a_tag_test(path)),
        Operand::Present { field_type, .. } => return Err(not_comparable(path, *field_type)),
    };
    for value in values {
        check(path, field_type, value)?;
    }
    Ok(match operand {
        Operand::Id { sql } => {
            let ids =
                values.iter().filter_map(|value| if let Literal::Text(text) = value { ItemId::from_text(text).as_bytes().copied() } else { None });
            Fragment::new(format!("{sql} {LISTED}")).bind(array(ids.map(|bytes| bytes.to_vec())))
        }
        Operand::Attribute { path: place, .. } => {
            // An attribute may hold values of several types; each is compared with the literals of its own.
            let of_type = |example: &Literal| {
                let alike: Vec<Value> = values.iter().filter(|value| kind(value) == kind(example)).map(bound).collect();
                attribute(place, example, LISTED, array(alike))
            };
            let kinds = [Literal::Bool(true), Literal::Int(0), Literal::Text(String::new())];
            Fragment::joined(kinds.iter().map(of_type).collect(), " OR ")
        }
        Operand::Column { sql, .. } | Operand::Tags { sql } | Operand::Present { sql, .. } => {
            Fragment::new(format!("{sql} {LISTED}")).bind(array(values.iter().map(bound)))
        }
    })
}

/// A test of an attribute where it is of the type of a literal like `example`; `test` has one `?`, for `value`.
fn attribute(place: &str, example: &Literal, test: &str, value: impl ToSql + 'static) -> Fragment {
    let types = match example {
        Literal::Bool(_) => "'true', 'false'",
        Literal::Int(_) | Literal::Float(_) => "'integer', 'real'",
        Literal::Text(_) => "'text'",
    };
    // The value first: the type matters only where the value agrees, and each is a search through the attributes.
    let mut condition = Fragment::new(format!("(json_extract(l.attributes, ?) {test}")).bind(place.to_owned()).bind(value);
    condition.append(Fragment::new(format!(" AND json_type(l.attributes, ?) IN ({types}))")).bind(place.to_owned()));
    condition
}

fn bound(value: &Literal) -> Value {
    match value {
        Literal::Bool(value) => Value::Integer(i64::from(*value)),
        Literal::Int(value) => Value::Integer(*value),
        Literal::Float(value) => Value::Real(*value),
        Literal::Text(value) => Value::Text(value.clone()),
    }
}

fn kind(value: &Literal) -> &'static str {
    match value {
        Literal::Bool(_) => "a truth value",
        Literal::Int(_) | Literal::Float(_) => "a number",
        Literal::Text(_) => "a text",
    }
}

fn check(path: &Path, field_type: FieldType, value: &Literal) -> Result<(), Error> {
    let fits = match field_type {
        FieldType::Bool => matches!(value, Literal::Bool(_)),
        FieldType::Int | FieldType::Float => matches!(value, Literal::Int(_) | Literal::Float(_)),
        FieldType::Text => matches!(value, Literal::Text(_)),
        // No value yet, or an attribute with values of several types.
        FieldType::Null | FieldType::Other | FieldType::Vector | FieldType::Labels(_) => true,
    };
    let hint = match field_type {
        _ if fits => return Ok(()),
        FieldType::Text => "put text in quotes: \"3\"",
        FieldType::Bool => "compare it with true or false",
        _ => "compare it with a number, without quotes",
    };
    Err(Error::invalid(format!("{path} is of type {field_type}, but is compared with {value}, which is {}", kind(value))).with_hint(hint))
}

fn check_order(path: &Path, comparison: Comparison, value: &Literal) -> Result<(), Error> {
    if matches!(value, Literal::Bool(_)) && comparison != Comparison::Equal {
        return Err(
            Error::invalid(format!("{path} {} {value} has no meaning: true and false have no order", comparison.as_str())).with_hint("use == or !=")
        );
    }
    Ok(())
}

fn not_a_tag_test(path: &Path) -> Error {
    Error::invalid(format!("{path} is a list of tags, which cannot be compared as a whole"))
        .with_hint(format!("write {path} contains \"train\", or match the tags"))
}

fn not_comparable(path: &Path, field_type: FieldType) -> Error {
    let hint =
        if field_type.is_labels() { format!("compare an attribute of its labels, such as {path}.label") } else { format!("ask exists({path})") };
    Error::invalid(format!("{path} is of type {field_type} and cannot be compared as a whole")).with_hint(hint)
}
