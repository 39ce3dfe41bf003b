//! `brain dataset info`

use brain::Brain;
use brain::core::RunFilter;
use brain::core::timestamp::rfc3339_seconds;
use brain::dataset::{DatasetInfo, FieldInfo};
use serde_json::{Value, json};

use crate::commands::runs;
use crate::failure::Result;
use crate::plural;
use crate::session::Session;
use crate::table::Table;

/// How many classes and tags are named.
const SHOWN: usize = 10;

pub(super) async fn run(session: &mut Session<'_>, brain: &Brain, name: &str) -> Result<()> {
    let info = brain.datasets().get(name)?.info()?;
    let records = brain.list_brain_runs(name, &RunFilter::default()).await?;
    let output = &mut session.output;
    if output.is_json() {
        let mut document = document(&info);
        document["runs"] = json!(records);
        return Ok(output.document(&document)?);
    }
    output.heading(&info.name)?;
    output.line(format_args!("{}, made {}", plural::counted(info.samples, "sample", "samples"), rfc3339_seconds(info.created_at)))?;
    if !info.tags.is_empty() {
        output.line(format_args!("tags: {}", counted(info.tags.iter().map(|(tag, count)| (tag.as_str(), *count)))))?;
    }
    let mut fields = Table::new().text("field").text("type").number("samples").text("holds");
    for field in &info.fields {
        fields.row([field.field.name.clone(), field.field.field_type.to_string(), field.values.to_string(), holds(field)]);
    }
    output.table(&fields)?;
    if !records.is_empty() {
        output.line("")?;
        output.table(&runs::table(&records))?;
    }
    Ok(())
}

/// What the values of a field are, in a few words.
fn holds(info: &FieldInfo) -> String {
    if let Some(dimension) = info.dimension {
        return format!("vectors of {dimension} numbers");
    }
    match &info.labels {
        Some(labels) => format!("{} labels: {}", labels.total, counted(labels.classes.iter().map(|(class, count)| (class.as_str(), *count)))),
        None => String::new(),
    }
}

/// `dog 20, cat 18 and 3 more`
fn counted<'a>(counts: impl ExactSizeIterator<Item = (&'a str, u64)>) -> String {
    let more = counts.len().saturating_sub(SHOWN);
    let named: Vec<String> = counts.take(SHOWN).map(|(name, count)| format!("{name} {count}")).collect();
    let rest = if more > 0 { format!(" and {more} more") } else { String::new() };
    format!("{}{rest}", named.join(", "))
}

fn document(info: &DatasetInfo) -> Value {
    let field = |field: &FieldInfo| {
        json!({
            "name": field.field.name, "type": field.field.field_type, "indexed": field.field.indexed, "attributes": field.field.attributes,
            "samples": field.values, "dimension": field.dimension,
            "labels": field.labels.as_ref().map(|labels| json!({ "total": labels.total, "classes": labels.classes.iter().cloned().collect::<std::collections::BTreeMap<_, _>>() })),
        })
    };
    json!({
        "name": info.name, "samples": info.samples, "created_at": rfc3339_seconds(info.created_at),
        "tags": info.tags, "fields": info.fields.iter().map(field).collect::<Vec<_>>(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_lists_are_cut() {
        let names: Vec<String> = (0..12).map(|n| format!("c{n}")).collect();
        assert_eq!(counted(names.iter().take(2).map(|name| (name.as_str(), 3))), "c0 3, c1 3");
        assert!(counted(names.iter().map(|name| (name.as_str(), 1))).ends_with("c9 1 and 2 more"));
    }
}
