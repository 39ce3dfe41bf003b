//! The annotations of a COCO file, held compactly and found by image.

use std::collections::{HashMap, HashSet};
use std::path::Path;

use brain_core::{Error, Label, LabelClass, Region};
use serde_json::{Map, Number, Value};

use super::super::elements::Element;
use super::record::{self, Category, Key, RawAnnotation};

/// One usable annotation, still in pixels.
#[derive(Debug)]
pub(super) struct Annotation {
    /// What messages call it.
    pub(super) id: Key,
    image: Key,
    category: Key,
    sides: [f64; 4],
    score: Option<f64>,
    iscrowd: Option<Number>,
    area: Option<Number>,
    /// Polygons as `x, y, x, y, …`.
    polygons: Box<[Vec<f64>]>,
    others: Option<Box<Map<String, Value>>>,
    place: Place,
}

/// Where a record is in the file.
#[derive(Clone, Copy, Debug)]
struct Place {
    position: u64,
    offset: u64,
}

/// All annotations of a file and the categories that name them.
#[derive(Debug, Default)]
pub(super) struct Annotations {
    categories: HashMap<Key, Category>,
    /// By image once [`finish`](Self::finish) has been called, in the file's order within one.
    usable: Vec<Annotation>,
    faults: Vec<(u64, String)>,
}

impl Annotations {
    /// Takes an entry of `categories` in.
    pub(super) fn add_category(&mut self, element: &Element, text: &[u8]) {
        match Category::parse(text) {
            Ok(category) => {
                self.categories.insert(category.id.clone(), category);
            }
            Err(message) => {
                let message = format!("category {} (byte {}): {message}", element.position + 1, element.offset);
                self.faults.push((element.offset, message));
            }
        }
    }

    /// Takes an entry of `annotations` in; one that cannot be used is kept as a fault.
    pub(super) fn add(&mut self, element: &Element, text: &[u8], keep_polygons: bool) {
        let place = Place { position: element.position, offset: element.offset };
        match annotation(place, text, keep_polygons) {
            Ok(annotation) => self.usable.push(annotation),
            Err(message) => self.fault(record::id_of(text).as_ref(), place, &message),
        }
    }

    fn fault(&mut self, id: Option<&Key>, place: Place, message: &str) {
        let id = id.map_or_else(|| format!("number {} without an id", place.position + 1), Key::to_string);
        self.faults.push((place.offset, format!("annotation {id} (byte {}): {message}", place.offset)));
    }

    /// Sorts the annotations by image and gives the errors of those that cannot be used, in the file's order. `images` are the ids that the
    /// file has.
    pub(super) fn finish(&mut self, path: &Path, images: &HashSet<Key>) -> Vec<Error> {
        for annotation in std::mem::take(&mut self.usable) {
            let message = if !images.contains(&annotation.image) {
                format!("image_id {} is no image of the file", annotation.image)
            } else if !self.categories.contains_key(&annotation.category) {
                format!("category_id {} is no category of the file", annotation.category)
            } else {
                self.usable.push(annotation);
                continue;
            };
            self.fault(Some(&annotation.id), annotation.place, &message);
        }
        self.usable.sort_by(|a, b| a.image.cmp(&b.image));
        self.usable.shrink_to_fit();
        let mut faults = std::mem::take(&mut self.faults);
        faults.sort_by_key(|(offset, _)| *offset);
        faults.into_iter().map(|(_, message)| Error::invalid(format!("{}: {message}", path.display()))).collect()
    }

    /// The annotations of one image, in the file's order.
    pub(super) fn of(&self, image: &Key) -> &[Annotation] {
        let begin = self.usable.partition_point(|annotation| annotation.image < *image);
        let count = self.usable[begin..].partition_point(|annotation| annotation.image == *image);
        &self.usable[begin..begin + count]
    }

