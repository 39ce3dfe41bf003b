//! `brain dataset samples`: one line a sample, or a patch, as they are read.

use brain::Brain;
use brain::core::{FieldValue, ItemKind, Label, LabelClass, Labels, Sample, View};
use brain::dataset::formats::JsonSample;
use brain::dataset::{Dataset, FieldType, Fields, Patch};
use serde_json::{Value, json};

use crate::args::SamplesArgs;
use crate::failure::Result;
use crate::location::Location;
use crate::output::Output;
use crate::session::Session;

pub(super) fn run(session: &mut Session<'_>, brain: &Brain, args: &SamplesArgs) -> Result<()> {
    let dataset = brain.datasets().get(&args.name)?;
    let view = args.view.view()?;
    match view.kind() {
        ItemKind::Samples => samples(&mut session.output, &dataset, &view),
        ItemKind::Patches => patches(&mut session.output, &dataset, &view),
    }
}

fn samples(output: &mut Output, dataset: &Dataset, view: &View) -> Result<()> {
    if output.is_json() {
        for sample in dataset.samples(view, Fields::All)? {
            output.record(&JsonSample(&sample?))?;
        }
        return Ok(());
    }
    let location = Location::here();
    let fields = dataset.fields()?;
    // Vectors are long to read and say nothing to a person.
    let names: Vec<&str> = fields.iter().filter(|field| field.field_type != FieldType::Vector).map(|field| field.name.as_str()).collect();
    for sample in dataset.samples(view, Fields::Only(&names))? {
        output.line(in_words(&sample?, &location))?;
    }
    Ok(())
}

/// `ID  FILE  [tags]  field=value …`
fn in_words(sample: &Sample, location: &Location) -> String {
    let id = sample.id.as_ref().map(ToString::to_string).unwrap_or_default();
    let mut line = format!("{id}  {}", location.shown(&sample.filepath));
    if !sample.tags.is_empty() {
        line += &format!("  [{}]", sample.tags.join(", "));
    }
    for (name, value) in &sample.fields {
        if let Some(value) = value_in_words(value) {
            line += &format!("  {name}={value}");
        }
    }
    line
}

fn value_in_words(value: &FieldValue) -> Option<String> {
    Some(match value {
        FieldValue::Null | FieldValue::Vector(_) | FieldValue::Other(_) => return None,
        FieldValue::Bool(flag) => flag.to_string(),
        FieldValue::Int(number) => number.to_string(),
        FieldValue::Float(number) => number.to_string(),
        FieldValue::Text(text) => format!("{text:?}"),
        FieldValue::Labels(Labels { class: LabelClass::Classification, labels }) => labels.first()?.label.clone()?,
        FieldValue::Labels(Labels { labels, .. }) => {
            let classes: Vec<&str> = labels.iter().map(|label| label.label.as_deref().unwrap_or("?")).collect();
            format!("({})", classes.join(" "))
        }
    })
}

fn patches(output: &mut Output, dataset: &Dataset, view: &View) -> Result<()> {
    let location = Location::here();
    for patch in dataset.patches(view)? {
        let Patch { item, filepath, label } = patch?;
        if output.is_json() {
            output.record(&json!({ "id": item.id, "sample_id": item.sample_id, "filepath": filepath, "label": document(&label) }))?;
        } else {
            output.line(format_args!("{}  {}  {}", item.id, label.label.as_deref().unwrap_or("?"), location.shown(&filepath)))?;
        }
    }
    Ok(())
}

fn document(label: &Label) -> Value {
    let mut document = json!({
        "label": label.label, "confidence": label.confidence, "tags": label.tags,
        "bounding_box": label.region.as_ref().and_then(brain::core::Region::bounding_box),
    });
    if let Some(members) = document.as_object_mut() {
        members.extend(label.attributes.clone());
    }
    document
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sample_is_one_line() {
        let label = |class: &str| Label { label: Some(class.into()), ..Label::default() };
        let labels = |class, labels| FieldValue::Labels(Labels { class, labels });
        let sample = Sample {
            id: Some("6b01656cdf05e9355da64f3c".into()),
            filepath: "/photos/a.jpg".into(),
            tags: vec!["train".into()],
            fields: vec![
                ("ground_truth".into(), labels(LabelClass::Classification, vec![label("dog")])),
                ("boxes".into(), labels(LabelClass::Detections, vec![label("cat"), label("dog")])),
                ("width".into(), FieldValue::Int(3)),
                ("embedding".into(), FieldValue::Vector(vec![0.0; 9])),
            ],
        };
        let line = in_words(&sample, &Location::here());
        assert_eq!(line, "6b01656cdf05e9355da64f3c  /photos/a.jpg  [train]  ground_truth=dog  boxes=(cat dog)  width=3");
    }
}
