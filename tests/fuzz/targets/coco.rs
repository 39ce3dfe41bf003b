//! A COCO file: images with boxes and polygons, bad records, or a refusal.

use brain::core::{ErrorKind, FieldValue, Region, Sample};
use brain::dataset::formats::{CocoOptions, read_coco};

use super::{assert_refused, file, store};

pub(super) fn run(data: &[u8]) {
    let path = file("fuzz.json", data);
    let options = CocoOptions { polygons_field: Some("polygons".to_owned()), ..CocoOptions::default() };
    let mut reader = match read_coco(&path, &options) {
        Ok(reader) => reader,
        Err(error) if error.kind() == ErrorKind::Corrupt => return assert!(error.hint().is_some(), "a file that is cut off: {error:?}"),
        Err(error) => return assert_refused(&error),
    };
    let (total, mut records) = (reader.total(), 0);
    let mut samples = Vec::new();
    for record in reader.by_ref() {
        records += 1;
        match record {
            Ok(sample) => {
                assert_finite(&sample);
                samples.push(sample);
            }
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::InvalidInput, "{error:?}");
                assert!(error.message().contains(&path.display().to_string()), "it does not say where: {error}");
            }
        }
    }
    assert!(!reader.broke_off(), "a file that was read once could not be read again");
    assert!(total.is_none_or(|total| total == records), "{records} records, {total:?} announced");
    if !samples.is_empty() {
        store::assert_written(&samples);
        store::assert_stored("coco", &samples);
    }
}

/// Boxes and polygons are fractions of the image, and numbers.
fn assert_finite(sample: &Sample) {
    let labels = sample.fields.iter().filter_map(|(_, value)| if let FieldValue::Labels(labels) = value { Some(&labels.labels) } else { None });
    for label in labels.flatten() {
        let finite = match &label.region {
            Some(Region::Box(sides)) => sides.iter().all(|side| side.is_finite()),
            Some(Region::Lines(lines)) => lines.iter().flatten().flatten().all(|side| side.is_finite()),
            None => false,
        };
        assert!(finite, "{label:?}");
    }
}
