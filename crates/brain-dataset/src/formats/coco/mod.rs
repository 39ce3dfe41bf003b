//! COCO detection labels: one JSON file of images, annotations and categories, with the images near it.

mod annotations;
mod record;

#[cfg(test)]
mod tests;

use std::collections::HashSet;
use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};

use brain_core::{Error, FieldValue, LabelClass, Labels, Result, Sample, is_identifier};
use serde_json::json;

use super::LABEL_FIELD;
use super::elements::{Element, Elements};
use super::samples::{Fault, Samples};
use annotations::Annotations;
use record::{Image, Key};

/// The lists of a COCO file, in the order that [`Element::list`] counts them.
const LISTS: [&str; 3] = ["images", "annotations", "categories"];
const IMAGES: usize = 0;
const ANNOTATIONS: usize = 1;
const CATEGORIES: usize = 2;

/// How COCO labels are read.
#[derive(Clone, Debug)]
pub struct CocoOptions {
    /// The field for the boxes.
    pub field: String,
    /// The field for the polygons of `segmentation`, as closed and filled polylines; `None`, the default, leaves them out. Run-length masks
    /// are never read.
    pub polygons_field: Option<String>,
    /// Where the images are. `None` looks for the first image of the file in `data/`, in `images/` and beside the file.
    pub images: Option<PathBuf>,
}

impl Default for CocoOptions {
    fn default() -> Self {
        Self { field: LABEL_FIELD.to_owned(), polygons_field: None, images: None }
    }
}

/// The images of a COCO file as samples, in the file's order, with their boxes as detections. `path` is the JSON file, or the folder that
/// holds it as `labels.json`.
///
/// Boxes become fractions of the image's width and height. `iscrowd`, `area`, the category's `supercategory` and any attribute of the annotator's
/// own are kept with the label (one that is called as a label's own values are, such as `tags`, as `coco_tags`); `score` becomes its confidence.
/// The image's size is kept as `metadata`, as FiftyOne does. Every image with labels asked for has the field, those without an annotation too, with
/// an empty list.
///
/// The file is read twice, because annotations commonly follow images: annotations (some 200 bytes each, more with polygons
/// or attributes) and the ids of images are held in memory; images are streamed.
///
/// An annotation that cannot be used is a bad record that names it by id: a category or an image that the file lacks, a `bbox` that is not four
/// finite numbers; its image still comes, without it. An image without a usable width and height, though it has annotations, is one too, and so is an
/// image whose id came before. The bad annotations come first.
///
/// # Errors
/// When the file is missing, cut off, or has no list `images`.
pub fn read_coco(path: &Path, options: &CocoOptions) -> Result<Samples> {
    for field in std::iter::once(&options.field).chain(&options.polygons_field) {
        if !is_identifier(field) {
            return Err(Error::invalid(format!("{field:?} is no field name")).with_hint("use letters, digits and _, and begin with no digit"));
        }
    }
    let path = if path.is_dir() { path.join("labels.json") } else { path.to_owned() };
    if !path.exists() {
        return Err(Error::not_found(format!("{} does not exist", path.display()))
            .with_operation("import COCO")
            .with_hint("give the JSON file of the labels, or the folder that holds it as labels.json"));
    }
    let open = || Elements::open(&path, &LISTS).map_err(|source| Error::io("read", &path, source).with_operation("import COCO"));
    let mut annotations = Annotations::default();
    let mut elements = open()?;
    let mut ids = HashSet::new();
    let mut images = 0;
    while let Some(element) = elements.advance().map_err(|error| error.of(&path))? {
        match element.list {
            IMAGES => {
                images += 1;
                // A malformed image has no id; the second reading reports it.
                if let Ok(image) = Image::parse(elements.text()) {
                    ids.insert(image.id);
                }
            }
            ANNOTATIONS => annotations.add(&element, elements.text(), options.polygons_field.is_some()),
            CATEGORIES => annotations.add_category(&element, elements.text()),
            _ => {}
        }
    }
    if !elements.has_seen(IMAGES) {
        return Err(Error::invalid(format!("{} has no list \"images\"", path.display()))
            .with_operation("import COCO")
            .with_hint("COCO labels are an object with the lists images, annotations and categories"));
    }
    let faults = annotations.finish(&path, &ids);
    let reader = Images { elements: open()?, folder: None, seen: HashSet::new(), annotations, options: options.clone(), path };
    // A bad annotation is a record of its own.
    let total = images + faults.len() as u64;
    let faults = faults.into_iter().map(|fault| Err(Fault::Record(fault)));
    Ok(Samples::new(faults.chain(reader), Some(total)))
}