    /// The box of an annotation in an image of that width and height.
    pub(super) fn detection(&self, annotation: &Annotation, [width, height]: [u64; 2]) -> Label {
        let [x, y, w, h] = annotation.sides;
        let (width, height) = (width as f64, height as f64);
        let mut label = self.label(annotation);
        label.region = Some(Region::Box([x / width, y / height, w / width, h / height]));
        if let Some(area) = &annotation.area {
            label.attributes.insert("area".to_owned(), Value::Number(area.clone()));
        }
        label
    }

    /// The polygons of an annotation as one polyline; `None` when it has none.
    pub(super) fn polygon(&self, annotation: &Annotation, [width, height]: [u64; 2]) -> Option<Label> {
        if annotation.polygons.is_empty() {
            return None;
        }
        let (width, height) = (width as f64, height as f64);
        let line = |polygon: &Vec<f64>| polygon.chunks_exact(2).map(|point| [point[0] / width, point[1] / height]).collect();
        let mut label = self.label(annotation);
        label.region = Some(Region::Lines(annotation.polygons.iter().map(line).collect()));
        label.attributes.insert("closed".to_owned(), Value::Bool(true));
        label.attributes.insert("filled".to_owned(), Value::Bool(true));
        Some(label)
    }

    fn label(&self, annotation: &Annotation) -> Label {
        let category = self.categories.get(&annotation.category);
        let mut attributes = annotation.others.as_deref().cloned().unwrap_or_default();
        if let Some(iscrowd) = &annotation.iscrowd {
            attributes.insert("iscrowd".to_owned(), Value::Number(iscrowd.clone()));
        }
        if let Some(supercategory) = category.and_then(|category| category.supercategory.as_ref()) {
            attributes.insert("supercategory".to_owned(), Value::String(supercategory.clone()));
        }
        let label = category.map(|category| category.name.clone());
        Label { label, confidence: annotation.score, attributes, ..Label::default() }
    }
}

fn annotation(place: Place, text: &[u8], keep_polygons: bool) -> Result<Annotation, String> {
    let raw: RawAnnotation<'_> = record::parse(text)?;
    let polygons = match raw.segmentation.filter(|_| keep_polygons) {
        // An object is a run-length mask, which has no polygon.
        Some(segmentation) if segmentation.get().starts_with('[') => {
            serde_json::from_str::<Vec<Vec<f64>>>(segmentation.get()).map_err(|error| format!("its segmentation is no list of polygons: {error}"))?
        }
        _ => Vec::new(),
    };
    if polygons.iter().any(|polygon| polygon.len() % 2 == 1) {
        return Err("a polygon of its segmentation has an x without its y".to_owned());
    }
    Ok(Annotation {
        id: raw.id.unwrap_or(Key::Text(format!("number {}", place.position + 1).into())),
        image: raw.image_id,
        category: raw.category_id,
        sides: raw.bbox,
        score: raw.score,
        iscrowd: raw.iscrowd,
        area: raw.area,
        polygons: polygons.into(),
        others: others(raw.attributes).map(Box::new),
        place,
    })
}

/// What an annotator wrote beyond COCO's members. What is called as a label's own values are is kept under a name of its own, such as `coco_tags`. Many
/// tools write `attributes` into every annotation, mostly empty.
fn others(raw: Map<String, Value>) -> Option<Map<String, Value>> {
    let mut others = Map::new();
    // They go to a box and to a polygon.
    let is_taken = |name: &str| LabelClass::Detections.owns(name) || LabelClass::Polylines.owns(name);
    let (taken, free): (Vec<_>, Vec<_>) = raw.into_iter().partition(|(name, _)| is_taken(name));
    others.extend(free.into_iter().filter(|(name, value)| name != "attributes" || value.as_object().is_none_or(|object| !object.is_empty())));
    for (mut name, value) in taken {
        while is_taken(&name) || others.contains_key(&name) {
            name.insert_str(0, "coco_");
        }
        others.insert(name, value);
    }
    (!others.is_empty()).then_some(others)
}