/// The second reading: image by image.
struct Images {
    elements: Elements<BufReader<File>>,
    path: PathBuf,
    /// Where images are; known once the first one has been looked for.
    folder: Option<PathBuf>,
    seen: HashSet<Key>,
    annotations: Annotations,
    options: CocoOptions,
}

impl Images {
    fn sample(&mut self, element: Element) -> Result<Sample> {
        let place = format!("{}: image {} (byte {})", self.path.display(), element.position + 1, element.offset);
        let image = Image::parse(self.elements.text()).map_err(|message| Error::invalid(format!("{place}: {message}")))?;
        if !self.seen.insert(image.id.clone()) {
            return Err(Error::invalid(format!("{place}: image id {} came before", image.id)));
        }
        let filepath = self.filepath(&image.file_name)?;
        let mut fields = Vec::new();
        let size = image.size();
        if let Some([width, height]) = size {
            fields.push(("metadata".to_owned(), FieldValue::Other(json!({ "_cls": "ImageMetadata", "width": width, "height": height }))));
        }
        let annotations = self.annotations.of(&image.id);
        let Some(size) = size.or_else(|| annotations.is_empty().then_some([1, 1])) else {
            let first = annotations.first().map(|annotation| format!("annotation {}", annotation.id)).unwrap_or_default();
            let sides = format!("width {} and height {}", image.width, image.height);
            return Err(Error::invalid(format!("{place}: {} has {sides}, so that the box of {first} has no relative place", image.file_name))
                .with_hint("give the image its size in pixels"));
        };
        let detections = annotations.iter().map(|annotation| self.annotations.detection(annotation, size)).collect();
        fields.push((self.options.field.clone(), FieldValue::Labels(Labels { class: LabelClass::Detections, labels: detections })));
        if let Some(field) = &self.options.polygons_field {
            let polygons = annotations.iter().filter_map(|annotation| self.annotations.polygon(annotation, size)).collect();
            fields.push((field.clone(), FieldValue::Labels(Labels { class: LabelClass::Polylines, labels: polygons })));
        }
        Ok(Sample { filepath, fields, ..Sample::default() })
    }

    fn filepath(&mut self, name: &str) -> Result<String> {
        if Path::new(name).is_absolute() {
            return Ok(name.to_owned());
        }
        let folder = match self.folder.take() {
            Some(folder) => folder,
            None => self.look_for(name)?,
        };
        let path = folder.join(name);
        self.folder = Some(folder);
        super::walk::filepath(path)
    }

    /// The folder of the images, judged by one of them; where it is nowhere, the first of the usual folders that exists.
    fn look_for(&self, name: &str) -> Result<PathBuf> {
        let absolute = |path: &Path| std::path::absolute(path).map_err(|source| Error::io("find", path, source));
        if let Some(folder) = &self.options.images {
            return absolute(folder);
        }
        let file = absolute(&self.path)?;
        let beside = file.parent().unwrap_or(Path::new("/"));
        let usual = [beside.join("data"), beside.join("images"), beside.to_owned()];
        let found = usual.iter().find(|folder| folder.join(name).is_file()).or_else(|| usual.iter().find(|folder| folder.is_dir()));
        Ok(found.unwrap_or(&usual[2]).clone())
    }
}

impl Iterator for Images {
    type Item = Result<Sample, Fault>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            match self.elements.advance() {
                Ok(Some(element)) if element.list == IMAGES => return Some(self.sample(element).map_err(Fault::Record)),
                Ok(Some(_)) => {}
                Ok(None) => return None,
                Err(error) => return Some(Err(Fault::Fatal(error.of(&self.path)))),
            }
        }
    }
}
